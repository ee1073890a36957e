"""`tensorflow.random`: the seed."""

from cornu.random import set_random_seed


def set_seed(seed: int) -> None:
    """Make everything drawn from here on reproducible, as `keras.utils.set_random_seed` does."""
    set_random_seed(seed)
