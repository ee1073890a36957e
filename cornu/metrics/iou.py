"""Intersection over union: how well predicted and true classes overlap, from a confusion matrix."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core.policy import PolicyLike
from cornu.core.typing import ArrayLike, Tensor
from cornu.losses.loss import align, as_arrays, as_float, divide_no_nan
from cornu.metrics.metric import Metric


class _FromConfusionMatrix(Metric):
    """Base of the metrics that keep a confusion matrix, with true classes as rows and predicted classes as columns."""

    _direction = "up"
    ignores_zero_weights = True

    def __init__(
        self, num_classes: int, name: str | None, dtype: Any, ignore_class: int | None, sparse_y_true: bool,
        sparse_y_pred: bool, axis: int,
    ):  # fmt: skip
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = validate.positive_int(num_classes, "num_classes", self)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((self.num_classes, self.num_classes), "zeros", name="total_confusion_matrix")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true, y_pred: integer classes of the same shape, or one-hot or scores along `axis`.
            sample_weight: one number per row, or of the classes' shape, in the metric's dtype: for weights that are not
                integers, create the metric with `dtype="float32"`.
        """
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        if y_true.size != y_pred.size:
            raise ValueError(
                f"{validate.describe(self)}: y_true and y_pred must be classes of the same shape. Received: "
                f"{y_true.shape} and {y_pred.shape}. For scores of each class, pass the largest, "
                "np.argmax(y_pred, axis=-1), or create the metric with sparse_y_pred=False."
            )
        weights = jnp.ones((), self.dtype)
        if sample_weight is not None:
            self._check_weights(sample_weight)
            weights, _ = align(as_arrays(sample_weight, self.dtype), y_true)
        y_true, y_pred, weights = (jnp.ravel(x) for x in (y_true, y_pred, jnp.broadcast_to(weights, y_true.shape)))
        if self.ignore_class is not None:
            weights = jnp.where(y_true == self.ignore_class, jnp.zeros((), self.dtype), weights)
        in_range = (y_true >= 0) & (y_true < self.num_classes) & (y_pred >= 0) & (y_pred < self.num_classes)
        cell = jnp.where(in_range, y_true * self.num_classes + y_pred, 0)
        weights = jnp.where(in_range, weights, jnp.zeros((), self.dtype))
        counts = jax.ops.segment_sum(weights, cell, num_segments=self.num_classes**2)
        matrix = counts.reshape(self.num_classes, self.num_classes)
        self.total_cm.assign(self.total_cm + matrix)

    def _classes(self, y: Tensor, sparse: bool) -> jax.Array:
        y = as_arrays(y)
        return (y if sparse else jnp.argmax(y, axis=self.axis)).astype("int32")

    def _check_weights(self, sample_weight: object) -> None:
        """Reject fractional weights in a matrix of integers, where they would all count as 0."""
        if "int" not in self.dtype or isinstance(sample_weight, jax.core.Tracer):
            return
        weights = np.asarray(as_arrays(sample_weight))
        if np.any(weights != np.round(weights)):
            raise ValueError(
                f"{validate.describe(self)}: sample_weight contains fractions, but the metric counts in {self.dtype}. "
                'Create it with dtype="float32".'
            )


class IoU(_FromConfusionMatrix):
    """Mean over the target classes of tp / (tp + fp + fn).

    Args:
        num_classes: number of classes.
        target_class_ids: the classes to average over.
        name: name.
        dtype: dtype of the confusion matrix; None is int32. Weights that are not integers need "float32".
        ignore_class: a label whose elements are ignored, such as 255 or -1; None ignores none.
        sparse_y_true: whether labels are integers rather than one-hot along `axis`. Defaults to True.
        sparse_y_pred: whether predictions are integers rather than scores along `axis`. Defaults to True.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.IoU(num_classes=2, target_class_ids=[0])
        print(metric([0, 0, 1, 1], [0, 1, 0, 1]))  # 0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        every = isinstance(target_class_ids, range)  # which takes no memory, whatever its length
        self.target_class_ids = target_class_ids if every else list(target_class_ids)
        wrong = [] if every else [i for i in self.target_class_ids if not -num_classes <= i < num_classes]
        if wrong or not self.target_class_ids:
            raise ValueError(
                f"{validate.describe(self)}: target_class_ids must be classes from 0 to {num_classes - 1}. "
                f"Received: target_class_ids={self.target_class_ids}."
            )

    def result(self) -> jax.Array:
        """The mean over the target classes that have occurred."""
        matrix = self.total_cm.value.astype("float32")
        hits = jnp.diagonal(matrix)
        union = jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - hits
        chosen = np.asarray(self.target_class_ids)
        hits, union = hits[chosen], union[chosen]
        return divide_no_nan(jnp.sum(divide_no_nan(hits, union)), jnp.sum((union > 0).astype(matrix.dtype)))


class BinaryIoU(IoU):
    """Intersection over union of two classes separated by a threshold.

    Args:
        target_class_ids: the classes to average over: `[0]`, `[1]` or `[0, 1]`. Defaults to `(0, 1)`.
        threshold: predictions of at least this are class 1. Defaults to 0.5.
        name: name.
        dtype: dtype of the confusion matrix; None is int32. Weights that are not integers need "float32".

    Example:

        metric = cornu.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
        print(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]))  # 0.3333
    """

    ignores_zero_weights = True

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: PolicyLike | None = None,
    ):
        super().__init__(num_classes=2, target_class_ids=target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels 0 and 1.
            y_pred: probabilities of the same shape.
            sample_weight: one number per row, or per element, of the shape or its leading axes.
        """
        super().update_state(y_true, as_float(as_arrays(y_pred)) >= self.threshold, sample_weight)


class MeanIoU(IoU):
    """Intersection over union, averaged over all classes that have occurred.

    Args:
        num_classes: number of classes.
        name: name.
        dtype: dtype of the confusion matrix; None is int32. Weights that are not integers need "float32".
        ignore_class: a label whose elements are ignored; None ignores none.
        sparse_y_true: whether labels are integers rather than one-hot along `axis`. Defaults to True.
        sparse_y_pred: whether predictions are integers rather than scores along `axis`. Defaults to True.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.MeanIoU(num_classes=2)
        print(metric([0, 0, 1, 1], [0, 1, 0, 1]))  # 0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """Intersection over union of the target classes, for one-hot labels.

    Args:
        num_classes: number of classes.
        target_class_ids: the classes to average over.
        name: name.
        dtype: dtype of the confusion matrix; None is int32. Weights that are not integers need "float32".
        ignore_class: a label whose elements are ignored; None ignores none.
        sparse_y_pred: whether predictions are integers rather than scores along `axis`. Defaults to False.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.OneHotIoU(num_classes=2, target_class_ids=[0])
        print(metric([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]))  # 0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """Intersection over union averaged over all classes that have occurred, for one-hot labels.

    Args:
        num_classes: number of classes.
        name: name.
        dtype: dtype of the confusion matrix; None is int32. Weights that are not integers need "float32".
        ignore_class: a label whose elements are ignored; None ignores none.
        sparse_y_pred: whether predictions are integers rather than scores along `axis`. Defaults to False.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.OneHotMeanIoU(num_classes=2)
        print(metric([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]))  # 0.5
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
