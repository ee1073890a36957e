"""A pass over a dataset: a chain of small iterators, each of which can report its position.

A step of a dataset opens a `Pass` over the passes of the preceding steps. `get_state()` is a small JSON-compatible
dictionary of counters; `set_state` moves a newly opened pass to the position of another one of the same step. Buffered
elements are never part of the state: a `Reader` remembers where they can be read again.

A pass is opened with a key, the numbers of the passes and rounds that it belongs to. Random orders are derived from a
seed and that key, so that each epoch has its own order, which can be reproduced.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from cornu.core.typing import AnyFunction
from cornu.data.elements import Element, as_element, call, map_leaves
from cornu.errors import DataError
from cornu.random.seed_generator import Draws, draws_of_element

State: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[int, ...]


class Pass:
    """An iterator over elements with a position; a subclass lists the counters that define it.

    Args:
        upstreams: the passes that this one reads.
    """

    counters: tuple[str, ...] = ()

    def __init__(self, *upstreams: "Pass"):
        self.upstreams = upstreams
        if upstreams:
            self.upstream = upstreams[0]

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        raise NotImplementedError(type(self))

    def get_state(self) -> State:
        """The position, JSON-compatible."""
        state = {name: getattr(self, name) for name in self.counters}
        if self.upstreams:
            state["upstream"] = [upstream.get_state() for upstream in self.upstreams]
        return state

    def set_state(self, state: State) -> None:
        """Move to the position of another pass; only for a pass that was not read yet."""
        for name in self.counters:
            setattr(self, name, state[name])
        for upstream, its_state in zip(self.upstreams, state.get("upstream", ()), strict=True):
            upstream.set_state(its_state)


def generator(seed: Sequence[int], key: Key) -> np.random.Generator:
    """A random number generator derived from a seed and a key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


# ---------------------------------------------------------------- sources


class Counted(Pass):
    """Elements with random access by index."""

    counters = ("position",)

    def __init__(self, size: int, element_at: Callable[[int], Element]):
        super().__init__()
        self.size, self.element_at, self.position = size, element_at, 0

    def __next__(self) -> Element:
        if self.position >= self.size:
            raise StopIteration
        self.position += 1
        return self.element_at(self.position - 1)


class Generated(Pass):
    """The items of a generator function; it is restarted and advanced to the position in a state."""

    counters = ("position",)

    def __init__(self, start: Callable[[], Iterator[Element]], read: Callable[[Any], Element], owner: str):
        super().__init__()
        self.start, self.read, self.owner, self.position = start, read, owner, 0
        self._iterator: Iterator[Element] | None = None

    def __next__(self) -> Element:
        item = next(self._started())
        self.position += 1
        return self.read(item)

    def _started(self) -> Iterator[Element]:
        if self._iterator is None:
            self._iterator = iter(self.start())
        return self._iterator

    def set_state(self, state: State) -> None:
        """Skip the items that were read before."""
        for _ in range(state["position"]):
            next(self._started())
        self.position = state["position"]


class Drawn(Pass):
    """An infinite sequence of random numbers."""

    counters = ("position", "seed")
    _TOGETHER = 4096

    def __init__(self, chances: np.ndarray, seed: Sequence[int], key: Key):
        super().__init__()
        self.chances, self.seed, self.key, self.position = chances, list(seed), key, 0
        self._drawn = np.empty(0, int)

    def __next__(self) -> Element:
        block, number = divmod(self.position, self._TOGETHER)
        if number == 0 or not len(self._drawn):
            random = generator(self.seed, (*self.key, block))
            self._drawn = random.choice(len(self.chances), self._TOGETHER, p=self.chances)
        self.position += 1
        return self._drawn[number, ...]


# ---------------------------------------------------------------- elementwise passes


def _made(found: object) -> Element:
    """The return value of a function as an element; a list of several arrays becomes a tuple, as in TensorFlow."""
    return as_element(tuple(found) if type(found) is list else found)


class UserFunction:
    """A user's function that a step calls with elements.

    Args:
        function: the function.
        owner: the step, for messages.
        origin: function from the key and the element's index to the seed of random draws.
        key: key of the pass.
    """

    def __init__(self, function: AnyFunction, owner: str, origin: Callable[[], tuple[int, ...]], key: Key):
        self._function, self._owner, self._origin, self._key = function, owner, origin, key
        self._to_element = lambda *parts: _made(function(*parts))

    def __call__(self, element: Element, index: int) -> Any:
        """The result for an element; an error names the element and the step."""
        return self._called(self._function, element, index)

    def mapped(self, element: Element, index: int) -> Element:
        """The same, converted to an element."""
        return self._called(self._to_element, element, index)

    def _called(self, function: AnyFunction, element: Element, index: int) -> Any:
        before = draws_of_element.set(Draws(self._origin, self._key, index))
        try:
            return call(function, element)
        except Exception as error:
            raise DataError(f"{self._owner} failed at element {index}: {type(error).__name__}: {error}") from error
        finally:
            draws_of_element.reset(before)


