"""Downloads with a cache: each file is downloaded once, verified, and appears atomically.

Received data are stored in a `.part` file next to the target, and a later attempt requests the rest. Only one process
downloads a file at a time, the others wait for it. Only the standard library is needed.
"""

import errno
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cornu import settings, validate
from cornu.callbacks.progbar import Progbar
from cornu.utils import archives
from cornu.utils.file_lock import locked

TIMEOUT = 30.0  # seconds without a byte after which a connection counts as dead
ATTEMPTS = 5  # successive attempts without new data
_FIRST_PAUSE = 0.5  # seconds before the second attempt; doubled before each further one
_CHUNK = 2**18  # bytes
_ALGORITHMS = {32: "md5", 64: "sha256"}  # by the length of the hexadecimal digest


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Download a file unless it exists already, and return its path.

    Args:
        fname: file name; None uses the last part of `origin`. An absolute path is used as it is.
        origin: URL of the file. Required, although the signature has a default.
        untar: the older form of `extract`, for a tar archive. Defaults to False.
        md5_hash: the older form of `file_hash`. None by default.
        file_hash: MD5 or SHA-256 digest of the file in hexadecimal, verified after the download and before each
            use. None by default: not verified.
        cache_subdir: directory below `cache_dir`. Defaults to `"datasets"`.
        hash_algorithm: `"md5"`, `"sha256"`, or `"auto"`, which infers it from the length of `file_hash`.
        extract: whether to extract the file as an archive; the returned path is then that of its directory: `NAME` for
            the name at the end of the URL, and for an `fname` without a dot; `NAME_extracted` for `NAME.zip` and
            similar. Defaults to False.
        archive_format: `"tar"`, `"zip"`, `"auto"` for either (the default), a list of them, or None for none.
        cache_dir: directory for all downloads; None is `$KERAS_HOME`, or else `~/.keras`.
        force_download: whether to download even if the file exists. Defaults to False.

    Raises:
        ValueError: if the downloaded file does not have the hash, or an archive would write outside its directory.
        OSError: if there is no network, the server does not respond, or the disk is full.

    Example:

        from pathlib import Path
        Path("notes.txt").write_text("read me")
        path = cornu.utils.get_file("notes.txt", Path("notes.txt").resolve().as_uri(), cache_dir="cache")
        print(path.endswith("notes.txt"))  # True
    """
    if origin is None:
        raise ValueError("get_file: origin, the URL of the file, is required.")
    file_hash = file_hash or md5_hash
    algorithm = _algorithm(hash_algorithm, file_hash)
    target = _folder(cache_dir, cache_subdir) / _name(fname, origin)
    unpacked = target
    if extract or untar:
        target, unpacked = _archive_and_folder(target, named=fname is not None)
    with locked(target.with_name(f".{target.name}.lock")):
        if force_download or not _is_good(target, file_hash, algorithm):
            _download(origin, target, file_hash, algorithm)
        if extract or untar:
            archives.unpack(target, unpacked, ["tar"] if untar else archive_format, force_download)
    return os.fspath(unpacked)


def _folder(cache_dir: str | os.PathLike[str] | None, subfolder: str) -> Path:
    """The directory for the file, created if needed; a temporary one if the usual one is not writable."""
    base = Path(settings.home() if cache_dir is None else cache_dir).expanduser()
    folder = base / subfolder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        folder = Path(tempfile.gettempdir()) / ".keras" / subfolder
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _name(fname: str | os.PathLike[str] | None, origin: str) -> str:
    name = os.fspath(fname) if fname is not None else os.path.basename(urllib.request.url2pathname(_path(origin)))
    if not name:
        raise ValueError(
            f"get_file: the URL does not end in a file name. Pass fname. Received: origin={validate.shown(origin)}."
        )
    return name


def _archive_and_folder(path: Path, named: bool) -> tuple[Path, Path]:
    """The paths of an archive and of its contents, which are the same as in Keras.

    Args:
        path: the path of the file.
        named: whether the caller gave its name; a name from a URL is the directory's.
    """
    stem, dot, _ = path.name.partition(".")
    if named and stem and dot:
        return path, path.with_name(f"{stem}_extracted")
    return path.with_name(f"{path.name}_archive"), path


def _path(origin: str) -> str:
    return urllib.parse.urlsplit(origin).path


def _algorithm(name: str, file_hash: str | None) -> str:
    validate.one_of(name, ("auto", "md5", "sha256"), "hash_algorithm", "get_file")
    if name != "auto" or file_hash is None:
        return name
    if len(file_hash) not in _ALGORITHMS:
        raise ValueError(
            "get_file: file_hash must be the 32 digits of an MD5 or the 64 of a SHA-256. "
            f"Received {len(file_hash)} digits: {validate.shown(file_hash)}."
        )
    return _ALGORITHMS[len(file_hash)]


def _is_good(path: Path, file_hash: str | None, algorithm: str) -> bool:
    """Whether the file exists and has the right hash."""
    if not path.is_file():
        return False
    if file_hash is None or _digest(path, algorithm) == file_hash.lower():
        return True
    warnings.warn(f"{path} does not have the hash {file_hash}, so it is downloaded again.", stacklevel=3)
    return False


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


# ---------------------------------------------------------------- the transfer


def _download(origin: str, target: Path, file_hash: str | None, algorithm: str) -> None:
    """Download the file to its path, or leave what was there unchanged."""
    part = target.with_name(f".{target.name}.part")
    resumed = part.exists()
    _receive(origin, target, part)
    if file_hash is not None and resumed and _digest(part, algorithm) != file_hash.lower():
        part.unlink()  # the first part belonged to another file: start over
        _receive(origin, target, part)
    if file_hash is not None:
        found = _digest(part, algorithm)
        if found != file_hash.lower():
            part.unlink()
            raise ValueError(
                f"{origin} is not the expected file: its {algorithm} is {found}, not {file_hash}. It was deleted. "
                "Either the download was corrupted, or the file at this URL has changed."
            )
    with open(part, "rb+") as written:
        os.fsync(written.fileno())
    os.replace(part, target)
    _stamp(part).unlink(missing_ok=True)


def _stamp(part: Path) -> Path:
    """The path that stores the server's version tag of `part`."""
    return part.with_name(f"{part.name}.version")


