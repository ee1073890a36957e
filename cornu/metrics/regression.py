"""Regression metrics: distances between predictions and targets, correlations, explained variance."""

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.core.typing import ArrayLike
from cornu.core.variable import Variable
from cornu.losses.loss import as_arrays, as_float, predictions_and_labels, rowwise, same_rank
from cornu.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    unit_vectors,
)
from cornu.metrics.metric import Metric
from cornu.metrics.reduction import Mean, MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """Mean of the squared errors.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.MeanSquaredError()
        print(metric([[0.0, 2.0]], [[1.0, 0.0]]))  # 2.5
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "mean_squared_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_squared_error, name=name, dtype=dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of the absolute errors.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.MeanAbsoluteError()
        print(metric([[0.0, 2.0]], [[1.0, 0.0]]))  # 1.5
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "mean_absolute_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_absolute_error, name=name, dtype=dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """Mean of the absolute errors as a percentage of the true values.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.MeanAbsolutePercentageError()
        print(metric([[2.0, 4.0]], [[1.0, 4.0]]))  # 25.0
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "mean_absolute_percentage_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_absolute_percentage_error, name=name, dtype=dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """Mean of the squared differences of `log(1 + y)`.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.MeanSquaredLogarithmicError()
        print(metric([[0.0]], [[np.e - 1]]))  # 1.0
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_squared_logarithmic_error, name=name, dtype=dtype)


class LogCoshError(MeanMetricWrapper):
    """Mean of the logarithm of the hyperbolic cosine of the errors.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.LogCoshError()
        print(metric([[0.0]], [[1.0]]))  # 0.43378
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "logcosh",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(log_cosh, name=name, dtype=dtype)


class RootMeanSquaredError(Mean):
    """Square root of the mean of the squared errors of all samples so far.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.RootMeanSquaredError()
        print(metric([[0.0], [2.0]], [[3.0], [6.0]]))  # 3.5355
    """

    ignores_zero_weights = True
    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: PolicyLike | None = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Add a batch.

        Args:
            y_true, y_pred: arrays of the same shape.
            sample_weight: `(batch,)`, or with more axes of that shape.
        """
        y_true, y_pred = predictions_and_labels(*(as_arrays(y, self.dtype) for y in (y_true, y_pred)))
        super().update_state(jnp.square(y_true - y_pred), sample_weight)

    def result(self) -> jax.Array:
        """The root of the mean."""
        return jnp.sqrt(super().result())


@rowwise
@op
def cosine_similarity(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Cosine of the angle between `y_true` and `y_pred` along `axis`: 1 for equal directions, -1 for opposite ones.

    Args:
        y_true, y_pred: arrays of the same shape; the result has one axis fewer.
        axis: the axis of the vectors.
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.sum(unit_vectors(y_true, axis) * unit_vectors(y_pred, axis), axis=axis)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between true and predicted vectors: 1 is a perfect match.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        axis: the axis of the vectors. Defaults to -1.

    Example:

        metric = cornu.metrics.CosineSimilarity()
        print(metric([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]))  # 0.5
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "cosine_similarity",
        dtype: PolicyLike | None = None,
        axis: int = -1,
    ):
        super().__init__(cosine_similarity, name=name, dtype=dtype, axis=axis)


@rowwise
@op
def pearson_correlation(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Pearson's correlation along `axis`, from -1 to 1; NaN if either side is constant.

    Args:
        y_true, y_pred: arrays of the same shape; the result has one axis fewer.
        axis: the axis of the samples to correlate. Defaults to -1.

    Example:

        print(cornu.metrics.pearson_correlation([[0.0, 1.0, 2.0]], [[1.0, 2.0, 4.0]]))  # [0.982]
    """
    y_true, y_pred = _centred_pair(y_true, y_pred, axis)
    spread = jnp.sqrt(jnp.mean(jnp.square(y_true), axis=axis) * jnp.mean(jnp.square(y_pred), axis=axis))
    return jnp.mean(y_true * y_pred, axis=axis) / spread


@rowwise
@op
def concordance_correlation(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Lin's concordance: Pearson's correlation reduced if means or scales differ; 1 is perfect agreement.

    Args:
        y_true, y_pred: arrays of the same shape; the result has one axis fewer.
        axis: the axis of the samples to compare. Defaults to -1.

    Example:

        print(cornu.metrics.concordance_correlation([[0.0, 1.0, 2.0]], [[1.0, 2.0, 4.0]]))  # [0.5]

    Paper: Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    _same_shape(y_true, y_pred, "concordance_correlation")
    gap = jnp.square(jnp.mean(y_true, axis=axis) - jnp.mean(y_pred, axis=axis))
    true_centred, pred_centred = _centred(y_true, axis), _centred(y_pred, axis)
    variances = jnp.mean(jnp.square(true_centred), axis=axis) + jnp.mean(jnp.square(pred_centred), axis=axis)
    covariance = jnp.mean(true_centred * pred_centred, axis=axis)
    return 2.0 * covariance / (variances + gap + jnp.asarray(1e-7, y_pred.dtype))


def _centred(x: jax.Array, axis: int) -> jax.Array:
    return x - jnp.mean(x, axis=axis, keepdims=True)


def _centred_pair(y_true: Tensor, y_pred: Tensor, axis: int) -> tuple[jax.Array, jax.Array]:
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    _same_shape(y_true, y_pred, "pearson_correlation")
    return _centred(y_true, axis), _centred(y_pred, axis)


def _same_shape(y_true: jax.Array, y_pred: jax.Array, name: str) -> None:
    if y_true.ndim != y_pred.ndim or any(a != b for a, b in zip(y_true.shape, y_pred.shape, strict=True)):
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )


class PearsonCorrelation(MeanMetricWrapper):
    """Mean over samples of Pearson's correlation along `axis`.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        axis: the axis to correlate. Defaults to -1.

    Example:

        metric = cornu.metrics.PearsonCorrelation()
        print(metric([[0.0, 1.0, 2.0]], [[1.0, 2.0, 4.0]]))  # 0.982
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "pearson_correlation",
        dtype: PolicyLike | None = None,
        axis: int = -1,
    ):
        super().__init__(pearson_correlation, name=name, dtype=dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean over samples of Lin's concordance along `axis`.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        axis: the axis to compare. Defaults to -1.

    Example:

        metric = cornu.metrics.ConcordanceCorrelation()
        print(metric([[0.0, 1.0, 2.0]], [[1.0, 2.0, 4.0]]))  # 0.5
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "concordance_correlation",
        dtype: PolicyLike | None = None,
        axis: int = -1,
    ):
        super().__init__(concordance_correlation, name=name, dtype=dtype, axis=axis)


