"""Metrics against Keras on JAX: variables and results over batches with weights and masks, configs, names."""

import inspect

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import cornu
from cornu import metrics
from cornu.core.masks import set_mask

pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # Keras's own, of its integer metrics
RNG = np.random.default_rng(11)


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


def compare(ours, theirs):
    """The same variables, by name, and the same result."""
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for mine, oracle in zip(ours.variables, theirs.variables, strict=True):
        close(mine.value, oracle.value)
    close(ours.result(), theirs.result())


@pytest.mark.parametrize("name, settings", CASES)
def test_batches_with_and_without_weights(name, settings):
    true, pred, _ = METRICS[name]
    ours, theirs = getattr(metrics, name)(**settings), getattr(keras.metrics, name)(**settings)
    for weights in (None, WEIGHTS):
        y_true, y_pred = true(7, 5), pred(7, 5)
        flat = name in ("IoU", "MeanIoU", "BinaryIoU", "OneHotIoU", "OneHotMeanIoU")
        if flat:  # Keras weighs these element by element only
            y_true, y_pred = y_true[:, 0], y_pred[:, 0]
            weights = None if weights is None else weights.astype("int32")
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred, sample_weight=weights)
        compare(ours, theirs)
    for metric in (ours, theirs):
        metric.reset_state()
        metric.update_state(y_true, y_pred)
    compare(ours, theirs)


MEANS = ["MeanSquaredError", "BinaryCrossentropy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "BinaryAccuracy",
         "SparseCategoricalCrossentropy", "CosineSimilarity", "TopKCategoricalAccuracy"]  # fmt: skip


def masked(x, mask, ours):
    x = jnp.asarray(x)
    if mask is not None and ours:
        set_mask(x, jnp.asarray(mask))
    elif mask is not None:
        x._keras_mask = jnp.asarray(mask)
    return x


@pytest.mark.parametrize("name", MEANS)
def test_sequences_with_weights_and_masks(name):
    true, pred, _ = METRICS[name]
    y_true, y_pred = true(3, 2, 4), pred(3, 2, 4)
    mask = np.array([[True, False], [True, True], [False, False]])
    for weights in (None, np.arange(3.0), np.arange(6.0).reshape(3, 2)):
        for m in (None, mask):
            if m is not None and weights is not None and weights.ndim == 1:
                continue  # Keras cannot join these
            if name == "BinaryAccuracy" and m is not None:
                continue  # one value an element: the mask does not fit them in Keras
            ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
            ours.update_state(y_true, masked(y_pred, m, True), weights)
            theirs.update_state(y_true, masked(y_pred, m, False), weights)
            compare(ours, theirs)


@pytest.mark.parametrize("ignore", [None, -1, 2])
@pytest.mark.parametrize("weights", [None, np.array([1.0, 2, 3, 4])])
@pytest.mark.parametrize("mask", [None, np.array([True, True, False, True])])
def test_ignored_classes(ignore, weights, mask):
    labels, y_pred = np.array([0, 2, 1, 2 if ignore is None else ignore]), distribution(4, 3)
    ours = metrics.SparseCategoricalCrossentropy(ignore_class=ignore)
    theirs = keras.metrics.SparseCategoricalCrossentropy(ignore_class=ignore)
    ours.update_state(labels, masked(y_pred, mask, True), weights)
    theirs.update_state(labels, masked(y_pred, mask, False), weights)
    compare(ours, theirs)


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
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    compare(ours, theirs)
    for weights in all_weights:
        for metric in (ours, theirs):
            metric.update_state(values, sample_weight=weights)
        compare(ours, theirs)


@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4, 1), (4, 1))])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryAccuracy", "Precision", "AUC", "Accuracy"])
def test_a_last_axis_of_one_is_no_difference(name, shapes):
    y_true, y_pred = zero_one(*shapes[0]), probabilities(*shapes[1])
    for weights in (None, np.arange(4.0)):
        ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred, weights)
        compare(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*Adjusted R2 score", "ignore:.*adjusted R2 score")
@pytest.mark.parametrize("regressors", [5, 6, 50])
def test_adjusted_r2_of_too_few_samples(regressors):
    y_true, y_pred = real(2, 3), real(2, 3)
    ours, theirs = (m.metrics.R2Score(num_regressors=regressors) for m in (cornu, keras))
    for metric in (ours, theirs):
        metric.update_state(y_true, y_pred)
    compare(ours, theirs)


def test_weights_of_single_elements():
    y_true, y_pred, weights = zero_one(7, 5), probabilities(7, 5), RNG.random((7, 5)).astype("float32")
    for name, settings in (("Precision", {}), ("AUC", {}), ("AUC", {"multi_label": True}), ("TruePositives", {})):
        ours, theirs = getattr(metrics, name)(**settings), getattr(keras.metrics, name)(**settings)
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred, weights)
        compare(ours, theirs)


