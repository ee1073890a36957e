"""Random affine transformations of images: rotation, scaling, translation and shear.

Each layer draws numbers and computes from them the map from the pixels of the result to the pixels of the image: `(a0 x
+ a1 y + a2, b0 x + b1 y + b2)`, as in `ops.image.affine_transform`.
"""

import math
from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import ops, validate
from cornu.core.typing import ConfigDict, Tensor
from cornu.layers import bounding_boxes as boxes_of
from cornu.layers.bounding_boxes import Boxes
from cornu.layers.image_layer import Drawn, RandomImageLayer, factor_range
from cornu.layers.options import BoxOptions
from cornu.random.seed_generator import SeedLike

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class RandomAffine(RandomImageLayer):
    """Resamples images during training; subclasses implement `_draw` and `_map`."""

    _moves_pixels = True

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.fill_mode = validate.one_of(fill_mode, FILL_MODES, "fill_mode", self)
        self.interpolation = validate.one_of(interpolation, ("nearest", "bilinear"), "interpolation", self)
        self.fill_value = fill_value

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return self._looked_up(images, drawn, self.interpolation, self.fill_value)

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._looked_up(masks, drawn, "nearest", 0)

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        size = drawn["input_shape"][1:3]
        move = boxes_of.projected(boxes, self._transform(drawn))
        return boxes_of.moved(boxes, self.bounding_box_format, size, size, move)

    def _looked_up(self, images: jax.Array, drawn: Drawn, interpolation: str, fill_value: float) -> jax.Array:
        result = ops.image.affine_transform(
            images, self._transform(drawn), interpolation, self.fill_mode, fill_value, data_format="channels_last"
        )
        return result.astype(images.dtype)

    def _transform(self, drawn: Drawn) -> jax.Array:
        """The 8 numbers of the projective map of each image, `(batch, 8)`."""
        rows = self._map(drawn, *drawn["input_shape"][1:3])
        zero = jnp.zeros_like(rows[0])
        return jnp.stack([*rows, zero, zero], axis=-1)

    def get_transformed_x_y(self, x: Tensor, y: Tensor, transform: Tensor) -> tuple[jax.Array, jax.Array]:
        """Points mapped by projective maps: `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)`, `k = c0 x + c1 y + 1`.

        Args:
            x, y: the points, (points,), or (maps, points) for different points for each map.
            transform: the numbers a0, a1, a2, b0, b1, b2, c0, c1 of each map, (maps, 8) or (8,).

        Returns:
            (x, y), each of shape (maps, points); (points,) for one map.
        """
        a0, a1, a2, b0, b1, b2, c0, c1 = jnp.moveaxis(jnp.asarray(transform), -1, 0)[..., None]
        apart = c0 * x + c1 * y + 1
        return (a0 * x + a1 * y + a2) / apart, (b0 * x + b1 * y + b2) / apart

    def _map(self, drawn: Drawn, height: int, width: int) -> tuple[jax.Array, ...]:
        """The numbers a0, a1, a2, b0, b1, b2, each of shape `(batch,)`."""
        raise NotImplementedError


def _box_sides(bounding_boxes: Boxes) -> list[jax.Array]:
    """Left, top, right and bottom of the boxes."""
    return jnp.split(jnp.asarray(bounding_boxes["boxes"]), 4, axis=-1)


class _Shifting(RandomAffine):
    """Base of the layers that move points along the axes."""

    def get_shifted_bbox(self, bounding_boxes: Boxes, w_shift_factor: Tensor, h_shift_factor: Tensor) -> Boxes:
        """Boxes moved to the left and up.

        Args:
            bounding_boxes: dictionary with "boxes", (..., 4) as left, top, right, bottom.
            w_shift_factor, h_shift_factor: distances to the left and up, in the boxes' units.

        Returns:
            The dictionary with the moved boxes.
        """
        left, top, right, bottom = _box_sides(bounding_boxes)
        sides = (left - w_shift_factor, top - h_shift_factor, right - w_shift_factor, bottom - h_shift_factor)
        return {**bounding_boxes, "boxes": jnp.concatenate(sides, axis=-1)}


