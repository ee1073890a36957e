"""Many callbacks behind the interface of one: each event is passed on to those that handle it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from cornu import registry, tree
from cornu.callbacks.callback import ALIASES, HOOKS, Callback, overrides
from cornu.callbacks.history import History
from cornu.callbacks.logs import as_logs
from cornu.callbacks.progbar_logger import ProgbarLogger
from cornu.core.tracebacks import warn
from cornu.core.typing import AnyFunction, HookLogs, Logs, State
from cornu.spelling import likely

Default = TypeVar("Default", bound=Callback)
_NEEDED = ("set_model", "set_params")


class CallbackList(Callback):
    """Passes every event on to a list of callbacks, in order.

    A custom training loop calls the methods of one `CallbackList` where `fit` would. `logs` may contain device scalars:
    they become floats when a callback first reads them, so a batch does not wait for the device unless its values are
    read.

    Args:
        callbacks: callbacks, or a single one; nested lists are flattened. None by default.
        add_history: whether to add a `History` if there is none. Defaults to False.
        add_progbar: whether to add a `ProgbarLogger` if there is none. Defaults to False.
        model: the model that the callbacks observe. None by default.
        **params: the callbacks' `params`: `verbose`, `epochs`, `steps`.

    Example:
        callbacks = cornu.callbacks.CallbackList([], add_history=True, epochs=1)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        callbacks.on_epoch_end(0, {"loss": 0.5})
        callbacks.on_train_end()
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] | Callback | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: object = None,
        **params: object,
    ):
        super().__init__()
        self.callbacks: list[Callback] = []
        self._listeners: dict[str, list[AnyFunction]] = {hook: [] for hook in HOOKS}
        for callback in tree.flatten(callbacks) if callbacks else []:
            self.append(callback)
        self._history = self._add_default(History) if add_history else None
        self._progbar = self._add_default(ProgbarLogger) if add_progbar else None
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def _add_default(self, kind: type[Default]) -> Default:
        for callback in self.callbacks:
            if isinstance(callback, kind):
                return callback
        added = kind()
        self.append(added)
        return added

    def append(self, callback: Callback) -> None:
        """Add one callback at the end."""
        missing = [name for name in _NEEDED if not callable(getattr(callback, name, None))]
        if missing or isinstance(callback, type):
            advice = "Create an instance: add parentheses." if isinstance(callback, type) else ""
            if not advice and callable(callback):
                advice = "For a function: LambdaCallback(on_epoch_end=function)."
            raise TypeError(
                "CallbackList: every callback must be an instance of cornu.callbacks.Callback. "
                f"Received: {callback!r}. {advice}".rstrip()
            )
        _tell_of_misspelt(callback)
        self.callbacks.append(callback)
        for hook in HOOKS:
            if overrides(callback, hook):
                self._listeners[hook].append(getattr(callback, hook))

    def get_state(self) -> dict[str, object]:
        """The state of each callback that has one, by its index and class."""
        named = self._named()
        return {name: callback.get_state() for name, callback in named.items() if hasattr(callback, "get_state")}

    def set_state(self, state: State) -> None:
        """Restore the callbacks' states; those of callbacks that no longer exist are ignored."""
        for name, callback in self._named().items():
            if name in state:
                callback.set_state(state[name])

    def _named(self) -> Logs:
        """The callbacks by class name, numbered if there are several of a class."""
        found: dict[str, Any] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            found[f"{name} {sum(known.startswith(name + ' ') for known in found) + 1}"] = callback
        return found

    def set_params(self, params: dict[str, object]) -> None:
        """Pass the parameters of the run to every callback."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Pass the model to every callback; `model.history` becomes the history of this list."""
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    @property
    def hears_errors(self) -> bool:
        """Whether a callback handles an error that ends training."""
        return any(overrides(callback, "on_train_error") for callback in self.callbacks)

    def on_train_error(self, error: BaseException) -> None:
        """Notify the callbacks of the error that ends training; errors raised by them are ignored."""
        for callback in self.callbacks:
            if overrides(callback, "on_train_error"):
                with suppress(Exception):  # the first error is the one to report
                    callback.on_train_error(error)

    @property
    def needs_batch_logs(self) -> bool:
        """Whether a callback other than the progress bar handles every single batch of `fit`."""
        return self.needs_batches("train")

    def needs_batches(self, stage: str) -> bool:
        """The same for a stage: `"train"`, `"test"` or `"predict"`."""
        hooks = (f"on_{stage}_batch_begin", f"on_{stage}_batch_end")
        heard = [listener for hook in hooks for listener in self._listeners[hook]]
        own = any(getattr(type(self), hook) is not getattr(CallbackList, hook) for hook in hooks)
        return own or any(type(getattr(listener, "__self__", None)) is not ProgbarLogger for listener in heard)


def _seen(hook: str, logs: Any) -> Any:
    """`logs` as passed to callbacks; the outputs of `predict` are passed unchanged."""
    return logs or {} if "predict" in hook else as_logs(logs)


def _relay(hook: str) -> Callable[..., None]:
    def relay(self: Any, logs: HookLogs = None) -> None:
        listeners = self._listeners[hook]
        logs = _seen(hook, logs) if listeners else logs
        for listener in listeners:
            listener(logs)

    return relay


def _relay_counted(hook: str) -> Callable[..., None]:
    def relay(self: Any, number: int, logs: HookLogs = None) -> None:
        listeners = self._listeners[hook]
        logs = _seen(hook, logs) if listeners else logs
        for listener in listeners:
            listener(number, logs)

    return relay


def _define_hooks() -> None:
    for hook in HOOKS:
        relay = _relay_counted(hook) if "batch" in hook or "epoch" in hook else _relay(hook)
        relay.__name__, relay.__doc__ = hook, getattr(Callback, hook).__doc__
        setattr(CallbackList, hook, relay)
    for point in ("begin", "end"):
        setattr(CallbackList, f"on_batch_{point}", getattr(CallbackList, f"on_train_batch_{point}"))


_define_hooks()


def _tell_of_misspelt(callback: object) -> None:
    """Warn of methods whose names are nearly those of hooks, since nobody calls them."""
    known = {*HOOKS, *ALIASES.values()}
    own = (name for kind in type(callback).__mro__ if not registry.is_builtin(kind) for name in vars(kind))
    for name in own:
        if name.startswith("on_") and name not in known:
            meant = likely(name.replace("_start", "_begin").replace("_val", "_test"), known, 1, at_least=0.85)
            if meant:
                warn(
                    f"{type(callback).__name__}.{name}() is not called by training: no hook has this name. The closest "
                    f"is {meant[0]}()."
                )
