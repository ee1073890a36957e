"""A training under way, and all that the rest of it depends on.

`Run` knows which epoch and step of `fit` come next. Where there is a `BackupAndRestore` among the callbacks, it hands
it the state after every so many steps, and puts the state of the last backup back before the first step. The values in
it are arrays that nobody writes to, so taking a state costs nothing: the thread that writes the file fetches them.

The order of rows is a function of a seed and the epoch, so arrays need no more than these. A data set of
cornu's tells its place. Other data are taken up at the start of the pass in which they were, if they can be put there,
and gone through up to the step. The same holds for the data that a training is validated on, between two validations.
"""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import zip_longest
from typing import Any

import jax.numpy as jnp
import numpy as np

from cornu import random
from cornu.callbacks import BackupAndRestore, CallbackList, TerminateOnNaN
from cornu.callbacks.messages import say
from cornu.core import interrupts, peers, placement
from cornu.core.typing import State
from cornu.core.variable import Variable, give_values, values_of
from cornu.errors import TrainingStopped
from cornu.random.seed_generator import go_on_with_global_seed
from cornu.training import facts
from cornu.training.data.batches import Batches
from cornu.training.data.shared import require_one
from cornu.training.execution.multi_step import Call
from cornu.training.nan_search import NanSearch
from cornu.training.step import optimizers_of

_STOPPING = (signal.SIGINT, signal.SIGTERM)  # what asks a training with backups to stop
_COUNTS = ("epoch", "step", "total", "trainings", "seed")
_KINDS = {"stop": bool, "paths": list, "values": list, "data": dict, "place": dict, "callbacks": dict}


