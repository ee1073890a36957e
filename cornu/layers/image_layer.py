"""The base of image augmentation layers: batches or single images, both data formats, labels, boxes, masks.

A layer draws the parameters of a transformation (`get_random_transformation`), then applies it to each of its inputs.
Subclasses implement `_draw`, which generates the random numbers, and `_changed`, which applies them to a batch of
channels-last images.
"""

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import AnyFunction, AnyTuple, Nested, Tensor
from cornu.layers import bounding_boxes as boxes_of
from cornu.layers.bounding_boxes import Boxes
from cornu.layers.layer import Layer
from cornu.layers.options import BoxOptions, ImageOptions, LayerOptions
from cornu.random.seed_generator import SeedLike, generator_of, given_seed

Drawn: TypeAlias = dict[str, Any]
"""The parameters of a transformation: the shape of the images, "input_shape", and random numbers by name."""


class ImageLayer(Layer):
    """The base of layers that transform images; subclasses implement `_changed`.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        bounding_box_format: format of bounding boxes, such as `"xyxy"` or `"rel_xywh"`; required if there are any.
    """

    pure_call = changes_images = True
    rowwise: bool | str = True
    hooks = frozenset({"_changed", "_changed_boxes", "_changed_masks", "_draw", "_map", "_transform"})
    config_optional: tuple[str, ...] = (*Layer.config_optional, "bounding_box_format")
    _keeps_integers = False  # whether integer images keep their dtype instead of the compute dtype
    _always = False  # whether the layer is also active outside training
    _moves_pixels = False  # whether boxes and masks must be transformed too

    def __init__(
        self, data_format: str | None = None, bounding_box_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ):
        kwargs.setdefault("autocast", False)  # boxes and labels keep their precision: see transform_images
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        if bounding_box_format is not None:
            validate.one_of(bounding_box_format, boxes_of.FORMATS, "bounding_box_format", self)
        self.bounding_box_format = bounding_box_format

    def call(self, data: Any, training: bool = True) -> Nested:
        """The transformed images, or a dictionary of them and the data that belongs to them."""
        given = self._checked(data)
        drawn = self.get_random_transformation(given, training)
        changes: dict[str, AnyFunction] = {
            "images": self.transform_images,
            "labels": self.transform_labels,
            "bounding_boxes": self.transform_bounding_boxes,
            "segmentation_masks": self.transform_segmentation_masks,
        }
        results = {k: changes[k](v, drawn, training) if k in changes else v for k, v in given.items()}
        return results if isinstance(data, dict) else results["images"]

    def _checked(self, data: object) -> dict[str, Any]:
        """The inputs as a dictionary of consistent parts."""
        if not isinstance(data, dict):
            return {"images": self._ranked(data)}
        if "images" not in data:
            raise ValueError(
                f'{validate.describe(self)}: a dictionary of inputs must have the key "images". '
                f"Received: keys {sorted(data)}."
            )
        images = self._ranked(data["images"])
        if "bounding_boxes" in data:
            boxes_of.check(data["bounding_boxes"], self.bounding_box_format, self)
        masks = data.get("segmentation_masks")
        if masks is not None and self._moves_pixels and masks.ndim != images.ndim:
            raise ValueError(
                f"{validate.describe(self)}: segmentation_masks must have as many axes as the images, the last one "
                f"for the classes. Received: shapes {masks.shape} and {images.shape}."
            )
        return data

    def _ranked(self, images: Tensor) -> Tensor:
        if not hasattr(images, "ndim") or images.ndim not in (3, 4):
            shape = getattr(images, "shape", None)
            raise ValueError(
                f"{validate.describe(self)}: images must have 3 axes (one image) or 4 (a batch). "
                f"Received: {type(images).__name__ if shape is None else f'shape {tuple(shape)}'}."
            )
        return images

    # ------------------------------------------------------------ drawing

    def get_random_transformation(self, data: object, training: bool = True, seed: SeedLike = None) -> Drawn | None:
        """The transformation of `data`, the images or a dictionary containing them; None if there is nothing to do.

        Args:
            data: the inputs of a call.
            training: whether this is training.
            seed: source of random numbers; None uses the layer's own.

        Returns:
            "input_shape", `(batch, height, width, channels)`, and the random numbers by name.
        """
        if not (training or self._always):
            return None
        batch, _ = self._as_batch(self._checked(data)["images"])
        return {"input_shape": batch.shape, **self._draw(batch.shape, seed, training)}

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {}

    # ------------------------------------------------------------ applying

    def transform_images(self, images: Tensor, transformation: Any = None, training: bool = True) -> jax.Array:
        """The transformed images; without a `transformation` one is drawn."""
        if transformation is None:
            transformation = self.get_random_transformation(images, training)
        images = jnp.asarray(images)
        if not (self._keeps_integers and jnp.issubdtype(images.dtype, jnp.integer)):
            images = images.astype(self.compute_dtype)
        return self._with_channels_last(images, lambda batch: self._changed(batch, transformation), transformation)

    def transform_labels(self, labels: Tensor, transformation: Drawn | None = None, training: bool = True) -> Tensor:
        """The labels, unchanged: a transformed image shows the same object."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Tensor, transformation: Any, training: bool = True
    ) -> Nested:
        """The masks, transformed like the images."""
        if not self._moves_pixels:
            return segmentation_masks
        return self._with_channels_last(
            jnp.asarray(segmentation_masks), lambda batch: self._changed_masks(batch, transformation), transformation
        )

    def transform_bounding_boxes(
        self, bounding_boxes: Tensor, transformation: Drawn | None, training: bool = True
    ) -> Nested:
        """The boxes, transformed like the images."""
        if not self._moves_pixels or transformation is None:
            return bounding_boxes
        return self._changed_boxes(bounding_boxes, transformation)

    def transform_single_image(self, image: Tensor, transformation: Drawn | None, training: bool = True) -> jax.Array:
        """A single transformed image."""
        return self.transform_images(image, transformation, training)

    def transform_single_label(self, label: Tensor, transformation: Drawn | None, training: bool = True) -> Tensor:
        """The label of one image."""
        return self.transform_labels(label, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: object, transformation: Drawn | None, training: bool = True
    ) -> Nested:
        """The boxes of one image."""
        return self.transform_bounding_boxes(bounding_box, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Tensor, transformation: Drawn | None, training: bool = True
    ) -> Tensor:
        """The mask of one image."""
        return self.transform_segmentation_masks(segmentation_mask, transformation, training)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        """The images, `(batch, height, width, channels)`, after the drawn transformation."""
        raise NotImplementedError

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        raise self._refusal("segmentation_masks")

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        raise self._refusal("bounding_boxes")

    def _refusal(self, kind: str) -> ValueError:
        return ValueError(
            f"{validate.describe(self)} moves pixels but cannot transform {kind}. Remove this layer, or pass only "
            f"images and labels. Received: {kind}."
        )

    # ------------------------------------------------------------ shapes

    def _as_batch(self, images: Tensor) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
        """Images as a channels-last batch, and the function that converts results back to the form of the input."""
        images = jnp.asarray(images)
        single = images.ndim == 3
        first = self.data_format == "channels_first"
        batch = images[None] if single else images

        def restore(result: jax.Array) -> jax.Array:
            result = jnp.moveaxis(result, -1, 1) if first else result
            return result[0] if single else result

        return (jnp.moveaxis(batch, 1, -1) if first else batch), restore

    def _with_channels_last(self, images: jax.Array, change: AnyFunction, transformation: Drawn | None) -> jax.Array:
        if transformation is None:
            return images
        batch, restore = self._as_batch(images)
        return restore(change(batch))

    def convert_weight(self, weight: object) -> object:
        """The weight unchanged, since it fits inputs of any dtype."""
        return weight


class RandomImageLayer(ImageLayer):
    """A layer that randomly transforms each image during training, and otherwise returns images unchanged.

    Args:
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
    """

    def __init__(self, seed: SeedLike = None, **kwargs: Unpack[ImageOptions]):
        super().__init__(**kwargs)
        self.seed = given_seed(seed, self)
        self.generator = generator_of(seed)

    def _uniform(self, shape: Sequence[Any], low: object, high: object, seed: SeedLike) -> jax.Array:
        """Uniformly distributed numbers from `low` to `high`."""
        return random.uniform(shape, low, high, "float32", self.generator if seed is None else seed)

    def _chosen(self, count: object, bounds: tuple[float, float], seed: SeedLike) -> jax.Array:
        """Which of `count` images to change, each with a probability drawn between `bounds`; shape `(count,)`."""
        probability = self._uniform((count,), *bounds, seed)
        return self._uniform((count,), 0.0, 1.0, seed) < probability


class RandomValueLayer(RandomImageLayer):
    """A layer that changes pixel values at random, within `value_range`.

    Args:
        value_range: the minimum and the maximum pixel value.
    """

    def __init__(self, value_range: Sequence[float] = (0, 255), **kwargs: Any):
        super().__init__(**kwargs)
        self.value_range = pixel_range(value_range, self)

    @property
    def _span(self) -> float:
        return self.value_range[1] - self.value_range[0]

    def _signs(self, shape: Sequence[Any], seed: SeedLike) -> jax.Array:
        """1 or -1 with equal probability."""
        return jnp.where(self._uniform(shape, 0.0, 1.0, seed) > 0.5, -1.0, 1.0)


class FactorLayer(RandomValueLayer):
    """A layer that changes the values of each image by a random `factor` between `_lowest` and 1."""

    _lowest = -1.0

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=self._lowest)


def each(values: jax.Array, like: Tensor) -> jax.Array:
    """One number per image, `(batch,)`, with trailing axes of size 1 so that it broadcasts to `like`."""
    return values.reshape((-1, *(1,) * (like.ndim - 1)))


def factor_range(
    value: object, name: str, owner: object, lowest: float = -1.0, highest: float = 1.0, strict: bool = False
) -> tuple[float, float]:
    """Bounds of a random factor: two numbers in order, or one number for its negative and itself.

    If negative factors are meaningless (`lowest` is 0 or more), a single number means `lowest` to that number. One of
    two numbers may exceed the limits, as in Keras, unless `strict`.
    """
    pair: AnyTuple | None
    if validate.is_real(value):
        pair, fits = ((-abs(value), abs(value)) if lowest < 0 else (lowest, value)), lowest <= value <= highest
    else:
        pair = pair_of_numbers(value)
        fits = pair is not None and pair[0] <= highest and pair[1] >= lowest
        fits = fits and (not strict or all(lowest <= x <= highest for x in pair or ()))
    if pair is None or not fits:
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be a number, or two numbers, from {lowest:g} to {highest:g}. "
            f"Received: {name}={validate.shown(value)}."
        )
    low, high = sorted(pair)
    return low, high


def pixel_range(value: object, owner: object) -> tuple[float, float]:
    """The minimum and the maximum pixel value."""
    pair = pair_of_numbers(value)
    if pair is None or not pair[0] < pair[1]:
        raise ValueError(
            f"{validate.describe(owner)}: value_range must be two numbers, the minimum and the maximum value of a "
            f"pixel. Received: value_range={validate.shown(value)}."
        )
    return pair


def rescaled(x: jax.Array, before: tuple[float, float], after: tuple[float, float]) -> jax.Array:
    """Values rescaled from the range `before` to the range `after`."""
    if tuple(before) == tuple(after):
        return x
    return (x - before[0]) * ((after[1] - after[0]) / (before[1] - before[0])) + after[0]


def pair_of_numbers(value: Any) -> tuple[Any, Any] | None:
    """A list or tuple of two numbers as a tuple; None for anything else."""
    good = isinstance(value, (list, tuple)) and len(value) == 2
    return tuple(value) if good and all(isinstance(x, numbers.Real) and math.isfinite(x) for x in value) else None
