"""One-line argument checks: each function returns the normalized value or raises a clear error.

Every message has four parts: where, what was expected, what was received, and what to do if that is not obvious.
`owner` is the object being configured; `describe` names it (`Conv2D "stem"`).
"""

import importlib
import importlib.metadata
import numbers
import operator
import re
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, TypeGuard, TypeVar

import numpy as np

from cornu import settings, spelling
from cornu.errors import MissingPackageError

closest, plain, shown = spelling.closest, spelling.plain, spelling.shown

Choice = TypeVar("Choice")


def describe(owner: object) -> str:
    """`Conv2D "stem"` for an object with a name, otherwise its class name; a string is returned unchanged."""
    owner = getattr(owner, "_described_as", owner)  # of a part that a user did not make, the whole
    if isinstance(owner, str):
        return owner
    kind = owner if isinstance(owner, type) else type(owner)
    name = None if isinstance(owner, type) else getattr(owner, "name", None)
    return f'{kind.__name__} "{name}"' if isinstance(name, str) else kind.__name__


# Characters that control a terminal, change the text direction, or cannot be displayed.
_STEERING = re.compile("[\\0-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def name(value: object, owner: object, optional: bool = False, slash: bool = False) -> Any:
    """A name that is safe to print: text without terminal control characters.

    Args:
        value: the name.
        owner: the owner of the name.
        optional: whether it may be None or otherwise empty.
        slash: whether it may have "/" in it.
    """
    if optional and not value:
        return value
    if not isinstance(value, str) or ("/" in value and not slash) or _STEERING.search(value):
        wanted = "a string without control characters" if slash else 'a string without "/" and control characters'
        raise ValueError(f"{describe(owner)}: name must be {wanted}. Received: name={shown(value)}.")
    return value


def is_real(value: object) -> TypeGuard[float]:
    """Whether `value` is a real number of any library, including True and False."""
    return isinstance(value, numbers.Real)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether `value` is a Python or NumPy integer, or a scalar integer array; bools and floats are not."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        return False
    try:
        operator.index(value)
    except TypeError:  # an array of several numbers, or of floats
        return False
    return True


def _integer(value: object, minimum: int, wanted: str, name: str, owner: object) -> int:
    if not is_integer(value) or operator.index(value) < minimum:
        whole = isinstance(value, (float, np.floating)) and value >= minimum and value.is_integer()
        cure = f" Write {value:.0f}." if whole else ""
        raise ValueError(f"{describe(owner)}: {name} must be {wanted}. Received: {name}={shown(value)}.{cure}")
    return operator.index(value)


def integer(value: object, name: str, owner: object) -> int:
    """`value` as an int."""
    if not is_integer(value):
        raise ValueError(f"{describe(owner)}: {name} must be an integer. Received: {name}={shown(value)}.")
    return operator.index(value)


def positive_int(value: object, name: str, owner: object) -> int:
    """`value` as an int of at least 1."""
    return _integer(value, 1, "a positive integer", name, owner)


def non_negative_int(value: object, name: str, owner: object) -> int:
    """`value` as an int of at least 0."""
    return _integer(value, 0, "an integer of zero or more", name, owner)


def one_or_several(value: Any) -> tuple[Any, ...]:
    """An integer, or several things in a sequence, as a tuple."""
    return (operator.index(value),) if is_integer(value) else tuple(value)


def int_tuple(value: Any, rank: int, name: str, owner: object, minimum: int = 1) -> tuple[int, ...]:
    """`value` as a tuple of `rank` ints, where a single int is repeated."""
    values = (value,) * rank if is_integer(value) else value
    good = isinstance(values, Iterable) and not isinstance(values, (str, bytes))
    values = tuple(values) if good and getattr(values, "ndim", 1) == 1 else ()
    if len(values) != rank or not all(is_integer(v) and v >= minimum for v in values):
        wanted = "an integer" if rank == 1 else f"a tuple of {rank} integers, or one integer, each"
        raise ValueError(
            f"{describe(owner)}: {name} must be {wanted} of at least {minimum}. Received: {name}={shown(value)}."
        )
    return tuple(map(operator.index, values))


def one_of(value: Choice, choices: Sequence[object], name: str, owner: object) -> Choice:
    """`value`, which must be among `choices`."""
    if value not in choices:
        listed = " or ".join(repr(c).replace("'", '"') for c in choices)
        received = shown(value).replace("'", '"')
        likely = spelling.likely(value, map(str, choices), 1, at_least=0.6) if isinstance(value, str) else []
        meant = f' Did you mean "{likely[0]}"?' if likely else ""
        raise ValueError(f"{describe(owner)}: {name} must be {listed}. Received: {name}={received}.{meant}")
    return value


def padding(value: Any, owner: object, choices: Sequence[str] = ("valid", "same")) -> str:
    """A padding mode in lower case."""
    if isinstance(value, str):
        value = value.lower()
    return one_of(value, choices, "padding", owner)


def data_format(value: Any, owner: object) -> str:
    """`"channels_last"` or `"channels_first"`; None uses the global default."""
    if value is None:
        return settings.image_data_format()
    value = value.lower() if isinstance(value, str) else value
    return one_of(value, ("channels_last", "channels_first"), "data_format", owner)


def axis(value: object, rank: int, owner: object, name: str = "axis") -> int:
    """A nonnegative axis of an array with `rank` axes."""
    if not is_integer(value) or not -rank <= value < rank:
        raise ValueError(
            f"{describe(owner)}: {name} must be an integer from {-rank} to {rank - 1}, since there are {rank} axes. "
            f"Received: {name}={shown(value)}."
        )
    return operator.index(value) % rank


def axes(value: object, owner: object, name: str = "axis") -> int | list[int]:
    """One axis as an int, several as a list."""
    if is_integer(value):
        return operator.index(value)
    if isinstance(value, (list, tuple)) and value and all(map(is_integer, value)):
        return [operator.index(one) for one in value]
    raise TypeError(f"{describe(owner)}: {name} must be an int or a list of ints. Received: {name}={shown(value)}.")


def fraction(value: object, name: str, owner: object) -> float:
    """`value` as a float that is at least 0 and below 1."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= float(value) < 1:
        raise ValueError(
            f"{describe(owner)}: {name} must be a number from 0 up to, but not including, 1. "
            f"Received: {name}={shown(value)}."
        )
    return float(value)


def optional_import(module: str, *, purpose: str, extra: str = "") -> ModuleType:
    """Import an optional package, or raise an error that says what to install.

    Args:
        module: the module to import.
        purpose: the feature that needs it, for the error message.
        extra: the extra of cornu that contains it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{purpose} needs the package {module.partition('.')[0]!r}, which is not installed. "
            f"Install it with: pip install {_packages_of(extra) or module.partition('.')[0]}"
        ) from error


def _packages_of(extra: str) -> str:
    """The packages of an extra, as pip arguments: cornu itself is not on an index, so its name would not work."""
    try:
        required = importlib.metadata.requires("cornu") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    marker = f'extra == "{extra}"'
    return " ".join(f'"{one.partition(";")[0].strip()}"' for one in required if marker in one.replace("'", '"'))
