"""Every public object says what it is, and its example runs."""

import ast
import importlib
import inspect
import re
import textwrap

import numpy as np
import pytest

import cornu
from cornu import settings

OBJECTS = {}
MODULES = {}


def collect(prefix: str, module, names) -> None:
    """Each public class and function once, under the first of its names, those in namespaces inside included."""
    for name in names:
        found = getattr(module, name)
        if inspect.ismodule(found):
            collect(f"{prefix}{name}.", found, found.__all__)
        elif callable(found) and (getattr(found, "__module__", "") or "").startswith("cornu"):
            OBJECTS.setdefault(id(found), (prefix + name, found))


for _namespace in (*cornu._NAMESPACES, "errors"):
    _module = importlib.import_module(f"cornu.{_namespace}")
    MODULES[_namespace] = _module
    collect(f"{_namespace}.", _module, _module.__all__ if hasattr(_module, "__all__") else dir(_module))
collect("", cornu, cornu._NAMES)
PUBLIC = dict(OBJECTS.values())
EXAMPLES = MODULES | PUBLIC


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


NO_EXAMPLE = {
    "config.enable_unsafe_deserialization": "it cannot be undone",
    "distribution.initialize": "it takes several processes",
}
ONE_OF_MANY = "applications.MobileNetV3Small"  # the others read the same
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]\d+)?(?:\.\.\.)?")


def is_run(name: str) -> bool:
    """Whether the example is run here: not those that download, nor the same one for each of many networks."""
    return name.partition(".")[0] not in ("applications", "datasets") or name == ONE_OF_MANY or "preprocess" in name


def agree(told: str, printed: str) -> bool:
    """Whether a comment says what was printed: on one line, with numbers rounded, or cut off by `...`."""
    told, printed = (re.sub(r"(?<=\[) | (?=\])", "", " ".join(text.split())) for text in (told, printed))
    numbers = [(NUMBER.findall(text)) for text in (told, printed)]
    return NUMBER.sub("#", told) == NUMBER.sub("#", printed) and all(map(_same_number, *numbers))


def _same_number(told: str, printed: str) -> bool:
    if told.endswith("..."):
        return printed.startswith(told.removesuffix("..."))
    return float(told) in (float(printed), round(float(printed), len(told.partition(".")[2])))


def test_everything_has_an_example():
    without = {name for name, obj in PUBLIC.items() if not example(obj)}
    assert {name for name in without if not isinstance(PUBLIC[name], type(Exception))} == set(NO_EXAMPLE)


@pytest.mark.parametrize("name", [name for name, obj in EXAMPLES.items() if example(obj) and is_run(name)])
def test_the_example_runs_and_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_values", dict(settings._values))
    code, names = example(EXAMPLES[name]), {"cornu": cornu, "np": np}
    for package in {"flax", "torch"} & set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)):
        pytest.importorskip(package)
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        capsys.readouterr()
        exec(compile(ast.Module([statement], []), name, "exec"), names)
        told = re.fullmatch(r"print\(.*\)  # (.*)", lines[statement.end_lineno - 1])
        assert told is None or agree(told[1], capsys.readouterr().out), lines[statement.end_lineno - 1]


# ---------------------------------------------------------------- what constructors and functions take

FAMILIES = ("callbacks", "constraints", "initializers", "layers", "losses", "metrics", "optimizers", "regularizers")
MADE = {name: obj for name, obj in PUBLIC.items() if isinstance(obj, type) and name.split(".")[0] in FAMILIES}
CALLED = {name: obj for name, obj in PUBLIC.items() if inspect.isfunction(obj)}
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
