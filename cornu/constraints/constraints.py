"""Constraints on weights: after every update the optimizer replaces a weight `w` by `constraint(w)`."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cornu import settings
from cornu.core import border
from cornu.core.configurable import Configurable

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "unit_norm",
]

Axes = int | Sequence[int]


class Constraint(Configurable):
    """Base of all constraints: `constraint(w)` is the nearest allowed value, here `w` itself.

    Subclass it and write `__call__`; arguments kept as attributes of the same name make up the config.

    Example:

        class Bounded(cornu.constraints.Constraint):
            def __call__(self, w):
                return cornu.ops.clip(w, -1.0, 1.0)
    """

    def __call__(self, w: object) -> jax.Array:
        """The allowed value that takes the place of `w`."""
        return _array(w)


class MaxNorm(Constraint):
    """Scale down every weight vector that is longer than `max_value`.

    Args:
        max_value: longest norm allowed. Defaults to 2.
        axis: axis or axes of one vector: 0 for a Dense kernel `(inputs, units)`, `[0, 1, 2]` for a Conv2D kernel.

    Example:

        constraint = cornu.constraints.MaxNorm(1.0)
        print(constraint(np.array([[3.0], [4.0]], "float32")))  # [[0.6], [0.8]]

    Paper: Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: object) -> jax.Array:
        w = _array(w)
        norm = _norm(w, self.axis)
        return w * (jnp.clip(norm, 0, self.max_value) / (norm + settings.epsilon()))


class MinMaxNorm(Constraint):
    """Bring the length of every weight vector between two bounds, at once or by degrees.

    Args:
        min_value: shortest norm allowed. Defaults to 0.0.
        max_value: longest norm allowed. Defaults to 1.0.
        rate: share of the way to the bound that one update goes, from 0 to 1. Defaults to 1.0.
        axis: axis or axes of one vector, as in `MaxNorm`.

    Example:

        constraint = cornu.constraints.MinMaxNorm(min_value=1.0, max_value=2.0)
        print(constraint(np.array([[0.3], [0.4]], "float32")))  # [[0.6], [0.8]]
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: object) -> jax.Array:
        w = _array(w)
        norm = _norm(w, self.axis)
        wanted = self.rate * jnp.clip(norm, self.min_value, self.max_value) + (1 - self.rate) * norm
        return w * (wanted / (norm + settings.epsilon()))


class NonNeg(Constraint):
    """Replace negative weights by zero.

    Example:

        print(cornu.constraints.NonNeg()(np.array([-1.0, 2.0], "float32")))  # [0. 2.]
    """

    def __call__(self, w: object) -> jax.Array:
        w = _array(w)
        return jnp.where(w < 0, jnp.zeros((), w.dtype), w)  # NaN stays to be seen


class UnitNorm(Constraint):
    """Scale every weight vector to length 1.

    Args:
        axis: axis or axes of one vector, as in `MaxNorm`.

    Example:

        print(cornu.constraints.UnitNorm()(np.array([[3.0], [4.0]], "float32")))  # [[0.6], [0.8]]
    """

    def __init__(self, axis: Axes = 0):
        self.axis = axis

    def __call__(self, w: object) -> jax.Array:
        w = _array(w)
        return w / (_norm(w, self.axis) + settings.epsilon())


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm


def _norm(w: jax.Array, axis: Axes) -> jax.Array:
    """Euclidean length along `axis`, which stays as a dimension of 1."""
    axis = tuple(axis) if isinstance(axis, Sequence) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axis, keepdims=True))


def _array(w: object) -> jax.Array:
    return jnp.asarray(border.to_tensor(w, "A constraint", "w"))
