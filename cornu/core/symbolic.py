"""Tensors without values, and the graph that calling operations on them records.

Calling an operation on a `KerasTensor` records a `Node`: the operation, its arguments and its outputs. The graph of a
functional model is just the set of nodes reachable from its outputs.

`output_spec` infers shapes and dtypes by running the operation abstractly (`jax.eval_shape`). An unknown dimension is a
symbolic size, so code that works for every size is run once. Code that depends on the actual size is run with two
different sizes instead, and the dimensions that differ are the unknown ones. If an unknown size meets a known one, as
in `x + positions`, it takes the known one.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from cornu import registry, tree, validate
from cornu.core import context, dtypes
from cornu.core.typing import AnyFunction, AnyList, Args, Kwargs, Nested, Tensor
from cornu.core.variable import Variable, functional
from cornu.errors import LoadLimitError


class KerasTensor:
    """A tensor with a known shape and dtype and no values.

    Args:
        shape: tuple of ints, with None for each unknown dimension.
        dtype: dtype name. Defaults to `"float32"`.
        sparse, ragged: must be False, since all tensors are dense.
        record_history: whether operations on it are recorded.
        name: name.

    Example:

        x = cornu.KerasTensor((None, 3))
        y = x * 2 + 1
        print(y.shape)  # (None, 3)
    """

    __slots__ = (
        "__weakref__",
        "_keras_mask",
        "compares_two",
        "dtype",
        "history",
        "model",
        "name",
        "record_history",
        "shape",
    )

    if TYPE_CHECKING:  # the operators, which are generated from tables below

        def __add__(self, other: object) -> "KerasTensor": ...
        def __neg__(self) -> "KerasTensor": ...
        def __round__(self, digits: int = 0) -> "KerasTensor": ...
        def __getitem__(self, key: object) -> "KerasTensor": ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __add__
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__
        __abs__ = __invert__ = __neg__

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: object = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ):
        if sparse or ragged:
            raise ValueError("KerasTensor: cornu supports dense arrays only; sparse and ragged must be False.")
        self.shape = tuple(None if d is None else int(d) for d in shape)
        self.dtype = dtypes.standardize_dtype(dtype)
        self.name = validate.name(name, "KerasTensor", optional=True, slash=True) or context.auto_name("keras_tensor")
        self.record_history = record_history
        self.history: History | None = None
        self.model: Any = None  # the first model that has it as an output
        self._keras_mask: Any = None
        self.compares_two: bool | None = None  # for `a == b` and `a != b`: the result of comparing the two objects

    sparse = False
    ragged = False
    ragged_rank = None
    row_splits_dtype = None

    @property
    def _keras_history(self) -> "History | None":
        return self.history

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def reshape(self, newshape: Sequence[int]) -> "KerasTensor":
        """The same values in another shape."""
        return registry.public("ops", "reshape")(self, newshape)

    def squeeze(self, axis: int | None = None) -> "KerasTensor":
        """The same values without dimensions of size 1."""
        return registry.public("ops", "squeeze")(self, axis)

    def astype(self, dtype: object) -> "KerasTensor":
        """The same values in another dtype."""
        return registry.public("ops", "cast")(self, dtype)

    @property
    def T(self) -> "KerasTensor":  # noqa: N802 - NumPy's name
        """The transpose."""
        return registry.public("ops", "transpose")(self)

    def __len__(self) -> int:
        raise TypeError(f"A symbolic tensor has no length: {self}. Use its shape, or cornu.ops.shape(x).")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"Cannot iterate over a symbolic tensor: {self}. Use cornu.ops.unstack(x).")

    def __bool__(self) -> bool:
        if self.compares_two is not None:
            return self.compares_two
        raise TypeError(
            f"A symbolic tensor has no truth value: {self}. Use cornu.ops.where or cornu.ops.cond, "
            "or put the condition in a layer's call()."
        )

    def __float__(self) -> float:
        raise TypeError(f"A symbolic tensor has no value and cannot be converted to a number: {self}.")

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise ValueError(
            f"A symbolic tensor has no values and cannot become a NumPy array: {self}. Use the operations in "
            "cornu.ops, "
            "or do the NumPy work in a layer's call()."
        )

    @property
    def __jax_array__(self) -> jax.Array:  # JAX checks for it first
        raise ValueError(
            f"A symbolic tensor cannot be passed to a JAX function: {self}. Use the operation of the same name in "
            "cornu.ops, or call the JAX function in a layer's call()."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Nested, **kwargs: Any) -> Nested:
        """An operator with a NumPy array as its left operand."""
        name = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs or name is None:
            return self.__array__()
        return registry.public("ops", name)(*inputs)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class SymbolicScope:
    """Scope for symbolic work; it has no effect in cornu, where shape inference never has side effects.

    Example:

        with cornu.SymbolicScope():
            x = cornu.Input((3,))
        print(x.shape)  # (None, 3)
    """

    def __enter__(self) -> "SymbolicScope":
        return self

    def __exit__(self, *details: object) -> None:
        """Do nothing."""


class History(NamedTuple):
    """The origin of a symbolic tensor."""

    operation: Any
    node_index: int
    tensor_index: int


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "mod", "pow": "power", "matmul": "matmul", "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
_COMPARISON = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
_UNARY = {"neg": "negative", "abs": "absolute", "invert": "logical_not", "round": "round"}
_UFUNCS = {name: name for name in (*_BINARY.values(), *_COMPARISON.values()) if hasattr(np, name)} | {
    "equal": "equal", "not_equal": "not_equal",
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor", "divide": "true_divide",
    "remainder": "mod",
}  # fmt: skip


def _forward(name: str) -> AnyFunction:
    def method(self: KerasTensor, *args: object) -> Nested:
        return registry.public("ops", name)(self, *args)

    return method


def _reflected(name: str) -> AnyFunction:
    def method(self: KerasTensor, other: object) -> Nested:
        return registry.public("ops", name)(other, self)

    return method


def _compared(name: str, of_one: bool) -> AnyFunction:
    def method(self: KerasTensor, other: object) -> Nested:
        """Compare the values symbolically; used as a truth value, as lists do, compare the objects."""
        if not isinstance(other, KerasTensor):
            return registry.public("ops", name)(self, other)
        try:
            result = registry.public("ops", name)(self, other)
        except TypeError:  # incompatible shapes
            return NotImplemented
        result.compares_two = (self is other) == of_one
        return result

    return method


for _python, _name in {**_BINARY, **_COMPARISON, **_UNARY, "getitem": "get_item"}.items():
    setattr(KerasTensor, f"__{_python}__", _forward(_name))
KerasTensor.__eq__ = _compared("equal", True)  # type: ignore[method-assign]
KerasTensor.__ne__ = _compared("not_equal", False)  # type: ignore[method-assign]
for _python, _name in _BINARY.items():
    setattr(KerasTensor, f"__r{_python}__", _reflected(_name))


def is_keras_tensor(x: object) -> bool:
    """Whether `x` is a symbolic tensor.

    Args:
        x: any object.

    Example:

        print(cornu.backend.is_keras_tensor(cornu.Input((3,))))  # True
    """
    return isinstance(x, KerasTensor)


def any_symbolic(args: object, kwargs: object = ()) -> bool:
    """Whether any leaf of the arguments is a symbolic tensor."""
    return any(isinstance(leaf, KerasTensor) for leaf in tree.flatten((args, kwargs)))


class Node:
    """One call of an operation on symbolic tensors.

    Attributes:
        operation: the operation that was called.
        args, kwargs: its arguments, including tensors.
        outputs: the structure it returned.
        input_tensors, output_tensors: the symbolic tensors in both, flattened.
    """

    def __init__(self, operation: Any, args: Args = (), kwargs: Kwargs | None = None, outputs: object = None):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs or {}
        self.outputs = outputs
        self.input_tensors = [x for x in tree.flatten((args, self.kwargs)) if isinstance(x, KerasTensor)]
        self.output_tensors = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        index = len(operation.nodes)
        operation.nodes.append(self)
        for position, tensor in enumerate(self.output_tensors):
            tensor.history = History(operation, index, position)

    @property
    def is_input(self) -> bool:
        """Whether this node is an input of the graph."""
        return not self.input_tensors

    @property
    def parents(self) -> list["Node"]:
        """The nodes that produced this node's inputs."""
        return [node_of(tensor) for tensor in self.input_tensors]

    def fill(self, values: dict[int, object]) -> tuple[Args, Kwargs]:
        """The arguments with each symbolic tensor replaced by `values[id(tensor)]`."""

        def place(x: object) -> Nested:
            return values[id(x)] if isinstance(x, KerasTensor) else x

        return tree.map_structure(place, self.args), tree.map_structure(place, self.kwargs)


