"""`SimpleRNN`, `LSTM` and `GRU`: `RNN` with a built-in cell and, if applicable, a faster loop.

The fast loop projects all inputs in one matrix product and runs the steps in a compiled kernel. It supports the
activations in its table and no recurrent dropout; everything else runs cell by cell, as does `use_cudnn=False`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, Unpack

import jax
import jax.numpy as jnp

from cornu import activations, validate
from cornu.core.operation import snake_case
from cornu.core.typing import (
    ActivationLike,
    AnyFunction,
    ConstraintLike,
    InitializerLike,
    Kwargs,
    Nested,
    RegularizerLike,
)
from cornu.kernels import gates, recurrent
from cornu.layers.cells import GatedCell, GRUCell, LSTMCell, SimpleRNNCell
from cornu.layers.input_spec import InputSpec
from cornu.layers.options import RecurrentOptions
from cornu.layers.rnn import RNN
from cornu.random.seed_generator import SeedLike

__all__ = ["GRU", "LSTM", "SimpleRNN"]

Cell = TypeVar("Cell", bound=GatedCell)

_FAST_ACTIVATIONS = {getattr(activations, name): name for name in gates.ACTIVATIONS}

CELL_ARGUMENTS = (
    "activation", "use_bias",
    "kernel_initializer", "recurrent_initializer", "bias_initializer",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
    "dropout", "recurrent_dropout", "seed",
)  # fmt: skip


def make_cell(kind: type[Cell], arguments: Kwargs, *others: str, **given: Any) -> Cell:
    """A cell from the local variables of a layer's constructor."""
    given |= {name: arguments[name] for name in (*CELL_ARGUMENTS, *others)}
    inherited = {name: arguments["kwargs"][name] for name in ("dtype", "trainable") if name in arguments["kwargs"]}
    return kind(**given, **inherited, name=snake_case(kind.__name__))


def _cell(kind: type[Cell], arguments: Kwargs, *others: str) -> Cell:
    """The same for a cell of `units`; removes from `kwargs` what only the cell accepts."""
    keywords = arguments["kwargs"]
    given = {"implementation": keywords.pop("implementation")} if "implementation" in keywords else {}
    return make_cell(kind, arguments, "units", *others, **given)


def of_cell(*names: str) -> dict[str, property]:
    """Properties that read the arguments stored in the cell."""

    def reader(name: str) -> property:
        return property(lambda self: getattr(self.cell, name), doc=f"The cell's {name}.")

    return {name: reader(name) for name in names}


class GatedRNN(RNN):
    """Shared by the three layers: a built-in cell, and the choice of the loop."""

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*RNN.config_skip, "cell", "use_cudnn")
    config_optional: tuple[str, ...] = tuple(n for n in RNN.config_optional if n != "activity_regularizer")
    use_cudnn: Any = "auto"
    cell: GatedCell
    recurrent_dropout: float
    _make_gates: Callable[..., gates.Gates]

    def __init__(self, cell: GatedCell, **kwargs: Any):
        super().__init__(cell, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    locals().update(of_cell("units", *CELL_ARGUMENTS))

    def _gates(self, training: bool) -> gates.Gates | None:
        """The arithmetic for the fast loop, or None if that is not applicable."""
        names = [_FAST_ACTIVATIONS.get(f) for f in self._functions()]
        if self.use_cudnn is False or None in names or (training and self.recurrent_dropout):
            return None
        return self._make_gates(*names)

    def _functions(self) -> tuple[AnyFunction, ...]:
        return self.cell.activation, self.cell.recurrent_activation

    def inner_loop(
        self, sequences: jax.Array, initial_state: Nested, mask: jax.Array | None, training: bool = False
    ) -> tuple[jax.Array, jax.Array | None, list[jax.Array]]:
        """Run over (batch, time, features) with the fast loop or cell by cell."""
        arithmetic = self._gates(training)
        if arithmetic is None:
            self._require_fast_unless_auto()
            return super().inner_loop(sequences, initial_state, mask, training)
        kernel: jax.Array | None = self.cell.kernel.value
        steps, biases = self.time_major(sequences), self.cell.biases()
        drop = self.cell.get_dropout_mask(steps[0]) if training else None
        if isinstance(drop, list):  # one mask per gate
            steps, kernel, biases = self.cell.project(steps, drop), None, (None, biases[1])
        elif drop is not None:
            steps = steps * drop
        hidden, last = recurrent.recur(
            arithmetic,
            steps,
            tuple(initial_state),
            self.cell.recurrent_kernel.value,
            biases[1],
            self.time_major(mask),
            self.unroll,
            self.return_sequences,
            kernel,
            biases[0],
        )
        return last[0], jnp.swapaxes(hidden, 0, 1) if self.return_sequences else None, list(last)

    def _require_fast_unless_auto(self) -> None:
        if self.use_cudnn is True:
            raise ValueError(
                f"{validate.describe(self)}: use_cudnn=True requires activations among "
                f"{', '.join(gates.ACTIVATIONS)}, "
                'recurrent_dropout=0 and, for GRU, reset_after=True. Pass use_cudnn="auto" to run cell by cell.'
            )


class SimpleRNN(GatedRNN):
    """Fully connected recurrent layer: h' = activation(x @ kernel + h @ recurrent_kernel + bias).

    Args:
        units: size of the state and the output.
        activation: name or callable. Defaults to `"tanh"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`, which also accepts
            `zero_output_for_mask` and documents the call arguments.
        seed: int or SeedGenerator for dropout. None by default.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with `return_sequences`.

    Example:

        layer = cornu.layers.SimpleRNN(4, return_sequences=True)
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 5, 4)
    """

    pure_call = rowwise = True
    config_optional: tuple[str, ...] = (*GatedRNN.config_optional, "seed")

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
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        recurrent_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: SeedLike = None,
        **kwargs: Unpack[RecurrentOptions],
    ):
        super().__init__(
            _cell(SimpleRNNCell, locals()),
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )

    def _functions(self) -> tuple[AnyFunction, ...]:
        return (self.cell.activation,)

    _make_gates = staticmethod(gates.simple_gates)


