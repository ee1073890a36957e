"""Change good files at random and load them; tell of each that neither loads nor is refused cleanly.

python -m tests.fuzz                                  # ten thousand over all formats, by their shares
python -m tests.fuzz --mutations 100000 --seed 7
python -m tests.fuzz --format keras --keep found      # leave what went wrong in a folder
python -m tests.fuzz --mutations 1000000 --state run.json   # go on where the last run with this file was ended
"""

import argparse
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cornu
from tests.fuzz.changes import Change, Changes
from tests.fuzz.faults import KINDS
from tests.fuzz.seeds import FORMATS

_FOR_EACH = 5e-5  # seconds of processor time that a load may take for each byte of the file
_BYTES_FOR_EACH = 1200  # of memory, beside what the format allows any file
_GIVEN_UP = 600.0  # seconds by the clock after which a worker is killed; the load itself may have had little of them
_BY_LLVM = re.compile(r"LLVM ERROR|most recent call first\):\n.* in mlir_module$", re.MULTILINE)
_RESULTS = ("loaded", "refused", "ended", "wrong")  # LLVM can end the process that reads an exported program
_NOTED = 200  # loads after which the figures are kept
_HELD = 2**30  # bytes that a worker holds when a fresh one takes over


class Worker:
    """A process that changes files and loads them; the good ones have passed all doors when it is there."""

    def __init__(self, files: dict[str, dict[str, Path]]):
        # The cornu that is loaded here is loaded there too: -P leaves the current folder out.
        paths = os.pathsep.join((str(Path(cornu.__file__).parents[1]), str(Path(__file__).parents[2])))
        environment = os.environ | {"PYTHONPATH": paths, "PYTHONFAULTHANDLER": "1"}
        environment |= {"JAX_PLATFORMS": "cpu", "CORNU_COMPILATION_CACHE": "off"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fuzz.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=environment,
        )  # fmt: skip
        self._answers: queue.Queue = queue.Queue()
        self._errors: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self._listening = threading.Thread(target=lambda: self._errors.extend(self._process.stderr), daemon=True)
        self._listening.start()
        self._tell({kind: {name: str(path) for name, path in paths.items()} for kind, paths in files.items()})
        for kind, paths in files.items():
            for path in paths.values():
                for _ in dict.fromkeys(KINDS[kind].doors):
                    answer = self._next(kind)
                    assert answer.get("loaded"), f"The good file {path} does not load: {answer}"

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith("{"):
                self._answers.put(json.loads(line))
        self._answers.put(None)

    def loads(self, kind: str, seed: int, first: int, count: int) -> Iterator[dict[str, Any]]:
        """What came of each of some changes of a format; the last one's is that of the process, if it ended."""
        self._tell([kind, seed, first, count])
        for _ in range(count):
            answer = self._next(kind)
            if "loaded" not in answer:
                yield answer
                return
            most = KINDS[kind].most + _BYTES_FOR_EACH * answer["size"]
            if answer["seconds"] > KINDS[kind].seconds + _FOR_EACH * answer["size"] or answer["bytes"] > most:
                answer.setdefault("wrong", f"took {answer['seconds']:.1f} s and {answer['bytes'] / 2**20:.0f} MiB")
            yield answer

    def _tell(self, what: Any) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()

    def _next(self, kind: str) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=_GIVEN_UP)
        except queue.Empty:
            return {"wrong": f"did not come back within {_GIVEN_UP} s"}
        return self._ended(kind) if answer is None else answer

    def _ended(self, kind: str) -> dict[str, Any]:
        """The process has crashed; where LLVM was reading a program, that is counted apart: SECURITY.md warns of it."""
        status = self._process.wait()
        self._listening.join()
        said = "".join(self._errors[-30:])
        if kind == "stablehlo" and _BY_LLVM.search(said):
            return {"ended": said}
        return {"wrong": f"crash with {status}: {said}"}

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                pipe.close()


