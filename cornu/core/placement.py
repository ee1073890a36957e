"""Where arrays are placed: the one hook by which a distribution lays out variables and batches over several devices.

A distribution (see `cornu.distribution`) defines the layout of a variable, a batch or a layer's output; JAX and XLA do
the rest. A variable gets its layout when it is created, and keeps it; a batch gets its own when it is passed to a
compiled step. Without a distribution, none of this runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from cornu.core import context, peers
from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import AnyFunction, Nested, Tensor

if TYPE_CHECKING:
    from cornu.core.variable import Variable


class Layout(Protocol):
    """How an array is split over a mesh of devices."""

    @property
    def backend_layout(self) -> NamedSharding: ...


class DeviceMesh(Protocol):
    """A named mesh of devices."""

    @property
    def backend_mesh(self) -> Mesh: ...


class Distribution(Protocol):
    """Defines how arrays are laid out."""

    @property
    def device_mesh(self) -> "DeviceMesh": ...

    @property
    def batch_dim_name(self) -> str: ...

    @property
    def num_model_replicas(self) -> int: ...

    def get_variable_layout(self, variable: "Variable") -> Layout: ...

    def get_data_layout(self, data_shape: Sequence[int]) -> Layout: ...

    def get_tensor_layout(self, path: str) -> Layout | None: ...


_chosen: dict[str, Distribution] = {}


def current() -> Distribution | None:
    """The distribution set for this process."""
    return _chosen.get("distribution")


def choose(distribution: Distribution | None) -> None:
    """Set the distribution for this process; None removes it."""
    if distribution is None:
        _chosen.clear()
    else:
        _chosen["distribution"] = distribution


@contextmanager
def chosen(distribution: Distribution | None) -> Iterator[None]:
    """Scope in which a distribution, or None, is set for this process."""
    before = current()
    choose(distribution)
    try:
        yield
    finally:
        choose(before)


def is_shared() -> bool:
    """Whether the current distribution spans the devices of several processes, which then compute together."""
    distribution = current()
    return distribution is not None and jax.process_count() > 1 and _mesh(distribution).is_multi_process


def is_split() -> bool:
    """Whether the current distribution has several devices, each with parts of an array."""
    distribution = current()
    return distribution is not None and _mesh(distribution).size > 1


def writes() -> bool:
    """Whether this process writes files and prints: every independent process, or the first of those that cooperate."""
    return not is_shared() or peers.is_first()


@contextmanager
def failing_together(may_wait: bool = False) -> Iterator[None]:
    """Scope that cooperating processes leave together, see `peers.failing_together`."""
    with peers.failing_together(may_wait) if is_shared() else nullcontext():
        yield


def _mesh(distribution: Distribution) -> Mesh:
    return distribution.device_mesh.backend_mesh


def require_all_processes(owner: str) -> None:
    """Reject a distribution over the devices of some processes but not all.

    Args:
        owner: the caller, for error messages.
    """
    distribution = current()
    if distribution is None or not is_shared():
        return
    there = {device.process_index for device in _mesh(distribution).devices.flat}
    if len(there) < jax.process_count():
        raise ValueError(
            f"{owner}: a distribution must use devices of one process only, or of every process. Received: "
            f"{distribution!r}, "
            f"without devices of {jax.process_count() - len(there)} of the {jax.process_count()} processes."
        )


def sharding_of(layout: object) -> Any:
    """The JAX sharding for a layout; shardings and devices are returned unchanged."""
    sharding = getattr(layout, "backend_layout", layout)
    return _as_computed(sharding) if isinstance(sharding, NamedSharding) else sharding


@lru_cache(maxsize=4096)
def _as_computed(sharding: NamedSharding) -> Sharding:
    """The same sharding without trailing unsplit axes, as compiled functions report it: otherwise they would recompile.
    On one device it is the device itself, as without a mesh, which adds no overhead."""
    if sharding.mesh.size == 1:
        return SingleDeviceSharding(sharding.mesh.devices.item(), memory_kind=sharding.memory_kind)
    axes = list(sharding.spec)
    while axes and axes[-1] is None:
        axes.pop()
    return NamedSharding(sharding.mesh, PartitionSpec(*axes), memory_kind=sharding.memory_kind)


def put(value: Tensor, layout: object) -> jax.Array:
    """An array laid out as given; the same object if it already is."""
    target = sharding_of(layout)
    committed = isinstance(value, jax.Array) and value.committed
    if committed and value.sharding == target:
        return value
    if isinstance(target, Sharding) and not target.is_fully_addressable:
        return _put_together(value, target)
    placed = jax.device_put(value, target)
    return value if committed and value.format == placed.format else placed


def _put_together(value: object, target: Sharding) -> jax.Array:
    """An array over the devices of several processes, each of which has the whole value or, with `Rows`, a part."""
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return peers.resharded(value, target)
    array = np.asarray(value)
    return peers.from_parts(array.shape, target, array)


def pinned(value: jax.Array, layout: object) -> jax.Array:
    """A value in a traced function, with a constraint telling XLA how to lay it out."""
    target = getattr(layout, "backend_layout", layout)
    if isinstance(target, NamedSharding) and target.mesh.size == 1:  # there is only one place
        return value
    if isinstance(target, NamedSharding):  # XLA would be free to split an axis that is left out
        target = NamedSharding(target.mesh, PartitionSpec(*target.spec, *[None] * (value.ndim - len(target.spec))))
    return jax.lax.with_sharding_constraint(value, target) if isinstance(target, Sharding) else value


def laid_out(value: jax.Array, layout: object) -> jax.Array:
    """A value, traced or not, with the given layout; unchanged if the layout is None."""
    if layout is None:
        return value
    return pinned(value, layout) if isinstance(value, jax.core.Tracer) else put(value, layout)


def gathered(value: jax.Array, layout: object) -> jax.Array:
    """A variable's value as used in a traced layer: gathered if the variable is sharded."""
    used = getattr(layout, "used", None)
    is_whole = context.current().own_rows is not None  # for code that sees one device's rows it was gathered before
    if used is None or is_whole or current() is None or not isinstance(value, jax.core.Tracer):
        return value
    return pinned(value, used)


