"""The content of a model's diagram: boxes with facts, groups for nested models, and edges; and its pydot form.

A box is a layer or an operation, however often it is called, so a shared one has several edges. Drawing code only uses
a `Group` and never the model.
"""

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from cornu import tree, validate
from cornu.core.symbolic import KerasTensor, Node, history_of
from cornu.core.typing import AnyFunction, Kwargs
from cornu.models.model import Model
from cornu.models.sequential import Sequential
from cornu.models.summary import shape_text

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

Key: TypeAlias = tuple[int, ...]  # the identities of the enclosing models and of the layer

DIRECTIONS = ("TB", "BT", "LR", "RL")
SPLINES = ("ortho", "curved", "spline", "polyline", "line")
_INPUT, _OUTPUT, _DTYPE, _ACTIVATION = "Input shape", "Output shape", "Output dtype", "Activation"


class Shown(NamedTuple):
    """Which facts are displayed."""

    shapes: bool = False
    dtype: bool = False
    names: bool = True
    activations: bool = False
    trainable: bool = False


class Box(NamedTuple):
    """The displayed facts about a layer or operation, as text; None if not displayed or not applicable."""

    key: Key
    name: str | None
    kind: str
    activation: str | None
    facts: dict[str, str]  # shapes and dtypes by label
    trainable: bool | None


class Group(NamedTuple):
    """A model and its parts, in execution order."""

    key: Key
    name: str
    parts: list["Box | Group"]
    edges: list[tuple[Key, Key]]  # between boxes, which may be in nested groups


def graph_of(model: Model, shown: Shown, expand: bool, owner: str) -> Group:
    """The diagram of a model.

    Args:
        model: a built model.
        shown: the facts to display.
        expand: whether nested models with graphs become groups instead of boxes.
        owner: the caller, for error messages.
    """
    if not isinstance(model, Model):
        raise TypeError(f"{owner}: model must be a model. Received: {type(model).__name__}.")
    if not model.built or (isinstance(model, Sequential) and not model.layers):
        what = "has no layers" if isinstance(model, Sequential) and not model.layers else "is not built"
        raise ValueError(
            f"{owner}: the model {model.name!r} {what}, so there is nothing to draw yet. Start it with an Input, or "
            "call build(input_shape) or the model itself on some data."
        )
    return _Reader(shown, expand).group(model, ())


class _Reader(NamedTuple):
    """Reads the structure of a model."""

    shown: Shown
    expand: bool

    def group(self, model: Any, around: Key) -> Group:
        """A model with its parts; one without a graph is its own only part."""
        key = (*around, id(model))
        if not _has_parts(model):
            return Group(key, model.name, [self.box(model, None, key)], [])
        inside = list(model.layers) if isinstance(model, Sequential) else list(model._graph.operations)
        parts = [self.group(part, key) if self.is_open(part) else self.box(part, model._graph, key) for part in inside]
        return Group(key, model.name, parts, list(dict.fromkeys(self.edges(model, key))))

    def is_open(self, part: object) -> bool:
        """Whether a part of a model is displayed as a group."""
        return self.expand and _has_parts(part)

    def edges(self, model: "Model", key: Key) -> Iterator[tuple[Key, Key]]:
        """The edges from each box to its consumers."""
        if isinstance(model, Sequential):
            for layer, after in zip(model.layers, model.layers[1:], strict=False):
                yield self.exit(layer, 0, key), self.entry(after, 0, key)
            return
        for node in _calls(model._graph):
            for position, tensor in enumerate(_entering(node)):
                operation, _, index = history_of(tensor)
                yield self.exit(operation, index, key), self.entry(node.operation, position, key)

    def exit(self, part: Any, index: int, around: Key) -> Key:
        """The box that produces an output of a part."""
        key = (*around, id(part))
        if not self.is_open(part):
            return key
        if isinstance(part, Sequential):
            return self.exit(part.layers[-1], index, key)
        operation, _, index = history_of(part._graph.outputs[index])
        return self.exit(operation, index, key)

    def entry(self, part: Any, position: int, around: Key) -> Key:
        """The box that consumes an input of a part."""
        key = (*around, id(part))
        if not self.is_open(part):
            return key
        if isinstance(part, Sequential):
            return self.entry(part.layers[0], position, key)
        return (*key, id(history_of(part._graph.inputs[position]).operation))

    def box(self, layer: "Layer", graph: object, around: Key) -> Box:
        """The facts about a layer in a graph: from its first call there."""
        shown = self.shown
        nodes = [node for node in _calls(graph) if node.operation is layer] if graph else []
        inputs, outputs = _tensors(nodes[0]) if nodes else (None, None)
        has_weights = bool(getattr(layer, "weights", ()))
        facts = {}
        if shown.shapes and not (nodes and nodes[0].is_input):
            facts[_INPUT] = _shape(_each(inputs, lambda tensor: tensor.shape))
        if shown.shapes:
            seen: Any = getattr(layer, "_output_shape", None)  # from the first call
            facts[_OUTPUT] = _shape(_each(outputs, lambda tensor: tensor.shape) if nodes else seen and seen[0])
        if shown.dtype:
            facts[_DTYPE] = str(_each(outputs, lambda tensor: tensor.dtype) or "?")
        return Box(
            (*around, id(layer)),
            layer.name if shown.names else None,
            getattr(layer, "class_name", type(layer).__name__),
            _activation(layer) if shown.activations else None,
            facts,
            bool(layer.trainable) if shown.trainable and has_weights else None,
        )


