"""Files between Keras and cornu, each format both ways; `file_table.py` is the same as a command, all trained."""

import file_table as table
import keras
import pytest

import cornu

BOTH = pytest.mark.parametrize("library", [keras, cornu], ids=["keras-wrote-it", "cornu-wrote-it"])


NEEDS_FULL_COMPILATION = ("attention",)
COMPOSED = [
    pytest.param(
        *composed,
        id=f"{composed[0].name}-{composed[1]}",
        marks=[pytest.mark.full_compilation] if composed[0].name in NEEDS_FULL_COMPILATION else [],
    )
    for composed in table.composed_cases()
]


def checked(case, library, folder, optimizer=None):
    """The formats that the other library read rightly; the first that it did not raises."""
    source = table.saved(case, library, folder, optimizer)
    forms = table.forms(library, optimizer, case.name)
    for form in forms:
        try:
            table.check(source, form)
        except Exception as error:
            error.add_note(f"{case.name}, {form.name}, written by {library.__name__}")
            raise
    return len(forms)


@pytest.mark.filterwarnings("ignore:[\\s\\S]*dtype int64:UserWarning")  # Keras, mixing images
@BOTH
@pytest.mark.parametrize("case", list(table.layer_cases()), ids=lambda case: case.name)
def test_a_model_of_each_layer(case, library, tmp_path):
    assert checked(case, library, tmp_path) >= 4


@BOTH
@pytest.mark.parametrize("case, optimizer", COMPOSED)
def test_a_model_of_each_kind_that_was_trained(case, optimizer, library, tmp_path):
    assert checked(case, library, tmp_path, optimizer) >= 4
