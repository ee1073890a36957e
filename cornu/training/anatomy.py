"""The anatomy of a model: the last operations of its outputs, and the layers that read its inputs first.

Both are derived from the calls of its layers and operations when it runs abstractly, so also for models with a custom
`call`, provided that they return the output of a layer and pass their inputs to a layer. If there is a graph, the
second is read from that.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cornu import layers, registry, tree
from cornu.core.operation import FunctionOperation
from cornu.core.read_text import numbers_of
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyFunction, AnyList, Data, Nested

LINEAR_MAPS = (
    layers.Dense, layers.EinsumDense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Conv1DTranspose,
    layers.Conv2DTranspose, layers.Conv3DTranspose, layers.SeparableConv1D, layers.SeparableConv2D,
)  # fmt: skip
WEIGHING = (*LINEAR_MAPS, layers.SimpleRNN, layers.LSTM, layers.GRU, layers.Bidirectional)
NORMALIZING = (
    layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization,
    layers.UnitNormalization,
)  # fmt: skip
_KEEP_VALUES = (
    layers.Flatten, layers.Reshape, layers.Permute, layers.Dropout, layers.Cropping1D, layers.Cropping2D,
    layers.ZeroPadding1D, layers.ZeroPadding2D, layers.RepeatVector,
)  # fmt: skip
PROBABILITIES = ("softmax", "sigmoid")
TWICE = "probabilities of probabilities"  # an ending: two such activations in a row
_VALUE_KEEPING_OPERATIONS = ("cast", "expand_dims", "reshape", "squeeze", "transpose")


class Call(NamedTuple):
    """One call of a layer or operation."""

    operation: Any
    inputs: Any  # its arguments
    outputs: Any


class Calls(list[Call]):
    """The calls of layers and operations within a call of a model, in the order in which they end (`context.watch`)."""

    def __call__(self, operation: object, function: AnyFunction, *args: Any, **kwargs: Any) -> Nested:
        outputs = function(*args, **kwargs)
        self.append(Call(operation, (args, kwargs), outputs))
        return outputs


class Reader(NamedTuple):
    """A layer that reads an input first."""

    position: int  # index among the flat inputs
    layer: Any
    after: AnyList  # the operations that follow


class Told(NamedTuple):
    """What the calls within that of a model reveal."""

    endings: list[str | None] = []  # of each flat output: "linear", "softmax", ...; None if unknown
    readers: list[Reader] = []


def told(calls: Calls, inputs: Nested, outputs: Nested) -> Told:
    """What is known about a model that was called.

    Args:
        calls: the calls within that of the model.
        inputs: its inputs.
        outputs: its outputs.
    """
    readers = [
        Reader(position, *found)
        for position, tensor in enumerate(tree.flatten(inputs))
        for found in _readers(calls, tensor)
    ]
    return Told([_ending(calls, tensor) for tensor in tree.flatten(outputs)], readers)


def _readers(calls: Calls, tensor: object) -> Iterator[tuple[Any, AnyList]]:
    for call in calls:
        if not _has(call.inputs, tensor) or _has(call.outputs, tensor):
            continue
        if _keeps_values(call.operation):
            yield from _readers(calls, tree.flatten(call.outputs)[0])
        else:
            outputs = tree.flatten(call.outputs)
            yield call.operation, [one.operation for one in calls if any(_has(one.inputs, out) for out in outputs)]


def _ending(calls: Calls, tensor: object) -> str | None:
    maker = next((call for call in calls if _has(call.outputs, tensor) and not _has(call.inputs, tensor)), None)
    if maker is None:
        return None
    operation = maker.operation
    if _keeps_values(operation):
        return _ending(calls, tree.flatten(maker.inputs)[0])
    if _activation_alone(operation) in PROBABILITIES and _ending(calls, tree.flatten(maker.inputs)[0]) in PROBABILITIES:
        return TWICE
    if isinstance(operation, FunctionOperation):
        return operation.function.__name__
    if isinstance(operation, layers.TimeDistributed):
        operation = operation.layer
    if not registry.is_builtin(type(operation).call):
        return None
    if isinstance(operation, layers.Softmax):
        return "softmax"
    if isinstance(operation, (*LINEAR_MAPS, layers.Activation)) and registry.is_builtin(operation.activation):
        return getattr(operation.activation, "__name__", None)
    return None


def _activation_alone(operation: Any) -> str | None:
    """The activation applied by an operation, if that is all it does."""
    if isinstance(operation, FunctionOperation):
        return operation.function.__name__
    if isinstance(operation, layers.Softmax) and registry.is_builtin(type(operation).call):
        return "softmax"
    return getattr(operation.activation, "__name__", None) if type(operation) is layers.Activation else None


def _has(tensors: Nested, tensor: object) -> bool:
    return any(one is tensor for one in tree.flatten(tensors))


def _keeps_values(operation: object) -> bool:
    if isinstance(operation, FunctionOperation):
        return operation.function.__name__ in _VALUE_KEEPING_OPERATIONS
    return isinstance(operation, _KEEP_VALUES)


def inputs_and_values(model: Any, x: Data) -> list[tuple[KerasTensor, Any]]:
    """Each symbolic input of a model with its array; empty if they cannot be matched."""
    tensors, x = getattr(model, "inputs", None) or (), numbers_of(x)
    if isinstance(x, dict):
        by_name = {tensor.name: tensor for tensor in tensors}
        keyed = model._graph._inputs_struct if tensors and isinstance(model._graph._inputs_struct, dict) else by_name
        return [(keyed[key], value) for key, value in x.items() if isinstance(keyed.get(key), KerasTensor)]
    values = tree.flatten(x)
    return list(zip(tensors, values, strict=True)) if len(values) == len(tensors) else []


def first_readers(model: Any, tensor: KerasTensor) -> Iterator[tuple[Any, AnyList]]:
    """Each layer that reads an input, directly or reshaped, and the operations that follow it."""
    graph = model._graph
    for node in graph.nodes_in_order:
        if not any(one is tensor for one in node.input_tensors):
            continue
        operation = node.operation
        inner = getattr(operation, "_graph", None)
        if inner is not None and len(inner.inputs) == 1:
            yield from first_readers(operation, inner.inputs[0])
        elif _keeps_values(operation):
            yield from first_readers(model, node.output_tensors[0])
        else:
            yield operation, [after.operation for after in _after(graph, node.output_tensors)]


def _after(graph: Any, tensors: list[KerasTensor]) -> AnyList:
    return [node for node in graph.nodes_in_order if any(a is b for a in node.input_tensors for b in tensors)]


def embeddings(model: object) -> list[tuple[KerasTensor, object]]:
    """(symbolic input, layer) for each `Embedding` that reads an input of a graph directly."""
    return [
        (tensor, layer)
        for tensor in getattr(model, "inputs", None) or ()
        for layer, _ in first_readers(model, tensor)
        if isinstance(layer, layers.Embedding)
    ]


def is_numeric(value: object) -> bool:
    """Whether `value` is a non-empty array of real numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size > 0
