"""Processes that compute together: what each must know of the others, and how they agree. It all relies on JAX.

They run one program: each must start the same computations in the same order, or all of them wait forever. So anything
that only one process sees (its clock, its signals) but that affects computations goes through `highest`, and all
functions here are called by all processes, in the same order, in their main threads.

If one of them may not arrive, because it has failed or has nothing left to compute, they synchronize without a
computation, through the key-value store of JAX's coordinator.
"""

import ctypes
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

_KEPT = 16  # meetings whose entries are kept for latecomers


def count() -> int:
    """The number of processes that JAX has connected; 1 if there is only this one."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return jax.process_index() == 0


def highest(*numbers: int) -> list[int]:
    """The elementwise maximum, over all processes, of some 32-bit numbers."""
    progress.here.started += 1
    found = multihost_utils.process_allgather(np.array(numbers, "int32"))
    return np.max(np.reshape(found, (-1, len(numbers))), axis=0).tolist()


def are_one(*numbers: int) -> bool:
    """Whether all processes have the same 32-bit numbers."""
    found = highest(*numbers, *(-number for number in numbers))
    return found == [*numbers, *(-number for number in numbers)]


def client() -> Any:
    """JAX's client of the coordinator, through whose key-value store processes exchange entries; None if there is
    none."""
    return distributed.global_state.client


def disconnect() -> None:
    """Let this process end without waiting for the others, as JAX would at its exit."""
    state = distributed.global_state
    for held in (state.client, state.service, state.preemption_sync_manager):  # whose destructors would wait too
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
    state.client = state.service = state.preemption_sync_manager = None


def notes(connection: Any, folder: str) -> dict[int, str]:
    """The entries that the processes stored under a name that ends in their rank."""
    return {int(key.rpartition("/")[2]): text for key, text in connection.key_value_dir_get(folder)}


def beats(connection: Any) -> dict[int, progress.Beat]:
    """What each process last reported about itself."""
    return {rank: progress.Beat(*json.loads(text)) for rank, text in notes(connection, progress.BEATS).items()}


def meet(number: int, complaint: str) -> None:
    """Wait until all processes arrive here, each with the same number.

    Args:
        number: must be equal in all processes.
        complaint: start of the error message if it is not.

    Raises:
        ValueError: if another process has a different number, or has started a computation that this one will not
        start.
    """

    def check(said: dict[int, Any], ahead: list[int]) -> None:
        for rank in [rank for rank, other in said.items() if other != number] or ahead:
            other = said.get(rank) if isinstance(said.get(rank), int) else "more"
            raise ValueError(f"{complaint} Process {rank} has another number: {other}.")

    _say(number)
    _wait_for_all(check)


def agree_to_start(owner: str, shapes: str) -> None:
    """Wait until all processes are about to start a computation of these shapes, which is new to each.

    Args:
        owner: the caller, for error messages.
        shapes: what must be equal in all processes.

    Raises:
        ValueError: if another process starts one of other shapes.
    """

    def check(said: dict[int, Any], ahead: list[int]) -> None:
        for rank in [rank for rank, other in said.items() if other != shapes] or ahead:
            other = said.get(rank, "shapes that it has met before")
            raise ValueError(
                f"{owner}: the model and its batches must have the same shapes in all processes. Received: in process "
                f"{jax.process_index()} {shapes}, in process {rank} "
                f"{other if isinstance(other, str) else 'the end of its data'}."
            )

    _say(shapes)
    _wait_for_all(check)


def of_first(text: str) -> str:
    """The first process's value, in all of them."""
    _say(text)
    return _wait_for_all()[0]


@contextmanager
def failing_together(may_wait: bool) -> Iterator[None]:
    """Scope that all processes leave together; if it fails in one of them, it fails in all.

    Args:
        may_wait: whether others may be waiting in the scope for a collective computation that this process never
        starts.

    Raises:
        OSError: if another process failed in it.
    """

    def check(said: dict[int, Any], _: list[int]) -> None:
        for rank, trouble in said.items():
            if trouble:
                raise OSError(f"process {rank} of {count()} failed: {trouble}")

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
        progress.here.started += 1  # latecomers are waited for
    _wait_for_all(check)


def _say(what: object) -> None:
    progress.here.met += 1
    client().key_value_set(_note(progress.here.met), json.dumps(what))
    client().key_value_delete(_note(progress.here.met - _KEPT))


def _note(meeting: int) -> str:
    return f"{progress.MEETINGS}{meeting}/{jax.process_index()}"


def _wait_for_all(check: Callable[[dict[int, Any], list[int]], None] = lambda *_: None) -> dict[int, Any]:
    """The entries of all processes at this meeting, once all have arrived.

    Args:
        check: is called with the entries so far, and those processes that will not arrive, as they have started more
            computations than this one.
    """
    pause, folder = 0.001, f"{progress.MEETINGS}{progress.here.met}/"
    while True:
        ahead = {rank for rank, beat in beats(client()).items() if beat.started > progress.here.started}
        said = {rank: json.loads(text) for rank, text in notes(client(), folder).items()}  # written before it started
        check(said, sorted(ahead - said.keys()))
        if len(said) == count():
            return said
        time.sleep(pause)
        pause = min(2 * pause, 0.2)


def is_parted(array: Tensor) -> bool:
    """Whether parts of an array are in other processes."""
    if not isinstance(array, jax.Array) or isinstance(array, jax.core.Tracer):
        return False
    here = array.is_fully_addressable or array.is_fully_replicated
    return not here and isinstance(array.sharding, NamedSharding)


def whole(array: jax.Array) -> jax.Array:
    """An array with parts in other processes, gathered so that each process has all of it; any other array
    unchanged."""
    if not is_parted(array):
        return array
    return resharded(array, NamedSharding(cast(NamedSharding, array.sharding).mesh, PartitionSpec()))


def on_host(array: Tensor) -> Any:
    """An array with parts in other processes, on the host; any other array unchanged."""
    gathered = whole(array)
    return array if gathered is array else np.asarray(gathered)


def resharded(array: jax.Array, sharding: Sharding) -> jax.Array:
    """An array distributed over all processes, with its parts laid out differently."""
    progress.here.started += 1
    return jax.jit(_same, out_shardings=sharding)(array)


def _same(array: jax.Array) -> jax.Array:
    return array


def from_parts(
    shape: tuple[int, ...], sharding: Sharding, part: np.ndarray, first: int = 0, axis: int = 0
) -> jax.Array:
    """An array over the devices of several processes, each of which provides the parts on its own devices.

    Args:
        shape: shape of the whole array.
        sharding: the layout of its parts.
        part: the rows from this process; all rows if they are needed everywhere.
        first: index, within the whole array, of the first row of `part`.
        axis: the axis of the rows.
    """
    return jax.make_array_from_callback(shape, sharding, partial(_cut, part, first, shape, axis))


def _cut(part: np.ndarray, first: int, shape: tuple[int, ...], axis: int, index: tuple[slice, ...]) -> np.ndarray:
    if not index:
        return part
    start, stop, _ = index[axis].indices(shape[axis])
    return part[(*index[:axis], slice(start - first, stop - first), *index[axis + 1 :])]


def own_rows(sharding: NamedSharding, rows: int) -> range | None:
    """The range of rows on this process's devices, for arrays whose first axis is split; None if it has gaps."""
    one_axis = NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[:1]))
    held = one_axis.addressable_devices_indices_map((rows,))
    found = {index[0].indices(rows)[:2] for index in held.values() if index}
    own = {row for start, stop in found for row in range(start, stop)}
    return range(min(own), max(own) + 1) if len(own) == max(own) + 1 - min(own) else None
