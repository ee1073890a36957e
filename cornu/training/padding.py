"""Filling up the last batch, so that it needs no compiled function of its own.

Extra rows are exact only where every row goes through the model alone and losses and metrics leave masked rows out.
That is known of cornu's own layers, losses and metrics; whatever a user wrote is taken to mix rows.
"""

from typing import Any

import numpy as np

from cornu import registry, tree
from cornu.core.operation import FunctionOperation
from cornu.layers.layer import Layer


def is_exact(model: Any, stage: str) -> bool:
    """Whether filled-up batches give exactly the numbers of the real rows in `stage`: train, test or predict."""
    layers = model._flatten_layers()
    if any(_mixes_rows(layer, stage == "train") for layer in layers):
        return False
    if any(getattr(type(model), f"{name}_step").__module__ != "cornu.training.loop" for name in (stage,)):
        return False
    if stage == "predict":
        return True
    return _losses_skip_rows(model) and _metrics_skip_rows(model)


def _mixes_rows(layer: Layer, training: bool) -> bool:
    if not registry.is_builtin(type(layer)) or layer.activity_regularizer is not None:
        return True
    if any(isinstance(o, FunctionOperation) and o.name.split("_")[0] != "not" for o in getattr(layer, "operations", ())):
        return True
    rule = getattr(layer, "mixes_rows", False)
    return training if rule == "training" else bool(rule)


def _losses_skip_rows(model: Any) -> bool:
    methods = ("compute_loss", "compute_metrics")
    if any(getattr(type(model), name).__module__ != "cornu.training.loop" for name in methods):
        return False
    loss = model._compile_loss
    return loss is not None and loss.built and all(getattr(one, "rowwise", False) for one in loss.losses)


def _metrics_skip_rows(model: Any) -> bool:
    metrics = model._compile_metrics.metrics if model._compile_metrics is not None else []
    others = [m for layer in model.layers for m in layer.metrics]
    return not others and all(getattr(metric, "ignores_zero_weights", False) for metric in metrics)


def size(model: Any, batches: Any, stage: str) -> int | None:
    """The number of rows to which batches are filled up, or None where that is not needed or not exact."""
    rows, full = batches.num_samples, batches.batch_size
    if rows is None or full is None or rows % full == 0 or rows < full:
        return None
    return full if is_exact(model, stage) else None


def fill(data: Any, size: int | None) -> tuple[Any, int | None]:
    """(`data` with `size` rows, how many of them are real), or (`data`, None) where batches are not filled up.

    The number is given for full batches too, so that all batches go through one compiled function.
    """
    if size is None:
        return data, None
    rows = len(next(leaf for leaf in tree.flatten(data) if leaf is not None))
    if rows == size:
        return data, rows
    return tree.map_structure(lambda leaf: _filled(leaf, size), data), rows


def _filled(leaf: Any, size: int) -> Any:
    if leaf is None:
        return None
    array = np.asarray(leaf)
    return np.concatenate([array, np.repeat(array[:1], size - len(array), axis=0)])
