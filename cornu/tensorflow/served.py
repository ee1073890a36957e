"""TensorFlow's functions as wrappers of cornu's own, with TensorFlow's argument names.

A table has one line per function: its name, cornu's function, and TensorFlow's arguments in order. Each is written
`argument`, `argument=ours` if ours has a different name, and `argument:value` if its default differs. `-argument` is
ignored, as `name` is everywhere.
"""

import ast
import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

import jax
import numpy as np

from cornu import validate
from cornu.core.typing import AnyFunction
from cornu.tensorflow.refusals import TABLE


class Special:
    """A special tensor type, which implements functions itself."""

    def through(self, name: str, function: AnyFunction, arguments: Mapping[str, Any]) -> Any:
        """The result of the function `name` for arguments that include this tensor."""
        raise NotImplementedError(type(self))


def _parts(value: object) -> tuple[object, ...] | list[object]:
    return value if isinstance(value, (tuple, list)) else (value,)


def functions(table: str, source: Mapping[str, AnyFunction], place: str = "") -> dict[str, AnyFunction]:
    """The functions of a table.

    Args:
        table: lines `name function argument argument ...`.
        source: cornu's functions by name.
        place: the namespace of TensorFlow below which the names are, such as "math.".
    """
    made = {}
    for line in filter(None, map(str.strip, table.splitlines())):
        name, function, *words = line.split()
        made[name] = _renamed(f"tf.{place}{name}", source[function], words)
    return made


def _renamed(name: str, function: AnyFunction, words: list[str]) -> AnyFunction:
    names: list[str] = []
    ours: dict[str, str | None] = {}
    defaults: dict[str, object] = {}
    for word in words:
        word, _, default = word.partition(":")
        theirs, _, own = word.removeprefix("-").partition("=")
        names.append(theirs)
        ours[theirs] = None if word.startswith("-") else own or theirs
        if default:
            defaults[own or theirs] = ast.literal_eval(default)

    @functools.wraps(function)
    def served(*args: object, **kwargs: object) -> Any:
        kwargs.pop("name", None)
        if len(args) > len(names):
            raise TypeError(f"{name} takes {len(names)} arguments ({', '.join(names)}). Received: {len(args)}.")
        given = dict(zip(names, args, strict=False)) | kwargs
        unknown = [each for each in given if each not in ours]
        if unknown:
            raise TypeError(f"{name} has no argument {unknown[0]!r}. Its arguments: {', '.join(names)}.")
        values = {own: value for each, value in given.items() if (own := ours[each]) is not None}
        for each in ("shape", "newshape"):
            if each in values:
                values[each] = sizes(values[each])
        found = next((value for each in values.values() for value in _parts(each) if isinstance(value, Special)), None)
        return function(**(defaults | values)) if found is None else found.through(name, function, defaults | values)

    served.__name__ = served.__qualname__ = name.rpartition(".")[2]
    return served


_NUMBERS = (float, np.generic, np.ndarray, jax.Array)  # in shapes, besides ints, None and JAX's symbolic sizes


def sizes(shape: object) -> tuple[int, ...]:
    """A shape, given as a number, a tensor, or a sequence of these, as a tuple of ints."""
    if isinstance(shape, (tuple, list)):
        return tuple(int(each) if isinstance(each, _NUMBERS) else each for each in shape)
    return tuple(np.atleast_1d(np.asarray(shape)).tolist())


class Namespace(ModuleType):
    """A part of TensorFlow with a few names.

    Args:
        name: its name below `tensorflow`.
        names: what is in it.
    """

    def __init__(self, name: str, **names: object):
        super().__init__(f"tensorflow.{name}")
        self.__path__: list[str] = []
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return refuse(f"{self.__name__.partition('.')[2]}.{name}", self.__dict__)


def refuse(name: str, known: Mapping[str, object] | None = None) -> NoReturn:
    """Raise an error that `tensorflow.<name>` is missing, and what to use."""
    last = name.rpartition(".")[2]
    if last.startswith("__"):
        raise AttributeError(last)
    advice = next((TABLE[path] for path in _upwards(name) if path in TABLE), None)
    if advice is None:
        close = validate.closest(last, [each for each, value in (known or {}).items() if _is_ours(each, value)])
        advice = f"The closest names: {close}. Or look for the operation in keras.ops."
    raise AttributeError(f"tensorflow.{name} is not available: this script runs on cornu, without TensorFlow. {advice}")


def _is_ours(name: str, value: object) -> bool:
    """Whether a name in a module is public and defined there, not imported."""
    place = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return not name.startswith("_") and str(place).startswith(("cornu.ops", "cornu.tensorflow", "tensorflow"))


def _upwards(name: str) -> list[str]:
    """`a.b.c`, `a.b`, `a`."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def nothing(*args: object, **kwargs: object) -> None:
    """Do nothing."""


def within(module: str) -> Callable[[str], object]:
    """A `__getattr__` that raises an error for names missing from a module."""

    def missing(name: str) -> Any:
        place = module.partition("cornu.tensorflow.")[2]
        return refuse(f"{place}.{name}" if place else name, importlib.import_module(module).__dict__)

    return missing
