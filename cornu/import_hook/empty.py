"""Namespaces of Keras that are not here yet, and that libraries import all the same for what they might want later."""

from types import ModuleType
from typing import Any

import cornu
from cornu import absent

_NAMES = ("distribution",)


class Empty(ModuleType):
    """A namespace without names."""

    def __init__(self, name: str):
        super().__init__(name, "A namespace of Keras that cornu does not have yet.")
        self.__path__: list[str] = []
        self.__all__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(absent.explain("cornu", self.__name__.rpartition(".")[2]))


def is_empty(name: str) -> bool:
    """Whether this is such a namespace."""
    return name in _NAMES and name not in cornu._NAMESPACES
