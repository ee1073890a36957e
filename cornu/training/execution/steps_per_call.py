"""The size of calls, and when they are reported.

`StepsPerCall` finds how many steps make a call of 0.4 to 1 s: long enough that the overhead of a call is negligible,
short enough that the progress bar moves and Ctrl-C is noticed. A call is not cheap if steps need much memory: the
system maps it again, page by page, in the first step of each call. Such steps are long, so a call of few steps may last
up to 4 s. `DelayedReports` reports a call when the next one is running, so that reading its logs does not keep the
device waiting.
"""

import time

import jax

from cornu.core import peers, placement
from cornu.core.typing import AnyFunction, Args

SHORTEST, LONGEST = 0.4, 1.0  # seconds of a call
FEW_STEPS, LONGEST_OF_FEW = 8, 4.0  # steps; seconds of a call of so few


class StepsPerCall:
    """The number of steps per call.

    Args:
        steps: a fixed number, or None to find one at which a call lasts neither too long nor too short.
        loops: whether several steps can be combined; also set to False once a step turns out to be unsuitable for a
        loop.
    """

    def __init__(self, steps: int | None, loops: bool):
        self.steps = steps or 1
        self.fixed = steps is not None
        self.loops = loops

    def took(self, steps: int, seconds: float) -> None:
        """Learn how long a call took."""
        if self.fixed or steps != self.steps:
            return
        if placement.is_shared():  # all processes must use the same number
            seconds = peers.highest(int(1000 * seconds))[0] / 1000
        longest = LONGEST if self.steps > FEW_STEPS else LONGEST_OF_FEW
        if seconds < SHORTEST or (self.steps < FEW_STEPS and 2 * seconds < longest):
            self.steps *= 2
        elif seconds > longest:
            self.steps = max(1, self.steps // 2)


class DelayedReports:
    """Passes on reports of calls, each when the next call is running and its own is done.

    So at most two calls are in progress, and reading a report's logs never leaves the device idle.

    Args:
        report: function of (call, number of the last step, result).
        pace: learns how long the calls take.
        at_once: whether the results must be seen before the next call starts.
    """

    def __init__(self, report: AnyFunction, pace: StepsPerCall, at_once: bool):
        self._report, self._pace, self._at_once = report, pace, at_once
        self._waiting: list[Args] = []
        self._ready = time.perf_counter()

    def __call__(self, call: object, last: int, result: object, began: float) -> None:
        """Handle a call's result; `began` is when it was started."""
        if self._at_once:
            self._report(call, last, result)
        self._waiting.append((call, last, result, began))
        if len(self._waiting) > 1:
            self._pass_on()

    def finish(self) -> None:
        """Pass on the pending report."""
        while self._waiting:
            self._pass_on()

    def _pass_on(self) -> None:
        call, last, result, began = self._waiting.pop(0)
        jax.block_until_ready(result)
        began, self._ready = max(began, self._ready), time.perf_counter()
        self._pace.took(call.steps, self._ready - began)
        if not self._at_once:
            self._report(call, last, result)
