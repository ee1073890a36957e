"""Normalization, attention and product kernels against their definitions in NumPy, and the hand-written gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cornu.kernels import attention, dense, norm

R = np.random.default_rng(11)


def numbers(*shape):
    return R.standard_normal(shape).astype("float32")


def plain_batch_normalize(x, gamma, beta, axis, epsilon):
    """The definition, left to JAX to differentiate."""
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    mean, variance = jnp.mean(x, others, keepdims=True), jnp.var(x, others, keepdims=True)
    shape = [n if i == axis % x.ndim else 1 for i, n in enumerate(x.shape)]
    y = (x - mean) / jnp.sqrt(variance + epsilon) * gamma.reshape(shape) + beta.reshape(shape)
    return y, mean.reshape(-1), variance.reshape(-1)


def objective(function, axis):
    """A scalar of all three results, so that the gradient flows through the moments too."""

    def run(x, gamma, beta):
        y, mean, variance = function(x, gamma, beta, axis, 1e-3)
        weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        return jnp.sum(y * weights) + jnp.sum(jnp.sin(mean)) + jnp.sum(variance**2)

    return run


@pytest.mark.parametrize(("shape", "axis"), [((6, 3), -1), ((4, 5, 3), 1), ((2, 3, 4, 5), -1), ((3, 4), 0)])
def test_batch_normalize_and_its_gradient(shape, axis):
    x, gamma, beta = 3 * numbers(*shape) + 2, numbers(shape[axis]), numbers(shape[axis])
    for mine, wanted in zip(
        norm.batch_normalize(x, gamma, beta, axis, 1e-3), plain_batch_normalize(x, gamma, beta, axis, 1e-3), strict=True
    ):
        np.testing.assert_allclose(mine, wanted, rtol=2e-5, atol=2e-5)
    gradients = [
        jax.jit(jax.grad(objective(f, axis), argnums=(0, 1, 2)))(x, gamma, beta)
        for f in (norm.batch_normalize, plain_batch_normalize)
    ]
    for mine, wanted in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-4)


def test_batch_normalize_differentiates_forwards_and_twice():
    x, gamma, beta = numbers(5, 3), numbers(3), numbers(3)
    direction = (numbers(5, 3), numbers(3), numbers(3))
    results = []
    for function in (norm.batch_normalize, plain_batch_normalize):
        run = objective(function, -1)
        _, forward = jax.jvp(run, (x, gamma, beta), direction)
        twice = jax.grad(lambda x, run=run: jnp.sum(jax.grad(run)(x, gamma, beta) ** 2))(x)
        results.append((forward, twice))
    for mine, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=2e-4, atol=2e-3)


@pytest.mark.parametrize("first", [None, 0.0, -5e4], ids=["like the rest", "zero", "far off"])
@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5])
def test_one_pass_variance_does_not_cancel(mean, first):
    """The bound of the module's docstring, also where the first example is nothing like the others."""
    x = (R.standard_normal((64, 7, 3)) + mean).astype("float32")
    if first is not None:
        x[0] = first
    got_mean, got_variance = norm.batch_moments(jnp.asarray(x), -1)
    exact = x.astype("float64")
    np.testing.assert_allclose(got_mean, exact.mean((0, 1)), rtol=1e-6, atol=1e-5 * exact.std())
    np.testing.assert_allclose(got_variance, exact.var((0, 1)), rtol=64 * 1e-6)


def test_narrow_inputs_are_averaged_in_32_bits():
    x = jnp.asarray(numbers(4096, 2) + 8, "bfloat16")
    y, mean, variance = norm.batch_normalize(x, None, None, -1, 1e-3)
    exact = np.asarray(x, "float64")
    assert y.dtype == jnp.bfloat16
    assert mean.dtype == variance.dtype == jnp.float32
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, exact.var(0), rtol=1e-4)


