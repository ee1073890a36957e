"""The kernels in C++ beside the plain forms, with either set of instructions, and where they are not to be called."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cornu import native
from cornu.kernels import conv, forms, platform, window

pytestmark = pytest.mark.skipif(native.instructions() is None, reason="cornu's C++ was not compiled, or not for this")


@pytest.fixture(params=["AVX-512", "AVX2"])
def instructions(request):
    native.use_avx512(request.param == "AVX-512")
    if native.instructions() != request.param:
        pytest.skip(f"This processor has no {request.param}.")
    yield
    native.use_avx512(True)


@pytest.fixture
def of_any_size(monkeypatch):
    monkeypatch.setattr(conv, "_LEAST_NATIVE_PRODUCTS", 0)


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


@pytest.mark.parametrize("channels", [16, 48])
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_both_kernels(case, channels, instructions):
    (*sizes, inputs), size, strides, pads = case
    win = window.Window(tuple(sizes), size, strides, (1,) * len(size), pads)
    x, kernel, y = draw(3, *sizes, inputs), draw(*size, inputs, channels), draw(3, *win.places, channels)
    wanted = conv._plain(x, kernel, strides, pads, win.dilation)
    agree(jax.jit(functools.partial(conv._correlate_natively, win=win))(x, kernel)[0], wanted)
    wanted = jax.linear_transpose(lambda k: conv._plain(x, k, strides, pads, win.dilation), kernel)(y)[0]
    agree(jax.jit(functools.partial(conv._weigh_natively, win=win))(x, y)[0], wanted)


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
