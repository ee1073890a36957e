"""The convolution layers and operations against Keras: same weights in; outputs, gradients, configs, paths compared."""

import functools
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import cornu

RNG = np.random.default_rng(0)
SPACES = {1: (9,), 2: (7, 8), 3: (5, 4, 6)}
CHANNELS = 4
QUICKLY = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": "True",
}  # each program runs once


def example(rank, data_format="channels_last", channels=CHANNELS):
    x = RNG.normal(size=(2, *SPACES[rank], channels)).astype("float32")
    return np.moveaxis(x, -1, 1) if data_format == "channels_first" else x


def matching(name, shape, config):
    """The same layer from Keras and from cornu, with equal weights."""
    roles = {"D": ("depthwise",), "S": ("depthwise", "pointwise")}.get(name[0], ("kernel",))
    config = config | {f"{role}_initializer": "zeros" for role in roles}  # Keras draws slowly, and it is overwritten
    theirs, ours = getattr(keras.layers, name)(**config), getattr(cornu.layers, name)(**config)
    theirs.build(shape)
    ours.build(shape)
    equalise(theirs, ours)
    return theirs, ours


def equalise(theirs, ours):
    """Give both layers the same weights, by name."""
    own = {w.name: w for w in ours.weights}
    assert {n: (tuple(w.shape), w.trainable) for n, w in own.items()} == {
        w.name: (tuple(w.shape), w.trainable) for w in theirs.weights
    }
    for weight in theirs.weights:
        value = 0.5 * RNG.normal(size=weight.shape).astype("float32")
        weight.assign(value)
        own[weight.name].assign(value)


def run(layer, x):
    """(output, gradients of a weighted sum of it with respect to weights and input)."""
    rest = [jnp.asarray(v.value) for v in layer.non_trainable_variables]
    weights = [jnp.asarray(v.value) for v in layer.trainable_variables]

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def both(weights, x):
        def loss(weights, x):
            y, _ = layer.stateless_call(weights, rest, x)
            return jnp.sum(jnp.sin(1.0 + y.astype("float32"))), y

        return jax.grad(loss, (0, 1), has_aux=True)(weights, x)

    gradients, y = both(weights, jnp.asarray(x))
    return [y, *jax.tree.leaves(gradients)]


def agree(found, wanted, tolerance=2e-5):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(np.float32(a), np.float32(b), rtol=tolerance, atol=tolerance * 5)


LAST, FIRST = "channels_last", "channels_first"

