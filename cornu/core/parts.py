"""What an object holds: its attributes, and whatever is in the containers in them, however deep.

This is the one walk behind tracking, files, copies and inspection, so that what trains is what is saved. Files name
parts as Keras's do: an attribute's by its name, what is in a container by its class, numbered when a class comes again.
"""

import functools
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cornu import registry
from cornu.core.operation import snake_case

CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_SETS = (set, frozenset)
_NAMED_CONTAINER = (dict, list, tuple)  # what Keras's files call a container; they have no others


def find(value: Any, kind: type | tuple[type, ...]) -> Iterator[Any]:
    """The objects of `kind` in a value and in all containers in it."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, CONTAINERS):
        yield from _find_within(value, kind, {})


def _find_within(container: Any, kind: type | tuple[type, ...], seen: dict[int, Any]) -> Iterator[Any]:
    seen[id(container)] = container
    for item in contents(container):
        if isinstance(item, kind):
            yield item
        elif isinstance(item, CONTAINERS) and id(item) not in seen:
            yield from _find_within(item, kind, seen)


def contents(container: Any) -> list:
    """What is in a container; a set in the order of the names in it, which another run gives again."""
    if isinstance(container, dict):
        return list(container.values())
    return sorted(container, key=_name_in_order) if isinstance(container, _SETS) else list(container)


def _name_in_order(item: Any) -> str:
    return in_order(str(getattr(item, "name", "")))


def in_order(name: str) -> str:
    """A key that sorts names by the alphabet, but the numbers in them by their value."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), name)


# ---------------------------------------------------------------- parts as files name them


def walk(root: Any) -> Iterator[tuple[str, Any]]:
    """(path, part) for `root` and everything inside it that keeps variables, each once."""
    yield from _enter(root, "", {})


def walk_container(container: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """The same for what is in a container at `path`; `seen` holds what was met before, by identity."""
    seen[id(container)] = container
    used: dict[str, int] = {}
    for item in contents(container):
        kind = _kind(item)
        if kind is not None:
            count = used[kind] = used.get(kind, -1) + 1
            yield from walk_value(item, f"{path}/{kind}_{count}" if count else f"{path}/{kind}", seen)


def walk_value(value: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """The same for the value of an attribute."""
    if id(value) in seen:
        return
    if _keeps_variables(value):
        yield from _enter(value, path, seen)
    elif isinstance(value, CONTAINERS):
        yield from walk_container(value, path, seen)


def _enter(part: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    seen[id(part)] = part
    yield path, part
    for name, value in attributes(part):
        yield from walk_value(value, f"{path}/{name}" if path else name, seen)


def _kind(item: Any) -> str | None:
    """What files call an item of a container: its class, or None where it holds nothing to save."""
    if _keeps_variables(item):
        return snake_case(type(item).__name__)
    if isinstance(item, _NAMED_CONTAINER):
        return "container"
    return type(item).__name__ if isinstance(item, CONTAINERS) else None


def _keeps_variables(value: Any) -> bool:
    return hasattr(value, "save_own_variables") and not isinstance(value, type)


def attributes(part: Any) -> list[tuple[str, Any]]:
    """A part's attributes in the order of files: by name, private ones last. A model's layers are called `layers`.

    What a class of the user's gives by a property, or has itself, counts as well, as it does in Keras.
    """
    hidden: frozenset[str] = getattr(type(part), "_hidden", frozenset())
    found = _of_classes(part) | {name: value for name, value in vars(part).items() if name not in hidden}
    if hasattr(part, "_graph"):
        found.pop("_layers", None)
        found |= {"layers": part.layers, "optimizer": part.optimizer}
    return sorted(found.items(), key=lambda item: (item[0].startswith("__"), item[0].startswith("_"), item[0]))


def _of_classes(part: Any) -> dict[str, Any]:
    found = {}
    cls: type = type(part)
    for name in _given_by_classes(cls):
        with suppress(Exception):  # a property may be for other times than this one
            found[name] = getattr(part, name)
    return found


@functools.cache
def _given_by_classes(cls: type) -> tuple[str, ...]:
    """The names of properties, parts and containers that the user's own classes have, and no class of cornu's."""
    kinds = (property, functools.cached_property, *CONTAINERS)
    own = [base for base in cls.__mro__ if not registry.is_builtin(base) and base is not object]
    names = {
        n for base in own for n, value in vars(base).items() if isinstance(value, kinds) or _keeps_variables(value)
    }
    ours = {name for base in cls.__mro__ if base not in own for name in dir(base)}
    return tuple(sorted(name for name in names - ours if not name.startswith("__")))
