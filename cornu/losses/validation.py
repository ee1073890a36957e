"""Checks of labels against predictions before the first step: shapes that would only broadcast, values out of range.

Arrays of different shapes often combine without an error into a loss that means nothing. These functions know for each
built-in loss which shapes and values belong together, and name the likely fix. Losses of the user's own are left alone.
"""

import inspect
from collections.abc import Callable, Sequence

import numpy as np

from cornu import validate
from cornu.core.typing import Tensor
from cornu.losses import embedding, margin, overlap, probabilistic, regression
from cornu.losses.loss import LossFunctionWrapper

_SPARSE = {
    probabilistic.sparse_categorical_crossentropy: "categorical_crossentropy",
    probabilistic.categorical_generalized_cross_entropy: "categorical_crossentropy",
}  # takes integer labels -> what takes one-hot ones

_ONE_HOT = {
    probabilistic.categorical_crossentropy: "sparse_categorical_crossentropy",
    probabilistic.categorical_focal_crossentropy: "sparse_categorical_crossentropy",
    margin.categorical_hinge: "sparse_categorical_crossentropy",
    probabilistic.kl_divergence: "sparse_categorical_crossentropy",
}  # takes one-hot labels -> what takes integer ones

_BINARY = (probabilistic.binary_crossentropy, probabilistic.binary_focal_crossentropy)

_SAME_SHAPE = (
    *_BINARY,
    margin.hinge,
    margin.squared_hinge,
    overlap.dice,
    overlap.tversky,
    probabilistic.poisson,
    regression.cosine_similarity,
    regression.huber,
    regression.log_cosh,
    regression.mean_absolute_error,
    regression.mean_absolute_percentage_error,
    regression.mean_squared_error,
    regression.mean_squared_logarithmic_error,
)

_REGRESSION = tuple(function for function in _SAME_SHAPE if function.__module__ == regression.__name__)

Shape = Sequence[int | None]


def check_shapes(loss: object, y_true_shape: Shape, y_pred_shape: Shape, owner: object) -> None:
    """Refuse labels whose shape does not belong to that of the predictions.

    Args:
        loss: a loss, or a function of (y_true, y_pred).
        y_true_shape, y_pred_shape: shapes with the batch axis; None stands for an unknown size.
        owner: whose data it is, for the message.

    Raises:
        ValueError: with the likely fix.

    Example:

        from cornu.losses import validation

        try:
            validation.check_shapes(cornu.losses.MeanSquaredError(), (8,), (8, 3), "model")
        except ValueError as error:
            print(error)
    """
    function = _function(loss)
    labels, predictions = tuple(y_true_shape), tuple(y_pred_shape)
    if function in _SPARSE:
        fix = _fix_of_sparse(function, labels, predictions, getattr(loss, "axis", -1))
    elif function in _ONE_HOT:
        fix = _fix_of_one_hot(function, labels, predictions)
    elif function in _SAME_SHAPE:
        fix = _fix_of_same_shape(function, labels, predictions)
    elif function is embedding.circle:
        fix = None if len(predictions) == 2 else "The predictions must be embeddings of shape (batch, depth)."
    else:
        return
    if fix is not None:
        raise ValueError(
            f"{validate.describe(owner)}: labels of shape {_shown(labels)} do not belong to predictions of shape "
            f"{_shown(predictions)} under the loss {function.__name__}. {fix}"
        )


def check_values(loss: object, y_true: Tensor, num_classes: int | None, owner: object) -> None:
    """Refuse labels whose values the loss cannot mean.

    Args:
        loss: a loss, or a function of (y_true, y_pred).
        y_true: all labels.
        num_classes: size of the last axis of the predictions; None where it is unknown.
        owner: whose data it is, for the message.

    Raises:
        ValueError: with the range found and the likely fix.
    """
    function = _function(loss)
    if function not in _SPARSE and function not in _BINARY:
        return
    values = np.asarray(y_true)
    if values.size == 0 or values.dtype.kind not in "biuf":
        return
    if function in _BINARY:
        fix = _fix_of_binary_values(values)
    else:
        fix = _fix_of_class_numbers(values, num_classes, loss)
    if fix is not None:
        raise ValueError(
            f"{validate.describe(owner)}: labels from {values.min():g} to {values.max():g} are out of range for the "
            f"loss {function.__name__}. {fix}"
        )


def family(loss: object) -> str | None:
    """What a built-in loss compares: "sparse" (class numbers), "one-hot", "binary" or "regression"; else None."""
    function = _function(loss)
    for name, functions in (
        ("sparse", _SPARSE), ("one-hot", _ONE_HOT), ("binary", _BINARY), ("regression", _REGRESSION)
    ):  # fmt: skip
        if function in functions:
            return name
    return None


def takes_logits(loss: object) -> bool | None:
    """Whether a built-in loss takes logits; None for a loss that has no such choice."""
    function = _function(loss)
    if function is None or family(loss) is None or "from_logits" not in inspect.signature(function).parameters:
        return None
    return bool(getattr(loss, "from_logits", False))


def takes_counts(loss: object) -> bool:
    """Whether a built-in loss is about numbers from 0 up."""
    return _function(loss) in (probabilistic.poisson, regression.mean_squared_logarithmic_error)


