"""A Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever it happens to be. Where no exception can propagate, as in the weak-reference
callbacks that h5py keeps for every object in a file, or in those that JAX adds to the garbage collector, Python prints
it and forgets it: training would continue. So Ctrl-C is deferred while a file is written (`held`), and during training,
where it must act immediately, a forgotten one is detected (`kept`) and raised at the end of the step
(`raise_forgotten`).
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class _Forgotten(threading.local):
    came = False


_forgotten = _Forgotten()


def raise_forgotten() -> None:
    """Raise the KeyboardInterrupt that Python forgot in the current scope of `kept`, if any."""
    if _forgotten.came:
        _forgotten.came = False
        raise KeyboardInterrupt


@contextmanager
def kept() -> Iterator[None]:
    """Scope that detects when Python forgets a KeyboardInterrupt, and raises it at the end of the scope at the latest.

    Has no effect in other threads, which get no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    tell = sys.unraisablehook

    def note(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _forgotten.came = True
        else:
            tell(unraisable)

    sys.unraisablehook = note
    try:
        yield
        raise_forgotten()
    finally:
        sys.unraisablehook = tell
        _forgotten.came = False


@contextmanager
def held() -> Iterator[None]:
    """Scope that defers a Ctrl-C to its end; a second one is raised immediately.

    The program's own handlers are left alone, and so are other threads, which get no signals.
    """
    came: list[int] = []
    try:
        with noted(came.append, [signal.SIGINT], [signal.default_int_handler]):
            yield
    finally:
        if came:
            raise KeyboardInterrupt


@contextmanager
def noted(note: Callable[[int], object], numbers: Sequence[int], replaced: Sequence[object]) -> Iterator[None]:
    """Scope that records the first of the given signals; a second one acts as before.

    Other threads get no signals.

    Args:
        note: called with the number of the first signal.
        numbers: the signals.
        replaced: handlers that may be replaced; others, such as the program's own, are left alone.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = {n: signal.getsignal(n) for n in numbers if is_main and signal.getsignal(n) in replaced}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: object) -> None:
        put_back()
        note(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        put_back()
