"""The recurrent kernel against a plain scan: values, gradients of both orders, masks, dtypes, unknown sizes."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from cornu.kernels import gates as cells, platform, recurrent

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
    "simple": (simple_step, cells.simple_gates(), 1, 1),
    "lstm": (lstm_step, cells.lstm_gates(), 4, 2),
    "gru": (gru_step, cells.gru_gates(), 3, 1),
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
        return jnp.asarray(RNG.normal(size=shape).astype(jnp.dtype(dtype)))

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


@pytest.mark.parametrize(("name", "masked"), [("simple", False), ("lstm", True), ("gru", False)])
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


@pytest.mark.parametrize("activation", cells.ACTIVATIONS)
def test_slopes(activation):
    function, slope, scale = cells.ACTIVATIONS[activation]
    x = jnp.array([-2.0, -0.3, 0.4, 1.7])
    value, found, wanted = jax.jit(
        lambda x: (function(x), jax.vmap(slope)(function(x)), jax.vmap(jax.grad(function))(x))
    )(x)
    close(found, wanted)
    if scale is not None:
        close(scale * np.tanh(scale * np.asarray(x)) + (1 - scale), value)


@pytest.mark.parametrize("names", [("sigmoid", "tanh", "sigmoid"), ("sigmoid", "relu", "linear")])
def test_gates_side_by_side(names):
    each = [cells.ACTIVATIONS[name] for name in names]
    x = jnp.asarray(RNG.normal(size=(BATCH, 3 * UNITS)).astype("float32"))
    wanted = jnp.concatenate(
        [a.function(part) for a, part in zip(each, jnp.split(x, 3, axis=-1), strict=True)], axis=-1
    )
    close(jax.jit(lambda x: cells.activate(x, each))(x), wanted)
    slopes, gradient = jax.jit(
        lambda x, y: (cells.slopes(y, each), jax.grad(lambda x: jnp.sum(cells.activate(x, each)))(x))
    )(x, wanted)
    close(slopes, gradient)


@pytest.mark.parametrize("activation", cells.ACTIVATIONS)
def test_any_activation_in_the_table(activation):
    f = cells.ACTIVATIONS[activation].function
    args = arguments(4, 2)
    everything = jnp.ones((TIME, BATCH), bool)

    def step(x, p, states):
        i, forget, g, o = jnp.split(x + p, 4, axis=-1)
        c = jax.nn.sigmoid(forget) * states[1] + jax.nn.sigmoid(i) * f(g)
        return jax.nn.sigmoid(o) * f(c), c

    gates = cells.lstm_gates(activation, "sigmoid")
    losses = score(lambda *a: recurrent.recur(gates, *a)), score(lambda *a: plain(step, *a, everything))
    close(*(jax.jit(jax.grad(loss, (0, 1, 2, 3)))(*args) for loss in losses), 1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CELLS)
def test_half_precision_keeps_its_dtype_and_stays_close(name, dtype):
    step, gates, gate_count, state_count = CELLS[name]
    x, states, kernel, bias = arguments(gate_count, state_count, dtype)
    hidden, last = jax.jit(lambda *a: recurrent.recur(gates, *a))(x, states, kernel, bias)
    assert {hidden.dtype.name, *(s.dtype.name for s in last)} == {dtype}
    wide = jax.tree.map(lambda a: np.asarray(a, "float32"), (x, states, kernel, bias))
    close((hidden, last), jax.jit(lambda *a: plain(step, *a))(*wide, np.ones((TIME, BATCH), bool)), 0.05)
    gradient = jax.grad(lambda k: jnp.sum(recurrent.recur(gates, x, states, k, bias)[0].astype("float32")))
    assert jax.eval_shape(gradient, kernel).dtype == dtype


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_last_states_alone_and_the_plain_form(name, masked):
    _, gates, gate_count, state_count = CELLS[name]
    args = arguments(gate_count, state_count)
    mask = jnp.asarray(RNG.random((TIME, BATCH)) > 0.4) if masked else None

    def loss(*args, **kwargs):
        return sum(jnp.sum(jnp.sin(s)) for s in recurrent.recur(gates, *args, mask, **kwargs)[1])

    assert jax.eval_shape(lambda *a: recurrent.recur(gates, *a, mask, sequences=False), *args)[0] is None
    every = jax.jit(jax.grad(loss, (0, 1, 2, 3)))(*args)
    for forms in (contextlib.nullcontext(), platform.plain_forms()):
        with forms:
            close(jax.jit(jax.grad(lambda *a: loss(*a, sequences=False), (0, 1, 2, 3)))(*args), every)


@pytest.mark.parametrize(
    ("name", "masked", "dtype"),
    [("simple", False, "float32"), ("simple", True, "bfloat16"), ("lstm", True, "float32"), ("lstm", False, "bfloat16"),
     ("gru", False, "float32"), ("gru", True, "bfloat16")],
)  # fmt: skip
def test_two_groups_of_rows_and_the_projection_of_their_inputs(name, masked, dtype, monkeypatch):
    monkeypatch.setattr(recurrent, "_LARGE_STEP", 1)
    step, gates, gate_count, state_count = CELLS[name]
    _, states, kernel, bias = arguments(gate_count, state_count, dtype)
    time, width = 13, kernel.shape[1]
    draw = lambda *shape: jnp.asarray((0.5 * RNG.normal(size=shape)).astype(jnp.dtype(dtype)))
    args = draw(time, BATCH, 3), draw(3, width), draw(width), states, kernel, bias
    weight = jnp.asarray(RNG.normal(size=(time, BATCH, UNITS)), "float32")
    valid = jnp.asarray(RNG.random((time, BATCH)) > (0.4 if masked else -1))

    def score(hidden, last):
        return jnp.sum(hidden * weight) + sum(jnp.sum(jnp.sin(s.astype("float32"))) for s in last)

    def fast(x, input_kernel, input_bias, *rest):
        given = valid if masked else None
        return score(*recurrent.recur(gates, x, *rest, given, input_kernel=input_kernel, input_bias=input_bias))

    def slow(x, input_kernel, input_bias, *rest):
        return score(*plain(step, x @ input_kernel + input_bias, *rest, valid))

    wide = jax.tree.map(lambda a: np.asarray(a, "float32"), args)
    (value, got), (right, wanted) = (
        jax.jit(jax.value_and_grad(f, tuple(range(6))))(*a) for f, a in ((fast, args), (slow, wide))
    )
    assert all(g.dtype == dtype for g in jax.tree.leaves(got))
    got, wanted = (jax.tree.map(lambda a: np.asarray(a, "float32"), tree) for tree in (got, wanted))
    sizes = jax.tree.map(lambda a: np.abs(a).max(), wanted)
    tolerance = 2e-5 if dtype == "float32" else 0.05
    close(jax.tree.map(np.divide, got, sizes), jax.tree.map(np.divide, wanted, sizes), tolerance)
    close(value / 10, right / 10, 10 * tolerance)


def test_second_derivatives_of_two_groups_of_rows(monkeypatch):
    monkeypatch.setattr(recurrent, "_LARGE_STEP", 1)
    step, gates, gate_count, state_count = CELLS["lstm"]
    _, states, kernel, bias = arguments(gate_count, state_count)
    x, input_kernel = (jnp.asarray(0.5 * RNG.normal(size=n), "float32") for n in ((9, BATCH, 3), (3, 4 * UNITS)))
    everything = jnp.ones((9, BATCH), bool)

    def penalty(run):
        return lambda k: jnp.sum(jax.grad(lambda k: jnp.sum(run(k)[1][0]))(k) ** 2)

    fast = penalty(lambda k: recurrent.recur(gates, x, states, kernel, bias, input_kernel=k))
    slow = penalty(lambda k: plain(step, x @ k, states, kernel, bias, everything))
    close(*(jax.jit(jax.grad(f))(input_kernel) for f in (fast, slow)), 1e-4)


@pytest.mark.parametrize(
    ("batch", "unroll", "wanted"), [(32, False, [16, 16]), (33, False, [16, 17]), (2, False, [2]), (32, True, [32])]
)
def test_both_cores_share_the_rows_of_a_long_batch_on_a_cpu(batch, unroll, wanted, monkeypatch):
    monkeypatch.setattr(recurrent.os, "cpu_count", lambda: 2)
    groups = recurrent._row_groups(batch, recurrent._way(batch, jnp.zeros((64, 256)), unroll))
    rows = [len(range(batch)[group.rows]) for group in groups]
    assert rows == (wanted if platform.name() == "cpu" else [batch])


def test_one_core_takes_the_rows_of_a_batch_together(monkeypatch):
    monkeypatch.setattr(recurrent.os, "cpu_count", lambda: 1)
    assert not recurrent._way(32, jnp.zeros((64, 256)), unroll=False).halved


def test_the_written_out_loop_is_the_same():
    args = arguments(4, 2)
    gates = cells.lstm_gates()
    loops = [
        jax.jit(jax.grad(score(lambda *a, u=u: recurrent.recur(gates, *a, unroll=u)), (0, 1, 2)))(*args)
        for u in (False, True)
    ]
    close(*loops)


def test_a_masked_step_changes_nothing():
    x, states, kernel, bias = arguments(3, 1)
    mask = jnp.ones((TIME, BATCH), bool).at[2].set(False)
    keep = jnp.array([0, 1, 3, 4])
    run = jax.jit(lambda x, mask: recurrent.recur(cells.gru_gates(), x, states, kernel, bias, mask)[1])
    close(run(x, mask), run(x[keep], None))


def test_unknown_batch_and_time():
    (n,) = export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct
    hidden, last = jax.eval_shape(
        lambda x, h, k, m: recurrent.recur(cells.simple_gates(), x, (h,), k, None, m),
        shape((n, n, 4), "float32"), shape((n, 4), "float32"), shape((4, 4), "float32"), shape((n, n), bool),
    )  # fmt: skip
    assert hidden.shape == (n, n, 4)
    assert last[0].shape == (n, 4)


def test_the_kernel_gradient_is_one_product_after_the_loop(monkeypatch):
    monkeypatch.delenv("CORNU_KERNELS", raising=False)
    x, states, kernel, bias = arguments(4, 2)

    def of_the_kernels_shape():
        def loss(kernel):
            return jnp.sum(recurrent.recur(cells.lstm_gates(), x, states, kernel, bias)[0])

        jaxpr = jax.make_jaxpr(jax.grad(loss))(kernel).jaxpr
        return [inside for inside, shape in dots(jaxpr) if shape in (kernel.shape, kernel.shape[::-1])]

    assert of_the_kernels_shape() == [False]
    with platform.plain_forms():
        assert of_the_kernels_shape() == [True]  # which is what differentiating a scan would do


def dots(jaxpr, inside=False):
    """(whether it is inside a loop, output shape) of every product in a program."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield inside, equation.outvars[0].aval.shape
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(inner, "eqns"):
                yield from dots(getattr(inner, "jaxpr", inner), inside or equation.primitive.name in ("scan", "while"))
