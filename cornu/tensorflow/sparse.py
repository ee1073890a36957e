"""`tensorflow.sparse`: tensors stored as the indices of their values.

Most functions convert them to dense tensors.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops
from cornu.core.typing import AnyFunction, Axes, Tensor
from cornu.tensorflow.served import sizes, within
from cornu.tensorflow.texts import is_text, text
from cornu.tensorflow.types import TensorShape

__all__ = [
    "SparseTensor", "add", "concat", "expand_dims", "eye", "fill_empty_rows", "from_dense", "map_values", "maximum",
    "minimum", "reduce_max", "reduce_sum", "reorder", "reset_shape", "reshape", "retain", "slice", "softmax",
    "sparse_dense_matmul", "split", "to_dense", "to_indicator", "transpose",
]  # fmt: skip


class _Parts(NamedTuple):
    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor(_Parts):
    """A tensor of zeros, or of empty strings, except for some values.

    Args:
        indices: indices of the values, of shape (values, axes).
        values: the values.
        dense_shape: the shape of the tensor.
    """

    __slots__ = ()

    def __new__(cls, indices: Tensor, values: Tensor, dense_shape: Tensor) -> Self:
        return super().__new__(cls, _tensor(indices, "int32"), _tensor(values), _tensor(dense_shape, "int32"))

    @property
    def shape(self) -> TensorShape:
        """The shape of the tensor."""
        return TensorShape(np.asarray(self.dense_shape).tolist())

    @property
    def dtype(self) -> Tensor:
        """The type of the values."""
        return "string" if is_text(self.values) else self.values.dtype

    def get_shape(self) -> TensorShape:
        """The shape of the tensor."""
        return self.shape

    def with_values(self, new_values: Tensor) -> "SparseTensor":
        """Different values at the same indices."""
        return SparseTensor(self.indices, new_values, self.dense_shape)

    def __mul__(self, other: Tensor) -> Tensor:
        return self.with_values(self.values * jnp.broadcast_to(jnp.asarray(other), self.shape)[_at(self)])

    def __truediv__(self, other: Tensor) -> Tensor:
        return self.with_values(self.values / jnp.broadcast_to(jnp.asarray(other), self.shape)[_at(self)])

    def __repr__(self) -> str:
        return f"SparseTensor(indices={self.indices}, values={self.values}, dense_shape={self.dense_shape})"


def _tensor(value: Tensor, dtype: Tensor = None) -> Tensor:
    """A list as a tensor; anything else unchanged, such as the specs and numbers of a dataset's elements."""
    if not isinstance(value, (list, tuple)):
        return value
    return text(value) if is_text(value) else jnp.asarray(value, dtype)


def _at(sparse: SparseTensor) -> tuple[np.ndarray, ...]:
    """The indices of the values, as an index into an array."""
    return tuple(np.asarray(sparse.indices).reshape(-1, len(sparse.shape)).T)


