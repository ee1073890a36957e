"""Rearranging elements: reshape, join, split, pad, flip."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu import validate
from cornu.core import budget
from cornu.core.operation import Tensor, Tensors, op
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyTuple, ArrayLike, Axes, ShapeLike

# ---- rearranging ----


def _reshape_spec(x: Tensor, newshape: ShapeLike) -> KerasTensor:
    target = _as_tuple(newshape)
    if -1 not in target:
        return KerasTensor(target, dtype=x.dtype)
    if None in x.shape or None in target:
        return KerasTensor(tuple(None if n == -1 else n for n in target), dtype=x.dtype)
    elements, known = math.prod(x.shape), -math.prod(target)
    if known == 0 or elements % known:
        raise ValueError(
            f"reshape: {elements} elements cannot be reshaped to newshape={target}. Received: x.shape={x.shape}."
        )
    rest = elements // known
    return KerasTensor(tuple(rest if n == -1 else n for n in target), dtype=x.dtype)


@op(spec=_reshape_spec)
def reshape(x: Tensor, newshape: ShapeLike) -> jax.Array:
    """The same elements in another shape.

    Args:
        x: any tensor.
        newshape: tuple of sizes with the same product; one of them may be -1, to be inferred.

    Example:

        print(cornu.ops.reshape(np.arange(6), (2, -1)).shape)  # (2, 3)
    """
    return jnp.reshape(x, tuple(-1 if n is None else n for n in _as_tuple(newshape)))


@op
def ravel(x: Tensor) -> jax.Array:
    """All elements flattened to one axis.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.ravel(np.array([[1, 2], [3, 4]])))  # [1 2 3 4]
    """
    return jnp.ravel(x)


@op
def transpose(x: Tensor, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in another order.

    Args:
        x: any tensor.
        axes: the axes of `x` in their new order; None reverses them.

    Example:

        print(cornu.ops.transpose(np.ones((2, 3, 4)), (0, 2, 1)).shape)  # (2, 4, 3)
    """
    return jnp.transpose(x, axes)


@op
def swapaxes(x: Tensor, axis1: int, axis2: int) -> jax.Array:
    """Exchange two axes.

    Args:
        x: any tensor.
        axis1, axis2: the axes to exchange.

    Example:

        print(cornu.ops.swapaxes(np.ones((2, 3, 4)), 0, 2).shape)  # (4, 3, 2)
    """
    return jnp.swapaxes(x, axis1, axis2)


