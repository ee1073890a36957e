"""Pooling layers: downsampling sequences, images and volumes by maxima or means.

There are three families, each a base class with a subclass for every number of spatial axes (`rank`): sliding windows,
global pooling, and a fixed number of bins.
"""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import ops, validate
from cornu.core.masks import require_steps
from cornu.core.typing import Nested, Sizes
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions, UnnamedOptions

# ---------------------------------------------------------------- sliding windows


class _Pooling(Layer):
    """The base class of the pooling layers with a window."""

    rank: int

    def __init__(
        self,
        pool_size: Sizes,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(name=name, **kwargs)
        self._without_weights()
        self.pool_size = validate.int_tuple(pool_size, self.rank, "pool_size", self)
        self.strides = self.pool_size
        if strides is not None:
            self.strides = validate.int_tuple(strides, self.rank, "strides", self)
        self.padding = validate.padding(padding, self)
        self.data_format = validate.data_format(data_format, self)
        self.input_spec = InputSpec(ndim=self.rank + 2)


class _MaxPooling(_Pooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The maximum in each window."""
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _AveragePooling(_Pooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The mean in each window."""
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(_MaxPooling):
    """The maximum of each channel in a window that slides over a sequence.

    Args:
        pool_size: size of the window, an int or one per spatial axis. Defaults to 2.
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride); padding is never the maximum.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        the same with `floor((steps - pool_size) / strides) + 1` steps, or `ceil(steps / strides)` for `"same"`.

    Example:

        print(cornu.layers.MaxPooling1D(2)(np.ones((1, 6, 3))).shape)  # (1, 3, 3)
    """

    rank = 1

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(_MaxPooling):
    """The maximum of each channel in a window that slides over an image.

    Args:
        pool_size: size of the window, an int or (height, width). Defaults to `(2, 2)`.
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride); padding is never the maximum.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`.

    Example:

        print(cornu.layers.MaxPooling2D()(np.ones((1, 6, 6, 3))).shape)  # (1, 3, 3, 3)
    """

    rank = 2

    def __init__(
        self,
        pool_size: Sizes = (2, 2),
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling3D(_MaxPooling):
    """The maximum of each channel in a window that slides over a volume.

    Args:
        pool_size: size of the window, an int or three, one per spatial axis. Defaults to `(2, 2, 2)`.
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride); padding is never the maximum.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, depth, height, width, channels)`, or `(batch, channels, depth, height, width)`.

    Example:

        print(cornu.layers.MaxPooling3D()(np.ones((1, 6, 6, 6, 3))).shape)  # (1, 3, 3, 3, 3)
    """

    rank = 3

    def __init__(
        self,
        pool_size: Sizes = (2, 2, 2),
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling1D(_AveragePooling):
    """The mean of each channel in a window that slides over a sequence; padding is not counted.

    Args:
        pool_size: size of the window, an int or one per spatial axis.
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        the same with `floor((steps - pool_size) / strides) + 1` steps, or `ceil(steps / strides)` for `"same"`.

    Example:

        print(cornu.layers.AveragePooling1D(2)(np.ones((1, 6, 3))).shape)  # (1, 3, 3)
    """

    rank = 1


class AveragePooling2D(_AveragePooling):
    """The mean of each channel in a window that slides over an image; padding is not counted.

    Args:
        pool_size: size of the window, an int or (height, width).
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AveragePooling2D(2)(np.ones((1, 6, 6, 3))).shape)  # (1, 3, 3, 3)
    """

    rank = 2


class AveragePooling3D(_AveragePooling):
    """The mean of each channel in a window that slides over a volume; padding is not counted.

    Args:
        pool_size: size of the window, an int or three, one per spatial axis.
        strides: stride of the window, likewise; None uses `pool_size`.
        padding: `"valid"` (none) or `"same"` (a window starts at every stride).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AveragePooling3D(2)(np.ones((1, 6, 6, 6, 3))).shape)  # (1, 3, 3, 3, 3)
    """

    rank = 3


# ---------------------------------------------------------------- global pooling


class _GlobalPooling(Layer):
    """The base class of the global pooling layers."""

    rank: int

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self._without_weights()
        self.data_format = validate.data_format(data_format, self)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _space(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))


class _GlobalMaxPooling(_GlobalPooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The maximum of each channel."""
        return ops.max(inputs, self._space, self.keepdims)


class _GlobalAveragePooling(_GlobalPooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The mean of each channel."""
        return jnp.mean(inputs, self._space, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The maximum of each channel over all steps of a sequence.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, channels)`.

    Example:

        print(cornu.layers.GlobalMaxPooling1D()(np.ones((2, 6, 3))).shape)  # (2, 3)
    """

    rank = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The maximum of each channel over all pixels of an image.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Example:

        print(cornu.layers.GlobalMaxPooling2D(keepdims=True)(np.ones((2, 6, 6, 3))).shape)  # (2, 1, 1, 3)
    """

    rank = 2


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The maximum of each channel over all voxels of a volume.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Example:

        print(cornu.layers.GlobalMaxPooling3D()(np.ones((2, 4, 4, 4, 3))).shape)  # (2, 3)
    """

    rank = 3


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean of each channel over the steps of a sequence, excluding masked steps.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`; the mask is `(batch, steps)`.

    Output shape:
        `(batch, channels)`.

    Example:

        x = np.array([[[1.0], [3.0], [100.0]]])
        print(cornu.layers.GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]])))  # [[2.]]
    """

    pure_call = rowwise = True
    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Unpack[LayerOptions]):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """The mean of each channel over the steps where `mask` is True."""
        if mask is None:
            return super().call(inputs)
        require_steps(mask, (inputs.shape[0], inputs.shape[self._space[0]]), validate.describe(self))
        wide = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        weights = jnp.expand_dims(mask, -1 if self.data_format == "channels_last" else 1).astype(wide.dtype)
        total = jnp.sum(wide * weights, self._space, keepdims=self.keepdims)
        return (total / jnp.sum(weights, self._space, keepdims=self.keepdims)).astype(inputs.dtype)

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> None:
        """None: there are no steps left to mask."""


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean of each channel over all pixels of an image.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Example:

        print(cornu.layers.GlobalAveragePooling2D()(np.ones((2, 6, 6, 3))).shape)  # (2, 3)
    """

    rank = 2


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean of each channel over all voxels of a volume.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        keepdims: whether to keep the spatial axes with size 1. Defaults to False.

    Example:

        print(cornu.layers.GlobalAveragePooling3D()(np.ones((2, 4, 4, 4, 3))).shape)  # (2, 3)
    """

    rank = 3


# ---------------------------------------------------------------- a fixed number of bins


class _AdaptivePooling(Layer):
    """The base class of the pooling layers whose output has the same size for every input."""

    rank: int

    def __init__(self, output_size: Sizes, data_format: str | None = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.output_size = validate.int_tuple(output_size, self.rank, "output_size", self)
        self.data_format = validate.data_format(data_format, self)
        self.input_spec = InputSpec(ndim=self.rank + 2)


class _AdaptiveAveragePooling(_AdaptivePooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The mean of each bin."""
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class _AdaptiveMaxPooling(_AdaptivePooling):
    pure_call = rowwise = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The maximum of each bin."""
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The means of a fixed number of bins that cover a sequence of any length.

    Bin i of n steps goes from `floor(i * n / size)` up to, but not including, `ceil((i + 1) * n / size)`.

    Args:
        output_size: number of bins, an int or one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, output_size, channels)`, or `(batch, channels, output_size)`.

    Example:

        print(cornu.layers.AdaptiveAveragePooling1D(4)(np.ones((1, 10, 3))).shape)  # (1, 4, 3)
    """

    rank = 1


