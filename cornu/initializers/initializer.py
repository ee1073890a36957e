"""The base of all initializers: functions from a shape and a dtype to the initial value of a weight.

Values are generated with NumPy and then transferred to the device, so that creating a model's weights compiles nothing.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.border import on_device
from cornu.core.configurable import Configurable
from cornu.core.dtypes import storage_dtype
from cornu.core.typing import DTypeLike


class Initializer(Configurable):
    """Base class: subclasses implement `__call__(self, shape, dtype=None)`.

    Example:

        class Halves(cornu.initializers.Initializer):
            def __call__(self, shape, dtype=None):
                return np.full(shape, 0.5, dtype or "float32")

        layer = cornu.layers.Dense(2, kernel_initializer=Halves())
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        """The initial value of a weight of this shape; a dtype of None is floatx."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    def clone(self) -> "Initializer":
        """A new initializer with the same config; a seed of None is drawn again."""
        return type(self).from_config(self.get_config())


def to_array(values: object, dtype: object) -> jax.Array:
    """NumPy `values` on the device with dtype `dtype` (None: floatx)."""
    return on_device(np.asarray(values).astype(jnp.dtype(storage_dtype(dtype))))
