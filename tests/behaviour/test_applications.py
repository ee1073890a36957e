"""What a person does with networks for images: takes one, loads its weights, builds on it, names what it sees."""

import hashlib
import http.server
import json
import threading

import h5py
import numpy as np
import pytest

import cornu
from cornu.applications import addresses
from cornu.utils import download

SHAPE = (32, 32, 3)


def small(**given):
    """The smallest of the networks."""
    return cornu.applications.MobileNet(**{"input_shape": SHAPE, "alpha": 0.25, "weights": None, "classes": 10} | given)


# ---------------------------------------------------------------- making one


def test_modules_are_where_keras_has_them():
    from cornu.applications import imagenet_utils, resnet, resnet50

    assert resnet50.ResNet50 is resnet.ResNet50 is cornu.applications.ResNet50
    assert resnet50.preprocess_input is resnet.preprocess_input
    assert resnet50.decode_predictions is imagenet_utils.decode_predictions
    assert cornu.applications.ResNet50.__name__ == "ResNet50"
    assert cornu.applications.ResNet50.__module__ == "cornu.applications.resnet"
    assert "weights" in cornu.applications.ResNet50.__doc__


def test_a_model_starts_from_a_tensor_of_ones_own():
    image = cornu.Input((40, 40, 1), name="grey")
    coloured = cornu.layers.Concatenate()([image, image, image])
    model = small(input_tensor=coloured, input_shape=None, include_top=False, pooling="avg")
    assert model.input_names == ["grey"]
    assert model(np.zeros((2, 40, 40, 1))).shape == (2, 256)
    with pytest.raises(ValueError, match="must be a symbolic tensor"):
        small(input_tensor=np.zeros((1, 32, 32, 3)))


def test_images_of_any_size_without_a_classifier():
    model = small(input_shape=None, include_top=False)
    assert model.input_shape == (None, None, None, 3)
    assert model(np.zeros((1, 64, 96, 3))).shape == (1, 2, 3, 256)


def test_a_classifier_of_ones_own_is_trained_on_frozen_features():
    cornu.utils.set_random_seed(0)
    base = small(include_top=False, pooling="avg")
    base.trainable = False
    before = base.get_weights()
    model = cornu.Sequential([cornu.Input(SHAPE), base, cornu.layers.Dense(2)])
    model.compile("adam", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(8, *SHAPE)).astype("float32")
    history = model.fit(x, np.eye(8, dtype="int32")[3], epochs=3, batch_size=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert len(model.trainable_weights) == 2


MISTAKES = [
    ({"weights": "imagenett"}, 'weights must be "imagenet"'),
    ({"weights": "imagenet", "classes": 10, "input_shape": None}, "classify 1000 classes"),
    ({"weights": "imagenet", "classes": 1000}, "requires images of shape"),
    ({"weights": "imagenet", "include_top": False, "input_shape": (32, 32, 4)}, "require 3 channels"),
    (
        {"weights": "imagenet", "classes": 1000, "input_shape": None, "classifier_activation": "relu"},
        "classifier_activation must be",
    ),
    ({"weights": "imagenet", "depth_multiplier": 2}, "depth_multiplier"),
    ({"input_shape": (31, 40, 3)}, "at least 32"),
    ({"input_shape": (32, 32)}, r"must be \(height, width, channels\)"),
    ({"input_shape": (None, None, 3)}, "fixed image size"),
    ({"pooling": "mean"}, "pooling must be"),
    ({"classes": 0}, "classes must be"),
]


@pytest.mark.parametrize(("given", "told"), MISTAKES)
def test_mistakes_are_told(given, told):
    with pytest.raises(ValueError, match=told):
        small(**given)


@pytest.mark.parametrize("name", ["NASNetMobile", "ConvNeXtTiny"])
def test_some_families_have_no_form_with_channels_first(name):
    cornu.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="channels_last"):
            getattr(cornu.applications, name)(weights=None)
    finally:
        cornu.config.set_image_data_format("channels_last")


def test_published_weights_that_there_are_none_of():
    with pytest.raises(ValueError, match=r"there are published weights for .*alpha=0.25"):
        cornu.applications.MobileNet(alpha=0.3)


def test_every_published_file_has_an_address_and_a_name():
    kinds = {name for name in cornu.applications.__all__ if name[0].isupper()}
    assert set(addresses.FILES) == kinds
    files = [file for table in addresses.FILES.values() for file in table.values()]
    assert len({file.name for file in files}) == len({file.address for file in files}) == len(files)
    assert {len(file.digest) for file in files if file.digest} == {32, 64}


