"""Passes that work in threads: functions applied to several elements at a time, elements made ahead.

Elements keep their order. A thread knows the queue that it works for but not the pass, so that a pass that is used up,
closed or forgotten ends its threads.
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
from collections.abc import Callable
from queue import Empty, SimpleQueue

from cornu.data.elements import Element, leaves
from cornu.data.passes import Pass, State, UserFunction
from cornu.data.prefetch import Prefetch
from cornu.data.readers import Reader

AUTOTUNE = -1
"""Leaves the number of threads, or of elements made ahead, to the data set."""

_MARKED = 8  # elements from one mark of a reader to the next
_TRIED = 4  # elements that tell how long a function takes
_QUICK = 3e-5  # seconds: a function that takes less gains nothing from threads
_JUDGED = 32  # calls in threads that tell whether they pay
_LONG = 1e-3  # seconds: a function that takes more is not held up by the threads taking turns
_MANY = 16  # elements a thread that are asked for at a time
_ROOM = 2**24  # bytes that these may take


class Forward(Pass):
    """A pass whose reader is ahead of what came out; those elements are read again.

    Args:
        upstream: what is read.
    """

    def __init__(self, upstream: Pass):
        super().__init__(upstream)
        self.reader, self.done = Reader(upstream, _MARKED), 0

    def _move_on(self) -> None:
        """Note that one more element comes out."""
        self.done += 1
        self.reader.needed = self.done

    def get_state(self) -> State:
        """How many elements came out, and from where to read the next ones again."""
        return {"done": self.done, **self.reader.place(self.done)}

    def set_state(self, state: State) -> None:
        """Read up to the next element, and drop what is read."""
        self.done = state["done"]
        deque(self.reader.reread(state, self.done), maxlen=0)


class _Calls:
    """What threads have to do and have done; it does not know the pass that waits for it.

    Args:
        function: what they call.
    """

    def __init__(self, function: UserFunction):
        self.function = function
        self.to_do: SimpleQueue = SimpleQueue()
        self.seconds = math.inf  # that the quickest call took
        self._alone: list[float] = []  # what calls took while there was no other
        self._together: list[float] = []  # and in threads
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
        """Of how many elements no thread runs out of work: few where each takes long, or much memory."""
        many = threads * _MANY
        return threads + 1 if self.seconds > _LONG or self._bytes * many > _ROOM else many

    def pay(self, threads: int) -> bool:
        """Whether threads are worth it: not where they hold one another up, as for short operations of Python's."""
        if len(self._alone) < _TRIED or self.seconds < _QUICK:
            return False
        if self._pay is None and len(self._together) >= _JUDGED:
            self._pay = statistics.median(self._together) / threads < min(self._alone)
        return self._pay is not False

    def work(self) -> None:
        """Call the function until there is nothing more to do."""
        while (asked := self.to_do.get()) is not None:
            place, element, index = asked
            start = time.perf_counter()
            made, failure = None, None
            try:
                made = self.function.mapped(element, index)
            except BaseException as error:  # raised again where the element is needed
                failure = error
            self._took(time.perf_counter() - start, self._together, _JUDGED, element, made)
            place.put((made, failure))
            del asked, place, element, made, failure  # nothing is held while a thread waits

    def stop(self, threads: int) -> None:
        """Forget what was not begun, and end the threads."""
        with contextlib.suppress(Empty):
            while True:
                self.to_do.get_nowait()
        for _ in range(threads):
            self.to_do.put(None)


def _bytes_of(element: Element) -> int:
    return sum(getattr(leaf, "nbytes", 0) for leaf in leaves(element))


class ParallelMap(Forward):
    """A user's function of several elements at a time.

    Threads take elements one by one and put what they make of each in its place, a queue of one. Whoever reads waits
    for a place some way ahead of the next one: to be woken for each element would cost as much as a small picture.

    Args:
        upstream: what is read.
        function: the function.
        threads: calls at a time; `AUTOTUNE` for as many as there are processors, or none if the function is quick or
            takes longer in threads than it gains.
    """

    def __init__(self, upstream: Pass, function: UserFunction, threads: int):
        super().__init__(upstream)
        self.threads = (os.cpu_count() or 1) if threads == AUTOTUNE else threads
        self._may_call_here = threads == AUTOTUNE
        self._calls = _Calls(function)
        self._waiting: deque[SimpleQueue] = deque()  # places, in order
        self._ready: deque[tuple] = deque()  # answers, in order, before those
        self._end: Callable | None = None  # once there are threads

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
        """Have so many elements made that no thread runs out of work."""
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
        """Take answers: the next one, and those up to a place half way to the last, waiting for that one alone."""
        places = [self._waiting.popleft() for _ in range(max(1, len(self._waiting) // 2))]
        last = places.pop().get()
        self._ready.extend(place.get() for place in places)
        self._ready.append(last)


class Ahead(Forward):
    """Elements that a thread makes ahead."""

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
