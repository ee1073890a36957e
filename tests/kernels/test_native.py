"""The kernels in C++ beside the plain forms, with either set of instructions, and where they are not to be called."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cornu import native
from cornu.kernels import cell_loops, conv, forms, gates, platform, recurrent, window

pytestmark = pytest.mark.skipif(native.instructions() is None, reason="cornu's C++ was not compiled, or not for this")


def with_each_set(run, *args):
    """What a compiled function gives with each set of instructions that this processor has."""
    for use_avx512 in (True, False):
        native.use_avx512(use_avx512)
        yield run(*args)
    native.use_avx512(True)


@pytest.fixture
def of_any_size(monkeypatch):
    monkeypatch.setattr(conv, "_LEAST_NATIVE_PRODUCTS", 0)
    monkeypatch.setattr(cell_loops, "_LEAST_PRODUCTS", 0)


def draw(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32))


def spec(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def agree(found, wanted, tolerance=2e-5):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * max(1.0, np.abs(wanted).max(initial=0)))


# sizes of the image with its channels, size of the kernel, strides, (zeros before, after) along each axis
WINDOWS = [
    ((9, 8, 16), (3, 3), (1, 1), ((1, 1), (1, 1))),
    ((9, 8, 5), (3, 2), (2, 1), ((0, 0), (1, 0))),
    ((9, 30, 3), (7, 7), (2, 2), ((2, 3), (3, 3))),
    ((6, 7, 4), (1, 1), (2, 3), ((0, 0), (0, 0))),
    ((6, 7, 4), (3, 3), (1, 1), ((-1, 2), (-2, 3))),  # cut off before, as a gradient's window may be
    ((6, 7, 4), (3, 3), (1, 1), ((2, -1), (4, -2))),
    ((2, 1, 2), (5, 5), (1, 1), ((4, 4), (6, 6))),  # places that meet nothing but zeros
    ((1, 1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((70, 20), (5,), (1,), ((4, 0),)),
    ((3, 1030, 2), (2, 3), (1, 1), ((1, 0), (0, 0))),  # more places in a row than are taken at a time
]


@pytest.mark.parametrize(("case", "channels"), list(zip(WINDOWS, itertools.cycle([16, 48]))), ids=str)
def test_both_kernels(case, channels):
    (*sizes, inputs), size, strides, pads = case
    win = window.Window(tuple(sizes), size, strides, (1,) * len(size), pads)
    x, kernel, y = draw(3, *sizes, inputs), draw(*size, inputs, channels), draw(3, *win.places, channels)
    wanted = conv._plain(x, kernel, strides, pads, win.dilation)
    for [found] in with_each_set(jax.jit(functools.partial(conv._correlate_natively, win=win)), x, kernel):
        agree(found, wanted)
    wanted = jax.linear_transpose(lambda k: conv._plain(x, k, strides, pads, win.dilation), kernel)(y)[0]
    for [found] in with_each_set(jax.jit(functools.partial(conv._weigh_natively, win=win)), x, y):
        agree(found, wanted)


def loss(x, kernel):
    return jnp.sum(jnp.sin(conv.conv(x, kernel, (1, 1), "same")))


gradients = jax.value_and_grad(loss, (0, 1))


def calls(fn, *args):
    """How many calls of C++ a program holds; it is traced anew."""
    return jax.jit(functools.partial(fn)).lower(*args).as_text().count("@cornu_")


def test_gradients_of_both_orders(of_any_size):
    def penalty(x, kernel):
        return sum(jnp.sum(jnp.square(g)) for g in gradients(x, kernel)[1])

    x, kernel = draw(2, 5, 6, 16), draw(3, 3, 16, 16)
    both = jax.jit(lambda *args: (gradients(*args), jax.grad(penalty, (0, 1))(*args)))
    assert calls(both, x, kernel) >= 6
    found = both(x, kernel)
    with platform.plain_forms():
        wanted = jax.jit(lambda *args: (gradients(*args), jax.grad(penalty, (0, 1))(*args)))(x, kernel)
    jax.tree.map(functools.partial(agree, tolerance=1e-4), found, wanted)


def test_outside_of_a_compiled_function(of_any_size):
    x, kernel = draw(2, 5, 6, 16), draw(3, 3, 16, 16)
    win = window.slide("same", (5, 6), (3, 3), (1, 1))
    agree(conv._correlate_natively(x, kernel, win=win)[0], conv._plain(x, kernel, (1, 1), "SAME", (1, 1)))


def test_in_a_loop_and_under_vmap(of_any_size):
    xs, kernel = draw(3, 2, 5, 6, 16), draw(3, 3, 16, 16)
    in_turn = jax.jit(lambda xs: jax.lax.map(lambda x: gradients(x, kernel)[1], xs))
    assert calls(in_turn, xs)
    together = jax.jit(jax.vmap(lambda x: gradients(x, kernel)[1]))
    assert not calls(together, xs)
    jax.tree.map(agree, together(xs), in_turn(xs))


def test_what_is_exported_calls_nothing_of_this_process(of_any_size):
    x, kernel = draw(2, 5, 6, 16), draw(3, 3, 16, 16)
    exported = export.export(jax.jit(gradients), platforms=("cpu", "cuda"))(x, kernel)
    assert "@cornu_" not in exported.mlir_module()
    again = export.deserialize(exported.serialize()).call(x, kernel)
    jax.tree.map(agree, again, jax.jit(gradients)(x, kernel))


def test_several_devices_and_other_platforms_do_without(of_any_size):
    x, kernel = spec(2, 5, 6, 16), spec(3, 3, 16, 16)
    mesh = jax.sharding.AbstractMesh((2,), ("batch",))
    split, whole = (jax.NamedSharding(mesh, jax.P(*axes)) for axes in (("batch",), ()))
    sharded = jax.jit(gradients, in_shardings=(split, whole)).trace(x, kernel).lower(lowering_platforms=("cpu",))
    assert "@cornu_" not in sharded.as_text()
    assert "@cornu_" not in jax.jit(gradients).trace(x, kernel).lower(lowering_platforms=("cuda",)).as_text()


def test_it_can_be_switched_off(of_any_size, monkeypatch):
    x, kernel = draw(2, 5, 6, 16), draw(3, 3, 16, 16)
    assert calls(gradients, x, kernel) == 3
    monkeypatch.setenv("CORNU_NATIVE", "0")
    assert native.instructions() is None
    assert not calls(gradients, x, kernel)


def test_a_jaxlib_with_another_interface_is_not_given_anything(monkeypatch, tmp_path):
    folder = tmp_path / "xla" / "ffi" / "api"
    folder.mkdir(parents=True)
    monkeypatch.setattr(jax.ffi, "include_dir", lambda: str(tmp_path))
    for text, fits in [
        ("MAJOR 0\n MINOR 3", True),
        ("MAJOR 0\n MINOR 2", False),
        ("MAJOR 1\n MINOR 3", False),
        ("", False),
    ]:
        lines = [f"#define XLA_FFI_API_{line.strip()}" for line in text.splitlines()]
        (folder / "c_api.h").write_text("\n".join(lines))
        assert native._fits_xla() == fits


def test_which_form_is_taken():
    def name(table, *arrays, size=(3, 3), dilation=(1, 1)):
        sizes = arrays[0].shape[1:-1]
        return forms.chosen(table, *arrays, window.slide("same", sizes, size, (1,) * len(size), dilation)).name

    x, y, kernel = spec(8, 64, 64, 16), spec(8, 64, 64, 32), spec(3, 3, 16, 32)
    assert name(conv.CORRELATE, x, kernel) == name(conv.WEIGH, x, y) == "native"
    assert name(conv.CORRELATE, x, kernel, dilation=(2, 2)) == "convolution"
    assert name(conv.CORRELATE, x, spec(3, 3, 16, 20)) == "convolution"
    assert name(conv.CORRELATE, spec(1, 8, 8, 16), kernel) == "convolution"
    assert name(conv.WEIGH, spec(8, 16, 16, 512), spec(8, 16, 16, 512)) == "convolution"
    assert name(conv.CORRELATE, spec(8, 64, 64, 16, dtype="bfloat16"), kernel) == "convolution"
    with platform.planned("gpu"):
        assert name(conv.CORRELATE, x, kernel) == "convolution"


CELLS = {"lstm": (gates.lstm_gates("tanh", "sigmoid"), 4, 2), "gru": (gates.gru_gates("tanh", "sigmoid"), 3, 1)}


def recurrence(cell, steps=5, batch=3, units=16, sequences=True, masked=False, projects=True):
    """A function of a recurrent layer's arrays to a number, and the arrays."""
    arithmetic, blocks, count = CELLS[cell]
    width = blocks * units
    mask = jnp.asarray(np.random.default_rng(0).random((steps, batch)) > 0.4) if masked else None
    arrays = {
        "inputs": draw(steps, batch, 7 if projects else width),
        "states": tuple(draw(batch, units) for _ in range(count)),
        "kernel": draw(units, width) / 4,
        "bias": draw(width) if projects else None,
        "input_kernel": draw(7, width) / 4 if projects else None,
        "input_bias": draw(width) + 1 if projects else None,
    }

    def number(arrays):
        hidden, last = recurrent.recur(arithmetic, **arrays, mask=mask, sequences=sequences)
        seen = [*last, hidden] if sequences else last
        return sum(jnp.sum(jnp.sin(a) * draw(*a.shape)) for a in seen)

    return number, arrays


