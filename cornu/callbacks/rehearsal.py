"""Callbacks in a dry run, `fit(fast_dev_run=True)`.

Callbacks that write files, or keep state between runs, are replaced by copies. A copy does everything that the callback
would do, but writes to a temporary directory next to the configured path: existing files are not touched, and write
errors occur now. Other callbacks take part themselves, including `TerminateOnNaN`, whose file describes what went
wrong.
"""

import copy
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cornu import tree
from cornu.callbacks.callback import Callback


@contextmanager
def rehearsed(callbacks: object) -> Iterator[list[Callback]]:
    """Scope with the replacements for these callbacks: a single one, a list, or a `CallbackList`."""
    given = getattr(callbacks, "callbacks", callbacks)
    with ExitStack() as folders:
        yield [_stand_in(callback, folders) for callback in (tree.flatten(given) if given else ())]


def _stand_in(callback: object, folders: ExitStack) -> Any:
    if not isinstance(callback, Callback) or type(callback)._rehearse is Callback._rehearse:
        return callback
    stand_in: Any = copy.copy(callback)
    if callback._written_to is not None:
        target = getattr(callback, callback._written_to)
        try:
            setattr(stand_in, callback._written_to, _beside(Path(target).absolute(), folders))
        except OSError as error:
            problem = f"fit: {type(callback).__name__} cannot write there: {error.strerror}"
            raise type(error)(error.errno, problem, target) from error
    stand_in._rehearse()
    return stand_in


def _beside(target: Path, folders: ExitStack) -> str:
    """The same path inside a new temporary directory in the nearest existing parent directory."""
    around = [target, *target.parents]
    place = next(folder for folder in around if folder.is_dir())
    if any(path.exists() for path in around[1 : around.index(place)]):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    made = folders.enter_context(tempfile.TemporaryDirectory(prefix=".rehearsal-", dir=place))
    return str(Path(made, target.relative_to(place)))