def each_once(outputs: Nested) -> Nested:
    """`outputs` with a separate tensor in each place, if `compute_output_spec` returned one tensor for several."""
    tensors = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
    if len({id(x) for x in tensors}) == len(tensors):
        return outputs
    met: set[int] = set()

    def own(x: object) -> object:
        if not isinstance(x, KerasTensor) or id(x) not in met:
            met.add(id(x))
            return x
        return KerasTensor(x.shape, x.dtype, name=x.name)

    return tree.map_structure(own, outputs, none_is_leaf=False)


def history_of(tensor: KerasTensor) -> "History":
    """The origin of a tensor in a graph."""
    return cast(History, tensor.history)


def node_of(tensor: KerasTensor) -> Node:
    """The node that produced `tensor`."""
    operation, index, _ = history_of(tensor)
    return operation.nodes[index]


# ---------------------------------------------------------------- abstract evaluation


@functools.cache
def _unknown_size() -> Any:
    return export.symbolic_shape("n")[0]


def output_spec(fn: AnyFunction, *args: object, **kwargs: object) -> Nested:
    """The result of `fn`, with a `KerasTensor` in place of each array.

    `fn` runs abstractly: nothing is computed, and its assignments to variables are dropped.

    Args:
        fn: any function of arrays.
        args, kwargs: arguments with symbolic tensors among them.
    """
    try:
        return _to_spec(_evaluate(fn, args, kwargs, _unknown_size()))
    except LoadLimitError:
        raise
    except Exception as error:
        unknown = _unknown_places(args, kwargs)
        if not unknown:
            raise
        refused: Exception | None = None
        for told in itertools.islice(_tellings(unknown, args, kwargs), _MOST_TELLINGS):
            try:
                first, second = (_evaluate(fn, args, kwargs, size, told) for size in _STAND_INS)
            except Exception as concrete_error:
                refused = refused or concrete_error
            else:
                return _to_spec(tree.map_structure(_merge, first, second))
        refused = cast(Exception, refused)  # at least one guess was tried, and all failed
        _name_unknown_sizes(refused, fn, args, kwargs)
        raise refused from (None if type(refused) is type(error) else error)


