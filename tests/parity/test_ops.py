"""Every op against Keras on JAX: values, types, symbolic shapes and gradients, from one table of calls.

A call that traces to the same program on both sides is settled by that; only the others are run and differentiated.
"""

import functools
import hashlib
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both, decoded, encoded

import cornu
from cornu import ops

RNG = np.random.default_rng(3)


def real(*shape):
    return RNG.normal(size=shape).astype("float32")


X, Y = real(2, 3), real(2, 3)  # any numbers
P = np.abs(real(2, 3)) + 0.5  # positive
U = RNG.uniform(-0.9, 0.9, (2, 3)).astype("float32")  # inside (-1, 1)
V = real(4)  # a vector
T = real(2, 3, 4)  # three axes
N = np.array([[1, 2, 3], [4, 5, 6]], "int32")
M = np.array([[3, 2, 1], [2, 7, 6]], "int32")
B = np.array([[True, False, True], [False, False, True]])
C = np.array([[True, True, False], [False, True, True]])
NAN = np.array([[1.0, np.nan, -2.0], [np.nan, 4.0, 0.5]], "float32")
EDGE = np.array([[0.0, -np.inf, np.inf], [np.nan, -0.0, 2.5]], "float32")
SQUARE = real(2, 3, 3) + 3 * np.eye(3, dtype="float32")
SYMMETRIC = SQUARE @ SQUARE.transpose(0, 2, 1)
LOWER = np.tril(SQUARE)
IMAGES = RNG.uniform(size=(2, 6, 5, 3)).astype("float32")
BYTES = (IMAGES * 255).astype("uint8")
SIGNAL = real(2, 32)
LOGITS = real(2, 5, 4)
KERNEL = real(3, 2, 3, 4)


class Call:
    """One call of an op: its arguments, and what of it is compared."""

    def __init__(self, *args, tolerance=1e-5, symbolic=True, gradient=True, **kwargs):
        self.args, self.kwargs, self.tolerance = args, kwargs, tolerance
        self.symbolic, self.gradient = symbolic, gradient

    def __call__(self, function):
        return function(*self.args, **self.kwargs)


def unary(*names, x=X, types=("float16", "int32", "bool"), **options):
    """The same call for several ops of one tensor, in its own type and in others."""
    calls = [Call(x, **options), *(Call(x.astype(t), tolerance=2e-3, **options) for t in types)]
    return dict.fromkeys(names, calls)


def binary(*names, x=X, y=Y, mixed=((X, N), (N, M), (N, 2), (X, 2.5), (2.5, X), (T, V)), **options):
    """The same call for several ops of two tensors, and with mixed types and shapes."""
    return {name: [Call(x, y, **options), *(Call(a, b, **options) for a, b in mixed)] for name in names}


def reductions(*names, x=T, axes=(None, 0, -1, (0, 2)), keepdims=True, **options):
    calls = [Call(x, axis=axis, **options) for axis in axes]
    calls += [Call(x, axis=1, keepdims=True, **options)] if keepdims else []
    return dict.fromkeys(names, calls)


def simple(**calls):
    return {name: call if isinstance(call, list) else [call] for name, call in calls.items()}


INTEGERS = ((N, M), (N, 2))
BOOLEANS = ((B, C), (N, M), (X, B))

