"""JAX's primitives on NumPy: what runs operation by operation then needs no compiler, which took most of the time.

It holds where `jax.disable_jit()` does, and for the primitives of `ON_NUMPY`; the others are compiled as ever. Shapes,
dtypes and weak types are those that JAX says.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import numpy as np
from jax import lax
from jax._src import config
from jax._src.array import ArrayImpl
from jax._src.core import Primitive
from jax._src.interpreters import pxla


def _dot(a: np.ndarray, b: np.ndarray, dimension_numbers: tuple, preferred_element_type: Any, **_: Any) -> np.ndarray:
    (summed, others), (batch, batches) = dimension_numbers
    left = [i for i in range(a.ndim) if i not in (*summed, *batch)]
    right = [i for i in range(b.ndim) if i not in (*others, *batches)]
    shape = [a.shape[i] for i in (*batch, *left)] + [b.shape[i] for i in right]
    count = int(np.prod([a.shape[i] for i in summed], dtype=int))
    rows = [a.shape[i] for i in batch]
    a = a.transpose(*batch, *left, *summed).reshape(*rows, _size(a, left), count)
    b = b.transpose(*batches, *others, *right).reshape(*rows, count, _size(b, right))
    return np.matmul(_wide(a), _wide(b)).reshape(shape)


def _size(x: np.ndarray, axes: list[int]) -> int:
    return int(np.prod([x.shape[i] for i in axes], dtype=int))


def _wide(x: np.ndarray) -> np.ndarray:
    """Sums of halves are formed in float32."""
    return x.astype("float32") if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def _broadcast(x: np.ndarray, shape: tuple, broadcast_dimensions: tuple, **_: Any) -> np.ndarray:
    sizes = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(x.reshape(sizes), shape)


def _reshape(x: np.ndarray, new_sizes: tuple, dimensions: tuple | None, **_: Any) -> np.ndarray:
    return (x if dimensions is None else x.transpose(dimensions)).reshape(new_sizes)


def _slice(x: np.ndarray, start_indices: tuple, limit_indices: tuple, strides: tuple | None) -> np.ndarray:
    steps = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def _starts(x: np.ndarray, starts: tuple, sizes: tuple) -> tuple[slice, ...]:
    """Where a slice of these sizes begins: inside, as far as it must."""
    begins = [max(0, min(int(s), n - size)) for s, n, size in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(b, b + size) for b, size in zip(begins, sizes, strict=True))


def _dynamic_slice(x: np.ndarray, *starts: np.ndarray, slice_sizes: tuple) -> np.ndarray:
    return x[_starts(x, starts, slice_sizes)]


def _dynamic_update_slice(x: np.ndarray, update: np.ndarray, *starts: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[_starts(x, starts, update.shape)] = update
    return x


def _pad(x: np.ndarray, value: np.ndarray, padding_config: tuple) -> np.ndarray:
    if any(low < 0 or high < 0 for low, high, _ in padding_config):
        return NotImplemented
    inner = [n + max(n - 1, 0) * between for n, (_, _, between) in zip(x.shape, padding_config, strict=True)]
    sizes = [low + n + high for n, (low, high, _) in zip(inner, padding_config, strict=True)]
    padded = np.full(sizes, value, x.dtype)
    places = zip(inner, padding_config, strict=True)
    padded[tuple(slice(low, low + n, between + 1) for n, (low, _, between) in places)] = x
    return padded


def _select(which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    return np.where(which, cases[1], cases[0]) if len(cases) == 2 and which.dtype == bool else NotImplemented


def _convert(x: np.ndarray, new_dtype: Any, **_: Any) -> np.ndarray:
    real = x.dtype.kind in "fV"
    return NotImplemented if real and np.dtype(new_dtype).kind in "iu" else x  # what does not fit is XLA's affair


def _iota(dtype: Any, shape: tuple, dimension: int, **_: Any) -> np.ndarray:
    sizes = [n if axis == dimension else 1 for axis, n in enumerate(shape)]
    return np.broadcast_to(np.arange(shape[dimension]).reshape(sizes), shape)


def _reals(function: Callable) -> Callable:
    """A function that is left to XLA for whole numbers."""
    return lambda *xs, **_: NotImplemented if xs[0].dtype.kind in "iub" else function(*xs)


def _reduced(function: Callable) -> Callable:
    return lambda x, axes, **_: function(_wide(x), axis=tuple(axes))


def _cumulative(function: Callable) -> Callable:
    def along(x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
        return np.flip(function(np.flip(x, axis), axis), axis) if reverse else function(x, axis)

    return along


def _plain(function: Callable) -> Callable:
    return lambda *xs, **_: function(*xs)


def _arg(function: Callable) -> Callable:
    return lambda x, axes, **_: function(x, axes[0])


def _shift(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.where(by < 32, x >> np.minimum(by, 31), 0) if x.dtype == "uint32" else NotImplemented


ON_NUMPY: dict[Primitive, Callable] = {
    **{getattr(lax, f"{name}_p"): _plain(function) for name, function in {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "max": np.maximum, "min": np.minimum, "abs": np.abs,
        "neg": np.negative, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
        "ge": np.greater_equal, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert,
        "square": np.square, "copy": np.array, "shift_right_logical": _shift,
        "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    }.items()},
    **{getattr(lax, f"{name}_p"): _reals(function) for name, function in {
        "div": np.divide, "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "tanh": np.tanh,
        "sqrt": np.sqrt, "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "is_finite": np.isfinite,
        "pow": np.power, "sin": np.sin, "cos": np.cos,
        "rsqrt": lambda x: 1 / np.sqrt(_wide(x)), "logistic": lambda x: 1 / (1 + np.exp(-_wide(x))),
    }.items()},
    lax.reduce_sum_p: _reduced(np.sum), lax.reduce_max_p: _reduced(np.max), lax.reduce_min_p: _reduced(np.min),
    lax.reduce_prod_p: _reduced(np.prod), lax.reduce_and_p: _reduced(np.all), lax.reduce_or_p: _reduced(np.any),
    lax.argmax_p: _arg(np.argmax), lax.argmin_p: _arg(np.argmin),
    lax.cumsum_p: _cumulative(np.cumsum), lax.cumprod_p: _cumulative(np.cumprod),
    lax.integer_pow_p: lambda x, y: NotImplemented if y < 0 else x**y,
    lax.dot_general_p: _dot, lax.broadcast_in_dim_p: _broadcast, lax.reshape_p: _reshape, lax.slice_p: _slice,
    lax.transpose_p: lambda x, permutation: x.transpose(permutation),
    lax.squeeze_p: lambda x, dimensions: x.reshape([n for i, n in enumerate(x.shape) if i not in dimensions]),
    lax.split_p: lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    lax.concatenate_p: lambda *xs, dimension: np.concatenate(xs, dimension),
    lax.rev_p: lambda x, dimensions: np.flip(x, axis=dimensions),
    lax.dynamic_slice_p: _dynamic_slice, lax.dynamic_update_slice_p: _dynamic_update_slice, lax.pad_p: _pad,
    lax.select_n_p: _select, lax.convert_element_type_p: _convert, lax.iota_p: _iota,
}  # fmt: skip


@functools.lru_cache(maxsize=100_000)
def _results(primitive: Primitive, taken: tuple, parameters: tuple) -> Any:
    """What JAX says of the results: their shapes, dtypes and weak types."""
    return primitive.abstract_eval(*taken, **dict(parameters))[0]


def putter() -> Callable:
    """A function that makes a JAX array of a NumPy array and of what JAX says of it."""
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    devices = jax.devices()[:1]

    def put(value: np.ndarray, of: Any) -> jax.Array:
        value = np.ascontiguousarray(value.astype(of.dtype, copy=False)).reshape(of.shape)
        return pxla.batched_device_put(of, place, [value], devices)

    return put


def _impl(primitive: Primitive, function: Callable, compiled: Callable) -> Callable:
    put = putter()

    def impl(*args: Any, **parameters: Any) -> Any:
        if not config.disable_jit.value or any(type(a) is not ArrayImpl for a in args):
            return compiled(*args, **parameters)
        value = function(*map(np.asarray, args), **parameters)
        if value is NotImplemented:
            return compiled(*args, **parameters)
        of = _results(primitive, tuple(a.aval for a in args), tuple(parameters.items()))
        return [*map(put, value, of)] if primitive.multiple_results else put(np.asarray(value), of)

    return impl


@contextlib.contextmanager
def on_numpy() -> Iterator[None]:
    """Run the primitives of the table on NumPy wherever `jax.disable_jit()` holds."""
    with contextlib.ExitStack() as patches:
        for primitive, function in ON_NUMPY.items():
            patches.enter_context(mock.patch.object(primitive, "impl", _impl(primitive, function, primitive.impl)))
        yield