class RandomRotation(RandomAffine):
    """Rotates each image around its center during training.

    Args:
        factor: maximum angle as a fraction of a full turn: 0.1 draws from -36 to 36 degrees. Two numbers are the
            minimum and the maximum; positive angles rotate counterclockwise.
        fill_mode: how points outside the boundaries are filled: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomRotation(0.1, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        low, high = self.factor
        return {"angle": self._uniform((shape[0],), 360.0 * low, 360.0 * high, seed)}  # in degrees

    def _map(self, drawn: Drawn, height: int, width: int) -> tuple[jax.Array, ...]:
        angle = drawn["angle"] * (math.pi / 180)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        across, down = (width - 1) / 2, (height - 1) / 2
        return cos, -sin, across - cos * across + sin * down, sin, cos, down - sin * across - cos * down


class RandomZoom(RandomAffine):
    """Scales each image around its center during training.

    Args:
        height_factor: maximum change of the visible height: 0.2 shows 80% to 120% of the height, so positive numbers
            zoom out. Two numbers are the minimum and the maximum.
        width_factor: the same for the width; None preserves the aspect ratio.
        fill_mode: how points outside the boundaries are filled: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `RandomRotation`.

    Example:

        y = cornu.layers.RandomZoom(0.2, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float] | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height_range = factor_range(height_factor, "height_factor", self, strict=True)
        self._width_range = (
            None if width_factor is None else factor_range(width_factor, "width_factor", self, strict=True)
        )
        if min(*self._height_range, *(self._width_range or ())) <= -1:
            raise ValueError(
                f"{validate.describe(self)}: factors must be greater than -1, at which nothing is visible. "
                f"Received: height_factor={height_factor}, width_factor={width_factor}."
            )

    def get_clipped_bbox(
        self, bounding_boxes: Boxes, h_end: Tensor, h_start: Tensor, w_end: Tensor, w_start: Tensor
    ) -> Boxes:
        """Boxes clipped to a window, relative to its upper left corner.

        Args:
            bounding_boxes: dictionary with "boxes", (..., 4) as left, top, right, bottom.
            h_end, h_start: bottom and top of the window, in the boxes' units.
            w_end, w_start: right and left side of the window.

        Returns:
            The dictionary with the clipped boxes.
        """
        left, top, right, bottom = _box_sides(bounding_boxes)
        across = (jnp.clip(side, w_start, w_end) - w_start for side in (left, right))
        down = (jnp.clip(side, h_start, h_end) - h_start for side in (top, bottom))
        sides = [side for pair in zip(across, down, strict=True) for side in pair]
        return {**bounding_boxes, "boxes": jnp.concatenate(sides, axis=-1)}

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        height = 1 + self._uniform((shape[0], 1), *self._height_range, seed)
        width = height if self._width_range is None else 1 + self._uniform((shape[0], 1), *self._width_range, seed)
        return {"height_zoom": height, "width_zoom": width}

    def _map(self, drawn: Drawn, height: int, width: int) -> tuple[jax.Array, ...]:
        down, across = drawn["height_zoom"][:, 0], drawn["width_zoom"][:, 0]
        zero = jnp.zeros_like(down)
        return across, zero, (width - 1) / 2 * (1 - across), zero, down, (height - 1) / 2 * (1 - down)


class RandomTranslation(_Shifting):
    """Moves each image during training.

    Args:
        height_factor: maximum distance down as a fraction of the height; a number `f` draws from `-f` to `f`. Two
            numbers are the minimum and the maximum.
        width_factor: maximum distance to the right as a fraction of the width, likewise.
        fill_mode: how points outside the boundaries are filled: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `RandomRotation`.

    Example:

        y = cornu.layers.RandomTranslation(0.2, 0.2, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height_range = factor_range(height_factor, "height_factor", self, strict=True)
        self._width_range = factor_range(width_factor, "width_factor", self, strict=True)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        down = self._uniform((shape[0], 1), *self._height_range, seed) * shape[1]
        across = self._uniform((shape[0], 1), *self._width_range, seed) * shape[2]
        return {"translations": jnp.concatenate([across, down], axis=1)}  # in pixels

    def _map(self, drawn: Drawn, height: int, width: int) -> tuple[jax.Array, ...]:
        across, down = drawn["translations"].T
        one, zero = jnp.ones_like(down), jnp.zeros_like(down)
        return one, zero, -across, zero, one, -down


class RandomShear(_Shifting):
    """Shears each image during training, horizontally and vertically.

    Pixel `(x, y)` of the result shows `(x + a y, b x + y)` of the image.

    Args:
        x_factor: horizontal shift per row, from 0 to 1: a number `f` draws from `-f` to `f`, two numbers are the
            minimum and the maximum; half of the images are sheared in the opposite direction. Defaults to 0.0.
        y_factor: vertical shift per column, likewise. Defaults to 0.0.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: how points outside the boundaries are filled: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomRotation`.

    Example:

        y = cornu.layers.RandomShear(0.2, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        x_factor: float | Sequence[float] = 0.0,
        y_factor: float | Sequence[float] = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.x_factor = factor_range(x_factor, "x_factor", self, strict=True)
        self.y_factor = factor_range(y_factor, "y_factor", self, strict=True)

    def get_config(self) -> ConfigDict:
        """The arguments, with symmetric bounds as a single number: Keras does not accept negative ones."""
        factors = {"x_factor": self.x_factor, "y_factor": self.y_factor}
        return super().get_config() | {k: high if low == -high else (low, high) for k, (low, high) in factors.items()}

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        one_each = (shape[0], 1)
        sign = jnp.where(self._uniform(one_each, 0.0, 1.0, seed) > 0.5, -1.0, 1.0)
        y = self._uniform(one_each, *self.y_factor, seed)
        x = self._uniform(one_each, *self.x_factor, seed)
        return {"shear_factor": jnp.concatenate([x, y], axis=1) * sign}

    def _map(self, drawn: Drawn, height: int, width: int) -> tuple[jax.Array, ...]:
        x, y = drawn["shear_factor"].T
        one, zero = jnp.ones_like(x), jnp.zeros_like(x)
        return one, x, zero, y, one, zero


__all__ = ["RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom"]
