"""Process-wide settings: a handful of named values that every other module may read.

They are at the bottom of the package's layers so that nothing has to be imported to read one. The public interface,
with Keras's names, is `cornu.config`.
"""

import os
from typing import Any

import jax

_FLOAT_TYPES = ("bfloat16", "float16", "float32", "float64")
_DATA_FORMATS = ("channels_first", "channels_last")

_values: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "interactive_logging": True,
    "traceback_filtering": True,
    "flash_attention": None,
    "preflight": True,
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "dtype_policy": None,
    "unsafe_deserialization": False,
}


def read(name: str) -> Any:
    """The current value of the setting `name`."""
    return _values[name]


def write(name: str, value: object) -> None:
    """Set the setting `name` to a new value."""
    if name not in _values:
        raise KeyError(f"There is no setting {name!r}.")
    _values[name] = value


def for_computing() -> tuple[object, ...]:
    """The settings on which the results of a layer's call depend."""
    return _values["floatx"], _values["epsilon"], _values["image_data_format"], _values["flash_attention"]


def floatx() -> str:
    """The default floating-point type, such as `"float32"`.

    Example:

        print(cornu.config.floatx())  # float32
    """
    return _values["floatx"]


def set_floatx(value: str) -> None:
    """Set the default floating-point type; `"float64"` also enables JAX's 64-bit mode.

    Args:
        value: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Example:

        cornu.config.set_floatx("float16")
        print(cornu.ops.zeros(2).dtype)  # float16
        cornu.config.set_floatx("float32")
    """
    if value not in _FLOAT_TYPES:
        raise ValueError(f"set_floatx: expected one of {', '.join(_FLOAT_TYPES)}. Received: {value!r}.")
    allow_float64(value)
    _values["floatx"] = value


def allow_float64(dtype: str) -> None:
    """Enable JAX's 64-bit mode if `dtype` needs it: otherwise JAX silently computes in float32."""
    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)


def epsilon() -> float:
    """The small number added to avoid division by zero and the logarithm of zero.

    Example:

        print(cornu.config.epsilon())  # 1e-07
    """
    return _values["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the small number returned by `epsilon()`.

    Args:
        value: a positive number.

    Example:

        cornu.config.set_epsilon(1e-5)
        print(cornu.config.epsilon())  # 1e-05
        cornu.config.set_epsilon(1e-7)
    """
    _values["epsilon"] = float(value)


def image_data_format() -> str:
    """`"channels_last"` or `"channels_first"`: the default order of image axes.

    Example:

        print(cornu.config.image_data_format())  # channels_last
    """
    return _values["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the default order of image axes.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    Example:

        cornu.config.set_image_data_format("channels_first")
        print(cornu.layers.Conv2D(2, 3).data_format)  # channels_first
        cornu.config.set_image_data_format("channels_last")
    """
    value = str(data_format).lower()
    if value not in _DATA_FORMATS:
        raise ValueError(
            f"set_image_data_format: expected one of {', '.join(_DATA_FORMATS)}. Received: {data_format!r}."
        )
    _values["image_data_format"] = value


def is_interactive_logging_enabled() -> bool:
    """Whether progress is written to standard output (True) or to the log (False).

    Example:

        print(cornu.config.is_interactive_logging_enabled())  # True
    """
    return _values["interactive_logging"]


def home() -> str:
    """The directory for downloads and caches: `$KERAS_HOME`, or `~/.keras`."""
    return os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))


def filter_tracebacks(enabled: bool) -> None:
    """Whether the inner frames of cornu (`core.tracebacks`) and of JAX are hidden in tracebacks."""
    jax.config.update("jax_traceback_filtering", "auto" if enabled else "off")
    _values["traceback_filtering"] = enabled
