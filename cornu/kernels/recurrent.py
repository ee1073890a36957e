"""Recurrent loops over time-major sequences, with gradients written by hand.

A recurrent cell is one product of the hidden state with the recurrent kernel, and arithmetic on single elements around
it. `Gates` holds that arithmetic and its gradient; `recur` is the one loop that runs any gates. What does not depend on
the state stays outside: the caller projects all inputs in one product before the loop (`project`), and the gradient of
the recurrent kernel is one product after the backward loop, where plain differentiation would add it up step by step.

Memory costs as much as arithmetic here: the loop that is to be differentiated writes the values of the gates over the
projected inputs, and the backward loop stores one gradient a step.

A masked step holds the state: it passes both the state and its gradient on unchanged.

Shapes: time T, batch B, units U, gates G (1, 4 or 3). Gradients are for reverse mode, of any order: those of the first
order run the loops below, those of higher order differentiate the plain scan.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.kernels import halves, platform

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


def activate(x: jax.Array, activations: Sequence[Activation]) -> jax.Array:
    """The gates side by side in `x`, each through its own activation.

    Where all are scaled tanhs they are one: on the CPU, XLA turns a tanh of a whole array into vector instructions, and
    a tanh of slices not.
    """
    if any(a.scale is None for a in activations):
        parts = jnp.split(x, len(activations), axis=-1)
        return jnp.concatenate([a.function(part) for a, part in zip(activations, parts, strict=True)], axis=-1)
    scale = _columns(x, [a.scale for a in activations])
    return jnp.tanh(x * scale) * scale + (1 - scale)


def slopes(y: jax.Array, activations: Sequence[Activation]) -> jax.Array:
    """The slopes of `activate` as a function of its output: (1 - y) (y - low) for a scaled tanh between low and 1."""
    if any(a.scale is None for a in activations):
        parts = jnp.split(y, len(activations), axis=-1)
        rows = [jnp.broadcast_to(a.slope(part), part.shape) for a, part in zip(activations, parts, strict=True)]
        return jnp.concatenate(rows, axis=-1)
    return (1 - y) * (y - _columns(y, [1 - 2 * a.scale for a in activations]))


def _columns(x: jax.Array, values: Sequence[float]) -> jax.Array:
    """One number a gate, repeated over the units of the gates side by side in `x`."""
    return jnp.repeat(jnp.array(values, x.dtype), x.shape[-1] // len(values))


class Gates(NamedTuple):
    """The arithmetic of a cell around its product.

    forward: (projected input, product, states, keep) -> (new states, gates, what the gradient needs besides). The gates
        have the shape of the projected input; `keep(new, old)` is `new` but where a masked step holds `old`.
    backward: (gates, besides, states, new states, their gradient) -> gradients of (projected input, product, states),
        None for a state that acts through the product alone.
    product_gradient: (gradient of the projected inputs, gates) -> gradient of the products, for all steps at once.
    hidden_is_gate: whether the gates are the hidden state, which is then stored once.
    shown: how many of the gates the loop carries along although nothing reads them; they must lie in [0, 1].
        On the CPU, XLA makes scalar code of a step whose gates only it sees (GRU: 2.7 ms for 100 steps instead of 0.8).
    """

    forward: Callable
    backward: Callable
    product_gradient: Callable = lambda dx, gates: dx
    hidden_is_gate: bool = False
    shown: int = 0


@functools.cache
def simple_gates(activation: str = "tanh") -> Gates:
    """h' = f(x + p)."""
    act = ACTIVATIONS[activation]

    def forward(x, p, states, keep):
        hidden = keep(act.function(x + p), states[0])
        return (hidden,), hidden, ()

    def backward(hidden, besides, states, new, gradient):
        dx = gradient[0] * act.slope(hidden)
        return dx, dx, (None,)

    return Gates(forward, backward, hidden_is_gate=True)


@functools.cache
def lstm_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """i, f, g, o = split(x + p); c' = f c + i g; h' = o tanh(c')  (Hochreiter and Schmidhuber, 1997)."""
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    each = (gate, gate, act, gate)

    def forward(x, p, states, keep):
        gates = activate(x + p, each)
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = keep(f * states[1] + i * g, states[1])
        return (keep(o * act.function(c), states[0]), c), gates, ()

    def backward(gates, besides, states, new, gradient):
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        y = act.function(new[1])
        dh, dc = gradient
        dc = dc + dh * o * act.slope(y)
        from_outside = jnp.concatenate((dc, dc, dc, dh), axis=-1)
        by_others = jnp.concatenate((g, states[1], i, y), axis=-1)
        dx = from_outside * by_others * slopes(gates, each)
        return dx, dx, (None, dc * f)

    return Gates(forward, backward)


