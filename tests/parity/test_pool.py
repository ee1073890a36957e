"""The pooling layers and operations against Keras: outputs, gradients (ties too), masks, configs, shapes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu

RNG = np.random.default_rng(0)
SPACES = {1: (9,), 2: (7, 8), 3: (5, 4, 6)}
QUICKLY = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": "True",
}  # each program runs once
LAST, FIRST = "channels_last", "channels_first"


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def example(rank, data_format=LAST):
    """Non-negative, with many zeros: after a relu maxima tie all the time."""
    x = np.maximum(RNG.normal(size=(2, *SPACES[rank], 3)), 0).astype("float32")
    return np.moveaxis(x, -1, 1) if data_format == FIRST else x


def run(fn, x):
    """(output, gradient of a weighted sum of it)."""

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def both(x):
        def loss(x):
            y = fn(x)
            return jnp.sum(jnp.sin(1.0 + y.astype("float32"))), y

        return jax.grad(loss, has_aux=True)(x)

    gradient, y = both(jnp.asarray(x))
    return [y, gradient]


def agree(found, wanted, tolerance=1e-6):
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(np.float32(a), np.float32(b), rtol=1e-5, atol=tolerance)


WINDOWS = [
    (1, {"pool_size": 2}),
    (1, {"pool_size": 3, "strides": 2, "padding": "same"}),
    (2, {"pool_size": 2}),
    (2, {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}),
    (2, {"pool_size": 3, "strides": 1, "padding": "same"}),
    (2, {"pool_size": 2, "strides": 3}),
    (3, {"pool_size": 2}),
    (3, {"pool_size": (2, 1, 3), "strides": (1, 2, 2), "padding": "same"}),
]
CASES = [
    (f"{kind}Pooling{rank}D", rank, {**config, "data_format": data_format})
    for kind in ("Max", "Average")
    for rank, config in WINDOWS
    for data_format in (LAST, FIRST)
    if data_format == LAST or config == WINDOWS[1][1]
] + [
    (f"Global{kind}Pooling{rank}D", rank, {"data_format": data_format, "keepdims": data_format == FIRST})
    for kind in ("Max", "Average")
    for rank, data_format in ((1, LAST), (2, FIRST), (3, LAST))
]


@pytest.mark.parametrize(("name", "rank", "config"), CASES, ids=str)
def test_layer(name, rank, config):
    x = example(rank, config["data_format"])

    def question(library):
        library.utils.clear_session(free_memory=False)
        layer = getattr(library.layers, name)(**config)
        return run(layer, x), layer.get_config()

    (ours, our_config), (theirs, their_config) = both(question)
    agree(ours, theirs)
    assert our_config == their_config
    assert getattr(cornu.layers, name).from_config(their_config).get_config() == our_config


@pytest.mark.parametrize("name", ["AdaptiveAveragePooling", "AdaptiveMaxPooling"])
@pytest.mark.parametrize(("rank", "size"), [(1, 12), (2, (3, 5)), (3, 2)])
def test_adaptive_layer(name, rank, size):
    for data_format in (LAST, FIRST) if rank == 1 else (LAST,):
        x = RNG.normal(size=example(rank, data_format).shape).astype("float32")
        config = {"output_size": size, "data_format": data_format, "name": "a"}

        def question(library, x=x, config=config):
            layer = getattr(library.layers, f"{name}{rank}D")(**config)
            return run(layer, x), layer.get_config()

        (ours, our_config), (theirs, their_config) = both(question)
        agree(ours, theirs)
        assert our_config == their_config


def test_means_of_masked_sequences():
    x = RNG.normal(size=(2, 4, 3)).astype("float32")
    mask = np.array([[1, 1, 0, 0], [1, 0, 1, 1]], bool)

    def question(library):
        means = []
        for data_format, keepdims in ((LAST, False), (LAST, True), (FIRST, False), (FIRST, True)):
            value = x if data_format == LAST else x.transpose(0, 2, 1)
            layer = library.layers.GlobalAveragePooling1D(data_format=data_format, keepdims=keepdims)
            means.append(layer(value, mask=mask))
        padded = library.layers.Masking()(np.pad(x, ((0, 0), (0, 2), (0, 0))))
        return [*means, library.layers.GlobalAveragePooling1D()(padded)]

    agree(*both(question))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"])
def test_half_precision(name, policy):
    config = {"dtype": policy} | ({} if "Global" in name else {"pool_size": 2})
    x = example(2).astype("float16").astype("float32")
    agree(*both(lambda library: run(getattr(library.layers, name)(**config), x)), 0.02)


@pytest.mark.parametrize(("name", "rank", "config"), CASES[::5], ids=str)
def test_symbolic_shapes(name, rank, config):
    def question(library):
        found = []
        for space in (SPACES[rank], (None,) * rank):
            shape = (*space, 3) if config["data_format"] == LAST else (3, *space)
            y = getattr(library.layers, name)(**config)(library.Input(shape))
            found.append((tuple(y.shape), str(y.dtype)))
        return found

    ours, theirs = both(question)
    assert ours == theirs


def test_operations():
    x = example(2)

    def question(library):
        windows = (("valid", (3, 2)), ("same", (1, 2)), ("valid", (3, 3)))
        calls = [(x, (3, 2), strides, padding) for padding, strides in windows]
        fixed = [getattr(library.ops, name)(*args) for args in calls for name in ("max_pool", "average_pool")]
        adaptive = ("adaptive_max_pool", "adaptive_average_pool")
        return [*fixed, *(getattr(library.ops, name)(x, (3, 5)) for name in adaptive)]

    agree(*both(question))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("MaxPooling2D", {"pool_size": 0}),
        ("MaxPooling2D", {"pool_size": (2, 2, 2)}),
        ("AveragePooling2D", {"pool_size": 2, "data_format": "middle"}),
        ("AdaptiveMaxPooling2D", {"output_size": "2"}),
    ],
    ids=str,
)
def test_what_keras_refuses_is_refused(name, config):
    def question(keras):
        try:
            return str(getattr(keras.layers, name)(**config))
        except (ValueError, TypeError):
            return "refused"

    assert ask(question) == "refused"
    with pytest.raises(ValueError, match=name):
        getattr(cornu.layers, name)(**config)
