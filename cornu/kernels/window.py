"""Sliding windows: their extent, the padding they need, and the pixels that each of their elements covers.

Convolution and pooling in this folder are sums, or maxima, over the *taps* of a window: the tap at position (i, j) is
the strided slice of the padded image that the window's element (i, j) covers as the window slides. A *place* is one
position of the whole window, hence of one output. Arrays are `(batch, *space, channels)`; tuples have one entry for
each spatial axis.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Window(NamedTuple):
    """A window, the way it slides and the image it slides over; hashable, so that it can be a static argument."""

    sizes: tuple[int, ...]  # of the image
    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]  # zeros added (before, after); negative numbers cut off

    @property
    def positions(self) -> Iterator[tuple[int, ...]]:
        """The positions of the window's elements, in row-major order."""
        return itertools.product(*map(range, self.size))

    @property
    def taps(self) -> int:
        """The number of the window's elements."""
        return math.prod(self.size)

    @property
    def extents(self) -> tuple[int, ...]:
        """How many pixels the window spans along each axis, including the gaps of a dilation."""
        return tuple(extent(k, d) for k, d in zip(self.size, self.dilation, strict=True))

    @property
    def places(self) -> tuple[int, ...]:
        """How many places the window takes along each axis."""
        axes = zip(self.sizes, self.pads, self.extents, self.strides, strict=True)
        return tuple((n + lo + hi - e) // s + 1 for n, (lo, hi), e, s in axes)

    @property
    def is_padded(self) -> bool:
        """Whether the image is padded or cropped."""
        return any(itertools.chain(*self.pads))

    @property
    def undoing_pads(self) -> tuple[tuple[int, int], ...]:
        """The padding of the places, spread `strides` apart, from which the flipped window restores the image."""
        axes = zip(self.sizes, self.places, self.extents, self.strides, self.pads, strict=True)
        return tuple((e - 1 - lo, n - (o - 1) * s - 1 + lo) for n, o, e, s, (lo, _) in axes)

    @property
    def exact_pads(self) -> tuple[tuple[int, int], ...]:
        """`pads` less the pixels at the end that no place of the window covers."""
        axes = zip(self.sizes, self.places, self.extents, self.strides, self.pads, strict=True)
        return tuple((lo, (o - 1) * s + e - n - lo) for n, o, e, s, (lo, _) in axes)


def extent(size: int, dilation: int) -> int:
    """How many pixels a window of `size` elements spans if they are `dilation` apart."""
    return (size - 1) * dilation + 1


def slide(
    padding: str,
    sizes: Sequence[int],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...] | None = None,
) -> Window:
    """The window of `size` on an image of `sizes` with the padding `"valid"`, `"same"` or `"causal"`."""
    dilation = dilation or (1,) * len(size)
    axes = zip(sizes, size, strides, dilation, strict=True)
    return Window(tuple(sizes), size, strides, dilation, tuple(_pads(padding, *axis) for axis in axes))


def _pads(padding: str, n: int, size: int, stride: int, dilation: int) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return extent(size, dilation) - 1, 0
    total = max((-(-n // stride) - 1) * stride + extent(size, dilation) - n, 0)
    return total // 2, total - total // 2


def total(taps: Iterable[jax.Array]) -> jax.Array:
    """The sum of the taps, at least one."""
    return functools.reduce(jnp.add, taps)


def space_of(x: jax.Array) -> tuple[int, ...]:
    """The sizes of the spatial axes."""
    return tuple(x.shape[1:-1])


def is_static(x: jax.Array) -> bool:
    """Whether the sizes of the spatial axes are numbers rather than symbols."""
    return all(isinstance(n, int) for n in space_of(x))


def pad(x: jax.Array, win: Window, value: float = 0.0) -> jax.Array:
    """`x` with the window's padding along its spatial axes."""
    if not win.is_padded:
        return x
    return lax.pad(x, x.dtype.type(value), ((0, 0, 0), *((lo, hi, 0) for lo, hi in win.pads), (0, 0, 0)))


def tap(padded: jax.Array, position: Sequence[int], win: Window) -> jax.Array:
    """What the element of the window at `position` covers: (batch, *places, channels)."""
    starts = [p * d for p, d in zip(position, win.dilation, strict=True)]
    limits = [b + (o - 1) * s + 1 for b, o, s in zip(starts, win.places, win.strides, strict=True)]
    batch, channels = padded.shape[0], padded.shape[-1]
    return lax.slice(padded, (0, *starts, 0), (batch, *limits, channels), (1, *win.strides, 1))


def inside(position: Sequence[int], win: Window) -> tuple[list[slice], list[slice], list[tuple[int, int]]]:
    """What the element of the window at `position` covers of the image itself, padding excluded.

    Returns:
        The pixels, the places at which the element covers them, and how many places before and after cover padding.
    """
    pixels, places, around = [], [], []
    for p, n, o, s, d, (lo, _) in zip(
        position, win.sizes, win.places, win.strides, win.dilation, win.pads, strict=True
    ):
        offset = p * d - lo
        first = min(max(0, -(offset // s)), o)
        end = max(first, min(o, (n - 1 - offset) // s + 1))
        start = first * s + offset
        pixels.append(slice(start, start + (end - first) * s, s))
        places.append(slice(first, end))
        around.append((first, o - end))
    return pixels, places, around


def put_back(y: jax.Array, position: Sequence[int], win: Window) -> jax.Array:
    """The transpose of `tap`: `y` where the element at `position` read, zeros elsewhere; (batch, *sizes, channels)."""
    config: list[tuple[Any, Any, Any]] = [(0, 0, 0)]
    for p, n, o, s, d, (lo, _) in zip(
        position, win.sizes, win.places, win.strides, win.dilation, win.pads, strict=True
    ):
        start = p * d - lo
        config.append((start, n - start - (o - 1) * s - 1, s - 1))
    return lax.pad(y, y.dtype.type(0), (*config, (0, 0, 0)))


def undo(y: jax.Array, win: Window, value: float = 0.0) -> tuple[jax.Array, Window]:
    """`y` with its places spread `strides` apart, and a window of unit stride whose places are the image's pixels.

    At each pixel that window covers, in reverse order, the places whose windows covered the pixel.
    """
    config = [(lo, hi, s - 1) for (lo, hi), s in zip(win.undoing_pads, win.strides, strict=True)]
    undone = lax.pad(y, y.dtype.type(value), ((0, 0, 0), *config, (0, 0, 0)))
    ones, none = (1,) * len(win.size), ((0, 0),) * len(win.size)
    return undone, Window(space_of(undone), win.size, ones, win.dilation, none)
