"""Elements in one file: consecutive NumPy arrays, the offset of each element, and the structure of elements.

    magic line | arrays of element 0 | arrays of element 1 | … | table of offsets | structure (JSON) | offset of the
    table

Arrays are in NumPy's own format, without pickles. Text and bytes are stored with the length of the longest string.
"""

import json
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cornu.data.elements import Element, leaves, map_leaves, numbered
from cornu.errors import DamagedFileError
from cornu.saving.atomic import replacing

_MAGIC = b"cornu.data 1\n"
_NUMBER = 8  # size of the number at the end


class Records:
    """A file of elements that is being written, or a complete one.

    Args:
        path: the file; an incomplete one is next to it.
    """

    def __init__(self, path: Path):
        self.path, self._structure = path, None
        self._starts: Any = []
        if path.exists():
            self._file: BinaryIO = path.open("rb")
            weakref.finalize(self, self._file.close)
            self._read_table()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, self._part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        self._gone = weakref.finalize(self, Path(self._part).unlink, missing_ok=True)
        self._file = os.fdopen(handle, "w+b")
        weakref.finalize(self, self._file.close)
        self._file.write(_MAGIC)

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, element: Element) -> None:
        """Append an element."""
        structure = numbered(element)
        if self._structure is None:
            self._structure = structure
        if structure != self._structure:
            raise ValueError(f"{self.path}: a cache requires elements of the same structure.")
        self._file.seek(0, os.SEEK_END)
        start = self._file.tell()
        for leaf in leaves(element):
            np.lib.format.write_array(self._file, _to_file(leaf), version=(1, 0), allow_pickle=False)
        self._starts.append(start)

    def __getitem__(self, position: int) -> Element:
        self._file.seek(self._starts[position])
        found = [self._read_array() for _ in leaves(self._structure)]
        return map_leaves(found.__getitem__, self._structure)

    def finish(self) -> None:
        """Complete the file, and move it to its path."""
        self._file.seek(0, os.SEEK_END)
        table = self._file.tell()
        np.lib.format.write_array(self._file, np.array(self._starts, np.int64), version=(1, 0), allow_pickle=False)
        self._file.write(json.dumps(_to_json(self._structure)).encode())
        self._file.write(table.to_bytes(_NUMBER, "little"))
        self._file.flush()
        with replacing(self.path) as place:
            os.replace(self._part, place)
        self._gone.detach()

    def _read_table(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        if size < len(_MAGIC) + _NUMBER or self._file.read(len(_MAGIC)) != _MAGIC:
            raise DamagedFileError(f"{self.path} is not a complete dataset cache. Delete it to recreate it.")
        self._file.seek(size - _NUMBER)
        table = int.from_bytes(self._file.read(_NUMBER), "little")
        self._file.seek(min(table, size))
        self._starts = self._read_array()
        text = self._file.read()[:-_NUMBER]
        self._structure = _from_json(json.loads(text))

    def _read_array(self) -> np.ndarray:
        try:
            np.lib.format.read_magic(self._file)
            shape, fortran, kind = np.lib.format.read_array_header_1_0(self._file)
            wanted = int(np.prod(shape, dtype=object)) * kind.itemsize
            left = os.fstat(self._file.fileno()).st_size - self._file.tell()
            if kind.hasobject or wanted > left:
                raise ValueError(f"an array of {wanted} bytes where only {left} are left")
            array = np.frombuffer(self._file.read(wanted), kind).reshape(shape, order="F" if fortran else "C")
        except ValueError as error:
            raise DamagedFileError(f"{self.path} is damaged: {error}. Delete it to recreate the cache.") from error
        return _from_file(array)


def _to_file(leaf: object) -> np.ndarray:
    """An array without Python objects; bytes get a terminator, since NumPy would strip trailing zeros."""
    if not isinstance(leaf, np.ndarray):
        raise TypeError(f"A cache file can only contain arrays. Received: an element with {leaf!r}.")
    if leaf.dtype.kind not in "OS":
        return leaf
    if all(isinstance(item, str) for item in leaf.flat):
        return leaf.astype("U")
    if not all(isinstance(item, bytes) for item in leaf.flat):
        raise TypeError("A cache file can only contain numbers, text and bytes. Received: an array of other objects.")
    return np.array([item + b"." for item in leaf.flat], "S").reshape(leaf.shape)


def _from_file(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "S":
        return array
    items = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        items[place] = array[place][:-1]
    return items


def _to_json(structure: object) -> object:
    if isinstance(structure, dict):
        return {"dict": [[key, _to_json(value)] for key, value in structure.items()]}
    return {"tuple": [_to_json(value) for value in structure]} if isinstance(structure, tuple) else structure


def _from_json(value: object) -> Any:
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {key: _from_json(one) for key, one in value["dict"]}
    return tuple(_from_json(one) for one in value["tuple"])
