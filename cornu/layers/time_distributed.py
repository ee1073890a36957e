"""`TimeDistributed`: a layer applied to every time step separately.

Steps are independent, so they run in parallel (`jax.vmap`), unless the layer assigns variables, such as running
statistics or a random seed: then they run sequentially, as those assignments require.
"""

from typing import Any, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from cornu import ops, tree, validate
from cornu.core import context, placement
from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import AnyFunction, Nested, NestedShapes, Shape
from cornu.core.variable import Variable, functional
from cornu.layers.options import LayerOptions
from cornu.layers.rows import mixes_rows
from cornu.layers.wrapper import Wrapper

__all__ = ["TimeDistributed"]


class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence, with the same weights.

    Args:
        layer: the layer; it receives inputs of shape (batch, ...) without the time axis.

    Shapes: (batch, time, ...) to (batch, time, ...). A mask (batch, time, ...) is passed to the layer step by step.

    Example:

        frames = np.ones((2, 5, 8, 8, 3))
        layer = cornu.layers.TimeDistributed(cornu.layers.Conv2D(4, 3))
        print(layer(frames).shape)  # (2, 5, 6, 6, 4)
    """

    pure_call = rowwise = True

    def __init__(self, layer: Any, **kwargs: Unpack[LayerOptions]):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: NestedShapes) -> None:  # type: ignore[override]  # a shape is needed
        """Build the layer for one step."""
        super().build(self._step_shape(input_shape))

    def _step_shape(self, input_shape: NestedShapes) -> Shape:
        if tree.is_nested(input_shape[0]) or len(input_shape) < 3:
            raise ValueError(
                f"{validate.describe(self)}: the input must be one tensor of at least 3 dimensions (batch, time, ...). "
                f"Received: shape={input_shape}."
            )
        return (input_shape[0], *input_shape[2:])

    def call(  # type: ignore[override]  # what the layer inside is called with
        self, inputs: jax.Array, training: bool | None = None, mask: jax.Array | None = None
    ) -> Nested:
        """The layer's outputs for all steps."""
        if mask is not None and mask.shape[:2] != inputs.shape[:2]:
            raise ValueError(
                f"{validate.describe(self)}: mask must start with the batch and time sizes of the input, "
                f"{inputs.shape[:2]}. Received: shape={mask.shape}."
            )
        variables = self.layer.non_trainable_variables
        with context.scope(autocast=None):
            values = [variable.value for variable in variables]
        step = functional(self._one_step(training), variables)
        if _assigns(step, values, inputs, mask):
            (outputs, masks, losses), values = _in_turn(step, values, inputs, mask)
            _assign(variables, values)
        else:
            outputs, masks, losses = self._at_once(step)(inputs, mask, values)
        for loss in losses:
            self.add_loss(jnp.sum(loss))
        for output, one in zip(tree.flatten(outputs), masks, strict=True):
            set_mask(output, one)
        return outputs

    def _at_once(self, step: AnyFunction) -> AnyFunction:
        """All steps at once, which several devices would exchange, as they merge with the rows."""

        def run(inputs: jax.Array, mask: jax.Array | None, values: list[jax.Array]) -> tuple[Nested, ...]:
            return jax.vmap(lambda x, m: step(values, x, m)[0], in_axes=1, out_axes=1)(inputs, mask)

        if not placement.is_split() or any(mixes_rows(layer, True) for layer in self.layer._flatten_layers()):
            return run
        variables = self.layer.trainable_variables

        def of_rows(
            rows: tuple[jax.Array, ...], weights: list[jax.Array], values: list[jax.Array]
        ) -> tuple[Nested, ...]:
            return functional(run, variables)(weights, *rows, values)[0]

        def split(inputs: jax.Array, mask: jax.Array | None, values: list[jax.Array]) -> tuple[Nested, ...]:
            with context.scope(autocast=None):
                weights = [variable.value for variable in variables]
            return placement.each_row(of_rows, (inputs, mask), weights, values)

        return split

    def _one_step(self, training: bool | None) -> AnyFunction:
        """A function of one step's input and mask: (outputs, their masks, added losses)."""

        def step(x: jax.Array, mask: jax.Array | None) -> tuple[Nested, ...]:
            losses: list[jax.Array] = []
            set_mask(x, mask)
            with context.scope(losses=losses), self._lending(self.layer):
                outputs = self.layer(x, training=training)
            losses = [jnp.reshape(loss, (1,)) for loss in losses]  # adds an axis next to which time can be placed
            return outputs, [get_mask(y) for y in tree.flatten(outputs)], losses

        return step

    def compute_mask(self, inputs: Nested, previous_mask: Nested) -> Nested:
        """The mask of the steps; including dimensions inside the steps if the layer keeps them."""
        if previous_mask is None or len(previous_mask.shape) == 2:
            return previous_mask
        if self.layer.compute_mask(inputs[:, 0], previous_mask[:, 0]) is not None:
            return previous_mask
        return ops.any(previous_mask, axis=tuple(range(2, len(previous_mask.shape))))


def _assigns(step: AnyFunction, values: list[jax.Array], inputs: jax.Array, mask: jax.Array | None) -> bool:
    """Whether a step assigns any variable, found by tracing one step."""
    changed = []

    def trace(x: jax.Array, m: jax.Array | None) -> jax.Array:
        _, after = step(values, x, m)
        changed.append(any(a is not b for a, b in zip(values, after, strict=True)))
        return x

    jax.eval_shape(trace, inputs[:, 0], None if mask is None else mask[:, 0])
    return changed[-1]


def _in_turn(
    step: AnyFunction, values: list[jax.Array], inputs: jax.Array, mask: jax.Array | None
) -> tuple[Nested, ...]:
    """Run the steps sequentially: (results with time on axis 1, final values)."""

    def body(values: list[jax.Array], at: tuple[jax.Array, jax.Array | None]) -> tuple[list[jax.Array], Nested]:
        result, values = step(values, *at)
        return values, result

    steps = (jnp.swapaxes(inputs, 0, 1), None if mask is None else jnp.swapaxes(mask, 0, 1))
    results: Any
    last, results = lax.scan(body, values, steps)
    return jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), results), last


def _assign(variables: list[Variable], values: list[jax.Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
