"""The `.keras` file: a zip archive of `metadata.json`, `config.json`, `model.weights.h5` and `assets/`, as in Keras 3.

The same members may also be in a directory. Assets are the files of layers that need them, a vocabulary for instance,
each in a directory named after the layer's path below `assets/`.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cornu import lazy, registry
from cornu._version import __version__
from cornu.core import budget, context, parts
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import ConfigDict
from cornu.errors import DamagedFileError
from cornu.saving import legacy_arrays, legacy_config, legacy_training, plain_h5, plain_json, plain_zip, weights_h5
from cornu.saving.atomic import replacing, replacing_folder
from cornu.saving.options import LoadOptions

if TYPE_CHECKING:
    import h5py

    from cornu.layers.layer import Layer
    from cornu.models.model import Model
else:
    h5py = lazy.module("h5py")

_FORMAT = "3.15.1"  # the Keras release whose format the files follow
_LINE = 150  # bytes of memory that a table entry for one line of a file takes
CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"


def save_model(model: object, path: str, with_training: bool = True) -> None:
    """Write the model as a zip file."""
    texts = _texts(model, with_training)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        with plain_zip.written(archive, WEIGHTS) as place, plain_h5.created(*place) as file:
            weights_h5.write(model, file, with_training)
        with tempfile.TemporaryDirectory() as folder:
            for asset in _write_assets(model, Path(folder)):
                archive.write(Path(folder) / asset, asset)


def save_folder(model: object, path: str, with_training: bool = True) -> None:
    """Write the members of the archive into a directory."""
    texts = _texts(model, with_training)
    with replacing_folder(path) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text)
        with open(folder / WEIGHTS, "w+b") as place, plain_h5.created(place) as file:
            weights_h5.write(model, file, with_training)
        _write_assets(model, folder)


def load_model(path: str, options: LoadOptions) -> Layer:
    """Load the model of an archive."""
    with _Zip(path) as members:
        return _model(members, options)


def load_folder(path: str, options: LoadOptions) -> Layer:
    """Load the model of a directory."""
    return _model(_Folder(path), options)


def opened(path: str) -> AbstractContextManager[_Zip | _Folder]:
    """The members of an archive, or of a directory with the same layout."""
    return _Folder(path) if os.path.isdir(path) else _Zip(path)


def load_weights(model: object, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Load the archive's weights into the model."""
    weights_h5.refuse_by_name(path, by_name)
    with _Zip(path) as members, members.weights() as file:
        return weights_h5.read(model, file, skip_mismatch)


def _texts(model: object, with_training: bool) -> dict[str, str]:
    config = serialize_keras_object(model)
    if not with_training:
        config.pop("compile_config", None)
    saved = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    return {
        METADATA: json.dumps({"keras_version": _FORMAT, "date_saved": saved, "cornu_version": __version__}),
        CONFIG: json.dumps(config),
    }


def _model(members: _Zip | _Folder, options: LoadOptions) -> Layer:
    config = members.json(CONFIG)
    training = config.get("compile_config") if options.compile else None
    release = legacy_config.release_of(config, version(members))
    with registry.custom_objects(options.custom_objects):
        upgraded, lines = legacy_config.upgrade(config, release) if release else (config, [])
    if release or not training:
        upgraded.pop("compile_config", None)
    model = deserialize_keras_object(upgraded, options.custom_objects, safe_mode=options.safe_mode)
    if not hasattr(model, "save"):
        raise DamagedFileError(f"{members.path!r} holds a {type(model).__name__}, which is not a model.")
    _read_assets(model, members)
    with members.weights() as file:
        weights_h5.read_all(model, file)
        if release and training:
            with registry.custom_objects(options.custom_objects):
                lines += _compile_as_of_old(model, training, file)
    if lines:
        warnings.warn(f"load_model: {members.path!r} was written by Keras {release}. " + " ".join(lines), stacklevel=4)
    return model


def version(members: _Zip | _Folder) -> str | None:
    """The Keras release that wrote the archive, if recorded."""
    try:
        return members.json(METADATA).get("keras_version")
    except ValueError:  # not needed for loading
        return None


def _compile_as_of_old(model: Model, training: ConfigDict, file: h5py.File) -> list[str]:
    """Compile a model of Keras 2.12 to 2.15 with its old settings; returns a line for each notable change."""
    arguments, lines = legacy_training.read(training, old=True)
    model.compile(**arguments)
    state = weights_h5.numbered(file, "optimizer")
    if model.optimizer is None or not model.built:
        return lines
    if not state:  # Keras 2 omitted that of its legacy optimizers
        return [*lines, "The file lacks the optimizer state, so training starts with a fresh one."]
    model.optimizer.build(model.trainable_variables)
    stored = [legacy_arrays.stored("", data.shape, partial(plain_h5.array, data)) for data in state]
    return lines + legacy_training.resume(model.optimizer, stored, legacy_training.is_slot_by_slot(training))


