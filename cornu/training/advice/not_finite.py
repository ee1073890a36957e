"""The cause of a loss that is not finite, checked after an epoch in which it occurs."""

import math

import numpy as np

from cornu import layers
from cornu.training import anatomy
from cornu.training.advice.case import Case
from cornu.training.data.convert import named_leaves


def loss_that_is_no_number(case: Case) -> str | None:
    bad = next((name for name, value in case.logs.items() if name.endswith("loss") and not is_finite(value)), None)
    if bad is None:
        return None
    start = f"{bad} is {float(case.logs[bad]):g} at the end of epoch {case.epoch + 1}:"
    parts = {"x": case.x, "y": case.y, "sample_weight": case.sample_weight}
    for name, leaf in ((name, leaf) for part, data in parts.items() for name, leaf in named_leaves(data, part)):
        if anatomy.is_numeric(leaf) and leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            row, *column = map(int, np.argwhere(~np.isfinite(leaf))[0])
            place = f"row {row}" + (f", column {column[0]}" if len(column) == 1 else "")
            kind = "NaN" if np.isnan(leaf[~np.isfinite(leaf)][0]) else "infinity"
            return (
                f"{start} {name} contains {kind} (first in {place}). Remove such rows or fill them in, for example "
                f"{name} = np.nan_to_num({name}), and create a new model, since its weights are now NaN."
            )
    return f"{start} {_of_masked_rows(case) or _of_large_steps(case)}"


def _of_masked_rows(case: Case) -> str | None:
    """What to do about fully masked rows, if a layer of the model averages over steps."""
    inner = case.model._flatten_layers()
    if not any(isinstance(layer, layers.GlobalAveragePooling1D) for layer in inner):
        return None
    ids_masked = any(isinstance(layer, layers.Embedding) and layer.mask_zero for layer in inner)
    values = [(3, layer.mask_value) for layer in inner if isinstance(layer, layers.Masking)] + [(2, 0)] * ids_masked
    for name, leaf in named_leaves(case.x, "x"):
        for rank, value in values:
            if anatomy.is_numeric(leaf) and leaf.ndim == rank:
                empty = np.flatnonzero((leaf == value).reshape(len(leaf), -1).all(1))
                if len(empty):
                    return (
                        f"{name} has rows in which every step is masked (the first is row {empty[0]}), so an average "
                        f"over their steps is 0 / 0. Remove such rows, or give them a step that is not {value:g}."
                    )
    return None


def _of_large_steps(case: Case) -> str:
    checked = "the data contains no NaN, so " if case.x is not None else "if np.isnan(x).any() is False for your data, "
    optimizer = case.model.optimizer
    rate = _rate(optimizer)
    cures = [] if rate is None else [f"a smaller learning rate than {rate:g}, such as {_tenth(rate):g}"]
    cures += [] if getattr(optimizer, "clipnorm", None) else ["clipnorm=1.0 in the optimizer"]
    sizes = [np.abs(leaf).max() for _, leaf in named_leaves(case.x, "x") if anatomy.is_numeric(leaf)]
    if sizes and max(sizes) > 10:
        cures.append(f"inputs scaled to about -1 to 1 (they reach {max(sizes):g})")
    labels = [np.abs(leaf).max() for _, leaf in named_leaves(case.y, "y") if anatomy.is_numeric(leaf)]
    if labels and max(labels) > 1000:
        cures.append(f"labels scaled likewise (up to {max(labels):g})")
    return f"{checked}the steps were too large, or the loss is undefined there. Try {'; '.join(cures)}."


def _rate(optimizer: object) -> float | None:
    rate = getattr(optimizer, "learning_rate", None)
    try:
        return float(np.asarray(getattr(rate, "value", rate)))
    except (TypeError, ValueError):
        return None


def _tenth(rate: float) -> float:
    """A tenth of `rate`, or less, as a round number of at most 0.001."""
    return min(1e-3, 10.0 ** math.floor(math.log10(rate / 10))) if rate > 0 else 1e-3


def is_finite(value: object) -> bool:
    """Whether a value in the logs is finite, or not a number at all."""
    return not isinstance(value, (int, float)) or math.isfinite(value)
