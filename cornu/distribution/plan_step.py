"""An abstract training step: its weights, the optimizer's state, and the program of its loss and gradients.

The step is traced, as for compilation, on shapes only: no arrays are created, however large the model is.
"""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

import cornu
from cornu import validate
from cornu.core import allocation, placement
from cornu.core.typing import AnyTuple, Nested, Tensor
from cornu.distribution.parallel import Distribution
from cornu.distribution.plan_program import Program, flat
from cornu.kernels import platform

if TYPE_CHECKING:
    from cornu.models.model import Model


@dataclass(frozen=True)
class Weight:
    """An abstract variable.

    Attributes:
        path: its path.
        shape: its shape.
        itemsize: bytes per element.
        leader: for optimizer state, the index of the trainable weight whose layout it follows; None for none.
    """

    path: str
    shape: tuple[int, ...]
    itemsize: int
    leader: int | None = None
    _layout: Any = None  # queried by a distribution, as for a variable

    @property
    def bytes(self) -> int:
        """Total size in bytes."""
        return math.prod(self.shape) * self.itemsize


class Step(NamedTuple):
    """An abstract training step.

    Attributes:
        trainable, rest: the model's variables; those of its metrics are in the rest.
        state: the optimizer's state.
        data: shapes of a batch.
        program: loss, gradients and new values of the rest, as functions of `trainable`, `rest` and the batch: inputs
            and outputs are in that order.
        every: after how many steps the devices exchange their gradients. If it is more than one, the gradients in the
            program are those of each device, with an axis of devices in front.
    """

    trainable: list[Weight]
    rest: list[Weight]
    state: list[Weight]
    data: list[tuple[int, ...]]
    program: Program
    every: int = 1


def trace(
    model: Any, batch_size: int, optimizer: object, x: object, y: object, chosen: Sequence[Distribution], on: str
) -> list[Step]:
    """The step of a model, or of the model created by a function, under each of the chosen distributions.

    A step that does not depend on the distribution is traced once. For the other arguments see `plan`.
    """
    found: list[Step] = []

    def run() -> None:
        before = placement.current()
        papers = list(map(_OnPaper, chosen))
        placement.choose(papers[0])
        try:
            made = model if hasattr(model, "stateless_call") else model()
            inputs = _batch(_inputs(made) if x is None else x, batch_size)
            if not made.built:
                jax.eval_shape(made, inputs)
            asked = True
            for paper in reversed(papers):
                placement.choose(paper)
                found.append(_traced(made, paper, optimizer, inputs, y) if asked else found[-1])
                asked = paper.asked
        finally:
            placement.choose(before)

    with platform.planned(validate.one_of(on, ("cpu", "gpu", "tpu"), "platform", "plan")):
        allocation.without_values(run)
    return found[::-1]


def _traced(model: Any, paper: "_OnPaper", optimizer: Any, x: Any, y: Any) -> Step:
    trainable = list(model.trainable_variables)
    known = {id(variable) for variable in trainable}
    rest = [variable for variable in model.variables if id(variable) not in known]
    values = _shapes(trainable), _shapes(rest)
    outputs = jax.eval_shape(lambda *values: model.stateless_call(*values)[0], *values, x)
    y = _batch(outputs if y is None else y, len(jax.tree.leaves(x)[0]))
    metrics = _shapes(model.metrics_variables)
    optimizer = _optimizer(model.optimizer if optimizer is None else optimizer)

    def loss(weights: list[jax.Array], others: list[jax.Array], x: Any, y: Any) -> tuple[Tensor, list[jax.Array]]:
        if model._compile_loss is None:
            y_pred, after = model.stateless_call(weights, others, x, **_mode(model))
            return sum(jnp.mean(jnp.square(leaf)) for leaf in jax.tree.leaves(y_pred)), after
        values = [jnp.zeros(one.shape, one.dtype) for one in metrics]
        scaled, (_, _, after, _) = model.compute_loss_and_updates(weights, others, values, x, y, None, training=True)
        return scaled, after

    def of_devices(weights: list[jax.Array], others: list[jax.Array], x: Any, y: Any) -> AnyTuple:
        (loss, _, after), gradients, _ = cornu.training.execution.device_sums.differentiated(
            model, weights, others, x, y, None
        )
        return (loss, after), gradients

    every, closed = 1, None
    if cornu.training.execution.device_sums.suits(model, optimizer) and paper.has_whole([*trainable, *rest]):
        with contextlib.suppress(placement.MixesRowsError):
            closed = jax.make_jaxpr(of_devices)(*values, x, y)
            every = optimizer.gradient_accumulation_steps
    closed = closed or jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True))(*values, x, y)
    data = [leaf.shape for leaf in jax.tree.leaves((x, y))]
    state = _state(optimizer, trainable)
    return Step(_weights(trainable), _weights(rest), state, data, _in_order(flat(closed), len(trainable)), every)


