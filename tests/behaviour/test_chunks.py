"""How the batches of an epoch come to the device: which of them come together, in what memory, and with which rows."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

import cornu
from cornu.data import Dataset
from cornu.training.data import chunks
from cornu.training.data.batches import make_batches
from cornu.training.data.chunks import Chunk, array_chunks, chunk_size, feed, packed, stacked_chunks
from cornu.training.execution.steps_per_call import StepsPerCall

X = np.arange(22, dtype="float32").reshape(11, 2)
Y = np.arange(11)
FREE, FIXED = StepsPerCall(None, loops=True), StepsPerCall(3, loops=True)
ONE = StepsPerCall(1, loops=False)


def arrays(rows=2, **arguments):
    return make_batches(X, Y, batch_size=rows, shuffle=False, owner="fit", **arguments)


def source(lengths=(2, 2, 2, 2), reused=False):
    """A generator's batches of so many rows, all in one piece of memory if it is reused."""
    memory = np.zeros((4, 2), "float32")

    def generate():
        for number, length in enumerate(lengths):
            made = memory[:length] if reused else np.zeros((length, 2), "float32")
            made[...] = number
            yield made, np.full(length, number)

    return make_batches(generate(), owner="fit")


def fed(batches, pace, full=None, start=0, grouped=True, jit=True, parts=3):
    with feed(batches, 0, pace, start=start, full=full, parts=parts, grouped=grouped, jit=jit) as items:
        return list(items)


def rows_of(item):
    """The real rows of `x` in a chunk or a pair, batch by batch."""
    if not isinstance(item, Chunk):
        data, rows = item
        return [np.asarray(data[0])[:rows]]
    x = np.asarray(item.data[0])
    counts = [x.shape[1]] * item.steps if item.rows is None else item.rows
    return [x[step, : counts[step]] for step in range(item.steps)]


def steps_of(items):
    return [item.steps if isinstance(item, Chunk) else "pair" for item in items]


@pytest.mark.parametrize("full", [None, 2])
@pytest.mark.parametrize("start", [0, 1, 4])
@pytest.mark.parametrize("pace", [FREE, FIXED])
def test_arrays_come_whole_in_their_order_however_they_are_cut(pace, start, full):
    items = fed(arrays(), pace, full, start)
    np.testing.assert_array_equal(np.concatenate([rows for item in items for rows in rows_of(item)]), X[2 * start :])
    assert (steps_of(items)[-1] == "pair") == (full is None)
    assert all((item.rows is None) == (full is None) for item in items if isinstance(item, Chunk))


def test_the_first_chunks_are_short_and_those_after_them_are_full(monkeypatch):
    monkeypatch.setattr(chunks, "FIRST_STEPS", 1)
    batches = make_batches(np.zeros((90, 1), "float32"), batch_size=2, shuffle=False, owner="fit")
    sizes = lambda fixed: [chunk.steps for chunk in array_chunks(batches, 0, 0, 16, None, fixed)]
    assert sizes(fixed=False) == [1, 4, 16, 16, 8]
    assert sizes(fixed=True) == [16, 16, 13]
    assert all(len(chunk.data[0]) == 16 for chunk in array_chunks(batches, 0, 0, 16, None, False))


def test_a_chunk_that_is_not_full_says_how_many_rows_of_its_last_batch_count():
    (chunk,) = array_chunks(arrays(4), 0, 0, 5, 4, True)
    assert chunk.steps == 3 and chunk.rows.tolist() == [4, 4, 3, 4, 4] and chunk.rows.dtype == "int32"
    np.testing.assert_array_equal(chunk.data[0][2], [*X[8:], X[8]])  # a row of the same batch fills it up


def test_arrays_come_one_by_one_where_each_step_is_a_call():
    assert steps_of(fed(arrays(), ONE)) == ["pair"] * 6
    assert steps_of(fed(arrays(), StepsPerCall(2, loops=True))) == [2, 2, 1, "pair"]


