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
    """Whether all elements are nonzero.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.all(np.array([[True, False], [True, True]]), axis=1))  # [False True]
    """
    return jnp.all(x, axis=_axes(axis), keepdims=keepdims)


@op
def any(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Whether any element is nonzero.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.any(np.array([[True, False], [False, False]]), axis=1))  # [True False]
    """
    return jnp.any(x, axis=_axes(axis), keepdims=keepdims)


@op
def sum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum over `axis`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        x = np.array([[1.0, 2.0], [3.0, 4.0]])
        print(cornu.ops.sum(x, axis=0))  # [4. 6.]
    """
    return jnp.sum(x, axis=_axes(axis), keepdims=keepdims)


@op
def prod(x: Tensor, axis: Axes = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> jax.Array:
    """Product over `axis`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        dtype: dtype to compute in; None follows from that of `x`.

    Example:

        print(cornu.ops.prod(np.array([[1, 2], [3, 4]]), axis=1))  # [2 12]
    """
    return jnp.prod(x, axis=_axes(axis), keepdims=keepdims, dtype=_optional(dtype))


@op
def max(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest value over `axis`, and at least `initial`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        initial: value that takes part in the comparison; None by default.

    Example:

        print(cornu.ops.max(np.array([[1, 5], [3, 2]]), axis=0))  # [3 5]
    """
    return _largest(x, axis, keepdims, initial)


@op
def min(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest value over `axis`, and at most `initial`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        initial: value that takes part in the comparison; None by default.

    Example:

        print(cornu.ops.min(np.array([[1, 5], [3, 2]]), axis=0))  # [1 2]
    """
    return _smallest(x, axis, keepdims, initial)


@op
def amax(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Largest value over `axis`, and at least `initial`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        initial: value that takes part in the comparison; None by default.

    Example:

        print(cornu.ops.amax(np.array([[1, 5], [3, 2]]), axis=1))  # [5 3]
    """
    return _largest(x, axis, keepdims, initial)


@op
def amin(x: Tensor, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> jax.Array:
    """Smallest value over `axis`, and at most `initial`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.
        initial: value that takes part in the comparison; None by default.

    Example:

        print(cornu.ops.amin(np.array([[1, 5], [3, 2]]), axis=1))  # [1 2]
    """
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
    """Largest minus smallest value over `axis`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.ptp(np.array([[1, 5], [3, 2]]), axis=1))  # [4 1]
    """
    return jnp.ptp(x, axis=_axes(axis), keepdims=keepdims)


@op
def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest value, the first one on a tie.

    NaN counts as the largest, and subnormal numbers as larger than 0.

    Args:
        x: any tensor.
        axis: the axis to search along; None searches the flattened tensor.
        keepdims: whether to keep the searched axis with size 1. Defaults to False.

    Example:

        print(cornu.ops.argmax(np.array([[1, 5], [3, 2]]), axis=1))  # [1 0]
    """
    return _index_of_extreme(x, axis, keepdims, largest=True)


@op
def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest value, the first one on a tie.

    NaN counts as the smallest, and subnormal numbers as larger than 0.

    Args:
        x: any tensor.
        axis: the axis to search along; None searches the flattened tensor.
        keepdims: whether to keep the searched axis with size 1. Defaults to False.

    Example:

        print(cornu.ops.argmin(np.array([[1, 5], [3, 2]]), axis=1))  # [0 1]
    """
    return _index_of_extreme(x, axis, keepdims, largest=False)


@op
def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Arithmetic mean over `axis`; a float for integers.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        x = np.array([[1, 2], [3, 4]])
        print(cornu.ops.mean(x, axis=1))  # [1.5 3.5]
    """
    return jnp.mean(x, axis=_axes(axis), keepdims=keepdims)


@op
def var(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance over `axis`, `mean((x - mean(x))²)`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.var(np.array([1.0, 3.0])))  # 1.0
    """
    return jnp.var(x, axis=_axes(axis), keepdims=keepdims)


@op
def std(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation over `axis`, the square root of `var`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.std(np.array([1.0, 3.0])))  # 1.0
    """
    return jnp.std(x, axis=_axes(axis), keepdims=keepdims)


@op
def average(x: Tensor, axis: Axes = None, weights: Tensor | None = None) -> jax.Array:
    """Weighted mean over `axis`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        weights: weights in the shape of `x`, or a vector for a single axis; None weighs all elements alike.

    Example:

        print(cornu.ops.average(np.array([1.0, 5.0]), weights=np.array([3.0, 1.0])))  # 2.0
    """
    return jnp.average(x, axis=_axes(axis), weights=weights)


@op
def median(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median over `axis`, the mean of the two middle values for an even count.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.median(np.array([[1.0, 5.0, 2.0]]), axis=1))  # [2.]
    """
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
    """Percentiles: values below which `q` percent of the data lie.

    Args:
        x: any tensor.
        q: one percentage or a tensor of them, from 0 to 100; a tensor adds leading axes to the result.
        axis: the axis or axes to reduce, or None for all.
        method: as for `quantile`.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.percentile(np.array([1.0, 2.0, 4.0]), 50.0))  # 2.0
    """
    return jnp.percentile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


@op
def count_nonzero(x: Tensor, axis: Axes = None) -> jax.Array:
    """The number of nonzero elements, over `axis`.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.

    Example:

        print(cornu.ops.count_nonzero(np.array([[0, 5], [3, 2]]), axis=1))  # [1 2]
    """
    return jnp.count_nonzero(x, axis=_axes(axis))


@op
def logsumexp(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """`log(sum(exp(x)))` over `axis` without overflow.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.logsumexp(np.array([0.0, 0.0])))  # 0.6931...
    """
    return jax.nn.logsumexp(floating(x), axis=_axes(axis), keepdims=keepdims)


# ---- skipping NaN ----


@op
def nansum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Sum over `axis` with NaN as 0.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nansum(np.array([1.0, np.nan, 3.0])))  # 4.0
    """
    return jnp.nansum(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanprod(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Product over `axis` with NaN as 1.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanprod(np.array([2.0, np.nan, 3.0])))  # 6.0
    """
    return jnp.nanprod(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmax(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Largest value over `axis` that is not NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanmax(np.array([1.0, np.nan, 3.0])))  # 3.0
    """
    return jnp.nanmax(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmin(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Smallest value over `axis` that is not NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanmin(np.array([1.0, np.nan, 3.0])))  # 1.0
    """
    return jnp.nanmin(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanargmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the largest value that is not NaN, or -1 if all are NaN.

    Args:
        x: any tensor.
        axis: the axis to search along; None searches the flattened tensor.
        keepdims: whether to keep the searched axis with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanargmax(np.array([1.0, np.nan, 3.0])))  # 2
    """
    return jnp.nanargmax(x, axis=axis, keepdims=keepdims)


@op
def nanargmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Index of the smallest value that is not NaN, or -1 if all are NaN.

    Args:
        x: any tensor.
        axis: the axis to search along; None searches the flattened tensor.
        keepdims: whether to keep the searched axis with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanargmin(np.array([1.0, np.nan, 3.0])))  # 0
    """
    return jnp.nanargmin(x, axis=axis, keepdims=keepdims)


@op
def nanmean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Mean over `axis`, skipping NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanmean(np.array([1.0, np.nan, 3.0])))  # 2.0
    """
    return jnp.nanmean(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanvar(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Variance over `axis`, skipping NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanvar(np.array([1.0, np.nan, 3.0])))  # 1.0
    """
    return jnp.nanvar(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanstd(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Standard deviation over `axis`, skipping NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanstd(np.array([1.0, np.nan, 3.0])))  # 1.0
    """
    return jnp.nanstd(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanmedian(x: Tensor, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Median over `axis`, skipping NaN.

    Args:
        x: any tensor.
        axis: the axis or axes to reduce, or None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanmedian(np.array([1.0, np.nan, 3.0])))  # 2.0
    """
    return jnp.nanmedian(x, axis=_axes(axis), keepdims=keepdims)


@op
def nanquantile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """`quantile`, skipping NaN.

    Args:
        x: any tensor.
        q: one fraction or a tensor of them, from 0 to 1; a tensor adds leading axes to the result.
        axis: the axis or axes to reduce, or None for all.
        method: as for `quantile`.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanquantile(np.array([1.0, np.nan, 3.0]), 0.5))  # 2.0
    """
    return jnp.nanquantile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


@op
def nanpercentile(x: Tensor, q: Tensor, axis: Axes = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """`percentile`, skipping NaN.

    Args:
        x: any tensor.
        q: one percentage or a tensor of them, from 0 to 100; a tensor adds leading axes to the result.
        axis: the axis or axes to reduce, or None for all.
        method: as for `quantile`.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.nanpercentile(np.array([1.0, np.nan, 3.0]), 50.0))  # 2.0
    """
    return jnp.nanpercentile(floating(x), floating(q), axis=_axes(axis), method=method, keepdims=keepdims)


# ---- cumulative ----


@op
def cumsum(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative sum.

    Args:
        x: any tensor.
        axis: the axis to add along; None flattens `x` first.
        dtype: dtype of the result; None follows from that of `x`.

    Example:

        print(cornu.ops.cumsum(np.array([1, 2, 3])))  # [1 3 6]
    """
    return jnp.cumsum(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def cumprod(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative product.

    Args:
        x: any tensor.
        axis: the axis to multiply along; None flattens `x` first.
        dtype: dtype of the result; None follows from that of `x`.

    Example:

        print(cornu.ops.cumprod(np.array([1, 2, 3])))  # [1 2 6]
    """
    return jnp.cumprod(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def nancumsum(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative sum with NaN as 0.

    Args:
        x: any tensor.
        axis: the axis to add along; None flattens `x` first.
        dtype: dtype of the result; None follows from that of `x`.

    Example:

        print(cornu.ops.nancumsum(np.array([2.0, np.nan, 3.0])))  # [2. 2. 5.]
    """
    return jnp.nancumsum(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def nancumprod(x: Tensor, axis: int | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """Cumulative product with NaN as 1.

    Args:
        x: any tensor.
        axis: the axis to multiply along; None flattens `x` first.
        dtype: dtype of the result; None follows from that of `x`.

    Example:

        print(cornu.ops.nancumprod(np.array([2.0, np.nan, 3.0])))  # [2. 2. 6.]
    """
    return jnp.nancumprod(x, axis=axis, dtype=_running_dtype(x, dtype))


@op
def diff(a: Tensor, n: int = 1, axis: int = -1) -> jax.Array:
    """Differences between adjacent elements.

    Args:
        a: any tensor.
        n: how often differences are taken; each time the axis loses one element. Defaults to 1.
        axis: the axis to take differences along. Defaults to -1.

    Example:

        print(cornu.ops.diff(np.array([1, 4, 9])))  # [3 5]
    """
    budget.take("calls", n, "diff")
    return jnp.diff(a, n=n, axis=axis)


@op
def trapezoid(y: Tensor, x: Tensor | None = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """Integral by the trapezoidal rule.

    Args:
        y: values of the function, any tensor.
        x: the points, in the shape of `y` or a vector along `axis`; None spaces them equally.
        dx: distance between points without `x`.
        axis: the axis to integrate along. Defaults to -1.

    Example:

        print(cornu.ops.trapezoid(np.array([1.0, 2.0, 3.0]), dx=2.0))  # 8.0
    """
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
    """Counts of the values in equal intervals, and the `bins + 1` edges between them.

    Args:
        x: tensor of any shape.
        bins: number of intervals. Defaults to 10.
        range: pair of the outer edges; None takes the smallest and the largest value.

    Example:

        counts, edges = cornu.ops.histogram(np.array([1.0, 2.0, 4.0]), bins=3)
        print(counts, edges)  # [1. 1. 1.] [1. 2. 3. 4.]
    """
    counts, edges = jnp.histogram(floating(x), bins=bins, range=range)
    return counts, edges


@op
def digitize(x: Tensor, bins: Tensor) -> jax.Array:
    """Index of the interval between the ascending edges `bins` that contains each element.

    Args:
        x: tensor of any shape.
        bins: the edges in ascending order, a vector.

    Example:

        print(cornu.ops.digitize(np.array([0.5, 2.5]), np.array([1.0, 2.0])))  # [0 2]
    """
    return jnp.digitize(x, jnp.asarray(bins))


@op
def corrcoef(x: Tensor) -> jax.Array:
    """Correlations between variables, in a matrix of shape `(variables, variables)`.

    Args:
        x: observations, of shape `(variables, observations)`.

    Example:

        print(cornu.ops.corrcoef(np.array([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]])))  # [[1. -1.] [-1. 1.]]
    """
    return jnp.corrcoef(floating(x))


@op
def cov(x: Tensor) -> jax.Array:
    """Covariances of variables, in a matrix of shape `(variables, variables)`, normalized by `observations - 1`.

    Args:
        x: observations, of shape `(variables, observations)`.

    Example:

        print(cornu.ops.cov(np.array([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]])))  # [[1. -2.] [-2. 4.]]
    """
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
