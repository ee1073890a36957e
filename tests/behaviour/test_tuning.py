"""A learning rate and a batch size for a model, found by trying them out, which leaves no trace in the model."""

import random
import sys

import jax
import numpy as np
import pytest

import cornu
from cornu import layers, memory, optimizers
from cornu.core import context
from cornu.kernels import xla
from cornu.random import seed_generator
from cornu.training.trial import trial
from cornu.utils import batch_sizes, find_batch_size, find_learning_rate, learning_rates
from cornu.utils.batch_sizes import BatchSize, BatchSizes
from cornu.utils.learning_rates import LearningRates

rng = np.random.default_rng(0)
X = rng.normal(size=(96, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
SMALL = {"batch_size": 8, "steps": 10, "verbose": 0}


def built(optimizer=None):
    model = cornu.Sequential([
        cornu.Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.3), layers.BatchNormalization(), layers.Dense(1),
    ])  # fmt: skip
    model.compile(optimizer or optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def unbuilt():
    model = cornu.Sequential([layers.Dense(3, "relu"), layers.Dropout(0.3), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def scheduled():
    return built(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), momentum=0.9))


def several():
    rates = optimizers.OptimizerMap(optimizers.SGD(0.1), {".*bias": optimizers.Adam(lambda: 0.02)})
    return built(optimizers.MultiOptimizer(rates))


def linear(**kwargs):
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", **kwargs)
    return model


def eager():
    return linear(run_eagerly=True)


def in_half():
    with_policy = cornu.Sequential([cornu.Input((4,)), layers.Dense(1, dtype="mixed_float16")])
    with_policy.compile(optimizers.LossScaleOptimizer(optimizers.SGD(0.1)), "mse")
    return with_policy


def trained(make):
    """A model that has been trained for an epoch, and so has state of every kind."""
    model = make()
    if make is not unbuilt:
        model.fit(X, Y, batch_size=48, verbose=0)
    return model


def state(model):
    """All that must not change: the bits of variables, and the identities of what holds them."""
    drawn = seed_generator.global_seed_generator().state.numpy().tobytes()  # which makes the generator
    variables = [*model.variables, *(model.optimizer.variables or ()), *model.metrics_variables]
    rates = [
        getattr(one, "_learning_rate", None) for one in (model.optimizer, *getattr(model.optimizer, "optimizers", ()))
    ]
    return {
        "values": [(v.path, id(v), v.numpy().tobytes()) for v in variables],
        "rates": list(map(id, rates)),
        "built": (model.built, model.optimizer.built, [layer.built for layer in model.layers]),
        "parts": [id(part) for part in (model.optimizer, model._compile_loss, model._compile_metrics, *model.metrics)],
        "history": (id(model.history), model._trainings, model.stop_training, model.compiled),
        "compilations": dict(model.compilations),
        "computations": id(model._computations),
        "seeds": (random.getstate(), drawn),
        "uses": dict(seed_generator._chosen),
        "names": dict(context._uids),
    }


# ---------------------------------------------------------------- nothing is left behind


@pytest.mark.parametrize("make", [built, unbuilt, scheduled, several, eager, in_half])
def test_the_model_is_what_it_was(make):
    model = trained(make)
    before = state(model)
    found = find_learning_rate(model, X, Y, **SMALL)
    assert len(found.rates) == 10
    assert state(model) == before


@pytest.mark.parametrize("make", [built, unbuilt])
def test_the_model_is_what_it_was_after_batch_sizes(make):
    model = trained(make)
    before = state(model)
    find_batch_size(model, X, Y, minimum=32, maximum=32, seconds=0.001, verbose=0)
    assert state(model) == before


@pytest.mark.parametrize("make", [unbuilt, scheduled])
def test_the_training_that_comes_next_is_that_without_a_test(make):
    def losses(tries):
        cornu.utils.set_random_seed(3)
        model = make()
        if tries:
            find_learning_rate(model, X, Y, **SMALL)
        return model.fit(X, Y, batch_size=32, epochs=2, verbose=0).history

    assert losses(True) == losses(False)


@pytest.mark.parametrize("find", [
    lambda model, data: find_learning_rate(model, data, steps=12, verbose=0),
    lambda model, data: find_batch_size(model, data, maximum=8, seconds=0.001, verbose=0),
])  # fmt: skip
def test_the_orders_of_a_data_set_go_on_as_if_there_had_been_no_test(find):
    data = [cornu.data.Dataset.from_tensor_slices((X, Y)).shuffle(96, seed=1).batch(8) for _ in range(2)]
    find(linear(), data[0])
    firsts = [[np.asarray(next(iter(one))[0]) for _ in range(2)] for one in data]
    np.testing.assert_array_equal(*firsts)


class Broken(cornu.utils.PyDataset):
    """Fails at its fourth batch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == 3:
            raise self.error
        return X[:8], Y[:8]


@pytest.mark.parametrize("error", [OSError("no such file"), KeyboardInterrupt()])
@pytest.mark.parametrize("make", [unbuilt, scheduled])
def test_the_model_is_what_it_was_after_an_error_or_ctrl_c(make, error):
    model = trained(make)
    before = state(model)
    with pytest.raises(type(error)):
        find_learning_rate(model, Broken(error), steps=12, verbose=0)
    assert state(model) == before


# ---------------------------------------------------------------- what is found


def one_weight(rate=0.01):
    """(w - 1)², which gradient descent does not bear from a rate of 1 on."""
    model = cornu.Sequential([cornu.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(rate), "mse")
    return model


ONES = np.ones((8, 1), "float32")


def test_the_rate_is_found_below_the_one_that_is_too_large():
    found = find_learning_rate(one_weight(), ONES, ONES, verbose=0)
    assert 0.005 < found.suggestion < found.lowest < 1 < found.rates[-1] and found.diverged
    np.testing.assert_allclose(found.rates, np.geomspace(1e-7, 10, 100)[: len(found.rates)])
    assert found.losses[0] == 1.0 and len(found.losses) == len(found.smoothed) == len(found.rates)
    assert repr(found).startswith(f"The suggested learning rate is {found.suggestion:g}: there the loss falls fastest")
    assert "At 10" not in repr(found) and "it diverged." in repr(found)
    losses = [one_weight(rate).fit(ONES, ONES, epochs=5, verbose=0).history["loss"][-1]
              for rate in (found.suggestion / 30, found.suggestion, 1.2)]  # fmt: skip
    assert losses[1] == min(losses)


def test_a_rate_that_is_still_too_small_at_the_end_is_told_of():
    found = find_learning_rate(one_weight(), ONES, ONES, maximum=0.1, verbose=0)
    assert not found.diverged and "It was still falling at 0.1, so try a larger maximum." in repr(found)


def test_a_schedule_gives_way_and_steps_are_compiled_once():
    calls = []

    class Counting(layers.Layer):
        def call(self, x):
            calls.append(x.shape)
            return x

    model = cornu.Sequential(
        [cornu.Input((1,)), Counting(), layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(optimizers.SGD(optimizers.schedules.CosineDecay(1e-9, 10)), "mse")
    schedule = model.optimizer._learning_rate
    calls.clear()
    found = find_learning_rate(model, ONES, ONES, steps=40, verbose=0)
    assert found.suggestion > 0.005 and len(found.rates) > 30
    assert len(calls) <= 3
    assert model.optimizer._learning_rate is schedule


def test_of_several_optimizers_the_others_keep_their_share_of_the_rate():
    model = several()
    model.optimizer.build(model.trainable_variables)
    with trial(model):
        rates = learning_rates._rates_as_variables(model.optimizer)
        assert [(float(variable), share) for variable, share in rates] == [
            pytest.approx((0.02, 0.2)),
            pytest.approx((0.1, 1.0)),
        ]
    second, first = (one._learning_rate for one in model.optimizer.optimizers)
    assert float(first) == pytest.approx(0.1) and second() == 0.02


@pytest.mark.parametrize("optimizer", [
    "sgd", "rmsprop", "adamw", "nadam", "lion",
    pytest.param(optimizers.SGD(0.1, gradient_accumulation_steps=2), id="accumulated"),
    pytest.param(optimizers.Adam(0.1, use_ema=True), id="averaged"),
])  # fmt: skip
def test_optimizers_of_all_kinds(optimizer):
    model = one_weight()
    model.compile(optimizer, "mse")
    found = find_learning_rate(model, ONES, ONES, minimum=1e-5, steps=40, verbose=0)
    assert 1e-4 < found.suggestion < 5


def test_accumulated_gradients_keep_a_rate_until_they_are_applied():
    model = one_weight()
    model.compile(optimizers.SGD(0.1, gradient_accumulation_steps=3), "mse")
    found = find_learning_rate(model, ONES, ONES, minimum=0.01, maximum=0.1, steps=10, verbose=0)
    gaps = np.cumprod([1.0, *(1 - 2 * found.rates[:-1])])
    np.testing.assert_allclose(found.losses, gaps**2, rtol=1e-4)


def test_several_outputs_with_weights_of_rows():
    x = cornu.Input((4,))
    model = cornu.Model(x, {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(2, name="b")(x)})
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 1.0})
    y, weights = {"a": Y, "b": X[:, :2]}, {"a": rng.uniform(size=96), "b": np.ones(96)}
    found = find_learning_rate(model, X, y, sample_weight=weights, batch_size=96, steps=10, verbose=0)
    told = model.evaluate(X, y, sample_weight=weights, batch_size=96, verbose=0, return_dict=True)
    assert found.losses[0] == pytest.approx(told["loss"], rel=1e-5)


def test_weights_of_classes():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = (Y[:, 0] > 0).astype("int32")
    found = find_learning_rate(model, X, y, class_weight={0: 1.0, 1: 5.0}, batch_size=96, steps=10, verbose=0)
    weights = np.where(y == 1, 5.0, 1.0)
    assert found.losses[0] == pytest.approx(model.evaluate(X, y, 96, 0, sample_weight=weights), rel=1e-5)


def as_generator(batches):
    for _ in range(batches):
        yield X[:8], Y[:8]


class Endless(cornu.utils.PyDataset):
    def __getitem__(self, index):
        return X[:8], Y[:8]


class Loader:
    def __iter__(self):
        yield from [(X[:8], Y[:8])] * 3


@pytest.mark.parametrize("data", [
    lambda: as_generator(30), Endless, lambda: cornu.data.Dataset.from_tensor_slices((X, Y)).batch(32),
    lambda: cornu.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(32), Loader,
], ids=["generator", "endless PyDataset", "Dataset", "endless Dataset", "loader"])  # fmt: skip
def test_data_of_all_kinds(data):
    assert len(find_learning_rate(linear(), data(), steps=12, maximum=1e-3, verbose=0).rates) == 12


def test_data_that_end_early_are_told_of():
    model = linear()
    found = find_learning_rate(model, as_generator(15), steps=20, maximum=1e-3, verbose=0)
    assert "The data ended at 8.9e-05, after 15 of 20 rates." in repr(found)
    with pytest.raises(ValueError, match=r"the data ended after 5 batches, but at least 10 are needed"):
        find_learning_rate(model, as_generator(5), verbose=0)


def test_a_short_last_batch_is_left_out():
    shapes = []

    class Seeing(layers.Layer):
        def call(self, x):
            shapes.append(x.shape[0])
            return x

    model = cornu.Sequential([cornu.Input((4,)), Seeing(), layers.Dense(1)])
    model.compile("sgd", "mse")
    find_learning_rate(model, X, Y, batch_size=36, steps=10, maximum=1e-3, verbose=0)
    assert {shape for shape in shapes if isinstance(shape, int)} == {36}


def test_a_step_of_my_own():
    class Mine(cornu.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            return {self.key: cornu.ops.mean((self(x) - y) ** 2)}

    model = Mine()
    model.compile("sgd", "mse")
    model.key = "loss"
    assert len(find_learning_rate(model, X, Y, maximum=1e-3, **SMALL).rates) == 10
    model.key = "other"
    with pytest.raises(ValueError, match=r"must return a dictionary with \"loss\"\. Received: \['other'\]"):
        find_learning_rate(model, X, Y, **SMALL)


def test_a_loss_that_is_no_number_from_the_start_is_told_of():
    model = linear()
    with pytest.raises(ValueError, match=r"the loss of the first batch is nan, before any step was taken"):
        find_learning_rate(model, np.full_like(X, np.nan), Y, **SMALL)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"minimum": 0.0}, r"minimum must be a learning rate above 0\. Received: minimum=0\.0"),
    ({"maximum": float("inf")}, "maximum must be a learning rate above 0"),
    ({"minimum": "small"}, "minimum must be a learning rate above 0"),
    ({"minimum": 1.0, "maximum": 0.1}, r"minimum must be less than maximum\. Received: minimum=1\.0, maximum=0\.1"),
    ({"steps": 9}, r"steps must be at least 10\. Received: steps=9"),
    ({"steps": 20.0}, r"steps must be a positive integer.*Write 20"),
    ({"batch_size": 0}, "batch_size must be a positive integer"),
    ({"verbose": 3}, 'verbose must be "auto", 0, 1 or 2'),
])  # fmt: skip
def test_arguments_that_cannot_be_meant(arguments, words):
    with pytest.raises(ValueError, match=words):
        find_learning_rate(one_weight(), ONES, ONES, **arguments)


@pytest.mark.parametrize("find", [find_learning_rate, find_batch_size])
def test_models_that_cannot_be_trained(find):
    plain = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"`compile\(\)` before find_"):
        find(plain, X, Y)
    with pytest.raises(TypeError, match=r"model must be a compiled model\. Received: 3"):
        find(3, X, Y)
    plain.compile(None, "mse")
    with pytest.raises(ValueError, match="optimizer=None"):
        find(plain, X, Y)
    plain.trainable = False
    plain.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no weights to train"), pytest.warns(UserWarning, match="no weights"):
        find(plain, X, Y)


def test_progress_is_shown_and_ends_with_the_test(capsys):
    find_learning_rate(one_weight(), ONES, ONES, steps=20, verbose=1)
    shown = capsys.readouterr().out
    assert "/20" in shown and "learning_rate" in shown and shown.endswith("\n")


# ---------------------------------------------------------------- what is made of losses


def seen(losses, planned=None, diverged=False):
    return LearningRates(np.geomspace(1e-5, 1, len(losses)), np.asarray(losses), planned or len(losses), diverged)


def test_no_rate_is_suggested_where_the_loss_does_not_fall():
    noise = 2.3 + 0.05 * np.sin(np.arange(60) * 2.1)
    for losses in (noise, np.linspace(1, 3, 60)):
        found = seen(losses)
        assert found.suggestion is None
        assert "No learning rate is suggested: between 1e-05 and 1 the loss did not fall" in repr(found)
    assert "the loss already diverged at 3.6e-05. Try a smaller minimum" in repr(
        LearningRates(np.array([1e-5, 3.6e-5]), np.array([1.0, 9.0]), 60, True)
    )


def test_losses_may_be_negative_and_noisy():
    fall = -5 - 4 / (1 + np.exp(-(np.arange(100) - 60) / 4))
    found = seen(fall + 0.3 * np.sin(np.arange(100) * 2.3))
    assert found.suggestion == pytest.approx(found.rates[60], rel=0.3)


def test_the_losses_are_drawn_by_rate(tmp_path):
    losses = [*(2 - 1 / (1 + np.exp(-(np.arange(50) - 30) / 3))), 5.0, 50.0]
    found = seen(losses, planned=80, diverged=True)
    (axes,) = found.plot(tmp_path / "rates.png").axes
    raw, smooth, suggested = axes.lines
    np.testing.assert_array_equal(raw.get_xdata(), found.rates)
    np.testing.assert_array_equal(smooth.get_ydata(), found.smoothed)
    assert suggested.get_xdata()[0] == found.suggestion
    assert axes.get_xscale() == "log" and axes.get_ylim()[1] < 3
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    assert 'src="data:image/png;base64' in found._repr_html_() and "suggested learning rate" in found._repr_html_()


def test_without_matplotlib_there_is_the_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    found = seen(np.linspace(2, 1, 20))
    with pytest.raises(cornu.errors.MissingPackageError, match=r"find_learning_rate\(\.\.\.\)\.plot\(\) needs"):
        found.plot()
    assert "pip install" in found._repr_html_() and "<img" not in found._repr_html_()


# ---------------------------------------------------------------- batch sizes


def fast(model, x=X, y=Y, **arguments):
    return find_batch_size(model, x, y, **({"seconds": 0.001, "verbose": 0} | arguments))


def test_sizes_are_powers_of_two_up_to_the_rows_or_the_maximum(monkeypatch):
    monkeypatch.setattr(batch_sizes, "_has_stopped_growing", lambda table: False)
    model = one_weight()
    found = fast(model, np.ones((33, 1)), np.ones((33, 1)), minimum=5)
    assert [row.size for row in found.table] == [8, 16, 32]
    assert found.ending == "32 is the largest size that the number of rows allows."
    assert found.suggestion in (8, 16, 32)
    for row in found.table:
        assert row.rows_per_second == pytest.approx(row.size / row.step) and row.memory > 8 * row.size
    found = fast(model, as_ones(), None, minimum=8, maximum=16)
    assert found.ending == "16 is the largest size that the maximum allows."
    with pytest.raises(ValueError, match=r"no power of two from minimum=20 up to the number of rows, 30"):
        fast(model, np.ones((30, 1)), np.ones((30, 1)), minimum=20)


def as_ones():
    while True:
        yield ONES[:3], ONES[:3]


def test_no_step_runs_that_would_take_too_much_memory(monkeypatch):
    monkeypatch.setattr(batch_sizes, "_has_stopped_growing", lambda table: False)
    model = cornu.Sequential([cornu.Input((64,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((1024, 64), "float32")
    limit = 2**17  # of the batch alone there are 2¹⁸ bytes in 1024 rows
    ran = []
    measured = batch_sizes._Step.measured
    monkeypatch.setattr(batch_sizes._Step, "measured", lambda step, s: ran.append(step._size) or measured(step, s))
    found = fast(model, x, x[:, :1], minimum=128, memory_limit=limit)
    assert [row.size for row in found.table] == ran == [128, 256]
    assert found.ending == "512 would need 0.1355 MiB of memory, but the limit is 0.125 MiB."
    with pytest.raises(
        ValueError, match=r"a batch of 512 would need .* Use a smaller minimum, or a larger memory_limit"
    ):
        fast(model, x, x[:, :1], minimum=512, memory_limit=limit)


def test_a_step_that_runs_out_of_memory_all_the_same_is_the_end(monkeypatch):
    measured = batch_sizes._Step.measured

    def run_out(step, seconds):
        if step._size == 8:
            return measured(step, seconds)
        raise jax.errors.JaxRuntimeError(message)

    monkeypatch.setattr(batch_sizes._Step, "measured", run_out)
    message = "RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes."
    found = fast(linear())
    assert [row.size for row in found.table] == [8] and found.ending == "16 ran out of memory."
    message = "INTERNAL: something else"
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        fast(linear())


def rows(*speeds):
    return tuple(BatchSize(2**i, float(speed), 2**i / speed, 2**20) for i, speed in enumerate(speeds))


@pytest.mark.parametrize(("speeds", "stops"), [
    ((100, 200, 390), False), ((100, 200, 201), False), ((100, 101, 102), True), ((100, 90, 95), True),
    ((100, 101), False), ((100, 101, 140), False), ((100, 200, 205, 190), True),
])  # fmt: skip
def test_it_stops_where_two_doublings_bring_nothing(speeds, stops):
    assert batch_sizes._has_stopped_growing(list(rows(*speeds))) is stops


def test_the_smallest_size_that_is_nearly_the_fastest_is_suggested():
    found = BatchSizes(rows(100, 190, 300, 310), "8 is the largest size that the maximum allows.")
    assert found.suggestion == 4
    assert repr(found) == (
        "The suggested batch size is 4: it trains on 300 rows per second, where 8 gives the maximum, 310. "
        "8 is the largest size that the maximum allows."
    )
    assert str(found).splitlines()[:3] == [
        "batch size  rows/s  ms/step  MiB", "         1     100       10  1.0", "         2     190     10.5  1.0",
    ]  # fmt: skip
    assert "<td" in found._repr_html_() and "300" in found._repr_html_()
    (axes,) = found.plot().axes
    assert list(axes.lines[0].get_ydata()) == [100, 190, 300, 310] and axes.lines[1].get_xdata()[0] == 4


def test_steps_that_are_slow_in_a_loop_are_measured_one_by_one(monkeypatch):
    monkeypatch.setattr(xla, "is_slow_in_a_loop", lambda equation: True)
    assert [row.size for row in fast(one_weight(), ONES, ONES, minimum=8).table] == [8]


def test_each_size_is_said_as_it_is_measured(capsys):
    fast(one_weight(), ONES, ONES, minimum=8, verbose=1)
    assert capsys.readouterr().out.startswith("batch size 8, rows/s ")


@pytest.mark.parametrize(("arguments", "words"), [
    ({"minimum": 0}, "minimum must be a positive integer"), ({"maximum": 64.0}, "maximum must be .* Write 64"),
    ({"seconds": 0}, "seconds must be a positive number"), ({"memory_limit": -1}, "memory_limit must be a positive"),
])  # fmt: skip
def test_arguments_of_batch_sizes_that_cannot_be_meant(arguments, words):
    with pytest.raises(ValueError, match=words):
        fast(one_weight(), ONES, ONES, **arguments)


def test_models_whose_batch_size_cannot_be_measured():
    fixed = cornu.Sequential([cornu.Input(batch_shape=(16, 4)), layers.Dense(1)])
    fixed.compile("sgd", "mse")
    with pytest.raises(ValueError, match="only accepts batches of 16 rows"):
        fast(fixed)
    with pytest.raises(ValueError, match="runs its steps uncompiled"):
        fast(eager())


def test_free_memory_is_that_of_the_tightest_group(tmp_path):
    assert memory.free_memory() > 2**20
    group = tmp_path / "outer" / "inner"
    group.mkdir(parents=True)
    for folder, most, used in ((group, "max", 5), (group.parent, "1000", 300)):
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text("anon 7\ninactive_file 20\n")
    assert list(memory._left_in_groups(tmp_path, "/outer/inner", "memory.max", "memory.current")) == [720]
