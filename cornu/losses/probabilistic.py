"""Losses on probabilities: cross-entropies with their focal and robust variants, Kullback-Leibler, Poisson.

With `from_logits=True` predictions are any real numbers, and the cross-entropies are computed without rounding to 0 or
1; otherwise they are probabilities, which are clipped slightly away from 0 and 1.
"""

import warnings
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core.masks import set_mask
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.core.typing import ConfigDict
from cornu.losses.loss import LossFunctionWrapper, as_float, predictions_and_labels, rowwise


@rowwise
@op
def binary_crossentropy(
    y_true: Tensor, y_pred: Tensor, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """Mean of `-y_true * log(p) - (1 - y_true) * log(1 - p)` over `axis`.

    Args:
        y_true: labels from 0 to 1.
        y_pred: probabilities, or logits, of the same shape.
        from_logits: whether `y_pred` are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward 0.5. Defaults to 0.0.
        axis: the axis to average over. Defaults to -1.

    Example:

        print(cornu.losses.binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]))  # [0.6931]
    """
    y_pred = as_float(y_pred)
    y_true = _smooth(jnp.asarray(y_true).astype(y_pred.dtype), label_smoothing, classes=2)
    _same_shape(y_true, y_pred, "binary_crossentropy")
    return jnp.mean(_binary(y_true, y_pred, from_logits), axis=axis)


@rowwise
@op
def binary_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """Mean of `(1 - q)^gamma` times the binary cross-entropy over `axis`; `q` is the probability of the true label.

    Args:
        y_true: labels from 0 to 1.
        y_pred: probabilities, or logits, of the same shape.
        apply_class_balancing: whether to weight label 1 by `alpha` and label 0 by `1 - alpha`. Defaults to False.
        alpha: weight of label 1 if `apply_class_balancing`.
        gamma: focusing parameter that down-weights easy samples; 0 is the plain cross-entropy. Defaults to 2.0.
        from_logits: whether `y_pred` are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward 0.5. Defaults to 0.0.
        axis: the axis to average over. Defaults to -1.

    Example:

        print(cornu.losses.binary_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]))  # [0.1733]

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """
    y_pred = as_float(y_pred)
    y_true = _smooth(jnp.asarray(y_true).astype(y_pred.dtype), label_smoothing, classes=2)
    _same_shape(y_true, y_pred, "binary_focal_crossentropy")
    probability = jax.nn.sigmoid(y_pred) if from_logits else y_pred
    of_true_label = y_true * probability + (1.0 - y_true) * (1.0 - probability)
    values = jnp.power(1.0 - of_true_label, gamma) * _binary(y_true, probability, from_logits=False)
    if apply_class_balancing:
        values = values * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return jnp.mean(values, axis=axis)


@rowwise
@op
def categorical_crossentropy(
    y_true: Tensor, y_pred: Tensor, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """`-sum(y_true * log(p))` over the classes.

    Args:
        y_true: one-hot labels, or probabilities.
        y_pred: probabilities, or logits, of the same shape. Probabilities are normalized to sum to 1.
        from_logits: whether `y_pred` are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward `1 / classes`. Defaults to 0.0.
        axis: the axis of the classes, which is reduced. Defaults to -1.

    Example:

        print(cornu.losses.categorical_crossentropy([[0, 1]], [[0.5, 0.5]]))  # [0.6931]
    """
    y_pred = as_float(y_pred)
    y_true = jnp.asarray(y_true).astype(y_pred.dtype)
    _same_shape(y_true, y_pred, "categorical_crossentropy")
    _warn_of_one_class(y_pred, axis, "categorical_crossentropy")
    y_true = _smooth(y_true, label_smoothing, classes=y_pred.shape[axis])
    log_probability = jax.nn.log_softmax(y_pred, axis) if from_logits else jnp.log(_normalized(y_pred, axis))
    return -jnp.sum(y_true * log_probability, axis=axis)


@rowwise
@op
def categorical_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    """`-sum(alpha * (1 - p)^gamma * y_true * log(p))` over the classes.

    Args:
        y_true: one-hot labels.
        y_pred: probabilities, or logits, of the same shape. Probabilities are normalized to sum to 1.
        alpha: weight, one number or one per class. Defaults to 0.25.
        gamma: focusing parameter that down-weights easy samples. Defaults to 2.0.
        from_logits: whether `y_pred` are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward `1 / classes`. Defaults to 0.0.
        axis: the axis of the classes, which is reduced. Defaults to -1.

    Example:

        print(cornu.losses.categorical_focal_crossentropy([[0, 1]], [[0.5, 0.5]]))  # [0.0433]

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """
    y_pred = as_float(y_pred)
    y_true = jnp.asarray(y_true).astype(y_pred.dtype)
    _same_shape(y_true, y_pred, "categorical_focal_crossentropy")
    _warn_of_one_class(y_pred, axis, "categorical_focal_crossentropy")
    y_true = _smooth(y_true, label_smoothing, classes=y_pred.shape[axis])
    probability = _normalized(jax.nn.softmax(y_pred, axis) if from_logits else y_pred, axis)
    weight = jnp.asarray(alpha, y_pred.dtype) * jnp.power(1.0 - probability, gamma)
    return jnp.sum(weight * -y_true * jnp.log(probability), axis=axis)


@rowwise
@op
def sparse_categorical_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
) -> jax.Array:
    """`-log(p[y_true])`: categorical cross-entropy for integer labels.

    Args:
        y_true: integer labels from 0 to `classes - 1`, of the shape of `y_pred` without `axis`, or with size 1 there.
        y_pred: probabilities, or logits. Probabilities are normalized to sum to 1.
        from_logits: whether `y_pred` are logits. Defaults to False.
        ignore_class: a label whose samples are ignored: their values are 0 and masked. None ignores none.
        axis: the axis of the classes, which is reduced. Defaults to -1.
        label_smoothing: from 0 to 1: the share of each label that is spread evenly over all classes. Defaults to 0.0.

    Example:

        print(cornu.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]]))  # [0.6931]
    """
    labels, y_pred, axis = _labels_and_predictions(y_true, y_pred, axis, "sparse_categorical_crossentropy")
    log_probability = jax.nn.log_softmax(y_pred, axis) if from_logits else jnp.log(_normalized(y_pred, axis))
    values = -_of_labels(log_probability, labels, axis)
    if label_smoothing:
        values = (1 - label_smoothing) * values - label_smoothing * jnp.mean(log_probability, axis=axis)
    return _without_class(values, labels, ignore_class)


@rowwise
@op
def sparse_categorical_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> jax.Array:
    """`-alpha * (1 - p[y_true])^gamma * log(p[y_true])`: categorical focal cross-entropy for integer labels.

    Args:
        y_true: integer labels from 0 to `classes - 1`, of the shape of `y_pred` without `axis`, or with size 1 there;
            others give NaN.
        y_pred: probabilities, or logits. Probabilities are normalized to sum to 1.
        alpha: weight, one number or one per class. Defaults to 0.25.
        gamma: focusing parameter that down-weights easy samples. Defaults to 2.0.
        from_logits: whether `y_pred` are logits. Defaults to False.
        ignore_class: a label whose samples are ignored: their values are 0 and masked. None ignores none.
        axis: the axis of the classes, which is reduced. Defaults to -1.

    Example:

        print(cornu.losses.sparse_categorical_focal_crossentropy([1], [[0.5, 0.5]]))  # [0.0433]

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """
    name = "sparse_categorical_focal_crossentropy"
    labels, y_pred, axis = _labels_and_predictions(y_true, y_pred, axis, name)
    classes, weight = y_pred.shape[axis], jnp.asarray(alpha, y_pred.dtype)
    if weight.shape not in ((), (1,), (classes,)):
        raise ValueError(f"{name}: alpha must be one number or {classes}, one per class. Received: alpha={alpha}.")
    probability = _normalized(jax.nn.softmax(y_pred, axis) if from_logits else y_pred, axis)
    weight = weight.reshape([-1 if i == axis else 1 for i in range(y_pred.ndim)])
    of_classes = -weight * jnp.power(1.0 - probability, gamma) * jnp.log(probability)
    known = (labels >= 0) & (labels < classes)
    return _without_class(jnp.where(known, _of_labels(of_classes, labels, axis), jnp.nan), labels, ignore_class)


def _labels_and_predictions(y_true: Tensor, y_pred: Tensor, axis: int, name: str) -> tuple[jax.Array, jax.Array, int]:
    y_pred = as_float(y_pred)
    axis = validate.axis(axis, y_pred.ndim, name)
    return _labels_without_axis(jnp.asarray(y_true).astype("int32"), y_pred, axis), y_pred, axis


def _without_class(values: jax.Array, labels: jax.Array, ignore_class: int | None) -> jax.Array:
    if ignore_class is None:
        return values
    counts = labels != ignore_class
    values = jnp.where(counts, values, jnp.zeros((), values.dtype))
    set_mask(values, counts)
    return values


@rowwise
@op
def categorical_generalized_cross_entropy(y_true: Tensor, y_pred: Tensor, q: float) -> jax.Array:
    """`(1 - p[y_true]^q) / q`: between cross-entropy (q to 0) and absolute error (q to 1), robust to noisy labels.

    Args:
        y_true: integer labels `(...)` or `(..., 1)`.
        y_pred: probabilities `(..., classes)`; the result has shape `(...)`.
        q: between 0 and 1, exclusive.

    Example:

        print(cornu.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5))  # [1.]

    Paper: Zhang and Sabuncu, "Generalized cross entropy loss", https://arxiv.org/abs/1805.07836.
    """
    _check_q(q, "categorical_generalized_cross_entropy")
    y_pred = as_float(y_pred)
    axis = y_pred.ndim - 1
    labels = _labels_without_axis(jnp.asarray(y_true).astype("int32"), y_pred, axis)
    return (1.0 - jnp.power(_of_labels(y_pred, labels, axis), q)) / q


@rowwise
@op
def kl_divergence(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Kullback-Leibler divergence, `sum(y_true * log(y_true / y_pred))` over the last axis.

    Args:
        y_true, y_pred: probabilities `(..., classes)`, clipped slightly above 0; the result has shape `(...)`.

    Example:

        print(cornu.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]))  # [0.1438]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    y_true, y_pred = (jnp.clip(y, _epsilon(y), jnp.ones((), y.dtype)) for y in (y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@rowwise
