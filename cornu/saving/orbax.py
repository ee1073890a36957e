"""Orbax checkpoints: a directory with a subdirectory for each step, in Keras's layout.

A step contains `pytree`, the values of the variables nested as in `Model.get_state_tree`, and `model_config`, the
model's config as JSON, unless only the weights were saved. The file layout is Orbax's own; this module determines what
is stored and which variable each value belongs to.

Paths of variables contain names that depend on how many layers a process had created before, and, for a `Sequential`,
on whether it was built when its layers were. So paths are matched without the model's name at the front, and with
numbers renumbered; anything left unmatched is an error.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cornu import tree, validate
from cornu.core import budget, parts
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import ConfigDict
from cornu.core.variable import Variable, assign_all
from cornu.errors import DamagedFileError, WeightsMismatchError
from cornu.saving import plain_json
from cornu.saving.options import LoadOptions

if TYPE_CHECKING:
    from cornu.models.model import Model
    from cornu.training.loop import Trainer

VALUES, CONFIG = "pytree", "model_config"
_WEIGHTS = ("trainable_variables", "non_trainable_variables")
_OPTIMIZER = "optimizer_variables"
_SEEDS = "seed_generator"
_WIDEST = 8  # bytes of a stored element, at most


def package() -> ModuleType:
    """Import Orbax, or raise an error that says what to install."""
    return validate.optional_import("orbax.checkpoint", purpose="A checkpoint of Orbax", extra="orbax")


def steps(folder: str | os.PathLike[str]) -> list[int]:
    """The numbers of the complete checkpoints in a directory, in order."""
    place = Path(folder)
    if not place.is_dir():
        return []
    with os.scandir(place) as entries:
        numbers = [entry.name for entry in entries if re.fullmatch("[0-9]{1,18}", entry.name)]
    return sorted(int(name) for name in numbers if _is_step(place / name))


def _is_step(path: Path) -> bool:
    return (path / VALUES / "_METADATA").is_file()


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether a directory is a checkpoint or contains checkpoints."""
    return _is_step(Path(path)) or bool(steps(path))


def content(model: Trainer, weights_only: bool) -> dict[str, Any]:
    """The contents of a checkpoint of a model, by name.

    Raises:
        ValueError: if two variables have the same path, or a part has asset files, which a checkpoint cannot store.
    """
    paths = [variable.path for variable in model.variables]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(
            f"{validate.describe(model)}: two variables are named {twice!r}, but paths in a checkpoint must be unique. "
            "Give the layers unique names."
        )
    values = model.get_state_tree()
    if weights_only:
        return {VALUES: {key: values[key] for key in _WEIGHTS}}
    keeper = next((path for path, part in parts.walk(model) if hasattr(part, "save_assets")), None)
    if keeper is not None:
        raise ValueError(
            f"{validate.describe(model)}: {keeper} stores a vocabulary in a file, which a checkpoint cannot contain. "
            "Use ModelCheckpoint, or save_weights_only=True."
        )
    return {VALUES: values, CONFIG: {"config": json.dumps(serialize_keras_object(model))}}


def load_folder(path: str, options: LoadOptions) -> Model:
    """Load the model of a checkpoint: the latest one if the directory has several."""
    step = _opened(_last(path))
    if not (step / CONFIG).is_dir():
        raise ValueError(
            f"load_model: {path!r} is a checkpoint with only weights. Create the model and call "
            "model.load_weights(path)."
        )
    config = _config(step, options)
    model = deserialize_keras_object(config, options.custom_objects, safe_mode=options.safe_mode)
    if not hasattr(model, "get_compile_config"):
        raise DamagedFileError(f"{_shown(step)} contains a {type(model).__name__}, which is not a model.")
    _read(model, step, skip_mismatch=False)
    return model


