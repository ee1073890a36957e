"""Every public object says what it is, and its example runs."""

import importlib
import inspect
import textwrap

import numpy as np
import pytest

import cornu

OBJECTS = {}
for _namespace in cornu._NAMESPACES:
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
