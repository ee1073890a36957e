"""The graph of a functional model as plain data, in the form of Keras's files, and back.

Each operation is written with the calls made on it ("inbound nodes"). A symbolic tensor among the arguments is written
as the operation, the call and the output that it came from.
"""

from collections.abc import Mapping
from typing import Any

import cornu.ops
from cornu import tree
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.operation import FunctionOperation, Operation
from cornu.core.symbolic import KerasTensor, Node, node_of

_OPS_MODULE = "keras.src.ops."


def write(model: Any) -> dict[str, Any]:
    """The config of a functional model."""
    graph = model._graph
    kept = {id(node) for node in graph.nodes_in_order}
    operations = []
    for operation in graph.operations:
        nodes = [node for node in operation.nodes if id(node) in kept]
        operations.append(
            _write_operation(operation)
            | {"name": operation.name, "inbound_nodes": [_write_node(node, kept) for node in nodes if not node.is_input]}
        )
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": operations,
        "input_layers": _write_ends(graph._inputs_struct, kept),
        "output_layers": _write_ends(graph._outputs_struct, kept),
    }


def _write_operation(operation: Operation) -> dict[str, Any]:
    if isinstance(operation, FunctionOperation):
        return {
            "module": f"{_OPS_MODULE}numpy",
            "class_name": operation.class_name,
            "config": serialize_keras_object(operation.get_config()),
            "registered_name": operation.class_name,
        }
    return serialize_keras_object(operation)


def _write_node(node: Node, kept: set[int]) -> dict[str, Any]:
    def write_value(x: Any) -> Any:
        return _Reference(x, kept) if isinstance(x, KerasTensor) else x

    args, kwargs = tree.map_structure(write_value, (list(node.args), node.kwargs))
    return {"args": serialize_keras_object(args), "kwargs": serialize_keras_object(kwargs)}


class _Reference:
    """A symbolic tensor as Keras writes it among a call's arguments."""

    def __init__(self, tensor: KerasTensor, kept: set[int]):
        self.tensor, self.kept = tensor, kept

    def as_plain_data(self) -> dict[str, Any]:
        """Shape, dtype and origin."""
        origin = _origin(self.tensor, self.kept)
        config = {"shape": list(self.tensor.shape), "dtype": self.tensor.dtype, "keras_history": origin}
        return {"class_name": "__keras_tensor__", "config": config}


def _origin(tensor: KerasTensor, kept: set[int]) -> list:
    operation, _, position = tensor.history
    nodes = [node for node in operation.nodes if id(node) in kept]
    return [operation.name, nodes.index(node_of(tensor)), position]


def _write_ends(structure: Any, kept: set[int]) -> Any:
    return tree.map_structure(lambda x: _origin(x, kept), structure)


def read(config: Mapping[str, Any], custom_objects: Mapping | None = None) -> tuple[Any, Any, dict[str, Any]]:
    """(inputs, outputs, other constructor arguments) of the functional model that `config` describes."""
    made: dict[str, Operation] = {}
    waiting: list[tuple[Operation, list]] = []
    for entry in config["layers"]:
        operation = _read_operation(entry, custom_objects)
        made[entry["name"]] = operation
        waiting.append((operation, list(entry["inbound_nodes"])))
    first = {name: len(operation.nodes) - _own_nodes(operation) for name, operation in made.items()}
    while any(calls for _, calls in waiting):
        progress = False
        for operation, calls in waiting:
            while calls and _try_call(operation, calls[0], made, first):
                calls.pop(0)
                progress = True
        if not progress:
            stuck = [operation.name for operation, calls in waiting if calls]
            raise ValueError(f"The config's graph cannot be put together: the inputs of {stuck} are never made.")
    inputs, outputs = (_read_ends(config[key], made, first) for key in ("input_layers", "output_layers"))
    known = ("name", "trainable", "layers", "input_layers", "output_layers")
    rest = {"name": config.get("name"), "trainable": config.get("trainable", True)}
    return inputs, outputs, rest | {k: v for k, v in config.items() if k not in known}


def _own_nodes(operation: Operation) -> int:
    """1 for an input layer, whose node is there from the start, and for nested models none."""
    return sum(node.is_input for node in operation.nodes)


def _read_operation(entry: Mapping[str, Any], custom_objects: Mapping | None) -> Operation:
    if str(entry.get("module", "")).startswith(_OPS_MODULE):
        return _read_function(entry)
    return deserialize_keras_object(dict(entry), custom_objects)


def _read_function(entry: Mapping[str, Any]) -> FunctionOperation:
    wanted = entry["class_name"].lower()
    names = {name.replace("_", ""): name for name in cornu.ops.__all__}
    if wanted not in names:
        raise ValueError(f"The config names an unknown operation {entry['class_name']!r}.")
    settings = dict(deserialize_keras_object(entry["config"]))
    function = getattr(cornu.ops, names[wanted])
    return FunctionOperation(function, settings.pop("name", None), **settings)


def _try_call(operation: Operation, call: Mapping[str, Any], made: Mapping, first: Mapping) -> bool:
    """Repeat one call if all its tensors are there."""
    args, kwargs = _tuples(call["args"]), _tuples(call["kwargs"])
    tensors: dict[int, KerasTensor] = {}
    for reference in _references((args, kwargs)):
        tensor = _find_tensor(reference["config"]["keras_history"], made, first)
        if tensor is None:
            return False
        tensors[id(reference)] = tensor
    args, kwargs = (_replace(x, tensors) for x in (args, kwargs))
    operation(*args, **kwargs)
    return True


def _is_reference(x: Any) -> bool:
    return isinstance(x, dict) and x.get("class_name") == "__keras_tensor__"


def _references(x: Any) -> list[dict]:
    if _is_reference(x):
        return [x]
    children = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [reference for child in children for reference in _references(child)]


def _replace(x: Any, tensors: Mapping[int, KerasTensor]) -> Any:
    if _is_reference(x):
        return tensors[id(x)]
    if isinstance(x, dict) and "class_name" in x:
        return deserialize_keras_object(x)
    if isinstance(x, dict):
        return {key: _replace(value, tensors) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(_replace(value, tensors) for value in x)
    return x


def _tuples(x: Any) -> Any:
    """Keras's wrapped tuples as tuples."""
    if isinstance(x, dict) and x.get("class_name") == "__tuple__":
        return tuple(_tuples(item) for item in x["items"])
    if isinstance(x, dict) and not _is_reference(x):
        return {key: _tuples(value) for key, value in x.items()}
    return [_tuples(item) for item in x] if isinstance(x, list) else x


def _find_tensor(origin: Any, made: Mapping, first: Mapping) -> KerasTensor | None:
    name, node, position = origin[:3]
    if name not in made:
        raise ValueError(f"The config's graph refers to {name!r}, which is not among its layers: {sorted(made)}.")
    nodes = made[name].nodes[first[name] :]
    return nodes[node].output_tensors[position] if node < len(nodes) else None


def _read_ends(ends: Any, made: Mapping, first: Mapping) -> Any:
    if _is_origin(ends):
        return _find_tensor(ends, made, first)
    if isinstance(ends, dict) and "class_name" not in ends:
        return {key: _read_ends(value, made, first) for key, value in ends.items()}
    if isinstance(ends, dict):
        return tuple(_read_ends(item, made, first) for item in ends["items"])
    return type(ends)(_read_ends(item, made, first) for item in ends)


def _is_origin(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len(x) == 3 and isinstance(x[0], str) and isinstance(x[1], int)


