"""Losses against Keras on JAX: values, gradients, reductions with weights and masks, signatures, configs, names."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import cornu
from cornu import losses
from cornu.core.masks import set_mask

RNG = np.random.default_rng(7)


def real(*shape):
    return RNG.normal(size=shape).astype("float32") * 2


def positive(*shape):
    return RNG.random(shape).astype("float32") * 3


def probabilities(*shape):
    return RNG.random(shape).astype("float32") * 0.98 + 0.01


def distribution(*shape):
    x = probabilities(*shape)
    return x / x.sum(-1, keepdims=True)


def zero_one(*shape):
    return RNG.integers(0, 2, shape).astype("float32")


def one_hot(*shape):
    return np.eye(shape[-1], dtype="float32")[RNG.integers(0, shape[-1], shape[:-1])]


def integers(*shape):
    return RNG.integers(0, shape[-1], shape[:-1]).astype("int32")


# function -> (kind of y_true, kind of y_pred, settings to try)
FUNCTIONS = {
    "mean_squared_error": (real, real, [{}]),
    "mean_absolute_error": (real, real, [{}]),
    "mean_absolute_percentage_error": (real, real, [{}]),
    "mean_squared_logarithmic_error": (positive, positive, [{}]),
    "log_cosh": (real, real, [{}]),
    "huber": (real, real, [{}, {"delta": 0.5}, {"delta": 3.0}]),
    "cosine_similarity": (real, real, [{}, {"axis": 0}]),
    "hinge": (zero_one, real, [{}]),
    "squared_hinge": (zero_one, real, [{}]),
    "categorical_hinge": (one_hot, real, [{}]),
    "kl_divergence": (distribution, distribution, [{}]),
    "poisson": (positive, positive, [{}]),
    "binary_crossentropy": (
        zero_one, probabilities, [{}, {"label_smoothing": 0.2}, {"from_logits": True}, {"axis": 0}],
    ),
    "binary_focal_crossentropy": (
        zero_one,
        probabilities,
        [{}, {"apply_class_balancing": True, "alpha": 0.3}, {"gamma": 3.0, "from_logits": True}, {"label_smoothing": 0.1}],
    ),
    "categorical_crossentropy": (
        one_hot, distribution, [{}, {"label_smoothing": 0.2}, {"from_logits": True}, {"axis": 1}],
    ),
    "categorical_focal_crossentropy": (
        one_hot, distribution, [{}, {"alpha": 0.5, "gamma": 1.0}, {"from_logits": True}, {"label_smoothing": 0.1}],
    ),
    "sparse_categorical_crossentropy": (
        integers, distribution, [{}, {"from_logits": True}, {"ignore_class": 1}],
    ),
    "categorical_generalized_cross_entropy": (integers, distribution, [{"q": 0.2}, {"q": 0.9}]),
    "dice": (zero_one, probabilities, [{}, {"axis": 1}, {"axis": (1, 2)}]),
    "tversky": (zero_one, probabilities, [{}, {"alpha": 0.2, "beta": 0.7, "axis": 1}]),
}  # fmt: skip
CASES = [(name, settings) for name, (_, _, all_settings) in FUNCTIONS.items() for settings in all_settings]


def close(ours, theirs, tolerance=1e-6):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def value_and_gradient(function, settings, y_true, y_pred):
    """(value, gradient of its sum with respect to y_pred), in one compilation."""

    def total(p):
        value = function(jnp.asarray(y_true), p, **settings)
        return jnp.sum(value), value

    (_, value), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(jnp.asarray(y_pred))
    return value, gradient


def compare(name, settings, y_true, y_pred, value_tolerance=2e-6, gradient_tolerance=5e-6):
    """Same values and gradients, wherever Keras's are finite."""
    ours = value_and_gradient(getattr(losses, name), settings, y_true, y_pred)
    theirs = value_and_gradient(getattr(keras.losses, name), settings, y_true, y_pred)
    for mine, oracle, tolerance in zip(ours, theirs, (value_tolerance, gradient_tolerance), strict=True):
        mine, oracle = np.asarray(mine), np.asarray(oracle)
        finite = np.isfinite(oracle)
        assert mine.shape == oracle.shape and mine.dtype == oracle.dtype and finite.any()
        np.testing.assert_allclose(mine[finite], oracle[finite], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, settings", CASES)
def test_function_and_its_gradient(name, settings):
    true, pred, _ = FUNCTIONS[name]
    compare(name, settings, true(4, 3, 5), pred(4, 3, 5))


AWKWARD_PREDICTIONS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [1e-9, 1 - 1e-7, 0.5], [-0.2, 1.2, 0.3], [60, -60, 0], [1e-7, 0, 1]],
    "float32",
)
AWKWARD_LABELS = np.array(
    [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]], "float32"
)


