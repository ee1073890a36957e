"""Adagrad and related optimizers: each weight has its own rate, derived from its squared gradients."""

from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import Nested
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer
from cornu.optimizers.sgd import momentum_between_0_and_1

__all__ = ["Adadelta", "Adagrad", "Ftrl", "RMSprop"]


class Adagrad(Optimizer):
    """Adagrad: `a += g**2` and `w -= rate * g / sqrt(a + epsilon)`: frequently updated weights slow down.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        initial_accumulator_value: initial value of `a`, 0 or more. Defaults to 0.1.
        epsilon: small number that avoids division by zero. Defaults to 1e-7.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Adagrad(0.1)

    Paper: Duchi et al. 2011, http://www.jmlr.org/papers/volume12/duchi11a/duchi11a.pdf
    """

    slots = ("accumulator",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
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
        self.initial_accumulator_value = _zero_or_more(initial_accumulator_value, "initial_accumulator_value", self)
        self.epsilon = epsilon

    def new_slot(self, name: str, variable: Variable) -> Variable:
        return _filled(self, name, variable, self.initial_accumulator_value)

    def step(
        self, gradient: jax.Array, weight: jax.Array, rate: Nested, t: jax.Array, accumulator: jax.Array
    ) -> tuple[jax.Array, ...]:
        accumulator = accumulator + jnp.square(gradient)
        return weight - rate * gradient / jnp.sqrt(accumulator + self.epsilon), accumulator


class Adadelta(Optimizer):
    """Adadelta: gradients rescaled to the size of recent updates: `d = -rms(updates) / rms(g) * g`, `w += rate * d`.

    Args:
        learning_rate: a number, a schedule or a callable; the paper uses 1.0. Defaults to 0.001.
        rho: decay rate of the running means of squares. Defaults to 0.95.
        epsilon: small number under both roots. Defaults to 1e-7.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Adadelta(1.0)

    Paper: Zeiler 2012, https://arxiv.org/abs/1212.5701
    """

    slots = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
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
        self.rho = rho
        self.epsilon = epsilon

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        accumulated_grad: jax.Array,
        accumulated_delta_var: jax.Array,
    ) -> tuple[jax.Array, ...]:
        grads = self.rho * accumulated_grad + (1 - self.rho) * jnp.square(gradient)
        move = -jnp.sqrt(accumulated_delta_var + self.epsilon) * gradient / jnp.sqrt(grads + self.epsilon)
        moves = self.rho * accumulated_delta_var + (1 - self.rho) * jnp.square(move)
        return weight + rate * move, grads, moves


class RMSprop(Optimizer):
    """RMSprop: `v` is the running mean of `g**2`, and `w -= rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        rho: decay rate of the running mean. Defaults to 0.9.
        momentum: fraction of the last update that is repeated, 0 to 1. Defaults to 0.0.
        epsilon: small number under the root. Defaults to 1e-7.
        centered: whether to divide by the variance of the gradient instead of its mean square. Defaults to False.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.RMSprop(1e-3, momentum=0.9)

    Source: Hinton, Neural Networks for Machine Learning, lecture 6.
    """

    slots = ("velocity",)
    late_slots = ("momentum", "average_gradient")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-07,
        centered: bool = False,
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
        self.rho = rho
        self.momentum = momentum_between_0_and_1(momentum, self)
        self.epsilon = epsilon
        self.centered = centered

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        wanted = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return super().new_slot(name, variable) if wanted[name] else None

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        velocity: jax.Array,
        momentum: jax.Array,
        average_gradient: jax.Array | None,
    ) -> tuple[jax.Array | None, ...]:
        velocity = self.rho * velocity + (1 - self.rho) * jnp.square(gradient)
        divisor = velocity + self.epsilon
        if average_gradient is not None:
            average_gradient = self.rho * average_gradient + (1 - self.rho) * gradient
            divisor = divisor - jnp.square(average_gradient)
        move = rate * gradient / jnp.sqrt(divisor)
        if momentum is not None:
            move = momentum = self.momentum * momentum + move
        return weight - move, velocity, momentum, average_gradient


class Ftrl(Optimizer):
    """Follow the regularized leader: sparse weights for wide linear models.

    `a` sums `g**2`, `z` sums gradients less a correction, `s = a**-learning_rate_power / rate`; then
    `w = (clip(z, -l1, l1) - z) / (s + 2 * l2 + beta / rate)`, which is 0 where `|z| <= l1`.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        learning_rate_power: exponent with which `a` reduces the rate, 0 or less; 0 keeps it constant. Defaults to -0.5.
        initial_accumulator_value: initial value of `a`, 0 or more. Defaults to 0.1.
        l1_regularization_strength: `l1`, 0 or more. Defaults to 0.0.
        l2_regularization_strength: `l2`, 0 or more. Defaults to 0.0.
        l2_shrinkage_regularization_strength: strength of an L2 penalty added to the gradient, 0 or more. Defaults to
        0.0.
        beta: the paper's beta. Defaults to 0.0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Ftrl(0.1, l1_regularization_strength=0.01)

    Paper: McMahan et al. 2013, Ad Click Prediction: a View from the Trenches.
    """

    slots = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        if learning_rate_power > 0:
            raise ValueError(
                f"{validate.describe(self)}: learning_rate_power must be zero or less. "
                f"Received: learning_rate_power={validate.shown(learning_rate_power)}."
            )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = _zero_or_more(initial_accumulator_value, "initial_accumulator_value", self)
        self.l1_regularization_strength = _zero_or_more(l1_regularization_strength, "l1_regularization_strength", self)
        self.l2_regularization_strength = _zero_or_more(l2_regularization_strength, "l2_regularization_strength", self)
        self.l2_shrinkage_regularization_strength = _zero_or_more(
            l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength", self
        )
        self.beta = beta

    def new_slot(self, name: str, variable: Variable) -> Variable:
        return _filled(self, name, variable, self.initial_accumulator_value if name == "accumulator" else 0.0)

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        accumulator: jax.Array,
        linear: jax.Array,
    ) -> tuple[jax.Array, ...]:
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * weight
        total = accumulator + jnp.square(gradient)
        stiffness = total**-self.learning_rate_power / rate
        linear = linear + shrunk - (stiffness - accumulator**-self.learning_rate_power / rate) * weight
        divisor = stiffness + 2 * self.l2_regularization_strength + self.beta / rate
        l1 = self.l1_regularization_strength
        return (jnp.clip(linear, -l1, l1) - linear) / divisor, total, linear


def _filled(optimizer: Optimizer, name: str, variable: Variable, value: float) -> Variable:
    """A slot initialized to a constant."""
    return optimizer.add_variable_from_reference(variable, name, lambda shape, dtype: jnp.full(shape, value, dtype))


def _zero_or_more(value: float, name: str, owner: Optimizer) -> float:
    if value < 0:
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be zero or more. Received: {name}={validate.shown(value)}."
        )
    return value
