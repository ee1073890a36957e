"""The graph of a functional model: the nodes between given inputs and outputs, in execution order.

Operations are listed as in Keras, deepest first, so that weights, files and summaries match Keras's.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from cornu import tree, validate
from cornu.core import budget, dtypes
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import FunctionOperation, Operation
from cornu.core.symbolic import KerasTensor, Node, history_of, node_of
from cornu.core.typing import AnyFunction, Data, DTypeLike, Nested, NestedShapes, Tensor
from cornu.core.variable import Variable
from cornu.errors import InputMismatchError
from cornu.layers.input import InputLayer


class Function(Operation):
    """A computation defined by its symbolic inputs and outputs.

    Args:
        inputs: symbolic tensor or structure of them.
        outputs: symbolic tensor or structure of them, computed from `inputs`.
        name: name.

    Example:

        x = cornu.KerasTensor((None, 3))
        double = cornu.Function(x, x * 2)
        print(double(np.ones((1, 3))))
    """

    volatile_attributes = frozenset({"_told"})
    inputs: Sequence[KerasTensor] = ()
    outputs: Sequence[KerasTensor] = ()
    operations: Sequence[Operation] = ()

    def __init__(self, inputs: Nested, outputs: Nested, name: str | None = None):
        super().__init__(name=name)
        self._inputs_struct = _checked(inputs, "inputs")
        self.inputs = tree.flatten(inputs)
        entries = {id(tensor) for tensor in self.inputs}
        self._outputs_struct = tree.map_structure(lambda x: _seen_from(entries, x), _checked(outputs, "outputs"))
        self.outputs = tree.flatten(self._outputs_struct)
        self._told: set[str] = set()
        self.nodes_in_order, self.operations = _graph(self.inputs, self.outputs)

    def of(self, model: Operation) -> "Function":
        """The same graph, with outputs that are marked as the model's."""
        for tensor in self.outputs:
            tensor.model = tensor.model or model
        return self

    def call(self, inputs: Nested) -> Nested:
        """The outputs for arrays in the structure of the inputs."""
        return self.run(self._line_up(inputs, self))

    def run(self, values: list[Nested], call: AnyFunction | None = None) -> Any:
        """The outputs for flat input values; `call(operation, args, kwargs)` may replace the call of each operation."""
        budget.take("calls", len(self.nodes_in_order), "The graph")
        known = {id(tensor): value for tensor, value in zip(self.inputs, values, strict=True)}
        for node in self.nodes_in_order:
            if any(id(tensor) not in known for tensor in node.output_tensors):
                args, kwargs = node.fill(known)
                outputs = call(node.operation, args, kwargs) if call else node.operation(*args, **kwargs)
                for tensor, value in zip(node.output_tensors, tree.flatten(outputs), strict=True):
                    known.setdefault(id(tensor), value)
        return tree.map_structure(lambda tensor: known[id(tensor)], self._outputs_struct)

    def spec(self, tensors: list[KerasTensor]) -> Nested:
        """The symbolic outputs for flat symbolic inputs: the graph's own if those match its own inputs."""
        if all(x.shape == own.shape for x, own in zip(tensors, self.inputs, strict=True)):
            return tree.map_structure(lambda x: KerasTensor(x.shape, x.dtype), self._outputs_struct)
        return self.run(tensors, lambda operation, args, kwargs: operation.unrecorded_call(*args, **kwargs))

    def compute_output_shape(self, input_shape: NestedShapes) -> NestedShapes:
        """The shapes of the outputs for the shapes of the inputs."""
        inputs = tree.map_shape_structure(KerasTensor, input_shape)
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(inputs))

    def standardize(self, inputs: Nested, owner: object) -> list[Tensor]:
        """Flat input values in the order, rank and dtype of the inputs; masks stay attached."""
        values = self._line_up(inputs, owner)
        return [_adjusted(x, tensor) for x, tensor in zip(values, self.inputs, strict=True)]

    def _line_up(self, inputs: Nested, owner: object) -> list[Tensor]:
        """Flat input values in the order of the inputs: matched by key, by name of the input, or by position."""
        found = self._by_key(self._inputs_struct, inputs, owner)
        if found is None and isinstance(inputs, Mapping):
            found = self._by_name(inputs, owner)
        return self._by_position(inputs, owner) if found is None else found

    def _by_key(self, struct: object, inputs: Nested, owner: object) -> list[Tensor] | None:
        """The values of `inputs` in the structure `struct`; None if its nesting or its keys differ."""
        if isinstance(struct, Mapping):
            given = inputs if isinstance(inputs, Mapping) else ()
            if not all(key in given or _all_optional(part) for key, part in struct.items()):
                return None
            self._tell_extra_keys(inputs, struct, owner)
            parts = [(struct[key], inputs.get(key)) for key in sorted(struct)]
        elif isinstance(struct, (list, tuple)):
            if not isinstance(inputs, (list, tuple)) or len(inputs) != len(struct):
                return None
            parts = list(zip(struct, inputs, strict=True))
        else:
            return None if tree.is_nested(inputs) else [inputs]
        flat = [[None] * len(tree.flatten(s)) if x is None else self._by_key(s, x, owner) for s, x in parts]
        return None if None in flat else [value for part in flat if part is not None for value in part]

    def _by_name(self, inputs: Mapping[str, object], owner: object) -> list[Tensor]:
        """The values of a dictionary whose keys are the names of the inputs."""
        names = [tensor.name for tensor in self.inputs]
        missing = [x.name for x in self.inputs if x.name not in inputs and not is_optional(x)]
        nested = [name for name in names if tree.is_nested(inputs.get(name))]
        if missing or nested:
            problem = f"inputs {missing} are missing" if missing else f"there must be one array for {nested[0]!r}"
            raise InputMismatchError(
                f"{validate.describe(owner)}: {problem}. The model expects {self._expected()}; "
                f"received: {_sketch(inputs)}."
            )
        self._tell_extra_keys(inputs, names, owner)
        return [inputs.get(name) for name in names]

    def _by_position(self, inputs: Nested, owner: object) -> list[Tensor]:
        """The values in order, if the order of the inputs is unambiguous."""
        values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise InputMismatchError(
                f"{validate.describe(owner)}: expected {len(self.inputs)} input(s) {self._expected()}. "
                f"Received: {len(values)}, {_sketch(inputs)}."
            )
        if len(values) > 1 and not _is_ordered(self._inputs_struct):
            raise InputMismatchError(
                f"{validate.describe(owner)}: the model expects a dictionary, {self._expected()}, whose order is not "
                f"that of its sorted keys, so a list would be ambiguous. Pass the inputs by key. "
                f"Received: {_sketch(inputs)}."
            )
        if len(values) > 1:
            self._tell(
                f"{validate.describe(owner)}: the inputs are {_sketch(inputs)} and are used in that order for "
                f"{self._expected()}. Pass them in the structure of the model's inputs to avoid mistakes."
            )
        return values

    def _expected(self) -> str:
        """The structure of the inputs as text: their names and keys."""
        return _sketch(tree.map_structure(lambda tensor: tensor.name, self._inputs_struct))

    def _tell_extra_keys(self, inputs: Mapping[str, object], known: Any, owner: object) -> None:
        extra = [key for key in inputs if key not in known]
        if extra:
            self._tell(
                f"{validate.describe(owner)}: the model has no input for {', '.join(map(repr, extra))}, so that data "
                f"is not used. It expects {self._expected()}."
            )

    def _tell(self, message: str) -> None:
        """Warn, once per message."""
        if message not in self._told:
            warnings.warn(message, stacklevel=2)
            self._told.add(message)


