"""Networks for images beside Keras's: one small member of each family here, all of them by `applications_table.py`."""

import applications_table as table
import keras
import numpy as np
import pytest

import cornu

MEMBERS = [
    ("VGG16", {}),
    ("ResNet50", {}),
    ("ResNet50V2", {}),
    ("DenseNet121", {}),
    ("Xception", {}),
    ("InceptionV3", {}),
    ("InceptionResNetV2", {}),
    ("EfficientNetB0", {}),
    ("EfficientNetV2B0", {}),
    ("MobileNet", {"alpha": 0.25}),
    ("MobileNetV2", {"alpha": 0.35}),
    ("MobileNetV3Small", {}),
    ("NASNetMobile", {}),
    ("ConvNeXtTiny", {}),
]
VARIANTS = [
    ("VGG16", {"include_top": False, "pooling": "max"}),
    ("ResNet50", {"include_top": False, "pooling": "avg", "input_shape": None}),
    ("EfficientNetB3", {"include_top": False, "pooling": None, "name": "scaled"}),
    ("EfficientNetV2B2", {"include_preprocessing": False, "include_top": False, "pooling": "max"}),
    ("EfficientNetV2S", {"include_top": False}),
    ("MobileNet", {"alpha": 0.5, "depth_multiplier": 2, "dropout": 0.2, "include_top": False, "input_shape": None}),
    ("MobileNetV2", {"alpha": 1.4, "include_top": False, "pooling": "avg", "input_shape": (96, 64, 3)}),
    ("MobileNetV3Large", {"alpha": 0.75, "dropout_rate": 0.0, "include_preprocessing": False}),
    ("MobileNetV3Small", {"minimalistic": True, "alpha": 1.25, "input_shape": None}),
    ("NASNetMobile", {"include_top": False, "pooling": "max", "input_shape": (64, 48, 3)}),
    ("ConvNeXtTiny", {"include_preprocessing": False, "include_top": False, "pooling": "max"}),
    ("DenseNet121", {"include_top": False, "pooling": "max"}),
]


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """First weights do not matter to any comparison here."""
    table.draw_quickly(monkeypatch.setattr)


def differences(theirs: dict, ours: dict) -> dict:
    return {key: (value, ours[key]) for key, value in theirs.items() if ours[key] != value}


@pytest.mark.parametrize(("name", "given"), MEMBERS, ids=lambda x: x if isinstance(x, str) else "")
def test_the_same_layers_settings_and_weights(name, given):
    theirs, ours = table.pair(name, **table.arguments(name, **given))
    assert not differences(table.structure(theirs), table.structure(ours))


@pytest.mark.parametrize(("name", "given"), VARIANTS, ids=lambda x: x if isinstance(x, str) else "")
def test_the_same_under_other_arguments(name, given):
    theirs, ours = table.pair(name, **table.arguments(name, **given))
    assert not differences(table.structure(theirs), table.structure(ours))


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetV2B0", "MobileNetV3Small"])
def test_the_same_with_channels_first(name, monkeypatch):
    for library in (keras, cornu):
        library.config.set_image_data_format("channels_first")
    try:
        theirs, ours = table.pair(name, **table.arguments(name, input_shape=(3, 32, 32)))
    finally:
        for library in (keras, cornu):
            library.config.set_image_data_format("channels_last")
    assert not differences(table.structure(theirs), table.structure(ours))


