"""The elements of a dataset: arrays in tuples and dictionaries, and their specs.

Tuples and dictionaries are structure, anything else is a single array, including lists. Inside the pipeline there are
plain NumPy arrays. When an element leaves it, into a loop or a user's function, it passes through `handed_out` or
`given`; `present_as` is the only hook for converting it to other tensors there.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from cornu.core import border, host_programs
from cornu.core.typing import AnyFunction, DTypeLike, Nested, Shape, Tensor

Element: TypeAlias = Any
"""An array, or tuples and dictionaries of arrays."""

Spec: TypeAlias = Any
"""A `TensorSpec`, or tuples and dictionaries of specs."""

TEXT = np.dtype("U")


class DataArray(np.ndarray):
    """An array as yielded by a loop over a dataset: NumPy's, with the `numpy()` method that TensorFlow scripts call."""

    def numpy(self) -> np.ndarray:
        """The plain array, or the value of a scalar array; text as UTF-8, as in TensorFlow."""
        plain = self.view(np.ndarray)
        if plain.dtype.kind == "U":
            plain = np.array([text.encode() for text in plain.flat], object).reshape(plain.shape)
        return plain[()]

    def __getitem__(self, index: Tensor) -> np.ndarray:
        found = super().__getitem__(index)
        return found if isinstance(found, np.ndarray) else _single(found).view(DataArray)


def _single(value: object) -> np.ndarray:
    """A single value as a scalar array."""
    array = np.empty((), np.asarray(value).dtype if isinstance(value, np.generic) else object)
    array[()] = value
    return array


def map_leaves(function: AnyFunction, first: Element, *others: Element) -> Element:
    """Apply `function` to the arrays of elements of the same structure."""
    if isinstance(first, tuple):
        made = [map_leaves(function, *parts) for parts in zip(first, *others, strict=True)]
        return type(first)(*made) if hasattr(first, "_fields") else tuple(made)
    if isinstance(first, Mapping):
        return {key: map_leaves(function, first[key], *(other[key] for other in others)) for key in first}
    return function(first, *others)


def copied(leaf: object) -> Any:
    """A copy of an array: an iterator may use its memory again for the next element."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def leaves(element: Element) -> Iterator[Any]:
    """The arrays of an element, from left to right."""
    if isinstance(element, (tuple, Mapping)):
        for part in element.values() if isinstance(element, Mapping) else element:
            yield from leaves(part)
    else:
        yield element


def numbered(element: Element) -> Element:
    """The structure of an element with the index of each array in its place; `leaves` has the same order."""
    numbers = count()
    return map_leaves(lambda _: next(numbers), element)


def same_structure(first: Element, second: Element) -> bool:
    """Whether two elements have the same nesting."""
    if isinstance(first, Mapping):
        return (
            isinstance(second, Mapping)
            and first.keys() == second.keys()
            and all(same_structure(first[key], second[key]) for key in first)
        )
    if isinstance(first, tuple):
        return (
            isinstance(second, tuple)
            and len(first) == len(second)
            and all(map(same_structure, first, second))
        )  # fmt: skip
    return not isinstance(second, (tuple, Mapping))


# ---------------------------------------------------------------- from the user's values to arrays


def as_element(value: object) -> Element:
    """A user's value as an element: numbers, lists and arrays of any library become NumPy arrays."""
    return value if type(value) is np.ndarray else map_leaves(as_array, value)


def as_array(value: object) -> Element:
    """A single array. Python numbers become int32 and float32, as in TensorFlow; None and datasets are kept."""
    if type(value) is np.ndarray or value is None or hasattr(type(value), "element_spec"):
        return value
    if isinstance(value, np.ndarray):
        return value.view(np.ndarray)
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, bytes):
        return _single(value)
    if isinstance(value, (list, bool, int, float, str)):
        return _from_python(value)
    return border.to_numpy(value, "Dataset", "an element")


def _from_python(value: Tensor) -> np.ndarray:
    first = value
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, bytes):
        return np.array(value, object)
    if _holds_arrays(value):
        value = [as_array(item) for item in value]
        shapes = {item.shape for item in value}
        if len(shapes) > 1:
            raise ValueError(
                f"a list is a single array, but this one has items of shapes {sorted(shapes)}. Use a tuple: (x, y)."
            )
    array = border.to_numpy(value, "Dataset", "a list")
    if not isinstance(first, (int, float)):
        return array
    if array.dtype == "float64":
        return array.astype("float32")
    narrow = array.astype("int32") if array.dtype == "int64" else array
    return narrow if np.array_equal(narrow, array) else array


def _holds_arrays(value: object) -> bool:
    return isinstance(value, list) and any(border.is_array(item) for item in value)


def read_only(leaf: object) -> Element:
    """A read-only array over the same memory; anything else unchanged."""
    if isinstance(leaf, np.ndarray):
        leaf = leaf.view()
        leaf.flags.writeable = False
    return leaf


# ---------------------------------------------------------------- from arrays to the user

_presented: Callable[[np.ndarray], object] | None = None


def present_as(function: Callable[[np.ndarray], object] | None) -> None:
    """From now on, pass `function(array)` for each array to loops and users' functions, and for text from layers.

    None restores the default: NumPy arrays, in loops with the method `numpy()`.
    """
    global _presented  # noqa: PLW0603 - one setting of the process
    _presented = function


