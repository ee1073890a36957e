"""Products of activations with kernels.

A CPU multiplies 16-bit floats at full rate only when the result is asked for in 32 bits, so it is, and cast after. On
other platforms the plain product adds up in 32 bits by itself, and keeps the products of the gradient in 16 bits too.
"""

import jax
import jax.numpy as jnp

from cornu.kernels import platform


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`: shapes (..., n) and (n, m) give (..., m)."""
    return _narrowed(jnp.matmul(x, kernel, preferred_element_type=_accumulator(x, kernel)), x, kernel)


def einsum(equation: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Two operands in Einstein's notation, as `jax.numpy.einsum`."""
    return _narrowed(jnp.einsum(equation, x, kernel, preferred_element_type=_accumulator(x, kernel)), x, kernel)


def wide_einsum(equation: str, x: jax.Array, y: jax.Array) -> jax.Array:
    """Two operands in Einstein's notation, the result in at least 32 bits."""
    result = jnp.einsum(equation, x, y, preferred_element_type=_accumulator(x, y))
    return result.astype(jnp.promote_types(result.dtype, jnp.float32))


def _accumulator(x: jax.Array, kernel: jax.Array) -> str | None:
    dtype = jnp.result_type(x, kernel)
    narrow = jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize == 2
    return "float32" if narrow and platform.name() == "cpu" else None


def _narrowed(result: jax.Array, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return result.astype(jnp.result_type(x, kernel))
