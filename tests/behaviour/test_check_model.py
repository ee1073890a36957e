"""`utils.check_model`: what must hold of any model is tried out, and the layer at fault named."""

import numpy as np
import pytest

import cornu
from cornu import layers, ops


@pytest.fixture(autouse=True)
def _seeded():
    cornu.utils.set_random_seed(2)


def sequential(*inner, shape=(4,), dtype=None):
    return cornu.Sequential([cornu.Input(shape, dtype=dtype), *inner], name="net")


def checked(model, check, **kwargs):
    """The finding of one check, where all others find no fault."""
    report = cornu.utils.check_model(model, **kwargs)
    assert [fault.check for fault in report.faults] in ([], [check])
    return next(finding for finding in report.findings if finding.check == check)


def is_fault(finding, layer):
    return (finding.outcome, finding.layer) == ("fault", layer)


# ---------------------------------------------------------------- healthy models


class Block(cornu.layers.Layer):
    """A block of a transformer that sees the past alone."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attend, self.drop = layers.MultiHeadAttention(2, 2), layers.Dropout(0.5)
        self.norm, self.feed = layers.LayerNormalization(), layers.Dense(4, "relu")

    def call(self, x, training=None):
        return self.feed(self.norm(x + self.drop(self.attend(x, x, use_causal_mask=True), training=training)))


class Net(cornu.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner, self.norm, self.last = layers.Dense(units), layers.BatchNormalization(), layers.Dense(1)

    def call(self, x, training=None):
        return self.last(self.norm(ops.relu(self.inner(x)), training=training))


def cnn():
    return sequential(
        layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Dropout(0.5),
        layers.Flatten(), layers.Dense(2, "softmax"), shape=(8, 8, 1),
    )  # fmt: skip


def masked_lstm():
    return sequential(
        layers.Embedding(9, 3, mask_zero=True), layers.LSTM(3, return_sequences=True, dropout=0.2), layers.LSTM(2),
        layers.Dense(1), shape=(None,), dtype="int32",
    )  # fmt: skip


def transformer():
    return sequential(layers.Embedding(9, 4), Block(name="block"), layers.Dense(9), shape=(6,), dtype="int32")


def two_inputs():
    left, right = cornu.Input((3,), name="left"), cornu.Input((2,), name="right")
    joined = layers.Concatenate()([layers.Dense(2)(left), layers.GaussianNoise(0.1)(right)])
    return cornu.Model({"left": left, "right": right}, {"sum": layers.Dense(1)(joined), "all": joined})


@pytest.mark.parametrize("make", [cnn, masked_lstm, transformer, two_inputs])
def test_nothing_is_said_of_a_healthy_model(make):
    model = make()
    before, seed = [v.numpy() for v in model.variables], cornu.random.randint((), 0, 9, seed=4)
    report = cornu.utils.check_model(model, causal=True if make is transformer else None)
    assert report.ok and not any(finding.outcome == "note" for finding in report.findings), report
    report.raise_if_faulty()
    for was, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(was, variable.numpy())
    assert cornu.random.randint((), 0, 9, seed=4) == seed
    if make is masked_lstm:
        assert next(f for f in report.findings if f.check == "masked steps").outcome == "ok"
    if make is cnn:
        assert "BatchNormalization" in report.findings[1].detail


def test_a_compiled_subclass_stays_as_it_is_and_goes_on_training():
    x, y = np.random.default_rng(0).normal(size=(8, 4)), np.zeros((8, 1))
    model = Net()
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(x, y, epochs=1, verbose=0)
    state = [v.numpy() for v in (*model.variables, *model.metrics_variables)]
    compiled = model._computations["train"].compiled(model)
    report = cornu.utils.check_model(model, data=x)
    assert report.ok, report
    assert model._computations["train"].compiled(model) is compiled
    for was, variable in zip(state, (*model.variables, *model.metrics_variables), strict=True):
        np.testing.assert_array_equal(was, variable.numpy())
    model.fit(x, y, epochs=1, verbose=0)


# ---------------------------------------------------------------- traps


def test_rows_that_influence_each_other():
    model = sequential(
        layers.Dense(3), layers.Lambda(lambda x: x - ops.mean(x, axis=0), name="centre"), layers.Dense(2)
    )
    assert is_fault(checked(model, "rows alone, inference"), "net/centre")


class CentredInTraining(layers.Layer):
    def call(self, x, training=None):
        return x - ops.mean(x, axis=0) if training else x


def test_rows_that_influence_each_other_in_training_behind_a_layer_whose_nature_that_is():
    model = sequential(layers.BatchNormalization(), CentredInTraining(name="own"), layers.Dense(1))
    report = cornu.utils.check_model(model)
    found = {fault.check: fault.layer for fault in report.faults}
    assert found == {"rows alone, training": "net/own", "training like inference": "net/own"}
    with pytest.raises(ValueError, match="net/own"):
        report.raise_if_faulty()


@pytest.mark.parametrize("causal", [True, None])
def test_a_model_that_looks_ahead(causal):
    model = sequential(
        layers.Conv1D(3, 2, padding="causal"), layers.Conv1D(3, 3, padding="same", name="ahead"), shape=(8, 2)
    )
    found = checked(model, "no look ahead", causal=causal)
    assert (found.outcome, found.layer) == ("fault" if causal else "note", "net/ahead")


def test_only_some_inputs_are_said_to_be_causal():
    past, whole = cornu.Input((6, 2), name="past"), cornu.Input((6, 2), name="whole")
    seen = layers.Conv1D(3, 2, padding="causal")(past) + layers.Conv1D(3, 3, padding="same", name="look")(whole)
    model = cornu.Model([past, whole], seen, name="net")
    assert checked(model, "no look ahead", causal="past").outcome == "ok"
    assert checked(model, "no look ahead", causal=True).layer == "net/look"
    with pytest.raises(ValueError, match=r"causal lists \['future'\]; the inputs are \['past', 'whole'\]"):
        cornu.utils.check_model(model, causal=["future"])


class Drops(layers.Layer):
    supports_masking = False

    def call(self, x, mask=None):
        return ops.mean(x, axis=1)


def test_masked_steps_that_count():
    model = sequential(
        layers.Embedding(9, 3, mask_zero=True), layers.Dense(3), Drops(name="mean"), layers.Dense(1), shape=(6,),
        dtype="int32",
    )  # fmt: skip
    assert is_fault(checked(model, "masked steps"), "net/mean")


class Forgets(layers.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"name": self.name}


def test_what_a_file_does_not_keep():
    assert is_fault(checked(sequential(Forgets(3.0, name="scale"), layers.Dense(1)), "saved and loaded"), "net/scale")


class Counts(layers.Layer):
    calls = 0

    def call(self, x):
        self.calls += 1
        return x * self.calls


def test_a_layer_that_gives_something_else_each_time():
    report = cornu.utils.check_model(sequential(Counts(name="counts"), layers.Dense(1)))
    found = next(finding for finding in report.findings if finding.check == "compiled like eager")
    assert is_fault(found, "net/counts")


def test_weights_that_no_gradient_reaches():
    model = sequential(
        layers.Dense(3, name="cut"), layers.Lambda(ops.stop_gradient), layers.Dense(3, kernel_initializer="zeros"),
        layers.Dense(1),
    )  # fmt: skip
    found = checked(model, "gradients")
    assert is_fault(found, "net/cut") and "net/cut/kernel, net/cut/bias" in found.detail


# ---------------------------------------------------------------- what is asked for


def test_a_report_is_a_table():
    lines = str(cornu.utils.check_model(sequential(layers.Dense(1, name="only")))).splitlines()
    assert lines[0] == 'Sequential "net": no fault found'
    assert lines[1].split() == ["check", "outcome", "layer"] and len(lines) == 10


@pytest.mark.parametrize(("call", "words"), [
    (lambda: cornu.utils.check_model(Net()), "data=x"),
    (lambda: cornu.utils.check_model(layers.Dense(1)), "expected a model"),
    (lambda: cornu.utils.check_model(sequential(layers.Dense(1)), data=np.ones((1, 4))), "at least 2 rows"),
    (lambda: cornu.utils.check_model(sequential(layers.Dense(1)), batch_size=1), "batch_size must be at least 2"),
    (lambda: cornu.utils.check_model(sequential(layers.Dense(1)), data=np.array([["a"] * 4] * 2)), "must be numbers"),
    (lambda: cornu.utils.check_model(sequential(layers.Dense(1)), np.ones((4, 4)), np.ones(4)), "labels are not need"),
])  # fmt: skip
def test_what_cannot_be_checked_is_refused(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
