"""What may be given to `fit`, and how it comes out as batches."""

import functools
import gc
import itertools
import operator
import threading
import time
import traceback
import warnings

import jax.numpy as jnp
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse

import cornu
from cornu import settings
from cornu.data.prefetch import prefetch
from cornu.training.data.batches import (
    PyDataset,
    make_batches,
    pack_x_y_sample_weight,
    split_validation,
    unpack_x_y_sample_weight,
)

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")

X = np.arange(10, dtype="float32").reshape(10, 1)
Y = 10 * X


def firsts(batches, epoch=0):
    """The first column of x in every batch of an epoch."""
    return [np.asarray(x).reshape(len(x), -1)[:, 0].tolist() for x, _, _ in batches.epoch(epoch)]


def pairs(count, rows=2):
    for i in range(count):
        yield np.full((rows, 1), i, "float32"), np.full((rows, 1), i, "float32")


class Numbered(PyDataset):
    def __init__(self, count=3, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.calls = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full((2, 1), index, "float32"), np.full((2, 1), index, "float32")

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


class Endless(PyDataset):
    def __getitem__(self, index):
        return np.full((2, 1), index, "float32"), np.full((2, 1), index, "float32")


# ------------------------------------------------------------------ arrays of every library

SAME = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
TABLES = {
    "NumPy": lambda: np.array(SAME),
    "JAX": lambda: jnp.array(SAME),
    "lists of numbers": lambda: SAME,
    "tuple of lists": lambda: tuple(SAME),
    "pandas": lambda: pandas.DataFrame(SAME, columns=["a", "b"]),
    "pandas, mixed columns": lambda: pandas.DataFrame({"a": [0, 2, 4], "b": [1.0, 3.0, 5.0]}),
    "pandas, objects": lambda: pandas.DataFrame(SAME, dtype=object),
    "pandas, nullable": lambda: pandas.DataFrame(SAME).astype("Float64"),
    "polars": lambda: polars.DataFrame(SAME, schema=["a", "b"], orient="row"),
    "torch": lambda: torch.tensor(SAME, dtype=torch.float64, requires_grad=True),
    "torch, bfloat16": lambda: torch.tensor(SAME, dtype=torch.bfloat16),
    "SciPy sparse": lambda: scipy.sparse.csr_matrix(SAME),
    "half precision": lambda: np.array(SAME, "float16"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_torch if "torch" in n else ()) for n in TABLES])
def test_a_table_of_any_library_becomes_floatx(name):
    (x, y, weight), *_ = make_batches(TABLES[name](), batch_size=3).epoch(0)
    assert x.dtype == settings.floatx() and isinstance(x, np.ndarray)
    np.testing.assert_array_equal(x, SAME)
    assert y is None and weight is None