def given(element: Element) -> Element:
    """An element as passed to a user's function."""
    return element if _presented is None else map_leaves(_present, element)


def handed_out(element: Element) -> Element:
    """An element as yielded to a user's loop."""
    return map_leaves(_present, element)


def plain(element: Element) -> Element:
    """An element as NumPy's own values; see `DataArray.numpy`."""
    return map_leaves(lambda leaf: leaf.view(DataArray).numpy() if isinstance(leaf, np.ndarray) else leaf, element)


def _present(leaf: object) -> Element:
    if _presented is None:
        return leaf.view(DataArray) if isinstance(leaf, np.ndarray) else leaf
    return _presented(np.asarray(leaf)) if isinstance(leaf, (np.ndarray, str)) else leaf


def call(function: AnyFunction, element: Element) -> Any:
    """Call a user's function with an element; a tuple is spread over its arguments."""
    element = given(element)
    return host_programs.preferring(function, *(element if type(element) is tuple else (element,)))


# ---------------------------------------------------------------- specs


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of an array in a dataset.

    Args:
        shape: sizes of the axes, None for one that varies between elements; None instead of the tuple if nothing is
        known.
        dtype: NumPy dtype or its name; "string" for text. Defaults to `"float32"`.
        name: an arbitrary name, which has no effect.

    Example:

        print(cornu.data.TensorSpec((None, 28), "float32").shape)  # (None, 28)
    """

    shape: tuple[int | None, ...] | None = ()
    dtype: Any = "float32"
    name: str | None = None

    def __post_init__(self) -> None:
        shape = None if self.shape is None or getattr(self.shape, "rank", 0) is None else tuple(self.shape)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtype", as_dtype(self.dtype))

    def read(self, value: object, owner: str) -> np.ndarray:
        """`value` as an array of this spec, or an error that says how it differs."""
        array = np.asarray(as_array(value))
        if (self.dtype.kind == "U") != (array.dtype.kind in "OUS"):
            raise TypeError(f"{owner}: expected an array of {self.dtype}. Received: {border.shortened(value)}.")
        if self.shape is not None and not fits(array.shape, self.shape):
            raise ValueError(f"{owner}: expected an array of shape {self.shape}. Received: shape {array.shape}.")
        return array if self.dtype.kind == "U" else array.astype(self.dtype, copy=False)


def as_dtype(dtype: DTypeLike) -> np.dtype:
    """The NumPy dtype for anything that describes one; text of any length is `TEXT`."""
    name = getattr(dtype, "name", dtype)
    if name in ("string", "str", str, bytes) or getattr(dtype, "kind", "") in ("O", "U", "S"):
        return TEXT
    return np.dtype(name)


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is compatible with `wanted`."""
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))


def spec_of(leaf: Nested) -> Spec:
    """The spec of an array, or of the elements of a dataset within an element."""
    if isinstance(leaf, np.ndarray):
        return TensorSpec(leaf.shape, leaf.dtype)
    return None if leaf is None else leaf.element_spec


def with_leading(spec: Element, size: int | None) -> Element:
    """The specs of batches of `size` elements."""
    return _with_shapes(spec, lambda shape: (size, *shape))


def without_leading(spec: Element) -> Element:
    """The specs of the rows of batches."""
    return _with_shapes(spec, lambda shape: shape[1:])


def _with_shapes(spec: Element, shape_of: Callable[[Shape], Shape]) -> Element:
    """Specs with shapes transformed by a function; unknown ones stay unknown."""
    return map_leaves(lambda s: TensorSpec(None if s.shape is None else shape_of(s.shape), s.dtype), spec)


def opened_where(spec: Spec, before: Sequence[Element], after: Sequence[Element]) -> Spec:
    """The specs after a function, inferred from a few elements: sizes that differ or were open before are open."""
    open_sizes = set.intersection(*[_open_sizes(spec, element) for element in before])

    def opened(found: Spec) -> Spec:
        if not isinstance(found, TensorSpec) or found.shape is None:
            return found
        return TensorSpec(tuple(None if size in open_sizes else size for size in found.shape), found.dtype)

    return map_leaves(opened, agreed([map_leaves(spec_of, element) for element in after]))


def _open_sizes(spec: Spec, element: Element) -> set[int]:
    """The sizes of an element that its specs leave open."""
    known = zip(leaves(spec), leaves(element), strict=True)
    pairs = [pair for s, leaf in known for pair in zip(s.shape or (None,) * leaf.ndim, leaf.shape, strict=True)]
    return {size for given, size in pairs if given is None}


def agreed(specs: Sequence[Spec]) -> Spec:
    """The most specific specs that cover all with the structure of the first."""
    alike = [spec for spec in specs if same_structure(specs[0], spec)]
    return functools.reduce(lambda first, second: map_leaves(common, first, second), alike)


def common(first: Spec, second: Spec) -> Spec:
    """The most specific spec that covers both, each a spec or None."""
    if first is None or second is None:
        return first
    if first.shape is None or second.shape is None or len(first.shape) != len(second.shape):
        return TensorSpec(None, first.dtype)
    shape = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
    return TensorSpec(shape, first.dtype)
