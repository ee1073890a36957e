"""What a user sees of errors and warnings: their own lines, and the message.

`filtered` marks the package's entry points. A traceback that leaves through one shows only the user's frames; those of
cornu and JAX, and JAX's advice about its own tracebacks, are removed, unless `config.disable_traceback_filtering()` was
called. There is no overhead while no error occurs. If the error was not raised by cornu, but NumPy, JAX or Python
itself failed on an argument, the message is extended by the call and its arguments. `explain` translates JAX's errors
about traced values into plain language, with the layer and the user's line, and `warn` points at the user's line.
"""

import contextlib
import dis
import functools
import inspect
import linecache
import os
import reprlib
import sys
import threading
import types
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import jax
import jaxlib
import numpy as np

from cornu import absent, settings, validate
from cornu.core.typing import AnyFunction, Args, Kwargs

Door = TypeVar("Door", bound=AnyFunction)

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDERS = tuple(folder + os.sep for folder in (_PACKAGE, *map(os.path.dirname, (jax.__file__, jaxlib.__file__))))
_FILES = frozenset(module.__file__ for module in (contextlib, functools, inspect, threading))
_JAX_ADVICE = "For simplicity, JAX has removed"


def filtered(function: Door) -> Door:
    """An API function whose errors show only the user's frames.

    Args:
        function: any function or method.
    """

    @functools.wraps(function)
    def door(*args: object, **kwargs: object) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            told = for_reader(error, function, args, kwargs)
            if told is error:
                raise
            raise told from error

    return cast(Door, door)


def filter_methods(cls: type, names: Iterable[str]) -> None:
    """Filter the tracebacks of those methods that a class itself defines."""
    for name in cls.__dict__.keys() & set(names):
        setattr(cls, name, filtered(cls.__dict__[name]))


def for_reader(error: Exception, function: AnyFunction, args: Args, kwargs: Kwargs) -> Exception:
    """`error`, and its chain of causes, as shown to a user.

    Args:
        error: the exception raised in `function`.
        function, args, kwargs: the entry point that it leaves through, and its arguments.
    """
    explain(error)
    told = _with_call(error, function, args, kwargs)
    if settings.read("traceback_filtering"):
        for one in _with_causes(error):
            one.__traceback__ = without_inner_frames(one.__traceback__)
            if hasattr(one, "__notes__"):
                one.__notes__ = [note for note in one.__notes__ if _JAX_ADVICE not in note]
    return told


@contextlib.contextmanager
def of_a_file() -> Iterator[None]:
    """Scope for reading a file: text quoted from it in errors is escaped, so that terminals do not interpret it."""
    try:
        yield
    except Exception as error:
        for one in _with_causes(error):
            one.args = tuple(validate.plain(part) if isinstance(part, str) else part for part in one.args)
            if hasattr(one, "__notes__"):
                one.__notes__ = list(map(validate.plain, one.__notes__))
        raise