def to_dense(
    sp_input: SparseTensor, default_value: Tensor = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The dense tensor, with `default_value`, by default zero or empty text, where there is no value."""
    if is_text(sp_input.values) or sp_input.dtype == object:
        dense = np.full(sp_input.shape, b"" if default_value is None else text(default_value).item(), object)
        dense[_at(sp_input)] = np.asarray(sp_input.values)
        return text(dense)
    rest = jnp.full(sp_input.shape, 0 if default_value is None else default_value, sp_input.dtype)
    return rest.at[_at(sp_input)].set(sp_input.values)


def from_dense(tensor: Tensor, name: str | None = None) -> SparseTensor:
    """The values of a tensor that are not zero, or not empty."""
    dense = np.asarray(text(tensor)) if is_text(tensor) else np.asarray(tensor)
    places = np.nonzero(dense != (b"" if dense.dtype == object else 0))
    values = dense[places]
    return SparseTensor(
        jnp.asarray(np.stack(places, -1), "int32"),
        text(values) if dense.dtype == object else jnp.asarray(values),
        jnp.asarray(dense.shape, "int32"),
    )


def reorder(sp_input: SparseTensor, name: str | None = None) -> SparseTensor:
    """The same tensor, with sorted indices."""
    order = np.lexsort(_at(sp_input)[::-1])
    return SparseTensor(sp_input.indices[order], sp_input.values[order], sp_input.dense_shape)


def retain(sp_input: SparseTensor, to_retain: Tensor) -> SparseTensor:
    """The values for which `to_retain` is true."""
    kept = np.nonzero(np.asarray(to_retain))[0]
    return SparseTensor(sp_input.indices[kept], sp_input.values[kept], sp_input.dense_shape)


def map_values(op: AnyFunction, *args: Tensor, **kwargs: Tensor) -> SparseTensor:
    """`op` of the values, of one sparse tensor or of several with their values at the same places."""
    first = next(each for each in (*args, *kwargs.values()) if isinstance(each, SparseTensor))
    values = [each.values if isinstance(each, SparseTensor) else each for each in (*args, *kwargs.values())]
    return first.with_values(op(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True))))


def _dense(value: Tensor) -> Tensor:
    return to_dense(value) if isinstance(value, SparseTensor) else value


def add(a: Tensor, b: Tensor, threshold: Tensor = 0, name: str | None = None) -> Tensor:
    """The sum, sparse if both are."""
    total = _dense(a) + _dense(b)
    return from_dense(total) if isinstance(a, SparseTensor) and isinstance(b, SparseTensor) else total


def maximum(sp_a: SparseTensor, sp_b: SparseTensor, name: str | None = None) -> SparseTensor:
    """The larger value at each place."""
    return from_dense(jnp.maximum(to_dense(sp_a), to_dense(sp_b)))


def minimum(sp_a: SparseTensor, sp_b: SparseTensor, name: str | None = None) -> SparseTensor:
    """The smaller value at each place."""
    return from_dense(jnp.minimum(to_dense(sp_a), to_dense(sp_b)))


def concat(
    axis: int, sp_inputs: Sequence[SparseTensor], expand_nonconcat_dims: bool = False, name: str | None = None
) -> Tensor:
    """Concatenated sparse tensors."""
    dense = [np.asarray(to_dense(each)) for each in sp_inputs]
    if expand_nonconcat_dims:
        most = np.max([each.shape for each in dense], 0)
        most[axis] = 0  # the axis of concatenation is not padded
        dense = [np.pad(each, [(0, max(0, m - n)) for n, m in zip(each.shape, most, strict=True)]) for each in dense]
    return from_dense(np.concatenate(dense, axis))


def expand_dims(sp_input: SparseTensor, axis: int | None = None, name: str | None = None) -> SparseTensor:
    """The tensor with a new axis of size 1."""
    return from_dense(np.expand_dims(np.asarray(to_dense(sp_input)), -1 if axis is None else axis))


def reshape(sp_input: SparseTensor, shape: Tensor, name: str | None = None) -> SparseTensor:
    """The same values in another shape."""
    return from_dense(np.reshape(np.asarray(to_dense(sp_input)), sizes(shape)))


def transpose(sp_input: SparseTensor, perm: Tensor = None, name: str | None = None) -> SparseTensor:
    """The tensor with its axes in another order."""
    return from_dense(np.transpose(np.asarray(to_dense(sp_input)), None if perm is None else sizes(perm)))


def eye(
    num_rows: int, num_columns: int | None = None, dtype: Tensor = "float32", name: str | None = None
) -> SparseTensor:
    """Ones on the diagonal."""
    return from_dense(ops.eye(int(num_rows), num_columns, dtype=dtype))


def reduce_sum(
    sp_input: SparseTensor,
    axis: Axes = None,
    keepdims: bool = False,
    output_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The sum along axes."""
    found = jnp.sum(to_dense(sp_input), axis, keepdims=keepdims)
    return from_dense(found) if output_is_sparse else found


def reduce_max(
    sp_input: SparseTensor,
    axis: Axes = None,
    keepdims: bool = False,
    output_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The largest value along axes; zero if there is none."""
    lowest = jnp.finfo(sp_input.dtype).min if sp_input.dtype.kind == "f" else jnp.iinfo(sp_input.dtype).min
    found = jnp.max(to_dense(sp_input, lowest), axis, keepdims=keepdims)
    found = jnp.where(found == lowest, 0, found)
    return from_dense(found) if output_is_sparse else found


def sparse_dense_matmul(
    sp_a: Tensor, b: Tensor, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of matrices one of which is sparse."""
    first, second = (jnp.asarray(_dense(each)) for each in (sp_a, b))
    return (jnp.conj(first.T) if adjoint_a else first) @ (jnp.conj(second.T) if adjoint_b else second)


def slice(sp_input: SparseTensor, start: Tensor, size: Tensor, name: str | None = None) -> SparseTensor:
    """The values in a box that starts at `start` and has at most the shape `size`."""
    first, shape = np.asarray(start), np.asarray(sp_input.dense_shape)
    room = np.minimum(np.asarray(size), shape - first)
    places = np.asarray(sp_input.indices).reshape(-1, len(shape)) - first
    kept = np.nonzero(((places >= 0) & (places < room)).all(1))[0]
    return SparseTensor(jnp.asarray(places[kept], "int32"), sp_input.values[kept], jnp.asarray(room, "int32"))


def split(sp_input: SparseTensor, num_split: int, axis: int, name: str | None = None) -> list[SparseTensor]:
    """`num_split` tensors along an axis; where it does not divide, the first ones are larger by 1."""
    shape = np.asarray(sp_input.dense_shape)
    edges = np.cumsum([0, *map(len, np.array_split(np.arange(shape[axis]), int(num_split)))])
    made = []
    for first, last in itertools.pairwise(edges):
        start, size = np.zeros_like(shape), shape.copy()
        start[axis], size[axis] = first, last - first
        made.append(slice(sp_input, start, size))
    return made


def reset_shape(sp_input: SparseTensor, new_shape: Tensor = None) -> SparseTensor:
    """The same values in a larger tensor, or in the smallest that holds them."""
    places = np.asarray(sp_input.indices).reshape(-1, len(sp_input.shape))
    least = places.max(0, initial=-1) + 1
    wanted = least if new_shape is None else np.asarray(sizes(new_shape))
    if len(wanted) != len(least) or (new_shape is not None and (wanted < np.asarray(sp_input.dense_shape)).any()):
        raise ValueError(f"tf.sparse.reset_shape: {wanted.tolist()} must be at least {sp_input.shape}.")
    return SparseTensor(sp_input.indices, sp_input.values, jnp.asarray(wanted, "int32"))


def fill_empty_rows(
    sp_input: SparseTensor, default_value: Tensor, name: str | None = None
) -> tuple[SparseTensor, jax.Array]:
    """The tensor with `default_value` in the first column of each row without values, and which rows those are."""
    places = np.asarray(sp_input.indices).reshape(-1, len(sp_input.shape))
    is_empty = np.isin(np.arange(sp_input.shape[0]), places[:, 0], invert=True)
    rows = np.zeros((is_empty.sum(), places.shape[1]), places.dtype)
    rows[:, 0] = np.nonzero(is_empty)[0]
    values = np.asarray(sp_input.values)
    filled = np.concatenate(
        [values, np.full(len(rows), text(default_value).item() if is_text(values) else default_value, values.dtype)]
    )
    made = SparseTensor(
        jnp.asarray(np.concatenate([places, rows]), "int32"), text(filled) if is_text(values) else jnp.asarray(filled),
        sp_input.dense_shape,
    )  # fmt: skip
    return reorder(made), jnp.asarray(is_empty)


def softmax(sp_logits: SparseTensor, name: str | None = None) -> SparseTensor:
    """The softmax of the values of each row."""
    found = ops.softmax(to_dense(sp_logits, -jnp.inf), -1)
    return sp_logits.with_values(found[_at(sp_logits)])


def to_indicator(sp_input: SparseTensor, vocab_size: int, name: str | None = None) -> Tensor:
    """For each row, which of the integers below `vocab_size` are among its values."""
    *rows, _ = _at(sp_input)
    dense = jnp.zeros((*sp_input.shape[:-1], int(vocab_size)), bool)
    return dense.at[(*rows, np.asarray(sp_input.values))].set(True)


__getattr__ = within(__name__)
