"""Operations that rearrange elements without changing them: reshape, join, split, pad, flip."""

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
from cornu.core.typing import ArrayLike, Axes, ShapeLike

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
    """All elements flattened to one axis."""
    return jnp.ravel(x)


@op
def transpose(x: Tensor, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in the order `axes`, or reversed for None.

    Example:

        print(cornu.ops.transpose(np.ones((2, 3, 4)), (0, 2, 1)).shape)  # (2, 4, 3)
    """
    return jnp.transpose(x, axes)


@op
def swapaxes(x: Tensor, axis1: int, axis2: int) -> jax.Array:
    """Exchange two axes."""
    return jnp.swapaxes(x, axis1, axis2)


@op
def moveaxis(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> jax.Array:
    """Move the axes `source` to the positions `destination`; the others keep their order."""
    return jnp.moveaxis(x, source, destination)


@op
def expand_dims(x: Tensor, axis: int | Sequence[int]) -> jax.Array:
    """Insert an axis of size 1 (or several) at `axis` of the result."""
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
    """Remove axes of size 1: those in `axis`, or all for None."""
    return jnp.squeeze(x, _as_tuple(axis) if axis is not None else None)


@op
def broadcast_to(x: Tensor, shape: ShapeLike) -> jax.Array:
    """Repeat axes of size 1, and add leading ones, until `x` has `shape`."""
    return jnp.broadcast_to(x, _as_tuple(shape))


@op
def flip(x: Tensor, axis: Axes = None) -> jax.Array:
    """Reverse the order along `axis`, or along every axis for None."""
    return jnp.flip(x, axis)


@op
def fliplr(x: Tensor) -> jax.Array:
    """Reverse the order along axis 1."""
    return jnp.fliplr(x)


@op
def flipud(x: Tensor) -> jax.Array:
    """Reverse the order along axis 0."""
    return jnp.flipud(x)


@op
def rot90(array: Tensor, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """Rotate by 90 degrees `k` times in the plane of `axes`, from the first towards the second."""
    return jnp.rot90(array, k, axes)


@op
def roll(x: Tensor, shift: int | Sequence[int], axis: Axes = None) -> jax.Array:
    """Shift elements by `shift` along `axis`; elements beyond one end reappear at the other."""
    return jnp.roll(x, shift, axis)


# ---- repeating and padding ----


@op
def tile(x: Tensor, repeats: ArrayLike) -> jax.Array:
    """Copies of `x` next to each other, `repeats` of them along each axis."""
    return jnp.tile(x, _as_tuple(repeats))


@op
def repeat(x: Tensor, repeats: jax.typing.ArrayLike, axis: int | None = None) -> jax.Array:
    """Repeat each element along `axis`, equally often or with a count for each.

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

    Example:

        print(cornu.ops.concatenate([np.ones((2, 3)), np.zeros((2, 1))], axis=1).shape)  # (2, 4)
    """
    return jnp.concatenate(xs, axis=axis)


@op
def stack(x: Tensors, axis: int = 0) -> jax.Array:
    """Join tensors of the same shape along a new axis."""
    return jnp.stack(x, axis=axis)


@op
def hstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 1, vectors along axis 0."""
    return jnp.hstack(xs)


@op
def vstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 0, with vectors as rows."""
    return jnp.vstack(xs)


@op
def dstack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 2, with a third axis of size 1 added to matrices."""
    return jnp.dstack(xs)


@op
def column_stack(xs: Tensors) -> jax.Array:
    """Join tensors along axis 1, with vectors as columns."""
    return jnp.column_stack(xs)


@op
def append(x1: Tensor, x2: Tensor, axis: int | None = None) -> jax.Array:
    """Join two tensors along `axis`, flattened first for None."""
    return jnp.append(x1, x2, axis=axis)


@op
def meshgrid(*x: Tensor, indexing: str = "xy") -> list[jax.Array]:
    """The coordinates of every point of a grid over vectors, one tensor per vector.

    `indexing` is `"xy"`, with the first vector along axis 1, or `"ij"`, with it along axis 0.
    """
    return list(jnp.meshgrid(*x, indexing=indexing))


# ---- splitting ----


@op
def split(x: Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """Split along `axis` into a number of equal parts, or before each of the given indices.

    Example:

        first, second = cornu.ops.split(np.arange(6), [2])
        print(second)  # [2 3 4 5]
    """
    return list(jnp.split(x, _cuts(indices_or_sections), axis=axis))


@op
def array_split(x: Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[jax.Array]:
    """`split` into parts that need not be equal: the first ones are longer by one."""
    cuts = _cuts(indices_or_sections)
    budget.take("calls", cuts if isinstance(cuts, int) else len(cuts), "array_split")
    return list(jnp.array_split(x, cuts, axis=axis))


@op
def hsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 1, along axis 0 for vectors."""
    return list(jnp.hsplit(x, _cuts(indices_or_sections)))


@op
def vsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 0."""
    return list(jnp.vsplit(x, _cuts(indices_or_sections)))


@op
def dsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> list[jax.Array]:
    """`split` along axis 2."""
    return list(jnp.dsplit(x, _cuts(indices_or_sections)))


def _unstack_spec(x: Tensor, num: int | None = None, axis: int = 0) -> list[KerasTensor]:
    count = _slices(x.shape, num, axis)
    rest = tuple(n for i, n in enumerate(x.shape) if i != validate.axis(axis, len(x.shape), "unstack"))
    return [KerasTensor(rest, dtype=x.dtype) for _ in range(count)]


@op(spec=_unstack_spec)
def unstack(x: Tensor, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices along `axis` as a list; `num` is their number, if the size is unknown.

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
    """The diagonal `k` of a matrix, or the matrix with a vector as its diagonal `k`."""
    return jnp.diag(x, k=k)


@op
def diagflat(x: Tensor, k: int = 0) -> jax.Array:
    """The matrix with the flattened elements of `x` as its diagonal `k`."""
    return jnp.diagflat(x, k=k)


@op
def diagonal(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonal `offset` of the planes of two axes, as a new last axis."""
    return jnp.diagonal(x, offset=offset, axis1=axis1, axis2=axis2)


@op
def tril(x: Tensor, k: int = 0) -> jax.Array:
    """Matrices with zeros above the diagonal `k`."""
    return jnp.tril(x, k=k)


@op
def triu(x: Tensor, k: int = 0) -> jax.Array:
    """Matrices with zeros below the diagonal `k`."""
    return jnp.triu(x, k=k)


# ---- complex numbers as pairs ----


@op
def view_as_complex(x: Tensor) -> jax.Array:
    """Complex numbers from a last axis of size 2 with (real, imaginary)."""
    x = jnp.asarray(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: the last axis must have size 2. Received: x.shape={x.shape}.")
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype("float32")
    return x[..., 0] + 1j * x[..., 1]


@op
def view_as_real(x: Tensor) -> jax.Array:
    """(real, imaginary) as a new last axis of size 2."""
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


def _as_tuple(sizes: object) -> tuple[Any, ...]:
    return tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)


def _cuts(indices_or_sections: int | Sequence[int]) -> Any:
    return indices_or_sections if isinstance(indices_or_sections, int) else [int(i) for i in indices_or_sections]
