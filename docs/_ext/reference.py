"""The reference: a page for each module that has public names, written from its docstrings before Sphinx reads.

A public path is the folder of the file, so the modules of a folder are the groups of a namespace, and each says at its
top what it holds. A name that stands in two namespaces is told where its class or function lives.
"""

import importlib
import inspect
import re
import sys
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from docstrings import example, markdown

import cornu

HERE = Path(__file__).parents[1]
FOLDER = HERE / "reference"
sys.path.insert(0, str(HERE.parent))

from tests.differential.differences import TABLE  # noqa: E402 - found only now

TOP = "cornu"  # the page of the names of `cornu` itself


def inner(namespace: str) -> Iterator[str]:
    """The namespaces that a namespace names among its own, and theirs."""
    module = importlib.import_module(f"cornu.{namespace}")
    for name in module.__all__:
        if inspect.ismodule(getattr(module, name)):
            yield f"{namespace}.{name}"
            yield from inner(f"{namespace}.{name}")


INNER = tuple(dict.fromkeys(path for namespace in cornu._NAMESPACES for path in inner(namespace)))
NAMESPACES = (*cornu._NAMESPACES, "errors", *INNER, TOP)


def full(namespace: str) -> str:
    """The module of a namespace."""
    return TOP if namespace in ("", TOP) else f"cornu.{namespace}"


def public_path(namespace: str, name: str) -> str:
    """The path of a name below `cornu`."""
    return name if namespace == TOP else f"{namespace}.{name}"


@dataclass
class Page:
    """What one module defines of the public names."""

    module: str
    names: list[str] = field(default_factory=list)  # public paths below `cornu`

    @property
    def file(self) -> str:
        """The page's name, without its ending."""
        return self.module.removeprefix("cornu.").replace(".", "-") + "-module"

    @property
    def idea(self) -> str:
        """What the module says of itself first."""
        return (
            (inspect.getdoc(importlib.import_module(self.module)) or self.module)
            .partition("\n\n")[0]
            .replace("\n", " ")
        )


def public() -> Iterator[tuple[str, str, object]]:
    """Each namespace, name and object, in order."""
    for namespace in NAMESPACES:
        module = importlib.import_module(full(namespace))
        for name in cornu._NAMES if namespace == TOP else module.__all__:
            yield namespace, name, getattr(module, name)


@cache
def pages() -> dict[str, dict[str, Page]]:
    """For each namespace the pages of its modules."""
    found: dict[str, dict[str, Page]] = {}
    for namespace, name, obj in public():
        module = getattr(obj, "__module__", None) or ""
        outside = not module.startswith(f"cornu.{namespace.split('.')[0]}")
        if inspect.ismodule(obj) or namespace in (*INNER, TOP) or outside:
            module = full(namespace)
        page = found.setdefault(namespace, {}).setdefault(module, Page(module))
        page.names.append(public_path(namespace, name))
    return found


@cache
def homes() -> dict[int, str]:
    """For each object's identity the first of its public paths, its own name before others."""
    found: dict[int, str] = {}
    for namespace, name, obj in sorted(public(), key=lambda p: p[1] != getattr(p[2], "__name__", "")):
        found.setdefault(id(obj), public_path(namespace, name))
    return found


def look_up(path: str) -> object:
    """The object at a public path below `cornu`."""
    namespace, _, name = path.rpartition(".")
    return getattr(importlib.import_module(full(namespace)), name)


def signature(obj: object, bound: bool = False) -> str:
    """What stands in parentheses, or nothing where none can be had."""
    try:
        given = inspect.signature(obj)
    except (TypeError, ValueError):
        return ""
    parameters = list(given.parameters.values())[bound:]
    plain = [p.replace(annotation=p.empty) for p in parameters]
    text = str(given.replace(parameters=plain, return_annotation=given.empty))
    text = re.sub(r"<(?:function|class|object) ?'?([\w.]+)[^>]*>", r"\1", text)
    return re.sub(r"<[\w.]+: ([^<>]+)>", r"\1", text)  # a member of an enumeration, as its value


def differences(name: str) -> list[str]:
    """What differs from Keras on purpose and names this object."""
    return [
        f"{row.name} {row.reason}" for row in TABLE if re.search(rf"`(?:\w+\.)*{name}[`(.=]", row.name + row.reason)
    ]


def documented_with(cls: type) -> list[type]:
    """A class, and those of its bases that have no place of their own in the reference."""
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith("cornu")]
    elsewhere = {above for base in bases if id(base) in homes() for above in base.__mro__}
    return [cls, *(base for base in bases if base not in elsewhere)]


def methods(cls: type) -> Iterator[tuple[str, object]]:
    """What a class defines and documents itself, or inherits from a base that is not public."""
    members = ChainMap(*map(vars, documented_with(cls)))
    for name in dict.fromkeys(name for base in members.maps for name in base):
        if is_documented(name, members[name]):
            yield name, members[name]


def is_documented(name: str, member: object) -> bool:
    """Whether a member of a class is public, a method or property, and has a docstring."""
    function = inspect.unwrap(member.__func__ if isinstance(member, (classmethod, staticmethod)) else member)
    told = function.fget if isinstance(function, property) else function
    return not name.startswith("_") and inspect.isfunction(told) and bool(told.__doc__)