def _has_parts(model: object) -> bool:
    """Whether the parts of a model are known: a sequence of layers, or a graph."""
    return isinstance(model, Model) and (bool(model.layers) if isinstance(model, Sequential) else bool(model._graph))


def _calls(graph: Any) -> list[Node]:
    """The calls in a graph, grouped by operation, in the order of its operations."""
    kept = set(map(id, graph.nodes_in_order))
    return [node for operation in graph.operations for node in operation.nodes if id(node) in kept]


def _entering(node: Node) -> list[KerasTensor]:
    """The input tensors of a call, in the order of the callee's inputs."""
    graph, given = getattr(node.operation, "_graph", None), [*node.args, *node.kwargs.values()]
    if graph is None or node.is_input:
        return node.input_tensors
    return [x for x in graph._line_up(given[0], node.operation) if isinstance(x, KerasTensor)]


def _tensors(node: Node) -> tuple[object, object]:
    """The inputs and outputs of a call: a single argument in its structure, several as a list."""
    first = node.args[0] if node.args else None
    whole = sum(isinstance(x, KerasTensor) for x in tree.flatten(first)) == len(node.input_tensors)
    inputs = first if whole else node.input_tensors
    return _single(inputs), _single(node.outputs)


def _single(structure: object) -> Any:
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


def _each(structure: object, fact: AnyFunction) -> Any:
    """A fact about each tensor in a structure, with lists in place of tuples."""
    if isinstance(structure, dict):
        return {key: _each(value, fact) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_each(value, fact) for value in structure]
    return fact(structure) if isinstance(structure, KerasTensor) else None


def _shape(shape: object) -> str:
    text = "?" if shape is None else shape_text(shape)
    return text[1:-1] if isinstance(shape, dict) else text


def _activation(layer: object) -> str | None:
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    return getattr(activation, "name", None) or getattr(activation, "__name__", None) or type(activation).__name__


# ---------------------------------------------------------------- pydot


def checked(rankdir: object, dpi: object, splines: object, unknown: Kwargs, owner: str) -> None:
    """Reject unsupported arguments of `plot_model` and `model_to_dot`."""
    if "layer_range" in unknown:
        raise ValueError(f"{owner}: layer_range is an argument of older Keras. Draw a model of those layers instead.")
    if unknown:
        raise TypeError(f"{owner}: unknown argument {', '.join(map(repr, unknown))}.")
    validate.one_of(rankdir, DIRECTIONS, "rankdir", owner)
    validate.one_of(splines, SPLINES, "splines", owner)
    if not validate.is_real(dpi) or not dpi > 0:
        raise ValueError(f"{owner}: dpi must be a positive number. Received: dpi={validate.shown(dpi)}.")


