"""`tensorflow.strings`: functions for text."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyFunction, AnyList, Axes, Tensor
from cornu.layers import text_hash
from cornu.tensorflow.ragged import RaggedTensor
from cornu.tensorflow.served import functions, within
from cornu.tensorflow.texts import Text, each_text, joined, text


def _numbers(function: Callable[[bytes], object], input: Tensor, dtype: str) -> jax.Array:
    found = np.asarray(each_text(function, input))
    return jnp.asarray(found.astype(dtype))


def _rows(function: Callable[[bytes], AnyList], input: Tensor, made: Callable[[AnyList], Any] | None = None) -> Tensor:
    """The pieces of one string, or a ragged tensor for several."""
    source, made = np.asarray(text(input)), made or text
    if source.ndim == 0:
        return made(function(source.item()))
    rows = [function(item) for item in source.ravel()]
    found = RaggedTensor.from_row_lengths(made([item for row in rows for item in row]), [len(row) for row in rows])
    for size in source.shape[:0:-1]:
        found = RaggedTensor.from_uniform_row_length(found, size)
    return found


_join = joined


def _cased(how: str) -> AnyFunction:
    def cased(input: Tensor, encoding: str = "") -> Text:
        if encoding:
            return each_text(lambda item: getattr(item.decode(encoding), how)().encode(encoding), input)
        return each_text(lambda item: getattr(item, how)(), input)

    return cased


_lower, _upper = _cased("lower"), _cased("upper")


_CLASSES = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:blank:]": r"\t ", "[:digit:]": "0-9",
    "[:lower:]": "a-z", "[:punct:]": r"!-/:-@\[-`{-~", "[:space:]": r"\t\n\v\f\r ",
    "[:upper:]": "A-Z", "[:word:]": "0-9A-Za-z_",
}  # fmt: skip


def _pattern(pattern: Tensor) -> re.Pattern[str]:
    """An RE2 regular expression in Python's terms: RE2 has POSIX character classes, and its words are ASCII."""
    written = _decoded(_bytes(pattern))
    for name, characters in _CLASSES.items():
        written = written.replace(name, characters)
    return re.compile(written, re.ASCII)


def _decoded(item: bytes) -> str:
    """UTF-8 as characters; invalid bytes are kept as surrogates."""
    return item.decode("utf-8", "surrogateescape")


def _regex_replace(input: Tensor, pattern: str, rewrite: str, replace_global: bool = True) -> Text:
    found, new = _pattern(pattern), re.sub(r"\\(\d)", r"\\g<\1>", _decoded(_bytes(rewrite)))

    def replaced(item: bytes) -> bytes:
        return found.sub(new, _decoded(item), count=0 if replace_global else 1).encode("utf-8", "surrogateescape")

    return each_text(replaced, input)


def _regex_full_match(input: Tensor, pattern: str) -> jax.Array:
    found = _pattern(pattern)
    return _numbers(lambda item: found.fullmatch(_decoded(item)) is not None, input, "bool")


def _bytes(value: Tensor) -> bytes:
    return text(value).item()


def _split(input: Tensor, sep: object = None, maxsplit: int = -1) -> Text:
    by = None if sep is None or _bytes(sep) == b"" else _bytes(sep)
    return _rows(lambda item: item.split(by, maxsplit), input)


def _characters(input: Tensor, input_encoding: str = "UTF-8", errors: str = "replace") -> Text:
    return _rows(lambda item: [each.encode() for each in item.decode(input_encoding, errors)], input)


def _bytes_split(input: Tensor) -> Text:
    return _rows(lambda item: [item[at : at + 1] for at in range(len(item))], input)


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


def _to_number(input: Tensor, out_type: Tensor = "float32") -> jax.Array:
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
    def joined(item: AnyList) -> AnyList:
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


def _fast_bucket(input: Tensor, num_buckets: int) -> jax.Array:
    return _in_buckets(text_hash.fingerprints, input, num_buckets)


def _strong_bucket(input: Tensor, num_buckets: int, key: Tensor) -> jax.Array:
    return _in_buckets(lambda each: text_hash.keyed_hashes(each, list(map(int, key))), input, num_buckets)


def _in_buckets(hashes: AnyFunction, input: Tensor, number: int) -> jax.Array:
    source = np.asarray(text(input))
    found = text_hash.remainders(hashes(source.ravel().tolist()), int(number)) if source.size else np.zeros(0)
    return jnp.asarray(found.reshape(source.shape), "int32")


_WORD = 2**64 - 1
_FACTOR = 0xC6A4A7935BD1E995


