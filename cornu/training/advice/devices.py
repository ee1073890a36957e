"""Batches that cannot be split over several devices, so that each of them computes the whole batch."""

import jax
import numpy as np

from cornu.core import placement
from cornu.training.advice.case import Case


def batches_that_cannot_be_split(case: Case) -> str | None:
    """A first batch whose rows do not divide evenly by the number of parts into which a distribution splits batches."""
    distribution = placement.current()
    if distribution is None or len(case.model._computations["train"].prepared) > 1:
        return None
    shape = np.shape(jax.tree.leaves(case.x)[0])
    sharding = distribution.get_data_layout(shape).backend_layout
    parts = sharding.mesh.shape[sharding.spec[0]]
    if shape[0] < parts or placement.divides(sharding, shape):
        return None
    return (
        f"a batch of {shape[0]} rows cannot be split into {parts} equal parts, so each device computes the whole "
        "batch. "
        f"Use a batch_size divisible by {parts}, such as {-(-shape[0] // parts) * parts}."
    )
