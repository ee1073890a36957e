"""Settings of the whole process, under Keras's names."""

import os
from typing import TYPE_CHECKING

import cornu
from cornu import settings, validate
from cornu.absent import explainer as _explainer
from cornu.core import compilation_cache as cache
from cornu.core.policy import dtype_policy, set_dtype_policy
from cornu.memory import tune_memory
from cornu.settings import (
    epsilon,
    floatx,
    image_data_format,
    is_interactive_logging_enabled,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)


def version() -> str:
    """The version of cornu."""
    return cornu.__version__


def backend() -> str:
    """The engine: always `"jax"`."""
    return "jax"


def enable_interactive_logging() -> None:
    """Show progress on standard output."""
    settings.write("interactive_logging", True)


def disable_interactive_logging() -> None:
    """Send progress to the log of the `cornu` logger instead of standard output."""
    settings.write("interactive_logging", False)


def enable_traceback_filtering() -> None:
    """Show the user's own lines in tracebacks, without the inner frames of cornu and JAX; so it is from the start."""
    settings.filter_tracebacks(True)


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks, those inside cornu and JAX too."""
    settings.filter_tracebacks(False)


def is_traceback_filtering_enabled() -> bool:
    """Whether inner frames are left out of tracebacks."""
    return settings.read("traceback_filtering")


def enable_flash_attention() -> None:
    """Use the platform's flash attention wherever shapes and dtypes allow it."""
    settings.write("flash_attention", True)


def disable_flash_attention() -> None:
    """Never use flash attention."""
    settings.write("flash_attention", False)


def is_flash_attention_enabled() -> bool | None:
    """True, False, or None while nobody said."""
    return settings.read("flash_attention")


def enable_preflight() -> None:
    """Say silent mistakes in model and data aloud before a training; so it is from the start."""
    settings.write("preflight", True)


def disable_preflight() -> None:
    """Say nothing of silent mistakes before a training; what cannot work is refused all the same.

    Example:

        cornu.config.disable_preflight()
        print(cornu.config.is_preflight_enabled())  # False
        cornu.config.enable_preflight()
    """
    settings.write("preflight", False)


def is_preflight_enabled() -> bool:
    """Whether silent mistakes are said aloud before a training."""
    return settings.read("preflight")


def enable_unsafe_deserialization() -> None:
    """Let every file that this process loads run the code of its `Lambda` layers, whatever `safe_mode` says.

    It cannot be taken back. Better pass `safe_mode=False` to the one load that needs it.
    """
    settings.write("unsafe_deserialization", True)


def max_epochs() -> int | None:
    """The highest number of epochs that `fit` runs, or None."""
    return settings.read("max_epochs")


def set_max_epochs(max_epochs: int | None) -> None:
    """Let `fit` run at most this many epochs, whatever a script asks for; None or 0 lets it run as many as that."""
    settings.write("max_epochs", _limit(max_epochs, "max_epochs"))


def max_steps_per_epoch() -> int | None:
    """The highest number of steps in an epoch of `fit`, `evaluate` and `predict`, or None."""
    return settings.read("max_steps_per_epoch")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Let an epoch run at most this many steps; None or 0 lets it run as many as the data has."""
    settings.write("max_steps_per_epoch", _limit(max_steps_per_epoch, "max_steps_per_epoch"))


def _limit(value: int | None, name: str) -> int | None:
    return (None if value is None else validate.non_negative_int(value, name, f"set_{name}")) or None


def compilation_cache() -> str | None:
    """The folder that keeps compiled code between runs of a program; None where there is none."""
    return cache.current_folder()


def set_compilation_cache(folder: str | os.PathLike | bool = True, max_bytes: int = cache.DEFAULT_MAXIMUM) -> None:
    """Say where compiled code is kept between runs of a program, so that the second one need not compile.

    By default that is a folder of cornu in the user's folder for caches, unless JAX was given one already. In the
    environment, `CORNU_COMPILATION_CACHE=off` or a path says the same.

    Args:
        folder: path of a folder; True for the default one, False for none. Entries are code: whoever can write to the
            folder can run code in this process.
        max_bytes: what the folder is bounded to at the end of each process that added to it.

    Example:

        cornu.config.set_compilation_cache(False)
        print(cornu.config.compilation_cache())  # None
    """
    if not isinstance(folder, (str, os.PathLike, bool)) or folder == "":
        raise TypeError(
            f"set_compilation_cache: folder must be a path, True or False. Received: folder={validate.shown(folder)}."
        )
    validate.positive_int(max_bytes, "max_bytes", "set_compilation_cache")
    cache.choose(None if folder is True else folder, max_bytes)


__all__ = [
    "backend", "compilation_cache", "disable_flash_attention", "disable_interactive_logging", "disable_preflight",
    "disable_traceback_filtering", "dtype_policy", "enable_flash_attention", "enable_interactive_logging",
    "enable_preflight", "enable_traceback_filtering", "enable_unsafe_deserialization", "epsilon", "floatx",
    "image_data_format", "is_flash_attention_enabled", "is_interactive_logging_enabled", "is_preflight_enabled",
    "is_traceback_filtering_enabled", "max_epochs", "max_steps_per_epoch", "set_compilation_cache", "set_dtype_policy",
    "set_epsilon", "set_floatx", "set_image_data_format", "set_max_epochs", "set_max_steps_per_epoch", "tune_memory",
    "version",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
