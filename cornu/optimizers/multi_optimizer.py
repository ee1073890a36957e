"""Several optimizers at once, each for some of the variables."""

import math
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np

from cornu import validate
from cornu.core.typing import Tensor
from cornu.core.variable import Variable, assigned_together
from cornu.optimizers.optimizer import Optimizer
from cornu.optimizers.optimizer_map import OptimizerMap

__all__ = ["MultiOptimizer"]


class MultiOptimizer(Optimizer):
    """Trains each variable with the optimizer chosen for it.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a variable to its optimizer.
        loss_scale_factor: factor applied to the loss, by which the wrapped optimizers divide the gradients. None by
            default.
        name: name; None derives one.

    Example:

        rates = cornu.optimizers.OptimizerMap(cornu.optimizers.SGD(0.1), {"tower/.*": cornu.optimizers.Adam(1e-3)})
        optimizer = cornu.optimizers.MultiOptimizer(rates)
    """

    loss_scale_factor: float | None = None
    optimizers: Sequence[Optimizer] = ()  # available once it is built
    _hidden = Optimizer._hidden | {"_shares"}

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        if not isinstance(optimizer_map, OptimizerMap) and not callable(optimizer_map):
            raise TypeError(
                "MultiOptimizer: optimizer_map must be an OptimizerMap, or a function from a variable to an optimizer. "
                f"Received: optimizer_map={validate.shown(optimizer_map)}."
            )
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self.optimizer_map = optimizer_map
        self.optimizers = []
        self._shares: list[list[Variable]] = []  # the variables of each

    def _optimizer_of(self, variable: Variable) -> Optimizer:
        if isinstance(self.optimizer_map, OptimizerMap):
            return self.optimizer_map[variable.path]
        return self.optimizer_map(variable)

    def build(self, var_list: Iterable[Variable]) -> None:
        """Distribute these trainable variables and create the state of each optimizer."""
        if self.built:
            return
        super().build(var_list)
        if isinstance(self.optimizer_map, OptimizerMap):
            for optimizer in (*self.optimizer_map.values(), self.optimizer_map.default_optimizer):
                self._share_of(optimizer)
        for variable in self._trainable_variables:
            self._share_of(self._optimizer_of(variable)).append(variable)
        for optimizer, variables in zip(self.optimizers, self._shares, strict=True):
            optimizer.build(variables)

    def _share_of(self, optimizer: Optimizer) -> list[Variable]:
        """The variables of one optimizer, as a mutable list."""
        for known, share in zip(self.optimizers, self._shares, strict=True):
            if known is optimizer:
                return share
        if optimizer.loss_scale_factor not in (None, self.loss_scale_factor):
            raise ValueError(
                f"{validate.describe(self)}: pass loss_scale_factor only to the MultiOptimizer, since there is one "
                f"loss. "
                f"Received: loss_scale_factor={optimizer.loss_scale_factor!r} for {optimizer.name!r}."
            )
        optimizer.loss_scale_factor = self.loss_scale_factor
        self.optimizers = [*self.optimizers, optimizer]
        self._shares.append([])
        return self._shares[-1]

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's own state, followed by that of each inner optimizer."""
        return [*super().variables, *(v for optimizer in self.optimizers for v in optimizer.variables)]

    @assigned_together()
    def apply(self, grads: Sequence[jax.Array], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update variables with their gradients, each with its optimizer."""
        grads, variables = self._pairs(list(grads), trainable_variables)
        gradient_of = dict(zip(variables, grads, strict=True))
        for optimizer, share in zip(self.optimizers, self._shares, strict=True):
            present = [v for v in share if v in gradient_of]
            if present:
                optimizer.apply([gradient_of[v] for v in present], present)
        self._iterations.assign(self._iterations.value + 1)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: object) -> None:
        """Update one variable with its optimizer, at the given learning rate."""
        self._optimizer_of(variable).update_step(gradient, variable, learning_rate)

    @property
    def learning_rate(self) -> Tensor:
        """The learning rate of the default optimizer, or of the first one if a function chooses."""
        return self._leading().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        """Set the leading optimizer's rate, and scale those of the others by the same factor."""
        leading = self._leading()
        before = float(np.asarray(leading.learning_rate))
        factor = float(np.asarray(value)) / before if before else math.nan
        others = [one for one in self.optimizers if one is not leading]
        if others and not before:
            raise ValueError(
                f"{validate.describe(self)}: the learning rate of {leading.name!r} is 0, so there is no factor "
                "for the others. Set the learning rates of its .optimizers individually."
            )
        rates = [float(np.asarray(one.learning_rate)) * factor for one in others]
        leading.learning_rate = value
        for one, rate in zip(others, rates, strict=True):
            one.learning_rate = rate

    def _leading(self) -> Optimizer:
        if isinstance(self.optimizer_map, OptimizerMap):
            return self.optimizer_map.default_optimizer
        if not self._shares:
            raise AttributeError(
                f"{validate.describe(self)}: call build(trainable_variables) first; until then it is unknown which "
                "optimizers there are."
            )
        return self.optimizers[0]

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exclude some variables from every optimizer's weight decay; the optimizer must be built."""
        if not self.built:
            raise ValueError(f"{validate.describe(self)}: call build(trainable_variables) first.")
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Replace weights by their moving averages, for those optimizers that keep them."""
        wanted = {id(v) for v in var_list}
        for optimizer, share in zip(self.optimizers, self._shares, strict=True):
            optimizer.finalize_variable_values([v for v in share if id(v) in wanted])
