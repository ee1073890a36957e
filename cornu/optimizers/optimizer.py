"""The base of all optimizers: everything around the arithmetic of one step.

An optimizer is a pure function of one tensor at a time: `slots` names the state of each weight, and `step(gradient,
weight, rate, t, *slots)` returns the new weight and the new slots. Everything else is implemented here once: variables
and their names, clipping, weight decay, averaging, accumulation, constraints, files. `apply` is written statefully;
`stateless_apply`, used by the compiled training step, is `apply` made pure by `functional`.
"""

import math
import numbers
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from cornu import absent, initializers, settings, validate
from cornu.absent import Explained
from cornu.core import context, parts, placement
from cornu.core.configurable import (
    Configurable,
    constructor_parameters,
    deserialize_keras_object,
    serialize_keras_object,
)
from cornu.core.operation import snake_case
from cornu.core.typing import AnyFunction, ArrayLike, Config, ConfigDict, InitializerLike, Nested, Tensor
from cornu.core.variable import Variable, assign_all, assigned_together, functional, lay_out
from cornu.optimizers.schedules.schedules import LearningRateSchedule

__all__ = ["Optimizer"]

LearningRate: TypeAlias = float | jax.Array | LearningRateSchedule | Callable[[], Any]
"""A learning rate: a number, a schedule, or a function without arguments."""


class OldOptions(TypedDict, total=False):
    """Arguments of older Keras optimizers, which are ignored."""

    decay: float | None


