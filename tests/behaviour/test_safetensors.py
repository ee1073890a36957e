"""Weights in safetensors files: saving, loading, other people's names, and files that are damaged or lie."""

import json
import struct
import tracemalloc

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.saving.safetensors import read, write


def network(units=3, name="head"):
    return cornu.Sequential([cornu.Input((4,)), layers.Dense(5, name="stem"), layers.Dense(units, name=name)])


def assert_same(model, weights):
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_come_back(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.safetensors")
    other = network()
    other.load_weights(tmp_path / "w.safetensors")
    assert_same(other, model.get_weights())


def test_weights_are_named_as_a_person_would_name_them(tmp_path):
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)
            self.parts = [layers.Dense(2), layers.Dense(2, name="last")]
            self.by_kind = {"gate": layers.Dense(2)}

        def build(self, shape):
            self.scale = self.add_weight(shape=(), name="scale")
            for layer in (self.inner, *self.parts, self.by_kind["gate"]):
                layer.build(shape)

        def call(self, x):
            return self.by_kind["gate"](self.parts[1](self.parts[0](self.inner(x)))) * self.scale

    model = cornu.Sequential(
        [
            cornu.Input((2,)),
            layers.Dense(2, use_bias=False),
            layers.Dense(2, use_bias=False),
            cornu.Sequential([layers.BatchNormalization(scale=False, center=False)], name="encoder"),
            Block(),
            layers.Dropout(0.5),
        ]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "w.safetensors")
    inner = ("inner", "parts/dense", "parts/last", "by_kind/gate")
    assert sorted(read(str(tmp_path / "w.safetensors"))) == sorted(
        ["dense/kernel", "dense_1/kernel", "block/scale"]
        + [f"encoder/batch_normalization/moving_{kind}" for kind in ("mean", "variance")]
        + [f"block/{part}/{kind}" for part in inner for kind in ("kernel", "bias")]
    )


def test_a_layer_that_holds_a_class_of_layers_is_saved(tmp_path):
    class Built(layers.Layer):
        inner_class = None

        def build(self, shape):
            self.inner_class = layers.Dense
            self.inner = self.inner_class(2)
            self.inner.build(shape)

        def call(self, x):
            return self.inner(x)

    cornu.Sequential([cornu.Input((3,)), Built()]).save_weights(tmp_path / "w.safetensors")
    assert sorted(read(str(tmp_path / "w.safetensors"))) == ["built/inner/bias", "built/inner/kernel"]


def test_names_do_not_depend_on_what_was_made_before(tmp_path):
    models = [
        cornu.Sequential([cornu.Input((3, 2)), layers.LSTM(2), layers.Dense(2), layers.Dense(2)]) for _ in range(2)
    ]
    models[0].save_weights(tmp_path / "w.safetensors")
    models[1].load_weights(tmp_path / "w.safetensors")
    assert_same(models[1], models[0].get_weights())


def test_weights_with_equal_names_are_told_apart(tmp_path):
    class Twice(layers.Layer):
        def build(self, shape):
            self.a = self.add_weight(shape=(2,), initializer="ones", name="w")
            self.b = self.add_weight(shape=(2,), initializer="zeros", name="w")

        def call(self, x):
            return x * self.a + self.b

    model = cornu.Sequential([cornu.Input((2,)), Twice()])
    model.save_weights(tmp_path / "w.safetensors")
    assert sorted(read(str(tmp_path / "w.safetensors"))) == ["twice/w", "twice/w_1"]


def test_notes_go_into_the_header(tmp_path):
    network().save_weights(tmp_path / "w.safetensors", metadata={"license": "Apache-2.0"})
    content = (tmp_path / "w.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"format": "cornu", "license": "Apache-2.0"}
    with pytest.raises(ValueError, match="metadata must be strings"):
        network().save_weights(tmp_path / "w.safetensors", metadata={"epoch": 3})


# ---------------------------------------------------------------- what does not fit


def test_names_that_differ_are_listed_with_the_likeliest(tmp_path):
    network(name="haed").save_weights(tmp_path / "w.safetensors")
    model = network()
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=r"'haed/kernel' \(is it 'head/kernel'\?\).*Only the model has 'head/kernel', 'head/bias'"
    ):
        model.load_weights(tmp_path / "w.safetensors")
    assert_same(model, before)


