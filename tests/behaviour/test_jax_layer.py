"""Models of JAX and Flax are layers: trained, saved, with state and random numbers."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu.layers import FlaxLayer, JaxLayer

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


@cornu.saving.register_keras_serializable("jax_layer_tests")
def linear(params, inputs):
    return inputs @ params["inner"]["w"] + params["b"][0]


@cornu.saving.register_keras_serializable("jax_layer_tests")
def start(rng, inputs):
    return {"inner": {"w": jax.random.normal(rng, (inputs.shape[-1], 2))}, "b": [jnp.zeros(2)]}


def counting(params, state, rng, inputs, training):
    noise = jax.random.normal(rng, inputs.shape) if training else 0.0
    return params * inputs + noise, {"calls": state["calls"] + 1, "mean": inputs.mean(0)}


def start_counting(rng, inputs, training):
    return jnp.ones(inputs.shape[-1]), {"calls": jnp.zeros((), "int32"), "mean": jnp.zeros(inputs.shape[-1])}


def test_a_function_of_jax_trains_as_a_layer():
    layer = JaxLayer(linear, start, seed=1, name="linear")
    model = cornu.Sequential([cornu.Input((3,)), layer])
    assert model.output_shape == (None, 2)
    assert [(v.name, v.shape) for v in layer.trainable_weights] == [
        ("params_b_0", (2,)), ("params_inner_w", (3, 2)),
    ]  # fmt: skip
    np.testing.assert_allclose(model.predict(X, verbose=0), linear(layer.params, X), rtol=1e-5)
    model.compile(cornu.optimizers.SGD(0.1), "mse")
    losses = model.fit(X, X[:, :2], epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_state_and_random_numbers_move_on_in_training():
    layer = JaxLayer(counting, start_counting, seed=1)
    model = cornu.Sequential([cornu.Input((3,)), layer])
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=3, batch_size=8, verbose=0)
    assert layer.state["calls"] == 3
    np.testing.assert_allclose(layer.state["mean"], X.mean(0), rtol=1e-5, atol=1e-6)
    one, other = layer(X, training=True), layer(X, training=True)
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(layer(X), layer(X))


def test_given_parameters_are_the_first_ones():
    values = {"inner": {"w": np.ones((3, 2), "float32")}, "b": [np.zeros(2, "float32")]}
    layer = JaxLayer(linear, params=values)
    assert layer.built
    np.testing.assert_allclose(layer(X), X.sum(1, keepdims=True).repeat(2, 1), rtol=1e-5)
    whole = JaxLayer(lambda params, inputs: inputs * params["f"], params={"f": 2.0, "n": np.arange(3)})
    assert [(v.name, v.trainable) for v in whole.weights] == [("params_f", True), ("params_n", False)]


def test_inputs_may_be_a_dictionary():
    layer = JaxLayer(lambda params, inputs: inputs["a"] * params + inputs["b"], lambda inputs: jnp.ones(3) * 2)
    entry = {"a": cornu.Input((3,)), "b": cornu.Input((3,))}
    model = cornu.Model(entry, layer(entry))
    np.testing.assert_allclose(model.predict({"a": X, "b": X}, verbose=0), 3 * X, rtol=1e-5)


@pytest.mark.parametrize(
    "given", [{"init_fn": start}, {"params": {"inner": {"w": np.ones((3, 2))}, "b": [np.ones(2)]}}]
)
def test_a_model_with_the_layer_is_saved_where_its_functions_are_registered(tmp_path, given):
    model = cornu.Sequential([cornu.Input((3,)), JaxLayer(linear, **given)])
    model.save(tmp_path / "model.keras")
    loaded = cornu.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


@pytest.mark.parametrize(("arguments", "words"), [
    ((linear,), "init_fn, or params and state, must be given"),
    ((lambda p, x: x, start), "call_fn must have arguments named inputs, params"),
    ((lambda params, inputs, width: inputs, start), "and no others. Received: inputs, params, width"),
    ((linear, lambda x: x), "init_fn must have arguments"),
    ((linear, start, None, {"a": 1}), "call_fn has no argument `state`"),
])  # fmt: skip
def test_functions_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        JaxLayer(*arguments)


def test_a_state_must_be_made_and_keep_its_structure():
    with pytest.raises(ValueError, match=r"must return \(params, state\)"):
        JaxLayer(counting, start)(X)
    changing = lambda params, state, inputs: (inputs, {"other": state["n"]})
    with pytest.raises(ValueError, match="the new state must have the structure of the old one"):
        JaxLayer(changing, params=jnp.ones(3), state={"n": jnp.ones(())})(X)


HAS_FLAX = importlib.util.find_spec("flax") is not None


@pytest.mark.skipif(HAS_FLAX, reason="Flax is installed")
def test_without_flax_the_message_says_what_to_install():
    with pytest.raises(ImportError, match="FlaxLayer needs the package 'flax'"):
        FlaxLayer(object())


@pytest.mark.skipif(not HAS_FLAX, reason="Flax is not installed: pip install '.[flax]'")
@pytest.mark.filterwarnings("ignore")
def test_a_module_of_flax_trains_as_a_layer():
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, inputs, training):
            x = linen.Dense(4)(inputs)
            x = linen.BatchNorm(use_running_average=not training)(x)
            x = linen.Dropout(0.5, deterministic=not training)(x)
            return linen.Dense(2)(x)

    layer = FlaxLayer(Net())
    model = cornu.Sequential([cornu.Input((3,)), layer])
    model.compile("sgd", "mse")
    before = model.predict(X, verbose=0)
    model.fit(X, X[:, :2], verbose=0)
    assert len(layer.trainable_weights) == 6
    assert not np.allclose(layer.state["batch_stats"]["BatchNorm_0"]["mean"], 0)
    assert not np.allclose(model.predict(X, verbose=0), before)
    variables = {"params": layer.params, **layer.state}
    expected = Net().apply(variables, X, training=False)
    np.testing.assert_allclose(FlaxLayer(Net(), variables=variables)(X), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
