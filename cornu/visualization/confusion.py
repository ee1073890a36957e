"""Plots of confusion matrices: which classes a classifier confuses."""

import os

import numpy as np

from cornu import validate
from cornu.core.tracebacks import filtered
from cornu.core.typing import Data, Tensor
from cornu.models.model import Model
from cornu.saving.pictures import Axes, Figure, label, new_figure, write
from cornu.visualization import predictions
from cornu.visualization.predictions import Names

_CELL = 0.42  # inches
_LETTER = 0.08  # inches of width
_MOST_TEXTS = 40  # classes; beyond, the text in cells is illegible


@filtered
def plot_confusion_matrix(
    y_true: Tensor | None = None,
    y_pred: Tensor | None = None,
    *,
    model: Model | None = None,
    data: Data = None,
    class_names: Names = None,
    normalize: str | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot how often each true class, in rows, was predicted as each class, in columns.

    Args:
        y_true: the true classes, as integers of shape `(rows,)` or one-hot rows. None if `data` contains
            them.
        y_pred: the predicted classes, in the same formats, or as probabilities or logits of shape `(rows, classes)`, or
            `(rows, 1)` for two classes. None, the default, if a model predicts them.
        model: a classifier that predicts them from data instead, or None.
        data: its inputs, whose labels are y_true; or, without y_true, a pair `(x, y)` or a dataset of batches of such
            pairs.
        class_names: names of the classes, as a list or a dictionary by class index; None, the default, shows the
            indices.
        normalize: `"true"` shows fractions of the row of each true class, `"pred"` of the column of each predicted
            class, `"all"` of the total; None, the default, shows counts. Colors show fractions of rows if counts are
            shown.
        title: title of the figure; None, the default, shows the accuracy.
        path: file to write, in the format of its extension (`.png`, `.svg`, `.pdf`); None, the default, writes none.

    Returns:
        A `matplotlib.figure.Figure`, which notebooks display. No window is opened.

    Raises:
        ValueError: if y_true and y_pred differ in length, or neither y_pred nor a model is given.
        ImportError: if matplotlib is not installed (the extra `plot`).

    Example:

        y_true, y_pred = [0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 1]
        cornu.visualization.plot_confusion_matrix(y_true, y_pred, class_names=["cat", "dog", "owl"], path="matrix.png")
    """
    owner = "plot_confusion_matrix"
    validate.one_of(normalize, (None, "true", "pred", "all"), "normalize", owner)
    true, predicted = _classes(y_true, y_pred, model, data, owner)
    counts = _counts(true, predicted, class_names)
    shares = _shares(counts, normalize or "true")
    names = [predictions.name_of(number, class_names) for number in range(len(counts))]
    accuracy = np.trace(counts) / max(1, counts.sum())
    figure = _drawn(counts if normalize is None else shares, shares, names, owner)
    label(figure.axes[0], title or f"{accuracy:.1%} of {counts.sum():,} right", "predicted", "true")
    write(figure, path)
    return figure


def _classes(
    y_true: Tensor | None, y_pred: Tensor | None, model: Model | None, data: Data, owner: str
) -> tuple[np.ndarray, np.ndarray]:
    if (y_pred is None) == (model is None):
        raise ValueError(
            f"{owner}: pass either y_pred, or model and data. Received: {'neither' if model is None else 'both'}."
        )
    if model is not None:
        parts = [(y, outputs) for _, y, outputs in predictions.of_model(model, data, y_true, owner)]
        true = np.concatenate([y for y, _ in parts]) if parts else np.zeros(0, int)
        y_pred = np.concatenate([outputs for _, outputs in parts]) if parts else np.zeros(0, int)
    elif y_true is None:
        raise ValueError(f"{owner}: y_true must be given together with y_pred.")
    else:
        true = predictions.labels_of(y_true, owner)
    predicted = predictions.predicted_classes(y_pred, owner)
    if len(true) != len(predicted) or not len(true):
        raise ValueError(
            f"{owner}: y_true and y_pred must have the same length, at least 1. "
            f"Received: {len(true)} and {len(predicted)}."
        )
    low = min(true.min(), predicted.min())
    if low < 0:
        raise ValueError(f"{owner}: classes must be nonnegative integers. Received: {low}.")
    return true, predicted


def _counts(true: np.ndarray, predicted: np.ndarray, names: Names) -> np.ndarray:
    """Rows by true class, columns by predicted one."""
    size = (
        max(int(true.max()), int(predicted.max()), *(names if isinstance(names, dict) else [len(names or ()) - 1])) + 1
    )
    counts = np.zeros((size, size), int)
    np.add.at(counts, (true, predicted), 1)
    return counts


def _shares(counts: np.ndarray, of: str) -> np.ndarray:
    axis = {"true": 1, "pred": 0, "all": None}[of]
    totals = counts.sum(axis=axis, keepdims=True)
    return counts / np.maximum(totals, 1)


def _drawn(values: np.ndarray, shares: np.ndarray, names: list[str], owner: str) -> Figure:
    size = len(names)
    longest = max(map(len, names))
    with_texts = size <= _MOST_TEXTS
    side = max(2.0, size * (_CELL if with_texts else _CELL / 3))
    slanted = longest * _LETTER > side / size
    figure = new_figure(side + longest * _LETTER + 1.0, side + (longest * _LETTER if slanted else 0.2) + 0.9, owner)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(shares.max(), 1e-9))
    ticks = range(0, size, 1 if with_texts else -(-size // _MOST_TEXTS))
    shown = [names[i] for i in ticks]
    small = 8 if size > 4 else 9
    axes.set_yticks(ticks, shown, fontsize=small, parse_math=False)
    axes.set_xticks(ticks, shown, fontsize=small, rotation=90 if slanted else 0, parse_math=False)
    if with_texts:
        for (row, column), value in np.ndenumerate(values):
            if value:
                _text(axes, row, column, value, shares[row, column] > 0.55 * shares.max())
    return figure


def _text(axes: Axes, row: int, column: int, value: float, dark: bool) -> None:
    if isinstance(value, np.integer):
        text = f"{value}" if value < 10_000 else f"{value / 1000:.0f}k"
    else:
        text = f"{value:.2f}" if value >= 0.005 else "<.01"
    axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "black")
