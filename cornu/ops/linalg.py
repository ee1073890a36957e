"""Linear algebra: matrices are in the last two axes, and leading axes are batch axes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from cornu import lazy, validate
from cornu.core.operation import Tensor, op
from cornu.core.symbolic import any_symbolic, output_spec
from cornu.core.typing import Axes
from cornu.ops.elementwise import floating, floats

if TYPE_CHECKING:
    import jax.scipy.linalg as scipy_linalg
else:
    scipy_linalg = lazy.module("jax.scipy.linalg")

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_power",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]


@op
def cholesky(x: Tensor, upper: bool = False) -> jax.Array:
    """The triangular `L` with `L @ L.T == x` for a positive definite `x`, or `U` with `U.T @ U == x`.

    Args:
        x: symmetric or Hermitian, positive definite matrices, of shape `(..., n, n)`.
        upper: whether to return `U` instead of `L`.

    Raises:
        ValueError: if `x` is not positive definite (detected only on concrete values; NaN in compiled code).

    Example:

        print(cornu.ops.cholesky(np.array([[4.0]])))  # [[2.]]
    """
    factor = jnp.linalg.cholesky(_square("cholesky", x), upper=upper)
    if not isinstance(factor, jax.core.Tracer) and bool(jnp.any(jnp.isnan(factor))):
        raise ValueError("cholesky: the matrix must be positive definite.")
    return factor


@op
def cholesky_inverse(x: Tensor, upper: bool = False) -> jax.Array:
    """The inverse of the matrix whose Cholesky factor is `x`.

    Args:
        x: triangular factors, of shape `(..., n, n)`.
        upper: whether they are upper triangular. Defaults to False.

    Example:

        print(cornu.ops.cholesky_inverse(np.array([[2.0]])))  # [[0.25]]
    """
    x = _square("cholesky_inverse", x)
    eye = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = scipy_linalg.solve_triangular(x, eye, lower=not upper)
    other = jnp.swapaxes(half, -1, -2)
    return half @ other if upper else other @ half


@op
def det(x: Tensor) -> jax.Array:
    """Determinant.

    Args:
        x: square matrices, of shape `(..., n, n)`.

    Example:

        print(cornu.ops.det(np.array([[2.0, 1.0], [0.0, 4.0]])))  # 8.0
    """
    return jnp.linalg.det(_square("det", x))


@op
def slogdet(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """Sign of the determinant, and the logarithm of its absolute value.

    Args:
        x: square matrices, of shape `(..., n, n)`.

    Example:

        sign, logarithm = cornu.ops.slogdet(np.array([[0.0, 1.0], [1.0, 0.0]]))
        print(sign, logarithm)  # -1.0 0.0
    """
    sign, logarithm = jnp.linalg.slogdet(_square("slogdet", x))
    return sign, logarithm


@op
def logdet(x: Tensor) -> jax.Array:
    """Logarithm of the determinant of a positive definite matrix.

    Args:
        x: positive definite matrices, of shape `(..., n, n)`.

    Example:

        print(cornu.ops.logdet(np.array([[2.0, 0.0], [0.0, 4.0]])))  # 2.0794...
    """
    return jnp.linalg.slogdet(_square("logdet", x))[1]


@op
def eig(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and right eigenvectors (in columns) of any square matrix, as complex numbers; only on the CPU.

    Args:
        x: square matrices, of shape `(..., n, n)`.

    Example:

        values, vectors = cornu.ops.eig(np.array([[2.0, 0.0], [0.0, 3.0]]))
        print(values)  # [2.+0.j 3.+0.j]
    """
    values, vectors = jnp.linalg.eig(_square("eig", x))
    return values, vectors


