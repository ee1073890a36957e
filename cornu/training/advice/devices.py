"""Batches that several devices cannot share, so that each of them computes the whole."""

import jax
import numpy as np

from cornu.core import placement
from cornu.training.advice.case import Case


def batches_that_cannot_be_split(case: Case) -> str | None:
    """A first batch whose rows do not divide evenly by the parts into which a distribution splits batches."""
    distribution = placement.current()
    if distribution is None or len(case.model._computations["train"].prepared) > 1:
        return None
    shape = np.shape(jax.tree.leaves(case.x)[0])
    sharding = distribution.get_data_layout(shape).backend_layout
    parts = sharding.mesh.shape[sharding.spec[0]]
    if shape[0] < parts or placement.divides(sharding, shape):
        return None
    return (
        f"a batch of {shape[0]} rows does not fall into {parts} equal parts, so each device computes the whole batch. "
        f"Give a batch_size that {parts} divides, such as {-(-shape[0] // parts) * parts}."
    )
