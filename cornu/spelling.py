"""Texts as people read them: names that were mistyped, and what a file says. It loads nothing, to start at once."""

import difflib
import re
from collections.abc import Iterable


def closest(name: str, names: Iterable[str], count: int = 3) -> str:
    """The likeliest of `names` for a mistyped `name`, best first; all of them when they are few."""
    names = list(dict.fromkeys(names))
    return ", ".join(map(repr, likely(name, names, count) or sorted(names)[:20]))


def likely(name: str, names: Iterable[str], count: int = 3, at_least: float = 0.5) -> list[str]:
    """Those of `names` that are at least so similar to a mistyped `name`, best first."""
    lower: dict[str, str] = {}
    for known in sorted(names, key=lambda n: n.islower() != str(name).islower()):  # those written like it first
        lower.setdefault(known.lower(), known)
    return [lower[found] for found in difflib.get_close_matches(str(name).lower(), lower, n=count, cutoff=at_least)]


_MOST = 300  # characters of a value that an error repeats
_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+>")


def shown(value: object) -> str:
    """What a message says that it received: `repr` without addresses, of which something long is only begun."""
    text = _ADDRESS.sub(">", repr(value))
    return text if len(text) <= _MOST else f"{text[:_MOST]}... ({len(text):,} characters)"


def plain(text: object) -> str:
    """Text of a file's in a form that a terminal only shows: what it could obey becomes a code."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)
