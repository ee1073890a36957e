"""Conversion of Keras 1 and 2 graphs to the Keras 3 format.

A tensor was a list, `[layer, call, output, keyword arguments]`, and a call the list of its tensors. TensorFlow's own
operations were layers: `TFOpLambda`, `SlicingOpLambda` and `TensorFlowOpLayer`. Those with an equivalent in `cornu.ops`
are mapped by table; all others are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cornu.core.typing import AnyList, Config, ConfigDict
from cornu.errors import DamagedFileError

OPERATIONS = "keras.src.ops.numpy"  # marks an entry as an operation

_CONSTANT = "_CONSTANT_VALUE"


class Graph:
    """The layers of one model, and the origins of tensors.

    Args:
        layers: their entries, each with a name and `inbound_nodes`.
        ends: the model's inputs and outputs.
    """

    def __init__(self, layers: list[Config], ends: object):
        self.names = {layer["name"] for layer in layers}
        self._functional = {layer["name"] for layer in layers if "input_layers" in layer["config"]}
        self._first = self._first_calls(layers, ends)

    def _first_calls(self, layers: list[Config], ends: object) -> dict[str, int]:
        """The number of the first call of each nested model: the call that created it was counted, too."""
        models = {layer["name"] for layer in layers if _is_model(layer["config"])}
        used: dict[str, int] = {}
        for origin in self._origins([ends, *(layer["inbound_nodes"] for layer in layers)]):
            if origin[0] in models:
                used[origin[0]] = min(origin[1], used.get(origin[0], origin[1]))
        return {name: min(number, 1) for name, number in used.items()}

    def _origins(self, value: object) -> AnyList:
        """All tensors in a nested structure, deeper arguments too."""
        found = [value] if self._is_tensor(value) else []
        children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        return found + [origin for child in children for origin in self._origins(child)]

    def _is_tensor(self, value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and value[0] in self.names
            and type(value[1]) is int
            and type(value[2]) is int
        )

    def _is_leaf(self, value: object) -> bool:
        return self._is_tensor(value) or (isinstance(value, list) and len(value) > 2 and value[0] == _CONSTANT)

    # ------------------------------------------------------------ calls

    def calls(self, layer: Config, recurrent: bool) -> list[ConfigDict]:
        """The calls of a layer: positional and keyword arguments each.

        Args:
            layer: the entry of the layer.
            recurrent: whether tensors other than the first are initial states.
        """
        return [self._call(node, layer["name"], recurrent) for node in layer["inbound_nodes"]]

    def _call(self, node: object, name: str, recurrent: bool) -> ConfigDict:
        kwargs: ConfigDict = {}
        inputs = self._inputs(node, kwargs, name)
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        given = {key: self._argument(value) for key, value in kwargs.items() if value is not None}
        if recurrent and isinstance(inputs, list):
            inputs, given = inputs[0], {"initial_state": inputs[1:]} | given
        return {"args": [inputs], "kwargs": given}

    def _inputs(self, node: Any, kwargs: ConfigDict, name: str) -> Any:
        """The first argument of a call; the others are added to `kwargs`."""
        if self._is_leaf(node):
            if len(node) == 4 and isinstance(node[3], Mapping):
                kwargs.update(node[3])
            return self._argument(node)
        if isinstance(node, Mapping):
            return {key: self._inputs(value, kwargs, name) for key, value in node.items()}
        if isinstance(node, list) and node and not isinstance(node[0], str):
            return [self._inputs(value, kwargs, name) for value in node]
        raise DamagedFileError(f'The config is damaged: {str(node)[:80]!r} is not a call of the layer "{name}".')

    def _argument(self, value: Any) -> Any:
        if self._is_tensor(value):
            return self._reference(value)
        if self._is_leaf(value):
            return value[2]
        if isinstance(value, Mapping):
            return {key: self._argument(item) for key, item in value.items()}
        return [self._argument(item) for item in value] if isinstance(value, list) else value

    def _origin(self, tensor: AnyList) -> AnyList:
        name, call, output = tensor[:3]
        return [name, call - self._first.get(name, 0), output]

    def _reference(self, tensor: AnyList) -> ConfigDict:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": self._origin(tensor)}}

    def ends(self, ends: Any) -> Any:
        """The inputs or outputs of the model; a list of one meant a single tensor."""
        if self._is_tensor(ends):
            name, call, output = self._origin(ends)
            return [name, call + (name in self._functional), output]  # of these, Keras 3 counts the calls from 1
        if isinstance(ends, Mapping):
            return {key: self.ends(value) for key, value in ends.items()}
        if not isinstance(ends, list) or not ends or isinstance(ends[0], str):
            raise DamagedFileError(f"The config is damaged: {str(ends)[:80]!r} are not inputs or outputs of a model.")
        return self.ends(ends[0]) if len(ends) == 1 else [self.ends(value) for value in ends]


def _is_model(config: dict[str, object]) -> bool:
    return isinstance(config, list) or "layers" in config


# ---------------------------------------------------------------- TensorFlow's operations

_UNARY = {
    "abs": "abs", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atanh": "arctanh", "ceil": "ceil", "cos": "cos", "cosh": "cosh", "erf": "erf", "exp": "exp", "expm1": "expm1",
    "floor": "floor", "is_finite": "isfinite", "is_inf": "isinf", "is_nan": "isnan", "log": "log", "log1p": "log1p",
    "logical_not": "logical_not", "negative": "negative", "reciprocal": "reciprocal", "rsqrt": "rsqrt",
    "sigmoid": "sigmoid", "sign": "sign", "sin": "sin", "sinh": "sinh", "softplus": "softplus", "sqrt": "sqrt",
    "square": "square", "tan": "tan", "tanh": "tanh",
}  # fmt: skip
_BINARY = {
    "add": "add", "divide": "true_divide", "equal": "equal", "floordiv": "floor_divide", "floormod": "mod",
    "greater": "greater", "greater_equal": "greater_equal", "less": "less", "less_equal": "less_equal",
    "logical_and": "logical_and", "logical_or": "logical_or", "maximum": "maximum", "minimum": "minimum",
    "mod": "mod", "multiply": "multiply", "not_equal": "not_equal", "pow": "power", "subtract": "subtract",
    "truediv": "true_divide",
}  # fmt: skip
_REDUCTIONS = {
    "reduce_all": "all", "reduce_any": "any", "reduce_logsumexp": "logsumexp", "reduce_max": "max",
    "reduce_mean": "mean", "reduce_min": "min", "reduce_prod": "prod", "reduce_sum": "sum",
}  # fmt: skip
_ACTIVATIONS = {
    "elu": "elu", "leaky_relu": "leaky_relu", "log_softmax": "log_softmax", "relu": "relu", "relu6": "relu6",
    "selu": "selu", "sigmoid": "sigmoid", "silu": "silu", "softmax": "softmax", "softplus": "softplus",
    "softsign": "softsign", "swish": "silu", "tanh": "tanh",
}  # fmt: skip
_FORMS: dict[str, tuple[str, ConfigDict]] = {
    "cast": ("cast", {"dtype": "dtype"}),
    "clip_by_value": ("clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "concat": ("concatenate", {"axis": "axis"}),
    "compat.v1.transpose": ("transpose", {"perm": "axes"}),
    "expand_dims": ("expand_dims", {"axis": "axis"}),
    "linalg.matmul": ("matmul", {"b": 1}),
    "reshape": ("reshape", {"shape": "newshape"}),
    "squeeze": ("squeeze", {"axis": "axis"}),
    "stack": ("stack", {"axis": "axis"}),
    "tile": ("tile", {"multiples": "repeats"}),
    "transpose": ("transpose", {"perm": "axes"}),
    "where": ("where", {"x": 1, "y": 2}),
}

# TensorFlow's function -> (function of cornu.ops, its arguments: the name of a setting, or a position among tensors).
_FUNCTIONS: dict[str, tuple[str, ConfigDict]] = {
    **{f"math.{name}": (op, {}) for name, op in _UNARY.items()},
    **{f"math.{name}": (op, {"y": 1}) for name, op in _BINARY.items()},
    **{f"math.{name}": (op, {"axis": "axis", "keepdims": "keepdims"}) for name, op in _REDUCTIONS.items()},
    **{f"__operators__.{name}": (_BINARY[name], {"y": 1}) for name in ("add",)},
    **{f"nn.{name}": (op, {"axis": "axis", "alpha": "negative_slope"}) for name, op in _ACTIVATIONS.items()},
    **_FORMS,
}
# Settings with these values have no effect.
_IDLE: dict[str, tuple[object, ...] | None] = {
    "name": None, "conjugate": (False,), "transpose_a": (False,), "transpose_b": (False,), "adjoint_a": (False,),
    "adjoint_b": (False,), "a_is_sparse": (False,), "b_is_sparse": (False,), "output_type": (None,),
}  # fmt: skip
# Operations of TensorFlow's graphs, which `TensorFlowOpLayer` names.
_NODES = {
    "Add": "add", "AddV2": "add", "BiasAdd": "add", "Abs": "abs", "Div": "true_divide", "Exp": "exp", "Log": "log",
    "Maximum": "maximum", "Minimum": "minimum", "Mul": "multiply", "Neg": "negative", "Pow": "power",
    "RealDiv": "true_divide", "Relu": "relu", "Relu6": "relu6", "Rsqrt": "rsqrt", "Sigmoid": "sigmoid",
    "Softmax": "softmax", "Sqrt": "sqrt", "Square": "square", "Sub": "subtract", "Tanh": "tanh",
}  # fmt: skip


def operation(layer: Config, calls: list[ConfigDict]) -> ConfigDict | None:
    """The entry of the operation that a TensorFlow layer represents; None for any other layer.

    Raises:
        ValueError: if the operation has no known equivalent.
    """
    read = _READERS.get(layer["class_name"])
    if read is None:
        return None
    if len(calls) != 1:
        raise DamagedFileError(f'The operation "{layer["name"]}" has {len(calls)} calls, but may have only one.')
    function, settings, args = read(layer, calls[0])
    return {
        "module": OPERATIONS, "class_name": function.replace("_", ""), "name": layer["name"],
        "config": {"name": layer["name"], **settings}, "registered_name": None,
        "inbound_nodes": [{"args": args, "kwargs": {}}],
    }  # fmt: skip


def _function(layer: Config, call: ConfigDict) -> tuple[str, ConfigDict, AnyList]:
    name = layer["config"].get("function")
    if name == "__operators__.getitem":
        return _slicing(layer, call)
    if name not in _FUNCTIONS:
        raise _unknown(name, layer)
    function, arguments = _FUNCTIONS[name]
    args, settings = list(call["args"]), {}
    for key, value in call["kwargs"].items():
        place = arguments.get(key)
        if isinstance(place, int):
            args += [None] * (place + 1 - len(args))
            args[place] = value
        elif place is not None:
            settings[place] = _dtype_name(value) if place == "dtype" else value
        elif key not in _IDLE or ((idle := _IDLE[key]) is not None and value not in idle):
            raise _unknown(f"{name} with {key}={value!r}", layer)
    return function, settings, args


def _dtype_name(value: object) -> Any:
    return value.get("config", {}).get("name") if isinstance(value, Mapping) else value


def _slicing(layer: Config, call: ConfigDict) -> tuple[str, ConfigDict, AnyList]:
    key = call["kwargs"].get("slice_spec")
    parts = key if isinstance(key, list) else [key]
    return "get_item", {}, [*call["args"], [_index(part, layer) for part in parts]]


def _index(part: Any, layer: Config) -> int | ConfigDict | None:
    """One index of a slice."""
    if part is None or type(part) is int:
        return part
    is_slice = isinstance(part, Mapping) and set(part) == {"start", "stop", "step"}
    if is_slice and all(value is None or type(value) is int for value in part.values()):
        return {"class_name": "__slice__", "config": dict(part)}
    if part == "..." or (isinstance(part, Mapping) and part.get("value") == "..."):
        return {"class_name": "__ellipsis__", "config": {}}
    raise _unknown(f"a slice by {str(part)[:60]}", layer)


def _node(layer: Config, call: ConfigDict) -> tuple[str, ConfigDict, AnyList]:
    """An operation of `TensorFlowOpLayer`, with its constants by position."""
    config = layer["config"]
    name = _node_name(config.get("node_def"))
    if name not in _NODES:
        raise _unknown(name, layer)
    inputs = call["args"][0] if isinstance(call["args"][0], list) else call["args"]
    args = list(inputs)
    for place, value in sorted((int(place), value) for place, value in (config.get("constants") or {}).items()):
        args.insert(place, value)
    return _NODES[name], {}, args


def _node_name(definition: object) -> str | None:
    """The operation of a node, from its definition as plain data or text."""
    if isinstance(definition, Mapping):
        return str(definition.get("op"))
    found = re.search(r'"?op"?:\s*"(\w+)"', str(definition))
    return found[1] if found else None


def _unknown(name: object, layer: Config) -> ValueError:
    return ValueError(
        f'The layer "{layer["name"]}" is the TensorFlow operation {name}, which has no known equivalent here, so the '
        "model cannot be loaded."
    )


_READERS = {"TFOpLambda": _function, "SlicingOpLambda": _function, "TensorFlowOpLayer": _node}
