"""The `.keras` file: a zip archive of `metadata.json`, `config.json`, `model.weights.h5` and `assets/`, as in Keras 3.

The same members may lie in a folder. Assets are the files of layers that keep such, a vocabulary for instance, each in
the folder of the layer's own path below `assets/`.
"""

from __future__ import annotations

import datetime
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cornu import late
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.saving import plain_h5, weights_h5
from cornu.saving.atomic import replacing, replacing_folder
from cornu.saving.options import LoadOptions

h5py = late.module("h5py")

_FORMAT = "3.15.1"  # the Keras release whose form the files have
_CONFIG, _METADATA, _WEIGHTS, _ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
_MOST_JSON = 256 * 2**20  # bytes of JSON that a reader takes


def save_model(model: Any, path: str) -> None:
    """Write the model as one zip file."""
    texts = _texts(model)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            weights_h5.write(model, file)
        archive.writestr(_WEIGHTS, buffer.getbuffer())
        with tempfile.TemporaryDirectory() as folder:
            for asset in _write_assets(model, Path(folder)):
                archive.write(Path(folder) / asset, asset)


def save_folder(model: Any, path: str) -> None:
    """Write the members of the archive into a folder."""
    texts = _texts(model)
    with replacing_folder(path) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text)
        with h5py.File(folder / _WEIGHTS, "w") as file:
            weights_h5.write(model, file)
        _write_assets(model, folder)


def load_model(path: str, options: LoadOptions) -> Any:
    """The model of an archive."""
    with _Zip(path) as members:
        return _model(members, options)


def load_folder(path: str, options: LoadOptions) -> Any:
    """The model of a folder."""
    return _model(_Folder(path), options)


def load_weights(model: Any, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Give the model the archive's weights."""
    weights_h5.refuse_by_name(path, by_name)
    with _Zip(path) as members, members.weights() as file:
        return weights_h5.read(model, file, skip_mismatch)


def _texts(model: Any) -> dict[str, str]:
    saved = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    return {
        _METADATA: json.dumps({"keras_version": _FORMAT, "date_saved": saved}),
        _CONFIG: json.dumps(serialize_keras_object(model)),
    }


def _model(members: _Zip | _Folder, options: LoadOptions) -> Any:
    config = members.json(_CONFIG)
    if not options.compile:
        config.pop("compile_config", None)
    model = deserialize_keras_object(config, options.custom_objects, safe_mode=options.safe_mode)
    if not hasattr(model, "get_compile_config"):
        raise ValueError(f"{members.path!r} holds a {type(model).__name__}, which is no model.")
    _read_assets(model, members)
    with members.weights() as file:
        weights_h5.read(model, file)
    return model


# ---------------------------------------------------------------- assets


def _write_assets(model: Any, folder: Path) -> list[str]:
    """Let each part that keeps files write them below `folder`; their names there."""
    for path, part in weights_h5.parts(model):
        if hasattr(part, "save_assets"):
            own = folder / _ASSETS / path
            own.mkdir(parents=True, exist_ok=True)
            part.save_assets(str(own))
    return sorted(str(file.relative_to(folder)) for file in folder.glob(f"{_ASSETS}/**/*") if file.is_file())


def _read_assets(model: Any, members: _Zip | _Folder) -> None:
    """Give each part that keeps files a folder with its own ones, and nothing else."""
    for path, part in weights_h5.parts(model):
        if not hasattr(part, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in members.files(f"{_ASSETS}/{path}"):
                (Path(folder) / name).write_bytes(content)
            part.load_assets(folder)


# ---------------------------------------------------------------- where the members are


class _Zip:
    """The members of an archive."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self) -> _Zip:
        if not zipfile.is_zipfile(self.path):
            raise ValueError(f"{self.path!r} is no .keras file: it is not a zip archive, or it is cut short.")
        self._archive = zipfile.ZipFile(self.path)
        return self

    def __exit__(self, *details: Any) -> None:
        self._archive.close()

    def json(self, name: str) -> dict[str, Any]:
        member = self._member(name)
        _check_size(member.file_size, name, self.path)
        return _parsed(self._read(member), name, self.path)

    @contextmanager
    def weights(self) -> Iterator[h5py.File]:
        content = io.BytesIO(self._read(self._member(_WEIGHTS)))
        with plain_h5.opened(content, f"{_WEIGHTS} in {self.path!r}") as file:
            yield file

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files that lie in `folder` itself."""
        for member in self._archive.infolist():
            place, _, name = member.filename.rpartition("/")
            if place == folder and name:
                yield name, self._read(member)

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._archive.getinfo(name)
        except KeyError:
            raise ValueError(f"{self.path!r} is no .keras file: it has no {name}.") from None

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        try:
            return self._archive.read(member)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{member.filename} in {self.path!r} is damaged: {error}") from error


class _Folder:
    """The members in a folder."""

    def __init__(self, path: str):
        self.path = path

    def json(self, name: str) -> dict[str, Any]:
        file = self._file(name)
        _check_size(file.stat().st_size, name, self.path)
        return _parsed(file.read_bytes(), name, self.path)

    @contextmanager
    def weights(self) -> Iterator[h5py.File]:
        with plain_h5.opened(self._file(_WEIGHTS), f"{_WEIGHTS} in {self.path!r}") as file:
            yield file

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files that lie in `folder` itself."""
        place = Path(self.path) / folder
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            yield file.name, self._file(f"{folder}/{file.name}").read_bytes()

    def _file(self, name: str) -> Path:
        file = Path(self.path) / name
        if not file.is_file() or file.is_symlink():
            raise ValueError(f"{self.path!r} is no folder of a model: it has no plain file {name}.")
        return file


def _check_size(size: int, name: str, path: str) -> None:
    if size > _MOST_JSON:
        raise ValueError(f"{name} in {path!r} claims {size} bytes, which no config needs.")


def _parsed(text: bytes, name: str, path: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{name} in {path!r} is damaged: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{name} in {path!r} holds no config, but a {type(config).__name__}.")
    return config
