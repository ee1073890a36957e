"""A model as a diagram: by Graphviz if installed, otherwise laid out and drawn here.

The result is first a `_Drawing`: boxes, frames of nested models, and edges, all with their positions in points. SVG is
written directly, and matplotlib draws it for all other formats. A nested model is laid out separately and placed in the
outer one like a box; its edges enter at the side of its frame.
"""

import html
import importlib.util
import math
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cornu.core.typing import AnyFunction
from cornu.models.model import Model
from cornu.saving import pictures
from cornu.saving.atomic import replacing
from cornu.utils.layered_layout import Bend, Edge, layered
from cornu.utils.model_graph import Box, Group, Key, Shown, as_dot, checked, graph_of, trained_text

_Point: TypeAlias = tuple[float, float]

_MARGIN = 12.0  # around the diagram, and between a frame and its contents
_TITLE, _FACT = 11.0, 9.5  # font sizes
_LINE = 1.45  # line height, relative to the font size
_PADDING = 9.0  # left and right of a text
_LOOP = 14.0  # how far an edge from a box to itself extends
_ARROW = 5.0
_NOTHING = (0.0, 0.0)  # a size
_LETTERS = 42  # maximum length of a line
_MOST_PIXELS = 32_000  # maximum side length that browsers and image viewers support
_DARK, _FRAME = "#263238", "#78909c"
_FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: object,
) -> Any:
    """Draw a model to a file: its layers and operations as boxes, and its connections as edges.

    With Graphviz, that is the program `dot` and the package pydot, Graphviz draws the diagram. Otherwise, it is laid
    out here and drawn by matplotlib (the extra `plot`), or written as SVG, which requires no other package.

    A `Sequential` is a chain of its layers, a graph has its inputs, layers and operations; a subclassed model, which
    has no graph, is a single box. A layer that is called several times is one box with several edges.

    Args:
        model: a built model.
        to_file: the file to write, `"model.png"` by default. Its extension determines the format: png, svg, pdf, and
            others that Graphviz or matplotlib support; `.png` is added to a name without an extension.
        show_shapes: whether to show the shapes of inputs and outputs; `False` by default. They are those of a layer's
            first call; None in them is an unknown size, ? an unknown shape.
        show_dtype: whether to show the dtypes of outputs; `False` by default.
        show_layer_names: whether to show names besides the class; `False` by default.
        rankdir: direction: `"TB"`, the default, from top to bottom, `"BT"`, `"LR"` or `"RL"`.
        expand_nested: whether to draw nested models with graphs as frames with their own boxes; `False` by default.
        dpi: resolution in dots per inch, 200 by default, of raster formats. It is reduced for images of more than
            32,000 pixels at a side.
        show_layer_activations: whether to show the names of activations; `False` by default.
        show_trainable: whether to show which weights are trainable; `False` by default.
        splines: style of edges: `"ortho"`, the default, with right angles, `"curved"`, `"spline"`, `"polyline"` or
            `"line"`.
        kwargs: not supported.

    Returns:
        In a notebook an `IPython.display.Image` or `SVG`, which is displayed; otherwise None.

    Raises:
        ValueError: for a model that is not built, and for an unsupported format.
        ImportError: if neither Graphviz nor matplotlib is installed and the file is not an SVG.

    Example:

        inputs = cornu.Input((8,))
        x = cornu.layers.Dense(8, "relu")(inputs)
        model = cornu.Model(inputs, cornu.layers.Add()([inputs, x]))
        cornu.utils.plot_model(model, "model.svg", show_shapes=True)

    Source: Keras's `plot_model`, https://keras.io/api/utils/model_plotting_utils/.
    """
    checked(rankdir, dpi, splines, kwargs, "plot_model")
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    group = graph_of(model, shown, expand_nested, "plot_model")
    path = Path(to_file)
    path = path if path.suffix else path.with_name(path.name + ".png")
    kind = path.suffix[1:].lower()
    if _has_graphviz():
        dot = as_dot(group, shown, False, rankdir=rankdir, concentrate=True, dpi=dpi, splines=splines)
        _write(path, _by_graphviz(dot, kind))
    elif kind == "svg":
        _write(path, _as_svg(_drawing(group, rankdir, splines)).encode())
    else:
        _by_matplotlib(_drawing(group, rankdir, splines), path, dpi)
    return _for_notebook(path, kind)


