"""Every fast form against the plain one: values, both gradients, gradients of gradients, half precision, tracing."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from cornu.kernels import conv, forms, half_precision, platform, pool, window, winograd, xla

LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def draw(*shape, dtype="float32"):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape).astype(jnp.dtype(dtype)))


def reference(x, kernel, strides, padding, dilation, groups):
    if padding == "causal":
        padding = [((k - 1) * d, 0) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    layout = LAYOUTS[len(strides)]
    return lax.conv_general_dilated(
        x, kernel, strides, padding if isinstance(padding, list) else padding.upper(),
        rhs_dilation=dilation, dimension_numbers=layout, feature_group_count=groups,
        precision="highest",
    )  # fmt: skip


# The compiler is told not to try hard: the tests run each program once.
OPTIONS = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": "True"}
compiled = functools.partial(jax.jit, compiler_options=OPTIONS)


def gradients_of(fn, count):
    """A function that gives the gradients, by its arguments, of a sum of `fn` with unequal weights, and the value."""

    def weighted(*args):
        y = fn(*args)
        return jnp.sum(y.astype(jnp.float32) * draw(*y.shape)), y

    return jax.grad(weighted, tuple(range(count)), has_aux=True)


def pulled_back(fn, *args):
    """The value and the gradients of a sum with unequal weights."""
    gradients, y = compiled(gradients_of(fn, len(args)))(*args)
    return [y, *gradients]


def agree(found, wanted, tolerance=2e-5):
    for a, b in zip(found, wanted, strict=True):
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max(initial=0)))


# x shape, kernel shape, strides, dilation, groups
CONVOLUTIONS = [
    ((2, 9, 4), (3, 4, 5), (1,), (1,), 1),
    ((2, 10, 4), (3, 4, 5), (2,), (1,), 1),
    ((2, 10, 4), (4, 4, 5), (3,), (2,), 1),
    ((2, 9, 1), (3, 1, 5), (2,), (2,), 1),
    ((2, 8, 9, 4), (3, 3, 4, 5), (1, 1), (1, 1), 1),
    ((2, 8, 9, 4), (3, 2, 4, 5), (2, 3), (1, 1), 1),
    ((2, 8, 9, 4), (2, 3, 4, 5), (1, 1), (2, 3), 1),
    ((2, 8, 9, 1), (3, 3, 1, 5), (1, 1), (1, 1), 1),  # few products, one channel
    ((2, 8, 9, 3), (3, 3, 3, 5), (2, 1), (1, 1), 1),  # few products
    ((2, 8, 9, 3), (4, 4, 3, 5), (2, 2), (1, 1), 1),  # few channels, many products
    ((2, 8, 9, 4), (1, 1, 4, 5), (1, 1), (1, 1), 1),  # pointwise
    ((2, 8, 9, 4), (1, 1, 4, 5), (2, 3), (1, 1), 1),
    ((2, 8, 9, 6), (1, 1, 6, 3), (1, 1), (1, 1), 1),  # fewer channels come out
    ((2, 8, 9, 6), (3, 3, 2, 6), (1, 2), (1, 1), 3),  # grouped
    ((2, 8, 9, 4), (3, 3, 1, 4), (1, 1), (1, 1), 4),  # depthwise
    ((2, 8, 9, 4), (3, 2, 1, 8), (2, 1), (1, 1), 4),
    ((2, 5, 6, 4, 2), (2, 3, 2, 2, 3), (1, 2, 1), (1, 1, 1), 1),
    ((2, 5, 6, 4, 2), (2, 2, 2, 2, 3), (1, 1, 1), (2, 1, 2), 1),
]


PADDED = [(case, "same") for case in CONVOLUTIONS]
PADDED += [(case, padding) for case, padding in zip(CONVOLUTIONS[::2], itertools.cycle(("valid", "causal")))]


@pytest.mark.parametrize(("case", "padding"), PADDED, ids=str)
def test_convolution(case, padding):
    x_shape, kernel_shape, strides, dilation, groups = case
    x, kernel = draw(*x_shape), draw(*kernel_shape)
    found = pulled_back(lambda x, k: conv.conv(x, k, strides, padding, dilation, groups), x, kernel)
    wanted = pulled_back(lambda x, k: reference(x, k, strides, padding, dilation, groups), x, kernel)
    agree(found, wanted)


def test_plain_convolution():
    """The form of other platforms; its gradients are XLA's own."""
    for (x_shape, kernel_shape, *how), padding in zip(CONVOLUTIONS, itertools.cycle(("valid", "same", "causal"))):
        strides, dilation, groups = how
        x, kernel = draw(*x_shape), draw(*kernel_shape)
        with platform.plain_forms():
            found = compiled(lambda x, k: conv.conv(x, k, strides, padding, dilation, groups))(x, kernel)
        agree([found], [compiled(lambda x, k: reference(x, k, strides, padding, dilation, groups))(x, kernel)])


