"""Files of Keras and of cornu in each format; `file_table.py` is the same as a command, all trained."""

from pathlib import Path

import file_table as table
import pytest
from file_structure import SEEDS, contents, put, structure
from oracle import ask

import cornu

NEEDS_FULL_COMPILATION = ("attention",)
OTHER_CONFIG = (  # of which cornu's configs name an argument more than Keras's, or as it was given
    "AdditiveAttention", "Attention", "MaxNumBoundingBoxes", "RandomCrop", "RandomGrayscale", "RandomShear",
)  # fmt: skip
LAYERS = pytest.mark.parametrize("case", list(table.layer_cases()), ids=lambda case: case.name)
COMPOSED = pytest.mark.parametrize(
    ("case", "optimizer"),
    [
        pytest.param(
            *composed,
            id=f"{composed[0].name}-{composed[1]}",
            marks=[pytest.mark.full_compilation] if composed[0].name in NEEDS_FULL_COMPILATION else [],
        )
        for composed in table.composed_cases()
    ],
)
pytestmark = pytest.mark.filterwarnings("ignore:[\\s\\S]*dtype int64:UserWarning")  # Keras, mixing images


def written_by_keras(case: table.Case, folder: Path, optimizer: str | None = None) -> table.Saved:
    """What Keras saved, put into `folder`, and what became of its model."""

    def question(keras):
        (folder / "asked").mkdir()
        source = table.saved(case, keras, folder / "asked", optimizer)
        files = {form.ending: contents(folder / "asked" / form.ending) for form in forms(source)}
        for part in (folder / "asked").glob("model_*.weights.h5"):  # of a sharded one
            files[part.name] = contents(part)
        return {"files": files, "optimizer": source.optimizer, "after": source[-3:]}

    answer = ask(question, f"{case.name}-{optimizer}")
    for ending, file in answer["files"].items():
        put(file, folder / ending)
    return table.Saved(case, folder, answer["optimizer"], *answer["after"])


def forms(source: table.Saved) -> list[table.Format]:
    return table.forms("keras", source.optimizer, source.case.name)


def check(source: table.Saved, form: table.Format, library) -> None:
    try:
        table.check(source, form, library)
    except Exception as error:
        error.add_note(f"{source.case.name}, {form.name}, read by {library.__name__}")
        raise


def check_all(case: table.Case, folder: Path, optimizer: str | None = None) -> None:
    """Cornu reads each file of Keras, and writes files of the same structure."""
    theirs = written_by_keras(case, folder, optimizer)
    (folder / "ours").mkdir()
    table.written(case, cornu, folder / "ours", optimizer)
    assert len(forms(theirs)) >= 4
    for form in forms(theirs):
        check(theirs, form, cornu)
        wanted = layout(case, folder, form)
        for part, found in layout(case, folder / "ours", form).items():
            assert found == wanted[part], (form.name, part)


def layout(case: table.Case, folder: Path, form: table.Format) -> dict:
    """What stands where in a file: all names of files, groups and arrays, and the model's config where it is the same.

    The config in a whole-model `.h5` is of the old kind if Keras writes it, and of the new kind if cornu does. The
    state of the optimizer in one is compared in `test_legacy_files.py`.
    """
    found = structure(folder / form.ending)
    if form.name == "whole-model .h5":
        return {"weights": {name: told for name, told in found.items() if name.startswith("model_weights")}}
    if form.name == "sharded":  # Keras does not list the states of seed generators
        return {"weights": [name for name in found["weight_map"] if not SEEDS & set(name.split("/"))]}
    if form.whole:
        config = None if case.name in OTHER_CONFIG else found["config.json"]["config"]
        return {"files": set(found), "weights": found["model.weights.h5"], "config": config}
    return {"weights": found}


@LAYERS
def test_a_model_of_each_layer(case, tmp_path):
    check_all(case, tmp_path)


@COMPOSED
def test_a_model_of_each_kind_that_was_trained(case, optimizer, tmp_path):
    check_all(case, tmp_path, optimizer)


@pytest.mark.live
@LAYERS
def test_keras_reads_a_model_of_each_layer(case, tmp_path):
    keras_reads(case, tmp_path)


@pytest.mark.live
@COMPOSED
def test_keras_reads_a_model_of_each_kind_that_was_trained(case, optimizer, tmp_path):
    keras_reads(case, tmp_path, optimizer)


def keras_reads(case: table.Case, folder: Path, optimizer: str | None = None) -> None:
    import keras

    source = table.saved(case, cornu, folder, optimizer)
    for form in table.forms("cornu", source.optimizer, case.name):
        check(source, form, keras)
