"""Draw the floors of the package as `floors.svg`: who imports whom, read from the imports themselves.

    python docs/inside/floors.py

A folder stands one floor above the highest of those that it imports when its modules are loaded. Imports within
functions, which serve a user's wish at run time, do not count.
"""

import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.contracts.test_architecture import FILES, imports, module_name, top  # noqa: E402 - found only now

ROW, GAP, WIDTH, LETTER = 44, 10, 980, 8.2


@cache
def imported() -> dict[str, set[str]]:
    """For each folder and top-level module, those that it imports when it is loaded."""
    found: dict[str, set[str]] = {}
    for file in FILES:
        own = top(module_name(file))
        found.setdefault(own, set()).update(set(map(top, imports(file, everywhere=False))) - {own, "__init__"})
    return {name: others for name, others in found.items() if name not in ("__init__", "__main__")}


@cache
def floor(folder: str) -> int:
    """The number of the floor, from 0 at the ground."""
    return 1 + max(map(floor, imported()[folder]), default=-1)


def picture() -> str:
    """The floors as SVG, the ground at the bottom."""
    floors: dict[int, list[str]] = {}
    for name in sorted(imported()):
        floors.setdefault(floor(name), []).append(name)
    height = (max(floors) + 1) * (ROW + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="14" text-anchor="middle">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, names in floors.items():
        widths = [LETTER * len(name) + 24 for name in names]
        x = (WIDTH - sum(widths) - GAP * (len(widths) - 1)) / 2
        y = height - (number + 1) * (ROW + GAP)
        for name, width in zip(names, widths, strict=True):
            lines.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{ROW}" rx="6" fill="#e8eef7" stroke="#5b7aa9"/>'
                f'<text x="{x + width / 2:.0f}" y="{y + ROW / 2 + 5:.0f}" fill="#1b2b44">{name}</text>'
            )
            x += width + GAP
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    (HERE / "floors.svg").write_text(picture())
