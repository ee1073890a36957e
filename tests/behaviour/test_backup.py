"""A training that is killed and started again ends as one that was never stopped, to the bit."""

import contextlib
import functools
import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import BackupAndRestore, Callback
from cornu.errors import TrainingStopped

ROWS = 24
X = np.random.default_rng(0).normal(size=(ROWS, 5, 3)).astype("float32")
Y = X.sum((1, 2), keepdims=False)[:, None]


class Power(Exception):
    """What goes out."""


class Break(Callback):
    """Ends a training before a batch of an epoch, or at its end; or never.

    It looks at each batch, so that all trainings here take their steps one by one: a loop of several rounds otherwise.
    """

    def __init__(self, epoch=None, batch=None):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise Power

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.at:
            raise Power


class Tells(Callback):
    """A callback of the user's own that a training depends on."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def on_epoch_end(self, epoch, logs=None):
        self.seen[epoch] = (epoch - 1, logs["loss"])
        assert self.seen.get(epoch - 1, (epoch - 2,))[0] == epoch - 2
        self.model.optimizer.learning_rate = 0.01 + 0.001 * len(self.seen)

    def get_state(self):
        return {"seen": self.seen}

    def set_state(self, state):
        self.seen = state["seen"]


def mixed():
    return cornu.Sequential([
        cornu.Input((5, 3)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5), layers.Flatten(),
        layers.Dense(1),
    ])  # fmt: skip


def stateful():
    return cornu.Sequential([
        cornu.Input(batch_shape=(4, 5, 3)), layers.SimpleRNN(3, stateful=True), layers.Dense(1)
    ])  # fmt: skip


def half():
    return cornu.Sequential([
        cornu.Input((5, 3)), layers.Flatten(dtype="mixed_float16"), layers.Dense(4, "relu", dtype="mixed_float16"),
        layers.Dropout(0.3), layers.Dense(1, dtype="float32"),
    ])  # fmt: skip


MODELS = {"mixed": mixed, "stateful": stateful, "half": half}


class Shuffled(cornu.utils.PyDataset):
    """Batches whose order the data set itself draws anew after each epoch."""

    def __init__(self):
        super().__init__()
        self.draws = np.random.default_rng(3)
        self.order = np.arange(ROWS)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        rows = self.order[4 * index : 4 * index + 4]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.draws.shuffle(self.order)


def endless():
    draws = np.random.default_rng(5)
    while True:
        rows = draws.permutation(ROWS)[:4]
        yield X[rows], Y[rows]


def dataset():
    return cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(10, seed=4).batch(4)


DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 4},
    "arrays in part": lambda: {"x": X, "y": Y, "batch_size": 4, "steps_per_epoch": 4},
    "PyDataset": lambda: {"x": Shuffled()},
    "generator": lambda: {"x": endless(), "steps_per_epoch": 6},
    "Dataset": lambda: {"x": dataset()},
    "Dataset in part": lambda: {"x": dataset().repeat(), "steps_per_epoch": 4},
}


def trained(make, data, callbacks, epochs=4, seed=7):
    """(weights, what fit says at its end) of a training from its start, in a new program's state."""
    cornu.utils.set_random_seed(seed)
    cornu.utils.clear_session(free_memory=False)
    NOISE[:] = [layers.GaussianNoise(0.1)]
    model = make()
    optimizer = cornu.optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=2)
    model.compile(optimizer, "mse", metrics=["mae"])
    history = model.fit(**data, epochs=epochs, verbose=0, callbacks=callbacks)
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)], history


@functools.cache
def unbroken(kind="arrays", make=mixed, tells=False):
    """What `trained` gives of a training that nothing stops; the same for every test."""
    return trained(make, DATA[kind](), [*([Tells()] if tells else []), Break()])


def interrupted_and_resumed(make, kind, backup, at, **later):
    with pytest.raises(Power):
        trained(make, DATA[kind](), [Tells(), backup(), Break(*at)])
    return trained(make, DATA[kind](), [Tells(), backup(), Break()], **later)


def assert_same_end(whole, resumed):
    """That weights and the values of all epochs are the same bits."""
    for a, b in zip(resumed[0], whole[0], strict=True):
        np.testing.assert_array_equal(a, b)
    before = resumed[1].resumed
    assert [*before["epoch"], *resumed[1].epoch] == whole[1].epoch
    for name, values in whole[1].history.items():
        both = [*before["history"].get(name, []), *resumed[1].history.get(name, [])]
        np.testing.assert_array_equal(both, values, name)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("at", [(2, 3), (1, None)], ids=["within an epoch", "at its end"])
