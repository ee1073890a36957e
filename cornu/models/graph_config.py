"""The graph of a functional model as plain data, in the format of Keras's files, and back.

Each operation is written with its calls ("inbound nodes"). A symbolic tensor among the arguments is written as the
operation, the call and the output that it came from. The model's own inputs and outputs are written in the same way,
but there Keras counts the calls of a functional model from 1.
"""

import inspect
from collections import Counter, deque
from collections.abc import Mapping, Sequence, Set
from itertools import zip_longest
from typing import Any

from cornu import registry, tree, validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object, shared_objects, with_shared_ids
from cornu.core.operation import FunctionOperation, Operation
from cornu.core.symbolic import KerasTensor, Node, history_of, node_of
from cornu.core.typing import AnyList, Args, Config, ConfigDict, CustomObjects, Data, Kwargs, Nested
from cornu.models import graph_ops

# ---------------------------------------------------------------- writing


def write(model: object) -> ConfigDict:
    """The config of a functional model."""
    return with_shared_ids(lambda: _write(model))


def _write(model: Any) -> ConfigDict:
    graph = model._graph
    kept = {id(node) for node in graph.nodes_in_order}
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [_write_operation(operation, kept) for operation in graph.operations],
        "input_layers": _write_ends(graph._inputs_struct, kept),
        "output_layers": _write_ends(graph._outputs_struct, kept),
    }


def _write_operation(operation: Operation, kept: set[int]) -> ConfigDict:
    if isinstance(operation, FunctionOperation):
        entry, call = graph_ops.write(operation)
        calls: list[tuple[Sequence[object], ConfigDict]] = [call]
    else:
        entry = serialize_keras_object(operation)
        calls = [_layer_call(node) for node in operation.nodes if id(node) in kept and not node.is_input]
    return entry | {"name": operation.name, "inbound_nodes": [_write_call(*call, kept) for call in calls]}


def _layer_call(node: Node) -> tuple[Args, Kwargs]:
    """A call's arguments, plus the default mode and missing mask that Keras records for calls on a single tensor."""
    on_one_tensor = len(node.args) == 1 and isinstance(node.args[0], KerasTensor) and set(node.kwargs) <= {"mask"}
    alone = on_one_tensor or (len(node.args) == 1 and getattr(node.operation, "_graph", None) is not None)
    noted = _unsaid(inspect.signature(node.operation.call), node.args[0]) if alone else {}
    return node.args, noted | node.kwargs


def _unsaid(signature: inspect.Signature, inputs: object) -> ConfigDict:
    """The values of `training` and `mask` in Keras's files if the caller did not give them."""
    mode = getattr(signature.parameters.get("training"), "default", None)
    noted = {"training": mode} if isinstance(mode, bool) else {}
    return noted | {"mask": tree.map_structure(lambda _: None, inputs)} if "mask" in signature.parameters else noted


def _differs(said: object, unsaid: object) -> bool:
    """Whether an argument in a file differs from what is written for an omitted one."""
    return any(a is not b for a, b in zip_longest(tree.flatten(said), tree.flatten(unsaid)))


def _write_call(args: Any, kwargs: Kwargs, kept: set[int]) -> ConfigDict:
    def write_value(x: Data) -> object:
        return _Reference(x, kept) if isinstance(x, KerasTensor) else x

    args, kwargs = tree.map_structure(write_value, (tuple(args), kwargs))
    return {"args": serialize_keras_object(args), "kwargs": serialize_keras_object(kwargs)}


class _Reference:
    """A symbolic tensor as Keras writes it in a call's arguments."""

    def __init__(self, tensor: KerasTensor, kept: set[int]):
        self.tensor, self.kept = tensor, kept

    def as_plain_data(self) -> ConfigDict:
        """Shape, dtype and origin."""
        origin = _origin(self.tensor, self.kept)
        config = {"shape": self.tensor.shape, "dtype": self.tensor.dtype, "keras_history": origin}
        return {"class_name": "__keras_tensor__", "config": config}


def _origin(tensor: KerasTensor, kept: set[int]) -> AnyList:
    operation, _, position = history_of(tensor)
    nodes = [node for node in operation.nodes if id(node) in kept]
    return [operation.name, nodes.index(node_of(tensor)), position]


