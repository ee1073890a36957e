"""Recurrent cells: the computation of one time step.

A cell maps (inputs of one step, states) to (output, new states). Any object with `call(inputs, states)`, `state_size`
and, if it differs from the first state, `output_size` is a cell; the functions below treat such objects and cells that
are layers alike. Dropout masks are drawn once and kept until they are reset, so that every step of a sequence drops the
same features (Gal and Ghahramani, 2016).
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, Unpack

import jax
import jax.numpy as jnp

from cornu import activations, constraints, initializers, random, regularizers, tree, validate
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import (
    ActivationLike,
    AnyList,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    Nested,
    RegularizerLike,
    Shape,
    Tensor,
)
from cornu.core.variable import Variable
from cornu.kernels import dense
from cornu.kernels.recurrent import product
from cornu.layers.layer import Layer
from cornu.layers.options import CellOptions, LayerOptions
from cornu.layers.wrapper import OuterLayer
from cornu.random.seed_generator import SeedLike, generator_of, given_seed

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"]

_MASKS = ("_dropout_mask", "_recurrent_dropout_mask")


# ---------------------------------------------------------------- any cell

SomeCell = TypeVar("SomeCell")


def check_cell(cell: SomeCell, owner: object) -> SomeCell:
    """`cell`, or an error that says what it lacks."""
    if not callable(getattr(cell, "call", None)):
        raise ValueError(
            f"{validate.describe(owner)}: cell must have a method call(inputs, states). "
            f"Received: {validate.shown(cell)}."
        )
    if not hasattr(cell, "state_size"):
        raise ValueError(
            f"{validate.describe(owner)}: cell must have an attribute state_size, an integer or a list with one "
            f"integer per state. Received: {validate.shown(cell)}."
        )
    return cell


def call_cell(cell: Any, inputs: jax.Array, states: Nested, training: bool | None) -> tuple[jax.Array, Nested]:
    """One step of any cell: (output, new states)."""
    if isinstance(cell, Layer):
        return cell(inputs, states, training=training)
    accepts = inspect.signature(cell.call).parameters
    return cell.call(inputs, states, **({"training": training} if "training" in accepts else {}))


def build_cell(cell: object, step_shape: Shape) -> None:
    """Create the weights of any cell for step inputs of shape (batch, ...)."""
    if not isinstance(cell, Layer):
        if hasattr(cell, "build"):
            cell.build(step_shape)
    elif not cell.built and type(cell).build is not Layer.build:
        cell.build(step_shape)
    elif not cell.built:  # composed of layers that are built when called
        states = tree.map_structure(lambda size: KerasTensor((step_shape[0], size)), state_sizes(cell))
        cell(KerasTensor(step_shape), states)


def state_sizes(cell: Any) -> AnyList:
    """The cell's state sizes as a list, nested for stacked cells."""
    return _listed(cell.state_size)


def _as_told(cell: Any, states: list[jax.Array]) -> Any:
    """States in the structure of the cell's `state_size`: a bare state if that is a single number."""
    return states if isinstance(cell.state_size, (list, tuple)) else states[0]


def _listed(states: Any) -> AnyList:
    return list(states) if isinstance(states, (list, tuple)) else [states]


def output_size(cell: object) -> int:
    """The number of output features of the cell."""
    size = getattr(cell, "output_size", None)
    return size if size is not None else tree.flatten(state_sizes(cell))[0]


def first_states(cell: object, batch_size: int | None, dtype: DTypeLike) -> list[jax.Array]:
    """The initial states defined by the cell, or zeros."""
    if hasattr(cell, "get_initial_state"):
        return _listed(cell.get_initial_state(batch_size=batch_size))
    return tree.map_structure(lambda size: jnp.zeros((batch_size, size), dtype), state_sizes(cell))


def draw_dropout_masks(cell: object, inputs: jax.Array, states: Sequence[jax.Array]) -> None:
    """Draw the dropout masks of a cell, or of each stacked cell, for one sequence."""
    if isinstance(cell, StackedRNNCells):
        for inner, state in zip(cell.cells, states, strict=True):
            draw_dropout_masks(inner, inputs, _listed(state))
            inputs = jnp.zeros((inputs.shape[0], output_size(inner)), inputs.dtype)
    elif isinstance(cell, DropoutRNNCell):
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(states[0])