def _murmur(item: bytes) -> int:
    """Appleby's MurmurHash64A with TensorFlow's seed (https://github.com/aappleby/smhasher)."""
    found = 0xDECAFCAFFE ^ (len(item) * _FACTOR & _WORD)
    whole = len(item) // 8 * 8
    for at in range(0, whole, 8):
        part = int.from_bytes(item[at : at + 8], "little") * _FACTOR & _WORD
        found = ((part ^ part >> 47) * _FACTOR & _WORD ^ found) * _FACTOR & _WORD
    if len(item) > whole:
        found = (found ^ int.from_bytes(item[whole:], "little")) * _FACTOR & _WORD
    found = (found ^ found >> 47) * _FACTOR & _WORD
    return found ^ found >> 47


def _bucket(input: Tensor, num_buckets: int) -> jax.Array:
    return _numbers(lambda item: _murmur(item) % int(num_buckets), input, "int32")


def _transcoded(
    input: Tensor, input_encoding: str, output_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False,
) -> Text:  # fmt: skip
    def transcoded(item: bytes) -> bytes:
        found = item.decode(input_encoding, errors).replace("\ufffd", chr(replacement_char))
        if replace_control_characters:
            found = "".join(chr(replacement_char) if ord(each) < 32 else each for each in found)
        return found.encode(output_encoding)

    return each_text(transcoded, input)


def _offsets(item: bytes, encoding: str, errors: str) -> list[int]:
    """The byte offset of each character."""
    sizes = [len(each.encode(encoding, "replace")) for each in item.decode(encoding, errors)]
    return np.cumsum([0, *sizes])[:-1].tolist()


def _split_with_offsets(input: Tensor, input_encoding: str, errors: str = "replace") -> tuple[Any, Any]:
    places = _rows(lambda item: _offsets(item, input_encoding, errors), input, _points)
    return _characters(input, input_encoding, errors), places


def _decode_with_offsets(input: Tensor, input_encoding: str, errors: str = "replace") -> tuple[Any, Any]:
    places = _rows(lambda item: _offsets(item, input_encoding, errors), input, _points)
    return _unicode_decode(input, input_encoding, errors), places


def _segment_join(inputs: Tensor, segment_ids: Tensor, num_segments: int, separator: str = "") -> Text:
    rows: list[list[bytes]] = [[] for _ in range(int(num_segments))]
    for item, at in zip(np.asarray(text(inputs)).ravel(), np.asarray(segment_ids).ravel(), strict=True):
        rows[at].append(item)
    return text([_bytes(separator).join(row) for row in rows])


def _strip(input: Tensor) -> Text:
    return each_text(bytes.strip, input)


def _points(points: list[int]) -> jax.Array:
    return jnp.asarray(points, "int32")


def _unicode_decode(input: Tensor, input_encoding: str = "UTF-8", errors: str = "replace") -> Tensor:
    return _rows(lambda item: list(map(ord, item.decode(input_encoding, errors))), input, _points)


def _unicode_encode(input: Tensor, output_encoding: str = "UTF-8") -> Text:
    rows = input.to_list() if hasattr(input, "to_list") else np.asarray(input).tolist()
    encoded = [_encoded(row, output_encoding) for row in (rows if rows and isinstance(rows[0], list) else [rows])]
    return text(encoded if rows and isinstance(rows[0], list) else encoded[0])


def _encoded(points: list[int], encoding: str) -> bytes:
    return "".join(map(chr, points)).encode(encoding)


globals().update(
    functions(
        """
        as_string        _as_string    input precision scientific shortest width fill
        bytes_split      _bytes_split  input
        format           _format       template inputs placeholder summarize
        join             _join         inputs separator
        length           _length       input unit
        lower            _lower        input encoding
        ngrams           _ngrams       data ngram_width separator
        reduce_join      _reduce_join  inputs axis keepdims separator
        regex_full_match _regex_full_match input pattern
        regex_replace    _regex_replace input pattern rewrite replace_global
        split            _split        input sep maxsplit
        strip            _strip        input
        substr           _substr       input pos len unit
        to_hash_bucket   _bucket       input num_buckets
        to_hash_bucket_fast _fast_bucket input num_buckets
        to_hash_bucket_strong _strong_bucket input num_buckets key
        to_number        _to_number    input out_type
        unicode_decode   _unicode_decode input input_encoding errors
        unicode_decode_with_offsets _decode_with_offsets input input_encoding errors
        unicode_encode   _unicode_encode input output_encoding
        unicode_split    _characters   input input_encoding errors
        unicode_split_with_offsets _split_with_offsets input input_encoding errors
        unicode_transcode _transcoded  input input_encoding output_encoding errors replacement_char \
            replace_control_characters
        unsorted_segment_join _segment_join inputs segment_ids num_segments separator
        upper            _upper        input encoding
        """,
        globals(),
        "strings.",
    )
)
__getattr__ = within(__name__)
