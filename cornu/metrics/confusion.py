"""Confusion metrics: true and false positives and negatives at one or many thresholds, and what follows from them.

A prediction is positive at a threshold if it exceeds it. All metrics here fill vectors with one count per threshold. If
the thresholds are evenly spaced from 0 to 1, predictions are assigned to buckets and the counts are cumulative sums
over the buckets: the cost is not proportional to thresholds times predictions.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate
from cornu.core.policy import PolicyLike
from cornu.core.typing import AnyFunction, ArrayLike, ConfigDict, Tensor
from cornu.losses.loss import as_arrays, divide_no_nan, same_rank
from cornu.metrics.metric import Metric

COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


_MOST_THRESHOLDS = 1_000_000  # limits what a file can request


def threshold_list(thresholds: Tensor, owner: object, default: float = 0.5) -> list[float]:
    """One threshold or several, checked, as a list."""
    if thresholds is None:
        return [default]
    values = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    if not values or any(value is None or not 0 <= value <= 1 for value in values):
        raise ValueError(
            f"{validate.describe(owner)}: thresholds must be numbers from 0 to 1. "
            f"Received: thresholds={validate.shown(thresholds)}."
        )
    return values


def even_thresholds(count: int, margin: float = 0.0) -> list[float]:
    """`count` thresholds evenly spaced from `-margin` to `1 + margin`, the inner ones between 0 and 1."""
    if count > _MOST_THRESHOLDS:
        raise ValueError(f"num_thresholds must be at most {_MOST_THRESHOLDS}. Received: num_thresholds={count}.")
    return [0.0 - margin, *((i + 1) / (count - 1) for i in range(count - 2)), 1.0 + margin]


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether thresholds are evenly spaced from 0 to 1, up to a small margin at both ends."""
    if len(thresholds) < 3:
        return False
    expected = np.linspace(0.0, 1.0, len(thresholds))
    return bool(np.allclose(thresholds, expected, atol=2 * settings.epsilon(), rtol=0.0))


def count_outcomes(
    y_true: Tensor,
    y_pred: Tensor,
    thresholds: Sequence[float],
    *,
    dtype: str,
    sample_weight: ArrayLike | None = None,
    class_id: int | None = None,
    top_k: int | None = None,
    multi_label: bool = False,
    label_weights: Sequence[float] | jax.Array | None = None,
    even: bool = False,
) -> dict[str, jax.Array]:
    """The four weighted counts at each threshold.

    Args:
        y_true, y_pred: labels (0, anything else is 1) and probabilities of the same shape `(batch, ..., classes)`.
        thresholds: numbers.
        dtype: dtype of the counts.
        sample_weight: one number per row, or per element, of the shape or its leading axes.
        class_id: count only this class.
        top_k: only the `top_k` largest predictions of a row can be positive.
        multi_label: count each class separately: the counts have shape `(thresholds, classes)`.
        label_weights: one weight per class.
        even: whether the thresholds are evenly spaced from 0 to 1.
    """
    y_true, y_pred = same_rank(as_arrays(y_true, dtype), as_arrays(y_pred, dtype))
    _check_shapes(y_true, y_pred)
    if top_k is not None:
        y_pred = _only_top_k(y_pred, top_k)
    weights = _weights_of_elements(sample_weight, label_weights, y_pred, dtype)
    if class_id is not None:
        _check_class(class_id, y_pred)
        y_true, y_pred, weights = (x[..., class_id] for x in (y_true, y_pred, weights))
    columns = (-1, y_pred.shape[-1]) if multi_label else (-1, 1)
    y_true, y_pred, weights = (x.reshape(columns) for x in (y_true, y_pred, weights))  # (elements, columns)
    labels = (y_true != 0).astype(dtype)
    count = _count_by_bucket if even else _count_by_comparison
    positives = count(y_pred, labels * weights, thresholds)  # (thresholds, columns)
    alarms = count(y_pred, (1.0 - labels) * weights, thresholds)
    counts = {
        "true_positives": positives,
        "false_positives": alarms,
        "true_negatives": jnp.sum((1.0 - labels) * weights, axis=0, keepdims=True) - alarms,
        "false_negatives": jnp.sum(labels * weights, axis=0, keepdims=True) - positives,
    }
    return counts if multi_label else {name: values[:, 0] for name, values in counts.items()}


