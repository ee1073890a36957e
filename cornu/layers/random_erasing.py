"""Erasing random rectangles of images."""

import numbers
from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import Tensor
from cornu.layers.image_layer import Drawn, RandomValueLayer, each, factor_range
from cornu.layers.options import BoxOptions
from cornu.random.seed_generator import SeedLike


class RandomErasing(RandomValueLayer):
    """Erases a rectangle in some images during training (Zhong et al., 2017).

    Labels, masks and boxes are left unchanged.

    Args:
        factor: bounds, from 0 to 1, of the probability; a single number means 0 to that number. Defaults to 1.0.
        scale: bounds, from 0 to 1, of two numbers whose square roots are the width and the height of the rectangle as
            fractions of those of the image; a single number means 0 to that number. Defaults to `(0.02, 0.33)`.
        fill_value: value of the erased pixels; None draws each from a normal distribution with mean 0 and the maximum
            value as its standard deviation, truncated to `value_range`.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomErasing((1, 1), fill_value=0, seed=1)(np.ones((1, 8, 8, 3)), training=True)
    """

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float | Sequence[float] = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)
        self.scale = factor_range(scale, "scale", self, lowest=0, strict=True)
        if fill_value is not None and not isinstance(fill_value, numbers.Real):
            raise ValueError(
                f"{validate.describe(self)}: fill_value must be a number or None. "
                f"Received: fill_value={validate.shown(fill_value)}."
            )
        self.fill_value = fill_value

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        inside = window(shape, self._uniform((shape[0], 2), *self.scale, seed), lambda: self._unit(shape[0], seed))
        chosen = self._chosen(shape[0], self.factor, seed)
        return {"apply_erasing": chosen, "batch_masks": inside, "fill_value": self._fill(shape, seed)}

    def _unit(self, count: object, seed: SeedLike) -> jax.Array:
        return self._uniform((count,), 0.0, 1.0, seed)

    def _fill(self, shape: tuple[int, ...], seed: SeedLike) -> jax.Array:
        low, high = self.value_range
        if self.fill_value is not None:
            return jnp.full((), jnp.clip(float(self.fill_value), low, high), "float32")
        noise = random.normal(shape, dtype="float32", seed=self.generator if seed is None else seed)
        return jnp.clip(noise * high, low, high)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        erased = each(drawn["apply_erasing"], images) & drawn["batch_masks"]
        return jnp.where(erased, drawn["fill_value"].astype(images.dtype), images)


def window(shape: tuple[int, ...], areas: jax.Array, draw: Tensor) -> jax.Array:
    """The location of a rectangle in each image: booleans, `(batch, height, width, 1)`.

    Args:
        shape: shape of the images, channels last.
        areas: `(batch, 2)`, the squares of the width and the height as fractions of those of the image.
        draw: function that returns a number from 0 to 1 for each image; called first for the left side, then for the
        top.
    """
    _, height, width, _ = shape
    across, down = jnp.sqrt(areas[:, 0]) * width, jnp.sqrt(areas[:, 1]) * height
    left = draw() * (width - across)
    top = draw() * (height - down)
    column, row = jnp.arange(width, dtype="float32"), jnp.arange(height, dtype="float32")
    columns = (column >= left[:, None]) & (column < (left + across)[:, None])  # (batch, width)
    rows = (row >= top[:, None]) & (row < (top + down)[:, None])  # (batch, height)
    return (rows[:, :, None] & columns[:, None, :])[..., None]


__all__ = ["RandomErasing"]
