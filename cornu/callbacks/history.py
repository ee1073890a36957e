"""What `fit` returns: the metrics of every epoch."""

from cornu.callbacks.callback import Callback


class History(Callback):
    """Keep the metrics of each epoch. `fit` adds one by itself and returns it.

    `history.history` maps each name to a list with one value an epoch; `history.epoch` lists the epochs' numbers.

    Example:
        history = cornu.callbacks.History()
        history.on_train_begin()
        history.on_epoch_end(0, {"loss": 0.5})
    """

    def __init__(self):
        super().__init__()
        self.history: dict[str, list] = {}

    def on_train_begin(self, logs=None):
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