class Run:
    """One `fit`.

    Args:
        model: what is trained.
        batches: the data.
        checks: the data that it is validated on, if there are any.
        callbacks: those of this training, with `History`.
        epoch: number of the first epoch.
        epochs: number of the epoch after the last.

    Attributes:
        epoch, step: the epoch and its step that come next.
        total: number of steps done, in all epochs.
        goes_on: whether there is another epoch.
        logs: those of the last step, which are the epoch's where no step is left of it.
        backup: the callback that keeps backups, if there is one.
    """

    def __init__(
        self, model: Any, batches: Batches, checks: Batches | None, callbacks: CallbackList, epoch: int, epochs: int
    ):
        self.epoch, self.step, self.total = epoch, 0, 0
        self.goes_on = True
        self.logs: Any = None
        self.backup = _backup_among(callbacks.callbacks)
        self._facts = facts.of_data(batches) if self.backup else {}
        batches.keeps_places = self.backup is not None
        self._model, self._batches, self._checks, self._callbacks = model, batches, checks, callbacks
        self._epochs = epochs
        self._explaining = [one for one in callbacks.callbacks if isinstance(one, TerminateOnNaN) and one.explain]
        self._search = NanSearch(model, batches) if self._explaining else None
        self._restored: dict[str, Any] | None = None
        self._asked: int | None = None  # the signal that asked for an end

    @property
    def interval(self) -> int | None:
        """After how many steps calls end at the latest."""
        return self.backup.interval if self.backup is not None else None

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Scope of the training, which begins with `on_train_begin` and ends behind `on_train_end`."""
        self._let_search(self._search)
        try:
            with self._told():
                yield
        finally:
            self._let_search(None)
            self._search = None

    def _let_search(self, search: NanSearch | None) -> None:
        for callback in self._explaining:
            callback.search = search

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Scope of which callbacks are told the begin, and the end where it is an error; so is the backup."""
        try:
            self._callbacks.on_train_begin()
            with self._heeding_signals():
                if self.backup is not None:
                    self._restore(self.backup.load())
                yield
                self._leave_if_asked()
        except BaseException as error:
            self._callbacks.on_train_error(error)
            if self.backup is not None:
                with suppress(Exception):  # the first error is the one to tell
                    self.backup.close(done=False)
            raise
        if self.backup is not None:
            self.backup.close(done=True)

    def _heeding_signals(self) -> AbstractContextManager:
        """Scope in which signals end the training with a backup, or tell the callbacks that the process ends."""
        if self.backup is not None:
            return interrupts.noted(self._note, _STOPPING, (signal.SIG_DFL, signal.default_int_handler))
        return interrupts.noted(self._end_process, [signal.SIGTERM] * self._callbacks.hears_errors, [signal.SIG_DFL])

    def on_epoch_begin(self) -> None:
        """Undo what callbacks did at the begin of an epoch that is gone on with, and had begun before."""
        if self.step and self._restored is not None:
            self._put_back(self._restored)
        self._restored = None

    def before(self, call: Call) -> None:
        """Take note that a call is about to be run."""
        if self._search is not None:
            self._search.before(call, self.epoch, self.step)

    def on_steps(self, steps: int, logs: dict) -> bool:
        """Take note of `steps` more; whether there must be a backup of the state after them before others start."""
        self.logs = logs
        before, self.step, self.total = self.total, self.step + steps, self.total + steps
        return self._needs_backup(self.interval is not None and before // self.interval < self.total // self.interval)

    def _needs_backup(self, due: bool) -> bool:
        """Whether to write one now: it is due and not too soon, or a signal asks for it."""
        if self.backup is None:
            return False
        asked, waits = self._asked or 0, int(not self.backup.may_save)
        if placement.is_shared():  # all of whom write, or leave, at one step
            asked, waits = peers.highest(asked, waits)
            self._asked = asked or None
        return asked > 0 or (due and not waits)

    def back_up(self) -> None:
        """Write a backup of the state now, and leave `fit` if a signal has asked for that."""
        if self.backup is not None:
            self.backup.save(self.state())
            self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self.backup is not None and self._asked is not None:
            self.backup.wait()
            raise TrainingStopped(
                f"The training was asked to stop ({signal.Signals(self._asked).name}) and did so before epoch "
                f"{self.epoch + 1}, step {self.step + 1}. Call fit() with the same arguments to go on from the backup "
                f"in {self.backup.backup_dir!r}.",
                self._asked,
            )

    def on_epoch_end(self) -> None:
        """Take note of the end of an epoch, callbacks and validation included."""
        self.epoch, self.step = self.epoch + 1, 0
        if self._needs_backup(self.interval is None):
            self.back_up()

    def _note(self, number: int) -> None:
        self._asked = number

    def _end_process(self, number: int) -> None:
        self._callbacks.on_train_error(TrainingStopped(signal=number))
        signal.raise_signal(number)

    # ------------------------------------------------------------ state

    def state(self) -> dict[str, Any]:
        """What another process needs to go on from here."""
        variables = variables_of_training(self._model)
        return {
            "epoch": self.epoch,
            "step": self.step,
            "total": self.total,
            "trainings": self._model._trainings,
            "seed": random.global_seed(),
            "stop": self._model.stop_training,
            "paths": [variable.path for variable in variables],
            "values": list(map(peers.on_host, values_of(variables))) if placement.is_shared() else values_of(variables),
            "data": self._facts,
            "place": self._batches.place(self.step),
            "checks": self._checks.place() if self._checks is not None else None,
            "logs": self.logs,
            "callbacks": self._callbacks.get_state(),
        }

    def _restore(self, state: State | None) -> None:
        """Go on from a state, if it is one of this model and these data."""
        require_one(
            self._owner, "the backup that they find", "Let all of them see one folder.",
            *([-1] * 3 if state is None else [state.get(name, 0) for name in ("epoch", "step", "total")]),
        )  # fmt: skip
        if state is None:
            return
        self._check(state)
        self.epoch, self.step, self.total = state["epoch"], state["step"], state["total"]
        self._model._trainings = state["trainings"]
        go_on_with_global_seed(state["seed"])
        if self._checks is not None and state["checks"] is not None:
            self._checks.resume(state["checks"])
        self._batches.resume(state["place"], self.step)  # after those, with which they may share what they draw from
        self.goes_on, self.logs = self.step > 0 or not state["stop"], state["logs"]
        self._restored = state
        self._put_back(state)
        if self.epoch >= self._epochs or not self.goes_on:
            say(f"fit: the training of the backup in {self.backup and self.backup.backup_dir!r} has come to its end.")

    def _put_back(self, state: State) -> None:
        variables = variables_of_training(self._model)
        give_values(variables, [jnp.asarray(v, to.dtype) for v, to in zip(state["values"], variables, strict=True)])
        self._callbacks.set_state(state["callbacks"])
        self._model.stop_training = state["stop"]

    @property
    def _owner(self) -> str:
        return f"BackupAndRestore({self.backup and self.backup.backup_dir!r})"

    def _check(self, state: dict[str, Any]) -> None:
        owner = self._owner
        cure = "Go on with what the training began with, or delete the folder to start afresh."
        odd = [name for name in _COUNTS if not (isinstance(state.get(name), int) and state[name] >= 0)]
        odd += [name for name, kind in _KINDS.items() if not isinstance(state.get(name), kind)]
        if odd or len(state["paths"]) != len(state["values"]):
            raise ValueError(
                f"{owner}: the backup is none of a training, for what it has as {', '.join(odd) or 'values'}. {cure}"
            )
        now = [(variable.path, tuple(variable.shape)) for variable in variables_of_training(self._model)]
        then = [(path, np.shape(value)) for path, value in zip(state["paths"], state["values"], strict=True)]
        pairs = zip_longest(now, then, fillvalue=("nothing", None))
        here, there = next((pair for pair in pairs if pair[0][1] != pair[1][1]), (None, None))
        if here is not None and there is not None:
            raise ValueError(
                f"{owner}: the backup is of another model or optimizer. It has {len(then)} variables, this training "
                f"{len(now)}; the first that differs is {_shown(there)} there, {_shown(here)} here. {cure}"
            )
        for name, fact in self._facts.items():
            if state["data"].get(name) != fact:
                raise ValueError(
                    f"{owner}: the backup is of a training on other data. {name.capitalize()} then: "
                    f"{state['data'].get(name)}; now: {fact}. {cure}"
                )


def variables_of_training(model: Any) -> list[Variable]:
    """All variables that a training may change, each once."""
    of_optimizers = [variable for optimizer in optimizers_of(model) for variable in optimizer.variables]
    found = [
        *model.variables, *of_optimizers, *model.metrics_variables, *random.global_seed_generator().variables,
    ]  # fmt: skip
    return list({id(variable): variable for variable in found}.values())


def _backup_among(callbacks: list) -> BackupAndRestore | None:
    found = [one for one in callbacks if isinstance(one, BackupAndRestore)]
    if len(found) > 1:
        folders = " and ".join(repr(one.backup_dir) for one in found)
        raise ValueError(f"fit: a training has one BackupAndRestore. Received: {len(found)} of them, in {folders}.")
    return found[0] if found else None


def _shown(variable: tuple) -> str:
    path, shape = variable
    return path if shape is None else f"{path} of shape {shape}"
