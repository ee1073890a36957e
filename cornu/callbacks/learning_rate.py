"""Reading and writing an optimizer's learning rate from outside the compiled step."""

from typing import Any

import numpy as np


def _optimizer(callback: Any) -> Any:
    optimizer = getattr(callback.model, "optimizer", None)
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(
            f"{type(callback).__name__}: the optimizer must have a `learning_rate`. Received: {optimizer!r}."
        )
    return optimizer


def read_rate(callback: object) -> float:
    """The learning rate of the model that `callback` watches."""
    rate = _optimizer(callback).learning_rate
    return float(np.asarray(getattr(rate, "value", rate)))


def write_rate(callback: object, rate: float) -> None:
    """Set the learning rate of the model that `callback` watches."""
    _optimizer(callback).learning_rate = rate
