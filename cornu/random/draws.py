"""Random tensors.

`seed` is an int (the same numbers at every call), a `SeedGenerator` (new numbers at every call), or None (new numbers
from the global seed, see `set_random_seed`; not inside compiled code). Equal seeds give the same numbers as Keras on
JAX, except for dropout, which uses a faster counter-based hash.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core.dtypes import is_float, is_int, storage_dtype
from cornu.core.operation import Tensor, op
from cornu.core.typing import DTypeLike, ShapeLike
from cornu.kernels import dropout as dropout_kernel
from cornu.random.seed_generator import SeedLike, draw_key, draw_seed


@op
def normal(
    shape: int | Sequence[int],
    mean: Tensor = 0.0,
    stddev: Tensor = 1.0,
    dtype: DTypeLike | None = None,
    seed: SeedLike = None,
) -> jax.Array:
    """Draws from a normal distribution.

    Args:
        shape: shape of the result.
        mean: mean, a number or a tensor that broadcasts to `shape`. Defaults to 0.0.
        stddev: standard deviation, likewise. Defaults to 1.0.
        dtype: a float type, by default floatx.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.normal((2, 3), seed=1).shape)  # (2, 3)
    """
    dtype = _float_type(dtype, "normal")
    draw = jax.random.normal(draw_key(seed), _sizes(shape), dtype)
    return draw * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


@op
def truncated_normal(
    shape: int | Sequence[int],
    mean: Tensor = 0.0,
    stddev: Tensor = 1.0,
    dtype: DTypeLike | None = None,
    seed: SeedLike = None,
) -> jax.Array:
    """Draws from a normal distribution truncated at two standard deviations from the mean.

    Args:
        shape: shape of the result.
        mean: mean of the normal distribution. Defaults to 0.0.
        stddev: its standard deviation. Defaults to 1.0.
        dtype: a float type, by default floatx.
        seed: int, `SeedGenerator` or None.

    Example:

        print(abs(cornu.random.truncated_normal((100,), seed=1)).max() <= 2.0)  # True
    """
    dtype = _float_type(dtype, "truncated_normal")
    draw = jax.random.truncated_normal(draw_key(seed), -2.0, 2.0, _sizes(shape), dtype)
    return draw * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


@op
def uniform(
    shape: int | Sequence[int],
    minval: Tensor = 0.0,
    maxval: Tensor = 1.0,
    dtype: DTypeLike | None = None,
    seed: SeedLike = None,
) -> jax.Array:
    """Draws from the uniform distribution over `minval` (included) to `maxval` (excluded).

    Args:
        shape: shape of the result.
        minval: lower bound, a number or a tensor that broadcasts to `shape`. Defaults to 0.0.
        maxval: upper bound, likewise. Defaults to 1.0.
        dtype: a float type, by default floatx; `randint` draws integers.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.uniform((2,), 5, 6, seed=1))
    """
    dtype = _float_type(dtype, "uniform")
    return jax.random.uniform(draw_key(seed), _sizes(shape), dtype, minval=minval, maxval=maxval)


@op
def randint(
    shape: int | Sequence[int], minval: Tensor, maxval: Tensor, dtype: DTypeLike = "int32", seed: SeedLike = None
) -> jax.Array:
    """Draws uniformly distributed integers from `minval` (included) to `maxval` (excluded).

    Args:
        shape: shape of the result.
        minval: lower bound, an integer or a tensor that broadcasts to `shape`.
        maxval: upper bound, likewise.
        dtype: an integer type. Defaults to `"int32"`.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.randint((3,), 0, 10, seed=1))
    """
    if not is_int(dtype):
        raise ValueError(f'randint: dtype must be an integer type. Received: dtype="{dtype}".')
    return jax.random.randint(draw_key(seed), _sizes(shape), minval, maxval, storage_dtype(dtype))


@op
def categorical(logits: Tensor, num_samples: int, dtype: DTypeLike = "int32", seed: SeedLike = None) -> jax.Array:
    """Draws class indices with probabilities `softmax(logits)`.

    Args:
        logits: shape `(batch, classes)`.
        num_samples: number of draws per row.
        dtype: an integer type. Defaults to `"int32"`.
        seed: int, `SeedGenerator` or None.

    Returns:
        Integers of shape `(batch, num_samples)`.

    Example:

        print(cornu.random.categorical(np.array([[0.0, -50.0]]), 3, seed=1))  # [[0 0 0]]
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        raise ValueError(f"categorical: logits must have shape (batch, classes). Received: shape={logits.shape}.")
    shape = (logits.shape[0], num_samples)
    draws = jax.random.categorical(draw_key(seed), logits[:, :, None], axis=1, shape=shape)
    return draws.astype(storage_dtype(dtype))


