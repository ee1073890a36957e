"""Networks for images beside Keras's: one small member of each family here, all of them by `applications_table.py`."""

import applications_table as table
import numpy as np
import pytest
from file_structure import structure
from oracle import ask, both

import cornu
from cornu.core import allocation

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
LONG = {"DenseNet121", "EfficientNetB3", "EfficientNetV2B2", "EfficientNetV2S", "MobileNetV3Large", "NASNetMobile"}
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


def laid_out(library, look, name, /, **given):
    """What is seen of a model of either library; cornu's is made without numbers, which take most of the time."""
    question = lambda: look(table.model_of(library, name, **given))
    return allocation.without_values(question) if library is cornu else question()


def check(name, /, **given):
    """Assert that the models of both libraries have the same layers, settings and weights."""
    ours, theirs = both(lambda library: laid_out(library, table.structure, name, **given))
    assert not {key: (value, ours[key]) for key, value in theirs.items() if ours[key] != value}


@pytest.mark.parametrize(("name", "given"), MEMBERS, ids=lambda x: x if isinstance(x, str) else "")
def test_the_same_layers_settings_and_weights(name, given):
    check(name, **table.arguments(name, **given))


@pytest.mark.parametrize(
    ("name", "given"),
    [pytest.param(name, given, marks=pytest.mark.long if name in LONG else ()) for name, given in VARIANTS],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_same_under_other_arguments(name, given):
    check(name, **table.arguments(name, **given))


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetV2B0", "MobileNetV3Small"])
def test_the_same_with_channels_first(name):
    def question(library):
        library.config.set_image_data_format("channels_first")
        try:
            return laid_out(library, table.structure, name, **table.arguments(name, input_shape=(3, 32, 32)))
        finally:
            library.config.set_image_data_format("channels_last")

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2", "EfficientNetB1"])
def test_full_size_classifiers_take_the_size_of_their_paper(name):
    def question(library):
        look = lambda model: (model.name, model.input_shape, model.output_shape)
        return laid_out(library, look, name, weights=None)

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("name", ["MobileNetV3Small", pytest.param("ConvNeXtTiny", marks=pytest.mark.long)])
def test_outputs_equal_on_weights_of_a_published_file(name, tmp_path):
    """The file is cornu's own here, in all but its numbers the one that Keras wrote."""

    def question(library):
        model = table.model_of(library, name, **table.arguments(name))
        table.shake(model)
        file = table.published(model, tmp_path / f"{library.__name__}.h5")
        return structure(file), None if library is cornu else table.outputs(model, name)

    (ours, _), (theirs, expected) = both(question)
    assert ours == theirs
    model = table.model_of(cornu, name, **table.arguments(name, weights=tmp_path / "cornu.h5"))
    assert table.difference(expected, table.outputs(model, name)) < table.CLOSE


@pytest.mark.live
@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_weights_come_from_a_file_of_any_format(ending, tmp_path):
    import keras

    given = table.arguments("MobileNetV2", alpha=0.35)
    theirs = table.model_of(keras, "MobileNetV2", **given)
    table.shake(theirs)
    file = tmp_path / f"model{ending}"
    if ending == ".h5":
        table.published(theirs, file)
    else:
        theirs.save_weights(file) if ending == ".weights.h5" else theirs.save(file)
    ours = cornu.applications.MobileNetV2(**(given | {"weights": file}))
    for expected, found in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


CONVNEXT = {"include_top": False, "pooling": "avg"}


def test_a_saved_convnext_looks_as_keras_saves_it_and_comes_back(tmp_path):
    def question(library):
        model = table.model_of(library, "ConvNeXtTiny", **table.arguments("ConvNeXtTiny", **CONVNEXT))
        model.save(tmp_path / f"{library.__name__}.keras")
        return structure(tmp_path / f"{library.__name__}.keras")

    ours, theirs = both(question)
    assert ours == theirs
    back = cornu.models.load_model(tmp_path / "cornu.keras")
    model = table.model_of(cornu, "ConvNeXtTiny", **table.arguments("ConvNeXtTiny", **CONVNEXT))
    assert back.get_config() == model.get_config() | {"name": back.name}


@pytest.mark.live
def test_a_saved_convnext_comes_back_from_keras_and_goes_there(tmp_path):
    import keras

    given = table.arguments("ConvNeXtTiny", **CONVNEXT)
    theirs, ours = (table.model_of(library, "ConvNeXtTiny", **given) for library in (keras, cornu))
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    back = cornu.models.load_model(tmp_path / "theirs.keras")
    for expected, found in zip(theirs.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    scale = next(type(layer) for layer in theirs.layers if type(layer).__name__ == "LayerScale")
    there = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"LayerScale": scale})
    for expected, found in zip(ours.get_weights(), there.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.long
def test_gradients_of_fine_tuning_the_last_stage_of_resnet50():
    last = lambda path: path.startswith(("conv5_block3", "predictions"))

    def question(library):
        model = table.model_of(library, "ResNet50", **table.arguments("ResNet50"))
        table.shake(model)
        return table.gradients(model, "ResNet50", last)

    ours, theirs = both(question)
    assert table.gradient_difference(theirs, ours) < table.CLOSE


# ---------------------------------------------------------------- images in, names out

MODULES = [
    "convnext", "densenet", "efficientnet", "efficientnet_v2", "inception_resnet_v2", "inception_v3", "mobilenet",
    "mobilenet_v2", "mobilenet_v3", "nasnet", "resnet", "resnet50", "resnet_v2", "vgg16", "vgg19", "xception",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_each_family_prepares_images_as_keras_does(module):
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
    found, expected = both(lambda library: getattr(library.applications, module).preprocess_input(x.copy()))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "tensor", "symbolic"])
