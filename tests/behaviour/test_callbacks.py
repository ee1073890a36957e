"""Callbacks from the side of somebody who uses them."""

import copy
import io
import pickle
import subprocess
import sys
import textwrap

import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import callbacks, settings
from cornu.callbacks.callback import HOOKS, Callback
from cornu.callbacks.logs import Logs
from cornu.callbacks.monitor_callback import direction
from cornu.callbacks.progbar import Progbar


class Optimizer:
    learning_rate = 0.1


class Metric:
    def __init__(self, name):
        self.name = name


class FakeModel:
    """As much of a model as callbacks touch."""

    def __init__(self, metrics=()):
        self.optimizer = Optimizer()
        self.metrics = list(metrics)
        self.stop_training = False
        self.history = None
        self.weights = 0
        self.saved = []

    def get_weights(self):
        return [np.array(self.weights)]

    def set_weights(self, weights):
        self.weights = int(weights[0])

    def save(self, path, overwrite):
        self.saved.append((path, overwrite))

    def save_weights(self, path, overwrite):
        self.saved.append((path, overwrite))


def run(model, watchers, values, name="val_loss", **params):
    """Pretend to train: one value an epoch, and weights that are the epoch's number."""
    group = callbacks.CallbackList(watchers, add_history=True, model=model, verbose=0, epochs=len(values), **params)
    group.on_train_begin()
    for epoch, value in enumerate(values):
        group.on_epoch_begin(epoch)
        model.weights = epoch
        group.on_epoch_end(epoch, {"loss": 1.0} | ({} if value is None else {name: value}))
        if model.stop_training:
            break
    group.on_train_end({"loss": 1.0})
    return model.history


# ------------------------------------------------------------------ the list


class Scalar:
    """A value still on the device: it counts how often somebody waits for it."""

    def __init__(self, value):
        self.value = value
        self.looks = 0

    def __array__(self, dtype=None, copy=None):
        self.looks += 1
        return np.asarray(self.value, dtype)


