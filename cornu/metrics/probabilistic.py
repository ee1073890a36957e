"""Probabilistic metrics: running means of the losses with the same names."""

from cornu.core.policy import PolicyLike
from cornu.losses.probabilistic import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from cornu.metrics.reduction import MeanMetricWrapper


class BinaryCrossentropy(MeanMetricWrapper):
    """Cross-entropy between labels 0 and 1 and the predicted probability of 1.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward 0.5.

    Example:

        metric = cornu.metrics.BinaryCrossentropy()
        print(metric([[0.0, 1.0]], [[0.5, 0.5]]))  # 0.6931
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: PolicyLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(
            binary_crossentropy, name=name, dtype=dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy between one-hot labels and predicted probabilities of the classes.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        label_smoothing: from 0 to 1; moves the labels toward `1 / classes`.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.CategoricalCrossentropy()
        print(metric([[0, 1]], [[0.5, 0.5]]))  # 0.6931
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: PolicyLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(
            categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy between integer labels and predicted probabilities of the classes.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.
        from_logits: whether predictions are logits rather than probabilities. Defaults to False.
        ignore_class: a label whose samples are ignored; None ignores none.
        axis: the axis of the classes. Defaults to -1.

    Example:

        metric = cornu.metrics.SparseCategoricalCrossentropy()
        print(metric([1], [[0.5, 0.5]]))  # 0.6931
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: PolicyLike | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


class KLDivergence(MeanMetricWrapper):
    """Kullback-Leibler divergence between true and predicted distributions.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.KLDivergence()
        print(metric([[0.5, 0.5]], [[0.25, 0.75]]))  # 0.1438
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "kl_divergence",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(kl_divergence, name=name, dtype=dtype)


class Poisson(MeanMetricWrapper):
    """Negative log-likelihood of counts under predicted Poisson rates, up to a constant.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Poisson()
        print(metric([[1.0]], [[1.0]]))  # 1.0
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "poisson",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(poisson, name=name, dtype=dtype)
