"""Which form of a kernel runs on which platform: one table, and one switch that forces the plain forms.

The choice is made when a function is traced, so a compiled function keeps the forms it was traced with.
`CORNU_KERNELS=plain` in the environment, or the context manager `plain_forms()`, forces every kernel into its plain
form.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

# The platforms on which the fast form of a kernel wins; everywhere else XLA does better with the plain one.
FAST_ON: dict[str, tuple[str, ...]] = {
    "conv": ("cpu",),
    "conv_transpose": ("cpu",),
    "native": ("cpu",),
    "onednn": ("cpu",),
    "large_product": ("cpu",),
    "not_inlined": ("cpu",),
    "depthwise_conv": ("cpu",),
    "max_pool": ("cpu", "gpu"),
    "average_pool": ("cpu",),
    "recurrent": ("cpu", "gpu", "tpu"),
    "bfloat16_product": ("cpu",),
    "float32_for_halves": ("cpu",),
}

_planned: ContextVar[str] = ContextVar("cornu_planned_platform", default="")
_forced: ContextVar[bool] = ContextVar("cornu_plain_kernels", default=False)


def fast(kernel: str) -> bool:
    """Whether `kernel`, a row of the table, runs in its fast form here."""
    return not plain_forced() and name() in FAST_ON[kernel]


def calls_native() -> bool:
    """Whether what is traced may call C++ kernels: a program that is planned for devices becomes XLA's alone."""
    return fast("native") and not _planned.get()


def name() -> str:
    """The platform that is traced for, `"cpu"`, `"gpu"` or `"tpu"`: that of `planned`, otherwise the default one."""
    return _planned.get() or here()


def here() -> str:
    """The platform of the default device."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return getattr(device, "platform", device) or jax.default_backend()


@contextmanager
def planned(platform: str) -> Iterator[None]:
    """Scope in which functions are traced for a platform that need not be present; they cannot be compiled."""
    token = _planned.set(platform)
    try:
        yield
    finally:
        _planned.reset(token)


@contextmanager
def plain_forms() -> Iterator[None]:
    """Scope in which functions are traced with the plain form of every kernel."""
    token = _forced.set(True)
    try:
        yield
    finally:
        _forced.reset(token)


def plain_forced() -> bool:
    """Whether every kernel is forced to its plain form."""
    return _forced.get() or os.environ.get("CORNU_KERNELS") == "plain"
