"""The same number of boxes for every image."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import Nested, Tensor
from cornu.layers.image_layer import Drawn, ImageLayer
from cornu.layers.options import ImageOptions


class MaxNumBoundingBoxes(ImageLayer):
    """Truncates or pads the boxes of each image to a fixed number, so that images can be batched.

    The layer is also active outside training. Images, labels and masks are left unchanged.

    Args:
        max_number: number of boxes; the first ones of each image are kept.
        fill_value: coordinates and labels of added boxes. Defaults to -1.

    Input shape:
        A dictionary of "images" and "bounding_boxes", a dictionary of "boxes", `(batch, boxes, 4)` or `(boxes, 4)`, and
        "labels", `(batch, boxes)` or `(boxes,)`.

    Output shape:
        The same, with `max_number` boxes.

    Example:

        layer = cornu.layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
        boxes = {"boxes": np.ones((1, 2, 4)), "labels": np.ones((1, 2))}
        print(layer({"images": np.ones((1, 8, 8, 3)), "bounding_boxes": boxes})["bounding_boxes"]["labels"])
    """

    pure_call = rowwise = True
    _always = True
    _keeps_integers = True

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Unpack[ImageOptions]):
        super().__init__(**kwargs)
        self.max_number = validate.positive_int(max_number, "max_number", self)
        self.fill_value = validate.integer(fill_value, "fill_value", self)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: Tensor, transformation: Drawn | None = None, training: bool = True
    ) -> Nested:
        """The boxes, truncated or padded; entries other than "boxes" and "labels" are passed through."""
        given = {name: jnp.asarray(bounding_boxes[name]) for name in ("boxes", "labels")}
        sized = {"boxes": self._sized(given["boxes"], -2), "labels": self._sized(given["labels"], -1)}
        return {**bounding_boxes, **sized}

    def _sized(self, x: jax.Array, axis: int) -> jax.Array:
        kept = jax.lax.slice_in_dim(x, 0, min(x.shape[axis], self.max_number), axis=axis)
        pads = [(0, 0)] * x.ndim
        pads[axis] = (0, self.max_number - kept.shape[axis])
        return jnp.pad(kept, pads, constant_values=self.fill_value)


__all__ = ["MaxNumBoundingBoxes"]
