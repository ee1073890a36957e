"""HDF5 read as data alone: what a file holds in itself, and no more than its own bytes account for.

HDF5 can point elsewhere: soft and external links, data in other files, virtual data. Nothing of that is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cornu import late

h5py = late.module("h5py")

MOST_PACKED = 1100  # how many bytes one compressed byte can stand for


@contextmanager
def opened(source: Any, name: str) -> Iterator[h5py.File]:
    """The file at a path or in an open stream, for reading; `name` is what messages call it."""
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise ValueError(f"{name} is damaged, or is no HDF5 file: {error}") from error
    with file:
        yield file


def node(parent: h5py.Group, path: str) -> Any:
    """What lies at `path` in the file itself, or None.

    Raises:
        ValueError: when there is a link on the way.
    """
    found: Any = parent
    for name in filter(None, path.split("/")):
        if name == ".." or not isinstance(found, h5py.Group):
            return None
        link = found.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"The weights file has a link at {path!r}, which is refused: a file holds its own data.")
        found = found[name]
    return found


def group(parent: h5py.Group, path: str) -> h5py.Group | None:
    """The group at `path`, or None."""
    found = node(parent, path)
    return found if isinstance(found, h5py.Group) else None


def dataset(parent: h5py.Group, path: str) -> h5py.Dataset:
    """The data set at `path`.

    Raises:
        ValueError: when there is none, or its numbers are elsewhere.
    """
    found = node(parent, path)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"The weights file has no plain array at {parent.name}/{path}.")
    if found.external or found.is_virtual:
        raise ValueError(f"The array {found.name} lies outside the weights file, which is refused.")
    return found


def array(data: h5py.Dataset) -> np.ndarray:
    """The numbers, once it is sure that the file has as many as it claims."""
    stored = data.id.get_storage_size()
    if data.size and data.nbytes > stored * (1 if data.chunks is None else MOST_PACKED):
        raise ValueError(f"The array {data.name} claims {data.nbytes} bytes, but the file holds {stored}.")
    value = data[()]
    if data.attrs.get("dtype") == "bfloat16":
        import ml_dtypes

        return np.asarray(value).view(ml_dtypes.bfloat16)
    return value
