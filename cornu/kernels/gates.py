"""The elementwise arithmetic of recurrent cells, around the one matrix product of a step.

A cell is a product of the hidden state with the recurrent kernel, and elementwise arithmetic. `Gates` holds that
arithmetic; `recurrent` runs any gates over a sequence. The gradient of a step is linear in the gradients of its new
states, so a cell only supplies what these are multiplied by, its `Factors`, for all steps of a sequence at once.

Shapes: time T, batch B, units U, gates G (1, 4 or 3).
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyFunction

Arrays = tuple[jax.Array, ...]


class Activation(NamedTuple):
    """An elementwise function, its derivative in terms of its output, and s if it equals s tanh(s x) + (1 - s)."""

    function: Callable[[jax.Array], jax.Array]
    slope: Callable[[jax.Array], jax.Array]
    scale: float | None = None


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(jnp.tanh, lambda y: 1 - y * y, 1.0),
    "sigmoid": Activation(lambda x: 0.5 * jnp.tanh(0.5 * x) + 0.5, lambda y: y * (1 - y), 0.5),
    "relu": Activation(lambda x: jnp.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "linear": Activation(lambda x: x, lambda y: jnp.ones((), y.dtype)),
}


def activate(x: jax.Array, activations: Sequence[Activation]) -> jax.Array:
    """Applies to each of the gates that lie side by side in `x` its own activation.

    If all of them are scaled tanhs, one tanh computes them: on a CPU, XLA vectorizes a tanh of a whole array, but not
    one of slices.
    """
    scales = [a.scale for a in activations if a.scale is not None]
    if len(scales) < len(activations):
        parts = jnp.split(x, len(activations), axis=-1)
        return jnp.concatenate([a.function(part) for a, part in zip(activations, parts, strict=True)], axis=-1)
    scale = _columns(x, scales)
    return jnp.tanh(x * scale) * scale + (1 - scale)


def slopes(y: jax.Array, activations: Sequence[Activation]) -> jax.Array:
    """The derivative of `activate` in terms of its output: (1 - y) (y - low) for a scaled tanh between low and 1."""
    scales = [a.scale for a in activations if a.scale is not None]
    if len(scales) < len(activations):
        parts = jnp.split(y, len(activations), axis=-1)
        rows = [jnp.broadcast_to(a.slope(part), part.shape) for a, part in zip(activations, parts, strict=True)]
        return jnp.concatenate(rows, axis=-1)
    return (1 - y) * (y - _columns(y, [1 - 2 * scale for scale in scales]))


def _columns(x: jax.Array, values: Sequence[float]) -> jax.Array:
    """One number per gate, repeated for each of its units, for the gates that lie side by side in `x`."""
    return jnp.repeat(jnp.array(values, x.dtype), x.shape[-1] // len(values))


class Factors(NamedTuple):
    """What the gradients of a step's new states are multiplied by, for all steps of a sequence.

    products: gives the gradient of the product of hidden state and kernel, (T, B, G, U).
    inputs: gives the gradient of the projected inputs, (T, B, G, U); None if it is the same.
    states: for each state, gives what flows to the previous one without passing the product, (T, B, U); None if
        nothing does.
    cell: the gradient of the hidden state times this adds to that of the cell state, (T, B, U); None if there is none.
    """

    products: jax.Array
    inputs: jax.Array | None
    states: tuple[jax.Array | None, ...]
    cell: jax.Array | None = None

    def masked(self, valid: jax.Array) -> "Factors":
        """The factors when steps that are not `valid`, (T, B), pass the states on unchanged."""
        valid, one = valid[..., None], jnp.ones((), self.products.dtype)
        each_gate = valid[..., None]
        return Factors(
            products=jnp.where(each_gate, self.products, 0),
            inputs=None if self.inputs is None else jnp.where(each_gate, self.inputs, 0),
            states=tuple(jnp.where(valid, 0 if a is None else a, one) for a in self.states),
            cell=None if self.cell is None else jnp.where(valid, self.cell, 0),
        )


class Gates(NamedTuple):
    """The arithmetic of a cell.

    forward: (projected inputs, product, states, keep) -> (new states, gates, what else the gradient needs). The gates
        have the shapes of the projected inputs; `keep(new, old)` is `old` in masked rows, otherwise `new`.
    factors: (gates, what else, states before, states after), each for all steps -> `Factors`.
    blocks: how many gates lie side by side in each array of projected inputs, and of gates.
    driven: for each gate, the index of the state that it acts on.
    hidden_is_gate: whether the gates are the hidden state, which then need not be stored twice.
    shown: how many blocks of gates a loop carries along although nothing reads them; they must lie in [0, 1]. On a CPU,
        XLA emits scalar code for a step whose gates are used only within it (GRU: 3.7 ms for 100 steps, not 1.5).
    compiled: the name of this cell's kernel in C++ (`cell_loops`), empty if it has none.
    """

    forward: AnyFunction
    factors: AnyFunction
    blocks: tuple[int, ...]
    driven: tuple[int, ...]
    hidden_is_gate: bool = False
    shown: int = 0
    compiled: str = ""

    def parted(self, x: jax.Array) -> Arrays:
        """The columns of all gates, split into blocks."""
        width = x.shape[-1] // sum(self.blocks)
        return tuple(jnp.split(x, np.cumsum(self.blocks)[:-1] * width, axis=-1))

    def spread(self, d_states: Arrays) -> jax.Array:
        """The gradients of the states, (.., B, U), laid out by the gates that act on them, (.., B, G or 1, U)."""
        each_gate = [d[..., None, :] for d in d_states]
        if len(set(self.driven)) == 1:
            return each_gate[self.driven[0]]
        return jnp.where(np.array(self.driven)[:, None] == 0, each_gate[0], each_gate[1])


@functools.cache
def simple_gates(activation: str = "tanh") -> Gates:
    """h' = f(x + p)."""
    act = ACTIVATIONS[activation]

    def forward(
        x: Arrays, p: jax.Array, states: Arrays, keep: Callable[..., jax.Array]
    ) -> tuple[Arrays, Arrays, Arrays]:
        hidden = keep(act.function(x[0] + p), states[0])
        return (hidden,), (hidden,), ()

    def factors(gates: Arrays, besides: Arrays, before: Arrays, after: Arrays) -> Factors:
        products = jnp.broadcast_to(act.slope(gates[0]), gates[0].shape)
        return Factors(products[..., None, :], None, (None,))

    return Gates(forward, factors, blocks=(1,), driven=(0,), hidden_is_gate=True)