@functools.cache
def gru_gates(activation: str = "tanh", recurrent_activation: str = "sigmoid") -> Gates:
    """z = s(x_z + p_z); r = s(x_r + p_r); g = tanh(x_g + r p_g); h' = z h + (1 - z) g.

    This is the form whose reset gate acts after the product (Cho et al., 2014, as in cuDNN).
    """
    act, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]

    def forward(x, p, states, keep):
        (xz, xr, xg), (pz, pr, pg) = jnp.split(x, 3, axis=-1), jnp.split(p, 3, axis=-1)
        z, r = gate.function(xz + pz), gate.function(xr + pr)
        g = act.function(xg + r * pg)
        hidden = keep(z * states[0] + (1 - z) * g, states[0])
        return (hidden,), jnp.concatenate((z, r, g), axis=-1), (pg,)

    def backward(gates, besides, states, new, gradient):
        z, r, g = jnp.split(gates, 3, axis=-1)
        dh, (pg,) = gradient[0], besides
        dg = dh * (1 - z) * act.slope(g)
        outer = jnp.concatenate((dh * (states[0] - g), dg * pg), axis=-1)
        outer = outer * slopes(gates[..., : -g.shape[-1]], (gate, gate))
        dx = jnp.concatenate((outer, dg), axis=-1)
        dp = jnp.concatenate((outer, dg * r), axis=-1)
        return dx, dp, (dh * z,)

    def product_gradient(dx, gates):
        dz, dr, dg = jnp.split(dx, 3, axis=-1)
        return jnp.concatenate((dz, dr, dg * jnp.split(gates, 3, axis=-1)[1]), axis=-1)

    shown = 2 if recurrent_activation == "sigmoid" else 0
    return Gates(forward, backward, product_gradient, shown=shown)


@halves.in_float32
def recur(
    gates: Gates,
    projected: jax.Array,
    states: States,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    unroll: bool = False,
    sequences: bool = True,
) -> tuple[jax.Array | None, States]:
    """Run a cell over a sequence.

    Args:
        gates: `simple_gates()`, `lstm_gates()` or `gru_gates()`.
        projected: the inputs times the input kernel, biases added, (T, B, G U).
        states: the first states, hidden state first, each (B, U).
        kernel: the recurrent kernel, (U, G U).
        bias: added to the product of hidden state and kernel, (G U,).
        mask: False where a step must hold the state, (T, B).
        unroll: whether to write the loop out.
        sequences: whether the hidden states of all steps are wanted.

    Returns:
        The hidden states (T, B, U), or None, and the last states.

    Example:

        import jax.numpy as jnp
        from cornu.kernels import recurrent
        hidden, (last,) = recurrent.recur(
            recurrent.simple_gates(), jnp.ones((5, 2, 3)), (jnp.zeros((2, 3)),), jnp.eye(3))
        print(hidden.shape, last.shape)  # (5, 2, 3) (2, 3)
    """
    inputs = projected, states, kernel, bias, mask
    steps = projected.shape[0]
    known = isinstance(steps, int) and steps > 0  # an exported function may leave the time open
    run = _recur if known and platform.fast("recurrent") else _plain
    return run(gates, unroll, sequences, *inputs)


# ---------------------------------------------------------------- the loops


def _plain(gates, unroll, sequences, projected, states, kernel, bias, mask):
    """(hidden states, last states) by a scan that JAX can differentiate."""

    def step(carry, inputs):
        x, valid = inputs
        new, each, _ = gates.forward(x, _times(carry[0][0], kernel, bias), carry[0], _keep(valid))
        shown = tuple(jnp.split(each, each.shape[-1] // new[0].shape[-1], axis=-1))[: gates.shown]
        return (new, shown), new[0] if sequences else None

    carry = states, (jnp.zeros_like(states[0]),) * gates.shown
    (last, shown), hidden = lax.scan(step, carry, (projected, mask), unroll=unroll)
    for gate in shown:  # at most 1, so this adds nothing; but only what has a use is carried
        last = (last[0] + jnp.where(gate > 2, gate, jnp.zeros_like(gate)), *last[1:])
    return hidden, last


def _loop(gates, unroll, sequences, projected, states, kernel, bias, mask):
    """(hidden states, last states), and what the gradient needs: gates, states from the first on, and besides."""
    steps = projected.shape[0]

    def step(t, carry):
        states, each, history, besides = carry
        x, valid = _read((each, mask), t)
        states, new, others = gates.forward(x, _times(states[0], kernel, bias), states, _keep(valid))
        stored = states[gates.hidden_is_gate :]
        return states, _write(each, new, t), _write(history, stored, t + 1), _write(besides, others, t)

    shapes = jax.eval_shape(lambda: gates.forward(projected[0], projected[0], states, _keep(None))[2])
    besides = jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), shapes)
    history = tuple(jnp.pad(s[None], ((0, steps), (0, 0), (0, 0))) for s in states[gates.hidden_is_gate :])
    first = states, projected, history, besides
    last, each, history, besides = lax.fori_loop(np.uint32(0), np.uint32(steps), step, first, unroll=unroll or None)
    hidden = each if gates.hidden_is_gate else history[0][1:]
    return (hidden if sequences else None, last), (each, history, besides)


