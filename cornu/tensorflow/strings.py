"""`tensorflow.strings`: text, in NumPy arrays of bytes, as TensorFlow has it in its tensors."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import Axes, Tensor
from cornu.tensorflow.served import functions, within


class Text(np.ndarray):
    """An array of bytes; a single one has no axes."""

    def numpy(self) -> Any:
        """The bytes, or a plain array of them."""
        return self.item() if self.ndim == 0 else np.array(self)

    def __getitem__(self, index: Tensor) -> "np.ndarray | Text":
        found = super().__getitem__(index)
        return found if isinstance(found, np.ndarray) else text(found)

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def __str__(self) -> str:
        return str(np.asarray(self))

    def __iter__(self) -> Iterator:
        return (self[at] for at in range(len(self)))

    def __add__(self, other: object) -> "Text":
        return join([self, other])

    def __radd__(self, other: object) -> "Text":
        return join([other, self])

    def __eq__(self, other: object) -> Any:
        return np.asarray(self) == np.asarray(text(other))

    def __ne__(self, other: object) -> Any:
        return np.asarray(self) != np.asarray(text(other))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.item())

    def __fspath__(self) -> str:
        return self.item().decode()


def is_text(value: Tensor) -> bool:
    """Whether a value is text, or a list or array of it."""
    if isinstance(value, (str, bytes, Text)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "SU" or (value.dtype.kind in "OT" and value.size > 0 and is_text(value.flat[0]))
    return isinstance(value, (list, tuple)) and len(value) > 0 and is_text(value[0])


def text(value: Tensor) -> Text:
    """Text of any kind as an array of bytes."""
    if isinstance(value, Text):
        return value
    if isinstance(value, (str, bytes)):
        made = np.empty((), object)
        made[()] = value.encode() if isinstance(value, str) else bytes(value)
        return made.view(Text)
    array = np.array(value, object)
    made = np.empty(array.shape, object)
    for at, item in np.ndenumerate(array):
        made[at] = item.encode() if isinstance(item, str) else bytes(item)
    return made.view(Text)


def each_text(function: Callable[[bytes], object], input: Tensor) -> Text:
    """What a function makes of each text."""
    source = text(input)
    made = np.empty(source.shape, object)
    for at, item in np.ndenumerate(np.asarray(source)):
        made[at] = function(item)
    return made.view(Text)


def _numbers(function: Callable[[bytes], object], input: Tensor, dtype: str) -> jax.Array:
    found = np.asarray(each_text(function, input))
    return jnp.asarray(found.astype(dtype))


def _rows(function: Callable[[bytes], list], input: Tensor, name: str) -> Text:
    """The pieces of one text, or of several with as many each."""
    source = text(input)
    rows = [function(item) for item in np.asarray(source).ravel()]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"tf.strings.{name}: the texts have pieces of different numbers, and tensors have no rows of different "
            "lengths here. Do it for one text at a time, in Dataset.map or with Python's str.split."
        )
    made = np.empty((len(rows), len(rows[0])), object)
    made[:] = rows
    return made.reshape(*source.shape, -1).view(Text)


def join(inputs: Tensor, separator: str = "", name: str | None = None) -> Text:
    """Texts, element by element, behind one another."""
    arrays = np.broadcast_arrays(*(np.asarray(text(each)) for each in inputs))
    made = np.empty(arrays[0].shape, object)
    for at in np.ndindex(made.shape):
        made[at] = separator.encode().join([bytes(array[at]) for array in arrays])
    return made.view(Text)


def _cased(how: str) -> Callable:
    def cased(input: Tensor, encoding: str = "") -> Text:
        if encoding:
            return each_text(lambda item: getattr(item.decode(encoding), how)().encode(encoding), input)
        return each_text(lambda item: getattr(item, how)(), input)

    return cased


_lower, _upper = _cased("lower"), _cased("upper")


_CLASSES = {
    b"[:alnum:]": b"0-9A-Za-z", b"[:alpha:]": b"A-Za-z", b"[:blank:]": rb"\t ", b"[:digit:]": b"0-9",
    b"[:lower:]": b"a-z", b"[:punct:]": rb"!-/:-@\[-`{-~", b"[:space:]": rb"\t\n\v\f\r ",
    b"[:upper:]": b"A-Z", b"[:word:]": b"0-9A-Za-z_",
}  # fmt: skip


def _pattern(pattern: Tensor) -> re.Pattern[bytes]:
    """A regular expression of RE2, which also has POSIX's classes of characters."""
    written = _bytes(pattern)
    for name, characters in _CLASSES.items():
        written = written.replace(name, characters)
    return re.compile(written)


def _regex_replace(input: Tensor, pattern: str, rewrite: str, replace_global: bool = True) -> Text:
    found, new = _pattern(pattern), re.sub(rb"\\(\d)", rb"\\g<\1>", _bytes(rewrite))
    return each_text(lambda item: found.sub(new, item, count=0 if replace_global else 1), input)


