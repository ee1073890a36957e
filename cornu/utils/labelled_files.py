"""Files in a directory with their labels: which there are, in which order, and which of them are for training.

A file's label is the subdirectory that contains it. All of this works on plain lists, before any file is read;
`image_dataset_from_directory` and similar functions read them.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from cornu import validate
from cornu.core.typing import Tensor
from cornu.data import AUTOTUNE, Dataset
from cornu.data.elements import as_element, map_leaves, spec_of, with_leading

_LABEL_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both", None)
_NO_BATCHES = 1024  # size of the shuffle buffer without batches
_BATCHES = 8  # size of the shuffle buffer in batches
_TRIED = 4  # files used to measure the time per file
_SHORT = 3e-4  # seconds: threads that read faster files delay one another


class Labelled(NamedTuple):
    """Paths, the label of each, None if there are none, and the names of the classes."""

    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None

    def rows(self, rows: Tensor) -> "Labelled":
        """Some of them, or all in a different order."""
        chosen = np.asarray(self.paths, object)[rows].tolist()
        return Labelled(chosen, None if self.labels is None else self.labels[rows], self.class_names)


class Request(NamedTuple):
    """The arguments of one of the functions."""

    owner: str
    what: str  # the kind of files, for messages
    endings: tuple[str, ...]
    directory: str | os.PathLike[str]
    labels: Tensor
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool


def datasets(
    asked: Request,
    read: Callable[..., np.ndarray],
    batched: Callable[[Dataset, int], Dataset] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Dataset | list[Dataset]:
    """The dataset of a directory, or two of them if both subsets are requested.

    Args:
        asked: the arguments.
        read: function from a path to the file's array; if `shape` is given, it also receives a float32 array of that
            shape, which it may fill and return.
        batched: function of a dataset and a batch size that replaces `Dataset.batch`.
        shape: shape of each file's float32 array; None if shapes differ, or are unknown before reading.
    """
    _check(asked)
    seed = int(np.random.randint(10**6)) if asked.seed is None else asked.seed
    files = _found(asked)
    if asked.shuffle:
        order = np.arange(len(files.paths))
        np.random.RandomState(seed).shuffle(order)
        files = files.rows(order)
    parts = [_dataset(part, asked, seed, read, batched, shape) for part in _subsets(files, asked)]
    return parts if asked.subset == "both" else parts[0]


# ---------------------------------------------------------------- the arguments


def _check(asked: Request) -> None:
    owner = asked.owner
    validate.one_of(asked.label_mode, _LABEL_MODES, "label_mode", owner)
    validate.one_of(asked.subset, _SUBSETS, "subset", owner)
    if asked.batch_size is not None:
        validate.positive_int(asked.batch_size, "batch_size", owner)
    listed = isinstance(asked.labels, (list, tuple, np.ndarray))
    if not listed and asked.labels not in ("inferred", None):
        raise ValueError(
            f'{owner}: labels must be "inferred" from the subdirectories, a list with one per file, or None. '
            f"Received: labels={validate.shown(asked.labels)}."
        )
    if asked.class_names is not None and (listed or asked.labels is None or asked.label_mode is None):
        raise ValueError(f'{owner}: class_names require labels="inferred" and a label_mode. {_labels(asked)}')
    if bool(asked.validation_split) != bool(asked.subset):
        raise ValueError(
            f"{owner}: validation_split and subset must be given together. "
            f"Received: validation_split={validate.shown(asked.validation_split)}, "
            f"subset={asked.subset!r}."
        )
    if asked.validation_split:
        validate.fraction(asked.validation_split, "validation_split", owner)
    if asked.validation_split and asked.shuffle and asked.seed is None:
        raise ValueError(
            f"{owner}: a validation_split of shuffled files requires a seed, so that no file is used both for training "
            "and "
            "for validation. Pass seed, or shuffle=False."
        )


def _labels(asked: Request) -> str:
    return f"Received: labels={validate.shown(asked.labels)}, label_mode={validate.shown(asked.label_mode)}."


# ---------------------------------------------------------------- the files


def _found(asked: Request) -> Labelled:
    """The files in the directory, sorted, with their labels."""
    directory = os.fspath(asked.directory)
    if asked.labels is None or asked.label_mode is None:
        files = Labelled(list(_below(directory, asked)), None, None)
    elif isinstance(asked.labels, str):
        files = _inferred(directory, asked)
    else:
        files = _listed(directory, asked)
    names = files.class_names
    if asked.verbose:
        classes = "" if names is None else f" belonging to {len(names)} classes"
        print(f"Found {len(files.paths)} files{classes}.")
    if asked.label_mode == "binary" and names is not None and len(names) != 2:
        raise ValueError(f'{asked.owner}: label_mode="binary" needs exactly two classes. Received: {names}.')
    if not files.paths:
        raise ValueError(
            f"{asked.owner}: there are no {asked.what} in {directory!r}. Expected files that end in "
            f"{', '.join(asked.endings)}."
        )
    return files


def _inferred(directory: str, asked: Request) -> Labelled:
    """Files labeled by the subdirectories that contain them."""
    there = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir() and not entry.name.startswith("."))
    names = list(there if asked.class_names is None else asked.class_names)
    if not set(names) <= set(there) or len(set(names)) != len(names):
        raise ValueError(
            f"{asked.owner}: class_names must be distinct names of subdirectories of {directory!r}: {there}. "
            f"Received: {names}."
        )
    found = [list(_below(os.path.join(directory, name), asked)) for name in names]
    labels = np.repeat(np.arange(len(names), dtype="int32"), [len(paths) for paths in found])
    return Labelled([path for paths in found for path in paths], labels, names)


def _listed(directory: str, asked: Request) -> Labelled:
    """Files with labels given by the caller, in the order of the sorted paths."""
    paths = list(_below(directory, asked))
    labels = np.asarray(asked.labels)
    if len(labels) != len(paths):
        raise ValueError(
            f"{asked.owner}: there must be one label per file, and there are {len(paths)} files in {directory!r}. "
            f"Received: {len(labels)} labels."
        )
    names = [str(label) for label in np.unique(labels)]
    return Labelled(paths, labels.astype("int32") if labels.dtype.kind in "iu" else labels, names)


def _below(directory: str, asked: Request) -> Iterator[str]:
    """The paths of a directory's files, sorted, with those in subdirectories after its own."""
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"{asked.owner}: there is no directory {directory!r}.")
    for folder, _, names in sorted(os.walk(directory, followlinks=asked.follow_links)):
        yield from (os.path.join(folder, name) for name in sorted(names) if name.lower().endswith(asked.endings))


