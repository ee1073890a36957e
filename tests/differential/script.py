"""A program as a script that stands by itself."""

import inspect
import textwrap

from tests.differential import prelude
from tests.differential.program import Program

_HEAD = '''\
"""Run by `python this.py keras` or `python this.py cornu`."""
import os, sys, importlib
os.environ.setdefault("KERAS_BACKEND", "jax")
K = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "cornu")
see = print
shake = (0, 0.0)
next_file = lambda: None
mine = lambda ending: "/tmp/" + K.__name__ + ending
theirs = lambda ending: "/tmp/" + ("keras" if K.__name__ == "cornu" else "cornu") + ending
'''


def script(program: Program, stages: list[tuple[str, str]], comment: str) -> str:
    """The text of a script; only those helpers are in it that are used."""
    body = "\n".join(text for _, text in stages)
    helpers, found = [], body
    for name, value in reversed(list(vars(prelude).items())):
        if callable(value) and getattr(value, "__module__", "") == prelude.__name__ and name in found:
            helpers.insert(0, inspect.getsource(value))
            found += helpers[0]
    return "\n".join([_HEAD, "import numpy as np", *helpers, textwrap.indent(comment, "# "), body])
