"""Random sharpening and blurring of images, by local averages."""

from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp
from jax import lax

from cornu import validate
from cornu.kernels import window
from cornu.layers.image_layer import Drawn, FactorLayer, RandomValueLayer, each, factor_range
from cornu.layers.options import BoxOptions
from cornu.random.seed_generator import SeedLike

_SMOOTH = ((1, 1, 1), (1, 5, 1), (1, 1, 1))


class RandomSharpness(FactorLayer):
    """Sharpens or blurs each image during training: `s + 2 f (x - s)`, where `s` is a smoothed image.

    `s` averages each pixel, with weight five, and its eight neighbors, which are 0 beyond the border.

    Args:
        factor: bounds of `f`, from 0 (blurred) through 0.5 (unchanged) to 1 (sharp); a single number means 0 to that
        number.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomSharpness((0.5, 1.0), seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    _lowest = 0.0

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"factor": self._uniform((shape[0],), *self.factor, seed)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        wide = images.astype("float32")
        padded = jnp.pad(wide, ((0, 0), (1, 1), (1, 1), (0, 0)))
        height, width = images.shape[1:3]
        soft = sum(
            weight / 13 * padded[:, row : row + height, column : column + width]
            for row, weights in enumerate(_SMOOTH)
            for column, weight in enumerate(weights)
        )
        sharp = soft + 2 * each(drawn["factor"], images) * (wide - soft)
        return jnp.clip(sharp, *self.value_range).astype(images.dtype)


class RandomGaussianBlur(RandomValueLayer):
    """Blurs some images during training with Gaussian weights `exp(-d^2 / (2 sigma^2))`.

    Args:
        factor: bounds, from 0 to 1, of the probability; a single number means 0 to that number. Defaults to 1.0.
        kernel_size: width and height of the kernel in pixels, odd, or one number for both; pixels beyond the border are
            0. Defaults to 3.
        sigma: bounds, from 0 to 1, of the standard deviation in pixels; a single number means 0 to that number. One
            value is drawn per image. Defaults to 1.0.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomSharpness`.

    Example:

        y = cornu.layers.RandomGaussianBlur(sigma=(0.5, 1.0), seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        kernel_size: int | Sequence[int] = 3,
        sigma: float | Sequence[float] = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)
        size = int(kernel_size) if validate.is_real(kernel_size) and kernel_size % 1 == 0 else kernel_size
        self.kernel_size = validate.int_tuple(size, 2, "kernel_size", self)
        if any(k % 2 == 0 for k in self.kernel_size):
            raise ValueError(
                f"{validate.describe(self)}: kernel_size must be odd. Received: kernel_size={kernel_size}."
            )
        self.sigma = factor_range(sigma, "sigma", self, lowest=0, strict=True)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {
            "should_apply_blur": self._chosen(shape[0], self.factor, seed),
            "blur_factor": self._uniform((shape[0],), *self.sigma, seed),
        }

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        wide = images.astype("float32")
        width, height = (_gaussian(size, drawn["blur_factor"]) for size in self.kernel_size)  # (batch, size)
        blurred = _averaged(_averaged(wide, height, axis=1), width, axis=2)
        chosen = each(drawn["should_apply_blur"], images)
        return jnp.where(chosen, jnp.clip(blurred, *self.value_range), wide).astype(images.dtype)


def _gaussian(size: int, sigma: jax.Array) -> jax.Array:
    """The weights for each image; a `sigma` of 0 leaves the image unchanged."""
    place = jnp.arange(size, dtype="float32") - size // 2
    weights = jnp.exp(-0.5 * jnp.square(place / jnp.maximum(sigma, 1e-3)[:, None]))
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def _averaged(images: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    """Averages along an axis of `(batch, height, width, channels)`, with the weights `(batch, size)` of each image."""
    size = weights.shape[1]
    pads = [(size // 2, size // 2) if a == axis else (0, 0) for a in range(4)]
    padded = jnp.pad(images, pads)
    return window.total(
        each(weights[:, k], images) * lax.slice_in_dim(padded, k, k + images.shape[axis], axis=axis)
        for k in range(size)
    )


__all__ = ["RandomGaussianBlur", "RandomSharpness"]
