"""The F-score: precision and recall in one number."""

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.policy import PolicyLike
from cornu.core.typing import ArrayLike, Tensor
from cornu.losses.loss import divide_no_nan
from cornu.metrics.metric import Metric
from cornu.metrics.regression import as_tables, row_weights

_AVERAGES = (None, "micro", "macro", "weighted")
_COUNTS = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """`(1 + b²) * precision * recall / (b² * precision + recall)` for each class.

    Args:
        average: None (one score per class), `"micro"` (all classes counted together), `"macro"` (mean of the scores) or
            `"weighted"` (mean weighted by the number of true samples).
        beta: `b`, above 0: weight of recall relative to precision. Defaults to 1.0.
        threshold: predictions above it are positive; None uses the largest prediction of each row.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.FBetaScore(average="macro", beta=2.0, threshold=0.5)
        metric.update_state([[1.0, 0.0], [1.0, 1.0]], [[0.7, 0.2], [0.3, 0.9]])
        print(metric.result())  # 0.7778
    """

    _direction = "up"
    ignores_zero_weights = True

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.average = validate.one_of(average, _AVERAGES, "average", self)
        self.beta = _positive_float(beta, "beta", self)
        self.threshold = None if threshold is None else _positive_float(threshold, "threshold", self, largest=1.0)
        self._built = False

    def _build(self, classes: int) -> None:
        shape = () if self.average == "micro" else (classes,)
        for name in _COUNTS:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self._built = True

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: labels, 0 and 1 or fractions, and scores, `(batch, classes)`; labels of a single class may
                be `(batch,)`.
            sample_weight: `(batch,)`, `(batch, 1)` or `(batch, classes)`.
        """
        y_true, y_pred = as_tables(y_true, y_pred, self.dtype, self)
        if not self._built:
            self._build(y_pred.shape[1])
        chosen = self._positives(y_pred).astype(self.dtype)
        weights = row_weights(sample_weight, self.dtype)
        axis = None if self.average == "micro" else 0
        for name, hits in (
            ("true_positives", chosen * y_true),
            ("false_positives", chosen * (1.0 - y_true)),
            ("false_negatives", (1.0 - chosen) * y_true),
            ("intermediate_weights", y_true),
        ):
            variable = getattr(self, name)
            variable.assign(variable + jnp.sum(hits * weights, axis=axis))

    def _positives(self, y_pred: jax.Array) -> jax.Array:
        if self.threshold is not None:
            return y_pred > self.threshold
        largest = jnp.max(y_pred, axis=-1, keepdims=True)
        return (y_pred >= largest) & (jnp.abs(y_pred) > 1e-9)

    def result(self) -> jax.Array:
        """The score, or one per class."""
        if not self._built:
            return jnp.zeros((), self.dtype)
        hits, alarms, misses, members = (getattr(self, name).value for name in _COUNTS)
        precision, recall = divide_no_nan(hits, hits + alarms), divide_no_nan(hits, hits + misses)
        square = self.beta**2
        score = (1.0 + square) * divide_no_nan(precision * recall, precision * square + recall)
        if self.average == "weighted":
            return jnp.sum(score * divide_no_nan(members, jnp.sum(members)))
        return score if self.average is None else jnp.mean(score)


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall for each class: `FBetaScore` with `beta=1`.

    Args:
        average: None (one score per class), `"micro"` (all classes counted together), `"macro"` (mean of the scores) or
            `"weighted"` (mean weighted by the number of true samples).
        threshold: predictions above it are positive; None uses the largest prediction of each row.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.F1Score(average="micro", threshold=0.5)
        metric.update_state([[1.0, 0.0], [1.0, 1.0]], [[0.7, 0.2], [0.3, 0.9]])
        print(metric.result())  # 0.8
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)


def _positive_float(value: object, name: str, owner: object, largest: float = float("inf")) -> float:
    if not isinstance(value, float) or not 0 < value <= largest:
        limit = "" if largest == float("inf") else f" and at most {largest}"
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be a float greater than 0{limit}. "
            f"Received: {name}={validate.shown(value)}."
        )
    return value
