"""TensorFlow's top-level functions that create, join, slice and index tensors, and control flow."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, tree
from cornu.core.remat import remat
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyFunction, AnyList, Axes, DTypeLike, Nested, Tensor
from cornu.core.variable import Variable
from cornu.tensorflow.linalg import _eye, _global_norm, _norm, einsum, matmul  # noqa: F401 - for the table
from cornu.tensorflow.served import functions, sizes
from cornu.tensorflow.texts import Text, is_text, text
from cornu.tensorflow.types import Sizes, TensorShape, as_dtype, known

__all__ = [
    "TensorArray",
    "bitcast",
    "broadcast_dynamic_shape",
    "broadcast_static_shape",
    "case",
    "clip_by_global_norm",
    "cond",
    "constant",
    "convert_to_tensor",
    "custom_gradient",
    "dynamic_partition",
    "dynamic_stitch",
    "einsum",
    "ensure_shape",
    "foldl",
    "foldr",
    "get_static_value",
    "grad_pass_through",
    "group",
    "histogram_fixed_width",
    "histogram_fixed_width_bins",
    "identity_n",
    "is_symbolic_tensor",
    "map_fn",
    "meshgrid",
    "newaxis",
    "numpy_function",
    "py_function",
    "recompute_grad",
    "reverse_sequence",
    "scan",
    "switch_case",
    "vectorized_map",
    "while_loop",
]  # fmt: skip

newaxis = None

# ---------------------------------------------------------------- making


def constant(value: Tensor, dtype: DTypeLike | None = None, shape: object = None, name: str | None = "Const") -> Tensor:
    """A tensor with this value; a scalar fills `shape`."""
    if shape is None and dtype in (None, "int32") and (made := known(value)) is not None:
        return made
    made = convert_to_tensor(value, dtype)
    if shape is None:
        return made
    return ops.broadcast_to(made, sizes(shape)) if np.size(made) == 1 else ops.reshape(made, sizes(shape))


def convert_to_tensor(
    value: Tensor, dtype: DTypeLike | None = None, dtype_hint: DTypeLike | None = None, name: str | None = None
) -> Tensor:
    """A number, a nested list, an array or text as a tensor."""
    if is_text(value) or dtype == "string":
        return text(value)
    if dtype is None and dtype_hint is not None and not hasattr(value, "dtype"):
        dtype = dtype_hint
    if isinstance(value, jax.Array) and (dtype is None or value.dtype == dtype):
        return value
    return ops.convert_to_tensor(value, dtype)


def _zeros(shape: tuple[int, ...], dtype: DTypeLike = "float32") -> Text | jax.Array:
    return text(np.full(shape, b"", object)) if dtype == "string" else ops.zeros(shape, dtype)


def _zeros_like(input: Tensor, dtype: DTypeLike | None = None) -> Text | jax.Array:
    return text(np.full(np.shape(text(input)), b"", object)) if is_text(input) else ops.zeros_like(input, dtype)


def _ones_like(input: Tensor, dtype: DTypeLike | None = None) -> Tensor:
    return ops.ones_like(input, dtype)


def _cast(x: Tensor, dtype: DTypeLike | None) -> Tensor:
    if hasattr(x, "with_values"):  # a sparse tensor
        return x.with_values(_cast(x.values, dtype))
    if is_text(x):
        if dtype == "string":
            return text(x)
        raise TypeError("tf.cast: use tf.strings.to_number to convert text to numbers.")
    x = ops.convert_to_tensor(x)
    parts = as_dtype(x.dtype).is_complex and not as_dtype(dtype).is_complex
    return ops.cast(ops.real(x) if parts else x, dtype)


def _fill(dims: object, value: Tensor) -> Text | jax.Array:
    return text(np.full(sizes(dims), value)) if is_text(value) else jnp.full(sizes(dims), jnp.asarray(value))


def _linspace(start: object, stop: object, num: int, axis: int = 0) -> jax.Array | tuple[jax.Array, jax.Array]:
    return ops.linspace(start, stop, int(num), axis=axis)


def _range(start: object, limit: object = None, delta: object = 1, dtype: DTypeLike | None = None) -> Tensor:
    start, limit = (0, start) if limit is None else (start, limit)
    if dtype in (None, "int32") and (ends := known((start, limit, delta))) is not None:
        return known(np.arange(*ends.tolist()))
    return ops.arange(_plain(start), _plain(limit), _plain(delta), dtype)


def _plain(number: object) -> Tensor:
    return number.item() if hasattr(number, "item") else number


# ---------------------------------------------------------------- joining and cutting


def _concat(values: Tensor, axis: int) -> Text | jax.Array:
    if any(map(is_text, values)):
        return text(np.concatenate([np.asarray(text(each)) for each in values], int(axis)))
    return ops.concatenate(list(values) if isinstance(values, (list, tuple)) else [values], int(axis))


def _stack(values: Tensor, axis: int = 0) -> Text | jax.Array:
    if any(map(is_text, values)):
        return text(np.stack([np.asarray(text(each)) for each in values], axis))
    return ops.stack(list(values), axis)


def _split(value: Tensor, num_or_size_splits: object, axis: int = 0, num: int | None = None) -> list[Tensor]:
    count = np.asarray(num_or_size_splits)
    if count.ndim == 0:
        return list(ops.split(value, int(count), axis))
    lengths = count.tolist()
    if -1 in lengths:
        lengths[lengths.index(-1)] = ops.shape(value)[axis] - sum(lengths) - 1
    return list(ops.split(value, np.cumsum(lengths)[:-1].tolist(), axis))


def _expand_dims(input: Tensor, axis: int) -> Tensor:
    if is_text(input):
        return text(np.expand_dims(np.asarray(text(input)), axis))
    if (size := known(input)) is not None:
        return known(np.expand_dims(size, int(axis)).astype(int))
    return ops.expand_dims(input, int(axis))


def _reshape(tensor: Tensor, shape: Tensor) -> Text | jax.Array:
    if is_text(tensor):
        return text(np.reshape(np.asarray(tensor), sizes(shape)))
    return ops.reshape(tensor, _known(sizes(shape), ops.shape(tensor)))


def _known(shape: tuple[int, ...], given: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose -1 is resolved although another size, that of the batch, is unknown."""
    if None not in shape or -1 not in shape:
        return shape
    rest = math.prod(n for n in given if n is not None) // math.prod(n for n in shape if n not in (None, -1))
    return tuple(rest if n == -1 else n for n in shape)


