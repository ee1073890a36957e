"""Batches from any iterable: generators, torch `DataLoader`, `tf.data.Dataset`, lists of files, ..."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np

from cornu import tree
from cornu.core.border import comes_from
from cornu.core.typing import Nested
from cornu.training.data.unpack import unpack_batch


def _length(data: Nested) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError):  # no `__len__`, or one that cannot tell (endless, unknown)
        return None


class Replayed:
    """What an iterator yields, kept as it is read, so that it can be gone through again from its first item on."""

    def __init__(self, iterator: Iterator):
        self._iterator = iterator
        self._kept: list = []

    def __iter__(self) -> Iterator:
        for index in count():
            if index == len(self._kept):
                item = next(self._iterator, self)
                if item is self:
                    return
                self._kept.append(tree.map_structure(_copy, item))
            yield self._kept[index]


def _copy(leaf: object) -> Nested:
    """A copy of an array: an iterator may write the next batch into the same memory."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


class IterableSource:
    """Batches from an iterable; an iterator (such as a generator) can be gone through only once.

    The first batch is taken at once, so that an empty or malformed source fails before any work is done.

    Args:
        data: the iterable.
        owner: who asks, for messages.
        keep: whether what an iterator yields is kept, so that each pass has the same batches.
    """

    seekable = False
    arrays = None
    batch_size = None
    num_samples = None

    def __init__(self, data: Nested, owner: str, keep: bool = False):
        self.kind = type(data).__name__
        self.reads_iterator = hasattr(data, "__next__")
        self.data = Replayed(data) if keep and self.reads_iterator else data
        self.owner = owner
        self.repeats = keep or not self.reads_iterator
        self.num_batches = None if self.reads_iterator else _length(data)
        self._is_torch = comes_from(data, "torch")
        self._iterator: Iterator = iter(self.data)
        self._ahead: list = []
        self._is_fresh = True
        self._example = self._peek()

    def _peek(self) -> tuple:
        if not self.has_next():
            reason = "is empty" if self.repeats else "is used up, or never yields anything"
            advice = "" if self.repeats else " Create it anew for each call."
            raise ValueError(f"{self.owner}: the {self.kind} given as x {reason}: it yields no batch.{advice}")
        return self._unpack(self._ahead[0])

    def has_next(self) -> bool:
        """Whether this pass has another batch; it is taken ahead to find out."""
        if not self._ahead:
            self._ahead = list(islice(self._iterator, 1))
        return bool(self._ahead)

    def _unpack(self, item: Any) -> tuple:
        return unpack_batch(item, f"the {self.kind}", self.owner, lists_are_tuples=self._is_torch)

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
