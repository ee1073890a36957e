"""Operations that create tensors from sizes and numbers: constants, ranges, grids, matrices, windows."""

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

    Example:

        print(cornu.ops.zeros((2, 3)).shape)  # (2, 3)
    """
    return jnp.zeros(shape, dtype=storage_dtype(dtype))


@filtered
def ones(shape: ShapeLike, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor of ones."""
    return jnp.ones(shape, dtype=storage_dtype(dtype))


@filtered
def empty(shape: ShapeLike, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with unspecified values (zeros in JAX)."""
    return jnp.empty(shape, dtype=storage_dtype(dtype))


@op
def full(shape: ShapeLike, fill_value: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor filled with one value."""
    return jnp.full(shape, fill_value, dtype=storage_dtype(dtype))


@op
def zeros_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """Zeros with the shape of `x`."""
    return jnp.zeros_like(x, dtype=_optional(dtype))


@op
def ones_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """Ones with the shape of `x`."""
    return jnp.ones_like(x, dtype=_optional(dtype))


@op
def empty_like(x: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with the shape of `x` and unspecified values (zeros in JAX)."""
    return jnp.empty_like(x, dtype=_optional(dtype))


@op
def full_like(x: Tensor, fill_value: Tensor, dtype: DTypeLike | None = None) -> jax.Array:
    """A tensor with the shape of `x` filled with one value."""
    return jnp.full_like(x, fill_value, dtype=_optional(dtype))


@filtered
def arange(
    start: Tensor | None, stop: Tensor | None = None, step: Tensor | None = None, dtype: DTypeLike | None = None
) -> jax.Array:
    """Numbers from `start` up to, but not including, `stop`, with increment `step`.

    With one argument the range starts at 0. The dtype is that of the arguments, unless `dtype` is given.

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
    """`base ** linspace(start, stop, num)`."""
    start, stop = floating(start), floating(stop)
    return jnp.logspace(start, stop, num=num, endpoint=endpoint, base=base, dtype=_optional(dtype), axis=axis)


@op
def geomspace(
    start: Tensor, stop: Tensor, num: int = 50, endpoint: bool = True, dtype: DTypeLike | None = None, axis: int = 0
) -> jax.Array:
    """`num` numbers from `start` to `stop` in geometric progression."""
    start, stop = floating(start), floating(stop)
    return jnp.geomspace(start, stop, num=num, endpoint=endpoint, dtype=_optional(dtype), axis=axis)


@filtered
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> jax.Array:  # noqa: N803 - Keras's names
    """A matrix of `N` rows and `M` columns with ones on the diagonal `k` and zeros elsewhere.

    Example:

        print(cornu.ops.eye(2))
    """
    return jnp.eye(N, M, k=k, dtype=storage_dtype(dtype))


@filtered
def identity(n: int, dtype: DTypeLike | None = None) -> jax.Array:
    """The square matrix of `n` rows with ones on the main diagonal."""
    return jnp.eye(n, dtype=storage_dtype(dtype))


@filtered
def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> jax.Array:  # noqa: N803 - Keras's names
    """A matrix of `N` rows and `M` columns with ones on and below the diagonal `k`."""
    return jnp.tri(N, M, k=k, dtype=storage_dtype(dtype))


@op
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> jax.Array:  # noqa: N803 - Keras's name
    """The matrix of powers of a vector, in `N` columns, from the highest power down or in the opposite order."""
    return jnp.vander(x, N=N, increasing=increasing)


# ---- window functions ----


@filtered
def bartlett(x: int) -> jax.Array:
    """The triangular window of `x` points."""
    return jnp.asarray(np.bartlett(int(x)), dtype=storage_dtype())


@filtered
def blackman(x: int) -> jax.Array:
    """Blackman's window of `x` points."""
    return jnp.asarray(np.blackman(int(x)), dtype=storage_dtype())


@filtered
def hamming(x: int) -> jax.Array:
    """Hamming's window of `x` points."""
    return jnp.asarray(np.hamming(int(x)), dtype=storage_dtype())


@filtered
def hanning(x: int) -> jax.Array:
    """Hann's window of `x` points."""
    return jnp.asarray(np.hanning(int(x)), dtype=storage_dtype())


@filtered
def kaiser(x: int, beta: float) -> jax.Array:
    """Kaiser's window of `x` points with the shape parameter `beta`."""
    return jnp.asarray(np.kaiser(int(x), float(beta)), dtype=storage_dtype())


def _optional(dtype: DTypeLike | None) -> str | None:
    return None if dtype is None else storage_dtype(dtype)
