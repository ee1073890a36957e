"""How far this process has come, for those who watch several processes that compute together.

All of them start the same computations in the same order, so whoever has started fewer than the others is behind.
They leave notes of that for each other with JAX's coordinator, under the names that are here.
"""

from typing import NamedTuple

BEATS = "cornu/beat/"
FAILURES = "cornu/failed/"
MEETINGS = "cornu/met/"
LOST = 75  # the exit status of a process that ends because another one is lost: `EX_TEMPFAIL` of sysexits.h


class Progress:
    """What this process has done.

    Attributes:
        started: how many computations that need the other processes it has started.
        met: how often it has met the others without a computation.
    """

    __slots__ = ("met", "started")

    def __init__(self) -> None:
        self.started = self.met = 0


class Beat(NamedTuple):
    """What a process says of itself.

    Attributes:
        number: how often it has said so.
        started: how many computations it has started.
        place: the line it is at.
    """

    number: int
    started: int
    place: str


here = Progress()