def are_gathered(variables: Sequence[Any]) -> bool:
    """Whether any of the variables is sharded and gathered where it is used."""
    return any(hasattr(variable._layout, "used") for variable in variables)


def gathering_again(function: AnyFunction, variables: Sequence[object]) -> AnyFunction:
    """`function`, which for its gradient gathers again what `gathered` gathered, instead of keeping it."""
    return jax.checkpoint(function, policy=_is_no_layout) if are_gathered(variables) else function


def _is_no_layout(primitive: Any, *args: object, **params: object) -> bool:
    """Whether a value is saved for the gradient: all except those that only change layout or shape.

    For example, a gathered attention kernel is reshaped to a matrix; saving that would save all of it.
    """
    return primitive.name not in ("sharding_constraint", "reshape", "transpose", "squeeze")


def batch(data: object, stacked: bool = False) -> Any:
    """A batch, or several `stacked` along a first axis, laid out by the distribution.

    Arrays that do not divide evenly, such as a small last batch, are replicated on each device.
    """
    distribution = current()
    if distribution is None or not is_split():  # the step then runs on the device of its weights
        return data
    if isinstance(data, Rows):
        return jax.tree.map(lambda leaf: _joined(leaf, data, distribution, stacked), data.data)
    return jax.tree.map(lambda leaf: _placed(leaf, distribution, stacked), data)


def _placed(leaf: Nested, distribution: Distribution, stacked: bool) -> jax.Array:
    if np.ndim(leaf) <= stacked or getattr(leaf, "dtype", np.dtype("O")).kind in "OUST":
        return leaf
    sharding = distribution.get_data_layout(leaf.shape[stacked:]).backend_layout
    if not divides(sharding, leaf.shape[stacked:]):
        sharding = NamedSharding(sharding.mesh, PartitionSpec())
    elif stacked:
        sharding = _behind_steps(sharding)
    return jax.device_put(leaf, sharding) if sharding.is_fully_addressable else _put_together(leaf, sharding)


def _behind_steps(sharding: NamedSharding) -> NamedSharding:
    return NamedSharding(sharding.mesh, PartitionSpec(None, *sharding.spec))


@partial(jax.tree_util.register_dataclass, data_fields=["data"], meta_fields=["first", "count"])
@dataclass(frozen=True)
class Rows:
    """The rows of a batch that this process has read, out of those that all processes have together.

    Attributes:
        data: the batch's arrays, with only these rows.
        first: index of the first row in the batch.
        count: number of rows in the batch.
    """

    data: Any
    first: int
    count: int


def share_of(rows: int) -> range | None:
    """Which rows of a batch this process should read; None for all of them."""
    distribution = current()
    if distribution is None or not is_shared():
        return None
    sharding = distribution.get_data_layout((rows,)).backend_layout
    own = peers.own_rows(sharding, rows) if divides(sharding, (rows,)) else None
    return None if own is None or len(own) == rows else own


def cut(batch: object) -> Nested:
    """A batch that each process has read completely, without the rows for others."""
    rows = len(jax.tree.leaves(batch)[0])
    share = share_of(rows)
    if share is None:
        return batch
    return Rows(jax.tree.map(lambda leaf: leaf[share.start : share.stop], batch), share.start, rows)


