"""The largest and smallest values, and where their gradient goes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cornu.kernels import extremes

X = jnp.asarray(np.random.default_rng(0).integers(0, 3, (4, 5, 2)).astype("float32"))  # with ties
PAIRS = {"largest": (extremes.largest, jnp.max), "smallest": (extremes.smallest, jnp.min)}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [None, 1, -1, (0, 2)], ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_are_those_of_jax(name, axes, keepdims):
    own, jaxs = PAIRS[name]
    np.testing.assert_array_equal(own(X, axes, keepdims), jaxs(X, axes, keepdims=keepdims))
    gradient = lambda find: jax.grad(lambda x: jnp.sum(jnp.cos(find(x))))(X)
    expected = gradient(lambda x: jaxs(x, axes, keepdims=keepdims))
    np.testing.assert_allclose(gradient(lambda x: own(x, axes, keepdims)), expected, atol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_a_gradient_is_finite_where_nothing_equals_the_extreme(name):
    own, jaxs = PAIRS[name]
    x = jnp.array([1.0, jnp.nan])  # as where a compiler rounds the elements otherwise for the comparison
    assert np.isnan(jax.grad(jaxs)(x)).any()
    np.testing.assert_array_equal(jax.grad(lambda x: own(x, None))(x), [0, 0])


def test_second_derivatives_and_integers():
    np.testing.assert_array_equal(
        jax.hessian(lambda x: extremes.largest(x * x, None))(jnp.array([1.0, 3.0]))[1], [0, 2]
    )
    np.testing.assert_array_equal(extremes.smallest(jnp.array([[3, 1], [2, 5]]), 1), [1, 2])
