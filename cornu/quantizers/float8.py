"""8-bit floating-point products: of matrices, with scales that follow the largest magnitudes of previous steps.

Activations and weights are rounded to `float8_e4m3fn`, gradients to `float8_e5m2`, whose range is wider. The scale and
the history of each are variables whose "gradient" is their next value: the optimizer stores it (Micikevicius et al.,
2022: FP8 Formats for Deep Learning).
"""

import jax
import jax.numpy as jnp

from cornu.core.typing import ArrayLike, DTypeLike

FORWARD, BACKWARD = "float8_e4m3fn", "float8_e5m2"


def _largest(dtype: DTypeLike) -> float:
    return float(jnp.finfo(jnp.dtype(dtype)).max)


def compute_float8_scale(amax: ArrayLike, scale: ArrayLike, dtype_max: float, margin: float = 0) -> jax.Array:
    """The scale that maps numbers up to `amax` to the full range of a dtype: `amax / dtype_max * 2 ** margin`.

    Args:
        amax: the largest magnitude.
        scale: the current scale, kept where `amax` is 0 or not finite.
        dtype_max: the largest number of the dtype, 448 for `float8_e4m3fn`.
        margin: number of bits of headroom. Defaults to 0.

    Example:

        print(cornu.quantizers.compute_float8_scale(224.0, 1.0, 448.0))  # 0.5
    """
    amax, scale = jnp.asarray(amax), jnp.asarray(scale)
    usable = (amax > 0) & jnp.isfinite(amax)
    return jnp.where(usable, jnp.where(usable, amax, 1) / dtype_max * 2.0**margin, scale).astype(scale.dtype)


def compute_float8_amax_history(x: ArrayLike, amax_history: ArrayLike) -> jax.Array:
    """The updated history of largest magnitudes: that of `x` first, then the history without its oldest entry.

    Args:
        x: numbers of any shape.
        amax_history: vector of the largest magnitudes of previous steps.

    Example:

        print(cornu.quantizers.compute_float8_amax_history(np.array([-9.0]), np.array([1.0, 2.0])))  # [9. 1.]
    """
    amax_history = jnp.asarray(amax_history)
    return jnp.roll(amax_history, -1).at[0].set(jnp.max(jnp.abs(jnp.asarray(x))).astype(amax_history.dtype))


def quantize_and_dequantize(
    inputs: ArrayLike, scale: ArrayLike, quantized_dtype: DTypeLike, compute_dtype: DTypeLike
) -> jax.Array:
    """`inputs` after a round trip to a narrow dtype: divided by the scale, clipped to its range, rounded, multiplied.

    Args:
        inputs: numbers of any shape.
        scale: the scale, a number.
        quantized_dtype: a floating-point dtype, such as `"float8_e4m3fn"`.
        compute_dtype: dtype of the result.

    Example:

        print(cornu.quantizers.quantize_and_dequantize(np.array([1.03]), 1.0, "float8_e4m3fn", "float32"))  # [1.]
    """
    scale, limit = jnp.asarray(scale).astype(compute_dtype), _largest(quantized_dtype)
    narrow = jnp.clip(jnp.asarray(inputs).astype(compute_dtype) / scale, -limit, limit).astype(quantized_dtype)
    return narrow.astype(compute_dtype) * scale


def _next(x: jax.Array, scale: jax.Array, history: jax.Array, dtype: str) -> tuple[jax.Array, jax.Array]:
    """The scale for the next step, from the current history, and the history including `x`."""
    new_scale = compute_float8_scale(jnp.max(history), scale, _largest(dtype))
    return new_scale, compute_float8_amax_history(x, history)


@jax.custom_vjp
def rounded(x: jax.Array, scale: jax.Array, history: jax.Array) -> jax.Array:
    """`x` rounded to float8, with a straight-through gradient; those of scale and history are their next values."""
    return quantize_and_dequantize(x, scale, FORWARD, x.dtype)


def _rounded_forward(x: jax.Array, scale: jax.Array, history: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return rounded(x, scale, history), _next(x, scale, history, FORWARD)


rounded.defvjp(_rounded_forward, lambda new, gradient: (gradient, *new))


@jax.custom_vjp
def with_rounded_gradient(x: jax.Array, scale: jax.Array, history: jax.Array) -> jax.Array:
    """`x`, with its gradient rounded to float8; those of scale and history are their next values."""
    return x


def _gradient(kept: tuple[jax.Array, ...], gradient: jax.Array) -> tuple[jax.Array, ...]:
    scale, history = kept
    narrow = quantize_and_dequantize(gradient, scale, BACKWARD, gradient.dtype)
    return narrow, *_next(gradient, scale, history, BACKWARD)


with_rounded_gradient.defvjp(lambda x, *kept: (x, kept), _gradient)
