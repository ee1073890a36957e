"""Compiled code kept on disk, so that a program that has run before starts without compiling.

This uses JAX's persistent cache; the module chooses the directory, and enables the cache when the first variable is
created or the first step compiled, never at import. A directory that the user configured in JAX is left alone, and so
is one that is not writable. `CORNU_COMPILATION_CACHE` is "off" or the path of another directory;
`cornu.config.set_compilation_cache` does the same from a program.

The size is bounded without locks: at exit, a process that added entries removes the least recently used ones. Processes
may share a directory: an entry that is missing, incomplete or damaged is compiled again. Entries are executable code,
so a directory is used only if nobody but the user can write to it (a group with no other members counts as the user); a
warning is issued once if others can write to it.
"""

import atexit
import contextlib
import os
import platform
import stat
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jaxlib
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from cornu.core.typing import Kwargs

with contextlib.suppress(ImportError):  # Windows has no groups
    import grp
    import pwd

DEFAULT_MAXIMUM = 2**30  # bytes
_OFF = ("off", "0", "false", "no")
# Small functions are kept too: looking one up takes a twentieth of compiling it.
_OPTIONS = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}
_DAMAGED = "Error (reading|writing) persistent compilation cache entry"


class _Wanted(NamedTuple):
    """The requested directory, None for the default one or False for none; and its maximum size in bytes."""

    folder: str | bool | None
    maximum: int


class _Running(NamedTuple):
    """The directory in use, and JAX's options as they were before."""

    folder: Path
    options: Kwargs


class _Now:
    """The state in this process."""

    wanted: _Wanted | None = None  # None: as set in the environment
    running: _Running | None = None
    looked = False


def start() -> None:
    """Enable the cache on the first call; give it up on a later one if the user has since given JAX a directory.

    An existing JAX cache directory, or `jax_enable_compilation_cache` being off, is respected.
    """
    if _Now.looked:
        if _Now.running is not None and _jax("jax_compilation_cache_dir") != str(_Now.running.folder):
            _Now.running = None
            reset_cache()
        return
    _Now.looked = True
    wanted = _Now.wanted or _from_environment()
    if wanted.folder is False or _jax("jax_compilation_cache_dir") is not None:
        return
    folder = _prepared_folder(cast(str | None, wanted.folder))
    if folder is not None:
        _switch_on(folder, wanted.maximum)


def current_folder() -> str | None:
    """The directory in which JAX keeps compiled code, the user's own or cornu's; None if there is none."""
    start()
    return _jax("jax_compilation_cache_dir") if _jax("jax_enable_compilation_cache") else None


def choose(folder: str | os.PathLike[str] | bool | None, maximum: int = DEFAULT_MAXIMUM) -> None:
    """Use `folder` from now on; None is the default, False none. A given directory takes precedence over JAX's own."""
    _switch_off(_Now.running)
    if folder is not None and folder is not False:
        jax.config.update("jax_compilation_cache_dir", None)
        folder = os.fspath(cast(str | os.PathLike[str], folder))  # rejects True
    _Now.wanted = _Wanted(folder, maximum)
    _Now.looked = False


def _jax(option: str) -> Any:
    """JAX's option of this name, which is missing from its type annotations."""
    return getattr(jax.config, option)


def _from_environment() -> _Wanted:
    said = os.environ.get("CORNU_COMPILATION_CACHE", "")
    return _Wanted(False if said.lower() in _OFF else said or None, DEFAULT_MAXIMUM)


# ---------------------------------------------------------------- on and off


def _switch_on(folder: Path, maximum: int) -> None:
    _Now.running = _Running(folder, {name: _jax(name) for name in _OPTIONS})
    for name, value in _OPTIONS.items():
        jax.config.update(name, value)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    reset_cache()
    warnings.filterwarnings("ignore", message=_DAMAGED)
    atexit.register(_bound_if_changed, folder, maximum, _changed_at(folder))


def _switch_off(running: _Running | None) -> None:
    """Restore the directory and the options, unless they were changed since."""
    if running is not None:
        for name, value in {**running.options, "jax_compilation_cache_dir": None}.items():
            if _jax(name) == {**_OPTIONS, "jax_compilation_cache_dir": str(running.folder)}[name]:
                jax.config.update(name, value)
        _Now.running = None
        reset_cache()


# ---------------------------------------------------------------- the folder


def _prepared_folder(said: str | None) -> Path | None:
    """The directory for this JAX compiler version and this kind of processor, created if needed; None if unusable."""
    root = default_folder() if said is None else Path(said).expanduser().absolute()
    folder = root / f"jaxlib-{jaxlib.version.__version__}-{_processor()}"
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        for place in (root, folder):  # one at a time: mkdir applies the umask to the parents it creates
            place.mkdir(mode=0o700, exist_ok=True)
        open_to_others = next((place for place in (root, folder) if _others_may_write(place, place is folder)), None)
        if open_to_others is None:
            return folder if os.access(folder, os.W_OK) else None
    except OSError:
        return None
    warnings.warn(
        f"Compiled code is not cached on disk: other users can write to {str(open_to_others)!r} and could put code "
        f"in it. Remove their permission (chmod go-w {open_to_others}), or set CORNU_COMPILATION_CACHE to another "
        "directory or to 'off'.",
        stacklevel=2,
    )
    return None


def default_folder() -> Path:
    """The user's cache directory, if this system has one."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "cornu"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "cornu" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cornu"
    return Path.home() / ".cache" / "cornu"


def _others_may_write(folder: Path, holds_code: bool) -> bool:
    """Whether users other than this one can add or change code in the directory.

    A parent of the directory may belong to the system, or be one where everybody has files, such as /tmp.
    """
    if not hasattr(os, "getuid"):
        return False
    found = folder.stat()
    if found.st_uid != os.getuid() and (holds_code or found.st_uid != 0):
        return True
    if not holds_code and found.st_mode & stat.S_ISVTX:
        return False
    by_group = found.st_mode & stat.S_IWGRP and not _is_alone_in(found.st_gid)
    return bool(found.st_mode & stat.S_IWOTH or by_group)


def _is_alone_in(group: int) -> bool:
    """Whether this is the user's private group, as created on systems with a umask of 002."""
    try:
        user, members = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return members.gr_name == user and set(members.gr_mem) <= {user}


def _processor() -> str:
    """A tag that differs between processors with different instruction sets, which may share a home directory."""
    features = platform.processor()
    try:
        with open("/proc/cpuinfo") as lines:
            features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        pass
    return f"{platform.machine()}-{zlib.crc32(features.encode()):08x}".lower()


def _changed_at(folder: Path) -> int:
    """When an entry was last added or removed; 0 if the directory does not exist."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _bound_if_changed(folder: Path, maximum: int, before: int) -> None:
    if _changed_at(folder) != before:
        bound(folder.parent, maximum)


def bound(root: Path, maximum: int) -> None:
    """Remove the least recently used entries below `root`, until at most three quarters of `maximum` bytes are left.

    Empty files, which a full disk leaves behind, are always removed. Otherwise nothing happens while all entries fit.
    """
    entries = []
    for path in root.glob("jaxlib-*/**/*"):
        try:
            found = path.stat()
        except OSError:  # another process was quicker
            continue
        if stat.S_ISREG(found.st_mode):
            entries.append((found.st_size > 0, max(found.st_atime, found.st_mtime), found.st_size, path))
    total = sum(size for *_, size, _ in entries)
    excess = total - maximum * 3 // 4 if total > maximum else 0
    for *_, size, path in sorted(entries):
        if excess <= 0 and size:
            break
        try:
            path.unlink()
        except OSError:
            continue
        excess -= size