def test_a_resumed_training_ends_with_the_same_bits(kind, at, tmp_path, capsys):
    whole, _ = unbroken(kind, tells=True)
    resumed, _ = interrupted_and_resumed(mixed, kind, lambda: BackupAndRestore(tmp_path, save_freq=2), at)
    for a, b in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ("of the generator" in capsys.readouterr().out) == (kind == "generator")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["stateful", "half"])
def test_states_of_layers_and_scales_of_losses_are_kept(name, tmp_path):
    whole, _ = unbroken(make=MODELS[name], tells=True)
    resumed, _ = interrupted_and_resumed(
        MODELS[name], "arrays", lambda: BackupAndRestore(tmp_path, save_freq=3), (2, 4)
    )
    for a, b in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(a, b)


class Loader:
    """Batches in a new order each pass, and a state as loaders tell it: bytes, tuples, numbers as keys."""

    def __init__(self):
        self.draws, self.order, self.place, self.read = np.random.default_rng(1), None, 0, 0

    def __iter__(self):
        if self.order is None:
            self.order, self.place = self.draws.permutation(ROWS), 0
        while self.place < 6:
            rows = self.order[4 * self.place : 4 * self.place + 4]
            self.place, self.read = self.place + 1, self.read + 1
            yield X[rows], Y[rows]
        self.order = None

    def state_dict(self):
        order = None if self.order is None else self.order.tobytes()
        return {0: (order, self.place), "draws": self.draws.bit_generator.state}

    def load_state_dict(self, state):
        order, self.place = state[0]
        self.order = None if order is None else np.frombuffer(order, int)
        self.draws.bit_generator.state = state["draws"]


class Numbers:
    """An endless iterator that tells its place."""

    def __init__(self):
        self.place, self.read = 0, 0

    def __iter__(self):
        return self

    def __next__(self):
        self.place, self.read = self.place + 1, self.read + 1
        rows = np.random.default_rng(self.place).permutation(ROWS)[:4]
        return X[rows], Y[rows]

    def get_state(self):
        return str(self.place).encode()

    def set_state(self, state):
        self.place = int(state)


class Remembers(Shuffled):
    """A data set that tells its state instead of being told of all epochs before."""

    def get_state(self):
        return {"order": self.order, "draws": self.draws.bit_generator.state}

    def set_state(self, state):
        self.order, self.draws.bit_generator.state = state["order"].copy(), state["draws"]


NOISE: list = []  # a layer that each program makes anew


def noisy(x, y):
    return NOISE[-1](x, training=True), y


ARRAYS = {"x": X, "y": Y, "batch_size": 4}
MORE = {
    "a loader": lambda: {"x": Loader()},
    "a loader in part": lambda: {"x": Loader(), "steps_per_epoch": 4},
    "an endless iterator": lambda: {"x": Numbers(), "steps_per_epoch": 6},
    "a Dataset of noisy batches": lambda: {"x": dataset().map(noisy).prefetch(3)},
    "a Dataset of noisy rows that are kept": lambda: {"x": dataset().unbatch().map(noisy, 2).cache().batch(4)},
    "a PyDataset with a state": lambda: {"x": Remembers()},
    "a PyDataset from a later epoch on": lambda: {"x": Shuffled(), "initial_epoch": 1},
    "validation on a PyDataset": lambda: ARRAYS | {"validation_data": Shuffled(), "validation_steps": 2},
    "validation on a Dataset": lambda: ARRAYS | {"validation_data": dataset(), "validation_steps": 2},
    "validation on a loader": lambda: ARRAYS | {"validation_data": Loader(), "validation_freq": 2},
    "validation on a generator": lambda: ARRAYS | {"validation_data": endless(), "validation_steps": 3},
}


@pytest.mark.parametrize(
    ("kind", "save_freq"), [*((kind, 4) for kind in MORE), ("a loader", "epoch"), ("a PyDataset with a state", "epoch")]
)
def test_data_go_on_at_their_place(kind, save_freq, tmp_path, capsys):
    def end(*callbacks):
        return trained(mixed, MORE[kind](), [*callbacks, Break()])

    whole = end()
    with pytest.raises(Power):
        trained(mixed, MORE[kind](), [BackupAndRestore(tmp_path, save_freq=save_freq), Break(3, 2)])
    assert_same_end(whole, end(BackupAndRestore(tmp_path, save_freq=save_freq)))
    assert not capsys.readouterr().out


