"""Attention layers without projections: dot-product and additive.

They are called on a list `[query, value]` or `[query, value, key]`; without a key, the value is used as the key.
"""

from collections.abc import Sequence
from typing import Any, Unpack, cast

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import Nested, NestedShapes, Tensor
from cornu.core.variable import Variable
from cornu.kernels import attention
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.ops.elementwise import floating
from cornu.random.seed_generator import SeedLike, generator_of, given_seed

__all__ = ["AdditiveAttention", "Attention"]


class Attention(Layer):
    """Dot-product attention (Luong et al., 2015): `softmax(query @ transpose(key)) @ value`.

    Called with `[query, value]` or `[query, value, key]`, and

    - `mask`: a list of boolean masks `[query_mask, value_mask]`; either may be None. The value's mask selects the
    sources that are attended to, and results for masked queries are 0.
    - `return_attention_scores`: whether to return the attention weights too.
    - `use_causal_mask`: whether to prevent queries from attending to later positions.

    Args:
        use_scale: whether to multiply the scores by a trainable scalar. Defaults to False.
        score_mode: `"dot"`, or `"concat"` for scores `w * sum(tanh(scale * (query + key)))`.
        dropout: fraction of the attention weights dropped during training, 0 to 1. Defaults to 0.0.
        seed: int or `SeedGenerator` of the dropout; None draws a seed at random.

    Input shape:
        query `(batch, targets, depth)`, value `(batch, sources, value depth)`, key `(batch, sources, depth)`.

    Output shape:
        `(batch, targets, value depth)`, followed by the weights `(batch, targets, sources)` if requested.

    Example:

        query, value = np.ones((2, 3, 4)), np.ones((2, 5, 4))
        print(cornu.layers.Attention()([query, value]).shape)  # (2, 3, 4)
    """

    pure_call = rowwise = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: SeedLike = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = validate.one_of(score_mode, ("dot", "concat"), "score_mode", self)
        self.dropout = dropout
        self.seed = given_seed(seed, self)
        if dropout > 0:
            self.seed_generator = generator_of(seed)
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None
        self.supports_masking = True

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights for inputs of these shapes."""
        _check_list(input_shape, self)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def call(
        self,
        inputs: Sequence[jax.Array],
        mask: Sequence[object] | None = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Nested:
        """The average of the values, weighted by how well their keys match each query."""
        _check_list(inputs, self)
        query, value, key = map(floating, (inputs[0], inputs[1], inputs[-1] if len(inputs) == 3 else inputs[1]))
        query_mask, value_mask = self._masks(mask)
        scores = self._calculate_scores(query, key)
        visible = self._visible(scores, value_mask, use_causal_mask)
        if visible is not None:
            scores = jnp.where(visible, scores, jnp.asarray(-1e9, scores.dtype))
        weights = jax.nn.softmax(scores, axis=-1).astype(query.dtype)
        if training and self.dropout > 0:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        result = jnp.matmul(weights, value).astype(query.dtype)
        if query_mask is not None:
            result = result * query_mask[..., None].astype(result.dtype)
        return (result, weights) if return_attention_scores else result

    def _calculate_scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        """The scores of each key for each query, in 32 bits: (batch, targets, sources)."""
        if self.score_mode == "dot":
            dtype = jnp.promote_types(query.dtype, jnp.float32)
            scores = jnp.matmul(query, jnp.swapaxes(key, -1, -2), preferred_element_type=dtype)
            return scores if self.scale is None else scores * self.scale.value.astype(dtype)
        pairs = query[..., :, None, :] + key[..., None, :, :]  # (batch, targets, sources, depth)
        pairs = pairs if self.scale is None else pairs * self.scale.value
        weight = cast(Variable, self.concat_score_weight).value  # created by `build` for this score
        scores = weight * jnp.sum(jnp.tanh(pairs), axis=-1)
        return scores.astype(jnp.promote_types(scores.dtype, jnp.float32))

    def _masks(self, mask: Sequence[object] | None) -> tuple[Tensor, Tensor]:
        """The masks of the query and the value."""
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
            received = f"a list of {len(mask)}" if isinstance(mask, (list, tuple)) else f"a {type(mask).__name__}"
            raise ValueError(
                f"{validate.describe(self)}: mask must be a list [query_mask, value_mask], either may be None. "
                f"Received: {received}."
            )
        return mask[0], mask[1]

    def _visible(self, scores: jax.Array, value_mask: jax.Array | None, causal: bool) -> jax.Array | None:
        """Where a query may attend, broadcastable to the scores; None for everywhere."""
        visible = None if value_mask is None else value_mask[..., None, :].astype(bool)
        if not causal:
            return visible
        causal_mask = attention.causal_mask(scores.shape[-2], scores.shape[-1])
        return causal_mask if visible is None else visible & causal_mask

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """The mask of the query."""
        return self._masks(mask)[0]


class AdditiveAttention(Attention):
    """Additive attention (Bahdanau et al., 2015): scores are `sum(scale * tanh(query + key))`.

    Called like `Attention`.

    Args:
        use_scale: whether to weight the sum by a trainable vector. Defaults to True.
        dropout: fraction of the attention weights dropped during training, 0 to 1. Defaults to 0.0.

    Input shape:
        query `(batch, targets, depth)`, value `(batch, sources, depth)`, key `(batch, sources, depth)`.

    Output shape:
        `(batch, targets, depth)`, followed by the weights `(batch, targets, sources)` if requested.

    Example:

        query, value = np.ones((2, 3, 4)), np.ones((2, 5, 4))
        print(cornu.layers.AdditiveAttention()([query, value]).shape)  # (2, 3, 4)
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = ("autocast", "score_mode")

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights for inputs of these shapes."""
        _check_list(input_shape, self)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _calculate_scores(self, query: jax.Array, key: jax.Array) -> jax.Array:
        pairs = jnp.tanh(query[..., :, None, :] + key[..., None, :, :])  # (batch, targets, sources, depth)
        pairs = pairs if self.scale is None else pairs * self.scale.value
        return jnp.sum(pairs, axis=-1, dtype=jnp.promote_types(pairs.dtype, jnp.float32))


def _check_list(inputs: Nested, owner: Layer) -> None:
    """Raise unless `inputs`, tensors or their shapes, form a list of two or three."""
    one_shape = isinstance(inputs, (list, tuple)) and all(d is None or isinstance(d, int) for d in inputs)
    listed = isinstance(inputs, (list, tuple)) and not one_shape
    if not listed or len(inputs) not in (2, 3):
        received = f"{len(inputs)} inputs" if listed else "one tensor"
        raise ValueError(
            f"{validate.describe(owner)}: call it on a list [query, value] or [query, value, key]. "
            f"Received: {received}."
        )
