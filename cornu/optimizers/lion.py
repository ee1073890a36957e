"""Lion: steps of equal size in the direction of the sign of the momentum."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import Nested
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer

__all__ = ["Lion"]


class Lion(Optimizer):
    """Lion: `w -= rate * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`.

    All steps have the same magnitude, so compared with Adam the rate should be three to ten times smaller, and the
    weight decay larger.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_1: weight of the momentum in the step's direction, greater than 0 and at most 1. Defaults to 0.9.
        beta_2: decay rate of the momentum. Defaults to 0.99.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Lion(1e-4, weight_decay=0.1)

    Paper: Chen et al. 2023, https://arxiv.org/abs/2302.06675
    """

    slots = ("momentum",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[OldOptions],
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"{validate.describe(self)}: beta_1 must be greater than 0 and at most 1. "
                f"Received: beta_1={validate.shown(beta_1)}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def step(
        self, gradient: jax.Array, weight: jax.Array, rate: Nested, t: jax.Array, momentum: jax.Array
    ) -> tuple[jax.Array, ...]:
        direction = jnp.sign(self.beta_1 * momentum + (1 - self.beta_1) * gradient)
        return weight - rate * direction, self.beta_2 * momentum + (1 - self.beta_2) * gradient
