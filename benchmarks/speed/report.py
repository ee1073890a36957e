"""Figures made readable: a line, a table with ratios and targets, and a chart of bars."""

import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.speed.plan import MEMORY, MEMORY_TARGETS, WORK, Target
from cornu import validate

_WIDTH = 170  # characters of a table that goes to a file
COLOURS = {
    "cornu": "#d1495b", "keras-jax": "#3d6b9e", "keras-tf": "#e9a23b", "keras-torch": "#7a9e7e",
    "torch": "#8c6bb1", "torch-compiled": "#b9a5d1", "jax": "#999999",
}  # fmt: skip
_OTHER = "#555555"


class Row(NamedTuple):
    """One line of the table, whatever it was read from."""

    title: str
    unit: str
    peers: dict[str, dict]
    targets: tuple[Target, ...]
    ceiling: float | None


def rows(figures: dict) -> list[Row]:
    """The rows of the table: one for each piece of work, and the most memory that some of them held."""
    results = figures["results"]
    found = []
    for name, result in results.items():
        work = WORK.get(name)
        targets, ceiling = (work.targets, work.ceiling) if work else ((), None)
        found.append(Row(result["title"], result["unit"], result["peers"], targets, ceiling))
    for name in MEMORY:
        if name in results:
            found.append(_memory(results[name]))
    return found


def _memory(result: dict) -> Row:
    peers = {
        name: {"best": figure["peak_mb"], "median": figure["peak_mb"]} if "peak_mb" in figure else figure
        for name, figure in result["peers"].items()
    }
    return Row(f"peak memory: {result['title'].partition(',')[0]}", "MB", peers, MEMORY_TARGETS, None)


def ratio(row: Row, target: Target, figure: str = "median") -> tuple[float, str] | None:
    """(how many times as fast as the best of the target's peers cornu is, that peer), if both were timed."""
    own = row.peers.get("cornu", {}).get(figure)
    others = {
        name: peer[figure]
        for name, peer in row.peers.items()
        if name not in ("cornu", "jax" if not target.peers else "") and figure in peer
        and (not target.peers or any(name.startswith(wanted) for wanted in target.peers))
    }  # fmt: skip
    if not own or not others:
        return None
    best = min(others, key=lambda name: others[name])
    return others[best] / own, best


def _verdicts(row: Row) -> tuple[list[str], list[str]]:
    """(what was reached, what is aimed at), a line for each target."""
    reached, aims = [], []
    for target in row.targets or (Target(0.0),):
        found = ratio(row, target)
        colour = "green" if found and found[0] >= target.times else "red"
        style = colour if target.times else "default"
        reached.append(f"[{style}]{found[0]:.2f}[/] {found[1]}" if found else "-")
        aims.append(f"≥ {target.times:.2f}" if target.times else "")
    if row.ceiling is not None:
        own = row.peers.get("cornu", {}).get("median", math.inf)
        aims[0] = f"[{'green' if own < row.ceiling else 'red'}]< {row.ceiling:g} {row.unit}[/]"
    return reached, aims


def number(value: float) -> str:
    """Three figures that count, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def cell(figure: dict | None) -> str:
    """Best and median, or what came instead."""
    if figure is None or figure.get("absent"):
        return "-"
    if "error" in figure:
        return "failed"
    if figure["best"] == figure["median"]:
        return number(figure["median"])
    return f"{number(figure['best'])} / {number(figure['median'])}"


def names(figures: dict) -> list[str]:
    """Every peer with a figure, in the order of first appearance."""
    found: dict[str, None] = {}
    for row in rows(figures):
        found |= dict.fromkeys(row.peers)
    return list(found)


def line(name: str, result: dict) -> str:
    """One piece of work as it is done."""
    cells = (f"{peer} {cell(figure)}" for peer, figure in result["peers"].items())
    errors = "".join(f"\n  {peer}: {figure['error']}" for peer, figure in result["peers"].items() if "error" in figure)
    return f"{name} ({result['unit']}, {result['seconds']:.0f} s): {', '.join(cells)}{errors}"


def table(figures: dict, console: Console | None = None) -> None:
    """Print every row: best / median for each peer, the ratio of medians, and the target."""
    about = figures["about"]
    shown = names(figures)
    drawn = Table(title=f"best / median; {heading(about)}", box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column("work", min_width=24)
    for name in shown:
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("times as fast as", no_wrap=True)
    drawn.add_column("target", no_wrap=True)
    for row in rows(figures):
        reached, aims = _verdicts(row)
        cells = (cell(row.peers.get(name)) for name in shown)
        drawn.add_row(f"{row.title}, {row.unit}", *cells, "\n".join(reached), "\n".join(aims))
    if console is None:
        console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(drawn)


def heading(about: dict) -> str:
    """Date, processor and cores in a line."""
    sizes = ", TINY SIZES" if about["quick"] else ""
    return f"{about['date'][:10]}, {about['processor']}, {about['cores']} cores, {about['dtype']}{sizes}"


def chart(figures: dict, file: Path) -> None:
    """Draw a panel of bars for each row; says so where matplotlib is missing."""
    try:
        validate.optional_import("matplotlib", extra="plot", purpose="the chart of the benchmark")
    except ImportError as error:
        print(error, file=sys.stderr)
        return
    drawn = [row for row in rows(figures) if any("median" in peer for peer in row.peers.values())]
    if not drawn:
        return
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = min(4, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(4.1 * columns, 1.75 * lines + 0.7), squeeze=False, layout="constrained"
    )
    for axes, row in zip(grid.flat, drawn, strict=False):
        _panel(axes, row)
    for axes in list(grid.flat)[len(drawn) :]:
        axes.axis("off")
    figure.suptitle(f"Less is better. {heading(figures['about'])}", fontsize=11)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def colour(name: str) -> str:
    """The colour of a peer, the same in every chart."""
    kind = max((known for known in COLOURS if name.startswith(known)), key=len, default=None)
    return _OTHER if kind is None else COLOURS[kind]


def _panel(axes: Any, row: Row) -> None:
    """Horizontal bars of the medians, each with its figure, and a tick where the best round ended."""
    timed = {name: peer for name, peer in row.peers.items() if "median" in peer}
    longest = max(peer["median"] for peer in timed.values()) or 1.0
    for place, (name, peer) in enumerate(timed.items()):
        median = max(peer["median"], 0.0)
        axes.barh(place, median, color=colour(name), height=0.75)
        axes.text(median + longest * 0.015, place, number(peer["median"]), va="center", fontsize=8)
    axes.set_yticks(range(len(timed)), timed, fontsize=8)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == "cornu" else "normal")
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.18)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title(f"{row.title}, {row.unit}", fontsize=8.5, loc="left")
