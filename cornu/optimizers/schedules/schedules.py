"""Learning-rate schedules: functions of the step number, passed to an optimizer in place of a number.

The step is the number of updates so far; all arithmetic is in float32, so that a schedule can be part of a compiled
training step.
"""

import abc
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.configurable import Configurable
from cornu.core.typing import Nested
from cornu.core.variable import Variable

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule(Configurable, abc.ABC):
    """Base of all schedules: `schedule(step)` is the learning rate.

    Subclass it and implement `__call__`; arguments stored as attributes of the same name form the config.

    Example:

        class Noam(cornu.optimizers.schedules.LearningRateSchedule):
            def __init__(self, scale):
                self.scale = scale

            def __call__(self, step):
                return self.scale * (step + 1) ** -0.5

        optimizer = cornu.optimizers.SGD(Noam(0.1))
    """

    @abc.abstractmethod
    def __call__(self, step: object) -> Nested:
        """The learning rate after `step` updates."""


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: number of steps over which the rate is multiplied by `decay_rate`, greater than 0.
        decay_rate: factor.
        staircase: whether to round the exponent down, so that the rate drops at intervals. Defaults to False.
        name: name kept in the config.

    Example:

        schedule = cornu.optimizers.schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
        print(schedule(100))  # 0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps", self)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: object) -> jax.Array:
        step = _float32(step)
        exponent = _whole(step, self.decay_steps) if self.staircase else step / self.decay_steps
        return self.initial_learning_rate * jnp.power(_float32(self.decay_rate), exponent)


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: the unit of time in steps, greater than 0.
        decay_rate: increase of the divisor per unit of time.
        staircase: whether to round the number of units down. Defaults to False.
        name: name kept in the config.

    Example:

        schedule = cornu.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)
        print(schedule(10))  # 0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps", self)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: object) -> jax.Array:
        step = _float32(step)
        units = _whole(step, self.decay_steps) if self.staircase else step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * units)


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to and including step `boundaries[0]`, then `values[1]` up to `boundaries[1]`, and so on.

    Args:
        boundaries: increasing step numbers.
        values: rates, one more than there are boundaries.
        name: name kept in the config.

    Example:

        schedule = cornu.optimizers.schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])
        print(schedule(100), schedule(101))  # 1.0 0.5
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: values must have one more item than boundaries. "
                f"Received: {len(boundaries)} boundaries and {len(values)} values."
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(
                "PiecewiseConstantDecay: boundaries must be increasing. Received: "
                f"boundaries={validate.shown(boundaries)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: object) -> jax.Array:
        passed = jnp.asarray(self.boundaries, jnp.float32) < _float32(step)
        return jnp.asarray(self.values, jnp.float32)[jnp.sum(passed, dtype=jnp.int32)]


class PolynomialDecay(LearningRateSchedule):
    """Decays from the initial to the end rate along `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: number of steps until the end rate is reached, greater than 0.
        end_learning_rate: rate after the decay. Defaults to 0.0001.
        power: exponent; 1 is linear. Defaults to 1.0.
        cycle: whether to restart at the end, each time with `decay_steps` more steps. Defaults to False.
        name: name kept in the config.

    Example:

        schedule = cornu.optimizers.schedules.PolynomialDecay(0.1, decay_steps=100, end_learning_rate=0.0)
        print(schedule(50))  # 0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps", self)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: object) -> jax.Array:
        step = _float32(step)
        share = step / self.decay_steps
        if self.cycle:
            share = share / jnp.maximum(-_whole(-step, self.decay_steps), 1)  # by the number of cycles, rounded up
        left = jnp.maximum(1 - share, 0)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * jnp.power(left, _float32(self.power)) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine wave down to `alpha` times the initial rate, after an optional linear warmup.

    `rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`, where the rate is `warmup_target` (and the
    step counts from the end of the warmup) if there is one, else `initial_learning_rate`.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: number of steps of the decay, greater than 0.
        alpha: final rate as a fraction of the highest. Defaults to 0.0.
        name: name kept in the config.
        warmup_target: rate at the end of the warmup; None skips the warmup.
        warmup_steps: number of warmup steps. Defaults to 0.

    Example:

        schedule = cornu.optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=0.1, warmup_steps=100)
        print(schedule(50), schedule(600))  # 0.05 0.05

    Paper: Loshchilov and Hutter 2016, SGDR, https://arxiv.org/abs/1608.03983
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps", self)
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: object) -> jax.Array:
        step = _float32(step)
        if self.warmup_target is None:
            return self._decayed(self.initial_learning_rate, step)
        decayed = self._decayed(self.warmup_target, step - self.warmup_steps)
        if not self.warmup_steps:
            return decayed
        share = step / self.warmup_steps
        rising = self.initial_learning_rate + (self.warmup_target - self.initial_learning_rate) * share
        return jnp.where(step < self.warmup_steps, rising, decayed)

    def _decayed(self, start: float, step: jax.Array) -> jax.Array:
        share = jnp.clip(step / self.decay_steps, 0, 1)
        return start * ((1 - self.alpha) * _half_cosine(share) + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """A sequence of cosine decays, each `t_mul` times as long as the previous one.

    Args:
        initial_learning_rate: rate at step 0.
        first_decay_steps: number of steps of the first decay, greater than 0.
        t_mul: ratio between the lengths of successive decays. Defaults to 2.0.
        m_mul: ratio between the initial rates of successive decays. Defaults to 1.0.
        alpha: final rate as a fraction of `initial_learning_rate`. Defaults to 0.0.
        name: name kept in the config.

    Example:

        schedule = cornu.optimizers.schedules.CosineDecayRestarts(0.1, first_decay_steps=100)
        print(schedule(50), schedule(100))  # 0.05 0.1

    Paper: Loshchilov and Hutter 2016, SGDR, https://arxiv.org/abs/1608.03983
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive(first_decay_steps, "first_decay_steps", self)
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: object) -> jax.Array:
        step = _float32(step)
        if self.t_mul == 1.0:
            restarts = _whole(step, self.first_decay_steps)
        else:
            lengths = step / self.first_decay_steps
            restarts = jnp.floor(jnp.log(1 - lengths * (1 - self.t_mul)) / jnp.log(_float32(self.t_mul)))
            restarts = restarts + (step >= self._start(restarts + 1)).astype("float32")
            restarts = restarts - (step < self._start(restarts)).astype("float32")
        length = self.first_decay_steps * jnp.power(_float32(self.t_mul), restarts)
        share = (step - self._start(restarts)) / length
        wave = jnp.power(_float32(self.m_mul), restarts) * _half_cosine(share)
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)

    def _start(self, restarts: jax.Array) -> jax.Array:
        """The step of a restart: the preceding lengths are `1 + t_mul + t_mul**2 + ...` times the first."""
        if self.t_mul == 1.0:
            return self.first_decay_steps * restarts
        return self.first_decay_steps * (1 - jnp.power(_float32(self.t_mul), restarts)) / (1 - self.t_mul)


def _half_cosine(share: jax.Array) -> jax.Array:
    """Decreases from 1 at `share` 0 to 0 at `share` 1."""
    return 0.5 * (1 + jnp.cos(jnp.pi * share))


def _whole(step: jax.Array, length: float) -> jax.Array:
    """`floor(step / length)`, exact for multiples too: compiled division by a constant may be slightly off."""
    guess = jnp.floor(step / length)
    too_low, too_high = step >= (guess + 1) * length, step < guess * length
    return guess + too_low.astype("float32") - too_high.astype("float32")


def _positive(value: float, name: str, owner: LearningRateSchedule) -> float:
    if value <= 0:
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be greater than 0. Received: {name}={validate.shown(value)}."
        )
    return value


def _float32(value: object) -> jax.Array:
    return jnp.asarray(value.value if isinstance(value, Variable) else value, jnp.float32)
