"""List the runs that `callbacks.RunRecord` kept, or say what sets two of them apart.

`cornu runs DIR` has a row for each run, the oldest first; `cornu runs diff A B` takes the folders of two runs. Either
also writes a page: one file of HTML, which needs nothing else.

Files may come from anywhere: what they say is shown letter by letter, and what cannot be read is told. The exit status
is 0, or 2 where there is no run in the folder.
"""

import argparse
import os
import sys
from pathlib import Path

from rich import box, console, measure, table, text

from cornu import runs, spelling
from cornu.cli.runs import page
from cornu.cli.runs.comparison import comparison
from cornu.cli.runs.report import Report, Table, overview

_LONGEST = 600  # signs of one cell
_WIDTH = 200  # signs of a line where no terminal says how many it has
_WIDEST = 10**6


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `cornu runs` takes."""
    parser.usage = "cornu runs [--html FILE] DIR\n       cornu runs [--html FILE] diff A B"
    parser.add_argument("folders", nargs="+", metavar="DIR", help="a folder of runs, or `diff` and the folders of two")
    parser.add_argument("--html", metavar="FILE", help="write a page, with the curves of the metrics, instead")


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write the page."""
    first, *others = options.folders
    if others and (first != "diff" or len(others) != 2):
        print("cornu runs: give one folder of runs, or `diff` and the folders of two runs.", file=sys.stderr)
        return 2
    paths = list(map(Path, others or [first]))
    missing = _missing(paths, alone=bool(others))
    if missing:
        print(f"cornu runs: {missing}", file=sys.stderr)
        return 2
    report = (
        comparison(*map(runs.read, paths)) if others else overview(first, list(map(runs.read, runs.find(paths[0]))))
    )
    if not options.html:
        show(report)
        return 0
    try:
        Path(options.html).write_text(page.of(report), encoding="utf-8")
    except OSError as error:
        print(f"cornu runs: no page was written to {options.html!r}: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


def _missing(paths: list[Path], alone: bool) -> str:
    """What is wrong with the folders; nothing where nothing is.

    Args:
        paths: the folders.
        alone: whether each must be a run, rather than have some.
    """
    for path in paths:
        name = spelling.plain(repr(str(path)))
        if not path.is_dir():
            return f"there is no folder {name}."
        found = runs.find(path)
        if not found:
            return f"there is no run in {name}. callbacks.RunRecord({name}) keeps one of each fit."
        if alone and found != [path]:
            return f"{name} is a folder of runs. Name one of them, such as {spelling.plain(repr(str(found[-1])))}."
    return ""


def show(report: Report) -> None:
    """Print a report in the terminal."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    out = console.Console(highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = _WIDTH
    out.print(_plain(report.title, "bold"))
    for note in report.notes:
        out.print(_plain(note, "yellow"))
    for part in report.tables:
        out.print()
        if part.title:
            out.print(_plain(part.title, "bold"))
        shown = _with_room(part, out)
        out.print(_drawn(part, shown) if part.rows else text.Text(part.otherwise))
        if shown < len(part.columns):
            names = ", ".join(name for name in part.columns[shown:] if name != "best")
            out.print(_plain(f"Without room here: {names}.", "dim"))


def _with_room(part: Table, out: console.Console) -> int:
    """How many columns of a table have room in a terminal; those that are needed always have."""
    wide = out.options.update(width=_WIDEST, max_width=_WIDEST)
    for count in range(len(part.columns), part.needed, -1):
        if measure.Measurement.get(out, wide, _drawn(part, count)).maximum <= out.width:
            return count
    return part.needed


def _drawn(part: Table, count: int) -> table.Table:
    drawn = table.Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in part.columns[:count]:
        drawn.add_column(_plain(name), overflow="fold")
    for row in part.rows:
        drawn.add_row(*map(_plain, row[:count]))
    return drawn


def _plain(cell: str, style: str = "") -> text.Text:
    """A text letter by letter: no markup, and what a terminal could obey as its code."""
    cut = cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}…"
    return text.Text(spelling.plain(cut).replace("\n", "\\n").replace("\t", "\\t"), style)
