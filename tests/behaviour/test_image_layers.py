"""Layers that change images: what is random, what follows the images, and what stays."""

import jax
import numpy as np
import pytest

import cornu
from cornu import layers as L

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(0, 255, (4, 6, 8, 3)).astype("float32")


ONE_OF_EACH = {
    "AugMix": lambda **more: L.AugMix(num_chains=1, chain_depth=1, **more),
    "CutMix": lambda **more: L.CutMix((1, 1), **more),
    "MixUp": lambda **more: L.MixUp(1.0, **more),
    "RandAugment": L.RandAugment,
    "RandomBrightness": lambda **more: L.RandomBrightness(0.3, **more),
    "RandomColorDegeneration": lambda **more: L.RandomColorDegeneration(0.5, **more),
    "RandomColorJitter": lambda **more: L.RandomColorJitter(
        brightness_factor=0.3, contrast_factor=0.3, saturation_factor=(0.4, 0.6), hue_factor=0.2, **more
    ),
    "RandomContrast": lambda **more: L.RandomContrast(0.5, **more),
    "RandomCrop": lambda **more: L.RandomCrop(4, 3, **more),
    "RandomElasticTransform": lambda **more: L.RandomElasticTransform((1, 1), **more),
    "RandomErasing": lambda **more: L.RandomErasing((1, 1), fill_value=3.0, **more),
    "RandomFlip": L.RandomFlip,
    "RandomGaussianBlur": lambda **more: L.RandomGaussianBlur((1, 1), **more),
    "RandomGrayscale": L.RandomGrayscale,
    "RandomHue": lambda **more: L.RandomHue(0.5, **more),
    "RandomInvert": lambda **more: L.RandomInvert((0.5, 0.5), **more),
    "RandomPerspective": lambda **more: L.RandomPerspective((1, 1), scale=0.5, **more),
    "RandomPosterization": lambda **more: L.RandomPosterization(7, **more),
    "RandomRotation": lambda **more: L.RandomRotation(0.3, **more),
    "RandomSaturation": lambda **more: L.RandomSaturation((0.2, 0.8), **more),
    "RandomSharpness": lambda **more: L.RandomSharpness(1.0, **more),
    "RandomShear": lambda **more: L.RandomShear(0.5, 0.3, **more),
    "RandomTranslation": lambda **more: L.RandomTranslation(0.3, 0.3, **more),
    "RandomZoom": lambda **more: L.RandomZoom(0.4, **more),
    "Solarization": lambda **more: L.Solarization(0.2, 0.8, **more),
}


def near(a, b, tolerance=1e-3):
    np.testing.assert_allclose(np.asarray(a, "float32"), np.asarray(b, "float32"), atol=tolerance, rtol=1e-5)


def changed(layer, x):
    """What the layer makes of images in training, as one compiled program."""
    layer(x, training=False)
    result, _ = jax.jit(lambda state: layer.stateless_call([], state, x, training=True))(
        [v.value for v in layer.variables]
    )
    return result


# ---------------------------------------------------------------- what is random


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_seed_fixes_the_images_compiled_or_not(name):
    layer, twin = (ONE_OF_EACH[name](seed=5) for _ in range(2))
    twin(IMAGES, training=False)
    state = [v.value for v in twin.variables]

    @jax.jit
    def step(state, x):
        return twin.stateless_call([], state, x, training=True)

    for _ in range(2):
        eager = layer(IMAGES, training=True)
        compiled, state = step(state, IMAGES)
        near(eager, compiled, tolerance=0.02)
    assert np.abs(np.asarray(state[0]) - np.asarray(twin.variables[0].value)).max() > 0  # the seed has moved on


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_images_stay_outside_of_training_and_change_in_it(name):
    layer = ONE_OF_EACH[name](seed=5)
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    first, second = (np.asarray(layer(IMAGES, training=True)) for _ in range(2))
    assert first.shape == second.shape and not (np.array_equal(first, IMAGES) and np.array_equal(second, IMAGES))