def test_a_last_batch_that_is_full_needs_no_pair():
    items = list(array_chunks(make_batches(X[:8], batch_size=2, shuffle=False, owner="fit"), 0, 0, 3, None, True))
    assert steps_of(items) == [3, 1]


def test_shuffled_arrays_come_in_the_order_of_the_epoch():
    batches = make_batches(X, Y, batch_size=2, shuffle=True, seed=3, owner="fit")
    items = fed(batches, FIXED, 2)
    np.testing.assert_array_equal(np.concatenate([r for item in items for r in rows_of(item)]), X[batches.order(0)])


def test_chunks_lie_in_memory_that_the_device_uses_as_it_is():
    for dtype in ("float32", ">f4", "int8"):
        data = np.zeros((7, 3), dtype)
        (chunk,) = array_chunks(make_batches(data, batch_size=7, owner="predict", shuffle=False), 0, 0, 1, None, True)
        leaf = chunk.data[0]
        assert leaf.ctypes.data % 64 == 0 and leaf.shape == (1, 7, 3) and leaf.dtype.isnative


@pytest.mark.parametrize(
    "data", [X[::2], np.asfortranarray(X), X.astype(">f4"), np.broadcast_to(np.float32(3), (11, 2))],
    ids=["strided", "columns first", "other byte order", "one number"],
)  # fmt: skip
def test_rows_are_taken_from_arrays_of_any_layout(data):
    batches = make_batches(data, batch_size=2, shuffle=False, owner="predict")
    items = fed(batches, FIXED, 2, parts=1)
    np.testing.assert_array_equal(np.concatenate([r for item in items for r in rows_of(item)]), data)


@pytest.mark.parametrize(
    "rows, row_bytes, pace, size",
    [
        (2, 8, FREE, 128),  # as many as may be
        (2, 2**20, FREE, 8),  # 16 MiB of them
        (1, 2**23, FREE, 8),  # few, so 64 MiB
        (1, 2**25, FREE, 2), (1, 2**27, FREE, 1),
        (2, 2**27, FIXED, 3), (2, 8, ONE, 1), (2, 8, StepsPerCall(None, loops=False), 1),
    ],
)  # fmt: skip
def test_a_chunk_is_some_megabytes_of_batches(rows, row_bytes, pace, size):
    leaf = np.broadcast_to(np.int8(0), (rows, row_bytes))
    batches = SimpleNamespace(num_batches=None, arrays=None, example=lambda: (leaf, None, None))
    assert chunk_size(batches, pace) == size
    batches.num_batches = 1
    assert chunk_size(batches, pace) == 1


def test_batches_without_bytes_are_put_together_too():
    batches = SimpleNamespace(num_batches=None, arrays=None, example=lambda: (np.zeros((2, 0)), None, None))
    assert chunk_size(batches, FREE) == 128


def test_batches_of_a_source_wait_for_one_another_until_they_make_a_call():
    items = fed(source((2,) * 7), FIXED)
    assert steps_of(items) == [3, 3, 1]
    assert [rows[0, 0] for item in items for rows in rows_of(item)] == list(range(7))
    assert steps_of(fed(source(), FIXED, grouped=False)) == ["pair"] * 4
    assert steps_of(fed(source(), ONE)) == ["pair"] * 4
    assert steps_of(fed(source(), StepsPerCall(2, loops=True))) == [2, 2]


def test_batches_of_other_shapes_do_not_wait_for_one_another():
    items = fed(source((2, 2, 3, 2, 2, 2, 2)), FIXED)
    assert steps_of(items) == [2, 1, 3, 1]
    assert [rows.shape[0] for item in items for rows in rows_of(item)] == [2, 2, 3, 2, 2, 2, 2]


def test_padded_batches_of_a_source_say_which_rows_count():
    (chunk,) = fed(source((4, 3)), FIXED, full=4)
    assert chunk.rows[:2].tolist() == [4, 3] and chunk.data[0].shape == (3, 4, 2)