def test_a_batch_waits_for_the_device_only_if_a_callback_looks():
    class Deaf(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.batch = batch

    class Curious(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.loss = logs["loss"], logs["loss"]

    loss = Scalar(0.5)
    callbacks.CallbackList([Deaf()], add_history=True, model=FakeModel()).on_train_batch_end(0, {"loss": loss})
    assert loss.looks == 0
    curious = Curious()
    callbacks.CallbackList([curious, Curious()], model=FakeModel()).on_train_batch_end(0, {"loss": loss})
    assert loss.looks == 1 and curious.loss == (0.5, 0.5) and type(curious.loss[0]) is float


def test_the_progress_bar_fetches_values_only_when_it_is_drawn(capsys):
    group = callbacks.CallbackList([], add_progbar=True, model=FakeModel(), verbose=1, epochs=1, steps=1000)
    assert not group.needs_batch_logs
    group.on_train_begin()
    group.on_epoch_begin(0)
    losses = [Scalar(0.5) for _ in range(100)]
    for batch, loss in enumerate(losses):
        group.on_train_batch_end(batch, {"loss": loss})
    assert sum(loss.looks for loss in losses) < 50
    assert "loss: 0.5000" in capsys.readouterr().out


def test_the_list_knows_whether_batches_matter():
    quiet = [callbacks.EarlyStopping(), callbacks.History(), callbacks.LambdaCallback(on_epoch_end=print)]
    assert not callbacks.CallbackList(quiet, add_progbar=True, verbose=1).needs_batch_logs
    for loud in (
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_train_batch_begin=print),
        callbacks.LambdaCallback(on_batch_end=print),
    ):
        assert callbacks.CallbackList([loud]).needs_batch_logs
    tester = callbacks.CallbackList([callbacks.LambdaCallback(on_test_batch_end=print)])
    assert tester.needs_batches("test") and not tester.needs_batches("predict")


def test_logs_are_floats_in_any_way_of_reading():
    def logs():
        return Logs({"loss": jnp.float32(0.5), "acc": np.float64(1), "table": np.arange(3), "none": None})

    ways = {
        "dict": dict,
        "unpacked": lambda x: {**x},
        "items": lambda x: dict(x.items()),
        "copied": lambda x: x.copy(),
        "deep copied": copy.deepcopy,
        "pickled": lambda x: pickle.loads(pickle.dumps(x)),
        "merged": lambda x: {} | x,
        "merged from the left": lambda x: x | {},
        "updated": lambda x: {}.__class__() | {name: x.get(name) for name in x},
    }
    for name, read in ways.items():
        found = read(logs())
        assert list(found) == ["acc", "loss", "none", "table"], name
        assert type(found["loss"]) is float and type(found["acc"]) is float, name
    assert "0.5" in repr(logs()) and len(logs()) == 4 and "loss" in logs()


def test_whole_numbers_that_a_callback_writes_stay_whole():
    logs = Logs({"loss": jnp.float32(0.5)})
    logs["epoch"] = 3
    assert repr(logs["epoch"]) == "3" and logs["loss"] == 0.5


def test_what_one_callback_writes_the_next_one_reads():
    class Writer(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = logs["loss"] + 1

    assert run(FakeModel(), [Writer()], [1.0, 2.0]).history["extra"] == [2.0, 2.0]


def test_predictions_are_handed_on_untouched():
    seen = []
    spy = callbacks.LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(logs))
    group = callbacks.CallbackList([spy])
    outputs = {"outputs": {"b": jnp.ones(2), "a": jnp.ones(1)}}
    group.on_predict_batch_end(0, outputs)
    assert seen[0]["outputs"] is outputs["outputs"]


def test_every_hook_reaches_a_callback_and_a_nested_list():
    seen = []
    hooks = {hook: lambda *args, hook=hook, logs=None: seen.append(hook) for hook in HOOKS}
    group = callbacks.CallbackList([[callbacks.LambdaCallback(**hooks)], callbacks.CallbackList()])
    for hook in HOOKS:
        getattr(group, hook)(*([0] if "batch" in hook or "epoch" in hook else []), logs={})
    assert seen == list(HOOKS)


def test_a_default_callback_is_not_added_twice():
    history = callbacks.History()
    model = FakeModel()
    group = callbacks.CallbackList([history], add_history=True, add_progbar=True, model=model, verbose=0)
    assert [type(c).__name__ for c in group.callbacks] == ["History", "ProgbarLogger"] and model.history is history


@pytest.mark.parametrize("wrong, advice", [(3, "Received: 3"), (callbacks.History, "add parentheses")])
def test_what_is_no_callback_is_refused(wrong, advice):
    with pytest.raises(TypeError, match=advice):
        callbacks.CallbackList([wrong])


# ------------------------------------------------------------------ where progress is shown


@pytest.mark.parametrize(
    "terminal, notebook, interactive, expected", [(1, 0, 1, 1), (0, 0, 1, 2), (0, 1, 1, 1), (1, 1, 0, 2)]
)
def test_auto_is_a_bar_only_where_a_line_can_be_redrawn(terminal, notebook, interactive, expected, monkeypatch):
    class Out(io.StringIO):
        def isatty(self):
            return bool(terminal)

    monkeypatch.setattr(sys, "stdout", Out())
    monkeypatch.delenv("PYCHARM_HOSTED", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setitem(settings._values, "interactive_logging", bool(interactive))
    logger = callbacks.ProgbarLogger()
    logger.set_params({"verbose": "auto", "epochs": 1, "steps": 1})
    assert logger.verbose == expected


def test_into_a_file_goes_one_line_an_epoch(capsys):
    group = callbacks.CallbackList([], add_progbar=True, verbose="auto", epochs=2, steps=2)
    group.on_train_begin()
    for epoch in range(2):
        group.on_epoch_begin(epoch)
        for batch in range(2):
            group.on_train_batch_end(batch, {"loss": 0.5})
        group.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    group.on_train_end()
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[2]] == ["Epoch 1/2", "Epoch 2/2"] and len(lines) == 4
    assert lines[1].startswith("2/2 - 0s - ") and lines[1].endswith("/step - loss: 0.5000 - val_loss: 0.2500")


def test_without_interactive_logging_progress_goes_to_the_log(caplog, capsys, monkeypatch):
    monkeypatch.setitem(settings._values, "interactive_logging", False)
    with caplog.at_level("INFO", logger="cornu"):
        Progbar(2).update(2, [("loss", 0.5)])
    assert capsys.readouterr().out == ""
    assert caplog.messages[0].startswith("2/2 - 0s") and caplog.messages[0].endswith("loss: 0.5000")


def test_a_console_that_lacks_the_bar_characters_is_no_reason_to_fail():
    code = "from cornu.callbacks.progbar import Progbar; Progbar(2).update(1)"
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=ascii_only, capture_output=True, check=True)
    assert b"1/2" in done.stdout and b"??????????" in done.stdout