def _function(loss: Tensor) -> Callable | None:
    """The function of arrays behind a loss."""
    found = loss.fn if isinstance(loss, LossFunctionWrapper) else loss
    return found if hasattr(found, "__name__") and not isinstance(found, type) else None


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(p is None or q is None or p == q for p, q in zip(a, b, strict=True))


def _shown(shape: Shape) -> str:
    """A shape without the batch size: `(batch, 3)`."""
    inner = "".join(f", {'?' if d is None else d}" for d in shape[1:])
    return f"(batch{inner or ','})" if shape else "()"


# ---------------------------------------------------------------- shapes: each gives the fix, or None where all is well


def _fix_of_sparse(function: Callable, labels: Shape, predictions: Shape, axis: int) -> str | None:
    if not predictions:
        return "The predictions must have an axis of classes."
    axis = validate.axis(axis, len(predictions), function.__name__)
    rest = (*predictions[:axis], *predictions[axis + 1 :])
    with_one = ((*predictions[:axis], 1, *predictions[axis + 1 :]), (*rest, 1))
    if any(_same(labels, shape) for shape in (rest, *with_one)):
        return None
    if _same(labels, predictions):
        return (
            f"The labels look one-hot: use {_SPARSE[function]}, or turn them into class numbers with "
            "np.argmax(y, axis=-1)."
        )
    return f"It takes one class number for each prediction, labels of shape {_shown(rest)}.{_of_axes(labels, rest)}"


def _fix_of_one_hot(function: Callable, labels: Shape, predictions: Shape) -> str | None:
    if _same(labels, predictions):
        return None
    classes = predictions[-1] if predictions else None
    if _same(labels, predictions[:-1]) or _same(labels, (*predictions[:-1], 1)):
        return (
            f"The labels look like class numbers: use {_ONE_HOT[function]}, or make them one-hot with "
            f"cornu.utils.to_categorical(y, {'classes' if classes is None else classes})."
        )
    if labels and classes is not None and labels[-1] != classes and len(labels) == len(predictions):
        return f"The labels have {labels[-1]} classes: end the model with as many outputs."
    return f"It takes one-hot labels of the shape of the predictions.{_of_axes(labels, predictions)}"


def _fix_of_same_shape(function: Callable, labels: Shape, predictions: Shape) -> str | None:
    if _same(labels, predictions) or _same(labels, (*predictions, 1)) or _same((*labels, 1), predictions):
        return None
    outputs = predictions[-1] if predictions else None
    numbers = _same(labels, predictions[:-1]) or _same(labels, (*predictions[:-1], 1))
    if numbers and function in _BINARY:
        return (
            f"For class numbers from 0 to {outputs - 1 if outputs else 'classes - 1'} use "
            "sparse_categorical_crossentropy; for one probability a sample end the model with one output."
        )
    if numbers:
        return (
            f"The model gives {outputs} values a sample where the labels have one: end it with one output, or, if the "
            "labels are class numbers, use sparse_categorical_crossentropy."
        )
    if len(labels) == len(predictions):
        return "They would only broadcast: give the model as many outputs as the labels have values."
    if len(labels) == len(predictions) + 1:
        return "The labels have an axis more: give the model that output axis, or reduce the labels."
    if len(labels) + 1 == len(predictions):
        return f"The predictions have an axis more.{_of_axes(labels, predictions)}"
    return "Both must have the same shape."


def _of_axes(labels: Shape, expected: Shape) -> str:
    """What to do where a model keeps axes that the labels have not."""
    if len(labels) >= len(expected):
        return ""
    return (
        " The model keeps axes that the labels do not have: put Flatten() or a GlobalAveragePooling layer before its "
        "last Dense, or leave return_sequences=True out of the last recurrent layer."
    )


# ---------------------------------------------------------------- values


def _fix_of_binary_values(values: np.ndarray) -> str | None:
    low, high = np.min(values), np.max(values)
    if not (low < 0 or high > 1):
        return None
    if low == -1 and high == 1:
        return "It takes labels from 0 to 1: use (y + 1) / 2, or the loss hinge for labels -1 and 1."
    if values.dtype.kind in "biu" and high <= 255 and high > 50:
        return "It takes values from 0 to 1: divide images by 255."
    return "It takes labels from 0 to 1: for class numbers use sparse_categorical_crossentropy, with an output a class."


def _fix_of_class_numbers(values: np.ndarray, num_classes: int | None, loss: object) -> str | None:
    ignored = getattr(loss, "ignore_class", None)
    counted = values if ignored is None else values[values != ignored]
    if counted.size == 0 or num_classes is None or getattr(loss, "axis", -1) != -1:
        return None
    if counted.dtype.kind == "f" and np.any(counted != np.round(counted)):
        return "It takes whole class numbers, but some labels are fractions."
    low, high = int(counted.min()), int(counted.max())
    if low >= 0 and high < num_classes:
        return None
    expected = f"The model has {num_classes} classes, numbered from 0 to {num_classes - 1}."
    if num_classes == 1:
        expected = "The model has one output, which is one class, number 0."
    if num_classes == 1 and low >= 0 and high <= 1:
        return f"{expected} For two classes with one output use binary_crossentropy."
    if low == 1 and high == num_classes:
        return f"{expected} The labels start at 1: use y - 1."
    if low < 0:
        return f"{expected} For labels that do not count use SparseCategoricalCrossentropy(ignore_class={low})."
    return f"{expected} End the model with {high + 1} outputs, or renumber the labels."
