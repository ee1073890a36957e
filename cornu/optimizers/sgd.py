"""Gradient descent, plain and with momentum."""

from typing import Unpack

import jax

from cornu import validate
from cornu.core.typing import Nested
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent: `w -= rate * g`; with momentum `m = momentum * m - rate * g` and `w += m`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.01.
        momentum: fraction of the last update that is repeated, 0 to 1. Defaults to 0.0.
        nesterov: whether to use Nesterov momentum: `w += momentum * m - rate * g`. Defaults to False.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.SGD(0.1, momentum=0.9, nesterov=True)

    Paper: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
    """

    slots = ("momentum",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        self.momentum = momentum_between_0_and_1(momentum, self)
        self.nesterov = nesterov

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        return super().new_slot(name, variable) if self.momentum else None

    def step(
        self, gradient: jax.Array, weight: jax.Array, rate: Nested, t: jax.Array, momentum: jax.Array
    ) -> tuple[jax.Array, ...]:
        move = rate * gradient
        if momentum is None:
            return weight - move, None
        momentum = self.momentum * momentum - move
        return weight + (self.momentum * momentum - move if self.nesterov else momentum), momentum


def momentum_between_0_and_1(value: float, owner: Optimizer) -> float:
    """`value`, which must be a number from 0 to 1."""
    if isinstance(value, (str, jax.Array)) or not 0 <= value <= 1:
        raise ValueError(
            f"{validate.describe(owner)}: momentum must be from 0 to 1. Received: momentum={validate.shown(value)}."
        )
    return value
