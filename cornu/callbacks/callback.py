"""The base class of objects that are notified of events during `fit`, `evaluate` and `predict`."""

from typing import Any

from cornu import registry
from cornu.core import number_arguments
from cornu.core.tracebacks import filter_methods
from cornu.core.typing import HookLogs

HOOKS = (
    "on_epoch_begin",
    "on_epoch_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
    "on_predict_begin",
    "on_predict_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_train_begin",
    "on_train_end",
)
ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class Callback:
    """Base class of callbacks: override the methods you need.

    `self.model` is the model, `self.params` a dictionary with `"verbose"`, `"epochs"` and `"steps"`. `logs` is a
    dictionary from names to floats; what is added to it at the end of an epoch is seen by subsequent callbacks and
    stored in the history.

    Example:
        class Stopper(cornu.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if logs["loss"] < 0.01:
                    self.model.stop_training = True
    """

    params: dict[str, object] | None = None
    state_attributes: tuple[str, ...] = ()
    """The attributes that training depends on, which `get_state` returns for a backup."""
    idle_hooks: frozenset[str] = frozenset()
    """Hooks that are defined but do nothing with these arguments: `fit` is faster if nothing observes each batch."""
    _model = None
    _written_to: str | None = None  # the attribute with the path to write to
    _written_by_all = False  # whether each of several processes writes its own part

    def __init_subclass__(cls, **kwargs: object):
        super().__init_subclass__(**kwargs)
        if registry.is_builtin(cls):
            number_arguments.check_constructor(cls)
            filter_methods(cls, ["__init__"])

    def __init__(self) -> None:
        self.params = None
        self._model = None

    @property
    def model(self) -> Any:
        """The model that is trained, evaluated or used for prediction."""
        return self._model

    def set_params(self, params: dict[str, object]) -> None:
        """Receive the parameters of the run: `"verbose"`, `"epochs"`, `"steps"`."""
        self.params = params

    def set_model(self, model: object) -> None:
        """Receive the model."""
        self._model = model

    def get_state(self) -> dict[str, object]:
        """The state that `BackupAndRestore` saves for this callback: a dictionary of plain data and arrays."""
        return {name: getattr(self, name) for name in self.state_attributes}

    def set_state(self, state: dict[str, object]) -> None:
        """Restore the state returned by `get_state`; called after `on_train_begin`."""
        for name, value in state.items():
            setattr(self, name, value)

    def _rehearse(self) -> None:
        """Prepare a copy for a dry run (`rehearsal`): forget earlier runs and write at the first step.

        Overridden by classes that write files, or keep state between training runs.
        """

    def on_batch_begin(self, batch: int, logs: HookLogs = None) -> None:
        """Same as `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        """Same as `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        """Called in `fit` before epoch number `epoch`, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        """Called in `fit` after an epoch; `logs` contains the metrics, with those of the validation as `val_...`."""

    def on_train_batch_begin(self, batch: int, logs: HookLogs = None) -> None:
        """Called in `fit` before batch number `batch` of the epoch, counted from 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        """Called in `fit` after a batch; `logs` contains the metrics of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: HookLogs = None) -> None:
        """Called before a batch of `evaluate`, and of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        """Called after a batch of `evaluate`, and of the validation in `fit`."""

    def on_predict_batch_begin(self, batch: int, logs: HookLogs = None) -> None:
        """Called before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        """Called after a batch of `predict`; `logs["outputs"]` contains its predictions."""

    def on_train_begin(self, logs: HookLogs = None) -> None:
        """Called when `fit` starts."""

    def on_train_end(self, logs: HookLogs = None) -> None:
        """Called when `fit` ends; `logs` is that of the last epoch."""

    def on_train_error(self, error: BaseException) -> None:
        """Called when an error or a signal ends `fit`, instead of `on_train_end`; Keras has no such method."""

    def on_test_begin(self, logs: HookLogs = None) -> None:
        """Called when an evaluation or validation starts."""

    def on_test_end(self, logs: HookLogs = None) -> None:
        """Called when an evaluation or validation ends; `logs` contains its metrics."""

    def on_predict_begin(self, logs: HookLogs = None) -> None:
        """Called when `predict` starts."""

    def on_predict_end(self, logs: HookLogs = None) -> None:
        """Called when `predict` ends."""


def overrides(callback: object, hook: str) -> bool:
    """Whether `callback` overrides `hook`: in its class, on the instance, or through the shorter alias."""
    names = (hook, ALIASES[hook]) if hook in ALIASES else (hook,)
    return any(_overrides(callback, name) for name in names)


def _overrides(callback: object, name: str) -> bool:
    if not isinstance(callback, Callback):
        return hasattr(callback, name)
    if name in callback.idle_hooks:
        return False
    return name in vars(callback) or getattr(type(callback), name) is not getattr(Callback, name)
