"""Stop as soon as the loss is not a number."""

import math

from cornu.callbacks.callback import Callback
from cornu.callbacks.messages import say
from cornu.core.typing import HookLogs


class TerminateOnNaN(Callback):
    """Stop training when the loss becomes NaN or infinite.

    Args:
        raise_error: Whether to raise a RuntimeError instead of ending `fit` in the ordinary way.

    Example:
        guard = cornu.callbacks.TerminateOnNaN()
    """

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss of batch {batch} is {loss}. Training is terminated.")
        say(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
