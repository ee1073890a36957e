"""`TerminateOnNaN(explain=True)`: why a training gave NaN, told by running the step again."""

import os
import re

import jax
import numpy as np
import pytest

import cornu
from cornu import layers, ops

SIZE = 8  # rows of a batch


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cornu.utils.set_random_seed(4)


def rows(count=32, low=1.0):
    rng = np.random.default_rng(5)
    return rng.uniform(low, 2, (count, 4)).astype("float32"), rng.normal(size=(count, 1)).astype("float32")


def sequential(*inner, optimizer="sgd", loss="mse", **kwargs):
    model = cornu.Sequential([cornu.Input((4,)), *inner], name="net")
    model.compile(optimizer, loss, **kwargs)
    return model


def identity(name="same"):
    return layers.Dense(4, kernel_initializer="identity", name=name)


def explained(model, x, y=None, **kwargs):
    """What a training that stops is told to have stopped for."""
    guard = cornu.callbacks.TerminateOnNaN(explain=True)
    kwargs = {"batch_size": SIZE, "shuffle": False, **kwargs} if isinstance(x, np.ndarray) else kwargs
    model.fit(x, y, callbacks=[guard], verbose=0, **kwargs)
    assert guard.search is None  # nothing of the training is kept
    return guard.report


@pytest.fixture
def with_a_negative_number():
    x, y = rows()
    x[2 * SIZE + 5] = -1
    return x, y


def test_the_logarithm_of_a_negative_number_is_named_with_its_row(with_a_negative_number, capsys):
    model = sequential(
        identity(), layers.Dropout(0.3), layers.Lambda(lambda x: ops.log(x + 0.5), name="logarithm"),
        layers.BatchNormalization(), layers.Dense(1),
    )  # fmt: skip
    report = explained(model, *with_a_negative_number)
    assert (report.stage, report.layer, report.batch) == ("forward", "net/logarithm", 2)
    assert report.rows == [5] and report.data_rows == [2 * SIZE + 5]
    assert report.gradients and all(size > 0 for _, size in report.gradients)
    told = capsys.readouterr().out
    assert 'NaN in row 5 came out of Lambda "net/logarithm"' in told and "from -1" in told
    assert os.path.abspath("nan_batch.npz") in told


@pytest.mark.parametrize("settings", [{"steps_per_execution": 3}, {"run_eagerly": True}])
def test_it_is_the_step_within_a_call_of_several(with_a_negative_number, settings):
    model = sequential(identity(), layers.Lambda(ops.log, name="logarithm"), layers.Dense(1), **settings)
    report = explained(model, *with_a_negative_number)
    assert (report.layer, report.batch, report.rows) == ("net/logarithm", 2, [5])


@pytest.mark.parametrize("kind", ["x", "y", "sample_weight"])
def test_data_that_are_not_finite_are_named_with_their_rows(kind):
    x, y = rows(28)  # the last batch is padded
    data = {"x": x, "y": y, "sample_weight": np.ones(28, "float32")}
    data[kind][26] = np.nan if kind != "sample_weight" else np.inf
    report = explained(sequential(layers.Dense(1, name="a")), **data)
    assert (report.stage, report.layer, report.batch, report.rows) == ("data", None, 3, [2])
    assert f"The data: {kind} contains" in str(report) and report.data_rows == [26]


def test_too_large_steps_are_seen_in_what_the_layers_give():
    model = sequential(layers.Dense(8, name="a"), layers.Dense(1), optimizer=cornu.optimizers.SGD(1e3))
    report = explained(model, *rows(), epochs=9)
    assert report.stage in ("forward", "loss", "gradient", "update")
    assert float(re.search(r"Largest weights before the step: \S+ (\S+),", str(report))[1]) > 1e3


