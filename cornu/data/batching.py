"""Batching elements: stacked if they have the same shape, padded if not."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cornu.core.typing import AnyDict, AnyTuple, Nested, Tensor
from cornu.data.elements import Element, TensorSpec, map_leaves, same_structure
from cornu.errors import DataError


def stacked(elements: list[Element], owner: str) -> Element:
    """Elements of the same shape stacked along a new first axis."""
    try:
        return map_leaves(_stack, *elements)
    except (ValueError, KeyError) as error:
        if not all(same_structure(elements[0], other) for other in elements):
            raise DataError(
                f"{owner} requires elements of the same structure. Received: {_shapes(elements)}."
            ) from error
        raise DataError(
            f"{owner} requires elements of the same shape. Received: {_shapes(elements)}. Make their shapes equal in a "
            "map "
            "before it, or use padded_batch."
        ) from error


def _stack(*rows: Nested) -> np.ndarray | None:
    if rows[0] is None:
        return None
    if rows[0].ndim and all(row.shape == rows[0].shape for row in rows):
        return np.concatenate(rows).reshape(len(rows), *rows[0].shape)  # faster: creates no views of the rows
    return np.stack(rows)


def _shapes(elements: list[Element]) -> str:
    """The distinct shapes of elements, for a message."""
    shapes = dict.fromkeys(str(map_leaves(np.shape, element)) for element in elements)
    return " and ".join(list(shapes)[:3])


def padded(elements: list[Element], shapes: object, values: object, owner: str) -> Element:
    """Elements stacked along a new first axis, each padded at its ends.

    Args:
        elements: elements of one structure.
        shapes: target shapes in that structure, with None for the longest size; None uses the longest everywhere.
        values: padding values, in that structure or one for all; None for zeros and empty strings.
        owner: the caller, for error messages.
    """
    first = elements[0]
    if not isinstance(first, (tuple, Mapping)):
        return _padded_rows(elements, shapes, values, owner)
    keys: Any = first if isinstance(first, Mapping) else range(len(first))
    made = {
        key: padded([element[key] for element in elements], part(shapes, key), part(values, key), owner) for key in keys
    }
    return made if isinstance(first, Mapping) else tuple(made.values())


def part(value: Tensor, key: Any) -> Any:
    """The part of a structure that belongs to a key; a value that is not a structure applies to all."""
    return value[key] if isinstance(value, (tuple, list, Mapping)) else value


def _padded_rows(rows: list[np.ndarray], shape: Any, value: Tensor, owner: str) -> np.ndarray:
    ranks = {row.ndim for row in rows}
    if len(ranks) > 1 or (shape is not None and len(shape) not in ranks):
        raise DataError(
            f"{owner} requires elements with as many axes as the padded shape. Received: {_shapes(rows)}, and the "
            f"shape {shape}."
        )
    longest = [max(sizes) for sizes in zip(*(row.shape for row in rows), strict=True)]
    given = [None] * len(longest) if shape is None else shape
    wanted = [size if s in (None, -1) else int(s) for size, s in zip(longest, given, strict=True)]
    if any(size > room for size, room in zip(longest, wanted, strict=True)):
        raise DataError(f"{owner}: an element of shape {longest} does not fit in {wanted}, the padded shape.")
    kind = np.result_type(*rows)
    filled = np.full((len(rows), *wanted), ("" if kind.kind in "OUS" else 0) if value is None else value, kind)
    for number, row in enumerate(rows):
        filled[number : number + 1][(slice(None), *map(slice, row.shape))] = row
    return filled


def filled_shapes(element: Element, spec: Any, shapes: Any, size: int) -> AnyDict | AnyTuple:
    """Padded shapes in which each open or unknown size is `size`."""
    if isinstance(element, Mapping):
        return {key: filled_shapes(one, spec[key], part(shapes, key), size) for key, one in element.items()}
    if isinstance(element, tuple):
        return tuple(filled_shapes(one, spec[i], part(shapes, i), size) for i, one in enumerate(element))
    known = (None,) * element.ndim if spec.shape is None else spec.shape
    return tuple(size if s in (None, -1) else s for s in (known if shapes is None else shapes))


def padded_spec(spec: Any, shapes: Any, size: int | None) -> AnyDict | AnyTuple | TensorSpec:
    """The specs of padded batches."""
    if isinstance(spec, Mapping):
        return {key: padded_spec(one, part(shapes, key), size) for key, one in spec.items()}
    if isinstance(spec, tuple):
        return tuple(padded_spec(one, part(shapes, i), size) for i, one in enumerate(spec))
    if shapes is None and spec.shape is None:
        return TensorSpec(None, spec.dtype)
    sizes = spec.shape if shapes is None else [None if s in (None, -1) else int(s) for s in shapes]
    return TensorSpec((size, *sizes), spec.dtype)