def _tile(input: Tensor, multiples: object) -> jax.Array:
    return ops.tile(input, sizes(multiples))


def _pad(tensor: Tensor, paddings: Tensor, mode: str = "CONSTANT", constant_values: Tensor = 0) -> jax.Array:
    amounts = np.asarray(paddings).tolist()
    return ops.pad(tensor, amounts, mode.lower(), constant_values if mode.upper() == "CONSTANT" else None)


def _slice(input_: Tensor, begin: Tensor, size: Tensor) -> jax.Array:
    input_ = jnp.asarray(input_)
    begin, size = sizes(begin), sizes(size)
    return input_[tuple(slice(at, None if n == -1 else at + n) for at, n in zip(begin, size, strict=True))]


def _strided_slice(input_: Tensor, begin: Tensor, end: Tensor, strides: Tensor = None) -> jax.Array:
    input_, begin, end = jnp.asarray(input_), sizes(begin), sizes(end)
    return input_[tuple(slice(*each) for each in zip(begin, end, strides or [1] * len(begin), strict=True))]


def _reverse(tensor: Tensor, axis: int) -> jax.Array:
    return ops.flip(tensor, tuple(np.atleast_1d(axis).tolist()))


def _repeat(input: Tensor, repeats: Tensor, axis: int | None = None) -> jax.Array:
    return ops.repeat(input, np.asarray(repeats) if isinstance(repeats, (list, tuple)) else repeats, axis)


