"""Resizing images to a fixed size: by scaling, a center crop, or a random crop."""

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import ops, validate
from cornu.core.typing import AnyFunction
from cornu.layers import bounding_boxes as boxes_of
from cornu.layers.bounding_boxes import Boxes
from cornu.layers.image_layer import Drawn, ImageLayer, RandomImageLayer
from cornu.layers.options import BoxOptions
from cornu.random.seed_generator import SeedLike

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class Resizing(ImageLayer):
    """Scales images to a fixed height and width; integers remain integers.

    Args:
        height: height of the result in pixels.
        width: width of the result in pixels.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: whether to center-crop images to the aspect ratio of the result first. Defaults to False.
        pad_to_aspect_ratio: whether to pad images to that aspect ratio first, equally on both sides: an odd number of
            rows or columns is rounded down. Defaults to False.
        fill_mode: padding mode, must be `"constant"`.
        fill_value: padding value. Defaults to 0.0.
        antialias: whether to average over all pixels when downscaling. Defaults to False.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same with the new height and width.

    Example:

        print(cornu.layers.Resizing(4, 6)(np.ones((1, 8, 8, 3))).shape)  # (1, 4, 6, 3)
    """

    _keeps_integers = True
    _always = True
    _moves_pixels = True

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height = validate.positive_int(height, "height", self)
        self.width = validate.positive_int(width, "width", self)
        self.interpolation = validate.one_of(interpolation, _INTERPOLATIONS, "interpolation", self)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"{validate.describe(self)}: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True."
            )
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode = validate.one_of(fill_mode, ("constant",), "fill_mode", self)
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return self._resized(images, self.interpolation, self.antialias, self.fill_value)

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._resized(masks, "nearest", False, 0)

    def _resized(self, images: jax.Array, interpolation: str, antialias: bool, fill_value: float) -> jax.Array:
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            antialias=antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=fill_value,
            data_format="channels_last",
        )

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        before, after = drawn["input_shape"][1:3], (self.height, self.width)
        height, width = before
        seen = _window(height, width, after, self.crop_to_aspect_ratio, self.pad_to_aspect_ratio)
        return boxes_of.moved(boxes, self.bounding_box_format, before, after, _scaling(seen, after))


def _window(height: int, width: int, size: tuple[int, int], crop: bool, pad: bool) -> tuple[int, int, int, int]:
    """The part of an image that `ops.image.resize` uses: top, left, height and width, exceeding the image if it
    pads."""
    tall, wide = max(1, width * size[0] // size[1]), max(1, height * size[1] // size[0])
    if crop:
        rows, columns = min(height, tall), min(width, wide)
        return (height - rows) // 2, (width - columns) // 2, rows, columns
    if pad:
        above, before = max(tall - height, 0) // 2, max(wide - width, 0) // 2
        return -above, -before, height + 2 * above, width + 2 * before
    return 0, 0, height, width


def _scaling(window: tuple[int, int, int, int], size: tuple[int, int]) -> AnyFunction:
    """The transformation of boxes in a window that is scaled to `size`."""
    top, left, height, width = window
    down, across = size[0] / height, size[1] / width

    def move(x: jax.Array, y: jax.Array, right: jax.Array, bottom: jax.Array) -> tuple[jax.Array, ...]:
        return (x - left) * across, (y - top) * down, (right - left) * across, (bottom - top) * down

    return move


class _Crop:
    """A window of `height` and `width` at `_corner`; an image that is too small is resized instead."""

    _moves_pixels = True
    height: int
    width: int
    bounding_box_format: str | None

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return shape[1] >= self.height and shape[2] >= self.width

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return self._window(images, drawn, "bilinear")

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._window(masks, drawn, "nearest")

    def _window(self, images: jax.Array, drawn: Drawn, interpolation: str) -> jax.Array:
        size = (self.height, self.width)
        if not self._fits(drawn["input_shape"]):
            return ops.image.resize(images, size, interpolation, crop_to_aspect_ratio=True, data_format="channels_last")
        corner = (0, drawn["top"], drawn["left"], 0)
        return jax.lax.dynamic_slice(images, corner, (images.shape[0], *size, images.shape[3]))

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        before, after = drawn["input_shape"][1:3], (self.height, self.width)
        height, width = before
        cut = self._fits(drawn["input_shape"])
        seen = (drawn["top"], drawn["left"], *after) if cut else _window(height, width, after, crop=True, pad=False)
        return boxes_of.moved(boxes, self.bounding_box_format, before, after, _scaling(seen, after))


class CenterCrop(_Crop, ImageLayer):
    """Crops the center of images.

    An image that is smaller than the window is scaled and then cropped, so that it fills the window.

    Args:
        height: height of the window in pixels.
        width: width of the window in pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `Resizing`.

    Example:

        print(cornu.layers.CenterCrop(4, 6)(np.ones((1, 8, 8, 3))).shape)  # (1, 4, 6, 3)
    """

    pure_call = rowwise = changes_images = True
    _always = True

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Unpack[BoxOptions]):
        super().__init__(data_format=data_format, **kwargs)
        self.height = validate.positive_int(height, "height", self)
        self.width = validate.positive_int(width, "width", self)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        if not self._fits(shape):
            return {}
        return {"top": (shape[1] - self.height) // 2, "left": (shape[2] - self.width) // 2}


class RandomCrop(_Crop, RandomImageLayer):
    """Crops images during training, at a random position for each batch.

    An image that is smaller than the window is scaled and then center-cropped, so that it fills the window. Outside
    training, images are returned unchanged.

    Args:
        height: height of the window in pixels.
        width: width of the window in pixels.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        name: name.

    Input shape and output shape:
        As `Resizing`.

    Example:

        crop = cornu.layers.RandomCrop(4, 6, seed=1)
        print(crop(np.ones((1, 8, 8, 3)), training=True).shape)  # (1, 4, 6, 3)
    """

    pure_call = rowwise = changes_images = True

    def __init__(
        self,
        height: int,
        width: int,
        seed: SeedLike = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = validate.positive_int(height, "height", self)
        self.width = validate.positive_int(width, "width", self)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        if not self._fits(shape):
            return {}
        free = {"top": shape[1] - self.height, "left": shape[2] - self.width}
        draws = {name: self._uniform((), 0.0, 1.0, seed) * (room + 1) for name, room in free.items()}
        return {name: jnp.minimum(draw.astype("int32"), free[name]) for name, draw in draws.items()}


__all__ = ["CenterCrop", "RandomCrop", "Resizing"]