def test_an_unknown_verbose_is_refused():
    with pytest.raises(ValueError, match=r'verbose must be "auto", 0, 1 or 2. Received: verbose=3'):
        callbacks.CallbackList([], add_progbar=True, verbose=3)


def test_a_bar_takes_one_list_of_metrics():
    with pytest.raises(ValueError, match=r"not both"):
        Progbar(1, stateful_metrics=["a"], stateless_metrics=["b"])


# ------------------------------------------------------------------ watching a value


def test_the_better_direction_is_told_by_the_metric_of_that_name():
    special = Metric("brier")
    special._direction = "down"
    model = FakeModel([special, Metric("accuracy")])
    names = ("loss", "val_loss", "val_brier", "brier", "accuracy", "val_brier_score", "my_loss", "val_auc", "score")
    assert [direction(name, model) for name in names] == ["down"] * 4 + [None] * 5


def test_a_score_of_ones_own_is_watched_only_with_a_mode():
    def brier_score(y_true, y_pred):
        return cornu.ops.mean(cornu.ops.square(y_true - y_pred), axis=-1)

    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[brier_score, "mae", "AUC"])
    model.evaluate(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
    assert [direction(name, model) for name in ("val_brier_score", "val_mae", "val_AUC")] == [None, "down", "up"]
    with pytest.raises(ValueError, match=r"EarlyStopping: cannot tell whether .* 'brier_score' .* mode=\"max\""):
        model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, callbacks=[callbacks.EarlyStopping("brier_score")])


def test_a_value_of_several_numbers_is_told_and_training_goes_on(tmp_path):
    x, y = np.ones((4, 2)), np.eye(2)[[0, 1, 0, 1]]
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[cornu.metrics.F1Score()])
    best = callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="f1_score", save_best_only=True)
    with pytest.warns(UserWarning, match=r"monitor='f1_score', is an array of shape \(2,\).* The model is saved"):
        history = model.fit(x, y, epochs=2, verbose=0, callbacks=[best]).history
    assert len(history["loss"]) == 2 and (tmp_path / "best.keras").exists()


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_a_value_of_unknown_direction_needs_a_mode(kind):
    with pytest.raises(ValueError, match=r"cannot tell .* 'thing' are better.* mode=\"max\".* logs: loss, thing"):
        run(FakeModel(), [kind("thing")], [1.0], name="thing")
    run(FakeModel(), [kind("thing", mode="max")], [1.0], name="thing")


def test_a_name_that_neither_the_logs_nor_the_metrics_have_is_told_as_missing(tmp_path):
    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    best = callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_acc", save_best_only=True)
    with pytest.raises(ValueError, match=r"monitor='val_acc', is not available. Available: loss. .*validation_data"):
        model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, callbacks=[best])


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_a_value_that_is_missing_is_a_warning_with_the_names_there_are(kind):
    with pytest.warns(
        UserWarning, match=rf"{kind.__name__}: .*monitor='val_loss', is not available. Available: .*loss"
    ):
        run(FakeModel(), [kind()], [None])


