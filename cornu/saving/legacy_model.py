"""Whole models in one HDF5 file, as Keras wrote them before `.keras`.

Config and compile arguments are JSON in attributes. The numbers are in the groups `model_weights` and
`optimizer_weights`.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import lazy, registry, validate
from cornu.core import parts
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import ConfigDict
from cornu.core.variable import Variable
from cornu.errors import DamagedFileError
from cornu.random import SeedGenerator
from cornu.saving import legacy_config, legacy_h5, legacy_training, plain_h5, plain_json, weights_h5
from cornu.saving.atomic import replacing
from cornu.saving.legacy_arrays import Stored
from cornu.saving.legacy_h5 import load_weights, save_weights
from cornu.saving.options import LoadOptions

if TYPE_CHECKING:
    import h5py

    from cornu.layers.layer import Layer
    from cornu.models.model import Model
else:
    h5py = lazy.module("h5py")

_MODEL, _TRAINING, _STATE = "model_config", "training_config", "optimizer_weights"
_COMPILED = "compile_config"  # of an entry
_SEEDS = "random_state"  # a group that Keras ignores


def save_model(model: Model, path: str, with_training: bool = True) -> None:
    """Write the model and, `with_training`, its compile arguments and the optimizer's state."""
    attributes = _attributes(model)
    if not with_training:
        attributes.pop(_TRAINING, None)
    with replacing(path) as temporary, open(temporary, "w+b") as place, plain_h5.created(place) as file:
        for name, text in attributes.items():
            file.attrs[name] = text
        legacy_h5.write(model, file.create_group(legacy_h5.WEIGHTS))
        _write_seeds(model, file)
        if _TRAINING in attributes and model.optimizer is not None and model.optimizer.built:
            legacy_h5.write_arrays(file.create_group(_STATE), model.optimizer.variables)


def _write_seeds(model: object, file: h5py.File) -> None:
    """Write the seed state of each layer, which Keras does not store in this format."""
    for path, part in parts.walk(model):
        if isinstance(part, SeedGenerator):
            weights_h5.write_array(file.require_group(_SEEDS), path, np.asarray(part.state))


def _read_seeds(model: object, file: h5py.File) -> None:
    stored = plain_h5.group(file, _SEEDS)
    if stored is None:
        return
    for path, part in parts.walk(model):
        if isinstance(part, SeedGenerator) and path in stored:
            data = plain_h5.dataset(stored, path)
            if tuple(data.shape) == tuple(part.state.shape):
                part.state.assign(plain_h5.array(data))


def _attributes(model: Model) -> dict[str, str]:
    if getattr(model, "_graph", None) is None and type(model).__name__ != "Sequential":
        raise ValueError(
            f"{validate.describe(model)}: .h5 files support Sequential and functional models. Save a custom "
            "subclass, or a model that is not built, as .keras, or save its weights with save_weights()."
        )
    entry = serialize_keras_object(model)
    kind = entry["registered_name"] if entry["module"] is None else entry["class_name"]
    attributes = {
        legacy_h5.BACKEND: "jax",
        legacy_h5.VERSION: legacy_h5.KERAS,
        _MODEL: json.dumps({"class_name": kind, "config": _not_compiled(entry["config"])}),
    }
    if model.compiled and entry.get(_COMPILED):
        attributes[_TRAINING] = json.dumps(legacy_training.write(model))
    return attributes


def _not_compiled(config: object) -> object:
    """A config without how models inside were compiled: in this format only the whole model has that."""
    if isinstance(config, dict):
        left_out = {_COMPILED} if "class_name" in config else set()
        return {key: _not_compiled(value) for key, value in config.items() if key not in left_out}
    return [_not_compiled(part) for part in config] if isinstance(config, (list, tuple)) else config


def load_model(path: str, options: LoadOptions) -> Layer:
    """Load the model of a file.

    Raises:
        ValueError: if the file is damaged, does not contain a model, or the model has no current equivalent.
    """
    with plain_h5.opened(path, repr(path)) as file:
        config = _json(file, _MODEL)
        if config is None:
            raise ValueError(
                f"{path!r} does not contain a model: it has no {_MODEL}. If it contains only weights, create the model "
                "and call "
                "model.load_weights()."
            )
        version = legacy_h5.text_of(file, legacy_h5.VERSION) or "1"
        try:
            with registry.custom_objects(options.custom_objects):
                model, lines = _model(file, config, version, options)
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
            raise DamagedFileError(
                f"{path!r} is damaged: its config is not that of a model ({_said(error)})."
            ) from error
    if lines:
        told = validate.plain(f"was written by Keras {version}. " + " ".join(lines))
        warnings.warn(f"load_model: {path!r} {told}", stacklevel=4)
    return model


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _model(file: h5py.File, config: ConfigDict, version: str, options: LoadOptions) -> tuple[Model, list[str]]:
    upgraded, lines = legacy_config.upgrade(config, version)
    model = deserialize_keras_object(upgraded, options.custom_objects, safe_mode=options.safe_mode)
    if not hasattr(model, "get_compile_config"):
        raise DamagedFileError(f"{file.filename!r} contains a {type(model).__name__}, which is not a model.")
    if not model.built and plain_h5.group(file, legacy_h5.WEIGHTS) is not None:
        lines.append(
            "It does not contain the input shape: build the model, then call load_weights() with the same file."
        )
    else:
        legacy_h5.read(model, file, heard=lines)
        _read_seeds(model, file)
    training = _json(file, _TRAINING)
    if options.compile and training is not None:
        lines += _compile(model, file, training, legacy_config.is_old(version))
    return model, lines


def _compile(model: Model, file: h5py.File, training: ConfigDict, old: bool) -> list[str]:
    arguments, lines = legacy_training.read(training, old)
    model.compile(**arguments)
    if model.optimizer is None or not model.built:
        return lines
    model.optimizer.build(model.trainable_variables)
    if plain_h5.group(file, _STATE) is None:
        return lines
    pairs = _state(model, file, training, old)
    if pairs is None:
        return [*lines, legacy_training.FRESH]
    legacy_training.restore(pairs, model.optimizer)
    return lines


def _state(model: Any, file: h5py.File, training: ConfigDict, old: bool) -> list[tuple[Variable, Stored]] | None:
    """Variables of the optimizer with their arrays, or None if the arrays do not belong to this optimizer."""
    stored = legacy_h5.arrays(file, _STATE)
    if (legacy_h5.text_of(file, legacy_h5.VERSION) or "1").startswith("1"):
        count = bool(stored) and not stored[0].shape
        slots = legacy_h5.state_of_keras_1(model, file, stored[count:])
        return None if slots is None else legacy_training.arranged_in_keras_1(stored[:count], slots, model.optimizer)
    return legacy_training.arranged(stored, model.optimizer, old and legacy_training.is_slot_by_slot(training))


def _json(file: h5py.File, attribute: str) -> ConfigDict | None:
    text = legacy_h5.text_of(file, attribute)
    return (
        None
        if text is None
        else plain_json.parsed(text.encode(errors="surrogateescape"), f"{attribute} in {file.filename!r}")
    )


__all__ = ["load_model", "load_weights", "save_model", "save_weights"]
