"""Pooling, channels last, for any number of spatial axes.

The largest value under a window is the maximum over the window's taps. Its gradient goes to one pixel of each window,
the first of the largest, so the forward pass saves that tap's number as a small integer, and the backward pass gives
each tap the gradient wherever it was chosen. An average is a sum over the taps, and its gradient is the same for all.

Windows that tile the image need no padding and no overlapping sums: there, the backward pass is a broadcast.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.kernels import forms, half_precision, platform, window
from cornu.kernels.forms import Form
from cornu.kernels.window import Window

_MANY_TAPS = 64  # with more, XLA's reduce_window is faster
_FOLDED = 2**16  # places along an axis up to which their pixel counts are a constant in the program


@half_precision.in_float32
def max_pool(x: jax.Array, size: tuple[int, ...], strides: tuple[int, ...], padding: str = "valid") -> jax.Array:
    """The largest value under each place of a window. In a tie, the gradient goes to the first of the largest.

    Args:
        x: (batch, *space, channels).
        size: the window's size along each spatial axis.
        strides: its step along each axis.
        padding: `"valid"` or `"same"`.
    """
    if not _fast("max_pool", x, size):
        return _reduce_window(x, lowest(x.dtype), lax.max, size, strides, padding)
    return _max_pool(x, window.slide(padding, window.space_of(x), size, strides))


@half_precision.in_float32
def average_pool(x: jax.Array, size: tuple[int, ...], strides: tuple[int, ...], padding: str = "valid") -> jax.Array:
    """The mean of the pixels under each place of a window; padding is not counted.

    Args:
        x: (batch, *space, channels), of a float dtype.
        size, strides, padding: as for `max_pool`.
    """
    if not _fast("average_pool", x, size):
        wide = x.astype(_sum_dtype(x))
        total = _reduce_window(wide, 0, lax.add, size, strides, padding)
        count = _reduce_window(jnp.ones_like(wide[:1, ..., :1]), 0, lax.add, size, strides, padding)
        return (total / count).astype(x.dtype)
    return _average_pool(x, window.slide(padding, window.space_of(x), size, strides))


@functools.partial(jax.jit, static_argnums=1, inline=True)
def adaptive_average_pool(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """The means of `size` bins that cover the image.

    Bin i of n pixels goes from `floor(i * n / size)` up to, but not including, `ceil((i + 1) * n / size)`.

    Args:
        x: (batch, *space, channels), of a float dtype.
        size: the number of bins along each spatial axis.
    """
    dtype = x.dtype
    x = x.astype(_sum_dtype(x))
    for axis, bins in enumerate(size, start=1):
        members = _bins(x.shape[axis], bins).astype(x.dtype)  # (bins, n)
        shares = members / jnp.sum(members, 1, keepdims=True)
        x = jnp.moveaxis(jnp.tensordot(x, shares, ((axis,), (1,)), precision="highest"), -1, axis)
    return x.astype(dtype)


@functools.partial(jax.jit, static_argnums=1, inline=True)
def adaptive_max_pool(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """The largest values of `size` bins that cover the image, the bins of `adaptive_average_pool`.

    Args:
        x: (batch, *space, channels).
        size: the number of bins along each spatial axis.
    """
    for axis, bins in enumerate(size, start=1):
        members = _bins(x.shape[axis], bins)  # (bins, n)
        members = jnp.expand_dims(members, tuple(range(2, x.ndim - axis + 1)))  # (bins, n, 1, ..)
        spread = jnp.where(members, jnp.expand_dims(x, axis), lowest(x.dtype))  # (.., bins, n, ..)
        first = jnp.argmax(spread, axis + 1, keepdims=True)
        x = jnp.take_along_axis(spread, first, axis + 1).squeeze(axis + 1)
    return x


def lowest(dtype: jnp.dtype) -> np.number | np.bool_:
    """The value that never wins a maximum."""
    if jnp.issubdtype(dtype, jnp.floating):
        return dtype.type(-jnp.inf)
    if jnp.issubdtype(dtype, jnp.integer):
        return dtype.type(jnp.iinfo(dtype).min)
    return dtype.type(False)


def _bins(pixels: int, bins: int) -> jax.Array:
    """Which pixels belong to which bin: bool (bins, pixels). The number of pixels may be symbolic."""
    bin_number, pixel, count = jnp.arange(bins)[:, None], jnp.arange(pixels)[None], jnp.asarray(pixels)
    return (pixel >= bin_number * count // bins) & (pixel < -(-(bin_number + 1) * count // bins))


def _fast(kernel: str, x: jax.Array, size: tuple[int, ...]) -> bool:
    few = math.prod(size) <= _MANY_TAPS
    return few and jnp.issubdtype(x.dtype, jnp.floating) and window.is_static(x) and platform.fast(kernel)


def _sum_dtype(x: jax.Array) -> jnp.dtype:
    return jnp.promote_types(x.dtype, jnp.float32)


def _reduce_window(
    x: jax.Array,
    initial: float | np.number | np.bool_,
    function: Callable[..., object],
    size: Sequence[int],
    strides: Sequence[int],
    padding: str,
) -> jax.Array:
    initial = x.dtype.type(initial)  # a constant, by which JAX recognizes a maximum or a sum and differentiates it
    return lax.reduce_window(x, initial, function, (1, *size, 1), (1, *strides, 1), padding.upper())


# ---------------------------------------------------------------- fast forms


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def largest(x: jax.Array, win: Window) -> jax.Array:
    """(batch, *sizes, channels) -> (batch, *places, channels)."""
    return functools.reduce(jnp.maximum, _taps(x, win, -jnp.inf))


def _largest_forward(x: jax.Array, win: Window) -> tuple[jax.Array, jax.Array]:
    best, *others = _taps(x, win, -jnp.inf)
    chosen = jnp.zeros(best.shape, jnp.int8)  # the number of the first tap that is the largest
    for number, value in enumerate(others, start=1):
        chosen = jnp.where(value > best, jnp.int8(number), chosen)
        best = jnp.maximum(value, best)
    return best, chosen


def _largest_backward(win: Window, chosen: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    return (forms.compute(LARGEST_BACKWARD, win, chosen, g),)


def _largest_tiled(win: Window, chosen: jax.Array, g: jax.Array) -> jax.Array:
    return _untile(jnp.where(_tiled(chosen) == _numbers(win), _tiled(g), g.dtype.type(0)), win)


def _largest_together(win: Window, chosen: jax.Array, g: jax.Array) -> jax.Array:
    undone, back = window.undo(g, win)
    marks, _ = window.undo(chosen, win, -1)
    last_first = enumerate(zip(_taps(marks, back), _taps(undone, back), strict=True), start=1)
    return window.total(
        jnp.where(mark == jnp.int8(win.taps - n), value, g.dtype.type(0)) for n, (mark, value) in last_first
    )


def _largest_one_by_one(win: Window, chosen: jax.Array, g: jax.Array) -> jax.Array:
    shares = [jnp.where(chosen == jnp.int8(number), g, g.dtype.type(0)) for number in range(win.taps)]
    return window.total(window.put_back(share, at, win) for at, share in zip(win.positions, shares, strict=True))


largest.defvjp(_largest_forward, _largest_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def mean(x: jax.Array, win: Window) -> jax.Array:
    """(batch, *sizes, channels) -> (batch, *places, channels)."""
    total = window.total(tap.astype(_sum_dtype(x)) for tap in _taps(x, win))
    return (total / _counts(win, total.dtype)).astype(x.dtype)


def _mean_backward(win: Window, _: None, g: jax.Array) -> tuple[jax.Array]:
    wide = g.astype(_sum_dtype(g))
    return (forms.compute(MEAN_BACKWARD, win, (wide / _counts(win, wide.dtype)).astype(g.dtype)),)


def _mean_tiled(win: Window, share: jax.Array) -> jax.Array:
    whole = _tiled(share)
    return _untile(jnp.broadcast_to(whole, jnp.broadcast_shapes(whole.shape, _numbers(win).shape)), win)


def _mean_together(win: Window, share: jax.Array) -> jax.Array:
    return window.total(_taps(*window.undo(share, win)))


def _mean_one_by_one(win: Window, share: jax.Array) -> jax.Array:
    return window.total(window.put_back(share, at, win) for at in win.positions)


mean.defvjp(lambda x, win: (mean(x, win), None), _mean_backward)


# Compiled as one function when called outside a trace, inlined within one.
_max_pool = jax.jit(largest, static_argnums=1, inline=True)
_average_pool = jax.jit(mean, static_argnums=1, inline=True)


def _taps(x: jax.Array, win: Window, value: float = 0.0) -> list[jax.Array]:
    padded = window.pad(x, win, value)
    return [window.tap(padded, at, win) for at in win.positions]


def _counts(win: Window, dtype: jnp.dtype) -> jax.Array:
    """How many real pixels are under each place: one number if nothing is padded, otherwise (1, *places, 1).

    The product of the counts along each axis. Long axes are not turned into constants: a file may declare any size.
    """
    if not win.is_padded:
        return jnp.asarray(win.taps, dtype)
    counts = jnp.ones((1,) * (len(win.sizes) + 2), dtype)
    axes = zip(win.sizes, win.size, win.strides, win.pads, win.places, strict=True)
    for axis, (n, k, s, (lo, _), o) in enumerate(axes, start=1):
        numbers: Any = np if o <= _FOLDED else jnp
        starts = numbers.arange(o) * s - lo
        own = numbers.minimum(starts + k, n) - numbers.maximum(starts, 0)
        counts *= jnp.expand_dims(jnp.asarray(own, dtype), [a for a in range(counts.ndim) if a != axis])
    return counts


def _tiles(win: Window) -> bool:
    return win.size == win.strides and not win.is_padded


def _overlaps_fully(win: Window) -> bool:
    """Whether so many windows cover each pixel that reading them together beats adding them one by one."""
    return win.taps > 4 and max(win.strides) == 1


def _tiled(y: jax.Array) -> jax.Array:
    """(batch, h, w, c) -> (batch, h, 1, w, 1, c): room for the pixels of each tile."""
    return jnp.expand_dims(y, tuple(range(2, 2 * y.ndim - 3, 2)))


def _numbers(win: Window) -> np.ndarray:
    """The number of each tap, in the layout of `_tiled`: (1, 1, kh, 1, kw, 1)."""
    interleaved = itertools.chain.from_iterable((1, k) for k in win.size)
    return np.arange(win.taps, dtype=np.int8).reshape(1, *interleaved, 1)


def _untile(tiles: jax.Array, win: Window) -> jax.Array:
    """(batch, h, kh, w, kw, c) -> (batch, *sizes, c), with zeros in the remainder that no tile covers."""
    covered = [o * k for o, k in zip(win.places, win.size, strict=True)]
    whole = tiles.reshape(tiles.shape[0], *covered, tiles.shape[-1])
    rests = [(0, n - m, 0) for n, m in zip(win.sizes, covered, strict=True)]
    return lax.pad(whole, whole.dtype.type(0), ((0, 0, 0), *rests, (0, 0, 0)))


# ---------------------------------------------------------------- which form where


def _backward(*compute: Callable[..., jax.Array]) -> tuple[Form, ...]:
    names, conditions = ("tiles", "together", "one by one"), (_tiles, _overlaps_fully, forms.always)
    return tuple(
        Form(name, lambda win, *_, fits=fits: fits(win), function)
        for name, fits, function in zip(names, conditions, compute, strict=True)
    )


LARGEST_BACKWARD = _backward(_largest_tiled, _largest_together, _largest_one_by_one)
MEAN_BACKWARD = _backward(_mean_tiled, _mean_together, _mean_one_by_one)
