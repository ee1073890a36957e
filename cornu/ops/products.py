"""Matrix products and related operations.

8-bit integers are accumulated in 32 bits, so that a product of quantized values does not overflow.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.core.operation import Tensor, op
from cornu.ops.elementwise import floats


def _accumulator(*values: Tensor) -> str | None:
    """`int32` when every value is an 8-bit integer, else None."""
    kinds = {str(jnp.result_type(v)) for v in values}
    return "int32" if kinds == {"int8"} else None


@op
def matmul(x1: Tensor, x2: Tensor) -> jax.Array:
    """Matrix product over the last two axes; leading axes are broadcast.

    Args:
        x1: tensor of shape `(..., n, k)`, or a vector.
        x2: tensor of shape `(..., k, m)`, or a vector.

    Example:

        print(cornu.ops.matmul(np.ones((2, 3)), np.ones((3, 4))).shape)  # (2, 4)
    """
    return jnp.matmul(x1, x2, preferred_element_type=_accumulator(x1, x2))


@op
def dot(x1: Tensor, x2: Tensor) -> jax.Array:
    """Product over the last axis of `x1` and the second-to-last (or only) one of `x2`.

    Args:
        x1: any tensor.
        x2: any tensor whose second-to-last (or only) axis is as long as the last one of `x1`.

    Example:

        print(cornu.ops.dot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))  # 11.0
    """
    return jnp.dot(x1, x2)


@op
def vdot(x1: Tensor, x2: Tensor) -> jax.Array:
    """Sum of the products of two flattened tensors, the first one conjugated.

    Args:
        x1, x2: tensors with the same number of elements.

    Example:

        print(cornu.ops.vdot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))  # 11.0
    """
    return jnp.vdot(x1, x2)


@op
def inner(x1: Tensor, x2: Tensor) -> jax.Array:
    """Product over the last axes of both.

    Args:
        x1, x2: tensors with last axes of the same size.

    Example:

        print(cornu.ops.inner(np.array([1.0, 2.0]), np.array([3.0, 4.0])))  # 11.0
    """
    return jnp.inner(x1, x2)


@op
def outer(x1: Tensor, x2: Tensor) -> jax.Array:
    """The products of all pairs of elements of two flattened tensors.

    Args:
        x1, x2: any tensors.

    Example:

        print(cornu.ops.outer(np.array([1, 2]), np.array([3, 4])))  # [[3 4] [6 8]]
    """
    return jnp.outer(x1, x2)


@op
def kron(x1: Tensor, x2: Tensor) -> jax.Array:
    """Kronecker product: each element of `x1` times all of `x2`, in blocks.

    Args:
        x1, x2: any tensors.

    Example:

        print(cornu.ops.kron(np.array([[1, 2]]), np.array([[1, 1]])))  # [[1 1 2 2]]
    """
    return jnp.kron(x1, x2)


@op
def cross(
    x1: Tensor, x2: Tensor, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> jax.Array:
    """Cross product of vectors.

    Args:
        x1, x2: tensors whose shapes broadcast, with 2 or 3 components along an axis.
        axisa, axisb: the axes of the components in `x1` and `x2`. Defaults to -1.
        axisc: their axis in the result. Defaults to -1.
        axis: replaces the three. None by default.

    Example:

        print(cornu.ops.cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])))  # [0. 0. 1.]
    """
    return jnp.cross(x1, x2, axisa=axisa, axisb=axisb, axisc=axisc, axis=axis)


@op
def tensordot(x1: Tensor, x2: Tensor, axes: int | Sequence[Any] = 2) -> jax.Array:
    """Product of two tensors, summed over several axes.

    Args:
        x1, x2: any tensors.
        axes: how many of the last axes of `x1` and the first of `x2` to sum over, or a pair of lists of axes.
            Defaults to 2.

    Example:

        print(cornu.ops.tensordot(np.ones((2, 3, 4)), np.ones((3, 4, 5))).shape)  # (2, 5)
    """
    return jnp.tensordot(x1, x2, axes=axes)


@op
def einsum(subscripts: str, *operands: Tensor, **kwargs: Any) -> jax.Array:
    """Products and sums in Einstein notation.

    Args:
        subscripts: one letter per axis, `"ij,jk->ik"`; `...` stands for any leading axes.
        operands: the tensors, in the order of the subscripts.
        kwargs: arguments of `jax.numpy.einsum`, such as `precision` or `optimize`.

    Example:

        print(cornu.ops.einsum("bij,bj->bi", np.ones((2, 3, 4)), np.ones((2, 4))).shape)  # (2, 3)
    """
    kwargs.setdefault("preferred_element_type", _accumulator(*operands))
    return jnp.einsum(subscripts, *operands, **kwargs)


@op
def trace(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """Sum of the diagonal `offset` of the planes of two axes.

    Args:
        x: tensor of at least two axes.
        offset: the diagonal: 0 is the main one, positive ones lie above it.
        axis1: axis of the rows of the planes. Defaults to 0.
        axis2: axis of their columns. Defaults to 1.

    Example:

        print(cornu.ops.trace(np.array([[1, 2], [3, 4]])))  # 5
    """
    return jnp.trace(x, offset=offset, axis1=axis1, axis2=axis2)


@op
def correlate(x1: Tensor, x2: Tensor, mode: str = "valid") -> jax.Array:
    """Cross-correlation of two vectors.

    Args:
        x1, x2: vectors.
        mode: `"valid"` for full overlap only, `"same"` for the length of the longer vector, `"full"` for every
            overlap. Defaults to `"valid"`.

    Example:

        print(cornu.ops.correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0])))  # [2. 3.]
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    if not jnp.issubdtype(jnp.result_type(x1, x2), jnp.inexact):
        x1, x2 = x1.astype(settings.floatx()), x2.astype(settings.floatx())
    return jnp.correlate(x1, x2, mode)


@op(class_name="CDist")
def cdist(x: Tensor, y: Tensor) -> jax.Array:
    """Euclidean distance between every row of `x` and every row of `y`, of shape `(..., m, n)`.

    Args:
        x: tensor of shape `(..., m, d)`.
        y: tensor of shape `(..., n, d)`.

    Example:

        print(cornu.ops.cdist(np.zeros((1, 2)), np.array([[3.0, 4.0]])))  # [[5.]]
    """
    x, y = floats(x, y)
    difference = x[..., :, None, :] - y[..., None, :, :]
    return jnp.sqrt(jnp.sum(jnp.square(difference), axis=-1))
