"""Safe reading of pickles: numbers, strings, bytes, lists, tuples, dictionaries and NumPy arrays.

A pickle is a program for a small virtual machine that calls whatever it names. Here it is first scanned without being
run: each opcode must be one that creates plain data, and no size or offset in it may be outside its own bytes. Then
Python's unpickler runs it, with stand-ins for the few names that NumPy's arrays consist of; every other name is
rejected. The format is described in Python's module `pickletools`.
"""

import io
import math
import pickle
import re
from typing import Any

import numpy as np

from cornu.core import budget
from cornu.core.typing import AnyFunction, Args, Tensor
from cornu.errors import DamagedFileError

# Opcodes without an argument: integers, floats, empty containers, marks, calls, the memo. Those of long lists of
# numbers
# come first.
_STEPS = re.compile(
    rb"(?:K.|M..|[(NRbae}\])tsu\x85-\x89\x93\x94]|[hq\x80].|[Jj]....|[G\x95].{8})*+", re.DOTALL
)  # fmt: skip
# Strings, bytes and integers of any size: the number of bytes of their length field.
_LENGTHS = {b"U": 1, b"T": 4, b"X": 4, b"\x8c": 1, b"\x8d": 8, b"B": 4, b"C": 1, b"\x8e": 8, b"\x96": 8, b"\x8a": 1}
_NUMBER, _KEEP, _NAME, _END = b"\x8a", b"r", b"c", b"."
_LONGEST_NUMBER = 8  # bytes
_STEP, _CONTAINER = 16, 72  # bytes that Python needs at most for one opcode, and for a list or dictionary
_KINDS = re.compile("b1|[iu][1248]|f[248]|c(8|16)|O[48]?")
_ORDERS = "<>|="


def load(content: bytes, name: str, encoding: str = "ASCII") -> Any:
    """The contents of a pickle.

    Args:
        content: the pickle, of protocol 2 or later.
        name: its name in error messages.
        encoding: encoding of Python 2 strings; "bytes" returns them as bytes.

    Raises:
        ValueError: if it is damaged, creates anything other than plain data, or claims more memory than the load has a
            budget for.

    Example:

        print(load(pickle.dumps({"labels": [3, 8]}), "labels"))  # {'labels': [3, 8]}
    """
    containers = content.count(b"]") + content.count(b"}")
    budget.take("objects", _STEP * len(content) + _CONTAINER * containers, name)
    _check(content, name)
    try:
        value = _Machine(io.BytesIO(content), encoding=encoding).load()
    except Exception as error:  # the unpickler raises many types on inconsistent data
        raise DamagedFileError(f"{name} is damaged, or contains more than plain data: {error}") from error
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else _plain(value)


def _plain(value: object) -> object:
    return value.view(np.ndarray) if isinstance(value, _Array) else value


# ---------------------------------------------------------------- scanning


def _check(content: bytes, name: str) -> None:
    """Scan the opcodes of a pickle, and reject those that plain data does not need."""
    at = 0
    while True:
        at = _STEPS.match(content, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        step = content[at : at + 1]
        if step == _END:
            return
        after = _after(content, at, step)
        if after is None or after > len(content):
            raise DamagedFileError(f"{name} is damaged, or contains more than plain data: byte {at} is {step!r}.")
        at = after


def _after(content: bytes, at: int, step: bytes) -> int | None:
    """The offset of the opcode after the one at `at`; None if it is not allowed."""
    if step in _LENGTHS:
        start = at + 1 + _LENGTHS[step]
        length = int.from_bytes(content[at + 1 : start], "little")
        return None if step == _NUMBER and length > _LONGEST_NUMBER else start + length
    if step == _KEEP:  # the unpickler allocates the memo up to this index
        return at + 5 if int.from_bytes(content[at + 1 : at + 5], "little") < at else None
    if step == _NAME:
        end = content.find(b"\n", content.find(b"\n", at) + 1)
        return end + 1 if end > at else None
    return None


# ---------------------------------------------------------------- execution


class _Machine(pickle.Unpickler):
    """Python's unpickler, restricted to the names in a table."""

    def find_class(self, module: str, name: str) -> "_Callable":
        """The stand-in for a name, a separate one for each file since a file can modify it."""
        function = _NAMES.get((module.replace("numpy.core", "numpy._core"), name))
        if function is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not allowed")
        return _Callable(function)


class _Callable:
    """A function without attributes that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: AnyFunction):
        self._function = function

    def __call__(self, *arguments: object) -> Any:
        return self._function(*arguments)


class _Kind:
    """A dtype of NumPy's, which a pickle first creates without its byte order."""

    __slots__ = ("dtype",)

    def __init__(self, text: str, *flags: object):
        text = text.decode("ascii") if isinstance(text, bytes) else text
        if not _KINDS.fullmatch(text):
            raise ValueError(f"it has an array of dtype {text!r}, which is not numeric")
        self.dtype = np.dtype("O" if text.startswith("O") else text)

    def __setstate__(self, state: Args) -> None:
        _, order, *fields = state
        order = order.decode("ascii") if isinstance(order, bytes) else order
        if order not in _ORDERS or fields[:3] != [None, None, None]:
            raise ValueError("it has an array of an unusual dtype")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]  # one of _ORDERS


class _Array(np.ndarray):
    """An array that a pickle creates empty, and whose shape, dtype and values it sets later."""

    def __setstate__(self, state: Args) -> None:
        _, shape, kind, by_columns, values = state
        _check_values(shape, kind, values)
        super().__setstate__((1, shape, kind.dtype, bool(by_columns), values))  # type: ignore[arg-type]  # as pickles have it


def _check_values(shape: tuple[int, ...], kind: object, values: Tensor) -> None:
    """Reject values that do not fill an array exactly."""
    if not isinstance(kind, _Kind) or not isinstance(values, list if kind.dtype.kind == "O" else (bytes, bytearray)):
        raise ValueError("it has an array whose values are not of its dtype")
    size = 1 if kind.dtype.kind == "O" else kind.dtype.itemsize
    if any(type(length) is not int or length < 0 for length in shape) or math.prod(shape) * size != len(values):
        raise ValueError(f"it has an array of shape {shape} with {len(values) // size} values")


def _empty(*arguments: object) -> _Array:
    return np.empty(0, np.int8).view(_Array)


def _number(kind: _Kind, value: bytes) -> np.generic:
    _check_values((), kind, value)
    return np.frombuffer(value, kind.dtype)[0]


def _filled(values: bytes, kind: _Kind, shape: tuple[int, ...], order: str) -> _Array:
    _check_values(shape, kind, values)
    return np.frombuffer(values, kind.dtype).reshape(shape, order="F" if order == "F" else "C").copy().view(_Array)


def _encoded(text: str, encoding: str) -> bytes:
    """Bytes, which Python 3 writes as a string in protocol 2."""
    if encoding != "latin1":
        raise ValueError(f"it has bytes as a string in {encoding!r}")
    return text.encode("latin1")


_NAMES: dict[tuple[str, str], AnyFunction] = {
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "scalar"): _number,
    ("numpy._core.numeric", "_frombuffer"): _filled,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _empty,
    ("_codecs", "encode"): _encoded,
}
