"""More activation functions: those that `cornu.ops` does not define under the same name and signature.

Every other name in this namespace is the operation itself, imported in `__init__`.
"""

import jax
import jax.numpy as jnp

from cornu import ops
from cornu.core.operation import Tensor, op


def linear(x: object) -> Tensor:
    """The identity: returns `x` as it is.

    Args:
        x: any object.

    Example:

        print(cornu.activations.linear(np.array([-1.0, 2.0])))  # [-1.  2.]
    """
    return x


def exponential(x: object) -> Tensor:
    """`exp(x)`.

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.activations.exponential(np.array([0.0, 1.0])))  # [1. 2.7182817]
    """
    return ops.exp(x)


def gelu(x: object, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit, `x * P(X <= x)` for a standard normal `X` (Hendrycks and Gimpel, 2016).

    Args:
        x: input tensor.
        approximate: whether to use the `tanh` approximation. Defaults to False.

    Example:

        print(cornu.activations.gelu(np.array([-1.0, 0.0, 1.0])))  # [-0.1587 0. 0.8413]
    """
    return ops.gelu(x, approximate)


@op
def mish(x: Tensor) -> Tensor:
    """`x * tanh(softplus(x))` (Misra, 2019, https://arxiv.org/abs/1908.08681).

    Args:
        x: tensor of any shape.

    Example:

        print(cornu.activations.mish(np.array([-1.0, 0.0, 1.0])))
    """
    return x * jnp.tanh(jax.nn.softplus(x))


@op(class_name="ReLU")  # Keras's files distinguish it from the operation of the same name
def relu(x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """Rectified linear unit: `max(x, 0)`, or its generalization.

    `f(x) = max_value` where `x >= max_value`, `x` where `threshold < x < max_value`, and
    `negative_slope * (x - threshold)` elsewhere.

    Args:
        x: input tensor.
        negative_slope: slope below the threshold, at least 0. Defaults to 0.0.
        max_value: maximum output; None sets no limit.
        threshold: inputs up to this value are scaled by `negative_slope`, or set to zero. Defaults to 0.0.

    Example:

        print(cornu.activations.relu(np.array([-2.0, 0.5, 9.0]), negative_slope=0.1, max_value=6.0))  # [-0.2 0.5 6.]
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return jax.nn.relu(x)
    x = jnp.asarray(x)
    below = negative_slope * (x - threshold) if negative_slope != 0 else jnp.zeros_like(x)
    above = x if max_value is None else jnp.where(x < max_value, x, max_value)
    return jnp.where(x > threshold, above, below)
