"""Nested structures of lists, tuples, deques and dictionaries, over `jax.tree_util`.

The differences from JAX: None is a leaf here, and a `collections.deque` a structure, as they are in Keras. Dictionaries
are walked in the order of their sorted keys, so two dictionaries with the same keys always align; but a result created
like a structure keeps the key order of that structure.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.tree_util as jtu

from cornu.absent import explainer as _explainer

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip


class MAP_TO_NONE:  # noqa: N801 - Keras's public name
    """The value that a function passed to `traverse` returns to insert None.

    Example:

        print(cornu.tree.traverse(lambda x: cornu.tree.MAP_TO_NONE if x == 1 else None, [1, 2]))  # [None, 2]
    """


def _flatten_deque(items: deque[Any]) -> tuple[list[tuple[jtu.SequenceKey, Any]], int | None]:
    return [(jtu.SequenceKey(i), item) for i, item in enumerate(items)], items.maxlen


if jtu.all_leaves([deque()]):
    jtu.register_pytree_with_keys(deque, _flatten_deque, lambda maxlen, items: deque(items, maxlen))


def _none_is_leaf(x: object) -> bool:
    return x is None


def is_nested(structure: object) -> bool:
    """Whether `structure` is a container (list, tuple, dictionary, registered node) rather than a leaf.

    Args:
        structure: any object.

    Example:

        print(cornu.tree.is_nested([1]), cornu.tree.is_nested(1))  # True False
    """
    return not jtu.all_leaves([structure], is_leaf=_none_is_leaf)


def flatten(structure: object) -> list[Any]:
    """The leaves of `structure`, left to right.

    Args:
        structure: any nested structure.

    Example:

        print(cornu.tree.flatten({"a": 1, "b": (2, [3])}))  # [1, 2, 3]
    """
    return jtu.tree_leaves(structure, is_leaf=_none_is_leaf)


def _plain_path(structure: object, keys: Sequence[object]) -> tuple[Any, ...]:
    """A path as dictionaries' keys and positions; the fields of a namedtuple count as positions."""
    path = []
    for key in keys:
        part = next(getattr(key, name) for name in ("key", "idx", "name") if hasattr(key, name))
        fields = getattr(structure, "_fields", ())
        path.append(fields.index(part) if part in fields else part)
        structure = getattr(structure, part) if part in fields else _child(structure, part)
    return tuple(path)


def _child(structure: Any, key: Any) -> Any:
    return structure[key] if isinstance(structure, (dict, list, tuple, deque)) else None


