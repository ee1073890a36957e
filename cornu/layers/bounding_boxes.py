"""Bounding boxes in images: their formats, and how they change when an image is cropped, resized or flipped.

Every format is converted to corners `left, top, right, bottom` in pixels, transformed, and converted back.
"""

from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import AnyFunction, Tensor

# For each format, how its four numbers become left, top, right, bottom, and how those become its own again.
_FORMS: dict[str, tuple[AnyFunction, AnyFunction]] = {
    "xyxy": (lambda x, y, r, b: (x, y, r, b), lambda x, y, r, b: (x, y, r, b)),
    "yxyx": (lambda y, x, b, r: (x, y, r, b), lambda x, y, r, b: (y, x, b, r)),
    "xywh": (lambda x, y, w, h: (x, y, x + w, y + h), lambda x, y, r, b: (x, y, r - x, b - y)),
    "center_xywh": (
        lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
        lambda x, y, r, b: ((x + r) / 2, (y + b) / 2, r - x, b - y),
    ),
    "center_yxhw": (
        lambda y, x, h, w: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
        lambda x, y, r, b: ((y + b) / 2, (x + r) / 2, b - y, r - x),
    ),
}
Boxes: TypeAlias = dict[str, Any]
"""The corners of boxes, "boxes", their classes, "labels", and any other data about them."""

Corners: TypeAlias = tuple[jax.Array, ...]
"""Left, top, right and bottom, as separate arrays."""

FORMATS = (*_FORMS, *(f"rel_{name}" for name in _FORMS))


def is_relative(form: str) -> bool:
    """Whether a format uses fractions of the image's width and height."""
    return form.startswith("rel_")


def read(boxes: jax.Array, form: str, height: Tensor = 1, width: Tensor = 1) -> Corners:
    """Left, top, right and bottom of boxes, in pixels of an image of the given size, each of shape `(...)`.

    Args:
        boxes: of shape `(..., 4)`.
        form: one of `FORMATS`.
        height, width: size of the image, for relative formats.
    """
    corners = _FORMS[form.removeprefix("rel_")][0](*jnp.moveaxis(boxes, -1, 0))
    return _times(corners, height, width) if is_relative(form) else corners


def written(corners: Corners, form: str, height: Tensor = 1, width: Tensor = 1) -> jax.Array:
    """Boxes in a format, of shape `(..., 4)`: the inverse of `read`."""
    corners = _times(corners, 1 / height, 1 / width) if is_relative(form) else corners
    four = _FORMS[form.removeprefix("rel_")][1](*corners)
    kind = jnp.result_type(*four)  # dividing integers by two would truncate
    return jnp.stack([number.astype(kind) for number in four], axis=-1)


def check(boxes: object, form: str | None, owner: object) -> None:
    """Raise unless `boxes` is a dictionary with "boxes" and "labels", and their format is known."""
    if form is None:
        raise ValueError(
            f"{validate.describe(owner)}: bounding_boxes need a format, for example "
            'bounding_box_format="xyxy". Received: bounding_box_format=None.'
        )
    if not isinstance(boxes, dict) or not {"boxes", "labels"} <= set(boxes):
        received = sorted(boxes) if isinstance(boxes, dict) else type(boxes).__name__
        raise ValueError(
            f'{validate.describe(owner)}: bounding_boxes must be a dictionary of "boxes" and "labels". '
            f"Received: {received}."
        )


def moved(boxes: Boxes, form: str | None, before: tuple[int, int], after: tuple[int, int], move: AnyFunction) -> Boxes:
    """`boxes` after `move`, which takes and returns left, top, right and bottom in pixels.

    Args:
        boxes: "boxes" of shape `(..., 4)` and "labels" of shape `(...)`; other entries are passed through.
        form: one of `FORMATS`.
        before: height and width of the image.
        after: those of the transformed image. Boxes are clipped to it; a box of which nothing is left gets the label -1
            and corners 0.
        move: the transformation.
    """
    form = cast(str, form)  # checked together with the boxes
    floats = jnp.asarray(boxes["boxes"], jnp.result_type(boxes["boxes"], "float32"))
    corners = inside(move(*read(floats, form, *before)), *after)
    kept = has_area(corners)
    corners = tuple(jnp.where(kept, c, jnp.zeros_like(c)) for c in corners)
    labels = jnp.asarray(boxes["labels"])
    labels = jnp.where(kept, labels, jnp.full_like(labels, -1))
    return {**boxes, "boxes": written(corners, form, *after), "labels": labels}


def projected(boxes: Boxes, transform: jax.Array) -> AnyFunction:
    """The transformation (see `moved`) of boxes in images sampled by a projective map: bounding boxes of mapped
    corners.

    Args:
        boxes: the boxes to be transformed.
        transform: `(batch, 8)`, as in `ops.image.affine_transform`: it maps pixels of the result to pixels of the
            image. Boxes are mapped the other way. Pixel `i` covers `i` to `i + 1`; its center is mapped.
    """
    one = jnp.ones_like(transform[:, :1])
    matrices = jnp.linalg.inv(jnp.concatenate([transform, one], axis=1).reshape(-1, 3, 3))
    if jnp.ndim(boxes["boxes"]) < 3:  # those of a single image
        matrices = matrices[0]
    entries = jnp.moveaxis(matrices[..., None], (-3, -2), (0, 1))  # (3, 3, batch, 1)

    def point(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        along, down, scale = (row[0] * (x - 0.5) + row[1] * (y - 0.5) + row[2] for row in entries)
        return along / scale + 0.5, down / scale + 0.5

    def move(left: jax.Array, top: jax.Array, right: jax.Array, bottom: jax.Array) -> tuple[jax.Array, ...]:
        empty = (right <= left) | (bottom <= top)  # must stay empty, although rounding might give it an area
        low, high, right, bottom = hull((left, top, right, bottom), point)
        return low, high, jnp.where(empty, low, right), jnp.where(empty, high, bottom)

    return move


def hull(corners: Corners, point: AnyFunction) -> Corners:
    """The bounding boxes of the four corners of each box after `point`, which maps x and y."""
    left, top, right, bottom = corners
    moved_corners = [point(x, y) for x in (left, right) for y in (top, bottom)]
    x, y = (jnp.stack(axis) for axis in zip(*moved_corners, strict=True))
    return jnp.min(x, axis=0), jnp.min(y, axis=0), jnp.max(x, axis=0), jnp.max(y, axis=0)


def has_area(corners: Corners) -> jax.Array:
    """Whether each box has a positive area."""
    left, top, right, bottom = corners
    return (right > left) & (bottom > top)


def inside(corners: Corners, height: Tensor, width: Tensor) -> Corners:
    """The boxes clipped to an image of the given size."""
    left, top, right, bottom = corners
    return jnp.clip(left, 0, width), jnp.clip(top, 0, height), jnp.clip(right, 0, width), jnp.clip(bottom, 0, height)


def _times(corners: Corners, height: Tensor, width: Tensor) -> Corners:
    left, top, right, bottom = corners
    return left * width, top * height, right * width, bottom * height
