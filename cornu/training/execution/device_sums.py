"""Gradient accumulation on several devices: each sums the gradients of its own rows, and they exchange once an update.

XLA on its own sums the gradients of every step over all devices, although only their sum over several steps is needed.
Here a step differentiates with respect to one copy of the weights per device, which gives the gradients of each
device's rows; a call of several steps carries their sums. The loss is still that of the whole batch.

Between calls the state is as it always is: what is left over at the end of a call is exchanged then.

It takes layers that treat each row by itself, and weights that every device has whole. Other models exchange the
gradients of every step, with the same numbers.
"""

from typing import cast

import jax
import jax.numpy as jnp

from cornu import tree
from cornu.core import context, placement
from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import AnyFunction, AnyTuple, Batch, Data, Nested, Values
from cornu.core.variable import Variable, functional
from cornu.layers.rows import mixes_rows
from cornu.optimizers import Optimizer
from cornu.random.seed_generator import SeedState
from cornu.training.execution.multi_step import Repeated
from cornu.training.step import Parts, Steps, TrainState, is_default, mode, own_variables


def repeated(model: Steps, stage: str, step: AnyFunction, parts: Parts) -> AnyFunction:
    """The step over a span of a chunk, see `Repeated`; with the gradients of each device's rows, if possible."""
    plain = Repeated(step, stacks=stage == "predict")
    return Summing(model, step, plain) if stage == "train" and _is_possible(model, parts) else plain


def _is_possible(model: Steps, parts: Parts) -> bool:
    return (
        placement.is_split()
        and all(placement.sharding_of(variable._layout).is_fully_replicated for part in parts for variable in part)
        and suits(model, model.optimizer)
    )


def suits(model: Steps, optimizer: object) -> bool:
    """Whether devices that have all weights can sum their own gradients, as far as can be told before tracing."""
    return (
        is_default(model, "train")
        and model._compile_loss is not None
        and isinstance(optimizer, Optimizer)
        and bool(optimizer.gradient_accumulation_steps)
        and type(optimizer).apply is Optimizer.apply  # not where the gradients of each step are looked at
        and optimizer.loss_scale_factor is None
        and not any(variable.overwrite_with_gradient for variable in model.trainable_variables)
        and not any(mixes_rows(layer, training=True) for layer in model._flatten_layers())
        and not any(layer.metrics for layer in model._flatten_layers(include_self=False))
    )


class Summing:
    """`Repeated` of a step that leaves the gradients in `DeviceSums`.

    Args:
        model: the model.
        step: `(state, data, rows) -> (result, state)`.
        plain: what is used if the model turns out to mix rows.
    """

    def __init__(self, model: Steps, step: AnyFunction, plain: Repeated):
        self._model, self._plain = model, plain
        self._summed = Repeated(self._with_sums(step), stacks=False)

    def __call__(self, state: TrainState, data: object, span: AnyTuple) -> tuple[object, Values]:
        try:
            sums = [_copies(jnp.zeros_like(value)) for value in state.trainable_variables]
            result, after = self._summed((*state, sums), data, span)
        except placement.MixesRowsError:
            return self._plain(state, data, span)
        *parts, sums = after
        return result, self._collected(TrainState(*parts), sums)

    def _with_sums(self, step: AnyFunction) -> AnyFunction:
        def summing(state: Values, data: object, rows: object) -> tuple[object, Values]:
            *own, pending = state
            sums = DeviceSums(pending)
            with context.scope(sums=sums):
                result, after = step(TrainState(*own), data, rows)
            return result, (*after, sums.pending)

        return summing

    def _collected(self, state: TrainState, sums: list[jax.Array]) -> TrainState:
        """The state with what the devices have not exchanged yet in the optimizer's own accumulators."""
        optimizer = self._model.optimizer
        own = list(state.optimizer_variables)
        left = own[_place(optimizer, optimizer._iterations)] % optimizer.gradient_accumulation_steps != 0
        for variable, total in zip(own_variables(self._model)[0], _exchanged(left, sums), strict=True):
            place = _place(optimizer, optimizer._accumulators[variable])
            own[place] = own[place] + total
        return state._replace(optimizer_variables=own)


class DeviceSums:
    """The gradients since the last update, of each device's rows.

    Args:
        pending: for each weight an array with an axis of devices in front, along which it is split.
    """

    def __init__(self, pending: list[jax.Array]):
        self.pending = pending

    def step(self, model: Steps, state: TrainState, x: Data, y: Data, weight: Data) -> AnyTuple:
        """(loss, predictions, new values of the other variables, the weights, the optimizer's variables)."""
        trainable, rest, own, _ = state
        (loss, y_pred, rest), of_rows, of_all = differentiated(model, trainable, rest, x, y, weight)
        optimizer = model.optimizer
        due = (own[_place(optimizer, optimizer._iterations)] + 1) % optimizer.gradient_accumulation_steps == 0
        sums = [_split(a + b) for a, b in zip(self.pending, of_rows, strict=True)]
        self.pending = [jnp.where(due, jnp.zeros_like(a), a) for a in sums]
        gradients = [a + b for a, b in zip(_exchanged(due, sums), of_all, strict=True)]
        return (loss, y_pred, rest, *optimizer.stateless_apply(own, gradients, trainable))


