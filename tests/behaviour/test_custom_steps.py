"""Losses, metrics and whole steps of one's own: pure, as in Keras's guide for JAX, or with assignments."""

import functools

import jax
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.core.variable import functional

random = np.random.default_rng(0)
X = random.normal(size=(22, 4)).astype("float32")
Y = random.normal(size=(22, 1)).astype("float32")
WEIGHTS = random.uniform(size=22).astype("float32")


def mse(y_true, y_pred):
    return cornu.ops.mean((y_true - y_pred) ** 2)


class Plain(cornu.Sequential):
    """Trained in the built-in way: what the others must agree with."""


class PureGuide(cornu.Sequential):
    """As in Keras's guide for JAX: everything comes in and goes out."""

    def loss_and_updates(self, trainable, rest, x, y, weight, training):
        y_pred, rest = self.stateless_call(trainable, rest, x, training=training)
        return self.compute_loss(x, y, y_pred, weight), (y_pred, rest)

    def metrics_after(self, metrics_variables, loss, x, y, y_pred):
        logs, after = {}, []
        for metric in self.metrics:
            values = metrics_variables[len(after) : len(after) + len(metric.variables)]
            batch = (loss, np.float32(len(x))) if metric.name == "loss" else (y, y_pred)
            values = metric.stateless_update_state(values, *batch)
            logs[metric.name] = metric.stateless_result(values)
            after += values
        return logs, after

    def train_step(self, state, data):
        trainable, rest, optimizer, metrics = state
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        differentiate = jax.value_and_grad(self.loss_and_updates, has_aux=True)
        (loss, (y_pred, rest)), gradients = differentiate(trainable, rest, x, y, weight, True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self.metrics_after(metrics, loss, x, y, y_pred)
        return logs, (trainable, rest, optimizer, metrics)

    def test_step(self, state, data):
        trainable, rest, metrics = state
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        loss, (y_pred, rest) = self.loss_and_updates(trainable, rest, x, y, weight, False)
        logs, metrics = self.metrics_after(metrics, loss, x, y, y_pred)
        return logs, (trainable, rest, metrics)

    def predict_step(self, state, data):
        trainable, rest = state
        return self.stateless_call(trainable, rest, data[0], training=False)


class PureWithGivenLoss(cornu.Sequential):
    """The built-in loss function, differentiated by hand."""

    def train_step(self, state, data):
        trainable, rest, optimizer, metrics = state
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        differentiate = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, (loss, y_pred, rest, metrics)), gradients = differentiate(
            trainable, rest, metrics, x, y, weight, training=True, optimizer_variables=optimizer
        )
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self._update_metrics(metrics, x, y, y_pred, weight, loss)
        return logs, (trainable, rest, optimizer, metrics)


class Assigning(cornu.Sequential):
    """With assignments: variables, optimizer and metrics are changed where they stand."""

    def loss_of(self, x, y, weight, training):
        y_pred = self(x, training=training)
        return self.compute_loss(x, y, y_pred, weight), y_pred

    def logs_after(self, loss, x, y, y_pred, weight):
        self._loss_tracker.update_state(loss, sample_weight=np.float32(len(x)))
        return self.compute_metrics(x, y, y_pred, sample_weight=weight)

    def train_step(self, data):
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        variables = self.trainable_variables
        pure = functional(lambda: self.loss_of(x, y, weight, True), variables)

        def with_loss_first(values):
            (loss, y_pred), _ = pure(values)
            return loss, y_pred

        (loss, y_pred), gradients = jax.value_and_grad(with_loss_first, has_aux=True)([v.value for v in variables])
        self.optimizer.apply(gradients, variables)
        return self.logs_after(loss, x, y, y_pred, weight)

    def test_step(self, data):
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        loss, y_pred = self.loss_of(x, y, weight, False)
        return self.logs_after(loss, x, y, y_pred, weight)

    def predict_step(self, data):
        return self(data[0], training=False)


class AssigningStateless(Assigning):
    """The forward pass as a pure call, the rest with assignments."""

    def train_step(self, data):
        x, y, weight = cornu.utils.unpack_x_y_sample_weight(data)
        rest = [v.value for v in self.non_trainable_variables]

        def loss_of(trainable):
            y_pred, after = self.stateless_call(trainable, rest, x, training=True)
            return self.compute_loss(x, y, y_pred, weight), (y_pred, after)

        (loss, (y_pred, after)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            [v.value for v in self.trainable_variables]
        )
        self.optimizer.apply(gradients, self.trainable_variables)
        for variable, value in zip(self.non_trainable_variables, after, strict=True):
            variable.assign(value)
        return self.logs_after(loss, x, y, y_pred, weight)