COLUMNS = {
    "pandas": lambda: pandas.Series([1, 2, 3]),
    "polars": lambda: polars.Series([1, 2, 3]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_series_is_one_column_and_as_weights_one_number_a_sample(name):
    series = COLUMNS[name]()
    (x, y, weight), *_ = make_batches(series, series, series, batch_size=3).epoch(0)
    assert x.shape == y.shape == (3, 1) and x.dtype == "int32"
    assert weight.shape == (3,) and weight.dtype == "float32"


@pytest.mark.parametrize(
    "given, kept",
    [("bool", "bool"), ("uint8", "uint8"), ("int32", "int32"), ("int64", "int32"), ("uint64", "uint32"),
     ("float64", "float32"), ("complex128", "complex64")],
)  # fmt: skip
def test_number_types(given, kept):
    (x, _, _), *_ = make_batches(X.astype(given)).epoch(0)
    assert x.dtype == kept


@pytest.mark.parametrize(
    "text", [["a", "bc", "d"], np.array(["a", "bc", "d"], dtype=object), np.array([b"a", b"b", b"c"])]
)
def test_text_is_kept_for_preprocessing_layers(text):
    (x, _, _), *_ = make_batches(text, batch_size=3).epoch(0)
    assert x.tolist() == list(text)
    assert make_batches(text).arrays is None


def test_several_inputs_keep_their_nesting():
    x = {"left": X, "right": [X, (X + 1).tolist()]}
    (inputs, targets, weights), *_ = make_batches(x, (X, Y), [np.ones(10), np.ones(10)], batch_size=4).epoch(0)
    assert set(inputs) == {"left", "right"} and type(inputs["right"]) is list and type(targets) is tuple
    assert inputs["right"][1].tolist() == (X[:4] + 1).tolist() and targets[1].shape == (4, 1)
    assert [w.shape for w in weights] == [(4,), (4,)]


def test_arrays_in_memory_are_not_copied():
    (x, _, _), *_ = make_batches(X, batch_size=4).epoch(0)
    assert np.shares_memory(x, X)
    assert make_batches(X).arrays[0] is X


# ------------------------------------------------------------------ the order


def test_the_last_batch_may_be_smaller():
    batches = make_batches(X, Y, batch_size=4)
    assert (batches.num_batches, batches.batch_size, batches.num_samples) == (3, 4, 10)
    assert firsts(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_order_is_a_function_of_the_seed_and_the_epoch():
    def epochs(seed):
        batches = make_batches(X, Y, batch_size=4, shuffle=True, seed=seed)
        return [firsts(batches, number) for number in range(3)]

    first = epochs(7)
    assert epochs(7) == first and epochs(8) != first
    assert first[0] != first[1] != first[2]
    assert all(sorted(functools.reduce(operator.iadd, epoch, [])) == X[:, 0].tolist() for epoch in first)
    resumed = make_batches(X, Y, batch_size=4, shuffle=True, seed=7)
    assert firsts(resumed, 2) == first[2]
    assert X[resumed.order(2), 0].tolist() == functools.reduce(operator.iadd, first[2], [])


def test_x_y_and_weights_stay_aligned():
    for x, y, weight in make_batches(X, Y, X[:, 0], batch_size=4, shuffle=True).epoch(3):
        np.testing.assert_array_equal(y, 10 * x)
        np.testing.assert_array_equal(weight, x[:, 0])


def test_shuffle_batch_mixes_within_batches():
    x = np.arange(40.0)
    epoch = firsts(make_batches(x, batch_size=4, shuffle="batch"))
    assert [sorted(batch) for batch in epoch] == np.arange(40.0).reshape(10, 4).tolist()
    assert functools.reduce(operator.iadd, epoch, []) != x.tolist()


def test_fewer_steps_than_batches_go_on_in_the_next_epoch():
    batches = make_batches(X, batch_size=4, steps=2)
    assert batches.num_batches == 2 and batches.arrays is None
    assert [firsts(batches, n) for n in range(3)] == [
        [[0, 1, 2, 3], [4, 5, 6, 7]],
        [[8, 9], [0, 1, 2, 3]],
        [[4, 5, 6, 7], [8, 9]],
    ]
    assert firsts(make_batches(X, batch_size=4, steps=2), 1) == [[8, 9], [0, 1, 2, 3]]


def test_more_steps_than_batches_end_with_the_data_and_a_warning():
    batches = make_batches(X, batch_size=4, steps=5)
    with pytest.warns(UserWarning, match=r"ran out after 3 batches of the 5 requested"):
        assert len(firsts(batches, 0)) == 3
    assert len(firsts(batches, 1)) == 3 and not batches.exhausted


# ------------------------------------------------------------------ generators and iterables


def test_a_generator_is_gone_through_once():
    batches = make_batches(pairs(3))
    assert batches.num_batches is None
    np.testing.assert_array_equal(batches.example()[0], [[0.0], [0.0]])
    assert firsts(batches, 0) == [[0, 0], [1, 1], [2, 2]] and not batches.exhausted
    with pytest.warns(UserWarning, match=r"ran out after 0 batches; no further epoch is possible"):
        assert firsts(batches, 1) == []
    assert batches.exhausted


def test_a_generator_goes_on_in_the_next_epoch_and_says_when_it_ends():
    batches = make_batches(pairs(5), steps=2)
    assert batches.num_batches == 2
    assert firsts(batches, 0) == [[0, 0], [1, 1]]
    assert firsts(batches, 1) == [[2, 2], [3, 3]]
    with pytest.warns(UserWarning, match=r"ran out after 1 batches of the 2 requested"):
        assert firsts(batches, 2) == [[4, 4]]
    assert batches.exhausted


def test_the_end_of_a_generator_is_known_before_an_epoch_starts_in_vain():
    batches = make_batches(pairs(4), steps=2)
    assert firsts(batches, 0) == [[0, 0], [1, 1]] and batches.has_next_epoch()
    assert firsts(batches, 1) == [[2, 2], [3, 3]]
    with pytest.warns(UserWarning, match=r"ran out after 0 batches of the 2 .*; no further epoch is possible"):
        assert not batches.has_next_epoch()
    assert not batches.has_next_epoch() and batches.exhausted
    assert make_batches(X).has_next_epoch() and make_batches(Endless(), steps=1).has_next_epoch()


def test_a_generator_may_yield_x_alone_or_with_targets_and_weights():
    x, y, weight = np.ones((2, 1)), np.zeros(2), np.ones(2)
    for item, parts in [(x, 1), ((x,), 1), ((x, y), 2), ((x, y, weight), 3), ({"a": x}, 1), (([x, x], y), 2)]:
        (batch,) = make_batches(iter([item])).epoch(0)
        assert sum(part is not None for part in batch) == parts
        assert all(leaf.dtype == "float32" for part in batch if isinstance(part, np.ndarray) for leaf in [part])


@needs_torch
def test_a_torch_data_loader_starts_again_each_epoch():
    data = torch.utils.data.TensorDataset(torch.arange(10.0).reshape(10, 1), torch.arange(10))
    batches = make_batches(torch.utils.data.DataLoader(data, batch_size=4))
    assert batches.num_batches == 3
    assert firsts(batches, 0) == firsts(batches, 1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert next(batches.epoch(0))[1].dtype == "int32"


def test_any_iterable_will_do_and_is_continued_with_fewer_steps():
    class Batched:
        def __iter__(self):
            return pairs(3)

    assert firsts(make_batches(Batched()), 1) == [[0, 0], [1, 1], [2, 2]]
    batches = make_batches(Batched(), steps=2)
    assert [firsts(batches, n) for n in range(3)] == [[[0, 0], [1, 1]], [[2, 2], [0, 0]], [[1, 1], [2, 2]]]
    assert firsts(batches, 0) == [[0, 0], [1, 1]], "epoch 0 starts at the beginning, as each validation does"
    with pytest.warns(UserWarning, match=r"ran out after 3 batches of the 7"):
        assert len(firsts(make_batches(Batched(), steps=7))) == 3


# ------------------------------------------------------------------ PyDataset


def test_a_py_dataset_is_told_of_epochs():
    data = Numbered()
    batches = make_batches(data)
    assert firsts(batches) == [[0, 0], [1, 1], [2, 2]]
    batches.on_epoch_end()
    assert data.calls == ["begin", "end"] and batches.num_batches == 3


def test_sparse_batches_become_arrays():
    table = scipy.sparse.csr_matrix(SAME)
    ((x, _, _),) = make_batches(iter([(table, Y[:3])])).epoch(0)
    assert isinstance(x, np.ndarray) and x.tolist() == SAME


def test_a_py_dataset_is_gone_through_once():
    assert [x[0, 0] for x, _ in Numbered()] == [0, 1, 2]
    assert [x[0, 0] for x, _ in itertools.islice(Endless(), 5)] == [0, 1, 2, 3, 4]
    layer = cornu.layers.Normalization()
    layer.adapt(Numbered())
    assert layer.mean == 1
    layer.adapt(iter(Numbered()))  # a generator of (x, y): y does not count
    assert layer.mean == 1


def test_a_py_dataset_is_told_of_each_epoch_once():
    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    train, check, other = Numbered(), Numbered(), Numbered()
    model.fit(train, epochs=2, verbose=0, batch_size=64, validation_data=check)
    model.evaluate(other, verbose=0)
    model.predict(other, verbose=0)
    assert train.calls == check.calls == other.calls == ["begin", "end"] * 2


def test_a_generator_to_validate_on_gives_each_epoch_the_same_batches():
    def batches():
        memory = np.zeros((4, 1), "float32"), np.zeros((4, 1), "float32")  # used again for each batch
        for number in itertools.count():
            memory[0][:], memory[1][:] = number, number
            yield memory

    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(cornu.optimizers.SGD(0.0), "mse")
    checks = {
        "endless": (batches(), 2, [0.5] * 3),
        "of 3": (pairs(3), None, [5 / 3] * 3),
        "short": (pairs(1), 1, [0] * 3),
    }
    for data, steps, expected in checks.values():
        shown = model.fit(X, Y, epochs=3, verbose=0, validation_data=data, validation_steps=steps).history["val_loss"]
        assert shown == pytest.approx(expected)


def test_a_py_dataset_is_shuffled_by_seed_and_epoch():
    orders = [firsts(make_batches(Numbered(8), shuffle=True, seed=3), n) for n in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == [[i, i] for i in range(8)]


def test_an_endless_py_dataset_needs_steps_and_goes_on():
    with pytest.raises(ValueError, match=r"fit: Endless is infinite, so steps_per_epoch must give"):
        make_batches(Endless())
    batches = make_batches(Endless(), steps=2, shuffle=True)
    assert [firsts(batches, n) for n in range(2)] == [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]


class Slow(Numbered):
    """The first batches take longest, so workers finish out of order."""

    def __getitem__(self, index):
        time.sleep(0.02 if index % 3 == 0 else 0.0)
        if index == getattr(self, "fails_at", None):
            raise RuntimeError(f"no batch {index}")
        return super().__getitem__(index)


PROCESSES = [False, pytest.param(True, marks=pytest.mark.forks)]


@pytest.mark.parametrize("processes", PROCESSES)
def test_workers_keep_the_order(processes):
    data = Slow(9, workers=3, use_multiprocessing=processes, max_queue_size=4)
    batches = make_batches(data)
    assert firsts(batches) == firsts(batches, 1) == [[i, i] for i in range(9)]


@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_a_worker_is_raised_where_the_batch_is_needed(workers, processes):
    before = threading.active_count()
    data = Slow(9, workers=workers, use_multiprocessing=processes)
    data.fails_at = 4
    epoch = make_batches(data).epoch(0)
    assert [next(epoch)[0][0, 0] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match=r"no batch 4") as caught:
        next(epoch)
    assert "__getitem__" in "".join(traceback.format_exception(caught.value))
    assert threading.active_count() == before


def test_workers_end_when_an_epoch_is_left_early():
    before = threading.active_count()
    epoch = make_batches(Slow(100, workers=4)).epoch(0)
    next(epoch)
    assert threading.active_count() > before
    epoch.close()
    assert threading.active_count() == before


# ------------------------------------------------------------------ weights of classes

LABELS = {
    "integers": np.array([0, 1, 2, 1]),
    "a column": np.array([[0.0], [1.0], [2.0], [1.0]]),
    "one-hot": np.eye(3)[[0, 1, 2, 1]],
}


@pytest.mark.parametrize("name", LABELS)
def test_class_weight(name):
    (_, _, weight), *_ = make_batches(X[:4], LABELS[name], class_weight={0: 2.0, 1: 3.0}).epoch(0)
    np.testing.assert_array_equal(weight, np.array([2, 3, 1, 3], "float32"), strict=True)


def test_class_weight_takes_the_classes_as_unique_gives_them():
    labels = np.array([0.0, 1.0, 0.0, 1.0], "float32")
    (_, _, weight), *_ = make_batches(X[:4], labels, class_weight=dict(zip(np.unique(labels), [1.0, 3.0]))).epoch(0)
    np.testing.assert_array_equal(weight, np.array([1, 3, 1, 3], "float32"))


def test_class_weight_multiplies_sample_weight_also_in_a_stream():
    own = np.array([1.0, 10.0, 100.0, 1000.0])
    data = (X[:4], LABELS["integers"], own)
    for batches in (make_batches(*data, class_weight={1: 3}), make_batches(iter([data]), class_weight={1: 3})):
        np.testing.assert_array_equal(next(batches.epoch(0))[2], [1, 30, 100, 3000])
        np.testing.assert_array_equal(batches.example()[2], [1, 30, 100, 3000])


# ------------------------------------------------------------------ validation split


def test_the_last_part_is_for_validation():
    (x, y, weight), (vx, vy, vw) = split_validation((pandas.DataFrame(X), Y, None), 0.25)
    assert x[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6] and vx[:, 0].tolist() == [7, 8, 9]
    assert len(y) == 7 and len(vy) == 3 and weight is None and vw is None


# ------------------------------------------------------------------ mistakes

FIVE, MASKED = Y[:5], np.ma.masked_array(X, mask=X > 5)
MISTAKES = {
    "unequal lengths": ({"x": X, "y": FIVE}, "same number of samples. Received: x: 10, y: 5"),
    "unequal inputs": (
        {"x": {"a": X, "b": [X, FIVE]}, "y": Y},
        r"x\['a'\]: 10, x\['b'\]\[0\]: 10, x\['b'\]\[1\]: 5, y: 10",
    ),
    "too few weights": ({"x": X, "y": Y, "sample_weight": np.ones(3)}, "sample_weight: 3"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "the dataset is empty: x, y have 0 samples"),
    "no data": ({"x": None, "y": Y}, "x must be data. Received: x=None"),
    "an empty list": ({"x": []}, "the dataset is empty: x has 0 samples"),
    "an empty dict": ({"x": {}}, "x is empty: it contains no array"),
    "an empty PyDataset": ({"x": Numbered(0)}, "the dataset is empty: Numbered has 0 batches"),
    "half a batch": ({"x": Numbered(2.5)}, r"len\(Numbered\) must be an integer of zero or more. Received: .*2.5"),
    "fewer than no batches": (
        {"x": Numbered(-1)},
        r"len\(Numbered\) must be an integer of zero or more. Received: .*-1",
    ),
    "an empty iterable": ({"x": range(0)}, "the range given as x is empty"),
    "a used-up generator": ({"x": pairs(0)}, "the generator given as x is exhausted.*Create it again"),
    "ragged rows": ({"x": [[1, 2], [3]]}, "x is ragged"),
    "text and numbers": ({"x": pandas.DataFrame({"a": ["u", "v"], "b": [1, 2]})}, "column 'a' contains 'u'"),
    "dates": ({"x": np.array(["2020-01-01"], "datetime64[D]")}, "x contains dates or times"),
    "a number": ({"x": 3}, "x must have at least one axis.*Received: 3"),
    "a text": ({"x": "data.csv"}, "x must be an array, .* Received: 'data.csv' of type str"),
    "masked values": ({"x": MASKED}, "masked array"),
    "great integers": ({"x": np.array([2**40])}, "do not fit in int32"),
    "y with a generator": ({"x": pairs(2), "y": Y}, "y must not be given together with a generator"),
    "weights with a PyDataset": (
        {"x": Numbered(), "sample_weight": Y},
        "sample_weight must not be given together with",
    ),
    "four parts": ({"x": iter([(X, X, X, X)])}, "must yield x, .* Received: a tuple of 4"),
    "a list of parts": ({"x": iter([[X, Y]])}, "yields a list of 2; a batch must be a tuple"),
    "parts that do not fit": ({"x": iter([(X, FIVE)])}, "Received: x: 10, y: 5"),
    "no batch_size": ({"x": X, "batch_size": 0}, "batch_size must be a positive integer"),
    "no steps": ({"x": X, "steps": 0}, "steps must be a positive integer"),
    "odd shuffle": ({"x": X, "shuffle": "rows"}, 'shuffle must be True or False or "batch"'),
    "class_weight with outputs": (
        {"x": X, "y": [Y, Y], "class_weight": {0: 1}},
        "class_weight requires exactly one y. Received: 2",
    ),
    "class_weight with images": ({"x": X, "y": np.ones((10, 3, 2)), "class_weight": {0: 1}}, r"shape \(10, 3, 2\)"),
    "named classes": ({"x": X, "y": Y, "class_weight": {"cat": 1}}, "must be integers. Received: 'cat'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_at_once(name):
    arguments, message = MISTAKES[name]
    with pytest.raises(ValueError, match=f"(?s)fit: .*{message}"):
        make_batches(**arguments).example()  # which a model is built with, before any step


SPLITS = [((X[:1], None, None), 0.5, "1 samples cannot be split"), ((pairs(2),), 0.5, "split requires arrays")]


@pytest.mark.parametrize("data, fraction, message", [*SPLITS, ((X,), 1.0, "validation_split must be a number from 0")])
def test_a_split_that_cannot_be(data, fraction, message):
    with pytest.raises(ValueError, match=message):
        split_validation(data, fraction)


# ------------------------------------------------------------------ packing


def test_packing_and_unpacking():
    for parts in [(1,), (1, 2), (1, 2, 3), ([1],), ([1, 2], 3)]:
        assert unpack_x_y_sample_weight(pack_x_y_sample_weight(*parts)) == (*parts, None, None)[:3]
    assert pack_x_y_sample_weight(1) == 1 and pack_x_y_sample_weight([1]) == ([1],)
    with pytest.raises(ValueError, match=r"Received: 4 parts"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


# ------------------------------------------------------------------ prefetching


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    deadline = time.time() + 2.0
    while threading.active_count() > before and time.time() < deadline:
        gc.collect()
    assert threading.active_count() == before


def counted(made, stop=100, fails_at=None):
    try:
        for i in range(stop):
            if i == fails_at:
                raise RuntimeError(f"no item {i}")
            made.append(i)
            yield i
    finally:
        made.append("closed")


def test_prefetch_goes_ahead_but_not_too_far():
    made = []
    with prefetch(counted(made), 3) as items:
        assert next(items) == 0
        time.sleep(0.05)
        assert made == [0, 1, 2, 3]
    assert made[-1] == "closed"


def test_prefetch_gives_everything_in_order():
    assert list(prefetch(counted([]), 4)) == list(range(100))
    assert list(prefetch([], 1)) == []


def test_prefetch_raises_at_the_item_that_failed():
    items = prefetch(counted([], fails_at=5), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match=r"no item 5"):
        next(items)
    assert list(items) == []


def test_a_forgotten_prefetch_ends():
    made = []
    items = prefetch(counted(made), 2)
    next(items)
    del items
    gc.collect()
    deadline = time.time() + 2.0
    while made[-1] != "closed" and time.time() < deadline:
        time.sleep(0.01)
    assert made[-1] == "closed"


def test_closing_twice_is_fine_and_ends_the_iteration():
    items = prefetch(counted([]), 2)
    items.close()
    items.close()
    assert list(items) == []


def test_a_warning_in_the_thread_is_an_error_when_warnings_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"ran out after 0 batches"):
            batches = make_batches(pairs(1))
            list(batches.epoch(0))
            list(prefetch(batches.epoch(1), 2))


def test_a_model_that_is_not_built_is_fitted_to_a_stream():
    model = cornu.Sequential([cornu.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(iter([(np.ones((4, 3)), np.ones((4, 2)))] * 2), verbose=0)
    assert model.built
