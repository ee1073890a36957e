"""16-bit floats on a CPU: computed in 32 bits, and rounded once at the end.

A CPU has fast 16-bit arithmetic for matrix products alone (see `dense`). Everywhere else each number is widened before
each operation and rounded after it, so a loop or a convolution of 16-bit numbers takes up to nine times as long as one
of 32-bit numbers. Such kernels are decorated with `@in_float32`.

Each rounding also ends a loop that XLA would have fused with the next, so functions that belong together, such as a
convolution and its bias, are decorated as one.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cornu.core.typing import AnyFunction, Nested
from cornu.kernels import platform, xla


def in_float32(kernel: AnyFunction) -> AnyFunction:
    """A kernel that widens 16-bit floats to 32 bits where that is faster, and casts its results back."""
    return _in_float32(kernel, lambda dtype: False)


def of_convolutions(kernel: AnyFunction) -> AnyFunction:
    """The same for a kernel made of convolutions, which stays in 16 bits where a library is faster in them."""
    return _in_float32(kernel, are_convolved)


def are_convolved(dtype: jnp.dtype) -> bool:
    """Whether convolutions in this 16-bit dtype are faster than in float32."""
    return dtype == jnp.bfloat16 and xla.uses_onednn()


def _in_float32(kernel: AnyFunction, stay: Callable[[jnp.dtype], bool]) -> AnyFunction:
    @functools.wraps(kernel)
    def wrapped(*args: object, **kwargs: object) -> Nested:
        narrow = next((x.dtype for x in jax.tree.leaves((args, kwargs)) if is_half(x)), None)
        if narrow is None or stay(narrow) or not platform.fast("float32_for_halves"):
            return kernel(*args, **kwargs)
        args, kwargs = jax.tree.map(lambda x: x.astype(jnp.float32) if is_half(x) else x, (args, kwargs))
        return jax.tree.map(lambda x: x.astype(narrow), kernel(*args, **kwargs))

    return wrapped


def is_half(x: object) -> bool:
    """Whether `x` is an array of 16-bit floats."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize == 2