def test_shapes_that_differ_change_nothing_unless_asked(tmp_path):
    other = network(units=7)
    other.save_weights(tmp_path / "w.safetensors")
    model = network()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'head/kernel' has shape \(5, 3\), but in the file \(5, 7\)"):
        model.load_weights(tmp_path / "w.safetensors")
    assert_same(model, before)
    with pytest.warns(UserWarning, match="skipped"):
        model.load_weights(tmp_path / "w.safetensors", skip_mismatch=True)
    assert_same(model, other.get_weights()[:2] + before[2:])


def test_whole_numbers_are_no_weights_with_fractions(tmp_path):
    write(str(tmp_path / "w.safetensors"), {"dense/kernel": np.ones((2, 1), "int32")}, {})
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(1, use_bias=False)])
    with pytest.raises(ValueError, match="'dense/kernel' has dtype float32, but in the file int32"):
        model.load_weights(tmp_path / "w.safetensors")


def test_other_precisions_are_taken(tmp_path):
    write(str(tmp_path / "w.safetensors"), {"dense/kernel": np.full((2, 1), 1.5, "float16")}, {})
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(1, use_bias=False)])
    model.load_weights(tmp_path / "w.safetensors")
    assert model.weights[0].dtype == "float32"
    np.testing.assert_array_equal(model.get_weights()[0], [[1.5], [1.5]])


def test_a_model_that_is_not_built_says_so(tmp_path):
    network().save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="not built yet"):
        cornu.Sequential([layers.Dense(5)]).load_weights(tmp_path / "w.safetensors")


# ---------------------------------------------------------------- names of others


def test_a_dictionary_translates_some_names_and_leaves_some_out(tmp_path):
    model = network(name="old")
    model.save_weights(tmp_path / "w.safetensors")
    other = network()
    other.load_weights(
        tmp_path / "w.safetensors", name_map={"old/kernel": "head/kernel", "old/bias": ("head/bias", lambda x: x + 1)}
    )
    weights = model.get_weights()
    assert_same(other, [*weights[:3], weights[3] + 1])
    stem = cornu.Sequential([cornu.Input((4,)), layers.Dense(5, name="stem")])
    stem.load_weights(tmp_path / "w.safetensors", name_map={"old/kernel": None, "old/bias": None})
    assert_same(stem, weights[:2])


def test_names_are_translated_for_others_too(tmp_path):
    def for_torch(name):
        layer, kind = name.split("/")
        return (f"{layer}.weight", np.transpose) if kind == "kernel" else f"{layer}.bias"

    def from_torch(name):
        layer, kind = name.split(".")
        return (f"{layer}/kernel", np.transpose) if kind == "weight" else f"{layer}/bias"

    model = network()
    model.save_weights(tmp_path / "w.safetensors", name_map=for_torch)
    assert {name: array.shape for name, array in read(str(tmp_path / "w.safetensors")).items()} == {
        "stem.weight": (5, 4), "stem.bias": (5,), "head.weight": (3, 5), "head.bias": (3,)
    }  # fmt: skip
    other = network()
    other.load_weights(tmp_path / "w.safetensors", name_map=from_torch)
    assert_same(other, model.get_weights())


@pytest.mark.parametrize(
    ("name_map", "message"),
    [
        (lambda name: "one", "returned the name 'one' twice"),
        (lambda name: 3, "must return a name, None, or a pair"),
        (lambda name: (name, "upper"), "must return a name, None, or a pair"),
        ({"stem/bias": "stem/kernel"}, "returned the name 'stem/kernel' twice"),
        (lambda name: (name, np.ravel), "has shape"),
        (lambda name: (name, lambda x: 1 / 0), "division"),
    ],
)
def test_a_translation_that_makes_no_sense_changes_nothing(name_map, message, tmp_path):
    network().save_weights(tmp_path / "w.safetensors")
    model = network()
    before = model.get_weights()
    with pytest.raises((ValueError, ZeroDivisionError), match=message):
        model.load_weights(tmp_path / "w.safetensors", name_map=name_map)
    assert_same(model, before)


def test_only_safetensors_take_a_translation(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"name_map is for files that end in '\.safetensors'"):
        model.load_weights(tmp_path / "w.weights.h5", name_map={})
    with pytest.raises(ValueError, match="unknown argument 'name_mop'"):
        model.load_weights(tmp_path / "w.weights.h5", name_mop={})


