"""Functions that XLA compiles by themselves.

XLA's CPU compiler joins cheap steps into the loops that read their result, and repeats them in each of these loops: a
normalization and an activation once for every element of a sliding window, or in the inner loop of a transposed copy,
where nothing is computed by vectors. A function marked `@not_inlined` stays a call in the compiled program, so what
goes into it and what comes out of it is computed once, and written to memory.
"""

import functools
import inspect
from collections.abc import Callable

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from cornu.kernels import platform


def not_inlined(function: Callable) -> Callable:
    """`function` of arrays, and a window named `win` if it takes one, compiled by itself where that is faster."""
    static = "win" if "win" in inspect.signature(function).parameters else ()

    @functools.partial(jax.jit, static_argnames=static)
    @functools.wraps(function)
    def called(*args: object) -> jax.Array:
        with set_xla_metadata(inlineable=None):  # what is inside is joined as usual
            return function(*args)

    @functools.wraps(function)
    def wrapped(*args: object) -> jax.Array:
        if not platform.fast("not_inlined"):
            return function(*args)
        with set_xla_metadata(inlineable="false"):
            return called(*args)

    return wrapped
