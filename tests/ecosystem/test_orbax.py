"""Checkpoints that Orbax writes while a model is trained, and that come back: where Orbax is installed."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import BackupAndRestore, LambdaCallback, OrbaxCheckpoint
from cornu.errors import DamagedFileError, MissingPackageError, WeightsMismatchError

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:orbax", "ignore::DeprecationWarning"),
    # Orbax ends its event loop while reads of a damaged file are still under way, which say so afterwards.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
needs_orbax = pytest.mark.skipif(importlib.util.find_spec("orbax") is None, reason="orbax is not installed")
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def made(units=3, *more):
    model = cornu.Sequential([
        cornu.Input((4,)), layers.Dense(units, "relu"), layers.BatchNormalization(), layers.Dropout(0.3), *more,
        layers.Dense(1),
    ])  # fmt: skip
    model.compile("adam", "mse")
    return model


def train(*callbacks, epochs=3, model=None, **arguments):
    model = model or made()
    history = model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=[*callbacks], **arguments)
    return model, history


def assert_same(model, other, optimizer=True):
    parts = [(model, other), *[(model.optimizer, other.optimizer)] * optimizer]
    for one, two in parts:
        for a, b in zip(one.variables, two.variables, strict=True):
            if "seed" not in a.path or optimizer:
                np.testing.assert_array_equal(a.numpy(), b.numpy(), a.path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A trained model, and a folder with the checkpoints of its last two epochs."""
    folder = tmp_path_factory.mktemp("orbax") / "checkpoints"
    return train(OrbaxCheckpoint(folder, max_to_keep=2))[0], folder


def test_without_orbax_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(MissingPackageError, match=r"pip install .*orbax"):
        OrbaxCheckpoint(tmp_path)


@needs_orbax
def test_the_last_checkpoint_is_loaded_as_a_model_whole_to_the_bit(saved):
    model, folder = saved
    assert sorted(os.listdir(folder)) == ["1", "2"]
    for path in (folder, folder / "2"):
        assert_same(cornu.saving.load_model(path), model)
    assert int(cornu.saving.load_model(folder / "1").optimizer.iterations) == 8
    assert cornu.saving.load_model(folder, compile=False).optimizer is None


@needs_orbax
def test_a_loaded_model_trains_on_as_the_one_that_was_saved(saved, tmp_path):
    whole, _ = train(epochs=5, model=_seeded())
    train(OrbaxCheckpoint(tmp_path), model=_seeded())
    resumed, _ = train(OrbaxCheckpoint(tmp_path), model=cornu.saving.load_model(tmp_path), initial_epoch=3, epochs=5)
    assert_same(resumed, whole)
    assert os.listdir(tmp_path) == ["4"]


def _seeded():
    cornu.utils.set_random_seed(5)
    return made()


@needs_orbax
def test_weights_are_taken_by_a_model_that_is_there(saved, tmp_path):
    model, folder = saved
    other = made()
    other.load_weights(folder)
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    weights, _ = train(OrbaxCheckpoint(tmp_path, save_weights_only=True, save_on_background=False))
    other.load_weights(tmp_path)
    assert_same(other, weights, optimizer=False)
    with pytest.raises(ValueError, match="only weights"):
        cornu.saving.load_model(tmp_path)


@needs_orbax
def test_weights_of_another_model_are_refused_or_left_out(saved):
    _, folder = saved
    for other, told in (
        (made(3, layers.Dense(2)), "a different model"),
        (made(5), r"shape \(4, 5\), and there \(4, 3\)"),
    ):
        before = other.get_weights()
        with pytest.raises(WeightsMismatchError, match=told):
            other.load_weights(folder)
        for a, b in zip(before, other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(folder, skip_mismatch=True)
    with pytest.raises(ValueError, match="by_name"):
        other.load_weights(folder, by_name=True)


@needs_orbax
def test_checkpoints_come_every_so_many_batches_or_where_a_value_is_best(tmp_path):
    train(OrbaxCheckpoint(tmp_path / "batches", save_freq=5, max_to_keep=None))
    assert sorted(map(int, os.listdir(tmp_path / "batches"))) == [5, 10]
    values = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=[3.0, 4.0, 2.0][epoch]))
    train(values, OrbaxCheckpoint(tmp_path / "best", "loss", save_best_only=True, max_to_keep=None))
    assert sorted(os.listdir(tmp_path / "best")) == ["0", "2"]


