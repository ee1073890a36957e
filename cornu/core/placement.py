"""Where arrays go: the one hook by which a distribution lays variables and batches out over several devices.

A distribution (see `cornu.distribution`) says which layout a variable, a batch or a layer's output has; JAX and XLA do
the rest. A variable takes its layout when it is made, and keeps it; a batch gets its own as it goes to a compiled step.
Where no distribution is set, nothing of this runs.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import Nested, Tensor

if TYPE_CHECKING:
    from cornu.core.variable import Variable


class Layout(Protocol):
    """How an array is split over a mesh of devices."""

    @property
    def backend_layout(self) -> NamedSharding: ...


class Distribution(Protocol):
    """What says how arrays are laid out."""

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


def require_one_process(owner: str) -> None:
    """Refuse a distribution over the devices of several processes.

    Args:
        owner: what it is for, for messages.
    """
    distribution = current()
    if distribution is not None and distribution.get_data_layout((1,)).backend_layout.mesh.is_multi_process:
        raise ValueError(
            f"{owner}: fit, evaluate and predict take the devices of one process. Received: {distribution!r}, whose "
            f"devices belong to several of {jax.process_count()} processes. Give a mesh of this process's own devices."
        )


def sharding_of(layout: object) -> Any:
    """What JAX takes for a layout: a sharding or a device is that already."""
    return getattr(layout, "backend_layout", layout)


def put(value: Tensor, layout: object) -> jax.Array:
    """An array laid out; the same object where it is so already."""
    target = sharding_of(layout)
    committed = isinstance(value, jax.Array) and value.committed
    if committed and value.sharding == target:
        return value
    placed = jax.device_put(value, target)
    return value if committed and value.format == placed.format else placed


def pinned(value: jax.Array, layout: object) -> jax.Array:
    """A value in a function that is traced, where XLA is told to lay it out so."""
    target = sharding_of(layout)
    return jax.lax.with_sharding_constraint(value, target) if isinstance(target, Sharding) else value


def laid_out(value: jax.Array, layout: object) -> jax.Array:
    """A value, traced or not, laid out so; as it is where there is no layout."""
    if layout is None:
        return value
    return pinned(value, layout) if isinstance(value, jax.core.Tracer) else put(value, layout)


def gathered(value: jax.Array, layout: object) -> jax.Array:
    """A variable's value where a layer that is traced uses it: of one that is kept in parts, all of them."""
    used = getattr(layout, "used", None)
    return value if used is None or not isinstance(value, jax.core.Tracer) else pinned(value, used)


def are_gathered(variables: Sequence[Any]) -> bool:
    """Whether any of the variables is kept in parts, and gathered where it is used."""
    return any(hasattr(variable._layout, "used") for variable in variables)


def gathering_again(function: Callable, variables: Sequence[Any]) -> Callable:
    """`function`, which for its gradient gathers once more what `gathered` has gathered, instead of keeping it."""
    return jax.checkpoint(function, policy=_is_no_layout) if are_gathered(variables) else function


def _is_no_layout(primitive: Any, *args: object, **params: object) -> bool:
    """Whether a value is kept for the gradient: all but those that are only laid out anew."""
    return primitive.name != "sharding_constraint"


def batch(data: object, stacked: bool = False) -> Any:
    """A batch, or several `stacked` in a first axis, laid out as the distribution says.

    What does not divide evenly, such as a last batch of few rows, goes whole to each device.
    """
    distribution = current()
    if distribution is None:
        return data
    return jax.tree.map(lambda leaf: _placed(leaf, distribution, stacked), data)


def _placed(leaf: Nested, distribution: Distribution, stacked: bool) -> Any:
    if np.ndim(leaf) <= stacked or getattr(leaf, "dtype", np.dtype("O")).kind in "OUST":
        return leaf
    sharding = distribution.get_data_layout(leaf.shape[stacked:]).backend_layout
    if not divides(sharding, leaf.shape[stacked:]):
        return jax.device_put(leaf, NamedSharding(sharding.mesh, PartitionSpec()))
    if stacked:
        sharding = NamedSharding(sharding.mesh, PartitionSpec(None, *sharding.spec))
    return jax.device_put(leaf, sharding)


def output(distribution: Distribution, path: str, outputs: object) -> Any:
    """What the layer of this path returns, laid out as the distribution says; what does not divide evenly is left.

    Raises:
        ValueError: for a layout with more axes than there are.
    """
    layout = distribution.get_tensor_layout(f"{path}/output")
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