def test_an_unknown_mode_is_a_warning():
    with pytest.warns(UserWarning, match=r"mode='up'"):
        assert callbacks.EarlyStopping(mode="up").mode == "auto"


def test_early_stopping_brings_the_best_weights_back(capsys):
    model = FakeModel()
    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    history = run(model, [stop], [3.0, 1.0, 2.0, 2.0, 0.0])
    assert model.stop_training and len(history.epoch) == 4
    assert (model.weights, stop.best_epoch, stop.best, stop.stopped_epoch) == (1, 1, 1.0, 3)
    assert "Epoch 4: early stopping" in capsys.readouterr().out


def test_a_first_value_that_is_no_number_does_not_hide_later_ones():
    stop = callbacks.EarlyStopping(patience=2)
    run(FakeModel(), [stop], [float("nan"), 2.0, 1.0])
    assert stop.best == 1.0


def test_a_stopper_can_be_used_again():
    stop = callbacks.EarlyStopping(patience=1)
    for _ in range(2):
        assert len(run(FakeModel(), [stop], [1.0, 2.0, 3.0, 4.0]).epoch) == 2


def test_a_plateau_lowers_the_rate_and_the_history_shows_it():
    model = FakeModel()
    history = run(model, [callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_lr=0.03)], [1.0] * 5)
    assert history.history["learning_rate"] == [0.1, 0.1, 0.05, 0.03, 0.03]


def test_a_schedule_may_take_the_rate_or_not_and_must_return_a_number():
    history = run(FakeModel(), [callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)], [1.0] * 2)
    assert history.history["learning_rate"] == [0.05, 0.025]
    history = run(FakeModel(), [callbacks.LearningRateScheduler(jnp.float32)], [1.0] * 2)
    assert history.history["learning_rate"] == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"must return a float. Received: 'a' for epoch 0"):
        run(FakeModel(), [callbacks.LearningRateScheduler(lambda epoch: "a")], [1.0])


def test_an_error_inside_a_schedule_is_shown():
    def schedule(epoch, rate):
        raise TypeError("inside")

    with pytest.raises(TypeError, match=r"inside"):
        run(FakeModel(), [callbacks.LearningRateScheduler(schedule)], [1.0])


def test_an_optimizer_without_a_learning_rate_is_named():
    model = FakeModel()
    model.optimizer = "sgd"
    with pytest.raises(
        ValueError, match=r"ReduceLROnPlateau: the optimizer must have a `learning_rate`. Received: 'sgd'"
    ):
        run(model, [callbacks.ReduceLROnPlateau()], [1.0])


@pytest.mark.parametrize("arguments, error", [({"factor": 1.0}, ValueError), ({"patient": 3}, TypeError)])
def test_a_wrong_plateau_is_refused(arguments, error):
    with pytest.raises(error, match=r"factor must be less than 1|unknown arguments patient"):
        callbacks.ReduceLROnPlateau(**arguments)


# ------------------------------------------------------------------ files


def test_a_checkpoint_goes_through_save_and_makes_its_folder(tmp_path):
    model = FakeModel()
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.1f}.keras"
    run(model, [callbacks.ModelCheckpoint(path)], [3.0, 1.0])
    assert [saved for saved, _ in model.saved] == [str(tmp_path / "new" / n) for n in ("01-3.0.keras", "02-1.0.keras")]
    assert all(overwrite for _, overwrite in model.saved) and path.parent.is_dir()


def test_a_checkpoint_without_its_value_is_saved_rather_than_lost(tmp_path):
    model = FakeModel()
    with pytest.warns(UserWarning, match=r"'val_loss', is not available. Available: loss. .* The model is saved"):
        run(model, [callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)], [None])
    assert len(model.saved) == 1


