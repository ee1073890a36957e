"""Padding the last batch, so that it does not need a compiled function of its own.

Extra rows are exact only if every row is processed independently by the model, and losses and metrics ignore masked
rows. Layers and losses promise the former with `rowwise`, metrics the latter with `ignores_zero_weights` (see
`core.promises`); anything without a promise is assumed to mix rows.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import registry, tree
from cornu.core import promises
from cornu.core.operation import Operation
from cornu.layers.layer import Layer
from cornu.training.step import is_default

if TYPE_CHECKING:
    from cornu.models.model import Model

# Functions on tensors, as in `x + y`, that work elementwise.
_ELEMENTWISE = {
    "abs", "absolute", "add", "cast", "clip", "cos", "divide", "elu", "equal", "exp", "expm1", "floor", "gelu",
    "greater", "greater_equal", "identity", "leaky_relu", "less", "less_equal", "log", "log1p", "logical_and",
    "logical_not", "logical_or", "maximum", "minimum", "mod", "multiply", "negative", "not_equal", "power",
    "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign", "silu", "sin", "softplus", "sqrt", "square",
    "subtract", "swish", "tanh", "true_divide", "where",
}  # fmt: skip

# Functions of weights alone.
_OF_WEIGHTS = ("_constraint", "_initializer", "_regularizer")


def is_exact(model: Any, stage: str) -> bool:
    """Whether padded batches give exactly the results of the valid rows in `stage`: train, test or predict."""
    if not is_default(model, stage):
        return False
    if any(_mixes_rows(layer, stage == "train") for layer in model._flatten_layers()):
        return False
    return stage == "predict" or (
        _losses_skip_rows(model) and _metrics_skip_rows(model) and _outputs_have_two_axes(model, stage)
    )


def _mixes_rows(layer: Layer, training: bool) -> bool:
    """Whether a row of the layer's output, or a loss that it adds, may depend on other rows."""
    own = {name: value for name, value in vars(layer).items() if name not in layer._hidden}
    called = {name: value for name, value in own.items() if callable(value) and not isinstance(value, Layer)}
    given = [value for name, value in called.items() if not name.endswith(_OF_WEIGHTS)]
    if not all(map(registry.is_builtin, given)):
        return True
    promise = promises.kept(layer, "rowwise")
    mixes = training if promise == "inference" else not promise
    mixes = mixes or getattr(layer, "stateful", False) or _names_first_axis(layer)
    functions = [operation for operation in getattr(layer, "operations", ()) if not isinstance(operation, Layer)]
    return mixes or layer.activity_regularizer is not None or not all(map(_keeps_rows, functions))


def _names_first_axis(layer: Layer) -> bool:
    """Whether the layer operates along the axis of the rows; an axis below -1 may be that one."""
    axes = [getattr(layer, name, None) for name in ("axis", "axes", "attention_axes")]
    return any(isinstance(axis, int) and (axis == 0 or axis < -1) for axis in tree.flatten(axes))


def _keeps_rows(operation: Operation) -> bool:
    """Whether a function in a model's graph is elementwise arithmetic on tensors of the same rank."""
    ranks = {len(x.shape) for node in operation.nodes for x in (*node.input_tensors, *node.output_tensors)}
    function = getattr(operation, "function", None)
    return registry.is_builtin(function) and getattr(function, "__name__", None) in _ELEMENTWISE and len(ranks) == 1


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
