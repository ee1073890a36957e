"""`tensorflow.io`: files and what is in them."""

import glob as globbing
import os
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
from cornu.tensorflow.strings import Text, text

__all__ = [
    "decode_bmp", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_raw", "encode_jpeg", "encode_png",
    "gfile", "matching_files", "read_file", "write_file",
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
