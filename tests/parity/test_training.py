"""Training from identical weights follows Keras step by step: losses, metrics, weights and what `fit` remembers."""

import numpy as np
import pytest
from oracle import both

SIZE, STEPS = 8, 20


def data(rows=SIZE * STEPS):
    return np.random.default_rng(0), rows


def mlp(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6,)),
            layers.Dense(16, "relu"),
            layers.Dropout(0.0),
            layers.Dense(8, "tanh"),
            layers.Dense(3, "softmax"),
        ]
    )


def mlp_data(random, rows):
    return random.normal(size=(rows, 6)).astype("float32"), random.integers(0, 3, rows)


def cnn(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 1)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1, "sigmoid"),
        ]
    )


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
    x = {
        "left": random.normal(size=(rows, 4)).astype("float32"),
        "right": random.normal(size=(rows, 3)).astype("float32"),
    }
    y = {
        "price": random.normal(size=(rows, 1)).astype("float32"),
        "kind": np.eye(3, dtype="float32")[random.integers(0, 3, rows)],
    }
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
    "mlp": (mlp, mlp_data, lambda k: {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}),
    "cnn": (cnn, cnn_data, lambda k: {"loss": "binary_crossentropy", "metrics": ["acc", k.metrics.AUC(name="auc")]}),
    "lstm": (lstm, lstm_data, lambda k: {"loss": k.losses.Huber(), "metrics": ["mae", "mse"]}),
    "several": (
        several,
        several_data,
        lambda k: {
            "loss": {"price": "mse", "kind": "categorical_crossentropy"},
            "loss_weights": {"price": 0.3, "kind": 2.0},
            "metrics": {"price": ["mae"], "kind": ["accuracy", k.metrics.TopKCategoricalAccuracy(k=2, name="top")]},
        },
    ),
    "transformer": (
        transformer,
        transformer_data,
        lambda k: {"loss": k.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]},
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
PAIRS = [(model, "adam") for model in MODELS] + [("several", "sgd")]
PAIRS += [("mlp", name) for name in OPTIMIZERS if name not in ("adam", "sgd")]


def started(build, library):
    """The model of that library, its matrices the same in both."""
    model, draw = build(library), np.random.default_rng(9)
    weights = [
        draw.normal(size=w.shape).astype("float32") * np.prod(w.shape[:-1]) ** -0.5 if w.ndim > 1 else w
        for w in model.get_weights()
    ]
    model.set_weights(weights)
    return model


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
    assert list(ours) == list(theirs)  # the order counts
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=tolerance, atol=tolerance, err_msg=name)


def assert_same_weights(ours, theirs, tolerance=1e-4):
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"weight {index}")


def assert_same_training(build, compile_arguments, x, y, optimizer, **fit):
    def question(library):
        recorder, model = Recorder(library), started(build, library)
        model.compile(optimizer=optimizer(library), **compile_arguments(library))
        history = model.fit(x, y, shuffle=False, verbose=0, batch_size=SIZE, callbacks=[recorder.callback], **fit)
        return recorder.seen, history.history, model.get_weights()

    ours, theirs = both(question)
    assert len(ours[0]) == len(theirs[0]) > 0
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert_same_logs(a, b)
    assert_same_logs(ours[1], theirs[1])
    assert_same_weights(ours[2], theirs[2])


@pytest.mark.parametrize(("model", "optimizer"), PAIRS)
def test_training_follows_keras(model, optimizer):
    build, make_data, compile_arguments = MODELS[model]
    x, y = make_data(np.random.default_rng(0), SIZE * STEPS)
    assert_same_training(build, compile_arguments, x, y, OPTIMIZERS[optimizer])


def penalised(k):
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6,)),
            layers.Dense(8, "tanh", kernel_regularizer="l2", bias_regularizer=k.regularizers.L1(0.01)),
            layers.Dense(5, kernel_constraint=k.constraints.MaxNorm(0.7), activity_regularizer=k.regularizers.L2(0.02)),
            layers.ActivityRegularization(l1=0.01),
            layers.Dense(3, "softmax", kernel_constraint="unit_norm"),
        ]
    )


def test_penalties_and_constraints_follow_keras():
    x, y = mlp_data(np.random.default_rng(1), SIZE * STEPS)
    assert_same_training(penalised, MODELS["mlp"][2], x, y, OPTIMIZERS["sgd"])


# ---------------------------------------------------------------- partial batches, weights, validation, many outputs

ROWS = 22  # two batches of 8, and 6 rows more


