"""Data sets where they are used: in `fit` and its kin, and with layers within `map`."""

import jax
import numpy as np
import pandas
import polars
import pytest

import cornu
from cornu import layers
from cornu.data import Dataset
from cornu.random.seed_generator import Draws, draws_of_element

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")


@pytest.fixture(scope="module")
def model():
    return compiled()


def compiled():
    cornu.utils.set_random_seed(1)
    made = cornu.Sequential([cornu.Input((3,)), layers.Dense(2, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def pairs():
    return Dataset.from_tensor_slices((X, Y))


# ------------------------------------------------------------------ fit, evaluate, predict, adapt


def test_fit_shows_the_steps_of_a_data_set_and_reads_it_anew_each_epoch(capsys):
    orders = []
    data = pairs().shuffle(24).map(lambda x, y: orders.append(int(x[0] * 1e6)) or (x, y)).batch(8)
    history = compiled().fit(data, epochs=2, validation_data=pairs().batch(5), class_weight={0: 1.0, 1: 2.0}, verbose=2)
    assert "3/3" in capsys.readouterr().out
    assert sorted(orders[:24]) == sorted(orders[24:]) and orders[:24] != orders[24:]
    assert {"loss", "val_loss"} < set(history.history)


def test_a_data_set_trains_as_its_arrays_do():
    one, other = compiled(), compiled()
    one.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    other.fit(pairs().batch(8).prefetch(2), epochs=2, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_evaluate_and_predict_take_data_sets(model):
    assert model.evaluate(pairs().batch(7), verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))
    inputs = Dataset.from_tensor_slices(X).batch(7)
    np.testing.assert_allclose(model.predict(inputs, verbose=0), model.predict(X, verbose=0), rtol=1e-5)


@pytest.mark.parametrize(("data", "error", "message"), [
    (pairs, ValueError, r"from_tensor_slices given as x yields single samples.* data.batch\(32\)"),
    (lambda: pairs().batch(4).repeat(), ValueError, "Dataset is infinite, so steps_per_epoch must give"),
    (lambda: pairs().take(0).batch(4), ValueError, r"take\(0\) → batch\(4\) given as x is empty"),
    (lambda: pairs().batch(4).map(lambda x, y: x / None), cornu.errors.DataError, r"batch\(4\) → map.* element 0"),
    (lambda: pairs().batch(4).map(lambda x, y: ([x, y], y)), cornu.errors.DataError, r"Use a tuple: \(x, y\)"),
])  # fmt: skip
def test_errors_name_the_data_set(model, data, error, message):
    with pytest.raises(error, match=message):
        model.fit(data(), verbose=0)


def test_endless_data_with_steps_goes_on_from_epoch_to_epoch():
    seen = []
    data = Dataset.range(10**9).map(lambda i: seen.append(int(i)) or (X[:4] + i, Y[:4]))
    compiled().fit(data.apply(lambda d: d.repeat()), steps_per_epoch=3, epochs=2, verbose=0)
    assert seen[:6] == list(range(6))


def test_layers_learn_from_data_sets():
    layer = layers.Normalization()
    layer.adapt(pairs().map(lambda x, y: x).batch(5))
    np.testing.assert_allclose(layer.adapted_mean.numpy(), X.mean(0), atol=1e-6)
    words = layers.TextVectorization()
    words.adapt(Dataset.from_tensor_slices(["a b", "a"]).batch(2))
    assert words.get_vocabulary() == ["", "[UNK]", "a", "b"]


# ------------------------------------------------------------------ other libraries' data


def foreign(module, **members):
    """A class as if it came from another library."""
    return type("Dataset", (), {"__module__": module, **members})


def batches():
    return [(X[i : i + 8], Y[i : i + 8]) for i in range(0, 24, 8)]


def sources():
    grain = foreign(
        "grain._src.python.dataset.dataset", __iter__=lambda self: iter(batches()), __len__=lambda self: 3,
        __getitem__=lambda self, i: batches()[i],
    )  # fmt: skip
    tensor = foreign(
        "torch", detach=lambda self: self, cpu=lambda self: self, is_sparse=False, dtype="torch.float32",
        resolve_conj=lambda self: self, resolve_neg=lambda self: self, numpy=lambda self: self.array,
        shape=property(lambda self: self.array.shape), ndim=property(lambda self: self.array.ndim),
    )  # fmt: skip

    def as_tensor(array):
        made = tensor()
        made.array = array
        return made

    loader = foreign(
        "torch.utils.data.dataloader", __len__=lambda self: 3,
        __iter__=lambda self: ([as_tensor(x), as_tensor(y)] for x, y in batches()),
    )  # fmt: skip
    real = foreign(
        "tensorflow.python.data", as_numpy_iterator=lambda self: iter(batches()), cardinality=lambda self: 3,
        __iter__=None, __len__=lambda self: 3,
    )  # fmt: skip
    real.__iter__ = lambda self: iter(())
    return {"grain": grain(), "torch": loader(), "tensorflow": real()}


@pytest.mark.parametrize("name", ["grain", "torch", "tensorflow"])
def test_loaders_of_other_libraries(model, name):
    expected = model.evaluate(X, Y, batch_size=8, verbose=0)
    assert model.evaluate(sources()[name], verbose=0) == pytest.approx(expected)


def arrow_table():
    column = foreign("pyarrow.lib", __array__=lambda self, dtype=None, copy=None: self.array)

    def made(array):
        one = column()
        one.array = array
        return one

    return foreign("pyarrow.lib", columns=[made(part) for part in X.T], shape=X.shape)()


@pytest.mark.parametrize("table", [
    lambda: pandas.DataFrame(X), lambda: polars.DataFrame(X), arrow_table,
    lambda: dict(pandas.DataFrame({"a": X[:, 0]})),
])  # fmt: skip
def test_tables(model, table):
    x = table()
    if isinstance(x, dict):
        first = next(iter(Dataset.from_tensor_slices((x, Y)).batch(24)))
        np.testing.assert_array_equal(first[0]["a"], X[:, 0])
    else:
        assert model.evaluate(x, Y, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))


def test_a_hugging_face_data_set_is_its_columns():
    columns = {"a": X[:, :2].tolist(), "b": X[:, 2].tolist()}
    table = foreign(
        "datasets.arrow_dataset", column_names=["a", "b"], shape=(24, 2), __getitem__=lambda self, name: columns[name],
        __iter__=lambda self: iter([]), __len__=lambda self: 24,
    )()  # fmt: skip
    a, b = cornu.Input((2,), name="a"), cornu.Input((1,), name="b")
    joined = cornu.Model({"a": a, "b": b}, layers.Concatenate()([a, b]))
    np.testing.assert_allclose(joined.predict(table, verbose=0), X, rtol=1e-6)


# ------------------------------------------------------------------ layers within map

IMAGES = [
    np.random.default_rng(size).integers(0, 255, (size, size + 3, 3)).astype("uint8") for size in range(8, 14)
]  # fmt: skip
LAYERS = {
    "Rescaling": lambda: layers.Rescaling(1 / 255),
    "Resizing": lambda: layers.Resizing(6, 5),
    "Normalization": lambda: layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]),
    "CenterCrop": lambda: layers.CenterCrop(4, 4),
    "RandomCrop": lambda: layers.RandomCrop(4, 4, seed=1),
    "RandomFlip": lambda: layers.RandomFlip(seed=1),
    "RandomContrast": lambda: layers.RandomContrast(0.3, seed=1),
    "RandomRotation": lambda: layers.RandomRotation(0.2, seed=1),
    "RandomZoom": lambda: layers.RandomZoom(0.3, seed=1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_a_map_compile_nothing_for_a_new_size_and_give_the_same(name, compilations):
    cornu.utils.set_random_seed(5)
    layer, same = LAYERS[name](), LAYERS[name]()
    data = Dataset.from_tensor_slices(IMAGES)
    call = (lambda x: layer(x, training=True)) if name.startswith("Random") else layer
    found = list(data.take(2).map(call).as_numpy_iterator())
    before = compilations.number
    found += list(data.skip(2).map(call).as_numpy_iterator())
    assert compilations.number == before
    assert all(type(image) is np.ndarray for image in found)
    call = (lambda x: same(x, training=True)) if name.startswith("Random") else same
    for index, (image, made) in enumerate(zip(IMAGES[:2], found, strict=False)):
        before = draws_of_element.set(Draws(lambda: (5, 0), (0,), index))  # the first step, in its first pass
        np.testing.assert_allclose(np.asarray(call(image), "float32"), made, atol=1e-3)
        draws_of_element.reset(before)


NOISE = {
    "a layer": lambda: layers.GaussianNoise(1.0),
    "a layer with a seed": lambda: layers.GaussianNoise(1.0, seed=4),
    "a model": lambda: cornu.Sequential([layers.GaussianNoise(1.0), layers.Dropout(0.2)]),
    "an operation": lambda: lambda x, training: x + cornu.random.normal(x.shape),
    "layers that change images": lambda: cornu.Sequential([layers.RandomBrightness(0.2), layers.RandomBrightness(0.1)]),
}


@pytest.mark.parametrize("kind", NOISE)
def test_what_is_drawn_for_an_element_is_the_same_in_any_thread_and_differs_by_pass_step_and_element(kind):
    def noisy(calls=None):
        cornu.utils.set_random_seed(5)
        noise = NOISE[kind]()

        def change(x):
            return np.asarray(noise(x, training=True))

        rows = Dataset.from_tensor_slices(np.full((6, 4, 4, 3), 100, "float32"))
        once = rows.map(change, num_parallel_calls=calls)
        return [list(once.as_numpy_iterator()), list(once.as_numpy_iterator()), list(once.map(change, calls))]

    found = noisy()
    np.testing.assert_array_equal(found, noisy(3))
    flat = np.reshape(found, (18, -1))
    assert len(np.unique(flat, axis=0)) == 18
    assert len(np.unique(np.r_[flat[12:] - flat[:6], flat[:6] - 100], axis=0)) == 12


def test_several_layers_as_one(compilations):
    augment = cornu.Sequential([layers.RandomFlip(seed=1), layers.Rescaling(2.0)])
    data = Dataset.from_tensor_slices((IMAGES, np.arange(6))).map(lambda x, y: (augment(x, training=True), y))
    for (x, y), image in zip(data, IMAGES, strict=True):
        assert x.shape == image.shape and x.sum() == 2 * image.sum(dtype="float64")


def test_a_layer_of_my_own_that_overrides_one_is_called_as_it_is():
    class Shout(layers.Rescaling):
        def call(self, inputs):
            calls.append(type(inputs))
            return super().call(inputs)

    calls = []
    list(Dataset.from_tensor_slices(IMAGES).map(Shout(2.0)))
    assert len(calls) == len(IMAGES) and not any(issubclass(kind, jax.core.Tracer) for kind in calls)


def test_text_in_a_map():
    words = layers.TextVectorization(output_sequence_length=3)
    words.adapt(["a b c"])
    rows = Dataset.from_tensor_slices(["c", "a b"]).map(words)
    assert [row.tolist() for row in rows] == [[2, 0, 0], [4, 3, 0]]