def test_iou_with_fractional_weights_in_float32():
    for name, settings in (("IoU", {"target_class_ids": [0, 1]}), ("MeanIoU", {})):
        ours, theirs = (getattr(m.metrics, name)(num_classes=3, dtype="float32", **settings) for m in (cornu, keras))
        for metric in (ours, theirs):
            metric.update_state([0, 0, 1, 2, 0, 1, 2], [0, 1, 1, 2, 0, 2, 0], [0.3, 0.3, 0.3, 0.1, 0.5, 1.5, 0.2])
        compare(ours, theirs)


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
    close(getattr(metrics, name)(y_true, y_pred), getattr(keras.metrics, name)(y_true, y_pred))


def test_top_k_of_sorted_ids():
    settings = {"k": 2, "from_sorted_ids": True}
    ids = np.array([[1, 0, 3], [1, 2, 3], [3, 1, 0]])
    for labels in (np.array([2, 1, 0]), np.array([[2], [1], [0]])):
        close(*(m.metrics.sparse_top_k_categorical_accuracy(labels, ids, **settings) for m in (cornu, keras)))


CLASSES = sorted(n for n in dir(keras.metrics) if inspect.isclass(getattr(keras.metrics, n)))
REQUIRED = {"num_classes": 3, "target_class_ids": [0], "recall": 0.5, "precision": 0.5, "specificity": 0.5,
            "sensitivity": 0.5, "fn": None}  # fmt: skip
# Arguments that Keras forgets when it writes a config; cornu writes them, and Keras can read them.
KEPT = {"CosineSimilarity": {"axis"}, "SparseTopKCategoricalAccuracy": {"from_sorted_ids"}}


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "MeanMetricWrapper"])
def test_signature_and_config(name):
    ours, theirs = getattr(metrics, name), getattr(keras.metrics, name)
    parameters = [[(p.name, p.default) for p in inspect.signature(c).parameters.values()] for c in (ours, theirs)]
    assert parameters[0] == parameters[1]
    given = {p: REQUIRED[p] for p, default in parameters[1] if default is inspect.Parameter.empty}
    config, oracle = ours(**given, name="n").get_config(), theirs(**given, name="n").get_config()
    assert {k: v for k, v in config.items() if k not in KEPT.get(name, ())} == oracle
    assert theirs.from_config(config).get_config() == oracle
    assert ours.from_config(oracle).get_config() == config
    written, expected = metrics.serialize(ours(**given, name="n")), keras.metrics.serialize(theirs(**given, name="n"))
    if name != "Metric":
        assert {**written, "config": 0} == {**expected, "config": 0}
    assert keras.metrics.deserialize(written).get_config() == oracle


def test_automatic_names_and_paths():
    keras.backend.clear_session()
    cornu.core.context.reset_uids()
    for name in CLASSES:
        if name == "MeanMetricWrapper":
            continue
        given = {p: REQUIRED[p] for p, v in inspect.signature(getattr(keras.metrics, name)).parameters.items()
                 if v.default is inspect.Parameter.empty}  # fmt: skip
        ours, theirs = getattr(metrics, name)(**given), getattr(keras.metrics, name)(**given)
        assert ours.name == theirs.name and ours.dtype == theirs.dtype
        assert [v.path for v in ours.variables] == [v.path for v in theirs.variables]
        assert ours._direction == getattr(theirs, "_direction", None)


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
    assert outcome(metrics.get, name) == outcome(keras.metrics.get, name)


def test_every_public_name_of_keras_exists():
    missing = [n for n in dir(keras.metrics) if not n.startswith("_") and not hasattr(metrics, n)]
    assert missing == []
