"""`tensorflow.keras.preprocessing`: Keras 2's tools for text, sequences and images."""

import importlib
from typing import Any

from cornu import preprocessing

_OWN = ("image", "sequence", "text")


def __getattr__(name: str) -> Any:
    if name in _OWN:
        return importlib.import_module(f"cornu.tensorflow.keras.preprocessing.{name}")
    return getattr(preprocessing, name)
