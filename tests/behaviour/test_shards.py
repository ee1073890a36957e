"""Weights in several files: saving, loading, replacing a set by another, and sets that are damaged or lie."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.saving import atomic

KIB = 2**-20  # of a gigabyte


def network(units=3):
    model = cornu.Sequential([cornu.Input((20,)), layers.Dense(50), layers.Dropout(0.5), layers.Dense(units)])
    model.compile("adam", "mse")
    return model


def trained(units=3):
    """A model with an optimizer whose state is not that of a start."""
    model = network(units)
    model.optimizer.build(model.trainable_variables)
    for variable in model.optimizer.variables[2:]:
        variable.assign(np.random.normal(size=variable.shape))
    return model


def saved(folder, kib=4.5):
    model = trained()
    model.save_weights(folder / "w.weights.json", max_shard_size=kib * KIB)
    return model


def values(model):
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]


def numbers(path):
    """The bytes of all arrays in a file."""
    sizes = []
    with h5py.File(path) as file:
        file.visititems(lambda name, node: sizes.append(getattr(node, "nbytes", 0)))
    return sum(sizes)


def assert_same(model, wanted):
    for a, b in zip(values(model), wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_weights_and_optimizer_come_back_from_several_files(tmp_path):
    model = saved(tmp_path)
    assert names(tmp_path) == ["w.weights.json", *(f"w_0000{i}.weights.h5" for i in range(5))]
    assert all(0 < numbers(path) <= 4.5 * 1024 for path in tmp_path.glob("*.h5"))
    again = trained()
    again.load_weights(tmp_path / "w.weights.json")
    assert_same(again, values(model))


def test_the_name_of_a_single_file_becomes_that_of_the_table(tmp_path):
    model = trained()
    with pytest.warns(UserWarning, match=r"w\.weights\.json' is written instead of"):
        model.save_weights(tmp_path / "w.weights.h5", max_shard_size=1)
    assert names(tmp_path) == ["w.weights.json", "w_00000.weights.h5"]


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("w.weights.json", None, "pass max_shard_size"),
        ("w.weights.json", 0, "must be a positive number"),
        ("w.weights.json", -1, "must be a positive number"),
        ("w.weights.json", float("nan"), "must be a positive number"),
        ("w.weights.json", "1", "must be a positive number"),
        ("w.weights.json", True, "must be a positive number"),
        ("w.weights.json", 3 * KIB, r'Dense "dense.*" has an array of 4000 bytes'),
        ("w.keras", 1, r"must end with '\.weights\.json'"),
        ("w.safetensors", 1, r"must end with '\.weights\.json'"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(name, size, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        network().save_weights(tmp_path / name, max_shard_size=size)
    assert names(tmp_path) == []


def test_weights_that_do_not_fit_change_nothing_unless_asked(tmp_path):
    model = saved(tmp_path)
    other = trained(units=4)
    before = values(other)
    with pytest.raises(ValueError, match="shape"):
        other.load_weights(tmp_path / "w.weights.json")
    assert_same(other, before)
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(tmp_path / "w.weights.json", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


# ---------------------------------------------------------------- one set after another


def test_files_that_the_new_set_does_not_need_go(tmp_path):
    saved(tmp_path)
    (tmp_path / "w_00009.weights.h5").write_bytes(b"somebody else's")
    model = saved(tmp_path, kib=1000)
    assert names(tmp_path) == ["w.weights.json", "w_00000.weights.h5", "w_00009.weights.h5"]
    again = trained()
    again.load_weights(tmp_path / "w.weights.json")
    assert_same(again, values(model))


def test_a_link_that_stands_for_the_table_stays_one(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    table = tmp_path / "elsewhere" / "real.weights.json"
    table.touch()
    (tmp_path / "w.weights.json").symlink_to(table)
    model = saved(tmp_path)
    assert (tmp_path / "w.weights.json").is_symlink()
    again = network()
    again.load_weights(tmp_path / "w.weights.json")
    assert_same(again, values(model))
    assert names(table.parent) == [table.name]


def test_a_table_that_lies_takes_no_other_file_along(tmp_path):
    saved(tmp_path)
    (tmp_path / "precious.weights.h5").write_bytes(b"somebody else's")
    table = json.loads((tmp_path / "w.weights.json").read_text())
    table["weight_map"]["/more"] = ["precious.weights.h5"]
    (tmp_path / "w.weights.json").write_text(json.dumps(table))
    saved(tmp_path)
    assert "precious.weights.h5" in names(tmp_path)


def test_a_save_that_fails_leaves_the_old_set(tmp_path, monkeypatch):
    old = values(saved(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model = trained()
    for broken in ("write", "move"):
        with monkeypatch.context() as patch, pytest.raises((OSError, ZeroDivisionError)):
            if broken == "write":
                patch.setattr(cornu.saving.weights_h5, "write_array", lambda *args: 1 / 0)
            else:
                patch.setattr(atomic.os, "replace", failing_at(7, os.replace))
            model.save_weights(tmp_path / "w.weights.json", max_shard_size=1)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    model.load_weights(tmp_path / "w.weights.json")
    assert_same(model, old)


def failing_at(number, function):
    """`function`, but for one call of it."""
    calls = iter(range(1, 100))

    def call(*args):
        if next(calls) == number:
            raise OSError("no")
        return function(*args)

    return call


def test_a_set_that_is_replaced_while_it_is_read_is_no_mixture(tmp_path, monkeypatch):
    saved(tmp_path)
    opened = cornu.saving.plain_h5.opened

    def replaced(path, name):
        monkeypatch.undo()
        saved(tmp_path)
        return opened(path, name)

    reader = trained()
    before = values(reader)
    monkeypatch.setattr(cornu.saving.plain_h5, "opened", replaced)
    with pytest.raises(ValueError, match="was replaced while it was being read"):
        reader.load_weights(tmp_path / "w.weights.json")
    assert_same(reader, before)


WRITER = """
import numpy as np, cornu
model = cornu.Sequential([cornu.Input((20,)), cornu.layers.Dense(50, name="a"), cornu.layers.Dense(50, name="b")])
for number in range(10**6):
    for variable in model.weights:
        variable.assign(np.full(variable.shape, number))
    model.save_weights("w.weights.json", max_shard_size=10.5 / 2**20)
    if number == 0:
        print("ready", flush=True)
