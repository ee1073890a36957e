"""What the graph of a model tells about it: what its outputs end with, and which layers read its inputs first.

A model that is not a graph (a subclass with a `call`) tells nothing here.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cornu import layers, registry, tree
from cornu.core.operation import FunctionOperation
from cornu.core.symbolic import KerasTensor, history_of
from cornu.core.typing import Data

LINEAR_MAPS = (
    layers.Dense, layers.EinsumDense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Conv1DTranspose,
    layers.Conv2DTranspose, layers.Conv3DTranspose, layers.SeparableConv1D, layers.SeparableConv2D,
)  # fmt: skip
NORMALIZING = (
    layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization,
    layers.UnitNormalization,
)  # fmt: skip
_KEEP_VALUES = (
    layers.Flatten, layers.Reshape, layers.Permute, layers.Dropout, layers.Cropping1D, layers.Cropping2D,
    layers.ZeroPadding1D, layers.ZeroPadding2D, layers.RepeatVector, layers.InputLayer,
)  # fmt: skip
_VALUE_KEEPING_OPERATIONS = ("cast", "expand_dims", "reshape", "squeeze", "transpose")


def endings(model: object) -> list[str | None]:
    """For each flat output the activation it ends with: "linear", "softmax", ...; None where that is not known."""
    return [_ending(tensor) for tensor in getattr(model, "outputs", None) or ()]


def _ending(tensor: KerasTensor) -> str | None:
    operation, index, position = history_of(tensor)
    if getattr(operation, "_graph", None) is not None:
        return _ending(operation.outputs[position])
    if _keeps_values(operation):
        return _ending(operation.nodes[index].input_tensors[0])
    if isinstance(operation, FunctionOperation):
        return operation.function.__name__
    if isinstance(operation, layers.TimeDistributed):
        operation = operation.layer
    if isinstance(operation, layers.Softmax):
        return "softmax"
    if isinstance(operation, (*LINEAR_MAPS, layers.Activation)) and registry.is_builtin(operation.activation):
        return getattr(operation.activation, "__name__", None)
    return None


def _keeps_values(operation: object) -> bool:
    if isinstance(operation, FunctionOperation):
        return operation.function.__name__ in _VALUE_KEEPING_OPERATIONS
    return isinstance(operation, _KEEP_VALUES) and bool(operation.nodes[0].input_tensors)


def inputs_and_values(model: Any, x: Data) -> list[tuple[KerasTensor, Any]]:
    """Each symbolic input of a model with the array that it gets; nothing where they cannot be told apart."""
    tensors = getattr(model, "inputs", None) or ()
    if isinstance(x, dict):
        by_name = {tensor.name: tensor for tensor in tensors}
        keyed = model._graph._inputs_struct if tensors and isinstance(model._graph._inputs_struct, dict) else by_name
        return [(keyed[key], value) for key, value in x.items() if isinstance(keyed.get(key), KerasTensor)]
    values = tree.flatten(x)
    return list(zip(tensors, values, strict=True)) if len(values) == len(tensors) else []


def first_readers(model: Any, tensor: KerasTensor) -> Iterator[tuple[Any, list[Any]]]:
    """Each layer that reads an input, as it is or reshaped, and the operations that come after it."""
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


def _after(graph: Any, tensors: list[KerasTensor]) -> list[Any]:
    return [node for node in graph.nodes_in_order if any(a is b for a in node.input_tensors for b in tensors)]


def embeddings(model: object) -> list[tuple[KerasTensor, Any]]:
    """(symbolic input, layer) for each `Embedding` that reads an input of a graph directly."""
    return [
        (tensor, layer)
        for tensor in getattr(model, "inputs", None) or ()
        for layer, _ in first_readers(model, tensor)
        if isinstance(layer, layers.Embedding)
    ]


def is_numeric(value: object) -> bool:
    """Whether `value` is an array of real numbers with something in it."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size > 0
