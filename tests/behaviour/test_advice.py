"""Mistakes that raise no error are said once, with the cure; of a healthy script nothing is said.

Warnings are errors in these tests, so a healthy script that is told something fails.
"""

import re
import warnings

import numpy as np
import pytest

import cornu
from cornu import layers

random = np.random.default_rng(0)
X = random.normal(size=(24, 4)).astype("float32")
KINDS = random.permutation(np.arange(24) % 3)
YES = (KINDS > 0).astype("int32")
PRICES = random.normal(size=(24, 1)).astype("float32")
ONE_HOT = np.eye(3, dtype="float32")[KINDS]
PIXELS = random.integers(0, 256, (24, 4, 4, 1)).astype("uint8")
WORDS = random.integers(0, 50, (24, 6))
TABLE = random.normal(size=(120, 4)).astype("float32")
SUMS = TABLE.sum(1)
WINDOWS = np.lib.stride_tricks.sliding_window_view(np.sin(np.arange(160) / 9) + TABLE[0, 0], 5)
DIGITS = np.zeros((120, 8, 8), "float32")  # with a background around them
DIGITS[:, 2:6, 2:6] = random.random((120, 4, 4))
HOT = np.eye(4, dtype="float32")[random.integers(0, 3, (120, 3))].reshape(120, 12)  # of each four, one is never hot
TEXTS = (random.random((120, 400)) < np.linspace(0.2, 0.001, 400)) * random.integers(1, 4, (120, 400))


def net(*parts, loss="mse", optimizer="sgd", **arguments):
    model = cornu.Sequential([*parts])
    model.compile(optimizer, loss, **arguments)
    return model


def classes(activation="softmax", loss="sparse_categorical_crossentropy", units=3, **arguments):
    return net(cornu.Input((4,)), layers.Dense(units, activation), loss=loss, **arguments)


def with_a_hole(values, row=5, hole=np.nan):
    values = np.array(values, "float32")
    values[row, 0] = hole
    return values


def images(*first):
    return net(cornu.Input((4, 4, 1)), *first, layers.Flatten(), layers.Dense(1))


def several(metrics):
    x = cornu.Input((4,))
    model = cornu.Model(x, [layers.Dense(1, name="price")(x), layers.Dense(3, "softmax", name="kind")(x)])
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], metrics=metrics)
    return model


class Own(cornu.Model):
    """A model of one's own that gives what its last layer gives, or that times ten."""

    def __init__(self, activation=None, after=None):
        super().__init__()
        self.first, self.flat = layers.Dense(4, "relu"), layers.Flatten()
        self.block = cornu.Sequential([layers.Dropout(0.1), layers.Dense(3, activation)])
        self.after = after or (lambda x: x)

    def call(self, x):
        return self.after(self.flat(self.block(self.first(x))))


class PlainModel(cornu.Model):
    """A subclass that takes its input as it is."""

    def __init__(self):
        super().__init__()
        self.flat, self.first, self.last = layers.Flatten(), layers.Dense(2, name="first"), layers.Dense(1)

    def call(self, x):
        return self.last(self.first(self.flat(x)))


class NormalizedModel(PlainModel):
    """A subclass that normalizes behind its first layer."""

    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization()

    def call(self, x):
        return self.last(self.norm(self.first(self.flat(x))))


def subclassed(kind=PlainModel):
    model = kind()
    model.compile("sgd", "mse")
    return model


def own(loss="sparse_categorical_crossentropy", **arguments):
    model = Own(**arguments)
    model.compile("sgd", loss)
    return model


def words_model():
    return net(cornu.Input((6,), dtype="int32"), layers.Embedding(50, 3), layers.Flatten(), layers.Dense(1))


def columns(**values):
    """The table with other values in some columns, `_0=...`, `_3=...`."""
    changed = TABLE.copy()
    for name, value in values.items():
        changed[:, int(name[1:])] = value
    return changed


def regression(*first, width=4):
    return net(cornu.Input((width,)), *first, layers.Dense(1))


LOGITS = cornu.losses.SparseCategoricalCrossentropy(from_logits=True)

BEFORE_TRAINING = {"initial_epoch": 1, "epochs": 1}  # everything that `fit` does before the first step

