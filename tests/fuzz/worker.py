"""Changes good files and loads them, one after the other, and says what came of each.

A process of its own, made to be killed where a load does not come back. It changes the files itself, so that nothing
but a line for each goes between it and its driver.
"""

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

from tests.fuzz.changes import Changes
from tests.fuzz.faults import KINDS
from tests.fuzz.seeds import Door, steers

_ALLOWED = 8 * 2**30  # bytes of address space above the start: a net below the limit that the driver holds up
_SPARE = 2**26  # bytes by which the peak may exceed what is held before it is set back
_LOOKED_THROUGH = 100  # loads after which what they left behind in cycles is freed
_RUNS = {
    "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
    "socket.getaddrinfo", "os.symlink", "os.link", "os.chmod", "os.chown", "marshal.load", "function.__new__",
}  # fmt: skip
_seen: list[str] = []


def _note(event: str, arguments: tuple) -> None:
    """Note what runs something, and files opened elsewhere than where files are read or where programs lie."""
    if event in _RUNS:
        _seen.append(f"{event}{arguments}")
    elif event == "marshal.loads":
        if "importlib" not in sys._getframe(1).f_code.co_filename:  # which reads modules
            _seen.append(event)
    elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.startswith(_places):
            _seen.append(f"opened {path}")


_places = tuple(map(os.path.realpath, (tempfile.gettempdir(), "/proc/self", sys.prefix, sys.base_prefix, os.getcwd())))


def main() -> None:
    """Load the good files, whose paths the first line says, then answer each line of (format, seed, first, count).

    An answer is a line for each change in turn.
    """
    warnings.simplefilter("ignore")
    files = {kind: {name: Path(path) for name, path in paths.items()} for kind, paths in json.loads(input()).items()}
    sys.addaudithook(_note)
    limit = _address_space() + _ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for kind, paths in files.items():  # the first pass of all takes longer, for it imports
        for name, path in paths.items():
            for door in dict.fromkeys(KINDS[kind].doors):
                _say(_answer(door, name, path) | {"path": str(path)})
    changes = Changes(files)
    gc.disable()  # not at times of its own: what JAX keeps for good would be looked through again and again
    gc.collect()
    gc.freeze()
    loads = 0
    for line in sys.stdin:
        kind, seed, first, count = json.loads(line)
        for number in range(first, first + count):
            change = changes.make(kind, seed, number)
            place = changes.write(change)
            peak, held = _memory()
            if peak - held > _SPARE:
                _release()
            _say(_answer(change.door, change.name, place) | {"change": change.how})
            loads += 1
            if loads % _LOOKED_THROUGH == 0:
                gc.collect()
                gc.freeze()


def _say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


def _answer(door: Door, name: str, path: Path) -> dict:
    (_, before), start = _memory(), time.process_time()
    _seen.clear()
    error = None
    try:
        door(path, name)
    except Exception as caught:
        error = caught
    seconds = time.process_time() - start
    peak, held = _memory()
    answer = {"seconds": seconds, "bytes": peak - before, "held": before, "loaded": error is None}
    answer["size"] = path.stat().st_size
    if error is not None and not (isinstance(error, ValueError) and str(error).strip()):
        answer["wrong"] = "".join(traceback.format_exception(error))
    elif steers(str(error)):
        answer["wrong"] = f"an error has signs that a terminal obeys: {str(error)[:300]!r}"
    if _seen:
        answer["wrong"] = f"did what no file may ask for: {_seen[:3]}"
    error = None
    if peak - held > _SPARE or held - before > _SPARE:
        gc.collect()
        _release()
    return answer


_status = os.open("/proc/self/status", os.O_RDONLY)


def _memory() -> tuple[int, int]:
    """The most bytes of memory that the process had since they were last set back, and those that it has now."""
    text = os.pread(_status, 4096, 0)
    at = text.index(b"VmHWM:")
    peak, held = text[at:].split(b"\n", 2)[:2]
    return int(peak.split()[1]) * 1024, int(held.split()[1]) * 1024


def _release() -> None:
    """Give free memory back to the system, and let the peak start afresh."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
