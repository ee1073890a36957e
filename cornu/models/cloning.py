"""Copies of models: new layers with the same configs, and their own weights."""

import inspect
from collections.abc import Mapping
from typing import Any, cast

from cornu import tree, validate
from cornu.core.configurable import compile_config
from cornu.core.operation import Operation
from cornu.core.symbolic import KerasTensor, history_of
from cornu.core.typing import AnyFunction, Args, Kwargs, Nested
from cornu.layers.input import InputLayer
from cornu.layers.layer import Layer
from cornu.models.function import Function, unused
from cornu.models.model import Functional, Model, has_own_constructor
from cornu.models.sequential import Sequential


def clone_model(
    model: Model,
    input_tensors: object = None,
    clone_function: AnyFunction | None = None,
    call_function: AnyFunction | None = None,
    recursive: bool = False,
    **kwargs: object,
) -> Model:
    """A model with new layers created from the configs of the old ones, compiled alike with a new optimizer.

    A functional model of a class whose constructor has other arguments than inputs and outputs becomes a plain
    `Functional` model: only that class knows how to create its graph.

    Args:
        model: the model to copy.
        input_tensors: symbolic tensors to use as inputs; new ones by default.
        clone_function: function from a layer to its replacement; by default a new copy. Operations of `cornu.ops`
            between layers are copied unchanged.
        call_function: function `(layer, *args, **kwargs)` that calls each new layer. None by default.
        recursive: whether to copy nested models layer by layer with the same functions. Defaults to False.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        copy = cornu.models.clone_model(model)
        copy.set_weights(model.get_weights())
    """
    if kwargs:
        raise ValueError(f"clone_model: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    if not isinstance(model, Model):
        if not isinstance(model, Operation):
            raise TypeError(f"clone_model: model must be a model or a layer. Received: {validate.shown(model)}.")
        return (clone_function or _fresh)(model)
    copy = _copy(model, input_tensors, clone_function, call_function, recursive)
    if model.compiled and not copy.compiled:
        copy.compile_from_config(compile_config(model))
    return copy


def _copy(
    model: Model,
    input_tensors: object,
    clone_function: AnyFunction | None,
    call_function: AnyFunction | None,
    recursive: bool,
) -> Model:
    clone_one = clone_function or _fresh

    def clone(layer: Operation) -> Operation:
        if recursive and isinstance(layer, Model) and layer._graph is not None:
            return clone_model(layer, None, clone_function, call_function, recursive)
        return clone_one(layer) if isinstance(layer, Layer) else _fresh(layer)

    if isinstance(model, Sequential):
        return _clone_sequential(model, input_tensors, clone)
    if isinstance(model, Model) and model._graph is not None:
        return _clone_graph(model, input_tensors, clone, call_function)
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            f"clone_model: {validate.describe(model)} is a subclassed model without a graph, which can only be copied "
            "as a whole: omit clone_function and input_tensors."
        )
    copy = type(model).from_config(model.get_config())
    copy.build_from_config(model.get_build_config() or {})
    return copy


def _fresh(layer: Operation) -> Operation:
    copy = unused(layer)
    return copy if copy is not layer else type(layer).from_config(layer.get_config())


def _clone_sequential(model: Sequential, input_tensors: object, clone: AnyFunction) -> Sequential:
    layers = [layer if isinstance(layer, InputLayer) else clone(layer) for layer in model.layers]
    if input_tensors is not None:
        layers = [tree.flatten(input_tensors)[0], *layers]
    elif model._layers and isinstance(model._layers[0], InputLayer):
        layers = [_fresh(model._layers[0]), *layers]
    elif model.inputs:
        copy = Sequential(layers, trainable=model.trainable, name=model.name)
        copy.build(model.inputs[0].shape)
        return copy
    return Sequential(layers, trainable=model.trainable, name=model.name)


def _clone_graph(model: Model, input_tensors: object, clone: AnyFunction, call_function: AnyFunction | None) -> Model:
    graph = cast(Function, model._graph)  # models without one are cloned differently
    if input_tensors is None:
        inputs = tree.map_structure(_fresh_input, graph._inputs_struct)
    else:
        _check_structure(input_tensors, graph)
        inputs = tree.pack_sequence_as(graph._inputs_struct, tree.flatten(input_tensors))
    copies = {id(o): clone(o) for o in graph.operations if not isinstance(o, InputLayer)}

    def call(operation: Operation, args: Args, kwargs: Kwargs) -> Nested:
        copy = copies[id(operation)]
        return call_function(copy, *args, **kwargs) if call_function else copy(*args, **kwargs)

    outputs = graph.run(tree.flatten(inputs), call)
    kind = type(model) if type(model) is not Model and _takes_graphs(type(model)) else Functional
    return kind(inputs, outputs, name=model.name)


def _takes_graphs(cls: type[Model]) -> bool:
    """Whether the constructor accepts inputs and outputs: it is that of `Model`, or passes on all its arguments."""
    hands_on = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return not has_own_constructor(cls) or {p.kind for p in inspect.signature(cls).parameters.values()} == hands_on


def _check_structure(input_tensors: Any, graph: Function) -> None:
    """Reject tensors whose assignment to the inputs would be a guess: a dictionary must have the inputs' own keys."""
    own, count = graph._inputs_struct, len(tree.flatten(input_tensors))
    by_key = [isinstance(struct, Mapping) for struct in (own, input_tensors)]
    if count != len(graph.inputs) or by_key[0] != by_key[1] or (all(by_key) and set(own) != set(input_tensors)):
        wanted = f"a dictionary with the keys {sorted(own)}" if by_key[0] else f"a list of {len(graph.inputs)}"
        given = f"a dictionary with the keys {sorted(input_tensors)}" if by_key[1] else f"{count} outside a dictionary"
        raise ValueError(f"clone_model: input_tensors must be {wanted}, like the model's inputs. Received: {given}.")


def _fresh_input(tensor: KerasTensor) -> KerasTensor:
    source = history_of(tensor).operation
    return InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=source.name).output
