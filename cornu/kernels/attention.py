"""Attention: every query is compared with all keys, and gets the average of the values weighted by how well they match.

`dot_product_attention` returns the result alone, which a GPU computes in one fused kernel that never stores the scores.
`weighted_values` also returns the weights, applies dropout to them in training, and attends along any axes.

Scores and their softmax are computed in at least 32 bits whatever the dtype of the inputs. Masks are True where a query
may attend. A fully masked query gets the plain average of all values from the first function, zeros from the second.
"""

import string
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu.kernels import dense, half_precision, platform

_LARGEST_FUSED_DEPTH = 128


def dot_product_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash: bool | None = None,
    soft_cap: float | None = None,
    owner: str = "dot_product_attention",
) -> jax.Array:
    """`softmax(scale * query @ key + bias) @ value` for many heads (Vaswani et al., 2017).

    Args:
        query: shape (batch, targets, heads, depth).
        key, value: shape (batch, sources, key heads, depth); each serves `heads / key heads` heads of the query.
        bias: added to the scores; broadcasts to (batch, heads, targets, sources).
        mask: boolean, True where a query may attend; broadcasts to the same shape.
        scale: factor of the scores; None means `1 / sqrt(depth)`.
        is_causal: whether a query is kept from attending to later positions.
        flash: whether to run cuDNN's fused kernel; None runs it wherever it can be used.
        soft_cap: bound `c` that turns a score `s` into `c * tanh(s / c)`; never fused.
        owner: the caller, for error messages.

    Returns:
        Shape of `query`, with the depth of `value`.
    """
    problem = _why_not_fused(query, value, soft_cap) if flash is not False else "it is turned off"
    if flash and problem:
        raise RuntimeError(
            f"{owner}: flash_attention=True, but {problem}. Leave flash_attention=None: the fused kernel then runs "
            "wherever it can."
        )
    if problem:
        return _plain_attention(query, key, value, bias, mask, scale, is_causal, soft_cap)
    return jax.nn.dot_product_attention(
        query, key, value, bias, mask, scale=scale, is_causal=is_causal, implementation="cudnn"
    )


def _why_not_fused(query: jax.Array, value: jax.Array, soft_cap: float | None) -> str | None:
    """Why cuDNN's kernel cannot compute this, or None if it can."""
    if platform.here() not in ("gpu", "cuda"):
        return f"it needs an NVIDIA GPU and this process computes on {platform.here()!r}"
    if query.dtype not in (jnp.bfloat16, jnp.float16):
        return f"it needs 16-bit floats (dtype='mixed_bfloat16') and the query is {query.dtype}"
    if query.shape[-1] % 8 or query.shape[-1] > _LARGEST_FUSED_DEPTH or value.shape[-1] != query.shape[-1]:
        return f"it needs heads of a depth that is a multiple of 8 up to {_LARGEST_FUSED_DEPTH}"
    return None if soft_cap is None else "it cannot bound the scores (attn_logits_soft_cap)"


@half_precision.in_float32
def _plain_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    bias: jax.Array | None,
    mask: jax.Array | None,
    scale: float | None,
    is_causal: bool,
    soft_cap: float | None,
) -> jax.Array:
    """Heads come before time, as fast products on a CPU need; the softmax is normalized after the last product."""
    repeats = query.shape[2] // key.shape[2]
    key, value = (jnp.repeat(x, repeats, axis=2) if repeats > 1 else x for x in (key, value))
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))  # (batch, heads, time, depth)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = dense.wide_einsum("bnth,bnsh->bnts", query * jnp.asarray(scale, query.dtype), key)
    scores = scores if soft_cap is None else soft_cap * jnp.tanh(scores / soft_cap)
    scores = scores if bias is None else scores + bias.astype(scores.dtype)
    scores = scores if mask is None else jnp.where(mask, scores, _lowest(scores))
    if is_causal:
        scores = jnp.where(causal_mask(scores.shape[-2], scores.shape[-1]), scores, _lowest(scores))
    weights = jnp.exp(scores - lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True)))
    result = dense.wide_einsum("bnts,bnsh->bnth", weights.astype(value.dtype), value)
    result = result * (1 / jnp.sum(weights, axis=-1, keepdims=True))
    return jnp.swapaxes(result, 1, 2).astype(query.dtype)


# ---------------------------------------------------------------- with weights, along any axes


@half_precision.in_float32
def weighted_values(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    mask: jax.Array | None,
    axes: Sequence[int],
    drop: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Attention along `axes`, with its weights.

    Args:
        query: shape (batch, ..., heads, depth), scaled already.
        key, value: the same rank; sizes along `axes` may differ from the query's.
        mask: boolean, True where a query may attend; broadcasts to the weights.
        axes: non-negative axes of the query along which to attend; all others but the last two are batch axes.
        drop: applied to the weights: dropout in training, the identity otherwise.

    Returns:
        (result in the query's shape with the depth of `value`, weights).
        The weights have shape (batch, other axes..., heads, axes of the query..., axes of the key...).
    """
    batch, targets, sources = _letters(query.ndim, len(axes))
    query, key, value = (_heads_first(x, axes) for x in (query, key, value))
    scores = dense.wide_einsum(f"{batch}{targets}h,{batch}{sources}h->{batch}{targets}{sources}", query, key)
    weights = masked_softmax(scores, mask, tuple(range(-len(axes), 0))).astype(query.dtype)
    equation = f"{batch}{targets}{sources},{batch}{sources}h->{batch}{targets}h"
    result = dense.wide_einsum(equation, drop(weights), value).astype(query.dtype)
    return jnp.transpose(result, np.argsort(_order(query.ndim, axes)).tolist()), weights


def _order(rank: int, axes: Sequence[int]) -> list[int]:
    """The permutation that puts the batch axes first, then heads, attended axes and depth."""
    return [*(i for i in range(rank - 2) if i not in axes), rank - 2, *axes, rank - 1]


def _heads_first(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    return jnp.transpose(x, _order(x.ndim, axes))


def _letters(rank: int, attended: int) -> tuple[str, str, str]:
    """Einsum letters for the batch axes and heads; for the attended axes of the query; for those of the key."""
    upper, lower = string.ascii_uppercase, string.ascii_lowercase.replace("h", "")
    return upper[: rank - 1 - attended], lower[:attended], lower[attended : 2 * attended]


def masked_softmax(scores: jax.Array, mask: jax.Array | None, axes: int | tuple[int, ...] = -1) -> jax.Array:
    """Softmax over `axes` of the scores where `mask` is True; weight 0 everywhere else."""
    if mask is None:
        return jax.nn.softmax(scores, axis=axes)
    weights = jax.nn.softmax(jnp.where(mask, scores, _lowest(scores)), axis=axes)
    return jnp.where(mask, weights, jnp.zeros((), weights.dtype))


def causal_mask(targets: int, sources: int) -> jax.Array:
    """Shape (targets, sources), True where the source is not after the target."""
    return jnp.arange(targets)[:, None] >= jnp.arange(sources)


def window_mask(targets: int, sources: int, width: int) -> jax.Array:
    """Shape (targets, sources), True where the source is less than `width` positions from the target."""
    return jnp.abs(jnp.arange(targets)[:, None] - jnp.arange(sources)) < width


def _lowest(scores: jax.Array) -> jax.Array:
    """A score that softmax turns into 0, with enough headroom that adding to it does not overflow."""
    return jnp.asarray(0.7 * jnp.finfo(scores.dtype).min, scores.dtype)
