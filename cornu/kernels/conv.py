"""Convolutions, channels last, for any number of spatial axes.

A convolution is linear in the image and linear in the kernel, so its two gradients are sums of products as well, and so
are theirs. Three functions are closed under differentiation; the gradients of each are the other two:

    correlate(x, w) -> y      the convolution of machine learning
    scatter(y, w)   -> x      its gradient with respect to the image; a transposed convolution
    weigh(x, y)     -> w      its gradient with respect to the kernel

Each chooses its form by the shapes of its arguments, from the tables at the end: a matrix product for 1x1 kernels, a
fused sum over the taps of the window where there are few input channels, Winograd's algorithm where there are many,
otherwise a convolution with channels last. A strided transposed convolution is split into phases without strides. XLA
chooses fast layouts for a gradient convolution only at the top level of a program; written with channels last, it is
fast inside loops too.

Where cornu's C++ kernels are compiled (`cornu.native`), they compute the gradients of convolution kernels and whatever
Winograd's algorithm does not: both at the speed of a large matrix product, which XLA's convolution reaches only with
many channels.

Where oneDNN is enabled, it computes every convolution, those of bfloat16 at twice the rate. So 1x1 kernels in bfloat16
are left as convolutions, and a kernel gradient that the library computes slowly is written so that it stays with XLA.

Products of float16 and bfloat16 numbers are accumulated in float32.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from cornu import native
from cornu.core import placement
from cornu.kernels import forms, half_precision, platform, window, winograd, xla
from cornu.kernels.forms import Form
from cornu.kernels.window import Window
from cornu.kernels.xla import not_inlined

_FEW_CHANNELS = 3  # a fused sum beats a convolution up to so many input channels
_FEW_PRODUCTS = 27  # and so many products per output
_MANY_GROUPS = 64  # with more, one convolution per group takes too long to compile
_MANY_TAPS = 128  # likewise for the sum over the taps of a depthwise kernel
_MANY_PHASES = 16  # likewise for the phases of a transposed convolution
_NATIVE_CHANNELS = 16  # output channels that the C++ kernels compute at a time
_LEAST_NATIVE_PRODUCTS = 2**20  # with fewer, calling the C++ kernels costs more than they gain
_MANY_NATIVE_WEIGHTS = 2**20  # from here on, adding up the sums of all threads costs too much
_NATIVE_PLACES = 2**10  # over which the C++ kernels sum a part of a kernel's gradient in registers
_IMAGES_AT_ONCE = 8  # summed in one loop by the gradient of a depthwise kernel
_LARGEST_LIBRARY_KERNEL = 2**24  # bytes of an output gradient that oneDNN handles well in the place of a kernel
_LEAST_LIBRARY_CHANNELS, _MOST_LIBRARY_CHANNELS = 16, 128  # with which it does; in 16 bits there is no upper limit


# ---------------------------------------------------------------- the kernels


@half_precision.of_convolutions
def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, ...],
    padding: str = "valid",
    dilation: tuple[int, ...] | None = None,
    groups: int = 1,
) -> jax.Array:
    """The convolution `y[n, o, c] = sum_{k, i} x[n, o * stride + k * dilation, i] * kernel[k, i, c]`.

    Args:
        x: (batch, *space, groups * i).
        kernel: (*size, i, channels), of the dtype of `x`.
        strides: step of the window along each spatial axis.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation: spacing of the kernel elements along each axis; None means 1.
        groups: number of groups of channels, each convolved separately.
    """
    dilation = dilation or (1,) * len(strides)
    if groups > 1 and groups == x.shape[-1]:
        return depthwise_conv(x, _as_depthwise(kernel, groups), strides, padding, dilation)

    def run(x: jax.Array, kernel: jax.Array) -> jax.Array:
        if not _fast("conv", x) or groups > _MANY_GROUPS:
            return _plain_conv(x, kernel, strides, padding, dilation, groups)
        return _conv(x, kernel, window.slide(padding, window.space_of(x), kernel.shape[:-2], strides, dilation), groups)

    return run(x, kernel) if groups == 1 else placement.each_row(run, x, kernel)


@half_precision.in_float32
def depthwise_conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, ...],
    padding: str = "valid",
    dilation: tuple[int, ...] | None = None,
) -> jax.Array:
    """Each channel separately: `y[n, o, i * m + j] = sum_k x[n, o * stride + k * dilation, i] * kernel[k, i, j]`.

    Args:
        x: (batch, *space, channels).
        kernel: (*size, channels, m) for m outputs per channel, of the dtype of `x`.
        strides, padding, dilation: as for `conv`.
    """
    dilation = dilation or (1,) * len(strides)
    *size, channels, multiplier = kernel.shape

    def run(x: jax.Array, kernel: jax.Array) -> jax.Array:
        if not _fast("depthwise_conv", x) or math.prod(size) * multiplier > _MANY_TAPS:
            grouped = kernel.reshape(*size, 1, channels * multiplier)
            return _plain_conv(x, grouped, strides, padding, dilation, channels)
        return _depthwise(x, kernel, window.slide(padding, window.space_of(x), tuple(size), strides, dilation))

    return placement.each_row(run, x, kernel)


@half_precision.of_convolutions
def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, ...],
    padding: str = "valid",
    output_padding: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> jax.Array:
    """The transposed convolution: each pixel of `x` adds a scaled copy of the kernel to the output, `strides` apart.

    The copies cover `full = (n - 1) * stride + extent` pixels, where `extent = (size - 1) * dilation + 1`. Without
    `output_padding` the output has `n * stride` pixels, or `full` if that is more and the padding is `"valid"`. With
    it, the output has `full + output_padding` pixels, less `2 * (extent // 2)` for `"same"` padding.

    Args:
        x: (batch, *space, i).
        kernel: (*size, channels, i), of the dtype of `x`.
        strides, padding, dilation: as for `conv`, without `"causal"`.
        output_padding: pixels added at the end of each axis.
    """
    dilation = dilation or (1,) * len(strides)
    size = tuple(kernel.shape[:-2])
    extents = [window.extent(k, d) for k, d in zip(size, dilation, strict=True)]
    extras = output_padding or (None,) * len(strides)
    cuts = tuple(_cut(padding, *axis) for axis in zip(extents, strides, extras, strict=True))
    if not _fast("conv_transpose", x):
        pads = [(e - 1 - before, e - 1 - after) for e, (before, after) in zip(extents, cuts, strict=True)]
        return _plain(x, _turned(kernel), (1,) * len(strides), pads, dilation, spacing=strides)
    axes = zip(window.space_of(x), strides, extents, cuts, strict=True)
    sizes = tuple((n - 1) * s + e - sum(cut) for n, s, e, cut in axes)
    return _conv_transpose(x, kernel, Window(sizes, size, strides, dilation, cuts))


def _cut(padding: str, extent: int, stride: int, extra: int | None) -> tuple[int, int]:
    """How many of the covered pixels to crop before and after; negative numbers mean zeros added."""
    same = padding == "same"
    if extra is None:
        total = extent - stride if same else min(extent - stride, 0)
    else:
        total = 2 * (extent // 2) * same - extra
    before = max(total, 0) // 2
    return before, total - before


def _fast(kernel: str, x: jax.Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating) and window.is_static(x) and platform.fast(kernel)


def _as_depthwise(kernel: jax.Array, channels: int) -> jax.Array:
    return kernel.reshape(*kernel.shape[:-2], channels, kernel.shape[-1] // channels)


# ---------------------------------------------------------------- plain forms


def _layout(rank: int) -> tuple[str, str, str]:
    """Channels last, for XLA: NHWC, HWIO, NHWC."""
    space = "DHW"[-rank:]
    return f"N{space}C", f"{space}IO", f"N{space}C"


def _plain_conv(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str, dilation: Sequence[int], groups: int
) -> jax.Array:
    pads: str | list[tuple[int, int]] = padding.upper()
    if padding == "causal":
        pads = [(window.extent(k, d) - 1, 0) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    return _plain(x, kernel, strides, pads, dilation, groups=groups)


def _plain(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    dilation: Sequence[int],
    *,
    spacing: Sequence[int] | None = None,
    groups: int = 1,
    sum_dtype: jnp.dtype | None = None,
) -> jax.Array:
    """XLA's convolution with channels last; `spacing` is the dilation of the image."""
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        pads,
        lhs_dilation=spacing,
        rhs_dilation=dilation,
        dimension_numbers=_layout(len(strides)),
        feature_group_count=groups,
        preferred_element_type=sum_dtype,
    )