def plain(k):
    return k.Sequential([k.Input((6,)), k.layers.Dense(5, "tanh"), k.layers.Dense(3, "softmax")])


def plain_arguments(k):
    return {
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "weighted_metrics": ["accuracy", "sparse_top_k_categorical_accuracy"],
    }


def random_weights(shape=ROWS):
    return np.random.default_rng(5).uniform(size=shape).astype("float32")


FIT_OPTIONS = {
    "partial batch": {},
    "sample_weight": {"sample_weight": random_weights()},
    "sample_weight of one column": {"sample_weight": random_weights()[:, None]},
    "class_weight": {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
    "validation_split": {"validation_split": 0.3, "epochs": 2},
    "validation_freq": {"validation_split": 0.3, "validation_freq": 2, "epochs": 3},
    "validation epochs": {"validation_split": 0.3, "validation_freq": [1, 3], "epochs": 3},
    "validation_batch_size": {"validation_split": 0.5, "validation_batch_size": 3},
    "validation_steps": {"validation_split": 0.5, "validation_batch_size": 3, "validation_steps": 2},
    "steps_per_epoch": {"steps_per_epoch": 1, "epochs": 3},
    "initial_epoch": {"initial_epoch": 2, "epochs": 4},
    "no epoch": {"initial_epoch": 4, "epochs": 4},
}


def assert_same_histories(build, compile_arguments, x, y, evaluate=False, **fit):
    """Assert that `fit` remembers the same and leaves the same weights, and that `evaluate` then finds the same."""

    def question(library):
        model = started(build, library)
        model.compile(**{"optimizer": "adam", **compile_arguments(library)})
        history = model.fit(x, y, shuffle=False, verbose=0, batch_size=SIZE, **fit).history
        found = model.evaluate(x, y, verbose=0, batch_size=SIZE) if evaluate else 0.0
        return history, model.get_weights(), found

    ours, theirs = both(question)
    assert_same_logs(ours[0], theirs[0], 1e-5)
    assert_same_weights(ours[1], theirs[1], 1e-5)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-5)


@pytest.mark.parametrize("option", FIT_OPTIONS)
def test_histories_follow_keras(option):
    x, y = mlp_data(np.random.default_rng(2), ROWS)
    assert_same_histories(plain, plain_arguments, x, y, **FIT_OPTIONS[option])


@pytest.mark.parametrize("mode", [{"steps_per_execution": 2}, {"run_eagerly": True}, {"jit_compile": False}], ids=str)
def test_ways_of_running_follow_keras(mode):
    x, y = mlp_data(np.random.default_rng(2), ROWS)
    assert_same_histories(plain, lambda k: plain_arguments(k) | mode, x, y, epochs=2)


def masked(k):
    layers = k.layers
    return k.Sequential(
        [k.Input((7,)), layers.Embedding(5, 4, mask_zero=True), layers.Dense(3, "tanh"), layers.Dense(1)]
    )


@pytest.mark.parametrize("weights", [None, random_weights((ROWS, 7))], ids=["none", "steps"])
def test_masked_steps_follow_keras(weights):
    random = np.random.default_rng(3)
    x, y = random.integers(0, 5, (ROWS, 7)), random.normal(size=(ROWS, 7, 1)).astype("float32")
    arguments = lambda k: {
        "loss": "mse",
        "metrics": ["mae"],
        "weighted_metrics": [k.metrics.MeanSquaredError(name="weighted")],
    }
    assert_same_histories(masked, arguments, x, y, sample_weight=weights, validation_data=(x, y), epochs=2)


OUTPUTS = {
    "lists": ({"loss": ["mse", "sparse_categorical_crossentropy"], "metrics": [["mae"], ["acc"]]}, "list"),
    "flat lists": (
        {"loss": ["mse", "sparse_categorical_crossentropy"], "metrics": ["mae", "acc"], "loss_weights": [0.2, 2.0]},
        "list",
    ),
    "dictionaries": (
        {
            "loss": {"b": "sparse_categorical_crossentropy", "a": "mse"},
            "metrics": {"b": ["acc"]},
            "weighted_metrics": {"a": ["mae"]},
            "loss_weights": {"a": 2.0, "b": 0.5},
        },
        "dict",
    ),
    "no loss for one": ({"loss": ["mse", None], "metrics": [["mae"], ["acc"]]}, "list"),
}


