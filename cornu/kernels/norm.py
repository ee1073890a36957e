"""Shifting and scaling to a common size: moments, and the normalizations built on them.

Moments are taken in at least 32 bits whatever the dtype of `x`; results have the dtype of `x`. Vectors of weights and
statistics lie along `axes` of `x` (one value per channel, say) and are broadcast along the others.

Batch normalization in training reads its input as few times as possible: both moments come from one pass, and the
gradient is written by hand. A one-pass variance `mean(c²) - mean(c)²` suffers from cancellation if |mean(c)| is much
larger than the standard deviation, so `x` is first shifted by the mean of the first example to give `c`. However
unusual that example is, it is a fraction f of the data, so mean(c)² <= variance / f, and the relative error of the
variance is at most about 1e-6 / f.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

Axes = Sequence[int]


def along(vector: jax.Array, x: jax.Array, axes: Axes) -> jax.Array:
    """`vector`, with one value per position along `axes` of `x`, reshaped to broadcast against `x`."""
    chosen = {axis % x.ndim for axis in axes}
    return jnp.reshape(vector, [size if axis in chosen else 1 for axis, size in enumerate(x.shape)])


def widened(x: jax.Array) -> jax.Array:
    """`x` in at least 32 bits."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def normalize(
    x: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    gamma: jax.Array | None,
    beta: jax.Array | None,
    axes: Axes,
    epsilon: float,
) -> jax.Array:
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, the vectors along `axes`; None omits one."""
    wide = widened(x)
    factor = lax.rsqrt(widened(variance) + epsilon)
    factor = factor if gamma is None else factor * gamma.astype(factor.dtype)
    wide = (wide - along(mean, x, axes).astype(wide.dtype)) * along(factor, x, axes)
    return _shifted(wide, beta, axes).astype(x.dtype)


def _shifted(wide: jax.Array, beta: jax.Array | None, axes: Axes) -> jax.Array:
    return wide if beta is None else wide + along(beta, wide, axes).astype(wide.dtype)


def _scaled(wide: jax.Array, gamma: jax.Array | None, axes: Axes) -> jax.Array:
    return wide if gamma is None else wide * along(gamma, wide, axes).astype(wide.dtype)


# ---------------------------------------------------------------- batch normalization


@functools.partial(jax.jit, static_argnums=(3, 4))  # a network's layers of one shape are traced and lowered once
def batch_normalize(
    x: jax.Array, gamma: jax.Array | None, beta: jax.Array | None, axis: int, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`x` normalized by its own moments over all axes but `axis`.

    Args:
        x: rank at least 2, examples along the first axis.
        gamma, beta: factors and offsets along `axis`; None means 1 and 0.
        axis: the axis of the channels.
        epsilon: added to the variance.

    Returns:
        (result, mean, variance), the two moments as vectors in at least 32 bits.
    """
    axis %= x.ndim
    dtype, size = jnp.promote_types(x.dtype, jnp.float32), (x.shape[axis],)
    gamma = jnp.ones(size, dtype) if gamma is None else gamma.astype(dtype)
    beta = jnp.zeros(size, dtype) if beta is None else beta.astype(dtype)
    return _batch_normalize(x, gamma, beta, axis, epsilon)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _batch_normalize(
    x: jax.Array, gamma: jax.Array, beta: jax.Array, axis: int, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    mean, variance = batch_moments(x, axis)
    return normalize(x, mean, variance, gamma, beta, (axis,), epsilon), mean, variance


@_batch_normalize.defjvp
def _batch_normalize_jvp(
    axis: int, epsilon: float, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array]]:
    """The tangent, arranged so that its transpose, the gradient, sums `dy` and `dy * z` only once each over `x`."""
    x, gamma, beta = primals
    dx, dgamma, dbeta = tangents
    mean, variance = batch_moments(x, axis)
    inverse = lax.rsqrt(variance + epsilon)
    rows = functools.partial(along, x=x, axes=(axis,))
    average = functools.partial(jnp.mean, axis=_all_but(axis, x.ndim))
    dx = widened(dx)
    z = (widened(x) - rows(mean)) * rows(inverse)  # mean 0, variance 1
    y = (z * rows(gamma) + rows(beta)).astype(x.dtype)
    dmean, dcorrelation = average(dx), average(dx * z)
    factor = gamma * inverse
    dy = rows(factor) * dx + rows(dbeta - factor * dmean) + z * rows(dgamma - factor * dcorrelation)
    return (y, mean, variance), (dy.astype(x.dtype), dmean, 2 * dcorrelation / inverse)


