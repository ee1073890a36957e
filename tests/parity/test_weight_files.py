"""Weights in several files, in safetensors and through the file editor, beside Keras, PyTorch and safetensors."""

import json
from collections import deque, namedtuple

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from file_structure import contents, put
from oracle import ask, both

import cornu
from cornu.saving.safetensors import read, write

KIB = 2**-20  # of a gigabyte
Pair = namedtuple("Pair", "one other")


def dense_model(lib, units=6):
    layers = lib.layers
    return lib.Sequential(
        [
            lib.Input((40,)),
            layers.Dense(50, "relu", name="stem"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(units, name="head"),
        ]
    )


def recurrent_model(lib):
    layers = lib.layers
    inputs = lib.Input((5,), dtype="int32")
    x = layers.Embedding(20, 8)(inputs)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = lib.Sequential([layers.Dense(7), layers.LayerNormalization()], name="inner")(x)
    return lib.Model(inputs, layers.Bidirectional(layers.LSTM(3))(x))


def half_model(lib):
    layers = lib.layers
    return lib.Sequential([lib.Input((40,)), layers.Dense(9, dtype="bfloat16"), layers.Dense(2)])


MODELS = {"dense": dense_model, "recurrent": recurrent_model, "half": half_model}


def trained(lib, build):
    """A model with an optimizer that has stepped once."""
    lib.utils.clear_session(free_memory=False)
    lib.utils.set_random_seed(0)
    model = build(lib)
    random = np.random.default_rng(0)
    shape = (4, *model.input_shape[1:])
    x = random.integers(0, 20, shape) if "int" in str(model.inputs[0].dtype) else random.normal(size=shape)
    y = random.normal(size=(4, *model.output_shape[1:]))
    model.compile(lib.optimizers.Adam(0.01), "mse")
    model.train_on_batch(x, y)
    return model


def values(model):
    """The weights and the optimizer's state."""
    variables = [*model.weights, *model.optimizer.variables]
    return [np.asarray(v.value.astype("float32") if "bfloat16" in str(v.dtype) else v.value) for v in variables]


def filed(lib, build, folder, kib):
    """(what files a trained model's weights are divided into, its values)."""
    model, place = trained(lib, build), folder / lib.__name__
    place.mkdir()
    model.save_weights(place / "w.weights.json", max_shard_size=kib * KIB)
    return contents(place), values(model)


@pytest.mark.live
@pytest.mark.parametrize("kib", [9, 1e6])
@pytest.mark.parametrize("name", MODELS)
def test_what_cornu_divides_keras_reads(name, kib, tmp_path):
    import keras

    _, expected = filed(cornu, MODELS[name], tmp_path, kib)
    theirs = trained(keras, MODELS[name])
    theirs.load_weights(tmp_path / "cornu" / "w.weights.json")
    for a, b in zip(values(theirs), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kib", [9, 1e6])
@pytest.mark.parametrize("name", MODELS)
def test_what_keras_divides_cornu_reads(name, kib, tmp_path):
    files, expected = ask(lambda keras: filed(keras, MODELS[name], tmp_path, kib))
    put(files, tmp_path / "stored")
    ours = trained(cornu, MODELS[name])
    ours.load_weights(tmp_path / "stored" / "w.weights.json")
    for a, b in zip(values(ours), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kib", [8, 8.3, 10.5, 17, 100])
def test_the_table_and_the_files_are_those_that_keras_writes(kib, tmp_path):
    def build(lib):
        layers = lib.layers
        return lib.Sequential([lib.Input((7,), dtype="int32"), layers.Embedding(200, 10), layers.Dense(30)])

    def question(lib):
        files, _ = filed(lib, build, tmp_path, kib)
        return json.loads(files["w.weights.json"]), sorted(files)

    ours, theirs = both(question)
    assert ours == theirs


def test_both_refuse_an_array_that_is_larger_than_a_file_may_be(tmp_path):
    def question(lib):
        with pytest.raises(ValueError) as caught:
            dense_model(lib).save_weights(tmp_path / "w.weights.json", max_shard_size=KIB)
        return str(caught.value)

    ours, theirs = both(question)
    assert "max_shard_size" in ours and "maximum shard size" in theirs


@pytest.mark.parametrize("name", MODELS)
def test_safetensors_reads_what_cornu_writes(name, tmp_path):
    model = MODELS[name](cornu)
    model.save_weights(tmp_path / "w.safetensors", metadata={"note": "größer"})
    state = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    with safetensors.safe_open(tmp_path / "w.safetensors", "numpy") as file:
        assert file.metadata() == {"format": "cornu", "note": "größer"}
    assert sorted(a.tobytes() for a in state.values()) == sorted(a.tobytes() for a in model.get_weights())
    assert {a.dtype.name for a in state.values()} == {v.dtype for v in model.weights}


@pytest.mark.parametrize("name", MODELS)
def test_cornu_reads_what_safetensors_writes(name, tmp_path):
    model = MODELS[name](cornu)
    model.save_weights(tmp_path / "w.safetensors")
    state = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    more = {key: value + np.ones((), value.dtype) for key, value in state.items()}
    safetensors.numpy.save_file(more, tmp_path / "more.safetensors", {"format": "np"})
    before = model.get_weights()
    model.load_weights(tmp_path / "more.safetensors")
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b + np.ones((), b.dtype))


DTYPES = [
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
    "uint8", "bool",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_through_both_ways(dtype, tmp_path):
    array = np.arange(6).reshape(2, 3).astype(jnp.dtype(dtype))
    state = {"a": array, "empty": array[:0], "number": array[0, 1:2].reshape(())}
    write(str(tmp_path / "ours.safetensors"), state, {})
    safetensors.numpy.save_file(state, tmp_path / "theirs.safetensors")
    for found in (
        safetensors.numpy.load_file(tmp_path / "ours.safetensors"),
        read(str(tmp_path / "theirs.safetensors")),
    ):
        assert sorted(found) == sorted(state)
        for key, value in state.items():
            assert found[key].dtype == value.dtype
            np.testing.assert_array_equal(found[key], value)


def test_a_network_of_pytorch_computes_the_same_in_cornu(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 5)
    )
    net(torch.randn(16, 3, 8, 8))
    safetensors.torch.save_file(net.state_dict(), tmp_path / "net.safetensors")
    model = cornu.Sequential(
        [
            cornu.Input((3, 8, 8)),
            cornu.layers.Conv2D(8, 3, data_format="channels_first", name="conv"),
            cornu.layers.BatchNormalization(axis=1, epsilon=1e-5, name="norm"),
            cornu.layers.ReLU(),
            cornu.layers.Flatten(),
            cornu.layers.Dense(5, name="head"),
        ]
    )
    layers = {"0": "conv", "1": "norm", "4": "head"}
    kinds = {
        "0.weight": ("kernel", lambda x: x.transpose(2, 3, 1, 0)),
        "4.weight": ("kernel", lambda x: x.T),
        "1.weight": ("gamma", None),
        "1.bias": ("beta", None),
        "1.running_mean": ("moving_mean", None),
        "1.running_var": ("moving_variance", None),
        "1.num_batches_tracked": None,
    }

    def from_torch(name):
        kind = kinds.get(name, ("bias", None))
        if kind is None:
            return None
        path = f"{layers[name[0]]}/{kind[0]}"
        return path if kind[1] is None else (path, kind[1])

    model.load_weights(tmp_path / "net.safetensors", name_map=from_torch)
    x = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32")
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- the editor


def flat_model(lib, units=6, layer="Dense"):
    layers = lib.layers
    return lib.Sequential([lib.Input((4,)), layers.Dense(5, name="a"), getattr(layers, layer)(units, name="b")])


def renamed(lib, ending, folder):
    """(a model's file, what the editor made of it, the model's weights)."""
    old, path, new = flat_model(lib), folder / f"{lib.__name__}{ending}", folder / f"{lib.__name__}-new.weights.h5"
    old.save(path) if ending == ".keras" else old.save_weights(path)
    editor = lib.saving.KerasFileEditor(str(path))
    editor.rename_object("dense_1", new_name="einsum_dense")
    editor.save(str(new))
    return path.read_bytes(), new.read_bytes(), old.get_weights()


def check_renamed(lib, path, weights):
    inputs = lib.Input((4,))
    x = lib.layers.Dense(5)(inputs)
    model = lib.Model(inputs, lib.layers.EinsumDense("ab,bc->ac", 6, bias_axes="c")(x))
    model.load_weights(path)
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_files_that_either_editor_changed_are_loaded(ending, tmp_path):
    """A layer becomes one of another kind, whose weights lie elsewhere in the file."""
    old, new, weights = ask(lambda keras: renamed(keras, ending, tmp_path))
    check_renamed(cornu, put(new, tmp_path / "theirs.weights.h5"), weights)
    editor = cornu.saving.KerasFileEditor(put(old, tmp_path / f"old{ending}"))
    editor.rename_object("dense_1", new_name="einsum_dense")
    editor.save(tmp_path / "new.weights.h5")
    check_renamed(cornu, tmp_path / "new.weights.h5", weights)
    assert arrays(tmp_path / "new.weights.h5") == arrays(tmp_path / "theirs.weights.h5")
    _, _, weights = renamed(cornu, ending, tmp_path)
    check_renamed(cornu, tmp_path / "cornu-new.weights.h5", weights)


@pytest.mark.live
@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_keras_loads_files_that_the_editor_of_cornu_changed(ending, tmp_path):
    import keras

    _, _, weights = renamed(cornu, ending, tmp_path)
    check_renamed(keras, tmp_path / "cornu-new.weights.h5", weights)


EDITS = {
    "nothing": lambda e: None,
    "delete_object": lambda e: e.delete_object("layers/dense"),
    "add_object": lambda e: e.add_object("layers/zz", {"0": np.ones(3)}),
    "add_weights": lambda e: e.add_weights("dense", {"2": np.ones(3)}),
    "delete_weight": lambda e: e.delete_weight("dense", "1"),
    "other_shape": lambda e: e.add_weights("layers/dense_1", {"0": np.ones((5, 7))}),
    "rename": lambda e: e.rename_object("dense_1", "zz"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_both_editors_find_the_same_to_be_compatible(edit, tmp_path):
    path = tmp_path / "w.weights.h5"

    def edited(lib):
        editor = lib.saving.KerasFileEditor(str(path))
        EDITS[edit](editor)
        status = editor.compare(flat_model(lib))["status"]
        editor.save(str(tmp_path / "edited.weights.h5"))
        return status, arrays(tmp_path / "edited.weights.h5")

    def question(keras):
        flat_model(keras).save_weights(path)
        return path.read_bytes(), edited(keras)

    file, theirs = ask(question)
    put(file, path)
    ours = edited(cornu)
    assert ours == theirs
    assert ours[0] == ("success" if edit == "nothing" else "error")


def arrays(path):
    """What arrays a file has, by place."""
    editor = cornu.saving.KerasFileEditor(path)
    return {
        place: {k: v.tobytes() for k, v in weights.items()} for place, weights in editor._weights.items() if weights
    }


def test_the_editor_keeps_all_of_nested_layers(tmp_path):
    """Of a file of Keras, whose own editor keeps nothing of them."""

    def question(keras):
        model = recurrent_model(keras)
        model.save_weights(tmp_path / "old.weights.h5")
        return (tmp_path / "old.weights.h5").read_bytes(), model.get_weights()

    file, weights = ask(question)
    cornu.saving.KerasFileEditor(put(file, tmp_path / "stored.weights.h5")).save(tmp_path / "new.weights.h5")
    model = recurrent_model(cornu)
    model.load_weights(tmp_path / "new.weights.h5")
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shards_of_keras_can_be_edited(tmp_path):
    files, expected = ask(lambda keras: filed(keras, dense_model, tmp_path, 9))
    put(files, tmp_path / "stored")
    editor = cornu.saving.KerasFileEditor(tmp_path / "stored" / "w.weights.json")
    editor.resave_weights(tmp_path / "one.weights.h5")
    model = trained(cornu, dense_model)
    model.load_weights(tmp_path / "one.weights.h5")
    for a, b in zip(values(model), expected, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- layers and variables in containers


def dense(k, units=2):
    layer = k.layers.Dense(units)
    layer.build((None, 2))
    return layer


# What a layer of one's own keeps its layers in. Of the last, Keras writes nothing, so that it loses them.
CONTAINERS = {
    "lists in a list": lambda k: [[dense(k), dense(k)], [dense(k)]],
    "a dictionary of lists": lambda k: {"b": [dense(k)], "a": [dense(k), 3]},
    "a list of dictionaries": lambda k: [{"a": dense(k)}, 7, {}, {"b": dense(k)}],
    "dictionaries in a dictionary": lambda k: {"a": {"x": dense(k)}, 1: {"x": dense(k)}},
    "tuples": lambda k: ([dense(k)], (1, 2), (dense(k), dense(k))),
    "a named tuple": lambda k: Pair(dense(k), [dense(k)]),
    "three deep, with a model": lambda k: [[[k.Sequential([k.Input((2,)), dense(k)])]], [[dense(k)], [dense(k)]]],
    "one layer twice": lambda k: next([[layer], [layer, dense(k)]] for layer in [dense(k)]),
    "variables": lambda k: [k.Variable(np.ones(2, "float32")), {"v": (k.Variable(np.ones(3, "float32")),)}],
    "sets and deques": lambda k: [{dense(k), dense(k)}, deque([dense(k), [dense(k)]])],
}
LOST_BY_KERAS = ("sets and deques",)


def with_parts(k, make):
    """A model with a layer that keeps parts of its own, under two names, one of them private."""

    class Keeper(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self._parts_of_it = make(k)
            self._first, self.last = dense(k), dense(k)

        @property
        def parts_of_it(self):
            return self._parts_of_it

        def call(self, x):
            return x

    model = k.Sequential([k.Input((2,)), Keeper()])
    random = np.random.default_rng(len(model.weights))
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("name", CONTAINERS)
def test_weights_in_containers_are_saved_as_keras_saves_them(name, tmp_path):
    def question(lib):
        model = with_parts(lib, CONTAINERS[name])
        model.save_weights(tmp_path / f"{lib.__name__}.weights.h5")
        return (tmp_path / f"{lib.__name__}.weights.h5").read_bytes(), model.get_weights()

    (_, expected), (file, _) = both(question)
    put(file, tmp_path / "stored.weights.h5")
    for path in (tmp_path / "cornu.weights.h5", tmp_path / "stored.weights.h5"):
        other = with_parts(cornu, CONTAINERS[name])
        other.set_weights([np.zeros_like(w) for w in expected])
        if path.stem.startswith("stored") and name in LOST_BY_KERAS:
            with pytest.raises(ValueError, match=r"has no weights|the file has"):
                other.load_weights(path)
            continue
        other.load_weights(path)
        for a, b in zip(other.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    if name not in LOST_BY_KERAS:
        assert arrays(tmp_path / "cornu.weights.h5") == arrays(tmp_path / "stored.weights.h5")


def test_a_file_without_some_of_a_models_variables_is_not_written(tmp_path):
    elsewhere = cornu.Variable(np.ones(2, "float32"), name="elsewhere")

    class Forgetful(cornu.Model):
        @property
        def variables(self):
            return [*super().variables, elsewhere]

        def call(self, x):
            return x * elsewhere

    model = Forgetful()
    model(np.ones((1, 2)))
    for name in ("m.keras", "m.weights.h5"):
        with pytest.raises(ValueError, match=r"1 of its variables do not belong to a part.*elsewhere"):
            (model.save if name == "m.keras" else model.save_weights)(tmp_path / name)
