"""Sources of randomness: generators whose state is a Variable, and one global seed behind them.

Drawing reads a generator's state and advances it. As the state is a Variable, a draw inside `functional` is pure, and
saving, resuming and distribution need nothing else. A raw seed is a pair of uint32, which is also a threefry key.

Default seeds are drawn from Python's own `random`, so `set_random_seed` (or plain `random.seed`) makes a whole program
reproducible.

A dataset may process an element in any thread, ahead of time, or again after it was resumed. So the random numbers for
it depend only on the generator's seed and the element's position (`Draws`), and do not advance the generator.
"""

import numbers
import random as python_random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import context, placement
from cornu.core.configurable import Configurable
from cornu.core.typing import ConfigDict, Tensor
from cornu.core.variable import Variable, assign_values, values_of

_STEP = np.array([0, 1], np.uint32)
_ONE, _FACTOR, _MODULUS = np.uint32(1), np.uint32(5387), np.uint32(933199)  # Keras's, found from the states it gives
_one_at_a_time = threading.RLock()  # no other thread may read a state between its read and its update


class Draws:
    """The states of generators while processing one element of a dataset.

    Args:
        origin: returns the global seed and the number of the step among all that use it.
        key: the numbers of the pass.
        index: the index of the element in it.
    """

    __slots__ = ("_index", "_key", "_origin", "states")

    def __init__(self, origin: Callable[[], tuple[int, ...]], key: tuple[int, ...], index: int):
        self._origin, self._key, self._index = origin, key, index
        self.states: dict[SeedState, jax.Array] = {}

    def state(self, of: "SeedState") -> jax.Array:
        """The state of a generator, which is reset for each element."""
        if of not in self.states:
            seed, step = self._origin()
            origin = (seed, step, len(self.states)) if of.seed is None else (of.seed, step)
            words = np.random.SeedSequence(origin, spawn_key=(*self._key, self._index)).generate_state(2)
            with jax.ensure_compile_time_eval():
                self.states[of] = jnp.asarray(words, "uint32")
        return self.states[of]


draws_of_element: ContextVar[Draws | None] = ContextVar("cornu_draws", default=None)


class SeedState(Variable):
    """The state of a generator.

    Args:
        start: the initial value.
        seed: the number it was derived from; None if none was given.
    """

    __slots__ = ("seed",)

    def __init__(self, start: np.ndarray, seed: int | None):
        super().__init__(start, trainable=False, name="seed_generator_state")
        self.seed = seed

    @property
    def value(self) -> jax.Array:
        """Two words; while processing an element of a dataset, those for this element."""
        draws = draws_of_element.get()
        if draws is None or any(self in mapping for mapping in context.current().states):
            return super().value
        return draws.state(self)

    def assign(self, value: object) -> jax.Array:
        """Assign a value; while processing an element of a dataset, only for this element."""
        draws, states = draws_of_element.get(), context.current().states
        if any(self is generator.state for generator in carried.values()):
            for mapping in states:  # the step that carries it has a mapping around those of the layers
                if self in mapping and _trace(mapping[self]) is _trace(value):
                    mapping[self] = value
                    return jnp.asarray(value)
        if draws is None or states or isinstance(value, jax.core.Tracer):
            return super().assign(value)
        draws.states[self] = jnp.asarray(value, "uint32")
        return draws.states[self]


def _trace(value: object) -> object:
    """By what of JAX's a value is traced, which must not get into what is traced around it; None for a known one."""
    return getattr(value, "_trace", None)


def values_for_call(variables: Sequence[Variable]) -> list[jax.Array]:
    """The initial values for a compiled call."""
    if draws_of_element.get() is None:
        return values_of(variables)
    own = zip(variables, values_of(variables), strict=True)
    return [variable.value if isinstance(variable, SeedState) else value for variable, value in own]


def keep_after_call(variables: Sequence[Variable], values: Sequence[jax.Array]) -> None:
    """Assign the final values of a compiled call to the variables."""
    pairs = list(zip(variables, values, strict=True))
    if draws_of_element.get() is not None:
        for variable, value in pairs:
            if isinstance(variable, SeedState):
                variable.assign(value)
        pairs = [pair for pair in pairs if not isinstance(pair[0], SeedState)]
    assign_values([variable for variable, _ in pairs], [value for _, value in pairs])