@pytest.mark.parametrize("named", [False, True], ids=["outputs in a list", "outputs in a dictionary"])
@pytest.mark.parametrize("case", OUTPUTS)
def test_several_outputs_follow_keras(case, named):
    arguments, labels = OUTPUTS[case]
    if named and labels == "list":
        return  # lists have no meaning for a dictionary of outputs

    def build(k):
        x = k.Input((6,))
        outputs = {"b": k.layers.Dense(3, "softmax", name="b")(x), "a": k.layers.Dense(1, name="a")(x)}
        return k.Model(x, outputs if named else [outputs["a"], outputs["b"]])

    random = np.random.default_rng(4)
    x, kinds = mlp_data(random, ROWS)
    y = {"a": random.normal(size=(ROWS, 1)).astype("float32"), "b": kinds}
    y = y if labels == "dict" else [y["a"], y["b"]]
    assert_same_histories(build, lambda k: arguments, x, y, evaluate=True)


def test_single_batches_follow_keras():
    x, y = mlp_data(np.random.default_rng(2), ROWS)
    weights = random_weights()

    def question(library):
        model = started(plain, library)
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        logs = [
            model.train_on_batch(x, y),
            model.train_on_batch(x[:5], y[:5], sample_weight=weights[:5]),
            model.train_on_batch(x, y, class_weight={0: 1.0, 1: 2.0, 2: 3.0}),
            model.test_on_batch(x, y, sample_weight=weights),
            list(model.test_on_batch(x[:3], y[:3], return_dict=True).values()),
            list(model.train_on_batch(x[:3], y[:3], return_dict=True).values()),
        ]
        return logs, model.predict_on_batch(x)

    (ours, outputs), (theirs, wanted) = both(question)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(sorted(a), sorted(b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-4, atol=1e-5)


def test_frozen_layers_follow_keras():
    def build(k):
        model = cnn(k)
        model.layers[1].trainable = False
        return model

    x, y = cnn_data(np.random.default_rng(6), ROWS)

    def question(library):
        model = started(build, library)
        model.compile(optimizer="adam", **MODELS["cnn"][2](library))
        model.fit(x, y, shuffle=False, verbose=0, batch_size=SIZE, epochs=2)
        return model.get_weights(), model.layers[1].get_weights()[2]

    (ours, moving_mean), (theirs, _) = both(question)
    assert_same_weights(ours, theirs, 1e-4)
    np.testing.assert_array_equal(moving_mean, np.zeros(4))


def test_mixed_precision_follows_keras():
    x, y = mlp_data(np.random.default_rng(7), ROWS)

    def question(library):
        library.mixed_precision.set_global_policy("mixed_float16")
        try:
            model = started(plain, library)
        finally:
            library.mixed_precision.set_global_policy("float32")
        model.compile("adam", loss="sparse_categorical_crossentropy")
        history = model.fit(x, y, shuffle=False, verbose=0, batch_size=SIZE, epochs=2).history
        return history["loss"], type(model.optimizer).__name__, str(model.predict(x, verbose=0).dtype)

    ours, theirs = both(question)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=2e-3)
    assert ours[1:] == theirs[1:] == ("LossScaleOptimizer", "float16")


def test_losses_from_layers_alone_follow_keras():
    def build(k):
        class Shrink(k.layers.Layer):
            def call(self, inputs):
                self.add_loss(k.ops.mean(inputs**2))
                return inputs

        return k.Sequential([k.Input((6,)), k.layers.Dense(4), Shrink()])

    x, _ = mlp_data(np.random.default_rng(8), ROWS)
    assert_same_histories(build, lambda k: {}, x, None, evaluate=True, epochs=2)


def hooks(k, seen):
    """A callback that writes down what is called, with which names in the logs."""

    def note(name):
        def hook(*args, logs=None):
            number = [arg for arg in args if isinstance(arg, int)]
            given = [arg for arg in (*args, logs) if isinstance(arg, dict)]
            seen.append((name, *number, sorted(given[0]) if given else []))

        return hook

    callback = k.callbacks.Callback()
    for name in [n for n in dir(callback) if n.startswith("on_") and n not in ("on_batch_begin", "on_batch_end")]:
        setattr(callback, name, note(name))
    return callback


def test_callbacks_are_called_as_in_keras():
    x, y = mlp_data(np.random.default_rng(2), ROWS)

    def question(library):
        seen, model = [], started(plain, library)
        note = lambda: [hooks(library, seen)]
        model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=SIZE, epochs=2, validation_split=0.3, verbose=0, callbacks=note())
        model.evaluate(x, y, batch_size=SIZE, verbose=0, callbacks=note())
        model.predict(x, batch_size=SIZE, verbose=0, callbacks=note())
        return seen

    ours, theirs = both(question)
    assert ours == theirs
