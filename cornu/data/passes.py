"""One way through a data set: a chain of small iterators, each of which can say where it stands.

A step of a data set opens a `Pass` over the passes of the steps before it. `get_state()` is a small dictionary of
counters that JSON can hold; `set_state` puts a pass that was just opened where another one of the same step stood.
Elements that a pass holds are never part of its state: a `Reader` remembers from where they can be read again.

A pass is opened with a key, the numbers of the passes and rounds that it belongs to. Random orders follow from a seed
and that key, so that each epoch has its own and any of them can be made again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from cornu.data.elements import Element, as_element, call, map_leaves
from cornu.errors import DataError
from cornu.random.seed_generator import Draws, draws_of_element

State: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[int, ...]


class Pass:
    """An iterator over elements that knows its place; a subclass names the counters that tell it.

    Args:
        upstreams: the passes that this one reads.
    """

    counters: tuple[str, ...] = ()

    def __init__(self, *upstreams: "Pass"):
        self.upstreams = upstreams
        if upstreams:
            self.upstream = upstreams[0]

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Element:
        raise NotImplementedError(type(self))

    def get_state(self) -> State:
        """Where this stands, for JSON."""
        state = {name: getattr(self, name) for name in self.counters}
        if self.upstreams:
            state["upstream"] = [upstream.get_state() for upstream in self.upstreams]
        return state

    def set_state(self, state: State) -> None:
        """Go to where another pass stood; for a pass from which nothing was read."""
        for name in self.counters:
            setattr(self, name, state[name])
        for upstream, its_state in zip(self.upstreams, state.get("upstream", ()), strict=True):
            upstream.set_state(its_state)


def generator(seed: Sequence[int], key: Key) -> np.random.Generator:
    """Random numbers that follow from a seed and a key alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


# ---------------------------------------------------------------- sources


class Counted(Pass):
    """Elements that have a number."""

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
    """What a function's generator yields; it is started anew and gone through up to where a state says."""

    counters = ("position",)

    def __init__(self, start: Callable[[], Iterator], read: Callable[[Any], Element], owner: str):
        super().__init__()
        self.start, self.read, self.owner, self.position = start, read, owner, 0
        self._iterator: Iterator | None = None

    def __next__(self) -> Element:
        item = next(self._started())
        self.position += 1
        return self.read(item)

    def _started(self) -> Iterator:
        if self._iterator is None:
            self._iterator = iter(self.start())
        return self._iterator

    def set_state(self, state: State) -> None:
        """Go through what was read before."""
        for _ in range(state["position"]):
            next(self._started())
        self.position = state["position"]


class Drawn(Pass):
    """Numbers drawn by chance, for ever."""

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


# ---------------------------------------------------------------- one element in, one out


def _made(found: object) -> Element:
    """What a function returned as an element; a list of several arrays is a tuple of them, as in TensorFlow."""
    return as_element(tuple(found) if type(found) is list else found)


class UserFunction:
    """A function of the user's that a step calls with elements.

    Args:
        function: the function.
        owner: the step, for messages.
        origin: gives what random draws for an element follow from, with the key and its number.
        key: that of the pass.
    """

    def __init__(self, function: Callable, owner: str, origin: Callable[[], tuple[int, ...]], key: Key):
        self._function, self._owner, self._origin, self._key = function, owner, origin, key
        self._to_element = lambda *parts: _made(function(*parts))

    def __call__(self, element: Element, index: int) -> Any:
        """What it makes of an element; an error says which element of which step it was."""
        return self._called(self._function, element, index)

    def mapped(self, element: Element, index: int) -> Element:
        """The same as an element."""
        return self._called(self._to_element, element, index)

    def _called(self, function: Callable, element: Element, index: int) -> Any:
        before = draws_of_element.set(Draws(self._origin, self._key, index))
        try:
            return call(function, element)
        except Exception as error:
            raise DataError(f"{self._owner} failed at element {index}: {type(error).__name__}: {error}") from error
        finally:
            draws_of_element.reset(before)


class Applied(Pass):
    """A pass that calls a user's function with each element."""

    counters: tuple[str, ...] = ("index",)

    def __init__(self, upstream: Pass, function: UserFunction):
        super().__init__(upstream)
        self.function, self.index = function, 0

    def _call(self, element: Element) -> Any:
        self.index += 1
        return self.function(element, self.index - 1)