def differentiated(
    model: Steps, trainable: list[jax.Array], rest: list[jax.Array], x: Data, y: Data, weight: Data
) -> tuple[AnyTuple, list[jax.Array], list[jax.Array]]:
    """(loss, predictions, new values of the other variables), the gradients of each device's rows, and what the loss
    adds to the gradients beside them."""
    differentiate = jax.value_and_grad(_loss_of, argnums=(1, 2), has_aux=True)
    copies = [_copies(value) for value in trainable]
    (_, found), (of_rows, of_all) = differentiate(model, copies, trainable, rest, x, y, weight)
    return found, of_rows, of_all


def _loss_of(
    model: Steps,
    copies: list[jax.Array],
    trainable: list[jax.Array],
    rest: list[jax.Array],
    x: Data,
    y: Data,
    weight: Data,
) -> tuple[jax.Array, AnyTuple]:
    """The loss of the whole batch, of outputs that each device computes with its copy of the weights."""
    y_pred, after = _outputs(model, copies, rest, x)
    with context.scope(losses=[]):
        loss_of = functional(lambda: model._loss_of(x, y, y_pred, weight, True), _variables(model))
        loss, _ = loss_of([*trainable, *after])
    return loss, (loss, y_pred, after)


def _outputs(model: Steps, copies: list[jax.Array], rest: list[jax.Array], x: Data) -> tuple[Nested, list[jax.Array]]:
    """The model's outputs with their masks, and the new values of the variables that are not trained."""
    count = len(jax.tree.leaves(x)[0]) / _devices()
    if count < 2 or count % 1:  # a mask of dropout for one row would look like one for all
        raise placement.MixesRowsError("The batch has too few rows, or these cannot be split into equal parts.")

    def of_device(rows: Batch, rest: list[jax.Array]) -> AnyTuple:
        own, x = rows
        result, after = functional(_call, _variables(model))([*(copy[0] for copy in own), *rest], model, x)
        return result, _unless_statistics(model, rest, after[len(own) :])

    (y_pred, masks), after = placement.by_own_rows(of_device, (copies, x), rest)
    for output, mask in zip(tree.flatten(y_pred), masks, strict=True):
        set_mask(output, mask)
    return y_pred, after


def _call(model: Steps, x: Data) -> tuple[Nested, list[jax.Array]]:
    with context.scope(losses=[], rows=None):
        y_pred = model(x, **mode(model, True))
        if context.current().losses:
            raise placement.MixesRowsError("A layer adds a loss of its own.")
    return y_pred, [get_mask(y) for y in tree.flatten(y_pred)]


def _unless_statistics(model: Steps, before: list[jax.Array], after: list[jax.Array]) -> list[jax.Array]:
    """The new values, if they are those of random seeds only, which are the same on each device."""
    variables = own_variables(model)[1]
    if any(a is not b and not isinstance(v, SeedState) for v, a, b in zip(variables, before, after, strict=True)):
        raise placement.MixesRowsError("A layer keeps statistics of its inputs.")
    return after


def _variables(model: Steps) -> list[Variable]:
    trainable, rest, _ = own_variables(model)
    return [*trainable, *rest]


def _place(optimizer: Optimizer, variable: Variable) -> int:
    """The index of a variable in the optimizer's state."""
    return next(i for i, one in enumerate(optimizer.variables) if one is variable)


# ---------------------------------------------------------------- arrays with an axis of devices in front


def _devices() -> int:
    return cast(placement.Distribution, placement.current()).num_model_replicas


def _copies(value: jax.Array) -> jax.Array:
    """One copy of an array for each device."""
    return _split(jnp.broadcast_to(value, (_devices(), *value.shape)))


def _split(value: jax.Array) -> jax.Array:
    distribution = cast(placement.Distribution, placement.current())
    return placement.pinned(value, distribution.get_data_layout(value.shape))


def _exchanged(due: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
    """The sums over all devices, which are only exchanged if they are due; else zeros."""
    return jax.lax.cond(due, _total, lambda sums: jax.tree.map(jnp.zeros_like, jax.eval_shape(_total, sums)), sums)


def _total(sums: list[jax.Array]) -> list[jax.Array]:
    return [jnp.sum(one, 0) for one in sums]
