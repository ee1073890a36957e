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
    "softmax twice": (lambda: classes(loss=LOGITS), X, KINDS, {}, "from_logits=True, but.*softmax, so.*twice"),
    "sigmoid twice": (
        lambda: classes("sigmoid", cornu.losses.BinaryCrossentropy(from_logits=True), 1), X, YES, {}, "sigmoid, so"),
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
    "columns of thousands": (
        lambda: classes(None, "mae", 1), X * 5000, PRICES, {}, 'unscaled into Dense "dense.*Normalization'),
    "sorted labels and validation_split": (
        classes, X, np.sort(KINDS), {"validation_split": 0.25}, "sorted.*all of it is class 2.*Shuffle"),
    "labels in groups and validation_split": (
        lambda: classes("softmax", "categorical_crossentropy"), X, np.repeat(np.eye(3)[[1, 2, 0]], 8, 0),
        {"validation_split": 0.25}, "sorted.*Shuffle"),
    "NaN in the data": (lambda: classes(None, "mse", 1), with_a_hole(X), PRICES, {}, r"x holds NaN \(first in row 5"),
    "NaN in the labels": (lambda: classes(None, "mse", 1), X, with_a_hole(PRICES), {}, "y holds NaN .*row 5"),
    "infinity in the data": (lambda: classes(None, "mse", 1), with_a_hole(X, 3, np.inf), PRICES, {},
                             "holds infinity"),
    "NaN in the validation data": (
        lambda: classes(None, "mse", 1), X, PRICES, {"validation_data": (X, with_a_hole(PRICES))}, "y holds NaN"),
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


def words_model():
    return net(cornu.Input((6,), dtype="int32"), layers.Embedding(50, 3), layers.Flatten(), layers.Dense(1))


# what cannot work, in a first or a later batch -> (model, data, words of the error)
REFUSED = {
    "an index beyond the Embedding": (words_model, (WORDS + 1, PRICES), r"has 50 rows.*up to 50.*Embedding\(51, 3\)"),
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


# ---------------------------------------------------------------- healthy scripts, of which nothing is said


class OwnModel(cornu.Model):
    """A subclass that scales its input and applies softmax by itself."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(3)

    def call(self, x):
        return cornu.ops.softmax(self.last(cornu.ops.reshape(x, (-1, 16)) / 255.0))


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
