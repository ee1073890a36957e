"""Recurrent loops over time-major sequences, with gradients written by hand.

A recurrent cell is one product of the hidden state with the recurrent kernel, and arithmetic on single elements around
it. `Gates` holds that arithmetic and its gradient; `recur` is the one loop that runs any gates. What does not depend on
the state stays outside: all inputs are projected in one product before the loop, and the gradients of both kernels are
products after the backward loop, where plain differentiation would add them up step by step.

Memory costs as much as arithmetic here: the loop that is to be differentiated writes the values of the gates over the
projected inputs, and the backward loop stores one gradient a step. Biases are added inside the loop.

A loop keeps one core of a CPU busy. So where the products are large, the sequence is taken in parts, each with a loop
of its own: the products of one part run on the other cores while the loop is at work on the next.

A masked step holds the state: it passes both the state and its gradient on unchanged.

Shapes: time T, batch B, units U, gates G (1, 4 or 3). Gradients are for reverse mode, of any order: those of the first
order run the loops below, those of higher order differentiate the plain scan.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.kernels import halves, platform

States = tuple[jax.Array, ...]  # hidden state first, each (B, U)

_PARTS = 2  # of a sequence, on a CPU
_LARGE_PRODUCT = 2**24  # multiplications of all states with the recurrent kernel, from which parts pay


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
    inputs: jax.Array,
    states: States,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    unroll: bool = False,
    sequences: bool = True,
    input_kernel: jax.Array | None = None,
    input_bias: jax.Array | None = None,
) -> tuple[jax.Array | None, States]:
    """Run a cell over a sequence.

    Args:
        gates: `simple_gates()`, `lstm_gates()` or `gru_gates()`.
        inputs: the inputs, (T, B, D), or with `input_kernel=None` their products with it, (T, B, G U).
        states: the first states, hidden state first, each (B, U).
        kernel: the recurrent kernel, (U, G U).
        bias: added to the product of hidden state and kernel, (G U,).
        mask: False where a step must hold the state, (T, B).
        unroll: whether to write the loop out.
        sequences: whether the hidden states of all steps are wanted.
        input_kernel: the kernel of the inputs, (D, G U).
        input_bias: added to the product of inputs and kernel, (G U,).

    Returns:
        The hidden states (T, B, U), or None, and the last states.

    Example:

        import jax.numpy as jnp
        from cornu.kernels import recurrent
        hidden, (last,) = recurrent.recur(
            recurrent.simple_gates(), jnp.ones((5, 2, 3)), (jnp.zeros((2, 3)),), jnp.eye(3))
        print(hidden.shape, last.shape)  # (5, 2, 3) (2, 3)
    """
    steps = inputs.shape[0]
    known = isinstance(steps, int) and steps > 0  # an exported function may leave the time open
    run = _recur if known and platform.fast("recurrent") else _plain
    return run(gates, unroll, sequences, inputs, input_kernel, input_bias, states, kernel, bias, mask)


# ---------------------------------------------------------------- the loops


def _plain(gates, unroll, sequences, inputs, input_kernel, input_bias, states, kernel, bias, mask):
    """(hidden states, last states) by a scan that JAX can differentiate."""

    def step(carry, inputs):
        x, valid = inputs
        p = _plus(product(carry[0][0], kernel), bias)
        new, each, _ = gates.forward(_plus(x, input_bias), p, carry[0], _keep(valid))
        shown = tuple(jnp.split(each, each.shape[-1] // new[0].shape[-1], axis=-1))[: gates.shown]
        return (new, shown), new[0] if sequences else None

    carry = states, (jnp.zeros_like(states[0]),) * gates.shown
    (last, shown), hidden = lax.scan(step, carry, (_projected(inputs, input_kernel), mask), unroll=unroll)
    for gate in shown:  # at most 1, so this adds nothing; but only what has a use is carried
        last = (last[0] + jnp.where(gate > 2, gate, jnp.zeros_like(gate)), *last[1:])
    return hidden, last


def _loop(gates, unroll, sequences, inputs, input_kernel, input_bias, states, kernel, bias, mask):
    """(hidden states, last states), and what the gradient needs of each part of the sequence."""
    saved, hidden = [], []
    for x, valid in _parts((inputs, mask), _lengths(inputs.shape[:2], kernel, unroll)):
        projected = _projected(x, input_kernel)
        each, states, kept = _loop_part(gates, unroll, projected, input_bias, states, kernel, bias, valid)
        hidden.append(each)
        saved.append(kept)
    return (_joined(hidden) if sequences else None, states), saved


def _loop_part(gates, unroll, projected, input_bias, states, kernel, bias, mask):
    """Hidden states, last states, and for the gradient: gates, states from the first on, and besides."""
    steps = projected.shape[0]

    def step(t, carry):
        states, each, history, besides = carry
        x, valid = _read((each, mask), t)
        p = _plus(product(states[0], kernel), bias)
        states, new, others = gates.forward(_plus(x, input_bias), p, states, _keep(valid))
        stored = states[gates.hidden_is_gate :]
        return states, _write(each, new, t), _write(history, stored, t + 1), _write(besides, others, t)

    shapes = jax.eval_shape(lambda: gates.forward(projected[0], projected[0], states, _keep(None))[2])
    besides = jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), shapes)
    history = tuple(jnp.pad(s[None], ((0, steps), (0, 0), (0, 0))) for s in states[gates.hidden_is_gate :])
    first = states, projected, history, besides
    last, each, history, besides = lax.fori_loop(np.uint32(0), np.uint32(steps), step, first, unroll=unroll or None)
    if gates.hidden_is_gate:
        return each, last, (each, (jnp.concatenate([states[0][None], each]),), besides)
    return history[0][1:], last, (each, history, besides)


def _loop_back(gates, unroll, sequences, inputs, saved, gradients):
    """The gradients of what `_loop` takes: the last part of the sequence first."""
    x, input_kernel, input_bias, _, kernel, bias, mask = inputs
    d_hidden, d_states = gradients
    transposed, sums, d_inputs = kernel.T, None, []
    lengths = [each.shape[0] for each, _, _ in saved]
    for part, kept in reversed(list(zip(_parts((x, mask, d_hidden), lengths), saved, strict=True))):
        x_part, valid, d_part = part
        dx, d_states = _loop_back_part(gates, unroll, transposed, valid, kept, d_part, d_states)
        each, history, _ = kept
        dp = gates.product_gradient(dx, each)
        d_weights = _outer(history[0][:-1], dp), *(_over_rows(d, b) for d, b in ((dp, bias), (dx, input_bias)))
        if input_kernel is not None:
            d_weights = *d_weights, _outer(x_part, dx)
            dx = product(dx, input_kernel.T)
        d_inputs.insert(0, dx)
        sums = d_weights if sums is None else jax.tree.map(jnp.add, sums, d_weights)
    d_kernel, d_bias, d_input_bias, d_input_kernel = (*sums, None)[:4]
    return _joined(d_inputs), d_input_kernel, d_input_bias, d_states, d_kernel, d_bias, None


def _loop_back_part(gates, unroll, transposed, mask, kept, d_hidden, d_last):
    """The gradients of the projected inputs and of the first states."""
    each, history, besides = kept
    steps = each.shape[0]

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
    return dx, d_first


def _lengths(rows: tuple[int, int], kernel: jax.Array, unroll: bool) -> list[int]:
    """How long each part of a sequence of (time, batch) is."""
    steps, batch = rows
    large = isinstance(batch, int) and steps * batch * kernel.size >= _LARGE_PRODUCT
    parts = min(_PARTS, steps) if large and not unroll and platform.name() == "cpu" else 1
    ends = [steps * n // parts for n in range(parts + 1)]
    return [end - start for start, end in itertools.pairwise(ends)]


def _parts(arrays, lengths):
    """Arrays of all steps, None among them, cut into parts of these lengths."""
    start = 0
    for length in lengths:
        yield jax.tree.map(lambda a, start=start, end=start + length: a[start:end], arrays)
        start += length


def _joined(parts):
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts)


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


def _plus(a, b):
    return a if b is None else a + b


def _projected(inputs: jax.Array, kernel: jax.Array | None) -> jax.Array:
    return inputs if kernel is None else product(inputs, kernel)


def _outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum over time and batch of the outer products of the rows of `a` and `b`."""
    a, b = (x.reshape(-1, x.shape[-1]) for x in (a, b))
    return _accumulate("nu,ng->ug", a, b)


def _over_rows(a: jax.Array, bias: jax.Array | None) -> jax.Array | None:
    """The gradient of a bias that was added to all rows, where there is one."""
    if bias is None:
        return None
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.sum(a.reshape(-1, a.shape[-1]), axis=0, dtype=wide).astype(bias.dtype)


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a @ b, summed in float32 where they are half floats, in their own dtype."""
    return _accumulate("...i,ij->...j", a, b)


def _accumulate(equation: str, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.einsum(equation, a, b, preferred_element_type=wide).astype(a.dtype)