def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: object,
) -> Any:
    """A model as a pydot graph, with a node for each layer and operation.

    A `Sequential` is a chain of its layers, a graph has its inputs, layers and operations; a subclassed model, which
    has no graph, is a single node. A layer that is called several times is one node with several edges.

    Args:
        model: a built model.
        show_shapes: whether to show the shapes of inputs and outputs; `False` by default. They are those of a layer's
            first call; None in them is an unknown size, ? an unknown shape.
        show_dtype: whether to show the dtypes of outputs; `False` by default.
        show_layer_names: whether to show names besides the class; `True` by default.
        rankdir: direction: `"TB"`, the default, from top to bottom, `"BT"`, `"LR"` or `"RL"`.
        expand_nested: whether to draw nested models with graphs as clusters with their own nodes; `False` by default.
        dpi: resolution in dots per inch, 200 by default.
        subgraph: whether to return a `pydot.Cluster`; `False` by default.
        show_layer_activations: whether to show the names of activations; `False` by default.
        show_trainable: whether to show which weights are trainable; `False` by default.
        splines: style of edges: `"ortho"`, the default, with right angles, `"curved"`, `"spline"`, `"polyline"` or
            `"line"`.
        kwargs: not supported.

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster` if `subgraph=True`. `to_string()` returns it in Graphviz's DOT language.

    Raises:
        ValueError: for a model that is not built.
        ImportError: if pydot is not installed (the extra `graphviz`).

    Example:

        import importlib.util
        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        if importlib.util.find_spec("pydot"):
            print(cornu.utils.model_to_dot(model, show_shapes=True).to_string())

    Source: Keras's `model_to_dot`, https://keras.io/api/utils/model_plotting_utils/.
    """
    checked(rankdir, dpi, splines, kwargs, "model_to_dot")
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    group = graph_of(model, shown, expand_nested, "model_to_dot")
    return as_dot(group, shown, subgraph, rankdir=rankdir, concentrate=True, dpi=dpi, splines=splines)


def as_dot(group: Group, shown: Shown, inside: bool, **settings: object) -> Any:
    """A group as a pydot graph.

    Args:
        group: the boxes and edges.
        shown: the facts that may be displayed, which determine the number of columns of a node.
        inside: whether it is a cluster in another graph.
        settings: settings of the graph, if it is not.
    """
    pydot = validate.optional_import("pydot", purpose="model_to_dot", extra="graphviz")
    if inside:
        graph = pydot.Cluster(graph_name=group.name, style="dashed", label=group.name, labeljust="l")
    else:
        graph = pydot.Dot()
        for name, value in settings.items():
            graph.set(name, str(value).lower() if isinstance(value, bool) else value)
        graph.set_node_defaults(shape="record")
    for part in group.parts:
        if isinstance(part, Group):
            graph.add_subgraph(as_dot(part, shown, True))
        else:
            style = {"fontname": "Helvetica", "border": "0", "margin": "0"}
            graph.add_node(pydot.Node(_dot_name(part.key), label=_label(part, shown), **style))
    for source, target in group.edges:
        graph.add_edge(pydot.Edge(_dot_name(source), _dot_name(target), penwidth="2"))
    return graph


def _dot_name(key: Key) -> str:
    """The Graphviz name of a node; a layer that occurs in several groups is one node."""
    return str(key[-1])


def _label(box: Box, shown: Shown) -> str:
    """A node's label as a Graphviz table: the name, below it the activation, below that the facts side by side."""
    columns = max(1, 2 * shown.shapes + shown.dtype + shown.trainable)
    kind = _bold(box.kind) if box.name is None else f"{_bold(box.name)} ({_escaped(box.kind)})"
    rows = [_cell(kind, "black", f' colspan="{columns}"', "white", 16)]
    if box.activation is not None:
        rows.append(_cell(f"Activation: {_bold(box.activation)}", "white", f' colspan="{columns}"'))
    cells = [_cell(f"{name}: {_bold(text)}", "white") for name, text in box.facts.items()]
    if box.trainable is not None:
        text, ground = trained_text(box.trainable)
        cells.append(_cell(_bold(text), ground, ink="white"))
    rows.append("".join(cells))
    body = "".join(f"<tr>{row}</tr>" for row in rows if row)
    return f'<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">{body}</table>>'


def trained_text(trained: bool) -> tuple[str, str]:
    """The text about weights, and its background color."""
    return ("Trainable", "forestgreen") if trained else ("Non-trainable", "firebrick")


def _cell(text: str, ground: str, span: str = "", ink: str = "", size: int = 14) -> str:
    color = f' color="{ink}"' if ink else ""
    return f'<td bgcolor="{ground}"{span}><font point-size="{size}"{color}>{text}</font></td>'


def _bold(text: str) -> str:
    return f"<b>{_escaped(text)}</b>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
