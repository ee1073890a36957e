"""The bytecode of Python functions, as Keras's files contain it: the only place where code from a file can be run.

A `Lambda` layer of a `lambda` has no name by which a file could refer to its function, so the file contains its
bytecode, which only the Python release that wrote it understands. Running code from a file gives the file all the
permissions of the program. That is for a person to decide: by passing `safe_mode=False` to the loading function, or for
the whole process with `cornu.config.enable_unsafe_deserialization()`. Nothing in a file can influence it.
"""

import base64
import builtins
import marshal
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp
import numpy as np

import cornu
from cornu import registry, settings
from cornu.core import allocation, context, tracebacks
from cornu.core.typing import AnyFunction, ConfigDict

CLASS_NAME = "__lambda__"
_PYTHON = ".".join(map(str, sys.version_info[:2]))


class Written(ConfigDict):
    """A function's bytecode as plain data; in the program that created it also the function, so that copying runs no
    code."""

    def __init__(self, function: types.FunctionType):
        code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
        closure = function.__closure__ and tuple(cell.cell_contents for cell in function.__closure__)
        config = {"code": code, "defaults": function.__defaults__, "closure": closure}
        super().__init__({"class_name": CLASS_NAME, "config": config})
        self.function = function


def is_unnamed(function: AnyFunction) -> bool:
    """Whether `function` can be described only by its code."""
    return isinstance(function, types.FunctionType) and function.__name__ == "<lambda>"


def lacks_name(function: Callable[..., Any], error: NameError) -> str:
    """What to say of a name that a function from a file does not find; "" for any other function."""
    names = getattr(function, "__globals__", {"__name__": ""})
    if "__name__" in names or not error.name:
        return ""
    return (
        f"its function was loaded from a file, which holds the function's code but not {error.name!r}, which the code "
        f"uses. Pass it to the function that loads the file: custom_objects={{{error.name!r}: {error.name}}}."
    )


@contextmanager
def reading(safe_mode: object, what: str = "The config") -> Iterator[None]:
    """Scope for reading untrusted data.

    The outermost scope decides whether code is allowed: only if its `safe_mode` is False. Errors inside it are raised
    as ValueError.
    """
    if context.current().safe_mode is not None:
        yield
        return
    with tracebacks.of_a_file():
        try:
            with context.scope(safe_mode=safe_mode is not False):
                yield
        except (ValueError, OSError, ImportError):
            raise
        except Exception as error:
            line = tracebacks.users_line(error.__traceback__)
            at = f" ({line})" if line else ""
            raise ValueError(f"{what} cannot be read: {type(error).__name__}: {error}{at}") from error


def read(config: object, what: str = "a function", values: Callable[[Any], Any] = lambda value: value) -> AnyFunction:
    """The function whose code is in `config`, for a caller who explicitly allowed it to run.

    Args:
        config: the entry next to the class name, in one of the forms in Keras's files.
        what: the purpose of the code, for error messages.
        values: function that reads defaults and closure values.
    """
    allowed = context.current().safe_mode is False or settings.read("unsafe_deserialization")
    if not allowed or not allocation.current().has_values:
        raise ValueError(
            f"The config contains Python code as {what}, which was not run: it could do anything this program may. If "
            "you "
            "trust the file as you would a program, pass safe_mode=False to the function that loads it. Otherwise, "
            "define the function in your program, register it with @cornu.saving.register_keras_serializable(), and "
            "save the model again."
        )
    try:
        return _made(config, values)
    except (ValueError, EOFError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"The config contains Python code as {what}, as for a Lambda layer, which this Python, {_PYTHON}, cannot "
            f"read: bytecode can be read only by the Python release that wrote it. ({type(error).__name__}: {error}) "
            "Load the file with that release, or define the function in your program and pass it in custom_objects."
        ) from error


def _made(config: Any, values: Callable[[Any], Any]) -> types.FunctionType:
    config = config.get("value", config) if isinstance(config, Mapping) else config
    code, defaults, closure = (
        (config[key] for key in ("code", "defaults", "closure")) if isinstance(config, Mapping) else config
    )
    cells = None if closure is None else tuple(types.CellType(values(value)) for value in closure)
    defaults = None if defaults is None else tuple(values(value) for value in defaults)
    code = marshal.loads(base64.decodebytes(code.encode("ascii")))
    return types.FunctionType(code, _known_names(), code.co_name, defaults, cells)


def _known_names() -> ConfigDict:
    """The globals of a function from a file: Python's builtins, libraries that models use, and custom objects."""
    libraries = {"keras": cornu, "cornu": cornu, "ops": cornu.ops, "np": np, "numpy": np, "jnp": jnp}
    return {"__builtins__": builtins, **libraries, **registry.custom_objects_in_scope()}
