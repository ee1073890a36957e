"""Windows that slide over a time series, in batches."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from cornu import validate
from cornu.training.data.batches import PyDataset

__all__ = ["timeseries_dataset_from_array"]

_OWNER = "timeseries_dataset_from_array"


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> "Windows":
    """A data set of windows over a time series: item `i` of window `w` is `data[w * stride + i * rate]`.

    Args:
        data: array whose first axis is time.
        targets: array of what belongs to the window that starts at the same place, or None.
        sequence_length: items of a window.
        sequence_stride: steps from the start of a window to that of the next.
        sampling_rate: steps from an item of a window to the next.
        batch_size: windows of a batch; None gives single windows.
        shuffle: whether the windows come in another order, a new one in each pass.
        seed: where the orders come from; None draws a seed.
        start_index, end_index: the part of the data that windows lie in, its end left out; None is all.
        format: must be "tf", Keras's default: what comes back is a `PyDataset` in any case.

    Returns:
        A `PyDataset`, for `fit` or a loop, of arrays `(batch, sequence_length, ...)`, or pairs with targets.

    Example:

        data = np.arange(10.0)
        windows = cornu.utils.timeseries_dataset_from_array(data[:-3], data[3:], sequence_length=3, batch_size=2)
        x, y = windows[0]
        print(x, y)  # [[0. 1. 2.] [1. 2. 3.]] [3. 4.]
    """
    validate.one_of(format, ("tf",), "format", _OWNER)
    data = np.asarray(data)
    first = 0 if start_index is None else validate.non_negative_int(start_index, "start_index", _OWNER)
    end = len(data) if end_index is None else validate.non_negative_int(end_index, "end_index", _OWNER)
    if not first < end <= len(data):
        raise ValueError(
            f"{_OWNER}: start_index must be lower than end_index, and both lie in the data of length {len(data)}. "
            f"Received: start_index={start_index}, end_index={end_index}."
        )
    length = validate.positive_int(sequence_length, "sequence_length", _OWNER)
    stride = validate.positive_int(sequence_stride, "sequence_stride", _OWNER)
    rate = validate.positive_int(sampling_rate, "sampling_rate", _OWNER)
    number = end - first - (length - 1) * rate
    if targets is not None:
        targets = np.asarray(targets)
        number = min(number, len(targets[first:end]))
    if number < 1:
        raise ValueError(
            f"{_OWNER}: no window fits: {length} items, {rate} apart, need {(length - 1) * rate + 1} steps of "
            f"{end - first}, and a target."
        )
    size = None if batch_size is None else validate.positive_int(batch_size, "batch_size", _OWNER)
    starts = first + np.arange(0, number, stride)
    return Windows(data, targets, starts, rate * np.arange(length), size, shuffle, seed)


class Windows(PyDataset):
    """Batches of windows over `data`; made by `timeseries_dataset_from_array`."""

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        offsets: np.ndarray,
        batch_size: int | None,
        shuffle: bool,
        seed: int | None,
    ):
        super().__init__()
        self.data, self.targets = data, targets
        self.starts, self.offsets = starts, offsets
        self.batch_size = batch_size
        self.random = np.random.default_rng(seed) if shuffle else None
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Shuffle anew for the next pass."""
        if self.random is not None:
            self.starts = self.random.permutation(self.starts)

    def __len__(self) -> int:
        return math.ceil(len(self.starts) / (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}.")
        if self.batch_size is None:
            starts = self.starts[index]
        else:
            starts = self.starts[index * self.batch_size : (index + 1) * self.batch_size]
        x = self.data[starts[..., None] + self.offsets]
        return x if self.targets is None else (x, self.targets[starts])

    def __iter__(self) -> Iterator:
        yield from (self[index] for index in range(len(self)))
        self.on_epoch_end()
