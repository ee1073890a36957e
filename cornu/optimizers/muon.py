"""Muon: orthogonalized momentum for matrices, Adam for everything else."""

from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu.core import patterns
from cornu.core.typing import Nested
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, OldOptions, Optimizer

__all__ = ["Muon"]


class Muon(Optimizer):
    """Muon: replaces the momentum of a matrix by the nearest orthogonal matrix, so that all directions move equally.

    Weights that are not matrices, embeddings and `exclude_layers` (typically output layers) are trained by Adam.

    Args:
        learning_rate: a number, a schedule or a callable. Defaults to 0.001.
        adam_beta_1: Adam's `beta_1`. Defaults to 0.9.
        adam_beta_2: Adam's `beta_2`. Defaults to 0.999.
        adam_weight_decay: weight decay of the weights that Adam trains. Defaults to 0.004.
        epsilon: Adam's `epsilon`. Defaults to 1e-7.
        weight_decay: weight decay of the weights that Muon trains. Defaults to 0.004.
        exclude_layers: regular expressions; weights whose path matches one are trained by Adam. None by default.
        exclude_embeddings: whether Adam trains weights with "embedding" in their path. Defaults to True.
        muon_a: factor of `X` in an iteration `X = a X + b (X X') X + c (X X')^2 X`. Defaults to 3.4445.
        muon_b: factor of `(X X') X`. Defaults to -4.775.
        muon_c: factor of `(X X')^2 X`. Defaults to 2.0315.
        adam_lr_ratio: Adam's learning rate as a multiple of Muon's. Defaults to 1.
        momentum: decay rate of the momentum. Defaults to 0.95.
        ns_steps: number of iterations. Defaults to 5.
        nesterov: whether to use Nesterov momentum. Defaults to True.
        rms_rate: root mean square of a step, as a multiple of the learning rate; None does not rescale it.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        optimizer = cornu.optimizers.Muon(0.02, exclude_layers=["logits"])

    Papers: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; Liu et al. 2025,
    https://arxiv.org/abs/2502.16982
    """

    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-07,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _by_adam(self, variable: Variable) -> bool:
        path = variable.path
        return (
            variable.ndim != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(patterns.found(pattern, path) for pattern in self.exclude_layers)
        )

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        if name == "velocity" and not self._by_adam(variable):
            return None
        return super().new_slot(name, variable)

    def weight_decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._by_adam(variable) else self.weight_decay

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        correction = jnp.sqrt(1 - self.adam_beta_2**t) / (1 - self.adam_beta_1**t)
        return rate, self.adam_lr_ratio * rate * correction

    def step(
        self,
        gradient: jax.Array,
        weight: jax.Array,
        rate: Nested,
        t: jax.Array,
        momentum: jax.Array,
        velocity: jax.Array,
    ) -> tuple[jax.Array, ...]:
        muon_rate, adam_rate = rate
        if velocity is None:
            momentum = self.momentum * momentum + gradient
            direction = gradient + self.momentum * momentum if self.nesterov else momentum
            direction = self.zeropower_via_newtonschulz5(direction, self.ns_steps)
            return weight - muon_rate * self.lr_adjust(direction), momentum, None
        momentum = momentum + (gradient - momentum) * (1 - self.adam_beta_1)
        velocity = velocity + (jnp.square(gradient) - velocity) * (1 - self.adam_beta_2)
        return weight - adam_rate * momentum / (jnp.sqrt(velocity) + self.epsilon), momentum, velocity

    def lr_adjust(self, x: jax.Array) -> jax.Array:
        """`x`, orthogonal, scaled to a root mean square of about `rms_rate`."""
        if self.rms_rate is None:
            return x
        return x * (self.rms_rate * max(x.shape[-2:]) ** 0.5)

    def transpose_last_axis(self, X: jax.Array) -> jax.Array:  # noqa: N803 - Keras's name
        """`X` with its last two axes swapped."""
        return jnp.swapaxes(X, -1, -2)

    def zeropower_via_newtonschulz5(self, x: jax.Array, steps: int) -> jax.Array:
        """Approximately the orthogonal matrix nearest to `x`: its singular values are all close to 1.

        Args:
            x: matrix `(rows, columns)`.
            steps: number of iterations.
        """
        tall = x.shape[-2] > x.shape[-1]
        x = self.transpose_last_axis(x) if tall else x
        x = x / (jnp.sqrt(jnp.sum(jnp.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
        for _ in range(steps):
            gram = x @ self.transpose_last_axis(x)
            x = self.muon_a * x + (self.muon_b * gram + self.muon_c * gram @ gram) @ x
        return self.transpose_last_axis(x) if tall else x
