"""The loops of an LSTM and a GRU over a sequence as C++ kernels: all steps in one call, forward and backward.

A step of XLA's loop is a dozen operations, each of which costs as much to start as to compute. Here both threads run
all steps of their rows of the batch without waiting for each other, and the weights stay in their caches. The products
over all steps (of the inputs with their kernel, and those of the kernels' gradients) are left to XLA.

The plain forms are the same loops as scans, of any `Gates`.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from cornu import native
from cornu.core.typing import AnyList
from cornu.kernels import platform
from cornu.kernels.gates import Arrays, Factors, Gates

_UNITS = 16  # that are computed at a time
_LEAST_PRODUCTS = 2**16  # of a sequence: below, a call costs what it gains


def fit(gates: Gates, inputs: jax.Array, kernel: jax.Array) -> bool:
    """Whether a C++ kernel handles these gates, for inputs (T, B, ..) and a recurrent kernel (U, G U)."""
    steps, batch, *_ = inputs.shape
    known = isinstance(steps, int) and isinstance(batch, int)
    if not gates.compiled or not known or not platform.calls_native():
        return False
    floats = inputs.dtype == kernel.dtype == jnp.float32
    large = steps * batch * kernel.size >= _LEAST_PRODUCTS
    return floats and large and kernel.shape[0] % _UNITS == 0 and native.instructions() is not None


def forward(
    gates: Gates, inputs: jax.Array, states: Arrays, kernel: jax.Array, biases: Arrays, mask: jax.Array | None
) -> list[jax.Array]:
    """Run the cell.

    Args:
        gates: the arithmetic of the cell; its `compiled` names the kernel.
        inputs: the projected inputs, (T, B, G U).
        states: the first states, (B, U) each.
        kernel: the recurrent kernel, (U, G U).
        biases: of the inputs and of the product, (G U,) each.
        mask: False where a step holds the state, (T, B).

    Returns:
        The gates (T, B, G U), what their gradient needs besides, and of each state all values, (T + 1, B, U).
    """
    return _FORWARD[gates.compiled](_floats(mask), inputs, *states, kernel, *biases, gates=gates)


def backward(
    gates: Gates,
    saved: Sequence[jax.Array],
    kernel: jax.Array,
    d_hidden: jax.Array | None,
    d_states: Arrays,
    mask: jax.Array | None,
) -> list[jax.Array]:
    """The gradients of the products with the kernel, of projected inputs where those differ, and of the first states.

    Args:
        gates, kernel, mask: as for `forward`.
        saved: what `forward` returned.
        d_hidden: the gradient of all hidden states, (T, B, U), if there is one.
        d_states: that of the last states.
    """
    outputs = jnp.zeros((0,), kernel.dtype) if d_hidden is None else d_hidden
    return _BACKWARD[gates.compiled](_floats(mask), outputs, *saved, kernel.T, *d_states, gates=gates)


def _floats(mask: jax.Array | None) -> jax.Array:
    """The mask as floats; an empty array if there is none."""
    return jnp.zeros((0,), jnp.float32) if mask is None else mask.astype(jnp.float32)


def _given(array: jax.Array) -> jax.Array | None:
    return array if array.ndim > 1 else None


def _keep(valid: jax.Array | None) -> Callable[..., jax.Array]:
    return lambda new, old: new if valid is None else jnp.where(valid[:, None] > 0, new, old)


def _scan(mask: jax.Array, inputs: jax.Array, *others: jax.Array, gates: Gates) -> list[jax.Array]:
    states = others[: len(set(gates.driven))]
    kernel, input_bias, bias = others[len(states) :]

    def step(
        states: Arrays, row: tuple[jax.Array, jax.Array | None]
    ) -> tuple[Arrays, tuple[jax.Array, Arrays, Arrays]]:
        x, product = gates.parted(row[0] + input_bias), states[0] @ kernel + bias
        new, each, besides = gates.forward(x, product, states, _keep(row[1]))
        return new, (jnp.concatenate(each, -1), besides, new)

    _, (each, besides, after) = lax.scan(step, states, (inputs, _given(mask)))
    return [each, *besides, *(jnp.concatenate([a[None], b]) for a, b in zip(states, after, strict=True))]


def _scan_back(mask: jax.Array, d_outputs: jax.Array, *others: jax.Array, gates: Gates) -> list[jax.Array]:
    count = len(set(gates.driven))
    (each, *besides), history = others[: -2 * count - 1], others[-2 * count - 1 : -count - 1]
    transposed, d_states = others[-count - 1], others[-count:]
    before, after = (tuple(a[cut] for a in history) for cut in (slice(None, -1), slice(1, None)))
    factors = gates.factors(gates.parted(each), tuple(besides), before, after)
    valid, given = _given(mask), _given(d_outputs)
    factors = factors if valid is None else factors.masked(valid > 0)

    def step(d_states: Arrays, row: tuple[Factors, jax.Array | None]) -> tuple[Arrays, Arrays]:
        own, d_output = row
        d_hidden = d_states[0] if d_output is None else d_states[0] + d_output
        d = (d_hidden,) if own.cell is None else (d_hidden, d_states[1] + d_hidden * own.cell)
        spread = gates.spread(d)
        flat = [(spread * a).reshape(len(d_hidden), -1) for a in (own.products, own.inputs) if a is not None]
        passed: AnyList = [0 if a is None else one * a for one, a in zip(d, own.states, strict=True)]
        return (passed[0] + flat[0] @ transposed, *passed[1:]), tuple(flat)

    first, stored = lax.scan(step, d_states, (factors, given), reverse=True)
    return [*stored, *first]


def _results(mask: native.Shape, inputs: native.Shape, *others: native.Shape, gates: Gates) -> list[native.Shape]:
    steps, batch, width = inputs
    count = len(set(gates.driven))
    units = width // sum(gates.blocks)
    return [inputs, *[(steps, batch, units)] * (2 - count), *[(steps + 1, batch, units)] * count]


def _results_back(
    mask: native.Shape, outputs: native.Shape, each: native.Shape, *others: native.Shape, gates: Gates
) -> list[native.Shape]:
    count = len(set(gates.driven))
    return [*[each] * (3 - count), *[others[-1]] * count]


def _sizes(mask: native.Shape, inputs: native.Shape, *others: native.Shape, gates: Gates) -> list[int]:
    steps, batch, width = inputs
    return [steps, batch, width // sum(gates.blocks), int(len(mask) > 1), 0]


def _sizes_back(
    mask: native.Shape, outputs: native.Shape, each: native.Shape, *others: native.Shape, gates: Gates
) -> list[int]:
    return [*_sizes(mask, each, gates=gates)[:-1], int(len(outputs) > 1)]


_FORWARD = {name: native.kernel(name, _results, _sizes)(_scan) for name in ("lstm", "gru")}
_BACKWARD = {name: native.kernel(f"{name}_back", _results_back, _sizes_back)(_scan_back) for name in ("lstm", "gru")}
