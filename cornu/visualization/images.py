"""Batches of images as arrays to draw on: channels last, RGB, integers from 0 to 255."""

from collections.abc import Sequence

import numpy as np

from cornu import validate
from cornu.core import border
from cornu.core.typing import Tensor

COLOURS = 3


def batch(images: Tensor, data_format: str | None, owner: str) -> np.ndarray:
    """Images as a NumPy array of shape `(images, height, width, channels)`, with unchanged values."""
    array = np.asarray(border.fetched(border.to_numpy(images, owner, "images")))
    data_format = validate.data_format(data_format, owner)
    if array.ndim != 4:
        raise ValueError(
            f"{owner}: images must be a batch, of shape (images, height, width, channels). "
            f"Received: shape {array.shape}. For a single image, pass images[None]."
        )
    array = np.moveaxis(array, 1, -1) if data_format == "channels_first" else array
    if array.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{owner}: images must have 1, 3 or 4 channels. Received: {array.shape[-1]}, with "
            f'data_format="{data_format}".'
        )
    return array


def whole(numbers: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 255 rounded to integers; values outside are clipped, NaN becomes 0."""
    return np.nan_to_num(np.clip(numbers, 0, 255)).astype("uint8")


def scaled(images: np.ndarray, value_range: Sequence[float], owner: str) -> np.ndarray:
    """Images rescaled from a value range to integers from 0 to 255."""
    if np.shape(value_range) != (2,) or not value_range[0] < value_range[1]:
        raise ValueError(
            f"{owner}: value_range must be the minimum and the maximum value. Received: {validate.shown(value_range)}."
        )
    low, high = value_range
    if images.dtype == np.uint8 and (low, high) == (0, 255):
        return images
    return whole(np.rint((images.astype("float32") - low) * (255 / (high - low))))


def coloured(images: np.ndarray) -> np.ndarray:
    """Grayscale images as RGB; others unchanged."""
    return np.repeat(images, COLOURS, axis=-1) if images.shape[-1] == 1 else images
