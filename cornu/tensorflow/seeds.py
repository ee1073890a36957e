"""The random state of TensorFlow functions.

A function with an operation seed returns different numbers in each call, but the same in each run, as in TensorFlow.
"""

import jax.numpy as jnp
import numpy as np

from cornu.core.typing import Tensor
from cornu.random import SeedGenerator, set_random_seed
from cornu.random.seed_generator import carried, global_seed


def set_seed(seed: int) -> None:
    """Make all further random numbers reproducible, as `keras.utils.set_random_seed` does."""
    set_random_seed(seed)


def seeded(seed: object) -> SeedGenerator:
    """The generator of an operation seed, or of none; compiled functions track its state."""
    number = None if seed is None else int(np.asarray(seed).ravel()[0]) % 2**32
    if number not in carried:
        carried[number] = SeedGenerator(global_seed() if number is None else number)
    return carried[number]


def stateless(seed: object) -> Tensor:
    """A stateless seed of two numbers, which returns the same numbers each time."""
    return jnp.asarray(seed).astype("uint32").reshape(2)
