"""Elementwise operations: with NumPy's broadcasting for several inputs.

Dtypes follow JAX: integers and booleans become the default float if a function is only defined for floats (`sin`,
`sqrt`, `divide`), two inputs are promoted to a common dtype, and plain Python numbers take the dtype of the array they
are combined with.
"""

import jax
import jax.numpy as jnp
from jax import lax

from cornu import settings
from cornu.core.dtypes import standardize_dtype
from cornu.core.operation import Tensor, op


def floating(x: Tensor) -> jax.Array:
    """`x` as an array of floats: integers and booleans become the default float dtype."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(settings.floatx())


def floats(*tensors: Tensor) -> list[jax.Array]:
    """Tensors in their promoted float dtype: integers take that of the others, or the default."""
    together = jnp.result_type(*tensors)
    kind = together if jnp.issubdtype(together, jnp.inexact) else settings.floatx()
    return [jnp.asarray(x, kind) for x in tensors]


def strong(x: Tensor) -> jax.Array:
    """`x` as an array; a Python number gets its own dtype, whatever it is combined with."""
    return jnp.asarray(x, standardize_dtype(type(x)) if isinstance(x, (bool, int, float)) else None)


# ---- one input ----


@op(class_name="Absolute")
def abs(x: Tensor) -> jax.Array:
    """Absolute value, `|x|`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.abs(np.array([-1.5, 2.0])))  # [1.5 2.]
    """
    return jnp.abs(x)


@op
def absolute(x: Tensor) -> jax.Array:
    """Absolute value, `|x|`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.absolute(np.array([-1.5, 2.0])))  # [1.5 2.]
    """
    return jnp.abs(x)


@op
def fabs(x: Tensor) -> jax.Array:
    """Absolute value as a float.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.fabs(np.array([-1, 2])))  # [1. 2.]
    """
    return jnp.fabs(x)


@op
def negative(x: Tensor) -> jax.Array:
    """`-x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.negative(np.array([1.0, -2.0])))  # [-1. 2.]
    """
    return jnp.negative(x)


@op
def sign(x: Tensor) -> jax.Array:
    """-1 where `x` is negative, 0 where it is zero, 1 where it is positive.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sign(np.array([-3.0, 0.0, 2.0])))  # [-1. 0. 1.]
    """
    return jnp.sign(x)


@op
def signbit(x: Tensor) -> jax.Array:
    """True where the sign bit of `x` is set, which distinguishes -0.0 from 0.0.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.signbit(np.array([-0.0, 0.0])))  # [True False]
    """
    return jnp.signbit(x)


@op
def square(x: Tensor) -> jax.Array:
    """`x * x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.square(np.array([2.0, -3.0])))  # [4. 9.]
    """
    return jnp.square(x)


@op
def sqrt(x: Tensor) -> jax.Array:
    """Square root.

    Args:
        x: numbers of at least 0, of any shape; negative ones give NaN.

    Example:

        print(cornu.ops.sqrt(np.array([4.0, 9.0])))  # [2. 3.]
    """
    return jnp.sqrt(x)


@op
def rsqrt(x: Tensor) -> jax.Array:
    """Reciprocal of the square root, `1 / sqrt(x)`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.rsqrt(np.array([1.0, 4.0])))  # [1. 0.5]
    """
    return lax.rsqrt(floating(x))


@op
def cbrt(x: Tensor) -> jax.Array:
    """Cube root.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.cbrt(np.array([8.0, -27.0])))  # [2. -3.]
    """
    return jnp.cbrt(x)


@op
def reciprocal(x: Tensor) -> jax.Array:
    """`1 / x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.reciprocal(np.array([2.0, 4.0])))  # [0.5 0.25]
    """
    return jnp.reciprocal(floating(x))


@op
def exp(x: Tensor) -> jax.Array:
    """`e` to the power `x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.exp(np.array([0.0, 1.0])))  # [1. 2.7182...]
    """
    return jnp.exp(x)


@op
def exp2(x: Tensor) -> jax.Array:
    """2 to the power `x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.exp2(np.array([0.0, 3.0])))  # [1. 8.]
    """
    return jnp.exp2(x)


@op
def expm1(x: Tensor) -> jax.Array:
    """`exp(x) - 1`, precise near zero.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.expm1(np.array([0.0, 1.0])))  # [0. 1.7182...]
    """
    return jnp.expm1(x)


@op
def log(x: Tensor) -> jax.Array:
    """Natural logarithm.

    Args:
        x: positive numbers, of any shape; 0 gives minus infinity, negative numbers give NaN.

    Example:

        print(cornu.ops.log(np.array([1.0, 10.0])))  # [0. 2.3025...]
    """
    return jnp.log(x)


@op
def log2(x: Tensor) -> jax.Array:
    """Logarithm to base 2.

    Args:
        x: positive numbers, of any shape; 0 gives minus infinity, negative numbers give NaN.

    Example:

        print(cornu.ops.log2(np.array([1.0, 8.0])))  # [0. 3.]
    """
    return jnp.log2(x)


@op
def log10(x: Tensor) -> jax.Array:
    """Logarithm to base 10.

    Args:
        x: positive numbers, of any shape; 0 gives minus infinity, negative numbers give NaN.

    Example:

        print(cornu.ops.log10(np.array([1.0, 1000.0])))  # [0. 3.]
    """
    return jnp.log10(x)


@op
def log1p(x: Tensor) -> jax.Array:
    """`log(1 + x)`, precise near zero.

    Args:
        x: numbers above -1, of any shape; -1 gives minus infinity, smaller numbers give NaN.

    Example:

        print(cornu.ops.log1p(np.array([0.0, 1.0])))  # [0. 0.6931...]
    """
    return jnp.log1p(x)


@op
def sin(x: Tensor) -> jax.Array:
    """Sine of an angle in radians.

    Args:
        x: angles in radians, of any shape.

    Example:

        print(cornu.ops.sin(np.array([0.0, 1.0])))  # [0. 0.8414...]
    """
    return jnp.sin(x)


@op
def cos(x: Tensor) -> jax.Array:
    """Cosine of an angle in radians.

    Args:
        x: angles in radians, of any shape.

    Example:

        print(cornu.ops.cos(np.array([0.0, 1.0])))  # [1. 0.5403...]
    """
    return jnp.cos(x)


@op
def tan(x: Tensor) -> jax.Array:
    """Tangent of an angle in radians.

    Args:
        x: angles in radians, of any shape.

    Example:

        print(cornu.ops.tan(np.array([0.0, 1.0])))  # [0. 1.5574...]
    """
    return jnp.tan(x)


@op
def arcsin(x: Tensor) -> jax.Array:
    """Inverse sine, in radians from -pi/2 to pi/2.

    Args:
        x: numbers from -1 to 1, of any shape; others give NaN.

    Example:

        print(cornu.ops.arcsin(np.array([0.0, 1.0])))  # [0. 1.5707...]
    """
    return jnp.arcsin(x)


@op
def arccos(x: Tensor) -> jax.Array:
    """Inverse cosine, in radians from 0 to pi.

    Args:
        x: numbers from -1 to 1, of any shape; others give NaN.

    Example:

        print(cornu.ops.arccos(np.array([1.0, 0.0])))  # [0. 1.5707...]
    """
    return jnp.arccos(x)


@op
def arctan(x: Tensor) -> jax.Array:
    """Inverse tangent, in radians from -pi/2 to pi/2.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.arctan(np.array([0.0, 1.0])))  # [0. 0.7853...]
    """
    return jnp.arctan(x)


@op
def sinh(x: Tensor) -> jax.Array:
    """Hyperbolic sine.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sinh(np.array([0.0, 1.0])))  # [0. 1.1752...]
    """
    return jnp.sinh(x)


@op
def cosh(x: Tensor) -> jax.Array:
    """Hyperbolic cosine.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.cosh(np.array([0.0, 1.0])))  # [1. 1.5430...]
    """
    return jnp.cosh(x)


@op
def tanh(x: Tensor) -> jax.Array:
    """Hyperbolic tangent.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.tanh(np.array([0.0, 1.0])))  # [0. 0.7615...]
    """
    return jnp.tanh(x)


@op
def arcsinh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic sine.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.arcsinh(np.array([0.0, 1.0])))  # [0. 0.8813...]
    """
    return jnp.arcsinh(x)


@op
def arccosh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic cosine.

    Args:
        x: numbers of at least 1, of any shape; others give NaN.

    Example:

        print(cornu.ops.arccosh(np.array([1.0, 2.0])))  # [0. 1.3169...]
    """
    return jnp.arccosh(x)


@op
def arctanh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic tangent.

    Args:
        x: numbers between -1 and 1, of any shape; numbers beyond give NaN.

    Example:

        print(cornu.ops.arctanh(np.array([0.0, 0.5])))  # [0. 0.5493...]
    """
    return jnp.arctanh(x)


@op
def sinc(x: Tensor) -> jax.Array:
    """Normalized sinc, `sin(pi x) / (pi x)`, and 1 at zero.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sinc(np.array([0.0, 0.5])))  # [1. 0.6366...]
    """
    return jnp.sinc(floating(x))


@op
def i0(x: Tensor) -> jax.Array:
    """Modified Bessel function of the first kind, order 0.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.i0(np.array([1.0])))  # [1.2660...]
    """
    return jnp.i0(floating(x))


@op
def erf(x: Tensor) -> jax.Array:
    """Gauss error function.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.erf(np.array([0.0, 1.0])))  # [0. 0.8427...]
    """
    return lax.erf(floating(x))


@op
def erfc(x: Tensor) -> jax.Array:
    """Complementary error function, `1 - erf(x)`, precise for large `x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.erfc(np.array([0.0, 1.0])))  # [1. 0.1572...]
    """
    return lax.erfc(floating(x))


@op
def erfinv(x: Tensor) -> jax.Array:
    """Inverse of the error function, for `x` from -1 to 1.

    Args:
        x: numbers from -1 to 1, of any shape.

    Example:

        print(cornu.ops.erfinv(np.array([0.0, 0.5])))  # [0. 0.4769...]
    """
    return lax.erf_inv(floating(x))


@op
def lgamma(x: Tensor) -> jax.Array:
    """Logarithm of the absolute value of the gamma function.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.lgamma(np.array([5.0])))  # [3.1780...]
    """
    return lax.lgamma(floating(x))


@op
def gammainc(x1: Tensor, x2: Tensor) -> jax.Array:
    """Regularized lower incomplete gamma function of shape `x1` at `x2`: the share of the integral up to `x2`.

    Args:
        x1: positive shape parameters, of any shape.
        x2: upper bounds of the integral, not negative, of a shape that broadcasts with that of `x1`.

    Example:

        print(cornu.ops.gammainc([1.0], [0.5]))  # [0.393...]
    """
    return lax.igamma(*jnp.broadcast_arrays(*floats(x1, x2)))


@op
def deg2rad(x: Tensor) -> jax.Array:
    """Degrees to radians.

    Args:
        x: angles in degrees, of any shape.

    Example:

        print(cornu.ops.deg2rad(np.array([0.0, 180.0])))  # [0. 3.1415...]
    """
    return jnp.deg2rad(x)


@op
def rad2deg(x: Tensor) -> jax.Array:
    """Radians to degrees.

    Args:
        x: angles in radians, of any shape.

    Example:

        print(cornu.ops.rad2deg(np.array([0.0, np.pi])))  # [0. 180.]
    """
    return jnp.rad2deg(x)


@op
def ceil(x: Tensor) -> jax.Array:
    """The smallest integer not less than `x`, as a float.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.ceil(np.array([1.2, -1.2])))  # [2. -1.]
    """
    return jnp.ceil(floating(x))


@op
def floor(x: Tensor) -> jax.Array:
    """The largest integer not greater than `x`, as a float.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.floor(np.array([1.7, -1.2])))  # [1. -2.]
    """
    return jnp.floor(floating(x))


@op
def round(x: Tensor, decimals: int = 0) -> jax.Array:
    """`x` rounded to `decimals` decimal places, with ties to even.

    Args:
        x: tensor of any shape.
        decimals: number of decimal places. Defaults to 0.

    Example:

        print(cornu.ops.round(np.array([0.5, 1.5, 2.4])))  # [0. 2. 2.]
    """
    return jnp.round(x, decimals)


@op
def trunc(x: Tensor) -> jax.Array:
    """`x` without its fractional part.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.trunc(np.array([1.7, -1.7])))  # [1. -1.]
    """
    return jnp.trunc(x)


@op
def real(x: Tensor) -> jax.Array:
    """Real part.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.real(np.array([1.0 + 2.0j])))  # [1.]
    """
    return jnp.real(x)


@op
def imag(x: Tensor) -> jax.Array:
    """Imaginary part, zero for real input.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.imag(np.array([1.0 + 2.0j])))  # [2.]
    """
    return jnp.imag(x)


@op(class_name="Conjugate")
def conj(x: Tensor) -> jax.Array:
    """Complex conjugate.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.conj(np.array([1.0 + 2.0j])))  # [1.-2.j]
    """
    return jnp.conjugate(x)


@op
def conjugate(x: Tensor) -> jax.Array:
    """Complex conjugate.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.conjugate(np.array([1.0 + 2.0j])))  # [1.-2.j]
    """
    return jnp.conjugate(x)


@op
def angle(x: Tensor) -> jax.Array:
    """Angle of complex numbers in the plane, in radians from -pi to pi.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.angle(np.array([1.0 + 1.0j, -1.0 + 0.0j])))  # [0.7853... 3.1415...]
    """
    return jnp.angle(x)


@op
def isfinite(x: Tensor) -> jax.Array:
    """True where `x` is neither infinite nor NaN.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.isfinite(np.array([1.0, np.inf, np.nan])))  # [True False False]
    """
    return jnp.isfinite(x)


@op
def isinf(x: Tensor) -> jax.Array:
    """True where `x` is infinite.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.isinf(np.array([1.0, -np.inf, np.nan])))  # [False True False]
    """
    return jnp.isinf(x)


@op
def isnan(x: Tensor) -> jax.Array:
    """True where `x` is NaN.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.isnan(np.array([1.0, np.inf, np.nan])))  # [False False True]
    """
    return jnp.isnan(x)


@op
def isneginf(x: Tensor) -> jax.Array:
    """True where `x` is minus infinity.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.isneginf(np.array([1.0, -np.inf, np.inf])))  # [False True False]
    """
    return jnp.isneginf(x)


@op
def isposinf(x: Tensor) -> jax.Array:
    """True where `x` is plus infinity.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.isposinf(np.array([1.0, -np.inf, np.inf])))  # [False False True]
    """
    return jnp.isposinf(x)


@op
def isreal(x: Tensor) -> jax.Array:
    """True where `x` has no imaginary part.

    Args:
        x: complex or real numbers, of any shape.

    Example:

        print(cornu.ops.isreal(np.array([1.0 + 0.0j, 1.0 + 2.0j])))  # [True False]
    """
    return jnp.isreal(x)


@op
def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> jax.Array:
    """Replace NaN and infinities by numbers.

    Args:
        x: tensor of any shape.
        nan: replacement of NaN. Defaults to 0.0.
        posinf: replacement of infinity; None is the largest finite number of the dtype.
        neginf: replacement of minus infinity; None is the smallest finite number of the dtype.

    Example:

        print(cornu.ops.nan_to_num(np.array([1.0, np.nan, np.inf]), posinf=9.0))  # [1. 0. 9.]
    """
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@op
def clip(x: Tensor, x_min: Tensor | None, x_max: Tensor | None) -> jax.Array:
    """`x` clipped to the range from `x_min` to `x_max`.

    Args:
        x: tensor of any shape.
        x_min, x_max: the bounds, each None or of a shape that broadcasts with that of `x`.

    Example:

        print(cornu.ops.clip(np.array([-2.0, 0.5, 3.0]), 0.0, 1.0))  # [0. 0.5 1.]
    """
    x = jnp.asarray(x)
    x = x.astype("int32") if x.dtype == bool else x
    return jnp.clip(x, x_min, x_max)


@op
def logical_not(x: Tensor) -> jax.Array:
    """True where `x` is zero or False.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.logical_not(np.array([True, False])))  # [False True]
    """
    return jnp.logical_not(x)


@op
def bitwise_not(x: Tensor) -> jax.Array:
    """Every bit of an integer inverted.

    Args:
        x: integers or booleans, of any shape.

    Example:

        print(cornu.ops.bitwise_not(np.array([0, 5])))  # [-1 -6]
    """
    return jnp.bitwise_not(x)


@op
def bitwise_invert(x: Tensor) -> jax.Array:
    """Every bit of an integer inverted.

    Args:
        x: integers or booleans, of any shape.

    Example:

        print(cornu.ops.bitwise_invert(np.array([0, 5])))  # [-1 -6]
    """
    return jnp.bitwise_not(x)


# ---- two inputs: arithmetic ----


@op
def add(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 + x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.add(np.array([1.0, 2.0]), 10.0))  # [11. 12.]
    """
    return jnp.add(x1, x2)


