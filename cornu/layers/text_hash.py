"""Hashes of strings as 64-bit numbers, the same on every machine: FarmHash's fingerprint, and SipHash with a key.

Strings of the same length are hashed together: they form a table of bytes, one row per string, and each step of the
hash runs on all rows at once. The arithmetic is that of unsigned 64-bit integers, which wraps around.

Papers: https://github.com/google/farmhash; Aumasson & Bernstein, "SipHash: a fast short-input PRF", 2012.
"""

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["cross", "fingerprints", "keyed_hashes", "remainders"]

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CROSS_START, _CROSS_FACTOR = 0xDECAFCAFFE, 0xC6A4A7935BD1E995

Words = np.ndarray  # of uint64, one per string


def fingerprints(texts: Sequence[bytes]) -> Words:
    """FarmHash's `Fingerprint64` of each string."""
    return _by_length(texts, _fingerprint)


def keyed_hashes(texts: Sequence[bytes], key: Sequence[int]) -> Words:
    """SipHash-2-4 of each string with a key of two integers."""
    return _by_length(texts, lambda table: _siphash(table, [part & _MASK for part in key]))


def remainders(hashes: Words, number: int) -> np.ndarray:
    """`hashes % number` as signed integers."""
    return (hashes % np.uint64(number)).astype("int64")


def cross(columns: Sequence[Words]) -> Words:
    """One hash for each row of several columns of hashes."""
    crossed = np.full(len(columns[0]), _CROSS_START, "uint64")
    for column in columns:
        crossed = (crossed ^ _CROSS_FACTOR) ^ (_shift_mix(column * _CROSS_FACTOR) * _CROSS_FACTOR)
        crossed = _shift_mix(_shift_mix(crossed * _CROSS_FACTOR) * _CROSS_FACTOR)
    return crossed


def _by_length(texts: Sequence[bytes], function: Callable[[np.ndarray], Words]) -> Words:
    lengths = np.fromiter(map(len, texts), "int64", len(texts))
    hashes = np.empty(len(texts), "uint64")
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        table = np.frombuffer(b"".join([texts[row] for row in rows.tolist()]), "uint8").reshape(len(rows), length)
        hashes[rows] = function(table)
    return hashes


def _word(table: np.ndarray, start: int, size: int = 8) -> Words:
    """`size` bytes starting at `start` (from the end, if negative), as little-endian numbers."""
    start = start % table.shape[1]
    part = np.ascontiguousarray(table[:, start : start + size])
    return part.view(f"<u{size}")[:, 0].astype("uint64")


def _rotate_right(x: Words, bits: int) -> Words:
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


def _rotate_left(x: Words, bits: int) -> Words:
    return _rotate_right(x, 64 - bits)


def _shift_mix(x: Words) -> Words:
    return x ^ (x >> np.uint64(47))


# ---------------------------------------------------------------- FarmHash


def _fingerprint(table: np.ndarray) -> Words:
    """The variant of the hash that applies to the strings' length."""
    length = table.shape[1]
    for most, form in ((0, _farm_empty), (3, _farm_3), (7, _farm_7), (16, _farm_16), (32, _farm_32), (64, _farm_64)):
        if length <= most:
            return form(table, (_K2 + 2 * length) & _MASK)
    return _farm_long(table)


def _mix(u: Words, v: Words, factor: int | Words) -> Words:
    a = _shift_mix((u ^ v) * factor)
    return _shift_mix((v ^ a) * factor) * factor


def _farm_empty(table: np.ndarray, factor: int) -> Words:
    return np.full(len(table), _K2, "uint64")


