"""Seeds and random tensors.

Example:

    print(cornu.random.normal((2, 3), seed=0).shape)  # (2, 3)
    seeds = cornu.random.SeedGenerator(0)  # for a layer that draws in every step
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.random.draws import (
    beta,
    binomial,
    categorical,
    dropout,
    gamma,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)
from cornu.random.seed_generator import (
    SeedGenerator,
    draw_key,
    draw_seed,
    global_seed,
    global_seed_generator,
    make_default_seed,
    reset_global_seed,
    set_random_seed,
)

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "draw_key",
    "draw_seed",
    "dropout",
    "gamma",
    "global_seed",
    "global_seed_generator",
    "make_default_seed",
    "normal",
    "randint",
    "reset_global_seed",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
