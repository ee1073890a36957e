"""What `fit` returns: the metrics of every epoch."""

from typing import Any

from cornu.callbacks.callback import Callback
from cornu.core.typing import HookLogs


class History(Callback):
    """Keep the metrics of each epoch. `fit` adds one by itself and returns it.

    `history.history` maps each name to a list with one value an epoch; `history.epoch` lists the epochs' numbers. Both
    are of this run of `fit`. Where it goes on with a training that was stopped (`BackupAndRestore`), `history.resumed`
    has the same, `{"epoch": [...], "history": {...}}`, for the epochs before; else it is None.

    Example:
        history = cornu.callbacks.History()
        history.on_train_begin()
        history.on_epoch_end(0, {"loss": 0.5})
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list] = {}
        self.resumed: dict[str, Any] | None = None

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self.epoch: list[int] = []

    def get_state(self) -> dict[str, Any]:
        """All epochs so far, those before the training was resumed as well."""
        before = self.resumed or {"epoch": [], "history": {}}
        history = {name: list(values) for name, values in before["history"].items()}
        for name, values in self.history.items():
            history.setdefault(name, []).extend(values)
        return {"epoch": [*before["epoch"], *self.epoch], "history": history}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take the epochs of the run that this one goes on with."""
        self.resumed = state

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