class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The means of a fixed grid of bins that cover an image of any size; see `AdaptiveAveragePooling1D`.

    Args:
        output_size: number of bins, an int or (height, width).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AdaptiveAveragePooling2D((2, 4))(np.ones((1, 9, 9, 3))).shape)  # (1, 2, 4, 3)
    """

    rank = 2


class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The means of a fixed grid of bins that cover a volume of any size; see `AdaptiveAveragePooling1D`.

    Args:
        output_size: number of bins, an int or three, one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AdaptiveAveragePooling3D(2)(np.ones((1, 5, 5, 5, 3))).shape)  # (1, 2, 2, 2, 3)
    """

    rank = 3


class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The maxima of a fixed number of bins that cover a sequence; bins as in `AdaptiveAveragePooling1D`.

    Args:
        output_size: number of bins, an int.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AdaptiveMaxPooling1D(4)(np.ones((1, 10, 3))).shape)  # (1, 4, 3)
    """

    rank = 1


class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The maxima of a fixed grid of bins that cover an image; bins as in `AdaptiveAveragePooling1D`.

    Args:
        output_size: number of bins, an int or (height, width).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AdaptiveMaxPooling2D((2, 4))(np.ones((1, 9, 9, 3))).shape)  # (1, 2, 4, 3)
    """

    rank = 2


class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The maxima of a fixed grid of bins that cover a volume; bins as in `AdaptiveAveragePooling1D`.

    Args:
        output_size: number of bins, an int or three, one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        print(cornu.layers.AdaptiveMaxPooling3D(2)(np.ones((1, 5, 5, 5, 3))).shape)  # (1, 2, 2, 2, 3)
    """

    rank = 3


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]
