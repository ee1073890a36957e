"""Weights in HDF5 as Keras laid them out before version 3, the form of all published weights of `applications`.

The file lists its layers by name in the order of the model, each a group that lists its arrays. Weights go to layers by
their place in that order, or by name. Whole-model files have the same below `model_weights`. Only plain arrays are
read: links and data outside the file are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cornu import late, validate
from cornu.core.variable import Variable
from cornu.saving import plain_h5, weights_h5
from cornu.saving.weights_h5 import restore

h5py = late.module("h5py")

_OF_WHOLE_MODELS = "model_weights"
_OF_THE_MODEL = "top_level_model_weights"  # the group with weights that no layer has


class Entry(NamedTuple):
    """A layer in the file and its arrays, or a layer of the model and its variables."""

    name: str
    weights: list


def load_weights(model: Any, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Give the model the weights of a file; one whose name says no more than `.h5` may also be of the newer form."""
    with plain_h5.opened(path, repr(path)) as file:
        if is_legacy(file):
            return read(model, file, skip_mismatch, by_name)
        weights_h5.refuse_by_name(path, by_name)
        return weights_h5.read(model, file, skip_mismatch)


def is_legacy(file: h5py.File) -> bool:
    """Whether the file is of this form."""
    return any(
        _has(group, "layer_names") for group in (file, plain_h5.group(file, _OF_WHOLE_MODELS)) if group is not None
    )


def read(model: Any, file: h5py.File, skip_mismatch: bool = False, by_name: bool = False) -> list[str]:
    """Give `model` the weights of the file; returns a line for each layer that was skipped.

    Where it fails, all weights keep their values.

    Args:
        model: the model, built.
        file: the open file.
        skip_mismatch: whether layers whose weights do not fit are left as they are.
        by_name: whether layers are matched by name, and those that the file or the model lacks are left out.
    """
    root = file if _has(file, "layer_names") else plain_h5.group(file, _OF_WHOLE_MODELS)
    stored = [Entry(name, _arrays(root, name)) for name in _names(root, "layer_names")]
    stored = [entry for entry in stored if entry.weights]
    wanted = [Entry(layer.name, _in_order(layer.weights)) for layer in model.layers if layer.weights]
    pairs = _by_name(wanted, stored) if by_name else _by_place(model, wanted, stored)
    if plain_h5.group(root, _OF_THE_MODEL) is not None:
        pairs.append((Entry(model.name, model._own_variables()), Entry(_OF_THE_MODEL, _arrays(root, _OF_THE_MODEL))))
    problems = {index: problem for index, pair in enumerate(pairs) if (problem := _problem(*pair))}
    if problems and not skip_mismatch:
        raise ValueError(
            f"{validate.describe(model)}: {next(iter(problems.values()))} Nothing was changed. "
            "Pass skip_mismatch=True to leave such layers as they are."
        )
    _assign([pair for index, pair in enumerate(pairs) if index not in problems])
    return list(problems.values())


def _in_order(variables: Sequence[Variable]) -> list[Variable]:
    """Variables as the file lists them: those that are trained first; freezing moves none."""
    return [v for v in variables if v.made_trainable] + [v for v in variables if not v.made_trainable]


def _by_place(model: Any, wanted: list[Entry], stored: list[Entry]) -> list[tuple[Entry, Entry]]:
    if len(wanted) != len(stored):
        raise ValueError(
            f"{validate.describe(model)}: it has {len(wanted)} layers with weights, the file has {len(stored)}. Is it "
            "a file of another model, or of one with or without its classifier?"
        )
    return list(zip(wanted, stored, strict=True))


def _by_name(wanted: list[Entry], stored: list[Entry]) -> list[tuple[Entry, Entry]]:
    found = {entry.name: entry for entry in stored}
    return [(entry, found[entry.name]) for entry in wanted if entry.name in found]


def _problem(wanted: Entry, stored: Entry) -> str | None:
    """What keeps a layer from taking the arrays of a layer of the file, or None."""
    if len(wanted.weights) != len(stored.weights):
        return (
            f'the layer "{wanted.name}" has {len(wanted.weights)} weights, '
            f'the layer "{stored.name}" of the file {len(stored.weights)}.'
        )
    for variable, array in zip(wanted.weights, stored.weights, strict=True):
        if tuple(variable.shape) != tuple(array.shape):
            return (
                f"the weight {variable.path!r} has shape {tuple(variable.shape)}, "
                f'in the layer "{stored.name}" of the file {tuple(array.shape)}.'
            )
    return None


def _assign(pairs: Sequence[tuple[Entry, Entry]]) -> None:
    before = [(variable, variable._value) for wanted, _ in pairs for variable in wanted.weights]
    try:
        for wanted, stored in pairs:
            for variable, array in zip(wanted.weights, stored.weights, strict=True):
                variable.assign(plain_h5.array(array))
    except Exception:
        restore(before)
        raise


# ---------------------------------------------------------------- what is in the file


def _has(group: h5py.Group, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names, which a long list has in numbered parts."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{number}"])
            number += 1
    names = [name for part in parts for name in np.asarray(part).ravel().tolist()]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _arrays(root: h5py.Group, layer: str) -> list[h5py.Dataset]:
    """The arrays of one layer of the file, in its order."""
    group = plain_h5.group(root, layer)
    if group is None:
        raise ValueError(f"{root.file.filename!r} lists the layer {layer!r}, but has no such group.")
    return [_dataset(group, name) for name in _names(group, "weight_names")]


def _dataset(group: h5py.Group, path: str) -> h5py.Dataset:
    found = plain_h5.dataset(group, path)
    if found.dtype.kind not in "fiub":
        raise ValueError(f"{group.file.filename!r} has no plain array of numbers at {group.name}/{path}.")
    return found
