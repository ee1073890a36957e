"""Encoding class indices as vectors."""

import jax
import jax.numpy as jnp

from cornu.core.dtypes import storage_dtype
from cornu.core.operation import Tensor, op
from cornu.core.typing import DTypeLike


@op
def one_hot(
    x: Tensor, num_classes: int, axis: int = -1, dtype: DTypeLike | None = None, sparse: bool = False
) -> jax.Array:
    """A new axis of size `num_classes` that is 1 at the index given by `x` and 0 elsewhere.

    Args:
        x: integers; those out of the range 0 to `num_classes - 1` give only zeros.
        num_classes: the size of the new axis.
        axis: position of the new axis. Defaults to -1.
        dtype: dtype of the result, by default floatx.
        sparse: must be False; JAX arrays are dense.

    Example:

        print(cornu.ops.one_hot(np.array([2, 0]), 3))
    """
    _dense("one_hot", sparse)
    return jax.nn.one_hot(jnp.asarray(x).astype("int32"), num_classes, axis=axis, dtype=storage_dtype(dtype))


@op
def multi_hot(
    inputs: Tensor,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
    **kwargs: int,
) -> jax.Array:
    """One vector for each set of class indices: 1 at every index that occurs, 0 elsewhere.

    Args:
        inputs: integers of shape `(classes,)` for one sample, `(batch, classes)` for several, or a single index;
            with more axes, axis 1 lists the classes.
        num_classes: the size of the new axis. Required unless given as `num_tokens`.
        axis: position of the new axis. Defaults to -1.
        dtype: dtype of the result, by default floatx.
        sparse: must be False; JAX arrays are dense.
        kwargs: `num_tokens`, an older name of `num_classes`.

    Example:

        print(cornu.ops.multi_hot(np.array([[0, 2]]), 4))  # [[1. 0. 1. 0.]]
    """
    _dense("multi_hot", sparse)
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None or kwargs:
        unknown = f" Received: {', '.join(kwargs)}." if kwargs else ""
        raise ValueError(f"multi_hot: num_classes must be given, without unknown arguments.{unknown}")
    inputs = jnp.asarray(inputs).astype("int32")
    hot = jax.nn.one_hot(inputs, num_classes, dtype=storage_dtype(dtype))
    if inputs.ndim:
        hot = jnp.max(hot, axis=min(1, inputs.ndim - 1))
    return jnp.moveaxis(hot, -1, axis)


def _dense(name: str, sparse: bool) -> None:
    if sparse:
        raise ValueError(f"{name}: sparse must be False, since JAX arrays are dense. Received: sparse=True.")
