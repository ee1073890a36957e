"""The CRC-32 of a file that is written piece by piece, computed while the pieces are written.

The checksums of two pieces combine into that of both: bits are coefficients of a polynomial, appending a piece
multiplies the first checksum by a power of x, and everything is modulo the CRC-32 polynomial.
"""

import functools
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_LARGE = 2**20  # bytes from which a piece is checksummed separately
_BLOCK = 2**20
_POLYNOMIAL, _ONE = 0xEDB88320, 1 << 31  # the highest bit is the coefficient of 1


class Sums:
    """The known checksums of a file's pieces."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}  # offset of a piece: its length and its checksum

    @contextmanager
    def of(self, at: int, data: memoryview) -> Iterator[None]:
        """Context in which `data` is written at `at`; its checksum is computed concurrently if worthwhile."""
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
        """The checksum of the `size` bytes of `file` from `start`; only bytes without a known checksum are read."""
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
    """The checksum of two concatenated pieces, the second of which has `length` bytes."""
    power, square = _ONE, 3  # x^(2^3) shifts by one byte
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
