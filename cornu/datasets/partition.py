"""Rows in an order drawn from a seed, and the two parts that a table is given out in."""

import os

import numpy as np

from cornu import validate
from cornu.datasets.published import fetched
from cornu.errors import DamagedFileError
from cornu.saving import plain_npz

Table = tuple[np.ndarray, np.ndarray]


def stored(name: str, path: str | os.PathLike, keys: tuple[str, ...], objects: bool = False) -> list[np.ndarray]:
    """Arrays of a published `.npz` file.

    Args:
        name: the file's name in `published.FILES`.
        path: what it is kept under.
        keys: the arrays' names in it; features and labels in turns.
        objects: whether it holds lists.
    """
    file = fetched(name, path)
    arrays = plain_npz.load(file, objects)
    lengths = [arrays[key].shape[:1] for key in keys if key in arrays]
    if len(lengths) != len(keys) or lengths[::2] != lengths[1::2] or () in lengths:
        raise DamagedFileError(f"{file} does not hold features and as many labels, called {', '.join(keys)}.")
    return [arrays[key] for key in keys]


def order(count: int, random: np.random.RandomState) -> np.ndarray:
    """Row numbers, shuffled as Keras shuffles them."""
    rows = np.arange(count)
    random.shuffle(rows)
    return rows


def shuffled(x: np.ndarray, y: np.ndarray, seed: int) -> Table:
    """Features and labels in one new order."""
    rows = order(len(x), np.random.RandomState(seed))
    return x[rows], y[rows]


def to_train_with(count: int, test_split: float) -> int:
    """How many of the first rows are to train with, where the last ones, a fraction `test_split`, are to test with."""
    return int(count * (1 - test_split))


def table(
    name: str, path: str | os.PathLike, test_split: float, seed: int, first: int | None = None
) -> tuple[Table, Table]:
    """A published table of numbers, shuffled and parted.

    Args:
        name: the file's name in `published.FILES`.
        path: what it is kept under.
        test_split: fraction of the rows to test with, from 0 up to, but not including, 1.
        seed: of the order of the rows.
        first: how many of the file's rows are taken; None for all.
    """
    validate.fraction(test_split, "test_split", name)
    x, y = stored(name, path, ("x", "y"))
    x, y = shuffled(x[:first], y[:first], seed)
    count = to_train_with(len(x), test_split)
    return (x[:count], y[:count]), (x[count:], y[count:])
