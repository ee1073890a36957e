"""`tensorflow.random`: the seed, and draws.

A draw with a seed of its own gives other numbers each time, and the same in each run, as TensorFlow's do.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, random
from cornu.core.dtypes import is_int
from cornu.core.typing import DTypeLike, ShapeLike, Tensor
from cornu.random import SeedGenerator, set_random_seed
from cornu.random.seed_generator import draw_key, global_seed
from cornu.tensorflow.served import functions, sizes, within

_generators: dict[int | None, SeedGenerator] = {}
"""The state behind the draws with each seed, and of those without one."""


def set_seed(seed: int) -> None:
    """Make everything drawn from here on reproducible, as `keras.utils.set_random_seed` does."""
    set_random_seed(seed)
    for number, generator in _generators.items():  # in place, since compiled functions hold them
        generator.state.assign([seed if number is None else number, 0])


def seeded(seed: object) -> SeedGenerator:
    """The generator of an operation's own seed, or of those without one, which compiled functions carry too."""
    number = None if seed is None else int(np.asarray(seed).ravel()[0]) % 2**32
    if number not in _generators:
        _generators[number] = SeedGenerator(global_seed() if number is None else number)
    return _generators[number]


def _stateless(seed: object) -> Tensor:
    """A seed of two numbers as a draw takes it: the same numbers each time."""
    return jnp.asarray(seed).astype("uint32").reshape(2)


def _normal(
    shape: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None, seed: object = None
) -> jax.Array:
    return random.normal(sizes(shape), mean, stddev, dtype, seeded(seed))


def _truncated(
    shape: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None, seed: object = None
) -> jax.Array:
    return random.truncated_normal(sizes(shape), mean, stddev, dtype, seeded(seed))


def _draw_uniform(shape: object, minval: object, maxval: object, dtype: DTypeLike | None, seed: Tensor) -> jax.Array:
    if dtype is not None and is_int(dtype):
        if maxval is None:
            raise ValueError("tf.random.uniform: whole numbers need maxval=.")
        return random.randint(sizes(shape), minval, maxval, dtype, seed)
    return random.uniform(sizes(shape), minval, 1.0 if maxval is None else maxval, dtype, seed)


def _uniform(
    shape: object, minval: object = 0, maxval: object = None, dtype: DTypeLike | None = None, seed: object = None
) -> jax.Array:
    return _draw_uniform(shape, minval, maxval, dtype, seeded(seed))


def _shuffle(value: Tensor, seed: object = None) -> jax.Array:
    return random.shuffle(value, 0, seeded(seed))


def _categorical(logits: Tensor, num_samples: int, dtype: DTypeLike | None = "int32", seed: object = None) -> jax.Array:
    return random.categorical(logits, int(num_samples), dtype or "int32", seeded(seed))


def _gamma(
    shape: ShapeLike | None, alpha: Tensor, beta: Tensor = 1.0, dtype: DTypeLike | None = None, seed: Tensor = None
) -> jax.Array:
    whole = (*sizes(shape), *np.shape(alpha))
    return random.gamma(whole, alpha, dtype, seeded(seed)) / beta


def _poisson(shape: ShapeLike, lam: Tensor, dtype: DTypeLike | None = "float32", seed: object = None) -> jax.Array:
    key = draw_key(seeded(seed))
    return ops.cast(jax.random.poisson(key, jnp.asarray(lam, "float32"), (*sizes(shape), *np.shape(lam))), dtype)


def _stateless_normal(
    shape: object, seed: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None
) -> jax.Array:
    return random.normal(sizes(shape), mean, stddev, dtype, _stateless(seed))


def _stateless_truncated(
    shape: object, seed: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None
) -> jax.Array:
    return random.truncated_normal(sizes(shape), mean, stddev, dtype, _stateless(seed))


def _stateless_uniform(
    shape: object, seed: object, minval: object = 0, maxval: object = None, dtype: DTypeLike | None = None
) -> jax.Array:
    return _draw_uniform(shape, minval, maxval, dtype, _stateless(seed))


def _stateless_categorical(logits: Tensor, num_samples: int, seed: object, dtype: DTypeLike = "int32") -> jax.Array:
    return random.categorical(logits, num_samples, dtype, _stateless(seed))


class Generator:
    """Draws from a state of its own.

    Args:
        seed: the number that the draws follow from.
    """

    def __init__(self, seed: int | None = None):
        self._seeds = SeedGenerator(seed)

    @classmethod
    def from_seed(cls, seed: int, alg: object = None) -> "Generator":
        """A generator whose draws follow from `seed`."""
        return cls(int(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg: object = None) -> "Generator":
        """A generator whose draws are others in each run."""
        return cls()

    def normal(
        self,
        shape: object,
        mean: Tensor = 0.0,
        stddev: object = 1.0,
        dtype: DTypeLike | None = None,
        name: object = None,
    ) -> jax.Array:
        """Draws from a normal distribution."""
        return random.normal(sizes(shape), mean, stddev, dtype, self._seeds)

    def uniform(
        self,
        shape: ShapeLike | None,
        minval: Tensor = 0,
        maxval: Tensor = None,
        dtype: DTypeLike | None = None,
        name: object = None,
    ) -> jax.Array:
        """Draws from `minval` up to, but not including, `maxval`."""
        return _draw_uniform(shape, minval, maxval, dtype, self._seeds)

    def make_seeds(self, count: int = 1) -> jax.Array:
        """Seeds for stateless draws, shape (2, count)."""
        return random.randint((2, count), 0, 2**31 - 1, seed=self._seeds)


globals().update(
    functions(
        """
        categorical                _categorical   logits num_samples dtype seed
        gamma                      _gamma         shape alpha beta dtype seed
        normal                     _normal        shape mean stddev dtype seed
        poisson                    _poisson       shape lam dtype seed
        shuffle                    _shuffle       value seed
        stateless_categorical      _stateless_categorical logits num_samples seed dtype
        stateless_normal           _stateless_normal shape seed mean stddev dtype -alg
        stateless_truncated_normal _stateless_truncated shape seed mean stddev dtype -alg
        stateless_uniform          _stateless_uniform shape seed minval maxval dtype -alg
        truncated_normal           _truncated     shape mean stddev dtype seed
        uniform                    _uniform       shape minval maxval dtype seed
        """,
        globals(),
        "random.",
    )
)
__getattr__ = within(__name__)
