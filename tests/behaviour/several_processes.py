"""What several processes do together: each runs this, `test_processes.py` starts them and compares what they saw.

A process has as many virtual devices as `JAX_NUM_CPU_DEVICES` says. What it saw goes into a file of its own.
"""

import importlib.util
import json
import os
import shutil
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

sys.path.append(str(Path(__file__).parents[2]))  # behind everything else, as in `conftest.py`

import jax
import numpy as np

import cornu
from cornu import distribution, layers
from cornu.core import peers
from cornu.saving import shards
from tests.behaviour.eight_devices import ROWS, WEIGHTS, X, Y, net
from tests.lowering import lower_quickly

FOLDER = Path(sys.argv[-1])
seen: dict[str, object] = {}


def fit(model, **arguments):
    """Train on arrays, the last batch of which is not full."""
    return model.fit(
        X, Y, sample_weight=WEIGHTS, batch_size=ROWS, validation_data=(X[:20], Y[:20]), verbose=0, **arguments
    )


def trained(model, name, **arguments):
    """What a user sees of a training."""
    history = fit(model, epochs=2, **arguments).get_state()["history"]  # of the epochs before a resume, too
    seen[f"{name} history"] = [history[key] for key in sorted(history)]


def used(model, name):
    seen[f"{name} evaluated"] = model.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=ROWS, verbose=0)
    seen[f"{name} predicted"] = model.predict(X, batch_size=ROWS, verbose=0)
    seen[f"{name} on a batch"] = model.train_on_batch(X[:ROWS], Y[:ROWS])
    state_of(model, name)


def state_of(model, name):
    seen[f"{name} weights"] = np.concatenate([weight.ravel() for weight in model.get_weights()])
    seen[f"{name} state"] = np.concatenate([v.numpy().ravel() for v in model.optimizer.variables])


# ---------------------------------------------------------------- data that make their own batches


def batches():
    for start in range(0, 2 * ROWS, ROWS):
        yield X[start : start + ROWS], Y[start : start + ROWS]


def of_own_length():
    for _ in range(1 + jax.process_index()):
        yield X[:ROWS], Y[:ROWS]


