"""What normalizes gives numbers for zeros, and so does its gradient, in every dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cornu import Input, layers, losses, ops, regularizers
from cornu.metrics.regression import cosine_similarity

NOTHING = np.zeros((2, 3), bool)  # a mask of two rows without steps


def adapted(dtype):
    layer = layers.Normalization(dtype=dtype)
    layer.adapt(np.zeros((3, 4), "float32"))
    return layer


LAYERS = {  # of a dtype
    "BatchNormalization": (lambda d: layers.BatchNormalization(dtype=d), {}),
    "BatchNormalization in training": (lambda d: layers.BatchNormalization(dtype=d), {"training": True}),
    "BatchNormalization without steps": (
        lambda d: layers.BatchNormalization(dtype=d), {"training": True, "mask": NOTHING}
    ),
    "BatchNormalization with renorm": (lambda d: layers.BatchNormalization(renorm=True, dtype=d), {"training": True}),
    "GroupNormalization": (lambda d: layers.GroupNormalization(2, dtype=d), {}),
    "LayerNormalization": (lambda d: layers.LayerNormalization(dtype=d), {}),
    "LayerNormalization of old files": (lambda d: layers.LayerNormalization(rms_scaling=True, dtype=d), {}),
    "Normalization": (adapted, {}),
    "RMSNormalization": (lambda d: layers.RMSNormalization(dtype=d), {}),
    "SpectralNormalization": (
        lambda d: layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros", dtype=d), dtype=d),
        {"training": True},
    ),
    "UnitNormalization": (lambda d: layers.UnitNormalization(dtype=d), {}),
    "Softmax": (lambda d: layers.Softmax(dtype=d), {"mask": np.zeros((2, 3, 4), bool)}),
    "MultiHeadAttention": (
        lambda d: layers.MultiHeadAttention(1, 2, dtype=d),
        {"value": np.zeros((2, 3, 4), "float32"), "attention_mask": NOTHING[:, None]},
    ),
}  # fmt: skip
FUNCTIONS = {
    **{f"ops.normalize of order {n}": lambda x, n=n: ops.normalize(x, order=n) for n in (1, 2, 3)},
    "ops.layer_normalization": ops.layer_normalization,
    "ops.rms_normalization": ops.rms_normalization,
    "Dot": lambda x: layers.Dot(1, normalize=True, dtype=x.dtype.name)([x, x]),
    "losses.cosine_similarity": lambda x: losses.cosine_similarity(x, x),
    "metrics.cosine_similarity": lambda x: cosine_similarity(x, x),
    "OrthogonalRegularizer": lambda x: regularizers.OrthogonalRegularizer()(x[0]),
}
SHAPE = (2, 3, 4)


def test_every_normalization_is_asked():
    assert {n for n in layers.__all__ if n.endswith("Normalization")} <= set(LAYERS)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_zeros_have_finite_values_and_gradients(dtype):
    def asked(function):
        def total(taken):
            values = jax.tree.map(lambda v: v.astype("float32"), function(*taken))
            return sum(map(jnp.sum, jax.tree.leaves(values))), values

        return jax.value_and_grad(total, has_aux=True)

    def of_layer(layer, arguments):
        rest = [v.value for v in layer.non_trainable_variables]
        return lambda trained, x: layer.stateless_call(trained, rest, x, **arguments)

    zeros = jnp.zeros(SHAPE, dtype)
    functions = {name: (asked(function), [zeros]) for name, function in FUNCTIONS.items()}
    for name, (make, arguments) in LAYERS.items():
        layer = make(dtype)
        layer(Input(batch_shape=SHAPE, dtype=dtype), **arguments)
        functions[name] = asked(of_layer(layer, arguments)), [[v.value for v in layer.trainable_variables], zeros]
    found = jax.jit(lambda given: {n: f(given[n]) for n, (f, _) in functions.items()})(
        {n: taken for n, (_, taken) in functions.items()}
    )
    finite = {n: all(np.isfinite(v.astype("float32")).all() for v in jax.tree.leaves(f)) for n, f in found.items()}
    assert [name for name, good in finite.items() if not good] == []
