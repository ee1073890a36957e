"""The structure of an object, and whether any part of it was replaced since it was traversed.

Traversing a model for its layers, variables and metrics takes far longer than checking whether it is still the same. A
`Structure` records every attribute dictionary and every container reachable from the model, with their contents;
`holds` compares the identities of the current contents. So no change has to be announced: anything that a new traversal
could find differently is a different object in one of these places, however it got there. The `trainable` attribute of
variables is compared as well; their values are not part of the structure.

Results computed from a structure are cached with it and dropped with it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import is_
from typing import Any, TypeAlias, TypeVar

from cornu.core import parts
from cornu.core.typing import AnyDict, AnyFunction, AnyTuple
from cornu.core.variable import Variable

Found = TypeVar("Found")

_FIXED = (tuple, frozenset)
_CONTAINERS = tuple(kind for kind in parts.CONTAINERS if kind not in _FIXED)


Held: TypeAlias = tuple[Any, ...]  # a part, the names of its contents, and its contents


class Structure:
    """The containers behind an object, with their contents.

    Args:
        root: an object with attributes, such as a model.
        entered: classes whose instances are traversed.
        left_out: classes whose instances are not, although they derive from one of `entered`.
    """

    def __init__(self, root: object, entered: tuple[type, ...], left_out: tuple[type, ...] = ()):
        self._attributes: list[Held] = []  # object, the names and values of its attributes
        self._entries: list[Held] = []  # mutable container, its keys, its contents
        self._flags: list[tuple[Variable, bool]] = []
        self._memory: AnyDict = {}
        for item in _reachable(root, entered, left_out):
            if isinstance(item, Variable):
                self._flags.append((item, item._trainable))
                continue
            if isinstance(item, _CONTAINERS):
                self._entries.append((item, *_content(item)))
                continue
            self._attributes.append((item, *_content(item.__dict__)))

    def holds(self) -> bool:
        """Whether everything is unchanged."""
        for part, _, held in self._attributes:
            attributes = part.__dict__
            if len(attributes) != len(held) or not all(map(is_, attributes.values(), held)):
                return False
        for container, keys, held in self._entries:
            if len(container) != len(held) or not all(map(is_, container, held if keys is None else keys)):
                return False
            if keys is not None and not all(map(is_, container.values(), held)):
                return False
        return all(variable._trainable is flag for variable, flag in self._flags)

    @property
    def objects(self) -> list[object]:
        """The objects with attributes, the root first."""
        return [part for part, _, _ in self._attributes]

    def renewed(self, fresh: "Structure") -> "Structure":
        """This structure, brought up to date, if `fresh` differs only in volatile attributes; else `fresh`."""
        if not self._differs_in_passing(fresh):
            return fresh
        self._attributes = fresh._attributes
        return self

    def _differs_in_passing(self, fresh: "Structure") -> bool:
        """Whether all but volatile attributes are identical."""
        return (
            _all_are(self._flags, fresh._flags, lambda old, new: old[0] is new[0] and old[1] is new[1])
            and _all_are(self._entries, fresh._entries, _is_same_entry)
            and _all_are(self._attributes, fresh._attributes, _is_same_part)
        )

    def remember(self, look: Callable[..., Found], *args: object) -> Found:
        """The result of `look(root, *args)`, computed the first time it is requested."""
        key = (look, *args)
        if key not in self._memory:
            self._memory[key] = look(self.objects[0], *args)
        return self._memory[key]

    def forget(self, look: AnyFunction, *args: object) -> None:
        """Recompute results when they are requested again."""
        self._memory.pop((look, *args), None)

    def __reduce__(self) -> tuple[object, ...]:
        """A copy of the root is another object: cached results are not copied with it."""
        return type(None), ()


def _all_are(olds: Sequence[object], news: Sequence[object], same: Callable[[Any, Any], bool]) -> bool:
    return len(olds) == len(news) and all(map(same, olds, news))


def _is_same_entry(old: Held, new: Held) -> bool:
    (container, *contents), (container_now, *contents_now) = old, new
    return container is container_now and all(
        _all_are(before or (), now or (), is_) for before, now in zip(contents, contents_now, strict=True)
    )


def _is_same_part(old: Held, new: Held) -> bool:
    part, names, held = old
    if part is not new[0]:
        return False
    if _all_are(held, new[2], is_) and _all_are(names, new[1], is_):
        return True
    return _all_are(_lasting(part, names, held), _lasting(*new), lambda a, b: a[0] == b[0] and a[1] is b[1])


def _lasting(part: object, names: AnyTuple, held: AnyTuple) -> list[tuple[str, object]]:
    volatile = _volatile(part)
    return [(name, value) for name, value in zip(names, held, strict=True) if name not in volatile]


def _reachable(root: object, entered: tuple[type, ...], left_out: tuple[type, ...]) -> Iterator[object]:
    """The containers, variables and objects with attributes behind `root`, each once."""
    followed = (*parts.CONTAINERS, Variable, *entered)
    stack, seen = [root], {id(root)}
    while stack:
        item = stack.pop()
        if not isinstance(item, _FIXED):
            yield item
        for part in _children(item):
            if id(part) not in seen and isinstance(part, followed) and not isinstance(part, left_out):
                seen.add(id(part))
                stack.append(part)


def _children(item: object) -> Iterable[object]:
    if isinstance(item, Variable):
        return ()
    if isinstance(item, dict):
        return (*item, *item.values())
    if isinstance(item, parts.CONTAINERS):
        return item
    volatile = _volatile(item)
    return [value for name, value in item.__dict__.items() if name not in volatile]


def _volatile(part: object) -> Iterable[str]:
    """The names of the attributes that come and go while an object is in use."""
    return getattr(type(part), "volatile_attributes", ())


def _content(container: Any) -> tuple[AnyTuple | None, AnyTuple]:
    """(keys, values) of a dictionary, (None, items) of anything else."""
    if isinstance(container, dict):
        return tuple(container), tuple(container.values())
    return None, tuple(container)
