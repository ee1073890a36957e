"""Inputs that a model takes as they are, though they are of very different sizes, or say nothing.

Only what goes into a layer that multiplies it by weights is looked at: what is normalized first, or looked up in a
table, may have any size.
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

_LARGE = 200  # inputs beyond this are unscaled: pixels go to 255, images prepared for older networks to 152
_LARGE_MEAN = 20  # of the sizes at one place; a rare value, divided by its deviation, is large in a few rows alone
_RATIO = 1e5  # of the sizes of two columns, from which on the smaller one is not learned from
_GAP = 100  # between neighbouring sizes: those of what a network or a decomposition gives follow one another closely
_NOTHING = 1e-12  # beside the largest column, what is left of a column of zeros in floating point
_FEWEST = 8  # rows that tell the size of a column
_ENOUGH = 50  # rows that tell that a column is constant
_SAMPLE = 512  # rows that are looked at
_SMALL = 0.3  # constants below belong to classes that nobody is in, centered or not
_BACKGROUND = 3  # columns of one constant are the background of pictures


class _Read(NamedTuple):
    """An input and a layer that multiplies it by weights."""

    where: str  # `input "age": ` in messages; "" for the only input
    values: Tensor
    layer: Any
    is_normalized: bool  # by what comes behind the layer


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


def _is_normalized(after: list) -> bool:
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
                f"{sizes[small]:.1g}, so {validate.describe(read.layer)} learns from the larger alone. Bring all "
                "columns to one size: a Normalization layer that has seen the data, layer.adapt(x), in front, or "
                "(x - x.mean(axis=0)) / x.std(axis=0)."
            )
    return None


def _sizes(values: np.ndarray) -> np.ndarray:
    """The typical size of each column, NaN where it is mostly zero."""
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
    if uneven_inputs(case) is not None:  # which has the cure for this too
        return None
    for read in _read(case):
        constant = _constant(read.values)
        values = read.values[..., ~constant] if not constant.all() else read.values
        low, high = float(values.min()), float(values.max())
        if read.is_normalized or not _LARGE < max(-low, high) < math.inf or _is_rarely_large(values):
            continue
        scaled = "x / 255, a Rescaling(1 / 255) layer" if low >= 0 and high <= 255 else "a Normalization layer"
        return (
            f"{read.where}inputs from {low:g} to {high:g} go unscaled into {validate.describe(read.layer)}, which "
            f"makes training slow or lets it fail. Bring them to about -1 to 1: {scaled}, or (x - mean) / deviation."
        )
    return None


def _constant(values: np.ndarray) -> np.ndarray:
    """The columns of a table that are one number in all rows, of which `constant_features` has more to say."""
    if values.ndim != 2 or len(values) < _FEWEST:
        return np.zeros(values.shape[-1:], bool)
    return values.min(axis=0) == values.max(axis=0)


def _is_rarely_large(values: Tensor) -> bool:
    return float(np.abs(values.astype("float32")).mean(axis=0).max()) < _LARGE_MEAN


def constant_features(case: Case) -> str | None:
    """A column of a table with one value in all rows, where that is neither a class nor a background."""
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
                    "from it. Leave it out, or look for what went wrong when it was filled."
                )
    return None


def odd_indices(case: Case) -> str | None:
    """What an `Embedding` cannot look up, though it does; numbers that are too large are refused in `prepare`."""
    looked_up = anatomy.embeddings(case.model)
    for tensor, values in anatomy.inputs_and_values(case.model, case.x) if looked_up else ():
        layer = next((layer for read, layer in looked_up if read is tensor), None)
        if layer is None or not anatomy.is_numeric(values):
            continue
        if values.min() < 0:
            return (
                f"{validate.describe(layer)} is given numbers down to {values.min():g}, and takes those below 0 for "
                "rows from the end of its table. Count from 0, for example x + 1 with 0 for padding, and make "
                "input_dim one larger."
            )
        fractions = values[np.isfinite(values) & (values != np.floor(values))]
        if fractions.size:
            return (
                f"{validate.describe(layer)} looks up whole numbers, and takes {fractions[0]:g} for "
                f"{np.floor(fractions[0]):g}. Give it the numbers of words or classes as they are, not scaled; numbers "
                "that measure something go into a Dense layer."
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
