"""Stop training as soon as the loss is NaN, and find the cause."""

import math
import os
from typing import Any

from cornu.callbacks.callback import Callback
from cornu.callbacks.messages import say
from cornu.core.typing import HookLogs


class TerminateOnNaN(Callback):
    """Stops training when the loss becomes NaN or infinite.

    With `explain=True`, `fit` keeps the state before each step and, when the loss or a weight is no longer finite,
    repeats the step from there. It names the first layer whose values or gradients are not finite, the rows of the
    batch and the largest gradients, and saves the batch and the state to a file. `report` then has all of this.

    A step that mixed precision skips because its gradients overflow does not stop training.

    The cost of `explain=True` on top of a callback that observes each batch, for which `fit` runs one step at a time:
    one copy of weights and optimizer state, which is released before the next step starts, and a check of all trainable
    weights after each step (0.3 to 0.6 ms per step of a small model on a CPU).

    Args:
        raise_error: whether to raise a RuntimeError instead of ending `fit` normally. Defaults to False.
        explain: whether to find the cause. Defaults to False.
        filepath: path to which `explain=True` saves the batch and the preceding state, an `.npz` file of plain arrays:
            `x`, `y` and `sample_weight` (with keys appended to the names if there are several, `x['left']`),
            `variables/0/PATH` and so on, `epoch`, `batch` and `rows`, the number of valid rows (-1: all).
            `utils.find_nan` repeats the step in it. None writes nothing. Defaults to `"nan_batch.npz"`.

    Attributes:
        report: the findings (`epoch`, `batch`, `stage`, `layer`, `rows`, `data_rows`, `gradients`, `filepath`), which
            describe themselves in sentences as text; None if there are none.

    Example:
        guard = cornu.callbacks.TerminateOnNaN(explain=True)
        model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Lambda(cornu.ops.log), cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.array([[1.0], [-1.0]]), np.ones((2, 1)), callbacks=[guard], verbose=0)
        print(guard.report.layer, guard.report.rows)
    """

    def __init__(
        self,
        raise_error: bool = False,
        explain: bool = False,
        filepath: str | os.PathLike[str] | None = "nan_batch.npz",
    ):
        super().__init__()
        self.raise_error = raise_error
        self.explain = explain
        self.filepath = None if filepath is None else os.fspath(filepath)
        if self.filepath == "":
            raise ValueError("TerminateOnNaN: filepath must be a path, or None for no file. Received: ''.")
        self.report: Any = None
        self.search: Any = None
        """The search for the cause, set by `fit` while it runs."""

    def on_train_begin(self, logs: HookLogs = None) -> None:
        """Discard the findings of an earlier run."""
        self.report = None

    def on_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        """Stop if the loss or, with `explain=True`, a weight is not finite."""
        finite = self.search is None or self.search.finite_weights()  # checked while waiting for the loss
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            self._stop(f"the loss of batch {batch} is {loss}", f"Batch {batch}: Invalid loss")
        elif not finite:
            odd = "weights are no longer finite"
            self._stop(f"after batch {batch} {odd}", f"Batch {batch}: The loss is {loss}, but {odd}")

    def _stop(self, reason: str, message: str) -> None:
        if self.search is not None:
            self.report = self.search.report(self.filepath)
        told = "" if self.report is None else f"\n{self.report}"
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: {reason}. Training is terminated.{told}")
        say(f"{message}, terminating training{told}")
        self.model.stop_training = True
