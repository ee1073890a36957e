"""Extracting archives to a directory of their own, and nowhere else.

A member must not have a path outside the directory, nor be a link or a device, and together they must not claim more
space than the size of their archive allows, what a file system needs for each file and directory included.
"""

import bz2
import contextlib
import errno
import functools
import gzip
import itertools
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from cornu.core.typing import AnyFunction
from cornu.saving import plain_zip
from cornu.saving.plain_h5 import MOST_PACKED

_MOST_MEMBERS = 1_000_000
_ENTRY, _ANYWAY = 2**12, 2**22  # bytes on disk for each file and directory; for all of them, what any archive may take
_AT_ONCE = 2**20  # bytes, more than the size of any tar header
_PACKED: dict[bytes, AnyFunction] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error, RuntimeError,
    OverflowError, OSError,
)  # fmt: skip
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)


def unpack(path: Path, folder: Path, formats: str | Sequence[str] | None, again: bool = False) -> None:
    """Extract an archive's members to a directory, unless it exists already.

    Args:
        path: the archive.
        folder: the directory, which contains nothing else.
        formats: `"auto"`, `"tar"`, `"zip"`, a list of the latter two, or None for none.
        again: whether to extract even if the directory exists.
    """
    if folder.is_dir() and not again:
        return
    opened = _open(path, formats)
    if opened is None:
        raise ValueError(f"{path} is not an archive of the formats {formats!r}.")
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with opened as archive:
            _write(path, archive, temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except _DAMAGE as error:
        if getattr(error, "errno", None) in _OF_THE_DISK:
            raise
        raise ValueError(f"{path} is damaged, or its members are inconsistent: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _open(path: Path, formats: str | Sequence[str] | None) -> AbstractContextManager[object] | None:
    wanted = ("tar", "zip") if formats == "auto" else (formats,) if isinstance(formats, str) else tuple(formats or ())
    if "tar" in wanted and _is_tar(path):
        return _tar(path)
    if "zip" in wanted and zipfile.is_zipfile(path):
        return plain_zip.opened(path, str(path))
    return None


def _is_tar(path: Path) -> bool:
    try:
        with _tar(path):
            return True
    except (ValueError, *_DAMAGE):
        return False


@contextlib.contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive, decompressed on the fly if needed."""
    with open(path, "rb") as file:
        start = file.read(6)
    unpack = next((opener for mark, opener in _PACKED.items() if start.startswith(mark)), open)
    with unpack(path, "rb") as stream, tarfile.open(fileobj=cast(IO[bytes], _Careful(stream)), mode="r:") as archive:
        yield archive


class _Careful:
    """A stream that limits the size of single reads, whatever a header claims."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        """The next bytes."""
        if not 0 <= size <= _AT_ONCE:
            raise ValueError(f"A header of the archive claims a size of {size} bytes, which is not allowed.")
        return self._stream.read(size)


def _write(path: Path, archive: object, folder: Path) -> None:
    room = path.stat().st_size * MOST_PACKED + _ANYWAY
    for count, (name, size, is_folder, source) in enumerate(_members(path, archive)):
        place = folder / _inside(path, name)
        missing = _missing(place if is_folder else place.parent)
        room -= size + _ENTRY * (len(missing) + (not is_folder))
        if room < 0 or count >= _MOST_MEMBERS:
            raise ValueError(f"{path} claims to contain more than an archive of its size can. It was not extracted.")
        for directory in reversed(missing):
            directory.mkdir()
        if is_folder:
            continue
        with source() as member, open(place, "xb") as file:
            _copy(member, file, size, path)


def _missing(directory: Path) -> list[Path]:
    """A directory and those that it is in, the innermost first, as far as they do not exist."""
    return list(itertools.takewhile(lambda place: not place.is_dir(), (directory, *directory.parents)))


def _members(path: Path, archive: Any) -> Iterator[tuple[str, int, bool, Callable[[], Any]]]:
    """(name, size, whether it is a directory, function that opens it) of each member."""
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{path}: the member {info.filename!r} is a link or a device, which is not allowed.")
            yield info.filename, info.file_size, info.is_dir(), functools.partial(_of_zip, archive, info)
    else:
        for info in archive:
            archive.members = []  # keeps no list of members
            if not (info.isreg() or info.isdir()):
                raise ValueError(f"{path}: the member {info.name!r} is a link or a device, which is not allowed.")
            yield info.name, info.size, info.isdir(), functools.partial(archive.extractfile, info)


def _of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    plain_zip.check(info, str(archive.filename))
    return archive.open(info)


def _inside(path: Path, name: str) -> PurePosixPath:
    """A member's name, if it is inside the directory."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
        raise ValueError(f"{path}: the member {name!r} would be written outside the archive's directory.")
    return place


def _copy(member: Any, file: Any, size: int, path: Path) -> None:
    """Write `size` bytes, and no more than were declared."""
    while size > 0 and (chunk := member.read(min(size, _AT_ONCE))):
        file.write(chunk)
        size -= len(chunk)
    if size or member.read(1):
        raise ValueError(f"{path} is damaged: a member does not have its declared size.")
