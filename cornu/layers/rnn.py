"""`RNN`: runs any cell over a sequence.

The loop is one `lax.scan` over time. Assignments within a step (seeds that advance, running statistics of a cell) are
carried along as pure state, and losses added by a step are summed over time. Layers with a faster loop, such as `LSTM`,
only override `inner_loop`.
"""

from typing import Any, Unpack, overload

import jax
import jax.numpy as jnp
from jax import lax

from cornu import tree, validate
from cornu.core import allocation, context
from cornu.core.masks import require_steps
from cornu.core.typing import Nested, NestedShapes, Shape, Tensor
from cornu.core.variable import Variable, functional
from cornu.layers.cells import (
    StackedRNNCells,
    build_cell,
    call_cell,
    check_cell,
    draw_dropout_masks,
    first_states,
    reset_dropout_masks,
)
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.wrapper import OuterLayer

__all__ = ["RNN"]


class RNN(OuterLayer):
    """Runs a cell over the steps of a sequence.

    Args:
        cell: a cell, or a list of cells to stack: an object with `call(inputs, states)` that returns (output, new
            states), `state_size` (one int or a list of ints) and optionally `output_size` and
            `get_initial_state(batch_size)`.
        return_sequences: whether to return the outputs of all steps, or only the last one. Defaults to False.
        return_state: whether to return the final states too. Defaults to False.
        go_backwards: whether to process the steps in reverse; the outputs are in that order too. Defaults to False.
        stateful: whether the final states of a batch are the initial states of the next one; the batch size must be
            fixed. Defaults to False.
        unroll: whether to unroll the loop: may be faster for a few steps, compiles far longer for many. Defaults to
            False.
        zero_output_for_mask: whether masked steps output zeros instead of the previous output. Defaults to False.

    Call arguments:
        sequences: (batch, time, ...).
        initial_state: list of initial states; None uses zeros, or the stored states if `stateful`.
        mask: (batch, time), False where a step is skipped and states are kept.
        training: passed to the cell.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with `return_sequences`; with
    `return_state` a tuple of that and the states.

    Example:

        class Average:
            state_size = output_size = 3

            def call(self, inputs, states):
                new = 0.9 * states[0] + 0.1 * inputs
                return new, [new]

        print(cornu.layers.RNN(Average())(np.ones((2, 5, 3))).shape)  # (2, 3)
    """

    pure_call = rowwise = True
    _hidden = Layer._hidden | {"states"}  # stored states are variables of the layer, but not weights

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else check_cell(cell, self)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.states: Any = None
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=3)

    @property
    def state_size(self) -> Any:
        """The cell's state sizes."""
        return self.cell.state_size

    @property
    def single_state(self) -> bool:
        """Whether the cell has a single state."""
        return not isinstance(self.state_size, (list, tuple)) or len(self.state_size) == 1

    # ------------------------------------------------------------ building

    def build(self, sequences_shape: Shape, initial_state_shape: NestedShapes = None) -> None:
        """Build the cell, and the stored states if `stateful`."""
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            self._make_states(sequences_shape)

    def _make_states(self, sequences_shape: Shape) -> None:
        if sequences_shape[0] is None:
            raise ValueError(
                f"{validate.describe(self)}: with stateful=True the batch size must be known: specify it with "
                f"Input(batch_shape=...). Received: shape={tuple(sequences_shape)}."
            )

        def keep(first: jax.Array) -> Variable:
            return Variable(first, dtype=self.variable_dtype, trainable=False, name="rnn_state")

        with allocation.at_once():
            first = self.get_initial_state(sequences_shape[0])
            self.states = tree.map_structure(keep, first)

    def _collect(self, seeds: bool) -> list[Variable]:
        kept = tree.flatten(self.states) if seeds and self.states is not None else []
        return [*super()._collect(seeds), *kept]

    # ------------------------------------------------------------ states

    def get_initial_state(self, batch_size: int | None) -> list[jax.Array]:
        """The states before the first step."""
        return first_states(self.cell, batch_size, self.compute_dtype)

    def reset_state(self) -> None:
        """Reset the stored states of a `stateful` layer to the initial ones."""
        if self.states is None:
            return
        kept = tree.flatten(self.states)
        for variable, first in zip(kept, tree.flatten(self.get_initial_state(kept[0].shape[0])), strict=True):
            variable.assign(first)

    def reset_states(self) -> None:
        """The old name of `reset_state`."""
        self.reset_state()

    def _state_before(self, sequences: jax.Array) -> list[jax.Array]:
        """The states before the first step of these sequences."""
        return self.get_initial_state(sequences.shape[0])

    def _first_state(self, sequences: jax.Array, initial_state: Nested) -> list[jax.Array]:
        """The initial states, in the cell's structure."""
        batch_size = sequences.shape[0]
        if initial_state is None and self.stateful:
            initial_state = self._kept(batch_size)
        if initial_state is None:
            return self._state_before(sequences)
        structure = jax.eval_shape(lambda: self._state_before(sequences))
        given = tree.flatten(initial_state)
        wanted = tree.flatten(structure)
        if len(given) != len(wanted) or any(a.shape[1:] != b.shape[1:] for a, b in zip(given, wanted, strict=True)):
            raise ValueError(
                f"{validate.describe(self)}: initial_state must have {len(wanted)} state(s) of shape "
                f"{', '.join(str(('batch', *b.shape[1:])) for b in wanted)}. "
                f"Received: {len(given)} of shape {', '.join(str(a.shape) for a in given)}."
            )
        given = [a.astype(b.dtype) for a, b in zip(given, wanted, strict=True)]
        return tree.pack_sequence_as(structure, given)

    def _kept(self, batch_size: int) -> Nested:
        expected = tree.flatten(self.states)[0].shape[0]
        if batch_size != expected:
            raise ValueError(
                f"{validate.describe(self)}: a stateful layer was built for batches of {expected}. "
                f"Received: a batch of {batch_size}."
            )
        return tree.map_structure(lambda variable: variable.value, self.states)

    # ------------------------------------------------------------ calling

    def call(
        self, sequences: jax.Array, initial_state: Nested = None, mask: Nested = None, training: bool = False
    ) -> Nested:
        """The last output, or all outputs; with `return_state` followed by the final states."""
        with self._lending(self.cell):
            return self._run_over(sequences, initial_state, _plain_mask(mask, sequences, self), training)

    def _run_over(self, sequences: jax.Array, initial_state: Nested, mask: jax.Array | None, training: bool) -> Nested:
        states = self._first_state(sequences, initial_state)
        try:
            if training:
                draw_dropout_masks(self.cell, sequences[:, 0], states)
            last, outputs, states = self.inner_loop(sequences, states, mask, training=training)
        finally:
            reset_dropout_masks(self.cell)
        if self.stateful:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                variable.assign(value)
        output = self._padded(last, outputs, mask)
        return (output, *states) if self.return_state else output

    def _padded(self, last: object, outputs: Nested, mask: Nested) -> Nested:
        """The requested output, with zeros reinserted at masked steps."""
        output = outputs if self.return_sequences else last
        if mask is None or not self.zero_output_for_mask:
            return output
        mask = jnp.flip(mask, axis=1) if self.go_backwards else mask
        return where_valid(mask if self.return_sequences else mask[:, -1], output, None)

    def inner_loop(
        self, sequences: jax.Array, initial_state: Nested, mask: jax.Array | None, training: bool = False
    ) -> tuple[Nested, Nested, list[Nested]]:
        """Run the cell over (batch, time, ...): (last output, all outputs, final states)."""
        variables = self.cell.non_trainable_variables if isinstance(self.cell, Layer) else []
        with context.scope(autocast=None):
            assigned = [variable.value for variable in variables]
        losses: list[jax.Array] = []

        def call(x: jax.Array, states: Nested) -> Nested:
            losses.clear()
            with context.scope(losses=losses):
                output, new = call_cell(self.cell, x, states, training)
            return output, tree.pack_sequence_as(states, tree.flatten(new)), list(losses)

        pure = functional(call, variables)

        def step(carry: Any, inputs: Nested) -> Nested:
            assigned, states, held = carry
            x, valid = inputs
            (output, new, losses), assigned = pure(assigned, x, states)
            output, new = where_valid(valid, output, held), where_valid(valid, new, states)
            return (assigned, new, output), (output, losses)

        steps = self.time_major(sequences)
        shape = jax.eval_shape(lambda: pure(assigned, steps[0], initial_state)[0][0])
        carry = (assigned, initial_state, _output_before(shape, initial_state, self.cell))
        (assigned, states, last), (outputs, added) = lax.scan(
            step, carry, (steps, self.time_major(mask)), unroll=self.unroll
        )
        for variable, value in zip(variables, assigned, strict=True):
            variable.assign(value)
        for loss in added:
            self.add_loss(jnp.sum(loss))
        return last, tree.map_structure(lambda y: jnp.swapaxes(y, 0, 1), outputs), states

    @overload
    def time_major(self, x: jax.Array) -> jax.Array: ...
    @overload
    def time_major(self, x: None) -> None: ...
    def time_major(self, x: jax.Array | None) -> jax.Array | None:
        """(batch, time, ...) as (time, batch, ...), in the order in which the steps are processed."""
        if x is None:
            return None
        x = jnp.swapaxes(x, 0, 1)
        return jnp.flip(x, axis=0) if self.go_backwards else x

    def compute_mask(self, _: object, mask: Nested) -> Nested:
        """The mask of the steps if sequences are returned; the last output and the states have none."""
        mask = tree.flatten(mask)[0]
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in tree.flatten(self.state_size))] if self.return_state else mask


