"""`cornu.data.Dataset`: elements made step by step, in an order that can be had again."""

import gc
import json
import subprocess
import sys
import tempfile
import threading

import numpy as np
import pytest

import cornu
from cornu.data import AUTOTUNE, Dataset
from cornu.errors import DataError

X = np.arange(10.0)


def numbers(dataset):
    """The elements as Python's numbers and lists."""
    return [np.asarray(element).tolist() for element in dataset]


def rows(count=10):
    return Dataset.from_tensor_slices(np.arange(count))


def lists():
    """Rows of 1, 3, 2, 5, 1, 3 and 2 numbers."""
    return Dataset.from_tensor_slices([list(range(n)) for n in (1, 3, 2, 5, 1, 3, 2)])


# ------------------------------------------------------------------ stopped anywhere, the rest is the same

PIPELINES = {
    "from_tensor_slices": lambda: Dataset.from_tensor_slices({"a": X, "b": -X}),
    "from_tensors": lambda: Dataset.from_tensors((X, 1)),
    "from_generator": lambda: Dataset.from_generator(lambda: iter(range(5)), output_types="int32"),
    "range": lambda: Dataset.range(2, 12, 3),
    "zip": lambda: Dataset.zip((rows(), {"other": rows(7).shuffle(3)})),
    "enumerate": lambda: rows(4).enumerate(start=2),
    "map": lambda: rows().map(lambda x: x * 2),
    "map in threads": lambda: rows(30).map(lambda x: (x, x * 2), num_parallel_calls=3),
    "filter": lambda: rows().filter(lambda x: x % 3 != 0),
    "batch": lambda: rows().batch(3),
    "batch without remainder": lambda: rows().batch(3, drop_remainder=True),
    "shuffle a little": lambda: rows().shuffle(4, seed=1),
    "shuffle all": lambda: rows().shuffle(10),
    "shuffle with room to spare": lambda: rows().shuffle(100),
    "shuffle the same each time": lambda: rows().shuffle(10, reshuffle_each_iteration=False).repeat(2),
    "shuffle and repeat": lambda: rows().shuffle(4).repeat(3),
    "repeat and shuffle": lambda: rows(4).repeat(3).shuffle(5),
    "take_while": lambda: rows().take_while(lambda x: x != 6),
    "shard": lambda: rows(11).shard(3, 1),
    "unique": lambda: Dataset.from_tensor_slices([1, 2, 1, 3, 2, 4]).unique(),
    "scan": lambda: rows(5).scan(0, lambda kept, x: (kept + x, (x, kept + x))),
    "padded_batch": lambda: lists().padded_batch(2, padding_values=-1),
    "bucket_by_sequence_length": lambda: lists().bucket_by_sequence_length(len, [2, 4], [2, 2, 3]),
    "map to other sizes": lambda: rows(6).map(lambda n: np.zeros((n % 4 + 1, 2))).padded_batch(4),
    "bucket to a boundary": lambda: lists().map(lambda x: (np.outer(x, [1, 2]), X[:3])).bucket_by_sequence_length(
        lambda x, y: len(x), [3, 7], [2, 2, 1], pad_to_bucket_boundary=True
    ),
    "unbatch": lambda: Dataset.from_tensor_slices((X, X)).batch(4).unbatch(),
    "rebatch": lambda: rows().batch(4).rebatch(3),
    "window": lambda: rows(9).window(3, shift=2, stride=2).flat_map(lambda w: w.batch(3)),
    "window with gaps": lambda: rows(9).window(2, shift=3, drop_remainder=True).flat_map(lambda w: w.batch(2)),
    "window of tuples": lambda: (
        Dataset.from_tensor_slices((X, X)).window(4, 1, drop_remainder=True)
        .flat_map(lambda x, y: Dataset.zip((x.batch(4), y.batch(4))))
    ),
    "flat_map": lambda: rows(4).flat_map(lambda n: Dataset.range(n).shuffle(4)),
    "interleave": lambda: rows(5).interleave(lambda n: Dataset.from_tensors(n).repeat(6), 2, 4),
    "concatenate": lambda: rows(4).shuffle(4).concatenate(rows(3)),
    "choose_from_datasets": lambda: Dataset.choose_from_datasets(
        [rows(3), rows(4).map(lambda x: -x)], Dataset.range(2).repeat(), stop_on_empty_dataset=False
    ),
    "sample_from_datasets": lambda: Dataset.sample_from_datasets([rows(5), rows(5).map(lambda x: -x)], [0.7, 0.3]),
    "cache in a file": lambda: rows(6).shuffle(6).cache(tempfile.mkdtemp() + "/kept").repeat(3),
    "counter": lambda: Dataset.counter(2, 3).take(4),
    "random": lambda: Dataset.random(seed=1, rerandomize_each_iteration=True).take(3),
    "group_by_window": lambda: rows(10).group_by_window(lambda x: x % 3, lambda key, found: found.batch(2), 2),
    "ignore_errors": lambda: rows(9).map(lambda x: 6 // int(x % 3)).ignore_errors(),
    "rejection_resample": lambda: rows(20).rejection_resample(lambda x: x % 4 == 0, [0.5, 0.5], [0.75, 0.25], 3),
    "snapshot": lambda: rows(6).shuffle(6).snapshot(tempfile.mkdtemp()).repeat(2),
    "options": lambda: rows(3).with_options(cornu.data.Options()),
    "take": lambda: rows().take(4),
    "skip": lambda: rows().skip(4),
    "prefetch": lambda: rows(20).prefetch(2),
    "cache": lambda: rows(6).shuffle(6).cache().repeat(3),
    "all at once": lambda: (
        rows(20).shuffle(7).cache().map(lambda x: x + 1, num_parallel_calls=2).shuffle(5).repeat(2).batch(3).prefetch(2)
    ),
}  # fmt: skip


def read(iterator, count=None):
    """What an iterator gives, as text, so that types and structures count."""
    return [repr(element) for element, _ in zip(iterator, range(10**6 if count is None else count), strict=False)]


@pytest.mark.parametrize("name", PIPELINES)
def test_stop_anywhere_and_the_rest_is_the_same_in_a_new_iterator(name):
    count = len(read(PIPELINES[name]()))
    for stop in range(count + 1):
        cornu.utils.set_random_seed(5)
        dataset = PIPELINES[name]()
        iterator = dataset.as_numpy_iterator()
        for _ in range(stop):
            next(iterator)
        state = json.dumps(iterator.get_state())
        rest, next_epoch = read(iterator), read(dataset)
        cornu.utils.set_random_seed(5)
        again = PIPELINES[name]()
        iterator = again.as_numpy_iterator()
        iterator.set_state(json.loads(state))
        assert len(rest) == count - stop
        assert read(iterator) == rest
        assert read(again) == next_epoch
        assert len(state) < 1000


@pytest.mark.parametrize("name", PIPELINES)
def test_what_is_known_beforehand_is_true(name):
    dataset = PIPELINES[name]()
    elements = list(dataset.as_numpy_iterator())
    assert int(dataset.cardinality()) in (len(elements), cornu.data.UNKNOWN_CARDINALITY)
    assert repr(dataset).startswith("<Dataset: ")
    for element in elements:
        cornu.tree.map_structure(lambda leaf, spec: spec.read(leaf, "test"), element, dataset.element_spec)


def test_a_state_of_another_pipeline_is_refused():
    state = iter(rows().batch(2)).get_state()
    with pytest.raises(ValueError, match=r"different steps: from_tensor_slices → batch\(2\)"):
        iter(rows().batch(3)).set_state(state)


def test_a_shuffle_of_very_many_starts_again_at_once():
    def make():
        return Dataset.range(100_000).shuffle(100, seed=3)

    iterator = make().as_numpy_iterator()
    for _ in range(90_000):
        next(iterator)
    again = make().as_numpy_iterator()
    again.set_state(iterator.get_state())
    assert again._pass.reader.count == iterator._pass.reader.count
    assert iterator.get_state()["place"]["start"] > 85_000  # what is read again is a few buffers
    assert read(again) == read(iterator)


# ------------------------------------------------------------------ order


def test_each_epoch_has_its_own_order_and_each_run_the_same_ones():
    def run():
        cornu.utils.set_random_seed(7)
        dataset = rows().shuffle(10)
        return [numbers(dataset) for _ in range(3)]

    first = run()
    assert run() == first
    assert len({tuple(order) for order in first}) == 3
    assert all(sorted(order) == list(range(10)) for order in first)


def test_two_shuffles_without_seeds_differ_and_two_with_one_seed_agree():
    assert numbers(rows().shuffle(10)) != numbers(rows().shuffle(10))
    pairs = Dataset.zip((rows().shuffle(10, seed=2), rows().shuffle(10, seed=2)))
    assert all(a == b for a, b in pairs)


def test_the_same_order_each_time_if_asked_for():
    dataset = rows().shuffle(10, reshuffle_each_iteration=False)
    assert numbers(dataset) == numbers(dataset) != list(range(10))


def test_an_element_comes_at_most_a_buffer_early():
    order = numbers(rows(100).shuffle(10))
    assert sorted(order) == list(range(100))
    assert all(element - place < 10 for place, element in enumerate(order))


def test_all_orders_are_equally_likely():
    dataset = rows(3).shuffle(3, seed=0)
    counts = {}
    for _ in range(1200):
        order = tuple(numbers(dataset))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6 and min(counts.values()) > 150


# ------------------------------------------------------------------ elements


def test_tuples_and_dictionaries_nest_and_tuples_are_spread():
    dataset = Dataset.from_tensor_slices((X, {"y": X})).map(lambda x, rest: {"sum": x + rest["y"], "pair": (x, x)})
    last = next(iter(dataset.batch(10)))
    assert last["sum"].tolist() == (2 * X).tolist() and last["pair"][1].shape == (10,)


def test_numpy_gives_what_tensorflow_gives():
    for number, text in Dataset.from_tensor_slices((np.arange(2), ["a", "ü"])).skip(1).batch(1):
        assert number.numpy().tolist() == [1] and number[0].numpy() == 1
        assert text[0].numpy() == "ü".encode() and text.numpy().tolist() == ["ü".encode()]
        assert type(number.numpy()) is np.ndarray and isinstance(number[0].numpy(), np.int64)


def test_numbers_of_python_become_32_bits():
    element = next(iter(Dataset.from_tensors((1, 1.5, [1, 2], "a", b"b\0", True, 2**40))))
    assert [part.dtype for part in element[:3]] == ["int32", "float32", "int32"]
    assert element[3].item() == "a" and element[4].numpy() == b"b\0" and element[5].dtype == bool
    assert element[6].item() == 2**40


def test_rows_of_different_shapes():
    dataset = Dataset.from_tensor_slices(([[1, 2, 3], [4], []], [0, 1, 2]))
    assert [x.tolist() for x, _ in dataset] == [[1, 2, 3], [4], []]
    assert dataset.element_spec[0].shape == (None,)
    with pytest.raises(DataError, match=r"elements of the same shape.*padded_batch"):
        list(dataset.batch(2))


def test_a_function_cannot_write_to_the_data():
    def spoil(x):
        x += 1
        return x

    for dataset in (Dataset.from_tensor_slices(np.zeros((3, 2))), Dataset.range(3).batch(3).cache()):
        with pytest.raises(DataError, match="read-only"):
            list(dataset.map(spoil))


def test_the_sizes_are_known_where_they_can_be():
    endless, unknown = rows(3).repeat(), rows(3).filter(bool)
    assert len(rows(10).batch(3)) == 4 and len(rows(10).batch(3, drop_remainder=True)) == 3
    assert endless.cardinality() == cornu.data.INFINITE_CARDINALITY
    assert unknown.cardinality().numpy() == cornu.data.UNKNOWN_CARDINALITY
    assert len(endless.take(5)) == 5 and len(Dataset.zip(endless, rows(4))) == 4
    with pytest.raises(TypeError, match="infinite"):
        len(endless)
    with pytest.raises(TypeError, match="unknown until"):
        len(unknown)


@pytest.mark.parametrize("join", [
    lambda first, second: first.concatenate(second),
    lambda *both: Dataset.choose_from_datasets(both, Dataset.range(2)),
    lambda *both: Dataset.sample_from_datasets(both),
])  # fmt: skip
def test_data_sets_that_do_not_go_together_are_refused_before_they_are_read(join):
    for other in (Dataset.from_tensor_slices(["a"]), Dataset.from_tensor_slices(X), Dataset.zip(rows(), rows())):
        with pytest.raises(TypeError, match=r"one structure and one kind of numbers\..* by map"):
            join(rows(), other)
    calls = []
    join(rows().map(calls.append), rows())
    assert not calls  # what a function makes is not looked at for that


def test_a_generator_must_yield_what_was_declared():
    def make(*values, **declared):
        return Dataset.from_generator(lambda: iter(values), **declared)

    spec = (cornu.data.TensorSpec((None,), "float32"), cornu.data.TensorSpec((), "string"))
    x, _ = next(iter(make(([1, 2], "a"), output_signature=spec)))
    assert x.dtype == "float32"
    with pytest.raises(ValueError, match=r"shape \(None,\). Received: shape \(1, 1\)"):
        list(make(([[1]], "a"), output_signature=spec))
    with pytest.raises(TypeError, match="structure"):
        list(make([1.0], output_signature=spec))
    with pytest.raises(TypeError, match="must be a function"):
        Dataset.from_generator([1, 2])
    pairs = make((1, [2]), output_types=("int64", "float32"), output_shapes=((), (1,)))
    assert [part.dtype for part in next(iter(pairs))] == ["int64", "float32"]
    assert pairs.element_spec[1].shape == (1,)
    repeated = Dataset.from_generator(lambda n: iter(range(n)), output_types="int32", args=(3,)).repeat(2)
    assert numbers(repeated) == [0, 1, 2, 0, 1, 2]


# ------------------------------------------------------------------ what each step gives


@pytest.mark.parametrize(("name", "expected"), [
    ("take_while", [0, 1, 2, 3, 4, 5]),
    ("shard", [1, 4, 7, 10]),
    ("unique", [1, 2, 3, 4]),
    ("padded_batch", [
        [[0, -1, -1], [0, 1, 2]], [[0, 1, -1, -1, -1], [0, 1, 2, 3, 4]], [[0, -1, -1], [0, 1, 2]], [[0, 1]],
    ]),
    ("bucket_by_sequence_length", [[[0, 1, 2], [0, 1, 0]], [[0], [0]], [[0, 1, 2], [0, 1, 0]], [[0, 1, 2, 3, 4]]]),
    ("rebatch", [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]),
    ("window", [[0, 2, 4], [2, 4, 6], [4, 6, 8], [6, 8], [8]]),
    ("window with gaps", [[0, 1], [3, 4], [6, 7]]),
    ("interleave", [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4]),
    ("choose_from_datasets", [0, 0, 1, -1, 2, -2, -3]),
])  # fmt: skip
def test_what_comes_out_is_what_tensorflow_gives(name, expected):
    assert numbers(PIPELINES[name]()) == expected


def test_reduce_scan_and_one_element():
    assert rows(5).reduce(np.int64(0), lambda total, x: total + x).numpy() == 10
    count, total = rows(4).reduce((0, 0.0), lambda state, x: (state[0] + 1, state[1] + x))
    assert (count, total) == (4, 6)
    assert [x.tolist() for _, x in PIPELINES["scan"]()] == [0, 1, 3, 6, 10]
    assert rows(3).skip(2).get_single_element() == 2
    with pytest.raises(ValueError, match="expected one element"):
        rows(3).get_single_element()


def test_padding_to_given_shapes():
    pairs = lists().map(lambda x: {"x": x, "n": len(x)})
    first = next(iter(pairs.padded_batch(2, padded_shapes={"x": [6], "n": []}, padding_values={"x": 9, "n": 0})))
    assert first["x"].tolist() == [[0, 9, 9, 9, 9, 9], [0, 1, 2, 9, 9, 9]] and first["n"].tolist() == [1, 3]
    with pytest.raises(DataError, match=r"shape \[5\] does not fit in \[4\]"):
        list(pairs.padded_batch(4, padded_shapes={"x": (4,), "n": ()}))
    words = Dataset.from_tensor_slices([["a"], ["b", "c"]]).padded_batch(2)
    assert next(iter(words)).tolist() == [["a", ""], ["b", "c"]]


def test_buckets_may_be_padded_to_their_boundaries():
    short = lists().filter(lambda x: len(x) < 4)
    batches = short.bucket_by_sequence_length(len, [2, 4], [2, 2, 1], pad_to_bucket_boundary=True)
    assert [batch.shape for batch in batches] == [(2, 3), (2, 1), (2, 3)]
    with pytest.raises(DataError, match="length 5"):
        list(lists().bucket_by_sequence_length(len, [2, 4], [2, 2, 1], pad_to_bucket_boundary=True))
    with pytest.raises(ValueError, match="must be increasing"):
        short.bucket_by_sequence_length(len, [4, 2], [1, 1, 1])


def test_sampling_follows_the_weights():
    zeros, ones = rows(1).repeat(), Dataset.from_tensors(1).repeat()
    drawn = numbers(Dataset.sample_from_datasets([zeros, ones], weights=[0.2, 0.8], seed=1).take(2000))
    assert 0.75 < np.mean(drawn) < 0.85
    assert set(numbers(Dataset.sample_from_datasets([zeros, ones], weights=[0, 1]).take(50))) == {1}
    with pytest.raises(ValueError, match="a non-negative weight for each of 2"):
        Dataset.sample_from_datasets([zeros, ones], weights=[1.0])


def test_files_are_listed_by_name_or_in_a_new_order_each_time(tmp_path):
    for name in "abcdef":
        (tmp_path / f"{name}.txt").touch()
    assert [p[-5:] for p in numbers(Dataset.list_files(str(tmp_path / "*.txt"), shuffle=False))] == [
        f"{name}.txt" for name in "abcdef"
    ]
    mixed = Dataset.list_files([str(tmp_path / "a*"), str(tmp_path / "[b-f].txt")], seed=1)
    assert len(mixed) == 6 and numbers(mixed) != numbers(mixed)
    with pytest.raises(ValueError, match="no file that matches"):
        Dataset.list_files(str(tmp_path / "*.png"))


def test_a_cache_in_a_file_serves_the_next_program(tmp_path):
    made = []

    def cached():
        data = Dataset.from_tensor_slices(({"x": np.ones((3, 2), "float16")}, ["a", "b", "ü"], [b"1\0", b"22", b""]))
        return data.map(lambda *parts: made.append(1) or parts).cache(tmp_path / "folder" / "kept")

    list(cached().take(2))  # not all of it: no file
    gc.collect()
    assert list((tmp_path / "folder").iterdir()) == []
    first, second = read(cached()), read(cached())
    assert first == second and len(made) == 5 and len(list((tmp_path / "folder").iterdir())) == 1
    file = tmp_path / "folder" / "kept"
    whole = file.read_bytes()
    assert b"pickle" not in whole
    for damaged in (whole[:-3], whole[:40], b"", whole[:-8] + b"\xff" * 8, whole.replace(b"(2,)", b"(9,)")):
        file.write_bytes(damaged)
        with pytest.raises(cornu.errors.DamagedFileError, match="Delete it"):
            read(cached())
    with pytest.raises(TypeError, match="numbers, text and bytes"):
        read(Dataset.from_tensors(np.array([{}], object)).cache(tmp_path / "other"))


def test_a_cache_asks_for_each_element_once_even_when_two_loops_read_it():
    made = []
    dataset = rows(5).map(lambda x: made.append(x) or x).cache()
    assert numbers(Dataset.zip(dataset, dataset)) == [[i, i] for i in range(5)]
    assert numbers(dataset.take(2)) == [0, 1] and len(made) == 5


def test_class_names_stay_with_the_data():
    dataset = rows(3)
    dataset.class_names = ["cat", "dog"]
    assert dataset.map(lambda x: x).batch(2).shuffle(2).cache().prefetch(1).class_names == ["cat", "dog"]
    assert not hasattr(rows(3), "class_names")


def test_functions_of_data_sets():
    assert numbers(rows(4).apply(lambda data: data.skip(2))) == [2, 3]
    with pytest.raises(TypeError, match="must return a Dataset"):
        rows(4).apply(list)
    with pytest.raises(TypeError, match="must return a Dataset"):
        list(rows(4).flat_map(lambda x: x))
    sized = rows(4).filter(lambda x: x < 3).apply(cornu.data.experimental.assert_cardinality(3))
    assert len(sized) == cornu.data.experimental.cardinality(sized) == 3 and len(list(sized)) == 3
    for wrong in (2, 4):
        with pytest.raises(DataError, match="assert_cardinality: expected"):
            list(rows(4).take(3).apply(cornu.data.experimental.assert_cardinality(wrong)))


def test_options_are_those_that_tensorflow_has():
    options = cornu.data.Options()
    options.deterministic = False
    options.threading.private_threadpool_size = 3
    assert rows(3).with_options(options).options().deterministic is False
    with pytest.raises(AttributeError, match="no option 'determinstic'"):
        options.determinstic = True


def test_other_tensors_may_be_handed_out():
    class Tensor:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

    seen = []
    cornu.data.elements.present_as(Tensor)
    try:
        (x, y), *_ = Dataset.from_tensor_slices((X, X)).map(lambda x, y: seen.append(x) or (x, y)).batch(2)
        assert type(x) is type(y) is type(seen[0]) is Tensor
    finally:
        cornu.data.elements.present_as(None)


# ------------------------------------------------------------------ errors and threads


@pytest.mark.parametrize("threads", [None, 2, AUTOTUNE])
def test_an_error_names_the_step_and_the_element(threads):
    def invert(x):
        if x == 7:
            raise KeyError("seven")
        return 1 / x

    dataset = rows(20).skip(1).map(invert, num_parallel_calls=threads).batch(2)
    with pytest.raises(DataError, match=r"map\(invert\).*from_tensor_slices → skip\(1\) → .* element 6: KeyError") as e:
        list(dataset)
    assert isinstance(e.value.__cause__, KeyError)


@pytest.mark.parametrize(("together", "pays"), [(1.0, True), (1.9, True), (2.1, False), (6.0, False)])
def test_threads_are_given_up_where_calls_take_longer_in_them_than_they_gain(monkeypatch, together, pays):
    main, threads = threading.main_thread(), []
    ticks = {}  # each call reads the clock twice; what it takes is 1 here and `together` in a thread

    def read_clock():
        number = ticks[threading.get_ident()] = ticks.get(threading.get_ident(), -1) + 1
        return (number + 1) // 2 * (1.0 if threading.current_thread() is main else together)

    monkeypatch.setattr(cornu.data.threads.time, "perf_counter", read_clock)
    monkeypatch.setattr(cornu.data.threads.os, "cpu_count", lambda: 2)
    function = lambda x: (threads.append(threading.current_thread()), x)[1]
    assert numbers(rows(200).map(function, num_parallel_calls=cornu.data.AUTOTUNE)) == list(range(200))
    assert all(thread is main for thread in threads[:4]) and threads[4] is not main
    assert (threads[-1] is not main) == pays


@pytest.mark.parametrize(("numbers_each", "most"), [(1, 100), (2**19, 2)])
def test_few_elements_are_held_in_threads_where_each_takes_much_memory(numbers_each, most):
    read, made = [], []
    source = rows(400).map(lambda x: (read.append(x), np.zeros(numbers_each))[1])
    for _ in source.map(lambda x: x + 1, num_parallel_calls=2).take(300):
        made.append(len(read) - len(made))
    assert max(made[50:]) <= most


def test_threads_work_at_the_same_time_and_keep_the_order():
    meeting = threading.Barrier(3)
    assert numbers(rows(30).map(lambda x: (meeting.wait(30), x)[1], num_parallel_calls=3)) == list(range(30))


def threads_of_cornu():
    return [thread for thread in threading.enumerate() if thread.name.startswith("cornu")]


@pytest.mark.parametrize("leave", ["at the end", "forgotten", "after an error"])
def test_threads_end_with_the_iterator(leave):
    before = set(threads_of_cornu())

    def halve(x):
        if leave == "after an error" and x == 5:
            raise ValueError("five")
        return x / 2

    dataset = rows(8).repeat(100).map(halve, num_parallel_calls=2)
    iterator = iter(dataset.map(lambda x: x).prefetch(2))
    if leave == "at the end":
        list(iterator)
    elif leave == "forgotten":
        next(iterator)
    else:
        with pytest.raises(DataError):
            list(iterator)
    started = set(threads_of_cornu()) - before
    del iterator
    gc.collect()
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


def test_a_program_ends_though_an_iterator_was_left_open():
    code = (
        "from cornu.data import Dataset\n"
        "it = iter(Dataset.range(10**9).map(lambda x: x, num_parallel_calls=2).batch(4).prefetch(3))\n"
        "print(next(it))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "[0 1 2 3]" and not done.stderr


def test_no_more_is_read_ahead_than_asked_for():
    made = []
    iterator = iter(Dataset.range(1000).map(lambda x: made.append(x) or x).prefetch(3))
    next(iterator)
    iterator._pass._prefetch._queue.stop()
    iterator._pass._prefetch._thread.join()
    assert len(made) <= 5


def test_a_generator_may_use_its_memory_again():
    def batches():
        memory = np.zeros(2)
        for number in range(4):
            memory[:] = number
            yield memory

    assert [batch.tolist() for batch in list(Dataset.from_generator(batches).prefetch(2))] == [[n, n] for n in range(4)]


def test_groups_of_a_key_come_when_they_are_full_and_the_rest_by_key():
    data = rows(8).group_by_window(lambda x: x % 3, lambda key, found: found.map(lambda x: (key, x)).batch(9), 2)
    assert [(key[0], x.tolist()) for key, x in data] == [(0, [0, 3]), (1, [1, 4]), (2, [2, 5]), (0, [6]), (1, [7])]
    with pytest.raises(ValueError, match="either window_size or window_size_func"):
        rows(3).group_by_window(lambda x: x, lambda key, found: found)


def test_what_is_saved_is_loaded_and_what_has_no_end_is_not_saved(tmp_path):
    data = Dataset.from_tensor_slices({"x": X, "word": [f"w{n}" for n in range(10)]}).batch(4)
    data.save(tmp_path / "kept")
    again = Dataset.load(tmp_path / "kept")
    assert read(again) == read(data) and len(again) == 3
    assert read(Dataset.load(tmp_path / "kept", reader_func=lambda files: files.flat_map(lambda one: one))) == read(
        data
    )
    with pytest.raises(ValueError, match="cannot be saved"):
        rows().repeat().save(tmp_path / "endless")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept"]


def test_classes_come_as_often_as_is_wanted():
    chosen = [int(kind) for kind, _ in rows(2000).rejection_resample(lambda x: x % 4 == 0, [0.5, 0.5], seed=1)]
    assert 0.45 < np.mean(chosen) < 0.55 and len(chosen) > 900


def test_plain_values_come_from_arrays_without_axes():
    found = list(Dataset.from_tensor_slices((["a"], [1])).as_numpy_iterator())
    assert found == [(b"a", 1)] and type(found[0][1]) is np.int32


def test_interleave_marks_a_place_once_however_often_it_is_asked_past_its_end():
    iterator = iter(rows(3).interleave(lambda n: Dataset.range(50 * n), cycle_length=8))
    assert len(list(iterator)) == 150
    assert len(iterator._pass.reader._marks) <= 4


def test_an_iterator_is_asked_for_its_next_element():
    elements = Dataset.range(3).as_numpy_iterator()
    assert [int(elements.next()), int(elements.get_next()), int(next(elements))] == [0, 1, 2]
