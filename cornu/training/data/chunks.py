"""How the batches of an epoch are transferred to the device: in chunks, or one by one, prefetched in a thread.

Arrays are cut into chunks: as many batches as fit in some megabytes, gathered in the epoch's order. That takes a small
fraction of the time that the device needs for the previous chunk, so the main thread does it between two calls.

A GPU or TPU receives the arrays once, if they fit in a part of its memory, and gathers the chunks itself.

Batches from a source are copied before they are used, because the source may reuse the memory for the next batch. A
`PyDataset` and any re-iterable source is read by a thread that prefetches. A generator is a user's program that may
well access the model, so it runs in the main thread, while the device is busy.
"""

import contextlib
import functools
import weakref
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from cornu import tree
from cornu.core import placement
from cornu.core.typing import AnyTuple, Batch, Data, Nested
from cornu.data.prefetch import prefetch
from cornu.kernels import platform
from cornu.training.data.batches import Batches
from cornu.training.execution import padding
from cornu.training.execution.signature import signature
from cornu.training.execution.steps_per_call import FEW_STEPS, StepsPerCall

CHUNK_BYTES = 16 * 2**20  # size of a chunk
FEW_STEPS_BYTES = 64 * 2**20  # size of a chunk of few large steps
DEVICE_CHUNK_BYTES = 256 * 2**20  # size of a chunk that a device gathers from its own memory
CHUNK_STEPS = 128
FIRST_STEPS = 4  # the first chunk of an epoch has few steps, so that the device starts immediately
AHEAD = 2  # number of batches that the thread prefetches
_SHARE = 4  # fraction (one over this) of a device's free memory for the data
_ALIGNMENT = 64  # bytes; the CPU device then uses the host's memory without a copy


class Chunk(NamedTuple):
    """Stacked batches, of which the first `steps` are filled in."""

    data: Any  # leaves of shape (size, rows, ...)
    rows: np.ndarray | None  # (size,): number of valid rows of each batch; None if all are
    steps: int


@contextlib.contextmanager
def feed(
    batches: Batches, number: int, pace: Any, *, start: int, full: int | None, parts: int, grouped: bool, jit: bool
) -> Iterator[Iterable[Chunk | Batch]]:
    """The batches of an epoch as an iterable of chunks and single (batch, number of valid rows) pairs.

    Args:
        batches: the data.
        number: number of the epoch.
        pace: how many steps a call comprises, and whether several can be combined.
        start: the first step.
        full: number of rows to which batches are padded; None if they are not.
        parts: how many of (x, y, sample_weight) the step uses.
        grouped: whether batches from a source are collected into chunks.
        jit: whether steps are compiled.
    """
    size = chunk_size(batches, pace)
    if batches.arrays is not None and (size > 1 or placement.is_shared()):
        yield array_chunks(batches, number, start, size, full, pace.fixed)
        return
    items: Generator[Any, None, None] = (
        _shared(*padding.pad(packed(batch[:parts]), full), batches) for batch in batches.epoch(number, start)
    )
    ahead = AHEAD
    if size > 1 and grouped:
        items, ahead = stacked_chunks(items, size, pace), 1  # which holds several
    elif jit and batches.num_samples is None and not placement.is_shared():
        of_jax = batches.keeps_jax_arrays
        items = ((_own(data, of_jax), rows) for data, rows in items)
    with prefetch(items, ahead) if jit and batches.can_be_made_ahead else contextlib.closing(items) as ready:
        yield ready


def _shared(data: Data, rows: int | None, batches: Batches) -> tuple[object, int | None]:
    """A batch and its valid rows, without those for other processes."""
    if not placement.is_shared():
        return data, rows
    shared = placement.part(data, batches.owner) if batches.is_part else placement.cut(data)
    return jax.tree.map(np.array, shared), rows  # in memory that the source does not reuse