def test_images_of_every_kind(mode, data_format, dtype):
    x = np.random.default_rng(0).integers(0, 255, (3, 4, 3))
    ours = cornu.applications.imagenet_utils.preprocess_input
    given = x.astype("float32" if dtype in ("symbolic", "tensor") else dtype)
    theirs = lambda keras: keras.applications.imagenet_utils.preprocess_input(given.copy(), data_format, mode)
    expected = ask(theirs, f"{mode} {data_format} {given.dtype}")
    if dtype == "symbolic":
        image = cornu.Input((3, 4, 3))
        found = cornu.Model(image, ours(image, data_format, mode))(x[None])[0]
    else:
        found = ours(cornu.ops.array(x, "float32") if dtype == "tensor" else given, data_format, mode)
        assert found.dtype == expected.dtype and isinstance(found, np.ndarray) == (dtype != "tensor")
    rough = dtype == "float16"
    np.testing.assert_allclose(np.asarray(found), expected, rtol=5e-3 if rough else 1e-5, atol=0.2 if rough else 1e-5)


# ---------------------------------------------------------------- the layers that scale images inside


def compare_layers(make, x):
    def question(library):
        layer = make(library)
        return layer(x), table.plain(layer.get_config())

    (found, config), (expected, wanted) = both(question)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert config == wanted
    assert found.dtype == expected.dtype


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
    compare_layers(lambda library: library.layers.Normalization(name="it", **given), x)


@pytest.mark.parametrize("axis", [-1, None, (1, 2)])
def test_normalization_adapts_to_data(axis):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(40, 2, 3)).astype("float32")

    def question(library):
        layer = library.layers.Normalization(axis=axis)
        layer.adapt((x[start : start + 16] for start in range(0, 40, 16)) if library is cornu else x)
        return [w.path.split("/")[-1] for w in layer.weights], [*layer.get_weights(), layer(x)]

    ours, theirs = both(question)
    assert ours[0] == theirs[0]
    for found, expected in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("given", [{"scale": 0.5}, {"scale": [1.0, 2.0, 3.0], "offset": [1.0, 0.0, -1.0]}])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rescaling(given, dtype):
    x = np.arange(24).reshape(2, 2, 2, 3).astype(dtype)
    compare_layers(lambda library: library.layers.Rescaling(name="it", **given), x)
