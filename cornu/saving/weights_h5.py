"""Weights in HDF5 as Keras lays them out: a group for each part of a model, its arrays under `vars`.

A part's group is named after the attribute that holds it; parts in a list or dictionary are named after their classes,
numbered when a class comes again. Only plain data sets are read: links to other places or files are refused.
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

_MOST_NAMED = 5  # variables in a message
_NOT_THE_MODEL = ("optimizer/", "metrics/")  # what a file may hold beside the model it is read into
_LAYERS_OF_OLD = "_layer_checkpoint_dependencies/"
_HEADS_OF_OLD = re.compile(r"/_(query|key|value|output)_dense/")  # of attention


Store: TypeAlias = dict[str, Any]  # what a part keeps under a name: arrays, or what stands for them


def save_weights(model: object, path: str, *, objects_to_skip: Sequence = ()) -> None:
    """Write the weights as a file of their own."""
    with replacing(path) as temporary, open(temporary, "w+b") as place, plain_h5.created(place) as file:
        write(model, file, skip=objects_to_skip)


def load_weights(
    model: object, path: str, skip_mismatch: bool, by_name: bool, *, objects_to_skip: Sequence = ()
) -> list[str]:
    """Give the model the weights of a file."""
    refuse_by_name(path, by_name)
    with plain_h5.opened(path, repr(path)) as file:
        return read(model, file, skip_mismatch, objects_to_skip)


def refuse_by_name(path: str, by_name: bool) -> None:
    """Say no to matching by name where files do not name their layers."""
    if by_name:
        raise ValueError(
            f"load_weights: by_name is for older .h5 files, which name their layers. Received: {validate.shown(path)}."
        )


def write(model: object, file: h5py.File, with_training: bool = True, skip: Sequence = ()) -> None:
    """Write the weights of `model` but for the parts to `skip` and, `with_training`, of its optimizer."""
    for path, part, store in stores(model, skip):
        if not with_training and path.startswith(_NOT_THE_MODEL):
            continue
        group = file.create_group(path)
        group.attrs["name"] = part.name
        for key, value in store.items():
            write_array(group, key, border.fetched(value))


def stores(model: object, skip: Sequence = ()) -> Iterator[tuple[str, Any, Store]]:
    """(group path, part, its arrays by name) of all that a file of the model's weights has."""
    for path, part in _parts(model, skip):
        store: Store = {}
        part.save_own_variables(store)
        yield group_path(path), part, store


def group_path(path: str) -> str:
    """The group that has the arrays of the part at `path`."""
    return f"{path}/vars" if path else "vars"


def write_array(group: h5py.Group, key: str, value: np.ndarray) -> None:
    """Write one array."""
    if value.dtype.name == "bfloat16":  # HDF5 has no such type: its bits are kept, and its name beside them
        group.create_dataset(key, data=value.view("V2")).attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(key, data=value)


def read(
    model: object, file: h5py.File | Sequence[h5py.File], skip_mismatch: bool = False, skip: Sequence = ()
) -> list[str]:
    """Give `model` and its optimizer the weights of the file; returns a line for each part that was skipped.

    Where it fails, all weights keep their values. An optimizer whose state does not fit, for it is of another kind,
    never fails: a model may well be trained in another way than it was.

    Args:
        model: the model, built.
        file: the open file, or the files that share the weights.
        skip_mismatch: whether parts whose weights do not fit are left as they are.
        skip: parts that the file does not have, with all that is in them.
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
    """Give the parts that were found their arrays, which lie where `stored` says."""
    skipped: list[str] = []
    unread = set(stored)
    for path, part in found:
        group = group_path(path)
        unread.discard(group)
        store = _store(files, stored.get(group, group))
        problem = _problem(part, store) or _load_part(part, store)
        if problem and not (skip_mismatch or isinstance(part, Optimizer)):
            raise WeightsMismatchError(
                f"{problem} Nothing was changed. Pass skip_mismatch=True to leave such parts as they are."
            )
        skipped += [problem] if problem else []
    unread = {path for path in unread if not path.startswith(_of_training(found))}
    if unread and not skip_mismatch:
        raise WeightsMismatchError(
            f"{_leftover(model, unread)} Nothing was changed. Pass skip_mismatch=True to leave it out."
        )
    return skipped + ([_leftover(model, unread)] if unread else [])


def read_all(model: object, file: h5py.File) -> None:
    """Give a model that the same file describes its weights, its optimizer's state included if it fits."""
    for problem in read(model, file):
        warnings.warn(
            f"load_model: {problem} The state is left out: where training goes on, it begins with a fresh one. What "
            "was frozen or unfrozen after compile() makes such a file.",
            stacklevel=2,
        )


