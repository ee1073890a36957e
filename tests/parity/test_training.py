"""Training from identical weights follows Keras step by step: losses, metrics, weights and what `fit` remembers."""

import keras
import numpy as np
import pytest

import cornu

SIZE, STEPS = 8, 20


def data(rows=SIZE * STEPS):
    return np.random.default_rng(0), rows


def mlp(k):
    layers = k.layers
    return k.Sequential(
        [k.Input((6,)), layers.Dense(16, "relu"), layers.Dropout(0.0), layers.Dense(8, "tanh"), layers.Dense(3, "softmax")]
    )


def mlp_data(random, rows):
    return random.normal(size=(rows, 6)).astype("float32"), random.integers(0, 3, rows)


def cnn(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 1)), layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(),
            layers.Flatten(), layers.Dense(1, "sigmoid"),
        ]
    )  # fmt: skip


def cnn_data(random, rows):
    return random.normal(size=(rows, 8, 8, 1)).astype("float32"), random.integers(0, 2, (rows, 1)).astype("float32")


def lstm(k):
    layers = k.layers
    return k.Sequential([k.Input((7,)), layers.Embedding(12, 5, mask_zero=True), layers.LSTM(6), layers.Dense(1)])


def lstm_data(random, rows):
    return random.integers(0, 12, (rows, 7)), random.normal(size=(rows, 1)).astype("float32")


def several(k):
    layers = k.layers
    left, right = k.Input((4,), name="left"), k.Input((3,), name="right")
    both = layers.Concatenate()([layers.Dense(5, "relu")(left), layers.Dense(5, "tanh")(right)])
    price = layers.Dense(1, name="price")(both)
    kind = layers.Dense(3, "softmax", name="kind")(layers.Dense(4, "relu")(both))
    return k.Model([left, right], {"price": price, "kind": kind})


def several_data(random, rows):
    x = {"left": random.normal(size=(rows, 4)).astype("float32"), "right": random.normal(size=(rows, 3)).astype("float32")}
    y = {"price": random.normal(size=(rows, 1)).astype("float32"), "kind": np.eye(3, dtype="float32")[random.integers(0, 3, rows)]}
    return x, y


def transformer(k):
    layers = k.layers
    x = inputs = k.Input((5, 8))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, use_bias=False)(x, x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dense(8)(layers.Dense(16, "gelu")(x)))
    return k.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def transformer_data(random, rows):
    return random.normal(size=(rows, 5, 8)).astype("float32"), random.integers(0, 4, rows)


MODELS = {
    "mlp": (mlp, mlp_data, lambda k: dict(loss="sparse_categorical_crossentropy", metrics=["accuracy"])),
    "cnn": (cnn, cnn_data, lambda k: dict(loss="binary_crossentropy", metrics=["acc", k.metrics.AUC(name="auc")])),
    "lstm": (lstm, lstm_data, lambda k: dict(loss=k.losses.Huber(), metrics=["mae", "mse"])),
    "several": (
        several,
        several_data,
        lambda k: dict(
            loss={"price": "mse", "kind": "categorical_crossentropy"},
            loss_weights={"price": 0.3, "kind": 2.0},
            metrics={"price": ["mae"], "kind": ["accuracy", k.metrics.TopKCategoricalAccuracy(k=2, name="top")]},
        ),
    ),
    "transformer": (
        transformer,
        transformer_data,
        lambda k: dict(loss=k.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]),
    ),
}
OPTIMIZERS = {
    "sgd": lambda k: k.optimizers.SGD(0.05),
    "momentum": lambda k: k.optimizers.SGD(0.02, momentum=0.9, nesterov=True, clipnorm=0.5),
    "adam": lambda k: k.optimizers.Adam(0.01),
    "adamw": lambda k: k.optimizers.AdamW(0.01, weight_decay=0.01, global_clipnorm=0.7),
    "rmsprop": lambda k: k.optimizers.RMSprop(k.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9), clipvalue=0.1),
    "ema": lambda k: k.optimizers.Adagrad(0.05, use_ema=True, ema_momentum=0.9),
    "accumulate": lambda k: k.optimizers.Adam(0.01, gradient_accumulation_steps=3),
}
PAIRS = [(model, "adam") for model in MODELS] + [("mlp", name) for name in OPTIMIZERS if name != "adam"]
PAIRS += [("cnn", "momentum"), ("lstm", "rmsprop"), ("several", "sgd"), ("transformer", "adamw")]


def twins(build):
    """The model in Keras and in cornu, with the same weights."""
    theirs, ours = build(keras), build(cornu)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


class Recorder:
    """Every batch's logs."""

    def __init__(self, k):
        self.seen = []
        seen = self.seen

        class Callback(k.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen.append(dict(logs))

        self.callback = Callback()


def assert_same_logs(ours, theirs, tolerance=1e-4):
    assert list(ours) == list(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=tolerance, atol=tolerance, err_msg=name)


def assert_same_weights(ours, theirs, tolerance=1e-4):
    for index, (a, b) in enumerate(zip(ours.get_weights(), theirs.get_weights(), strict=True)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"weight {index}")


def assert_same_training(build, compile_arguments, x, y, optimizer, **fit):
    theirs, ours = twins(build)
    histories, seen = [], []
    for k, model in ((keras, theirs), (cornu, ours)):
        recorder = Recorder(k)
        model.compile(optimizer=optimizer(k), **compile_arguments(k))
        history = model.fit(x, y, shuffle=False, verbose=0, batch_size=SIZE, callbacks=[recorder.callback], **fit)
        histories.append(history.history)
        seen.append(recorder.seen)
    assert len(seen[0]) == len(seen[1]) > 0
    for step, (a, b) in enumerate(zip(*seen, strict=True)):
        assert list(a) == list(b), step
        assert_same_logs(b, a)
    assert_same_logs(histories[1], histories[0])
    assert_same_weights(ours, theirs)
    return theirs, ours


@pytest.mark.parametrize(("model", "optimizer"), PAIRS)
def test_training_follows_keras(model, optimizer):
    build, make_data, compile_arguments = MODELS[model]
    x, y = make_data(np.random.default_rng(0), SIZE * STEPS)
    assert_same_training(build, compile_arguments, x, y, OPTIMIZERS[optimizer])
