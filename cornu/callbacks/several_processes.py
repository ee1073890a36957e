"""Callbacks when several processes train one model: only the first one writes.

Each process has the same callbacks and calls them with the same logs, so all make the same decisions, and all take part
when the values of weights are gathered to be saved. In the other processes, callbacks that keep files open write them
to a temporary directory.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cornu import tree
from cornu.callbacks.callback import Callback
from cornu.core import placement


@contextmanager
def written_by_first(callbacks: object) -> Iterator[None]:
    """Scope in which these callbacks (a single one, a list, or a `CallbackList`) write files only in the first
    process."""
    given = getattr(callbacks, "callbacks", callbacks)
    with ExitStack() as undone:
        for callback in tree.flatten(given) if given and not placement.writes() else ():
            if isinstance(callback, Callback) and callback._written_to and not callback._written_by_all:
                _write_elsewhere(callback, callback._written_to, undone)
        yield


def _write_elsewhere(callback: Callback, attribute: str, undone: ExitStack) -> None:
    target = getattr(callback, attribute)
    folder = undone.enter_context(tempfile.TemporaryDirectory(prefix="cornu-"))
    setattr(callback, attribute, str(Path(folder, Path(os.fspath(target)).name)))
    undone.callback(setattr, callback, attribute, target)
