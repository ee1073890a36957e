"""A training under way, and all that the rest of it depends on.

`Run` knows which epoch and step of `fit` come next. Where there is a `BackupAndRestore` among the callbacks, it hands
it the state after every so many steps, and puts the state of the last backup back before the first step. The values in
it are arrays that nobody writes to, so taking a state costs nothing: the thread that writes the file fetches them.

The order of rows is a function of a seed and the epoch, so arrays need no more than these. Other data are taken up at
the start of the pass in which they were, if they can be put there, and gone through up to the step.
"""

import hashlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp
import numpy as np

from cornu import random, tree
from cornu.callbacks import BackupAndRestore, CallbackList
from cornu.core.variable import Variable, give_values, values_of
from cornu.errors import TrainingStopped
from cornu.training.data.batches import Batches
from cornu.training.step import optimizers_of

_SAMPLE = 16  # rows of arrays that are compared with those of the backup


class Run:
    """One `fit`.

    Args:
        model: what is trained.
        batches: the data.
        callbacks: those of this training, with `History`.
        epoch: number of the first epoch.

    Attributes:
        epoch, step: the epoch and its step that come next.
        goes_on: whether there is another epoch.
        logs: those of the last step, which are the epoch's where no step is left of it.
        backup: the callback that keeps backups, if there is one.
    """

    def __init__(self, model: Any, batches: Batches, callbacks: CallbackList, epoch: int):
        self.epoch, self.step = epoch, 0
        self.goes_on = True
        self.logs: Any = None
        self.backup = next((one for one in callbacks.callbacks if isinstance(one, BackupAndRestore)), None)
        self._model, self._batches, self._callbacks = model, batches, callbacks
        self._restored: dict[str, Any] | None = None
        self._asked: int | None = None  # the signal that asked for an end

    @property
    def interval(self) -> int | None:
        """After how many steps calls end at the latest."""
        return self.backup.interval if self.backup is not None else None

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Scope of the training, which begins after `on_train_begin`."""
        if self.backup is None:
            yield
            return
        done = False
        try:
            with _asked_to_stop(self._note):
                self._restore(self.backup.load())
                yield
                done = True
        finally:
            self.backup.close(done)

    def on_epoch_begin(self) -> None:
        """Undo what callbacks did at the begin of an epoch that is gone on with, and had begun before."""
        if self.step and self._restored is not None:
            self._put_back(self._restored)
        self._restored = None

    def on_steps(self, steps: int, logs: Any) -> bool:
        """Take note of `steps` more; whether there must be a backup of the state after them before others start."""
        self.logs = logs
        before, self.step = self.step, self.step + steps
        due = self.interval is not None and before // self.interval < self.step // self.interval
        return due or self._asked is not None

    def back_up(self) -> None:
        """Write a backup of the state now, and leave `fit` if a signal has asked for that."""
        if self.backup is None:
            return
        self.backup.save(self.state(self._batches.place(self.step)))
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self.backup is not None and self._asked is not None:
            self.backup.wait()
            raise TrainingStopped(
                f"The training was asked to stop ({signal.Signals(self._asked).name}) and did so before epoch "
                f"{self.epoch + 1}, step {self.step + 1}. Call fit() with the same arguments to go on from the backup "
                f"in {self.backup.backup_dir!r}."
            )

    def on_epoch_end(self) -> None:
        """Take note of the end of an epoch, callbacks and validation included."""
        done, self.epoch, self.step = self.step, self.epoch + 1, 0
        if self.backup is not None and (self.interval is None or self._asked is not None):
            self.backup.save(self.state(self._batches.place(done)))
        self._leave_if_asked()

    def _note(self, number: int) -> None:
        self._asked = number

    # ------------------------------------------------------------ state

    def state(self, place: dict[str, Any]) -> dict[str, Any]:
        """What another process needs to go on from here, with the data at `place`."""
        variables = self._variables()
        return {
            "epoch": self.epoch,
            "step": self.step,
            "trainings": self._model._trainings,
            "stop": self._model.stop_training,
            "paths": [variable.path for variable in variables],
            "values": values_of(variables),
            "data": _facts(self._batches),
            "place": place,
            "logs": self.logs,
            "callbacks": self._callbacks.get_state(),
        }

    def _variables(self) -> list[Variable]:
        """All variables that a training may change, each once."""
        of_optimizers = [variable for optimizer in optimizers_of(self._model) for variable in optimizer.variables]
        found = [
            *self._model.variables, *of_optimizers, *self._model.metrics_variables,
            *random.global_seed_generator().variables,
        ]  # fmt: skip
        return list({id(variable): variable for variable in found}.values())

    def _restore(self, state: dict[str, Any] | None) -> None:
        """Go on from a state, if it is one of this model and these data."""
        if state is None:
            return
        self._check(state)
        self.epoch, self.step = state["epoch"], state["step"]
        self._model._trainings = state["trainings"]
        self._batches.resume(state["place"], self.epoch, self.step)
        self.goes_on, self.logs = not state["stop"], state["logs"]
        self._restored = state
        self._put_back(state)

    def _put_back(self, state: dict[str, Any]) -> None:
        variables = self._variables()
        give_values(variables, [jnp.asarray(v, to.dtype) for v, to in zip(state["values"], variables, strict=True)])
        self._callbacks.set_state(state["callbacks"])
        self._model.stop_training = state["stop"]

    def _check(self, state: dict[str, Any]) -> None:
        owner = f"BackupAndRestore({self.backup and self.backup.backup_dir!r})"
        cure = "Go on with what the training began with, or delete the folder to start afresh."
        now = [(variable.path, tuple(variable.shape)) for variable in self._variables()]
        then = [(path, np.shape(value)) for path, value in zip(state["paths"], state["values"], strict=True)]
        if [shape for _, shape in now] != [shape for _, shape in then]:
            here, there = next(pair for pair in _aligned(now, then) if pair[0] is None or pair[0][1:] != pair[1][1:])
            raise ValueError(
                f"{owner}: the backup is of another model or optimizer. It has {len(then)} variables, this training "
                f"{len(now)}; the first that differs is {_shown(there)} there, {_shown(here)} here. {cure}"
            )
        for name, fact in _facts(self._batches).items():
            if state["data"].get(name) != fact:
                raise ValueError(
                    f"{owner}: the backup is of a training on other data. {name.capitalize()} then: "
                    f"{state['data'].get(name)}; now: {fact}. {cure}"
                )


def _aligned(some: list, others: list) -> Iterator[tuple]:
    for index in range(max(len(some), len(others))):
        yield tuple(each[index] if index < len(each) else ("nothing", None) for each in (some, others))


def _shown(variable: tuple) -> str:
    path, shape = variable
    return path if shape is None else f"{path} of shape {shape}"


def _facts(batches: Batches) -> dict[str, Any]:
    """What data can be told by, in words."""
    named = [
        f"{'/'.join(map(str, path))} {np.asarray(leaf).dtype}{list(np.shape(leaf)[1:])}"
        for path, leaf in tree.flatten_with_path(batches.example()) if leaf is not None
    ]  # fmt: skip
    facts = {"arrays": ", ".join(named), "batch size": batches.batch_size, "number of rows": batches.num_samples}
    if batches.arrays is None:
        return facts
    leaves = [np.asarray(leaf) for leaf in tree.flatten(batches.arrays) if leaf is not None]
    rows = np.linspace(0, len(leaves[0]) - 1, min(_SAMPLE, len(leaves[0]))).astype(int)
    digest = hashlib.sha256()
    for leaf in leaves:
        digest.update(np.ascontiguousarray(leaf[rows]).tobytes())
    return facts | {"sample of the rows": digest.hexdigest()[:16]}


@contextmanager
def _asked_to_stop(note: Any) -> Iterator[None]:
    """Scope in which a first SIGINT or SIGTERM is noted, and a second one acts as it did before.

    Other threads get no signals; handlers of the program's own, and signals that it ignores, are left alone.
    """
    free = (signal.SIG_DFL, signal.default_int_handler)
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if is_main and signal.getsignal(n) in free]
    before = {number: signal.getsignal(number) for number in numbers}

    def handle(number: int, frame: Any) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        note(number)

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
