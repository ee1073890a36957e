"""The area under the ROC, precision-recall or precision-recall-gain curve."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate
from cornu.core.policy import PolicyLike
from cornu.core.typing import ArrayLike, ConfigDict, Tensor
from cornu.losses.loss import as_arrays, divide_no_nan
from cornu.metrics.confusion import COUNTS, _Counts, are_even, count_outcomes, even_thresholds, threshold_list

_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(_Counts):
    """Area under a curve of two rates, approximated by a Riemann sum over evenly spaced thresholds.

    Args:
        num_thresholds: number of thresholds, at least 2. Defaults to 200.
        curve: `"ROC"` (recall over false-positive rate), `"PR"` (precision over recall) or `"PRGAIN"`. Defaults to
            `"ROC"`.
        summation_method: `"interpolation"` (the midpoint of each interval; for PR the interpolation of true positives
            by Davis and Goadrich), `"minoring"` (the smaller end) or `"majoring"` (the larger end). Defaults to
            `"interpolation"`.
        name: name.
        dtype: dtype of the variables; None is floatx.
        thresholds: thresholds from 0 to 1, instead of `num_thresholds`; 0 and 1 are added. None by default.
        multi_label: whether to compute an area for each label and average them. Defaults to False.
        num_labels: number of labels if `multi_label`; None infers it from the first batch.
        label_weights: one weight per label: of its area if `multi_label`, else of its samples. None by default.
        from_logits: whether predictions are logits, to which a sigmoid is applied. Defaults to False.

    Example:

        metric = cornu.metrics.AUC(num_thresholds=3)
        print(metric([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))  # 0.75

    Paper: Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006.
    """

    ignores_zero_weights = True
    counts = COUNTS
    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: PolicyLike | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = validate.one_of(_upper(curve), _CURVES, "curve", self)
        self.summation_method = validate.one_of(_lower(summation_method), _SUMMATIONS, "summation_method", self)
        self._given_thresholds = None if thresholds is None else sorted(threshold_list(thresholds, self))
        self._thresholds = self._all_thresholds(num_thresholds)
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in np.asarray(label_weights)]
        self.from_logits = from_logits
        self._check_label_weights(num_labels)
        self._built = False
        if not multi_label or num_labels is not None:
            self._build(num_labels)

    def _all_thresholds(self, num_thresholds: int) -> list[float]:
        """The thresholds; the first and last are slightly out of range, so that every prediction is between them."""
        if self._given_thresholds is not None:
            margin = settings.epsilon()
            return [0.0 - margin, *self._given_thresholds, 1.0 + margin]
        if not isinstance(num_thresholds, (int, np.integer)) or num_thresholds < 2:
            raise ValueError(
                f"{validate.describe(self)}: num_thresholds must be an integer of at least 2. "
                f"Received: num_thresholds={validate.shown(num_thresholds)}."
            )
        return even_thresholds(num_thresholds, settings.epsilon())

    def _check_label_weights(self, labels: int | None) -> None:
        if self.label_weights is not None and labels not in (None, len(self.label_weights)):
            raise ValueError(
                f"{validate.describe(self)}: label_weights must contain one weight for each of the {labels} labels. "
                f"Received: {len(self.label_weights)} weights."
            )

    def _build(self, labels: int | None) -> None:
        """Create the counts: one per threshold, or one per threshold and label."""
        self._add_counts((self.num_thresholds, labels) if self.multi_label and labels else (self.num_thresholds,))
        self._built = True

    @property
    def thresholds(self) -> list[float]:
        """The thresholds in use."""
        return list(self._thresholds)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: labels 0 and 1, and probabilities (or logits), of the same shape.
            sample_weight: one number per row, or per element, of the shape or its leading axes.
        """
        y_pred = as_arrays(y_pred, self.count_dtype)
        if self.multi_label and y_pred.ndim != 2:
            raise ValueError(
                f"{validate.describe(self)}: with multi_label=True, predictions must have shape (batch, labels). "
                f"Received: y_pred.shape={y_pred.shape}."
            )
        if self.label_weights is not None or self.multi_label:
            self._check_label_weights(y_pred.shape[-1])
        if not self._built:
            self._build(y_pred.shape[1])
        outcomes = count_outcomes(
            y_true,
            jax.nn.sigmoid(y_pred) if self.from_logits else y_pred,
            self._thresholds,
            dtype=self.count_dtype,
            sample_weight=sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
            even=are_even(self._thresholds),
        )
        self._add(outcomes)

    def result(self) -> jax.Array:
        """The area; with `multi_label` the (weighted) mean of the areas."""
        if not self._built:
            return jnp.zeros((), self.count_dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean_over_labels(self._interpolated_pr_areas())
        x, y = {"ROC": self._roc, "PR": self._pr, "PRGAIN": self._pr_gain}[self.curve]()
        heights = {
            "interpolation": lambda: (y[:-1] + y[1:]) / 2.0,
            "minoring": lambda: jnp.minimum(y[:-1], y[1:]),
            "majoring": lambda: jnp.maximum(y[:-1], y[1:]),
        }[self.summation_method]()
        return self._mean_over_labels((x[:-1] - x[1:]) * heights)

    def _mean_over_labels(self, areas: jax.Array) -> jax.Array:
        """The sum of the areas between thresholds, averaged over the labels."""
        total = jnp.sum(areas, axis=0)
        if not self.multi_label:
            return total
        if self.label_weights is None:
            return jnp.mean(total)
        weights = jnp.asarray(self.label_weights, self.count_dtype)
        return divide_no_nan(jnp.sum(total * weights), jnp.sum(weights))

    def _values(self) -> tuple[jax.Array, ...]:
        return tuple(getattr(self, name).value for name in COUNTS)

    def _roc(self) -> tuple[jax.Array, jax.Array]:
        tp, fp, tn, fn = self._values()
        return divide_no_nan(fp, fp + tn), divide_no_nan(tp, tp + fn)

    def _pr(self) -> tuple[jax.Array, jax.Array]:
        tp, fp, _, fn = self._values()
        return divide_no_nan(tp, tp + fn), divide_no_nan(tp, tp + fp)

    def _pr_gain(self) -> tuple[jax.Array, jax.Array]:
        """Recall gain (at least 0) and precision gain: one minus the errors per true positive, at the odds of a
        positive."""
        tp, fp, tn, fn = self._values()
        odds = divide_no_nan(tp + fn, fp + tn)
        recall_gain = jnp.where(tp > 0, jnp.maximum(1.0 - odds * divide_no_nan(fn, tp), 0.0), 0.0)
        return recall_gain, 1.0 - odds * divide_no_nan(fp, tp)

    def _interpolated_pr_areas(self) -> jax.Array:
        """Areas under the precision-recall curve between thresholds, with interpolated true positives.

        Between two thresholds, the predicted positives P = tp + fp are assumed to grow with the true positives along a
        line of slope s, tp = c + s P; so the precision is s + c / P, whose integral over the recall has a closed form.
        """
        tp, fp, _, fn = self._values()
        predicted = tp + fp
        d_tp, d_predicted = tp[:-1] - tp[1:], predicted[:-1] - predicted[1:]
        slope = divide_no_nan(d_tp, jnp.maximum(d_predicted, 0.0))
        intercept = tp[1:] - slope * predicted[1:]
        grows = (predicted[:-1] > 0) & (predicted[1:] > 0)
        ratio = jnp.where(grows, divide_no_nan(predicted[:-1], jnp.maximum(predicted[1:], 0.0)), 1.0)
        areas = slope * (d_tp + intercept * jnp.log(ratio))
        return divide_no_nan(areas, jnp.maximum(tp[1:] + fn[1:], 0.0))

    def interpolate_pr_auc(self) -> jax.Array:
        """The area under the precision-recall curve, with true positives interpolated between thresholds."""
        return self._mean_over_labels(self._interpolated_pr_areas())

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; thresholds only if they were given."""
        config = {**super().get_config(), "thresholds": self._given_thresholds}
        if self._given_thresholds is None:
            del config["thresholds"]
        return config


def _upper(value: object) -> Tensor:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> Tensor:
    return value.lower() if isinstance(value, str) else value
