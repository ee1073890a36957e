"""The table of a model, printed or as HTML: layers, output shapes, numbers of weights and connections."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cornu import lazy, settings, tree, validate
from cornu.core import notebook
from cornu.core.operation import Operation
from cornu.core.symbolic import node_of
from cornu.core.typing import AnyDict, AnyFunction, AnyList

if TYPE_CHECKING:
    import rich.console as rich_console
    import rich.markup as rich_markup
    import rich.table as rich_table

    from cornu.layers.layer import Layer
    from cornu.models.model import Model
else:
    rich_console, rich_markup, rich_table = map(lazy.module, ("rich.console", "rich.markup", "rich.table"))

_SEQUENTIAL: tuple[int, tuple[float, ...]] = (88, (0.45, 0.80, 1.0))  # width in characters, ends of the columns
_GRAPH: tuple[int, tuple[float, ...]] = (108, (0.3, 0.56, 0.74, 1.0))
_COLUMNS = ["Layer (type)", "Output Shape", "Param #", "Connected to"]
_MARGIN = 4
_TRAINED_WIDTH = 0.1  # fraction of the width used by the column "Trainable"


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: AnyFunction | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print the table; the arguments are those of `Model.summary`."""
    linear = _is_linear(model)
    width, usual = _SEQUENTIAL if linear else _GRAPH
    width = line_length or min(width, shutil.get_terminal_size().columns - _MARGIN)
    ends = list(positions or usual)
    columns = _COLUMNS[: 3 if linear else 4]
    if show_trainable:
        columns.append("Trainable")
        if positions is None:
            ends = [end * (1 - _TRAINED_WIDTH) for end in ends] + [1.0]
    if len(ends) != len(columns):
        raise ValueError(
            f"{validate.describe(model)}: positions must have {len(columns)} numbers, one per column. "
            f"Received: positions={validate.shown(positions)}."
        )
    table = _table(columns, _widths(ends, width), width)
    for depth, layer in _rows(model, expand_nested, layer_range):
        table.add_row(*_marked(_facts(layer, model, depth, linear), show_trainable))
    totals = [f"[bold] {name} params: [/bold][green]{_count(v):,}[/green] ({_size(v)})" for name, v in _totals(model)]
    _show(f'[bold]Model: "{rich_markup.escape(model.name)}"[/bold]', table, totals, print_fn)


def as_html(model: Any) -> str:
    """The table as HTML for notebooks."""
    linear = _is_linear(model)
    columns = _COLUMNS[: 3 if linear else 4]
    rows = [
        [f"{fact.name} ({fact.kind})", fact.shape, fact.parameters, *fact.connections]
        for fact in (_facts(layer, model, depth, linear) for depth, layer in _rows(model, False, None))
    ]
    totals = ", ".join(f"{name} params: {_count(v):,} ({_size(v)})" for name, v in _totals(model))
    return notebook.fragment(
        f'Model: "{model.name}" ({type(model).__name__})',
        notebook.table(columns, rows, numbers=columns[2:3]),
        notebook.line(totals),
    )


def _is_linear(model: Model) -> bool:
    """Whether every layer feeds only the next one, so that a column of connections would be redundant."""
    graph = model._graph
    if graph is None or hasattr(model, "_layers"):
        return True
    if len(graph.inputs) > 1:
        return False
    kept = {id(node) for node in graph.nodes_in_order}
    for operation in graph.operations:
        nodes = [node for node in operation.nodes if id(node) in kept]
        if len(nodes) > 1 or any(len(node.input_tensors) > 1 for node in nodes):
            return False
    depths: dict[int, int] = {}
    for node in graph.nodes_in_order:
        for source in node.input_tensors:
            parent = id(node_of(source).operation)
            depths[parent] = depths.get(parent, 0) + 1
    return all(count == 1 for count in depths.values())


def _widths(ends: Sequence[float], width: int) -> list[int]:
    absolute = [int(width * end) for end in ends] if ends[-1] <= 1 else [int(end) for end in ends]
    return [end - start for start, end in zip([0, *absolute[:-1]], absolute, strict=True)]


def _table(columns: list[str], widths: list[int], width: int) -> rich_table.Table:
    aligned: dict[str, Literal["left", "center", "right"]] = {"Param #": "right", "Trainable": "center"}
    made = [
        rich_table.Column(header=name, width=size, justify=aligned.get(name, "left"))
        for name, size in zip(columns, widths, strict=True)
    ]
    return rich_table.Table(*made, width=width, show_lines=True)


def _rows(model: object, expand: bool, layer_range: Sequence[str] | None) -> Iterator[tuple[int, object]]:
    """(depth, layer) for each line."""
    layers = _listed_layers(model)
    if layer_range:
        layers = _between(layers, layer_range, model)
    for layer in layers:
        yield from _expanded(layer, 0, expand)


def _listed_layers(model: Any) -> list[Layer]:
    """The rows of the table: a graph's operations, else layers."""
    graph = getattr(model, "_graph", None)
    if graph is not None and not hasattr(model, "_layers"):
        return list(graph.operations)
    return list(model.layers)


def _expanded(layer: object, depth: int, expand: bool) -> Iterator[tuple[int, object]]:
    yield depth, layer
    if expand and hasattr(layer, "layers"):
        for child in layer.layers:  # operations are listed only at the top level
            yield from _expanded(child, depth + 1, expand)


