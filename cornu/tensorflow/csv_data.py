"""`CsvDataset` and `make_csv_dataset`: datasets of the lines of CSV files."""

import csv
import glob
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from cornu.core.typing import Nested, Shape, Tensor
from cornu.data import Dataset, TensorSpec
from cornu.tensorflow import records
from cornu.tensorflow.io import as_numpy, column
from cornu.tensorflow.texts import text
from cornu.tensorflow.types import DType

__all__ = ["CsvDataset", "make_csv_dataset"]

_GUESSES: tuple[tuple[Any, Callable[[str], Any]], ...] = (
    (np.zeros((), "int32"), np.int32), (np.zeros((), "int64"), np.int64), (np.zeros((), "float32"), float),
)  # fmt: skip


class _Form:
    """The format of CSV lines.

    Args:
        delimiter: field delimiter.
        has_quotes: whether fields may be quoted.
        na_value: text that counts as empty.
        has_header: whether the first line of a file has names.
        compression: compression of the files.
    """

    def __init__(self, delimiter: str, has_quotes: bool, na_value: str, has_header: bool, compression: object):
        self.how: dict[str, Any] = {"delimiter": delimiter}
        if not has_quotes:
            self.how |= {"quotechar": None, "quoting": csv.QUOTE_NONE}
        self.na_value, self.has_header = na_value, has_header
        self.compression = records.compression_of(compression)

    def rows(self, path: str) -> Iterator[list[str]]:
        """The fields of each line except the header."""
        lines = (line.decode() for line in records.lines_of(path, self.compression))
        return islice(filter(None, csv.reader(lines, **self.how)), int(self.has_header), None)

    def names(self, path: str) -> list[str]:
        """The fields of the first line."""
        return next(csv.reader((line.decode() for line in records.lines_of(path, self.compression)), **self.how))


def _default(given: object) -> np.ndarray:
    """The default for an empty field; without elements if a field must not be empty, as given by a dtype."""
    if isinstance(given, DType):
        return np.empty(0, object if given == "string" else str(given))
    return as_numpy(given)


def _spec(default: np.ndarray, shape: Shape = ()) -> TensorSpec:
    return TensorSpec(shape, "string" if default.dtype == object else default.dtype)


def _chosen(fields: list[str], columns: Sequence[int], path: str) -> list[str]:
    if max(columns) >= len(fields):
        raise ValueError(f"{path}: expected at least {max(columns) + 1} fields in a line. Received: {fields}.")
    return [fields[at] for at in columns]


def CsvDataset(  # noqa: N802 - TensorFlow's name
    filenames: object, record_defaults: Sequence[object], compression_type: object = None, buffer_size: object = None,
    header: bool = False, field_delim: str = ",", use_quote_delim: bool = True, na_value: str = "",
    select_cols: Sequence[int] | None = None, exclude_cols: Sequence[int] | None = None,
) -> Dataset:  # fmt: skip
    """A dataset with a tuple of fields for each line of CSV files.

    Args:
        filenames: a file or several.
        record_defaults: for each column, the default for an empty field, which sets its dtype, or only the dtype if a
            field must not be empty.
        compression_type: "GZIP" or "ZLIB"; "" or None for neither.
        buffer_size: how much TensorFlow reads at a time; ignored.
        header: whether to skip the first line of each file.
        field_delim: field delimiter.
        use_quote_delim: whether fields may be quoted.
        na_value: text that is also treated as empty.
        select_cols: indices of the columns to use, in ascending order; None uses all.
        exclude_cols: indices of the columns to skip, instead.
    """
    form = _Form(field_delim, use_quote_delim, na_value, header, compression_type)
    paths = [each.decode() for each in np.ravel(np.asarray(text(filenames)))]
    defaults = [_default(each) for each in record_defaults]

    def wanted(count: int) -> Sequence[int]:
        if exclude_cols is not None:
            return [at for at in range(count) if at not in exclude_cols]
        return range(len(defaults)) if select_cols is None else select_cols

    def rows() -> Iterator[tuple[np.ndarray, ...]]:
        for path in paths:
            for fields in form.rows(path):
                chosen = _chosen(fields, wanted(len(fields)), path)
                pairs = enumerate(zip(chosen, defaults, strict=True))
                yield tuple(column([field], default, na_value, at, (1,))[0] for at, (field, default) in pairs)

    return Dataset.from_generator(rows, output_signature=tuple(map(_spec, defaults)))


