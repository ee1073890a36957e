"""Every public object says what it is, what its arguments are, and how it is used."""

import importlib
import inspect
import re
import textwrap

import pytest

import cornu

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


def test_everything_has_an_example():
    without = {name for name, obj in PUBLIC.items() if not example(obj)}
    assert {name for name in without if not isinstance(PUBLIC[name], type(Exception))} == set(NO_EXAMPLE)


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
