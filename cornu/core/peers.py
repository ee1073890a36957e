"""Processes that compute together: what each must know of the others, and how they agree. All of it is JAX's own.

They run one program: each starts the same computations in the same order, or all of them wait for ever. So whatever one
process alone sees (its clock, its signals) and what decides about computations goes through `highest`, and all that is
here is called by all processes, in one order, in their main threads.

Where one of them may not come, because it has failed or has nothing left to compute, they meet without a computation:
by notes that they leave with JAX's coordinator.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import jax
import numpy as np
from jax._src import distributed
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from cornu import lazy
from cornu.core import progress
from cornu.core.typing import Tensor

multihost_utils = lazy.module("jax.experimental.multihost_utils")

_KEPT = 16  # meetings whose notes stay for those who come late


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


def client() -> Any:
    """JAX's connection to the coordinator, with which processes leave notes for each other; None where it has none."""
    return distributed.global_state.client


def notes(connection: Any, folder: str) -> dict[int, str]:
    """What each process has left under a name that ends in its number."""
    return {int(key.rpartition("/")[2]): text for key, text in connection.key_value_dir_get(folder)}


def beats(connection: Any) -> dict[int, progress.Beat]:
    """What each process last said of itself."""
    return {rank: progress.Beat(*json.loads(text)) for rank, text in notes(connection, progress.BEATS).items()}


def meet(number: int, complaint: str) -> None:
    """Wait until all processes come here, each with the same number.

    Args:
        number: what must be the same.
        complaint: what is said where it is not.

    Raises:
        ValueError: where another process brings another number, or has started a computation that this one will not.
    """

    def check(said: dict[int, Any]) -> None:
        ahead = [rank for rank, beat in beats(client()).items() if beat.started > progress.here.started]
        for rank in [rank for rank, other in said.items() if other != number] or ahead:
            raise ValueError(f"{complaint} Process {rank} has another number: {said.get(rank, 'more')}.")

    _say(number)
    _wait_for_all(check)


def of_first(text: str) -> str:
    """What the first process gives here, in all of them."""
    _say(text)
    return _wait_for_all()[0]


@contextmanager
def failing_together(may_wait: bool) -> Iterator[None]:
    """Scope that all processes leave together; where it fails in one of them, it fails in all.

    Args:
        may_wait: whether others may wait in the scope for a computation of all, which this process then never starts.

    Raises:
        OSError: where another process has failed in it.
    """

    def check(said: dict[int, Any]) -> None:
        for rank, trouble in said.items():
            if trouble:
                raise OSError(f"process {rank} of {count()}, with which this one computes, has failed: {trouble}")

    try:
        yield
    except Exception as error:
        _say(trouble := f"{type(error).__name__}: {error}")
        if may_wait:
            client().key_value_set(f"{progress.FAILURES}{jax.process_index()}", trouble, allow_overwrite=True)
        raise
    else:
        _say("")
    finally:
        progress.here.started += 1  # whoever is late is waited for
    _wait_for_all(check)


def _say(what: object) -> None:
    progress.here.met += 1
    client().key_value_set(_note(progress.here.met), json.dumps(what))
    client().key_value_delete(_note(progress.here.met - _KEPT))


def _note(meeting: int) -> str:
    return f"{progress.MEETINGS}{meeting}/{jax.process_index()}"


def _wait_for_all(check: Callable[[dict[int, Any]], None] = lambda said: None) -> dict[int, Any]:
    """What all have to say at this meeting, once they have said it; `check` hears what is known so far."""
    pause, folder = 0.001, f"{progress.MEETINGS}{progress.here.met}/"
    while True:
        said = {rank: json.loads(text) for rank, text in notes(client(), folder).items()}
        check(said)
        if len(said) == count():
            return said
        time.sleep(pause)
        pause = min(2 * pause, 0.2)


def is_parted(array: Tensor) -> bool:
    """Whether other processes have parts of an array."""
    if not isinstance(array, jax.Array) or isinstance(array, jax.core.Tracer):
        return False
    here = array.is_fully_addressable or array.is_fully_replicated
    return not here and isinstance(array.sharding, NamedSharding)


def whole(array: jax.Array) -> jax.Array:
    """An array whose parts other processes have, gathered so that each has all of it; any other as it is."""
    if not is_parted(array):
        return array
    return resharded(array, NamedSharding(cast(NamedSharding, array.sharding).mesh, PartitionSpec()))


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