# ---------------------------------------------------------------- weights


@pytest.fixture
def host(tmp_path, monkeypatch):
    """An empty cache, and a server here in the place of the published addresses: a function that gives it a file."""
    served = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            content = served.get(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(addresses, "BASE", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)

    def add(file: addresses.File, content: bytes) -> addresses.File:
        served[f"/{file.address}"] = content
        return file._replace(digest=hashlib.md5(content).hexdigest() if file.digest else None)

    yield add
    server.shutdown()
    thread.join()
    server.server_close()


def published_form(model) -> bytes:
    """The weights of a model in the form of the published files, as Keras 2 wrote it."""
    with h5py.File.in_memory() as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"] = b"tensorflow"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{w.name}:0" for w in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.asarray(weight.value)
        file.flush()
        return file.id.get_file_image()


def shaken(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("include_top", [True, False])
def test_published_weights_are_downloaded_once(host, tmp_path, include_top):
    given = {"alpha": 0.25, "include_top": include_top}
    source = shaken(cornu.applications.MobileNet(weights=None, **given))
    file = addresses.FILES["MobileNet"][(include_top, ("alpha", 0.25), ("size", 224))]
    host(file, published_form(source))
    model = cornu.applications.MobileNet(**given)
    for expected, found in zip(source.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (tmp_path / "home" / "models" / file.name).exists()
    host(file, b"gone")
    cornu.applications.MobileNet(**given)  # the file in the cache serves


def test_efficientnet_brings_its_statistics_and_scales_once_more(host, monkeypatch):
    source = shaken(cornu.applications.EfficientNetB0(weights=None, include_top=False))
    file = addresses.FILES["EfficientNetB0"][(False,)]
    monkeypatch.setitem(addresses.FILES["EfficientNetB0"], (False,), host(file, published_form(source)))
    model = cornu.applications.EfficientNetB0(include_top=False, pooling="avg")
    np.testing.assert_array_equal(model.layers[2].weights[0], source.weights[0])
    extra = model.layers[3]
    assert isinstance(extra, cornu.layers.Rescaling)
    np.testing.assert_allclose(extra.scale, 1 / np.sqrt([0.229, 0.224, 0.225]))


def test_a_file_that_is_not_the_published_one_is_refused(host, monkeypatch):
    file = addresses.FILES["EfficientNetB0"][(False,)]
    host(file, b"something else")
    with pytest.raises(ValueError, match="is not the expected file"):
        cornu.applications.EfficientNetB0(include_top=False)


def test_without_a_network_the_message_says_what_to_do(host):
    with pytest.raises(OSError, match="download the file on another machine and put it at") as caught:
        cornu.applications.MobileNet(alpha=0.25)
    assert any("weights=None" in note for note in caught.value.__notes__)


def test_weights_of_another_model_are_refused_and_nothing_changes(tmp_path):
    path = tmp_path / "other.h5"
    path.write_bytes(published_form(small(include_top=False)))
    model = small()
    before = model.get_weights()
    with pytest.raises(ValueError, match="with or without its classifier"):
        model.load_weights(path)
    path.write_bytes(published_form(small(classes=11)))
    with pytest.raises(ValueError, match=r"conv_preds.* Nothing was changed"):
        model.load_weights(path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_what_fits_is_taken_by_name_or_with_gaps(tmp_path):
    path = tmp_path / "other.h5"
    source = shaken(small(classes=11))
    path.write_bytes(published_form(source))
    model, features = small(), small(include_top=False)
    with pytest.warns(UserWarning, match="conv_preds"):
        model.load_weights(path, skip_mismatch=True)
    features.load_weights(path, by_name=True)
    for expected, found, other in zip(
        source.get_weights()[:-2], model.get_weights()[:-2], features.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(other, expected)


def test_by_name_is_for_files_that_name_their_layers(tmp_path):
    model = small()
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    for name in ("model.keras", "model.weights.h5"):
        with pytest.raises(ValueError, match="by_name is for older"):
            model.load_weights(tmp_path / name, by_name=True)


@pytest.fixture(scope="module")
def own():
    """A network, and the file of its weights as it would be published."""
    model = small()
    return model, published_form(model)


def soft_link(file):
    del file["conv1/conv1/kernel:0"]
    file["conv1/conv1/kernel:0"] = h5py.SoftLink("/conv_preds/conv_preds/bias:0")


def external_link(file):
    del file["conv1"]
    file["conv1"] = h5py.ExternalLink("elsewhere.h5", "/conv1")


def external_data(file):
    del file["conv1/conv1/kernel:0"]
    file.create_dataset("conv1/conv1/kernel:0", (3, 3, 3, 8), "float32", external=[("/etc/hostname", 0, 864)])


def virtual_data(file):
    del file["conv1/conv1/kernel:0"]
    layout = h5py.VirtualLayout((3, 3, 3, 8), "float32")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "kernel", shape=(3, 3, 3, 8))
    file.create_virtual_dataset("conv1/conv1/kernel:0", layout)


def empty_giant(file):
    del file["conv1/conv1/kernel:0"]
    file.create_dataset("conv1/conv1/kernel:0", (3, 3, 3, 8), "float32", chunks=(3, 3, 3, 8))


def words(file):
    del file["conv1/conv1/kernel:0"]
    file["conv1/conv1/kernel:0"] = np.full((3, 3, 3, 8), b"word")


def missing_array(file):
    del file["conv1/conv1/kernel:0"]


def missing_layer(file):
    del file["conv1"]


def climbing_name(file):
    file["conv1"].attrs["weight_names"] = [b"../conv_preds/conv_preds/bias:0"]


@pytest.mark.parametrize(
    "change",
    [soft_link, external_link, external_data, virtual_data, empty_giant, words, missing_array, missing_layer,
     climbing_name],
)  # fmt: skip
def test_a_weights_file_can_only_bring_its_own_numbers(own, tmp_path, change):
    model, whole = own
    path, before = tmp_path / "weights.h5", model.get_weights()
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=r"not allowed|refused|not contain a plain|claims|its group|filter"):
        model.load_weights(path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


# ---------------------------------------------------------------- images and names


def test_scores_become_names(host, monkeypatch):
    table = {str(i): [f"n{i:08d}", f"thing_{i}"] for i in range(1000)}
    index = host(addresses.CLASS_INDEX, json.dumps(table).encode())
    monkeypatch.setattr(addresses, "CLASS_INDEX", index)
    cornu.applications.imagenet_utils._classes.cache_clear()
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 3]] = 0.75, 0.25
    scores[1, 999] = 1.0
    named = cornu.applications.resnet.decode_predictions(scores, top=2)
    assert named[0] == [("n00000007", "thing_7", 0.75), ("n00000003", "thing_3", 0.25)]
    assert named[1][0] == ("n00000999", "thing_999", 1.0)
    with pytest.raises(ValueError, match="1000 classes"):
        cornu.applications.vgg16.decode_predictions(np.zeros((1, 10)))


def test_images_that_are_given_stay_as_they_are():
    x = np.full((1, 2, 2, 3), 255.0, "float32")
    assert cornu.applications.mobilenet.preprocess_input(x).max() == 1.0
    assert (x == 255.0).all()


@pytest.mark.parametrize(
    ("given", "told"), [({"mode": "pytorch"}, "mode must be"), ({"data_format": "last"}, "data_format must be")]
)
def test_images_prepared_in_no_known_way(given, told):
    with pytest.raises(ValueError, match=told):
        cornu.applications.imagenet_utils.preprocess_input(np.zeros((2, 2, 3)), **given)
    with pytest.raises(ValueError, match="3 or 4 axes"):
        cornu.applications.imagenet_utils.preprocess_input(np.zeros((2, 2)))


# ---------------------------------------------------------------- the layers that scale images inside


def test_normalization_says_what_is_missing():
    with pytest.raises(ValueError, match="both mean and variance"):
        cornu.layers.Normalization(mean=1.0)
    with pytest.raises(ValueError, match="nothing to adapt"):
        cornu.layers.Normalization(mean=1.0, variance=1.0).adapt(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="received no data"):
        cornu.layers.Normalization().adapt(iter(()))
    with pytest.raises(ValueError, match="must have known sizes"):
        cornu.layers.Normalization()(cornu.Input((None,)))
    with pytest.raises(ValueError, match="axis 0"):
        cornu.layers.Normalization(axis=0)
    with pytest.raises(ValueError, match="one dimension for each"):
        cornu.layers.Normalization(axis=None, mean=[1.0], variance=[1.0])


def test_adapting_anew_forgets_the_old_data():
    layer = cornu.layers.Normalization()
    layer.adapt(np.array([[0.0], [100.0]]))
    layer.adapt(np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(layer(np.array([[3.0]])), [[1.0]])
