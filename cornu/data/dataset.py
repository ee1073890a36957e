"""`Dataset`: what people know from `tf.data`, on NumPy and plain Python.

A data set is a chain of steps. A step knows how to open a pass over the steps before it (`passes.py`), how many
elements it has, and their shapes; nothing is computed before a pass is read. `iter(data)` opens the next pass, whose
iterator can be asked for its place, `get_state()`, and put there again in another process, `set_state(state)`: the rest
comes out the same, bit for bit.

Why not on grain, Google's loader for JAX: it brings seven packages (protobuf, array-record, etils and others) for what
is a few hundred lines here, and most of `tf.data`'s methods would still have to be written on top of it.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cornu import validate
from cornu.core import border
from cornu.data import passes
from cornu.data.cache import Cached, Store
from cornu.data.elements import (
    DataArray,
    Element,
    TensorSpec,
    as_array,
    as_element,
    common,
    handed_out,
    leaves,
    map_leaves,
    same_structure,
    spec_of,
    with_leading,
)
from cornu.data.passes import Key, Pass, State
from cornu.data.readers import Shuffle
from cornu.data.threads import AUTOTUNE, Ahead, ParallelMap, threads_for
from cornu.errors import DataError
from cornu.random import global_seed
from cornu.random.seed_generator import number_of_use

INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
_MANY = 2**62  # elements, where there is no end


class Dataset:
    """A sequence of elements, made step by step while it is read.

    An element is an array, or tuples and dictionaries of arrays. Make a data set with `from_tensor_slices`,
    `from_generator`, `range` and the like; each method gives a new one with one more step. A loop gives NumPy arrays
    with TensorFlow's method `numpy()`; functions given to `map` and its kin are called with plain NumPy arrays, a tuple
    spread over their arguments.

    What is random follows from the seed of the step, or else from `set_random_seed`, and from the number of the pass:
    each epoch has its own order, and each run of a program the same ones.

    Where a function fails, `cornu.errors.DataError` names the step and the element; its cause is the error.

    Example:

        x, y = np.arange(10.0), np.arange(10)
        data = cornu.data.Dataset.from_tensor_slices((x, y)).shuffle(10, seed=1).map(lambda x, y: (x / 10, y)).batch(4)
        for x, y in data:
            print(x.shape, y.numpy())
    """

    def __init__(self, open_pass: Callable[[Key], Pass], size: Callable[[], int], spec: Any, steps: tuple[str, ...]):
        self._open = open_pass
        self._size = size
        self._spec = spec
        self._steps = steps
        self._passes = 0

    # ------------------------------------------------------------ sources

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> "Dataset":
        """A data set of one element."""
        element = as_element(tensors)
        return _counted(1, lambda _: element, map_leaves(spec_of, element), "from_tensors")

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> "Dataset":
        """A data set of the rows of arrays.

        Args:
            tensors: an array, or tuples and dictionaries of arrays with as many rows each, at least one axis. A list of
                arrays of different shapes is one array whose rows differ. The arrays are not copied, and their rows
                cannot be written to.
            name: a name for the reader.
        """
        rows = map_leaves(_rows, tensors)
        sizes = {len(leaf) for leaf in leaves(rows)}
        if len(sizes) != 1:
            raise ValueError(
                f"Dataset.from_tensor_slices: all arrays must have the same number of rows. Received: {sorted(sizes)}."
            )
        return _counted(
            sizes.pop(), lambda i: map_leaves(lambda leaf: _row(leaf, i), rows), map_leaves(_spec_of_rows, rows),
            "from_tensor_slices",
        )  # fmt: skip

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Sequence | None = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> "Dataset":
        """A data set of what a generator function yields; it is called anew for each pass.

        A pass that is resumed calls it again and drops what it had yielded before.

        Args:
            generator: function that returns an iterable.
            output_types: dtypes, in the structure of an element; None leaves them as they come.
            output_shapes: shapes in the same structure, with None for sizes that differ.
            args: arguments of the function.
            output_signature: `TensorSpec`s in that structure, in the place of types and shapes.
            name: a name for the reader.

        Raises:
            ValueError, TypeError: when an element differs from what was declared.
        """
        if not callable(generator):
            raise TypeError(
                "Dataset.from_generator: generator must be a function that returns an iterable. Received: "
                f"{border.shortened(generator)}."
            )
        owner = f"Dataset.from_generator({_name_of(generator)})"
        spec = _signature(output_types, output_shapes, output_signature)
        inputs = tuple(as_element(argument) for argument in args or ())

        def read(item: Any) -> Element:
            return as_element(item) if spec is None else _checked(spec, item, owner)

        return Dataset(
            lambda key: passes.Generated(lambda: iter(generator(*inputs)), read, owner),
            lambda: UNKNOWN_CARDINALITY, spec, (owner.removeprefix("Dataset."),),
        )  # fmt: skip

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> "Dataset":
        """A data set of numbers, given as Python's `range` takes them."""
        numbers, dtype = range(*map(int, args)), np.dtype(getattr(output_type, "name", output_type))
        return _counted(len(numbers), lambda i: np.asarray(numbers[i], dtype), TensorSpec((), dtype), "range")

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> "Dataset":
        """Elements of several data sets side by side, as long as each has one.

        Args:
            *args: data sets, or one structure (tuple or dictionary) of data sets.
            datasets: such a structure, by name.
            name: a name for the reader.
        """
        structure = datasets if datasets is not None else args[0] if len(args) == 1 else args
        structure = tuple(structure) if isinstance(structure, list) else structure
        sources = list(leaves(structure))
        odd = [source for source in sources if not isinstance(source, Dataset)]
        if odd or not sources:
            raise TypeError(f"Dataset.zip: expected data sets. Received: {odd or structure!r}.")
        numbers = iter(range(len(sources)))
        numbered = map_leaves(lambda _: next(numbers), structure)
        return Dataset(
            lambda key: passes.Zip(numbered, [source._open(key) for source in sources]),
            lambda: _shortest([source._size() for source in sources]),
            lambda: map_leaves(lambda source: source.element_spec, structure),
            ("zip(" + ", ".join(" → ".join(source._steps) for source in sources) + ")",),
        )

    # ------------------------------------------------------------ steps

    def map(
        self,
        map_func: Callable,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Apply a function to each element.

        Args:
            map_func: function of an element, a tuple spread over its arguments, that returns the new element.
            num_parallel_calls: threads that work on elements at a time; `AUTOTUNE` for as many as there are processors,
                None for none. They pay where the function reads files or spends its time in NumPy, Pillow or JAX.
            deterministic: False allows another order, which is not made use of: the order is kept.
            name: a name for the reader.
        """
        step = f"map({_name_of(map_func)})"
        owner = self._named(step)
        if num_parallel_calls is None:
            return self._then(step, lambda source: passes.Map(source, map_func, owner), spec=None)
        threads = threads_for(_positive_or_auto(num_parallel_calls, "num_parallel_calls", "Dataset.map"))
        return self._then(step, lambda source: ParallelMap(source, map_func, owner, threads), spec=None)

    def filter(self, predicate: Callable, name: str | None = None) -> "Dataset":
        """The elements for which a function is true."""
        step = f"filter({_name_of(predicate)})"
        return self._then(
            step, lambda source: passes.Filter(source, predicate, self._named(step)), size=lambda _: UNKNOWN_CARDINALITY
        )

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Stack each `batch_size` elements, which must have one shape, along a new first axis.

        Args:
            batch_size: elements in a batch.
            drop_remainder: whether a last batch that is not full is left out.
            num_parallel_calls, deterministic: accepted for scripts; stacking takes no threads.
            name: a name for the reader.
        """
        size = validate.positive_int(int(batch_size), "batch_size", "Dataset.batch")
        owner = self._named(f"batch({size})")
        return self._then(
            f"batch({size})",
            lambda source: passes.Batch(source, size, drop_remainder, lambda rows: _stacked(rows, owner)),
            size=lambda n: n if n < 0 else n // size if drop_remainder else -(-n // size),
            spec=lambda spec: with_leading(spec, size if drop_remainder else None),
        )

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> "Dataset":
        """Give the elements in a random order: each is drawn from a buffer, where the next one takes its place.

        Args:
            buffer_size: elements in the buffer; as many as there are elements, or more, make all orders equally likely.
            seed: number that the order follows from; None takes the global seed.
            reshuffle_each_iteration: whether each pass has another order, True where it is not given.
            name: a name for the reader.
        """
        size = validate.positive_int(int(buffer_size), "buffer_size", "Dataset.shuffle")
        again = reshuffle_each_iteration is not False
        entropy = _seed(seed)

        def open_pass(key: Key) -> Pass:
            return Shuffle(self._open(key), size, entropy(), key if again else ())

        return Dataset(open_pass, self._size, self._spec, (*self._steps, f"shuffle({size})"))

    def repeat(self, count: int | None = None, name: str | None = None) -> "Dataset":
        """Go through the elements `count` times; None or -1 for ever."""
        rounds = None if count is None or int(count) < 0 else int(count)

        def size() -> int:
            n = self._size()
            return (
                0 if n == 0 or rounds == 0 else INFINITE_CARDINALITY if rounds is None else n * rounds if n > 0 else n
            )

        def open_pass(key: Key) -> Pass:
            return passes.Repeat(lambda number: self._open((*key, number)), rounds)

        return Dataset(open_pass, size, self._spec, (*self._steps, "repeat"))

    def take(self, count: int, name: str | None = None) -> "Dataset":
        """The first `count` elements; -1 for all."""
        count = int(count)
        if count < 0:
            return self
        return self._then(
            f"take({count})", lambda source: passes.Take(source, count),
            size=lambda n: n if n == UNKNOWN_CARDINALITY else count if n < 0 else min(n, count),
        )  # fmt: skip

    def skip(self, count: int, name: str | None = None) -> "Dataset":
        """All but the first `count` elements; -1 for none."""
        count = int(count)
        return self._then(
            f"skip({count})", lambda source: passes.Skip(source, None if count < 0 else count),
            size=lambda n: 0 if count < 0 else n if n < 0 else max(0, n - count),
        )  # fmt: skip

    def prefetch(self, buffer_size: int, name: str | None = None) -> "Dataset":
        """Make up to `buffer_size` elements ahead in a thread; `AUTOTUNE` makes two."""
        size = _positive_or_auto(buffer_size, "buffer_size", "Dataset.prefetch")
        return self._then("prefetch", lambda source: Ahead(source, 2 if size == AUTOTUNE else size))

    def cache(self, name: str | None = None) -> "Dataset":
        """Make each element once and keep it in memory; its arrays cannot be written to."""
        store = Store(self._open)
        return Dataset(lambda key: Cached(store, key), self._size, self._spec, (*self._steps, "cache"))

    def enumerate(self, start: int = 0, name: str | None = None) -> "Dataset":
        """Pairs of a number, counted from `start`, and an element."""
        numbers = _counted(_MANY, lambda i: np.asarray(start + i, np.int64), TensorSpec((), "int64"), "numbers")
        numbers._size = lambda: INFINITE_CARDINALITY
        return Dataset.zip(numbers, self)

    # ------------------------------------------------------------ what is known, and reading

    def cardinality(self) -> DataArray:
        """The number of elements; `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY` where there is none."""
        return np.asarray(self._size(), np.int64).view(DataArray)

    def __len__(self) -> int:
        size = self._size()
        if size < 0:
            reason = "it has no end" if size == INFINITE_CARDINALITY else "it is not known before they are made"
            raise TypeError(f"{self!r}: len() cannot tell the number of elements: {reason}.")
        return size

    def __bool__(self) -> bool:
        return True

    @property
    def element_spec(self) -> Any:
        """`TensorSpec`s in the structure of an element.

        Where a function of the user's makes the elements, the first one is made to look at it.
        """
        spec = self._spec() if callable(self._spec) else self._spec
        return self._seen_spec() if spec is None else spec

    def _seen_spec(self) -> Any:
        for element in self._open((0,)):
            return map_leaves(spec_of, element)
        raise ValueError(f"{self!r}: there is no element to tell the shapes from.")

    def __iter__(self) -> "DatasetIterator":
        return DatasetIterator(self, handed_out)

    def as_numpy_iterator(self) -> "DatasetIterator":
        """An iterator over plain NumPy arrays."""
        return DatasetIterator(self, lambda element: element)

    def __repr__(self) -> str:
        return f"<Dataset: {' → '.join(self._steps)}>"

    def _named(self, step: str) -> str:
        """How a message names a step that comes after this one."""
        return f"Dataset.{step}, the last step of {' → '.join((*self._steps, step))},"

    def _then(
        self,
        step: str,
        open_pass: Callable[[Pass], Pass],
        size: Callable[[int], int] = lambda n: n,
        spec: Callable[[Any], Any] | None = lambda spec: spec,
    ) -> "Dataset":
        """This data set with one more step."""
        return Dataset(
            lambda key: open_pass(self._open(key)),
            lambda: size(self._size()),
            None if spec is None else lambda: spec(self.element_spec),
            (*self._steps, step),
        )


class DatasetIterator:
    """One pass over a data set, which knows its place.

    Args:
        dataset: what is gone through.
        present: what is made of each element before it is handed out.
    """

    def __init__(self, dataset: Dataset, present: Callable[[Element], Any]):
        self.dataset, self._present = dataset, present
        self._open(dataset._passes)

    def _open(self, number: int) -> None:
        self._number = number
        self.dataset._passes = number + 1
        self._pass = self.dataset._open((number,))

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        return self._present(next(self._pass))

    def get_next(self) -> Any:
        """The next element."""
        return next(self)

    @property
    def element_spec(self) -> Any:
        """`TensorSpec`s of the elements."""
        return self.dataset.element_spec

    def get_state(self) -> State:
        """The place in the pass, a small dictionary for JSON."""
        return {"pass": self._number, "steps": list(self.dataset._steps), "place": self._pass.get_state()}

    def set_state(self, state: Mapping) -> None:
        """Go on as the iterator did whose state this is; the passes after this one are those that came after it.

        Raises:
            ValueError: if the state is of a data set with other steps.
        """
        if state["steps"] != list(self.dataset._steps):
            raise ValueError(
                f"set_state: the state is of a data set of other steps: {' → '.join(state['steps'])}. "
                f"This one: {' → '.join(self.dataset._steps)}."
            )
        self._open(state["pass"])
        self._pass.set_state(state["place"])


# ---------------------------------------------------------------- helpers


def _counted(size: int, element_at: Callable[[int], Element], spec: Any, step: str) -> Dataset:
    return Dataset(lambda key: passes.Counted(size, element_at), lambda: size, spec, (step,))


def _rows(value: Any) -> Any:
    """What gives a row for a number: an array that cannot be written to, or a list of arrays."""
    ragged = isinstance(value, (list, tuple)) and len({np.shape(as_array(row)) for row in value}) > 1
    rows = [as_array(row) for row in value] if ragged else as_array(value)
    if isinstance(rows, list):
        return rows
    if rows.ndim == 0:
        raise ValueError(f"Dataset.from_tensor_slices: an array needs at least one axis. Received: {value!r}.")
    rows = rows.view()
    rows.flags.writeable = False
    return rows


def _row(rows: Any, number: int) -> np.ndarray:
    return rows[number] if isinstance(rows, list) else rows[number, ...]


def _spec_of_rows(rows: Any) -> TensorSpec:
    if isinstance(rows, list):
        return functools.reduce(common, map(spec_of, rows))
    return TensorSpec(rows.shape[1:], rows.dtype)


def _shortest(sizes: Sequence[int]) -> int:
    finite = [size for size in sizes if size != INFINITE_CARDINALITY]
    return min(finite) if finite else INFINITE_CARDINALITY


def _signature(types: Any, shapes: Any, signature: Any) -> Any:
    """What a generator was declared to yield; None where nothing was said."""
    if signature is not None:
        if types is not None or shapes is not None:
            raise ValueError(
                "Dataset.from_generator: output_signature says all; output_types and output_shapes must not be given "
                "beside it."
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


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _checked(spec: Any, item: Any, owner: str) -> Element:
    """What a generator yielded, as it was declared."""
    item = tuple(item) if isinstance(spec, tuple) and isinstance(item, list) else item
    if not same_structure(spec, item):
        raise TypeError(f"{owner}: expected an element of the structure {spec}. Received: {border.shortened(item)}.")
    return map_leaves(lambda one, value: one.read(value, owner), spec, item)


def _stacked(elements: list[Element], owner: str) -> Element:
    try:
        return map_leaves(lambda *rows: np.stack(rows), *elements)
    except (ValueError, KeyError) as error:
        raise DataError(_why_not_stacked(elements, owner)) from error


def _why_not_stacked(elements: list[Element], owner: str) -> str:
    if not all(same_structure(elements[0], other) for other in elements):
        return f"{owner} needs elements of one structure. Received: {_shapes(elements)}."
    return (
        f"{owner} needs elements of one shape. Received: {_shapes(elements)}. Bring them to one shape in a map before, "
        "or use padded_batch."
    )


def _shapes(elements: list[Element]) -> str:
    """The different shapes among elements, as a message shows them."""
    shapes = dict.fromkeys(str(map_leaves(np.shape, element)) for element in elements)
    return " and ".join(list(shapes)[:3])


def _name_of(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _positive_or_auto(value: Any, name: str, owner: str) -> int:
    return AUTOTUNE if value == AUTOTUNE else validate.positive_int(int(value), name, owner)


def _seed(seed: Any) -> Callable[[], tuple[int, ...]]:
    """What an order follows from: the seed that was given, or the global one and the number of the use of it."""
    if seed is not None:
        return lambda: (int(seed) % 2**64,)
    use = number_of_use()
    return lambda: (global_seed(), use)
