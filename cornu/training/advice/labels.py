"""Losses and metrics that do not match the values of the labels; what a loss cannot accept is rejected in `prepare`."""

import math
from typing import Any

import numpy as np

from cornu import metrics
from cornu.core.typing import Tensor
from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.advice.case import Case, name_of

_RANGES = {  # ranges of activations
    "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "hard_tanh": (-1, 1),
    "softsign": (-1, 1), "relu": (0, math.inf), "softplus": (0, math.inf), "relu6": (0, 6),
}  # fmt: skip
_ROUNDING = 1e-3  # how far below the range a label may be
_FEW = 0.01  # fraction of labels that are tolerated


def accuracy_of_numbers(case: Case) -> str | None:
    for output in case.outputs:
        metric = _accuracy_of(case.model, output.name)
        if metric is not None and output.family == "regression" and not _are_classes(output.labels, metric):
            return (
                f'{output.where}the metric "{metric.name}" counts predictions that equal the label exactly, which is '
                f"meaningless for numbers such as {_fraction_of(output.labels):g}. For regression, use "
                'metrics=["mae"], or "r2_score".'
            )
    return None


def _accuracy_of(model: Any, name: str) -> metrics.Metric | None:
    kinds = (metrics.BinaryAccuracy, metrics.CategoricalAccuracy, metrics.SparseCategoricalAccuracy, metrics.Accuracy)
    entries = model._compile_metrics.entries if model._compile_metrics is not None else ()
    numbers = [number for number, label in enumerate(model._compile_loss.labels) if label == name]
    return next((metric for index, _, metric, _ in entries if index in numbers and isinstance(metric, kinds)), None)


def _are_classes(labels: Tensor, metric: object) -> bool:
    """Whether labels are 0 and 1 or, for an accuracy over classes, fractions that sum to one."""
    if not anatomy.is_numeric(labels):
        return True
    if isinstance(metric, metrics.CategoricalAccuracy) and np.allclose(labels.sum(-1), 1) and labels.min() >= 0:
        return True
    return bool(np.all((labels == 0) | (labels == 1)))


def _fraction_of(labels: np.ndarray) -> float:
    return float(labels[(labels != 0) & (labels != 1)].flat[0])


def labels_out_of_reach(case: Case) -> str | None:
    for output in case.outputs:
        if output.family == "regression" and output.ending in _RANGES and anatomy.is_numeric(output.labels):
            low, high = _RANGES[output.ending]
            beyond = np.mean((output.labels < low) | (output.labels > high))
            if beyond > 0.5:
                reach = f"from {low} to {high}" if high < math.inf else f"from {low} up"
                return (
                    f"{output.where}the model ends with {output.ending}, whose values are {reach}, but labels range "
                    f"from {output.labels.min():g} to {output.labels.max():g}. End it without an activation, or scale "
                    "the labels."
                )
    return None


def labels_below_zero(case: Case) -> str | None:
    """Negative labels of a loss for counts or logarithms."""
    for output in case.outputs:
        counts = validation.takes_counts(output.loss) and anatomy.is_numeric(output.labels)
        if counts and np.mean(output.labels < -_ROUNDING) > _FEW:
            return (
                f"{output.where}the loss {name_of(output.loss)} requires non-negative labels, but they go down to "
                f"{output.labels.min():g}. Use the labels as counted or measured, without standardizing them, or "
                'another loss, such as "mse".'
            )
    return None
