"""Up-sampling: spatial axes enlarged by an integer factor, by repeating entries or interpolating between them."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.sides import first_spatial_axis

# Keras's names of interpolation methods, and jax.image's.
_METHODS = {
    "nearest": "nearest", "bilinear": "linear", "bicubic": "cubic", "lanczos3": "lanczos3", "lanczos5": "lanczos5",
}  # fmt: skip


def _repeat(x: jax.Array, factors: tuple[int, ...], first_axis: int) -> jax.Array:
    """Each entry repeated `factors` times along the axes starting at `first_axis`."""
    for axis, factor in enumerate(factors, start=first_axis):
        x = jnp.repeat(x, factor, axis=axis)
    return x


class UpSampling1D(Layer):
    """Repeats each time step `size` times.

    Args:
        size: factor, at least 1. Defaults to 2.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, steps * size, features)`.

    Example:

        print(cornu.layers.UpSampling1D(2)(np.array([[[1.0], [2.0]]])).ravel())  # [1. 1. 2. 2.]
    """

    pure_call = rowwise = True

    def __init__(self, size: int = 2, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.size = validate.positive_int(size, "size", self)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The longer sequence."""
        return _repeat(inputs, (self.size,), 1)


class UpSampling2D(Layer):
    """Enlarges images.

    Args:
        size: factor, or two factors (height, width), each at least 1. Defaults to `(2, 2)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"` and `"lanczos5"` interpolate
            between their centers. Defaults to `"nearest"`.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Example:

        print(cornu.layers.UpSampling2D((2, 3))(np.ones((1, 4, 4, 3))).shape)  # (1, 8, 12, 3)
    """

    pure_call = rowwise = True

    def __init__(
        self,
        size: object = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.size = validate.int_tuple(size, 2, "size", self)
        self.interpolation = validate.one_of(interpolation, tuple(_METHODS), "interpolation", self)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The larger images."""
        first_axis = first_spatial_axis(self.data_format)
        if self.interpolation == "nearest":
            return _repeat(inputs, self.size, first_axis)
        shape = list(inputs.shape)
        for axis, factor in enumerate(self.size, start=first_axis):
            shape[axis] = shape[axis] * factor
        return jax.image.resize(inputs, shape, _METHODS[self.interpolation], antialias=False)


class UpSampling3D(Layer):
    """Repeats each entry of volumes along the three spatial axes.

    Args:
        size: factor, or three factors, each at least 1. Defaults to `(2, 2, 2)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or `(batch, channels, dim1, dim2, dim3)`.

    Example:

        print(cornu.layers.UpSampling3D(2)(np.ones((1, 2, 3, 4, 1))).shape)  # (1, 4, 6, 8, 1)
    """

    pure_call = rowwise = True

    def __init__(self, size: object = (2, 2, 2), data_format: str | None = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.size = validate.int_tuple(size, 3, "size", self)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The larger volumes."""
        return _repeat(inputs, self.size, first_spatial_axis(self.data_format))


__all__ = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]
