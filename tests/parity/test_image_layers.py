"""Layers that change images against Keras: equal seeds draw equal numbers, so that random ones are compared as well."""

import json

import numpy as np
import pytest
from file_structure import structure
from oracle import ask, both

import cornu

# Keras, mixing images, asks for 64 bits.
pytestmark = pytest.mark.filterwarnings("ignore:[\\s\\S]*dtype int64:UserWarning")

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(0, 255, (3, 6, 8, 3)).astype("float32")
BYTES = IMAGES.astype("uint8")
BOXES = {
    "boxes": np.array(
        [[[1, 1, 4, 3], [2, 2, 7, 5]], [[3, 2, 5, 5], [0, 0, 8, 6]], [[4, 1, 5, 3], [5, 4, 8, 6]]], "float32"
    ),
    "labels": np.array([[1, 2], [0, 1], [2, 2]]),
}

CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"
ALIKE = [
    (CLAHE, {"tile_grid_size": (2, 2), "value_range": (-50, 300)}),
    ("AutoContrast", {}),
    ("AutoContrast", {"value_range": (-300, 300)}),
    ("CenterCrop", {"height": 4, "width": 3}),
    ("CenterCrop", {"height": 9, "width": 6}),
    ("CutMix", {}),
    ("CutMix", {"factor": (0.5, 1.0)}),
    ("MixUp", {}),
    ("MixUp", {"alpha": 2.0}),
    ("RandomBrightness", {"factor": 0.2}),
    ("RandomBrightness", {"factor": (0.3, 0.3), "value_range": (0, 300)}),
    ("RandomColorDegeneration", {"factor": 0.5}),
    ("RandomColorJitter", {"brightness_factor": 0.3}),
    ("RandomColorJitter", {"contrast_factor": (0.3, 0.3), "value_range": (0, 300)}),
    ("RandomContrast", {"factor": 0.4}),
    ("RandomContrast", {"factor": (0.2, 0.9)}),
    ("RandomCrop", {"height": 4, "width": 3}),
    ("RandomErasing", {}),
    ("RandomErasing", {"factor": (1.0, 1.0), "scale": 0.5, "fill_value": 7.0}),
    ("RandomErasing", {"factor": (1.0, 1.0), "value_range": (-300, 300)}),
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical"}),
    ("RandomGaussianBlur", {"factor": (1.0, 1.0), "sigma": (0.5, 0.5), "kernel_size": (3, 5)}),
    ("RandomGrayscale", {}),
    ("RandomHue", {"factor": 0.4}),
    ("RandomInvert", {}),
    ("RandomInvert", {"factor": (0.5, 0.5), "value_range": (0, 300)}),
    ("RandomPerspective", {"factor": (0.5, 1.0), "scale": 0.4}),
    ("RandomPerspective", {"factor": (1.0, 1.0), "interpolation": "nearest", "fill_value": 9.0}),
    ("RandomPosterization", {"factor": 6}),
    ("RandomPosterization", {"factor": (3, 3), "value_range": (0, 300)}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomRotation", {"factor": (0.1, 0.1), "fill_mode": "constant", "fill_value": 5.0, "interpolation": "nearest"}),
    ("RandomSaturation", {"factor": (0.3, 0.5)}),
    ("RandomSharpness", {"factor": 0.9}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": 0.2}),
    ("RandomShear", {"y_factor": (0.2, 0.4), "fill_mode": "nearest"}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (0.1, 0.4)}),
    ("RandomTranslation", {"height_factor": (0.5, 0.5), "width_factor": -0.2, "fill_mode": "wrap"}),
    ("RandomZoom", {"height_factor": 0.4}),
    ("RandomZoom", {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2), "fill_mode": "constant"}),
    ("Resizing", {"height": 4, "width": 3}),
    ("Solarization", {}),
    ("Solarization", {"addition_factor": 0.4, "threshold_factor": 0.7}),
]
# In Keras, the configs of these lack an argument, or hold one that Keras itself does not read.
OTHERS_IN_KERAS = {"RandomGrayscale": ("seed",), "RandomShear": ("x_factor", "y_factor")}


def names(cases):
    return [f"{name}-{'-'.join(map(str, arguments.values()))}" for name, arguments in cases]