RECURRENCES = [
    {},
    {"masked": True},
    {"sequences": False, "masked": True},
    {"sequences": False, "projects": False},
    {"steps": 1, "batch": 1},
    {"batch": 29, "units": 48, "steps": 2},  # tiles of several sizes
]


@pytest.mark.parametrize(
    ("cell", "case"), list(zip(itertools.cycle(CELLS), [*RECURRENCES, *RECURRENCES[1:4]])), ids=str
)
def test_loops_of_cells(cell, case, of_any_size):
    number, arrays = recurrence(cell, **case)
    assert calls(jax.value_and_grad(number), arrays) == 2
    assert calls(number, arrays) == 1
    with platform.plain_forms():
        wanted = jax.jit(jax.value_and_grad(number))(arrays)
    for found in with_each_set(jax.jit(jax.value_and_grad(number)), arrays):
        jax.tree.map(agree, found, wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_exported_loops_of_cells_are_plain(cell, of_any_size):
    number, arrays = recurrence(cell, masked=True)
    both = jax.jit(jax.value_and_grad(number))
    exported = export.export(both)(arrays)
    assert "@cornu_" not in exported.mlir_module()
    jax.tree.map(agree, jax.jit(exported.call)(arrays), both(arrays))


@pytest.mark.parametrize("cell", CELLS)
def test_many_loops_of_cells(cell, of_any_size):
    """The plain forms, which vmap gets."""
    number, arrays = recurrence(cell, sequences=False, projects=False)
    many = jax.tree.map(lambda a: jnp.stack([a, a / 2]), arrays)
    jax.tree.map(agree, jax.vmap(jax.grad(number))(many), jax.lax.map(jax.grad(number), many))


def test_gradients_of_gradients_of_loops_of_cells(of_any_size):
    number, arrays = recurrence("gru", sequences=False, projects=False)

    def penalty(number):
        return jax.jit(jax.grad(lambda a: sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(jax.grad(number)(a)))))

    found = penalty(number)(arrays)
    with platform.plain_forms():
        wanted = penalty(number)(arrays)
    jax.tree.map(functools.partial(agree, tolerance=1e-4), found, wanted)


