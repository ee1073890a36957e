"""Arrays of older files in the layout of the current variables.

What a layer's arrays mean is inferred from their names and shapes: Keras 1 stored the gates of LSTM and GRU separately,
CuDNN layers stored each gate's matrix transposed and two biases, Theano rotated the kernels of convolutions by 180
degrees, and Keras 1 with `dim_ordering="th"` put their channels first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cornu.core.variable import Variable

# Keras 1's names of weights.
_ROLES = {
    "W": "kernel", "U": "recurrent_kernel", "alphas": "alpha", "b": "bias", "beta": "beta", "gamma": "gamma",
    "running_mean": "moving_mean", "running_std": "moving_variance",
}  # fmt: skip
_OLD_NAME = re.compile(rf"^(.+)_({'|'.join(_ROLES)})$")
_GATE = re.compile(r"^(.+)_([WUb])_([icfozrh])$")
_GATES = {"icfo": "ifco", "zrh": "zrh"}  # the gates in the order of Keras 1, and in the current order
_CONVOLUTIONS = (
    "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D",
    "ConvLSTM3D", "ConvLSTMCell",
)  # fmt: skip


class Stored(NamedTuple):
    """An array of a file: the layer and the role given by its name, and how to read it."""

    owner: str
    role: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


class Origin(NamedTuple):
    """The Keras version that wrote a file, as far as it affects arrays."""

    release: int
    theano: bool


def stored(name: str, shape: tuple[int, ...], read: Callable[[], np.ndarray]) -> Stored:
    """An array with its name in the file: `lstm/kernel:0` or, in Keras 1, `lstm_W`."""
    return Stored(*owner_and_role(name), shape, read)


def owner_and_role(path: str) -> tuple[str, str]:
    """The layer and the weight that a name or path ends with."""
    *above, last = path.partition(":")[0].split("/")
    old = _OLD_NAME.match(last)
    if old:
        return old[1], _ROLES[old[2]]
    return (above[-1] if above else ""), last


def is_of_keras_1(path: str) -> bool:
    """Whether an array's name is in the style of Keras 1."""
    last = path.partition(":")[0].rpartition("/")[2]
    return bool(_OLD_NAME.match(last) or _GATE.match(last))


def is_trained_in_keras_1(path: str) -> bool:
    """Whether an array of this name is trainable: all except the moving averages are."""
    return not owner_and_role(path)[1].startswith("moving_")


def renamed(array: Stored, name: str) -> Stored:
    """The array under another name."""
    return stored(name, array.shape, array.read)


# ---------------------------------------------------------------- arrays that belong together


def joined(arrays: Sequence[Stored]) -> list[Stored]:
    """The arrays with the gates of Keras 1 concatenated, and those of CuDNN transposed."""
    result = _with_gates_joined(arrays)
    for place in range(len(result) - 2):
        if [array.role for array in result[place : place + 3]] == ["kernel", "recurrent_kernel", "bias"]:
            result[place : place + 3] = _from_cudnn(result[place : place + 3])
    return result


def _with_gates_joined(arrays: Sequence[Stored]) -> list[Stored]:
    groups: dict[str, dict[str, dict[str, Stored]]] = {}
    places: list[Stored | str] = []
    for array in arrays:
        found = _GATE.match(array.role)
        if not found:
            places.append(array)
            continue
        owner, matrix, gate = found.groups()
        if owner not in groups:
            places.append(owner)
        groups.setdefault(owner, {}).setdefault(matrix, {})[gate] = array
    return [
        item
        for place in places
        for item in (_gates(place, groups[place]) if isinstance(place, str) else [place])
    ]  # fmt: skip


def _gates(owner: str, matrices: dict[str, dict[str, Stored]]) -> list[Stored]:
    """Kernel, recurrent kernel and bias of a layer whose gates are stored separately."""
    made = []
    for matrix, parts in matrices.items():
        order = _GATES.get("".join(parts))
        if order is None:
            raise ValueError(f'The file has the gates {"".join(parts)!r} for "{owner}", which no layer uses.')
        ordered = [parts[gate] for gate in order]
        width = sum(part.shape[-1] if part.shape else 1 for part in ordered)
        made.append(Stored(owner, _ROLES[matrix], (*ordered[0].shape[:-1], width), _Joined(ordered)))
    return made


