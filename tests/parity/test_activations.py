"""Activations against Keras: values, gradients, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu
from cornu import activations

POINTS = np.concatenate([np.linspace(-9.1, 9.3, 36), [-1e-3, 1e-3, -40.0, 40.0]])
KINKS = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
X = np.concatenate([POINTS, KINKS]).astype("float32").reshape(6, 8)
WEIGHTS = np.concatenate([np.cos(np.arange(40)), np.zeros(8)]).astype("float32").reshape(6, 8)  # no gradient at kinks

FORMS = [
    ("celu", {}), ("celu", {"alpha": 0.3}), ("elu", {}), ("elu", {"alpha": 2.0}), ("exponential", {}),
    ("gelu", {}), ("gelu", {"approximate": True}), ("hard_shrink", {}), ("hard_shrink", {"threshold": 1.5}),
    ("hard_sigmoid", {}), ("hard_silu", {}), ("hard_swish", {}), ("hard_tanh", {}), ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.05}), ("linear", {}), ("log_sigmoid", {}), ("log_softmax", {}),
    ("log_softmax", {"axis": 0}), ("mish", {}), ("relu", {}), ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 6.0}), ("relu", {"threshold": 1.0}),
    ("relu", {"negative_slope": 0.2, "max_value": 3.0, "threshold": 0.5}), ("relu6", {}), ("selu", {}),
    ("sigmoid", {}), ("silu", {}), ("soft_shrink", {}), ("soft_shrink", {"threshold": 1.5}), ("softmax", {}),
    ("softmax", {"axis": 0}), ("softmax", {"axis": (0, 1)}), ("softplus", {}), ("softsign", {}), ("sparse_plus", {}),
    ("sparse_sigmoid", {}), ("squareplus", {}), ("squareplus", {"b": 1}), ("swish", {}),
    ("tanh", {}), ("tanh_shrink", {}), ("threshold", {"threshold": 0.5, "default_value": -2.0}),
]  # fmt: skip
IDS = [f"{name}-{'-'.join(map(str, kwargs.values()))}" for name, kwargs in FORMS]


def value_and_gradient(function, **kwargs):
    """The function's value at X, and the gradient of its weighted sum."""

    @jax.jit
    def run(x):
        y, back = jax.vjp(lambda x: function(x, **kwargs), x)
        return y, back(jnp.asarray(WEIGHTS))[0]

    return run(jnp.asarray(X))


@pytest.mark.parametrize(("name", "kwargs"), FORMS, ids=IDS)
def test_values_and_gradients(name, kwargs):
    question = lambda library: value_and_gradient(getattr(library.activations, name), **kwargs)
    for mine, wanted in zip(*both(question), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=2e-5, atol=1e-5)  # 1 + tanh


def test_sparsemax_is_the_nearest_probability_vector():
    """Keras 3.15.1's own result does not sum to 1 on most of these rows, so the definition is the judge."""
    p = np.asarray(activations.sparsemax(X))
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-5)
    assert p.min() >= 0
    for row, x in zip(p, X, strict=True):
        shift = (x - row)[row > 0]  # what is subtracted is one number, and no less than any entry that became 0
        np.testing.assert_allclose(shift, shift[0], atol=1e-5)
        assert np.all(x[row == 0] <= shift[0] + 1e-5)


@pytest.mark.parametrize("name", ["relu", "gelu", "mish", "softmax", "exponential"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_keeps_its_type(name, dtype):
    x = jnp.asarray([[-1.0, 0.5, 2.0]], dtype)
    ours, theirs = both(lambda library: getattr(library.activations, name)(x))
    assert ours.dtype == theirs.dtype == dtype
    np.testing.assert_allclose(ours.astype("float32"), theirs.astype("float32"), rtol=1e-2)


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_glu(axis):
    x = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    ours, theirs = both(lambda library: library.activations.glu(x, axis))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_every_name_is_found_and_written_as_in_keras():
    def question(keras):
        names = {n for n in dir(keras.activations) if not n.startswith("_")} - {"get", "serialize", "deserialize"}
        return {name: keras.activations.serialize(keras.activations.get(name)) for name in sorted(names)}

    for name, written in ask(question).items():
        function = activations.get(name)
        assert activations.serialize(function) == written
        assert activations.deserialize(written) is function


@pytest.mark.parametrize(("name", "kwargs"), FORMS, ids=IDS)
def test_symbolic_tensors_lists_and_variables_are_accepted(name, kwargs):
    function = getattr(activations, name)
    x = [[1.0, 2.0], [3.0, -4.0]]
    expected = function(np.array(x, "float32"), **kwargs)
    np.testing.assert_allclose(function(x, **kwargs), expected)
    if name != "linear":
        np.testing.assert_allclose(function(cornu.Variable(x), **kwargs), expected)
    spec = function(cornu.KerasTensor((None, 2)), **kwargs)
    assert spec.shape == (None, 2)
    assert spec.dtype == "float32"


def test_none_is_linear():
    assert activations.get(None) is activations.linear


def test_keras_form_of_a_function_by_name_is_read():
    config = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert activations.get(config) is activations.relu
    assert activations.deserialize(config) is activations.relu


def test_a_layer_may_be_an_activation():
    layer = cornu.layers.LeakyReLU(0.1)
    assert activations.get(layer) is layer
    again = activations.get(cornu.saving.serialize_keras_object(layer))
    assert again.negative_slope == 0.1


def test_own_functions():
    def shifted(x):
        return x + 1

    assert activations.get(shifted) is shifted
    assert activations.deserialize("shifted", custom_objects={"shifted": shifted}) is shifted


@pytest.mark.parametrize("bad", ["rellu", "softmx", 3, 1.5])
def test_unknown_activations_are_refused(bad):
    with pytest.raises(ValueError, match="activation"):
        activations.get(bad)


def test_a_mistyped_name_brings_the_likely_one():
    with pytest.raises(ValueError, match="'relu'"):
        activations.get("rellu")
