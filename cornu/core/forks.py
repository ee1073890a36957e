"""A forked process says that it cannot compute, where JAX alone would hang.

A fork copies the memory of a process and one of its threads. JAX computes and compiles in threads of its own, which the
child has not got, so its first computation would wait for ever, and in some of XLA's parts a new start is not possible.
So a child of a process in which JAX had started is given a backend that only says so, by JAX's public door for
backends: whatever computes fails at once, with the ways that work. What the parent had computed can still be read:
weights, `save`, `summary`. A process that forks before JAX has started, or never forks, notices nothing.
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
    "this process was forked after JAX had started, and JAX's threads do not survive a fork: nothing can be computed "
    "here. Start workers with multiprocessing.get_context('spawn') or 'forkserver' (gunicorn: without --preload), or "
    "fork first and make or load the model in each worker. Weights can still be read and saved here"
)


def register() -> None:
    """Prepare for forks; once a process."""
    if hasattr(os, "register_at_fork"):  # there are no forks on Windows
        os.register_at_fork(before=_finish_computing, after_in_child=_refuse_to_compute)


def _started() -> bool:
    """Whether JAX has a backend, which it says nowhere in public; asking for one would make it."""
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()


def _finish_computing() -> None:
    """Wait for what is being computed, so that the child can read it."""
    if _started():
        with contextlib.suppress(RuntimeError):  # a computation that failed, or an array that another thread donated
            jax.block_until_ready(jax.live_arrays())


def _refuse_to_compute() -> None:
    """Put the backend that says no in the place of those that hang, which are kept: their ends wait for threads too."""
    if not _started():
        return
    from_parent = [*jax.live_arrays(), *backend.backends().values()]
    for each in from_parent:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))
    backend.clear_backends()
    backend.register_backend_factory(_BACKEND, _refuse, fail_quietly=False)
    jax.config.update("jax_platforms", _BACKEND)


def is_forked() -> bool:
    """Whether this process was forked after JAX had started, so that nothing can be computed here."""
    return jax.config.jax_platforms == _BACKEND  # type: ignore[attr-defined]


def _refuse() -> NoReturn:
    raise RuntimeError(_MESSAGE)
