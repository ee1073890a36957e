"""Elementwise operations, with NumPy's broadcasting for several inputs.

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
    """Absolute value, `|x|`."""
    return jnp.abs(x)


@op
def absolute(x: Tensor) -> jax.Array:
    """Absolute value, `|x|`."""
    return jnp.abs(x)


@op
def fabs(x: Tensor) -> jax.Array:
    """Absolute value as a float."""
    return jnp.fabs(x)


@op
def negative(x: Tensor) -> jax.Array:
    """`-x`."""
    return jnp.negative(x)


@op
def sign(x: Tensor) -> jax.Array:
    """-1 where `x` is negative, 0 where it is zero, 1 where it is positive."""
    return jnp.sign(x)


@op
def signbit(x: Tensor) -> jax.Array:
    """True where the sign bit of `x` is set, which distinguishes -0.0 from 0.0."""
    return jnp.signbit(x)


@op
def square(x: Tensor) -> jax.Array:
    """`x * x`."""
    return jnp.square(x)


@op
def sqrt(x: Tensor) -> jax.Array:
    """Square root."""
    return jnp.sqrt(x)


@op
def rsqrt(x: Tensor) -> jax.Array:
    """Reciprocal of the square root, `1 / sqrt(x)`."""
    return lax.rsqrt(floating(x))


@op
def cbrt(x: Tensor) -> jax.Array:
    """Cube root."""
    return jnp.cbrt(x)


@op
def reciprocal(x: Tensor) -> jax.Array:
    """`1 / x`."""
    return jnp.reciprocal(floating(x))


@op
def exp(x: Tensor) -> jax.Array:
    """`e` to the power `x`."""
    return jnp.exp(x)


@op
def exp2(x: Tensor) -> jax.Array:
    """2 to the power `x`."""
    return jnp.exp2(x)


@op
def expm1(x: Tensor) -> jax.Array:
    """`exp(x) - 1`, precise near zero."""
    return jnp.expm1(x)


@op
def log(x: Tensor) -> jax.Array:
    """Natural logarithm."""
    return jnp.log(x)


@op
def log2(x: Tensor) -> jax.Array:
    """Logarithm to base 2."""
    return jnp.log2(x)


@op
def log10(x: Tensor) -> jax.Array:
    """Logarithm to base 10."""
    return jnp.log10(x)


@op
def log1p(x: Tensor) -> jax.Array:
    """`log(1 + x)`, precise near zero."""
    return jnp.log1p(x)


@op
def sin(x: Tensor) -> jax.Array:
    """Sine of an angle in radians."""
    return jnp.sin(x)


@op
def cos(x: Tensor) -> jax.Array:
    """Cosine of an angle in radians."""
    return jnp.cos(x)


@op
def tan(x: Tensor) -> jax.Array:
    """Tangent of an angle in radians."""
    return jnp.tan(x)


@op
def arcsin(x: Tensor) -> jax.Array:
    """Inverse sine, in radians from -pi/2 to pi/2."""
    return jnp.arcsin(x)


@op
def arccos(x: Tensor) -> jax.Array:
    """Inverse cosine, in radians from 0 to pi."""
    return jnp.arccos(x)


@op
def arctan(x: Tensor) -> jax.Array:
    """Inverse tangent, in radians from -pi/2 to pi/2."""
    return jnp.arctan(x)


@op
def sinh(x: Tensor) -> jax.Array:
    """Hyperbolic sine."""
    return jnp.sinh(x)


@op
def cosh(x: Tensor) -> jax.Array:
    """Hyperbolic cosine."""
    return jnp.cosh(x)


@op
def tanh(x: Tensor) -> jax.Array:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


@op
def arcsinh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic sine."""
    return jnp.arcsinh(x)