class LSTM(GatedRNN):
    """Long short-term memory: see `LSTMCell` for the formula.

    Args:
        units: size of the states and the output.
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
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`, which also accepts
            `zero_output_for_mask` and documents the call arguments.
        use_cudnn: "auto" uses the fast loop if possible, True requires it, False runs cell by cell. Defaults to
            `"auto"`.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with `return_sequences`.

    Hochreiter and Schmidhuber, Long short-term memory, 1997.

    Example:

        layer = cornu.layers.LSTM(4, return_sequences=True)
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 5, 4)
    """

    pure_call = rowwise = True

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
        unroll: bool = False,
        use_cudnn: object = "auto",
        **kwargs: Unpack[RecurrentOptions],
    ):
        super().__init__(
            _cell(LSTMCell, locals(), "recurrent_activation", "unit_forget_bias"),
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.use_cudnn = validate.one_of(use_cudnn, ("auto", True, False), "use_cudnn", self)

    locals().update(of_cell("recurrent_activation", "unit_forget_bias"))

    _make_gates = staticmethod(gates.lstm_gates)


class GRU(GatedRNN):
    """Gated recurrent unit: see `GRUCell` for the formula.

    Args:
        units: size of the state and the output.
        activation, recurrent_activation: activation functions, names or callables, of the candidate state and of the
            gates. Default to `"tanh"` and `"sigmoid"`.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"orthogonal"` and `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each update.
            None by default.
        dropout, recurrent_dropout: dropout rates in [0, 1) for features of the inputs and the state during training.
            Default to 0.0.
        seed: int or SeedGenerator for dropout. None by default.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`, which also accepts
            `zero_output_for_mask` and documents the call arguments.
        reset_after: whether the reset gate is applied after the matrix product, as in cuDNN, or before (cell by cell).
            Defaults to True.
        use_cudnn: "auto" uses the fast loop if possible, True requires it, False runs cell by cell. Defaults to
            `"auto"`.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with `return_sequences`.

    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.

    Example:

        layer = cornu.layers.GRU(4, return_sequences=True)
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 5, 4)
    """

    pure_call = rowwise = True

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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: object = "auto",
        **kwargs: Unpack[RecurrentOptions],
    ):
        super().__init__(
            _cell(GRUCell, locals(), "recurrent_activation", "reset_after"),
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.use_cudnn = validate.one_of(use_cudnn, ("auto", True, False), "use_cudnn", self)

    locals().update(of_cell("recurrent_activation", "reset_after"))

    _make_gates = staticmethod(gates.gru_gates)

    reset_after: bool

    def _gates(self, training: bool) -> gates.Gates | None:
        return super()._gates(training) if self.reset_after else None
