"""How far this process has come, for those who watch several processes that compute together.

All of them start the same computations in the same order, so whoever has started fewer than the others is behind.
"""

LOST = 75  # the exit status of a process that ends because another one is lost: `EX_TEMPFAIL` of sysexits.h


class Progress:
    """What this process has done.

    Attributes:
        started: how many computations that need the other processes it has started.
    """

    __slots__ = ("started",)

    def __init__(self) -> None:
        self.started = 0


here = Progress()
