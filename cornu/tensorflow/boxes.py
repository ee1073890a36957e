"""Boxes of `tensorflow.image`: drawing, random crops, and non-maximum suppression.

A box is (top, left, bottom, right), as fractions of the image's height and width.
"""

import heapq
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import random
from cornu.core.typing import Tensor
from cornu.tensorflow.seeds import seeded, stateless
from cornu.tensorflow.served import sizes

COLORS = np.array(
    [[1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1], [0.5, 0, 0, 1],
     [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1]], "float32",
)  # fmt: skip
"""The default colors of boxes, used cyclically."""


def draw_boxes(images: Tensor, boxes: Tensor, colors: Tensor) -> jax.Array:
    """Draw bounding boxes on images."""
    given, places = np.asarray(images), np.asarray(boxes)
    if given.ndim != 4 or places.ndim != 3:
        raise ValueError(
            "tf.image.draw_bounding_boxes: images must have four axes and boxes three, the first that of the batch. "
            f"Received: shapes {given.shape} and {places.shape}. For a single image, pass x[None]."
        )
    drawn = given.astype(given.dtype if given.dtype.kind == "f" else "float32", copy=True)
    height, width, depth = drawn.shape[1:]
    if colors is None or not np.size(colors):
        colors = COLORS.copy()
        colors[:, 0] = 1 if depth == 1 else colors[:, 0]
    colors = np.atleast_2d(np.asarray(colors, drawn.dtype))[:, :depth]
    for picture, row in zip(drawn, places, strict=True):
        for number, box in enumerate(row):
            edges = box * [height - 1, width - 1, height - 1, width - 1]
            _draw(picture, list(map(int, edges)), colors[number % len(colors)])
    return jnp.asarray(drawn)


def _draw(picture: np.ndarray, edges: list[int], color: np.ndarray) -> None:
    top, left, bottom, right = edges
    high, wide = picture.shape[:2]
    if top > bottom or left > right or top >= high or bottom < 0 or left >= wide or right < 0:
        return
    rows = slice(max(top, 0), min(bottom, high - 1) + 1)
    columns = slice(max(left, 0), min(right, wide - 1) + 1)
    for row in {top, bottom} & set(range(high)):
        picture[row, columns] = color
    for column in {left, right} & set(range(wide)):
        picture[rows, column] = color


# ---------------------------------------------------------------- the better of those that overlap


def _overlaps(boxes: np.ndarray, one: int, others: list[int]) -> np.ndarray:
    """The intersection over union of a box with others."""
    low = np.maximum(boxes[others, :2], boxes[one, :2])
    sides = np.maximum(0, np.minimum(boxes[others, 2:], boxes[one, 2:]) - low)
    shared = np.prod(sides, axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    both = areas[others] + areas[one] - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _upright(boxes: Tensor) -> np.ndarray:
    """Boxes with their corners swapped where needed, so that the first is the upper left one."""
    boxes = np.asarray(boxes, "float32")
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1)


def _best(
    overlaps: Tensor, scores: np.ndarray, most: int, limit: float, lowest: float, sigma: float
) -> tuple[list[int], list[float]]:
    """The indices of the best boxes, the best first, and their scores.

    Args:
        overlaps: function from the index of a box and those of others to their overlaps.
        scores: the score of each box.
        most: maximum number of boxes.
        limit: boxes that overlap a better one more than this are dropped.
        lowest: boxes with a score up to this are dropped.
        sigma: standard deviation of soft suppression; 0 disables it.
    """
    queue = [(-score, number, 0) for number, score in enumerate(scores.tolist()) if score > lowest]
    heapq.heapify(queue)
    kept: list[int] = []
    found: list[float] = []
    while queue and len(kept) < most:
        negative, number, seen = heapq.heappop(queue)
        over = overlaps(number, kept[seen:]) if kept[seen:] else np.zeros(0)
        if (over > limit).any():
            continue
        score = -negative * float(np.prod(np.exp(-0.5 / sigma * over**2))) if sigma else -negative
        if score == -negative:
            kept.append(number)
            found.append(score)
        elif score > lowest:
            heapq.heappush(queue, (-score, number, len(kept)))
    return kept, found


def _kept(
    boxes: Tensor, scores: Tensor, most: Tensor, limit: Tensor, lowest: Tensor, sigma: float = 0.0
) -> tuple[list[int], list[float]]:
    upright = _upright(boxes)
    return _best(
        lambda one, others: _overlaps(upright, one, others), np.asarray(scores), int(most), float(limit),
        float(lowest), float(sigma),
    )  # fmt: skip


def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    max_output_size: Tensor,
    iou_threshold: Tensor = 0.5,
    score_threshold: Tensor = -np.inf,
) -> jax.Array:
    """The indices of the best boxes, by non-maximum suppression."""
    return jnp.asarray(_kept(boxes, scores, max_output_size, iou_threshold, score_threshold)[0], "int32")


def with_scores(
    boxes: Tensor,
    scores: Tensor,
    max_output_size: Tensor,
    iou_threshold: Tensor = 0.5,
    score_threshold: Tensor = -np.inf,
    soft_nms_sigma: Tensor = 0.0,
) -> tuple[jax.Array, jax.Array]:
    """The same, with their scores, which soft suppression may lower."""
    kept, found = _kept(boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma)
    return jnp.asarray(kept, "int32"), jnp.asarray(found, "float32")