def _write_ends(structure: object, kept: set[int]) -> Any:
    return tree.map_structure(lambda x: _end(x, kept), structure)


def _end(tensor: KerasTensor, kept: set[int]) -> AnyList:
    name, call, position = _origin(tensor, kept)
    return [name, call + _first_number(history_of(tensor).operation), position]


def _first_number(operation: Operation | None) -> int:
    """The number of an operation's first call among a model's inputs and outputs."""
    return int(getattr(operation, "_is_functional", False))


# ---------------------------------------------------------------- reading


def read(config: Config, custom_objects: CustomObjects | None = None) -> tuple[Any, Any, ConfigDict]:
    """(inputs, outputs, other constructor arguments) of the functional model described by `config`."""
    with registry.custom_objects(custom_objects), shared_objects():
        graph = _Graph(config["layers"])
        inputs, outputs = graph.ends([config["input_layers"], config["output_layers"]])
    known = ("name", "trainable", "layers", "input_layers", "output_layers")
    rest = {"name": config.get("name"), "trainable": config.get("trainable", True)}
    return inputs, outputs, rest | {k: v for k, v in config.items() if k not in known}


class _Call:
    """A call in a config: its arguments, and the symbolic tensors in them that were resolved so far."""

    def __init__(self, name: str, call: Config):
        self.args, self.kwargs = _tuples(call["args"]), _tuples(call["kwargs"])
        self.references = _references((self.args, self.kwargs))
        self.tensors: dict[int, KerasTensor] = {}
        if not self.references:
            raise ValueError(
                f"The config's graph calls {name!r} on plain values only, which is not allowed: a call in a graph has "
                "at "
                "least one symbolic tensor, and without one it would be computed while the file is read."
            )

    def next_origin(self) -> Any:
        """The origin of the first unresolved tensor; None if there are none."""
        found = len(self.tensors)
        return self.references[found]["config"]["keras_history"] if found < len(self.references) else None

    def found(self, tensor: KerasTensor) -> None:
        """Record the tensor for `next_origin`."""
        self.tensors[id(self.references[len(self.tensors)])] = tensor

    def filled(self) -> tuple[Nested, Nested]:
        """The arguments, with resolved tensors."""
        return _replace(self.args, self.tensors), _replace(self.kwargs, self.tensors)


