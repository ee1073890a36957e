"""Calls of compiled steps in progress, and what happens when one of them fails or is interrupted.

A step's new values are stored in the variables immediately, as arrays that are still being computed. If that
computation fails, or the user interrupts it, the variables are reset to the values from the last completed call, so
that a model is never left without weights. The values before a call are therefore kept until it is done. If something
else fails, such as a callback that was notified of a step, the calls in progress are waited for: their steps count.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from cornu.core.typing import AnyList
from cornu.core.variable import Variable, give_values, values_of
from cornu.kernels import platform

_SMALL = {"cpu": 2**26}  # bytes of state below which two extra copies do not matter
_SMALL_ON_ACCELERATORS = 2**29


class Outcome(NamedTuple):
    """The result of a call, and its effect on variables.

    Attributes:
        result: the logs or outputs.
        metrics: the values of the metrics' variables after it.
        changed: the variables with new values.
        before, after: their values; those after it may still be being computed.
    """

    result: Any
    metrics: list[jax.Array] | None
    changed: Sequence[Variable]
    before: list[jax.Array]
    after: list[jax.Array]


class InFlight:
    """Scope of some calls; if it is left by an exception, the effects of failed and interrupted calls are undone.

    At most two calls are in progress, or one if the state is large.
    """

    def __init__(self) -> None:
        self._calls: deque[Outcome] = deque()
        self._small = _SMALL.get(platform.name(), _SMALL_ON_ACCELERATORS)

    def run(self, function: Callable[..., Outcome], *args: object) -> Outcome:
        """Run a compiled step when it is its turn."""
        while self._calls and (len(self._calls) > 1 or self._is_done(0) or not self._is_small()):
            _wait_for(self._calls[0])
            self._calls.popleft()
        outcome = function(*args)
        self._calls.append(outcome)
        return outcome

    def _is_done(self, index: int) -> bool:
        return all(leaf.is_ready() for leaf in _signs(self._calls[index]))

    def _is_small(self) -> bool:
        return sum(value.nbytes for value in self._calls[0].before) <= self._small

    def __enter__(self) -> "InFlight":
        return self

    def __exit__(self, kind: Any, error: object, traceback: object) -> None:
        if kind is not None:
            self._undo(wait=issubclass(kind, Exception))
        self._calls.clear()

    def _undo(self, wait: bool) -> None:
        """Restore the values before the first call that failed or is not finished, unless they were changed since.

        Args:
            wait: whether to wait for calls that are not finished yet.
        """
        calls = range(len(self._calls))
        first = next((index for index in calls if not self._succeeded(index, wait)), len(self._calls))
        for call in reversed([*self._calls][first:]):
            kept = [now is after for now, after in zip(values_of(call.changed), call.after, strict=True)]
            pairs = [pair for pair, same in zip(zip(call.changed, call.before, strict=True), kept, strict=True) if same]
            give_values([variable for variable, _ in pairs], [value for _, value in pairs])

    def _succeeded(self, index: int, wait: bool) -> bool:
        with contextlib.suppress(Exception):
            if wait or self._is_done(index):
                _wait_for(self._calls[index])
                return True
        return False


def _signs(call: Outcome) -> AnyList:
    """An array that is available when the call is done: all of its arrays become available together."""
    return [leaf for leaf in (*call.after[:1], *jax.tree.leaves(call.result)[:1]) if isinstance(leaf, jax.Array)]


def _wait_for(call: Outcome) -> None:
    jax.block_until_ready(_signs(call))
