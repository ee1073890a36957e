"""One step of training, evaluation or prediction: a pure function of state and batch, compiled once a batch shape.

The state is lists of arrays. A model's `train_step`, `test_step` or `predict_step` is called as the user wrote it:
with `(state, data)` it is pure already; with `(data)` alone it reads and assigns variables, and `functional` makes it
pure.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cornu import tree
from cornu.core import context
from cornu.core.variable import Variable, functional
from cornu.kernels import platform


class TrainState(NamedTuple):
    """The values of a model's and its optimizer's variables."""

    trainable_variables: list
    non_trainable_variables: list
    optimizer_variables: list
    metrics_variables: list


class Bound(NamedTuple):
    """The variables behind a `TrainState`, in the same order."""

    trainable: tuple[Variable, ...]
    non_trainable: tuple[Variable, ...]
    optimizer: tuple[Variable, ...]
    metrics: tuple[Variable, ...]

    @classmethod
    def of(cls, model: Any, optimizer: bool = True) -> "Bound":
        """The variables of `model` as it is now."""
        own = model.optimizer.variables if optimizer and model.optimizer is not None else ()
        parts = (model.trainable_variables, model.non_trainable_variables, own, model.metrics_variables)
        return cls(*map(tuple, parts))

    def state(self) -> TrainState:
        """The variables' values."""
        return TrainState(*([v._value for v in part] for part in self))

    def write(self, state: TrainState) -> None:
        """Give the variables new values."""
        for variables, values in zip(self, state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable._value = value


def is_pure(method: Callable) -> bool:
    """Whether a step method takes `(state, data)` rather than `(data)`."""
    parameters = inspect.signature(method).parameters.values()
    return len([p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) >= 2


def train(model: Any, bound: Bound) -> Callable:
    """`(state, data, rows) -> (logs, state)`."""

    def step(state: TrainState, data: Any, rows: Any) -> tuple[dict, TrainState]:
        with _rows(data, rows):
            if is_pure(model.train_step):
                logs, state = model.train_step(state, data)
                return _plain(logs), TrainState(*state)
            flat = functional(model.train_step, [v for part in bound for v in part])
            logs, values = flat([x for part in state for x in part], data)
        return _plain(logs), TrainState(*_split(values, bound))

    return step


def test(model: Any, bound: Bound) -> Callable:
    """`(trainable, rest, data, rows) -> (logs, changed)`, where `changed` holds what was assigned."""

    def step(trainable: list, rest: tuple[list, list], data: Any, rows: Any) -> tuple[dict, tuple[dict, dict]]:
        with _rows(data, rows):
            if is_pure(model.test_step):
                logs, state = model.test_step((trainable, *rest), data)
            else:
                flat = functional(model.test_step, [*bound.trainable, *bound.non_trainable, *bound.metrics])
                logs, values = flat([*trainable, *rest[0], *rest[1]], data)
                state = _split(values, bound._replace(optimizer=()))
                state = (state[0], state[1], state[3])
        return _plain(logs), (_changed(rest[0], state[1]), _changed(rest[1], state[2]))

    return step


def predict(model: Any, bound: Bound) -> Callable:
    """`(trainable, rest, data) -> (outputs, changed)`."""

    def step(trainable: list, rest: list, data: Any) -> tuple[Any, dict]:
        if is_pure(model.predict_step):
            outputs, after = model.predict_step((trainable, rest), data)
        else:
            flat = functional(model.predict_step, [*bound.trainable, *bound.non_trainable])
            outputs, values = flat([*trainable, *rest], data)
            after = values[len(trainable) :]
        return tree.map_structure(_array, outputs), _changed(rest, after)

    return step


def _changed(before: list, after: list) -> dict[int, Any]:
    return {i: new for i, (old, new) in enumerate(zip(before, after, strict=True)) if new is not old}


def _array(x: Any) -> Any:
    return x.value if isinstance(x, Variable) else x


def _plain(logs: Any) -> dict[str, Any]:
    return {str(key): jnp.asarray(_array(value)) for key, value in logs.items()}


def _split(values: list, bound: Bound) -> list[list]:
    parts, start = [], 0
    for variables in bound:
        parts.append(list(values[start : start + len(variables)]))
        start += len(variables)
    return parts


def _rows(data: Any, rows: Any) -> Any:
    """Scope that says which rows of a filled-up batch are real; `rows` is their number, or None for all."""
    if rows is None:
        return context.scope(rows=None)
    size = jax.tree.leaves(data)[0].shape[0]
    return context.scope(rows=jnp.arange(size) < rows)


def compiled(function: Callable, donate: tuple[int, ...], jit: bool) -> Callable:
    """`function` compiled by XLA with the arguments in `donate` given up, or as it is."""
    if not jit:
        return function
    return jax.jit(function, donate_argnums=donate, compiler_options=platform.compiler_options() or None)


def repeated(step: Callable) -> Callable:
    """`(state, stacked data, rows) -> (logs of the last step, state)`: many steps in one call."""

    def many(state: TrainState, data: Any, rows: Any) -> tuple[dict, TrainState]:
        def body(carry: TrainState, batch: Any) -> tuple[TrainState, dict]:
            logs, carry = step(carry, batch, None)
            return carry, logs

        state, logs = jax.lax.scan(body, state, data)
        return jax.tree.map(lambda x: x[-1], logs), state

    return many
