"""The progress of this process, for those that monitor several processes computing together.

All of them start the same computations in the same order, so a process that has started fewer than the others is
behind. They share this through the key-value store of JAX's coordinator, under the names defined here.
"""

from typing import NamedTuple

BEATS = "cornu/beat/"
FAILURES = "cornu/failed/"
ENDS = "cornu/ended/"
MEETINGS = "cornu/met/"
LINGER = 3.0  # seconds for which the coordinating process outlives its last report
LOST = 75  # the exit status of a process that ends because another one was lost: `EX_TEMPFAIL` of sysexits.h


class Progress:
    """The progress of this process.

    Attributes:
        started: number of collective computations that it has started.
        met: number of times it has synchronized with the others without a computation.
    """

    __slots__ = ("met", "started")

    def __init__(self) -> None:
        self.started = self.met = 0


class Beat(NamedTuple):
    """What a process reports about itself.

    Attributes:
        number: the number of reports so far.
        started: number of computations it has started.
        place: the line of code it is at.
        met: number of times it has synchronized with the others otherwise.
    """

    number: int
    started: int
    place: str
    met: int = 0

    @property
    def steps(self) -> int:
        """Everything that it has come to and for which others may wait."""
        return self.started + self.met


here = Progress()
