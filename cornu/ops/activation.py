"""Activation functions, the elementwise nonlinearities of `cornu.ops.nn` and the softmax family.

Slopes and thresholds are plain numbers. Integers are converted to floats, unless the function is exact on them.
"""

import jax
import jax.numpy as jnp

from cornu.core.operation import Tensor, op
from cornu.core.typing import Axes
from cornu.ops.elementwise import floating


@op
def relu(x: Tensor) -> jax.Array:
    """Rectified linear unit, `max(x, 0)`; its slope at 0 is 0.

    Example:

        print(cornu.ops.relu(np.array([-1.0, 2.0])))  # [0. 2.]
    """
    return jax.nn.relu(x)


@op
def relu6(x: Tensor) -> jax.Array:
    """`relu` capped at 6, `min(max(x, 0), 6)`."""
    return jax.nn.relu6(floating(x))


@op
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> jax.Array:
    """`x` where positive, else `negative_slope * x`."""
    return jax.nn.leaky_relu(floating(x), negative_slope=negative_slope)


@op
def elu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """Exponential linear unit, `x` where positive, else `alpha * (exp(x) - 1)` (Clevert et al., 2016)."""
    return jax.nn.elu(floating(x), alpha=alpha)


@op
def selu(x: Tensor) -> jax.Array:
    """Scaled `elu` with constants that preserve mean 0 and variance 1 from layer to layer (Klambauer et al., 2017)."""
    return jax.nn.selu(floating(x))


@op
def celu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)` (Barron, 2017)."""
    return jax.nn.celu(floating(x), alpha=alpha)


@op
def gelu(x: Tensor, approximate: bool = True) -> jax.Array:
    """Gaussian error linear unit, `x` times the normal distribution function at `x` (Hendrycks & Gimpel, 2016).

    `approximate` uses a faster formula with tanh for the distribution function.
    """
    return jax.nn.gelu(floating(x), approximate=approximate)


@op
def glu(x: Tensor, axis: int = -1) -> jax.Array:
    """Gated linear unit: one half of `axis` times the sigmoid of the other (Dauphin et al., 2017)."""
    if isinstance(x.shape[axis], int) and x.shape[axis] % 2:
        raise ValueError(f"glu: the size of axis {axis} must be even. Received: x.shape={x.shape}.")
    return jax.nn.glu(floating(x), axis=axis)


@op
def sigmoid(x: Tensor) -> jax.Array:
    """`1 / (1 + exp(-x))`."""
    return jax.nn.sigmoid(floating(x))


@op
def log_sigmoid(x: Tensor) -> jax.Array:
    """Logarithm of the sigmoid, precise for large negative `x`."""
    return jax.nn.log_sigmoid(floating(x))


@op
def hard_sigmoid(x: Tensor) -> jax.Array:
    """Piecewise linear approximation of the sigmoid, `relu6(x + 3) / 6`."""
    return jax.nn.hard_sigmoid(floating(x))


@op
def silu(x: Tensor) -> jax.Array:
    """`x * sigmoid(x)`, also called swish (Ramachandran et al., 2017)."""
    return jax.nn.silu(floating(x))


@op(class_name="Silu")
def swish(x: Tensor) -> jax.Array:
    """`x * sigmoid(x)`, also called silu (Ramachandran et al., 2017)."""
    return jax.nn.silu(floating(x))


@op
def hard_silu(x: Tensor) -> jax.Array:
    """`x * hard_sigmoid(x)` (Howard et al., 2019)."""
    return jax.nn.hard_silu(floating(x))


@op(class_name="HardSilu")
def hard_swish(x: Tensor) -> jax.Array:
    """`x * hard_sigmoid(x)` (Howard et al., 2019)."""
    return jax.nn.hard_silu(floating(x))


@op
def hard_tanh(x: Tensor) -> jax.Array:
    """`x` clipped to the range from -1 to 1."""
    return jax.nn.hard_tanh(jnp.asarray(x))


@op
def tanh_shrink(x: Tensor) -> jax.Array:
    """`x - tanh(x)`."""
    x = floating(x)
    return x - jnp.tanh(x)


@op
def hard_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """`x` where `|x| > threshold`, else 0."""
    x = floating(x)
    return jnp.where(jnp.abs(x) > threshold, x, jnp.zeros_like(x))


@op
def soft_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards 0 by `threshold`, but not beyond 0."""
    x = floating(x)
    return jnp.where(jnp.abs(x) > threshold, x - jnp.sign(x) * threshold, jnp.zeros_like(x))


@op
def threshold(x: Tensor, threshold: float, default_value: float) -> jax.Array:
    """`x` where it exceeds `threshold`, else `default_value`."""
    x = floating(x)
    return jnp.where(x > threshold, x, jnp.full_like(x, default_value))


@op
def softplus(x: Tensor) -> jax.Array:
    """`log(1 + exp(x))`."""
    return jax.nn.softplus(floating(x))


@op
def softsign(x: Tensor) -> jax.Array:
    """`x / (1 + |x|)`."""
    return jax.nn.soft_sign(floating(x))


@op
def squareplus(x: Tensor, b: float = 4) -> jax.Array:
    """`(x + sqrt(x² + b)) / 2`, a softplus without exponentials (Barron, 2021)."""
    return jax.nn.squareplus(floating(x), b=b)


@op
def sparse_plus(x: Tensor) -> jax.Array:
    """0 up to -1, `x` from 1 on, and `(x + 1)² / 4` between."""
    return jax.nn.sparse_plus(floating(x))


@op
def sparse_sigmoid(x: Tensor) -> jax.Array:
    """0 up to -1, 1 from 1 on, and linear between: the derivative of `sparse_plus`."""
    return jax.nn.sparse_sigmoid(floating(x))


@op
def softmax(x: Tensor, axis: Axes = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))` over one axis, or over several axes jointly.

    Example:

        print(cornu.ops.softmax(np.array([0.0, 0.0])))  # [0.5 0.5]
    """
    return jax.nn.softmax(floating(x), axis=_axes(axis))


@op
def log_softmax(x: Tensor, axis: Axes = -1) -> jax.Array:
    """Logarithm of the softmax, precise where the softmax is tiny."""
    return jax.nn.log_softmax(floating(x), axis=_axes(axis))


@op
def sparsemax(x: Tensor, axis: int = -1) -> jax.Array:
    """The probability vector nearest to `x`, often with exact zeros (Martins & Astudillo, 2016)."""
    x = jnp.moveaxis(floating(x), axis, -1)
    x = x - jnp.max(x, axis=-1, keepdims=True)  # does not change the result but avoids rounding of large sums
    falling = jnp.flip(jnp.sort(x, axis=-1), axis=-1)
    total = jnp.cumsum(falling, axis=-1)
    rank = jnp.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = jnp.sum(1 + rank * falling > total, axis=-1, keepdims=True, dtype="int32")
    excess = (jnp.take_along_axis(total, support - 1, axis=-1) - 1) / support.astype(x.dtype)
    return jnp.moveaxis(jnp.maximum(x - excess, 0), -1, axis)


def _axes(axis: Axes) -> Axes:
    return tuple(axis) if isinstance(axis, list) else axis
