"""NumPy's files, `.npy` and `.npz`, read as data alone: arrays that their own bytes fill exactly.

Arrays of objects, which NumPy pickles, are read where the caller expects them, and hold plain data only
(`plain_pickle`). The format is described in NumPy's module `numpy.lib.format`.
"""

import io
import math
import os
from pathlib import Path

import numpy as np

from cornu.core import budget
from cornu.errors import DamagedFileError
from cornu.saving import plain_pickle, plain_zip

_ENDING = ".npy"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load(path: str | os.PathLike, objects: bool = False) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, by their names.

    Args:
        path: the file.
        objects: whether it may hold arrays of lists, texts and the like.

    Raises:
        ValueError: when it is damaged, or asks for more memory than its bytes account for.
    """
    name = Path(path).name
    with budget.load(), plain_zip.opened(path, str(path)) as archive:
        members = {member.filename.removesuffix(_ENDING): member for member in archive.infolist()}
        return {
            key: array(plain_zip.content(archive, member, name), f"{member.filename} in {name}", objects).copy()
            for key, member in members.items()
        }


def array(content: bytes, name: str, objects: bool = False) -> np.ndarray:
    """The array of an `.npy` file, over the bytes given.

    Args:
        content: the file's bytes.
        name: what messages call it.
        objects: whether it may be one of objects, which are then plain data.

    Raises:
        ValueError: when it is damaged or not one of numbers.
    """
    file = io.BytesIO(content)
    try:
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # NumPy evaluates the header as a literal, and raises what comes of that
        raise DamagedFileError(f"{name} is not an array: {error}") from error
    start = file.tell()
    if objects and dtype.kind == "O":
        return _of_objects(content[start:], name, shape)
    fills = dtype.kind in "biufc" and math.prod(shape) * dtype.itemsize == len(content) - start
    if not fills or any(length < 0 for length in shape):
        raise DamagedFileError(f"{name} does not have the bytes that it claims, or is not an array of numbers.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape, order="F" if by_columns else "C")


def _of_objects(content: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    value = plain_pickle.load(content, name)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "O" or value.shape != shape:
        raise DamagedFileError(f"{name} does not hold the array of objects that it claims.")
    return value
