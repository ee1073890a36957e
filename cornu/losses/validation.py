"""Checks of labels against predictions before the first step: shapes that would merely broadcast, values out of range.

Arrays of different shapes often broadcast silently to a meaningless loss. For each built-in loss, these functions know
which shapes and values are compatible, and suggest a fix. Custom losses are not checked.
"""

import inspect
from collections.abc import Sequence

import numpy as np

from cornu import validate
from cornu.core.typing import AnyFunction, Tensor
from cornu.losses import embedding, margin, overlap, probabilistic, regression
from cornu.losses.loss import LossFunctionWrapper

_SPARSE = {
    probabilistic.sparse_categorical_crossentropy: "categorical_crossentropy",
    probabilistic.sparse_categorical_focal_crossentropy: "categorical_focal_crossentropy",
    probabilistic.categorical_generalized_cross_entropy: "categorical_crossentropy",
}  # loss for integer labels -> loss for one-hot labels

_ONE_HOT = {
    probabilistic.categorical_crossentropy: "sparse_categorical_crossentropy",
    probabilistic.categorical_focal_crossentropy: "sparse_categorical_focal_crossentropy",
    margin.categorical_hinge: "sparse_categorical_crossentropy",
    probabilistic.kl_divergence: "sparse_categorical_crossentropy",
}  # loss for one-hot labels -> loss for integer labels

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
    """Reject labels whose shape is incompatible with that of the predictions.

    Args:
        loss: a loss, or a function of (y_true, y_pred).
        y_true_shape, y_pred_shape: shapes with the batch axis; None for an unknown size.
        owner: the owner of the data, for the message.

    Raises:
        ValueError: with a suggested fix.

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
        rows = _fix_of_rows(labels, predictions)
        shapes = (labels, predictions) if rows else (_shown(labels), _shown(predictions))
        raise ValueError(
            f"{validate.describe(owner)}: labels of shape {shapes[0]} do not match predictions of shape {shapes[1]} "
            f"for the loss {function.__name__}. {rows or fix}"
        )


def check_values(loss: object, y_true: Tensor, num_classes: int | None, owner: object) -> None:
    """Reject labels with values that are invalid for the loss.

    Args:
        loss: a loss, or a function of (y_true, y_pred).
        y_true: all labels.
        num_classes: size of the last axis of the predictions; None if unknown.
        owner: the owner of the data, for the message.

    Raises:
        ValueError: with the range found and a suggested fix.
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
    """What a built-in loss compares: "sparse" (class indices), "one-hot", "binary" or "regression"; else None."""
    function = _function(loss)
    for name, functions in (
        ("sparse", _SPARSE), ("one-hot", _ONE_HOT), ("binary", _BINARY), ("regression", _REGRESSION)
    ):  # fmt: skip
        if function in functions:
            return name
    return None


def takes_logits(loss: object) -> bool | None:
    """Whether a built-in loss accepts logits; None for a loss without that option."""
    function = _function(loss)
    if function is None or family(loss) is None or "from_logits" not in inspect.signature(function).parameters:
        return None
    return bool(getattr(loss, "from_logits", False))


def takes_counts(loss: object) -> bool:
    """Whether a built-in loss expects non-negative numbers."""
    return _function(loss) in (probabilistic.poisson, regression.mean_squared_logarithmic_error)


def _function(loss: Tensor) -> AnyFunction | None:
    """The function of arrays behind a loss."""
    found = loss.fn if isinstance(loss, LossFunctionWrapper) else loss
    return found if hasattr(found, "__name__") and not isinstance(found, type) else None


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(p is None or q is None or p == q for p, q in zip(a, b, strict=True))


def _shown(shape: Shape) -> str:
    """A shape without the batch size: `(batch, 3)`."""
    inner = "".join(f", {'?' if d is None else d}" for d in shape[1:])
    return f"(batch{inner or ','})" if shape else "()"


# ---------------------------------------------------------------- shapes: each returns a suggested fix, or None


def _fix_of_rows(labels: Shape, predictions: Shape) -> str | None:
    if not labels or not predictions or None in (labels[0], predictions[0]) or labels[0] == predictions[0]:
        return None
    return (
        f"The model makes {predictions[0]} rows of {labels[0]} samples: an operation in it mixes the batch with other "
        "axes. layers.Reshape keeps the batch axis; ops.reshape needs shape (-1, ...) with the size of a sample."
    )