@op
def arccosh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic cosine."""
    return jnp.arccosh(x)


@op
def arctanh(x: Tensor) -> jax.Array:
    """Inverse hyperbolic tangent."""
    return jnp.arctanh(x)


@op
def sinc(x: Tensor) -> jax.Array:
    """Normalized sinc, `sin(pi x) / (pi x)`, and 1 at zero."""
    return jnp.sinc(floating(x))


@op
def i0(x: Tensor) -> jax.Array:
    """Modified Bessel function of the first kind, order 0."""
    return jnp.i0(floating(x))


@op
def erf(x: Tensor) -> jax.Array:
    """Gauss error function."""
    return lax.erf(floating(x))


@op
def erfc(x: Tensor) -> jax.Array:
    """Complementary error function, `1 - erf(x)`, precise for large `x`."""
    return lax.erfc(floating(x))


@op
def erfinv(x: Tensor) -> jax.Array:
    """Inverse of the error function, for `x` from -1 to 1."""
    return lax.erf_inv(floating(x))


@op
def lgamma(x: Tensor) -> jax.Array:
    """Logarithm of the absolute value of the gamma function."""
    return lax.lgamma(floating(x))


@op
def gammainc(x1: Tensor, x2: Tensor) -> jax.Array:
    """Regularized lower incomplete gamma function of shape `x1` at `x2`: the share of the integral up to `x2`.

    Example:

        print(cornu.ops.gammainc([1.0], [0.5]))  # [0.393...]
    """
    return lax.igamma(*jnp.broadcast_arrays(*floats(x1, x2)))


@op
def deg2rad(x: Tensor) -> jax.Array:
    """Degrees to radians."""
    return jnp.deg2rad(x)


@op
def rad2deg(x: Tensor) -> jax.Array:
    """Radians to degrees."""
    return jnp.rad2deg(x)


@op
def ceil(x: Tensor) -> jax.Array:
    """The smallest integer not less than `x`, as a float."""
    return jnp.ceil(floating(x))


@op
def floor(x: Tensor) -> jax.Array:
    """The largest integer not greater than `x`, as a float."""
    return jnp.floor(floating(x))


@op
def round(x: Tensor, decimals: int = 0) -> jax.Array:
    """`x` rounded to `decimals` decimal places, with ties to even."""
    return jnp.round(x, decimals)


@op
def trunc(x: Tensor) -> jax.Array:
    """`x` without its fractional part."""
    return jnp.trunc(x)


@op
def real(x: Tensor) -> jax.Array:
    """Real part."""
    return jnp.real(x)


@op
def imag(x: Tensor) -> jax.Array:
    """Imaginary part, zero for real input."""
    return jnp.imag(x)


@op(class_name="Conjugate")
def conj(x: Tensor) -> jax.Array:
    """Complex conjugate."""
    return jnp.conjugate(x)


@op
def conjugate(x: Tensor) -> jax.Array:
    """Complex conjugate."""
    return jnp.conjugate(x)


@op
def angle(x: Tensor) -> jax.Array:
    """Angle of complex numbers in the plane, in radians from -pi to pi."""
    return jnp.angle(x)


@op
def isfinite(x: Tensor) -> jax.Array:
    """True where `x` is neither infinite nor NaN."""
    return jnp.isfinite(x)


@op
def isinf(x: Tensor) -> jax.Array:
    """True where `x` is infinite."""
    return jnp.isinf(x)


@op
def isnan(x: Tensor) -> jax.Array:
    """True where `x` is NaN."""
    return jnp.isnan(x)


@op
def isneginf(x: Tensor) -> jax.Array:
    """True where `x` is minus infinity."""
    return jnp.isneginf(x)


@op
def isposinf(x: Tensor) -> jax.Array:
    """True where `x` is plus infinity."""
    return jnp.isposinf(x)


@op
def isreal(x: Tensor) -> jax.Array:
    """True where `x` has no imaginary part."""
    return jnp.isreal(x)


@op
def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> jax.Array:
    """Replace NaN by `nan` and infinities by `posinf` and `neginf`.

    None for an infinity means the largest or smallest finite number of the dtype.
    """
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@op
def clip(x: Tensor, x_min: Tensor | None, x_max: Tensor | None) -> jax.Array:
    """`x` clipped to the range from `x_min` to `x_max`; None leaves that side unbounded."""
    x = jnp.asarray(x)
    x = x.astype("int32") if x.dtype == bool else x
    return jnp.clip(x, x_min, x_max)


@op
def logical_not(x: Tensor) -> jax.Array:
    """True where `x` is zero or False."""
    return jnp.logical_not(x)


@op
def bitwise_not(x: Tensor) -> jax.Array:
    """Every bit of an integer inverted."""
    return jnp.bitwise_not(x)


@op
def bitwise_invert(x: Tensor) -> jax.Array:
    """Every bit of an integer inverted."""
    return jnp.bitwise_not(x)


# ---- two inputs: arithmetic ----


@op
def add(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 + x2`."""
    return jnp.add(x1, x2)


