"""Adafactor: Adam's second moment stored as one row and one column instead of a matrix."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu.core.typing import Nested
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: the mean of `g**2` of a matrix is reconstructed from its row and column means, to save memory.

    The step is also clipped to a root mean square of `clip_threshold`, and scaled by that of the weights.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_2_decay: exponent of the decay rate of the means, `1 - t**beta_2_decay`. Defaults to -0.8.
        epsilon_1: added to `g**2`. Defaults to 1e-30.
        epsilon_2: lower bound of the root mean square of the weights. Defaults to 0.001.
        clip_threshold: maximum root mean square of a step, before scaling by the rate. Defaults to 1.0.
        relative_step: accepted for configs; the rate is at most `1 / sqrt(t)` either way, as in Keras. Defaults to
        True.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Adafactor(0.01)

    Paper: Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235
    """

    slots = ("row", "column", "velocity")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 0.001,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        if name == "velocity":
            return super().new_slot(name, variable)
        *batch, rows, columns = variable.shape if variable.ndim >= 2 else (0, 0)
        if variable.ndim < 2:  # nothing to factor: a placeholder preserves the order in Keras's files
            return self.add_variable((), dtype="int32", name=variable.name)
        shape = (*batch, rows if name == "row" else columns)
        return self.add_variable(shape, dtype=variable.dtype, name=variable.name)

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        return jnp.minimum(rate, 1 / jnp.sqrt(t)), 1 - jnp.power(t, self.beta_2_decay)

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        row: jax.Array,
        column: jax.Array,
        velocity: jax.Array,
    ) -> tuple[jax.Array, ...]:
        rate, keep = rate
        squares = jnp.square(gradient) + self.epsilon_1
        if weight.ndim >= 2:
            row = keep * row + (1 - keep) * jnp.mean(squares, axis=-1)  # (..., rows)
            column = keep * column + (1 - keep) * jnp.mean(squares, axis=-2)  # (..., columns)
            share = row / jnp.mean(row, axis=-1, keepdims=True)
            velocity = share[..., :, None] * column[..., None, :]  # (..., rows, columns)
        else:
            velocity = keep * velocity + (1 - keep) * squares
        move = gradient / jnp.sqrt(velocity)
        move = move / jnp.maximum(1, _root_mean_square(move) / self.clip_threshold)
        scale = jnp.maximum(self.epsilon_2, _root_mean_square(weight))
        return weight - scale * rate * move, row, column, velocity


def _root_mean_square(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.mean(jnp.square(x)))