def _fix_of_sparse(function: AnyFunction, labels: Shape, predictions: Shape, axis: int) -> str | None:
    if not predictions:
        return "The predictions must have a class axis."
    axis = validate.axis(axis, len(predictions), function.__name__)
    rest = (*predictions[:axis], *predictions[axis + 1 :])
    with_one = ((*predictions[:axis], 1, *predictions[axis + 1 :]), (*rest, 1))
    if any(_same(labels, shape) for shape in (rest, *with_one)):
        return None
    if _same(labels, predictions):
        return (
            f"The labels look one-hot: use {_SPARSE[function]}, or convert them to class indices with "
            "np.argmax(y, axis=-1)."
        )
    return f"It expects one class index per prediction, labels of shape {_shown(rest)}.{_of_axes(labels, rest)}"


def _fix_of_one_hot(function: AnyFunction, labels: Shape, predictions: Shape) -> str | None:
    if _same(labels, predictions):
        return None
    classes = predictions[-1] if predictions else None
    if _same(labels, predictions[:-1]) or _same(labels, (*predictions[:-1], 1)):
        return (
            f"The labels look like class indices: use {_ONE_HOT[function]}, or one-hot encode them with "
            f"cornu.utils.to_categorical(y, {'classes' if classes is None else classes})."
        )
    if labels and classes is not None and labels[-1] != classes and len(labels) == len(predictions):
        return f"The labels have {labels[-1]} classes: end the model with as many outputs."
    return f"It expects one-hot labels of the shape of the predictions.{_of_axes(labels, predictions)}"


def _fix_of_same_shape(function: AnyFunction, labels: Shape, predictions: Shape) -> str | None:
    if _same(labels, predictions) or _same(labels, (*predictions, 1)) or _same((*labels, 1), predictions):
        return None
    outputs = predictions[-1] if predictions else None
    numbers = _same(labels, predictions[:-1]) or _same(labels, (*predictions[:-1], 1))
    if numbers and function in _BINARY:
        return (
            f"For class indices from 0 to {outputs - 1 if outputs else 'classes - 1'}, use "
            "sparse_categorical_crossentropy; for one probability per sample, end the model with one output."
        )
    if numbers:
        return (
            f"The model has {outputs} outputs per sample but the labels have one: end it with one output or, if the "
            "labels are class indices, use sparse_categorical_crossentropy."
        )
    if len(labels) == len(predictions):
        return "They would merely broadcast: give the model as many outputs as the labels have values."
    if len(labels) == len(predictions) + 1:
        return "The labels have one more axis: add that axis to the model's output, or reduce the labels."
    if len(labels) + 1 == len(predictions):
        return f"The predictions have one more axis.{_of_axes(labels, predictions)}"
    return "Both must have the same shape."


def _of_axes(labels: Shape, expected: Shape) -> str:
    """What to do if a model keeps axes that the labels do not have."""
    if len(labels) >= len(expected):
        return ""
    return (
        " The model keeps axes that the labels do not have: add Flatten() or a GlobalAveragePooling layer before its "
        "last Dense, or remove return_sequences=True from the last recurrent layer."
    )


# ---------------------------------------------------------------- values


def _fix_of_binary_values(values: np.ndarray) -> str | None:
    low, high = np.min(values), np.max(values)
    if not (low < 0 or high > 1):
        return None
    if low == -1 and high == 1:
        return "It expects labels from 0 to 1: use (y + 1) / 2, or the loss hinge for labels -1 and 1."
    if values.dtype.kind in "biu" and high <= 255 and high > 50:
        return "It expects values from 0 to 1: divide images by 255."
    return "It expects labels from 0 to 1: for class indices use sparse_categorical_crossentropy, one output per class."


def _fix_of_class_numbers(values: np.ndarray, num_classes: int | None, loss: object) -> str | None:
    ignored = getattr(loss, "ignore_class", None)
    counted = values if ignored is None else values[values != ignored]
    if counted.size == 0 or num_classes is None or getattr(loss, "axis", -1) != -1:
        return None
    if counted.dtype.kind == "f" and np.any(counted != np.round(counted)):
        return "It expects integer class indices, but some labels are fractions."
    low, high = int(counted.min()), int(counted.max())
    if low >= 0 and high < num_classes:
        return None
    expected = f"The model has {num_classes} classes, with indices from 0 to {num_classes - 1}."
    if num_classes == 1:
        expected = "The model has one output, which is a single class with index 0."
    if num_classes == 1 and low >= 0 and high <= 1:
        return f"{expected} For two classes with one output, use binary_crossentropy."
    if low == 1 and high == num_classes:
        return f"{expected} The labels start at 1: use y - 1."
    if low < 0:
        return f"{expected} For labels to ignore, use SparseCategoricalCrossentropy(ignore_class={low})."
    return f"{expected} End the model with {high + 1} outputs, or renumber the labels."
