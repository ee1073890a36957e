"""Mixing images, and their labels, with other images of the batch."""

from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import Nested, Tensor
from cornu.layers.image_layer import Drawn, RandomImageLayer, each, factor_range
from cornu.layers.options import BoxOptions
from cornu.layers.random_erasing import window
from cornu.random.seed_generator import SeedLike


class _Mixing(RandomImageLayer):
    """Assigns each image a partner in its batch; "mix_weight" is the weight of the image itself."""

    pure_call = True
    rowwise: bool | str = "inference"
    hooks = frozenset({"transform_bounding_boxes", "transform_segmentation_masks"})

    def _partners(self, count: object, seed: SeedLike) -> jax.Array:
        return random.shuffle(jnp.arange(count), seed=self.generator if seed is None else seed)

    def transform_labels(self, labels: Tensor, transformation: Drawn | None = None, training: bool = True) -> Tensor:
        """The labels, mixed like the images: floats, so class labels must be one-hot."""
        if transformation is None:
            return labels
        labels = jnp.asarray(labels)
        if not jnp.issubdtype(labels.dtype, jnp.floating):
            if labels.ndim < 2:
                raise ValueError(
                    f"{validate.describe(self)}: labels are mixed, so classes must be one-hot, for example by "
                    f"cornu.ops.one_hot(labels, classes). Received: dtype={labels.dtype}, shape={labels.shape}."
                )
            labels = labels.astype(self.compute_dtype)
        return _mixed(labels, transformation)


def _mixed(x: jax.Array, drawn: Drawn) -> jax.Array:
    own = drawn["mix_weight"].reshape(-1)
    own = each(own, x) if x.shape[:1] == own.shape else own[0]  # the label of a single image has no batch axis
    return (own * x + (1 - own) * _partners_of(x, drawn)).astype(x.dtype)


def _partners_of(x: jax.Array, drawn: Drawn) -> jax.Array:
    order = drawn["permutation_order"]
    return x[order] if x.shape[:1] == order.shape else x


class MixUp(_Mixing):
    """Averages each image with another one of its batch during training: `w x + (1 - w) y` (Zhang et al., 2017).

    Labels are averaged in the same way, and so are masks; the boxes of both images are kept.

    Args:
        alpha: positive number: `w` is drawn from Beta(alpha, alpha), whose draws are near 0 or 1 for small `alpha` and
            near 1/2 for large `alpha`. Defaults to 0.2.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape:
        `(batch, height, width, channels)` or with the channels first; or a dictionary of "images" and optionally
        "labels" of shape `(batch, classes)`, "segmentation_masks" and "bounding_boxes". A single image has no partner
        and is returned unchanged.

    Output shape:
        The same, with twice as many boxes.

    Example:

        data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
        mixed = cornu.layers.MixUp(seed=1)(data, training=True)
        print(mixed["labels"].sum(axis=1))  # [1. 1.]
    """

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: SeedLike = None, **kwargs: Unpack[BoxOptions]
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not validate.is_real(alpha) or isinstance(alpha, bool) or not alpha > 0:
            raise ValueError(
                f"{validate.describe(self)}: alpha must be a positive number. Received: alpha={validate.shown(alpha)}."
            )
        self.alpha = alpha

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        source = self.generator if seed is None else seed
        order = self._partners(shape[0], seed)
        weight = random.beta((shape[0],), self.alpha, self.alpha, dtype="float32", seed=source)
        return {"mix_weight": weight, "permutation_order": order}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return _mixed(images, drawn)

    def transform_segmentation_masks(
        self, segmentation_masks: Tensor, transformation: Drawn | None, training: bool = True
    ) -> Tensor:
        """The masks, mixed like the images, in the compute dtype."""
        if transformation is None:
            return segmentation_masks
        return _mixed(jnp.asarray(segmentation_masks, self.compute_dtype), transformation)

    def transform_bounding_boxes(
        self, bounding_boxes: Tensor, transformation: Drawn | None, training: bool = True
    ) -> Nested:
        """The boxes of each image and those of its partner."""
        if transformation is None or jnp.ndim(bounding_boxes["boxes"]) < 3:
            return bounding_boxes
        given = {name: jnp.asarray(x) for name, x in bounding_boxes.items()}
        return {name: jnp.concatenate([x, _partners_of(x, transformation)], axis=1) for name, x in given.items()}


class CutMix(_Mixing):
    """Pastes a rectangle of another image of the batch into each image during training (Yun et al., 2019).

    A fraction `w` of the image, drawn from Beta(alpha, alpha), is kept. Labels become `w x + (1 - w) y`; masks are cut
    like the images. Bounding boxes are not supported.

    Args:
        factor: bounds, from 0 to 1, of `alpha`; a single number means 0 to that number. Defaults to 1.0.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        As `MixUp`, without "bounding_boxes".

    Output shape:
        The same.

    Example:

        data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
        mixed = cornu.layers.CutMix(seed=1)(data, training=True)
        print(mixed["images"].shape)  # (2, 4, 4, 3)
    """

    _moves_pixels = True

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0, strict=True)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        source = self.generator if seed is None else seed
        alpha = jnp.maximum(self._uniform((), *self.factor, seed), 1e-3)  # one for the whole batch
        weight = random.beta((shape[0],), alpha, alpha, dtype="float32", seed=source)
        rest = jnp.stack([1 - weight, 1 - weight], axis=1)
        inside = window(shape, rest, lambda: self._uniform((shape[0],), 0.0, 1.0, seed))
        return {
            "permutation_order": self._partners(shape[0], seed),
            "batch_masks": inside,
            "mix_weight": weight[:, None, None, None],
            "input_shape": shape,
        }

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return jnp.where(drawn["batch_masks"], _partners_of(images, drawn), images)

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._changed(masks, drawn)


__all__ = ["CutMix", "MixUp"]
