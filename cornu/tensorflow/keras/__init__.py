"""`tensorflow.keras`: Keras's names, and the functions and tools of Keras 2 that Keras 3 keeps only there."""

import importlib
from typing import Any

import cornu
from cornu._version import KERAS as __version__  # noqa: N811

__all__ = cornu.__all__

_OWN = ("backend", "layers", "losses", "metrics", "preprocessing")


def version() -> str:
    """The version of Keras whose names these are."""
    return __version__


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"cornu.tensorflow.keras.{name}") if name in _OWN else getattr(cornu, name)


def __dir__() -> list[str]:
    return [*cornu.__all__, "__version__"]
