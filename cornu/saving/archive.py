"""The `.keras` file: a zip archive of `metadata.json`, `config.json` and `model.weights.h5`, as Keras 3 writes it."""

import datetime
import io
import json
import os
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import h5py

from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.saving import weights_h5
from cornu.saving.atomic import replacing

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
    path = os.fspath(filepath)
    if not os.path.exists(path):
        raise ValueError(f"There is no file {path!r}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path!r} is no .keras file: it is not a zip archive.")
    with zipfile.ZipFile(path) as archive:
        config = _read_json(archive, _CONFIG, path)
        if not compile:
            config.pop("compile_config", None)
        model = deserialize_keras_object(config, custom_objects, safe_mode=safe_mode)
        with archive.open(_WEIGHTS) as member, h5py.File(io.BytesIO(member.read()), "r") as file:
            weights_h5.read(model, file)
    return model


def _read_json(archive: zipfile.ZipFile, name: str, path: str) -> dict[str, Any]:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{path!r} is no .keras file: it has no {name}.") from None
    if member.file_size > _MOST_JSON:
        raise ValueError(f"{name} in {path!r} claims {member.file_size} bytes, which no config needs.")
    return json.loads(archive.read(member))


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
    """Give a built model the weights of a `.weights.h5` or `.keras` file.

    Args:
        model: the model, built.
        filepath: the file.
        skip_mismatch: whether parts whose weights do not fit are left as they are, with a warning.
    """
    if kwargs:
        raise ValueError(f"load_weights: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    path = os.fspath(filepath)
    if not os.path.exists(path):
        raise ValueError(f"There is no file {path!r}.")
    if path.endswith(".keras"):
        with zipfile.ZipFile(path) as archive, archive.open(_WEIGHTS) as member:
            _load(model, io.BytesIO(member.read()), skip_mismatch)
    elif path.endswith(".h5"):
        _load(model, path, skip_mismatch)
    else:
        raise ValueError(f"load_weights reads .weights.h5 and .keras files. Received: {path!r}.")


def _load(model: Any, source: Any, skip_mismatch: bool) -> None:
    with h5py.File(source, "r") as file:
        skipped = weights_h5.read(model, file, skip_mismatch)
    for line in skipped:
        warnings.warn(f"load_weights: skipped. {line}", stacklevel=3)
