"""Recurrent loops over time-major sequences, with gradients written by hand.

A recurrent cell is one product of the hidden state with the recurrent kernel, and arithmetic on single elements around
it. `Gates` holds that arithmetic and its gradient; `recur` is the one loop that runs any gates. What does not depend on
the state stays outside: the caller projects all inputs in one product before the loop, and the gradient of the
recurrent kernel is one product after the backward loop, where plain differentiation would add it up step by step.

A masked step holds the state: it passes both the state and its gradient on unchanged.

Shapes: time T, batch B, units U, gates G (1, 4 or 3). Gradients are for reverse mode, of any order.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

States = tuple[jax.Array, ...]  # hidden state first, each (B, U)


class Activation(NamedTuple):
    """A function of one element, its slope as a function of its output, and s where it is s tanh(s x) + (1 - s)."""

    function: Callable
    slope: Callable
    scale: float | None = None


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(jnp.tanh, lambda y: 1 - y * y, 1.0),
    "sigmoid": Activation(lambda x: 0.5 * jnp.tanh(0.5 * x) + 0.5, lambda y: y * (1 - y), 0.5),
    "relu": Activation(lambda x: jnp.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "linear": Activation(lambda x: x, lambda y: jnp.ones((), y.dtype)),
}


def activate(x: jax.Array, activations: Sequence[Activation]) -> list[jax.Array]:
    """The gates side by side in `x`, each through its own activation.

    Where all are scaled tanhs they are one: on the CPU, XLA turns a tanh of a whole array into vector instructions, and
    a tanh of slices not.
    """
    if any(a.scale is None for a in activations):
        parts = jnp.split(x, len(activations), axis=-1)
        return [a.function(part) for a, part in zip(activations, parts, strict=True)]
    scale = jnp.repeat(jnp.array([a.scale for a in activations], x.dtype), x.shape[-1] // len(activations))
    return jnp.split(jnp.tanh(x * scale) * scale + (1 - scale), len(activations), axis=-1)


class Gates(NamedTuple):
    """The arithmetic of a cell around its product.

    forward: (projected input, product, states) -> (new states, what the gradient needs of them besides).
    backward: (saved, states, new states, their gradient) -> gradients of (projected input, product, states).
    shown: how many of the saved arrays the loop carries along although nothing reads them; they must lie in [0, 1].
        On the CPU, XLA makes scalar code of a step whose gates only it sees (GRU: 2.7 ms for 100 steps instead of 0.8).
    """

    forward: Callable
    backward: Callable
    shown: int = 0


@functools.cache
def simple_gates(activation: str = "tanh") -> Gates:
    """h' = f(x + p)."""
    act = ACTIVATIONS[activation]

    def forward(x, p, states):
        return (act.function(x + p),), ()

    def backward(saved, states, new, gradient):
        dx = gradient[0] * act.slope(new[0])
        return dx, dx, (jnp.zeros_like(dx),)

    return Gates(forward, backward)


@functools.cache
def lstm_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """i, f, g, o = split(x + p); c' = f c + i g; h' = o tanh(c')  (Hochreiter and Schmidhuber, 1997)."""
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]

    def forward(x, p, states):
        i, f, g, o = activate(x + p, (gate, gate, act, gate))
        c = f * states[1] + i * g
        return (o * act.function(c), c), (i, f, g, o)

    def backward(saved, states, new, gradient):
        i, f, g, o = saved
        y = act.function(new[1])
        dh, dc = gradient
        dc = dc + dh * o * act.slope(y)
        parts = (
            dc * g * gate.slope(i),
            dc * states[1] * gate.slope(f),
            dc * i * act.slope(g),
            dh * y * gate.slope(o),
        )
        dx = jnp.concatenate(parts, axis=-1)
        return dx, dx, (jnp.zeros_like(dh), dc * f)

    return Gates(forward, backward)


@functools.cache
def gru_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """z = s(x_z + p_z); r = s(x_r + p_r); g = tanh(x_g + r p_g); h' = z h + (1 - z) g.

    This is the form whose reset gate acts after the product (Cho et al., 2014, as in cuDNN).
    """
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]

    def forward(x, p, states):
        (xz, xr, xg), (pz, pr, pg) = jnp.split(x, 3, axis=-1), jnp.split(p, 3, axis=-1)
        z, r = gate.function(xz + pz), gate.function(xr + pr)
        g = act.function(xg + r * pg)
        return (z * states[0] + (1 - z) * g,), (z, r, g, pg)

    def backward(saved, states, new, gradient):
        z, r, g, pg = saved
        dh = gradient[0]
        dz = dh * (states[0] - g) * gate.slope(z)
        dg = dh * (1 - z) * act.slope(g)
        dr = dg * pg * gate.slope(r)
        dx = jnp.concatenate((dz, dr, dg), axis=-1)
        dp = jnp.concatenate((dz, dr, dg * r), axis=-1)
        return dx, dp, (dh * z,)

    return Gates(forward, backward, shown=2 if recurrent_activation == "sigmoid" else 0)


