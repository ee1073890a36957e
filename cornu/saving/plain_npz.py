"""Safe reading of NumPy's `.npy` and `.npz` files: arrays whose data has exactly the declared size.

Arrays of objects, which NumPy pickles, are read only if the caller expects them, and may contain only plain data
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


def load(path: str | os.PathLike[str], objects: bool = False) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, by their names.

    Args:
        path: the file.
        objects: whether it may contain object arrays, of lists or strings for example.

    Raises:
        ValueError: if it is damaged, or claims more memory than its size accounts for.
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
        name: its name in error messages.
        objects: whether it may be an object array of plain data.

    Raises:
        ValueError: if it is damaged or not numeric.
    """
    file = io.BytesIO(content)
    try:
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # NumPy evaluates the header as a literal, which may raise any error
        raise DamagedFileError(f"{name} is not an array: {error}") from error
    start = file.tell()
    if objects and dtype.kind == "O":
        return _of_objects(content[start:], name, shape)
    fills = dtype.kind in "biufc" and math.prod(shape) * dtype.itemsize == len(content) - start
    if not fills or any(length < 0 for length in shape):
        raise DamagedFileError(f"{name} does not have the declared size, or is not a numeric array.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape, order="F" if by_columns else "C")


def _of_objects(content: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    value = plain_pickle.load(content, name)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "O" or value.shape != shape:
        raise DamagedFileError(f"{name} does not contain the declared object array.")
    return value