def part(batch: object, owner: str) -> Rows:
    """A batch of which this process was given only its own part.

    Args:
        batch: the part.
        owner: the caller, for error messages.

    Raises:
        ValueError: if its rows do not divide evenly by the number of this process's parts of a batch.
    """
    rows = len(jax.tree.leaves(batch)[0])
    parts = cast(Distribution, current()).num_model_replicas
    own = share_of(parts) or range(parts)
    if rows % len(own):
        raise ValueError(
            f"{owner}: the rows in a process's part of a batch must be a multiple of its {len(own)} mesh parts. "
            "Received: "
            f"{rows} rows. Drop an incomplete last batch (drop_remainder), or pad it."
        )
    return Rows(batch, own.start * rows // len(own), parts * rows // len(own))


def _joined(leaf: Nested, rows: Rows, distribution: Distribution, stacked: bool) -> jax.Array:
    """The array of a batch of which each process has some of the rows."""
    shape = (*leaf.shape[:stacked], rows.count, *leaf.shape[stacked + 1 :])
    sharding = distribution.get_data_layout(shape[stacked:]).backend_layout
    sharding = _behind_steps(sharding) if stacked else sharding
    return peers.from_parts(shape, sharding, np.asarray(leaf), rows.first, axis=int(stacked))


class MixesRowsError(Exception):
    """Something that cannot be computed by each device for its own rows."""


def by_own_rows(function: AnyFunction, rows: object, whole: object) -> tuple[Nested, Nested]:
    """`function(rows, whole)`, which each device computes for its own rows without seeing the others.

    Args:
        function: returns a pair: the rows of the results, and what is the same on all devices.
        rows: arrays that are split along their first axis.
        whole: arrays that each device has.
    """
    distribution = cast(Distribution, current())
    name = distribution.batch_dim_name
    split, same = PartitionSpec(name), PartitionSpec()

    def own(rows: object, whole: object) -> tuple[Nested, Nested]:
        with context.scope(own_rows=name):
            return function(rows, whole)

    specs = (split, same)
    run = jax.shard_map(
        own, mesh=_mesh(distribution), in_specs=specs, out_specs=specs, axis_names={name}, check_vma=False
    )
    return run(rows, whole)


def each_row(function: AnyFunction, rows: Nested, *whole: Nested) -> Nested:
    """`function(rows, *whole)`, whose rows depend on the same rows alone, but for which XLA would exchange rows.

    While a step is traced for several devices that share the rows, each device computes its own.
    """
    if not is_split() or context.current().own_rows is not None:
        return function(rows, *whole)
    first = jax.tree.leaves(rows)[0]
    count = first.shape[0] if isinstance(first, jax.core.Tracer) else None
    parts = cast(Distribution, current()).num_model_replicas
    if not isinstance(count, int) or parts == 1 or count % parts:
        return function(rows, *whole)
    return by_own_rows(lambda rows, whole: (function(rows, *whole), ()), rows, whole)[0]


def first_own(count: int) -> Tensor:
    """The index of a device's first of `count` elements of its own, in an array over all devices; else 0."""
    name = context.current().own_rows
    return 0 if name is None else jax.lax.axis_index(name) * count


def readable(results: object) -> Any:
    """The results of a traced step, if several processes share it: replicated, so that each can read them."""
    if not is_shared():
        return results
    everywhere = NamedSharding(_mesh(cast(Distribution, current())), PartitionSpec())
    return jax.tree.map(lambda leaf: pinned(leaf, everywhere), results)


def output(distribution: Distribution, path: str, outputs: object) -> Nested:
    """A layer's output, laid out by the distribution's layout for this path; left alone if it does not divide evenly.

    Raises:
        ValueError: if the layout has more axes than the output.
    """
    is_whole = is_split() and context.current().own_rows is None
    layout = distribution.get_tensor_layout(f"{path}/output") if is_whole else None
    return outputs if layout is None else jax.tree.map(lambda x: _placed_output(x, sharding_of(layout), path), outputs)


def _placed_output(value: object, sharding: NamedSharding, path: str) -> object:
    if not isinstance(value, jax.Array):
        return value
    if len(sharding.spec) > value.ndim:
        raise ValueError(
            f'The layout of "{path}/output" must have at most one entry for each axis of the output, whose shape is '
            f"{value.shape}. Received: {tuple(sharding.spec)}."
        )
    if not divides(sharding, value.shape):
        return value
    placed = laid_out(value, sharding)
    set_mask(placed, get_mask(value))
    return placed


def divides(sharding: NamedSharding, shape: Sequence[int]) -> bool:
    """Whether arrays of this shape split into equal parts."""
    try:
        sharding.shard_shape(tuple(shape))
    except ValueError:
        return False
    return True
