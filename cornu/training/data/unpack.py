"""The forms of a batch: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

from cornu.core.typing import Batch, Data, Nested
from cornu.training.data.convert import convert, convert_weights, take

_FORMS = "x, (x,), (x, y) or (x, y, sample_weight)"


def unpack_batch(item: object, source: str, owner: str, lists_are_tuples: bool) -> Batch:
    """(x, y, sample_weight) as trees of NumPy arrays from one item of a source of batches."""
    if isinstance(item, list):
        if not lists_are_tuples:
            raise ValueError(
                f"{owner}: {source} yields a list of {len(item)}; a batch must be a tuple: {_FORMS}. "
                "Put several inputs in a tuple or list: ([x1, x2], y)."
            )
        item = tuple(item)
    if not isinstance(item, tuple):
        item = (item,)
    if not 1 <= len(item) <= 3 or item[0] is None:
        raise ValueError(f"{owner}: {source} must yield {_FORMS}. Received: a tuple of {len(item)}: {_kinds(item)}.")
    x, y, sample_weight = (*item, None, None)[:3]
    x, y = (take(convert(part, name, owner), slice(None)) for part, name in ((x, "x"), (y, "y")))
    return x, y, convert_weights(sample_weight, owner)


def _kinds(item: Batch) -> str:
    return ", ".join(type(part).__name__ for part in item)


def pack_x_y_sample_weight(x: Data, y: Data = None, sample_weight: Data = None) -> Nested:
    """Pack the parts of a batch into the shortest form that `unpack_x_y_sample_weight` accepts.

    Args:
        x: the inputs.
        y: the targets. None by default.
        sample_weight: a weight for each row. None by default.

    Example:
        batch = cornu.utils.pack_x_y_sample_weight(np.ones((2, 1)), np.zeros((2, 1)))
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Data) -> tuple[object, object, object]:
    """(x, y, sample_weight) from a batch in any form, None for missing parts.

    Args:
        data: inputs alone, or a tuple of inputs, targets and sample weights.

    Example:
        x, y, sample_weight = cornu.utils.unpack_x_y_sample_weight((np.ones((2, 1)), np.zeros((2, 1))))
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"unpack_x_y_sample_weight: a batch must be {_FORMS}. Received: {len(parts)} parts.")
    return (*parts, None, None)[:3]
