"""A program that saves, is killed while it does, and looks at what is there: the second half of test_atomic_writes.

Each save runs in a process forked for it. Most are killed by themselves at a call chosen by chance among all that the
save makes, half of those among the last ones, where the new file takes the old one's place; the others from outside at
any time. A save that ends before it was to be killed does not count: it is done again, to be killed sooner, so that a
busy machine changes nothing. What is there then must be the old file or the new one.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cornu
from cornu import layers

OLD, NEW, SIZE = 1.0, 2.0, 64
FROM_OUTSIDE = 4  # one in so many
LAST_CALLS = 20


def filled(value: float) -> Any:
    """A model whose weights are all this number."""
    first = cornu.initializers.Constant(value)
    return cornu.Sequential([cornu.Input((SIZE,)), layers.Dense(SIZE, kernel_initializer=first, use_bias=False)])


def _checkpoint(model: Any, path: Path) -> None:
    checkpoint = cornu.callbacks.ModelCheckpoint(path)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {"loss": 1.0})


WAYS = {
    "model.keras": (lambda model, path: model.save(path), 40),
    "model.weights.h5": (lambda model, path: model.save_weights(path), 20),
    "model.safetensors": (lambda model, path: model.save_weights(path), 12),
    "folder": (lambda model, path: model.save(path, zipped=False), 12),
    "best.keras": (_checkpoint, 16),
}  # fmt: skip


def value_in(path: Path) -> float:
    """The number in the file; raises where it is not whole."""
    if path.name.endswith((".weights.h5", ".safetensors")):
        model = filled(0.0)
        model.load_weights(path)
    else:
        model = cornu.models.load_model(path)
    weights = model.get_weights()[0]
    if weights.shape != (SIZE, SIZE) or weights.min() != weights.max() or weights[0, 0] not in (OLD, NEW):
        raise ValueError(f"{path} is not whole: {weights}")
    return float(weights[0, 0])


def main(folder: Path) -> None:
    """Kill writers of each kind of file, and print what was found."""
    warnings.simplefilter("ignore", RuntimeWarning)  # of forking: the children touch nothing but files
    rng, outside = random.Random(0), random.Random(1)
    old, new = filled(OLD), filled(NEW)
    results = {}
    for name, (save, kills) in WAYS.items():
        path, aside = folder / name, folder / f".{name}"
        task = lambda save=save, path=path: save(new, path)
        calls, seconds = _measured(task)
        save(old, path)
        _copy(path, aside)
        found = {"old": 0, "new": 0, "too late": 0}
        for number in range(kills):
            if number % FROM_OUTSIDE == 0:
                kill, latest = _killed_after, outside.uniform(0, seconds)
            else:
                kill, latest = _killed_at_call, rng.randint(1 if number % 2 else max(1, calls - LAST_CALLS), calls)
            _copy(aside, path)
            while not kill(latest, task):
                _check(path, NEW)
                found["too late"] += 1
                latest = latest * 3 // 4 if kill is _killed_at_call else latest / 2
                _copy(aside, path)
            found["new" if value_in(path) == NEW else "old"] += 1
        results[name] = {**found, "kills": kills}
    print(json.dumps(results))


def _check(path: Path, value: float) -> None:
    if value_in(path) != value:
        raise ValueError(f"{path} was saved, and holds the old weights.")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _forked(task: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(0)
    return child


def _was_killed(child: int) -> bool:
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _measured(task: Callable[[], None]) -> tuple[int, float]:
    """(calls, seconds) that a whole save takes, once everything that it imports is there."""
    task()
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1

    start = time.perf_counter()
    task()
    seconds = time.perf_counter() - start
    sys.setprofile(count)
    task()
    sys.setprofile(None)
    return calls, seconds


def _killed_at_call(last: int, task: Callable[[], None]) -> bool:
    def counted() -> None:
        left = last

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        task()

    return _was_killed(_forked(counted))


def _killed_after(seconds: float, task: Callable[[], None]) -> bool:
    child = _forked(task)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return _was_killed(child)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
