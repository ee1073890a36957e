"""The progress bar: one line of a terminal, redrawn as the steps go by."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from cornu import settings
from cornu.callbacks.messages import is_terminal, show
from cornu.core import number_arguments

_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def _clock(seconds: float) -> str:
    """The remaining time, as `1:02:03`, `2:03` or `3s`."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if seconds > 3600:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    if seconds > 60:
        return f"{60 * hours + minutes}:{rest:02d}"
    return f"{int(seconds)}s"


def _pace(seconds: float, unit: str) -> str:
    """The time per step in the largest unit that shows a digit, as `12ms/step`."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit}"
    return f"{seconds * 1e6:.0f}us/{unit}"


def _number(value: float, size: float) -> str:
    return f"{value:.4f}" if size > 1e-3 else f"{value:.4e}"


class Progbar:
    """Shows the progress over a known or unknown number of steps, with values.

    Args:
        target: number of steps, or None if unknown.
        width: width of the bar in characters. Defaults to 20.
        verbose: 0 shows nothing, 1 a bar that is redrawn, 2 one line at the end. Defaults to 1.
        interval: minimum number of seconds between redraws. Defaults to 0.05.
        stateful_metrics: names of values to show as they are; every other value is averaged over the steps.
        stateless_metrics: names of values to average over the steps; every other value is shown as it is. Only one of
            the two lists may be given. Without either, all values are averaged.
        unit_name: name of a step. Defaults to `"step"`.

    Example:
        bar = cornu.utils.Progbar(target=3, verbose=2)
        for step in range(3):
            bar.add(1, values=[("loss", 1.0 / (step + 1))])
    """

    @number_arguments.checked
    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: give stateful_metrics or stateless_metrics, not both. "
                f"Received: stateful_metrics={stateful_metrics!r}, stateless_metrics={stateless_metrics!r}."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[Any, int]] = {}
        self._seen = 0
        self._line_width = 0
        self._start = time.time()
        self._after_first_step: float | None = None
        self._last_drawn = 0.0
        self._redraws = is_terminal() or "posix" in sys.modules

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Report that `current` steps are done.

        Args:
            current: number of steps done so far.
            values: pairs of a name and the value for the latest steps.
            finalize: whether this is the last update; None if `current` has reached the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._record(current, values or (), finalize)
        now = time.time()
        if current == 1:
            self._after_first_step = now
        shown = self.verbose == 1 and (finalize or self.is_due(now))
        if shown and settings.is_interactive_logging_enabled():
            self._draw(current, now, finalize)
            self._last_drawn = now
        elif finalize and self.target and self.verbose in (1, 2):
            self._write_line(current, now)

    def add(self, n: int, values: Iterable[tuple[str, object]] | None = None) -> None:
        """Report that `n` more steps are done."""
        self.update(self._seen + n, values)

    def is_due(self, now: float | None = None) -> bool:
        """Whether enough time has passed to redraw the bar."""
        return (time.time() if now is None else now) - self._last_drawn >= self.interval

    def _record(self, current: int, values: Iterable[tuple[str, Any]], finalize: bool) -> None:
        steps = max(current - self._seen, 1)
        for name, value in values:
            if finalize or not self._is_averaged(name):
                self._sums[name] = (value, 1)
            else:
                total, count = self._sums.get(name, (0, 0))
                self._sums[name] = (total + value * steps, count + steps)
        self._seen = current

    def _is_averaged(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in self.stateful_metrics

    def _seconds_a_step(self, current: int, now: float) -> float:
        if not current:
            return 0.0
        if self._after_first_step is not None and current > 1:
            return (now - self._after_first_step) / (current - 1)
        return (now - self._start) / current

    def _means(self) -> Iterator[tuple[str, float]]:
        return ((name, np.mean(total / max(1, count))) for name, (total, count) in self._sums.items())

    def _draw(self, current: int, now: float, finalize: bool) -> None:
        pace = self._seconds_a_step(current, now)
        open_end = not self.target or finalize
        clock = f"{now - self._start:.0f}s" if open_end else _clock(pace * ((self.target or 0) - current))
        values = "".join(f" - {name}: {_number(mean, abs(mean))}" for name, mean in self._means())
        details = f" {_pace(pace, self.unit_name)}{values}"
        count, bar = self._count(current), self._bar(current)
        width = len(count) + self._bar_width(current) + len(clock) + len(details) + 1
        padding = " " * max(0, self._line_width - width)
        bold_count = f"{_BOLD}{count}{_PLAIN} " if self.target else f"{count} "
        back = "\r" if self._redraws else "\n"
        line = f"{bold_count}{bar}{_BOLD}{clock}{_PLAIN}{details}{padding}"
        show(back + line + ("\n" if finalize else ""))
        self._line_width = width

    def _count(self, current: int) -> str:
        if not self.target:
            return f"{current:7d}/Unknown"
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _done(self, current: int) -> int:
        return int(self.width * (current / (self.target or 1)))

    def _bar_width(self, current: int) -> int:
        return max(self.width, self._done(current)) + 1 if self.target else 0

    def _bar(self, current: int) -> str:
        if not self.target:
            return ""
        done = self._done(current)
        green = f"{_GREEN}{'━' * done}{_PLAIN}" if done else ""
        return f"{green}{_WHITE}{'━' * (self.width - done)}{_PLAIN} "

    def _write_line(self, current: int, now: float) -> None:
        pace = _pace(self._seconds_a_step(current, now), self.unit_name)
        # Keras formats a negative number with an exponent here, and without one in the bar.
        values = "".join(f" - {name}: {_number(mean, mean)}" for name, mean in self._means())
        show(f"{self._count(current)} - {now - self._start:.0f}s - {pace}{values}\n")
