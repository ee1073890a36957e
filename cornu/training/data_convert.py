"""Whatever a user calls data, as trees of NumPy arrays in the types that JAX computes with.

pandas, polars, torch, SciPy and others are recognised by the module of an object's type and never imported.
Floats become floatx. 64-bit integers become 32-bit ones if their values allow it. Text stays NumPy text.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from cornu import settings
from cornu.core.dtypes import FLOATS

_NARROW = {"int64": "int32", "uint64": "uint32", "complex128": "complex64"}


def comes_from(value: Any, package: str) -> bool:
    """Whether the type of `value`, or a base of it, is defined in `package`."""
    return package in _packages(type(value))


@functools.lru_cache
def _packages(kind: type) -> frozenset[str]:
    """The packages that define a type and its bases."""
    return frozenset(base.__module__.partition(".")[0] for base in kind.__mro__)


def is_sparse(value: Any) -> bool:
    """Whether `value` is a SciPy sparse matrix; it stays one until a batch is cut from it."""
    return comes_from(value, "scipy") and hasattr(value, "tocsr")


def has_shape(value: Any) -> bool:
    """Whether `value` is an array of at least one axis, of whatever library."""
    return not isinstance(value, type) and len(getattr(value, "shape", ())) > 0


def _holds_arrays(values: list | tuple) -> bool:
    """Whether a list is a container of arrays, rather than an array written as (nested) numbers."""
    return any(
        isinstance(v, Mapping) or has_shape(v) or (isinstance(v, (list, tuple)) and _holds_arrays(v)) for v in values
    )


def convert(data: Any, name: str, owner: str) -> Any:
    """`data` as a tree of arrays: lists, tuples and dictionaries of arrays keep their nesting."""
    if data is None:
        return None
    if isinstance(data, Mapping):
        return {key: convert(value, f"{name}[{key!r}]", owner) for key, value in data.items()}
    if isinstance(data, (list, tuple)) and _holds_arrays(data):
        items = [convert(value, f"{name}[{i}]", owner) for i, value in enumerate(data)]
        return items if isinstance(data, list) else tuple(items)
    return as_array(data, name, owner)


def as_array(value: Any, name: str, owner: str) -> Any:
    """One array in a type that JAX computes with; text and SciPy sparse matrices stay what they are."""
    if is_sparse(value):
        return value.tocsr().astype(settings.floatx())
    array = _as_numpy(value, name, owner)
    if array.ndim == 0:
        raise ValueError(f"{owner}: {name} must have at least one axis, that of the samples. Received: {value!r}.")
    if array.dtype.kind == "O":
        array = _from_objects(array, name, owner)
    return _cast(array, name, owner)


def _as_numpy(value: Any, name: str, owner: str) -> np.ndarray:
    for package, reader in _READERS.items():
        if comes_from(value, package):
            return reader(value)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{owner}: {name} is a masked array with masked values. Fill them first: x.filled(0).")
    if isinstance(value, (list, tuple, int, float, np.generic)) or hasattr(value, "__array__"):
        return _from_lists(value, name, owner)
    raise ValueError(
        f"{owner}: {name} must be an array, a list of numbers, a (nested) list, tuple or dict of arrays, or a source "
        f"of batches. Received: {value!r} of type {type(value).__name__}."
    )


def _from_lists(value: Any, name: str, owner: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{owner}: {name} is ragged: its rows differ in length or depth. "
            "Pad them to one shape, for example with utils.pad_sequences."
        ) from error


def _from_torch(value: Any) -> np.ndarray:
    value = value.detach().cpu()
    value = value.to_dense() if value.is_sparse else value
    return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()


def _from_pandas(value: Any) -> np.ndarray:
    array = value.to_numpy()
    return array.reshape(-1, 1) if array.ndim == 1 else array


def _from_jax(value: Any) -> np.ndarray:
    return np.asarray(value.todense() if hasattr(value, "todense") else value)


_READERS: dict[str, Callable[[Any], np.ndarray]] = {
    "torch": _from_torch,
    "pandas": _from_pandas,
    "polars": _from_pandas,
    "jax": _from_jax,
    "jaxlib": _from_jax,
}


def _from_objects(array: np.ndarray, name: str, owner: str) -> np.ndarray:
    """An array of Python objects: text stays, numbers become floats, anything else is refused."""
    if all(isinstance(item, (str, bytes)) for item in array.flat):
        return array
    try:
        return array.astype(settings.floatx())
    except (TypeError, ValueError) as error:
        kinds = ", ".join(sorted({type(item).__name__ for item in array.flat}))
        raise ValueError(
            f"{owner}: {name} must hold numbers, or nothing but text. Received: objects of type {kinds}."
        ) from error


def _cast(array: np.ndarray, name: str, owner: str) -> np.ndarray:
    if array.dtype.kind in "mM":
        raise ValueError(f"{owner}: {name} holds dates or times ({array.dtype}). Turn them into numbers first.")
    if array.dtype.kind == "f" or array.dtype.name in FLOATS:
        return array.astype(settings.floatx(), copy=False)
    narrow = None if jax.config.jax_enable_x64 else _NARROW.get(array.dtype.name)
    if narrow is None:
        return array
    if array.dtype.kind in "iu" and array.size:
        _check_range(array, np.iinfo(narrow), name, owner)
    return array.astype(narrow)


def _check_range(array: np.ndarray, limits: np.iinfo, name: str, owner: str) -> None:
    low, high = array.min(), array.max()
    if low < limits.min or high > limits.max:
        raise ValueError(
            f"{owner}: {name} holds integers from {low} to {high}, which do not fit into {limits.dtype}. "
            f'Use smaller numbers, or compute in 64 bits with config.set_floatx("float64").'
        )


def named_leaves(data: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Pairs of a readable name, such as `x["left"][0]`, and an array; None is left out."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from named_leaves(value, f"{name}[{key!r}]")
    elif isinstance(data, (list, tuple)):
        for i, value in enumerate(data):
            yield from named_leaves(value, f"{name}[{i}]")
    elif data is not None:
        yield name, data


def common_length(x: Any, y: Any, sample_weight: Any, owner: str) -> int:
    """The number of samples that all arrays share, which must be at least one."""
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    lengths = {key: leaf.shape[0] for name, part in parts.items() for key, leaf in named_leaves(part, name)}
    if not lengths:
        raise ValueError(f"{owner}: x is empty: it holds no array at all.")
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"{owner}: all arrays must have the same number of samples. Received: {listed}.")
    length = next(iter(lengths.values()))
    if length == 0:
        raise ValueError(f"{owner}: the data set is empty: {', '.join(lengths)} have 0 samples.")
    return length


def convert_weights(sample_weight: Any, owner: str) -> Any:
    """Sample weights as floats; a table of one column counts as one weight a sample."""
    weights = convert(sample_weight, "sample_weight", owner)
    return _map(weights, lambda leaf: leaf.astype(settings.floatx(), copy=False).reshape(_without_column(leaf.shape)))


def _without_column(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] if shape[1:] == (1,) else shape


def _map(data: Any, function: Callable) -> Any:
    if isinstance(data, dict):
        return {key: _map(value, function) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(_map(value, function) for value in data)
    return None if data is None else function(data)


def take(data: Any, rows: slice | np.ndarray) -> Any:
    """The chosen rows of every array of a tree; sparse matrices become dense here."""
    return _map(data, lambda leaf: leaf[rows].toarray() if is_sparse(leaf) else leaf[rows])