"""


def test_a_writer_that_is_killed_leaves_one_whole_set(tmp_path):
    """At any moment there is one set, or, in the moment of the change, none; never a mixture."""
    model = cornu.Sequential([cornu.Input((20,)), layers.Dense(50, name="a"), layers.Dense(50, name="b")])
    root = os.path.dirname(os.path.dirname(cornu.__file__))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )
    found = []
    try:
        assert writer.stdout.readline() == b"ready\n"
        end = time.monotonic() + 2
        while time.monotonic() < end:
            found.append(whole(model, tmp_path))
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    found.append(whole(model, tmp_path))
    assert any(number is not None for number in found)
    assert found[-1] is not None or not (tmp_path / "w.weights.json").exists()


def whole(model, folder):
    """The number of the set that is there, or None where one is just being replaced."""
    try:
        model.load_weights(folder / "w.weights.json")
    except (ValueError, FileNotFoundError) as error:
        assert any(text in str(error) for text in ("no file", "was replaced", "no regular file", "No such file")), error
        return None
    numbers = {number for weights in model.get_weights() for number in np.unique(weights)}
    assert len(numbers) == 1
    return numbers.pop()


# ---------------------------------------------------------------- sets that are damaged or lie


def changed(folder, change):
    path = folder / "w.weights.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def instead(name):
    def change(folder):
        changed(folder, lambda table: table["weight_map"].update({"/layers/dense/vars": name}))

    return change


def linked(folder):
    (folder / "w_00000.weights.h5").rename(folder / "real.h5")
    (folder / "w_00000.weights.h5").symlink_to("real.h5")


def one_weight_twice(folder):
    with h5py.File(folder / "w_00001.weights.h5", "a") as file:
        file.require_group("layers/dense/vars").create_dataset("0", data=np.ones((20, 50)))
    instead(["w_00000.weights.h5", "w_00001.weights.h5"])(folder)


def linked_outside(folder):
    with h5py.File(folder / "w_00000.weights.h5", "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "a")


DAMAGED = {
    "a shard is missing": lambda f: (f / "w_00001.weights.h5").unlink(),
    "a shard is cut short": lambda f: os.truncate(f / "w_00001.weights.h5", 1000),
    "a shard is not an HDF5": lambda f: (f / "w_00001.weights.h5").write_bytes(b"no"),
    "a shard is a link": linked,
    "a shard is a folder": lambda f: ((f / "w_00001.weights.h5").unlink(), (f / "w_00001.weights.h5").mkdir()),
    "a shard is of another save": lambda f: (f / "w_00002.weights.h5").replace(f / "w_00001.weights.h5"),
    "a weight lies outside": linked_outside,
    "a weight is there twice": one_weight_twice,
    "the table is empty": lambda f: (f / "w.weights.json").write_text(""),
    "the table is not JSON": lambda f: (f / "w.weights.json").write_text("{"),
    "the table is a list": lambda f: (f / "w.weights.json").write_text("[]"),
    "the table is not text": lambda f: (f / "w.weights.json").write_bytes(b'{"\xff": 1}'),
    "the table is deep": lambda f: (f / "w.weights.json").write_text('{"a":' * 20000),
    "the table has no map": lambda f: changed(f, lambda table: table.pop("weight_map")),
    "the map is a list": lambda f: changed(f, lambda table: table.update(weight_map=[])),
    "the map lacks a part": lambda f: changed(f, lambda table: table["weight_map"].pop("/layers/dense/vars")),
    "the map has a part more": lambda f: changed(
        f, lambda table: table["weight_map"].update({"/layers/x/vars": "w_00000.weights.h5"})
    ),
    "a name is a number": instead(3),
    "a name is null": instead([None]),
    "no name": instead([]),
    "a name in a list in a list": instead([["w_00000.weights.h5"]]),
    "a name above the folder": instead("../w_00000.weights.h5"),
    "a name from the root": instead("/tmp/w_00000.weights.h5"),
    "a name on a drive": instead("C:w_00000.weights.h5"),
    "a name behind a backslash": instead("..\\w_00000.weights.h5"),
    "a name with a null": instead("w\0.weights.h5"),
    "a name of no weights": instead("w.weights.json"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_sets_are_refused_and_change_nothing(name, tmp_path):
    saved(tmp_path)
    DAMAGED[name](tmp_path)
    model = trained()
    before = values(model)
    with pytest.raises(ValueError, match=r"w\.weights\.json|w_0000|is not allowed"):
        model.load_weights(tmp_path / "w.weights.json")
    assert_same(model, before)
