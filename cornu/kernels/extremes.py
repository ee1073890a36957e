"""The largest and smallest values along axes, with a gradient that does not depend on rounding.

The gradient is shared equally among the elements that equal the extreme. A compiler may compute the elements once for
the extreme and again for the comparison, with different rounding: then none is equal, and JAX's own gradient divides by
zero. Here both read the same array, and the count is at least one.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from cornu.core.typing import AnyFunction

Axes = tuple[int, ...] | int | None


def largest(x: jax.Array, axes: Axes, keepdims: bool = False) -> jax.Array:
    """The largest values along axes; None for all."""
    return _of(jnp.max, _largest, x, axes, keepdims)


def smallest(x: jax.Array, axes: Axes, keepdims: bool = False) -> jax.Array:
    """The smallest values along axes; None for all."""
    return _of(jnp.min, _smallest, x, axes, keepdims)


def _of(find: AnyFunction, extreme: AnyFunction, x: jax.Array, axes: Axes, keepdims: bool) -> jax.Array:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return find(x, axes, keepdims=keepdims)
    found = extreme(x, axes)
    return found if keepdims else jnp.squeeze(found, axes)


def _differentiable(find: AnyFunction) -> AnyFunction:
    @functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
    def extreme(x: jax.Array, axes: Axes) -> jax.Array:
        return find(x, axes, keepdims=True)

    @extreme.defjvp
    def _derivative(
        axes: Axes, values: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
    ) -> tuple[jax.Array, jax.Array]:
        x = lax.optimization_barrier(values[0])
        found = extreme(x, axes)
        chosen = (x == found).astype(jnp.promote_types(x.dtype, jnp.float32))
        count = jnp.maximum(jnp.sum(chosen, axes, keepdims=True), 1)
        change = jnp.sum(chosen * tangents[0], axes, keepdims=True) / count
        return found, change.astype(x.dtype)

    return extreme


_largest, _smallest = _differentiable(jnp.max), _differentiable(jnp.min)