def batch_moments(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over all axes but `axis`, in one pass over `x`."""
    wide, others = widened(x), _all_but(axis % x.ndim, x.ndim)
    first = wide[:1] if axis % x.ndim != 0 else wide[:, :1]
    shift = lax.stop_gradient(jnp.mean(first, axis=others, keepdims=True))
    centred = wide - shift
    offset = jnp.mean(centred, axis=others)
    variance = jnp.mean(jnp.square(centred), axis=others) - jnp.square(offset)
    return jnp.squeeze(shift, others) + offset, jnp.maximum(variance, 0)


def masked_moments(x: jax.Array, mask: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over the elements of `x` where `mask`, which broadcasts to it, is True; 0 if it nowhere is."""
    wide, others = widened(x), _all_but(axis % x.ndim, x.ndim)
    weight = jnp.broadcast_to(mask, x.shape).astype(wide.dtype)
    count = jnp.maximum(jnp.sum(weight, axis=others, keepdims=True), 1)
    mean = jnp.sum(wide * weight, axis=others, keepdims=True) / count
    variance = jnp.sum(jnp.square(wide - mean) * weight, axis=others, keepdims=True) / count
    return jnp.squeeze(mean, others), jnp.squeeze(variance, others)


def _all_but(axis: int, rank: int) -> tuple[int, ...]:
    return tuple(i for i in range(rank) if i != axis)


# ---------------------------------------------------------------- within an example


def layer_normalize(
    x: jax.Array, gamma: jax.Array | None, beta: jax.Array | None, axes: Axes, epsilon: float
) -> jax.Array:
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with moments over `axes` for each example."""
    wide = _standardized(widened(x), tuple(axes), epsilon)
    return _shifted(_scaled(wide, gamma, axes), beta, axes).astype(x.dtype)


def _standardized(wide: jax.Array, axes: tuple[int, ...], epsilon: float) -> jax.Array:
    centred = wide - jnp.mean(wide, axis=axes, keepdims=True)
    return centred * lax.rsqrt(jnp.mean(jnp.square(centred), axis=axes, keepdims=True) + epsilon)


def deviation_normalize(x: jax.Array, gamma: jax.Array | None, axes: Axes, epsilon: float) -> jax.Array:
    """`gamma * x / sqrt(variance + epsilon)`: divided by the standard deviation without subtracting the mean."""
    wide = widened(x)
    factor = lax.rsqrt(jnp.var(wide, axis=tuple(axes), keepdims=True) + epsilon)
    return _scaled(wide * factor, gamma, axes).astype(x.dtype)


def rms_normalize(x: jax.Array, scale: jax.Array | None, axes: Axes, epsilon: float) -> jax.Array:
    """`scale * x / sqrt(mean(x²) + epsilon)` over `axes` (Zhang & Sennrich, 2019)."""
    wide = widened(x)
    factor = lax.rsqrt(jnp.mean(jnp.square(wide), axis=tuple(axes), keepdims=True) + epsilon)
    return _scaled(wide * factor, scale, axes).astype(x.dtype)


def unit_normalize(x: jax.Array, axes: Axes, least: float = 1e-12) -> jax.Array:
    """`x / max(norm, least)` with the Euclidean norm over `axes`; `1 / least`, its gradient at 0, fits `x`'s dtype."""
    wide = widened(x)
    square = jnp.sum(jnp.square(wide), axis=tuple(axes), keepdims=True)
    return (wide * lax.rsqrt(jnp.maximum(square, at_least(least, x) ** 2))).astype(x.dtype)


def at_least(least: float, x: jax.Array) -> float:
    """A lower bound to divide by, not so small that it vanishes in the dtype of `x`."""
    return max(least, float(jnp.finfo(x.dtype).tiny))


def group_normalize(
    x: jax.Array, gamma: jax.Array | None, beta: jax.Array | None, axis: int, groups: int, epsilon: float
) -> jax.Array:
    """Group normalization: moments of each example and run of channels, over all positions (Wu & He, 2018)."""
    axis %= x.ndim
    wide = widened(x)
    positions = tuple(i for i in range(1, x.ndim) if i != axis)

    def pooled(values: jax.Array) -> jax.Array:
        """The mean over all positions and all channels of a group, repeated for each of its channels."""
        channels = jnp.mean(values, axis=positions, keepdims=True)  # small, from contiguous reads
        split = (*channels.shape[:axis], groups, x.shape[axis] // groups, *channels.shape[axis + 1 :])
        means = jnp.mean(channels.reshape(split), axis=axis + 1, keepdims=True)
        return jnp.broadcast_to(means, split).reshape(channels.shape)

    centred = wide - pooled(wide)
    factor = _scaled(lax.rsqrt(pooled(jnp.square(centred)) + epsilon), gamma, (axis,))
    return _shifted(centred * factor, beta, (axis,)).astype(x.dtype)


# ---------------------------------------------------------------- weights


def spectral_normalize(kernel: jax.Array, u: jax.Array, iterations: int) -> tuple[jax.Array, jax.Array]:
    """`kernel` divided by its largest singular value, found by power iteration from `u` (Miyato et al., 2018).

    Args:
        kernel: any rank; all axes but the last are flattened into one.
        u: estimate of the right singular vector, shape (1, size of the kernel's last axis).
        iterations: steps of power iteration.

    Returns:
        (normalized kernel, new u); both as they were for a kernel of zeros.
    """
    matrix = jnp.reshape(kernel, (math.prod(kernel.shape[:-1]), kernel.shape[-1]))
    fixed, v, first = lax.stop_gradient(matrix), u, u
    for _ in range(iterations):
        v = unit_normalize(u @ fixed.T, (0, 1))
        u = unit_normalize(v @ fixed, (0, 1))
    largest = (v @ matrix @ u.T)[0, 0]
    found = largest != 0
    return kernel / jnp.where(found, largest, 1), jnp.where(found, u, first)
