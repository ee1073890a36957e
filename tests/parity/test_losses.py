"""Losses against Keras on JAX: values, gradients, reductions with weights and masks, signatures, configs, names."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

from cornu import losses
from cornu.core.masks import set_mask

RNG = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(7).bit_generator.state


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
        [
            {},
            {"apply_class_balancing": True, "alpha": 0.3},
            {"gamma": 3.0, "from_logits": True},
            {"label_smoothing": 0.1},
        ],
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
    "dice": (zero_one, probabilities, [{}, {"axis": 1}, {"axis": (0, 1)}]),
    "tversky": (zero_one, probabilities, [{}, {"alpha": 0.2, "beta": 0.7, "axis": 1}]),
}  # fmt: skip


def close(ours, theirs, tolerance=1e-6):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def values_and_gradients(function, all_settings):
    """Compiled (y_true, y_pred) -> for each of the settings the value and the gradient of its sum."""

    def total(y_pred, y_true, settings):
        value = function(y_true, y_pred, **settings)
        return jnp.sum(value), value

    gradient = jax.value_and_grad(total, has_aux=True)

    def run(y_true, y_pred):
        return [(value, g) for (_, value), g in (gradient(y_pred, y_true, s) for s in all_settings)]

    return jax.jit(run)


def compare(name, all_settings, batches, tolerance=1e-5):
    """Same values and gradients wherever Keras's are finite, for each batch of one shape."""
    batches = [(jnp.asarray(y_true), jnp.asarray(y_pred)) for y_true, y_pred in batches]

    def question(library):
        run = values_and_gradients(getattr(library.losses, name), all_settings)
        return [run(*batch) for batch in batches]

    for mine, wanted in zip(*(jax.tree.leaves(answer) for answer in both(question)), strict=True):
        finite = np.isfinite(wanted)
        assert mine.shape == wanted.shape and mine.dtype == wanted.dtype and finite.any()
        np.testing.assert_allclose(mine[finite], wanted[finite], rtol=tolerance, atol=tolerance / 5)


# Predictions and labels at the ends of their ranges, beyond them, at ties, and as vectors of zeros.
AWKWARD_PREDICTIONS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [1e-9, 1 - 1e-7, 0.5], [-0.2, 1.2, 0.3], [60, -60, 0], [1e-7, 0, 1]],
    "float32",
)
AWKWARD_LABELS = np.array(
    [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]], "float32"
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name):
    true, pred, all_settings = FUNCTIONS[name]
    awkward = AWKWARD_LABELS.argmax(-1).astype("int32") if true is integers else AWKWARD_LABELS
    compare(name, all_settings, [(true(8, 3), pred(8, 3)), (awkward, AWKWARD_PREDICTIONS)])


def test_the_plain_values_agree_closely():
    for name in ("mean_squared_error", "categorical_crossentropy", "binary_crossentropy", "huber"):
        true, pred, _ = FUNCTIONS[name]
        y_true, y_pred = true(8, 3), pred(8, 3)
        close(*both(lambda library: getattr(library.losses, name)(y_true, y_pred)), 1e-6)


def test_circle():
    embeddings = real(6, 4)
    normed = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = (np.array([0, 1, 1, 2, 2, 2]), np.arange(6), np.zeros(6, int))
    settings = [{}, {"gamma": 2.0, "margin": 0.1}, {"remove_diagonal": False}]
    compare("circle", settings, [(y, x) for x in (embeddings, normed) for y in labels], 2e-4)


def test_circle_with_references():
    other = {"ref_labels": np.array([0, 1, 1, 2]), "ref_embeddings": real(4, 4)}
    settings = [{"remove_diagonal": remove, **other} for remove in (True, False)]
    compare("circle", settings, [(np.array([0, 1, 2]), real(3, 4))], 1e-4)


def test_ctc():
    """Sequences of several lengths, empty ones, repeats, and repeats that do not fit into four time steps."""
    labels = ([[1, 2, 0], [2, 3, 1]], [[0, 0, 0], [3, 0, 0]], [[1, 1, 0], [1, 0, 2]])
    compare("ctc", [{}], [(np.array(y), real(2, 4, 4)) for y in labels])
    compare("ctc", [{}], [(np.array([[1, 1, 1], [2, 2, 1]]), real(2, 4, 4))], 1e-2)


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


def with_mask(x, mask):
    """An array with the attribute by which both libraries find a mask."""
    x = jnp.asarray(x)
    if mask is not None:
        set_mask(x, jnp.asarray(mask))
        x._keras_mask = jnp.asarray(mask)
    return x


def all_close(question):
    for ours, theirs in zip(*both(question), strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("reduction", losses.loss.REDUCTIONS)
def test_reduction_weights_and_masks(reduction, mask):
    y_true, y_pred = real(3, 2, 4), real(3, 2, 4)
    all_weights = [w for name, w in WEIGHTS.items() if name != "row"]

    def question(library):
        loss = library.losses.MeanSquaredError(reduction)
        return [loss(y_true, with_mask(y_pred, MASKS[mask]), weights) for weights in all_weights]

    all_close(question)


@pytest.mark.parametrize("reduction", losses.loss.REDUCTIONS)
def test_one_value_a_row(reduction):
    y_true, y_pred = real(3, 4), real(3, 4)
    masks, all_weights = (None, np.array([True, False, True])), ("none", "row", "column", "number")

    def question(library):
        loss = library.losses.MeanSquaredError(reduction)
        return [loss(y_true, with_mask(y_pred, m), WEIGHTS[w]) for m in masks for w in all_weights]

    all_close(question)


@pytest.mark.parametrize("true_shape, pred_shape", [((4,), (4, 1)), ((4, 1), (4,)), ((4, 3), (4, 3, 1))])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "Hinge"])
def test_a_last_axis_of_one_is_no_difference(name, true_shape, pred_shape):
    y_true, y_pred = zero_one(*true_shape), probabilities(*pred_shape)
    weights = (np.arange(4.0),) if len(true_shape) + len(pred_shape) == 3 else ()
    close(*both(lambda library: getattr(library.losses, name)()(y_true, y_pred, *weights)))