@pytest.mark.parametrize("name", ["CutMix", "RandomCrop", "RandomErasing", "RandomHue", "RandomRotation"])
def test_channels_may_come_first(name):
    make = ONE_OF_EACH[name]
    last = changed(make(seed=5), IMAGES)
    first = changed(make(seed=5, data_format="channels_first"), np.moveaxis(IMAGES, -1, 1))
    near(np.moveaxis(np.asarray(first), 1, -1), last)


@pytest.mark.parametrize("name", ["RandomFlip", "RandomErasing", "RandomRotation"])
def test_a_single_image_is_a_batch_of_one(name):
    batch = ONE_OF_EACH[name](seed=5)(IMAGES[:1], training=True)
    near(ONE_OF_EACH[name](seed=5)(IMAGES[0], training=True), batch[0])


VALUED = [name for name in ONE_OF_EACH if hasattr(ONE_OF_EACH[name](), "value_range")]


@pytest.mark.parametrize("name", VALUED)
def test_values_stay_in_their_range(name):
    arguments = {"fill_value": None} if name == "RandomErasing" else {}
    layer = ONE_OF_EACH[name](seed=5, value_range=(-1, 1))
    layer = type(layer).from_config(layer.get_config() | arguments)
    result = np.asarray(layer(IMAGES / 127.5 - 1, training=True))
    assert result.min() >= -1 - 1e-5 and result.max() <= 1 + 1e-5
    assert not np.isnan(result).any()


@pytest.mark.parametrize("name", ["RandomFlip", "RandomRotation", "RandomContrast"])
def test_half_precision_is_kept(name):
    layer = ONE_OF_EACH[name](seed=5, dtype="mixed_bfloat16")
    result = layer(IMAGES, training=True)
    assert result.dtype == "bfloat16"
    near(result, ONE_OF_EACH[name](seed=5)(IMAGES, training=True), tolerance=6)


def test_draws_are_spread_over_their_bounds():
    many = np.full((400, 1, 1, 3), 100.0, "float32")
    draws = lambda layer, name: np.asarray(layer.get_random_transformation(many)[name]).ravel()
    assert 0.4 < draws(L.RandomFlip(seed=1), "flips").mean() < 0.6
    delta = draws(L.RandomBrightness((-0.1, 0.3), seed=1), "rgb_delta")
    assert -25.5 <= delta.min() < -20 and 70 < delta.max() <= 76.5
    angle = draws(L.RandomRotation(0.25, seed=1), "angle")
    assert -90 <= angle.min() < -85 and 85 < angle.max() <= 90
    zoom = draws(L.RandomZoom((-0.5, 0.5), seed=1), "height_zoom")
    assert 0.5 <= zoom.min() < 0.52 and 1.48 < zoom.max() <= 1.5
    shift = draws(L.Solarization(0.0, (0.2, 0.4), seed=1), "thresholds")
    assert 51 <= shift.min() < 53 and 100 < shift.max() <= 102
    assert 0.2 < draws(L.RandomGrayscale(0.3, seed=1), "grayscale").mean() < 0.4
    assert 0.2 < draws(L.RandomInvert((0.3, 0.3), seed=1), "apply_inversion").mean() < 0.4
    places = [int(L.RandomCrop(2, 2, seed=k).get_random_transformation(np.ones((4, 4, 1)))["top"]) for k in range(40)]
    assert set(places) == {0, 1, 2}


def test_what_is_drawn_can_be_done_again():
    layer = L.RandomRotation(0.3, seed=1)
    drawn = layer.get_random_transformation(IMAGES)
    first, again = (layer.transform_images(IMAGES, drawn) for _ in range(2))
    near(first, again)
    assert layer.get_random_transformation(IMAGES, training=False) is None


# ---------------------------------------------------------------- in models


