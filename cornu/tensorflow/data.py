"""`tensorflow.data`: cornu's datasets, with elements as tensors."""

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from cornu import data
from cornu.core import border
from cornu.core.typing import Nested, Tensor
from cornu.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, passes
from cornu.data.elements import map_leaves
from cornu.tensorflow import records
from cornu.tensorflow.experimental_data import Settings, experimental
from cornu.tensorflow.ragged import RaggedTensor
from cornu.tensorflow.served import within
from cornu.tensorflow.texts import text

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "FixedLengthRecordDataset", "Options",
    "TFRecordDataset", "TextLineDataset", "ThreadingOptions", "experimental",
]  # fmt: skip


def as_tensor(array: np.ndarray) -> Tensor:
    """An array of a dataset as TensorFlow scripts expect it."""
    return text(array) if array.dtype.kind in "OSU" else jnp.asarray(border.narrowed(array))


class Options:
    """Execution settings of a dataset, none of which affects results."""

    def __getattr__(self, name: str) -> "Options":
        made = Options()
        self.__dict__[name] = made
        return made


def _of_files(filenames: object, parallel: Any, read: Callable[[str], Iterator[bytes]]) -> Dataset:
    """The elements that a function reads from files, sequentially or interleaved."""
    names = filenames if isinstance(filenames, Dataset) else np.ravel(np.asarray(text(filenames)))
    files = names if isinstance(names, Dataset) else Dataset.from_tensor_slices(names)

    def pieces(file: object) -> Dataset:
        path = text(file).item().decode()
        return Dataset.from_generator(lambda: read(path), output_signature=data.TensorSpec((), "string"))

    return files.flat_map(pieces) if parallel is None else files.interleave(pieces, cycle_length=int(parallel))


def TFRecordDataset(  # noqa: N802 - TensorFlow's name
    filenames: object, compression_type: object = None, buffer_size: object = None, num_parallel_reads: object = None,
    name: str | None = None,
) -> Dataset:  # fmt: skip
    """The records of files.

    Args:
        filenames: a file, a list of files, or a dataset of their names.
        compression_type: "GZIP" or "ZLIB"; "" or None for neither.
        buffer_size: how much TensorFlow reads at a time; ignored.
        num_parallel_reads: number of files whose records are interleaved; None reads files sequentially.
        name: an arbitrary name.
    """
    pressed = records.compression_of(compression_type)
    return _of_files(filenames, num_parallel_reads, lambda path: records.records_of(path, pressed))


def TextLineDataset(  # noqa: N802 - TensorFlow's name
    filenames: object, compression_type: object = None, buffer_size: object = None, num_parallel_reads: object = None,
    name: str | None = None,
) -> Dataset:  # fmt: skip
    """The lines of files, without their ends; see `TFRecordDataset`."""
    pressed = records.compression_of(compression_type)
    return _of_files(filenames, num_parallel_reads, lambda path: records.lines_of(path, pressed))


def FixedLengthRecordDataset(  # noqa: N802 - TensorFlow's name
    filenames: object,
    record_bytes: int,
    header_bytes: int | None = None,
    footer_bytes: int | None = None,
    buffer_size: object = None,
    compression_type: object = None,
    num_parallel_reads: object = None,
    name: str | None = None,
) -> Dataset:
    """The records of `record_bytes` bytes of files, without the first and last bytes; see `TFRecordDataset`."""
    pressed = records.compression_of(compression_type)
    sizes = int(record_bytes), int(header_bytes or 0), int(footer_bytes or 0)
    return _of_files(filenames, num_parallel_reads, lambda path: records.pieces_of(path, pressed, *sizes))


def _rows_of_any_length(*rows: Any) -> Any:
    """Arrays of different lengths as a ragged tensor; scalars as an array."""
    return RaggedTensor.of_rows([as_tensor(row) for row in rows]) if rows[0].ndim else np.stack(rows)


def _ragged_batch(
    self: Dataset,
    batch_size: int,
    drop_remainder: bool = False,
    row_splits_dtype: object = None,
    name: str | None = None,
) -> Dataset:
    """Batches of `batch_size` elements of different lengths, as the rows of a ragged tensor."""
    size, step = int(batch_size), f"ragged_batch({int(batch_size)})"

    def batch(elements: list[Nested]) -> Any:
        return map_leaves(_rows_of_any_length, *elements)

    return self._then(
        step, lambda key: passes.Batch(self._open(key), size, drop_remainder, batch),
        size=lambda n: n if n < 0 else n // size if drop_remainder else -(-n // size), spec=None,
    )  # fmt: skip


Dataset.ragged_batch = _ragged_batch  # type: ignore[attr-defined]


ThreadingOptions = Settings
__getattr__ = within(__name__)
