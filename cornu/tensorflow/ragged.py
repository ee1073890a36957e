"""`tensorflow.ragged`: tensors whose rows have different lengths.

Such a tensor consists of its values, concatenated rows, and the row splits. Elementwise functions operate on the values
(`Special`, in `served`); reductions operate on the dense tensor, padded with the identity of the reduction; everything
else raises an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyFunction, AnyList, Tensor
from cornu.data.elements import TensorSpec
from cornu.tensorflow import math as tf_math
from cornu.tensorflow.errors import InvalidArgumentError
from cornu.tensorflow.served import Special, within
from cornu.tensorflow.sparse import SparseTensor, from_dense
from cornu.tensorflow.texts import is_text, text
from cornu.tensorflow.types import OPERATORS, TensorShape, TensorSpec as Spec, as_dtype

__all__ = [
    "RaggedTensor", "boolean_mask", "constant", "map_flat_values", "range", "row_splits_to_segment_ids",
    "segment_ids_to_row_splits", "stack", "stack_dynamic_partitions",
]  # fmt: skip

_range = range


def _tensor(value: Tensor, dtype: Tensor = None) -> Tensor:
    if isinstance(value, RaggedTensor):
        return value
    if is_text(value) or dtype == "string":
        return text(value)
    return jnp.asarray(value, dtype)


class RaggedTensor(Special, Sequence[Tensor]):
    """A tensor whose rows have different lengths; created by `tf.ragged.constant` and the `from_...` methods.

    Args:
        values: the concatenated rows, a tensor or another ragged tensor.
        row_splits: the boundaries of the rows, from 0 to the number of values.
    """

    def __init__(self, values: Tensor, row_splits: Tensor):
        self.values, self._splits = _tensor(values), np.asarray(row_splits).astype("int32")
        count = len(self.values)
        if self._splits.ndim != 1 or len(self._splits) < 1 or self._splits[0] != 0 or self._splits[-1] != count:
            raise InvalidArgumentError(
                f"RaggedTensor: row_splits must start with 0 and end with {count}, the number of values. "
                f"Received: row_splits={self._splits.tolist()}."
            )
        if (np.diff(self._splits) < 0).any():
            raise InvalidArgumentError(
                f"RaggedTensor: row_splits must be nondecreasing. Received: {self._splits.tolist()}."
            )

    # ------------------------------------------------------------ making

    @classmethod
    def of_rows(cls, rows: Sequence[Tensor]) -> "RaggedTensor":
        """Rows, ragged or not, as one tensor."""
        rows = [_tensor(row) for row in rows]
        splits = np.cumsum([0, *map(len, rows)])
        if any(isinstance(row, RaggedTensor) for row in rows):
            inner = [one for row in rows for one in row]
            return cls(cls.of_rows(inner), splits)
        if any(is_text(row) for row in rows if len(row)):
            return cls(text(np.concatenate([np.asarray(row, object) for row in rows])), splits)
        return cls(jnp.concatenate([row for row in rows if len(row)] or rows[:1] or [jnp.zeros(0)]), splits)

    @classmethod
    def from_row_splits(
        cls, values: Tensor, row_splits: Tensor, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Rows given by their boundaries: `[0, 2, 3]` are rows of two values and of one."""
        return cls(values, row_splits)

    @classmethod
    def from_row_lengths(
        cls, values: Tensor, row_lengths: Tensor, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Rows given by their lengths."""
        return cls(values, np.concatenate([[0], np.cumsum(np.asarray(row_lengths))]))

    @classmethod
    def from_row_starts(
        cls, values: Tensor, row_starts: Tensor, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Rows given by their start offsets."""
        values = _tensor(values)
        return cls(values, np.concatenate([np.asarray(row_starts), [len(values)]]))

    @classmethod
    def from_row_limits(
        cls, values: Tensor, row_limits: Tensor, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Rows given by their end offsets."""
        return cls(values, np.concatenate([[0], np.asarray(row_limits)]))

    @classmethod
    def from_value_rowids(
        cls, values: Tensor, value_rowids: Tensor, nrows: Tensor = None, name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Rows given by the row index of each value, in ascending order."""
        return cls(values, segment_ids_to_row_splits(value_rowids, nrows))

    @classmethod
    def from_uniform_row_length(
        cls,
        values: Tensor,
        uniform_row_length: Tensor,
        nrows: Tensor = None,
        name: str | None = None,
        validate: bool = True,
    ) -> "RaggedTensor":
        """Rows of equal length."""
        values, length = _tensor(values), int(uniform_row_length)
        return cls(values, np.arange(0, len(values) + 1, length) if length else np.zeros(int(nrows or 0) + 1))

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Tensor, nested_row_splits: Sequence[Tensor], name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Nested rows, given by their splits, outermost first."""
        for splits in reversed(nested_row_splits):
            flat_values = cls(flat_values, splits)
        return flat_values

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Tensor, nested_row_lengths: Sequence[Tensor], name: str | None = None, validate: bool = True
    ) -> "RaggedTensor":
        """Nested rows, given by their lengths, outermost first."""
        for lengths in reversed(nested_row_lengths):
            flat_values = cls.from_row_lengths(flat_values, lengths)
        return flat_values

    @classmethod
    def from_tensor(
        cls,
        tensor: Tensor,
        lengths: Tensor = None,
        padding: Tensor = None,
        ragged_rank: int = 1,
        name: str | None = None,
        row_splits_dtype: Tensor = "int64",
    ) -> "RaggedTensor":
        """The rows of a dense tensor, truncated to `lengths` or before trailing `padding`.

        Args:
            tensor: the tensor.
            lengths: the length of each row; for nested rows the lengths along each axis, outermost first.
            padding: padding value at the end of rows.
            ragged_rank: number of ragged axes.
            name: an arbitrary name.
            row_splits_dtype: ignored; row splits are int32.
        """
        tensor = _tensor(tensor)
        nested = lengths is not None and not isinstance(lengths, np.ndarray) and np.ndim(lengths[0]) == 1
        if ragged_rank > 1 or nested:
            return cls._from_deep_tensor(tensor, list(lengths) if nested else [], padding, ragged_rank)
        if padding is not None:
            kept = np.asarray(tensor != (text(padding) if is_text(padding) else padding))
            lengths = np.where(kept, np.arange(1, kept.shape[1] + 1), 0).max(1, initial=0)
        if lengths is None:
            lengths = np.full(len(tensor), tensor.shape[1])
        lengths = np.asarray(lengths)
        held = np.arange(tensor.shape[1]) < lengths[:, None]
        return cls.from_row_lengths(tensor[np.nonzero(held)], lengths)

    @classmethod
    def _from_deep_tensor(
        cls, tensor: Tensor, lengths: list[Tensor], padding: Tensor, ragged_rank: int
    ) -> "RaggedTensor":  # fmt: skip
        """Nested rows, built by merging the first two axes repeatedly."""
        if not lengths:
            inner = cls.from_tensor(tensor.reshape(-1, *tensor.shape[2:]), None, padding, ragged_rank - 1)
            return cls.from_uniform_row_length(inner, tensor.shape[1])
        kept = cls.from_tensor(tensor, np.asarray(lengths[0]))
        if len(lengths) == 1:
            return kept
        return kept.with_values(cls.from_tensor(kept.values, lengths[1] if len(lengths) == 2 else lengths[1:]))

    @classmethod
    def from_sparse(
        cls, st_input: SparseTensor, name: str | None = None, row_splits_dtype: Tensor = "int64"
    ) -> "RaggedTensor":
        """The values of each row of a sparse tensor of two axes."""
        return cls.from_value_rowids(st_input.values, np.asarray(st_input.indices)[:, 0], st_input.shape[0])

    # ------------------------------------------------------------ properties

    @property
    def row_splits(self) -> jax.Array:
        """The boundaries of the rows."""
        return jnp.asarray(self._splits)

    @property
    def flat_values(self) -> Tensor:
        """The innermost values."""
        return self.values.flat_values if isinstance(self.values, RaggedTensor) else self.values

    @property
    def nested_row_splits(self) -> tuple[jax.Array, ...]:
        """The row splits, outermost first."""
        inner = self.values.nested_row_splits if isinstance(self.values, RaggedTensor) else ()
        return (self.row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        """The number of ragged axes."""
        return 1 + (self.values.ragged_rank if isinstance(self.values, RaggedTensor) else 0)

    @property
    def shape(self) -> TensorShape:
        """The shape, None for ragged axes."""
        return TensorShape((len(self), None, *self.values.shape[1:]))

    @property
    def dtype(self) -> Tensor:
        """The type of the elements."""
        return as_dtype("string" if is_text(self.flat_values) else self.flat_values.dtype)

    @property
    def element_spec(self) -> TensorSpec:
        """The spec of such an element of a dataset."""
        return TensorSpec(self.shape, self.dtype)

    uniform_row_length = None

    def get_shape(self) -> TensorShape:
        """The shape, None for ragged axes."""
        return self.shape

    def nrows(self, out_type: Tensor = None, name: str | None = None) -> jax.Array:
        """The number of rows."""
        return jnp.asarray(len(self))

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Tensor:
        """The length of each row; those of nested rows for `axis` greater than 1."""
        if axis > 1:
            return self.with_values(self.values.row_lengths(axis - 1))
        return jnp.asarray(np.diff(self._splits))

    def nested_row_lengths(self, name: str | None = None) -> tuple[jax.Array, ...]:
        """The lengths of rows, outermost first."""
        inner = self.values.nested_row_lengths() if isinstance(self.values, RaggedTensor) else ()
        return (self.row_lengths(), *inner)

    def row_starts(self, name: str | None = None) -> jax.Array:
        """The start offsets of the rows."""
        return jnp.asarray(self._splits[:-1])

    def row_limits(self, name: str | None = None) -> jax.Array:
        """The end offsets of the rows."""
        return jnp.asarray(self._splits[1:])

    def value_rowids(self, name: str | None = None) -> jax.Array:
        """The row index of each value."""
        return jnp.asarray(self._rows())

    def _rows(self) -> np.ndarray:
        return np.repeat(np.arange(len(self), dtype="int32"), np.diff(self._splits))

    def _columns(self) -> np.ndarray:
        """The column index of each value."""
        return np.arange(len(self.values)) - self._splits[:-1][self._rows()]

    def bounding_shape(self, axis: Tensor = None, name: str | None = None, out_type: Tensor = None) -> jax.Array:
        """The shape of the smallest dense tensor that fits all rows."""
        longest = int(np.diff(self._splits).max(initial=0))
        ragged = isinstance(self.values, RaggedTensor)
        inner = np.asarray(self.values.bounding_shape() if ragged else self.values.shape)[1:]
        found = jnp.asarray([len(self), longest, *inner.tolist()])
        return found if axis is None else found[axis]

    # ------------------------------------------------------------ conversions

    def to_list(self) -> AnyList:
        """Nested lists."""
        return [row.to_list() if isinstance(row, RaggedTensor) else np.asarray(row).tolist() for row in self]

    def numpy(self) -> np.ndarray:
        """An object array of row arrays; a numeric array if all rows have the same length."""
        rows = self._arrays()
        alike = len({np.shape(row) for row in rows}) == 1 and rows[0].dtype != object
        return np.stack(list(rows)) if alike else rows

    def _arrays(self) -> np.ndarray:
        made = np.empty(len(self), object)
        for at, row in enumerate(self):
            made[at] = row._arrays() if isinstance(row, RaggedTensor) else np.array(row)
        return made

    def to_tensor(self, default_value: Tensor = None, name: str | None = None, shape: Tensor = None) -> Tensor:
        """The dense tensor, rows padded with `default_value`, by default zero or empty text, or truncated, to
        `shape`."""
        wanted = [None] * 99 if shape is None else list(shape)
        inner = self.values
        if isinstance(inner, RaggedTensor):
            inner = inner.to_tensor(default_value, shape=None if shape is None else [None, *wanted[2:]])
        rows = len(self) if wanted[0] is None else int(wanted[0])
        longest = int(np.diff(self._splits).max(initial=0)) if wanted[1] is None else int(wanted[1])
        at, place = self._rows(), self._columns()
        held = (at < rows) & (place < longest)
        at, place, size = at[held], place[held], (rows, longest, *inner.shape[1:])
        if is_text(inner) or self.dtype == object:
            dense = np.full(size, b"" if default_value is None else text(default_value).item(), object)
            dense[at, place] = np.asarray(inner)[held]
            return text(dense)
        rest = jnp.full(size, 0 if default_value is None else default_value, inner.dtype)
        return rest.at[at, place].set(inner[held])

    def to_sparse(self, name: str | None = None) -> SparseTensor:
        """The sparse tensor with the same elements."""
        if isinstance(self.values, RaggedTensor):
            held = self.with_flat_values(np.ones(len(self.flat_values), "int32")).to_tensor()
            return from_dense(held).with_values(self.flat_values)
        places = np.stack([self._rows(), self._columns()], -1)
        return SparseTensor(jnp.asarray(places), self.values, self.bounding_shape()[:2])

    def with_values(self, new_values: Tensor) -> "RaggedTensor":
        """The same rows with different values."""
        return RaggedTensor(new_values, self._splits)

    def with_flat_values(self, new_values: Tensor) -> "RaggedTensor":
        """The same nested rows with different innermost values."""
        inner = self.values.with_flat_values(new_values) if isinstance(self.values, RaggedTensor) else new_values
        return self.with_values(inner)

    def merge_dims(self, outer_axis: int, inner_axis: int) -> Tensor:
        """Merge a range of axes into one."""
        outer, inner = (axis % len(self.shape) for axis in (outer_axis, inner_axis))
        if outer > 1:
            return self.with_values(self.values.merge_dims(outer - 1, inner - 1))
        if outer == 1:
            return self if inner == 1 else RaggedTensor.of_rows([_merged(row, inner - 1) for row in self])
        return self if inner == 0 else _merged(self.values, inner - 1)

    # ------------------------------------------------------------ rows

    def __len__(self) -> int:
        return len(self._splits) - 1

    def __bool__(self) -> bool:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __iter__(self) -> Iterator[Tensor]:
        return (self[at] for at in _range(len(self)))

    def __getitem__(self, index: Tensor) -> Tensor:
        if isinstance(index, tuple):
            first, *rest = self._without_ellipsis(index)
            found = self[first]
            if not rest:
                return found
            if not isinstance(first, slice):
                return found[tuple(rest)]
            if not isinstance(rest[0], slice):
                raise ValueError("Cannot index into an inner ragged dimension.")
            return RaggedTensor.of_rows([row[tuple(rest)] for row in found])
        if isinstance(index, (slice, list)):
            places = _range(len(self))[index] if isinstance(index, slice) else index
            return RaggedTensor.of_rows([self[at] for at in places])
        at = _range(len(self))[int(index)]
        row = slice(int(self._splits[at]), int(self._splits[at + 1]))
        if isinstance(self.values, jax.Array) and self.values.dtype.kind != "f":  # for dtypes without gradients
            return jnp.asarray(np.asarray(self.values)[row])  # JAX would compile once for each length
        return self.values[row]

    def _without_ellipsis(self, index: tuple[object, ...]) -> tuple[object, ...]:
        places = [at for at, each in enumerate(index) if each is Ellipsis]
        if not places:
            return index
        wide = (slice(None),) * (len(self.shape) - len(index) + 1)
        return (*index[: places[0]], *wide, *index[places[0] + 1 :])

    def __repr__(self) -> str:
        return f"<tf.RaggedTensor {self.to_list()}>"

    __hash__ = object.__hash__

    # ------------------------------------------------------------ functions

    def through(self, name: str, function: AnyFunction, arguments: Mapping[str, Any]) -> Tensor:
        """The result of a TensorFlow function for arguments that include this tensor."""
        last = name.rpartition(".")[2]
        if last in _AS_THEY_ARE:
            return function(**arguments)
        if last in _OWN:
            return _OWN[last](**arguments)
        if last in _NEUTRAL:
            return _reduced(last, function, **arguments)
        if last not in _BY_ELEMENT:
            raise TypeError(f"{name} does not support ragged tensors. Convert it first: x.to_tensor().")
        values = {each: self._flat(value) for each, value in arguments.items()}
        return self.with_flat_values(function(**values))

    def _flat(self, value: Tensor) -> Tensor:
        """Another argument, aligned with the elements of this tensor."""
        if isinstance(value, RaggedTensor):
            pairs = zip(self.nested_row_splits, value.nested_row_splits, strict=True)
            if not all(np.array_equal(*pair) for pair in pairs):
                raise InvalidArgumentError("Ragged tensors must have rows of the same lengths.")
            return value.flat_values
        if isinstance(value, (list, tuple)) and any(isinstance(each, RaggedTensor) for each in value):
            return [self._flat(each) for each in value]
        if np.ndim(value) < 2 or self.ragged_rank > 1:
            return value
        dense = _tensor(value)
        return dense[self._rows() % dense.shape[0], self._columns() if dense.shape[1] > 1 else 0]


def _merged(tensor: Tensor, inner: int) -> Tensor:
    """A tensor with the axes from the first to another merged."""
    if isinstance(tensor, RaggedTensor):
        return tensor.merge_dims(0, inner)
    return tensor.reshape(-1, *tensor.shape[inner + 1 :])


def _operator(name: str) -> AnyFunction:
    def operate(self: RaggedTensor, other: Tensor) -> Tensor:
        first, second = self.flat_values, _tensor(self._flat(other))
        return self.with_flat_values(getattr(first, name)(second))

    return operate


def _unary(name: str) -> AnyFunction:
    return lambda self: self.with_flat_values(getattr(self.flat_values, name)())


for _name in OPERATORS:
    setattr(RaggedTensor, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("neg", "abs", "invert"):
    setattr(RaggedTensor, f"__{_name}__", _unary(f"__{_name}__"))

# ---------------------------------------------------------------- functions of tensors


def _limit(end: str) -> AnyFunction:
    return lambda dtype: getattr(dtype, end)


_NEUTRAL: dict[str, AnyFunction] = {
    "reduce_all": lambda dtype: True, "reduce_any": lambda dtype: False, "reduce_max": _limit("min"),
    "reduce_mean": lambda dtype: 0, "reduce_min": _limit("max"), "reduce_prod": lambda dtype: 1,
    "reduce_sum": lambda dtype: 0,
}  # fmt: skip
"""The padding values for reductions."""


def _reduced(name: str, function: AnyFunction, axis: Tensor = None, keepdims: bool = False, **given: Tensor) -> Tensor:
    ((argument, tensor),) = given.items()
    if axis is None:
        return function(**{argument: tensor.flat_values})
    axis = int(axis) % len(tensor.shape)
    if axis > 1:
        inner = {argument: tensor.values, "axis": axis - 1, "keepdims": keepdims}
        return tensor.with_values(_reduced(name, function, **inner) if tensor.ragged_rank > 1 else function(**inner))
    if tensor.ragged_rank > 1:
        raise TypeError(f"tf.{name}: innermost rows must be reduced before outer ones. Received: axis={axis}.")
    dense = tensor.to_tensor(_NEUTRAL[name](tensor.dtype))
    if name != "reduce_mean":
        return function(**{argument: dense, "axis": axis, "keepdims": keepdims})
    held = tensor.with_values(np.ones(len(tensor.values), "float32")).to_tensor().sum(axis, keepdims=keepdims)
    return dense.sum(axis, keepdims=keepdims) / held.reshape(*held.shape, *[1] * (dense.ndim - 2))


def _concat(values: Sequence[Tensor], axis: Tensor) -> RaggedTensor:
    parts = [each if isinstance(each, RaggedTensor) else RaggedTensor.from_tensor(each) for each in values]
    if int(axis) % len(parts[0].shape) == 0:
        return RaggedTensor.of_rows([row for part in parts for row in part])
    rows = zip(*parts, strict=True)
    if int(axis) % len(parts[0].shape) > 1:
        return RaggedTensor.of_rows([_concat(row, int(axis) % len(parts[0].shape) - 1) for row in rows])
    return RaggedTensor.of_rows([_behind(row) for row in rows])


def _behind(rows: Sequence[Tensor]) -> Tensor:
    """Concatenated rows."""
    if any(isinstance(row, RaggedTensor) for row in rows):
        return _concat(rows, 0)
    arrays = [np.asarray(row) for row in rows]
    return _tensor(np.concatenate(arrays)) if arrays[0].dtype != object else text(np.concatenate(arrays))


def _gather(params: Tensor, indices: Tensor, axis: Tensor = None, **more: Tensor) -> Tensor:
    if isinstance(params, RaggedTensor):
        if axis or isinstance(indices, RaggedTensor):
            raise TypeError("tf.gather on a ragged tensor supports only rows, given by a dense tensor of indices.")
        return RaggedTensor.of_rows([params[at] for at in np.asarray(indices).tolist()])
    return indices.with_flat_values(_tensor(params)[np.asarray(indices.flat_values)])


def _reduce_join(inputs: RaggedTensor, axis: Tensor = None, keepdims: bool = False, separator: str = "") -> Tensor:
    if axis is None or int(axis) % len(inputs.shape) != inputs.ragged_rank:
        raise TypeError("tf.strings.reduce_join on a ragged tensor supports only the innermost axis: axis=-1.")
    if inputs.ragged_rank > 1:
        return inputs.with_values(_reduce_join(inputs.values, -1, keepdims, separator))
    found = text([text(separator).item().join(np.asarray(row).tolist()) for row in inputs])
    return found[:, None] if keepdims else found


def _ngrams(data: RaggedTensor, ngram_width: int, separator: str = " ") -> RaggedTensor:
    by = text(separator).item()

    def joined(row: list[Tensor]) -> list[Tensor]:
        return [by.join(row[at : at + ngram_width]) for at in _range(len(row) - ngram_width + 1)]

    rows = [joined(np.asarray(row).tolist()) for row in data]
    return RaggedTensor.from_row_lengths(text([each for row in rows for each in row]), [len(row) for row in rows])


def _expand_dims(input: RaggedTensor, axis: Tensor) -> RaggedTensor:
    axis = int(axis) % (len(input.shape) + 1)
    if axis == 0:
        return RaggedTensor.of_rows([input])
    if axis == 1:
        return RaggedTensor(input, np.arange(len(input) + 1))
    inner = input.values
    return input.with_values(
        _expand_dims(inner, axis - 1) if isinstance(inner, RaggedTensor) else _unsqueezed(inner, axis - 1)
    )


def _unsqueezed(values: Tensor, axis: int) -> Tensor:
    return text(np.expand_dims(np.asarray(values), axis)) if is_text(values) else jnp.expand_dims(values, axis)


def _softmax(x: RaggedTensor, axis: int = -1) -> RaggedTensor:
    dense = jax.nn.softmax(x.to_tensor(-jnp.inf), axis)
    return RaggedTensor.from_tensor(dense, x.row_lengths())


def _reversed(tensor: RaggedTensor, axis: Tensor) -> RaggedTensor:
    axes = {int(each) % len(tensor.shape) for each in np.atleast_1d(axis)}
    rows = [row[::-1] if 1 in axes else row for row in tensor]
    return RaggedTensor.of_rows(rows[::-1] if 0 in axes else rows)


def stack(values: Sequence[Tensor], axis: int = 0, name: str | None = None) -> Tensor:
    """Tensors, whose lengths may differ, along a new axis."""
    values = [_tensor(value) for value in values]
    axis = axis % (len(values[0].shape) + 1)
    if axis == 0 and len(values[0].shape):
        return RaggedTensor.of_rows(values)
    if not any(isinstance(value, RaggedTensor) for value in values) and len({np.shape(value) for value in values}) == 1:
        return _joined(values, axis)
    return RaggedTensor.of_rows([stack(rows, axis - 1) for rows in zip(*values, strict=True)])


def _joined(values: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors of one shape, stacked along a new axis."""
    return text(np.stack(list(map(np.asarray, values)), axis)) if is_text(values[0]) else jnp.stack(values, axis)


def _looked_up(params: Tensor, ids: Tensor, **more: Tensor) -> RaggedTensor:
    return _gather(params, ids)


def _tile(input: RaggedTensor, multiples: Tensor) -> RaggedTensor:
    """A ragged tensor repeated along each of its axes."""
    outer, *inner = np.asarray(multiples).tolist()
    rows = [
        _tile(row, inner) if isinstance(row, RaggedTensor) else _tensor(np.tile(np.asarray(row), inner))
        for row in input
    ]  # fmt: skip
    return RaggedTensor.of_rows(rows * outer)


_OWN: dict[str, AnyFunction] = {
    "concat": _concat, "embedding_lookup": _looked_up, "expand_dims": _expand_dims, "gather": _gather,
    "ngrams": _ngrams, "reduce_join": _reduce_join, "reverse": _reversed, "softmax": _softmax, "stack": stack,
    "tile": _tile,
}  # fmt: skip
_AS_THEY_ARE = ("unicode_encode",)  # functions that support ragged tensors directly
_OF_ROWS = {
    "accumulate_n", "add_n", "approx_max_k", "argmax", "argmin", "bincount", "confusion_matrix", "count_nonzero",
    "cumprod", "cumsum", "cumulative_logsumexp", "in_top_k", "invert_permutation", "is_non_decreasing",
    "is_strictly_increasing", "l2_normalize", "lbeta", "log_softmax", "reduce_euclidean_norm", "reduce_logsumexp",
    "reduce_std", "reduce_variance", "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum",
    "top_k", "unsorted_segment_max", "unsorted_segment_mean", "unsorted_segment_min", "unsorted_segment_prod",
    "unsorted_segment_sqrt_n", "unsorted_segment_sum", "zero_fraction",
}  # fmt: skip
_BY_ELEMENT = (set(tf_math.TABLE) - _OF_ROWS) | {
    "as_string", "bytes_split", "cast", "clip_by_value", "dropout", "elu", "equal", "gelu", "identity", "join",
    "leaky_relu", "length", "lower", "not_equal", "one_hot", "ones_like", "regex_full_match", "regex_replace",
    "relu", "relu6", "saturate_cast", "selu", "silu", "split", "stop_gradient", "strip", "substr", "swish",
    "to_hash_bucket", "to_hash_bucket_fast", "to_hash_bucket_strong", "to_number", "unicode_decode",
    "unicode_split", "unicode_transcode", "upper", "where", "zeros_like",
}  # fmt: skip
"""Elementwise functions."""

# ---------------------------------------------------------------- the namespace


class RaggedTensorSpec(Spec):
    """The shape and type of a ragged tensor.

    Args:
        shape: its sizes, None for those that differ.
        dtype: the type of its elements.
        ragged_rank: the number of axes whose sizes differ.
    """

    def __init__(
        self, shape: Tensor = None, dtype: Tensor = "float32", ragged_rank: int | None = None,
        row_splits_dtype: Tensor = "int64",
    ):  # fmt: skip
        super().__init__(shape, dtype)
        self.ragged_rank = len(self.shape or ()) - 1 if ragged_rank is None else ragged_rank


def type_spec_from_value(value: Tensor) -> Spec:
    """The shape and type of a value."""
    if isinstance(value, RaggedTensor):
        return RaggedTensorSpec(value.shape, value.dtype, value.ragged_rank)
    return Spec.from_tensor(value if hasattr(value, "dtype") else _tensor(value))


def constant(
    pylist: Tensor,
    dtype: Tensor = None,
    ragged_rank: int | None = None,
    inner_shape: Tensor = None,
    name: str | None = None,
    row_splits_dtype: Tensor = None,
) -> Tensor:
    """Create a ragged tensor from nested lists.

    Args:
        pylist: lists within lists, with all elements at the same depth.
        dtype: the type of the elements.
        ragged_rank: number of ragged axes; None infers it from the nesting.
        inner_shape: the shape of the innermost values; None for scalars.
        name: an arbitrary name.
        row_splits_dtype: ignored; row splits are int32.
    """
    deep = _depth(pylist)
    inner = len(inner_shape) if inner_shape is not None else 0
    rank = deep - 1 - inner if ragged_rank is None else int(ragged_rank)
    if rank <= 0:
        return _tensor(pylist, dtype)
    flat, splits = list(pylist), []
    for _ in _range(rank):
        splits.append(np.cumsum([0, *map(len, flat)]))
        flat = [item for row in flat for item in row]
    return RaggedTensor.from_nested_row_splits(_tensor(flat, dtype) if flat or dtype else jnp.zeros(0), splits)


def _depth(value: Tensor) -> int:
    """How deeply lists are nested; all elements must be at the same depth."""
    if not isinstance(value, (list, tuple)):
        return np.ndim(value)
    depths = {_depth(each) for each in value if not (isinstance(each, (list, tuple)) and len(each) == 0)}
    if len(depths) > 1:
        raise ValueError("tf.ragged.constant: all scalar values must have the same nesting depth.")
    return 1 + max(depths, default=int(len(value) > 0))


def range(
    starts: Tensor, limits: Tensor = None, deltas: Tensor = 1, dtype: Tensor = None, name: str | None = None,
    row_splits_dtype: Tensor = "int64",
) -> RaggedTensor:  # fmt: skip
    """A row of ascending numbers for each start and limit."""
    starts, limits = (0, starts) if limits is None else (starts, limits)
    rows = [each.tolist() for each in np.broadcast_arrays(*map(np.atleast_1d, (starts, limits, deltas)))]
    return RaggedTensor.of_rows([_tensor(np.arange(*each), dtype) for each in zip(*rows, strict=True)])


def boolean_mask(data: Tensor, mask: Tensor, name: str | None = None) -> Tensor:
    """The elements of each row where a two-dimensional mask is true."""
    mask = mask if isinstance(mask, RaggedTensor) else np.asarray(mask)
    if not isinstance(mask, RaggedTensor) and mask.ndim == 1:
        kept = np.nonzero(mask)[0]
        return (
            RaggedTensor.of_rows([data[at] for at in kept]) if isinstance(data, RaggedTensor) else _tensor(data)[kept]
        )
    data = data if isinstance(data, RaggedTensor) else _tensor(data)
    return RaggedTensor.of_rows([row[np.nonzero(np.asarray(held))[0]] for row, held in zip(data, mask, strict=True)])


def map_flat_values(op: AnyFunction, *args: Tensor, **kwargs: Tensor) -> RaggedTensor:
    """`op` of the elements of ragged tensors."""
    first = next(each for each in (*args, *kwargs.values()) if isinstance(each, RaggedTensor))
    flat = [each.flat_values if isinstance(each, RaggedTensor) else each for each in (*args, *kwargs.values())]
    return first.with_flat_values(op(*flat[: len(args)], **dict(zip(kwargs, flat[len(args) :], strict=True))))


def of_values(values: Tensor, lengths: Tensor) -> RaggedTensor:
    """Values as rows of these lengths."""
    return RaggedTensor.from_row_lengths(values, lengths)


def prepared(layer: AnyFunction, values: RaggedTensor) -> Tensor:
    """What a layer that prepares data makes of a ragged tensor: other values, or one vector for each row."""
    if getattr(layer, "output_mode", "int") in ("int", "one_hot"):
        return values.with_flat_values(layer(values.flat_values))
    return jnp.stack([layer(row) for row in values])


def row_splits_to_segment_ids(splits: Tensor, name: str | None = None, out_type: Tensor = None) -> jax.Array:
    """The row index of each value."""
    return jnp.asarray(np.repeat(np.arange(len(splits) - 1), np.diff(np.asarray(splits))))


def segment_ids_to_row_splits(
    segment_ids: Tensor, num_segments: Tensor = None, out_type: Tensor = None, name: str | None = None
) -> jax.Array:
    """The row splits, from the row index of each value."""
    ids = np.asarray(segment_ids)
    count = int(ids.max(initial=-1)) + 1 if num_segments is None else int(num_segments)
    return jnp.asarray(np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=count))]))


def stack_dynamic_partitions(
    data: Tensor, partitions: Tensor, num_partitions: Tensor, name: str | None = None
) -> RaggedTensor:
    """The elements of each part, given the part index of each element in `partitions`."""
    data, parts = _tensor(data), np.asarray(partitions)
    return RaggedTensor.of_rows([data[np.nonzero(parts == part)[0]] for part in _range(int(num_partitions))])


__getattr__ = within(__name__)