def without_inner_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """The part of a traceback in the user's files."""
    kept = [step for step in _steps(traceback) if not is_inner(step.tb_frame.f_code.co_filename)]
    shown = None
    for step in reversed(kept):
        shown = types.TracebackType(shown, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return shown


def is_inner(file: str) -> bool:
    """Whether a file belongs to cornu, to JAX, or to Python modules between their frames."""
    return file.startswith(_FOLDERS) or file in _FILES


def _steps(traceback: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


# ---------------------------------------------------------------- errors that cornu does not raise itself

_STUMBLES = (
    ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError, NameError, ArithmeticError,
)  # fmt: skip
_PLAINER = (
    ("IndexError tuple index out of range", "there is no such axis"),
    ("None is not a valid value for jnp.array", "None stands where a tensor belongs"),
)
_SAYING_MORE = (UnicodeError, jax.errors.JAXTypeError, jax.errors.JAXIndexError)  # than their message
_NUMPY = os.path.dirname(np.__file__) + os.sep


def _with_call(error: Exception, function: AnyFunction, args: Args, kwargs: Kwargs) -> Exception:
    """The error with the call added to its message, unless cornu or the user's code raised it."""
    if getattr(error, "_cornu_told", False) or not isinstance(error, _STUMBLES) or isinstance(error, _SAYING_MORE):
        return error
    error._cornu_told = True  # type: ignore[union-attr]
    inside = list(_steps(error.__traceback__))[1:]  # the first is the entry point
    if any(map(_is_users, inside)) or (inside and _raises(inside[-1])):
        return error
    if not _fits(function, args, kwargs):
        error.args = (_of_the_call_itself(error, function, args, kwargs),)
        return error
    if not inside:
        return error
    said = str(error) if type(error) in (ValueError, TypeError) else f"{type(error).__name__} {error}".strip()
    for raw, plain in _PLAINER:
        said = said.replace(raw, plain)
    owner, given = _call(function, args, kwargs)
    place = "" if said.startswith(f"{owner}: ") else f"{owner}: "
    message = f"{place}{said.rstrip('. ')}. Received: {given}."
    if type(error) in (ValueError, TypeError):
        error.args = (message,)
        return error
    told = ValueError(message)
    told._cornu_told = True  # type: ignore[attr-defined]
    return told


def _fits(function: AnyFunction, args: Args, kwargs: Kwargs) -> bool:
    """Whether a function can be called with these arguments."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _of_the_call_itself(error: Exception, function: AnyFunction, args: Args, kwargs: Kwargs) -> str:
    """What is wrong with a call that Python rejects: an unknown argument, or a missing one."""
    owner, given = _call(function, args, kwargs)
    parameters = inspect.signature(function).parameters
    known = [name for name, p in parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD]
    unknown = [name for name in kwargs if name not in known]
    passed = {*list(parameters)[: len(args)], *kwargs}
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind < p.VAR_POSITIONAL and name not in passed
    ]
    told = [f"unknown argument {name!r}. {absent.unknown_argument(name, known)}" for name in unknown[:1]]
    told += [f"{' and '.join(missing)} must be given."] if missing else []
    return f"{owner}: {' '.join(told)} Received: {given or 'nothing'}." if told else str(error)


def _is_users(step: types.TracebackType) -> bool:
    file = step.tb_frame.f_code.co_filename
    return not is_inner(file) and not file.startswith(_NUMPY)


def _raises(step: types.TracebackType) -> bool:
    """Whether the error was raised by a `raise` statement of cornu's."""
    return step.tb_frame.f_code.co_filename.startswith(_FOLDERS[0]) and _is_raise(step)


def _is_raise(step: types.TracebackType) -> bool:
    return step.tb_frame.f_code.co_code[step.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def lacks(error: Exception, place: str) -> bool:
    """Whether the place of an error is missing from its message, and may be put there: it is not a user's own text."""
    return error.args == (str(error),) and place not in str(error) and not _is_users_own(error)


def _is_users_own(error: Exception) -> bool:
    """Whether the error was raised by a `raise` outside cornu, JAX and NumPy, so that its message must not change."""
    last = list(_steps(error.__traceback__))[-1]
    return _is_users(last) and _is_raise(last)


def _call(function: AnyFunction, args: Args, kwargs: Kwargs) -> tuple[str, str]:
    """The callee, `Dense "last"`, and its arguments, `inputs=float32 (2, 3)`."""
    owner, name = None, function.__name__
    if next(iter(inspect.signature(function).parameters), "") == "self":
        owner, args = args[0], args[1:]
        name = validate.describe(type(owner) if name == "__init__" else owner)
        name += "" if function.__name__.startswith("__") else f".{function.__name__}()"
        function = function.__get__(owner)
        if function.__name__ == "__call__" and not any(
            p.kind < p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values()
        ):
            function = getattr(owner, "call", function)  # __call__(*args, **kwargs) has no named arguments
    try:
        given = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except TypeError:
        given = {**{f"argument {i}": value for i, value in enumerate(args, 1)}, **kwargs}
    return name, ", ".join(f"{key}={_shown(value)}" for key, value in given.items())


def _shown(value: object) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}".replace("'", "")
    if isinstance(value, (list, tuple)) and 0 < len(value) < 5:
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict) and 0 < len(value) < 5:
        return "{" + ", ".join(f"{key!r}: {_shown(item)}" for key, item in value.items()) + "}"
    return reprlib.repr(value)


# ---------------------------------------------------------------- JAX's errors in plain language

_WHILE_COMPILED = "while a functional model is built or a step is compiled, its values are not known yet"
_EAGERLY = "To inspect values while debugging: call the layer on an array, or compile(run_eagerly=True)."

_TRACED: tuple[tuple[type[Exception], str, str, str], ...] = (  # kind of error, of its text, what happened, what to do
    (
        jax.errors.TracerBoolConversionError,
        "",
        f"the truth value of a tensor is needed, but {_WHILE_COMPILED}.",
        f"Instead of `if`, `while`, `and`, use ops.where, ops.cond, ops.while_loop, ops.logical_and. {_EAGERLY}",
    ),
    (
        jax.errors.NonConcreteBooleanIndexError,
        "",
        f"a boolean tensor is used as an index, but {_WHILE_COMPILED}, so the shape of the result is unknown too.",
        f"Use ops.where(mask, x, 0), which keeps the shape. {_EAGERLY}",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "",
        f"a tensor is passed to NumPy, but {_WHILE_COMPILED}.",
        f"Use the function of the same name in ops instead of NumPy's. {_EAGERLY}",
    ),
    (
        jax.errors.TracerIntegerConversionError,
        "",
        f"a tensor is used as a Python integer (an index, range(), a size), but {_WHILE_COMPILED}.",
        f"Use ops.take or ops.slice for an index, ops.fori_loop for a loop, x.shape for a size. {_EAGERLY}",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "",
        f"the value of a tensor is needed (int(), float(), .item()), but {_WHILE_COMPILED}.",
        f"Compute with ops on the tensor itself. {_EAGERLY}",
    ),
    (
        jax.errors.UnexpectedTracerError,
        "",
        "a tensor from one call is used in another: it was stored in an attribute, a list or a global variable.",
        "Store what must persist in a variable: self.state = self.add_weight(...) in build() or __init__(), and "
        "self.state.assign(value) in call().",
    ),
    (
        AttributeError,
        "Tracer has no attribute numpy",
        f".numpy() is called on a tensor, but {_WHILE_COMPILED}.",
        f"Compute with ops on the tensor itself. {_EAGERLY}",
    ),
    (
        TypeError,
        "This concrete value was not available in Python",  # for a shape
        f"a tensor is used as a size, but {_WHILE_COMPILED}.",
        f"Take sizes from x.shape, and mask excess elements with ops.where(mask, x, 0). {_EAGERLY}",
    ),
    (
        TypeError,
        "Only arrays of numeric types are supported",
        "text or objects are given where numbers belong.",
        "Turn them into numbers first, by a layer such as TextVectorization or StringLookup, or by "
        "names, x = np.unique(x, return_inverse=True).",
    ),
    (
        TypeError,
        "JAX arrays are immutable",
        "an element of a tensor is assigned to, but tensors are immutable.",
        "Create a new one: ops.where(mask, value, x), ops.slice_update(x, start, values) or "
        "ops.scatter_update(x, indices, values).",
    ),
)  # fmt: skip


def explain(error: Exception, where: str = "") -> None:
    """Explain one of JAX's errors about traced values in plain language, with the user's line.

    Args:
        error: any error; other errors are left alone.
        where: what was running, such as `Dense "last"`.
    """
    if getattr(error, "_cornu_explained", False):
        return
    found = next(
        ((what, cure) for kind, text, what, cure in _TRACED if isinstance(error, kind) and text in str(error)), None
    )
    if found is None:
        return
    what, cure = found
    error._cornu_explained = True  # type: ignore[attr-defined]
    line = users_line(error.__traceback__)
    start = ": ".join(filter(None, (where, line)))
    error.args = (f"{start}: {what} {cure}" if start else f"{what[0].upper()}{what[1:]} {cure}",)


def users_line(traceback: types.TracebackType | None) -> str:
    """`line 9 of train.py, "if x > 0:"` for the innermost of the user's own lines; "" if there is none."""
    own = [step for step in _steps(traceback) if not is_inner(step.tb_frame.f_code.co_filename)]
    if not own:
        return ""
    file, number = own[-1].tb_frame.f_code.co_filename, own[-1].tb_lineno
    text = linecache.getline(file, number).strip()
    return f"line {number} of {os.path.basename(file)}" + (f', "{text}"' if text else "")


# ---------------------------------------------------------------- warnings


def warn(message: str) -> None:
    """Issue a warning at the user's line that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and is_inner(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
