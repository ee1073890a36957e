"""Callbacks act, and the progress bar looks, as in Keras: both are driven through the same events."""

import io
import random
import sys
import time
import warnings

import numpy as np
import pytest
from oracle import both

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """A clock that only moves when told to."""

    now = 1000.0

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += seconds


@pytest.fixture
def record(monkeypatch):
    """Run a function of a clock on a pretended terminal and return what it wrote.

    Keras writes backspaces before it returns to the start of the line, which a notebook keeps as boxes; cornu does not.
    """

    def run(function):
        clock, out = Clock(), Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", clock)
            patch.setattr(sys, "stdout", out)
            function(clock)
        return out.getvalue().replace("\b", "")

    return run


PACES = (1e-7, 1e-4, 0.01, 0.05, 0.3, 0.5, 1, 1.5, 59.5, 60, 61, 3600, 1000, 90000)
VALUES = (0, 1, 0.5, 1e-3, 1e-4, -2, -1e-5, 1e10, float("nan"))


def random_bar(rng):
    options = {
        "target": rng.choice([None, 0, 1, 3, 7, 10, 33, 100, 1234]),
        "verbose": rng.choice([0, 1, 1, 1, 2]),
        "width": rng.choice([20, 20, 5, 30]),
        "interval": rng.choice([0.05, 0.05, 1.0, 0.0]),
    }
    options |= rng.choice([{}, {"stateful_metrics": ["a"]}, {"stateless_metrics": ["a"]}, {"stateless_metrics": []}])
    updates, done = [], 0
    for _ in range(rng.randint(1, 12)):
        done += rng.choice([0, 1, 1, 1, 2, 5, 50])
        names = rng.choice([[], ["a"], ["a", "b"], ["b"]])
        values = [(name, rng.choice((*VALUES, rng.random()))) for name in names]
        updates.append(
            (rng.choice(PACES) * rng.choice([1, rng.random()]), done, values, rng.choice([None, None, True]))
        )
    return options, updates


@pytest.mark.parametrize("seed", range(8))
def test_the_bar_is_the_same_to_the_character(seed, record):
    rng = random.Random(seed)
    bars = [random_bar(rng) for _ in range(100)]

    def draw(clock, kind, options, updates):
        bar = kind(**options)
        for seconds, done, values, last in updates:
            clock.tick(seconds)
            bar.update(done, values, finalize=last)

    def question(library):
        kind = library.utils.Progbar
        return [record(lambda clock, bar=bar: draw(clock, kind, *bar)) for bar in bars]

    for ours, theirs, bar in zip(*both(question), bars, strict=True):
        assert ours == theirs, bar


def test_adding_steps_is_the_same(record):
    def draw(clock, kind):
        bar = kind(4)
        for value in range(4):
            clock.tick(0.1)
            bar.add(1, [("loss", value)])

    assert_same(lambda library: record(lambda clock: draw(clock, library.utils.Progbar)))


def assert_same(question):
    ours, theirs = both(question)
    assert ours == theirs
    return theirs


def epoch(number, steps, validation=False):
    yield 0.0, "on_epoch_begin", (number,)
    for step in range(steps):
        yield 0.1, "on_train_batch_begin", (step,)
        yield 0.02 * step, "on_train_batch_end", (step, {"loss": 1 / (step + 1), "accuracy": step / steps})
    logs = {"loss": 0.25, "accuracy": 0.5}
    if validation:
        yield from stage("test", 2)
        logs |= {"val_loss": 0.125, "val_accuracy": 1.0}
    yield 0.0, "on_epoch_end", (number, logs)


def stage(name, steps):
    yield 0.0, f"on_{name}_begin", ()
    for step in range(steps):
        yield 0.2, f"on_{name}_batch_end", (step, {"loss": 1e-4 * step} if name == "test" else None)
    yield 0.1, f"on_{name}_end", ({"loss": 1e-4, "mae": 3.0} if name == "test" else None,)


def training(epochs, steps, validation=False):
    yield 0.0, "on_train_begin", ()
    for number in range(epochs):
        yield from epoch(number, steps, validation)
    yield 0.0, "on_train_end", ()


