"""A callback made from functions."""

from cornu import validate
from cornu.callbacks.callback import ALIASES, HOOKS, Callback
from cornu.core.typing import AnyFunction

_NAMES = (*HOOKS, *ALIASES.values())


class LambdaCallback(Callback):
    """Calls plain functions on the events of the same names.

    Args:
        on_epoch_begin: function of `(epoch, logs)`. None by default.
        on_epoch_end: function of `(epoch, logs)`. None by default.
        on_train_begin: function of `(logs)`. None by default.
        on_train_end: function of `(logs)`. None by default.
        on_train_batch_begin: function of `(batch, logs)`. None by default.
        on_train_batch_end: function of `(batch, logs)`. None by default.
        **kwargs: functions for other events; anything else becomes an attribute of the same name.

    Example:
        show = cornu.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: AnyFunction | None = None,
        on_epoch_end: AnyFunction | None = None,
        on_train_begin: AnyFunction | None = None,
        on_train_end: AnyFunction | None = None,
        on_train_batch_begin: AnyFunction | None = None,
        on_train_batch_end: AnyFunction | None = None,
        **kwargs: object,
    ):
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in given.items():
            if name.startswith("on_") and name not in _NAMES:
                raise TypeError(
                    f"LambdaCallback: there is no event {name!r}. Closest: {validate.closest(name, _NAMES)}."
                )
            if function is not None or name not in _NAMES:
                setattr(self, name, function)
