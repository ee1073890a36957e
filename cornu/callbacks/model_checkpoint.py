"""Saving the model during training."""

import os

from cornu.callbacks.messages import say
from cornu.callbacks.monitor_callback import MonitorCallback, cure
from cornu.core.typing import AnyList, HookLogs, Logs

_ENDINGS = {False: (".keras", ".h5"), True: (".weights.h5",)}


class BatchCounter:
    """Counts batches in intervals, also when the loop reports several batches at once."""

    def __init__(self, interval: int):
        self.interval = interval
        self.since = self.total = 0
        self.last: int | None = None

    def is_due(self, batch: int) -> bool:
        """Count up to batch number `batch` of the epoch; whether the interval is complete."""
        more = batch + 1 if self.last is None or batch <= self.last else batch - self.last
        self.since, self.total, self.last = self.since + more, self.total + more, batch
        if self.since < self.interval:
            return False
        self.since = 0
        return True


class SavingCallback(MonitorCallback):
    """Base of callbacks that save a model at the end of each epoch or every so many batches; see `ModelCheckpoint`.

    Args:
        monitor, mode: as for `MonitorCallback`.
        verbose: 1 to print what is saved.
        save_best_only: whether to save only if the value is better than before.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: value that the first saved model must surpass.
    """

    state_attributes = ("best", "batches_since")
    _without_value = " The model is saved regardless."
    _saves_at_once = True  # synchronously, so that its end can be reported

    def __init__(
        self, monitor: str, mode: str, verbose: int, save_best_only: bool, save_freq: str | int,
        initial_value_threshold: float | None,
    ):  # fmt: skip
        super().__init__(monitor, mode)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._current_epoch = 0
        if save_freq != "epoch" and (not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1):
            raise ValueError(
                f'{type(self).__name__}: save_freq must be "epoch" or a positive number of batches. '
                f"Received: {save_freq!r}."
            )
        self._counter = None if isinstance(save_freq, str) else BatchCounter(save_freq)
        if self._counter is None and type(self).on_train_batch_end is SavingCallback.on_train_batch_end:
            self.idle_hooks = frozenset({"on_train_batch_end"})

    def _rehearse(self) -> None:
        self.best = None
        self._counter = self._counter and BatchCounter(1)

    @property
    def batches_since(self) -> AnyList | None:
        """The position of a batch counter: batches since the last interval, the last batch, and the total."""
        return None if self._counter is None else [self._counter.since, self._counter.last, self._counter.total]

    @batches_since.setter
    def batches_since(self, value: AnyList | None) -> None:
        if self._counter is not None and value is not None:
            self._counter.since, self._counter.last, self._counter.total = value

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
        if self._saves_at_once:
            self._say(f"{where} finished saving model to {path}")

    def _news(self, logs: HookLogs) -> str | None:
        """The message if the model is the best so far, else None; updates `self.best`."""
        self._set_monitor_op(logs)
        value = self.get_monitor_value(logs)
        if value is None:
            return "saving model to"
        if not self._is_improvement(value, self.best):
            return None
        before = None if self.best is None else f"{self.best:.5f}"
        self.best = value
        return f"{self.monitor} improved from {before} to {value:.5f}, saving model to"

    def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        raise NotImplementedError(type(self))

    def _save(self, path: str) -> None:
        raise NotImplementedError(type(self))

    def _say(self, message: str) -> None:
        if self.verbose > 0:
            say(message)


class ModelCheckpoint(SavingCallback):
    """Saves the model, or its weights, at the end of each epoch or every so many batches.

    Args:
        filepath: where to save; may contain `{epoch:02d}`, `{batch}` and any name in the logs, such as
            `{val_loss:.2f}`. Must end in `.keras` or `.h5` for whole models, in `.weights.h5` for weights only.
        monitor: name of the value that determines the best model. Defaults to `"val_loss"`.
        verbose: 1 to print what is saved. Defaults to 0.
        save_best_only: whether to save only if the value is better than before. Defaults to False.
        save_weights_only: whether to save only the weights. Defaults to False.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: value that the first saved model must surpass. None by default.

    Example:
        checkpoint = cornu.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
    """

    _written_to = "filepath"
    _written_by_all = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, verbose, save_best_only, save_freq, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.save_weights_only = save_weights_only
        endings = _ENDINGS[bool(self.save_weights_only)]
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"ModelCheckpoint: with save_weights_only={self.save_weights_only} the filepath must end with "
                f"{' or '.join(endings)}. Received: filepath={self.filepath!r}."
            )

    def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        numbers = {"epoch": epoch + 1} if batch is None else {"epoch": epoch + 1, "batch": batch + 1}
        names = {**logs, **numbers}
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: the filepath {self.filepath!r} contains {error}, which is not available. "
                f"Available: {', '.join(names)}.{cure(error.args[0], names)}"
            ) from error

    def _save(self, path: str) -> None:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