def _sketch(structure: Nested) -> str:
    """A structure of inputs as text, with shapes in place of arrays."""
    text = str(tree.map_structure(lambda x: _Bare(getattr(x, "shape", None) or x), structure))
    return text if len(text) < 300 else f"{text[:300]}..."


class _Bare(str):
    """Text that is displayed without quotes."""

    def __new__(cls, value: object) -> Self:
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return str(self)


def _is_ordered(structure: Nested) -> bool:
    """Whether every dictionary in it lists its keys in sorted order."""
    if isinstance(structure, Mapping):
        return list(structure) == sorted(structure) and all(map(_is_ordered, structure.values()))
    return not isinstance(structure, (list, tuple)) or all(map(_is_ordered, structure))


def _all_optional(structure: Nested) -> bool:
    return all(map(is_optional, tree.flatten(structure)))


def is_optional(tensor: KerasTensor) -> bool:
    """Whether a model may be called with None for this input."""
    return bool(getattr(tensor.history.operation, "optional", False)) if tensor.history else False


def _adjusted(x: Nested, tensor: KerasTensor) -> Nested:
    """`x` with the rank and dtype of `tensor`: a last axis of size 1 may be missing or extra."""
    if x is None or not hasattr(x, "shape"):
        return x
    adjusted = x
    if len(x.shape) == len(tensor.shape) - 1 and tensor.shape[-1] == 1:
        adjusted = adjusted[..., None]
    elif len(x.shape) == len(tensor.shape) + 1 and x.shape[-1] == 1:
        adjusted = adjusted[..., 0]
    if not isinstance(adjusted, KerasTensor) and tensor.dtype != "string":
        wanted = dtypes.storage_dtype(tensor.dtype)
        adjusted = adjusted if adjusted.dtype == wanted else _cast(adjusted, wanted, tensor)
    if adjusted is not x:
        set_mask(adjusted, get_mask(x))
    return adjusted


def _cast(x: Data, dtype: DTypeLike, tensor: KerasTensor) -> jax.Array:
    if jnp.iscomplexobj(x) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise ValueError(
            f'The input "{tensor.name}" expects {dtype}, and complex numbers would lose their imaginary part. Pass '
            'x.real and x.imag as separate features, or create it with dtype="complex64".'
        )
    return jnp.asarray(x, dtype)


