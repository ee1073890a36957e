"""16-bit floats on a CPU: computed in 32 bits, and rounded once at the end.

A CPU has fast 16-bit arithmetic for plain products alone (see `dense`). In all else it widens each number before each
operation and rounds it after, so a loop or a convolution of 16-bit numbers takes up to nine times as long as one of
32-bit numbers. Kernels of that kind are marked `@in_float32`.

Each rounding also ends a loop that XLA would have fused with the next, so functions that belong together are marked as
one: a convolution and its bias, say.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cornu.core.typing import Nested
from cornu.kernels import platform, xla


def in_float32(kernel: Callable) -> Callable:
    """A kernel that, where it is faster, computes on 16-bit floats in 32 bits; its results have the first's dtype."""
    return _in_float32(kernel, lambda dtype: False)


def of_convolutions(kernel: Callable) -> Callable:
    """The same for a kernel that consists of convolutions: a library multiplies some kinds of 16-bit floats."""
    return _in_float32(kernel, are_convolved)


def are_convolved(dtype: jnp.dtype) -> bool:
    """Whether convolutions of this kind of 16-bit floats are faster than those of 32-bit floats."""
    return dtype == jnp.bfloat16 and xla.uses_onednn()


def _in_float32(kernel: Callable, stay: Callable[[jnp.dtype], bool]) -> Callable:
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
