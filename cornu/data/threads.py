"""Passes that work in threads: functions applied to several elements at a time, elements made ahead.

Elements keep their order. A thread knows the queue that it works for but not the pass, so that a pass that is used up,
closed or forgotten ends its threads.
"""

import contextvars
import math
import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from cornu.data.elements import Element
from cornu.data.passes import Pass, State, mapped
from cornu.data.prefetch import Prefetch
from cornu.data.readers import Reader

AUTOTUNE = -1
"""Leaves the number of threads, or of elements made ahead, to the data set."""

_MARKED = 8  # elements from one mark of a reader to the next


_TRIED = 4  # elements that tell how long a function takes
_QUICK = 1e-4  # seconds: a function that takes less gains nothing from threads


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


class ParallelMap(Forward):
    """A user's function of several elements at a time.

    Args:
        upstream: what is read.
        function: the function.
        owner: the step, for messages.
        threads: calls at a time; `AUTOTUNE` for as many as there are processors, or one if the function is quick.
    """

    def __init__(self, upstream: Pass, function: Callable, owner: str, threads: int):
        super().__init__(upstream)
        self.function, self.owner = function, owner
        self.threads = (os.cpu_count() or 1) if threads == AUTOTUNE else threads
        self._seconds: float | None = math.inf if threads == AUTOTUNE else None  # the quickest of the first calls
        self._waiting: deque[Future] = deque()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="cornu-map")
        self._end = weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)

    def __next__(self) -> Element:
        if self._seconds is not None and (self.done < _TRIED or self._seconds < _QUICK):
            return self._call_here()
        self._submit()
        if not self._waiting:
            self._end()
            raise StopIteration
        future = self._waiting.popleft()
        self._move_on()
        return future.result()

    def _call_here(self) -> Element:
        element = next(self.reader)
        start = time.perf_counter()
        self._move_on()
        made = mapped(self.function, element, self.owner, self.done - 1)
        self._seconds = min(self._seconds or math.inf, time.perf_counter() - start)
        return made

    def _submit(self) -> None:
        while len(self._waiting) < 2 * self.threads:
            index = self.reader.count
            try:
                element = next(self.reader)
            except StopIteration:
                return
            run = contextvars.copy_context().run
            self._waiting.append(self._pool.submit(run, mapped, self.function, element, self.owner, index))


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