_MOST_TELLINGS = 64
_STAND_INS = 84, 96  # sizes with many divisors, since code may split an axis


def _name_unknown_sizes(refused: Exception, fn: AnyFunction, args: Args, kwargs: Kwargs) -> None:
    """Replace the numbers in an error message that derive from a stand-in by None: they differ between stand-ins."""
    try:
        _evaluate(fn, args, kwargs, _STAND_INS[1])
    except Exception as other:
        texts = [error.args[0] for error in (refused, other) if error.args and isinstance(error.args[0], str)]
        if len(texts) < 2:
            return
        first, second = (re.split(r"(\d+)", text) for text in texts)
        if len(first) == len(second) and first[::2] == second[::2]:
            told = "".join(a if a == b else "None" for a, b in zip(first, second, strict=True))
            refused.args = (told, *refused.args[1:])


def _unknown_places(args: Args, kwargs: Kwargs) -> list[tuple[int, int]]:
    """The unknown dimensions: pairs of a leaf's index among the arguments and an axis."""
    shapes = [x.shape if isinstance(x, KerasTensor) else () for x in tree.flatten((args, kwargs))]
    return [(i, axis) for i, shape in enumerate(shapes) for axis, size in enumerate(shape) if size is None]


def _tellings(unknown: list[tuple[int, int]], args: Args, kwargs: Kwargs) -> Iterator[dict[tuple[int, int], int]]:
    """Guesses at which known sizes unknown ones equal, for none up to two of them; each comes from a different
    tensor."""
    shapes = [getattr(x, "shape", ()) for x in tree.flatten((args, kwargs))]
    sizes = [{size for size in shape if isinstance(size, int) and size > 1} for shape in shapes]
    yield {}
    for count in (1, 2):
        for places in itertools.combinations(unknown, count):
            others = [set().union(*sizes[:i], *sizes[i + 1 :]) for i, _ in places]
            for chosen in itertools.product(*map(sorted, others)):
                yield dict(zip(places, chosen, strict=True))