def reset_dropout_masks(cell: object) -> None:
    """Discard the dropout masks of a cell, or of each stacked cell."""
    for inner in getattr(cell, "cells", (cell,)):
        if isinstance(inner, DropoutRNNCell):
            inner.reset_dropout_mask()
            inner.reset_recurrent_dropout_mask()


# ---------------------------------------------------------------- the built-in cells


class DropoutRNNCell:
    """The dropout masks of a cell, which stay the same for a whole sequence.

    With `implementation=1` each gate has its own masks; recurrent dropout always works that way.
    """

    gate_count = 1
    # Attributes of the cell.
    implementation: int
    dropout: float
    recurrent_dropout: float
    seed_generator: random.SeedGenerator | None
    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def _draw_mask(self, rate: float, like: jax.Array) -> Tensor:
        if rate == 0:
            return None
        count = self.gate_count if self.implementation == 1 else 1
        masks = [random.dropout(jnp.ones_like(like), rate, seed=self.seed_generator) for _ in range(count)]
        return masks[0] if count == 1 else masks

    def get_dropout_mask(self, step_input: jax.Array) -> Tensor:
        """The mask of the inputs: an array, a list with one per gate, or None without dropout."""
        if self._dropout_mask is None:
            self._dropout_mask = self._draw_mask(self.dropout, step_input)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: jax.Array) -> Tensor:
        """The mask of the hidden state, in the same form."""
        if self._recurrent_dropout_mask is None:
            self._recurrent_dropout_mask = self._draw_mask(self.recurrent_dropout, step_input)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Draw a new input mask at the next step."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw a new mask of the hidden state at the next step."""
        self._recurrent_dropout_mask = None


class GatedCell(DropoutRNNCell, Layer):
    """Shared by the built-in cells: a kernel, a recurrent kernel and a bias, with `gate_count` gates side by side."""

    recurrent_activation: Callable[[jax.Array], jax.Array]  # of the cells with gates

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        recurrent_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        recurrent_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: SeedLike = None,
        **kwargs: Any,
    ):
        implementation = validate.one_of(kwargs.pop("implementation", 2), (0, 1, 2), "implementation", self)
        super().__init__(**kwargs)
        self.units = validate.positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = validate.fraction(dropout, "dropout", self)
        self.recurrent_dropout = validate.fraction(recurrent_dropout, "recurrent_dropout", self)
        self.seed = given_seed(seed, self)
        self.seed_generator = generator_of(seed) if self.dropout or self.recurrent_dropout else None
        self.implementation = 1 if self.recurrent_dropout else implementation
        self.state_size: int | list[int] = self.units
        self.output_size = self.units

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Create kernel, recurrent_kernel and bias."""
        self._add_weights(input_shape[-1])

    def _add_weights(self, features: int, window: tuple[int, ...] = ()) -> None:
        """The bias, and kernels of shapes (*window, features, gates x units) and (*window, units, gates x units)."""
        width = self.gate_count * self.units
        self.kernel = self._add("kernel", (*window, features, width), "kernel", self.kernel_initializer)
        self.recurrent_kernel = self._add(
            "recurrent_kernel", (*window, self.units, width), "recurrent", self.recurrent_initializer
        )
        self.bias = self._add("bias", self._bias_shape(), "bias", self._first_bias) if self.use_bias else None

    def _add(self, name: str, shape: tuple[int, ...], kind: str, initializer: InitializerLike | None) -> Variable:
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
            name=name,
        )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gate_count * self.units,)

    def _first_bias(self, shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Tensor:
        return self.bias_initializer(shape, dtype=dtype)

    def biases(self) -> tuple[Tensor, Tensor]:
        """(the bias of the projected inputs, the bias of the product of state and recurrent kernel)."""
        return (None if self.bias is None else self.bias.value), None

    def project(self, inputs: jax.Array, mask: Nested = None) -> jax.Array:
        """The inputs (..., features), masked by dropout, times the kernel, plus bias: (..., gates x units)."""
        return gate_products(inputs, mask, self.kernel.value, self.biases()[0])

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros for each state."""
        return [jnp.zeros((batch_size, size), self.compute_dtype) for size in state_sizes(self)]

    def _masks(self, inputs: jax.Array, hidden: jax.Array, training: bool | None) -> tuple[object, object]:
        if not training:
            return None, None
        return self.get_dropout_mask(inputs), self.get_recurrent_dropout_mask(hidden)


