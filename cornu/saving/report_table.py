"""A file's report as tables for a terminal.

Text from the file is escaped: it cannot color, move or hide other output.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cornu import lazy, validate
from cornu.core.typing import Tensor

if TYPE_CHECKING:
    import rich.box as rich_box
    import rich.console as rich_console
    import rich.table as rich_table
    import rich.text as rich_text

    from cornu.saving.report import FileReport
else:
    rich_box, rich_console, rich_table, rich_text = map(
        lazy.module, ("rich.box", "rich.console", "rich.table", "rich.text")
    )

_FORMATS = {
    "keras": "Keras 3 archive (.keras)",
    "keras_folder": "Keras 3 archive, as a directory",
    "model_h5": "whole model in HDF5 (.h5)",
    "safetensors": "weights in safetensors (.safetensors)",
    "sharded_weights": "Keras 3 weights in several files (.weights.json)",
    "unknown": "not known",
    "weights_h5": "Keras 3 weights in HDF5 (.weights.h5)",
    "weights_of_layers_h5": "weights of layers in HDF5 (.h5)",
}
_WRITTEN = {"backend": "on {}", "date_saved": "at {}"}
_STYLES = {"misses": "yellow", "changes": "yellow", "maps": "cyan"}
_STATUS = {"known": "green", "custom": "cyan", "refused": "bold red"}
_RIGHT = ("Parameters", "Size", "Used")  # columns
_MOST_ROWS = 2000  # per table; the JSON has all
_MOST_REASONS = 20
_LONGEST = 600  # characters per cell
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def text(report: FileReport) -> str:
    """The tables as plain text."""
    out = io.StringIO()
    show(report, rich_console.Console(file=out, highlight=False, force_terminal=False, color_system=None))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def show(report: FileReport, console: rich_console.Console) -> None:
    """Print the tables to a console."""
    console.print(_overview(report))
    for title, make in _TABLES.items():
        table = make(report)
        if table is not None:
            console.print()
            console.print(rich_text.Text(title, style="bold"))
            console.print(table)
    console.print()
    console.print(_verdict(report))


# ---------------------------------------------------------------- parts


def _overview(report: FileReport) -> rich_table.Table:
    table = rich_table.Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _overview_rows(report):
        table.add_row(name, plain(value))
    return table


def _writer(facts: dict[str, str]) -> Iterable[str]:
    """`Keras 3.15.1`, or `cornu 0.1.0, in the format of Keras 3.15.1`."""
    form = f"Keras {facts['keras_version']}" if "keras_version" in facts else "Keras"
    if "cornu_version" in facts:
        yield f"cornu {facts['cornu_version']}, in the format of {form},"
    elif "keras_version" in facts:
        yield form


def _overview_rows(report: FileReport) -> Iterable[tuple[str, str]]:
    yield "File", f"{report.path} ({size(report.bytes)})"
    yield "Format", _FORMATS[report.format]
    written = [*_writer(report.written_by)]
    written += [form.format(report.written_by[key]) for key, form in _WRITTEN.items() if key in report.written_by]
    if written:
        yield "Written by", " ".join(written)
    model, state = report.model, report.optimizer_state
    if model is not None:
        yield "Model", f'{model["class_name"]} "{model["name"]}", {_parameters(model)}'
    if _one_type(report):
        yield "Type", _one_type(report)
    for name, value in report.compiled.items():
        yield name.replace("_", " ").capitalize(), value
    if state is not None:
        yield "Training", f"optimizer state, {state['arrays']} arrays, {size(state['bytes'])}"
    if report.weights:
        yield "Weights", f"{len(report.weights)} arrays, {size(sum(array.bytes for array in report.weights))}"
    if report.assets:
        yield "Assets", f"{len(report.assets)} files, {size(sum(report.assets.values()))}"


def _parameters(model: dict[str, object]) -> str:
    if model["parameters"] is None:
        return "parameters not counted"
    return f"{model['parameters']:,} parameters, {model['trainable_parameters']:,} of them trainable"


def _one_type(report: FileReport) -> str:
    """The dtype of all layers, if it is one."""
    types = {row.dtype for row in report.layers if row.dtype is not None}
    return next(iter(types)) if len(types) == 1 else ""


def _layers(report: FileReport) -> rich_table.Table | None:
    rows: list[tuple[object, ...]] = [
        (_layer(row), _shape(row.output_shape), _count(row.parameters), row.settings, row.dtype)
        for row in report.layers
    ]
    columns: tuple[str, ...] = ("Layer (class)", "Output shape", "Parameters", "Settings", "Type")
    if _one_type(report):
        return _table(columns[:-1], [row[:-1] for row in rows])
    return _table(columns, rows)


def _layer(row: Any) -> str:
    *outer, name = row.path.split("/")
    return f"{'·' * len(outer)}{name} ({row.class_name})"


def _shape(shape: object) -> str:
    if shape is None:
        return "?"
    if isinstance(shape, dict):
        return ", ".join(f"{key}: {_shape(value)}" for key, value in shape.items())
    if isinstance(shape, (list, tuple)) and all(d is None or isinstance(d, int) for d in shape):
        return str(tuple(shape))
    return ", ".join(map(_shape, shape)) if isinstance(shape, (list, tuple)) else str(shape)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _classes(report: FileReport) -> rich_table.Table | None:
    rows: list[tuple[object, ...]] = [
        (f"{row.module}.{row.name}" if row.module else row.name, _coloured(row.status, _STATUS), str(row.used))
        for row in report.classes
        if row.status != "known"
    ]
    return _table(("Class or function", "Status", "Used"), rows)


def _weights(report: FileReport) -> rich_table.Table | None:
    """The arrays, with those of one part in a single row."""
    older = report.format in ("model_h5", "weights_of_layers_h5")
    rows = []
    for place, together in groupby(report.weights, _older_place if older else _place):
        arrays = list(together)
        shapes = ", ".join(f"{array.path.rpartition('/')[2]} {_shape(array.shape)}" for array in arrays)
        types = ", ".join(dict.fromkeys(array.dtype for array in arrays))
        rows.append((place or "the model", shapes, types, size(sum(array.bytes for array in arrays))))
    return _table(("Weights of", "Arrays", "Type", "Size"), rows)


def _place(array: Tensor) -> str:
    """The part of a model that an array belongs to."""
    place = array.path.rpartition("/")[0]
    return "" if place == "vars" else place.removesuffix("/vars")


def _older_place(array: Tensor) -> str:
    """The layer that an array belongs to."""
    return array.path.removeprefix("model_weights/").split("/")[0]


def _assets(report: FileReport) -> rich_table.Table | None:
    return _table(("Asset", "Size"), [(name, size(count)) for name, count in report.assets.items()])


def _findings(report: FileReport) -> rich_table.Table | None:
    rows: list[tuple[object, ...]] = [
        (_coloured(finding.kind, _STYLES), finding.where.removesuffix("/vars"), finding.what)
        for finding in report.findings
        if not finding.stops
    ]
    return _table(("Kind", "Where", "What"), rows)


_TABLES: dict[str, Callable[[FileReport], object]] = {
    "Layers": _layers,
    "Classes and functions that do not belong to cornu": _classes,
    "Weights in the file": _weights,
    "Assets": _assets,
    "What a load would map, change, ignore or miss": _findings,
}


def _verdict(report: FileReport) -> rich_console.Group:
    if report.loads:
        model = report.model is not None
        how = "load_model(path)" if model else "model.load_weights(path), with a matching model"
        return rich_console.Group(rich_text.Text(f"Loads with {how}.", "bold green"))
    lines = [plain(f"{f.where}: {f.what}" if f.where else f.what) for f in report.findings if f.stops]
    more = [f"… and {len(lines) - _MOST_REASONS:,} more reasons"] if len(lines) > _MOST_REASONS else []
    return rich_console.Group(rich_text.Text("Does not load:", "bold red"), *lines[:_MOST_REASONS], *more)


# ---------------------------------------------------------------- cells


def _table(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> rich_table.Table | None:
    if not rows:
        return None
    table = rich_table.Table(box=rich_box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        right = name in _RIGHT
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row in rows[:_MOST_ROWS]:
        table.add_row(*map(plain, row))
    if len(rows) > _MOST_ROWS:
        table.add_row(f"… and {len(rows) - _MOST_ROWS:,} more")
    return table


def _coloured(word: str, styles: dict[str, str]) -> rich_text.Text:
    return rich_text.Text(word, styles.get(word, ""))


def plain(value: object) -> rich_text.Text:
    """Text to be shown literally: without markup, and with nonprintable characters escaped."""
    if isinstance(value, rich_text.Text):
        return value
    letters = "" if value is None else str(value)
    letters = letters if len(letters) <= _LONGEST else f"{letters[:_LONGEST]}…"
    return rich_text.Text(validate.plain(letters).replace("\n", "\\n").replace("\t", "\\t"))


def size(count: float) -> str:
    """A human-readable number of bytes."""
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.1f} {_UNITS[power]}" if power else f"{count} B"
