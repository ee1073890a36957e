"""`tensorflow.io`: files and what is in them."""

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

from cornu.core.typing import Tensor
from cornu.tensorflow.image import (
    decode_bmp,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    encode_jpeg,
    encode_png,
)
from cornu.tensorflow.served import Namespace, within
from cornu.tensorflow.strings import Text, each_text, is_text, text

__all__ = [
    "decode_base64", "decode_bmp", "decode_csv", "decode_gif", "decode_image", "decode_jpeg", "decode_png",
    "decode_raw", "encode_base64", "encode_jpeg", "encode_png", "gfile", "matching_files", "read_file", "write_file",
]  # fmt: skip


def _path(filename: object) -> str:
    return os.fspath(text(filename)) if not isinstance(filename, os.PathLike) else os.fspath(filename)


def read_file(filename: object, name: str | None = None) -> Text:
    """What is in a file."""
    return text(Path(_path(filename)).read_bytes())


def write_file(filename: object, contents: object, name: str | None = None) -> None:
    """Write text or bytes to a file; its folder is made where it is missing."""
    path = Path(_path(filename))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(contents).item())


def matching_files(pattern: object, name: str | None = None) -> Text:
    """The names of the files that fit a pattern, in order."""
    return text(sorted(globbing.glob(_path(pattern))))


def decode_raw(input_bytes: object, out_type: object, little_endian: bool = True, name: str | None = None) -> jax.Array:
    """The numbers that bytes hold."""
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
        record_defaults: for each column a list or tensor of what stands in for an empty field, which tells its dtype
            as well; an empty tensor where a field must not be empty.
        field_delim: what is between fields.
        use_quote_delim: whether fields may be quoted.
        na_value: text that counts as empty, too.
        select_cols: numbers of the columns that are wanted, in rising order; None for all.
        name: a name for the reader.
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
        _column(fields, default, na_value, number, source.shape)
        for number, (fields, default) in enumerate(zip(columns, record_defaults, strict=True))
    ]


def _column(
    fields: Sequence[str], default: object, na_value: str, number: int, shape: Tensor
) -> np.ndarray | jax.Array:
    """A column of numbers or text, in the dtype of what stands in for an empty field."""
    given = np.asarray(text(default)) if is_text(default) else np.asarray(jnp.asarray(default))
    if given.size == 0 and any(field in ("", na_value) for field in fields):
        raise ValueError(f"tf.io.decode_csv: field {number} is empty, and it has no default. Received: {fields}.")
    filled = [given.item() if field in ("", na_value) else field for field in fields]
    if given.dtype == object:
        return text(filled).reshape(shape)
    return jnp.asarray(np.array([given.dtype.type(item) for item in filled], given.dtype).reshape(shape))


class _File:
    """`tf.io.gfile.GFile`: a file, opened as `open` does it."""

    def __new__(cls, name: object, mode: str = "r") -> Any:
        return open(_path(name), mode)


def _remove(path: object) -> None:
    os.remove(_path(path))


gfile = Namespace(
    "io.gfile",
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
