"""A learning rate that depends on the epoch."""

import inspect

import numpy as np

from cornu import validate
from cornu.callbacks.callback import Callback
from cornu.callbacks.learning_rate import read_rate, write_rate
from cornu.callbacks.messages import say
from cornu.core.typing import AnyFunction, HookLogs


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of each epoch.

    Args:
        schedule: function of the epoch number (from 0) and the current learning rate that returns the new one; a
            function of the epoch alone is accepted too.
        verbose: 1 to print the learning rate of each epoch. Defaults to 0.

    Example:
        halve = cornu.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    """

    def __init__(self, schedule: AnyFunction, verbose: int = 0):
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                "LearningRateScheduler: schedule must be a function of the epoch and the rate that returns a rate. "
                f"Received: {validate.shown(schedule)}. For one rate throughout give it to the optimizer."
            )
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        rate = self._next_rate(epoch, read_rate(self))
        write_rate(self, rate)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = read_rate(self)

    def _next_rate(self, epoch: int, rate: float) -> float:
        new = self.schedule(epoch, rate) if self._takes_rate() else self.schedule(epoch)
        array = np.asarray(new)
        if array.ndim or array.dtype.kind not in "fiu":
            raise ValueError(
                f"LearningRateScheduler: the schedule must return a float. Received: {new!r} for epoch {epoch}."
            )
        return float(array)

    def _takes_rate(self) -> bool:
        try:
            inspect.signature(self.schedule).bind(0, 0.0)
        except TypeError:
            return False
        except ValueError:  # a built-in without a signature
            return True
        return True
