"""Passes with threads: parallel function calls, and prefetching.

Elements keep their order. A thread references its queue but not the pass, so that a pass that is exhausted, closed or
dropped ends its threads.
"""

import contextlib
import contextvars
import math
import os
import statistics
import threading
import time
import weakref
from collections import deque
from queue import Empty, SimpleQueue

from cornu.core.typing import AnyFunction, AnyTuple
from cornu.data.elements import Element, leaves
from cornu.data.passes import Pass, State, UserFunction
from cornu.data.prefetch import Prefetch
from cornu.data.readers import Reader

AUTOTUNE = -1
"""Lets the dataset choose the number of threads, or of prefetched elements."""

_MARKED = 8  # elements between marks of a reader
_TRIED = 4  # elements used to measure a function
_QUICK = 3e-5  # seconds: faster functions do not benefit from threads
_JUDGED = 32  # calls in threads used to decide whether they pay off
_LONG = 1e-3  # seconds: slower functions are not delayed by switching threads
_MANY = 16  # elements requested at a time, per thread
_ROOM = 2**24  # maximum size of these in bytes


class Forward(Pass):
    """A pass whose reader is ahead of its output; the elements in between are read again.

    Args:
        upstream: the pass to read.
    """

    def __init__(self, upstream: Pass):
        super().__init__(upstream)
        self.reader, self.done = Reader(upstream, _MARKED), 0

    def _move_on(self) -> None:
        """Record that one more element is output."""
        self.done += 1
        self.reader.needed = self.done

    def get_state(self) -> State:
        """The number of outputs, and where to read the next elements again."""
        return {"done": self.done, **self.reader.place(self.done)}

    def set_state(self, state: State) -> None:
        """Read and discard elements up to the position."""
        self.done = state["done"]
        deque(self.reader.reread(state, self.done), maxlen=0)


class _Calls:
    """The pending and completed work of threads; it does not reference the pass that waits for it.

    Args:
        function: the function to call.
    """

    def __init__(self, function: UserFunction):
        self.function = function
        self.to_do: SimpleQueue[AnyTuple | None] = SimpleQueue()
        self.seconds = math.inf  # of the fastest call
        self._alone: list[float] = []  # durations of calls without others running
        self._together: list[float] = []  # and of calls in threads
        self._pay: bool | None = None
        self._bytes = 0  # of the largest element, before or after a call

    def here(self, element: Element, index: int) -> Element:
        """Call the function in the thread that reads."""
        start = time.perf_counter()
        made = self.function.mapped(element, index)
        self._took(time.perf_counter() - start, self._alone, _TRIED, element, made)
        return made

    def _took(self, seconds: float, calls: list[float], most: int, *elements: Element) -> None:
        self.seconds = min(self.seconds, seconds)
        if len(calls) < most:
            calls.append(seconds)
            self._bytes = max(self._bytes, *map(_bytes_of, elements))

    def at_a_time(self, threads: int) -> int:
        """Of how many elements no thread runs out of work: few where each takes long, fewer of large ones."""
        many = threads * _MANY
        if self._bytes * many > _ROOM:
            return threads
        return threads + 1 if self.seconds > _LONG else many

    def pay(self, threads: int) -> bool:
        """Whether threads pay off: not if they delay one another, as with short Python operations."""
        if len(self._alone) < _TRIED or self.seconds < _QUICK:
            return False
        if self._pay is None and len(self._together) >= _JUDGED:
            self._pay = statistics.median(self._together) / threads < min(self._alone)
        return self._pay is not False

    def work(self) -> None:
        """Call the function until there is no more work."""
        while (asked := self.to_do.get()) is not None:
            place, element, index = asked
            start = time.perf_counter()
            made, failure = None, None
            try:
                made = self.function.mapped(element, index)
            except BaseException as error:  # re-raised where the element is needed
                failure = error
            self._took(time.perf_counter() - start, self._together, _JUDGED, element, made)
            place.put((made, failure))
            del asked, place, element, made, failure  # keep no references while a thread waits

    def stop(self, threads: int) -> None:
        """Discard pending work, and end the threads."""
        with contextlib.suppress(Empty):
            while True:
                self.to_do.get_nowait()
        for _ in range(threads):
            self.to_do.put(None)


def _bytes_of(element: Element) -> int:
    return sum(getattr(leaf, "nbytes", 0) for leaf in leaves(element))


class ParallelMap(Forward):
    """A user's function applied to several elements in parallel.

    Threads take elements one at a time and put each result in its slot, a queue of length one. The reader waits for a
    slot some way ahead of the next one: waking it for each element would cost as much as processing a small image.

    Args:
        upstream: the pass to read.
        function: the function.
        threads: number of concurrent calls; `AUTOTUNE` for as many as there are processors, or none if the function is
            fast or does not benefit from threads.
    """

    def __init__(self, upstream: Pass, function: UserFunction, threads: int):
        super().__init__(upstream)
        self.threads = (os.cpu_count() or 1) if threads == AUTOTUNE else threads
        self._may_call_here = threads == AUTOTUNE
        self._calls = _Calls(function)
        self._waiting: deque[SimpleQueue[AnyTuple]] = deque()  # slots, in order
        self._ready: deque[AnyTuple] = deque()  # results, in order, before those
        self._end: AnyFunction | None = None  # set once there are threads

    def __next__(self) -> Element:
        if not self._may_call_here or self._calls.pay(self.threads):
            self._ask()
        elif not self._ready and not self._waiting:
            return self._call_here()
        if not self._ready and not self._waiting:
            if self._end is not None:
                self._end()
            raise StopIteration
        if not self._ready:
            self._wait()
        self._move_on()
        made, error = self._ready.popleft()
        if error is not None:
            raise error
        return made

    def _call_here(self) -> Element:
        if self._end is not None:
            self._end()
        element = next(self.reader)
        self._move_on()
        return self._calls.here(element, self.done - 1)

    def _ask(self) -> None:
        """Request enough elements that no thread runs out of work."""
        most = self._calls.at_a_time(self.threads)
        while len(self._waiting) + len(self._ready) < most:
            index = self.reader.count
            try:
                element = next(self.reader)
            except StopIteration:
                return
            if self._end is None:
                self._start()
            self._waiting.append(SimpleQueue())
            self._calls.to_do.put((self._waiting[-1], element, index))

    def _start(self) -> None:
        for number in range(self.threads):
            run = contextvars.copy_context().run
            name = f"cornu-map-{number}"
            threading.Thread(target=run, args=(self._calls.work,), name=name, daemon=True).start()
        self._end = weakref.finalize(self, self._calls.stop, self.threads)

    def _wait(self) -> None:
        """Collect results: the next one, and those up to a slot halfway to the last, waiting only for that one."""
        places = [self._waiting.popleft() for _ in range(max(1, len(self._waiting) // 2))]
        last = places.pop().get()
        self._ready.extend(place.get() for place in places)
        self._ready.append(last)


class Ahead(Forward):
    """Prefetches elements in a thread."""

    def __init__(self, upstream: Pass, size: int):
        super().__init__(upstream)
        self.size = size
        self._prefetch: Prefetch | None = None

    def __next__(self) -> Element:
        if self._prefetch is None:
            self._prefetch = Prefetch(self.reader, self.size)
        element = next(self._prefetch)
        self._move_on()
        return element
