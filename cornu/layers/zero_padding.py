"""Zero padding: zeros added at both ends of the spatial axes."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.sides import Pairs, end_pair, first_spatial_axis, side_pairs


class _ZeroPadding(Layer):
    """Shared by all ranks; subclasses set `padding` and `data_format`."""

    pure_call = rowwise = True
    hooks = frozenset({"_pairs"})

    padding: Pairs
    data_format: str

    def _pairs(self) -> Pairs:
        return self.padding

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs with zeros around the spatial axes."""
        amounts = [(0, 0)] * inputs.ndim
        first_axis = first_spatial_axis(self.data_format)
        amounts[first_axis : first_axis + len(self._pairs())] = self._pairs()
        return jnp.pad(inputs, amounts)


class ZeroPadding1D(_ZeroPadding):
    """Adds zero steps before and after a sequence.

    Args:
        padding: int, or two ints (before, after). Defaults to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, steps, features)`, or `(batch, features, steps)`.

    Example:

        print(cornu.layers.ZeroPadding1D((0, 2))(np.ones((1, 2, 1))).ravel())  # [1. 1. 0. 0.]
    """

    def __init__(self, padding: object = 1, data_format: str | None = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.padding: tuple[int, int] = end_pair(padding, "padding", self)  # type: ignore[assignment]  # of one axis, as Keras has it
        self.input_spec = InputSpec(ndim=3)

    def _pairs(self) -> Pairs:
        return (self.padding,)


class ZeroPadding2D(_ZeroPadding):
    """Adds zero rows and columns around images.

    Args:
        padding: int, two ints (height, width), or two pairs ((top, bottom), (left, right)). Defaults to `(1, 1)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Example:

        print(cornu.layers.ZeroPadding2D((1, 2))(np.ones((1, 4, 4, 3))).shape)  # (1, 6, 8, 3)
    """

    def __init__(self, padding: object = (1, 1), data_format: str | None = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.padding = side_pairs(padding, 2, "padding", self)
        self.input_spec = InputSpec(ndim=4)


class ZeroPadding3D(_ZeroPadding):
    """Adds zero planes around volumes.

    Args:
        padding: int, three ints, or three pairs (before, after). Defaults to `((1, 1), (1, 1), (1, 1))`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or `(batch, channels, dim1, dim2, dim3)`.

    Example:

        print(cornu.layers.ZeroPadding3D(1)(np.ones((1, 2, 3, 4, 1))).shape)  # (1, 4, 5, 6, 1)
    """

    def __init__(
        self, padding: object = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.padding = side_pairs(padding, 3, "padding", self)
        self.input_spec = InputSpec(ndim=5)


__all__ = ["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]
