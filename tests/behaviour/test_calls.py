"""Calling a model, again and again: the same results as operation by operation, at the price of one compiled call."""

import copy
import functools
import threading
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.core.masks import get_mask
from cornu.models import calls
from cornu.training.execution import compilations


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def tokens(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 5, size=shape).astype("int32")


def by_operations(model, *args, **kwargs):
    """What a call gives when nothing is compiled."""
    return layers.Layer.__call__(model, *args, **kwargs)


def is_compiled(model):
    """Whether calls of `model` run compiled functions."""
    held = model._structure().remember(calls._calls_of)
    return held is not None and any(held.known.values())


def mlp(**kwargs):
    return cornu.Sequential(
        [cornu.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.5, seed=3), layers.Dense(3, **kwargs)]
    )


def batch_norm():
    return cornu.Sequential([cornu.Input((6,)), layers.Dense(4), layers.BatchNormalization(), layers.ReLU()])


def convolutions():
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2)]
    return cornu.Sequential([cornu.Input((8, 8, 1)), *parts])


def recurrent():
    parts = [layers.Embedding(5, 4, mask_zero=True), layers.LSTM(3, return_sequences=True)]
    return cornu.Sequential([cornu.Input((7,), dtype="int32"), *parts])


def two_outputs():
    x = cornu.Input((6,), name="left")
    y = cornu.Input((6,), name="right")
    both = layers.Add()([x, y * 2.0])
    return cornu.Model({"left": x, "right": y}, {"sum": both, "head": layers.Dense(2)(both)})


MODELS = {
    "dense layers with dropout": (mlp, lambda n: data(n, 6)),
    "batch normalization": (batch_norm, lambda n: data(n, 6)),
    "convolutions": (convolutions, lambda n: data(n, 8, 8, 1)),
    "a recurrent layer with a mask": (recurrent, lambda n: tokens(n, 7)),
    "two inputs and two outputs": (two_outputs, lambda n: {"left": data(n, 6), "right": data(n, 6, seed=1)}),
}


# ---------------------------------------------------------------- the same results


@pytest.mark.parametrize(
    ("name", "training"),
    [*((name, training) for name in MODELS for training in (None, True)), ("dense layers with dropout", False)],
)
def test_a_compiled_call_gives_what_the_operations_give(name, training):
    make, inputs = MODELS[name]
    compiled, plain = make(), make()
    plain.set_weights(compiled.get_weights())
    arguments = {} if training is None else {"training": training}
    for rows in (3, 3, 1):
        x = inputs(rows)
        found, expected = compiled(x, **arguments), by_operations(plain, x, **arguments)
        assert list(found) == list(expected) if isinstance(expected, dict) else True
        for a, b in zip(cornu.tree.flatten(found), cornu.tree.flatten(expected), strict=True):
            assert isinstance(a, jax.Array)
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
            assert (get_mask(a) is None) == (get_mask(b) is None)
            if get_mask(b) is not None:
                np.testing.assert_array_equal(get_mask(a), get_mask(b))
    for a, b in zip(compiled.variables, plain.variables, strict=True):  # moving means and seeds too
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert is_compiled(compiled)


def test_calling_twice_gives_the_very_same_numbers():
    model, x = mlp(), data(4, 6)
    np.testing.assert_array_equal(model(x), model(x))


def test_dropout_draws_new_numbers_at_every_call():
    model, x = mlp(), data(4, 6)
    assert not np.allclose(model(x, training=True), model(x, training=True))


def test_jax_arrays_and_numpy_arrays_of_any_width_are_taken():
    model = mlp()
    expected = model(data(2, 6))
    for x in (jnp.asarray(data(2, 6)), data(2, 6).astype("float64"), cornu.Variable(data(2, 6))):
        np.testing.assert_allclose(model(x), expected, rtol=1e-6)


def test_losses_added_in_a_call_are_there_afterwards():
    model = cornu.Sequential([cornu.Input((6,)), layers.Dense(4, activity_regularizer="l2", kernel_regularizer="l1")])
    for x in (data(3, 6), data(3, 6, seed=1)):
        by_operations(model, x)
        expected = [float(loss) for loss in model.losses]
        model(x)
        assert is_compiled(model)
        assert len(expected) == 2
        np.testing.assert_allclose([float(loss) for loss in model.losses], expected, rtol=1e-5)


