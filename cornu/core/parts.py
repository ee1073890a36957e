"""The contents of an object: its attributes, and the items of containers in them, at any depth.

Layers, metrics and optimizers find their variables and parts with `find`; saving and inspection traverse all of them
with `walk`, under the names that each file format gives them. So what is trained is what is saved. Keras's files name a
part after its attribute, and an item of a container after its class, with a number if the class occurs again.
"""

import functools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from cornu import registry
from cornu.core.operation import snake_case
from cornu.core.typing import AnyList

CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_SETS = (set, frozenset)
_NAMED_CONTAINER = (dict, list, tuple)  # the only containers in Keras's files

Named: TypeAlias = list[tuple[str, Any]]


def find(value: object, kind: type | tuple[type, ...]) -> Iterator[Any]:
    """The objects of `kind` in a value and in all containers inside it."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, CONTAINERS):
        yield from _find_within(value, kind, {})


def _find_within(container: object, kind: type | tuple[type, ...], seen: dict[int, object]) -> Iterator[object]:
    seen[id(container)] = container
    for item in contents(container):
        if isinstance(item, kind):
            yield item
        elif isinstance(item, CONTAINERS) and id(item) not in seen:
            yield from _find_within(item, kind, seen)


def contents(container: Any) -> AnyList:
    """The items of a container; for a set, in the order of their names, so that it is reproducible."""
    if isinstance(container, dict):
        return list(container.values())
    return sorted(container, key=_name_in_order) if isinstance(container, _SETS) else list(container)


def _name_in_order(item: object) -> str:
    return in_order(str(getattr(item, "name", "")))


def in_order(name: str) -> str:
    """A sort key that orders names alphabetically, and the numbers in them by value."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), name)


# ---------------------------------------------------------------- parts under their names in files


def keeps_variables(value: object) -> bool:
    """Whether a value is a part with something to save."""
    return hasattr(value, "save_own_variables") and not isinstance(value, type)


def _kind(item: object) -> str | None:
    """The name of a container's item in Keras's files: its class, or None if it has nothing to save."""
    if keeps_variables(item):
        return snake_case(type(item).__name__)
    if isinstance(item, _NAMED_CONTAINER):
        return "container"
    return type(item).__name__ if isinstance(item, CONTAINERS) else None


def _items(container: object) -> Named:
    """The items of a container, each under its kind, numbered if a kind occurs again."""
    used: dict[str, int] = {}
    named = []
    for item in contents(container):
        kind = _kind(item)
        if kind is not None:
            count = used[kind] = used.get(kind, -1) + 1
            named.append((f"{kind}_{count}" if count else kind, item))
    return named


def attributes(part: Any) -> Named:
    """A part's attributes in file order: by name, private ones last. A model's layers are under `layers`.

    These come first if a graph or a list defines them, whatever other attributes of a subclass refer to them.
    Properties and class attributes of a user's class count as well, as in Keras.
    """
    hidden: frozenset[str] = getattr(type(part), "_hidden", frozenset())
    found = _of_classes(part) | {name: value for name, value in vars(part).items() if name not in hidden}
    first = ""
    if hasattr(part, "_graph"):
        listed = found.pop("_layers", None) is not None
        first = "layers" if listed or part._graph is not None else ""
        found |= {"layers": part.layers, "optimizer": part.optimizer}
    return sorted(found.items(), key=lambda item: (item[0] != first, *_by_name(item[0])))


def _by_name(name: str) -> tuple[bool, bool, str]:
    return name.startswith("__"), name.startswith("_"), name


def _of_classes(part: object) -> dict[str, object]:
    found = {}
    cls: type = type(part)
    for name in _given_by_classes(cls):
        with suppress(Exception):  # a property may not be readable at this time
            found[name] = getattr(part, name)
    return found


@functools.cache
def _given_by_classes(cls: type) -> tuple[str, ...]:
    """The names of properties, parts and containers that the user's own classes define and cornu's do not."""
    kinds = (property, functools.cached_property, *CONTAINERS)
    own = [base for base in cls.__mro__ if not registry.is_builtin(base) and base is not object]
    names = {n for base in own for n, value in vars(base).items() if isinstance(value, kinds) or keeps_variables(value)}
    ours = {name for base in cls.__mro__ if base not in own for name in dir(base)}
    return tuple(sorted(name for name in names - ours if not name.startswith("__")))


class Naming(NamedTuple):
    """Which parts a file format enters, and what it calls their contents. The default is Keras's format."""

    enters: Callable[[object], bool] = keeps_variables
    of_attributes: Callable[[object], Named] = attributes
    of_items: Callable[[object], Named] = _items


def walk(
    root: object,
    naming: Naming = Naming(),  # noqa: B008 - nothing changes it
    skip: Iterable[object] = (),
) -> Iterator[tuple[str, Any]]:
    """(path, part) for `root` and everything inside it that has variables, each once, except for `skip`."""
    return _walk(root, "", naming, {id(part): part for part in skip})


def _walk(value: object, path: str, naming: Naming, seen: dict[int, object]) -> Iterator[tuple[str, object]]:
    if id(value) in seen:
        return
    if naming.enters(value):
        names = naming.of_attributes
        yield path, value
    elif isinstance(value, CONTAINERS):
        names = naming.of_items
    else:
        return
    seen[id(value)] = value  # keeps a reference, so that no id is reused
    for name, inner in names(value):
        yield from _walk(inner, f"{path}/{name}" if path else name, naming, seen)
