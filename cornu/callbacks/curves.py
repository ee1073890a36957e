"""Training curves: each metric on training and validation data, as a figure and as HTML for notebooks."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from cornu import validate
from cornu.callbacks.monitor_callback import direction
from cornu.core import notebook
from cornu.core.typing import AnyList
from cornu.errors import MissingPackageError
from cornu.saving import pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    Axes: TypeAlias = Any
    Figure: TypeAlias = Any

_COLUMNS = 3  # maximum number of panel columns
_WIDTH, _HEIGHT = 4.6, 3.3  # size of a panel in inches
_FEW = 40  # maximum number of points with markers
_DECADES = 100.0  # the ratio from which values are drawn on a logarithmic scale
_PARTS = ("training", "validation")
_VALIDATION = "val_"


class Points(NamedTuple):
    """Values, and their positions."""

    x: list[int]
    y: AnyList


class Curve(NamedTuple):
    """A metric, for each part of the data."""

    name: str
    parts: dict[str, Points]


def of_metrics(found: Mapping[str, Points], wanted: Iterable[str] | None) -> list[Curve]:
    """A curve for each numeric metric: values whose names differ only by "val_" are combined.

    Args:
        found: the values by name.
        wanted: names of metrics, without "val_"; None for all.
    """
    curves: dict[str, Curve] = {}
    for name, points in found.items():
        if points.y and all(hasattr(value, "__float__") and np.ndim(value) == 0 for value in points.y):
            metric = name.removeprefix(_VALIDATION)
            part = _PARTS[name != metric]
            curves.setdefault(metric, Curve(metric, {})).parts[part] = points
    if wanted is None:
        return sorted(curves.values(), key=lambda curve: curve.name != "loss")
    return [curves[validate.one_of(name, list(curves), "names", "history.plot")] for name in dict.fromkeys(wanted)]


# ---------------------------------------------------------------- the figure


def drawn(curves: Sequence[Curve], x: str, log: bool | None, purpose: str) -> Figure:
    """A figure with a panel for each curve.

    Args:
        curves: what to draw.
        x: label of the horizontal axis.
        log: whether to use a logarithmic scale; None if values decrease by a factor of 100 or more.
        purpose: what matplotlib is needed for, for error messages.
    """
    if not curves:
        raise ValueError(f"{purpose}: there is nothing to draw: no epoch has numeric metrics.")
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = pictures.new_figure(_WIDTH * columns, _HEIGHT * rows, purpose)
    for place, curve in enumerate(curves, 1):
        _draw(figure.add_subplot(rows, columns, place), curve, x, _falls_far(curve) if log is None else log)
    return figure


def _draw(axes: Axes, curve: Curve, x: str, log: bool) -> None:
    for part, points in curve.parts.items():
        marker = "o" if len(points.x) <= _FEW else ""
        axes.plot(points.x, _finite(points.y), marker=marker, markersize=3, label=part, color=f"C{_PARTS.index(part)}")
    if log:
        axes.set_yscale("log", nonpositive="mask")
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    pictures.label(axes, validate.plain(curve.name), x, "")


def _finite(values: Sequence[float]) -> list[float]:
    """Values with NaN in place of infinities."""
    return [float(value) if math.isfinite(value) else math.nan for value in values]


def _falls_far(curve: Curve) -> bool:
    """Whether the values are positive and decrease by a factor of 100 or more."""
    series = [[value for value in points.y if math.isfinite(value)] for points in curve.parts.values()]
    values = [value for one in series for value in one]
    return bool(values) and min(values) > 0 and any(one and max(one) >= _DECADES * one[-1] for one in series)


# ---------------------------------------------------------------- the page


def page(curves: Sequence[Curve], model: object) -> str:
    """The last and the best values as a table, and the figure if matplotlib is installed, as HTML.

    Args:
        curves: the curves of a training run.
        model: the trained model, whose metrics define whether high or low is better.
    """
    epochs = len({x for curve in curves for points in curve.parts.values() for x in points.x})
    if not epochs:
        return notebook.fragment("History", notebook.line("No epoch was trained."))
    rows = [row for curve in curves for row in _rows(curve, model)]
    headings = ["metric", "data", "last", "best", "best at epoch"]
    parts = [notebook.table(headings, rows, numbers=headings[2:])]
    try:
        figure = drawn(curves, "epoch", None, "The picture")
    except MissingPackageError as error:
        parts.append(notebook.line(str(error)))
    else:
        pictures.in_gray(figure)
        names = ", ".join(curve.name for curve in curves)
        parts.append(notebook.picture(pictures.as_png(figure), f"Curves by epoch of {names}"))
    return notebook.fragment(f"History of {epochs} epoch{'s' * (epochs > 1)}", *parts)


def _rows(curve: Curve, model: object) -> Iterator[list[str]]:
    better = {"down": min, "up": max}.get(direction(curve.name, model) or "")
    for part, points in curve.parts.items():
        pairs = [(float(y), x) for x, y in zip(points.x, points.y, strict=True) if not math.isnan(y)]
        cells = ["", ""]
        if better is not None and pairs:
            value = better(y for y, _ in pairs)
            cells = [_shown(value), str(next(x for y, x in pairs if y == value))]
        yield [validate.plain(curve.name), part, _shown(float(points.y[-1])), *cells]


def _shown(value: float) -> str:
    return f"{value:.4g}"
