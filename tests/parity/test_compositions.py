"""Models made of models, saved by Keras and opened here, and the other way round."""

import compositions as table
import keras
import numpy as np
import pytest

import cornu

ALL = pytest.mark.parametrize("make", table.COMPOSITIONS.values(), ids=table.COMPOSITIONS)
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")


def assert_same(model, other, x):
    for a, b in zip(table.outputs_of(model, x), table.outputs_of(other, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@ALL
def test_what_keras_saved_opens_and_computes_the_same(make, tmp_path):
    theirs = table.with_numbers(make(keras))
    x = table.inputs_of(theirs)
    for ending in ("keras", "h5"):
        path = str(tmp_path / f"m.{ending}")
        theirs.save(path)
        assert_same(theirs, cornu.models.load_model(path), x)
        report = cornu.models.load_model(path, report=True)
        assert report.loads and {finding.kind for finding in report.findings} <= {"maps"}
    from_json = cornu.models.model_from_json(theirs.to_json())
    from_json.set_weights(theirs.get_weights())
    assert_same(theirs, from_json, x)


@ALL
def test_what_cornu_saved_keras_opens(make, tmp_path):
    ours = table.with_numbers(make(cornu))
    ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    assert_same(ours, theirs, table.inputs_of(theirs))
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
    assert_same(model, again, x)
