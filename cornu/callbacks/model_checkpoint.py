"""Saving the model while it is trained."""

import os
from collections.abc import Mapping
from typing import Any

from cornu.callbacks.messages import say
from cornu.callbacks.monitor_callback import MonitorCallback
from cornu.core.typing import HookLogs

_ENDINGS = {False: (".keras", ".h5"), True: (".weights.h5",)}


class BatchCounter:
    """Tell every so-many batches, also when the loop reports several batches as one."""

    def __init__(self, interval: int):
        self.interval = interval
        self.since = 0
        self.last: int | None = None

    def is_due(self, batch: int) -> bool:
        """Count up to batch number `batch` of the epoch; whether the interval is full."""
        self.since += batch + 1 if self.last is None or batch <= self.last else batch - self.last
        self.last = batch
        if self.since < self.interval:
            return False
        self.since = 0
        return True


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, at the end of each epoch or every so many batches.

    Args:
        filepath: Where to save; may hold `{epoch:02d}`, `{batch}` and any name of the logs, as `{val_loss:.2f}`.
            Ends in `.keras` or `.h5` for whole models, in `.weights.h5` for weights alone.
        monitor: Name of the value that says which model is best. Defaults to `"val_loss"`.
        verbose: 1 to say what is saved. Defaults to 0.
        save_best_only: Whether to save only when the value is better than ever before. Defaults to False.
        save_weights_only: Whether to save the weights alone. Defaults to False.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: Value that the first saved model must beat. None by default.

    Example:
        checkpoint = cornu.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
    """

    state_attributes = ("best", "batches_since")
    _written_to = "filepath"
    _without_value = " The model is saved, best or not."

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._current_epoch = 0
        self._check()
        self._counter = None if isinstance(save_freq, str) else BatchCounter(save_freq)
        if self._counter is None and type(self).on_train_batch_end is ModelCheckpoint.on_train_batch_end:
            self.idle_hooks = frozenset({"on_train_batch_end"})

    @property
    def batches_since(self) -> list | None:
        """The place of a count of batches: how many since it was last full, and the last of them."""
        return None if self._counter is None else [self._counter.since, self._counter.last]

    @batches_since.setter
    def batches_since(self, value: list | None) -> None:
        if self._counter is not None and value is not None:
            self._counter.since, self._counter.last = value

    def _check(self) -> None:
        freq = self.save_freq
        if freq != "epoch" and (not isinstance(freq, int) or isinstance(freq, bool) or freq < 1):
            raise ValueError(
                f'ModelCheckpoint: save_freq must be "epoch" or a positive number of batches. Received: {freq!r}.'
            )
        endings = _ENDINGS[bool(self.save_weights_only)]
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"ModelCheckpoint: with save_weights_only={self.save_weights_only} the filepath must end in "
                f"{' or '.join(endings)}. Received: filepath={self.filepath!r}."
            )

    def _rehearse(self) -> None:
        self.best = None
        self._counter = self._counter and BatchCounter(1)

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        if self._should_save_on_batch(batch):
            self._save_model(self._current_epoch, batch, logs)

    def _should_save_on_batch(self, batch: int) -> bool:
        return self._counter is not None and self._counter.is_due(batch)

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        if self._counter is None:
            self._save_model(epoch, None, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: HookLogs) -> None:
        logs = logs or {}
        where = f"\nEpoch {epoch + 1}:"
        news = self._news(logs) if self.save_best_only else "saving model to"
        if news is None:
            self._say(f"{where} {self.monitor} did not improve from {self.best:.5f}")
            return
        path = self._get_file_path(epoch, batch, logs)
        self._say(f"{where} {news} {path}")
        self._save(path)
        self._say(f"{where} finished saving model to {path}")

    def _news(self, logs: HookLogs) -> str | None:
        """What is new if the model is the best so far, else None; `self.best` follows."""
        self._set_monitor_op(logs)
        value = self.get_monitor_value(logs)
        if value is None:
            return "saving model to"
        if not self._is_improvement(value, self.best):
            return None
        before = None if self.best is None else f"{self.best:.5f}"
        self.best = value
        return f"{self.monitor} improved from {before} to {value:.5f}, saving model to"

    def _get_file_path(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> str:
        numbers = {"epoch": epoch + 1} if batch is None else {"epoch": epoch + 1, "batch": batch + 1}
        names = {**logs, **numbers}
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: the filepath {self.filepath!r} asks for {error}, which is not available. "
                f"Available: {', '.join(names)}."
            ) from error

    def _save(self, path: str) -> None:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _say(self, message: str) -> None:
        if self.verbose > 0:
            say(message)
