"""Boxes and masks drawn on images: arrays in, arrays out."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cornu import validate
from cornu.core import border
from cornu.core.tracebacks import filtered
from cornu.core.typing import Shape, Tensor
from cornu.layers.bounding_boxes import Boxes
from cornu.utils.bounding_boxes import convert_format
from cornu.visualization import images as pictures

_LETTERS = 27  # the height of letters at a scale of 1, in pixels
_GAP = 4  # pixels between a box and its text


@filtered
def draw_bounding_boxes(
    images: Tensor,
    bounding_boxes: Boxes,
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Draw bounding boxes on images, with the names of their classes.

    Args:
        images: of shape `(images, height, width, channels)`, or with the channels first; values from 0 to 255.
        bounding_boxes: dictionary of "boxes", of shape `(images, boxes, 4)`, "labels", of shape `(images, boxes)`, and
            optionally "confidences", of the same shape. Boxes with the label -1 are skipped.
        bounding_box_format: their format, such as `"xyxy"` (see `cornu.utils.bounding_boxes`).
        class_mapping: names of the classes, drawn above the boxes (requires Pillow: the extra `image`); None, the
            default, draws no text.
        color: red, green and blue from 0 to 255. Defaults to `(128, 128, 128)`.
        line_thickness: line width of the boxes, in pixels. Defaults to 2.
        text_thickness: stroke width of the text. Defaults to 1.
        font_scale: text size: 1 is about 27 pixels. Defaults to 1.0.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        A new NumPy array of dtype uint8, from 0 to 255, channels last.

    Example:

        boxes = {"boxes": np.array([[[2, 3, 9, 8]]]), "labels": np.array([[0]])}
        drawn = cornu.visualization.draw_bounding_boxes(np.zeros((1, 12, 12, 3)), boxes, "xyxy", color=(255, 0, 0))
        print(drawn[0, 3, 5])  # [255 0 0]
    """
    owner = "draw_bounding_boxes"
    drawn = pictures.whole(pictures.batch(images, data_format, owner)).copy()
    corners, labels, confidences = _boxes(bounding_boxes, bounding_box_format, drawn.shape, owner)
    validate.positive_int(line_thickness, "line_thickness", owner)
    validate.positive_int(text_thickness, "text_thickness", owner)
    paint = np.array([*_colour(color, owner), 255])[: drawn.shape[-1]]
    gap = _GAP + line_thickness // 2
    for index, canvas in enumerate(drawn):
        for place, box in enumerate(corners[index]):
            label = int(labels[index, place])
            if label == -1:
                continue
            _outline(canvas, box, paint, line_thickness)
            if class_mapping is not None and label in class_mapping:
                confidence = "" if confidences is None else f" | {confidences[index, place]:.2f}"
                _write(canvas, f"{class_mapping[label]}{confidence}", box, paint, font_scale, text_thickness, gap)
    return drawn


