"""An editor of weights files: list, compare with a model, modify and save.

A file contains objects (layers, cells, an optimizer), each at a path such as `layers/dense` and with weights by name,
mostly numbers: `"0"`, `"1"`. All are read when the file is opened; the file itself is never changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cornu import lazy, validate
from cornu.core import budget, parts
from cornu.core.tracebacks import of_a_file
from cornu.core.typing import AnyFunction
from cornu.errors import MissingFileError
from cornu.random import SeedGenerator
from cornu.saving import archive, plain_h5, shards, weights_h5
from cornu.saving.atomic import replacing

if TYPE_CHECKING:
    import h5py
    import rich.console as rich_console
    import rich.tree as rich_tree
else:
    h5py = lazy.module("h5py")
    rich_console = lazy.module("rich.console")
    rich_tree = lazy.module("rich.tree")

_WEIGHTS = ".weights.h5"


class KerasFileEditor:
    """An editor of a weights file: lists, renames, removes and adds its objects.

    Args:
        filepath: a `.keras`, `.weights.h5` or `.weights.json` file.

    Raises:
        ValueError: if the file does not exist or is damaged.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(4), cornu.layers.Dense(2)])
        model.save_weights("old.weights.h5")
        editor = cornu.saving.KerasFileEditor("old.weights.h5")
        editor.summary()
        editor.delete_object("layers/dense_1")
        editor.add_object("layers/einsum_dense", weights={"0": np.ones((4, 5))})
        editor.save("new.weights.h5")
    """

    def __init__(self, filepath: str | os.PathLike[str]):
        self.filepath = os.fsdecode(filepath)
        self.console = rich_console.Console(highlight=False)
        self.metadata: dict[str, Any] | None = None
        self._weights: dict[str, dict[str, np.ndarray]] = {}  # by the object's path; "" is the model
        self._names: dict[str, str] = {}  # names of objects, by path
        with budget.load(), of_a_file(), _opened(self.filepath) as (metadata, files):
            self.metadata = metadata
            for file in files:
                self._read(file)
        self._print(f"Weights file {self.filepath!r}")
        if metadata is not None:
            self._print(f"Written by Keras {metadata.get('keras_version')}, {metadata.get('date_saved')}")

    # ------------------------------------------------------------ looking

    @property
    def weights_dict(self) -> dict[str, Any]:
        """The arrays as dictionaries, nested like the objects of the file."""
        found: dict[str, Any] = {}
        for path, weights in _in_order(self._weights):
            place = found
            for name in filter(None, path.split("/") if weights else ()):
                place = place.setdefault(name, {})
            place.update(_in_order(weights))
        return found

    def summary(self) -> None:
        """Print the objects of the file as a tree, with the shapes and dtypes of their weights."""
        root = rich_tree.Tree("Weights")
        branches = {"": root}
        for path, weights in _in_order(self._weights):
            if not weights:
                continue
            branch = _branch(branches, path)
            for name, value in _in_order(weights):
                branch.add(f"{validate.plain(name)}: shape={tuple(value.shape)}, dtype={value.dtype.name}")
        self.console.print(root, markup=False)

    def compare(self, reference_model: object) -> dict[str, object]:
        """Compare the file with a model, and print each difference.

        Args:
            reference_model: a built model.

        Returns:
            Dictionary with `status`, "success" or "error"; `error_count`, the number of objects and weights that
            differ; and `match_count`, the number of weights that are in both with the same shape.
        """
        if not hasattr(reference_model, "save_own_variables"):
            raise ValueError(
                f"KerasFileEditor.compare: reference_model must be a model. Received: {reference_model!r:.200}."
            )
        theirs = _shapes_of_model(reference_model, self._weights)
        ours = {path: _shapes(weights) for path, weights in self._weights.items() if weights}
        errors = list(_differences(theirs, ours))
        matches = sum(
            shape == ours.get(path, {}).get(name) for path, shapes in theirs.items() for name, shape in shapes.items()
        )
        for error in errors:
            self._print(f"... {error}")
        self._print(f"{len(errors)} differences, {matches} matching weights: the file {_verdict(errors)} the model.")
        return {"status": "error" if errors else "success", "error_count": len(errors), "match_count": matches}

    # ------------------------------------------------------------ changing

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object, including everything inside it.

        Args:
            object_name: its name, if unique, or its path.
            new_name: the new name, without a path; no sibling may have it.
        """
        path = self._find(object_name)
        if not path:
            raise ValueError("rename_object: the model itself does not have a name in the file.")
        if not isinstance(new_name, str) or not new_name or "/" in new_name or new_name in (".", "..", "vars"):
            raise ValueError(
                f"rename_object: new_name must be a name without '/'. Received: new_name={validate.shown(new_name)}."
            )
        folder = path.rpartition("/")[0]
        new = f"{folder}/{new_name}" if folder else new_name
        if new != path and new in self._paths():
            raise ValueError(f"rename_object: there is an object {new!r} already. Delete it first.")
        tables: tuple[dict[str, Any], ...] = (self._weights, self._names)
        for table in tables:
            for old in [p for p in table if _is_in(p, path)]:
                table[new + old.removeprefix(path)] = table.pop(old)

    def delete_object(self, object_name: str) -> None:
        """Remove an object with all that is inside it.

        Args:
            object_name: its name, where only one object has it, or its path.
        """
        path = self._find(object_name)
        for table in (self._weights, self._names):
            for old in [p for p in table if _is_in(p, path)]:
                del table[old]

    def add_object(self, object_path: str, weights: Mapping[str, object]) -> None:
        """Add an object; one that is there already is replaced, with all that is inside it.

        Args:
            object_path: its path, such as `"layers/dense_2"`.
            weights: arrays by name, such as `{"0": kernel, "1": bias}`.
        """
        path = object_path.strip("/") if isinstance(object_path, str) else ""
        if not path or any(name in ("", ".", "..", "vars") for name in path.split("/")):
            raise ValueError(
                f"add_object: object_path must be a path of names. Received: object_path={validate.shown(object_path)}."
            )
        added = _arrays(weights, "add_object")
        if path in self._paths():
            self.delete_object(f"/{path}")
        self._weights[path] = added

    def add_weights(self, object_name: str, weights: Mapping[str, object]) -> None:
        """Add weights to an object; existing ones are replaced.

        Args:
            object_name: the object's name, if unique, or its path.
            weights: arrays by name, such as `{"2": scale}`.
        """
        path = self._find(object_name)
        self._weights[path] = self._weights.get(path, {}) | _arrays(weights, "add_weights")

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove a weight of an object.

        Args:
            object_name: the object's name, if unique, or its path.
            weight_name: the weight's name, such as `"1"`.
        """
        path = self._find(object_name)
        weights = self._weights.get(path, {})
        if weight_name not in weights:
            raise ValueError(f"{path!r} has no weight {weight_name!r}. It has: {sorted(weights)}.")
        del weights[weight_name]

    # ------------------------------------------------------------ writing

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the current weights.

        Args:
            filepath: name ending in `.weights.h5`; an existing file is replaced.
        """
        path = os.fsdecode(filepath)
        if not path.endswith(_WEIGHTS):
            raise ValueError(
                f"KerasFileEditor.save: the file's name must end with {_WEIGHTS!r}. "
                f"Received: filepath={validate.shown(path)}."
            )
        with replacing(path) as temporary, open(temporary, "w+b") as made, plain_h5.created(made) as file:
            for place, weights in self._weights.items():
                group = file.create_group(weights_h5.group_path(place))
                if place in self._names:
                    group.attrs["name"] = self._names[place]
                for name, value in weights.items():
                    weights_h5.write_array(group, name, value)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Write the current weights; the same as `save`.

        Args:
            filepath: name ending in `.weights.h5`; an existing file is replaced.
        """
        self.save(filepath)

    # ------------------------------------------------------------ inside

    def _print(self, text: str) -> None:
        self.console.print(validate.plain(text), markup=False, soft_wrap=True)

    def _read(self, file: h5py.File) -> None:
        """Read one file."""
        for group in weights_h5.variable_groups(file):
            path = group.rpartition("/")[0]
            found = cast(h5py.Group, plain_h5.group(file, group))
            own = self._weights.setdefault(path, {})
            if isinstance(title := plain_h5.attribute(found, "name"), str):
                self._names[path] = title
            for name in found:
                if name in own:
                    raise ValueError(f"{self.filepath!r} has the weight {name!r} of {path!r} twice.")
                own[name] = plain_h5.array(plain_h5.dataset(found, name))

    def _paths(self) -> list[str]:
        """The paths of all objects and of their parents."""
        found: dict[str, None] = {}
        for path in self._weights:
            names = path.split("/")
            found |= {"/".join(names[: depth + 1]): None for depth in range(len(names))}
        return list(found)

    def _find(self, name: str) -> str:
        """The path of the object with the given name or path."""
        paths = self._paths()
        path = str(name).strip("/")
        if path in paths:
            return path
        found = [] if "/" in str(name) else [p for p in paths if p.rpartition("/")[2] == path]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{self.filepath!r} has several objects called {name!r}; pass one of the paths {found}.")
        raise ValueError(f"{self.filepath!r} has no object {name!r}. Did you mean: {validate.closest(path, paths)}.")


@contextmanager
def _opened(path: str) -> Iterator[tuple[dict[str, object] | None, Sequence[h5py.File]]]:
    """(metadata, files with weights) of a file of any format with objects."""
    for ending, open_it in _OPENERS.items():
        if path.endswith(ending):
            if not os.path.isfile(path):
                raise MissingFileError.of(path)
            with open_it(path) as found:
                yield found
            return
    raise ValueError(
        f"KerasFileEditor: the file's name must end with {', '.join(map(repr, _OPENERS))}. "
        f"Received: filepath={validate.shown(path)}."
    )


@contextmanager
def _of_archive(path: str) -> Iterator[tuple[dict[str, object], Sequence[h5py.File]]]:
    with archive.opened(path) as members, members.weights() as file:
        yield members.json(archive.METADATA), [file]


@contextmanager
def _of_weights(path: str) -> Iterator[tuple[None, Sequence[h5py.File]]]:
    with plain_h5.opened(path, repr(path)) as file:
        yield None, [file]


@contextmanager
def _of_shards(path: str) -> Iterator[tuple[None, Sequence[h5py.File]]]:
    with shards.opened(path) as files:
        yield None, files


_OPENERS: dict[str, AnyFunction] = {".keras": _of_archive, _WEIGHTS: _of_weights, ".weights.json": _of_shards}


def _arrays(weights: object, owner: str) -> dict[str, np.ndarray]:
    """Check that weights are named numeric arrays, and return them as arrays."""
    if not isinstance(weights, Mapping) or not all(isinstance(name, str) for name in weights):
        raise ValueError(
            f"{owner}: weights must be arrays by name, such as {{'0': kernel}}. Received: {weights!r:.200}."
        )
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    for name, array in arrays.items():
        if not name or "/" in name or name in (".", "..") or array.dtype.kind not in "fiubcV":
            raise ValueError(
                f"{owner}: weights must be numeric arrays with plain names. Received: {name!r}: {weights[name]!r:.200}."
            )
    return arrays


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _in_order(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Entries sorted by name, with numbers in natural order: 2 before 10."""
    return sorted(table.items(), key=lambda entry: [parts.in_order(name) for name in entry[0].split("/")])