def where_valid(valid: jax.Array | None, new: object, old: object) -> Tensor:
    """`new` where `valid` is True, else `old` (None: zeros), for structures of arrays with `valid`'s leading axes."""
    if valid is None:
        return new

    def choose(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(valid.reshape(valid.shape + (1,) * (a.ndim - valid.ndim)), a, b)

    old = tree.map_structure(jnp.zeros_like, new) if old is None else old
    return tree.map_structure(choose, new, old)


def _plain_mask(mask: Nested, sequences: jax.Array, owner: Layer) -> jax.Array | None:
    """The mask of the sequences as booleans (batch, time)."""
    mask = next((m for m in tree.flatten(mask) if m is not None), None)
    if mask is None:
        return None
    mask = mask[..., 0] if mask.ndim == 3 else mask
    require_steps(mask, sequences.shape[:2], validate.describe(owner))
    return mask.astype(bool)


def _output_before(output: object, states: Nested, cell: object) -> Tensor:
    """The output of a masked first step: the last cell's hidden state if that is the cell's output, else zeros."""
    shapes = tree.flatten(output)
    while isinstance(cell, StackedRNNCells):
        cell, states = cell.cells[-1], states[-1]
    hidden = tree.flatten(states)[0]
    if len(shapes) == 1 and shapes[0].shape == hidden.shape:
        return tree.pack_sequence_as(output, [hidden.astype(shapes[0].dtype)])
    return tree.map_structure(lambda s: jnp.zeros(s.shape, s.dtype), output)
