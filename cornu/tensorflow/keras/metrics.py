"""`tensorflow.keras.metrics`: Keras's own, and the abbreviations that Keras 2 had for some."""

from typing import Any

from cornu import losses as _losses, metrics as _names
from cornu.tensorflow.keras.losses import SHORT

__all__ = [*SHORT, *_names.__all__]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    from_losses = name in SHORT and not hasattr(_names, SHORT[name])
    return getattr(_losses if from_losses else _names, SHORT.get(name, name))