def _subsets(files: Labelled, asked: Request) -> list[Labelled]:
    """The training files, the last ones for validation, or both."""
    if not asked.validation_split:
        return [files]
    count = len(files.paths)
    held_out = int(asked.validation_split * count)
    if not held_out:
        raise ValueError(
            f"{asked.owner}: validation_split={asked.validation_split} of {count} files leaves none for validation."
        )
    parts = {"training": files.rows(np.s_[: count - held_out]), "validation": files.rows(np.s_[count - held_out :])}
    chosen = [asked.subset] if asked.subset in parts else list(parts)
    if asked.verbose:
        for name in chosen:
            print(f"Using {len(parts[name].paths)} files for {name}.")
    return [parts[name] for name in chosen]


# ---------------------------------------------------------------- as a dataset


def _dataset(
    files: Labelled,
    asked: Request,
    seed: int,
    read: Callable[..., np.ndarray],
    batched: Callable[[Dataset, int], Dataset] | None,
    shape: tuple[int, ...] | None,
) -> Dataset:
    """Files that are read lazily."""
    labels = _as_asked(files, asked.label_mode)
    size = asked.batch_size

    def read_file(number: int, *out: np.ndarray) -> np.ndarray:
        path = files.paths[number]
        try:
            return read(path, *out)
        except Exception as error:
            raise ValueError(f"{path} cannot be read: {error}") from error

    def labelled(value: object, numbers: np.ndarray) -> object:
        return value if labels is None else (value, labels[numbers])

    data = Dataset.from_tensor_slices(np.arange(len(files.paths)))
    if asked.shuffle:
        data = data.shuffle(_NO_BATCHES if size is None else _BATCHES * size, seed=seed)
    if size is None or shape is None:
        data = data.map(lambda number: labelled(read_file(int(number)), number), num_parallel_calls=AUTOTUNE)
        if size is not None:
            data = data.batch(size) if batched is None else batched(data, size)
    else:
        read_batch = _reader_of_batches(read_file, shape)
        one = as_element(labelled(np.empty(shape, "float32"), np.asarray(0)))
        spec = with_leading(map_leaves(spec_of, one), None)
        data = data.batch(size)._mapped_to(spec, lambda numbers: labelled(read_batch(numbers), numbers))
    data = data.prefetch(AUTOTUNE)
    data.class_names, data.file_paths = files.class_names, files.paths
    return data


def _reader_of_batches(
    read_file: Callable[[int, np.ndarray], np.ndarray], shape: tuple[int, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that reads the files with some indices into one array.

    The calling thread and others take the next index in turn until there are none: handing over one file at a time
    would take longer than reading a small one. Small files are all read by the calling thread: threads wait for one
    another before each short operation, and two take up to three times as long as one.
    """
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="cornu-read")
    seconds = math.inf  # of the fastest file read without others in parallel

    def read_batch(numbers: np.ndarray) -> np.ndarray:
        nonlocal seconds
        batch = np.empty((len(numbers), *shape), "float32")
        rows = iter(range(len(numbers)))  # each thread takes its next one from here

        def read_rows(most: int | None = None) -> None:
            for row in islice(rows, most):
                place = batch[row]
                made = read_file(int(numbers[row]), place)
                if made is not place:
                    place[...] = made

        for _ in range(_TRIED if seconds == math.inf else 1):
            start = time.perf_counter()
            read_rows(1)
            seconds = min(seconds, time.perf_counter() - start)
        helpers = min(threads, len(numbers)) - 1 if seconds > _SHORT else 0
        others = [pool.submit(read_rows) for _ in range(helpers)]
        read_rows()
        for other in others:
            other.result()
        return batch

    return read_batch


def _as_asked(files: Labelled, mode: str | None) -> np.ndarray | None:
    """Labels in the form given by `label_mode`."""
    if files.labels is None or files.class_names is None or mode == "int":
        return files.labels
    if mode == "binary":
        return files.labels.astype("float32")[:, None]
    return (files.labels[:, None] == np.arange(len(files.class_names))).astype("float32")