def built(kind, *inner, **arguments):
    cornu.utils.set_random_seed(3)
    model = kind([cornu.Input((4,)), layers.Dense(5, "tanh"), *inner, layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **arguments})
    return model


def results(model, weights=None):
    validation = (X[:7], Y[:7])
    fit = {"batch_size": 5, "epochs": 2, "shuffle": False, "verbose": 0, "validation_data": validation}
    found = dict(sorted(model.fit(X, Y, sample_weight=weights, **fit).history.items()))
    scores, guesses = model.evaluate(X, Y, batch_size=5, verbose=0), model.predict(X, batch_size=5, verbose=0)
    return [*found, *found.values(), scores, guesses, *model.get_weights()]


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert a == b if isinstance(a, str) else np.allclose(a, b, rtol=1e-4, atol=1e-5)


@functools.cache
def wanted(normalised=False, weighted=False):
    """What the built-in steps give."""
    return results(*prepared(Plain, normalised, weighted))


def prepared(kind, normalised=False, weighted=False, **arguments):
    """A model and the weights to train it with."""
    inner = [layers.BatchNormalization()] if normalised else []
    if weighted:
        arguments["weighted_metrics"] = [cornu.metrics.MeanSquaredError(name="squares")]
    return built(kind, *inner, **arguments), WEIGHTS if weighted else None


KINDS = [PureGuide, PureWithGivenLoss, Assigning, AssigningStateless]


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_ones_own_do_what_the_builtin_ones_do(kind):
    normalised = kind is AssigningStateless
    assert_same(results(*prepared(kind, normalised)), wanted(normalised))


@pytest.mark.parametrize("kind", [PureWithGivenLoss, Assigning])
@pytest.mark.parametrize("mode", [{"steps_per_execution": 2}, {"run_eagerly": True}], ids=str)
def test_steps_of_ones_own_run_in_every_way(kind, mode):
    assert_same(results(*prepared(kind, **mode)), wanted())


@pytest.mark.parametrize("kind", [PureWithGivenLoss, Assigning])
def test_steps_of_ones_own_take_weights(kind):
    assert_same(results(*prepared(kind, weighted=True)), wanted(weighted=True))


