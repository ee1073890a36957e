"""Text as in TensorFlow's tensors: NumPy arrays of bytes."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cornu.core.typing import Tensor


class Text(np.ndarray):
    """An array of bytes; a single one has no axes."""

    def numpy(self) -> Tensor:
        """The bytes, or a plain array of them."""
        return self.item() if self.ndim == 0 else np.array(self)

    def __getitem__(self, index: Tensor) -> Tensor:
        found = super().__getitem__(index)
        return found if isinstance(found, np.ndarray) else text(found)

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def __str__(self) -> str:
        return str(np.asarray(self))

    def __iter__(self) -> Iterator["Text"]:
        return (self[at] for at in range(len(self)))

    def __add__(self, other: object) -> Tensor:
        return joined([self, other])

    def __radd__(self, other: object) -> Tensor:
        return joined([other, self])

    def __eq__(self, other: object) -> Tensor:
        return np.asarray(self) == np.asarray(text(other))

    def __ne__(self, other: object) -> Tensor:
        return np.asarray(self) != np.asarray(text(other))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.item())

    def __fspath__(self) -> str:
        return self.item().decode()


def is_text(value: Tensor) -> bool:
    """Whether a value is text, or a list or array of it."""
    if isinstance(value, (str, bytes, Text)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "SU" or (value.dtype.kind in "OT" and value.size > 0 and is_text(value.flat[0]))
    return isinstance(value, (list, tuple)) and len(value) > 0 and is_text(value[0])


def text(value: Tensor) -> Text:
    """Text of any kind as an array of bytes."""
    if isinstance(value, Text):
        return value
    if isinstance(value, (str, bytes)):
        made = np.empty((), object)
        made[()] = value.encode() if isinstance(value, str) else bytes(value)
        return made.view(Text)
    array = np.array(value, object)
    made = np.empty(array.shape, object)
    for at, item in np.ndenumerate(array):
        made[at] = item.encode() if isinstance(item, str) else bytes(item)
    return made.view(Text)


def each_text(function: Callable[[bytes], Any], input: Tensor) -> Text:
    """What a function makes of each text."""
    source = text(input)
    made = np.empty(source.shape, object)
    for at, item in np.ndenumerate(np.asarray(source)):
        made[at] = function(item)
    return made.view(Text)


def joined(inputs: Tensor, separator: str = "") -> Text:
    """Texts, element by element, behind one another."""
    arrays = np.broadcast_arrays(*(np.asarray(text(each)) for each in inputs))
    made = np.empty(arrays[0].shape, object)
    for at in np.ndindex(made.shape):
        made[at] = separator.encode().join([bytes(array[at]) for array in arrays])
    return made.view(Text)
