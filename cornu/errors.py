"""The exception classes that a program may want to distinguish.

    CornuError
    ├── DamagedFileError       (ValueError)  a file is truncated, modified, or malicious
    ├── LoadLimitError         (ValueError)  a file requires more memory or work than its size accounts for
    ├── UnknownArgumentError   (ValueError, TypeError) a layer does not accept an argument
    ├── UnknownClassError      (ValueError)  a file refers to an unknown class or function
    ├── WeightsMismatchError   (ValueError)  weights do not match the model
    ├── InputMismatchError     (ValueError)  data does not match the inputs of a layer or model
    ├── DataError              (RuntimeError) a dataset step failed on an element; see the cause
    ├── MissingFileError       (ValueError, FileNotFoundError) a file does not exist
    └── MissingPackageError    (ImportError) an optional package is not installed

Each is also the built-in error in parentheses, which Keras raises, so existing handlers still work. All other errors
are built-in ones: a `ValueError` or `TypeError` for an argument, a `KeyError` or `AttributeError` for a name.

TrainingStopped (KeyboardInterrupt) is not an error: a signal stopped a training that has a backup.

Example:

    try:
        cornu.models.load_model("model.keras")
    except cornu.errors.DamagedFileError as error:
        print(f"Take the backup: {error}")
    except ValueError as error:
        print(error)  # There is no file 'model.keras' in '/home/me'. Closest: 'models.keras'.
"""

import os
import signal

from cornu import spelling

__all__ = [
    "CornuError", "DamagedFileError", "DataError", "InputMismatchError", "LoadLimitError", "MissingFileError",
    "MissingPackageError", "TrainingStopped", "UnknownArgumentError", "UnknownClassError", "WeightsMismatchError",
]  # fmt: skip


class CornuError(Exception):
    """Base class of the errors below."""


class _FileError(CornuError, ValueError):
    """The message may quote the file, but never contains terminal control sequences."""

    def __init__(self, message: object = ""):
        super().__init__(spelling.plain(message))


class DamagedFileError(_FileError):
    """A file is truncated, modified, or malicious."""


class DataError(CornuError, RuntimeError):
    """A dataset step failed on an element; the original error is the cause."""


class TrainingStopped(KeyboardInterrupt):
    """A signal stopped a training, after a backup from which the same `fit` call resumes.

    Args:
        message: the text.
        signal: the number of the signal; that of SIGINT by default.
    """

    def __init__(self, message: str = "", signal: int = signal.SIGINT):
        super().__init__(message)
        self.signal = signal


class LoadLimitError(_FileError):
    """A file asks for more memory or work than its size accounts for."""


class UnknownArgumentError(CornuError, ValueError, TypeError):
    """A layer has no argument of that name: a wrong call in Python, a wrong value in a config."""


class UnknownClassError(_FileError):
    """A file names a class or function that this program does not know."""


class WeightsMismatchError(_FileError):
    """Weights do not fit the model."""


class InputMismatchError(CornuError, ValueError):
    """Data does not fit the inputs of a layer or model."""


class MissingFileError(_FileError, FileNotFoundError):
    """There is no file of that name; Keras raises a ValueError for models and a FileNotFoundError for weights."""

    @classmethod
    def of(cls, path: str) -> "MissingFileError":
        """The error that says where one looked, and what is there of a like name."""
        folder, name = os.path.split(os.path.abspath(path))
        if not os.path.isdir(folder):
            return cls(f"There is no file {path!r}, nor a folder {folder!r}.")
        similar = ", ".join(map(repr, spelling.likely(name, os.listdir(folder), at_least=0.8)))
        return cls(f"There is no file {path!r} in {folder!r}." + f" Closest: {similar}." * bool(similar))


class MissingPackageError(CornuError, ImportError):
    """An optional package is not installed."""
