"""List the runs recorded by `callbacks.RunRecord`, or compare two of them.

`cornu runs DIR` shows a row for each run, the oldest first; `cornu runs diff A B` compares the directories of two runs.
Either can also write a page: one self-contained HTML file.

Files may come from anywhere: their text is escaped, and unreadable files are reported. The exit status is 0, or 2 if
there are no runs in the directory.
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

_LONGEST = 600  # maximum length of a cell
_WIDTH = 200  # line width without a terminal
_WIDEST = 10**6


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu runs`."""
    parser.usage = "cornu runs [--html FILE] DIR\n       cornu runs [--html FILE] diff A B"
    parser.add_argument("folders", nargs="+", metavar="DIR", help="a directory of runs, or `diff` and two runs")
    parser.add_argument("--html", metavar="FILE", help="write a page, with the curves of the metrics, instead")


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write the page."""
    first, *others = options.folders
    if others and (first != "diff" or len(others) != 2):
        print("cornu runs: pass one directory of runs, or `diff` and the directories of two runs.", file=sys.stderr)
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
    """What is wrong with the directories; empty if nothing is.

    Args:
        paths: the directories.
        alone: whether each must be a run, rather than contain runs.
    """
    for path in paths:
        name = spelling.plain(repr(str(path)))
        if not path.is_dir():
            return f"there is no directory {name}."
        found = runs.find(path)
        if not found:
            return f"there is no run in {name}. callbacks.RunRecord({name}) records each fit."
        if alone and found != [path]:
            return f"{name} is a directory of runs. Pass one of them, such as {spelling.plain(repr(str(found[-1])))}."
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
            out.print(_plain(f"Not enough space for: {names}.", "dim"))


def _with_room(part: Table, out: console.Console) -> int:
    """The number of table columns that fit in a terminal; required ones always do."""
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
    """Literal text: without markup, and with control characters escaped."""
    cut = cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}…"
    return text.Text(spelling.plain(cut).replace("\n", "\\n").replace("\t", "\\t"), style)