@pytest.mark.parametrize("frozen", [False, True])
def test_a_gradient_that_is_infinite_while_the_loss_is_finite(frozen):
    flat = layers.Dense(3, kernel_initializer="zeros", name="flat")
    model = sequential(flat, layers.Lambda(ops.sqrt, name="root"), layers.Dense(1, name="last"))
    if frozen:  # nothing that is trained depends on it
        flat.trainable = False
        model.compile("sgd", "mse")
        assert explained(model, *rows()) is None
        return
    report = explained(model, *rows())
    assert (report.stage, report.layer, report.batch) == ("gradient", "net/root", 0)
    assert "net/last/bias" in dict(report.gradients)


def test_the_gradient_of_a_weight_alone():
    model = sequential(
        layers.Rescaling(1e10), layers.Dense(1, kernel_initializer="zeros", name="only"),
        loss=lambda y, p: 1e30 * (p - y),
    )  # fmt: skip
    report = explained(model, *rows())
    assert (report.stage, report.layer) == ("gradient", "net/only")
    assert "net/only/kernel, a weight of Dense" in str(report)


def test_a_loss_of_finite_predictions():
    report = explained(sequential(layers.Dense(1), loss=lambda y, p: ops.log(y - 1 + 0 * p)), *rows())
    assert (report.stage, report.layer) == ("loss", None) and report.rows
    assert "The predictions were finite" in str(report)


def test_weights_that_are_not_finite_before_the_step():
    model = sequential(identity(), layers.Dense(1))
    model.layers[0].bias.assign([0.0, np.nan, 0.0, 0.0])
    report = explained(model, *rows())
    assert report.stage == "weights" and "Already not finite before this step: net/same/bias" in str(report)


def test_an_optimizer_that_makes_nan_of_finite_gradients():
    class Broken(cornu.optimizers.SGD):
        slots = ()

        def step(self, gradient, weight, rate, t, *slots):
            return weight + rate * ops.sqrt(-ops.abs(gradient) - 1), *slots

    report = explained(sequential(identity(), layers.Dense(1), optimizer=Broken()), *rows(), epochs=2)
    assert report.stage == "update"
    assert "not the update by Broken of net/same/kernel" in str(report)


def test_a_penalty_on_weights():
    model = sequential(layers.Dense(1, kernel_regularizer=lambda w: ops.sum(ops.log(-ops.abs(w))), name="only"))
    assert "The penalty on the weight 'net/only/kernel' is NaN" in str(explained(model, *rows()))


class Net(cornu.Model):
    def __init__(self):
        super().__init__(name="net")
        self.first, self.blocks = layers.Dense(4, name="first"), [layers.Dense(4, name="deep"), layers.Dense(1)]

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(ops.log(ops.abs(x) - 1e6) if block is self.blocks[1] else x)
        return x


def test_the_code_between_the_layers_of_a_subclass():
    model = Net()
    model.compile("sgd", "mse")
    report = explained(model, *rows())
    assert (report.stage, report.layer) == ("forward", "net")
    assert 'arose in the code of Net "net", before it calls Dense "net/' in str(report)


def test_a_step_of_the_users_own_over_a_generator(with_a_negative_number):
    class Own(cornu.Model):
        def train_step(self, data):
            x, y = data
            variables = self.trainable_variables

            def loss(values):
                predicted, _ = self.stateless_call(values, [v.value for v in self.non_trainable_variables], x)
                return ops.mean((predicted - y) ** 2)

            value, gradients = jax.value_and_grad(loss)([v.value for v in variables])
            self.optimizer.apply(gradients, variables)
            return {"loss": value}

    x, y = with_a_negative_number
    inputs = cornu.Input((4,))
    model = Own(inputs, layers.Dense(1)(ops.log(identity()(inputs))))
    model.compile("sgd")
    batches = ((x[i : i + SIZE], y[i : i + SIZE]) for i in range(0, 32, SIZE))
    report = explained(model, batches)
    assert (report.stage, report.batch, report.rows, report.data_rows) == ("forward", 2, [5], None)
    assert report.layer.endswith("log") and 'came out of Log "' in str(report)