class _Joined:
    """Reads several arrays as their concatenation."""

    def __init__(self, parts: Sequence[Stored]):
        self.parts = parts

    def __call__(self) -> np.ndarray:
        return np.concatenate([part.read() for part in self.parts], axis=-1)


def _from_cudnn(arrays: list[Stored]) -> list[Stored]:
    """The three arrays of an LSTM or GRU, which CuDNN layers wrote with two biases."""
    kernel, recurrent, bias = arrays
    if not len(kernel.shape) == len(recurrent.shape) == 2 or bias.shape != (2 * kernel.shape[1],):
        return arrays
    width = kernel.shape[1]
    if recurrent.shape[1] != width or width not in (3 * recurrent.shape[0], 4 * recurrent.shape[0]):
        return arrays
    gates = width // recurrent.shape[0]
    if gates == 4:
        both = bias._replace(shape=(width,), read=lambda: bias.read().reshape(2, width).sum(axis=0))
    else:
        both = bias._replace(shape=(2, width), read=lambda: bias.read().reshape(2, width))
    return [array._replace(read=_Turned(array, gates)) for array in (kernel, recurrent)] + [both]


class _Turned:
    """Reads a matrix whose gates have shape (inputs, units) but contain (units, inputs)."""

    def __init__(self, stored: Stored, gates: int):
        self.stored, self.gates = stored, gates

    def __call__(self) -> np.ndarray:
        parts = np.split(self.stored.read(), self.gates, axis=1)
        return np.concatenate([part.reshape(part.shape[::-1]).T for part in parts], axis=1)


# ---------------------------------------------------------------- one array for one variable


def is_kernel(variable: Variable, layer: object) -> bool:
    """Whether a variable of `layer` is the kernel of a convolution."""
    return type(layer).__name__ in _CONVOLUTIONS and len(variable.shape) >= 3


def fitted(array: Stored, variable: Variable, layer: object, origin: Origin) -> Stored:
    """The array in the layout of `variable`, which belongs to `layer`, if it is known to have had another one."""
    if not is_kernel(variable, layer):
        return array
    spatial = tuple(range(len(variable.shape) - 2))
    if origin.release == 1:
        array = _kernel_of_keras_1(array, variable, layer)
    if origin.theano:
        return array._replace(read=lambda: np.flip(array.read(), spatial))
    return array


def _kernel_of_keras_1(array: Stored, variable: Variable, layer: Any) -> Stored:
    """Kernels are channels first if the layer is; Conv1D's had a second axis of size 1."""
    shape, read = array.shape, array.read
    if len(shape) == 4 and len(variable.shape) == 3 and shape[1] == 1:
        return array._replace(shape=(shape[0], *shape[2:]), read=lambda: read()[:, 0])
    if layer.data_format == "channels_first" and len(shape) == len(variable.shape):
        order = (*range(2, len(shape)), 1, 0)
        return array._replace(shape=tuple(shape[axis] for axis in order), read=lambda: read().transpose(order))
    return array


# ---------------------------------------------------------------- which array is for which variable


def matched(arrays: Sequence[Stored], orders: Iterable[Sequence[Variable]]) -> list[Variable]:
    """The variables in the order of the arrays: by name, otherwise in the best-matching order of `orders`.

    Args:
        arrays: the arrays of a layer.
        orders: its variables, in all orders that a file may use; the usual one first.
    """
    known = [list(order) for order in orders]
    by_name: dict[tuple[str, str], Variable] = {owner_and_role(variable.path): variable for variable in known[0]}
    names = [(array.owner, array.role) for array in arrays]
    if len(set(names)) == len(names) == len(known[0]) and set(names) == by_name.keys():
        return [by_name[name] for name in names]
    return max(known, key=lambda order: _likeness(arrays, order))


def _likeness(arrays: Sequence[Stored], variables: Sequence[Variable]) -> int:
    """The number of arrays that match their variables in shape and name suffix."""
    pairs = list(zip(arrays, variables, strict=False))
    shapes = sum(tuple(array.shape) == tuple(variable.shape) for array, variable in pairs)
    return shapes * (len(pairs) + 1) + sum(array.role == owner_and_role(v.path)[1] for array, v in pairs)