TABLE = {
    # elementwise, one input
    **unary("negative", "sign", "round", types=("float16", "int32")),
    **unary("abs", "absolute", "square", "conj", "conjugate", "real", "exp", "exp2", "expm1"),
    **unary(
        "sin",
        "cos",
        "tan",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "ceil",
        "floor",
        "trunc",
        "reciprocal",
    ),
    **unary("cbrt", "deg2rad", "rad2deg", "angle", "logical_not", "fabs", types=("float16", "int32")),
    **unary("sinc", "i0", "imag", "isreal", "signbit", types=("int32",)),
    **unary("sqrt", "log", "log2", "log10", "log1p", x=P),
    **unary("rsqrt", x=P, types=("float16",)),
    **unary("erf", "erfc", types=("float16",)),
    **unary("erfinv", "arcsin", "arccos", "arctanh", x=U, types=("float16",)),
    **unary("arccosh", x=P + 1, types=("float16", "int32")),
    **unary("isfinite", "isinf", "isnan", "isneginf", "isposinf", x=EDGE, types=("float16",)),
    **unary("bitwise_not", "bitwise_invert", x=N, types=("bool", "uint8")),
    # elementwise, two inputs
    **binary("add", "subtract", "multiply", "maximum", "minimum", "fmax", "fmin"),
    **binary("equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "isclose", "heaviside"),
    **binary(
        "divide",
        "true_divide",
        "divide_no_nan",
        "floor_divide",
        "mod",
        "fmod",
        y=P,
        mixed=((X, N), (N, M), (N, 2), (X, 2.5)),
    ),
    **binary("arctan2", "hypot", "logaddexp", "logaddexp2", y=P),
    **binary("nextafter", y=P, gradient=False),
    **binary("power", x=P, mixed=((P, 2), (N, 2), (N, 2.0), (2.0, N), (P, N))),
    **binary("gcd", "lcm", "bitwise_and", "bitwise_or", "bitwise_xor", x=N, y=M, mixed=INTEGERS),
    **binary("bitwise_left_shift", "bitwise_right_shift", "left_shift", "right_shift", x=N, y=M, mixed=INTEGERS),
    **binary("logical_and", "logical_or", "logical_xor", x=B, y=C, mixed=BOOLEANS),
    **simple(
        ldexp=[Call(X, N), Call(P, 2)],
        allclose=[Call(X, X), Call(X, Y)],
        nan_to_num=[Call(EDGE), Call(EDGE, nan=3.0, posinf=1.0, neginf=-1.0), Call(N)],
        clip=[
            Call(X, -0.5, 0.5),
            Call(N, 2, 4),
            Call(N, 2.5, 4),
            Call(B, 0, 1),
            Call(X, None, 0.3),
            Call(X, U, 1.0),
        ],
    ),
    # reductions
    **reductions("sum", "mean", "max", "min", "amax", "amin", "var", "std", "prod", "all", "any", "median", "ptp"),
    **reductions("logsumexp"),
    **reductions("argmax", "argmin", axes=(None, 0, -1)),
    **reductions(
        "nansum",
        "nanprod",
        "nanmax",
        "nanmin",
        "nanmean",
        "nanvar",
        "nanstd",
        "nanmedian",
        x=NAN,
        axes=(None, 0, -1),
    ),
    **reductions("nanargmax", "nanargmin", x=np.where(np.isnan(NAN), np.nan, NAN), axes=(1,), keepdims=False),
    **reductions("count_nonzero", axes=(None, 0, (0, 2)), keepdims=False),
    **reductions("cumsum", "cumprod", axes=(None, 0, -1), keepdims=False),
    **reductions("nancumsum", "nancumprod", x=NAN, axes=(None, 0, -1), keepdims=False),
    **{
        name: [
            Call(T, q),
            Call(T, q, axis=1),
            Call(T, 0.3 * scale, axis=(0, 2), keepdims=True),
            Call(N, q, axis=0),
            Call(T, q, axis=0, method="nearest", gradient=False),
        ]
        for name, scale in (("quantile", 1), ("percentile", 100), ("nanquantile", 1), ("nanpercentile", 100))
        for q in (np.array([0.2, 0.5], "float32") * scale,)
    },
    **simple(
        average=[
            Call(T),
            Call(T, axis=1),
            Call(X, axis=1, weights=P),
            Call(T, axis=2, weights=P[0, 0] + np.arange(4, dtype="float32")),
            Call(N),
        ],
        diff=[Call(T), Call(T, n=2, axis=1), Call(B)],
        trapezoid=[
            Call(T),
            Call(N),
            Call(X, dx=0.5, axis=0),
            Call(X, x=np.array([0.0, 1.0, 3.0], "float32")),
        ],
        bincount=[
            Call(N[0]),
            Call(N[0], minlength=9),
            Call(N[0], weights=V[:3], gradient=False),
            Call(np.array([[1, 2], [2, 0]]), minlength=5),
        ],
        histogram=[Call(V, gradient=False), Call(V, bins=3, range=(-1.0, 1.0), gradient=False)],
        digitize=[Call(X, np.array([-0.5, 0.0, 0.5], "float32")), Call(N, np.array([2.0, 4.0], "float32"))],
        corrcoef=[Call(T[0], tolerance=1e-4), Call(N)],
    ),
    # shaping
    **simple(
        reshape=[Call(T, (2, 12)), Call(T, (-1, 4)), Call(T, (2, -1)), Call(N, (6,)), Call(T, -1)],
        ravel=Call(T),
        transpose=[Call(T), Call(T, (1, 0, 2)), Call(T, axes=[2, 1, 0])],
        swapaxes=Call(T, 0, 2),
        moveaxis=[Call(T, 0, -1), Call(T, [0, 1], [1, 0])],
        expand_dims=[Call(T, 1), Call(T, -1), Call(T, (0, 2))],
        squeeze=[Call(T[:, :1]), Call(T[:, :1], 1), Call(T[:, :1, :1], (1, 2))],
        broadcast_to=[Call(X[0], (4, 3), symbolic=False), Call(X[:, None], (2, 4, 3), symbolic=False)],
        flip=[Call(T), Call(T, 1)],
        fliplr=Call(T),
        flipud=Call(T),
        rot90=[Call(T), Call(T, k=3, axes=(1, 2))],
        roll=[Call(T, 2), Call(T, 1, axis=1)],
        tile=[Call(X, 2), Call(X, (2, 1)), Call(X, (2, 1, 3))],
        repeat=[Call(X, 2), Call(X, 2, axis=1), Call(X, np.array([1, 2, 0]), axis=1, symbolic=False)],
        pad=[
            Call(X, 1),
            Call(X, ((0, 1), (2, 0))),
            Call(X, ((1, 1), (1, 1)), constant_values=3.0),
            Call(X, ((1, 1), (1, 1)), mode="reflect"),
            Call(X, ((1, 1), (0, 2)), mode="symmetric"),
        ],
        concatenate=[Call([X, Y]), Call([X, N], axis=1)],
        stack=[Call([X, Y]), Call([X, N], axis=-1)],
        hstack=Call([X, Y]),
        vstack=Call([X, Y]),
        dstack=Call([X, Y]),
        append=[Call(X, Y), Call(X, N, axis=0)],
        meshgrid=[Call(V, X[0]), Call(V, X[0], indexing="ij")],
        split=[Call(T, 2, axis=2), Call(T, [1, 3], axis=2), Call(X, 3, axis=1)],
        array_split=[Call(T, 2, axis=1), Call(V, 3)],
        hsplit=Call(T, 3),
        vsplit=Call(T, 2, symbolic=False),
        dsplit=Call(T, [1]),
        unstack=[Call(T, axis=1), Call(X, 2), Call(X, num=2)],
        diag=[Call(V), Call(SQUARE[0], k=1)],
        diagflat=[Call(V), Call(V, k=-1)],
        diagonal=[Call(SQUARE[0]), Call(T, offset=1, axis1=1, axis2=2)],
        tril=[Call(T), Call(T, k=1)],
        triu=[Call(T), Call(T, k=-1)],
        view_as_complex=Call(T[..., :2], gradient=False),
        view_as_real=[Call((X + 1j * Y).astype("complex64"), gradient=False)],
        view=[Call(X, "int32", gradient=False), Call(X), Call(X[:, :2], "uint8", gradient=False)],
        copy=Call(X),
        rearrange=[
            Call(T, "a b c -> (a b) c"),
            Call(T, "b t (h d) -> b h t d", h=2, gradient=False),
            Call(T, "a b c -> c a b"),
        ],
    ),
    # creation
    **simple(
        zeros=[Call((2, 3)), Call((2,), "int32"), Call((2,), dtype=bool)],
        ones=[Call((2, 3)), Call((2,), "float16")],
        empty=Call((2, 3)),
        full=[Call((2, 3), 2), Call((2,), 3.5, "int32")],
        zeros_like=[Call(X), Call(N), Call(X, "int32")],
        ones_like=[Call(X), Call(N), Call(X, dtype="float16")],
        empty_like=Call(X),
        full_like=[Call(X, 2), Call(N, 2.5), Call(X, 2, dtype="int32")],
        arange=[
            Call(5),
            Call(5.0),
            Call(1, 7, 2),
            Call(0, 1, 0.25),
            Call(3, dtype="float32"),
            Call(2, 0, -1),
        ],
        linspace=[
            Call(0, 1),
            Call(0, 1, 5, endpoint=False),
            Call(X, Y, 4, axis=1),
            Call(0, 10, 5, dtype="int32"),
            Call(0.0, 1.0, 4, retstep=True),
        ],
        logspace=[Call(0, 2, 5), Call(0, 2, 5, base=2), Call(X, Y, 4, tolerance=1e-4)],
        geomspace=[Call(1, 100, 5), Call(P, P + 1, 4, tolerance=1e-4)],
        eye=[Call(3), Call(2, 4, k=1), Call(3, dtype="int32")],
        identity=[Call(3), Call(2, "int32")],
        tri=[Call(3), Call(2, 4, k=1), Call(3, dtype="int32")],
        vander=[Call(V), Call(V, N=3, increasing=True), Call(N[0])],
        bartlett=Call(7),
        blackman=Call(7),
        hamming=Call(7),
        hanning=Call(7),
        kaiser=Call(7, 3.0),
    ),
    # indexing
    **simple(
        get_item=[
            Call(T, 0),
            Call(T, (slice(None), 1)),
            Call(T, (Ellipsis, slice(0, 2))),
            Call(T, (slice(None), None, [2, 0])),
        ],
        take=[
            Call(T, np.array([1, 0]), axis=0),
            Call(T, np.array([[2, 0], [-1, 1]]), axis=1),
            Call(X, np.array([5, 0])),
            Call(X, 1, axis=1),
        ],
        take_along_axis=[Call(X, np.array([[2, 0], [1, -1]]), axis=1), Call(X, np.array([3, 1]))],
        where=[Call(B, X, Y), Call(B, N, X), Call(B, X, 0.0), Call(B, 1, 2.0), Call(B, symbolic=False)],
        select=[Call([B, C], [X, Y], 7.0), Call([B, C], [N, M])],
        slice=[
            Call(T, (0, 1, 2), (2, 1, 2), symbolic=False),
            Call(T, np.array([0, 1, 0]), (2, 2, 4), symbolic=False),
        ],
        slice_update=Call(T, (0, 1, 2), np.zeros((1, 1, 2), "float32"), symbolic=False),
        scatter=[
            Call(np.array([[1], [3], [1]], "int32"), V[:3], (5,), symbolic=False),
            Call(np.array([[0, 1], [1, 0]], "int32"), X, (2, 2, 3), symbolic=False),
        ],
        scatter_update=[
            Call(
                X,
                np.array([[0, 1], [1, 2]], "int32"),
                V[:2],
                reduction=r,
                symbolic=False,
                gradient=r != "mul",
            )
            for r in (None, "add", "max", "min", "mul")
        ]
        + [Call(N, np.array([[1]], "int32"), M[:1], symbolic=False)],
        sort=[Call(T), Call(T, axis=0)],
        argsort=[Call(T), Call(T, axis=0), Call(X, axis=None)],
        argpartition=Call(V, 2),
        top_k=[Call(X, 2), Call(V, 3)],
        in_top_k=[
            Call(np.array([0, 3], "int32"), LOGITS[:, 0], 2),
            Call(
                np.array([0, 3, 9], "int32"),
                np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]], "float32"),
                1,
            ),
        ],
        searchsorted=[
            Call(np.array([0.0, 1.0, 2.0], "float32"), X),
            Call(np.array([1, 3, 5]), N, side="right"),
        ],
        nonzero=Call(N, symbolic=False),
        isin=[Call(N, M), Call(N, M, invert=True), Call(X, 2.0)],
        unravel_index=Call(N, (3, 4)),
        unique=[
            Call(M),
            Call(M, return_index=True, return_inverse=True, return_counts=True),
            Call(M, axis=0),
            Call(M, size=9, fill_value=-1),
            Call(M, return_counts=True),
            Call(M[0], return_inverse=True),
        ],
    ),
    # products
    **simple(
        matmul=[
            Call(X, Y.T, symbolic=False),
            Call(T, real(4, 5)),
            Call(T, real(2, 4, 3)),
            Call(N.astype("int8"), M.T.astype("int8"), symbolic=False),
            Call(V, V, symbolic=False),
            Call(N, Y.T, symbolic=False),
        ],
        dot=[Call(T, real(4, 5)), Call(V, V, symbolic=False), Call(X, 2.0)],
        vdot=Call(V, V, symbolic=False),
        inner=Call(X, Y),
        outer=[Call(V, X[0]), Call(X, Y)],
        kron=[Call(X, Y), Call(N, M)],
        cross=[Call(X, Y), Call(X.T, Y.T, axis=0, symbolic=False)],
        tensordot=[Call(T, real(4, 5), axes=1), Call(T, T, axes=[[1, 2], [1, 2]]), Call(T, real(3, 4))],
        einsum=[
            Call("abc,cd->abd", T, real(4, 5)),
            Call("...a,...a->...", X, Y),
            Call("ab->ba", X),
            Call("ab,ab->", N.astype("int8"), M.astype("int8")),
        ],
        trace=[Call(SQUARE[0]), Call(T, offset=1, axis1=1, axis2=2), Call(N)],
        correlate=[
            Call(V, V[:2]),
            Call(V, V[:2], mode="same"),
            Call(V, V[:2], mode="full"),
            Call(N[0], M[0]),
        ],
        cdist=Call(T, real(2, 5, 4)),
    ),
    # linear algebra
    **simple(
        cholesky=[Call(SYMMETRIC, tolerance=1e-3), Call(SYMMETRIC, upper=True, tolerance=1e-3)],
        cholesky_inverse=[
            Call(LOWER[0], tolerance=1e-3, symbolic=False),
            Call(LOWER[1].T.copy(), upper=True, tolerance=1e-3, symbolic=False),
        ],
        det=Call(SQUARE, tolerance=1e-3),
        slogdet=Call(SQUARE, tolerance=1e-4),
        logdet=Call(SYMMETRIC, tolerance=1e-4),
        eig=Call(SYMMETRIC[0], tolerance=1e-3, gradient=False, symbolic=False),
        eigh=Call(SYMMETRIC, tolerance=1e-3, gradient=False),
        inv=Call(SQUARE, tolerance=1e-4),
        pinv=[Call(X, tolerance=1e-4), Call(X, rcond=1e-3, tolerance=1e-4)],
        matrix_rank=[Call(X), Call(np.ones((3, 3), "float32")), Call(X, tol=100.0)],
        norm=[
            Call(X),
            Call(X, axis=1),
            Call(X, ord=1),
            Call(X, ord="fro"),
            Call(X, ord=np.inf, axis=0),
            Call(T, ord="nuc", axis=(1, 2), tolerance=1e-4),
            Call(T, ord=2, axis=(1, 2), keepdims=True, tolerance=1e-4),
            Call(X, ord=3, axis=-1, keepdims=True),
            Call(N),
        ],
        qr=[
            Call(SQUARE, tolerance=1e-4),
            Call(T[0].T.copy(), mode="complete", gradient=False, tolerance=1e-4),
        ],
        svd=[
            Call(X, tolerance=1e-4, gradient=False),
            Call(X, full_matrices=False, tolerance=1e-4, gradient=False),
            Call(X, compute_uv=False, tolerance=1e-4),
        ],
        lu_factor=Call(SQUARE, tolerance=1e-4),
        solve=[
            Call(SQUARE, real(2, 3, 2), tolerance=1e-4),
            Call(SQUARE[0], V[:3], symbolic=False, tolerance=1e-4),
        ],
        solve_triangular=[
            Call(LOWER, real(2, 3, 2), lower=True, tolerance=1e-4),
            Call(LOWER.transpose(0, 2, 1), real(2, 3, 2), tolerance=1e-4),
        ],
        lstsq=[
            Call(T[0].T.copy(), V, symbolic=False, tolerance=1e-4, gradient=False),
            Call(T[0].T.copy(), real(4, 2), symbolic=False, tolerance=1e-4, gradient=False),
        ],
        jvp=Call(lambda x: x * x, (V,), (np.ones(4, "float32"),), symbolic=False, gradient=False),
    ),
    # signals
    **simple(
        fft=Call((SIGNAL, SIGNAL), tolerance=1e-4),
        fft2=Call((T, T), tolerance=1e-4),
        ifft2=Call((T, T), tolerance=1e-4),
        rfft=[
            Call(SIGNAL, tolerance=1e-4),
            Call(SIGNAL, fft_length=16, tolerance=1e-4),
            Call(SIGNAL, fft_length=40, tolerance=1e-4),
        ],
        irfft=[Call((SIGNAL[:, :9], SIGNAL[:, 9:18])), Call((SIGNAL[:, :9], SIGNAL[:, 9:18]), fft_length=12)],
        extract_sequences=[Call(SIGNAL, 8, 4), Call(V, 2, 1, symbolic=False)],
        stft=[
            Call(SIGNAL, 8, 4, 8, tolerance=1e-4),
            Call(SIGNAL, 6, 3, 8, window="hamming", center=False, tolerance=1e-4),
            Call(SIGNAL, 8, 4, 8, window=None, tolerance=1e-4),
        ],
        istft=[
            Call((SIGNAL.reshape(2, 4, 8)[..., :5], SIGNAL.reshape(2, 4, 8)[..., 3:]), 8, 2, 8, tolerance=1e-4),
            Call(
                (SIGNAL.reshape(2, 4, 8)[..., :5], SIGNAL.reshape(2, 4, 8)[..., 3:]),
                6,
                3,
                8,
                length=10,
                window="hamming",
                tolerance=1e-4,
            ),
        ],
    ),
    # segments
    **{
        name: [
            Call(X, np.array([1, 0], "int32"), num_segments=3, symbolic=False, gradient=name != "segment_prod"),
            Call(
                V,
                np.array([0, 0, 2, 2], "int32"),
                num_segments=3,
                sorted=True,
                symbolic=False,
                gradient=name != "segment_prod",
            ),
        ]
        for name in ("segment_sum", "segment_prod", "segment_max", "segment_min")
    },
    # activations
    **unary(
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "sigmoid",
        "log_sigmoid",
        "hard_sigmoid",
        "silu",
        "swish",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "tanh_shrink",
        "hard_shrink",
        "soft_shrink",
        "softplus",
        "softsign",
        "squareplus",
        "sparse_plus",
        "sparse_sigmoid",
        x=4 * X,
        types=("float16",),
    ),
    **simple(
        glu=[Call(T), Call(T[:, :2], axis=1)],
        threshold=Call(X, 0.2, -1.0),
        softmax=[Call(T), Call(T, axis=1), Call(T, axis=(1, 2)), Call(N)],
        log_softmax=[Call(T), Call(T, axis=1), Call(T, axis=(1, 2))],
        sparsemax=Call(V),
    ),
    # losses
    **simple(
        binary_crossentropy=[
            Call(B.astype("float32"), np.abs(U)),
            Call(B.astype("float32"), 9 * X, from_logits=True),
        ],
        categorical_crossentropy=[
            Call(np.abs(U), P),
            Call(np.abs(U), X, from_logits=True),
            Call(np.abs(U), X, from_logits=True, axis=0),
        ],
        sparse_categorical_crossentropy=[
            Call(np.array([0, 2], "int32"), P),
            Call(np.array([[0], [2]], "int32"), X, from_logits=True),
            Call(np.array([1, 7], "int32"), P),
        ],
        ctc_loss=Call(
            np.array([[1, 2, 2], [3, 1, 0]], "int32"),
            LOGITS,
            np.array([3, 2], "int32"),
            np.array([5, 4], "int32"),
            tolerance=1e-4,
        ),
        ctc_decode=[
            Call(LOGITS, np.array([5, 3], "int32"), gradient=False),
            Call(LOGITS, np.array([5, 3], "int32"), merge_repeated=False, mask_index=3, gradient=False),
            Call(
                LOGITS,
                np.array([5, 3], "int32"),
                strategy="beam_search",
                top_paths=3,
                beam_width=5,
                tolerance=1e-4,
                gradient=False,
            ),
        ],
    ),
    # normalization, attention, encodings
    **simple(
        moments=[
            Call(T, 0),
            Call(T, [0, 1], keepdims=True),
            Call(T.astype("float16"), (1,), tolerance=2e-3),
            Call(N, 0),
        ],
        batch_normalization=[
            Call(T, V, np.abs(V), -1),
            Call(T, X[0], P[0], 1, offset=Y[0], scale=U[0], epsilon=0.1),
        ],
        layer_normalization=[
            Call(T),
            Call(T, V, V + 1),
            Call(T, X[0], axis=1),
            Call(T, T[0], T[1], axis=(1, 2), epsilon=0.01),
        ],
        rms_normalization=[Call(T), Call(T, V), Call(T, epsilon=0.1)],
        normalize=[Call(T), Call(T, axis=1, order=1), Call(T, order=3)],
        dot_product_attention=[
            Call(real(2, 3, 2, 4), real(2, 5, 2, 4), real(2, 5, 2, 4)),
            Call(real(2, 3, 2, 4), real(2, 3, 1, 4), real(2, 3, 1, 4), is_causal=True, scale=0.7),
            Call(
                real(2, 3, 2, 4),
                real(2, 3, 2, 4),
                real(2, 3, 2, 4),
                bias=real(2, 2, 3, 3),
                mask=RNG.random((2, 1, 3, 3)) > 0.3,
            ),
        ],
        one_hot=[Call(N, 5), Call(N, 7, axis=0), Call(N, 7, axis=1, dtype="int32")],
        multi_hot=[
            Call(N, 5),
            Call(N[0], 7),
            Call(N[None], 7),
            Call(N, num_tokens=7, dtype="int32", symbolic=False),
        ],
        psnr=Call(X, Y, 2.0),
        polar=Call(P, X, gradient=False),
        fold=[
            Call(real(2, 12, 4), (4, 4), (2, 2), stride=2),
            Call(real(2, 8, 9), (4, 4), 2),
            Call(real(2, 4, 16), 4, 2, dilation=2, padding=1),
        ],
        unfold=[Call(real(2, 3, 4, 4), 2), Call(real(2, 3, 4, 4), (2, 3), dilation=1, padding=1, stride=2)],
        depth_to_space=[Call(real(2, 2, 3, 8), 2), Call(real(2, 8, 2, 3), 2, data_format="channels_first")],
        space_to_depth=[Call(real(2, 4, 6, 2), 2), Call(real(2, 2, 4, 6), 2, data_format="channels_first")],
    ),
    # convolution and pooling (more in test_conv_pool)
    **simple(
        conv=[Call(IMAGES, KERNEL), Call(IMAGES, KERNEL, strides=2, padding="same")],
        conv_transpose=[
            Call(IMAGES, real(3, 2, 4, 3)),
            Call(IMAGES, real(3, 2, 4, 3), strides=2, padding="same"),
        ],
        depthwise_conv=Call(IMAGES, real(3, 2, 3, 2), tolerance=1e-4),
        separable_conv=Call(IMAGES, real(3, 2, 3, 2), real(1, 1, 6, 4), tolerance=1e-4),
        max_pool=Call(IMAGES, 2, strides=2),
        average_pool=Call(IMAGES, (2, 2), strides=1, padding="same"),
        adaptive_average_pool=Call(IMAGES, (3, 2)),
        adaptive_max_pool=Call(IMAGES, (3, 2)),
    ),
    # conversion and control
    **simple(
        cast=[
            Call(X, "int32", gradient=False),
            Call(X, "float16", tolerance=1e-3),
            Call(N, bool),
            Call(N, float),
        ],
        saturate_cast=[Call(300 * X, "uint8", gradient=False), Call(N * 100, "int8"), Call(N, "bool")],
        convert_to_tensor=[
            Call(X),
            Call([1.0, 2.0]),
            Call([1, 2]),
            Call(X.astype("float64"), symbolic=False),
            Call(N.astype("int64"), symbolic=False),
            Call(True),
            Call(X, "int32", gradient=False),
        ],
        convert_to_numpy=Call(X, symbolic=False, gradient=False),
        array=[Call(X), Call([1, 2]), Call(N, dtype="float32")],
        is_tensor=[Call(X), Call(jnp.ones(2), gradient=False), Call(2), Call([1])],
        dtype=[Call(X, gradient=False), Call(N)],
        shape=[Call(T, gradient=False)],
        ndim=[Call(T, gradient=False, symbolic=False)],
        size=[Call(T, gradient=False)],
        stop_gradient=Call(X),
        cond=[
            Call(True, lambda: X, lambda: Y, symbolic=False),
            Call(np.array(False), lambda: X, lambda: Y, symbolic=False),
        ],
        switch=[
            Call(1, [lambda x: x, lambda x: 2 * x], X, gradient=False),
            Call(9, [lambda x: x, lambda x: 2 * x], X, gradient=False),
        ],
        while_loop=[
            Call(lambda i: i < 10, lambda i: i + 3, 0, gradient=False),
            Call(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, V), gradient=False, symbolic=False),
            Call(lambda i: i < 10, lambda i: i + 3, 0, maximum_iterations=2),
        ],
        fori_loop=Call(0, 3, lambda i, x: x * 2, X, gradient=False),
        scan=[
            Call(lambda c, x: (c + x, c * x), np.zeros(3, "float32"), X, symbolic=False),
            Call(lambda c, x: (c + x, c), np.zeros(3, "float32"), X, reverse=True, symbolic=False),
            Call(lambda c, _: (c + 1, c), 0, length=4),
        ],
        associative_scan=[
            Call(lambda a, b: a + b, X),
            Call(lambda a, b: a * b, T, reverse=True, axis=1, symbolic=False),
        ],
        map=Call(lambda x: x * 2, X),
        vectorized_map=[Call(lambda x: x * 2, X), Call(lambda x: x.sum(), T)],
        custom_gradient=[],
        vectorize=[],
    ),
    # images
    **{
        f"image.{name}": calls
        for name, calls in simple(
            resize=[
                Call(IMAGES, (3, 4), interpolation=i, symbolic=False)
                for i in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
            ]
            + [
                Call(IMAGES, (3, 9), antialias=True, symbolic=False),
                Call(BYTES, (3, 4), interpolation="bicubic", symbolic=False),
                Call(IMAGES, (8, 8), crop_to_aspect_ratio=True, symbolic=False),
                Call(IMAGES, (8, 4), pad_to_aspect_ratio=True, fill_value=2.0, symbolic=False),
                Call(IMAGES, (4, 9), pad_to_aspect_ratio=True, symbolic=False),
                Call(IMAGES[0], (7, 7), symbolic=False),
                Call(IMAGES.transpose(0, 3, 1, 2), (7, 7), data_format="channels_first", symbolic=False),
            ],
            scale_and_translate=[
                Call(
                    IMAGES,
                    (2, 8, 8, 3),
                    np.array([2.0, 1.5], "float32"),
                    np.array([0.5, -1.0], "float32"),
                    (1, 2),
                    "linear",
                    symbolic=False,
                )
            ],
            crop_images=[
                Call(IMAGES, 1, 1, target_height=3, target_width=2),
                Call(IMAGES[0], 1, 0, 2, 1, symbolic=False),
                Call(IMAGES, bottom_cropping=1, right_cropping=1, target_height=3, target_width=3),
            ],
            pad_images=[
                Call(IMAGES, 1, 1, target_height=9, target_width=9),
                Call(IMAGES[0], 1, 0, 2, 1, symbolic=False),
                Call(IMAGES, 0, 0, 0, 2),
            ],
            rgb_to_grayscale=[
                Call(IMAGES),
                Call(BYTES),
                Call(IMAGES.transpose(0, 3, 1, 2), data_format="channels_first"),
            ],
            rgb_to_hsv=[
                Call(IMAGES),
                Call(np.zeros((1, 2, 2, 3), "float32"), gradient=False),
                Call(IMAGES.transpose(0, 3, 1, 2), data_format="channels_first"),
            ],
            hsv_to_rgb=[Call(IMAGES), Call(IMAGES[0], symbolic=False)],
            extract_patches=[
                Call(IMAGES, 2),
                Call(IMAGES, (2, 3), strides=1, padding="same", dilation_rate=2),
                Call(IMAGES[0], 2, symbolic=False),
                Call(IMAGES.transpose(0, 3, 1, 2), 2, data_format="channels_first"),
            ],
            extract_patches_3d=[
                Call(real(2, 4, 4, 4, 2), 2),
                Call(real(2, 4, 5, 4, 2), (2, 3, 1), strides=1, padding="same"),
            ],
            gaussian_blur=[],
            sobel_edges=[
                Call(IMAGES, tolerance=1e-4),
                Call(IMAGES.transpose(0, 3, 1, 2), data_format="channels_first", tolerance=1e-4),
            ],
            ssim=[
                Call(IMAGES, IMAGES * 0.9, filter_size=3, tolerance=1e-4),
                Call(IMAGES * 255, IMAGES * 200, max_val=255.0, filter_size=5, filter_sigma=1.0, tolerance=1e-3),
            ],
            map_coordinates=[
                Call(IMAGES[0, ..., 0], 7 * real(2, 9), order, mode, gradient=mode == "reflect")
                for order in (0, 1)
                for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
            ]
            + [Call(BYTES[0, ..., 0], 3 * real(2, 5, 2), 1, fill_value=7)],
            affine_transform=[
                Call(
                    IMAGES,
                    transform=np.array([[1.1, 0.2, 0.5, -0.1, 0.9, 0.4, 0, 0], [1, 0, -2, 0, 1, 1, 0, 0]], "float32"),
                    interpolation=i,
                    fill_mode=m,
                    fill_value=0.3,
                    gradient=m == "constant",
                )
                for i in ("nearest", "bilinear")
                for m in ("constant", "nearest", "wrap", "reflect")
            ],
            perspective_transform=[
                Call(
                    IMAGES,
                    np.array([[[0, 0], [0, 4], [5, 0], [5, 4]]] * 2, "float32"),
                    np.array([[[0, 1], [0, 4], [5, 0], [5, 3]], [[1, 1], [0, 4], [4, 0], [5, 4]]], "float32"),
                    i,
                    tolerance=1e-3,
                    gradient=False,
                )
                for i in ("bilinear", "nearest")
            ],
            elastic_transform=[],
        ).items()
    },
}

