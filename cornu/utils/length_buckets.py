"""Sequences of different lengths in batches with few shapes.

A step is compiled for each batch shape. Here, sequences of similar length share a batch, padded to the length of their
bucket, so that there are few shapes and little padding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cornu import validate
from cornu.core.typing import Batch
from cornu.random import global_seed
from cornu.training.data.arrays import permutation
from cornu.training.data.batches import PyDataset


class LengthBuckets(PyDataset):
    """A dataset of sequences of different lengths; each batch comes from one bucket of similar lengths.

    At most one batch of an epoch is incomplete, so there is one shape more than there are lengths: sequences that are
    left over in a bucket go to the next longer one. The model must accept any number of steps, as with
    `Input((None,))`, and mask the padded ones, with `Embedding(mask_zero=True)` or `Masking()`. Then predictions are
    the same as for each sequence separately. If `y` has a label for each step, the loss is that of the batch's valid
    steps; metrics average within each sequence first, over its padded length, as always.

    Args:
        x: list of arrays, each of shape (steps, ...) with its own number of steps.
        y: array with one row per sequence, or a list of arrays with one label per step; None for prediction.
        sample_weight: array with one weight per sequence. None by default.
        batch_size: number of sequences in a batch. Defaults to 32.
        lengths: numbers of steps to which sequences are padded, in increasing order; None chooses three, each for a
            third of the sequences.
        value: padding value for `x`; should match the model's mask. Defaults to 0.
        shuffle: whether to shuffle the sequences of a bucket, and the batches, in each epoch. Defaults to True.

    Example:
        texts = [np.arange(1, 4), np.arange(1, 12), np.arange(1, 6)]
        data = cornu.utils.LengthBuckets(texts, np.array([0, 1, 0]), batch_size=2)
        print([x.shape for x, y in (data[0], data[1])])  # [(2, 8), (1, 16)]
    """

    def __init__(
        self,
        x: Sequence[object],
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int = 32,
        lengths: Sequence[int] | None = None,
        value: float = 0,
        shuffle: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.x = [np.asarray(sequence) for sequence in x]
        self.y, self.sample_weight, self.value, self.shuffle = y, sample_weight, value, shuffle
        self.batch_size = validate.positive_int(batch_size, "batch_size", "LengthBuckets")
        self._check_counts()
        steps = np.array([len(sequence) for sequence in self.x])
        self.lengths = _thirds(steps) if lengths is None else tuple(lengths)
        self._check_lengths(int(steps.max()))
        self._bucket = np.searchsorted(self.lengths, steps)
        self._labels_steps = isinstance(y, (list, tuple)) and all(
            np.ndim(labels) and len(labels) == count for labels, count in zip(y, steps, strict=True)
        )
        self._seed, self._epoch = global_seed(), 0
        self._batches = self._arranged()

    def _check_counts(self) -> None:
        counts = {"x": self.x, "y": self.y, "sample_weight": self.sample_weight}
        counts = {name: len(part) for name, part in counts.items() if part is not None}
        if len(set(counts.values())) > 1 or not self.x:
            listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
            raise ValueError(
                f"LengthBuckets: there must be as many labels and weights as sequences. Received: {listed}."
            )

    def _check_lengths(self, longest: int) -> None:
        rising = all(a < b for a, b in zip((0, *self.lengths), self.lengths, strict=False))
        if not self.lengths or not rising or self.lengths[-1] < longest:
            raise ValueError(
                f"LengthBuckets: lengths must be positive and increasing, and cover the longest sequence ({longest} "
                "steps). "
                f"Received: lengths={self.lengths}."
            )

    def _arranged(self) -> list[tuple[int, np.ndarray]]:
        """The batches of an epoch: the length to pad to, and the indices of the sequences."""
        count = len(self.x)
        order = permutation(count, self._seed, self._epoch) if self.shuffle else np.arange(count)
        found, left = [], order[:0]
        for bucket, length in enumerate(self.lengths):
            members = np.concatenate([left, order[self._bucket[order] == bucket]])
            full = len(members) - len(members) % self.batch_size
            found += [(length, members[i : i + self.batch_size]) for i in range(0, full, self.batch_size)]
            left = members[full:]
        return [*found, (self.lengths[-1], left)] if len(left) else found

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        length, members = self._batches[index]
        batch = [_padded([self.x[i] for i in members], length, self.value)]
        if self.y is not None:
            labels = [np.asarray(self.y[i]) for i in members]
            batch.append(_padded(labels, length, 0) if self._labels_steps else np.stack(labels))
        if self.sample_weight is not None:
            batch.append(np.asarray([self.sample_weight[i] for i in members]))
        return tuple(batch)

    def on_epoch_end(self) -> None:
        """Rearrange the sequences."""
        self._epoch += 1
        self._batches = self._arranged()


def _thirds(steps: np.ndarray) -> tuple[int, ...]:
    """Lengths that cover a third of the sequences each, as multiples of 8."""
    found = np.quantile(steps, (1 / 3, 2 / 3, 1), method="higher")
    return tuple(sorted({int(-(-max(length, 1) // 8) * 8) for length in found}))


def _padded(sequences: list[np.ndarray], length: int, value: float) -> np.ndarray:
    """Sequences of one kind as one array of shape (sequences, length, ...)."""
    padded = np.full((len(sequences), length, *sequences[0].shape[1:]), value, np.result_type(*sequences))
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded
