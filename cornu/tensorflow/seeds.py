"""Where TensorFlow's draws take their chance from.

A draw with a seed of its own gives other numbers each time, and the same in each run, as TensorFlow's do.
"""

import jax.numpy as jnp
import numpy as np

from cornu.core.typing import Tensor
from cornu.random import SeedGenerator, set_random_seed
from cornu.random.seed_generator import carried, global_seed


def set_seed(seed: int) -> None:
    """Make everything drawn from here on reproducible, as `keras.utils.set_random_seed` does."""
    set_random_seed(seed)


def seeded(seed: object) -> SeedGenerator:
    """The generator of an operation's own seed, or of those without one, which compiled functions carry too."""
    number = None if seed is None else int(np.asarray(seed).ravel()[0]) % 2**32
    if number not in carried:
        carried[number] = SeedGenerator(global_seed() if number is None else number)
    return carried[number]


def stateless(seed: object) -> Tensor:
    """A seed of two numbers as a draw takes it: the same numbers each time."""
    return jnp.asarray(seed).astype("uint32").reshape(2)
