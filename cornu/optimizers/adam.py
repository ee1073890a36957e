"""Adam and related optimizers: steps scaled by running means of the gradient and of its square."""

from collections.abc import Iterable
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import Nested
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Nadam", "ScheduleFreeAdamW"]


class _TwoMoments(Optimizer):
    """Shared by the family: `momentum`, the running mean of the gradient, and `velocity`, that of its square."""

    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
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
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def moments(self, gradient: jax.Array, momentum: jax.Array, velocity: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Both running means, updated with a gradient."""
        return (
            momentum + (gradient - momentum) * (1 - self.beta_1),
            velocity + (jnp.square(gradient) - velocity) * (1 - self.beta_2),
        )


class Adam(_TwoMoments):
    """Adam: `w -= rate * m / (sqrt(v) + epsilon)` with the running means `m` of `g` and `v` of `g**2`.

    The rate is corrected for the zero-initialized means: `rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_1: decay rate of the running mean of `g`. Defaults to 0.9.
        beta_2: decay rate of the running mean of `g**2`. Defaults to 0.999.
        epsilon: small number that avoids division by zero. Defaults to 1e-7.
        amsgrad: whether to divide by the largest `v` so far. Defaults to False.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Adam(1e-3)

    Papers: Kingma and Ba 2014, https://arxiv.org/abs/1412.6980; Reddi et al. 2018 (amsgrad).
    """

    late_slots = ("velocity_hat",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
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
            beta_1,
            beta_2,
            epsilon,
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
        self.amsgrad = amsgrad

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        if name == "velocity_hat" and not self.amsgrad:
            return None
        return super().new_slot(name, variable)

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        return rate * jnp.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        momentum: jax.Array,
        velocity: jax.Array,
        velocity_hat: jax.Array | None,
    ) -> tuple[jax.Array | None, ...]:
        momentum, velocity = self.moments(gradient, momentum, velocity)
        if velocity_hat is not None:
            velocity_hat = jnp.maximum(velocity_hat, velocity)
        divisor = velocity if velocity_hat is None else velocity_hat
        return weight - rate * momentum / (jnp.sqrt(divisor) + self.epsilon), momentum, velocity, velocity_hat


class AdamW(Adam):
    """Adam with decoupled weight decay: first `w -= rate * weight_decay * w`, then Adam.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        weight_decay: fraction of each weight, times the rate, that is subtracted at each step. Defaults to 0.004.
        beta_1: as in `Adam`.
        beta_2: as in `Adam`.
        epsilon: as in `Adam`.
        amsgrad: as in `Adam`.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.AdamW(1e-3, weight_decay=0.01)
        optimizer.exclude_from_weight_decay(var_names=["bias"])

    Paper: Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
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
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
        if weight_decay is None:
            raise ValueError(
                f"{validate.describe(self)}: weight_decay must be a number; use Adam for no weight decay. "
                "Received: weight_decay=None."
            )


class Adamax(_TwoMoments):
    """Adam with the maximum of recent gradients in place of the root mean square.

    `u = max(beta_2 * u, |g|)` and `w -= rate / (1 - beta_1**t) * m / (u + epsilon)`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_1: decay rate of the running mean of `g`. Defaults to 0.9.
        beta_2: decay rate of the running maximum. Defaults to 0.999.
        epsilon: small number that avoids division by zero. Defaults to 1e-7.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Adamax(2e-3)

    Paper: Kingma and Ba 2014, section 7, https://arxiv.org/abs/1412.6980
    """

    slots = ("momentum", "norm")

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        return rate / (1 - self.beta_1**t)

    def step(
        self, gradient: jax.Array, weight: jax.Array, rate: Nested, t: jax.Array, momentum: jax.Array, norm: jax.Array
    ) -> tuple[jax.Array, ...]:
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        norm = jnp.maximum(self.beta_2 * norm, jnp.abs(gradient))
        return weight - rate * momentum / (norm + self.epsilon), momentum, norm


class Nadam(_TwoMoments):
    """Adam with Nesterov momentum: the step uses the mean of the gradient that the next step would use.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_1: decay rate of the running mean of `g`. Defaults to 0.9.
        beta_2: decay rate of the running mean of `g**2`. Defaults to 0.999.
        epsilon: small number that avoids division by zero. Defaults to 1e-7.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Nadam(1e-3)

    Paper: Dozat 2015, http://cs229.stanford.edu/proj2015/054_report.pdf
    """

    def build(self, variables: Iterable[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._product = self.add_variable((), "ones", name="u_product")

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        now = self.beta_1 * (1 - 0.5 * 0.96**t)
        then = self.beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
        product = self._product.value * now
        self._product.assign(product)
        return rate, (1 - now) / (1 - product), then / (1 - product * then), 1 - self.beta_2**t

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        momentum: jax.Array,
        velocity: jax.Array,
    ) -> tuple[jax.Array, ...]:
        rate, gradient_share, momentum_share, correction = rate
        momentum, velocity = self.moments(gradient, momentum, velocity)
        ahead = momentum_share * momentum + gradient_share * gradient
        return weight - rate * ahead / (jnp.sqrt(velocity / correction) + self.epsilon), momentum, velocity


class Lamb(_TwoMoments):
    """Adam's step, rescaled for each weight tensor to the tensor's norm: for very large batches.

    `w -= rate * |w| / |s| * s`, where `s` is Adam's corrected step; the ratio is 1 if a norm is 0.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        beta_1: as in `Adam`.
        beta_2: as in `Adam`.
        epsilon: as in `Adam`.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Lamb(1e-3)

    Paper: You et al. 2019, https://arxiv.org/abs/1904.00962
    """

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        return rate, 1 - self.beta_1**t, 1 - self.beta_2**t

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        momentum: jax.Array,
        velocity: jax.Array,
    ) -> tuple[jax.Array, ...]:
        rate, correction_1, correction_2 = rate
        momentum, velocity = self.moments(gradient, momentum, velocity)
        move = momentum / correction_1 / (jnp.sqrt(velocity / correction_2) + self.epsilon)
        weight_norm, move_norm = jnp.linalg.norm(jnp.ravel(weight)), jnp.linalg.norm(jnp.ravel(move))
        usable = (weight_norm > 0) & (move_norm > 0)
        ratio = jnp.where(usable, weight_norm / jnp.where(usable, move_norm, 1), 1)
        return weight - ratio * rate * move, momentum, velocity


class ScheduleFreeAdamW(_TwoMoments):
    """AdamW that averages its weights instead of lowering the learning rate: no schedule is needed.

    Adam updates `z`; `x` is the mean of all `z`; the model is trained at `y = (1 - beta_1) * z + beta_1 * x`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.0025.
        beta_1: weight of the mean `x` in the weights that the model is trained at. Defaults to 0.9.
        beta_2: decay rate of the running mean of `g**2`. Defaults to 0.999.
        epsilon: small number that avoids division by zero. Defaults to 1e-8.
        warmup_steps: number of steps over which the rate increases linearly from 0. Defaults to 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.ScheduleFreeAdamW(2.5e-3, warmup_steps=100)

    Paper: Defazio et al. 2024, The Road Less Scheduled, https://arxiv.org/abs/2405.15682
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        warmup_steps: int = 0,
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
            beta_1,
            beta_2,
            epsilon,
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
        self.warmup_steps = validate.non_negative_int(warmup_steps, "warmup_steps", self)

    def new_slot(self, name: str, variable: Variable) -> Variable:
        first = variable.value if name == "momentum" else "zeros"
        return self.add_variable_from_reference(variable, name, first)

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        if self.warmup_steps:
            rate = rate * jnp.minimum(1, t / self.warmup_steps)
        return rate, 1 - self.beta_2**t

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        momentum: jax.Array,
        velocity: jax.Array,
    ) -> tuple[jax.Array, ...]:
        rate, correction = rate
        velocity = velocity + (jnp.square(gradient) - velocity) * (1 - self.beta_2)
        z, y = momentum, weight
        x = (y - (1 - self.beta_1) * z) / self.beta_1
        z = z - rate * gradient / (jnp.sqrt(velocity / correction) + self.epsilon)
        x = x + (z - x) / t
        return (1 - self.beta_1) * z + self.beta_1 * x, z, velocity
