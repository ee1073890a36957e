"""The stand-in for `tensorflow` that `cornu run` serves: Keras, and the lines that scripts write beside it.

It computes nothing by itself. Where a script reaches for more of TensorFlow, it says so.
"""

import importlib
from typing import Any

__version__ = "2.21.0"
"""The release of TensorFlow that has Keras 3.15.1; scripts ask it which Keras they meet."""

_OWN = ("keras", "random")


def __getattr__(name: str) -> Any:
    if name in _OWN:
        return importlib.import_module(f"cornu.tensorflow.{name}")
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(
        f"tensorflow.{name} is not here: this script runs on cornu, which serves tensorflow.keras alone. "
        f"Look for the operation in keras.ops (JAX underneath), or run the script with TensorFlow."
    )