class R2Score(Metric):
    """Coefficient of determination: one minus the squared errors divided by the squared deviations from the mean.

    Args:
        class_aggregation: `"uniform_average"` of the outputs, `"variance_weighted_average"`, or None for one score per
            output. Defaults to `"uniform_average"`.
        num_regressors: number of input features, for the adjusted score; 0 gives the plain score. Defaults to 0.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.R2Score()
        metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        print(metric.result())  # 0.5714
    """

    _direction = "up"

    squared_sum: Variable  # these four exist from the first batch on
    sum: Variable
    residual: Variable
    count: Variable

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.class_aggregation = validate.one_of(
            class_aggregation, (None, "uniform_average", "variance_weighted_average"), "class_aggregation", self
        )
        self.num_regressors = validate.non_negative_int(num_regressors, "num_regressors", self)
        self.num_samples = self.add_variable((), "zeros", self.count_dtype, name="num_samples")
        self._built = False

    @property
    def ignores_zero_weights(self) -> bool:  # type: ignore[override]
        """Whether rows of weight 0 do not affect the result; the adjusted score counts every row."""
        return self.num_regressors == 0

    def _build(self, outputs: int) -> None:
        for name in ("squared_sum", "sum", "residual", "count"):
            setattr(self, name, self.add_variable((outputs,), "zeros", self.count_dtype, name=name))
        self._built = True

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: arrays `(batch, outputs)`; labels of a single output may be `(batch,)`.
            sample_weight: `(batch,)`, `(batch, 1)` or `(batch, outputs)`.
        """
        y_true, y_pred = as_tables(y_true, y_pred, self.count_dtype, self)
        if not self._built:
            self._build(y_pred.shape[1])
        weights = row_weights(sample_weight, self.count_dtype)
        weighted = y_true * weights
        self.sum.assign(self.sum + jnp.sum(weighted, axis=0))
        self.squared_sum.assign(self.squared_sum + jnp.sum(y_true * weighted, axis=0))
        self.residual.assign(self.residual + jnp.sum(jnp.square(y_true - y_pred) * weights, axis=0))
        self.count.assign(self.count + jnp.sum(jnp.broadcast_to(weights, y_true.shape), axis=0))
        self.num_samples.assign(self.num_samples + jnp.asarray(y_true.size, self.count_dtype))

    def result(self) -> jax.Array:
        """The score."""
        if not self._built:
            return jnp.zeros((), self.count_dtype)
        mean = self.sum / self.count.value
        total = self.squared_sum - self.sum * mean
        score = 1.0 - self.residual / total
        score = jnp.where(jnp.isinf(score), jnp.zeros_like(score), score)
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        if self.class_aggregation == "variance_weighted_average":
            score = jnp.sum(score * total) / jnp.sum(total)
        return self._adjusted(score) if self.num_regressors else score

    def _adjusted(self, score: jax.Array) -> jax.Array:
        """The score adjusted for the number of features; unchanged if there are too few samples for that."""
        samples = self.num_samples.value
        freedom = samples - self.num_regressors - 1.0
        adjusted = 1.0 - (1.0 - score) * (samples - 1.0) / jnp.where(freedom > 0, freedom, 1.0)
        return jnp.where(freedom > 0, adjusted, score)


def as_tables(y_true: Tensor, y_pred: Tensor, dtype: str, owner: object) -> tuple[jax.Array, jax.Array]:
    """Labels and predictions, both `(batch, outputs)`; the labels of a single output may be a vector."""
    y_true, y_pred = same_rank(*(as_arrays(y, dtype) for y in (y_true, y_pred)))
    if y_true.ndim != 2 or y_pred.ndim != 2 or any(a != b for a, b in zip(y_true.shape, y_pred.shape, strict=True)):
        raise ValueError(
            f"{validate.describe(owner)}: y_true and y_pred must both have shape (batch, outputs). "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )
    return y_true, y_pred


def row_weights(sample_weight: object, dtype: str) -> jax.Array:
    """Weights that broadcast to `(batch, outputs)`: a vector becomes a column."""
    if sample_weight is None:
        return jnp.ones((1, 1), dtype)
    weights = as_float(as_arrays(sample_weight, dtype))
    return weights[:, None] if weights.ndim == 1 else weights
