"""What is taken for granted of XLA's compiler and runtime for CPUs, although nothing promises it.

Each assumption stands here once, with what rests on it. Each has a test in `tests/kernels/test_xla.py` that fails when
a new jaxlib behaves differently, and says what to do then. None decides whether a result is right: where one no longer
holds, something is slower.

- Options of the compiler have these names: `compiler_options`.
- oneDNN, if jaxlib has it, computes convolutions, except those whose kernel was reversed: `has_onednn`, `turned`.
- On CPUs, what is computed again is found to be the same and kept, unless a pass is left out: `GATHERING_OPTIONS`.
- A function marked as not inlineable stays a call, compiled separately: `not_inlined`.
- A rounding that changes nothing ends what is handed to the library for products: `kept_apart`.
- Convolutions in other layouts than channels last are rewritten outside of loops alone: `is_slow_in_a_loop`.
- Of more than `READY` operations that are ready in a loop, the second half goes to another thread: `recurrent`.
- A call's memory comes from the system in each call, page by page: `training.execution.steps_per_call`.
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

# Convolutions outside XLA's "ynn" library, dots and reductions inside it: the list replaces XLA's default list.
CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE",
}

# XLA's own width is 256 bits: the first processors with AVX-512 lowered their clock for wider vectors.
WIDE_VECTORS = {"xla_cpu_prefer_vector_width": "512"}

# Convolutions by oneDNN, with the bias and the activation behind them; jaxlib 0.10 knows the option, and has no oneDNN.
ONEDNN = {"xla_cpu_experimental_onednn_custom_call": "True"}

# Weights gathered anew for the gradient are merged with those of the forward pass where barriers are taken away early,
# and where all gradients are summed in one exchange, each of them waits, whole, for all others.
GATHERING_OPTIONS = {"xla_disable_hlo_passes": "cse_barrier_expander,cpu-all-reduce-combiner"}

READY = 8  # operations of a loop's body that are ready at one time and are kept together in one thread


# ---------------------------------------------------------------- options


def compiler_options(gathers: bool = False) -> dict[str, str]:
    """What to pass to `jax.jit(compiler_options=...)` for whole training and prediction steps on this platform.

    Args:
        gathers: whether the step gathers weights that are kept in parts.
    """
    on_gathering = _gathering_options(platform.name()) if gathers else {}
    return {**_known_options(platform.name()), **on_gathering}


@functools.cache
def _gathering_options(platform: str) -> dict[str, str]:
    return GATHERING_OPTIONS if platform == "cpu" and knows(GATHERING_OPTIONS) else {}


@functools.cache
def _known_options(platform: str) -> dict[str, str]:
    """The options for `platform` that this jaxlib knows, found by compiling the smallest of functions with them."""
    if platform != "cpu":
        return {}
    library = ONEDNN if has_onednn() else {}
    for options in (CPU_OPTIONS | WIDE_VECTORS, CPU_OPTIONS) if _has_wide_vectors() else (CPU_OPTIONS,):
        if knows(options):
            return options | library
    return library


def uses_onednn() -> bool:
    """Whether what is traced as a convolution here is for oneDNN to compute."""
    return platform.fast("onednn") and has_onednn()


@functools.cache
def has_onednn() -> bool:
    """Whether oneDNN is to compute convolutions: asked for by `CORNU_ONEDNN=1`, in this jaxlib, fast on this processor.

    It has to be asked for, since XLA cannot write down a program with it, so each start of a script compiles anew.
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
    """Whether this jaxlib's compiler takes `options`."""
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        jax.jit(lambda x: x, compiler_options=options).lower(scalar).compile()
        return True
    return False


def _has_wide_vectors() -> bool:
    """Whether this is a processor of the generations that have AVX-512 with bfloat16."""
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        return False
    with flags.open() as file:
        return "avx512_bf16" in file.read(8192)  # the first processor's part


# ---------------------------------------------------------------- what is fused


def not_inlined(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`function` of arrays, a window named `win` and what it takes by name alone, compiled separately where that pays.

    XLA's CPU compiler joins cheap steps into the loops that read their result, and repeats them in each of these loops:
    a normalization and an activation once for every element of a sliding window, or in the inner loop of a transposed
    copy, where nothing is computed by vectors. A function marked so stays a call in the compiled program: what goes
    into it and what comes out of it is computed once, and written to memory. What it takes by name is hashable.
    """
    parameters = inspect.signature(function).parameters.values()
    static = [one.name for one in parameters if one.name == "win" or one.kind is one.KEYWORD_ONLY]

    @functools.partial(jax.jit, static_argnames=static)
    @functools.wraps(function)
    def called(*args: object, **choices: object) -> jax.Array:
        with set_xla_metadata(inlineable=None):  # what is inside is joined as usual
            return function(*args, **choices)

    @functools.wraps(function)
    def wrapped(*args: object, **choices: object) -> jax.Array:
        if not platform.fast("not_inlined"):
            return function(*args, **choices)
        with set_xla_metadata(inlineable="false"):
            return called(*args, **choices)

    return wrapped


def kept_apart(result: jax.Array) -> jax.Array:
    """The float32 result of a product behind a rounding that changes nothing.

    XLA's CPU library takes a chain of layers that ends in a sum or maximum, a softmax say, as one program, which packs
    each kernel anew in one thread: up to thirty times the cost of the product. It knows no rounding, and stops there.
    """
    return lax.reduce_precision(result, exponent_bits=8, mantissa_bits=23)


def turned(array: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """`array` reversed along `axes` in a step of its own: the kernel of a convolution that oneDNN is not to compute.

    XLA does not hand a convolution to oneDNN if its kernel is the result of reversing an array.
    """
    return lax.rev(lax.optimization_barrier(array), axes)


# ---------------------------------------------------------------- what is slow in a loop


def is_slow_in_a_loop(equation: Any) -> bool:
    """Whether an equation of a jaxpr is a convolution that XLA's CPU compiler rewrites only outside of loops."""
    if equation.primitive.name != "conv_general_dilated":
        return False
    layout = equation.params["dimension_numbers"]
    return equation.params["feature_group_count"] > 1 or not _has_channels_last(layout.lhs_spec)


def _has_channels_last(layout: tuple[int, ...]) -> bool:
    return layout == (0, len(layout) - 1, *range(1, len(layout) - 1))
