"""`tensorflow.keras.preprocessing.sequence`: windows of time series, and word pairs, as in Keras 2."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from cornu.core.typing import AnyList, Tensor
from cornu.training.data.batches import PyDataset
from cornu.utils.sequences import pad_sequences

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, each with the target of the step after it.

    Args:
        data: the series, time along the first axis.
        targets: one target for each step; same length as `data`.
        length: number of steps that a window spans.
        sampling_rate: every how many steps of the window one is taken.
        stride: steps between the starts of two windows.
        start_index: the first step that is used.
        end_index: the last one; None is the end.
        shuffle: whether each window starts anywhere.
        reverse: whether each window runs backwards.
        batch_size: windows in a batch.

    Example:

        series = np.arange(10)
        TimeseriesGenerator(series, series, length=3, batch_size=2)[0]  # [[0 1 2] [1 2 3]] and [3 4]
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                "TimeseriesGenerator: data and targets must have the same length. "
                f"Received: {len(data)} and {len(targets)}."
            )
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride, self.batch_size = sampling_rate, stride, batch_size
        self.shuffle, self.reverse = shuffle, reverse
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ValueError(
                "TimeseriesGenerator: no window fits: start_index + length must be at most end_index. "
                f"Received: start_index + length={self.start_index}, end_index={self.end_index}."
            )

    def __len__(self) -> int:
        """The number of batches."""
        span = self.batch_size * self.stride
        return (self.end_index - self.start_index + span) // span

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A batch of windows and their targets."""
        if self.shuffle:
            ends = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            ends = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[end - self.length : end : self.sampling_rate] for end in ends])
        targets = np.array([self.targets[end] for end in ends])
        return (windows[:, ::-1, ...] if self.reverse else windows), targets

    def get_config(self) -> dict[str, object]:
        """Arguments, the data as JSON."""
        kept = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle", "reverse", "batch_size")
        return {"data": _json(self.data), "targets": _json(self.targets)} | {name: getattr(self, name) for name in kept}

    def to_json(self, **kwargs: Any) -> str:
        """The generator as JSON; `kwargs` go to `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def _json(data: Tensor) -> str:
    return json.dumps(data.tolist() if isinstance(data, np.ndarray) else data)


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """The share of the word of each rank that word2vec keeps, if words come as often as Zipf's law says.

    Args:
        size: number of words.
        sampling_factor: the lower, the fewer of the common words are kept.
    """
    euler = 0.577
    rank = np.arange(size)
    rank[0] = 1
    often = rank * (np.log(rank) + euler) + 0.5 - 1.0 / (12.0 * rank)
    share = sampling_factor * often
    return np.minimum(1.0, share / np.sqrt(share))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Tensor = None,
    seed: int | None = None,
) -> tuple[AnyList, AnyList]:
    """Pairs of words that stand near each other (label 1), and pairs at random (label 0).

    Args:
        sequence: a text as numbers of words; 0 stands for no word.
        vocabulary_size: one more than the largest number.
        window_size: how far apart the words of a pair stand at most.
        negative_samples: pairs at random for each true one; 0 for none.
        shuffle: whether the pairs are shuffled.
        categorical: whether labels are `[0, 1]` and `[1, 0]` instead of 1 and 0.
        sampling_table: the share in which each word is kept (see `make_sampling_table`).
        seed: seed of the shuffling.
    """
    couples, labels = [], []
    for position, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for other in range(max(0, position - window_size), min(len(sequence), position + window_size + 1)):
            if other != position and sequence[other]:
                couples.append([word, sequence[other]])
                labels.append([0, 1] if categorical else 1)
    if negative_samples > 0:
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        count = int(len(labels) * negative_samples)
        couples += [[words[n % len(words)], random.randint(1, vocabulary_size - 1)] for n in range(count)]
        labels += [[1, 0] if categorical else 0] * count
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for each in (couples, labels):
            random.Random(seed).shuffle(each)
    return couples, labels
