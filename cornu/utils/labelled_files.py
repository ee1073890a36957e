"""Files of a folder with their labels: which there are, in which order, which of them are to train with.

A file's label is the folder below the given one that it lies in. All of this is plain lists, made before any file is
read; `image_dataset_from_directory` and its kin read them.
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
_NO_BATCHES = 1024  # elements that are shuffled among one another where there are no batches
_BATCHES = 8  # batches whose elements are
_TRIED = 4  # files that tell how long one takes
_SHORT = 3e-4  # seconds: threads that read files which take less are held up by one another


class Labelled(NamedTuple):
    """Paths, the label of each, None where there are none, and the names of the classes."""

    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None

    def rows(self, rows: Tensor) -> "Labelled":
        """Some of them, or all in another order."""
        chosen = np.asarray(self.paths, object)[rows].tolist()
        return Labelled(chosen, None if self.labels is None else self.labels[rows], self.class_names)


class Request(NamedTuple):
    """What the caller of one of the functions asked for; the arguments are theirs."""

    owner: str
    what: str  # the files, in messages
    endings: tuple[str, ...]
    directory: str | os.PathLike
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
    """The data set of a folder, or two of them where both subsets are asked for.

    Args:
        asked: what the caller asked for.
        read: function of a path that returns the file's array; where `shape` is given also of a float32 array of that
            shape, which it may write to and return.
        batched: function of a data set and the size of a batch, in the place of `Dataset.batch`.
        shape: that of each file's float32 array; None where they differ, or are not known before they are read.
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


# ---------------------------------------------------------------- what is asked for


def _check(asked: Request) -> None:
    owner = asked.owner
    validate.one_of(asked.label_mode, _LABEL_MODES, "label_mode", owner)
    validate.one_of(asked.subset, _SUBSETS, "subset", owner)
    if asked.batch_size is not None:
        validate.positive_int(asked.batch_size, "batch_size", owner)
    listed = isinstance(asked.labels, (list, tuple, np.ndarray))
    if not listed and asked.labels not in ("inferred", None):
        raise ValueError(
            f'{owner}: labels must be "inferred" for those of the subfolders, a list with one a file, or None. '
            f"Received: labels={validate.shown(asked.labels)}."
        )
    if asked.class_names is not None and (listed or asked.labels is None or asked.label_mode is None):
        raise ValueError(f'{owner}: class_names go with labels="inferred" and a label_mode. {_labels(asked)}')
    if bool(asked.validation_split) != bool(asked.subset):
        raise ValueError(
            f"{owner}: validation_split and subset go together. "
            f"Received: validation_split={validate.shown(asked.validation_split)}, "
            f"subset={asked.subset!r}."
        )
    if asked.validation_split:
        validate.fraction(asked.validation_split, "validation_split", owner)
    if asked.validation_split and asked.shuffle and asked.seed is None:
        raise ValueError(
            f"{owner}: a validation_split of shuffled files needs a seed, so that no file is both to train and to "
            "validate with. Give seed, or shuffle=False."
        )


def _labels(asked: Request) -> str:
    return f"Received: labels={validate.shown(asked.labels)}, label_mode={validate.shown(asked.label_mode)}."


# ---------------------------------------------------------------- what is there


def _found(asked: Request) -> Labelled:
    """The files of the folder, sorted, with their labels."""
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
    """Files labelled by the subfolders that they lie in."""
    there = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir() and not entry.name.startswith("."))
    names = list(there if asked.class_names is None else asked.class_names)
    if not set(names) <= set(there) or len(set(names)) != len(names):
        raise ValueError(
            f"{asked.owner}: class_names must be names of subfolders of {directory!r}, each once: {there}. "
            f"Received: {names}."
        )
    found = [list(_below(os.path.join(directory, name), asked)) for name in names]
    labels = np.repeat(np.arange(len(names), dtype="int32"), [len(paths) for paths in found])
    return Labelled([path for paths in found for path in paths], labels, names)


def _listed(directory: str, asked: Request) -> Labelled:
    """Files with labels that the caller gives, in the order of the sorted paths."""
    paths = list(_below(directory, asked))
    labels = np.asarray(asked.labels)
    if len(labels) != len(paths):
        raise ValueError(
            f"{asked.owner}: labels must be one a file, and there are {len(paths)} files in {directory!r}. "
            f"Received: {len(labels)} labels."
        )
    names = [str(label) for label in np.unique(labels)]
    return Labelled(paths, labels.astype("int32") if labels.dtype.kind in "iu" else labels, names)


def _below(directory: str, asked: Request) -> Iterator[str]:
    """The paths of a folder's files, those of its subfolders after its own, in the order of their names."""
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"{asked.owner}: there is no folder {directory!r}.")
    for folder, _, names in sorted(os.walk(directory, followlinks=asked.follow_links)):
        yield from (os.path.join(folder, name) for name in sorted(names) if name.lower().endswith(asked.endings))


def _subsets(files: Labelled, asked: Request) -> list[Labelled]:
    """The files to train with, the last ones to validate with, or both."""
    if not asked.validation_split:
        return [files]
    count = len(files.paths)
    held_out = int(asked.validation_split * count)
    if not held_out:
        raise ValueError(
            f"{asked.owner}: validation_split={asked.validation_split} of {count} files leaves none to validate with."
        )
    parts = {"training": files.rows(np.s_[: count - held_out]), "validation": files.rows(np.s_[count - held_out :])}
    chosen = [asked.subset] if asked.subset in parts else list(parts)
    if asked.verbose:
        for name in chosen:
            print(f"Using {len(parts[name].paths)} files for {name}.")
    return [parts[name] for name in chosen]


# ---------------------------------------------------------------- as a data set


def _dataset(
    files: Labelled,
    asked: Request,
    seed: int,
    read: Callable[..., np.ndarray],
    batched: Callable[[Dataset, int], Dataset] | None,
    shape: tuple[int, ...] | None,
) -> Dataset:
    """Files that are read while the data set is."""
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
    """A function that reads the files of some numbers into one array.

    The calling thread and others take the next number in turn until there is none: to hand over one file at a time
    would take longer than to read a small one. Where files are small the calling thread reads all: threads wait for
    one another before each short operation, and two then take up to three times as long as one.
    """
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="cornu-read")
    seconds = math.inf  # that the quickest file took which was read while no other was

    def read_batch(numbers: np.ndarray) -> np.ndarray:
        nonlocal seconds
        batch = np.empty((len(numbers), *shape), "float32")
        rows = iter(range(len(numbers)))  # from which each thread takes its next one

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
    """Labels in the form that `label_mode` names."""
    if files.labels is None or files.class_names is None or mode == "int":
        return files.labels
    if mode == "binary":
        return files.labels.astype("float32")[:, None]
    return (files.labels[:, None] == np.arange(len(files.class_names))).astype("float32")
