"""Normalization operations: moments and the normalizations based on them."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from cornu import settings
from cornu.core.operation import Tensor, op
from cornu.core.typing import Axes
from cornu.kernels import norm
from cornu.ops.conversion import saturate_cast
from cornu.ops.elementwise import floating


@op
def moments(x: Tensor, axes: Axes, keepdims: bool = False, synchronized: bool = False) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over `axes`.

    Args:
        x: any tensor; 16-bit floats are accumulated in 32 bits, and results beyond their range are clipped.
        axes: one axis or several.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        synchronized: whether statistics are computed over all devices. JAX arrays always are: a sharded array is a
            single array, so both values are equivalent. Defaults to False.

    Example:

        mean, variance = cornu.ops.moments(np.array([1.0, 3.0]), axes=0)
        print(mean, variance)  # 2.0 1.0
    """
    x = floating(x)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    axes = tuple(axes) if isinstance(axes, (list, tuple)) else axes
    mean = jnp.mean(wide, axis=axes, keepdims=True)
    variance = jnp.mean(jnp.square(wide - lax.stop_gradient(mean)), axis=axes, keepdims=True)
    variance = variance - jnp.square(mean - lax.stop_gradient(mean))
    if not keepdims:
        mean, variance = jnp.squeeze(mean, axes), jnp.squeeze(variance, axes)
    return saturate_cast(mean, x.dtype), saturate_cast(variance, x.dtype)


@op(class_name="BatchNorm")
def batch_normalization(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    axis: int | Sequence[int],
    offset: Tensor | None = None,
    scale: Tensor | None = None,
    epsilon: float = 1e-3,
) -> jax.Array:
    """`scale * (x - mean) / sqrt(variance + epsilon) + offset`.

    Args:
        x: any tensor.
        mean, variance: vectors along `axis`.
        axis: the axis of the features.
        offset: vector to add; None adds nothing.
        scale: vector of factors; None is 1.
        epsilon: added to the variance. Defaults to 0.001.

    Example:

        x = np.array([[1.0, 10.0], [3.0, 30.0]])
        print(cornu.ops.batch_normalization(x, x.mean(0), x.var(0), axis=-1, epsilon=0.0))  # [[-1. -1.] [1. 1.]]
    """
    x = floating(x)

    def along(vector: Tensor) -> jax.Array:
        return jnp.reshape(vector, tuple(x.shape[axis] if i == axis % x.ndim else 1 for i in range(x.ndim)))

    factor = lax.rsqrt(along(variance) + epsilon)
    factor = factor if scale is None else factor * along(scale)
    shift = -along(mean) * factor
    shift = shift if offset is None else shift + along(offset)
    return (x * factor.astype(x.dtype) + shift.astype(x.dtype)).astype(x.dtype)


@op(class_name="LayerNorm")
def layer_normalization(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    axis: Axes = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> jax.Array:
    """Normalizes to mean 0 and variance 1 over `axis`, then `gamma * x + beta` (Ba et al., 2016).

    Args:
        x: any tensor.
        gamma: scales, in the shape of the normalized axes. None by default.
        beta: offsets, in the same shape. None by default.
        axis: one axis or several. Defaults to -1.
        epsilon: added to the variance; None is `cornu.config.epsilon()`.
        rms_scaling: whether to divide by the standard deviation without subtracting the mean. Defaults to False.

    Example:

        print(cornu.ops.layer_normalization(np.array([[1.0, 3.0]]), epsilon=0.0))  # [[-1. 1.]]
    """
    return _layer_normalization(x, gamma, beta, axis, epsilon, rms_scaling)


@op(class_name="RMSNorm")
def rms_normalization(
    x: Tensor, scale: Tensor | None = None, axis: Axes = -1, epsilon: float | None = None
) -> jax.Array:
    """`scale * x / sqrt(mean(x²) + epsilon)` over `axis` (Zhang & Sennrich, 2019).

    Args:
        x: any tensor.
        scale: factors, in the shape of the normalized axes. None by default.
        axis: one axis or several. Defaults to -1.
        epsilon: added to the mean square; None is `cornu.config.epsilon()`.

    Example:

        print(cornu.ops.rms_normalization(np.array([[3.0, 4.0]]), epsilon=0.0))  # [[0.8485... 1.1313...]]
    """
    x = floating(x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    wide = wide * lax.rsqrt(jnp.mean(jnp.square(wide), axis=axes, keepdims=True) + epsilon)
    return (wide if scale is None else wide * _beside(scale, x, axes)).astype(x.dtype)


@op
def normalize(x: Tensor, axis: Axes = -1, order: int = 2, epsilon: float | None = None) -> jax.Array:
    """`x` divided by its norm of the given order along `axis`.

    Args:
        x: any tensor.
        axis: the axis whose vectors get norm 1, or None for the flattened tensor.
        order: 1, 2, ... or infinity.
        epsilon: lower bound of the norm to divide by; None is `cornu.config.epsilon()`.

    Example:

        print(cornu.ops.normalize(np.array([3.0, 4.0])))  # [0.6 0.8]
    """
    if not isinstance(order, (int, float)) or order < 1:
        raise ValueError(f"normalize: order must be a number of at least 1. Received: order={order!r}.")
    x = floating(x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    if order == 2:
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, (list, tuple)) else (axis,)
        return norm.unit_normalize(x, axes, epsilon)
    wide = norm.widened(x)
    some = jnp.any(wide != 0, axis=axis, keepdims=True)  # without it, the gradient of the norm of zeros is NaN
    size = jnp.where(some, jnp.linalg.norm(jnp.where(some, wide, 1), order, axis, keepdims=True), 0)
    return (wide / jnp.maximum(size, norm.at_least(epsilon, x))).astype(x.dtype)


def _layer_normalization(
    x: Tensor, gamma: Tensor, beta: Tensor, axis: Axes, epsilon: float | None, rms_scaling: bool
) -> jax.Array:
    x = floating(x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    mean = jnp.mean(wide, axis=axes, keepdims=True)
    variance = jnp.var(wide, axis=axes, keepdims=True)
    factor = lax.rsqrt(variance + epsilon)
    if rms_scaling:
        return (wide * factor * (1 if gamma is None else _beside(gamma, x, axes))).astype(x.dtype)
    wide = (wide - mean) * factor
    wide = wide if gamma is None else wide * _beside(gamma, x, axes)
    return (wide if beta is None else wide + _beside(beta, x, axes)).astype(x.dtype)


def _beside(weights: Tensor, x: Tensor, axes: Sequence[int]) -> jax.Array:
    """`weights`, which extend along `axes`, in a shape that broadcasts to `x`."""
    chosen = {a % x.ndim for a in axes}
    return jnp.reshape(weights, tuple(n if i in chosen else 1 for i, n in enumerate(x.shape)))
