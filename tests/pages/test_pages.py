"""The code of each page of the documents runs, cell after cell, as it does when the site is built."""

import re
from pathlib import Path

import pytest
from matplotlib import pyplot

DOCS = Path(__file__).parents[2] / "docs"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:(\w+): *(.*)\n", re.MULTILINE)
PAGES = {
    path.relative_to(DOCS).as_posix(): path
    for path in sorted(DOCS.rglob("*.md"))
    if not {"_build", "reference"} & set(path.parts) and CELL.search(path.read_text())
}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(page, tmp_path, monkeypatch):
    """What a cell is marked to raise, it raises."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    names = {"__name__": "__main__"}
    for number, cell in enumerate(CELL.findall(PAGES[page].read_text())):
        raises = "raises-exception" in dict(OPTION.findall(cell)).get("tags", "")
        code = compile(OPTION.sub("", cell), f"{page}, cell {number}", "exec")
        if raises:
            with pytest.raises(Exception, match=r"\w"):
                exec(code, names)
        else:
            exec(code, names)
