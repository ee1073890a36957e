"""TFRecord files: `tf.io.TFRecordWriter` and `tf.data.TFRecordDataset`.

    length (8 bytes) | its checksum (4) | record | its checksum (4)

A checksum is a CRC-32C, rotated by 15 bits, plus a constant. That of a long record is computed in NumPy for many blocks
at once: a CRC is the exclusive or of the CRCs of the parts, each advanced over the zero bytes that stand for what
follows it.

Sources: https://www.tensorflow.org/tutorials/load_data/tfrecord; Castagnoli et al., "Optimization of cyclic redundancy
codes", IEEE Transactions on Communications, 1993.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from cornu.tensorflow.errors import DataLossError
from cornu.tensorflow.texts import text

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, with its bits reversed
_STRETCH = 128  # bytes processed one after another
_LONG = 16 * _STRETCH  # bytes from which blocks pay off


# ---------------------------------------------------------------- checksums


@cache
def _table() -> np.ndarray:
    """The remainder of each byte after eight zero bits."""
    rest = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        rest = np.where(rest & 1, rest >> 1 ^ np.uint32(_POLYNOMIAL), rest >> 1)
    return rest


@cache
def _plain_table() -> list[int]:
    return _table().tolist()


@cache
def _moved_on(exponent: int) -> np.ndarray:
    """The remainder of each byte of a remainder after 2**exponent zero bytes, shape (4, 256)."""
    if exponent == 0:
        low, others = _table(), np.arange(256, dtype=np.uint32)
        return np.stack([low, others, others << 8, others << 16])
    before = _moved_on(exponent - 1)
    return _past(before, before)


def _past(table: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The remainders, advanced over the zero bytes of a table."""
    return table[0][rest & 255] ^ table[1][rest >> 8 & 255] ^ table[2][rest >> 16 & 255] ^ table[3][rest >> 24]


def crc32c(data: bytes) -> int:
    """The CRC-32C of bytes."""
    if len(data) >= _LONG:
        return _of_stretches(data)
    table, rest = _plain_table(), 0xFFFFFFFF
    for byte in data:
        rest = table[(rest ^ byte) & 255] ^ rest >> 8
    return rest ^ 0xFFFFFFFF