def test_masked_moments_are_those_of_the_chosen_rows():
    x, mask = numbers(3, 4, 2), np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1]], bool)
    mean, variance = norm.masked_moments(x, mask[..., None], -1)
    np.testing.assert_allclose(mean, x[mask].mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, x[mask].var(0), rtol=1e-5, atol=1e-6)


def test_kernels_work_for_an_unknown_batch_size():
    size = export.symbolic_shape("n")[0]
    x = jax.ShapeDtypeStruct((size, 4, 6), "float32")
    w = jax.ShapeDtypeStruct((6,), "float32")
    q = jax.ShapeDtypeStruct((size, size, 2, 6), "float32")
    assert jax.eval_shape(lambda x, w: norm.batch_normalize(x, w, w, -1, 1e-3)[0], x, w).shape == x.shape
    assert jax.eval_shape(lambda x, w: norm.group_normalize(x, w, w, -1, 3, 1e-3), x, w).shape == x.shape
    assert jax.eval_shape(lambda q: attention.dot_product_attention(q, q, q, is_causal=True), q).shape == q.shape


def test_normalizations_within_an_example():
    x, gamma, beta = numbers(2, 5, 6) + 1, numbers(6), numbers(6)

    def standard(x, axes):
        return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)

    grouped = standard(x.reshape(2, 5, 3, 2), (1, 3)).reshape(x.shape)
    for mine, wanted in (
        (norm.layer_normalize(x, gamma, beta, [-1], 1e-3), standard(x, (2,)) * gamma + beta),
        (norm.layer_normalize(x, None, None, [1, 2], 1e-3), standard(x, (1, 2))),
        (norm.group_normalize(x, gamma, beta, -1, 3, 1e-3), grouped * gamma + beta),
        (norm.rms_normalize(x, gamma, [-1], 1e-3), x / np.sqrt((x**2).mean(2, keepdims=True) + 1e-3) * gamma),
        (norm.deviation_normalize(x, gamma, [-1], 1e-3), x / np.sqrt(x.var(2, keepdims=True) + 1e-3) * gamma),
        (norm.unit_normalize(x, [1, 2]), x / np.sqrt((x**2).sum((1, 2), keepdims=True))),
    ):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-5)


def test_spectral_normalize_finds_the_largest_singular_value():
    kernel, u = numbers(3, 2, 4), numbers(1, 4)
    normalized, u = norm.spectral_normalize(kernel, u, 60)
    largest = np.linalg.svd(kernel.reshape(6, 4), compute_uv=False)[0]
    np.testing.assert_allclose(normalized, kernel / largest, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(u), 1, rtol=1e-5)


