"""Functions of older Keras releases whose names mean something else now."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp

from cornu.core.typing import Tensor
from cornu.registry import register_keras_serializable


@register_keras_serializable(package="keras2", name="hard_sigmoid")
def hard_sigmoid(x: Tensor) -> jax.Array:
    """`clip(0.2 x + 0.5, 0, 1)`, what `hard_sigmoid` was in Keras 1 and 2; since Keras 3 its slope is 1/6."""
    return jnp.clip(0.2 * jnp.asarray(x) + 0.5, 0, 1)


def warn_of_use(model: Any) -> None:
    """Warn that Keras needs `custom_objects` to open a model saved with such a function."""
    if any(value is hard_sigmoid for layer in model._flatten_layers() for value in vars(layer).values()):
        warnings.warn(
            "The model uses the hard_sigmoid of Keras 1 and 2, which Keras 3 lacks; the file calls it "
            "'keras2>hard_sigmoid'. cornu can open the file; Keras 3 needs custom_objects={'keras2>hard_sigmoid': "
            "lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)} in load_model.",
            stacklevel=4,
        )
