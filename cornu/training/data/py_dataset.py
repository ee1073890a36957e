"""Datasets that make their batches on demand, by index, with several workers if desired."""

import contextvars
import multiprocessing
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any, cast

from cornu import validate
from cornu.core import number_arguments
from cornu.core.typing import Batch, Data, Nested, State
from cornu.training.data.arrays import permutation
from cornu.training.data.places import restored, state_of
from cornu.training.data.unpack import unpack_batch


class PyDataset:
    """Base class of datasets whose `__getitem__(index)` returns batch number `index`.

    A batch is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. `__len__` returns the number of batches; without it, or
    if it returns None, the dataset is infinite and `fit` needs `steps_per_epoch`. Batches arrive in order, whatever the
    number of workers, and an error in a worker is raised where the batch is needed.

    If several processes train one model, you may define a method `shard(count, index)` that returns a dataset with as
    many batches, each containing part `index` of `count` equal parts of the rows: then a process does not load other
    rows.

    Args:
        workers: number of batches that are made in parallel. Defaults to 1.
        use_multiprocessing: whether workers are processes rather than threads: for work in pure Python. The dataset
            must not use JAX then. Defaults to False.
        max_queue_size: number of batches to prefetch. Defaults to 10.

    Example:
        class Squares(cornu.utils.PyDataset):
            def __len__(self):
                return 10

            def __getitem__(self, index):
                x = np.arange(32.0).reshape(32, 1) + 32 * index
                return x, x**2
    """

    _workers = 1
    _use_multiprocessing = False
    _max_queue_size = 10

    @number_arguments.checked
    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    @property
    def workers(self) -> int:
        """Number of batches that are made in parallel."""
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """Whether workers are processes rather than threads."""
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """Number of batches to prefetch."""
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    @property
    def num_batches(self) -> int | None:
        """Number of batches; None for an infinite dataset."""
        length = getattr(type(self), "__len__", None)
        return None if length is None else length(self)

    def __iter__(self) -> Iterator[object]:
        """The batches in order, each once; endless for an infinite dataset."""
        batches = cast(Mapping[int, Any], self)  # subclasses implement __getitem__
        return (batches[index] for index in (count() if self.num_batches is None else range(self.num_batches)))

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch, for example to shuffle."""


def is_py_dataset(data: Data) -> bool:
    """Whether `data` is a `PyDataset`, or has the same interface."""
    wanted = ("__getitem__", "num_batches", "on_epoch_end")
    return isinstance(data, PyDataset) or all(hasattr(type(data), name) for name in wanted)


_of_process: dict[str, Any] = {}


def _receive(dataset: object) -> None:
    """Runs in a new worker process, once."""
    _of_process["dataset"] = dataset


def _item_in_process(index: int) -> Nested:
    return _of_process["dataset"][index]


@contextmanager
def _forking_is_fine() -> Iterator[None]:
    """Silence the warning about forks with JAX: the workers only use the dataset, which uses NumPy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
        yield


def _executor(dataset: "PyDataset") -> Executor:
    workers = max(1, dataset.workers)
    if dataset.use_multiprocessing:
        return ProcessPoolExecutor(workers, multiprocessing.get_context(), _receive, (dataset,))
    return ThreadPoolExecutor(workers, thread_name_prefix="cornu-data")


def _submit(executor: Executor, dataset: Any, index: int) -> Future[Any]:
    if isinstance(executor, ProcessPoolExecutor):
        with _forking_is_fine():
            return executor.submit(_item_in_process, index)
    return executor.submit(contextvars.copy_context().run, dataset.__getitem__, index)


def items_in_order(dataset: Any, indices: Iterable[int]) -> Generator[object, None, None]:
    """The items of `dataset` at `indices`, prefetched by its workers; all workers have ended when this ends."""
    if dataset.workers <= 1 and not dataset.use_multiprocessing:
        yield from (dataset[index] for index in indices)
        return
    ahead = max(dataset.max_queue_size, dataset.workers, 1)
    executor = _executor(dataset)
    waiting: deque[Future[Any]] = deque()
    try:
        for index in indices:
            waiting.append(_submit(executor, dataset, index))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class PyDatasetSource:
    """The batches of a `PyDataset`, in an order that depends only on the seed and the pass."""

    repeats = True
    seekable = True
    reads_iterator = False
    arrays = None
    batch_size = None
    num_samples = None

    def __init__(self, dataset: Any, shuffle: bool | str, seed: int, owner: str):
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = seed
        self.owner = owner
        self._example: Batch | None = None
        self._state: Any = None  # of the dataset, before the epoch began
        self._in_epoch = False  # whether the dataset was notified of an epoch that has not ended
        self._ended = 0  # number of epoch ends it was notified of
        if self.num_batches == 0:
            raise ValueError(f"{owner}: the dataset is empty: {type(dataset).__name__} has 0 batches.")

    @property
    def num_batches(self) -> int | None:
        """Current number of batches; a dataset may change it between epochs."""
        count, kind = self.dataset.num_batches, type(self.dataset).__name__
        return None if count is None else validate.non_negative_int(count, f"len({kind})", self.owner)

    @property
    def has_no_end(self) -> bool:
        """Whether the dataset is infinite."""
        return self.num_batches is None

    def _indices(self, number: int, start: int) -> Iterable[int]:
        if self.num_batches is None:
            return count(start)
        if self.shuffle:
            return (int(i) for i in permutation(self.num_batches, self.seed, number)[start:])
        return range(start, self.num_batches)

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        """The batches of pass `number`, starting at batch `start`."""
        items = items_in_order(self.dataset, self._indices(number, start))
        try:
            yield from (self._unpack(item) for item in items)
        finally:
            items.close()

    def _unpack(self, item: Any) -> Batch:
        return unpack_batch(item, f"{type(self.dataset).__name__}.__getitem__", self.owner, lists_are_tuples=True)

    def example(self) -> Batch:
        """Batch number 0 of the first epoch, which starts with this call."""
        if self._example is None:
            self.on_epoch_begin()
            self._example = self._unpack(self.dataset[0])
        return self._example

    def place(self) -> dict[str, object]:
        """The seed of the orders, the number of completed epochs, and the dataset's own state outside of an epoch."""
        state = self._state if self._in_epoch else state_of(self.dataset)
        return {"seed": self.seed, "ended": self._ended, "state": state}

    def resume(self, place: State, within_pass: bool) -> None:
        """Restore the position; a dataset without a state is notified of the earlier epochs."""
        self.seed = place["seed"]
        if place["state"] is not None:
            restored(self.dataset, place["state"])
            self._in_epoch, self._ended = False, place["ended"]
        while self._ended < place["ended"]:
            self.on_epoch_begin()
            self.on_epoch_end()

    def on_epoch_begin(self) -> None:
        """Notify the dataset that an epoch begins, once."""
        if not self._in_epoch:
            self._in_epoch, self._state = True, state_of(self.dataset)
            getattr(self.dataset, "on_epoch_begin", lambda: None)()

    def on_epoch_end(self) -> None:
        """Notify the dataset that an epoch has ended."""
        self._in_epoch, self._ended = False, self._ended + 1
        self.dataset.on_epoch_end()
