"""Any optax gradient transformation as an optimizer: `model.compile(optax.adam(1e-3), ...)`.

A transformation is a pair of pure functions, `init(weights)` and `update(gradients, state, weights)`; optax itself is
never imported here. The leaves of its state are the optimizer's variables.
"""

import re
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.typing import ConfigDict
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import LearningRate, Optimizer

__all__ = ["OptaxOptimizer"]


class OptaxOptimizer(Optimizer):
    """Trains with an optax gradient transformation: `w += learning_rate * update`.

    The clipping, weight decay, averaging and accumulation of `Optimizer` can be used as well.

    Args:
        transformation: the result of an optax function such as `optax.adam(1e-3)`.
        learning_rate: factor applied to its updates. Defaults to 1.0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as in `Optimizer`.

    Example:

        class Halving:  # optax.scale(-0.5), by hand
            def init(self, weights):
                return ()

            def update(self, gradients, state, weights=None):
                return [-0.5 * g for g in gradients], state

        optimizer = cornu.optimizers.OptaxOptimizer(Halving())
    """

    def __init__(
        self,
        transformation: Any,
        learning_rate: LearningRate = 1.0,
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
        **kwargs: Any,
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
        if not is_transformation(transformation):
            raise ValueError(
                f"{validate.describe(self)}: transformation must have init(weights) and update(gradients, state, "
                f"weights), like those of optax. Received: transformation={validate.shown(transformation)}."
            )
        self.transformation = transformation

    def build(self, variables: Iterable[Variable]) -> None:
        """Create the state for these trainable variables."""
        if self.built:
            return
        super().build(variables)
        state = self.transformation.init([v.value for v in self._slots])
        leaves, self._structure = jax.tree_util.tree_flatten_with_path(state)
        self._key_kinds = [_key_kind(leaf) for _, leaf in leaves]
        self._leaves = [self._leaf(path, _plain(leaf)) for path, leaf in leaves]

    def _leaf(self, path: Any, leaf: jax.Array) -> Variable:
        name = "_".join(re.findall(r"\w+", jax.tree_util.keystr(path))) or "state"
        return self.add_variable(leaf.shape, initializer=leaf, dtype=leaf.dtype, name=name)

    def _state(self) -> Any:
        """The transformation's state in its own structure."""
        leaves = [
            leaf.value if kind is None else jax.random.wrap_key_data(leaf.value, impl=kind)
            for leaf, kind in zip(self._leaves, self._key_kinds, strict=True)
        ]
        return jax.tree_util.tree_unflatten(self._structure, leaves)

    def _step_all(self, grads: list[jax.Array], variables: list[Variable], rate: jax.Array) -> None:
        if len(variables) != len(self._slots):
            raise ValueError(
                f"{validate.describe(self)}: a transformation updates all {len(self._slots)} variables at once. "
                f"Received: gradients for {len(variables)} of them."
            )
        weights = [v.value for v in variables]
        updates, state = self.transformation.update(grads, self._state(), weights)
        for variable, weight, update in zip(variables, weights, updates, strict=True):
            variable.assign(weight + rate.astype(weight.dtype) * update.astype(weight.dtype))
        for variable, leaf in zip(self._leaves, jax.tree_util.tree_leaves(state), strict=True):
            variable.assign(_plain(leaf))

    def get_config(self) -> ConfigDict:
        """Raises: a transformation consists of functions, which cannot be saved in a file."""
        raise ValueError(
            f"{validate.describe(self)}: an optax transformation consists of functions and cannot be saved in a file. "
            "Save the weights (model.save_weights) or the model without its optimizer, and compile after loading."
        )


def is_transformation(value: object) -> bool:
    """Whether `value` is a pair of functions `init` and `update`."""
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


def _key_kind(leaf: Any) -> Any:
    """The generator of a new-style JAX random key, which is stored in a variable as plain numbers; else None."""
    return jax.random.key_impl(leaf) if jnp.issubdtype(jnp.asarray(leaf).dtype, jax.dtypes.prng_key) else None


def _plain(leaf: Any) -> jax.Array:
    return jnp.asarray(leaf) if _key_kind(leaf) is None else jax.random.key_data(leaf)
