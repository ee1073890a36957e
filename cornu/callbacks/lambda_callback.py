"""A callback from functions, without a class."""

from collections.abc import Callable

from cornu import validate
from cornu.callbacks.callback import ALIASES, HOOKS, Callback

_NAMES = (*HOOKS, *ALIASES.values())


class LambdaCallback(Callback):
    """Call plain functions at the hooks of the same names.

    Args:
        on_epoch_begin: Function of `(epoch, logs)`. None by default.
        on_epoch_end: Function of `(epoch, logs)`. None by default.
        on_train_begin: Function of `(logs)`. None by default.
        on_train_end: Function of `(logs)`. None by default.
        on_train_batch_begin: Function of `(batch, logs)`. None by default.
        on_train_batch_end: Function of `(batch, logs)`. None by default.
        **kwargs: Functions for any other hook; anything else becomes an attribute of the same name.

    Example:
        show = cornu.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
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
                    f"LambdaCallback: there is no hook {name!r}. Closest: {validate.closest(name, _NAMES)}."
                )
            if function is not None or name not in _NAMES:
                setattr(self, name, function)
