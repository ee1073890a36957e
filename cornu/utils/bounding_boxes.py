"""Bounding boxes in images: their formats, how they change with the image, and how well they match.

Four numbers define a box. In `"xyxy"` they are its left, top, right and bottom sides in pixels, in `"yxyx"` top, left,
bottom and right; `"xywh"` uses the corner and the size, `"center_xywh"` and `"center_yxhw"` the center and the size.
With the prefix `"rel_"`, a format uses fractions of the image's width and height. Formats are case-insensitive.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate
from cornu.core import border
from cornu.core.tracebacks import filtered
from cornu.core.typing import DTypeLike, Nested, ShapeLike, Tensor
from cornu.layers import bounding_boxes as forms
from cornu.layers.bounding_boxes import Boxes, Corners

_ENCODINGS = ("center_xywh", "center_yxhw")


@filtered
def convert_format(
    boxes: object,
    source: str,
    target: str,
    height: Tensor | None = None,
    width: Tensor | None = None,
    dtype: DTypeLike = "float32",
) -> Nested:
    """Convert boxes to another format.

    Args:
        boxes: array of shape `(..., 4)`, or a dictionary with such an array under "boxes", whose other entries are
            kept.
        source: the current format, such as `"xyxy"` (see `cornu.utils.bounding_boxes`).
        target: the new format.
        height, width: size of the image in pixels, or arrays of shape `(batch,)`; required if one of the formats is
            relative and the other is not. None by default.
        dtype: dtype of the numbers for the computation. Defaults to `"float32"`.

    Returns:
        An array of shape `(..., 4)`, or a dictionary with it. Halves of integers are floats.

    Example:

        boxes = np.array([[10, 20, 30, 60]])
        print(cornu.utils.bounding_boxes.convert_format(boxes, "xyxy", "center_xywh"))  # [[20. 40. 20. 40.]]
    """
    owner = "convert_format"
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(_entry(boxes, owner), source, target, height, width, dtype)}
    numbers = _numbers(boxes, "boxes", owner).astype(dtype)
    source, target = _format(source, "source", owner), _format(target, "target", owner)
    if source == target:
        return numbers
    if forms.is_relative(source) == forms.is_relative(target):
        height = width = 1  # it cancels out
    height, width = _per_image(height, numbers.ndim), _per_image(width, numbers.ndim)
    return forms.written(_corners(numbers, source, height, width, owner), target, *_size(target, height, width, owner))


@filtered
def clip_to_image_size(
    bounding_boxes: Boxes,
    height: Tensor | None = None,
    width: Tensor | None = None,
    bounding_box_format: str = "xyxy",
) -> Boxes:
    """Clip boxes to the image. The label of a box that is completely outside becomes -1.

    Args:
        bounding_boxes: dictionary of "boxes", of shape `(..., 4)`, and "labels", of shape `(...)`. Other entries are
            kept.
        height, width: size of the image in pixels; not needed for relative formats. None by default.
        bounding_box_format: format of the boxes. Defaults to `"xyxy"`.

    Returns:
        The dictionary with new "boxes" and "labels".

    Example:

        boxes = {"boxes": np.array([[-10, 5, 30, 50]]), "labels": np.array([2])}
        print(cornu.utils.bounding_boxes.clip_to_image_size(boxes, 40, 60)["boxes"])  # [[0 5 30 40]]
    """
    owner = "clip_to_image_size"
    forms.check(bounding_boxes, bounding_box_format, owner)
    form = _format(bounding_box_format, "bounding_box_format", owner)
    size = (1, 1) if forms.is_relative(form) else (height, width)
    if None in size:
        raise _needs_size(form, height, width, owner)
    corners = forms.inside(forms.read(_numbers(bounding_boxes["boxes"], "boxes", owner), _absolute(form)), *size)
    labels = border.to_tensor(bounding_boxes["labels"], owner, "labels")
    labels = jnp.where(forms.has_area(corners), labels, jnp.full_like(labels, -1))
    return {**bounding_boxes, "boxes": forms.written(corners, _absolute(form)), "labels": labels}


@filtered
def crop(
    boxes: Tensor,
    top: Tensor,
    left: Tensor,
    height: Tensor | None,
    width: Tensor | None,
    bounding_box_format: str = "xyxy",
) -> jax.Array:
    """Boxes in a crop of the image: relative to its corner, and clipped to it.

    Args:
        boxes: array of shape `(..., 4)`.
        top, left: corner of the crop, in pixels.
        height, width: size of the crop in pixels; None does not clip at the bottom or on the right.
        bounding_box_format: format of the boxes, which cannot be relative. Defaults to `"xyxy"`.

    Returns:
        An array of the same shape. A box outside the crop has no area.

    Example:

        boxes = np.array([[10, 20, 50, 60]])
        print(cornu.utils.bounding_boxes.crop(boxes, top=10, left=20, height=40, width=25))  # [[0 10 25 40]]
    """
    corners = _moved(boxes, bounding_box_format, -left, -top, "crop")
    return forms.written(forms.inside(corners, height, width), bounding_box_format.lower())


@filtered
def pad(
    boxes: Tensor,
    top: Tensor,
    left: Tensor,
    height: Tensor | None = None,
    width: Tensor | None = None,
    bounding_box_format: str = "xyxy",
) -> jax.Array:
    """Boxes in an image that was padded at the top and on the left.

    Args:
        boxes: array of shape `(..., 4)`.
        top, left: amount of padding, in pixels.
        height, width: size of the image, which has no effect. None by default.
        bounding_box_format: format of the boxes, which cannot be relative. Defaults to `"xyxy"`.

    Returns:
        An array of the same shape.

    Example:

        print(cornu.utils.bounding_boxes.pad(np.array([[10, 20, 50, 60]]), top=1, left=2))  # [[12 21 52 61]]
    """
    return forms.written(_moved(boxes, bounding_box_format, left, top, "pad"), bounding_box_format.lower())


@filtered
def affine_transform(
    boxes: Tensor,
    angle: Tensor,
    translate_x: Tensor,
    translate_y: Tensor,
    scale: Tensor,
    shear_x: Tensor,
    shear_y: Tensor,
    height: Tensor,
    width: Tensor,
    center_x: Tensor | None = None,
    center_y: Tensor | None = None,
    bounding_box_format: str = "xyxy",
) -> jax.Array:
    """The bounding boxes of boxes in an image that is translated, rotated, sheared and scaled, in this order.

    Args:
        boxes: array of shape `(boxes, 4)`, or `(batch, boxes, 4)`.
        angle: in degrees, counterclockwise; this and the following arguments are numbers, or arrays of shape
        `(batch,)`.
        translate_x, translate_y: to the right and down, as fractions of the width and the height minus one pixel.
        scale: scale factor; 2 doubles sizes.
        shear_x, shear_y: shear angles in degrees of vertical and horizontal lines; first y, then x.
        height, width: size of the image in pixels.
        center_x, center_y: the fixed point, in fractions; None is the center, 0.5.
        bounding_box_format: format of the boxes before and after. Defaults to `"xyxy"`.

    Returns:
        An array of the shape of `boxes`. The boxes are not clipped to the image.

    Example:

        boxes = np.array([[0.0, 0.0, 10.0, 20.0]])
        turn = {"angle": 90, "translate_x": 0, "translate_y": 0, "scale": 1, "shear_x": 0, "shear_y": 0}
        print(cornu.utils.bounding_boxes.affine_transform(boxes, **turn, height=21, width=21))  # [[0. 10. 20. 20.]]
    """
    owner = "affine_transform"
    form = _format(bounding_box_format, "bounding_box_format", owner)
    numbers = _numbers(boxes, "boxes", owner).astype("float32")
    center_x, center_y = (0.5 if center is None else center for center in (center_x, center_y))
    told = (angle, translate_x, translate_y, scale, shear_x, shear_y, height, width, center_x, center_y)
    floats = [jnp.asarray(_per_image(one, numbers.ndim), "float32") for one in told]
    angle, move_x, move_y, scale, shear_x, shear_y, height, width, center_x, center_y = floats
    corners = forms.read(numbers, form, height, width)
    across, down = width - 1, height - 1
    radians = math.pi / 180
    cos, sin = jnp.cos(angle * radians), jnp.sin(angle * radians)
    lean, slope = jnp.tan(shear_x * radians), jnp.tan(shear_y * radians)

    def point(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, y = x + (move_x - center_x) * across, y + (move_y - center_y) * down
        x, y = cos * x + sin * y, cos * y - sin * x
        y = y + slope * x
        x = x + lean * y
        return scale * x + center_x * across, scale * y + center_y * down

    return forms.written(forms.hull(corners, point), form, height, width)


@filtered
def compute_iou(
    boxes1: Tensor,
    boxes2: Tensor,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: ShapeLike | None = None,
) -> jax.Array:
    """Intersection over union of each box in one set and each box in another.

    Args:
        boxes1: array of shape `(m, 4)` or `(batch, m, 4)`.
        boxes2: array of shape `(n, 4)` or `(batch, n, 4)`.
        bounding_box_format: format of both.
        use_masking: whether to mask boxes whose four numbers are all negative, as in padding. Defaults to False.
        mask_val: result for pairs with a masked box. Defaults to -1.
        image_shape: `(height, width)` of the image, possibly followed by the channels; needed for relative
            formats. None by default.

    Returns:
        An array of shape `(m, n)` or `(batch, m, n)`, from 0 to 1.

    Example:

        boxes = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0]])
        print(cornu.utils.bounding_boxes.compute_iou(boxes, boxes, "xyxy"))  # [[1. 0.5] [0.5 1.]]
    """
    owner = "compute_iou"
    first, second = (
        _floating_corners(boxes, name, bounding_box_format, image_shape, owner)
        for boxes, name in ((boxes1, "boxes1"), (boxes2, "boxes2"))
    )
    ranks = first[0].ndim, second[0].ndim
    if not set(ranks) <= {1, 2}:
        raise ValueError(
            f"{owner}: boxes1 and boxes2 must have shape (boxes, 4) or (batch, boxes, 4). "
            f"Received: {tuple(first[0].shape)} and {tuple(second[0].shape)} boxes."
        )
    rows, columns = tuple(c[..., :, None] for c in first), tuple(c[..., None, :] for c in second)
    shared = _shared_area(rows, columns)
    union = _area(rows) + _area(columns) - shared
    agreement = shared / (union + settings.epsilon())
    if not use_masking:
        return agreement
    left_out = _is_padding(rows) | _is_padding(columns)
    return jnp.where(left_out, jnp.full_like(agreement, mask_val), agreement)


@filtered
def compute_ciou(
    boxes1: Tensor, boxes2: Tensor, bounding_box_format: str, image_shape: ShapeLike | None = None
) -> jax.Array:
    """The complete IoU of pairs of boxes: their IoU minus penalties for different centers and aspect ratios.

    With the distance d of the centers, the diagonal c of the smallest box enclosing both, and the aspect ratios w / h:

        ciou = iou - d² / c² - v² / (1 - iou + v),    v = 4 / π² (atan(w1 / h1) - atan(w2 / h2))²

    Args:
        boxes1, boxes2: arrays of shapes `(..., 4)` that broadcast.
        bounding_box_format: format of both.
        image_shape: `(height, width)` of the image, possibly followed by the channels; needed for relative
            formats. None by default.

    Returns:
        An array of shape `(...)`: 1 for equal boxes, negative for distant ones.

    Example:

        print(cornu.utils.bounding_boxes.compute_ciou(np.array([0, 0, 4, 4]), np.array([0, 0, 4, 4]), "xyxy"))  # 1.0

    Paper: Zheng et al., 2020, "Distance-IoU Loss", https://arxiv.org/abs/1911.08287.
    """
    first, second = (
        _floating_corners(boxes, name, bounding_box_format, image_shape, "compute_ciou")
        for boxes, name in ((boxes1, "boxes1"), (boxes2, "boxes2"))
    )
    epsilon = settings.epsilon()
    (width1, height1), (width2, height2) = _sides(first), _sides(second)
    height1, height2 = height1 + epsilon, height2 + epsilon
    shared = _shared_area(first, second)
    iou = shared / (width1 * height1 + width2 * height2 - shared + 2 * epsilon)
    across, down = ((f + g - h - k) / 2 for f, g, h, k in _ends(first, second))
    wide, tall = (jnp.maximum(g, k) - jnp.minimum(f, h) for f, g, h, k in _ends(first, second))
    turned = jnp.arctan(width1 / height1) - jnp.arctan(width2 / height2)
    v = 4 / math.pi**2 * turned**2
    return iou - (across**2 + down**2) / (wide**2 + tall**2 + epsilon) - v * v / (v - iou + (1 + epsilon))


@filtered
def encode_box_to_deltas(
    anchors: Tensor,
    boxes: Tensor,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Tensor | None = None,
    image_shape: ShapeLike | None = None,
) -> jax.Array:
    """Boxes relative to anchors: the offset of the centers in units of the anchor's size, and logarithms of the size
    ratios.

    Args:
        anchors: array of shape `(n, 4)`.
        boxes: array of shape `(n, 4)` or `(batch, n, 4)`, one for each anchor.
        anchor_format, box_format: their formats.
        encoding_format: `"center_yxhw"` or `"center_xywh"`, the order of the four numbers. Defaults to
            `"center_yxhw"`.
        variance: four numbers by which the result is divided; None does not divide.
        image_shape: `(height, width)` of the image, possibly followed by the channels; needed for relative
            formats. None by default.

    Returns:
        An array of the shape of `boxes`, which `decode_deltas_to_boxes` converts back to boxes.

    Example:

        anchors, boxes = np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([[1.0, 2.0, 11.0, 12.0]])
        print(cornu.utils.bounding_boxes.encode_box_to_deltas(anchors, boxes, "xyxy", "xyxy"))  # [[0.2 0.1 0. 0.]]
    """
    owner = "encode_box_to_deltas"
    validate.one_of(encoding_format, _ENCODINGS, "encoding_format", owner)
    scale = _variance(variance, owner)
    size = _image_size(image_shape)
    anchor_middles, anchor_sizes = _halves(convert_format(anchors, anchor_format, encoding_format, *size))
    middles, sizes = _halves(convert_format(boxes, box_format, encoding_format, *size))
    least = settings.epsilon()
    anchor_sizes, sizes = jnp.maximum(anchor_sizes, least), jnp.maximum(sizes, least)
    moved = (middles - anchor_middles) / anchor_sizes
    return jnp.concatenate([moved, jnp.broadcast_to(jnp.log(sizes / anchor_sizes), moved.shape)], axis=-1) / scale


@filtered
def decode_deltas_to_boxes(
    anchors: object,
    boxes_delta: object,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Tensor | None = None,
    image_shape: ShapeLike | None = None,
) -> Nested:
    """The boxes given by anchors and the deltas from `encode_box_to_deltas`, or from a network that learned to predict
    them.

    Args:
        anchors: array of shape `(n, 4)`, or a dictionary of such arrays, one for each level.
        boxes_delta: array of shape `(n, 4)` or `(batch, n, 4)`, or a dictionary with the same keys.
        anchor_format: the format of the anchors.
        box_format: format of the resulting boxes.
        encoded_format: `"center_yxhw"` or `"center_xywh"`, the order of the four numbers. Defaults to
            `"center_yxhw"`.
        variance: four numbers by which the deltas are multiplied; None leaves them unchanged.
        image_shape: `(height, width)` of the image, possibly followed by the channels; needed for relative
            formats. None by default.

    Returns:
        An array of the shape of `boxes_delta`, or a dictionary of arrays.

    Example:

        anchors = np.array([[0.0, 0.0, 10.0, 10.0]])
        deltas = np.array([[0.2, 0.1, 0.0, 0.0]])
        print(cornu.utils.bounding_boxes.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy"))  # [[1. 2. 11. 12.]]
    """
    owner = "decode_deltas_to_boxes"
    validate.one_of(encoded_format, _ENCODINGS, "encoded_format", owner)
    scale = _variance(variance, owner)
    if isinstance(anchors, dict):
        if not isinstance(boxes_delta, dict) or set(boxes_delta) != set(anchors):
            told = sorted(map(str, boxes_delta)) if isinstance(boxes_delta, dict) else type(boxes_delta).__name__
            raise ValueError(
                f"{owner}: boxes_delta must be a dictionary with the keys of anchors, {sorted(map(str, anchors))}. "
                f"Received: {told}."
            )
        rest = (anchor_format, box_format, encoded_format, variance, image_shape)
        return {level: decode_deltas_to_boxes(anchors[level], boxes_delta[level], *rest) for level in anchors}
    size = _image_size(image_shape)
    middles, sizes = _halves(convert_format(anchors, anchor_format, encoded_format, *size))
    moved, stretched = _halves(_numbers(boxes_delta, "boxes_delta", owner).astype("float32") * scale)
    middles, sizes = moved * sizes + middles, jnp.exp(stretched) * sizes
    return convert_format(jnp.concatenate([middles, sizes], axis=-1), encoded_format, box_format, *size)


# ---------------------------------------------------------------- arguments


def _entry(boxes: Boxes, owner: str) -> Tensor:
    if "boxes" not in boxes:
        raise ValueError(f'{owner}: boxes must be an array, or a dictionary with "boxes". Received: {sorted(boxes)}.')
    return boxes["boxes"]


def _numbers(boxes: Tensor, name: str, owner: str) -> jax.Array:
    """Boxes as an array of shape `(..., 4)`."""
    numbers = jnp.asarray(border.to_tensor(boxes, owner, name))
    if not numbers.shape or numbers.shape[-1] != 4:
        raise ValueError(f"{owner}: {name} must have shape (..., 4). Received: shape {numbers.shape}.")
    return numbers


def _format(form: str, name: str, owner: str) -> str:
    return validate.one_of(form.lower() if isinstance(form, str) else form, forms.FORMATS, name, owner)


def _absolute(form: str) -> str:
    return form.removeprefix("rel_")


def _size(form: str, height: Tensor | None, width: Tensor | None, owner: str) -> tuple[Tensor, Tensor]:
    """The height and width for converting from or to a format."""
    if not forms.is_relative(form):
        return 1, 1
    if height is None or width is None:
        raise _needs_size(form, height, width, owner)
    return height, width


def _needs_size(form: str, height: Tensor | None, width: Tensor | None, owner: str) -> ValueError:
    return ValueError(
        f'{owner}: "{form}" needs the size of the image: height and width in pixels, or image_shape. '
        f"Received: height={height}, width={width}."
    )


def _corners(boxes: jax.Array, form: str, height: Tensor | None, width: Tensor | None, owner: str) -> Corners:
    return forms.read(boxes, form, *_size(form, height, width, owner))


def _image_size(image_shape: ShapeLike | None) -> tuple[int | None, int | None]:
    """Height and width of a shape that may include channels."""
    return (None, None) if image_shape is None else (image_shape[0], image_shape[1])


def _floating_corners(boxes: Tensor, name: str, form: str, image_shape: ShapeLike | None, owner: str) -> Corners:
    numbers = _numbers(boxes, name, owner).astype("float32")
    return _corners(numbers, _format(form, "bounding_box_format", owner), *_image_size(image_shape), owner)


def _variance(variance: Tensor | None, owner: str) -> jax.Array:
    numbers = jnp.ones(4) if variance is None else jnp.asarray(border.to_tensor(variance, owner, "variance"), "float32")
    if numbers.shape != (4,):
        raise ValueError(f"{owner}: variance must be four numbers. Received: variance={validate.shown(variance)}.")
    return numbers


def _moved(boxes: Tensor, form: str, right: Tensor, down: Tensor, owner: str) -> Corners:
    """The corners of boxes, translated by some pixels."""
    form = _format(form, "bounding_box_format", owner)
    if forms.is_relative(form):
        raise ValueError(
            f"{owner}: bounding_box_format cannot be relative, since the size of the image changes and is not given. "
            f'Received: "{form}". Use convert_format first.'
        )
    x, y, r, b = forms.read(_numbers(boxes, "boxes", owner), form)
    return x + right, y + down, r + right, b + down


def _per_image(number: Tensor | None, rank: int) -> Tensor | None:
    """A number, or one for each image, broadcastable to corners of shape `(boxes,)` or `(batch, boxes)`."""
    number = border.to_tensor(number)
    return number[:, None] if np.ndim(number) == 1 and rank == 3 else number


# ---------------------------------------------------------------- geometry


def _halves(boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Centers and sizes of boxes in a center format."""
    return boxes[..., :2], boxes[..., 2:]


def _sides(corners: Corners) -> tuple[jax.Array, jax.Array]:
    left, top, right, bottom = corners
    return right - left, bottom - top


def _area(corners: Corners) -> jax.Array:
    width, height = _sides(corners)
    return width * height


def _ends(first: Corners, second: Corners) -> list[Corners]:
    """For x and for y: the start and the end of the first box, and of the second."""
    return [(first[i], first[i + 2], second[i], second[i + 2]) for i in (0, 1)]


def _shared_area(first: Corners, second: Corners) -> jax.Array:
    across, down = (jnp.maximum(jnp.minimum(g, k) - jnp.maximum(f, h), 0) for f, g, h, k in _ends(first, second))
    return across * down


def _is_padding(corners: Corners) -> jax.Array:
    left, top, right, bottom = corners
    return (left < 0) & (top < 0) & (right < 0) & (bottom < 0)


__all__ = [
    "affine_transform", "clip_to_image_size", "compute_ciou", "compute_iou", "convert_format", "crop",
    "decode_deltas_to_boxes", "encode_box_to_deltas", "pad",
]  # fmt: skip