def recur(
    gates: Gates,
    projected: jax.Array,
    states: States,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    unroll: bool = False,
) -> tuple[jax.Array, States]:
    """Run a cell over a sequence.

    Args:
        gates: `simple_gates()`, `lstm_gates()` or `gru_gates()`.
        projected: the inputs times the input kernel, biases added, (T, B, G U).
        states: the first states, hidden state first, each (B, U).
        kernel: the recurrent kernel, (U, G U).
        bias: added to the product of hidden state and kernel, (G U,).
        mask: False where a step must hold the state, (T, B).
        unroll: whether to write the loop out.

    Returns:
        The hidden states (T, B, U) and the last states.

    Example:

        import jax.numpy as jnp
        from cornu.kernels import recurrent
        hidden, (last,) = recurrent.recur(
            recurrent.simple_gates(), jnp.ones((5, 2, 3)), (jnp.zeros((2, 3)),), jnp.eye(3))
        print(hidden.shape, last.shape)  # (5, 2, 3) (2, 3)
    """
    return _recur(gates, unroll, projected, states, kernel, bias, mask)


@functools.partial(jax.jit, static_argnums=(0, 1))
@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _recur(gates, unroll, projected, states, kernel, bias, mask):
    def step(carry, inputs):
        x, valid = inputs
        new, saved = _advance(gates, x, carry[0], kernel, bias, valid)
        return (new, saved[: gates.shown]), new[0]

    carry = states, (jnp.zeros_like(states[0]),) * gates.shown
    (last, shown), hidden = lax.scan(step, carry, (projected, mask), unroll=unroll)
    for gate in shown:  # at most 1, so this adds nothing; but only what has a use is carried
        last = (last[0] + jnp.where(gate > 2, gate, jnp.zeros_like(gate)), *last[1:])
    return hidden, last


def _forward(gates, unroll, projected, states, kernel, bias, mask):
    def step(states, inputs):
        x, valid = inputs
        new, saved = _advance(gates, x, states, kernel, bias, valid)
        return new, (new, saved)

    last, (history, saved) = lax.scan(step, states, (projected, mask), unroll=unroll)
    return (history[0], last), (states, history, saved, kernel, bias, mask)


def _backward(gates, unroll, residuals, gradients):
    first, history, saved, kernel, bias, mask = residuals
    d_hidden, d_last = gradients
    before = tuple(jnp.concatenate([s[None], all_[:-1]]) for s, all_ in zip(first, history, strict=True))
    transposed = kernel.T

    def step(d_states, inputs):
        d_output, saved, old, new, valid = inputs
        d_new = (d_states[0] + d_output, *d_states[1:])
        d_held = None
        if valid is not None:
            d_held = tuple(jnp.where(valid[:, None], jnp.zeros((), d.dtype), d) for d in d_new)
            d_new = tuple(jnp.where(valid[:, None], d, jnp.zeros((), d.dtype)) for d in d_new)
        dx, dp, d_old = gates.backward(saved, old, new, d_new)
        d_old = (d_old[0] + product(dp, transposed), *d_old[1:])
        if d_held is not None:
            d_old = tuple(a + b for a, b in zip(d_old, d_held, strict=True))
        return d_old, (dx, dx if dp is dx else dp)

    inputs = (d_hidden, saved, before, history, mask)
    d_first, (dx, dp) = lax.scan(step, d_last, inputs, reverse=True, unroll=unroll)
    d_kernel = _accumulate("tbu,tbg->ug", before[0], dp)
    d_bias = None if bias is None else jnp.sum(dp, axis=(0, 1), dtype=jnp.float32).astype(bias.dtype)
    return dx, d_first, d_kernel, d_bias, None


_recur.__wrapped__.defvjp(_forward, _backward)


def _advance(gates, x, states, kernel, bias, valid):
    """One step: (new states, saved)."""
    p = product(states[0], kernel)
    p = p if bias is None else p + bias
    new, saved = gates.forward(x, p, states)
    if valid is not None:
        new = tuple(jnp.where(valid[:, None], a, b) for a, b in zip(new, states, strict=True))
    return new, saved


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a @ b, summed in float32 where they are half floats, in their own dtype."""
    return _accumulate("...i,ij->...j", a, b)


def _accumulate(equation: str, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.einsum(equation, a, b, preferred_element_type=wide).astype(a.dtype)