CASES = [pytest.param(name, call, id=f"{name}-{i}") for name, calls in TABLE.items() for i, call in enumerate(calls)]


def pick(package, name):
    function = package
    for part in name.split("."):
        function = getattr(function, part)
    return function


def leaves(result):
    return jax.tree.leaves(result, is_leaf=lambda x: type(x).__name__ == "KerasTensor")


def kind(x):
    return str(x.dtype) if hasattr(x, "dtype") else type(x).__name__


def is_array(x):
    return isinstance(x, (np.ndarray, jax.Array)) and np.ndim(x) > 0


def split(package, name, call):
    """The call as a function of its arrays alone, and those arrays."""
    values, structure = jax.tree.flatten((call.args, call.kwargs))

    def run(*arrays):
        given = iter(arrays)
        args, kwargs = structure.unflatten([next(given) if is_array(x) else x for x in values])
        return pick(package.ops, name)(*args, **kwargs)

    return run, [x for x in values if is_array(x)]


@functools.cache
def program(package, name, call):
    """A digest of the traced program and its constants; None where it depends on values."""
    run, arrays = split(package, name, call)
    try:
        closed = jax.make_jaxpr(run)(*arrays)
    except Exception:
        return None
    text = re.sub("0x[0-9a-f]+", "", str(closed.jaxpr))  # without addresses of functions
    return hashlib.sha256(b"|".join([text.encode(), *(np.asarray(c).tobytes() for c in closed.consts)])).hexdigest()


