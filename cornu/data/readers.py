"""Passes that buffer elements, and how they find them again.

Buffered elements are never saved. A `Reader` periodically records the state of its upstream; the state of a pass with a
buffer is the last such mark before its oldest element, and the positions of those that are still pending.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from cornu.data.elements import Element
from cornu.data.passes import Key, Pass, State, generator

_DRAWN = 4096  # random numbers drawn at a time
_GONE = 2**62  # position of an element that is no longer buffered


class Reader:
    """Reads elements, and remembers where they can be read again.

    Attributes:
        count: number of elements read so far.
        needed: position of the oldest element that may have to be read again; advanced by the pass that buffers
        elements.
    """

    def __init__(self, upstream: Pass, every: int):
        self.upstream, self.every = upstream, every
        self.count = self.needed = 0
        self._marks: list[tuple[int, State]] = []

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        if self.count % self.every == 0 and not (
            self._marks and self._marks[-1][0] == self.count
        ):  # only once at the end
            self._mark()
        element = next(self.upstream)
        self.count += 1
        return element

    def _mark(self) -> None:
        """Record the upstream's state, and discard marks that are no longer needed; another thread may be reading
        them."""
        first = self._last(self.needed) if self._marks else 0
        self._marks = [*self._marks[first:], (self.count, self.upstream.get_state())]

    def _last(self, position: int) -> int:
        """The index of the last mark that is not after a position."""
        return max(number for number, (start, _) in enumerate(self._marks) if start <= position or number == 0)

    def place(self, oldest: int) -> State:
        """The state from which element `oldest` and later ones can be read again."""
        if not self._marks:
            self._mark()
        start, state = self._marks[self._last(oldest)]
        return {"start": start, "upstream": state}

    def reread(self, place: State, count: int) -> Iterator[tuple[int, Element]]:
        """Return to a place and read up to element `count`: each element with its position."""
        self.upstream.set_state(place["upstream"])
        self.count = self.needed = place["start"]
        while self.count < count:
            element = next(self)
            yield self.count - 1, element


class Shuffle(Pass):
    """Shuffles elements: each is drawn from a buffer, in which the next one replaces it.

    Args:
        upstream: the pass to read.
        size: size of the buffer.
        seed, key: source of the order.
    """

    def __init__(self, upstream: Pass, size: int, seed: Sequence[int], key: Key):
        super().__init__(upstream)
        self.size, self.seed, self.key = size, list(seed), key
        self.reader = Reader(upstream, max(64, size // 4))
        self.draws = 0
        self.hole: int | None = None  # slot of the element that was drawn last
        self.left: list[int] | None = None  # once the upstream has ended: the remaining slots, the next one last
        self._held: list[Element] = []
        self._positions = array("q")
        self._drawn: list[int] = []

    def __next__(self) -> Element:
        if self.left is None:
            self._fill()
        if self.left is None:
            slot = self.hole = self._draw()
        elif self.left:
            slot = self.left.pop()
        else:
            raise StopIteration
        element, self._held[slot], self._positions[slot] = self._held[slot], None, _GONE
        return element

    def _fill(self) -> None:
        """Fill the buffer; when there is nothing left to read, determine the order of its elements."""
        try:
            while len(self._held) < self.size:
                self._put(len(self._held), next(self.reader))
            if self.hole is not None:
                self._put(self.hole, next(self.reader))
                self.hole = None
        except StopIteration:
            self.left = self._order()

    def _put(self, slot: int, element: Element) -> None:
        if slot == len(self._held):
            self._held.append(None)
            self._positions.append(_GONE)
        self._held[slot], self._positions[slot] = element, self.reader.count - 1
        if self.reader.count % self.reader.every == 0:
            self.reader.needed = self._oldest()

    def _oldest(self) -> int:
        return min(self._positions, default=0)

    def _draw(self) -> int:
        number = self.draws % _DRAWN
        if number == 0 or not self._drawn:
            random = generator(self.seed, (*self.key, self.draws // _DRAWN))
            self._drawn = random.integers(0, self.size, _DRAWN).tolist()
        self.draws += 1
        return self._drawn[number]

    def _order(self) -> list[int]:
        slots = [slot for slot in range(len(self._held)) if slot != self.hole]
        return generator((*self.seed, 1), self.key).permutation(slots).tolist()

    def get_state(self) -> State:
        """The numbers of elements read and drawn, and where to read the buffered ones again."""
        state = {"seed": self.seed, "read": self.reader.count, "draws": self.draws}
        state["left"] = None if self.left is None else len(self.left)
        return {**state, **self.reader.place(self.reader.needed)}

    def set_state(self, state: State) -> None:
        """Repeat the draws on positions only; then read the buffered elements."""
        self.seed = state["seed"]
        slots = self._slots(state["read"], state["draws"])
        if state["left"] is not None:
            self.left = self._order()[: state["left"]]
            to_come = set(self.left)
            slots = {position: slot for position, slot in slots.items() if slot in to_come}
        for position, element in self.reader.reread(state, state["read"]):
            if position in slots:
                self._held[slots[position]], self._positions[slots[position]] = element, position

    def _slots(self, read: int, draws: int) -> dict[int, int]:
        """The slot of each position that is buffered after this many draws."""
        places = list(range(min(self.size, read)))
        for draw in range(draws):
            self.hole = self._draw()
            position = self.size + draw
            if position < read:
                places[self.hole], self.hole = position, None
        self._held, self._positions = [None] * len(places), array("q", [_GONE]) * len(places)
        return {position: slot for slot, position in enumerate(places) if slot != self.hole}


class Interleave(Pass):
    """Interleaves blocks of elements from passes that are opened by elements.

    Args:
        upstream: the pass to read.
        open_inner: function that opens a pass for an element and its index.
        cycle: number of passes that are open at a time.
        block: number of consecutive elements from each.
    """

    def __init__(self, upstream: Pass, open_inner: Callable[[Element, int], Pass], cycle: int, block: int):
        super().__init__(upstream)
        self.reader = Reader(upstream, 1)
        self.open_inner, self.block = open_inner, block
        self.turn = self.taken = 0
        self._open: list[tuple[int, Pass] | None] = [None] * cycle  # index of the element, and its pass

    def __next__(self) -> Element:
        waited = 0  # consecutive turns without an element
        while waited < len(self._open):
            place = self._open[self.turn] or self._opened()
            if place is not None:
                try:
                    element = next(place[1])
                except StopIteration:
                    self._close()
                    waited = -1
                else:
                    self.taken += 1
                    if self.taken == self.block:
                        self._next_turn()
                    return element
            waited += 1
            self._next_turn()
        raise StopIteration

    def _close(self) -> None:
        """Close the current pass, which has ended."""
        self._open[self.turn] = None
        self.reader.needed = self._oldest()

    def _opened(self) -> tuple[int, Pass] | None:
        """The pass of the next element, in the current slot; None if there are no more elements."""
        for element in self.reader:
            number = self.reader.count - 1
            self._open[self.turn] = number, self.open_inner(element, number)
            break
        return self._open[self.turn]

    def _next_turn(self) -> None:
        self.turn, self.taken = (self.turn + 1) % len(self._open), 0

    def _oldest(self) -> int:
        return min((place[0] for place in self._open if place), default=self.reader.count)

    def get_state(self) -> State:
        """The position of each open pass, and where to read the elements that opened them."""
        inner = [place and [place[0], place[1].get_state()] for place in self._open]
        state = {"turn": self.turn, "taken": self.taken, "read": self.reader.count, "open": inner}
        return {**state, **self.reader.place(self._oldest())}

    def set_state(self, state: State) -> None:
        """Reopen the passes."""
        self.turn, self.taken = state["turn"], state["taken"]
        elements = dict(self.reader.reread(state, state["read"]))
        for turn, place in enumerate(state["open"]):
            if place is not None:
                number, inner_state = place
                inner = self.open_inner(elements[number], number)
                inner.set_state(inner_state)
                self._open[turn] = number, inner


class Window(Pass):
    """Lists of adjacent elements.

    Args:
        upstream: the pass to read.
        size: number of elements in a window.
        shift: distance between the starts of successive windows.
        stride: distance between the elements of a window.
        drop_remainder: whether to drop incomplete windows at the end.
        made: conversion of a list to an output.
    """

    def __init__(
        self, upstream: Pass, size: int, shift: int, stride: int, drop_remainder: bool,
        made: Callable[[list[Element]], Element],
    ):  # fmt: skip
        super().__init__(upstream)
        self.reader = Reader(upstream, 16)
        self.shift, self.stride, self.drop_remainder, self.made = shift, stride, drop_remainder, made
        self.span = (size - 1) * stride + 1
        self.start = 0  # position of the first element of the next window
        self._held: deque[Element] = deque()  # elements before `reader.count`

    def __next__(self) -> Element:
        while self._held and self.reader.count - len(self._held) < self.start:
            self._held.popleft()
        self.reader.needed = self.start
        for element in self.reader:
            if self.reader.count > self.start:
                self._held.append(element)
            if len(self._held) >= self.span:
                break
        if not self._held or (self.drop_remainder and len(self._held) < self.span):
            raise StopIteration
        self.start += self.shift
        return self.made(list(self._held)[: self.span : self.stride])

    def get_state(self) -> State:
        """The start of the next window, and where to read it."""
        return {"first": self.start, "read": self.reader.count, **self.reader.place(self.start)}

    def set_state(self, state: State) -> None:
        """Read the buffered elements again."""
        self.start = state["first"]
        reread = self.reader.reread(state, state["read"])
        self._held.extend(element for position, element in reread if position >= self.start)


class Buckets(Pass):
    """Collects elements by key until there are enough of a key.

    Args:
        upstream: the pass to read.
        bucket_of: function from an element and its index to its key.
        size_of: number of elements of a key to output together.
        made: conversion of elements and their key to an output.
        drop_remainder: whether to drop the rest at the end; otherwise it is output in order of keys.
    """

    def __init__(
        self, upstream: Pass, bucket_of: Callable[[Element, int], int], size_of: Callable[[int], int],
        made: Callable[[list[Element], int], Element], drop_remainder: bool,
    ):  # fmt: skip
        super().__init__(upstream)
        self.reader = Reader(upstream, 64)
        self.bucket_of, self.size_of, self.made, self.drop_remainder = bucket_of, size_of, made, drop_remainder
        self._held: dict[int, dict[int, Element]] = {}  # by key and position

    def __next__(self) -> Element:
        for element in self.reader:
            position = self.reader.count - 1
            bucket = self.bucket_of(element, position)
            held = self._held.setdefault(bucket, {})
            held[position] = element
            if len(held) >= self.size_of(bucket):
                return self._emptied(bucket)
        if self.drop_remainder or not self._held:
            raise StopIteration
        return self._emptied(min(self._held))

    def _emptied(self, bucket: int) -> Element:
        elements = list(self._held.pop(bucket).values())
        self.reader.needed = self._oldest()
        return self.made(elements, bucket)

    def _oldest(self) -> int:
        return min((position for held in self._held.values() for position in held), default=self.reader.count)

    def get_state(self) -> State:
        """The positions of the buffered elements of each key, and where to read them."""
        held = [[bucket, list(positions)] for bucket, positions in self._held.items()]
        return {"held": held, "read": self.reader.count, **self.reader.place(self._oldest())}

    def set_state(self, state: State) -> None:
        """Read the buffered elements again."""
        buckets = {position: bucket for bucket, positions in state["held"] for position in positions}
        for position, element in self.reader.reread(state, state["read"]):
            if position in buckets:
                self._held.setdefault(buckets[position], {})[position] = element
