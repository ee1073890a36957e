"""Atomic file replacement: files are written to a temporary path, flushed to disk, then moved into place.

A replaced file keeps its mode and owner, and a symbolic link stays one, as if the file were written in place.

What a killed writer leaves behind is named `.NAME.….part`; it does no harm, and a later save of the same file removes
it once it is too old for anyone to be still writing it. Ctrl-C is delayed until the file is in place.
"""

import ctypes
import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cornu.core import interrupts

_LEFT = 3600.0  # seconds without a write after which a temporary file counts as abandoned
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HERE, _EXCHANGE = -100, 2  # for Linux's renameat2: AT_FDCWD and RENAME_EXCHANGE


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces `path` if the block ends without an error."""
    path = _linked(path)
    _prepare(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with interrupts.held(), _told(path):
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            _take_mode(temporary, path)
            _flush(temporary)
            os.replace(temporary, path)
            _flush(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _linked(path: str | os.PathLike[str]) -> Path:
    """The path itself, or the target if it is a link."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)


def _take_mode(new: Path, old: Path) -> None:
    """Copy the owner, if permitted, and the mode of the file or directory being replaced to the new one."""
    try:
        found = old.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "chown") and (found.st_uid, found.st_gid) != (new.stat().st_uid, new.stat().st_gid):
        with suppress(PermissionError):
            os.chown(new, found.st_uid, found.st_gid)
    os.chmod(new, stat.S_IMODE(found.st_mode))


def _prepare(path: Path) -> None:
    """Create the directory, and remove leftovers of killed writers of this file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before, prefix = time.time() - _LEFT, f".{path.name}."
    for entry in os.scandir(path.parent):
        if entry.name.startswith(prefix) and entry.name.endswith(".part"):
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    _remove(entry.path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Add to a disk-full error which file could not be written, and that the old one is intact."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        message = f"{error.strerror}: not written, and any previous version is unchanged"
        raise OSError(error.errno, message, str(path)) from error


def _flush(path: Path) -> None:
    """Flush a file, or the entries of a directory, to disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a directory, and flushes its entries itself
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new directory that replaces `path` if the block ends without an error.

    Linux swaps the two in one step. Elsewhere the old one is moved away just before the new one is moved in. A
    half-written one is never visible.
    """
    path = _linked(path)
    _prepare(path)
    with (
        interrupts.held(),
        tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent) as room,
    ):
        new, old = Path(room) / "new", Path(room) / "old"
        new.mkdir()
        with _told(path):
            yield new
            for place in (*new.rglob("*"), new):
                _take_mode(place, path / place.relative_to(new))
                _flush(place)
        if not (path.exists() and _swapped(new, path)):
            _step_aside(new, path, old)
        _flush(path.parent)


def _swapped(a: Path, b: Path) -> bool:
    """Swap two directories atomically if the system supports it; returns whether it did."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return swap(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0


def _step_aside(new: Path, path: Path, old: Path) -> None:
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise


@contextmanager
def replacing_set(paths: Sequence[Path], gone: Sequence[Path] = ()) -> Iterator[list[Path]]:
    """Yield temporary files that together replace `paths` if the block ends without an error.

    The last path is the one that makes the others a set: it is removed first and written last, so that whoever finds
    it finds the whole set. It may be a link, which stays one. Paths in `gone` are removed, too.

    Several files cannot be swapped atomically: for a moment the old set is gone and the new one is not there yet. If
    the change fails, the old set is restored.
    """
    last = _linked(paths[-1])
    places = [*map(Path, paths[:-1]), last]
    former = list(dict.fromkeys([last, *gone, *places]))
    with interrupts.held(), ExitStack() as stack:
        rooms = {}  # a directory next to each path, on the same file system
        for folder in dict.fromkeys(place.parent for place in former):
            _prepare(folder / last.name)
            room = tempfile.TemporaryDirectory(prefix=f".{last.name}.", suffix=".part", dir=folder)
            rooms[folder] = Path(stack.enter_context(room))
            for name in ("new", "old"):
                (rooms[folder] / name).mkdir()
        new, old = ({place: rooms[place.parent] / name / place.name for place in former} for name in ("new", "old"))
        with _told(last):
            yield [new[place] for place in places]
            for place in places:
                _take_mode(new[place], place)
                _flush(new[place])
        try:
            _move((place, old[place]) for place in former)
            _move((new[place], place) for place in places)
        except BaseException:
            _move((place, new[place]) for place in places if not new[place].exists())
            _move((old[place], place) for place in reversed(former))
            raise
        for folder in rooms:
            _flush(folder)


def _move(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Move each existing file to its new path."""
    for here, there in pairs:
        if here.exists():
            os.replace(here, there)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
