"""`tensorflow.train`: checkpoints of models, optimizers and variables, one file of NumPy's each."""

import os
from pathlib import Path
from typing import Any

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
    "SGD", "Adagrad", "Adam", "BytesList", "Checkpoint", "CheckpointManager", "Example", "Feature", "FeatureList",
    "FeatureLists", "Features", "FloatList", "Int64List", "RMSprop", "SequenceExample", "latest_checkpoint",
]  # fmt: skip

_LATEST = "checkpoint"  # the file in a folder of checkpoints that names the latest


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


__getattr__ = within(__name__)
