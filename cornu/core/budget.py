"""What loading a file may take: one budget for all that comes of it, counted from the bytes of the file itself.

A file can be packed in layers, gzip in HDF5 in a zip archive, each a thousand times smaller than what is in it, and a
few bytes of text can stand for many objects or for many calls. So nothing is judged alone. Whoever opens a file adds
its bytes to the budget of the load around (`opened`), and those of a config in it (`described`); whoever takes memory
or time for what it holds asks for it first (`take`). An honest file is far inside: numbers may be packed as well as
zeros are, once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cornu.core import context
from cornu.errors import LoadLimitError

# What may be taken for each byte of the file; calls, for each byte of the config, which weights do not make longer.
_RATES = {
    "numbers": 1100,  # bytes of arrays: as many as one byte can stand for when zeros are packed once
    "objects": 100,  # bytes of texts and of what they are parsed into
    "values": 8,  # bytes of weights that the file has no numbers for: slots, metrics, seeds
    "calls": 0.02,  # operations that are called to find shapes
}
_WORTH = {"calls": 2**15}  # bytes that one of a kind stands for beyond its rate
_ANYWAY = 2**26  # bytes beyond their rates that all kinds together may take in any load
_LISTS, _DICTIONARIES, _ITEMS, _TEXT = 90, 400, 60, 3  # bytes that Python takes for what JSON writes with one sign


class Budget:
    """What one load has been given, and what it has taken."""

    def __init__(self, stored: int = 0, values: int = 0, described: int = 0):
        self.stored, self.described = stored, described
        self._free = {"values": values}
        self._taken = dict.fromkeys(_RATES, 0)

    def take(self, kind: str, amount: int, what: str) -> None:
        """Take some of what there is, or refuse."""
        self._taken[kind] += amount
        beyond = sum(map(self._beyond, _RATES))
        if beyond > _ANYWAY:
            raise LoadLimitError(
                f"{what} asks for more than its bytes account for: {self._taken[kind]:,} {_UNITS[kind]} of "
                f"{self.stored:,} bytes. It was not read further."
            )

    def _beyond(self, kind: str) -> float:
        size = min(self.stored, self.described) if kind == "calls" and self.described else self.stored
        allowed = self._free.get(kind, 0) + _RATES[kind] * size
        return max(0.0, self._taken[kind] - allowed) * _WORTH.get(kind, 1)


_UNITS = {"numbers": "bytes of numbers", "objects": "bytes of objects", "values": "bytes of values", "calls": "calls"}


@contextmanager
def load(stored: int = 0, values: int = 0) -> Iterator[None]:
    """Scope of one load.

    Args:
        stored: bytes of what is read, as far as no file is opened for it.
        values: bytes of weights without numbers that it may have in any case.
    """
    with context.scope(budget=Budget(stored, values)):
        yield


@contextmanager
def again() -> Iterator[None]:
    """Scope in which the same files are read once more."""
    budget = context.current().budget
    fresh = Budget() if budget is None else Budget(budget.stored, described=budget.described)
    with context.scope(budget=fresh):
        yield


def opened(size: int) -> None:
    """Add the bytes of a file to the budget of the load around."""
    budget = context.current().budget
    if budget is not None:
        budget.stored += size


def described(size: int) -> None:
    """Add the bytes of a config to what the load around knows of its file."""
    budget = context.current().budget
    if budget is not None:
        budget.described += size


def take(kind: str, amount: int, what: str = "The file") -> None:
    """Take some of the budget of the load around.

    Args:
        kind: "numbers", "objects", "values" or "calls".
        amount: bytes, or how many calls.
        what: what asks for it, in messages.

    Raises:
        ValueError: when there is not so much.
    """
    budget = context.current().budget
    if budget is not None:
        budget.take(kind, amount, what)


def cost_of_json(text: bytes) -> int:
    """About how many bytes of objects a text in JSON is parsed into."""
    objects = _LISTS * text.count(b"[") + _DICTIONARIES * text.count(b"{") + _ITEMS * text.count(b",")
    return _TEXT * len(text) + objects
