"""The record of a `fit` run: a directory of small files, written by `callbacks.RunRecord` and read here.

| File | Contents |
|---|---|
| `run.json` | what is known when training starts: settings, data, versions, seeds, processor, code |
| `changes.diff` | changes since the last commit of the script's repository |
| `metrics.jsonl` | one line per epoch |
| `end.json` | how it ended; missing while it runs and after the process was killed |

The files are untrusted data: read errors are reported as text, and no structure is assumed. Reading imports neither
NumPy nor JAX, so that `cornu runs` starts fast.
"""

import functools
import json
import math
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]  # an object of JSON

FACTS, PATCH, METRICS, END = "run.json", "changes.diff", "metrics.jsonl", "end.json"

_LARGEST = 64 * 2**20  # bytes maximum size of a file that is read
_DEEPEST = 100  # levels of JSON
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Run:
    """The contents of a run's directory.

    Attributes:
        path: the directory.
        facts: `run.json`.
        epochs: the lines of `metrics.jsonl`.
        end: `end.json`; None if missing.
        patch: `changes.diff`.
        problems: descriptions of what could not be read.
    """

    path: Path
    facts: Record
    epochs: list[Record]
    end: Record | None
    patch: str
    problems: list[str]

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.resolve().name

    @property
    def state(self) -> str:
        """`"finished"`, `"error"`, `"stopped"` by a signal, `"running"`, or `"killed"`."""
        if self.end is not None:
            return str(self.end.get("end"))
        return "running" if is_process(self.facts.get("process")) else "killed"

    @functools.cached_property
    def curves(self) -> dict[str, dict[int, float]]:
        """The numeric metrics: by name, the values by epoch, starting from 0."""
        found: dict[str, dict[int, float]] = {}
        for line in self.epochs:
            for name, value in line["metrics"].items():
                number = _number(value)
                if number is not None:
                    found.setdefault(name, {})[line["epoch"]] = number
        return found

    def best(self, name: str) -> tuple[int, float] | None:
        """The epoch and the best value of a metric; None if the better direction is unknown, or no value is finite."""
        better = self.facts.get("better")
        way = better.get(name.removeprefix("val_")) if isinstance(better, dict) else None
        values = {epoch: value for epoch, value in self.curves[name].items() if math.isfinite(value)}
        if not values or way not in ("up", "down"):
            return None
        epoch = (max if way == "up" else min)(values, key=values.__getitem__)
        return epoch, values[epoch]


def find(folder: Path) -> list[Path]:
    """The run directories in a directory, or the directory itself if it is one; the oldest first."""
    if (folder / FACTS).exists():
        return [folder]
    files = (FACTS, METRICS, END)
    return sorted(path for path in folder.iterdir() if path.is_dir() and any((path / f).exists() for f in files))


def read(path: Path) -> Run:
    """Read a run's directory."""
    problems: list[str] = []
    facts = _object(path / FACTS, problems)
    end = _object(path / END, problems) if (path / END).exists() else None
    epochs = list(_lines(path / METRICS, problems)) if (path / METRICS).exists() else []
    patch = _text(path / PATCH, problems) if (path / PATCH).exists() else ""
    return Run(path, facts or {}, epochs, end, patch, problems)


def process() -> Record:
    """An identifier of this process, unique across machines."""
    return {"host": platform.node(), "id": os.getpid(), "began": _began(os.getpid())}


def is_process(told: object) -> bool:
    """Whether an identifier from `process` belongs to a running process of this machine."""
    if not isinstance(told, dict) or told.get("host") != platform.node() or not isinstance(told.get("id"), int):
        return False
    return told.get("began") is not None and _began(told["id"]) == told["began"]


def _began(number: int) -> str | None:
    """The start time of a process in a system-specific format; None if unknown, or if it has ended."""
    try:
        boot = _PROCESSES.joinpath("sys/kernel/random/boot_id").read_text().strip()
        fields = _PROCESSES.joinpath(str(number), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else f"{boot} {fields[19]}"


# ---------------------------------------------------------------- files


def _text(path: Path, problems: list[str]) -> str:
    try:
        if not path.is_file():
            raise OSError("there is no such file")
        if path.stat().st_size > _LARGEST:
            raise OSError(f"it is larger than {_LARGEST // 2**20} MB")
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror or error}.")
        return ""


def _parsed(text: str) -> Record:
    """A JSON object.

    Raises:
        ValueError: if it is not one.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}, but an object was expected")
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inner(outer)]
    if level:
        raise ValueError("it is nested too deeply")
    return value


def _inner(value: Any) -> Iterator[Any]:
    parts = value.values() if isinstance(value, dict) else value
    return (part for part in parts if isinstance(part, (dict, list)))


def _object(path: Path, problems: list[str]) -> Record | None:
    known = len(problems)
    text = _text(path, problems)
    if len(problems) > known:
        return None
    try:
        return _parsed(text)
    except ValueError as error:
        problems.append(f"{path.name} is damaged: {error}.")
        return None


def _lines(path: Path, problems: list[str]) -> Iterator[Record]:
    """The epochs; an incomplete last line, of a process killed while writing, is omitted."""
    *lines, rest = _text(path, problems).split("\n")
    wrong = [len(lines) + 1] if rest else []
    for number, line in enumerate(lines, 1):
        try:
            value = _parsed(line)
        except ValueError:
            value = {}
        epoch = value.get("epoch")
        if isinstance(epoch, int) and epoch >= 0 and isinstance(value.get("metrics"), dict):
            yield value
        else:
            wrong.append(number)
    if wrong:
        numbers = ", ".join(map(str, wrong[:5])) + (", …" if len(wrong) > 5 else "")
        problems.append(f"{path.name} is damaged in line {numbers}, which is ignored.")


def _number(value: object) -> float | None:
    """A number of a metric: those that JSON lacks are written as strings."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def as_json(value: float) -> float | str:
    """A number for JSON: NaN and infinity as strings."""
    return value if math.isfinite(value) else str(value)
