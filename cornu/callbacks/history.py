"""The return value of `fit`: the metrics of every epoch, as numbers, as a figure and as HTML for notebooks."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cornu import validate
from cornu.callbacks import curves
from cornu.callbacks.callback import Callback
from cornu.callbacks.curves import Curve, Points
from cornu.core.typing import HookLogs, State
from cornu.saving import pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure: TypeAlias = Any


class ValuesByName(dict[str, list[Any]]):
    """A dictionary from names to values by epoch, with a helpful error for missing names."""

    def __missing__(self, name: object) -> list[object]:
        if not self:
            raise KeyError(
                f"{name!r}: fit did not train any epoch. It starts after `initial_epoch` epochs and ends with the "
                "one numbered `epochs`, counted from the start of training; for a run that was resumed "
                "after its end, `resumed` contains the epochs."
            )
        raise KeyError(f"{name!r} is not in the history. Closest: {validate.closest(str(name), self)}.")


class History(Callback):
    """Stores the metrics of each epoch. `fit` adds one automatically and returns it.

    `history.history` maps each name to a list with one value per epoch; `history.epoch` lists the epoch numbers. Both
    cover this call of `fit`, and are empty if no epoch was left to train. If it resumed an interrupted run
    (`BackupAndRestore`), `history.resumed` has the same, `{"epoch": [...], "history": {...}}`, for the earlier epochs;
    otherwise it is None.

    `history.plot()` draws all of them. A notebook displays a `History` as a table, with the figure if matplotlib is
    installed.

    Example:
        history = cornu.callbacks.History()
        history.on_train_begin()
        history.on_epoch_end(0, {"loss": 0.5})
        history.on_epoch_end(1, {"loss": 0.4})
        print(history.history)  # {'loss': [0.5, 0.4]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = ValuesByName()
        self.resumed: State | None = None
        self._epochs: dict[str, list[int]] = {}  # in which each name occurred

    def _rehearse(self) -> None:
        self.history = {}

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self.epoch: list[int] = []

    def get_state(self) -> dict[str, object]:
        """All epochs so far, including those before the run was resumed."""
        before: State = self.resumed or {"epoch": [], "history": {}}
        history = {name: list(values) for name, values in before["history"].items()}
        for name, values in self.history.items():
            history.setdefault(name, []).extend(values)
        epochs = {name: list(numbers) for name, numbers in before.get("epochs", {}).items()}
        for name, numbers in self._epochs.items():
            epochs.setdefault(name, []).extend(numbers)
        return {"epoch": [*before["epoch"], *getattr(self, "epoch", [])], "history": history, "epochs": epochs}

    def set_state(self, state: State) -> None:
        """Restore the epochs of the run that this one resumes."""
        self.resumed = state

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._epochs.setdefault(name, []).append(epoch)
        if self.model is not None:
            self.model.history = self

    # ------------------------------------------------------------ display

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        names: str | Iterable[str] | None = None,
        log: bool | None = None,
    ) -> Figure:
        """Draw the training curves: a panel for each metric, with its values on training and validation data by epoch.

        Epochs count from 1, as in the progress bar, and those before the run was resumed are included. No window is
        opened: a notebook displays the returned figure, and elsewhere `path` can be used to save it.

        Args:
            path: file to write, in the format given by its extension (`.png`, `.svg`, `.pdf`), or as PNG without one.
                None, the default, writes nothing.
            names: the metrics to draw, without "val_"; None, the default, for all.
            log: whether to use a logarithmic scale; None, the default, uses one if values decrease by a factor of 100
                or more.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ValueError: for unknown names, and if there is nothing to draw.
            ImportError: if matplotlib is not installed (the extra `plot`).
        """
        figure = curves.drawn(self._curves(names), "epoch", log, "history.plot()")
        pictures.write(figure, path)
        return figure

    def _curves(self, names: str | Iterable[str] | None = None) -> list[Curve]:
        state: State = self.get_state()
        found = {
            name: Points(_numbers(state["epochs"].get(name, state["epoch"]), len(values)), values)
            for name, values in state["history"].items()
        }
        return curves.of_metrics(found, [names] if isinstance(names, str) else names)

    def _repr_html_(self) -> str:
        return curves.page(self._curves(), self.model)


def _numbers(epochs: Sequence[int], count: int) -> list[int]:
    """The epoch number, from 1, of each of the values; counted from 1 if unknown."""
    return [number + 1 for number in epochs] if len(epochs) == count else list(range(1, count + 1))
