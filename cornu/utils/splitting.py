"""Splitting a dataset in two: arrays or anything with items by index."""

import random
from collections import UserList
from typing import Any

import numpy as np

from cornu import validate
from cornu.data import INFINITE_CARDINALITY, Dataset

__all__ = ["split_dataset"]

_OWNER = "split_dataset"


def split_dataset(
    dataset: object,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Split a dataset in two parts.

    Args:
        dataset: an array; a list or tuple of arrays of the same length; a finite `cornu.data.Dataset`, whose elements
            are all read and kept; or an object with `len` and items by index, such as a torch dataset, or a
            `PyDataset`, which is split between batches. A `Dataset` whose last step is `batch` is split between the
            elements of its batches, and the parts have batches of the same size.
        left_size: number of items on the left, or their fraction, rounded; None uses what the right side leaves.
        right_size: the same for the right side, which gets the last items. None by default.
        shuffle: whether to shuffle the items first. Defaults to False.
        seed: seed of the shuffling; None draws one.
        preferred_backend: must be None or "jax".

    Returns:
        The left and the right part.

    Raises:
        ValueError: if a part is empty, or both together are larger than the whole.

    Example:

        x, y = np.arange(10.0), np.arange(10.0) ** 2
        left, right = cornu.utils.split_dataset((x, y), left_size=0.8)
        print(len(left), len(right), next(iter(right)))  # 8 2 (DataArray(8.), DataArray(64.))
    """
    validate.one_of(preferred_backend, (None, "jax"), "preferred_backend", _OWNER)
    batch_size = dataset._batch_size if isinstance(dataset, Dataset) else None
    items = _kept(dataset, batch_size) if isinstance(dataset, Dataset) else dataset
    total = _length(items)
    left, right = _sizes(left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        random.Random(seed).shuffle(order)
    parts = _part(items, order[:left]), _part(items, order[total - right :])
    return parts if batch_size is None else (parts[0].batch(batch_size), parts[1].batch(batch_size))


class _Elements(UserList[Any]):
    """The elements of a dataset."""


def _kept(dataset: Dataset, batch_size: int | None) -> _Elements:
    """All elements of a dataset, those of its batches one by one."""
    if dataset.cardinality() == INFINITE_CARDINALITY:
        raise ValueError(f"{_OWNER}: {dataset!r} is infinite and cannot be split. Use take(n) first.")
    single = dataset if batch_size is None else dataset.unbatch()
    return _Elements(single._arrays())


def _part(items: Any, rows: list[int]) -> Dataset:
    """A dataset of some items."""
    if isinstance(items, (list, tuple)):
        return Dataset.from_tensor_slices(tuple(array[rows] for array in items))
    if isinstance(items, np.ndarray):
        return Dataset.from_tensor_slices(items[rows])
    return Dataset.range(len(rows)).map(lambda number: items[rows[int(number)]])


def _length(dataset: object) -> int:
    if isinstance(dataset, (list, tuple)):
        if not dataset or not all(isinstance(array, np.ndarray) for array in dataset):
            raise ValueError(
                f"{_OWNER}: a list or tuple must contain NumPy arrays. Received: {validate.shown(dataset)}."
            )
        if len({len(array) for array in dataset}) > 1:
            raise ValueError(
                f"{_OWNER}: arrays must have the same length. Received: {', '.join(str(len(a)) for a in dataset)}."
            )
        return len(dataset[0])
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__") or isinstance(dataset, (dict, str)):
        raise TypeError(f"{_OWNER}: an object of type {type(dataset).__name__} has no items by index.")
    return len(dataset)


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    if left is None and right is None:
        raise ValueError(f"{_OWNER}: pass left_size, right_size or both.")
    first, second = _count(left, "left_size", total), _count(right, "right_size", total)
    first = total - (second or 0) if first is None else first
    second = total - first if second is None else second
    if first + second > total or not first or not second:
        raise ValueError(
            f"{_OWNER}: both parts must be non-empty, and together have at most {total} items. "
            f"Received sizes that give {first} and {second}."
        )
    return first, second


def _count(size: object, name: str, total: int) -> int | None:
    """A size as a number of items."""
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, (int, float)):
        raise TypeError(f"{_OWNER}: {name} must be an integer or a fraction. Received: {name}={validate.shown(size)}.")
    if not (0 < size < total if isinstance(size, int) else 0 <= size <= 1):
        raise ValueError(
            f"{_OWNER}: {name} must be an integer from 1 to {total - 1}, or a fraction from 0 to 1. "
            f"Received: {name}={size}."
        )
    if isinstance(size, int):
        return size
    return round(size * total)
