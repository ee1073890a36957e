"""Activation functions: the elementwise nonlinearities of `cornu.ops.nn` and the softmax family.

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

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.relu(np.array([-1.0, 2.0])))  # [0. 2.]
    """
    return jax.nn.relu(x)


@op
def relu6(x: Tensor) -> jax.Array:
    """`relu` capped at 6, `min(max(x, 0), 6)`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.relu6(np.array([-1.0, 3.0, 9.0])))  # [0. 3. 6.]
    """
    return jax.nn.relu6(floating(x))


@op
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> jax.Array:
    """`x` where positive, else `negative_slope * x`.

    Args:
        x: tensor of any shape.
        negative_slope: slope for negative `x`. Defaults to 0.2.

    Example:

        print(cornu.ops.leaky_relu(np.array([-1.0, 2.0])))  # [-0.2 2.]
    """
    return jax.nn.leaky_relu(floating(x), negative_slope=negative_slope)


@op
def elu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """Exponential linear unit, `x` where positive, else `alpha * (exp(x) - 1)` (Clevert et al., 2016).

    Args:
        x: tensor of any shape.
        alpha: the limit for large negative `x`, as a positive number. Defaults to 1.0.

    Example:

        print(cornu.ops.elu(np.array([-1.0, 2.0])))  # [-0.6321... 2.]
    """
    return jax.nn.elu(floating(x), alpha=alpha)


@op
def selu(x: Tensor) -> jax.Array:
    """Scaled `elu` with constants that preserve mean 0 and variance 1 from layer to layer (Klambauer et al., 2017).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.selu(np.array([-1.0, 2.0])))  # [-1.1113... 2.1014...]
    """
    return jax.nn.selu(floating(x))


