"""A learning rate that falls when a value no longer gets better."""

from typing import Any

import numpy as np

from cornu.callbacks.learning_rate import read_rate, write_rate
from cornu.callbacks.messages import say
from cornu.callbacks.monitor_callback import MonitorCallback
from cornu.core.typing import HookLogs


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by a factor when a value has not improved for some epochs.

    Args:
        monitor: Name of the value to watch. Defaults to `"val_loss"`.
        factor: What the learning rate is multiplied by, below 1. Defaults to 0.1.
        patience: Epochs without improvement after which the rate falls.
        verbose: 1 to say each change. Defaults to 0.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric.
        min_delta: Least change that counts as an improvement. Defaults to 0.0001.
        cooldown: Epochs to wait after a change before counting again. Defaults to 0.
        min_lr: Least learning rate. Defaults to 0.0.

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
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1. Received: factor={factor}.")
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
        """Whether a change is so recent that epochs do not count yet."""
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
        # The rate is a float32, so it is compared with the limit as a float32.
        if self.wait < self.patience or rate <= np.float32(self.min_lr):
            return
        rate = max(rate * self.factor, self.min_lr)
        write_rate(self, rate)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0
