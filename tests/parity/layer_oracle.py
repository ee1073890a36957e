"""One comparison of a cornu layer with Keras's: same arguments, weights and inputs in, everything that comes out."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np

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


def make_pair(name, arguments, inputs, seed=0):
    """The layer of both libraries, built for `inputs`, with equal random weights.

    Args:
        name: class name.
        arguments: constructor arguments; a callable makes them from the library's module.
        inputs: tuple of arrays, the positional arguments of a call.
        seed: for the weights.
    """
    pair = []
    for library in (cornu, keras):
        given = arguments(library) if callable(arguments) else arguments
        layer = getattr(library.layers, name)(**{"name": "layer", **given})
        layer.build(*(x.shape for x in inputs))
        pair.append(layer)
    ours, theirs = pair
    numbers = np.random.default_rng(seed)
    values = [0.4 * numbers.standard_normal(v.shape).astype("float32") + 0.3 for v in theirs.weights]
    positive = ("moving_variance", "moving_stddev", "renorm_stddev")
    values = [np.abs(x) + 0.1 if w.name in positive else x for x, w in zip(values, theirs.weights, strict=True)]
    for layer in pair:
        layer.set_weights(values)
    return ours, theirs


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
    return {"outputs": outputs, "state": state, "gradients": gradients}


def _weights(x):
    return jnp.cos(jnp.arange(x.size, dtype="float32")).reshape(x.shape)


def symbolic_shapes(layer, library, inputs, batch=None, **call):
    """Output shapes for symbolic inputs whose batch size is unknown."""
    given = [library.Input((*x.shape[1:],), batch_size=batch, dtype=str(x.dtype)) for x in inputs]
    outputs = layer(*given, **call)
    return [tuple(x.shape) for x in jax.tree_util.tree_leaves(outputs)]


def check(name, arguments, inputs, tolerance=2e-5, symbolic=True, config=True, **call):
    """Assert that both layers agree on everything; returns them."""
    ours, theirs = make_pair(name, arguments, inputs)
    assert describe_weights(ours) == describe_weights(theirs)
    if config:
        assert plain(ours.get_config()) == plain(theirs.get_config())
        again = type(ours).from_config(ours.get_config())
        assert unbuilt(plain(again.get_config())) == unbuilt(plain(ours.get_config()))
    mine, wanted = pure_results(ours, inputs, **call), pure_results(theirs, inputs, **call)
    for key, result in wanted.items():
        left, right = jax.tree_util.tree_leaves(mine[key]), jax.tree_util.tree_leaves(result)
        assert len(left) == len(right), key
        for a, b in zip(left, right, strict=True):
            a, b = np.asarray(a, "float32"), np.asarray(b, "float32")
            scale = max(1.0, np.abs(b).max() if b.size else 0)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=key)
    if "regularizer" in str(arguments) or "dtype" in str(arguments):
        compare_eagerly(ours, theirs, inputs, 10 * tolerance, **call)
    if symbolic:
        plain_call = {k: v for k, v in call.items() if not hasattr(v, "shape") and k != "mask"}
        for shape, wanted in zip(
            symbolic_shapes(ours, cornu, inputs, **plain_call),
            symbolic_shapes(theirs, keras, inputs, **plain_call),
            strict=True,
        ):  # Keras does not know some sizes that cornu does
            assert len(shape) == len(wanted)
            assert all(b is None or a == b for a, b in zip(shape, wanted, strict=True)), (shape, wanted)
    return ours, theirs


def compare_eagerly(ours, theirs, inputs, tolerance, **call):
    """Assert that an ordinary call gives outputs of equal dtypes and equal losses: pure calls of Keras give neither."""
    dtypes, losses = [], []
    for layer in (ours, theirs):
        dtypes.append([str(y.dtype) for y in jax.tree_util.tree_leaves(layer(*inputs, **call))])
        losses.append(sum((float(x) for x in layer.losses), 0.0))
    assert dtypes[0] == dtypes[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=tolerance, atol=1e-6)
