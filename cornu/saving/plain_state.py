"""Saving and loading of plain data with arrays (dictionaries, lists, tuples, numbers, strings, bytes, None) as `.npz`.

The arrays are members of the file; everything else is JSON, which records where each array belongs. Floats without a
NumPy dtype (bfloat16, float8) are stored as the integers of their bits. Types that JSON lacks become a dictionary with
one key: a tuple is `{"__tuple__": [...]}`, a dictionary with non-string keys is `{"__items__": [[key, value]]}`, and a
PyTorch tensor, which the states of its loaders contain, is `{"__torch__": array}`.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import ml_dtypes
import numpy as np

from cornu.core import border
from cornu.core.typing import AnyList, ConfigDict
from cornu.errors import DamagedFileError
from cornu.saving import atomic, plain_npz

_STRUCTURE = "structure"
_ARRAY, _TUPLE, _BYTES, _ITEMS, _TORCH = _TAGS = "__array__", "__tuple__", "__bytes__", "__items__", "__torch__"


class Packed(NamedTuple):
    """A snapshot of a state, ready to be written.

    Attributes:
        text: its structure, as JSON.
        arrays: its arrays: JAX arrays, which are immutable, and copies of NumPy arrays.
    """

    text: str
    arrays: list[np.ndarray | jax.Array]


def packed(state: object) -> Packed:
    """A snapshot of a state, unaffected by later changes to the objects in it.

    Raises:
        TypeError: if it contains anything other than plain data.
    """
    arrays: list[np.ndarray | jax.Array] = []
    return Packed(json.dumps(_flat(state, arrays, "state")), arrays)


def save(path: str | os.PathLike[str], state: Packed) -> None:
    """Write a state to a file atomically."""
    members = {str(index): _bits(np.asarray(array)) for index, array in enumerate(state.arrays)}
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **{_STRUCTURE: np.frombuffer(state.text.encode(), np.uint8)}, **members)


def load(path: str | os.PathLike[str]) -> Any:
    """Load the state in a file.

    Raises:
        DamagedFileError: if the file was not written by `save`, or is incomplete.
    """
    name = Path(path).name
    members = plain_npz.load(path)
    try:
        return _nested(json.loads(members.pop(_STRUCTURE).tobytes()), members)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"{name} is damaged, or is not a backup: {error!r}.") from None


def _flat(value: object, arrays: list[np.ndarray | jax.Array], where: str) -> float | str | ConfigDict | AnyList | None:
    """`value` as JSON-serializable data; its arrays are added to `arrays`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        items = [(key, _flat(item, arrays, f"{where}[{key!r}]")) for key, item in value.items()]
        if all(isinstance(key, str) and key not in _TAGS for key in value):
            return dict(items)
        return {_ITEMS: [[_flat(key, arrays, f"a key of {where}"), item] for key, item in items]}
    if isinstance(value, (list, tuple)):
        parts = [_flat(item, arrays, f"{where}[{index}]") for index, item in enumerate(value)]
        return {_TUPLE: parts} if isinstance(value, tuple) else parts
    if isinstance(value, bytes):
        return {_BYTES: value.hex()}
    if border.comes_from(value, "torch") and hasattr(value, "numpy"):
        return {_TORCH: _flat(border.to_numpy(value, "BackupAndRestore", where), arrays, where)}
    if not isinstance(value, (np.ndarray, np.generic, jax.Array)):
        raise TypeError(f"{where} must be plain data or an array. Received: {value!r} of type {type(value).__name__}.")
    arrays.append(value if isinstance(value, jax.Array) else np.array(value))
    return {_ARRAY: [len(arrays) - 1, value.dtype.name]}


def _bits(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind in "biufc" else array.view(f"u{array.dtype.itemsize}")


def _nested(value: object, members: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_nested(item, members) for item in value]
    if not isinstance(value, dict):
        return value
    if _TUPLE in value:
        return tuple(_nested(item, members) for item in value[_TUPLE])
    if _BYTES in value:
        return bytes.fromhex(value[_BYTES])
    if _TORCH in value:
        array, torch = _nested(value[_TORCH], members), sys.modules.get("torch")
        return array if torch is None else torch.tensor(array)
    if _ITEMS in value:
        return {_nested(key, members): _nested(item, members) for key, item in value[_ITEMS]}
    if _ARRAY not in value:
        return {key: _nested(item, members) for key, item in value.items()}
    index, dtype = value[_ARRAY]
    return members[str(index)].view(getattr(ml_dtypes, dtype, dtype))
