"""Every public name of Keras is here, or the table of absent names says what becomes of it."""

import importlib
import types
from pathlib import Path

import pytest
from oracle import ask

import cornu
from cornu import absent

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"


def public_names(module, prefix=""):
    """The paths of the public names of Keras, down to the modules inside it."""
    for name in (name for name in dir(module) if not name.startswith("_") and name != "src"):
        value = getattr(module, name)
        is_module = isinstance(value, types.ModuleType)
        if not is_module or value.__name__.startswith("keras"):
            yield prefix + name
            if is_module:
                yield from public_names(value, f"{prefix}{name}.")


def is_here(path):
    module, _, name = f"cornu.{path}".rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) or bool(importlib.import_module(f"cornu.{path}"))
    except ImportError:
        return False


def test_the_table_lists_what_is_missing_and_nothing_else():
    missing = {path for path in ask(lambda keras: list(public_names(keras))) if not is_here(path)}
    without_parts = {path for path in missing if path.rpartition(".")[0] not in missing}
    listed = {path for path, (becomes, _) in absent.TABLE.items() if becomes != absent.GONE}
    assert without_parts == listed


@pytest.mark.parametrize("path", absent.TABLE)
def test_a_name_that_is_absent_says_what_to_use(path):
    module, _, name = path.rpartition(".")
    own = importlib.import_module(f"cornu.{module}" if module else "cornu")
    advice = absent.TABLE[path][1]
    assert advice.endswith(".")
    with pytest.raises(AttributeError) as asked:
        getattr(own, name)
    with pytest.raises(ImportError) as imported:
        exec(f"from {own.__name__} import {name}")
    for error in (asked, imported):
        assert path in str(error.value)
        assert advice in str(error.value)


@pytest.mark.parametrize(("statement", "words"), [
    ("cornu.layers.Dens", "module 'cornu.layers' has no attribute 'Dens'. Closest: Dense"),
    ("cornu.Sequentia", "Closest: Sequential"),
    ("cornu.metrics.nothing_like_it", "has no attribute 'nothing_like_it'"),
])  # fmt: skip
def test_a_mistyped_name_gets_the_closest_ones(statement, words):
    with pytest.raises(AttributeError, match=words):
        eval(statement)


def test_a_mistyped_import_gets_the_closest_ones():
    with pytest.raises(ImportError, match="Closest: Dense"):
        exec("from cornu.layers import Dens")


def test_the_page_lists_the_same():
    assert absent.listed() in PAGE.read_text()


@pytest.mark.parametrize("name", sorted(cornu._NAMESPACES))
def test_a_namespace_lists_its_public_names_alone(name):
    space = getattr(cornu, name)
    assert set(dir(space)) == set(space.__all__)
