"""The base of metrics: variables that accumulate over batches, and a result computed from them.

`functional` makes the methods `update_state`, `result` and `reset_state` pure, so that training can pass a metric's
variables around as plain arrays.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cornu import initializers, validate
from cornu.absent import Explained
from cornu.core import budget, context, parts
from cornu.core.configurable import Configurable
from cornu.core.operation import snake_case
from cornu.core.policy import PolicyLike
from cornu.core.typing import AnyFunction, InitializerLike, Nested
from cornu.core.variable import Variable, functional
from cornu.losses.loss import float_type


class Metric(Explained, Configurable):
    """Base of all metrics: a subclass creates variables with `add_variable` and implements `update_state` and `result`.

    Args:
        dtype: dtype or dtype policy of the variables; None is `cornu.config.floatx()`.
        name: name; None derives one from the class name.

    Example:

        class Largest(cornu.metrics.Metric):
            def __init__(self, name="largest", **kwargs):
                super().__init__(name=name, **kwargs)
                self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.largest.assign(cornu.ops.maximum(self.largest, cornu.ops.max(y_pred)))

            def result(self):
                return self.largest.value

        print(Largest()([0.0], [3.0]))  # 3.0
    """

    ignores_zero_weights: bool
    """Promise that rows with `sample_weight` 0 do not affect the result, so that a batch can be padded with them."""

    _set_by_init = "_dtype"
    _direction: str | None = None
    """"up" if larger is better, "down" if smaller is better, None if neither."""

    def __init__(self, dtype: PolicyLike | None = None, name: str | None = None):
        budget.take("calls", budget.OF_AN_OBJECT, "The model")  # a short name in a file is enough for one
        name = validate.name(name, type(self), optional=True, slash=True)
        self.name = name or context.auto_name(snake_case(type(self).__name__))
        self._dtype = float_type(dtype)
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """The dtype of the variables."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The metric's variables, followed by those of metrics in its attributes and their containers."""
        inner = (variable for metric in parts.find(self.__dict__, Metric) for variable in metric.variables)
        return list(dict.fromkeys((*parts.find(self.__dict__, Variable), *inner)))

    @property
    def count_dtype(self) -> str:
        """The dtype for counts of elements: float32 if the metric's own cannot count beyond 2048."""
        return "float32" if self.dtype in ("float16", "bfloat16") else self.dtype

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike | None = "zeros",
        dtype: PolicyLike | None = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new variable of the metric.

        Args:
            shape: shape of the variable.
            initializer: name, initializer or function of `(shape, dtype=...)` for the initial value.
            dtype: dtype of the variable; None uses the metric's.
            aggregation: kept as the variable's attribute; see `Variable`.
            name: name of the variable.
        """
        with context.path(self.name.replace("/", ">")):
            variable = Variable(
                initializers.get("zeros" if initializer is None else initializer),
                shape=tuple(shape),
                dtype=dtype or self.dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: InitializerLike | None = None,
        dtype: PolicyLike | None = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the metric, as `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Update the state with a batch; implemented by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state().")

    def result(self) -> Nested:
        """The metric's value, a scalar or a dictionary of scalars; implemented by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define result().")

    def reset_state(self) -> None:
        """Set all variables to zero."""
        for variable in self.variables:
            variable.assign(jnp.zeros(variable.shape, variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Nested:
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(
        self, metric_variables: Sequence[jax.Array], *args: Any, **kwargs: Any
    ) -> list[jax.Array]:
        """The variables' values after `update_state`, given the values before; nothing is assigned."""
        return self._stateless(self.update_state, metric_variables, *args, **kwargs)[1]

    def stateless_result(self, metric_variables: Sequence[jax.Array]) -> Nested:
        """The result for these values of the variables."""
        return self._stateless(self.result, metric_variables)[0]

    def stateless_reset_state(self) -> list[jax.Array]:
        """The variables' values after `reset_state`; nothing is assigned."""
        return self._stateless(self.reset_state, self.variables)[1]

    def _stateless(
        self, method: AnyFunction, metric_variables: Sequence[jax.Array | Variable], *args: Any, **kwargs: Any
    ) -> tuple[object, list[jax.Array]]:
        variables = self.variables
        if len(metric_variables) != len(variables):
            raise ValueError(
                f'{type(self).__name__} "{self.name}": metric_variables must contain one array for each of the '
                f"{len(variables)} variables. Received: {len(metric_variables)} arrays."
            )
        values = [
            jnp.asarray(value.value if isinstance(value, Variable) else value, dtype=variable.dtype)
            for value, variable in zip(metric_variables, variables, strict=True)
        ]
        result = functional(method, variables)(values, *args, **kwargs)
        if len(self.variables) != len(variables):
            raise ValueError(
                f'{type(self).__name__} "{self.name}" creates its variables on first receiving data, which happened '
                "inside a stateless method, so their values were lost. Call update_state once, then reset_state, "
                "before using stateless methods."
            )
        return result

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
