"""A lock between processes: a file held by one of them at a time, which is released when its holder dies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_WAIT = 0.1  # seconds between two attempts


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of this name while the block runs, waiting for it if necessary.

    Args:
        path: path of the lock file; it is created, and kept.
    """
    handle = os.open(Path(path), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while not _take(handle):
            time.sleep(_WAIT)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