@op
def moveaxis(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> jax.Array:
    """Move the axes `source` to the positions `destination`; the others keep their order.

    Args:
        x: any tensor.
        source: axis, or sequence of axes.
        destination: their positions in the result.

    Example:

        print(cornu.ops.moveaxis(np.ones((2, 3, 4)), 0, -1).shape)  # (3, 4, 2)
    """
    return jnp.moveaxis(x, source, destination)


@op
def expand_dims(x: Tensor, axis: int | Sequence[int]) -> jax.Array:
    """Insert an axis of size 1 (or several) at `axis` of the result.

    Args:
        x: any tensor.
        axis: the position or positions of the new axes in the result.

    Example:

        print(cornu.ops.expand_dims(np.array([1, 2]), 0).shape)  # (1, 2)
    """
    return jnp.expand_dims(x, axis)


def _squeeze_spec(x: Tensor, axis: Axes = None) -> KerasTensor:
    given = _as_tuple(axis) if axis is not None else [i for i, n in enumerate(x.shape) if n == 1]
    chosen = {validate.axis(a, len(x.shape), "squeeze") for a in given}
    for a in chosen:
        if x.shape[a] not in (1, None):
            raise ValueError(f"squeeze: axis {a} must have size 1. Received: x.shape={tuple(x.shape)}, axis={axis}.")
    return KerasTensor(tuple(n for i, n in enumerate(x.shape) if i not in chosen), dtype=x.dtype)


@op(spec=_squeeze_spec)
def squeeze(x: Tensor, axis: Axes = None) -> jax.Array:
    """Remove axes of size 1.

    Args:
        x: any tensor.
        axis: the axis or axes of size 1 to remove, or None for all of them.

    Example:

        print(cornu.ops.squeeze(np.ones((1, 3, 1))).shape)  # (3,)
    """
    return jnp.squeeze(x, _as_tuple(axis) if axis is not None else None)


@op
def broadcast_to(x: Tensor, shape: ShapeLike) -> jax.Array:
    """Repeat axes of size 1, and add leading ones, until `x` has `shape`.

    Args:
        x: any tensor.
        shape: the shape, into which that of `x` broadcasts.

    Example:

        print(cornu.ops.broadcast_to(np.array([1, 2]), (2, 2)))  # [[1 2] [1 2]]
    """
    return jnp.broadcast_to(x, _as_tuple(shape))


@op
def flip(x: Tensor, axis: Axes = None) -> jax.Array:
    """Reverse the order of the elements along axes.

    Args:
        x: any tensor.
        axis: the axis or axes to reverse, or None for all.

    Example:

        print(cornu.ops.flip(np.array([[1, 2], [3, 4]]), axis=1))  # [[2 1] [4 3]]
    """
    return jnp.flip(x, axis)


@op
def fliplr(x: Tensor) -> jax.Array:
    """Reverse the order along axis 1.

    Args:
        x: tensor of at least two axes.

    Example:

        print(cornu.ops.fliplr(np.array([[1, 2], [3, 4]])))  # [[2 1] [4 3]]
    """
    return jnp.fliplr(x)


@op
def flipud(x: Tensor) -> jax.Array:
    """Reverse the order along axis 0.

    Args:
        x: tensor of at least one axis.

    Example:

        print(cornu.ops.flipud(np.array([[1, 2], [3, 4]])))  # [[3 4] [1 2]]
    """
    return jnp.flipud(x)


@op
def rot90(array: Tensor, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """Rotate by multiples of 90 degrees.

    Args:
        array: tensor of at least two axes.
        k: number of rotations by 90 degrees. Defaults to 1.
        axes: the two axes of the plane, from the first toward the second. Defaults to `(0, 1)`.

    Example:

        print(cornu.ops.rot90(np.array([[1, 2], [3, 4]])))  # [[2 4] [1 3]]
    """
    return jnp.rot90(array, k, axes)


@op
def roll(x: Tensor, shift: int | Sequence[int], axis: Axes = None) -> jax.Array:
    """Shift elements along an axis; those that leave at one end reappear at the other.

    Args:
        x: any tensor.
        shift: by how many places, or how many for each axis.
        axis: the axis or axes to shift along; None shifts the flattened tensor.

    Example:

        print(cornu.ops.roll(np.array([1, 2, 3]), 1))  # [3 1 2]
    """
    return jnp.roll(x, shift, axis)


# ---- repeating and padding ----


@op
def tile(x: Tensor, repeats: ArrayLike) -> jax.Array:
    """Copies of a tensor next to each other.

    Args:
        x: any tensor.
        repeats: number of copies, or a number for each axis.

    Example:

        print(cornu.ops.tile(np.array([1, 2]), 2))  # [1 2 1 2]
    """
    return jnp.tile(x, _as_tuple(repeats))


@op
def repeat(x: Tensor, repeats: jax.typing.ArrayLike, axis: int | None = None) -> jax.Array:
    """Repeat each element along an axis.

    Args:
        x: any tensor.
        repeats: how often, or a count for each element along `axis`.
        axis: the axis to repeat along; None flattens `x` first.

    Example:

        print(cornu.ops.repeat(np.array([1, 2]), 2))  # [1 1 2 2]
    """
    return jnp.repeat(x, repeats, axis=axis)


@op
def pad(
    x: Tensor, pad_width: int | Sequence[Any], mode: str = "constant", constant_values: ArrayLike | None = None
) -> jax.Array:
    """Add elements around the edges.

    Args:
        x: any tensor.
        pad_width: one pair (before, after) per axis; a single pair or int applies to every axis.
        mode: `"constant"`, `"edge"`, `"reflect"`, `"symmetric"`, `"wrap"`, ... as in NumPy. Defaults to `"constant"`.
        constant_values: padding value for the mode `"constant"`; None is 0.

    Example:

        print(cornu.ops.pad(np.array([1, 2]), (1, 2)))  # [0 1 2 0 0]
    """
    if constant_values is None:
        return pad_with_itself(x, pad_width, mode) if mode in _REPEATING else jnp.pad(x, pad_width, mode=mode)
    if mode != "constant":
        raise ValueError(f'pad: constant_values requires mode="constant". Received: mode="{mode}".')
    return jnp.pad(x, pad_width, mode=mode, constant_values=constant_values)


_REPEATING = ("reflect", "symmetric", "wrap")


def pad_with_itself(x: Tensor, pad_width: int | Sequence[Any], mode: str) -> jax.Array:
    """`pad` in a periodic mode: JAX takes one step for each repetition."""
    pairs = np.broadcast_to(np.asarray(pad_width), (jnp.ndim(x), 2)).tolist()
    known = [(max(pair), size) for pair, size in zip(pairs, jnp.shape(x), strict=True) if isinstance(size, int)]
    budget.take("calls", sum(count // max(size, 1) for count, size in known), "pad")
    return jnp.pad(x, pad_width, mode=mode)


# ---- joining ----


@op
def concatenate(xs: Tensors, axis: int = 0) -> jax.Array:
    """Join tensors end to end along an existing axis.

    Args:
        xs: sequence of tensors of the same shape apart from `axis`.
        axis: the axis to join along. Defaults to 0.

    Example:

        print(cornu.ops.concatenate([np.ones((2, 3)), np.zeros((2, 1))], axis=1).shape)  # (2, 4)
    """
    return jnp.concatenate(xs, axis=axis)


@op
def stack(x: Tensors, axis: int = 0) -> jax.Array:
    """Join tensors of the same shape along a new axis.

    Args:
        x: sequence of tensors of the same shape.
        axis: position of the new axis in the result. Defaults to 0.

    Example:

        print(cornu.ops.stack([np.array([1, 2]), np.array([3, 4])], axis=1))  # [[1 3] [2 4]]
    """
    return jnp.stack(x, axis=axis)


@op
def hstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 1, vectors along axis 0.

    Args:
        xs: sequence of tensors of the same shape apart from axis 1; vectors may differ in length.

    Example:

        print(cornu.ops.hstack([np.array([1, 2]), np.array([3])]))  # [1 2 3]
    """
    return jnp.hstack(xs)


@op
def vstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 0, with vectors as rows.

    Args:
        xs: sequence of tensors of the same shape apart from axis 0.

    Example:

        print(cornu.ops.vstack([np.array([1, 2]), np.array([3, 4])]))  # [[1 2] [3 4]]
    """
    return jnp.vstack(xs)


@op
def dstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 2, with a third axis of size 1 added to matrices.

    Args:
        xs: sequence of tensors of the same shape apart from axis 2.

    Example:

        print(cornu.ops.dstack([np.ones((2, 3)), np.zeros((2, 3))]).shape)  # (2, 3, 2)
    """
    return jnp.dstack(xs)


@op
def column_stack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 1, with vectors as columns.

    Args:
        xs: sequence of vectors and matrices with the same number of rows.

    Example:

        print(cornu.ops.column_stack([np.array([1, 2]), np.array([3, 4])]))  # [[1 3] [2 4]]
    """
    return jnp.column_stack(xs)


@op
def append(x1: Tensor, x2: Tensor, axis: int | None = None) -> jax.Array:
    """Join two tensors end to end.

    Args:
        x1, x2: tensors of the same shape apart from `axis`.
        axis: the axis to join along; None flattens both first.

    Example:

        print(cornu.ops.append(np.array([[1, 2]]), np.array([[3, 4]]), axis=0))  # [[1 2] [3 4]]
    """
    return jnp.append(x1, x2, axis=axis)


@op
def meshgrid(*x: Tensor, indexing: str = "xy") -> list[jax.Array]:
    """The coordinates of every point of a grid over vectors, one tensor per vector.

    Args:
        *x: vectors.
        indexing: `"xy"`, with the first vector along axis 1, or `"ij"`, with it along axis 0. Defaults to `"xy"`.

    Example:

        across, down = cornu.ops.meshgrid(np.array([1, 2, 3]), np.array([10, 20]))
        print(down)  # [[10 10 10] [20 20 20]]
    """
    return list(jnp.meshgrid(*x, indexing=indexing))


# ---- splitting ----


@op
def split(x: Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """Split along `axis` into a number of equal parts, or before each of the given indices.

    Args:
        x: any tensor.
        indices_or_sections: number of equal parts, or indices before which to split.
        axis: the axis to split. Defaults to 0.

    Example:

        first, second = cornu.ops.split(np.arange(6), [2])
        print(second)  # [2 3 4 5]
    """
    return list(jnp.split(x, _cuts(indices_or_sections), axis=axis))


@op
def array_split(x: Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """`split` into parts that need not be equal: the first ones are longer by one.

    Args:
        x: any tensor.
        indices_or_sections: number of parts, or indices before which to split.
        axis: the axis to split. Defaults to 0.

    Example:

        print([part.shape for part in cornu.ops.array_split(np.arange(5), 2)])  # [(3,), (2,)]
    """
    cuts = _cuts(indices_or_sections)
    budget.take("calls", cuts if isinstance(cuts, int) else len(cuts), "array_split")
    return list(jnp.array_split(x, cuts, axis=axis))


@op
def hsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 1, along axis 0 for vectors.

    Args:
        x: tensor of at least one axis.
        indices_or_sections: number of equal parts, or indices before which to split.

    Example:

        print(cornu.ops.hsplit(np.array([1, 2, 3, 4]), 2)[1])  # [3 4]
    """
    return list(jnp.hsplit(x, _cuts(indices_or_sections)))


@op
def vsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 0.

    Args:
        x: tensor of at least two axes.
        indices_or_sections: number of equal parts, or indices before which to split.

    Example:

        print(cornu.ops.vsplit(np.array([[1, 2], [3, 4]]), 2)[1])  # [[3 4]]
    """
    return list(jnp.vsplit(x, _cuts(indices_or_sections)))


@op
def dsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 2.

    Args:
        x: tensor of at least three axes.
        indices_or_sections: number of equal parts, or indices before which to split.

    Example:

        print([part.shape for part in cornu.ops.dsplit(np.ones((1, 2, 4)), 2)])  # [(1, 2, 2), (1, 2, 2)]
    """
    return list(jnp.dsplit(x, _cuts(indices_or_sections)))


def _unstack_spec(x: Tensor, num: int | None = None, axis: int = 0) -> list[KerasTensor]:
    count = _slices(x.shape, num, axis)
    rest = tuple(n for i, n in enumerate(x.shape) if i != validate.axis(axis, len(x.shape), "unstack"))
    return [KerasTensor(rest, dtype=x.dtype) for _ in range(count)]


@op(spec=_unstack_spec)
def unstack(x: Tensor, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices along an axis as a list.

    Args:
        x: tensor of at least one axis.
        num: the size of the axis, which is needed only if it is unknown; None by default.
        axis: the axis to take apart. Defaults to 0.

    Example:

        a, b = cornu.ops.unstack(np.array([[1, 2], [3, 4]]))
        print(b)  # [3 4]
    """
    x = jnp.asarray(x)
    return [lax.index_in_dim(x, i, axis, keepdims=False) for i in range(_slices(x.shape, num, axis))]


def _slices(shape: ShapeLike, num: int | None, axis: int) -> int:
    size: Any = shape[axis]
    if num is None and size is None:
        raise ValueError(f"unstack: axis {axis} has no fixed size; pass it as num=. Received: x.shape={shape}.")
    if num is not None and size is not None and num != size:
        raise ValueError(f"unstack: num must be the size of axis {axis}, which is {size}. Received: num={num}.")
    return size if num is None else num


# ---- diagonals and triangles ----


@op
def diag(x: Tensor, k: int = 0) -> jax.Array:
    """The diagonal `k` of a matrix, or the matrix with a vector as its diagonal `k`.

    Args:
        x: a matrix or a vector.
        k: the diagonal: 0 is the main one, positive ones lie above it.

    Example:

        print(cornu.ops.diag(np.array([1, 2])))  # [[1 0] [0 2]]
    """
    return jnp.diag(x, k=k)


@op
def diagflat(x: Tensor, k: int = 0) -> jax.Array:
    """The matrix with the flattened elements of `x` as its diagonal `k`.

    Args:
        x: any tensor.
        k: the diagonal: 0 is the main one, positive ones lie above it.

    Example:

        print(cornu.ops.diagflat(np.array([[1, 2]])))  # [[1 0] [0 2]]
    """
    return jnp.diagflat(x, k=k)


@op
def diagonal(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonal `offset` of the planes of two axes, as a new last axis.

    Args:
        x: tensor of at least two axes.
        offset: the diagonal: 0 is the main one, positive ones lie above it.
        axis1: axis of the rows of the planes. Defaults to 0.
        axis2: axis of their columns. Defaults to 1.

    Example:

        print(cornu.ops.diagonal(np.array([[1, 2], [3, 4]])))  # [1 4]
    """
    return jnp.diagonal(x, offset=offset, axis1=axis1, axis2=axis2)


@op
def tril(x: Tensor, k: int = 0) -> jax.Array:
    """Matrices with zeros above the diagonal `k`.

    Args:
        x: tensor of shape `(..., rows, columns)`.
        k: the diagonal: 0 is the main one, positive ones lie above it.

    Example:

        print(cornu.ops.tril(np.array([[1, 2], [3, 4]])))  # [[1 0] [3 4]]
    """
    return jnp.tril(x, k=k)


@op
def triu(x: Tensor, k: int = 0) -> jax.Array:
    """Matrices with zeros below the diagonal `k`.

    Args:
        x: tensor of shape `(..., rows, columns)`.
        k: the diagonal: 0 is the main one, positive ones lie above it.

    Example:

        print(cornu.ops.triu(np.array([[1, 2], [3, 4]])))  # [[1 2] [0 4]]
    """
    return jnp.triu(x, k=k)


# ---- complex numbers as pairs ----


@op
def view_as_complex(x: Tensor) -> jax.Array:
    """Complex numbers from a last axis of size 2 with (real, imaginary).

    Args:
        x: tensor of shape `(..., 2)`.

    Example:

        print(cornu.ops.view_as_complex(np.array([[1.0, 2.0]])))  # [1.+2.j]
    """
    x = jnp.asarray(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: the last axis must have size 2. Received: x.shape={x.shape}.")
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype("float32")
    return x[..., 0] + 1j * x[..., 1]


@op
def view_as_real(x: Tensor) -> jax.Array:
    """(real, imaginary) as a new last axis of size 2.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.view_as_real(np.array([1.0 + 2.0j])))  # [[1. 2.]]
    """
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


def _as_tuple(sizes: object) -> AnyTuple:
    return tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)


def _cuts(indices_or_sections: int | Sequence[int]) -> Any:
    return indices_or_sections if isinstance(indices_or_sections, int) else [int(i) for i in indices_or_sections]
