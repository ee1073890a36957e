"""Products of activations with kernels.

A product over more than two axes is reshaped to a product of two matrices: only then does XLA compute the gradient of
the kernel without transposing its operands in memory first.

A CPU multiplies 16-bit floats at full rate only when the result is requested in 32 bits, so it is, and cast afterwards;
and only when neither operand is contracted over its rows, so the gradients of a bfloat16 product are written by hand.
The gradient of a float32 kernel stays in the 32 bits in which it was accumulated. On other platforms the plain product
accumulates in 32 bits anyway, and runs the products of the gradient in 16 bits too.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from cornu.kernels import platform, xla

_LARGE_KERNEL = 2**20  # elements


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`: shapes (..., n) and (n, m) give (..., m)."""
    return _matrix_product(x, kernel, 1)


def einsum(equation: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The contraction of two operands in Einstein notation, as in `jax.numpy.einsum`."""
    joined = _joined_axes(equation)
    if joined:
        return _matrix_product(x, kernel, joined)
    return _narrowed(jnp.einsum(equation, x, kernel, preferred_element_type=_accumulator(x, kernel)), x, kernel)


def wide_einsum(equation: str, x: jax.Array, y: jax.Array) -> jax.Array:
    """The contraction of two operands in Einstein notation, with a result of at least 32 bits."""
    result = jnp.einsum(equation, x, y, preferred_element_type=_accumulator(x, y))
    return result.astype(jnp.promote_types(result.dtype, jnp.float32))


def _matrix_product(x: jax.Array, kernel: jax.Array, joined: int) -> jax.Array:
    """The product contracted over the last `joined` axes of `x` and as many leading axes of `kernel`."""
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
    """Whether `product` itself casts a kernel of another float dtype to the dtype of `x`, and its gradient back.

    The gradient is then never rounded to 16 bits, and the optimizer need not widen it again.
    """
    return x.dtype == jnp.bfloat16 and platform.fast("bfloat16_product")


@jax.custom_vjp
def _bfloat16_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel` for matrices, `x` in bfloat16, with gradients whose products are fast on a CPU as well."""
    return _rounded_product(x, kernel.astype(x.dtype))


def _rounded_product(a: jax.Array, b: jax.Array) -> jax.Array:
    return _wide_product(a, b).astype(a.dtype)


def _wide_product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


def _bfloat16_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    narrow = kernel.astype(x.dtype)
    return _rounded_product(x, narrow), (x, narrow, jnp.zeros((), kernel.dtype))


def _bfloat16_gradients(kept: tuple[jax.Array, ...], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The gradients of `x` and the kernel. Where both operands are contracted over rows, the narrower is transposed.

    The barrier around a transposed result keeps it a separate product: if the gradient is constant, XLA would otherwise
    merge the transposes into a product contracted over rows, which its CPU runtime lacks for 16-bit floats.
    """
    x, kernel, like = kept
    if x.shape[1] <= gradient.shape[1]:
        d_kernel = _wide_product(lax.optimization_barrier(x.T), gradient)
    else:
        d_kernel = lax.optimization_barrier(_wide_product(lax.optimization_barrier(gradient.T), x)).T
    return _rounded_product(gradient, kernel.T), d_kernel.astype(like.dtype)


_bfloat16_product.defvjp(_bfloat16_forward, _bfloat16_gradients)


def biased(x: jax.Array, bias: jax.Array) -> jax.Array:
    """`x + bias`, the bias lying along the last axes of `x`."""
    whole = bias.shape == x.shape[x.ndim - bias.ndim :] and all(isinstance(n, int) for n in x.shape)
    if whole and x.dtype == bias.dtype == jnp.bfloat16 and platform.fast("bfloat16_product"):
        return _bfloat16_biased(x, bias)
    return x + bias


@jax.custom_vjp
def _bfloat16_biased(x: jax.Array, bias: jax.Array) -> jax.Array:
    """The sum; its gradient sums the rows by a product with ones, since XLA's bfloat16 sum is slow on a CPU."""
    return x + bias


def _bfloat16_bias_gradients(bias: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    rows = gradient.reshape(-1, bias.size)
    d_bias = _bfloat16_product(jnp.ones((1, rows.shape[0]), rows.dtype), rows)
    return gradient, d_bias.reshape(bias.shape)


_bfloat16_biased.defvjp(lambda x, bias: (x + bias, bias), _bfloat16_bias_gradients)


@functools.cache
def _joined_axes(equation: str) -> int:
    """How many axes are contracted, if they are the last of one operand and the first of the other; otherwise 0."""
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
    """The result in the dtype of its operands; products of small integers stay in int32, as they would overflow."""
    return result if result.dtype == jnp.int32 else result.astype(jnp.result_type(x, kernel))
