"""How fast data comes, and what that costs: cornu's data sets beside tf.data and torch's DataLoader.

python -m benchmarks.dataset                              # everything, in some minutes; writes results/dataset.json
python -m benchmarks.dataset --work "read small" --work shuffled --rounds 9
python -m benchmarks.dataset --peer keras-tf=/path/to/python --peer torch=/path/to/python

Pictures and texts are made for the occasion. For each piece of work every library has a process that stays alive, and
they take turns; a round is one pass over the data. Time is by the clock and of all processors, in microseconds an
element, both medians. How long a training waits for its data is what an epoch "inmap" takes longer than one "inmemory".
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.speed.peers import Peer, PeerError, Process, find

HERE = Path(__file__).parent
WORKER = HERE / "dataset_worker.py"
LIBRARIES = ("cornu", "keras-tf", "torch")
WORK = (
    "read small", "augmented small", "read mixed", "augmented mixed", "read large", "trained small inmemory",
    "trained small inmap", "trained small inmodel", "trained mixed inmap", "shuffled", "mapped", "mapped_batches",
    "generated", "texts", "windows", "cached", "interleaved",
)  # fmt: skip
KINDS = {"small": ((32, 32), (32, 32)), "mixed": ((64, 96), (64, 96)), "large": ((375, 375), (500, 500))}
"""Heights and widths of pictures from the smallest to the largest, in pixels."""
_PATIENCE = 600.0  # seconds for an answer


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dataset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", action="append", choices=WORK, metavar="NAME", help=f"of {', '.join(WORK)} (all)")
    parser.add_argument("--pictures", type=int, default=20_000, help="pictures; a twentieth as many large ones (20000)")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each library (5)")
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".bench", help="folder of environments (.bench)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another environment")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the figures")
    options = parser.parse_args()
    peers = [peer for peer in find(options.peers, options.peer, sys.executable) if peer.name in LIBRARIES]
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "dataset.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), options.pictures)
        for work in options.work or WORK:
            figures[work] = measure(work, peers, folder, options.rounds)
            print(line(work, figures[work]), flush=True)
            kept.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def make_files(folder: Path, count: int) -> None:
    """JPEGs in a folder for each class, with shapes and some noise in them, and texts."""
    random = np.random.default_rng(0)
    for kind, sides in KINDS.items():
        for number in range(count // 20 if kind == "large" else count):
            height, width = (random.integers(low, high + 1) for low, high in sides)
            coarse = random.integers(0, 255, (height // 8, width // 8, 3), "uint8")
            smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), int)
            pixels = (smooth + random.integers(-8, 9, smooth.shape)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(_place(folder, kind, number).with_suffix(".jpg"), quality=90)
    for number in range(count // 8):
        _place(folder, "texts", number).with_suffix(".txt").write_text("what a film " * 40)


def _place(folder: Path, kind: str, number: int) -> Path:
    place = folder / kind / str(number % 10) / str(number)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def measure(work: str, peers: list[Peer], folder: str, rounds: int) -> dict[str, dict[str, float]]:
    """The medians of each library's rounds, which they make in turns."""
    alive: dict[str, Process] = {}
    answers: dict[str, list[dict]] = {}
    try:
        for peer in peers:
            process = Process(peer, {"work": work, "folder": folder}, "cpu", None, WORKER)
            alive[peer.name] = process
            if process.answer(_PATIENCE).get("absent"):
                alive.pop(peer.name).stop()
        for _ in range(rounds):
            for name, process in alive.items():
                answers.setdefault(name, []).append(process.ask(_PATIENCE))
    except PeerError as error:
        print(f"{work}: {error}", file=sys.stderr)
    finally:
        for process in alive.values():
            process.stop()
    return {name: _medians(found) for name, found in answers.items()}


def _medians(answers: list[dict]) -> dict[str, float]:
    return {key: round(statistics.median(answer[key] for answer in answers), 1) for key in answers[0]}


def line(work: str, figures: dict[str, dict[str, float]]) -> str:
    """A row of the table: microseconds by the clock and of processors, and how cornu's compare."""
    parts = [f"{name} {found['wall_us']:.1f}/{found['cpu_us']:.1f}" for name, found in figures.items()]
    ours = figures.get("cornu")
    others = {name: found for name, found in figures.items() if name != "cornu"}
    parts += [
        f"cornu/{name} {ours['wall_us'] / found['wall_us']:.2f}/{ours['cpu_us'] / found['cpu_us']:.2f}"
        for name, found in others.items()
        if ours
    ]
    return f"{work:24} {', '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
