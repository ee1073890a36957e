"""Sequences, time series and data sets in two parts, before a model."""

import numpy as np
import pytest

import cornu
from cornu import utils

ROWS = [[1], [2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"padding": "post", "value": -1}, [[1, -1, -1], [2, 3, -1], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 4, "padding": "post", "dtype": "float32", "value": 0.5},
         [[1, 0.5, 0.5, 0.5], [2, 3, 0.5, 0.5], [4, 5, 6, 0.5]]),
    ],
)  # fmt: skip
def test_rows_are_padded_and_cut_to_one_length(arguments, wanted):
    result = utils.pad_sequences(ROWS, **arguments)
    assert result.tolist() == wanted
    assert result.dtype == arguments.get("dtype", "int32")


def test_rows_of_vectors_and_of_texts_are_padded_too():
    assert utils.pad_sequences([[[1, 1]], [[2, 2], [3, 3]]]).tolist() == [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]
    assert utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="").tolist() == [["", "a"], ["b", "c"]]
    assert utils.pad_sequences([[], [1]]).tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (5, {}, "must be a list of sequences"),
        ([1, 2], {}, "must be a list of sequences"),
        (ROWS, {"padding": "left"}, 'padding must be "pre" or "post"'),
        (ROWS, {"truncating": "left"}, 'truncating must be "pre" or "post"'),
        (ROWS, {"value": "x"}, "strings require dtype=object"),
        ([[[1, 1]], [[2, 2, 2]]], {}, "items must have the same shape"),
    ],
)
def test_rows_that_make_no_table_are_refused(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.pad_sequences(rows, **arguments)


def test_windows_slide_over_a_time_series():
    data, targets = np.arange(12.0), np.arange(12.0) * 10
    windows = utils.timeseries_dataset_from_array(data, targets, 3, sequence_stride=2, sampling_rate=2, batch_size=3)
    (x, y), (rest, _) = list(windows)
    assert x.tolist() == [[0, 2, 4], [2, 4, 6], [4, 6, 8]] and y.tolist() == [0, 20, 40]
    assert rest.tolist() == [[6, 8, 10]]
    part = utils.timeseries_dataset_from_array(data, targets, 3, start_index=2, end_index=9)
    x, y = next(iter(part))
    assert x[:, 0].tolist() == [2, 3, 4, 5, 6] and y.tolist() == [20, 30, 40, 50, 60]
    alone = utils.timeseries_dataset_from_array(data.reshape(6, 2), None, 2, batch_size=None)
    assert len(alone) == 5 and list(alone)[1].tolist() == [[2, 3], [4, 5]]


def test_shuffled_windows_are_all_there_in_another_order_each_time():
    make = lambda: utils.timeseries_dataset_from_array(np.arange(30), None, 3, shuffle=True, seed=1, batch_size=8)
    windows = make()
    first, second = ([int(w[0]) for batch in windows for w in batch] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(28))
    assert first != second
    assert first == [int(w[0]) for batch in make() for w in batch]


def test_a_model_learns_from_windows():
    data = np.sin(np.arange(200.0) / 5).astype("float32")
    windows = utils.timeseries_dataset_from_array(data[:-4], data[4:], 4, batch_size=16, shuffle=True, seed=0)
    model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(1)])
    model.compile(cornu.optimizers.SGD(0.1), "mse")
    losses = model.fit(windows, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_index": -1}, "start_index must be an integer of zero or more"),
        ({"start_index": 5, "end_index": 3}, "start_index must be less than end_index"),
        ({"end_index": 30}, "both must be within the data of length 12"),
        ({"sequence_length": 30}, r"no window fits: .* need 30 steps. Received: data of 12 steps\."),
        ({"sampling_rate": 0}, "sampling_rate must be a positive integer"),
        ({"format": "grain"}, 'format must be "tf"'),
    ],
)
def test_windows_that_fit_nowhere_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.timeseries_dataset_from_array(np.arange(12), None, **{"sequence_length": 3, **arguments})


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.3}, [0, 1, 2], [3, 4, 5, 6, 7, 8, 9]),
        ({"right_size": 3}, [0, 1, 2, 3, 4, 5, 6], [7, 8, 9]),
        ({"left_size": 2, "right_size": 3}, [0, 1], [7, 8, 9]),
        ({"left_size": 0.33}, [0, 1, 2], [3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_a_data_set_is_split_by_number_or_fraction(sizes, left, right):
    parts = utils.split_dataset(np.arange(10), **sizes)
    assert [list(part) for part in parts] == [left, right]
    assert [list(part) for part in parts] == [left, right]  # as often as wanted


def test_samples_and_labels_stay_together_when_mixed():
    x = np.arange(20.0).reshape(10, 2)
    left, right = utils.split_dataset((x, x[:, 0]), left_size=6, shuffle=True, seed=3)
    items = [*left, *right]
    assert sorted(float(y) for _, y in items) == x[:, 0].tolist() != [float(y) for _, y in items]
    assert all(row[0] == y for row, y in items)
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(left.batch(4), validation_data=right.batch(2), verbose=0)
    assert [len(y) for _, y in left.batch(4)] == [4, 2]


def test_a_pipeline_is_split_between_its_elements():
    data = cornu.data.Dataset.from_tensor_slices({"a": np.arange(10), "b": np.arange(10.0)})
    left, right = utils.split_dataset(data.shuffle(10, seed=0), left_size=0.7)
    assert (len(left), len(right)) == (7, 3)
    for _ in range(2):  # shuffling once, before the split, leaves no element on both sides
        assert sorted(int(item["a"]) for item in [*left, *right]) == list(range(10))
    left, right = utils.split_dataset(data.batch(4), right_size=3)
    assert [batch["b"].tolist() for batch in left] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [batch["b"].tolist() for batch in right] == [[7, 8, 9]]
    with pytest.raises(ValueError, match="is infinite"):
        utils.split_dataset(data.repeat(), left_size=3)


def test_items_by_number_are_split():
    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return index, index**2

    _, right = utils.split_dataset(Squares(), left_size=3)
    assert [(int(x), int(y)) for x, y in right] == [(3, 9), (4, 16)]


@pytest.mark.parametrize(
    ("data", "sizes", "error", "message"),
    [
        (np.arange(4), {}, ValueError, "pass left_size, right_size or both"),
        (np.arange(4), {"left_size": 4}, ValueError, "an integer from 1 to 3"),
        (np.arange(4), {"left_size": 1.5}, ValueError, "a fraction from 0 to 1"),
        (np.arange(4), {"left_size": 0.5, "right_size": 0.75}, ValueError, "at most 4"),
        (np.arange(4), {"left_size": 0.01}, ValueError, "both parts must be non-empty"),
        (np.arange(4), {"left_size": "a"}, TypeError, "must be an integer or a fraction"),
        ([1, 2], {"left_size": 1}, ValueError, "must contain NumPy arrays"),
        ((np.arange(4), np.arange(3)), {"left_size": 1}, ValueError, "must have the same length"),
        (iter([1]), {"left_size": 1}, TypeError, "has no items by index"),
        (np.arange(4), {"left_size": 1, "preferred_backend": "torch"}, ValueError, "preferred_backend must be"),
    ],
)
def test_a_split_that_cannot_be_is_refused(data, sizes, error, message):
    with pytest.raises(error, match=message):
        utils.split_dataset(data, **sizes)
