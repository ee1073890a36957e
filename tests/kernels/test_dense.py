"""Products, biases and 16-bit floats beside their plain forms: values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cornu.kernels import attention, conv, dense, gates, half_precision, platform, recurrent

_HALVES = ("bfloat16", "float16")
_ROUNDING = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 2e-3}


def _draw(*shape, seed=0, dtype="float32"):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(jnp.dtype(dtype)))


def _wide(*arrays):
    return [np.asarray(a, "float32") for a in arrays]


def _agree(found, wanted, dtype):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
        np.testing.assert_allclose(a, b, atol=_ROUNDING[dtype] * np.abs(b).max(initial=1.0), rtol=0)


def _with_gradients(function, *arrays):
    """The result, and the gradients of a sum that weighs every element of it differently."""

    def weighed(*arrays):
        result = function(*arrays)
        weights = jnp.cos(jnp.arange(result.size, dtype="float32")).reshape(result.shape)
        return jnp.sum(result.astype("float32") * weights), result

    gradients, result = jax.jit(jax.grad(weighed, tuple(range(len(arrays))), has_aux=True))(*arrays)
    return result, gradients


@pytest.mark.parametrize("dtype", _ROUNDING)
@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 7), (2, 3, 4, 7), (7,), (0, 7)])
@pytest.mark.parametrize("units", [3, 11])
def test_a_product_over_the_last_axis(shape, units, dtype):
    x, kernel = _draw(*shape, dtype=dtype), _draw(7, units, seed=1, dtype=dtype)
    found = _with_gradients(dense.product, x, kernel)
    assert {a.dtype for a in jax.tree.leaves(found)} == {x.dtype}
    _agree(found, _with_gradients(jnp.matmul, *_wide(x, kernel)), dtype)


@pytest.mark.parametrize("units", [3, 11])
def test_the_gradient_of_a_float32_kernel_beside_bfloat16_is_rounded_nowhere(units):
    x, kernel = _draw(5, 7, dtype="bfloat16"), _draw(7, units, seed=1)
    if not dense.casts_kernel(x):
        pytest.skip("the kernel is cast before")
    found, (dx, d_kernel) = _with_gradients(dense.product, x, kernel)
    rounded, (dx_rounded, d_rounded) = _with_gradients(dense.product, x, kernel.astype("bfloat16"))
    assert found.dtype == dx.dtype == "bfloat16"
    np.testing.assert_array_equal(np.float32(found), np.float32(rounded))
    np.testing.assert_array_equal(np.float32(dx), np.float32(dx_rounded))
    weights = np.cos(np.arange(found.size, dtype="float32")).reshape(found.shape).astype(jnp.bfloat16)
    assert d_kernel.dtype == "float32"
    np.testing.assert_allclose(d_kernel, np.float32(x).T @ np.float32(weights), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.float32(d_rounded), np.float32(d_kernel.astype("bfloat16")))


@pytest.mark.parametrize("dtype", _ROUNDING)
@pytest.mark.parametrize(
    ("equation", "shape", "kernel"),
    [
        ("abc,cde->abde", (2, 3, 4), (4, 5, 6)),
        ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 6)),
        ("...ab,bc->...ac", (2, 3, 4), (4, 5)),
        ("ab...,bc->ac...", (2, 3, 4), (3, 5)),
        ("ab, b -> a", (2, 3), (3,)),
        ("ab,cd->abcd", (2, 3), (4, 5)),
        ("abc,cd->adb", (2, 3, 4), (4, 5)),
        ("abc,abd->acd", (2, 3, 4), (2, 3, 5)),
        ("ab,ab->", (2, 3), (2, 3)),
        ("aab,bc->ac", (3, 3, 4), (4, 5)),
    ],
)
def test_equations_of_every_kind(equation, shape, kernel, dtype):
    x, kernel = _draw(*shape, dtype=dtype), _draw(*kernel, seed=1, dtype=dtype)
    found = _with_gradients(lambda *a: dense.einsum(equation, *a), x, kernel)
    _agree(found, _with_gradients(lambda *a: jnp.einsum(equation, *a), *_wide(x, kernel)), dtype)


def test_the_gradient_of_a_kernel_needs_no_copy_of_the_activations():
    x, kernel = _draw(4, 8, 16), _draw(16, 64)
    gradient = jax.grad(lambda x, k: jnp.sum(jnp.sin(dense.product(jnp.sin(x), k))), argnums=(0, 1))
    text = jax.jit(gradient).lower(x, kernel).compile().as_text()
    assert "f32[64,32]" not in text and "f32[16,32]" not in text


@pytest.mark.parametrize("dtype", _ROUNDING)
@pytest.mark.parametrize(
    ("shape", "bias"), [((4, 3), (3,)), ((2, 4, 3), (3,)), ((2, 4, 3), (4, 3)), ((2, 4, 3), (4, 1))]
)
def test_a_bias_along_the_last_axes(shape, bias, dtype):
    x, bias = _draw(*shape, dtype=dtype), _draw(*bias, seed=1, dtype=dtype)
    found = _with_gradients(dense.biased, x, bias)
    _agree(found, _with_gradients(jnp.add, *_wide(x, bias)), dtype)


def test_a_bias_gradient_of_bfloat16_is_summed_in_float32():
    x, bias = jnp.zeros((4096, 2), "bfloat16"), jnp.zeros(2, "bfloat16")
    gradient = jax.jit(jax.grad(lambda b: jnp.sum(dense.biased(x, b).astype("float32"))))(bias)
    assert gradient.tolist() == [4096.0, 4096.0]


def test_a_product_of_bfloat16_can_be_differentiated_twice():
    x, kernel = _draw(5, 3, dtype="bfloat16"), _draw(3, 4, seed=1, dtype="bfloat16")

    def slope(product, x, kernel):
        return jnp.sum(jax.grad(lambda k: jnp.sum(product(x, k).astype("float32") ** 2))(kernel).astype("float32") ** 2)

    second = jax.jit(jax.grad(slope, argnums=2), static_argnums=0)
    found, wanted = second(dense.product, x, kernel), second(jnp.matmul, *_wide(x, kernel))
    _agree(found, wanted, "bfloat16")


@pytest.mark.parametrize("dtype", _HALVES)
def test_kernels_compute_halves_in_32_bits_and_give_halves(dtype):
    seen = []

    @half_precision.in_float32
    def kernel(x, pair, name, missing=None):
        seen.append((x.dtype, pair[1].dtype, name, missing))
        return x * 2, (pair[0],)

    x = _draw(3, dtype=dtype)
    result = kernel(x, (x, jnp.arange(3)), "name")
    assert [a.dtype for a in jax.tree.leaves(result)] == [x.dtype, x.dtype]
    assert seen == [(jnp.float32, jnp.int32, "name", None)]
    with platform.plain_forms():
        kernel(x, (x, jnp.arange(3)), "name")
    assert seen[1][0] == x.dtype


_KERNELS = {
    "conv": lambda x: conv.conv(x, _draw(3, 3, 4, 5, seed=1).astype(x.dtype), (1, 1)),
    "conv_transpose": lambda x: conv.conv_transpose(x, _draw(3, 3, 5, 4, seed=1).astype(x.dtype), (2, 2)),
    "depthwise_conv": lambda x: conv.depthwise_conv(x, _draw(3, 3, 4, 2, seed=1).astype(x.dtype), (1, 1)),
    "attention": lambda x: attention.dot_product_attention(x, x, x),
    "weighted_values": lambda x: attention.weighted_values(x, x, x, None, (1,), lambda weights: weights)[0],
    "recurrent": lambda x: recurrent.recur(
        gates.simple_gates(), x[:, 0], (x[0, 0],), _draw(4, 4, seed=1).astype(x.dtype)
    )[0],
}


@pytest.mark.parametrize("dtype", _HALVES)
@pytest.mark.parametrize("name", _KERNELS)
def test_kernels_of_halves_beside_those_of_float32(name, dtype):
    x = _draw(2, 6, 6, 4, dtype=dtype) * 0.5
    found = _with_gradients(_KERNELS[name], x)
    assert {a.dtype for a in jax.tree.leaves(found)} == {x.dtype}
    _agree(found, _with_gradients(_KERNELS[name], *_wide(x)), dtype)


@pytest.mark.parametrize("sizes", [(8, 16, 12), (8, 12, 16)])
def test_the_gradient_of_a_sum_of_bfloat16_compiles(sizes):
    """The gradient that comes in is a constant then."""
    rows, deep, wide = sizes
    x, kernel = jnp.ones((rows, deep), "bfloat16"), jnp.ones((deep, wide), "bfloat16")
    gradient = jax.jit(jax.grad(lambda x, kernel: dense.product(x, kernel).astype("float32").sum(), (0, 1)))
    for found, wanted in zip(gradient(x, kernel), (wide, rows), strict=True):
        np.testing.assert_array_equal(found, np.full(found.shape, wanted))
