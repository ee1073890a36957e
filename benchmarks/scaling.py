"""How time per step grows with batch size, width, sequence length and number of layers: cornu and its peers.

python -m benchmarks.scaling --budget 6        # minutes; writes benchmarks/results/scaling.json and .png
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.speed import driver, report
from benchmarks.speed.peers import Peer, find
from benchmarks.speed.plan import Work

HERE = Path(__file__).parent


class Panel(NamedTuple):
    """One size of one piece of work that grows, the others staying."""

    title: str
    work: str
    axis: str
    values: tuple[int, ...]
    sizes: dict[str, int]


PANELS = (
    Panel("batch size (MLP 784-512-10)", "mlp", "batch", (8, 32, 128, 512, 2048), {"steps": 30}),
    Panel("width (MLP 784-w-10, batch 32)", "mlp", "width", (64, 256, 1024, 4096), {"steps": 50}),
    Panel("sequence length (LSTM 64, batch 32)", "lstm", "time", (25, 50, 100, 200, 400), {"steps": 10}),
    Panel(
        "layers (Transformer, 64 × 64, batch 16)", "transformer", "depth", (1, 2, 4, 8),
        {"steps": 10, "batch": 16, "time": 64, "width": 64},
    ),
)  # fmt: skip
QUICK = {"batch": 2, "steps": 2}


def main() -> int:
    """Measure every point, write the figures after each, draw the plot."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", type=float, default=6.0, metavar="MINUTES", help="time for all points (6)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another environment")
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".bench", help="folder of the environments")
    parser.add_argument("--only", action="append", metavar="NAME", help="time these peers alone")
    parser.add_argument("--quick", action="store_true", help="two values each, tiny sizes: only to see that it runs")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for figures and plot")
    options = parser.parse_args()
    options.dtype = "float32"
    peers = [peer for peer in find(options.peers, options.peer, sys.executable) if peer.kind != "jax"]
    if options.only:
        peers = [peer for peer in peers if peer.name in ("cornu", *options.only)]
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / ("scaling-quick.json" if options.quick else "scaling.json")
    figures = measure(options, peers, file)
    draw(figures, file.with_suffix(".png"))
    print(f"Figures: {file.resolve()}")
    return 0


def measure(options: argparse.Namespace, peers: list[Peer], file: Path) -> dict:
    """{"about": ..., "panels": [{"title", "axis", "points": {value: {peer: figures}}}]}"""
    figures: dict[str, Any] = {"about": driver.about(options), "panels": []}
    points = [(panel, value) for panel in PANELS for value in (panel.values[:2] if options.quick else panel.values)]
    deadline = time.monotonic() + options.budget * 60
    for number, (panel, value) in enumerate(points):
        if not figures["panels"] or figures["panels"][-1]["title"] != panel.title:
            figures["panels"].append({"title": panel.title, "axis": panel.axis, "points": {}})
        seconds = max(0.0, deadline - time.monotonic()) / (len(points) - number)
        sizes = {**panel.sizes, **(QUICK if options.quick else {}), panel.axis: value}
        settings = driver.Settings(seconds, 2 if options.quick else 9)
        found = driver.measure(panel.work, Work(panel.title, sizes=sizes), peers, settings)
        figures["panels"][-1]["points"][value] = found
        driver.write(file, figures)
        cells = ", ".join(f"{name} {report.cell(figure)}" for name, figure in found.items())
        print(f"{panel.axis} = {value}: {cells}", flush=True)
    return figures


def draw(figures: dict, file: Path) -> None:
    """Four panels, both axes logarithmic, a line a peer."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    labelled: dict[str, Any] = {}
    for axes, panel in zip(grid.flat, figures["panels"], strict=True):
        for name in dict.fromkeys(name for point in panel["points"].values() for name in point):
            timed = {int(value): p[name]["median"] for value, p in panel["points"].items() if "median" in p[name]}
            if timed:
                labelled[name] = axes.plot(timed.keys(), timed.values(), **_style(name))[0]
        _dress(axes, panel)
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=len(labelled), frameon=False)
    figure.suptitle(f"Milliseconds per step of fit. {report.heading(figures['about'])}", fontsize=11)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _style(name: str) -> dict[str, Any]:
    own = name == "cornu"
    return {
        "color": report.colour(name), "marker": "o", "markersize": 6 if own else 4, "linewidth": 2.6 if own else 1.4,
        "zorder": 3 if own else 2,
    }  # fmt: skip


def _dress(axes: Any, panel: dict) -> None:
    values = [int(value) for value in panel["points"]]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [t * 10.0**power for power in range(-2, 6) for t in (1, 2, 5) if low <= t * 10.0**power <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(alpha=0.3)
    axes.set_xlabel(panel["title"])
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    sys.exit(main())
