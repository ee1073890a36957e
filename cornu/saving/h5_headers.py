"""Parsing of HDF5 object headers, for what HDF5 itself does not check before it allocates memory.

A variable-length string is stored in an attribute as its length and its location. HDF5 first allocates memory of that
length and only then looks for the string. Here the lengths are read without HDF5.

Format: https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from cornu.errors import DamagedFileError

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_SHARED = 2  # the flag of a message that is stored elsewhere
_REFERENCE = 16  # bytes of a string's length, its heap's address, and its index there
_MOST_MESSAGES = 2**18


class _Message(NamedTuple):
    kind: int
    flags: int
    body: bytes


def text_lengths(stream: object, base: int, address: int, name: str, count: int) -> list[int]:
    """The lengths that the strings of an attribute claim to have.

    Args:
        stream: the file's bytes.
        base: offset that addresses are relative to.
        address: address of the object's header.
        name: the attribute.
        count: number of strings in the attribute.

    Raises:
        ValueError: if the header is damaged, or stores the attribute in an unsupported way.
    """
    lengths = []
    for message in _messages(stream, base, address):
        if message.kind == _ATTRIBUTE and not message.flags & _SHARED:
            title, data = _attribute(message.body)
            if title == name.encode():
                lengths += [data[at : at + 4] for at in range(0, count * _REFERENCE, _REFERENCE)]
    if not lengths or any(len(length) < 4 for length in lengths):
        raise DamagedFileError(
            f"The HDF5 file stores the string of the attribute {name!r} in an unusual place, which is not supported."
        )
    return [int.from_bytes(length, "little") for length in lengths]


def _attribute(body: bytes) -> tuple[bytes, bytes]:
    """(name, data) of an attribute's message."""
    if len(body) < 9 or body[0] not in (1, 2, 3):
        return b"", b""
    sizes = struct.unpack_from("<HHH", body, 2)  # of name, datatype and dataspace
    start = 9 if body[0] == 3 else 8
    held = [-(-size // 8) * 8 for size in sizes] if body[0] == 1 else sizes
    return body[start : start + sizes[0]].split(b"\0")[0], body[start + sum(held) :]


def _messages(stream: object, base: int, address: int) -> Iterator[_Message]:
    """The messages of an object's header, all of its blocks."""
    head = _bytes(stream, base + address, 40)
    if head.startswith(b"OHDR"):
        flags = head[5]
        at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        blocks = [(base + address + at + width, int.from_bytes(head[at : at + width], "little"))]
        form, extra, frame = "<BHB", 2 if flags & 4 else 0, 4  # later blocks have a signature and a checksum
    else:
        blocks = [(base + address + 16, int.from_bytes(head[8:12], "little"))]
        form, extra, frame = "<HHB", 3, 0
    count = 0
    while blocks:
        start, size = blocks.pop()
        block = _bytes(stream, start, size)
        at, ahead = 0, struct.calcsize(form) + extra
        while at + ahead <= len(block):
            kind, length, flags = struct.unpack_from(form, block, at)
            body = block[at + ahead : at + ahead + length]
            at += ahead + length
            count += 1
            if count > _MOST_MESSAGES:
                raise DamagedFileError("The HDF5 file is damaged: the header of an object has no end.")
            if kind == _CONTINUATION and len(body) >= 16:
                place, size = struct.unpack_from("<QQ", body)
                blocks.append((base + place + frame, size - 2 * frame))
            yield _Message(kind, flags, body)


def _bytes(stream: Any, at: int, size: int) -> bytes:
    """Bytes of the file, or an error if there are too few."""
    end = stream.seek(0, 2)
    if not 0 <= at <= end or size < 0:
        raise DamagedFileError("The HDF5 file is damaged: the header of an object is outside the file.")
    stream.seek(at)
    return stream.read(min(size, end - at))
