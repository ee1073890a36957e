"""Regular expressions on names, which may come from a file: those that could take ages to be matched are refused.

Python tries every way of matching. A repetition inside another one, or behind many others, makes so many that a short
pattern and a short name keep it busy for years.
"""

import functools
import re

_MOST_STEPS = 10**7
_LONGEST = 2000  # signs of a pattern
# An escaped sign, or a set of signs, which may lack its end: what looks for one in a pattern reads no sign twice.
_SIMPLE = re.compile(r"\\[^1-9]|\[\^?\]?(?:\\.|[^\]\\])*+\\?(?:\]|\Z)", re.DOTALL)
_HARD = re.compile(r"\\[1-9]|\(\?P=|\)[*+{]")  # a group that comes again
_REPEATED = re.compile(r"[*+][?+]?|\{[^{}]*\}[?+]?")
_CHOICE = re.compile(r"(?<!\()\?|\|")


def found(pattern: object, name: str, how: str = "search") -> bool:
    """Whether a pattern is found in a name.

    Args:
        pattern: a regular expression.
        name: the text.
        how: "search", "match" or "fullmatch", as the functions of `re`.

    Raises:
        ValueError: when it is not a pattern, or could take too long.
    """
    if isinstance(pattern, re.Pattern):
        return getattr(pattern, how)(name) is not None
    if not isinstance(pattern, str):
        raise ValueError(f"A pattern of names must be a string. Received: {pattern!r:.100}.")
    if len(pattern) > _LONGEST:
        raise ValueError(f"A pattern of names may have {_LONGEST} signs. Received {len(pattern)}: {pattern[:50]!r}...")
    if _steps(pattern, len(name), how == "search") > _MOST_STEPS:
        raise ValueError(
            f"The pattern {pattern!r:.100} could take too long to be found in {name!r:.100}. Repeat no group, and use "
            "fewer of '*', '+', '?' and '|'."
        )
    return getattr(_compiled(pattern), how)(name) is not None


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r:.100} is not a regular expression: {error}.") from error


def _steps(pattern: str, length: int, anywhere: bool) -> float:
    """How many steps matching could take at the most, roughly."""
    bare = _SIMPLE.sub("x", pattern)
    if _HARD.search(bare):
        return float("inf")
    once, repeated = _REPEATED.subn("", bare)
    choices = len(_CHOICE.findall(once))
    return float(max(length, 2)) ** min(repeated + anywhere, 50) * 2.0 ** min(choices, 50)