def run(
    formats: list[str], mutations: int, seed: int, keep: Path | None = None, done: dict[str, int] | None = None
) -> Iterator[tuple[str, str, dict]]:
    """(format, what was changed, what came of it) of each load, those done before left out.

    The formats take turns, each for as many changes as its share, so that a run that is ended has seen of each what it
    should.

    Args:
        formats: the formats.
        mutations: how many changes over all of them.
        seed: what the changes depend on, besides the format and their number.
        keep: folder for the files that went wrong.
        done: how many changes of each format were made before.
    """
    done = done or {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {kind: KINDS[kind].write(_made(Path(folder) / kind)) for kind in formats}
        changes = Changes(files)
        worker = None
        for kind, first, last in _turns(formats, mutations):
            number = max(first, done.get(kind, 0))
            while number < last:
                if worker is None:
                    worker = Worker(files)
                    stack.callback(worker.close)
                for answer in worker.loads(kind, seed, number, last - number):
                    change = changes.make(kind, seed, number) if "change" not in answer or "wrong" in answer else None
                    if "wrong" in answer and keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / _name(change, seed, number)).write_bytes(change.content)
                    if change is not None:
                        answer |= {"change": change.how}
                    yield kind, f"{seed}-{number}" if change is None else _name(change, seed, number), answer
                    number += 1
                if "loaded" not in answer or answer["held"] >= _HELD:
                    worker.close()
                    worker = None


def _turns(formats: list[str], mutations: int) -> Iterator[tuple[str, int, int]]:
    """(format, first number, number behind the last) of each turn."""
    turn = 0
    while mutations > 0:
        for kind in formats:
            share = min(KINDS[kind].share, mutations)
            mutations -= share
            yield kind, turn * KINDS[kind].share, turn * KINDS[kind].share + share
        turn += 1


def _name(change: Change, seed: int, number: int) -> str:
    return f"{change.kind}-{change.name.replace('/', '_')}-{seed}-{number}-{change.door.__name__.strip('<>')}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=10000, help="how many over all formats (10000)")
    parser.add_argument("--format", action="append", choices=list(FORMATS), help="change files of this format alone")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other changes (0)")
    parser.add_argument("--state", type=Path, help="file that keeps the figures, from which a later run goes on")
    parser.add_argument("--keep", type=Path, help="folder for the files that went wrong")
    options = parser.parse_args()
    formats = options.format or list(FORMATS)
    figures = Figures(options.state, options.seed)
    try:
        for kind, what, answer in run(formats, options.mutations, options.seed, options.keep, figures.done(formats)):
            if figures.note(kind, answer):
                print(f"--- {kind} {what}\n{answer['wrong'][-1500:]}", flush=True)
    finally:
        figures.write()
        for kind in formats:
            print(f"{kind:16} {_counted(figures.table[kind])}")
        for change, counts in sorted(figures.changes.items()):
            print(f"{change:16} {_counted(counts)}")
        for reason, times in figures.reasons.most_common():
            print(f"{times:6} {reason}")
    return 1 if figures.reasons else 0


def _counted(counts: Counter) -> str:
    return f"{sum(counts.values())} changes: " + ", ".join(f"{counts[key]} {key}" for key in _RESULTS)


class Figures:
    """What came of the changes, kept in a file so that a run can be ended and gone on with."""

    def __init__(self, path: Path | None, seed: int):
        self._path, self._seed, self._since = path, seed, 0
        self.table: dict[str, Counter] = {kind: Counter() for kind in FORMATS}
        self.changes: dict[str, Counter] = {}
        self.reasons: Counter = Counter()
        if path is not None and path.exists():
            before = json.loads(path.read_text())
            assert before["seed"] == seed, f"{path} is of a run with --seed {before['seed']}."
            self.table |= {kind: Counter(counts) for kind, counts in before["table"].items()}
            self.changes = {change: Counter(counts) for change, counts in before["changes"].items()}
            self.reasons = Counter(before["reasons"])

    def done(self, formats: list[str]) -> dict[str, int]:
        """How many changes of each format there were."""
        return {kind: sum(self.table[kind].values()) for kind in formats}

    def note(self, kind: str, answer: dict[str, Any]) -> bool:
        """Count one; whether it went wrong as none before did."""
        result = next((result for result in ("wrong", "ended") if result in answer), None)
        result = result or ("loaded" if answer["loaded"] else "refused")
        self.table[kind][result] += 1
        self.changes.setdefault(answer["change"], Counter())[result] += 1
        self._since += 1
        if self._since >= _NOTED:
            self.write()
        if result != "wrong":
            return False
        reason = f"{kind}: {answer['wrong'].strip().splitlines()[-1][:160]}"
        self.reasons[reason] += 1
        return self.reasons[reason] == 1

    def write(self) -> None:
        """Keep the figures."""
        self._since = 0
        if self._path is not None:
            figures = {"table": self.table, "changes": self.changes, "reasons": self.reasons}
            self._path.write_text(json.dumps({"seed": self._seed, **figures}))


if __name__ == "__main__":
    sys.exit(main())
