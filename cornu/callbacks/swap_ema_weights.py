"""Validation and prediction with averaged weights, training with the current ones."""

from typing import Any

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.callbacks.callback import Callback
from cornu.core.typing import HookLogs, State
from cornu.core.variable import Variable, give_values, values_of


class SwapEMAWeights(Callback):
    """Swaps the weights with their exponential moving averages for each evaluation and prediction, and back afterwards.

    The optimizer must keep averages (`use_ema=True`). At the end of `fit` the weights are the averages.

    Args:
        swap_on_epoch: whether to swap in the averages at the end of each epoch as well, for subsequent callbacks such
            as `ModelCheckpoint`; the next epoch starts with the original weights. False by default.

    Example:

        import numpy as np
        model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
        model.compile(cornu.optimizers.SGD(use_ema=True), "mse")
        x, y = np.ones((8, 2)), np.ones(8)
        swap = cornu.callbacks.SwapEMAWeights()
        model.fit(x, y, validation_data=(x, y), callbacks=[swap], verbose=0)
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._trained: list[jax.Array] | None = None  # the training weights, while the averages are swapped in

    def _use_averages(self) -> None:
        averages = self._averages()
        if self._trained is None and averages:
            self._trained = values_of(averages)
            give_values(list(averages), values_of(averages.values()))

    def _use_trained(self) -> None:
        trained, self._trained = self._trained, None
        if trained is not None:
            give_values(list(self._averages()), trained)

    def _averages(self) -> dict[Variable, Variable]:
        """The averages by weight; empty before the first step."""
        optimizer: Any = getattr(self.model, "optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights: the optimizer must keep averages of the weights. "
                f"Received: {validate.describe(optimizer)}. Compile with an optimizer that has use_ema=True."
            )
        return optimizer._averages if optimizer.built else {}

    def get_state(self) -> dict[str, object]:
        """The training weights, while the averages are swapped in."""
        return {"trained": self._trained}

    def set_state(self, state: State) -> None:
        """Restore the state returned by `get_state`."""
        self._trained = state["trained"] and list(map(jnp.asarray, state["trained"]))

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._averages()

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        self._use_trained()

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        if self.swap_on_epoch:
            self._use_averages()

    def on_test_begin(self, logs: HookLogs = None) -> None:
        self._use_averages()

    def on_test_end(self, logs: HookLogs = None) -> None:
        self._use_trained()

    def on_predict_begin(self, logs: HookLogs = None) -> None:
        self._use_averages()

    def on_predict_end(self, logs: HookLogs = None) -> None:
        self._use_trained()

    def on_train_end(self, logs: HookLogs = None) -> None:
        self._trained = None  # permanently: the weights are now the averages
