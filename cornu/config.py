"""Process-wide settings, under Keras's names."""

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
    """The version of cornu.

    Example:

        print(cornu.config.version() == cornu.__version__)  # True
    """
    return cornu.__version__


def backend() -> str:
    """The engine: always `"jax"`.

    Example:

        print(cornu.config.backend())  # jax
    """
    return "jax"


def enable_interactive_logging() -> None:
    """Show progress on standard output.

    Example:

        cornu.config.enable_interactive_logging()
        print(cornu.config.is_interactive_logging_enabled())  # True
    """
    settings.write("interactive_logging", True)


def disable_interactive_logging() -> None:
    """Send progress to the log of the `cornu` logger instead of standard output.

    Example:

        cornu.config.disable_interactive_logging()
        print(cornu.config.is_interactive_logging_enabled())  # False
        cornu.config.enable_interactive_logging()
    """
    settings.write("interactive_logging", False)


def enable_traceback_filtering() -> None:
    """Show the user's own lines in tracebacks, without the inner frames of cornu and JAX; this is the default.

    Example:

        cornu.config.enable_traceback_filtering()
        print(cornu.config.is_traceback_filtering_enabled())  # True
    """
    settings.filter_tracebacks(True)


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks, including those inside cornu and JAX.

    Example:

        cornu.config.disable_traceback_filtering()
        print(cornu.config.is_traceback_filtering_enabled())  # False
        cornu.config.enable_traceback_filtering()
    """
    settings.filter_tracebacks(False)


def is_traceback_filtering_enabled() -> bool:
    """Whether inner frames are hidden in tracebacks.

    Example:

        print(cornu.config.is_traceback_filtering_enabled())
    """
    return settings.read("traceback_filtering")


def enable_flash_attention() -> None:
    """Use the platform's flash attention wherever shapes and dtypes allow it.

    Example:

        cornu.config.enable_flash_attention()
        print(cornu.config.is_flash_attention_enabled())  # True
    """
    settings.write("flash_attention", True)


def disable_flash_attention() -> None:
    """Never use flash attention.

    Example:

        cornu.config.disable_flash_attention()
        print(cornu.config.is_flash_attention_enabled())  # False
    """
    settings.write("flash_attention", False)


def is_flash_attention_enabled() -> bool | None:
    """True, False, or None if not set.

    Example:

        print(cornu.config.is_flash_attention_enabled())  # None
    """
    return settings.read("flash_attention")


def enable_preflight() -> None:
    """Report silent mistakes in model and data before training; this is the default.

    Example:

        cornu.config.enable_preflight()
        print(cornu.config.is_preflight_enabled())  # True
    """
    settings.write("preflight", True)


def disable_preflight() -> None:
    """Do not report silent mistakes before training; what cannot work still raises an error.

    Example:

        cornu.config.disable_preflight()
        print(cornu.config.is_preflight_enabled())  # False
        cornu.config.enable_preflight()
    """
    settings.write("preflight", False)


def is_preflight_enabled() -> bool:
    """Whether silent mistakes are reported before training.

    Example:

        print(cornu.config.is_preflight_enabled())  # True
    """
    return settings.read("preflight")


def enable_unsafe_deserialization() -> None:
    """Allow every file that this process loads to run the code of its `Lambda` layers, regardless of `safe_mode`.

    This cannot be undone. Prefer `safe_mode=False` in the one load that needs it.
    """
    settings.write("unsafe_deserialization", True)


def max_epochs() -> int | None:
    """The maximum number of epochs of `fit`, or None.

    Example:

        print(cornu.config.max_epochs())  # None
    """
    return settings.read("max_epochs")


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit `fit` to a number of epochs, regardless of its arguments.

    Args:
        max_epochs: the limit, a positive integer; None or 0 removes it.

    Example:

        cornu.config.set_max_epochs(1)
        print(cornu.config.max_epochs())  # 1
        cornu.config.set_max_epochs(None)
    """
    settings.write("max_epochs", _limit(max_epochs, "max_epochs"))


def max_steps_per_epoch() -> int | None:
    """The maximum number of steps per epoch of `fit`, `evaluate` and `predict`, or None.

    Example:

        print(cornu.config.max_steps_per_epoch())  # None
    """
    return settings.read("max_steps_per_epoch")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the epochs of `fit`, `evaluate` and `predict` to a number of steps.

    Args:
        max_steps_per_epoch: the limit, a positive integer; None or 0 removes it.

    Example:

        cornu.config.set_max_steps_per_epoch(2)
        print(cornu.config.max_steps_per_epoch())  # 2
        cornu.config.set_max_steps_per_epoch(None)
    """
    settings.write("max_steps_per_epoch", _limit(max_steps_per_epoch, "max_steps_per_epoch"))


def _limit(value: int | None, name: str) -> int | None:
    return (None if value is None else validate.non_negative_int(value, name, f"set_{name}")) or None


def compilation_cache() -> str | None:
    """The directory of the compilation cache, which persists between runs of a program; None if disabled.

    Example:

        print(cornu.config.compilation_cache())
    """
    return cache.current_folder()


def set_compilation_cache(folder: str | os.PathLike[str] | bool = True, max_bytes: int = cache.DEFAULT_MAXIMUM) -> None:
    """Set the directory that caches compiled code between runs of a program, so that later runs need not compile.

    The default is a directory of cornu in the user's cache directory, unless one is already set in JAX. The
    environment variable `CORNU_COMPILATION_CACHE`, `off` or a path, has the same effect.

    Args:
        folder: path of a directory; True for the default one, False for none. Entries are code: whoever can write to
            the directory can run code in this process.
        max_bytes: maximum size in bytes, enforced at the end of each process that added to the cache.
            1 GiB by default.

    Example:

        cornu.config.set_compilation_cache(False)
        print(cornu.config.compilation_cache())
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
