"""Every public name is what Keras has there (a module, a class, a function), and is called with the same arguments."""

import inspect
from types import ModuleType

import keras
import pytest

import cornu

SPACES = ("", *cornu._NAMESPACES, "optimizers.schedules", "ops.image", "ops.linalg", "ops.nn", "ops.numpy")


def space(root, path):
    for part in filter(None, path.split(".")):
        root = getattr(root, part, None)
    return root


def kind(thing):
    if isinstance(thing, ModuleType):
        return "module"
    return "class" if isinstance(thing, type) else "function" if callable(thing) else "value"


def shared(path):
    theirs, ours = space(keras, path), space(cornu, path)
    names = [n for n in dir(theirs) if not n.startswith("_") and hasattr(ours, n)] if theirs and ours else []
    return [(f"{path}.{n}".lstrip("."), getattr(theirs, n), getattr(ours, n)) for n in names]


def positional(thing):
    """Names of the arguments that may be given by position, and whether more are taken by position or keyword."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = {p.kind for p in parameters}
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, inspect.Parameter.VAR_POSITIONAL in kinds, inspect.Parameter.VAR_KEYWORD in kinds


@pytest.mark.parametrize("path", SPACES)
def test_a_public_name_is_of_the_kind_that_keras_has_there(path):
    wrong = {name: (kind(a), kind(b)) for name, a, b in shared(path) if kind(a) != kind(b)}
    assert not wrong


@pytest.mark.parametrize("path", SPACES)
def test_a_function_takes_the_arguments_that_keras_takes_in_the_same_order(path):
    wrong = {}
    for name, theirs, ours in shared(path):
        if kind(theirs) == "module" or not callable(theirs):
            continue
        a, b = positional(theirs), positional(ours)
        if a is None or b is None:
            continue
        missing = [n for n in a[0] if n not in b[0] and not b[2]]
        common = [n for n in a[0] if n in b[0]]
        if missing or common != [n for n in b[0] if n in a[0]]:
            wrong[name] = (a[0], b[0])
    assert not wrong


def test_the_version_is_asked_for_by_a_call():
    assert cornu.version() == cornu.__version__
    assert cornu.backend.backend() == cornu.config.backend() == "jax"
