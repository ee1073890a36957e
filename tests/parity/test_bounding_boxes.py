"""Boxes converted, cut, moved, compared and encoded as Keras does it."""

import itertools

import numpy as np
import pytest
from oracle import both

import cornu
from cornu.utils import bounding_boxes

FORMATS = [kind + name for kind in ("", "rel_") for name in ("xyxy", "yxyx", "xywh", "center_xywh")] + ["center_yxhw"]
BOXES = np.array([[10, 20, 30, 45], [50, 60, 70, 80], [-1, -1, -1, -1], [5, 5, 200, 300], [150, 160, 170, 180]])
LABELS = np.array([0, 1, -1, 2, 3])
STILL = {
    "angle": 0.0, "translate_x": 0.0, "translate_y": 0.0, "scale": 1.0, "shear_x": 0.0, "shear_y": 0.0,
    "center_x": 0.5, "center_y": 0.5,
}  # fmt: skip


def plain(answer):
    """Tensors as arrays."""
    if isinstance(answer, dict):
        return {name: np.asarray(value) for name, value in answer.items()}
    return [plain(one) for one in answer] if isinstance(answer, list) else np.asarray(answer)


def check(question, tolerance=1e-5):
    """Compare what `question` of the functions is answered."""
    ours, theirs = both(lambda library: plain(question(library.utils.bounding_boxes)))
    np.testing.assert_equal(tree_of(ours, "dtype"), tree_of(theirs, "dtype"))
    for a, b in zip(cornu.tree.flatten(ours), cornu.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def tree_of(answer, name):
    return cornu.tree.map_structure(lambda x: str(getattr(x, name)), answer)


def test_every_format_becomes_every_other():
    boxes = BOXES.astype("float32")
    check(lambda b: [b.convert_format(boxes, *two, 200, 300) for two in itertools.product(FORMATS, FORMATS)])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_numbers_get_the_type_that_is_asked_for(dtype):
    check(lambda b: [b.convert_format(BOXES, "XYXY", form, dtype=dtype) for form in ("xywh", "Center_xywh")])


def test_what_belongs_to_boxes_stays_with_them():
    boxes = {"boxes": BOXES[None], "labels": LABELS[None], "scores": np.ones((1, 5), "float32")}
    check(lambda b: b.convert_format(boxes, "xyxy", "yxyx"))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_boxes_end_where_the_image_does(dtype):
    boxes = {"boxes": BOXES.astype(dtype), "labels": LABELS.astype("int32")}
    check(lambda b: b.clip_to_image_size(boxes, height=100, width=120))
    relative = {"boxes": BOXES.astype("float32") / 100, "labels": LABELS.astype("int32")}
    check(lambda b: b.clip_to_image_size(relative, bounding_box_format="rel_xyxy"))


@pytest.mark.parametrize("size", [(40, 30), (None, None)])
def test_boxes_are_cropped_and_padded_with_their_image(size):
    check(lambda b: b.crop(BOXES.astype("float32"), 10, 20, *size))
    check(lambda b: b.crop(BOXES.astype("int32")[None], 10, 20, *size))
    check(lambda b: b.pad(BOXES.astype("int32"), 10, 20, *size))


@pytest.mark.parametrize("form", ["yxyx", "xywh", "center_xywh", "center_yxhw"])
def test_what_keras_does_in_one_format_goes_in_all(form):
    def told(boxes):
        return np.asarray(bounding_boxes.convert_format(boxes, "xyxy", form))

    def answers(boxes, form):
        labelled = {"boxes": boxes, "labels": LABELS}
        turn = {**STILL, "angle": 30.0}
        return [
            bounding_boxes.clip_to_image_size(labelled, 100, 120, form)["boxes"],
            bounding_boxes.crop(boxes, 10, 20, 40, 30, form),
            bounding_boxes.pad(boxes, 10, 20, bounding_box_format=form),
            bounding_boxes.affine_transform(boxes, **turn, height=100, width=120, bounding_box_format=form),
        ]

    for own, corners in zip(answers(told(BOXES), form), answers(BOXES.astype("float32"), "xyxy"), strict=True):
        np.testing.assert_allclose(own, told(corners), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"angle": 30.0}, {"scale": 2.0}, {"shear_x": 10.0}, {"shear_y": -10.0},
        {"translate_x": 0.1, "translate_y": -0.2},
        {"angle": -75.0, "scale": 0.5, "shear_y": 7.0, "translate_x": 0.3, "center_x": 0.2, "center_y": 0.9},
        {"shear_x": 25.0, "scale": 1.5, "translate_x": 0.3, "translate_y": 0.1},
    ],
)  # fmt: skip
def test_boxes_follow_an_image_that_is_moved(change):
    each = {name: np.array([value, 0.5 * value], "float32") for name, value in {**STILL, **change}.items()}
    boxes = np.stack([BOXES, BOXES + 3]).astype("float32")
    check(lambda b: b.affine_transform(boxes, **each, height=100, width=150))


def test_a_sheared_and_turned_box_lies_around_its_corners():
    # Keras has a sign wrong where shear_x meets a rotation or shear_y.
    turn = {**STILL, "angle": 90.0, "shear_x": 45.0, "center_x": 0.0, "center_y": 0.0}
    box = bounding_boxes.affine_transform(np.array([[10.0, 0.0, 20.0, 0.0]]), **turn, height=101, width=101)
    # A quarter turn counterclockwise takes (10, 0) to (0, -10) and (20, 0) to (0, -20); then x grows by y.
    np.testing.assert_allclose(box, [[-20, -20, -10, -10]], atol=1e-4)