def _receive(origin: str, target: Path, part: Path) -> None:
    """Fill `part` in several attempts; each one that receives new data resets the number of attempts."""
    left, pause = ATTEMPTS, _FIRST_PAUSE
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(origin, target, part)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 429):
                raise _failure(origin, target, error) from error
            reason: Exception = error
        except (OSError, http.client.HTTPException) as error:
            if _is_local(error):
                raise
            reason = error
        if part.exists() and part.stat().st_size > before:
            left, pause = ATTEMPTS, _FIRST_PAUSE
        left -= 1
        if left <= 0:
            raise _failure(origin, target, reason) from reason
        time.sleep(pause)
        pause *= 2


def _is_local(error: Exception) -> bool:
    """Whether the local disk failed: the error names a file, or says that there is no space."""
    return isinstance(error, OSError) and (getattr(error, "filename", None) is not None or error.errno == errno.ENOSPC)


def _failure(origin: str, target: Path, reason: Exception) -> OSError:
    return ConnectionError(
        f"Could not download {origin}: {reason}. Without a network, download the file on another machine and put it at "
        f"{target}."
    )


def _attempt(origin: str, target: Path, part: Path) -> None:
    """One connection: the rest of the file, or all of it if the server starts over."""
    have = part.stat().st_size if part.exists() else 0
    stamp = _stamp(part)
    headers = {"User-Agent": "cornu", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if stamp.exists():
            headers["If-Range"] = stamp.read_text()
    try:
        response = urllib.request.urlopen(urllib.request.Request(origin, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send, or the file has become shorter
            error.close()
            part.unlink()
            return _attempt(origin, target, part)
        raise
    with response:
        goes_on = have and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if goes_on else 0
        _keep_version(stamp, response)
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with open(part, "ab" if goes_on else "wb") as file:
            received = _copy(response, file, have, _progress(origin, total))
    if total is not None and received < total:
        raise ConnectionError(f"the connection ended after {received} of {total} bytes")
    return None


def _keep_version(stamp: Path, response: Any) -> None:
    """Record the version of the file, so that a later attempt resumes only the same version."""
    mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if mark and not mark.startswith("W/"):
        stamp.write_text(mark)
    else:
        stamp.unlink(missing_ok=True)


def _copy(response: Any, file: Any, have: int, show: Callable[[int], None]) -> int:
    with suppress(http.client.IncompleteRead):  # the caller compares with the declared length
        while chunk := response.read1(_CHUNK) if hasattr(response, "read1") else response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            show(have)
    return have


def _progress(origin: str, total: int | None) -> Callable[[int], None]:
    """A function that displays the number of bytes received."""
    if not settings.is_interactive_logging_enabled():
        return lambda have: None
    print(f"Downloading data from {origin}")
    bar = Progbar(total, unit_name="byte")

    def show(have: int) -> None:
        bar.update(have, finalize=have == total)

    return show
