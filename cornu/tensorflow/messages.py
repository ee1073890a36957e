"""Protocol buffers as far as TensorFlow's records need them: lists of bytes and numbers, messages, and maps of these.

A class of messages has a table of its fields. Each field has a number and a kind, which knows how values are checked,
written and read. The format: https://protobuf.dev/programming-guides/encoding
"""

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np

from cornu.core.typing import AnyDict, AnyList
from cornu.tensorflow.texts import Text

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


class DecodeError(ValueError):
    """Bytes that are not a message of the wanted kind."""


# ---------------------------------------------------------------- bytes


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte; a negative one as its 64 bits."""
    number &= 2**64 - 1
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes((*made, number))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    found = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        found |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return found & (2**64 - 1), at
    raise DecodeError("a number is truncated")


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: the number of each, and its bytes, or the number that it is written as."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        how = tag & 7
        value: Any = None
        if how == _VARINT:
            value, at = read_varint(data, at)
        elif how == _BYTES or how in _WIDTHS:
            width, at = read_varint(data, at) if how == _BYTES else (_WIDTHS[how], at)
            value, at = data[at : at + width], at + width
        if value is None or at > len(data) or tag >> 3 == 0:
            raise DecodeError("a field is truncated or of an unknown type")
        yield tag >> 3, value


def written(number: int, data: bytes) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | _BYTES) + varint(len(data)) + data


# ---------------------------------------------------------------- kinds of fields


class Repeated(list[Any]):
    """A list whose values are checked as they come in.

    Args:
        check: makes a value of what is given, or refuses it.
        values: the first ones.
    """

    def __init__(self, check: Callable[[Any], Any], values: Iterable[object] = ()):
        self._check = check
        super().__init__(map(check, values))

    def append(self, value: object) -> None:
        """Put a value at the end."""
        super().append(self._check(value))

    def extend(self, values: Iterable[object]) -> None:
        """Put values at the end."""
        super().extend(map(self._check, values))

    def __setitem__(self, place: Any, value: Any) -> None:
        super().__setitem__(place, [*map(self._check, value)] if isinstance(place, slice) else self._check(value))


class Map(dict[Any, Any]):
    """A map from text to messages of a class; one that is asked for is there."""

    def __init__(self, kind: type["Message"], given: Any = ()):
        self._kind = kind
        super().__init__((key, _of_kind(kind, value)) for key, value in dict(given).items())

    def __missing__(self, key: str) -> Any:
        return self.setdefault(key, self._kind())


def _of_kind(kind: type, value: object) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}. Received: {value!r} of type {type(value).__name__}.")
    return value


class _Values(NamedTuple):
    """A repeated field: how one value is checked, all are written, and they are read back."""

    check: Callable[[Any], Any]
    pack: Callable[[int, AnyList], bytes]
    unpack: Callable[[Any], Iterable[Any]]

    def made(self, given: Any = ()) -> Repeated:
        return Repeated(self.check, given)

    def read(self, values: AnyList, data: object) -> None:
        list.extend(values, self.unpack(data))


def _bytes(value: object) -> bytes:
    value = value.item() if isinstance(value, Text) and value.ndim == 0 else value
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, {type(value).__name__} found. Text becomes bytes by text.encode().")
    return bytes(value)


def _int64(value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("expected an int, got a boolean. It becomes one by int(value).")
    number = operator.index(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"expected a whole number of 64 bits. Received: {number}.")
    return number


def _float(value: Any) -> float:
    return float(np.float32(float(value)))


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _int64s(data: Any) -> list[int]:
    if isinstance(data, int):
        return [_signed(data)]
    found, at = [], 0
    while at < len(data):
        number, at = read_varint(data, at)
        found.append(_signed(number))
    return found


def _floats(data: bytes) -> list[float]:
    if len(data) % 4:
        raise DecodeError("a list of numbers is truncated")
    return np.frombuffer(data, "<f4").tolist()


def _packed(data: bytes, number: int) -> bytes:
    return written(number, data) if data else b""


MANY_BYTES = _Values(
    _bytes, lambda number, values: b"".join(written(number, each) for each in values), lambda data: [data]
)
MANY_INT64 = _Values(_int64, lambda number, values: _packed(b"".join(map(varint, values)), number), _int64s)
MANY_FLOAT = _Values(_float, lambda number, values: _packed(np.asarray(values, "<f4").tobytes(), number), _floats)


class One(NamedTuple):
    """A message in a field."""

    kind: type["Message"]

    def made(self, given: object = None) -> Any:
        """The message that was given, or a new one."""
        return self.kind() if given is None else _of_kind(self.kind, given)

    def pack(self, number: int, value: "Message") -> bytes:
        """The field as bytes."""
        return written(number, value.SerializeToString())

    def read(self, value: "Message", data: bytes) -> None:
        """Take what a field holds."""
        value.MergeFromString(data)


class Many(NamedTuple):
    """Several messages in a field."""

    kind: type["Message"]

    def made(self, given: Any = ()) -> Repeated:
        """The messages that were given."""
        return Repeated(lambda value: _of_kind(self.kind, value), given)

    def pack(self, number: int, values: AnyList) -> bytes:
        """The fields as bytes."""
        return b"".join(written(number, each.SerializeToString()) for each in values)

    def read(self, values: AnyList, data: bytes) -> None:
        """Take what one field holds."""
        values.append(self.kind.FromString(data))


class Named(NamedTuple):
    """A map from text to messages."""

    kind: type["Message"]

    def made(self, given: AnyDict | tuple[()] = ()) -> Map:
        """The messages that were given."""
        return Map(self.kind, given)

    def pack(self, number: int, values: AnyDict) -> bytes:
        """The pairs as bytes."""
        pairs = (written(1, key.encode()) + written(2, value.SerializeToString()) for key, value in values.items())
        return b"".join(written(number, pair) for pair in pairs)

    def read(self, values: AnyDict, data: bytes) -> None:
        """Take the pair that one field holds."""
        pair = dict(fields(data))
        values[pair.get(1, b"").decode()] = self.kind.FromString(pair.get(2, b""))


# ---------------------------------------------------------------- messages


class Message:
    """A message; a subclass has the table of its fields, name -> (number, kind).

    Args:
        **given: values of fields.

    Raises:
        TypeError, ValueError: for a value of a different type, or an unknown field.
    """

    FIELDS: dict[str, tuple[int, Any]] = {}

    def __init__(self, **given: object):
        self._given = set(given)  # including empty ones
        self._values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in self.FIELDS:
                raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
            self._values[name] = self.FIELDS[name][1].made(value)

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).FIELDS:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}. Its fields: {', '.join(self.FIELDS)}.")
        return self._values.setdefault(name, self.FIELDS[name][1].made())

    def _filled(self) -> dict[str, Any]:
        """The fields that were given, or that something was added to."""
        return {
            name: self._values[name]
            for name in self.FIELDS
            if name in self._values and (name in self._given or self._values[name])
        }

    def __bool__(self) -> bool:
        return bool(self._filled())

    def WhichOneof(self, oneof_group: str) -> str | None:  # noqa: N802 - the name that scripts know
        """The first field that is given; None where none is."""
        return next(iter(self._filled()), None)

    def HasField(self, field_name: str) -> bool:  # noqa: N802 - the name that scripts know
        """Whether a field is given."""
        return field_name in self._filled()

    def SerializeToString(self, deterministic: bool | None = None) -> bytes:  # noqa: N802 - the name that scripts know
        """The message as bytes."""
        filled = self._filled()
        return b"".join(self.FIELDS[name][1].pack(self.FIELDS[name][0], value) for name, value in filled.items())

    @classmethod
    def FromString(cls, s: bytes) -> Self:  # noqa: N802 - the name that scripts know
        """The message that bytes hold; `DecodeError` where they hold none."""
        made = cls()
        made.MergeFromString(s)
        return made

    def ParseFromString(self, serialized: bytes) -> int:  # noqa: N802 - the name that scripts know
        """Become the message that bytes hold."""
        self.__init__()  # type: ignore[misc]
        return self.MergeFromString(serialized)

    def MergeFromString(self, serialized: bytes) -> int:  # noqa: N802 - the name that scripts know
        """Take the fields that bytes hold."""
        known = {number: (name, kind) for name, (number, kind) in self.FIELDS.items()}
        serialized = _bytes(serialized)
        for number, data in fields(serialized):
            if number in known:
                name, kind = known[number]
                kind.read(getattr(self, name), data)
                self._given.add(name)
        return len(serialized)

    def CopyFrom(self, other: "Message") -> None:  # noqa: N802 - the name that scripts know
        """Become a copy of another message."""
        self.ParseFromString(other.SerializeToString())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._filled() == other._filled()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "".join(f"{line}\n" for name, value in self._filled().items() for line in _shown(name, value))

    def __reduce__(self) -> Any:
        return type(self).FromString, (self.SerializeToString(),)


def _shown(name: str, value: Any) -> list[str]:
    """The lines of a field in the text format of protocol buffers."""
    if isinstance(value, Message):
        return [f"{name} {{", *(f"  {line}" for line in repr(value).splitlines()), "}"]
    if isinstance(value, dict):
        pairs = [[f'key: "{key}"', *_shown("value", one)] for key, one in value.items()]
        return [line for pair in pairs for line in (f"{name} {{", *(f"  {each}" for each in pair), "}")]
    if isinstance(value, list):
        return [line for one in value for line in _shown(name, one)]
    return [f"{name}: {_escaped(value) if isinstance(value, bytes) else _shortest(value)}"]


def _shortest(value: float) -> str:
    """A number with the fewest digits that identify it among 32-bit floats; an integer with all its digits."""
    if isinstance(value, int):
        return str(value)
    return next(shown for digits in range(6, 10) if np.float32(shown := f"{value:.{digits}g}") == value or digits == 9)


def _escaped(value: bytes) -> str:
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", 9: "\\t", 10: "\\n", 13: "\\r", ord("'"): "\\'"}
    shown = (plain.get(each) or (chr(each) if 32 <= each < 127 else f"\\{each:03o}") for each in value)
    return f'"{"".join(shown)}"'