@pytest.mark.parametrize("numbers", [[0, 1e-30, -1e-4, 0.3, -2, 9, 88, 1e4, np.inf], [-np.inf, np.nan, 1, 2]])
def test_any_number_goes_through_the_gates(numbers, of_any_size):
    """At the ends of what a float holds, too; what is not a number stays visible."""
    projected = jnp.tile(jnp.asarray(numbers, jnp.float32)[:, None, None], (1, 2, 64))
    states, kernel = (jnp.ones((2, 16)), jnp.ones((2, 16))), jnp.zeros((16, 64))
    run = jax.jit(lambda: recurrent.recur(CELLS["lstm"][0], projected, states, kernel)[0])
    i, g = jax.nn.sigmoid(projected[..., :16]), jnp.tanh(projected[..., :16])
    cell, wanted = states[1], []
    for t in range(len(numbers)):
        cell = i[t] * (cell + g[t])
        wanted.append(i[t] * jnp.tanh(cell))
    for found in with_each_set(run):
        agree(found, jnp.stack(wanted), 3e-7)


def test_which_loops_are_taken():
    inputs, kernel = spec(100, 32, 64), spec(64, 256)
    usual = CELLS["lstm"][0]
    assert cell_loops.fit(usual, inputs, kernel)
    assert not cell_loops.fit(gates.lstm_gates("relu"), inputs, kernel)
    assert not cell_loops.fit(gates.simple_gates(), inputs, kernel)
    assert not cell_loops.fit(usual, inputs, spec(60, 240))
    assert not cell_loops.fit(usual, inputs, spec(64, 256, dtype="float64"))
    assert not cell_loops.fit(usual, spec(2, 1, 64), kernel)
    with platform.planned("gpu"):
        assert not cell_loops.fit(usual, inputs, kernel)
