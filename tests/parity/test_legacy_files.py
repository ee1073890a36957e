"""`.h5` files of real Keras 1, 2 and 3 read here, and files from here read by Keras 3."""

import io
import json
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from file_structure import put
from oracle import ask, both

import cornu

ARCHIVE = Path(__file__).parent.parent / "files" / "legacy_h5.zip"  # made by make_legacy_files.py
with zipfile.ZipFile(ARCHIVE) as _archive:
    MEMBERS = {name: _archive.read(name) for name in _archive.namelist()}
CASES = sorted(name.removesuffix(".h5") for name in MEMBERS if name.endswith(".h5"))
WEIGHTS_ONLY = [case for case in CASES if case.endswith("weights_only")]
REFUSED = {
    "keras-1.2.2-tensorflow/maxout": "MaxoutDense.*no equivalent",
    "keras-2.15.0-tensorflow/sliced": "math.bessel_i0",
    "keras-2.15.0-tensorflow/lambda": "safe_mode=False",
    "keras-2.2.4-tensorflow/lambda": "safe_mode=False",
}


def arrays(case, kind):
    """The inputs, targets or outputs that stand beside a file."""
    with np.load(io.BytesIO(MEMBERS[f"{case}.npz"])) as record:
        found = [record[f"{kind}_{i}"] for i in range(9) if f"{kind}_{i}" in record]
        return found[0] if len(found) == 1 else found


def losses(case):
    with np.load(io.BytesIO(MEMBERS[f"{case}.npz"])) as record:
        return record["losses"]


@pytest.fixture
def loaded(tmp_path):
    """Loads a case; returns the model and what was warned of."""

    def load(case, **options):
        path = tmp_path / "model.h5"
        path.write_bytes(MEMBERS[f"{case}.h5"])
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            model = cornu.models.load_model(path, **options)
        return model, [str(warning.message) for warning in heard]

    return load


def assert_same(got, wanted, **tolerance):
    for one, other in zip(*([x] if not isinstance(x, list) else x for x in (got, wanted)), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), **tolerance)


@pytest.mark.parametrize("case", [c for c in CASES if c not in WEIGHTS_ONLY and c not in REFUSED])
def test_old_model_predicts_as_it_did(case, loaded):
    model, heard = loaded(case, compile=False)
    tolerance = 1e-3 if "mixed" in case else 1e-5
    assert_same(model(arrays(case, "input")), arrays(case, "output"), rtol=tolerance, atol=tolerance)
    has_old_function = b'"hard_sigmoid"' in MEMBERS[f"{case}.h5"]
    assert len(heard) == (has_old_function or ("theano" in case and "conv" in case))
    assert not has_old_function or "hard_sigmoid is that of Keras 1 and 2" in heard[0]


TRAINED = [
    "keras-1.2.2-theano/lstm",
    "keras-2.2.4-tf-tensorflow/ops",
    "keras-2.2.4-theano/optimizer_amsgrad", "keras-2.2.4-theano/optimizer_sgd", "keras-2.2.4-theano/optimizer_decay",
    "keras-2.2.4-theano/embedding_bidirectional", "keras-2.15.0-tensorflow/optimizer_adam",
    "keras-2.15.0-tensorflow/optimizer_rmsprop", "keras-2.15.0-tensorflow/optimizer_amsgrad",
    "keras-2.15.0-tensorflow/legacy_sgd", "keras-2.15.0-tensorflow/legacy_rmsprop",
    "keras-2.15.0-tensorflow/legacy_schedule", "keras-2.15.0-tensorflow/graph",
]  # fmt: skip


