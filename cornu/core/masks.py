"""Which time steps of an array are real: masks travel beside arrays, not inside them.

An array keeps its mask in the attribute `_keras_mask`, as Keras users read and set it. Tracers accept no attributes:
their masks are kept in one table keyed by the identity of the tracer, and an entry is removed along with its tracer.
"""

import weakref

from cornu.core.typing import Nested, Tensor

_masks: dict[int, tuple[weakref.ref[object], object]] = {}


def get_mask(x: object) -> Tensor:
    """The mask that belongs to `x`, or None."""
    mask = getattr(x, "_keras_mask", None)
    return mask if mask is not None or not _masks else in_table(x)


def in_table(x: object) -> Tensor:
    """The mask of a tracer, or None."""
    entry = _masks.get(id(x))
    return entry[1] if entry is not None and entry[0]() is x else None


def set_mask(x: Nested, mask: Nested) -> None:
    """Make `mask` the mask of `x`; None removes it."""
    if mask is None and get_mask(x) is None:
        return
    try:
        x._keras_mask = mask
    except AttributeError:
        set_in_table(x, mask)


def set_in_table(x: object, mask: object) -> None:
    """Make `mask` the mask of a tracer; None removes it."""
    key = id(x)
    if mask is None:
        _masks.pop(key, None)
        return
    try:
        reference = weakref.ref(x, lambda _: _masks.pop(key, None))
    except TypeError:  # a plain number or list cannot be masked
        return
    _masks[key] = (reference, mask)


def require_steps(mask: Nested, steps: tuple[int | None, ...], owner: str) -> None:
    """Raise ValueError unless `mask` has the shape `steps`, (batch, time)."""
    shape = tuple(mask.shape)
    if len(shape) != len(steps) or any(size not in (1, wanted) for size, wanted in zip(shape, steps, strict=True)):
        raise ValueError(
            f"{owner}: the mask must have shape {tuple(steps)}, (batch, time): one value for each step of the "
            f"inputs. Received: mask.shape={shape}."
        )