def test_endless_data_with_a_state_are_read_again_for_an_epoch_at_most(tmp_path):
    backup, data = BackupAndRestore(tmp_path, save_freq=1), Numbers()
    with pytest.raises(Power):
        trained(mixed, {"x": Numbers(), "steps_per_epoch": 6}, [backup, Break(9, 2)], epochs=10)
    trained(mixed, {"x": data, "steps_per_epoch": 6}, [backup, Break()], epochs=10)
    assert data.read < 2 * 6


def test_a_data_set_makes_none_of_the_batches_before_its_place_again(tmp_path):
    made = []

    def look(x, y):
        made.append(1)
        return x, y

    data = cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(10, seed=4).map(look).batch(4)
    for at in ((1, 4), (None, None)):
        made.clear()
        backup = BackupAndRestore(tmp_path, save_freq=1)
        with contextlib.suppress(Power):
            trained(mixed, {"x": data}, [backup, Break(*at)], epochs=2)
    assert len(made) <= 4 + 8  # the batch that is looked at before training, and what is left of the epoch


def test_backups_are_counted_over_all_epochs(tmp_path):
    whole = unbroken(tells=True)
    resumed = interrupted_and_resumed(mixed, "arrays", lambda: BackupAndRestore(tmp_path, save_freq=14), (3, 1))
    assert resumed[1].epoch == [2, 3]
    assert_same_end(whole, resumed)


def test_backups_come_no_sooner_after_each_other_than_asked(tmp_path):
    class Counts(BackupAndRestore):
        written = 0

        def save(self, state):
            self.written += 1
            super().save(state)

    def often(seconds):
        return Counts(tmp_path, save_freq=2, min_seconds=seconds)

    whole, _ = unbroken()
    for seconds, written, first in ((0, 8, 2), (1e9, 1, 0)):
        stopped, goes_on = often(seconds), often(seconds)
        with pytest.raises(Power):
            trained(mixed, ARRAYS, [stopped, Break(2, 5)])
        resumed, history = trained(mixed, ARRAYS, [goes_on, Break()])
        assert stopped.written == written and history.epoch[0] == first
        for a, b in zip(resumed, whole, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_order_of_data_without_a_seed_is_that_of_the_process_before(tmp_path):
    def data():
        return {"x": cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(24).batch(4)}

    whole = trained(mixed, data(), [Break()])
    with pytest.raises(Power):
        trained(mixed, data(), [BackupAndRestore(tmp_path, save_freq=2), Break(2, 3)])
    assert_same_end(whole, trained(mixed, data(), [BackupAndRestore(tmp_path, save_freq=2), Break()], seed=8))


def test_an_epoch_that_a_callback_stopped_is_ended(tmp_path):
    class Stops(Break):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training |= (self.epoch, batch) == (2, 3)

    whole = trained(mixed, ARRAYS, [Stops()])
    with pytest.raises(Power):
        trained(mixed, ARRAYS, [Stops(2), BackupAndRestore(tmp_path, save_freq=2)])
    assert_same_end(whole, trained(mixed, ARRAYS, [Stops(), BackupAndRestore(tmp_path, save_freq=2)]))


def test_history_has_the_epochs_of_this_run_and_those_before(tmp_path):
    _, whole = unbroken(tells=True)
    _, history = interrupted_and_resumed(mixed, "arrays", lambda: BackupAndRestore(tmp_path), (2, 0))
    assert history.epoch == [2, 3]
    assert history.resumed["epoch"] == [0, 1]
    for name, values in whole.history.items():
        np.testing.assert_array_equal([*history.resumed["history"][name], *history.history[name]], values)


def test_callbacks_go_on_where_they_were(tmp_path):
    def callbacks(*more):
        return [
            cornu.callbacks.EarlyStopping("loss", patience=3, min_delta=10.0, restore_best_weights=True),
            cornu.callbacks.ReduceLROnPlateau("loss", patience=2, min_delta=10.0, factor=0.5),
            cornu.callbacks.ModelCheckpoint(tmp_path / "best.keras", "loss", save_best_only=True),
            cornu.callbacks.CSVLogger(tmp_path / "log.csv"),
            *more,
        ]

    whole, told = trained(mixed, DATA["arrays"](), callbacks(Break()), epochs=9)
    table = (tmp_path / "log.csv").read_text()
    with pytest.raises(Power):
        trained(mixed, DATA["arrays"](), callbacks(BackupAndRestore(tmp_path / "b"), Break(2, 3)), epochs=9)
    resumed, history = trained(mixed, DATA["arrays"](), callbacks(BackupAndRestore(tmp_path / "b"), Break()), epochs=9)
    for a, b in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (tmp_path / "log.csv").read_text() == table
    assert len(told.epoch) < 9  # it was stopped early
    assert history.epoch == told.epoch[2:]


def test_a_training_that_is_over_leaves_no_backup_unless_it_is_to_be_kept(tmp_path):
    trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path, delete_checkpoint=False)], epochs=2)
    assert [path.name for path in tmp_path.iterdir()] == ["training.npz"]
    _, history = trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path)], epochs=2)
    assert history.epoch == []
    assert not [*tmp_path.iterdir()]


