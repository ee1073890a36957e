"""Regression losses: distances between predictions and targets, averaged over the last axis."""

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.kernels import norm
from cornu.losses.loss import LossFunctionWrapper, predictions_and_labels, rowwise


@rowwise
@op
def mean_squared_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `(y_true - y_pred)²` over the last axis.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 0.0]]))  # [2.5]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@rowwise
@op
def mean_absolute_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `|y_true - y_pred|` over the last axis.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.mean_absolute_error([[0.0, 2.0]], [[1.0, 0.0]]))  # [1.5]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@rowwise
@op
def mean_absolute_percentage_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """`100 * mean(|y_true - y_pred| / |y_true|)` over the last axis, with `|y_true|` clipped from below.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]))  # [25.]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    error = jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), _epsilon(y_pred)))
    return 100.0 * jnp.mean(error, axis=-1)


@rowwise
@op
def mean_squared_logarithmic_error(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `(log(1 + y_true) - log(1 + y_pred))²` over the last axis; values are clipped from below near 0.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.mean_squared_logarithmic_error([[0.0]], [[np.e - 1]]))  # [1.]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    first, second = (jnp.log(jnp.maximum(y, _epsilon(y)) + 1.0) for y in (y_pred, y_true))
    return jnp.mean(jnp.square(first - second), axis=-1)


@rowwise
@op
def log_cosh(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `log(cosh(y_pred - y_true))` over the last axis: `x²/2` for small errors, `|x| - log 2` for large ones.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.log_cosh([[0.0]], [[1.0]]))  # [0.43378]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    error = y_pred - y_true
    log_2 = jnp.asarray(jnp.log(2.0), error.dtype)
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - log_2, axis=-1)


@rowwise
@op
def huber(y_true: Tensor, y_pred: Tensor, delta: float = 1.0) -> jax.Array:
    """Mean of `x²/2` where `|x| <= delta`, else `delta * |x| - delta²/2`, for errors `x`, over the last axis.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.
        delta: the error at which the loss changes from quadratic to linear. Defaults to 1.0.

    Example:

        print(cornu.losses.huber([[0.0, 0.0]], [[1.0, 3.0]]))  # [1.5]

    Paper: Huber, "Robust estimation of a location parameter", 1964.
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    bound = jnp.asarray(delta, y_pred.dtype)
    error = y_pred - y_true
    size = jnp.abs(error)
    values = jnp.where(size <= bound, 0.5 * jnp.square(error), bound * size - 0.5 * jnp.square(bound))
    return jnp.mean(values, axis=-1)


@rowwise
@op
def cosine_similarity(y_true: Tensor, y_pred: Tensor, axis: int = -1) -> jax.Array:
    """Minus the cosine of the angle between `y_true` and `y_pred`: -1 for equal directions, 1 for opposite ones.

    Args:
        y_true, y_pred: arrays of the same shape; the result has one axis fewer.
        axis: the axis of the vectors. A vector of zeros gives 0. Defaults to -1.

    Example:

        print(cornu.losses.cosine_similarity([[0.0, 1.0]], [[0.0, 3.0]]))  # [-1.]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return -jnp.sum(unit_vectors(y_true, axis) * unit_vectors(y_pred, axis), axis=axis)


def unit_vectors(x: jax.Array, axis: int) -> jax.Array:
    """`x` divided by its Euclidean norm along `axis`, with a finite gradient for a zero vector."""
    return norm.unit_normalize(x, (axis,), settings.epsilon())


def _epsilon(like: jax.Array) -> jax.Array:
    return jnp.asarray(settings.epsilon(), like.dtype)


class MeanSquaredError(LossFunctionWrapper):
    """Mean of the squared errors, `(y_true - y_pred)²`.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.MeanSquaredError()
        print(loss([[0.0, 2.0]], [[1.0, 0.0]]))  # 2.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_squared_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """Mean of the absolute errors, `|y_true - y_pred|`.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.MeanAbsoluteError()
        print(loss([[0.0, 2.0]], [[1.0, 0.0]]))  # 1.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_absolute_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """Mean of the absolute errors as a percentage of the true values.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.MeanAbsolutePercentageError()
        print(loss([[2.0, 4.0]], [[1.0, 4.0]]))  # 25.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_absolute_percentage_error, name=name, reduction=reduction, dtype=dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """Mean of the squared differences of `log(1 + y)`.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.MeanSquaredLogarithmicError()
        print(loss([[0.0]], [[np.e - 1]]))  # 1.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(mean_squared_logarithmic_error, name=name, reduction=reduction, dtype=dtype)


class LogCosh(LossFunctionWrapper):
    """Mean of the logarithm of the hyperbolic cosine of the errors.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.LogCosh()
        print(loss([[0.0]], [[1.0]]))  # 0.43378
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(log_cosh, name=name, reduction=reduction, dtype=dtype)


class Huber(LossFunctionWrapper):
    """Quadratic for errors up to `delta`, linear beyond, so that outliers have less influence.

    Args:
        delta: the error at which the loss changes from quadratic to linear. Defaults to 1.0.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Huber(delta=1.0)
        print(loss([[0.0, 0.0]], [[1.0, 3.0]]))  # 1.5

    Paper: Huber, "Robust estimation of a location parameter", 1964.
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(huber, name=name, reduction=reduction, dtype=dtype, delta=delta)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between true and predicted vectors: -1 is a perfect match.

    Args:
        axis: the axis of the vectors. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CosineSimilarity()
        print(loss([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]))  # -0.5
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(cosine_similarity, name=name, reduction=reduction, dtype=dtype, axis=axis)
