"""Metrics against Keras on JAX: variables and results over batches with weights and masks, configs, names."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu
from cornu import metrics
from cornu.core.masks import set_mask

pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # Keras's own, of its integer metrics
RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(11).bit_generator.state


def real(*shape):
    return RNG.normal(size=shape).astype("float32") * 2


def positive(*shape):
    return RNG.random(shape).astype("float32") * 3


def probabilities(*shape):
    """Values from 0 to 1, with ties and with values on round thresholds."""
    return (RNG.integers(0, 21, shape) / 20).astype("float32")


def distribution(*shape):
    x = RNG.random(shape).astype("float32") + 0.01
    return x / x.sum(-1, keepdims=True)


def zero_one(*shape):
    return RNG.integers(0, 2, shape).astype("float32")


def one_hot(*shape):
    return np.eye(shape[-1], dtype="float32")[RNG.integers(0, shape[-1], shape[:-1])]


def integers(*shape):
    return RNG.integers(0, shape[-1], shape[:-1]).astype("int32")


def classes(*shape):
    return RNG.integers(0, 3, shape).astype("int32")


def one_hot_3(*shape):
    return np.eye(3, dtype="float32")[classes(*shape)]


def scores_3(*shape):
    return RNG.random((*shape, 3)).astype("float32")


AT = [{"num_thresholds": 9}, {"num_thresholds": 9, "class_id": 1}, {}]
THRESHOLDS = [{}, {"thresholds": 0.35}, {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, {"thresholds": [0.1, 0.55, 0.6]}]
AREAS = [
    {"num_thresholds": n, "curve": c, "summation_method": s, **more}
    for c in ("ROC", "PR", "PRGAIN")
    for s in ("interpolation", "minoring", "majoring")
    for n, more in ((200, {}), (6, {"multi_label": True}))
]

# class -> (kind of y_true, kind of y_pred, settings to try)
METRICS = {
    "Accuracy": (classes, classes, [{}]),
    "AUC": (zero_one, probabilities, [
        *AREAS,
        {"thresholds": [0.2, 0.5, 0.9]},
        {"num_thresholds": 7, "from_logits": True},
        {"num_thresholds": 7, "label_weights": [1.0, 2.0, 0.5, 3.0, 1.0]},
        {"num_thresholds": 7, "multi_label": True, "num_labels": 5, "label_weights": [1.0, 2.0, 0.5, 3.0, 1.0]},
    ]),
    "BinaryAccuracy": (zero_one, probabilities, [{}, {"threshold": 0.7}]),
    "BinaryCrossentropy": (zero_one, probabilities, [{}, {"from_logits": True, "label_smoothing": 0.1}]),
    "BinaryIoU": (zero_one, probabilities, [{}, {"target_class_ids": [1], "threshold": 0.3}]),
    "CategoricalAccuracy": (one_hot, real, [{}]),
    "CategoricalCrossentropy": (one_hot, distribution, [{}, {"from_logits": True, "label_smoothing": 0.1}]),
    "CategoricalHinge": (one_hot, real, [{}]),
    "ConcordanceCorrelation": (real, real, [{}]),
    "CosineSimilarity": (real, real, [{}]),
    "F1Score": (one_hot, probabilities, [{"average": a, "threshold": t} for a in (None, "micro", "macro", "weighted")
                                         for t in (None, 0.4)]),
    "FBetaScore": (one_hot, probabilities, [{"beta": 2.0}, {"average": "weighted", "beta": 0.5, "threshold": 0.5}]),
    "FalseNegatives": (zero_one, probabilities, THRESHOLDS),
    "FalsePositives": (zero_one, probabilities, THRESHOLDS),
    "Hinge": (zero_one, real, [{}]),
    "IoU": (classes, classes, [
        {"num_classes": 3, "target_class_ids": [0, 2]}, {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0},
    ]),
    "KLDivergence": (distribution, distribution, [{}]),
    "LogCoshError": (real, real, [{}]),
    "MeanAbsoluteError": (real, real, [{}]),
    "MeanAbsolutePercentageError": (real, real, [{}]),
    "MeanIoU": (classes, classes, [{"num_classes": 3}, {"num_classes": 4}, {"num_classes": 3, "ignore_class": 1}]),
    "MeanSquaredError": (real, real, [{}]),
    "MeanSquaredLogarithmicError": (positive, positive, [{}]),
    "OneHotIoU": (one_hot_3, scores_3, [{"num_classes": 3, "target_class_ids": [0, 2]}]),
    "OneHotMeanIoU": (one_hot_3, scores_3, [{"num_classes": 3}]),
    "PearsonCorrelation": (real, real, [{}]),
    "Poisson": (positive, positive, [{}]),
    "Precision": (zero_one, probabilities, [*THRESHOLDS, {"top_k": 2}, {"class_id": 3}, {"top_k": 2, "class_id": 1},
                                            {"top_k": 2, "thresholds": 0.6}]),
    "PrecisionAtRecall": (zero_one, probabilities, [{"recall": 0.6, **s} for s in AT]),
    "R2Score": (real, real, [{"class_aggregation": a, "num_regressors": n} for n in (0, 1)
                             for a in (None, "uniform_average", "variance_weighted_average")]),
    "Recall": (zero_one, probabilities, [*THRESHOLDS, {"top_k": 2}, {"class_id": 3}]),
    "RecallAtPrecision": (zero_one, probabilities, [{"precision": 0.55, **s} for s in AT]),
    "RootMeanSquaredError": (real, real, [{}]),
    "SensitivityAtSpecificity": (zero_one, probabilities, [{"specificity": 0.5, **s} for s in AT]),
    "SparseCategoricalAccuracy": (integers, real, [{}]),
    "SparseCategoricalCrossentropy": (integers, distribution, [{}, {"from_logits": True}, {"ignore_class": 1}]),
    "SparseTopKCategoricalAccuracy": (integers, real, [{"k": 1}, {"k": 3}]),
    "SpecificityAtSensitivity": (zero_one, probabilities, [{"sensitivity": 0.5, **s} for s in AT]),
    "SquaredHinge": (zero_one, real, [{}]),
    "TopKCategoricalAccuracy": (one_hot, real, [{"k": 1}, {"k": 3}]),
    "TrueNegatives": (zero_one, probabilities, THRESHOLDS),
    "TruePositives": (zero_one, probabilities, THRESHOLDS),
}  # fmt: skip
CASES = [(name, settings) for name, (_, _, all_settings) in METRICS.items() for settings in all_settings]
WEIGHTS = np.array([1, 0, 2, 3, 0, 1, 1], "float32")


def close(ours, theirs, tolerance=1e-5):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def state(metric):
    """The names and values of its variables, and its result."""
    return [v.name for v in metric.variables], [*(v.value for v in metric.variables), metric.result()]


def compare(question):
    """Assert that each state in the list that `question` gives has the same variables, by name, and the same result."""
    ours, theirs = both(question)
    assert len(ours) == len(theirs) > 0
    for (names, values), (wanted_names, wanted) in zip(ours, theirs, strict=True):
        assert names == wanted_names
        for a, b in zip(values, wanted, strict=True):
            close(a, b)


@pytest.mark.parametrize("name, settings", CASES)
def test_batches_with_and_without_weights(name, settings):
    true, pred, _ = METRICS[name]
    batches = [(true(7, 5), pred(7, 5), weights) for weights in (None, WEIGHTS)]
    if name in ("IoU", "MeanIoU", "BinaryIoU", "OneHotIoU", "OneHotMeanIoU"):  # Keras weighs element by element only
        batches = [(y[:, 0], p[:, 0], None if w is None else w.astype("int32")) for y, p, w in batches]

    def question(library):
        metric, seen = getattr(library.metrics, name)(**settings), []
        for y_true, y_pred, weights in batches:
            metric.update_state(y_true, y_pred, sample_weight=weights)
            seen.append(state(metric))
        metric.reset_state()
        metric.update_state(*batches[-1][:2])
        return [*seen, state(metric)]

    compare(question)


MEANS = ["MeanSquaredError", "BinaryCrossentropy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "BinaryAccuracy",
         "SparseCategoricalCrossentropy", "CosineSimilarity", "TopKCategoricalAccuracy"]  # fmt: skip


def masked(x, mask):
    """An array with the attribute by which both libraries find a mask."""
    x = jnp.asarray(x)
    if mask is not None:
        set_mask(x, jnp.asarray(mask))
        x._keras_mask = jnp.asarray(mask)
    return x


@pytest.mark.parametrize("name", MEANS)
def test_sequences_with_weights_and_masks(name):
    true, pred, _ = METRICS[name]
    y_true, y_pred = true(3, 2, 4), pred(3, 2, 4)
    mask = np.array([[True, False], [True, True], [False, False]])

    def question(library):
        seen = []
        for weights in (None, np.arange(3.0), np.arange(6.0).reshape(3, 2)):
            for m in (None, mask):
                if m is not None and weights is not None and weights.ndim == 1:
                    continue  # Keras cannot join these
                if name == "BinaryAccuracy" and m is not None:
                    continue  # one value an element: the mask does not fit them in Keras
                metric = getattr(library.metrics, name)()
                metric.update_state(y_true, masked(y_pred, m), weights)
                seen.append(state(metric))
        return seen

    compare(question)


@pytest.mark.parametrize("ignore", [None, -1, 2])
def test_ignored_classes(ignore):
    labels, y_pred = np.array([0, 2, 1, 2 if ignore is None else ignore]), distribution(4, 3)

    def question(library):
        seen = []
        for weights in (None, np.array([1.0, 2, 3, 4])):
            for mask in (None, np.array([True, True, False, True])):
                metric = library.metrics.SparseCategoricalCrossentropy(ignore_class=ignore)
                metric.update_state(labels, masked(y_pred, mask), weights)
                seen.append(state(metric))
        return seen

    compare(question)


VALUES = {
    "number": (3.0, [None, 2.0]),
    "vector": (np.array([1.0, 2, 3]), [None, 2.0, [1.0, 0, 2], [[1.0], [0], [2]], [2.0]]),
    "column": (np.array([[1.0], [2], [3]]), [None, [1.0, 0, 2]]),
    "matrix": (np.arange(6.0).reshape(3, 2), [None, 2.0, [1.0, 2, 0], np.arange(6.0).reshape(3, 2), [[1.0], [2], [0]]]),
    "cube": (np.arange(12.0).reshape(3, 2, 2), [None, [1.0, 2, 0], np.arange(6.0).reshape(3, 2)]),
    "truth": (np.array([True, False]), [None]),
}


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("kind", VALUES)
def test_mean_and_sum(name, kind):
    values, all_weights = VALUES[kind]

    def question(library):
        metric = getattr(library.metrics, name)()
        seen = [state(metric)]
        for weights in all_weights:
            metric.update_state(values, sample_weight=weights)
            seen.append(state(metric))
        return seen

    compare(question)


def after_one_batch(library, name, settings, *batch):
    metric = getattr(library.metrics, name)(**settings)
    metric.update_state(*batch)
    return state(metric)


@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4, 1), (4, 1))])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryAccuracy", "Precision", "AUC", "Accuracy"])
def test_a_last_axis_of_one_is_no_difference(name, shapes):
    y_true, y_pred = zero_one(*shapes[0]), probabilities(*shapes[1])
    all_weights = None, np.arange(4.0)
    compare(lambda library: [after_one_batch(library, name, {}, y_true, y_pred, w) for w in all_weights])


@pytest.mark.filterwarnings("ignore:.*Adjusted R2 score", "ignore:.*adjusted R2 score")
@pytest.mark.parametrize("regressors", [5, 6, 50])
def test_adjusted_r2_of_too_few_samples(regressors):
    y_true, y_pred = real(2, 3), real(2, 3)
    compare(lambda library: [after_one_batch(library, "R2Score", {"num_regressors": regressors}, y_true, y_pred)])


@pytest.mark.parametrize(
    ("name", "settings"), [("Precision", {}), ("AUC", {}), ("AUC", {"multi_label": True}), ("TruePositives", {})]
)
def test_weights_of_single_elements(name, settings):
    y_true, y_pred, weights = zero_one(7, 5), probabilities(7, 5), RNG.random((7, 5)).astype("float32")
    compare(lambda library: [after_one_batch(library, name, settings, y_true, y_pred, weights)])


@pytest.mark.parametrize(("name", "settings"), [("IoU", {"target_class_ids": [0, 1]}), ("MeanIoU", {})])
def test_iou_with_fractional_weights_in_float32(name, settings):
    settings = {"num_classes": 3, "dtype": "float32", **settings}
    batch = [0, 0, 1, 2, 0, 1, 2], [0, 1, 1, 2, 0, 2, 0], [0.3, 0.3, 0.3, 0.1, 0.5, 1.5, 0.2]
    compare(lambda library: [after_one_batch(library, name, settings, *batch)])


FUNCTION_KINDS = {
    "binary_accuracy": (zero_one, probabilities), "categorical_accuracy": (one_hot, probabilities),
    "top_k_categorical_accuracy": (one_hot, probabilities),
    "sparse_top_k_categorical_accuracy": (integers, probabilities),
    "sparse_categorical_accuracy": (integers, probabilities), "pearson_correlation": (real, real),
    "concordance_correlation": (real, real),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTION_KINDS)
def test_functions(name):
    true, pred = FUNCTION_KINDS[name]
    y_true, y_pred = true(3, 4, 7), pred(3, 4, 7)
    close(*both(lambda library: getattr(library.metrics, name)(y_true, y_pred)))


def test_top_k_of_sorted_ids():
    settings = {"k": 2, "from_sorted_ids": True}
    ids = np.array([[1, 0, 3], [1, 2, 3], [3, 1, 0]])
    for labels in (np.array([2, 1, 0]), np.array([[2], [1], [0]])):
        close(*both(lambda library: library.metrics.sparse_top_k_categorical_accuracy(labels, ids, **settings)))


CLASSES = sorted(n for n in metrics.__all__ if inspect.isclass(getattr(metrics, n)))
REQUIRED = {"num_classes": 3, "target_class_ids": [0], "recall": 0.5, "precision": 0.5, "specificity": 0.5,
            "sensitivity": 0.5, "fn": None}  # fmt: skip
# Arguments that Keras forgets when it writes a config; cornu writes them, and Keras can read them.
KEPT = {"CosineSimilarity": {"axis"}, "SparseTopKCategoricalAccuracy": {"from_sorted_ids"}}


def parameters(function):
    """[(name, default)] of a function; the defaults are plain data."""
    empty = inspect.Parameter.empty
    return [(p.name, "required" if p.default is empty else p.default)
            for p in inspect.signature(function).parameters.values()]  # fmt: skip


def example(cls, **more):
    return cls(**{name: REQUIRED[name] for name, default in parameters(cls) if default == "required"}, **more)


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "MeanMetricWrapper"])
def test_signature_and_config(name):
    def question(library):
        cls = getattr(library.metrics, name)
        metric = example(cls, name="n")
        return parameters(cls), metric.get_config(), library.metrics.serialize(metric)

    (signature, config, written), (wanted, expected, serialized) = both(question)
    assert signature == wanted
    assert {k: v for k, v in config.items() if k not in KEPT.get(name, ())} == expected
    assert getattr(metrics, name).from_config(expected).get_config() == config
    if name != "Metric":
        assert {**written, "config": 0} == {**serialized, "config": 0}


@pytest.mark.live
@pytest.mark.parametrize("name", [n for n in CLASSES if n != "MeanMetricWrapper"])
def test_keras_reads_a_config_of_cornu(name):
    import keras

    expected = example(getattr(keras.metrics, name), name="n").get_config()
    metric = example(getattr(metrics, name), name="n")
    assert getattr(keras.metrics, name).from_config(metric.get_config()).get_config() == expected
    assert keras.metrics.deserialize(metrics.serialize(metric)).get_config() == expected


def test_automatic_names_and_paths():
    def question(library):
        library.backend.clear_session(free_memory=False)
        made = [example(getattr(library.metrics, name)) for name in CLASSES if name != "MeanMetricWrapper"]
        return [(m.name, m.dtype, [v.path for v in m.variables], getattr(m, "_direction", None)) for m in made]

    ours, theirs = both(question)
    assert ours == theirs


SNAKE = [cornu.core.operation.snake_case(n) for n in CLASSES]
SHORT = ["mse", "mae", "mape", "msle", "bce"]
OTHERS = ["fbeta_score", "acc", "kld", "cosine", "log_cosh", "huber"]
NAMES = [n for n in (*CLASSES, *SNAKE, *SHORT, *(n.upper() for n in SHORT), *OTHERS) if "rapper" not in n]


def outcome(get, name):
    try:
        return type(get(name)).__name__
    except TypeError:
        return "needs arguments"
    except ValueError:
        return "unknown"


@pytest.mark.parametrize("name", NAMES)
def test_names_that_get_accepts(name):
    ours, theirs = both(lambda library: outcome(library.metrics.get, name))
    assert ours == theirs


def test_every_public_name_of_keras_exists():
    names = ask(lambda keras: [n for n in dir(keras.metrics) if not n.startswith("_")])
    assert [n for n in names if not hasattr(metrics, n)] == []
    assert set(CLASSES) <= set(names)