def filled_up(
    boxes: Tensor,
    scores: Tensor,
    max_output_size: Tensor,
    iou_threshold: Tensor = 0.5,
    score_threshold: Tensor = -np.inf,
    pad_to_max_output_size: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """The same, padded with zeros to a common length, and how many there are."""
    kept, _ = _kept(boxes, scores, max_output_size, iou_threshold, score_threshold)
    rest = int(max_output_size) - len(kept) if pad_to_max_output_size else 0
    return jnp.asarray(kept + [0] * rest, "int32"), jnp.asarray(len(kept), "int32")


def by_overlaps(
    overlaps: Tensor, scores: Tensor, max_output_size: Tensor, overlap_threshold: Tensor = 0.5,
    score_threshold: Tensor = -np.inf,
) -> jax.Array:  # fmt: skip
    """The same, given only the overlaps."""
    table = np.asarray(overlaps)
    kept, _ = _best(
        lambda one, others: table[one, others], np.asarray(scores), int(max_output_size), float(overlap_threshold),
        float(score_threshold), 0.0,
    )  # fmt: skip
    return jnp.asarray(kept, "int32")


class CombinedNonMaxSuppression(NamedTuple):
    """The best boxes of all classes, their scores and classes, and the number per image."""

    nmsed_boxes: Tensor
    nmsed_scores: Tensor
    nmsed_classes: Tensor
    valid_detections: Tensor


def combined(
    boxes: Tensor,
    scores: Tensor,
    max_output_size_per_class: Tensor,
    max_total_size: Tensor,
    iou_threshold: Tensor = 0.5,
    score_threshold: Tensor = -np.inf,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
) -> CombinedNonMaxSuppression:
    """The best boxes of each image, by class, in a single list."""
    boxes, scores = np.asarray(boxes, "float32"), np.asarray(scores, "float32")
    per_class, classes, total = int(max_output_size_per_class), scores.shape[2], int(max_total_size)
    length = min(total, per_class * classes) if pad_per_class else total
    found = np.zeros((len(boxes), length, 6), "float32")  # four edges, score, class
    counts = []
    for row, places, goodness in zip(found, boxes, scores, strict=True):
        every = []
        for kind in range(classes):
            own = places[:, kind if places.shape[1] > 1 else 0]
            kept, values = _kept(own, goodness[:, kind], per_class, iou_threshold, score_threshold)
            every += [(*own[number], value, kind) for number, value in zip(kept, values, strict=True)]
        every = sorted(every, key=lambda each: -each[4])[:length]
        counts.append(len(every))
        row[: len(every)] = every or row[:0]
    edges = found[..., :4].clip(0, 1) if clip_boxes else found[..., :4]
    parts = (edges, found[..., 4], found[..., 5], np.array(counts, "int32"))
    return CombinedNonMaxSuppression._make(map(jnp.asarray, parts))


# ---------------------------------------------------------------- by chance


class SampleDistortedBoundingBox(NamedTuple):
    """The start of a crop, for `tf.slice`, its size, and the crop as a box."""

    begin: Tensor
    size: Tensor
    bboxes: Tensor


def _drawn(numbers: np.ndarray, size: Tensor, boxes: Tensor, covered: float, ratios: Tensor, areas: Tensor) -> Tensor:
    """The first random crop that covers enough of a box; the whole image if none does."""
    height, width, *_ = sizes(size)
    boxes = np.asarray(boxes, "float32").reshape(-1, 4)
    part = (0, 0, height, width)
    for area, ratio, down, right in numbers:
        area = height * width * (areas[0] + area * (areas[1] - areas[0]))
        ratio = ratios[0] + ratio * (ratios[1] - ratios[0])
        high, wide = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
        if not (0 < high <= height and 0 < wide <= width):
            continue
        top, left = int(down * (height - high + 1)), int(right * (width - wide + 1))
        edges = np.array([top / height, left / width, (top + high) / height, (left + wide) / width])
        shared = np.maximum(0, np.minimum(boxes[:, 2:], edges[2:]) - np.maximum(boxes[:, :2], edges[:2])).prod(1)
        if (shared >= covered * (boxes[:, 2:] - boxes[:, :2]).prod(1)).any():
            part = (top, left, high, wide)
            break
    top, left, high, wide = part
    box = [[[top / height, left / width, (top + high) / height, (left + wide) / width]]]
    return SampleDistortedBoundingBox(
        jnp.asarray([top, left, 0]), jnp.asarray([high, wide, -1]), jnp.asarray(box, "float32")
    )


def _sampled(draw: Tensor) -> Tensor:
    def sampled(
        image_size: Tensor, bounding_boxes: Tensor, seed: Tensor = 0, min_object_covered: Tensor = 0.1,
        aspect_ratio_range: Tensor = None, area_range: Tensor = None, max_attempts: Tensor = None,
        use_image_if_no_bounding_boxes: Tensor = None,
    ) -> SampleDistortedBoundingBox:  # fmt: skip
        boxes = np.asarray(bounding_boxes)
        if not boxes.size:
            if not use_image_if_no_bounding_boxes:
                raise ValueError(
                    "tf.image.sample_distorted_bounding_box: no bounding boxes were given. Pass some, or "
                    "use_image_if_no_bounding_boxes=True."
                )
            boxes = np.array([[0, 0, 1, 1]], "float32")
        numbers = np.asarray(random.uniform((int(max_attempts or 100), 4), seed=draw(seed)))
        ratios, areas = aspect_ratio_range or (0.75, 1.33), area_range or (0.05, 1.0)
        return _drawn(numbers, image_size, boxes, float(min_object_covered), ratios, areas)

    return sampled


sample_distorted = _sampled(lambda seed: seeded(seed or None))
stateless_sample_distorted = _sampled(stateless)
