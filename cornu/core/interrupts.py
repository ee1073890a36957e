"""Ctrl-C that waits for the end of what it must not be lost in.

Python raises KeyboardInterrupt wherever it happens to be. Where no error can be raised, as in the callbacks of weak
references that h5py keeps for every object in a file, it prints it and forgets it: a training would go on.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def held() -> Iterator[None]:
    """Scope at whose end a Ctrl-C is raised that came in it; a second one is raised at once.

    Handlers of the program's own, and other threads, which get no signals, are left alone.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        if came:
            signal.default_int_handler(number, frame)
        came.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt
