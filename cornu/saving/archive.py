"""The `.keras` file: a zip archive of `metadata.json`, `config.json` and `model.weights.h5`, as Keras 3 writes it."""

from __future__ import annotations

import datetime
import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cornu import late
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.saving import legacy_h5, weights_h5
from cornu.saving.atomic import replacing

h5py = late.module("h5py")

_FORMAT = "3.15.1"  # the Keras release whose form the files have
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MOST_JSON = 256 * 2**20  # bytes of JSON that a reader takes


def save_model(model: Any, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None) -> None:
    """Write a model with its weights, compile arguments and optimizer state.

    Args:
        model: the model.
        filepath: name ending in `.keras`.
        overwrite: whether a file of this name may be replaced; the old one stays until the new one is whole.
        zipped: must not be False: the archive is one file.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        cornu.models.save_model(model, "model.keras")
        same = cornu.models.load_model("model.keras")
    """
    if zipped is False:
        raise ValueError("save_model: a .keras file is one zip archive; zipped=False is not offered.")
    path = weights_h5.check_target(filepath, ".keras", overwrite)
    config = json.dumps(serialize_keras_object(model))
    saved = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_METADATA, json.dumps({"keras_version": _FORMAT, "date_saved": saved}))
        archive.writestr(_CONFIG, config)
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            weights_h5.write(model, file)
        archive.writestr(_WEIGHTS, buffer.getbuffer())


def load_model(
    filepath: str | os.PathLike,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that `save_model` wrote.

    Args:
        filepath: a `.keras` file.
        custom_objects: dictionary from name to the classes and functions of one's own that the file names.
        compile: whether the model is compiled as it was, with its optimizer's state.
        safe_mode: while True, nothing that would run code from the file is read.

    Raises:
        ValueError: when the file is no model, names unknown classes, or lacks weights.
    """
    path = _existing(filepath)
    with _archive(path) as archive:
        config = _read_json(archive, _CONFIG)
        if not compile:
            config.pop("compile_config", None)
        model = deserialize_keras_object(config, custom_objects, safe_mode=safe_mode)
        if not hasattr(model, "get_compile_config"):
            raise ValueError(f"{path!r} holds a {type(model).__name__}, which is no model.")
        with _weights(archive) as file:
            weights_h5.read(model, file)
    return model


def _existing(filepath: str | os.PathLike) -> str:
    path = os.fsdecode(filepath)
    if not os.path.exists(path):
        raise ValueError(f"There is no file {path!r}.")
    return path


@contextmanager
def _archive(path: str) -> Iterator[zipfile.ZipFile]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path!r} is no .keras file: it is not a zip archive, or it is cut short.")
    with zipfile.ZipFile(path) as archive:
        yield archive


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{archive.filename!r} is no .keras file: it has no {name}.") from None


def _read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    member = _member(archive, name)
    if member.file_size > _MOST_JSON:
        raise ValueError(f"{name} in {archive.filename!r} claims {member.file_size} bytes, which no config needs.")
    try:
        config = json.loads(archive.read(member))
    except (UnicodeDecodeError, json.JSONDecodeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{name} in {archive.filename!r} is damaged: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{name} in {archive.filename!r} holds no config, but a {type(config).__name__}.")
    return config


@contextmanager
def _weights(archive: zipfile.ZipFile) -> Iterator[h5py.File]:
    member = _member(archive, _WEIGHTS)
    try:
        content = io.BytesIO(archive.read(member))
    except zipfile.BadZipFile as error:
        raise ValueError(f"{_WEIGHTS} in {archive.filename!r} is damaged: {error}") from error
    with _h5(content, f"{_WEIGHTS} in {archive.filename!r}") as file:
        yield file


@contextmanager
def _h5(source: Any, name: str) -> Iterator[h5py.File]:
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise ValueError(f"{name} is damaged, or is no HDF5 file: {error}") from error
    with file:
        yield file


def save_weights(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None
) -> None:
    """Write a model's weights alone.

    Args:
        model: the model.
        filepath: name ending in `.weights.h5`.
        overwrite: whether a file of this name may be replaced.
        max_shard_size: must be None: the weights are one file.
    """
    if max_shard_size is not None:
        raise ValueError("save_weights: weights are written as one file; max_shard_size must be None.")
    path = weights_h5.check_target(filepath, ".weights.h5", overwrite)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        weights_h5.write(model, file)


def load_weights(model: Any, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Give a built model the weights of a `.weights.h5`, `.keras` or older `.h5` file.

    Args:
        model: the model, built.
        filepath: the file.
        skip_mismatch: whether parts whose weights do not fit are left as they are, with a warning.
        kwargs: `by_name=True`, for older `.h5` files alone, matches layers by name instead of by order.
    """
    by_name = kwargs.pop("by_name", False)
    if kwargs:
        raise ValueError(f"load_weights: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    path = _existing(filepath)
    if by_name and not path.endswith(".h5"):
        raise ValueError(f"load_weights: by_name is for older .h5 files, which name their layers. Received: {path!r}.")
    if path.endswith(".keras"):
        with _archive(path) as archive, _weights(archive) as file:
            skipped = weights_h5.read(model, file, skip_mismatch)
    elif path.endswith(".h5"):
        with _h5(path, repr(path)) as file:
            skipped = _read_h5(model, file, skip_mismatch, by_name)
    else:
        raise ValueError(f"load_weights reads .weights.h5, .keras and .h5 files. Received: {path!r}.")
    for line in skipped:
        warnings.warn(f"load_weights: skipped. {line}", stacklevel=2)


def _read_h5(model: Any, file: h5py.File, skip_mismatch: bool, by_name: bool) -> list[str]:
    if legacy_h5.is_legacy(file):
        return legacy_h5.read(model, file, skip_mismatch, by_name)
    if by_name:
        raise ValueError(f"load_weights: by_name is for older files; {file.filename!r} does not name its layers.")
    return weights_h5.read(model, file, skip_mismatch)
