"""A step of training, evaluation or prediction as one compiled function, with the variables in its state.

The function is compiled once per batch shape. It receives the values of the variables without donating them: until the
new values are available, and while others read the old ones, these stay alive. So the effects of a failed or
interrupted call can be undone (`in_flight`), at the price of one copy of what the step changes.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from operator import is_
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core import peers, placement, progress
from cornu.core.typing import AnyFunction, Nested, Tensor, Values
from cornu.core.variable import Variable, give_placed_values, give_values, lay_out, pinned, placed, values_of
from cornu.kernels import xla
from cornu.optimizers import Optimizer
from cornu.training.execution.device_sums import repeated
from cornu.training.execution.in_flight import Outcome
from cornu.training.execution.signature import described, signature
from cornu.training.step import Parts, TrainState, layers_and_variables, only_changes, optimizers_of, pure_step


class Composition(NamedTuple):
    """What a compiled step depends on: it is recompiled if any of it is a different object.

    Attributes:
        layers: the layers, each with its `trainable`.
        parts: the variables by their role in the state.
        schedules: the sources of the optimizers' learning rates other than variables.
        jit: whether the step is compiled at all.
        distribution: the distribution over devices, or None.
    """

    layers: tuple[object, ...]
    parts: Parts
    schedules: tuple[object, ...]
    jit: bool
    distribution: object

    def is_same_as(self, other: "Composition") -> bool:
        """Whether both contain the same objects."""
        return (
            self.jit == other.jit
            and self.distribution is other.distribution
            and _same(self.layers, other.layers)
            and _same(self.schedules, other.schedules)
            and all(map(_same, self.parts, other.parts))
        )


def composition(model: Any, stage: str) -> Composition:
    """What the model's step of a stage ("train", "test" or "predict") depends on now."""
    layers, parts = layers_and_variables(model, stage)
    schedules = _schedules(model) if stage == "train" else ()
    return Composition(layers, parts, schedules, model.jit_compile, placement.current())


class Compiled:
    """The step of one stage, compiled, with the variables it was compiled for.

    Args:
        model: the model.
        stage: "train", "test" or "predict".
        made_of: the composition of the model.
        many: whether it takes a span of a chunk of batches (see `multi_step`).
    """

    def __init__(self, model: Any, stage: str, made_of: Composition, many: bool = False):
        self.made_of, self.parts = made_of, made_of.parts
        self._variables = [variable for part in self.parts for variable in part]
        if made_of.distribution is not None:
            placement.require_all_processes(validate.describe(model))
            lay_out(self._variables)
        self.jit = made_of.jit
        self._many = many
        self._owner = validate.describe(model)
        self._known_shapes: set[tuple[object, ...]] = set()
        self._first_run = functools.partial(model._compilations.counted, stage, stacked=many)
        self._has_metrics = stage != "predict"
        self.names: list[str] = []
        step = _laid_out(pure_step(model, stage, self.parts, self.names), self.parts)
        if many:  # a loop may return values in a different layout than that of its body
            step = _laid_out(repeated(model, stage, step, self.parts), self.parts)
        self._writes_all = stage == "train"
        step = step if self._writes_all else only_changes(step)
        options = xla.compiler_options(placement.are_gathered(self._variables)) or None
        self.function: AnyFunction = jax.jit(step, compiler_options=options) if self.jit else step

    def __call__(self, data: object, rows: object = None, metrics: Sequence[jax.Array] | None = None) -> Outcome:
        """Run the step on a batch and assign the variables their new values, which may still be being computed.

        Args:
            data: the batch.
            rows: number of its valid rows; None for all of them.
            metrics: the values that metrics start from; None for their current ones.
        """
        state, data = self._state(metrics), data if self._many else placement.batch(data)
        shapes, shared = signature((data, rows)), placement.is_shared()
        is_new = shapes not in self._known_shapes
        if shared and is_new:
            peers.agree_to_start(self._owner, f"{described(data)} for a state of {_size(state):,} numbers")
        progress.here.started += shared
        if self.jit:
            result, after = self._run(state, data, rows, is_new)
        else:
            result, after = self.function(state, jax.tree.map(jnp.asarray, data), rows)
        self._known_shapes.add(shapes)
        result = {name: result[name] for name in self.names} if self.names else result
        return self._stored(state, after, result)

    def on_state(self, state: Values, data: Nested, rows: Tensor = None) -> tuple[object, Values]:
        """The result of a step on a batch, and the state after it; the variables are not assigned."""
        state = self._parted(state)
        result, after = self.function(state, data, rows)
        result = {name: result[name] for name in self.names} if self.names else result
        if self._writes_all:
            return result, after
        pairs = zip(state, after, strict=True)
        return result, tuple([new.get(i, value) for i, value in enumerate(part)] for part, new in pairs)

    def _parted(self, state: Values) -> Values:
        return TrainState(*state) if self._writes_all else tuple(map(list, state))

    def _state(self, metrics: Sequence[jax.Array] | None) -> Values:
        """The variables' values by part, all from the same moment; those of the metrics if given."""
        values = iter(values_of(self._variables))
        state = [[next(values) for _ in part] for part in self.parts]
        if metrics is not None and self._has_metrics:
            state[-1] = list(placed(self.parts[-1], metrics if self.jit else list(map(jnp.asarray, metrics))))
        return TrainState(*state) if self._writes_all else tuple(state)

    def _stored(self, state: Values, after: Sequence[Any], result: object) -> Outcome:
        """Assign the variables their new values."""
        if self._writes_all:
            changed, new = self._variables, [value for part in after for value in part]
            metrics = after[-1]
        else:
            places = [(part, index) for part, values in enumerate(after) for index in values]
            changed = [self.parts[part][index] for part, index in places]
            new = [after[part][index] for part, index in places]
            metrics = [after[-1].get(i, old) for i, old in enumerate(state[-1])] if self._has_metrics else None
        before = values_of(changed)
        give_placed_values(changed, new)  # `_laid_out` ensures that
        return Outcome(result, metrics, changed, before, new)

    def _run(self, state: Values, data: object, rows: object, is_new: bool) -> tuple[Nested, Values]:
        """Run the function; the first run on new shapes, which compiles it, is counted."""
        with self._first_run(data) if is_new else nullcontext():
            return self.function(state, data, rows)

    def __reduce__(self) -> tuple[object, ...]:
        """A copy of the model compiles its own."""
        return type(None), ()


