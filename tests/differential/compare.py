"""What was seen on one side beside what was seen on the other: the first difference, said in a line."""

import json
from typing import Any

import numpy as np


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


def difference(ours: Any, theirs: Any, tolerance: float, place: str = "") -> str | None:
    """Where two pieces of plain data differ first; None where they do not."""
    if isinstance(theirs, tuple) and isinstance(ours, tuple):
        return _arrays(ours, theirs, tolerance, place)
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)) and not isinstance(theirs, bool):
        return _arrays(("", np.asarray(float(ours))), ("", np.asarray(float(theirs))), tolerance, place)
    if type(ours) is not type(theirs):
        return f"{place}: kind {type(ours).__name__} {str(ours)[:80]} | {type(theirs).__name__} {str(theirs)[:80]}"
    if isinstance(theirs, dict):
        if list(ours) != list(theirs):
            return f"{place}: keys {list(ours)} | {list(theirs)}"
        pairs = [(f"{place}.{key}", ours[key], theirs[key]) for key in theirs]
    elif isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{place}: number {len(ours)} {str(ours)[:300]} | {len(theirs)} {str(theirs)[:300]}"
        pairs = [(f"{place}[{i}]", a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    else:
        return None if ours == theirs else f"{place}: {str(ours)[:600]} | {str(theirs)[:600]}"
    return next((found for p, a, b in pairs if (found := difference(a, b, tolerance, p))), None)


def _arrays(ours: tuple, theirs: tuple, tolerance: float, place: str) -> str | None:
    (our_dtype, a), (their_dtype, b) = ours, theirs
    if our_dtype != their_dtype:
        return f"{place}: dtype {our_dtype} | {their_dtype}"
    if a.shape != b.shape:
        return f"{place}: shape {a.shape} | {b.shape}"
    if a.dtype.kind not in "fc" and b.dtype.kind not in "fc":
        return None if np.array_equal(a, b) else f"{place}: value {a.ravel()[:4]} | {b.ravel()[:4]}"
    scale = max(1.0, np.nanmax(np.abs(b), initial=0.0))
    if np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
        return None
    worst = np.nanargmax(np.abs(a - b)) if a.size and not np.isnan(a - b).all() else 0
    return f"{place}: value {a.ravel()[worst]:.6g} | {b.ravel()[worst]:.6g} (of {a.size} numbers)"
