"""Indexing and sorting: selecting, ordering, finding and replacing elements."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from cornu.core.operation import Tensor, Tensors, op
from cornu.core.symbolic import KerasTensor, output_spec
from cornu.core.typing import ShapeLike

# ---- selecting ----


@op
def get_item(x: Tensor, key: object) -> jax.Array:
    """`x[key]`.

    Args:
        x: any tensor.
        key: an int, a slice, None, `...`, a tensor of indices, or a tuple of these.

    Example:

        print(cornu.ops.get_item(np.array([1, 2, 3]), slice(1, None)))  # [2 3]
    """
    return jnp.asarray(x)[tuple(key) if isinstance(key, list) else key]


@op
def take(x: Tensor, indices: Tensor, axis: int | None = None) -> jax.Array:
    """Elements or slices at given indices along an axis.

    Args:
        x: any tensor.
        indices: integers of any shape, which may be negative.
        axis: the axis to select from; None selects from the flattened tensor.

    Example:

        print(cornu.ops.take(np.array([10, 20, 30]), np.array([2, 0])))  # [30 10]
    """
    return jnp.take(x, jnp.asarray(indices), axis=axis)


@op
def take_along_axis(x: Tensor, indices: Tensor, axis: int | None = None) -> jax.Array:
    """One element for each entry of `indices`.

    Args:
        x: any tensor.
        indices: integers with as many axes as `x`, whose other axes broadcast with those of `x`.
        axis: the axis that `indices` count along; None selects from the flattened tensor.

    Example:

        print(cornu.ops.take_along_axis(np.array([[10, 20], [30, 40]]), np.array([[1], [0]]), axis=1))  # [[20] [30]]
    """
    return jnp.take_along_axis(x, jnp.asarray(indices), axis=axis)


def _nonzero_spec(x: Tensor) -> tuple[KerasTensor, ...]:
    return tuple(KerasTensor((None,), dtype="int32") for _ in x.shape)


def _where(condition: Tensor, x1: Tensor = None, x2: Tensor = None) -> jax.Array:
    return jnp.where(condition, x1, x2)


def _where_spec(condition: Tensor, x1: Tensor = None, x2: Tensor = None) -> Any:
    return _nonzero_spec(condition) if x1 is None else output_spec(_where, condition, x1, x2)


@op(spec=_where_spec)
def where(condition: Tensor, x1: Tensor | None = None, x2: Tensor | None = None) -> jax.Array:
    """`x1` where `condition` is True, else `x2`; with neither, the indices where it is True, one tensor per axis.

    Args:
        condition: booleans, of any shape.
        x1, x2: values where the condition is True and where it is False; all shapes broadcast. None for both
            returns indices.

    Example:

        print(cornu.ops.where(np.array([True, False]), 1.0, 0.0))  # [1. 0.]
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("where: x1 and x2 must be given together, or neither of them.")
    return _where(condition, x1, x2)


@op
def select(condlist: Tensors, choicelist: Tensors, default: Tensor = 0) -> jax.Array:
    """For each element, the choice for the first condition that is True.

    Args:
        condlist: list of boolean tensors.
        choicelist: list of tensors, one for each condition; all shapes broadcast.
        default: value where no condition is True. Defaults to 0.

    Example:

        x = np.array([1, 5, 9])
        print(cornu.ops.select([x < 3, x < 6], [x, 10 * x], default=-1))  # [1 50 -1]
    """
    return jnp.select(condlist, choicelist, default)


@op
def slice(inputs: Tensor, start_indices: Tensors, shape: ShapeLike) -> jax.Array:
    """The block of size `shape` that starts at `start_indices`, which may be computed values.

    A size of -1 means the rest of the axis; its start must then be a plain number.

    Args:
        inputs: any tensor.
        start_indices: index of the first element along each axis.
        shape: size of the block along each axis.

    Example:

        print(cornu.ops.slice(np.arange(6), [2], [3]))  # [2 3 4]
    """
    sizes = [inputs.shape[axis] - int(start_indices[axis]) if size == -1 else size for axis, size in enumerate(shape)]
    return lax.dynamic_slice(inputs, jnp.asarray(start_indices), sizes)


@op
def slice_update(inputs: Tensor, start_indices: Tensor, updates: Tensor) -> jax.Array:
    """`inputs` with the block that starts at `start_indices` replaced by `updates`.

    Args:
        inputs: any tensor.
        start_indices: index of the first replaced element along each axis; may be computed.
        updates: the block, with as many axes as `inputs`.

    Example:

        print(cornu.ops.slice_update(np.arange(5), [1], np.array([7, 8])))  # [0 7 8 3 4]
    """
    return lax.dynamic_update_slice(inputs, updates, jnp.asarray(start_indices))