class SeedGenerator(Configurable):
    """A source of seeds, a different one for every draw.

    Args:
        seed: int from 0 to 2**32 - 1; None draws one from the global seed.
        name: name; None derives one.

    Example:

        seeds = cornu.random.SeedGenerator(7)
        a = cornu.random.normal((2,), seed=seeds)
        b = cornu.random.normal((2,), seed=seeds)  # other numbers
        print(seeds.state.numpy())  # [7 2]
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: object):
        custom_backend = kwargs.pop("backend", None)
        if kwargs or custom_backend is not None:
            raise ValueError(f"SeedGenerator: only seed and name can be given. Received: {kwargs or custom_backend!r}.")
        self.name = validate.name(name or context.auto_name("seed_generator"), "SeedGenerator", slash=True)
        self.seed = seed
        start = _as_words(make_default_seed() if seed is None else seed, self)
        with context.path(self.name):
            self.state = SeedState(start, None if seed is None else int(seed))

    def next(self, ordered: bool = True) -> jax.Array:
        """The next seed, an array of two uint32, and a step of the state.

        Args:
            ordered: whether the state then counts up by one. With False it jumps to `(state + 1) * 5387 % 933199`, as
                in Keras. Defaults to True.

        Example:

            seeds = cornu.random.SeedGenerator(7)
            print(seeds.next(), seeds.next())  # [7 0] [7 1]
        """
        with _one_at_a_time:
            seed = self.state.value
            self.state.assign(seed + _STEP if ordered else (seed + _ONE) * _FACTOR % _MODULUS)
        return seed

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Save the state in `store`, a dictionary of arrays."""
        store["0"] = self.state.numpy()

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        """Load the state from `store`."""
        self.state.assign(store["0"])

    @property
    def variables(self) -> list[Variable]:
        """The state."""
        return [self.state]

    def get_config(self) -> ConfigDict:
        """The arguments of the constructor."""
        return {"seed": self.seed, "name": self.name}


SeedLike: TypeAlias = int | SeedGenerator | None
"""A seed: a number, a generator, or None for a generator of its own."""


def given_seed(seed: SeedLike, owner: object) -> SeedLike:
    """`seed`, which must be an int, a `SeedGenerator` or None."""
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not (whole or seed is None or isinstance(seed, SeedGenerator)):
        raise ValueError(
            f"{validate.describe(owner)}: seed must be an int, a SeedGenerator or None. "
            f"Received: seed={validate.shown(seed)}."
        )
    return seed


def generator_of(seed: SeedLike) -> SeedGenerator:
    """The generator that was given as a seed, or a new one that starts from it."""
    return seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)


class _GlobalSeedGenerator(SeedGenerator):
    """The generator for draws without a seed. No compiled function carries its state, so they cannot use it."""

    def next(self, ordered: bool = True) -> jax.Array:
        with context.scope(states=()):
            seed = self.state.value
            if isinstance(jnp.add(seed, _STEP), jax.core.Tracer):
                raise ValueError(
                    "A random draw without a seed would give the same numbers in every run of a compiled function. "
                    "Create a SeedGenerator, store it as an attribute of the layer or model, and pass it as seed=: "
                    "self.seed_generator = cornu.random.SeedGenerator()."
                )
            return super().next(ordered)


_global: dict[str, SeedGenerator] = {}

carried: dict[int | None, SeedGenerator] = {}
"""Generators that no layer owns, by the seeds of the draws that they serve (None for draws without one).

Every compiled step carries their states. There are none but where scripts for TensorFlow run, whose draws need no
generator of their own.
"""


def carried_states() -> tuple[Variable, ...]:
    """The states that every compiled step carries."""
    return tuple(generator.state for generator in carried.values())


def global_seed_generator() -> SeedGenerator:
    """The generator for draws without a seed.

    Example:

        print(isinstance(cornu.random.global_seed_generator(), cornu.random.SeedGenerator))  # True
    """
    with _one_at_a_time:
        if None in carried:
            return carried[None]
        if "generator" not in _global:
            with context.scope(path=()):
                _global["generator"] = _GlobalSeedGenerator(name="global_seed_generator")
        return _global["generator"]


