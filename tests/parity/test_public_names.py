"""Every public name is what Keras has there (a module, a class, a function), and is called with the same arguments."""

import inspect
from types import ModuleType

import pytest
from oracle import both

import cornu

OWN = {"data"}  # namespaces that Keras has not
SPACES = (
    "",
    *(space for space in cornu._NAMESPACES if space not in OWN),
    *(f"datasets.{name}" for name in cornu.datasets.__all__),
    "optimizers.schedules",
    "ops.image",
    "ops.linalg",
    "ops.nn",
    "ops.numpy",
    "utils.bounding_boxes",
)


def space(root, path):
    for part in filter(None, path.split(".")):
        root = getattr(root, part, None)
    return root


def kind(thing):
    if isinstance(thing, ModuleType):
        return "module"
    return "class" if isinstance(thing, type) else "function" if callable(thing) else "value"


def positional(thing):
    """Names of the arguments that may be given by position, and whether more are taken by position or keyword."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = {p.kind for p in parameters}
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, inspect.Parameter.VAR_POSITIONAL in kinds, inspect.Parameter.VAR_KEYWORD in kinds


@pytest.fixture(scope="module", params=SPACES)
def shared(request):
    """{name: [(kind, arguments) here, the same in Keras]} of what a namespace of both libraries holds."""

    def question(library):
        place = space(library, request.param)
        names = [n for n in dir(place) if not n.startswith("_")] if place else []
        things = {n: getattr(place, n) for n in names}
        return {n: [kind(x), positional(x) if kind(x) in ("class", "function") else None] for n, x in things.items()}

    ours, theirs = both(question, f"names in {request.param}")
    return {name: (ours[name], told) for name, told in theirs.items() if name in ours}


def test_a_public_name_is_of_the_kind_that_keras_has_there(shared):
    assert not {name: (ours[0], theirs[0]) for name, (ours, theirs) in shared.items() if ours[0] != theirs[0]}


def test_a_function_takes_the_arguments_that_keras_takes_in_the_same_order(shared):
    wrong = {}
    for name, ((_, b), (_, a)) in shared.items():
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