@pytest.mark.parametrize("ignore", [None, -1, 2])
def test_ignored_classes_do_not_count(ignore):
    labels, y_pred = np.array([0, 2, 1, 2 if ignore is None else ignore]), distribution(4, 3)
    masks, all_weights = (None, np.array([True, True, False, True])), (None, np.array([1.0, 2, 3, 4]))

    def question(library):
        loss = library.losses.SparseCategoricalCrossentropy(ignore_class=ignore)
        return [loss(labels, with_mask(y_pred, m), w) for m in masks for w in all_weights]

    all_close(question)


def test_sparse_labels_in_a_column_and_on_another_axis():
    labels, y_pred = integers(4, 3), distribution(4, 3)
    close(*both(lambda library: library.losses.sparse_categorical_crossentropy(labels[:, None], y_pred)))


def test_sparse_labels_beside_an_inner_axis_of_classes():
    images, maps = probabilities(2, 3, 4, 5), RNG.integers(0, 3, (2, 4, 5))
    last = ask(lambda keras: keras.losses.SparseCategoricalCrossentropy()(maps, np.moveaxis(images, 1, -1)))
    for axis in (1, -3):
        close(losses.SparseCategoricalCrossentropy(axis=axis)(maps, images), last)


@pytest.mark.parametrize(
    "true, pred", [("float16", "float32"), ("bfloat16", "float16"), ("int32", "float16"), ("int32", "int32")]
)
def test_dtypes_of_functions_and_classes(true, pred):
    y_true, y_pred = jnp.asarray([[1, 0]], true), jnp.asarray([[1, 1]], pred)
    functions = ("mean_squared_error", "binary_crossentropy", "kl_divergence")
    ours, theirs = both(lambda library: [getattr(library.losses, f)(y_true, y_pred) for f in functions])
    assert [x.dtype for x in ours] == [x.dtype for x in theirs]
    close(*both(lambda library: library.losses.MeanSquaredError()(y_true, y_pred)))
    close(*both(lambda library: library.losses.MeanSquaredError(dtype="float16")(y_true, y_pred)), 1e-3)


LATER = {"SparseCategoricalFocalCrossentropy"}  # from Keras 3.16 on
LATER_ARGUMENTS = {"SparseCategoricalCrossentropy": {"label_smoothing"}}
CLASSES = sorted(
    n for n in losses.__all__ if inspect.isclass(getattr(losses, n)) and n not in {"LossFunctionWrapper", *LATER}
)
# Arguments that Keras forgets when it writes a config; cornu writes them, and Keras can read them.
KEPT = {"Huber": {"delta"}, "CosineSimilarity": {"axis"}, "SparseCategoricalCrossentropy": {"axis"}}


def parameters(function):
    """[(name, default)] of a function; the defaults are plain data."""
    empty = inspect.Parameter.empty
    return [(p.name, "required" if p.default is empty else p.default)
            for p in inspect.signature(function).parameters.values()]  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_signature_and_config(name):
    def question(library):
        cls = getattr(library.losses, name)
        loss = cls(name="n")
        return parameters(cls), loss.get_config(), library.losses.serialize(loss)

    (signature, config, written), (wanted, oracle, expected) = both(question)
    assert [(n, default) for n, default in signature if n not in LATER_ARGUMENTS.get(name, ())] == wanted
    assert {k: v for k, v in config.items() if k not in KEPT.get(name, ())} == oracle
    assert set(config) - set(oracle) == KEPT.get(name, set())
    assert getattr(losses, name).from_config(oracle).get_config() == config
    assert {**written, "config": 0, "module": 0} == {**expected, "config": 0, "module": 0}
    if name != "Loss":
        assert written["module"] == expected["module"]
        assert losses.deserialize(expected).get_config() == config


@pytest.mark.live
@pytest.mark.parametrize("name", CLASSES)
def test_keras_reads_a_config_of_cornu(name):
    import keras

    theirs, loss = getattr(keras.losses, name), getattr(losses, name)(name="n")
    expected = theirs(name="n").get_config()
    assert theirs.from_config(loss.get_config()).get_config() == expected
    if name not in ("Loss", "CategoricalGeneralizedCrossEntropy"):  # Keras cannot read these two of its own
        assert keras.losses.deserialize(losses.serialize(loss)).get_config() == expected


SHORT = ["mse", "mae", "mape", "msle", "bce", "kld"]


def test_names_that_get_accepts():
    def question(keras):
        found = {}
        for name in [*dir(keras.losses), *SHORT, *(n.upper() for n in SHORT)]:
            try:
                found[name] = described(keras.losses.get(name))
            except ValueError:
                continue
        return found

    for name, expected in ask(question).items():
        if not name.startswith("_"):
            assert described(losses.get(name)) == expected


def described(loss):
    return inspect.isfunction(loss), getattr(loss, "__name__", type(loss).__name__)


def test_every_public_name_of_keras_exists():
    names = ask(lambda keras: [n for n in dir(keras.losses) if not n.startswith("_")])
    assert [n for n in names if not hasattr(losses, n)] == []
    assert set(CLASSES) <= set(names)
