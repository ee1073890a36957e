"""Sequences of different lengths as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cornu import validate
from cornu.core.typing import DTypeLike

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: object = 0.0,
) -> np.ndarray:
    """Sequences as one array, with short ones padded and long ones truncated.

    Args:
        sequences: list of sequences, whose items are numbers, or arrays of the same shape.
        maxlen: length of all rows; None uses that of the longest sequence.
        dtype: dtype of the array; `object` for strings. Defaults to `"int32"`.
        padding: `"pre"` or `"post"`: where padding is added. Defaults to `"pre"`.
        truncating: `"pre"` or `"post"`: where a sequence that is too long is truncated. Defaults to `"pre"`.
        value: padding value. Defaults to 0.0.

    Returns:
        An array of shape `(len(sequences), maxlen, ...)`.

    Example:

        x = cornu.utils.pad_sequences([[1], [2, 3], [4, 5, 6]])
        print(x)  # [[0 0 1] [0 2 3] [4 5 6]]
    """
    owner = "pad_sequences"
    validate.one_of(padding, ("pre", "post"), "padding", owner)
    validate.one_of(truncating, ("pre", "post"), "truncating", owner)
    if not hasattr(sequences, "__len__") or not all(hasattr(row, "__len__") for row in sequences):
        raise ValueError(f"{owner}: sequences must be a list of sequences. Received: {validate.shown(sequences)}.")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OU":
        raise ValueError(
            f"{owner}: strings require dtype=object. Received: dtype={validate.shown(dtype)}, "
            f"value={validate.shown(value)}."
        )
    longest = max(map(len, sequences), default=0)
    length = longest if maxlen is None else validate.non_negative_int(maxlen, "maxlen", owner)
    shape = _item_shape(sequences)
    result = np.full((len(sequences), length, *shape), value, dtype)
    for row, sequence in zip(result, sequences, strict=True):
        kept = sequence[:length] if truncating == "post" else sequence[max(0, len(sequence) - length) :]
        if len(kept):
            row[slice(len(kept)) if padding == "post" else slice(length - len(kept), None)] = np.asarray(kept, dtype)
    return result


def _item_shape(sequences: Sequence[Any]) -> tuple[int, ...]:
    """The shape of an item, which must be equal in all sequences."""
    shapes = {np.shape(sequence[0]): place for place, sequence in enumerate(sequences) if len(sequence)}
    if len(shapes) > 1:
        raise ValueError(f"pad_sequences: items must have the same shape. Received: {', '.join(map(str, shapes))}.")
    return next(iter(shapes), ())