@pytest.mark.parametrize("name, settings", [c for c in CASES if "axis" not in c[1]])
def test_values_and_gradients_at_awkward_points(name, settings):
    labels = AWKWARD_LABELS.argmax(-1) if FUNCTIONS[name][0] is integers else AWKWARD_LABELS
    compare(name, settings, labels, AWKWARD_PREDICTIONS, 1e-5, 1e-5)


@pytest.mark.parametrize("name", ["mean_squared_error", "huber", "log_cosh", "cosine_similarity", "hinge", "poisson"])
def test_gradients_where_prediction_meets_target(name):
    y = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 2.0]], "float32")
    compare(name, {}, y, y)


@pytest.mark.parametrize("settings", [{}, {"gamma": 2.0, "margin": 0.1}, {"remove_diagonal": False}])
def test_circle(settings):
    embeddings = real(6, 4)
    for x in (embeddings, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)):
        for labels in (np.array([0, 1, 1, 2, 2, 2]), np.arange(6), np.zeros(6, int)):
            compare("circle", settings, labels, x, 1e-5, 2e-4)


@pytest.mark.parametrize("remove", [True, False])
def test_circle_with_references(remove):
    other = {"ref_labels": np.array([0, 1, 1, 2]), "ref_embeddings": real(4, 4)}
    compare("circle", {"remove_diagonal": remove, **other}, np.array([0, 1, 2]), real(3, 4), 1e-5, 1e-4)


@pytest.mark.parametrize(
    "labels",
    [[[1, 2, 0], [2, 2, 1]], [[0, 0, 0], [3, 0, 0]], [[1, 1, 1], [1, 0, 2]]],
    ids=["some", "empty", "repeats"],
)
def test_ctc(labels):
    compare("ctc", {}, np.array(labels), real(2, 6, 4), 1e-5, 1e-5)


def test_ctc_of_labels_that_cannot_fit():
    compare("ctc", {}, np.array([[1, 1, 1]]), real(1, 3, 4), 1e-5, 1e-2)


WEIGHTS = {
    "none": None,
    "row": np.array([1.0, 2.0, 0.0]),
    "column": np.array([[1.0], [2.0], [0.5]]),
    "element": np.arange(6.0).reshape(3, 2),
    "zeros": np.zeros((3, 2)),
    "number": 2.0,
}
MASKS = {
    "none": None,
    "some": np.array([[True, False], [True, True], [False, False]]),
    "nothing": np.zeros((3, 2), bool),
}


def with_mask(x, mask, ours):
    x = jnp.asarray(x)
    if mask is not None and ours:
        set_mask(x, jnp.asarray(mask))
    elif mask is not None:
        x._keras_mask = jnp.asarray(mask)
    return x


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("weights", [w for w in WEIGHTS if w != "row"])
@pytest.mark.parametrize("reduction", losses.loss.REDUCTIONS)
def test_reduction_weights_and_masks(reduction, weights, mask):
    y_true, y_pred = real(3, 2, 4), real(3, 2, 4)
    ours = losses.MeanSquaredError(reduction)(y_true, with_mask(y_pred, MASKS[mask], True), WEIGHTS[weights])
    theirs = keras.losses.MeanSquaredError(reduction)(y_true, with_mask(y_pred, MASKS[mask], False), WEIGHTS[weights])
    close(ours, theirs)


@pytest.mark.parametrize("weights", ["none", "row", "column", "number"])
@pytest.mark.parametrize("reduction", losses.loss.REDUCTIONS)
def test_one_value_a_row(reduction, weights):
    y_true, y_pred = real(3, 4), real(3, 4)
    for mask in (None, np.array([True, False, True])):
        ours = losses.MeanSquaredError(reduction)(y_true, with_mask(y_pred, mask, True), WEIGHTS[weights])
        theirs = keras.losses.MeanSquaredError(reduction)(y_true, with_mask(y_pred, mask, False), WEIGHTS[weights])
        close(ours, theirs)


@pytest.mark.parametrize("true_shape, pred_shape", [((4,), (4, 1)), ((4, 1), (4,)), ((4, 3, 1), (4, 3)), ((4, 3), (4, 3, 1))])
@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "BinaryCrossentropy", "Hinge", "Poisson", "Huber"])
def test_a_last_axis_of_one_is_no_difference(name, true_shape, pred_shape):
    y_true, y_pred = zero_one(*true_shape), probabilities(*pred_shape)
    close(*(getattr(m.losses, name)()(y_true, y_pred, np.arange(4.0)) if len(true_shape) + len(pred_shape) == 3
            else getattr(m.losses, name)()(y_true, y_pred) for m in (cornu, keras)))  # fmt: skip