def directive(kind: str, head: str, body: str, marks: str = ":::", module: str = "") -> str:
    """An entry of the index with Markdown in it; that of a module links to its source."""
    option = f":module: {module}\n" if module else ""
    return f"{marks}{{py:{kind}}} {head}\n{option}\n{body}\n{marks}\n"


def entry(path: str) -> str:
    """What the reference says of one object."""
    obj, name = look_up(path), path.rpartition(".")[2]
    first, module = homes()[id(obj)], full(path.rpartition(".")[0])
    if callable(obj) and path != first:
        idea, _, rest = inspect.cleandoc(obj.__doc__).partition("\n\n")
        text = f"[`{first}`](#cornu.{first}), under another name. {idea}\n\n{example(rest)}"
        return directive("class" if isinstance(obj, type) else "function", f"cornu.{path}{signature(obj)}", text)
    text = markdown(obj) if callable(obj) or inspect.ismodule(obj) else f"`{obj!r}`"
    for told in differences(name):
        text += f"\n\n**Difference from Keras:** {told}"
    if not isinstance(obj, type):
        kind = "function" if callable(obj) else "data"
        return directive(kind, name + (signature(obj) if callable(obj) else ""), text, module=module)
    parts = [text]
    for member, value in methods(obj):
        if isinstance(value, property):
            parts.append(directive("property", member, markdown(value.fget)))
        else:
            fixed = isinstance(value, staticmethod)
            function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            parts.append(directive("method", member + signature(function, bound=not fixed), markdown(function)))
    return directive("class", name + signature(obj), "\n".join(parts), "::::", module)


def page(title: str, module: str, names: list[str]) -> str:
    """A page of entries under what a module says of itself."""
    return "\n".join([f"# {title}", "", markdown(importlib.import_module(module)), "", *map(entry, names)])


def overview(namespace: str, modules: dict[str, Page]) -> str:
    """The page of a namespace of several modules: a table of their names and ideas."""
    rows = []
    for module in modules.values():
        links = ", ".join(f"[`{path.rpartition('.')[2]}`](#cornu.{path})" for path in module.names)
        rows.append(f"* - {links}\n  - {module.idea}")
    head = page(f"`cornu.{namespace}`", f"cornu.{namespace}", [])
    tree = [":::{toctree}", ":hidden:", "", *(module.file for module in modules.values()), ":::", ""]
    table = [
        ":::{list-table}",
        ":header-rows: 1",
        ":widths: 55 45",
        "",
        "* - Names\n  - What they are",
        *rows,
        ":::",
        "",
    ]
    return "\n".join([head, *table, *tree])


def site() -> dict[str, str]:
    """The text of each file of the reference."""
    tree = [":::{toctree}", ":maxdepth: 1", "", *NAMESPACES, ":::", ""]
    about = (
        "Every public name, told by its own docstring: `keras.X` of Keras is `cornu.X` here. The examples assume "
        "`import cornu`, `import cornu as keras` and `import numpy as np`."
    )
    files = {"index": "\n".join(["# Reference", "", about, "", *tree])}
    for namespace, modules in pages().items():
        if len(modules) == 1:
            (only,) = modules.values()
            files[namespace] = page(f"`{full(namespace)}`", full(namespace), only.names)
            continue
        files[namespace] = overview(namespace, modules)
        files |= {m.file: page(title(m), m.module, m.names) for m in modules.values()}
    return files


def title(module: Page) -> str:
    """The names of a module if they are few and short, else its subject: what it says first, up to a colon."""
    names = ", ".join(path.rpartition(".")[2] for path in module.names)
    return names if len(names) <= 45 else re.split(r"[:.](?= |$)", module.idea)[0]


def make(app: object = None) -> None:
    """Write what has changed, so that the rest is not read again, and take away what is no more."""
    FOLDER.mkdir(exist_ok=True)
    files = {FOLDER / f"{name}.md": text for name, text in site().items()}
    for file, text in files.items():
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    for old in set(FOLDER.glob("*.md")) - set(files):
        old.unlink()


def lead_back(app, name: str, template: str, context: dict[str, str], doctree: object) -> None:
    """Point the links from a page of source to the entries of its names, which may be of several namespaces."""
    if name.startswith("_modules/"):
        entries = {
            (obj.docname, path.split(".", dots)[-1]): path
            for path, obj in app.env.domains.python_domain.objects.items()
            for dots in range(path.count(".") + 1)
        }
        context["body"] = re.sub(
            r'(?<=href=")([^"#]*)#cornu\.([\w.]+)(?=")', partial(_to_entry, entries), context["body"]
        )


def _to_entry(entries: dict[tuple[str, str], str], link: re.Match) -> str:
    document = "reference/" + link[1].rpartition("/")[2].removesuffix(".html")
    names = link[2].split(".")
    found = (entries.get((document, ".".join(names[i:]))) for i in range(len(names)))
    return f"{link[1]}#{next(filter(None, found), 'cornu.' + link[2])}"


def setup(app) -> dict[str, bool]:
    """Have the pages written before any is read."""
    app.connect("builder-inited", make)
    app.connect("html-page-context", lead_back)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