@pytest.mark.parametrize("case", TRAINED)
def test_training_goes_on_as_if_it_had_never_stopped(case, loaded):
    model, _ = loaded(case)
    got = [np.ravel(model.train_on_batch(arrays(case, "input"), arrays(case, "target")))[0] for _ in range(2)]
    np.testing.assert_allclose(got, losses(case), rtol=1e-5, atol=1e-5)
    assert_same(model(arrays(case, "input")), arrays(case, "trained"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", WEIGHTS_ONLY)
def test_old_weights_alone(case, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(MEMBERS[f"{case}.h5"])
    layers = cornu.layers
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(3), layers.Activation("relu"), layers.Dense(2)])
    model.load_weights(path)
    assert_same(model(arrays(case, "input")), arrays(case, "output"), rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="does not contain a model"):
        cornu.models.load_model(path)


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_equal_is_refused_by_name(case, loaded):
    with pytest.raises(ValueError, match=REFUSED[case]):
        loaded(case)


def test_what_a_load_changes_is_said_once(loaded):
    _, heard = loaded("keras-1.2.2-theano/conv_th")
    assert len(heard) == 1
    assert "written by Keras 1.2.2" in heard[0] and "InverseTimeDecay" in heard[0]


# ---------------------------------------------------------------- Keras 3


def sequential(k):
    dense = k.layers.Dense(3, activation="relu", name="one")
    return k.Sequential([k.Input((4,)), dense, k.layers.BatchNormalization(name="bn"), k.layers.Dense(2, name="two")])


def graph(k):
    """Shared, nested and partly frozen layers, two outputs."""
    layers, entry = k.layers, k.Input((4,), name="entry")
    shared = layers.Dense(3, name="shared")

    def block(name):
        inner = [layers.Dense(3, name=f"{name}_1"), layers.BatchNormalization(name=f"{name}_bn")]
        return k.Sequential([k.Input((3,)), *inner, layers.Dense(3, name=f"{name}_2")], name=name)

    frozen = block("frozen")
    frozen.layers[0].trainable = False
    x = shared(entry)
    y = layers.Add(name="sum")([x, shared(k.ops.tanh(entry))])
    y = layers.Concatenate(name="joined")([block("block")(y), frozen(x)])
    return k.Model(entry, [layers.Dense(2, name="p")(y), layers.Dense(1, name="q")(x)])


def recurrent(k):
    layers = k.layers
    return k.Sequential([
        k.Input((5,)), layers.Embedding(9, 4, mask_zero=True, name="e"),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="b"),
        layers.TimeDistributed(layers.Dense(2), name="t"), layers.GRU(2, name="g"),
    ])  # fmt: skip


MODELS = {"sequential": sequential, "graph": graph, "recurrent": recurrent}
OPTIMIZERS = (
    "sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam", "ftrl", "lion", "adamw", "muon",
)  # fmt: skip


def data(model):
    rng = np.random.default_rng(1)
    shape = model.inputs[0].shape[1:]
    x = rng.integers(0, 9, (6, *shape)) if shape == (5,) else rng.normal(size=(6, *shape)).astype("float32")
    y = [rng.normal(size=(6, *out.shape[1:])).astype("float32") for out in model.outputs]
    return x, y[0] if len(y) == 1 else y


def compiled(k, name, optimizer="adam"):
    k.utils.clear_session(free_memory=False)
    k.utils.set_random_seed(0)
    model = MODELS[name](k)
    outputs = len(model.outputs)
    names = ["mean_squared_error", "mean_absolute_error"][:outputs]
    metrics = [["mae"], [k.metrics.MeanSquaredError(name="q")]][:outputs]
    model.compile(optimizer, names if outputs > 1 else names[0], metrics=metrics if outputs > 1 else metrics[0])
    return model


def step(model, x, y):
    return np.ravel(model.train_on_batch(x, y))[0]


@pytest.mark.parametrize("name", MODELS)
def test_model_of_keras_3_goes_on_here(name, tmp_path):
    x, y = data(MODELS[name](cornu))

    def question(keras):
        model = compiled(keras, name)
        step(model, x, y)
        model.save(tmp_path / "theirs.h5")
        file = (tmp_path / "theirs.h5").read_bytes()
        return file, [step(model, x, y) for _ in range(2)], model.predict(x, verbose=0)

    file, expected, outputs = ask(question)
    ours = cornu.models.load_model(put(file, tmp_path / "stored.h5"))
    np.testing.assert_allclose([step(ours, x, y) for _ in range(2)], expected, rtol=1e-4)
    assert_same(ours.predict(x, verbose=0), outputs, rtol=1e-3, atol=1e-4)


