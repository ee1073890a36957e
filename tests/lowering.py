"""Programs are lowered quickly: to make a context for each takes a fifth of the time of the tests."""

import functools
import gc
import itertools
import threading

import jax
from jax._src.interpreters import mlir
from jaxlib.version import __version_info__


@functools.cache
def lower_quickly():
    """Use contexts again, and do not note where in Python an operation came from, which nobody reads."""
    gc.set_threshold(50_000, 20, 20)  # tracing makes many objects, of which few form circles
    jax.config.update("jax_traceback_in_locations_limit", 0)
    if __version_info__ < (0, 12):  # from then on JAX uses contexts again itself
        mlir.make_ir_context = _Contexts().next


class _Contexts(threading.local):
    """The contexts of a thread."""

    def __init__(self, make=mlir.make_ir_context):
        self._make = make
        self._each = (context for _ in itertools.count() for context in itertools.repeat(make(), 50))

    def next(self):
        """A context that served before; one of its own for a program that is lowered within another."""
        return next(self._each) if mlir.ir.Context.current is None else self._make()
