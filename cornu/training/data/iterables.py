"""Batches from any iterable: generators, cornu's, grain's and TensorFlow's datasets, torch's `DataLoader`, ..."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np

from cornu import tree
from cornu.callbacks.messages import say
from cornu.core.border import comes_from
from cornu.core.typing import Batch, Data, Nested, State
from cornu.data import INFINITE_CARDINALITY, Dataset
from cornu.data.elements import copied, leaves
from cornu.training.data.places import draws_from_outside, restored, state_of
from cornu.training.data.unpack import unpack_batch


def _length(data: Nested) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError):  # no `__len__`, or one that fails (infinite, unknown)
        return None


def _started(data: Nested) -> Iterator[Data]:
    """A new pass; datasets that can yield NumPy arrays rather than their own tensors do so."""
    if isinstance(data, Dataset):
        return data._arrays()
    return data.as_numpy_iterator() if hasattr(data, "as_numpy_iterator") else iter(data)


class Replayed:
    """The items of an iterator, kept as they are read, so that it can be iterated again from the first item."""

    def __init__(self, iterator: Iterator[Data]):
        self._iterator = iterator
        self._kept: list[Data] = []

    def __iter__(self) -> Iterator[Data]:
        for index in count():
            if index == len(self._kept):
                item = next(self._iterator, self)
                if item is self:
                    return
                self._kept.append(tree.map_structure(copied, item))
            yield self._kept[index]


class IterableSource:
    """Batches from an iterable; an iterator (such as a generator) can be consumed only once.

    The first batch is taken immediately, so that an empty or malformed source fails before any work is done.

    Args:
        data: the iterable.
        owner: the caller, for error messages.
        keep: whether to keep the items of an iterator, so that each pass has the same batches.
    """

    seekable = False
    arrays = None
    batch_size = None
    num_samples = None

    def __init__(self, data: Nested, owner: str, keep: bool = False):
        self.kind = repr(data).strip("<>") if isinstance(data, Dataset) else type(data).__name__
        self.reads_iterator = hasattr(data, "__next__")
        self.data = Replayed(data) if keep and self.reads_iterator else data
        self.owner = owner
        self.repeats = keep or not self.reads_iterator
        self.num_batches = None if self.reads_iterator else _length(data)
        self._is_torch = comes_from(data, "torch")
        self._draws = draws_from_outside(data)
        self._open()
        self._example = self._peek()

    def _open(self) -> None:
        """Start a pass."""
        self._start = state_of(self.data)  # a reported state, and the number of batches taken since
        self._taken = 0
        self._iterator: Iterator[Data] = _started(self.data)
        self._teller: Any = self._iterator if self._start is None else self.data
        if self._start is None:
            self._start = state_of(self._iterator)
        self._ahead: list[Data] = []
        self._is_fresh, self._is_over, self._asks = True, False, False

    def place(self) -> dict[str, object]:
        """The last state that the data reported, if any, and the number of batches taken since.

        That of a cornu dataset consists of a few numbers, so it is taken at the current position.
        """
        tells_now = isinstance(self.data, Dataset) and not (self._ahead or self._is_over)
        start, taken = (state_of(self._iterator), 0) if tells_now else (self._start, self._taken)
        now = state_of(self.data) if self._draws else None
        return {"start": start, "taken": taken, "fresh": self._is_fresh, "over": self._is_over, "now": now}

    def resume(self, place: State, within_pass: bool) -> None:
        """Restore the position of another pass; batches not covered by a state are replayed."""
        self.restart()
        if place["start"] is not None:
            restored(self._teller, place["start"])
            self._ahead = []
            if self._teller is self.data:
                self._iterator = _started(self.data)
        if not self.repeats and place["start"] is None and place["taken"]:
            say(f"{self.owner}: replaying {place['taken']} batches of the {self.kind} to restore its position.")
        if within_pass or not self.repeats:
            for _ in range(place["taken"]):
                self.take()
        self._start, self._taken = place["start"], place["taken"]
        self._is_fresh = place["fresh"] or (
            place["over"] and self._teller is self.data
        )  # which has begun its next pass
        if self._draws:
            self._draw_on(place)

    def _draw_on(self, place: dict[str, Any]) -> None:
        """Continue generators that are shared with others from where they were, not from the start of a pass.

        The next pass is started only when needed, since that draws random numbers.
        """
        if place["over"]:
            self._ahead, self._iterator, self._is_fresh = [], iter(()), False
        elif place["fresh"]:
            self.has_next()
        restored(self.data, place["now"])

    def _peek(self) -> Batch:
        if not self.has_next():
            reason = "is empty" if self.repeats else "is exhausted, or never yields anything"
            advice = "" if self.repeats else " Create it again for each call."
            raise ValueError(f"{self.owner}: the {self.kind} given as x {reason}: it yields no batches.{advice}")
        first = self._ahead[0]
        if isinstance(self.data, Dataset) and any(np.ndim(leaf) == 0 for leaf in leaves(first)):
            raise ValueError(
                f"{self.owner}: the {self.kind} given as x yields single samples, but batches are needed. Use "
                "data.batch(32)."
            )
        return self._unpack(first)

    @property
    def has_no_end(self) -> bool:
        """Whether a dataset declares itself to be infinite."""
        return hasattr(self.data, "cardinality") and int(self.data.cardinality()) == INFINITE_CARDINALITY

    def has_next(self) -> bool:
        """Whether this pass has another batch; it is fetched to find out."""
        if not self._ahead:
            self._ask()
            self._ahead = list(islice(self._iterator, 1))
            self._is_over = not self._ahead
        return bool(self._ahead)

    def _ask(self) -> None:
        """Take the state at the start of an epoch within a pass, so that at most one epoch needs to be replayed."""
        if self._asks and self._start is not None:
            self._start, self._taken = state_of(self._teller), 0
        self._asks = False

    def _unpack(self, item: object) -> Batch:
        return unpack_batch(item, f"the {self.kind}", self.owner, lists_are_tuples=self._is_torch)

    def restart(self) -> None:
        """Return to the first batch, if that is possible and not already the position."""
        if self.repeats and not self._is_fresh:
            self._open()

    @property
    def is_fresh(self) -> bool:
        """Whether the next batch is the first one of a pass."""
        return self._is_fresh

    def take(self) -> Batch | None:
        """The next batch; None at the end of the pass."""
        if not self.has_next():
            return None
        self._is_fresh, self._taken = False, self._taken + 1
        return self._unpack(self._ahead.pop())

    def example(self) -> Batch:
        """The first batch."""
        return self._example

    def on_epoch_begin(self) -> None:
        """Do nothing: iterables are not notified."""

    def on_epoch_end(self) -> None:
        """Iterables are not notified; the next epoch counts from a state of its own."""
        tells_next_pass = self._is_over and self._teller is self.data and not self._draws
        if tells_next_pass and self._start is not None:
            self._start, self._taken = state_of(self.data), 0
        self._asks = not (self._is_over or self._draws)
