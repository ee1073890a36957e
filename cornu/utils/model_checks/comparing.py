"""Whether two runs are equal, and the first layer that makes them differ."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cornu import registry
from cornu.core.typing import AnyFunction, AnyTuple
from cornu.models.model import Model
from cornu.utils.model_checks.running import Record

ROUNDING = 1e-5  # relative to the largest value, if the same operations run


def everything(x: jax.Array, mask: jax.Array | None) -> jax.Array | None:
    return x


def same(
    a: jax.Array, b: jax.Array, part: AnyFunction = everything, mask: object = None, tolerance: float = ROUNDING
) -> bool:
    """Whether the parts of two arrays are equal up to rounding; missing parts are.

    Args:
        a, b: the arrays.
        part: function of an array and its mask; returns None if an array has no such part.
        mask: the mask of `a`.
        tolerance: tolerance relative to the largest value.
    """
    if a.shape != b.shape:
        return False
    a, b = part(a, mask), part(b, mask)
    if a is None or b is None or not a.size:
        return True
    if not jnp.issubdtype(a.dtype, jnp.inexact):
        return bool((a == b).all())
    x, y = (np.asarray(each, "complex128" if jnp.iscomplexobj(each) else "float64") for each in (a, b))
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(np.where(finite, 0, x), np.where(finite, 0, y), equal_nan=True):
        return False
    x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    return bool(np.abs(x - y).max(initial=0) <= tolerance * max(np.abs(x).max(initial=0), 1e-6))


def alike(some: Sequence[AnyTuple], others: Sequence[AnyTuple], part: AnyFunction = everything) -> bool:
    """Whether all pairs of (array, mask) have equal parts."""
    return all(same(a, b, part, mask) for (a, mask), (b, _) in zip(some, others, strict=False))


def first_difference(one: Record, other: Record, part: AnyFunction = everything) -> tuple[str | None, object]:
    """(path, operation) of the first call that made one run differ from the other; (None, None) if there is none."""
    for (path, operation, inputs, outputs), (_, _, others, results) in zip(one.calls, other.calls, strict=False):
        runs_a_graph = isinstance(operation, Model) and registry.is_builtin(type(operation).call)
        if not runs_a_graph and alike(inputs, others, part) and not alike(outputs, results, part):
            return path, operation
    return None, None
