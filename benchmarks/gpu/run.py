"""Time ResNet50, a 12-layer Transformer, an LSTM and an MLP on a GPU: cornu, Keras on JAX, PyTorch eager and compiled.

    environments/cornu/bin/python -m benchmarks.gpu.run environments
    python -m benchmarks.gpu.run .bench --device cpu --quick        # tiny sizes: only to see that it runs

In float32 with TF32 products, as JAX does by default and PyTorch on request, and in bfloat16 (mixed precision).
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.speed import driver, report
from benchmarks.speed.peers import Peer, find
from benchmarks.speed.plan import Work

HERE = Path(__file__).parent
PEERS = ("cornu", "keras-jax", "torch", "torch-compiled")
DTYPES = ("float32", "bfloat16")

_READ = {"batch": 2, "steps": 2, "time": 8, "width": 16}
WORK = {
    "resnet50": Work(
        "ResNet50, batch 64", sizes={"batch": 64, "steps": 10}, quick={"batch": 2, "steps": 1, "size": 32}
    ),
    "transformer": Work(
        "Transformer, 12 layers, 256 × 512, batch 32",
        sizes={"batch": 32, "steps": 20, "time": 256, "width": 512, "depth": 12, "heads": 8},
        quick={**_READ, "depth": 2, "heads": 2},
    ),
    "lstm": Work(
        "LSTM(512), 200 steps, batch 128", sizes={"batch": 128, "steps": 20, "time": 200, "width": 512}, quick=_READ
    ),
    "mlp": Work(
        "MLP, 4 × 2048, batch 512", sizes={"batch": 512, "steps": 50, "width": 2048, "depth": 4},
        quick={"batch": 4, "steps": 2, "width": 16, "depth": 4},
    ),
}  # fmt: skip


def main() -> int:
    """Time everything; write the figures after each piece, then the table and the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", type=Path, help="the folder that install filled")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where (cuda)")
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="only this")
    parser.add_argument("--work", action="append", choices=sorted(WORK), help="only this")
    parser.add_argument("--budget", type=float, default=15.0, metavar="MINUTES", help="time for everything (15)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, two rounds: only to see that it runs")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder for figures and chart")
    options = parser.parse_args()
    found = find(options.environments, [], sys.executable)
    peers = [peer for peer in found if peer.kind in PEERS]
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"gpu{'-on-cpu' if options.device == 'cpu' else ''}.json"
    figures = everything(options, peers, file)
    report.table(figures)
    report.chart(figures, file.with_suffix(".png"))
    print(f"Figures: {file.resolve()}")
    return 0


def everything(options: argparse.Namespace, peers: list[Peer], file: Path) -> dict:
    """Each piece of work in each precision, with its share of the time that is left."""
    pieces = [(name, dtype) for dtype in options.dtype or DTYPES for name in options.work or WORK]
    options.dtype = " and ".join(dict.fromkeys(dtype for _, dtype in pieces))
    figures: dict[str, Any] = {"about": driver.about(options) | {"device": options.device}, "results": {}}
    deadline = time.monotonic() + options.budget * 60
    for number, (name, dtype) in enumerate(pieces):
        began = time.monotonic()
        seconds = max(0.0, deadline - began) / (len(pieces) - number)
        settings = driver.Settings(seconds, 2 if options.quick else 15, options.quick, options.device, dtype, at_once=4)
        found = driver.measure(name, WORK[name], peers, settings)
        title = f"{WORK[name].title}, {dtype}"
        result = {"title": title, "unit": "ms", "peers": found, "seconds": time.monotonic() - began}
        figures["results"][f"{name}-{dtype}"] = result
        figures["about"]["processor"] = hardware(found) or figures["about"]["processor"]
        driver.write(file, figures)
        Console(stderr=True, highlight=False).print(report.line(f"{name} {dtype}", result), soft_wrap=True)
    return figures


def hardware(found: dict[str, dict]) -> str | None:
    """The name of the device, as the first peer on it tells."""
    return next((figure["device"] for figure in found.values() if figure.get("device")), None)


if __name__ == "__main__":
    sys.exit(main())
