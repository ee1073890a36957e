"""Reductions: sums, extremes, averages, quantiles, cumulative sums and counts.

`axis` is one axis, a tuple of axes, or None for all of them; `keepdims` keeps the reduced axes with size 1. The
`nan...` variants skip NaN.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from cornu.core import budget
from cornu.core.dtypes import dtype_of, storage_dtype
from cornu.core.operation import Tensor, op
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Axes, DTypeLike
from cornu.kernels import extremes
from cornu.ops.elementwise import floating


@op
def all(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Whether all elements are nonzero."""
    return jnp.all(x, axis=_axes(axis), keepdims=keepdims)


@op
def any(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Whether any element is nonzero."""
    return jnp.any(x, axis=_axes(axis), keepdims=keepdims)


@op
def sum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum over `axis`.

    Example:

        x = np.array([[1.0, 2.0], [3.0, 4.0]])
        print(cornu.ops.sum(x, axis=0))  # [4. 6.]
    """
    return jnp.sum(x, axis=_axes(axis), keepdims=keepdims)


@op
def prod(x: Tensor, axis: Axes = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> jax.Array:
    """Product over `axis`, computed in `dtype` if given."""
    return jnp.prod(x, axis=_axes(axis), keepdims=keepdims, dtype=_optional(dtype))


@op
def max(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest value over `axis`, and at least `initial`."""
    return _largest(x, axis, keepdims, initial)


@op
def min(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest value over `axis`, and at most `initial`."""
    return _smallest(x, axis, keepdims, initial)


@op
def amax(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest value over `axis`, and at least `initial`."""
    return _largest(x, axis, keepdims, initial)


@op
def amin(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest value over `axis`, and at most `initial`."""
    return _smallest(x, axis, keepdims, initial)


def _largest(x: Tensor, axis: Axes, keepdims: bool, initial: float | None) -> jax.Array:
    if initial is None:
        return extremes.largest(x, _axes(axis), keepdims)
    return jnp.max(x, axis=_axes(axis), keepdims=keepdims, initial=initial)


def _smallest(x: Tensor, axis: Axes, keepdims: bool, initial: float | None) -> jax.Array:
    if initial is None:
        return extremes.smallest(x, _axes(axis), keepdims)
    return jnp.min(x, axis=_axes(axis), keepdims=keepdims, initial=initial)


@op
def ptp(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Largest minus smallest value over `axis`."""
    return jnp.ptp(x, axis=_axes(axis), keepdims=keepdims)


@op
def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest value along `axis`, the first one on a tie; None uses the flattened array.

    NaN counts as the largest, and subnormal numbers as larger than 0.
    """
    return _index_of_extreme(x, axis, keepdims, largest=True)


@op
def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest value along `axis`, the first one on a tie; None uses the flattened array.

    NaN counts as the smallest, and subnormal numbers as larger than 0.
    """
    return _index_of_extreme(x, axis, keepdims, largest=False)


@op
def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Arithmetic mean over `axis`; a float for integers.

    Example:

        x = np.array([[1, 2], [3, 4]])
        print(cornu.ops.mean(x, axis=1))  # [1.5 3.5]
    """
    return jnp.mean(x, axis=_axes(axis), keepdims=keepdims)


@op
def var(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance over `axis`, `mean((x - mean(x))²)`."""
    return jnp.var(x, axis=_axes(axis), keepdims=keepdims)


@op
def std(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation over `axis`, the square root of `var`."""
    return jnp.std(x, axis=_axes(axis), keepdims=keepdims)


@op
def average(x: Tensor, axis: Axes = None, weights: Tensor | None = None) -> jax.Array:
    """Mean over `axis` weighted by `weights`, which have the shape of `x` or of that axis."""
    return jnp.average(x, axis=_axes(axis), weights=weights)


@op
def median(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median over `axis`, the mean of the two middle values for an even count."""
    return jnp.median(x, axis=_axes(axis), keepdims=keepdims)


@op
def quantile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """Quantiles: values below which the fractions `q` of the data lie.

    Args:
        x: the data.
        q: one fraction or an array of them, from 0 to 1; an array adds a leading axis to the result.
        axis: the axis or axes to reduce, or None for all.
        method: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`, for a quantile between two values.
            Defaults to `"linear"`.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.quantile(np.array([1.0, 2.0, 3.0]), 0.5))  # 2.0
    """
    return jnp.quantile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


@op
def percentile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """`quantile` with `q` in percent, from 0 to 100."""
    return jnp.percentile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


@op
def count_nonzero(x: Tensor, axis: Axes = None) -> jax.Array:
    """The number of nonzero elements, over `axis`."""
    return jnp.count_nonzero(x, axis=_axes(axis))


@op
def logsumexp(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """`log(sum(exp(x)))` over `axis` without overflow."""
    return jax.nn.logsumexp(floating(x), axis=_axes(axis), keepdims=keepdims)


# ---- skipping NaN ----


@op
def nansum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum over `axis` with NaN as 0."""
    return jnp.nansum(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanprod(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Product over `axis` with NaN as 1."""
    return jnp.nanprod(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmax(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Largest value over `axis` that is not NaN."""
    return jnp.nanmax(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmin(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Smallest value over `axis` that is not NaN."""
    return jnp.nanmin(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanargmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest value along `axis` that is not NaN, or -1 if all are NaN."""
    return jnp.nanargmax(x, axis=axis, keepdims=keepdims)


@op
def nanargmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest value along `axis` that is not NaN, or -1 if all are NaN."""
    return jnp.nanargmin(x, axis=axis, keepdims=keepdims)


@op
def nanmean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Mean over `axis`, skipping NaN."""
    return jnp.nanmean(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanvar(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance over `axis`, skipping NaN."""
    return jnp.nanvar(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanstd(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation over `axis`, skipping NaN."""
    return jnp.nanstd(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmedian(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median over `axis`, skipping NaN."""
    return jnp.nanmedian(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanquantile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """`quantile`, skipping NaN."""
    return jnp.nanquantile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


@op
def nanpercentile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """`percentile`, skipping NaN."""
    return jnp.nanpercentile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


# ---- cumulative ----


@op
def cumsum(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative sum along `axis`, or of the flattened array for None."""
    return jnp.cumsum(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def cumprod(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative product along `axis`, or of the flattened array for None."""
    return jnp.cumprod(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def nancumsum(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative sum along `axis` with NaN as 0."""
    return jnp.nancumsum(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def nancumprod(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative product along `axis` with NaN as 1."""
    return jnp.nancumprod(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def diff(a: Tensor, n: int = 1, axis: int = -1) -> jax.Array:
    """Differences between adjacent elements along `axis`, repeated `n` times."""
    budget.take("calls", n, "diff")
    return jnp.diff(a, n=n, axis=axis)


@op
def trapezoid(y: Tensor, x: Tensor | None = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """Integral of `y` along `axis` by the trapezoidal rule, at the points `x` or with spacing `dx`."""
    return jnp.trapezoid(floating(y), x, dx=dx, axis=axis)


# ---- counting ----


def _bincount_spec(x: Tensor, weights: Tensor = None, minlength: int = 0, sparse: bool = False) -> KerasTensor:
    return KerasTensor((*x.shape[:-1], None), "int32" if weights is None else dtype_of(weights))


@op(spec=_bincount_spec)
def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0, sparse: bool = False) -> jax.Array:
    """How often each of 0, 1, 2, ... occurs along the last axis of `x`.

    Args:
        x: non-negative integers, of shape `(n,)` or `(batch, n)`.
        weights: weights of the occurrences, of the same shape; None weights each by 1.
        minlength: minimum length of the result. In compiled code it is the exact length, and larger integers are
            ignored: there the length cannot depend on values. Defaults to 0.
        sparse: must be False; JAX arrays are dense.

    Example:

        print(cornu.ops.bincount(np.array([1, 1, 3])))  # [0 2 0 1]
    """
    if sparse:
        raise ValueError("bincount: sparse must be False, since JAX arrays are dense. Received: sparse=True.")
    x = jnp.asarray(x)
    if x.ndim not in (1, 2):
        raise ValueError(f"bincount: x must have one or two axes. Received: x.shape={x.shape}.")
    x, length = jnp.maximum(x, 0), _bins(x, minlength)
    weights = jnp.ones(x.shape, "int32") if weights is None else jnp.asarray(weights)

    def count(row: Tensor, amount: Tensor) -> jax.Array:
        return jnp.zeros((length,), amount.dtype).at[row].add(amount, mode="drop")

    return (count if x.ndim == 1 else jax.vmap(count))(x, weights)


def _bins(x: Tensor, minlength: int) -> int:
    if not isinstance(x, jax.core.Tracer):
        needed = int(jnp.max(x)) + 1 if x.size else 0
        return needed if needed > minlength else minlength
    if not minlength:
        raise ValueError("bincount: minlength must be given in compiled code, where it is the length of the result.")
    return minlength


@op
def histogram(x: Tensor, bins: int = 10, range: Sequence[float] | None = None) -> tuple[jax.Array, jax.Array]:
    """Counts of `x` in `bins` equal intervals, and the `bins + 1` edges between them.

    `range` is the pair of the outer edges, by default the smallest and the largest value.
    """
    counts, edges = jnp.histogram(floating(x), bins=bins, range=range)
    return counts, edges


@op
def digitize(x: Tensor, bins: Tensor) -> jax.Array:
    """Index of the interval between the ascending edges `bins` that contains each element.

    Example:

        print(cornu.ops.digitize(np.array([0.5, 2.5]), np.array([1.0, 2.0])))  # [0 2]
    """
    return jnp.digitize(x, jnp.asarray(bins))


@op
def corrcoef(x: Tensor) -> jax.Array:
    """Correlation between the rows of `x`, of shape `(variables, observations)`."""
    return jnp.corrcoef(floating(x))


@op
def cov(x: Tensor) -> jax.Array:
    """Covariance of the rows of `x`, of shape `(variables, observations)`, normalized by `observations - 1`."""
    return jnp.cov(floating(x))


@functools.partial(jax.jit, static_argnums=(1, 2), static_argnames="largest")
def _index_of_extreme(x: Tensor, axis: int | None, keepdims: bool, largest: bool) -> jax.Array:
    x = jnp.asarray(x)
    ordered = _ordered(x, largest) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return (jnp.argmax if largest else jnp.argmin)(ordered, axis=axis, keepdims=keepdims)


def _ordered(x: Tensor, nan_is_largest: bool) -> jax.Array:
    """Integers ordered like the floats in `x`: XLA's comparisons treat subnormal numbers as 0."""
    kind = jnp.iinfo(f"int{8 * x.dtype.itemsize}")
    bits = lax.bitcast_convert_type(x, kind.dtype)
    ordered = jnp.where(bits < 0, kind.min - bits, bits)
    return jnp.where(jnp.isnan(x), kind.max if nan_is_largest else kind.min, ordered)


def _axes(axis: Axes) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _optional(dtype: DTypeLike | None) -> str | None:
    return None if dtype is None else storage_dtype(dtype)


def _running_dtype(x: Tensor, dtype: DTypeLike | None) -> str | None:
    if dtype is None and jnp.result_type(x).name == "bool":
        return "int32"
    return _optional(dtype)
