"""Running means and sums, and the running mean of a function of labels and predictions."""

import jax
import jax.numpy as jnp

from cornu.core.masks import get_mask
from cornu.core.policy import PolicyLike
from cornu.core.typing import AnyFunction, ArrayLike, ConfigDict, Tensor
from cornu.losses.loss import (
    as_arrays,
    check_weights,
    divide_no_nan,
    is_rowwise,
    masked_weights,
    returned,
    same_rank,
)
from cornu.metrics.metric import Metric


def one_value_a_sample(
    values: Tensor, sample_weight: object, reduce: AnyFunction, dtype: str
) -> tuple[jax.Array, jax.Array | None]:
    """(weighted values, weights), each reduced by `reduce` (a mean or a sum) to one number per sample.

    Weights with fewer axes than the values apply to the leading axes; the values are reduced to those first.
    """
    mask = get_mask(values)
    values = as_arrays(values, dtype)
    if sample_weight is None:
        return reduce(values, axis=tuple(range(1, values.ndim))), None
    weights = masked_weights(as_arrays(sample_weight, dtype), mask, "sum", dtype)
    values, weights = same_rank(values, weights)
    if weights.ndim < values.ndim:
        values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
    check_weights(weights.shape, values.shape)
    if values.ndim == 0 and weights.ndim > 0:
        raise ValueError(
            f"There is only one value to weight, but sample_weight has shape {weights.shape}. Predictions of rank 1 "
            "are "
            "a single sample: add a second axis, or omit sample_weight."
        )
    weights = jnp.broadcast_to(weights, values.shape)
    inner = tuple(range(1, values.ndim))
    return reduce(values * weights, axis=inner), reduce(weights, axis=inner)


class Mean(Metric):
    """The mean of all values so far, weighted by `sample_weight`.

    Values of rank 2 and more are averaged within each sample first.

    Args:
        name: name.
        dtype: dtype of the variables; None is floatx.

    Example:

        metric = cornu.metrics.Mean()
        metric.update_state([1.0, 3.0, 5.0])
        print(metric.result())  # 3.0
    """

    ignores_zero_weights = True

    def __init__(self, name: str | None = "mean", dtype: PolicyLike | None = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: object, sample_weight: ArrayLike | None = None) -> None:
        """Add values.

        Args:
            values: numbers `(batch, ...)`.
            sample_weight: `(batch,)`, or with more of the values' axes.
        """
        values, weights = one_value_a_sample(values, sample_weight, jnp.mean, self.dtype)
        self.total.assign(self.total + jnp.sum(values))
        self.count.assign(self.count + (jnp.asarray(values.size, self.dtype) if weights is None else jnp.sum(weights)))

    def result(self) -> jax.Array:
        """The mean, or 0 if there are no values."""
        return divide_no_nan(self.total.value, self.count.value)


class Sum(Metric):
    """The sum of all values so far, weighted by `sample_weight`.

    Args:
        name: name.
        dtype: dtype of the variable; None is floatx.

    Example:

        metric = cornu.metrics.Sum()
        metric.update_state([1.0, 3.0])
        print(metric.result())  # 4.0
    """

    ignores_zero_weights = True

    def __init__(self, name: str | None = "sum", dtype: PolicyLike | None = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: object, sample_weight: ArrayLike | None = None) -> None:
        """Add values.

        Args:
            values: numbers `(batch, ...)`.
            sample_weight: `(batch,)`, or with more of the values' axes.
        """
        values, _ = one_value_a_sample(values, sample_weight, jnp.sum, self.dtype)
        self.total.assign(self.total + jnp.sum(values))

    def result(self) -> jax.Array:
        """The sum."""
        return self.total.value


class MeanMetricWrapper(Mean):
    """The mean of a function of `(y_true, y_pred)` that returns one value per sample.

    Args:
        fn: the function.
        name: name.
        dtype: dtype of the variables; None is floatx.
        **kwargs: additional arguments of the function.

    Example:

        metric = cornu.metrics.MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="gap")
        metric.update_state(np.array([0.0, 2.0]), np.array([1.0, 5.0]))
        print(metric.result())  # 2.0
    """

    def __init__(self, fn: AnyFunction, name: str | None = None, dtype: PolicyLike | None = None, **kwargs: object):
        super().__init__(name=name, dtype=dtype)
        self.fn = fn
        self.option_names = tuple(kwargs)
        for option, value in kwargs.items():
            setattr(self, option, value)

    @property
    def options(self) -> ConfigDict:
        """The function's arguments other than `y_true` and `y_pred`."""
        return {name: getattr(self, name) for name in self.option_names}

    @property
    def ignores_zero_weights(self) -> bool:  # type: ignore[override]
        """Whether rows of weight 0 do not affect the result: if each row has its own value."""
        return is_rowwise(self.fn, self.options)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Add a batch.

        Args:
            y_true, y_pred: labels and predictions; the predictions' mask is respected.
            sample_weight: `(batch,)`, or with more axes of the function's values.
        """
        mask = get_mask(y_pred)
        y_true, y_pred = (as_arrays(y, self.dtype, keep_integers=True) for y in (y_true, y_pred))
        weights = None if sample_weight is None else as_arrays(sample_weight, self.dtype)
        values = returned(self.fn(*same_rank(y_true, y_pred), **self.options), self)
        super().update_state(values, masked_weights(weights, mask, "sum", self.dtype))

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, including the function and its arguments."""
        config = super().get_config()
        return {**config, **self.options} if "fn" in config else config
