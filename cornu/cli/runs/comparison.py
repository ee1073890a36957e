"""The differences between two runs: settings, data, versions, code, and metrics.

Settings are compared part by part, layers by name. Automatic layer names depend on how many layers the process had
created before, so they are renumbered.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from cornu.cli.runs import report
from cornu.cli.runs.report import Report, Table
from cornu.runs import Record, Run

_FOLLOWS = {"module", "registered_name", "build_config", "build_input_shape", "shared_object_id"}  # redundant
_USUAL = {"name", "trainable", "dtype"}  # omitted in short descriptions of objects
_ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "—"})()
_LONGEST = 200  # maximum length of a value
_MOST = 300  # maximum number of table rows
_SETTINGS = ("command", "seeds", "model", "compile", "fit")
_VERSIONS = ("versions", "machine", "environment")
_COLUMNS = ("", "A", "B")
_METRICS = ("", "last, A", "last, B", "best, A", "best, B", "differ")
_FACTS = {
    "Run": lambda run: run.name,
    "Began": report.began,
    "Took": report.took,
    "End": report.ended,
    "Epochs": report.epochs,
}
_SIGNS = 12  # displayed length of a revision or a hash


def comparison(a: Run, b: Run) -> Report:
    """The differences between two runs."""
    runs = {"A": a, "B": b}
    settings, versions = (
        [{key: run.facts.get(key) for key in keys} for run in (a, b)] for keys in (_SETTINGS, _VERSIONS)
    )
    tables = [
        _table("", _course(a, b)),
        _table("Settings", differences(renamed(settings[0]), renamed(settings[1]))),
        _table("Data", differences(a.facts.get("data"), b.facts.get("data"))),
        _table("Versions and machine", differences(versions[0], versions[1])),
        _table("Code", _code(a, b)),
        Table("Metrics", _METRICS, [*_metrics(a, b)], "None in either.", len(_METRICS)),
    ]
    notes = [f"{name}: {problem}" for name, run in runs.items() for problem in run.problems]
    texts = {f"Changes since the last commit in {name}": run.patch for name, run in runs.items() if run.patch}
    named = {f"{name}: {run.name}": run for name, run in runs.items()}
    return Report("Comparison of two runs", notes, tables, named, texts)


def _course(a: Run, b: Run) -> Iterator[tuple[str, str, str]]:
    for title, fact in _FACTS.items():
        yield title, fact(a), fact(b)
    if "goes_on" in a.facts or "goes_on" in b.facts:
        yield "Resumed from", shown(a.facts.get("goes_on", _ABSENT)), shown(b.facts.get("goes_on", _ABSENT))


def _table(title: str, rows: Iterator[tuple[str, str, str]]) -> Table:
    """A table of differences."""
    shown = [*islice(rows, _MOST)]
    if next(rows, None) is not None:
        shown.append(("… and more", "", ""))
    return Table(title, _COLUMNS, shown, "No known differences.", len(_COLUMNS))


# ---------------------------------------------------------------- settings


def differences(a: object, b: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """(where, first, second) for each difference between two settings."""
    if a == b:
        return
    inner = _parts(a), _parts(b)
    if inner[0] is None or inner[1] is None or _class(a) != _class(b):
        yield ".".join(path), shown(a), shown(b)
        return
    for key in dict.fromkeys([*inner[0], *inner[1]]):
        if key not in _FOLLOWS:
            deeper = path if key == "config" else (*path, key)
            yield from differences(inner[0].get(key, _ABSENT), inner[1].get(key, _ABSENT), deeper)


def _parts(value: object) -> Record | None:
    """The parts of a setting, by name; None if it is a single value."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    names = [_name(item) for item in value]
    if None in names or not names:
        return {str(index): item for index, item in enumerate(value)} if any(map(_parts, value)) else None
    counted = (names[: index + 1].count(name) for index, name in enumerate(names))
    return {
        f"{name} {count}" if count > 1 else name: item for name, count, item in zip(names, counted, value, strict=True)
    }


def _class(value: object) -> object:
    return value.get("class_name") if isinstance(value, dict) else None


def _name(item: object) -> Any:
    """The name of a layer, or the class of another part."""
    if not isinstance(item, dict) or not isinstance(item.get("class_name"), str):
        return None
    config = item.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return name if isinstance(name, str) else item["class_name"]