# what a user does -> (model, x, y, arguments of fit, words of what is said)
MISTAKES = {
    "a row of padding alone": (
        lambda: net(layers.Embedding(50, 2, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(1)),
        np.where(np.arange(24)[:, None] == 7, 0, WORDS), PRICES, {"initial_epoch": 0},
        "nan.*x has rows.*masked.*row 7.*0 / 0"),
    "softmax over one unit": (
        lambda: classes("softmax", "binary_crossentropy", 1), X, YES, {}, "softmax over one unit.*sigmoid"),
    "softmax twice": (lambda: classes(loss=LOGITS), X, KINDS, {}, "from_logits=True, but.*softmax, which.*twice"),
    "softmax behind softmax": (
        lambda: net(cornu.Input((4,)), layers.Dense(3, "softmax"), layers.Softmax(),
                    loss="sparse_categorical_crossentropy"), X, KINDS, {}, "twice in a row.*Remove one"),
    "sigmoid behind sigmoid": (
        lambda: net(cornu.Input((4,)), layers.Dense(1, "sigmoid"), layers.Dropout(0.1), layers.Activation("sigmoid"),
                    loss="binary_crossentropy"), X, YES, {}, "twice in a row.*Remove one"),
    "sigmoid for classes": (
        lambda: classes("sigmoid"), X, KINDS, {}, "one class per row, but.*sigmoid.*softmax.*binary_crossentropy"),
    "a column of one large number": (
        regression, np.where(np.arange(4) == 2, -999, TABLE), SUMS, {}, "column 2 .* is -999 in every row"),
    "sigmoid twice": (
        lambda: classes("sigmoid", cornu.losses.BinaryCrossentropy(from_logits=True), 1), X, YES, {}, "sigmoid, which"),
    "no softmax": (lambda: classes(None), X, KINDS, {}, 'activation="softmax", or.*from_logits=True'),
    "no softmax, nested": (
        lambda: net(cornu.Input((4,)), cornu.Sequential([cornu.Input((4,)), layers.Dense(3)]),
                    loss="categorical_crossentropy"), X, ONE_HOT, {}, 'activation="softmax"'),
    "no sigmoid": (lambda: classes(None, "binary_crossentropy", 1), X, YES, {}, 'activation="sigmoid"'),
    "accuracy of a regression": (
        lambda: classes(None, "mse", 1, metrics=["accuracy"]), X, PRICES, {}, '"accuracy" counts.*metrics=."mae"'),
    "accuracy of one output that is a regression": (
        lambda: several([["accuracy"], ["accuracy"]]), X, [PRICES, KINDS], {}, 'output "price": the metric'),
    "labels that sigmoid cannot reach": (
        lambda: classes("sigmoid", "mse", 1), X, PRICES * 10 + 50, {}, "ends with sigmoid.*from 0 to 1, but labels"),
    "pixels as they are": (images, PIXELS, PRICES, {}, "from 0 to 25.* unscaled.*x / 255"),
    "pixels for a model of one's own": (
        subclassed, PIXELS, PRICES, {}, 'unscaled to Dense "first.*x / 255'),
    "a constant column for a model of one's own": (
        subclassed, np.where(np.arange(4) == 2, -999, TABLE), SUMS, {}, "column 2 .* is -999"),
    "columns of thousands": (
        lambda: classes(None, "mae", 1), X * 5000, PRICES, {}, 'unscaled to Dense "dense.*Normalization'),
    "sorted labels and validation_split": (
        classes, X, np.sort(KINDS), {"validation_split": 0.25}, "sorted.*all of it is class 2.*Shuffle"),
    "labels in groups and validation_split": (
        lambda: classes("softmax", "categorical_crossentropy"), X, np.repeat(np.eye(3)[[1, 2, 0]], 8, 0),
        {"validation_split": 0.25}, "sorted.*Shuffle"),
    "a cross-entropy over one unit": (
        lambda: classes("sigmoid", "categorical_crossentropy", 1), X, YES[:, None], {}, "over one unit is always 0"),
    "relu before from_logits": (lambda: classes("relu", LOGITS), X, KINDS, {}, "relu, which restricts"),
    "tanh for a probability": (
        lambda: classes("tanh", "binary_crossentropy", 1), X, YES, {}, 'ends with tanh. End it with.*"sigmoid"'),
    "no softmax in a model of one's own": (own, X, KINDS, {}, "ends without an activation"),
    "softmax twice in a model of one's own": (
        lambda: own(LOGITS, activation="softmax"), X, KINDS, {}, "ends with softmax, which"),
    "no softmax at the end of a block of one's own": (
        lambda: net(cornu.Input((4,)), Own(), loss="sparse_categorical_crossentropy"), X, KINDS, {}, "ends without"),
    "standardized counts": (
        lambda: classes("exponential", "poisson", 1), X, PRICES, {}, "poisson.* non-negative labels, but"),
    "a column of millions beside one of thousandths": (
        regression, TABLE * [1e6, 1, 1e-3, 1], SUMS, {}, "column 0 of the inputs is about .*column 2 about"),
    "a column of millionths": (
        lambda: net(cornu.Input((3, 4)), layers.LSTM(2), layers.Dense(1)), TABLE.reshape(40, 3, 4) * [1, 1e-6, 1, 1],
        SUMS[:40], {}, "column 1 about .*Normalization"),
    "a series of thousands in an LSTM": (
        lambda: net(cornu.Input((3, 1)), layers.LSTM(2), layers.Dense(1)), X[:, :3, None] + 2000, PRICES, {},
        "unscaled to LSTM"),
    "a column of one value": (regression, columns(_2=37.5), SUMS, {}, "column 2 of the inputs is 37.5 in every row"),
    "word numbers below 0": (words_model, WORDS - 1, PRICES, {}, "indices down to -1, and negative"),
    "word numbers that were scaled": (words_model, WORDS / 50, PRICES, {}, "looks up integers, and truncates 0"),
    "sorted labels and no shuffling": (
        classes, TABLE, np.arange(120) // 40, {"shuffle": False}, "shuffle=False most batches contain a single class"),
    "labels in groups, one-hot, and no shuffling": (
        lambda: classes(loss="categorical_crossentropy"), TABLE, np.eye(3)[np.arange(120) // 40],
        {"shuffle": False, "batch_size": 8}, "shuffle=False"),
    "validation on what is trained on": (
        regression, TABLE, SUMS, {"validation_data": (TABLE, SUMS)}, r"validation rows are.*row 0 is row 0"),
    "validation on some of what is trained on": (
        regression, TABLE, SUMS, {"validation_data": (np.r_[TABLE[40:60], 1 - TABLE[:80]], SUMS[:100])},
        r"about 20% of the validation rows.*row 0 is row 40"),
    "pictures in both parts": (
        lambda: net(cornu.Input((8, 8)), layers.Flatten(), layers.Dense(1)), np.r_[DIGITS, DIGITS], np.r_[SUMS, SUMS],
        {"validation_split": 0.5}, "validation rows are"),
    "NaN in the data": (lambda: classes(None, "mse", 1), with_a_hole(X), PRICES, {}, r"x contains NaN .*row 5"),
    "NaN in the labels": (lambda: classes(None, "mse", 1), X, with_a_hole(PRICES), {}, "y contains NaN .*row 5"),
    "infinity in the data": (lambda: classes(None, "mse", 1), with_a_hole(X, 3, np.inf), PRICES, {},
                             "contains infinity"),
    "NaN in the validation data": (
        lambda: classes(None, "mse", 1), X, PRICES, {"validation_data": (X, with_a_hole(PRICES))}, "y contains NaN"),
    "too high a rate": (
        lambda: classes(None, "mse", 1, optimizer=cornu.optimizers.SGD(1e30)), X, PRICES, {"epochs": 4},
        r"no NaN, so.*smaller learning rate than 1e\+30"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_silent_mistake_is_said_once_with_its_cure(name):
    make, x, y, arguments, words = MISTAKES[name]
    model = make()
    arguments = arguments if "NaN" in words or "infinity" in words else BEFORE_TRAINING | arguments
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(x, y, verbose=0, **arguments)
        model.fit(x, y, verbose=0, **arguments)
    said = [str(w.message).replace("\n", " ") for w in seen if w.category is UserWarning]
    assert len(said) == 1, said
    assert re.search(words, said[0]), said[0]
    assert all(w.filename == __file__ for w in seen if w.category is UserWarning)


def twice(good, bad):
    """A user's generator of a good batch and a bad one."""
    yield good
    yield bad


# what cannot work, in a first or a later batch -> (model, data, words of the error)
REFUSED = {
    "an index beyond the Embedding": (words_model, (WORDS + 1, PRICES), r"50 rows.*contains 50.*Embedding\(51, 3\)"),
    "an index beyond the Embedding, later": (
        words_model, twice((WORDS, PRICES), (WORDS + 9, PRICES)), r"fit, batch 2: .*has 50 rows"),
    "labels out of range, later": (classes, twice((X, KINDS), (X, KINDS + 5)), "fit, batch 2: .*labels from 5 to 7"),
    "labels forgotten, later": (
        classes, twice((X, KINDS), X), r"fit: batch 2 is x alone, but the first was \(x, y\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_become_nan_or_nonsense_is_refused(name):
    make, data, words = REFUSED[name]
    with pytest.raises(ValueError, match=f"(?s){words}"):
        make().fit(*data if isinstance(data, tuple) else (data,), verbose=0)


def in_batches(*kinds):
    """A user's generator of batches of eight rows, each of one class, or of all where that is None."""
    for kind in kinds:
        yield X[:8], KINDS[:8] if kind is None else np.full(8, kind)


def said_of_batches(*kinds):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        classes().fit(in_batches(*kinds), verbose=0)
    return [str(w.message) for w in seen]


def test_data_that_are_sorted_before_they_are_batched_are_told_of_once():
    (said,) = said_of_batches(0, 0, 0, None, 1, 1, 1, None, 2, 2)
    assert "3 batches of only class 0 came first, then those of class 1" in said and "shuffle" in said


@pytest.mark.parametrize("kinds", [[None] * 6, [0, 1, 0, 1, 0, 1], [0] * 6, [0, None, None, None, 1, 1, 1], [1, 0, 0]])
def test_nothing_is_said_of_batches_that_are_not_sorted(kinds):
    assert not said_of_batches(*kinds)


def test_a_loss_that_is_no_number_for_a_reason_that_was_told_is_not_guessed_at():
    model = classes("relu", optimizer=cornu.optimizers.SGD(100.0))
    with pytest.warns(UserWarning, match="ends with relu") as seen:
        history = model.fit(X, KINDS, epochs=9, verbose=0).history
    assert not np.isfinite(history["loss"]).all() and len(seen) == 1


@pytest.fixture
def no_preflight():
    cornu.config.disable_preflight()
    yield
    cornu.config.enable_preflight()


@pytest.mark.parametrize("name", ["softmax twice", "columns of thousands", "validation on what is trained on"])
def test_without_preflight_nothing_is_said_before_training(name, no_preflight):
    assert not cornu.config.is_preflight_enabled()
    make, x, y, arguments, _ = MISTAKES[name]
    make().fit(x, y, verbose=0, **BEFORE_TRAINING, **arguments)


# ---------------------------------------------------------------- healthy scripts, of which nothing is said


class OwnModel(cornu.Model):
    """A subclass that scales its input and applies softmax by itself."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(3)

    def call(self, x):
        return cornu.ops.softmax(self.last(cornu.ops.reshape(x, (-1, 16)) / 255.0))


class DenseWithSoftmax(layers.Dense):
    """A layer of one's own that applies softmax by itself."""

    def call(self, x):
        return cornu.ops.softmax(super().call(x))


def own_model():
    model = OwnModel()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def frozen_then_dense():
    """A model whose first layer is not trained and takes pixels, as backbones do."""
    base = layers.Conv2D(2, 3, trainable=False)
    return net(cornu.Input((4, 4, 1)), base, layers.Flatten(), layers.Dense(1))


# what a user does -> (model, x, y, arguments of fit)
HEALTHY = {
    "a model of one's own that normalizes": (lambda: subclassed(NormalizedModel), PIXELS, PRICES, {}),
    "classifier": (lambda: classes(metrics=["accuracy"]), X, KINDS, {}),
    "classifier on logits": (lambda: classes(None, LOGITS), X, KINDS, {}),
    "one-hot labels": (lambda: classes(loss="categorical_crossentropy", metrics=["acc"]), X, ONE_HOT, {}),
    "mse on one-hot labels with accuracy": (lambda: classes(loss="mse", metrics=["accuracy"]), X, ONE_HOT, {}),
    "soft labels with accuracy": (
        lambda: classes(loss="mse", metrics=["accuracy"]), X, ONE_HOT * 0.7 + 0.1, {}),
    "yes or no": (lambda: classes("sigmoid", "binary_crossentropy", 1, metrics=["accuracy"]), X, YES, {}),
    "two units and binary_crossentropy": (
        lambda: classes("softmax", "binary_crossentropy", 2), X, np.eye(2)[YES], {}),
    "several labels a row": (lambda: classes("sigmoid", "binary_crossentropy"), X, ONE_HOT, {}),
    "rare class": (lambda: classes("sigmoid", "binary_crossentropy", 1), X, (np.arange(24) == 7) * 1,
                   {"validation_split": 0.25}),
    "signs and hinge": (lambda: classes("tanh", "hinge", 1), X, YES * 2 - 1, {}),
    "regression": (lambda: classes(None, "mse", 1, metrics=["mae"]), X, PRICES, {}),
    "regression with large labels": (lambda: classes(None, "mae", 1), X, PRICES * 1e5 + 3e5, {}),
    "counts with softplus": (lambda: classes("softplus", "poisson", 1), X, np.abs(PRICES) * 9, {}),
    "rates in order of time": (lambda: classes(None, "mse", 1), X, np.sort(PRICES, 0), {"validation_split": 0.25}),
    "sorted classes validated elsewhere": (classes, X, np.sort(KINDS), {"validation_data": (X, KINDS)}),
    "shuffled classes and validation_split": (classes, X, KINDS, {"validation_split": 0.25}),
    "four rows in order": (classes, X[:4], np.array([0, 0, 1, 2]), {"validation_split": 0.5}),
    "autoencoder": (lambda: classes("sigmoid", "binary_crossentropy", 4), X, (X > 0) * 0.9, {}),
    "autoencoder of standardized data": (lambda: classes(None, "mse", 4), X, X, {}),
    "pixels into Rescaling": (lambda: images(layers.Rescaling(1 / 255)), PIXELS, PRICES, {}),
    "pixels divided by 255": (images, PIXELS / 255, PRICES, {}),
    "pixels into BatchNormalization": (lambda: images(layers.BatchNormalization()), PIXELS, PRICES, {}),
    "pixels into a convolution before BatchNormalization": (
        lambda: images(layers.Conv2D(2, 3), layers.BatchNormalization()), PIXELS, PRICES, {}),
    "pixels into a frozen network": (frozen_then_dense, PIXELS, PRICES, {}),
    "pixels around zero, as older networks take them": (images, PIXELS - 124.0, PRICES, {}),
    "pixels into a model of one's own": (own_model, PIXELS, KINDS, {}),
    "word numbers": (words_model, WORDS, PRICES, {}),
    "generator": (classes, None, None, {"x": lambda: iter([(X, KINDS), (X[:8], KINDS[:8])])}),
    "loss from a layer alone": (
        lambda: net(cornu.Input((4,)), layers.Dense(2), layers.ActivityRegularization(0.1), loss=None), X, None, {}),
    "two outputs": (lambda: several([["mae"], ["accuracy"]]), X, [PRICES, KINDS], {}),
    "softmax in a model of one's own": (lambda: own(activation="softmax"), X, KINDS, {}),
    "logits of a model of one's own": (lambda: own(LOGITS), X, KINDS, {}),
    "softmax by an operation in a model of one's own": (lambda: own(after=cornu.ops.softmax), X, KINDS, {}),
    "a layer of one's own that ends with softmax": (
        lambda: net(cornu.Input((4,)), DenseWithSoftmax(3), loss="sparse_categorical_crossentropy"), X, KINDS, {}),
    "several labels of one unit each": (
        lambda: classes("sigmoid", "binary_crossentropy", 1), X, YES[:, None], {"class_weight": {0: 1.0, 1: 2.0}}),
    "counts": (lambda: classes("exponential", "poisson", 1), X, np.abs(PRICES).round(), {}),
    "columns of different sizes": (regression, TABLE * [30, 1, 0.01, 1], SUMS, {}),
    "columns of all sizes, normalized": (
        lambda: regression(layers.BatchNormalization()), TABLE * [1e6, 1, 1e-3, 1] + [2024, 0, 0, 0], SUMS, {}),
    "principal components": (
        lambda: regression(width=8), np.c_[TABLE, TABLE] * np.logspace(1, -9, 8), SUMS, {}),
    "a rare column, standardized": (regression, columns(_1=np.where(np.arange(120) == 3, 244, -0.004)), SUMS, {}),
    "word numbers that are missing": (words_model, np.where(WORDS > 0, WORDS, np.nan), PRICES, {}),
    "a bias among the columns": (regression, columns(_0=1), SUMS, {}),
    "classes that nobody is in": (lambda: regression(width=12), HOT, SUMS, {"validation_split": 0.4}),
    "such classes, standardized": (
        lambda: regression(width=12), (HOT - HOT.mean(0)) / (HOT.std(0) + 1e-7), SUMS, {"validation_split": 0.4}),
    "words of texts": (lambda: regression(width=400), TEXTS, SUMS, {"validation_split": 0.4}),
    "pictures with a background, flat": (
        lambda: regression(width=64), DIGITS.reshape(120, 64), SUMS, {"validation_split": 0.4}),
    "pictures on white": (lambda: regression(width=64), 255 * (1 - DIGITS.reshape(120, 64)) / 127.5, SUMS, {}),
    "windows over a series, in their order": (
        lambda: regression(width=4), WINDOWS[:, :4], WINDOWS[:, 4], {"validation_split": 0.4, "shuffle": False}),
    "windows over a series, at random": (
        lambda: regression(width=4), WINDOWS[::2, :4], WINDOWS[::2, 4],
        {"validation_data": (WINDOWS[1::2, :4], WINDOWS[1::2, 4])}),
    "classes in random order without shuffling": (classes, TABLE, random.integers(0, 3, 120), {"shuffle": False}),
    "sorted classes, shuffled": (classes, TABLE, np.arange(120) // 40, {"shuffle": True}),
    "sorted classes in one batch": (classes, TABLE, np.arange(120) // 40, {"shuffle": False, "batch_size": 120}),
    "two parts of one table": (regression, TABLE, SUMS, {"validation_split": 0.5}),
    "few rows in both": (regression, TABLE[:40], SUMS[:40], {"validation_data": (TABLE[:40], SUMS[:40])}),
    "denoising": (lambda: regression(layers.Dense(4)), TABLE + 0.1, TABLE[:, :1], {"validation_split": 0.5}),
    "rewards of any size": (lambda: classes(None, "huber", 2), TABLE, TABLE[:, :2] * 1e4, {}),
    "advantages as labels": (
        lambda: classes(loss="categorical_crossentropy"), X, ONE_HOT * PRICES, {"sample_weight": PRICES[:, 0]}),
    "masks of pictures": (
        lambda: net(cornu.Input((8, 8, 1)), layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
                    loss="binary_crossentropy"),
        DIGITS[..., None], DIGITS[..., None] > 0.5, {"shuffle": False, "validation_split": 0.4}),
}  # fmt: skip


TRAINED = ("classifier", "regression with large labels", "generator", "word numbers")


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_script(name):
    make, x, y, arguments = HEALTHY[name]
    arguments = {key: value() if callable(value) else value for key, value in arguments.items()}
    data = {} if x is None else {"x": x, "y": y}
    if name in TRAINED:
        assert np.isfinite(make().fit(**data, **arguments, verbose=0).history["loss"]).all()
    else:
        make().fit(**data, **arguments, **BEFORE_TRAINING, verbose=0)


def test_nothing_is_said_of_a_gan():
    generator = cornu.Sequential([cornu.Input((2,)), layers.Dense(4)])
    judge = net(cornu.Input((4,)), layers.Dense(1, "sigmoid"), loss="binary_crossentropy")
    judge.train_on_batch(X, YES)
    judge.trainable = False
    both = net(cornu.Input((2,)), generator, judge, loss="binary_crossentropy")
    assert np.isfinite(both.train_on_batch(X[:, :2], np.ones(24)))


def test_nothing_is_said_of_a_normalization_that_knows_its_data_or_needs_none():
    x, y = np.random.default_rng(0).normal(size=(24, 4)).astype("float32"), np.ones((24, 1), "float32")
    adapted = cornu.layers.Normalization()
    adapted.adapt(x)
    given = cornu.layers.Normalization(mean=0.0, variance=1.0)
    for first in ([adapted], [given], [cornu.layers.Rescaling(1.0), cornu.layers.Normalization()]):
        model = cornu.Sequential([cornu.Input((4,)), *first, cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)  # a warning would be an error here
