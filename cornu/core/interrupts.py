"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever it happens to be. Where no error can be raised, as in the callbacks of weak
references that h5py keeps for every object in a file, or those that JAX adds to the garbage collector, it prints it and
forgets it: a training would go on. So a file is written with Ctrl-C `held` back, and in a training, where it must act
at once, one that was forgotten is noticed (`kept`) and raised at the end of the step (`raise_forgotten`).
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
    """Raise the KeyboardInterrupt that Python forgot in the present scope of `kept`, if there was one."""
    if _forgotten.came:
        _forgotten.came = False
        raise KeyboardInterrupt


@contextmanager
def kept() -> Iterator[None]:
    """Scope that notices when Python forgets a KeyboardInterrupt, and raises it at its end at the latest.

    Other threads, which get no signals, are left alone.
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
    """Scope at whose end a Ctrl-C is raised that came in it; a second one is raised at once.

    Handlers of the program's own, and other threads, which get no signals, are left alone.
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
    """Scope in which the first of some signals is noted, and a second one acts as it did before.

    Other threads get no signals.

    Args:
        note: told the number of the first signal.
        numbers: the signals.
        replaced: the handlers that are replaced; others, those of the program's own, are left alone.
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
