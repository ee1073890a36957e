"""Rescaling: `x * scale + offset`, typically from pixel values to numbers around zero."""

from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

__all__ = ["Rescaling"]


class Rescaling(Layer):
    """Multiplies by `scale`, then adds `offset`; the output has the layer's compute dtype for inputs of any dtype.

    Args:
        scale: factor, a number or one per channel.
        offset: addend, a number or one per channel. Defaults to 0.0.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.Rescaling(1 / 127.5, offset=-1)
        print(layer(np.array([[0, 255]], "uint8")))  # [[-1. 1.]]
    """

    pure_call = rowwise = changes_images = True

    def __init__(
        self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, **kwargs: Unpack[LayerOptions]
    ):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The scaled and shifted inputs."""
        dtype = self.compute_dtype
        inputs = jnp.asarray(inputs, dtype)
        return inputs * self._of_channels(self.scale, inputs) + self._of_channels(self.offset, inputs)

    def _of_channels(self, value: float | Sequence[float], inputs: jax.Array) -> jax.Array:
        """A number, or one per channel, in a shape that broadcasts to the inputs."""
        values = jnp.asarray(value, self.compute_dtype)
        if values.ndim == 1 and inputs.ndim > 2 and settings.image_data_format() == "channels_first":
            return values.reshape(-1, *(1,) * (inputs.ndim - (2 if inputs.ndim > 3 else 1)))
        return values

    def convert_weight(self, weight: object) -> object:
        """The weight unchanged, since it fits inputs of any dtype."""
        return weight