HALF = [(CONVOLUTIONS[i], "bfloat16") for i in (0, 5, 7, 8, 10, 12, 13)] + [
    (CONVOLUTIONS[i], "float16") for i in (5, 10)
]


@pytest.mark.parametrize(("case", "dtype"), HALF, ids=str)
def test_half_precision_sums_in_float32(case, dtype):
    """Gradients of half-precision numbers are those of the same numbers in float32, rounded once."""
    x_shape, kernel_shape, strides, dilation, groups = case
    x, kernel = draw(*x_shape, dtype=dtype), draw(*kernel_shape, dtype=dtype)
    found = pulled_back(lambda x, k: conv.conv(x, k, strides, "same", dilation, groups), x, kernel)
    assert {str(v.dtype) for v in found} == {dtype}
    wide = (x.astype(jnp.float32), kernel.astype(jnp.float32))
    wanted = pulled_back(lambda x, k: reference(x, k, strides, "same", dilation, groups), *wide)
    agree(found[:1], wanted[:1], jnp.finfo(dtype).eps)
    agree(found[1:], wanted[1:], 2 * jnp.finfo(dtype).eps)  # the gradient that enters is rounded too


def test_long_sums_of_half_precision_keep_their_digits():
    x = np.ones((1, 4, 4, 4096), "float16")
    run = compiled(lambda x, k: conv.conv(x, k, (1, 1)))
    assert (np.asarray(run(x, np.full((1, 1, 4096, 1), 0.25, "float16"))) == 1024).all()
    assert (np.asarray(run(x, np.full((2, 2, 4096, 1), 0.125, "float16"))) == 2048).all()


@pytest.mark.parametrize("index", [5, 7, 11, 14])
def test_second_derivatives(index):
    x_shape, kernel_shape, strides, dilation, groups = CONVOLUTIONS[index]
    x, kernel = draw(*x_shape), draw(*kernel_shape)

    def second(fn):
        def penalty(x, k):
            gx, gk = jax.grad(lambda x, k: jnp.sum(jnp.sin(fn(x, k))), (0, 1))(x, k)
            return jnp.sum(gx**2) + jnp.sum(gk**2)

        return compiled(jax.grad(penalty, (0, 1)))(x, kernel)

    found = second(lambda x, k: conv.conv(x, k, strides, "same", dilation, groups))
    agree(found, second(lambda x, k: reference(x, k, strides, "same", dilation, groups)), 1e-4)


def pairs(first, second, *others):
    """Each of `first` with each of `second`, and these with one of the rest, each in its turn."""
    turns = zip(itertools.product(first, second), *map(itertools.cycle, others))
    return [(*pair, *rest) for pair, *rest in turns]


WINDOWS = [((3, 5), (1, 1), (1, 1)), ((3, 2), (2, 3), (1, 1)), ((7, 3), (1, 1), (2, 1)), ((3, 3), (2, 1), (1, 2))]


@pytest.mark.parametrize(
    ("window", "batch", "padding"), pairs(WINDOWS, [1, 8, 9, 19], ["same", "causal", "same", "causal", "causal"])
)
def test_depthwise_gradients_of_many_images(window, batch, padding):
    """The images are added up a few at a time; there are taps that meet nothing but padding."""
    size, strides, dilation = window
    x, kernel = draw(batch, 4, 7, 3), draw(*size, 1, 3)
    found = pulled_back(lambda x, k: conv.conv(x, k, strides, padding, dilation, 3), x, kernel)
    agree(found, pulled_back(lambda x, k: reference(x, k, strides, padding, dilation, 3), x, kernel))


