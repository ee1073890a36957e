"""Primitives and traced functions on NumPy give what JAX compiles: values, shapes, dtypes and weak types."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.differential import interpret
from tests.differential.interpret import interpreted
from tests.differential.on_numpy import on_numpy

X = np.linspace(-1.5, 2, 12, dtype="float32").reshape(3, 4)
CASES = {
    "elements": lambda x: jnp.where(x > 0, jnp.exp(-x) / (1 + abs(x)), jnp.sign(x) * jnp.sqrt(x * x) ** 3),
    "weak": lambda x: jnp.asarray(2.0) * 3,
    "sums": lambda x: (jnp.sum(x, 0), jnp.mean(x.astype("bfloat16")), jnp.max(x, -1), jnp.cumsum(x, 1)),
    "products": lambda x: (x @ x.T, jnp.einsum("ab,cb->ca", x, x), jnp.einsum("ab,ab->a", x, x)),
    "halves": lambda x: x.astype("bfloat16") @ x.T.astype("bfloat16"),
    "shapes": lambda x: (x[1:, ::2], jnp.stack([x, x], 1), jnp.flip(x, 1), jnp.split(x, 2, 1), x.T.reshape(2, 6)),
    "padding": lambda x: lax.pad(x, 0.5, ((1, 0, 1), (0, 2, 0))),
    "parts": lambda x: (lax.dynamic_slice(x, (2, 1), (2, 2)), lax.dynamic_update_slice(x, x[:2, :2], (2, 3))),
    "whole numbers": lambda x: (jnp.argmax(x, -1), jax.nn.one_hot(jnp.arange(3), 4), lax.div(jnp.arange(-3, 3), 2)),
    "gradients": jax.grad(lambda x: jnp.max(x @ x.T) + jnp.sum(jax.nn.softmax(x) * jnp.tanh(x) ** 2)),
}
FLOWS = {
    "loops": lambda x: lax.scan(lambda sum, row: (sum + row, sum * row), x[0], x, reverse=True),
    "no steps": lambda x: lax.scan(lambda sum, row: (sum + row, row), x[0], x[:0]),
    "until": lambda x: lax.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * x[0, 0]), (0, x)),
    "branches": lambda x: lax.cond(x[0, 0] > 0, jnp.sin, jax.nn.relu, x),
    "computed again": jax.grad(lambda x: jnp.sum(jax.checkpoint(lambda y: jnp.sin(y) * jax.nn.silu(y))(x))),
    "what only XLA has": lambda x: (jnp.sort(x)[0] * 2, jax.random.uniform(jax.random.key(1), (2,)) + x[0, 0]),
}


@pytest.mark.parametrize("case", [*CASES, *FLOWS])
def test_what_is_traced_gives_what_is_compiled(case):
    function = (CASES | FLOWS)[case]
    compiled = jax.jit(function)(jnp.asarray(X))
    with interpreted():
        evaluated = jax.jit(functools.partial(function))(jnp.asarray(X))
    for ours, theirs in zip(*map(jax.tree.leaves, (evaluated, compiled)), strict=True):
        assert ours.aval == theirs.aval
        np.testing.assert_allclose(ours.astype("float32"), theirs.astype("float32"), rtol=1e-5, atol=1e-6)


def test_what_is_traced_is_not_compiled(monkeypatch):
    monkeypatch.setattr(interpret, "_compile", None)
    with interpreted():
        assert len(jax.jit(functools.partial(FLOWS["loops"]))(jnp.asarray(X))) == 2


@pytest.mark.parametrize("case", CASES)
def test_numpy_gives_what_jax_compiles(case):
    compiled = CASES[case](jnp.asarray(X))
    with on_numpy(), jax.disable_jit():
        computed = CASES[case](jnp.asarray(X))
    for ours, theirs in zip(*map(jax.tree.leaves, (computed, compiled)), strict=True):
        assert ours.aval == theirs.aval
        np.testing.assert_allclose(ours.astype("float32"), theirs.astype("float32"), rtol=1e-6, atol=1e-6)
