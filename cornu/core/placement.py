"""Where arrays go: the one hook by which a distribution lays variables and batches out over several devices.

A distribution (see `cornu.distribution`) says which layout a variable, a batch or a layer's output has; JAX and XLA do
the rest. A variable takes its layout when it is made, and keeps it; a batch gets its own as it goes to a compiled step.
Where no distribution is set, nothing of this runs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from cornu.core import peers
from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import Nested, Tensor

if TYPE_CHECKING:
    from cornu.core.variable import Variable


class Layout(Protocol):
    """How an array is split over a mesh of devices."""

    @property
    def backend_layout(self) -> NamedSharding: ...


class DeviceMesh(Protocol):
    """Devices with names."""

    @property
    def backend_mesh(self) -> Mesh: ...


class Distribution(Protocol):
    """What says how arrays are laid out."""

    @property
    def device_mesh(self) -> "DeviceMesh": ...

    def get_variable_layout(self, variable: "Variable") -> Layout: ...

    def get_data_layout(self, data_shape: Sequence[int]) -> Layout: ...

    def get_tensor_layout(self, path: str) -> Layout | None: ...


_chosen: dict[str, Distribution] = {}


def current() -> Distribution | None:
    """The distribution that is set for this process."""
    return _chosen.get("distribution")


def choose(distribution: Distribution | None) -> None:
    """Set the distribution for this process; None for none."""
    if distribution is None:
        _chosen.clear()
    else:
        _chosen["distribution"] = distribution


@contextmanager
def chosen(distribution: Distribution | None) -> Iterator[None]:
    """Scope in which a distribution is set for this process, or none."""
    before = current()
    choose(distribution)
    try:
        yield
    finally:
        choose(before)


def is_shared() -> bool:
    """Whether the distribution that is set has devices of several processes, which then compute together."""
    distribution = current()
    return distribution is not None and jax.process_count() > 1 and _mesh(distribution).is_multi_process


def is_split() -> bool:
    """Whether the distribution that is set has several devices, which have parts of one array each."""
    distribution = current()
    return distribution is not None and _mesh(distribution).size > 1


def writes() -> bool:
    """Whether this process writes files and speaks: each that computes by itself, the first of those that share."""
    return not is_shared() or peers.is_first()


@contextmanager
def failing_together(may_wait: bool = False) -> Iterator[None]:
    """Scope that the processes that share a computation leave together, as `peers.failing_together` has it."""
    with peers.failing_together(may_wait) if is_shared() else nullcontext():
        yield


def _mesh(distribution: Distribution) -> Mesh:
    return distribution.device_mesh.backend_mesh


def require_all_processes(owner: str) -> None:
    """Refuse a distribution over the devices of some processes but not all.

    Args:
        owner: what it is for, for messages.
    """
    distribution = current()
    if distribution is None or not is_shared():
        return
    there = {device.process_index for device in _mesh(distribution).devices.flat}
    if len(there) < jax.process_count():
        raise ValueError(
            f"{owner}: a distribution has the devices of one process, or some of each. Received: {distribution!r}, "
            f"which has none of {jax.process_count() - len(there)} of the {jax.process_count()} processes."
        )


def sharding_of(layout: object) -> Any:
    """What JAX takes for a layout: a sharding or a device is that already."""
    sharding = getattr(layout, "backend_layout", layout)
    return _as_computed(sharding) if isinstance(sharding, NamedSharding) else sharding


@lru_cache(maxsize=4096)
def _as_computed(sharding: NamedSharding) -> Sharding:
    """The same without the axes at the end that are not split, as compiled functions tell it: they are compiled anew
    for what they take for another layout. That of one device is the device, as without a mesh, which costs no more.
    """
    if sharding.mesh.size == 1:
        return SingleDeviceSharding(sharding.mesh.devices.item(), memory_kind=sharding.memory_kind)
    axes = list(sharding.spec)
    while axes and axes[-1] is None:
        axes.pop()
    return NamedSharding(sharding.mesh, PartitionSpec(*axes), memory_kind=sharding.memory_kind)


def put(value: Tensor, layout: object) -> jax.Array:
    """An array laid out; the same object where it is so already."""
    target = sharding_of(layout)
    committed = isinstance(value, jax.Array) and value.committed
    if committed and value.sharding == target:
        return value
    if isinstance(target, Sharding) and not target.is_fully_addressable:
        return _put_together(value, target)
    placed = jax.device_put(value, target)
    return value if committed and value.format == placed.format else placed


def _put_together(value: object, target: Sharding) -> jax.Array:
    """An array over the devices of several processes, each of which has the whole value or, of a global one, a part."""
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return peers.resharded(value, target)
    array = np.asarray(value)
    return peers.from_parts(array.shape, target, array)


def pinned(value: jax.Array, layout: object) -> jax.Array:
    """A value in a function that is traced, where XLA is told to lay it out so."""
    target = getattr(layout, "backend_layout", layout)
    if isinstance(target, NamedSharding) and target.mesh.size == 1:  # where else
        return value
    if isinstance(target, NamedSharding):  # an axis that it leaves out would be split as XLA likes
        target = NamedSharding(target.mesh, PartitionSpec(*target.spec, *[None] * (value.ndim - len(target.spec))))
    return jax.lax.with_sharding_constraint(value, target) if isinstance(target, Sharding) else value


def laid_out(value: jax.Array, layout: object) -> jax.Array:
    """A value, traced or not, laid out so; as it is where there is no layout."""
    if layout is None:
        return value
    return pinned(value, layout) if isinstance(value, jax.core.Tracer) else put(value, layout)


def gathered(value: jax.Array, layout: object) -> jax.Array:
    """A variable's value where a layer that is traced uses it: of one that is kept in parts, all of them."""
    used = getattr(layout, "used", None)
    if used is None or current() is None or not isinstance(value, jax.core.Tracer):
        return value
    return pinned(value, used)


