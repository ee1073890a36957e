"""What callbacks that watch one value share: reading it, and knowing whether up or down is better."""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cornu.callbacks.callback import Callback

_DOWN_WORDS = (
    "loss", "error", "mae", "mse", "rmse", "mape", "msle", "crossentropy", "divergence", "poisson", "hinge", "logcosh",
    "perplexity", "false_positives", "false_negatives",
)  # fmt: skip
_UP_WORDS = (
    "acc", "accuracy", "auc", "precision", "recall", "f1", "fbeta", "iou", "io_u", "score", "correlation", "similarity",
    "sensitivity", "specificity", "true_positives", "true_negatives",
)  # fmt: skip


def _has_word(name: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"(^|_|\b){word}($|_|\b|\d)", name) for word in words)


def _snake(name: str) -> str:
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def _metrics_of(owner: Any) -> Iterator[Any]:
    for metric in getattr(owner, "metrics", None) or ():
        yield metric
        yield from _metrics_of(metric)


def _direction_of_words(text: str) -> str | None:
    down, up = _has_word(text, _DOWN_WORDS), _has_word(text, _UP_WORDS)
    return None if down == up else "down" if down else "up"


def direction(monitor: str, model: Any) -> str | None:
    """`"up"` or `"down"`, from the model's metric of that name or from the words in the name; None if unknown."""
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return "down"
    metrics = [m for m in _metrics_of(model) if getattr(m, "name", None) == name]
    for metric in metrics:
        known = getattr(metric, "_direction", None) or _direction_of_words(_snake(type(metric).__name__))
        if known:
            return known
    return _direction_of_words(_snake(name))


class MonitorCallback(Callback):
    """Base of callbacks that compare one value of the logs from epoch to epoch.

    Args:
        monitor: Name of the value in the logs.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric of that name.
        min_delta: Least change that counts as better, in the units of the value.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            kind = type(self).__name__
            warnings.warn(
                f'{kind}: mode must be "auto", "min" or "max"; going on with "auto". Received: mode={mode!r}.',
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None
        self.min_delta = min_delta
        self.monitor_op: Callable | None = None

    def get_monitor_value(self, logs: Mapping | None) -> float | None:
        """The watched value; a warning and None where the logs lack it."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            names = ", ".join(logs) or "nothing"
            kind = type(self).__name__
            warnings.warn(
                f"{kind}: the value to watch, monitor={self.monitor!r}, is not available. Available: {names}.",
                stacklevel=3,
            )
        return value

    def _set_monitor_op(self, logs: Mapping | None = None) -> None:
        """Settle which way is better, once."""
        if self.monitor_op is not None:
            return
        way = {"min": "down", "max": "up"}.get(self.mode) or direction(self.monitor, self.model)
        if way is None:
            known = ", ".join(logs or {}) or "nothing"
            raise ValueError(
                f"{type(self).__name__}: cannot tell whether {self.monitor!r} is better high or low. "
                f'Pass mode="max" or mode="min". Available in the logs: {known}.'
            )
        self.monitor_op = np.less if way == "down" else np.greater
        self.min_delta = -abs(self.min_delta) if way == "down" else abs(self.min_delta)

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None or (math.isnan(reference) and not math.isnan(value)):
            return True
        return bool(self.monitor_op(value - self.min_delta, reference))
