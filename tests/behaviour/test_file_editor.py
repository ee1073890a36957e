"""Weights files listed, compared with a model, changed and written again."""

import zipfile

import h5py
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.saving import KerasFileEditor


def network(units=2, **kwargs):
    return cornu.Sequential([cornu.Input((3,)), layers.Dense(4, **kwargs), layers.Dense(units)])


def nested():
    inner = cornu.Sequential([layers.Dense(3), layers.Dense(3)], name="inner")
    return cornu.Sequential([cornu.Input((5, 3)), layers.LSTM(3, return_sequences=True), inner, layers.LSTM(2)])


@pytest.fixture
def path(tmp_path):
    network().save_weights(tmp_path / "w.weights.h5")
    return tmp_path / "w.weights.h5"


def shapes(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, node: found.update({name: node.shape}) if hasattr(node, "shape") else None)
    return found


def test_the_summary_lists_objects_with_their_weights(tmp_path, capsys):
    model = nested()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    editor = KerasFileEditor(tmp_path / "m.keras")
    editor.summary()
    printed = capsys.readouterr().out
    assert "Written by Keras 3.15.1" in printed
    lines = [line.strip("│├└─ ") for line in printed.splitlines()]
    at = lines.index("sequential")
    assert lines[at : at + 5] == [
        "sequential", "layers", "dense", "0: shape=(3, 3), dtype=float32", "1: shape=(3,), dtype=float32"
    ]  # fmt: skip
    assert lines.index("cell") > 0
    assert [line for line in lines if line in ("lstm", "lstm_1", "sequential")] == ["lstm", "lstm_1", "sequential"]
    optimizer = [line.split(":")[0] for line in lines[lines.index("optimizer") + 1 :]]
    assert optimizer == [str(number) for number in range(len(optimizer))]


def test_nothing_is_lost_between_opening_and_saving(tmp_path):
    model = nested()
    model.save_weights(tmp_path / "old.weights.h5")
    KerasFileEditor(tmp_path / "old.weights.h5").save(tmp_path / "new.weights.h5")
    assert shapes(tmp_path / "new.weights.h5") == shapes(tmp_path / "old.weights.h5")
    other = nested()
    other.load_weights(tmp_path / "new.weights.h5")
    for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".weights.json"])
def test_a_changed_file_loads_into_the_changed_model(ending, tmp_path):
    old = network()
    path = tmp_path / f"old{ending}"
    if ending == ".keras":
        old.save(path)
    else:
        old.save_weights(path, max_shard_size=1 if ending == ".weights.json" else None)
    editor = KerasFileEditor(path)
    editor.rename_object("dense_1", "einsum_dense")
    editor.delete_weight("einsum_dense", "1")
    editor.add_object("layers/batch_normalization", {str(i): np.full(2, i, "float32") for i in range(4)})
    editor.resave_weights(tmp_path / "new.weights.h5")
    new = cornu.Sequential(
        [cornu.Input((3,)), layers.Dense(4), layers.EinsumDense("ab,bc->ac", 2), layers.BatchNormalization()]
    )
    assert editor.compare(new) == {"status": "success", "error_count": 0, "match_count": 7}
    new.load_weights(tmp_path / "new.weights.h5")
    wanted = [*old.get_weights()[:3], *(np.full(2, i) for i in range(4))]
    for a, b in zip(new.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_half_precision_comes_through(tmp_path):
    old = network(dtype="bfloat16")
    old.save_weights(tmp_path / "old.weights.h5")
    editor = KerasFileEditor(tmp_path / "old.weights.h5")
    editor.save(tmp_path / "new.weights.h5")
    new = network(dtype="bfloat16")
    new.load_weights(tmp_path / "new.weights.h5")
    for a, b in zip(new.get_weights(), old.get_weights(), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("edit", "errors", "matches", "message"),
    [
        (lambda e: None, 0, 4, "matches the model"),
        (lambda e: e.add_weights("dense", {"2": np.ones(3)}), 1, 4, "/layers/dense/2 is only in the file"),
        (lambda e: e.delete_weight("dense", "0"), 1, 3, "/layers/dense/0 is only in the model"),
        (lambda e: e.add_weights("dense", {"0": np.ones(3)}), 1, 3, "has shape (3, 4) in the model, (3,) in the file"),
        (lambda e: e.delete_object("dense"), 1, 2, "Object /layers/dense is only in the model"),
        (lambda e: e.rename_object("dense", "x"), 2, 2, "Object /layers/x is only in the file"),
        (lambda e: e.delete_object("layers"), 2, 0, "does not match"),
    ],
)
def test_differences_from_a_model_are_counted_and_told(edit, errors, matches, message, path, capsys):
    editor = KerasFileEditor(path)
    edit(editor)
    assert editor.compare(network()) == {
        "status": "error" if errors else "success", "error_count": errors, "match_count": matches
    }  # fmt: skip
    assert message in capsys.readouterr().out


def test_seeds_are_no_difference_where_the_file_has_none(path):
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(4), layers.Dropout(0.5), layers.Dense(2)])
    assert KerasFileEditor(path).compare(model)["status"] == "success"


