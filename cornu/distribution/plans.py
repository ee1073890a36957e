"""Estimates of the memory, traffic and time of training a model on a device mesh, without any of the devices.

The step is traced once on shapes (`plan_step`); then each distribution lays the same program out on its mesh
(`plan_layouts`), and storage, memory accesses, computation and communication are counted (`plan_memory`).
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
    """The performance of one device.

    Attributes:
        memory: bytes.
        flops: multiplications and additions per second.
        memory_bandwidth: bytes per second that it can read and write in its memory.
        link_bandwidth: bytes per second that it can send, and receive at the same time, to its neighbor in a ring; by
            mesh axis if they differ.
    """

    memory: float
    flops: float
    memory_bandwidth: float
    link_bandwidth: float | Mapping[str, float]

    def link(self, axis: str) -> float:
        """The link along a mesh axis, or the slowest of all if the mapping does not contain it."""
        links = self.link_bandwidth
        return links.get(axis, min(links.values())) if isinstance(links, Mapping) else links


class LayoutPlan(NamedTuple):
    """One layout on one mesh. All sizes are per device.

    Attributes:
        layout: "data parallel", "fully sharded", "layout map" or "layout map, fully sharded".
        mesh: number of devices by axis.
        weights, gradients, optimizer_state: their sizes in bytes.
        new_values: bytes of the new weights and the new state, which coexist with the old ones until a step is done.
        activations: peak size in bytes of what is stored between a batch and its gradients.
        memory: peak size in bytes of everything.
        collectives: the collective communication in a step. Where gradients of several steps are exchanged together,
            each step has its fraction of that.
        traffic: bytes that each device sends in a step, and receives, by kind: "all-gather", "reduce-scatter",
            "all-reduce". In a ring of n devices that is (n - 1)/n of the array for the first two, and twice that for
            the third.
        flops: multiplications and additions of the products and convolutions in a step.
        through: bytes read from and written to memory in a step.
        seconds: lower bounds of the duration of a step by limiting resource: "compute", "memory", "links".
        fits: whether the memory is sufficient.
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
        """Lower bound of the seconds per step, if computation, memory access and communication overlap perfectly."""
        return max(self.seconds.values())


