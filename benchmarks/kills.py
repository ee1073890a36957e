"""Kill trainings at random moments, start them again, and see whether they end as one that was never stopped.

python -m benchmarks.kills                     # 40 kills, some minutes
python -m benchmarks.kills --kills 200 --seed 3
python -m benchmarks.kills --data generator --model half

Each training is a process of its own; SIGKILL comes at a random moment after it began to train. The end is compared to
the bit: weights, optimizer, seeds and metrics, the values of all epochs, and the lines of a `CSVLogger`.
"""

import argparse
import hashlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cornu
from cornu import layers

ROWS, BATCH, EPOCHS = 96, 4, 10
X = np.random.default_rng(0).normal(size=(ROWS, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]
BEGUN = "begun"
_SHARE = (
    0.6  # of the time that a whole training takes, within which a kill comes: most trainings are then still under way
)


def main() -> int:
    """Kill, start again, compare and tell; 1 where an end differs."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=40, help="how many in all (40)")
    parser.add_argument("--data", action="append", choices=DATA, help="train on this kind of data alone")
    parser.add_argument("--model", action="append", choices=MODELS, help="train this kind of model alone")
    parser.add_argument("--seed", type=int, default=0, help="what the moments follow from (0)")
    parser.add_argument("--train", nargs=3, help=argparse.SUPPRESS)  # data, model, folder
    chosen = parser.parse_args()
    if chosen.train:
        return train(*chosen.train)
    kinds = [*itertools.product(chosen.data or DATA, chosen.model or MODELS)]
    moments = random.Random(chosen.seed)
    wrong = 0
    for index, (data, model) in enumerate(kinds):
        kills = chosen.kills // len(kinds) + (index < chosen.kills % len(kinds))
        trials = [*_trials(data, model, kills, moments)]
        different = sum(not same for _, same in trials)
        wrong += different
        killed = sum(count for count, _ in trials)
        print(f"{data:24} {model:10} {killed:3} kills, {len(trials)} ends, {different} of them different", flush=True)
    return int(wrong > 0)


def _trials(data: str, model: str, kills: int, moments: random.Random) -> Iterator[tuple[int, bool]]:
    """(how often it was killed, whether its end is the same) of trainings until there were so many kills."""
    with tempfile.TemporaryDirectory() as folder:
        began = _started(data, model, Path(folder))
        start = time.perf_counter()
        end = _digest(began)
        seconds = time.perf_counter() - start
    while kills:
        with tempfile.TemporaryDirectory() as folder:
            killed = 0
            for _ in range(kills):
                process = _started(data, model, Path(folder) / "backup")
                try:
                    process.wait(moments.uniform(0, _SHARE * seconds))
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    killed += 1
            else:
                process = _started(data, model, Path(folder) / "backup")
            kills -= killed
            yield killed, _digest(process) == end


def _digest(process: subprocess.Popen) -> str:
    return process.communicate()[0].splitlines()[-1]


def _started(data: str, model: str, folder: Path) -> subprocess.Popen:
    """A process that has begun to train."""
    command = [sys.executable, "-m", "benchmarks.kills", "--train", data, model, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.stdout and (line := process.stdout.readline()) != f"{BEGUN}\n":
        if not line:
            raise RuntimeError(f"The training on {data} of {model} ended before it began.")
    return process


# ---------------------------------------------------------------- one training


def train(data: str, model: str, folder: str) -> int:
    """Train, and print a digest of how it ended; what else is printed is of no account."""
    cornu.utils.set_random_seed(3)
    trained = MODELS[model]()
    optimizer = cornu.optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=2)
    trained.compile(optimizer, "mse", metrics=["mae"])
    table = Path(folder).with_name("table.csv")
    callbacks = [
        cornu.callbacks.BackupAndRestore(folder, save_freq=7), cornu.callbacks.CSVLogger(table),
        cornu.callbacks.ReduceLROnPlateau(patience=3, factor=0.9),
        cornu.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True),
    ]  # fmt: skip
    checks = cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(ROWS).batch(BATCH)
    print(BEGUN, flush=True)
    history = trained.fit(
        **DATA[data](), epochs=EPOCHS, verbose=0, callbacks=callbacks, validation_data=checks, validation_steps=5
    )
    before = history.resumed or {"epoch": [], "history": {}}
    values = {name: [*before["history"].get(name, []), *now] for name, now in history.history.items()}
    digest = hashlib.sha256(table.read_bytes() + json.dumps(values or before["history"], sort_keys=True).encode())
    for variable in (*trained.variables, *trained.optimizer.variables):
        digest.update(variable.numpy().tobytes())
    sys.stdout.write(f"{digest.hexdigest()}\n")
    return 0


def dropout() -> Any:
    """Dropout and BatchNormalization."""
    return cornu.Sequential([
        cornu.Input((5, 3)), layers.Flatten(), layers.Dense(8, "relu"), layers.BatchNormalization(),
        layers.Dropout(0.4), layers.Dense(1),
    ])  # fmt: skip


def stateful() -> Any:
    """A stateful LSTM."""
    return cornu.Sequential([
        cornu.Input(batch_shape=(BATCH, 5, 3)), layers.LSTM(4, stateful=True, dropout=0.2), layers.Dense(1)
    ])  # fmt: skip


def half() -> Any:
    """mixed_float16, with a scale of the loss."""
    return cornu.Sequential([
        cornu.Input((5, 3)), layers.Flatten(dtype="mixed_float16"), layers.Dense(8, "relu", dtype="mixed_float16"),
        layers.Dropout(0.3), layers.Dense(1, dtype="float32"),
    ])  # fmt: skip


class Shuffled(cornu.utils.PyDataset):
    """Batches in an order of the data set's own."""

    def __init__(self, workers: int = 1):
        super().__init__(workers=workers)
        self.draws, self.order = np.random.default_rng(3), np.arange(ROWS)

    def __len__(self) -> int:
        return ROWS // BATCH

    def __getitem__(self, index: int) -> tuple:
        rows = self.order[BATCH * index : BATCH * (index + 1)]
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        """Draw another order."""
        self.draws.shuffle(self.order)


class Loader:
    """Batches in a new order each pass, with `state_dict`."""

    def __init__(self) -> None:
        self.draws = np.random.default_rng(1)

    def __iter__(self) -> Iterator[tuple]:
        order = self.draws.permutation(ROWS)
        return ((X[rows], Y[rows]) for rows in order.reshape(-1, BATCH))

    def state_dict(self) -> dict:
        """The state before the next pass."""
        return {"draws": self.draws.bit_generator.state}

    def load_state_dict(self, state: dict) -> None:
        """Go on from such a state."""
        self.draws.bit_generator.state = state["draws"]


def endless() -> Iterator[tuple]:
    """Rows drawn at random."""
    draws = np.random.default_rng(5)
    while True:
        rows = draws.permutation(ROWS)[:BATCH]
        yield X[rows], Y[rows]


def dataset() -> Any:
    """A shuffled data set that is cached and mapped."""
    shuffled = cornu.data.Dataset.from_tensor_slices((X, Y)).cache().shuffle(40)
    return shuffled.map(lambda x, y: (x * 0.5, y), num_parallel_calls=2)


MODELS = {"dropout": dropout, "stateful": stateful, "half": half}
DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": BATCH},
    "arrays, part of an epoch": lambda: {"x": X, "y": Y, "batch_size": BATCH, "steps_per_epoch": 17},
    "PyDataset": lambda: {"x": Shuffled()},
    "PyDataset with workers": lambda: {"x": Shuffled(3)},
    "Dataset": lambda: {"x": dataset().batch(BATCH)},
    "Dataset without end": lambda: {"x": dataset().repeat().batch(BATCH).prefetch(2), "steps_per_epoch": 17},
    "generator": lambda: {"x": endless(), "steps_per_epoch": 20},
    "loader with a state": lambda: {"x": Loader()},
}

if __name__ == "__main__":
    sys.exit(main())
