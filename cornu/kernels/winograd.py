"""Convolution with fewer products than taps (Winograd, 1980; Lavin & Gray, 2016).

The `m` neighboring sums of a sliding kernel of `r` numbers are a polynomial product in disguise. Evaluated at
`n = m + r - 1` points it takes n multiplications where the sums take m * r: 6 instead of 12 for r = 3.

    y = A' ((G w) * (B' x))     x: n inputs, w: r weights, y: m outputs

Here this is done along a single spatial axis. Each of the n multiplications is then a smaller convolution: a one-row
kernel over every m-th row of the image combined with its neighbors. Only whole rows are added, the intermediate images
take n / m of the memory of the image, and the rounding error is about ten times that of the plain sum. (Along two axes
it would take a quarter of the multiplications, but n² / m² of the memory: slower as soon as that exceeds the cache.)
"""

import functools
import math
from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.core.typing import AnyFunction
from cornu.kernels.window import Window

# The evaluation points for each size of the kernel along the axis; one more is at infinity.
_POINTS = {3: (0, 1, -1, 2, -2), 5: (0, 1, -1, 2, -2), 7: (0, 1, -1, 2, -2, 0.5, -0.5)}
_LEAST_PIXELS = 1024  # of the output; with fewer, transforming the kernel costs what the products save
_LEAST_CHANNELS = 32  # of input and output; with fewer, transforming the images does. Twice as many are needed
_CACHE = 2**25  # if the images take more bytes than this
_LEAST_GAIN = 1.3  # multiplications of the plain form per multiplication of this one
_LEAST_PRODUCTS = 2**28  # of the plain form; with fewer, the gain is not worth the compilation time


def axis_for(x: jax.Array, channels: int, win: Window) -> int | None:
    """The spatial axis along which this form beats the plain one, None if there is none.

    Args:
        x: (batch, *sizes, i), float32.
        channels: of the output.
        win: how the kernel slides.
    """
    if x.dtype != jnp.float32 or not isinstance(x.shape[0], int):
        return None
    pixels = x.shape[0] * math.prod(win.places)
    large = 4 * pixels * (x.shape[-1] + channels) > _CACHE
    if pixels < _LEAST_PIXELS or min(x.shape[-1], channels) < _LEAST_CHANNELS * (1 + large):
        return None
    if pixels * win.taps * x.shape[-1] * channels < _LEAST_PRODUCTS:
        return None
    gains = [_gain(win, axis) for axis in range(len(win.size))]
    return gains.index(max(gains)) if max(gains) >= _LEAST_GAIN else None


def _gain(win: Window, axis: int) -> float:
    r, places = win.size[axis], win.places[axis]
    if r not in _POINTS or win.strides[axis] != 1 or win.dilation[axis] != 1 or places < 1:
        return 0.0
    n, m = _lengths(r)
    return r * places / (n * -(-places // m))


def correlate(x: jax.Array, kernel: jax.Array, win: Window, axis: int, convolve: AnyFunction) -> jax.Array:
    """The convolution of `x`, (batch, *sizes, i), with `kernel`, (*size, i, channels).

    Args:
        axis: the axis to transform: its stride and dilation are 1, and its kernel size is in `_POINTS`.
        convolve: `(x, kernel, window) -> y`, computes the smaller convolutions.
    """
    r, places, (before, _) = win.size[axis], win.places[axis], win.pads[axis]
    n, m = _lengths(r)
    outputs, weights, inputs = _matrices(r)
    blocks = -(-places // m)
    whole = blocks * m + r - 1
    padded = _padded(x, axis + 1, before, whole - before - win.sizes[axis])
    rows = [_every(padded, axis + 1, start, blocks, m) for start in range(n)]
    taps = [lax.slice_in_dim(kernel, tap, tap + 1, axis=axis) for tap in range(r)]
    inner = _one_row(win, axis, blocks)
    products = [convolve(_combined(a, rows), _combined(g, taps), inner) for a, g in zip(inputs, weights, strict=True)]
    y = jnp.stack([_combined(row, products) for row in outputs], axis + 2)  # (.., blocks, m, ..)
    y = y.reshape(*y.shape[: axis + 1], blocks * m, *y.shape[axis + 3 :])
    return lax.slice_in_dim(y, 0, places, axis=axis + 1)


def _lengths(r: int) -> tuple[int, int]:
    """Multiplications per block, and outputs per block."""
    n = len(_POINTS[r]) + 1
    return n, n - r + 1


Value = TypeVar("Value")


def _one_row(win: Window, axis: int, blocks: int) -> Window:
    """The window of the smaller convolutions: along the axis it covers one row of each block."""

    def put(values: Sequence[Value], value: Value) -> tuple[Value, ...]:
        return (*values[:axis], value, *values[axis + 1 :])

    return Window(put(win.sizes, blocks), put(win.size, 1), win.strides, win.dilation, put(win.pads, (0, 0)))


def _padded(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
    if not before and not after:
        return x
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (before, after, 0)
    return lax.pad(x, x.dtype.type(0), config)


def _every(x: jax.Array, axis: int, start: int, count: int, step: int) -> jax.Array:
    """`count` rows, `step` apart."""
    return lax.slice_in_dim(x, start, start + (count - 1) * step + 1, step, axis)


def _combined(factors: np.ndarray, terms: Sequence[jax.Array]) -> jax.Array:
    """The weighted sum of the terms, without multiplications by 0 or 1."""
    scaled = [_times(term, factor) for factor, term in zip(factors, terms, strict=True) if factor]
    return functools.reduce(jnp.add, scaled)


def _times(term: jax.Array, factor: float) -> jax.Array:
    if abs(factor) == 1:
        return term if factor > 0 else -term
    return term * term.dtype.type(factor)


@functools.cache
def _matrices(r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A' (m, n), G (n, r) and B' (n, n), by Lagrange interpolation at the points."""
    points = np.array(_POINTS[r], float)
    n, m = _lengths(r)
    others = [np.delete(points, i) for i in range(n - 1)]
    infinity = np.eye(n)[-1:]
    outputs = np.concatenate([points ** np.arange(m)[:, None], infinity[:, :1] * 0 + np.eye(m)[:, -1:]], 1)
    scales = np.array([np.prod(p - rest) for p, rest in zip(points, others, strict=True)])
    weights = np.concatenate([points[:, None] ** np.arange(r) / scales[:, None], np.eye(r)[-1:]])
    inputs = np.stack([np.append(np.poly(rest)[::-1], 0) for rest in others] + [np.poly(points)[::-1]])
    return outputs, weights, inputs
