"""Scaled dot-product attention."""

import jax

from cornu.core.operation import Tensor, op
from cornu.kernels import attention as kernel
from cornu.ops.elementwise import floats


@op
def dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """`softmax(scale * query @ key + bias) @ value` for many heads (Vaswani et al., 2017).

    Args:
        query: shape `(batch, targets, heads, depth)`.
        key: shape `(batch, sources, key_heads, depth)`; each serves `heads / key_heads` query heads.
        value: shape of `key`.
        bias: added to the scores; broadcasts to `(batch, heads, targets, sources)`.
        mask: boolean, True where a query may look; broadcasts to the same shape.
        scale: factor of the scores; None is `1 / sqrt(depth)`.
        is_causal: whether a query sees no source after its own position.
        flash_attention: whether to use cuDNN's fused kernel, which needs an NVIDIA GPU and 16-bit floats; None
            uses it where it can.
        attn_logits_soft_cap: bound `c` that turns a score `s` into `c * tanh(s / c)`.

    Returns:
        Shape of `query`.

    Example:

        x = np.ones((1, 5, 2, 4), "float32")
        print(cornu.ops.dot_product_attention(x, x, x).shape)  # (1, 5, 2, 4)
    """
    query, key, value = floats(query, key, value)
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim != 4:
            raise ValueError(f"dot_product_attention: {name} must have 4 axes. Received: {name}.shape={x.shape}.")
    return kernel.dot_product_attention(
        query, key, value, bias, mask, scale, is_causal, flash_attention, attn_logits_soft_cap
    )
