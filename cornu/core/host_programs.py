"""Programs run by NumPy: applying a layer to a single image without recompiling for each image size.

XLA compiles a program for each shape, which takes a hundred times longer than processing one image. When the images of
a dataset come one at a time in all sizes, JAX only traces the program (`jax.make_jaxpr`, a few milliseconds per size),
and NumPy runs it, operation by operation. An operation that is missing from the table below runs on JAX; so do random
numbers, whose shapes seldom depend on the image's.
"""

import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import tree
from cornu.core import border
from cornu.core.typing import AnyFunction, AnyList, AnyTuple, Args, DTypeLike, Kwargs, Leaves, Nested, Tensor
from cornu.core.variable import functional

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

_preferred: ContextVar[bool] = ContextVar("cornu_host", default=False)
_IMAGE_AXES = 3
_MOST = 256  # programs cached per layer
_one_at_a_time = threading.RLock()  # no other thread may read a variable between its read and its update


def preferring(function: AnyFunction, *args: object) -> jax.Array:
    """`function(*args)`, in which image layers that receive a single image run on NumPy."""
    token = _preferred.set(True)
    try:
        return function(*args)
    finally:
        _preferred.reset(token)


def fits(args: Args) -> bool:
    """Whether the first argument of the call is a single image, or a dictionary of one, while NumPy is preferred."""
    if not _preferred.get() or not args:
        return False
    image = args[0].get("images") if isinstance(args[0], dict) else args[0]
    if not isinstance(image, (np.ndarray, jax.Array)) or isinstance(image, jax.core.Tracer):
        return False
    return image.ndim == _IMAGE_AXES


class Programs:
    """The programs of one layer, keyed by the shapes of its inputs.

    Args:
        function: the function to trace.
        variables: the variables it reads and assigns.
    """

    def __init__(self, function: AnyFunction, variables: Sequence[Any]):
        self.function, self.variables = function, list(variables)
        self._kept: dict[tuple[object, ...], Any] = {}

    def run(self, args: Args, kwargs: Kwargs) -> Nested:
        """The function's result as NumPy arrays; variables are assigned."""
        leaves = [border.narrowed(np.asarray(x)) if _is_array(x) else x for x in tree.flatten((args, kwargs))]
        key = tuple((leaf.shape, leaf.dtype) if _is_array(leaf) else leaf for leaf in leaves)
        arrays = [leaf for leaf in leaves if _is_array(leaf)]
        key = (*key, str(jax.tree.structure((args, kwargs))))
        with _one_at_a_time, np.errstate(all="ignore"):
            if key not in self._kept:
                if len(self._kept) >= _MOST:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = self._written((args, kwargs), leaves)
            program, update, form, count = self._kept[key]
            given = [*(np.asarray(variable.value) for variable in self.variables), *arrays]
            for variable, value in zip(self.variables, update(given), strict=True):
                if value is not None:
                    variable.assign(value)
        with np.errstate(all="ignore"):
            return jax.tree.unflatten(form, program(given)[:count])

    def _written(self, structure: object, leaves: Leaves) -> AnyTuple:
        forms: list[object] = []

        def flat(values: list[jax.Array], *arrays: object) -> tuple[list[jax.Array], list[jax.Array]]:
            rest = iter(arrays)
            filled = [next(rest) if _is_array(leaf) else leaf for leaf in leaves]
            args, kwargs = tree.pack_sequence_as(structure, filled)
            result, after = functional(lambda: self.function(*args, **kwargs), self.variables)(values)
            found, form = jax.tree.flatten(result)
            forms.append(form)
            return found, after

        specs = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves if _is_array(leaf)]
        token = _preferred.set(False)
        try:
            closed = jax.make_jaxpr(flat)([variable.value for variable in self.variables], *specs)
        finally:
            _preferred.reset(token)
        count = len(closed.jaxpr.outvars) - len(self.variables)
        return functools.partial(run, closed.jaxpr, closed.consts), self._update(closed, count), forms[0], count

    def _update(self, closed: Any, count: int) -> Callable[[list[Tensor]], list[Tensor]]:
        """The part of the program that computes the new values of the variables; None for a variable that is
        unchanged."""
        jaxpr = closed.jaxpr
        after, before = jaxpr.outvars[count:], jaxpr.invars
        changed = [new for new, old in zip(after, before, strict=False) if new is not old]
        equations = _needed(jaxpr.eqns, changed)

        def update(given: list[Tensor]) -> list[Tensor]:
            found = iter(run(jaxpr, closed.consts, given, equations, changed))
            return [None if new is old else next(found) for new, old in zip(after, before, strict=False)]

        return update


