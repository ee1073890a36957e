"""The code of a Python function, as Keras's files hold it: the one place where what a file holds can be run.

A `Lambda` layer of a `lambda` has no name by which a file could call its function, so the file holds its byte code,
which only the release of Python that wrote it understands. Whoever runs code from a file gives the file all rights of
the program. That is for a person to decide: by `safe_mode=False` to the function that loads, or for the whole process
by `cornu.config.enable_unsafe_deserialization()`. No word in a file has a say.
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
from cornu.core.typing import ConfigDict

CLASS_NAME = "__lambda__"
_PYTHON = ".".join(map(str, sys.version_info[:2]))


class Written(dict):
    """A function's code as plain data; within the program that wrote it also the function, so that copies run none."""

    def __init__(self, function: types.FunctionType):
        code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
        closure = function.__closure__ and tuple(cell.cell_contents for cell in function.__closure__)
        config = {"code": code, "defaults": function.__defaults__, "closure": closure}
        super().__init__({"class_name": CLASS_NAME, "config": config})
        self.function = function


def is_unnamed(function: Callable) -> bool:
    """Whether `function` is one that only its code describes."""
    return isinstance(function, types.FunctionType) and function.__name__ == "<lambda>"


@contextmanager
def reading(safe_mode: object, what: str = "The config") -> Iterator[None]:
    """Scope of reading what a stranger may have written.

    The outermost scope says whether code is let in: only for `safe_mode=False` itself. What goes wrong inside comes
    out of it as a ValueError.
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
            raise ValueError(f"{what} cannot be read: {type(error).__name__}: {error}") from error


def read(config: object, what: str = "a function", values: Callable[[Any], Any] = lambda value: value) -> Callable:
    """The function whose code `config` holds, for a caller who said that it may be run.

    Args:
        config: what stands beside the class name, in one of the forms of Keras's files.
        what: what the code is for, in messages.
        values: how defaults and the values of variables around the function are read.
    """
    allowed = context.current().safe_mode is False or settings.read("unsafe_deserialization")
    if not allowed or not allocation.current().has_values:
        raise ValueError(
            f"The config holds Python code as {what}, which was refused: it could do whatever this program may. If you "
            "trust the file as you trust a program, pass safe_mode=False to the function that loads it. Otherwise "
            "write the function in your program, register it with @cornu.saving.register_keras_serializable(), and "
            "save the model anew."
        )
    try:
        return _made(config, values)
    except (ValueError, EOFError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"The config holds Python code as {what}, as a Lambda layer does, which this Python, {_PYTHON}, cannot "
            f"read: code is readable by the release of Python that wrote it alone. ({type(error).__name__}: {error}) "
            "Load the file with that one, or write the function in your program and give it by custom_objects."
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
    """The names that a function from a file finds: Python's own, the libraries that models use, custom objects."""
    libraries = {"keras": cornu, "cornu": cornu, "ops": cornu.ops, "np": np, "numpy": np, "jnp": jnp}
    return {"__builtins__": builtins, **libraries, **registry.custom_objects_in_scope()}
