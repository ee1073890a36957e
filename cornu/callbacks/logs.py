"""The logs that callbacks receive: like a plain dictionary, but values are fetched from the device when first read.

A training loop passes scalars that may still be being computed. Converting them to floats waits for the device, so
`Logs` does it only on first access, and then once for all values.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np


def _flat(logs: Mapping[str, object]) -> dict[str, Any]:
    """Nested dictionaries flattened, with names in sorted order at each level."""
    flat: dict[str, Any] = {}
    for name in sorted(logs):
        value = logs[name]
        flat.update(_flat(value) if isinstance(value, Mapping) else {name: value})
    return flat


def _plain(value: object) -> object:
    """A scalar tensor as a float, an array as a NumPy array, anything else unchanged."""
    if value is None or isinstance(value, (str, float, int)):
        return value
    array = np.asarray(value)
    return float(array) if array.ndim == 0 and array.dtype != object else value


class Logs(dict[str, Any]):
    """Names and values of metrics; device scalars become floats on first access to any of them."""

    def __init__(self, values: Mapping[str, object] | None = None):
        super().__init__(_flat(values or {}))
        self._settled = False

    def settle(self) -> None:
        """Fetch every value now; later calls do nothing."""
        if not self._settled:
            self._settled = True
            fetched = jax.device_get(dict(super().items()))
            super().update({name: _plain(value) for name, value in fetched.items()})

    def __reduce__(self) -> tuple[object, ...]:
        self.settle()
        return dict, (dict(super().items()),)


def _settled_first(name: str) -> Callable[..., object]:
    plain_method = getattr(dict, name)

    def method(self: Any, *args: object, **kwargs: object) -> Any:
        self.settle()
        return plain_method(self, *args, **kwargs)

    method.__name__ = name
    return method


# `dict(logs)` and `{**logs}` bypass `__getitem__` unless `__iter__` is a method of the class.
_READING = (
    "__getitem__", "__iter__", "__eq__", "__ne__", "__repr__", "__or__", "__ror__", "__ior__",
    "get", "items", "values", "copy", "pop", "popitem", "setdefault",
)  # fmt: skip
for _name in _READING:
    setattr(Logs, _name, _settled_first(_name))


def as_logs(logs: Mapping[str, object] | None) -> Logs:
    """`logs` as lazy `Logs`; `Logs` are returned unchanged."""
    return logs if isinstance(logs, Logs) else Logs(logs)