def test_a_model_that_starts_with_random_images_learns_and_predicts_the_same_twice():
    model = cornu.Sequential(
        [
            cornu.Input((6, 8, 3)),
            L.RandomFlip(seed=1),
            L.RandomTranslation(0.1, 0.1, seed=2),
            L.RandomContrast(0.2, seed=3),
            L.Rescaling(1 / 255),
            L.Flatten(),
            L.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    seeds = [np.asarray(v.value).copy() for v in model.layers[0].variables]
    history = model.fit(IMAGES, np.ones((4, 1)), epochs=2, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert not np.array_equal(model.layers[0].variables[0].value, seeds[0])
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    near(model.predict(IMAGES, verbose=0), model(IMAGES, training=False), tolerance=1e-4)


def test_two_runs_of_a_seeded_model_end_alike():
    def run():
        cornu.utils.set_random_seed(3)
        model = cornu.Sequential([cornu.Input((6, 8, 3)), L.RandomFlip(), L.Flatten(), L.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(IMAGES / 255, np.ones((4, 1)), batch_size=2, verbose=0)
        return model.predict(IMAGES, verbose=0)

    np.testing.assert_array_equal(run(), run())


def test_a_pipeline_hands_the_mode_on():
    steps = L.Pipeline([L.RandomFlip("horizontal", seed=1), L.Resizing(3, 4)])
    near(steps(IMAGES, training=False), L.Resizing(3, 4)(IMAGES))
    assert not np.array_equal(steps(IMAGES, training=True), L.Resizing(3, 4)(IMAGES))
    assert [v.path for v in steps.variables] == [v.path for v in steps.layers[0].variables]


def test_sizes_of_images_may_be_unknown():
    entry = cornu.Input((None, None, 3))
    assert L.Resizing(4, 5)(entry).shape == (None, 4, 5, 3)
    assert L.CenterCrop(4, 5)(entry).shape == (None, 4, 5, 3)
    assert L.RandomFlip()(entry).shape == (None, None, None, 3)
    assert L.RandomCrop(4, 5)(cornu.Input((8, 9, 3))).shape == (None, 4, 5, 3)


# ---------------------------------------------------------------- whole numbers


def test_bytes_stay_bytes_where_nothing_else_is_needed():
    pixels = np.array([10, 100, 240], "uint8").reshape(1, 1, 1, 3)
    brighter = L.RandomBrightness((0.2, 0.2))(pixels, training=True)
    darker = L.RandomBrightness((-0.2, -0.2))(pixels, training=True)
    assert brighter.dtype == darker.dtype == "uint8"
    np.testing.assert_array_equal(brighter.ravel(), [61, 151, 255])
    np.testing.assert_array_equal(darker.ravel(), [0, 49, 189])
    assert L.Resizing(2, 2)(pixels).dtype == "uint8"
    assert L.RandomGrayscale(1.0)(pixels, training=True).dtype == "uint8"
    for training in (True, False):  # the type does not depend on the mode
        assert L.RandomFlip(seed=1)(pixels, training=training).dtype == "float32"


# ---------------------------------------------------------------- what belongs to images


def painted(top, left, height, width, size=(12, 16)):
    image = np.zeros((*size, 1), "float32")
    image[top : top + height, left : left + width] = 1
    boxes = {"boxes": np.array([[left, top, left + width, top + height]], "float32"), "labels": np.array([7])}
    return image, boxes


def around(image):
    rows, columns = np.where(np.asarray(image)[..., 0] > 0.5)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


FOLLOWED = {
    "flip": lambda **more: L.RandomFlip("horizontal", seed=2, **more),
    "quarter turn": lambda **more: L.RandomRotation((0.5, 0.5), fill_mode="constant", **more),
    "translation": lambda **more: L.RandomTranslation((0.25, 0.25), (-0.125, -0.125), fill_mode="constant", **more),
    "zoom in": lambda **more: L.RandomZoom((-0.5, -0.5), fill_mode="constant", interpolation="nearest", **more),
    "crop": lambda **more: L.RandomCrop(10, 12, seed=1, **more),
    "small crop": lambda **more: L.RandomCrop(24, 24, **more),
    "middle": lambda **more: L.CenterCrop(10, 12, **more),
    "resizing": lambda **more: L.Resizing(24, 32, interpolation="nearest", **more),
    "cropped": lambda **more: L.Resizing(24, 24, "nearest", crop_to_aspect_ratio=True, **more),
    "padded": lambda **more: L.Resizing(32, 32, "nearest", pad_to_aspect_ratio=True, **more),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_boxes_enclose_the_same_pixels_as_before(name):
    image, boxes = painted(4, 5, 3, 4)
    layer = FOLLOWED[name](bounding_box_format="xyxy")
    result = layer({"images": image, "bounding_boxes": boxes, "labels": np.array(3)}, training=True)
    near(result["bounding_boxes"]["boxes"][0], around(result["images"]), tolerance=0.05)
    assert result["bounding_boxes"]["labels"][0] == 7 and result["labels"] == 3


HULLS = {
    "rotation": lambda **more: L.RandomRotation(0.2, fill_mode="constant", **more),
    "shear": lambda **more: L.RandomShear(0.3, 0.2, fill_mode="constant", **more),
    "perspective": lambda **more: L.RandomPerspective((1, 1), scale=0.3, **more),
    "operations": lambda **more: L.RandAugment((0, 1), factor=(0.0, 0.2), **more),
}


@pytest.mark.parametrize("name", HULLS)
def test_boxes_enclose_what_is_turned_and_bent(name):
    colours = 3 if name == "operations" else 1
    pictures = [painted(top, left, 3, 4) for top, left in ((4, 5), (5, 8), (6, 6), (3, 9))]
    images = np.stack([image for image, _ in pictures]).repeat(colours, axis=-1)
    boxes = {key: np.stack([b[key] for _, b in pictures]) for key in ("boxes", "labels")}
    layer = HULLS[name](bounding_box_format="xyxy", seed=4)
    masks = images[..., :1].astype("int32")
    data = {"images": images, "bounding_boxes": boxes, "segmentation_masks": masks}
    result = changed(layer, data)
    for mask, box in zip(result["segmentation_masks"], result["bounding_boxes"]["boxes"], strict=True):
        left, top, right, bottom = around(mask)
        x, y, x_end, y_end = np.asarray(box[0])
        assert x <= left + 0.5 and y <= top + 0.5 and x_end >= right - 0.5 and y_end >= bottom - 0.5
        assert (x_end - x) * (y_end - y) < 4 * 3 * 4  # and not much more


def test_a_box_that_leaves_the_image_loses_its_label():
    image, boxes = painted(0, 0, 3, 4)
    layer = L.RandomTranslation((-0.5, -0.5), (0.0, 0.0), bounding_box_format="rel_xywh", fill_mode="constant")
    boxes = {**boxes, "boxes": np.array([[0, 0, 0.25, 0.25]], "float32")}
    result = layer({"images": image, "bounding_boxes": boxes}, training=True)["bounding_boxes"]
    assert result["labels"][0] == -1 and np.asarray(result["boxes"]).sum() == 0


def test_boxes_keep_their_digits_in_half_precision():
    image, boxes = painted(1, 1, 3, 4)
    boxes = {**boxes, "boxes": np.array([[1.001, 1.001, 15.003, 11.003]], "float32")}
    layer = L.RandomBrightness(0.1, dtype="mixed_bfloat16", bounding_box_format="xyxy")
    result = layer({"images": image, "bounding_boxes": boxes}, training=True)
    assert result["images"].dtype == "bfloat16"
    np.testing.assert_array_equal(result["bounding_boxes"]["boxes"], boxes["boxes"])


@pytest.mark.parametrize("name", ["RandomFlip", "RandomRotation", "RandomElasticTransform", "CutMix", "RandomZoom"])
def test_masks_keep_their_classes_and_follow_the_image(name):
    classes = RANDOM.integers(0, 5, (4, 12, 16, 1)).repeat(3, axis=-1).astype("int32")
    more = {} if name in ("RandomFlip", "CutMix") else {"interpolation": "nearest"}
    data = {"images": classes.astype("float32"), "segmentation_masks": classes[..., :1]}
    result = changed(ONE_OF_EACH[name](seed=3, **more), data)
    assert result["segmentation_masks"].dtype == "int32"
    np.testing.assert_array_equal(result["segmentation_masks"], np.asarray(result["images"])[..., :1])


def test_mixed_images_have_mixed_labels():
    flat = np.arange(4, dtype="float32").reshape(4, 1, 1, 1) * np.ones((4, 20, 20, 1), "float32")
    for layer, tolerance in ((L.MixUp(1.0, seed=2), 1e-4), (L.CutMix((1, 1), seed=2), 0.4)):
        result = layer({"images": flat, "labels": np.eye(4, dtype="int32")}, training=True)
        shares = np.asarray(result["labels"])
        near(shares.sum(axis=1), np.ones(4), tolerance=1e-5)
        near(shares @ np.arange(4), np.asarray(result["images"]).mean((1, 2, 3)), tolerance=tolerance)
    plain = L.MixUp(seed=2)({"images": flat, "labels": np.arange(4)}, training=False)
    np.testing.assert_array_equal(plain["labels"], np.arange(4))


def test_mixed_images_keep_the_boxes_of_both():
    boxes = {"boxes": RANDOM.uniform(0, 6, (4, 2, 4)).astype("float32"), "labels": np.arange(8).reshape(4, 2)}
    layer = L.MixUp(seed=2, bounding_box_format="xyxy")
    order = np.asarray(L.MixUp(seed=2).get_random_transformation(IMAGES)["permutation_order"])
    result = layer({"images": IMAGES, "bounding_boxes": boxes}, training=True)["bounding_boxes"]
    np.testing.assert_array_equal(result["labels"], np.concatenate([boxes["labels"], boxes["labels"][order]], axis=1))
    assert result["boxes"].shape == (4, 4, 4)


# ---------------------------------------------------------------- one by one


def test_an_image_is_equalized_whatever_is_beside_it():
    layer = L.Equalization()
    near(layer(IMAGES, training=True)[1], layer(IMAGES[1], training=True))
    single = np.full((1, 3, 3, 1), 9.0, "float32")
    near(layer(single, training=True), single)
    near(layer(IMAGES, training=False), IMAGES)


def test_each_image_is_blurred_by_its_own_sigma():
    spots = np.zeros((2, 5, 5, 1), "float32")
    spots[:, 2, 2] = 100
    layer = L.RandomGaussianBlur((1, 1), sigma=(0.2, 1.0), seed=1)
    middle = np.asarray(layer(spots, training=True))[:, 2, 2, 0]
    assert abs(middle[0] - middle[1]) > 5
    near(L.RandomGaussianBlur((1, 1), sigma=0.0)(spots, training=True), spots)


def test_saturation_ends_at_gray_and_at_the_strongest_colours():
    image = np.array([[[[200.0, 100.0, 50.0]]]], "float32")
    for factor, wanted in ((0.0, [200, 200, 200]), (0.5, [200, 100, 50]), (1.0, [200, 66.667, 0])):
        result = L.RandomSaturation((factor, factor))(image, training=True)
        near(result.ravel(), wanted, tolerance=0.01)


def test_operations_of_no_strength_change_nothing():
    image = np.floor(IMAGES / 2)
    layer = L.RandAugment(num_ops=1, factor=0.0, seed=1)
    once = layer.get_random_transformation(image)
    for index, step in enumerate(layer._layers):
        drawn = once | {"layer_idxes": np.array([index])}
        result = layer.transform_images(image, drawn)
        if type(step).__name__ not in ("AutoContrast", "Equalization"):
            near(result, image, tolerance=0.01)
    near(L.RandAugment(num_ops=0)(IMAGES, training=True), IMAGES)


def test_jitter_takes_its_steps_in_every_order():
    layer = L.RandomColorJitter(brightness_factor=0.1, hue_factor=0.1, seed=1)
    orders = {tuple(np.asarray(layer.get_random_transformation(IMAGES)["order"])) for _ in range(20)}
    assert orders == {(0, 1), (1, 0)}
    near(L.RandomColorJitter()(IMAGES, training=True), IMAGES)


def test_augmented_chains_without_colours():
    layer = L.AugMix(num_chains=2, chain_depth=2, all_ops=False, seed=1)
    kinds = {type(step).__name__ for step in layer._layers}
    assert not kinds & {"RandomBrightness", "RandomContrast", "RandomColorDegeneration", "RandomSharpness"}
    drawn = layer.get_random_transformation(IMAGES)
    near(np.asarray(drawn["chain_mixing_weights"]).sum(), 1.0, tolerance=1e-5)
    assert (np.asarray(drawn["layer_idxes"])[:, 0] < len(kinds)).all()  # every chain has a first operation


WRONG = [
    (lambda: L.Resizing(0, 4), "height must be a positive integer"),
    (lambda: L.Resizing(4, 4, "area"), 'interpolation must be "nearest"'),
    (lambda: L.Resizing(4, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "only one of"),
    (lambda: L.RandomFlip("diagonal"), 'mode must be "horizontal"'),
    (lambda: L.RandomRotation(2), "factor must be a number, or two numbers, from -1 to 1"),
    (lambda: L.RandomContrast("0.2"), "factor must be"),
    (lambda: L.RandomBrightness(float("nan")), "factor must be"),
    (lambda: L.RandomZoom(-1.0), "greater than -1"),
    (lambda: L.RandomHue(0.1, value_range=(1, 0)), "value_range must be two numbers"),
    (lambda: L.RandomHue(0.1, seed="a"), "seed must be an int"),
    (lambda: L.RandomPosterization(9), "factor must be"),
    (lambda: L.RandomPosterization((1.5, 2)), "must be integers"),
    (lambda: L.RandomGaussianBlur(kernel_size=4), "must be odd"),
    (lambda: L.RandomErasing(fill_value=(1, 2)), "fill_value must be a number"),
    (lambda: L.RandomErasing(scale=(0.5, 2)), "scale must be"),
    (lambda: L.RandomPerspective(scale=2), "scale must be from 0 to 1"),
    (lambda: L.RandomElasticTransform(fill_mode="mirror"), "fill_mode must be"),
    (lambda: L.MixUp(0), "alpha must be a positive number"),
    (lambda: L.AugMix(num_chains=0), "num_chains must be"),
    (lambda: L.RandAugment(num_ops=-1), "num_ops must be"),
    (lambda: L.Equalization(bins=1), "bins must be at least 2"),
    (lambda: L.MaxNumBoundingBoxes(0), "max_number must be"),
    (lambda: L.Pipeline([len]), "layers must be a list of layers"),
    (lambda: L.RandomFlip(bounding_box_format="corners"), "bounding_box_format must be"),
    (lambda: L.RandomFlip()(np.ones((4, 4))), "images must have 3 axes"),
    (lambda: L.RandomFlip()({"image": np.ones((4, 4, 1))}), 'must have the key "images"'),
    (lambda: L.RandomFlip()({"images": IMAGES, "bounding_boxes": {"boxes": np.ones((4, 1, 4))}}), "need a format"),
    (
        lambda: L.RandomFlip(bounding_box_format="xyxy")({"images": IMAGES, "bounding_boxes": {"boxes": IMAGES}}),
        '"boxes" and "labels"',
    ),
    (lambda: L.RandomFlip()({"images": IMAGES, "segmentation_masks": IMAGES[..., 0]}), "as many axes as the images"),
    (lambda: L.MixUp()({"images": IMAGES, "labels": np.arange(4)}), "one-hot"),
    (lambda: L.RandomGrayscale(1.0)(IMAGES[..., :1]), "3 channels"),
    (
        lambda: L.CutMix(bounding_box_format="xyxy")(
            {"images": IMAGES, "bounding_boxes": {"boxes": np.ones((4, 1, 4)), "labels": np.ones((4, 1))}}
        ),
        "cannot transform bounding_boxes",
    ),
]


@pytest.mark.parametrize("make, message", WRONG, ids=[message for _, message in WRONG])
def test_mistakes_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_both_sides_are_padded_by_as_much():
    image = np.arange(24.0).reshape(3, 8, 1)  # five rows short of a square, of which one stays so
    boxes = {"boxes": np.array([[0.0, 0.0, 8.0, 3.0]]), "labels": np.array([1])}
    layer = L.Resizing(8, 8, "nearest", pad_to_aspect_ratio=True, fill_value=-1, bounding_box_format="xyxy")
    found = layer({"images": image, "bounding_boxes": boxes})
    padded = np.pad(image[..., 0], ((2, 2), (0, 0)), constant_values=-1)
    np.testing.assert_array_equal(found["images"][..., 0], padded[[0, 1, 2, 3, 3, 4, 5, 6]])
    np.testing.assert_allclose(found["bounding_boxes"]["boxes"], [[0, 2 * 8 / 7, 8, 5 * 8 / 7]], rtol=1e-6)
