"""A learning rate that is reduced when a value no longer improves."""

from typing import Any

import numpy as np

from cornu.callbacks.learning_rate import read_rate, write_rate
from cornu.callbacks.messages import say
from cornu.callbacks.monitor_callback import MonitorCallback
from cornu.core.typing import HookLogs


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a value has not improved for some epochs.

    Args:
        monitor: name of the value to watch. Defaults to `"val_loss"`.
        factor: factor applied to the learning rate, below 1. Defaults to 0.1.
        patience: number of epochs without improvement after which the rate is reduced. Defaults to 10.
        verbose: 1 to print each change. Defaults to 0.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        min_delta: minimum change that counts as an improvement. Defaults to 0.0001.
        cooldown: number of epochs to wait after a change before counting again. Defaults to 0.
        min_lr: lower bound of the learning rate. Defaults to 0.0.

    Example:
        reduce = cornu.callbacks.ReduceLROnPlateau(factor=0.2, patience=5, min_lr=1e-5)
    """

    state_attributes = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        if "epsilon" in kwargs:  # the older name
            min_delta = kwargs.pop("epsilon")
        if kwargs:
            raise TypeError(f"ReduceLROnPlateau: unknown arguments {', '.join(kwargs)}.")
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1. Received: factor={factor}.")
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a change is so recent that epochs are not counted yet."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        self._set_monitor_op(logs)
        if logs is not None:
            logs["learning_rate"] = read_rate(self)
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self._count(epoch)

    def _count(self, epoch: int) -> None:
        self.wait += 1
        rate = read_rate(self)
        # The rate is a float32, so it is compared with the limit in float32.
        if self.wait < self.patience or rate <= np.float32(self.min_lr):
            return
        rate = max(rate * self.factor, self.min_lr)
        write_rate(self, rate)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0
