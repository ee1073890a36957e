"""`tensorflow.random`: seeds and random numbers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, random
from cornu.core.dtypes import is_int
from cornu.core.typing import AnyFunction, DTypeLike, ShapeLike, Sizes, Tensor
from cornu.random import SeedGenerator
from cornu.random.seed_generator import draw_key, global_seed
from cornu.tensorflow import candidates
from cornu.tensorflow.seeds import seeded, set_seed, stateless
from cornu.tensorflow.served import Namespace, functions, sizes, within
from cornu.tensorflow.texts import is_text, text


def _key(seed: object) -> Tensor:
    return jax.random.wrap_key_data(stateless(seed), impl="threefry2x32")


def _as_seed(key: Tensor) -> jax.Array:
    return jax.random.key_data(key).astype("uint32").view("int32")


def _split(seed: object, num: int = 2) -> jax.Array:
    return _as_seed(jax.random.split(_key(seed), int(num)))


def _fold_in(seed: object, data: Tensor) -> jax.Array:
    return _as_seed(jax.random.fold_in(_key(seed), jnp.asarray(data).astype("uint32")))


def _stateless_shuffle(value: Tensor, seed: object) -> Tensor:
    return _in_order(value, _key(seed))


def _stateless_gamma(
    shape: Tensor, seed: Tensor, alpha: Tensor, beta: Tensor = 1.0, dtype: Tensor = "float32"
) -> Tensor:
    return random.gamma(sizes(shape), jnp.asarray(alpha), dtype, stateless(seed)) / (1.0 if beta is None else beta)


def _stateless_poisson(shape: Tensor, seed: Tensor, lam: Tensor, dtype: Tensor = "int32") -> Tensor:
    found = jax.random.poisson(_key(seed), jnp.asarray(lam, "float32"), sizes(shape))
    return ops.cast(found, dtype)


def _stateless_binomial(
    shape: Tensor, seed: Tensor, counts: Tensor, probs: Tensor, output_dtype: Tensor = "int32"
) -> Tensor:
    return ops.cast(random.binomial(sizes(shape), counts, probs, "float32", stateless(seed)), output_dtype)


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
            raise ValueError("tf.random.uniform: integers require maxval=.")
        return random.randint(sizes(shape), minval, maxval, dtype, seed)
    return random.uniform(sizes(shape), minval, 1.0 if maxval is None else maxval, dtype, seed)


def _uniform(
    shape: object, minval: object = 0, maxval: object = None, dtype: DTypeLike | None = None, seed: object = None
) -> jax.Array:
    return _draw_uniform(shape, minval, maxval, dtype, seeded(seed))


def _shuffle(value: Tensor, seed: object = None) -> Tensor:
    return _in_order(value, draw_key(seeded(seed)))


def _in_order(value: Tensor, key: Tensor) -> Tensor:
    """The rows of a tensor in random order."""
    if is_text(value):
        rows = np.asarray(text(value))
        return text(rows[np.asarray(jax.random.permutation(key, len(rows)))])
    return jax.random.permutation(key, jnp.asarray(value))


def _categorical(logits: Tensor, num_samples: int, dtype: DTypeLike | None = "int32", seed: object = None) -> jax.Array:
    return random.categorical(logits, int(num_samples), dtype or "int32", seeded(seed))


def _gamma(
    shape: ShapeLike | None, alpha: Tensor, beta: Tensor = 1.0, dtype: Tensor = None, seed: Tensor = None
) -> Tensor:
    whole = (*sizes(shape), *np.shape(alpha))
    return random.gamma(whole, alpha, dtype, seeded(seed)) / beta


def _poisson(shape: ShapeLike, lam: Tensor, dtype: DTypeLike | None = "float32", seed: object = None) -> jax.Array:
    key = draw_key(seeded(seed))
    return ops.cast(jax.random.poisson(key, jnp.asarray(lam, "float32"), (*sizes(shape), *np.shape(lam))), dtype)


def _stateless_normal(
    shape: object, seed: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None
) -> Tensor:
    return random.normal(sizes(shape), mean, stddev, dtype, stateless(seed))


def _stateless_truncated(
    shape: object, seed: object, mean: Tensor = 0.0, stddev: object = 1.0, dtype: DTypeLike | None = None
) -> Tensor:
    return random.truncated_normal(sizes(shape), mean, stddev, dtype, stateless(seed))


def _stateless_uniform(
    shape: object, seed: object, minval: object = 0, maxval: object = None, dtype: DTypeLike | None = None
) -> Tensor:
    return _draw_uniform(shape, minval, maxval, dtype, stateless(seed))


def _stateless_categorical(logits: Tensor, num_samples: int, seed: object, dtype: DTypeLike = "int32") -> Tensor:
    return random.categorical(logits, num_samples, dtype, stateless(seed))


class Generator:
    """A random generator with its own state.

    Args:
        seed: an integer.
    """

    def __init__(self, seed: int | None = None):
        self._seeds = SeedGenerator(seed)

    @classmethod
    def from_seed(cls, seed: int, alg: object = None) -> "Generator":
        """Create a generator from a seed."""
        return cls(int(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg: object = None) -> "Generator":
        """Create a generator with a nondeterministic seed."""
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
        dtype: Tensor = None,
        name: object = None,
    ) -> jax.Array:
        """Draws from `minval` up to, but not including, `maxval`."""
        return _draw_uniform(shape, minval, maxval, dtype, self._seeds)

    @property
    def state(self) -> Tensor:
        """The state variable."""
        return self._seeds.state

    def reset_from_seed(self, seed: int) -> None:
        """Reset the state, as in `from_seed(seed)`."""
        self._seeds.state.assign([int(seed), 0])

    def reset(self, state: Tensor) -> None:
        """Set the state to one that was read before."""
        self._seeds.state.assign(state)

    def split(self, count: int = 1) -> list["Generator"]:
        """Create independent generators."""
        return [Generator(int(seed)) for seed in np.asarray(self.make_seeds(count))[0]]

    def truncated_normal(
        self, shape: Tensor, mean: Tensor = 0.0, stddev: Tensor = 1.0, dtype: Tensor = None, name: str | None = None
    ) -> jax.Array:
        """Draws from a normal distribution, truncated at two standard deviations from the mean."""
        return random.truncated_normal(sizes(shape), mean, stddev, dtype, self._seeds)

    def binomial(
        self, shape: Tensor, counts: Tensor, probs: Tensor, dtype: Tensor = "int32", name: str | None = None
    ) -> jax.Array:
        """Draws from a binomial distribution of `counts` trials."""
        return ops.cast(random.binomial(sizes(shape), counts, probs, "float32", self._seeds), dtype)

    def uniform_full_int(self, shape: Tensor, dtype: Tensor = "uint32", name: str | None = None) -> jax.Array:
        """Integers from the full 32-bit range."""
        return jax.random.bits(draw_key(self._seeds), sizes(shape), "uint32").view(
            np.dtype(f"{dtype}".replace("64", "32"))
        )

    def make_seeds(self, count: int = 1) -> jax.Array:
        """Seeds for stateless draws, shape (2, count)."""
        return random.randint((2, count), 0, 2**31 - 1, seed=self._seeds)


_global: dict[str, Generator] = {}


def _drawn(draw: AnyFunction, *shape: int) -> jax.Array:
    return draw(shape, seed=seeded(None))


def _whole(low: int, high: int | None = None, size: Sizes | None = None, dtype: DTypeLike = "int32") -> jax.Array:
    low, high = (0, low) if high is None else (low, high)
    return random.randint(sizes(size or ()), low, high, dtype, seeded(None))


def _between(low: float = 0.0, high: float = 1.0, size: Sizes | None = None) -> jax.Array:
    return random.uniform(sizes(size or ()), low, high, seed=seeded(None))


numpy_random = Namespace(
    "experimental.numpy.random",
    rand=partial(_drawn, random.uniform),
    randint=_whole,
    randn=partial(_drawn, random.normal),
    random=lambda size=None: _between(size=size),
    seed=set_seed,
    standard_normal=lambda size=None: random.normal(sizes(size or ()), seed=seeded(None)),
    uniform=_between,
)
"""`tnp.random`: NumPy's names for draws."""


