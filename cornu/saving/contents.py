"""The contents of a file: metadata, config, arrays and assets, listed without reading any weight values.

The file type is detected from its first bytes, not its name, so that a misnamed or damaged file can be described too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cornu import lazy
from cornu.core import context, parts
from cornu.core.allocation import ShapesAlone
from cornu.core.typing import ConfigDict, Shape
from cornu.optimizers import Optimizer
from cornu.saving import archive, legacy_config, legacy_h5, plain_h5, plain_json, safetensors, shards, weights_h5

if TYPE_CHECKING:
    import h5py

    from cornu.models.model import Model
else:
    h5py = lazy.module("h5py")

_ZIP = b"PK"
_TRAINING = "compile_config"
_MOST_SHAPES = 4  # per line
# The file extensions that `load_weights` reads.
_ENDINGS = {
    "safetensors": (".safetensors",),
    "sharded_weights": (".weights.json",),
    "weights_h5": (".weights.h5", ".h5", ".hdf5"),
    "weights_of_layers_h5": (".h5", ".hdf5"),
}


class Finding(NamedTuple):
    """One finding about loading a file.

    `kind` is "maps", "changes", "ignores", "misses", "refuses" or "note"; `where` is a path in the file or the name of
    a class; `stops` says whether it makes the load fail.
    """

    kind: str
    where: str
    what: str
    stops: bool = False


class StoredArray(NamedTuple):
    """An array in a file; `bytes` is its size in memory."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass
class Contents:
    """The contents of a file. `fit(model)` compares the arrays with a model's weights."""

    format: str = "unknown"
    metadata: ConfigDict = field(default_factory=dict)
    config: ConfigDict | None = None
    arrays: list[StoredArray] = field(default_factory=list)
    assets: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    doubts: list[Finding] = field(default_factory=list)  # problems that stop a load only if it reaches them
    layer_sizes: dict[str, int] = field(default_factory=dict)  # number of elements stored per layer, by name
    fit: Callable[[Any], list[Finding]] = lambda model: []


@contextmanager
def opened(path: str) -> Iterator[Contents]:
    """The contents of a file or directory.

    Raises:
        ValueError: if it is damaged, or of unknown type.
    """
    with _kind(path)(path) as contents:
        endings = _ENDINGS.get(contents.format)
        if endings and not path.endswith(endings):
            text = f"The name of such a file must end with {' or '.join(map(repr, endings))} for it to be read."
            contents.findings.append(Finding("refuses", path, text, stops=True))
        yield contents


def _kind(path: str) -> Callable[[str], Any]:
    if os.path.isdir(path):
        return _folder
    for ending, kind in _BY_ENDING.items():
        if path.endswith(ending):
            return kind
    with open(path, "rb") as file:
        start = file.read(len(plain_h5.SIGNATURE))
    if start == plain_h5.SIGNATURE:
        return _hdf5
    if start.startswith(_ZIP):
        return _zip
    raise ValueError(
        f"{path!r} contains neither a model nor weights: it starts neither like a zip archive nor like an HDF5 file."
    )


# ---------------------------------------------------------------- .keras


@contextmanager
def _zip(path: str) -> Iterator[Contents]:
    with archive.opened(path) as members, _archive(members, "keras") as contents:
        yield contents


@contextmanager
def _folder(path: str) -> Iterator[Contents]:
    with archive.opened(path) as members, _archive(members, "keras_folder") as contents:
        yield contents


@contextmanager
def _archive(members: Any, kind: str) -> Iterator[Contents]:
    contents = Contents(kind, config=members.json(archive.CONFIG))
    as_written = contents.config
    sizes = members.sizes()
    try:
        contents.metadata = members.json(archive.METADATA)
    except ValueError as error:  # not needed for loading
        contents.findings.append(Finding("note", archive.METADATA, str(error)))
    prefix = f"{archive.ASSETS}/"
    contents.assets = {name: size for name, size in sizes.items() if name.startswith(prefix)}
    known = {archive.CONFIG, archive.METADATA, archive.WEIGHTS, *contents.assets}
    contents.findings += [
        Finding("ignores", name, f"{size} bytes that do not belong to any part of a model")
        for name, size in sizes.items()
        if name not in known
    ]
    with members.weights() as file:
        _read_arrays(file, contents)
        contents.layer_sizes = _layer_sizes(file)
        contents.fit = lambda model: _fit(model, [file], as_written)
        yield contents


# ---------------------------------------------------------------- HDF5


@contextmanager
def _hdf5(path: str) -> Iterator[Contents]:
    with plain_h5.opened(path, repr(path)) as file:
        contents = Contents(_hdf5_kind(file))
        contents.metadata = {key: _text(file, key) for key in ("keras_version", "backend") if key in file.attrs}
        contents.config = _older_config(file) if contents.format == "model_h5" else None
        _read_arrays(file, contents)
        contents.fit = lambda model: _fit_layers(model, file)
        yield contents


@contextmanager
def _shards(path: str) -> Iterator[Contents]:
    with shards.opened(path) as files:
        contents = Contents("sharded_weights")
        for file in files:
            _read_arrays(file, contents)
        yield contents


def _hdf5_kind(file: h5py.File) -> str:
    if "model_config" in file.attrs:
        return "model_h5"
    return "weights_of_layers_h5" if legacy_h5.is_legacy(file) else "weights_h5"


def _older_config(file: h5py.File) -> ConfigDict:
    config = _parsed(file, "model_config")
    training = _parsed(file, "training_config") if "training_config" in file.attrs else {}
    optimizer = training.pop("optimizer_config", None)
    return config | {_TRAINING: {"optimizer": optimizer, **training} if training or optimizer else {}}