def _has_graphviz() -> bool:
    return shutil.which("dot") is not None and importlib.util.find_spec("pydot") is not None


def _by_graphviz(dot: Any, kind: str) -> bytes:
    try:
        return dot.create(format=kind)
    except (AssertionError, OSError) as error:
        raise ValueError(f"plot_model: Graphviz failed to draw the diagram as {kind!r}: {error}") from error


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _for_notebook(path: Path, kind: str) -> Any:
    """The object for display in IPython, if it is running: it is then already loaded."""
    if "IPython" not in sys.modules or kind not in ("png", "jpg", "jpeg", "gif", "svg"):
        return None
    display = sys.modules["IPython"].display
    return display.SVG(filename=str(path)) if kind == "svg" else display.Image(filename=str(path))


# ---------------------------------------------------------------- positions


class _Line(NamedTuple):
    """A text with its own background, which is as wide as its box."""

    text: str
    size: float
    ink: str = "black"
    ground: str = "white"
    bold: bool = False

    @property
    def height(self) -> float:
        return self.size * _LINE

    @property
    def width(self) -> float:
        return self.size * sum(map(_letter, self.text)) * (1.1 if self.bold else 1.0) + 2 * _PADDING


class _Rectangle(NamedTuple):
    """A box with its lines, or the frame of a nested model, by its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float
    lines: list[_Line]


class _Route(NamedTuple):
    """The route of an edge: its start, then the end of a line, or the three points of a curve, and so on."""

    pieces: list[list[_Point]]
    arrow: bool


class _Drawing(NamedTuple):
    """Boxes, frames and edges with their positions; y increases downwards."""

    width: float
    height: float
    boxes: list[_Rectangle]
    frames: list[_Rectangle]
    routes: list[_Route]


class _Plan(NamedTuple):
    """A group laid out from the top down, with the positions where edges enter and leave at its upper and lower
    sides."""

    drawing: _Drawing
    enters: dict[Key, float]
    leaves: dict[Key, float]


def _drawing(group: Group, rankdir: str, splines: str) -> _Drawing:
    """Everything at its position."""
    drawing = _Planner(rankdir, splines).plan(group, [], []).drawing
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    turned: AnyFunction = {
        "TB": lambda x, y: (x, y), "BT": lambda x, y: (x, height - y), "LR": lambda x, y: (y, x),
        "RL": lambda x, y: (height - y, x),
    }[rankdir]  # fmt: skip
    moved = _mapped(drawing, lambda x, y: turned(x + _MARGIN, y + _MARGIN))
    return (
        moved._replace(width=width, height=height)
        if rankdir in ("TB", "BT")
        else moved._replace(width=height, height=width)
    )


def _mapped(drawing: _Drawing, to: Callable[[float, float], _Point]) -> _Drawing:
    """The same with every point mapped."""

    def rectangle(r: _Rectangle) -> _Rectangle:
        (a, b), (c, d) = to(r.x, r.y), to(r.x + r.width, r.y + r.height)
        return _Rectangle(min(a, c), min(b, d), abs(a - c), abs(b - d), r.lines)

    routes = [route._replace(pieces=[[to(*p) for p in piece] for piece in route.pieces]) for route in drawing.routes]
    boxes, frames = (list(map(rectangle, r)) for r in (drawing.boxes, drawing.frames))
    return drawing._replace(boxes=boxes, frames=frames, routes=routes)


class _End(NamedTuple):
    """An edge among the items of a group, by index, with the inner boxes that it connects."""

    source: int
    target: int
    leaves: Key
    enters: Key


class _Planner(NamedTuple):
    """Lays out groups: as if from the top down, with the sides of boxes swapped for other directions."""

    rankdir: str
    splines: str

    @property
    def is_upright(self) -> bool:
        """Whether the direction is vertical."""
        return self.rankdir in ("TB", "BT")

    def plan(self, group: Group, enters: list[Key], leaves: list[Key]) -> _Plan:
        """A separate layout of a group; `enters` and `leaves` are its boxes with edges from and to the outside.

        Such an edge starts or ends at an item of size zero, in the first or last layer, and continues in the outer
        group.
        """
        first, last = len(enters), len(enters) + len(group.parts)
        ends = _ends(group, enters, leaves)
        plans = {first + i: self.part(part, first + i, ends) for i, part in enumerate(group.parts)}
        sizes = [_NOTHING] * first + [plan.drawing[:2] for plan in plans.values()] + [_NOTHING] * len(leaves)
        between = [end for end in ends if end.source != end.target]
        layout = layered(sizes, [_edge(plans, end) for end in between], range(first), range(last, len(sizes)))
        _, above, below = self.room(enters, leaves)
        lower = [y + height for (_, y), (_, height) in zip(layout.corners, sizes, strict=True)]
        levels = (
            [y for _, y in layout.corners[:last]] + [layout.height + below] * len(leaves),
            [-above] * first + lower[first:],
        )
        drawings = [_shifted(plan.drawing, *layout.corners[i]) for i, plan in plans.items()]
        routes = [self.route(plans, end, bends, *levels) for end, bends in zip(between, layout.routes, strict=True)]
        middles = [x + width / 2 for (x, _), (width, _) in zip(layout.corners, sizes, strict=True)]
        return _Plan(
            _Drawing(
                layout.width,
                layout.height,
                [box for drawing in drawings for box in drawing.boxes],
                [frame for drawing in drawings for frame in drawing.frames],
                [*(route for drawing in drawings for route in drawing.routes), *routes],
            ),
            dict(zip(enters, middles[:first], strict=True)),
            dict(zip(leaves, middles[last:], strict=True)),
        )

    def part(self, part: Box | Group, place: int, ends: list[_End]) -> _Plan:
        """A box, or a group in its frame, with its edges to itself."""
        if isinstance(part, Box):
            plan = self.box(part)
        else:
            enters = list(dict.fromkeys(end.enters for end in ends if end.target == place and end.source <= place))
            leaves = list(dict.fromkeys(end.leaves for end in ends if end.source == place and end.target >= place))
            plan = self.frame(part, enters, leaves)
        loops = [end for end in ends if end.source == end.target == place]
        return _looped(plan, loops) if loops else plan

    def box(self, box: Box) -> _Plan:
        """A separate box."""
        lines = _lines(box)
        sides = (max(line.width for line in lines), sum(line.height for line in lines))
        width, height = sides if self.is_upright else sides[::-1]
        return _Plan(_Drawing(width, height, [_Rectangle(0, 0, width, height, lines)], [], []), {}, {})

    def frame(self, group: Group, enters: list[Key], leaves: list[Key]) -> _Plan:
        """A group in its frame."""
        inner, title = self.plan(group, enters, leaves), _Line(group.name, _TITLE)
        beside, above, below = self.room(enters, leaves)
        across, along = (title.width, title.height) if self.is_upright else (title.height, title.width)
        width = max(inner.drawing.width + 2 * beside, across)
        height = max(above + inner.drawing.height + below, along)
        left = (width - inner.drawing.width) / 2
        moved = _shifted(inner.drawing, left, above)
        frames = [_Rectangle(0, 0, width, height, [title]), *moved.frames]
        return _with_ports_shifted(inner, moved._replace(width=width, height=height, frames=frames), left)

    def room(self, enters: list[Key], leaves: list[Key]) -> tuple[float, float, float]:
        """The space in a frame beside, above and below its contents: the title is at the top of the diagram."""
        title = _TITLE * _LINE
        above, below = _MARGIN * (not enters), _MARGIN * (not leaves)
        if self.rankdir in ("LR", "RL"):
            return _MARGIN + title, above, below  # on both sides, so that edges continue through the middle
        return _MARGIN, above + title * (self.rankdir == "TB"), below + title * (self.rankdir == "BT")

    def way(self, bends: list[Bend], start: float, end: float, upwards: bool) -> list[list[_Point]]:
        """The pieces of an edge."""
        if upwards:
            bends = [Bend(b.to_x, b.bottom, b.track, b.x, b.top) for b in reversed(bends)]
            start, end = end, start
        pieces = [[(bends[0].x, start)]]
        for x, top, track, to_x, bottom in bends:
            if self.splines == "ortho":
                pieces += [[(x, track)], [(to_x, track)]] if x != to_x else []
            elif self.splines in ("line", "polyline"):
                pieces += [[(x, top)], [(to_x, bottom)]]
            else:
                middle = (top + bottom) / 2
                pieces += [[(x, top)], [(x, middle), (to_x, middle), (to_x, bottom)]]
        return [*pieces, [(bends[-1].to_x, end)]]

    def route(
        self, plans: dict[int, _Plan], end: _End, bends: list[Bend], uppers: list[float], lowers: list[float]
    ) -> _Route:
        """An edge between items, from side to side; it has an arrowhead unless it continues in a frame."""
        first, second = sorted(end[:2])
        upwards = end.source > end.target
        arrow = upwards or (end.target in plans and not plans[end.target].drawing.frames)
        return _Route(self.way(bends, lowers[first], uppers[second], upwards), arrow)


def _ends(group: Group, enters: list[Key], leaves: list[Key]) -> list[_End]:
    """The edges among the items of a group: its entry points, its parts, and its exit points."""
    depth = len(group.key) + 1
    place = {part.key: len(enters) + i for i, part in enumerate(group.parts)}
    after = len(enters) + len(place)
    return [
        *(_End(place[a[:depth]], place[b[:depth]], a, b) for a, b in group.edges),
        *(_End(i, place[key[:depth]], key, key) for i, key in enumerate(enters)),
        *(_End(place[key[:depth]], after + i, key, key) for i, key in enumerate(leaves)),
    ]


def _edge(plans: dict[int, _Plan], end: _End) -> Edge:
    """An edge for the layout, with the positions where it meets frames."""
    if end.source > end.target:
        return Edge(end.source, end.target)
    leaves = _port(plans[end.source], "leaves", end.leaves) if end.source in plans else 0.0
    return Edge(
        end.source, end.target, leaves, _port(plans[end.target], "enters", end.enters) if end.target in plans else 0.0
    )


def _port(plan: _Plan, side: str, key: Key) -> float:
    """The position where an edge meets a part, relative to the middle of its side: 0 for a box, or its port in a
    frame."""
    middle = plan.drawing.width / 2
    return getattr(plan, side).get(key, middle) - middle


def _shifted(drawing: _Drawing, x: float, y: float) -> _Drawing:
    return _mapped(drawing, lambda a, b: (a + x, b + y))


def _with_ports_shifted(plan: _Plan, drawing: _Drawing, x: float) -> _Plan:
    enters, leaves = ({key: at + x for key, at in ports.items()} for ports in (plan.enters, plan.leaves))
    return _Plan(drawing, enters, leaves)


def _looped(plan: _Plan, loops: list[_End]) -> _Plan:
    """A part with room for edges from its lower side around it to its upper side."""
    width, height = plan.drawing.width + 2 * _LOOP, plan.drawing.height
    out, above, below = width - _LOOP / 2, -_LOOP / 2, height + _LOOP / 2
    drawing = _shifted(plan.drawing, _LOOP, 0)._replace(width=width)
    for end in loops:
        start, stop = (width / 2 + _port(plan, *port) for port in (("leaves", end.leaves), ("enters", end.enters)))
        points = [(start, height), (start, below), (out, below), (out, above), (stop, above), (stop, 0.0)]
        drawing.routes.append(_Route([[point] for point in points], True))
    return _with_ports_shifted(plan, drawing, _LOOP)


def _lines(box: Box) -> list[_Line]:
    title = box.kind if box.name is None else f"{box.name} ({box.kind})"
    lines = [_Line(text, _TITLE, "white", _DARK, True) for text in _wrapped(title)]
    facts = ({} if box.activation is None else {"Activation": box.activation}) | box.facts
    lines += [_Line(text, _FACT) for name, fact in facts.items() for text in _wrapped(f"{name}: {fact}")]
    if box.trainable is not None:
        text, ground = trained_text(box.trainable)
        lines.append(_Line(text, _FACT, "white", ground))
    return lines


def _wrapped(text: str) -> list[str]:
    """Lines of a text, without breaks within a shape."""
    return textwrap.wrap(re.sub(r"\([^()]*\)", lambda found: found[0].replace(" ", "\xa0"), text), _LETTERS) or [""]


def _letter(letter: str) -> float:
    """The width of a letter, relative to its height: at least that of the fonts that are used."""
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "ijlI.,:;'|!()[]ft \xa0":
        return 0.4
    return 0.98 if letter in "mwMW@%" else 0.78 if letter.isupper() else 0.64


# ---------------------------------------------------------------- shapes, as SVG and by matplotlib


class _Text(NamedTuple):
    """A line of a box or frame with the position of its middle, or of its left end, and the background behind it."""

    x: float
    y: float
    line: _Line
    ground: tuple[float, float, float, float] | None  # corner and size


def _texts(box: _Rectangle, framed: bool) -> Iterator[_Text]:
    """The lines from the top of a box, centered; that of a frame in its corner."""
    y = box.y
    for line in box.lines:
        middle = y + line.height / 2
        if framed:
            yield _Text(box.x + _PADDING, middle, line, None)
        else:
            yield _Text(box.x + box.width / 2, middle, line, (box.x, y, box.width, line.height))
        y += line.height


def _head(route: _Route) -> list[_Point]:
    """The corners of the arrowhead at the end of an edge."""
    x, y = route.pieces[-1][-1]
    from_x, from_y = next((p for piece in reversed(route.pieces) for p in reversed(piece) if p != (x, y)), (x, y - 1))
    length = math.dist((x, y), (from_x, from_y))
    dx, dy = _ARROW * (x - from_x) / length, _ARROW * (y - from_y) / length
    return [(x, y), (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)]


def _as_svg(drawing: _Drawing) -> str:
    shapes = ['<rect width="100%" height="100%" fill="white"/>']
    for route in drawing.routes:
        start, *pieces = (" ".join(f"{x:.1f} {y:.1f}" for x, y in piece) for piece in route.pieces)
        steps = "".join(("L" if piece.count(" ") == 1 else "C") + piece for piece in pieces)
        shapes.append(f'<path d="M{start}{steps}" fill="none" stroke="{_DARK}"/>')
        if route.arrow:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _head(route))
            shapes.append(f'<polygon points="{points}" fill="{_DARK}"/>')
    for box in (*drawing.frames, *drawing.boxes):
        framed = box in drawing.frames
        for text in _texts(box, framed):
            shapes += [] if text.ground is None else [_svg_rectangle(text.ground, f'fill="{text.line.ground}"')]
            shapes.append(_svg_text(text))
        edge = f'stroke="{_FRAME}" stroke-dasharray="4 3"' if framed else f'stroke="{_DARK}"'
        shapes.append(_svg_rectangle(box[:4], f'fill="none" {edge}'))
    size = f'width="{drawing.width:.1f}pt" height="{drawing.height:.1f}pt"'
    view = f'viewBox="0 0 {drawing.width:.1f} {drawing.height:.1f}" font-family="{_FONT}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>', *shapes, "</svg>", ""])


def _svg_rectangle(place: tuple[float, float, float, float], look: str) -> str:
    x, y, width, height = place
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {look}/>'


def _svg_text(text: _Text) -> str:
    line = text.line
    look = f'font-size="{line.size}" fill="{line.ink}"' + (' font-weight="bold"' if line.bold else "")
    anchor = "" if text.ground is None else ' text-anchor="middle"'
    return f'<text x="{text.x:.1f}" y="{text.y + 0.36 * line.size:.1f}"{anchor} {look}>{html.escape(line.text)}</text>'


def _by_matplotlib(drawing: _Drawing, path: Path, dpi: float) -> None:
    width, height = drawing.width / 72, drawing.height / 72  # inches
    figure = pictures.new_figure(width, height, "plot_model, other than for an .svg file,")
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.set_axis_off()
    patches = importlib.import_module("matplotlib.patches")
    paths = importlib.import_module("matplotlib.path").Path
    for route in drawing.routes:
        points = [point for piece in route.pieces for point in piece]
        codes = [paths.MOVETO, *(paths.CURVE4 if len(p) > 1 else paths.LINETO for p in route.pieces[1:] for _ in p)]
        axes.add_patch(patches.PathPatch(paths(points, codes), fill=False, edgecolor=_DARK, linewidth=1))
        if route.arrow:
            axes.add_patch(patches.Polygon(_head(route), color=_DARK, linewidth=0))
    for box in (*drawing.frames, *drawing.boxes):
        framed = box in drawing.frames
        for text in _texts(box, framed):
            if text.ground is not None:
                axes.add_patch(
                    patches.Rectangle(text.ground[:2], *text.ground[2:], color=text.line.ground, linewidth=0)
                )
            axes.text(
                text.x, text.y, text.line.text, fontsize=text.line.size, color=text.line.ink, parse_math=False,
                ha="left" if framed else "center", va="center_baseline", weight="bold" if text.line.bold else "normal",
            )  # fmt: skip
        look = {"edgecolor": _FRAME, "linestyle": (0, (4, 3))} if framed else {"edgecolor": _DARK}
        axes.add_patch(patches.Rectangle(box[:2], *box[2:4], fill=False, linewidth=1, **look))
    pictures.write(figure, path, dots=min(dpi, _MOST_PIXELS / max(width, height)))