@pytest.mark.parametrize("form", FORMATS)
def test_overlaps_of_all_pairs(form):
    scale = 200 if form.startswith("rel") else 1
    first, second = BOXES / scale, np.array([[12, 22, 30, 40], [-2, -2, -1, -1], [-1, -1, 3, 4]]) / scale
    shape = (200, 300, 3)
    check(lambda b: [b.compute_iou(first, second, form, use_masking=m, image_shape=shape) for m in (False, True)])


def test_overlaps_in_batches():
    first, second = BOXES.astype("float32"), BOXES[:2].astype("float32")
    check(lambda b: [
        b.compute_iou(x, y, "xyxy")
        for x in (first, np.stack([first, first + 1]))
        for y in (second, np.stack([second, second - 1]))
    ])  # fmt: skip
    check(lambda b: b.compute_iou(first[None], second[None], "xyxy", use_masking=True, mask_val=-5))


@pytest.mark.parametrize("form", ["xyxy", "center_yxhw"])
def test_complete_overlaps(form):
    boxes = BOXES[[0, 1, 3, 4]].astype("float32")
    check(lambda b: [b.compute_ciou(boxes, boxes[::-1], form), b.compute_ciou(boxes[0], boxes, form)])
    small = np.array([[0, 0, 1e-3, 1e-3], [0, 0, 1e-3, 2e-3], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], "float32")
    check(lambda b: b.compute_ciou(small[None], small[:, None], form))


def test_complete_overlaps_of_fractions():  # which Keras refuses
    boxes = BOXES[[0, 1, 3, 4]].astype("float32")
    told = bounding_boxes.convert_format(boxes, "xyxy", "rel_yxyx", 200, 300)
    ours = bounding_boxes.compute_ciou(told, told[::-1], "rel_yxyx", image_shape=(200, 300))
    np.testing.assert_allclose(ours, bounding_boxes.compute_ciou(boxes, boxes[::-1], "xyxy"), atol=1e-5)


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_boxes_beside_anchors(encoding, variance):
    anchors = np.array([[8, 18, 33, 44], [40, 60, 75, 70], [0, 0, 20, 20], [0, 0, 0, 0], [1, 2, 3, 9]], "float32")
    both_ways = {"variance": variance, "image_shape": (100, 200, 3)}
    check(lambda b: [
        b.encode_box_to_deltas(anchors, BOXES, "xyxy", "yxyx", encoding, **both_ways),
        b.encode_box_to_deltas(anchors / 100, np.stack([BOXES, BOXES + 1]), "rel_xywh", "xywh", encoding, **both_ways),
    ])  # fmt: skip
    deltas = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    check(lambda b: [
        b.decode_deltas_to_boxes(anchors, deltas, "xyxy", "rel_xyxy", encoding, **both_ways),
        b.decode_deltas_to_boxes({"P3": anchors}, {"P3": deltas[0]}, "xywh", "xywh", encoding, **both_ways)["P3"],
    ])  # fmt: skip


def test_encoded_boxes_are_found_again():
    anchors = np.array([[8, 18, 33, 44], [40, 60, 75, 70]], "float32")
    deltas = bounding_boxes.encode_box_to_deltas(anchors, BOXES[:2], "xyxy", "xyxy", variance=[0.1, 0.1, 0.2, 0.2])
    boxes = bounding_boxes.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy", variance=[0.1, 0.1, 0.2, 0.2])
    np.testing.assert_allclose(boxes, BOXES[:2], rtol=1e-5)


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda b: b.convert_format(BOXES, "xyxz", "xywh"), 'source must be "xyxy" or .* Received: source="xyxz"'),
    (lambda b: b.convert_format(BOXES[:, :3], "xyxy", "xywh"), r"boxes must have shape \(\.\.\., 4\)"),
    (lambda b: b.convert_format(BOXES, "xyxy", "rel_xywh", height=3), '"rel_xywh" needs the size .* width=None'),
    (lambda b: b.convert_format({"labels": LABELS}, "xyxy", "xywh"), "dictionary with \"boxes\""),
    (lambda b: b.clip_to_image_size({"boxes": BOXES}, 1, 1), 'must be a dictionary of "boxes" and "labels"'),
    (lambda b: b.clip_to_image_size({"boxes": BOXES, "labels": LABELS}), '"xyxy" needs the size of the image'),
    (lambda b: b.crop(BOXES, 1, 1, 5, 5, "rel_xyxy"), "cannot be relative"),
    (lambda b: b.compute_iou(BOXES[0], BOXES, "xyxy"), r"must have shape \(boxes, 4\)"),
    (lambda b: b.compute_iou(BOXES, BOXES, "rel_xyxy"), "or image_shape"),
    (lambda b: b.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), "encoding_format must be"),
    (lambda b: b.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", variance=[1]), "variance must be four numbers"),
    (lambda b: b.decode_deltas_to_boxes({"a": BOXES}, BOXES, "xyxy", "xyxy"), r"keys of anchors, \['a'\]"),
])  # fmt: skip
def test_mistakes_are_explained(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong(bounding_boxes)
