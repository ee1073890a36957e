"""Models of every way of composing layers, beside Keras's: outputs, weights, tables, configs and files, both ways."""

import json

import keras
import numpy as np
import pytest
from model_zoo import INPUTS, MODELS, make, pair

import cornu
from cornu import tree


@pytest.fixture(scope="module", params=MODELS, ids=lambda build: build.__name__)
def case(request):
    """(how it is made, cornu's model, Keras's model, inputs, outputs), the weights equal."""
    ours, theirs = pair(request.param)
    inputs = INPUTS[request.param]
    return request.param, ours, theirs, inputs, ours.predict(inputs, verbose=0)


def near(ours, theirs, half=False):
    tolerance = 2e-2 if half else 1e-5
    ours, theirs = (tree.flatten(x) for x in (ours, theirs))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(a, "float32"), np.asarray(b, "float32"), rtol=tolerance, atol=tolerance)


def is_half(build):
    return build.__name__ == "mixed_policy"


def test_outputs(case):
    build, _, theirs, inputs, outputs = case
    near(outputs, theirs.predict(inputs, verbose=0), is_half(build))


def test_weights_have_the_order_the_paths_and_the_flags_of_keras(case):
    _, ours, theirs, _, _ = case
    described = [[(v.path, tuple(v.shape), v.dtype) for v in model.weights] for model in (ours, theirs)]
    assert described[0] == described[1]
    trained = [[v.path for v in model.trainable_weights] for model in (ours, theirs)]
    assert trained[0] == trained[1]
    assert ours.count_params() == theirs.count_params()
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]


@pytest.mark.parametrize("options", [{}, {"expand_nested": True, "show_trainable": True}], ids=["plain", "expanded"])
def test_summary_is_that_of_keras(case, options):
    build, ours, theirs, _, _ = case
    texts = [[], []]
    for model, text in zip((ours, theirs), texts, strict=True):
        model.summary(print_fn=text.append, **options)
    if build.__name__ == "keyword_tensors":  # Keras shows scores of 5 queries for 5 sources, where there are 3
        assert any("3)]" in line for line in texts[0][0].splitlines())
        texts = [[text.replace("3)]", "5)]") for text in text_list] for text_list in texts]
    assert texts[0] == texts[1]


def test_config_of_cornu_is_read_by_keras(case):
    build, ours, _, inputs, outputs = case
    read = keras.models.model_from_json(ours.to_json())
    if not read.built:
        read(inputs)
    read.set_weights(ours.get_weights())
    near(outputs, read.predict(inputs, verbose=0), is_half(build))


def test_config_of_keras_is_read_by_cornu(case):
    build, _, theirs, inputs, outputs = case
    read = cornu.models.model_from_json(theirs.to_json())
    if not read.built:
        read(inputs)
    read.set_weights(theirs.get_weights())
    near(read.predict(inputs, verbose=0), outputs, is_half(build))


def test_files_go_both_ways(case, tmp_path):
    build, ours, theirs, inputs, outputs = case
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    near(outputs, keras.models.load_model(tmp_path / "ours.keras").predict(inputs, verbose=0), is_half(build))
    near(cornu.models.load_model(tmp_path / "theirs.keras").predict(inputs, verbose=0), outputs, is_half(build))
    ours.save_weights(tmp_path / "ours.weights.h5")
    fresh = make(build, keras)
    fresh.load_weights(tmp_path / "ours.weights.h5")
    for a, b in zip(fresh.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_clone_has_the_same_layers_and_weights_of_its_own(case):
    build, ours, _, inputs, outputs = case
    copy = cornu.models.clone_model(ours)
    if not copy.built:
        copy(inputs)
    copy.set_weights(ours.get_weights())
    near(copy.predict(inputs, verbose=0), outputs, is_half(build))
    assert not {id(v) for v in copy.weights} & {id(v) for v in ours.weights}
    assert json.loads(copy.to_json())["class_name"] == json.loads(ours.to_json())["class_name"]
