"""Data of any kind, as trees of NumPy arrays in dtypes that JAX supports.

`core.border` reads arrays of every library. Floats become floatx. 64-bit integers become 32-bit ones if their values
fit. Text remains NumPy text.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cornu import settings
from cornu.core import border
from cornu.core.border import comes_from
from cornu.core.dtypes import FLOATS
from cornu.core.read_text import numbers_of
from cornu.core.typing import AnyFunction, AnyList, Args, Data, Nested

_MOST_LISTED = 6  # maximum number of arrays in a message
_MISSING_ROWS = " Check whether rows are missing from one of them."


def is_sparse(value: object) -> bool:
    """Whether `value` is a SciPy sparse matrix; it remains one until batches are cut from it."""
    return comes_from(value, "scipy") and hasattr(value, "tocsr")


def has_shape(value: object) -> bool:
    """Whether `value` is an array with at least one axis, from any library."""
    return not isinstance(value, type) and len(getattr(value, "shape", ())) > 0


def _holds_arrays(values: AnyList | Args) -> bool:
    """Whether a list is a container of arrays, rather than an array written as (nested) numbers."""
    return any(
        isinstance(v, Mapping) or has_shape(v) or (isinstance(v, (list, tuple)) and _holds_arrays(v)) for v in values
    )


def convert(data: Data, name: str, owner: str) -> Nested:
    """`data` as a tree of arrays: lists, tuples and dictionaries of arrays keep their nesting."""
    if data is None:
        return None
    if comes_from(data, "datasets") and hasattr(data, "column_names"):  # Hugging Face datasets
        table: Any = data
        data = {column: table[column] for column in table.column_names}
    if isinstance(data, Mapping):
        return {key: convert(value, f"{name}[{key!r}]", owner) for key, value in data.items()}
    if isinstance(data, (list, tuple)) and _holds_arrays(data):
        items = [convert(value, f"{name}[{i}]", owner) for i, value in enumerate(data)]
        return items if isinstance(data, list) else tuple(items)
    return as_array(data, name, owner)


def as_array(value: Nested, name: str, owner: str) -> Nested:
    """One array in a dtype that JAX supports; text and SciPy sparse matrices are left unchanged."""
    if is_sparse(value):
        return value.tocsr().astype(settings.floatx())
    array = _as_numpy(value, name, owner)
    if array.ndim == 0:
        raise ValueError(
            f"{owner}: {name} must have at least one axis, for the samples. Received: {value!r}. A generator of single "
            "rows must yield batches."
        )
    if array.dtype.kind == "f" or array.dtype.name in FLOATS:
        return array.astype(settings.floatx(), copy=False)
    return border.narrowed(array, owner, name)


def _as_numpy(value: object, name: str, owner: str) -> np.ndarray:
    if isinstance(value, str) or not border.can_read(value):
        raise ValueError(
            f"{owner}: {name} must be an array, a list of numbers, a (nested) list, tuple or dict of arrays, or a "
            f"source of batches. Received: {border.shortened(value)} of type {type(value).__name__}."
            + (" Call the function to get its generator." if inspect.isfunction(value) else "")
        )
    array = border.to_numpy(value, owner, name)
    is_column = array.ndim == 1 and (comes_from(value, "pandas") or comes_from(value, "polars"))
    return array.reshape(-1, 1) if is_column else array


def named_leaves(data: Data, name: str) -> Iterator[tuple[str, Any]]:
    """Pairs of a readable name, such as `x["left"][0]`, and an array; None and processed text are omitted."""
    data = numbers_of(data)
    if isinstance(data, dict):
        for key, value in data.items():
            yield from named_leaves(value, f"{name}[{key!r}]")
    elif isinstance(data, (list, tuple)):
        for i, value in enumerate(data):
            yield from named_leaves(value, f"{name}[{i}]")
    elif data is not None:
        yield name, data


def common_length(x: Data, y: Data, sample_weight: Data, owner: str, advice: str = _MISSING_ROWS) -> int:
    """The number of samples, which must be equal for all arrays and at least one; `advice` ends the error."""
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    lengths = {key: leaf.shape[0] for name, part in parts.items() for key, leaf in named_leaves(part, name)}
    if not lengths:
        raise ValueError(f"{owner}: x is empty: it contains no arrays.")
    if len(set(lengths.values())) > 1:
        few = [f"{name}: {length}" for name, length in list(lengths.items())[:_MOST_LISTED]]
        more = f", and so on, {len(lengths)} arrays in all" if len(lengths) > len(few) else ""
        raise ValueError(
            f"{owner}: all arrays must have the same number of samples. Received: {', '.join(few)}{more}."
            + (_about_lists(parts) or advice)
        )
    length = next(iter(lengths.values()))
    if length == 0:
        raise ValueError(
            f"{owner}: the dataset is empty: {', '.join(lengths)} {'has' if len(lengths) == 1 else 'have'} 0 samples."
        )
    return length


def _about_lists(parts: dict[str, object]) -> str:
    """What to do about a list of rows, which is interpreted as one input per row."""
    for name, part in parts.items():
        if isinstance(part, (list, tuple)) and len(part) > 1:
            shapes = {np.shape(item) for item in part}
            if len(shapes) == 1 and not isinstance(part[0], (list, tuple, dict)):
                return (
                    f" A list of arrays means {len(part)} {'outputs' if name == 'y' else 'inputs'} of the model. If "
                    f"they are the rows of one array, pass np.stack({name})."
                )
    return ""


def convert_weights(sample_weight: Data, owner: str) -> Nested:
    """Sample weights as floats; a table with one column counts as one weight per sample."""
    weights = convert(sample_weight, "sample_weight", owner)
    return _map(weights, lambda leaf: leaf.astype(settings.floatx(), copy=False).reshape(_without_column(leaf.shape)))


def _without_column(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] if shape[1:] == (1,) else shape


def _map(data: Data, function: AnyFunction) -> Nested:
    if isinstance(data, dict):
        return {key: _map(value, function) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(_map(value, function) for value in data)
    return None if data is None else function(data)


def take(data: Data, rows: slice | np.ndarray) -> Nested:
    """The selected rows of every array in a tree; sparse matrices become dense here."""
    return _map(data, lambda leaf: leaf[rows].toarray() if is_sparse(leaf) else leaf[rows])
