"""Safe reading of zip archives, and writing in place.

An archive can name a member twice, list millions of them, or claim more bytes than it contains; all of that is rejected
before memory is allocated. An uncompressed member is read in place, without a copy, and is written in place, too.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from cornu.core import budget
from cornu.errors import DamagedFileError
from cornu.saving.checksum import Sums
from cornu.saving.plain_h5 import MOST_PACKED, Part

_MOST_LISTED = 2**24  # bytes of the central directory:  about two hundred thousand members
_BLOCK = 2**20  # bytes
_END, _END_64 = b"PK\5\6", b"PK\6\6"
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


@contextmanager
def opened(path: str | os.PathLike[str], name: str) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, for reading; `name` is its name in error messages.

    Raises:
        ValueError: if it is not an archive, uses unsupported features, or is damaged.
    """
    if not os.path.isfile(path):  # opening a pipe would block until someone writes to it
        raise ValueError(f"{name} is not a file.")
    with open(path, "rb") as file:
        budget.opened(os.path.getsize(path))
        _check_table(file, name)
        with _damage_told(name), zipfile.ZipFile(file) as archive:
            _check_members(archive.infolist(), file.seek(0, io.SEEK_END), name)
            yield archive


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    """Report errors caused by a damaged archive as damage."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, OverflowError) as error:
        raise DamagedFileError(f"{name} is damaged: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # an offset before the start of the file
            raise
        raise DamagedFileError(f"{name} is damaged: {error}") from error


def _check_table(file: BinaryIO, name: str) -> None:
    """Reject a file that only ends like an archive, and one whose central directory would exhaust memory."""
    starts_like_one = file.read(2) == b"PK"
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2**16 - 200))
    tail = file.read()
    ends = [(_END, 12, "<L"), (_END_64, 40, "<Q")]
    listed = [
        struct.unpack_from(form, tail, at + offset)[0]
        for mark, offset, form in ends
        for at in [tail.rfind(mark)]
        if 0 <= at <= len(tail) - offset - 8
    ]
    if not (listed and starts_like_one):
        raise DamagedFileError(f"{name} is not a zip archive, or it is truncated.")
    if max(n for n in listed if n != 0xFFFFFFFF or len(listed) == 1) > _MOST_LISTED:
        raise DamagedFileError(f"{name} lists more members than any model has. It was not read.")


def _check_members(members: list[zipfile.ZipInfo], size: int, name: str) -> None:
    """Reject members with the same name or overlapping data."""
    twice = [one for one, times in Counter(member.filename for member in members).most_common(1) if times > 1]
    if twice:
        raise DamagedFileError(f"{name} has several members named {twice[0]!r}, so it is ambiguous.")
    if not all(member.filename for member in members):
        raise DamagedFileError(f"{name} has a member without a name.")
    claimed = sum(member.compress_size for member in members)
    if claimed > size:
        raise DamagedFileError(f"The members of {name} claim {claimed} bytes, but the file has {size}.")


def check(member: zipfile.ZipInfo, name: str) -> None:
    """Reject a member that claims more than its data can decompress to, or is compressed in an unsupported way.

    Raises:
        ValueError: if so.
    """
    if member.compress_type not in _PLAIN or member.flag_bits & _ENCRYPTED:
        raise DamagedFileError(
            f"{member.filename} in {name} is encrypted or compressed in an unusual way, which is not supported."
        )
    most = member.compress_size * (MOST_PACKED if member.compress_type == zipfile.ZIP_DEFLATED else 1)
    if member.file_size > most:
        raise DamagedFileError(
            f"{member.filename} in {name} claims {member.file_size} bytes, more than its {member.compress_size} bytes "
            "in the "
            "archive can decompress to."
        )


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    """The contents of a member.

    Raises:
        ValueError: if they are damaged, or use unsupported features.
    """
    check(member, name)
    budget.take("objects", member.file_size, f"{member.filename} in {name}")
    with _damage_told(name):
        return archive.read(member)


@contextmanager
def as_file(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Iterator[object]:
    """A member as a file open for reading: in place if it is not compressed, otherwise decompressed to disk."""
    check(member, name)
    if member.compress_type == zipfile.ZIP_STORED:
        _check_sum(archive, member)
        yield Part(archive.fp, _start(archive, member), member.file_size)
        return
    with tempfile.TemporaryFile() as unpacked, archive.open(member) as packed:
        shutil.copyfileobj(packed, unpacked, _BLOCK)
        yield unpacked


def _check_sum(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read a member once, which fails if it is damaged."""
    with archive.open(member) as file:
        while file.read(_BLOCK):
            pass


def _start(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """The offset of a member's data: after its header, its name and extra fields."""
    file = cast(IO[bytes], archive.fp)  # the archive is open
    file.seek(member.header_offset + 26)
    return member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))


def plain_name(name: str) -> str:
    """`name`, if it is the name of a file inside a directory, not a path that leads out of it.

    Raises:
        ValueError: otherwise.
    """
    place = PurePosixPath(name.replace("\\", "/"))
    if place.name != name or name in (".", "..") or ":" in name or "\0" in name:
        raise ValueError(f"The file name {name!r} leads out of its directory, which is not allowed.")
    return name


@contextmanager
def written(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[object, int, Sums]]:
    """(file, start, sums): the data of a new member is written directly to the archive's file from `start`.

    A member's size and checksum precede its data, and are filled in at the end.
    """
    file, sums = cast(IO[bytes], archive.fp), Sums()
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o600 << 16
    member.CRC = member.file_size = member.compress_size = 0
    member.header_offset = file.seek(archive.start_dir)
    file.write(member.FileHeader(zip64=True))
    start = file.tell()
    yield file, start, sums
    end = file.seek(0, io.SEEK_END)
    member.file_size = member.compress_size = end - start
    member.CRC = sums.total(file, start, end - start)
    file.seek(member.header_offset)
    file.write(member.FileHeader(zip64=True))
    archive.filelist.append(member)
    archive.NameToInfo[name] = member
    archive.start_dir = file.seek(end)
