"""`tensorflow.linalg`: matrices."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import linalg

from cornu import ops
from cornu.core.typing import DTypeLike, Tensor
from cornu.tensorflow.math import l2_normalize  # noqa: F401
from cornu.tensorflow.served import functions, sizes, within


def matmul(
    a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False,
    adjoint_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, output_type: object = None,
    name: str | None = None,
) -> jax.Array:  # fmt: skip
    """The product of matrices, or of batches of them."""
    a = ops.conj(ops.swapaxes(a, -1, -2)) if adjoint_a else ops.swapaxes(a, -1, -2) if transpose_a else a
    b = ops.conj(ops.swapaxes(b, -1, -2)) if adjoint_b else ops.swapaxes(b, -1, -2) if transpose_b else b
    return ops.matmul(a, b)


def _band_part(input: Tensor, num_lower: int, num_upper: int) -> jax.Array:
    input = jnp.asarray(input)
    low = input if num_lower < 0 else jnp.triu(input, -num_lower)
    return low if num_upper < 0 else jnp.tril(low, num_upper)


def _svd(tensor: Tensor, full_matrices: bool = False, compute_uv: bool = True) -> Tensor:
    if not compute_uv:
        return ops.svd(tensor, full_matrices, False)
    u, s, v = ops.svd(tensor, full_matrices)
    return s, u, ops.swapaxes(v, -1, -2)


def _solve(matrix: Tensor, rhs: object, adjoint: bool = False) -> jax.Array:
    return ops.solve(ops.conj(ops.swapaxes(matrix, -1, -2)) if adjoint else matrix, rhs)


def _diag(diagonal: Tensor, k: int = 0) -> jax.Array:
    diagonal = jnp.asarray(diagonal)
    return jnp.vectorize(lambda row: jnp.diag(row, k), signature="(n)->(m,m)")(diagonal)


def _diag_part(input: Tensor, k: int = 0) -> jax.Array:
    return jnp.diagonal(jnp.asarray(input), k, axis1=-2, axis2=-1)


def _set_diag(input: Tensor, diagonal: object) -> jax.Array:
    input = jnp.asarray(input)
    rows = jnp.arange(min(input.shape[-2:]))
    return input.at[..., rows, rows].set(diagonal)


def _trace(x: Tensor) -> jax.Array:
    return ops.trace(x, 0, -2, -1)


def _normalize(tensor: object, ord: object = None, axis: object = None) -> Tensor:
    norm = _norm(tensor, ord, axis, True)
    return ops.divide(tensor, norm), norm


def _transpose(a: Tensor) -> jax.Array:
    return ops.swapaxes(a, -1, -2)


def _matvec(a: Tensor, b: Tensor, transpose_a: bool = False, adjoint_a: bool = False) -> jax.Array:
    return matmul(a, jnp.asarray(b)[..., None], transpose_a, adjoint_a=adjoint_a)[..., 0]


def _norm(tensor: Tensor, ord: Tensor = None, axis: Tensor = None, keepdims: bool = False) -> jax.Array:
    ord = None if ord == "euclidean" else ord
    if axis is not None:
        return ops.norm(tensor, ord, tuple(axis) if isinstance(axis, list) else axis, keepdims)
    found = ops.norm(ops.reshape(tensor, (-1,)), None if ord == "fro" else ord)
    return ops.reshape(found, (1,) * len(ops.shape(tensor))) if keepdims else found


def _adjoint(matrix: Tensor) -> jax.Array:
    return jnp.conj(jnp.swapaxes(jnp.asarray(matrix), -1, -2))


def _qr(input: Tensor, full_matrices: bool = False) -> tuple[jax.Array, jax.Array]:
    return ops.qr(input, "complete" if full_matrices else "reduced")


def _cholesky(input: Tensor) -> jax.Array:
    return jnp.linalg.cholesky(jnp.asarray(input))


def _cholesky_solve(chol: Tensor, rhs: Tensor) -> jax.Array:
    return linalg.cho_solve((jnp.asarray(chol), True), jnp.asarray(rhs))


def _triangular_solve(matrix: Tensor, rhs: Tensor, lower: bool = True, adjoint: bool = False) -> jax.Array:
    return linalg.solve_triangular(jnp.asarray(matrix), jnp.asarray(rhs), trans=2 if adjoint else 0, lower=lower)


def _lstsq(matrix: Tensor, rhs: Tensor, l2_regularizer: float = 0.0, fast: bool = True) -> jax.Array:
    if not l2_regularizer:
        return ops.lstsq(matrix, rhs)
    a = jnp.asarray(matrix)
    squares = _adjoint(a) @ a + l2_regularizer * jnp.eye(a.shape[-1], dtype=a.dtype)
    return jnp.linalg.solve(squares, _adjoint(a) @ jnp.asarray(rhs))


def _eigvalsh(tensor: Tensor) -> jax.Array:
    return jnp.linalg.eigvalsh(jnp.asarray(tensor))


def _expm(input: Tensor) -> jax.Array:
    return linalg.expm(jnp.asarray(input))


def _tensor_diag(diagonal: Tensor) -> jax.Array:
    diagonal = jnp.asarray(diagonal)
    return jnp.diag(diagonal.ravel()).reshape(*diagonal.shape, *diagonal.shape)


def _tensor_diag_part(input: Tensor) -> jax.Array:
    input = jnp.asarray(input)
    half = input.shape[: input.ndim // 2]
    return jnp.diagonal(input.reshape(math.prod(half), -1)).reshape(half)


class Lu(NamedTuple):
    """The two triangular factors in one matrix, and the order of its rows."""

    lu: Tensor
    p: Tensor


def _lu(input: Tensor) -> Lu:
    factors, _, order = jax.lax.linalg.lu(jnp.asarray(input))
    return Lu(factors, order)


def _reconstructed(lower_upper: Tensor, perm: Tensor, validate_args: bool = False) -> jax.Array:
    factors = jnp.asarray(lower_upper)
    lower = jnp.tril(factors, -1) + jnp.eye(factors.shape[-1], dtype=factors.dtype)
    back = jnp.argsort(jnp.asarray(perm), -1)
    return jnp.take_along_axis(lower @ jnp.triu(factors), back[..., None], -2)


def _lu_solve(lower_upper: Tensor, perm: Tensor, rhs: Tensor, validate_args: bool = False) -> jax.Array:
    return jnp.linalg.solve(_reconstructed(lower_upper, perm), jnp.asarray(rhs))


def _lu_inverse(lower_upper: Tensor, perm: Tensor, validate_args: bool = False) -> jax.Array:
    return jnp.linalg.inv(_reconstructed(lower_upper, perm))


def _logm(input: Tensor) -> jax.Array:
    input = jnp.asarray(input)
    values, vectors = jnp.linalg.eig(input)
    return ((vectors * jnp.log(values)[..., None, :]) @ jnp.linalg.inv(vectors)).astype(input.dtype)


def _tridiagonal(diagonals: Tensor, diagonals_format: str) -> tuple[jax.Array, ...]:
    """The upper, main and lower diagonals, padded to one entry per row, in the row where each is used."""
    if diagonals_format == "matrix":
        matrix = jnp.asarray(diagonals)
        upper, main, lower = (jnp.diagonal(matrix, k, -2, -1) for k in (1, 0, -1))
    elif diagonals_format == "sequence":
        upper, main, lower = map(jnp.asarray, diagonals)
        between = main.shape[-1] - 1  # one per pair of adjacent rows; an extra entry would lie outside the matrix
        upper, lower = upper[..., :between], lower[..., lower.shape[-1] - between :]
    else:
        compact = jnp.asarray(diagonals)
        upper, main, lower = compact[..., 0, :-1], compact[..., 1, :], compact[..., 2, 1:]
    sides = [(0, 0)] * (main.ndim - 1)
    return jnp.pad(upper, [*sides, (0, 1)]), main, jnp.pad(lower, [*sides, (1, 0)])


def tridiagonal_solve(
    diagonals: Tensor, rhs: Tensor, diagonals_format: str = "compact", transpose_rhs: bool = False,
    conjugate_rhs: bool = False, name: str | None = None, partial_pivoting: bool = True, perturb_singular: bool = False,
) -> jax.Array:  # fmt: skip
    """The solution of equations whose matrix has three diagonals."""
    upper, main, lower = _tridiagonal(diagonals, diagonals_format)
    rhs = jnp.conj(jnp.asarray(rhs)) if conjugate_rhs else jnp.asarray(rhs)
    is_vector = rhs.ndim == main.ndim
    columns = rhs[..., None] if is_vector else jnp.swapaxes(rhs, -1, -2) if transpose_rhs else rhs
    found = jax.lax.linalg.tridiagonal_solve(lower, main, upper, columns)
    return found[..., 0] if is_vector else found


def tridiagonal_matmul(
    diagonals: Tensor, rhs: Tensor, diagonals_format: str = "compact", name: str | None = None
) -> jax.Array:
    """The product of a matrix of three diagonals with another."""
    upper, main, lower = (each[..., None] for each in _tridiagonal(diagonals, diagonals_format))
    rhs = jnp.asarray(rhs)
    return main * rhs + upper * jnp.roll(rhs, -1, -2) + lower * jnp.roll(rhs, 1, -2)


def _global_norm(tensors: Tensor) -> Tensor:
    return ops.sqrt(sum(ops.sum(ops.square(each)) for each in tensors if each is not None))


def _eigvals(tensor: Tensor) -> Tensor:
    return ops.eig(tensor)[0]


def _sqrtm(input: Tensor) -> Tensor:
    input = jnp.asarray(input)
    found = linalg.sqrtm(input)
    return found if input.dtype.kind == "c" else jnp.real(found)


def _eye(
    num_rows: int, num_columns: int | None = None, batch_shape: object = None, dtype: DTypeLike | None = "float32"
) -> jax.Array:
    made = ops.eye(int(num_rows), None if num_columns is None else int(num_columns), dtype=dtype)
    return made if batch_shape is None else ops.broadcast_to(made, (*sizes(batch_shape), *made.shape))


def einsum(equation: str, *inputs: object, **kwargs: object) -> jax.Array:
    """Sums of products, in Einstein's notation."""
    return ops.einsum(equation, *inputs)


