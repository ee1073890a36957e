"""State: `Variable` stores an array; `functional` makes any code that reads and assigns variables pure.

Training, evaluation, `stateless_call`, optimizers, metrics, seeds and checkpoints all rest on that one primitive. A
state scope maps variables to values: while it is active, reads and assignments go to the scope instead of the variable.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import registry, tree, validate
from cornu.core import allocation, border, compilation_cache, context, dtypes, number_arguments, placement
from cornu.core.allocation import Absent, Pending
from cornu.core.typing import AnyFunction, ArrayLike, DTypeLike, InitializerLike, Tensor


class Variable:
    """An array that can be assigned to.

    Args:
        initializer: the initial value, a function of `(shape, dtype=...)` that makes it, or the name of an initializer.
        shape: tuple of ints; required if `initializer` is a function.
        dtype: dtype name; None uses the value's own (floatx for a function).
        trainable: whether training updates it. Defaults to True.
        autocast: whether layers that compute in another float dtype read it in that dtype. Defaults to True.
        aggregation, synchronization: "none", "mean", "sum" or "only_first_replica"; "none", "auto", "on_read" or
            "on_write". Both are checked and kept as attributes, and nothing depends on them: in JAX an array on several
            devices is one array, whose copies cannot differ. They default to "none" and "auto".
        name: name without "/"; unique within the scope by convention only.
        layout: how the value is split over devices: a `distribution.TensorLayout` or a JAX sharding. None leaves it to
            the current distribution, if there is one.

    Example:

        v = cornu.Variable([1.0, 2.0], name="scale")
        v.assign_add([1.0, 1.0])
        print(v.numpy())  # [2. 3.]
    """

    __slots__ = (
        "__weakref__", "_dtype", "_is_float", "_layout", "_trainable", "_value", "aggregation", "autocast",
        "constraint", "follows", "made_trainable", "name", "overwrite_with_gradient", "path", "regularizer",
        "synchronization",
    )  # fmt: skip

    if TYPE_CHECKING:  # the operators, which are generated from tables below

        def __add__(self, other: object) -> jax.Array: ...
        def __neg__(self) -> jax.Array: ...
        def __round__(self, digits: int = 0) -> jax.Array: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __add__
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__
        __pos__ = __abs__ = __invert__ = __neg__

    @number_arguments.checked
    def __init__(
        self,
        initializer: InitializerLike | ArrayLike | None,
        shape: Sequence[int] | None = None,
        dtype: object = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        layout: object = None,
    ):
        name = name or context.auto_name("variable")
        name = validate.name(name, "Variable")
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            raise ValueError(
                "Variable: aggregation must be 'none', 'mean', 'sum' or 'only_first_replica'. "
                f"Received: aggregation={validate.shown(aggregation)}."
            )
        if synchronization not in (None, "none", "auto", "on_read", "on_write"):
            raise ValueError(
                "Variable: synchronization must be 'none', 'auto', 'on_read' or 'on_write'. "
                f"Received: synchronization={validate.shown(synchronization)}."
            )
        self.name = name
        self.path = "/".join((*context.current().path, name))
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization or "none"
        self.autocast = autocast
        self.regularizer = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False
        self.follows: Variable | None = None  # the variable whose layout it shares
        self._layout = layout
        self._trainable = self.made_trainable = bool(trainable)
        self._value = _first_value(self, initializer, shape, dtype)
        self._dtype = dtypes.standardize_dtype(self._value.dtype)
        self._is_float = dtypes.is_float(self._dtype)

    @property
    def trainable(self) -> bool:
        """Whether training may update this variable; a frozen layer that contains it can still prevent that."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def dtype(self) -> str:
        """The dtype of `value`: its own, or the one that the current layer computes in."""
        cast = context.current().autocast
        return cast if cast is not None and self.autocast and self._is_float else self._dtype

    @property
    def value(self) -> jax.Array:
        """The array, in the dtype that the current layer computes in."""
        ambient = context.current()
        value = self._value
        for mapping in ambient.states:
            if self in mapping:
                value = mapping[self]
                break
        if isinstance(value, Absent):
            value = self._present(value)
        if ambient.autocast is not None and self.autocast and self._is_float and value.dtype != ambient.autocast:
            value = value.astype(ambient.autocast)
        return value if self._layout is None or not ambient.callers else placement.gathered(value, self._layout)

    def assign(self, value: object) -> jax.Array:
        """Give the variable a new value of the same shape; the dtype is kept."""
        value = value.value if isinstance(value, Variable) else value
        allocator, states = allocation.current(), context.current().states
        array = allocator.given(value, self._dtype)
        if array.shape != self.shape:
            raise ValueError(
                f'Variable "{self.path}": the new value must have shape {self.shape}. Received: shape={array.shape}.'
            )
        if states:
            states[0][self] = array
        elif not isinstance(array, jax.core.Tracer):
            # A copy of an array that the caller still owns, and may donate to a function of their own.
            give_values([self], [jnp.array(array) if array is value else array])
        elif not allocator.has_values:
            give_values([self], [Absent(array.shape, self._dtype)])
        else:
            raise ValueError(
                f'Variable "{self.path}" was assigned inside a compiled function, so the value would be lost. '
                "Make the function pure with cornu's stateless methods or a StatelessScope."
            )
        return array

    def assign_add(self, value: object) -> jax.Array:
        """Add `value`."""
        return self.assign(self._own() + _array(value))

    def assign_sub(self, value: object) -> jax.Array:
        """Subtract `value`."""
        return self.assign(self._own() - _array(value))

    def _own(self) -> jax.Array:
        with context.scope(autocast=None):
            return self.value

    def _present(self, absent: Absent) -> jax.Array:
        """The array in place of one that does not exist yet: a stand-in if only shapes matter, else the initial one."""
        if isinstance(jnp.zeros(()), jax.core.Tracer) or not isinstance(absent, Pending):
            return absent.stand_in()
        give_values([self], [absent.make()])
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, which never changes."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._value.size

    def numpy(self) -> np.ndarray:
        """A writable copy of the value as a NumPy array."""
        if not allocation.current().has_values:
            return allocation.placeholder(self.shape, self.value.dtype)
        return border.to_host(self.value)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(border.fetched(self.value), dtype=dtype, copy=copy is None or copy)

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __getitem__(self, index: object) -> jax.Array:
        return self.value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __complex__(self) -> complex:
        return complex(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __iter__(self) -> Iterator[jax.Array]:
        return iter(self.value)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.value}>"


