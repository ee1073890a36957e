"""Weights in Keras's HDF5 layout: a group for each part of a model, with its arrays under `vars`.

A part's group is named after the attribute that contains it; parts in a list or dictionary are named after their
classes, numbered if a class repeats. Only plain datasets are read: links to other locations or files are rejected.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cornu import lazy, tree, validate
from cornu.core import border, parts
from cornu.core.variable import Variable, unchanged_on_error
from cornu.errors import DamagedFileError, WeightsMismatchError
from cornu.optimizers import Optimizer
from cornu.random import SeedGenerator
from cornu.saving import plain_h5
from cornu.saving.atomic import replacing

if TYPE_CHECKING:
    import h5py
else:
    h5py = lazy.module("h5py")

_MOST_NAMED = 5  # number of variables in a message
_NOT_THE_MODEL = ("optimizer/", "metrics/")  # what a file may contain in addition to the model
_LAYERS_OF_OLD = "_layer_checkpoint_dependencies/"
_HEADS_OF_OLD = re.compile(r"/_(query|key|value|output)_dense/")  # of attention layers


Store: TypeAlias = dict[str, Any]  # the items of a part by name: arrays, or placeholders


def save_weights(model: object, path: str, *, objects_to_skip: Sequence[object] = ()) -> None:
    """Write the weights as a weights file."""
    with replacing(path) as temporary, open(temporary, "w+b") as place, plain_h5.created(place) as file:
        write(model, file, skip=objects_to_skip)


def load_weights(
    model: object, path: str, skip_mismatch: bool, by_name: bool, *, objects_to_skip: Sequence[object] = ()
) -> list[str]:
    """Load the weights of a file into the model."""
    refuse_by_name(path, by_name)
    with plain_h5.opened(path, repr(path)) as file:
        return read(model, file, skip_mismatch, objects_to_skip)


def refuse_by_name(path: str, by_name: bool) -> None:
    """Reject matching by name for formats that do not name layers."""
    if by_name:
        raise ValueError(
            f"load_weights: by_name is for older .h5 files, which name their layers. Received: {validate.shown(path)}."
        )


def write(model: object, file: h5py.File, with_training: bool = True, skip: Sequence[object] = ()) -> None:
    """Write the weights of `model` except for the parts in `skip` and, `with_training`, of its optimizer."""
    for path, part, store in stores(model, skip):
        if not with_training and path.startswith(_NOT_THE_MODEL):
            continue
        group = file.create_group(path)
        group.attrs["name"] = part.name
        for key, value in store.items():
            write_array(group, key, border.fetched(value))


def stores(model: object, skip: Sequence[object] = ()) -> Iterator[tuple[str, Any, Store]]:
    """(group path, part, its arrays by name) of everything in a file of the model's weights."""
    for path, part in _parts(model, skip):
        store: Store = {}
        part.save_own_variables(store)
        yield group_path(path), part, store


def group_path(path: str) -> str:
    """The group with the arrays of the part at `path`."""
    return f"{path}/vars" if path else "vars"


def write_array(group: h5py.Group, key: str, value: np.ndarray) -> None:
    """Write one array."""
    if value.dtype.name == "bfloat16":  # HDF5 lacks this type: its bits are stored, with the dtype name as an attribute
        group.create_dataset(key, data=value.view("V2")).attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(key, data=value)


def read(
    model: object, file: h5py.File | Sequence[h5py.File], skip_mismatch: bool = False, skip: Sequence[object] = ()
) -> list[str]:
    """Load the weights of the file into `model` and its optimizer; returns a line for each part that was skipped.

    On failure, all weights keep their values. An optimizer state that does not match, because it is of a different
    class, never fails: a model may be trained in a different way than before.

    Args:
        model: a built model.
        file: the open file, or the files among which the weights are split.
        skip_mismatch: whether to skip parts whose weights do not match.
        skip: parts that are not in the file, including everything in them.
    """
    files = [file] if isinstance(file, h5py.File) else list(file)
    groups = {array.rpartition("/")[0] for each in files for array in array_paths(each)}
    _build_optimizer(model, files)
    found = _parts_for(model, set(map(_of_today, groups)), skip)
    stored = places({group_path(path) for path, _ in found}, groups)
    with unchanged_on_error(variable for _, part in found for variable in _variables(part)):
        return _read_parts(model, found, files, stored, skip_mismatch)