def reset_global_seed() -> None:
    """Discard the generator for draws without a seed; the next such draw makes one with a new default seed.

    Example:

        cornu.utils.set_random_seed(0)
        first = cornu.random.normal((2,))
        cornu.random.reset_global_seed()
        print(np.array_equal(first, cornu.random.normal((2,))))  # False
    """
    _global.clear()


def make_default_seed() -> int:
    """A seed for an object that was not given one.

    Example:

        print(isinstance(cornu.random.make_default_seed(), int))  # True
    """
    return python_random.randint(1, 10**9)


_chosen: dict[str, int] = {}


def global_seed() -> int:
    """The number passed to `set_random_seed`, or one drawn once for this process.

    Example:

        cornu.utils.set_random_seed(7)
        print(cornu.random.global_seed())  # 7
    """
    if "seed" not in _chosen:
        _chosen["seed"] = make_default_seed()
    return _chosen["seed"]


def go_on_with_global_seed(seed: int) -> None:
    """Adopt the global seed of another process, whose training run this one resumes."""
    _chosen["seed"] = seed


def number_of_use() -> int:
    """The number of calls since the global seed was set, which distinguishes the users of that seed."""
    _chosen["uses"] = _chosen.get("uses", -1) + 1
    return _chosen["uses"]


@contextmanager
def draws_undone() -> Iterator[None]:
    """Scope after which default seeds and draws without a seed continue as if none had been drawn in it."""
    state, chosen, generators = python_random.getstate(), dict(_chosen), dict(_global)
    values = [(one.state, one.state.value) for one in (*generators.values(), *carried.values())]
    try:
        yield
    finally:
        python_random.setstate(state)
        for kept, before in ((_chosen, chosen), (_global, generators)):
            kept.clear()
            kept.update(before)  # type: ignore[arg-type]
        for variable, value in values:
            variable.assign(value)


def set_random_seed(seed: int) -> None:
    """Make all subsequent draws reproducible: in Python's `random`, in NumPy and in cornu.

    Args:
        seed: int from 0 to 2**32 - 1.

    Example:

        cornu.utils.set_random_seed(1)
        a = cornu.random.normal((2,))
        cornu.utils.set_random_seed(1)
        b = cornu.random.normal((2,))  # equals a
        print(np.array_equal(a, b))  # True
    """
    _as_words(seed, "set_random_seed")
    python_random.seed(int(seed))
    np.random.seed(int(seed))
    _chosen.update(seed=int(seed), uses=-1)
    reset_global_seed()
    for number, generator in carried.items():  # in place, since compiled functions hold them
        generator.state.assign(_as_words(int(seed) if number is None else number, "set_random_seed"))


def draw_seed(seed: SeedLike | jax.Array | np.ndarray) -> Any:
    """Two uint32 from a seed: an int, a generator (which advances), such a pair, or None (the global generator).

    Args:
        seed: an int, a `SeedGenerator`, two uint32, or None.

    Example:

        print(cornu.random.draw_seed(1))  # [1 0]
    """
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, (jax.Array, np.ndarray)) and seed.shape == (2,) and seed.dtype == "uint32":
        return jnp.asarray(seed)
    return jnp.asarray(_as_words(seed, "A random draw"))


def draw_key(seed: SeedLike | jax.Array | np.ndarray) -> jax.Array:
    """A key for `jax.random` from a seed (see `draw_seed`); equal seeds give the same numbers as Keras on JAX.

    Args:
        seed: an int, a `SeedGenerator`, two uint32, or None.

    Example:

        import jax
        print(jax.random.uniform(cornu.random.draw_key(1)) < 1.0)  # True
    """
    if context.current().own_rows is not None:  # each device would draw the numbers of the first rows
        raise placement.MixesRowsError("Random numbers other than those of dropout are drawn for all rows together.")
    return jax.random.wrap_key_data(draw_seed(seed), impl="threefry2x32")


def _as_words(seed: Any, owner: Any) -> np.ndarray:
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        who = owner if isinstance(owner, str) else f'SeedGenerator "{owner.name}"'
        raise ValueError(
            f"{who}: seed must be an integer from 0 to 2**32 - 1, or None. Received: seed={validate.shown(seed)}."
        )
    return np.array([seed, 0], np.uint32)