STRIDED = [((3, 3), (2, 2)), ((2, 2), (3, 3)), ((5, 4), (2, 3)), ((1, 3), (2, 1))]


@pytest.mark.parametrize(
    ("window", "padding", "dtype"), pairs(STRIDED, ["valid", "same", "causal"], ["float32", "bfloat16"])
)
def test_depthwise_gradients_with_strides(window, padding, dtype):
    """Pixels that no place of the window meets, and a rest at the end, get their zeros."""
    size, strides = window
    x, kernel = draw(2, 10, 9, 3, dtype=dtype), draw(*size, 1, 3, dtype=dtype)
    found = pulled_back(lambda x, k: conv.conv(x, k, strides, padding, (1, 1), 3), x, kernel)
    wide = (x.astype(jnp.float32), kernel.astype(jnp.float32))
    wanted = pulled_back(lambda x, k: reference(x, k, strides, padding, (1, 1), 3), *wide)
    agree(found, wanted, 2e-5 if dtype == "float32" else 2 * jnp.finfo(dtype).eps)


TRANSPOSES = list(itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2), (None, 0, 1, 2), ("valid", "same")))


@pytest.mark.parametrize(("size", "stride", "dilation", "extra", "padding"), TRANSPOSES[::17])
def test_transposed_convolution(size, stride, dilation, extra, padding):
    """Against the definition: every pixel stamps the kernel; the plain form and both gradients agree."""
    x, kernel = draw(2, 5, 3), draw(size, 4, 3)
    output_padding = None if extra is None else (extra,)
    args = ((stride,), padding, output_padding, (dilation,))
    found = pulled_back(lambda x, k: conv.conv_transpose(x, k, *args), x, kernel)

    extent = (size - 1) * dilation + 1
    full = 4 * stride + extent

    def stamped(x, k):
        y = jnp.zeros((2, full, 4))
        for n, i in itertools.product(range(5), range(size)):
            y = y.at[:, n * stride + i * dilation].add(x[:, n] @ k[i].T)
        length = found[0].shape[1]
        start = max(full - length, 0) // 2 if padding == "same" else 0
        return jnp.pad(y, ((0, 0), (0, max(length - full, 0)), (0, 0)))[:, start : start + length]

    agree(found, pulled_back(stamped, x, kernel))
    with platform.plain_forms():
        agree([compiled(lambda x, k: conv.conv_transpose(x, k, *args))(x, kernel)], found[:1])


def test_transposed_convolution_of_images():
    x, kernel = draw(2, 4, 5, 3), draw(3, 2, 6, 3)
    args = ((2, 3), "same", None, (1, 1))
    found = pulled_back(lambda x, k: conv.conv_transpose(x, k, *args), x, kernel)
    with platform.plain_forms():
        agree(found, pulled_back(lambda x, k: conv.conv_transpose(x, k, *args), x, kernel))
    pointwise = draw(1, 1, 6, 3)
    found = pulled_back(lambda x, k: conv.conv_transpose(x, k, *args), x, pointwise)
    with platform.plain_forms():
        agree(found, pulled_back(lambda x, k: conv.conv_transpose(x, k, *args), x, pointwise))


# x shape, size, strides
POOLS = [
    ((2, 9, 3), (2,), (2,)),
    ((2, 9, 3), (3,), (1,)),
    ((2, 8, 9, 3), (2, 2), (2, 2)),
    ((2, 8, 9, 3), (3, 3), (2, 2)),
    ((2, 8, 9, 3), (2, 3), (3, 1)),
    ((2, 5, 6, 4, 2), (2, 2, 2), (2, 2, 2)),
    ((2, 12, 12, 2), (9, 9), (2, 2)),  # more taps than the fast form takes
]


PADDED_POOLS = [(case, "valid") for case in POOLS[::2]] + [(case, "same") for case in POOLS]


def max_reference(x, size, strides, padding):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, *size, 1), (1, *strides, 1), padding.upper())


def average_reference(x, size, strides, padding):
    window = ((1, *size, 1), (1, *strides, 1), padding.upper())
    total = lax.reduce_window(x, 0.0, lax.add, *window)
    return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, *window)


