"""Every public name of Keras is here, or the table of absent names says what becomes of it."""

import importlib
import types
from pathlib import Path

import keras
import pytest

import cornu
from cornu import absent

README = Path(__file__).parents[2] / "README.md"


def names_that_are_missing(module, own, prefix=""):
    """The paths of public names of a module of Keras that ours has not, down to the modules inside it."""
    for name in (name for name in dir(module) if not name.startswith("_") and name != "src"):
        value = getattr(module, name)
        is_module = isinstance(value, types.ModuleType)
        if is_module and not value.__name__.startswith("keras"):
            continue
        found = getattr(own, name, None)
        if found is None and is_module:
            try:
                found = importlib.import_module(f"{own.__name__}.{name}")
            except ImportError:
                found = None
        if found is None:
            yield prefix + name
        elif is_module and isinstance(found, types.ModuleType):
            yield from names_that_are_missing(value, found, f"{prefix}{name}.")


def test_the_table_lists_what_is_missing_and_nothing_else():
    listed = {path for path, (becomes, _) in absent.TABLE.items() if becomes != absent.GONE}
    assert set(names_that_are_missing(keras, cornu)) == listed


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


def test_the_readme_lists_the_same():
    assert absent.for_readme() in README.read_text()
