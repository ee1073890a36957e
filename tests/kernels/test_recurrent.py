"""The recurrent kernel against a plain scan: values, gradients of both orders, masks, dtypes, unknown sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from cornu.kernels import platform, recurrent

RNG = np.random.default_rng(0)
TIME, BATCH, UNITS = 5, 3, 4


def simple_step(x, p, states):
    return (jnp.tanh(x + p),)


def lstm_step(x, p, states):
    i, f, g, o = jnp.split(x + p, 4, axis=-1)
    c = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(x, p, states):
    (xz, xr, xg), (pz, pr, pg) = jnp.split(x, 3, axis=-1), jnp.split(p, 3, axis=-1)
    z, r = jax.nn.sigmoid(xz + pz), jax.nn.sigmoid(xr + pr)
    return (z * states[0] + (1 - z) * jnp.tanh(xg + r * pg),)


CELLS = {  # plain step, gates, number of gates, number of states
    "simple": (simple_step, recurrent.simple_gates(), 1, 1),
    "lstm": (lstm_step, recurrent.lstm_gates(), 4, 2),
    "gru": (gru_step, recurrent.gru_gates(), 3, 1),
}


def plain(step, x, states, kernel, bias, mask):
    def body(states, inputs):
        x, valid = inputs
        new = step(x, states[0] @ kernel + bias, states)
        new = tuple(jnp.where(valid[:, None], a, b) for a, b in zip(new, states, strict=True))
        return new, new[0]

    last, hidden = lax.scan(body, states, (x, mask))
    return hidden, last


def arguments(gate_count, state_count, dtype="float32"):
    def draw(*shape):
        return jnp.asarray(RNG.normal(size=shape).astype("float32"), dtype)

    states = tuple(draw(BATCH, UNITS) for _ in range(state_count))
    width = gate_count * UNITS
    return draw(TIME, BATCH, width), states, 0.5 * draw(UNITS, width), draw(width)


def score(function):
    weight = jnp.arange(TIME * BATCH * UNITS, dtype=jnp.float32).reshape(TIME, BATCH, UNITS) / 30

    def loss(*args):
        hidden, last = function(*args)
        return jnp.sum(hidden * weight) + sum(jnp.sum(jnp.sin(s)) for s in last)

    return loss


def close(a, b, tolerance=2e-5):
    for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.float32(p), np.float32(q), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients(name, masked):
    step, gates, gate_count, state_count = CELLS[name]
    args = arguments(gate_count, state_count)
    mask = jnp.asarray(RNG.random((TIME, BATCH)) > 0.4) if masked else None
    everything = jnp.ones((TIME, BATCH), bool) if mask is None else mask
    fast = score(lambda *a: recurrent.recur(gates, *a, mask))
    slow = score(lambda *a: plain(step, *a, everything))
    fast, slow = (jax.jit(jax.value_and_grad(loss, (0, 1, 2, 3)))(*args) for loss in (fast, slow))
    close(fast, slow)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_second_derivatives(name, masked):
    step, gates, gate_count, state_count = CELLS[name]
    args = arguments(gate_count, state_count)
    everything = jnp.asarray(RNG.random((TIME, BATCH)) > 0.4) if masked else jnp.ones((TIME, BATCH), bool)

    def penalty(loss):
        return lambda kernel: jnp.sum(jax.grad(loss, 2)(args[0], args[1], kernel, args[3]) ** 2)

    fast = penalty(score(lambda *a: recurrent.recur(gates, *a, everything)))
    slow = penalty(score(lambda *a: plain(step, *a, everything)))
    wanted = jax.jit(jax.grad(slow))(args[2])
    close(jax.jit(jax.grad(fast))(args[2]) / jnp.abs(wanted).max(), wanted / jnp.abs(wanted).max())


@pytest.mark.parametrize("activation", recurrent.ACTIVATIONS)
def test_slopes(activation):
    function, slope, scale = recurrent.ACTIVATIONS[activation]
    x = jnp.array([-2.0, -0.3, 0.4, 1.7])
    close(jax.vmap(slope)(function(x)), jax.vmap(jax.grad(function))(x))
    if scale is not None:
        close(scale * jnp.tanh(scale * x) + (1 - scale), function(x))


@pytest.mark.parametrize("names", [("sigmoid", "tanh", "sigmoid"), ("sigmoid", "relu", "linear")])
def test_gates_side_by_side(names):
    each = [recurrent.ACTIVATIONS[name] for name in names]
    x = jnp.asarray(RNG.normal(size=(BATCH, 3 * UNITS)).astype("float32"))
    wanted = jnp.concatenate(
        [a.function(part) for a, part in zip(each, jnp.split(x, 3, axis=-1), strict=True)], axis=-1
    )
    close(recurrent.activate(x, each), wanted)
    close(recurrent.slopes(wanted, each), jax.grad(lambda x: jnp.sum(recurrent.activate(x, each)))(x))


@pytest.mark.parametrize("activation", recurrent.ACTIVATIONS)
def test_any_activation_in_the_table(activation):
    f = recurrent.ACTIVATIONS[activation].function
    args = arguments(4, 2)
    everything = jnp.ones((TIME, BATCH), bool)

    def step(x, p, states):
        i, forget, g, o = jnp.split(x + p, 4, axis=-1)
        c = jax.nn.sigmoid(forget) * states[1] + jax.nn.sigmoid(i) * f(g)
        return jax.nn.sigmoid(o) * f(c), c

    gates = recurrent.lstm_gates(activation, "sigmoid")
    fast = jax.grad(score(lambda *a: recurrent.recur(gates, *a)), (0, 1, 2, 3))(*args)
    close(fast, jax.grad(score(lambda *a: plain(step, *a, everything)), (0, 1, 2, 3))(*args), 1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CELLS)
def test_half_precision_keeps_its_dtype_and_stays_close(name, dtype):
    step, gates, gate_count, state_count = CELLS[name]
    x, states, kernel, bias = arguments(gate_count, state_count, dtype)
    hidden, last = recurrent.recur(gates, x, states, kernel, bias)
    assert {hidden.dtype.name, *(s.dtype.name for s in last)} == {dtype}
    wide = jax.tree.map(lambda a: a.astype("float32"), (x, states, kernel, bias))
    close((hidden, last), plain(step, *wide, jnp.ones((TIME, BATCH), bool)), 0.05)
    gradients = jax.grad(lambda k: jnp.sum(recurrent.recur(gates, x, states, k, bias)[0].astype("float32")))(kernel)
    assert gradients.dtype == dtype


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_last_states_alone_and_the_plain_form(name, masked):
    _, gates, gate_count, state_count = CELLS[name]
    args = arguments(gate_count, state_count)
    mask = jnp.asarray(RNG.random((TIME, BATCH)) > 0.4) if masked else None

    def loss(*args, **kwargs):
        return sum(jnp.sum(jnp.sin(s)) for s in recurrent.recur(gates, *args, mask, **kwargs)[1])

    assert recurrent.recur(gates, *args, mask, sequences=False)[0] is None
    every = jax.grad(loss, (0, 1, 2, 3))(*args)
    close(jax.grad(lambda *a: loss(*a, sequences=False), (0, 1, 2, 3))(*args), every)
    with platform.plain_forms():
        close(jax.grad(lambda *a: loss(*a, sequences=False), (0, 1, 2, 3))(*args), every)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_projection_of_all_inputs(dtype):
    x, kernel = (jnp.asarray(RNG.normal(size=size), dtype) for size in ((TIME, BATCH, 3), (3, UNITS)))
    weight = jnp.asarray(RNG.normal(size=(TIME, BATCH, UNITS)), dtype)
    got, wanted = (
        jax.value_and_grad(lambda *a, f=f: jnp.sum(f(*a) * weight), (0, 1))(x, kernel)
        for f in (recurrent.project, recurrent.product)
    )
    close(got, wanted, {"float32": 2e-5, "bfloat16": 0.05, "float16": 0.01}[dtype])


def test_the_written_out_loop_is_the_same():
    args = arguments(4, 2)
    gates = recurrent.lstm_gates()
    loops = [
        jax.grad(score(lambda *a, u=u: recurrent.recur(gates, *a, unroll=u)), (0, 1, 2))(*args) for u in (False, True)
    ]
    close(*loops)


def test_a_masked_step_changes_nothing():
    x, states, kernel, bias = arguments(3, 1)
    mask = jnp.ones((TIME, BATCH), bool).at[2].set(False)
    keep = jnp.array([0, 1, 3, 4])
    _, last = recurrent.recur(recurrent.gru_gates(), x, states, kernel, bias, mask)
    close(last, recurrent.recur(recurrent.gru_gates(), x[keep], states, kernel, bias)[1])


def test_unknown_batch_and_time():
    (n,) = export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct
    hidden, last = jax.eval_shape(
        lambda x, h, k, m: recurrent.recur(recurrent.simple_gates(), x, (h,), k, None, m),
        shape((n, n, 4), "float32"), shape((n, 4), "float32"), shape((4, 4), "float32"), shape((n, n), bool),
    )  # fmt: skip
    assert hidden.shape == (n, n, 4)
    assert last[0].shape == (n, 4)


def test_the_kernel_gradient_is_one_product_after_the_loop(monkeypatch):
    monkeypatch.delenv("CORNU_KERNELS", raising=False)
    x, states, kernel, bias = arguments(4, 2)

    def loss(kernel):
        return jnp.sum(recurrent.recur(recurrent.lstm_gates(), x, states, kernel, bias)[0])

    products = [inside for inside, shape in dots(jax.make_jaxpr(jax.grad(loss))(kernel).jaxpr) if shape == kernel.shape]
    assert products == [False]


def dots(jaxpr, inside=False):
    """(whether it is inside a loop, output shape) of every product in a program."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield inside, equation.outvars[0].aval.shape
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "jaxpr")):
            if hasattr(inner, "jaxpr"):
                yield from dots(inner.jaxpr, inside or equation.primitive.name == "scan")
