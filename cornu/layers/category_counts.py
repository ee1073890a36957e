"""Encoding categories as vectors: which of them occur, or how often, along the second axis.

Categories out of range are ignored. One implementation serves NumPy and JAX arrays.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import dtypes
from cornu.core.typing import Tensor
from cornu.layers.host import numpy_for

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")
_OLDER_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def mode_of(name: Tensor, known: tuple[str, ...], owner: object) -> str:
    """An output mode by its name, which may be that of older Keras."""
    return validate.one_of(_OLDER_NAMES.get(name, name) if isinstance(name, str) else name, known, "output_mode", owner)


def encode(indices: Tensor, mode: str, depth: int, dtype: str, weights: Tensor = None) -> Tensor:
    """Integer categories in one of the output modes of preprocessing layers.

    Args:
        indices: integers of shape (n,) or (batch, n, ...), or a single one.
        mode: "int" returns the integers; "one_hot" a vector for each; "multi_hot" and "count" one vector for each n of
            them, with ones for the categories that occur, or with the sums of their weights.
        depth: length of the vectors.
        dtype: dtype of the vectors.
        weights: for "count", the weight of each integer; None is 1.
    """
    xp, kept = numpy_for(indices), jnp.dtype(dtypes.storage_dtype(dtype))
    if mode == "int":
        return indices.astype(kept)
    if indices.ndim == 0:
        indices = indices[None]
        weights = None if weights is None else xp.reshape(weights, (1,))
    if mode == "one_hot":
        single = indices[..., 0] if indices.ndim > 1 and indices.shape[-1] == 1 else indices
        return (single[..., None] == xp.arange(depth)).astype(kept)
    if indices.ndim > 2:  # (batch, n, ...) -> (batch, ..., n)
        indices = xp.moveaxis(indices, 1, -1)
        weights = None if weights is None else xp.moveaxis(xp.asarray(weights), 1, -1)
    counts = (_count_numpy if xp is np else _count_jax)(indices, depth, weights)
    return (counts > 0 if mode == "multi_hot" else counts).astype(kept)


def count_rows(rows: np.ndarray, indices: np.ndarray, shape: tuple[int, int], weights: Tensor = None) -> np.ndarray:
    """How often (or with what total weight) each integer occurs in each row: an array of `shape` (rows, depth)."""
    inside = (indices >= 0) & (indices < shape[1])
    weights = None if weights is None else weights[inside]
    places = rows[inside] * shape[1] + indices[inside]
    return np.bincount(places, weights, minlength=shape[0] * shape[1]).reshape(shape)


def _count_numpy(indices: np.ndarray, depth: int, weights: Tensor) -> np.ndarray:
    outer, length = indices.shape[:-1], indices.shape[-1]
    number = int(np.prod(outer))
    rows = np.repeat(np.arange(number), length)
    flat = None if weights is None else np.broadcast_to(weights, indices.shape).ravel()
    return count_rows(rows, indices.ravel(), (number, depth), flat).reshape(*outer, depth)


def _count_jax(indices: jax.Array, depth: int, weights: Tensor) -> jax.Array:
    weights = jnp.ones(indices.shape, "float32") if weights is None else jnp.broadcast_to(weights, indices.shape)
    places = jnp.where(indices < 0, depth, indices)  # out of bounds, where it is dropped

    def count(places: jax.Array, weights: jax.Array) -> jax.Array:
        return jnp.zeros(depth, weights.dtype).at[places].add(weights, mode="drop")

    for _ in range(indices.ndim - 1):
        count = jax.vmap(count)
    return count(places, weights)