@pytest.mark.parametrize(("case", "padding"), PADDED_POOLS, ids=str)
def test_max_pool(case, padding):
    shape, size, strides = case
    relu = jnp.maximum(jnp.round(draw(*shape)), 0)  # full of ties
    x = jnp.concatenate([draw(*shape), relu, jnp.full(shape, -1.0)])
    found = pulled_back(lambda x: pool.max_pool(x, size, strides, padding), x)
    agree(found, pulled_back(lambda x: max_reference(x, size, strides, padding), x), 1e-6)


@pytest.mark.parametrize(("case", "padding"), PADDED_POOLS, ids=str)
def test_average_pool(case, padding):
    shape, size, strides = case
    x = draw(*shape)
    found = pulled_back(lambda x: pool.average_pool(x, size, strides, padding), x)
    agree(found, pulled_back(lambda x: average_reference(x, size, strides, padding), x))
    with platform.plain_forms():
        agree([compiled(lambda x: pool.average_pool(x, size, strides, padding))(x)], found[:1])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_pools_in_half_precision(dtype):
    x = draw(2, 8, 9, 3, dtype=dtype)
    for fn, plain in ((pool.max_pool, max_reference), (pool.average_pool, average_reference)):
        found = pulled_back(lambda x, fn=fn: fn(x, (3, 2), (2, 2), "same"), x)
        assert {str(v.dtype) for v in found} == {dtype}
        wanted = pulled_back(lambda x, plain=plain: plain(x, (3, 2), (2, 2), "same"), x.astype(jnp.float32))
        agree(found, wanted, 4 * jnp.finfo(dtype).eps)


def test_not_a_number_stays_visible():
    x = draw(1, 6, 6, 1).at[0, 2, 2, 0].set(jnp.nan)
    assert np.isnan(compiled(lambda x: pool.max_pool(x, (2, 2), (2, 2)))(x)).sum() == 1
    assert np.isnan(compiled(lambda x: pool.average_pool(x, (3, 3), (1, 1)))(x)).sum() == 9


def test_integers_are_pooled_and_convolved_exactly():
    x = jnp.arange(-18, 18, dtype=jnp.int32).reshape(1, 6, 6, 1)
    np.testing.assert_array_equal(pool.max_pool(x, (2, 2), (2, 2))[0, :, :, 0], np.asarray(x)[0, 1::2, 1::2, 0])
    assert conv.conv(x, jnp.ones((6, 6, 1, 1), jnp.int32), (1, 1)).item() == -18