def _in_order(program: Program, count: int) -> Program:
    """The program with its outputs in the order of `Step`: JAX returns the loss and the new values before the
    gradients."""
    outputs = program.outputs
    split = len(outputs) - count
    return program._replace(outputs=[outputs[0], *outputs[split:], *outputs[1:split]])


def _mode(model: "Model") -> dict[str, bool]:
    return {"training": True} if model._call_accepts("training") else {}


def _shapes(variables: Any) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(variable.shape, variable.dtype) for variable in variables]


def _weights(variables: Any, leaders: dict[int, int] | None = None) -> list[Weight]:
    return [
        Weight(
            variable.path,
            tuple(variable.shape),
            jnp.dtype(variable.dtype).itemsize,
            (leaders or {}).get(id(variable.follows)),
            variable._layout,
        )
        for variable in variables
    ]


def _optimizer(optimizer: Any) -> Any:
    """The optimizer, or if its state has values a new one of the same kind."""
    if optimizer is None:
        return None
    optimizer = cornu.optimizers.get(optimizer)
    if not optimizer.built and not any(isinstance(one._value, allocation.Absent) for one in optimizer.variables):
        optimizer = type(optimizer).from_config(optimizer.get_config())  # leaves the caller's own unchanged
    return optimizer


def _state(optimizer: Any, trainable: list[Weight]) -> list[Weight]:
    """The state of an optimizer for these weights."""
    if optimizer is None:
        return []
    optimizer.build(trainable)
    return _weights(optimizer.variables, {id(variable): number for number, variable in enumerate(trainable)})


def _inputs(model: object) -> Nested:
    """The shapes of the model's inputs, as declared."""
    inputs = getattr(model, "_inputs_struct", None) or getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            f"plan: {validate.describe(model)} does not declare its input shapes. Pass them: "
            "plan(..., x=jax.ShapeDtypeStruct((1, 128), 'int32')), or an example."
        )
    return inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs


def _batch(data: object, batch_size: int) -> Nested:
    """The shapes and dtypes of a batch of this size."""

    def one(leaf: Nested) -> jax.ShapeDtypeStruct:
        shape = np.shape(leaf) if not hasattr(leaf, "shape") else tuple(leaf.shape)
        if None in shape[1:] or not shape:
            raise ValueError(
                f"plan: a batch needs sizes for all axes except the first. Received: shape={shape}. Pass an example or "
                "a "
                "jax.ShapeDtypeStruct as x, and as y for targets."
            )
        return jax.ShapeDtypeStruct((batch_size, *shape[1:]), getattr(leaf, "dtype", None) or np.asarray(leaf).dtype)

    return jax.tree.map(one, data)


class _OnPaper:
    """A distribution over devices that do not exist, for which a step is traced.

    Args:
        distribution: the distribution.

    Attributes:
        asked: whether the traced step depends on it.
    """

    def __init__(self, distribution: Distribution):
        self._distribution = distribution
        self.batch_dim_name = distribution.batch_dim_name
        self.device_mesh: Any = SimpleNamespace(backend_mesh=_abstract(distribution.device_mesh))
        self.asked = False

    @property
    def num_model_replicas(self) -> int:
        """The number of parts that a batch is split into."""
        self.asked = True
        return self._distribution.num_model_replicas

    def get_variable_layout(self, variable: Any) -> Any:
        """The variable's own layout, or None: nothing is placed while a step is traced."""
        return variable._layout

    def get_data_layout(self, data_shape: Sequence[int]) -> Any:
        """The layout of a batch."""
        return self._as_computed(self._distribution.get_data_layout(data_shape))

    def get_tensor_layout(self, path: str) -> Any:
        """The layout of a layer's output."""
        layout = self._distribution.get_tensor_layout(path)
        self.asked = self.asked or layout is not None
        return layout and self._as_computed(layout)

    def has_whole(self, variables: Sequence[Any]) -> bool:
        """Whether every device has all of these variables."""
        self.asked = True
        return not any(any(self._distribution.get_variable_layout(variable).axes) for variable in variables)

    def _as_computed(self, layout: Any) -> Any:
        mesh = _abstract(layout.device_mesh)
        return SimpleNamespace(backend_layout=NamedSharding(mesh, PartitionSpec(*layout.axes)))


def _abstract(mesh: Any) -> AbstractMesh:
    return AbstractMesh(mesh.shape, tuple(mesh.axis_names))
