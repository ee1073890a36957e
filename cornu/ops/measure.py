"""Small measures and conversions in `cornu.ops.nn` that belong to no other family."""

import jax
import jax.numpy as jnp

from cornu.core.operation import Tensor, op
from cornu.ops.elementwise import floating, floats


@op(class_name="PSNR")
def psnr(x1: Tensor, x2: Tensor, max_val: float) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, `20 log10(max_val) - 10 log10(mean((x1 - x2)²))`.

    Args:
        x1, x2: tensors of the same shape.
        max_val: the largest possible value.

    Example:

        print(cornu.ops.psnr(np.array([1.0, 2.0]), np.array([1.0, 2.5]), 255.0))  # 57.16...
    """
    x1, x2 = floats(x1, x2)
    if x1.shape != x2.shape:
        raise ValueError(f"psnr: both images must have the same shape. Received: {x1.shape} and {x2.shape}.")
    return 20 * jnp.log10(jnp.asarray(max_val, x1.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


@op
def polar(abs_: Tensor, angle: Tensor) -> jax.Array:
    """Complex numbers from absolute values and angles in radians.

    Args:
        abs_: absolute values, of any shape.
        angle: angles in radians, of a shape that broadcasts with that of `abs_`.

    Example:

        print(cornu.ops.polar(2.0, 0.0))  # (2+0j)
    """
    abs_, angle = floating(abs_), floating(angle)
    return abs_ * jnp.cos(angle) + 1j * abs_ * jnp.sin(angle)
