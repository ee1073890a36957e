"""Passes that hold elements for a while, and how they find them again.

What is held is never saved. A `Reader` notes now and then the state of what it reads; the state of a pass that holds
elements is the last such mark before the oldest of them, and the numbers of those that are still to come.
"""

from array import array
from collections.abc import Iterator, Sequence

from cornu.data.elements import Element
from cornu.data.passes import Key, Pass, State, generator

_DRAWN = 4096  # numbers drawn at a time
_GONE = 2**62  # position of an element that is no longer held


class Reader:
    """Reads elements, and remembers from where they can be read again.

    Attributes:
        count: elements read so far.
        needed: position of the oldest element that may have to be read again; whoever holds elements moves it on.
    """

    def __init__(self, upstream: Pass, every: int):
        self.upstream, self.every = upstream, every
        self.count = self.needed = 0
        self._marks: list[tuple[int, State]] = []

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Element:
        if self.count % self.every == 0:
            self._mark()
        element = next(self.upstream)
        self.count += 1
        return element

    def _mark(self) -> None:
        """Note where the upstream is, and forget the marks that nobody needs; another thread may be reading them."""
        first = self._last(self.needed) if self._marks else 0
        self._marks = [*self._marks[first:], (self.count, self.upstream.get_state())]

    def _last(self, position: int) -> int:
        """The number of the last mark that is not after a position."""
        return max(number for number, (start, _) in enumerate(self._marks) if start <= position or number == 0)

    def place(self, oldest: int) -> State:
        """From where element `oldest` and those after it are read again."""
        if not self._marks:
            self._mark()
        start, state = self._marks[self._last(oldest)]
        return {"start": start, "upstream": state}

    def reread(self, place: State, count: int) -> Iterator[tuple[int, Element]]:
        """Go to a place and read up to element `count`: each element with its position."""
        self.upstream.set_state(place["upstream"])
        self.count = self.needed = place["start"]
        while self.count < count:
            element = next(self)
            yield self.count - 1, element


class Shuffle(Pass):
    """Elements in a random order: each is drawn from a buffer, where the next one takes its place.

    Args:
        upstream: what is read.
        size: elements in the buffer.
        seed, key: where the order comes from.
    """

    def __init__(self, upstream: Pass, size: int, seed: Sequence[int], key: Key):
        super().__init__(upstream)
        self.size, self.seed, self.key = size, list(seed), key
        self.reader = Reader(upstream, max(64, size // 4))
        self.draws = 0
        self.hole: int | None = None  # where the element was that was drawn last
        self.left: list[int] | None = None  # once the upstream has ended: the places still to come, the next one last
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
        """Fill the buffer up; when there is nothing left to fill it with, order what it holds."""
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
        """The numbers of elements read and drawn, and where to read those again that are held."""
        state = {"seed": self.seed, "read": self.reader.count, "draws": self.draws}
        state["left"] = None if self.left is None else len(self.left)
        return {**state, **self.reader.place(min(self._oldest(), self.reader.count))}

    def set_state(self, state: State) -> None:
        """Draw again, on positions alone; then read the elements that are held."""
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
        """The place of each position that is held after so many draws."""
        places = list(range(min(self.size, read)))
        for draw in range(draws):
            self.hole = self._draw()
            position = self.size + draw
            if position < read:
                places[self.hole], self.hole = position, None
        self._held, self._positions = [None] * len(places), array("q", [_GONE]) * len(places)
        return {position: slot for slot, position in enumerate(places) if slot != self.hole}
