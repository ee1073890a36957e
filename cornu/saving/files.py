"""Models and weights as files: the extension selects the format; the steps common to all formats are here.

A format is a module with some of four functions: `save_model(model, path, with_training)`, `load_model(path, options)`,
`save_weights(model, path)` and `load_weights(model, path, skip_mismatch, by_name)`, which returns a line for each part
that it skipped. Arguments specific to one format are keyword-only there. Writing is atomic in all of them.
"""

from __future__ import annotations

import inspect
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from cornu import spelling, validate
from cornu.core import budget, function_code, peers, placement
from cornu.core.tracebacks import filtered, of_a_file, warn
from cornu.core.typing import AnyFunction, CustomObjects
from cornu.core.variable import Variable, deferred_values, reading_one_state, values_of
from cornu.errors import MissingFileError
from cornu.saving import archive, legacy_functions, legacy_model, orbax, plain_h5, safetensors, shards, weights_h5
from cornu.saving.options import LoadOptions
from cornu.saving.report import inspect_file

# What to do instead of arguments that Keras 2 accepted.
_HINTS = {
    "save_format": "Omit save_format: the file extension, '.keras' or '.h5', selects the format.",
}
# The longest matching extension wins.
_FORMATS: dict[str, ModuleType] = {
    ".weights.h5": weights_h5,
    ".weights.json": shards,
    ".safetensors": safetensors,
    ".keras": archive,
    ".h5": legacy_model,
    ".hdf5": legacy_model,
}


@filtered
def save_model(
    model: object,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    include_optimizer: bool = True,
    **kwargs: object,
) -> None:
    """Write a model with its weights, compile arguments and optimizer state.

    Args:
        model: the model.
        filepath: name ending in `.keras`, or in `.h5` for the older format, which other tools read; with
            `zipped=False`, the name of a directory.
        overwrite: whether an existing file may be replaced; the old one stays until the new one is complete. Defaults
            to True.
        zipped: False writes the members of the `.keras` file into a directory. None by default: one file.
        include_optimizer: whether to include the compile arguments and the optimizer state. Defaults to True.
        kwargs: must be empty.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        cornu.models.save_model(model, "model.keras")
        same = cornu.models.load_model("model.keras")
    """
    if kwargs:
        hints = " ".join(_HINTS[name] for name in kwargs if name in _HINTS)
        raise ValueError(f"save_model: unknown argument(s) {', '.join(map(repr, kwargs))}. {hints}".rstrip())
    path = _path(filepath, "save_model")
    legacy_functions.warn_of_use(model)
    if zipped is False:
        if path.endswith(".keras"):
            raise ValueError(
                f"save_model: zipped=False writes a folder, whose name must not end in '.keras'. "
                f"Received: {validate.shown(path)}."
            )
        write, target = archive.save_folder, _target
    else:
        write, target = _format(path, "save_model").save_model, _target_file
    with _one_state(model), _written_once(model, path, overwrite, target) as place:
        write(model, place, include_optimizer)
    if _has_nothing_yet(model):
        warn(
            f"save_model: {validate.describe(model)} is not built, so it is saved without weights. To save those, call "
            "it on data first."
        )


@filtered
def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: CustomObjects | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    report: bool = False,
) -> Any:
    """Load a model written by `save_model`.

    Args:
        filepath: a `.keras` file, a directory written by `save_model(zipped=False)` or `callbacks.OrbaxCheckpoint`,
            whose latest checkpoint is used, or a whole-model `.h5` file of any Keras release.
        custom_objects: dictionary from names to the custom classes and functions that the file refers to. None by
            default.
        compile: whether to compile the model as it was, with its optimizer state. Defaults to True.
        safe_mode: only an explicit False lets the code of a `Lambda` layer be read from the file and run. Use it only
            for files that you trust as you trust a program. Defaults to True.
        report: whether to return a report of what the file contains and what loading it would do, instead of a model.
            Works for all of these files and for weights files. Nothing from the file is run, and no weight is read.

    Raises:
        ValueError: if the file is not a model, names unknown classes, lacks weights, or contains code.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        model.save("model.keras")
        print(cornu.models.load_model("model.keras", report=True))
    """
    path = _existing(filepath, "load_model")
    options = LoadOptions(custom_objects or {}, compile, safe_mode)
    if report:
        return inspect_file(path, options, partial(_load, path, options._replace(safe_mode=True)))
    return _load(path, options)


