"""What was seen on one side beside what was seen on the other: each difference, with its place."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_RULES = ("┏", "┡", "├", "└")  # how lines between the rows of a table begin


@dataclass(frozen=True)
class Found:
    """A difference: after which action, in which of the things seen, at what place in it, and what the two are."""

    verb: str
    label: str  # of what was seen; "error", "state" or "order"
    place: str
    ours: str
    theirs: str
    trace: str = field(default="", compare=False, repr=False)
    text: str = field(default="", compare=False, repr=False)  # of the program up to there

    @property
    def kind(self) -> str:
        """The same for differences that have likely one cause."""
        words = f"{self.place} {self.ours} | {self.theirs}" if self.label in ("error", "order") else self.place
        words = re.sub(r'"[^"]*"|\'[^\']*\'|[-+]?\d[\d.e+-]*|\[[^\]]*\]|\([^)]*\)', "_", words)
        return f"{self.verb}: {self.label}: {' '.join(words.split())[:150]}"

    def ours_refuse(self, words: str) -> bool:
        """Whether cornu alone raises, with these words."""
        return self.label == "error" and self.theirs == "" and words in self.ours

    def theirs_refuse(self, words: str) -> bool:
        """Whether Keras alone raises, with these words."""
        return self.label == "error" and self.ours == "" and words in self.theirs

    def theirs_is_nan(self, word: str) -> bool:
        """Whether Keras alone has NaN, in a program with this word."""
        return word in self.text and "nan" in self.theirs and "nan" not in self.ours


def plain(value: Any) -> Any:
    """What was seen as plain data: dictionaries, lists, arrays, numbers and text."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        array = np.asarray(value.value if hasattr(value, "assign") else value)
        name = str(value.dtype)
        return (name, array.astype("float32") if "float16" in name or "float8" in name else array)
    return f"<{type(value).__name__}>"


def config(value: Any) -> Any:
    """A config as JSON has it, without the order of its keys."""
    text = value if isinstance(value, str) else json.dumps(value, default=lambda o: f"<{type(o).__name__}>")
    return json.loads(json.dumps(json.loads(text), sort_keys=True))


def table(text: str) -> list[list[str]]:
    """The lines of a text, those of a table as cells, which may go on in the next line."""
    rows: list[list[str]] = [[]]
    for line in text.splitlines():
        if line[:1] not in ("│", "┃"):
            rows += [[line], []] if line[:1] not in _RULES else [[]]
            continue
        cells = [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
        rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)] if rows[-1] else cells
    return [row for row in rows if row]


def differences(ours: Any, theirs: Any, tolerance: float, place: str = "") -> Iterator[tuple[str, str, str]]:
    """(place, ours, theirs) of each difference between two pieces of plain data."""
    if isinstance(theirs, tuple) and isinstance(ours, tuple):
        yield from _arrays(ours, theirs, tolerance, place)
    elif _is_number(theirs) and _is_number(ours):
        yield from _arrays(("", np.asarray(float(ours))), ("", np.asarray(float(theirs))), tolerance, place)
    elif type(ours) is not type(theirs):
        yield (
            f"{place} (kind)",
            f"{type(ours).__name__} {str(ours)[:80]}",
            f"{type(theirs).__name__} {str(theirs)[:80]}",
        )
    elif isinstance(theirs, dict):
        place += f":{theirs['class_name']}" if "class_name" in theirs else ""
        if set(ours) != set(theirs):
            mine, other = ([k for k in a if k not in b] for a, b in ((ours, theirs), (theirs, ours)))
            yield f"{place} (keys)", f"has {mine}", f"has {other}"
        for key in [k for k in theirs if k in ours]:
            yield from differences(ours[_last(key, ours, theirs)], theirs[key], tolerance, f"{place}.{key}")
    elif isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{place} (length)", f"{len(ours)} {ours}", f"{len(theirs)} {theirs}"
            return
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(a, b, tolerance, f"{place}[{index}]")
    elif ours != theirs:
        yield place, str(ours)[:1500], str(theirs)[:1500]


def _last(key: str, ours: dict, theirs: dict) -> str:
    """The last of ours with a name: of losses and metrics of one name Keras shows the last, and cornu numbers them."""
    numbered = [k for k in ours if k not in theirs and k.startswith(f"{key}_") and k[len(key) + 1 :].isdigit()]
    return numbered[-1] if numbered else key


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _arrays(ours: tuple, theirs: tuple, tolerance: float, place: str) -> Iterator[tuple[str, str, str]]:
    (our_dtype, a), (their_dtype, b) = ours, theirs
    if our_dtype != their_dtype:
        yield f"{place} (dtype)", our_dtype, their_dtype
    if a.shape != b.shape:
        yield f"{place} (shape)", str(a.shape), str(b.shape)
        return
    scale = max(1.0, np.max(np.abs(b[np.isfinite(b)]), initial=0.0)) if b.dtype.kind in "fc" else 0.0
    if not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
        wrong = ~np.isclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
        yield f"{place} (value)", f"{a[wrong].ravel()[:4]}", f"{b[wrong].ravel()[:4]} ({wrong.sum()} of {a.size})"
