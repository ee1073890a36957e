"""`Dataset`: the API of `tf.data`, on NumPy and plain Python.

A dataset is a chain of steps. A step knows how to open a pass over the preceding steps (`passes.py`), its number of
elements, and their shapes; nothing is computed before a pass is read. `iter(data)` opens the next pass, whose iterator
can report its position, `get_state()`, and be restored to it in another process, `set_state(state)`: the remaining
elements are bit-identical.

Why not grain, Google's loader for JAX: it requires seven packages (protobuf, array-record, etils and others) for what
is a few hundred lines here, and most of the methods of `tf.data` would still have to be implemented on top of it.
"""

import bisect
import functools
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from cornu import validate
from cornu.core import border
from cornu.core.typing import AnyFunction, Config, Nested
from cornu.data import passes
from cornu.data.batching import filled_shapes, padded, padded_spec, stacked
from cornu.data.cache import Cached, Store
from cornu.data.elements import (
    TEXT,
    DataArray,
    Element,
    Spec,
    TensorSpec,
    agreed,
    as_array,
    as_element,
    common,
    copied,
    handed_out,
    leaves,
    map_leaves,
    numbered,
    opened_where,
    plain,
    read_only,
    same_structure,
    spec_of,
    with_leading,
    without_leading,
)
from cornu.data.options import Options
from cornu.data.passes import Key, Pass, State
from cornu.data.readers import Buckets, Interleave, Shuffle, Window
from cornu.data.records import Records
from cornu.data.threads import AUTOTUNE, Ahead, ParallelMap
from cornu.errors import DataError
from cornu.random import global_seed
from cornu.random.seed_generator import number_of_use

INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
_MANY = 2**62  # number of elements of an infinite dataset
_ELEMENTS = "elements"  # name of the file with the elements


