"""Sliding windows over a time series, in batches."""

from typing import Any

import numpy as np

from cornu import validate
from cornu.core.typing import Tensor
from cornu.data import Dataset
from cornu.data.elements import as_array

__all__ = ["timeseries_dataset_from_array"]

_OWNER = "timeseries_dataset_from_array"


def timeseries_dataset_from_array(
    data: Tensor,
    targets: Tensor,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """A dataset of sliding windows over a time series: item `i` of window `w` is `data[w * stride + i * rate]`.

    Args:
        data: array whose first axis is time.
        targets: array whose item at the start of a window is that window's target, or None.
        sequence_length: number of items in a window.
        sequence_stride: number of steps between the starts of successive windows. Defaults to 1.
        sampling_rate: number of steps between the items of a window. Defaults to 1.
        batch_size: number of windows in a batch; None yields single windows. Defaults to 128.
        shuffle: whether to shuffle the windows in each pass. Defaults to False.
        seed: seed of the orders; None uses the global seed.
        start_index, end_index: range of the data used for windows, excluding its end; None is all.
        format: must be "tf", Keras's default: the result is a `cornu.data.Dataset`.

    Returns:
        A dataset of arrays `(batch, sequence_length, ...)`, or pairs with targets.

    Raises:
        ValueError: if no window fits.

    Example:

        data = np.arange(10.0)
        windows = cornu.utils.timeseries_dataset_from_array(data[:-3], data[3:], sequence_length=3, batch_size=2)
        for x, y in windows.take(1):
            print(x, y)  # [[0. 1. 2.] [1. 2. 3.]] [3. 4.]
    """
    validate.one_of(format, ("tf",), "format", _OWNER)
    data = as_array(data)
    first = 0 if start_index is None else validate.non_negative_int(start_index, "start_index", _OWNER)
    end = len(data) if end_index is None else validate.non_negative_int(end_index, "end_index", _OWNER)
    if not first < end <= len(data):
        raise ValueError(
            f"{_OWNER}: start_index must be less than end_index, and both must be within the data of length "
            f"{len(data)}. "
            f"Received: start_index={start_index}, end_index={end_index}."
        )
    length = validate.positive_int(sequence_length, "sequence_length", _OWNER)
    stride = validate.positive_int(sequence_stride, "sequence_stride", _OWNER)
    rate = validate.positive_int(sampling_rate, "sampling_rate", _OWNER)
    number = end - first - (length - 1) * rate
    if targets is not None:
        targets = as_array(targets)
        number = min(number, len(targets[first:end]))
    if number < 1:
        needed, received = f"{(length - 1) * rate + 1} steps", f"data of {end - first} steps"
        if targets is not None:
            needed, received = f"{needed} and a target", f"{received}, {len(targets)} targets"
        raise ValueError(
            f"{_OWNER}: no window fits: sequence_length={length} and sampling_rate={rate} need {needed}. "
            f"Received: {received}."
        )
    starts = first + np.arange(0, number, stride)
    offsets = rate * np.arange(length)

    def window(start: np.ndarray) -> Any:
        x = data[start[..., None] + offsets]
        return x if targets is None else (x, targets[start])

    windows = Dataset.from_tensor_slices(starts)
    if shuffle:
        windows = windows.shuffle(len(starts), seed=seed)
    if batch_size is not None:
        windows = windows.batch(validate.positive_int(batch_size, "batch_size", _OWNER))
    return windows.map(window)
