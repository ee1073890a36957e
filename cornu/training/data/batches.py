"""Data for training: anything the user passes becomes `Batches`, one object with one way to iterate.

    batches = make_batches(x, y, batch_size=32, shuffle=True)
    for x, y, sample_weight in batches.epoch(0): ...

No device is used here: batches are trees of NumPy arrays. The order of batches is a function of the seed and of the
absolute number of the epoch, so a run that is resumed at epoch 7 sees the same batches as an uninterrupted one.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

import numpy as np

from cornu import validate
from cornu.core.typing import Batch, Data, State
from cornu.data import Dataset
from cornu.training.data.arrays import ArraySource
from cornu.training.data.class_weight import tell_of_strangers, weigh_classes
from cornu.training.data.convert import common_length, convert, convert_weights, has_shape, take
from cornu.training.data.iterables import IterableSource
from cornu.training.data.py_dataset import PyDataset, PyDatasetSource, is_py_dataset
from cornu.training.data.shared import own_part
from cornu.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight

__all__ = [
    "Batches", "PyDataset", "is_source_of_batches", "make_batches", "pack_x_y_sample_weight", "split_validation",
    "unpack_x_y_sample_weight",
]  # fmt: skip

_PLACES = 1024  # more than the number of prefetched batches

_SINGLE_ROWS = (
    " If these are single rows rather than batches, add .batch(32) to the dataset, or yield arrays whose first axis "
    "is the rows of a batch; otherwise check whether rows are missing from one of them."
)


class Batches:
    """Batches of (x, y, sample_weight), epoch by epoch.

    Attributes:
        num_batches: number of batches in an epoch; None if unknown.
        batch_size: number of samples in a full batch; None if the source makes its own batches.
        num_samples: total number of samples; None if unknown.
        arrays: the whole aligned (x, y, sample_weight) of NumPy arrays if an epoch is one pass over arrays in memory
            (then `order(epoch)` gives the order of the rows), else None.
        exhausted: whether a source that can be read only once is known to have ended, so that no epoch can follow.
        keeps_places: whether `place` will be called within epochs; set before the first one.
        is_part: whether batches contain only the rows of this process, if several share them.
        read: function that converts the text in a batch to numbers; None if there is none.
        same_rows: whether all arrays of a batch must have the same number of rows; a custom step may accept others.
        check: function that receives each batch and its number in the epoch, from 1, and may reject it.
    """

    def __init__(self, source: Any, steps: int | None, class_weight: Mapping[int, float] | None, owner: str):
        self.source = source
        self.steps = steps
        self.owner = owner
        self.batch_size = source.batch_size
        self.num_samples = source.num_samples
        self.exhausted = False
        self.is_part = False
        self.same_rows = True
        self._class_weight = class_weight
        self._has_warned = False
        self.keeps_places = False
        self._places: dict[int, dict[str, Any]] = {}  # of a forward-only source, after its latest batches
        self.read: Callable[[Batch], Batch] | None = None
        self.check: Callable[[Batch, int], None] | None = None

    @property
    def num_batches(self) -> int | None:
        size = self.source.num_batches
        if self.steps is None:
            return size
        return self.steps if size is None else min(self.steps, size)

    @property
    def arrays(self) -> Batch | None:
        return self.source.arrays if self.steps in (None, self.source.num_batches) else None

    @property
    def can_be_made_ahead(self) -> bool:
        """Whether a thread may prefetch batches: a user's iterator stays in the user's own thread."""
        return self.num_samples is None and not self.source.reads_iterator

    @property
    def keeps_jax_arrays(self) -> bool:
        """Whether JAX arrays in a batch keep their values: a layer in a dataset's `map` computed them."""
        return isinstance(getattr(self.source, "data", None), Dataset)

    def order(self, epoch: int) -> np.ndarray:
        """The order in which the rows of `arrays` are used in an epoch."""
        return self.source.order(epoch)

    def example(self) -> Batch:
        """A first batch, for building a model; it is not lost for training."""
        return self._ready(self.source.example())

    def place(self, step: int = 0) -> dict[str, object]:
        """The plain data that `resume` needs to continue in another process after that many steps of the epoch.

        After step 0 means between two epochs.
        """
        is_ahead = step > 0 and not self.source.seekable
        return (self._places[step] if is_ahead else self.source.place()) | {"exhausted": self.exhausted}

    def resume(self, place: State, step: int = 0) -> None:
        """Restore the position at which `place` was called, after that many steps of an epoch."""
        self.exhausted = place["exhausted"]
        self.source.resume(place, within_pass=step > 0 or self.steps is not None)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `number`, counted from 0 over the whole run, starting at batch `start`."""
        self.source.on_epoch_begin()
        walk = self._walk_by_number if self.source.seekable else self._walk_onwards
        keeps_places = self.keeps_places and not self.source.seekable
        self._places = {start: self.source.place()} if keeps_places else {}
        for position, batch in enumerate(walk(number, start), start + 1):
            if keeps_places:  # prefetched batches are not done yet, so there is more than one place
                self._places[position] = self.source.place()
                self._places.pop(position - _PLACES, None)
            ready = self._ready(batch)
            if self.check is not None:
                self.check(ready, position)
            yield ready

    def on_epoch_end(self) -> None:
        """Notify the source that an epoch has ended."""
        self.source.on_epoch_end()

    def has_next_epoch(self) -> bool:
        """Whether the data continues after the last epoch, called when another one is needed; warns if it does not."""
        if self.source.repeats and not self.exhausted:
            return True
        if not self.exhausted and not self.source.has_next():
            self._ran_out(0)
        return not self.exhausted

    def _ready(self, batch: Batch) -> Batch:
        """A batch with its text processed, and rows weighted by class."""
        if self.same_rows and self.num_samples is None:
            x, y, sample_weight = batch
            common_length(x, y, sample_weight, self.owner, _SINGLE_ROWS)
        if self.read is not None:
            batch = self.read(batch)
        if not self._class_weight:
            return batch
        x, y, sample_weight = batch
        return x, y, weigh_classes(y, sample_weight, self._class_weight, self.owner)

    def _walk_by_number(self, number: int, start: int) -> Iterator[Batch]:
        """A random-access source: the start of an epoch follows from its number."""
        size, steps = self.source.num_batches, cast(int, self.num_batches)  # random access by number
        if size is None:
            yield from islice(self.source.batches(0, number * steps + start), steps - start)
            return
        if self.steps is not None and self.steps > size:
            self._warn_short(size)
        position, left = number * steps + start, steps - start
        while left > 0:
            passes, first = divmod(position, size)
            taken = min(left, size - first)
            yield from islice(self.source.batches(passes, first), taken)
            position, left = position + taken, left - taken

    def _walk_onwards(self, number: int, start: int) -> Iterator[Batch]:
        """A forward-only source: an epoch continues where the last one stopped."""
        if not start and (self.steps is None or number == 0):
            self.source.restart()
        whole_pass, done = self.source.is_fresh, start
        while self.steps is None or done < self.steps:
            batch = self.source.take()
            if batch is not None:
                done += 1
                yield batch
            elif self.steps is None and done:
                return
            elif self.source.repeats and not whole_pass:
                self.source.restart()
                whole_pass = True
            else:
                self._ran_out(done)
                return

    def _ran_out(self, done: int) -> None:
        self.exhausted = not self.source.repeats or done == 0
        self._warn_short(done)

    def _warn_short(self, done: int) -> None:
        if self._has_warned and not self.exhausted:
            return
        self._has_warned = True
        wanted = f" of the {self.steps} requested" if self.steps else ""
        ending = "; no further epoch is possible" if self.exhausted else ""
        warnings.warn(
            f"{self.owner}: the data ran out after {done} batches{wanted}{ending}. Provide data for all steps of all "
            "epochs, or fewer steps.",
            stacklevel=2,
        )


def make_batches(
    x: Data,
    y: Data = None,
    sample_weight: Data = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
    seed: int = 0,
    keep: bool = False,
    owner: str = "fit",
) -> Batches:
    """`Batches` of any kind of data.

    Args:
        x: arrays (NumPy, JAX, pandas, polars, torch, SciPy sparse, lists of numbers; nested for several inputs), a
            `PyDataset`, a generator, or an iterable of batches.
        y: targets, only with arrays.
        sample_weight: weights of the samples, only with arrays.
        batch_size: number of samples per batch of arrays, 32 if None; sources of batches have their own.
        steps: number of batches per epoch; None for all.
        shuffle: True for a new order in each epoch, `"batch"` to shuffle within batches, False.
        class_weight: weights by class; classes that are not listed have weight 1.
        seed: seed of the orders.
        keep: whether every pass over a generator has the same batches, which are kept in memory for that.
        owner: the caller, for error messages.
    """
    steps = steps if steps is None else validate.positive_int(steps, "steps", owner)
    shuffle = validate.one_of(shuffle, (True, False, "batch"), "shuffle", owner)
    class_weight = _by_class(class_weight, owner)
    if is_source_of_batches(x):
        _refuse_extras(x, {"y": y, "sample_weight": sample_weight}, owner)
        own, is_part = own_part(x)
        batches = Batches(_open_source(own, steps, shuffle, seed, keep, owner), steps, class_weight, owner)
        batches.is_part = is_part
        return batches
    data, length = _aligned(x, y, sample_weight, owner)
    if class_weight:
        tell_of_strangers(data[1], class_weight, owner)
        data = data[0], data[1], weigh_classes(data[1], data[2], class_weight, owner)
    size = validate.positive_int(32 if batch_size is None else batch_size, "batch_size", owner)
    return Batches(ArraySource(data, length, size, shuffle, seed), steps, None, owner)


def is_source_of_batches(x: Data) -> bool:
    """Whether `x` is a source of batches, rather than arrays to be batched."""
    if is_py_dataset(x) or hasattr(x, "__next__"):
        return True
    is_data = x is None or isinstance(x, (str, bytes, list, tuple, Mapping, set, frozenset)) or has_shape(x)
    return not is_data and hasattr(x, "__iter__") and not hasattr(x, "__array__")


def _open_source(x: Data, steps: int | None, shuffle: bool | str, seed: int, keep: bool, owner: str) -> Any:
    source: Any = PyDatasetSource(x, shuffle, seed, owner) if is_py_dataset(x) else IterableSource(x, owner, keep)
    if source.has_no_end and steps is None:
        name = {"fit": "steps_per_epoch", "validation_data": "validation_steps"}.get(owner, "steps")
        raise ValueError(
            f"{owner}: {type(x).__name__} is infinite, so {name} must give the number of batches in an epoch."
        )
    return source


def _refuse_extras(x: Data, extras: dict[str, object], owner: str) -> None:
    given = [name for name, value in extras.items() if value is not None]
    if given:
        raise ValueError(
            f"{owner}: {' and '.join(given)} must not be given together with a {type(x).__name__}, which makes "
            "complete "
            "batches itself: it should yield (x, y) or (x, y, sample_weight)."
        )


def _aligned(x: Data, y: Data, sample_weight: Data, owner: str) -> tuple[Batch, int]:
    if x is None:
        raise ValueError(f"{owner}: x must be data. Received: x=None.")
    data = convert(x, "x", owner), convert(y, "y", owner), convert_weights(sample_weight, owner)
    return data, common_length(*data, owner)


def _by_class(class_weight: Mapping[int, float] | None, owner: str) -> dict[int, float] | None:
    """The class weights, given as a dictionary or a data frame column."""
    if class_weight is None:
        return None
    if not hasattr(class_weight, "items"):
        raise TypeError(
            f"{owner}: class_weight must map classes to weights, as in dict(enumerate(weights)). "
            f"Received: {validate.shown(class_weight)}."
        )
    odd = [key for key in class_weight if not _is_whole(key)]  # np.unique(y) returns 0.0 and 1.0 for float labels
    if odd:
        raise ValueError(
            f"{owner}: the classes in class_weight must be integers. "
            f"Received: {validate.shown(odd[0])}. For a model with "
            'several outputs, pass weights of rows for each instead: sample_weight={"name of the output": weights}.'
        )
    return dict(class_weight.items())


def _is_whole(key: object) -> bool:
    return isinstance(key, (int, float, np.integer, np.floating)) and float(key).is_integer()


def split_validation(arrays: Batch, fraction: float, owner: str = "fit") -> tuple[Batch, Batch]:
    """Split (x, y, sample_weight) into (training, validation); the last `fraction` of the samples is for validation.

    Args:
        arrays: tuple of x, y and sample_weight, as accepted by `make_batches`; y and sample_weight may be None.
        fraction: fraction of the samples, above 0 and below 1.
        owner: the caller, for error messages.
    """
    x, y, sample_weight = (*arrays, None, None)[:3]
    if is_source_of_batches(x):
        raise ValueError(
            f"{owner}: validation_split requires arrays. Received: x of type {type(x).__name__}. Use validation_data."
        )
    fraction = validate.fraction(fraction, "validation_split", owner)
    data, length = _aligned(x, y, sample_weight, owner)
    split = math.floor(length * (1.0 - fraction))
    if not 0 < split < length:
        raise ValueError(
            f"{owner}: {length} samples cannot be split: validation_split={fraction} leaves {split} for training and "
            f"{length - split} for validation. Use more data, or another fraction."
        )
    return take(data, slice(0, split)), take(data, slice(split, length))
