"""HTML for notebooks: tables that work in light and dark themes, since they inherit the page's colors.

All text is escaped, and nothing is loaded from elsewhere: no scripts, fonts or images.
"""

import base64
import html
from collections.abc import Iterable, Sequence

_STYLE = """
.cornu{color:inherit;font-size:13px;line-height:1.4}
.cornu .scroll{max-height:32em;max-width:100%;overflow:auto;display:inline-block}
.cornu table{border-collapse:collapse;margin:.4em 0;color:inherit}
.cornu th,.cornu td{padding:.25em .8em;text-align:left;border-bottom:1px solid rgba(128,128,128,.35);
background:transparent;color:inherit;white-space:nowrap}
.cornu th{font-weight:600;border-bottom-width:2px}
.cornu .number{text-align:right;font-variant-numeric:tabular-nums}
.cornu .note{opacity:.75}
.cornu img{display:block;max-width:100%;height:auto}
"""


def fragment(title: str, *parts: str) -> str:
    """A heading and its content, together with the style sheet.

    Args:
        title: plain text.
        parts: HTML made by `table`, `line` and `picture`.
    """
    return f'<div class="cornu"><style>{_STYLE}</style><div><b>{html.escape(title)}</b></div>{"".join(parts)}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()) -> str:
    """A table of plain text, which scrolls if it is long.

    Args:
        columns: the headings.
        rows: the cells of each row.
        numbers: headings of the numeric columns, which are right-aligned.
    """
    kinds = [' class="number"' if name in set(numbers) else "" for name in columns]

    def row(cells: Sequence[str], tag: str) -> str:
        filled = zip(kinds, cells, strict=True)
        return "<tr>" + "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for kind, cell in filled) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f'<div class="scroll"><table><thead>{row(columns, "th")}</thead><tbody>{body}</tbody></table></div>'


def line(text: str) -> str:
    """A line of plain text."""
    return f'<div class="note">{html.escape(text)}</div>'


def picture(png: bytes, description: str) -> str:
    """An image embedded in the page.

    Args:
        png: the bytes of a PNG.
        description: alternative text.
    """
    return f'<img alt="{html.escape(description)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