def _check_shapes(y_true: jax.Array, y_pred: jax.Array) -> None:
    if y_true.ndim != y_pred.ndim or any(a != b for a, b in zip(y_true.shape, y_pred.shape, strict=True)):
        raise ValueError(
            "y_true and y_pred must have the same shape (one-hot encode integer labels first). "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )


def _check_class(class_id: int, y_pred: jax.Array) -> None:
    if y_pred.ndim < 2 or not 0 <= class_id < y_pred.shape[-1]:
        raise ValueError(
            f"class_id={class_id} must be an index into the last axis of (batch, ..., classes). "
            f"Received: y_pred.shape={y_pred.shape}."
        )


def _only_top_k(y_pred: jax.Array, k: int) -> jax.Array:
    """The `k` largest predictions of each row, with all others below every threshold."""
    _, best = jax.lax.top_k(y_pred, k)
    kept = jnp.any(jax.nn.one_hot(best, y_pred.shape[-1], dtype=bool), axis=-2)
    return jnp.where(kept, y_pred, jnp.asarray(-1e10, y_pred.dtype))


def _weights_of_elements(sample_weight: object, label_weights: object, like: jax.Array, dtype: str) -> jax.Array:
    weights = jnp.ones((), dtype) if sample_weight is None else as_arrays(sample_weight, dtype)
    weights, _ = same_rank(weights, like) if weights.ndim > like.ndim else (weights, like)
    if 0 < weights.ndim < like.ndim:
        weights = weights.reshape(weights.shape + (1,) * (like.ndim - weights.ndim))
    weights = jnp.broadcast_to(weights, like.shape)
    if label_weights is None:
        return weights
    return weights * jnp.broadcast_to(jnp.asarray(label_weights, dtype), like.shape)


def _count_by_comparison(y_pred: jax.Array, weights: jax.Array, thresholds: Sequence[float]) -> jax.Array:
    levels = jnp.asarray(np.asarray(thresholds), y_pred.dtype)[:, None, None]
    return jnp.sum(jnp.where(y_pred[None] > levels, weights[None], jnp.zeros((), weights.dtype)), axis=1)


def _count_by_bucket(y_pred: jax.Array, weights: jax.Array, thresholds: Sequence[float]) -> jax.Array:
    """Counts by bucket: bucket i contains the predictions above threshold i but not above threshold i + 1."""
    count = len(thresholds)
    y_pred = jnp.clip(y_pred, 0.0, 1.0)
    bucket = jnp.maximum(jnp.ceil(y_pred * (count - 1)) - 1.0, 0.0).astype("int32")
    weights = jnp.where(y_pred > thresholds[0], weights, jnp.zeros((), weights.dtype))
    totals = jax.vmap(lambda w, b: jax.ops.segment_sum(w, b, num_segments=count), in_axes=1, out_axes=1)(
        weights, bucket
    )
    return jnp.cumsum(totals[::-1], axis=0)[::-1]


class _Counts(Metric):
    """Base of the metrics that store some of the four counts, one per threshold."""

    counts: tuple[str, ...] = ()

    def _add_counts(self, shape: tuple[int, ...]) -> None:
        for name in self.counts:
            setattr(self, name, self.add_variable(shape, "zeros", self.count_dtype, name=name))

    def _add(self, outcomes: dict[str, jax.Array]) -> None:
        for name in self.counts:
            variable = getattr(self, name)
            variable.assign(variable + outcomes[name])


