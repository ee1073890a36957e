"""What classes promise of their methods, what breaks a promise, and which code is compiled without one."""

import functools
import logging
import types
from typing import ClassVar

import numpy as np
import pytest

import cornu
from cornu import layers, ops
from cornu.core import promises
from cornu.models import calls

X = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
SCALE = 2.0

LAYERS = sorted(
    name
    for name in layers.__all__
    if isinstance(kind := getattr(layers, name), type) and issubclass(kind, layers.Layer)
)


@pytest.mark.parametrize("promise", ["pure_call", "rowwise"])
def test_every_layer_says_what_its_call_does(promise):
    silent = [name for name in LAYERS if not promises._holds(getattr(layers, name), promise)]
    assert silent == ["Layer"]


class Renamed(layers.Dense):
    """Another constructor, config and way to build."""

    def __init__(self, units, note="", **kwargs):
        super().__init__(units, **kwargs)
        self.note = note

    def get_config(self):
        return {**super().get_config(), "note": self.note}

    def build(self, input_shape):
        super().build(input_shape)
        self.extra = self.add_weight(shape=(), name="extra")


class Centred(layers.Dense):
    def call(self, inputs):
        return super().call(inputs - ops.mean(inputs, axis=0))


class Standardized(layers.Conv1D):
    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel)


class CentredAgain(Centred):
    rowwise = False
    pure_call = True


class Rate(cornu.metrics.Mean):
    def result(self):
        return 100 * super().result()


class Capped(cornu.metrics.Mean):
    def update_state(self, values, sample_weight=None):
        super().update_state(ops.minimum(values, 1.0))


def test_a_promise_is_inherited_until_a_method_is_overridden():
    assert promises.kept(Renamed(2), "pure_call") is True
    assert promises.kept(Renamed(2), "rowwise") is True
    assert promises.kept(Centred(2), "rowwise") is None
    assert promises.kept(CentredAgain(2), "rowwise") is False
    assert promises.kept(CentredAgain(2), "pure_call") is True
    assert promises.kept(Standardized(2, 1), "pure_call") is None
    assert promises.kept(Rate(), "ignores_zero_weights") is True
    assert promises.kept(Capped(), "ignores_zero_weights") is None


def smooth(x):
    return x * ops.sigmoid(1.7 * x)


class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(4, activation=smooth) for _ in range(2)]

    def call(self, x, training=False):
        for part in self.parts:
            x = part(x)
        return SCALE * x


class Plain(cornu.Model):
    """Only computes."""

    def __init__(self):
        super().__init__()
        self.block, self.end = Block(), layers.Dense(2)

    def features(self, x):
        return ops.concatenate([self.block(x), x], axis=-1)

    def call(self, x):
        return self.end(self.features(x))


class Printing(Plain):
    def call(self, x):
        print("called")
        return super().call(x)


class Counting(Plain):
    count = 0

    def call(self, x):
        self.count += 1
        return super().call(x)


class CountingElsewhere(Plain):
    def __init__(self):
        super().__init__()
        self.counts = {"calls": 0}

    def features(self, x):
        self.counts["calls"] += 1
        return super().features(x)


class Keeping(Plain):
    def __init__(self):
        super().__init__()
        self.kept = []

    def call(self, x):
        y = super().call(x)
        self.kept.append(y)
        return y


class Chance(Plain):
    def call(self, x):
        return super().call(x) * np.random.rand()


class Settings:
    factor = 1.0


class Configured(Plain):
    def __init__(self):
        super().__init__()
        self.settings = Settings()

    def call(self, x):
        return super().call(x) * self.settings.factor


class SharedByItsClass(Plain):
    seen: ClassVar[list] = []

    def call(self, x):
        self.seen.append(x)
        return super().call(x)


class Named(Plain):
    def shout(self, x):
        print("called")
        return x

    def call(self, x):
        return super().call(getattr(self, "shout")(x))


class Remembering(Plain):
    @functools.cached_property
    def factor(self):
        return ops.sum(self.end.kernel)

    def call(self, x):
        return super().call(x) * self.factor


class Peeking(Plain):
    def call(self, x):
        try:
            return super().call(x) * float(x[0, 0])
        except TypeError:
            return super().call(x)


class Indexed(Plain):
    def __getitem__(self, index):
        print("called")
        return self.end

    def call(self, x):
        return self[0](self.features(x))


class Flow:
    def flow(self, x):
        print("called")
        return x


class Flowing(Plain):
    def __init__(self):
        super().__init__()
        self.through = Flow()

    def call(self, x):
        return super().call(self.through.flow(x))


class Scaled(layers.Layer):
    factor = 1.0

    def call(self, x):
        return x * self.factor


SCALED = Scaled()


class Borrowing(Plain):
    def call(self, x):
        return super().call(SCALED(x))