@needs_orbax
def test_a_folder_with_checkpoints_of_another_training_is_refused(saved):
    _, folder = saved
    for callback in (OrbaxCheckpoint(folder), OrbaxCheckpoint(folder, save_freq=2)):
        with pytest.raises(ValueError, match="checkpoint 2 of another training"):
            train(callback)
    assert sorted(os.listdir(folder)) == ["1", "2"]


@needs_orbax
def test_a_training_that_is_tried_out_leaves_the_checkpoints_as_they_are(saved):
    _, folder = saved
    train(OrbaxCheckpoint(folder, save_freq=100), fast_dev_run=True)
    assert sorted(os.listdir(folder)) == ["1", "2"] and os.listdir(folder.parent) == [folder.name]


@needs_orbax
def test_a_training_that_was_stopped_writes_the_same_checkpoints_again(tmp_path):
    def stop(epoch, logs):
        if epoch == 1:
            raise ZeroDivisionError

    def callbacks(*more):
        backup = BackupAndRestore(tmp_path / "backup", save_freq=7)
        return [backup, OrbaxCheckpoint(tmp_path / "checkpoints", max_to_keep=None), *more]

    whole, _ = train(model=_seeded())
    with pytest.raises(ZeroDivisionError):
        train(*callbacks(LambdaCallback(on_epoch_end=stop)), model=_seeded())
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["0", "1"]
    train(*callbacks(), model=_seeded())
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["0", "1", "2"]
    assert_same(cornu.saving.load_model(tmp_path / "checkpoints"), whole)


@needs_orbax
@pytest.mark.parametrize("damage", ["config", "manifest", "metadata"])
def test_a_damaged_checkpoint_is_told(damage, saved, tmp_path):
    _, folder = saved
    shutil.copytree(folder / "2", tmp_path / "2")
    name = {
        "config": "model_config/_strings.json", "manifest": "pytree/manifest.ocdbt", "metadata": "pytree/_METADATA",
    }[damage]  # fmt: skip
    (tmp_path / "2" / name).write_bytes(b'{"config": "{"}')
    with pytest.raises(DamagedFileError, match="damaged"):
        cornu.saving.load_model(tmp_path)


@needs_orbax
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_checkpoint_with_links_or_pipes_in_it_is_refused(kind, saved, tmp_path):
    shutil.copytree(saved[1] / "2", tmp_path / "checkpoints" / "2")
    text = tmp_path / "checkpoints" / "2" / "model_config" / "_strings.json"
    elsewhere = text.rename(tmp_path / "elsewhere.json")
    text.symlink_to(elsewhere) if kind == "link" else os.mkfifo(text)
    for load in (cornu.saving.load_model, made().load_weights):
        with pytest.raises(DamagedFileError, match="a link or a special file, which is not allowed"):
            load(tmp_path / "checkpoints")


@needs_orbax
def test_only_the_config_is_read_beside_the_values(saved, tmp_path):
    """An array of zeros there takes as much memory as it likes, in a few bytes."""
    import orbax.checkpoint as orbax

    model, folder = saved
    shutil.copytree(folder / "2", tmp_path / "2")
    place = tmp_path / "2" / "model_config"
    config = orbax.PyTreeCheckpointer().restore(place)["config"]
    shutil.rmtree(place)
    orbax.PyTreeCheckpointer().save(place, {"config": config, "more": np.zeros(10**7)})
    cornu.saving.load_model(folder)  # all that is imported or kept for a load is there
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts afresh
    before = _memory("VmRSS")
    assert_same(cornu.saving.load_model(tmp_path), model)
    assert _memory("VmHWM") - before < 5 * 10**7


def _memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


@needs_orbax
def test_what_could_not_be_read_back_is_not_written(tmp_path):
    words = layers.TextVectorization()
    words.adapt(["a b"])
    model = cornu.Sequential([cornu.Input((1,), dtype="string"), words, layers.Embedding(5, 1), layers.Flatten()])
    checkpoint = OrbaxCheckpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    with pytest.raises(ValueError, match="stores a vocabulary"):
        checkpoint.on_epoch_end(0, {})
    checkpoint.on_train_end()
    for arguments in ({"save_freq": 0}, {"save_freq": "batch"}, {"max_to_keep": 0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            OrbaxCheckpoint(tmp_path, **arguments)