# Each program runs once, on a handful of numbers: compiling it well would cost more than it saves.
quick = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def evaluated(package, name, call):
    """The outputs, and the gradients of a weighted sum of them with respect to positional arrays, in one program."""
    outputs, gradients = _evaluated(package, name, call)
    plain = [x if isinstance(x, (str, int, float, bool)) else np.asarray(x) for x in leaves(outputs)]
    return [kind(x) for x in leaves(outputs)], plain, gradients


def _evaluated(package, name, call):
    run, arrays = split(package, name, call)
    if program(package, name, call) is None:
        return run(*arrays), []
    positional = arrays[: sum(is_array(x) for x in jax.tree.leaves(call.args))]
    wanted = [i for i, x in enumerate(positional) if call.gradient and is_real(x)]

    def weighted_sum(chosen):
        given = list(arrays)
        for i, x in zip(wanted, chosen, strict=True):
            given[i] = x
        outputs = run(*given)
        floats = [x for x in leaves(outputs) if hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)]
        total = sum((jnp.sum(x * jnp.cos(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape)) for x in floats), 0.0)
        return total, outputs

    if not wanted:
        return quick(run)(*arrays), []
    (_, outputs), gradients = quick(jax.value_and_grad(weighted_sum, has_aux=True))([arrays[i] for i in wanted])
    return outputs, gradients


