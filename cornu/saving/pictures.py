"""Figures drawn by matplotlib without its global state: no window, no backend, no current figure.

A figure is a `matplotlib.figure.Figure`. A notebook displays one that is the value of a cell; to save it, pass a file
name where it is drawn, or call its `savefig`.
"""

import functools
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cornu import validate
from cornu.saving.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes  # noqa: PLC0414 - handed on
    from matplotlib.figure import Figure as Figure  # noqa: PLC0414 - handed on
else:
    Axes: TypeAlias = Any
    Figure: TypeAlias = Any

_DOTS = 110  # per inch


def new_figure(width: float, height: float, purpose: str) -> Figure:
    """An empty figure that notebooks display automatically.

    Args:
        width, height: size in inches.
        purpose: what needs matplotlib, for the error message if it is not installed.
    """
    figure = validate.optional_import("matplotlib.figure", purpose=purpose, extra="plot").Figure(
        figsize=(width, height), layout="constrained"
    )
    figure._repr_png_ = functools.partial(as_png, figure)  # notebooks display figures only once pyplot is loaded
    return figure


def as_png(figure: Figure) -> bytes:
    """The bytes of a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS)
    return file.getvalue()


def write(figure: Figure, path: str | os.PathLike[str] | None, dots: float = _DOTS, transparent: bool = False) -> None:
    """Write a figure to a file, in the format given by the extension; PNG without one.

    Args:
        figure: the figure.
        path: the path; None writes nothing.
        dots: the resolution in dots per inch.
        transparent: whether the background is transparent.
    """
    if path is None:
        return
    target = Path(path)
    target = target if target.suffix else target.with_name(target.name + ".png")
    kinds = figure.canvas.get_supported_filetypes()
    validate.one_of(target.suffix[1:].lower(), sorted(kinds), "the extension of path", "A picture")
    with replacing(target) as temporary:
        figure.savefig(temporary, format=target.suffix[1:].lower(), dpi=dots, transparent=transparent)


def label(axes: Axes, title: str, x: str, y: str) -> None:
    """Label axes with plain text: math markup in it is shown literally."""
    for text in (axes.set_title(title), axes.set_xlabel(x), axes.set_ylabel(y)):
        text.set_parse_math(False)


def in_gray(figure: Figure) -> None:
    """Use a gray for lines and text that is legible on light and dark pages, with a transparent background."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(which="both", colors=_GRAY)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(_GRAY)
        for spine in axes.spines.values():
            spine.set_color(_GRAY)
        legend = axes.get_legend()
        if legend is not None:
            legend.get_frame().set_alpha(0)
            for text in legend.get_texts():
                text.set_color(_GRAY)


_GRAY = "#808080"