def _of_stretches(data: bytes) -> int:
    count = _power_of_two(-(-len(data) // _STRETCH))
    steps = _power_of_two(-(-len(data) // count))
    whole = np.zeros(count * steps, np.uint8)
    start = whole.size - len(data)  # leading zeros change nothing
    whole[start:] = np.frombuffer(data, np.uint8)
    whole[start : start + 4] ^= 0xFF
    table, rest = _table(), np.zeros(count, np.uint32)
    for column in whole.reshape(count, steps).T.astype(np.uint32):
        rest = table[(rest ^ column) & 255] ^ rest >> 8
    exponent = steps.bit_length() - 1
    while len(rest) > 1:
        rest = _past(_moved_on(exponent), rest[::2]) ^ rest[1::2]
        exponent += 1
    return int(rest[0]) ^ 0xFFFFFFFF


def _power_of_two(number: int) -> int:
    """The smallest power of two that is at least a number."""
    return 1 << (number - 1).bit_length()


def masked(data: bytes) -> int:
    """The checksum that stands in files."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# ---------------------------------------------------------------- files


class TFRecordOptions:
    """Options of a TFRecord file.

    Args:
        compression_type: "GZIP", "ZLIB", or "" or None for neither.
        compression_level: compression level, from 0 to 9.
        flush_mode, input_buffer_size, output_buffer_size, window_bits, compression_method, mem_level,
            compression_strategy: hints to TensorFlow's writer, ignored.
    """

    def __init__(
        self, compression_type: object = None, flush_mode: object = None, input_buffer_size: object = None,
        output_buffer_size: object = None, window_bits: object = None, compression_level: int | None = None,
        compression_method: object = None, mem_level: object = None, compression_strategy: object = None,
    ):  # fmt: skip
        self.compression_type, self.compression_level = compression_of(compression_type), compression_level


def compression_of(kind: object) -> str:
    """The name of a compression type: "", "GZIP" or "ZLIB"."""
    kind = getattr(kind, "compression_type", kind)
    name = "" if kind is None else text(kind).item().decode()
    if name not in ("", "GZIP", "ZLIB"):
        raise ValueError(f'compression_type must be "GZIP", "ZLIB", "" or None. Received: {name!r}.')
    return name


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def _path(path: object) -> str:
    return os.fsdecode(path if isinstance(path, os.PathLike) else text(path).item())


class TFRecordWriter:
    """Writes a TFRecord file; `close()`, or leaving a `with` block, completes it.

    Args:
        path: the file, which is overwritten.
        options: `TFRecordOptions`, or the name of a compression type.

    Example:

        with tf.io.TFRecordWriter("numbers.tfrecord") as writer:
            writer.write(example.SerializeToString())
    """

    def __init__(self, path: object, options: object = None):
        kind, level = compression_of(options), getattr(options, "compression_level", None)
        level = -1 if level is None else int(level)
        self._file: Any = os.fdopen(os.open(_path(path), _NEW, 0o666), "wb")
        self._press = zlib.compressobj(level, wbits={"GZIP": 31, "ZLIB": 15}[kind]) if kind else None

    def write(self, record: bytes) -> None:
        """Write one record."""
        data = record if isinstance(record, bytes) else text(record).item()
        length = struct.pack("<Q", len(data))
        self._put(length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data)))

    def _put(self, data: bytes) -> None:
        if self._file is None:
            raise ValueError("TFRecordWriter: the file is closed.")
        self._file.write(data if self._press is None else self._press.compress(data))

    def flush(self) -> None:
        """Flush the file."""
        if self._press is not None:
            self._file.write(self._press.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.write(b"" if self._press is None else self._press.flush())
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Unpressed:
    """A file compressed by zlib, decompressed piece by piece."""

    def __init__(self, file: BinaryIO):
        self._file, self._press, self._left = file, zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        """This many bytes, or those that remain."""
        while len(self._left) < size and (piece := self._file.read(1 << 16)):
            self._left += self._press.decompress(piece)
        found, self._left = self._left[:size], self._left[size:]
        return found


_OPENED: dict[str, Callable[[BinaryIO], Any]] = {
    "": lambda file: file, "GZIP": lambda file: gzip.GzipFile(fileobj=file), "ZLIB": _Unpressed,
}  # fmt: skip
_PIECE = 1 << 20  # bytes read at a time: memory is never allocated on the word of a length in a file


def _exactly(file: Any, size: int) -> bytes:
    """This many bytes, or those that remain."""
    found = []
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        found.append(piece)
        size -= len(piece)
    return b"".join(found)


def records_of(path: str, compression: str) -> Iterator[bytes]:
    """The records of a file, with verified checksums."""
    with Path(path).open("rb") as plain:
        file = _OPENED[compression](plain)
        while head := _exactly(file, 12):
            if len(head) < 12 or masked(head[:8]) != int.from_bytes(head[8:], "little"):
                raise DataLossError(
                    f"{path}: the length of a record is damaged. Is it a TFRecord file, and is compression_type the "
                    "one that it was written with?"
                )
            length = int.from_bytes(head[:8], "little")
            record = _exactly(file, length)
            if len(record) < length or masked(record).to_bytes(4, "little") != _exactly(file, 4):
                raise DataLossError(f"{path}: a record of {length} bytes is damaged or truncated.")
            yield record


def lines_of(path: str, compression: str) -> Iterator[bytes]:
    """The lines of a file, without their ends."""
    with Path(path).open("rb") as plain:
        file, rest = _OPENED[compression](plain), b""
        while piece := file.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.removesuffix(b"\r") for line in lines)
        if rest:
            yield rest


def pieces_of(path: str, compression: str, size: int, header: int, footer: int) -> Iterator[bytes]:
    """The fixed-size records of a file, without its header and footer."""
    with Path(path).open("rb") as plain:
        file = _OPENED[compression](plain)
        _exactly(file, header)
        held = _exactly(file, size + footer)
        while len(held) == size + footer:
            yield held[:size]
            held = held[size:] + _exactly(file, size)
        if len(held) != footer:
            raise ValueError(f"{path}: {len(held) - footer} bytes are left after the last record of {size} bytes.")
