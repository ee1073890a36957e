"""`ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`: LSTMs whose states are images and whose products are convolutions.

One cell and one layer serve every number of spatial axes. The layer convolves the inputs of all steps at once, so that
only the convolution of the hidden state is inside its loop. Internally, channels come last; `"channels_first"` applies
to the inputs and outputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from cornu import tree, validate
from cornu.core import placement
from cornu.core.typing import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    Nested,
    RegularizerLike,
    Shape,
    Sizes,
    Tensor,
)
from cornu.kernels import conv, half_precision, window
from cornu.layers.cells import LSTMCell, gate_products
from cornu.layers.input_spec import InputSpec
from cornu.layers.recurrent import CELL_ARGUMENTS, GatedRNN, make_cell, of_cell
from cornu.layers.rnn import RNN, where_valid
from cornu.layers.windowed import Windowed
from cornu.random.seed_generator import SeedLike

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]

_WINDOW_ARGUMENTS = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")


class ConvLSTMCell(LSTMCell, Windowed):
    """One step of `ConvLSTM2D` and related layers: `LSTMCell` with convolutions instead of matrix products.

    Args:
        rank: number of spatial axes.
        filters, kernel_size, strides, padding, data_format, dilation_rate: as in the layers; strides, padding and
            dilation apply to the convolution of the inputs, while that of the hidden state preserves its size.
        **kwargs: further arguments of `LSTMCell`.

    Shapes: inputs (batch, *space, channels) and states [h, c], each (batch, *new_space, filters), to the new h and the
    same states; channels come after the batch axis for `"channels_first"`.
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*LSTMCell.config_skip, "units")

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        **kwargs: Any,
    ):
        super().__init__(validate.positive_int(filters, "filters", self), implementation=1, **kwargs)
        self.rank = rank
        self.filters = filters
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._check_steps()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create kernel, recurrent_kernel and bias for the inputs of a step."""
        channels = self._channels(input_shape)
        self._check_fits(input_shape)
        self._add_weights(channels, self.kernel_size)
        self._built_for = tuple(input_shape[1:])

    # ------------------------------------------------------------ states

    def get_initial_state(self, batch_size: int | None = None) -> list[jax.Array]:
        """Zeros for both states, with the sizes that the cell was built for."""
        return self.states_before(batch_size, self._built_for)

    def states_before(self, batch_size: int | None, sample_shape: Sequence[int | None]) -> list[jax.Array]:
        """Zeros for both states, given the inputs of a step without the batch axis."""
        last = self.data_format == "channels_last"
        space = [n for n in (sample_shape[:-1] if last else sample_shape[1:]) if n is not None]
        if len(space) < self.rank:
            raise ValueError(
                f"{validate.describe(self)}: the sizes of the initial states depend on those of the inputs, which must "
                f"be known. Received: inputs of {tuple(sample_shape)}. Give every spatial axis a size in Input(...)."
            )
        places = window.slide(self.padding, space, self.kernel_size, self.strides, self.dilation_rate).places
        shape = (*places, self.filters) if last else (self.filters, *places)
        return [jnp.zeros((batch_size, *shape), self.compute_dtype) for _ in range(2)]

    # ------------------------------------------------------------ one step

    def call(
        self, inputs: jax.Array, states: Sequence[jax.Array], training: bool = False
    ) -> tuple[jax.Array, list[jax.Array]]:
        """One step."""
        masks = self._masks(inputs, states[0], training)
        inputs, drop, drop_hidden, states = self.channels_last((inputs, *masks, list(states)))
        states = self.advance(self.project(inputs, drop), states, self.recurrent_kernel.value, drop_hidden)
        after: list[jax.Array] = self.channels_as_given(states)
        return after[0], after

    def project(self, inputs: jax.Array, mask: Nested = None) -> jax.Array:
        """The convolution of inputs (..., batch, *space, channels), masked by dropout: (..., *new_space, gates)."""

        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            first = x.ndim - self.rank - 1  # merges the time and batch axes
            if first == 2 and placement.is_split():  # each device keeps its rows if these come first
                return jnp.swapaxes(images(jnp.swapaxes(x, 0, 1), kernel, first), 0, 1)
            return images(x, kernel, first)

        def images(x: jax.Array, kernel: jax.Array, first: int) -> jax.Array:
            y = conv.conv(x.reshape(-1, *x.shape[first:]), kernel, self.strides, self.padding, self.dilation_rate)
            return y.reshape(*x.shape[:first], *y.shape[1:])

        return gate_products(inputs, mask, self.kernel.value, self.biases()[0], convolve)

    def advance(
        self, projected: jax.Array, states: Sequence[jax.Array], kernel: jax.Array, mask: Nested = None
    ) -> list[jax.Array]:
        """The new states of a step whose inputs are already convolved, channels last."""

        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return conv.conv(x, kernel, (1,) * self.rank, "same")

        hidden, memory = states
        return self.through_gates(projected + gate_products(hidden, mask, kernel, None, convolve), memory)[1]

    # ------------------------------------------------------------ the order of axes

    def channels_last(self, arrays: Nested) -> Tensor:
        """Arrays in the layer's data format, with the channels moved to the end."""
        return self._moved(arrays, -self.rank - 1, -1)

    def channels_as_given(self, arrays: Nested) -> Tensor:
        """Arrays with the channels at the end, converted to `data_format`."""
        return self._moved(arrays, -1, -self.rank - 1)

    def _moved(self, arrays: Nested, source: int, destination: int) -> Tensor:
        if self.data_format == "channels_last":
            return arrays
        return tree.map_structure(lambda x: None if x is None else jnp.moveaxis(x, source, destination), arrays)