def is_real(x):
    return x.dtype == "float32" and np.all(np.isfinite(x))


@pytest.mark.parametrize(("name", "call"), CASES)
def test_values_types_and_gradients_are_those_of_keras(name, call):
    their_program, evaluation = ask(lambda keras: (program(keras, name, call), evaluated(keras, name, call)))
    if their_program is not None and program(cornu, name, call) == their_program:
        return
    their_kinds, theirs, their_slopes = evaluation
    kinds, ours, our_slopes = decoded(encoded(evaluated(cornu, name, call)))
    assert kinds == their_kinds
    for mine, reference in zip(ours, theirs, strict=True):
        if isinstance(mine, str):
            assert mine == reference
            continue
        assert np.shape(mine) == np.shape(reference)
        np.testing.assert_allclose(
            np.asarray(mine, "complex64"),
            np.asarray(reference, "complex64"),
            rtol=call.tolerance,
            atol=call.tolerance,
        )
    for mine, reference in zip(our_slopes, their_slopes, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=20 * call.tolerance, atol=20 * call.tolerance)


def symbolic(package, value, batch):
    """`value` with every array made a symbolic tensor, a first axis of size `batch` made unknown."""
    if isinstance(value, np.ndarray) and value.ndim:
        sizes = (None, *value.shape[1:]) if value.shape[0] == batch else value.shape
        return package.KerasTensor(sizes, dtype=str(value.dtype))
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, np.ndarray) for v in value):
        return type(value)(symbolic(package, v, batch) for v in value)
    return value


