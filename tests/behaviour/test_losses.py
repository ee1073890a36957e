"""Losses as a user meets them: by hand, with weights and masks, of one's own, and when the labels are wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import losses
from cornu.core import promises
from cornu.core.masks import set_mask
from cornu.losses import validation


def test_call_with_lists_arrays_and_variables():
    loss = losses.MeanSquaredError()
    y_true, y_pred = [[0.0, 2.0]], [[1.0, 0.0]]
    for convert in (list, np.array, jnp.asarray, cornu.Variable):
        assert float(loss(convert(y_true), convert(y_pred))) == 2.5
        assert losses.mean_squared_error(convert(y_true), convert(y_pred)).tolist() == [2.5]


def test_a_column_of_labels_and_a_vector_are_the_same():
    y_pred = np.array([[0.2], [0.9], [0.4]])
    loss = losses.BinaryCrossentropy()
    assert loss(np.array([0, 1, 1]), y_pred) == loss(np.array([[0], [1], [1]]), y_pred)


def test_weights_scale_samples():
    loss = losses.MeanAbsoluteError(reduction="sum")
    assert float(loss([[0.0], [0.0]], [[1.0], [1.0]], sample_weight=[2.0, 5.0])) == 7.0


def test_weights_of_rows_reach_all_steps_of_a_sequence():
    y_true, y_pred, weights = np.zeros((2, 3, 1)), np.ones((2, 3, 1)), np.array([1.0, 0.0])
    by_row = losses.MeanSquaredError("none")(y_true, y_pred, weights)
    np.testing.assert_array_equal(by_row, [[1, 1, 1], [0, 0, 0]])
    square = losses.MeanSquaredError("none")(np.zeros((2, 2, 1)), np.ones((2, 2, 1)), weights)
    np.testing.assert_array_equal(square, [[1, 1], [0, 0]])


def test_weights_of_more_axes_than_values_are_refused():
    with pytest.raises(ValueError, match=r"one number per sample"):
        losses.MeanSquaredError()(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 3)))


def test_masked_steps_do_not_count():
    y_pred = jnp.asarray(np.array([[[1.0], [100.0]], [[1.0], [1.0]]]))
    set_mask(y_pred, jnp.asarray([[True, False], [True, True]]))
    assert float(losses.MeanSquaredError()(np.zeros((2, 2, 1)), y_pred)) == pytest.approx(1.0)


ROWWISE = {
    "BinaryCrossentropy": {}, "BinaryFocalCrossentropy": {}, "CategoricalCrossentropy": {"label_smoothing": 0.1},
    "CategoricalFocalCrossentropy": {}, "CategoricalHinge": {}, "CosineSimilarity": {}, "Dice": {"axis": 1},
    "Hinge": {}, "Huber": {}, "KLDivergence": {}, "LogCosh": {}, "MeanAbsoluteError": {}, "MeanSquaredError": {},
    "MeanAbsolutePercentageError": {}, "MeanSquaredLogarithmicError": {}, "Poisson": {}, "SquaredHinge": {},
    "Tversky": {"axis": 1}, "SparseCategoricalCrossentropy": {}, "CategoricalGeneralizedCrossEntropy": {}, "CTC": {},
}  # fmt: skip


@pytest.mark.parametrize("name", ROWWISE)
def test_a_batch_filled_up_with_masked_rows_gives_the_same_loss(name):
    """What training does with the last batch: rows are added, and a mask takes them out again."""
    rng = np.random.default_rng(0)
    y_pred = rng.random((4, 6)).astype("float32")
    y_true = np.eye(6, dtype="float32")[rng.integers(0, 6, 4)]
    if name.startswith(("Sparse", "CategoricalGen")):
        y_true = y_true.argmax(-1)
    if name == "CTC":
        y_true, y_pred = rng.integers(1, 5, (4, 2)), rng.normal(size=(4, 7, 5)).astype("float32")
    weights = np.array([1.0, 2.0, 0.5, 1.5], "float32")
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight") if name == "MeanSquaredError" else ("mean",):
        loss = getattr(losses, name)(**ROWWISE[name], reduction=reduction)
        assert promises.kept(loss, "rowwise")
        for sample_weight in (None, weights[:3]):
            filled = jnp.asarray(y_pred[[0, 1, 2, 0, 0]])
            set_mask(filled, jnp.arange(5) < 3)
            more = None if sample_weight is None else np.append(sample_weight, [9.0, 9.0])
            np.testing.assert_allclose(
                loss(y_true[[0, 1, 2, 0, 0]], filled, more), loss(y_true[:3], y_pred[:3], sample_weight), rtol=2e-6
            )


def test_losses_that_mix_rows_say_so():
    for loss in (
        losses.Circle(),
        losses.Dice(),
        losses.Tversky(axis=(0, 1)),
        losses.CosineSimilarity(axis=0),
        losses.LossFunctionWrapper(lambda y_true, y_pred: abs(y_true - y_pred)),
        losses.LossFunctionWrapper(losses.dice),
        losses.LossFunctionWrapper(losses.tversky),
        losses.LossFunctionWrapper(losses.circle),
    ):
        assert not promises.kept(loss, "rowwise")


FUNCTIONS = [name for name in losses.__all__ if hasattr(getattr(losses, name), "rowwise") and name[0].islower()]


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in ("categorical_generalized_cross_entropy", "ctc")]
)
def test_a_function_as_it_is_gives_rows_of_their_own_or_says_otherwise(name):
    """As `compile(loss="dice")` has it, with no arguments that say along which axis."""
    function, rng = getattr(losses, name), np.random.default_rng(0)
    y_pred, y_true = rng.random((4, 6)).astype("float32"), np.eye(6, dtype="float32")[[1, 2, 0, 2]]
    if name.startswith(("sparse", "categorical_gen")):
        y_true = y_true.argmax(-1)
    alone, among = function(y_true[:3], y_pred[:3]), function(y_true, y_pred)
    same = among.shape == (4,) and np.allclose(among[:3], alone, rtol=2e-6)
    assert same == bool(promises.kept(losses.LossFunctionWrapper(function), "rowwise"))


@pytest.mark.parametrize("loss", ["dice", "tversky", losses.tversky])
def test_a_short_last_batch_counts_as_it_is_under_a_loss_of_the_whole_batch(loss):
    x = np.random.default_rng(0).random((10, 3)).astype("float32")
    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Rescaling(0.5)])
    model.compile(optimizer="sgd", loss=loss)
    batches = [float(losses.Dice()(x[i : i + 4], x[i : i + 4] / 2)) for i in (0, 4, 8)]
    assert model.evaluate(x, x, batch_size=4, verbose=0) == pytest.approx(np.dot(batches, [4, 4, 2]) / 10, rel=1e-5)


def test_a_loss_of_my_own():
    class Pinball(losses.Loss):
        def __init__(self, tau=0.5, **kwargs):
            super().__init__(**kwargs)
            self.tau = tau

        def call(self, y_true, y_pred):
            error = y_true - y_pred
            return cornu.ops.mean(cornu.ops.maximum(self.tau * error, (self.tau - 1) * error), axis=-1)

    loss = Pinball(tau=0.9)
    assert float(loss([[1.0]], [[0.0]])) == pytest.approx(0.9)
    assert loss.get_config() == {"tau": 0.9, "name": "pinball", "reduction": "sum_over_batch_size"}
    assert Pinball.from_config(loss.get_config()).tau == 0.9


def test_a_loss_of_my_own_on_several_outputs_at_once():
    class Both(losses.Loss):
        def call(self, y_true, y_pred):
            return abs(y_true["a"] - y_pred["a"]) + abs(y_true["b"] - y_pred["b"])

    y_true, y_pred = ({"a": np.full(2, v), "b": np.full(2, 2 * v)} for v in (0.0, 1.0))
    assert float(Both()(y_true, y_pred)) == 3.0


def test_a_function_as_loss():
    def cubed(y_true, y_pred, scale=1.0):
        return scale * jnp.mean(abs(y_true - y_pred) ** 3, axis=-1)

    loss = losses.LossFunctionWrapper(cubed, name="cubed", scale=2.0)
    assert float(loss([[0.0]], [[2.0]])) == 16.0


def test_subclass_of_a_built_in_loss():
    class Tolerant(losses.Huber):
        def __init__(self, name="tolerant"):
            super().__init__(delta=0.5, name=name)

    assert Tolerant().delta == 0.5
    assert Tolerant()([[0.0]], [[2.0]]) == losses.huber([[0.0]], [[2.0]], delta=0.5)[0]


def test_delta_survives_saving():
    loss = losses.deserialize(losses.serialize(losses.Huber(delta=3.0)))
    assert loss.delta == 3.0


def test_gradient_under_jit():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    gradient = jax.jit(jax.grad(lambda p: loss(jnp.asarray([1, -1]), p)))(jnp.zeros((2, 3)))
    assert np.all(gradient[1] == 0) and gradient[0, 1] < 0


def test_on_symbolic_tensors():
    y_true, y_pred = cornu.KerasTensor((None, 4)), cornu.KerasTensor((None, 4))
    assert losses.MeanSquaredError()(y_true, y_pred).shape == ()
    assert losses.mean_squared_error(y_true, y_pred).shape == (None,)
    assert losses.sparse_categorical_crossentropy(cornu.KerasTensor((None,), "int32"), y_pred).shape == (None,)


def test_zero_vectors_have_finite_gradients():
    gradient = jax.grad(lambda p: losses.CosineSimilarity()(jnp.ones((1, 3)), p))(jnp.zeros((1, 3)))
    assert np.isfinite(gradient).all()


def test_wrong_arguments_are_named():
    with pytest.raises(
        ValueError, match=r'MeanSquaredError "mean_squared_error": reduction must be .*Received: .*"avg"'
    ):
        losses.MeanSquaredError(reduction="avg")
    with pytest.raises(TypeError, match=r"Huber.*'dleta'"):
        losses.Huber(dleta=1.0)
    for q in (2.0, 1.0, 0.0):
        with pytest.raises(ValueError, match="q must be between 0 and 1"):
            losses.CategoricalGeneralizedCrossEntropy(q=q)
    with pytest.raises(ValueError, match=r"Unknown loss 'meen_squared_error'.*mean_squared_error"):
        losses.get("meen_squared_error")
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy([[1.0]], [[1.0]])


WRONG_SHAPES = [
    ("categorical_crossentropy", (8,), (None, 10), "sparse_categorical_crossentropy"),
    ("categorical_crossentropy", (8, 1), (None, 10), r"to_categorical\(y, 10\)"),
    ("categorical_crossentropy", (8, 4), (None, 10), "4 classes: end the model with as many outputs"),
    ("sparse_categorical_crossentropy", (8, 10), (None, 10), "one-hot: use categorical_crossentropy"),
    ("sparse_categorical_crossentropy", (8, 5), (None, 10), r"labels of shape \(batch,\)"),
    ("sparse_categorical_crossentropy", (8,), (None, 5, 10), r"labels of shape \(batch, 5\)"),
    ("mean_squared_error", (8,), (None, 3), "end it with one output"),
    ("mse", (8, 3), (None, 1), "as many outputs as the labels"),
    ("mae", (8, 28, 28), (None, 28, 28, 3), "3 outputs per sample"),
    ("binary_crossentropy", (8,), (None, 10), "from 0 to 9, use sparse_categorical_crossentropy"),
    ("poisson", (8, 2, 2), (None, 4, 2), "merely broadcast"),
    ("mse", (8, 3), (40, 3), r"predictions of shape \(40, 3\).* makes 40 rows of 8 samples"),
]


@pytest.mark.parametrize("name, y_true, y_pred, fix", WRONG_SHAPES)
def test_labels_that_would_only_broadcast_are_refused(name, y_true, y_pred, fix):
    for loss in (losses.get(name), losses.LossFunctionWrapper(losses.get(name))):
        with pytest.raises(ValueError, match=rf"^model: labels of shape .* do not match .*{fix}"):
            validation.check_shapes(loss, y_true, y_pred, "model")


GOOD_SHAPES = [
    ("mse", (8,), (None, 1)), ("mse", (8, 1), (None,)), ("mse", (8, 5, 3), (None, None, 3)), ("mse", (8,), (None,)),
    ("bce", (8, 28, 28), (None, 28, 28, 1)), ("categorical_crossentropy", (8, 10), (None, 10)),
    ("sparse_categorical_crossentropy", (8,), (None, 10)), ("sparse_categorical_crossentropy", (8, 1), (None, 10)),
    ("sparse_categorical_crossentropy", (8, 5), (None, 5, 10)),
    ("sparse_categorical_crossentropy", (8, 5, 1), (8, 5, 10)),
    ("kld", (8, 4), (8, 4)), ("circle", (8,), (None, 16)), ("dice", (8, 4, 4, 1), (None, 4, 4)),
]  # fmt: skip


@pytest.mark.parametrize("name, y_true, y_pred", GOOD_SHAPES)
def test_labels_that_fit_pass(name, y_true, y_pred):
    validation.check_shapes(losses.get(name), y_true, y_pred, "model")


def test_the_classes_may_lie_on_another_axis():
    loss = losses.SparseCategoricalCrossentropy(axis=1)
    validation.check_shapes(loss, (8, 4, 4), (None, 3, 4, 4), "model")
    with pytest.raises(ValueError, match="one-hot"):
        validation.check_shapes(loss, (8, 3, 4, 4), (None, 3, 4, 4), "model")


def test_whole_numbers_may_have_an_axis_of_one_in_the_place_of_the_classes_or_behind():
    labels = np.array([[0, 2, 1, 1], [2, 2, 0, 1]])
    scores = np.random.default_rng(0).uniform(0.1, 1.0, (2, 3, 4))
    loss = lambda y: losses.sparse_categorical_crossentropy(y, scores, axis=1)
    for one in (labels[:, None], labels[..., None]):
        np.testing.assert_array_equal(loss(one), loss(labels))
    with pytest.raises(ValueError, match=r"shape of the predictions without the class axis, \(2, 4\)"):
        loss(labels[:, :2])
    square = np.full((2, 3, 3), 1 / 3)  # of which one-hot labels have the first column in the shape of whole numbers
    with pytest.raises(ValueError, match=r"shape of the predictions without the class axis, \(2, 3\)"):
        losses.sparse_categorical_crossentropy(square, square)


def test_losses_of_my_own_are_not_checked():
    validation.check_shapes(lambda y_true, y_pred: y_pred, (8,), (None, 3), "model")
    validation.check_values(lambda y_true, y_pred: y_pred, np.array([99]), 3, "model")


WRONG_VALUES = [
    ("sparse_categorical_crossentropy", [0, 3, 10], 10, "0 to 10 are out of range .*0 to 9.*11 outputs"),
    ("sparse_categorical_crossentropy", [1, 2, 3], 3, "start at 1: use y - 1"),
    ("sparse_categorical_crossentropy", [-1, 2, 0], 3, r"ignore_class=-1"),
    ("sparse_categorical_crossentropy", [0, 1, 1], 1, "binary_crossentropy"),
    ("sparse_categorical_crossentropy", [0.5, 1.0], 3, "fractions"),
    ("binary_crossentropy", [-1, 1, 1], 1, r"\(y \+ 1\) / 2"),
    ("binary_crossentropy", [0, 1, 2], 1, "sparse_categorical_crossentropy"),
    ("binary_crossentropy", [0, 128, 255], 1, "divide images by 255"),
]


@pytest.mark.parametrize("name, y_true, classes, fix", WRONG_VALUES)
def test_label_values_out_of_range_are_refused(name, y_true, classes, fix):
    with pytest.raises(ValueError, match=rf"^model: labels from .*{fix}"):
        validation.check_values(losses.get(name), np.array(y_true), classes, "model")


def test_label_values_in_range_pass():
    validation.check_values(losses.SparseCategoricalCrossentropy(), np.array([0.0, 2.0]), 3, "model")
    validation.check_values(losses.SparseCategoricalCrossentropy(ignore_class=255), np.array([0, 255, 2]), 3, "model")
    validation.check_values(losses.SparseCategoricalCrossentropy(axis=1), np.array([0, 7]), 3, "model")
    validation.check_values(losses.BinaryCrossentropy(), np.array([0.0, 0.3, 1.0]), 1, "model")
    validation.check_values(losses.get("mse"), np.array([-50.0]), 1, "model")


# ---------------------------------------------------------------- what Keras 3.16 adds

THREE = np.array([[0.05, 0.9, 0.05], [0.1, 0.8, 0.1]], "float32")


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("alpha", [0.25, [0.1, 0.2, 0.3]])
def test_the_focal_loss_of_labels_is_that_of_their_one_hot_codes(alpha, logits):
    sparse = losses.SparseCategoricalFocalCrossentropy(alpha=alpha, gamma=1.5, from_logits=logits)
    coded = losses.CategoricalFocalCrossentropy(alpha=np.array(alpha), gamma=1.5, from_logits=logits)
    np.testing.assert_allclose(sparse([1, 2], THREE), coded(np.eye(3)[[1, 2]], THREE), rtol=1e-6)
    turned = losses.SparseCategoricalFocalCrossentropy(alpha=alpha, gamma=1.5, from_logits=logits, axis=0)
    np.testing.assert_allclose(turned([1, 2], THREE.T), sparse([1, 2], THREE), rtol=1e-6)


def test_the_focal_loss_ignores_a_class_and_does_not_hide_wrong_labels():
    loss = losses.SparseCategoricalFocalCrossentropy(ignore_class=255)
    assert loss([1, 255], THREE) == loss([1], THREE[:1])
    assert np.isnan(losses.sparse_categorical_focal_crossentropy([3, -1], THREE)).all()
    with pytest.raises(ValueError, match="alpha must be one number or 3"):
        losses.sparse_categorical_focal_crossentropy([0, 1], THREE, alpha=[0.1, 0.2])


def test_labels_are_smoothed_as_their_one_hot_codes_are():
    smooth = losses.SparseCategoricalCrossentropy(label_smoothing=0.2)
    coded = losses.CategoricalCrossentropy(label_smoothing=0.2)
    np.testing.assert_allclose(smooth([1, 2], THREE), coded(np.eye(3)[[1, 2]], THREE), rtol=1e-6)
    again = losses.SparseCategoricalCrossentropy.from_config(smooth.get_config())
    assert again([1, 2], THREE) == smooth([1, 2], THREE)


def test_keras_before_3_16_reads_a_loss_that_smoothes_nothing():
    assert "label_smoothing" not in losses.SparseCategoricalCrossentropy().get_config()
