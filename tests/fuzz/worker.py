"""Loads files, one after the other, and says what came of each; made to be killed where a load does not come back."""

import json
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

from tests.fuzz.seeds import FORMATS

_ALLOWED = 8 * 2**30  # bytes of address space above the start: a net below the limit that the driver holds up


def main() -> None:
    """Answer each line of (format, seed, path) with a line about the load."""
    warnings.simplefilter("ignore")
    limit = _memory("VmSize") + _ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        kind, name, path = json.loads(line)
        answer = _answer(kind, name, Path(path))
        print(json.dumps(answer), flush=True)


def _answer(kind: str, name: str, path: Path) -> dict:
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts afresh
    before, start = _memory("VmRSS"), time.process_time()
    error = None
    try:
        FORMATS[kind].load(path, name)
    except Exception as caught:
        error = caught
    seconds = time.process_time() - start
    answer = {"seconds": seconds, "bytes": _memory("VmHWM") - before, "loaded": error is None}
    if error is not None and not isinstance(error, ValueError):
        answer["wrong"] = "".join(traceback.format_exception(error))
    return answer


def _memory(what: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise ValueError(what)


if __name__ == "__main__":
    main()
