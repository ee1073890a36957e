"""Messages that point at the cause, for mistakes that a newcomer makes."""

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.data import Dataset


def _single_rows():
    for _ in range(4):
        yield np.ones(3, "float32"), np.ones(1, "float32")


@pytest.mark.parametrize("kind", ["dataset", "generator"])
def test_a_forgotten_batch_is_named(kind):
    rows = (np.ones((4, 3), "float32"), np.ones((4, 1), "float32"))
    source = Dataset.from_tensor_slices(rows) if kind == "dataset" else _single_rows()
    model = cornu.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"single rows rather than batches, add \.batch\(32\)"):
        model.fit(source, verbose=0)


def test_a_generator_of_scalar_targets_is_told_to_yield_batches():
    model = cornu.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="A generator of single rows must yield batches"):
        model.fit(((np.ones(3, "float32"), np.float32(1)) for _ in range(4)), verbose=0)


def test_einsum_dense_says_where_none_may_stand():
    with pytest.raises(TypeError, match=r"a size or None for each output axis.*\(None, 5\)"):
        layers.EinsumDense("abc,cd->abd", output_shape=None)


def test_slices_of_different_lengths_are_told_by_their_place():
    with pytest.raises(ValueError, match=r"\{'left': 64, 'right': 5\}"):
        Dataset.from_tensor_slices({"left": np.ones(64), "right": np.ones(5)})


@pytest.mark.parametrize("patience", [0, 1])
def test_no_patience_and_a_patience_of_one_stop_at_the_first_epoch_that_does_not_improve(patience):
    model = cornu.Sequential([cornu.Input((1,)), layers.Dense(1)])
    model.compile(cornu.optimizers.SGD(0.0), "mse")
    stop = cornu.callbacks.EarlyStopping("loss", patience=patience)
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=4, callbacks=[stop], verbose=0)
    assert history.epoch == [0, 1]
