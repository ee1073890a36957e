"""Accuracy metrics: how often predictions are right."""

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.losses.loss import as_float, rowwise, same_rank
from cornu.metrics.reduction import MeanMetricWrapper


@rowwise
@op
def accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where `y_pred` equals `y_true`, else 0, elementwise.

    Args:
        y_true, y_pred: arrays of the same shape, which is that of the result.
    """
    y_true, y_pred = same_rank(jnp.asarray(y_true), jnp.asarray(y_pred))
    return _right(y_true == y_pred)


@rowwise
@op
def binary_accuracy(y_true: Tensor, y_pred: Tensor, threshold: float = 0.5) -> jax.Array:
    """1 where `y_pred > threshold` agrees with the label, else 0, elementwise.

    Args:
        y_true: labels 0 and 1.
        y_pred: probabilities of the same shape.
        threshold: predictions above it are 1. Defaults to 0.5.

    Example:

        print(cornu.metrics.binary_accuracy([[1.0], [0.0]], [[0.6], [0.7]]))
    """
    y_true, y_pred = same_rank(jnp.asarray(y_true), as_float(y_pred))
    return _right(y_true == (y_pred > threshold).astype(y_true.dtype))


@rowwise
@op
def categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where the most likely class is the labeled one, else 0.

    Args:
        y_true: one-hot labels `(..., classes)`.
        y_pred: scores of the same shape; the result has shape `(...)`.

    Example:

        print(cornu.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]))  # [1. 0.]
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim != y_pred.ndim or y_true.shape[-1] != y_pred.shape[-1]:
        raise ValueError(
            "categorical_accuracy: y_true must be one-hot, of the shape of y_pred. For integer labels, use "
            f"sparse_categorical_accuracy. Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )
    return _right(jnp.argmax(y_true, axis=-1) == jnp.argmax(y_pred, axis=-1))


@rowwise
@op
def sparse_categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """1 where the most likely class is the labeled one, else 0, for integer labels.

    Args:
        y_true: integer labels `(...)` or `(..., 1)`.
        y_pred: scores `(..., classes)`; the result has shape `(...)`.

    Example:

        print(cornu.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]]))  # [1. 0.]
    """
    y_pred = jnp.asarray(y_pred)
    labels = _integer_labels(y_true, y_pred, "sparse_categorical_accuracy")
    return _right(labels == jnp.argmax(y_pred, axis=-1).astype(labels.dtype))


@rowwise
@op
def top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> jax.Array:
    """1 where the labeled class is among the `k` most likely ones, else 0.

    Args:
        y_true: one-hot labels `(..., classes)`.
        y_pred: scores of the same shape; the result has shape `(...)`.
        k: number of top classes to consider. Defaults to 5.

    Example:

        print(cornu.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.1, 0.6, 0.3]], k=2))  # [1.]
    """
    y_pred = as_float(y_pred)
    return _right(_in_top_k(jnp.argmax(jnp.asarray(y_true), axis=-1), y_pred, k))


@rowwise
@op
def sparse_top_k_categorical_accuracy(
    y_true: Tensor, y_pred: Tensor, k: int = 5, from_sorted_ids: bool = False
) -> jax.Array:
    """1 where the labeled class is among the `k` most likely ones, else 0, for integer labels.

    Args:
        y_true: integer labels `(...)` or `(..., 1)`.
        y_pred: scores `(..., classes)`, or with `from_sorted_ids` the class indices, most likely first.
        k: number of top classes to consider. Defaults to 5.
        from_sorted_ids: whether `y_pred` contains sorted class indices instead of scores.

    Example:

        print(cornu.metrics.sparse_top_k_categorical_accuracy([2], [[0.1, 0.6, 0.3]], k=2))  # [1.]
    """
    y_pred = jnp.asarray(y_pred)
    labels = jnp.asarray(y_true).astype("int32")
    column = labels.ndim == y_pred.ndim and labels.shape[-1] == 1
    labels = _integer_labels(labels, y_pred, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        found = jnp.any(labels[..., None] == y_pred[..., :k].astype("int32"), axis=-1)
    else:
        found = _in_top_k(labels, as_float(y_pred), k)
    return _right(found[..., None] if column else found)


def _right(agrees: jax.Array) -> jax.Array:
    return agrees.astype(settings.floatx())


def _integer_labels(y_true: jax.Array, y_pred: jax.Array, name: str) -> jax.Array:
    """Labels of the shape of `y_pred` without the class axis."""
    labels = jnp.asarray(y_true)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.ndim != y_pred.ndim - 1:
        raise ValueError(
            f"{name}: y_true must be integer labels, of the shape of y_pred without the class axis. For one-hot "
            "labels, "
            f"use the variant without sparse_. Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )
    return labels


def _in_top_k(labels: jax.Array, scores: jax.Array, k: int) -> jax.Array:
    """Whether fewer than `k` classes score above the labeled one; ties count as correct, labels out of range never
    do."""
    labels = labels.astype("int32")
    numbers = jax.lax.broadcasted_iota("int32", scores.shape, scores.ndim - 1)
    own = jnp.sum(jnp.where(numbers == labels[..., None], scores, jnp.zeros((), scores.dtype)), axis=-1, keepdims=True)
    above = jnp.sum(scores > own, axis=-1)
    in_range = (labels >= 0) & (labels < scores.shape[-1])
    return (above < k) & in_range & jnp.isfinite(own[..., 0])


class Accuracy(MeanMetricWrapper):
    """How often predictions equal labels.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Accuracy()
        print(metric([[1], [2], [3], [4]], [[0], [2], [3], [4]]))  # 0.75
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "accuracy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(accuracy, name=name, dtype=dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often thresholded probabilities agree with labels 0 and 1.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        threshold: predictions above it are 1. Defaults to 0.5.

    Example:

        metric = cornu.metrics.BinaryAccuracy()
        print(metric([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]]))  # 0.75
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: PolicyLike | None = None,
        threshold: float = 0.5,
    ):
        super().__init__(binary_accuracy, name=name, dtype=dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the most likely class is the labeled one, for one-hot labels.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.CategoricalAccuracy()
        print(metric([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]))  # 0.5
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "categorical_accuracy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the most likely class is the labeled one, for integer labels.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.SparseCategoricalAccuracy()
        print(metric([1, 0], [[0.1, 0.9], [0.2, 0.8]]))  # 0.5
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "sparse_categorical_accuracy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(sparse_categorical_accuracy, name=name, dtype=dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the labeled class is among the `k` most likely ones, for one-hot labels.

    Args:
        k: number of top classes to consider. Defaults to 5.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.TopKCategoricalAccuracy(k=2)
        print(metric([[0, 0, 1]], [[0.1, 0.6, 0.3]]))  # 1.0
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "top_k_categorical_accuracy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(top_k_categorical_accuracy, name=name, dtype=dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the labeled class is among the `k` most likely ones, for integer labels.

    Args:
        k: number of top classes to consider. Defaults to 5.
        name: name.
        dtype: dtype of the variables; None is floatx.
        from_sorted_ids: whether predictions are class indices, most likely first, instead of scores. Defaults to False.

    Example:

        metric = cornu.metrics.SparseTopKCategoricalAccuracy(k=2)
        print(metric([2], [[0.1, 0.6, 0.3]]))  # 1.0
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: PolicyLike | None = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(
            sparse_top_k_categorical_accuracy, name=name, dtype=dtype, k=k, from_sorted_ids=from_sorted_ids
        )
