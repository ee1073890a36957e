"""Which time steps of an array are real: masks travel beside arrays, not inside them.

Tracers and JAX arrays take no attributes, so masks live in one table keyed by the identity of the array. An entry
goes when its array does.
"""

import weakref
from typing import Any

_masks: dict[int, tuple[weakref.ref, Any]] = {}


def get_mask(x: Any) -> Any:
    """The mask that belongs to `x`, or None."""
    entry = _masks.get(id(x))
    return entry[1] if entry is not None and entry[0]() is x else None


def set_mask(x: Any, mask: Any) -> None:
    """Make `mask` the mask of `x`; None takes the mask away."""
    key = id(x)
    if mask is None:
        _masks.pop(key, None)
        return
    try:
        reference = weakref.ref(x, lambda _: _masks.pop(key, None))
    except TypeError:  # a plain number or list: nothing that could be masked
        return
    _masks[key] = (reference, mask)
