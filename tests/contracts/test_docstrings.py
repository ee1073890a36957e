"""Every public object says what it is, and its example runs."""

import importlib
import inspect
import re
import textwrap

import numpy as np
import pytest

import cornu

OBJECTS = {}
for _namespace in (*cornu._NAMESPACES, "utils.bounding_boxes"):
    _module = importlib.import_module(f"cornu.{_namespace}")
    for _name in _module.__all__:
        _object = getattr(_module, _name)
        if callable(_object) and (getattr(_object, "__module__", "") or "").startswith("cornu"):
            OBJECTS.setdefault(id(_object), (f"{_namespace}.{_name}", _object))
PUBLIC = dict(OBJECTS.values())


def example(obj) -> str | None:
    """The indented block under `Example:` in a docstring."""
    text = inspect.getdoc(obj) or ""
    if "Example:" not in text:
        return None
    lines = text.split("Example:", 1)[1].lstrip("\n").splitlines()
    block = []
    for line in lines:
        if line and not line.startswith("    "):
            break
        block.append(line)
    return textwrap.dedent("\n".join(block))


@pytest.mark.parametrize("name", PUBLIC)
def test_it_has_a_docstring(name):
    assert (PUBLIC[name].__doc__ or "").strip()


@pytest.mark.parametrize("name", [name for name, obj in PUBLIC.items() if example(obj)])
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(example(PUBLIC[name]), name, "exec"), {"cornu": cornu, "np": np})


# ---------------------------------------------------------------- what constructors and functions take

FAMILIES = ("callbacks", "constraints", "initializers", "layers", "losses", "metrics", "optimizers", "regularizers")
MADE = {name: obj for name, obj in PUBLIC.items() if isinstance(obj, type) and name.split(".")[0] in FAMILIES}
CALLED = {
    n: obj for n, obj in PUBLIC.items() if inspect.isfunction(obj) and "\nArgs:\n" in inspect.cleandoc(obj.__doc__)
}
TOLD = re.compile(r"None|[Dd]efault|unless|\bif\b|without|optional|instead|\bas (for|in|of)\b|\b[Ss]ee `")


def told_arguments(obj) -> dict[str, str]:
    """What the docstring of a function, or those of a class and of those above it, say of each argument."""
    found: dict[str, str] = {}
    for base in reversed(obj.__mro__ if isinstance(obj, type) else [obj]):
        block = re.search(r"^Args:\n((?: {4}.*\n|\n)*)", inspect.cleandoc(base.__doc__ or "") + "\n", re.MULTILINE)
        for entry in re.split(r"\n(?=    [\w*])", block[1]) if block else ():
            names, _, text = entry.partition(":")
            found |= dict.fromkeys(re.split(r",\s+", names.strip()), " ".join(text.split()))
    return found


def spelled(value) -> str:
    """A default as a docstring writes it."""
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, (tuple, list)):
        return f"`{value!r}`".replace("'", '"')
    return repr(value).replace("e-0", "e-")


def is_plain(value) -> bool:
    """Whether a default can be written in a docstring."""
    return value is None or isinstance(value, (str, int, float, tuple, list))


@pytest.mark.parametrize("name", [*MADE, *CALLED])
def test_it_tells_each_argument_and_its_default(name):
    told = told_arguments(PUBLIC[name])
    parameters = inspect.signature(PUBLIC[name]).parameters.values()
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD and p.kind is not p.VAR_POSITIONAL]
    assert [p.name for p in named if p.name not in told] == []
    for p in named:
        if p.name in ("name", "dtype") or p.default is p.empty or not is_plain(p.default):
            continue
        text = told[p.name]
        itself = rf"(?<![\w.-]){re.escape(spelled(p.default))}(?!\w|\.\d)"
        assert TOLD.search(text) or re.search(itself, text), f"{p.name}: {text} (default {p.default!r})"
        said = re.search(r"Defaults to (\S+|`[^`]*`)\.(?: |$)", text)
        assert said is None or said[1] == spelled(p.default), f"{p.name}: {text} (default {p.default!r})"
