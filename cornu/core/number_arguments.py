"""Constructors' arguments that must be numbers or truth values: text, containers and classes are refused.

A constructor that only stores an argument would take anything, and the error would come later, from a step of training,
and name no argument. So what a parameter takes is read from its annotation: `float`, `int` or `bool`, with or without
None. Whatever may be meant as a number, of any library, is left to the constructor, which also knows the range.
"""

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import TypeVar, cast, get_args

from cornu import validate
from cornu.core.typing import AnyFunction, Args

Init = TypeVar("Init", bound=Callable[..., None])

_WANTED = {float: "a number", int: "an integer", bool: "True or False"}
_OTHERS = (str, bytes, list, tuple, dict, set, type)


def checked(init: Init) -> Init:
    """A constructor that refuses `_OTHERS` where it wants numbers or truth values.

    What it says itself of an argument is left as it is.
    """

    @functools.wraps(init)
    def made(self: object, *args: object, **kwargs: object) -> None:
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            name, problem = _problem(init, self, args, kwargs)
            if not problem or name in str(error):
                raise
            raise TypeError(problem) from error
        problem = _problem(init, self, args, kwargs)[1]
        if problem:
            raise ValueError(problem)

    return cast(Init, made)


def check_constructor(cls: type) -> None:
    """Have the constructor that a class itself defines checked."""
    if "__init__" in cls.__dict__:
        cls.__init__ = checked(cls.__init__)  # type: ignore[misc]  # of this very class


def _problem(init: AnyFunction, owner: object, args: Args, kwargs: Mapping[str, object]) -> tuple[str, str]:
    """The first argument that is not a number but must be, and what to say of it; empty if there is none."""
    for name, value in (*zip(_wanted(init), args, strict=False), *kwargs.items()):
        wanted = isinstance(value, _OTHERS) and _wanted(init).get(name)
        if wanted:
            received = f"Received: {name}={validate.shown(value)}.{_cure(value)}"
            return name, f"{validate.describe(owner)}: {name} must be {wanted}. {received}"
    return "", ""


def _cure(value: object) -> str:
    try:
        float(value)  # type: ignore[arg-type]  # whether it can is the question
    except (TypeError, ValueError):
        return ""
    return f" Write {value!s:.20} without quotation marks."


@functools.cache
def _wanted(init: AnyFunction) -> dict[str, str | None]:
    """For each parameter, in order, the wanted kind of number, if it is one."""
    return {name: _kind(one.annotation) for name, one in [*inspect.signature(init).parameters.items()][1:]}


def _kind(annotation: object) -> str | None:
    members = set(get_args(annotation)) - {types.NoneType} if isinstance(annotation, types.UnionType) else {annotation}
    return next((wanted for kind, wanted in _WANTED.items() if members == {kind}), None)
