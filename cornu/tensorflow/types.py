"""TensorFlow's types: dtypes, shapes, tensors and variables.

A tensor is a JAX array. While the stand-in is served, the class of JAX's arrays also has the methods that scripts know
from TensorFlow.
"""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from cornu import ops
from cornu.core import context, dtypes, masks
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyFunction, AnyTuple, Args, Kwargs, Nested, ShapeLike
from cornu.core.variable import Variable as KerasVariable
from cornu.tensorflow.served import Special, sizes
from cornu.tensorflow.tape import VARIABLES
from cornu.tensorflow.texts import Text, is_text, text

__all__ = [
    "DType", "IndexedSlices", "Module", "Tensor", "TensorShape", "TensorSpec",
    "Variable", "as_dtype", "is_tensor", "rank", "shape", "shape_n", "size",
]  # fmt: skip

# ---------------------------------------------------------------- dtypes


class DType(str):
    """A dtype, which is its name."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name."""
        return str(self)

    @property
    def as_numpy_dtype(self) -> Any:
        """The corresponding NumPy class."""
        return object if self == "string" else jax.numpy.dtype(self).type

    @property
    def base_dtype(self) -> "DType":
        """The type itself."""
        return self

    is_floating = property(lambda self: self in dtypes.FLOATS)
    is_integer = property(lambda self: self in dtypes.INTEGERS)
    is_bool = property(lambda self: self == "bool")
    is_complex = property(lambda self: self in dtypes.COMPLEX)
    is_unsigned = property(lambda self: self.startswith("uint"))
    size = property(lambda self: jax.numpy.dtype(self).itemsize)
    min = property(lambda self: self._limits().min)
    max = property(lambda self: self._limits().max)
    limits = property(lambda self: (self.min, self.max))

    @property
    def real_dtype(self) -> "DType":
        """The dtype of the parts of a complex number; for other dtypes, the dtype itself."""
        return DType("float32") if self.is_complex else self

    def is_compatible_with(self, other: object) -> bool:
        """Whether the other is the same type."""
        return self == as_dtype(other)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other if isinstance(other, str) else getattr(other, "__name__", str(other)))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def _limits(self) -> Any:
        return (jax.numpy.finfo if self.is_floating else jax.numpy.iinfo)(self)

    def __repr__(self) -> str:
        return f"tf.{self}"


def as_dtype(type_value: object) -> DType:
    """The dtype for a name, a Python or NumPy class, or a NumPy dtype."""
    return DType(dtypes.standardize_dtype(type_value))


DTYPES = {name: DType(name) for name in dtypes.NAMES if not name.startswith(("float8", "int4"))}
DTYPES |= {"half": DTYPES["float16"], "double": DTYPES["float64"]}

# ---------------------------------------------------------------- shapes


