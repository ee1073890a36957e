"""Recurrent loops over time-major sequences, with gradients written by hand.

`recur` is the one loop that runs the arithmetic of any cell (see `gates`). What does not depend on the state stays
outside: all inputs are projected in one product before the loop; the factors of the backward loop are computed for all
steps before it; and the gradients of both kernels are products after it, where automatic differentiation would
accumulate them step by step. Memory costs as much as arithmetic here: the forward loop of a gradient overwrites the
projected inputs with the values of the gates, and the backward loop overwrites the factors with gradients. Biases are
added inside the loop.

A loop of small operations keeps only one CPU core busy. So where the product of a step is large, the rows of a batch
are split in half, and one loop runs both groups of rows. XLA's CPU runtime (in jaxlib 0.10 and 0.11) executes the
operations of a loop's body from a ready list, and hands the second half of that list to another thread when more than
eight operations are waiting. Three things keep the two groups in different halves:

- The ready list also holds `xla.READY` scalar multiplications that have no effect.
- The operand of one group's product is carried through the loop with one extra axis. Removing the axis puts the product
  at the end of the list, so it goes to the other thread.
- The other group reads its operand from the stored states of the previous step. For that it needs the loop counter,
  which is first in the list, so its product becomes ready after the list has been split, and stays in this thread.

Should any of this change in a later jaxlib, both groups run one after the other: slower, but correct.

Where cornu's kernels in C++ are compiled, they run the loops of the usual cells (`cell_loops`) instead.

A masked step holds the state: it passes both the state and its gradient on unchanged.

Shapes: time T, batch B, units U, gates G (1, 4 or 3). Gradients are reverse-mode, of any order: first-order gradients
run the loops below, higher-order ones differentiate the plain scan.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.core import placement
from cornu.core.typing import AnyFunction, AnyList, Nested, Tensor
from cornu.kernels import cell_loops, half_precision, platform, xla
from cornu.kernels.gates import Arrays, Factors, Gates

Carry: TypeAlias = tuple[Any, ...]  # what a loop passes from step to step; its structure depends on the cell
Saved = list[Carry]  # for each group of rows: its gates, its states, and what else their gradient needs


class Way(NamedTuple):
    """How a loop is run.

    Attributes:
        unrolled: whether it is unrolled.
        halved: whether one loop runs two halves of the rows side by side.
        shared: whether the rows are split across devices.
        native: whether a C++ kernel runs it.
    """

    unrolled: bool
    halved: bool
    shared: bool
    native: bool = False


_LARGE_STEP = 2**18  # multiplications in the product of a step, from which two groups pay off


@half_precision.in_float32
def recur(
    gates: Gates,
    inputs: jax.Array,
    states: Arrays,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    unroll: bool = False,
    sequences: bool = True,
    input_kernel: jax.Array | None = None,
    input_bias: jax.Array | None = None,
) -> tuple[jax.Array | None, Arrays]:
    """Run a cell over a sequence.

    Args:
        gates: `gates.simple_gates()`, `lstm_gates()` or `gru_gates()`.
        inputs: the inputs, (T, B, D), or with `input_kernel=None` inputs that are projected already, (T, B, G U).
        states: the initial states, hidden state first, each (B, U).
        kernel: the recurrent kernel, (U, G U).
        bias: added to the product of hidden state and kernel, (G U,).
        mask: False where a step must hold the state, (T, B).
        unroll: whether to unroll the loop.
        sequences: whether to return the hidden states of all steps.
        input_kernel: projects the inputs, (D, G U).
        input_bias: added to the product of inputs and kernel, (G U,).

    Returns:
        The hidden states (T, B, U), or None, and the final states.

    Example:

        import jax.numpy as jnp
        from cornu.kernels import gates, recurrent
        hidden, (last,) = recurrent.recur(
            gates.simple_gates(), jnp.ones((5, 2, 3)), (jnp.zeros((2, 3)),), jnp.eye(3))
        print(hidden.shape, last.shape)  # (5, 2, 3) (2, 3)
    """
    steps = inputs.shape[0]
    known = isinstance(steps, int) and steps > 0  # an exported function may leave the number of steps symbolic
    run = _recur if known and platform.fast("recurrent") else _plain
    way = _way(inputs.shape[1], kernel, unroll)
    if not (unroll or way.shared) and cell_loops.fit(gates, inputs, kernel):
        way = way._replace(halved=False, native=True)
    return run(gates, way, sequences, inputs, input_kernel, input_bias, states, kernel, bias, mask)


# ---------------------------------------------------------------- the loops


def _plain(
    gates: Gates,
    way: Way,
    sequences: bool,
    inputs: jax.Array,
    input_kernel: jax.Array | None,
    input_bias: jax.Array | None,
    states: Arrays,
    kernel: jax.Array,
    bias: jax.Array | None,
    mask: jax.Array | None,
) -> tuple[jax.Array | None, Arrays]:
    """(hidden states, final states) by a scan that JAX can differentiate."""

    def step(carry: Carry, inputs: tuple[Nested, Nested]) -> Carry:
        x, valid = inputs
        p = _plus(product(carry[0][0], kernel), bias)
        new, each, _ = gates.forward(gates.parted(_plus(x, input_bias)), p, carry[0], _keep(valid))
        return (new, each[: gates.shown]), new[0] if sequences else None

    projected = _projected(inputs, input_kernel)
    shown = tuple(jnp.zeros_like(x[0]) for x in gates.parted(projected)[: gates.shown])
    hidden: jax.Array | None
    (last, shown), hidden = lax.scan(step, (states, shown), (projected, mask), unroll=way.unrolled)
    for gate in shown:  # at most 1, so this adds nothing, but without a use the gates would not be carried
        unused = gate[..., : last[0].shape[-1]]
        last = (last[0] + jnp.where(unused > 2, unused, jnp.zeros_like(unused)), *last[1:])
    return hidden, last


def _loop(
    gates: Gates,
    way: Way,
    sequences: bool,
    inputs: jax.Array,
    input_kernel: jax.Array | None,
    input_bias: jax.Array | None,
    states: Arrays,
    kernel: jax.Array,
    bias: jax.Array | None,
    mask: jax.Array | None,
) -> tuple[Any, Saved]:
    """(hidden states, final states), and what the gradient needs from each group."""
    if way.native:
        return _native_loop(gates, sequences, (inputs, input_kernel, input_bias, states, kernel, bias, mask))
    steps = inputs.shape[0]
    groups = _row_groups(inputs.shape[1], way)
    hidden_once = gates.hidden_is_gate and len(groups) == 1

    def first(group: "_RowGroup") -> Carry:
        start, x = tuple(s[group.rows] for s in states), inputs[:, group.rows]
        if input_kernel is None:
            projected = gates.parted(x)
        else:
            projected = tuple(product(x, part) for part in gates.parted(input_kernel))
        p = jax.eval_shape(product, start[0], kernel)
        shapes = jax.eval_shape(lambda x, p: gates.forward(x, p, start, _keep(None))[2], _read(projected, 0), p)
        besides = jax.tree.map(lambda a: jnp.zeros((steps, *a.shape), a.dtype), shapes)
        history = tuple(jnp.pad(s[None], ((0, steps), (0, 0), (0, 0))) for s in start[hidden_once:])
        return history, start[0][None] if group.carries_operand else None, start, projected, besides

    def advance(t: jax.Array, group: "_RowGroup", carry: Carry) -> Carry:
        history, hidden, states, each, besides = carry
        hidden = _read(history[0], t) if group.reads_stored else hidden[0] if group.carries_operand else states[0]
        x, valid = _read((each, group.of(mask)), t)
        x = x if input_bias is None else jax.tree.map(jnp.add, x, gates.parted(input_bias))
        p = _plus(product(hidden, kernel), bias)
        states, new, others = gates.forward(x, p, states, _keep(valid))
        each, besides = _write((each, besides), (new, others), t)
        history = _write(history, states[hidden_once:], t + 1)
        return history, states[0][None] if group.carries_operand else None, states, each, besides

    done = _run(steps, way, groups, first, advance)
    last = tuple(_joined(parts, 0) for parts in zip(*(states for _, _, states, _, _ in done), strict=True))
    if hidden_once:
        done = [((jnp.concatenate([states[0][None], each[0]]),), None, last, each, ()) for *_, each, _ in done]
    hidden = _joined([history[0][1:] for history, *_ in done], 1) if sequences else None
    return (hidden, last), [(each, history, besides) for history, _, _, each, besides in done]


def _loop_back(
    gates: Gates, way: Way, sequences: bool, inputs: Carry, saved: Saved, gradients: tuple[Any, Arrays]
) -> Carry:
    """The gradients of the arguments of `_loop`."""
    if way.native:
        return _native_loop_back(gates, inputs, saved, gradients)
    x, input_kernel, input_bias, _, kernel, bias, mask = inputs
    d_hidden, d_last = gradients
    steps, transposed = x.shape[0], kernel.T
    groups = _row_groups(x.shape[1], way)
    factors = [_factors(gates, group.of(mask), *kept) for group, kept in zip(groups, saved, strict=True)]
    passed = slice(factors[0].states[0] is None, None)  # states that reach the previous ones past the product
    in_place = factors[0].inputs is None  # gradients overwrite their factors, where that makes XLA copy nothing

    def first(group: "_RowGroup") -> Carry:
        own, d_states = factors[group.number], tuple(d[group.rows] for d in d_last)
        d_products = own.products if in_place else jnp.zeros_like(own.products)
        d_hiddens = None if own.inputs is None else jnp.zeros((steps, *d_states[0].shape), d_states[0].dtype)
        return d_products, None if group.reads_stored else jnp.zeros_like(d_products[0]), d_states[passed], d_hiddens

    def advance(n: Tensor, group: "_RowGroup", carry: Carry) -> Carry:
        d_products, dp, d_states, d_hiddens = carry
        own, t = factors[group.number], np.uint32(steps - 1) - n
        dp = jnp.where(n == 0, 0, _read(d_products, t + 1)) if group.reads_stored else dp
        d_states = tuple(d * a for d, a in zip(d_states, _read(own.states[passed], t + 1), strict=True))
        if passed.start:
            d_states = jnp.where(n == 0, d_last[0][group.rows], 0), *d_states
        products = d_products if in_place else own.products
        d_output, products, cell = _read((group.of(d_hidden), products, own.cell), t)
        dh = _plus(d_states[0] + product(_flat(dp), transposed), d_output)
        d_states = (dh, *d_states[1:]) if cell is None else (dh, d_states[1] + dh * cell)
        dp = gates.spread(d_states) * products
        d_products, d_hiddens = _write((d_products, d_hiddens), (dp, None if d_hiddens is None else dh), t)
        return d_products, None if group.reads_stored else dp, d_states[passed], d_hiddens

    def last(group: "_RowGroup", own: Nested, carry: Carry, kept: Carry) -> Carry:
        """The gradients of: initial states; recurrent kernel, biases and input kernel; inputs."""
        d_products, _, d_states, d_hiddens = carry
        d_states = tuple(d * a[0] for d, a in zip(d_states, own.states[passed], strict=True))
        dp = dx = _flat(d_products)
        if own.inputs is not None:
            dx = _flat(gates.spread((d_hiddens,)) * own.inputs)
        by_product = product(dp[0], transposed)
        d_states = (by_product, *d_states) if passed.start else (d_states[0] + by_product, *d_states[1:])
        rows = _as_they_are if way.shared else _in_one_axis
        hidden, d_product, d_projected = map(rows, (kept[1][0][:-1], dp, dx))
        d_weights = _outer(hidden, d_product), _over_rows(d_product, bias), _over_rows(d_projected, input_bias)
        if input_kernel is None:
            return d_states, (*d_weights, None), dx
        return d_states, (*d_weights, _outer(rows(x[:, group.rows]), d_projected)), product(dx, input_kernel.T)

    done = _run(steps, way, groups, first, advance)
    d_states, d_weights, d_inputs = zip(*map(last, groups, factors, done, saved), strict=True)
    d_kernel, d_bias, d_input_bias, d_input_kernel = functools.reduce(_added, d_weights)
    d_states = tuple(_joined(parts, 0) for parts in zip(*d_states, strict=True))
    return _joined(d_inputs, 1), d_input_kernel, d_input_bias, d_states, d_kernel, d_bias, None


def _native_loop(gates: Gates, sequences: bool, inputs: Carry) -> tuple[Any, Saved]:
    """`_loop` in C++, but for the projection of the inputs."""
    x, input_kernel, input_bias, states, kernel, bias, mask = inputs
    projected = _projected(x, input_kernel)
    biases = tuple(jnp.zeros(kernel.shape[1:], kernel.dtype) if b is None else b for b in (input_bias, bias))
    stored = cell_loops.forward(gates, projected, states, kernel, biases, mask)
    history = stored[-len(states) :]
    return (history[0][1:] if sequences else None, tuple(a[-1] for a in history)), [tuple(stored)]


def _native_loop_back(gates: Gates, inputs: Carry, saved: Saved, gradients: tuple[Any, Arrays]) -> Carry:
    """`_loop_back` in C++, but for the products over all steps."""
    x, input_kernel, input_bias, states, kernel, bias, mask = inputs
    d_hidden, d_last = gradients
    stored, count = saved[0], len(states)
    found = cell_loops.backward(gates, stored, kernel, d_hidden, d_last, mask)
    d_products, d_states, d_projected = found[0], tuple(found[-count:]), found[-count - 1]
    dp, dx, before = map(_in_one_axis, (d_products, d_projected, stored[-count][:-1]))
    d_weights = _outer(before, dp), _over_rows(dp, bias), None
    if input_kernel is None:
        return d_projected, None, _over_rows(dx, input_bias), d_states, *d_weights
    d_input_kernel = _outer(_in_one_axis(x), dx)
    return product(d_projected, input_kernel.T), d_input_kernel, _over_rows(dx, input_bias), d_states, *d_weights


def _factors(gates: Gates, valid: jax.Array | None, each: Arrays, history: Arrays, besides: Arrays) -> Factors:
    """The factors of all steps of a group; those of states have one more step at the end, which passes all on."""
    before, after = (tuple(a[cut] for a in history) for cut in (slice(None, -1), slice(1, None)))
    factors = gates.factors(each, besides, before, after)
    factors = factors if valid is None else factors.masked(valid)
    around = ((0, 1), (0, 0), (0, 0))
    closed = tuple(None if a is None else jnp.pad(a, around, constant_values=1) for a in factors.states)
    return factors._replace(states=closed)


def _run(steps: int, way: Way, groups: "list[_RowGroup]", first: AnyFunction, advance: AnyFunction) -> AnyList:
    """The loop over all steps: for each group of rows, starts from `first` and applies `advance`."""

    def step(carry: Carry) -> Carry:
        idle, done, n = carry
        return [a * 0.5 for a in idle], [advance(n, *each) for each in zip(groups, done, strict=True)], n + 1

    idle = [jnp.float32(n + 1) for n in range(xla.READY if len(groups) > 1 else 0)]
    carry = idle, list(map(first, groups)), np.uint32(0)
    if way.unrolled:
        for _ in range(steps):
            carry = step(carry)
        return carry[1]
    idle, done, _ = lax.while_loop(lambda carry: carry[2] < steps, step, carry)
    if idle:  # none is negative, so this adds nothing, but without a use they would not be carried
        (used, *others), tree = jax.tree.flatten(done)
        done = jax.tree.unflatten(tree, [_added_to_first(used, jnp.minimum(sum(idle), 0)), *others])
    return done


def _added_to_first(array: jax.Array, number: jax.Array) -> jax.Array:
    at = (0,) * array.ndim
    return lax.dynamic_update_slice(array, lax.slice(array, at, (1,) * array.ndim) + number.astype(array.dtype), at)


class _RowGroup(NamedTuple):
    """Rows of a batch that a loop computes together; if there are two groups, also where the product's operand is."""

    number: int
    rows: slice
    reads_stored: bool = False
    carries_operand: bool = False

    def of(self, array: jax.Array | None) -> jax.Array | None:
        """These rows of an array that holds all steps."""
        return None if array is None else array[:, self.rows]