def _evaluate(
    fn: AnyFunction, args: Args, kwargs: Kwargs, size: object, told: dict[tuple[int, int], int] | None = None
) -> Nested:
    """Run `fn` abstractly with `size` in place of every unknown dimension that is not in `told`."""
    leaves = tree.flatten((args, kwargs))
    statics: AnyList = []  # the result of fn without its arrays

    def run(arrays: list[jax.Array]) -> list[jax.Array]:
        given = iter(arrays)
        filled = [next(given) if isinstance(x, KerasTensor) else x for x in leaves]
        new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), filled)
        result, _ = functional(fn, ())((), *new_args, **new_kwargs)
        outputs = tree.flatten(result)
        is_array = [isinstance(x, (jax.Array, np.ndarray, Variable)) for x in outputs]
        statics.append((result, outputs, is_array))
        return [jnp.asarray(getattr(x, "value", x)) for x, array in zip(outputs, is_array, strict=True) if array]

    shapes = [_abstract(x, i, size, told or {}) for i, x in enumerate(leaves) if isinstance(x, KerasTensor)]
    arrays = iter(jax.eval_shape(run, shapes))
    result, outputs, is_array = statics[-1]
    return tree.pack_sequence_as(
        result, [next(arrays) if array else x for x, array in zip(outputs, is_array, strict=True)]
    )


def _abstract(x: KerasTensor, place: int, size: object, told: dict[tuple[int, int], int]) -> jax.ShapeDtypeStruct:
    if x.dtype == "string":
        raise ValueError(
            "It expects numbers but received text. Layers that accept text are TextVectorization, StringLookup, "
            "Hashing and HashedCrossing."
        )
    shape = (told.get((place, axis), size) if d is None else d for axis, d in enumerate(x.shape))
    return jax.ShapeDtypeStruct(tuple(shape), dtypes.as_computed(x.dtype))


def _merge(a: Tensor, b: Tensor) -> Nested:
    """The merged spec of one output at two sizes: dimensions that differ are unknown."""
    if not isinstance(a, jax.ShapeDtypeStruct):
        return a
    return KerasTensor([p if p == q else None for p, q in zip(a.shape, b.shape, strict=True)], a.dtype)


def _to_spec(structure: object) -> Nested:
    def convert(x: object) -> Nested:
        if not isinstance(x, jax.ShapeDtypeStruct):
            return x
        return KerasTensor([d if isinstance(d, int) else None for d in x.shape], x.dtype)

    return tree.map_structure(convert, structure)
