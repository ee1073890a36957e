"""The signature for which a function is compiled: the structure of its data, with the shape and dtype of each array."""

from typing import Any

import jax
import numpy as np

from cornu.core.typing import AnyTuple, Tensor

ArraySignature = tuple[tuple[int, ...], Any]


def signature(data: object) -> AnyTuple:
    """The signature of a batch, comparable and hashable; None in place of an array is part of the structure."""
    leaves, structure = jax.tree.flatten(data)
    return structure, tuple(map(of_array, leaves))


def of_array(array: Tensor) -> ArraySignature:
    """The shape and the dtype of one array; a Python number has no dtype."""
    return np.shape(array), getattr(array, "dtype", None)


def described(data: object) -> str:
    """The shapes and dtypes of a batch, as text."""
    return ", ".join(f"{dtype}{list(shape)}" for shape, dtype in map(of_array, jax.tree.leaves(data)))