def meshgrid(*args: Tensor, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """The coordinates of a grid."""
    return list(ops.meshgrid(*args, indexing=indexing))


# ---------------------------------------------------------------- looking up


def _gather(
    params: Tensor, indices: Tensor, validate_indices: Tensor = None, axis: Tensor = None, batch_dims: int = 0
) -> Text | jax.Array:
    if is_text(params):
        return text(np.take(np.asarray(text(params)), np.asarray(indices), axis or 0))
    batch_dims = batch_dims % np.ndim(indices) if batch_dims < 0 else batch_dims
    axis = batch_dims if axis is None else int(axis)
    if batch_dims == 0:
        return ops.take(params, indices, axis)
    take = jnp.take
    for _ in range(batch_dims):
        take = jax.vmap(take, (0, 0, None))
    params = jnp.asarray(params)
    return take(params, jnp.asarray(indices), axis % params.ndim - batch_dims)


def _gather_nd(params: Tensor, indices: Tensor, batch_dims: int = 0) -> jax.Array:
    def one(values: jax.Array, places: jax.Array) -> jax.Array:
        return values[tuple(jnp.moveaxis(places, -1, 0))]

    for _ in range(batch_dims):
        one = jax.vmap(one)
    return one(jnp.asarray(params), jnp.asarray(indices))


def _where(condition: Tensor, x: Tensor = None, y: Tensor = None) -> jax.Array | Text:
    if x is None:
        return jnp.stack(jnp.nonzero(jnp.asarray(condition)), -1).astype("int32")
    if is_text(x):
        return text(np.where(np.asarray(condition), np.asarray(text(x)), np.asarray(text(y))))
    return ops.where(condition, x, y)


def _boolean_mask(tensor: Tensor, mask: Tensor, axis: int | None = None) -> jax.Array:
    mask = np.asarray(mask)
    rows = np.nonzero(mask.ravel())[0]
    axis = axis or 0
    shape = ops.shape(tensor)
    flat = ops.reshape(tensor, (*shape[:axis], -1, *shape[axis + mask.ndim :]))
    return ops.take(flat, rows, axis)


def _one_hot(
    indices: Tensor,
    depth: Tensor,
    on_value: Tensor = None,
    off_value: Tensor = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
) -> jax.Array:
    made = ops.one_hot(indices, int(depth), axis, "float32" if on_value is not None else dtype or "float32")
    if on_value is None and off_value is None:
        return made
    found = ops.where(ops.equal(made, 1), 1 if on_value is None else on_value, 0 if off_value is None else off_value)
    return found if dtype is None else ops.cast(found, dtype)


def _ordered(function: AnyFunction, values: Tensor, axis: int, direction: str) -> jax.Array:
    if direction == "ASCENDING":
        return function(values, axis)
    return ops.flip(function(values, axis), axis) if function is ops.sort else function(ops.negative(values), axis)


def _sort(values: Tensor, axis: int = -1, direction: str = "ASCENDING") -> jax.Array:
    return _ordered(ops.sort, values, axis, direction)


def _argsort(values: Tensor, axis: int = -1, direction: str = "ASCENDING") -> jax.Array:
    return _ordered(ops.argsort, values, axis, direction)


class Unique(NamedTuple):
    """Unique values in the order of first occurrence, and the index of each element's value."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """The same with the count of each."""

    y: Tensor
    idx: Tensor
    count: Tensor


def _unique(x: Tensor, out_idx: object = "int32") -> Tensor:
    values, first, places = np.unique(np.asarray(x), return_index=True, return_inverse=True)
    order = np.argsort(first)
    back = np.argsort(order)[places.ravel()]
    return Unique((text if is_text(x) else jnp.asarray)(values[order]), jnp.asarray(back))


def _unique_with_counts(x: Tensor, out_idx: object = "int32") -> Tensor:
    values, places = _unique(x)
    return UniqueWithCounts(values, places, jnp.bincount(places, length=len(values)))


def _sequence_mask(lengths: Tensor, maxlen: Tensor = None, dtype: DTypeLike = "bool") -> jax.Array:
    lengths = jnp.asarray(lengths)
    longest = int(lengths.max()) if maxlen is None else int(maxlen)
    return (jnp.arange(longest) < lengths[..., None]).astype(dtype)


def _scatter_nd(indices: Tensor, updates: object, shape: object) -> jax.Array:
    return ops.scatter(indices, updates, sizes(shape))


def _update(how: str | None) -> AnyFunction:
    def update(tensor: Tensor, indices: Tensor, updates: Tensor) -> jax.Array:
        return ops.scatter_update(tensor, indices, updates, how)

    return update


def _take_at(tensor: Tensor, indices: Tensor, updates: Tensor) -> jax.Array:
    return _add_at(tensor, indices, ops.negative(updates))


_set_at, _add_at, _max_at, _min_at = map(_update, (None, "add", "max", "min"))


def _clip_by_value(t: Tensor, clip_value_min: Tensor, clip_value_max: Tensor) -> jax.Array:
    t = ops.where(ops.greater(t, clip_value_max), clip_value_max, t)
    return ops.where(ops.less(t, clip_value_min), clip_value_min, t)


def _clip_by_norm(t: Tensor, clip_norm: float, axes: Axes = None) -> jax.Array:
    norm = ops.sqrt(ops.sum(ops.square(t), axes, True))
    return ops.multiply(t, ops.divide(clip_norm, ops.maximum(norm, clip_norm)))


def clip_by_global_norm(
    t_list: Sequence[Tensor], clip_norm: float, use_norm: Tensor = None, name: str | None = None
) -> tuple[list[Tensor], jax.Array]:
    """Tensors scaled together so that their `global_norm` is at most `clip_norm`, and the norm before."""
    norm = _global_norm(t_list) if use_norm is None else use_norm
    factor = clip_norm / ops.maximum(norm, clip_norm)
    return [each if each is None else ops.multiply(each, factor) for each in t_list], norm


def _equal(x: Tensor, y: Tensor) -> jax.Array:
    return text(x) == y if is_text(x) else text(y) == x if is_text(y) else ops.equal(x, y)


def _not_equal(x: Tensor, y: Tensor) -> jax.Array:
    return ops.logical_not(_equal(x, y))


def _identity(input: Tensor) -> Text | jax.Array:
    return text(input) if is_text(input) else ops.copy(input)


def _squeeze(input: Tensor, axis: Axes = None) -> jax.Array:
    return ops.squeeze(input, tuple(axis) if isinstance(axis, list) else axis)


def _transpose(a: Tensor, perm: object = None, conjugate: bool = False) -> jax.Array:
    found = ops.transpose(a, None if perm is None else sizes(perm))
    return ops.conj(found) if conjugate else found


def _space_to_batch(input: Tensor, block_shape: Tensor, paddings: Tensor) -> Tensor:
    blocks = np.atleast_1d(block_shape).tolist()
    ends = np.asarray(paddings).tolist()
    x = jnp.asarray(input)
    blocks = blocks * len(ends) if len(blocks) < len(ends) else blocks
    x = jnp.pad(x, [(0, 0), *ends, *[(0, 0)] * (x.ndim - 1 - len(ends))])
    batch, *space = x.shape[: 1 + len(blocks)]
    rest = x.shape[1 + len(blocks) :]
    cut = x.reshape(
        batch, *(n for size, block in zip(space, blocks, strict=True) for n in (size // block, block)), *rest
    )
    axes = range(len(blocks))
    order = [*(2 + 2 * at for at in axes), 0, *(1 + 2 * at for at in axes), *range(1 + 2 * len(blocks), cut.ndim)]
    small = [size // block for size, block in zip(space, blocks, strict=True)]
    return cut.transpose(order).reshape(-1, *small, *rest)  # (blocks * batch, small space, rest)


def _batch_to_space(input: Tensor, block_shape: Tensor, crops: Tensor) -> Tensor:
    x, ends = jnp.asarray(input), np.asarray(crops).tolist()
    blocks = np.atleast_1d(block_shape).tolist()
    blocks = blocks * len(ends) if len(blocks) < len(ends) else blocks
    count, (all_, *space), rest = len(blocks), x.shape[: 1 + len(blocks)], x.shape[1 + len(blocks) :]
    cut = x.reshape(*blocks, all_ // math.prod(blocks), *space, *rest)
    order = [count, *(each for at in range(count) for each in (count + 1 + at, at)), *range(2 * count + 1, cut.ndim)]
    large = [size * block for size, block in zip(space, blocks, strict=True)]
    whole = cut.transpose(order).reshape(-1, *large, *rest)
    parts = [slice(first, size - last) for (first, last), size in zip(ends, large, strict=True)]
    return whole[(slice(None), *parts)]


def _unravel_index(indices: Tensor, dims: Tensor) -> Tensor:
    return jnp.stack(jnp.unravel_index(jnp.asarray(indices), sizes(dims)))


def grad_pass_through(f: AnyFunction) -> AnyFunction:
    """A function like `f` with the gradient of the identity."""

    def passed(x: Tensor, *args: Tensor, **kwargs: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        return x + jax.lax.stop_gradient(f(x, *args, **kwargs) - x)

    return passed


def identity_n(input: Sequence[Tensor], name: str | None = None) -> list[Tensor]:
    """The unchanged tensors."""
    return [_identity(each) for each in input]


def is_symbolic_tensor(tensor: Tensor) -> bool:
    """Whether a tensor is symbolic."""
    return isinstance(tensor, (jax.core.Tracer, KerasTensor))


def _complex(real: object, imag: object) -> Tensor:
    return jax.lax.complex(jnp.asarray(real), jnp.asarray(imag))


TABLE = functions(
    """
    batch_to_space       _batch_to_space input block_shape crops
    space_to_batch       _space_to_batch input block_shape paddings
    space_to_batch_nd    _space_to_batch input block_shape paddings
    unravel_index        _unravel_index indices dims
    argsort              _argsort      values axis direction -stable
    boolean_mask         _boolean_mask tensor mask axis
    broadcast_to         broadcast_to  input=x shape
    cast                 _cast         x dtype
    clip_by_norm         _clip_by_norm t clip_norm axes
    clip_by_value        _clip_by_value t clip_value_min clip_value_max
    complex              _complex      real imag
    concat               _concat       values axis
    equal                _equal        x y
    expand_dims          _expand_dims  input axis
    eye                  _eye          num_rows num_columns batch_shape dtype
    fill                 _fill         dims value
    global_norm          _global_norm  t_list=tensors
    gather               _gather       params indices validate_indices axis batch_dims
    gather_nd            _gather_nd    params indices batch_dims
    identity             _identity     input
    linspace             _linspace     start stop num axis
    matmul               matmul        a b transpose_a transpose_b adjoint_a adjoint_b
    not_equal            _not_equal    x y
    norm                 _norm         tensor ord axis keepdims
    one_hot              _one_hot      indices depth on_value off_value axis dtype
    ones                 ones          shape dtype
    ones_like            _ones_like    input dtype -layout
    pad                  _pad          tensor paddings mode constant_values
    range                _range        start limit delta dtype
    repeat               _repeat       input repeats axis
    reshape              _reshape      tensor shape
    reverse              _reverse      tensor axis
    roll                 roll          input=x shift axis
    saturate_cast        saturate_cast value=x dtype
    scatter_nd           _scatter_nd   indices updates shape
    searchsorted         searchsorted  sorted_sequence values side -out_type
    sequence_mask        _sequence_mask lengths maxlen dtype
    slice                _slice        input_ begin size
    sort                 _sort         values axis direction
    split                _split        value num_or_size_splits axis num
    squeeze              _squeeze      input axis
    stack                _stack        values axis
    stop_gradient        stop_gradient input=variable
    strided_slice        _strided_slice input_ begin end strides
    tensor_scatter_nd_add    _add_at   tensor indices updates
    tensor_scatter_nd_max    _max_at   tensor indices updates
    tensor_scatter_nd_min    _min_at   tensor indices updates
    tensor_scatter_nd_sub    _take_at  tensor indices updates
    tensor_scatter_nd_update _set_at   tensor indices updates
    tensordot            tensordot     a=x1 b=x2 axes
    tile                 _tile         input multiples
    transpose            _transpose    a perm conjugate
    unique               _unique       x out_idx
    unique_with_counts   _unique_with_counts x out_idx
    unstack              unstack       value=x num axis
    where                _where        condition x y
    zeros                _zeros        shape dtype
    zeros_like           _zeros_like   input dtype -layout
    """,
    {**vars(ops), **globals()},
)


def _moving_text(function: AnyFunction) -> AnyFunction:
    """A function that rearranges elements, extended to text: it rearranges their positions, where 0 means no text."""

    @functools.wraps(function)
    def moved(*args: Tensor, **kwargs: Tensor) -> Tensor:
        given = args[0] if args else next(filter(is_text, kwargs.values()), None)
        if not is_text(given):
            return function(*args, **kwargs)
        source = np.asarray(text(given))
        places = np.arange(1, source.size + 1).reshape(source.shape)
        flat = np.array([b"", *source.ravel()], object)
        rest = {name: places if value is given else value for name, value in kwargs.items()}
        with jax.ensure_compile_time_eval():
            found = function(*(places if each is given else each for each in args), **rest)
        return jax.tree.map(lambda at: text(flat[np.asarray(at)]), found)

    return moved


TABLE |= {
    name: _moving_text(TABLE[name])
    for name in ("boolean_mask", "broadcast_to", "gather_nd", "pad", "repeat", "reverse", "roll", "slice", "split",
                 "squeeze", "strided_slice", "tile", "transpose", "unstack")
}  # fmt: skip

# ---------------------------------------------------------------- control


def is_concrete(value: Tensor) -> bool:
    """Whether a value is known, as everything is that is not being compiled."""
    return not isinstance(value, (jax.core.Tracer, KerasTensor))


def cond(pred: object, true_fn: AnyFunction, false_fn: AnyFunction, name: str | None = None) -> Nested:
    """What `true_fn()` gives if `pred` holds, else what `false_fn()` gives."""
    pred = pred.value if isinstance(pred, Variable) else pred
    if is_concrete(pred):
        return true_fn() if pred else false_fn()
    return ops.cond(pred, true_fn, false_fn)


def case(
    pred_fn_pairs: Tensor, default: AnyFunction | None = None, exclusive: bool = False, name: str | None = None
) -> Tensor:
    """What the function of the first condition that holds gives, else what `default()` gives."""
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    if default is None:
        *pairs, (_, default) = pairs
    if not pairs:
        return default()
    (pred, function), *rest = pairs
    return cond(pred, function, lambda: case(rest, default))


def switch_case(
    branch_index: Tensor, branch_fns: Tensor, default: AnyFunction | None = None, name: str | None = None
) -> Tensor:
    """What the function at an index gives; the last one, or `default`, for an index that there is not."""
    table = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    last = default or table[max(table)]
    if is_concrete(branch_index):
        return table.get(int(branch_index), last)()
    pairs = [(branch_index == index, function) for index, function in table.items()]
    return case(pairs, last)


def while_loop(
    cond: AnyFunction, body: AnyFunction, loop_vars: Tensor, shape_invariants: Tensor = None,
    parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    maximum_iterations: int | None = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Run `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)` holds."""
    values, rounds = [jnp.asarray(each) if isinstance(each, Sizes) else each for each in loop_vars], 0
    while is_concrete(held := cond(*values)):
        if not held or rounds == maximum_iterations:
            return tuple(values)
        found = body(*values)
        values = list(found) if isinstance(found, (list, tuple)) else [found]
        rounds += 1
    values = [jnp.asarray(each) if np.isscalar(each) else each for each in values]
    left = None if maximum_iterations is None else maximum_iterations - rounds
    return ops.while_loop(cond, lambda *now: _tuple(body(*now)), values, left)


def _tuple(values: Tensor) -> tuple[Tensor, ...]:
    return tuple(values) if isinstance(values, (list, tuple)) else (values,)


def map_fn(fn: AnyFunction, elems: Tensor, *ignored: object, **kwargs: object) -> Nested:
    """`fn` of each element along the first axis, stacked."""
    leaves = tree.flatten(elems)
    count = len(leaves[0])
    found = [fn(tree.pack_sequence_as(elems, [leaf[i] for leaf in leaves])) for i in range(count)]
    of_rows = getattr(elems, "of_rows", _stack)  # of a ragged tensor, whose rows have different lengths
    return tree.map_structure(lambda *each: of_rows(each) if np.ndim(each[0]) else _stack(each), *found)


def vectorized_map(fn: AnyFunction, elems: Tensor, fallback_to_while_loop: bool = True, warn: bool = True) -> Nested:
    """`fn` of each element along the first axis, all at once."""
    return jax.vmap(fn)(tree.map_structure(jnp.asarray, elems))


def scan(
    fn: AnyFunction,
    elems: Tensor,
    initializer: object = None,
    *ignored: Tensor,
    reverse: bool = False,
    **kwargs: Tensor,
) -> Tensor:
    """All values of `total = fn(total, element)` along the first axis, stacked."""
    leaves = tree.flatten(elems)
    order = list(range(len(leaves[0])))[:: -1 if reverse else 1]
    rows = [tree.pack_sequence_as(elems, [leaf[i] for leaf in leaves]) for i in order]
    found = [rows.pop(0)] if initializer is None else []
    total = found[0] if found else initializer
    for row in rows:
        total = fn(total, row)
        found.append(total)
    return tree.map_structure(lambda *each: _stack(each), *found[:: -1 if reverse else 1])


def foldl(fn: AnyFunction, elems: Tensor, initializer: object = None, *ignored: object, **kwargs: object) -> Nested:
    """The last value of `total = fn(total, element)` along the first axis."""
    rows = list(elems)
    total = rows.pop(0) if initializer is None else initializer
    for row in rows:
        total = fn(total, row)
    return total


def foldr(fn: AnyFunction, elems: Tensor, initializer: object = None, *ignored: object, **kwargs: object) -> Nested:
    """The last value of `total = fn(total, element)` along the first axis, from its end."""
    return foldl(fn, list(elems)[::-1], initializer)


def tuple_(tensors: Sequence[Tensor], control_inputs: object = None, name: str | None = None) -> list[Tensor]:
    """The tensors, all of which are computed."""
    return list(tensors)


def get_static_value(tensor: Tensor, partial: bool = False) -> np.ndarray | None:
    """The value of a tensor as NumPy has it; None while it is being compiled."""
    return np.asarray(tensor) if is_concrete(tensor) else None


def dynamic_partition(data: Tensor, partitions: Tensor, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """The elements of each part, where `partitions` says of each element to which part it belongs."""
    data, parts = jnp.asarray(data), np.asarray(partitions)
    return [data[parts == part] for part in range(num_partitions)]


def dynamic_stitch(indices: Sequence[Tensor], data: Sequence[Tensor], name: str | None = None) -> jax.Array:
    """Elements put together again, each at its index."""
    places = np.concatenate([np.ravel(each) for each in indices])
    rows = [jnp.reshape(jnp.asarray(each), (np.size(at), *np.shape(each)[np.ndim(at) :]))
            for at, each in zip(indices, data, strict=True)]  # fmt: skip
    values = jnp.concatenate(rows)
    return jnp.zeros((places.max() + 1, *values.shape[1:]), values.dtype).at[places].set(values)


def reverse_sequence(
    input: Tensor, seq_lengths: Tensor, seq_axis: int | None = None, batch_axis: int | None = None,
    name: str | None = None,
) -> jax.Array:  # fmt: skip
    """Each row of a batch with its first `seq_lengths` elements the other way round."""
    values = jnp.moveaxis(jnp.asarray(input), (batch_axis or 0, seq_axis or 0), (0, 1))
    along, lengths = jnp.arange(values.shape[1]), jnp.asarray(seq_lengths)[:, None]
    places = jnp.where(along < lengths, lengths - 1 - along, along)
    return jnp.moveaxis(jax.vmap(lambda row, at: row[at])(values, places), (0, 1), (batch_axis or 0, seq_axis or 0))


def histogram_fixed_width_bins(
    values: Tensor, value_range: Tensor, nbins: int = 100, dtype: DTypeLike | None = "int32", name: str | None = None
) -> jax.Array:
    """The number of the bin of each value; the first and the last one take what is outside."""
    low, high = value_range
    places = jnp.floor((jnp.asarray(values) - low) / (high - low) * nbins)
    return jnp.clip(places, 0, nbins - 1).astype(dtype)


def histogram_fixed_width(
    values: Tensor, value_range: Tensor, nbins: int = 100, dtype: DTypeLike | None = "int32", name: str | None = None
) -> jax.Array:
    """How many values are in each bin."""
    bins = histogram_fixed_width_bins(values, value_range, nbins)
    return jnp.bincount(jnp.ravel(bins), length=nbins).astype(dtype)


def bitcast(input: Tensor, type: Tensor, name: str | None = None) -> jax.Array:
    """The bits of a tensor as numbers of another type."""
    return jax.lax.bitcast_convert_type(jnp.asarray(input), type)


def broadcast_static_shape(shape_x: Tensor, shape_y: Tensor) -> TensorShape:
    """The shape that tensors of these shapes have together."""
    return TensorShape(np.broadcast_shapes(tuple(shape_x), tuple(shape_y)))


def broadcast_dynamic_shape(shape_x: Tensor, shape_y: Tensor) -> jax.Array:
    """The same as a tensor."""
    return jnp.asarray(np.broadcast_shapes(sizes(shape_x), sizes(shape_y)))


def custom_gradient(f: AnyFunction) -> AnyFunction:
    """A function with its own gradient: `f` returns the pair (value, function from gradient to gradients)."""
    return ops.custom_gradient(f)


def recompute_grad(f: AnyFunction) -> AnyFunction:
    """`f`, of which the gradient computes the values in between again."""
    return remat(f)


def ensure_shape(x: Tensor, shape: Tensor, name: str | None = None) -> jax.Array:
    """The tensor itself, if it has this shape."""
    x = convert_to_tensor(x)
    x.set_shape(shape)
    return x


def group(*inputs: Nested, **kwargs: Tensor) -> None:
    """Do nothing: what is in a group has run already."""


def numpy_function(
    func: AnyFunction | None = None,
    inp: Sequence[Tensor] | None = None,
    Tout: object = None,  # noqa: N803
    stateful: bool = True,
    name: str | None = None,
) -> Tensor | AnyFunction:
    """What a function of NumPy arrays gives; without the function, a decorator for it."""
    if func is None or inp is None:
        return _decorator(numpy_function, Tout)
    return _on_host(lambda *each: func(*(np.asarray(value) for value in each)), inp, Tout)


def py_function(
    func: AnyFunction | None = None,
    inp: Sequence[Tensor] | None = None,
    Tout: object = None,  # noqa: N803
    name: str | None = None,
) -> Tensor | AnyFunction:
    """What a Python function of tensors gives; without the function, a decorator for it."""
    if func is None or inp is None:
        return _decorator(py_function, Tout)
    return _on_host(lambda *each: func(*map(convert_to_tensor, each)), inp, Tout)


def _decorator(run: AnyFunction, types: object) -> AnyFunction:
    """What makes a function one of tensors, that `run` calls."""
    return lambda func: functools.wraps(func)(lambda *inputs: run(func, inputs, types))


def _on_host(func: AnyFunction, inp: Sequence[Tensor], types: Any) -> Nested:
    if not all(map(is_concrete, inp)):
        raise NotImplementedError(
            "tf.py_function and tf.numpy_function cannot be compiled. Move them out of the tf.function, or "
            "remove the decorator."
        )
    found = func(*inp)
    several = isinstance(types, (list, tuple))
    if not several:
        return convert_to_tensor(found, types)
    values = found if isinstance(found, (list, tuple)) else [found]
    return [convert_to_tensor(value, dtype) for value, dtype in zip(values, types, strict=True)]


class TensorArray:
    """A list of tensors that is written one by one; as in TensorFlow, `write` gives the array back.

    Args:
        dtype: the type of the tensors.
        size: how many there are to begin with.
        dynamic_size: whether it grows; it always does.
    """

    def __init__(self, dtype: Tensor, size: Tensor = 0, dynamic_size: bool = False, **how: Tensor):
        self.dtype = dtype
        self._values: AnyList = [None] * int(size)

    def write(self, index: Tensor, value: Tensor, name: str | None = None) -> "TensorArray":
        """Put a tensor at an index."""
        at = int(index)
        self._values += [None] * (at + 1 - len(self._values))
        self._values[at] = ops.cast(value, self.dtype)
        return self

    def scatter(self, indices: Tensor, value: Tensor, name: str | None = None) -> "TensorArray":
        """Put each row of a tensor at its index."""
        for at, row in zip(np.asarray(indices).tolist(), value, strict=True):
            self.write(at, row)
        return self

    def gather(self, indices: Tensor, name: str | None = None) -> jax.Array:
        """The tensors at these indices, stacked."""
        return ops.stack([self._values[at] for at in np.asarray(indices).tolist()])

    def read(self, index: Tensor, name: str | None = None) -> Tensor:
        """The tensor at an index."""
        return self._values[int(index)]

    def size(self, name: str | None = None) -> jax.Array:
        """How many tensors there are."""
        return jnp.asarray(len(self._values))

    def stack(self, name: str | None = None) -> jax.Array:
        """All tensors in one, along a new first axis; zeros where none was written."""
        like = next(value for value in self._values if value is not None)
        return ops.stack([ops.zeros_like(like) if value is None else value for value in self._values])

    def concat(self, name: str | None = None) -> jax.Array:
        """All tensors in one, along their first axis."""
        return ops.concatenate(self._values)

    def unstack(self, value: Tensor, name: str | None = None) -> "TensorArray":
        """Take the rows of a tensor."""
        self._values = list(jnp.asarray(value))
        return self