def test_objects_are_named_by_path_or_by_name(path, tmp_path):
    for name in ("dense_1", "layers/dense_1", "/layers/dense_1"):
        editor = KerasFileEditor(path)
        editor.delete_object(name)
        editor.save(tmp_path / "new.weights.h5")
        assert sorted(shapes(tmp_path / "new.weights.h5")) == ["layers/dense/vars/0", "layers/dense/vars/1"]


def test_a_name_that_several_objects_have_is_not_guessed(tmp_path):
    nested().save_weights(tmp_path / "w.weights.h5")
    editor = KerasFileEditor(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"several objects called 'cell'.*layers/lstm/cell.*layers/lstm_1/cell"):
        editor.delete_object("cell")
    editor.rename_object("layers/lstm_1", "gru")
    editor.delete_object("layers/lstm/cell")
    assert editor._find("cell") == "layers/gru/cell"


def test_what_is_inside_goes_along(tmp_path):
    nested().save_weights(tmp_path / "w.weights.h5")
    editor = KerasFileEditor(tmp_path / "w.weights.h5")
    editor.rename_object("sequential", "functional")
    editor.save(tmp_path / "new.weights.h5")
    assert shapes(tmp_path / "new.weights.h5")["layers/functional/layers/dense_1/vars/0"] == (3, 3)


MISTAKES = {
    "a missing object": (lambda e: e.delete_object("densee"), r"no object 'densee'.*layers/dense"),
    "a missing path": (lambda e: e.rename_object("layer/dense", "x"), "no object 'layer/dense'"),
    "a missing weight": (lambda e: e.delete_weight("dense", "7"), r"no weight '7'. It has: \['0', '1'\]"),
    "a weight by number": (lambda e: e.delete_weight("dense", 1), "no weight 1"),
    "a path as new name": (lambda e: e.rename_object("dense", "a/b"), "a name without '/'"),
    "an empty new name": (lambda e: e.rename_object("dense", ""), "a name without '/'"),
    "a reserved name": (lambda e: e.rename_object("dense", "vars"), "a name without '/'"),
    "a name that is taken": (lambda e: e.rename_object("dense", "dense_1"), "'layers/dense_1' already"),
    "the model": (lambda e: e.rename_object("/", "x"), "the model itself does not have a name"),
    "weights in a list": (lambda e: e.add_object("layers/x", [np.ones(2)]), "weights must be arrays by name"),
    "weights by number": (lambda e: e.add_weights("dense", {0: np.ones(2)}), "weights must be arrays by name"),
    "weights that are text": (lambda e: e.add_weights("dense", {"0": "x"}), "must be numeric arrays with plain names"),
    "weights that are objects": (
        lambda e: e.add_weights("dense", {"0": object()}),
        "must be numeric arrays with plain names",
    ),
    "a weight with a path": (lambda e: e.add_weights("dense", {"a/b": 1.0}), "must be numeric arrays with plain names"),
    "no path": (lambda e: e.add_object("", {"0": 1.0}), "must be a path"),
    "a path upwards": (lambda e: e.add_object("layers/../x", {"0": 1.0}), "must be a path"),
    "no model": (lambda e: e.compare(3), "must be a model"),
    "another ending": (lambda e: e.save("x.keras"), r"must end with '\.weights\.h5'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_and_change_nothing(name, path, tmp_path):
    edit, message = MISTAKES[name]
    editor = KerasFileEditor(path)
    with pytest.raises(ValueError, match=message):
        edit(editor)
    editor.save(tmp_path / "new.weights.h5")
    assert shapes(tmp_path / "new.weights.h5") == shapes(path)


def test_adding_over_an_object_replaces_it_whole(tmp_path):
    nested().save_weights(tmp_path / "w.weights.h5")
    editor = KerasFileEditor(tmp_path / "w.weights.h5")
    editor.add_object("layers/lstm", {"0": np.ones(2)})
    editor.save(tmp_path / "new.weights.h5")
    found = [name for name in shapes(tmp_path / "new.weights.h5") if name.startswith("layers/lstm/")]
    assert found == ["layers/lstm/vars/0"]


# ---------------------------------------------------------------- files that are damaged or lie


def external(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "x")


def soft(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def huge(file):
    file["layers/dense/vars"].create_dataset("2", shape=(2**40,), dtype="f4", chunks=(2**10,))


def elsewhere(file):
    file.create_dataset("layers/stray", data=np.ones(2))


@pytest.mark.parametrize("change", [external, soft, huge, elsewhere])
def test_files_that_point_elsewhere_or_claim_too_much_are_refused(change, path):
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=r"not allowed|claims|outside"):
        KerasFileEditor(path)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras", "w.weights.json"])
@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04"])
def test_what_is_no_weights_file_is_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.(weights|keras)"):
        KerasFileEditor(tmp_path / name)


def test_files_that_are_not_there_or_of_another_kind_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file"):
        KerasFileEditor(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"must end with '\.keras', '\.weights\.h5', '\.weights\.json'"):
        KerasFileEditor("/etc/passwd")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    with pytest.raises(ValueError, match="weights"):
        KerasFileEditor(tmp_path / "w.keras")
