"""Checkpoints of a model while it is trained, written by Orbax, which can do so beside the training and on many hosts.

What a checkpoint holds, and how it is read again, is in `saving/orbax.py`.
"""

import os
from typing import Any

import jax

from cornu import validate
from cornu.callbacks.model_checkpoint import SavingCallback
from cornu.core.typing import HookLogs, Logs
from cornu.saving import orbax


class OrbaxCheckpoint(SavingCallback):
    """Save the model's weights, the optimizer's state and the model's config as checkpoints of Orbax.

    Needs Orbax (`pip install '.[orbax]'`). Each checkpoint is a folder in `directory`, called after its epoch, from 0,
    or with `save_freq` after how many batches it is. `load_model(directory)` makes the model of the last one anew, and
    `model.load_weights(directory)` takes the values of the last one; the folder of one checkpoint does as well. Keras
    reads them, and cornu Keras's.

    A training that goes on is started with `initial_epoch`. One that would write checkpoints with numbers that are
    there already is refused, for the last in the folder would not be its own.

    Args:
        directory: Folder of the checkpoints; it is made if need be.
        monitor: Name of the value that says which model is best. Defaults to `"val_loss"`.
        verbose: 1 to say what is saved. Defaults to 0.
        save_best_only: Whether to save only when the value is better than ever before. Defaults to False.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: Value that the first saved model must beat. None by default.
        max_to_keep: How many checkpoints are kept, the last ones; None for all. Defaults to 1.
        save_on_background: Whether a thread writes while the training goes on. Defaults to True.
        save_weights_only: Whether to save the weights alone, without the optimizer's state and the config. Defaults to
            False.

    Raises:
        MissingPackageError: if Orbax is not installed.
        ValueError: from `fit`, if the folder has checkpoints of another training.

    Example:

        import importlib.util
        if importlib.util.find_spec("orbax"):
            checkpoint = cornu.callbacks.OrbaxCheckpoint("checkpoints", max_to_keep=3)
    """

    _written_to = "directory"
    _written_by_all = True

    def __init__(
        self,
        directory: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ):
        super().__init__(monitor, mode, verbose, save_best_only, save_freq, initial_value_threshold)
        orbax.package()
        self.directory = os.fspath(directory)
        self.max_to_keep = max_to_keep
        if max_to_keep is not None:
            validate.positive_int(max_to_keep, "max_to_keep, unless it is None,", "OrbaxCheckpoint")
        self.save_on_background = save_on_background
        self._saves_at_once = not save_on_background
        self.save_weights_only = save_weights_only
        self._manager: Any = None
        self._is_checked = False

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._is_checked = False
        package = orbax.package()
        if self._counter is not None and getattr(self.model, "optimizer", None) is not None:
            self._counter.total = int(self.model.optimizer.iterations)
        options = package.CheckpointManagerOptions(
            max_to_keep=self.max_to_keep, enable_async_checkpointing=self.save_on_background
        )
        self._manager = package.CheckpointManager(os.path.abspath(self.directory), options=options)

    def set_state(self, state: dict[str, object]) -> None:
        """Go on with the training that wrote the checkpoints; those after its backup are written anew."""
        super().set_state(state)
        self._is_checked = True

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        if not self._is_checked:
            self._check(epoch if self._counter is None else self._counter.total + 1)

    def _check(self, first: int) -> None:
        """Refuse to write among checkpoints of another training."""
        self._is_checked = True
        last = max(orbax.steps(self.directory), default=-1)
        if last >= first:
            raise ValueError(
                f"OrbaxCheckpoint: {self.directory!r} has the checkpoint {last} of another training, and this one "
                f"begins with {first}. Load it and go on with initial_epoch, or give a folder of its own."
            )

    def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        step = epoch if self._counter is None else self._counter.total
        return os.path.join(self.directory, str(step))

    def _save(self, path: str) -> None:
        arguments = orbax.package().args
        step = int(os.path.basename(path))
        if step in self._manager.all_steps():  # of a training that was stopped, and does the same again
            self.wait_until_finished()
            self._manager.delete(step)
        held = orbax.content(self.model, self.save_weights_only)
        items = {name: arguments.PyTreeSave(value) for name, value in held.items()}
        self._manager.save(step, args=arguments.Composite(**items), force=True)

    def on_train_end(self, logs: HookLogs = None) -> None:
        self._close()

    def on_train_error(self, error: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.wait_until_finished()
            manager.close()

    def wait_until_finished(self) -> None:
        """Wait until the checkpoints that were begun are on the disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def is_multihost_enabled(self) -> bool:
        """Whether several processes train together."""
        return jax.process_count() > 1

    def is_primary_host(self) -> bool:
        """Whether this process is the first of those that train together."""
        return jax.process_index() == 0