class MadeByUser(Compiled):
    """The step as a user's function, `(state, batches) -> (result, state)`, which is called for each batch.

    Args:
        model, stage, made_of: as in `Compiled`.
        function: the function.
    """

    def __init__(self, model: object, stage: str, made_of: Composition, function: AnyFunction):
        super().__init__(model, stage, made_of)
        self._name = f"{validate.describe(model)}: {stage}_function(state, batches)"
        self._made = function

    def __call__(self, data: object, rows: object = None, metrics: Sequence[jax.Array] | None = None) -> Outcome:
        """Run the function on a batch, whose rows are all valid, and assign the variables their new values."""
        made = self._made(self._state(metrics), iter([placement.batch(data)]))
        if not isinstance(made, tuple) or len(made) != 2 or len(made[1]) != len(self.parts):
            raise ValueError(
                f"{self._name} must return (result, state), the state with {len(self.parts)} parts as it was given. "
                f"Received: {type(made).__name__}."
            )
        result, after = made
        new = [
            jnp.asarray(value, variable.dtype) for value, variable in zip(chain(*after), self._variables, strict=True)
        ]
        new = list(placed(self._variables, new))
        before = values_of(self._variables)
        give_values(self._variables, new)
        return Outcome(result, list(after[-1]) if self._has_metrics else None, self._variables, before, new)


def _laid_out(step: AnyFunction, parts: Parts) -> AnyFunction:
    """The step with new values on the devices of the variables, where XLA might choose otherwise."""
    if not (placement.is_shared() or any(variable._layout for part in parts for variable in part)):
        return step

    def laid_out(state: Nested, data: object, rows: object) -> tuple[object, Values]:
        result, after = step(state, data, rows)
        result = placement.readable(result)
        values = list(map(pinned, parts, state, after))
        return result, TrainState(*values) if isinstance(after, TrainState) else tuple(values)

    return laid_out


def _size(state: Nested) -> int:
    """The number of elements of a state."""
    return sum(value.size for value in jax.tree.leaves(state))


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    """Whether two sequences contain the same objects."""
    return some is others or (len(some) == len(others) and all(map(is_, some, others)))


def _schedules(model: object) -> tuple[object, ...]:
    return tuple(rate for optimizer in optimizers_of(model) for rate in _rates(optimizer))


def _rates(optimizer: Optimizer) -> Iterator[object]:
    rate = getattr(optimizer, "_learning_rate", None)
    if not isinstance(rate, Variable):
        yield rate
    for inner in (getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())):
        if inner is not None:
            yield from _rates(inner)