def _way(batch: int, kernel: jax.Array, unroll: bool) -> Way:
    """Splits the batch in half where that pays off; if devices share the rows, they would have to exchange them."""
    large = isinstance(batch, int) and batch > 1 and batch * kernel.size >= _LARGE_STEP
    shared, on_cores = placement.is_split(), platform.name() == "cpu" and (os.cpu_count() or 1) > 1
    return Way(unroll, large and on_cores and not unroll and not shared, shared)


def _row_groups(batch: int, way: Way) -> list[_RowGroup]:
    """The groups of rows that a loop computes together."""
    if not way.halved:
        return [_RowGroup(0, slice(None))]
    return [
        _RowGroup(0, slice(batch // 2), reads_stored=True),
        _RowGroup(1, slice(batch // 2, None), carries_operand=True),
    ]


# ---------------------------------------------------------------- their derivatives


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _recur(gates: Gates, way: Way, sequences: bool, *inputs: Nested) -> tuple[jax.Array | None, Arrays]:
    return _native_loop(gates, sequences, inputs)[0] if way.native else _plain(gates, way, sequences, *inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _recur_saving(gates: Gates, way: Way, sequences: bool, *inputs: Nested) -> tuple[object, Saved]:
    return _loop(gates, way, sequences, *inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _gradient(
    gates: Gates,
    way: Way,
    sequences: bool,
    inputs: tuple[object, ...],
    saved: Saved,
    gradients: tuple[object, Arrays],
) -> Carry:
    return _loop_back(gates, way, sequences, inputs, saved, gradients)


def _recur_forward(gates: Gates, way: Way, sequences: bool, *inputs: object) -> tuple[object, object]:
    outputs, saved = _recur_saving(gates, way, sequences, *inputs)
    return outputs, (inputs, saved)


def _recur_saving_forward(gates: Gates, way: Way, sequences: bool, *inputs: Nested) -> tuple[Nested, Nested]:
    outputs, saved = _loop(gates, way, sequences, *inputs)
    return (outputs, saved), (inputs, saved)


def _gradient_forward(
    gates: Gates,
    way: Way,
    sequences: bool,
    inputs: tuple[object, ...],
    saved: Saved,
    gradients: tuple[object, Arrays],
) -> tuple[Nested, Nested]:
    return _loop_back(gates, way, sequences, inputs, saved, gradients), (inputs, saved, gradients)


def _gradient_backward(gates: Gates, way: Way, sequences: bool, residuals: Carry, cotangents: Carry) -> Carry:
    """The derivative of the gradient, via the plain scan; the saved values are functions of the inputs."""
    (*inputs, mask), saved, gradients = residuals

    def plain_gradient(inputs: Carry, gradients: tuple[Any, Arrays]) -> Carry:
        plain = functools.partial(_plain, gates, way, sequences, mask=mask)
        return jax.vjp(plain, *inputs)[1](gradients)

    d_inputs, d_gradients = jax.vjp(plain_gradient, tuple(inputs), gradients)[1](tuple(cotangents[:-1]))
    return (*d_inputs, None), jax.tree.map(jnp.zeros_like, saved), d_gradients


_recur.__wrapped__.defvjp(  # type: ignore[attr-defined]  # the custom_vjp inside of jit
    _recur_forward, lambda gates, way, sequences, kept, d: _gradient(gates, way, sequences, *kept, d)
)
_recur_saving.defvjp(
    _recur_saving_forward, lambda gates, way, sequences, kept, d: _gradient(gates, way, sequences, *kept, d[0])
)
_gradient.defvjp(_gradient_forward, _gradient_backward)


# ---------------------------------------------------------------- parts


def _read(arrays: object, t: object) -> Any:
    return jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, t, 0, keepdims=False), arrays)


def _write(arrays: object, rows: object, t: object) -> Any:
    return jax.tree.map(lambda a, row: lax.dynamic_update_index_in_dim(a, row, t, 0), arrays, rows)


def _joined(parts: Sequence[jax.Array], axis: int) -> jax.Array:
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis)


def _flat(gates: jax.Array) -> jax.Array:
    """(.., G, U) -> (.., G U)."""
    return gates.reshape(*gates.shape[:-2], gates.shape[-2] * gates.shape[-1])


def _added(a: object, b: object) -> jax.Array:
    return jax.tree.map(jnp.add, a, b)


def _keep(valid: jax.Array | None) -> Callable[..., jax.Array]:
    """(new, old) -> new, but old in the rows of the batch that are masked."""
    if valid is None:
        return lambda new, old: new
    return lambda new, old: jnp.where(valid[:, None], new, old)


def _plus(a: jax.Array, b: jax.Array | None) -> jax.Array:
    return a if b is None else a + b


def _projected(inputs: jax.Array, kernel: jax.Array | None) -> jax.Array:
    return inputs if kernel is None else product(inputs, kernel)


def _in_one_axis(a: jax.Array) -> jax.Array:
    """(T, B, U) -> (T B, U): summing over one axis instead of two saves up to a tenth of a GRU's step."""
    return a.reshape(-1, a.shape[-1])


def _as_they_are(a: jax.Array) -> jax.Array:
    """(T, B, U), for a batch split across devices: merging its axis with time would make each gather all rows."""
    return a


def _outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum over time and batch of the outer products of the rows of `a` and `b`."""
    return _accumulate("nu,ng->ug" if a.ndim == 2 else "tbu,tbg->ug", a, b)


def _over_rows(a: jax.Array, bias: jax.Array | None) -> jax.Array | None:
    """The gradient of a bias that was added to all rows; None if there is none."""
    if bias is None:
        return None
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.sum(a, axis=tuple(range(a.ndim - 1)), dtype=wide).astype(bias.dtype)


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """a @ b in their own dtype; 16-bit floats are accumulated in float32."""
    return _accumulate("...i,ij->...j", a, b)


def _accumulate(equation: str, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.promote_types(a.dtype, jnp.float32)
    return jnp.einsum(equation, a, b, preferred_element_type=wide).astype(a.dtype)