def _read_parts(
    model: object, found: list[tuple[str, Any]], files: Sequence[h5py.File], stored: dict[str, str], skip_mismatch: bool
) -> list[str]:
    """Load the arrays of the parts that were found, located by `stored`."""
    skipped: list[str] = []
    unread = set(stored)
    for path, part in found:
        group = group_path(path)
        unread.discard(group)
        store = _store(files, stored.get(group, group))
        problem = _problem(part, store) or _load_part(part, store)
        if problem and not (skip_mismatch or isinstance(part, Optimizer)):
            raise WeightsMismatchError(f"{problem} Nothing was changed. Pass skip_mismatch=True to skip such parts.")
        skipped += [problem] if problem else []
    unread = {path for path in unread if not path.startswith(_of_training(found))}
    if unread and not skip_mismatch:
        raise WeightsMismatchError(
            f"{_leftover(model, unread)} Nothing was changed. Pass skip_mismatch=True to ignore them."
        )
    return skipped + ([_leftover(model, unread)] if unread else [])


def read_all(model: object, file: h5py.File) -> None:
    """Load the weights into a model described by the same file, with the optimizer state if it matches."""
    for problem in read(model, file):
        warnings.warn(
            f"load_model: {problem} The state is ignored: if training continues, it starts with a fresh one. This "
            "happens if layers "
            "were frozen or unfrozen after compile().",
            stacklevel=2,
        )


def places(wanted: Set[str], groups: Iterable[str]) -> dict[str, str]:
    """The groups of a file by their current names: a group without a matching part may have an old name."""
    return {group if group in wanted else _of_today(group): group for group in groups}


def _of_today(path: str) -> str:
    """The Keras 3 path of what an earlier release, perhaps on Windows, stored at `path`."""
    return _HEADS_OF_OLD.sub(r"/\1_dense/", path.replace("\\", "/").replace(_LAYERS_OF_OLD, "layers/"))


