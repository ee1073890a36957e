"""A data set in two parts, of arrays or of anything that gives its items by number."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from cornu import validate
from cornu.training.data.batches import PyDataset

__all__ = ["split_dataset"]

_OWNER = "split_dataset"


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple["Part", "Part"]:
    """A data set in two parts.

    Args:
        dataset: an array, a list or tuple of arrays of one length, or an object with `len` and items by number, such as
            a torch data set, or a `PyDataset`, which is split between batches.
        left_size: number of items on the left, or their fraction; None takes what the right side leaves.
        right_size: the same for the right.
        shuffle: whether the items are mixed before.
        seed: of the shuffling; None draws one.
        preferred_backend: must be None or "jax".

    Returns:
        The left and the right part. Each is gone through item by item, as often as wanted; `part.batch(32)` makes a
        `PyDataset` of it, for `fit`.

    Example:

        x, y = np.arange(10.0), np.arange(10.0) ** 2
        left, right = cornu.utils.split_dataset((x, y), left_size=0.8)
        print(len(left), len(right), right[0])  # 8 2 (8.0, 64.0)
    """
    validate.one_of(preferred_backend, (None, "jax"), "preferred_backend", _OWNER)
    total = _length(dataset)
    left, right = _sizes(left_size, right_size, total)
    order = np.random.default_rng(seed).permutation(total) if shuffle else np.arange(total)
    return Part(dataset, order[:left]), Part(dataset, order[total - right :])


class Part:
    """Some items of a data set; made by `split_dataset`."""

    def __init__(self, dataset: Any, rows: np.ndarray):
        self._dataset = dataset
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        row = self._rows[index]
        if isinstance(self._dataset, (list, tuple)):
            return tuple(array[row] for array in self._dataset)
        return self._dataset[row if isinstance(self._dataset, np.ndarray) else int(row)]

    def __iter__(self) -> Iterator:
        return (self[index] for index in range(len(self)))

    def batch(self, batch_size: int) -> "Batched":
        """A `PyDataset` of batches of so many items; a part of a `PyDataset` has its batches already."""
        return Batched(self, validate.positive_int(batch_size, "batch_size", _OWNER))


class Batched(PyDataset):
    """The items of a part in batches."""

    def __init__(self, part: Part, batch_size: int):
        super().__init__()
        self._part = part
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._part) / self._batch_size)

    def __getitem__(self, index: int) -> Any:
        start = index * self._batch_size
        items = [self._part[i] for i in range(start, min(start + self._batch_size, len(self._part)))]
        if isinstance(items[0], tuple):
            return tuple(np.stack(column) for column in zip(*items, strict=True))
        return np.stack(items)


def _length(dataset: Any) -> int:
    if isinstance(dataset, (list, tuple)):
        if not dataset or not all(isinstance(array, np.ndarray) for array in dataset):
            raise ValueError(f"{_OWNER}: a list or tuple must hold NumPy arrays. Received: {dataset!r}.")
        if len({len(array) for array in dataset}) > 1:
            raise ValueError(
                f"{_OWNER}: arrays must have one length. Received: {', '.join(str(len(a)) for a in dataset)}."
            )
        return len(dataset[0])
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__") or isinstance(dataset, (dict, str)):
        raise TypeError(f"{_OWNER}: an object of type {type(dataset).__name__} has no items by number.")
    return len(dataset)


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    if left is None and right is None:
        raise ValueError(f"{_OWNER}: give left_size, right_size or both.")
    first, second = _count(left, "left_size", total), _count(right, "right_size", total)
    first = total - (second or 0) if first is None else first
    second = total - first if second is None else second
    if first + second > total or not first or not second:
        raise ValueError(
            f"{_OWNER}: both parts need items, and together no more than the {total} there are. "
            f"Received sizes that give {first} and {second}."
        )
    return first, second


def _count(size: Any, name: str, total: int) -> int | None:
    """A size as a number of items."""
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, (int, float)):
        raise TypeError(f"{_OWNER}: {name} must be an integer or a fraction. Received: {name}={size!r}.")
    if not (0 < size < total if isinstance(size, int) else 0 <= size <= 1):
        raise ValueError(
            f"{_OWNER}: {name} must be an integer from 1 to {total - 1}, or a fraction from 0 to 1. "
            f"Received: {name}={size}."
        )
    if isinstance(size, int):
        return size
    return math.floor(size * total) if name == "left_size" else math.ceil(size * total)
