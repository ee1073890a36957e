"""Weights in the safetensors format: the length of a header, the header in JSON, and the raw data.

The header lists each tensor with its dtype, shape and offsets; the offsets cover the rest of the file once, without
gaps. A file contains no information about layers, so the names carry the meaning: `dense/kernel` is the weight `kernel`
of the layer `dense`, and a nested layer's name precedes its parts. `name_map` translates other naming schemes.

The file is memory-mapped, and the data is copied one tensor at a time. Format: https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import border, budget, parts
from cornu.core.operation import snake_case
from cornu.core.typing import Config, ConfigDict, Tensor
from cornu.core.variable import Variable
from cornu.errors import DamagedFileError, WeightsMismatchError
from cornu.saving import plain_json, weights_h5
from cornu.saving.atomic import replacing

Translation = str | None | tuple[str, Callable[[Any], Any]]  # a name, none, or a name and a function of the array
NameMap = Mapping[str, Translation] | Callable[[str], Translation]

_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16, "F8_E4M3": jnp.float8_e4m3fn,
    "F8_E5M2": jnp.float8_e5m2, "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64,
    "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_, "C64": np.complex64,
}  # fmt: skip
_DTYPES = {name: np.dtype(kind).newbyteorder("<") for name, kind in _DTYPES.items()}
_CODES = {dtype.name: name for name, dtype in _DTYPES.items()}
_MOST_HEADER = 100_000_000  # bytes
_MOST_DIMENSIONS = 32
_MOST_VALUES = 2**59
_MOST_LISTED = 40  # names in a message
_ALIGNMENT = 8  # bytes: the data offset is a multiple of this
_METADATA = "__metadata__"


# ---------------------------------------------------------------- models


def save_weights(
    model: object, path: str, *, metadata: Mapping[str, str] | None = None, name_map: NameMap | None = None
) -> None:
    """Write the weights of a model, without its optimizer.

    Args:
        model: the model.
        path: the file.
        metadata: strings by name, stored in the file header.
        name_map: from the model's names to the file's, the inverse of that of `load_weights`.
    """
    named = _translated(_named_weights(model), name_map, "save_weights")
    write(path, named, {"format": "cornu", **(metadata or {})})


def load_weights(
    model: object, path: str, skip_mismatch: bool, by_name: bool, *, name_map: NameMap | None = None
) -> list[str]:
    """Load the weights of a file into a model; returns a line for each that was skipped.

    Everything is checked before the first weight changes.

    Args:
        model: a built model.
        path: the file.
        skip_mismatch: whether to skip weights that do not match, or are only in the file or only in the model.
        by_name: must be False: weights are always matched by name here.
        name_map: from the file's names to the model's: a dictionary, whose missing names stay unchanged, or a function
            of the name. It returns the name in the model, None to ignore the array, or a pair of the name and a
            function to apply to the array.
    """
    weights_h5.refuse_by_name(path, by_name)
    stored = _translated(read(path), name_map, "load_weights")
    wanted = _named_weights(model)
    problems = [problem for name in wanted if name in stored and (problem := _problem(name, wanted, stored))]
    if wanted.keys() != stored.keys():
        problems.append(_differing(model, wanted, stored))
    if problems and not skip_mismatch:
        raise WeightsMismatchError(
            f"{validate.describe(model)}: {' '.join(problems)} Nothing was changed. Translate names with name_map, or "
            "pass skip_mismatch=True to skip such weights."
        )
    for name, variable in wanted.items():
        if name in stored and not _problem(name, wanted, stored):
            variable.assign(np.array(stored[name]))  # a copy, since JAX may keep the buffer, and the file may change
    return problems


def _translated(named: Config, name_map: NameMap | None, owner: str) -> ConfigDict:
    """The arrays under the names given by `name_map`."""
    if name_map is None:
        return dict(named)
    translate = (lambda name: name_map.get(name, name)) if isinstance(name_map, Mapping) else name_map
    found: ConfigDict = {}
    for old, value in named.items():
        given = translate(old)
        if given is None:
            continue
        new, function = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
        if not isinstance(new, str) or (function is not None and not callable(function)):
            raise ValueError(
                f"{owner}: name_map must return a name, None, or a pair of a name and a function. "
                f"Received: {validate.shown(given)} for {validate.shown(old)}."
            )
        if new in found:
            raise ValueError(f"{owner}: name_map returned the name {new!r} twice, the second time for {old!r}.")
        found[new] = value if function is None else np.asarray(function(border.fetched(value)))
    return found


def _problem(name: str, wanted: Mapping[str, Variable], stored: Mapping[str, np.ndarray]) -> str | None:
    """Why an array does not match a weight, or None."""
    variable, array = wanted[name], stored[name]
    if tuple(array.shape) != tuple(variable.shape):
        return f"The weight {name!r} has shape {tuple(variable.shape)}, but in the file {tuple(array.shape)}."
    if _kind(array.dtype) != _kind(jnp.dtype(variable.dtype)):
        return f"The weight {name!r} has dtype {variable.dtype}, but in the file {array.dtype.name}."
    return None


def _kind(dtype: np.dtype) -> str:
    kinds = {"numbers with a fraction": jnp.floating, "whole numbers": jnp.integer}
    return next((kind for kind, of in kinds.items() if jnp.issubdtype(dtype, of)), dtype.name)


def _differing(model: object, wanted: Iterable[str], stored: Iterable[str]) -> str:
    """The names that only the file or only the model has."""
    alone = [name for name in stored if name not in wanted], [name for name in wanted if name not in stored]
    in_file, in_model = alone
    texts = [f"Only the file has {_listed(in_file, in_model)}."] if in_file else []
    texts += [f"Only the model has {_listed(in_model, ())}."] if in_model else []
    texts += [] if getattr(model, "built", True) else ["The model is not built yet: call it on data first."]
    return " ".join(texts)


def _listed(names: list[str], others: Iterable[str]) -> str:
    """Names, each with the closest match among the others; only the first if there are many."""
    shown = [repr(name) + _hint(name, others) for name in names[:_MOST_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else "")


def _hint(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[-200:], list(names)[:1000], n=1, cutoff=0.5)
    return f" (is it {close[0]!r}?)" if close else ""


# ---------------------------------------------------------------- names


def _named_weights(model: Any) -> dict[str, Variable]:
    """The weights of a model, each under one name, which does not depend on how many layers were created before."""
    weights = {id(variable): variable for variable in model.weights}
    found: dict[str, Variable] = {}
    for path, part in parts.walk(model, _NAMING):
        for variable in part._own_variables():
            if weights.pop(id(variable), None) is not None:
                found[_free(f"{path}/{variable.name}" if path else variable.name, found)] = variable
    for variable in weights.values():
        found[_free(variable.path, found)] = variable
    return found


def _free(name: str, taken: Iterable[str]) -> str:
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _has_weights(value: object) -> bool:
    return parts.keeps_variables(value) and hasattr(value, "_own_variables")


def _attributes(part: object) -> parts.Named:
    """The attributes of a part; a model's layers come last, under their own names."""
    if not hasattr(part, "_graph"):
        return parts.attributes(part)
    attributes = dict(parts.attributes(part))
    layers = attributes.pop("layers")
    return [*attributes.items(), *_items(layers)]