def gate_products(
    x: jax.Array,
    mask: Nested,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    product: Callable[[jax.Array, jax.Array], jax.Array] = product,
) -> jax.Array:
    """(x * mask) @ kernel + bias, where a list of masks has one for each gate in the kernel."""
    if isinstance(mask, list):
        columns = jnp.split(kernel, len(mask), axis=-1)
        result = jnp.concatenate([product(x * m, k) for m, k in zip(mask, columns, strict=True)], axis=-1)
    else:
        result = product(x if mask is None else x * mask, kernel)
    return result if bias is None else dense.biased(result, bias)


def _hidden(states: Nested) -> jax.Array:
    """The only state of a cell, which may be given bare or in a list."""
    return states[0] if isinstance(states, (list, tuple)) else states


def _like(states: Nested, hidden: jax.Array) -> Tensor:
    return [hidden] if isinstance(states, (list, tuple)) else hidden


class SimpleRNNCell(GatedCell):
    """One step of `SimpleRNN`: h' = activation(x @ kernel + h @ recurrent_kernel + bias).

    Args:
        units: size of the state and the output.
        activation: name or callable. Defaults to `"tanh"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.

    Shapes: inputs (batch, features) and states [(batch, units)] to (batch, units) and the same states.

    Example:

        layer = cornu.layers.RNN(cornu.layers.SimpleRNNCell(4))
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 4)
    """

    pure_call = rowwise = True

    def call(self, sequence: jax.Array, states: Nested, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """One step."""
        hidden = _hidden(states)
        drop, drop_hidden = self._masks(sequence, hidden, training)
        output = self.activation(
            self.project(sequence, drop) + gate_products(hidden, drop_hidden, self.recurrent_kernel.value)
        )
        return output, _like(states, output)


class LSTMCell(GatedCell):
    """One step of `LSTM`: input, forget and output gates around a memory cell.

    With z = x @ kernel + h @ recurrent_kernel + bias:
    i, f, o = recurrent_activation(z_i, z_f, z_o);  g = activation(z_g);
    c' = f c + i g;  h' = o activation(c').

    Args:
        units: size of the states and the output.
        activation, recurrent_activation: activation functions, names or callables, of the cell state and of the gates.
            Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        unit_forget_bias: whether the forget gate's bias is initialized to one. Defaults to True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.

    Shapes: inputs (batch, features) and states [h, c], each (batch, units), to (batch, units) and the same states.

    Hochreiter and Schmidhuber, Long short-term memory, 1997.

    Example:

        layer = cornu.layers.RNN(cornu.layers.LSTMCell(4))
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 4)
    """

    pure_call = rowwise = True
    gate_count = 4

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike | None = None,
        recurrent_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        recurrent_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: SeedLike = None,
        **kwargs: Unpack[CellOptions],
    ):
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _first_bias(self, shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Tensor:
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        gate = (self.units,)
        parts = (
            self.bias_initializer(gate, dtype=dtype),
            jnp.ones(gate, dtype),
            self.bias_initializer((2 * self.units,), dtype=dtype),
        )
        return jnp.concatenate(parts)

    def call(
        self, inputs: jax.Array, states: Sequence[jax.Array], training: bool = False
    ) -> tuple[jax.Array, list[jax.Array]]:
        """One step."""
        hidden, memory = states
        drop, drop_hidden = self._masks(inputs, hidden, training)
        z = self.project(inputs, drop) + gate_products(hidden, drop_hidden, self.recurrent_kernel.value)
        return self.through_gates(z, memory)

    def through_gates(self, z: jax.Array, memory: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        """The output and the new states from the four gates, side by side on the last axis."""
        i, f, g, o = jnp.split(z, 4, axis=-1)
        gate = self.recurrent_activation
        memory = gate(f) * memory + gate(i) * self.activation(g)
        hidden = gate(o) * self.activation(memory)
        return hidden, [hidden, memory]


class GRUCell(GatedCell):
    """One step of `GRU`: an update gate z and a reset gate r.

    h' = z h + (1 - z) activation(x_g + r (h @ U_g)), or activation(x_g + (r h) @ U_g) with `reset_after=False`.

    Args:
        units: size of the state and the output.
        activation, recurrent_activation: activation functions, names or callables, of the candidate state and of the
            gates. Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias (with `reset_after`, one each for the inputs and the state). Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        reset_after: whether the reset gate is applied after the matrix product, as in cuDNN, or before. Defaults to
        True.
        seed: int or SeedGenerator for dropout. None by default.

    Shapes: inputs (batch, features) and states [(batch, units)] to (batch, units) and the same states.

    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.

    Example:

        layer = cornu.layers.RNN(cornu.layers.GRUCell(4))
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 4)
    """

    pure_call = rowwise = True
    gate_count = 3

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        recurrent_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        recurrent_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: SeedLike = None,
        **kwargs: Unpack[CellOptions],
    ):
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def biases(self) -> tuple[Tensor, Tensor]:
        """(the bias of the projected inputs, the bias of the product of state and recurrent kernel)."""
        if self.bias is None:
            return None, None
        bias = self.bias.value
        return (bias[0], bias[1]) if self.reset_after else (bias, None)

    def call(self, inputs: jax.Array, states: Nested, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """One step."""
        hidden = _hidden(states)
        drop, drop_hidden = self._masks(inputs, hidden, training)
        x = jnp.split(self.project(inputs, drop), 3, axis=-1)
        step = self._reset_after if self.reset_after else self._reset_before
        update, candidate = step(x, hidden, drop_hidden)
        output = update * hidden + (1 - update) * candidate
        return output, _like(states, output)

    def _reset_after(self, x: Sequence[jax.Array], hidden: jax.Array, drop: object) -> tuple[jax.Array, jax.Array]:
        product_ = gate_products(hidden, drop, self.recurrent_kernel.value, self.biases()[1])
        p = jnp.split(product_, 3, axis=-1)
        update, reset = (self.recurrent_activation(x[i] + p[i]) for i in (0, 1))
        return update, self.activation(x[2] + reset * p[2])

    def _reset_before(self, x: Sequence[jax.Array], hidden: jax.Array, drop: object) -> tuple[jax.Array, jax.Array]:
        kernel = self.recurrent_kernel.value
        gates, last = (drop[:2], drop[2]) if isinstance(drop, list) else (drop, drop)
        p = jnp.split(gate_products(hidden, gates, kernel[:, : 2 * self.units]), 2, axis=-1)
        update, reset = (self.recurrent_activation(x[i] + p[i]) for i in (0, 1))
        return update, self.activation(x[2] + gate_products(reset * hidden, last, kernel[:, 2 * self.units :]))


class StackedRNNCells(OuterLayer):
    """Several cells combined into one: each receives the output of the previous one.

    Args:
        cells: list of cells.

    Example:

        cells = [cornu.layers.LSTMCell(4), cornu.layers.GRUCell(3)]
        layer = cornu.layers.RNN(cornu.layers.StackedRNNCells(cells))
        print(layer(np.ones((2, 5, 6))).shape)  # (2, 3)
    """

    pure_call = rowwise = True

    def __init__(self, cells: Sequence[Any], **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.cells = [check_cell(cell, self) for cell in cells]
        if not self.cells:
            raise ValueError(
                f"{validate.describe(self)}: cells must contain at least one cell. "
                f"Received: cells={validate.shown(cells)}."
            )

    @property
    def state_size(self) -> list[int | list[int]]:
        """The state sizes of all cells, one entry per cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The number of output features of the last cell."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """The initial states of all cells: a bare state for a cell with a single state, else a list."""
        states = []
        for cell in self.cells:
            with self._lending(cell):
                states.append(_as_told(cell, first_states(cell, batch_size, self.compute_dtype)))
        return states

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Build each cell for the output of the previous one."""
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(
        self, inputs: jax.Array, states: Sequence[jax.Array], training: bool = False
    ) -> tuple[jax.Array, list[jax.Array]]:
        """One step of all cells."""
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            with self._lending(cell):
                inputs, state = call_cell(cell, inputs, _listed(state), training)
            new_states.append(_as_told(cell, _listed(state)))
        return inputs, new_states

    def reset_dropout_mask(self) -> None:
        """Draw new input masks at the next step."""
        for cell in self.cells:
            if isinstance(cell, DropoutRNNCell):
                cell.reset_dropout_mask()

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw new masks of the hidden states at the next step."""
        for cell in self.cells:
            if isinstance(cell, DropoutRNNCell):
                cell.reset_recurrent_dropout_mask()