def _branch(branches: dict[str, Any], path: str) -> Any:
    """The branch of the tree for an object, created if missing."""
    if path not in branches:
        folder, _, name = path.rpartition("/")
        branches[path] = _branch(branches, folder).add(validate.plain(name))
    return branches[path]


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(np.shape(value)) for name, value in weights.items()}


def _shapes_of_model(model: object, stored: Mapping[str, object]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes that a file of the model's weights has; seeds count if they are stored, as in loading."""
    found = {}
    for group, part, store in weights_h5.stores(model):
        path = group.rpartition("/")[0]
        if store and (path in stored or not isinstance(part, SeedGenerator)):
            found[path] = _shapes(store)
    return found


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each difference between the model and the file."""
    for path, shapes in theirs.items():
        if path not in ours:
            yield f"Object /{path} is only in the model, with the weights {list(shapes)}"
            continue
        for name in shapes | ours[path]:
            if name not in ours[path]:
                yield f"Weight /{path}/{name} is only in the model"
            elif name not in shapes:
                yield f"Weight /{path}/{name} is only in the file"
            elif shapes[name] != ours[path][name]:
                yield f"Weight /{path}/{name} has shape {shapes[name]} in the model, {ours[path][name]} in the file"
    for path in ours:
        if path not in theirs:
            yield f"Object /{path} is only in the file, with the weights {list(ours[path])}"


def _verdict(errors: list[str]) -> str:
    return "does not match" if errors else "matches"