def made(library, name, arguments):
    """The layer of that library; one that draws numbers draws them from the same seed in both."""
    seedless = ("AutoContrast", "CenterCrop", CLAHE, "Equalization", "MaxNumBoundingBoxes", "Resizing")
    seed = {} if name in seedless else {"seed": 11}
    return getattr(library.layers, name)(**{"name": "layer", **seed, **arguments})


def example(name):
    """The first arguments in the table."""
    return next(arguments for other, arguments in ALIKE if other == name)


def compare(name, arguments, *data, tolerance=1e-3):
    """Assert that the layers of both libraries give the same numbers, dtypes and shapes; returns cornu's."""

    def question(library):
        layer = made(library, name, arguments)
        return [layer(x, training=True) for x in data]

    ours, theirs = both(question)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        near(a, b, tolerance)
    return ours


def near(ours, theirs, tolerance=1e-3):
    ours, theirs = np.asarray(ours, "float32"), np.asarray(theirs, "float32")
    np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=1e-5)


def plain(config):
    return json.loads(json.dumps(config, default=str))


@pytest.mark.parametrize("name, arguments", ALIKE, ids=names(ALIKE))
def test_equal_seeds_give_equal_images_and_configs(name, arguments):
    left_out = OTHERS_IN_KERAS.get(name, ())
    ours, theirs = both(lambda library: made(library, name, arguments).get_config())
    first, second = (plain({k: v for k, v in config.items() if k not in left_out}) for config in (ours, theirs))
    assert first == second
    assert getattr(cornu.layers, name).from_config(theirs).get_config().keys() == ours.keys()
    compare(name, arguments, IMAGES)


@pytest.mark.live
@pytest.mark.parametrize("name, arguments", ALIKE, ids=names(ALIKE))
def test_keras_reads_a_config_of_cornu(name, arguments):
    import keras

    getattr(keras.layers, name).from_config(made(cornu, name, arguments).get_config())


BYTES_ALIKE = ["AutoContrast", "CenterCrop", "RandomContrast", "RandomFlip", "RandomGrayscale", "Solarization"]


@pytest.mark.parametrize("name", BYTES_ALIKE)
def test_bytes_come_out_as_in_keras(name):
    compare(name, example(name), BYTES)


@pytest.mark.parametrize("bins", [8, 256])
def test_an_equalized_image_is_that_of_keras(bins):
    compare("Equalization", {"bins": bins}, IMAGES[0], BYTES[1])


def test_equalization_of_other_ranges_is_that_of_keras():
    compare("Equalization", {"value_range": (0, 1)}, BYTES[0] / 255.0, tolerance=1e-5)


@pytest.mark.parametrize(("arguments", "scale"), [
    ({"tile_grid_size": (2, 3), "clip_limit": 1.5}, 1.0),
    ({"tile_grid_size": (4, 1), "clip_limit": 0}, 1.0),
    ({"value_range": (0, 1)}, 1 / 255),
], ids=["odd tiles", "no limit", "more tiles than pixels"])  # fmt: skip
def test_tiles_are_equalized_as_in_keras(arguments, scale):
    compare(CLAHE, arguments, (BYTES * scale).astype("float32"), IMAGES[0] * scale)


@pytest.mark.parametrize("name", ["RandomFlip", "RandomCrop", "RandomErasing"])
def test_a_single_image_is_changed_as_in_keras(name):
    compare(name, example(name), IMAGES[0])


FIRST = ["CenterCrop", "RandomFlip", "RandomTranslation", "RandomGrayscale"]


@pytest.mark.parametrize("name", FIRST)
def test_channels_may_come_first_as_in_keras(name):
    compare(name, example(name) | {"data_format": "channels_first"}, np.moveaxis(IMAGES, -1, 1))


# ---------------------------------------------------------------- resizing

RATIOS = [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 3.0}]


