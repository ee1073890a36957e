"""The metrics of every epoch as a table in a file."""

import csv
import os
import warnings
from collections.abc import Iterable
from typing import TextIO, cast

import numpy as np
from numpy.typing import ArrayLike

from cornu.callbacks.callback import Callback


def _cell(value: object) -> object:
    """An array or list as one quoted cell, anything else as it is."""
    if isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(cast(ArrayLike, value)) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'


class CSVLogger(Callback):
    """Write the metrics of each epoch to a CSV file; every line is on the disk before the next epoch starts.

    The columns are `epoch` and the names of the first epoch's logs, with their `val_` forms when the first epoch had no
    validation. A value that an epoch lacks is written as `NA`.

    Args:
        filename: Path of the file.
        separator: Character between two cells. Defaults to `","`.
        append: Whether to go on at the end of an existing file, under its own header. Defaults to False.

    Example:
        logger = cornu.callbacks.CSVLogger("training.csv")
    """

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False):
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: TextIO | None = None
        self.writer: csv.DictWriter | None = None

    def on_train_begin(self, logs=None):
        self.keys = self._read_header() if self.append else None
        self.writer = None
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115

    def _read_header(self) -> list[str] | None:
        if not os.path.exists(self.filename):
            return None
        with open(self.filename, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file, delimiter=self.sep), None)
        return header and [name for name in header if name != "epoch"]

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        file = self._opened()
        writer = self.writer or self._open_table(file, logs)
        cells = {name: _cell(logs[name]) if name in logs else "NA" for name in self.keys or ()}
        writer.writerow({"epoch": epoch} | cells)
        file.flush()

    def _opened(self) -> TextIO:
        return cast(TextIO, self.csv_file)  # by `on_train_begin`

    def _open_table(self, file: TextIO, logs) -> csv.DictWriter:
        found = self.keys
        self.keys = found or self._columns(logs)
        self.writer = csv.DictWriter(file, ["epoch", *self.keys], delimiter=self.sep)
        if found is None:
            self.writer.writeheader()
            return self.writer
        lost = [name for name in logs if name not in found]
        if lost:
            warnings.warn(
                f"CSVLogger: {self.filename!r} has no column for {', '.join(lost)}, which will not be written. "
                "Append to a file with the same columns, or start a new one.",
                stacklevel=2,
            )
        return self.writer

    @staticmethod
    def _columns(logs) -> list[str]:
        names = sorted(logs)
        validated = any(name.startswith("val_") for name in names)
        return names if validated else names + [f"val_{name}" for name in names]

    def on_train_end(self, logs=None):
        self._opened().close()
        self.writer = None
