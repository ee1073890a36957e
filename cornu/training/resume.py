"""A training run in progress, and everything that the rest of it depends on.

`Run` tracks the next epoch and step of `fit`. If there is a `BackupAndRestore` among the callbacks, `Run` passes the
state to it after every so many steps, and restores the last backup before the first step. Its values are immutable
arrays, so capturing a state is free: the thread that writes the file fetches them.

The order of rows is a function of a seed and the epoch, so arrays need nothing else. A cornu dataset reports its
position. Other data are reset to the start of the current pass, if possible, and replayed up to the step. The same
holds for validation data, between two validations.
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
from cornu.core.typing import AnyList, Args, Logs, State
from cornu.core.variable import Variable, give_values, values_of
from cornu.errors import TrainingStopped
from cornu.random.seed_generator import go_on_with_global_seed
from cornu.training import facts
from cornu.training.data.batches import Batches
from cornu.training.data.shared import require_one
from cornu.training.execution.multi_step import Call
from cornu.training.nan_search import NanSearch
from cornu.training.step import optimizers_of

_STOPPING = (signal.SIGINT, signal.SIGTERM)  # signals that ask a run with backups to stop
_COUNTS = ("epoch", "step", "total", "trainings", "seed")
_KINDS = {"stop": bool, "paths": list, "values": list, "data": dict, "place": dict, "callbacks": dict}


class Run:
    """One call of `fit`.

    Args:
        model: the model to train.
        batches: the data.
        checks: the validation data, if any.
        callbacks: the callbacks of this run, including `History`.
        epoch: number of the first epoch.
        epochs: number of the epoch at which training ends.

    Attributes:
        epoch, step: the next epoch and its next step.
        total: number of steps done, over all epochs.
        goes_on: whether there is another epoch.
        logs: those of the last step, which are the epoch's if none of its steps are left.
        backup: the callback that writes backups, if any.
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
        self._restored: State | None = None
        self._asked: int | None = None  # the signal that asked to stop

    @property
    def interval(self) -> int | None:
        """The maximum number of steps in a call."""
        return self.backup.interval if self.backup is not None else None

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Scope of the run, which starts with `on_train_begin` and ends after `on_train_end`."""
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
        """Scope that notifies callbacks of the beginning, and of an end with an error; likewise the backup."""
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
                with suppress(Exception):  # the first error is the one to report
                    self.backup.close(done=False)
            raise
        if self.backup is not None:
            self.backup.close(done=True)

    def _heeding_signals(self) -> AbstractContextManager[object]:
        """Scope in which signals end the run with a backup, or notify the callbacks that the process is ending."""
        if self.backup is not None:
            return interrupts.noted(self._note, _STOPPING, (signal.SIG_DFL, signal.default_int_handler))
        return interrupts.noted(self._end_process, [signal.SIGTERM] * self._callbacks.hears_errors, [signal.SIG_DFL])

    def on_epoch_begin(self) -> None:
        """Undo the effect of callbacks at the beginning of an epoch that is resumed and had already begun."""
        if self.step and self._restored is not None:
            self._put_back(self._restored)
        self._restored = None

    def before(self, call: Call) -> None:
        """Record that a call is about to run."""
        if self._search is not None:
            self._search.before(call, self.epoch, self.step)

    def on_steps(self, steps: int, logs: Logs) -> bool:
        """Record `steps` more; whether the state after them must be backed up before others start."""
        self.logs = logs
        before, self.step, self.total = self.total, self.step + steps, self.total + steps
        return self._needs_backup(self.interval is not None and before // self.interval < self.total // self.interval)

    def _needs_backup(self, due: bool) -> bool:
        """Whether to write a backup now: it is due and not too soon, or a signal asks for it."""
        if self.backup is None:
            return False
        asked, waits = self._asked or 0, int(not self.backup.may_save)
        if placement.is_shared():  # all processes write, or leave, at the same step
            asked, waits = peers.highest(asked, waits)
            self._asked = asked or None
        return asked > 0 or (due and not waits)

    def back_up(self) -> None:
        """Back up the current state, and leave `fit` if a signal asked for that."""
        if self.backup is not None:
            self.backup.save(self.state())
            self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self.backup is not None and self._asked is not None:
            self.backup.wait()
            raise TrainingStopped(
                f"Training was asked to stop ({signal.Signals(self._asked).name}) and did so before epoch "
                f"{self.epoch + 1}, step {self.step + 1}. Call fit() with the same arguments to resume from the backup "
                f"in {self.backup.backup_dir!r}.",
                self._asked,
            )

    def on_epoch_end(self) -> None:
        """Record the end of an epoch, including callbacks and validation."""
        self.epoch, self.step = self.epoch + 1, 0
        if self._needs_backup(self.interval is None):
            self.back_up()

    def _note(self, number: int) -> None:
        self._asked = number

    def _end_process(self, number: int) -> None:
        self._callbacks.on_train_error(TrainingStopped(signal=number))
        signal.raise_signal(number)

    # ------------------------------------------------------------ state

    def state(self) -> State:
        """The state that another process needs to resume from here."""
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
        """Restore a state, if it belongs to this model and these data."""
        require_one(
            self._owner, "the backup that they find", "Use the same directory for all of them.",
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
        self._batches.resume(state["place"], self.step)  # after the validation data, with which it may share generators
        self.goes_on, self.logs = self.step > 0 or not state["stop"], state["logs"]
        self._restored = state
        self._put_back(state)
        if self.epoch >= self._epochs or not self.goes_on:
            say(
                f"fit: the training run of the backup in {self.backup and self.backup.backup_dir!r} is already "
                "complete."
            )

    def _put_back(self, state: State) -> None:
        variables = variables_of_training(self._model)
        give_values(variables, [jnp.asarray(v, to.dtype) for v, to in zip(state["values"], variables, strict=True)])
        self._callbacks.set_state(state["callbacks"])
        self._model.stop_training = state["stop"]

    @property
    def _owner(self) -> str:
        return f"BackupAndRestore({self.backup and self.backup.backup_dir!r})"

    def _check(self, state: State) -> None:
        owner = self._owner
        cure = "Resume with the original setup, or delete the directory to start from scratch."
        odd = [name for name in _COUNTS if not (isinstance(state.get(name), int) and state[name] >= 0)]
        odd += [name for name, kind in _KINDS.items() if not isinstance(state.get(name), kind)]
        if odd or len(state["paths"]) != len(state["values"]):
            raise ValueError(
                f"{owner}: the backup does not contain a valid training state ({', '.join(odd) or 'values'}). {cure}"
            )
        now = [(variable.path, tuple(variable.shape)) for variable in variables_of_training(self._model)]
        then = [(path, np.shape(value)) for path, value in zip(state["paths"], state["values"], strict=True)]
        pairs = zip_longest(now, then, fillvalue=("nothing", None))
        here, there = next((pair for pair in pairs if pair[0][1] != pair[1][1]), (None, None))
        if here is not None and there is not None:
            raise ValueError(
                f"{owner}: the backup belongs to a different model or optimizer. It has {len(then)} variables, this "
                "run "
                f"{len(now)}; the first that differs is {_shown(there)} there, {_shown(here)} here. {cure}"
            )
        for name, fact in self._facts.items():
            if state["data"].get(name) != fact:
                difference = f"{name.capitalize()} then: {state['data'].get(name)}; now: {fact}."
                if name == facts.SAMPLE_OF_ROWS and name in state["data"]:
                    difference = "The arrays have the same shapes, dtypes and number of rows, but other values."
                raise ValueError(f"{owner}: the backup belongs to a run on different data. {difference} {cure}")


def variables_of_training(model: Any) -> list[Variable]:
    """All variables that training may change, each once."""
    of_optimizers = [variable for optimizer in optimizers_of(model) for variable in optimizer.variables]
    found = [
        *model.variables, *of_optimizers, *model.metrics_variables, *random.global_seed_generator().variables,
    ]  # fmt: skip
    return list({id(variable): variable for variable in found}.values())


def _backup_among(callbacks: AnyList) -> BackupAndRestore | None:
    found = [one for one in callbacks if isinstance(one, BackupAndRestore)]
    if len(found) > 1:
        folders = " and ".join(repr(one.backup_dir) for one in found)
        raise ValueError(f"fit: there can be only one BackupAndRestore. Received: {len(found)} of them, in {folders}.")
    return found[0] if found else None


def _shown(variable: Args) -> str:
    path, shape = variable
    return path if shape is None else f"{path} of shape {shape}"