class Whole(cornu.utils.PyDataset):
    """The same batches in each process."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[index * ROWS : (index + 1) * ROWS], Y[index * ROWS : (index + 1) * ROWS]


class Parted(Whole):
    """Batches of which each process makes its part, and says which rows it has read."""

    count, index = 1, 0

    def shard(self, count, index):
        part = Parted()
        part.count, part.index = count, index
        return part

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        rows = ROWS // self.count
        own = slice(self.index * rows, (self.index + 1) * rows)
        read.add((self.count, self.index))
        return x[own], y[own]


read: set = set()


def passes(*kinds):
    """A small model's weights after one pass over each kind of data, begun anew."""
    model = cornu.Sequential([cornu.Input((6,)), layers.Dense(3)])
    model.compile("sgd", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    for x, y in kinds:
        model.set_weights([np.ones((6, 3)), np.zeros(3)])
        model.fit(x, y, batch_size=None if y is None else ROWS, shuffle=False, verbose=0)
        yield model.get_weights()[0]


# ---------------------------------------------------------------- the program


class Stop(cornu.callbacks.Callback):
    """Ends a training before its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise ZeroDivisionError


class Signal(cornu.callbacks.Callback):
    """Asks one process to end."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and jax.process_index() == 2:
            os.kill(os.getpid(), signal.SIGTERM)


class Killed(cornu.callbacks.Callback):
    """Ends one process as a lack of memory would."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3 and jax.process_index() == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def four():
    """Go on with what two have written, until one is asked to end, and again until one is killed."""
    with distribution.DataParallel(shard_weights=True).scope():
        model = net()
        trained(model, "resumed", callbacks=[cornu.callbacks.BackupAndRestore(FOLDER / "stopped")])
        seen["resumed evaluated"] = model.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=ROWS, verbose=0)
        seen["resumed predicted"] = model.predict(X, batch_size=ROWS, verbose=0)
        backup = cornu.callbacks.BackupAndRestore(FOLDER / "killed")
        try:
            fit(model, epochs=9, shuffle=False, callbacks=[backup, Signal()])
        except cornu.errors.TrainingStopped as stop:
            seen["asked to stop"] = str(stop)
        own = jax.process_index()
        seen["other data"] = refused(distribution.distribution(), lambda: model.fit(X[own:], Y[own:], verbose=0))
        some = distribution.DataParallel(devices=distribution.list_devices()[:2])
        seen["some processes"] = refused(some, lambda: model.predict(X, verbose=0))
        seen["layouts"] = json.dumps(tuple(model.get_layer("wide").kernel.value.sharding.spec))
        write_down()
        fit(model, epochs=9, shuffle=False, callbacks=[backup, Killed()])


def refused(kind, action):
    """What is said against an action under a distribution."""
    with kind.scope():
        try:
            action()
        except ValueError as error:
            return str(error)


def fails(kind, action):
    """Whether an action fails so in this process."""
    with warnings.catch_warnings(), suppress(kind):
        warnings.simplefilter("ignore")
        action()
        return False
    return True


def two():
    """Train on every kind of data, write every kind of file, and end while the other still needs the second one."""
    with distribution.DataParallel().scope():
        model = net()
        trained(model, "data", callbacks=[cornu.callbacks.CSVLogger(FOLDER / "log.csv")])
        used(model, "data")
        arrays = X[: 2 * ROWS], Y[: 2 * ROWS]
        seen["passes"] = list(passes(arrays, (Whole(), None), (Parted(), None), (batches(), None)))
        seen["read"] = sorted(read)
        seen["not written"] = fails(OSError, lambda: model.save(FOLDER / "log.csv" / "model.keras"))
        seen["no more data"] = fails(
            ValueError, lambda: model.fit(of_own_length(), steps_per_epoch=1, epochs=3, verbose=0)
        )
        if importlib.util.find_spec("tensorboardX"):
            model.evaluate(X, Y, verbose=0, callbacks=[cornu.callbacks.TensorBoard(FOLDER / "board")])
        kind = distribution.distribution()
        seen["told"] = [kind.num_processes, kind.num_model_replicas, kind.num_data_shards, kind.data_shard_id]
    parts = distribution.DataParallel(auto_shard_dataset=False)
    with parts.scope():
        seen["pass over own"] = list(passes((Parted().shard(parts.num_data_shards, parts.data_shard_id), None)))
    with distribution.DataParallel(shard_weights=True).scope():
        backup = cornu.callbacks.BackupAndRestore(FOLDER / "backup", delete_checkpoint=False)
        checkpoint = cornu.callbacks.ModelCheckpoint(FOLDER / "checkpoint.keras", monitor="loss", save_best_only=True)
        model = net()
        with suppress(ZeroDivisionError):
            fit(model, epochs=2, callbacks=[backup, Stop()])
        if jax.process_index() == 0:  # for others to go on from
            shutil.copytree(FOLDER / "backup", FOLDER / "stopped")
        trained(model, "sharded", callbacks=[backup, checkpoint])
        model.save(FOLDER / "model.keras")
        with patch.object(shards, "_write_shard", wraps=shards._write_shard) as write:
            model.save_weights(FOLDER / "model.weights.json", max_shard_size=1e-5)
        seen["shards"] = write.call_count
        model.save_weights(FOLDER / "model.safetensors")
        state_of(model, "saved")
        again = cornu.saving.load_model(FOLDER / "model.keras")
        used(again, "sharded")
        if importlib.util.find_spec("orbax"):
            orbax = cornu.callbacks.OrbaxCheckpoint(FOLDER / "orbax")
            model.fit(X, Y, batch_size=ROWS, verbose=0, callbacks=[orbax])
            state_of(model, "orbax")
    write_down()
    if jax.process_index() == 1:
        sys.exit(3)
    peers.highest(1)


def write_down():
    np.savez(FOLDER / f"seen{jax.process_count()}{jax.process_index()}.npz", **seen)


if __name__ == "__main__":
    lower_quickly()
    warnings.simplefilter("error")
    distribution.initialize()
    four() if jax.process_count() == 4 else two()
