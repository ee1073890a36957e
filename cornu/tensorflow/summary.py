"""`tensorflow.summary`: values for TensorBoard, written by the default writer.

The files are those of the callback `TensorBoard`. Without the package that writes them a script runs on, and a warning
says that nothing is written.
"""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator

import jax
import numpy as np

from cornu.callbacks.event_file import EventFile
from cornu.core.typing import Tensor
from cornu.tensorflow.served import Namespace, nothing, within
from cornu.tensorflow.texts import text as as_text

__all__ = ["SummaryWriter", "create_file_writer", "create_noop_writer", "histogram", "image", "scalar", "text"]

_writers: list["SummaryWriter"] = []  # the open scopes, the innermost last
_step: list[Tensor] = [None]
_records = [True]


class SummaryWriter:
    """A writer of one file.

    Args:
        file: the file; None writes nothing.
    """

    def __init__(self, file: EventFile | None):
        self._file = file

    def write(self, kind: str, name: str, data: Tensor, step: Tensor, *more: int) -> None:
        """Write a value of one kind, as `EventFile` has it."""
        if self._file is not None:
            getattr(self._file, kind)(name, data, int(step), *more)

    @contextlib.contextmanager
    def as_default(self, step: Tensor = None) -> Iterator["SummaryWriter"]:
        """Context in which summaries go to this writer, at a step if given."""
        before = _step[0]
        _step[0] = before if step is None else step
        _writers.append(self)
        try:
            yield self
        finally:
            _writers.pop()
            _step[0] = before
            self.flush()

    def set_as_default(self, step: Tensor = None) -> None:
        """Send all further summaries to this writer."""
        _writers.append(self)
        _step[0] = _step[0] if step is None else step

    def flush(self) -> None:
        """Flush to disk."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    init = nothing


def create_file_writer(
    logdir: str | os.PathLike[str], max_queue: int = 10, flush_millis: int | None = None,
    filename_suffix: str | None = None, name: str | None = None, experimental_trackable: bool = False,
) -> SummaryWriter:  # fmt: skip
    """Create a writer of a new file in a directory."""
    try:
        return SummaryWriter(EventFile(os.fspath(logdir)))
    except ImportError as error:
        warnings.warn(f"tf.summary.create_file_writer: nothing is written. {error}", stacklevel=2)
        return SummaryWriter(None)


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter(None)


def _written(kind: str, name: str, data: Tensor, step: Tensor, *more: int) -> bool:
    """Write a value; in a compiled function, each time that it runs."""
    if not _writers or not _records[0]:
        return False
    step = _step[0] if step is None else step
    if step is None:
        raise ValueError(f"tf.summary.{kind}: pass step=, or call tf.summary.experimental.set_step(step) first.")
    write = _writers[-1].write
    if any(isinstance(value, jax.core.Tracer) for value in (data, step)):
        jax.debug.callback(lambda data, step: write(kind, name, data, step, *more), data, step)
    else:
        write(kind, name, data, step, *more)
    return True


def scalar(name: str, data: Tensor, step: Tensor = None, description: str | None = None) -> bool:
    """Write a number; returns whether it was written."""
    return _written("scalar", name, data, step)


def histogram(
    name: str, data: Tensor, step: Tensor = None, buckets: int | None = None, description: str | None = None
) -> bool:
    """Write a histogram; returns whether it was written."""
    return _written("histogram", name, data, step, *([] if buckets is None else [buckets]))


def image(name: str, data: Tensor, step: Tensor = None, max_outputs: int = 3, description: str | None = None) -> bool:
    """Write the first images of a batch, shape (batch, height, width, channels); whether that was done."""
    return _written("image", name, data, step, max_outputs)


def text(name: str, data: Tensor, step: Tensor = None, description: str | None = None) -> bool:
    """Write text; returns whether it was written."""
    lines = "\n".join(line.decode() for line in np.ravel(as_text(data)).tolist())
    return _written("text", name, lines, step)


@contextlib.contextmanager
def record_if(condition: Tensor) -> Iterator[None]:
    """Context in which summaries are written if the condition holds."""
    before, _records[0] = _records[0], bool(condition() if callable(condition) else condition)
    try:
        yield
    finally:
        _records[0] = before


def should_record_summaries() -> bool:
    """Whether summaries are currently written."""
    return bool(_writers) and _records[0]


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Flush to disk."""
    for each in [writer] if writer is not None else _writers[-1:]:
        each.flush()


audio = graph = trace_export = trace_off = trace_on = nothing  # which the files written here do not contain
experimental = Namespace(
    "summary.experimental", get_step=lambda: _step[0], set_step=lambda step: _step.__setitem__(0, step)
)
__getattr__: Callable[[str], object] = within(__name__)