@op
def subtract(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 - x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.subtract(np.array([1.0, 2.0]), 10.0))  # [-9. -8.]
    """
    return jnp.subtract(x1, x2)


@op
def multiply(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 * x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.multiply(np.array([1.0, 2.0]), 3.0))  # [3. 6.]
    """
    return jnp.multiply(x1, x2)


@op
def divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, always a float.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.divide(np.array([1, 3]), 2))  # [0.5 1.5]
    """
    return jnp.divide(x1, x2)


@op
def true_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, always a float.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.true_divide(np.array([1, 3]), 2))  # [0.5 1.5]
    """
    return jnp.divide(x1, x2)


@op
def divide_no_nan(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, and 0 where `x2` is 0; the gradient is 0 there too.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.divide_no_nan(np.array([1.0, 3.0]), np.array([2.0, 0.0])))  # [0.5 0.]
    """
    x1, x2 = floats(x1, x2)
    zero = x2 == 0
    quotient = jnp.divide(x1, jnp.where(zero, jnp.ones_like(x2), x2))
    return jnp.where(zero, jnp.zeros_like(quotient), quotient)


@op
def floor_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """The largest integer not greater than `x1 / x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.floor_divide(np.array([7, -7]), 2))  # [3 -4]
    """
    return jnp.floor_divide(x1, x2)


@op
def mod(x1: Tensor, x2: Tensor) -> jax.Array:
    """Remainder of the floor division, with the sign of `x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.mod(np.array([7, -7]), 3))  # [1 2]
    """
    return jnp.mod(x1, x2)


@op
def fmod(x1: Tensor, x2: Tensor) -> jax.Array:
    """Remainder of the truncated division, with the sign of `x1`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.fmod(np.array([7.0, -7.0]), 3.0))  # [1. -1.]
    """
    return jnp.fmod(x1, x2)


@op
def power(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1` to the power `x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.power(np.array([2.0, 3.0]), 2.0))  # [4. 9.]
    """
    return jnp.power(x1, x2)


