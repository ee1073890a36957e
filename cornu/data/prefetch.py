"""Prefetching batches in a thread while the device is busy with the current one."""

import contextvars
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from cornu.data.elements import Element


class _Queue:
    """Shared by the thread and its reader; it does not reference the reader, so an abandoned reader ends the thread."""

    def __init__(self, size: int):
        self.size = size
        self.items: deque[Any] = deque()
        self.changed = threading.Condition()
        self.stopped = False
        self.ended = False
        self.error: BaseException | None = None

    def fill(self, iterator: Iterator[Element]) -> None:
        try:
            while self._has_room():
                self._put(next(iterator))
        except StopIteration:
            pass
        except BaseException as error:  # re-raised where the item is needed
            self.error = error
        finally:
            self._close(iterator)
            with self.changed:
                self.ended = True
                self.changed.notify_all()

    def _has_room(self) -> bool:
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or len(self.items) < self.size)
            return not self.stopped

    def _put(self, item: object) -> None:
        with self.changed:
            self.items.append(item)
            self.changed.notify_all()

    def _close(self, iterator: Iterator[Element]) -> None:
        try:
            getattr(iterator, "close", lambda: None)()
        except BaseException as error:  # a failing cleanup is reported like any failure
            self.error = self.error or error

    def get(self) -> Any:
        with self.changed:
            self.changed.wait_for(lambda: self.items or self.ended)
            if self.items:
                item = self.items.popleft()
                self.changed.notify_all()
                return item
            error, self.error = self.error, None
        raise error or StopIteration

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.items.clear()
            self.changed.notify_all()


class Prefetch:
    """Iterates over `iterator` in a thread that prefetches up to `size` items.

    Errors are raised at the item where they occurred. `close()`, leaving a `with` block, the end of the iterator, and
    dropping the object all end the thread, which finishes at most the current item.

    Args:
        iterator: the iterator; if it has a `close` method, that is called in the thread at the end.
        size: number of items to prefetch, at least 1.
    """

    def __init__(self, iterator: Iterable[Element], size: int):
        if size < 1:
            raise ValueError(f"prefetch: size must be at least 1. Received: size={size}.")
        self._queue = _Queue(size)
        arguments = (self._queue.fill, iter(iterator))
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=arguments, name="cornu-prefetch", daemon=True)
        self._stop = weakref.finalize(self, self._queue.stop)
        self._thread.start()

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        try:
            return self._queue.get()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop()
        if self._thread is not threading.current_thread():
            self._thread.join()


def prefetch(iterator: Iterable[Element], size: int = 2) -> Prefetch:
    """Iterate over `iterator` in a thread that prefetches up to `size` items; see `Prefetch`."""
    return Prefetch(iterator, size)
