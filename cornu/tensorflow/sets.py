"""`tensorflow.sets`: rows of the last axis as sets, the results as sparse tensors with rows in ascending order."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyFunction, Tensor
from cornu.tensorflow.served import within
from cornu.tensorflow.sparse import SparseTensor
from cornu.tensorflow.texts import is_text, text

__all__ = ["difference", "intersection", "size", "union"]


def _rows(values: Tensor) -> tuple[tuple[int, ...], list[set[Tensor]]]:
    """The shape without the last axis, and the set of each row."""
    if isinstance(values, SparseTensor):
        outer = tuple(int(size) for size in values.shape[:-1])
        rows: list[set[Tensor]] = [set() for _ in range(int(np.prod(outer)))]
        for place, value in zip(np.asarray(values.indices), np.asarray(values.values).tolist(), strict=True):
            rows[int(np.ravel_multi_index(tuple(place[:-1]), outer))].add(value)
        return outer, rows
    array = np.asarray(text(values)) if is_text(values) else np.asarray(values)
    return array.shape[:-1], [set(row) for row in array.reshape(-1, array.shape[-1]).tolist()]


def _made(outer: tuple[int, ...], rows: list[set[Tensor]], like: Tensor) -> SparseTensor:
    longest = max(map(len, rows), default=0)
    flat = [(row, column, value) for row, values in enumerate(rows) for column, value in enumerate(sorted(values))]
    places = [(*np.unravel_index(row, outer), column) for row, column, _ in flat]
    indices = jnp.asarray(np.array(places, "int32").reshape(-1, len(outer) + 1))
    values = [value for *_, value in flat]
    has_text = values and isinstance(values[0], (str, bytes))
    made = text(values) if has_text else jnp.asarray(np.array(values, np.asarray(like).dtype))
    return SparseTensor(indices, made, (*outer, longest))


def _combined(name: str, combine: Callable[[set[object], set[object]], set[object]]) -> AnyFunction:
    def function(a: Tensor, b: Tensor, *how: bool, validate_indices: bool = True, aminusb: bool = True) -> SparseTensor:
        outer, first = _rows(a)
        _, second = _rows(b)
        turned = name == "difference" and not (how[0] if how else aminusb)
        pairs = zip(second, first, strict=True) if turned else zip(first, second, strict=True)
        return _made(outer, [combine(*pair) for pair in pairs], a.values if isinstance(a, SparseTensor) else a)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The {name} of each row of `a` and `b`."
    return function


difference = _combined("difference", lambda a, b: a - b)
intersection = _combined("intersection", lambda a, b: a & b)
union = _combined("union", lambda a, b: a | b)


def size(a: Tensor, validate_indices: bool = True) -> jax.Array:
    """The number of different elements of each row."""
    outer, rows = _rows(a)
    return jnp.asarray(np.array([len(row) for row in rows], "int32").reshape(outer))


__getattr__: Callable[[str], object] = within(__name__)