@functools.cache
def lstm_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """i, f, g, o = split(x + p); c' = f c + i g; h' = o tanh(c')  (Hochreiter and Schmidhuber, 1997)."""
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    each = (gate, gate, act, gate)

    def forward(
        x: Arrays, p: jax.Array, states: Arrays, keep: Callable[..., jax.Array]
    ) -> tuple[Arrays, Arrays, Arrays]:
        gates = activate(x[0] + p, each)
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = keep(f * states[1] + i * g, states[1])
        return (keep(o * act.function(c), states[0]), c), (gates,), ()

    def factors(gates: Arrays, besides: Arrays, before: Arrays, after: Arrays) -> Factors:
        i, f, g, o = jnp.split(gates[0], 4, axis=-1)
        y = act.function(after[1])
        by_others = jnp.stack((g, before[1], i, y), axis=-2)
        products = by_others * slopes(gates[0], each).reshape(by_others.shape)
        return Factors(products, None, (None, f), o * act.slope(y))

    return Gates(
        forward, factors, blocks=(4,), driven=(1, 1, 1, 0), compiled=_if_usual("lstm", activation, recurrent_activation)
    )


@functools.cache
def gru_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """z = s(x_z + p_z); r = s(x_r + p_r); g = tanh(x_g + r p_g); h' = z h + (1 - z) g.

    In this form the reset gate acts after the product (Cho et al., 2014, as in cuDNN).
    """
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]

    def forward(
        x: Arrays, p: jax.Array, states: Arrays, keep: Callable[..., jax.Array]
    ) -> tuple[Arrays, Arrays, Arrays]:
        pzr, pg = jnp.split(p, [x[0].shape[-1]], axis=-1)
        zr = activate(x[0] + pzr, (gate, gate))
        z, r = jnp.split(zr, 2, axis=-1)
        g = act.function(x[1] + r * pg)
        return (keep(z * states[0] + (1 - z) * g, states[0]),), (zr, g), (pg,)

    def factors(gates: Arrays, besides: Arrays, before: Arrays, after: Arrays) -> Factors:
        (z, r), g = jnp.split(gates[0], 2, axis=-1), gates[1]
        dg = (1 - z) * act.slope(g)
        outer = (before[0] - g) * gate.slope(z), dg * besides[0] * gate.slope(r)
        products, inputs = (jnp.stack((*outer, last), axis=-2) for last in (dg * r, dg))
        return Factors(products, inputs, (z,))

    shown, compiled = recurrent_activation == "sigmoid", _if_usual("gru", activation, recurrent_activation)
    return Gates(forward, factors, blocks=(2, 1), driven=(0, 0, 0), shown=shown, compiled=compiled)


def _if_usual(name: str, *activations: str) -> str:
    return name if activations == ("tanh", "sigmoid") else ""
