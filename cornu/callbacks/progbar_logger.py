"""The progress bar of `fit`, `evaluate` and `predict`."""

from typing import cast

from cornu.callbacks.callback import Callback
from cornu.callbacks.messages import resolve_verbose, say
from cornu.callbacks.progbar import Progbar
from cornu.core.typing import HookLogs, Kwargs


class ProgbarLogger(Callback):
    """Shows the progress and the metrics. `fit`, `evaluate` and `predict` add one unless `verbose=0`.

    `verbose` 1 draws a bar, 2 writes one line per epoch; `"auto"` is 1 if a line can be redrawn (in a terminal or
    notebook) and 2 elsewhere. The values of a batch are fetched from the device only when the bar is drawn.

    Example:
        logger = cornu.callbacks.ProgbarLogger()
        logger.set_params({"verbose": 2, "epochs": 1, "steps": 2})
        logger.on_train_begin()
        logger.on_epoch_begin(0)
        logger.on_epoch_end(0, {"loss": 0.5})
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._in_fit = False

    def set_params(self, params: Kwargs) -> None:
        super().set_params(params)
        self.verbose = resolve_verbose(params.get("verbose", "auto"))
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._in_fit = True

    def on_train_end(self, logs: HookLogs = None) -> None:
        self._in_fit = False

    def on_test_begin(self, logs: HookLogs = None) -> None:
        if not self._in_fit:
            self._start()

    def on_predict_begin(self, logs: HookLogs = None) -> None:
        self._start()

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            say(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        self._advance(batch, logs)

    def on_test_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        if not self._in_fit:
            self._advance(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        self._advance(batch, None)

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: HookLogs = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: HookLogs = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        self.seen = 0
        self.progbar = Progbar(target=self.target, verbose=self.verbose, stateless_metrics=())

    def _started(self) -> Progbar:
        return cast(Progbar, self.progbar)  # created by `_start`, before any batch

    def _advance(self, batch: int, logs: HookLogs) -> None:
        self.seen = batch + 1
        if self.verbose == 1:
            progbar = self._started()
            values = logs.items() if logs and progbar.is_due() else None
            progbar.update(self.seen, values, finalize=False)

    def _finish(self, logs: HookLogs) -> None:
        progbar = self._started()
        if self.target is None:
            self.target = progbar.target = self.seen
        progbar.update(self.target, (logs or {}).items(), finalize=True)