# Both iterate over the variables in C: no signal handler and no other thread can run in between, so a reader sees a
# consistent state and a writer is never interrupted half-way.

_value_slot, _has_layout = vars(Variable)["_value"], vars(Variable)["_layout"].__get__


def values_of(variables: Iterable[Variable]) -> list[jax.Array]:
    """The variables' own values, all from the same moment."""
    return list(map(_value_slot.__get__, variables))


def give_values(variables: Sequence[Variable], values: Sequence[Tensor]) -> None:
    """Assign new values of matching shapes and dtypes to variables, atomically."""
    give_placed_values(variables, placed(variables, values))


def give_placed_values(variables: Sequence[Variable], values: Sequence[Tensor]) -> None:
    """`give_values` for values that are laid out like the variables.

    Every value of a variable after its initial one is assigned here.
    """
    before = values_of(variables)  # freed afterwards, since freeing an array may switch threads
    deque(map(_value_slot.__set__, variables, values), maxlen=0)
    del before


def placed(variables: Sequence[Variable], values: Sequence[Tensor]) -> Sequence[Tensor]:
    """The values on the devices of the variables' layouts; the same objects if they are already there."""
    return list(map(_placed, variables, values)) if any(map(_has_layout, variables)) else values


def _placed(variable: Variable, value: object) -> Any:
    return value if variable._layout is None or isinstance(value, Absent) else placement.put(value, variable._layout)


def pinned(variables: Sequence[Variable], before: Sequence[Tensor], after: Sequence[Tensor]) -> list[Tensor]:
    """The new values after a traced function, constrained to the layouts of the variables."""
    return [
        new if new is old or variable._layout is None else placement.pinned(new, variable._layout)
        for variable, old, new in zip(variables, before, after, strict=True)
    ]


def lay_out(variables: Sequence[Variable]) -> None:
    """Lay out the variables that are not on the current distribution's mesh, one at a time.

    A variable that follows another one, as an optimizer slot follows its weight, comes after it.
    """
    for variable in variables:
        before, variable._layout = variable._layout, _layout_of(variable)
        if variable._layout is not before:
            with allocation.at_once():
                give_values([variable], values_of([variable]))


def _layout_of(variable: Variable) -> object:
    """The layout that a variable should have: that of the variable it follows, or that of the distribution."""
    distribution = placement.current()
    if variable.follows is not None:
        return variable.follows._layout
    return variable._layout if distribution is None else distribution.get_variable_layout(variable)


def changed_values(before: Sequence[Tensor], after: Sequence[Tensor]) -> dict[int, object]:
    """The new values by index, without those that a function returned unchanged."""
    return {i: new for i, (old, new) in enumerate(zip(before, after, strict=True)) if new is not old}


