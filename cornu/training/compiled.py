"""A step of training, evaluation or prediction as one compiled function, with the variables behind its state.

The function is compiled once a batch shape. Training donates the state; evaluation and prediction hand back what they
changed alone.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cornu.kernels import platform
from cornu.training.step import Parts, TrainState, pure_step, variables_of


def repeated(step: Callable, constant: int) -> Callable:
    """A step over stacked batches: many in one call. The first `constant` parts of the state stay as they are."""

    def many(state: tuple, data: Any, rows: Any) -> tuple[dict, tuple]:
        def body(carry: tuple, batch: tuple) -> tuple[tuple, dict]:
            logs, after = step((*state[:constant], *carry), *batch)
            return tuple(after[constant:]), logs

        carry, logs = jax.lax.scan(body, tuple(state[constant:]), (data, rows))
        return jax.tree.map(lambda x: x[-1], logs), (*state[:constant], *carry)

    return many


class Compiled:
    """The step of one stage, compiled, with the variables it was made for.

    Args:
        model: the model.
        stage: "train", "test" or "predict".
        many: whether it takes several batches, stacked.
    """

    def __init__(self, model: Any, stage: str, many: bool = False):
        self.parts = variables_of(model, stage)
        self.jit = model.jit_compile
        self.names: list[str] = []
        step = pure_step(model, stage, self.parts, self.names)
        step = repeated(step, constant=stage != "train") if many else step
        self._writes_all = stage == "train"
        step = step if self._writes_all else _only_changes(step)
        donated = (0,) if self._writes_all else ()
        options = platform.compiler_options() or None
        self.function = jax.jit(step, donate_argnums=donated, compiler_options=options) if self.jit else step

    def serves(self, model: Any, stage: str) -> bool:
        """Whether the model still has these variables, in these roles."""
        return self.jit == model.jit_compile and _identities(variables_of(model, stage)) == _identities(self.parts)

    def __call__(self, data: Any, rows: Any = None) -> Any:
        """Run the step on a batch, give the variables their new values, and return the logs or outputs."""
        state = tuple([variable._value for variable in part] for part in self.parts)
        data = data if self.jit else jax.tree.map(jnp.asarray, data)
        result, after = self.function(TrainState(*state) if self._writes_all else state, data, rows)
        for variables, values in zip(self.parts, after, strict=True):
            for index, value in enumerate(values) if self._writes_all else values.items():
                variables[index]._value = value
        return {name: result[name] for name in self.names} if self.names else result


def _identities(parts: Parts) -> list[list[int]]:
    return [[id(variable) for variable in part] for part in parts]


def _only_changes(step: Callable) -> Callable:
    """The step with a new state that holds, by position, only the values that it changed."""

    def changes(state: tuple, data: Any, rows: Any) -> tuple[Any, list[dict]]:
        result, after = step(state, data, rows)
        pairs = [list(zip(*part, strict=True)) for part in zip(state, after, strict=True)]
        return result, [{i: new for i, (old, new) in enumerate(part) if new is not old} for part in pairs]

    return changes
