"""Data sets of texts and tables are prepared as Keras prepares them: the same rows in the same order."""

import importlib

import numpy as np
import pytest
from oracle import ORACLE

from cornu.datasets import published

RANDOM = np.random.RandomState(0)


def texts(count: int) -> np.ndarray:
    array = np.empty(count, object)
    array[:] = [RANDOM.randint(1, 200, RANDOM.randint(3, 9)).tolist() for _ in range(count)]
    return array


FILES = {
    "imdb": {"x_train": texts(12), "y_train": np.arange(12) % 2, "x_test": texts(10), "y_test": np.arange(10) % 3},
    "reuters": {"x": texts(17), "y": np.arange(17)},
    "boston_housing": {"x": RANDOM.normal(size=(11, 2)), "y": np.arange(11.0)},
    "california_housing": {"x": np.arange(700, dtype="float32")[:, None], "y": np.arange(700, dtype="float32")},
}
CASES = [
    ("imdb", {}),
    ("imdb", {"num_words": 100, "skip_top": 10}),
    ("imdb", {"num_words": 100, "oov_char": None}),
    ("imdb", {"skip_top": 1000}),
    ("imdb", {"maxlen": 6, "seed": 3}),
    ("imdb", {"start_char": None, "index_from": 0}),
    ("imdb", {"start_char": None, "index_from": None, "oov_char": 9, "num_words": 50}),
    ("imdb", {"start_char": 0, "index_from": 0}),
    ("reuters", {}),
    ("reuters", {"num_words": 100, "skip_top": 10, "maxlen": 6, "test_split": 0.4}),
    ("reuters", {"test_split": 1.0, "seed": 5}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0.5, "seed": 1}),
    ("boston_housing", {"test_split": 0.0}),
    ("california_housing", {"test_split": 0.99}),
    ("california_housing", {"version": "small", "test_split": 0.95}),
]


@pytest.mark.parametrize(("name", "given"), CASES)
def test_the_same_rows_in_the_same_order(name, given, tmp_path, monkeypatch):
    path = tmp_path / f"{name}.npz"
    np.savez(path, **FILES[name])
    monkeypatch.setitem(published.FILES, name, published.Published(path.as_uri()))

    def loaded(keras):
        if keras.__name__ == "keras":
            module = importlib.import_module(f"keras.src.datasets.{name}")
            monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(path))
            parts = module.load_data(**given)
        else:
            parts = getattr(keras.datasets, name).load_data(path=path, **given)
        return [[x.tolist(), y, list(x.shape), x.dtype.str] for x, y in parts]

    ours, keras_s = ORACLE.both(loaded)
    for own, theirs in zip(ours, keras_s, strict=True):
        np.testing.assert_array_equal(own[1], theirs[1])
        assert own[1].dtype == theirs[1].dtype
        assert [own[0], *own[2:]] == [theirs[0], *theirs[2:]]


def test_the_topics_have_the_same_names():
    ours, keras_s = ORACLE.both(lambda keras: keras.datasets.reuters.get_label_names())
    assert ours == keras_s
