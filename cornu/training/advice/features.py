"""Inputs that are used unscaled although their scales differ widely, or that carry no information.

Only inputs of layers that multiply them by weights are checked: inputs that are normalized first, or looked up in a
table, may have any scale.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cornu import tree, validate
from cornu.core.read_text import numbers_of
from cornu.core.typing import Tensor
from cornu.training import anatomy
from cornu.training.advice.case import Case

_LARGE = 200  # inputs above this are unscaled: pixels reach 255, images preprocessed for older networks 152
_LARGE_MEAN = 20  # mean magnitude of a column; a standardized rare value is large only in a few rows
_RATIO = 1e5  # ratio of two columns' magnitudes from which the smaller one is not learned from
_GAP = 100  # ratio between adjacent magnitudes: features from a network or a decomposition have no such gaps
_NOTHING = 1e-12  # relative to the largest column, a column of zeros up to rounding
_FEWEST = 8  # minimum number of rows to estimate a column's magnitude
_ENOUGH = 50  # minimum number of rows to call a column constant
_SAMPLE = 512  # number of rows to examine
_SMALL = 0.3  # smaller constants may be unused categories, centered or not
_BACKGROUND = 3  # several columns with the same constant are the background of images


class _Read(NamedTuple):
    """An input and a layer that multiplies it by weights."""

    where: str  # `input "age": ` in messages; "" for the only input
    values: Tensor
    layer: Any
    is_normalized: bool  # by what follows the layer


def _read(case: Case) -> Iterator[_Read]:
    if getattr(case.model, "_graph", None) is None:
        yield from _read_by_calls(case)
        return
    inputs = anatomy.inputs_and_values(case.model, case.x)
    for tensor, values in inputs:
        if not anatomy.is_numeric(values):
            continue
        for layer, after in anatomy.first_readers(case.model, tensor):
            if isinstance(layer, anatomy.WEIGHING) and layer.trainable:
                yield _Read(f'input "{tensor.name}": ' if len(inputs) > 1 else "", values, layer, _is_normalized(after))


def _read_by_calls(case: Case) -> Iterator[_Read]:
    values = tree.flatten(numbers_of(case.x))
    for position, layer, after in case.readers:
        if isinstance(layer, anatomy.WEIGHING) and layer.trainable and anatomy.is_numeric(values[position]):
            where = f"input {position}: " if len(values) > 1 else ""
            yield _Read(where, values[position], layer, _is_normalized(after))


def _is_normalized(after: list[object]) -> bool:
    return any(isinstance(operation, anatomy.NORMALIZING) for operation in after)


def uneven_inputs(case: Case) -> str | None:
    for read in _read(case):
        if read.values.ndim not in (2, 3) or len(read.values) < _FEWEST:
            continue
        sizes = np.where(_constant(read.values), np.nan, _sizes(read.values[:_SAMPLE]))
        if _is_uneven(sizes):
            large, small = int(np.nanargmax(sizes)), int(np.nanargmin(sizes))
            return (
                f"{read.where}column {large} of the inputs is about {sizes[large]:.1g}, column {small} about "
                f"{sizes[small]:.1g}, so {validate.describe(read.layer)} learns only from the larger one. Bring all "
                "columns to the same scale: with a Normalization layer adapted to the data, layer.adapt(x), or with "
                "(x - x.mean(axis=0)) / x.std(axis=0)."
            )
    return None


def _sizes(values: np.ndarray) -> np.ndarray:
    """The typical magnitude of each column, NaN if it is mostly zero."""
    rows = np.abs(values.reshape(-1, values.shape[-1]).astype("float64"))
    dense = np.count_nonzero(rows, axis=0) * 2 >= len(rows)
    sizes = np.where(dense, rows.mean(axis=0), np.nan)
    return np.where(sizes > _NOTHING * np.nanmax(sizes), sizes, np.nan) if not np.isnan(sizes).all() else sizes


def _is_uneven(sizes: np.ndarray) -> bool:
    known = sizes[np.isfinite(sizes)]
    if len(known) < 2 or known.max() < _RATIO * known.min():
        return False
    falls = len(known) > 4 and bool(np.all(known[1:] < 10 * np.minimum.accumulate(known)[:-1]))  # principal components
    ordered = np.sort(known)
    return not falls and bool(np.any(ordered[1:] >= _GAP * ordered[:-1]))


def unscaled_inputs(case: Case) -> str | None:
    if uneven_inputs(case) is not None:  # whose advice covers this too
        return None
    for read in _read(case):
        constant = _constant(read.values)
        values = read.values[..., ~constant] if not constant.all() else read.values
        low, high = float(values.min()), float(values.max())
        if read.is_normalized or not _LARGE < max(-low, high) < math.inf or _is_rarely_large(values):
            continue
        scaled = "x / 255, a Rescaling(1 / 255) layer" if low >= 0 and high <= 255 else "a Normalization layer"
        return (
            f"{read.where}inputs from {low:g} to {high:g} are passed unscaled to {validate.describe(read.layer)}, "
            "which "
            f"makes training slow or unstable. Scale them to about -1 to 1: {scaled}, or (x - mean) / deviation."
        )
    return None


def _constant(values: np.ndarray) -> np.ndarray:
    """The columns of a table that are constant; `constant_features` examines them further."""
    if values.ndim != 2 or len(values) < _FEWEST:
        return np.zeros(values.shape[-1:], bool)
    return values.min(axis=0) == values.max(axis=0)


def _is_rarely_large(values: Tensor) -> bool:
    return float(np.abs(values.astype("float32")).mean(axis=0).max()) < _LARGE_MEAN


def constant_features(case: Case) -> str | None:
    """A constant column of a table that is neither an unused category nor a background."""
    for read in _read(case):
        values = read.values
        if values.ndim != 2 or len(values) < _ENOUGH:
            continue
        some = values[np.linspace(0, len(values) - 1, min(len(values), _SAMPLE)).astype(int)]
        low, high = some.min(axis=0), some.max(axis=0)
        constant = low == high
        if constant.all():
            continue
        for column in np.flatnonzero(constant & (np.abs(low) > _SMALL) & (np.abs(low) != 1)):
            value = low[column]
            shared = np.mean((low[~constant] == value) | (high[~constant] == value))
            is_background = shared >= 0.5 or np.count_nonzero(low[constant] == value) >= _BACKGROUND
            if not is_background and np.all(values[:, column] == value):
                return (
                    f"{read.where}column {column} of the inputs is {value:g} in every row, so nothing can be learned "
                    "from it. Remove it, or check how it was created."
                )
    return None


def odd_indices(case: Case) -> str | None:
    """Indices that an `Embedding` accepts but should not; indices that are too large are rejected in `prepare`."""
    looked_up = anatomy.embeddings(case.model)
    for tensor, values in anatomy.inputs_and_values(case.model, case.x) if looked_up else ():
        layer = next((layer for read, layer in looked_up if read is tensor), None)
        if layer is None or not anatomy.is_numeric(values):
            continue
        if values.min() < 0:
            return (
                f"{validate.describe(layer)} received indices down to {values.min():g}, and negative indices select "
                "rows from the end of its table. Start at 0, for example x + 1 with 0 for padding, and make "
                "input_dim one larger."
            )
        fractions = values[np.isfinite(values) & (values != np.floor(values))]
        if fractions.size:
            return (
                f"{validate.describe(layer)} looks up integers, and truncates {fractions[0]:g} to "
                f"{np.floor(fractions[0]):g}. Pass the indices of words or classes unscaled; quantities "
                "belong in a Dense layer."
            )
    return None


def never_adapted(case: Case) -> str | None:
    """A `Normalization` that has learned no mean and variance, and so changes nothing."""
    for layer in case.model._flatten_layers():
        sources = [x.history.operation for node in layer.nodes for x in node.input_tensors if x.history]
        is_scaled = any(type(source).__name__ == "Rescaling" for source in sources)  # EfficientNet without weights
        if getattr(layer, "_learned_nothing", False) and not is_scaled:
            return (
                f"{validate.describe(layer)} has seen no data, and leaves its inputs as they are. Call adapt(x) with "
                "the training data before fit(), or give it mean and variance."
            )
    return None