@pytest.mark.parametrize("bins", [1, 2, 3, 5, 7, 9])
def test_adaptive_pools(bins):
    x = draw(2, 7, 3)
    edges = [(i * 7 // bins, -(-(i + 1) * 7 // bins)) for i in range(bins)]
    average = np.stack([np.asarray(x)[:, a:b].mean(1) for a, b in edges], 1)
    largest = np.stack([np.asarray(x)[:, a:b].max(1) for a, b in edges], 1)
    both = compiled(lambda x: (pool.adaptive_average_pool(x, (bins,)), pool.adaptive_max_pool(x, (bins,))))(x)
    agree(both[:1], [average])
    agree(both[1:], [largest], 0)


KERNELS = {
    "conv": lambda x: conv.conv(x, draw(3, 3, 3, 4), (2, 1), "same"),
    "few": lambda x: conv.conv(x[..., :1], draw(3, 3, 1, 4), (1, 1), "valid"),
    "pointwise": lambda x: conv.conv(x, draw(1, 1, 3, 4), (2, 2)),
    "grouped": lambda x: conv.conv(jnp.concatenate([x, x], -1), draw(3, 3, 3, 4), (1, 1), "same", None, 2),
    "depthwise": lambda x: conv.depthwise_conv(x, draw(3, 3, 3, 2), (2, 2), "same"),
    "transposed": lambda x: conv.conv_transpose(x, draw(3, 3, 4, 3), (2, 2), "same"),
    "max": lambda x: pool.max_pool(x, (2, 2), (2, 2), "same"),
    "max overlapping": lambda x: pool.max_pool(x, (3, 3), (2, 2), "same"),
    "average": lambda x: pool.average_pool(x, (2, 2), (2, 2), "same"),
    "adaptive average": lambda x: pool.adaptive_average_pool(x, (3, 2)),
    "adaptive max": lambda x: pool.adaptive_max_pool(x, (3, 2)),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("unknown", ["b, 7, 9, 3", "b, h, w, 3"])
def test_sizes_may_be_unknown(name, unknown):
    shape = export.symbolic_shape(unknown)
    spec = jax.eval_shape(KERNELS[name], jax.ShapeDtypeStruct(shape, jnp.float32))
    concrete = jax.eval_shape(KERNELS[name], jax.ShapeDtypeStruct((2, 7, 9, 3), jnp.float32))
    sizes = {"b": 2, "h": 7, "w": 9}
    found = [d if isinstance(d, int) else d._evaluate(sizes) for d in spec.shape]
    assert tuple(found) == concrete.shape


@pytest.mark.parametrize("name", KERNELS)
def test_gradients_under_vmap_and_in_loops(name):
    def gradient(v):
        return jax.grad(lambda v: jnp.sum(jnp.sin(KERNELS[name](v))))(v)

    together, in_turn = compiled(lambda x: (jax.vmap(gradient)(x), lax.map(gradient, x)))(draw(3, 2, 7, 9, 3))
    agree([together], [in_turn])


def test_plain_forms_can_be_forced(monkeypatch):
    assert platform.fast("conv")
    with platform.plain_forms():
        assert not platform.fast("conv")
    monkeypatch.setenv("CORNU_KERNELS", "plain")
    assert not platform.fast("conv")


def window_of(sizes, size, strides=(1, 1), padding="valid", dilation=(1, 1)):
    return window.slide(padding, sizes, size, strides, dilation)


# (table, arguments' shapes, window) and the form that is to be taken
FORMS = [
    (conv.CORRELATE, [(2, 8, 8, 16), (1, 1, 16, 4)], window_of((8, 8), (1, 1)), "product"),
    (conv.CORRELATE, [(2, 8, 8, 3), (3, 3, 3, 4)], window_of((8, 8), (3, 3)), "sum of taps"),
    (conv.CORRELATE, [(2, 9, 9, 3), (7, 7, 3, 4)], window_of((9, 9), (7, 7), (2, 2), "same"), "blocks"),
    (conv.CORRELATE, [(8, 32, 32, 64), (3, 3, 64, 64)], window_of((32, 32), (3, 3), (1, 1), "same"), "winograd"),
    (conv.CORRELATE, [(2, 8, 8, 16), (3, 3, 16, 4)], window_of((8, 8), (3, 3)), "convolution"),
    (conv.SCATTER, [(2, 8, 8, 4), (1, 1, 16, 4)], window_of((8, 8), (1, 1)), "product"),
    (conv.SCATTER, [(2, 6, 6, 4), (3, 3, 16, 4)], window_of((8, 8), (3, 3)), "correlation"),
    (conv.SCATTER, [(2, 4, 4, 4), (3, 3, 16, 4)], window_of((8, 8), (3, 3), (2, 2), "same"), "phases"),
    (conv.SCATTER, [(2, 2, 2, 4), (3, 3, 16, 4)], window_of((8, 8), (3, 3), (2, 2), "valid", (2, 2)), "convolution"),
    (conv.WEIGH, [(2, 8, 8, 16), (2, 8, 8, 4)], window_of((8, 8), (1, 1)), "product"),
    (conv.WEIGH, [(2, 8, 8, 1), (2, 6, 6, 4)], window_of((8, 8), (3, 3)), "taps"),
    (conv.WEIGH, [(2, 8, 8, 16), (2, 6, 6, 4)], window_of((8, 8), (3, 3)), "convolution"),
]


@pytest.mark.parametrize(("table", "shapes", "win", "name"), FORMS)
def test_each_form_is_taken_where_it_is_meant_to_be(table, shapes, win, name, monkeypatch):
    monkeypatch.setenv("CORNU_NATIVE", "0")
    monkeypatch.setattr(xla, "has_onednn", lambda: False)
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    assert forms.chosen(table, *arrays, win).name == name


# The same where oneDNN is there: (table, arguments' shapes, window, dtype) and the form
LIBRARY_FORMS = [
    (conv.CORRELATE, [(2, 8, 8, 16), (1, 1, 16, 4)], window_of((8, 8), (1, 1)), "float32", "product"),
    (conv.CORRELATE, [(2, 8, 8, 16), (1, 1, 16, 4)], window_of((8, 8), (1, 1)), "bfloat16", "convolution"),
    (conv.SCATTER, [(2, 8, 8, 4), (1, 1, 16, 4)], window_of((8, 8), (1, 1)), "bfloat16", "correlation"),
    (
        conv.CORRELATE,
        [(2, 9, 9, 3), (7, 7, 3, 4)],
        window_of((9, 9), (7, 7), (2, 2), "same"),
        "bfloat16",
        "convolution",
    ),
    (conv.WEIGH, [(2, 8, 8, 16), (2, 6, 6, 32)], window_of((8, 8), (3, 3)), "float32", "convolution"),
    (conv.WEIGH, [(2, 8, 8, 16), (2, 6, 6, 4)], window_of((8, 8), (3, 3)), "float32", "turned convolution"),
    (conv.WEIGH, [(2, 8, 8, 256), (2, 6, 6, 32)], window_of((8, 8), (3, 3)), "float32", "turned convolution"),
    (conv.WEIGH, [(2, 8, 8, 256), (2, 6, 6, 32)], window_of((8, 8), (3, 3)), "bfloat16", "convolution"),
    (
        conv.WEIGH,
        [(8, 224, 224, 64), (8, 222, 222, 64)],
        window_of((224, 224), (3, 3)),
        "float32",
        "turned convolution",
    ),
]


@pytest.mark.parametrize(("table", "shapes", "win", "dtype", "name"), LIBRARY_FORMS)
def test_each_form_beside_onednn(table, shapes, win, dtype, name, monkeypatch):
    monkeypatch.setenv("CORNU_NATIVE", "0")
    monkeypatch.setattr(xla, "has_onednn", lambda: True)
    arrays = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    assert forms.chosen(table, *arrays, win).name == name


@pytest.mark.parametrize("case", [CONVOLUTIONS[i] for i in (2, 5, 9)], ids=str)
def test_the_gradient_of_a_kernel_by_reversed_sums(case):
    x_shape, kernel_shape, strides, dilation, _ = case
    win = window.slide("same", x_shape[1:-1], kernel_shape[:-2], strides, dilation)
    x, y = draw(*x_shape), draw(x_shape[0], *win.places, kernel_shape[-1])
    agree([compiled(lambda x, y: conv._weigh_turned(x, y, win))(x, y)], [conv._weigh_as_convolution(x, y, win)])


@pytest.fixture
def onednn(monkeypatch):
    """oneDNN, asked for as a user does."""
    monkeypatch.setenv("CORNU_ONEDNN", "1")
    xla.has_onednn.cache_clear()
    if not xla.has_onednn():
        pytest.skip("This jaxlib has no oneDNN, or the processor is of another kind.")
    yield
    xla.has_onednn.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_convolutions_by_onednn(dtype, onednn):
    calls = 0
    for x_shape, kernel_shape, strides, padding in (
        ((2, 9, 8, 16), (3, 3, 16, 32), (1, 1), "same"),
        ((2, 9, 8, 17), (3, 2, 17, 130), (2, 1), "valid"),
        ((2, 8, 8, 16), (1, 1, 16, 20), (1, 1), "valid"),
        ((3, 12, 16), (3, 16, 16), (1,), "causal"),
    ):
        x, kernel = draw(*x_shape, dtype=dtype), draw(*kernel_shape, dtype=dtype)
        gradients = gradients_of(lambda x, k, s=strides, p=padding: conv.conv(x, k, s, p), 2)
        program = jax.jit(gradients, compiler_options=OPTIONS | xla.ONEDNN).lower(x, kernel).compile()
        calls += program.as_text().count("__onednn$convolution")
        found, y = program(x, kernel)
        assert y.dtype == dtype
        ones, wide = (1,) * len(strides), (x.astype(jnp.float32), kernel.astype(jnp.float32))
        wanted = pulled_back(lambda x, k, s=strides, p=padding, o=ones: reference(x, k, s, p, o, 1), *wide)
        agree([y, *found], wanted, 2e-5 if dtype == "float32" else 2 * jnp.finfo(dtype).eps)
    assert calls >= 4


def test_bfloat16_stays_what_it_is_where_onednn_multiplies_it(onednn):
    assert half_precision.are_convolved(jnp.dtype("bfloat16"))
    assert not half_precision.are_convolved(jnp.dtype("float16"))


@pytest.mark.parametrize("table", [pool.LARGEST_BACKWARD, pool.MEAN_BACKWARD])
@pytest.mark.parametrize(
    ("size", "strides", "name"), [(2, 2, "tiles"), (3, 1, "together"), (3, 2, "one by one"), (2, 1, "one by one")]
)
def test_each_form_of_a_gradient_of_pooling_is_taken_where_it_is_meant_to_be(table, size, strides, name):
    assert forms.chosen(table, window_of((8, 8), (size, size), (strides, strides))).name == name


# x shape, kernel shape, padding: many channels, unit stride along an axis that has 3, 5 or 7 elements
MANY_CHANNELS = [
    ((2, 23, 25, 32), (3, 3, 32, 40), "same"),
    ((1, 40, 40, 32), (3, 3, 32, 32), "valid"),
    ((3, 18, 30, 32), (1, 7, 32, 32), "same"),
    ((3, 30, 18, 32), (7, 1, 32, 32), "valid"),
    ((4, 18, 18, 32), (5, 5, 32, 32), "same"),
    ((2, 600, 32), (3, 32, 33), "causal"),
    ((1, 9, 12, 13, 32), (3, 3, 3, 32, 32), "same"),
]


@pytest.mark.parametrize("case", MANY_CHANNELS, ids=str)
def test_fewer_products(case, monkeypatch):
    """Winograd's form is chosen, agrees forward and backward, and is no more than some ten times less exact."""
    monkeypatch.setattr(winograd, "_LEAST_PRODUCTS", 0)
    x_shape, kernel_shape, padding = case
    x, kernel, ones = draw(*x_shape), draw(*kernel_shape), (1,) * (len(x_shape) - 2)
    win = window.slide(padding, window.space_of(x), kernel.shape[:-2], ones)
    axis = winograd.axis_for(x, kernel.shape[-1], win)
    assert win.size[axis] > 1
    found = pulled_back(lambda x, k: conv.conv(x, k, ones, padding), x, kernel)
    agree(found, pulled_back(lambda x, k: reference(x, k, ones, padding, ones, 1), x, kernel), 1e-5)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_fewer_products_in_exact_numbers(size):
    """The interpolation itself, in float64: y = A' ((G w) * (B' x))."""
    outputs, weights, inputs = winograd._matrices(size)
    n, m = winograd._lengths(size)
    x, w = np.random.default_rng(0).normal(size=n), np.random.default_rng(1).normal(size=size)
    np.testing.assert_allclose(outputs @ ((weights @ w) * (inputs @ x)), np.correlate(x, w), atol=1e-12)
    assert len(outputs) == m


def test_plain_products_where_fewer_would_not_pay():
    def axis(shape, channels, size=(3, 3), strides=(1, 1), dilation=(1, 1), dtype="float32"):
        x = jax.ShapeDtypeStruct(shape, dtype)
        return winograd.axis_for(x, channels, window.slide("same", shape[1:-1], size, strides, dilation))

    assert axis((8, 56, 56, 64), 64) == 0
    assert axis((8, 56, 56, 64), 64, strides=(2, 1)) == 1
    assert axis((8, 56, 56, 64), 64, dilation=(2, 2)) is None
    assert axis((8, 56, 56, 64), 64, size=(2, 4)) is None
    assert axis((8, 56, 56, 64), 8) is None
    assert axis((1, 7, 7, 512), 512) is None
    assert axis((8, 56, 56, 64), 64, dtype="bfloat16") is None
    assert axis((8, 147, 147, 32), 64) is None
    assert axis((8, 17, 17, 128), 128, size=(1, 7)) is None  # compiles longer than it saves
    assert axis((8, 17, 17, 192), 192, size=(1, 7)) == 1


@pytest.mark.parametrize(
    ("size", "strides", "padding"), pairs([(7, 7), (3, 4), (11, 5)], [(2, 2), (3, 2), (4, 4)], ["same", "valid"])
)
def test_few_channels_with_strides(size, strides, padding):
    x, kernel = draw(2, 19, 22, 3), draw(*size, 3, 5)
    found = pulled_back(lambda x, k: conv.conv(x, k, strides, padding), x, kernel)
    agree(found, pulled_back(lambda x, k: reference(x, k, strides, padding, (1, 1), 1), x, kernel))