def outline(package, name, call):
    batch = next(x for x in jax.tree.leaves(call.args) if isinstance(x, np.ndarray) and x.ndim).shape[0]
    args = [symbolic(package, a, batch) for a in call.args]
    kwargs = {k: symbolic(package, v, batch) for k, v in call.kwargs.items()}
    return [(tuple(x.shape), str(x.dtype)) for x in leaves(pick(package.ops, name)(*args, **kwargs))]


def has_tensors(call):
    return any(isinstance(x, np.ndarray) and x.ndim for x in jax.tree.leaves(call.args))


def holds(inferred, actual):
    """Whether an inferred shape is that of the values, where it says something."""
    return len(inferred) == len(actual) and all(n in (None, m) for n, m in zip(inferred, actual, strict=True))


PYTHON_RESULTS = {"shape", "ndim", "dtype", "is_tensor", "convert_to_numpy", "size"}
SYMBOLIC = [
    p for p in CASES
    if p.values[1].symbolic and p.values[0] not in PYTHON_RESULTS and has_tensors(p.values[1])
]  # fmt: skip


@pytest.mark.parametrize(("name", "call"), SYMBOLIC)
def test_symbolic_shapes_hold_and_say_all_that_keras_says(name, call):
    inferred = outline(cornu, name, call)
    run, arrays = split(cornu, name, call)
    outputs = run(*arrays) if program(cornu, name, call) is None else jax.eval_shape(run, *arrays)
    actual = [(x.shape, str(x.dtype)) for x in leaves(outputs)]
    assert [dtype for _, dtype in inferred] == [dtype for _, dtype in actual]
    assert all(holds(shape, true) for (shape, _), (true, _) in zip(inferred, actual, strict=True))

    def question(keras):
        try:
            return outline(keras, name, call)
        except Exception:
            return None  # Keras has no symbolic form of this call

    reference = ask(question)
    if reference is None:
        return
    for (shape, _), (known, _), (true, _) in zip(inferred, reference, actual, strict=True):
        if holds(known, true):
            assert all(n is not None or m is None for n, m in zip(shape, known, strict=True)), (shape, known)


