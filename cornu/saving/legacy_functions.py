"""Functions that older releases of Keras had under names that mean something else now."""

import jax.numpy as jnp

from cornu.registry import register_keras_serializable


@register_keras_serializable(package="keras2", name="hard_sigmoid")
def hard_sigmoid(x):
    """`clip(0.2 x + 0.5, 0, 1)`, what `hard_sigmoid` was in Keras 1 and 2; since Keras 3 its slope is 1/6."""
    return jnp.clip(0.2 * jnp.asarray(x) + 0.5, 0, 1)
