"""Draw the floors of the package as `floors.svg`: who imports whom, read from the imports themselves.

    python docs/floors.py

A folder stands one floor above the highest of those that it imports when its modules are loaded. Imports within
functions, which serve a user's wish at run time, do not count.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "cornu"
ROW, GAP, WIDTH, LETTER = 44, 10, 980, 8.2


def imported(folder: str) -> set[str]:
    """The folders and top-level modules that one of them imports when it is loaded."""
    root = PACKAGE / folder
    files = root.rglob("*.py") if root.is_dir() else [root.with_suffix(".py")]
    return {name for file in files for name in _imports(ast.parse(file.read_text()).body)} - {folder}


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            yield from _imports(node.body)
        if isinstance(node, ast.ImportFrom) and node.module == "cornu":
            yield from (alias.name for alias in node.names if alias.name in parts())
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cornu."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("cornu."))


@cache
def parts() -> frozenset[str]:
    """All folders and top-level modules."""
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    return frozenset(files | {path.parent.name for path in PACKAGE.glob("*/*.py")})


@cache
def floor(folder: str) -> int:
    """The number of the floor, from 0 at the ground."""
    return 1 + max(map(floor, imported(folder)), default=-1)


def picture() -> str:
    """The floors as SVG, the ground at the bottom."""
    floors: dict[int, list[str]] = {}
    for name in sorted(parts()):
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
