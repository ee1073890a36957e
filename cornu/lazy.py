"""Modules that load when something in them is first used.

Drawing a table or reading a file takes packages that building and training a model does not. A module that needs one
writes `h5py = lazy.module("h5py")` in the place of `import h5py`, and uses it as if it were there.
"""

import importlib
import sys
from typing import Any


class Lazy:
    """Stands for a module, and loads it when an attribute is read."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(sys.modules.get(self._name) or importlib.import_module(self._name), attribute)

    def __repr__(self) -> str:
        return f"<module {self._name!r}, loaded when used>"


def module(name: str) -> Lazy:
    """The module called `name`, to be loaded when something in it is first used."""
    return Lazy(name)