@op
def float_power(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1` to the power `x2` as floats, so that negative powers of integers are fractions.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.float_power(np.array([2, 4]), -1))  # [0.5 0.25]
    """
    return jnp.power(*floats(x1, x2))


@op
def maximum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values; NaN if either is NaN.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.maximum(np.array([1.0, 5.0]), 3.0))  # [3. 5.]
    """
    return jnp.maximum(x1, x2)


@op
def minimum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values; NaN if either is NaN.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.minimum(np.array([1.0, 5.0]), 3.0))  # [1. 3.]
    """
    return jnp.minimum(x1, x2)


@op
def fmax(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values, ignoring NaN if possible.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.fmax(np.array([1.0, np.nan]), np.array([2.0, 3.0])))  # [2. 3.]
    """
    return jnp.fmax(x1, x2)


@op
def fmin(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values, ignoring NaN if possible.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.fmin(np.array([1.0, np.nan]), np.array([2.0, 3.0])))  # [1. 3.]
    """
    return jnp.fmin(x1, x2)


@op
def gcd(x1: Tensor, x2: Tensor) -> jax.Array:
    """Greatest common divisor of integers.

    Args:
        x1, x2: integers, whose shapes broadcast.

    Example:

        print(cornu.ops.gcd(np.array([12, 7]), np.array([18, 21])))  # [6 7]
    """
    return jnp.gcd(x1, x2)


@op
def lcm(x1: Tensor, x2: Tensor) -> jax.Array:
    """Least common multiple of integers.

    Args:
        x1, x2: integers, whose shapes broadcast.

    Example:

        print(cornu.ops.lcm(np.array([4, 6]), np.array([6, 8])))  # [12 24]
    """
    return jnp.lcm(x1, x2)


@op
def ldexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 * 2 ** x2` for an integer `x2`.

    Args:
        x1: tensor of any shape.
        x2: integers, of a shape that broadcasts with that of `x1`.

    Example:

        print(cornu.ops.ldexp(np.array([1.0, 3.0]), 2))  # [4. 12.]
    """
    if not jnp.issubdtype(jnp.result_type(x2), jnp.integer):
        raise TypeError(f"ldexp: x2 must contain integers. Received: x2 of type {jnp.result_type(x2).name}.")
    return jnp.ldexp(x1, x2)


@op
def nextafter(x1: Tensor, x2: Tensor) -> jax.Array:
    """The next float after `x1` in the direction of `x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.nextafter(np.float32(1.0), np.float32(2.0)) > 1.0)  # True
    """
    return jnp.nextafter(*floats(x1, x2))


@op
def heaviside(x1: Tensor, x2: Tensor) -> jax.Array:
    """0 where `x1` is negative, `x2` where it is zero, 1 where it is positive.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.heaviside(np.array([-1.0, 0.0, 2.0]), 0.5))  # [0. 0.5 1.]
    """
    return jnp.heaviside(x1, x2)


@op
def arctan2(x1: Tensor, x2: Tensor) -> jax.Array:
    """Angle of the point `(x2, x1)` in radians, from -pi to pi.

    Args:
        x1: ordinates, of any shape.
        x2: abscissas, of a shape that broadcasts with that of `x1`.

    Example:

        print(cornu.ops.arctan2(np.array([1.0, 1.0]), np.array([1.0, -1.0])))  # [0.7853... 2.3561...]
    """
    return jnp.arctan2(strong(x1), strong(x2))


@op
def hypot(x1: Tensor, x2: Tensor) -> jax.Array:
    """`sqrt(x1² + x2²)` without overflow.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.hypot(np.array([3.0]), np.array([4.0])))  # [5.]
    """
    return jnp.hypot(x1, x2)


@op
def copysign(x1: Tensor, x2: Tensor) -> jax.Array:
    """`|x1|` with the sign of `x2`, also that of a zero.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.copysign(np.array([1.0, 2.0]), np.array([-0.0, 3.0])))  # [-1. 2.]
    """
    return jnp.copysign(*floats(x1, x2))


@op
def logaddexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """`log(exp(x1) + exp(x2))` without overflow.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.logaddexp(np.array([1000.0]), np.array([1000.0])))  # [1000.6932]
    """
    return jnp.logaddexp(strong(x1), strong(x2))


@op
def logaddexp2(x1: Tensor, x2: Tensor) -> jax.Array:
    """`log2(2**x1 + 2**x2)` without overflow.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.logaddexp2(np.array([1000.0]), np.array([1000.0])))  # [1001.]
    """
    return jnp.logaddexp2(strong(x1), strong(x2))


# ---- two inputs: comparison and logic ----


@op
def equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 == x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.equal(np.array([1, 2]), np.array([1, 3])))  # [True False]
    """
    return jnp.equal(x1, x2)


@op
def not_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 != x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.not_equal(np.array([1, 2]), np.array([1, 3])))  # [False True]
    """
    return jnp.not_equal(x1, x2)


@op
def greater(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 > x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.greater(np.array([1, 3]), 2))  # [False True]
    """
    return jnp.greater(x1, x2)


@op
def greater_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 >= x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.greater_equal(np.array([1, 2]), 2))  # [False True]
    """
    return jnp.greater_equal(x1, x2)


@op
def less(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 < x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.less(np.array([1, 3]), 2))  # [True False]
    """
    return jnp.less(x1, x2)


@op
def less_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 <= x2`.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.less_equal(np.array([2, 3]), 2))  # [True False]
    """
    return jnp.less_equal(x1, x2)


@op
def isclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """True where `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1, x2: tensors whose shapes broadcast.
        rtol: tolerance relative to `|x2|`. Defaults to 1e-5.
        atol: absolute tolerance. Defaults to 1e-8.
        equal_nan: whether NaN equals NaN. Defaults to False.

    Example:

        print(cornu.ops.isclose(np.array([1.0, 2.0]), np.array([1.0, 2.1])))  # [True False]
    """
    return jnp.isclose(x1, x2, rtol, atol, equal_nan)


@op(class_name="AllClose")
def allclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """Whether `isclose` holds for every element.

    Args:
        x1, x2: tensors whose shapes broadcast.
        rtol: tolerance relative to `|x2|`. Defaults to 1e-5.
        atol: absolute tolerance. Defaults to 1e-8.
        equal_nan: whether NaN equals NaN. Defaults to False.

    Example:

        print(cornu.ops.allclose(np.array([1.0, 2.0]), np.array([1.0, 2.0000001])))  # True
    """
    return jnp.allclose(x1, x2, rtol, atol, equal_nan)


@op
def logical_and(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where both are non-zero.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.logical_and(np.array([True, True]), np.array([True, False])))  # [True False]
    """
    return jnp.logical_and(x1, x2)


@op
def logical_or(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where either is non-zero.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.logical_or(np.array([True, False]), np.array([False, False])))  # [True False]
    """
    return jnp.logical_or(x1, x2)


@op
def logical_xor(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where exactly one is non-zero.

    Args:
        x1, x2: tensors whose shapes broadcast.

    Example:

        print(cornu.ops.logical_xor(np.array([True, True]), np.array([True, False])))  # [False True]
    """
    return jnp.logical_xor(x1, x2)


@op
def bitwise_and(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in both integers.

    Args:
        x, y: integers or booleans, whose shapes broadcast.

    Example:

        print(cornu.ops.bitwise_and(np.array([6, 5]), 3))  # [2 1]
    """
    return jnp.bitwise_and(x, y)


@op
def bitwise_or(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in either integer.

    Args:
        x, y: integers or booleans, whose shapes broadcast.

    Example:

        print(cornu.ops.bitwise_or(np.array([6, 5]), 3))  # [7 7]
    """
    return jnp.bitwise_or(x, y)


@op
def bitwise_xor(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in exactly one integer.

    Args:
        x, y: integers or booleans, whose shapes broadcast.

    Example:

        print(cornu.ops.bitwise_xor(np.array([6, 5]), 3))  # [5 6]
    """
    return jnp.bitwise_xor(x, y)


@op
def bitwise_left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted left by `y`.

    Args:
        x: integers, of any shape.
        y: by how many bits, of a shape that broadcasts with that of `x`.

    Example:

        print(cornu.ops.bitwise_left_shift(np.array([1, 3]), 2))  # [4 12]
    """
    return jnp.left_shift(x, y)


@op
def left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted left by `y`.

    Args:
        x: integers, of any shape.
        y: by how many bits, of a shape that broadcasts with that of `x`.

    Example:

        print(cornu.ops.left_shift(np.array([1, 3]), 2))  # [4 12]
    """
    return jnp.left_shift(x, y)


@op
def bitwise_right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted right by `y`, preserving the sign.

    Args:
        x: integers, of any shape.
        y: by how many bits, of a shape that broadcasts with that of `x`.

    Example:

        print(cornu.ops.bitwise_right_shift(np.array([8, -8]), 2))  # [2 -2]
    """
    return jnp.right_shift(x, y)


@op
def right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted right by `y`, preserving the sign.

    Args:
        x: integers, of any shape.
        y: by how many bits, of a shape that broadcasts with that of `x`.

    Example:

        print(cornu.ops.right_shift(np.array([8, -8]), 2))  # [2 -2]
    """
    return jnp.right_shift(x, y)