def places(wanted: Set[str], groups: Iterable[str]) -> dict[str, str]:
    """The groups of a file by the names of today: one that a model has no part for may be named as of old."""
    return {group if group in wanted else _of_today(group): group for group in groups}


def _of_today(path: str) -> str:
    """The place in a file of Keras 3 of what an earlier release, perhaps on Windows, put at `path`."""
    return _HEADS_OF_OLD.sub(r"/\1_dense/", path.replace("\\", "/").replace(_LAYERS_OF_OLD, "layers/"))


def _of_training(found: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """Where the optimizers and metrics of a model and of the models in it are, whether it is compiled or not."""
    places = [f"{path}/" if path else "" for path, part in found if hasattr(part, "get_compile_config")]
    return tuple(place + name for place in places for name in _NOT_THE_MODEL)


def _build_optimizer(model: Any, files: Sequence[h5py.File]) -> None:
    """Let the optimizer of a compiled model that was not trained yet take the state of one that was."""
    optimizer = getattr(model, "optimizer", None)
    stored = _store(files, group_path("optimizer"))
    if optimizer is not None and not optimizer.built and len(stored) > len(optimizer.variables):
        optimizer.build(model.trainable_variables)


def _leftover(model: object, paths: set[str]) -> str:
    hint = "" if getattr(model, "built", True) else " It is not built yet: call it on data first."
    return f"The file has weights that {validate.describe(model)} has no place for: {sorted(paths)}.{hint}"


def numbered(file: h5py.File, path: str) -> list[h5py.Dataset]:
    """The data sets of the part at `path`, in the order of their numbers."""
    store = _store([file], group_path(path))
    return [store[name] for name in sorted(store, key=parts.in_order)]


def array_paths(file: h5py.File) -> list[str]:
    """Where in the file arrays are.

    Raises:
        ValueError: when they share bytes, when the file has more objects than the load has a budget for, or a name in
            it is not text.
    """
    return [path for path, kind in _listing(file).items() if kind is h5py.Dataset]


def variable_groups(file: h5py.File) -> list[str]:
    """The groups of the parts, those without arrays too.

    Raises:
        ValueError: when an array lies elsewhere, and as `array_paths` does.
    """
    kinds = _listing(file)
    groups = [path for path, kind in kinds.items() if kind is h5py.Group and path.rpartition("/")[2] == "vars"]
    strays = {path.rpartition("/")[0] for path, kind in kinds.items() if kind is h5py.Dataset} - set(groups)
    if strays:
        raise DamagedFileError(
            f"The weights file has arrays outside the groups called 'vars': in {sorted(strays)[:10]}."
        )
    return groups


def _listing(file: h5py.File) -> dict[str, type]:
    found = plain_h5.listing(file)
    kinds = {path: kind for path, kind in found.items() if isinstance(path, str)}
    if len(kinds) < len(found):
        raise DamagedFileError(f"{file.filename!r} is damaged: it has a name that is not text.")
    return kinds


def _load_part(part: Any, store: Mapping[str, h5py.Dataset]) -> str | None:
    """Give one part its arrays; what kept it from taking them, or None."""
    try:
        with unchanged_on_error(_variables(part)):
            if store:
                part.load_own_variables({key: plain_h5.array(data) for key, data in store.items()})
    except ValueError as error:
        owner = validate.describe(part)
        return str(error) if str(error).startswith(owner) else f"{owner}: the file's weights do not fit. {error}"
    return None


def _store(files: Sequence[h5py.File], path: str) -> dict[str, h5py.Dataset]:
    """The data sets of one part, none of them elsewhere than in these files."""
    groups = [group for file in files if (group := plain_h5.group(file, path)) is not None]
    return {key: plain_h5.dataset(group, key) for group in groups for key in group}


def _problem(part: Any, store: Mapping[str, h5py.Dataset]) -> str | None:
    """What keeps the part from taking these arrays, or None."""
    own = _own(part)
    if own is None and store:
        return None
    if own is None:
        wanted: Store = {}
        part.save_own_variables(wanted)  # a part that reads in its own way still has to find something
        lacking = wanted and not isinstance(part, SeedGenerator)  # Keras's files have no seeds
        return f"{validate.describe(part)} has weights, the file has none for it." if lacking else None
    if len(own) != len(store):
        hint = "" if getattr(part, "built", True) else " It is not built yet: call it on data first."
        return f"{validate.describe(part)} has {len(own)} weights, the file has {len(store)} for it.{hint}"
    for index, variable in enumerate(own):
        if str(index) in store and tuple(store[str(index)].shape) != tuple(variable.shape):
            return (
                f"{validate.describe(part)}: weight {variable.path!r} has shape {variable.shape}, "
                f"in the file {tuple(store[str(index)].shape)}."
            )
    return None


def _own(part: object) -> list[Variable] | None:
    """The variables that a part reads by number; None for a part that reads in a way of its own."""
    if hasattr(part, "_own_variables") and not _overrides(part, "load_own_variables"):
        return part._own_variables()
    return None


def _overrides(part: object, method: str) -> bool:
    return not getattr(type(part), method).__qualname__.startswith("Layer.")


# ---------------------------------------------------------------- the parts of a model


def _parts(model: object, skip: Sequence = ()) -> list[tuple[str, Any]]:
    """The parts of a model for a file, which together have all its variables but for those that are to be skipped."""
    found = list(parts.walk(model, skip=skip))
    _check_reached(model, [*found, *(inner for part in skip for inner in parts.walk(part))])
    return found


def _parts_for(model: object, stored: set[str], skip: Sequence = ()) -> list[tuple[str, Any]]:
    """The parts as the file names them: a class of one's own takes the weights of a Sequential or functional model in
    the order of its layers, though it keeps them in attributes."""
    found = _parts(model, skip)
    if not hasattr(model, "layers") or not _has_layers(stored) or _has_layers(path for path, _ in found):
        return found

    def layers_first(part: Any) -> parts.Named:
        return [("layers", part.layers)] * (part is model) + parts.attributes(part)

    return list(parts.walk(model, parts.Naming(of_attributes=layers_first), skip))


def _has_layers(paths: Iterable[str]) -> bool:
    return any(path.startswith("layers/") for path in paths)


def _check_reached(model: Any, found: Iterable[tuple[str, Any]]) -> None:
    """Refuse a model with variables that none of the parts has: a file would be without them, and nobody would know.

    The states of stateful layers are in no file, as in Keras's.
    """
    reached = {id(variable) for _, part in found for variable in _variables(part)}
    passing = {id(v) for layer in model._flatten_layers() for v in tree.flatten(getattr(layer, "states", None))}
    lost = [v.path for v in model.variables if id(v) not in reached and id(v) not in passing]
    if lost:
        named = ", ".join(map(repr, lost[:_MOST_NAMED])) + ", …" * (len(lost) > _MOST_NAMED)
        raise ValueError(
            f"{validate.describe(model)}: {len(lost)} of its variables belong to no part that a file has a place for: "
            f"{named}. Keep the layer or variable as an attribute of the model or of a layer in it, or in a list or "
            "dictionary there."
        )


def _variables(part: Any) -> list[Variable]:
    return part._own_variables() if hasattr(part, "_own_variables") else part.variables