def _load(path: str, options: LoadOptions) -> Any:
    with budget.load(), function_code.reading(options.safe_mode, repr(path)), deferred_values():
        if os.path.isdir(path):
            return (orbax if orbax.is_checkpoint(path) else archive).load_folder(path, options)
        form = legacy_model if _is_hdf5(path) else _format(path, "load_model")
        return form.load_model(path, options)


def _is_hdf5(path: str) -> bool:
    """Whether a file is HDF5, which Keras 2 wrote under any name, including `.keras`."""
    with open(path, "rb") as file:
        return file.read(len(plain_h5.SIGNATURE)) == plain_h5.SIGNATURE


@filtered
def save_weights(
    model: object,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: object,
) -> None:
    """Write only the weights of a model.

    Args:
        model: the model.
        filepath: name ending in `.weights.h5`, `.weights.json` or `.safetensors`, or in `.h5` for the older format.
        overwrite: whether an existing file may be replaced. Defaults to True.
        max_shard_size: maximum size of a file in gigabytes of 2^30 bytes. The weights are split over as many files as
            needed, and `filepath`, ending in `.weights.json`, becomes their index. None writes a single file.
        kwargs: for `.weights.h5`, `objects_to_skip`, a list of parts that are skipped, including everything in them.
            For `.safetensors`, `metadata`, strings by name to store in the file header, and `name_map`, as for
            `load_weights`, from the model's names to the file's.

    Example:

        model = cornu.Sequential([cornu.Input((300,)), cornu.layers.Dense(200)])
        model.save_weights("model.safetensors", metadata={"license": "Apache-2.0"})
        model.save_weights("model.weights.json", max_shard_size=0.25)
    """
    path = _path(filepath, "save_weights")
    if _has_nothing_yet(model):
        raise ValueError(
            f"save_weights: {validate.describe(model)} is not built, so it has no weights yet. Call it on data first, "
            "or build(input_shape)."
        )
    if max_shard_size is not None:
        path = shards.table_path(path)
        kwargs["max_shard_size"] = max_shard_size
    write = _format(path, "save_weights").save_weights
    _check_options(write, "save_weights", kwargs)
    with _one_state(model), _written_once(model, path, overwrite, _target_file) as place:
        write(model, place, **kwargs)


def _has_nothing_yet(model: Any) -> bool:
    """Whether the model's weights have not been created yet."""
    return not (getattr(model, "built", True) or model.variables)


def _one_state(model: Any) -> AbstractContextManager[object]:
    """Context in which the model's state is frozen, even if another thread is training it."""
    return reading_one_state(_state(model))


def _state(model: Any) -> list[Variable]:
    """The variables of a model and of its optimizer."""
    optimizer = getattr(model, "optimizer", None)
    return [*model.variables, *(optimizer.variables if optimizer is not None else ())]


@filtered
@contextmanager
def _written_once(model: Any, path: str, overwrite: bool, target: Callable[[str, bool], str]) -> Iterator[str]:
    """Context with the path to write to; all processes leave it together, once the file is complete or has failed.

    All of them gather the weights; every process except the first writes to a temporary path that is deleted.
    """
    with placement.failing_together():
        path = target(path, overwrite) if placement.writes() else path
    with placement.failing_together(may_wait=any(map(peers.is_parted, values_of(_state(model))))):
        if placement.writes():
            yield path
        else:
            with tempfile.TemporaryDirectory(prefix="cornu-") as folder:
                yield os.path.join(folder, os.path.basename(path))


