"""Weights in the HDF5 layout of Keras before version 3, the format of all published weights of `applications`.

The file lists its layers by name in the order of the model, each a group that lists its arrays. Weights go to layers by
their place in that order, or by name. Whole-model files have the same below `model_weights`. Only plain arrays are
read: links and data outside the file are refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cornu import lazy, validate
from cornu.core.variable import Variable, unchanged_on_error
from cornu.errors import DamagedFileError, WeightsMismatchError
from cornu.saving import legacy_arrays, plain_h5, weights_h5
from cornu.saving.atomic import replacing
from cornu.saving.legacy_arrays import Origin, Stored

if TYPE_CHECKING:
    import h5py

    from cornu.layers.layer import Layer
    from cornu.models.model import Model
else:
    h5py = lazy.module("h5py")

WEIGHTS = "model_weights"  # the group of the weights in a whole-model file
VERSION, BACKEND = "keras_version", "backend"
KERAS = "3.15.1"  # the release whose format the files follow
_OF_THE_MODEL = "top_level_model_weights"  # the group of weights that do not belong to a layer
_TURNED = (
    "Theano rotated the kernels of convolutions by 180 degrees: they are rotated back, so that the model computes "
    "the same results."
)
_MOST_OF_AN_ATTRIBUTE = 64000  # bytes that fit in one HDF5 attribute


class Entry(NamedTuple):
    """A layer of the file and its arrays."""

    name: str
    arrays: list[Stored]


class Target(NamedTuple):
    """A layer of the model and its variables, in the orders that a file may have them in; the usual one first."""

    name: str
    orders: list[list[Variable]]
    owners: dict[Variable, object]


class Pair(NamedTuple):
    """A layer of the model and a layer of the file, their weights side by side."""

    target: Target
    entry: Entry
    variables: list[Variable]
    arrays: list[Stored]


# ---------------------------------------------------------------- writing


def save_weights(model: object, path: str) -> None:
    """Write the weights as a weights file."""
    with replacing(path) as temporary, open(temporary, "w+b") as place, plain_h5.created(place) as file:
        write(model, file)


def write(model: Any, group: h5py.Group) -> None:
    """Write the weights of `model` into a file or group."""
    layers = [(layer.name, _in_order(layer)) for layer in model.layers]
    names = [name for name, _ in layers]
    if len(set(names)) < len(names):
        raise ValueError(f"{validate.describe(model)}: in an .h5 file all layer names must be unique: {names}.")
    write_names(group, "layer_names", names)
    group.attrs[BACKEND] = "jax"
    group.attrs[VERSION] = KERAS
    for name, variables in [*layers, (_OF_THE_MODEL, model._own_variables())]:
        write_arrays(group.create_group(name), variables)


def write_arrays(group: h5py.Group, variables: Sequence[Variable]) -> None:
    """Write values under the paths of their variables, and the list of these names."""
    names: list[str] = []
    for variable in variables:
        name = _free(variable.path, names)
        weights_h5.write_array(group, name, np.asarray(variable.numpy()))
        names.append(name)
    write_names(group, "weight_names", names)


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that is not in `taken`, nor a part of one of them."""
    used = {path[:end] for path in taken for end in [*_slashes(path), len(path)]}
    number, free = 0, name
    while free in used or any(free[:end] in taken for end in _slashes(free)):
        number += 1
        free = f"{name}_{number}"
    return free


def _slashes(path: str) -> list[int]:
    return [place for place, letter in enumerate(path) if letter == "/"]


