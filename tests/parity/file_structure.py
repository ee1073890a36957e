"""What stands in a file, without its numbers: so that one that cornu writes is held against one that Keras wrote."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py

OF_THE_WRITER = ("keras_version", "cornu_version", "date_saved", "backend", "shared_object_id")
SEEDS = {"seed_generator", "generator"}  # the groups of the states of generators


def structure(file: bytes | Path) -> Any:
    """The names in an archive, a folder, an HDF5 or JSON file: configs as they are, arrays by shape and dtype."""
    if isinstance(file, Path):
        if file.is_dir():
            return {str(inner.relative_to(file)): structure(inner) for inner in _files(file)}
        file = file.read_bytes()
    if file.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            return {name: structure(archive.read(name)) for name in sorted(archive.namelist())}
    if file.startswith(b"\x89HDF"):
        with h5py.File(io.BytesIO(file)) as opened:
            return _h5(opened)
    return _config(file)


def contents(path: Path) -> bytes | dict[str, bytes]:
    """A file's bytes, or those of each file in a folder: what an answer holds."""
    if path.is_dir():
        return {str(inner.relative_to(path)): inner.read_bytes() for inner in _files(path)}
    return path.read_bytes()


def put(stored: bytes | dict[str, bytes], path: Path) -> Path:
    """Write what `contents` read."""
    if isinstance(stored, dict):
        for name, inner in stored.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(inner)
    else:
        path.write_bytes(stored)
    return path


def _files(folder: Path) -> list[Path]:
    return sorted(inner for inner in folder.rglob("*") if inner.is_file())


def _h5(opened: h5py.File) -> dict:
    """Arrays and groups by their names, but for what both libraries may leave out or place as they like.

    These are groups with nothing in them, of layers without weights, and the states of seed generators.
    """
    found = {"/": _attributes(opened)}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = [list(item.shape), str(item.dtype), _attributes(item)]
        elif _holds_arrays(item):
            found[name] = [_attributes(item)]

    opened.visititems(visit)
    return {name: told for name, told in found.items() if not set(name.split("/")) & SEEDS}


def _holds_arrays(group: h5py.Group) -> bool:
    parts = [part for name, part in group.items() if name not in SEEDS]
    return any(isinstance(part, h5py.Dataset) or _holds_arrays(part) for part in parts)


def _attributes(item: Any) -> dict:
    return {name: _attribute(item.attrs[name]) for name in sorted(item.attrs) if name not in OF_THE_WRITER}


def _attribute(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    value = value.decode() if isinstance(value, bytes) else value
    if isinstance(value, str) and value.startswith("{"):
        return _config(value)
    return [x.decode() if isinstance(x, bytes) else x for x in value] if isinstance(value, list) else value


def _config(text: str | bytes) -> Any:
    """A config, with the six digits of 32-bit numbers."""
    return _without_writer(json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}")))


def _without_writer(x: Any) -> Any:
    if isinstance(x, list):
        return [_without_writer(value) for value in x]
    if isinstance(x, dict):
        return {key: _without_writer(value) for key, value in x.items() if key not in OF_THE_WRITER}
    return x
