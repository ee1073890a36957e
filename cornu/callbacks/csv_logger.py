"""The metrics of every epoch written to a CSV file."""

import csv
import os
import warnings
from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from cornu.callbacks.callback import Callback
from cornu.core.typing import HookLogs, Logs, State


def _cell(value: object) -> object:
    """An array or list as one quoted cell, anything else unchanged."""
    if isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(cast(ArrayLike, value)) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'


class CSVLogger(Callback):
    """Writes the metrics of each epoch to a CSV file; every line is on disk before the next epoch starts.

    The columns are `epoch` and the names of the first epoch's logs, with their `val_` counterparts if the first epoch
    had no validation. Missing values are written as `NA`.

    Args:
        filename: path of the file.
        separator: character between cells. Defaults to `","`.
        append: whether to continue an existing file, with its own header. Defaults to False.

    Example:
        logger = cornu.callbacks.CSVLogger("training.csv")
    """

    _written_to = "filename"

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.keys: list[str] | None = None
        self._goes_on = append  # after the existing lines
        self._has_header = False

    def _rehearse(self) -> None:
        """Nothing is kept: each training run starts afresh."""

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._goes_on = self.append
        self.keys = self._read_header() if self.append else None
        self._has_header = False

    def get_state(self) -> dict[str, object]:
        """The length of the file, and its columns."""
        has_lines = self._goes_on and os.path.exists(self.filename)
        return {"size": os.path.getsize(self.filename) if has_lines else None, "keys": self.keys}

    def set_state(self, state: State) -> None:
        """Continue after the lines of the interrupted run; lines written after its backup are removed."""
        if state["size"] is not None and os.path.exists(self.filename):
            self._goes_on, self.keys = True, state["keys"]
            os.truncate(self.filename, min(state["size"], os.path.getsize(self.filename)))

    def _read_header(self) -> list[str] | None:
        if not os.path.exists(self.filename):
            return None
        with open(self.filename, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file, delimiter=self.sep), None)
        return header and [name for name in header if name != "epoch"]

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        logs = logs or {}
        if not self._has_header and self.keys is not None:
            self._warn_of_lost(logs)
        self._has_header = self.keys is not None
        self.keys = self.keys or self._columns(logs)
        with open(self.filename, "a" if self._goes_on else "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ["epoch", *self.keys], delimiter=self.sep)
            if not self._has_header:
                table.writeheader()
            cells = {name: _cell(logs[name]) if name in logs else "NA" for name in self.keys}
            table.writerow({"epoch": epoch} | cells)
        self._goes_on = self._has_header = True

    def _warn_of_lost(self, logs: Logs) -> None:
        lost = [name for name in logs if name not in (self.keys or ())]
        if lost:
            warnings.warn(
                f"CSVLogger: {self.filename!r} has no column for {', '.join(lost)}, which are not written. "
                "Append to a file with the same columns, or start a new one.",
                stacklevel=2,
            )

    @staticmethod
    def _columns(logs: Logs) -> list[str]:
        names = sorted(logs)
        validated = any(name.startswith("val_") for name in names)
        return names if validated else names + [f"val_{name}" for name in names]