@half_precision.in_float32
def _loop(
    projected: jax.Array,
    mask: jax.Array | None,
    states: list[jax.Array],
    kernel: jax.Array,
    drop: Nested,
    advance: Callable[..., list[jax.Array]],
    unroll: bool,
    sequences: bool,
) -> tuple[jax.Array | None, list[jax.Array]]:
    """(hidden states of all steps or None, final states) of time-major inputs; a masked step keeps the states."""

    def step(
        states: list[jax.Array], inputs: tuple[jax.Array, jax.Array | None]
    ) -> tuple[list[jax.Array], jax.Array | None]:
        x, valid = inputs
        states = where_valid(valid, advance(x, states, kernel, drop), states)
        return states, states[0] if sequences else None

    states, hidden = lax.scan(step, states, (projected, mask), unroll=unroll)
    return hidden, states


class ConvLSTM(RNN):
    """The base class of the three layers."""

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*RNN.config_skip, "cell")
    config_optional = GatedRNN.config_optional
    rank: int  # the number of spatial axes
    cell: ConvLSTMCell

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
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
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        recurrent_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: SeedLike = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ):
        arguments = ("recurrent_activation", "unit_forget_bias", *_WINDOW_ARGUMENTS)
        super().__init__(
            make_cell(ConvLSTMCell, locals(), *arguments, rank=self.rank),
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.rank + 3)

    locals().update(of_cell(*CELL_ARGUMENTS, *_WINDOW_ARGUMENTS, "recurrent_activation", "unit_forget_bias"))

    def build(self, sequences_shape: Shape, initial_state_shape: Nested = None) -> None:
        """Build the cell, and the stored states if `stateful`."""
        super().build(sequences_shape, initial_state_shape)
        axis = self.rank + 2 if self.cell.data_format == "channels_last" else 2
        self.input_spec = InputSpec(ndim=self.rank + 3, axes={axis: sequences_shape[axis]})

    def _state_before(self, sequences: jax.Array) -> list[jax.Array]:
        return self.cell.states_before(sequences.shape[0], sequences.shape[2:])

    def inner_loop(
        self, sequences: jax.Array, initial_state: Nested, mask: jax.Array | None, training: bool = False
    ) -> tuple[jax.Array, jax.Array | None, list[jax.Array]]:
        """Run over (batch, time, *space, channels): (last output, all outputs or None, final states)."""
        cell = self.cell
        drop, drop_hidden = cell._masks(sequences[:, 0], initial_state[0], training)
        steps, drop, drop_hidden, states = cell.channels_last(
            (self.time_major(sequences), drop, drop_hidden, list(initial_state))
        )
        projected, kernel = cell.project(steps, drop), cell.recurrent_kernel.value
        hidden, states = _loop(
            projected, self.time_major(mask), states, kernel, drop_hidden, cell.advance, self.unroll,
            self.return_sequences,
        )  # fmt: skip
        states = cell.channels_as_given(states)
        hidden = None if hidden is None else jnp.swapaxes(cell.channels_as_given(hidden), 0, 1)
        return states[0], hidden, states


