"""Losses and metrics against the values of the labels; what a loss cannot take at all is refused in `prepare`."""

import math
from typing import Any

import numpy as np

from cornu import metrics
from cornu.core.typing import Tensor
from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.advice.case import Case, name_of

_RANGES = {  # of an activation's values
    "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "hard_tanh": (-1, 1),
    "softsign": (-1, 1), "relu": (0, math.inf), "softplus": (0, math.inf), "relu6": (0, 6),
}  # fmt: skip
_ROUNDING = 1e-3  # how far below its range a label may be
_FEW = 0.01  # the share of labels that are left alone


def accuracy_of_numbers(case: Case) -> str | None:
    for output in case.outputs:
        metric = _accuracy_of(case.model, output.name)
        if metric is not None and output.family == "regression" and not _are_classes(output.labels, metric):
            return (
                f'{output.where}the metric "{metric.name}" counts predictions that hit the label exactly, which says '
                f"nothing about numbers such as {_fraction_of(output.labels):g}. For a regression use "
                'metrics=["mae"], or "r2_score".'
            )
    return None


def _accuracy_of(model: Any, name: str) -> metrics.Metric | None:
    kinds = (metrics.BinaryAccuracy, metrics.CategoricalAccuracy, metrics.SparseCategoricalAccuracy, metrics.Accuracy)
    entries = model._compile_metrics.entries if model._compile_metrics is not None else ()
    numbers = [number for number, label in enumerate(model._compile_loss.labels) if label == name]
    return next((metric for index, _, metric, _ in entries if index in numbers and isinstance(metric, kinds)), None)


def _are_classes(labels: Tensor, metric: object) -> bool:
    """Whether labels are 0 and 1, or, for an accuracy over classes, parts of a whole."""
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
                    f"{output.where}the model ends with {output.ending}, which gives values {reach}, but labels go "
                    f"from {output.labels.min():g} to {output.labels.max():g}. End it without an activation, or scale "
                    "the labels."
                )
    return None


def labels_below_zero(case: Case) -> str | None:
    """Labels of a loss that is about counts or logarithms."""
    for output in case.outputs:
        counts = validation.takes_counts(output.loss) and anatomy.is_numeric(output.labels)
        if counts and np.mean(output.labels < -_ROUNDING) > _FEW:
            return (
                f"{output.where}the loss {name_of(output.loss)} is for labels from 0 up, but they go down to "
                f"{output.labels.min():g}. Give the labels as they are counted or measured, not standardized, or use "
                'another loss, such as "mse".'
            )
    return None
