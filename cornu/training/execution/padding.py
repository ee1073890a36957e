"""Padding the last batch, so that it does not need a compiled function of its own.

Extra rows are exact only if every row is processed independently by the model, and losses and metrics ignore masked
rows. Layers and losses promise the former with `rowwise`, metrics the latter with `ignores_zero_weights` (see
`core.promises`); anything without a promise is assumed to mix rows.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import tree
from cornu.core import promises
from cornu.layers.rows import mixes_rows
from cornu.training.step import is_default

if TYPE_CHECKING:
    from cornu.models.model import Model


def is_exact(model: Any, stage: str) -> bool:
    """Whether padded batches give exactly the results of the valid rows in `stage`: train, test or predict."""
    if not is_default(model, stage):
        return False
    if any(mixes_rows(layer, stage == "train") for layer in model._flatten_layers()):
        return False
    return stage == "predict" or (
        _losses_skip_rows(model) and _metrics_skip_rows(model) and _outputs_have_two_axes(model, stage)
    )


def _losses_skip_rows(model: "Model") -> bool:
    loss = model._compile_loss
    return loss is not None and all(
        one.reduction not in ("none", None) and promises.kept(one, "rowwise") for one in loss.losses
    )


def _metrics_skip_rows(model: "Model") -> bool:
    metrics = model._compile_metrics.metrics if model._compile_metrics is not None else []
    others = [metric for layer in model._flatten_layers(include_self=False) for metric in layer.metrics]
    return not others and all(promises.kept(metric, "ignores_zero_weights") for metric in metrics)


def _outputs_have_two_axes(model: "Model", stage: str) -> bool:
    """Losses treat the last axis as features: predictions of rank 1 would be a single sample."""
    known = model._computations[stage].prepared.values()
    return all(len(output.shape) > 1 for output in tree.flatten([one.outputs for one in known]))


def size(model: object, batches: Any, stage: str) -> int | None:
    """The number of rows to which batches are padded, or None if that is not needed or not exact."""
    rows, full = batches.num_samples, batches.batch_size
    if rows is None or full is None or rows % full == 0 or rows < full:
        return None
    return full if is_exact(model, stage) else None


def pad(data: object, size: int | None) -> tuple[object, int | None]:
    """(`data` with `size` rows, number of valid rows), or (`data`, None) if batches are not padded.

    The number is returned for full batches too, so that all batches use the same compiled function.
    """
    if size is None:
        return data, None
    rows = len(next(leaf for leaf in tree.flatten(data) if leaf is not None))
    if rows == size:
        return data, rows
    return tree.map_structure(lambda leaf: _padded(leaf, size), data), rows


def _padded(leaf: object, size: int) -> np.ndarray | None:
    if leaf is None:
        return None
    array = np.asarray(leaf)
    return np.concatenate([array, np.repeat(array[:1], size - len(array), axis=0)])
