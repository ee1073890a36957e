"""A report as a web page: one HTML file, including its style and its charts, without scripts or external resources.

All text comes from files, and is escaped.
"""

import html
import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from cornu import spelling
from cornu.cli.runs import report
from cornu.cli.runs.report import Report, Table

_MOST_RUNS = 12  # maximum number of runs with curves: as many as there are distinct colors
_LONGEST = 2000  # maximum length of a cell
_SHORT = 40  # maximum length of a cell without line breaks
_LONGEST_TEXT = 200_000
_WIDTH, _HEIGHT = 440, 250  # size of a chart
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 10, 26  # margins around the plot area
_TICKS = 5
_MOST_POINTS = 1000  # maximum number of pairs of points in a curve
_LARGEST = 1e100  # maximum of a plotted value

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --faint: #667085; --line: #d8dde6; --back: #fff; --card: #f6f8fb;
  --warn: #8a5a00; --shade: 40%; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --faint: #98a2b3; --line: #333b48; --back: #12161d;
  --card: #1a202a; --warn: #f0c060; --shade: 65%; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--back); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th, .short { white-space: nowrap; }
th { color: var(--faint); font-weight: 600; }
.note { color: var(--warn); } .same { color: var(--faint); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; padding: .6rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figcaption { font-weight: 600; } svg { display: block; width: 440px; max-width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 11px; } svg .grid { stroke: var(--line); } svg polyline { fill: none; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .4rem 0 .8rem; padding: 0; list-style: none; }
.key span { display: inline-block; width: 1.6rem; height: .25rem; margin-right: .4rem; vertical-align: middle; }
pre { overflow-x: auto; padding: .8rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  font-size: 12px; }
"""


def of(shown: Report) -> str:
    """The page of a report."""
    title = _text(shown.title)
    parts = [f"<h1>{title}</h1>", *(f'<p class="note">{_text(note)}</p>' for note in shown.notes)]
    parts += map(_table, shown.tables)
    parts += _charts(shown)
    parts += (
        f"<details><summary>{_text(name)}</summary><pre>{_text(text, _LONGEST_TEXT)}</pre></details>"
        for name, text in shown.texts.items()
    )
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _text(value: str, longest: int = _LONGEST) -> str:
    cut = value if len(value) <= longest else f"{value[:longest]}…"
    return html.escape(spelling.plain(cut))


def _table(table: Table) -> str:
    title = f"<h2>{_text(table.title)}</h2>\n" if table.title else ""
    if not table.rows:
        return f'{title}<p class="same">{_text(table.otherwise)}</p>'
    head = "".join(f"<th>{_text(name)}</th>" for name in table.columns)
    rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return f'{title}<div class="wide"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'


def _cell(text: str) -> str:
    return f"<td{' class=short' * (len(text) <= _SHORT)}>{_text(text)}</td>"


# ---------------------------------------------------------------- charts


def _charts(shown: Report) -> Iterator[str]:
    """A chart for each metric, with the validation curves dashed."""
    last = dict([*shown.runs.items()][-_MOST_RUNS:])
    curves = {name: run.curves for name, run in last.items()}
    names = report.in_order(metric for run in curves.values() for metric in run)
    if not names:
        return
    colors = {name: f"hsl({360 * index // len(last) + 215} 75% var(--shade))" for index, name in enumerate(last)}
    yield "<h2>Curves</h2>"
    if len(last) < len(shown.runs):
        yield f'<p class="note">Showing the last {len(last)} runs.</p>'
    key = "".join(f'<li><span style="background:{colors[name]}"></span>{_text(name)}</li>' for name in last)
    yield f'<ul class="key">{key}</ul>\n<div class="charts">'
    for base in dict.fromkeys(name.removeprefix("val_") for name in names):
        drawn = [
            (f"{name}: {metric}", color, metric != base, curves[name][metric])
            for name, color in colors.items()
            for metric in (base, f"val_{base}")
            if metric in curves[name]
        ]
        caption = f"{base} (dashed: val_{base})" if f"val_{base}" in names else base
        yield f"<figure><figcaption>{_text(caption)}</figcaption>\n{_chart(drawn)}</figure>"
    yield "</div>"


def _chart(drawn: Sequence[tuple[str, str, bool, dict[int, float]]]) -> str:
    """Curves as (name, color, whether it is dashed, values by epoch)."""
    points = [(epoch + 1, value) for *_, values in drawn for epoch, value in values.items() if _has_place(value)]
    if not points:
        return "<p>No finite value.</p>"
    across = Axis([epoch for epoch, _ in points], _LEFT, _WIDTH - _RIGHT, whole=True)
    up = Axis([value for _, value in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for tick in up.ticks:
        at = up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for tick in across.ticks:
        parts.append(f'<text x="{across(tick):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{tick:.0f}</text>')
    for name, color, dashed, values in drawn:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        parts.append(f'<g style="stroke:{color}" stroke-width="1.8"{dash}><title>{_text(name)}</title>')
        parts += (_line([(across(e + 1), up(v)) for e, v in piece]) for piece in _pieces(values))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"])


def _has_place(value: float) -> bool:
    return math.isfinite(value) and abs(value) < _LARGEST


def _pieces(values: dict[int, float]) -> Iterator[list[tuple[int, float]]]:
    """A curve in pieces, split at values that cannot be plotted; of very many points, the minima and maxima."""
    for drawn, piece in groupby(sorted(values.items()), lambda point: _has_place(point[1])):
        if drawn:
            points = list(piece)
            size = -(-len(points) // _MOST_POINTS)
            parts = [points[start : start + size] for start in range(0, len(points), size)]
            ends = [(min(part, key=_value), max(part, key=_value)) for part in parts]
            yield sorted({point for pair in ends for point in pair})


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _line(points: list[tuple[float, float]]) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.5"/>'
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


class Axis:
    """Maps numbers to positions in a drawing.

    Args:
        numbers: the numbers that must fit.
        start, end: the positions of the minimum and the maximum.
        whole: whether ticks are integers.
    """

    def __init__(self, numbers: Sequence[float], start: float, end: float, whole: bool = False):
        self.low, self.high = min(numbers), max(numbers)
        self.start, self.end = start, end
        rough = (self.high - self.low) / _TICKS or 1.0
        power = 10.0 ** math.floor(math.log10(rough))
        self.step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        self.step = max(1.0, self.step) if whole else self.step

    def __call__(self, number: float) -> float:
        """The position of a number."""
        span = self.high - self.low
        return self.start + ((number - self.low) / span if span else 0.5) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round numbers within the range."""
        if self.low == self.high:
            return [self.low]
        first = math.ceil(self.low / self.step)
        return [number * self.step for number in range(first, math.floor(self.high / self.step) + 1)]
