"""Creating tensors: constants, ranges, grids, matrices and windows, from sizes and numbers."""

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.dtypes import storage_dtype
from cornu.core.operation import Tensor, op
from cornu.core.tracebacks import filtered
from cornu.core.typing import DTypeLike, ShapeLike
from cornu.ops.elementwise import floating


@filtered
def zeros(shape: ShapeLike, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor of zeros.

    Args:
        shape: shape of the result.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.zeros((2, 3)).shape)  # (2, 3)
    """
    return jnp.zeros(shape, dtype=storage_dtype(dtype))


@filtered
def ones(shape: ShapeLike, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor of ones.

    Args:
        shape: shape of the result.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.ones((2, 2)))  # [[1. 1.] [1. 1.]]
    """
    return jnp.ones(shape, dtype=storage_dtype(dtype))


@filtered
def empty(shape: ShapeLike, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with unspecified values (zeros in JAX).

    Args:
        shape: shape of the result.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.empty((2, 3)).shape)  # (2, 3)
    """
    return jnp.empty(shape, dtype=storage_dtype(dtype))


@op
def full(shape: ShapeLike, fill_value: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor filled with one value.

    Args:
        shape: shape of the result.
        fill_value: the value, or a tensor that broadcasts to `shape`.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.full((2, 2), 7))  # [[7. 7.] [7. 7.]]
    """
    return jnp.full(shape, fill_value, dtype=storage_dtype(dtype))


@op
def zeros_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """Zeros with the shape of `x`.

    Args:
        x: any tensor.
        dtype: dtype of the result; None is that of `x`.

    Example:

        print(cornu.ops.zeros_like(np.array([[1.5, 2.5]])))  # [[0. 0.]]
    """
    return jnp.zeros_like(x, dtype=_optional(dtype))


@op
def ones_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """Ones with the shape of `x`.

    Args:
        x: any tensor.
        dtype: dtype of the result; None is that of `x`.

    Example:

        print(cornu.ops.ones_like(np.array([[1.5, 2.5]])))  # [[1. 1.]]
    """
    return jnp.ones_like(x, dtype=_optional(dtype))


@op
def empty_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with the shape of `x` and unspecified values (zeros in JAX).

    Args:
        x: any tensor.
        dtype: dtype of the result; None is that of `x`.

    Example:

        print(cornu.ops.empty_like(np.array([[1.0, 2.0]])).shape)  # (1, 2)
    """
    return jnp.empty_like(x, dtype=_optional(dtype))


@op
def full_like(x: Tensor, fill_value: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with the shape of `x` filled with one value.

    Args:
        x: any tensor.
        fill_value: the value, or a tensor that broadcasts to the shape of `x`.
        dtype: dtype of the result; None is that of `x`.

    Example:

        print(cornu.ops.full_like(np.array([[1.0, 2.0]]), 7))  # [[7. 7.]]
    """
    return jnp.full_like(x, fill_value, dtype=_optional(dtype))


@filtered
def arange(
    start: Tensor | None, stop: Tensor | None = None, step: Tensor | None = None, dtype: DTypeLike | None = None
) -> jax.Array:
    """Numbers from `start` up to, but not including, `stop`, at equal distances.

    Args:
        start: first number, or the end of a range from 0 if there is no `stop`.
        stop: end of the range, which is not included. None by default.
        step: difference between neighbors; None is 1.
        dtype: dtype of the result; None follows from the other arguments.

    Example:

        print(cornu.ops.arange(2, 8, 3))  # [2 5]
    """
    if start is None:
        raise ValueError(
            "arange: start (or, alone, the number of elements) must be known. Received: None, the size of an axis "
            "that varies. Use it inside a layer's call(), where sizes are known."
        )
    if dtype is None:
        given = [jnp.result_type(v) for v in (start, stop, step) if v is not None]
        dtype = jnp.result_type(*given)
    return jnp.arange(start, stop, step, dtype=storage_dtype(dtype))