@op
def shuffle(x: Tensor, axis: int = 0, seed: SeedLike = None) -> jax.Array:
    """Shuffles the elements along `axis`; every line along it gets its own order.

    Args:
        x: any tensor.
        axis: the axis to shuffle along. Defaults to 0.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.shuffle(np.arange(5), seed=1))
    """
    return jax.random.permutation(draw_key(seed), x, axis=axis, independent=True)


@op
def gamma(
    shape: int | Sequence[int], alpha: Tensor, dtype: DTypeLike | None = None, seed: SeedLike = None
) -> jax.Array:
    """Draws from the gamma distribution with shape parameter `alpha` and scale 1.

    Args:
        shape: shape of the result.
        alpha: positive number, or a tensor of them that broadcasts to `shape`.
        dtype: a float type, by default floatx.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.gamma((2, 3), alpha=2.0, seed=1).shape)  # (2, 3)
    """
    dtype = _float_type(dtype, "gamma")
    return jax.random.gamma(draw_key(seed), jnp.asarray(alpha, dtype), _sizes(shape), dtype)


@op
def beta(
    shape: int | Sequence[int], alpha: Tensor, beta: Tensor, dtype: DTypeLike | None = None, seed: SeedLike = None
) -> jax.Array:
    """Draws from the beta distribution, with values from 0 to 1.

    Args:
        shape: shape of the result.
        alpha: positive number, or a tensor of them that broadcasts to `shape`.
        beta: likewise.
        dtype: a float type, by default floatx.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.beta((2, 3), alpha=2.0, beta=1.0, seed=1).shape)  # (2, 3)
    """
    dtype = _float_type(dtype, "beta")
    return jax.random.beta(draw_key(seed), jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype), _sizes(shape), dtype)


@op
def binomial(
    shape: int | Sequence[int],
    counts: Tensor,
    probabilities: Tensor,
    dtype: DTypeLike | None = None,
    seed: SeedLike = None,
) -> jax.Array:
    """Draws the number of successes in `counts` trials with success probability `probabilities`.

    Args:
        shape: shape of the result.
        counts: number of trials, or a tensor of them that broadcasts to `shape`.
        probabilities: probability of success, from 0 to 1, likewise.
        dtype: a float type, by default floatx.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.binomial((2, 3), counts=5, probabilities=0.5, seed=1).max() <= 5)  # True
    """
    dtype = _float_type(dtype, "binomial")
    counts, probabilities = jnp.asarray(counts, dtype), jnp.asarray(probabilities, dtype)
    return jax.random.binomial(draw_key(seed), counts, probabilities, _sizes(shape), dtype)


@op
def dropout(inputs: Tensor, rate: float, noise_shape: ShapeLike | None = None, seed: SeedLike = None) -> jax.Array:
    """Zero with probability `rate`, else `inputs / (1 - rate)`, which preserves the mean (Srivastava et al., 2014).

    Args:
        inputs: any tensor.
        rate: probability of zero, from 0 to 1.
        noise_shape: shape of the mask, which is broadcast: 1 for axes that share a decision, None for the size in
            `inputs`. None by default.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.random.dropout(np.ones((2, 4)), 0.5, seed=1))  # [[2. 0. 2. 0.] [2. 2. 0. 2.]]
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"dropout: rate must be a number from 0 to 1. Received: rate={validate.shown(rate)}.")
    inputs = jnp.asarray(inputs)
    inputs = inputs if jnp.issubdtype(inputs.dtype, jnp.inexact) else inputs.astype(settings.floatx())
    return dropout_kernel.dropout(inputs, float(rate), draw_seed(seed), noise_shape)


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(shape) if hasattr(shape, "__iter__") else (validate.non_negative_int(shape, "shape", "A random draw"),)


def _float_type(dtype: DTypeLike | None, name: str) -> str:
    if dtype is not None and not is_float(dtype):
        raise ValueError(f'{name}: dtype must be a float type. Received: dtype="{dtype}".')
    return storage_dtype(dtype)
