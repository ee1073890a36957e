"""What flows through a data set: arrays in tuples and dictionaries, and what is known of them beforehand.

Tuples and dictionaries are structure, anything else is one array, lists as well. Inside the pipeline there are plain
NumPy arrays. Where an element leaves it, into a loop or a function of the user's, it goes through `handed_out` or
`given`; `present_as` is the one place for those who want other tensors there.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from cornu.core import border, host_programs
from cornu.core.typing import DTypeLike, Nested, Tensor

Element: TypeAlias = Any
"""An array, or tuples and dictionaries of such."""

Spec: TypeAlias = Any
"""A `TensorSpec`, or tuples and dictionaries of such."""

TEXT = np.dtype("U")


class DataArray(np.ndarray):
    """An array as a loop over a data set gives it: NumPy's, with the `numpy()` that scripts for TensorFlow call."""

    def numpy(self) -> np.ndarray:
        """The plain array, or the one value of an array without axes; text as UTF-8, as TensorFlow has it."""
        plain = self.view(np.ndarray)
        if plain.dtype.kind == "U":
            plain = np.array([text.encode() for text in plain.flat], object).reshape(plain.shape)
        return plain[()]

    def __getitem__(self, index: Tensor) -> np.ndarray:
        found = super().__getitem__(index)
        return found if isinstance(found, np.ndarray) else _single(found).view(DataArray)


def _single(value: object) -> np.ndarray:
    """One value as an array without axes."""
    array = np.empty((), np.asarray(value).dtype if isinstance(value, np.generic) else object)
    array[()] = value
    return array


def map_leaves(function: Callable, first: Element, *others: Element) -> Element:
    """Apply `function` to the arrays of elements of one structure."""
    if isinstance(first, tuple):
        made = [map_leaves(function, *parts) for parts in zip(first, *others, strict=True)]
        return type(first)(*made) if hasattr(first, "_fields") else tuple(made)
    if isinstance(first, Mapping):
        return {key: map_leaves(function, first[key], *(other[key] for other in others)) for key in first}
    return function(first, *others)


def leaves(element: Element) -> Iterator[Any]:
    """The arrays of an element, from left to right."""
    if isinstance(element, (tuple, Mapping)):
        for part in element.values() if isinstance(element, Mapping) else element:
            yield from leaves(part)
    else:
        yield element


def numbered(element: Element) -> Element:
    """The structure of an element with the number of each array in its place; `leaves` has them in that order."""
    numbers = count()
    return map_leaves(lambda _: next(numbers), element)


def same_structure(first: Element, second: Element) -> bool:
    """Whether two elements are nested alike."""
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
    """One array. Python's numbers become int32 and float32, as in TensorFlow; None and data sets stay."""
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
            raise ValueError(f"a list is one array, but holds shapes {sorted(shapes)}. Make it a tuple: (x, y).")
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
    """An array over the same memory that nobody can write to; anything else as it is."""
    if isinstance(leaf, np.ndarray):
        leaf = leaf.view()
        leaf.flags.writeable = False
    return leaf


# ---------------------------------------------------------------- out to the user

_presented: Callable[[np.ndarray], object] | None = None


def present_as(function: Callable[[np.ndarray], object] | None) -> None:
    """From here on give loops and functions of the user's, and where layers give text, `function(array)` for arrays.

    None goes back to the usual: NumPy arrays, in loops with the method `numpy()`.
    """
    global _presented  # noqa: PLW0603 - one setting of the process
    _presented = function


def given(element: Element) -> Element:
    """An element as a function of the user's is given it."""
    return element if _presented is None else map_leaves(_present, element)


def handed_out(element: Element) -> Element:
    """An element as a loop of the user's is given it."""
    return map_leaves(_present, element)


def plain(element: Element) -> Element:
    """An element as NumPy's own values; see `DataArray.numpy`."""
    return map_leaves(lambda leaf: leaf.view(DataArray).numpy() if isinstance(leaf, np.ndarray) else leaf, element)