RUNS = {
    "one epoch": (list(training(1, 3)), {"epochs": 1, "steps": 3}),
    "epochs with validation": (list(training(3, 12, validation=True)), {"epochs": 3, "steps": 12}),
    "unknown length": (list(training(2, 4)), {"epochs": 2, "steps": None}),
    "stopped early": (list(training(1, 4)), {"epochs": 5, "steps": 9}),
    "long epoch": (list(training(1, 400)), {"epochs": 1, "steps": 400}),
    "no steps at all": (list(training(1, 0)), {"epochs": 1, "steps": None}),
    "evaluate": (list(stage("test", 5)), {"epochs": 1, "steps": 5}),
    "evaluate an iterator": (list(stage("test", 5)), {"epochs": 1, "steps": None}),
    "predict": (list(stage("predict", 5)), {"epochs": 1, "steps": 5}),
    "predict an iterator": (list(stage("predict", 5)), {"epochs": 1, "steps": None}),
}


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("run", RUNS)
def test_the_logger_writes_the_same(run, verbose, record):
    events, params = RUNS[run]

    def drive(clock, kind):
        logger = kind()
        logger.set_params(params | {"verbose": verbose})
        for seconds, hook, arguments in events:
            clock.tick(seconds)
            getattr(logger, hook)(*arguments)

    expected = assert_same(lambda library: record(lambda clock: drive(clock, library.callbacks.ProgbarLogger)))
    assert expected or verbose == 2


def model_of(library):
    model = library.Sequential([library.layers.Input((1,)), library.layers.Dense(1)])
    model.compile(library.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def watch(library, callback, values, name="val_loss"):
    """Show `values` to a callback, one an epoch; return where training stopped, what was said, and the rates."""
    model = model_of(library)
    model.stop_training, rates, out = False, [], io.StringIO()
    model.optimizer.learning_rate = 0.1
    callback.set_model(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        callback.on_train_begin()
        for number, value in enumerate(values):
            callback.on_epoch_begin(number, {})
            logs = {"loss": 1.0, name: value}
            callback.on_epoch_end(number, logs)
            rates.append((logs.get("learning_rate"), float(model.optimizer.learning_rate.numpy())))
            if model.stop_training:
                break
        callback.on_train_end()
    return number, out.getvalue(), rates, getattr(callback, "best", None), getattr(callback, "wait", None)


CURVES = {
    "turns": [1.0, 0.9, 0.95, 0.96, 0.97, 0.98],
    "falls": [1.0, 0.8, 0.6, 0.4],
    "waves": [1.0, 1.1, 0.9, 1.0, 0.85, 0.9, 0.95, 0.8, 0.9],
    "flat": [0.5] * 6,
}
STOPPERS = [
    {"patience": 2},
    {"patience": 0},
    {"patience": 2, "restore_best_weights": True},
    {"patience": 10, "restore_best_weights": True},
    {"patience": 0, "baseline": 0.5, "restore_best_weights": True},
    {"patience": 2, "baseline": 0.95},
    {"patience": 1, "start_from_epoch": 2},
    {"patience": 1, "min_delta": 0.2},
    {"patience": 1, "min_delta": -0.2},
    {"patience": 1, "mode": "max"},
    {"patience": 1, "mode": "min"},
]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("options", STOPPERS, ids=str)
def test_early_stopping(options, curve):
    make = lambda library: library.callbacks.EarlyStopping(verbose=1, **options)
    assert_same(lambda library: watch(library, make(library), CURVES[curve]))


PLATEAUS = [
    {"patience": 1},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 1, "min_lr": 1e-6},
    {"patience": 1, "cooldown": 2, "min_lr": 0.005},
    {"patience": 1, "min_lr": 0.1},
    {"patience": 1, "min_delta": 0.2},
    {"patience": 1, "mode": "max", "factor": 0.3},
]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_reduce_lr_on_plateau(options, curve):
    make = lambda library: library.callbacks.ReduceLROnPlateau(verbose=1, **options)
    assert_same(lambda library: watch(library, make(library), CURVES[curve]))


@pytest.mark.parametrize("schedule", [lambda epoch, rate: rate * 0.5, lambda epoch: 0.1 / (epoch + 1)])
def test_learning_rate_scheduler(schedule):
    make = lambda library: library.callbacks.LearningRateScheduler(schedule, verbose=1)
    assert_same(lambda library: watch(library, make(library), [1.0, 2.0, 3.0]))


CHECKPOINTS = [
    ("{epoch:02d}-{val_loss:.2f}.keras", {}),
    ("best.keras", {"save_best_only": True}),
    ("best.weights.h5", {"save_best_only": True, "save_weights_only": True, "initial_value_threshold": 0.95}),
    ("last.weights.h5", {"save_weights_only": True, "mode": "max", "save_best_only": True}),
]


@pytest.mark.parametrize("name, options", CHECKPOINTS)
def test_model_checkpoint(name, options, tmp_path):
    def files(library):
        folder = tmp_path / library.__name__
        callback = library.callbacks.ModelCheckpoint(folder / name, verbose=1, **options)
        result = watch(library, callback, CURVES["turns"])
        return result[1].replace(str(folder), ""), result[3], sorted(path.name for path in folder.iterdir())

    assert_same(files)


@pytest.mark.parametrize("frequency", [1, 3, 4, 7])
def test_model_checkpoint_every_so_many_batches(frequency, tmp_path):
    def files(library):
        folder = tmp_path / library.__name__
        path = folder / "{epoch}-{batch}.weights.h5"
        callback = library.callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=frequency)
        callback.set_model(model_of(library))
        callback.on_train_begin()
        for number in range(3):
            callback.on_epoch_begin(number)
            for batch in (0, 2, 4, 5):  # what several steps in one execution report
                callback.on_train_batch_end(batch, {"loss": 1.0})
            callback.on_epoch_end(number, {"loss": 1.0})
        return sorted(path.name for path in folder.iterdir())

    assert_same(files)


