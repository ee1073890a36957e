"""Text for messages: suggestions for mistyped names, and quotes from files. It imports nothing, for a fast start."""

import difflib
import re
from collections.abc import Iterable


def closest(name: str, names: Iterable[str], count: int = 3) -> str:
    """The closest of `names` to a mistyped `name`, best first; all of them if they are few."""
    names = list(dict.fromkeys(names))
    return ", ".join(map(repr, likely(name, names, count) or sorted(names)[:20]))


def likely(name: str, names: Iterable[str], count: int = 3, at_least: float = 0.5) -> list[str]:
    """Those of `names` that are at least so similar to a mistyped `name`, best first."""
    lower: dict[str, str] = {}
    for known in sorted(names, key=lambda n: n.islower() != str(name).islower()):  # those with the same case first
        lower.setdefault(known.lower(), known)
    return [lower[found] for found in difflib.get_close_matches(str(name).lower(), lower, n=count, cutoff=at_least)]


_MOST = 300  # characters of a value quoted in an error
_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+>")


def shown(value: object) -> str:
    """A value for a "Received:" message: its `repr` without addresses, truncated if long."""
    text = _ADDRESS.sub(">", repr(value))
    return text if len(text) <= _MOST else f"{text[:_MOST]}... ({len(text):,} characters)"


def plain(text: object) -> str:
    """Text from a file, safe to print: terminal control characters are escaped."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)