class Map(Applied):
    """A user's function of each element."""

    def __next__(self) -> Element:
        element = next(self.upstream)
        self.index += 1
        return self.function.mapped(element, self.index - 1)


class Faultless(Pass):
    """The elements that can be made."""

    def __next__(self) -> Element:
        while True:
            with suppress(DataError):
                return next(self.upstream)


class Resampled(Applied):
    """Elements of classes, of which some are passed over so that the classes come as often as is wanted.

    Args:
        upstream: what is read.
        class_of: a user's function that gives the class of an element.
        wanted: how often each class is to come.
        known: how often each comes; None to learn it on the way.
        seed, key: where chance comes from.
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
        """How likely an element of a class is kept: all of the class that is rarest beside what is wanted."""
        often = np.asarray(self.seen) / sum(self.seen) if self.known is None else self.known
        ratios = self.wanted / np.maximum(often, np.finfo(float).tiny)
        most = ratios[often > 0].max()
        return float(ratios[kind] / most) if most else 0.0


class Rows(Pass):
    """The rows of arrays whose places are read."""

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
    """All but the first elements; every one where there is no count."""

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
    """Elements of which there must be so many."""

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
    """The elements that did not come before; a state says how many were seen, and they are looked at again."""

    counters = ("seen",)

    def __init__(self, upstream: Pass):
        super().__init__(upstream)
        self.seen = 0
        self._known: set = set()

    def __next__(self) -> Element:
        for element in self.upstream:
            self.seen += 1
            known = len(self._known)
            self._known.add((element.tobytes(), element.shape) if element.dtype != object else element.item())
            if len(self._known) > known:
                return element
        raise StopIteration

    def set_state(self, state: State) -> None:
        """Look again at what was seen."""
        while self.seen < state["seen"]:
            next(self)


class Scan(Applied):
    """What a user's function makes of each element and of what it kept from those before.

    What it keeps is the user's, of any size: a state says how many elements came out, and they are made again.
    """

    def __init__(self, upstream: Pass, function: UserFunction, kept: Element):
        super().__init__(upstream, function)
        self.kept = kept

    def __next__(self) -> Element:
        kept, made = self._call((self.kept, next(self.upstream)))
        self.kept = as_element(kept)
        return as_element(made)

    def set_state(self, state: State) -> None:
        """Make again what came out."""
        while self.index < state["index"]:
            next(self)


# ---------------------------------------------------------------- several data sets


class Zip(Pass):
    """Elements of several data sets, side by side in the structure that they were given in."""

    def __init__(self, structure: Element, upstreams: Sequence[Pass]):
        super().__init__(*upstreams)
        self.structure = structure

    def __next__(self) -> Element:
        elements = [next(upstream) for upstream in self.upstreams]
        return map_leaves(elements.__getitem__, self.structure)


class Concatenate(Pass):
    """One data set after another."""

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
    """Elements of the data sets whose numbers the first one gives.

    Args:
        choice: gives numbers.
        upstreams: what they choose from.
        stop_on_empty: whether the first data set that has ended ends all; else it is passed over.
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
                    f"Dataset.choose_from_datasets: there are {len(self.ended)} data sets, counted from 0. "
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


# ---------------------------------------------------------------- passes over passes


class Repeat(Pass):
    """One pass after another over the same data set, each a round with an order of its own."""

    counters = ("round",)

    def __init__(self, open_round: Callable[[int], Pass], count: int | None):
        super().__init__(open_round(0))
        self.open_round, self.count, self.round, self._is_empty = open_round, count, 0, True

    def __next__(self) -> Element:
        while self.round != self.count:
            for element in self.upstream:
                self._is_empty = False
                return element
            if self._is_empty:  # no further round would bring anything
                break
            self._enter(self.round + 1)
        raise StopIteration

    def _enter(self, number: int) -> None:
        self.round, self._is_empty = number, True
        self.upstreams = (self.open_round(number),)
        self.upstream = self.upstreams[0]

    def set_state(self, state: State) -> None:
        """Enter the round, and go on within it."""
        self._enter(state["round"])
        super().set_state(state)
        self._is_empty = False