class Applied(Pass):
    """A pass that calls a user's function on each element."""

    counters: tuple[str, ...] = ("index",)

    def __init__(self, upstream: Pass, function: UserFunction):
        super().__init__(upstream)
        self.function, self.index = function, 0

    def _call(self, element: Element) -> Any:
        self.index += 1
        return self.function(element, self.index - 1)


class Map(Applied):
    """A user's function applied to each element."""

    def __next__(self) -> Element:
        element = next(self.upstream)
        self.index += 1
        return self.function.mapped(element, self.index - 1)


class Faultless(Pass):
    """The elements that can be computed without an error."""

    def __next__(self) -> Element:
        while True:
            with suppress(DataError):
                return next(self.upstream)


class Resampled(Applied):
    """Elements of classes, some of them skipped to obtain a target distribution of classes.

    Args:
        upstream: the pass to read.
        class_of: a user's function from an element to its class.
        wanted: target probability of each class.
        known: actual probability of each class; None estimates it on the fly.
        seed, key: source of randomness.
    """

    counters = ("index", "seen", "seed")

    def __init__(
        self, upstream: Pass, class_of: UserFunction, wanted: np.ndarray, known: np.ndarray | None, seed: Sequence[int],
        key: Key,
    ):  # fmt: skip
        super().__init__(upstream, class_of)
        self.wanted, self.known, self.seed, self.key = wanted, known, list(seed), key
        self.seen = [0] * len(wanted)

    def __next__(self) -> Element:
        for element in self.upstream:
            kind = int(np.asarray(self._call(element)))
            self.seen[kind] += 1
            if generator(self.seed, (*self.key, self.index)).random() < self._chance(kind):
                return np.asarray(kind, np.int32), element
        raise StopIteration

    def _chance(self, kind: int) -> float:
        """The probability of keeping an element of a class: 1 for the class that is rarest relative to its target."""
        often = np.asarray(self.seen) / sum(self.seen) if self.known is None else self.known
        ratios = self.wanted / np.maximum(often, np.finfo(float).tiny)
        most = ratios[often > 0].max()
        return float(ratios[kind] / most) if most else 0.0


class Rows(Pass):
    """The rows of arrays whose indices are read."""

    def __init__(self, upstream: Pass, row: Callable[[int], Element]):
        super().__init__(upstream)
        self.row = row

    def __next__(self) -> Element:
        return self.row(next(self.upstream))


class Filter(Applied):
    """The elements for which a user's function is true."""

    def __next__(self) -> Element:
        for element in self.upstream:
            if self._call(element):
                return element
        raise StopIteration


class Take(Pass):
    """The first elements."""

    counters = ("taken",)

    def __init__(self, upstream: Pass, count: int):
        super().__init__(upstream)
        self.count, self.taken = count, 0

    def __next__(self) -> Element:
        if self.taken == self.count:
            raise StopIteration
        element = next(self.upstream)
        self.taken += 1
        return element


class Skip(Pass):
    """All except the first elements; all elements if there is no count."""

    counters = ("skipped",)

    def __init__(self, upstream: Pass, count: int | None):
        super().__init__(upstream)
        self.count, self.skipped = count, 0

    def __next__(self) -> Element:
        while self.skipped != self.count:
            next(self.upstream)
            self.skipped += 1
        return next(self.upstream)


class Sized(Pass):
    """Elements whose number must be as declared."""

    counters = ("count",)

    def __init__(self, upstream: Pass, size: int):
        super().__init__(upstream)
        self.size, self.count = size, 0

    def __next__(self) -> Element:
        for element in self.upstream:
            self.count += 1
            if self.count > self.size:
                break
            return element
        if self.count != self.size:
            received = "more" if self.count > self.size else self.count
            raise DataError(f"assert_cardinality: expected {self.size} elements. Received: {received}.")
        raise StopIteration


class TakeWhile(Applied):
    """The elements before the first for which a user's function is false."""

    counters = ("index", "is_over")

    def __init__(self, upstream: Pass, function: UserFunction):
        super().__init__(upstream, function)
        self.is_over = False

    def __next__(self) -> Element:
        if self.is_over:
            raise StopIteration
        element = next(self.upstream)
        self.is_over = not self._call(element)
        return next(self) if self.is_over else element


