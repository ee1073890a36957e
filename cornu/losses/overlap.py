"""Overlap losses for segmentation."""

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.losses.loss import LossFunctionWrapper, predictions_and_labels, rowwise


@rowwise
@op
def dice(y_true: Tensor, y_pred: Tensor, axis: int | tuple[int, ...] | None = None) -> jax.Array:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        y_true: labels from 0 to 1.
        y_pred: probabilities of the same shape.
        axis: the axes to sum over; None is all of them, for one number for the whole batch.

    Example:

        print(cornu.losses.dice([[1.0, 0.0]], [[1.0, 1.0]], axis=1))  # [0.3333]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    overlap = 2.0 * jnp.sum(y_true * y_pred, axis=axis)
    total = jnp.sum(y_true, axis=axis) + jnp.sum(y_pred, axis=axis)
    return 1.0 - overlap / (total + jnp.asarray(settings.epsilon(), y_pred.dtype))


@rowwise
@op
def tversky(
    y_true: Tensor, y_pred: Tensor, alpha: float = 0.5, beta: float = 0.5, axis: int | tuple[int, ...] | None = None
) -> jax.Array:
    """`1 - tp / (tp + alpha * fn + beta * fp)`, with true positives, false negatives and false positives; with `alpha =
    beta = 0.5` it is `dice`.

    Args:
        y_true: labels from 0 to 1.
        y_pred: probabilities of the same shape.
        alpha: weight of the false negatives, `sum(y_true * (1 - y_pred))`. Defaults to 0.5.
        beta: weight of the false positives, `sum((1 - y_true) * y_pred)`. Defaults to 0.5.
        axis: the axes to sum over; None is all of them, for one number for the whole batch.

    Example:

        print(cornu.losses.tversky([[1.0, 0.0]], [[1.0, 1.0]], axis=1))  # [0.3333]

    Paper: Salehi et al., "Tversky loss function for image segmentation", https://arxiv.org/abs/1706.05721.
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    hits = jnp.sum(y_true * y_pred, axis=axis)
    false_alarms = jnp.sum((1.0 - y_true) * y_pred, axis=axis)
    misses = jnp.sum(y_true * (1.0 - y_pred), axis=axis)
    total = hits + alpha * misses + beta * false_alarms
    return 1.0 - hits / (total + jnp.asarray(settings.epsilon(), y_pred.dtype))


class Dice(LossFunctionWrapper):
    """One minus the Dice coefficient: twice the overlap divided by the sum of both sets.

    Args:
        reduction: how the values are reduced, see `Loss`.
        name: name.
        axis: the axes to sum over; None is all of them, treating the whole batch as one set. `(1, 2, 3)` treats each
            image separately.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Dice(axis=1)
        print(loss([[1.0, 0.0]], [[1.0, 1.0]]))  # 0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: int | tuple[int, ...] | None = None,
        dtype: PolicyLike | None = None,
    ):
        super().__init__(dice, name=name, reduction=reduction, dtype=dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """One minus the Tversky index: the Dice coefficient with weights for false positives and false negatives.

    Args:
        alpha: weight of the false negatives. Defaults to 0.5.
        beta: weight of the false positives. Defaults to 0.5.
        reduction: how the values are reduced, see `Loss`.
        name: name.
        axis: the axes to sum over; None is all of them, treating the whole batch as one set.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Tversky(alpha=0.3, beta=0.7, axis=1)
        print(loss([[1.0, 0.0]], [[1.0, 1.0]]))  # 0.4118

    Paper: Salehi et al., "Tversky loss function for image segmentation", https://arxiv.org/abs/1706.05721.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: int | tuple[int, ...] | None = None,
        dtype: PolicyLike | None = None,
    ):
        super().__init__(tversky, name=name, reduction=reduction, dtype=dtype, alpha=alpha, beta=beta, axis=axis)