def _loop_back(gates, unroll, sequences, inputs, saved, gradients):
    """The gradients of (projected, states, kernel, bias, mask)."""
    _, first, kernel, bias, mask = inputs
    each, history, besides = saved
    d_hidden, d_last = gradients
    history = (jnp.concatenate([first[0][None], each]), *history) if gates.hidden_is_gate else history
    transposed, steps = kernel.T, each.shape[0]

    def step(n, carry):
        d_states, d_projected = carry
        t = np.uint32(steps - 1) - n
        d_output, valid, *values = _read((d_hidden, mask, each, besides, history), t)
        d_new = (_plus(d_states[0], d_output), *d_states[1:])
        zeros = tuple(map(jnp.zeros_like, d_new))
        d_moved = tuple(map(_keep(valid), d_new, zeros))
        dx, dp, d_old = gates.backward(*values, _read(history, t + 1), d_moved)
        d_old = (_plus(product(dp, transposed), d_old[0]), *d_old[1:])
        if valid is not None:
            d_old = tuple(a + _keep(valid)(zero, d) for a, zero, d in zip(d_old, zeros, d_new, strict=True))
        return d_old, _write(d_projected, dx, t)

    carry = d_last, jnp.zeros_like(each)
    d_first, dx = lax.fori_loop(np.uint32(0), np.uint32(steps), step, carry, unroll=unroll or None)
    dp = gates.product_gradient(dx, each)
    d_bias = None if bias is None else _over_rows(dp, bias.dtype)
    return dx, d_first, _outer(history[0][:-1], dp), d_bias, None


# ---------------------------------------------------------------- their derivatives


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _recur(gates, unroll, sequences, *inputs):
    return _plain(gates, unroll, sequences, *inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _recur_saving(gates, unroll, sequences, *inputs):
    return _loop(gates, unroll, sequences, *inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _gradient(gates, unroll, sequences, inputs, saved, gradients):
    return _loop_back(gates, unroll, sequences, inputs, saved, gradients)


def _recur_forward(gates, unroll, sequences, *inputs):
    outputs, saved = _recur_saving(gates, unroll, sequences, *inputs)
    return outputs, (inputs, saved)


def _recur_saving_forward(gates, unroll, sequences, *inputs):
    outputs, saved = _loop(gates, unroll, sequences, *inputs)
    return (outputs, saved), (inputs, saved)


def _gradient_forward(gates, unroll, sequences, inputs, saved, gradients):
    return _loop_back(gates, unroll, sequences, inputs, saved, gradients), (inputs, saved, gradients)


def _gradient_backward(gates, unroll, sequences, residuals, cotangents):
    """The derivative of the gradient, by way of the plain scan; what was saved follows from the inputs."""
    (*inputs, mask), saved, gradients = residuals

    def plain_gradient(inputs, gradients):
        return jax.vjp(lambda *a: _plain(gates, unroll, sequences, *a, mask), *inputs)[1](gradients)

    d_inputs, d_gradients = jax.vjp(plain_gradient, tuple(inputs), gradients)[1](tuple(cotangents[:-1]))
    return (*d_inputs, None), jax.tree.map(jnp.zeros_like, saved), d_gradients


_recur.__wrapped__.defvjp(
    _recur_forward, lambda gates, unroll, sequences, kept, d: _gradient(gates, unroll, sequences, *kept, d)
)
_recur_saving.defvjp(
    _recur_saving_forward, lambda gates, unroll, sequences, kept, d: _gradient(gates, unroll, sequences, *kept, d[0])
)
_gradient.defvjp(_gradient_forward, _gradient_backward)


# ---------------------------------------------------------------- parts


def _read(arrays, t):
    return jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, t, 0, keepdims=False), arrays)


def _write(arrays, rows, t):
    return jax.tree.map(lambda a, row: lax.dynamic_update_index_in_dim(a, row, t, 0), arrays, rows)


def _keep(valid):
    """(new, old) -> new, but old in the rows of the batch that are not valid."""
    if valid is None:
        return lambda new, old: new
    return lambda new, old: jnp.where(valid[:, None], new, old)


def _times(hidden, kernel, bias):
    p = product(hidden, kernel)
    return p if bias is None else p + bias


def _plus(a, b):
    return a if b is None else a + b


@jax.custom_vjp
def project(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`product(x, kernel)` with gradients that need no transposed copies, for inputs (T, B, D)."""
    return product(x, kernel)


def _project_back(kept, d):
    x, kernel = kept
    return product(d, kernel.T), _outer(x, d)


project.defvjp(lambda x, kernel: (product(x, kernel), (x, kernel)), _project_back)


def _outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum over time and batch of the outer products of the rows of `a` and `b`."""
    a, b = (x.reshape(-1, x.shape[-1]) for x in (a, b))
    return _accumulate("nu,ng->ug", a, b)


def _over_rows(a: jax.Array, dtype) -> jax.Array:
    return jnp.sum(a.reshape(-1, a.shape[-1]), axis=0, dtype=jnp.promote_types(a.dtype, jnp.float32)).astype(dtype)


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a @ b, summed in float32 where they are half floats, in their own dtype."""
    return _accumulate("...i,ij->...j", a, b)


def _accumulate(equation: str, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.einsum(equation, a, b, preferred_element_type=wide).astype(a.dtype)