def _boxes(boxes: Boxes, form: str, shape: Shape, owner: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Corners in integer pixels, `(images, boxes, 4)`, labels and optional confidences, `(images, boxes)`."""
    if not isinstance(boxes, dict):
        raise TypeError(f"{owner}: bounding_boxes must be a dictionary. Received: {type(boxes).__name__}.")
    if not {"boxes", "labels"} <= set(boxes):
        raise ValueError(
            f'{owner}: bounding_boxes must be a dictionary with "boxes" and "labels". Received: {sorted(boxes)}.'
        )
    corners = np.asarray(convert_format(boxes["boxes"], form, "xyxy", shape[1], shape[2]))
    labels, confidences = (
        None if boxes.get(name) is None else border.to_numpy(boxes[name], owner, name)
        for name in ("labels", "confidences")
    )
    wanted = (shape[0], *corners.shape[1:2])
    shapes = {name: np.shape(value) for name, value in boxes.items() if name in ("boxes", "labels", "confidences")}
    told = [corners.shape[:-1], *(np.shape(x) for x in (labels, confidences) if x is not None)]
    if labels is None or len(wanted) < 2 or any(one != wanted for one in told):
        raise ValueError(
            f"{owner}: boxes must have shape ({shape[0]}, boxes, 4) for {shape[0]} images, and "
            f"labels and confidences shape ({shape[0]}, boxes). Received: {shapes}."
        )
    return np.nan_to_num(corners).astype(int), labels, confidences


def _colour(colour: Sequence[int], owner: str) -> list[int]:
    numbers = list(colour)
    if len(numbers) < pictures.COLOURS:
        raise ValueError(
            f"{owner}: a color must be red, green and blue from 0 to 255. Received: {validate.shown(colour)}."
        )
    return [int(np.clip(number, 0, 255)) for number in numbers[: pictures.COLOURS]]


def _outline(canvas: np.ndarray, box: np.ndarray, paint: np.ndarray, thickness: int) -> None:
    """Color the pixels near the sides of a box; the corners are rounded."""
    left, right = sorted((box[0], box[2]))
    top, bottom = sorted((box[1], box[3]))
    rows, columns = np.arange(canvas.shape[0])[:, None], np.arange(canvas.shape[1])
    across, down = np.maximum(left - columns, columns - right), np.maximum(top - rows, rows - bottom)
    within = -np.maximum(across, down)  # distance to the nearest side, inside the box
    without = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    radius = (thickness + 1) // 2 if thickness > 1 else 0
    canvas[np.where(within >= 0, within, without) <= radius] = paint


def _write(
    canvas: np.ndarray, text: str, box: np.ndarray, paint: np.ndarray, scale: float, thickness: int, gap: int
) -> None:
    """Draw text above a box, or inside it if there is no room above; shifted left if it would be cut off."""
    purpose = "draw_bounding_boxes with class_mapping"
    image, draw, fonts = (
        validate.optional_import(f"PIL.{name}", extra="image", purpose=purpose)
        for name in ("Image", "ImageDraw", "ImageFont")
    )
    font = fonts.load_default(max(1, _LETTERS * scale))
    stroke = (thickness - 1) / 2
    _, _, width, height = font.getbbox(text, anchor="la", stroke_width=stroke)
    left, top = int(min(box[0], box[2])), int(min(box[1], box[3]))
    above = top - gap - round(height)
    left, top = (left, above) if above >= 0 else (left + gap, top + gap)
    left = max(0, min(left, canvas.shape[1] - 1 - math.ceil(width)))
    shade = image.new("L", (canvas.shape[1], canvas.shape[0]))
    draw.Draw(shade).text((left, top), text, 255, font=font, stroke_width=stroke)
    strength = np.asarray(shade)[..., None] / 255
    canvas[...] = np.rint(canvas * (1 - strength) + paint * strength)


@filtered
def draw_segmentation_masks(
    images: Tensor,
    segmentation_masks: Tensor,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Color the pixels of images by class.

    Args:
        images: of shape `(images, height, width, channels)`, or with the channels first; values from 0 to 255.
        segmentation_masks: the class of each pixel as an integer, of shape `(images, height, width)`, or with an
            axis of size 1 in place of the channels. Class 0, the background, is black.
        num_classes: the highest class to draw; None, the default, uses the highest in the masks.
        color_mapping: red, green and blue from 0 to 255 for each class; a background without a color is left unchanged.
            None, the default, uses a palette.
        alpha: opacity of the color, from 0 to 1. Defaults to 0.8.
        blend: whether the image shows through; False covers it. Defaults to True.
        ignore_index: a class that is skipped. Defaults to -1.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        A new NumPy array of dtype uint8, from 0 to 255, channels last; grayscale images become RGB.

    Example:

        masks = np.array([[[0, 1], [1, 2]]])
        drawn = cornu.visualization.draw_segmentation_masks(np.zeros((1, 2, 2, 3)), masks, blend=False)
        print(drawn[0, 0, 1])  # [1 127 31]
    """
    owner = "draw_segmentation_masks"
    drawn = pictures.coloured(pictures.batch(images, data_format, owner)).astype("float32")
    masks = _masks(segmentation_masks, drawn.shape[:3], data_format, owner)
    if not validate.is_real(alpha) or not 0 <= alpha <= 1:
        raise ValueError(f"{owner}: alpha must be a number from 0 to 1. Received: alpha={validate.shown(alpha)}.")
    most = np.inf if num_classes is None else validate.positive_int(num_classes, "num_classes", owner)
    alpha = alpha if blend else 1.0
    for label in map(int, np.unique(masks)):
        colour = _palette(label) if color_mapping is None else color_mapping.get(label)
        if label == ignore_index or not 0 <= label <= most or (label == 0 and colour is None):
            continue
        if colour is None:
            raise ValueError(
                f"{owner}: color_mapping does not have a color for the class {label}, which is in segmentation_masks. "
                f"Received: colors for {sorted(color_mapping or ())}."
            )
        here = masks == label
        drawn[here, : pictures.COLOURS] *= 1 - alpha
        drawn[here, : pictures.COLOURS] += np.array(_colour(colour, owner)) * alpha
    return pictures.whole(drawn)


def _masks(masks: Tensor, shape: Shape, data_format: str | None, owner: str) -> np.ndarray:
    """Masks of shape `(images, height, width)`."""
    array = border.to_numpy(masks, owner, "segmentation_masks")
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{owner}: segmentation_masks must be integers, the classes of pixels. Received: {array.dtype}. "
            "For probabilities, pass masks.argmax(axis=-1)."
        )
    axis = 1 if validate.data_format(data_format, owner) == "channels_first" else -1
    array = array.squeeze(axis) if array.ndim == 4 and array.shape[axis] == 1 else array
    if array.shape != shape:
        raise ValueError(
            f"{owner}: segmentation_masks must have the shape {shape} of the images. Received: shape {array.shape}."
        )
    return array


def _palette(label: int) -> list[int]:
    """A color for a class, distinct from those of adjacent classes; black for 0."""
    return [label * step % 255 for step in (1, 127, 31)]
