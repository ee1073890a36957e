"""Models made of models, saved by Keras and opened here, and the other way round."""

import compositions as table
import numpy as np
import pytest
from file_structure import put, structure
from oracle import both

import cornu

ALL = pytest.mark.parametrize("make", table.COMPOSITIONS.values(), ids=table.COMPOSITIONS)
# Keras writes a missing mask once for each tensor of a call, cornu once.
OTHER_CONFIG = [table.COMPOSITIONS[name] for name in ("lists inside", "dictionaries inside")]
pytestmark = [  # these models are called on flat inputs
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*the inputs are:UserWarning"),
]


def assert_same(model, expected, x):
    for a, b in zip(table.outputs_of(model, x), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@ALL
def test_what_keras_saved_opens_and_computes_the_same(make, tmp_path):
    def question(library):
        library.utils.clear_session(free_memory=False)
        model, files = table.with_numbers(make(library)), {}
        for ending in ("keras", "h5"):
            path = tmp_path / f"{library.__name__}.{ending}"
            model.save(str(path))
            files[ending] = path.read_bytes()
        x = table.inputs_of(model)
        return files, model.to_json(), model.get_weights(), x, table.outputs_of(model, x)

    (ours, *_), (theirs, json, weights, x, expected) = both(question)
    for ending, file in theirs.items():
        path = put(file, tmp_path / f"stored.{ending}")
        assert_same(cornu.models.load_model(path), expected, x)
        report = cornu.models.load_model(path, report=True)
        assert report.loads and {finding.kind for finding in report.findings} <= {"maps"}
    if make not in OTHER_CONFIG:
        assert structure(ours["keras"]) == structure(theirs["keras"])
    assert weights_of(ours["h5"]) == weights_of(theirs["h5"])
    from_json = cornu.models.model_from_json(json)
    from_json.set_weights(weights)
    assert_same(from_json, expected, x)


def weights_of(file):
    """The names in a whole-model `.h5`, in which cornu's config is of the new kind and Keras's of the old one."""
    return {name: told for name, told in structure(file).items() if name.startswith("model_weights")}


@pytest.mark.live
@ALL
def test_what_cornu_saved_keras_opens(make, tmp_path):
    import keras

    ours = table.with_numbers(make(cornu))
    ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    x = table.inputs_of(theirs)
    assert_same(ours, table.outputs_of(theirs, x), x)
    ends = ("input_layers", "output_layers")
    assert [ours.get_config().get(end) for end in ends] == [theirs.get_config().get(end) for end in ends]


@pytest.mark.parametrize("make", table.SHARED.values(), ids=table.SHARED)
@pytest.mark.parametrize("ending", ["keras", "h5", "json"])
def test_a_layer_in_two_models_is_one_layer_again(make, ending, tmp_path):
    model = table.with_numbers(make(cornu))
    x = table.inputs_of(model)
    if ending == "json":
        again = cornu.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
    else:
        model.save(tmp_path / f"m.{ending}")
        again = cornu.models.load_model(tmp_path / f"m.{ending}")
    assert len(again.weights) == len(model.weights)
    assert_same(again, table.outputs_of(model, x), x)
