"""`Masking`: masks the time steps that contain only a padding value."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import ops
from cornu.core.masks import set_mask
from cornu.core.typing import Nested
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

__all__ = ["Masking"]


class Masking(Layer):
    """Masks each time step whose features all equal a value, and sets them to zero.

    Args:
        mask_value: the value. Defaults to 0.0.

    Shapes: (batch, time, features) to the same; the mask is (batch, time), False at skipped steps.

    Example:

        x = np.array([[[1.0, 2.0], [0.0, 0.0]]])
        y = cornu.layers.LSTM(3)(cornu.layers.Masking()(x))  # the second step is skipped
        print(y.shape)  # (1, 3)
    """

    pure_call = rowwise = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self._without_weights()
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """True where a step is real."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs with the skipped steps set to zero."""
        mask = jnp.any(inputs != self.mask_value, axis=-1)
        outputs = jnp.where(mask[..., None], inputs, jnp.zeros((), inputs.dtype))
        set_mask(outputs, mask)
        return outputs