# layer, rank, arguments
LAYERS = [
    ("Conv1D", 1, {"filters": 5, "kernel_size": 3}),
    (
        "Conv1D",
        1,
        {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "activation": "tanh"},
    ),
    ("Conv1D", 1, {"filters": 4, "kernel_size": 4, "padding": "causal", "strides": 2, "groups": 2}),
    ("Conv1D", 1, {"filters": 5, "kernel_size": (4,), "padding": "same", "strides": (3,), "use_bias": False}),
    ("Conv2D", 2, {"filters": 5, "kernel_size": 3}),
    (
        "Conv2D",
        2,
        {"filters": 5, "kernel_size": (3, 2), "strides": (2, 3), "padding": "same", "activation": "relu"},
    ),
    ("Conv2D", 2, {"filters": 6, "kernel_size": 3, "groups": 2, "dilation_rate": (1, 2), "padding": "same"}),
    ("Conv2D", 2, {"filters": 8, "kernel_size": 3, "groups": 4}),
    ("Conv2D", 2, {"filters": 5, "kernel_size": 1, "strides": 2}),
    ("Conv2D", 2, {"filters": 5, "kernel_size": 3, "lora_rank": 2, "lora_alpha": 3}),
    ("Conv3D", 3, {"filters": 3, "kernel_size": (2, 3, 2), "strides": (1, 1, 2), "padding": "same"}),
    ("Conv3D", 3, {"filters": 4, "kernel_size": 2, "dilation_rate": 2, "groups": 2}),
    ("Conv1DTranspose", 1, {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv1DTranspose", 1, {"filters": 5, "kernel_size": 4, "strides": 3, "output_padding": 1}),
    ("Conv2DTranspose", 2, {"filters": 5, "kernel_size": 3}),
    ("Conv2DTranspose", 2, {"filters": 5, "kernel_size": (2, 3), "strides": (3, 2), "activation": "relu"}),
    (
        "Conv2DTranspose",
        2,
        {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (1, 0)},
    ),
    ("Conv2DTranspose", 2, {"filters": 5, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
    ("Conv3DTranspose", 3, {"filters": 3, "kernel_size": 2, "strides": 2, "use_bias": False}),
    ("DepthwiseConv1D", 1, {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": "same"}),
    ("DepthwiseConv2D", 2, {"kernel_size": 3, "depth_multiplier": 2}),
    ("DepthwiseConv2D", 2, {"kernel_size": (3, 2), "strides": 2, "padding": "same", "activation": "relu"}),
    ("DepthwiseConv2D", 2, {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "use_bias": False}),
    ("SeparableConv1D", 1, {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("SeparableConv2D", 2, {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "activation": "relu"}),
    (
        "SeparableConv2D",
        2,
        {"filters": 5, "kernel_size": 2, "dilation_rate": 2, "padding": "same", "use_bias": False},
    ),
]
CASES = [(*case, LAST) for case in LAYERS] + [(*case, FIRST) for case in LAYERS[1::8]]


@pytest.mark.parametrize(("name", "rank", "config", "data_format"), CASES, ids=str)
def test_layer(name, rank, config, data_format):
    x = example(rank, data_format)
    theirs, ours = matching(name, x.shape, {**config, "data_format": data_format})
    agree(run(ours, x), run(theirs, x))


@pytest.mark.parametrize(("name", "rank", "config"), LAYERS, ids=str)
def test_config(name, rank, config):
    options = {
        "name": "some",
        "bias_regularizer": "l2",
        "bias_initializer": "ones",
        "bias_constraint": "non_neg",
        "activity_regularizer": "l2",
    }
    theirs = getattr(keras.layers, name)(**config, **options)
    ours = getattr(cornu.layers, name)(**config, **options)
    assert ours.get_config() == theirs.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    assert type(theirs).from_config(ours.get_config()).get_config() == theirs.get_config()


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
def test_default_names_and_paths(name):
    config = {"kernel_size": 3} | ({} if name == "DepthwiseConv2D" else {"filters": 2})
    theirs, ours = getattr(keras.layers, name)(**config), getattr(cornu.layers, name)(**config)
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")
    for layer in (theirs, ours):
        layer.build((None, 8, 8, 3))
    assert [w.path.split("/")[1:] for w in ours.weights] == [w.path.split("/")[1:] for w in theirs.weights]


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "SeparableConv2D"])
def test_penalties_and_activity(name):
    roles = ("depthwise", "pointwise") if name == "SeparableConv2D" else ("kernel",)
    options = {f"{role}_regularizer": "l2" for role in roles} | {"activity_regularizer": "l1"}
    x = example(2)
    theirs, ours = matching(name, x.shape, dict(filters=3, kernel_size=2, **options))
    theirs(x), ours(x)
    assert len(theirs.losses) == len(ours.losses)
    np.testing.assert_allclose(sorted(map(float, ours.losses)), sorted(map(float, theirs.losses)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "policy"),
    [("Conv2D", "mixed_bfloat16"), ("DepthwiseConv2D", "mixed_float16"), ("Conv2DTranspose", "float16")],
)
def test_half_precision(name, policy):
    """Against Keras's output; gradients against Keras's in float32, since Keras has none here for two of the layers."""
    config = {"kernel_size": 3} | ({} if name == "DepthwiseConv2D" else {"filters": 3})
    x = example(2)
    theirs, ours = matching(name, x.shape, config | {"dtype": policy})
    wide, _ = matching(name, x.shape, config)
    for weight, value in zip(wide.weights, theirs.get_weights(), strict=True):
        weight.assign(value.astype("float32"))
    found, wanted = run(ours, x), run(wide, x)
    assert found[0].dtype == theirs(x).dtype
    assert [a.dtype for a in found[1:-1]] == [w.dtype for w in theirs.weights]
    for a, b in zip([ours(x), *found], [theirs(x), *wanted], strict=True):
        np.testing.assert_allclose(np.float32(a), np.float32(b), rtol=0.03, atol=0.03 * np.abs(np.float32(b)).max())


@pytest.mark.parametrize(("name", "rank", "config"), LAYERS[::5], ids=str)
def test_symbolic_shapes(name, rank, config):
    for space in (SPACES[rank], (None,) * rank):
        theirs = getattr(keras.layers, name)(**config)(keras.Input((*space, CHANNELS)))
        ours = getattr(cornu.layers, name)(**config)(cornu.Input((*space, CHANNELS)))
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)


TRANSPOSED = list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2), (None, 0, 1, 2), ("valid", "same")))


def test_operation_conv_transpose():
    """Every seventeenth combination of kernel size, stride, dilation, output padding and padding."""
    x = RNG.normal(size=(1, 4, 2)).astype("float32")
    for size, stride, dilation, extra, padding in TRANSPOSED[::17]:
        kernel = RNG.normal(size=(size, 3, 2)).astype("float32")
        options = {"strides": stride, "padding": padding, "output_padding": extra, "dilation_rate": dilation}
        wanted = keras.ops.conv_transpose(x, kernel, **options)
        agree([cornu.ops.conv_transpose(x, kernel, **options)], [wanted])


@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_operations(data_format):
    x = example(2, data_format)
    kernel, grouped = RNG.normal(size=(3, 2, 4, 6)), RNG.normal(size=(3, 2, 2, 6))
    deep, point = RNG.normal(size=(3, 2, 4, 2)), RNG.normal(size=(1, 1, 8, 5))
    calls = {
        "conv": [(x, kernel), (x, grouped)],
        "depthwise_conv": [(x, deep)],
        "separable_conv": [(x, deep, point)],
        "conv_transpose": [(x, RNG.normal(size=(3, 2, 5, 4)))],
    }
    for name, arguments in calls.items():
        for args in arguments:
            args = [a.astype("float32") for a in args]
            options = {"strides": 2, "padding": "same", "data_format": data_format}
            wanted = getattr(keras.ops, name)(*args, **options)
            agree([getattr(cornu.ops, name)(*args, **options)], [wanted])


def test_operations_promote_types():
    whole, kernel = np.arange(16).reshape(1, 4, 4, 1), np.ones((2, 2, 1, 1), "float32")
    for args in [
        (whole, kernel),
        (whole, kernel.astype("int32")),
        (kernel.reshape(1, 2, 2, 1).astype("float16"), kernel),
    ]:
        wanted, found = keras.ops.conv(*args), cornu.ops.conv(*args)
        agree([found], [wanted])


def test_low_rank_adaptation():
    """Enabled on a built layer: the same weights, trainable parts, sum and saved form."""
    x = example(2)
    theirs, ours = matching("Conv2D", x.shape, {"filters": 3, "kernel_size": 2})
    for layer in (theirs, ours):
        layer.enable_lora(2, lora_alpha=5)
    equalise(theirs, ours)
    assert {w.name for w in ours.trainable_weights} == {w.name for w in theirs.trainable_weights}
    np.testing.assert_allclose(ours.kernel, theirs.kernel, rtol=1e-5, atol=1e-5)
    agree(run(ours, x), run(theirs, x))
    assert ours.get_config().keys() == theirs.get_config().keys()
    stores = ({}, {})
    for layer, store in zip((theirs, ours), stores, strict=True):
        layer.save_own_variables(store)
    for key, value in stores[0].items():
        np.testing.assert_allclose(np.asarray(stores[1][key]), np.asarray(value), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Conv2D", {"filters": 0, "kernel_size": 3}),
        ("Conv2D", {"filters": 3, "kernel_size": 0}),
        ("Conv2D", {"filters": 3, "kernel_size": (3, 3, 3)}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 0}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "full"}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "causal"}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "groups": 0}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "groups": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "dilation_rate": 2}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "data_format": "channels_middle"}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "quantization_config": {}}),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "dilation_rate": 2}),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 2}),
        ("DepthwiseConv1D", {"kernel_size": 3, "padding": "causal"}),
        ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "padding": "causal"}),
    ],
    ids=str,
)
def test_what_keras_refuses_is_refused(name, config):
    with pytest.raises(ValueError):
        getattr(keras.layers, name)(**config)
    with pytest.raises(ValueError, match=name):
        getattr(cornu.layers, name)(**config)
