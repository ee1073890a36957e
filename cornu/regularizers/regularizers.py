"""Penalties on weights and activities: a regularizer maps a tensor to a number that is added to the loss."""

import math
import numbers
from typing import Any

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core import border
from cornu.core.configurable import Configurable
from cornu.kernels import norm

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "l1", "l1_l2", "l2", "orthogonal_regularizer"]


class Regularizer(Configurable):
    """Base of all regularizers: `regularizer(x)` is a scalar penalty, here 0.

    Subclass it and implement `__call__`; arguments stored as attributes of the same name form the config.

    Example:

        class Mean(cornu.regularizers.Regularizer):
            def __call__(self, x):
                return 0.1 * cornu.ops.mean(x)
    """

    def __call__(self, x: object) -> Any:
        """The penalty on the tensor `x`."""
        return 0.0


class L1L2(Regularizer):
    """Penalty `l1 * sum(|x|) + l2 * sum(x**2)`.

    Args:
        l1: factor of the absolute values, 0 or more; None is 0.
        l2: factor of the squares, 0 or more; None is 0.

    Example:

        penalty = cornu.regularizers.L1L2(l1=0.01, l2=0.01)
        print(penalty(np.array([3.0, -4.0], "float32")))  # 0.32
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = _factor(0.0 if l1 is None else l1, "l1", self)
        self.l2 = _factor(0.0 if l2 is None else l2, "l2", self)

    def __call__(self, x: object) -> jax.Array:
        x = _array(x)
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty = penalty + self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty = penalty + self.l2 * jnp.sum(jnp.square(x))
        return penalty


class L1(Regularizer):
    """Penalty `l1 * sum(|x|)`, which drives weights to exactly zero.

    Args:
        l1: factor, 0 or more; None is 0.01.

    Example:

        print(cornu.regularizers.L1(0.1)(np.array([3.0, -4.0], "float32")))  # 0.7
    """

    def __init__(self, l1: float | None = 0.01):
        self.l1 = _factor(0.01 if l1 is None else l1, "l1", self)

    def __call__(self, x: object) -> jax.Array:
        return self.l1 * jnp.sum(jnp.abs(_array(x)))


class L2(Regularizer):
    """Penalty `l2 * sum(x**2)`, which keeps weights small.

    Args:
        l2: factor, 0 or more; None is 0.01.

    Example:

        print(cornu.regularizers.L2(0.1)(np.array([3.0, -4.0], "float32")))  # 2.5
    """

    def __init__(self, l2: float | None = 0.01):
        self.l2 = _factor(0.01 if l2 is None else l2, "l2", self)

    def __call__(self, x: object) -> jax.Array:
        return self.l2 * jnp.sum(jnp.square(_array(x)))


class OrthogonalRegularizer(Regularizer):
    """Penalty `factor * mean(|cos|)` over all pairs of rows (or columns) of a matrix, which makes them orthogonal.

    Args:
        factor: strength, 0 or more. Defaults to 0.01.
        mode: `"rows"` or `"columns"`: the vectors to make orthogonal. Defaults to `"rows"`.

    Example:

        penalty = cornu.regularizers.OrthogonalRegularizer(0.01)
        print(penalty(np.eye(3, dtype="float32")))  # 0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor(factor, "factor", self)
        self.mode = validate.one_of(mode, ("rows", "columns"), "mode", self)

    def __call__(self, x: object) -> jax.Array:
        x = _array(x)
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: the tensor must be a matrix. Received: shape={x.shape}.")
        vectors = x if self.mode == "rows" else x.T
        vectors = norm.unit_normalize(vectors, (1,), 1e-6)
        count = vectors.shape[0]
        cosines = jnp.abs(vectors @ vectors.T) * (1 - jnp.eye(count, dtype=x.dtype))  # (count, count)
        return self.factor * jnp.sum(cosines) / max(count * (count - 1), 1)


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def _factor(value: float, name: str, owner: Regularizer) -> float:
    """`value` as a finite float of at least zero."""
    good = isinstance(value, numbers.Real) and math.isfinite(value) and float(value) >= 0
    if not good:
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be a finite non-negative number. "
            f"Received: {name}={validate.shown(value)}."
        )
    return float(value)


def _array(x: object) -> jax.Array:
    x = jnp.asarray(border.to_tensor(x, "A regularizer"))
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(settings.floatx())