@op
def scatter(indices: Tensor, values: Tensor, shape: ShapeLike) -> jax.Array:
    """Zeros of `shape`, with `values` added at `indices`.

    Args:
        indices: integers of shape `(n, k)`: an index with `k` components for each value.
        values: tensor of shape `(n,) + shape[k:]`.
        shape: tuple, shape of the result.

    Example:

        print(cornu.ops.scatter(np.array([[1], [3]]), np.array([5.0, 7.0]), (4,)))  # [0. 5. 0. 7.]
    """
    values = jnp.asarray(values)
    return jnp.zeros(tuple(shape), values.dtype).at[_places("scatter", indices)].add(values)


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@op
def scatter_update(inputs: Tensor, indices: Tensor, updates: Tensor, reduction: str | None = None) -> jax.Array:
    """`inputs` with the elements at `indices` replaced by, or combined with, `updates`.

    Args:
        inputs: any tensor.
        indices: integers of shape `(n, k)`: an index with `k` components for each update.
        updates: tensor of shape `(n,) + inputs.shape[k:]`.
        reduction: None replaces; `"add"`, `"max"`, `"min"` or `"mul"` combines the old and the new value.

    Example:

        print(cornu.ops.scatter_update(np.zeros(3), np.array([[1]]), np.array([9.0])))  # [0. 9. 0.]
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f'scatter_update: reduction must be None, "add", "max", "min" or "mul". Received: reduction={reduction!r}.'
        )
    inputs = jnp.asarray(inputs)
    place = inputs.at[_places("scatter_update", indices)]
    return getattr(place, _REDUCTIONS[reduction])(jnp.asarray(updates).astype(inputs.dtype))


# ---- sorting ----


@op
def sort(x: Tensor, axis: int = -1) -> jax.Array:
    """The elements in ascending order.

    Args:
        x: any tensor.
        axis: the axis to sort; None flattens `x` first. Defaults to -1.

    Example:

        print(cornu.ops.sort(np.array([3, 1, 2])))  # [1 2 3]
    """
    return jnp.sort(x, axis=axis)


@op
def argsort(x: Tensor, axis: int = -1) -> jax.Array:
    """The indices that sort a tensor; the sort is stable.

    Args:
        x: any tensor.
        axis: the axis to sort; None flattens `x` first. Defaults to -1.

    Example:

        print(cornu.ops.argsort(np.array([3, 1, 2])))  # [1 2 0]
    """
    return jnp.argsort(x, axis=axis)


@op
def argpartition(x: Tensor, kth: int, axis: int = -1) -> jax.Array:
    """Indices with the `kth` smallest element in its sorted position, smaller ones before it and larger ones after
    it.

    Args:
        x: any tensor.
        kth: position of the element that gets its sorted place.
        axis: the axis to partition. Defaults to -1.

    Example:

        print(cornu.ops.argpartition(np.array([3, 1, 2]), 1))  # [1 2 0]
    """
    return jnp.argpartition(x, kth, axis=axis)


@op
def top_k(x: Tensor, k: int, sorted: bool = True) -> tuple[jax.Array, jax.Array]:
    """The `k` largest elements along the last axis, and their indices.

    Args:
        x: tensor of at least one axis.
        k: number of elements.
        sorted: whether they are in descending order, rather than in their order in `x`. Defaults to True.

    Example:

        values, indices = cornu.ops.top_k(np.array([3, 1, 2]), 2)
        print(values, indices)  # [3 2] [0 2]
    """
    x = jnp.asarray(x)
    values, indices = lax.top_k(x, k)
    if not sorted:
        indices = jnp.sort(indices, axis=-1)
        values = jnp.take_along_axis(x, indices, axis=-1)
    return values, indices


@op
def in_top_k(targets: Tensor, predictions: Tensor, k: int) -> jax.Array:
    """Whether the score of each target class is among the `k` highest in its row.

    Args:
        targets: class indices, shape `(batch,)`.
        predictions: scores, shape `(batch, classes)`.
        k: number of highest scores; ties with the last of them count too.

    Example:

        print(cornu.ops.in_top_k(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]), 1))  # [True False]
    """
    targets, predictions = jnp.asarray(targets), jnp.asarray(predictions)
    classes = predictions.shape[-1]
    score = jnp.take_along_axis(predictions, targets[..., None], axis=-1, mode="clip")
    higher = jnp.sum(predictions > score, axis=-1, dtype="int32")
    valid = (targets >= 0) & (targets < classes) & jnp.isfinite(score[..., 0])
    return (higher < k) & valid


@op(class_name="SearchSorted")
def searchsorted(sorted_sequence: Tensor, values: Tensor, side: str = "left") -> jax.Array:
    """Where each value would be inserted to maintain the order.

    Args:
        sorted_sequence: numbers in ascending order, a vector.
        values: tensor of any shape.
        side: `"left"` to insert before equal elements, `"right"` after them. Defaults to `"left"`.

    Example:

        print(cornu.ops.searchsorted(np.array([1, 3, 5]), np.array([3, 4])))  # [1 2]
    """
    if jnp.ndim(sorted_sequence) != 1:
        raise ValueError(
            "searchsorted: sorted_sequence must have one axis. "
            f"Received: sorted_sequence.shape={jnp.shape(sorted_sequence)}."
        )
    return jnp.searchsorted(sorted_sequence, values, side=side)


# ---- finding ----


@op(spec=_nonzero_spec)
def nonzero(x: Tensor) -> tuple[jax.Array, ...]:
    """The indices of the nonzero elements, one tensor per axis.

    Args:
        x: any tensor.

    Example:

        print(cornu.ops.nonzero(np.array([0, 5, 7]))[0])  # [1 2]
    """
    return jnp.nonzero(x)


@op(class_name="IsIn")
def isin(x1: Tensor, x2: Tensor, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    """Whether each element of `x1` occurs in `x2`.

    Args:
        x1: tensor of any shape.
        x2: tensor of any shape, in which to look.
        assume_unique: whether neither is known to have duplicates, which can be faster. Defaults to False.
        invert: whether to tell which elements do not occur. Defaults to False.

    Example:

        print(cornu.ops.isin(np.array([1, 2, 3]), np.array([2, 5])))  # [False True False]
    """
    return jnp.isin(x1, x2, assume_unique=assume_unique, invert=invert)


@op
def unravel_index(indices: Tensor, shape: ShapeLike) -> tuple[jax.Array, ...]:
    """Indices into the flattened array converted to indices into an array of `shape`, one tensor per axis.

    Args:
        indices: integers of any shape.
        shape: shape of the array.

    Example:

        row, column = cornu.ops.unravel_index(5, (2, 3))
        print(row, column)  # 1 2
    """
    return jnp.unravel_index(jnp.asarray(indices), tuple(shape))


def _unique_spec(
    x: Tensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Tensor = None,
) -> KerasTensor | tuple[KerasTensor, ...]:
    kept = (size,) if axis is None else tuple(size if i == axis % x.ndim else n for i, n in enumerate(x.shape))
    along = (None,) if axis is None else (x.shape[axis],)
    outputs = [KerasTensor(kept, x.dtype)]
    outputs += [KerasTensor((size,), "int32")] if return_index else []
    outputs += [KerasTensor(x.shape if axis is None else along, "int32")] if return_inverse else []
    outputs += [KerasTensor((size,), "int32")] if return_counts else []
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


@op(spec=_unique_spec)
def unique(
    x: Tensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> Any:
    """The distinct elements.

    Args:
        x: any tensor.
        sorted: whether to sort them; otherwise they are in order of first occurrence in `x`. Defaults to True.
        return_index: whether to return also the index of each one's first occurrence. Defaults to False.
        return_inverse: whether to return also the index among them of each element of `x`. Defaults to False.
        return_counts: whether to return also the number of occurrences of each one. Defaults to False.
        axis: the axis whose slices are compared, or None for single elements.
        size: a fixed length of the result, required in compiled code: longer results are truncated, shorter ones
            padded. None by default.
        fill_value: value for padding; None is the smallest element.

    Example:

        print(cornu.ops.unique(np.array([3, 1, 3])))  # [1 3]
    """
    return jnp.unique(
        jnp.asarray(x),
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
        size=size,
        fill_value=fill_value,
        sorted=sorted,
    )


def _places(name: str, indices: Tensor) -> tuple[jax.Array, ...]:
    if jnp.ndim(indices) < 1:
        raise ValueError(f"{name}: indices must have shape (n, k). Received: indices.shape=().")
    """Rows of indices, `(n, k)`, as `k` arrays for `x.at[...]`."""
    indices = jnp.asarray(indices)
    return tuple(indices[..., i] for i in range(indices.shape[-1]))
