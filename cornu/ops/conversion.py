"""Tensors and arrays: dtypes, shapes, and conversion to and from NumPy."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import border
from cornu.core.dtypes import standardize_dtype, storage_dtype
from cornu.core.operation import Tensor, op
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyTuple, DTypeLike
from cornu.core.variable import Variable


@op
def cast(x: Tensor, dtype: DTypeLike | None) -> jax.Array:
    """`x` converted to `dtype`.

    Args:
        x: any tensor.
        dtype: name of the dtype.

    Example:

        print(cornu.ops.cast(np.array([0.2, 1.7]), "int32"))  # [0 1]
    """
    return jnp.asarray(x).astype(storage_dtype(dtype))


@op
def saturate_cast(x: Tensor, dtype: DTypeLike | None) -> jax.Array:
    """`x` converted to `dtype`, with values out of its range clipped to the nearest bound.

    Args:
        x: any tensor.
        dtype: name of the dtype.

    Example:

        print(cornu.ops.saturate_cast(np.array([-5, 300]), "uint8"))  # [0 255]
    """
    x, target = jnp.asarray(x), jnp.dtype(storage_dtype(dtype))
    if "bool" in (target.name, x.dtype.name):
        return x.astype(target)
    low, high = _limits(target)
    source_low, source_high = _limits(x.dtype)
    low, high = max(low, source_low), min(high, source_high)
    return jnp.clip(x, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)).astype(target)


@op
def view(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """The same bytes reinterpreted as another dtype; a change of width scales the last axis.

    Args:
        x: any tensor.
        dtype: name of the dtype; None keeps that of `x`.

    Example:

        print(cornu.ops.view(np.array([1.0], "float32"), "int32"))  # [1065353216]
    """
    return jnp.asarray(x).view(None if dtype is None else storage_dtype(dtype))


@op
def copy(x: Tensor) -> jax.Array:
    """A copy of `x`.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.copy(np.array([1, 2])))  # [1 2]
    """
    return jnp.array(x, copy=True)


def _none(x: object) -> None:
    return None


text_tensor: Callable[[object], object] = _none
"""A tensor of text; None for what is none. Nothing is but where scripts for TensorFlow run, which have such tensors."""


def convert_to_tensor(
    x: Tensor, dtype: DTypeLike | None = None, sparse: bool | None = None, ragged: bool | None = None
) -> Tensor:
    """An array, number, nested list or Variable as a tensor.

    Args:
        x: the value to convert; a symbolic tensor is cast.
        dtype: dtype of the result, by default that of `x`.
        sparse: None or False; JAX arrays are dense.
        ragged: None or False, likewise.

    Example:

        print(cornu.ops.convert_to_tensor([1.0, 2.0]).dtype)  # float32
    """
    for name, value in (("sparse", sparse), ("ragged", ragged)):
        if value:
            raise ValueError(f"convert_to_tensor: {name} must be None or False, since JAX arrays are dense.")
    if isinstance(x, KerasTensor):
        return x if dtype is None else cast(x, dtype)
    if (found := text_tensor(x)) is not None:
        return found
    if dtype is None:
        return jnp.asarray(border.to_tensor(x))
    target = storage_dtype(dtype)
    if isinstance(x, (jax.Array, Variable)):
        return jnp.asarray(border.to_tensor(x), target)
    return jnp.array(x if type(x) in border.AS_THEY_ARE else border.to_numpy(x), target)


def convert_to_numpy(x: Tensor) -> np.ndarray:
    """A tensor as a writable NumPy array of its own.

    Args:
        x: tensor with values.

    Example:

        values = cornu.ops.convert_to_numpy(cornu.ops.ones(2))
        values[0] = 5
        print(values)  # [5. 1.]
    """
    if isinstance(x, KerasTensor):
        raise ValueError(f"convert_to_numpy: a symbolic tensor has no values yet. Received: {x}.")
    return border.to_host(x)


@op
def array(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A value as a tensor.

    Args:
        x: array, number, or nested lists of numbers.
        dtype: dtype of the result; None follows from `x`.

    Example:

        print(cornu.ops.array([1, 2], "float32"))  # [1. 2.]
    """
    return jnp.asarray(x, dtype=None if dtype is None else storage_dtype(dtype))


def is_tensor(x: object) -> bool:
    """Whether `x` is a tensor with values: symbolic tensors, NumPy arrays, numbers and lists are not.

    Args:
        x: any object.

    Example:

        print(cornu.ops.is_tensor(cornu.ops.ones(2)), cornu.ops.is_tensor([1, 2]))  # True False
    """
    return isinstance(x, jax.Array)


def dtype(x: Tensor) -> str:
    """The name of the dtype of `x`.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.dtype(cornu.ops.ones(2)))  # float32
    """
    return standardize_dtype(_described(x).dtype)


def shape(x: Tensor) -> AnyTuple:
    """The shape of `x`, with None for each unknown size of a symbolic tensor.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.shape(cornu.Input((None, 3))))  # (None, None, 3)
    """
    return tuple(_described(x).shape)


def ndim(x: Tensor) -> int:
    """The number of axes of `x`.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.ndim(np.ones((2, 3))))  # 2
    """
    return len(shape(x))


def size(x: Tensor) -> jax.Array | int:
    """The number of elements of `x`; a symbolic scalar for a symbolic tensor with an unknown size.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.size(np.ones((2, 3))))  # 6
    """
    sizes = shape(x)
    return _open_size(x) if None in sizes else math.prod(sizes)


@op(spec=lambda x: KerasTensor((), "int32"))
def _open_size(x: Tensor) -> jax.Array:
    return jnp.asarray(math.prod(x.shape), "int32")


def _described(x: Tensor) -> Tensor:
    return x if hasattr(x, "shape") and hasattr(x, "dtype") else jnp.asarray(x)


def _limits(kind: DTypeLike) -> tuple[Tensor, Tensor]:
    info = jnp.iinfo(kind) if jnp.issubdtype(kind, jnp.integer) else jnp.finfo(kind)
    return info.min, info.max
