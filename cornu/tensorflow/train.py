"""`tensorflow.train`: checkpoints of models, optimizers and variables, each one a single NumPy file.

A model that has no weights yet takes those of a checkpoint in its first call, before it computes anything.
"""

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cornu.core import context
from cornu.core.symbolic import output_spec
from cornu.core.typing import Tensor
from cornu.core.variable import Variable, assigned_together
from cornu.data.dataset import DatasetIterator
from cornu.layers.layer import Layer
from cornu.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from cornu.saving.atomic import replacing
from cornu.tensorflow import errors
from cornu.tensorflow.example import (
    BytesList,
    Example,
    Feature,
    FeatureList,
    FeatureLists,
    Features,
    FloatList,
    Int64List,
    SequenceExample,
)
from cornu.tensorflow.served import within
from cornu.tensorflow.types import DType, as_dtype

__all__ = [
    "SGD", "Adagrad", "Adam", "BytesList", "Checkpoint", "CheckpointManager", "Example", "ExponentialMovingAverage",
    "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List", "RMSprop", "SequenceExample",
    "checkpoints_iterator", "get_checkpoint_state", "latest_checkpoint", "list_variables", "load_checkpoint",
    "load_variable",
]  # fmt: skip

_LATEST = "checkpoint"  # the file in a folder of checkpoints that names the latest one


class Restored:
    """What `Checkpoint.restore` gives: every object that is in the file has been set.

    Args:
        missing: the objects that are not in the file.
        unused: what the file holds for other objects.
        waiting: the objects that are set when a model is called for the first time; emptied then.
    """

    def __init__(
        self, missing: Sequence[str] = (), unused: Sequence[str] = (), waiting: Mapping[str, object] | None = None
    ):
        self._missing, self._unused, self._waiting = missing, unused, waiting if waiting is not None else {}

    def assert_existing_objects_matched(self) -> "Restored":
        """Every object was in the file."""
        if self._missing:
            raise AssertionError(f"tf.train.Checkpoint: the file has no values for {', '.join(self._missing)}.")
        return self

    def assert_consumed(self) -> "Restored":
        """Every object was in the file, and everything in the file belongs to an object."""
        if self._unused:
            raise AssertionError(f"tf.train.Checkpoint: nothing here takes {', '.join(self._unused)} of the file.")
        if self._waiting:
            raise AssertionError(
                f"tf.train.Checkpoint: {', '.join(self._waiting)} will be set when the models are called for the first "
                "time, which they have not been yet."
            )
        return self.assert_existing_objects_matched()

    assert_nontrivial_match = assert_existing_objects_matched

    def expect_partial(self) -> "Restored":
        """The same, without a warning, which there is not."""
        return self