def test_applications_take_them_as_weights(tmp_path):
    def build(weights):
        return cornu.applications.MobileNet(
            weights=weights, alpha=0.25, input_shape=(32, 32, 3), classes=5, classifier_activation="softmax"
        )

    model = build(None)
    model.save_weights(tmp_path / "w.safetensors")
    assert "conv1/kernel" in read(str(tmp_path / "w.safetensors"))
    assert_same(build(tmp_path / "w.safetensors"), model.get_weights())


# ---------------------------------------------------------------- files


def test_loading_takes_one_weight_at_a_time(tmp_path):
    rows = 2**18
    write(str(tmp_path / "w.safetensors"), {f"{i}": np.ones(rows, "float32") for i in range(16)}, {})

    class Many(layers.Layer):
        def build(self, shape):
            self.all = [self.add_weight(shape=(rows,), initializer="zeros", name=str(i)) for i in range(16)]

        def call(self, x):
            return x

    model = cornu.Sequential([cornu.Input((2,)), Many()])
    tracemalloc.start()
    model.load_weights(tmp_path / "w.safetensors", name_map=lambda name: f"many/{name}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(weight.min() == 1 for weight in model.get_weights())
    assert peak < 18 * rows * 4  # each copy is taken over by its variable, one is under way, the rest is small


def test_what_was_loaded_does_not_depend_on_the_file_any_more(tmp_path):
    model = network()
    model.save_weights(tmp_path / "w.safetensors")
    before = model.get_weights()
    model.load_weights(tmp_path / "w.safetensors")
    with open(tmp_path / "w.safetensors", "r+b") as file:
        file.seek(-160, 2)
        file.write(b"\xff" * 160)
    assert_same(model, before)


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="U8", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


BROKEN = {
    "nothing": b"",
    "short": b"\0\0\0",
    "no header": file(b"", length=0),
    "header longer than the file": file({}, length=10**6),
    "header over the limit": file({}, length=2**63),
    "no json": file(b"{no}"),
    "no text": file(b'{"\xff": 1}'),
    "no object": file(b"[1]"),
    "deep": file(b'{"a":' * 20000 + b"1" + b"}" * 20000),
    "a name twice": file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 2 + b'"b":1}', b"\0"),
    "metadata that are not text": file({"__metadata__": {"a": 1}}),
    "an entry that is not an object": file({"a": 1}),
    "an entry without a shape": file({"a": {"dtype": "U8", "data_offsets": [0, 0]}}),
    "an entry with more": file({"a": entry([1], 0, 1, path="/etc/passwd")}, b"\0"),
    "an unknown dtype": file({"a": entry([1], 0, 1, "O")}, b"\0"),
    "a dtype that is not text": file({"a": entry([1], 0, 1, ["U8"])}, b"\0"),
    "a shape that is negative": file({"a": entry([-1], 0, 1)}, b"\0"),
    "a shape with a fraction": file({"a": entry([1.0], 0, 1)}, b"\0"),
    "a shape of true": file({"a": entry([True], 0, 1)}, b"\0"),
    "a huge shape": file({"a": entry([2**62, 2**62], 0, 1)}, b"\0"),
    "a huge shape without numbers": file({"a": entry([2**62, 0, 2**62], 0, 0)}),
    "a thousand dimensions": file({"a": entry([1] * 1000, 0, 1)}, b"\0"),
    "a shape that the place does not fit": file({"a": entry([2], 0, 1)}, b"\0"),
    "offsets beyond the end": file({"a": entry([9], 0, 9)}, b"\0"),
    "offsets backwards": file({"a": entry([1], 1, 0)}, b"\0"),
    "three offsets": file({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 1]}}, b"\0"),
    "a hole": file({"a": entry([1], 0, 1), "b": entry([1], 2, 3)}, b"\0\0\0"),
    "an overlap": file({"a": entry([2], 0, 2), "b": entry([2], 1, 3)}, b"\0\0\0"),
    "bytes left over": file({"a": entry([1], 0, 1)}, b"\0\0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_files_are_refused(name, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(BROKEN[name])
    model = network()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"w\.safetensors"):
        model.load_weights(path)
    assert_same(model, before)


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "w.safetensors"
    model = network()
    model.save_weights(path)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        model.save_weights(path, name_map=lambda name: 1 / 0)
    with pytest.raises(ValueError, match="safetensors does not support"):
        write(str(path), {"a": np.array(["x"])}, {})
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["w.safetensors"]