globals().update(
    functions(
        """
        band_part          _band_part   input num_lower num_upper
        adjoint            _adjoint     matrix
        cholesky           _cholesky    input
        cholesky_solve     _cholesky_solve chol rhs
        cross              cross        a=x1 b=x2
        det                det          input=x
        diag               _diag        diagonal k
        diag_part          _diag_part   input k
        eig                eig          tensor=x
        eigvals            _eigvals     tensor
        eigh               eigh         tensor=x
        eigvalsh           _eigvalsh    tensor
        expm               _expm        input
        eye                _eye         num_rows num_columns batch_shape dtype
        global_norm        _global_norm t_list=tensors
        inv                inv          input=x
        logdet             logdet       matrix=x
        lu                 _lu          input -output_idx_type
        logm               _logm        input
        lu_matrix_inverse  _lu_inverse  lower_upper perm validate_args
        lu_reconstruct     _reconstructed lower_upper perm validate_args
        lu_solve           _lu_solve    lower_upper perm rhs validate_args
        lstsq              _lstsq       matrix rhs l2_regularizer -fast
        matrix_rank        matrix_rank  a=x tol
        matrix_transpose   _transpose   a
        matvec             _matvec      a b transpose_a adjoint_a
        norm               _norm        tensor ord axis keepdims
        normalize          _normalize   tensor ord axis
        pinv               pinv         a=x rcond
        qr                 _qr          input full_matrices
        set_diag           _set_diag    input diagonal
        slogdet            slogdet      input=x
        solve              _solve       matrix rhs adjoint
        sqrtm              _sqrtm       input
        svd                _svd         tensor full_matrices compute_uv
        tensor_diag        _tensor_diag diagonal
        tensor_diag_part   _tensor_diag_part input
        tensordot          tensordot    a=x1 b=x2 axes
        trace              _trace       x
        triangular_solve   _triangular_solve matrix rhs lower adjoint
        """,
        {**vars(ops), **globals()},
        "linalg.",
    )
)
__getattr__ = within(__name__)
