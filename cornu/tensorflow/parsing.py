"""`tf.io.parse_example` and related functions: parse the bytes of examples, given a table of features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from cornu.core import border
from cornu.core.typing import AnyList, Tensor
from cornu.tensorflow.errors import InvalidArgumentError
from cornu.tensorflow.example import Example, Feature, SequenceExample
from cornu.tensorflow.messages import DecodeError
from cornu.tensorflow.ragged import RaggedTensor
from cornu.tensorflow.served import sizes
from cornu.tensorflow.sparse import SparseTensor
from cornu.tensorflow.texts import text

Features: TypeAlias = Mapping[str, Any]  # what to read, by key
Parsed: TypeAlias = dict[str, Any]  # what was read: tensors of all kinds by key

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "RaggedFeature", "SparseFeature", "VarLenFeature", "parse_example",
    "parse_sequence_example", "parse_single_example", "parse_single_sequence_example",
]  # fmt: skip

_LISTS = {"float32": "float_list", "int64": "int64_list", "string": "bytes_list"}
_KINDS = {"float_list": "float", "int64_list": "int64", "bytes_list": "string"}

# ---------------------------------------------------------------- what is to be found


class FixedLenFeature(NamedTuple):
    """A fixed number of values, given by a shape.

    Args:
        shape: the shape.
        dtype: `tf.float32`, `tf.int64` or `tf.string`.
        default_value: values for an example that has none; None if each must have them.
    """

    shape: Tensor
    dtype: str
    default_value: object = None

    def one(self, lists: Mapping[str, Feature], key: str) -> np.ndarray:
        """The tensor of one example."""
        values = _values(lists.get(key), key, self.dtype)
        shape = sizes(self.shape)
        if not values and self.default_value is not None:
            return np.broadcast_to(_array(self.default_value, self.dtype), shape)
        if not values and int(np.prod(shape)) != 0:
            raise InvalidArgumentError(
                f"Feature: {key} (data type: {_KINDS[_LISTS[self.dtype]]}) is required but could not be found."
            )
        if len(values) != np.prod(shape):
            raise InvalidArgumentError(
                f"Key: {key}. Expected {int(np.prod(shape))} values, for the shape {shape}. Received: {len(values)}. "
                "Lists that differ in length are a VarLenFeature, or a FixedLenSequenceFeature."
            )
        return _array(values, self.dtype).reshape(shape)

    def many(self, ones: AnyList) -> np.ndarray:
        """The tensor of several examples."""
        return np.stack(ones)


class FixedLenSequenceFeature(NamedTuple):
    """A list of values or of tensors of the same shape, padded to the longest of the batch.

    Args:
        shape: the shape of one of them.
        dtype: `tf.float32`, `tf.int64` or `tf.string`.
        allow_missing: whether an example may have none; must be True except in sequence examples.
        default_value: padding value; None uses zeros, or empty text.
    """

    shape: Tensor
    dtype: str
    allow_missing: bool = False
    default_value: object = None

    def one(self, lists: Mapping[str, Feature], key: str) -> np.ndarray:
        """The tensor of one example."""
        if not self.allow_missing:
            raise ValueError("Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
        values, shape = _values(lists.get(key), key, self.dtype), sizes(self.shape)
        if len(values) % max(1, int(np.prod(shape))):
            raise InvalidArgumentError(
                f"Key: {key}. Expected a multiple of {int(np.prod(shape))} values, for the shape {shape}. "
                f"Received: {len(values)}."
            )
        return _array(values, self.dtype).reshape(-1, *shape)

    def many(self, ones: AnyList) -> np.ndarray:
        """The tensor of several examples."""
        empty = b"" if self.dtype == "string" else 0
        rest = empty if self.default_value is None else _array(self.default_value, self.dtype).item()
        filled = np.full(
            (len(ones), max(map(len, ones), default=0), *sizes(self.shape)), rest, _array([], self.dtype).dtype
        )
        for row, one in zip(filled, ones, strict=True):
            row[: len(one)] = one
        return filled


class VarLenFeature(NamedTuple):
    """A list of any length, as a sparse tensor.

    Args:
        dtype: `tf.float32`, `tf.int64` or `tf.string`.
    """

    dtype: str

    def one(self, lists: Mapping[str, Feature], key: str) -> SparseTensor:
        """The tensor of one example."""
        values = _array(_values(lists.get(key), key, self.dtype), self.dtype)
        return SparseTensor(np.arange(len(values))[:, None], values, np.array([len(values)]))

    def many(self, ones: AnyList) -> SparseTensor:
        """The tensor of several examples."""
        return _sparse_rows(ones)


class SparseFeature(NamedTuple):
    """A sparse tensor with separate lists of indices and values.

    Args:
        index_key: the list of indices, or the lists of indices along each axis.
        value_key: the list of values.
        dtype: `tf.float32`, `tf.int64` or `tf.string`.
        size: the size, or the sizes, of the tensor.
        already_sorted: whether the indices are sorted; otherwise the values are sorted.
    """

    index_key: Tensor
    value_key: str
    dtype: str
    size: Tensor
    already_sorted: bool = False

    def one(self, lists: Mapping[str, Feature], key: str) -> SparseTensor:
        """The tensor of one example."""
        keys = [self.index_key] if isinstance(self.index_key, str) else list(self.index_key)
        places = np.stack([np.array(_values(lists.get(each), each, "int64"), "int64") for each in keys], -1)
        values = _array(_values(lists.get(self.value_key), self.value_key, self.dtype), self.dtype)
        if len(places) != len(values):
            raise InvalidArgumentError(f"Key: {key}. There are {len(places)} places, and {len(values)} values.")
        order = np.arange(len(values)) if self.already_sorted else np.lexsort(places.T[::-1])
        return SparseTensor(places[order], values[order], np.array(np.atleast_1d(self.size).tolist()))

    def many(self, ones: AnyList) -> SparseTensor:
        """The tensor of several examples."""
        return _sparse_rows(ones)


class RaggedFeature(NamedTuple):
    """A list of any length, as a ragged tensor.

    Args:
        dtype: `tf.float32`, `tf.int64` or `tf.string`.
        value_key: the list of values; None uses the key of the feature itself.
        partitions: how the list is cut into rows, from the outermost axis to the innermost one: `RowSplits(key)`,
            `RowLengths(key)`, `ValueRowIds(key)`, `RowStarts(key)`, `RowLimits(key)` or `UniformRowLength(length)`.
        row_splits_dtype: ignored; row splits are int32.
        validate: ignored; partitions are always checked.
    """

    dtype: str
    value_key: str | None = None
    partitions: Sequence[Any] = ()
    row_splits_dtype: object = "int32"
    validate: bool = False

    def one(self, lists: Mapping[str, Feature], key: str) -> Tensor:
        """The tensor of one example."""
        key = self.value_key or key
        found: Tensor = _array(_values(lists.get(key), key, self.dtype), self.dtype)
        for partition in reversed(self.partitions):
            found = partition.cut(found, lists)
        return found

    def many(self, ones: AnyList) -> RaggedTensor:
        """The tensor of several examples."""
        return RaggedTensor.of_rows(ones)


class _ByKey(NamedTuple):
    key: str


def _partition(name: str, made: Callable[[Any, Any], RaggedTensor]) -> type:
    def cut(self: _ByKey, values: object, lists: Mapping[str, Feature]) -> RaggedTensor:
        return made(values, np.array(_values(lists.get(self.key), self.key, "int64"), "int64"))

    return type(name, (_ByKey,), {"cut": cut, "__doc__": f"Rows cut by a list of their {name}."})


class UniformRowLength(NamedTuple):
    """Rows of one length."""

    length: int

    def cut(self, values: object, lists: Mapping[str, Feature]) -> Tensor:
        """The rows of values, a dense tensor where they are one."""
        if isinstance(values, np.ndarray):
            return values.reshape(-1, self.length, *values.shape[1:])
        return RaggedTensor.from_uniform_row_length(values, self.length)


_PARTITIONS: dict[str, Callable[[Any, Any], RaggedTensor]] = {
    "RowSplits": RaggedTensor.from_row_splits, "RowLengths": RaggedTensor.from_row_lengths,
    "RowStarts": RaggedTensor.from_row_starts, "RowLimits": RaggedTensor.from_row_limits,
    "ValueRowIds": RaggedTensor.from_value_rowids,
}  # fmt: skip
for _name, _made in _PARTITIONS.items():
    setattr(RaggedFeature, _name, _partition(_name, _made))
RaggedFeature.UniformRowLength = UniformRowLength  # type: ignore[attr-defined]

# ---------------------------------------------------------------- values


def _values(feature: Feature | None, key: str, dtype: str) -> AnyList:
    """The values of a list, which must be of the right kind; an absent list has none."""
    if dtype not in _LISTS:
        raise InvalidArgumentError(f"Key: {key}. dtype must be float32, int64 or string. Received: {dtype}.")
    kind = None if feature is None else feature.WhichOneof("kind")
    if kind is None:
        return []
    if kind != _LISTS[dtype]:
        raise InvalidArgumentError(
            f"Key: {key}. Data types don't match. Data type: {_KINDS[kind]} but expected type: {_KINDS[_LISTS[dtype]]}"
        )
    return getattr(feature, kind).value


def _array(values: Tensor, dtype: str) -> np.ndarray:
    if dtype == "string":
        return np.asarray(text(values)) if len(np.shape(values)) == 0 or len(values) else np.empty(0, object)
    return np.asarray(values, str(dtype))


def _sparse_rows(ones: list[SparseTensor]) -> SparseTensor:
    """Sparse tensors stacked along a new first axis, padded to the largest shape."""
    places = [np.insert(np.asarray(one.indices), 0, row, axis=1) for row, one in enumerate(ones)]
    most = np.max([np.asarray(one.dense_shape) for one in ones], 0)
    values = np.concatenate([np.asarray(one.values) for one in ones])
    return SparseTensor(np.concatenate(places), values, np.array([len(ones), *most]))


def _shown(found: Tensor) -> Tensor:
    """The parsed values, as the tensors that scripts expect."""
    if isinstance(found, SparseTensor):
        return SparseTensor(*map(_shown, found))
    if isinstance(found, RaggedTensor):
        return found
    return text(found) if found.dtype == object else jnp.asarray(border.narrowed(found))


# ---------------------------------------------------------------- reading


def _read(kind: Any, serialized: bytes) -> Tensor:
    try:
        return kind.FromString(serialized)
    except DecodeError as error:
        raise InvalidArgumentError(f"Could not parse example input, {error}: {serialized[:40]!r}.") from error


def _ordered(features: Features | None) -> Parsed:
    """Features in the order of the result: sparse, dense, then ragged ones, each sorted by name."""
    kinds = [(VarLenFeature, SparseFeature), (FixedLenFeature, FixedLenSequenceFeature), (RaggedFeature,)]
    features = features or {}
    found = {key: features[key] for kind in kinds for key in sorted(features) if isinstance(features[key], kind)}
    odd = [each for key, each in features.items() if key not in found]
    if odd:
        raise ValueError(f"Unsupported feature: {odd[0]!r}.")
    return found


def _checked(features: Features | None) -> Parsed:
    if not features:
        raise ValueError(f"Invalid argument: features cannot be {'None' if features is None else 'empty'}.")
    return _ordered(features)


def parse_example(
    serialized: object, features: Features, example_names: object = None, name: str | None = None
) -> Parsed:
    """Parse the bytes of examples into tensors.

    Args:
        serialized: the bytes of examples, a list or tensor of them, or a scalar for a single one.
        features: name of a list in the examples -> what it is, such as `FixedLenFeature`.
        example_names, name: names for the reader.

    Raises:
        tf.errors.InvalidArgumentError: if an example lacks a list, or has a different type or number of values.
    """
    source = np.asarray(text(serialized))
    if source.ndim == 0:
        return parse_single_example(serialized, features)
    asked, rows = _checked(features), [_read(Example, each).features.feature for each in source.ravel()]
    return {key: _shown(each.many([each.one(lists, key) for lists in rows])) for key, each in asked.items()}


def parse_single_example(
    serialized: object, features: Features, example_names: object = None, name: str | None = None
) -> Parsed:
    """Parse the bytes of one example into tensors; see `parse_example`."""
    asked, source = _checked(features), text(serialized)
    if source.ndim:
        raise ValueError("Input serialized must be a scalar")
    lists = _read(Example, source.item()).features.feature
    return {key: _shown(each.one(lists, key)) for key, each in asked.items()}


def _steps(each: Any, lists: Features, key: str) -> Tensor:
    """A list of lists as a tensor."""
    if key not in lists and not getattr(each, "allow_missing", True):
        raise InvalidArgumentError(f"Feature list {key!r} is required but could not be found.")
    steps = [{key: step} for step in lists[key].feature] if key in lists else []
    if isinstance(each, FixedLenSequenceFeature):
        fixed = FixedLenFeature(each.shape, each.dtype)
        rows = [fixed.one(step, key) for step in steps]
        return np.stack(rows) if rows else _array([], each.dtype).reshape(0, *sizes(each.shape))
    rows = [each.one(step, key) for step in steps]
    if not rows and isinstance(each, VarLenFeature):
        return SparseTensor(np.zeros((0, 2), int), _array([], each.dtype), np.zeros(2, int))
    return each.many(rows)


def parse_single_sequence_example(
    serialized: object, context_features: Any = None, sequence_features: Any = None, example_name: object = None,
    name: str | None = None,
) -> tuple[Parsed, Parsed]:  # fmt: skip
    """Tensors out of the context of one sequence example, and out of its lists of lists; see `parse_example`."""
    whole = _read(SequenceExample, text(serialized).item())
    context, lists = whole.context.feature, whole.feature_lists.feature_list
    return (
        {key: _shown(each.one(context, key)) for key, each in _ordered(context_features).items()},
        {key: _shown(_steps(each, lists, key)) for key, each in _ordered(sequence_features).items()},
    )


def parse_sequence_example(
    serialized: object, context_features: Any = None, sequence_features: Any = None, example_names: object = None,
    name: str | None = None,
) -> tuple[Parsed, Parsed, Parsed]:  # fmt: skip
    """The same of several; the third dictionary has the lengths of the lists that were filled up."""
    wholes = [_read(SequenceExample, each) for each in np.asarray(text(serialized)).ravel()]
    context = {
        key: _shown(each.many([each.one(whole.context.feature, key) for whole in wholes]))
        for key, each in _ordered(context_features).items()
    }
    rows = {
        key: [_steps(each, whole.feature_lists.feature_list, key) for whole in wholes]
        for key, each in _ordered(sequence_features).items()
    }
    lists = {key: _shown(sequence_features[key].many(found)) for key, found in rows.items()}
    lengths = {
        key: jnp.asarray([len(one) for one in found])
        for key, found in rows.items()
        if isinstance(sequence_features[key], FixedLenSequenceFeature)
    }
    return context, lists, lengths