class _OneCount(Metric):
    """Base of the metrics that report one of the four counts."""

    ignores_zero_weights = True
    count = ""

    def __init__(self, thresholds: object = None, name: str | None = None, dtype: PolicyLike | None = None):
        super().__init__(name=name, dtype=dtype)
        self.thresholds = thresholds
        self._thresholds = threshold_list(thresholds, self)
        self.accumulator = self.add_variable((len(self._thresholds),), "zeros", self.count_dtype, name="accumulator")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: labels 0 and 1, and probabilities, of the same shape.
            sample_weight: one number per row, or per element, of the shape or its leading axes.
        """
        outcomes = count_outcomes(
            y_true, y_pred, self._thresholds, dtype=self.count_dtype, sample_weight=sample_weight,
            even=are_even(self._thresholds),
        )  # fmt: skip
        self.accumulator.assign(self.accumulator + outcomes[self.count])

    def result(self) -> jax.Array:
        """The count, or one per threshold."""
        return _single(self.accumulator.value)


def _single(values: jax.Array) -> jax.Array:
    return values[0] if values.shape[0] == 1 else values


class TruePositives(_OneCount):
    """The number of true positives.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        name: name.
        dtype: dtype of the variable; None is floatx.

    Example:

        metric = cornu.metrics.TruePositives()
        print(metric([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))  # 2.0
    """

    count = "true_positives"


class FalsePositives(_OneCount):
    """The number of false positives.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        name: name.
        dtype: dtype of the variable; None is floatx.

    Example:

        metric = cornu.metrics.FalsePositives()
        print(metric([0, 1, 0, 0], [0.0, 0.0, 1.0, 1.0]))  # 2.0
    """

    count = "false_positives"


class TrueNegatives(_OneCount):
    """The number of true negatives.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        name: name.
        dtype: dtype of the variable; None is floatx.

    Example:

        metric = cornu.metrics.TrueNegatives()
        print(metric([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0]))  # 2.0
    """

    count = "true_negatives"


class FalseNegatives(_OneCount):
    """The number of false negatives.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        name: name.
        dtype: dtype of the variable; None is floatx.

    Example:

        metric = cornu.metrics.FalseNegatives()
        print(metric([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0]))  # 2.0
    """

    count = "false_negatives"


class _Share(_Counts):
    """Base of precision and recall: the fraction of true positives relative to their sum with another count."""

    ignores_zero_weights = True
    _direction = "up"

    def __init__(
        self, thresholds: object = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None,
        dtype: PolicyLike | None = None,
    ):  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        self._given_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        # With only top_k given, everything among the k best counts as positive.
        self.thresholds = threshold_list(thresholds, self, default=0.5 if top_k is None else -1e9)
        self._add_counts((len(self.thresholds),))

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: labels 0 and 1, and probabilities, of the same shape.
            sample_weight: one number per row, or per element, of the shape or its leading axes.
        """
        outcomes = count_outcomes(
            y_true, y_pred, self.thresholds, dtype=self.count_dtype, sample_weight=sample_weight,
            class_id=self.class_id, top_k=self.top_k, even=are_even(self.thresholds),
        )  # fmt: skip
        self._add(outcomes)

    def result(self) -> jax.Array:
        """The fraction, or one per threshold."""
        right, other = (getattr(self, name).value for name in self.counts)
        return _single(divide_no_nan(right, right + other))

    def get_config(self) -> ConfigDict:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self._given_thresholds}


class Precision(_Share):
    """The fraction of predicted positives that are true positives.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        top_k: only the `top_k` largest predictions of a row can be positive; None sets no limit.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Precision()
        print(metric([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))  # 0.6667
    """

    counts = ("true_positives", "false_positives")


class Recall(_Share):
    """The fraction of actual positives that are predicted as positive.

    Args:
        thresholds: predictions above it are positive; one number or several, from 0 to 1. None is 0.5.
        top_k: only the `top_k` largest predictions of a row can be positive; None sets no limit.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Recall()
        print(metric([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))  # 0.6667
    """

    counts = ("true_positives", "false_negatives")


