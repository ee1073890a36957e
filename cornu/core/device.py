"""The device on which new arrays are created."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Scope in which arrays are created on the given device.

    Args:
        device_name: such as `"cpu:0"` or `"gpu:1"`; `"cuda"` is an alias of `"gpu"`, and the number defaults to 0.

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
        raise ValueError(
            f"device: there is no device {device_name!r}. Available devices: {', '.join(found)}."
        ) from None
    with jax.default_device(chosen):
        yield