def write_names(group: h5py.Group, attribute: str, names: Sequence[str]) -> None:
    """Write a list of names as an attribute, a long one in numbered parts."""
    encoded = np.array([name.encode() for name in names], dtype=np.bytes_) if names else np.array([], "S1")
    if encoded.nbytes <= _MOST_OF_AN_ATTRIBUTE:
        group.attrs[attribute] = encoded
        return
    fitting = max(1, _MOST_OF_AN_ATTRIBUTE // encoded.itemsize)
    for number, start in enumerate(range(0, len(encoded), fitting)):
        group.attrs[f"{attribute}{number}"] = encoded[start : start + fitting]


# ---------------------------------------------------------------- reading


def load_weights(model: object, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Load the weights of a file into the model; an `.h5` file may also have the newer layout."""
    with plain_h5.opened(path, repr(path)) as file:
        if is_legacy(file):
            return read(model, file, skip_mismatch, by_name)
        weights_h5.refuse_by_name(path, by_name)
        return weights_h5.read(model, file, skip_mismatch)


def is_legacy(file: h5py.File) -> bool:
    """Whether the file has this layout."""
    return any(_has(group, "layer_names") for group in (file, plain_h5.group(file, WEIGHTS)) if group is not None)


def read(
    model: Any, file: h5py.File, skip_mismatch: bool = False, by_name: bool = False, heard: list[str] | None = None
) -> list[str]:
    """Load the weights of the file into `model`; returns a line for each layer that was skipped.

    On failure, all weights keep their values.

    Args:
        model: a built model.
        file: the open file.
        skip_mismatch: whether to skip layers whose weights do not match.
        by_name: whether to match layers by name, skipping those that the file or the model lacks.
        heard: called with a line for each notable change; None warns instead.
    """
    plain_h5.listing(file)  # rejects files that claim too much memory
    root = file if _has(file, "layer_names") else plain_h5.group(file, WEIGHTS)
    if root is None:
        raise WeightsMismatchError(f"{file.filename!r} has no weights: it does not have a group {WEIGHTS!r}.")
    stored = [Entry(name, arrays(root, name)) for name in names(root, "layer_names")]
    origin = origin_of(file, root)
    stored = [Entry(entry.name, legacy_arrays.joined(entry.arrays)) for entry in stored if entry.arrays]
    wanted = [_target(layer) for layer in model.layers if layer.weights]
    found = _by_name(wanted, stored) if by_name else _by_place(model, wanted, stored)
    own = model._own_variables()
    if plain_h5.group(root, _OF_THE_MODEL) is not None and not by_name:
        target = Target(model.name, [own], dict.fromkeys(own, model))
        found.append((target, Entry(_OF_THE_MODEL, arrays(root, _OF_THE_MODEL))))
    pairs = [_paired(target, entry, origin) for target, entry in found]
    problems = {index: problem for index, pair in enumerate(pairs) if (problem := _problem(pair))}
    if problems and not skip_mismatch:
        raise WeightsMismatchError(
            f"{validate.describe(model)}: {next(iter(problems.values()))} Nothing was changed. "
            "Pass skip_mismatch=True to skip such layers."
        )
    if origin.theano and any(map(_has_kernels, pairs)):
        if heard is None:
            warnings.warn(f"load_weights: {file.filename!r}: {_TURNED}", stacklevel=4)
        else:
            heard.append(_TURNED)
    _assign([pair for index, pair in enumerate(pairs) if index not in problems])
    return list(problems.values())


def state_of_keras_1(
    model: Model, file: h5py.File, state: Sequence[Stored]
) -> list[list[tuple[Variable, Stored]]] | None:
    """The optimizer's slots, each with the trainable variables and their arrays; None if the arrays do not match.

    Keras 1 listed each slot for all trainable arrays of the file, sorted by name.

    Args:
        model: the model, with its weights loaded from the same file.
        file: the open file.
        state: the arrays, without the step counter.
    """
    root = plain_h5.group(file, WEIGHTS)
    origin = origin_of(file, root)
    layers = [names(plain_h5.group(root, name), "weight_names") for name in names(root, "layer_names")]
    trained = sorted(name for layer in layers for name in layer if legacy_arrays.is_trained_in_keras_1(name))
    if not trained or len(state) % len(trained):
        return None
    targets = [_target(layer) for layer in model.layers if layer.weights]
    slots = []
    for start in range(0, len(state), len(trained)):
        values = dict(zip(trained, state[start : start + len(trained)], strict=True))
        stored = [[legacy_arrays.renamed(values[n], n) for n in layer if n in values] for layer in layers if layer]
        entries = [Entry("optimizer", legacy_arrays.joined(arrays)) for arrays in stored]
        pairs = [_paired(_trained(target), entry, origin) for target, entry in zip(targets, entries, strict=True)]
        if any(map(_problem, pairs)):
            return None
        slots.append([item for pair in pairs for item in zip(pair.variables, pair.arrays, strict=True)])
    return slots


def _trained(target: Target) -> Target:
    """The same layer with the variables that have slots."""
    return target._replace(orders=[[v for v in order if v.made_trainable] for order in target.orders])


def _target(layer: Any) -> Target:
    owners = {variable: part for part in layer._flatten_layers() for variable in part._own_variables()}
    first_made = sorted(layer.weights, key=lambda variable: not variable.made_trainable)  # unaffected by freezing
    return Target(layer.name, [_in_order(layer), first_made, layer.weights], owners)


def _in_order(layer: Layer) -> list[Variable]:
    """A layer's variables in Keras's order: trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _by_place(model: object, wanted: list[Target], stored: list[Entry]) -> list[tuple[Target, Entry]]:
    if len(wanted) != len(stored):
        raise WeightsMismatchError(
            f"{validate.describe(model)}: it has {len(wanted)} layers with weights, the file has {len(stored)}. Is it "
            "a file of a different model, or of one with or without its classifier?"
        )
    return list(zip(wanted, stored, strict=True))


def _by_name(wanted: list[Target], stored: list[Entry]) -> list[tuple[Target, Entry]]:
    found = {entry.name: entry for entry in stored}
    return [(target, found[target.name]) for target in wanted if target.name in found]


def _paired(target: Target, entry: Entry, origin: Origin) -> Pair:
    variables = legacy_arrays.matched(entry.arrays, target.orders)
    layout = [
        legacy_arrays.fitted(array, variable, target.owners.get(variable), origin)
        for array, variable in zip(entry.arrays, variables, strict=False)
    ]
    return Pair(target, entry, variables, layout)


def _has_kernels(pair: Pair) -> bool:
    return any(legacy_arrays.is_kernel(variable, pair.target.owners.get(variable)) for variable in pair.variables)


def _problem(pair: Pair) -> str | None:
    """Why the arrays of a layer of the file do not match a layer, or None."""
    if len(pair.variables) != len(pair.entry.arrays):
        return (
            f'the layer "{pair.target.name}" has {len(pair.variables)} weights, '
            f'the layer "{pair.entry.name}" of the file {len(pair.entry.arrays)}.'
        )
    for variable, array in zip(pair.variables, pair.arrays, strict=True):
        if tuple(variable.shape) != tuple(array.shape):
            return (
                f"the weight {variable.path!r} has shape {tuple(variable.shape)}, "
                f'in the layer "{pair.entry.name}" of the file {tuple(array.shape)}.'
            )
    return None


def _assign(pairs: Sequence[Pair]) -> None:
    with unchanged_on_error(variable for pair in pairs for variable in pair.variables):
        for pair in pairs:
            for variable, array in zip(pair.variables, pair.arrays, strict=True):
                variable.assign(array.read())


# ---------------------------------------------------------------- contents of the file


def _has(group: h5py.Group, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; a long list is stored in numbered parts."""
    if attribute in group.attrs:
        parts = [plain_h5.attribute(group, attribute)]
    else:
        parts, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            parts.append(plain_h5.attribute(group, f"{attribute}{number}"))
            number += 1
    return [_text(name, attribute) for part in parts for name in np.asarray(part).ravel().tolist()]


def _text(name: object, attribute: str) -> str:
    try:
        text = name.decode() if isinstance(name, bytes) else name
    except UnicodeDecodeError:
        text = None
    if not isinstance(text, str):
        raise DamagedFileError(f"The file is damaged: {attribute} contains {str(name)[:40]!r}, which is not a name.")
    return text


def text_of(file: h5py.File, attribute: str) -> str | None:
    """The attribute of the file as a string, or None."""
    value = plain_h5.attribute(file, attribute)
    return None if value is None else _text(value, attribute)


def arrays(root: h5py.Group, layer: str) -> list[Stored]:
    """The arrays of one layer of the file, in its order."""
    group = plain_h5.group(root, layer)
    if group is None:
        raise DamagedFileError(f"{root.file.filename!r} lists the layer {layer!r}, but does not contain its group.")
    listed = names(group, "weight_names")
    if len(set(listed)) < len(listed):
        raise DamagedFileError(f"{root.file.filename!r} lists an array of the layer {layer!r} twice.")
    return [_stored(group, name) for name in listed]


def _stored(group: h5py.Group, name: str) -> Stored:
    data = plain_h5.dataset(group, name)
    if data.dtype.kind not in "fiubV":
        raise DamagedFileError(
            f"{group.file.filename!r} does not contain a plain numeric array at {group.name}/{name}."
        )
    return legacy_arrays.stored(name, tuple(data.shape), partial(plain_h5.array, data))


def origin_of(file: h5py.File, root: h5py.Group) -> Origin:
    """The Keras version that wrote the file.

    Keras 1 did not record the backend, and not always its version. But its array names were distinctive, and TensorFlow
    gave them its own suffix.
    """
    version = text_of(file, VERSION) or text_of(root, VERSION)
    backend = text_of(file, BACKEND) or text_of(root, BACKEND)
    if version is None or version.startswith("1."):
        groups = [plain_h5.group(root, layer) for layer in names(root, "layer_names")]
        listed = [name for group in groups if group is not None for name in names(group, "weight_names")]
        if any(map(legacy_arrays.is_of_keras_1, listed)):
            return Origin(1, not any(":" in name for name in listed))
    release = (version or "2").split(".")[0]
    return Origin(int(release) if release.isdecimal() else 3, backend == "theano")