def assign_values(variables: Sequence[Variable], values: Sequence[jax.Array]) -> None:
    """`give_values`, or separate assignments while a function is being traced."""
    if any(isinstance(value, jax.core.Tracer) for value in values):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    else:
        give_values(variables, values)


@contextmanager
def assigned_together() -> Iterator[None]:
    """Scope at whose end all assignments made in it are stored atomically; none of them if it fails."""
    if context.current().states:
        yield
        return
    new: dict[Variable, jax.Array] = {}
    with context.state(new):
        yield
    assign_values(list(new), list(new.values()))


def assign_all(variables: Sequence[Variable], values: Sequence[Tensor]) -> None:
    """Assign values given by a caller, atomically; none of them if one does not fit."""
    with assigned_together():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(jnp.array(value) if isinstance(value, jax.Array) else value)  # the caller may donate it


@contextmanager
def unchanged_on_error(variables: Iterable[Variable]) -> Iterator[None]:
    """Scope that restores the variables' values if it fails."""
    variables = tuple(variables)
    before = values_of(variables)
    try:
        yield
    except Exception:
        give_values(variables, before)
        raise


def reading_one_state(variables: Iterable[Variable]) -> AbstractContextManager[object]:
    """Scope in which variables are read as they were at its start, whatever another thread trains meanwhile."""
    if context.current().states:  # the values already belong to this thread
        return nullcontext()
    variables = tuple(variables)
    return context.state(dict(zip(variables, values_of(variables), strict=True)))


def _array(x: object) -> Tensor:
    return x.value if isinstance(x, Variable) else border.to_tensor(x)


def _binary(name: str) -> AnyFunction:
    def method(self: Variable, other: object) -> Any:
        return getattr(self.value, name)(_array(other))

    method.__name__ = name
    return method


def _unary(name: str) -> AnyFunction:
    def method(self: Variable, *args: object) -> Any:
        return getattr(self.value, name)(*args)

    method.__name__ = name
    return method


def _logical(function: AnyFunction) -> AnyFunction:
    def method(self: Variable, other: object) -> Any:
        return function(self.value, _array(other))

    return method