def flatten_with_path(structure: object) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of (path, leaf), where a path is a tuple of keys and indices.

    Args:
        structure: any nested structure.

    Example:

        print(cornu.tree.flatten_with_path({"a": 1, "b": (2, 3)}))  # [(('a',), 1), (('b', 0), 2), (('b', 1), 3)]
    """
    pairs, _ = jtu.tree_flatten_with_path(structure, is_leaf=_none_is_leaf)
    return [(_plain_path(structure, path), leaf) for path, leaf in pairs]


def map_structure(func: Callable[..., object], *structures: object, none_is_leaf: bool = True) -> Any:
    """The structure of the results of `func`, applied to the leaves of one or more structures.

    Args:
        func: function of as many leaves as there are structures.
        *structures: nested structures of the same shape.
        none_is_leaf: whether None is passed to `func`, rather than kept as it is. Defaults to True.

    Example:

        print(cornu.tree.map_structure(lambda x, y: x + y, {"a": 1}, {"a": 2}))  # {'a': 3}
    """
    if not callable(func):
        raise TypeError(f"map_structure: func must be callable. Received: func={func!r}.")
    if not structures:
        raise ValueError("map_structure: at least one structure is required.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return in_order_of(structures[0], jtu.tree_map(func, *structures, is_leaf=_none_is_leaf if none_is_leaf else None))


def map_structure_up_to(shallow_structure: object, func: Callable[..., object], *structures: object) -> Any:
    """Apply `func` at the depth of the leaves of `shallow_structure`.

    Args:
        shallow_structure: structure that says how deep to go.
        func: function of what the structures hold there.
        *structures: structures that are at least as deep.

    Example:

        print(cornu.tree.map_structure_up_to({"a": 0}, len, {"a": [1, 2, 3]}))  # {'a': 3}
    """
    if not structures:
        raise ValueError("map_structure_up_to: at least one structure is required.")
    definition: Any
    leaves, definition = jtu.tree_flatten(shallow_structure, is_leaf=_none_is_leaf)
    columns = [definition.flatten_up_to(structure) for structure in structures]
    made = definition.unflatten([func(*row) for row in zip(*columns, strict=True)] if leaves else [])
    return in_order_of(shallow_structure, made)


def map_shape_structure(func: Callable[..., object], structure: object) -> Any:
    """Apply `func` to each shape (a tuple or list of ints and None) in `structure`.

    Args:
        func: function of a shape.
        structure: nested structure of shapes.

    Example:

        print(cornu.tree.map_shape_structure(len, {"a": (None, 3), "b": (2, 3, 4)}))  # {'a': 2, 'b': 3}
    """
    return in_order_of(structure, jtu.tree_map(func, structure, is_leaf=is_shape), is_leaf=is_shape)


def is_shape(x: object) -> bool:
    """Whether `x` is a shape:  a tuple or list of dimensions."""
    return isinstance(x, (tuple, list)) and all(d is None or _is_dimension(d) for d in x)


def _is_dimension(d: object) -> bool:
    return hasattr(d, "__index__") and not isinstance(d, jax.Array)


def assert_same_structure(a: object, b: object, check_types: bool | None = None) -> None:
    """Raise ValueError unless both have the same nesting and keys.

    Args:
        a, b: nested structures.
        check_types: whether the types of containers must agree, too; None is True.

    Example:

        cornu.tree.assert_same_structure({"a": [1, 2]}, {"a": [3, 4]})
    """
    if check_types is False:
        return assert_same_paths(a, b)
    definitions: list[object] = [jtu.tree_structure(s, is_leaf=_none_is_leaf) for s in (a, b)]
    first, second = definitions
    if first != second:
        raise ValueError(f"The two structures are nested differently: {first} and {second}.")
    return None


def assert_same_paths(a: object, b: object) -> None:
    """Raise ValueError unless both have leaves at the same paths, whatever the types of their containers.

    Args:
        a, b: nested structures.

    Example:

        cornu.tree.assert_same_paths({"a": (1, 2)}, {"a": [3, 4]})
    """
    first, second = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if first != second:
        raise ValueError(f"The two structures have different paths: {sorted(first ^ second, key=str)}.")


def pack_sequence_as(structure: object, flat_sequence: Sequence[object]) -> Any:
    """Arrange `flat_sequence` in the shape of `structure`.

    Args:
        structure: a nested structure.
        flat_sequence: as many values as it has leaves.

    Example:

        print(cornu.tree.pack_sequence_as({"a": 0, "b": (0, 0)}, [1, 2, 3]))  # {'a': 1, 'b': (2, 3)}
    """
    definition: Any = jtu.tree_structure(structure, is_leaf=_none_is_leaf)
    if definition.num_leaves != len(flat_sequence):
        raise ValueError(
            f"pack_sequence_as: the structure has {definition.num_leaves} leaves, "
            f"the sequence {len(flat_sequence)} items."
        )
    return in_order_of(structure, definition.unflatten(flat_sequence))


def in_order_of(structure: Any, made: Any, is_leaf: Callable[[object], bool] = _none_is_leaf) -> Any:
    """`made`, which is new and like `structure`, with its dictionary keys in the order of `structure`."""
    if not isinstance(structure, (dict, list, tuple, deque)) or is_leaf(structure) or jtu.all_leaves([structure]):
        return made
    if isinstance(structure, dict):
        for key, value in structure.items():
            made[key] = in_order_of(value, made.pop(key), is_leaf)
    else:
        for value, made_of_it in zip(structure, made, strict=True):
            in_order_of(value, made_of_it, is_leaf)
    return made


def key_orders(structure: object) -> list[tuple[object, ...]]:
    """The keys of each dictionary in insertion order, which JAX's treedef does not preserve."""
    if isinstance(structure, dict):
        return [tuple(structure), *(order for value in structure.values() for order in key_orders(value))]
    if isinstance(structure, (list, tuple, deque)):
        return [order for value in structure for order in key_orders(value)]
    return []


def lists_to_tuples(structure: object) -> Any:
    """The same structure with tuples instead of lists.

    Args:
        structure: any nested structure.

    Example:

        print(cornu.tree.lists_to_tuples({"a": [1, 2]}))  # {'a': (1, 2)}
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def traverse(func: Callable[..., object], structure: object, top_down: bool = True) -> Any:
    """Visit every node of `structure`; a value returned by `func` replaces the node.

    Args:
        func: function of a leaf or container; None keeps it, and `MAP_TO_NONE` puts None in its place.
        structure: any nested structure.
        top_down: whether containers are visited before what they hold. Defaults to True.

    Example:

        print(cornu.tree.traverse(lambda x: x * 10 if isinstance(x, int) else None, [1, (2, 3)]))  # [10, (20, 30)]
    """
    if top_down:
        replaced = func(structure)
        if replaced is not None:
            return None if replaced is MAP_TO_NONE else replaced
    definition: Any
    children, definition = jtu.tree_flatten(structure, is_leaf=lambda x: x is not structure or x is None)
    if is_nested(structure):
        made = definition.unflatten([traverse(func, child, top_down) for child in children])
        structure = in_order_of(structure, made, is_leaf=lambda x: x is not structure)
    if not top_down:
        replaced = func(structure)
        if replaced is not None:
            return None if replaced is MAP_TO_NONE else replaced
    return structure


if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