# ---------------------------------------------------------------- attention


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def reference(q, k, v, bias=0.0, mask=True, scale=None, cap=None):
    """Attention written out in 64 bits."""
    q, k, v = (x.astype("float64") for x in (q, k, v))
    k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
    scores = np.einsum("btnh,bsnh->bnts", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = cap * np.tanh(scores / cap) if cap else scores
    scores = np.where(np.broadcast_to(mask, scores.shape), scores + bias, -1e30)
    return np.einsum("bnts,bsnh->btnh", softmax(scores), v)


Q, K, V = numbers(2, 4, 4, 8), numbers(2, 6, 2, 8), numbers(2, 6, 2, 8)
MASK = R.random((2, 1, 4, 6)) > 0.3
MASK[..., 0] = True
FORMS = [
    ({}, {}),
    ({"scale": 0.7}, {"scale": 0.7}),
    ({"mask": MASK}, {"mask": MASK}),
    ({"bias": MASK.astype("float32")}, {"bias": MASK}),
    ({"is_causal": True}, {"mask": np.tri(4, 6, dtype=bool)}),
    ({"soft_cap": 0.5, "mask": MASK}, {"cap": 0.5, "mask": MASK}),
]


@pytest.mark.parametrize(("arguments", "wanted"), FORMS, ids=[" ".join(a) for a, _ in FORMS])
def test_dot_product_attention(arguments, wanted):
    np.testing.assert_allclose(
        attention.dot_product_attention(Q, K, V, **arguments), reference(Q, K, V, **wanted), rtol=2e-5, atol=2e-6
    )


def test_scores_of_narrow_inputs_are_in_32_bits():
    """Large scores that differ by less than bfloat16 can tell apart still give the right weights."""
    q = jnp.full((1, 1, 1, 64), 16.0, "bfloat16")
    k = jnp.full((1, 2, 1, 64), 16.0, "bfloat16").at[0, 1, 0, 0].set(16.125)
    v = jnp.asarray([0.0, 1.0], "bfloat16").reshape(1, 2, 1, 1)
    v = jnp.broadcast_to(v, (1, 2, 1, 64))
    result = np.asarray(attention.dot_product_attention(q, k, v), "float32")[0, 0, 0, 0]
    np.testing.assert_allclose(result, 1 / (1 + np.exp(-16.0 * 0.125 / 8)), rtol=1e-2)


def test_weighted_values_along_one_of_two_axes():
    """Each column of a grid is a sequence of its own."""
    q, k, v = numbers(2, 3, 5, 2, 4), numbers(2, 6, 5, 2, 4), numbers(2, 6, 5, 2, 7)
    result, weights = attention.weighted_values(q / 2, k, v, None, (1,), lambda w: w)
    assert weights.shape == (2, 5, 2, 3, 6)
    for column in range(5):
        wanted = reference(q[:, :, column], k[:, :, column], v[:, :, column])
        np.testing.assert_allclose(result[:, :, column], wanted, rtol=2e-5, atol=2e-6)


def test_weighted_values_along_two_axes_is_attention_over_all_places():
    q, k, v = numbers(2, 3, 2, 2, 4), numbers(2, 2, 4, 2, 4), numbers(2, 2, 4, 2, 4)
    result, weights = attention.weighted_values(q / 2, k, v, None, (1, 2), lambda w: w)
    assert weights.shape == (2, 2, 3, 2, 2, 4)
    wanted = reference(q.reshape(2, 6, 2, 4), k.reshape(2, 8, 2, 4), v.reshape(2, 8, 2, 4))
    np.testing.assert_allclose(result.reshape(2, 6, 2, 4), wanted, rtol=2e-5, atol=2e-6)


def test_a_query_that_may_look_nowhere():
    nowhere = np.zeros((2, 1, 4, 6), bool)
    average = np.repeat(V.mean(1, keepdims=True), 2, axis=2)
    result = attention.dot_product_attention(Q, K, V, mask=nowhere)
    np.testing.assert_allclose(result, np.broadcast_to(average, Q.shape), rtol=1e-5, atol=1e-6)
    k, v = np.repeat(K, 2, axis=2), np.repeat(V, 2, axis=2)
    result, weights = attention.weighted_values(Q, k, v, nowhere, (1,), lambda w: w)
    assert not np.asarray(result).any()
    assert not np.asarray(weights).any()


def test_masks_of_positions():
    np.testing.assert_array_equal(attention.causal_mask(3, 4), np.tri(3, 4, dtype=bool))
    np.testing.assert_array_equal(attention.window_mask(3, 4, 2), [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]])


def test_demanding_the_fused_kernel_where_it_is_not():
    with pytest.raises(RuntimeError, match="needs an NVIDIA GPU"):
        attention.dot_product_attention(Q, K, V, flash=True)


# ---------------------------------------------------------------- products


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_products_are_added_up_in_32_bits(dtype):
    x, kernel = jnp.ones((1, 4096), dtype) * 0.0625, jnp.ones((4096, 1), dtype) * 0.0625
    for result in (dense.product(x, kernel), dense.einsum("ab,bc->ac", x, kernel)):
        assert result.dtype == dtype
        np.testing.assert_allclose(np.asarray(result, "float32"), [[16.0]])