def load_weights(
    model: object, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: object
) -> None:
    """Load the weights of a file into a built model.

    Args:
        model: a built model.
        filepath: a `.weights.h5`, `.weights.json`, `.safetensors`, `.keras` or older `.h5` file, or a directory of
            `callbacks.OrbaxCheckpoint`, which also includes the optimizer state.
        skip_mismatch: whether to skip parts whose weights do not match, with a warning. Defaults to False.
        kwargs: for older `.h5` files, `by_name=True` matches layers by name instead of by order. For `.weights.h5`,
            `objects_to_skip` is a list of parts that were skipped when saving. For `.safetensors`, `name_map` maps the
            file's names to the model's, such as `dense/kernel`: a dictionary, whose missing names stay unchanged, or a
            function of the name. It returns the model's name, None to ignore the array, or a pair of the name and a
            function to apply to the array.

    Raises:
        ValueError: if the file is damaged or does not match the model; then no weight is changed.

    Example:

        state = {"0.weight": np.ones((16, 3, 5, 5)), "0.bias": np.zeros(16)}  # names and shapes as PyTorch has them
        state |= {"4.weight": np.ones((10, 256)), "4.bias": np.zeros(10)}
        cornu.saving.safetensors.write("torch.safetensors", state, {"format": "pt"})

        model = cornu.Sequential([
            cornu.Input((3, 8, 8)),
            cornu.layers.Conv2D(16, 5, data_format="channels_first", name="conv"),
            cornu.layers.Flatten(),
            cornu.layers.Dense(10, name="head"),
        ])
        layers = {"0": "conv", "4": "head"}
        turned = {"conv": lambda x: x.transpose(2, 3, 1, 0), "head": lambda x: x.T}

        def from_torch(name):
            number, kind = name.split(".")
            layer = layers[number]
            return (f"{layer}/kernel", turned[layer]) if kind == "weight" else f"{layer}/bias"

        model.load_weights("torch.safetensors", name_map=from_torch)
    """
    by_name = kwargs.pop("by_name", False)
    path = _existing(filepath, "load_weights")
    misnamed = path.endswith(".keras") and _is_hdf5(path)
    is_checkpoint = os.path.isdir(path) and orbax.is_checkpoint(path)
    form = orbax if is_checkpoint else legacy_model if misnamed else _format(path, "load_weights")
    read = form.load_weights
    _check_options(read, "load_weights", kwargs)
    with budget.load(), of_a_file():
        skipped = read(model, path, skip_mismatch, by_name, **kwargs)
    for line in skipped:
        warnings.warn(f"load_weights: skipped. {validate.plain(line)}", stacklevel=2)


_OPTIONS = {"save_weights": ("overwrite", "max_shard_size"), "load_weights": ("skip_mismatch", "by_name")}


def _check_options(function: AnyFunction, action: str, options: Iterable[str]) -> None:
    """Reject arguments that a format's function does not accept."""
    for name in options:
        if name not in _own_options(function):
            others = [e for e, module in _FORMATS.items() if name in _own_options(getattr(module, action, None))]
            if others:
                raise ValueError(f"{action}: {name} is for files that end in {_listed(others)}.")
            known = spelling.likely(name, [*_own_options(function), *_OPTIONS[action]], at_least=0.6)
            closest = f" Closest: {', '.join(map(repr, known))}." if known else ""
            raise ValueError(f"{action}: unknown argument {name!r}.{closest}")


def _own_options(function: AnyFunction | None) -> set[str]:
    """The arguments specific to one format."""
    parameters = inspect.signature(function).parameters.values() if function else ()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _format(path: str, action: str) -> ModuleType:
    """The module of the format given by the file extension, if it supports `action`."""
    able = {ending: module for ending, module in _FORMATS.items() if hasattr(module, action)}
    for ending in sorted(able, key=len, reverse=True):
        if path.endswith(ending):
            return able[ending]
    folder = " For a program to serve, instead of a SavedModel, use model.export('model.stablehlo')."
    raise ValueError(
        f"{action}: the file's name must end with {_listed(able)}. Received: {validate.shown(path)}."
        + folder * (action == "save_model" and not os.path.splitext(path)[1])
    )


def _listed(endings: Iterable[str]) -> str:
    *most, last = map(repr, endings)
    return f"{', '.join(most)} or {last}" if most else last


def _path(filepath: object, action: str) -> str:
    """A file name as a string."""
    if not isinstance(filepath, (str, bytes, os.PathLike)):
        raise TypeError(f"{action}: filepath must be a file name. Received: filepath={filepath!r:.200}.")
    return os.fsdecode(filepath)


def _existing(filepath: object, action: str) -> str:
    path = _path(filepath, action)
    if not os.path.exists(path):
        raise MissingFileError.of(path)
    if not (os.path.isfile(path) or os.path.isdir(path)):  # opening a pipe would block until someone writes to it
        raise ValueError(f"{action}: {path!r} is neither a file nor a directory, but a pipe, a socket or a device.")
    return path


def _target(path: str, overwrite: bool) -> str:
    """The path, if it may be written."""
    if os.path.exists(path) and not overwrite:
        raise ValueError(f"{path!r} already exists. Pass overwrite=True to replace it.")
    return path


def _target_file(path: str, overwrite: bool) -> str:
    """The path, if it is not a directory either."""
    if os.path.isdir(path):
        raise ValueError(f"{path!r} is a directory. Pass the name of a file in it, or remove it.")
    return _target(path, overwrite)
