"""Reshaping layers: entries rearranged without computation; the batch axis stays first."""

import math
from collections.abc import Iterable, Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.symbolic import KerasTensor
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions


class Flatten(Layer):
    """Merges all axes except the batch axis.

    Args:
        data_format: `"channels_last"`, `"channels_first"` (channels are moved to the end before flattening, so that the
            weights that follow work with both formats), or None for the global default.

    Input shape: `(batch, ...)`. Output shape: `(batch, size)`, `(batch, 1)` for an input of rank 1.

    Example:

        print(cornu.layers.Flatten()(np.ones((2, 3, 4))).shape)  # (2, 12)
    """

    pure_call = rowwise = True

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.data_format = validate.data_format(data_format, self)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: jax.Array) -> jax.Array:
        """One row per sample."""
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = jnp.moveaxis(inputs, 1, -1)  # (batch, channels, ...) -> (batch, ..., channels)
        return jnp.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """Reshapes each sample.

    Args:
        target_shape: ints, without the batch axis; one of them may be -1 or None to infer that size.

    Input shape: `(batch, ...)`. Output shape: `(batch, *target_shape)`.

    Example:

        print(cornu.layers.Reshape((-1, 2))(np.ones((3, 4))).shape)  # (3, 2, 2)
    """

    pure_call = rowwise = True

    def __init__(self, target_shape: Sequence[int | None], **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.target_shape = self._checked(target_shape)
        self._without_weights()

    def _checked(self, target_shape: object) -> tuple[int | None, ...]:
        sizes = tuple(target_shape) if isinstance(target_shape, Iterable) else (-2,)
        known = [size for size in sizes if size not in (-1, None)]
        if not all(validate.is_integer(size) and size >= 0 for size in known) or len(sizes) - len(known) > 1:
            raise ValueError(
                f"{validate.describe(self)}: target_shape must be a tuple of non-negative sizes, one of which may be "
                f"-1. Received: target_shape={validate.shown(target_shape)}."
            )
        return tuple(None if size is None else int(size) for size in sizes)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The same entries in the new shape."""
        sizes = (-1 if size is None else size for size in self._sample_shape(inputs.shape[1:]))
        return jnp.reshape(inputs, (inputs.shape[0], *sizes))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        """The new shape; a fixed shape is declared even for inputs of unknown size."""
        dtype = self.compute_dtype if "float" in inputs.dtype else inputs.dtype
        return KerasTensor((inputs.shape[0], *self._sample_shape(inputs.shape[1:])), dtype)

    def _sample_shape(self, sizes: Sequence[int | None]) -> tuple[int | None, ...]:
        """The target shape with the open size inferred: None if a size of the input is unknown."""
        target = [None if size == -1 else size for size in self.target_shape]
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) < len(sizes):
            return tuple(target)
        total = math.prod(known)
        rest = total // max(1, math.prod(size for size in target if size is not None))
        shape = tuple(rest if size is None else size for size in target)
        if math.prod(shape) != total:
            raise ValueError(
                f"{validate.describe(self)}: a sample of shape {tuple(sizes)} has {total} entries, which cannot be "
                "reshaped to "
                f"target_shape={self.target_shape}."
            )
        return shape


class Permute(Layer):
    """Permutes the axes of each sample.

    Args:
        dims: the axes in their new order, counted from 1; the batch axis 0 stays first.

    Input shape: `(batch, ...)` of rank `len(dims) + 1`.

    Example:

        print(cornu.layers.Permute((2, 1))(np.ones((2, 3, 4))).shape)  # (2, 4, 3)
    """

    pure_call = rowwise = True

    def __init__(self, dims: Sequence[int], **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        axes = tuple(dims)
        if not all(map(validate.is_integer, axes)) or sorted(axes) != list(range(1, len(axes) + 1)):
            raise ValueError(
                f"{validate.describe(self)}: dims must contain each axis from 1 to {len(axes)} exactly once. "
                f"Received: dims={validate.shown(dims)}."
            )
        self.dims = tuple(map(int, axes))
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The transposed samples."""
        return jnp.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Repeats each vector `n` times as the steps of a sequence.

    Args:
        n: number of steps, at least 1.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Example:

        print(cornu.layers.RepeatVector(3)(np.ones((2, 4))).shape)  # (2, 3, 4)
    """

    pure_call = rowwise = True

    n: int

    def __init__(self, n: int, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        if not validate.is_integer(n):
            raise TypeError(f"{validate.describe(self)}: n must be an integer. Received: n={validate.shown(n)}.")
        self.n = validate.positive_int(n, "n", self)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The sequences."""
        batch, features = inputs.shape
        return jnp.broadcast_to(inputs[:, None, :], (batch, self.n, features))


__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]
