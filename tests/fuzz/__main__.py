"""Change good files at random and load them; tell of each that neither loads nor is refused cleanly.

python -m tests.fuzz                                  # a thousand of each format
python -m tests.fuzz --mutations 100000 --seed 7      # over all formats together
python -m tests.fuzz --format keras --keep found      # leave what went wrong in a folder
"""

import argparse
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import FORMATS

_SECONDS, _BYTES = 5.0, 2**30  # of processor time and of memory, what a load may take
_GIVEN_UP = 60.0  # seconds by the clock after which a worker is killed; the load itself may have had little of them
_WORK = 3000  # loads after which a fresh worker takes over


class Worker:
    """A process that loads files."""

    def __init__(self):
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "CORNU_COMPILATION_CACHE": "off"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=environment, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self._answers: queue.Queue = queue.Queue()
        self._errors: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self._errors.extend(self._process.stderr), daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith("{"):
                self._answers.put(json.loads(line))
        self._answers.put(None)

    def load(self, kind: str, name: str, path: Path, seconds: float = _GIVEN_UP) -> dict[str, Any]:
        """What came of loading a file."""
        try:
            self._process.stdin.write(json.dumps([kind, name, str(path)]) + "\n")
            self._process.stdin.flush()
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            return {"wrong": f"did not come back within {seconds} s"}
        except BrokenPipeError:
            answer = None
        if answer is None:
            return {"wrong": f"crash with {self._process.wait()}: {''.join(self._errors[-30:])}"}
        if answer["seconds"] > _SECONDS or answer["bytes"] > _BYTES:
            answer.setdefault("wrong", f"took {answer['seconds']:.1f} s and {answer['bytes'] / 2**20:.0f} MiB")
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()


def run(formats: list[str], mutations: int, seed: int, keep: Path | None = None) -> Iterator[tuple[str, str, dict]]:
    """(format, what was changed, what came of it) of each load; `mutations` of each format."""
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker()
        try:
            for kind in formats:
                paths = FORMATS[kind].write(Path(folder))
                goods = {name: path.read_bytes() for name, path in paths.items()}
                for name, path in paths.items():  # the first load of all takes longer: it imports
                    answer = worker.load(kind, name, path, 60.0)
                    assert answer.get("loaded"), f"The good file {path} does not load: {answer}"
                for number in range(mutations):
                    label = f"{seed}-{number}"
                    rng = random.Random(f"{kind}-{label}")
                    name = rng.choice(list(goods))
                    content = mutate(goods[name], FORMATS[kind].inside, rng, list(goods.values()))
                    place = Path(folder) / f"changed{''.join(paths[name].suffixes)}"
                    place.write_bytes(content)
                    answer = worker.load(kind, name, place)
                    if "wrong" in answer and keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{kind}-{name.replace('/', '_')}-{label}{place.suffix}").write_bytes(content)
                    if "seconds" not in answer or number % _WORK == _WORK - 1:
                        worker.close()
                        worker = Worker()
                        worker.load(kind, name, paths[name], 60.0)
                    yield kind, f"{name} {label}", answer
        finally:
            worker.close()


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, help="how many over all formats (a thousand of each)")
    parser.add_argument("--format", action="append", choices=list(FORMATS), help="change files of this format alone")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other changes (0)")
    parser.add_argument("--keep", type=Path, help="folder for the files that went wrong")
    options = parser.parse_args()
    formats = options.format or list(FORMATS)
    each = 1000 if options.mutations is None else -(-options.mutations // len(formats))
    loaded, refused, wrong, kinds = Counter(), Counter(), Counter(), Counter()
    for kind, what, answer in run(formats, each, options.seed, options.keep):
        if "wrong" in answer:
            wrong[kind] += 1
            reason = answer["wrong"].strip().splitlines()[-1][:160]
            kinds[f"{kind}: {reason}"] += 1
            if kinds[f"{kind}: {reason}"] == 1:
                print(f"--- {kind} {what}\n{answer['wrong'][-1500:]}", flush=True)
        else:
            (loaded if answer["loaded"] else refused)[kind] += 1
    for kind in formats:
        print(f"{kind:16} {each} changes: {loaded[kind]} loaded, {refused[kind]} refused, {wrong[kind]} wrong")
    for reason, times in kinds.most_common():
        print(f"{times:6} {reason}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
