"""Batches cut from arrays in memory."""

from collections.abc import Iterator

import numpy as np

from cornu.core.typing import Batch, State
from cornu.training.data.convert import is_sparse, named_leaves, take


def permutation(count: int, seed: int, number: int) -> np.ndarray:
    """A permutation of `count` items that depends only on the seed and the number of the pass."""
    key = np.array([seed % 2**64, number], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count)


class ArraySource:
    """Aligned arrays in memory, as batches in an order that depends only on the seed and the pass.

    Args:
        data: tuple (x, y, sample_weight) of trees of arrays of the same length.
        num_samples: that length.
        batch_size: number of samples per batch; the last batch may be smaller.
        shuffle: False, True for a new order in each pass, `"batch"` to shuffle within each batch.
        seed: seed of the orders.
    """

    repeats = True
    seekable = True
    reads_iterator = False

    def __init__(self, data: Batch, num_samples: int, batch_size: int, shuffle: bool | str, seed: int):
        self.data = data
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.num_batches = -(-num_samples // batch_size)
        self.shuffle = shuffle
        self.seed = seed

    @property
    def arrays(self) -> Batch | None:
        """The whole data if all of it can be placed on a device: numeric and dense."""
        leaves = [leaf for part in self.data for _, leaf in named_leaves(part, "")]
        return None if any(is_sparse(leaf) or leaf.dtype.kind in "OSU" for leaf in leaves) else self.data

    def order(self, number: int) -> np.ndarray:
        """The order of the samples in pass `number`."""
        if self.shuffle != "batch":
            return permutation(self.num_samples, self.seed, number) if self.shuffle else np.arange(self.num_samples)
        mixed = permutation(self.num_samples, self.seed, number)
        return mixed[np.lexsort((np.arange(self.num_samples), mixed // self.batch_size))]

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        """The batches of pass `number`, starting at batch `start`."""
        order = self.order(number) if self.shuffle else None
        for first in range(start * self.batch_size, self.num_samples, self.batch_size):
            rows = slice(first, min(first + self.batch_size, self.num_samples))
            yield take(self.data, rows if order is None else order[rows])

    def example(self) -> Batch:
        """The first rows as they were given."""
        return take(self.data, slice(0, min(self.batch_size, self.num_samples)))

    def place(self) -> dict[str, object]:
        """The seed of the orders."""
        return {"seed": self.seed}

    def resume(self, place: State, within_pass: bool) -> None:
        """Restore the seed; the rest follows from the number of the epoch."""
        self.seed = place["seed"]

    def on_epoch_begin(self) -> None:
        """Do nothing: arrays need no preparation."""

    def on_epoch_end(self) -> None:
        """Do nothing: arrays do not change."""