class Dataset:
    """A sequence of elements, produced lazily by a chain of steps.

    An element is an array, or tuples and dictionaries of arrays. Create a dataset with `from_tensor_slices`,
    `from_generator`, `range` and similar methods; each method returns a new dataset with one more step. Iterating
    yields NumPy arrays with TensorFlow's method `numpy()`; functions passed to `map` and similar methods receive plain
    NumPy arrays, with a tuple spread over their arguments.

    Randomness is derived from the seed of the step, or else from `set_random_seed`, and from the number of the pass:
    each epoch has its own order, and each run of a program has the same ones. The same holds for the draws of cornu's
    layers and functions within `map` and similar methods, in any thread; NumPy's and Python's own generators simply
    advance with each call, and a resumed training run does not restore them.

    If a function fails, `cornu.errors.DataError` names the step and the element; its cause is the original error.

    Example:

        x, y = np.arange(10.0), np.arange(10)
        data = cornu.data.Dataset.from_tensor_slices((x, y)).shuffle(10, seed=1).map(lambda x, y: (x / 10, y)).batch(4)
        for x, y in data:
            print(x.shape, y.numpy())
    """

    class_names: list[str] | None  # of a dataset from directories, and of datasets derived from it
    file_paths: list[str]  # of a dataset from directories

    def __init__(
        self,
        open_pass: Callable[[Key], Pass],
        size: Callable[[], int],
        spec: object,
        steps: tuple[str, ...],
        rows: "_Rows | None" = None,
    ):
        self._source = open_pass
        self._rows = rows  # the arrays whose row indices the source yields; None if it yields elements
        self._size = size
        self._spec = spec
        self._steps = steps
        self._passes = 0  # number of opened passes
        self._batch_size: int | None = None  # if the last step is `batch`
        self._options = Options()

    def _open(self, key: Key) -> Pass:
        """A pass over the elements."""
        return self._source(key) if self._rows is None else passes.Rows(self._source(key), self._rows.row)

    # ------------------------------------------------------------ sources

    @staticmethod
    def from_tensors(tensors: object, name: str | None = None) -> "Dataset":
        """A dataset with a single element."""
        element = as_element(tensors)
        return _counted(1, lambda _: element, map_leaves(spec_of, element), "from_tensors")

    @staticmethod
    def from_tensor_slices(tensors: object, name: str | None = None) -> "Dataset":
        """A dataset of the rows of arrays.

        Args:
            tensors: an array, or tuples and dictionaries of arrays with the same number of rows and at least one axis.
                A list of arrays of different shapes is one array whose rows differ. The arrays are not copied, and
                their rows are read-only.
            name: an arbitrary name.
        """
        rows = map_leaves(_rows, tensors)
        sizes = {len(leaf) for leaf in leaves(rows)}
        if len(sizes) != 1:
            lengths = map_leaves(len, rows)
            raise ValueError(
                "Dataset.from_tensor_slices: all arrays must have the same number of rows. "
                f"Received, of these lengths: {lengths!r}."
            )
        size = sizes.pop()
        return Dataset(
            lambda key: passes.Counted(size, lambda place: place), lambda: size, map_leaves(_spec_of_rows, rows),
            ("from_tensor_slices",), _Rows(rows),
        )  # fmt: skip

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable[Element]],
        output_types: object = None,
        output_shapes: object = None,
        args: Sequence[object] | None = None,
        output_signature: object = None,
        name: str | None = None,
    ) -> "Dataset":
        """A dataset of the items of a generator function, which is called again for each pass.

        A resumed pass calls it again and skips the items it had already yielded.

        Args:
            generator: function that returns an iterable.
            output_types: dtypes, in the structure of an element; None keeps those of the items.
            output_shapes: shapes in the same structure, with None for sizes that vary.
            args: arguments of the function.
            output_signature: `TensorSpec`s in that structure, instead of types and shapes.
            name: an arbitrary name.

        Raises:
            ValueError, TypeError: if an element differs from the declaration.
        """
        if not callable(generator):
            raise TypeError(
                "Dataset.from_generator: generator must be a function that returns an iterable. Received: "
                f"{border.shortened(generator)}."
            )
        owner = f"Dataset.from_generator({_name_of(generator)})"
        spec = _signature(output_types, output_shapes, output_signature)
        inputs = tuple(as_element(argument) for argument in args or ())

        def read(item: object) -> Element:
            element = as_element(item) if spec is None else _checked(spec, item, owner)
            return map_leaves(copied, element)

        return Dataset(
            lambda key: passes.Generated(lambda: iter(generator(*inputs)), read, owner),
            lambda: UNKNOWN_CARDINALITY, spec, (owner.removeprefix("Dataset."),),
        )  # fmt: skip

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> "Dataset":
        """A dataset of numbers, with the arguments of Python's `range`."""
        numbers, dtype = range(*map(int, args)), np.dtype(getattr(output_type, "name", output_type))
        return _counted(len(numbers), lambda i: np.asarray(numbers[i], dtype), TensorSpec((), dtype), "range")

    @staticmethod
    def counter(start: int = 0, step: int = 1, dtype: Any = "int64", name: str | None = None) -> "Dataset":
        """An infinite sequence of numbers starting at `start`, with increment `step`."""
        kind = np.dtype(getattr(dtype, "name", dtype))
        made = _counted(_MANY, lambda i: np.asarray(start + i * step, kind), TensorSpec((), kind), "counter")
        made._size = lambda: INFINITE_CARDINALITY
        return made

    @staticmethod
    def random(
        seed: int | None = None, rerandomize_each_iteration: bool | None = None, name: str | None = None
    ) -> "Dataset":
        """An infinite sequence of random integers below 2**31, which fit in 32 bits; TensorFlow's are below 2**32.

        Args:
            seed: seed of the sequence; None uses the global seed.
            rerandomize_each_iteration: whether each pass has different numbers. Defaults to False.
            name: an arbitrary name.
        """
        entropy = _seed(seed)

        def open_pass(key: Key) -> Pass:
            key = key if rerandomize_each_iteration else ()
            return passes.Counted(_MANY, lambda i: np.asarray(passes.generator(entropy(), (*key, i)).integers(2**31)))

        return Dataset(open_pass, lambda: INFINITE_CARDINALITY, TensorSpec((), "int64"), ("random",))

    @staticmethod
    def load(
        path: Any, element_spec: object = None, compression: str | None = None, reader_func: AnyFunction | None = None
    ) -> "Dataset":
        """A dataset saved by `save`.

        Args:
            path: its directory.
            element_spec, compression: accepted for compatibility; the files contain them.
            reader_func: function from a dataset of datasets, one per file, to the dataset; None concatenates the files.
        """
        records = Records(Path(path) / _ELEMENTS)
        stored = _counted(
            len(records), records.__getitem__, lambda: map_leaves(spec_of, records[0]), f"load({os.fspath(path)})"
        )
        return stored if reader_func is None else reader_func(Dataset.from_tensors(0).map(lambda _: stored))

    @staticmethod
    def zip(*args: object, datasets: object = None, name: str | None = None) -> "Dataset":
        """Elements of several datasets combined, until one of them ends.

        Args:
            *args: datasets, or one structure (tuple or dictionary) of datasets.
            datasets: such a structure, as a keyword.
            name: an arbitrary name.
        """
        structure = datasets if datasets is not None else args[0] if len(args) == 1 else args
        structure = tuple(structure) if isinstance(structure, list) else structure
        sources = list(leaves(structure))
        odd = [source for source in sources if not isinstance(source, Dataset)]
        if odd or not sources:
            raise TypeError(f"Dataset.zip: expected datasets. Received: {odd or structure!r}.")
        again = [
            (n,) if (n := sources[:i].count(source)) else () for i, source in enumerate(sources)
        ]  # each has its own order
        places = numbered(structure)
        return Dataset(
            lambda key: passes.Zip(
                places, [source._open((*key, *n)) for source, n in zip(sources, again, strict=True)]
            ),
            lambda: _shortest([source._size() for source in sources]),
            lambda: map_leaves(lambda source: source.element_spec, structure),
            (f"zip({_chains(*sources)})",),
        )

    # ------------------------------------------------------------ steps

    def map(
        self,
        map_func: AnyFunction,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Apply a function to each element.

        Args:
            map_func: function of an element, a tuple spread over its arguments, that returns the new element.
            num_parallel_calls: number of threads that process elements; `AUTOTUNE` for as many as there are processors,
                or none if they turn out not to pay off; None for none. They pay off if the function waits, or spends
                its time in long operations of NumPy, Pillow or JAX; in short ones threads delay one another.
            deterministic: False allows a different order, which is not used: the order is always preserved.
            name: an arbitrary name.
        """
        step = f"map({_name_of(map_func)})"
        function = self._calling(map_func, step)

        def spec_after(spec: object) -> Spec:
            seen, mapped = self._seen(), function(()).mapped
            return opened_where(spec, seen, [mapped(element, i) for i, element in enumerate(seen)])

        if num_parallel_calls is None:
            return self._then(step, lambda key: passes.Map(self._open(key), function(key)), spec=spec_after)
        threads = _positive_or_auto(num_parallel_calls, "num_parallel_calls", "Dataset.map")
        return self._then(step, lambda key: ParallelMap(self._open(key), function(key), threads), spec=spec_after)

    def _mapped_to(self, spec: object, map_func: AnyFunction) -> "Dataset":
        """`map` with known element specs, so that no element needs to be computed to infer them."""
        function = self._calling(map_func, "map")
        return self._then("map", lambda key: passes.Map(self._open(key), function(key)), spec=lambda _: spec)

    def filter(self, predicate: AnyFunction, name: str | None = None) -> "Dataset":
        """The elements for which a function is true."""
        step = f"filter({_name_of(predicate)})"
        function = self._calling(predicate, step)
        return self._then(
            step, lambda key: passes.Filter(self._open(key), function(key)), size=lambda _: UNKNOWN_CARDINALITY
        )

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Stack each `batch_size` elements, which must have the same shape, along a new first axis.

        Args:
            batch_size: number of elements in a batch.
            drop_remainder: whether to drop an incomplete last batch. Defaults to False.
            num_parallel_calls, deterministic: accepted for compatibility; stacking uses no threads.
            name: an arbitrary name.
        """
        size = validate.positive_int(int(batch_size), "batch_size", "Dataset.batch")
        owner = self._named(f"batch({size})")
        stack = (lambda elements: stacked(elements, owner)) if self._rows is None else self._rows.gathered(owner)
        made = self._then(
            f"batch({size})",
            lambda key: passes.Batch(self._source(key), size, drop_remainder, stack),
            size=lambda n: _batches(n, size, drop_remainder),
            spec=lambda spec: with_leading(spec, size if drop_remainder else None),
        )
        made._batch_size = size
        return made

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Shuffle the elements: each is drawn from a buffer, in which the next one replaces it.

        Args:
            buffer_size: size of the buffer; all orders are equally likely if it is at least the number of elements.
            seed: seed of the order; None uses the global seed.
            reshuffle_each_iteration: whether each pass has a different order. Defaults to True.
            name: an arbitrary name.
        """
        size = validate.positive_int(int(buffer_size), "buffer_size", "Dataset.shuffle")
        again = reshuffle_each_iteration is not False
        entropy = _seed(seed)

        def open_pass(key: Key) -> Pass:
            return Shuffle(self._source(key), size, entropy(), key if again else ())

        return self._then(f"shuffle({size})", open_pass, rows=self._rows)

    def repeat(self, count: int | None = None, name: str | None = None) -> "Dataset":
        """Iterate over the elements `count` times; None or -1 means forever."""
        rounds = None if count is None or int(count) < 0 else int(count)

        def size(n: int) -> int:
            if n == 0 or rounds == 0:
                return 0
            return INFINITE_CARDINALITY if rounds is None else n * rounds if n > 0 else n

        def open_pass(key: Key) -> Pass:
            return passes.Repeat(lambda number: self._source((*key, number)), rounds)

        return self._then("repeat", open_pass, size, rows=self._rows)

    def take(self, count: int, name: str | None = None) -> "Dataset":
        """The first `count` elements; -1 for all."""
        count = int(count)
        if count < 0:
            return self
        return self._then(
            f"take({count})", lambda key: passes.Take(self._source(key), count),
            size=lambda n: n if n == UNKNOWN_CARDINALITY else count if n < 0 else min(n, count), rows=self._rows,
        )  # fmt: skip

    def skip(self, count: int, name: str | None = None) -> "Dataset":
        """All except the first `count` elements; -1 for none."""
        count = int(count)
        return self._then(
            f"skip({count})", lambda key: passes.Skip(self._source(key), None if count < 0 else count),
            size=lambda n: 0 if count < 0 else n if n < 0 else max(0, n - count), rows=self._rows,
        )  # fmt: skip

    def prefetch(self, buffer_size: int, name: str | None = None) -> "Dataset":
        """Prefetch up to `buffer_size` elements in a thread; `AUTOTUNE` means two."""
        size = _positive_or_auto(buffer_size, "buffer_size", "Dataset.prefetch")
        return self._then("prefetch", lambda key: Ahead(self._open(key), 2 if size == AUTOTUNE else size))

    def cache(self, filename: str | os.PathLike[str] = "", name: str | None = None) -> "Dataset":
        """Cache the elements.

        Args:
            filename: NumPy data file that keeps the elements between runs of the program; it is complete once all
                elements were read. None or "" caches them in memory, in read-only arrays.
            name: an arbitrary name.
        """
        store = Store(self._open, Path(filename) if filename else None)
        return self._then("cache", lambda key: Cached(store, key))

    def enumerate(self, start: int = 0, name: str | None = None) -> "Dataset":
        """Pairs of a number, counted from `start`, and an element."""
        numbers = _counted(_MANY, lambda i: np.asarray(start + i, np.int64), TensorSpec((), "int64"), "numbers")
        numbers._size = lambda: INFINITE_CARDINALITY
        return Dataset.zip(numbers, self)

    def shard(self, num_shards: int, index: int, name: str | None = None) -> "Dataset":
        """Every `num_shards`-th element, starting at element `index`."""
        shards, number = validate.positive_int(num_shards, "num_shards", "Dataset.shard"), int(index)
        if not 0 <= number < shards:
            raise ValueError(
                f"Dataset.shard: index must be from 0 to {shards - 1}. Received: index={validate.shown(index)}."
            )
        return self._then(
            f"shard({shards}, {number})", lambda key: passes.Shard(self._source(key), shards, number),
            size=lambda n: n if n < 0 else (n - number + shards - 1) // shards, rows=self._rows,
        )  # fmt: skip

    def take_while(self, predicate: AnyFunction, name: str | None = None) -> "Dataset":
        """The elements before the first for which a function is false."""
        step = f"take_while({_name_of(predicate)})"
        function = self._calling(predicate, step)
        return self._then(
            step, lambda key: passes.TakeWhile(self._open(key), function(key)), size=lambda _: UNKNOWN_CARDINALITY
        )

    def unique(self, name: str | None = None) -> "Dataset":
        """The elements that did not occur before; each must be a single array."""
        return self._then("unique", lambda key: passes.Unique(self._open(key)), size=lambda _: UNKNOWN_CARDINALITY)

    def scan(self, initial_state: object, scan_func: AnyFunction, name: str | None = None) -> "Dataset":
        """Apply a function to each element and a state that it updates.

        Args:
            initial_state: the initial state.
            scan_func: function from the state and an element to the new state and an output element.
            name: an arbitrary name.
        """
        step, kept = f"scan({_name_of(scan_func)})", as_element(initial_state)
        function = self._calling(scan_func, step)
        return self._then(step, lambda key: passes.Scan(self._open(key), function(key), kept), spec=None)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: object = None,
        padding_values: object = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> "Dataset":
        """Stack each `batch_size` elements, padded at their ends to the same shape.

        Args:
            batch_size: number of elements in a batch.
            padded_shapes: shapes in the structure of an element; None or -1, as a size or instead of a shape, means the
                size of the longest element in the batch.
            padding_values: padding values, in that structure or one for all; None for zeros and empty strings.
            drop_remainder: whether to drop an incomplete last batch. Defaults to False.
            name: an arbitrary name.
        """
        size = validate.positive_int(int(batch_size), "batch_size", "Dataset.padded_batch")
        owner = self._named(f"padded_batch({size})")
        return self._then(
            f"padded_batch({size})",
            lambda key: passes.Batch(
                self._open(key),
                size,
                drop_remainder,
                lambda elements: padded(elements, padded_shapes, padding_values, owner),
            ),
            size=lambda n: _batches(n, size, drop_remainder),
            spec=lambda spec: padded_spec(spec, padded_shapes, size if drop_remainder else None),
        )

    def bucket_by_sequence_length(
        self,
        element_length_func: AnyFunction,
        bucket_boundaries: Sequence[int],
        bucket_batch_sizes: Sequence[int],
        padded_shapes: object = None,
        padding_values: object = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> "Dataset":
        """Batch elements of similar length together.

        Args:
            element_length_func: function from an element to its length.
            bucket_boundaries: increasing lengths; a bucket contains lengths below its boundary, and the last one all
            others.
            bucket_batch_sizes: batch size for each bucket, one more than there are boundaries.
            padded_shapes, padding_values: as in `padded_batch`.
            pad_to_bucket_boundary: whether to pad open sizes to one less than the boundary, rather than to the longest
                element; each element must then be shorter than the last boundary. Defaults to False.
            no_padding: whether to stack the elements of a bucket without padding. Defaults to False.
            drop_remainder: whether to drop incomplete batches at the end. Defaults to False.
            name: an arbitrary name.
        """
        boundaries, sizes = list(map(int, bucket_boundaries)), list(map(int, bucket_batch_sizes))
        if len(sizes) != len(boundaries) + 1 or sorted(set(boundaries)) != boundaries:
            raise ValueError(
                "Dataset.bucket_by_sequence_length: bucket_boundaries must be increasing, with one more number in "
                f"bucket_batch_sizes. Received: {boundaries} and {sizes}."
            )
        owner = self._named("bucket_by_sequence_length")
        measure = self._calling(element_length_func, "bucket_by_sequence_length")(())
        spec = functools.cache(lambda: self.element_spec)

        def bucket_of(element: Element, index: int) -> int:
            length = int(measure(element, index))
            if pad_to_bucket_boundary and length >= boundaries[-1]:
                raise DataError(f"{owner}: element {index} has the length {length}; the last bucket ends below that.")
            return bisect.bisect_right(boundaries, length)

        def batch(elements: list[Element], bucket: int) -> Element:
            if no_padding:
                return stacked(elements, owner)
            shapes = padded_shapes
            if pad_to_bucket_boundary:
                shapes = filled_shapes(elements[0], spec(), padded_shapes, boundaries[bucket] - 1)
            return padded(elements, shapes, padding_values, owner)

        return self._then(
            "bucket_by_sequence_length",
            lambda key: Buckets(self._open(key), bucket_of, sizes.__getitem__, batch, drop_remainder),
            size=lambda _: UNKNOWN_CARDINALITY,
            spec=lambda spec: with_leading(spec, None) if no_padding else padded_spec(spec, padded_shapes, None),
        )  # fmt: skip

    def group_by_window(
        self,
        key_func: AnyFunction,
        reduce_func: AnyFunction,
        window_size: int | None = None,
        window_size_func: AnyFunction | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """The elements of the datasets that a function creates from windows of elements with the same key.

        Args:
            key_func: function from an element to its key, an integer.
            reduce_func: function from a key and a dataset of elements with that key to a dataset.
            window_size: number of elements of a key passed to `reduce_func` together; fewer at the end.
            window_size_func: function from a key to that number, as an alternative.
            name: an arbitrary name.

        Example:

            numbers = cornu.data.Dataset.range(6)
            for batch in numbers.group_by_window(lambda x: x % 2, lambda key, found: found.batch(3), window_size=3):
                print(batch)  # [0 2 4], then [1 3 5]
        """
        if (window_size is None) == (window_size_func is None):
            raise ValueError("Dataset.group_by_window: give either window_size or window_size_func.")
        step = f"group_by_window({_name_of(key_func)})"
        key_of, reduced = self._calling(key_func, step), self._calling(reduce_func, step)

        def size_of(kind: int) -> int:
            size = window_size if window_size_func is None else window_size_func(np.asarray(kind))
            return validate.positive_int(int(np.asarray(as_array(size))), "window_size", "Dataset.group_by_window")

        def kind_of(key: Key) -> Callable[[Element, int], int]:
            return lambda element, number: int(key_of(key).mapped(element, number))

        def windows(key: Key) -> Pass:
            return Buckets(self._open(key), kind_of(key), size_of, lambda found, kind: (np.asarray(kind), found), False)

        def made(window: tuple[Element, ...], number: int, key: Key) -> "Dataset":
            kind, found = window
            held = _counted(len(found), found.__getitem__, self.element_spec, "window")
            return _opened_by(reduced(key), (kind, held), number, self._named(step))

        def spec(_: object) -> Any:
            first = self._seen()[0]
            return made((np.asarray(kind_of(())(first, 0)), [first]), 0, ()).element_spec

        return self._then(
            step,
            lambda key: Interleave(windows(key), lambda w, n: made(w, n, key)._open((*key, n)), 1, 1),
            size=lambda _: UNKNOWN_CARDINALITY,
            spec=spec,
        )

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> "Dataset":
        """Skip elements for which the preceding functions fail.

        Args:
            log_warning: accepted for compatibility.
            name: an arbitrary name.
        """
        return self._then(
            "ignore_errors", lambda key: passes.Faultless(self._open(key)), lambda _: UNKNOWN_CARDINALITY, None
        )

    def rejection_resample(
        self,
        class_func: AnyFunction,
        target_dist: Sequence[float],
        initial_dist: Sequence[float] | None = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Pairs of a class and an element, some of them skipped to obtain a target distribution of classes.

        Args:
            class_func: function from an element to its class, a number from 0.
            target_dist: target probability of each class.
            initial_dist: actual probability of each class; None estimates it on the fly.
            seed: seed of the selection; None uses the global seed.
            name: an arbitrary name.
        """
        wanted = np.asarray(target_dist, "float64")
        known = None if initial_dist is None else np.asarray(initial_dist, "float64")
        step, entropy = f"rejection_resample({_name_of(class_func)})", _seed(seed)
        function = self._calling(class_func, step)
        return self._then(
            step,
            lambda key: passes.Resampled(self._open(key), function(key), wanted, known, entropy(), key),
            size=lambda _: UNKNOWN_CARDINALITY,
            spec=lambda spec: (TensorSpec((), "int32"), spec),
        )

    def save(
        self,
        path: Any,
        compression: str | None = None,
        shard_func: AnyFunction | None = None,
        checkpoint_args: object = None,
    ) -> None:
        """Save all elements to a directory, for `load`.

        Args:
            path: the directory; elements saved in it before are replaced.
            compression, shard_func, checkpoint_args: accepted for compatibility; there is always one file.
        """
        if self._size() == INFINITE_CARDINALITY:
            raise ValueError(f"{self!r}: an infinite dataset cannot be saved. Use take(n) first.")
        place = Path(path) / _ELEMENTS
        with tempfile.TemporaryDirectory(dir=_made_folder(place.parent)) as folder:
            records = Records(Path(folder) / _ELEMENTS)
            for element in self._arrays():
                records.append(element)
            records.finish()
            os.replace(records.path, place)

    def snapshot(
        self,
        path: Any,
        compression: str | None = "AUTO",
        reader_func: AnyFunction | None = None,
        shard_func: AnyFunction | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Cache the elements in a directory; like `cache` with a file.

        Args:
            path: the directory.
            compression, reader_func, shard_func: accepted for compatibility; there is always one file.
            name: an arbitrary name.
        """
        return self.cache(_made_folder(Path(path)) / _ELEMENTS)

    def unbatch(self, name: str | None = None) -> "Dataset":
        """The rows of each element, as separate elements."""

        def rows_of(element: Element, _: int) -> Pass:
            return passes.Counted(
                min(map(len, leaves(element))), lambda i: map_leaves(lambda leaf: leaf[i, ...], element)
            )

        return self._then(
            "unbatch", lambda key: Interleave(self._open(key), rows_of, 1, 1), size=self._number_of_rows,
            spec=without_leading,
        )  # fmt: skip

    def _number_of_rows(self, count: int) -> int:
        """The total number of rows, if all elements are known to have the same number."""
        known = () if (spec := self._known_spec()) is None else leaves(spec)
        sizes = {one.shape[0] if getattr(one, "shape", None) else None for one in known}
        size = sizes.pop() if len(sizes) == 1 else None
        if size is None:
            return UNKNOWN_CARDINALITY if count else 0
        return count * size if count > 0 else count

    def rebatch(self, batch_size: int, drop_remainder: bool = False, name: str | None = None) -> "Dataset":
        """The rows of batches, rebatched to another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> "Dataset":
        """Datasets of adjacent elements, for `flat_map`.

        Args:
            size: number of elements in a window.
            shift: distance between the starts of successive windows; None uses `size`.
            stride: distance between the elements of a window. Defaults to 1.
            drop_remainder: whether to drop incomplete windows at the end. Defaults to False.
            name: an arbitrary name.

        Example:

            windows = cornu.data.Dataset.range(4).window(3, shift=1, drop_remainder=True)
            for window in windows.flat_map(lambda window: window.batch(3)):
                print(window)  # [0 1 2], then [1 2 3]
        """
        size = validate.positive_int(int(size), "size", "Dataset.window")
        shift = validate.positive_int(size if shift is None else int(shift), "shift", "Dataset.window")
        stride = validate.positive_int(int(stride), "stride", "Dataset.window")
        return self._then(
            f"window({size})", lambda key: Window(self._open(key), size, shift, stride, drop_remainder, _parts),
            size=lambda n: n if n < 0 else _windows(n, size, shift, stride, drop_remainder),
            spec=None,
        )  # fmt: skip

    def flat_map(self, map_func: AnyFunction, name: str | None = None) -> "Dataset":
        """The elements of the datasets that a function creates from elements, concatenated."""
        return self._interleaved(f"flat_map({_name_of(map_func)})", map_func, 1, 1)

    def interleave(
        self,
        map_func: AnyFunction,
        cycle_length: int | None = None,
        block_length: int | None = None,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """The elements of the datasets that a function creates from elements, interleaved.

        Args:
            map_func: function from an element to a dataset.
            cycle_length: number of datasets to interleave; None or `AUTOTUNE` for as many as there are processors.
            block_length: number of consecutive elements from each. Defaults to 1.
            num_parallel_calls: accepted for compatibility; datasets are read sequentially. Use threads in a `map`
            afterwards.
            deterministic: accepted for compatibility; the order is always preserved.
            name: an arbitrary name.
        """
        owner = "Dataset.interleave"
        cycle = _positive_or_auto(AUTOTUNE if cycle_length is None else cycle_length, "cycle_length", owner)
        block = validate.positive_int(1 if block_length is None else int(block_length), "block_length", owner)
        cycle = (os.cpu_count() or 1) if cycle == AUTOTUNE else cycle
        return self._interleaved(f"interleave({_name_of(map_func)})", map_func, cycle, block)

    def _interleaved(self, step: str, map_func: AnyFunction, cycle: int, block: int) -> "Dataset":
        function = self._calling(map_func, step)

        def open_pass(key: Key) -> Pass:
            def open_inner(element: Element, number: int) -> Pass:
                return made(element, number, key)._open((*key, number))

            return Interleave(self._open(key), open_inner, cycle, block)

        def made(element: Element, number: int, key: Key) -> Dataset:
            return _opened_by(function(key), element, number, self._named(step))

        def spec(_: object) -> Spec:
            for number, seen in enumerate(self._seen()):
                with suppress(_NoElementError):
                    return made(seen, number, ()).element_spec
            raise _NoElementError(self)

        return self._then(step, open_pass, size=lambda _: UNKNOWN_CARDINALITY, spec=spec)

    def concatenate(self, dataset: "Dataset", name: str | None = None) -> "Dataset":
        """These elements, followed by those of another dataset."""

        def size(n: int) -> int:
            sizes = n, dataset._size()
            return (
                INFINITE_CARDINALITY
                if INFINITE_CARDINALITY in sizes
                else UNKNOWN_CARDINALITY
                if min(sizes) < 0
                else sum(sizes)
            )

        _require_alike([self, dataset], "Dataset.concatenate")
        return self._then(
            f"concatenate({_chains(dataset)})",
            lambda key: passes.Concatenate(self._open(key), dataset._open(key)), size,
            lambda spec: agreed([spec, dataset.element_spec]),
        )  # fmt: skip

    @staticmethod
    def choose_from_datasets(
        datasets: Sequence["Dataset"], choice_dataset: "Dataset", stop_on_empty_dataset: bool = True
    ) -> "Dataset":
        """Elements of the datasets whose indices another dataset yields.

        Args:
            datasets: list of datasets.
            choice_dataset: dataset of indices.
            stop_on_empty_dataset: whether to stop when the first dataset has ended; otherwise it is skipped.
        """
        _require_alike(datasets, "Dataset.choose_from_datasets")
        return Dataset(
            lambda key: passes.Choose(
                choice_dataset._open(key), [source._open(key) for source in datasets], stop_on_empty_dataset
            ),
            lambda: UNKNOWN_CARDINALITY,
            lambda: agreed([source.element_spec for source in datasets]),
            (f"choose_from_datasets({_chains(*datasets)})",),
        )

    @staticmethod
    def sample_from_datasets(
        datasets: Sequence["Dataset"],
        weights: Sequence[float] | None = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> "Dataset":
        """Elements drawn at random from datasets.

        Args:
            datasets: list of datasets.
            weights: probability of each one; None for equal probabilities.
            seed: seed of the choices; None uses the global seed.
            stop_on_empty_dataset: whether to stop when the first dataset has ended; otherwise it is skipped.
            rerandomize_each_iteration: whether each pass makes different choices. Defaults to True.
        """
        chances = np.full(len(datasets), 1.0) if weights is None else np.asarray(weights, "float64")
        if chances.shape != (len(datasets),) or chances.min() < 0 or not chances.sum():
            raise ValueError(
                f"Dataset.sample_from_datasets: there must be a non-negative weight for each of {len(datasets)} "
                f"datasets. Received: weights={validate.shown(weights)}."
            )
        again, entropy = rerandomize_each_iteration is not False, _seed(seed)
        # A dataset that is never drawn never ends.
        likely = [source for source, chance in zip(datasets, chances, strict=True) if chance]
        choice = Dataset(
            lambda key: passes.Drawn(chances[chances > 0] / chances.sum(), entropy(), key if again else ()),
            lambda: INFINITE_CARDINALITY, TensorSpec((), "int64"), ("drawn",),
        )  # fmt: skip
        return Dataset.choose_from_datasets(likely, choice, stop_on_empty_dataset)

    @staticmethod
    def list_files(
        file_pattern: object, shuffle: bool | None = None, seed: int | None = None, name: str | None = None
    ) -> "Dataset":
        """The names of the files that match a pattern.

        Args:
            file_pattern: pattern with "*", "?" and "**", or a list of patterns.
            shuffle: whether to shuffle the names in each pass; otherwise they are sorted. Defaults to True.
            seed: seed of the order; None uses the global seed.
            name: an arbitrary name.
        """
        patterns = [as_array(pattern).item() for pattern in np.ravel(np.asarray(file_pattern, object))]
        texts = [pattern.decode() if isinstance(pattern, bytes) else pattern for pattern in patterns]
        files = sorted({file for text in texts for file in glob.glob(text, recursive=True)})
        if not files:
            raise ValueError(f"Dataset.list_files: there is no file that matches {', '.join(texts)}.")
        dataset = Dataset.from_tensor_slices(np.array(files))
        return dataset if shuffle is False else dataset.shuffle(len(files), seed)

    def apply(self, transformation_func: Callable[["Dataset"], "Dataset"]) -> "Dataset":
        """The result of a function of this dataset."""
        made = transformation_func(self)
        if not isinstance(made, Dataset):
            raise TypeError(f"Dataset.apply: the function must return a Dataset. Received: {type(made).__name__}.")
        return made

    def options(self) -> Options:
        """The options set with `with_options`."""
        return self._options

    def with_options(self, options: Options, name: str | None = None) -> "Dataset":
        """This dataset with options attached; see `Options` for their meaning."""
        made = self._then("with_options", self._source, rows=self._rows)
        made._options = options
        return made

    # ------------------------------------------------------------ properties and iteration

    def reduce(self, initial_state: object, reduce_func: AnyFunction, name: str | None = None) -> Element:
        """Reduce the elements to a single value with a function.

        Args:
            initial_state: the initial value.
            reduce_func: function from the value and an element to the new value.
            name: an arbitrary name.
        """
        state = as_element(initial_state)
        function = self._calling(reduce_func, f"reduce({_name_of(reduce_func)})")(())
        for index, element in enumerate(self._arrays()):
            state = function.mapped((state, element), index)
        return handed_out(state)

    def get_single_element(self, name: str | None = None) -> Element:
        """The only element; raises ValueError unless there is exactly one."""
        found = list(self.take(2))
        if len(found) != 1:
            raise ValueError(f"{self!r}: expected one element. Received: {'none' if not found else 'more'}.")
        return found[0]

    def cardinality(self) -> DataArray:
        """The number of elements, `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY`."""
        return np.asarray(self._size(), np.int64).view(DataArray)

    def __len__(self) -> int:
        size = self._size()
        if size < 0:
            reason = "it is infinite" if size == INFINITE_CARDINALITY else "it is unknown until they are produced"
            raise TypeError(f"{self!r}: len() is not defined: {reason}.")
        return size

    def __bool__(self) -> bool:
        return True

    @property
    def element_spec(self) -> Spec:
        """`TensorSpec`s in the structure of an element.

        If the elements come from a user's function, the first four are computed to infer them.
        """
        spec = self._spec() if callable(self._spec) else self._spec
        return agreed([map_leaves(spec_of, seen) for seen in self._seen()]) if spec is None else spec

    def _seen(self) -> list[Element]:
        """The first elements, from which the specs are inferred."""
        if not _may_look.get():
            raise _NotKnownError
        seen = list(islice(self._open((0,)), _LOOKED_AT))
        if not seen:
            raise _NoElementError(self)
        return seen

    def _known_spec(self) -> Spec | None:
        """The specs, if they are known without computing an element."""
        token = _may_look.set(False)
        try:
            return self.element_spec
        except _NotKnownError:
            return None
        finally:
            _may_look.reset(token)

    def __iter__(self) -> "DatasetIterator":
        return DatasetIterator(self, handed_out)

    def as_numpy_iterator(self) -> "DatasetIterator":
        """An iterator over plain NumPy arrays, with scalars as numbers and bytes."""
        return DatasetIterator(self, plain)

    def _arrays(self) -> "DatasetIterator":
        """An iterator over the arrays inside the pipeline."""
        return DatasetIterator(self, lambda element: element)

    def __repr__(self) -> str:
        return f"<Dataset: {_chains(self)}>"

    def _named(self, step: str) -> str:
        """The name of a step after this one, for messages."""
        return f"Dataset.{step} (the last step of {' → '.join((*self._steps, step))})"

    def _calling(self, function: AnyFunction, step: str) -> Callable[[Key], passes.UserFunction]:
        """A factory, by the key of a pass, of a user's function as called by the next step."""
        owner, origin = self._named(step), _seed(None)
        return lambda key: passes.UserFunction(function, owner, origin, key)

    def _then(
        self,
        step: str,
        open_pass: Callable[[Key], Pass],
        size: Callable[[int], int] = lambda n: n,
        spec: Callable[[object], object] | None = lambda spec: spec,
        rows: "_Rows | None" = None,
    ) -> "Dataset":
        """This dataset with one more step.

        Args:
            step: name of the step.
            open_pass: function that opens a pass over it.
            size: its number of elements, given that of the preceding step.
            spec: its specs, given those of the preceding step; None infers them from its first element.
            rows: the arrays, if the pass yields row indices rather than elements.
        """
        made = Dataset(
            open_pass,
            lambda: size(self._size()),
            None if spec is None else lambda: spec(self.element_spec),
            (*self._steps, step),
            rows,
        )
        if hasattr(self, "class_names"):
            made.class_names = self.class_names
        return made

    def _of_size(self, size: int) -> "Dataset":
        return self._then(
            f"assert_cardinality({size})", lambda key: passes.Sized(self._open(key), size), size=lambda _: size
        )


class DatasetIterator:
    """One pass over a dataset, with a position that can be saved.

    Args:
        dataset: the dataset.
        present: conversion of each element before it is returned.

    Example:

        numbers = iter(cornu.data.Dataset.range(3))
        print(next(numbers), next(numbers))  # 0 1
    """

    def __init__(self, dataset: Dataset, present: Callable[[Element], Any]):
        self.dataset, self._present = dataset, present
        self._open(dataset._passes)

    def _open(self, number: int) -> None:
        self._number = number
        self.dataset._passes = number + 1
        self._pass = self.dataset._open((number,))

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        return self._present(next(self._pass))

    def get_next(self) -> Element:
        """The next element."""
        return next(self)

    next = get_next

    @property
    def element_spec(self) -> Spec:
        """`TensorSpec`s of the elements."""
        return self.dataset.element_spec

    def get_state(self) -> State:
        """The position in the pass, as a small JSON-compatible dictionary."""
        return {"pass": self._number, "steps": list(self.dataset._steps), "place": self._pass.get_state()}

    def set_state(self, state: Config) -> None:
        """Continue from the state of an iterator; the passes after this one are those that followed it.

        Raises:
            ValueError: if the state belongs to a dataset with different steps.
        """
        if state["steps"] != list(self.dataset._steps):
            raise ValueError(
                f"set_state: the state belongs to a dataset with different steps: {' → '.join(state['steps'])}. "
                f"This one: {_chains(self.dataset)}."
            )
        self._open(state["pass"])
        self._pass.set_state(state["place"])


def passes_kept(*data: object) -> Callable[[], None]:
    """A function that resets each of the datasets in `data` to the current number of its next pass."""
    numbers = [(one, one._passes) for one in data if isinstance(one, Dataset)]

    def put_back() -> None:
        for dataset, number in numbers:
            dataset._passes = number

    return put_back


# ---------------------------------------------------------------- helpers

_LOOKED_AT = 4  # elements that tell what all are like
_may_look: ContextVar[bool] = ContextVar("cornu_data_may_look", default=True)


class _NotKnownError(Exception):
    """Elements would have to be made to tell what they are like."""


class _NoElementError(ValueError):
    def __init__(self, dataset: Dataset):
        super().__init__(f"{dataset!r}: there is no element to tell the shapes from.")


def _require_alike(datasets: Sequence[Dataset], owner: str) -> None:
    """Refuse datasets whose elements are known to be of other structures or other kinds of numbers."""
    known = [spec for source in datasets if (spec := source._known_spec()) is not None]
    kinds = [map_leaves(lambda one: getattr(one, "dtype", TEXT).kind, spec) for spec in known]
    if any(kind != kinds[0] for kind in kinds):
        raise TypeError(
            f"{owner}: the elements of all datasets must have one structure and one kind of numbers. Received: "
            f"{', '.join(map(str, known))}. Bring them to one by map."
        )


class _Rows:
    """Arrays whose rows are elements.

    Steps that do not inspect elements, such as `shuffle` and `take`, work on row indices, and a batch is gathered at
    once: a third of the work of slicing every row and stacking them again.
    """

    def __init__(self, arrays: object):
        self.arrays = arrays
        self.row = _row_of(arrays)  # one element, given its index

    def gathered(self, owner: str) -> Callable[[list[int]], Element]:
        """A function that gathers a batch of indices; `owner` is the caller, for messages."""
        if any(isinstance(leaf, list) for leaf in leaves(self.arrays)):  # of different shapes
            return lambda places: stacked([self.row(place) for place in places], owner)
        return lambda places: map_leaves(lambda rows: rows[places], self.arrays)


def _opened_by(function: passes.UserFunction, element: Element, number: int, owner: str) -> Dataset:
    """The dataset that a user's function creates from an element."""
    with _own_numbers():
        inner = function(element, number)
    if not isinstance(inner, Dataset):
        raise TypeError(f"{owner}: the function must return a Dataset. Received: {type(inner).__name__}.")
    return inner


def _made_folder(path: Path) -> Path:
    """A directory, created if needed."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def _counted(size: int, element_at: Callable[[int], Element], spec: object, step: str) -> Dataset:
    return Dataset(lambda key: passes.Counted(size, element_at), lambda: size, spec, (step,))


def _rows(value: object) -> Element:
    """A function from an index to a row: of a read-only array, a list of arrays, or a sequence that is a tensor of its
    own kind."""
    if isinstance(value, Sequence) and hasattr(type(value), "element_spec"):
        return value
    if isinstance(value, (list, tuple)) and len(set(map(_shape, value))) > 1:
        return [as_array(row) for row in value]
    rows = as_array(value)
    if rows.ndim == 0:
        raise ValueError(
            f"Dataset.from_tensor_slices: an array needs at least one axis. Received: {validate.shown(value)}."
        )
    return read_only(rows)


def _shape(row: object) -> tuple[int, ...]:
    """The shape of one row; numbers and text, of which lists may contain many, are not converted to arrays for it."""
    return () if isinstance(row, (bool, int, float, str, bytes)) else np.shape(as_array(row))


def _row_of(arrays: Nested) -> Callable[[int], Element]:
    """A function from an index to a row of each array, without traversing the structure each time."""
    if isinstance(arrays, np.ndarray) and arrays.ndim > 1:
        return arrays.__getitem__
    if type(arrays) is tuple:
        parts = [_row_of(part) for part in arrays]
        return lambda number: tuple([part(number) for part in parts])
    if isinstance(arrays, Mapping):
        named = [(key, _row_of(part)) for key, part in arrays.items()]
        return lambda number: {key: part(number) for key, part in named}
    return lambda number: map_leaves(lambda rows: _row(rows, number), arrays)


def _row(rows: Any, number: int) -> Any:
    return rows[number, ...] if isinstance(rows, np.ndarray) else as_array(rows[number])


def _spec_of_rows(rows: Nested) -> TensorSpec:
    if isinstance(rows, list):
        return functools.reduce(common, map(spec_of, rows))
    if isinstance(rows, Sequence):
        return without_leading(rows.element_spec)  # type: ignore[attr-defined]
    return TensorSpec(rows.shape[1:], rows.dtype)


def _parts(elements: list[Element]) -> Element:
    """A dataset of a window, or of each array of its elements."""

    def part(*arrays: object) -> Dataset:
        return _counted(len(arrays), arrays.__getitem__, functools.reduce(common, map(spec_of, arrays)), "window")

    return map_leaves(part, *elements)


def _batches(count: int, size: int, drop_remainder: bool) -> int:
    return count if count < 0 else count // size if drop_remainder else -(-count // size)


def _windows(count: int, size: int, shift: int, stride: int, drop_remainder: bool) -> int:
    last = count - ((size - 1) * stride if drop_remainder else 0)
    return max(0, -(-last // shift))


def _shortest(sizes: Sequence[int]) -> int:
    finite = [size for size in sizes if size != INFINITE_CARDINALITY]
    return min(finite) if finite else INFINITE_CARDINALITY


def _signature(types: Any, shapes: Any, signature: object) -> Spec:
    """The declared output of a generator; None if nothing was declared."""
    if signature is not None:
        if types is not None or shapes is not None:
            raise ValueError(
                "Dataset.from_generator: output_types and output_shapes must not be given together with "
                "output_signature."
            )
        return map_leaves(lambda spec: TensorSpec(spec.shape, spec.dtype), _tupled(signature))
    if types is None:
        return None
    if shapes is None:
        return map_leaves(lambda dtype: TensorSpec(None, dtype), types)
    if isinstance(types, (tuple, Mapping)):
        parts = types if isinstance(types, Mapping) else dict(enumerate(types))
        made = {key: _signature(part, shapes[key], None) for key, part in parts.items()}
        return made if isinstance(types, Mapping) else tuple(made.values())
    return TensorSpec(shapes, types)


def _tupled(value: object) -> object:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _checked(spec: object, item: object, owner: str) -> Element:
    """An item of a generator, checked against the declaration."""
    item = tuple(item) if isinstance(spec, tuple) and isinstance(item, list) else item
    if not same_structure(spec, item):
        raise TypeError(f"{owner}: expected an element of the structure {spec}. Received: {border.shortened(item)}.")
    return map_leaves(lambda one, value: one.read(value, owner), spec, item)


def _chains(*datasets: Dataset) -> str:
    """The steps of datasets, for a message."""
    return ", ".join(" → ".join(dataset._steps) for dataset in datasets)


def _name_of(function: AnyFunction) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _positive_or_auto(value: int, name: str, owner: str) -> int:
    return AUTOTUNE if value == AUTOTUNE else validate.positive_int(int(value), name, owner)


_numbers: ContextVar[Iterator[int] | None] = ContextVar("cornu_data_numbers", default=None)


def _seed(seed: int | None) -> Callable[[], tuple[int, ...]]:
    """The source of an order: the given seed, or the global one and the number of its use."""
    if seed is not None:
        return lambda: (int(seed) % 2**64,)
    numbers = _numbers.get()
    use = number_of_use() if numbers is None else next(numbers)
    return lambda: (global_seed(), use)


@contextmanager
def _own_numbers() -> Iterator[None]:
    """Restart the numbering of uses of the global seed: for code run for one element, which has its own key."""
    token = _numbers.set(count())
    try:
        yield
    finally:
        _numbers.reset(token)
