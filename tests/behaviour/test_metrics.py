"""Metrics as a user meets them: by hand, purely, of one's own, with rows that do not count, with wrong arguments."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import metrics
from cornu.core import promises


def test_update_result_reset():
    metric = metrics.MeanAbsoluteError()
    metric.update_state([[0.0]], [[1.0]])
    metric.update_state([[0.0], [0.0]], [[2.0], [3.0]])
    assert float(metric.result()) == 2.0
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_accuracy_of_class_numbers_and_one_hot_labels():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    assert float(metrics.SparseCategoricalAccuracy()([1, 0, 1], scores)) == pytest.approx(2 / 3)
    assert float(metrics.CategoricalAccuracy()(np.eye(2)[[1, 0, 1]], scores)) == pytest.approx(2 / 3)


def test_labels_of_the_wrong_kind_are_refused():
    scores = np.ones((3, 4))
    with pytest.raises(ValueError, match="sparse_categorical_accuracy"):
        metrics.CategoricalAccuracy()([1, 0, 1], scores)
    with pytest.raises(ValueError, match="without sparse_"):
        metrics.SparseCategoricalAccuracy()(np.eye(4)[:3], scores)
    with pytest.raises(ValueError, match="one-hot encode"):
        metrics.Precision()([1, 0, 1], scores)
    with pytest.raises(ValueError, match=r'F1Score "f1_score": .*\(batch, outputs\)'):
        metrics.F1Score()([1, 0, 1], [0.2, 0.4, 0.5])


@pytest.mark.parametrize("name", ["R2Score", "F1Score"])
def test_labels_of_one_output_may_be_a_vector(name):
    labels, scores = np.array([1.0, 0.0, 1.0]), np.array([[0.9], [0.2], [0.6]])
    vector, column = (float(np.sum(getattr(metrics, name)()(y, scores))) for y in (labels, labels[:, None]))
    assert vector == column
    model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Identity()])
    model.compile(loss="mse", metrics=[getattr(metrics, name)(name="score")])
    assert np.sum(model.evaluate(scores, labels, verbose=0, return_dict=True)["score"]) == pytest.approx(column)


def test_a_metric_of_my_own():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.seen = self.add_weight(name="seen", initializer="zeros")
            self.inner = metrics.Mean(name="inner")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen.assign(jnp.maximum(self.seen.value, jnp.max(y_pred)))
            self.inner.update_state(y_pred)

        def result(self):
            return {"largest": self.seen.value, "mean": self.inner.result()}

    metric = Largest()
    assert [v.path for v in metric.variables] == ["largest/seen", "inner/total", "inner/count"]
    result = metric(np.zeros(2), np.array([3.0, 1.0]))
    assert {k: float(v) for k, v in result.items()} == {"largest": 3.0, "mean": 2.0}
    metric.reset_state()
    assert float(metric.result()["mean"]) == 0.0
    assert metric.get_config() == {"name": "largest", "dtype": "float32"}


def test_variables_in_containers_are_found():
    metric = metrics.Mean()
    metric.more = {"list": [cornu.Variable(1.0, name="extra")], "metric": metrics.Sum()}
    metric.inner = {metrics.Mean()}
    assert [v.name for v in metric.variables] == ["total", "count", "extra", "total", "total", "count"]


def test_stateless_use_under_jit():
    metric = metrics.AUC(num_thresholds=20)
    state = metric.stateless_reset_state()
    update = jax.jit(metric.stateless_update_state)
    for _ in range(2):
        state = update(state, jnp.asarray([0.0, 1.0]), jnp.asarray([0.2, 0.7]))
    assert float(metric.stateless_result(state)) == 1.0
    assert float(metric.true_positives.value.sum()) == 0.0
    with pytest.raises(ValueError, match="one array for each of the 4 variables"):
        metric.stateless_result(state[:2])


def test_stateless_use_before_the_variables_exist_is_refused():
    metric = metrics.F1Score()
    with pytest.raises(ValueError, match="creates its variables on first receiving data"):
        metric.stateless_update_state([], np.eye(2), np.eye(2))
    metric = metrics.F1Score(average="macro")
    metric.update_state(np.eye(2), np.eye(2))
    assert float(metric.stateless_result(metric.stateless_update_state(metric.variables, np.eye(2), np.eye(2)))) == 1.0


def test_variables_made_while_tracing_hold_real_values():
    metric = metrics.R2Score()
    cornu.core.symbolic.output_spec(metric.update_state, cornu.KerasTensor((None, 3)), cornu.KerasTensor((None, 3)))
    assert [v.shape for v in metric.variables] == [(), (3,), (3,), (3,), (3,)]
    assert float(metric(np.eye(3), np.eye(3))) == 1.0


RNG = np.random.default_rng(3)
CLASSES = [0, 1, 2, 3, 1, 2]
LABELS, SCORES = np.eye(4, dtype="float32")[CLASSES], RNG.random((6, 4)).astype("float32")
ARGUMENTS = {"num_classes": 4, "target_class_ids": [0, 1], "recall": 0.5, "precision": 0.5, "specificity": 0.5,
             "sensitivity": 0.5, "fn": cornu.losses.mean_squared_error}  # fmt: skip
EXTRA = [("AUC", {"multi_label": True, "curve": "PR"}), ("R2Score", {"class_aggregation": None}),
         ("F1Score", {"average": "micro"}), ("Precision", {"top_k": 2}),
         ("AUC", {"thresholds": [0.3, 0.31]})]  # fmt: skip


def data_for(name):
    """Labels and predictions that suit the metric."""
    if name.startswith("Sparse"):
        return np.array(CLASSES), SCORES
    if name in ("IoU", "MeanIoU"):
        return np.array(CLASSES), SCORES.argmax(-1)
    if name == "BinaryIoU":
        return LABELS[:, 0], SCORES[:, 0]
    return LABELS, SCORES


def made(name):
    parameters = inspect.signature(getattr(metrics, name)).parameters.values()
    given = {p.name: ARGUMENTS[p.name] for p in parameters if p.default is p.empty and p.name in ARGUMENTS}
    return getattr(metrics, name)(**given)


ALL = [n for n in metrics.__all__ if inspect.isclass(getattr(metrics, n)) and n != "Metric"]


@pytest.mark.parametrize("name, settings", [*((name, {}) for name in ALL), *EXTRA])
def test_rows_of_weight_zero_do_not_count(name, settings):
    """What training does with the last batch: rows are added, with weight zero."""
    full, filled = (getattr(metrics, name)(**settings) if settings else made(name) for _ in range(2))
    assert full.ignores_zero_weights
    rows = [0, 1, 2, 3, 0, 0]
    weights = np.array([1, 1, 1, 1, 0, 0], "float32")
    if name in ("Mean", "Sum"):
        full.update_state(SCORES[rows[:4]])
        filled.update_state(SCORES[rows], sample_weight=weights)
    else:
        y_true, y_pred = data_for(name)
        full.update_state(y_true[rows[:4]], y_pred[rows[:4]])
        filled.update_state(y_true[rows], y_pred[rows], sample_weight=weights)
    np.testing.assert_allclose(filled.result(), full.result(), rtol=1e-5)


def test_metrics_that_count_every_row_say_so():
    for metric in (
        metrics.R2Score(num_regressors=2),
        metrics.CosineSimilarity(axis=0),
        metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred),
        metrics.Metric(),
    ):
        assert not promises.kept(metric, "ignores_zero_weights")


def test_weights_of_rows_in_segmentation():
    y_true, y_pred = np.array([[0, 1], [1, 1]]), np.array([[0, 1], [0, 0]])
    overlap = metrics.MeanIoU(num_classes=2)
    overlap.update_state(y_true, y_pred, sample_weight=[1, 0])
    assert np.sum(overlap.total_cm) == 2  # the name that programs know
    assert float(metrics.MeanIoU(num_classes=2)(y_true, y_pred, sample_weight=[1, 0])) == 1.0


def test_fractional_weights_need_a_float_matrix():
    with pytest.raises(ValueError, match=r'IoU "\w+": .*dtype="float32"'):
        metrics.IoU(2, [0])([0, 1], [0, 1], sample_weight=[0.5, 0.5])
    metric = metrics.IoU(2, [0], dtype="float32")
    assert float(metric([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1])) == pytest.approx(1 / 3)


def test_large_class_numbers_are_told_apart():
    assert float(metrics.Accuracy()([[16777217]], [[16777216]])) == 0.0


def test_configs_round_trip():
    for metric in (
        metrics.AUC(thresholds=[0.5, 0.2], multi_label=True, label_weights=[1, 2], num_labels=2),
        metrics.Precision(thresholds=[0.2, 0.4], class_id=1),
        metrics.SparseTopKCategoricalAccuracy(k=3, from_sorted_ids=True),
        metrics.OneHotIoU(num_classes=3, target_class_ids=(1, 2)),
        metrics.MeanMetricWrapper(cornu.losses.huber, delta=2.0),
        metrics.MeanSquaredError(dtype="float16"),
    ):
        again = metrics.deserialize(metrics.serialize(metric))
        assert type(again) is type(metric) and again.get_config() == metric.get_config()


def test_a_subclass_that_writes_its_own_config():
    class Scaled(metrics.Mean):
        def __init__(self, factor, name="scaled"):
            super().__init__(name=name)
            self._factor = factor

        def get_config(self):
            return {"factor": self._factor, "name": self.name}

    assert Scaled.from_config(Scaled(3).get_config())._factor == 3


THREE = [[0.0, 1.0, 1.0]]
WRONG = [
    (lambda: metrics.AUC(curve="roc-pr"), r'AUC "auc\w*": curve must be "ROC" or "PR" or "PRGAIN"'),
    (lambda: metrics.AUC(summation_method="middle"), "summation_method must be"),
    (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be an integer of at least 2"),
    (lambda: metrics.AUC(thresholds=[-0.1]), "thresholds must be numbers from 0 to 1"),
    (lambda: metrics.AUC(multi_label=True, num_labels=3, label_weights=[1.0]), "one weight for each of the 3 labels"),
    (lambda: metrics.AUC(label_weights=[1.0, 2.0])(THREE, THREE), "one weight for each of the 3 labels"),
    (lambda: metrics.AUC(multi_label=True, label_weights=[1.0])(THREE, THREE), "one weight for each of the 3 labels"),
    (lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.2]), r"must have shape \(batch, labels\)"),
    (lambda: metrics.Precision(thresholds=[2.0]), "thresholds must be numbers from 0 to 1"),
    (lambda: metrics.F1Score(average="mean"), "average must be"),
    (lambda: metrics.FBetaScore(beta=-1.0), "beta must be a float greater than 0"),
    (lambda: metrics.R2Score(class_aggregation="mean"), "class_aggregation must be"),
    (lambda: metrics.R2Score(num_regressors=-1), "num_regressors must be"),
    (lambda: metrics.PrecisionAtRecall(recall=2), "recall must be from 0 to 1"),
    (lambda: metrics.IoU(2, [3]), "must be classes from 0 to 1"),
    (lambda: metrics.Mean()([1.0, 2.0], sample_weight=[[1.0, 2.0], [3.0, 4.0]]), "one number per sample"),
    (lambda: metrics.MeanSquaredError()([1.0, 2.0], [1.0, 3.0], [1.0, 2.0]), "only one value to weigh"),
    (lambda: metrics.get("acuracy"), "Unknown metric 'acuracy'.*accuracy"),
    (lambda: metrics.get(3), "Received: 3"),
]


@pytest.mark.parametrize(
    "curve, summation", [("ROC", "interpolation"), ("PR", "interpolation"), ("PRGAIN", "minoring")]
)
def test_an_area_depends_on_the_shares_of_weights_alone(curve, summation):
    labels, scores, weights = [0, 1, 1, 0, 1], [0.2, 0.3, 0.9, 0.6, 0.7], np.array([1.0, 2.0, 0.5, 1.5, 1.0])
    metric = metrics.AUC(10, curve=curve, summation_method=summation)
    areas = []
    for factor in (1, 0.01):
        metric.reset_state()
        areas.append(float(metric(labels, scores, factor * weights)))
    assert areas[0] != 0 and areas[1] == pytest.approx(areas[0], 1e-5)


@pytest.mark.parametrize("make, message", WRONG)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_counts_go_on_beyond_what_half_precision_can_count(dtype):
    y, ones = np.ones((3000, 1), "float32"), np.ones((3000, 1), "float32")
    for metric in (metrics.TruePositives(dtype=dtype), metrics.Recall(dtype=dtype), metrics.AUC(3, dtype=dtype)):
        metric.update_state(y, ones)
        metric.update_state(y[:1], ones[:1])
        first = metric.variables[0]
        assert first.dtype == "float32" and np.max(first.numpy()) == 3001


def test_iou_of_whole_numbers_keeps_its_threshold():
    assert metrics.BinaryIoU()([0, 1, 0, 1], np.array([0, 0, 0, 1])) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_the_f1_score_counts_shares_of_smoothed_labels():
    metric = metrics.F1Score()
    metric.update_state(np.array([[0.9, 0.1], [0.2, 0.8]], "float32"), np.array([[0.6, 0.4], [0.3, 0.7]], "float32"))
    np.testing.assert_allclose(metric.true_positives, [0.9, 0.8], rtol=1e-6)
    np.testing.assert_allclose(metric.false_negatives, [0.2, 0.1], rtol=1e-6)


def test_losses_and_metrics_of_outputs_without_names_are_called_as_they_were_given():
    class Two(cornu.Model):
        def call(self, x):
            return [x * 2.0, x * 3.0]

    model, x = Two(), np.ones((2, 1), "float32")
    model.compile("sgd", ["mse", cornu.losses.MeanAbsoluteError()], metrics=[["mae"], ["mae"]])
    logs = model.evaluate(x, [x, x], verbose=0, return_dict=True)
    assert logs == {"loss": 3.0, "mse_loss": 1.0, "mean_absolute_error_loss": 2.0, "mae": 1.0, "mae_1": 2.0}
    model.compile("sgd", ["mse", "MeanAbsoluteError"])  # a function by what it was called, a class by its own name
    assert list(model.evaluate(x, [x, x], verbose=0, return_dict=True)) == [
        "loss",
        "mse_loss",
        "mean_absolute_error_loss",
    ]


def test_one_metric_object_for_two_outputs_is_told_to_mix_them():
    x, one = cornu.Input((1,)), metrics.MeanAbsoluteError(name="off")
    model, rows = cornu.Model(x, {"a": x * 2.0, "b": x * 3.0}), np.ones((2, 1), "float32")
    model.compile("sgd", "mse", metrics={"a": one, "b": one})
    with pytest.warns(UserWarning, match=r"the values a_off, b_off come from one metric object, .*Create a metric"):
        logs = model.evaluate(rows, {"a": rows, "b": rows}, verbose=0, return_dict=True)
    assert logs["a_off"] == logs["b_off"] == 1.5