def test_steps_that_mixed_precision_leaves_out_are_no_alarm():
    model = sequential(
        layers.Dense(8, dtype="mixed_float16"), layers.Dense(1, dtype="float32"),
        optimizer=cornu.optimizers.LossScaleOptimizer(cornu.optimizers.SGD(1e-6)),
    )  # fmt: skip
    x, y = rows()
    assert explained(model, x * 100, y * 1000, validation_data=(x, y)) is None
    assert float(model.optimizer.dynamic_scale.value) < 2**15  # there were such steps


def test_inputs_that_are_too_large_for_half_precision_are_told_as_such():
    x, y = rows()
    x[3, 1] = 1e6
    layer = layers.Dense(2, dtype="mixed_float16", name="half")
    model = sequential(layers.BatchNormalization(trainable=False), layer, layers.Dense(1, dtype="float32"))
    report = explained(model, x, y)
    assert (report.stage, report.rows) == ("forward", [3])
    assert "float16, whose maximum is 65504" in str(report)


def test_what_was_saved_runs_again(with_a_negative_number):
    def model_with(change):
        return sequential(
            identity(), layers.Dropout(0.5), layers.Lambda(lambda x: ops.log(change(x) + 0.5), name="logarithm"),
            layers.Dense(1),
        )  # fmt: skip

    x, y = with_a_negative_number
    model = model_with(lambda x: x)
    report = explained(model, x, y)
    with np.load(report.filepath, allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["x"], x[2 * SIZE : 3 * SIZE])
        assert (int(saved["batch"]), int(saved["epoch"])) == (2, 0)

    other = model_with(lambda x: x)
    before = other.get_weights()
    again = cornu.utils.find_nan(other, report.filepath)
    assert (again.stage, again.layer, again.rows) == (report.stage, report.layer, report.rows)
    for was, now in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert cornu.utils.find_nan(model_with(ops.abs), report.filepath).stage is None

    with pytest.raises(ValueError, match="a different model or optimizer"):
        cornu.utils.find_nan(sequential(layers.Dense(1)), report.filepath)
    np.savez("other.npz", x=x)
    with pytest.raises(ValueError, match="not written by TerminateOnNaN"):
        cornu.utils.find_nan(model, "other.npz")


def test_several_inputs_come_back_as_they_were():
    left, right = cornu.Input((4,), name="left"), cornu.Input((4,), name="right")
    model = cornu.Model({"left": left, "right": right}, layers.Dense(1)(layers.Add()([left, right])))
    model.compile("sgd", "mse")
    x, y = rows()
    data = {"left": x, "right": x.copy()}
    data["right"][3] = np.nan
    guard = cornu.callbacks.TerminateOnNaN(explain=True, filepath="deep/er.npz", raise_error=True)
    with pytest.raises(RuntimeError, match=r"The data: x\['right'\] contains NaN in row 3"):
        model.fit(data, y, batch_size=SIZE, shuffle=False, verbose=0, callbacks=[guard])
    assert cornu.utils.find_nan(model, guard.report.filepath).rows == [3]


def test_nothing_is_said_of_a_healthy_training():
    guard = cornu.callbacks.TerminateOnNaN(explain=True, filepath=None)
    model = sequential(layers.Dense(3, activation="relu"), layers.Dense(1))
    model.fit(*rows(), epochs=2, verbose=0, callbacks=[guard])
    assert guard.report is None and not model.stop_training


def test_an_operation_in_a_model_of_its_own_name_is_told_from_it():
    x = cornu.Input((2,))
    model = cornu.Model(x, layers.Dense(1)(cornu.ops.log(x)), name="log")
    model.compile("sgd", "mse")
    guard = cornu.callbacks.TerminateOnNaN(explain=True, filepath=None)
    model.fit(-np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[guard])
    assert guard.report.layer == "log/log"
