"""Output for the user: standard output, or the log if interactive logging is disabled."""

import logging
import os
import sys

from cornu import settings


def show(text: str) -> None:
    """Write `text` without adding a line break."""
    if not settings.is_interactive_logging_enabled():
        if text.strip():
            logging.getLogger("cornu").info(text.strip())
        return
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def say(message: str) -> None:
    """Write `message` as a line."""
    show(message + "\n")


def is_terminal() -> bool:
    """Whether standard output can redraw a line: a terminal, a notebook, or an editor's console."""
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty()) or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def takes_lines_back() -> bool:
    """Whether printed lines can be removed again: in a terminal, but not in the saved output of a notebook."""
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty()) and "ipykernel" not in sys.modules


def resolve_verbose(verbose: int | str | bool) -> int:
    """`verbose` as a number: `"auto"` is 1 (a bar) if a line can be redrawn, else 2 (one line per epoch)."""
    if verbose == "auto":
        return 1 if is_terminal() and settings.is_interactive_logging_enabled() else 2
    if verbose not in (0, 1, 2):
        raise ValueError(f'verbose must be "auto", 0, 1 or 2. Received: verbose={verbose!r}.')
    return int(verbose)