def test_of_two_backups_the_one_before_serves_where_the_last_is_damaged(tmp_path):
    def backup():
        return BackupAndRestore(tmp_path, double_checkpoint=True)

    with pytest.raises(Power):
        trained(mixed, DATA["arrays"](), [backup(), Break(3, 0)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training.before.npz", "training.npz"]
    last = tmp_path / "training.npz"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="training.npz"):
        _, history = trained(mixed, DATA["arrays"](), [backup()])
    assert history.epoch == [2, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"x": X[:20], "y": Y[:20]}, "Number of rows then: 24; now: 20"),
        ({"x": X[::-1]}, "number of rows, but other values"),
        ({"y": Y.astype("int32")}, r"y float32\[1\].* now: .*y int32\[1\]"),
        ({"batch_size": 8}, "Batch size then: 4; now: 8"),
    ],
)
def test_other_data_than_those_of_the_backup_are_refused(change, told, tmp_path):
    with pytest.raises(Power):
        trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path), Break(2, 0)])
    with pytest.raises(ValueError, match=told):
        trained(mixed, DATA["arrays"]() | change, [BackupAndRestore(tmp_path)])
    assert [*tmp_path.iterdir()]  # nothing is lost


def test_a_data_set_that_has_another_length_by_now_is_refused(tmp_path):
    class Shorter(Shuffled):
        def __len__(self):
            return 5

    with pytest.raises(Power):
        trained(mixed, {"x": Shuffled()}, [BackupAndRestore(tmp_path), Break(2, 0)])
    with pytest.raises(ValueError, match="Number of batches then: 6; now: 5"):
        trained(mixed, {"x": Shorter()}, [BackupAndRestore(tmp_path)])


def test_another_model_than_that_of_the_backup_is_refused(tmp_path):
    with pytest.raises(Power):
        trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path), Break(2, 0)])
    with pytest.raises(ValueError, match=r"a different model or optimizer.*first that differs is .*dense"):
        trained(half, DATA["arrays"](), [BackupAndRestore(tmp_path)])


def test_what_a_callback_tells_must_be_plain_data(tmp_path):
    class Odd(Callback):
        def get_state(self):
            return {"file": open}

    with pytest.raises(TypeError, match=r"state\['callbacks'\]\['Odd 1'\]\['file'\] must be plain data"):
        trained(mixed, DATA["arrays"](), [Odd(), BackupAndRestore(tmp_path)])


def test_a_file_that_is_no_backup_is_refused(tmp_path):
    np.savez(tmp_path / "training.npz", structure=np.frombuffer(b'{"epoch": -1, "step": 0}', "uint8"))
    with pytest.raises(ValueError, match=r"a valid training state .*epoch, total.* delete the directory"):
        trained(mixed, ARRAYS, [BackupAndRestore(tmp_path)])


def test_a_training_has_one_backup(tmp_path):
    with pytest.raises(ValueError, match=r"one BackupAndRestore.*'a' and 'b'"):
        trained(mixed, ARRAYS, [BackupAndRestore("a"), BackupAndRestore("b")])


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_two_trainings_at_a_time_in_one_folder_are_warned(tmp_path):
    def another(epoch, logs):
        with pytest.warns(UserWarning, match="another training run is writing its backups to .* a separate directory"):
            trained(mixed, ARRAYS, [BackupAndRestore(tmp_path)], epochs=1)

    first = cornu.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: None if epoch else another(epoch, logs))
    trained(mixed, ARRAYS, [BackupAndRestore(tmp_path), first], epochs=1)
    trained(mixed, ARRAYS, [BackupAndRestore(tmp_path)], epochs=1)  # which nobody holds any more


