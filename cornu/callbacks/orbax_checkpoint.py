"""Orbax checkpoints during training, which can be written in the background and from many hosts.

The contents of a checkpoint, and how it is read, are defined in `saving/orbax.py`.
"""

import os
from typing import Any

import jax

from cornu import validate
from cornu.callbacks.model_checkpoint import SavingCallback
from cornu.core.typing import HookLogs, Logs
from cornu.saving import orbax


class OrbaxCheckpoint(SavingCallback):
    """Saves the model's weights, the optimizer's state and the model's config as Orbax checkpoints.

    Requires Orbax (`pip install '.[orbax]'`). Each checkpoint is a subdirectory of `directory`, named after its epoch,
    from 0, or with `save_freq` after its number of batches. `load_model(directory)` recreates the model from the last
    one, and `model.load_weights(directory)` loads the values of the last one; the directory of a single checkpoint
    works too. Keras can read these checkpoints, and cornu those of Keras.

    Pass `initial_epoch` to `fit` to continue a training run. A run that would write checkpoints with existing numbers
    is rejected, since the last one in the directory would not be its own.

    Args:
        directory: directory of the checkpoints; it is created if needed.
        monitor: name of the value that determines the best model. Defaults to `"val_loss"`.
        verbose: 1 to print what is saved. Defaults to 0.
        save_best_only: whether to save only if the value is better than before. Defaults to False.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: value that the first saved model must surpass. None by default.
        max_to_keep: number of latest checkpoints to keep; None keeps all. Defaults to 1.
        save_on_background: whether to write in a background thread. Defaults to True.
        save_weights_only: whether to save only the weights, without the optimizer's state and the config. Defaults to
            False.

    Raises:
        MissingPackageError: if Orbax is not installed.
        ValueError: from `fit`, if the directory contains checkpoints of another run.

    Example:

        import importlib.util
        if importlib.util.find_spec("orbax"):
            checkpoint = cornu.callbacks.OrbaxCheckpoint("checkpoints", max_to_keep=3)
    """

    _written_to = "directory"
    _written_by_all = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
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
        """Continue the run that wrote the checkpoints; those after its backup are written again."""
        super().set_state(state)
        self._is_checked = True

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        if not self._is_checked:
            self._check(epoch if self._counter is None else self._counter.total + 1)

    def _check(self, first: int) -> None:
        """Refuse to write among the checkpoints of another run."""
        self._is_checked = True
        last = max(orbax.steps(self.directory), default=-1)
        if last >= first:
            raise ValueError(
                f"OrbaxCheckpoint: {self.directory!r} contains checkpoint {last} of another training run, and this one "
                f"starts with {first}. Load it and continue with initial_epoch, or use a separate directory."
            )

    def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        step = epoch if self._counter is None else self._counter.total
        return os.path.join(self.directory, str(step))

    def _save(self, path: str) -> None:
        arguments = orbax.package().args
        step = int(os.path.basename(path))
        if step in self._manager.all_steps():  # written by the interrupted run, which is repeated
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
        """Wait until all started checkpoints are on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def is_multihost_enabled(self) -> bool:
        """Whether several processes train together."""
        return jax.process_count() > 1

    def is_primary_host(self) -> bool:
        """Whether this process is the first of those that train together."""
        return jax.process_index() == 0
