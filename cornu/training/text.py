"""Batches of text: the layers of a model that take text process it on the host, before each step.

Layers declare themselves that they take text (`HostLayer.takes_text`). They must be at the beginning of a model, also
in nested models: all their inputs must come from the data, through layers that run on the host as well.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from cornu import tree, validate
from cornu.core import context
from cornu.core.read_text import ReadBatch, ReadText, as_read, is_text
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Args, Batch, Kwargs, Nested, Tensor
from cornu.layers.host import HostLayer
from cornu.training import step

Reader = Callable[[Batch], Batch]
"""The preprocessing of a batch before a step: from (x, y, ...) with text in x to one without."""


def reader(model: Any, batch: Batch, stage: str) -> Reader | None:
    """The function that processes the text of batches like a first one; None if there is no text.

    Args:
        model: the model, which is built if needed.
        batch: (x, y, sample_weight), as in the user's data.
        stage: "train", "test" or "predict".
    """
    texts = [(path, leaf) for path, leaf in tree.flatten_with_path(batch[0]) if is_text(leaf)]
    if not texts:
        return None
    _build(model, batch[0])
    if not _takes_text(model):
        _refuse(model, *texts[0])
    if not model.jit_compile and not step.is_default(model, stage):
        return None  # a custom step that is not compiled receives the text itself
    return functools.partial(_read_batch, model)


def _takes_text(model: Any) -> bool:
    return any(tensor.dtype == "string" for tensor in getattr(model, "inputs", None) or ())


def _build(model: Any, x: Any) -> None:
    """Build a stack of layers that begins with one that takes text."""
    first = model
    while first is not None and not first.built and not isinstance(first, HostLayer):
        first = next(iter(getattr(first, "layers", ())), None)
    if is_text(x) and not model.built and (getattr(first, "takes_text", False) or _takes_text(first)):
        model._build_for({"inputs": KerasTensor((None, *x.shape[1:]), "string")})


def _refuse(model: object, path: tuple[object, ...], text: np.ndarray) -> None:
    where = "x" + "".join(f"[{part!r}]" for part in path)
    raise ValueError(
        f"{validate.describe(model)}: the model expects numbers, but {where} contains text, such as "
        f"{str(text.flat[0])!r}. Convert it to numbers first, or start the model with a layer that accepts text, such "
        "as "
        "TextVectorization or StringLookup: cornu.Sequential([layer, ...]), or cornu.Model(cornu.Input((1,), "
        'dtype="string"), outputs).'
    )


def _read_batch(model: Any, batch: Batch) -> Batch:
    x, *others = batch
    x = tree.map_structure(as_read, x)
    graph = model._graph
    with context.scope(callers=(model,)):  # the results of layers stay on the host
        _read(graph, graph.standardize(x, model))
    return ReadBatch.of(x), *others


def _read(graph: Any, values: list[Tensor]) -> list[Tensor]:
    """Call the layers of a graph that take text, and store their results in each `ReadText`.

    Args:
        graph: the graph.
        values: for each input, text or an array; None if unknown on the host.

    Returns:
        The same for each output.
    """
    known: dict[int, Any] = dict(zip(map(id, graph.inputs), values, strict=True))
    for node in graph.nodes_in_order:
        if not all(id(tensor) in known for tensor in node.output_tensors):
            args, kwargs = node.fill(known)
            made = _made(node.operation, args, kwargs, [known[id(tensor)] for tensor in node.input_tensors])
            known |= zip(map(id, node.output_tensors), made or [None] * len(node.output_tensors), strict=True)
    return [known[id(tensor)] for tensor in graph.outputs]


def _made(operation: Any, args: Args, kwargs: Kwargs, given: list[Tensor]) -> list[Tensor] | None:
    """The result of an operation on the host, flat: text, or a function that returns numbers on demand."""
    texts = [value for value in given if isinstance(value, ReadText)]
    graph = getattr(operation, "_graph", None)
    if texts and graph is not None:
        return _read(graph, graph.standardize(args[0], operation))
    if texts and not getattr(operation, "takes_text", False):
        raise ValueError(
            f"{validate.describe(operation)} received text but expects numbers. Between the text input and "
            "the layers that convert it to numbers (TextVectorization, StringLookup, Hashing) there can be no others."
        )
    if not isinstance(operation, HostLayer) or any(value is None for value in given):
        if texts:
            raise ValueError(
                f"{validate.describe(operation)} received text together with numbers computed by the model. It "
                "processes text "
                "before the model runs, so all its inputs must come from the data."
            )
        return None
    call = functools.cache(lambda: operation(*tree.map_structure(_value, args), **tree.map_structure(_value, kwargs)))
    if not texts:
        return [call]
    if id(operation) in texts[0].made:
        raise ValueError(
            f"{validate.describe(operation)} is called twice on the same text. Call it once, or use two layers."
        )
    made = texts[0].made[id(operation)] = as_read(call())
    return [made if isinstance(made, ReadText) else lambda: made]


def _value(known: Any) -> Nested:
    return known.values if isinstance(known, ReadText) else known() if callable(known) else known
