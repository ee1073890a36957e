"""Batches of text: the layers of a model that take text read it on the host, before each step.

Which layers take text they say themselves (`HostLayer.takes_text`). They stand where a model begins, also in models
inside it: everything that they need comes from the data, through layers that run on the host as well.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from cornu import tree, validate
from cornu.core import context
from cornu.core.read_text import ReadBatch, ReadText, as_read, is_text
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Nested
from cornu.layers.host import HostLayer
from cornu.training import step

Reader = Callable[[tuple], tuple]
"""What a batch goes through before a step: (x, y, ...) with text in x, to one without."""


def reader(model: Any, batch: tuple, stage: str) -> Reader | None:
    """What reads the text of batches like a first one; None where there is no text to read.

    Args:
        model: the model, which is built where it was not.
        batch: (x, y, sample_weight), as the user's data gives it.
        stage: "train", "test" or "predict".
    """
    texts = [(path, leaf) for path, leaf in tree.flatten_with_path(batch[0]) if is_text(leaf)]
    if not texts:
        return None
    _build(model, batch[0])
    if not _takes_text(model):
        _refuse(model, *texts[0])
    if not model.jit_compile and not step.is_default(model, stage):
        return None  # a step of the user's own that is not compiled gets the text itself
    return functools.partial(_read_batch, model)


def _takes_text(model: Any) -> bool:
    return any(tensor.dtype == "string" for tensor in getattr(model, "inputs", None) or ())


def _build(model: Any, x: Any) -> None:
    """Lay a stack of layers out that begins with one that takes text."""
    first = model
    while first is not None and not first.built and not isinstance(first, HostLayer):
        first = next(iter(getattr(first, "layers", ())), None)
    if is_text(x) and not model.built and (getattr(first, "takes_text", False) or _takes_text(first)):
        model._build_for({"inputs": KerasTensor((None, *x.shape[1:]), "string")})


def _refuse(model: object, path: tuple, text: np.ndarray) -> None:
    where = "x" + "".join(f"[{part!r}]" for part in path)
    raise ValueError(
        f"{validate.describe(model)}: the model computes with numbers, but {where} holds text, such as "
        f"{str(text.flat[0])!r}. Turn it into numbers first, or begin the model with a layer that takes text, such as "
        "TextVectorization or StringLookup: cornu.Sequential([layer, ...]), or cornu.Model(cornu.Input((1,), "
        'dtype="string"), outputs).'
    )


def _read_batch(model: Any, batch: tuple) -> tuple:
    x, *others = batch
    x = tree.map_structure(as_read, x)
    graph = model._graph
    with context.scope(callers=(model,)):  # what layers make stays on the host
        _read(graph, graph.standardize(x, model))
    return ReadBatch.of(x), *others


def _read(graph: Any, values: list) -> list:
    """Call the layers of a graph that take text on it, and keep in each `ReadText` what they made.

    Args:
        graph: the graph.
        values: for each input text or an array; None for what is not known on the host.

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


def _made(operation: Any, args: tuple, kwargs: dict, given: list) -> list | None:
    """What an operation makes on the host, flat: text, or a function that gives numbers when they are wanted."""
    texts = [value for value in given if isinstance(value, ReadText)]
    graph = getattr(operation, "_graph", None)
    if texts and graph is not None:
        return _read(graph, graph.standardize(args[0], operation))
    if texts and not getattr(operation, "takes_text", False):
        raise ValueError(
            f"{validate.describe(operation)} is given text, and computes with numbers. Between the input of text and "
            "the layers that turn it into numbers (TextVectorization, StringLookup, Hashing) there can be no other."
        )
    if not isinstance(operation, HostLayer) or any(value is None for value in given):
        if texts:
            raise ValueError(
                f"{validate.describe(operation)} is given text beside numbers that the model computes. It reads text "
                "before the model runs, so all that it is given must come from the data."
            )
        return None
    call = functools.cache(lambda: operation(*tree.map_structure(_value, args), **tree.map_structure(_value, kwargs)))
    if not texts:
        return [call]
    if id(operation) in texts[0].made:
        raise ValueError(
            f"{validate.describe(operation)} is called twice on one text. Call it once, or take two layers."
        )
    made = texts[0].made[id(operation)] = as_read(call())
    return [made if isinstance(made, ReadText) else lambda: made]


def _value(known: Any) -> Nested:
    return known.values if isinstance(known, ReadText) else known() if callable(known) else known
