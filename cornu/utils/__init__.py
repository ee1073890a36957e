"""Small tools around models and data."""

from cornu.random import set_random_seed

__all__ = ["set_random_seed"]
