"""Which device new arrays are made on, and how their numbers come from there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

_WATCHED = 2e-4  # seconds


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Scope in which arrays are made on the named device.

    Args:
        device_name: such as `"cpu:0"` or `"gpu:1"`; `"cuda"` means `"gpu"`, and no number means 0.

    Example:

        with cornu.device("cpu:0"):
            v = cornu.Variable([1.0, 2.0])
    """
    kind, _, number = device_name.lower().partition(":")
    kind = {"cuda": "gpu"}.get(kind, kind)
    try:
        chosen = jax.devices(kind)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        found = [f"{d.platform}:{d.id}" for d in jax.devices()]
        raise ValueError(f"device: no device is called {device_name!r}. Devices here: {', '.join(found)}.") from None
    with jax.default_device(chosen):
        yield


def fetched(x: Any) -> np.ndarray:
    """The numbers of an array, once they are computed.

    For a moment they are waited for with open eyes: a thread that sleeps is woken later than a small model is done.
    """
    is_ready = getattr(x, "is_ready", None)
    if is_ready is not None:
        until = time.perf_counter() + _WATCHED
        while not is_ready() and time.perf_counter() < until:
            pass
    return np.asarray(x)