TABLES = [
    [{"loss": 1.5, "val_loss": 2.0}, {"loss": 1.25}],
    [{"loss": 1.0, "learning_rate": 3}, {"loss": 1.0, "val_loss": 5.0, "other": 1}],
    [{"b": np.arange(3), "a": np.float32(0.1), "c": None, "d": np.array(2.5), "e": [1, 2], "s": 'a,"b'}, {}],
]


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("table", TABLES, ids=["validation", "late", "odd"])
def test_csv_logger(table, separator, append, tmp_path):
    def text(library):
        path = tmp_path / library.__name__
        for _ in range(2):
            logger = library.callbacks.CSVLogger(path, separator=separator, append=append)
            logger.set_model(model_of(library))
            logger.on_train_begin()
            for number, logs in enumerate(table):
                logger.on_epoch_end(number, dict(logs))
            logger.on_train_end()
        return path.read_bytes()

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="CSVLogger.*no column", category=UserWarning)
        assert_same(text)


@pytest.mark.parametrize("loss", [1.0, float("nan"), float("inf"), None])
def test_terminate_on_nan(loss, capsys):
    def stops(library):
        callback, model = library.callbacks.TerminateOnNaN(), model_of(library)
        callback.set_model(model)
        model.stop_training = False
        callback.on_train_batch_end(7, {"loss": loss} if loss is not None else {})
        return model.stop_training, capsys.readouterr().out

    assert_same(stops)


def test_the_history_is_the_same():
    def history(library):
        model = model_of(library)
        model.history = None
        group = library.callbacks.CallbackList([], add_history=True, model=model, verbose=0, epochs=2, steps=1)
        group.on_train_begin()
        group.on_epoch_end(0, {"b": np.float32(1), "a": {"z": np.array(2.0), "y": 3}, "c": 4, "n": None, "t": True})
        group.on_epoch_end(1, {"b": 2.0})
        group.on_train_end()
        return list(model.history.history.items()), model.history.epoch, model.history.params

    assert_same(history)


def test_the_hooks_are_called_in_the_same_order():
    def calls(library):
        seen = []

        class Spy(library.callbacks.Callback):
            def on_batch_begin(self, batch, logs=None):
                seen.append(("alias begin", batch, logs))

            def on_batch_end(self, batch, logs=None):
                seen.append(("alias end", batch, dict(logs)))

            def on_epoch_end(self, epoch, logs=None):
                seen.append(("epoch end", epoch, dict(logs)))
                logs["mine"] = 1.0

            def on_test_batch_end(self, batch, logs=None):
                seen.append(("test", batch, dict(logs)))

        group = library.callbacks.CallbackList([Spy(), Spy()], model=model_of(library), epochs=1)
        for hook, arguments in (
            ("on_train_batch_begin", (0,)),
            ("on_train_batch_end", (0, {"loss": np.float32(2)})),
            ("on_batch_end", (1, {"loss": 3.0})),
            ("on_test_batch_end", (0, {"loss": 4.0})),
            ("on_epoch_end", (0, {"loss": 5.0})),
        ):
            getattr(group, hook)(*arguments)
        return [(name, number, logs or None) for name, number, logs in seen]

    assert_same(calls)