def are_gathered(variables: Sequence[Any]) -> bool:
    """Whether any of the variables is kept in parts, and gathered where it is used."""
    return any(hasattr(variable._layout, "used") for variable in variables)


def gathering_again(function: Callable, variables: Sequence[object]) -> Callable:
    """`function`, which for its gradient gathers once more what `gathered` has gathered, instead of keeping it."""
    return jax.checkpoint(function, policy=_is_no_layout) if are_gathered(variables) else function


def _is_no_layout(primitive: Any, *args: object, **params: object) -> bool:
    """Whether a value is kept for the gradient: all but those that are only laid out anew, or seen in another shape.

    A gathered kernel of attention, for one, is made a matrix; kept as that, it would be kept whole.
    """
    return primitive.name not in ("sharding_constraint", "reshape", "transpose", "squeeze")


def batch(data: object, stacked: bool = False) -> Any:
    """A batch, or several `stacked` in a first axis, laid out as the distribution says.

    What does not divide evenly, such as a last batch of few rows, goes whole to each device.
    """
    distribution = current()
    if distribution is None or not is_split():  # then a step finds the device by its weights
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
    """The rows of a batch that this process has read, of those that all processes have together.

    Attributes:
        data: the batch's arrays, with these rows alone.
        first: which row of the batch they begin with.
        count: how many rows the batch has.
    """

    data: Any
    first: int
    count: int


def share_of(rows: int) -> range | None:
    """Which of a batch's rows this process is to read; None for all of them."""
    distribution = current()
    if distribution is None or not is_shared():
        return None
    sharding = distribution.get_data_layout((rows,)).backend_layout
    own = peers.own_rows(sharding, rows) if divides(sharding, (rows,)) else None
    return None if own is None or len(own) == rows else own


def cut(batch: object) -> Nested:
    """A batch as each process reads it whole, without the rows that are for others."""
    rows = len(jax.tree.leaves(batch)[0])
    share = share_of(rows)
    if share is None:
        return batch
    return Rows(jax.tree.map(lambda leaf: leaf[share.start : share.stop], batch), share.start, rows)


def part(batch: object, owner: str) -> Rows:
    """A batch of which this process was given its part alone.

    Args:
        batch: the part.
        owner: who asks, for messages.

    Raises:
        ValueError: where its rows do not divide evenly by this process's parts of a batch.
    """
    rows = len(jax.tree.leaves(batch)[0])
    parts = cast(Any, current()).num_model_replicas
    own = share_of(parts) or range(parts)
    if rows % len(own):
        raise ValueError(
            f"{owner}: a process's part of a batch must divide evenly by its {len(own)} parts of the mesh. Received: "
            f"{rows} rows. Leave a last batch out that is not full (drop_remainder), or pad it."
        )
    return Rows(batch, own.start * rows // len(own), parts * rows // len(own))


def _joined(leaf: Nested, rows: Rows, distribution: Distribution, stacked: bool) -> jax.Array:
    """The array of a batch of which each process has some rows."""
    shape = (*leaf.shape[:stacked], rows.count, *leaf.shape[stacked + 1 :])
    sharding = distribution.get_data_layout(shape[stacked:]).backend_layout
    sharding = _behind_steps(sharding) if stacked else sharding
    return peers.from_parts(shape, sharding, np.asarray(leaf), rows.first, axis=int(stacked))


def readable(results: object) -> Any:
    """What a step that is traced gives back, where several processes share it: whole in each of them."""
    if not is_shared():
        return results
    everywhere = NamedSharding(_mesh(cast(Distribution, current())), PartitionSpec())
    return jax.tree.map(lambda leaf: pinned(leaf, everywhere), results)


def output(distribution: Distribution, path: str, outputs: object) -> Nested:
    """What the layer of this path returns, laid out as the distribution says; what does not divide evenly is left.

    Raises:
        ValueError: for a layout with more axes than there are.
    """
    layout = distribution.get_tensor_layout(f"{path}/output") if is_split() else None
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
    """Whether arrays of this shape fall into equal parts."""
    try:
        sharding.shard_shape(tuple(shape))
    except ValueError:
        return False
    return True