def _present(leaf: object) -> Element:
    if _presented is None:
        return leaf.view(DataArray) if isinstance(leaf, np.ndarray) else leaf
    return _presented(np.asarray(leaf)) if isinstance(leaf, (np.ndarray, str)) else leaf


def call(function: Callable, element: Element) -> Any:
    """Call a user's function with an element; a tuple is spread over its arguments."""
    element = given(element)
    return host_programs.preferring(function, *(element if type(element) is tuple else (element,)))


# ---------------------------------------------------------------- what is known beforehand


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of an array of a data set.

    Args:
        shape: sizes of the axes, None for one that differs from element to element; None where nothing is known.
        dtype: NumPy's dtype or its name; "string" for text.
        name: name for the reader; it does nothing.

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
        """`value` as an array of this kind, or an error that says how it differs."""
        array = np.asarray(as_array(value))
        if (self.dtype.kind == "U") != (array.dtype.kind in "OUS"):
            raise TypeError(f"{owner}: expected an array of {self.dtype}. Received: {border.shortened(value)}.")
        if self.shape is not None and not fits(array.shape, self.shape):
            raise ValueError(f"{owner}: expected an array of shape {self.shape}. Received: shape {array.shape}.")
        return array if self.dtype.kind == "U" else array.astype(self.dtype, copy=False)


def as_dtype(dtype: DTypeLike) -> np.dtype:
    """NumPy's dtype of anything that names one; text of any length is `TEXT`."""
    name = getattr(dtype, "name", dtype)
    if name in ("string", "str", str, bytes) or getattr(dtype, "kind", "") in ("O", "U", "S"):
        return TEXT
    return np.dtype(name)


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is one of those that `wanted` allows."""
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))


def spec_of(leaf: Nested) -> Spec:
    """What is known of an array, or of the elements of a data set within an element."""
    if isinstance(leaf, np.ndarray):
        return TensorSpec(leaf.shape, leaf.dtype)
    return None if leaf is None else leaf.element_spec


def with_leading(spec: Element, size: int | None) -> Element:
    """The specs of batches of `size` elements."""
    return _with_shapes(spec, lambda shape: (size, *shape))


def without_leading(spec: Element) -> Element:
    """The specs of the rows of batches."""
    return _with_shapes(spec, lambda shape: shape[1:])


def _with_shapes(spec: Element, shape_of: Callable[[tuple], tuple]) -> Element:
    """Specs with the shapes that a function makes of theirs; where nothing is known, nothing is."""
    return map_leaves(lambda s: TensorSpec(None if s.shape is None else shape_of(s.shape), s.dtype), spec)


def opened_where(spec: Spec, before: Sequence[Element], after: Sequence[Element]) -> Spec:
    """What a few elements tell of all, after a function: open is a size that differs, or equals one open before it."""
    open_sizes = set.intersection(*[_open_sizes(spec, element) for element in before])

    def opened(found: Spec) -> Spec:
        if not isinstance(found, TensorSpec) or found.shape is None:
            return found
        return TensorSpec(tuple(None if size in open_sizes else size for size in found.shape), found.dtype)

    return map_leaves(opened, agreed([map_leaves(spec_of, element) for element in after]))


def _open_sizes(spec: Spec, element: Element) -> set[int]:
    """The sizes of an element of which its specs do not tell."""
    known = zip(leaves(spec), leaves(element), strict=True)
    pairs = [pair for s, leaf in known for pair in zip(s.shape or (None,) * leaf.ndim, leaf.shape, strict=True)]
    return {size for given, size in pairs if given is None}


def agreed(specs: Sequence[Spec]) -> Spec:
    """What holds of all that have the structure of the first."""
    alike = [spec for spec in specs if same_structure(specs[0], spec)]
    return functools.reduce(lambda first, second: map_leaves(common, first, second), alike)


def common(first: Spec, second: Spec) -> Spec:
    """What holds of two arrays, or of nothing and nothing."""
    if first is None or second is None:
        return first
    if first.shape is None or second.shape is None or len(first.shape) != len(second.shape):
        return TensorSpec(None, first.dtype)
    shape = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
    return TensorSpec(shape, first.dtype)