class Checkpoint:
    """Objects with variables, and iterators of datasets, to be saved and restored together.

    Args:
        root: an object of its own.
        **objects: models, optimizers, metrics, modules, variables, iterators, by name.

    Example:

        checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
        path = checkpoint.save("checkpoints/ckpt")
        checkpoint.restore(path)
    """

    def __init__(self, root: object = None, **objects: object):
        self.save_counter = Variable(0, dtype="int32", trainable=False, name="save_counter")
        self._objects = {"save_counter": self.save_counter, **({} if root is None else {"root": root}), **objects}
        self.__dict__.update(objects)

    def save(self, file_prefix: str | os.PathLike[str], options: object = None) -> str:
        """Write the next checkpoint, and give its path without the ending."""
        self.save_counter.assign_add(1)
        return self.write(f"{os.fspath(file_prefix)}-{int(self.save_counter.numpy())}")

    def write(self, file_prefix: Any, options: object = None) -> str:
        """Write a checkpoint of this name."""
        path = Path(os.fspath(file_prefix))
        values: dict[str, Any] = {
            key: value for name, owner in self._objects.items() for key, value in _values(name, owner).items()
        }
        with replacing(f"{path}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **values)
        (path.parent / _LATEST).write_text(path.name)
        return str(path)

    def restore(self, save_path: Any, options: object = None) -> Restored:
        """Set what a checkpoint has values for; None, where there is none yet, changes nothing.

        A model that is not built takes its weights in its first call, and an optimizer with it.
        """
        if save_path is None:
            return Restored()
        with np.load(f"{os.fspath(save_path)}.npz", allow_pickle=False) as stored:
            parts = {name: _part(stored, name) for name in self._objects}
            used = {key for part in parts.values() for key in part}
            unused = sorted(set(stored.files) - used)
        found = {name: part for name, part in parts.items() if part}
        unbuilt = {name: self._objects[name] for name, part in found.items() if self._lacks_weights(name, len(part))}
        waiting = {name: found[name] for name in found if unbuilt and (name in unbuilt or self._waits(name))}
        self._set({name: part for name, part in found.items() if name not in waiting}, save_path)

        def take(name: str) -> None:
            now = {name: waiting.pop(name)} if name in waiting else {}
            if not unbuilt.keys() & waiting.keys():  # what is left are optimizers, which need all the models
                now |= waiting
                waiting.clear()
            self._set(now, save_path)

        for name, owner in unbuilt.items():
            _before_first_call(owner, functools.partial(take, name))
        return Restored([name for name in self._objects if name not in found], unused, waiting)

    def _lacks_weights(self, name: str, count: int) -> bool:
        """Whether an object is a model that has yet to make weights which the file has."""
        owner = self._objects[name]
        if not isinstance(owner, Layer) or all(layer.built for layer in owner._flatten_layers()):
            return False
        return len(_variables(name, owner)) != count

    def _waits(self, name: str) -> bool:
        """Whether an object needs the weights of the models."""
        owner = self._objects[name]
        return isinstance(owner, Optimizer) and not owner.built

    def _set(self, found: Mapping[str, dict[str, np.ndarray]], path: object) -> None:
        for name, part in found.items():
            self._make_ready(name, len(part), path)
        with assigned_together():
            for name, part in found.items():
                _set(self._objects[name], list(part.values()))

    read = restore

    def _make_ready(self, name: str, count: int, path: object) -> None:
        """Raise ValueError unless an object has as many variables as the file; build an optimizer for the models."""
        owner = self._objects[name]
        if isinstance(owner, Optimizer) and not owner.built:
            models = [each for each in self._objects.values() if isinstance(each, Layer)]
            owner.build([variable for model in models for variable in model.trainable_variables])
        if not isinstance(owner, DatasetIterator) and len(_variables(name, owner)) != count:
            raise ValueError(
                f"tf.train.Checkpoint.restore: {path} holds {count} variables of {name}, which has "
                f"{len(_variables(name, owner))}. Build the models and the optimizers first: call each model on a "
                "batch, and optimizer.build(model.trainable_variables)."
            )


def _before_first_call(owner: Any, take: Callable[[], None]) -> None:
    """Call `take` as soon as a model has made its weights, in `build` or in its first call, before it uses them."""
    build, function = owner.build, owner.call

    def taken() -> None:
        for name in ("build", "call"):
            owner.__dict__.pop(name, None)
        with jax.ensure_compile_time_eval(), context.scope(states=()):
            take()

    def build_and_take(*args: Any, **kwargs: Any) -> None:
        build(*args, **kwargs)
        if all(layer.built for layer in owner._flatten_layers()):
            taken()

    def take_and_call(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(Exception):  # the weights are counted afterwards
            output_spec(function, *args, **kwargs)
        taken()
        return function(*args, **kwargs)

    object.__setattr__(owner, "build", build_and_take)
    object.__setattr__(owner, "call", take_and_call)


_OF_VARIABLE = "/.ATTRIBUTES/VARIABLE_VALUE"  # behind the name of a variable, as TensorFlow has it
_OF_ITERATOR = "/.ATTRIBUTES/ITERATOR_STATE"


def _values(name: str, owner: object) -> dict[str, np.ndarray]:
    """What an object has in a checkpoint, by names in the file."""
    if isinstance(owner, DatasetIterator):
        return {f"{name}{_OF_ITERATOR}": np.asarray(json.dumps(owner.get_state()))}
    if isinstance(owner, Variable):
        return {f"{name}{_OF_VARIABLE}": owner.numpy()}
    return {f"{name}/{at}": variable.numpy() for at, variable in enumerate(_variables(name, owner))}


def _part(stored: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """What a file has for an object, in order."""
    return {key: stored[key] for key in stored if key.partition("/")[0] == name}


def _set(owner: object, values: list[np.ndarray]) -> None:
    """Give an object what a file has for it."""
    if isinstance(owner, DatasetIterator):
        owner.set_state(json.loads(values[0].item()))
        return
    for variable, value in zip(_variables("", owner), values, strict=True):
        variable.assign(value)


def _variables(name: str, owner: object) -> list[Variable]:
    """The variables of an object in a checkpoint."""
    if isinstance(owner, Variable):
        return [owner]
    found = getattr(owner, "variables", None)
    if found is None:
        raise TypeError(
            f"tf.train.Checkpoint: {name} must be a model, an optimizer, a metric, a module, a variable or an iterator "
            f"of a dataset. Received: {type(owner).__name__}."
        )
    return list(found)


class CheckpointManager:
    """Keeps the last checkpoints in a folder.

    Args:
        checkpoint: the checkpoint.
        directory: the folder.
        max_to_keep: how many are kept; None keeps all.
        checkpoint_name: how the files are called, before their number.
    """

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None, checkpoint_name: str = "ckpt",
        **how: object,
    ):  # fmt: skip
        self.checkpoint, self.directory = checkpoint, Path(os.fspath(directory))
        self._name, self._most = checkpoint_name, max_to_keep
        self.checkpoints = _written(self.directory, f"{checkpoint_name}-*")

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the last one; None where there is none."""
        return latest_checkpoint(self.directory)

    def save(self, checkpoint_number: Tensor = None, **how: object) -> str:
        """Write a checkpoint, and remove the oldest above the number that is kept."""
        prefix = self.directory / self._name
        number = None if checkpoint_number is None else int(checkpoint_number)
        path = self.checkpoint.save(prefix) if number is None else self.checkpoint.write(f"{prefix}-{number}")
        self.checkpoints = [*(each for each in self.checkpoints if each != path), path]
        while self._most is not None and len(self.checkpoints) > self._most:
            Path(f"{self.checkpoints.pop(0)}.npz").unlink(missing_ok=True)
        return path

    def restore_or_initialize(self) -> str | None:
        """Restore the last checkpoint, if there is one."""
        self.checkpoint.restore(self.latest_checkpoint)
        return self.latest_checkpoint


def _written(folder: Path, name: str = "*") -> list[str]:
    """The checkpoints of a name in a folder, the oldest first."""
    files = sorted(folder.glob(f"{name}.npz"), key=lambda file: file.stat().st_mtime)
    return [str(file.with_suffix("")) for file in files]


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the last checkpoint in a folder; None where there is none."""
    note = Path(os.fspath(checkpoint_dir)) / (latest_filename or _LATEST)
    return str(note.parent / note.read_text()) if note.exists() else None


def checkpoints_iterator(
    checkpoint_dir: str | os.PathLike[str], *how: object, timeout: float | None = None, **more: object
) -> Iterator[str]:
    """The path of the last checkpoint; those that another process has yet to write are not waited for."""
    path = latest_checkpoint(checkpoint_dir)
    if path is not None:
        yield path


class CheckpointState(NamedTuple):
    """What a folder of checkpoints notes."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> CheckpointState | None:
    """The path of the last checkpoint, with those of all before it; None where there is none."""
    path = latest_checkpoint(checkpoint_dir, latest_filename)
    if path is None:
        return None
    return CheckpointState(path, _written(Path(os.fspath(checkpoint_dir))))


def list_variables(ckpt_dir_or_file: str | os.PathLike[str]) -> list[tuple[str, list[int]]]:
    """The names and shapes of the variables in a checkpoint."""
    with np.load(_file(ckpt_dir_or_file), allow_pickle=False) as stored:
        return [(name, list(stored[name].shape)) for name in stored.files]


def load_variable(ckpt_dir_or_file: str | os.PathLike[str], name: str) -> np.ndarray:
    """The values of a variable in a checkpoint, of a name that `list_variables` gives."""
    with np.load(_file(ckpt_dir_or_file), allow_pickle=False) as stored:
        return stored[name]


class CheckpointReader:
    """The variables in a checkpoint; see `load_checkpoint`.

    Args:
        path: the file.
    """

    def __init__(self, path: str):
        with np.load(path, allow_pickle=False) as stored:
            self._values = dict(stored)

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shape of each variable by its name."""
        return {name: list(value.shape) for name, value in self._values.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """The type of each variable by its name."""
        return {name: as_dtype(value.dtype) for name, value in self._values.items()}

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is a variable of this name."""
        return tensor_str in self._values

    def get_tensor(self, tensor_str: str) -> np.ndarray:
        """The values of a variable."""
        if tensor_str not in self._values:
            raise errors.NotFoundError(f"The checkpoint has no {tensor_str!r}. It has: {', '.join(self._values)}.")
        return self._values[tensor_str]


def load_checkpoint(ckpt_dir_or_file: str | os.PathLike[str]) -> CheckpointReader:
    """A reader of the variables in a checkpoint: a path that `save` gave, or a folder for the latest in it."""
    return CheckpointReader(_file(ckpt_dir_or_file))


def _file(path: str | os.PathLike[str]) -> str:
    found = latest_checkpoint(path) if Path(os.fspath(path)).is_dir() else os.fspath(path)
    return f"{found}.npz"


class ExponentialMovingAverage:
    """Means of variables over time, of which the newest values count most.

    Args:
        decay: what the mean before counts.
        num_updates: number of updates so far: then early ones count as much as `(1 + n) / (10 + n)` allows.
        zero_debias: whether the mean starts at zero, and is divided by what was added.
        name: an arbitrary name.
    """

    def __init__(
        self, decay: float, num_updates: Tensor = None, zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ):  # fmt: skip
        self._decay, self._updates, self._debias, self.name = decay, num_updates, zero_debias, name
        self._means: dict[int, tuple[Variable, Variable]] = {}
        self._steps = 0

    def apply(self, var_list: Sequence[Variable]) -> None:
        """Bring the means of variables up to date; the first time they are the values themselves."""
        self._steps += 1
        decay = self._decay
        if self._updates is not None:
            updates = float(np.asarray(self._updates))
            decay = min(decay, (1 + updates) / (10 + updates))
        for variable in var_list:
            if id(variable) not in self._means:
                start = np.zeros_like(variable.numpy()) if self._debias else variable.numpy()
                self._means[id(variable)] = variable, Variable(start, trainable=False)
            mean = self._means[id(variable)][1]
            mean.assign(decay * mean.value + (1 - decay) * variable.value)

    def average(self, var: Variable) -> Tensor:
        """The mean of a variable; None where it has none."""
        if id(var) not in self._means:
            return None
        mean = self._means[id(var)][1]
        return mean.value / (1 - self._decay**self._steps) if self._debias else mean


__getattr__ = within(__name__)