def _between(layers: list[Layer], layer_range: Sequence[str], model: object) -> list[Layer]:
    if len(layer_range) != 2:
        raise ValueError(
            f"{validate.describe(model)}: layer_range must be the names of two layers. "
            f"Received: {validate.shown(layer_range)}."
        )
    found = [[i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range]
    if not all(found):
        raise ValueError(
            f"{validate.describe(model)}: no layer matches {layer_range!r}. Names: {[layer.name for layer in layers]}."
        )
    first, last = sorted((found[0][0], found[1][-1]))
    return layers[first : last + 1]


class _Facts(NamedTuple):
    """The contents of a row about a layer, as plain text."""

    indent: str
    name: str
    kind: str
    shape: str
    parameters: str
    connections: tuple[str, ...]  # one string, or none if the table has no such column
    trained: bool | None  # None if there is nothing to train


def _facts(layer: Any, model: object, depth: int, linear: bool) -> _Facts:
    return _Facts(
        "   " * depth + "└ " if depth else "",
        layer.name,
        getattr(layer, "class_name", type(layer).__name__),
        _shape_text(layer),
        _parameters(layer),
        () if linear else (_connections(layer, model),),
        layer.trainable if getattr(layer, "weights", ()) else None,
    )


def _marked(facts: _Facts, with_trained: bool) -> list[str]:
    """The cells of a row, with color markup."""
    name, kind = map(rich_markup.escape, (facts.name, facts.kind))
    number, *note = facts.parameters.split(" ")
    cells = [
        f"{facts.indent}[bold]{name}[/bold] ([bold blue]{kind}[/bold blue])",
        _colored(facts.shape),
        " ".join([f"[green]{number}[/green]", *note]),
        *map(rich_markup.escape, facts.connections),
    ]
    return [*cells, _TRAINED[facts.trained]] if with_trained else cells


_TRAINED = {
    None: "[bold]-[/bold]",
    True: "[bold bright_green]Y[/bold bright_green]",
    False: "[bold bright_red]N[/bold bright_red]",
}


def _colored(text: str) -> str:
    """Numbers and None in color, as in rich's own highlighter."""
    text = rich_markup.escape(text)
    text = re.sub(r"\b(\d+)\b", r"[green]\1[/green]", text)
    return text.replace("None", "[cyan]None[/cyan]")


def _shape_text(layer: Operation) -> str:
    """The output shapes of the layer: of its symbolic outputs, or of its last actual ones."""
    shapes: AnyList = []
    if layer.nodes:
        shapes += [getattr(x, "shape", None) for x in tree.flatten(layer.nodes[0].outputs)]
    elif seen := getattr(layer, "_output_shape", None):
        tree.map_shape_structure(shapes.append, seen[0])
    if shapes in ([], [None]):
        return "?"
    return shape_text(shapes[0] if len(shapes) == 1 else shapes)


def shape_text(shape: Any) -> str:
    """A shape, or a structure of shapes, for display."""
    if tree.is_shape(shape):
        inner = ", ".join(map(str, shape))
        return f"({inner},)" if len(shape) == 1 else f"({inner})"
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{key}: {shape_text(value)}" for key, value in shape.items()) + "}"
    return f"[{', '.join(shape_text(s) for s in shape)}]" if isinstance(shape, (list, tuple)) else str(shape)


def _parameters(layer: Layer) -> str:
    if not hasattr(layer, "weights"):
        return "0"
    if not layer.built:
        return "0 (unbuilt)" if _may_have_weights(layer) else "0"
    return f"{layer.count_params():,}"


def _may_have_weights(layer: Layer) -> bool:
    cls = type(layer)
    return hasattr(layer, "layers") or cls.build.__qualname__ != "Layer.build"


def _connections(layer: Any, model: Any) -> str:
    graph = model._graph
    kept = {id(node) for node in graph.nodes_in_order}
    lines = []
    for node in layer.nodes:
        if id(node) not in kept:
            continue
        for tensor in node.input_tensors:
            operation, _, position = tensor.history
            lines.append(f"{operation.name}[{operation.nodes.index(node_of(tensor))}][{position}]")
    return ", ".join(lines) or "-"


def _totals(model: Model) -> list[tuple[str, AnyDict]]:
    """The variables in each total, by identity, under its label."""
    weights = {id(v): v for v in model.weights}
    trained = {id(v): v for v in model.trainable_weights}
    frozen = {key: v for key, v in weights.items() if key not in trained}
    optimizer = getattr(model, "optimizer", None)
    slots = {id(v): v for v in optimizer.variables} if optimizer is not None and optimizer.built else {}
    parts = [("Total", weights | slots), ("Trainable", trained), ("Non-trainable", frozen)]
    return [*parts, ("Optimizer", slots)] if slots else parts


def _count(variables: AnyDict) -> int:
    return sum(v.size for v in variables.values())


def _size(variables: AnyDict) -> str:
    size = float(sum(v.size * np.dtype(v.value.dtype).itemsize for v in variables.values()))
    units = ("B", "KB", "MB", "GB", "TB")
    power = min(int(np.log2(size) // 10) if size else 0, len(units) - 1)
    return f"{size / 1024**power:.2f} {units[power]}"


def _show(title: str, table: rich_table.Table, totals: list[str], print_fn: AnyFunction | None) -> None:
    if print_fn is None and settings.is_interactive_logging_enabled() and _is_screen():
        console = rich_console.Console(highlight=False)
        _print_all(console, title, table, totals)
        return
    text = io.StringIO()
    _print_all(
        rich_console.Console(highlight=False, force_terminal=False, color_system=None, file=text), title, table, totals
    )
    if print_fn is not None:
        print_fn(text.getvalue())
    else:
        sys.stdout.write(text.getvalue())


def _is_screen() -> bool:
    return sys.stdout.isatty() or "ipykernel" in sys.modules


def _print_all(console: rich_console.Console, title: str, table: rich_table.Table, totals: list[str]) -> None:
    console.print(title)
    console.print(table)
    for line in totals:
        console.print(line)
