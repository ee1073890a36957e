"""What training a model on a mesh of devices takes, on paper: memory, traffic and time, without any of the devices.

The step is traced once on shapes (`plan_step`); each distribution then lays the same program out on its mesh
(`plan_layouts`), and what is stored, read, computed and sent is counted (`plan_memory`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cornu import validate
from cornu.distribution import plan_table
from cornu.distribution.layouts import DeviceMesh, LayoutMap
from cornu.distribution.parallel import DataParallel, Distribution, ModelParallel
from cornu.distribution.plan_layouts import Axes, Collective, Given, Laid, lay_out
from cornu.distribution.plan_memory import use
from cornu.distribution.plan_step import Step, Weight, trace


class Device(NamedTuple):
    """What one device can do.

    Attributes:
        memory: bytes.
        flops: multiplications and additions a second.
        memory_bandwidth: bytes a second that it reads and writes in its memory.
        link_bandwidth: bytes a second that it sends, and receives at the same time, to its neighbour in a ring; by
            the mesh's axis where that is not the same for all.
    """

    memory: float
    flops: float
    memory_bandwidth: float
    link_bandwidth: float | Mapping[str, float]

    def link(self, axis: str) -> float:
        """The link along an axis of the mesh, or the slowest of all where the mapping has no such axis."""
        links = self.link_bandwidth
        return links.get(axis, min(links.values())) if isinstance(links, Mapping) else links


class LayoutPlan(NamedTuple):
    """One layout on one mesh. All bytes are those of one device.

    Attributes:
        layout: "data parallel", "fully sharded", "layout map" or "layout map, fully sharded".
        mesh: devices by axis.
        weights, gradients, optimizer_state: bytes of them.
        new_values: bytes of the new weights and the new state, which are kept beside the old ones until a step is done.
        activations: bytes of what is kept and computed between a batch and its gradients, at the worst moment.
        memory: bytes of all of it at the worst moment.
        collectives: what the devices tell each other in a step.
        traffic: bytes that each device sends in a step, and receives, by kind: "all-gather", "reduce-scatter",
            "all-reduce". In a ring of n devices that is (n - 1)/n of the array for the first two, twice that for the
            third.
        flops: multiplications and additions of a step's products and convolutions.
        through: bytes read from memory and written to it in a step.
        seconds: how long a step takes at least, by what holds it up: "compute", "memory", "links".
        fits: whether the memory is enough.
    """

    layout: str
    mesh: Mapping[str, int]
    weights: int
    gradients: int
    optimizer_state: int
    new_values: int
    activations: int
    memory: int
    collectives: Sequence[Collective]
    traffic: Mapping[str, float]
    flops: int
    through: int
    seconds: Mapping[str, float]
    fits: bool

    @property
    def bound(self) -> float:
        """Seconds that a step takes at least, if computing, memory and links wait for nothing but themselves."""
        return max(self.seconds.values())


class Plan:
    """What training takes under each layout; it prints as a table.

    Attributes:
        layouts: a `LayoutPlan` for each.
        batch_size: rows of a batch, over all devices.
        parameters: numbers in the weights that are trained.
        device: what one device can do.
    """

    def __init__(self, layouts: Sequence[LayoutPlan], batch_size: int, parameters: int, device: Device):
        self.layouts, self.batch_size, self.parameters, self.device = list(layouts), batch_size, parameters, device

    @property
    def best(self) -> LayoutPlan:
        """The layout to take: of those that fit into the memory the fastest, and of equals the one with the least
        traffic; where none fits, the smallest.
        """
        fitting = [one for one in self.layouts if one.fits]
        if not fitting:
            return min(self.layouts, key=lambda one: one.memory)
        return min(fitting, key=lambda one: (round(one.bound, 9), sum(one.traffic.values()), one.memory))

    def __str__(self) -> str:
        return plan_table.text(self)

    __repr__ = __str__


def plan(
    model: object,
    mesh: DeviceMesh | Mapping[str, int] | int,
    batch_size: int,
    optimizer: object = None,
    *,
    x: object = None,
    y: object = None,
    layout_map: LayoutMap | None = None,
    platform: str = "gpu",
    memory: float = 80e9,
    flops: float = 989e12,
    memory_bandwidth: float = 3.35e12,
    link_bandwidth: float | Mapping[str, float] = 450e9,
) -> Plan:
    """What training a model on a mesh of devices would take: memory, traffic, and the time of a step at least.

    No device need be there, and no array is made: a model of billions of weights can be planned on any machine. The
    layouts compared are data parallelism, the same with fully sharded weights, and a layout map's with and without.
    What is counted is the step of `fit` as it would be traced for the platform. Attention that a GPU computes in one
    kernel is counted in its parts, with scores that are stored, so that it takes less than is said here.

    Args:
        model: a model, or a function without arguments that makes one, whose variables then take no memory.
        mesh: the devices: how many, or how many along each axis, `{"batch": 8, "model": 4}`, or a `DeviceMesh`, whose
            devices need not exist.
        batch_size: rows of a batch, over all devices; 1 or more.
        optimizer: the optimizer, or its name; None takes that of `compile`, if the model has one.
        x, y: examples of a batch or `jax.ShapeDtypeStruct`s of it, nested as the model takes them, of which the shapes
            count, but for the first axis, and the dtypes. None takes the shapes that the model declares, and for `y`
            those that it returns.
        layout_map: layouts for `ModelParallel`; those of its keys and axes count, and the mesh must have these axes.
        platform: "cpu", "gpu" or "tpu": the kernels that the step is traced with. Defaults to "gpu".
        memory: bytes of a device.
        flops: multiplications and additions a second of a device. The defaults are those of an NVIDIA H100 SXM: 80 GB,
            989 TFLOP/s in bfloat16, 3.35 TB/s, and 450 GB/s each way by NVLink. Between machines links are slower, as
            50 GB/s with 400 Gbit/s a device.
        memory_bandwidth: bytes a second that a device reads and writes.
        link_bandwidth: bytes a second that a device sends to its neighbour; a mapping where it depends on the axis of
            the mesh, as `{"batch": 50e9, "model": 450e9}` for machines that hold a model each.

    Returns:
        A `Plan`: `print(plan)` shows a table, `plan.layouts` has the figures, `plan.best` the layout to take.

    Raises:
        ValueError: where shapes are missing, or a layout does not fit.

    Example:

        def make():
            return cornu.Sequential([cornu.Input((4096,)), cornu.layers.Dense(4096), cornu.layers.Dense(10)])

        plan = cornu.distribution.plan(make, 8, batch_size=1024, optimizer="adam")
        print(plan.best.layout, plan.best.weights)

    Source: Patarasuk & Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009,
    <https://doi.org/10.1016/j.jpdc.2008.09.002>; Rajbhandari et al., "ZeRO: memory optimizations toward training
    trillion parameter models", 2020, <https://arxiv.org/abs/1910.02054>; NVIDIA's data sheet of the H100.
    """
    batch_size = validate.positive_int(batch_size, "batch_size", "plan")
    step = trace(model, batch_size, optimizer, x, y, layout_map, platform)
    return of_step(step, mesh, batch_size, layout_map, Device(memory, flops, memory_bandwidth, link_bandwidth))


def of_step(
    step: Step,
    mesh: DeviceMesh | Mapping[str, int] | int,
    batch_size: int,
    layout_map: LayoutMap | None,
    device: Device,
) -> Plan:
    """The plan of a step that was traced, of which there may be several on different meshes."""
    mesh = _mesh(mesh)
    line = DeviceMesh((mesh.devices.size,), ["batch"], mesh.devices)
    layouts: dict[str, Distribution] = {
        "data parallel": DataParallel(line),
        "fully sharded": DataParallel(line, shard_weights=True),
    }
    if layout_map is not None:
        layouts["layout map"] = ModelParallel(layout_map=_on(layout_map, mesh))
        layouts["layout map, fully sharded"] = ModelParallel(layout_map=_on(layout_map, mesh), shard_weights=True)
    rows = [_planned(step, name, distribution, device) for name, distribution in layouts.items()]
    return Plan(rows, batch_size, sum(math.prod(weight.shape) for weight in step.trainable), device)


def _mesh(given: DeviceMesh | Mapping[str, int] | int) -> DeviceMesh:
    if isinstance(given, DeviceMesh):
        return given
    sizes = given if isinstance(given, Mapping) else {"batch": validate.positive_int(given, "mesh", "plan")}
    names = [f"paper:{number}" for number in range(math.prod(sizes.values()))]
    return DeviceMesh(tuple(sizes.values()), list(sizes), names)


def _on(layout_map: LayoutMap, mesh: DeviceMesh) -> LayoutMap:
    """The same layouts on another mesh."""
    moved = LayoutMap(mesh)
    for key, layout in layout_map._layouts.items():
        moved[key] = layout.axes
    return moved


def _planned(step: Step, name: str, distribution: Distribution, device: Device) -> LayoutPlan:
    mesh = distribution.device_mesh
    sizes = dict(zip(mesh.axis_names, mesh.shape, strict=True))
    axes = _axes_of_variables(step, distribution)
    laid = _laid_out(step, distribution, sizes, axes)
    taken = use(laid)
    trained, rest, state = (
        sum(_share(laid, *pair) for pair in zip(getattr(step, part), axes[part], strict=True))
        for part in ("trainable", "rest", "state")
    )
    traffic: dict[str, float] = defaultdict(float)
    for one in laid.collectives:
        traffic[one.kind] += one.moved
    through = taken.through + 3 * trained + 2 * state  # the update reads gradients, weights and state and writes two
    kept = trained + rest + state
    total = kept + trained + rest + state + max(taken.peak, trained)
    return LayoutPlan(
        layout=name,
        mesh=sizes,
        weights=trained + rest,
        gradients=trained,
        optimizer_state=state,
        new_values=kept,
        activations=taken.inner,
        memory=total,
        collectives=laid.collectives,
        traffic=dict(traffic),
        flops=taken.flops,
        through=through,
        seconds={
            "compute": taken.flops / device.flops,
            "memory": through / device.memory_bandwidth,
            "links": sum(one.moved / device.link(one.axis) for one in laid.collectives),
        },
        fits=total <= device.memory,
    )


def _axes_of_variables(step: Step, distribution: Distribution) -> dict[str, list[Axes]]:
    """The axes of the mesh along which the variables of each part of a step are split; state follows its weight."""
    axes = {part: [_axes(distribution, weight) for weight in getattr(step, part)] for part in ("trainable", "rest")}
    axes["state"] = [
        _axes(distribution, weight) if weight.leader is None else axes["trainable"][weight.leader]
        for weight in step.state
    ]
    return axes


def _laid_out(step: Step, distribution: Distribution, sizes: Mapping[str, int], axes: dict[str, list[Axes]]) -> Laid:
    """The program of a step with its arrays split so."""
    weights = [*axes["trainable"], *axes["rest"]]
    return lay_out(
        step.program,
        Given(
            sizes,
            [*weights, *(_batch_axes(distribution, shape, sizes) for shape in step.data)],
            [(), *weights],
            weights=len(weights),
            gathered=distribution.batch_dim_name if distribution.shard_weights else "",
            constrained=isinstance(distribution, ModelParallel),
        ),
    )


def _axes(distribution: Any, weight: Weight) -> Axes:
    found = distribution.get_variable_layout(weight).axes
    return (*found, *[None] * len(weight.shape))[: len(weight.shape)]


def _batch_axes(distribution: Distribution, shape: tuple[int, ...], sizes: Mapping[str, int]) -> Axes:
    name = distribution.batch_dim_name
    return (None if shape[0] % sizes[name] else name, *[None] * (len(shape) - 1))


def _share(laid: Laid, weight: Weight, axes: Axes) -> int:
    return weight.bytes // laid.parts(axes)