class _Graph:
    """The operations of a config, and the tensors created by repeating their calls.

    Each call waits for the calls that create its inputs, so the work is proportional to the number of calls, whatever
    their order.
    """

    def __init__(self, entries: list[ConfigDict]):
        self.entries = {entry["name"]: entry for entry in entries}
        if len(self.entries) < len(entries):
            twice = Counter(entry["name"] for entry in entries).most_common(1)[0][0]
            raise ValueError(f"The config's graph has several layers called {twice!r}.")
        self.made: dict[str, Operation] = {}
        for name, entry in self.entries.items():
            if not graph_ops.is_written(entry):
                self.made[name] = deserialize_keras_object(entry)
        self.first = {name: sum(not n.is_input for n in operation.nodes) for name, operation in self.made.items()}
        self._repeat_calls({name: deque(entry["inbound_nodes"]) for name, entry in self.entries.items()})

    def _repeat_calls(self, calls: dict[str, deque[Any]]) -> None:
        """Repeat all calls, those of each operation in order."""
        waiting: dict[tuple[str, int], list[str]] = {}  # (operation, node) -> those whose next call needs it
        begun: dict[str, _Call] = {}
        ready = deque(calls)
        while ready:
            name = ready.popleft()
            while calls[name]:
                begun[name] = begun.get(name) or _Call(name, calls[name][0])
                lacking = self._lacking(begun[name])
                if lacking is not None:
                    waiting.setdefault(lacking, []).append(name)
                    break
                self._repeat(name, *begun.pop(name).filled())
                calls[name].popleft()
                ready += waiting.pop((name, self._node_count(name) - 1), ())
        stuck = [name for name, left in calls.items() if left]
        if stuck:
            raise ValueError(
                f"The config's graph cannot be reconstructed: the inputs of {stuck!r:.500} are never created."
            )

    def _lacking(self, call: _Call) -> tuple[str, int] | None:
        """The first node that a call is waiting for, or None."""
        while (origin := call.next_origin()) is not None:
            tensor = self.find(origin)
            if tensor is None:
                return origin[0], origin[1]
            call.found(tensor)
        return None

    def _repeat(self, name: str, args: Any, kwargs: Kwargs) -> None:
        if name not in self.made:
            self.made[name] = graph_ops.read(self.entries[name], args, kwargs)
            return
        operation = self.made[name]
        unsaid = _unsaid(inspect.signature(operation.call), next(iter(args), None))
        operation(*args, **{k: v for k, v in kwargs.items() if k not in unsaid or _differs(v, unsaid[k])})

    def _node_count(self, name: str) -> int:
        """The number of an operation's nodes that the config counts."""
        return len(self.made[name].nodes) - self.first.get(name, 0) if name in self.made else 0

    def find(self, origin: Any) -> KerasTensor | None:
        """The tensor from (operation, call, output), if it exists already."""
        name, node, position = origin[:3]
        if name not in self.entries:
            names = sorted(map(str, self.entries))
            raise ValueError(f"The config's graph refers to {name!r}, which is not among its layers: {names!r:.500}.")
        if type(node) is not int or node < 0:
            raise ValueError(f"The config's graph refers to call {node!r:.100} of {name!r}, which does not exist.")
        if node >= self._node_count(name):
            return None
        outputs = self.made[name].nodes[self.first.get(name, 0) + node].output_tensors
        return outputs[position] if position in range(len(outputs)) else None

    def ends(self, ends: object) -> Any:
        """The tensors of the inputs or outputs, in their structure in the config."""
        counted = [origin for origin in _origins(ends) if _first_number(self.made.get(origin[0]))]
        if any(call == 0 for _, call, _ in counted):  # as in early cornu files
            return self._ends(ends, frozenset())
        return self._ends(ends, {name for name, _, _ in counted})

    def _ends(self, ends: Any, from_one: Set[str]) -> Any:
        if _is_origin(ends):
            name, call, position = ends
            tensor = self.find([name, call - (name in from_one), position])
            if tensor is None:
                raise ValueError(f"The config's graph refers to a call that is never made: {ends}.")
            return tensor
        if isinstance(ends, dict) and "class_name" not in ends:
            named = {validate.name(key, "An end of the graph", slash=True): value for key, value in ends.items()}
            return {key: self._ends(value, from_one) for key, value in named.items()}
        if isinstance(ends, dict):
            return tuple(self._ends(item, from_one) for item in ends["items"])
        return type(ends)(self._ends(item, from_one) for item in ends)


def _is_reference(x: Data) -> bool:
    return isinstance(x, dict) and x.get("class_name") == "__keras_tensor__"


def _references(x: Nested) -> list[ConfigDict]:
    if _is_reference(x):
        return [x]
    children = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [reference for child in children for reference in _references(child)]


def _replace(x: Data, tensors: Mapping[int, KerasTensor]) -> Nested:
    if _is_reference(x):
        return tensors[id(x)]
    if isinstance(x, dict) and "class_name" in x:
        return deserialize_keras_object(x)
    if isinstance(x, dict):
        return {key: _replace(value, tensors) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(_replace(value, tensors) for value in x)
    return x


def _tuples(x: Data) -> object:
    """Keras's wrapped tuples as tuples."""
    if isinstance(x, dict) and x.get("class_name") == "__tuple__":
        return tuple(_tuples(item) for item in x["items"])
    if isinstance(x, dict) and not _is_reference(x):
        return {key: _tuples(value) for key, value in x.items()}
    return [_tuples(item) for item in x] if isinstance(x, list) else x


def _is_origin(x: Data) -> bool:
    return isinstance(x, (list, tuple)) and [type(part) for part in x] == [str, int, int]


def _origins(ends: object) -> AnyList:
    if _is_origin(ends):
        return [ends]
    children = ends.values() if isinstance(ends, dict) else ends if isinstance(ends, (list, tuple)) else ()
    return [origin for child in children for origin in _origins(child)]
