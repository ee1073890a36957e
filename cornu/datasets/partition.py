"""Seeded shuffling, and splitting of a table into training and test sets."""

import os

import numpy as np

from cornu import validate
from cornu.datasets.published import fetched
from cornu.errors import DamagedFileError
from cornu.saving import plain_npz

Table = tuple[np.ndarray, np.ndarray]


def stored(name: str, path: str | os.PathLike[str], keys: tuple[str, ...], objects: bool = False) -> list[np.ndarray]:
    """Arrays of a published `.npz` file.

    Args:
        name: the file's name in `published.FILES`.
        path: the local file name.
        keys: the names of its arrays, alternating features and labels.
        objects: whether it contains lists.
    """
    file = fetched(name, path)
    arrays = plain_npz.load(file, objects)
    lengths = [arrays[key].shape[:1] for key in keys if key in arrays]
    if len(lengths) != len(keys) or lengths[::2] != lengths[1::2] or () in lengths:
        raise DamagedFileError(f"{file} does not contain features and as many labels, named {', '.join(keys)}.")
    return [arrays[key] for key in keys]


def order(count: int, random: np.random.RandomState) -> np.ndarray:
    """Row indices, shuffled as in Keras."""
    rows = np.arange(count)
    random.shuffle(rows)
    return rows


def shuffled(x: np.ndarray, y: np.ndarray, seed: int) -> Table:
    """Features and labels shuffled together."""
    rows = order(len(x), np.random.RandomState(seed))
    return x[rows], y[rows]


def to_train_with(count: int, test_split: float) -> int:
    """The number of training rows, which come first, if the last fraction `test_split` is for testing."""
    return int(count * (1 - test_split))


def table(
    name: str, path: str | os.PathLike[str], test_split: float, seed: int, first: int | None = None
) -> tuple[Table, Table]:
    """A published table of numbers, shuffled and split.

    Args:
        name: the file's name in `published.FILES`.
        path: the local file name.
        test_split: fraction of the rows in the test set, in `[0, 1)`.
        seed: seed of the shuffling.
        first: number of rows of the file to use; None uses all.
    """
    validate.fraction(test_split, "test_split", name)
    x, y = stored(name, path, ("x", "y"))
    x, y = shuffled(x[:first], y[:first], seed)
    count = to_train_with(len(x), test_split)
    return (x[:count], y[:count]), (x[count:], y[count:])