@pytest.mark.parametrize("pace, jit", [(FIXED, True), (ONE, True)])
def test_a_source_may_write_the_next_batch_into_the_same_memory(pace, jit):
    items = fed(source(reused=True), pace, jit=jit)
    assert [rows[0, 0] for item in items for rows in rows_of(item)] == [0, 1, 2, 3]


def test_a_call_takes_as_many_batches_as_the_pace_says_by_then():
    pace = StepsPerCall(None, loops=True)
    pairs = ((np.full((2, 1), number), None) for number in range(8))
    found = []
    for chunk in stacked_chunks(pairs, 4, pace):
        found.append([int(leaf[0, 0]) for leaf in chunk.data[: chunk.steps]])
        pace.steps = min(2 * pace.steps, 8)  # more than there is room for
    assert found == [[0], [1, 2], [3, 4, 5, 6], [7]]


def test_text_stays_with_the_host():
    words = np.array(["sea", "sky"])
    batches = make_batches(iter([(words, np.zeros(2, "float32"))]), owner="fit")
    (((x, y), rows),) = fed(batches, ONE)
    assert x is words or (isinstance(x, np.ndarray) and x.tolist() == words.tolist())
    assert rows is None and not isinstance(y, np.ndarray)


def test_an_uncompiled_step_is_given_numpy_arrays():
    assert all(isinstance(data[0], np.ndarray) for data, _ in fed(source(), ONE, jit=False))


def test_a_step_takes_as_much_of_a_batch_as_it_needs():
    assert packed((X, None, None)) == (X,) and packed((X,)) == (X,)
    assert [leaf is None for leaf in packed((X, Y, None))] == [False, False]
    assert [leaf is None for leaf in packed((X, None, Y))] == [False, True, False]
    assert all(len(data) == 1 for data, _ in fed(source(), ONE, parts=1))


@pytest.mark.parametrize("jit", [True, False])
def test_a_thread_stays_ahead_of_the_device_but_a_generator_runs_where_fit_was_called(jit):
    threads = []

    def generate():
        for _ in range(5):
            threads.append(threading.current_thread())
            yield X[:2], Y[:2]

    class Source:
        def __iter__(self):
            return generate()

    for made, ahead in ((generate(), False), (Source(), jit)):
        threads.clear()
        batches = make_batches(made, owner="fit")
        batches.example()
        assert len(fed(batches, ONE, jit=jit)) == 5
        assert (threads[-1] is not threading.main_thread()) == ahead


def test_data_that_fits_stays_on_the_device(monkeypatch):
    batches = arrays()
    monkeypatch.setattr(chunks, "_room", lambda: sum(leaf.nbytes for leaf in packed(batches.arrays)))
    for full in (None, 2):
        items = fed(batches, FREE, full)
        np.testing.assert_array_equal(np.concatenate([r for item in items for r in rows_of(item)]), X)
        assert not isinstance(items[0].data[0], np.ndarray)
    assert chunk_size(batches, FREE) == 128


def test_a_device_gives_a_part_of_its_free_memory_to_data(monkeypatch):
    device = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 1000, "bytes_in_use": 200})
    monkeypatch.setattr(chunks.jax, "local_devices", lambda backend: [device])
    assert chunks._room() == 0  # a CPU's memory is the host's
    monkeypatch.setattr(chunks.platform, "name", lambda: "gpu")
    assert chunks._room() == 200
    device.memory_stats = lambda: None  # as with some kinds of devices
    assert chunks._room() == 0


def test_what_layers_in_a_map_made_reaches_the_step_without_a_copy():
    made = []
    data = Dataset.from_tensor_slices((X[:8], Y[:8])).batch(4)
    data = data.map(lambda x, y: (made.append(cornu.ops.multiply(x, 2)) or made[-1], y))
    places = [batch[0].unsafe_buffer_pointer() for batch, _ in fed(make_batches(data, owner="fit"), ONE)]
    assert set(places) <= {array.unsafe_buffer_pointer() for array in made} and len(places) == 2