@pytest.mark.parametrize("ratio", RATIOS, ids=["stretched", "cropped", "padded"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resized_images_are_those_of_keras(interpolation, ratio):
    for size in ((4, 3), (7, 12)) if interpolation != "lanczos3" else ((4, 3),):
        arguments = {"height": size[0], "width": size[1], "interpolation": interpolation, **ratio}
        compare("Resizing", arguments, IMAGES[:1], tolerance=1e-2)


@pytest.mark.parametrize("interpolation", ["bilinear", "lanczos3"])
def test_resizing_averages_where_it_is_asked_to(interpolation):
    arguments = {"height": 2, "width": 3, "interpolation": interpolation, "antialias": True}
    compare("Resizing", arguments, IMAGES[0], tolerance=1e-2)


def test_bytes_are_resized_to_the_same_bytes():
    for interpolation in ("nearest", "bilinear", "bicubic"):
        arguments = {"height": 5, "width": 5, "interpolation": interpolation}
        (found,) = compare("Resizing", arguments, BYTES[0], tolerance=1)  # Keras cuts digits off
        assert found.dtype == "uint8"


# ---------------------------------------------------------------- what belongs to images

WITH_BOXES = [
    ("CenterCrop", {"height": 4, "width": 3}),
    ("CenterCrop", {"height": 12, "width": 16}),
    ("MaxNumBoundingBoxes", {"max_number": 1}),
    ("MaxNumBoundingBoxes", {"max_number": 4, "fill_value": -2}),
    ("RandomBrightness", {"factor": 0.2}),
    ("RandomFlip", {}),
    ("RandomTranslation", {"height_factor": (0.2, 0.2), "width_factor": (-0.3, -0.3)}),
    ("Resizing", {"height": 4, "width": 3}),
    ("Resizing", {"height": 12, "width": 20, "pad_to_aspect_ratio": True}),
]


@pytest.mark.parametrize("name, arguments", WITH_BOXES, ids=names(WITH_BOXES))
def test_boxes_go_where_those_of_keras_go(name, arguments):
    def question(library):
        layer = made(library, name, arguments | {"bounding_box_format": "xyxy"})
        picked = (lambda x: x), (lambda x: x[0])
        return [
            layer(
                {"images": pick(IMAGES), "bounding_boxes": {key: pick(value) for key, value in BOXES.items()}},
                training=True,
            )
            for pick in picked
        ]

    for mine, wanted in zip(*both(question), strict=True):
        near(mine["images"], wanted["images"])
        kept = np.asarray(wanted["bounding_boxes"]["labels"]) >= 0
        near(mine["bounding_boxes"]["labels"], wanted["bounding_boxes"]["labels"])
        near(mine["bounding_boxes"]["boxes"][kept], wanted["bounding_boxes"]["boxes"][kept])


def corners(x, y, right, bottom):
    """Boxes in each format."""
    width, height = right - x, bottom - y
    middle = (x + width / 2, y + height / 2)
    return {
        "xyxy": (x, y, right, bottom),
        "yxyx": (y, x, bottom, right),
        "xywh": (x, y, width, height),
        "center_xywh": (*middle, width, height),
        "center_yxhw": (*middle[::-1], height, width),
        "rel_xyxy": (x / 8, y / 6, right / 8, bottom / 6),
        "rel_yxyx": (y / 6, x / 8, bottom / 6, right / 8),
        "rel_xywh": (x / 8, y / 6, width / 8, height / 6),
        "rel_center_xywh": (middle[0] / 8, middle[1] / 6, width / 8, height / 6),
    }


FORMATS = corners(*np.moveaxis(BOXES["boxes"], -1, 0))


@pytest.mark.parametrize("form", FORMATS)
def test_formats_of_boxes_are_those_of_keras(form):
    data = {"images": IMAGES, "bounding_boxes": {**BOXES, "boxes": np.stack(FORMATS[form], axis=-1)}}
    arguments = {"mode": "vertical", "bounding_box_format": form}
    mine, wanted = both(lambda library: made(library, "RandomFlip", arguments)(data, training=True)["bounding_boxes"])
    near(mine["boxes"], wanted["boxes"], tolerance=1e-5)


WITH_MASKS = ["RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear", "RandomPerspective"]


@pytest.mark.parametrize("name", [*WITH_MASKS, "Resizing", "CenterCrop", "RandomCrop", "RandomHue"])
def test_masks_go_where_those_of_keras_go(name):
    masks = (IMAGES[..., :1] > 128).astype("int32")
    data = {"images": IMAGES, "segmentation_masks": masks, "labels": np.arange(3)}
    mine, wanted = both(lambda library: made(library, name, example(name))(data, training=True))
    assert mine["segmentation_masks"].dtype == "int32"
    near(mine["segmentation_masks"], wanted["segmentation_masks"])
    near(mine["labels"], wanted["labels"])


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_labels_are_mixed_as_in_keras(name):
    data = {"images": IMAGES, "labels": np.eye(3, dtype="float32")}
    mine, wanted = both(lambda library: made(library, name, {})(data, training=True)["labels"])
    near(mine, wanted, tolerance=1e-5)


# ---------------------------------------------------------------- files


def stack(library):
    L = library.layers
    return library.Sequential(
        [
            library.Input((6, 8, 3)),
            L.Resizing(5, 7),
            L.RandomFlip(seed=1),
            L.RandomZoom(0.2, seed=2),
            L.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1),
            L.RandAugment(factor=0.3),
            L.AugMix(num_chains=2),
            L.CenterCrop(4, 4),
            L.Dense(2),
        ]
    )


def filled(library):
    library.utils.clear_session(free_memory=False)
    model, draw = stack(library), np.random.default_rng(2)
    model.set_weights([draw.random(w.shape).astype(str(w.dtype)) for w in model.get_weights()])
    return model


def test_a_file_of_keras_is_read_and_one_of_cornu_looks_like_it(tmp_path):
    def question(library):
        model, file = filled(library), tmp_path / "model.keras"
        model.save(file)
        return file.read_bytes(), model.predict(IMAGES, verbose=0)

    (ours, outputs), (theirs, wanted) = both(question)
    assert structure(ours) == structure(theirs)
    near(outputs, wanted)
    (tmp_path / "theirs.keras").write_bytes(theirs)
    near(cornu.models.load_model(tmp_path / "theirs.keras").predict(IMAGES, verbose=0), wanted)


@pytest.mark.live
def test_keras_reads_a_file_of_cornu(tmp_path):
    model = filled(cornu)
    model.save(tmp_path / "model.keras")
    again = ask(lambda keras: keras.models.load_model(tmp_path / "model.keras").predict(IMAGES, verbose=0))
    near(again, model.predict(IMAGES, verbose=0))


def test_a_pipeline_is_written_as_in_keras():
    def question(library):
        layers = library.layers
        layer = layers.Pipeline([layers.RandomFlip(seed=1), layers.Rescaling(0.5)], name="p")
        return layer.get_config(), layer(IMAGES, training=True), [type(inner).__name__ for inner in layer.layers]

    (_, found, inner), (config, expected, wanted) = both(question)
    assert cornu.layers.Pipeline.from_config(config).get_config().keys() == config.keys()
    near(found, expected)
    assert inner == wanted


@pytest.mark.parametrize("name", ["RandomZoom", "RandomTranslation", "RandomShear"])
def test_points_and_boxes_by_hand(name):
    maps = np.array([[1.5, 0.25, 0.125, 0.5, 2, -0.75, 0, 0], [1, 0, 0, 0, 1, 0, 0.5, 0.25]], "float32")
    boxes = {"boxes": np.array([[[0.1, 0.2, 0.5, 0.6], [0.3, 0.1, 0.9, 0.8]]], "float32"), "labels": np.ones((1, 2))}

    def answers(k):
        layer = getattr(k.layers, name)(0.1, **{"width_factor": 0.1} if name == "RandomTranslation" else {})
        points = [
            (np.array([2, 3], "float32"), np.array([5, 7], "float32")),
            (np.full((2, 3), 2.0), np.full((2, 3), 5.0)),
        ]
        found = [np.asarray(v) for x, y in points for v in layer.get_transformed_x_y(x, y, maps)]
        found += [np.asarray(v) for v in layer.get_transformed_x_y(np.float32(2), np.float32(5), maps[1])]
        if name == "RandomZoom":
            changed = layer.get_clipped_bbox(dict(boxes), h_end=0.55, h_start=0.15, w_end=0.7, w_start=0.2)
        else:
            changed = layer.get_shifted_bbox(dict(boxes), np.float32(0.1), np.float32(0.25))
        return [*found, np.asarray(changed["boxes"]), np.asarray(changed["labels"])]

    for ours, keras in zip(*both(answers), strict=True):
        np.testing.assert_allclose(ours, keras, rtol=1e-5, atol=1e-6)
        assert ours.shape == keras.shape
