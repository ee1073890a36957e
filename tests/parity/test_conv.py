"""The convolution layers and operations against Keras: same weights in; outputs, gradients, configs, paths compared."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

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


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def built(library, name, shape, config):
    """The layer of that library, with weights that are the same in both."""
    roles = {"D": ("depthwise",), "S": ("depthwise", "pointwise")}.get(name[0], ("kernel",))
    config = config | {f"{role}_initializer": "zeros" for role in roles}  # Keras draws slowly, and it is overwritten
    layer = getattr(library.layers, name)(**config)
    layer.build(shape)
    fill(layer)
    return layer


def fill(layer):
    """Draw the weights in the order of their names: layers of the libraries may list them in another."""
    draw = np.random.default_rng(1)
    for weight in sorted(layer.weights, key=lambda weight: weight.name):
        weight.assign(0.5 * draw.normal(size=weight.shape).astype("float32"))


def described(layer):
    return {w.name: (tuple(w.shape), w.trainable) for w in layer.weights}


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

    def question(library):
        layer = built(library, name, x.shape, {**config, "data_format": data_format})
        return described(layer), run(layer, x)

    ours, theirs = both(question)
    assert ours[0] == theirs[0]
    agree(ours[1], theirs[1])


@pytest.mark.parametrize(("name", "rank", "config"), LAYERS, ids=str)
def test_config(name, rank, config):
    options = {
        "name": "some",
        "bias_regularizer": "l2",
        "bias_initializer": "ones",
        "bias_constraint": "non_neg",
        "activity_regularizer": "l2",
    }
    ours, theirs = both(lambda library: getattr(library.layers, name)(**config, **options).get_config())
    assert ours == theirs
    assert getattr(cornu.layers, name).from_config(theirs).get_config() == ours


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
def test_default_names_and_paths(name):
    config = {"kernel_size": 3} | ({} if name == "DepthwiseConv2D" else {"filters": 2})

    def question(library):
        library.utils.clear_session(free_memory=False)
        layer = getattr(library.layers, name)(**config)
        layer.build((None, 8, 8, 3))
        return layer.name, [w.path for w in layer.weights]

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "SeparableConv2D"])
def test_penalties_and_activity(name):
    roles = ("depthwise", "pointwise") if name == "SeparableConv2D" else ("kernel",)
    options = {f"{role}_regularizer": "l2" for role in roles} | {"activity_regularizer": "l1"}
    x = example(2)

    def question(library):
        layer = built(library, name, x.shape, dict(filters=3, kernel_size=2, **options))
        layer(x)
        return sorted(map(float, layer.losses))

    ours, theirs = both(question)
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "policy"),
    [("Conv2D", "mixed_bfloat16"), ("DepthwiseConv2D", "mixed_float16"), ("Conv2DTranspose", "float16")],
)
def test_half_precision(name, policy):
    """Against Keras's output; gradients against Keras's in float32, since Keras has none here for two of the layers."""
    config = {"kernel_size": 3} | ({} if name == "DepthwiseConv2D" else {"filters": 3})
    x = example(2)

    def question(keras):
        layer = built(keras, name, x.shape, config | {"dtype": policy})
        wide = built(keras, name, x.shape, config)
        for weight, value in zip(wide.weights, layer.get_weights(), strict=True):
            weight.assign(value.astype("float32"))
        return layer(x), [str(w.dtype) for w in layer.weights], run(wide, x)

    output, dtypes, wanted = ask(question)
    ours = built(cornu, name, x.shape, config | {"dtype": policy})
    found = run(ours, x)
    assert found[0].dtype == output.dtype
    assert [a.dtype for a in found[1:-1]] == dtypes
    for a, b in zip([ours(x), *found], [output, *wanted], strict=True):
        np.testing.assert_allclose(np.float32(a), np.float32(b), rtol=0.03, atol=0.03 * np.abs(np.float32(b)).max())


@pytest.mark.parametrize(("name", "rank", "config"), LAYERS[::5], ids=str)
def test_symbolic_shapes(name, rank, config):
    def question(library):
        layer = lambda: getattr(library.layers, name)(**config)
        outputs = [layer()(library.Input((*space, CHANNELS))) for space in (SPACES[rank], (None,) * rank)]
        return [(tuple(y.shape), str(y.dtype)) for y in outputs]

    ours, theirs = both(question)
    assert ours == theirs


TRANSPOSED = list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2), (None, 0, 1, 2), ("valid", "same")))


def test_operation_conv_transpose():
    """Every seventeenth combination of kernel size, stride, dilation, output padding and padding."""
    x = RNG.normal(size=(1, 4, 2)).astype("float32")
    for size, stride, dilation, extra, padding in TRANSPOSED[::17]:
        kernel = RNG.normal(size=(size, 3, 2)).astype("float32")
        options = {"strides": stride, "padding": padding, "output_padding": extra, "dilation_rate": dilation}
        found, wanted = both(lambda library, k=kernel, o=options: library.ops.conv_transpose(x, k, **o))
        agree([found], [wanted])


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
    options = {"strides": 2, "padding": "same", "data_format": data_format}

    def question(library):
        return [
            getattr(library.ops, name)(*(a.astype("float32") for a in args), **options)
            for name, arguments in calls.items()
            for args in arguments
        ]

    agree(*both(question))


def test_operations_promote_types():
    whole, kernel = np.arange(16).reshape(1, 4, 4, 1), np.ones((2, 2, 1, 1), "float32")
    for args in [
        (whole, kernel),
        (whole, kernel.astype("int32")),
        (kernel.reshape(1, 2, 2, 1).astype("float16"), kernel),
    ]:
        found, wanted = both(lambda library, args=args: library.ops.conv(*args))
        agree([found], [wanted])


def test_low_rank_adaptation():
    """Enabled on a built layer: the same weights, trainable parts, sum and saved form."""
    x = example(2)

    def question(library):
        layer, store = built(library, "Conv2D", x.shape, {"filters": 3, "kernel_size": 2}), {}
        layer.enable_lora(2, lora_alpha=5)
        fill(layer)
        layer.save_own_variables(store)
        return {
            "weights": described(layer),
            "kernel": layer.kernel if hasattr(layer.kernel, "dtype") else layer.kernel.value,
            "results": run(layer, x),
            "config": sorted(layer.get_config()),
            "saved": {key: np.asarray(value) for key, value in store.items()},
        }

    ours, theirs = both(question)
    assert ours["weights"] == theirs["weights"] and ours["config"] == theirs["config"]
    np.testing.assert_allclose(ours["kernel"], theirs["kernel"], rtol=1e-5, atol=1e-5)
    agree(ours["results"], theirs["results"])
    for key, value in theirs["saved"].items():
        np.testing.assert_allclose(ours["saved"][key], value, rtol=1e-5, atol=1e-5)


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
    def question(keras):
        try:
            return str(getattr(keras.layers, name)(**config))
        except ValueError:
            return "refused"

    assert ask(question) == "refused"
    with pytest.raises(ValueError, match=name):
        getattr(cornu.layers, name)(**config)
