"""Pictures beside those of Keras: the same pixels of boxes and masks, the same places of galleries.

Keras draws boxes with OpenCV, whose letters are others in each of its versions; so texts are not compared.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from oracle import both

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 255, (4, 20, 24, 3)).astype("uint8")
BOXES = np.array([[[6, 5, 16, 13], [-3, -3, 10, 10], [10, 10, 40, 40], [16.9, 13.2, 6.5, 5.5], [3, 3, 3, 3]]] * 4)
LABELS = np.array([[1, 0, 2, 1, -1]] * 4)
MASKS = RANDOM.integers(-1, 3, (4, 20, 24, 1))


def check(question):
    """Compare two batches of images."""
    ours, theirs = both(question)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.shape == theirs.shape


@pytest.mark.parametrize("thickness", [1, 2, 3, 4, 5, 8])
def test_boxes_are_drawn_to_the_pixel(thickness):
    boxes = {"boxes": BOXES, "labels": LABELS}
    check(lambda library: library.visualization.draw_bounding_boxes(
        IMAGES, boxes, "xyxy", color=(255, 7, 300), line_thickness=thickness
    ))  # fmt: skip


@pytest.mark.parametrize("shift", [0.6, 200.7, -3.2])
def test_images_of_floats_are_cut_to_whole_numbers(shift):
    boxes = {"boxes": BOXES / 20, "labels": LABELS, "confidences": np.ones((4, 5))}
    images = IMAGES.astype("float32") + shift
    check(lambda library: library.visualization.draw_bounding_boxes(images, boxes, "rel_xywh"))
    check(lambda library: library.visualization.draw_segmentation_masks(images, MASKS, num_classes=3))


def test_gray_images_stay_gray_under_boxes():
    boxes = {"boxes": BOXES, "labels": LABELS}
    check(lambda library: library.visualization.draw_bounding_boxes(IMAGES[..., :1], boxes, "xyxy"))


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"alpha": 0.33}, {"blend": False}, {"ignore_index": 1}, {"ignore_index": 0, "alpha": 1.0},
        {"color_mapping": {0: (9, 8, 7), 1: (255, 0, 0), 2: (0, 255, 0)}},
    ],
)  # fmt: skip
def test_masks_are_drawn_to_the_pixel(arguments):
    def question(library):
        drawn = library.visualization.draw_segmentation_masks(IMAGES, MASKS, num_classes=3, **arguments)
        return np.asarray(drawn).astype("uint8")  # floats in Keras, where nothing is blended

    check(question)


def gallery(library, name, *arguments, **keywords):
    """What a gallery shows: its size in inches, the images in their order, their titles, the legend."""
    plt.close("all")
    getattr(library.visualization, name)(*arguments, show=False, **keywords)
    figure = plt.gcf()
    shown = [axes for axes in figure.axes if axes.images]
    told = {
        "size": figure.get_size_inches().tolist(),
        "images": np.stack([np.asarray(axes.images[0].get_array()) for axes in shown]).astype("int32"),
        "titles": [axes.get_title() for axes in shown],
        "legend": [text.get_text() for legend in figure.legends for text in legend.get_texts()],
        "frames": any(axes.axison for axes in figure.axes),
    }
    plt.close("all")
    return told


NAMES = {0: "a cat", 1: "a dog", 2: "an owl"}


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("plot_image_gallery", {}),
        ("plot_image_gallery", {"rows": 1, "scale": 3}),
        ("plot_image_gallery", {"rows": 1, "cols": 2}),
        ("plot_image_gallery", {"y_true": np.arange(4), "y_pred": np.array([0, 2, 2, 1]), "label_map": NAMES}),
        ("plot_image_gallery", {"y_pred": np.arange(4), "label_map": NAMES, "cols": 4, "rows": 1}),
        ("plot_bounding_box_gallery", {"bounding_box_format": "xyxy", "legend": True}),
        ("plot_bounding_box_gallery", {
            "bounding_box_format": "xyxy", "y_true": {"boxes": BOXES, "labels": LABELS},
            "y_pred": {"boxes": BOXES + 2, "labels": LABELS}, "line_thickness": 1, "rows": 2, "cols": 2,
        }),
        ("plot_segmentation_mask_gallery", {"num_classes": 4}),
        ("plot_segmentation_mask_gallery", {"num_classes": 3, "y_true": MASKS, "y_pred": MASKS[::-1], "alpha": 0.5}),
    ],
)  # fmt: skip
def test_a_gallery_shows_the_same(name, keywords):
    ours, theirs = both(lambda library: gallery(library, name, IMAGES, **keywords))
    np.testing.assert_array_equal(ours.pop("images"), theirs.pop("images"))
    assert ours == theirs


def test_values_of_images_are_brought_to_their_range():
    images = IMAGES.astype("float32") / 127.5 - 1
    ours, theirs = both(lambda library: gallery(library, "plot_image_gallery", images, value_range=(-1, 1)))
    np.testing.assert_allclose(ours["images"], theirs["images"], atol=1)  # rounded here, cut off there