class Shard(Pass):
    """Every n-th element."""

    counters = ("seen",)

    def __init__(self, upstream: Pass, shards: int, number: int):
        super().__init__(upstream)
        self.shards, self.number, self.seen = shards, number, 0

    def __next__(self) -> Element:
        for element in self.upstream:
            self.seen += 1
            if (self.seen - 1) % self.shards == self.number:
                return element
        raise StopIteration


class Unique(Pass):
    """The elements that did not occur before; a state stores how many were read, and they are read again."""

    counters = ("seen",)

    def __init__(self, upstream: Pass):
        super().__init__(upstream)
        self.seen = 0
        self._known: set[object] = set()

    def __next__(self) -> Element:
        for element in self.upstream:
            self.seen += 1
            known = len(self._known)
            self._known.add((element.tobytes(), element.shape) if element.dtype != object else element.item())
            if len(self._known) > known:
                return element
        raise StopIteration

    def set_state(self, state: State) -> None:
        """Read the earlier elements again."""
        while self.seen < state["seen"]:
            next(self)


class Scan(Applied):
    """A user's function applied to each element and a state that it updates.

    The state is of any type and size: the saved position is the number of outputs, which are recomputed.
    """

    def __init__(self, upstream: Pass, function: UserFunction, kept: Element):
        super().__init__(upstream, function)
        self.kept = kept

    def __next__(self) -> Element:
        kept, made = self._call((self.kept, next(self.upstream)))
        self.kept = as_element(kept)
        return as_element(made)

    def set_state(self, state: State) -> None:
        """Recompute the earlier outputs."""
        while self.index < state["index"]:
            next(self)


# ---------------------------------------------------------------- several datasets


class Zip(Pass):
    """Elements of several datasets, combined in the structure in which they were given."""

    def __init__(self, structure: Element, upstreams: Sequence[Pass]):
        super().__init__(*upstreams)
        self.structure = structure

    def __next__(self) -> Element:
        elements = [next(upstream) for upstream in self.upstreams]
        return map_leaves(elements.__getitem__, self.structure)


class Concatenate(Pass):
    """One dataset after another."""

    counters = ("number",)

    def __init__(self, *upstreams: Pass):
        super().__init__(*upstreams)
        self.number = 0

    def __next__(self) -> Element:
        while self.number < len(self.upstreams):
            for element in self.upstreams[self.number]:
                return element
            self.number += 1
        raise StopIteration


class Choose(Pass):
    """Elements of the datasets whose indices the first one yields.

    Args:
        choice: the pass that yields indices.
        upstreams: the passes to choose from.
        stop_on_empty: whether to stop when the first dataset has ended; otherwise it is skipped.
    """

    counters = ("ended",)

    def __init__(self, choice: Pass, upstreams: Sequence[Pass], stop_on_empty: bool):
        super().__init__(choice, *upstreams)
        self.stop_on_empty, self.ended = stop_on_empty, [False] * len(upstreams)

    def __next__(self) -> Element:
        while not all(self.ended):
            number = int(next(self.upstream))
            if not 0 <= number < len(self.ended):
                raise DataError(
                    f"Dataset.choose_from_datasets: there are {len(self.ended)} datasets, counted from 0. "
                    f"Received: the choice {number}."
                )
            for element in self.upstreams[number + 1]:
                return element
            self.ended = [ended or i == number or self.stop_on_empty for i, ended in enumerate(self.ended)]
        raise StopIteration


# ---------------------------------------------------------------- batches


class Batch(Pass):
    """Elements stacked along a new first axis."""

    def __init__(self, upstream: Pass, size: int, drop_remainder: bool, stack: Callable[[list[Element]], Element]):
        super().__init__(upstream)
        self.size, self.drop_remainder, self.stack = size, drop_remainder, stack

    def __next__(self) -> Element:
        elements = list(islice(self.upstream, self.size))
        if not elements or (self.drop_remainder and len(elements) < self.size):
            raise StopIteration
        return self.stack(elements)


# ---------------------------------------------------------------- nested passes


class Repeat(Pass):
    """Successive passes over the same dataset, each with an order of its own."""

    counters = ("round",)

    def __init__(self, open_round: Callable[[int], Pass], count: int | None):
        super().__init__(open_round(0))
        self.open_round, self.count, self.round, self._is_empty = open_round, count, 0, True

    def __next__(self) -> Element:
        while self.round != self.count:
            for element in self.upstream:
                self._is_empty = False
                return element
            if self._is_empty:  # further rounds would be empty too
                break
            self._enter(self.round + 1)
        raise StopIteration

    def _enter(self, number: int) -> None:
        self.round, self._is_empty = number, True
        self.upstreams = (self.open_round(number),)
        self.upstream = self.upstreams[0]

    def set_state(self, state: State) -> None:
        """Enter the round, and move to the position within it."""
        self._enter(state["round"])
        super().set_state(state)
        self._is_empty = False
