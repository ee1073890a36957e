"""The stand-in for `tensorflow` that `cornu run` serves: Keras, and the lines that scripts write beside it.

It computes nothing by itself. Where a script reaches for more of TensorFlow, it says so.
"""

import importlib
from typing import Any

from cornu.tensorflow.types import RaggedTensor, SparseTensor, Tensor, Variable, refuse

__all__ = ["RaggedTensor", "SparseTensor", "Tensor", "Variable", "data", "keras", "random"]

__version__ = "2.21.0"
"""The release of TensorFlow that has Keras 3.15.1; scripts ask it which Keras they meet."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"cornu.tensorflow.{name}")
    if name.startswith("__"):
        raise AttributeError(name)
    return refuse(name)