def chunk_size(batches: Batches, pace: StepsPerCall) -> int:
    """The number of batches to stack; 1 if every step is a separate call."""
    if batches.num_batches == 1:
        return 1
    if pace.fixed or not pace.loops:
        return pace.steps if pace.fixed else 1
    leaves = [np.asarray(leaf) for leaf in tree.flatten(batches.example()) if leaf is not None]
    limit = CHUNK_BYTES if _resident(batches) is None else DEVICE_CHUNK_BYTES
    size = max(1, sum(leaf.nbytes for leaf in leaves))
    return max(1, min(CHUNK_STEPS, max(limit // size, min(FEW_STEPS, FEW_STEPS_BYTES // size))))


def array_chunks(
    batches: Batches, number: int, start: int, size: int, full: int | None, fixed: bool
) -> Iterator[Chunk | Batch]:
    """The batches of an epoch of arrays as chunks; a short last batch that is not padded is a separate pair."""
    data, gathered, first = _resident(batches), _gathered_on_device, size
    if data is None:
        data, gathered, first = packed(cast(Batch, batches.arrays)), _gathered, size if fixed else FIRST_STEPS
    rows = batches.batch_size
    order = batches.order(number)[start * rows :]
    whole = -(-len(order) // rows) if full else len(order) // rows
    done, steps = 0, min(first, size)
    while done < whole:
        steps = min(steps, whole - done)
        yield gathered(data, order[done * rows : (done + steps) * rows], rows, steps, size, full)
        done, steps = done + steps, min(4 * steps, size)
    if done * rows < len(order):
        yield tree.map_structure(lambda leaf: None if leaf is None else leaf[order[done * rows :]], data), None


def _gathered(data: Data, order: np.ndarray, rows: int, steps: int, size: int, full: int | None) -> Chunk:
    places, share = _places(order, rows, steps, steps), placement.share_of(rows)
    places = places if share is None else places[:, share.start : share.stop]

    def leaf_of(leaf: np.ndarray | None) -> np.ndarray | None:
        if leaf is None:
            return None
        width = places.shape[1]
        stacked = _empty((size * width, *leaf.shape[1:]), leaf.dtype)
        _take(leaf, places.reshape(-1), stacked[: places.size])
        return stacked.reshape(size, width, *leaf.shape[1:])

    stacked = tree.map_structure(leaf_of, data)
    stacked = stacked if share is None else placement.Rows(stacked, share.start, rows)
    return Chunk(stacked, _counts(order, rows, steps, size, full), steps)


def _places(order: np.ndarray, rows: int, steps: int, size: int) -> np.ndarray:
    """The row indices of `size` batches, of which `steps` are filled in; the rest is ignored.

    Shape (size, rows).
    """
    places = np.full((size, rows), order[(steps - 1) * rows], order.dtype)
    places.reshape(-1)[: len(order)] = order
    return places


def _counts(order: np.ndarray, rows: int, steps: int, size: int, full: int | None) -> np.ndarray | None:
    """The number of valid rows of each batch, if batches are padded."""
    if not full:
        return None
    counts = np.full(size, rows, "int32")
    counts[steps - 1] = len(order) - (steps - 1) * rows
    return counts


def _take(leaf: np.ndarray, order: np.ndarray, out: np.ndarray) -> None:
    """`out[:] = leaf[order]`, without an intermediate copy if NumPy supports that."""
    if leaf.flags.c_contiguous and leaf.flags.aligned and leaf.dtype == out.dtype:
        np.take(leaf, order, axis=0, out=out, mode="clip")
    else:
        out[...] = leaf[order]


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Memory that the CPU device can use without copying; it must not be written to once it was passed on."""
    dtype = dtype.newbyteorder("=")
    count = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(count + _ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    return memory[offset : offset + count].view(dtype).reshape(shape)


# ---------------------------------------------------------------- data that stays on a device

_on_device: weakref.WeakKeyDictionary[Batches, object] = weakref.WeakKeyDictionary()


def _resident(batches: Batches) -> Nested:
    """The arrays on the device, or None if they stay on the host."""
    if batches.arrays is None or placement.is_shared():
        return None
    if batches not in _on_device:
        data = packed(batches.arrays)
        fits = sum(leaf.nbytes for leaf in tree.flatten(data) if leaf is not None) <= _room()
        _on_device[batches] = jax.device_put(data) if fits else None
    return _on_device[batches]


def _room() -> int:
    """The number of bytes of data a device may hold; 0 on a CPU, which uses the host's memory directly."""
    if platform.name() == "cpu":
        return 0
    memory = jax.local_devices(backend=platform.name())[0].memory_stats() or {}
    return (memory.get("bytes_limit", 0) - memory.get("bytes_in_use", 0)) // _SHARE


def _gathered_on_device(data: Data, order: np.ndarray, rows: int, steps: int, size: int, full: int | None) -> Chunk:
    places = _places(order, rows, steps, size)
    return Chunk(_rows_of(data, places.astype("int32")), _counts(order, rows, steps, size, full), steps)


@jax.jit
def _rows_of(data: Data, places: jax.Array) -> Nested:
    return jax.tree.map(lambda leaf: jnp.take(leaf, places, axis=0, mode="clip"), data)


# ---------------------------------------------------------------- batches from a source


def stacked_chunks(pairs: Iterable[AnyTuple], size: int, pace: StepsPerCall) -> Generator[Chunk, None, None]:
    """(batch, valid rows) pairs as chunks of as many steps as a call comprises, separately for each shape."""
    data: Any = None
    rows, steps, shapes = None, 0, None
    for pair in pairs:
        if steps and signature(pair) != shapes:
            yield Chunk(data, rows, steps)
            steps = 0
        if not steps:
            shapes, (data, rows) = signature(pair), jax.tree.map(functools.partial(_room_for, size), pair)
        jax.tree.map(functools.partial(_write, steps), (data, rows), pair)
        steps += 1
        if steps >= min(size, pace.steps):
            yield Chunk(data, rows, steps)
            steps = 0
    if steps:
        yield Chunk(data, rows, steps)


def _room_for(size: int, leaf: object) -> np.ndarray:
    leaf = np.asarray(leaf)
    return _empty((size, *leaf.shape), leaf.dtype)


def _write(index: int, stacked: np.ndarray, leaf: object) -> None:
    stacked[index] = leaf


def _own(data: Data, keeps_jax_arrays: bool) -> Nested:
    """A batch on the device, in memory that nothing else writes to."""

    def own(leaf: object) -> Any:
        if np.asarray(leaf).dtype.kind in "OUS":
            return leaf
        if keeps_jax_arrays and _is_of_jax(leaf):
            return jax.device_put(leaf)
        owned = _room_for(1, leaf)
        owned[0] = leaf
        return jax.device_put(owned[0])

    return jax.tree.map(own, data)


def _is_of_jax(leaf: object) -> bool:
    """Whether an array shows memory of JAX, which is never written to."""
    while isinstance(leaf, np.ndarray):
        leaf = leaf.base
    return isinstance(leaf, memoryview) and isinstance(leaf.obj, jax.Array)


def packed(batch: Batch) -> Batch:
    """(x,), (x, y) or (x, y, sample_weight): the data for a user's step."""
    x, y, weight = (*batch, None, None)[:3]
    return (x,) if y is None and weight is None else (x, y) if weight is None else batch