def _of_training(found: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """The paths of the optimizers and metrics of a model and its nested models, compiled or not."""
    places = [f"{path}/" if path else "" for path, part in found if hasattr(part, "get_compile_config")]
    return tuple(place + name for place in places for name in _NOT_THE_MODEL)


def _build_optimizer(model: Any, files: Sequence[h5py.File]) -> None:
    """Build the optimizer of a compiled but untrained model, so that it can load the state of a trained one."""
    optimizer = getattr(model, "optimizer", None)
    stored = _store(files, group_path("optimizer"))
    if optimizer is not None and not optimizer.built and len(stored) > len(optimizer.variables):
        optimizer.build(model.trainable_variables)


def _leftover(model: object, paths: set[str]) -> str:
    hint = "" if getattr(model, "built", True) else " It is not built yet: call it on data first."
    return f"The file has weights that {validate.describe(model)} does not have: {sorted(paths)}.{hint}"


def numbered(file: h5py.File, path: str) -> list[h5py.Dataset]:
    """The datasets of the part at `path`, in numerical order."""
    store = _store([file], group_path(path))
    return [store[name] for name in sorted(store, key=parts.in_order)]


def array_paths(file: h5py.File) -> list[str]:
    """The paths of arrays in the file.

    Raises:
        ValueError: if they share bytes, the file has more objects than the load has a budget for, or a name in it is
            not text.
    """
    return [path for path, kind in _listing(file).items() if kind is h5py.Dataset]


def variable_groups(file: h5py.File) -> list[str]:
    """The groups of the parts, including those without arrays.

    Raises:
        ValueError: if an array is elsewhere, and as in `array_paths`.
    """
    kinds = _listing(file)
    groups = [path for path, kind in kinds.items() if kind is h5py.Group and path.rpartition("/")[2] == "vars"]
    strays = {path.rpartition("/")[0] for path, kind in kinds.items() if kind is h5py.Dataset} - set(groups)
    if strays:
        raise DamagedFileError(
            f"The weights file has arrays outside the groups named 'vars': in {sorted(strays)[:10]}."
        )
    return groups


def _listing(file: h5py.File) -> dict[str, type]:
    found = plain_h5.listing(file)
    kinds = {path: kind for path, kind in found.items() if isinstance(path, str)}
    if len(kinds) < len(found):
        raise DamagedFileError(f"{file.filename!r} is damaged: it has a name that is not valid text.")
    return kinds


def _load_part(part: Any, store: Mapping[str, h5py.Dataset]) -> str | None:
    """Load the arrays of one part; returns why they do not match, or None."""
    try:
        with unchanged_on_error(_variables(part)):
            if store:
                part.load_own_variables({key: plain_h5.array(data) for key, data in store.items()})
    except ValueError as error:
        owner = validate.describe(part)
        return str(error) if str(error).startswith(owner) else f"{owner}: the file's weights do not match. {error}"
    return None


def _store(files: Sequence[h5py.File], path: str) -> dict[str, h5py.Dataset]:
    """The datasets of one part, all of them in these files."""
    groups = [group for file in files if (group := plain_h5.group(file, path)) is not None]
    return {key: plain_h5.dataset(group, key) for group in groups for key in group}


def _problem(part: Any, store: Mapping[str, h5py.Dataset]) -> str | None:
    """Why these arrays do not match the part, or None."""
    own = _own(part)
    if own is None and store:
        return None
    if own is None:
        wanted: Store = {}
        part.save_own_variables(wanted)  # a part with its own loading code still needs some arrays
        lacking = wanted and not isinstance(part, SeedGenerator)  # Keras does not store seeds
        return f"{validate.describe(part)} has weights, but the file has none for it." if lacking else None
    if len(own) != len(store):
        hint = "" if getattr(part, "built", True) else " It is not built yet: call it on data first."
        return f"{validate.describe(part)} has {len(own)} weights, but the file has {len(store)} for it.{hint}"
    for index, variable in enumerate(own):
        if str(index) in store and tuple(store[str(index)].shape) != tuple(variable.shape):
            return (
                f"{validate.describe(part)}: weight {variable.path!r} has shape {variable.shape}, "
                f"but in the file {tuple(store[str(index)].shape)}."
            )
    return None


def _own(part: object) -> list[Variable] | None:
    """The variables that a part reads by number; None for a part with its own loading code."""
    if hasattr(part, "_own_variables") and not _overrides(part, "load_own_variables"):
        return part._own_variables()
    return None


def _overrides(part: object, method: str) -> bool:
    return not getattr(type(part), method).__qualname__.startswith("Layer.")


# ---------------------------------------------------------------- the parts of a model


def _parts(model: object, skip: Sequence[object] = ()) -> list[tuple[str, Any]]:
    """The parts of a model for a file, which together have all its variables except those to be skipped."""
    found = list(parts.walk(model, skip=skip))
    _check_reached(model, [*found, *(inner for part in skip for inner in parts.walk(part))])
    return found


def _parts_for(model: object, stored: set[str], skip: Sequence[object] = ()) -> list[tuple[str, Any]]:
    """The parts under their names in the file: a custom subclass accepts the weights of a Sequential or functional
    model in
    the order of its layers, although it keeps them in attributes."""
    found = _parts(model, skip)
    if not hasattr(model, "layers") or not _has_layers(stored) or _has_layers(path for path, _ in found):
        return found

    def layers_first(part: Any) -> parts.Named:
        return [("layers", part.layers)] * (part is model) + parts.attributes(part)

    return list(parts.walk(model, parts.Naming(of_attributes=layers_first), skip))


def _has_layers(paths: Iterable[str]) -> bool:
    return any(path.startswith("layers/") for path in paths)


def _check_reached(model: Any, found: Iterable[tuple[str, Any]]) -> None:
    """Reject a model with variables that do not belong to any part, since they would be silently missing from the file.

    The states of stateful layers are never saved, as in Keras.
    """
    reached = {id(variable) for _, part in found for variable in _variables(part)}
    passing = {id(v) for layer in model._flatten_layers() for v in tree.flatten(getattr(layer, "states", None))}
    lost = [v.path for v in model.variables if id(v) not in reached and id(v) not in passing]
    if lost:
        named = ", ".join(map(repr, lost[:_MOST_NAMED])) + ", …" * (len(lost) > _MOST_NAMED)
        raise ValueError(
            f"{validate.describe(model)}: {len(lost)} of its variables do not belong to a part that can be saved: "
            f"{named}. Store the layer or variable as an attribute of the model or of a layer in it, or in a list or "
            "dictionary there."
        )


def _variables(part: Any) -> list[Variable]:
    return part._own_variables() if hasattr(part, "_own_variables") else part.variables
