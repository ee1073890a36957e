"""Limits on what loading a file may consume: one budget for the whole load, proportional to the file's size.

A file can be compressed in layers, gzip in HDF5 in a zip archive, each with a ratio of a thousand, and a few bytes of
text can describe many objects or many calls. So nothing is judged in isolation. Code that opens a file adds its size to
the budget of the current load (`opened`), and the size of a config in it (`described`); code that takes memory or time
for its contents asks first (`take`). Legitimate files stay far below the limits, which allow for one level of
compression of all zeros.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cornu.core import context
from cornu.errors import LoadLimitError

# Allowance per byte of the file; for calls, per byte of the config, whose size does not depend on the weights.
_RATES = {
    "numbers": 1100,  # bytes of arrays: the highest compression ratio of zeros, applied once
    "objects": 100,  # bytes of text and of the objects it is parsed into
    "values": 8,  # bytes of variables without values in the file: slots, metrics, seeds
    "calls": 0.02,  # operations called to infer shapes, and objects created
    "work": 0,  # arithmetic for initial values, where it grows faster than their number
}
_WORTH = {"calls": 2**15, "work": 1 / 400}  # cost in bytes of one unit beyond its allowance
OF_AN_OBJECT = 0.5  # what creating one counts for, in calls
_ANYWAY = 2**26  # bytes that any load may take beyond the allowances, all kinds together
_LISTS, _DICTIONARIES, _ITEMS, _TEXT = 90, 400, 60, 3  # bytes that Python needs for one character of JSON


class Budget:
    """The allowance of one load and what it has used so far."""

    def __init__(self, stored: int = 0, values: int = 0, described: int = 0):
        self.stored, self.described = stored, described
        self._free = {"values": values, "work": values / _WORTH["work"]}
        self._taken: dict[str, float] = dict.fromkeys(_RATES, 0)

    def take(self, kind: str, amount: float, what: str) -> None:
        """Take from the budget, or raise ValueError."""
        self._taken[kind] += amount
        beyond = sum(map(self._beyond, _RATES))
        if beyond > _ANYWAY:
            raise LoadLimitError(
                f"{what} needs more than the size of the file allows: {round(self._taken[kind]):,} {_UNITS[kind]} of "
                f"{self.stored:,} bytes. Reading was stopped."
            )

    def _beyond(self, kind: str) -> float:
        size = min(self.stored, self.described) if kind == "calls" and self.described else self.stored
        allowed = self._free.get(kind, 0) + _RATES[kind] * size
        return max(0.0, self._taken[kind] - allowed) * _WORTH.get(kind, 1)


_UNITS = {
    "numbers": "bytes of numbers", "objects": "bytes of objects", "values": "bytes of values", "calls": "calls",
    "work": "arithmetic operations",
}  # fmt: skip


@contextmanager
def load(stored: int = 0, values: int = 0) -> Iterator[None]:
    """Scope of one load.

    Args:
        stored: bytes of the data that is read without opening a file.
        values: bytes of variables without stored values that are allowed in any case, with the work for such.
    """
    with context.scope(budget=Budget(stored, values)):
        yield


@contextmanager
def again() -> Iterator[None]:
    """Scope in which the same files are read a second time."""
    budget = context.current().budget
    fresh = Budget() if budget is None else Budget(budget.stored, described=budget.described)
    with context.scope(budget=fresh):
        yield


def opened(size: int) -> None:
    """Add the size of a file to the budget of the current load."""
    budget = context.current().budget
    if budget is not None:
        budget.stored += size


def described(size: int) -> None:
    """Add the size of a config to the budget of the current load."""
    budget = context.current().budget
    if budget is not None:
        budget.described += size


def take(kind: str, amount: float, what: str = "The file") -> None:
    """Take from the budget of the current load.

    Args:
        kind: "numbers", "objects", "values", "calls" or "work".
        amount: bytes, or number of calls or arithmetic operations.
        what: what needs it, for error messages.

    Raises:
        ValueError: if the budget is exceeded.
    """
    budget = context.current().budget
    if budget is not None:
        budget.take(kind, amount, what)


def cost_of_json(text: bytes) -> int:
    """Approximate number of bytes of the objects that a JSON text is parsed into."""
    objects = _LISTS * text.count(b"[") + _DICTIONARIES * text.count(b"{") + _ITEMS * text.count(b",")
    return _TEXT * len(text) + objects
