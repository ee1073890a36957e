"""The CRC-32 of a file that is written piece by piece, made while the disk takes the pieces.

The sums of two pieces make the sum of both: bits are coefficients of a polynomial, a piece behind another multiplies
the first one's by a power of x, and all is taken modulo the polynomial of CRC-32.
"""

import functools
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_LARGE = 2**20  # bytes from which on a piece has a sum of its own
_BLOCK = 2**20
_POLYNOMIAL, _ONE = 0xEDB88320, 1 << 31  # the highest bit is the coefficient of 1


class Sums:
    """What is known of the sums of a file's pieces."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}  # where a piece begins: its length and its sum

    @contextmanager
    def of(self, at: int, data: memoryview) -> Iterator[None]:
        """Scope in which `data` is written at `at`; its sum is made meanwhile, where that pays."""
        end = at + len(data)
        self._known = {s: piece for s, piece in self._known.items() if s >= end or s + piece[0] <= at}
        if len(data) < _LARGE:
            yield
            return
        with ThreadPoolExecutor(1) as pool:
            total = pool.submit(zlib.crc32, data)
            yield
            self._known[at] = len(data), total.result()

    def total(self, file: object, start: int, size: int) -> int:
        """The sum of the `size` bytes of `file` from `start` on; only those whose sum is not known are read."""
        total = at = 0
        for begin, (length, known) in (*sorted(self._known.items()), (size, (0, 0))):
            total = _read(file, start + at, begin - at, total)
            total = joined(total, known, length)
            at = begin + length
        return total


def _read(file: Any, start: int, size: int, total: int) -> int:
    file.seek(start)
    block = memoryview(bytearray(min(_BLOCK, size)))
    while size > 0 and (count := file.readinto(block[: min(size, _BLOCK)])):
        total, size = zlib.crc32(block[:count], total), size - count
    return total


def joined(first: int, second: int, length: int) -> int:
    """The sum of two pieces, of which the second has `length` bytes."""
    power, square = _ONE, 3  # x^(2^3) stands for one byte
    while length:
        power = _times(_power(square), power) if length & 1 else power
        length, square = length >> 1, square + 1
    return _times(power, first) ^ second


@functools.cache
def _power(square: int) -> int:
    """x^(2^square)."""
    return 1 << 30 if square == 0 else _times(_power(square - 1), _power(square - 1))


def _times(a: int, b: int) -> int:
    """The product of two polynomials."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product
