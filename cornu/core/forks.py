"""A forked process raises an error instead of hanging, as JAX alone would.

A fork copies the memory of a process and one of its threads. JAX computes and compiles in threads of its own, which the
child lacks, so its first computation would wait forever, and parts of XLA cannot be restarted. So the child of a
process in which JAX was initialized gets a backend whose only purpose is to raise an error, through JAX's public API
for backends: every computation fails immediately with advice on what works. Results the parent had computed can still
be read: weights, `save`, `summary`. A process that forks before JAX is initialized, or never forks, is unaffected.
"""

import contextlib
import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import jax

from cornu import lazy

if TYPE_CHECKING:
    import jax.extend.backend as backend
else:
    backend = lazy.module("jax.extend.backend")

_BACKEND = "forked"
_MESSAGE = (
    "this process was forked after JAX was initialized, and JAX's threads do not survive a fork: nothing can be "
    "computed "
    "here. Start workers with multiprocessing.get_context('spawn') or 'forkserver' (gunicorn: without --preload), or "
    "fork first and create or load the model in each worker. Weights can still be read and saved here"
)


def register() -> None:
    """Install the fork handlers; once per process."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(before=_finish_computing, after_in_child=_refuse_to_compute)


def _started() -> bool:
    """Whether JAX has a backend; JAX has no public API for this, and asking for a backend would create one."""
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()


def _finish_computing() -> None:
    """Wait for pending computations, so that the child can read their results."""
    if _started():
        with contextlib.suppress(RuntimeError):  # a failed computation, or an array donated by another thread
            jax.block_until_ready(jax.live_arrays())


def _refuse_to_compute() -> None:
    """Install the failing backend in place of those that hang, which are kept: their destructors wait for threads
    too."""
    if not _started():
        return
    from_parent = [*jax.live_arrays(), *backend.backends().values()]
    for each in from_parent:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))
    backend.clear_backends()
    backend.register_backend_factory(_BACKEND, _refuse, fail_quietly=False)
    jax.config.update("jax_platforms", _BACKEND)


def is_forked() -> bool:
    """Whether this process was forked after JAX was initialized, so that nothing can be computed here."""
    return jax.config.jax_platforms == _BACKEND  # type: ignore[attr-defined]


def _refuse() -> NoReturn:
    raise RuntimeError(_MESSAGE)