def get_global_generator() -> Generator:
    """The global generator."""
    if not _global:
        _global["generator"] = Generator(global_seed())
    return _global["generator"]


def set_global_generator(generator: Generator) -> None:
    """Set the global generator."""
    _global["generator"] = generator


globals().update(
    functions(
        """
        categorical                _categorical   logits num_samples dtype seed
        fixed_unigram_candidate_sampler _fixed_unigram true_classes num_true num_sampled unique range_max vocab_file \
            distortion num_reserved_ids num_shards shard unigrams seed
        fold_in                    _fold_in       seed data -alg
        gamma                      _gamma         shape alpha beta dtype seed
        log_uniform_candidate_sampler _log_uniform true_classes num_true num_sampled unique range_max seed
        normal                     _normal        shape mean stddev dtype seed
        poisson                    _poisson       shape lam dtype seed
        shuffle                    _shuffle       value seed
        split                      _split         seed num -alg
        stateless_binomial         _stateless_binomial shape seed counts probs output_dtype
        stateless_categorical      _stateless_categorical logits num_samples seed dtype
        stateless_gamma            _stateless_gamma shape seed alpha beta dtype
        stateless_poisson          _stateless_poisson shape seed lam dtype
        stateless_normal           _stateless_normal shape seed mean stddev dtype -alg
        stateless_truncated_normal _stateless_truncated shape seed mean stddev dtype -alg
        stateless_uniform          _stateless_uniform shape seed minval maxval dtype -alg
        truncated_normal           _truncated     shape mean stddev dtype seed
        uniform_candidate_sampler  _uniform_classes true_classes num_true num_sampled unique range_max seed
        uniform                    _uniform       shape minval maxval dtype seed
        """,
        {
            **globals(),
            "_uniform_classes": candidates.uniform,
            "_log_uniform": candidates.log_uniform,
            "_fixed_unigram": candidates.fixed_unigram,
        },
        "random.",
    )
)
experimental = Namespace(
    "random.experimental",
    Generator=Generator,
    get_global_generator=get_global_generator,
    set_global_generator=set_global_generator,
    **functions(
        """
        stateless_fold_in _fold_in           seed data -alg
        stateless_shuffle _stateless_shuffle value seed -alg
        stateless_split   _split             seed num -alg
        """,
        globals(),
        "random.experimental.",
    ),
)
__getattr__ = within(__name__)
