"""`tensorflow.train`: checkpoints of models, optimizers and variables, each one a single NumPy file."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cornu.core.typing import Tensor
from cornu.core.variable import Variable, assigned_together
from cornu.optimizers import SGD, Adagrad, Adam, RMSprop
from cornu.saving.atomic import replacing
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

__all__ = [
    "SGD", "Adagrad", "Adam", "BytesList", "Checkpoint", "CheckpointManager", "Example", "ExponentialMovingAverage",
    "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List", "RMSprop", "SequenceExample",
    "checkpoints_iterator", "get_checkpoint_state", "latest_checkpoint", "list_variables", "load_variable",
]  # fmt: skip

_LATEST = "checkpoint"  # the file in a folder of checkpoints that names the latest one


class Restored:
    """What `Checkpoint.restore` gives: everything has been set."""

    def assert_consumed(self) -> "Restored":
        """Every variable was in the file."""
        return self

    assert_existing_objects_matched = expect_partial = assert_consumed


class Checkpoint:
    """Objects with variables, to be saved and restored together.

    Args:
        root: an object of its own.
        **objects: models, optimizers, metrics, modules, variables, by name.

    Example:

        checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
        path = checkpoint.save("checkpoints/ckpt")
        checkpoint.restore(path)
    """

    def __init__(self, root: object = None, **objects: object):
        self._objects = objects if root is None else {"root": root, **objects}
        self.save_counter = 0
        self.__dict__.update(objects)

    def save(self, file_prefix: str | os.PathLike, options: object = None) -> str:
        """Write the next checkpoint, and give its path without the ending."""
        self.save_counter += 1
        return self.write(f"{os.fspath(file_prefix)}-{self.save_counter}")

    def write(self, file_prefix: Any, options: object = None) -> str:
        """Write a checkpoint of this name."""
        path = Path(os.fspath(file_prefix))
        values: dict[str, Any] = {
            f"{name}/{at}": variable.numpy()
            for name, owner in self._objects.items()
            for at, variable in enumerate(_variables(name, owner))
        }
        with replacing(f"{path}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **values)
        (path.parent / _LATEST).write_text(path.name)
        return str(path)

    def restore(self, save_path: Any, options: object = None) -> Restored:
        """Set all variables from a checkpoint; None, where there is none yet, changes nothing."""
        if save_path is None:
            return Restored()
        variables = {
            f"{name}/{at}": variable
            for name, owner in self._objects.items()
            for at, variable in enumerate(_variables(name, owner))
        }
        with np.load(f"{os.fspath(save_path)}.npz", allow_pickle=False) as stored:
            if set(stored) != set(variables):
                raise ValueError(
                    f"tf.train.Checkpoint.restore: {save_path} holds {len(stored.files)} variables, the objects have "
                    f"{len(variables)}. Build the models and the optimizers first: call each model on a batch, and "
                    "optimizer.build(model.trainable_variables)."
                )
            values = [stored[name] for name in variables]
        with assigned_together():
            for variable, value in zip(variables.values(), values, strict=True):
                variable.assign(value)
        return Restored()

    read = restore


def _variables(name: str, owner: object) -> list[Variable]:
    """The variables of an object in a checkpoint."""
    if isinstance(owner, Variable):
        return [owner]
    found = getattr(owner, "variables", None)
    if found is None:
        raise TypeError(
            f"tf.train.Checkpoint: {name} must be a model, an optimizer, a metric, a module or a variable. "
            f"Received: {type(owner).__name__}."
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
        self.checkpoints: list[str] = []

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


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the last checkpoint in a folder; None where there is none."""
    note = Path(os.fspath(checkpoint_dir)) / (latest_filename or _LATEST)
    return str(note.parent / note.read_text()) if note.exists() else None


def checkpoints_iterator(
    checkpoint_dir: str | os.PathLike, *how: object, timeout: float | None = None, **more: object
) -> Iterator:
    """The path of the last checkpoint; those that another process has yet to write are not waited for."""
    path = latest_checkpoint(checkpoint_dir)
    if path is not None:
        yield path


class CheckpointState(NamedTuple):
    """What a folder of checkpoints notes."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike, latest_filename: str | None = None
) -> CheckpointState | None:
    """The path of the last checkpoint, with those of all before it; None where there is none."""
    path = latest_checkpoint(checkpoint_dir, latest_filename)
    if path is None:
        return None
    files = sorted(Path(os.fspath(checkpoint_dir)).glob("*.npz"), key=lambda file: file.stat().st_mtime)
    return CheckpointState(path, [str(file.with_suffix("")) for file in files])


def list_variables(ckpt_dir_or_file: str | os.PathLike) -> list[tuple[str, list[int]]]:
    """The names and shapes of the variables in a checkpoint."""
    with np.load(_file(ckpt_dir_or_file), allow_pickle=False) as stored:
        return [(name, list(stored[name].shape)) for name in stored.files]


def load_variable(ckpt_dir_or_file: str | os.PathLike, name: str) -> np.ndarray:
    """The values of a variable in a checkpoint, of a name that `list_variables` gives."""
    with np.load(_file(ckpt_dir_or_file), allow_pickle=False) as stored:
        return stored[name]


def _file(path: str | os.PathLike) -> str:
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

    def apply(self, var_list: Sequence) -> None:
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
