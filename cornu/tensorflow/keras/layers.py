"""`tensorflow.keras.layers`: Keras's own, and those of Keras 2 that TensorFlow still has."""

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import layers as _names, validate
from cornu.core.typing import Nested
from cornu.layers.options import LayerOptions
from cornu.tensorflow.served import Namespace, refuse

__all__ = ["ThresholdedReLU", *_names.__all__]  # noqa: PLE0604


class ThresholdedReLU(_names.Layer):
    """Keeps what is greater than a threshold, and makes the rest 0.

    Args:
        theta: the threshold, 0 or more. Defaults to 1.
    """

    pure_call = rowwise = True

    def __init__(self, theta: float = 1.0, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        if not validate.is_real(theta) or theta < 0:
            raise ValueError(f"ThresholdedReLU: theta must be a number, at least 0. Received: theta={theta!r}.")
        self.theta = theta
        self.supports_masking = True

    def call(self, inputs: Nested) -> jax.Array:
        """The values above the threshold."""
        return jnp.where(inputs > self.theta, inputs, 0)


experimental = Namespace("keras.layers.experimental", preprocessing=_names)
"""Where the preparing layers were before TensorFlow 2.6."""


def __getattr__(name: str) -> Any:
    if name in ("RandomHeight", "RandomWidth", "TFSMLayer"):
        refuse(f"keras.layers.{name}")
    return getattr(_names, name)
