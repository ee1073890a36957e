"""Processes that compute together: what each must know of the others, and how they agree. All of it is JAX's own.

They run one program: each starts the same computations in the same order, or all of them wait for ever. So whatever one
process alone sees (its clock, its signals) and what decides about computations goes through `highest`, and all that is
here is called by all processes, in one order, in their main threads.
"""

from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from cornu import lazy
from cornu.core import progress
from cornu.core.typing import Tensor

multihost_utils = lazy.module("jax.experimental.multihost_utils")


def count() -> int:
    """How many processes JAX has joined; 1 where it has joined none."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this is the process that writes files and speaks for all."""
    return jax.process_index() == 0


def highest(*numbers: int) -> list[int]:
    """For each number, of 32 bits, the highest that a process says."""
    progress.here.started += 1
    found = multihost_utils.process_allgather(np.array(numbers, "int32"))
    return np.max(np.reshape(found, (-1, len(numbers))), axis=0).tolist()


def are_one(*numbers: int) -> bool:
    """Whether all processes say the same numbers, of 32 bits."""
    found = highest(*numbers, *(-number for number in numbers))
    return found == [*numbers, *(-number for number in numbers)]


def whole(array: jax.Array) -> jax.Array:
    """An array whose parts other processes have, gathered so that each has all of it; any other as it is."""
    if isinstance(array, jax.core.Tracer) or array.is_fully_addressable or array.is_fully_replicated:
        return array
    if not isinstance(array.sharding, NamedSharding):
        return array
    return resharded(array, NamedSharding(array.sharding.mesh, PartitionSpec()))


def on_host(array: Tensor) -> Any:
    """An array whose parts other processes have, on the host; any other as it is."""
    gathered = whole(array)
    return array if gathered is array else np.asarray(gathered)


def resharded(array: jax.Array, sharding: Sharding) -> jax.Array:
    """An array that all processes have part of, with its parts elsewhere."""
    progress.here.started += 1
    return jax.jit(_same, out_shardings=sharding)(array)


def _same(array: jax.Array) -> jax.Array:
    return array


def from_parts(
    shape: tuple[int, ...], sharding: Sharding, part: np.ndarray, first: int = 0, axis: int = 0
) -> jax.Array:
    """An array over the devices of several processes, to which each brings what its own devices hold.

    Args:
        shape: of the whole array.
        sharding: where its parts go.
        part: the rows that this process brings; all of them where they are needed everywhere.
        first: which row of the whole the part begins with.
        axis: of the rows.
    """
    return jax.make_array_from_callback(shape, sharding, partial(_cut, part, first, shape, axis))


def _cut(part: np.ndarray, first: int, shape: tuple[int, ...], axis: int, index: tuple[slice, ...]) -> np.ndarray:
    if not index:
        return part
    start, stop, _ = index[axis].indices(shape[axis])
    return part[(*index[:axis], slice(start - first, stop - first), *index[axis + 1 :])]


def own_rows(sharding: NamedSharding, rows: int) -> range | None:
    """The rows that this process's devices hold of arrays whose first axis is split so; None where there are gaps."""
    one_axis = NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[:1]))
    held = one_axis.addressable_devices_indices_map((rows,))
    found = {index[0].indices(rows)[:2] for index in held.values() if index}
    own = {row for start, stop in found for row in range(start, stop)}
    return range(min(own), max(own) + 1) if len(own) == max(own) + 1 - min(own) else None
