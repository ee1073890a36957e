"""Batches from any iterable: generators, torch `DataLoader`, `tf.data.Dataset`, lists of files, ..."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from cornu.training.data_convert import comes_from
from cornu.training.data_unpack import unpack_batch


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError):  # no `__len__`, or one that cannot tell (endless, unknown)
        return None


class IterableSource:
    """Batches from an iterable; an iterator (such as a generator) can be gone through only once.

    The first batch is taken at once, so that an empty or malformed source fails before any work is done.
    """

    seekable = False
    arrays = None
    batch_size = None
    num_samples = None

    def __init__(self, data: Any, owner: str):
        self.data = data
        self.owner = owner
        self.repeats = not hasattr(data, "__next__")
        self.num_batches = _length(data) if self.repeats else None
        self._is_torch = comes_from(data, "torch")
        self._iterator: Iterator = iter(data)
        self._ahead: list = []
        self._is_fresh = True
        self._example = self._peek()

    def _peek(self) -> tuple:
        if not self.has_next():
            kind = type(self.data).__name__
            reason = "is empty" if self.repeats else "is used up, or never yields anything"
            advice = "" if self.repeats else " Create it anew for each call."
            raise ValueError(f"{self.owner}: the {kind} given as x {reason}: it yields no batch.{advice}")
        return self._unpack(self._ahead[0])

    def has_next(self) -> bool:
        """Whether this pass has another batch; it is taken ahead to find out."""
        if not self._ahead:
            self._ahead = list(islice(self._iterator, 1))
        return bool(self._ahead)

    def _unpack(self, item: Any) -> tuple:
        return unpack_batch(item, f"the {type(self.data).__name__}", self.owner, lists_are_tuples=self._is_torch)

    def restart(self) -> None:
        """Go back to the first batch, if that is possible and not where this stands."""
        if self.repeats and not self._is_fresh:
            self._iterator, self._ahead, self._is_fresh = iter(self.data), [], True

    @property
    def is_fresh(self) -> bool:
        """Whether the next batch is the first one of a pass."""
        return self._is_fresh

    def take(self) -> tuple | None:
        """The next batch; None at the end of the pass."""
        if not self.has_next():
            return None
        self._is_fresh = False
        return self._unpack(self._ahead.pop())

    def example(self) -> tuple:
        """The first batch."""
        return self._example

    def on_epoch_begin(self) -> None:
        """Iterables are told nothing."""

    def on_epoch_end(self) -> None:
        """Iterables are told nothing."""
