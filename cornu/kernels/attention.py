"""Attention: every query looks at all keys and takes the average of the values, weighted by how well they fit.

`dot_product_attention` gives the result alone, which a GPU computes in one fused kernel that never stores the scores.
`weighted_values` also gives the weights, drops some of them in training, and works along any axes.

Scores and their softmax are in 32 bits whatever the dtype of the inputs. Masks are True where a query may look. A
query that may look nowhere gets the plain average of all values from the first, zeros from the second.
"""

import string
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from cornu.kernels import platform

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
        mask: boolean, True where a query may look; broadcasts to the same shape.
        scale: factor of the scores; None is `1 / sqrt(depth)`.
        is_causal: whether a query sees no source after its own position.
        flash: whether to run cuDNN's fused kernel; None runs it where it can.
        soft_cap: bound `c` that turns a score `s` into `c * tanh(s / c)`; never fused.
        owner: who asks, for messages.

    Returns:
        Shape of `query`, with the depth of `value`.
    """
    problem = _why_not_fused(query, value, soft_cap) if flash is not False else "not wanted"
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
    """What keeps cuDNN's kernel from computing this, or None."""
    if platform.name() not in ("gpu", "cuda"):
        return f"it needs an NVIDIA GPU and this process computes on {platform.name()!r}"
    if query.dtype not in (jnp.bfloat16, jnp.float16):
        return f"it needs 16-bit floats (dtype='mixed_bfloat16') and the query is {query.dtype}"
    if query.shape[-1] % 8 or query.shape[-1] > _LARGEST_FUSED_DEPTH or value.shape[-1] != query.shape[-1]:
        return f"it needs heads of a depth that is a multiple of 8 up to {_LARGEST_FUSED_DEPTH}"
    return None if soft_cap is None else "it cannot bound the scores (attn_logits_soft_cap)"


def _plain_attention(query, key, value, bias, mask, scale, is_causal, soft_cap):
    repeats = query.shape[2] // key.shape[2]
    key, value = jnp.repeat(key, repeats, axis=2), jnp.repeat(value, repeats, axis=2)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = jnp.einsum("btnh,bsnh->bnts", query, key, preferred_element_type=_wide(query)) * scale
    scores = scores if soft_cap is None else soft_cap * jnp.tanh(scores / soft_cap)
    scores = scores if bias is None else scores + bias.astype(scores.dtype)
    scores = scores if mask is None else jnp.where(mask, scores, _lowest(scores))
    if is_causal:
        scores = jnp.where(causal_mask(scores.shape[-2], scores.shape[-1]), scores, _lowest(scores))
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    return jnp.einsum("bnts,bsnh->btnh", weights, value).astype(query.dtype)


# ---------------------------------------------------------------- with weights, along any axes


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
        mask: boolean, True where a query may look; broadcasts to the weights.
        axes: positive axes of the query along which to look; all others but the last two are like the batch.
        drop: applied to the weights: dropout in training, or nothing.

    Returns:
        (result in the query's shape with the depth of `value`, weights).
        The weights have shape (batch, other axes..., heads, axes of the query..., axes of the key...).
    """
    score, combine = equations(query.ndim, tuple(axes))
    scores = jnp.einsum(score, key, query, preferred_element_type=_wide(query))
    weights = masked_softmax(scores, mask, tuple(range(-len(axes), 0))).astype(query.dtype)
    result = jnp.einsum(combine, drop(weights), value)
    return result.astype(query.dtype), weights


def equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """The two einsum equations of attention: (key, query -> weights) and (weights, value -> result).

    For rank 4 and axis 1 they are `btnh` of the key with `bsnh` of the query, in other letters.
    """
    letters = iter(string.ascii_letters)
    query = [next(letters) for _ in range(rank)]
    key = [next(letters) if i in axes else query[i] for i in range(rank)]
    value = [*key[:-1], next(letters)]
    batch = [query[i] for i in range(rank - 2) if i not in axes]
    weights = [*batch, query[-2], *(query[i] for i in axes), *(key[i] for i in axes)]
    key_, query_, value_, weights_, result_ = map("".join, (key, query, value, weights, [*query[:-1], value[-1]]))
    return f"{key_},{query_}->{weights_}", f"{weights_},{value_}->{result_}"


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


def _wide(x: jax.Array) -> jnp.dtype:
    return jnp.promote_types(x.dtype, jnp.float32)


def _lowest(scores: jax.Array) -> jax.Array:
    """A score that softmax turns into 0, small enough to be added to without overflow."""
    return jnp.asarray(0.7 * jnp.finfo(scores.dtype).min, scores.dtype)
