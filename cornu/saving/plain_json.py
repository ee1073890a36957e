"""Safe reading of JSON: an object with unique names and limited depth."""

from __future__ import annotations

import json

from cornu.core import budget
from cornu.core.typing import ConfigDict
from cornu.errors import DamagedFileError


def parsed(text: bytes, name: str) -> ConfigDict:
    """The object in `text`; `name` is its name in error messages.

    Raises:
        ValueError: if the text is not JSON, is not an object, has duplicate names, or contains more objects than
            the load has a budget for.
    """
    budget.described(len(text))
    budget.take("objects", budget.cost_of_json(text), name)
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{name} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise DamagedFileError(f"{name} is damaged: expected a JSON object, found a {type(value).__name__}.")
    return value


def _once(pairs: list[tuple[str, object]]) -> ConfigDict:
    value: ConfigDict = {}
    for name, item in pairs:
        if name in value:
            raise DamagedFileError(f"it names {name!r} twice.")
        value[name] = item
    return value
