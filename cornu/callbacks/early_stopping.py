"""Stop training when a value no longer improves."""

from cornu.callbacks.messages import say
from cornu.callbacks.monitor_callback import MonitorCallback
from cornu.core.typing import HookLogs


class EarlyStopping(MonitorCallback):
    """Stops training when a value has not improved for some epochs.

    Args:
        monitor: name of the value to watch. Defaults to `"val_loss"`.
        min_delta: minimum change that counts as an improvement. Defaults to 0.
        patience: number of epochs in a row without improvement after which training stops; 0 stops at the first, as 1
            does. The first epoch watched always improves. Defaults to 0.
        verbose: 1 to print a message when training stops. Defaults to 0.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        baseline: value that must be surpassed for the patience counter to be reset. None by default.
        restore_best_weights: whether to restore the weights of the best epoch at the end. Defaults to False.
        start_from_epoch: number of epochs to skip before watching. Defaults to 0.

    Example:
        model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        stop = cornu.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
        model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=20, validation_split=0.5, callbacks=[stop], verbose=0)
    """

    state_attributes = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.wait = 0
        self.stopped_epoch = 0
        self.restore_best_weights = restore_best_weights
        self.best_weights = None
        self.best_epoch = 0
        self.start_from_epoch = start_from_epoch

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        self._set_monitor_op(logs)
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        if self._is_improvement(value, self.best):
            self._improved(epoch, value)
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _improved(self, epoch: int, value: float) -> None:
        self.best = value
        self.best_epoch = epoch
        if self.restore_best_weights:
            self._remember(epoch)
        if self.baseline is None or self._is_improvement(value, self.baseline):
            self.wait = 0

    def _remember(self, epoch: int) -> None:
        self.best_weights = self.model.get_weights()
        self.best_epoch = epoch

    def on_train_end(self, logs: HookLogs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)
