"""What a step is compiled for: the structure of a batch, with the shape and the dtype of each array in it."""

from typing import Any

import jax
import numpy as np


def signature(data: Any) -> tuple:
    """The signature of a batch, to be compared and hashed; None in the place of an array is part of the structure."""
    leaves, structure = jax.tree.flatten(data)
    return structure, tuple([(np.shape(leaf), getattr(leaf, "dtype", None)) for leaf in leaves])
