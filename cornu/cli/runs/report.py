"""Reports about runs as tables of text, for display in a terminal or on a page; and the table of a directory."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cornu.runs import Run

_NEEDED = ("Run", "Began", "Took", "End", "Epochs")
_LONGEST = 80  # maximum length of an error message
_PLURAL = {True: "", False: "s"}


class Table(NamedTuple):
    """A table.

    Attributes:
        title: its title.
        columns: the names of its columns.
        rows: the text of its cells.
        otherwise: text to show if there are no rows.
        needed: number of leading columns that must always be shown.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    otherwise: str
    needed: int


class Report(NamedTuple):
    """The content to display.

    Attributes:
        title: its title.
        notes: what could not be read, and other remarks.
        tables: the tables.
        runs: the runs whose curves are shown on a page, by the names used here.
        texts: long texts by title, for a page.
    """

    title: str
    notes: list[str]
    tables: list[Table]
    runs: dict[str, Run]
    texts: dict[str, str]


def overview(folder: str, found: Sequence[Run]) -> Report:
    """A row for each run in a directory."""
    names = in_order(name for run in found for name in run.curves)
    heads = [head for name in names for head in (name, "best")]
    rows = [
        (
            run.name,
            began(run),
            took(run),
            ended(run),
            epochs(run),
            *(cell for name in names for cell in _values(run, name)),
        )
        for run in found
    ]
    notes = [f"{run.name}: {problem}" for run in found for problem in run.problems]
    table = Table("", (*_NEEDED, *heads), rows, "", len(_NEEDED))
    return Report(f"{len(found)} run{_PLURAL[len(found) == 1]} in {folder}", notes, [table], by_name(found), {})


def by_name(found: Sequence[Run]) -> dict[str, Run]:
    """Runs by the names of their directories, or by their paths if two have the same name."""
    names = [run.name for run in found]
    return {run.name if names.count(run.name) == 1 else str(run.path): run for run in found}


def in_order(names: Iterable[str]) -> list[str]:
    """Names of metrics, each once: the losses first, each before its validation counterpart."""
    known = dict.fromkeys(names)
    bare = dict.fromkeys(name.removeprefix("val_") for name in sorted(known, key=_weight))
    return [name for base in bare for name in (base, f"val_{base}") if name in known]


def _weight(name: str) -> tuple[bool, bool]:
    bare = name.removeprefix("val_")
    return bare != "loss", not bare.endswith("loss")


# ---------------------------------------------------------------- cells


def began(run: Run) -> str:
    """When a run started, by its own clock."""
    try:
        return datetime.fromisoformat(str(run.facts.get("began"))).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return "?"


def took(run: Run) -> str:
    """The duration of a run, if known."""
    seconds = (run.end or (run.epochs[-1] if run.epochs else {})).get("seconds")
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e10:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.3g} s"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {rest:02} s"


def ended(run: Run) -> str:
    """How a run ended."""
    end, state = run.end or {}, run.state
    if state == "error":
        message = f"error: {end.get('type')}: {end.get('message')}"
        return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
    if state == "stopped":
        return f"stopped by {end.get('signal')}"
    return "finished early" if state == "finished" and end.get("early") is True else state


def epochs(run: Run) -> str:
    """The number of epochs of a run, done and planned."""
    wanted = _inner(run.facts, "fit", "epochs")
    done = f"{len(run.epochs)} of {wanted}" if isinstance(wanted, int) else str(len(run.epochs))
    return f"{done}, resumed" if run.facts.get("goes_on") else done


def _inner(facts: object, *names: str) -> object:
    for name in names:
        facts = facts.get(name) if isinstance(facts, dict) else None
    return facts


def _values(run: Run, name: str) -> tuple[str, str]:
    """The last value of a metric and its best one."""
    values = run.curves.get(name)
    best = run.best(name) if values else None
    return number(values[max(values)]) if values else "", "" if best is None else number(best[1])


def number(value: float) -> str:
    """A number formatted for reading."""
    return f"{value:.5g}"
