"""Settings of the whole process, under Keras's names."""

import cornu
from cornu import settings
from cornu.core.policy import dtype_policy, set_dtype_policy
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
    """Leave JAX's and cornu's inner frames out of tracebacks."""
    settings.filter_tracebacks(True)


def disable_traceback_filtering() -> None:
    """Show full tracebacks."""
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


def enable_unsafe_deserialization() -> None:
    """Kept for scripts that call it: it lets nothing through. Pass `safe_mode=False` to the one load that needs it."""
    settings.write("unsafe_deserialization", True)


def max_epochs() -> int | None:
    """The highest number of epochs that `fit` runs, or None."""
    return settings.read("max_epochs")


def set_max_epochs(max_epochs: int | None) -> None:
    """Let `fit` run at most this many epochs, whatever a script asks for."""
    settings.write("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """The highest number of steps in an epoch of `fit`, `evaluate` and `predict`, or None."""
    return settings.read("max_steps_per_epoch")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Let an epoch run at most this many steps."""
    settings.write("max_steps_per_epoch", max_steps_per_epoch)


__all__ = [
    "backend", "disable_flash_attention", "disable_interactive_logging", "disable_traceback_filtering", "dtype_policy",
    "enable_flash_attention", "enable_interactive_logging", "enable_traceback_filtering",
    "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format", "is_flash_attention_enabled",
    "is_interactive_logging_enabled", "is_traceback_filtering_enabled", "max_epochs", "max_steps_per_epoch",
    "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format", "set_max_epochs",
    "set_max_steps_per_epoch", "version",
]  # fmt: skip
