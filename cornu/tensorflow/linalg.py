"""`tensorflow.linalg`: matrices."""

from typing import Any

import jax.numpy as jnp

from cornu import ops
from cornu.core.typing import Tensor
from cornu.tensorflow.math import l2_normalize  # noqa: F401
from cornu.tensorflow.served import functions, within


def matmul(
    a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False,
    adjoint_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, output_type: object = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The product of matrices, or of batches of them."""
    a = ops.conj(ops.swapaxes(a, -1, -2)) if adjoint_a else ops.swapaxes(a, -1, -2) if transpose_a else a
    b = ops.conj(ops.swapaxes(b, -1, -2)) if adjoint_b else ops.swapaxes(b, -1, -2) if transpose_b else b
    return ops.matmul(a, b)


def _band_part(input: Tensor, num_lower: int, num_upper: int) -> Any:
    input = jnp.asarray(input)
    low = input if num_lower < 0 else jnp.triu(input, -num_lower)
    return low if num_upper < 0 else jnp.tril(low, num_upper)


def _svd(tensor: Tensor, full_matrices: bool = False, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return ops.svd(tensor, full_matrices, False)
    u, s, v = ops.svd(tensor, full_matrices)
    return s, u, ops.swapaxes(v, -1, -2)


def _solve(matrix: Tensor, rhs: object, adjoint: bool = False) -> Any:
    return ops.solve(ops.conj(ops.swapaxes(matrix, -1, -2)) if adjoint else matrix, rhs)


def _diag(diagonal: object) -> Any:
    diagonal = jnp.asarray(diagonal)
    return diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


def _diag_part(input: Tensor) -> Any:
    return jnp.diagonal(jnp.asarray(input), axis1=-2, axis2=-1)


def _set_diag(input: Tensor, diagonal: object) -> Any:
    input = jnp.asarray(input)
    rows = jnp.arange(min(input.shape[-2:]))
    return input.at[..., rows, rows].set(diagonal)


def _trace(x: Tensor) -> Any:
    return ops.trace(x, 0, -2, -1)


def _normalize(tensor: Any, ord: Any = None, axis: Any = None) -> Any:
    norm = ops.norm(tensor, None if ord == "euclidean" else ord, axis, True)
    return ops.divide(tensor, norm), norm


def _transpose(a: Tensor) -> Any:
    return ops.swapaxes(a, -1, -2)


def _matvec(a: Tensor, b: Tensor) -> Any:
    return jnp.einsum("...ij,...j->...i", jnp.asarray(a), jnp.asarray(b))


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Any:
    """Sums of products, in Einstein's notation."""
    return ops.einsum(equation, *inputs)


globals().update(
    functions(
        """
        band_part          _band_part   input num_lower num_upper
        cholesky           cholesky     input=x
        cross              cross        a=x1 b=x2
        det                det          input=x
        diag               _diag        diagonal
        diag_part          _diag_part   input
        eigh               eigh         tensor=x
        eye                eye          num_rows=N num_columns=M -batch_shape dtype:"float32"
        inv                inv          input=x
        logdet             logdet       matrix=x
        lstsq              lstsq        matrix=a rhs=b -l2_regularizer
        matrix_rank        matrix_rank  a=x tol
        matrix_transpose   _transpose   a
        matvec             _matvec      a b
        norm               norm         tensor=x ord axis keepdims
        normalize          _normalize   tensor ord axis
        pinv               pinv         a=x rcond
        qr                 qr           input=x
        set_diag           _set_diag    input diagonal
        slogdet            slogdet      input=x
        solve              _solve       matrix rhs adjoint
        svd                _svd         tensor full_matrices compute_uv
        tensordot          tensordot    a=x1 b=x2 axes
        trace              _trace       x
        triangular_solve   solve_triangular matrix=a rhs=b lower:True
        """,
        {**vars(ops), **globals()},
        "linalg.",
    )
)
__getattr__ = within(__name__)