def renamed(settings: object) -> object:
    """Settings in which automatic layer names are renumbered from one."""
    names: dict[str, str] = {}
    given: dict[str, int] = {}
    for part in _named(settings):
        name = _name(part)
        base = re.sub(r"_\d+$", "", name)
        if name not in names and base.replace("_", "") == part["class_name"].lower():
            number = given[base] = given.get(base, -1) + 1
            names[name] = f"{base}_{number}" if number else base
    return _with_names(settings, names)


def _named(settings: Any) -> Iterator[dict[str, Any]]:
    if _name(settings) is not None:
        yield settings
    parts = settings.values() if isinstance(settings, dict) else settings if isinstance(settings, list) else ()
    for part in parts:
        yield from _named(part)


def _with_names(settings: object, names: dict[str, str]) -> object:
    if isinstance(settings, dict):
        return {names.get(key, key): _with_names(value, names) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_with_names(value, names) for value in settings]
    return names.get(settings, settings) if isinstance(settings, str) else settings


def shown(value: object) -> str:
    """A short description of a setting: an object as the call that creates it."""
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        given = config.items() if isinstance(config, dict) else ()
        arguments = (f"{key}={shown(inner)}" for key, inner in given if inner is not None and key not in _USUAL)
        text = f"{value['class_name']}({', '.join(arguments)})"
    elif isinstance(value, float):
        text = f"{value:.7g}"
    elif isinstance(value, (dict, list)):
        text = json.dumps(value)
    else:
        text = str(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# ---------------------------------------------------------------- code


def _code(a: Run, b: Run) -> Iterator[tuple[str, str, str]]:
    one, other = (_facts_of_code(run) for run in (a, b))
    yield from ((title, one[title], other[title]) for title in one if one[title] != other[title])
    patches = _by_file(a.patch), _by_file(b.patch)
    for name in dict.fromkeys([*patches[0], *patches[1]]):
        there, here = (patch.get(name, "") for patch in patches)
        if there != here:
            yield f"Changes of {name}", _size(there), _size(here)


def _facts_of_code(run: Run) -> dict[str, str]:
    code = run.facts.get("code")
    code = code if isinstance(code, dict) else {}
    script, git = (part if isinstance(part, dict) else {} for part in (code.get("script"), code.get("git")))
    new = git.get("untracked")
    return {
        "Script": shown(script.get("path", _ABSENT)),
        "Hash of the script": shown(script.get("sha256", _ABSENT))[:_SIGNS],
        "Revision": shown(git.get("revision", _ABSENT))[:_SIGNS],
        "Branch": shown(git.get("branch", _ABSENT)),
        "Not in git": ", ".join(map(shown, new)) if isinstance(new, list) else "",
    }


def _by_file(patch: str) -> dict[str, str]:
    """The changes in each file."""
    parts = re.split(r"^diff --git ", patch, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].rpartition(" b/")[2]: part for part in parts}


def _size(patch: str) -> str:
    """The number of lines a patch adds and removes."""
    lines = patch.splitlines()
    added, gone = (sum(s.startswith(sign) and not s.startswith(sign * 3) for s in lines) for sign in "+-")
    return f"+{added} −{gone} lines" if patch else repr(_ABSENT)


# ---------------------------------------------------------------- metrics


def _metrics(a: Run, b: Run) -> Iterator[tuple[str, ...]]:
    curves = a.curves, b.curves
    for name in report.in_order([*curves[0], *curves[1]]):
        one, other = (curve.get(name, {}) for curve in curves)
        last = (report.number(values[max(values)]) if values else repr(_ABSENT) for values in (one, other))
        yield name, *last, _best(a, name), _best(b, name), _parting(one, other)


def _best(run: Run, name: str) -> str:
    best = run.best(name) if name in run.curves else None
    return repr(_ABSENT) if best is None else f"{report.number(best[1])} in {best[0] + 1}"


def _parting(a: dict[int, float], b: dict[int, float]) -> str:
    """The first epoch in which two curves differ."""
    common = sorted(a.keys() & b.keys())
    if not common:
        return "no epoch in common"
    first = next((epoch for epoch in common if repr(a[epoch]) != repr(b[epoch])), None)  # NaN is NaN
    return f"in none of {len(common)} epochs" if first is None else f"from epoch {first + 1} on"