# ---------------------------------------------------------------- assets


def _write_assets(model: object, folder: Path) -> list[str]:
    """Let each part with assets write them below `folder`; returns their names."""
    for path, part in parts.walk(model):
        if hasattr(part, "save_assets"):
            own = folder / ASSETS / path
            own.mkdir(parents=True, exist_ok=True)
            part.save_assets(str(own))
    return sorted(str(file.relative_to(folder)) for file in folder.glob(f"{ASSETS}/**/*") if file.is_file())


def _read_assets(model: object, members: _Zip | _Folder) -> None:
    """Give each part with assets a directory that contains only its own files."""
    for path, part in parts.walk(model):
        if not hasattr(part, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in members.files(f"{ASSETS}/{path}"):
                budget.take("objects", len(content) + _LINE * content.count(b"\n"), f"{ASSETS}/{path}/{name}")
                (Path(folder) / plain_zip.plain_name(name)).write_bytes(content)
            with context.scope(safe_mode=None):  # its own files, unlike a path in a config, are for it to open
                part.load_assets(folder)


# ---------------------------------------------------------------- where the members are


class _Zip:
    """The members of an archive."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self) -> _Zip:
        self._stack = ExitStack()
        self._archive = self._stack.enter_context(plain_zip.opened(self.path, repr(self.path)))
        return self

    def __exit__(self, *details: Any) -> bool | None:
        return self._stack.__exit__(*details)

    def sizes(self) -> dict[str, int]:
        """The files by name, with the size in bytes that each claims to have."""
        return {member.filename: member.file_size for member in self._archive.infolist() if not member.is_dir()}

    def json(self, name: str) -> ConfigDict:
        content = plain_zip.content(self._archive, self._member(name), repr(self.path))
        return plain_json.parsed(content, f"{name} in {self.path!r}")

    @contextmanager
    def weights(self) -> Iterator[h5py.File]:
        name = f"{WEIGHTS} in {self.path!r}"
        with plain_zip.as_file(self._archive, self._member(WEIGHTS), repr(self.path)) as content:
            with plain_h5.opened(content, name) as file:
                yield file

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files directly in `folder`."""
        for member in self._by_folder.get(folder, ()):
            yield member.filename.rpartition("/")[2], plain_zip.content(self._archive, member, repr(self.path))

    @functools.cached_property
    def _by_folder(self) -> dict[str, list[zipfile.ZipInfo]]:
        found: dict[str, list[zipfile.ZipInfo]] = {}
        for member in self._archive.infolist():
            if not member.is_dir():
                found.setdefault(member.filename.rpartition("/")[0], []).append(member)
        return found

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._archive.getinfo(name)
        except KeyError:
            raise DamagedFileError(f"{self.path!r} is not a .keras file: it has no {name}.") from None


class _Folder:
    """The members in a directory."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *details: object) -> None:
        """Do nothing, since nothing was opened."""

    def sizes(self) -> dict[str, int]:
        """The files of a model by name, with their sizes in bytes; links are excluded."""
        files = [Path(self.path) / name for name in (CONFIG, METADATA, WEIGHTS)]
        files += sorted((Path(self.path) / ASSETS).rglob("*"))
        plain = [file for file in files if file.is_file() and not file.is_symlink()]
        return {file.relative_to(self.path).as_posix(): file.stat().st_size for file in plain}

    def json(self, name: str) -> ConfigDict:
        return plain_json.parsed(self._content(name), f"{name} in {self.path!r}")

    @contextmanager
    def weights(self) -> Iterator[h5py.File]:
        with plain_h5.opened(self._file(WEIGHTS), f"{WEIGHTS} in {self.path!r}") as file:
            yield file

    def files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files directly in `folder`."""
        place = Path(self.path) / folder
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            yield file.name, self._content(f"{folder}/{file.name}")

    def _content(self, name: str) -> bytes:
        file = self._file(name)
        budget.opened(file.stat().st_size)
        return file.read_bytes()

    def _file(self, name: str) -> Path:
        file = Path(self.path) / name
        if not file.is_file() or file.resolve() != Path(self.path).resolve() / name:
            is_saved_model = (Path(self.path) / "saved_model.pb").exists()
            raise DamagedFileError(
                f"{self.path!r} is not a folder of a model: it has no plain file {name}."
                + " It is a SavedModel of TensorFlow, a program: load it there, and save it as .keras or .h5."
                * is_saved_model
            )
        return file