@op
def poisson(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Mean of `y_pred - y_true * log(y_pred)` over the last axis: counts `y_true` at predicted rates `y_pred`.

    Args:
        y_true, y_pred: arrays of the same shape `(..., d)`; the result has shape `(...)`.

    Example:

        print(cornu.losses.poisson([[1.0]], [[1.0]]))  # [1.]
    """
    y_true, y_pred = predictions_and_labels(y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + _epsilon(y_pred)), axis=-1)


# ---------------------------------------------------------------- parts


def _epsilon(like: jax.Array) -> jax.Array:
    return jnp.asarray(settings.epsilon(), like.dtype)


def _smooth(y_true: jax.Array, amount: float, classes: int) -> jax.Array:
    return y_true * (1.0 - amount) + amount / classes if amount else y_true


def _clipped(probability: jax.Array) -> jax.Array:
    return jnp.clip(probability, _epsilon(probability), 1.0 - _epsilon(probability))


def _normalized(probability: jax.Array, axis: int) -> jax.Array:
    return _clipped(probability / jnp.sum(probability, axis=axis, keepdims=True))


def _binary(y_true: jax.Array, y_pred: jax.Array, from_logits: bool) -> jax.Array:
    """Binary cross-entropy of each element."""
    if from_logits:
        log_p, log_not_p = jax.nn.log_sigmoid(y_pred), jax.nn.log_sigmoid(-y_pred)
    else:
        probability = _clipped(y_pred)
        log_p, log_not_p = jnp.log(probability), jnp.log(1.0 - probability)
    return -(y_true * log_p + (1.0 - y_true) * log_not_p)


def _of_labels(values: jax.Array, labels: jax.Array, axis: int) -> jax.Array:
    """The values of the labeled classes along `axis`, 0 for labels out of range."""
    in_range = (labels >= 0) & (labels < values.shape[axis])
    index = jnp.expand_dims(jnp.where(in_range, labels, 0), axis)
    chosen = jnp.squeeze(jnp.take_along_axis(values, index, axis=axis), axis)
    return jnp.where(in_range, chosen, jnp.zeros((), values.dtype))


def _labels_without_axis(labels: jax.Array, y_pred: jax.Array, axis: int) -> jax.Array:
    """Integer labels of the shape of `y_pred` without `axis`."""
    expected = y_pred.shape[:axis] + y_pred.shape[axis + 1 :]
    if labels.ndim == y_pred.ndim and labels.shape[axis] == 1:
        labels = jnp.squeeze(labels, axis)
    elif labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.ndim != len(expected) or any(a != b for a, b in zip(labels.shape, expected, strict=True)):
        raise ValueError(
            f"Integer labels must have the shape of the predictions without the class axis, {expected}. "
            f"Received: y_true.shape={labels.shape}, y_pred.shape={y_pred.shape}."
        )
    return labels


def _same_shape(y_true: jax.Array, y_pred: jax.Array, name: str) -> None:
    if y_true.ndim != y_pred.ndim or any(a != b for a, b in zip(y_true.shape, y_pred.shape, strict=True)):
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )


def _check_q(q: float, owner: object) -> None:
    if not 0 < q < 1:
        raise ValueError(
            f"{validate.describe(owner)}: q must be between 0 and 1, exclusive. Received: q={validate.shown(q)}."
        )


def _warn_of_one_class(y_pred: jax.Array, axis: int, name: str) -> None:
    if y_pred.shape[axis] == 1:
        warnings.warn(
            f"{name}: the predictions have only one class, y_pred.shape={y_pred.shape}, so the loss is always 0. "
            "For two classes, use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=3,
        )


# ---------------------------------------------------------------- classes


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy between labels 0 and 1 and the predicted probability of 1.

    Args:
        from_logits: whether predictions are logits (any real number) rather than probabilities. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward 0.5. Defaults to 0.0.
        axis: the axis to average over. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.BinaryCrossentropy()
        print(loss([[0.0, 1.0]], [[0.5, 0.5]]))  # 0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            binary_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy that down-weights easy samples.

    Args:
        apply_class_balancing: whether to weight label 1 by `alpha` and label 0 by `1 - alpha`. Defaults to False.
        alpha: weight of label 1 if `apply_class_balancing`. Defaults to 0.25.
        gamma: focusing parameter that down-weights easy samples; 0 is the plain cross-entropy. Defaults to 2.0.
        from_logits: whether predictions are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward 0.5. Defaults to 0.0.
        axis: the axis to average over. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.BinaryFocalCrossentropy(gamma=2.0)
        print(loss([[0.0, 1.0]], [[0.5, 0.5]]))  # 0.1733

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between one-hot labels and predicted probabilities of the classes.

    Args:
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward `1 / classes`. Defaults to 0.0.
        axis: the axis of the classes. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CategoricalCrossentropy()
        print(loss([[0, 1]], [[0.5, 0.5]]))  # 0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy that down-weights easy samples.

    Args:
        alpha: weight, one number or one per class. Defaults to 0.25.
        gamma: focusing parameter that down-weights easy samples. Defaults to 2.0.
        from_logits: whether predictions are logits. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward `1 / classes`. Defaults to 0.0.
        axis: the axis of the classes. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CategoricalFocalCrossentropy()
        print(loss([[0, 1]], [[0.5, 0.5]]))  # 0.0433

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between integer labels and predicted probabilities of the classes.

    Args:
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        ignore_class: a label whose samples are ignored, such as 255 or -1; None ignores none.
        reduction: how the per-sample values are reduced, see `Loss`.
        axis: the axis of the classes. Defaults to -1.
        label_smoothing: from 0 to 1: the share of each label that is spread evenly over all classes. Defaults to 0.0.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.SparseCategoricalCrossentropy()
        print(loss([1], [[0.5, 0.5]]))  # 0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        label_smoothing: float = 0.0,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
            label_smoothing=label_smoothing,
        )

    def get_config(self) -> ConfigDict:
        """The constructor's arguments as plain data, without what Keras before 3.16 does not know if it is not used."""
        config = super().get_config()
        return config if config["label_smoothing"] else {k: v for k, v in config.items() if k != "label_smoothing"}


class SparseCategoricalFocalCrossentropy(LossFunctionWrapper):
    """Cross-entropy for integer labels with a focus on hard samples: `-alpha * (1 - p)^gamma * log(p)`.

    Args:
        alpha: weight, one number or one per class. Defaults to 0.25.
        gamma: focusing parameter that down-weights easy samples. Defaults to 2.0.
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        ignore_class: a label whose samples are ignored, such as 255 or -1; None ignores none.
        axis: the axis of the classes. Defaults to -1.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.SparseCategoricalFocalCrossentropy()
        print(loss([1], [[0.5, 0.5]]))  # 0.0433

    Paper: Lin et al., "Focal loss for dense object detection", https://arxiv.org/abs/1708.02002.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "sparse_categorical_focal_crossentropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            sparse_categorical_focal_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """A loss between cross-entropy and absolute error, robust to noisy integer labels.

    Args:
        q: between 0 (cross-entropy) and 1 (absolute error), exclusive. Defaults to 0.5.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CategoricalGeneralizedCrossEntropy(q=0.5)
        print(loss([1], [[0.75, 0.25]]))  # 1.0

    Paper: Zhang and Sabuncu, "Generalized cross entropy loss", https://arxiv.org/abs/1805.07836.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(categorical_generalized_cross_entropy, name=name, reduction=reduction, dtype=dtype, q=q)
        _check_q(q, self)


class KLDivergence(LossFunctionWrapper):
    """Kullback-Leibler divergence between true and predicted distributions.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.KLDivergence()
        print(loss([[0.5, 0.5]], [[0.25, 0.75]]))  # 0.1438
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(kl_divergence, name=name, reduction=reduction, dtype=dtype)


class Poisson(LossFunctionWrapper):
    """Negative log-likelihood of counts under predicted Poisson rates, up to a constant.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Poisson()
        print(loss([[1.0]], [[1.0]]))  # 1.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(poisson, name=name, reduction=reduction, dtype=dtype)
