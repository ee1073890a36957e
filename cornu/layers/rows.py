"""Whether a layer, as it is set, computes each row of its outputs from the same row of its inputs alone.

Its class promises that with `rowwise` (see `core.promises`). What it was given may still break it: a function of the
user's, an axis that is that of the rows, a regularizer of its outputs.
"""

from cornu import registry, tree
from cornu.core import promises
from cornu.core.operation import Operation
from cornu.layers.layer import Layer

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


def mixes_rows(layer: Layer, training: bool) -> bool:
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