def _farm_3(table: np.ndarray, factor: int) -> Words:
    length = table.shape[1]
    first, middle, last = (table[:, place].astype("uint64") for place in (0, length // 2, length - 1))
    y = first + middle * 256
    z = last * 4 + length
    return _shift_mix((y * _K2) ^ (z * _K0)) * _K2


def _farm_7(table: np.ndarray, factor: int) -> Words:
    return _mix(_word(table, 0, 4) * 8 + table.shape[1], _word(table, -4, 4), factor)


def _farm_16(table: np.ndarray, factor: int) -> Words:
    a, b = _word(table, 0) + _K2, _word(table, -8)
    c = _rotate_right(b, 37) * factor + a
    d = (_rotate_right(a, 25) + b) * factor
    return _mix(c, d, factor)


def _farm_32(table: np.ndarray, factor: int) -> Words:
    a, b = _word(table, 0) * _K1, _word(table, 8)
    c, d = _word(table, -8) * factor, _word(table, -16) * _K2
    return _mix(
        _rotate_right(a + b, 43) + _rotate_right(c, 30) + d, a + _rotate_right(b + _K2, 18) + c, factor
    )  # fmt: skip


def _farm_64(table: np.ndarray, factor: int) -> Words:
    a, b = _word(table, 0) * _K2, _word(table, 8)
    c, d = _word(table, -8) * factor, _word(table, -16) * _K2
    y = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    z = _mix(y, a + _rotate_right(b + _K2, 18) + c, factor)
    e, f = _word(table, 16) * factor, _word(table, 24)
    g, h = (y + _word(table, -32)) * factor, (z + _word(table, -24)) * factor
    return _mix(
        _rotate_right(e + f, 43) + _rotate_right(g, 30) + h, e + _rotate_right(f + a, 18) + g, factor
    )  # fmt: skip


class _Long:
    """The state of the hash of strings longer than 64 bytes, which processes 64 bytes at a time."""

    def __init__(self, table: np.ndarray):
        self.table = table
        zeros = np.zeros(len(table), "uint64")
        self.x = zeros + (81 * _K2 & _MASK) + _word(table, 0)
        self.y = zeros + ((81 * _K1 + 113) & _MASK)
        self.z = _shift_mix(self.y * _K2 + 113) * _K2
        self.v, self.w = (zeros, zeros), (zeros, zeros)

    def step(self, start: int, factor: int | Words, weight: int = 1) -> None:
        """Process the 64 bytes starting at `start`."""
        part = self.table[:, start : start + 64]
        x = _rotate_right(self.x + self.y + self.v[0] + _word(part, 8), 37) * factor ^ self.w[1] * weight
        y = _rotate_right(self.y + self.v[1] + _word(part, 48), 42) * factor + self.v[0] * weight + _word(part, 40)
        z = _rotate_right(self.z + self.w[0], 33) * factor
        self.v = _weak_pair(part[:, :32], self.v[1] * factor, x + self.w[0])
        self.w = _weak_pair(part[:, 32:], z + self.w[1], y + _word(part, 16))
        self.x, self.y, self.z = z, y, x


def _weak_pair(part: np.ndarray, a: Words, b: Words) -> tuple[Words, Words]:
    w, x, y, z = (_word(part, start) for start in (0, 8, 16, 24))
    a = a + w
    b = _rotate_right(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + _rotate_right(a, 44) + c


def _farm_long(table: np.ndarray) -> Words:
    length = table.shape[1]
    state = _Long(table)
    for start in range(0, length - 64, 64):
        state.step(start, _K1)
    factor = (state.z & 0xFF) * 2 + _K1
    (v0, v1), (w0, w1) = state.v, state.w
    w0 = w0 + (length - 1) % 64
    v0 = v0 + w0
    state.v, state.w = (v0, v1), (w0 + v0, w1)
    state.step(length - 64, factor, weight=9)
    first = _mix(state.v[0], state.w[0], factor) + _shift_mix(state.y) * _K0 + state.z
    return _mix(first, _mix(state.v[1], state.w[1], factor) + state.x, factor)


# ---------------------------------------------------------------- SipHash


def _siphash(table: np.ndarray, key: Sequence[int]) -> Words:
    rows, length = table.shape
    padded = np.zeros((rows, length // 8 * 8 + 8), "uint8")
    padded[:, :length] = table
    padded[:, -1] = length & 0xFF
    start = b"somepseudorandomlygeneratedbytes"
    state = [
        np.full(rows, int.from_bytes(start[8 * i : 8 * i + 8], "big") ^ key[i % 2], "uint64") for i in range(4)
    ]  # fmt: skip
    for place in range(0, padded.shape[1], 8):
        word = _word(padded, place)
        state[3] = state[3] ^ word
        state = _rounds(state, 2)
        state[0] = state[0] ^ word
    state[2] = state[2] ^ 0xFF
    state = _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rounds(state: list[Words], number: int) -> list[Words]:
    a, b, c, d = state
    for _ in range(number):
        a, c = a + b, c + d
        b, d = _rotate_left(b, 13) ^ a, _rotate_left(d, 16) ^ c
        a, c = _rotate_left(a, 32) + d, c + b
        b, d = _rotate_left(b, 17) ^ c, _rotate_left(d, 21) ^ a
        c = _rotate_left(c, 32)
    return [a, b, c, d]
