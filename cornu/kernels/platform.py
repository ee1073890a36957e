"""Which form of a kernel runs on which platform: one table, and one switch that forces the plain forms.

The choice is made while a function is traced, so a compiled function keeps the forms it was traced with.
`CORNU_KERNELS=plain` in the environment, or the context manager `plain_forms()`, forces every kernel to its plain form.
"""

import contextlib
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import jax
import jax.numpy as jnp

# The platforms on which the fast form of a kernel wins; everywhere else XLA's own form is the better one.
FAST_ON: dict[str, tuple[str, ...]] = {
    "conv": ("cpu",),
    "conv_transpose": ("cpu",),
    "large_product": ("cpu",),
    "not_inlined": ("cpu",),
    "depthwise_conv": ("cpu",),
    "max_pool": ("cpu", "gpu"),
    "average_pool": ("cpu",),
    "recurrent": ("cpu", "gpu", "tpu"),
    "bfloat16_product": ("cpu",),
    "float32_for_halves": ("cpu",),
}

# Convolutions outside XLA's "ynn" library, dots and reductions inside it: the list replaces XLA's default list.
_CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE",
}

# XLA's own width is 256 bits: the first processors with AVX-512 lowered their clock for wider vectors.
_WIDE_VECTORS = {"xla_cpu_prefer_vector_width": "512"}

_forced: ContextVar[bool] = ContextVar("cornu_plain_kernels", default=False)


def fast(kernel: str) -> bool:
    """Whether `kernel`, a row of the table, is to run in its fast form here."""
    return not plain_forced() and name() in FAST_ON[kernel]


def name() -> str:
    """The platform that computes by default: `"cpu"`, `"gpu"` or `"tpu"`."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return getattr(device, "platform", device) or jax.default_backend()


@contextmanager
def plain_forms() -> Iterator[None]:
    """Scope in which functions are traced with the plain form of every kernel."""
    token = _forced.set(True)
    try:
        yield
    finally:
        _forced.reset(token)


def compiler_options() -> dict[str, str]:
    """What to pass to `jax.jit(compiler_options=...)` for whole training and prediction steps on this platform."""
    return dict(_known_options(name()))


@functools.cache
def _known_options(platform: str) -> dict[str, str]:
    """The options for `platform` that this jaxlib knows, found by compiling the smallest of functions with them."""
    if platform != "cpu":
        return {}
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    for options in (_CPU_OPTIONS | _WIDE_VECTORS, _CPU_OPTIONS) if _has_wide_vectors() else (_CPU_OPTIONS,):
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda x: x, compiler_options=options).lower(scalar).compile()
            return options
    return {}


def _has_wide_vectors() -> bool:
    """Whether this is a processor of the generations that have AVX-512 with bfloat16."""
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        return False
    with flags.open() as file:
        return "avx512_bf16" in file.read(8192)  # the first processor's part


def plain_forced() -> bool:
    """Whether every kernel is forced to its plain form."""
    return _forced.get() or os.environ.get("CORNU_KERNELS") == "plain"
