"""Merging layers: several tensors become one, elementwise, by concatenation, or by products.

For elementwise merges, tensors of different rank are aligned at the batch axis and at their last axes, and axes of size
1 broadcast. A step that is masked in one input is real in the output if any other input has it; where it would affect
the result (products, extremes), masked entries are excluded.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Unpack

import jax
import jax.numpy as jnp
from jax import lax

from cornu import ops, validate
from cornu.core import dtypes
from cornu.core.masks import get_mask
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import DTypeLike, Nested, Tensor, Tensors
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

Shape = tuple[int | None, ...]


def _shapes(inputs: Tensors) -> list[Shape]:
    return [tuple(d if isinstance(d, int) else None for d in x.shape) for x in inputs]


def _same(sizes: Sequence[int | None]) -> bool:
    """Whether sizes may be equal; unknown sizes are compatible with anything."""
    return len({size for size in sizes if size is not None}) <= 1


class _Joining(Layer):
    """A layer on a list of tensors. Subclasses define which shapes are compatible, the output shape, and the
    computation."""

    minimum_inputs = 1
    maximum_inputs: int | None = None

    def __init__(self, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that the inputs are a list of compatible tensors."""
        listed = isinstance(input_shape, (list, tuple)) and all(isinstance(s, (list, tuple)) for s in input_shape)
        if not listed or not self._fits(len(input_shape)):
            least, exactly = f"at least {self.minimum_inputs} tensor(s)", f"exactly {self.maximum_inputs} tensors"
            wanted = least if self.maximum_inputs is None else exactly
            raise ValueError(
                f"{validate.describe(self)}: must be called on a list of {wanted}. Received: input_shape={input_shape}."
            )
        self._merged_shape([tuple(shape) for shape in input_shape])

    def _fits(self, count: int) -> bool:
        return count >= self.minimum_inputs and (self.maximum_inputs is None or count <= self.maximum_inputs)

    def _merged_shape(self, shapes: list[Shape]) -> Shape:
        """The output's shape, or an error if the inputs are incompatible."""
        raise NotImplementedError

    def _merged_dtype(self, names: list[str]) -> str:
        return dtypes.result_type(*names)

    def compute_output_spec(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """The output for inputs whose unknown sizes are assumed to be compatible."""
        names = [self.compute_dtype if dtypes.is_float(x.dtype) else x.dtype for x in inputs]
        return KerasTensor(self._merged_shape(_shapes(inputs)), self._merged_dtype(names))

    def _common(self, inputs: Sequence[jax.Array]) -> list[jax.Array]:
        dtype = dtypes.result_type(*(x.dtype for x in inputs))
        return [x.astype(dtype) for x in inputs]

    def _checked_masks(self, inputs: Nested, mask: Nested) -> list[jax.Array] | None:
        """One mask or None for each input; None if no input has one."""
        if mask is None:
            return None
        if not isinstance(mask, (list, tuple)) or len(mask) != len(inputs):
            raise ValueError(
                f"{validate.describe(self)}: mask must be a list with one mask, or None, for each input. "
                f"Received: mask={validate.shown(mask)}."
            )
        return None if all(m is None for m in mask) else list(mask)


# ---------------------------------------------------------------- elementwise


class _Elementwise(_Joining):
    """Elementwise; subclasses implement `_merge` for a list of arrays of equal rank and dtype."""

    pure_call = rowwise = True
    hooks = frozenset({"_leaves_masked_out", "_merge", "_merged_dtype", "_worst"})
    _merge_masked: Callable[[list[jax.Array], list[jax.Array]], jax.Array]

    def _merged_shape(self, shapes: list[Shape]) -> Shape:
        if any(len(shape) == 0 for shape in shapes):
            raise ValueError(f"{validate.describe(self)}: every input needs a batch axis. Received: shapes {shapes}.")
        rank = max(len(shape) for shape in shapes)
        aligned = [(shape[0], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
        if not _same([shape[0] for shape in shapes if shape[0] != 1]):
            raise ValueError(
                f"{validate.describe(self)}: the inputs must have the same batch size, or batch size 1. "
                f"Received: shapes {shapes}."
            )
        merged = [self._merged_size(sizes, shapes) for sizes in zip(*aligned, strict=True)]
        batch = None if any(shape[0] is None for shape in shapes) else merged[0]
        return (batch, *merged[1:])

    def _merged_size(self, sizes: Sequence[int | None], shapes: list[Shape]) -> int | None:
        long = {size for size in sizes if size is not None and size != 1}
        if len(long) > 1:
            raise ValueError(
                f"{validate.describe(self)}: the inputs must have equal sizes on each axis, or size 1. "
                f"Received: shapes {shapes}."
            )
        return None if None in sizes else max(long, default=1)

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The merged tensor."""
        masks = [get_mask(x) for x in inputs]
        rank = max(x.ndim for x in inputs)
        arrays = [_aligned(x, rank) for x in self._common(inputs)]
        if not self._leaves_masked_out() or all(mask is None for mask in masks):
            return self._merge(arrays)
        return self._merge_masked(arrays, [_entry_mask(m, x, rank) for m, x in zip(masks, inputs, strict=True)])

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        raise NotImplementedError

    def _leaves_masked_out(self) -> bool:
        return False

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """A step is real if any input has it; no mask if any input has none, since all its steps are real."""
        masks = self._checked_masks(inputs, mask)
        if masks is None or any(m is None for m in masks):
            return None
        rank = max(len(m.shape) for m in masks)
        return functools.reduce(ops.logical_or, [_aligned_mask(m, rank) for m in masks])


def _aligned(x: jax.Array, rank: int) -> jax.Array:
    """`x` with axes of size 1 inserted after the batch axis up to `rank`."""
    return jnp.expand_dims(x, tuple(range(1, 1 + rank - x.ndim)))


def _aligned_mask(mask: Nested, rank: int) -> Tensor:
    """`mask`, possibly symbolic, with axes of size 1 inserted after the batch axis up to `rank`."""
    for _ in range(rank - len(mask.shape)):
        mask = ops.expand_dims(mask, 1)
    return mask


def _entry_mask(mask: Nested, x: jax.Array, rank: int) -> jax.Array:
    """The mask of `x` for each entry, aligned like `x`."""
    if mask is None:
        return jnp.ones((1,) * rank, bool)
    mask = jnp.asarray(mask, bool)
    return _aligned(jnp.expand_dims(mask, tuple(range(mask.ndim, x.ndim))), rank)


class Add(_Elementwise):
    """The sum of its inputs.

    Example:

        print(cornu.layers.Add()([np.array([[1.0]]), np.array([[2.0]])]))  # [[3.]]
    """

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.add, arrays)


class Subtract(_Elementwise):
    """The first of two inputs minus the second.

    Example:

        print(cornu.layers.Subtract()([np.array([[1.0]]), np.array([[2.0]])]))  # [[-1.]]
    """

    minimum_inputs = maximum_inputs = 2

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return arrays[0] - arrays[1]


class Average(_Elementwise):
    """The mean of its inputs.

    Example:

        print(cornu.layers.Average()([np.array([[1.0]]), np.array([[2.0]])]))  # [[1.5]]
    """

    def _merged_dtype(self, names: list[str]) -> str:
        return dtypes.result_type(*names, float)

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.add, arrays) / len(arrays)


class Multiply(_Elementwise):
    """The product of its inputs; masked entries are excluded, and the result is 0 where all are masked.

    Example:

        print(cornu.layers.Multiply()([np.array([[3.0]]), np.array([[2.0]])]))  # [[6.]]
    """

    def _leaves_masked_out(self) -> bool:
        return True

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.multiply, arrays)

    def _merge_masked(self, arrays: list[jax.Array], masks: list[jax.Array]) -> jax.Array:
        factors = [jnp.where(mask, x, jnp.ones((), x.dtype)) for x, mask in zip(arrays, masks, strict=True)]
        product = self._merge(factors)
        return jnp.where(functools.reduce(jnp.logical_or, masks), product, jnp.zeros((), product.dtype))


class _Extreme(_Elementwise):
    """The extreme entry; masked entries are excluded, and where all are masked the first input's is used."""

    def _leaves_masked_out(self) -> bool:
        return True

    def _worst(self, dtype: DTypeLike) -> Tensor:
        """A value that never wins."""
        raise NotImplementedError

    def _merge_masked(self, arrays: list[jax.Array], masks: list[jax.Array]) -> jax.Array:
        worst = jnp.asarray(self._worst(arrays[0].dtype), arrays[0].dtype)
        extreme = self._merge([jnp.where(mask, x, worst) for x, mask in zip(arrays, masks, strict=True)])
        return jnp.where(functools.reduce(jnp.logical_or, masks), extreme, arrays[0])


def _limits(dtype: DTypeLike) -> tuple[object, object]:
    if jnp.issubdtype(dtype, jnp.floating):
        return -jnp.inf, jnp.inf
    info = jnp.iinfo(dtype)
    return info.min, info.max


class Maximum(_Extreme):
    """The largest of its inputs.

    Example:

        print(cornu.layers.Maximum()([np.array([[3.0]]), np.array([[2.0]])]))  # [[3.]]
    """

    def _worst(self, dtype: DTypeLike) -> Tensor:
        return _limits(dtype)[0]

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.maximum, arrays)


class Minimum(_Extreme):
    """The smallest of its inputs.

    Example:

        print(cornu.layers.Minimum()([np.array([[3.0]]), np.array([[2.0]])]))  # [[2.]]
    """

    def _worst(self, dtype: DTypeLike) -> Tensor:
        return _limits(dtype)[1]

    def _merge(self, arrays: list[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.minimum, arrays)


# ---------------------------------------------------------------- concatenation


class Concatenate(_Joining):
    """Concatenates its inputs along an axis.

    Args:
        axis: the axis, along which sizes may differ. Defaults to -1.

    Example:

        x = np.ones((2, 3))
        print(cornu.layers.Concatenate()([x, x]).shape)  # (2, 6)
    """

    pure_call = rowwise = True

    def __init__(self, axis: int = -1, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.axis = validate.integer(axis, "axis", self)

    def _merged_shape(self, shapes: list[Shape]) -> Shape:
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise ValueError(
                f"{validate.describe(self)}: axis must be below the rank of the inputs. "
                f"Received: axis={self.axis}, shapes {shapes}."
            )
        axis = self.axis % rank
        columns = list(zip(*shapes, strict=False))
        others = columns[:axis] + columns[axis + 1 :]
        if any(len(shape) != rank for shape in shapes) or not all(_same(sizes) for sizes in others):
            raise ValueError(
                f"{validate.describe(self)}: the inputs must have equal sizes on every axis except {self.axis}. "
                f"Received: shapes {shapes}."
            )
        joined = None if None in columns[axis] else sum(columns[axis])
        return (*shapes[0][:axis], joined, *shapes[0][axis + 1 :])

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The concatenated tensor."""
        return jnp.concatenate(self._common(inputs), axis=self.axis)

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """The concatenated masks if the axis is a masked one; otherwise a step is real if any input has it."""
        masks = self._checked_masks(inputs, mask)
        if masks is None:
            return None
        full_rank = len(inputs[0].shape)
        rank = min([full_rank - 1, *(len(m.shape) for m in masks if m is not None)])
        # These are the operations in Keras's graphs, whose depth determines the order of a model's layers.
        entries = [_mask_of_entries(m, x) for m, x in zip(masks, inputs, strict=True)]
        axes = tuple(range(rank, full_rank))
        return ops.any(ops.concatenate(entries, axis=self.axis), axis=-1 if len(axes) == 1 else axes)


def _mask_of_entries(mask: Nested, x: Tensor) -> Tensor:
    """`mask` in the shape of `x`; all True if there is none."""
    if mask is None:
        return ops.ones_like(x, dtype="bool")
    while len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, axis=-1)
    return ops.logical_or(mask, ops.zeros_like(x, dtype="bool"))


# ---------------------------------------------------------------- products


class Dot(_Joining):
    """The product of two tensors, summed over one axis of each, separately for each sample.

    Args:
        axes: the axis of both inputs, or two axes (of the first and the second); the batch axis 0 is not allowed.
        normalize: whether to L2-normalize both along the axis first, which gives the cosine similarity.
            Defaults to False.

    Output shape: the batch, the other axes of the first input, then those of the second; `(batch, 1)` if there are
    none.

    Example:

        x = np.array([[1.0, 2.0]])
        print(cornu.layers.Dot(axes=1)([x, x]))  # [[5.]]
    """

    pure_call = rowwise = True
    minimum_inputs = maximum_inputs = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        pair = (axes, axes) if validate.is_integer(axes) else tuple(axes) if isinstance(axes, (list, tuple)) else ()
        if len(pair) != 2 or not all(map(validate.is_integer, pair)):
            kind = ValueError if isinstance(axes, (int, list, tuple)) else TypeError
            raise kind(
                f"{validate.describe(self)}: axes must be an integer or two integers. "
                f"Received: axes={validate.shown(axes)}."
            )
        self.axes: int | Sequence[int] = list(map(int, pair)) if isinstance(axes, list) else tuple(map(int, pair))
        if validate.is_integer(axes):
            self.axes = int(axes)
        self.normalize = normalize

    def _axis_pair(self, ranks: Sequence[int], shapes: object) -> tuple[int, int]:
        """The summed axis of each input, as a nonnegative index."""
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        if any(not -rank <= axis < rank or axis % rank == 0 for axis, rank in zip(pair, ranks, strict=True)):
            raise ValueError(
                f"{validate.describe(self)}: axes must name an axis after the batch of each input. "
                f"Received: axes={self.axes}, shapes {shapes}."
            )
        return pair[0] % ranks[0], pair[1] % ranks[1]

    def _merged_shape(self, shapes: list[Shape]) -> Shape:
        first, second = shapes
        if 0 in (len(first), len(second)):
            raise ValueError(f"{validate.describe(self)}: every input needs a batch axis. Received: shapes {shapes}.")
        i, j = self._axis_pair([len(first), len(second)], shapes)
        if not _same([first[i], second[j]]) or not _same([first[0], second[0]]):
            raise ValueError(
                f"{validate.describe(self)}: axis {i} of the first input and axis {j} of the second must have the same "
                f"size, and so must the batch axes. Received: shapes {shapes}."
            )
        rest = (*first[1:i], *first[i + 1 :], *second[1:j], *second[j + 1 :])
        return (first[0], *(rest or (1,)))

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The products."""
        first, second = self._common(inputs)
        i, j = self._axis_pair([first.ndim, second.ndim], _shapes(inputs))
        if self.normalize:
            first, second = _unit_length(first, i), _unit_length(second, j)
        product = lax.dot_general(first, second, (((i,), (j,)), ((0,), (0,))))
        return product if product.ndim > 1 else product[:, None]

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """None, since the summed axis may be the masked one."""


def _unit_length(x: jax.Array, axis: int) -> jax.Array:
    return ops.normalize(x, axis=axis)


# ---------------------------------------------------------------- as functions


def add(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The sum of a list of tensors: `Add(**kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.add([np.ones((1, 2)), np.ones((1, 2))]))  # [[2. 2.]]
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The first of two tensors minus the second: `Subtract(**kwargs)(inputs)`.

    Args:
        inputs: list of two tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.subtract([np.full((1, 2), 3.0), np.ones((1, 2))]))  # [[2. 2.]]
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The elementwise product of a list of tensors: `Multiply(**kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.multiply([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]))  # [[6. 6.]]
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The mean of a list of tensors: `Average(**kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.average([np.ones((1, 2)), np.zeros((1, 2))]))  # [[0.5 0.5]]
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The elementwise maximum of a list of tensors: `Maximum(**kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.maximum([np.ones((1, 2)), np.zeros((1, 2))]))  # [[1. 1.]]
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Tensors, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The elementwise minimum of a list of tensors: `Minimum(**kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape, or of shapes that broadcast.

    Example:

        print(cornu.layers.minimum([np.ones((1, 2)), np.zeros((1, 2))]))  # [[0. 0.]]
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Tensors, axis: int = -1, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """A list of tensors joined end to end: `Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: list of tensors of the same shape apart from `axis`.
        axis: the axis to join along. Defaults to -1.

    Example:

        print(cornu.layers.concatenate([np.ones((1, 2)), np.zeros((1, 3))]).shape)  # (1, 5)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Tensors, axes: int | Sequence[int] = -1, **kwargs: Unpack[LayerOptions]) -> Tensor:
    """The product of two tensors, summed over an axis: `Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: two tensors.
        axes: the axis to sum over, or a pair with that of each input. Defaults to -1.

    Example:

        print(cornu.layers.dot([np.ones((1, 3)), np.ones((1, 3))]))  # [[3.]]
    """
    return Dot(axes=axes, **kwargs)(inputs)


__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
