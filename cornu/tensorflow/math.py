"""`tensorflow.math`: mathematical functions, most of which also have a top-level name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special as jax_special

from cornu import ops
from cornu.core.dtypes import is_float, is_int
from cornu.core.typing import AnyFunction, Axes, DTypeLike, Tensor
from cornu.tensorflow.served import Namespace, functions, within


def _sum_of(tensors: Tensor) -> jax.Array:
    first, *others = map(jnp.asarray, tensors)
    return sum(others, first)


def _mean(input_tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    mean, dtype = ops.mean(input_tensor, axis, keepdims), ops.dtype(input_tensor)
    return ops.cast(mean, dtype) if is_int(dtype) else mean


def _same_type(function: AnyFunction) -> AnyFunction:
    """A reduction whose result has the dtype of its input."""

    def reduce(input_tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
        dtype = ops.dtype(input_tensor)
        found = function(input_tensor, axis, keepdims)
        return ops.cast(found, dtype) if is_int(dtype) else found

    return reduce


def _root_of_squares(x: Tensor, axis: Axes, keepdims: bool) -> jax.Array:
    return ops.sqrt(ops.sum(ops.square(x), axis, keepdims))


_total, _product, _euclidean = map(_same_type, (ops.sum, ops.prod, _root_of_squares))


def _running(function: AnyFunction, x: Tensor, axis: int, exclusive: bool, reverse: bool, first: float) -> jax.Array:
    x = jnp.asarray(x)
    x = jnp.flip(x, axis) if reverse else x
    if exclusive:
        start = jnp.full_like(jax.lax.slice_in_dim(x, 0, 1, axis=axis), first)
        x = jnp.concatenate([start, jax.lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)], axis)
    found = function(x, axis)
    return jnp.flip(found, axis) if reverse else found


def _cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> jax.Array:
    return _running(ops.cumsum, x, axis, exclusive, reverse, 0)


def _cumprod(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> jax.Array:
    return _running(ops.cumprod, x, axis, exclusive, reverse, 1)


def _bincount(
    arr: Tensor, weights: Tensor = None, minlength: Tensor = None, maxlength: object = None, dtype: DTypeLike = "int32",
    axis: Axes = None, binary_output: bool = False,
) -> jax.Array:  # fmt: skip
    arr = jnp.asarray(arr) if np.size(arr) else jnp.zeros(np.shape(arr), "int32")
    counts = ops.bincount(arr if axis == -1 else jnp.ravel(arr), weights, minlength or 0)
    counts = counts if maxlength is None else counts[..., :maxlength]
    counts = ops.minimum(counts, 1) if binary_output else counts
    return counts if weights is not None else ops.cast(counts, dtype)


def _confusion(
    labels: Tensor,
    predictions: object,
    num_classes: object = None,
    weights: Tensor = None,
    dtype: DTypeLike | None = "int32",
) -> jax.Array:
    labels, predictions = jnp.ravel(jnp.asarray(labels)), jnp.ravel(jnp.asarray(predictions))
    count = num_classes or int(max(labels.max(), predictions.max())) + 1
    amounts = 1 if weights is None else jnp.asarray(weights)
    return ops.cast(jnp.zeros((count, count)).at[labels.astype(int), predictions.astype(int)].add(amounts), dtype)


def _count_nonzero(
    input: Tensor, axis: Axes = None, keepdims: bool = False, dtype: DTypeLike | None = "int32"
) -> jax.Array:
    return ops.cast(ops.sum(ops.cast(ops.not_equal(input, 0), "int32"), axis, keepdims), dtype)


def _l2_normalize(x: Tensor, axis: Axes = None, epsilon: float = 1e-12) -> jax.Array:
    return ops.multiply(x, ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis, True), epsilon)))


# TensorFlow's gradients at kinks and ties, where JAX has others: abs has none at 0, the first of two equal arguments of
# maximum and minimum gets all of it, and at a limit of clip_by_value it passes.


def absolute(x: Tensor) -> jax.Array:
    """Absolute values, whose gradient at 0 is 0."""
    return ops.multiply(x, ops.stop_gradient(ops.sign(x))) if is_float(ops.dtype(x)) else ops.absolute(x)


def _maximum(x: Tensor, y: Tensor) -> jax.Array:
    return ops.where(ops.logical_or(ops.greater_equal(x, y), ops.isnan(x)), x, y)


def _minimum(x: Tensor, y: Tensor) -> jax.Array:
    return ops.where(ops.logical_or(ops.less_equal(x, y), ops.isnan(x)), x, y)


def _multiply_no_nan(x: Tensor, y: Tensor) -> jax.Array:
    return ops.multiply(ops.where(ops.logical_and(ops.equal(y, 0), ops.logical_not(ops.isfinite(x))), 0.0, x), y)


def _reciprocal(x: Tensor) -> jax.Array:
    return ops.divide_no_nan(1.0, x)


def _segment_mean(data: Tensor, segment_ids: object, num_segments: int | None = None) -> jax.Array:
    data = jnp.asarray(data)
    total = ops.segment_sum(data, segment_ids, num_segments)
    count = ops.segment_sum(jnp.ones(data.shape[:1], data.dtype), segment_ids, num_segments)
    mean = ops.divide_no_nan(total, count.reshape(-1, *[1] * (data.ndim - 1)))
    return ops.cast(mean, data.dtype)


def _segments(function: AnyFunction, empty: Callable[[Any], Any] | None = None) -> AnyFunction:
    """A reduction of segments; an empty one gets the value that `empty` returns for the dtype, 0 by default."""

    def reduce(data: Tensor, segment_ids: Tensor, num_segments: int | None = None) -> jax.Array:
        data, ids = jnp.asarray(data), jnp.asarray(segment_ids)
        found = function(data, ids, num_segments)
        count = jax.ops.segment_sum(jnp.ones(ids.shape, int), ids, num_segments).reshape(-1, *[1] * (found.ndim - 1))
        return jnp.where(count == 0, 0 if empty is None else empty(data.dtype), found).astype(data.dtype)

    return reduce


def _limits(dtype: object) -> Tensor:
    return jnp.iinfo(dtype) if is_int(dtype) else jnp.finfo(dtype)


_segment_max, _segment_min = _segments(jax.ops.segment_max), _segments(jax.ops.segment_min)
_unsorted_max = _segments(jax.ops.segment_max, lambda dtype: _limits(dtype).min)
_unsorted_min = _segments(jax.ops.segment_min, lambda dtype: _limits(dtype).max)
_unsorted_prod = _segments(jax.ops.segment_prod, lambda dtype: 1)


def _unsorted_root(data: Tensor, segment_ids: Tensor, num_segments: int) -> jax.Array:
    data, ids = jnp.asarray(data), jnp.asarray(segment_ids)
    count = jax.ops.segment_sum(jnp.ones(ids.shape, data.dtype), ids, num_segments)
    total = jax.ops.segment_sum(data, ids, num_segments)
    return total / jnp.sqrt(jnp.maximum(count, 1)).reshape(-1, *[1] * (data.ndim - 1))


def _special(name: str) -> AnyFunction:
    """A function of `jax.scipy.special` that also accepts lists."""
    function = getattr(jax_special, name)
    return lambda *args, **named: function(*map(jnp.asarray, (*args, *named.values())))


_betainc, _igamma, _igammac, _ndtri, _xlog1py, _i0, _i0e, _i1, _i1e, _polygamma, _zeta, _expint = map(
    _special,
    ("betainc", "gammainc", "gammaincc", "ndtri", "xlog1py", "i0", "i0e", "i1", "i1e", "polygamma", "zeta", "expi"),
)


def _polygamma_of(a: Tensor, x: Tensor) -> Tensor:
    return _polygamma(jnp.asarray(a).astype("int32"), x)


def _erfcinv(x: Tensor) -> Tensor:
    return jax.lax.erf_inv(1 - jnp.asarray(x))


def _nextafter(x1: Tensor, x2: Tensor) -> Tensor:
    return jnp.nextafter(jnp.asarray(x1), jnp.asarray(x2))


def _never_falls(x: Tensor) -> Tensor:
    return jnp.all(jnp.diff(jnp.ravel(jnp.asarray(x))) >= 0)


def _always_rises(x: Tensor) -> Tensor:
    return jnp.all(jnp.diff(jnp.ravel(jnp.asarray(x))) > 0)


def _approximate(input: Tensor, k: int = 1) -> Tensor:
    return _top_k(input, k)


def _lbeta(x: Tensor) -> Tensor:
    x = jnp.asarray(x)
    return jnp.sum(jax.lax.lgamma(x), -1) - jax.lax.lgamma(jnp.sum(x, -1))


def _running_logsumexp(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> jax.Array:
    return _running(jax.lax.cumlogsumexp, x, axis, exclusive, reverse, -jnp.inf)


def _truncated_quotient(x: Tensor, y: Tensor) -> jax.Array:
    return jax.lax.div(*jnp.broadcast_arrays(jnp.asarray(x), jnp.asarray(y)))


def _truncated_remainder(x: Tensor, y: Tensor) -> jax.Array:
    return jax.lax.rem(*jnp.broadcast_arrays(jnp.asarray(x), jnp.asarray(y)))


def _squared_difference(x: Tensor, y: Tensor) -> jax.Array:
    return ops.square(ops.subtract(x, y))


class TopK(NamedTuple):
    """The largest elements of each row and their indices."""

    values: Tensor
    indices: Tensor


def _top_k(input: Tensor, k: int = 1, sorted: bool = True) -> TopK:
    return TopK(*ops.top_k(input, k, sorted))


def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    unused = ops.equal(x, 0)
    return ops.multiply(x, ops.log(ops.where(unused, 1.0, y)))


def _lgamma(x: Tensor) -> jax.Array:
    return jax.lax.lgamma(jnp.asarray(x))


def _digamma(x: Tensor) -> jax.Array:
    return jax.lax.digamma(jnp.asarray(x))


def _zero_fraction(value: Tensor) -> jax.Array:
    return ops.mean(ops.cast(ops.equal(value, 0), "float32"))


def polyval(coeffs: object, x: Tensor, name: str | None = None) -> jax.Array:
    """The polynomial with these coefficients, the highest power first."""
    return jnp.polyval(jnp.asarray(coeffs), x)


TABLE = functions(
    """
    abs                   absolute       x
    accumulate_n          _sum_of        inputs=tensors -shape -tensor_dtype
    acos                  arccos         x
    acosh                 arccosh        x
    add                   add            x=x1 y=x2
    add_n                 _sum_of        inputs=tensors
    angle                 angle          input=x
    approx_max_k          _approximate   operand=input k -reduction_dimension -recall_target \
        -reduction_input_size_override -aggregate_to_topk
    argmax                argmax         input=x axis:0 -output_type
    argmin                argmin         input=x axis:0 -output_type
    asin                  arcsin         x
    asinh                 arcsinh        x
    atan                  arctan         x
    atan2                 arctan2        y=x1 x=x2
    atanh                 arctanh        x
    bessel_i0             _i0            x
    bessel_i0e            _i0e           x
    bessel_i1             _i1            x
    bessel_i1e            _i1e           x
    betainc               _betainc       a b x
    bincount              _bincount      arr weights minlength maxlength dtype axis binary_output
    ceil                  ceil           x
    confusion_matrix      _confusion     labels predictions num_classes weights dtype
    conj                  conj           x
    cos                   cos            x
    cosh                  cosh           x
    count_nonzero         _count_nonzero input axis keepdims dtype
    cumprod               _cumprod       x axis exclusive reverse
    cumsum                _cumsum        x axis exclusive reverse
    cumulative_logsumexp  _running_logsumexp x axis exclusive reverse
    digamma               _digamma       x
    divide                divide         x=x1 y=x2
    divide_no_nan         divide_no_nan  x=x1 y=x2
    equal                 equal          x=x1 y=x2
    erf                   erf            x
    erfc                  erfc           x
    erfcinv               _erfcinv       x
    erfinv                erfinv         x
    exp                   exp            x
    expm1                 expm1          x
    floor                 floor          x
    floordiv              floor_divide   x=x1 y=x2
    floormod              mod            x=x1 y=x2
    greater               greater        x=x1 y=x2
    greater_equal         greater_equal  x=x1 y=x2
    igamma                _igamma        a x
    igammac               _igammac       a x
    imag                  imag           input=x
    in_top_k              in_top_k       targets predictions k
    invert_permutation    argsort        x
    is_finite             isfinite       x
    is_inf                isinf          x
    is_nan                isnan          x
    is_non_decreasing     _never_falls   x
    is_strictly_increasing _always_rises x
    l2_normalize          _l2_normalize  x axis epsilon
    lbeta                 _lbeta         x
    less                  less           x=x1 y=x2
    less_equal            less_equal     x=x1 y=x2
    lgamma                _lgamma        x
    log                   log            x
    log1p                 log1p          x
    log_sigmoid           log_sigmoid    x
    log_softmax           log_softmax    logits=x axis
    logical_and           logical_and    x=x1 y=x2
    logical_not           logical_not    x
    logical_or            logical_or     x=x1 y=x2
    logical_xor           logical_xor    x=x1 y=x2
    maximum               _maximum       x y
    minimum               _minimum       x y
    mod                   mod            x=x1 y=x2
    multiply              multiply       x=x1 y=x2
    multiply_no_nan       _multiply_no_nan x y
    ndtri                 _ndtri         x
    negative              negative       x
    nextafter             _nextafter     x1 x2
    not_equal             not_equal      x=x1 y=x2
    polygamma             _polygamma_of  a x
    pow                   power          x=x1 y=x2
    real                  real           input=x
    reciprocal            reciprocal     x
    reciprocal_no_nan     _reciprocal    x
    reduce_all            all            input_tensor=x axis keepdims
    reduce_any            any            input_tensor=x axis keepdims
    reduce_euclidean_norm _euclidean     input_tensor axis keepdims
    reduce_logsumexp      logsumexp      input_tensor=x axis keepdims
    reduce_max            max            input_tensor=x axis keepdims
    reduce_mean           _mean          input_tensor axis keepdims
    reduce_min            min            input_tensor=x axis keepdims
    reduce_prod           _product       input_tensor axis keepdims
    reduce_std            std            input_tensor=x axis keepdims
    reduce_sum            _total         input_tensor axis keepdims
    reduce_variance       var            input_tensor=x axis keepdims
    rint                  round          x
    round                 round          x
    rsqrt                 rsqrt          x
    scalar_mul            multiply       scalar=x1 x=x2
    segment_max           _segment_max   data segment_ids
    segment_mean          _segment_mean  data segment_ids
    segment_min           _segment_min   data segment_ids
    segment_prod          segment_prod   data segment_ids
    segment_sum           segment_sum    data segment_ids
    sigmoid               sigmoid        x
    sign                  sign           x
    sin                   sin            x
    sinh                  sinh           x
    softmax               softmax        logits=x axis
    softplus              softplus       features=x
    softsign              softsign       features=x
    sqrt                  sqrt           x
    square                square         x
    squared_difference    _squared_difference x y
    subtract              subtract       x=x1 y=x2
    tan                   tan            x
    tanh                  tanh           x
    top_k                 _top_k         input k sorted
    truediv               true_divide    x=x1 y=x2
    truncatediv           _truncated_quotient x y
    truncatemod           _truncated_remainder x y
    unsorted_segment_max  _unsorted_max   data segment_ids num_segments
    unsorted_segment_mean _segment_mean  data segment_ids num_segments
    unsorted_segment_min  _unsorted_min   data segment_ids num_segments
    unsorted_segment_prod _unsorted_prod data segment_ids num_segments
    unsorted_segment_sqrt_n _unsorted_root data segment_ids num_segments
    unsorted_segment_sum  segment_sum    data segment_ids num_segments
    xdivy                 divide_no_nan  x=x1 y=x2
    xlog1py               _xlog1py       x y
    xlogy                 _xlogy         x y
    zero_fraction         _zero_fraction value
    zeta                  _zeta          x q
    """,
    {**vars(ops), **globals()},
    "math.",
)
globals().update(TABLE)
special = Namespace(
    "math.special",
    **functions(
        """
        bessel_i0  _i0     x
        bessel_i0e _i0e    x
        bessel_i1  _i1     x
        bessel_i1e _i1e    x
        expint     _expint x
        """,
        globals(),
        "math.special.",
    ),
)
__getattr__ = within(__name__)
