"""Batches from any iterable: generators, data sets of cornu's, grain's and TensorFlow's, torch's `DataLoader`, ..."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np

from cornu import tree
from cornu.callbacks.messages import say
from cornu.core.border import comes_from
from cornu.core.typing import Nested, State
from cornu.data import INFINITE_CARDINALITY, Dataset
from cornu.data.elements import leaves
from cornu.training.data.places import draws_from_outside, restored, state_of
from cornu.training.data.unpack import unpack_batch


def _length(data: Nested) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError):  # no `__len__`, or one that cannot tell (endless, unknown)
        return None


def _started(data: Nested) -> Iterator:
    """A new pass; data sets that can give NumPy arrays rather than their own tensors do so."""
    if isinstance(data, Dataset):
        return data._arrays()
    return data.as_numpy_iterator() if hasattr(data, "as_numpy_iterator") else iter(data)


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
        self._start = state_of(self.data)  # a state that was told, and how many batches were taken since
        self._taken = 0
        self._iterator: Iterator = _started(self.data)
        self._teller: Any = self._iterator if self._start is None else self.data
        if self._start is None:
            self._start = state_of(self._iterator)
        self._ahead: list = []
        self._is_fresh, self._is_over, self._asks = True, False, False

    def place(self) -> dict[str, object]:
        """A state that the data told, where they tell one, and how many batches were taken since.

        That of a data set of cornu's is a few numbers, so it is taken where this stands.
        """
        tells_now = isinstance(self.data, Dataset) and not (self._ahead or self._is_over)
        start, taken = (state_of(self._iterator), 0) if tells_now else (self._start, self._taken)
        now = state_of(self.data) if self._draws else None
        return {"start": start, "taken": taken, "fresh": self._is_fresh, "over": self._is_over, "now": now}

    def resume(self, place: State, within_pass: bool) -> None:
        """Be where another pass stood; what comes before, as far as no state says it, is gone through."""
        self.restart()
        if place["start"] is not None:
            restored(self._teller, place["start"])
            self._ahead = []
            if self._teller is self.data:
                self._iterator = _started(self.data)
        if not self.repeats and place["start"] is None and place["taken"]:
            say(f"{self.owner}: going through the {self.kind} again, for {place['taken']} batches, to where it was.")
        if within_pass or not self.repeats:
            for _ in range(place["taken"]):
                self.take()
        self._start, self._taken = place["start"], place["taken"]
        self._is_fresh = place["fresh"] or (place["over"] and self._teller is self.data)  # which began its next pass
        if self._draws:
            self._draw_on(place)

    def _draw_on(self, place: dict[str, Any]) -> None:
        """Have the generators, which others draw from as well, go on from where they were, not from where a pass began.

        The next pass is begun when it is wanted, since that draws.
        """
        if place["over"]:
            self._ahead, self._iterator, self._is_fresh = [], iter(()), False
        elif place["fresh"]:
            self.has_next()
        restored(self.data, place["now"])

    def _peek(self) -> tuple:
        if not self.has_next():
            reason = "is empty" if self.repeats else "is used up, or never yields anything"
            advice = "" if self.repeats else " Create it anew for each call."
            raise ValueError(f"{self.owner}: the {self.kind} given as x {reason}: it yields no batch.{advice}")
        first = self._ahead[0]
        if isinstance(self.data, Dataset) and any(np.ndim(leaf) == 0 for leaf in leaves(first)):
            raise ValueError(
                f"{self.owner}: the {self.kind} given as x yields single samples, where batches are needed. Give "
                "data.batch(32)."
            )
        return self._unpack(first)

    @property
    def has_no_end(self) -> bool:
        """Whether a data set says of itself that it never ends."""
        return hasattr(self.data, "cardinality") and int(self.data.cardinality()) == INFINITE_CARDINALITY

    def has_next(self) -> bool:
        """Whether this pass has another batch; it is taken ahead to find out."""
        if not self._ahead:
            self._ask()
            self._ahead = list(islice(self._iterator, 1))
            self._is_over = not self._ahead
        return bool(self._ahead)

    def _ask(self) -> None:
        """Take the state of an epoch's begin within a pass, so that no more than an epoch is gone through again."""
        if self._asks and self._start is not None:
            self._start, self._taken = state_of(self._teller), 0
        self._asks = False

    def _unpack(self, item: object) -> tuple:
        return unpack_batch(item, f"the {self.kind}", self.owner, lists_are_tuples=self._is_torch)

    def restart(self) -> None:
        """Go back to the first batch, if that is possible and not where this stands."""
        if self.repeats and not self._is_fresh:
            self._open()

    @property
    def is_fresh(self) -> bool:
        """Whether the next batch is the first one of a pass."""
        return self._is_fresh

    def take(self) -> tuple | None:
        """The next batch; None at the end of the pass."""
        if not self.has_next():
            return None
        self._is_fresh, self._taken = False, self._taken + 1
        return self._unpack(self._ahead.pop())

    def example(self) -> tuple:
        """The first batch."""
        return self._example

    def on_epoch_begin(self) -> None:
        """Iterables are told nothing."""

    def on_epoch_end(self) -> None:
        """Iterables are told nothing; what comes next counts from a state of its own."""
        tells_next_pass = self._is_over and self._teller is self.data and not self._draws
        if tells_next_pass and self._start is not None:
            self._start, self._taken = state_of(self.data), 0
        self._asks = not (self._is_over or self._draws)