for _name in ("and", "or", "xor"):
    for _python in (f"__{_name}__", f"__r{_name}__"):
        setattr(Variable, _python, _logical(getattr(jnp, f"logical_{_name}")))

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
for _name in (*_ARITHMETIC, *(f"r{n}" for n in _ARITHMETIC), "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _binary(f"__{_name}__"))
for _name in ("neg", "pos", "abs", "invert", "round"):
    setattr(Variable, f"__{_name}__", _unary(f"__{_name}__"))


def _first_value(variable: Variable, initializer: object, shape: Sequence[int] | None, dtype: object) -> Tensor:
    """The initial value, computed immediately even while tracing, or supplied by the allocator."""
    compilation_cache.start()
    shape = None if shape is None else tuple(int(d) for d in shape)
    if isinstance(initializer, str):
        initializer = registry.named("initializers", initializer)
    if not callable(initializer) or isinstance(initializer, Variable) or hasattr(initializer, "shape"):
        return _from_value(variable, initializer, shape, dtype)
    if shape is None:
        raise ValueError(f"Variable {variable.name!r}: shape is required if the initializer is a function.")
    dtype = _kept_dtype(variable, dtype)
    _find_layout(variable, shape, dtype)
    make = partial(_from_function, variable, initializer, shape, dtype)
    return allocation.current().first(shape, dtype, make, variable)


def _from_function(variable: Variable, initializer: AnyFunction, shape: tuple[int, ...], dtype: str) -> jax.Array:
    with allocation.at_once(), context.scope(states=(), autocast=None):
        return _checked(variable, jnp.asarray(initializer(shape, dtype=dtype), dtype=dtype), shape)


def _from_value(variable: Variable, value: object, shape: tuple[int, ...] | None, dtype: object) -> jax.Array:
    with allocation.at_once(), context.scope(states=(), autocast=None):
        value = value.value if isinstance(value, Variable) else value
        if dtype is None:
            dtype = dtypes.dtype_of(value) if hasattr(value, "dtype") else settings_dtype(value)
        array = allocation.current().given(value, _kept_dtype(variable, dtype))
        _find_layout(variable, array.shape, array.dtype)
        return _checked(variable, jnp.array(array) if array is value else array, shape)


def _find_layout(variable: Variable, shape: tuple[int, ...], dtype: Any) -> None:
    """Give a new variable the layout that the current distribution has for its path and shape."""
    if variable._layout is None and placement.current() is not None:
        variable._value = Absent(shape, dtype)
        variable._layout = _layout_of(variable)


def _kept_dtype(variable: Variable, dtype: object) -> str:
    kept = dtypes.storage_dtype(dtype)
    if kept == "string":
        raise ValueError(f"Variable {variable.name!r}: a variable cannot store strings.")
    return kept


def _checked(variable: Variable, array: jax.Array, shape: tuple[int, ...] | None) -> jax.Array:
    if shape is not None and array.shape != shape:
        raise ValueError(
            f"Variable {variable.name!r}: the initial value must have shape {shape}. Received: shape={array.shape}."
        )
    return _placed(variable, array)


@contextmanager
def deferred_values() -> Iterator[None]:
    """Scope in which new variables get no values until they are assigned or read; at its end all have one.

    A model that is created to be given the weights of a file takes no memory before, whatever sizes it declares.

    Raises:
        ValueError: if the values that were not assigned exceed the budget of the load.
    """
    allocator = allocation.Deferred(allocation.current())
    with context.scope(allocator=allocator):
        yield
    for variable in allocator.owners:
        (value,) = values_of([variable])
        if isinstance(value, Pending):
            give_values([variable], [value.make()])


def settings_dtype(value: object) -> str:
    """The dtype of a plain Python value (or list of them): floatx, int32 or bool."""
    kind = border.to_numpy(value, "Variable", "value").dtype.kind
    return {"i": "int32", "b": "bool", "c": "complex64"}.get(kind) or dtypes.standardize_dtype(None)


def functional(fn: AnyFunction, variables: Iterable[Variable]) -> AnyFunction:
    """Turn `fn`, which reads and assigns variables, into a pure function of a state.

    Args:
        fn: any function.
        variables: the variables whose values become inputs and outputs. Assignments to others are dropped.

    Returns:
        `pure(state, *args, **kwargs) -> (result, new_state)`, where a state is a list of arrays, one per variable; a
        variable given instead of an array stands for its value.

    Example:

        v = cornu.Variable(1.0)
        pure = cornu.core.variable.functional(lambda: v.assign_add(1.0), [v])
        result, state = pure([v.value])
        print(v.numpy(), state[0])  # 1.0 2.0
    """
    variables = tuple(variables)

    def pure(state: Sequence[jax.Array], *args: object, **kwargs: object) -> tuple[object, list[jax.Array]]:
        state = [value.value if isinstance(value, Variable) else value for value in state]
        values = dict(zip(variables, state, strict=True))
        with context.state(values):
            result = _read(fn(*args, **kwargs))
        return result, [values[v] for v in variables]

    return pure


def _read(result: object) -> Any:
    """`result` with variables replaced by their current values, since they have other values outside the scope."""
    if not any(isinstance(leaf, Variable) for leaf in tree.flatten(result)):
        return result
    return tree.map_structure(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, result)


class StatelessScope:
    """Scope in which variables are read from and assigned in a mapping, without being changed themselves.

    Args:
        state_mapping: pairs of (variable, value).
        collect_losses: whether losses that layers add are collected in `scope.losses`. Defaults to False.
        initialize_variables: accepted for compatibility; variables created inside are always initialized immediately.

    Example:

        v = cornu.Variable(1.0)
        with cornu.StatelessScope(state_mapping=[(v, 5.0)]) as scope:
            v.assign_add(1.0)
        print(scope.get_current_value(v), v.numpy())  # 6.0 1.0
    """

    @number_arguments.checked
    def __init__(self, state_mapping: Any = None, collect_losses: bool = False, initialize_variables: bool = True):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Tensor] = []
        self.state_mapping: dict[Variable, Any] = {}
        for variable, value in state_mapping or ():
            if not isinstance(variable, Variable):
                raise ValueError(f"StatelessScope: each key must be a Variable. Received: {validate.shown(variable)}.")
            array = jnp.asarray(value, dtype=variable._dtype)
            if array.shape != variable.shape:
                raise ValueError(
                    f'StatelessScope: the value of "{variable.path}" must have shape {variable.shape}. '
                    f"Received: shape={array.shape}."
                )
            self.state_mapping[variable] = array

    def __enter__(self) -> "StatelessScope":
        extra = {"losses": self.losses} if self.collect_losses else {}
        self._scope = context.scope(states=(self.state_mapping, *context.current().states), **extra)
        self._scope.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._scope.__exit__(*details)

    def add_loss(self, loss: object) -> None:
        """Collect a loss."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, object]) -> None:
        """Assign a value to a variable within the scope."""
        variable, value = update
        self.state_mapping[variable] = jnp.asarray(value, dtype=variable._dtype)

    def get_current_value(self, variable: Variable) -> Any:
        """The value of `variable` in the scope, or None."""
        return self.state_mapping.get(variable)