def _turned(kernel: jax.Array) -> jax.Array:
    """The kernel of the transposed operation: flipped in space, with input and output channels swapped."""
    return jnp.swapaxes(jnp.flip(kernel, tuple(range(kernel.ndim - 2))), -1, -2)


# ---------------------------------------------------------------- fast forms

# Compiled as one function when called outside a trace, inlined within one.
_compiled = functools.partial(jax.jit, inline=True)


@functools.partial(_compiled, static_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, win: Window, groups: int) -> jax.Array:
    if groups == 1:
        return correlate(x, kernel, win)
    parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
    return jnp.concatenate([correlate(part, weights, win) for part, weights in parts], -1)


@functools.partial(_compiled, static_argnums=2)
def _conv_transpose(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    return scatter(x, kernel, win)


@functools.partial(_compiled, static_argnums=2)
def _depthwise(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    outputs = [each_channel(x, kernel[..., j], win) for j in range(kernel.shape[-1])]
    if len(outputs) == 1:
        return outputs[0]
    stacked = jnp.stack(outputs, -1)  # (batch, *places, channels, multiplier)
    return stacked.reshape(*stacked.shape[:-2], -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def correlate(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """(batch, *sizes, i) and (*size, i, channels) -> (batch, *places, channels)."""
    return forms.compute(CORRELATE, x, kernel, win)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def scatter(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """(batch, *places, channels) and (*size, i, channels) -> (batch, *sizes, i)."""
    return forms.compute(SCATTER, y, kernel, win)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def weigh(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    """(batch, *sizes, i) and (batch, *places, channels) -> (*size, i, channels)."""
    return forms.compute(WEIGH, x, y, win).reshape(*win.size, x.shape[-1], y.shape[-1])


def _weigh_pointwise(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    return _product_over_rows(_rows(_strided(x, win)), _rows(y))


def _weigh_by_taps(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    padded = window.pad(x, win)
    taps = jnp.stack([window.tap(padded, at, win)[..., 0] for at in win.positions])  # (taps, batch, *places)
    return _dot(taps, y, (tuple(range(1, taps.ndim)), tuple(range(y.ndim - 1))))


@not_inlined
def _weigh_as_convolution(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    channels_as_batch = jnp.swapaxes(x, 0, -1)  # (i, *sizes, batch)
    batch_as_input = jnp.moveaxis(y, 0, -2)  # (*places, batch, channels)
    turned = _xla(channels_as_batch, batch_as_input, win.dilation, win.exact_pads, win.strides)
    return jnp.moveaxis(turned, 0, -2)  # (i, *size, channels) -> (*size, i, channels)


@not_inlined
def _weigh_turned(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    """The same sum taken from the last pixel to the first, which XLA does not hand to oneDNN."""
    space = tuple(range(1, x.ndim - 1))
    channels_as_batch = lax.rev(jnp.swapaxes(x, 0, -1), space)  # (i, *sizes, batch)
    batch_as_input = xla.turned(jnp.moveaxis(y, 0, -2), tuple(range(len(space))))  # (*places, batch, channels)
    pads = [(hi, lo) for lo, hi in win.exact_pads]
    weights = _xla(channels_as_batch, batch_as_input, win.dilation, pads, win.strides)
    return lax.rev(jnp.moveaxis(weights, 0, -2), tuple(range(len(space))))


def _product_over_rows(a: jax.Array, b: jax.Array) -> jax.Array:
    """(rows, i) and (rows, j) -> (i, j). Libraries contract over rows faster if the narrower matrix comes first."""
    return _summed_over_rows(a, b) if a.shape[1] <= b.shape[1] else _summed_over_rows(b, a).T


@not_inlined
def _summed_over_rows(a: jax.Array, b: jax.Array) -> jax.Array:
    if half_precision.are_convolved(a.dtype):  # XLA's 16-bit products are slow when contracted over rows
        return _dot(lax.optimization_barrier(a.T), b, ((1,), (0,)))
    return _dot(a, b, ((0,), (0,)))


correlate.defvjp(
    lambda x, kernel, win: (correlate(x, kernel, win), (x, kernel)),
    lambda win, kept, g: (scatter(g, kept[1], win), weigh(kept[0], g, win)),
)
scatter.defvjp(
    lambda y, kernel, win: (scatter(y, kernel, win), (y, kernel)),
    lambda win, kept, g: (correlate(g, kept[1], win), weigh(g, kept[0], win)),
)
weigh.defvjp(
    lambda x, y, win: (weigh(x, y, win), (x, y)),
    lambda win, kept, g: (scatter(kept[1], g, win), correlate(kept[0], g, win)),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def each_channel(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """(batch, *sizes, channels) and (*size, channels) -> (batch, *places, channels)."""
    padded, weights = window.pad(x, win).astype(_sum_dtype(x)), _broadcastable(kernel, x)
    return window.total(window.tap(padded, at, win) * weights[at] for at in win.positions).astype(x.dtype)


def _each_channel_backward(win: Window, kept: tuple[jax.Array, ...], g: jax.Array) -> tuple[jax.Array, ...]:
    """The image's gradient is the flipped kernel sliding over the output gradient with the strides undone."""
    x, kernel = kept
    if max(win.dilation) == 1 < max(win.strides):
        dx = _spread_each_channel(g, kernel, win)
    else:
        undone, back = window.undo(g, win)
        dx = each_channel(undone, jnp.flip(kernel, tuple(range(kernel.ndim - 1))), back)
    sums = _sums_of_products(x, g, win)
    return dx, sums.reshape(kernel.shape).astype(kernel.dtype)


def _spread_each_channel(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """(batch, *places, channels) -> (batch, *sizes, channels) for strides, with no zeros inserted between the places.

    The image is divided into blocks of the size of the strides. All pixels of a block are covered by the same few
    places, each pixel by different elements of the kernel.
    """
    rank, channels = len(win.size), y.shape[-1]
    reach = [-(-k // s) for k, s in zip(win.size, win.strides, strict=True)]  # places that cover a block
    first = [lo // s for (lo, _), s in zip(win.pads, win.strides, strict=True)]  # block of the first pixel
    last = [(lo + n - 1) // s for (lo, _), n, s in zip(win.pads, win.sizes, win.strides, strict=True)]
    around = [(r - 1 - a, b + 1 - o, 0) for r, a, b, o in zip(reach, first, last, win.places, strict=True)]
    places = lax.pad(y.astype(_sum_dtype(y)), _sum_dtype(y).type(0), ((0, 0, 0), *around, (0, 0, 0)))
    behind = [(0, r * s - k, 0) for r, s, k in zip(reach, win.strides, win.size, strict=True)]
    weights = lax.pad(kernel.astype(places.dtype), places.dtype.type(0), (*behind, (0, 0, 0)))
    counts = [b - a + 1 for a, b in zip(first, last, strict=True)]

    def product(at: tuple[int, ...]) -> jax.Array:  # (batch, blocks, stride, .., channels)
        seen = places[:, *(slice(r - 1 - i, r - 1 - i + n) for r, i, n in zip(reach, at, counts, strict=True))]
        own = weights[tuple(slice(i * s, (i + 1) * s) for i, s in zip(at, win.strides, strict=True))]
        own = own.reshape(*itertools.chain(*((1, s) for s in win.strides)), channels)
        return jnp.expand_dims(seen, tuple(range(2, 2 * rank + 1, 2))) * own

    whole = window.total(product(at) for at in itertools.product(*map(range, reach)))
    whole = whole.reshape(y.shape[0], *(n * s for n, s in zip(counts, win.strides, strict=True)), channels)
    starts = [lo - a * s for (lo, _), a, s in zip(win.pads, first, win.strides, strict=True)]
    return whole[:, *(slice(a, a + n) for a, n in zip(starts, win.sizes, strict=True))].astype(y.dtype)


@not_inlined
def _sums_of_products(x: jax.Array, y: jax.Array, win: Window) -> jax.Array:
    """For each tap and channel the sum of tap times `y`, (taps, channels).

    XLA's reductions are fast over a stored array, and slow over a product of slices computed on the fly. So the
    products of a few images are summed first, in a single fused loop.
    """
    batch, dtype = x.shape[0], _sum_dtype(x)
    images = max(1, min(_IMAGES_AT_ONCE, batch)) if isinstance(batch, int) else 1
    whole = batch // images * images

    def added(at: tuple[int, ...]) -> jax.Array:  # (batch / images, *places, channels)
        seen, places, around = window.inside(at, win)
        every = (slice(first, whole, images) for first in range(images))
        total = sum(x[n, *seen].astype(dtype) * y[n, *places].astype(dtype) for n in every)
        return jnp.pad(total, ((0, 0), *around, (0, 0)))

    sums = jnp.sum(jnp.stack([added(at) for at in win.positions]), tuple(range(1, x.ndim)))
    return sums if whole == batch else sums + _sums_of_products(x[whole:], y[whole:], win)


each_channel.defvjp(lambda x, kernel, win: (each_channel(x, kernel, win), (x, kernel)), _each_channel_backward)


def _scatter_pointwise(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    product = _dot(y, kernel.reshape(kernel.shape[-2:]), ((y.ndim - 1,), (1,)))
    return window.put_back(product, (0,) * len(win.size), win)


def _scatter_by_correlating(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    places = Window(win.places, win.size, win.strides, win.dilation, win.undoing_pads)
    return correlate(y, _turned(kernel), places)


def _scatter_by_xla(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    return _xla(y, _turned(kernel), (1,) * len(win.size), win.undoing_pads, win.dilation, win.strides)


def _scatter_by_phases(y: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """`scatter` for strides: pixels a stride apart use the same kernel elements, which are a stride apart too."""
    rank = len(win.size)
    first = [lo // s for (lo, _), s in zip(win.pads, win.strides, strict=True)]  # the place over the first pixel
    last = [(lo + n - 1) // s for (lo, _), n, s in zip(win.pads, win.sizes, win.strides, strict=True)]
    counts = [b - a + 1 for a, b in zip(first, last, strict=True)]

    def pixels(phase: tuple[int, ...]) -> jax.Array:  # (batch, *counts, i)
        part = kernel[tuple(slice(f, None, s) for f, s in zip(phase, win.strides, strict=True))]
        size = part.shape[:rank]
        if 0 in size:
            return jnp.zeros((y.shape[0], *counts, kernel.shape[-2]), y.dtype)
        ones = (1,) * rank
        pads = tuple((k - 1 - a, b + 1 - n) for k, a, b, n in zip(size, first, last, win.places, strict=True))
        return correlate(y, _turned(part), Window(win.places, size, ones, ones, pads))

    phases = jnp.stack([pixels(phase) for phase in itertools.product(*map(range, win.strides))])
    phases = phases.reshape(*win.strides, *phases.shape[1:])  # (*strides, batch, *counts, i)
    order = [rank, *itertools.chain(*((rank + 1 + axis, axis) for axis in range(rank))), 2 * rank + 1]
    whole = [n * s for n, s in zip(counts, win.strides, strict=True)]
    x = phases.transpose(order).reshape(y.shape[0], *whole, kernel.shape[-2])
    starts = [lo - a * s for (lo, _), a, s in zip(win.pads, first, win.strides, strict=True)]
    limits = [start + n for start, n in zip(starts, win.sizes, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *limits, x.shape[-1]))


def _weighs_well_by_onednn(x: jax.Array, y: jax.Array, win: Window) -> bool:
    channels = x.shape[-1], y.shape[-1]
    wide = max(channels) > _MOST_LIBRARY_CHANNELS and not half_precision.are_convolved(x.dtype)
    large = y.size * y.dtype.itemsize > _LARGEST_LIBRARY_KERNEL
    return min(channels) >= _LEAST_LIBRARY_CHANNELS and not wide and not large


def _is_few_and_strided(x: jax.Array, win: Window) -> bool:
    overlaps = all(k > s > 1 for k, s in zip(win.size, win.strides, strict=True))
    few = x.shape[-1] <= _FEW_CHANNELS and overlaps and max(win.dilation) == 1
    return few and not half_precision.are_convolved(x.dtype)


def _is_native(x: jax.Array, channels: int, win: Window) -> bool:
    """Whether there are kernels in C++ that take this."""
    if x.dtype != jnp.float32 or not isinstance(x.shape[0], int) or not platform.calls_native():
        return False
    products = x.shape[0] * math.prod(win.places) * win.taps * x.shape[-1] * channels
    fits = channels % _NATIVE_CHANNELS == 0 and len(win.size) <= 2 and max(win.dilation) == 1
    return fits and products >= _LEAST_NATIVE_PRODUCTS and native.instructions() is not None


def _are_few_weights(x: jax.Array, y: jax.Array, win: Window) -> bool:
    return win.taps * x.shape[-1] * y.shape[-1] < _MANY_NATIVE_WEIGHTS


def _native_sizes(x: native.Shape, channels: int, win: Window) -> list[int]:
    """The window as `Window` in cornu/native: over images, of which a sequence is one row."""
    around, before = [1] * (2 - len(win.size)), [lo for lo, _ in win.pads]
    sizes, places, size, strides = ([*around, *axes] for axes in (win.sizes, win.places, win.size, win.strides))
    rows = max(1, min(places[0], _NATIVE_PLACES // max(1, places[1])))
    return [x[0], *sizes, x[-1], *places, channels, *size, *strides, *(0 for _ in around), *before, rows]


def _without_native(table: Sequence[Form]) -> list[Form]:
    return [form for form in table if form.name != "native"]


@native.kernel(
    "correlate",
    lambda x, kernel, win: [(x[0], *win.places, kernel[-1])],
    lambda x, kernel, win: _native_sizes(x, kernel[-1], win),
)
def _correlate_natively(x: jax.Array, kernel: jax.Array, *, win: Window) -> list[jax.Array]:
    return [forms.compute(_without_native(CORRELATE), x, kernel, win)]


@native.kernel(
    "weigh",
    lambda x, y, win: [(*win.size, x[-1], y[-1])],
    lambda x, y, win: _native_sizes(x, y[-1], win),
)
def _weigh_natively(x: jax.Array, y: jax.Array, *, win: Window) -> list[jax.Array]:
    return [forms.compute(_without_native(WEIGH), x, y, win).reshape(*win.size, x.shape[-1], y.shape[-1])]


def _by_blocks(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """`correlate` for strides and few channels: the pixels of a block of the size of the strides become channels."""
    rank, channels = len(win.size), (math.prod(win.strides) * x.shape[-1],)
    size = tuple(-(-k // s) for k, s in zip(win.size, win.strides, strict=True))  # of the kernel, in blocks
    sizes = tuple(o + k - 1 for o, k in zip(win.places, size, strict=True))  # of the image
    axes = zip(sizes, win.strides, win.sizes, win.pads, strict=True)
    around = ((0, 0, 0), *((lo, b * s - n - lo, 0) for b, s, n, (lo, _) in axes), (0, 0, 0))
    behind = [(0, b * s - k, 0) for b, s, k in zip(size, win.strides, win.size, strict=True)]
    x, kernel = lax.pad(x, x.dtype.type(0), around), lax.pad(kernel, x.dtype.type(0), (*behind, (0, 0, 0), (0, 0, 0)))

    def blocks(array: jax.Array, counts: tuple[int, ...], first: int) -> jax.Array:  # space to depth
        split = itertools.chain(*zip(counts, win.strides, strict=True))
        array = array.reshape(*array.shape[:first], *split, *array.shape[first + rank :])
        inside = range(first + 1, first + 2 * rank, 2)
        array = jnp.moveaxis(array, inside, range(first + rank, first + 2 * rank))
        return array.reshape(*array.shape[: first + rank], *channels, *array.shape[first + 2 * rank + 1 :])

    ones, none = (1,) * rank, ((0, 0),) * rank
    return _xla(blocks(x, sizes, 1), blocks(kernel, size, 0), ones, none, ones)


def _by_winograd(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    axis = winograd.axis_for(x, kernel.shape[-1], win)
    assert axis is not None
    return winograd.correlate(x, kernel, win, axis, functools.partial(forms.compute, SLID))


def _correlate_pointwise(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    return _dot(_strided(x, win), kernel.reshape(kernel.shape[-2:]), ((x.ndim - 1,), (0,)))


def _correlate_by_xla(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    return _xla(x, kernel, win.strides, win.pads, win.dilation)


def _is_pointwise(win: Window) -> bool:
    return win.taps == 1 and not win.is_padded


def _is_plain_product(x: jax.Array, kernel: jax.Array, win: Window) -> bool:
    return _is_pointwise(win) and not half_precision.are_convolved(x.dtype)


def _has_few_products(x: jax.Array, win: Window) -> bool:
    return x.shape[-1] <= _FEW_CHANNELS and win.taps * x.shape[-1] <= _FEW_PRODUCTS


def _strided(x: jax.Array, win: Window) -> jax.Array:
    return window.tap(x, (0,) * len(win.size), win)


def _rows(x: jax.Array) -> jax.Array:
    """(.., channels) -> (rows, channels)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@not_inlined
def _sum_of_taps(x: jax.Array, kernel: jax.Array, win: Window) -> jax.Array:
    """A sum over kernel positions and input channels that XLA fuses into one loop over the output."""
    padded, weights = window.pad(x, win).astype(_sum_dtype(x)), _broadcastable(kernel, x)
    taps = ((at, window.tap(padded, at, win)) for at in win.positions)  # (batch, *places, i)
    products = (seen[..., i : i + 1] * weights[*at, i] for at, seen in taps for i in range(x.shape[-1]))
    return window.total(products).astype(x.dtype)


def _broadcastable(kernel: jax.Array, x: jax.Array) -> jax.Array:
    """(.., channels) -> (.., 1, 1, 1, channels), so that each entry multiplies a whole image."""
    return kernel.reshape(*kernel.shape[:-1], *(1,) * (x.ndim - 1), kernel.shape[-1]).astype(_sum_dtype(x))


def _sum_dtype(x: jax.Array) -> jnp.dtype:
    return jnp.promote_types(x.dtype, jnp.float32)


def _dot(a: jax.Array, b: jax.Array, contracted: tuple[Sequence[int], Sequence[int]]) -> jax.Array:
    product = lax.dot_general(a, b, (contracted, ((), ())), preferred_element_type=_sum_dtype(a))
    return product.astype(a.dtype)


def _xla(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    dilation: Sequence[int],
    spacing: Sequence[int] | None = None,
) -> jax.Array:
    sums = x.dtype if half_precision.are_convolved(x.dtype) else _sum_dtype(x)
    return _plain(x, kernel, strides, pads, dilation, spacing=spacing, sum_dtype=sums).astype(x.dtype)


# ---------------------------------------------------------------- which form where

SLID = (
    Form("product", _is_plain_product, _correlate_pointwise),
    Form("convolution", forms.always, _correlate_by_xla),
)
CORRELATE = (
    SLID[0],
    Form("winograd", lambda x, kernel, win: winograd.axis_for(x, kernel.shape[-1], win) is not None, _by_winograd),
    Form("sum of taps", lambda x, kernel, win: _has_few_products(x, win), _sum_of_taps),
    Form(
        "native",
        lambda x, kernel, win: _is_native(x, kernel.shape[-1], win),
        lambda x, kernel, win: _correlate_natively(x, kernel, win=win)[0],
    ),
    Form("blocks", lambda x, kernel, win: _is_few_and_strided(x, win), _by_blocks),
    SLID[1],
)
SCATTER = (
    Form("product", _is_plain_product, _scatter_pointwise),
    Form("correlation", lambda y, kernel, win: max(win.strides) == 1, _scatter_by_correlating),
    Form(
        "phases",
        lambda y, kernel, win: max(win.dilation) == 1 and math.prod(win.strides) <= _MANY_PHASES,
        _scatter_by_phases,
    ),
    Form("convolution", forms.always, _scatter_by_xla),
)
WEIGH = (
    Form("product", lambda x, y, win: _is_pointwise(win), _weigh_pointwise),
    Form(
        "native",
        lambda x, y, win: _is_native(x, y.shape[-1], win) and _are_few_weights(x, y, win),
        lambda x, y, win: _weigh_natively(x, y, win=win)[0],
    ),
    Form("taps", lambda x, y, win: x.shape[-1] == 1 and _has_few_products(x, win), _weigh_by_taps),
    Form(
        "turned convolution",
        lambda x, y, win: xla.uses_onednn() and not _weighs_well_by_onednn(x, y, win),
        _weigh_turned,
    ),
    Form("convolution", forms.always, _weigh_as_convolution),
)