@pytest.mark.parametrize("ignore", [None, -1, 2])
@pytest.mark.parametrize("weights", [None, np.array([1.0, 2, 3, 4])])
def test_ignored_classes_do_not_count(ignore, weights):
    labels, y_pred = np.array([0, 2, 1, 2 if ignore is None else ignore]), distribution(4, 3)
    mask = np.array([True, True, False, True])
    for m in (None, mask):
        ours = losses.SparseCategoricalCrossentropy(ignore_class=ignore)(labels, with_mask(y_pred, m, True), weights)
        theirs = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignore)(
            labels, with_mask(y_pred, m, False), weights
        )
        close(ours, theirs)


def test_sparse_labels_in_a_column_and_on_another_axis():
    labels, y_pred = integers(4, 3), distribution(4, 3)
    close(*(m.losses.sparse_categorical_crossentropy(labels[:, None], y_pred) for m in (cornu, keras)))


def test_sparse_labels_beside_an_inner_axis_of_classes():
    images, maps = probabilities(2, 3, 4, 5), RNG.integers(0, 3, (2, 4, 5))
    last = keras.losses.SparseCategoricalCrossentropy()(maps, np.moveaxis(images, 1, -1))
    for axis in (1, -3):
        close(losses.SparseCategoricalCrossentropy(axis=axis)(maps, images), last)


@pytest.mark.parametrize("true", ["float16", "bfloat16", "int32", "float32"])
@pytest.mark.parametrize("pred", ["float16", "float32", "int32"])
def test_dtypes_of_functions_and_classes(true, pred):
    y_true, y_pred = jnp.asarray([[1, 0]], true), jnp.asarray([[1, 1]], pred)
    for name in ("mean_squared_error", "huber", "binary_crossentropy", "kl_divergence", "categorical_hinge"):
        ours, theirs = (getattr(m.losses, name)(y_true, y_pred) for m in (cornu, keras))
        assert ours.dtype == theirs.dtype
    close(losses.MeanSquaredError()(y_true, y_pred), keras.losses.MeanSquaredError()(y_true, y_pred))
    close(*(m.losses.MeanSquaredError(dtype="float16")(y_true, y_pred) for m in (cornu, keras)), 1e-3)


CLASSES = sorted(n for n in losses.__all__ if inspect.isclass(getattr(losses, n)) and hasattr(keras.losses, n))
# Arguments that Keras forgets when it writes a config; cornu writes them, and Keras can read them.
KEPT = {"Huber": {"delta"}, "CosineSimilarity": {"axis"}, "SparseCategoricalCrossentropy": {"axis"}}


@pytest.mark.parametrize("name", CLASSES)
def test_signature_and_config(name):
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    parameters = [[(p.name, p.default) for p in inspect.signature(c).parameters.values()] for c in (ours, theirs)]
    assert parameters[0] == parameters[1]
    config, oracle = ours(name="n").get_config(), theirs(name="n").get_config()
    assert {k: v for k, v in config.items() if k not in KEPT.get(name, ())} == oracle
    assert set(config) - set(oracle) == KEPT.get(name, set())
    assert theirs.from_config(config).get_config() == oracle
    assert ours.from_config(oracle).get_config() == config
    written, expected = losses.serialize(ours(name="n")), keras.losses.serialize(theirs(name="n"))
    assert {**written, "config": 0, "module": 0} == {**expected, "config": 0, "module": 0}
    if name != "Loss":
        assert written["module"] == expected["module"]
        assert keras.losses.deserialize(written).get_config() == oracle


NAMES = [
    *[n for n in dir(keras.losses) if not n.startswith("_")], "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE",
    "bce", "BCE", "kld", "KLD",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_get_accepts(name):
    try:
        theirs = keras.losses.get(name)
    except ValueError:
        pytest.skip("Keras does not know it either")
    ours = losses.get(name)
    assert inspect.isfunction(ours) == inspect.isfunction(theirs)
    assert getattr(ours, "__name__", type(ours).__name__) == getattr(theirs, "__name__", type(theirs).__name__)


def test_every_public_name_of_keras_exists():
    missing = [n for n in dir(keras.losses) if not n.startswith("_") and not hasattr(losses, n)]
    assert missing == []
