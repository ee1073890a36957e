"""`tensorflow.io`: reading, writing and decoding files."""

import base64
import csv
import glob as globbing
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import border
from cornu.core.typing import AnyList
from cornu.tensorflow import messages
from cornu.tensorflow.errors import InvalidArgumentError
from cornu.tensorflow.image import (
    decode_and_crop_jpeg,
    decode_bmp,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    decode_webp,
    encode_jpeg,
    encode_png,
    extract_jpeg_shape,
    is_jpeg,
)
from cornu.tensorflow.parsing import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    RaggedFeature,
    SparseFeature,
    VarLenFeature,
    parse_example,
    parse_sequence_example,
    parse_single_example,
    parse_single_sequence_example,
)
from cornu.tensorflow.records import TFRecordOptions, TFRecordWriter
from cornu.tensorflow.served import Namespace, within
from cornu.tensorflow.texts import Text, each_text, is_text, text

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "RaggedFeature", "SparseFeature", "TFRecordOptions",
    "TFRecordWriter", "VarLenFeature", "decode_and_crop_jpeg", "decode_base64", "decode_bmp", "decode_csv",
    "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_raw", "decode_webp", "encode_base64",
    "encode_jpeg", "encode_png", "extract_jpeg_shape", "gfile", "is_jpeg", "matching_files", "parse_example",
    "parse_sequence_example", "parse_single_example", "parse_single_sequence_example", "parse_tensor", "read_file",
    "serialize_tensor", "write_file",
]  # fmt: skip


def _path(filename: object) -> str:
    return os.fspath(text(filename)) if not isinstance(filename, os.PathLike) else os.fspath(filename)


def read_file(filename: object, name: str | None = None) -> Text:
    """Read a file."""
    return text(Path(_path(filename)).read_bytes())


def write_file(filename: object, contents: object, name: str | None = None) -> None:
    """Write text or bytes to a file; its directory is created if missing."""
    path = Path(_path(filename))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(contents).item())


def matching_files(pattern: object, name: str | None = None) -> Text:
    """The names of the files that match a pattern, sorted."""
    return text(sorted(globbing.glob(_path(pattern))))


def decode_raw(input_bytes: object, out_type: object, little_endian: bool = True, name: str | None = None) -> jax.Array:
    """Decode bytes as numbers."""
    dtype = np.dtype(str(out_type)).newbyteorder("<" if little_endian else ">")
    rows = [np.frombuffer(each, dtype) for each in np.asarray(text(input_bytes)).ravel()]
    values = np.stack(rows).astype(dtype.newbyteorder("="))
    return jnp.asarray(values.reshape(*np.shape(text(input_bytes)), -1))


def encode_base64(input: object, pad: bool = False, name: str | None = None) -> Text:
    """Bytes as letters, digits, "-" and "_"; `pad` fills them up to a multiple of four with "="."""
    return each_text(lambda one: base64.urlsafe_b64encode(one).rstrip(b"" if pad else b"="), input)


def decode_base64(input: object, name: str | None = None) -> Text:
    """The bytes that `encode_base64` made such text of."""
    return each_text(lambda one: base64.urlsafe_b64decode(one + b"=" * (-len(one) % 4)), input)