@op
def subtract(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 - x2`."""
    return jnp.subtract(x1, x2)


@op
def multiply(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 * x2`."""
    return jnp.multiply(x1, x2)


@op
def divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, always a float."""
    return jnp.divide(x1, x2)


@op
def true_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, always a float."""
    return jnp.divide(x1, x2)


@op
def divide_no_nan(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 / x2`, and 0 where `x2` is 0; the gradient is 0 there too."""
    x1, x2 = floats(x1, x2)
    zero = x2 == 0
    quotient = jnp.divide(x1, jnp.where(zero, jnp.ones_like(x2), x2))
    return jnp.where(zero, jnp.zeros_like(quotient), quotient)


@op
def floor_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """The largest integer not greater than `x1 / x2`."""
    return jnp.floor_divide(x1, x2)


@op
def mod(x1: Tensor, x2: Tensor) -> jax.Array:
    """Remainder of the floor division, with the sign of `x2`."""
    return jnp.mod(x1, x2)


@op
def fmod(x1: Tensor, x2: Tensor) -> jax.Array:
    """Remainder of the truncated division, with the sign of `x1`."""
    return jnp.fmod(x1, x2)


@op
def power(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1` to the power `x2`."""
    return jnp.power(x1, x2)


@op
def float_power(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1` to the power `x2` as floats, so that negative powers of integers are fractions."""
    return jnp.power(*floats(x1, x2))


@op
def maximum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values; NaN if either is NaN."""
    return jnp.maximum(x1, x2)


@op
def minimum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values; NaN if either is NaN."""
    return jnp.minimum(x1, x2)


@op
def fmax(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values, ignoring NaN if possible."""
    return jnp.fmax(x1, x2)


@op
def fmin(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values, ignoring NaN if possible."""
    return jnp.fmin(x1, x2)


@op
def gcd(x1: Tensor, x2: Tensor) -> jax.Array:
    """Greatest common divisor of integers."""
    return jnp.gcd(x1, x2)


@op
def lcm(x1: Tensor, x2: Tensor) -> jax.Array:
    """Least common multiple of integers."""
    return jnp.lcm(x1, x2)


@op
def ldexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 * 2 ** x2` for an integer `x2`."""
    if not jnp.issubdtype(jnp.result_type(x2), jnp.integer):
        raise TypeError(f"ldexp: x2 must contain integers. Received: x2 of type {jnp.result_type(x2).name}.")
    return jnp.ldexp(x1, x2)


@op
def nextafter(x1: Tensor, x2: Tensor) -> jax.Array:
    """The next float after `x1` in the direction of `x2`."""
    return jnp.nextafter(*floats(x1, x2))


@op
def heaviside(x1: Tensor, x2: Tensor) -> jax.Array:
    """0 where `x1` is negative, `x2` where it is zero, 1 where it is positive."""
    return jnp.heaviside(x1, x2)


@op
def arctan2(x1: Tensor, x2: Tensor) -> jax.Array:
    """Angle of the point `(x2, x1)` in radians, from -pi to pi."""
    return jnp.arctan2(strong(x1), strong(x2))


@op
def hypot(x1: Tensor, x2: Tensor) -> jax.Array:
    """`sqrt(x1² + x2²)` without overflow."""
    return jnp.hypot(x1, x2)


@op
def copysign(x1: Tensor, x2: Tensor) -> jax.Array:
    """`|x1|` with the sign of `x2`, also that of a zero."""
    return jnp.copysign(*floats(x1, x2))


@op
def logaddexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """`log(exp(x1) + exp(x2))` without overflow."""
    return jnp.logaddexp(strong(x1), strong(x2))


@op
def logaddexp2(x1: Tensor, x2: Tensor) -> jax.Array:
    """`log2(2**x1 + 2**x2)` without overflow."""
    return jnp.logaddexp2(strong(x1), strong(x2))


# ---- two inputs: comparison and logic ----


@op
def equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 == x2`."""
    return jnp.equal(x1, x2)


@op
def not_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 != x2`."""
    return jnp.not_equal(x1, x2)


@op
def greater(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 > x2`."""
    return jnp.greater(x1, x2)


@op
def greater_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 >= x2`."""
    return jnp.greater_equal(x1, x2)


@op
def less(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 < x2`."""
    return jnp.less(x1, x2)


@op
def less_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """`x1 <= x2`."""
    return jnp.less_equal(x1, x2)


@op
def isclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """True where `|x1 - x2| <= atol + rtol * |x2|`."""
    return jnp.isclose(x1, x2, rtol, atol, equal_nan)


@op(class_name="AllClose")
def allclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    """Whether `isclose` holds for every element."""
    return jnp.allclose(x1, x2, rtol, atol, equal_nan)


@op
def logical_and(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where both are non-zero."""
    return jnp.logical_and(x1, x2)


@op
def logical_or(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where either is non-zero."""
    return jnp.logical_or(x1, x2)


@op
def logical_xor(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where exactly one is non-zero."""
    return jnp.logical_xor(x1, x2)


@op
def bitwise_and(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in both integers."""
    return jnp.bitwise_and(x, y)


@op
def bitwise_or(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in either integer."""
    return jnp.bitwise_or(x, y)


@op
def bitwise_xor(x: Tensor, y: Tensor) -> jax.Array:
    """Bits that are set in exactly one integer."""
    return jnp.bitwise_xor(x, y)


@op
def bitwise_left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted left by `y`."""
    return jnp.left_shift(x, y)


@op
def left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted left by `y`."""
    return jnp.left_shift(x, y)


@op
def bitwise_right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted right by `y`, preserving the sign."""
    return jnp.right_shift(x, y)


@op
def right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits of `x` shifted right by `y`, preserving the sign."""
    return jnp.right_shift(x, y)