def test_a_folder_that_is_a_file_is_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be written.*file"):
        trained(mixed, ARRAYS, [BackupAndRestore(tmp_path / "file"), Break(0, 0)])


def test_a_training_goes_on_where_the_disk_is_full(tmp_path):
    whole, _ = unbroken()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # no file may grow beyond this
    try:
        with pytest.warns(UserWarning, match=r"no backup in .*Training continues"):
            filled, _ = trained(mixed, ARRAYS, [BackupAndRestore(tmp_path), Break()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for a, b in zip(filled, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_backup_is_there_until_the_last_callback_is_done(tmp_path):
    class Fails(Callback):
        def on_train_end(self, logs=None):
            raise Power

    with pytest.raises(Power):
        trained(mixed, ARRAYS, [BackupAndRestore(tmp_path), Fails()])
    _, history = trained(mixed, ARRAYS, [BackupAndRestore(tmp_path)])
    assert history.epoch == []


def test_fit_says_that_a_training_has_come_to_its_end(tmp_path, capsys):
    for _ in range(2):
        assert not capsys.readouterr().out
        trained(mixed, ARRAYS, [BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert "is already complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"save_freq": 0}, "save_freq"),
        ({"save_freq": "batch"}, "save_freq"),
        ({"backup_dir": ""}, "directory"),
        ({"min_seconds": -1}, "min_seconds"),
        ({"min_seconds": float("nan")}, "non-negative"),
        ({"min_seconds": "a minute"}, "seconds"),
    ],
)
def test_wrong_arguments_are_refused(arguments, told, tmp_path):
    with pytest.raises((ValueError, TypeError), match=told):
        BackupAndRestore(**{"backup_dir": tmp_path, **arguments})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_training_with_a_backup_of_its_last_step(number, tmp_path):
    class Signals(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 8 and not tells:
                tells.append(signal.raise_signal(number))

    tells = []
    whole, _ = unbroken()
    with pytest.raises(TrainingStopped, match=r"epoch 3, step 6.*same arguments"):
        trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path, min_seconds=1e9), Signals()])
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    resumed, history = trained(mixed, DATA["arrays"](), [BackupAndRestore(tmp_path), Signals()])
    assert history.epoch == [2, 3]
    for a, b in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_signal_behind_the_last_step_is_not_lost(tmp_path):
    last = cornu.callbacks.LambdaCallback(on_train_end=lambda logs: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingStopped, match="epoch 5, step 1"):
        trained(mixed, ARRAYS, [last, BackupAndRestore(tmp_path)])
    _, history = trained(mixed, ARRAYS, [BackupAndRestore(tmp_path)])
    assert history.resumed["epoch"] == [0, 1, 2, 3]


KILLED = """
    import sys
    import numpy as np
    import cornu

    folder, epochs = sys.argv[1], 60
    cornu.utils.set_random_seed(3)
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    model = cornu.Sequential([
        cornu.Input((6,)), cornu.layers.Dense(8, "relu"), cornu.layers.BatchNormalization(), cornu.layers.Dropout(0.4),
        cornu.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    tell = cornu.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print("a step is done", flush=True))
    callbacks = [cornu.callbacks.BackupAndRestore(folder, save_freq=5), tell] if folder else [tell]
    model.fit(x, x[:, :1], batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    print("end", [w.astype("float64").sum() for w in model.get_weights()])
"""


def test_a_process_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(KILLED))

    def start(folder):
        return subprocess.Popen([sys.executable, script, folder], stdout=subprocess.PIPE, text=True, env=os.environ)

    def end(folder):
        return start(folder).communicate(timeout=300)[0].splitlines()[-1]

    backup = tmp_path / "backup" / "training.npz"
    for steps in (11, 23):
        process = start(str(backup.parent))
        for _ in range(steps):
            assert process.stdout.readline()
        process.kill()
        process.communicate()
        assert backup.exists()
    assert end(str(backup.parent)) == end("")