def _parsed(file: h5py.File, attribute: str) -> ConfigDict:
    return plain_json.parsed(_text(file, attribute).encode(), f"{attribute} in {file.filename!r}")


def _text(holder: object, attribute: str) -> str:
    value = plain_h5.attribute(holder, attribute)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _read_arrays(file: h5py.File, contents: Contents) -> None:
    """List the arrays, and the loader's error for those it refuses to read."""
    for path, group, name in _nodes(file):
        try:
            with context.scope(allocator=ShapesAlone()):
                data = plain_h5.dataset(group, name)
                array = plain_h5.array(data)
            dtype = _text(data, "dtype") if "dtype" in data.attrs else array.dtype.name
            contents.arrays.append(StoredArray(path, tuple(data.shape), dtype, array.nbytes))
        except ValueError as error:
            contents.doubts.append(Finding("refuses", path, str(error), stops=True))


def _nodes(file: h5py.File) -> Iterator[tuple[str, h5py.Group, str]]:
    """(path, parent, name) of everything that is not a group, including links; each group is visited once."""
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    seen: set[Any] = set()
    while waiting:
        path, group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        inner = []
        for name in sorted(
            (name for name in group if isinstance(name, str)), key=parts.in_order
        ):  # loading accepts no others
            where = f"{path}/{name}" if path else name
            plain_h5.entered(where.encode(errors="backslashreplace"))
            held = isinstance(group.get(name, getlink=True), h5py.HardLink)
            if held and isinstance(group[name], h5py.Group):
                inner.append((where, group[name]))
            else:
                yield where, group, name
        waiting += reversed(inner)


def _layer_sizes(file: h5py.File) -> dict[str, int]:
    """The number of elements in the file for each direct sublayer of the model."""
    found: dict[str, int] = {}
    layers = plain_h5.group(file, "layers")
    if layers is None:
        return found
    for name in layers:
        with suppress(ValueError, OSError, RuntimeError, KeyError):  # not needed for loading
            own = plain_h5.group(layers, f"{name}/vars")
            if own is not None and "name" in own.attrs:
                found[_text(own, "name")] = sum(_size(group[n]) for _, group, n in _nodes(layers[name]))
    return found


def _size(node: object) -> int:
    return int(node.size) if isinstance(node, h5py.Dataset) else 0


# ---------------------------------------------------------------- safetensors


@contextmanager
def _safetensors(path: str) -> Iterator[Contents]:
    found = safetensors.read(path)
    arrays = [StoredArray(name, array.shape, array.dtype.name, array.nbytes) for name, array in found.items()]
    yield Contents("safetensors", arrays=arrays)


_BY_ENDING: dict[str, Callable[[str], Any]] = {".safetensors": _safetensors, ".weights.json": _shards}


# ---------------------------------------------------------------- against a model


def _fit(model: object, files: Sequence[h5py.File], config: object) -> list[Finding]:
    """What the parts of a model need and the files lack, and vice versa."""
    found: list[Finding] = []
    stores = list(weights_h5.stores(model))
    groups = {path.rpartition("/")[0] for file in files for path, _, _ in _nodes(file)}
    held = weights_h5.places({path for path, _, _ in stores}, groups)
    unread = set(held)
    older = legacy_config.release_of(config) is not None
    for path, part, wanted in stores:
        unread.discard(path)
        if older and isinstance(part, Optimizer):  # its state is rearranged
            continue
        own = [group for file in files if (group := plain_h5.group(file, held.get(path, path))) is not None]
        stored = {key: getattr(group[key], "shape", None) for group in own for key in group}
        found += _differences(path, {key: np.shape(array) for key, array in wanted.items()}, stored)
    return found + [Finding("ignores", path, "arrays of no part of the model") for path in sorted(unread)]


def _fit_layers(model: Model, file: h5py.File) -> list[Finding]:
    """The same for the older layout, where layers with weights are matched by their order."""
    wanted = [layer.name for layer in model.layers if layer.weights]
    stored = _stored_layers(file)
    if len(wanted) != len(stored):
        found = [Finding("misses", n, "a layer with weights, only in the model") for n in wanted if n not in stored]
        return found + [Finding("ignores", n, "a layer only in the file") for n in stored if n not in wanted]
    pairs = zip(wanted, stored, strict=True)
    found = [Finding("maps", old, f'its weights go to the layer "{new}"') for new, old in pairs if new != old]
    return found + [Finding("misses", "", line) for line in legacy_h5.read(model, file, skip_mismatch=True)]


def _stored_layers(file: h5py.File) -> list[str]:
    """The layers of a file of the older layout that have weights."""
    root = plain_h5.group(file, legacy_h5.WEIGHTS) or file
    return [name for name in legacy_h5.names(root, "layer_names") if legacy_h5.names(root[name], "weight_names")]


def _differences(where: str, wanted: dict[str, Shape], stored: Mapping[str, Shape | None]) -> Iterator[Finding]:
    """The weights that one part of a model lacks, and those it does not have."""
    lacking = [shape for key, shape in wanted.items() if key not in stored]
    left = [shape for key, shape in stored.items() if key not in wanted]
    if lacking:
        yield Finding("misses", where, f"of shape {_listed(lacking)} in the model, not in the file")
    if left:
        yield Finding("ignores", where, f"of shape {_listed(left)} in the file, not in the model")
    for key, shape in wanted.items():
        if key in stored and stored[key] != shape:
            yield Finding(
                "misses", f"{where}/{key}", f"of shape {shape} in the model, of shape {stored[key]} in the file"
            )


def _listed(shapes: list[Shape] | list[Shape | None]) -> str:
    more = f" and {len(shapes) - _MOST_SHAPES} more" if len(shapes) > _MOST_SHAPES else ""
    return ", ".join(map(str, shapes[:_MOST_SHAPES])) + more