def check_symbolic(structure: Nested, what: str) -> None:
    """Raise ValueError unless all inputs, or outputs, of a graph are symbolic tensors."""
    for x in tree.flatten(structure):
        if not isinstance(x, KerasTensor):
            hint = " Create symbolic tensors with cornu.Input(...)."
            if isinstance(x, (jax.Array, Variable)):
                hint = " An array already has values." + hint
            elif isinstance(x, Operation):
                hint = f" Call the layer on a tensor: {type(x).__name__}(...)(x)."
            raise ValueError(f"Function: all {what} must be symbolic tensors. Received: {type(x).__name__}.{hint}")


def _checked(structure: Nested, what: str) -> Nested:
    check_symbolic(structure, what)
    for x in tree.flatten(structure):
        if x.history is None:
            InputLayer(batch_shape=x.shape, dtype=x.dtype, input_tensor=x)
    return structure


def _seen_from(entries: set[int], tensor: KerasTensor) -> KerasTensor:
    """`tensor`; for the output of a model that was called within the graph, the result of that call."""
    if tensor.model is None or _is_reached(entries, tensor):
        return tensor
    position = next((i for i, own in enumerate(tensor.model.outputs or ()) if own is tensor), None)
    if position is None:  # a Sequential model whose output has changed since
        return tensor
    calls = (_seen_from(entries, node.output_tensors[position]) for node in tensor.model.nodes)
    return next((called for called in calls if _is_reached(entries, called)), tensor)


def _is_reached(entries: set[int], tensor: KerasTensor) -> bool:
    """Whether a tensor is computed from the inputs alone."""
    known, waiting = set(entries), [tensor]
    while waiting:
        wanted = waiting.pop()
        if id(wanted) not in known:
            known.add(id(wanted))
            node = node_of(wanted)
            if node.is_input:
                return False
            waiting += node.input_tensors
    return True


def _graph(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> tuple[list[Node], list[Operation]]:
    """The nodes from inputs to outputs in execution order, and their operations, deepest first."""
    entries = {id(tensor) for tensor in inputs}
    running: list[Node] = []
    rank: dict[int, int] = {}  # operation -> order of first visit going back from the outputs
    done: set[int] = set()
    open_nodes: set[int] = set()

    def visit(tensor: KerasTensor) -> None:
        node = node_of(tensor)
        if id(node) in done:
            return
        if id(node) in open_nodes:
            raise ValueError(f"The graph has a cycle at {validate.describe(node.operation)}.")
        rank.setdefault(id(node.operation), len(rank))
        open_nodes.add(id(node))
        if not (id(tensor) in entries and not isinstance(node.operation, InputLayer)):
            if node.is_input and id(tensor) not in entries:
                is_output = any(tensor is output for output in outputs)
                raise ValueError(
                    f"The outputs need the tensor {tensor}, from {validate.describe(node.operation)}, which is not "
                    "among the model's inputs. "
                    + (
                        "It is an output itself: are inputs and outputs swapped? Use Model(inputs, outputs)."
                        if is_output
                        else "Add it to inputs, or compute the outputs from the given ones."
                    )
                )
            for source in node.input_tensors:
                visit(source)
        open_nodes.discard(id(node))
        done.add(id(node))
        running.append(node)

    for tensor in outputs:
        visit(tensor)
    unused = list({id(node): node for node in map(node_of, inputs) if id(node) not in done}.values())
    for position, node in enumerate(unused):
        rank[id(node.operation)] = position - len(unused)
    running = [*unused, *running]
    return running, _by_depth(running, entries, rank)


def _by_depth(running: list[Node], entries: set[int], rank: dict[int, int]) -> list[Operation]:
    """Operations sorted by their longest path to an output, the longest first, then by `rank`."""
    node_depth: dict[int, int] = {}
    depth: dict[int, int] = {}
    operations: dict[int, Operation] = {}
    for node in reversed(running):
        operation = node.operation
        operations[id(operation)] = operation
        here = max(node_depth.get(id(node), 0), depth.get(id(operation), 0))
        depth[id(operation)] = here
        for source in node.input_tensors if not _is_entry(node, entries) else ():
            parent = node_of(source)
            node_depth[id(parent)] = max(here + 1, node_depth.get(id(parent), 0))
    return sorted(operations.values(), key=lambda o: (-depth[id(o)], rank[id(o)]))


def from_inputs(graph: Function) -> Function:
    """The same graph starting at input layers: a copy of the calls if it starts in the middle of another one."""
    if all(isinstance(history_of(tensor).operation, InputLayer) for tensor in graph.inputs):
        return graph
    entries = [_entry(tensor) for tensor in graph.inputs]
    outputs = graph.run(entries, lambda operation, args, kwargs: unused(operation)(*args, **kwargs))
    return Function(tree.pack_sequence_as(graph._inputs_struct, entries), outputs, name=graph.name)


def _entry(tensor: KerasTensor) -> KerasTensor:
    if isinstance(history_of(tensor).operation, InputLayer):
        return tensor
    return InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}CLONE").output


def unused(operation: Operation) -> Operation:
    """The operation itself; for functions, whose operations are called only once, a new one."""
    if isinstance(operation, FunctionOperation):
        return FunctionOperation(operation.function, operation.name, **operation.settings)
    return operation


def _is_entry(node: Node, entries: set[int]) -> bool:
    return any(id(tensor) in entries for tensor in node.output_tensors)
