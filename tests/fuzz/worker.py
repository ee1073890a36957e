"""Loads files, one after the other, and says what came of each; made to be killed where a load does not come back."""

import ctypes
import gc
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from tests.fuzz.seeds import FORMATS, Door, steers

_ALLOWED = 8 * 2**30  # bytes of address space above the start: a net below the limit that the driver holds up
_SPARE = 2**26  # bytes by which the peak may exceed what is held before it is set back
_RUNS = {
    "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
    "socket.getaddrinfo", "os.symlink", "os.link", "os.chmod", "os.chown", "marshal.load",
}  # fmt: skip
_seen: list[str] = []


def _note(event: str, arguments: tuple) -> None:
    """Note what runs something, and files opened elsewhere than where files are read or where programs lie."""
    if event in _RUNS:
        _seen.append(f"{event}{arguments}")
    elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.startswith(_places):
            _seen.append(f"opened {path}")


_places = tuple(map(os.path.realpath, (tempfile.gettempdir(), "/proc/self", sys.prefix, sys.base_prefix, os.getcwd())))


def main() -> None:
    """Answer each line of (format, door, seed, path) with a line about the load."""
    warnings.simplefilter("ignore")
    sys.addaudithook(_note)
    limit = _address_space() + _ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        kind, door, name, path = json.loads(line)
        answer = _answer(FORMATS[kind].doors[door], name, Path(path))
        print(json.dumps(answer), flush=True)
        gc.freeze()  # what JAX keeps for good need not be looked through again
        if _peak() - _held() > _SPARE:
            _release()


def _answer(door: Door, name: str, path: Path) -> dict:
    before, start = _held(), time.process_time()
    _seen.clear()
    error = None
    try:
        door(path, name)
    except Exception as caught:
        error = caught
    seconds = time.process_time() - start
    answer = {"seconds": seconds, "bytes": _peak() - before, "held": before, "loaded": error is None}
    if error is not None and not (isinstance(error, ValueError) and str(error).strip()):
        answer["wrong"] = "".join(traceback.format_exception(error))
    elif steers(str(error)):
        answer["wrong"] = f"an error has signs that a terminal obeys: {str(error)[:300]!r}"
    if _seen:
        answer["wrong"] = f"did what no file may ask for: {_seen[:3]}"
    return answer


def _peak() -> int:
    """The most bytes of memory that the process had since they were last set back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _held() -> int:
    """The bytes of memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _release() -> None:
    """Give free memory back to the system, and let the peak start afresh."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