@pytest.mark.parametrize("kind", [PureWithGivenLoss, Assigning])
def test_a_model_that_is_not_built_trains_with_steps_of_its_own(kind):
    cornu.utils.set_random_seed(3)
    model = kind([layers.Dense(5, "tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    assert_same(results(model)[:8], wanted()[:8])


class OwnMetrics(cornu.Model):
    """As in Keras's guide: no loss in compile, metrics as attributes."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(1)
        self.loss_tracker = cornu.metrics.Mean(name="loss")
        self.gap = cornu.metrics.MeanAbsoluteError(name="gap")

    def call(self, x):
        return self.last(x)

    @property
    def metrics(self):
        return [self.loss_tracker, self.gap]

    def train_step(self, state, data):
        trainable, rest, optimizer, metrics = state
        x, y = data

        def loss_of(trainable, rest):
            y_pred, rest = self.stateless_call(trainable, rest, x, training=True)
            return mse(y, y_pred), (y_pred, rest)

        (loss, (y_pred, rest)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, rest)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        count = len(self.loss_tracker.variables)
        tracker = self.loss_tracker.stateless_update_state(metrics[:count], loss)
        gap = self.gap.stateless_update_state(metrics[count:], y, y_pred)
        logs = {"loss": self.loss_tracker.stateless_result(tracker), "gap": self.gap.stateless_result(gap)}
        return logs, (trainable, rest, optimizer, tracker + gap)


def test_metrics_kept_as_attributes_start_afresh_each_epoch():
    model = OwnMetrics()
    model.compile(cornu.optimizers.SGD(0.0))
    history = model.fit(X, Y, batch_size=11, epochs=2, verbose=0).history
    errors = model.predict(X, verbose=0) - Y
    np.testing.assert_allclose(history["loss"], np.mean(errors**2), rtol=1e-5)
    np.testing.assert_allclose(history["gap"], np.mean(np.abs(errors)), rtol=1e-5)


# ---------------------------------------------------------------- compute_loss and compute_metrics


class Doubled(cornu.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight)


class OnlyOwnLoss(cornu.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return mse(y, y_pred)


def test_compute_loss_may_build_on_the_loss_of_compile():
    model = built(Doubled)
    found = model.evaluate(X, Y, batch_size=5, verbose=0, return_dict=True)
    errors = model.predict(X, verbose=0) - Y
    assert found == pytest.approx({"loss": 2 * np.mean(errors**2), "mae": np.mean(np.abs(errors))}, rel=1e-5)
    history = model.fit(X, Y, batch_size=5, epochs=1, verbose=0).history
    assert list(history) == ["loss", "mae"]


def test_compute_loss_may_replace_the_loss_of_compile():
    model = built(OnlyOwnLoss, loss=None, metrics=None)
    found, every = results(model), wanted()
    assert [found[0], found[1]] == ["loss", "val_loss"]
    assert_same(found[2:4], [every[4], every[6]])


def test_compute_metrics_may_add_values():
    class Extra(cornu.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, sample_weight) | {"largest": cornu.ops.max(y_pred)}

    model = built(Extra)
    history = model.fit(X, Y, batch_size=22, verbose=0, validation_data=(X, Y)).history
    assert list(history) == ["largest", "loss", "mae", "val_largest", "val_loss", "val_mae"]
    assert history["val_largest"][0] == pytest.approx(model.predict(X, verbose=0).max(), rel=1e-5)


# ---------------------------------------------------------------- two models, two optimizers


class Rivals(cornu.Model):
    """A model without a call of its own: two parts, each with an optimizer, neither built before the first step."""

    def __init__(self):
        super().__init__()
        self.maker = cornu.Sequential([layers.Dense(4)])
        self.judge = cornu.Sequential([layers.Dense(1)])
        self.maker_loss = cornu.metrics.Mean(name="maker_loss")

    def compile(self, maker_optimizer, judge_optimizer):
        super().compile()
        self.maker_optimizer, self.judge_optimizer = maker_optimizer, judge_optimizer

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        self.judge(self.maker(x))  # makes the weights
        for model, optimizer, sign in ((self.judge, self.judge_optimizer, 1), (self.maker, self.maker_optimizer, -1)):
            pure = functional(lambda: sign * cornu.ops.mean(self.judge(self.maker(x)) ** 2), model.trainable_variables)
            loss, gradients = jax.value_and_grad(lambda values: pure(values)[0])(
                [v.value for v in model.trainable_variables]
            )
            optimizer.apply(gradients, model.trainable_variables)
        self.maker_loss.update_state(loss)
        return {"maker_loss": self.maker_loss.result()}


def test_two_optimizers_in_one_step_both_keep_their_state():
    model = Rivals()
    model.compile(cornu.optimizers.Adam(0.01), cornu.optimizers.Adam(0.01))
    history = model.fit(X, batch_size=11, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["maker_loss"]))
    for optimizer in (model.maker_optimizer, model.judge_optimizer):
        assert int(optimizer.iterations) == 4
        assert all(np.any(v.numpy()) for v in optimizer.variables)


def test_an_error_in_a_step_of_ones_own_is_shown_and_changes_nothing():
    class Wrong(cornu.Sequential):
        def train_step(self, data):
            raise RuntimeError("not today")

    model = built(Wrong)
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="not today"):
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_step_for_inputs_alone_is_given_them_and_no_tuple():
    class Autoencoder(cornu.Sequential):
        def train_step(self, data):
            self.optimizer.apply([v * 0 for v in self.trainable_variables], self.trainable_variables)
            return {"loss": cornu.ops.mean(mse(data, self(data)))}

    model = Autoencoder([cornu.Input((4,)), layers.Dense(4)])
    model.compile("sgd")
    assert np.isfinite(model.fit(X, epochs=1, batch_size=11, verbose=0).history["loss"][0])


class Wrapping(cornu.Model):
    """A model that looks at each of its steps from outside."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="ones")
        self.seen = []

    def call(self, x):
        return self.dense(x)

    def _wrap(self, stage):
        inner = getattr(self, f"{stage}_function")

        def wrapped(state, batches):
            result, state = inner(state, batches)
            self.seen.append((stage, len(state)))
            return result, state

        setattr(self, f"{stage}_function", wrapped)

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            super().make_train_function(force)
            self._wrap("train")

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self._wrap("test")

    def make_predict_function(self, force=False):
        if self.predict_function is None or force:
            super().make_predict_function(force)
            self._wrap("predict")


def test_functions_that_a_subclass_makes_are_called_for_each_batch():
    x, y = np.ones((5, 2), "float32"), np.zeros((5, 1), "float32")
    model, plain = Wrapping(), cornu.Sequential([cornu.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    for one in (model, plain):
        one.compile("sgd", "mse", metrics=["mae"])
    histories = [m.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history for m in (model, plain)]
    assert model.seen == [("train", 4)] * 6
    for name in histories[1]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(plain.evaluate(x, y, verbose=0), rel=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), plain.predict(x, verbose=0), rtol=1e-5)
    model.train_on_batch(x, y)
    assert model.seen[6:] == [("test", 3), ("predict", 2), ("train", 4)]
    model.compile("sgd", "mse")  # which makes them anew
    assert model.train_function is None
    model.train_on_batch(x, y)
    assert model.seen[9:] == [("train", 4)]


def test_a_train_function_of_ones_own_is_called_in_the_place_of_the_step():
    class Own(cornu.Model):
        def call(self, x):
            return x

        def make_train_function(self, force=False):
            self.train_function = lambda state, batches: ({"loss": next(batches)[0].sum()}, state)

    model = Own()
    model.compile("sgd", "mse")
    assert model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=4, verbose=0).history == {"loss": [4.0]}
    Own.make_train_function = lambda self, force=False: setattr(self, "train_function", lambda state, batches: {})
    with pytest.raises(ValueError, match=r"train_function\(state, batches\) must return \(result, state\).*dict"):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0)


def test_the_step_is_there_as_a_function_once_it_was_made_and_goes_when_it_is_told_to():
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.train_function is model.test_function is model.predict_function is None
    for stage in ("train", "test", "predict"):
        made = getattr(model, f"make_{stage}_function")()
        assert callable(made) and callable(getattr(model, f"{stage}_function"))
        setattr(model, f"{stage}_function", None)
        assert getattr(model, f"{stage}_function") is None
    assert "The step of `test`" in type(model).test_function.__doc__


def test_a_state_tree_holds_every_value_and_puts_it_back_whole_or_not_at_all():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1, name="last"), layers.BatchNormalization()], name="net")
    model.compile(cornu.optimizers.SGD(momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before, tree = [v.numpy() for v in variables], model.get_state_tree()
    assert isinstance(tree["trainable_variables"]["net"]["last"]["kernel"], jax.Array)
    assert isinstance(model.get_state_tree("numpy_array")["trainable_variables"]["net"]["last"]["bias"], np.ndarray)
    assert type(model.train_on_batch(X, Y)) is type(model.evaluate(X, Y, verbose=0)) is float
    assert not np.array_equal(model.layers[0].kernel.numpy(), before[0])
    after = [v.numpy() for v in variables]
    with pytest.raises(ValueError, match="shape"):
        model.set_state_tree({"trainable_variables": {"net": {"last": {"bias": np.ones(1), "kernel": np.ones(3)}}}})
    with pytest.raises(ValueError, match="each key of state_tree"):
        model.set_state_tree({"weights": {}})
    for variable, value in zip(variables, after, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    model.set_state_tree(tree)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    with pytest.raises(ValueError, match="value_format"):
        model.get_state_tree("numpy")


def test_a_limit_on_epochs_and_steps_holds_whatever_a_script_asks_for(monkeypatch):
    for name in ("max_epochs", "max_steps_per_epoch"):
        monkeypatch.setitem(cornu.settings._values, name, None)  # which puts it back behind the test
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    steps = []
    look = cornu.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    fit = functools.partial(model.fit, X, Y, batch_size=11, epochs=3, verbose=0, callbacks=[look])
    cornu.config.set_max_epochs(2)
    history = fit()
    assert history.epoch == [0, 1] and steps == [0, 1, 0, 1]
    assert [type(loss) for loss in history.history["loss"]] == [float, float]
    cornu.config.set_max_steps_per_epoch(1)
    steps.clear()
    assert fit(epochs=1).epoch == [0] and fit(epochs=1, steps_per_epoch=2).epoch == [0] and steps == [0, 0]
    assert len(model.predict(X, batch_size=11, verbose=0)) == 11
    for nothing in (None, 0):
        cornu.config.set_max_epochs(nothing)
        cornu.config.set_max_steps_per_epoch(nothing)
        assert cornu.config.max_epochs() is cornu.config.max_steps_per_epoch() is None
    for wrong in (-1, 1.5, "a"):
        with pytest.raises(ValueError, match="set_max_epochs: max_epochs must be"):
            cornu.config.set_max_epochs(wrong)
        with pytest.raises(ValueError, match="set_max_steps_per_epoch: max_steps_per_epoch must be"):
            cornu.config.set_max_steps_per_epoch(wrong)


def test_moving_averages_take_the_place_of_weights_only_where_something_was_trained():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    model.compile(cornu.optimizers.SGD(use_ema=True), "mse")
    before = model.layers[0].kernel.numpy()
    model.fit(X, Y, epochs=0, verbose=0)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before)