@op
def eigh(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues, in ascending order, and eigenvectors (in columns) of a symmetric or Hermitian matrix.

    Args:
        x: symmetric or Hermitian matrices, of shape `(..., n, n)`.

    Example:

        values, vectors = cornu.ops.eigh(np.array([[3.0, 0.0], [0.0, 2.0]]))
        print(values)  # [2. 3.]
    """
    values, vectors = jnp.linalg.eigh(_square("eigh", x))
    return values, vectors


@op
def inv(x: Tensor) -> jax.Array:
    """Inverse.

    Args:
        x: square matrices, of shape `(..., n, n)`.

    Example:

        print(cornu.ops.inv(np.array([[2.0, 0.0], [0.0, 4.0]])))  # [[0.5 0.] [0. 0.25]]
    """
    return jnp.linalg.inv(_square("inv", x))


@op
def pinv(x: Tensor, rcond: float | None = None) -> jax.Array:
    """Moore-Penrose pseudo-inverse, of shape `(..., n, m)`.

    Args:
        x: matrices of shape `(..., m, n)`.
        rcond: singular values below this times the largest count as zero; None uses the rounding error of the
            dtype.

    Example:

        print(cornu.ops.pinv(np.array([[2.0], [0.0]])))  # [[0.5 0.]]
    """
    return jnp.linalg.pinv(_matrix("pinv", x), rtol=rcond)


@op
def matrix_rank(x: Tensor, tol: float | None = None) -> jax.Array:
    """The rank of matrices: the number of singular values that are not zero.

    Args:
        x: matrices of shape `(..., m, n)`.
        tol: singular values above this are counted; None uses a multiple of the rounding error of the largest.

    Example:

        print(cornu.ops.matrix_rank(np.array([[1.0, 2.0], [2.0, 4.0]])))  # 1
    """
    x = _matrix("matrix_rank", x)
    if tol is None:
        return jnp.linalg.matrix_rank(x)
    values = jnp.linalg.svd(x, compute_uv=False)
    return jnp.sum(values > tol, axis=-1, dtype="int32")


@op
def matrix_power(x: Tensor, n: int) -> jax.Array:
    """The `n`-th power of matrices, computed by squaring; that of the inverse for a negative `n`.

    Args:
        x: square matrices, of shape `(..., n, n)`.
        n: the exponent, an integer.

    Example:

        print(cornu.ops.matrix_power(np.diag([2.0, 3.0]), 3)[1, 1])  # 27.0
    """
    return jnp.linalg.matrix_power(_square("matrix_power", x), validate.integer(n, "n", "matrix_power"))


@op
def norm(x: Tensor, ord: int | float | str | None = None, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """Norm of vectors or matrices.

    Args:
        x: any tensor.
        ord: None for the root of the sum of squares; for vectors any number, or infinity; for matrices `"fro"`,
            `"nuc"`, 1, 2, infinity, or one of the last three negated.
        axis: one axis for vectors, two for matrices, None for all.
        keepdims: whether to keep the reduced axes with size 1. Defaults to False.

    Example:

        print(cornu.ops.norm(np.array([3.0, 4.0])))  # 5.0
    """
    axis = tuple(axis) if isinstance(axis, list) else axis
    return jnp.linalg.norm(floating(x), ord=ord, axis=axis, keepdims=keepdims)


@op
def qr(x: Tensor, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    """`q` with orthonormal columns and `r` upper triangular, with `q @ r == x`.

    Args:
        x: matrices of shape `(..., m, n)`.
        mode: `"reduced"`, where `q` has `min(m, n)` columns, or `"complete"`, where it has `m`. Defaults to
            `"reduced"`.

    Example:

        q, r = cornu.ops.qr(np.array([[1.0, 1.0], [0.0, 2.0]]))
        print(np.abs(r))  # [[1. 1.] [0. 2.]]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: mode must be "reduced" or "complete". Received: mode="{mode}".')
    q, r = jnp.linalg.qr(_matrix("qr", x), mode=mode)
    return q, r


@op(class_name="SVD")
def svd(
    x: Tensor, full_matrices: bool = True, compute_uv: bool = True
) -> jax.Array | tuple[jax.Array, jax.Array, jax.Array]:
    """Singular value decomposition: `u`, `s` and `vh`, where `s` is in descending order.

    Args:
        x: matrices of shape `(..., m, n)`.
        full_matrices: whether `u` and `vh` are square, rather than with `min(m, n)` columns and rows. Defaults to
            True.
        compute_uv: whether to compute them; otherwise only `s` is returned. Defaults to True.

    Example:

        u, s, vh = cornu.ops.svd(np.array([[3.0, 0.0], [0.0, 4.0]]))
        print(s)  # [4. 3.]
    """
    result = jnp.linalg.svd(_matrix("svd", x), full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(result) if compute_uv else result


@op
def lu_factor(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """The LU decomposition with pivoting: both triangles in one matrix, and the row exchanges.

    Args:
        x: square matrices, of shape `(..., n, n)`.

    Example:

        lu, exchanged = cornu.ops.lu_factor(np.array([[4.0, 2.0], [2.0, 2.0]]))
        print(lu, exchanged)  # [[4. 2.] [0.5 1.]] [0 1]
    """
    lu, pivots = scipy_linalg.lu_factor(_matrix("lu_factor", x))
    return lu, pivots


@op
def solve(a: Tensor, b: Tensor) -> jax.Array:
    """`x` with `a @ x == b`, for a matrix `b` or, if it has one axis fewer than `a`, a vector.

    Args:
        a: square matrices, of shape `(..., n, n)`.
        b: matrices of shape `(..., n, k)`, or vectors of shape `(..., n)`.

    Example:

        print(cornu.ops.solve(np.array([[2.0]]), np.array([4.0])))  # [2.]
    """
    a, b = floats(a, b)
    _square("solve", a)
    if b.ndim == a.ndim - 1:
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


@op
def solve_triangular(a: Tensor, b: Tensor, lower: bool = False) -> jax.Array:
    """`solve` for a triangular `a`.

    Args:
        a: triangular matrices, of shape `(..., n, n)`.
        b: matrices of shape `(..., n, k)`, or vectors of shape `(..., n)`.
        lower: whether `a` is lower triangular. Defaults to False.

    Example:

        print(cornu.ops.solve_triangular(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0])))  # [1. 2.]
    """
    a, b = floats(a, b)
    _square("solve_triangular", a)
    if b.ndim == a.ndim - 1:
        return scipy_linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return scipy_linalg.solve_triangular(a, b, lower=lower)


@op
def lstsq(a: Tensor, b: Tensor, rcond: float | None = None) -> jax.Array:
    """The `x` that minimizes `norm(a @ x - b)`.

    Args:
        a: matrix of shape `(m, n)`.
        b: matrix of shape `(m, k)`, or a vector of `m` numbers.
        rcond: singular values below this times the largest count as zero; None uses the rounding error of the
            dtype.

    Example:

        print(cornu.ops.lstsq(np.array([[1.0], [0.0]]), np.array([3.0, 1.0])))  # [3.]
    """
    a, b = floats(a, b)
    return jnp.linalg.lstsq(_matrix("lstsq", a), b, rcond=rcond)[0]


def jvp(
    fun: Callable[..., object], primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False
) -> tuple[jax.Array, ...]:
    """The value of `fun` at `primals`, and its derivative in the direction `tangents`.

    Args:
        fun: function of tensors.
        primals: list or tuple of the arguments.
        tangents: list or tuple of directions, with the shapes of the arguments.
        has_aux: whether `fun` returns a pair whose second part is returned without a derivative. Defaults to False.

    Example:

        value, slope = cornu.ops.jvp(lambda x: x * x, (3.0,), (1.0,))
        print(value, slope)  # 9.0 6.0
    """

    def run(primals: Sequence[object], tangents: Sequence[object]) -> tuple[jax.Array, ...]:
        return jax.jvp(fun, tuple(primals), tuple(tangents), has_aux=has_aux)

    if any_symbolic((primals, tangents)):
        return output_spec(run, primals, tangents)
    return run([floating(p) for p in primals], [floating(t) for t in tangents])


def _matrix(name: str, x: Tensor) -> jax.Array:
    x = floating(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: a matrix must have at least 2 axes. Received: x.shape={x.shape}.")
    return x


def _square(name: str, x: Tensor) -> jax.Array:
    x = _matrix(name, x)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: the last two axes must have the same size. Received: x.shape={x.shape}.")
    return x