def _items(container: object) -> parts.Named:
    """The items of a list or dictionary, named by key, by their own name, or, if unnamed, by class."""
    if isinstance(container, dict):
        return [(str(key), item) for key, item in container.items()]
    used: dict[str, int] = {}
    found = []
    for index, item in enumerate(parts.contents(container)):
        kind = snake_case(type(item).__name__)
        name = str(getattr(item, "name", index))
        if re.fullmatch(rf"{kind}(_\d+)?", name):
            count = used[kind] = used.get(kind, -1) + 1
            name = f"{kind}_{count}" if count else kind
        found.append((name, item))
    return found


_NAMING = parts.Naming(_has_weights, _attributes, _items)


# ---------------------------------------------------------------- the file


class Place(NamedTuple):
    """The location of a tensor in a file, from `begin` to `end` relative to the end of the header."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def write(path: str, arrays: Config, metadata: Mapping[str, str]) -> None:
    """Write arrays, one at a time, those with the widest dtype first.

    Args:
        path: the file.
        arrays: variables or arrays by name.
        metadata: strings by name.
    """
    for name, text in metadata.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(
                f"save_weights: metadata must be strings by name. "
                f"Received: {validate.shown(name)}: {validate.shown(text)}."
            )
    if _METADATA in arrays:
        raise ValueError(f"save_weights: no weight may have the name {_METADATA!r}.")
    names = sorted(arrays, key=lambda name: -_dtype(name, arrays[name]).itemsize)
    header = _header({name: arrays[name] for name in names}, metadata)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name in names:
            array = border.fetched(arrays[name]).astype(_dtype(name, arrays[name]), copy=False)
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _header(arrays: Config, metadata: Mapping[str, str]) -> bytes:
    entries: ConfigDict = {_METADATA: dict(metadata)}
    end = 0
    for name, array in arrays.items():
        dtype, shape, begin = _dtype(name, array), list(array.shape), end
        end += dtype.itemsize * math.prod(shape)
        entries[name] = {"dtype": _CODES[dtype.name], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % _ALIGNMENT)


def _dtype(name: str, array: Tensor) -> np.dtype:
    found = jnp.dtype(array.dtype).name
    if found not in _CODES:
        raise ValueError(f"save_weights: safetensors does not support {found}, the dtype of {name!r}.")
    return _DTYPES[_CODES[found]]


def read(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file by name: lazily read views of the file.

    Raises:
        ValueError: if the file violates the format.
    """
    if not os.path.isfile(path) or os.path.getsize(path) < 8:
        raise DamagedFileError(f"{path!r} is not a safetensors file: it is truncated.")
    content = np.memmap(path, np.uint8, "r")
    budget.opened(len(content))
    length = int.from_bytes(content[:8].tobytes(), "little")
    if length > min(_MOST_HEADER, len(content) - 8):
        raise DamagedFileError(f"{path!r} is not a safetensors file: it claims a header of {length} bytes.")
    entries = plain_json.parsed(content[8 : 8 + length].tobytes(), f"The header of {path!r}")
    _check_metadata(entries.pop(_METADATA, {}), path)
    places = sorted((_place(name, entry, path) for name, entry in entries.items()), key=lambda p: (p.begin, p.end))
    arrays = content[8 + length :]
    _check_cover(places, len(arrays), path)
    found = {place.name: _view(arrays, place) for place in places}
    return {name: found[name] for name in entries}


