"""A training that goes on where it was killed.

`fit` writes everything that the rest of the training depends on: the values of all variables, the place in the data,
and what each callback knows (`training/resume.py`). The same call of `fit`, in a new process, goes on from there and
ends with the same bits as one that was never stopped.

A backup is one file, written by a thread beside the training; it appears whole or not at all.
"""

import math
import os
import sys
import tempfile
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cornu import validate
from cornu.callbacks.callback import Callback
from cornu.core import placement
from cornu.errors import DamagedFileError
from cornu.saving import plain_state

if sys.platform != "win32":
    import fcntl

_NAME, _BEFORE = "training.npz", "training.before.npz"


class BackupAndRestore(Callback):
    """Write backups of a training, and go on from the last one when the same `fit` is called again.

    What is kept: the values of all variables (weights, optimizer, metrics within the epoch, seeds), the place in the
    data and their order, also of those to validate on, and the state of each callback. A callback of your own takes
    part through `get_state()`, which returns plain data and arrays, and `set_state(state)`.

    Arrays, `PyDataset`s and `cornu.data.Dataset`s are taken up at their place, with what cornu's layers draw within
    `map`. Iterables with `get_state` and `set_state` or `state_dict` and `load_state_dict` (grain's and torchdata's),
    and PyTorch's `DataLoader`, are put where their epoch began and gone through from there; other iterables begin their
    pass again, and a generator is replayed from its start. A `PyDataset` that draws at random in `__getitem__` must
    make its draws a function of the index and of what it did between epochs.

    Where a backup cannot be written, for want of room, there is a warning, and the one before stays.

    With backups, the first Ctrl-C or SIGTERM ends the training after the running call, with a backup of its last step;
    a second one ends it at once.

    Args:
        backup_dir: folder of the backup; one training has one folder, and is warned where another uses it just now.
        save_freq: `"epoch"` for a backup after each epoch, or after how many batches there is one, counted over all
            epochs.
        double_checkpoint: whether the backup before the last one is kept as well, for when the last is damaged; False
            by default.
        delete_checkpoint: whether the backup is deleted once the training has come to its end; True by default.
        min_seconds: least number of seconds from one backup to the next; one that is due sooner is left out, unless a
            signal asks for it. 0 by default. Keras has no such argument.

    Raises:
        ValueError: from `fit`, when the model, the optimizer or the data are not those of the backup.
        OSError: from `fit`, before training, when the folder is not one that can be written to.

    Example:

        import numpy as np
        model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
        model.compile("adam", "mse")
        backup = cornu.callbacks.BackupAndRestore("backup")
        model.fit(np.ones((8, 2)), np.ones(8), epochs=3, callbacks=[backup], verbose=0)
    """

    _written_to = "backup_dir"
    _written_by_all = True

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        min_seconds: float = 0,
    ):
        super().__init__()
        if not str(os.fspath(backup_dir)):
            raise ValueError("BackupAndRestore: backup_dir must name a folder. Received: ''.")
        if save_freq != "epoch":
            save_freq = validate.positive_int(save_freq, 'save_freq, unless it is "epoch",', "BackupAndRestore")
        if not validate.is_real(min_seconds) or not min_seconds >= 0:
            raise ValueError(
                f"BackupAndRestore: min_seconds must be a number of seconds, 0 or more. "
                f"Received: {validate.shown(min_seconds)}."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.min_seconds = min_seconds
        self._saved = -math.inf  # when there was the last backup, on the monotonic clock
        self._writer: ThreadPoolExecutor | None = None
        self._writing: Future | None = None
        self._held: int | None = None  # the folder, while this training uses it

    @property
    def interval(self) -> int | None:
        """After how many batches there is a backup; None where that is for each epoch."""
        return self.save_freq if isinstance(self.save_freq, int) else None

    @property
    def may_save(self) -> bool:
        """Whether the last backup is long enough ago for another."""
        return time.monotonic() - self._saved >= self.min_seconds

    def _rehearse(self) -> None:
        self.save_freq = 1 if self.interval else "epoch"
        self._saved = -math.inf

    # ------------------------------------------------------------ files

    def load(self) -> dict[str, object] | None:
        """The state in the last whole backup; None where there is none.

        Raises:
            OSError: when the folder is none, or nothing can be written there.
        """
        self._prepare()
        self._saved = -math.inf
        found = [path for path in map(self._path, (_NAME, _BEFORE)) if path.exists()]
        for path in found:
            try:
                return plain_state.load(path)
            except DamagedFileError as error:
                warnings.warn(f"BackupAndRestore: {error} It is left out.", stacklevel=2)
        if found:
            raise ValueError(
                f"BackupAndRestore: no backup in {self.backup_dir!r} can be read. Delete the folder to start afresh."
            )
        return None

    def save(self, state: dict[str, object]) -> None:
        """Write a state, as it is now, beside the training, once the one before it is written."""
        packed = plain_state.packed(state)
        self.wait()
        self._saved = time.monotonic()
        if not placement.writes():
            return
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="cornu-backup")
        self._writing = self._writer.submit(self._write, packed)

    def wait(self) -> None:
        """Wait until the last backup is written; one that there was no room for is left out."""
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                writing.result()
        except OSError as error:
            warnings.warn(
                f"BackupAndRestore: no backup in {self.backup_dir!r}: {error}. The training goes on; until there is "
                "another, the one before serves.",
                stacklevel=2,
            )

    def close(self, done: bool) -> None:
        """Finish writing; `done` says whether the training has come to its end."""
        try:
            self.wait()
        finally:
            if self._writer is not None:
                self._writer.shutdown()
                self._writer = None
            if self._held is not None:
                os.close(self._held)
                self._held = None
        if done and self.delete_checkpoint and placement.writes():
            for name in (_NAME, _BEFORE):
                self._path(name).unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Make the folder, and try to write there."""
        try:
            os.makedirs(self.backup_dir, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.backup_dir):
                pass
        except OSError as error:
            message = f"BackupAndRestore: backups cannot be written to the folder ({error.strerror})"
            raise type(error)(error.errno, message, self.backup_dir) from error
        self._hold()

    def _hold(self) -> None:
        """Warn where another training uses the folder; the lock ends with the process, however that ends."""
        if sys.platform == "win32" or not placement.writes():  # Windows cannot lock a folder
            return
        self._held = os.open(self.backup_dir, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            warnings.warn(
                f"BackupAndRestore: another training writes its backups to {self.backup_dir!r} just now, and each "
                "replaces those of the other. Give each training a folder of its own.",
                stacklevel=2,
            )
        except OSError:  # a file system without locks
            pass

    def _write(self, state: plain_state.Packed) -> None:
        path = self._path(_NAME)
        if self.double_checkpoint and path.exists():
            os.replace(path, self._path(_BEFORE))  # until the new one is there, this one is the last
        plain_state.save(path, state)

    def _path(self, name: str) -> Path:
        return Path(self.backup_dir) / name