def decode_csv(
    records: object,
    record_defaults: Sequence[object],
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Sequence[int] | None = None,
    name: str | None = None,
) -> list[object]:
    """The columns of lines of CSV, each a tensor of the shape of `records`.

    Args:
        records: lines.
        record_defaults: for each column, a list or tensor with the default for an empty field, which also sets its
            dtype; an empty tensor if a field must not be empty.
        field_delim: field delimiter.
        use_quote_delim: whether fields may be quoted.
        na_value: text that is also treated as empty.
        select_cols: indices of the columns to use, in ascending order; None uses all.
        name: an arbitrary name.
    """
    source = text(records)
    lines = [line.decode() for line in np.asarray(source).ravel()]
    quotes = {} if use_quote_delim else {"quotechar": None, "quoting": csv.QUOTE_NONE}
    rows = list(csv.reader(lines, delimiter=field_delim, **quotes))  # type: ignore[arg-type]
    if select_cols is not None:
        rows = [[row[number] for number in select_cols] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(record_defaults):
            raise ValueError(f"tf.io.decode_csv: expected {len(record_defaults)} fields. Received: {line!r}.")
    columns = zip(*rows, strict=True)
    return [
        column(fields, default, na_value, number, source.shape)
        for number, (fields, default) in enumerate(zip(columns, record_defaults, strict=True))
    ]


def as_numpy(value: object) -> np.ndarray:
    """A tensor's numbers, or its bytes."""
    return np.asarray(text(value)) if is_text(value) else np.asarray(jnp.asarray(value))


def column(fields: Sequence[str], default: object, na_value: str, number: int, shape: tuple[int, ...]) -> Any:
    """A column of numbers or text, in the dtype of what stands in for an empty field."""
    given = default if isinstance(default, np.ndarray) else as_numpy(default)
    if given.size == 0 and any(field in ("", na_value) for field in fields):
        raise ValueError(f"tf.io.decode_csv: field {number} is empty, but has no default. Received: {fields}.")
    filled = [given.item() if field in ("", na_value) else field for field in fields]
    if given.dtype == object:
        return text(filled).reshape(shape)
    return jnp.asarray(np.array([given.dtype.type(item) for item in filled], given.dtype).reshape(shape))


_NUMBERS = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
"""TensorFlow's numbers of types, as files have them."""


def serialize_tensor(tensor: object, name: str | None = None) -> Text:
    """A tensor as bytes, which TensorFlow reads as well."""
    values = np.asarray(text(tensor)) if is_text(tensor) else np.asarray(tensor)
    if isinstance(tensor, (list, tuple, int, float)) and not is_text(tensor):
        values = np.asarray(jnp.asarray(tensor))
    kind = "string" if values.dtype == object else values.dtype.name
    number = next(number for number, name in _NUMBERS.items() if name == kind)
    shape = b"".join(messages.written(2, b"\x08" + messages.varint(size)) for size in values.shape)
    head = b"\x08" + messages.varint(number) + messages.written(2, shape)
    if kind == "string":
        return text(head + b"".join(messages.written(8, each) for each in values.ravel()))
    return text(head + messages.written(4, values.tobytes()))


def _letter(kind: str) -> str:
    """NumPy's character for the kind of a dtype, regardless of its size."""
    return "O" if kind == "string" else jnp.dtype(kind).kind


def parse_tensor(serialized: object, out_type: object, name: str | None = None) -> Any:
    """The tensor that bytes of `serialize_tensor` hold, which must be of a type; 64 and 32 bits are one here."""
    try:
        found: dict[int, AnyList] = {}
        for number, value in messages.fields(text(serialized).item()):
            found.setdefault(number, []).append(value)
        kind = _NUMBERS[found[1][0]]
        axes = messages.fields(b"".join(found.get(2, [])))
        shape = [dict(messages.fields(each)).get(1, 0) for at, each in axes if at == 2]
        if kind == "string":
            values = np.array([*found.get(8, []), None], object)[:-1].reshape(shape)
        else:
            values = np.frombuffer(found.get(4, [b""])[0], jnp.dtype(kind)).reshape(shape)
    except (messages.DecodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError("tf.io.parse_tensor: the bytes do not contain a tensor.") from error
    if _letter(kind) != _letter(str(out_type)):
        raise InvalidArgumentError(f"Type mismatch between parsed tensor ({kind}) and dtype ({out_type})")
    return text(values) if kind == "string" else jnp.asarray(border.narrowed(values))


class _File:
    """`tf.io.gfile.GFile`: a file, opened as `open` does it."""

    def __new__(cls, name: object, mode: str = "r") -> Any:
        return open(_path(name), mode)


def _remove(path: object) -> None:
    os.remove(_path(path))


gfile = Namespace(
    "io.gfile",
    get_registered_schemes=lambda: [""],  # only local files
    GFile=_File,
    Open=_File,
    copy=lambda src, dst, overwrite=False: shutil.copyfile(_path(src), _path(dst)),
    exists=lambda path: os.path.exists(_path(path)),
    glob=lambda pattern: sorted(globbing.glob(_path(pattern))),
    isdir=lambda path: os.path.isdir(_path(path)),
    join=lambda path, *paths: os.path.join(_path(path), *map(_path, paths)),
    listdir=lambda path: os.listdir(_path(path)),
    makedirs=lambda path: os.makedirs(_path(path), exist_ok=True),
    mkdir=lambda path: os.mkdir(_path(path)),
    remove=_remove,
    rename=lambda src, dst, overwrite=False: os.replace(_path(src), _path(dst)),
    rmtree=lambda path: shutil.rmtree(_path(path)),
    stat=lambda path: os.stat(_path(path)),
    walk=lambda top: os.walk(_path(top)),
)
__getattr__ = within(__name__)
