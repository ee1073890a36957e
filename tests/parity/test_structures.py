"""Inputs, labels, losses, weights and metrics in every structure: taken as Keras takes them, or refused.

What is refused on purpose, though Keras takes it, is listed: there the data would go to another place than the user
means, or be dropped.
"""

import warnings

import numpy as np
import oracle
import pytest

import cornu

NINE, TWO = np.full((3, 2), 9.0, "float32"), np.full((3, 2), 2.0, "float32")
REFUSED = "refused"


def outcome(function):
    """What a function gives, rounded, or that it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function()
        except (ValueError, TypeError, KeyError, AttributeError):
            return REFUSED


# ---------------------------------------------------------------- inputs

MODELS = {  # late minus early, of inputs in this structure
    "dict": lambda a, b: {"late": a, "early": b},
    "other keys": lambda a, b: {"p": a, "q": b},
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (a, b),
    "nested dict": lambda a, b: {"late": a, "more": {"early": b}},
    "nested list": lambda a, b: [a, [b]],
    "list of dicts": lambda a, b: [{"late": a}, {"early": b}],
    "dict of lists": lambda a, b: {"late": [a], "early": [b]},
}
FEEDS = {
    **{name: make(NINE, TWO) for name, make in MODELS.items()},
    "one array": NINE,
    "one in a list": [NINE],
    "three": [NINE, TWO, TWO],
    "missing": {"late": NINE},
    "extra": {"early": TWO, "more": TWO, "late": NINE},
}
BY_NAME = ("dict", "extra")  # go to the inputs of these names, where Keras refuses them or sorts keys
# Keras takes these by the order of sorted keys, which gives -7 for some, or drops an array, or unpacks lists.
INPUTS_REFUSED = {
    *((structure, "dict of lists") for structure in MODELS if structure != "dict of lists"),
    *((structure, name) for structure in MODELS for name in ("other keys", "nested dict") if name != structure),
    *((structure, "three") for structure in MODELS),
}  # fmt: skip


def subtraction(package, structure):
    late, early = package.Input((2,), name="late"), package.Input((2,), name="early")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # keys that are not the names of the inputs
        model = package.Model(MODELS[structure](late, early), package.layers.Subtract()([late, early]))
    model.compile("sgd", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize("structure", MODELS)
def test_inputs_go_where_keras_puts_them_or_are_refused(structure):

    def question(library):
        model = subtraction(library, structure)
        return {name: outcome(lambda feed=feed: float(np.asarray(model(feed))[0, 0])) for name, feed in FEEDS.items()}

    ours, theirs = oracle.both(question)
    for name, found in ours.items():
        wanted = theirs[name]
        if (structure, name) in INPUTS_REFUSED:
            wanted = REFUSED
        assert found == (7.0 if name in BY_NAME else wanted), name
        assert found in (7.0, REFUSED), name


def test_every_door_takes_inputs_alike():
    y = np.zeros((3, 2), "float32")
    model = subtraction(cornu, "dict")
    doors = {
        "predict": lambda feed: model.predict(feed, verbose=0)[0, 0],
        "predict_on_batch": lambda feed: model.predict_on_batch(feed)[0, 0],
        "evaluate": lambda feed: model.evaluate(feed, y, verbose=0) ** 0.5,
        "test_on_batch": lambda feed: model.test_on_batch(feed, y) ** 0.5,
        "train_on_batch": lambda feed: model.train_on_batch(feed, y) ** 0.5,
        "fit": lambda feed: model.fit(feed, y, verbose=0).history["loss"][0] ** 0.5,
        "fit on a generator": lambda feed: model.fit(iter([(feed, y)]), verbose=0).history["loss"][0] ** 0.5,
    }
    for door, run in doors.items():
        assert outcome(lambda run=run: float(run(FEEDS["dict"]))) == 7.0, door
        for feed in ("list", "tuple", "one array", "missing", "nested list"):
            assert outcome(lambda run=run, feed=feed: float(run(FEEDS[feed]))) == REFUSED, (door, feed)


@pytest.mark.parametrize(("structure", "feed", "message"), [
    ("dict", "extra", r"no input for 'more', so that data is not used. It expects .*late"),
    ("list", "extra", r"no input for 'more'"),
    ("other keys", "list", r"used in that order for \{'p': late, 'q': early\}"),
])  # fmt: skip
def test_inputs_that_may_be_a_mistake_are_told_once(structure, feed, message):
    model = subtraction(cornu, structure)
    with pytest.warns(UserWarning, match=message):
        model(FEEDS[feed])
    model(FEEDS[feed])  # a second warning would be an error here


# ---------------------------------------------------------------- outputs

ONE, PAIR, HALF = np.ones((4, 1), "float32"), np.zeros((4, 2), "float32"), np.full((4, 1), 0.5, "float32")
INPUT = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
ROWS = np.array([1, 2, 3, 4], "float32")


def outputs(package, structure):
    source = package.Input((3,))

    def dense(units, name):
        return package.layers.Dense(units, kernel_initializer="ones", name=name)(source)

    return package.Model(source, {
        "one": lambda: dense(1, "o"),
        "dict of one": lambda: {"depth": dense(1, "o")},
        "list": lambda: [dense(1, "p"), dense(2, "q")],
        "dict": lambda: {"u": dense(1, "p"), "v": dense(2, "q")},
        "nested": lambda: {"main": dense(1, "m"), "side": [dense(2, "s1"), dense(1, "s2")]},
    }[structure]())  # fmt: skip


def both(package):
    class Both(package.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            first = package.ops.mean(package.ops.square(y_true[0] - y_pred[0]))
            return first + 10.0 * package.ops.mean(package.ops.abs(y_true[1] - y_pred[1]))

    return Both()


NESTED = {"main": ONE, "side": [PAIR, HALF]}
CASES = [  # structure, labels, arguments of compile (functions are called with the package), sample weights
    ("one", ONE, {"loss": "mse", "metrics": {"mine": "mae"}}),
    ("one", ONE, {"loss": "mse", "metrics": {"a": "mae", "b": ["mse"]}}),
    ("one", ONE, {"loss": {"o": "mse"}, "metrics": [["mae"]]}),
    ("one", ONE, {"loss": {"foo": "mse"}}),
    ("one", ONE, {"loss": "mse", "metrics": ["Accuracy"]}),
    ("one", ONE, {"loss": "mse", "metrics": ["ACC"]}),
    ("one", ONE, {"loss": "mse", "metrics": ["mae", "mae"], "weighted_metrics": ["mae"]}, ROWS),
    ("one", HALF, {"loss": "mse", "metrics": lambda k: [k.losses.BinaryCrossentropy()]}),
    ("one", HALF, {"loss": "mse", "metrics": lambda k: [k.losses.BinaryCrossentropy(name="foo")]}),
    ("one", HALF, {"loss": "mse", "metrics": lambda k: [k.losses.mean_absolute_error]}),
    ("one", HALF, {"loss": "Crossentropy"}),
    ("one", HALF, {"loss": "ce", "loss_weights": 2.0}),
    ("one", HALF, {"loss": "mse", "loss_weights": [2.0]}),
    ("one", HALF, {"loss": "mse", "loss_weights": [2.0, 3.0]}),
    ("one", ONE, {"metrics": ["mae"]}),
    ("dict of one", ONE, {"loss": "mse", "metrics": ["mae"]}),
    ("dict of one", ONE, {"loss": {"depth": "mse"}, "metrics": {"depth": ["mae"]}, "loss_weights": {"depth": 2.0}}),
    ("dict of one", ONE, {"loss": "mse", "weighted_metrics": ["mae"]}, ROWS),
    ("dict of one", {"depth": ONE}, {"loss": "mse"}, {"depth": ROWS}),
    *((kind, y, {"loss": loss}) for kind, names in (("list", "pq"), ("dict", "uv")) for y, loss in [
        ([ONE, PAIR], "mse"),
        (dict(zip(names, (ONE, PAIR), strict=True)), {names[0]: "mse", names[1]: "mae"}),
        ([ONE, None], ["mse", None]),
        ([ONE, PAIR], {"zz": "mse"}),
    ]),
    ("list", ONE, {"loss": ["mse", None]}),
    ("list", [ONE], {"loss": ["mse", None], "metrics": [["mae"], None]}),
    ("list", PAIR, {"loss": [None, "mse"]}),
    ("dict", ONE, {"loss": {"u": "mse"}}),
    ("list", [ONE, PAIR], {"loss": "mse", "metrics": ["mae", "mse"]}),
    ("list", [ONE, PAIR], {"loss": "mse", "metrics": {"q": ["mae", "mse"]}}),
    ("dict", [ONE, PAIR], {"loss": "mse", "metrics": [["mae"], ["mse", "mae"]]}),
    ("list", [ONE, PAIR], {"loss": "mse"}, [ROWS, 2 * ROWS]),
    ("dict", {"u": ONE, "v": PAIR}, {"loss": "mse"}, ROWS),
    ("nested", NESTED, {"loss": "mse", "metrics": {"main": "mae", "side": ["mae", "mae"]}}),
    ("nested", NESTED, {"loss": {"main": "mse", "side": ["mse", "mae"]}}),
    ("nested", NESTED, {"loss": lambda k: {"main": "mse", "side": both(k)}, "loss_weights": {"main": 1.0, "side": 2}}),
    ("nested", NESTED, {"loss": lambda k: {"main": "mse", "side": lambda t, p: k.ops.mean(t[0] - p[0])}}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_losses_and_metrics_belong_to_the_outputs_that_keras_says(case):
    structure, y, arguments, weight = (*case, None)[:4]

    def question(library):
        def shown():
            model = outputs(library, structure)
            given = {name: value(library) if callable(value) else value for name, value in arguments.items()}
            model.compile("sgd", run_eagerly=True, **given)
            found = model.evaluate(INPUT, y, sample_weight=weight, verbose=0, return_dict=True)
            return {name: float(value) for name, value in found.items()}

        return outcome(shown)

    ours, theirs = oracle.both(question)
    assert ours == (theirs if theirs == REFUSED else pytest.approx(theirs, rel=1e-5))