def test_full_size_classifiers_take_the_size_of_their_paper():
    for name in ("MobileNet", "MobileNetV2", "EfficientNetB1"):
        theirs, ours = table.pair(name, weights=None)
        assert (ours.name, ours.input_shape, ours.output_shape) == (
            theirs.name,
            theirs.input_shape,
            theirs.output_shape,
        )


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_outputs_equal_on_weights_of_a_published_file(name, tmp_path):
    theirs, ours = table.pair(name, **table.arguments(name))
    table.shake(theirs)
    ours.load_weights(table.published(theirs, tmp_path / "published.h5"))
    assert table.difference(theirs, ours, table.images(name)) < table.CLOSE


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_weights_come_from_a_file_of_any_format(ending, tmp_path):
    given = table.arguments("MobileNetV2", alpha=0.35)
    theirs = keras.applications.MobileNetV2(**given)
    table.shake(theirs)
    file = tmp_path / f"model{ending}"
    theirs.save_weights(file) if ending == ".weights.h5" else theirs.save(file)
    ours = cornu.applications.MobileNetV2(**(given | {"weights": file}))
    for expected, found in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_saved_convnext_comes_back_from_keras_and_goes_there(tmp_path):
    theirs, ours = table.pair("ConvNeXtTiny", **table.arguments("ConvNeXtTiny", include_top=False, pooling="avg"))
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    back = cornu.models.load_model(tmp_path / "theirs.keras")
    assert back.get_config() == ours.get_config() | {"name": back.name}
    for expected, found in zip(theirs.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    there = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"LayerScale": _keras_layer_scale(theirs)})
    for expected, found in zip(ours.get_weights(), there.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def _keras_layer_scale(model) -> type:
    return next(type(layer) for layer in model.layers if type(layer).__name__ == "LayerScale")


def test_gradients_of_fine_tuning_the_last_stage_of_resnet50():
    theirs, ours = table.pair("ResNet50", **table.arguments("ResNet50"))
    table.shake(theirs)
    ours.set_weights(theirs.get_weights())
    last = lambda path: path.startswith(("conv5_block3", "predictions"))
    assert table.gradient_difference(theirs, ours, "ResNet50", last) < table.CLOSE


# ---------------------------------------------------------------- images in, names out

MODULES = [
    "convnext", "densenet", "efficientnet", "efficientnet_v2", "inception_resnet_v2", "inception_v3", "mobilenet",
    "mobilenet_v2", "mobilenet_v3", "nasnet", "resnet", "resnet50", "resnet_v2", "vgg16", "vgg19", "xception",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_each_family_prepares_images_as_keras_does(module):
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
    expected = getattr(keras.applications, module).preprocess_input(x.copy())
    found = getattr(cornu.applications, module).preprocess_input(x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "tensor", "symbolic"])
def test_images_of_every_kind(mode, data_format, dtype):
    x = np.random.default_rng(0).integers(0, 255, (3, 4, 3))
    theirs, ours = keras.applications.imagenet_utils, cornu.applications.imagenet_utils
    if dtype == "symbolic":
        image = cornu.Input((3, 4, 3))
        model = cornu.Model(image, ours.preprocess_input(image, data_format, mode))
        found, expected = model(x[None])[0], theirs.preprocess_input(x.astype("float32"), data_format, mode)
    else:
        x = cornu.ops.array(x, "float32") if dtype == "tensor" else x.astype(dtype)
        found = ours.preprocess_input(x, data_format, mode)
        expected = theirs.preprocess_input(np.array(x), data_format, mode)
        assert found.dtype == expected.dtype and isinstance(found, np.ndarray) == (dtype != "tensor")
    rough = dtype == "float16"
    np.testing.assert_allclose(np.asarray(found), expected, rtol=5e-3 if rough else 1e-5, atol=0.2 if rough else 1e-5)


# ---------------------------------------------------------------- the layers that scale images inside


@pytest.mark.parametrize(
    "given",
    [
        {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 0.0, 1.0]},
        {"mean": 1.5, "variance": 4.0, "axis": None},
        {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 9.0, 1.0], "invert": True},
        {"axis": (1, 3), "mean": np.ones((2, 3)).tolist(), "variance": np.full((2, 3), 4.0).tolist()},
    ],
)
def test_normalization_with_given_statistics(given):
    x = np.random.default_rng(0).normal(size=(4, 2, 5, 3)).astype("float32")
    theirs, ours = keras.layers.Normalization(**given), cornu.layers.Normalization(**given)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert table.plain(ours.get_config() | {"name": ""}) == table.plain(theirs.get_config() | {"name": ""})


@pytest.mark.parametrize("axis", [-1, None, (1, 2)])
def test_normalization_adapts_to_data(axis):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(40, 2, 3)).astype("float32")
    theirs, ours = keras.layers.Normalization(axis=axis), cornu.layers.Normalization(axis=axis)
    theirs.adapt(x)
    ours.adapt(x[start : start + 16] for start in range(0, 40, 16))
    assert [w.path.split("/")[-1] for w in ours.weights] == [w.path.split("/")[-1] for w in theirs.weights]
    for expected, found in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("given", [{"scale": 0.5}, {"scale": [1.0, 2.0, 3.0], "offset": [1.0, 0.0, -1.0]}])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rescaling(given, dtype):
    x = np.arange(24).reshape(2, 2, 2, 3).astype(dtype)
    theirs, ours = keras.layers.Rescaling(**given), cornu.layers.Rescaling(**given)
    found = ours(x)
    np.testing.assert_allclose(found, theirs(x), rtol=1e-6)
    assert found.dtype == "float32"
    assert table.plain(ours.get_config() | {"name": ""}) == table.plain(theirs.get_config() | {"name": ""})
