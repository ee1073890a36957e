"""Files that appear whole or not at all: written beside their place, flushed to disk, then moved there.

A file that is there already keeps its mode and owner, and a link to it stays one, as if it were written in its place.

What a killed writer leaves behind is named `.NAME.….part`; it hurts nobody, and a later save of the same file takes it
away once it is old enough that nobody can still be writing it. A Ctrl-C waits until the file is there.
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

_LEFT = 3600.0  # seconds without a write after which a temporary file has no writer any more
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HERE, _EXCHANGE = -100, 2  # of Linux's renameat2: paths as they are, and swap them


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """The path of a temporary file that takes the place of `path` when the block ends without an error."""
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


def _linked(path: str | os.PathLike) -> Path:
    """The path itself, or the one that it is a link to."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)


def _take_mode(new: Path, old: Path) -> None:
    """Give a new file or folder the owner, as far as that may be, and the mode of the one whose place it takes."""
    try:
        found = old.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "chown") and (found.st_uid, found.st_gid) != (new.stat().st_uid, new.stat().st_gid):
        with suppress(PermissionError):
            os.chown(new, found.st_uid, found.st_gid)
    os.chmod(new, stat.S_IMODE(found.st_mode))


def _prepare(path: Path) -> None:
    """Make the folder, and clear what killed writers of this file have left there."""
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
    """Say of an error that there was no room which file could not be written, and that the old one is still there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        message = f"{error.strerror}: not written, and what was there before is unchanged"
        raise OSError(error.errno, message, str(path)) from error


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder, and keeps its names by itself
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A new folder that takes the place of `path` when the block ends without an error.

    Linux swaps the two in one step. Elsewhere the old one steps aside for a moment before the new one is there. Never
    is a half-written one.
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
    """Swap two folders in one step, where the system can; whether it did."""
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
    """Temporary files that take the places of `paths` together when the block ends without an error.

    The last path is the one that makes the others a set: it is the first to go and the last to come, so that whoever
    finds it finds the whole set. It may be a link, which stays one. Paths in `gone` go, too.

    Several files cannot be swapped in one step: for a moment the old set has stepped aside and the new one is not there
    yet. Where the change fails, the old set comes back.
    """
    last = _linked(paths[-1])
    places = [*map(Path, paths[:-1]), last]
    former = list(dict.fromkeys([last, *gone, *places]))
    with interrupts.held(), ExitStack() as stack:
        rooms = {}  # beside each place, where a rename reaches it
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
    """Move each file that is there to its new place."""
    for here, there in pairs:
        if here.exists():
            os.replace(here, there)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
