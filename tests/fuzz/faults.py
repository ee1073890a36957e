"""Faults on purpose: what no file may make a load do, so that it can be seen that the fuzzer finds it."""

import marshal
import os
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz.seeds import FORMATS, Door, Format

_SECONDS, _BYTES = 0.5, 3 * 2**25  # of processor time and of memory, what a load takes that takes too much


def other_error() -> None:
    raise KeyError("layers")


def no_message() -> None:
    raise ValueError


def steering() -> None:
    raise ValueError("The layer \x1b[2J is not known.")


def opens() -> None:
    Path("/etc/passwd").read_bytes()


def runs() -> None:
    os.system("true")


def function() -> None:
    types.FunctionType(marshal.loads(marshal.dumps(function.__code__)), {})


def memory() -> None:
    np.ones(_BYTES, np.uint8)


def seconds() -> None:
    end = time.process_time() + _SECONDS
    while time.process_time() < end:
        pass


def crash() -> None:
    os.abort()


def _door(fault: Callable[[], None]) -> Door:
    def door(path: Path, name: str) -> None:
        if path.stem == "changed":
            fault()

    door.__name__ = fault.__name__
    return door


def _file(folder: Path) -> dict[str, Path]:
    (folder / "good.bin").write_bytes(b"good")
    return {"": folder / "good.bin"}


FAULTS = tuple(map(_door, (other_error, no_message, steering, opens, runs, function, memory, seconds, crash)))
KINDS = FORMATS | {"faults": Format(_file, FAULTS, "pickle", 1, 2**26, 0.4)}
