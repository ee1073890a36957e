"""Conversions between color spaces."""

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate
from cornu.core.operation import Tensor, op

_LUMA = np.array([0.2989, 0.5870, 0.1140])  # luminance of red, green and blue (ITU-R BT.601)


def _channel_axis(images: Tensor, data_format: str | None, name: str) -> tuple[jax.Array, int]:
    images = jnp.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(f"{name}: images must have 3 or 4 axes. Received: images.shape={images.shape}.")
    axis = -1 if validate.data_format(data_format, name) == "channels_last" else -3
    if isinstance(images.shape[axis], int) and images.shape[axis] != 3:
        raise ValueError(f"{name}: images must have 3 channels. Received: images.shape={images.shape}.")
    return images, axis


def _floating_channels(images: Tensor, data_format: str | None, name: str) -> tuple[jax.Array, int]:
    images, axis = _channel_axis(images, data_format, name)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"{name}: images must be floats from 0 to 1. Received: images.dtype={images.dtype}.")
    return images, axis


def _wrapped(turns: Tensor) -> jax.Array:
    """The fractional part of a number of turns; `%` on floats is many times slower on a CPU."""
    return turns - jnp.floor(turns)


@op(class_name="RGBToGrayscale")
def rgb_to_grayscale(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Luminance of color images, `0.2989 R + 0.587 G + 0.114 B`.

    Args:
        images: shape `(batch, height, width, 3)` or without the batch, or with the channels first.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Returns:
        The same shape with one channel, and the same dtype.

    Example:

        print(cornu.ops.image.rgb_to_grayscale(np.ones((1, 4, 4, 3))).shape)  # (1, 4, 4, 1)
    """
    images, axis = _channel_axis(images, data_format, "rgb_to_grayscale")
    wide = images.astype(jnp.result_type(images.dtype, settings.floatx()))
    weights = _LUMA.reshape([-1] + [1] * (-axis - 1))
    return jnp.sum(wide * jnp.asarray(weights, wide.dtype), axis=axis, keepdims=True).astype(images.dtype)


@op(class_name="RGBToHSV")
def rgb_to_hsv(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Red, green, blue converted to hue, saturation, value, all from 0 to 1.

    Args:
        images: floats, shape `(batch, height, width, 3)` or without the batch, or with the channels first.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.rgb_to_hsv(np.array([[[0.0, 1.0, 1.0]]])))  # [[[0.5 1. 1.]]]
    """
    images, axis = _floating_channels(images, data_format, "rgb_to_hsv")
    red, green, blue = jnp.moveaxis(images, axis, 0)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    spread = value - jnp.minimum(jnp.minimum(red, green), blue)
    some = jnp.where(spread > 0, spread, jnp.ones_like(spread))
    hue = jnp.where(
        value == red,
        (green - blue) / some,
        jnp.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    hue = jnp.where(spread > 0, _wrapped(hue / 6), jnp.zeros_like(hue))
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, jnp.ones_like(value)), 0)
    return jnp.stack([hue, saturation.astype(hue.dtype), value], axis=axis)


@op(class_name="HSVToRGB")
def hsv_to_rgb(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Hue, saturation, value (all from 0 to 1) converted to red, green, blue: the inverse of `rgb_to_hsv`.

    Args:
        images: floats, shape `(batch, height, width, 3)` or without the batch, or with the channels first.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.hsv_to_rgb(np.array([[[0.5, 1.0, 1.0]]])))  # [[[0. 1. 1.]]]
    """
    images, axis = _floating_channels(images, data_format, "hsv_to_rgb")
    hue, saturation, value = jnp.moveaxis(images, axis, 0)
    turn = hue * 6

    def channel(offset: int) -> jax.Array:  # piecewise linear in the hue: distance from the sextant of this primary
        k = 6 * _wrapped((offset + turn) / 6)
        return value - value * saturation * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)

    return jnp.stack([channel(5), channel(3), channel(1)], axis=axis)
