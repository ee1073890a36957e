"""One comparison of a cornu layer with Keras's: same arguments, weights and inputs in, everything that comes out."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
from oracle import both

import cornu


def plain(config):
    """A config as a file would hold it, its numbers in the six digits of a 32-bit float."""
    text = json.dumps(config, default=lambda x: list(x) if hasattr(x, "__iter__") else str(x))
    return json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}"))


def unbuilt(config):
    """A config without the shapes that inner layers were built with."""
    if isinstance(config, dict):
        return {key: unbuilt(value) for key, value in config.items() if key != "build_config"}
    return config


def built(library, name, arguments, inputs, seed=0):
    """The layer of that library, built for `inputs`, with random weights that are the same in both libraries.

    Args:
        library: `cornu` or `keras`.
        name: class name.
        arguments: constructor arguments; a callable makes them from the library's module.
        inputs: tuple of arrays, the positional arguments of a call.
        seed: for the weights.
    """
    given = arguments(library) if callable(arguments) else arguments
    layer = getattr(library.layers, name)(**{"name": "layer", **given})
    layer.build(*(x.shape for x in inputs))
    numbers = np.random.default_rng(seed)
    values = [0.4 * numbers.standard_normal(v.shape).astype("float32") + 0.3 for v in layer.weights]
    positive = ("moving_variance", "moving_stddev", "renorm_stddev")
    values = [np.abs(x) + 0.1 if w.name in positive else x for x, w in zip(values, layer.weights, strict=True)]
    layer.set_weights(values)
    return layer


def describe_weights(layer):
    """Path, shape, dtype and trainability of each weight."""
    trainable = {id(v) for v in layer.trainable_weights}
    return [(v.path, tuple(v.shape), str(v.dtype), id(v) in trainable) for v in layer.weights]


def pure_results(layer, inputs, **call):
    """Outputs, new non-trainable values and gradients, all from one pure call."""
    floats = [i for i, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]

    def total(trainable, given, state):
        args = list(inputs)
        for i, x in zip(floats, given, strict=True):
            args[i] = x
        outputs, state = layer.stateless_call(trainable, state, *args, **call)
        flat = jax.tree_util.tree_leaves(outputs)
        return sum(jnp.sum(x.astype("float32") * _weights(x)) for x in flat), (flat, state)

    run = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
    trainable = [v.value for v in layer.trainable_variables]
    state = [v.value for v in layer.non_trainable_variables]
    gradients, (outputs, state) = run(trainable, [jnp.asarray(inputs[i]) for i in floats], state)
    return {"outputs": outputs, "state": state, "gradients": jax.tree_util.tree_leaves(gradients)}


def _weights(x):
    return jnp.cos(jnp.arange(x.size, dtype="float32")).reshape(x.shape)


def symbolic_shapes(layer, library, inputs, batch=None, **call):
    """Output shapes for symbolic inputs whose batch size is unknown."""
    given = [library.Input((*x.shape[1:],), batch_size=batch, dtype=str(x.dtype)) for x in inputs]
    outputs = layer(*given, **call)
    return [tuple(x.shape) for x in jax.tree_util.tree_leaves(outputs)]


def check(name, arguments, inputs, tolerance=2e-5, symbolic=True, config=True, state=True, **call):
    """Assert that the layers of both libraries agree on everything; not on values of seeds, with `state=False`."""
    eagerly = "regularizer" in str(arguments) or "dtype" in str(arguments)
    plain_call = {k: v for k, v in call.items() if not hasattr(v, "shape") and k != "mask"}

    def question(library):
        layer = built(library, name, arguments, inputs)
        return {
            "weights": describe_weights(layer),
            "config": plain(layer.get_config()) if config else None,
            "results": pure_results(layer, inputs, **call),
            "eagerly": eager_results(layer, inputs, **call) if eagerly else None,
            "shapes": symbolic_shapes(layer, library, inputs, **plain_call) if symbolic else [],
        }

    ours, theirs = both(question)
    assert ours["weights"] == theirs["weights"]
    if config:
        assert ours["config"] == theirs["config"]
        layer = built(cornu, name, arguments, inputs)
        again = type(layer).from_config(layer.get_config())
        assert unbuilt(plain(again.get_config())) == unbuilt(ours["config"])
    compared = {key: theirs["results"][key] for key in ("outputs", "gradients", *(["state"] if state else []))}
    for key, wanted in compared.items():
        assert len(ours["results"][key]) == len(wanted), key
        for a, b in zip(ours["results"][key], wanted, strict=True):
            a, b = np.asarray(a, "float32"), np.asarray(b, "float32")
            scale = max(1.0, np.abs(b).max() if b.size else 0)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=key)
    if eagerly:
        (dtypes, losses), (wanted_dtypes, wanted_losses) = ours["eagerly"], theirs["eagerly"]
        assert dtypes == wanted_dtypes
        np.testing.assert_allclose(losses, wanted_losses, rtol=10 * tolerance, atol=1e-6)
    for shape, wanted in zip(ours["shapes"], theirs["shapes"], strict=True):
        assert len(shape) == len(wanted)  # Keras does not know some sizes that cornu does
        assert all(b is None or a == b for a, b in zip(shape, wanted, strict=True)), (shape, wanted)


def eager_results(layer, inputs, **call):
    """Dtypes of an ordinary call's outputs, and the sum of its losses: pure calls of Keras give neither."""
    dtypes = [str(y.dtype) for y in jax.tree_util.tree_leaves(layer(*inputs, **call))]
    return dtypes, sum((float(x) for x in layer.losses), 0.0)


def agree(question, tolerance):
    """Assert that cornu answers as Keras does, number by number, in equal dtypes."""
    ours, theirs = both(question)
    ours, theirs = (jax.tree_util.tree_leaves(x) for x in (ours, theirs))
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        a, b = a.astype("float32"), b.astype("float32")
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max(initial=0)))


def take_the_same_masks(library, monkeypatch):
    """Let dropout in that library, or the one that a module is of, take masks that are the same in both libraries."""
    ours = library.__name__.startswith("cornu")
    monkeypatch.setattr(cornu.random if ours else sys.modules["keras.src.backend.jax.random"], "dropout", _mask)


def _mask(inputs, rate, noise_shape=None, seed=None):
    count = seed.state.value[1]
    seed.next()
    keep = (jnp.arange(inputs.size).reshape(inputs.shape) * 7 + jnp.asarray(count).astype(int)) % 3 > 0
    return jnp.where(keep, inputs / (1 - rate), 0.0).astype(inputs.dtype)