def through(function):
    """Two functions made here have one code, and differ in what they run."""

    def run(x):
        return function(x)

    return run


def shouted(x):
    print("called")
    return x


@functools.wraps(ops.relu)
def loud_relu(x):
    print("called")
    return ops.relu(x)


class Disguised(Plain):
    def call(self, x):
        return super().call(loud_relu(x))


def tallied(x):
    tallied.seen.append(1)
    return x


tallied.seen = []


class Tallied(Plain):
    def call(self, x):
        return super().call(tallied(x))


class Wrapped(Plain):
    def __init__(self):
        super().__init__()
        self.quiet, self.loud = through(smooth), through(shouted)

    def call(self, x):
        return super().call(self.loud(self.quiet(x)))


REASONS = {
    Borrowing: "uses SCALED",
    Disguised: "runs relu, a function with attributes",
    Flowing: "an attribute 'through' that contains an object of type Flow",
    Indexed: "defines __getitem__",
    Named: "calls print",
    Peeking: "catches exceptions",
    Remembering: "a class with an attribute 'factor'",
    SharedByItsClass: "a class with an attribute 'seen'",
    Tallied: "runs tallied, a function with attributes",
    Wrapped: "calls print",
    Printing: "calls print",
    Counting: "assigns 'count'",
    CountingElsewhere: "an attribute 'counts' that its code may change",
    Keeping: "an attribute 'kept' that its code may change",
    Chance: "uses np.random.rand",
    Configured: "an attribute 'settings' that contains an object of type Settings, which may be mutable",
}


def is_compiled(model):
    model(X)
    model(X)
    return model._structure().remember(calls._calls_of) is not None


def test_a_subclassed_model_that_only_computes_is_compiled_and_gives_the_same():
    model = Plain()
    first = np.asarray(model(X))  # builds, operation by operation
    assert is_compiled(model)
    np.testing.assert_allclose(model(X), first, rtol=1e-6)
    assert is_compiled(cornu.Sequential([cornu.Input((4,)), Renamed(3), Centred(2), Block()]))


@pytest.mark.parametrize("kind", REASONS)
def test_a_call_that_does_more_than_compute_runs_each_time_and_the_log_says_why_once(kind, caplog):
    caplog.set_level(logging.INFO, logger="cornu")
    model = kind()
    assert not is_compiled(model)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert REASONS[kind] in said[0]


def test_what_a_call_leaves_behind_is_there_after_each_call(capsys):
    counting, elsewhere, keeping, printing = Counting(), CountingElsewhere(), Keeping(), Printing()
    for _ in range(3):
        for model in (counting, elsewhere, keeping, printing):
            model(X)
    assert (counting.count, elsewhere.counts, len(keeping.kept)) == (3, {"calls": 3}, 3)
    assert capsys.readouterr().out.count("called") == 3


def test_a_constant_of_the_module_that_changes_is_heeded(monkeypatch):
    model = Plain()
    assert is_compiled(model)
    before = np.asarray(model(X))
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert np.abs(np.asarray(model(X)) - before).max() > 1e-3


def test_a_method_that_is_replaced_is_heeded(monkeypatch):
    model = Plain()
    assert is_compiled(model)
    monkeypatch.setattr(Plain, "features", lambda self, x: ops.zeros((2, 8)))
    np.testing.assert_allclose(model(X), np.zeros((2, 2)), atol=1e-6)


def test_a_variable_of_the_function_around_that_changes_is_heeded():
    activation = ops.relu
    model = cornu.Sequential([cornu.Input((4,)), layers.Lambda(lambda x: activation(x))])  # noqa: PLW0108
    assert is_compiled(model)
    activation = ops.tanh
    np.testing.assert_allclose(model(X), np.tanh(X), rtol=1e-6)


def test_an_attribute_of_a_module_that_changes_is_heeded(monkeypatch):
    constants = types.ModuleType("constants")
    constants.FACTOR = 2.0
    monkeypatch.setitem(globals(), "constants", constants)
    model = cornu.Sequential([cornu.Input((4,)), layers.Lambda(lambda x: x * constants.FACTOR)])
    assert is_compiled(model)
    constants.FACTOR = 3.0
    np.testing.assert_allclose(model(X), 3 * X, rtol=1e-6)


def test_a_method_of_cornu_that_is_replaced_is_heeded(monkeypatch):
    model = Plain()
    assert is_compiled(model)
    seen, call = [], layers.Dense.call
    monkeypatch.setattr(layers.Dense, "call", lambda self, x: seen.append(self.name) or call(self, x))
    for _ in range(2):
        model(X)
    assert len(seen) == 6


def test_a_promise_lets_code_be_compiled_that_nobody_can_read():
    class Promised(Configured):
        pure_call = True

    assert is_compiled(Promised())
