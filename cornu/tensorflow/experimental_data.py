"""`tensorflow.data.experimental`: functions for `Dataset.apply` that are also available elsewhere, and a few others."""

from collections.abc import Callable, Sequence
from enum import IntEnum

from cornu.core.typing import AnyFunction, Nested
from cornu.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from cornu.data.experimental import assert_cardinality, cardinality
from cornu.tensorflow.csv_data import CsvDataset, make_csv_dataset
from cornu.tensorflow.records import TFRecordWriter as _Writer
from cornu.tensorflow.served import Namespace


def _applied(method: str) -> AnyFunction:
    """A dataset method as a function for `apply`."""
    return lambda *args, **kwargs: lambda dataset: getattr(dataset, method)(*args, **kwargs)


def map_and_batch(
    map_func: AnyFunction, batch_size: int, num_parallel_batches: int | None = None, drop_remainder: bool = False,
    num_parallel_calls: int | None = None,
) -> Callable[[Dataset], Dataset]:  # fmt: skip
    """`map`, then `batch`."""
    return lambda dataset: dataset.map(map_func, num_parallel_calls).batch(batch_size, drop_remainder)


def shuffle_and_repeat(buffer_size: int, count: int | None = None, seed: int | None = None) -> AnyFunction:
    """`shuffle`, then `repeat`."""
    return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)


def parallel_interleave(
    map_func: AnyFunction, cycle_length: int, block_length: int = 1, sloppy: bool = False,
    buffer_output_elements: int | None = None, prefetch_input_elements: int | None = None,
) -> Callable[[Dataset], Dataset]:  # fmt: skip
    """`interleave`."""
    return lambda dataset: dataset.interleave(map_func, cycle_length, block_length)


def prefetch_to_device(device: object, buffer_size: int | None = None) -> Callable[[Dataset], Dataset]:
    """`prefetch`; batches go to JAX's device automatically."""
    return lambda dataset: dataset.prefetch(AUTOTUNE if buffer_size is None else buffer_size)


def copy_to_device(target_device: object, source_device: object = "/cpu:0") -> Callable[[Dataset], Dataset]:
    """The dataset itself: batches go to JAX's device automatically."""
    return lambda dataset: dataset


def from_list(tensors: Sequence[object], name: str | None = None) -> Dataset:
    """A dataset of the elements of a list."""
    if not tensors:
        raise ValueError("tf.data.experimental.from_list: the list must not be empty.")
    kept = list(tensors)
    return Dataset.range(len(kept)).map(lambda number: kept[int(number)])


def at(dataset: Dataset, index: int) -> Nested:
    """The element at an index."""
    for element in dataset.skip(int(index)).take(1):
        return element
    raise IndexError(f"tf.data.experimental.at: {dataset!r} has no element {int(index)}.")


class TFRecordWriter:
    """Writes the elements of a dataset, bytes each, to a file of records.

    Args:
        filename: the file.
        compression_type: "GZIP" or "ZLIB"; "" or None for neither.
    """

    def __init__(self, filename: object, compression_type: object = None):
        self._filename, self._compression = filename, compression_type

    def write(self, dataset: Dataset) -> None:
        """Write all elements."""
        with _Writer(self._filename, self._compression) as writer:
            for record in dataset.as_numpy_iterator():
                writer.write(record)


class AutoShardPolicy(IntEnum):
    """TensorFlow's sharding policies; use the explicit `Dataset.shard`."""

    OFF, AUTO, FILE, DATA, HINT = -1, 0, 1, 2, 3


class Settings:
    """Execution settings, none of which affects results."""


experimental = Namespace(
    "data.experimental",
    AUTOTUNE=AUTOTUNE,
    INFINITE_CARDINALITY=INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY=UNKNOWN_CARDINALITY,
    AutoShardPolicy=AutoShardPolicy,
    Counter=Dataset.counter,
    CsvDataset=CsvDataset,
    RandomDataset=Dataset.random,
    TFRecordWriter=TFRecordWriter,
    assert_cardinality=assert_cardinality,
    at=at,
    cardinality=cardinality,
    choose_from_datasets=Dataset.choose_from_datasets,
    copy_to_device=copy_to_device,
    dense_to_ragged_batch=_applied("ragged_batch"),
    enumerate_dataset=_applied("enumerate"),
    from_list=from_list,
    get_single_element=lambda dataset, name=None: dataset.get_single_element(),
    get_structure=lambda dataset: dataset.element_spec,
    load=Dataset.load,
    make_csv_dataset=make_csv_dataset,
    map_and_batch=map_and_batch,
    parallel_interleave=parallel_interleave,
    prefetch_to_device=prefetch_to_device,
    sample_from_datasets=Dataset.sample_from_datasets,
    save=lambda dataset, path, *how, **more: dataset.save(path),
    shuffle_and_repeat=shuffle_and_repeat,
    **dict.fromkeys(("AutotuneOptions", "DistributeOptions", "OptimizationOptions", "ThreadingOptions"), Settings),
    **{
        name: _applied(name)
        for name in ("bucket_by_sequence_length", "group_by_window", "ignore_errors", "rejection_resample", "scan",
                     "snapshot", "take_while", "unbatch", "unique")
    },
)  # fmt: skip