def _needed(equations: Sequence[Any], outputs: Sequence[Any]) -> AnyList:
    """The equations that outputs depend on."""
    wanted, found = set(outputs), []
    for equation in reversed(equations):
        if wanted.intersection(equation.outvars):
            found.append(equation)
            wanted.update(atom for atom in equation.invars if not hasattr(atom, "val"))
    return found[::-1]


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, (np.ndarray, jax.Array))


_of: weakref.WeakKeyDictionary[object, Programs] = weakref.WeakKeyDictionary()


def call(layer: "Layer", function: AnyFunction, args: Args, kwargs: Kwargs) -> Nested:
    """`function(*args, **kwargs)` of a built layer, on NumPy."""
    programs = _of.get(layer)
    if programs is None or [*map(id, programs.variables)] != [*map(id, layer.variables)]:
        held = weakref.ref(layer)
        programs = _of[layer] = Programs(lambda *a, **k: function(held(), *a, **k), layer.variables)
    return programs.run(args, kwargs)


# ---------------------------------------------------------------- running a program


def run(
    jaxpr: Any,
    consts: Sequence[Tensor],
    arguments: Sequence[Tensor],
    equations: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
) -> list[Tensor]:
    """The outputs of a jaxpr, or some of them, evaluating only the equations they need."""
    values: dict[Any, Tensor] = dict(
        zip([*jaxpr.constvars, *jaxpr.invars], [*map(_on_host, consts), *arguments], strict=True)
    )

    def read(atom: Any) -> Any:
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]

    for equation in jaxpr.eqns if equations is None else equations:
        inputs = [read(atom) for atom in equation.invars]
        rule = _RULES.get(equation.primitive.name)
        made = None if rule is None else rule(*inputs, **equation.params)
        if made is None:
            made = _on_jax(equation, inputs)
        values |= zip(equation.outvars, made if isinstance(made, list) else [made], strict=True)
    return [read(atom) for atom in (jaxpr.outvars if outputs is None else outputs)]


def _on_jax(equation: Any, inputs: list[Tensor]) -> list[Tensor]:
    made = equation.primitive.bind(*map(_on_device, inputs), **equation.params)
    return list(map(_on_host, made if equation.primitive.multiple_results else [made]))


def _on_device(value: object) -> object:
    return jnp.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _on_host(value: object) -> jax.Array | np.ndarray:
    """A NumPy array; PRNG keys remain JAX arrays."""
    return (
        value
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        else np.asarray(value)
    )


def _inner(*inputs: Nested, **params: Any) -> list[Tensor]:
    inner = params.get("jaxpr") or params["call_jaxpr"]
    return run(inner.jaxpr, inner.consts, inputs)


def _branch(index: Any, *inputs: object, branches: Any, **params: object) -> list[Tensor]:
    chosen = branches[int(np.clip(index, 0, len(branches) - 1))]
    return run(chosen.jaxpr, chosen.consts, inputs)


def _plain(function: AnyFunction) -> AnyFunction:
    return lambda *inputs, **params: function(*inputs)


def _reduced(function: AnyFunction) -> AnyFunction:
    return lambda x, axes, **params: np.asarray(function(x, axis=tuple(axes)), x.dtype)


def _divided(x: Tensor, y: Tensor, **params: object) -> jax.Array:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    return np.abs(x) // np.abs(y) * np.sign(x) * np.sign(y)  # integer division truncates toward zero


def _rounded(x: Tensor, rounding_method: Any, **params: object) -> jax.Array:
    if int(rounding_method) == 1:
        return np.rint(x)
    return np.trunc(x + np.copysign(x.dtype.type(0.5), x))


def _seen_as(x: Tensor, new_dtype: Any) -> Tensor:
    return x.view(new_dtype) if x.itemsize == np.dtype(new_dtype).itemsize else None


def _broadcast(
    x: Tensor, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], **params: object
) -> np.ndarray:
    sizes = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(x.reshape(sizes), shape)


def _sliced(
    x: Tensor, start_indices: tuple[int, ...], limit_indices: tuple[int, ...], strides: Any, **params: object
) -> jax.Array:
    strides = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, strides))]


def _sliced_anywhere(x: Tensor, *starts: Tensor, slice_sizes: tuple[int, ...], **params: object) -> jax.Array:
    places = [min(max(int(s), 0), size - n) for s, size, n in zip(starts, x.shape, slice_sizes, strict=True)]
    return x[tuple(slice(s, s + n) for s, n in zip(places, slice_sizes, strict=True))]


def _padded(x: Tensor, value: Tensor, padding_config: Any, **params: object) -> np.ndarray | None:
    if any(low < 0 or high < 0 or inner for low, high, inner in padding_config):
        return None
    return np.pad(x, [(low, high) for low, high, _ in padding_config], constant_values=value)


