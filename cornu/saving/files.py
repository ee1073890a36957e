"""Models and weights as files: the ending of the name tells the format, and what holds for all formats is done here.

A format is a module with some of four functions: `save_model(model, path)`, `load_model(path, options)`,
`save_weights(model, path)` and `load_weights(model, path, skip_mismatch, by_name)`, which returns a line for each part
that it skipped. Writing is atomic in all of them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from cornu.saving import archive, legacy_h5, weights_h5
from cornu.saving.options import LoadOptions

# The longest ending that fits counts.
_FORMATS: dict[str, ModuleType] = {
    ".weights.h5": weights_h5,
    ".keras": archive,
    ".h5": legacy_h5,
    ".hdf5": legacy_h5,
}


def save_model(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Write a model with its weights, compile arguments and optimizer state.

    Args:
        model: the model.
        filepath: name ending in `.keras`, or, with `zipped=False`, the name of a folder.
        overwrite: whether a file of this name may be replaced; the old one stays until the new one is whole.
        zipped: False writes the parts of the `.keras` file into a folder.
        kwargs: none is taken.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        cornu.models.save_model(model, "model.keras")
        same = cornu.models.load_model("model.keras")
    """
    if kwargs:
        raise ValueError(f"save_model: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    path = os.fsdecode(filepath)
    if zipped is False:
        if path.endswith(".keras"):
            raise ValueError(
                f"save_model: zipped=False writes a folder, whose name must not end in '.keras'. Received: {path!r}."
            )
        archive.save_folder(model, _target(path, overwrite))
        return
    _format(path, "save_model").save_model(model, _target(path, overwrite))


def load_model(
    filepath: str | os.PathLike,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that `save_model` wrote.

    Args:
        filepath: a `.keras` file, or a folder that `save_model(zipped=False)` wrote.
        custom_objects: dictionary from name to the classes and functions of one's own that the file names.
        compile: whether the model is compiled as it was, with its optimizer's state.
        safe_mode: only False itself, said here, lets the code of a `Lambda` layer be read from the file and run. Say
            it for files that you trust as you trust a program.

    Raises:
        ValueError: when the file is no model, names unknown classes, lacks weights, or holds code.
    """
    path = _existing(filepath)
    options = LoadOptions(custom_objects or {}, compile, safe_mode)
    if os.path.isdir(path):
        return archive.load_folder(path, options)
    return _format(path, "load_model").load_model(path, options)


def save_weights(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None, **kwargs: Any
) -> None:
    """Write a model's weights alone.

    Args:
        model: the model.
        filepath: name ending in `.weights.h5`.
        overwrite: whether a file of this name may be replaced.
        max_shard_size: must be None: the weights are one file.
        kwargs: none is taken.
    """
    if kwargs:
        raise ValueError(f"save_weights: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    if max_shard_size is not None:
        raise ValueError("save_weights: weights are written as one file; max_shard_size must be None.")
    path = os.fsdecode(filepath)
    _format(path, "save_weights").save_weights(model, _target(path, overwrite))


def load_weights(model: Any, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Give a built model the weights of a `.weights.h5`, `.keras` or older `.h5` file.

    Args:
        model: the model, built.
        filepath: the file.
        skip_mismatch: whether parts whose weights do not fit are left as they are, with a warning.
        kwargs: `by_name=True`, for older `.h5` files alone, matches layers by name instead of by order.
    """
    by_name = kwargs.pop("by_name", False)
    if kwargs:
        raise ValueError(f"load_weights: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    path = _existing(filepath)
    for line in _format(path, "load_weights").load_weights(model, path, skip_mismatch, by_name):
        warnings.warn(f"load_weights: skipped. {line}", stacklevel=2)


def _format(path: str, action: str) -> ModuleType:
    """The module of the format that the name's ending stands for, when it can do `action`."""
    able = {ending: module for ending, module in _FORMATS.items() if hasattr(module, action)}
    for ending in sorted(able, key=len, reverse=True):
        if path.endswith(ending):
            return able[ending]
    raise ValueError(f"{action}: the file's name must end in {_listed(able)}. Received: {path!r}.")


def _listed(endings: Iterable[str]) -> str:
    *most, last = map(repr, endings)
    return f"{', '.join(most)} or {last}" if most else last


def _existing(filepath: str | os.PathLike) -> str:
    path = os.fsdecode(filepath)
    if not os.path.exists(path):
        raise ValueError(f"There is no file {path!r}.")
    return path


def _target(path: str, overwrite: bool) -> str:
    """The path, when it may be written."""
    if os.path.exists(path) and not overwrite:
        raise ValueError(f"{path!r} is there already. Pass overwrite=True to replace it.")
    return path
