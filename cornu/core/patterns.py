"""Regular expressions for names, which may come from a file: patterns that could take very long are rejected.

Python's matcher backtracks. A repetition inside another one, or many in a row, can keep it busy for years even for a
short pattern and a short name.
"""

import functools
import re

_MOST_STEPS = 10**7
_LONGEST = 2000  # characters in a pattern
# An escaped character, or a character set, possibly unterminated: the scan is linear in the pattern.
_SIMPLE = re.compile(r"\\[^1-9]|\[\^?\]?(?:\\.|[^\]\\])*+\\?(?:\]|\Z)", re.DOTALL)
_HARD = re.compile(r"\\[1-9]|\(\?P=|\)[*+{]")  # back references and repeated groups
_REPEATED = re.compile(r"[*+][?+]?|\{[^{}]*\}[?+]?")
_CHOICE = re.compile(r"(?<!\()\?|\|")


def found(pattern: object, name: str, how: str = "search") -> bool:
    """Whether a pattern matches a name.

    Args:
        pattern: a regular expression.
        name: the text.
        how: "search", "match" or "fullmatch", as the functions of `re`.

    Raises:
        ValueError: if the pattern is invalid or could take too long.
    """
    if isinstance(pattern, re.Pattern):
        return getattr(pattern, how)(name) is not None
    if not isinstance(pattern, str):
        raise ValueError(f"A name pattern must be a string. Received: {pattern!r:.100}.")
    if len(pattern) > _LONGEST:
        raise ValueError(
            f"A name pattern may have at most {_LONGEST} characters. Received {len(pattern)}: {pattern[:50]!r}..."
        )
    if _steps(pattern, len(name), how == "search") > _MOST_STEPS:
        raise ValueError(
            f"The pattern {pattern!r:.100} could take too long to match {name!r:.100}. Do not repeat groups, and use "
            "fewer of '*', '+', '?' and '|'."
        )
    return getattr(_compiled(pattern), how)(name) is not None


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r:.100} is not a regular expression: {error}.") from error


def _steps(pattern: str, length: int, anywhere: bool) -> float:
    """A rough upper bound on the number of matching steps."""
    bare = _SIMPLE.sub("x", pattern)
    if _HARD.search(bare):
        return float("inf")
    once, repeated = _REPEATED.subn("", bare)
    choices = len(_CHOICE.findall(once))
    return float(max(length, 2)) ** min(repeated + anywhere, 50) * 2.0 ** min(choices, 50)
