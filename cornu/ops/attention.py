"""Scaled dot-product attention."""

import jax

from cornu.core.operation import Tensor, op
from cornu.core.typing import Shape
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
        bias: added to the scores; broadcasts to `(batch, heads, targets, sources)`. Shapes
            `(batch, targets, sources)` and `(batch, sources)` are accepted as well, as in Keras.
        mask: boolean, True where a query may attend; of the same shapes. None by default.
        scale: factor applied to the scores; None uses `1 / sqrt(depth)`.
        is_causal: whether to prevent queries from attending to later positions. Defaults to False.
        flash_attention: whether to use cuDNN's fused kernel, which requires an NVIDIA GPU and 16-bit floats; None uses
            it if possible.
        attn_logits_soft_cap: bound `c` that maps a score `s` to `c * tanh(s / c)`; None sets no bound.

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
    scores = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
    bias, mask = (None if x is None else _of_scores(x, scores) for x in (bias, mask))
    return kernel.dot_product_attention(
        query, key, value, bias, mask, scale, is_causal, flash_attention, attn_logits_soft_cap
    )


def _of_scores(x: Tensor, scores: Shape) -> Tensor:
    """With axes put behind that of the batch where it fits the scores only then."""
    wider = x[(slice(None), *[None] * (4 - x.ndim))] if 1 < x.ndim < 4 else x
    return wider if _fits(wider.shape, scores) and not _fits(x.shape, scores) else x


def _fits(shape: Shape, target: Shape) -> bool:
    return all(size in (1, wanted) for size, wanted in zip(reversed(shape), reversed(target), strict=False))