def _counted(dtype: DTypeLike, shape: tuple[int, ...], dimension: int, **params: object) -> np.ndarray:
    sizes = [1] * len(shape)
    sizes[dimension] = shape[dimension]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(sizes), shape)


def _multiplied(x: Tensor, y: Tensor, dimension_numbers: Any, **params: object) -> np.ndarray | None:
    summed, together = dimension_numbers
    return None if together[0] else np.tensordot(x, y, axes=(summed[0], summed[1]))


def _selected(which: Tensor, *cases: Tensor, **params: object) -> Tensor:
    return np.where(which, cases[1], cases[0]) if which.dtype == bool else np.choose(which, cases)


def _gathered(
    x: Tensor, indices: Tensor, dimension_numbers: Any, slice_sizes: tuple[int, ...], mode: str | None, **params: object
) -> Nested:
    """Slices that start where the indices say, one axis of the index array after another."""
    if str(mode).endswith("FILL_OR_DROP"):
        return None
    numbers = dimension_numbers
    alone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    kept = [axis for axis in range(x.ndim) if axis not in alone]
    rank = indices.ndim - 1 + len(kept)
    rows = [axis for axis in range(rank) if axis not in numbers.offset_dims]  # axes of the result from the indices

    def along(values: Tensor, axes: Sequence[int]) -> jax.Array:
        sizes = [1] * rank
        for axis, size in zip(axes, values.shape, strict=True):
            sizes[axis] = size
        return values.reshape(sizes)

    places: AnyList = [0] * x.ndim
    for number, axis in enumerate(numbers.start_index_map):
        places[axis] = along(np.clip(indices[..., number], 0, x.shape[axis] - slice_sizes[axis]), rows)
    for axis, row in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        places[axis] = along(np.arange(x.shape[axis]), [rows[row]])
    for axis, offset in zip(kept, numbers.offset_dims, strict=True):
        places[axis] = places[axis] + along(np.arange(slice_sizes[axis]), [offset])
    return x[tuple(places)]


_ELEMENTWISE: dict[str, AnyFunction] = {
    "abs": np.abs, "add": np.add, "and": np.bitwise_and, "ceil": np.ceil, "cos": np.cos, "eq": np.equal, "exp": np.exp,
    "floor": np.floor, "ge": np.greater_equal, "gt": np.greater, "is_finite": np.isfinite, "le": np.less_equal,
    "log": np.log, "lt": np.less, "max": np.maximum, "min": np.minimum, "mul": np.multiply, "ne": np.not_equal,
    "neg": np.negative, "not": np.invert, "or": np.bitwise_or, "pow": np.power, "rem": np.fmod,
    "shift_left": np.left_shift, "sign": np.sign, "sin": np.sin, "sqrt": np.sqrt, "square": np.square,
    "sub": np.subtract, "tanh": np.tanh, "xor": np.bitwise_xor,
}  # fmt: skip
_REDUCTIONS: dict[str, AnyFunction] = {"and": np.all, "max": np.max, "min": np.min, "or": np.any, "sum": np.sum}
_RULES: dict[str, AnyFunction] = {
    **{name: _plain(function) for name, function in _ELEMENTWISE.items()},
    **{f"reduce_{name}": _reduced(function) for name, function in _REDUCTIONS.items()},
    "argmax": lambda x, axes, index_dtype: np.argmax(x, axes[0]).astype(index_dtype),
    "bitcast_convert_type": _seen_as,
    "broadcast_in_dim": _broadcast,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "concatenate": lambda *parts, dimension: np.concatenate(parts, dimension),
    "cond": _branch,
    "convert_element_type": lambda x, new_dtype, **params: x.astype(new_dtype),
    "div": _divided,
    "copy": lambda x: x,
    "cumsum": lambda x, axis, reverse: None if reverse else np.cumsum(x, axis, x.dtype),
    "custom_jvp_call": _inner,
    "custom_vjp_call": _inner,
    "dot_general": _multiplied,
    "dynamic_slice": _sliced_anywhere,
    "gather": _gathered,
    "integer_pow": lambda x, y, **params: x**y,
    "iota": _counted,
    "jit": _inner,
    "pad": _padded,
    "pjit": _inner,
    "reshape": lambda x, new_sizes, dimensions, **params: x.reshape(new_sizes) if dimensions is None else None,
    "rev": lambda x, dimensions: np.flip(x, tuple(dimensions)),
    "round": _rounded,
    "select_n": _selected,
    "shift_right_logical": lambda x, y: np.right_shift(x, y) if x.dtype.kind == "u" else None,
    "slice": _sliced,
    "squeeze": lambda x, dimensions: np.squeeze(x, tuple(dimensions)),
    "stop_gradient": lambda x: x,
    "stack": lambda *parts, axis: np.stack(parts, axis),
    "transpose": lambda x, permutation: x.transpose(permutation),
}  # fmt: skip
