"""Each page whose code runs can be had as a notebook: a link at its head, the file beside it."""

from pathlib import Path

import jupytext
from docutils import nodes
from sphinx.util.osutil import relative_uri

FOLDER = "notebooks"


def is_notebook(path: str | Path) -> bool:
    """Whether a page has cells of code that run."""
    return "```{code-cell}" in Path(path).read_text()


def _link(app, doctree: nodes.document) -> None:
    name = app.env.docname
    if not is_notebook(app.env.doc2path(name)):
        return
    address = relative_uri(app.builder.get_target_uri(name), f"{FOLDER}/{name}.ipynb")
    link = nodes.raw(
        "", f'<p class="notebook"><a href="{address}" download>This page as a notebook</a></p>', format="html"
    )
    title = next(doctree.findall(nodes.title), None)
    if title is not None:
        title.parent.insert(title.parent.index(title) + 1, link)


def _write(app, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    for name in app.env.found_docs:
        source = app.env.doc2path(name)
        if is_notebook(source):
            target = Path(app.outdir, FOLDER, f"{name}.ipynb")
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(jupytext.read(source, fmt="md:myst"), target)


def setup(app) -> dict[str, bool]:
    """Tell Sphinx of the link and the files."""
    app.connect("doctree-read", _link)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
