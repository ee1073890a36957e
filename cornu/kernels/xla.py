"""Undocumented behavior of XLA's compiler and runtime for CPUs that cornu relies on for speed.

Each assumption is stated here once, with the code that depends on it. Each has a test in `tests/kernels/test_xla.py`
that fails when a new jaxlib behaves differently, and says what to do then. No result depends on any of them: when one
no longer holds, something gets slower.

- The compiler's options have these names: `compiler_options`.
- oneDNN, if jaxlib has it, computes convolutions, except those whose kernel was reversed: `has_onednn`, `turned`.
- On CPUs, a recomputation is merged with the original and its result kept, unless passes are disabled:
  `GATHERING_OPTIONS`.
- A function marked as not inlineable remains a call, compiled separately: `not_inlined`.
- A rounding that changes nothing ends the part of a program that is handed to the matrix library: `kept_apart`.
- Convolutions whose channels are not last are moved to a fast layout only outside loops: `is_slow_in_a_loop`.
- When more than `READY` operations are ready in a loop, the second half goes to another thread: `recurrent`.
- The memory of a call is allocated by the system on each call, page by page: `training.execution.steps_per_call`.
"""

import contextlib
import functools
import inspect
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata

from cornu.kernels import platform

# Dots and reductions use XLA's "ynn" library, convolutions do not: this list replaces XLA's default one.
CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE",
}

# XLA's default is 256 bits: the first processors with AVX-512 lowered their clock for wider vectors.
WIDE_VECTORS = {"xla_cpu_prefer_vector_width": "512"}

# Convolutions use oneDNN, fused with bias and activation; jaxlib 0.10 knows the option, but is built without oneDNN.
ONEDNN = {"xla_cpu_experimental_onednn_custom_call": "True"}

# If barriers are expanded early, weights gathered again for the gradient are merged with those of the forward pass; and
# if all gradients are summed in one all-reduce, each must be kept whole until all the others are ready.
GATHERING_OPTIONS = {"xla_disable_hlo_passes": "cse_barrier_expander,cpu-all-reduce-combiner"}

READY = 8  # how many operations of a loop's body may be ready at once before some go to another thread


# ---------------------------------------------------------------- options


def compiler_options(gathers: bool = False) -> dict[str, str]:
    """What to pass to `jax.jit(compiler_options=...)` for whole training and prediction steps on this platform.

    Args:
        gathers: whether the step gathers weights that are sharded.
    """
    on_gathering = _gathering_options(platform.name()) if gathers else {}
    return {**_known_options(platform.name()), **on_gathering}


@functools.cache
def _gathering_options(platform: str) -> dict[str, str]:
    return GATHERING_OPTIONS if platform == "cpu" and knows(GATHERING_OPTIONS) else {}


@functools.cache
def _known_options(platform: str) -> dict[str, str]:
    """The options for `platform` that this jaxlib accepts, found by compiling a trivial function with them."""
    if platform != "cpu":
        return {}
    library = ONEDNN if has_onednn() else {}
    for options in (CPU_OPTIONS | WIDE_VECTORS, CPU_OPTIONS) if _has_wide_vectors() else (CPU_OPTIONS,):
        if knows(options):
            return options | library
    return library


def uses_onednn() -> bool:
    """Whether oneDNN will compute the convolutions that are traced here."""
    return platform.fast("onednn") and has_onednn()


@functools.cache
def has_onednn() -> bool:
    """Whether oneDNN computes convolutions: requested by `CORNU_ONEDNN=1`, in this jaxlib, fast on this processor.

    It is off by default, since XLA cannot serialize programs that use it, so every run of a script compiles anew.
    """
    if os.environ.get("CORNU_ONEDNN") != "1" or not _has_wide_vectors():
        return False
    warnings.filterwarnings("ignore", "Error writing persistent compilation cache entry")  # said in docs/speed.md
    image, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((1, 4, 8), (1, 8, 8)))

    def convolution(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC"))

    with contextlib.suppress(jax.errors.JaxRuntimeError):
        program = jax.jit(convolution, compiler_options=ONEDNN).lower(image, kernel).compile().as_text()
        return "__onednn$" in (program or "")
    return False


def knows(options: dict[str, str]) -> bool:
    """Whether this jaxlib's compiler accepts `options`."""
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        jax.jit(lambda x: x, compiler_options=options).lower(scalar).compile()
        return True
    return False


def _has_wide_vectors() -> bool:
    """Whether this processor has AVX-512 with bfloat16, hence vectors of 512 bits at full clock."""
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        return False
    with flags.open() as file:
        return "avx512_bf16" in file.read(8192)  # the first processor's entry


# ---------------------------------------------------------------- what is fused


def not_inlined(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`function`, compiled separately where that pays off.

    XLA's CPU compiler fuses cheap operations into every loop that reads their result, and repeats them there: a
    normalization and an activation once for every element of a sliding window, or in the inner loop of a transposing
    copy, which is not vectorized. A function with this decorator remains a call in the compiled program: its inputs and
    outputs are computed once, and written to memory.

    Args:
        function: takes arrays, and may take a window named `win` and hashable keyword-only arguments, which are static.
    """
    parameters = inspect.signature(function).parameters.values()
    static = [one.name for one in parameters if one.name == "win" or one.kind is one.KEYWORD_ONLY]

    @functools.partial(jax.jit, static_argnames=static)
    @functools.wraps(function)
    def called(*args: object, **choices: object) -> jax.Array:
        with set_xla_metadata(inlineable=None):  # inside, fusion is as usual
            return function(*args, **choices)

    @functools.wraps(function)
    def wrapped(*args: object, **choices: object) -> jax.Array:
        if not platform.fast("not_inlined"):
            return function(*args, **choices)
        with set_xla_metadata(inlineable="false"):
            return called(*args, **choices)

    return wrapped


def kept_apart(result: jax.Array) -> jax.Array:
    """The float32 result of a product, followed by a rounding that changes nothing.

    XLA's CPU library compiles a chain of layers that ends in a sum or a maximum (a softmax, say) into one program that
    repacks each kernel in a single thread: up to thirty times the cost of the product. It stops at a rounding, which it
    does not support.
    """
    return lax.reduce_precision(result, exponent_bits=8, mantissa_bits=23)


def turned(array: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """`array` reversed along `axes` in a separate step, as the kernel of a convolution that oneDNN is not to compute.

    XLA does not hand a convolution to oneDNN if its kernel is the result of reversing an array.
    """
    return lax.rev(lax.optimization_barrier(array), axes)


# ---------------------------------------------------------------- what is slow in a loop


def is_slow_in_a_loop(equation: Any) -> bool:
    """Whether an equation of a jaxpr is a convolution that XLA's CPU compiler makes fast only outside loops."""
    if equation.primitive.name != "conv_general_dilated":
        return False
    layout = equation.params["dimension_numbers"]
    return equation.params["feature_group_count"] > 1 or not _has_channels_last(layout.lhs_spec)


def _has_channels_last(layout: tuple[int, ...]) -> bool:
    return layout == (0, len(layout) - 1, *range(1, len(layout) - 1))
