"""Hinge metrics: running means of the hinge losses."""

from cornu.core.policy import PolicyLike
from cornu.losses.margin import categorical_hinge, hinge, squared_hinge
from cornu.metrics.reduction import MeanMetricWrapper


class Hinge(MeanMetricWrapper):
    """Mean of `max(1 - y_true * y_pred, 0)`, for labels -1 and 1 (or 0 and 1).

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Hinge()
        print(metric([[1.0, -1.0]], [[0.5, -2.0]]))  # 0.25
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(hinge, name=name, dtype=dtype)


class SquaredHinge(MeanMetricWrapper):
    """Mean of `max(1 - y_true * y_pred, 0)²`, for labels -1 and 1 (or 0 and 1).

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.SquaredHinge()
        print(metric([[1.0, -1.0]], [[0.5, -2.0]]))  # 0.125
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "squared_hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(squared_hinge, name=name, dtype=dtype)


class CategoricalHinge(MeanMetricWrapper):
    """`max(1 + neg - pos, 0)`: penalizes wrong classes that score within a margin of 1 of the right one.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.CategoricalHinge()
        print(metric([[0, 1]], [[0.6, 0.4]]))  # 1.2
    """

    _direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_hinge",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(categorical_hinge, name=name, dtype=dtype)