@op
def celu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)` (Barron, 2017).

    Args:
        x: tensor of any shape.
        alpha: the limit for large negative `x`, as a positive number. Defaults to 1.0.

    Example:

        print(cornu.ops.celu(np.array([-1.0, 2.0])))  # [-0.6321... 2.]
    """
    return jax.nn.celu(floating(x), alpha=alpha)


@op
def gelu(x: Tensor, approximate: bool = True) -> jax.Array:
    """Gaussian error linear unit, `x` times the normal distribution function at `x` (Hendrycks & Gimpel, 2016).

    Args:
        x: tensor of any shape.
        approximate: whether to use a faster formula with tanh for the distribution function. Defaults to True.

    Example:

        print(cornu.ops.gelu(np.array([-1.0, 2.0])))  # [-0.1588... 1.9545...]
    """
    return jax.nn.gelu(floating(x), approximate=approximate)


@op
def glu(x: Tensor, axis: int = -1) -> jax.Array:
    """Gated linear unit: one half of `axis` times the sigmoid of the other (Dauphin et al., 2017).

    Args:
        x: tensor with an even size along `axis`, which is halved.
        axis: the axis to split. Defaults to -1.

    Example:

        print(cornu.ops.glu(np.array([1.0, 0.0])))  # [0.5]
    """
    if isinstance(x.shape[axis], int) and x.shape[axis] % 2:
        raise ValueError(f"glu: the size of axis {axis} must be even. Received: x.shape={x.shape}.")
    return jax.nn.glu(floating(x), axis=axis)


@op
def sigmoid(x: Tensor) -> jax.Array:
    """`1 / (1 + exp(-x))`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sigmoid(np.array([-2.0, 0.0])))  # [0.1192... 0.5]
    """
    return jax.nn.sigmoid(floating(x))


@op
def log_sigmoid(x: Tensor) -> jax.Array:
    """Logarithm of the sigmoid, precise for large negative `x`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.log_sigmoid(np.array([-100.0, 0.0])))  # [-100. -0.6931...]
    """
    return jax.nn.log_sigmoid(floating(x))


@op
def hard_sigmoid(x: Tensor) -> jax.Array:
    """Piecewise linear approximation of the sigmoid, `relu6(x + 3) / 6`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.hard_sigmoid(np.array([-4.0, 0.0, 4.0])))  # [0. 0.5 1.]
    """
    return jax.nn.hard_sigmoid(floating(x))


@op
def silu(x: Tensor) -> jax.Array:
    """`x * sigmoid(x)`, also called swish (Ramachandran et al., 2017).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.silu(np.array([-1.0, 2.0])))  # [-0.2689... 1.7615...]
    """
    return jax.nn.silu(floating(x))


@op(class_name="Silu")
def swish(x: Tensor) -> jax.Array:
    """`x * sigmoid(x)`, also called silu (Ramachandran et al., 2017).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.swish(np.array([-1.0, 2.0])))  # [-0.2689... 1.7615...]
    """
    return jax.nn.silu(floating(x))


@op
def hard_silu(x: Tensor) -> jax.Array:
    """`x * hard_sigmoid(x)` (Howard et al., 2019).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.hard_silu(np.array([-4.0, 1.0])))  # [-0. 0.6666...]
    """
    return jax.nn.hard_silu(floating(x))


@op(class_name="HardSilu")
def hard_swish(x: Tensor) -> jax.Array:
    """`x * hard_sigmoid(x)` (Howard et al., 2019).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.hard_swish(np.array([-4.0, 1.0])))  # [-0. 0.6666...]
    """
    return jax.nn.hard_silu(floating(x))


@op
def hard_tanh(x: Tensor) -> jax.Array:
    """`x` clipped to the range from -1 to 1.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.hard_tanh(np.array([-4.0, 0.5])))  # [-1. 0.5]
    """
    return jax.nn.hard_tanh(jnp.asarray(x))


@op
def tanh_shrink(x: Tensor) -> jax.Array:
    """`x - tanh(x)`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.tanh_shrink(np.array([0.0, 1.0])))  # [0. 0.2384...]
    """
    x = floating(x)
    return x - jnp.tanh(x)


@op
def hard_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """`x` where `|x| > threshold`, else 0.

    Args:
        x: tensor of any shape.
        threshold: largest absolute value that becomes 0. Defaults to 0.5.

    Example:

        print(cornu.ops.hard_shrink(np.array([-0.3, 2.0])))  # [0. 2.]
    """
    x = floating(x)
    return jnp.where(jnp.abs(x) > threshold, x, jnp.zeros_like(x))


@op
def soft_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """`x` moved toward 0 by `threshold`, but not beyond 0.

    Args:
        x: tensor of any shape.
        threshold: how far values move toward 0. Defaults to 0.5.

    Example:

        print(cornu.ops.soft_shrink(np.array([-0.3, 2.0])))  # [0. 1.5]
    """
    x = floating(x)
    return jnp.where(jnp.abs(x) > threshold, x - jnp.sign(x) * threshold, jnp.zeros_like(x))


@op
def threshold(x: Tensor, threshold: float, default_value: float) -> jax.Array:
    """`x` where it exceeds `threshold`, else `default_value`.

    Args:
        x: tensor of any shape.
        threshold: values up to this one are replaced.
        default_value: the replacement.

    Example:

        print(cornu.ops.threshold(np.array([-1.0, 2.0]), 0.5, 0.0))  # [0. 2.]
    """
    x = floating(x)
    return jnp.where(x > threshold, x, jnp.full_like(x, default_value))


@op
def softplus(x: Tensor) -> jax.Array:
    """`log(1 + exp(x))`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.softplus(np.array([0.0, 2.0])))  # [0.6931... 2.1269...]
    """
    return jax.nn.softplus(floating(x))


@op
def softsign(x: Tensor) -> jax.Array:
    """`x / (1 + |x|)`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.softsign(np.array([-1.0, 3.0])))  # [-0.5 0.75]
    """
    return jax.nn.soft_sign(floating(x))


@op
def squareplus(x: Tensor, b: float = 4) -> jax.Array:
    """`(x + sqrt(x² + b)) / 2`, a softplus without exponentials (Barron, 2021).

    Args:
        x: tensor of any shape.
        b: the larger, the smoother the bend at 0. Defaults to 4.

    Example:

        print(cornu.ops.squareplus(np.array([0.0, 2.0])))  # [1. 2.4142...]
    """
    return jax.nn.squareplus(floating(x), b=b)


@op
def sparse_plus(x: Tensor) -> jax.Array:
    """0 up to -1, `x` from 1 on, and `(x + 1)² / 4` between.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sparse_plus(np.array([-2.0, 0.0, 2.0])))  # [0. 0.25 2.]
    """
    return jax.nn.sparse_plus(floating(x))


@op
def sparse_sigmoid(x: Tensor) -> jax.Array:
    """0 up to -1, 1 from 1 on, and linear between: the derivative of `sparse_plus`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.ops.sparse_sigmoid(np.array([-2.0, 0.0, 2.0])))  # [0. 0.5 1.]
    """
    return jax.nn.sparse_sigmoid(floating(x))


@op
def softmax(x: Tensor, axis: Axes = -1) -> jax.Array:
    """`exp(x) / sum(exp(x))` over one axis, or over several axes jointly.

    Args:
        x: tensor of any shape.
        axis: the axis or axes over which the results add up to 1. Defaults to -1.

    Example:

        print(cornu.ops.softmax(np.array([0.0, 0.0])))  # [0.5 0.5]
    """
    return jax.nn.softmax(floating(x), axis=_axes(axis))


@op
def log_softmax(x: Tensor, axis: Axes = -1) -> jax.Array:
    """Logarithm of the softmax, precise where the softmax is tiny.

    Args:
        x: tensor of any shape.
        axis: the axis that holds the classes. Defaults to -1.

    Example:

        print(cornu.ops.log_softmax(np.array([0.0, 0.0])))  # [-0.6931... -0.6931...]
    """
    return jax.nn.log_softmax(floating(x), axis=_axes(axis))


@op
def sparsemax(x: Tensor, axis: int = -1) -> jax.Array:
    """The probability vector nearest to `x`, often with exact zeros (Martins & Astudillo, 2016).

    Args:
        x: tensor of any shape.
        axis: the axis over which the results add up to 1. Defaults to -1.

    Example:

        print(cornu.ops.sparsemax(np.array([1.0, 0.5, -1.0])))  # [0.75 0.25 0.]
    """
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
