"""Random flips of images."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.layers import bounding_boxes as boxes_of
from cornu.layers.bounding_boxes import Boxes
from cornu.layers.image_layer import Drawn, RandomImageLayer
from cornu.layers.options import BoxOptions
from cornu.random.seed_generator import SeedLike

_MODES = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (1, 2)}


class RandomFlip(RandomImageLayer):
    """Flips each image during training with probability 1/2.

    Args:
        mode: `"horizontal"` swaps left and right, `"vertical"` top and bottom, `"horizontal_and_vertical"` both.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        flip = cornu.layers.RandomFlip("horizontal", seed=1)
        y = flip(np.arange(4.0).reshape(1, 1, 4, 1), training=True)
    """

    _moves_pixels = True

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = validate.one_of(mode, tuple(_MODES), "mode", self)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"flips": self._uniform((shape[0], 1, 1, 1), 0.0, 1.0, seed) < 0.5}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return jnp.where(drawn["flips"], jnp.flip(images, _MODES[self.mode]), images)

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._changed(masks, drawn)

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        height, width = size = drawn["input_shape"][1:3]
        given = jnp.asarray(boxes["boxes"])
        flips = drawn["flips"].reshape((-1, 1) if given.ndim == 3 else ())
        across, down = (flips & (axis in _MODES[self.mode]) for axis in (2, 1))

        def move(left: jax.Array, top: jax.Array, right: jax.Array, bottom: jax.Array) -> tuple[jax.Array, ...]:
            return (
                jnp.where(across, width - right, left),
                jnp.where(down, height - bottom, top),
                jnp.where(across, width - left, right),
                jnp.where(down, height - top, bottom),
            )

        return boxes_of.moved(boxes, self.bounding_box_format, size, size, move)


__all__ = ["RandomFlip"]
