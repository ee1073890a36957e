"""Training, evaluating and predicting, as a user does it: the numbers agree with each other, whatever the batches."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import polars as pl
import pytest

import cornu
from cornu import layers
from cornu.core import context, promises
from cornu.layers.rows import mixes_rows
from cornu.training import outputs
from cornu.training.execution import padding

ROWS = 22  # with batches of 5 the last one is short
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 4)).astype("float32")
KINDS = random.integers(0, 3, ROWS)
PRICES = random.normal(size=(ROWS, 1)).astype("float32")
WEIGHTS = random.uniform(0.5, 2, ROWS).astype("float32")


def classifier(*inner, **compile_arguments):
    model = cornu.Sequential([cornu.Input((4,)), *inner, layers.Dense(3, "softmax")])
    arguments = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**arguments, **compile_arguments})
    return model


def regressor(*inner, **compile_arguments):
    model = cornu.Sequential([cornu.Input((4,)), *inner, layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "metrics": ["mae"], **compile_arguments})
    return model


@pytest.fixture(autouse=True, scope="module")
def room_in_the_cache():
    """JAX counts what it keeps of a function, which is nothing where thousands of others took its room."""
    jax.clear_caches()
    yield


def compilations(model, stage="train"):
    """How many functions a stage compiled, for one batch or for several."""
    made = model._computations[stage]._compiled.values()
    return sum(one.function._cache_size() for one in made)


def crossentropy(model, x, y):
    return -np.log(model.predict(x, verbose=0)[np.arange(len(x)), y])


# ---------------------------------------------------------------- one number


def test_fit_evaluate_and_predict_agree_on_the_numbers():
    model = classifier(layers.Dense(8, "relu"))
    history = model.fit(X, KINDS, batch_size=5, epochs=2, verbose=0, validation_data=(X[:7], KINDS[:7])).history
    again = model.evaluate(X[:7], KINDS[:7], batch_size=3, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert again["accuracy"] == pytest.approx(history["val_accuracy"][-1])
    assert again["loss"] == pytest.approx(crossentropy(model, X[:7], KINDS[:7]).mean(), rel=1e-5)
    guesses = model.predict(X[:7], batch_size=2, verbose=0).argmax(-1)
    assert again["accuracy"] == pytest.approx(np.mean(guesses == KINDS[:7]))


def test_the_training_loss_is_the_mean_over_all_rows_of_the_epoch():
    model = regressor(optimizer=cornu.optimizers.SGD(0.0))
    history = model.fit(X, PRICES, batch_size=5, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.mean((model.predict(X, verbose=0) - PRICES) ** 2), rel=1e-5)
    assert history["mae"][0] == pytest.approx(np.mean(np.abs(model.predict(X, verbose=0) - PRICES)), rel=1e-5)


@pytest.mark.parametrize("kind", ["sample_weight", "class_weight", "both"])
def test_weights_count_as_one_recomputes_them(kind):
    model = classifier(optimizer=cornu.optimizers.SGD(0.0), weighted_metrics=["accuracy"])
    by_class = {0: 1.0, 1: 3.0, 2: 0.5}
    weights = np.ones(ROWS)
    fit = {}
    if kind != "class_weight":
        weights, fit["sample_weight"] = weights * WEIGHTS, WEIGHTS
    if kind != "sample_weight":
        weights, fit["class_weight"] = weights * np.array([by_class[k] for k in KINDS]), by_class
    history = model.fit(X, KINDS, batch_size=5, verbose=0, **fit).history
    assert history["loss"][0] == pytest.approx(np.mean(weights * crossentropy(model, X, KINDS)), rel=1e-5)
    right = model.predict(X, verbose=0).argmax(-1) == KINDS
    assert history["accuracy"][0] == pytest.approx(np.mean(right), rel=1e-5)
    assert history["weighted_accuracy"][0] == pytest.approx(np.average(right, weights=weights), rel=1e-5)


def test_masked_steps_do_not_count():
    words = random.integers(0, 4, (6, 5))
    words[:, 0] = 1  # in no row is everything masked
    labels = random.normal(size=(6, 5, 1)).astype("float32")
    model = cornu.Sequential([cornu.Input((5,)), layers.Embedding(4, 3, mask_zero=True), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    found = model.evaluate(words, labels, batch_size=4, verbose=0, return_dict=True)
    errors = (model.predict(words, verbose=0) - labels)[..., 0]
    by_batch = [np.mean(errors[rows][words[rows] != 0] ** 2) for rows in (slice(0, 4), slice(4, 6))]
    assert found["loss"] == pytest.approx(np.average(by_batch, weights=[4, 2]), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(np.abs(errors[words != 0])), rel=1e-5)


def test_a_weight_for_each_row_works_beside_a_mask():
    words, labels = random.integers(0, 4, (6, 5)), random.normal(size=(6, 5, 1)).astype("float32")
    model = cornu.Sequential([cornu.Input((5,)), layers.Embedding(4, 3, mask_zero=True), layers.Dense(1)])
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    by_row = model.evaluate(words, labels, sample_weight=WEIGHTS[:6], verbose=0)
    by_step = model.evaluate(words, labels, sample_weight=np.repeat(WEIGHTS[:6, None], 5, 1), verbose=0)
    np.testing.assert_allclose(by_row, by_step, rtol=1e-6)


# ---------------------------------------------------------------- short last batches


def unfilled(monkeypatch):
    monkeypatch.setattr(padding, "size", lambda *_: None)


def images():
    x = cornu.Input((8, 8, 2))
    y = layers.Conv2D(4, 3, activation="relu")(x)
    y = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(y) + y)
    y = layers.MaxPooling2D()(y)
    return cornu.Model(x, layers.Dense(3, "softmax")(layers.Flatten()(y)))


def words():
    x = cornu.Input((6,))
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.TimeDistributed(layers.Dense(4, kernel_regularizer="l2"))(y)
    return cornu.Model(x, layers.Dense(3, "softmax")(layers.LSTM(3)(y)))


def normalised():
    return cornu.Sequential([cornu.Input((4,)), layers.BatchNormalization(), layers.Dense(3, "softmax")])


def of_a_user():
    mean_free = lambda x: x - cornu.ops.mean(x, axis=0)
    return cornu.Sequential([cornu.Input((4,)), layers.Lambda(mean_free), layers.Dense(3, "softmax")])


SHORT = {
    "images": (images, random.normal(size=(ROWS, 8, 8, 2)).astype("float32"), True),
    "words": (words, random.integers(0, 9, (ROWS, 6)), True),
    "batch normalization": (normalised, X, False),
    "a user's layer": (of_a_user, X, False),
}


@pytest.mark.parametrize("name", SHORT)
def test_filled_up_batches_give_the_same_numbers(name, monkeypatch):
    build, x, fills = SHORT[name]
    filled, plain = build(), build()
    plain.set_weights(filled.get_weights())
    found = []
    for model in (filled, plain):
        if model is plain:
            unfilled(monkeypatch)
        model.compile(
            "adam",
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["sparse_categorical_crossentropy"],
        )
        history = model.fit(x, KINDS, batch_size=5, epochs=2, shuffle=False, sample_weight=WEIGHTS, verbose=0).history
        scores = model.evaluate(x, KINDS, batch_size=5, verbose=0)
        found.append([*history.values(), scores, model.predict(x, batch_size=5, verbose=0), *model.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert compilations(plain) == 2
    assert compilations(filled) == (1 if fills else 2)
    if fills:
        assert compilations(filled, "test") == compilations(filled, "predict") == 1


def of_ones(shape, dtype=None):
    return cornu.ops.ones(shape, dtype)


ALONE = {
    "Dense": (lambda: layers.Dense(3, "relu"), (4,)),
    "Dense whose weights a user makes": (
        lambda: layers.Dense(3, kernel_initializer=of_ones, kernel_constraint=abs),
        (4,),
    ),
    "Dense with a loss": (lambda: layers.Dense(3, activity_regularizer="l2"), (4,)),
    "Dense with a user's activation": (lambda: layers.Dense(3, lambda x: x / cornu.ops.max(x)), (4,)),
    "Conv1D": (lambda: layers.Conv1D(3, 2), (5, 4)),
    "SeparableConv2D": (lambda: layers.SeparableConv2D(3, 2), (5, 5, 2)),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, 2), (5, 5, 2)),
    "GlobalMaxPooling1D": (layers.GlobalMaxPooling1D, (5, 2)),
    "BatchNormalization": (layers.BatchNormalization, (4,)),
    "frozen BatchNormalization": (lambda: layers.BatchNormalization(trainable=False), (4,)),
    "LayerNormalization": (layers.LayerNormalization, (4,)),
    "UnitNormalization": (layers.UnitNormalization, (4,)),
    "UnitNormalization over rows": (lambda: layers.UnitNormalization(axis=0), (4,)),
    "GroupNormalization": (lambda: layers.GroupNormalization(2), (4,)),
    "SpectralNormalization": (lambda: layers.SpectralNormalization(layers.Dense(3)), (4,)),
    "Softmax": (layers.Softmax, (4,)),
    "Softmax over rows": (lambda: layers.Softmax(axis=0), (4,)),
    "EinsumDense": (lambda: layers.EinsumDense("ab,bc->ac", 3), (4,)),
    "EinsumDense over rows": (lambda: layers.EinsumDense("ab,ac->bc", (7,)), (4,)),
    "LSTM": (lambda: layers.LSTM(3), (5, 4)),
    "Bidirectional": (lambda: layers.Bidirectional(layers.SimpleRNN(3)), (5, 4)),
    "TimeDistributed BatchNormalization": (lambda: layers.TimeDistributed(layers.BatchNormalization()), (5, 4)),
    "Reshape": (lambda: layers.Reshape((2, 2)), (4,)),
    "Permute": (lambda: layers.Permute((2, 1)), (4, 2)),
    "RepeatVector": (lambda: layers.RepeatVector(2), (4,)),
    "UpSampling1D": (layers.UpSampling1D, (4, 2)),
    "PReLU": (layers.PReLU, (4,)),
    "Lambda": (lambda: layers.Lambda(lambda x: x - cornu.ops.mean(x)), (4,)),
    "ActivityRegularization": (lambda: layers.ActivityRegularization(0.1), (4,)),
    "Identity": (layers.Identity, (4,)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ALONE)
def test_layers_that_are_said_to_keep_rows_apart_do(name, training):
    make, shape = ALONE[name]
    layer = make()
    x = np.random.default_rng(1).normal(size=(7, *shape)).astype("float32")
    layer(x)
    weights = layer.get_weights()
    found = []
    for part in (x[:7], x[:5]):
        layer.set_weights(weights)
        try:
            found.append(np.asarray(layer(part, training=training)))
        except ValueError:  # a layer that turns rows into features cannot take another number of them
            found.append(np.zeros(0))
    apart = found[1].shape[:1] == (5,) and np.allclose(found[0][:5], found[1], atol=1e-6) and not layer.losses
    claim = not any(mixes_rows(part, training) for part in layer._flatten_layers())
    assert claim == (apart and name != "Lambda")


@pytest.mark.parametrize(
    ("function", "apart"),
    [
        (lambda x: x * 2 - x, True),
        (cornu.ops.relu, True),
        (lambda x: x - cornu.ops.mean(x, axis=0), False),
        (lambda x: cornu.ops.sum(x, axis=-1), False),  # which is not known to leave the rows alone
    ],
)
def test_functions_in_a_graph_keep_rows_apart_number_by_number(function, apart):
    x = cornu.Input((4,))
    model = cornu.Model(x, function(layers.Dense(4)(x)))
    assert apart == (not any(mixes_rows(part, False) for part in model._flatten_layers()))


def loss_cases():
    for name, kind in sorted(cornu.losses.catalogue.objects.items()):
        if isinstance(kind, type) and kind is not cornu.losses.Loss and promises.kept(kind(), "rowwise"):
            yield name


def probabilities(rows):
    found = np.random.default_rng(2).uniform(0.05, 0.95, (rows, 3)).astype("float32")
    return found / found.sum(-1, keepdims=True)


def labels_for(name, kinds):
    by_number = "Sparse" in name or name == "CategoricalGeneralizedCrossEntropy"
    return kinds if by_number else np.eye(3, dtype="float32")[kinds]


@pytest.mark.parametrize("name", list(loss_cases()))
def test_losses_that_are_said_to_leave_out_rows_do(name):
    y, p = labels_for(name, KINDS[:7]), probabilities(7)
    if name == "CTC":
        y, p = (
            np.random.default_rng(3).integers(1, 3, (7, 2)),
            np.random.default_rng(3).normal(size=(7, 5, 3)).astype("float32"),
        )
    reductions = ("sum_over_batch_size", "sum", "mean_with_sample_weight")
    made = [getattr(cornu.losses, name)(reduction=reduction) for reduction in reductions]

    @jax.jit
    def both(y, p, weights):
        few = [loss(y[:5], p[:5], sample_weight=w) for loss in made for w in (None, weights[:5])]
        with context.scope(rows=jnp.arange(7) < 5):
            filled = [loss(y, outputs._masked_rows(p), sample_weight=w) for loss in made for w in (None, weights)]
        return few, filled

    few, filled = both(y, p, WEIGHTS[:7])
    np.testing.assert_allclose(filled, few, rtol=2e-6)


METRIC_ARGUMENTS = {
    "IoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "MeanIoU": {"num_classes": 3},
    "OneHotMeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "MeanRelativeError": {"normalizer": [1.0, 2.0, 3.0]},
}


def metric_cases():
    kinds = {name: getattr(cornu.metrics, name) for name in cornu.metrics.__all__}
    return sorted(n for n, kind in kinds.items() if isinstance(kind, type) and n not in ("Metric", "MeanMetricWrapper"))


@pytest.mark.parametrize("name", metric_cases())
def test_metrics_that_are_said_to_leave_out_rows_do(name):
    short, filled = (getattr(cornu.metrics, name)(**METRIC_ARGUMENTS.get(name, {})) for _ in range(2))
    assert filled.ignores_zero_weights
    y, p = labels_for(name, KINDS[:7]), probabilities(7)
    if name in ("IoU", "MeanIoU"):
        y, p = KINDS[:7], KINDS[3:10]
    elif name in ("AUC", "Precision", "Recall") or "At" in name:
        y, p = y[:, 0], p[:, 0]
    batch = (p[:, 0],) if name in ("Mean", "Sum") else (y, p)
    short.update_state(*(part[:5] for part in batch))
    with context.scope(rows=jnp.arange(7) < 5):
        filled.update_state(*batch, sample_weight=outputs._row_weight(None))
    np.testing.assert_allclose(filled.result(), short.result(), rtol=1e-6)


def test_subclasses_of_builtin_losses_and_metrics_are_not_trusted():
    class Relative(cornu.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return super().call(y_true, y_pred) / cornu.ops.max(y_pred)

    class Count(cornu.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(cornu.ops.ones_like(y_pred))

    for arguments in ({"loss": Relative()}, {"metrics": [Count()]}, {"metrics": [lambda a, b: cornu.ops.max(b)]}):
        model = regressor(**arguments)
        model.fit(X, PRICES, batch_size=5, verbose=0)
        assert compilations(model) == 2


# ---------------------------------------------------------------- ways of running


@pytest.mark.parametrize("rows", [20, 25, 28])
def test_several_steps_in_one_call_change_nothing(rows):
    x, y = np.resize(X, (rows, 4)), np.resize(PRICES, (rows, 1))
    found = []
    for steps in (1, 3):
        cornu.utils.set_random_seed(1)
        model = regressor(layers.Dense(5, "tanh"), steps_per_execution=steps)
        history = model.fit(x, y, batch_size=5, epochs=2, verbose=0, validation_data=(x, y)).history
        found.append([*history.values(), *model.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert compilations(model) == 1


@pytest.mark.parametrize(
    "mode", [{"run_eagerly": True}, {"run_eagerly": True, "steps_per_execution": 3}, {"jit_compile": False}], ids=str
)
def test_uncompiled_steps_give_the_same_numbers(mode):
    found = []
    for arguments in ({}, mode):
        cornu.utils.set_random_seed(1)
        model = regressor(layers.Dense(5, "tanh"), **arguments)
        found.append([*model.fit(X, PRICES, batch_size=5, verbose=0).history.values(), *model.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_training_twice_goes_on_where_the_optimizer_stood():
    model = regressor(optimizer="adam")
    model.fit(X, PRICES, batch_size=5, verbose=0)
    slots = [v.numpy() for v in model.optimizer.variables]
    model.fit(X, PRICES, batch_size=5, verbose=0)
    assert int(model.optimizer.iterations) == 10
    assert all(not np.array_equal(a, v.numpy()) for a, v in zip(slots[2:], model.optimizer.variables[2:], strict=True))
    assert compilations(model) == 1


def test_a_training_that_is_resumed_sees_the_same_batches():
    def train(*spans):
        cornu.utils.set_random_seed(5)
        model = regressor(layers.Dropout(0.5, seed=3), optimizer="adam")
        for start, end in spans:
            model.fit(X, PRICES, batch_size=5, initial_epoch=start, epochs=end, verbose=0)
        return model.get_weights()

    for a, b in zip(train((0, 4)), train((0, 2), (2, 4)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_shuffling_differs_by_epoch_and_by_training():
    seen = []

    class Watch(cornu.Sequential):
        def train_step(self, state, data):
            jax.debug.callback(lambda x: seen.append(np.array(x)), data[0])
            return super().train_step(state, data)

    model = Watch([cornu.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(2):
        model.fit(X[:4], PRICES[:4], epochs=2, verbose=0)
    jax.effects_barrier()
    orders = {tuple(batch[:, 0].tolist()) for batch in seen}
    assert len(seen) == 4
    assert len(orders) >= 3


# ---------------------------------------------------------------- what a user holds stays as it was


def test_arrays_obtained_before_training_keep_their_values():
    model = regressor(layers.BatchNormalization(), layers.Dense(64))
    model.fit(X, PRICES, verbose=0)
    held = [*model.get_weights(), *(v.numpy() for v in model.variables), *(np.asarray(v) for v in model.variables)]
    held += [v.numpy() for v in model.optimizer.variables] + [model.predict(X, verbose=0), model.predict_on_batch(X)]
    copies = [np.array(a) for a in held]
    model.fit(X, PRICES, epochs=3, batch_size=4, verbose=0)
    model.evaluate(X, PRICES, verbose=0)
    model.train_on_batch(X, PRICES)
    for array, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_jax_arrays_given_to_a_model_stay_usable():
    model = regressor()
    kernel = jnp.full((4, 1), 0.5)
    model.set_weights([kernel, jnp.zeros(1)])
    model.fit(jnp.asarray(X), jnp.asarray(PRICES), verbose=0)
    np.testing.assert_array_equal(kernel, np.full((4, 1), 0.5))


def test_weights_read_during_training_keep_their_values():
    kept = []

    class Keep(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            view = self.model.weights[0].numpy()
            kept.append((view, view.copy()))

    regressor().fit(X, PRICES, batch_size=5, epochs=2, verbose=0, callbacks=[Keep()])
    assert all(np.array_equal(view, copy) for view, copy in kept)


# ---------------------------------------------------------------- what may be given to compile


def absolute(y_true, y_pred):
    return cornu.ops.mean(cornu.ops.abs(y_true - y_pred), axis=-1)


LOSSES = [
    "mae",
    "MeanAbsoluteError",
    cornu.losses.MeanAbsoluteError(),
    cornu.losses.mean_absolute_error,
    absolute,
    {"class_name": "MeanAbsoluteError", "config": {}, "module": "keras.losses", "registered_name": None},
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: getattr(loss, "__name__", type(loss).__name__))
def test_a_loss_may_be_a_name_an_object_a_function_or_a_config(loss):
    model = regressor(loss=loss, metrics=["mae", absolute])
    found = model.evaluate(X, PRICES, batch_size=5, verbose=0, return_dict=True)
    assert sorted(found) == ["absolute", "loss", "mae"]
    np.testing.assert_allclose(list(found.values()), np.mean(np.abs(model.predict(X, verbose=0) - PRICES)), rtol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        "SGD",
        cornu.optimizers.Adam,
        cornu.optimizers.Lion(0.01),
        optax.adam(0.1),
        optax.chain(optax.clip(0.5), optax.sgd(0.1)),
        {"class_name": "Adam", "config": {"learning_rate": 0.1}},
    ],
    ids=lambda o: str(o)[:20],
)
def test_an_optimizer_may_be_a_name_an_object_or_an_optax_transformation(optimizer):
    model = regressor(optimizer=optimizer)
    losses = model.fit(X, PRICES, epochs=5, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_mixed_bfloat16_trains_with_float32_weights():
    model = cornu.Sequential(
        [cornu.Input((4,)), layers.Dense(8, dtype="mixed_bfloat16"), layers.Dense(1, dtype="mixed_bfloat16")]
    )
    model.compile("sgd", "mse")
    losses = model.fit(X, PRICES, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert {v.dtype for v in model.weights} == {"float32"}
    assert model.predict(X, verbose=0).dtype == "bfloat16"


@pytest.mark.filterwarnings("ignore:.*are passed unscaled to")
def test_mixed_float16_skips_steps_whose_gradients_overflow():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    model.dtype_policy = "mixed_float16"
    model.compile("sgd", "mse")
    scale = float(model.optimizer.dynamic_scale)
    before = model.get_weights()
    model.train_on_batch(X * 1e30, PRICES)
    assert float(model.optimizer.dynamic_scale) == scale / 2
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


# ---------------------------------------------------------------- what may be given to fit

SOURCES = {
    "lists": lambda: (X.tolist(), PRICES.tolist()),
    "jax": lambda: (jnp.asarray(X), jnp.asarray(PRICES)),
    "pandas": lambda: (pd.DataFrame(X), pd.Series(PRICES[:, 0])),
    "polars": lambda: (pl.DataFrame(X), pl.Series(PRICES[:, 0])),
    "float64": lambda: (X.astype("float64"), PRICES.astype("float64")),
    "integers": lambda: (np.arange(88).reshape(22, 4), np.arange(22)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_many_kinds_of_arrays_train(name):
    model = regressor()
    x, y = SOURCES[name]()
    history = model.fit(x, y, batch_size=8, epochs=1, verbose=0, validation_data=(x, y)).history
    assert np.isfinite(history["loss"][0])
    assert model.predict(x, verbose=0).shape == (22, 1)


def batches():
    for start in range(0, 20, 5):
        yield X[start : start + 5], PRICES[start : start + 5]


class Batched(cornu.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], PRICES[5 * index : 5 * index + 5]


def torch_loader():
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(X[:20]), torch.tensor(PRICES[:20])), batch_size=5
    )


@pytest.mark.parametrize(
    "source", [batches, Batched, lambda: list(batches()), torch_loader], ids=["generator", "PyDataset", "list", "torch"]
)
def test_sources_of_batches_train_like_arrays(source):
    found = []
    for x, y, options in ((X[:20], PRICES[:20], {"batch_size": 5}), (source(), None, {})):
        cornu.utils.set_random_seed(1)
        model = regressor()
        if isinstance(x, list):
            x = iter(x)
        history = model.fit(x, y, shuffle=False, verbose=0, **options).history
        found.append([history["loss"], *model.get_weights(), model.evaluate(X, PRICES, verbose=0)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_inputs_and_labels_go_by_name():
    left, right = cornu.Input((2,), name="left"), cornu.Input((2,), name="right")
    price = layers.Dense(1, name="price")(layers.Concatenate()([left, right]))
    kind = layers.Dense(3, "softmax", name="kind")(left)
    model = cornu.Model([left, right], [price, kind])
    model.compile("sgd", {"price": "mse", "kind": "sparse_categorical_crossentropy"}, metrics={"kind": ["accuracy"]})
    x, y = {"right": X[:, 2:], "left": X[:, :2]}, {"kind": KINDS, "price": PRICES}
    by_name = model.evaluate(x, y, batch_size=5, verbose=0, return_dict=True)
    in_order = model.evaluate([X[:, :2], X[:, 2:]], [PRICES, KINDS], batch_size=5, verbose=0, return_dict=True)
    assert by_name == pytest.approx(in_order)
    listed = model.evaluate(x, y, batch_size=5, verbose=0)
    assert model.metrics_names == ["loss", "price_loss", "kind_loss", "kind_accuracy"]
    assert listed == pytest.approx([by_name[name] for name in model.metrics_names])
    assert by_name["loss"] == pytest.approx(by_name["price_loss"] + by_name["kind_loss"])
    history = model.fit(
        x, y, epochs=2, batch_size=5, verbose=0, sample_weight={"price": WEIGHTS, "kind": WEIGHTS}
    ).history
    assert list(history) == ["kind_accuracy", "kind_loss", "loss", "price_loss"]
    assert [output.shape for output in model.predict(x, verbose=0)] == [(22, 1), (22, 3)]


# ---------------------------------------------------------------- callbacks and the real model


def test_callbacks_see_the_logs_of_every_batch():
    seen = []

    class Watch(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, dict(logs)))

    history = regressor().fit(X, PRICES, batch_size=5, verbose=0, callbacks=[Watch()]).history
    assert [batch for batch, _ in seen] == [0, 1, 2, 3, 4]
    assert all(type(value) is float for _, logs in seen for value in logs.values())
    assert seen[-1][1] == {name: values[0] for name, values in history.items()}


def test_stopping_ends_the_epoch_and_the_training():
    class Stop(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model = regressor(optimizer="adam")
    history = model.fit(X, PRICES, batch_size=5, epochs=3, verbose=0, callbacks=[Stop()])
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == 2
    model.fit(X, PRICES, batch_size=5, verbose=0)
    assert int(model.optimizer.iterations) == 7


def test_a_learning_rate_schedule_takes_effect():
    model = regressor()
    rates = cornu.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch == 0 else 0.0)
    weights = []
    keep = cornu.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    history = model.fit(X, PRICES, epochs=3, verbose=0, callbacks=[rates, keep]).history
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.0, 0.0])
    np.testing.assert_array_equal(weights[0][0], weights[2][0])
    assert compilations(model) == 1


def test_early_stopping_brings_back_the_best_weights():
    model = regressor(optimizer=cornu.optimizers.SGD(5.0))  # so large that it can only get worse
    stop = cornu.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = model.fit(X, PRICES, epochs=9, verbose=0, validation_data=(X, PRICES), callbacks=[stop]).history
    assert len(history["loss"]) < 9
    assert model.evaluate(X, PRICES, verbose=0)[0] == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_a_checkpoint_holds_the_model_of_the_best_epoch(tmp_path):
    path = tmp_path / "best.keras"
    model = regressor()
    keep = cornu.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True)
    history = model.fit(X, PRICES, epochs=3, verbose=0, validation_data=(X, PRICES), callbacks=[keep]).history
    loaded = cornu.saving.load_model(path)
    assert loaded.evaluate(X, PRICES, verbose=0)[0] == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_nan_ends_the_training_on_request(capsys):
    x = X.copy()
    x[7] = np.nan
    with pytest.warns(UserWarning, match="loss is nan at the end of epoch 1: x contains NaN"):
        history = regressor().fit(
            x, PRICES, epochs=3, batch_size=5, verbose=0, callbacks=[cornu.callbacks.TerminateOnNaN()]
        )
    assert len(history.history["loss"]) == 1
    assert "Invalid loss" in capsys.readouterr().out


# ---------------------------------------------------------------- parts of a model


def test_freezing_before_compile_keeps_the_weights():
    model = regressor(layers.Dense(5))
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, PRICES, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert not np.array_equal(model.get_weights()[2], before[2])
    assert len(model.optimizer._trainable_variables) == 2


def test_changing_what_is_trainable_needs_compile():
    model = regressor(layers.Dense(5))
    model.fit(X, PRICES, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"was built for other variables: 4 then, 2 to train now.*compile\(\) again"):
        model.fit(X, PRICES, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.compile("sgd", "mse")
    model.fit(X, PRICES, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_frozen_batch_normalization_normalizes_by_what_it_knows():
    model = regressor(layers.BatchNormalization(trainable=False))
    before = [w.copy() for w in model.layers[0].get_weights()]
    model.fit(X, PRICES, batch_size=5, epochs=2, verbose=0)
    for a, b in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_metrics_of_layers_and_models_are_shown():
    class Size(layers.Layer):
        def __init__(self):
            super().__init__()
            self.size = cornu.metrics.Mean(name="size")

        def call(self, inputs):
            self.size.update_state(cornu.ops.abs(inputs))
            return inputs

    model = regressor(Size())
    history = model.fit(X, PRICES, batch_size=5, epochs=2, verbose=0, validation_data=(X[:7], PRICES[:7])).history
    np.testing.assert_allclose(history["size"], np.mean(np.abs(X)), rtol=1e-5)
    np.testing.assert_allclose(history["val_size"], np.mean(np.abs(X[:7])), rtol=1e-5)
    assert compilations(model) == 2


def test_a_model_of_several_models_trains():
    inner = cornu.Sequential([layers.Dense(5, "relu"), layers.Dropout(0.2)])
    model = cornu.Sequential([inner, layers.Dense(1)])
    model.compile("adam", "mse")
    losses = model.fit(X, PRICES, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.weights) == 4


def test_a_stateful_layer_keeps_its_state_from_batch_to_batch():
    model = cornu.Sequential([cornu.Input(batch_shape=(2, 3, 1)), layers.GRU(2, stateful=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3, 1), "float32")
    found = model.predict(x, batch_size=2, verbose=0)
    assert not np.allclose(found[:2], found[2:])
    model.layers[0].reset_state()
    np.testing.assert_allclose(model.predict(x[:2], batch_size=2, verbose=0), found[:2])
    model.fit(x, np.ones((4, 1)), batch_size=2, verbose=0)


def test_nothing_is_warned_of_in_ordinary_training():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(layers.Dense(4)).fit(X, KINDS, batch_size=5, validation_split=0.2, verbose=0)


def test_one_batch_is_looked_at_each_time_that_it_is_of_another_kind():
    model = classifier()
    expected = model.predict(X[:2], verbose=0)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict(X[:2], verbose=0), expected)
        np.testing.assert_allclose(model.predict(X[:2].astype("float64"), verbose=0), expected, rtol=1e-6)
        with pytest.raises(ValueError, match="masked values"):
            model.predict(np.ma.masked_less(X[:2], 0), verbose=0)
        with pytest.raises(ValueError, match="shape"):
            model.predict(X[:2, :3], verbose=0)
    model.set_weights([2 * w for w in model.get_weights()])
    assert not np.allclose(model.predict(X[:2], verbose=0), expected)


def test_a_model_that_was_neither_built_nor_compiled_predicts():
    model = cornu.Sequential([cornu.layers.Dense(2)])
    assert model.predict(np.ones((3, 4)), verbose=0).shape == (3, 2)
    assert model.predict_on_batch(np.ones((1, 4))).shape == (1, 2)


# ---------------------------------------------------------------- models that were trained before, inside others


class Counted(layers.Layer):
    """Passes its input on and keeps a metric that is called like the total loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = cornu.metrics.Mean(name="loss")

    def call(self, x):
        self.mean.update_state(7.0)
        return x


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclass"])
def test_a_model_that_contains_a_compiled_model_shows_its_own_loss(kind):
    body = regressor(layers.Dense(3, activation="relu"))
    body.fit(X, PRICES, verbose=0)
    inputs = cornu.Input((4,))

    class Around(cornu.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = body, layers.Dense(1)

        def call(self, x):
            return self.head(self.body(x))

    model = {
        "sequential": lambda: cornu.Sequential([body, layers.Dense(1)]),
        "functional": lambda: cornu.Model(inputs, layers.Dense(1)(body(inputs))),
        "subclass": Around,
    }[kind]()
    model.compile(cornu.optimizers.SGD(0.0), "mse", metrics=["mae"])
    history = model.fit(X, PRICES, validation_data=(X, PRICES), verbose=0).history
    errors = model.predict(X, verbose=0) - PRICES
    right = [np.mean(errors**2), np.mean(np.abs(errors))]
    for found in (
        [history["loss"][0], history["mae"][0]],
        [history["val_loss"][0], history["val_mae"][0]],
        model.evaluate(X, PRICES, verbose=0),
        model.train_on_batch(X, PRICES),
    ):
        np.testing.assert_allclose(found, right, rtol=1e-5)
    assert sorted(history) == ["loss", "mae", "val_loss", "val_mae"]


def test_a_layers_metric_may_be_called_like_the_loss():
    model = regressor(Counted())
    history = model.fit(X, PRICES, verbose=0).history
    assert history["loss_1"] == [7.0]
    assert 0 < history["loss"][0] != 7.0


class Structured(cornu.Model):
    """Outputs that have no names, in any structure."""

    def __init__(self, structure):
        super().__init__()
        self.parts, self.structure = [layers.Dense(1) for _ in range(3)], structure

    def call(self, inputs):
        return self.structure(*[part(inputs) for part in self.parts])


def named(structure):
    x = cornu.Input((3,))
    return cornu.Model(x, structure(*[layers.Dense(1, name=name)(x) for name in "pqr"]))


@pytest.mark.parametrize(("make", "structure", "losses"), [
    (named, lambda p, q, r: [p, [q, r]], {"p": 1, "1/q": 4, "1/r": 9}),
    (named, lambda p, q, r: {"a": p, "b": [q, r]}, {"a": 1, "b/q": 4, "b/r": 9}),
    (Structured, lambda p, q, r: [p, [q, r]], {"mse": 1, "1/mse": 4, "1/mse_loss_1": 9}),
    (Structured, lambda p, q, r: [p, {"c": q, "d": r}], {"mse": 1, "1/c": 4, "1/d": 9}),
])  # fmt: skip
def test_losses_of_nested_outputs_are_called_by_the_way_to_them(make, structure, losses):
    model = make(structure)
    x = np.zeros((2, 3), "float32")
    model.compile("sgd", cornu.tree.map_structure(lambda _: "mse", model(x)), metrics=None)
    labels = structure(*(np.full((2, 1), value, "float32") for value in (1, 2, 3)))
    names = [name if name.endswith("_1") else f"{name}_loss" for name in losses]
    assert model.evaluate(x, labels, return_dict=True, verbose=0) == {
        "loss": 14.0, **dict(zip(names, losses.values(), strict=True))
    }  # fmt: skip


def test_each_of_two_outputs_of_one_layer_has_its_loss():
    x = cornu.Input((1,))
    double = layers.Rescaling(2.0, name="double")
    model = cornu.Model(x, [double(x), double(double(x))])
    model.compile("sgd", ["mae", "mae"])
    ones = np.ones((4, 1), "float32")
    found = model.evaluate(ones, [0 * ones, 0 * ones], return_dict=True, verbose=0)
    assert found == {"loss": 6.0, "double_loss": 2.0, "double_loss_1": 4.0}


class Rows(cornu.metrics.Metric):
    """Counts rows in a variable that it makes when it first sees data."""

    count = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.count is None:
            self.count = self.add_weight(shape=(), initializer="zeros", name="count")
        self.count.assign(self.count + y_true.shape[0])

    def result(self):
        return 0.0 if self.count is None else self.count.value


@pytest.mark.parametrize("method", ["fit", "evaluate", "custom step"])
def test_a_metric_that_makes_its_variables_late_counts_every_batch(method):
    class Stepping(cornu.Sequential):
        def train_step(self, data):
            x, y = data
            self.rows.update_state(y, self(x))
            return {"rows": self.rows.result()}

    model = Stepping([cornu.Input((4,)), layers.Dense(1)]) if method == "custom step" else regressor()
    rows = Rows(name="rows")
    if method == "custom step":
        model.rows = rows
    model.compile("sgd", "mse", metrics=None if method == "custom step" else [rows])
    if method == "evaluate":
        assert model.evaluate(X, PRICES, batch_size=5, verbose=0, return_dict=True)["rows"] == ROWS
    else:
        assert model.fit(X, PRICES, batch_size=5, verbose=0).history["rows"] == [ROWS]


class Batches(Rows):
    """Gives its variables themselves as results."""

    def result(self):
        return {"rows": self.count, "again": self.count + 0.0}


def test_a_metric_may_give_its_variable_as_its_result():
    model = regressor(metrics=[Batches()])
    for found in (
        model.evaluate(X, PRICES, batch_size=5, verbose=0, return_dict=True),
        {name: values[0] for name, values in model.fit(X, PRICES, batch_size=5, verbose=0).history.items()},
        model.train_on_batch(X, PRICES, return_dict=True),
    ):
        assert (found["rows"], found["again"]) == (ROWS, ROWS)


def test_a_callback_may_compile_anew_between_epochs():
    class Freezes(cornu.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[0].trainable = False
                self.model.compile("sgd", "mse", metrics=["mae"])
                self.kept = self.model.layers[0].get_weights()

    model, freezes = regressor(layers.Dense(3)), Freezes()
    history = model.fit(X, PRICES, epochs=3, validation_data=(X, PRICES), verbose=0, callbacks=[freezes]).history
    assert len(history["mae"]) == len(history["val_mae"]) == 3
    for kept, now in zip(freezes.kept, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_a_layer_may_add_a_weight_as_its_loss():
    class Priced(layers.Layer):
        def build(self, shape):
            self.price = self.add_weight(shape=(), initializer="ones", name="price")

        def call(self, x):
            self.add_loss(self.price)
            return x

    model = regressor(Priced(), optimizer=cornu.optimizers.SGD(0.25))
    model.fit(X, PRICES, batch_size=ROWS, verbose=0)
    np.testing.assert_allclose(model.layers[0].price.numpy(), 0.75)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cornu.metrics.F1Score(average="macro"), lambda: cornu.metrics.FBetaScore(average="micro"),
        cornu.metrics.R2Score, lambda: cornu.metrics.AUC(multi_label=True),
    ],
    ids=["F1Score", "FBetaScore", "R2Score", "AUC"],
)  # fmt: skip
def test_the_first_evaluation_counts_every_batch(make):
    y = np.eye(3, dtype="float32")[KINDS]
    model = classifier(loss="categorical_crossentropy", metrics=[make()])
    alone = make()
    alone.update_state(y, model.predict(X, verbose=0))
    found = model.evaluate(X, y, batch_size=5, verbose=0)[1]
    np.testing.assert_allclose(found, np.asarray(alone.result()), rtol=1e-4)