class Plan:
    """The resources that training needs under each layout; prints as a table.

    Attributes:
        layouts: a `LayoutPlan` for each.
        batch_size: number of rows of a batch, over all devices.
        parameters: number of trainable parameters.
        device: the performance of one device.
    """

    def __init__(self, layouts: Sequence[LayoutPlan], batch_size: int, parameters: int, device: Device):
        self.layouts, self.batch_size, self.parameters, self.device = list(layouts), batch_size, parameters, device

    @property
    def best(self) -> LayoutPlan:
        """The recommended layout: among those that fit in memory the fastest, and among equals the one with the least
        traffic; if none fits, the smallest.
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
    """Estimate the memory, the traffic and a lower bound of the step time of training a model on a device mesh.

    The devices need not exist, and no arrays are created: a model with billions of weights can be planned on any
    machine. The layouts compared are data parallelism, the same with fully sharded weights, and those of a layout map
    with and without sharding. The estimate is for the step of `fit` as traced for the platform. Attention that a GPU
    computes in a fused kernel is counted by its parts, with stored scores, so the actual cost is lower.

    Args:
        model: a model, or a function without arguments that creates one, whose variables then take no memory.
        mesh: the devices: their number, or the number along each axis, `{"batch": 8, "model": 4}`, or a `DeviceMesh`,
            whose devices need not exist.
        batch_size: number of rows of a batch, over all devices; 1 or more.
        optimizer: the optimizer, or its name; None uses that of `compile`, if the model was compiled.
        x, y: examples of a batch or `jax.ShapeDtypeStruct`s, nested as in the model's inputs, of which the shapes,
            except for the first axis, and the dtypes are used. None uses the shapes declared by the model, and for `y`
            those of its outputs.
        layout_map: layouts for `ModelParallel`; its keys and axes are used, and the mesh must have these axes. None by
        default.
        platform: "cpu", "gpu" or "tpu": the platform whose kernels are used for tracing. Defaults to `"gpu"`.
        memory: memory of a device in bytes. 80 GB by default.
        flops: multiplications and additions per second of a device. The defaults are those of an NVIDIA H100 SXM: 80
            GB, 989 TFLOP/s in bfloat16, 3.35 TB/s, and 450 GB/s in each direction through NVLink. Links between
            machines are slower, such as 50 GB/s with 400 Gbit/s per device.
        memory_bandwidth: bytes per second that a device can read and write. 3.35 TB/s by default.
        link_bandwidth: bytes per second that a device can send to its neighbor; a mapping if it depends on the mesh
            axis, such as `{"batch": 50e9, "model": 450e9}` for machines with a model replica each.

    Returns:
        A `Plan`: `print(plan)` shows a table, `plan.layouts` has the figures, `plan.best` is the recommended layout.

    Raises:
        ValueError: if shapes are missing, or a layout does not match.

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
    mesh = _mesh(mesh)
    line = DeviceMesh((mesh.devices.size,), ["batch"], mesh.devices)
    layouts: dict[str, Distribution] = {
        "data parallel": DataParallel(line),
        "fully sharded": DataParallel(line, shard_weights=True),
    }
    if layout_map is not None:
        layouts["layout map"] = ModelParallel(layout_map=_on(layout_map, mesh))
        layouts["layout map, fully sharded"] = ModelParallel(layout_map=_on(layout_map, mesh), shard_weights=True)
    steps = trace(model, batch_size, optimizer, x, y, list(layouts.values()), platform)
    device = Device(memory, flops, memory_bandwidth, link_bandwidth)
    rows = [_planned(step, *named, device) for step, named in zip(steps, layouts.items(), strict=True)]
    return Plan(rows, batch_size, sum(math.prod(weight.shape) for weight in steps[0].trainable), device)


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
    collectives = [*laid.collectives, *_shared_exchange(step, distribution)]
    for one in collectives:
        traffic[one.kind] += one.moved
    through = (
        taken.through + 3 * trained + 2 * state
    )  # the update reads gradients, weights and state and writes the last two
    kept = trained + rest + state
    summed = trained if step.every > 1 else 0  # by each device since the last exchange
    total = kept + trained + rest + state + summed + max(taken.peak, trained)
    return LayoutPlan(
        layout=name,
        mesh=sizes,
        weights=trained + rest,
        gradients=trained,
        optimizer_state=state,
        new_values=kept,
        activations=taken.inner,
        memory=total,
        collectives=collectives,
        traffic=dict(traffic),
        flops=taken.flops,
        through=through,
        seconds={
            "compute": taken.flops / device.flops,
            "memory": through / device.memory_bandwidth,
            "links": sum(one.moved / device.link(one.axis) for one in collectives),
        },
        fits=total <= device.memory,
    )


def _shared_exchange(step: Step, distribution: Distribution) -> list[Collective]:
    """The exchange of the gradients that several steps have in common."""
    if step.every == 1:
        return []
    name, devices = distribution.batch_dim_name, distribution.num_model_replicas
    return [Collective("all-reduce", name, devices, weight.bytes, 1 / step.every) for weight in step.trainable]


def _axes_of_variables(step: Step, distribution: Distribution) -> dict[str, list[Axes]]:
    """The mesh axes along which the variables of each part of a step are split; state follows its weight."""
    axes = {part: [_axes(distribution, weight) for weight in getattr(step, part)] for part in ("trainable", "rest")}
    axes["state"] = [
        _axes(distribution, weight) if weight.leader is None else axes["trainable"][weight.leader]
        for weight in step.state
    ]
    return axes


def _laid_out(step: Step, distribution: Distribution, sizes: Mapping[str, int], axes: dict[str, list[Axes]]) -> Laid:
    """The program of a step with its arrays laid out accordingly."""
    weights, name = [*axes["trainable"], *axes["rest"]], distribution.batch_dim_name
    gradients = [(name, *one) if step.every > 1 else one for one in axes["trainable"]]
    return lay_out(
        step.program,
        Given(
            sizes,
            [*weights, *(_batch_axes(distribution, shape, sizes) for shape in step.data)],
            [(), *gradients, *axes["rest"]],
            weights=len(weights),
            gathered=name if distribution.shard_weights else "",
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
