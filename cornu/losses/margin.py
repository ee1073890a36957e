"""Margin losses: zero once the right side is ahead by 1. Binary labels are -1 and 1, or 0 and 1."""

import jax
import jax.numpy as jnp

from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.losses.loss import LossFunctionWrapper, predictions_and_labels, rowwise


def _signs(y_true: jax.Array) -> jax.Array:
    """Labels 0 and 1 converted to -1 and 1; other labels, already -1 and 1, unchanged."""
    zero_one = jnp.all((y_true == 0) | (y_true == 1))
    return jnp.where(zero_one, 2.0 * y_true - 1.0, y_true)


@rowwise
@op
def hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `max(1 - y_true * y_pred, 0)` over the last axis.

    Args:
        y_true: labels -1 and 1; labels 0 and 1 are converted to these.
        y_pred: scores of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.hinge([[1.0, -1.0]], [[0.5, -2.0]]))  # [0.25]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.mean(jnp.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


@rowwise
@op
def squared_hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `max(1 - y_true * y_pred, 0)²` over the last axis.

    Args:
        y_true: labels -1 and 1; labels 0 and 1 are converted to these.
        y_pred: scores of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.squared_hinge([[1.0, -1.0]], [[0.5, -2.0]]))  # [0.125]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


@rowwise
@op
def categorical_hinge(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """`max(1 + neg - pos, 0)`: `pos` is the score of the true class, `neg` the highest score of the others.

    Args:
        y_true: one-hot labels `(..., classes)`.
        y_pred: scores of the same shape; the result has shape `(...)`.

    Example:

        print(cornu.losses.categorical_hinge([[0, 1]], [[0.6, 0.4]]))  # [1.2]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    right = jnp.sum(y_true * y_pred, axis=-1)
    best_wrong = jnp.max((1.0 - y_true) * y_pred, axis=-1)
    return jnp.maximum(best_wrong - right + 1.0, jnp.zeros((), y_pred.dtype))


class Hinge(LossFunctionWrapper):
    """Mean of `max(1 - y_true * y_pred, 0)`, for labels -1 and 1 (or 0 and 1).

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Hinge()
        print(loss([[1.0, -1.0]], [[0.5, -2.0]]))  # 0.25
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(hinge, name=name, reduction=reduction, dtype=dtype)


class SquaredHinge(LossFunctionWrapper):
    """Mean of `max(1 - y_true * y_pred, 0)²`, for labels -1 and 1 (or 0 and 1).

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.SquaredHinge()
        print(loss([[1.0, -1.0]], [[0.5, -2.0]]))  # 0.125
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(squared_hinge, name=name, reduction=reduction, dtype=dtype)


class CategoricalHinge(LossFunctionWrapper):
    """`max(1 + neg - pos, 0)`: penalizes wrong classes that score within a margin of 1 of the right one.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CategoricalHinge()
        print(loss([[0, 1]], [[0.6, 0.4]]))  # 1.2
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(categorical_hinge, name=name, reduction=reduction, dtype=dtype)
