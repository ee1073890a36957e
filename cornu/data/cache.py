"""Elements that are made once and kept in memory or a file.

A store is filled by the first pass that needs more than it contains, from one pass over the dataset with the key of the
first pass; a pass over a cache is thus just a number.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cornu.data.elements import Element, map_leaves, read_only
from cornu.data.passes import Key, Pass, State
from cornu.data.records import Records


class Store:
    """Elements of one pass, made when they are first needed.

    Args:
        open_pass: function that opens a pass for a key.
        path: file for the elements; None for memory. If it exists, nothing is made.
    """

    def __init__(self, open_pass: Callable[[Key], Pass], path: Path | None = None):
        self.open_pass, self.path = open_pass, path
        self.key: Key | None = None
        self._lock = threading.RLock()
        self._items: list[Element] | Records = []
        self._source: Iterator[Element] | None = None

    def start(self, key: Key) -> None:
        """Fill the store from the pass of a key, unless it already is."""
        with self._lock:
            if self.key == key or (self.key is not None and self._source is None and self.path is not None):
                return
            is_made = self.path is not None and self.path.exists()
            self._items = [] if self.path is None else Records(self.path)
            self.key, self._source = key, None if is_made else self.open_pass(key)

    def get(self, position: int) -> Element:
        """The element at a position; raises StopIteration if there is none."""
        with self._lock:
            while self._source is not None and len(self._items) <= position:
                self._keep_next(self._source)
            if position >= len(self._items):
                raise StopIteration
            return self._items[position]

    def _keep_next(self, source: Iterator[Element]) -> None:
        try:
            self._items.append(map_leaves(read_only, next(source)))
        except StopIteration:
            self._source = None
            if isinstance(self._items, Records):
                self._items.finish()


class Cached(Pass):
    """Elements of a store."""

    def __init__(self, store: Store, key: Key):
        super().__init__()
        self.store, self.key, self.position = store, key, 0

    def __next__(self) -> Element:
        if self.store.key is None:
            self.store.start(self.key)
        element = self.store.get(self.position)
        self.position += 1
        return element

    def get_state(self) -> State:
        """The position, and the key of the pass that the store is filled from."""
        return {"position": self.position, "key": list(self.store.key or self.key)}

    def set_state(self, state: State) -> None:
        """Fill the store from the same pass."""
        self.position = state["position"]
        self.store.start(tuple(state["key"]))
