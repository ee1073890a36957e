"""Resuming a training run where it was interrupted.

`fit` saves everything that the rest of the run depends on: the values of all variables, the position in the data, and
the state of each callback (`training/resume.py`). The same call of `fit`, in a new process, resumes from there and ends
with exactly the same bits as an uninterrupted run.

A backup is a single file, written atomically by a background thread.
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
    """Writes backups of a training run, and resumes from the last one when the same `fit` is called again.

    A backup contains the values of all variables (weights, optimizer, metrics within the epoch, seeds), the position in
    the training and validation data and their order, and the state of each callback. Custom callbacks take part by
    defining `get_state()`, which returns plain data and arrays, and `set_state(state)`.

    Arrays, `PyDataset`s and `cornu.data.Dataset`s are resumed at their position, including the random numbers of
    cornu's layers within `map`. Iterables with `get_state` and `set_state` or `state_dict` and `load_state_dict`
    (grain's and torchdata's), and PyTorch's `DataLoader`, are reset to the start of their epoch and replayed from
    there; other iterables restart their pass, and a generator is replayed from its start. A `PyDataset` with random
    draws in `__getitem__` must make them a function of the index and of what it did between epochs.

    If a backup cannot be written, for example because the disk is full, a warning is issued and the previous one is
    kept.

    With backups, the first Ctrl-C or SIGTERM ends training after the current call, with a backup of its last step; a
    second one ends it immediately.

    Args:
        backup_dir: directory of the backup; use a separate one for each training run. There is a warning if it is in
        use.
        save_freq: `"epoch"` for a backup after each epoch, or a number of batches between backups, counted over all
            epochs. Defaults to `"epoch"`.
        double_checkpoint: whether to keep the previous backup as well, in case the last one is damaged; False by
            default.
        delete_checkpoint: whether to delete the backup once training is complete; True by default.
        min_seconds: minimum number of seconds between backups; earlier ones are skipped, unless a signal asks for one.
            0 by default. Keras has no such argument.

    Raises:
        ValueError: from `fit`, if the model, the optimizer or the data differ from those of the backup.
        OSError: from `fit`, before training, if the directory is not writable.

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
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        min_seconds: float = 0,
    ):
        super().__init__()
        if not str(os.fspath(backup_dir)):
            raise ValueError("BackupAndRestore: backup_dir must be the path of a directory. Received: ''.")
        if save_freq != "epoch":
            save_freq = validate.positive_int(save_freq, 'save_freq, unless it is "epoch",', "BackupAndRestore")
        if not validate.is_real(min_seconds) or not min_seconds >= 0:
            raise ValueError(
                f"BackupAndRestore: min_seconds must be a non-negative number of seconds. "
                f"Received: {validate.shown(min_seconds)}."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.min_seconds = min_seconds
        self._saved = -math.inf  # time of the last backup, on the monotonic clock
        self._writer: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None
        self._held: int | None = None  # the locked directory, while this run uses it

    @property
    def interval(self) -> int | None:
        """The number of batches between backups; None for one per epoch."""
        return self.save_freq if isinstance(self.save_freq, int) else None

    @property
    def may_save(self) -> bool:
        """Whether enough time has passed since the last backup."""
        return time.monotonic() - self._saved >= self.min_seconds

    def _rehearse(self) -> None:
        self.save_freq = 1 if self.interval else "epoch"
        self._saved = -math.inf

    # ------------------------------------------------------------ files

    def load(self) -> dict[str, object] | None:
        """The state in the last complete backup; None if there is none.

        Raises:
            OSError: if the path is not a directory, or is not writable.
        """
        self._prepare()
        self._saved = -math.inf
        found = [path for path in map(self._path, (_NAME, _BEFORE)) if path.exists()]
        for path in found:
            try:
                return plain_state.load(path)
            except DamagedFileError as error:
                warnings.warn(f"BackupAndRestore: {error} It is skipped.", stacklevel=2)
        if found:
            raise ValueError(
                f"BackupAndRestore: no backup in {self.backup_dir!r} can be read. Delete the directory to start from "
                "scratch."
            )
        return None

    def save(self, state: dict[str, object]) -> None:
        """Write the current state in the background, once the previous one is written."""
        packed = plain_state.packed(state)
        self.wait()
        self._saved = time.monotonic()
        if not placement.writes():
            return
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="cornu-backup")
        self._writing = self._writer.submit(self._write, packed)

    def wait(self) -> None:
        """Wait until the last backup is written; one for which there was no space is skipped."""
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                writing.result()
        except OSError as error:
            warnings.warn(
                f"BackupAndRestore: no backup in {self.backup_dir!r}: {error}. Training continues; until there is "
                "another, the previous one remains valid.",
                stacklevel=2,
            )

    def close(self, done: bool) -> None:
        """Finish writing; `done` says whether training is complete."""
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
        """Create the directory, and check that it is writable."""
        try:
            os.makedirs(self.backup_dir, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.backup_dir):
                pass
        except OSError as error:
            message = f"BackupAndRestore: backups cannot be written to the directory ({error.strerror})"
            raise type(error)(error.errno, message, self.backup_dir) from error
        self._hold()

    def _hold(self) -> None:
        """Warn if another training run uses the directory; the lock ends with the process, however that ends."""
        if sys.platform == "win32" or not placement.writes():  # Windows cannot lock a directory
            return
        self._held = os.open(self.backup_dir, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            warnings.warn(
                f"BackupAndRestore: another training run is writing its backups to {self.backup_dir!r}, and each "
                "would replace those of the other. Use a separate directory for each.",
                stacklevel=2,
            )
        except OSError:  # a file system without locks
            pass

    def _write(self, state: plain_state.Packed) -> None:
        path = self._path(_NAME)
        if self.double_checkpoint and path.exists():
            os.replace(path, self._path(_BEFORE))  # until the new one exists, this is the last one
        plain_state.save(path, state)

    def _path(self, name: str) -> Path:
        return Path(self.backup_dir) / name