def make_csv_dataset(
    file_pattern: object, batch_size: int, column_names: Sequence[str] | None = None,
    column_defaults: Sequence[object] | None = None, label_name: str | None = None,
    select_columns: Sequence[int | str] | None = None, field_delim: str = ",", use_quote_delim: bool = True,
    na_value: str = "", header: bool = True, num_epochs: int | None = None, shuffle: bool = True,
    shuffle_buffer_size: int = 10000, shuffle_seed: int | None = None, prefetch_buffer_size: int | None = None,
    num_parallel_reads: int | None = None, sloppy: bool = False, num_rows_for_inference: int | None = 100,
    compression_type: object = None, ignore_errors: bool = False, encoding: str = "utf-8",
) -> Dataset:  # fmt: skip
    """A dataset with batches of the columns of CSV files, as dictionaries.

    Args:
        file_pattern: a file name pattern, or several.
        batch_size: batch size.
        column_names: names of the columns; None reads them from the first line.
        column_defaults: for each column to use, the default for an empty field, which sets its dtype, or only the dtype
            if a field must not be empty; None guesses the dtypes.
        label_name: the label column, excluded from the dictionary.
        select_columns: names or indices of the columns to use; None uses all.
        field_delim: field delimiter.
        use_quote_delim: whether fields may be quoted.
        na_value: text that is also treated as empty.
        header: whether the first line of each file has names.
        num_epochs: number of repetitions; None repeats forever, in full batches.
        shuffle: whether to shuffle the lines.
        shuffle_buffer_size: size of the shuffle buffer in lines.
        shuffle_seed: seed of the shuffling; None uses the global seed.
        prefetch_buffer_size: number of batches to prefetch; None uses two.
        num_parallel_reads, sloppy: ignored; files are read sequentially.
        num_rows_for_inference: number of lines used to infer dtypes; None uses all.
        compression_type: "GZIP" or "ZLIB"; "" or None for neither.
        ignore_errors: whether to skip lines that cannot be read.
        encoding: the encoding of the files, which must be "utf-8".
    """
    form = _Form(field_delim, use_quote_delim, na_value, header, compression_type)
    patterns = [each.decode() for each in np.ravel(np.asarray(text(file_pattern)))]
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern)})
    if not paths:
        raise ValueError(f"make_csv_dataset: no files match `file_pattern` {file_pattern}.")
    if column_names is None and not header:
        raise ValueError("make_csv_dataset: pass column_names, or header=True for files that have them.")
    names = form.names(paths[0]) if column_names is None else list(column_names)
    columns = sorted(at if isinstance(at, int) else names.index(at) for at in select_columns or range(len(names)))
    names = [names[at] for at in columns]
    if label_name is not None and label_name not in names:
        raise ValueError(f"make_csv_dataset: label_name must be one of the columns: {names}. Received: {label_name}.")
    if column_defaults is None:
        rows = islice(chain.from_iterable(map(form.rows, paths)), num_rows_for_inference)
        defaults = _guessed_defaults([_chosen(row, columns, paths[0]) for row in rows], len(columns), na_value)
    else:
        defaults = _given_defaults(list(column_defaults), columns)

    def lines() -> Iterator[tuple[str, ...]]:
        for path in paths:
            yield from (tuple(_chosen(fields, columns, path)) for fields in form.rows(path))

    def batch(*texts: Tensor) -> Nested:
        found = {
            name: column([field.decode() for field in np.asarray(text(one)).tolist()], default, na_value, at, (-1,))
            for at, (name, one, default) in enumerate(zip(names, texts, defaults, strict=True))
        }
        return found if label_name is None else (found, found.pop(label_name))

    made = Dataset.from_generator(lines, output_signature=tuple(TensorSpec((), "string") for _ in columns))
    made = made.shuffle(shuffle_buffer_size, shuffle_seed) if shuffle else made
    made = made.repeat(num_epochs) if num_epochs != 1 else made
    made = made.batch(batch_size, drop_remainder=num_epochs is None)
    size = batch_size if num_epochs is None else None
    specs: Any = {name: _spec(default, (size,)) for name, default in zip(names, defaults, strict=True)}
    made = made._mapped_to(specs if label_name is None else (specs, specs.pop(label_name)), batch)
    made = made.ignore_errors() if ignore_errors else made
    return made.prefetch(2 if prefetch_buffer_size is None else prefetch_buffer_size)


def _given_defaults(given: list[Tensor], columns: list[int]) -> list[np.ndarray]:
    """The defaults of the selected columns, from a list with one for each of these or for every column."""
    return [_default(given[at]) for at in (columns if len(given) > len(columns) else range(len(columns)))]


def _guessed_defaults(rows: list[Sequence[str]], count: int, na_value: str) -> list[np.ndarray]:
    """The default of each of `count` columns, inferred from its fields."""
    return [_guessed([row[at] for row in rows], na_value) for at in range(count)]


def _guessed(fields: list[str], na_value: str) -> np.ndarray:
    """Zero of the narrowest dtype that fits all fields, or an empty string."""
    for zero, read in _GUESSES:
        try:
            for field in fields:
                if field not in ("", na_value):
                    read(field)
        except (ValueError, OverflowError):
            continue
        return zero
    return np.asarray(text(""))
