"""`fit(fast_dev_run=True)` tries a training out: one batch through everything, and afterwards all is as it was."""

import numpy as np
import pytest

import cornu
from cornu import callbacks, layers

random = np.random.default_rng(0)
X = random.normal(size=(64, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")
ELSEWHERE = random.normal(size=(64, 4)).astype("float32"), Y


def model():
    cornu.utils.set_random_seed(1)
    made = cornu.Sequential([layers.Dense(3, "relu"), layers.Dropout(0.5), layers.Dense(1, "sigmoid")])
    made.compile(cornu.optimizers.Adam(use_ema=True), "binary_crossentropy", metrics=["accuracy"])
    return made


class Listener(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.heard = []

    def on_train_begin(self, logs=None):
        self.heard.append((self.params["epochs"], self.params["steps"]))

    def on_train_batch_end(self, batch, logs=None):
        self.heard.append(("batch", batch))

    def on_test_batch_end(self, batch, logs=None):
        self.heard.append(("test batch", batch))

    def on_epoch_end(self, epoch, logs=None):
        self.heard.append(("epoch", epoch, sorted(logs)))


def test_callbacks_hear_of_one_epoch_of_one_step():
    listener = Listener()
    history = model().fit(
        X, Y, epochs=50, validation_data=ELSEWHERE, validation_freq=10, callbacks=[listener], verbose=0,
        fast_dev_run=True,
    )  # fmt: skip
    names = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert listener.heard == [(1, 1), ("batch", 0), ("test batch", 0), ("epoch", 0, names)]
    assert sorted(history.history) == names
    assert history.epoch == [0]


def test_the_training_afterwards_is_the_one_that_there_would_have_been():
    arguments = {"epochs": 2, "validation_data": ELSEWHERE, "verbose": 0}
    tried, plain = model(), model()
    swap, early, kept = callbacks.SwapEMAWeights(), callbacks.EarlyStopping(), callbacks.History()
    tried.fit(X, Y, callbacks=[swap, early, kept], fast_dev_run=True, **arguments)
    assert int(tried.optimizer.iterations) == 0
    assert kept.history == {}
    history = tried.fit(X, Y, callbacks=[swap, early, kept], **arguments)
    assert history.history == model_history(plain, arguments)
    for a, b in zip(tried.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def model_history(plain, arguments):
    return plain.fit(X, Y, callbacks=[callbacks.SwapEMAWeights(), callbacks.EarlyStopping()], **arguments).history


def test_files_are_written_and_deleted_and_those_of_before_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best, log, written = tmp_path / "best.keras", tmp_path / "log.csv", []
    best.write_text("that of yesterday")
    log.write_text("epoch,loss\n0,1\n")

    def note(cls, name):
        plain = getattr(cls, name)
        monkeypatch.setattr(cls, name, lambda *args, **more: written.append(name) or plain(*args, **more))

    note(cornu.Sequential, "save")
    note(cornu.Sequential, "save_weights")
    note(callbacks.BackupAndRestore, "save")
    note(callbacks.RunRecord, "on_epoch_end")
    checkpoint = callbacks.ModelCheckpoint("best.keras", save_best_only=True, initial_value_threshold=0.0)
    rare = callbacks.ModelCheckpoint("kept/{epoch}/{batch}.weights.h5", save_weights_only=True, save_freq=1000)
    tried = [
        checkpoint, rare, callbacks.CSVLogger("log.csv"), callbacks.TensorBoard("board"),
        callbacks.BackupAndRestore("backup", save_freq=1000), callbacks.RunRecord("runs"),
    ]  # fmt: skip
    model().fit(X, Y, callbacks=tried, verbose=0, validation_data=ELSEWHERE, fast_dev_run=True)
    assert sorted(set(written)) == ["on_epoch_end", "save", "save_weights"]
    assert written.count("save") == 2  # the model and the backup
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["best.keras", "log.csv"]
    assert best.read_text() == "that of yesterday"
    assert log.read_text() == "epoch,loss\n0,1\n"
    assert checkpoint.best == 0.0
    assert checkpoint.filepath == "best.keras"


def test_checkpoints_of_orbax_are_tried_out_too(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    arguments = {"validation_data": ELSEWHERE, "verbose": 0}
    kept = callbacks.OrbaxCheckpoint(tmp_path, save_freq=1000)
    model().fit(X, Y, callbacks=[kept], fast_dev_run=True, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_fails_now(tmp_path):
    (tmp_path / "file").write_text("")
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "file" / "best.keras")
    with pytest.raises(NotADirectoryError, match="ModelCheckpoint cannot write there: Not a directory"):
        model().fit(X, Y, callbacks=[checkpoint], epochs=9, verbose=0, fast_dev_run=True)


def test_a_backup_is_neither_gone_on_from_nor_replaced(tmp_path):
    kept = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model().fit(X, Y, epochs=2, callbacks=[kept], verbose=0)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    history = model().fit(X, Y, epochs=2, callbacks=[kept], verbose=0, fast_dev_run=True)
    assert history.epoch == [0]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


class Unfreezing(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[0].trainable = True
        self.model.compile("sgd", "binary_crossentropy")


def test_data_sets_and_frozen_layers_are_afterwards_as_they_were():
    def training(is_tried):
        made, data = model(), cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(64, seed=1).batch(8)
        made.build((None, 4))
        made.layers[0].trainable = False
        made.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        arguments = {"validation_data": data.take(2), "verbose": 0}
        if is_tried:
            made.fit(data, callbacks=[Unfreezing()], fast_dev_run=True, **arguments)
        return made.fit(data, epochs=2, **arguments).history, len(made.trainable_weights)

    assert training(True) == training(False)


class Failing(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("the disk is full")


def test_after_an_error_all_is_as_it_was_too(tmp_path):
    tried = model()
    tried.build((None, 4))
    before = tried.get_weights()
    with pytest.raises(RuntimeError, match="the disk is full"):
        tried.fit(
            X, Y, callbacks=[callbacks.ModelCheckpoint(tmp_path / "best.keras"), Failing()], verbose=0,
            fast_dev_run=True,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    for a, b in zip(before, tried.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_generator_is_read_on_by_one_batch_and_must_still_be_told_its_length():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield X[:8], Y[:8]

    tried, data = model(), endless()
    history = tried.fit(data, steps_per_epoch=9, epochs=9, initial_epoch=4, verbose=0, fast_dev_run=True)
    assert history.epoch == [4]
    assert taken == [0]


def test_it_is_on_or_off():
    with pytest.raises(ValueError, match="fast_dev_run must be True or False"):
        model().fit(X, Y, fast_dev_run=3)
