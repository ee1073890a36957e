"""Cropping: removing entries at both ends of the spatial axes."""

from typing import Unpack

import jax

from cornu import validate
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.sides import Pairs, end_pair, first_spatial_axis, side_pairs


class _Cropping(Layer):
    """Shared by all ranks; subclasses set `cropping`, and `data_format` above rank 1."""

    pure_call = rowwise = True
    hooks = frozenset({"_pairs"})
    cropping: Pairs
    data_format: str = "channels_last"

    def _pairs(self) -> Pairs:
        return self.cropping

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inner part of each spatial axis."""
        first_axis = first_spatial_axis(self.data_format)
        for axis, (before, after) in enumerate(self._pairs(), start=first_axis):
            size = inputs.shape[axis]
            if isinstance(size, int) and before + after >= size:
                raise ValueError(
                    f"{validate.describe(self)}: cropping must leave something of axis {axis}, which has size {size}. "
                    f"Received: cropping={validate.shown(self.cropping)}."
                )
        inner = (slice(before, -after if after else None) for before, after in self._pairs())
        return inputs[(slice(None),) * first_axis + tuple(inner)]


class Cropping1D(_Cropping):
    """Removes time steps at both ends.

    Args:
        cropping: int, or two ints (before, after). Defaults to `(1, 1)`.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, steps - before - after, features)`.

    Example:

        print(cornu.layers.Cropping1D(1)(np.arange(5.0).reshape(1, 5, 1)).ravel())  # [1. 2. 3.]
    """

    def __init__(self, cropping: object = (1, 1), **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.cropping: tuple[int, int] = end_pair(cropping, "cropping", self)  # type: ignore[assignment]  # of one axis, as Keras has it
        self.input_spec = InputSpec(ndim=3)

    def _pairs(self) -> Pairs:
        return (self.cropping,)


class Cropping2D(_Cropping):
    """Removes rows and columns at the edges of images.

    Args:
        cropping: int, two ints (height, width), or two pairs ((top, bottom), (left, right)). Defaults to `((0, 0),
            (0, 0))`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Example:

        print(cornu.layers.Cropping2D(((1, 0), (2, 1)))(np.ones((1, 4, 5, 1))).shape)  # (1, 3, 2, 1)
    """

    def __init__(
        self, cropping: object = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.cropping = side_pairs(cropping, 2, "cropping", self)
        self.input_spec = InputSpec(ndim=4)


class Cropping3D(_Cropping):
    """Removes planes at the faces of volumes.

    Args:
        cropping: int, three ints, or three pairs (before, after). Defaults to `((1, 1), (1, 1), (1, 1))`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or `(batch, channels, dim1, dim2, dim3)`.

    Example:

        print(cornu.layers.Cropping3D(1)(np.ones((1, 4, 5, 6, 1))).shape)  # (1, 2, 3, 4, 1)
    """

    def __init__(
        self,
        cropping: object = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.cropping = side_pairs(cropping, 3, "cropping", self)
        self.input_spec = InputSpec(ndim=5)


__all__ = ["Cropping1D", "Cropping2D", "Cropping3D"]