def load_weights(model: object, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Load the values of a checkpoint into the model, and into its optimizer if that is built."""
    if by_name:
        raise ValueError("load_weights: by_name is for older .h5 files; Orbax checkpoints are always matched by name.")
    return _read(model, _opened(_last(path)), skip_mismatch)


def _last(path: str) -> Path:
    place = Path(path).absolute()
    return place if _is_step(place) else place / str(steps(place)[-1])


def _opened(step: Path) -> Path:
    """Open a step, whose size sets the memory budget of the load. It must contain only regular files: no links."""
    size = 0
    for place in step.rglob("*"):
        if place.is_symlink() or not (place.is_dir() or place.is_file()):
            name = validate.plain(str(place.relative_to(step)))
            raise DamagedFileError(f"{_shown(step)} has {name!r}, a link or a special file, which is not allowed.")
        size += place.stat().st_size if place.is_file() else 0
    budget.opened(size)
    return step


# ---------------------------------------------------------------- values

Place: TypeAlias = tuple[str, ...]  # of a value in a checkpoint: its kind, and the parts of its path


def _read(model: Any, step: Path, skip_mismatch: bool) -> list[str]:
    """Load the values of a step into a model; returns a line for each variable that is unchanged."""
    shapes = _shapes(step)
    places = _places(model, [place for place in shapes if place[0] in _WEIGHTS], step, skip_mismatch)
    lines = [f"{v.path}: {step.name} has no value for it." for v in model.variables if v.path not in places]
    pairs = [(v, places[v.path]) for v in model.variables if v.path in places]
    if not skip_mismatch:
        pairs += _of_optimizer(model, places, shapes, step)
    odd = [
        f"{variable.path} has shape {tuple(variable.shape)}, but in the checkpoint {shapes[place]}."
        for variable, place in pairs
        if shapes[place] != tuple(variable.shape)
    ]
    if odd and not skip_mismatch:
        raise WeightsMismatchError(f"{_shown(step)}: {odd[0]}")
    fitting = [(variable, place) for variable, place in pairs if shapes[place] == tuple(variable.shape)]
    budget.take("numbers", sum(_WIDEST * math.prod(shapes[place]) for _, place in fitting), _shown(step))
    values = _values(step, [place for _, place in fitting])
    assign_all([variable for variable, _ in fitting], [values[place] for _, place in fitting])
    return lines + odd


def _places(model: Model, stored: list[Place], step: Path, skip_mismatch: bool) -> dict[str, Place]:
    """Where in a checkpoint the values of a model's variables are, by the variables' paths."""
    own = [(variable.path, tuple(variable.path.split("/"))) for variable in model.variables]
    there = {cut: _by_name([(place, place[1:]) for place in stored], cut) for cut in (False, True)}
    here = {cut: _by_name(own, cut) for cut in (False, True)}
    ways = [(there[a], here[b]) for a, b in ((False, False), (True, False), (False, True), (True, True))]
    places, names = next(((a, b) for a, b in ways if a.keys() == b.keys()), ways[0])
    if len(names) < len(own) or len(places) < len(stored):
        raise WeightsMismatchError(f"{_shown(step)}: two variables have the same path. Give the layers unique names.")
    odd = sorted("/".join(name) for name in places.keys() ^ names.keys())
    if odd and not skip_mismatch:
        raise WeightsMismatchError(
            f"{_shown(step)} belongs to a different model than {validate.describe(model)}: {len(odd)} variables are in "
            "only one of "
            f"them, such as {validate.plain(odd[0])!r}."
        )
    return {path: places[name] for name, path in names.items() if name in places}


def _by_name(paths: Iterable[tuple[Any, Place]], cut: bool) -> dict[Place, Any]:
    """Items with a path, by the path without layer numbers, and without the model's name if `cut`."""
    paths = list(paths)
    first = {path[0] for _, path in paths if not path[0].startswith(_SEEDS)}
    shorter = cut and len(first) == 1
    found = [(thing, path[1:] if shorter and path[0] in first else path) for thing, path in paths]
    numbers: dict[tuple[Place, str], list[int]] = {}
    for _, path in found:
        for at, part in enumerate(path):
            base, number = _numbered(part)
            numbers.setdefault((path[:at], base), []).append(number)
    known = {key: sorted(set(several)) for key, several in numbers.items()}

    def counted(path: Place) -> Place:
        parts = ((path[:at], *_numbered(part)) for at, part in enumerate(path))
        return tuple(f"{base}_{known[before, base].index(number)}" for before, base, number in parts)

    return {counted(path): thing for thing, path in found}


def _numbered(part: str) -> tuple[str, int]:
    """A part of a path and its number: `dense` and 3 of `dense_3`, `dense` and 0 of `dense`."""
    base, line, number = part.rpartition("_")
    return (base, int(number)) if line and re.fullmatch("[0-9]{1,9}", number) else (part, 0)


def _of_optimizer(
    model: object, places: Mapping[str, Place], shapes: Mapping[Place, tuple[int, ...]], step: Path
) -> list[tuple[Variable, Place]]:
    """The variables of a model's optimizer, if it is built and the checkpoint has its state, and their places.

    They are named after the weights that they belong to.
    """
    stored = {place[2:]: place for place in shapes if place[0] == _OPTIMIZER and len(place) > 2}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built or not stored:
        return []
    names = {path.replace("/", "_"): "_".join(place[1:]) for path, place in places.items()}
    pairs = []
    for variable in optimizer.variables:
        *front, last = variable.path.split("/")[1:]
        weight = max((name for name in names if last.startswith(f"{name}_")), key=len, default="")
        name = (*front, names[weight] + last.removeprefix(weight) if weight else last)
        if name not in stored:
            raise WeightsMismatchError(f"{_shown(step)} has no value for {variable.path} of the optimizer.")
        pairs.append((variable, stored[name]))
    return pairs


# ---------------------------------------------------------------- Orbax


def _shapes(step: Path) -> dict[Place, tuple[int, ...]]:
    """The shapes of the values in a step."""
    orbax = package()
    with _damage_told(step):
        metadata = orbax.PyTreeCheckpointer().metadata(step / VALUES).item_metadata
        if metadata is None:
            raise ValueError("the list of its values cannot be read.")
        return {tuple(map(str, path)): tuple(leaf.shape) for path, leaf in tree.flatten_with_path(metadata.tree)}


def _values(step: Path, places: Iterable[Place]) -> dict[Place, np.ndarray]:
    """Some values of a step, whose shapes are known to match the variables."""
    orbax = package()
    wanted: dict[str, Any] = {}
    for *folders, leaf in places:
        branch = wanted
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[leaf] = 0
    as_numpy = tree.map_structure(lambda _: orbax.RestoreArgs(restore_type=np.ndarray), wanted)
    found = _restored(step, VALUES, wanted, restore_args=as_numpy)
    return {tuple(map(str, path)): value for path, value in tree.flatten_with_path(found)}


def _restored(step: Path, part: str, wanted: dict[str, Any], **arguments: object) -> Any:
    """The values of a part of a step at the places in `wanted`, and nothing else."""
    orbax = package()
    restore = orbax.args.PyTreeRestore(item=wanted, partial_restore=True, **arguments)
    with _damage_told(step):
        return orbax.Checkpointer(orbax.PyTreeCheckpointHandler()).restore(step / part, args=restore)


def _config(step: Path, options: LoadOptions) -> ConfigDict:
    """The config of the model in a step."""
    orbax = package()
    with _damage_told(step):
        kinds = orbax.PyTreeCheckpointer().metadata(step / CONFIG).item_metadata.tree
    if type(kinds.get("config")).__name__ != "StringMetadata":
        raise DamagedFileError(f"{_shown(step)} is damaged: its config is not text.")
    text = _restored(step, CONFIG, {"config": 0})["config"]
    config = plain_json.parsed(str(text).encode(), f"{CONFIG} in {_shown(step)}")
    return config if options.compile else {key: value for key, value in config.items() if key != "compile_config"}


@contextmanager
def _damage_told(step: Path) -> Iterator[None]:
    """Context in which errors of Orbax are reported as damage."""
    try:
        yield
    except Exception as error:  # the library raises many types
        raise DamagedFileError(f"{_shown(step)} is damaged, or is not a checkpoint: {validate.plain(error)}") from error


def _shown(step: Path) -> str:
    return f"The checkpoint {str(step)!r}"
