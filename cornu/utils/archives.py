"""Archives unpacked into a folder of their own, and nowhere else.

A member may neither name a place outside the folder, nor be a link or a device, and all of them together may not claim
more room than their archive's bytes can stand for.
"""

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cornu.saving.plain_h5 import MOST_PACKED

_MOST_MEMBERS = 1_000_000
_ENDING = "_extracted"


def unpack(path: Path, formats: str | Sequence[str] | None, again: bool = False) -> Path:
    """The folder with the archive's members, beside it; unpacked unless it is there already.

    Args:
        path: the archive.
        formats: `"auto"`, `"tar"`, `"zip"`, a list of the latter, or None for none.
        again: whether to unpack even where the folder is there.
    """
    folder = path.with_name(f"{path.name}{_ENDING}")
    if folder.is_dir() and not again:
        return folder
    opened = _open(path, formats)
    if opened is None:
        raise ValueError(f"{path} is no archive of the formats {formats!r}.")
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with opened:
            _write(path, opened, temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _open(path: Path, formats: str | Sequence[str] | None) -> Any:
    wanted = ("tar", "zip") if formats == "auto" else (formats,) if isinstance(formats, str) else tuple(formats or ())
    if "tar" in wanted and tarfile.is_tarfile(path):
        return tarfile.open(path)
    if "zip" in wanted and zipfile.is_zipfile(path):
        return zipfile.ZipFile(path)
    return None


def _write(path: Path, archive: Any, folder: Path) -> None:
    room = path.stat().st_size * MOST_PACKED
    for count, (name, size, is_folder, source) in enumerate(_members(archive)):
        room -= size
        if room < 0 or count >= _MOST_MEMBERS:
            raise ValueError(f"{path} claims to hold more than an archive of its size can. It was not unpacked.")
        place = folder / _inside(path, name)
        if is_folder:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with source() as member, open(place, "xb") as file:
            _copy(member, file, size, path)


def _members(archive: Any) -> Iterator[tuple]:
    """(name, size, whether it is a folder, function that opens it) of each member."""
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{archive.filename}: the member {info.filename!r} is a link or a device: refused.")
            yield info.filename, info.file_size, info.is_dir(), lambda info=info: archive.open(info)
    else:
        for info in archive:
            if not (info.isreg() or info.isdir()):
                raise ValueError(f"{archive.name}: the member {info.name!r} is a link or a device, which is refused.")
            yield info.name, info.size, info.isdir(), lambda info=info: archive.extractfile(info)


def _inside(path: Path, name: str) -> PurePosixPath:
    """A member's name, when it stays within the folder."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
        raise ValueError(f"{path}: the member {name!r} would be written outside the archive's folder: refused.")
    return place


def _copy(member: Any, file: Any, size: int, path: Path) -> None:
    """Write `size` bytes, and no more than were declared."""
    while size > 0 and (chunk := member.read(min(size, 2**20))):
        file.write(chunk)
        size -= len(chunk)
    if size or member.read(1):
        raise ValueError(f"{path} is damaged: a member is not of the size that it declares.")