def _check_metadata(metadata: object, path: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise DamagedFileError(f"The header of {path!r} is damaged: its metadata must be strings by name.")


def _place(name: str, entry: object, path: str) -> Place:
    """Parse and check one entry of the header."""
    damaged = f"The header of {path!r} is damaged: the tensor {name!r}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise DamagedFileError(f"{damaged} must have a dtype, a shape and data_offsets, and nothing else.")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise DamagedFileError(f"{damaged} has the unknown dtype {code!r}; known are {', '.join(_DTYPES)}.")
    if not _are_counts(shape) or len(shape) > _MOST_DIMENSIONS or not _are_counts(offsets) or len(offsets) != 2:
        raise DamagedFileError(
            f"{damaged} does not have a valid shape of up to {_MOST_DIMENSIONS} dimensions, or valid data_offsets."
        )
    if math.prod(max(size, 1) for size in shape) >= _MOST_VALUES:
        raise DamagedFileError(f"{damaged} has the impossible shape {shape}.")
    begin, end = offsets
    if end - begin != _DTYPES[code].itemsize * math.prod(shape):
        raise DamagedFileError(
            f"{damaged} of shape {shape} and dtype {code} does not match its data_offsets {offsets}."
        )
    return Place(name, _DTYPES[code], tuple(shape), begin, end)


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _check_cover(places: list[Place], size: int, path: str) -> None:
    """Tensors must follow one another without gaps or overlaps, up to the end of the file."""
    end = 0
    for place in places:
        if place.begin != end:
            raise DamagedFileError(
                f"{path!r} is damaged: the tensor {place.name!r} starts at {place.begin}, not at {end}."
            )
        end = place.end
    if end != size:
        raise DamagedFileError(
            f"{path!r} is damaged: its tensors take {end} bytes, but the file has {size} bytes of data."
        )


def _view(content: np.ndarray, place: Place) -> np.ndarray:
    numbers = content[place.begin : place.end]
    if place.dtype == np.bool_:
        return (numbers != 0).reshape(place.shape)
    return numbers.view(place.dtype).reshape(place.shape)
