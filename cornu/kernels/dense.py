"""Products of activations with kernels.

A product of more than two axes is written as one of two matrices: only then does XLA form the gradient of the kernel
without copying its operands into another order first.

A CPU multiplies 16-bit floats at full rate only when the result is asked for in 32 bits, so it is, and cast after; and
only where no operand is summed over its rows, so the gradients of a product of bfloat16 are written by hand. That of a
float32 kernel is left in the 32 bits it was summed in. On other platforms the plain product adds up in 32 bits
automatically, and keeps the products of the gradient in 16 bits too.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from cornu.kernels import platform, xla

_LARGE_KERNEL = 2**20  # numbers in it


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`: shapes (..., n) and (n, m) give (..., m)."""
    return _matrix_product(x, kernel, 1)


def einsum(equation: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Two operands in Einstein's notation, as `jax.numpy.einsum`."""
    joined = _joined_axes(equation)
    if joined:
        return _matrix_product(x, kernel, joined)
    return _narrowed(jnp.einsum(equation, x, kernel, preferred_element_type=_accumulator(x, kernel)), x, kernel)


def wide_einsum(equation: str, x: jax.Array, y: jax.Array) -> jax.Array:
    """Two operands in Einstein's notation, the result in at least 32 bits."""
    result = jnp.einsum(equation, x, y, preferred_element_type=_accumulator(x, y))
    return result.astype(jnp.promote_types(result.dtype, jnp.float32))


def _matrix_product(x: jax.Array, kernel: jax.Array, joined: int) -> jax.Array:
    """The product over the last `joined` axes of `x` and the first ones of `kernel`."""
    kept, new = x.shape[: x.ndim - joined], kernel.shape[joined:]
    size = math.prod(kernel.shape[:joined])
    rows, columns = x.reshape(math.prod(kept), size), kernel.reshape(size, math.prod(new))
    if casts_kernel(x) and jnp.issubdtype(kernel.dtype, jnp.floating):
        return _bfloat16_product(rows, columns).reshape(*kept, *new)
    result = jnp.matmul(rows, columns, preferred_element_type=_accumulator(x, kernel))
    if kernel.size >= _LARGE_KERNEL and result.dtype == jnp.float32 and platform.fast("large_product"):
        result = xla.kept_apart(result)
    return _narrowed(result.reshape(*kept, *new), x, kernel)


def casts_kernel(x: jax.Array) -> bool:
    """Whether `product` casts a kernel of another float type to that of `x`, and its gradient back, automatically.

    The gradient is then rounded nowhere, and an optimizer's update does not widen it again.
    """
    return x.dtype == jnp.bfloat16 and platform.fast("bfloat16_product")


@jax.custom_vjp
def _bfloat16_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel` for matrices, `x` of bfloat16, with gradients whose products are fast on a CPU as well."""
    return _rounded_product(x, kernel.astype(x.dtype))


def _rounded_product(a: jax.Array, b: jax.Array) -> jax.Array:
    return _wide_product(a, b).astype(a.dtype)


def _wide_product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


def _bfloat16_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple]:
    narrow = kernel.astype(x.dtype)
    return _rounded_product(x, narrow), (x, narrow, jnp.zeros((), kernel.dtype))


def _bfloat16_gradients(kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Those of `x` and the kernel; of two operands whose rows are summed over, the narrower is turned around first.

    A result that is turned around stays a product of its own: of a constant gradient, XLA would otherwise form one that
    sums over rows, which its CPU runtime does not have for 16-bit floats.
    """
    x, kernel, like = kept
    if x.shape[1] <= gradient.shape[1]:
        d_kernel = _wide_product(lax.optimization_barrier(x.T), gradient)
    else:
        d_kernel = lax.optimization_barrier(_wide_product(lax.optimization_barrier(gradient.T), x)).T
    return _rounded_product(gradient, kernel.T), d_kernel.astype(like.dtype)


_bfloat16_product.defvjp(_bfloat16_forward, _bfloat16_gradients)


def biased(x: jax.Array, bias: jax.Array) -> jax.Array:
    """`x + bias`, the bias along the last axes of `x`."""
    whole = bias.shape == x.shape[x.ndim - bias.ndim :] and all(isinstance(n, int) for n in x.shape)
    if whole and x.dtype == bias.dtype == jnp.bfloat16 and platform.fast("bfloat16_product"):
        return _bfloat16_biased(x, bias)
    return x + bias


@jax.custom_vjp
def _bfloat16_biased(x: jax.Array, bias: jax.Array) -> jax.Array:
    """The sum, whose gradient adds up rows as a product with ones: XLA's sum of bfloat16 is slow on a CPU."""
    return x + bias


def _bfloat16_bias_gradients(bias: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    rows = gradient.reshape(-1, bias.size)
    d_bias = _bfloat16_product(jnp.ones((1, rows.shape[0]), rows.dtype), rows)
    return gradient, d_bias.reshape(bias.shape)


_bfloat16_biased.defvjp(lambda x, bias: (x + bias, bias), _bfloat16_bias_gradients)


@functools.cache
def _joined_axes(equation: str) -> int:
    """How many axes are summed over, where they are the last of one operand and the first of the other; else 0."""
    left, right = equation.replace(" ", "").split("->")
    x, kernel = left.split(",")
    for joined in range(1, len(kernel) + 1):
        if x.endswith(kernel[:joined]) and right == x[: len(x) - joined] + kernel[joined:]:
            return joined if "..." not in kernel and _each_once(x) and _each_once(right) else 0
    return 0


def _each_once(letters: str) -> bool:
    letters = letters.removeprefix("...")
    return len(set(letters)) == len(letters)


def _accumulator(x: jax.Array, kernel: jax.Array) -> str | None:
    dtype = jnp.result_type(x, kernel)
    if jnp.issubdtype(dtype, jnp.integer) and dtype.itemsize < 4:
        return "int32"
    narrow = jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize == 2
    return "float32" if narrow and platform.name() == "cpu" else None


def _narrowed(result: jax.Array, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The result in the dtype of its operands; that of small integers, which they do not hold, as it is."""
    return result if result.dtype == jnp.int32 else result.astype(jnp.result_type(x, kernel))