class Optimizer(Explained, Configurable):
    """Base of all optimizers; subclass it to implement one.

    A new optimizer names its slots and implements `step`, a pure function of one tensor; or, as in Keras, it overrides
    `build(variables)` and `update_step(gradient, variable, learning_rate)` and assigns variables itself.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: fraction of each weight, times the learning rate, that every update subtracts; None for none.
        clipnorm: maximum norm of the gradient of each weight. At most one of the three kinds of clipping can be used.
            None by default.
        clipvalue: maximum absolute value of a gradient's elements. None by default.
        global_clipnorm: maximum norm of all gradients together. None by default.
        use_ema: whether to keep an exponential moving average of the weights. Defaults to False.
        ema_momentum: decay rate of the average, 0 to 1. Defaults to 0.99.
        ema_overwrite_frequency: number of steps after which the weights are replaced by their average; None leaves that
            to the end of `fit` (`finalize_variable_values`).
        loss_scale_factor: factor applied to the loss, by which gradients are divided, against underflow in half
            precision. None by default.
        gradient_accumulation_steps: number of steps, 2 or more, whose gradients are averaged into one update. None by
            default.
        name: name, which starts the paths of its variables; None derives one from the class name.

    Example:

        class SignDescent(cornu.optimizers.Optimizer):
            def step(self, gradient, weight, rate, t):
                return (weight - rate * cornu.ops.sign(gradient),)

        optimizer = SignDescent(0.1)
        weight = cornu.Variable([1.0, 2.0])
        optimizer.apply([np.array([3.0, -3.0], "float32")], [weight])
        print(weight.numpy())  # [0.9 2.1]
    """

    slots: tuple[str, ...] = ()  # the state of each weight
    late_slots: tuple[str, ...] = ()  # more state, created after the slots of all weights; files depend on this order

    _set_by_init = "_variables"
    # Attributes whose variables are weights, or were counted when they were created.
    _hidden = frozenset({"_accumulators", "_averages", "_slots", "_trainable_variables", "_variables"})

    def __init__(
        self,
        learning_rate: LearningRate,
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
        self._variables: dict[Variable, None] = {}  # in the order of files
        self._trainable_variables: list[Variable] = []
        name = validate.name(name, type(self), optional=True, slash=True)
        self.name = name or context.auto_name(snake_case(type(self).__name__))
        self._refuse({**kwargs})
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check_arguments()
        self.built = False
        self._spared_variables: set[int] = set()  # without weight decay
        self._spared_names: list[str] = []
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._learning_rate = self._new_learning_rate(learning_rate)

    def _refuse(self, unknown: dict[str, object]) -> None:
        if unknown.pop("decay", None) is not None:
            warnings.warn(
                f"{validate.describe(self)}: decay is an argument of older Keras and has no effect. "
                "Use learning_rate=cornu.optimizers.schedules.InverseTimeDecay(...) instead.",
                stacklevel=4,
            )
        for name, value in unknown.items():
            cls: type = type(self)
            likely = absent.unknown_argument(name, constructor_parameters(cls))
            raise ValueError(
                f"{validate.describe(self)}: unknown argument {name!r}. {likely} "
                f"Received: {name}={validate.shown(value)}."
            )

    def _check_arguments(self) -> None:
        clippings = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
        given = {name: value for name, value in clippings.items() if value is not None}
        received = ", ".join(f"{name}={value!r}" for name, value in given.items())
        if len(given) > 1:
            raise ValueError(
                f"{validate.describe(self)}: only one of clipnorm, clipvalue and global_clipnorm can be set. "
                f"Received: {received}."
            )
        if any(value <= 0 for value in given.values()):
            raise ValueError(
                f"{validate.describe(self)}: clipping thresholds must be greater than 0. Received: {received}."
            )
        if self.use_ema and not 0 <= self.ema_momentum <= 1:
            raise ValueError(
                f"{validate.describe(self)}: ema_momentum must be from 0 to 1. "
                f"Received: ema_momentum={validate.shown(self.ema_momentum)}."
            )
        if self.use_ema and self.ema_overwrite_frequency is not None:
            validate.positive_int(self.ema_overwrite_frequency, "ema_overwrite_frequency", self)
        if self.gradient_accumulation_steps is not None and (
            validate.positive_int(self.gradient_accumulation_steps, "gradient_accumulation_steps", self) < 2
        ):
            raise ValueError(
                f"{validate.describe(self)}: gradient_accumulation_steps must be 2 or more, or None. "
                f"Received: gradient_accumulation_steps={validate.shown(self.gradient_accumulation_steps)}."
            )

    # ---------------------------------------------------------------- the arithmetic, implemented by subclasses

    def prepare(self, rate: jax.Array, t: jax.Array) -> Nested:
        """Whatever all tensors share in this step, passed to every `step` as `rate`; by default the learning rate
        itself.

        Args:
            rate: learning rate, a scalar of float32.
            t: number of this update, 1 for the first, a scalar of float32.
        """
        return rate

    def step(
        self, gradient: jax.Array, weight: jax.Array, rate: object, t: jax.Array, *slots: Any
    ) -> tuple[jax.Array | None, ...]:
        """The new weight, followed by the new value of each slot.

        Args:
            gradient: gradient, of the weight's shape and dtype.
            weight: the weight.
            rate: the result of `prepare`, in the weight's dtype.
            t: number of this update, 1 for the first, in the weight's dtype.
            *slots: the values of `slots` and `late_slots`, in that order; None for those that this weight does not
            have.
        """
        raise TypeError(f"{type(self).__name__} must define step(gradient, weight, rate, t, *slots) or update_step().")

    def new_slot(self, name: str, variable: Variable) -> Variable | None:
        """The variable for slot `name` of the weight `variable`: zeros; None if this weight has none."""
        return self.add_variable_from_reference(variable, name)

    def weight_decay_of(self, variable: Variable) -> float | None:
        """The weight decay of the weight `variable`."""
        return self.weight_decay

    # ---------------------------------------------------------------- variables

    @property
    def variables(self) -> list[Variable]:
        """The state, in the order used in files: iteration, learning rate, then the variables created by `build`."""
        for name, value in self.__dict__.items():  # containers may have grown
            self._note(name, value)
        return list(self._variables)

    def __setattr__(self, name: str, value: object) -> None:
        self._note(name, value)
        super().__setattr__(name, value)

    def _note(self, name: str, value: object) -> None:
        """Add the variables in an attribute, and in all containers in it, to the state."""
        if name not in self._hidden:
            for variable in parts.find(value, Variable):
                self._variables.setdefault(variable)

    def build(self, variables: Iterable[Variable]) -> None:
        """Create the state for these trainable variables."""
        if self.built:
            return
        self._trainable_variables = list(variables)
        self._index = {variable: i for i, variable in enumerate(self._trainable_variables)}
        stepped = [v for v in self._trainable_variables if not v.overwrite_with_gradient]
        if self.use_ema:
            self._averages = {v: self.add_variable_from_reference(v, "average") for v in stepped}
        if self.gradient_accumulation_steps:
            self._accumulators = {
                v: self.add_variable_from_reference(v, "gradient_accumulator") for v in self._trainable_variables
            }
        made: dict[Variable, list[Variable | None]] = {v: [] for v in stepped}
        for names in (self.slots, *((name,) for name in self.late_slots)):
            for variable in stepped:
                made[variable] += [self.new_slot(name, variable) for name in names]
        self._slots = made
        self.built = True

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike | float = "zeros",
        dtype: object = None,
        aggregation: str = "none",
        layout: object = None,
        name: str | None = None,
    ) -> Variable:
        """Create a variable that belongs to the optimizer's state.

        Args:
            shape: shape of the variable.
            initializer: a name, a function of `(shape, dtype=...)`, or the value.
            dtype: dtype of the variable; None is floatx.
            aggregation: kept as the variable's attribute; see `Variable`.
            layout: layout over devices.
            name: name; the variable's path is `optimizer/name`.
        """
        return self._add(name or "variable", shape, initializer, dtype, aggregation, layout)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: InitializerLike = "zeros"
    ) -> Variable:
        """Create a variable of the state with the shape, dtype and layout of `reference_variable`.

        Args:
            reference_variable: usually a weight.
            name: last part of the name, after the path of the weight.
            initializer: a name, a function of `(shape, dtype=...)`, or the value.
        """
        of = reference_variable
        full_name = f"{of.path.replace('/', '_')}_{name or 'var'}"
        return self._add(full_name, of.shape, initializer, of.dtype, of.aggregation, None, of)

    def _add(
        self,
        name: str,
        shape: Sequence[int],
        initializer: InitializerLike | float,
        dtype: object,
        aggregation: str,
        layout: object,
        of: Variable | None = None,
    ) -> Variable:
        """Create a variable of the state, laid out like the weight `of`, or else replicated on each device."""
        if isinstance(initializer, str):
            initializer = initializers.get(initializer)
        leader = self.__dict__.get("_iterations") if of is None else of
        if layout is None and leader is not None:
            lay_out([leader])
        else:
            leader = None
        with context.scope(path=(self.name,)):
            variable = Variable(
                initializer,
                shape=tuple(shape),
                dtype=dtype,
                trainable=False,
                autocast=False,
                aggregation=aggregation,
                layout=layout if leader is None else leader._layout,
                name=name,
            )
        variable.follows = leader
        self._variables[variable] = None
        return variable

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: Any, initializer: InitializerLike = "zeros"
    ) -> tuple[list[Variable], ...] | list[Variable]:
        """Create one variable of the state for each weight; for a list of names, a tuple of such lists.

        Args:
            trainable_variables: the weights.
            name: last part of the name, or a list of them.
            initializer: as in `add_variable_from_reference`, or a list with one per name.
        """
        several = isinstance(name, (list, tuple))
        names = tuple(name) if several else (name,)
        firsts = tuple(initializer) if isinstance(initializer, (list, tuple)) else (initializer,) * len(names)
        if len(firsts) != len(names):
            raise ValueError(
                f"{validate.describe(self)}: there must be one initializer for each name. "
                f"Received: {len(firsts)} initializers and {len(names)} names."
            )
        made: tuple[list[Variable], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for column, part, first in zip(made, names, firsts, strict=True):
                column.append(self.add_variable_from_reference(variable, part, first))
        return made if several else made[0]

    def _get_variable_index(self, variable: Variable) -> int:
        """The index of a weight among those the optimizer was built for."""
        if variable not in self._index:
            raise ValueError(
                f'{validate.describe(self)}: the variable "{variable.path}" is not among the '
                f"{len(self._index)} variables that the optimizer was built for. Create a new optimizer for it."
            )
        return self._index[variable]

    # ---------------------------------------------------------------- one update

    @assigned_together()
    def apply(self, grads: Sequence[jax.Array], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update variables with their gradients.

        Args:
            grads: one gradient per variable; None for a variable that the loss does not depend on.
            trainable_variables: the variables, in the same order; None uses all that the optimizer was built for.

        Example:

            weight = cornu.Variable([1.0, 2.0])
            optimizer = cornu.optimizers.SGD(0.1)
            optimizer.apply([np.ones(2, "float32")], [weight])
            print(weight.numpy())  # [0.9 1.9]
        """
        grads, variables = self._pairs(list(grads), trainable_variables)
        grads = [self._own_gradient(g, v) for g, v in zip(grads, variables, strict=True)]
        watch = context.current().watch
        if watch is not None:
            watch(self, lambda *_: None, grads, variables)
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables)
        else:
            self._update(grads, variables)
        if self.use_ema:
            self._average()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        self._iterations.assign(self._iterations.value + 1)

    def _pairs(
        self, grads: list[jax.Array], variables: Sequence[Variable] | None
    ) -> tuple[list[jax.Array], list[Variable]]:
        """The gradients that exist and their variables, after all checks."""
        if variables is None and not self.built:
            raise ValueError(
                f"{validate.describe(self)}: apply(grads) requires a built optimizer. "
                "Call build(trainable_variables) first, or apply(grads, trainable_variables)."
            )
        variables = self._trainable_variables if variables is None else list(variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"{validate.describe(self)}: there must be one gradient for each variable. "
                f"Received: {len(grads)} gradients for {len(variables)} variables."
            )
        if not self.built:
            self.build(variables)
        for variable in variables:
            self._get_variable_index(variable)
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if not missing:
            return grads, list(variables)
        if len(missing) == len(variables):
            raise ValueError(
                f"{validate.describe(self)}: no variable has a gradient: the loss does not depend on any of "
                f"{missing[:5]}."
            )
        warnings.warn(
            f"{validate.describe(self)}: the loss does not depend on the variables {missing}: they are not updated.",
            stacklevel=3,
        )
        kept = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        return [g for g, _ in kept], [v for _, v in kept]

    def _own_gradient(self, gradient: Tensor, variable: Variable) -> jax.Array:
        """The gradient in the variable's dtype and layout, divided by the scale of the loss."""
        gradient = placement.laid_out(jnp.asarray(gradient).astype(variable.dtype), variable._layout)
        if self.loss_scale_factor is None or variable.overwrite_with_gradient:
            return gradient
        return gradient / self.loss_scale_factor

    def _accumulate(self, grads: list[jax.Array], variables: list[Variable]) -> None:
        """Add to the accumulated gradients; every so many steps, update with their mean and reset them."""
        steps = self.gradient_accumulation_steps or 1
        due = (self._iterations.value + 1) % steps == 0
        sums, means = [], []
        for gradient, variable in zip(grads, variables, strict=True):
            before = self._accumulators[variable].value
            largest = variable.overwrite_with_gradient  # such a gradient is the new value, not a direction
            sums.append(jnp.maximum(before, gradient) if largest else before + gradient)
            means.append(sums[-1] if largest else sums[-1] / steps)
        update_where(due, [*self.variables, *variables], lambda: self._update(means, variables))
        for variable, total in zip(variables, sums, strict=True):
            self._accumulators[variable].assign(jnp.where(due, jnp.zeros((), total.dtype), total))

    def _update(self, grads: list[jax.Array], variables: list[Variable]) -> None:
        """Apply clipping, weight decay and the step."""
        pairs = list(zip(grads, variables, strict=True))
        for gradient, variable in pairs:
            if variable.overwrite_with_gradient:
                variable.assign(gradient)
        variables = [v for _, v in pairs if not v.overwrite_with_gradient]
        grads = self._clipped([g for g, v in pairs if not v.overwrite_with_gradient])
        rate = self._rate()
        self._decay_weights(variables, rate)
        if type(self).update_step is Optimizer.update_step:
            self._step_all(grads, variables, rate)
            return
        for gradient, variable in zip(grads, variables, strict=True):
            self.update_step(gradient, variable, rate)

    def update_step(self, gradient: jax.Array, variable: Variable, learning_rate: object) -> None:
        """Update one variable; a subclass written as in Keras overrides this and assigns variables itself."""
        self._step_all([gradient], [variable], jnp.asarray(learning_rate, _scalar_dtype()))

    def _step_all(self, grads: list[jax.Array], variables: list[Variable], rate: jax.Array) -> None:
        t = (self.iterations + 1).astype(rate.dtype)
        shared = self.prepare(rate, t)
        cast: dict[str, Any] = {}
        for gradient, variable in zip(grads, variables, strict=True):
            dtype = variable.dtype
            if dtype not in cast:
                cast[dtype] = jax.tree_util.tree_map(lambda x, dtype=dtype: x.astype(dtype), (shared, t))
            slots = self._slots[variable]
            old = [None if slot is None else slot.value for slot in slots]
            weight, *new = self.step(gradient, variable.value, *cast[dtype], *old)
            variable.assign(weight)
            for slot, value in zip(slots, new, strict=True):
                if slot is not None:
                    slot.assign(value)

    def _clipped(self, grads: list[jax.Array]) -> list[jax.Array]:
        if self.clipvalue is not None:
            return [jnp.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        if self.clipnorm is not None:
            return [g * (self.clipnorm / jnp.maximum(_norm([g]), self.clipnorm)).astype(g.dtype) for g in grads]
        if self.global_clipnorm is not None and grads:
            factor = self.global_clipnorm / jnp.maximum(_norm(grads), self.global_clipnorm)
            return [g * factor.astype(g.dtype) for g in grads]
        return grads

    def _decay_weights(self, variables: list[Variable], rate: jax.Array) -> None:
        for variable in variables:
            decay = self.weight_decay_of(variable)
            if decay is None or not self._use_weight_decay(variable):
                continue
            weight = variable.value
            variable.assign(weight - weight * (decay * rate).astype(weight.dtype))

    def _use_weight_decay(self, variable: Variable) -> bool:
        return id(variable) not in self._spared_variables and not any(
            re.search(pattern, variable.name) for pattern in self._spared_names
        )

    def _average(self) -> None:
        """Update the averages with the weights, and periodically replace the weights by their averages."""
        momentum = jnp.where(self.iterations != 0, self.ema_momentum, 0.0).astype(_scalar_dtype())
        frequency = self.ema_overwrite_frequency
        for variable, average in self._averages.items():
            keep = momentum.astype(variable.dtype)
            mean = keep * average.value + (1 - keep) * variable.value
            average.assign(mean)
            if frequency:
                variable.assign(jnp.where((self.iterations + 1) % frequency == 0, mean, variable.value))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[jax.Array, Variable]]) -> jax.Array:
        """`apply` for an iterable of pairs (gradient, variable); returns the number of updates so far."""
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError(f"{validate.describe(self)}: apply_gradients requires at least one (gradient, variable).")
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def stateless_apply(
        self,
        optimizer_variables: Sequence[jax.Array],
        grads: Sequence[jax.Array],
        trainable_variables: Sequence[jax.Array],
    ) -> tuple[list[jax.Array], list[jax.Array]]:
        """`apply` as a pure function of the variables' values.

        Args:
            optimizer_variables: values of `optimizer.variables`.
            grads: gradients.
            trainable_variables: values of the trainable variables that the optimizer was built for.

        Returns:
            The new values of the trainable variables and of the optimizer's variables.
        """
        if not self.built:
            raise ValueError(
                f"{validate.describe(self)}: stateless_apply requires a built optimizer. "
                "Call build(trainable_variables) first."
            )
        own, weights = self.variables, self._trainable_variables
        for name, values, wanted in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, weights),
        ):
            if len(values) != len(wanted):
                raise ValueError(
                    f"{validate.describe(self)}: {name} must have {len(wanted)} values, one per variable. "
                    f"Received: {len(values)}."
                )
        _, state = functional(self.apply, [*weights, *own])([*trainable_variables, *optimizer_variables], grads)
        return state[: len(weights)], state[len(weights) :]

    @assigned_together()
    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Replace the weights by their averages, if they are kept, at the end of training."""
        if self.use_ema and self.built:
            for variable in var_list:
                if variable in self._averages:
                    variable.assign(self._averages[variable].value)

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def assign(self, variable: Variable, value: object) -> None:
        """Assign the value to `variable`."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: object) -> None:
        """Add the value to `variable`."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: object) -> None:
        """Subtract the value from `variable`."""
        variable.assign_sub(value)

    # ---------------------------------------------------------------- settings that change while training

    @property
    def iterations(self) -> Any:
        """The number of updates so far."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    @property
    def learning_rate(self) -> Tensor:
        """The learning rate: a Variable, or the current value of a schedule. A number may be assigned to it.

        A schedule counts the calls of `apply`, including those that only accumulate gradients.
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations.value)
        return self._learning_rate if isinstance(self._learning_rate, Variable) else self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        old = self._learning_rate
        if callable(value):
            if isinstance(old, Variable):
                self._variables.pop(old)
            self._learning_rate = value
        elif isinstance(old, Variable):
            old.assign(value)
        else:
            raise TypeError(
                f"{validate.describe(self)}: the learning rate follows the schedule {type(old).__name__}, so a "
                "number cannot be assigned to it. Create the optimizer with a number as learning_rate to change it "
                "during training."
            )

    def _new_learning_rate(self, value: object) -> Variable | AnyFunction:
        if callable(value):
            return value
        if not isinstance(value, (numbers.Real, np.ndarray, jax.Array, Variable)) or not math.isfinite(float(value)):
            raise ValueError(
                f"{validate.describe(self)}: learning_rate must be a number, a LearningRateSchedule or a function "
                f"without arguments. Received: learning_rate={validate.shown(value)}."
            )
        return self.add_variable((), initializer=float(value), dtype=settings.floatx(), name="learning_rate")

    def _rate(self) -> jax.Array:
        rate = self.learning_rate
        return jnp.asarray(rate.value if isinstance(rate, Variable) else rate).astype(_scalar_dtype())

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exclude some variables from weight decay.

        Args:
            var_list: variables.
            var_names: regular expressions; variables whose name contains a match (`"bias"`) are excluded.
        """
        self._spared_variables = {id(v) for v in var_list or ()}
        self._spared_names = list(var_names or ())

    # ---------------------------------------------------------------- files

    def get_config(self) -> ConfigDict:
        """The constructor's arguments as plain data; for a learning rate that is a number, its current value."""
        config = super().get_config()
        if "learning_rate" in config:
            rate = self._learning_rate
            config["learning_rate"] = serialize_keras_object(float(rate) if isinstance(rate, Variable) else rate)
        return config

    @classmethod
    def from_config(cls, config: Config, custom_objects: Any = None) -> "Optimizer":
        """An optimizer with the settings in a config."""
        return cls(**{k: deserialize_keras_object(v, custom_objects) for k, v in config.items()})

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Save the state in `store` under "0", "1", ..."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Load the state saved by `save_own_variables`; an optimizer saved before it was built has only its first
        variables."""
        variables = self.variables
        unbuilt = 1 + isinstance(self._learning_rate, Variable)
        if len(store.keys()) not in (unbuilt, len(variables)):
            raise ValueError(
                f"{validate.describe(self)}: the optimizer has {len(variables)} variables but the saved one has "
                f"{len(store.keys())}: they have different types or were built for different models"
                f"{'' if self.built else ' (this one is not built: call build(trainable_variables) first)'}."
            )
        for i in range(len(store.keys())):
            variables[i].assign(np.asarray(store[str(i)]))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set `variables` to these values, in order."""
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(
                f"{validate.describe(self)}: there must be {len(variables)} values, one per variable. "
                f"Received: {len(weights)}."
            )
        assign_all(variables, weights)


def update_where(condition: jax.Array, variables: Iterable[Variable], update: Callable[[], None]) -> None:
    """Run `update`, but keep the values of `variables` where `condition` is false; works while tracing."""
    before = [(variable, variable.value) for variable in variables]
    update()
    for variable, old in before:
        new = variable.value
        if new is not old:
            variable.assign(jnp.where(condition, new, old))


def _norm(arrays: list[jax.Array]) -> jax.Array:
    """The Euclidean norm of all arrays together."""
    squares = [jnp.sum(jnp.square(a)).astype(_scalar_dtype()) for a in arrays]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def _scalar_dtype() -> str:
    return "float64" if settings.floatx() == "float64" else "float32"
