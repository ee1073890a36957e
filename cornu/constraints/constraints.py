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

    Subclass it and implement `__call__`; arguments stored as attributes of the same name form the config.

    Example:

        class Bounded(cornu.constraints.Constraint):
            def __call__(self, w):
                return cornu.ops.clip(w, -1.0, 1.0)
    """

    def __call__(self, w: object) -> jax.Array:
        """The allowed value that replaces `w`."""
        return _array(w)


class MaxNorm(Constraint):
    """Scales down every weight vector whose norm exceeds `max_value`.

    Args:
        max_value: maximum norm. Defaults to 2.
        axis: axis or axes of one vector: 0 for a Dense kernel `(inputs, units)`, `[0, 1, 2]` for a Conv2D kernel.
        Defaults to 0.

    Example:

        constraint = cornu.constraints.MaxNorm(1.0)
        print(constraint(np.array([[3.0], [4.0]], "float32")))  # [[0.6] [0.8]]

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
    """Constrains the norm of every weight vector between two bounds, immediately or gradually.

    Args:
        min_value: minimum norm. Defaults to 0.0.
        max_value: maximum norm. Defaults to 1.0.
        rate: fraction of the distance to the bound covered by one update, from 0 to 1. Defaults to 1.0.
        axis: axis or axes of one vector, as in `MaxNorm`.

    Example:

        constraint = cornu.constraints.MinMaxNorm(min_value=1.0, max_value=2.0)
        print(constraint(np.array([[0.3], [0.4]], "float32")))  # [[0.6] [0.8]]
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
    """Replaces negative weights by zero.

    Example:

        print(cornu.constraints.NonNeg()(np.array([-1.0, 2.0], "float32")))  # [0. 2.]
    """

    def __call__(self, w: object) -> jax.Array:
        w = _array(w)
        return jnp.where(w < 0, jnp.zeros((), w.dtype), w)  # NaN is preserved


class UnitNorm(Constraint):
    """Scales every weight vector to norm 1.

    Args:
        axis: axis or axes of one vector, as in `MaxNorm`.

    Example:

        print(cornu.constraints.UnitNorm()(np.array([[3.0], [4.0]], "float32")))  # [[0.6] [0.8]]
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
    """Euclidean norm along `axis`, which is kept with size 1."""
    axis = tuple(axis) if isinstance(axis, Sequence) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axis, keepdims=True))


def _array(w: object) -> jax.Array:
    return jnp.asarray(border.to_tensor(w, "A constraint", "w"))