class ConvLSTM1D(ConvLSTM):
    """Convolutional LSTM over sequences of 1D data: `LSTMCell` with convolutions instead of matrix products.

    Args:
        filters: number of channels of the output and of both states.
        kernel_size: size of both kernels, an int or (size,).
        strides: step of the inputs' kernel, likewise. Defaults to 1. The stride of the state's kernel is always 1.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size), for the inputs. The state keeps its size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the elements of the input kernel; cannot be combined with strides above 1. Defaults
            to 1.
        activation, recurrent_activation: activation functions, names or callables, of the cell state and of the gates.
            Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        unit_forget_bias: whether the forget gate's bias is initialized to one. Defaults to True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for elements of the inputs and the state during training,
            the same at every step. Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also accepts `unroll` and
            `zero_output_for_mask` and documents the call arguments.

    Input shape:
        `(batch, time, steps, channels)`,
        or `(batch, time, channels, steps)` for `\"channels_first\"`.

    Output shape:
        `(batch, new_steps, filters)`, or
        `(batch, filters, new_steps)`; with `return_sequences`, the time axis comes after the batch axis.

    Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, 2015.

    Example:

        layer = cornu.layers.ConvLSTM1D(4, 3, padding="same", return_sequences=True)
        print(layer(np.ones((2, 3, 8, 1))).shape)  # (2, 3, 8, 4)
    """

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """Convolutional LSTM over videos: `LSTMCell` with convolutions instead of matrix products.

    Args:
        filters: number of channels of the output and of both states.
        kernel_size: size of both kernels, an int or (height, width).
        strides: step of the inputs' kernel, likewise. Defaults to 1. The stride of the state's kernel is always 1.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size), for the inputs. The state keeps its size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the elements of the input kernel; cannot be combined with strides above 1. Defaults
            to 1.
        activation, recurrent_activation: activation functions, names or callables, of the cell state and of the gates.
            Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        unit_forget_bias: whether the forget gate's bias is initialized to one. Defaults to True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for elements of the inputs and the state during training,
            the same at every step. Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also accepts `unroll` and
            `zero_output_for_mask` and documents the call arguments.

    Input shape:
        `(batch, time, height, width, channels)`,
        or `(batch, time, channels, height, width)` for `\"channels_first\"`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or
        `(batch, filters, new_height, new_width)`; with `return_sequences`, the time axis comes after the batch axis.

    Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, 2015.

    Example:

        layer = cornu.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
        print(layer(np.ones((2, 3, 8, 6, 1))).shape)  # (2, 3, 8, 6, 4)
    """

    rank = 2


class ConvLSTM3D(ConvLSTM):
    """Convolutional LSTM over sequences of volumes: `LSTMCell` with convolutions instead of matrix products.

    Args:
        filters: number of channels of the output and of both states.
        kernel_size: size of both kernels, an int or three, one per spatial axis.
        strides: step of the inputs' kernel, likewise. Defaults to 1. The stride of the state's kernel is always 1.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size), for the inputs. The state keeps its size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the elements of the input kernel; cannot be combined with strides above 1. Defaults
            to 1.
        activation, recurrent_activation: activation functions, names or callables, of the cell state and of the gates.
            Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        unit_forget_bias: whether the forget gate's bias is initialized to one. Defaults to True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for elements of the inputs and the state during training,
            the same at every step. Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also accepts `unroll` and
            `zero_output_for_mask` and documents the call arguments.

    Input shape:
        `(batch, time, depth, height, width, channels)`,
        or `(batch, time, channels, depth, height, width)` for `\"channels_first\"`.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`, or
        `(batch, filters, new_depth, new_height, new_width)`; with `return_sequences`, the time axis comes after the
        batch axis.

    Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, 2015.

    Example:

        layer = cornu.layers.ConvLSTM3D(4, 3, padding="same", return_sequences=True)
        print(layer(np.ones((2, 3, 8, 6, 5, 1))).shape)  # (2, 3, 8, 6, 5, 4)
    """

    rank = 3
