"""How fast models are saved and loaded, and how much memory that takes, beside raw HDF5 and real Keras.

python -m benchmarks.files                     # 500 MB of weights, a minute; writes benchmarks/results/files.json
python -m benchmarks.files --megabytes 50 --only cornu

Writing ends when the bytes are on the disk: raw h5py and Keras, which leave that to the system, are followed by a flush
of their file. Reading finds the file in the system's cache. Memory is the peak of a fresh process above what it took
before it began to load, in sizes of the weights.
"""

import argparse
import importlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
LIBRARIES = ("cornu", "keras")
NAMES = ("model.keras", "model.weights.h5")
LAYERS = 16


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.files", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=500, help="size of the weights (500)")
    parser.add_argument("--repeat", type=int, default=3, help="writes of each file; the best time counts (3)")
    parser.add_argument("--only", action="append", choices=LIBRARIES, help="measure this library alone")
    parser.add_argument("--folder", type=Path, help="where to write the files; a temporary folder by default")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the figures")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        action, library, name = options.task.split(":")
        print(json.dumps(TASKS[action](library, options.folder / name, options.megabytes, options.repeat)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "files.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(options, Path(folder))
    figures = (before if before.get("megabytes") == options.megabytes else {}) | figures
    report(figures)
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of writing and reading, and peaks of memory, each from a process of its own."""
    figures: dict[str, Any] = {"megabytes": options.megabytes}
    for library in options.only or LIBRARIES:
        for name in NAMES:
            figures[f"{library} {name}"] = {
                **child(options, folder, "save", library, name), **child(options, folder, "load", library, name)
            }  # fmt: skip
            (folder / name).unlink()
    return figures


def child(options: argparse.Namespace, folder: Path, action: str, library: str, name: str) -> dict[str, float]:
    """What a fresh process measures."""
    command = [sys.executable, "-m", "benchmarks.files", "--task", f"{action}:{library}:{name}"]
    command += ["--folder", str(folder), "--megabytes", str(options.megabytes), "--repeat", str(options.repeat)]
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def save(library: str, path: Path, megabytes: int, repeat: int) -> dict[str, float]:
    """Seconds of saving, and of writing the same arrays with h5py alone, by turns."""
    model = build(importlib.import_module(library), width(megabytes))
    write = model.save_weights if path.name.endswith(".weights.h5") else model.save
    h5py = importlib.import_module("h5py")
    array = np.ones((width(megabytes),) * 2, "float32")

    def raw(file: Path) -> None:
        with h5py.File(file, "w") as made:
            for index in range(LAYERS):
                made.create_dataset(str(index), data=array)

    times = [(timed(raw, path), timed(write, path)) for _ in range(repeat)]
    return {"raw_s": min(time for time, _ in times), "save_s": min(time for _, time in times)}


def load(library: str, path: Path, megabytes: int, repeat: int) -> dict[str, float]:
    """Seconds of loading, and the peak of memory on the way in sizes of the weights."""
    module = importlib.import_module(library)
    weights_alone = path.name.endswith(".weights.h5")
    if weights_alone:
        model = build(module, width(megabytes))
        read: Callable[[], Any] = lambda: model.load_weights(path)  # noqa: E731
    else:
        read = lambda: module.models.load_model(path)  # noqa: E731
    module.Variable([0.0])  # the first array starts the engine
    importlib.import_module("h5py")
    before, start = current_memory(), time.perf_counter()
    read()
    seconds = time.perf_counter() - start
    return {"load_s": seconds, "peak": (peak_memory() - before) / (megabytes * 2**20)}


TASKS = {"save": save, "load": load}


def width(megabytes: int) -> int:
    """The width of the layers that takes so much memory."""
    return math.isqrt(megabytes * 2**20 // 4 // LAYERS)


def build(module: Any, size: int) -> Any:
    """A model with these weights."""
    dense = [module.layers.Dense(size, use_bias=False, kernel_initializer="ones") for _ in range(LAYERS)]
    return module.Sequential([module.Input((size,)), *dense])


def timed(write: Callable[[Path], None], path: Path) -> float:
    """The time from the call to all bytes on the disk."""
    path.unlink(missing_ok=True)
    os.sync()
    start = time.perf_counter()
    write(path)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


def current_memory() -> int:
    """Bytes that the process has in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak_memory() -> int:
    """The most bytes that the process ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(figures: dict[str, Any]) -> None:
    """Print a table."""
    print(f"{figures['megabytes']} MB of weights")
    print(f"{'':24}{'raw s':>8}{'save s':>8}{'x raw':>8}{'load s':>8}{'peak x weights':>16}")
    for name, row in figures.items():
        if name != "megabytes":
            cells = row["raw_s"], row["save_s"], row["save_s"] / row["raw_s"], row["load_s"]
            print(f"{name:24}{''.join(f'{cell:8.2f}' for cell in cells)}{row['peak']:16.2f}")


if __name__ == "__main__":
    sys.exit(main())