@pytest.mark.live
@pytest.mark.parametrize("name", MODELS)
def test_model_from_here_is_read_by_keras_3(name, tmp_path):
    import keras

    ours = compiled(cornu, name)
    x, y = data(ours)
    step(ours, x, y)
    ours.save(tmp_path / "ours.h5")
    theirs = keras.models.load_model(tmp_path / "ours.h5")
    assert_same(theirs.predict(x, verbose=0), ours.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    assert theirs.optimizer.name == ours.optimizer.name
    theirs.compile("sgd", theirs.loss)  # Keras cannot train on from any .h5 file, its own included, without this
    ours.compile("sgd", ours.loss)
    np.testing.assert_allclose(step(theirs, x, y), step(ours, x, y), rtol=1e-4)
    again = cornu.models.load_model(tmp_path / "ours.h5")
    assert again.optimizer.iterations.numpy() == 1


def listed(path):
    """The names of all layers and the shapes of all weights and of the optimizer's state, as the file lists them."""
    with h5py.File(path) as file:
        weights, state = file["model_weights"], file["optimizer_weights"]
        layers = [x.decode() if isinstance(x, bytes) else x for x in weights.attrs["layer_names"]]
        shapes = [[weights[name][w].shape for w in weights[name].attrs["weight_names"]] for name in layers]
        return layers, shapes, [(state[w].shape, str(state[w].dtype)) for w in state.attrs["weight_names"]]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer_state_is_listed_as_keras_lists_it(optimizer, tmp_path):
    def question(library):
        model = compiled(library, "sequential", optimizer)
        model.optimizer.build(model.trainable_variables)
        path = tmp_path / f"{library.__name__}.h5"
        model.save(path)
        return listed(path), type(model.optimizer).__name__, path.read_bytes()

    ours, theirs = both(question)
    assert ours[:2] == theirs[:2]
    loaded = cornu.models.load_model(put(theirs[2], tmp_path / "stored.h5"))
    assert type(loaded.optimizer).__name__ == theirs[1]


def scaled(k):
    class Scaled(k.layers.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    return Scaled


def with_custom_layer(k, path):
    k.utils.clear_session(free_memory=False)
    model = k.Sequential([k.Input((3,)), scaled(k)(3.0), k.layers.Dense(2)])
    model.save(path)
    return path.read_bytes(), model.predict(np.ones((2, 3), "float32"), verbose=0)


def check_custom_layer(k, path, expected):
    same = k.models.load_model(path, custom_objects={"Scaled": scaled(k)})
    assert_same(same.predict(np.ones((2, 3), "float32"), verbose=0), expected, rtol=1e-5)
    with pytest.raises((ValueError, TypeError), match="Scaled"):
        k.models.load_model(path)


def test_custom_objects(tmp_path):
    file, expected = ask(lambda keras: with_custom_layer(keras, tmp_path / "theirs.h5"))
    check_custom_layer(cornu, put(file, tmp_path / "stored.h5"), expected)


@pytest.mark.live
def test_custom_objects_are_read_by_keras_3(tmp_path):
    import keras

    _, expected = with_custom_layer(cornu, tmp_path / "ours.h5")
    check_custom_layer(keras, tmp_path / "ours.h5", expected)


@pytest.mark.live
def test_weights_alone_are_read_by_keras_3(tmp_path):
    import keras

    ours, theirs = graph(cornu), graph(keras)
    ours.save_weights(tmp_path / "w.h5")
    theirs.load_weights(tmp_path / "w.h5")
    x, _ = data(ours)
    assert_same(theirs.predict(x, verbose=0), ours.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_configs_name_their_release():
    with h5py.File(io.BytesIO(MEMBERS["keras-2.15.0-tensorflow/graph.h5"])) as file:
        assert file.attrs["keras_version"] == "2.15.0"
        assert json.loads(file.attrs["model_config"])["class_name"] == "Functional"


# ---------------------------------------------------------------- other doors than whole .h5 files


ARCHIVES = Path(__file__).parent.parent / "files" / "legacy_keras.zip"  # made by make_legacy_files.py
with zipfile.ZipFile(ARCHIVES) as _archive:
    OF_ARCHIVES = {name: _archive.read(name) for name in _archive.namelist()}
IN_ARCHIVES = sorted(name.removesuffix(".keras") for name in OF_ARCHIVES if name.endswith(".keras"))


@pytest.mark.filterwarnings("ignore:.*counts predictions that equal the label")  # the files were made so
@pytest.mark.parametrize("case", IN_ARCHIVES)
def test_archives_of_keras_2_predict_and_go_on_training(case, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.MEMBERS", OF_ARCHIVES)
    path = tmp_path / "model.keras"
    path.write_bytes(OF_ARCHIVES[f"{case}.keras"])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = cornu.models.load_model(path)
        report = cornu.models.load_model(path, report=True)
    tolerance = 1e-3 if "mixed" in case else 1e-5
    assert_same(model(arrays(case, "input")), arrays(case, "output"), rtol=tolerance, atol=tolerance)
    assert report.loads, report.refused
    same_steps = "optimizer_" in case and "nadam" not in case  # its schedule of momenta has changed
    assert same_steps or "legacy" not in case or "lacks the optimizer state" in str(heard[0].message)
    if same_steps:
        got = [np.ravel(model.train_on_batch(arrays(case, "input"), arrays(case, "target")))[0] for _ in range(2)]
        np.testing.assert_allclose(got, losses(case), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")  # what a load changes
@pytest.mark.parametrize("case", [c for c in CASES if c not in WEIGHTS_ONLY and c not in REFUSED][::3])
def test_the_description_of_an_old_model_and_its_weights_go_through_each_door(case, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(MEMBERS[f"{case}.h5"])
    with h5py.File(path) as file:
        description = json.loads(file.attrs["model_config"]) | {"keras_version": case.split("-")[1]}
    kind = cornu.Sequential if description["class_name"] == "Sequential" else cornu.Model
    models = [cornu.models.model_from_json(json.dumps(description))]
    if description["keras_version"] > "2.3":  # older configs do not say that they are old
        models.append(kind.from_config(description["config"]))
    for model in models:
        model.load_weights(path)
        assert_same(model(arrays(case, "input")), arrays(case, "output"), rtol=1e-3, atol=1e-3)


OLD_ACTIVATION = next(c for c in CASES if "hard_sigmoid" in c and "2.15" in c)


def test_an_old_activation_in_a_new_file_is_said(loaded, tmp_path):
    model, _ = loaded(OLD_ACTIVATION)
    with pytest.warns(UserWarning, match="Keras 3 needs custom_objects"):
        model.save(tmp_path / "m.keras")


@pytest.mark.live
@pytest.mark.filterwarnings("ignore:.*Keras 3 needs custom_objects")
def test_an_old_activation_in_a_new_file_is_read_by_keras(loaded, tmp_path):
    import keras

    case = OLD_ACTIVATION
    loaded(case)[0].save(tmp_path / "m.keras")
    own = {"keras2>hard_sigmoid": lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)}
    theirs = keras.models.load_model(tmp_path / "m.keras", custom_objects=own)
    assert_same(theirs(arrays(case, "input")), arrays(case, "output"), rtol=1e-5, atol=1e-5)


def test_kernels_of_theano_are_turned_with_a_word(loaded):
    _, heard = loaded("keras-1.2.2-theano/conv_th", compile=False)
    assert "rotated the kernels of convolutions" in " ".join(heard)