def test_the_shapes_of_outputs_appear_in_the_summary_after_a_call():
    model, lines = batch_norm(), []
    model(data(2, 6))
    model.summary(print_fn=lines.append)
    assert "(None, 4)" in "".join(lines)


def test_the_shapes_in_a_dictionary_of_outputs_appear_in_the_summary():
    class Both(cornu.layers.Layer):
        def call(self, inputs):
            return {"same": inputs, "more": [inputs[:, :1], inputs * 2]}

    class Outer(cornu.Model):
        def __init__(self):
            super().__init__()
            self.both = Both()

        def call(self, inputs):
            return self.both(inputs)["same"]

    model, lines = Outer(), []
    model(data(2, 6))
    model.summary(print_fn=lines.append, line_length=120)
    assert "[(2, 1), (2, 6), (2, 6)]" in "".join(lines)  # in the order of the keys, as tensors are flattened


def test_a_wrong_input_is_refused_at_every_call():
    model = mlp()
    model(data(2, 6))
    for _ in range(2):
        with pytest.raises(ValueError, match="shape"):
            model(data(2, 5))
    assert model(data(2, 6)).shape == (2, 3)


# ---------------------------------------------------------------- gradients


def test_gradients_through_a_model_are_those_of_the_operations():
    model, x = mlp(), data(3, 6)
    model(x)  # compiled before

    def loss(weights, call):
        outputs, _ = call(weights)
        return jnp.sum(jnp.square(outputs))

    rest = [v.value for v in model.non_trainable_variables]
    weights = [v.value for v in model.trainable_variables]
    found = jax.grad(loss)(weights, lambda w: model.stateless_call(w, rest, x))
    kernel, bias, head, head_bias = weights
    expected = jax.grad(lambda w: jnp.sum(jnp.square(jax.nn.relu(x @ w[0] + w[1]) @ w[2] + w[3])))(
        [kernel, bias, head, head_bias]
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_model_is_differentiated_by_its_input_and_closed_over():
    model, x = mlp(), jnp.asarray(data(3, 6))
    model(x)
    slope = jax.grad(lambda x: jnp.sum(model(x)))(x)
    step = 1e-2 * jnp.eye(6)[0]
    numeric = (jnp.sum(model(x[:1] + step)) - jnp.sum(model(x[:1] - step))) / 2e-2
    np.testing.assert_allclose(slope[0, 0], numeric, rtol=2e-2, atol=1e-3)
    factor = jax.grad(lambda a: jnp.sum(a * model(x)))(2.0)
    np.testing.assert_allclose(factor, jnp.sum(model(x)), rtol=1e-5)


def test_a_model_inside_a_compiled_function_of_the_users():
    model, x = mlp(), data(3, 6)
    expected = model(x)
    np.testing.assert_allclose(jax.jit(lambda: model(x))(), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(model)(x), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(model)(x[None])[0], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="inside a compiled function"):
        jax.jit(lambda: model(x, training=True))()
    np.testing.assert_allclose(model(x), expected, rtol=1e-6)


# ---------------------------------------------------------------- what runs operation by operation


class Counted(layers.Layer):
    """A layer whose call does something beside computing."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.count = [0]

    def call(self, x):
        self.count[0] += 1
        return x * 2.0


def test_a_layer_of_the_users_runs_at_every_call():
    layer = Counted()
    model = cornu.Sequential([cornu.Input((6,)), layer])
    before = layer.count[0]
    for _ in range(3):
        model(data(2, 6))
    assert layer.count[0] == before + 3


def test_functions_of_the_users_run_at_every_call():
    seen = []

    def noted(x):
        seen.append(x.shape)
        return x

    for parts in ([layers.Lambda(noted)], [layers.Dense(6, activation=noted)], [layers.Dense(6), Counted()]):
        model = cornu.Sequential([cornu.Input((6,)), *parts])
        model(data(2, 6))
        seen.clear()
        for _ in range(3):
            model(data(2, 6))
        assert not is_compiled(model)
        assert len(seen) == 3 * (len(parts) == 1)


def test_a_numpy_array_in_the_graph_may_be_changed_in_its_place():
    shift = np.zeros(6, "float32")
    x = cornu.Input((6,))
    model = cornu.Model(x, x + shift)
    np.testing.assert_allclose(model(data(1, 6)), data(1, 6))
    shift[:] = 1.0
    np.testing.assert_allclose(model(data(1, 6)), data(1, 6) + 1.0)


def test_a_variable_in_the_graph_is_read_at_every_call():
    scale = cornu.Variable(2.0)
    x = cornu.Input((6,))
    model = cornu.Model(x, x * scale)
    np.testing.assert_allclose(model(data(1, 6)), 2 * data(1, 6), rtol=1e-6)
    scale.assign(3.0)
    np.testing.assert_allclose(model(data(1, 6)), 3 * data(1, 6), rtol=1e-6)


def test_the_mask_of_an_input_is_heeded():
    model = cornu.Sequential([cornu.Input((4, 2)), layers.LSTM(3)])
    x = jnp.asarray(data(2, 4, 2))
    without = model(x)
    masked = layers.Masking(mask_value=9.0)(jnp.where(jnp.arange(4)[:, None] < 2, x, 9.0))
    assert not np.allclose(model(masked), without)
    np.testing.assert_allclose(model(masked), by_operations(model, masked), rtol=1e-5)


def test_run_eagerly_holds_for_calls_too():
    model = mlp()
    model.compile("sgd", "mse", run_eagerly=True)
    model(data(2, 6))
    assert not is_compiled(model)
    model.run_eagerly = False
    model(data(2, 6))
    assert is_compiled(model)


# ---------------------------------------------------------------- what changes is seen


def change_weights(model):
    model.set_weights([w + 1 for w in model.get_weights()])


def change_rate(model):
    model.layers[1].rate = 0.9


def change_activation(model):
    model.layers[0].activation = cornu.activations.get("tanh")


def replace_kernel(model):
    kernel = model.layers[0].kernel
    model.layers[0]._kernel = cornu.Variable(kernel.value * 2, name="other")


def freeze(model):
    model.layers[0].trainable = False


def adapt(model):
    model.layers[0].enable_lora(2)
    for variable in model.layers[0].trainable_variables:
        variable.assign(variable.value + 0.5)


def add_layer(model):
    model.add(layers.Dense(3, name="late"))


def remove_dropout(model):
    model._layers[:] = [layer for layer in model._layers if not isinstance(layer, layers.Dropout)]
    model._rebuild()


CHANGES = [change_weights, change_rate, change_activation, replace_kernel, freeze, adapt, add_layer]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("training", [False, True])
def test_a_change_shows_in_the_next_call_and_prediction(change, training):
    model, x = mlp(), data(4, 6)
    model(x, training=training)
    if not training:
        model.predict(x, verbose=0)
    change(model)
    seed = model.layers[1].seed_generator.state
    start = seed.numpy()
    expected = by_operations(model, x, training=training)
    seed.assign(start)
    np.testing.assert_allclose(model(x, training=training), expected, rtol=1e-5, atol=1e-6)
    if training:
        return
    if change is change_activation:  # a step is made anew for other parts, not for other settings of a part
        model.compile()
    np.testing.assert_allclose(model.predict(x, verbose=0), by_operations(model, x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), by_operations(model, x), rtol=1e-5, atol=1e-6)


def test_freezing_batch_normalization_shows_in_the_next_call():
    model, x = batch_norm(), data(8, 6)
    model(x, training=True)
    model.layers[1].trainable = False
    before = model.layers[1].moving_mean.numpy()
    np.testing.assert_allclose(model(x, training=True), model(x, training=False), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.layers[1].moving_mean.numpy(), before)


class Growing(cornu.Model):
    """A model whose layers are kept in a plain list."""

    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(4, "tanh"), layers.ReLU(), layers.Dense(4)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def append_block(model):
    late = layers.Dense(4, name="appended")
    late.build((None, 4))
    model.blocks.append(late)


def replace_block(model):
    new = layers.Dense(4, name="replacement")
    new.build((None, 4))
    model.blocks[2] = new


def remove_block(model):
    model.blocks.pop()


def freeze_block(model):
    model.blocks[0].trainable = False


def turn_around(model):
    model.blocks.reverse()


def drop_activation(model):
    model.blocks[:] = [block for block in model.blocks if isinstance(block, layers.Dense)]


def share_block(model):
    model.blocks.append(model.blocks[0])


@pytest.mark.parametrize("change", [append_block, replace_block])
def test_layers_put_into_a_list_of_a_built_model_are_refused(change):
    model, x = Growing(), data(8, 4)
    model(x)
    change(model)
    with pytest.raises(ValueError, match='in the list "blocks" cannot be added once the layer is built'):
        model.compile("sgd", "mse")
        model.train_on_batch(x, x)


@pytest.mark.parametrize("change", [remove_block, freeze_block, share_block, turn_around])
def test_training_after_a_change_trains_what_the_model_has_then(change):
    model, x, y = Growing(), data(8, 4), data(8, 4, seed=1)
    model.compile(cornu.optimizers.SGD(0.1), "mse")
    model.train_on_batch(x, y)
    change(model)
    model.compile(cornu.optimizers.SGD(0.1), "mse")  # a new optimizer, as for Keras
    before = {id(v): v.numpy() for v in model.weights}
    wanted = {id(v) for v in model.trainable_variables}
    loss = model.test_on_batch(x, y)
    assert np.isclose(loss, np.mean((np.asarray(by_operations(model, x)) - y) ** 2), rtol=1e-4)
    model.train_on_batch(x, y)
    for variable in model.weights:
        moved = not np.array_equal(before[id(variable)], variable.numpy())
        assert moved == (id(variable) in wanted)
    np.testing.assert_allclose(model.predict(x, verbose=0), by_operations(model, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("change", [drop_activation, turn_around])
def test_a_compiled_model_follows_its_layers(change):
    model, x, y = Growing(), data(8, 4), data(8, 4, seed=1)
    model.compile(cornu.optimizers.SGD(0.0), "mse")
    for _ in range(2):
        expected = np.mean((np.asarray(by_operations(model, x)) - y) ** 2)
        np.testing.assert_allclose(model.train_on_batch(x, y), expected, rtol=1e-5)
        np.testing.assert_allclose(model.test_on_batch(x, y), expected, rtol=1e-5)
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(model.fit(x, y, verbose=0).history["loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(model.predict(x, verbose=0), by_operations(model, x), rtol=1e-5, atol=1e-6)
        change(model)


def test_training_on_with_the_old_optimizer_is_refused_after_freezing_a_layer():
    model, x = Growing(), data(8, 4)
    model.compile("sgd", "mse")
    model.train_on_batch(x, x)
    model.train_on_batch(x, x)
    freeze_block(model)
    with pytest.raises(ValueError, match="was built for other variables"):
        model.train_on_batch(x, x)


def test_a_variable_frozen_by_hand_is_noticed():
    model, x = Growing(), data(8, 4)
    model.compile("sgd", "mse")
    model.train_on_batch(x, x)
    model.blocks[0].kernel.trainable = False
    with pytest.raises(ValueError, match="was built for other variables"):
        model.train_on_batch(x, x)


class ListedMetrics(cornu.Model):
    """A model that says itself which metrics it has, as Keras's guides do."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.watched = []

    def call(self, x):
        return self.dense(x)

    @property
    def metrics(self):
        return [*super().metrics, *self.watched]


def test_a_list_of_metrics_of_the_users_is_asked_every_time():
    outside = []
    model, x = ListedMetrics(), data(4, 3)
    model.watched = outside
    model.compile("sgd", "mse")
    model.train_on_batch(x, x[:, :1])
    outside.append(cornu.metrics.Mean(name="late"))
    outside[0].update_state(3.0)
    logs = model.train_on_batch(x, x[:, :1], return_dict=True)
    assert "late" in logs


def test_a_copy_of_a_called_model_is_a_model_of_its_own():
    model, x = mlp(), data(2, 6)
    before = model(x)
    twin = copy.deepcopy(model)
    twin.set_weights([w * 0 for w in twin.get_weights()])
    np.testing.assert_allclose(twin(x), 0.0)
    np.testing.assert_allclose(twin.predict(x, verbose=0), 0.0)
    np.testing.assert_array_equal(model(x), before)


# ---------------------------------------------------------------- single batches


def test_metrics_start_anew_with_every_single_batch():
    model, x, y = mlp(activation="softmax"), data(16, 6), np.arange(16) % 3
    model.compile(cornu.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.layers[1].rate = 0.0
    first = model.train_on_batch(x, y)
    model.fit(x[:5], y[:5], epochs=1, verbose=0, batch_size=5)
    for _ in range(50):
        again = model.train_on_batch(x, y)
    np.testing.assert_allclose(again, first, rtol=1e-5)
    np.testing.assert_allclose(model.test_on_batch(x, y), first, rtol=1e-5)
    np.testing.assert_allclose(list(model.get_metrics_result().values()), first, rtol=1e-5)


class Peak(cornu.metrics.Metric):
    """A metric that starts from something else than zero."""

    def __init__(self, name="peak"):
        super().__init__(name=name)
        self.peak = self.add_variable((), name="peak")
        self.resets = 0

    def reset_state(self):
        self.resets += 1
        self.peak.assign(-5.0)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.peak.assign(jnp.maximum(self.peak.value, jnp.max(y_true)))

    def result(self):
        return self.peak.value


def test_a_metric_of_the_users_resets_itself():
    peak = Peak()
    model = mlp()
    model.compile("sgd", "mse", metrics=[peak])
    x = data(4, 6)
    for largest in (7.0, -2.0):
        logs = model.train_on_batch(x, np.full((4, 3), largest), return_dict=True)
        assert logs["peak"] == largest
    assert peak.resets == 2


# ---------------------------------------------------------------- memory and numbers of functions


@pytest.mark.parametrize("name", ["dense layers with dropout", "convolutions", "a recurrent layer with a mask"])
def test_hundreds_of_calls_leave_no_more_arrays_than_a_few(name):
    make, inputs = MODELS[name]
    model, x = make(), inputs(1)

    def some(count):
        for _ in range(count):
            model(x)
            model(x, training=True)
            model.predict_on_batch(x)
            model.predict(x, verbose=0)

    some(3)
    held = model._structure()
    arrays, known, functions = len(jax.live_arrays()), len(held.remember(calls._calls_of).known), model.compilations
    some(200 if make is mlp else 50)
    assert model._structure() is held
    assert len(jax.live_arrays()) <= arrays
    assert len(held.remember(calls._calls_of).known) == known == 2
    assert model.compilations == functions == {"train": 0, "test": 0, "predict": 1}


def test_the_number_of_compiled_shapes_is_bounded(monkeypatch):
    monkeypatch.setattr(calls, "MOST_SHAPES", 3)
    model = cornu.Sequential([cornu.Input((6,)), layers.Dense(2)])
    for rows in (1, 2, 3, 4, 5, 1, 5):
        np.testing.assert_allclose(model(data(rows, 6)), by_operations(model, data(rows, 6)), rtol=1e-5, atol=1e-6)
    assert len(model._structure().remember(calls._calls_of).known) == 3


def test_a_model_that_changes_all_the_time_is_compiled_no_more(monkeypatch):
    monkeypatch.setattr(calls, "MOST_CHANGES", 3)
    model = mlp()
    for step in range(6):
        model.layers[1].rate = step / 10
        model(data(2, 6))
        assert is_compiled(model) == (step < 3)


# ---------------------------------------------------------------- compilations


def lengths(*counts, rows=4):
    for count in counts:
        yield {"tokens": data(rows, count, 2), "other": data(rows, 3)}, data(rows, 1)


def varying_model():
    tokens_, other = cornu.Input((None, 2), name="tokens"), cornu.Input((3,), name="other")
    pooled = layers.GlobalAveragePooling1D()(tokens_)
    model = cornu.Model({"tokens": tokens_, "other": other}, layers.Dense(1)(layers.Concatenate()([pooled, other])))
    model.compile("sgd", "mse")
    return model


def test_a_user_can_ask_how_often_steps_were_compiled():
    model = mlp()
    model.compile("sgd", "mse")
    assert model.compilations == {"train": 0, "test": 0, "predict": 0}
    for _ in range(3):
        model.train_on_batch(data(4, 6), data(4, 3))
    assert model.compilations == {"train": 1, "test": 0, "predict": 0}
    model.train_on_batch(data(5, 6), data(5, 3))
    model.test_on_batch(data(5, 6), data(5, 3))
    assert model.compilations == {"train": 2, "test": 1, "predict": 0}


def test_shapes_that_keep_changing_are_named_once():
    model = varying_model()
    with pytest.warns(UserWarning, match=r"x\['tokens'\] came as \(4, 1, 2\), \(4, 2, 2\)") as caught:
        model.fit(lengths(*range(1, 7)), steps_per_epoch=6, epochs=1, verbose=0)
    assert len(caught) == 1
    assert "other" not in str(caught[0].message)
    assert "Pad x['tokens']" in str(caught[0].message)
    with pytest.warns(UserWarning, match="Pad"):
        model.fit(lengths(*range(11, 17)), steps_per_epoch=6, epochs=1, verbose=0)


def test_numbers_of_rows_that_keep_changing_are_named():
    model = mlp()
    model.compile("sgd", "mse")
    batches = ((data(rows, 6), data(rows, 3)) for rows in range(1, 7))
    with pytest.warns(UserWarning, match="drop_remainder"):
        model.fit(batches, steps_per_epoch=6, epochs=1, verbose=0)


def test_a_few_shapes_are_nothing_to_speak_of():
    model = varying_model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(lengths(*([1, 2, 3, 4] * 3)), steps_per_epoch=12, epochs=1, verbose=0)
        for count in range(5, 10):  # single batches are the user's own business
            (batch,) = lengths(count)
            model.train_on_batch(*batch)


@pytest.mark.parametrize(("verbose", "terminal", "shown"), [(1, True, True), (0, True, False), (1, False, False)])
def test_compiling_is_shown_where_a_line_can_be_redrawn(verbose, terminal, shown, monkeypatch, capsys):
    monkeypatch.setattr(compilations, "_PATIENCE", 0.0)
    monkeypatch.setattr(compilations, "takes_lines_back", lambda: terminal)
    threads = threading.active_count()
    model = mlp()
    model.compile("sgd", "mse")
    model.fit(data(4, 6), data(4, 3), verbose=verbose)
    model.train_on_batch(data(5, 6), data(5, 3))
    text = capsys.readouterr().out
    line = "Compiling the training step..."
    assert (line in text) == shown
    assert text.count(line) <= 1
    if shown:
        assert f"\r{line}\r{' ' * len(line)}\r" in text
    assert threading.active_count() <= threads


def test_quick_compilations_show_nothing(monkeypatch, capsys):
    monkeypatch.setattr(compilations, "_PATIENCE", 60.0)
    monkeypatch.setattr(compilations, "takes_lines_back", lambda: True)
    model = mlp()
    model.compile("sgd", "mse")
    model.fit(data(4, 6), data(4, 3), verbose=1)
    assert "Compiling" not in capsys.readouterr().out


# ---------------------------------------------------------------- learning rates


def constant(rate):
    return cornu.optimizers.schedules.PiecewiseConstantDecay([10**6], [rate, rate])


def line(rate):
    model = cornu.Sequential([cornu.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(cornu.optimizers.SGD(rate), "mse")
    return model


X, Y = np.ones((2, 1), "float32"), np.zeros((2, 1), "float32")


def moved(model, train):
    """How far the weight moves in a step, for each unit of the gradient."""
    before = float(model.get_weights()[0][0, 0])
    train(model)
    return (before - float(model.get_weights()[0][0, 0])) / (2 * before)


@pytest.mark.parametrize("first", [0.1, constant(0.1)])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    "train", [lambda m: m.train_on_batch(X, Y), lambda m: m.fit(X, Y, verbose=0)], ids=["train_on_batch", "fit"]
)
def test_a_new_schedule_acts_in_a_compiled_model(first, wrapped, train):
    model = line(first)
    if wrapped:
        inner = model.optimizer
        model.compile(cornu.optimizers.LossScaleOptimizer(inner, initial_scale=1.0), "mse")
    np.testing.assert_allclose(moved(model, train), 0.1, rtol=1e-4)
    for rate in (0.2, 0.05):
        model.optimizer.learning_rate = constant(rate)
        np.testing.assert_allclose(moved(model, train), rate, rtol=1e-4)
    assert model.compilations["train"] == 3


def test_a_new_number_acts_without_compiling_again():
    model = line(0.1)
    for rate in (0.1, 0.2, 0.05):
        model.optimizer.learning_rate = rate
        np.testing.assert_allclose(moved(model, lambda m: m.train_on_batch(X, Y)), rate, rtol=1e-4)
    assert model.compilations["train"] == 1


def test_a_schedule_replaced_by_a_callback_acts_in_the_next_epoch():
    model = line(constant(0.1))
    found = []

    class Phases(cornu.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = constant([0.1, 0.2][epoch])
            found.append(float(self.model.get_weights()[0][0, 0]))

    model.fit(X, Y, epochs=2, verbose=0, callbacks=[Phases()])
    found.append(float(model.get_weights()[0][0, 0]))
    np.testing.assert_allclose(found, [1.0, 0.8, 0.8 * 0.6], rtol=1e-5)


# ---------------------------------------------------------------- settings of the model


def test_compiling_and_debugging_are_switched_on_the_model():
    assert isinstance(cornu.Model.jit_compile, property)
    assert isinstance(cornu.Model.run_eagerly, property)
    model = mlp()
    model.compile("sgd", "mse")
    assert (model.jit_compile, model.run_eagerly) == (True, False)
    model.train_on_batch(data(4, 6), data(4, 3))
    model.run_eagerly = True
    assert not model.jit_compile
    seen = []

    class Watched(cornu.Model):
        def call(self, x):
            seen.append(isinstance(x, jax.core.Tracer))
            return x

    watched = Watched()
    watched.compile(loss="mse", run_eagerly=False)
    watched.predict(data(4, 3), verbose=0)
    watched.run_eagerly = True
    seen.clear()
    watched.predict(data(4, 3), verbose=0)
    assert seen == [False]


def test_a_layer_may_ask_for_its_output_shape_while_it_builds():
    class Counted(cornu.layers.Conv1D):
        def build(self, input_shape):
            super().build(input_shape)
            self.steps = self.compute_output_shape(input_shape)[1]

    layer = Counted(3, kernel_size=2)
    assert layer(np.ones((1, 5, 4))).shape == (1, 4, 3) and layer.steps == 4


def test_a_wrapped_call_gets_its_first_argument_by_position():
    def doubled(call):
        @functools.wraps(call)
        def wrapper(self, *args, **kwargs):
            return call(self, 2 * args[0], **kwargs)

        return wrapper

    class Doubled(cornu.layers.Dense):
        call = doubled(cornu.layers.Dense.call)

    assert Doubled(1, kernel_initializer="ones")(np.ones((1, 3)))[0, 0] == 6


class FirstOfTwo(cornu.Model):
    """A model that goes by the order of its inputs, and names its outputs in an order of its own."""

    def call(self, inputs):
        first, second = inputs.values()
        return {"z": first, "a": {"y": second, "b": first}}


@pytest.mark.parametrize("jit_compile", [True, False])
def test_dictionaries_keep_the_order_of_their_keys(jit_compile):
    model, x = FirstOfTwo(), np.ones((1, 2), "float32")
    model.jit_compile = jit_compile
    for _ in range(2):
        outputs = model({"z": x, "a": 2 * x})
        assert (list(outputs), list(outputs["a"])) == (["z", "a"], ["y", "b"])
        np.testing.assert_array_equal(outputs["z"], x)
    np.testing.assert_array_equal(model({"a": 2 * x, "z": x})["z"], 2 * x)


def test_a_layer_in_a_graph_gets_a_dictionary_in_the_order_it_was_given():
    named = {"z": cornu.Input((1,)), "a": cornu.Input((1,))}
    joined = cornu.layers.Lambda(lambda parts: cornu.ops.concatenate(list(parts.values()), -1))(named)
    model = cornu.Model(named, joined)
    for _ in range(2):
        np.testing.assert_array_equal(model({"a": np.ones((1, 1)), "z": np.zeros((1, 1))}), [[0, 1]])


class Scoped(cornu.Model):
    def __init__(self):
        super().__init__()
        self.inside = layers.Dense(2)

    def call(self, x):
        with cornu.name_scope("encoder"):
            return self.inside(x)


def test_a_scope_of_names_does_not_keep_a_call_from_being_compiled():
    cornu.utils.clear_session(free_memory=False)
    model = Scoped()
    model(data(3, 6))  # builds it
    model(data(3, 6))
    assert is_compiled(model) and model.weights[0].path.endswith("encoder/dense/kernel")


def test_a_call_leaves_no_change_to_look_for():
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(2, activity_regularizer="l2"), layers.Dropout(0.5)])
    x = np.ones((1, 3), "float32")
    model(x)
    structure = model._structure()
    model(x)
    assert structure.holds()  # otherwise each call would go through the whole model again
