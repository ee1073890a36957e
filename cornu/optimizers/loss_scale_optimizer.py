"""Training in float16: the loss is scaled up so that small gradients do not underflow, unless they would overflow."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.configurable import constructor_parameters
from cornu.core.typing import Config, CustomObjects, Tensor
from cornu.core.variable import Variable, assigned_together
from cornu.optimizers.optimizer import Optimizer, update_where

__all__ = ["LossScaleOptimizer"]


class LossScaleOptimizer(Optimizer):
    """Wraps an optimizer so that the loss is scaled by an automatically adjusted factor.

    A step whose gradients overflow is skipped and halves the factor; after `dynamic_growth_steps` successful steps the
    factor is doubled. `compile` wraps the optimizer automatically under the policy `mixed_float16`.

    Args:
        inner_optimizer: the wrapped optimizer.
        initial_scale: initial factor, greater than 0. Defaults to 32768.0.
        dynamic_growth_steps: number of successful steps before the factor is doubled. Defaults to 2000.
        name: name; None derives one.

    Example:

        optimizer = cornu.optimizers.LossScaleOptimizer(cornu.optimizers.Adam(1e-3))
        print(optimizer.scale_loss(1.0))  # 32768.0

    Paper: Micikevicius et al. 2017, Mixed Precision Training, https://arxiv.org/abs/1710.03740
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
    ):
        if not isinstance(inner_optimizer, Optimizer) or isinstance(inner_optimizer, LossScaleOptimizer):
            raise ValueError(
                "LossScaleOptimizer: inner_optimizer must be an optimizer that does not scale the loss itself, "
                "such as cornu.optimizers.Adam(). "
                f"Received: inner_optimizer={validate.shown(inner_optimizer)}."
            )
        super().__init__(learning_rate=0.0, name=name)
        if initial_scale <= 0:
            raise ValueError(
                f"{validate.describe(self)}: initial_scale must be greater than 0. "
                f"Received: initial_scale={validate.shown(initial_scale)}."
            )
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = validate.positive_int(dynamic_growth_steps, "dynamic_growth_steps", self)
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable(
            (), initializer=float(initial_scale), dtype="float32", name="dynamic_scale"
        )

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> Any:
        """An optimizer with the settings in a config; settings of older Keras optimizers must be unused."""
        unused = {"use_ema": False, "ema_momentum": 0.99}
        own: type = cls
        kept = {k: v for k, v in config.items() if k in constructor_parameters(own) or v != unused.get(k)}
        return super().from_config(kept, custom_objects)

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create the state for these trainable variables."""
        if self.built:
            return
        super().build(var_list)
        self.inner_optimizer.build(self._trainable_variables)

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's own state, followed by that of the inner optimizer."""
        return [*super().variables, *self.inner_optimizer.variables]

    @assigned_together()
    def apply(self, grads: Sequence[jax.Array], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update variables with the gradients of the scaled loss, unless one of them is infinite or NaN."""
        grads, variables = self._pairs(list(grads), trainable_variables)
        finite = self.check_finite(grads)
        scale = self.dynamic_scale.value
        unscaled = [
            g if v.overwrite_with_gradient else _divided(g, scale) for g, v in zip(grads, variables, strict=True)
        ]
        update_where(
            finite,
            [*self.inner_optimizer.variables, *self._trainable_variables],
            lambda: self.inner_optimizer.apply(unscaled, variables),
        )
        good = self.step_counter.value + 1
        grown = good == self.dynamic_growth_steps
        zero = jnp.zeros((), "int32")
        self.step_counter.assign(jnp.where(finite & ~grown, good, zero))
        self.dynamic_scale.assign(jnp.where(finite, jnp.where(grown, scale * 2, scale), scale / 2))

    def check_finite(self, grads: Sequence[jax.Array]) -> jax.Array:
        """Whether every number in every gradient is finite."""
        checks = [jnp.all(jnp.isfinite(jnp.asarray(g))) for g in grads if g is not None]
        return jnp.all(jnp.stack(checks)) if checks else jnp.asarray(True)

    def scale_loss(self, loss: object) -> Tensor:
        """The loss times the current factor."""
        return self.inner_optimizer.scale_loss(loss) * self.dynamic_scale.value

    @property
    def iterations(self) -> Any:
        """The number of updates made by the inner optimizer."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Tensor:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        self.inner_optimizer.learning_rate = value

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exclude some variables from the inner optimizer's weight decay."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Replace the weights by the inner optimizer's moving averages, if it keeps them."""
        self.inner_optimizer.finalize_variable_values(var_list)


def _divided(gradient: object, scale: jax.Array) -> jax.Array:
    """`gradient / scale` in at least float32: the scale may exceed the range of float16."""
    gradient = jnp.asarray(gradient)
    gradient = gradient.astype(jnp.promote_types(gradient.dtype, "float32"))
    return gradient / scale.astype(gradient.dtype)
