"""The amounts cropped or padded at the two ends of each spatial axis: shared by cropping and zero padding."""

import numbers
from collections.abc import Sequence

from cornu import validate

Pairs = tuple[tuple[int, int], ...]


def side_pairs(value: object, rank: int, name: str, owner: object) -> Pairs:
    """`value` as one pair (before, after) for each of `rank` axes.

    A single number applies to both ends of all axes, one number per axis to both ends of that axis.
    """
    items = (value,) * rank if isinstance(value, numbers.Integral) else value
    if isinstance(items, Sequence) and not isinstance(items, str) and len(items) == rank:
        pairs = [(item, item) if isinstance(item, numbers.Integral) else item for item in items]
        if all(_is_pair(pair) for pair in pairs):
            return tuple((int(before), int(after)) for before, after in pairs)
    raise ValueError(
        f"{validate.describe(owner)}: {name} must be an integer, {rank} integers, or {rank} pairs (before, after), "
        f"each at least 0. Received: {name}={validate.shown(value)}."
    )


def end_pair(value: object, name: str, owner: object) -> tuple[int, int]:
    """`value` as the pair (before, after) of a single axis; a single number applies to both."""
    before, after = validate.int_tuple(value, 2, name, owner, minimum=0)
    return before, after


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(isinstance(v, numbers.Integral) and not isinstance(v, bool) and int(v) >= 0 for v in value)
    )


def first_spatial_axis(data_format: str) -> int:
    """The axis after the batch, or after batch and channels."""
    return 1 if data_format == "channels_last" else 2
