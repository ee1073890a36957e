"""Images of any size resized to a fixed one with NumPy alone: no program is compiled for each size, as in JAX.

Each output row is a weighted sum of a few input rows, and then each column of a few columns. Which ones, and with what
weights, is computed once for a pair of sizes. Pixel values are at pixel centers, and for downscaling the kernel is not
widened, as in TensorFlow's `tf.image.resize` without antialiasing.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np


class Taps(NamedTuple):
    """For each output position, the contributing input positions and their weights, which sum to 1."""

    places: np.ndarray  # (outputs, taps)
    weights: np.ndarray  # (outputs, taps), float32


def _cubic(x: np.ndarray, b: float, c: float) -> np.ndarray:
    """The cubic kernels of Mitchell and Netravali, "Reconstruction filters in computer graphics", 1988."""
    near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b
    far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c
    return np.where(x < 1, near, np.where(x < 2, far, 0.0)) / 6


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


_KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, lambda x: np.maximum(0.0, 1 - x)),
    "bicubic": (2, lambda x: _cubic(x, 0, 0.5)),
    "gaussian": (1.5, lambda x: np.where(x < 1.5, np.exp(-2 * x**2), 0.0)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "mitchellcubic": (2, lambda x: _cubic(x, 1 / 3, 1 / 3)),
}  # half the width, and the weight at a distance, in pixels

_BLURRING = ("gaussian", "mitchellcubic")  # change the image even at the same size
_BLOCK = 2**18  # bytes of rows processed at a time

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def resized(
    image: np.ndarray, height: int, width: int, interpolation: str, out: np.ndarray | None = None
) -> np.ndarray:
    """An image of shape (rows, columns, channels) resized, as float32.

    It is computed a few rows at a time, which stay in the CPU's cache and in memory that the system need not zero.

    Args:
        image: the image, of any numeric dtype.
        height: number of rows of the result.
        width: number of columns of the result.
        interpolation: one of `INTERPOLATIONS`.
        out: contiguous float32 array of the result's shape for the result; None for a new one.
    """
    before, columns, channels = image.shape
    out = np.empty((height, width, channels), "float32") if out is None else out
    if (before, columns) == (height, width) and interpolation not in _BLURRING:
        out[...] = image
        return out
    flat, result = image.reshape(before, -1), out.reshape(height, -1)
    down, across = taps(before, height, interpolation), _taps_of_numbers(columns, width, interpolation, channels)
    numbers = channels * max(columns * down.places.shape[1], width)
    together = max(1, _BLOCK // (4 * numbers))
    for start in range(0, height, together):
        block = slice(start, start + together)
        chosen = flat.take(down.places[block], 0, mode="wrap").astype("float32")  # (rows, taps, numbers of a row)
        rows = np.matmul(down.weights[block, None], chosen)[:, 0]
        _sum(
            _scaled(rows.take(places, 1, None if number else result[block], "wrap"), weights)
            for number, (places, weights) in enumerate(zip(*across, strict=True))
        )
    return out


def _scaled(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`values * weights`, computed in place."""
    values *= weights
    return values


def _sum(parts: Iterator[np.ndarray]) -> np.ndarray:
    total = next(parts)
    for part in parts:
        total += part
    return total


@functools.lru_cache(maxsize=1024)
def _taps_of_numbers(before: int, after: int, interpolation: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The same along a row with `channels` numbers at each position: (taps, after * channels) each."""
    places, weights = taps(before, after, interpolation)
    numbers = places.T[..., None] * channels + np.arange(channels)
    return numbers.reshape(len(numbers), -1), np.repeat(weights.T, channels, axis=1)


@functools.lru_cache(maxsize=1024)
def taps(before: int, after: int, interpolation: str) -> Taps:
    """The contributions to each of `after` positions, from `before`."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale
    if interpolation == "nearest":
        places = np.minimum(np.floor(centres), before - 1)[:, None]
        weights = np.ones(places.shape)
    elif interpolation == "area":
        places = np.floor(centres - scale / 2)[:, None] + np.arange(math.ceil(scale) + 1)
        left, right = (centres - scale / 2)[:, None], (centres + scale / 2)[:, None]
        weights = np.maximum(0.0, np.minimum(places + 1, right) - np.maximum(places, left))
    else:
        radius, kernel = _KERNELS[interpolation]
        places = np.ceil(centres - radius - 0.5)[:, None] + np.arange(math.ceil(2 * radius))
        weights = kernel(np.abs(places + 0.5 - centres[:, None]))
    weights = np.where((places >= 0) & (places < before), weights, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    used = weights.any(axis=0)
    places = np.clip(places[:, used], 0, before - 1).astype(np.intp)
    return Taps(places, weights[:, used].astype("float32"))