def _regex_full_match(input: Tensor, pattern: str) -> jax.Array:
    found = _pattern(pattern)
    return _numbers(lambda item: found.fullmatch(item) is not None, input, "bool")


def _bytes(value: Tensor) -> bytes:
    return text(value).item()


def _split(input: Tensor, sep: object = None, maxsplit: int = -1) -> Text:
    by = None if sep is None or _bytes(sep) == b"" else _bytes(sep)
    return _rows(lambda item: item.split(by, maxsplit), input, "split")


def _characters(input: Tensor, input_encoding: str = "UTF-8", errors: str = "replace") -> Text:
    return _rows(lambda item: [each.encode() for each in item.decode(input_encoding, errors)], input, "unicode_split")


def _bytes_split(input: Tensor) -> Text:
    return _rows(lambda item: [item[at : at + 1] for at in range(len(item))], input, "bytes_split")


def _length(input: Tensor, unit: str = "BYTE") -> jax.Array:
    return _numbers(lambda item: len(item if unit == "BYTE" else item.decode()), input, "int32")


def _substr(input: Tensor, pos: Tensor, len: Tensor, unit: str = "BYTE") -> Text:
    def cut(item: Tensor, pos: Tensor, len: Tensor) -> bytes:
        whole: Any = item if unit == "BYTE" else item.decode()
        start = int(pos) if pos >= 0 else max(0, whole.__len__() + int(pos))
        piece = whole[start : start + int(len)]
        return piece if unit == "BYTE" else piece.encode()

    source, starts, lengths = np.broadcast_arrays(np.asarray(text(input)), np.asarray(pos), np.asarray(len))
    made = np.empty(source.shape, object)
    for at in np.ndindex(made.shape):
        made[at] = cut(source[at], starts[at], lengths[at])
    return made.view(Text)


def _to_number(input: Tensor, out_type: Any = "float32") -> jax.Array:
    return _numbers(float, input, out_type)


def _as_string(
    input: Tensor,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
) -> Text:
    array = np.asarray(input)
    kind = "e" if scientific else "g" if shortest else "f"
    number = f".{precision}{kind}" if precision >= 0 else kind
    form = f"{fill}{width if width > 0 else ''}{number if array.dtype.kind == 'f' else ''}"

    def shown(x: object) -> str:
        return str(x).lower() if array.dtype.kind == "b" else f"{x:{form}}"

    return text(np.vectorize(shown, otypes=[object])(array))


def _format(template: str, inputs: object, placeholder: str = "{}", summarize: int = 3) -> Text:
    values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    first, *rest = _bytes(template).decode().split(placeholder)
    return text(first + "".join(f"{np.asarray(value)}{after}" for value, after in zip(values, rest, strict=True)))


def _ngrams(data: Tensor, ngram_width: int, separator: str = " ") -> Text:
    def joined(item: list) -> list:
        pieces = range(len(item) - ngram_width + 1)
        return [separator.encode().join(item[at : at + ngram_width]) for at in pieces]

    source = np.asarray(text(data))
    return text(np.apply_along_axis(lambda row: np.array(joined(row.tolist()), object), -1, source))


def _reduce_join(inputs: Tensor, axis: Axes = None, keepdims: bool = False, separator: str = "") -> Text:
    array = np.asarray(text(inputs))
    array = array.reshape(-1) if axis is None else np.moveaxis(array, axis, -1)
    made = np.empty(array.shape[:-1], object)
    for at in np.ndindex(made.shape):
        made[at] = separator.encode().join(array[at])
    return (np.expand_dims(made, -1 if axis is None else axis) if keepdims else made).view(Text)


def _strip(input: Tensor) -> Text:
    return each_text(bytes.strip, input)


def _unicode_decode(input: Tensor, input_encoding: str = "UTF-8") -> jax.Array:
    return jnp.asarray([ord(each) for each in _bytes(input).decode(input_encoding)])


def _unicode_encode(input: Tensor, output_encoding: str = "UTF-8") -> Text:
    return text("".join(map(chr, np.asarray(input).tolist())).encode(output_encoding))


globals().update(
    functions(
        """
        as_string        _as_string    input precision scientific shortest width fill
        bytes_split      _bytes_split  input
        format           _format       template inputs placeholder summarize
        length           _length       input unit
        lower            _lower        input encoding
        ngrams           _ngrams       data ngram_width separator
        reduce_join      _reduce_join  inputs axis keepdims separator
        regex_full_match _regex_full_match input pattern
        regex_replace    _regex_replace input pattern rewrite replace_global
        split            _split        input sep maxsplit
        strip            _strip        input
        substr           _substr       input pos len unit
        to_number        _to_number    input out_type
        unicode_decode   _unicode_decode input input_encoding
        unicode_encode   _unicode_encode input output_encoding
        unicode_split    _characters   input input_encoding errors
        upper            _upper        input encoding
        """,
        globals(),
        "strings.",
    )
)
__getattr__ = within(__name__)