@op
def linspace(
    start: Tensor,
    stop: Tensor,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> jax.Array | tuple[jax.Array, jax.Array]:
    """`num` evenly spaced numbers from `start` to `stop`.

    Args:
        start: the first number, or a tensor of them.
        stop: the last number, or a tensor of them.
        num: number of values, at least 0. Defaults to 50.
        endpoint: whether to include `stop`. Defaults to True.
        retstep: whether to return the pair (numbers, spacing). Defaults to False.
        dtype: dtype of the result, by default a float.
        axis: position of the new axis if `start` or `stop` is a tensor. Defaults to 0.

    Example:

        print(cornu.ops.linspace(0, 1, 3))  # [0.  0.5 1. ]
    """
    start, stop = floating(start), floating(stop)
    dtype = _optional(dtype)
    return jnp.linspace(start, stop, num=num, endpoint=endpoint, retstep=retstep, dtype=dtype, axis=axis)


@op
def logspace(
    start: Tensor,
    stop: Tensor,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> jax.Array:
    """Powers of `base` with equally spaced exponents.

    Args:
        start, stop: first and last exponent.
        num: how many numbers. Defaults to 50.
        endpoint: whether `stop` is one of the exponents. Defaults to True.
        base: the base of the powers. Defaults to 10.
        dtype: dtype of the result; None is a float.
        axis: the axis of the result along which the numbers run. Defaults to 0.

    Example:

        print(cornu.ops.logspace(0.0, 3.0, num=4))  # [1. 10. 100. 1000.]
    """
    start, stop = floating(start), floating(stop)
    return jnp.logspace(start, stop, num=num, endpoint=endpoint, base=base, dtype=_optional(dtype), axis=axis)


@op
def geomspace(
    start: Tensor, stop: Tensor, num: int = 50, endpoint: bool = True, dtype: DTypeLike | None = None, axis: int = 0
) -> jax.Array:
    """Numbers in geometric progression: each is the one before it times the same factor.

    Args:
        start, stop: first and last number.
        num: how many numbers. Defaults to 50.
        endpoint: whether `stop` is one of them. Defaults to True.
        dtype: dtype of the result; None is a float.
        axis: the axis of the result along which the numbers run. Defaults to 0.

    Example:

        print(cornu.ops.geomspace(1.0, 4.0, num=3))  # [1. 2. 4.0000...]
    """
    start, stop = floating(start), floating(stop)
    return jnp.geomspace(start, stop, num=num, endpoint=endpoint, dtype=_optional(dtype), axis=axis)


@filtered
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> jax.Array:  # noqa: N803 - Keras's names
    """A matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns; None is `N`.
        k: the diagonal: 0 is the main one, positive ones lie above it.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.eye(2))
    """
    return jnp.eye(N, M, k=k, dtype=storage_dtype(dtype))


@filtered
def identity(n: int, dtype: DTypeLike | None = None) -> jax.Array:
    """The square matrix with ones on the main diagonal.

    Args:
        n: number of rows and columns.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.identity(2))  # [[1. 0.] [0. 1.]]
    """
    return jnp.eye(n, dtype=storage_dtype(dtype))


@filtered
def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> jax.Array:  # noqa: N803 - Keras's names
    """A matrix with ones on and below a diagonal, and zeros above it.

    Args:
        N: number of rows.
        M: number of columns; None is `N`.
        k: the diagonal: 0 is the main one, positive ones lie above it.
        dtype: dtype of the result; None is `floatx`.

    Example:

        print(cornu.ops.tri(2))  # [[1. 0.] [1. 1.]]
    """
    return jnp.tri(N, M, k=k, dtype=storage_dtype(dtype))


@op
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> jax.Array:  # noqa: N803 - Keras's name
    """The matrix of powers of a vector, by default from the highest power down.

    Args:
        x: a vector.
        N: number of columns; None is the length of `x`.
        increasing: whether powers increase from column to column. Defaults to False.

    Example:

        print(cornu.ops.vander(np.array([1, 2, 3]), 3))  # [[1 1 1] [4 2 1] [9 3 1]]
    """
    return jnp.vander(x, N=N, increasing=increasing)


# ---- window functions ----


@filtered
def bartlett(x: int) -> jax.Array:
    """The triangular window.

    Args:
        x: number of points.

    Example:

        print(cornu.ops.bartlett(5))  # [0. 0.5 1. 0.5 0.]
    """
    return jnp.asarray(np.bartlett(int(x)), dtype=storage_dtype())


@filtered
def blackman(x: int) -> jax.Array:
    """Blackman's window.

    Args:
        x: number of points.

    Example:

        print(np.round(cornu.ops.blackman(5)[1:4], 2))  # [0.34 1. 0.34]
    """
    return jnp.asarray(np.blackman(int(x)), dtype=storage_dtype())


@filtered
def hamming(x: int) -> jax.Array:
    """Hamming's window.

    Args:
        x: number of points.

    Example:

        print(cornu.ops.hamming(3))  # [0.08 1. 0.08]
    """
    return jnp.asarray(np.hamming(int(x)), dtype=storage_dtype())


@filtered
def hanning(x: int) -> jax.Array:
    """Hann's window.

    Args:
        x: number of points.

    Example:

        print(cornu.ops.hanning(5))  # [0. 0.5 1. 0.5 0.]
    """
    return jnp.asarray(np.hanning(int(x)), dtype=storage_dtype())


@filtered
def kaiser(x: int, beta: float) -> jax.Array:
    """Kaiser's window.

    Args:
        x: number of points.
        beta: shape parameter: the larger, the narrower the window.

    Example:

        print(cornu.ops.kaiser(3, 5.0))  # [0.0367... 1. 0.0367...]
    """
    return jnp.asarray(np.kaiser(int(x), float(beta)), dtype=storage_dtype())


def _optional(dtype: DTypeLike | None) -> str | None:
    return None if dtype is None else storage_dtype(dtype)
