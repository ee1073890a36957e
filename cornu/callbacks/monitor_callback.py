"""Shared by callbacks that watch one value: reading it, and knowing whether higher or lower is better."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np

from cornu.callbacks.callback import Callback
from cornu.core.typing import Config


def _metrics_of(owner: object) -> Iterator[object]:
    for metric in getattr(owner, "metrics", None) or ():
        yield metric
        yield from _metrics_of(metric)


def _named_in_logs(model: object) -> Iterator[tuple[str, object]]:
    """(name in the logs, metric) of the metrics given to `compile`, then (name, metric) of all."""
    for _, _, metric, name in getattr(getattr(model, "_compile_metrics", None), "entries", ()):
        yield name, metric
    for metric in _metrics_of(model):
        yield getattr(metric, "name", ""), metric


def direction(monitor: str, model: object) -> str | None:
    """`"up"` or `"down"`, from the model's metric of that name, "down" for losses; None if unknown."""
    name = monitor.removeprefix("val_")
    losses = getattr(getattr(model, "_compile_loss", None), "trackers", ())
    if name == "loss" or any(tracker.name == name for tracker in losses):
        return "down"
    found = (getattr(metric, "_direction", None) for known, metric in _named_in_logs(model) if known == name)
    return next((way for way in found if way), None)


def directions(model: object) -> dict[str, str]:
    """The names in a model's logs, without `val_`, for which the direction of improvement is known."""
    losses = (tracker.name for tracker in getattr(getattr(model, "_compile_loss", None), "trackers", ()))
    names = dict.fromkeys(["loss", *losses, *(name for name, _ in _named_in_logs(model))])
    return {name: way for name in names if name and (way := direction(name, model))}


def cure(name: str, logs: Iterable[str]) -> str:
    """What to do where the logs lack a value, as a sentence with a space before it."""
    if name.startswith("val_") and not any(known.startswith("val_") for known in logs):
        return " Values of validation need validation_data or validation_split in fit()."
    return " Name one of these, or have it computed: compile(metrics=[...])."


class MonitorCallback(Callback):
    """Base of callbacks that compare a value in the logs between epochs.

    Args:
        monitor: name of the value in the logs.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric of that name.
        min_delta: minimum change that counts as an improvement, in the units of the value.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            kind = type(self).__name__
            warnings.warn(
                f'{kind}: mode must be "auto", "min" or "max"; using "auto". Received: mode={mode!r}.',
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None
        self.min_delta = min_delta
        self.monitor_op: Callable[[float, float], bool] | None = None

    def get_monitor_value(self, logs: Config | None) -> float | None:
        """The watched value; a warning and None if it is missing from the logs or is not a single number.

        A missing value whose direction of improvement is unknown, too, is a `ValueError` before that, at the end of the
        first epoch.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is not None and np.size(value) == 1:
            return float(np.ravel(value)[0])
        if value is None:
            problem = self._missing(logs)
        else:
            problem = f"is an array of shape {np.shape(value)}, which cannot be compared. Watch a scalar metric."
        warnings.warn(
            f"{type(self).__name__}: the monitored value, monitor={self.monitor!r}, {problem}{self._without_value}",
            stacklevel=3,
        )
        return None

    _without_value = ""  # the consequence, for the warning

    def _missing(self, logs: Config) -> str:
        """What is said of a value that the logs lack."""
        return f"is not available. Available: {', '.join(logs) or 'nothing'}.{cure(self.monitor, logs)}"

    def _set_monitor_op(self, logs: Config | None = None) -> None:
        """Determine the direction of improvement, once."""
        if self.monitor_op is not None:
            return
        way = {"min": "down", "max": "up"}.get(self.mode) or direction(self.monitor, self.model)
        logs = logs or {}
        if way is None and self.monitor not in logs:
            raise ValueError(
                f"{type(self).__name__}: the monitored value, monitor={self.monitor!r}, {self._missing(logs)} "
                'Where it comes in a later epoch, pass mode="max" or mode="min".'
            )
        if way is None:
            raise ValueError(
                f"{type(self).__name__}: cannot tell whether higher or lower values of {self.monitor!r} are better. "
                f'Pass mode="max" or mode="min". Available in the logs: {", ".join(logs)}.'
            )
        self.monitor_op = np.less if way == "down" else np.greater
        self.min_delta = -abs(self.min_delta) if way == "down" else abs(self.min_delta)

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None or (math.isnan(reference) and not math.isnan(value)):
            return True
        better = cast(Callable[[float, float], bool], self.monitor_op)  # determined before the first comparison
        return bool(better(value - self.min_delta, reference))
