"""The code of each page of the documents runs, cell after cell, as it does when the site is built."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from matplotlib import pyplot

import cornu

DOCS = Path(__file__).parents[2] / "docs"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:(\w+): *(.*)\n", re.MULTILINE)
TREE = re.compile(r"^:::\{toctree\}\n(?::\w+:[^\n]*\n)*\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
INTERNAL = {"cornu.layers.text_hash", "cornu.saving.legacy_model"}  # what these list is for their neighbours
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
ALL = {
    path.relative_to(DOCS).with_suffix("").as_posix(): path
    for path in sorted(DOCS.rglob("*.md"))
    if not {"_build", "jupyter_execute", "reference"} & set(path.relative_to(DOCS).parts)
}
PAGES = [name for name, path in ALL.items() if CELL.search(path.read_text())]
LONG = {
    f"learn/{name}"
    for name in (
        "attention", "convolution", "custom", "functional", "overfitting", "sequences", "speed", "text", "transfer",
    )
}  # fmt: skip


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.long if p in LONG else ()) for p in PAGES])
def test_the_page_runs(page, tmp_path, monkeypatch):
    """What a cell is marked to raise, it raises."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    names = {"__name__": "__main__"}
    for number, cell in enumerate(CELL.findall(ALL[page].read_text())):
        raises = "raises-exception" in dict(OPTION.findall(cell)).get("tags", "")
        code = compile(OPTION.sub("", cell), f"{page}, cell {number}", "exec")
        if raises:
            with pytest.raises(Exception, match=r"\w"):
                exec(code, names)
        else:
            exec(code, names)


def test_every_page_stands_in_a_table_of_contents_and_every_link_leads_somewhere():
    listed = {"index", "reference/index"}
    for page, path in ALL.items():
        text = path.read_text()
        folder = path.parent.relative_to(DOCS)
        for tree in TREE.findall(text):
            listed.update((folder / name).as_posix() for name in tree.split())
        links = [link for link in LINK.findall(CELL.sub("", text)) if (folder / link).parts[:1] != ("reference",)]
        lost = [link for link in links if not ((path.parent / link).exists() or (path.parent / f"{link}.md").exists())]
        assert lost == [], page
    assert listed == set(ALL) | {"reference/index"}


def test_the_readme_is_one_screen_of_what_the_pages_say():
    """Its links lead somewhere, its model is the first page's, which is run, and its times are those of the table."""
    readme = DOCS.parent / "README.md"
    text = readme.read_text()
    assert len(text.splitlines()) <= 60
    assert [link for link in LINK.findall(text) if not (readme.parent / link).exists()] == []
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert code in CELL.findall(ALL["index"].read_text())
    rows = re.findall(r"^\| (.+?) \| (\d.*) \|$", text, re.MULTILINE)
    assert len(rows) == 5
    for work, times in rows:
        assert f"| {work}: step of fit | {times} | " in ALL["speed"].read_text()


def test_the_reference_has_every_method_on_the_page_of_its_class_or_of_a_public_base(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import reference

    classes = {obj for *_, obj in reference.public() if inspect.isclass(obj) and obj.__module__.startswith("cornu")}
    listed = {cls: {name for name, _ in reference.methods(cls)} for cls in classes}
    for cls in classes:
        bases = [base for base in cls.__mro__ if base.__module__.startswith("cornu")]
        documented = {
            name for base in bases for name, member in vars(base).items() if reference.is_documented(name, member)
        }
        assert documented <= set().union(*(listed.get(base, ()) for base in bases)), cls
    assert {"compile", "fit", "evaluate", "predict"} <= listed[cornu.Model]


def test_the_reference_lists_every_public_name(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    reference = importlib.import_module("reference")
    listed = {path for modules in reference.pages().values() for page in modules.values() for path in page.names}
    assert set(cornu._NAMES) <= listed
    titles = {
        m.module: reference.title(m) for group in reference.pages().values() if len(group) > 1 for m in group.values()
    }
    assert {module: title for module, title in titles.items() if len(title) > 50 or "`" in title} == {}
    overviews = [reference.full(namespace) for namespace, modules in reference.pages().items() if len(modules) > 1]
    assert [name for name in overviews if "\nExample:\n" not in importlib.import_module(name).__doc__] == []
    told = {id(reference.look_up(path)) for path in listed}
    root = Path(cornu.__file__).parent
    for namespace in (*cornu._NAMESPACES, "errors"):
        for path in (root / f"{namespace}.py", *(root / namespace).rglob("*.py")):
            name = ".".join(("cornu", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
            if name not in INTERNAL and path.exists() and "__all__" in path.read_text():
                module = importlib.import_module(name)
                missing = [n for n in getattr(module, "__all__", ()) if id(getattr(module, n)) not in told]
                missing = [n for n in missing if not inspect.ismodule(getattr(module, n))]
                assert not missing, f"{name}: {missing}"