# What Keras has from 3.16 on: tests/behaviour/test_ops.py compares it with NumPy and SciPy.
LATER = {
    "column_stack", "copysign", "cov", "float_power", "gammainc", "image.reconstruct_patches", "lgamma", "matrix_power"
}  # fmt: skip


def test_the_table_leaves_no_op_out():
    for package, prefix in ((ops, ""), (ops.image, "image.")):
        functions = {prefix + n for n in package.__all__ if not inspect.ismodule(getattr(package, n))}
        assert functions - LATER == {n for n in TABLE if n.startswith("image.") == bool(prefix)}


@pytest.mark.parametrize("space", ["numpy", "nn", "linalg", "image"])
def test_sub_namespaces_hold_what_keras_has_there(space):
    mine = getattr(ops, space)
    wanted = ask(lambda keras: [n for n in dir(getattr(keras.ops, space)) if not n.startswith("_")])
    assert set(wanted) <= set(mine.__all__)
    for name in set(mine.__all__) & set(ops.__all__):
        assert getattr(mine, name) is getattr(ops, name)


def test_signatures_are_those_of_keras():
    def question(library):
        return {name: parameters(pick(library.ops, name)) for name in TABLE}

    ours, theirs = both(question)
    for name, wanted in theirs.items():
        named = dict(wanted)
        assert [(n, default) for n, default in ours[name] if n in named] == wanted, name


def parameters(function):
    """[(name, default)] of a function, with the defaults as text."""
    found = inspect.signature(function).parameters.values()
    return [(p.name, repr(p.default)) for p in found if p.kind is not p.VAR_KEYWORD]