class TensorShape(tuple[Any, ...]):
    """A shape: a tuple of sizes, None for unknown ones.

    Args:
        dims: the sizes.
    """

    __slots__ = ()

    def __new__(cls, dims: Iterable[int | None]) -> Self:
        return super().__new__(cls, sizes(dims))

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    ndims = rank

    @property
    def dims(self) -> list[int | None]:
        """The sizes in a list."""
        return list(self)

    def concatenate(self, other: Iterable[int | None]) -> "TensorShape":
        """This shape followed by another."""
        return TensorShape((*self, *sizes(other)))

    def is_compatible_with(self, other: Iterable[int | None]) -> bool:
        """Whether both can be the shape of one tensor."""
        other = sizes(other)
        return len(self) == len(other) and all(
            n is None or m is None or n == m for n, m in zip(self, other, strict=True)
        )

    def assert_is_compatible_with(self, other: Iterable[int | None]) -> None:
        """Raise ValueError unless both can be the shape of one tensor."""
        if not self.is_compatible_with(other):
            raise ValueError(f"TensorShape: the shapes {self} and {TensorShape(other)} do not fit.")

    def merge_with(self, other: Iterable[int | None]) -> "TensorShape":
        """The sizes known from either shape."""
        self.assert_is_compatible_with(other)
        return TensorShape([m if n is None else n for n, m in zip(self, sizes(other), strict=True)])

    def with_rank(self, rank: int) -> "TensorShape":
        """The shape itself, if it has this number of axes."""
        if len(self) != rank:
            raise ValueError(f"TensorShape: {self} must have {rank} axes.")
        return self

    def with_rank_at_least(self, rank: int) -> "TensorShape":
        """The shape itself, if it has this number of axes or more."""
        if len(self) < rank:
            raise ValueError(f"TensorShape: {self} must have at least {rank} axes.")
        return self

    def with_rank_at_most(self, rank: int) -> "TensorShape":
        """The shape itself, if it has no more than this number of axes."""
        if len(self) > rank:
            raise ValueError(f"TensorShape: {self} must have at most {rank} axes.")
        return self

    def assert_is_fully_defined(self) -> None:
        """Raise ValueError unless every size is known."""
        if None in self:
            raise ValueError(f"TensorShape: {self} is not fully defined.")

    def assert_has_rank(self, rank: int) -> None:
        """Raise ValueError unless there are this number of axes."""
        self.with_rank(rank)

    def as_list(self) -> list[int | None]:
        """The sizes in a list."""
        return list(self)

    def num_elements(self) -> int | None:
        """The product of the sizes; None if one is unknown."""
        return None if None in self else int(np.prod(self, dtype=int))

    def is_fully_defined(self) -> bool:
        """Whether every size is known."""
        return None not in self

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return TensorShape(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> "TensorShape":
        return self.concatenate(other)

    def __radd__(self, other: Any) -> "list[int | None] | TensorShape":
        return [*other, *self] if isinstance(other, list) else TensorShape(other).concatenate(self)

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return f"TensorShape({self.as_list()})"

    def __str__(self) -> str:
        return tuple.__repr__(self)


def _shape_of_sizes(sizes: AnyTuple) -> TensorShape:
    """A shape of sizes that need no conversion."""
    return tuple.__new__(TensorShape, sizes)


jax.tree_util.register_pytree_node(
    TensorShape, lambda shape: (tuple(shape), None), lambda _, sizes: _shape_of_sizes(sizes)
)


class TensorSpec:
    """The shape and type of a tensor.

    Args:
        shape: its sizes, None for those that vary.
        dtype: its type.
        name: its name.
    """

    def __init__(self, shape: Any = (), dtype: object = "float32", name: str | None = None):
        self.shape = TensorShape(shape) if shape is not None else None
        self.dtype = as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> "TensorSpec":
        """The shape and type of this tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    def is_compatible_with(self, tensor: Any) -> bool:
        """Whether a tensor, or one described by another spec, matches."""
        fits = self.shape is None or self.shape.is_compatible_with(tensor.shape)
        return fits and self.dtype == as_dtype(tensor.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype=tf.{getattr(self.dtype, 'name', self.dtype)}, name={self.name!r})"


class Sizes(Special, np.ndarray):
    """The result of `tf.shape`: integers whose values are also known while a function is traced.

    Values computed only from them during tracing are known as well, so that they can be sizes again.
    """

    def through(self, name: str, function: AnyFunction, arguments: Mapping[str, object]) -> object:
        """The result; computed only from known numbers it is known, also during tracing."""
        other = next((each for each in jax.tree.leaves(arguments) if _is_of_another_kind(each)), None)
        if other is not None:
            return other.through(name, function, arguments)
        if context.is_clear() or name.startswith("tf.random.") or not all(map(_is_known, jax.tree.leaves(arguments))):
            return function(**arguments)
        with jax.ensure_compile_time_eval():
            found = function(**arguments)
        return jax.tree.map(lambda each: np.asarray(each).view(Sizes) if isinstance(each, jax.Array) else each, found)

    def numpy(self) -> np.ndarray:
        """The numbers as a plain array, or the one number of an array without axes."""
        return np.array(self)[()]

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(super().__getitem__(index)).view(Sizes)

    def __array_wrap__(self, array: Any, context: object = None, return_scalar: bool = False) -> Any:
        return array.view(Sizes)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.item())


def known(value: object) -> "Sizes | None":
    """Whole numbers as `tf.shape` gives them, so that they may be sizes also while a function is compiled; else None.

    Only then: in other places they are tensors like any others.
    """
    if context.is_clear() or not isinstance(value, (int, list, tuple, np.ndarray, np.integer)):
        return None
    leaves = value if isinstance(value, (list, tuple)) else (value,)
    if not all(isinstance(each, (int, np.integer, np.ndarray)) for each in leaves):
        return None
    array = np.asarray(value)
    return array.astype("int32").view(Sizes) if array.dtype.kind == "i" else None


def _is_of_another_kind(value: object) -> bool:
    return isinstance(value, Special) and not isinstance(value, Sizes)


def _is_known(value: object) -> bool:
    return not isinstance(value, (jax.Array, KerasTensor, KerasVariable))


def shape(input: object, out_type: object = "int32", name: str | None = None) -> Any:
    """The sizes of a tensor."""
    found = np.shape(text(input)) if is_text(input) else ops.shape(input)
    return found if isinstance(input, KerasTensor) else np.array(found, "int32").view(Sizes)


def shape_n(input: Iterable[Nested], out_type: object = "int32", name: str | None = None) -> list[Nested]:
    """The sizes of each tensor of a list."""
    return [shape(each) for each in input]


def rank(input: object, name: str | None = None) -> np.ndarray:
    """The number of axes of a tensor."""
    return np.array(len(shape(input)), "int32").view(Sizes)


def size(input: object, out_type: object = "int32", name: str | None = None) -> Any:
    """The number of elements of a tensor."""
    if isinstance(input, KerasTensor):
        return ops.size(input)
    return np.array(np.prod(shape(input), dtype=int), "int32").view(Sizes)


# ---------------------------------------------------------------- tensors

Tensor = jax.Array


def is_tensor(x: object) -> bool:
    """Whether `x` is a tensor or a variable."""
    return isinstance(x, (jax.Array, KerasVariable, KerasTensor, Text, Special))


def _numpy(array: jax.Array) -> np.ndarray:
    """A copy of a tensor's values: a NumPy array, or a NumPy scalar if it has no axes."""
    return np.array(array)[()]


def _no_numpy(tracer: Any) -> Any:
    raise NotImplementedError(
        f"numpy() was called on a tensor of shape {tracer.shape} in a function that is being compiled, where it has "
        "no values yet. Move the call out of the tf.function or remove the decorator; in fit, use run_eagerly=True."
    )


def _get_shape(value: Any) -> TensorShape:
    return TensorShape(value.shape)


def _set_shape(array: Any, shape: ShapeLike) -> None:
    expected = TensorShape(shape)
    if len(expected) != array.ndim or any(n not in (None, m) for n, m in zip(expected, array.shape, strict=True)):
        raise ValueError(f"set_shape: the tensor has shape {array.shape}. Received: shape={expected}.")


class Reference:
    """A tensor or variable as a key of dictionaries.

    Args:
        value: the tensor.
    """

    def __init__(self, value: object):
        self._value = value

    def deref(self) -> object:
        """The tensor."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


def _ref(value: object) -> Reference:
    return Reference(value)


def _shape(value: Any) -> TensorShape:
    return _shape_of_sizes(value.aval.shape)


def _with_lists(operator: AnyFunction) -> AnyFunction:
    """An operator that also accepts lists and tuples of numbers."""

    def operate(tensor: object, other: object) -> Any:
        return operator(tensor, jax.numpy.asarray(other) if isinstance(other, (list, tuple)) else other)

    return operate


OPERATORS = (
    "add", "and", "eq", "floordiv", "ge", "gt", "le", "lt", "matmul", "mod", "mul", "ne", "or", "pow", "radd", "rand",
    "rfloordiv", "rmatmul", "rmod", "rmul", "ror", "rpow", "rsub", "rtruediv", "sub", "truediv",
)  # fmt: skip
_OF_SHAPES = {np.shape, np.ndim, np.size}  # these need no values


def _array_function(self: object, function: AnyFunction, types: object, args: Args, kwargs: Kwargs) -> object:
    """The result of a NumPy function for tensors, which it treats as NumPy arrays, as it does TensorFlow's."""
    if function not in _OF_SHAPES:
        args, kwargs = jax.tree.map(_own_array, (args, kwargs))
    return function._implementation(*args, **kwargs)  # type: ignore[attr-defined]


def _own_array(value: object) -> object:
    return np.array(value) if isinstance(value, jax.Array) else value


METHODS: dict[str, AnyFunction] = {
    "numpy": _numpy,
    "get_shape": _get_shape,
    "set_shape": _set_shape,
    "ref": _ref,
}


def _mask_of(tracer: Tensor) -> jax.Array:
    mask = masks.in_table(tracer)
    if mask is None:
        raise AttributeError("_keras_mask")
    return mask


def _drop_mask(tracer: Tensor) -> None:
    """`del logits._keras_mask`, by which scripts make a loss see all steps."""
    masks.set_in_table(tracer, None)


def _let_devices_be_read_as_text(kind: type) -> None:
    """Give the class of devices the methods of text that scripts call on `tensor.device`."""

    def named(device: jax.Device) -> str:
        return f"/job:localhost/replica:0/task:0/device:{device.platform.upper()}:{device.id}"

    for name in ("__contains__", "endswith", "lower", "split", "startswith"):
        setattr(kind, name, lambda self, *args, name=name: getattr(named(self), name)(*args))


@cache
def attach() -> None:
    """Give arrays TensorFlow's methods, and keep count of variables, which tapes and compiled functions look for."""
    array = type(jax.numpy.zeros(()))
    array.__array_function__ = _array_function  # type: ignore[attr-defined]
    for name, method in METHODS.items():
        setattr(array, name, method)
        setattr(jax.core.Tracer, name, _no_numpy if name == "numpy" else method)
    for kind in (array, jax.core.Tracer):
        kind.shape = property(_shape)  # type: ignore[method-assign, assignment]
        for name in OPERATORS:
            setattr(kind, f"__{name}__", _with_lists(getattr(kind, f"__{name}__")))
    jax.core.Tracer._keras_mask = property(_mask_of, masks.set_in_table, _drop_mask)  # type: ignore[attr-defined]
    _let_devices_be_read_as_text(type(jax.devices()[0]))
    KerasVariable.get_shape = _get_shape  # type: ignore[attr-defined]
    KerasVariable.ref = _ref  # type: ignore[attr-defined]
    made = KerasVariable.__init__

    def noted(self: KerasVariable, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        VARIABLES.add(self)

    KerasVariable.__init__ = noted  # type: ignore[method-assign]


# ---------------------------------------------------------------- variables


class IndexedSlices(NamedTuple):
    """Rows of a tensor, and where they belong; gradients are dense here.

    Args:
        values: the rows.
        indices: their places along the first axis.
        dense_shape: the shape of the tensor.
    """

    values: Any
    indices: Any
    dense_shape: Any = None


class MakesVariableError(NotImplementedError):
    """A function that is compiled makes a variable of what it computes, which has no value yet."""


class _AnyVariable(type):
    """Every variable is an instance, including those of layers."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, KerasVariable)


class Variable(KerasVariable, metaclass=_AnyVariable):
    """A variable with TensorFlow's arguments.

    Args:
        initial_value: the first value, or a function without arguments that makes it.
        trainable: whether tapes watch it and optimizers change it.
        name: its name.
        dtype: its type; None takes the value's own.
        constraint: function of the new value after an update.
        shape: must be the value's shape, or None.

    Example:

        v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        v[0, 1].assign(42.0)
        print(v.numpy())
    """

    __slots__ = ()

    def __init__(
        self, initial_value: object = None, trainable: bool | None = None, validate_shape: bool = True,
        caching_device: object = None, name: str | None = None, variable_def: object = None, dtype: Any = None,
        import_scope: object = None, constraint: object = None, synchronization: object = "auto",
        aggregation: object = "none", shape: object = None, experimental_enable_variable_lifting: bool = True,
    ):  # fmt: skip
        with jax.ensure_compile_time_eval():
            value = initial_value() if callable(initial_value) else initial_value
            value = value if value is None else ops.convert_to_tensor(value, dtype)
        if isinstance(value, jax.core.Tracer):
            raise MakesVariableError("tf.Variable: its initial value is not known while a function is compiled.")
        if value is None:
            raise ValueError("tf.Variable: initial_value must be a tensor or a function that returns one.")
        plain = name.replace("/", "_").partition(":")[0] if name else None
        super().__init__(value, trainable=trainable is not False, autocast=False, name=plain)
        self.constraint = constraint

    @property
    def dtype(self) -> DType:
        """The type of the numbers."""
        return DType(super().dtype)

    def __getitem__(self, index: object) -> jax.Array:
        found = super().__getitem__(index)
        if not isinstance(found, jax.core.Tracer):  # as in v[0, 1].assign(42)
            found.assign = partial(self._assign_at, index, "set")  # type: ignore[attr-defined]
            found.assign_add = partial(self._assign_at, index, "add")  # type: ignore[attr-defined]
            found.assign_sub = partial(self._assign_at, index, "subtract")  # type: ignore[attr-defined]
        return found

    def _assign_at(self, index: object, how: str, value: object) -> jax.Array:
        return self.assign(getattr(self.value.at[index], how)(value))

    def assign(self, value: object, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Give it a new value of the same shape; the variable itself comes back."""
        super().assign(value)
        return self

    def assign_add(
        self, delta: object, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Add to the value."""
        super().assign_add(delta)
        return self

    def assign_sub(
        self, delta: object, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Take from the value."""
        super().assign_sub(delta)
        return self

    def read_value(self) -> jax.Array:
        """The value."""
        return self.value

    def gather_nd(self, indices: object, name: str | None = None) -> jax.Array:
        """The elements at `indices`, shape (n, axes)."""
        return self.value[tuple(jax.numpy.moveaxis(jax.numpy.asarray(indices), -1, 0))]

    @property
    def device(self) -> str:
        """The processor that it is on, as TensorFlow writes it."""
        kind = jax.default_backend().upper()
        return f"/job:localhost/replica:0/task:0/device:{'CPU' if kind == 'CPU' else 'GPU'}:0"

    def scatter_nd_update(self, indices: object, updates: object, name: str | None = None) -> Any:
        """Put `updates` where `indices`, shape (n, axes), say."""
        return self.assign(ops.scatter_update(self.value, indices, updates))

    def scatter_nd_add(self, indices: object, updates: object, name: str | None = None) -> Any:
        """Add `updates` where `indices`, shape (n, axes), say."""
        return self.assign(ops.scatter_update(self.value, indices, updates, "add"))

    def scatter_nd_sub(self, indices: object, updates: object, name: str | None = None) -> Any:
        """Take `updates` away where `indices`, shape (n, axes), say."""
        return self.scatter_nd_add(indices, ops.negative(updates))

    def sparse_read(self, indices: object, name: str | None = None) -> jax.Array:
        """The rows at `indices`."""
        return ops.take(self.value, indices, 0)


def _scattered(how: str) -> AnyFunction:
    def scatter(
        self: Variable, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Variable:
        return self._assign_at(jax.numpy.asarray(sparse_delta.indices), how, sparse_delta.values)  # type: ignore[return-value]

    scatter.__doc__ = f"Let the rows at `sparse_delta.indices` {how} with its values."
    return scatter


for _name, _how in (
    ("add", "add"), ("div", "divide"), ("max", "max"), ("min", "min"), ("mul", "multiply"), ("sub", "subtract"),
    ("update", "set"),
):  # fmt: skip
    setattr(Variable, f"scatter_{_name}", _scattered(_how))


class Module:
    """Something with variables, found in its attributes and in those of the modules in them.

    Args:
        name: its name.
    """

    def __init__(self, name: str | None = None):
        self.name = name or type(self).__name__.lower()

    @property
    def variables(self) -> tuple[KerasVariable, ...]:
        """All variables, each once, by the names of the attributes."""
        return tuple(dict.fromkeys(_variables_in(dict(sorted(vars(self).items())), set())))

    @property
    def trainable_variables(self) -> tuple[KerasVariable, ...]:
        """Those that training may change."""
        return tuple(variable for variable in self.variables if variable.trainable)

    @property
    def non_trainable_variables(self) -> tuple[KerasVariable, ...]:
        """Those that training leaves as they are."""
        return tuple(variable for variable in self.variables if not variable.trainable)

    @classmethod
    def with_name_scope(cls, method: AnyFunction) -> AnyFunction:
        """The method itself: names are not nested here."""
        return method

    @property
    def submodules(self) -> tuple["Module", ...]:
        """The modules in the attributes, and those in them."""
        leaves = jax.tree.leaves(vars(self), is_leaf=lambda x: isinstance(x, Module))
        found = [each for each in leaves if isinstance(each, Module)]
        return tuple(inner for each in found for inner in (each, *each.submodules))


def _variables_in(value: object, seen: set[int]) -> Iterable[KerasVariable]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, KerasVariable):
        yield value
    elif isinstance(value, dict):
        for key in value:
            yield from _variables_in(value[key], seen)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _variables_in(each, seen)
    elif isinstance(value, Module):
        yield from _variables_in(dict(sorted(vars(value).items())), seen)
    elif hasattr(value, "variables") and hasattr(value, "trainable_variables"):  # a layer
        yield from value.variables