def test_a_checkpoint_name_that_asks_for_what_is_not_there(tmp_path):
    with pytest.raises(KeyError, match=r"contains 'acc', which is not available. Available: loss, val_loss, epoch"):
        run(FakeModel(), [callbacks.ModelCheckpoint(tmp_path / "{acc}.keras")], [1.0])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filepath": "a.txt"}, "must end with .keras or .h5"),
        ({"filepath": "a.keras", "save_weights_only": True}, "must end with .weights.h5"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "save_freq must be"),
        ({"filepath": "a.keras", "save_freq": 0}, "save_freq must be"),
    ],
)
def test_a_wrong_checkpoint_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.ModelCheckpoint(**arguments)


def test_a_crash_loses_no_line_of_the_table(tmp_path):
    path = tmp_path / "log.csv"
    code = f"""
        import os
        from cornu import callbacks
        logger = callbacks.CSVLogger({str(path)!r})
        logger.on_train_begin()
        for epoch in range(3):
            logger.on_epoch_end(epoch, {{"loss": epoch / 2, "val_loss": 1.0}})
        os._exit(9)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode == 9
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,0.0,1.0", "1,0.5,1.0", "2,1.0,1.0"]


def test_an_appended_table_keeps_its_columns(tmp_path):
    path = tmp_path / "log.csv"
    run(FakeModel(), [callbacks.CSVLogger(path)], [1.0])
    with pytest.warns(UserWarning, match=r"no column for acc"):
        run(FakeModel(), [callbacks.CSVLogger(path, append=True)], [2.0], name="acc")
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,1.0,1.0", "0,1.0,NA"]


# ------------------------------------------------------------------ the small ones


def test_a_hook_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match=r"there is no event 'on_epoch_ends'. Closest: 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), jnp.float32("nan")])
def test_training_ends_when_the_loss_is_no_number(loss, capsys):
    model = FakeModel()
    callbacks.CallbackList([callbacks.TerminateOnNaN()], model=model).on_train_batch_end(3, {"loss": loss})
    assert model.stop_training and "Batch 3" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match=r"the loss of batch 3 is"):
        guard = callbacks.TerminateOnNaN(raise_error=True)
        callbacks.CallbackList([guard], model=model).on_train_batch_end(3, {"loss": loss})


# ------------------------------------------------------------------ hooks as users write them


def test_hooks_get_their_arguments_by_position():
    seen = []

    class Watch(callbacks.Callback):
        def on_train_begin(self, log):
            seen.append("begin")

        def on_batch_end(self, number, results):
            seen.append(number)

        def on_epoch_end(self, number, results):
            seen.append(sorted(results))

    each = callbacks.LambdaCallback(on_epoch_end=lambda number, results: seen.append(results["loss"]), own=5)
    run(FakeModel(), [Watch(), each], [1.0])
    assert seen[0] == "begin" and seen[-1] == 1.0 and each.own == 5


@pytest.mark.parametrize("how", [{}, {"swap_on_epoch": True}, {"swap_on_epoch": True, "validated": True}])
def test_training_ends_with_the_averages_of_the_weights(how):
    x, y = np.ones((8, 2), "float32"), np.full((8, 1), 3.0, "float32")
    validated = how.pop("validated", False)
    ends = []
    for added in ([], [callbacks.SwapEMAWeights(**how)]):
        model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1, kernel_initializer="zeros")])
        model.compile(cornu.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
        data = (x, y) if validated else None
        model.fit(x, y, epochs=2, batch_size=4, callbacks=added, validation_data=data, verbose=0)
        ends.append(model.get_weights())
        averages = [v for v in model.optimizer.variables if "average" in v.path]
        np.testing.assert_allclose(ends[-1][0], averages[0], rtol=1e-6)
    for plain, swapped in zip(*ends, strict=True):
        np.testing.assert_allclose(plain, swapped, rtol=1e-6)