class _BestAtConstraint(_Counts):
    """Base of the metrics "the best A where B is at least a given value", over evenly spaced thresholds."""

    ignores_zero_weights = True
    counts = COUNTS
    _direction = "up"
    constraint = ""  # the constructor argument with the minimum of B

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any):
        super().__init__(name=name, dtype=dtype)
        if not 0 <= value <= 1:
            raise ValueError(
                f"{validate.describe(self)}: {self.constraint} must be from 0 to 1. "
                f"Received: {self.constraint}={validate.shown(value)}."
            )
        setattr(self, self.constraint, value)
        self.class_id = class_id
        self.num_thresholds = validate.positive_int(num_thresholds, "num_thresholds", self)
        self.thresholds = [0.5] if self.num_thresholds == 1 else even_thresholds(self.num_thresholds)
        self._add_counts((self.num_thresholds,))

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: labels 0 and 1, and probabilities, of the same shape.
            sample_weight: one number per row, or per element, of the shape or its leading axes.
        """
        outcomes = count_outcomes(
            y_true, y_pred, self.thresholds, dtype=self.count_dtype, sample_weight=sample_weight,
            class_id=self.class_id, even=are_even(self.thresholds),
        )  # fmt: skip
        self._add(outcomes)

    def _rate(self, part: str, other: str) -> jax.Array:
        value, rest = getattr(self, part).value, getattr(self, other).value
        return divide_no_nan(value, value + rest)

    def _sensitivity(self) -> jax.Array:
        return self._rate("true_positives", "false_negatives")

    def _specificity(self) -> jax.Array:
        return self._rate("true_negatives", "false_positives")

    def _precision(self) -> jax.Array:
        return self._rate("true_positives", "false_positives")

    def _best(self, wanted: AnyFunction, constrained: AnyFunction) -> jax.Array:
        """The largest of the maximized rate over the thresholds that satisfy the constraint; 0 if there are none."""
        enough = constrained() >= jnp.asarray(getattr(self, self.constraint), self.count_dtype)
        return jnp.max(jnp.where(enough, wanted(), jnp.zeros((), self.count_dtype)))


class SensitivityAtSpecificity(_BestAtConstraint):
    """The best sensitivity (recall) where the specificity is at least `specificity`.

    Args:
        specificity: from 0 to 1.
        num_thresholds: number of evenly spaced thresholds. Defaults to 200.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.SensitivityAtSpecificity(0.5)
        print(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))  # 0.5
    """

    constraint = "specificity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: PolicyLike | None = None,
    ):  # fmt: skip
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> jax.Array:
        """The sensitivity."""
        return self._best(self._sensitivity, self._specificity)


class SpecificityAtSensitivity(_BestAtConstraint):
    """The best specificity where the sensitivity (recall) is at least `sensitivity`.

    Args:
        sensitivity: from 0 to 1.
        num_thresholds: number of evenly spaced thresholds. Defaults to 200.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.SpecificityAtSensitivity(0.5)
        print(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))  # 0.6667
    """

    constraint = "sensitivity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: PolicyLike | None = None,
    ):  # fmt: skip
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> jax.Array:
        """The specificity."""
        return self._best(self._specificity, self._sensitivity)


class PrecisionAtRecall(_BestAtConstraint):
    """The best precision where the recall is at least `recall`.

    Args:
        recall: from 0 to 1.
        num_thresholds: number of evenly spaced thresholds. Defaults to 200.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.PrecisionAtRecall(0.5)
        print(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))  # 0.5
    """

    constraint = "recall"

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: PolicyLike | None = None,
    ):  # fmt: skip
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> jax.Array:
        """The precision."""
        return self._best(self._precision, self._sensitivity)


class RecallAtPrecision(_BestAtConstraint):
    """The best recall where the precision is at least `precision`.

    Args:
        precision: from 0 to 1.
        num_thresholds: number of evenly spaced thresholds. Defaults to 200.
        class_id: the class to evaluate; None is all classes.
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.RecallAtPrecision(0.8)
        print(metric([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))  # 0.5
    """

    constraint = "precision"

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: PolicyLike | None = None,
    ):  # fmt: skip
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> jax.Array:
        """The recall."""
        return self._best(self._sensitivity, self._precision)
