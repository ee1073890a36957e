"""Multi-head attention: each head attends to its own projection of queries, keys and values.

A head `i` computes `softmax(Q_i K_i^T / sqrt(depth)) V_i`; a final projection combines the heads (Vaswani et al.,
2017).
Letters in the equations: B batch, T targets, S sources, N heads, H depth of a head.
"""

import functools
import math
import string
from collections.abc import Sequence
from typing import Any, Unpack, cast

import jax
import jax.numpy as jnp

from cornu import constraints, initializers, random, regularizers, settings, validate
from cornu.core import context
from cornu.core.typing import (
    ConfigDict,
    ConstraintLike,
    InitializerLike,
    Nested,
    NestedShapes,
    RegularizerLike,
    ShapeLike,
    Tensor,
)
from cornu.kernels import attention
from cornu.layers.einsum_dense import EinsumDense
from cornu.layers.layer import Layer
from cornu.layers.options import NamedOptions
from cornu.random.seed_generator import SeedLike, generator_of, given_seed
from cornu.registry import InFiles

__all__ = ["GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"]


def _same_as(name: str) -> property:
    """An attribute that is an alias of another one."""
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


class _HeadedAttention(Layer):
    """Base of the layers whose heads are projected, attended and combined.

    Subclasses define the attended axes and how queries share keys, and create the projections.
    """

    config_skip: tuple[str, ...] = ("autocast", "flash_attention")
    config_optional: tuple[str, ...] = ()
    _activity_regularizer: Any = None

    def _init_heads(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: InitializerLike | None,
        bias_initializer: InitializerLike | None,
        kernel_regularizer: RegularizerLike | None,
        bias_regularizer: RegularizerLike | None,
        kernel_constraint: ConstraintLike | None,
        bias_constraint: ConstraintLike | None,
        use_gate: bool,
        seed: SeedLike,
    ) -> None:
        self.dropout = dropout
        self.use_bias = use_bias
        if sliding_window is not None:
            sliding_window = validate.positive_int(sliding_window, "sliding_window", self)
        self.sliding_window = sliding_window
        self.flash_attention = flash_attention
        if flash_attention and dropout > 0:
            raise ValueError(
                f"{validate.describe(self)}: flash_attention=True cannot be combined with dropout. "
                f"Received: dropout={dropout}. Set dropout=0.0, or leave flash_attention=None."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_gate = use_gate
        self.seed = given_seed(seed, self)
        self.supports_masking = True

    def _projection(
        self, name: str, equation: str, output_shape: ShapeLike, bias_axes: str, input_shape: ShapeLike
    ) -> EinsumDense:
        """A built projection; each gets its own copy of the initializer, since a shared one would repeat its values."""
        shared = self._get_common_kwargs_for_sublayer()
        layer = EinsumDense(equation, output_shape, bias_axes=bias_axes if self.use_bias else None, name=name, **shared)
        layer.supports_masking = True  # the mask is used by this layer, not by the projection
        layer.build(tuple(input_shape))
        return layer

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        """The arguments that all projections share."""
        return {
            "kernel_initializer": _copy(self.kernel_initializer),
            "bias_initializer": _copy(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "activity_regularizer": self._activity_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
        }

    def _make_seeds(self) -> None:
        """The numbers that are dropped; and names of two layers that Keras has here, from which later ones count on."""
        context.auto_name("softmax"), context.auto_name("dropout")
        if self.dropout > 0:
            self.seed_generator = generator_of(self.seed)

    def _attended(self) -> tuple[int, ...]:
        return (1,)

    def _compute_attention(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        attention_mask: jax.Array | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> tuple[jax.Array, jax.Array | None]:
        """(result, weights) of projected tensors (B, ..., N, H); the weights are None unless computed.

        The name is Keras's, and `call` uses only this method for attention, since subclasses call and override it.
        """
        axes = self._attended()
        mask = attention_mask
        if mask is not None:
            mask = _spread(mask.astype(bool), query.ndim - 1 + len(axes), 2 * len(axes))
        flash = settings.read("flash_attention") if self.flash_attention is None else self.flash_attention
        if flash and return_attention_scores:
            raise ValueError(
                f"{validate.describe(self)}: return_attention_scores=True cannot be combined with flash attention, "
                "which "
                "never computes the scores. Use flash_attention=None."
            )
        if not (return_attention_scores or self._drops(training)) and query.ndim == 4:
            return attention.dot_product_attention(query, key, value, mask=mask, flash=flash, owner=self.name), None
        repeats = query.shape[-2] // key.shape[-2]
        key, value = (jnp.repeat(x, repeats, axis=-2) if repeats > 1 else x for x in (key, value))
        scale = jnp.asarray(1 / math.sqrt(query.shape[-1]), query.dtype)
        drop = functools.partial(self._dropout_layer, training=training)
        return attention.weighted_values(query * scale, key, value, mask, axes, drop)

    def _dropout_layer(self, weights: jax.Array, training: bool | None = None) -> jax.Array:
        """Dropout applied to the attention weights."""
        return random.dropout(weights, self.dropout, seed=self.seed_generator) if self._drops(training) else weights

    def _drops(self, training: bool | None) -> bool:
        return bool(training) and self.dropout > 0

    def _masked_softmax(self, scores: jax.Array, attention_mask: jax.Array | None = None) -> jax.Array:
        """The attention weights for scores (B, other axes, N, T, S), with a mask that may lack the head axis."""
        count = len(self._attended())
        mask = None if attention_mask is None else _spread(attention_mask.astype(bool), scores.ndim, 2 * count)
        return attention.masked_softmax(scores, mask, tuple(range(-count, 0)))

    def _position_mask(self, targets: int, sources: int, causal: bool) -> jax.Array | None:
        """Which source positions each target position may attend to: (T, S), or None for all."""
        masks = []
        if causal:
            masks.append(attention.causal_mask(targets, sources))
        if self.sliding_window is not None:
            masks.append(attention.window_mask(targets, sources, self.sliding_window))
        return _all_of(masks)

    def compute_mask(self, query: object, query_mask: Nested = None) -> Nested:
        """The mask of the query."""
        return query_mask


class MultiHeadAttention(_HeadedAttention):
    """Each head attends from each query to all keys, and averages the values by how well their keys match.

    Called as `layer(query, value, key=None)`, and

    - `attention_mask`: boolean `(B, T, S)`, True where a query may attend; also `(T, S)` or `(B, N, T, S)`.
    - `value_mask`, `key_mask`: boolean `(B, S)`, True at the positions that may be attended to. Masks attached to the
    inputs (by `Embedding(mask_zero=True)`, say) are used automatically. `query_mask` `(B, T)` is passed on.
    - `use_causal_mask`: whether to prevent queries from attending to later positions.
    - `return_attention_scores`: whether to return the attention weights too.

    Args:
        num_heads: number of heads.
        key_dim: depth of a head's queries and keys.
        value_dim: depth of a head's values; None uses `key_dim`.
        dropout: fraction of the attention weights dropped during training, 0 to 1. Defaults to 0.0.
        use_bias: whether the projections have biases. Defaults to True.
        output_shape: size or sizes of the output's last axes; None uses the query's last size.
        attention_axes: axes of the query to attend over; None is all but the first and the last.
        sliding_window: attend only to positions less than this many steps away; None sets no limit.
        flash_attention: True requires the fused GPU kernel, None uses it if possible, False does not.
        kernel_initializer, bias_initializer: initializers of the weights of the projections. Default to
            `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output of each projection. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        use_gate: whether to multiply the result of each head by a sigmoid of a projection of the query. Defaults to
            False.
        seed: int or `SeedGenerator` of the dropout; None draws a seed at random.

    Input shape:
        query `(B, T, features)`, value `(B, S, features)`, key `(B, S, features)`; additional axes in between are
        treated like the batch, or attended over too.

    Output shape:
        `(B, T, features of the query or output_shape)`, followed by the weights `(B, N, T, S)` if requested.

    Example:

        layer = cornu.layers.MultiHeadAttention(num_heads=2, key_dim=4)
        x = np.ones((1, 5, 8))
        print(layer(x, x, use_causal_mask=True).shape)  # (1, 5, 8)
    """

    pure_call = rowwise = True

    num_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    dropout: float = 0.0
    use_bias: bool = True
    attention_axes: Sequence[int] | None = None
    query_dense: Any = None  # the projections, once built
    key_dense: Any = None
    value_dense: Any = None
    output_dense: Any = None
    _gate_dense: Any = None

    # Keras's names for the same, which subclasses read and set.
    _num_heads, _key_dim, _value_dim, _dropout, _use_bias, _attention_axes = map(
        _same_as, ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "attention_axes")
    )
    _query_dense, _key_dense, _value_dense, _output_dense = map(
        _same_as, ("query_dense", "key_dense", "value_dense", "output_dense")
    )
    _kernel_initializer, _kernel_regularizer, _kernel_constraint = map(
        _same_as, ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
    )
    _bias_initializer, _bias_regularizer, _bias_constraint = map(
        _same_as, ("bias_initializer", "bias_regularizer", "bias_constraint")
    )

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        use_gate: bool = False,
        seed: SeedLike = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(**kwargs)  # the activity regularizer belongs to the projections
        self._init_heads(
            dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint, use_gate, seed,
        )  # fmt: skip
        self.num_heads = validate.positive_int(num_heads, "num_heads", self)
        self.key_dim = validate.positive_int(key_dim, "key_dim", self)
        self.value_dim = self.key_dim if value_dim is None else validate.positive_int(value_dim, "value_dim", self)
        self.output_shape = None if output_shape is None else validate.one_or_several(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self._activity_regularizer = regularizers.get(activity_regularizer)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments as plain data."""
        config = super().get_config()
        return {**config, "activity_regularizer": regularizers.serialize(self._activity_regularizer)}

    def build(  # type: ignore[override]  # a shape for each input
        self, query_shape: NestedShapes, value_shape: NestedShapes, key_shape: NestedShapes = None
    ) -> None:
        """Create the projections for inputs of these shapes."""
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[:-1]) != tuple(key_shape[:-1]):
            raise ValueError(
                f"{validate.describe(self)}: value and key must have the same shape except for the last axis. "
                f"Received: value {tuple(value_shape)}, key {tuple(key_shape)}."
            )
        rank = len(query_shape)
        if len(value_shape) != rank:
            raise ValueError(
                f"{validate.describe(self)}: query and value must have the same number of axes. "
                f"Received: query {tuple(query_shape)}, value {tuple(value_shape)}."
            )
        self._build_attention(rank + 1)
        self.query_dense = self._into_heads("query", self.key_dim, query_shape)
        self.key_dense = self._into_heads("key", self.key_dim, key_shape)
        self._gate_dense = self._into_heads("gate", self.value_dim, query_shape) if self.use_gate else None
        self.value_dense = self._into_heads("value", self.value_dim, value_shape)
        self.output_dense = self._out_of_heads(query_shape)

    def _build_attention(self, rank: int) -> None:
        """Set up attention for projected queries of this rank, without the projections themselves."""
        self.attention_axes = self._positive_axes(rank - 1)
        self._dot_product_equation, self._combine_equation, _ = attention_equations(rank, self.attention_axes)
        self._make_seeds()

    @property
    def _inverse_sqrt_key_dim(self) -> float:
        return 1 / math.sqrt(self.key_dim)

    def _positive_axes(self, rank: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        axes = tuple(axis % rank if -rank <= axis < rank else axis for axis in self.attention_axes)
        if len(set(axes)) < len(axes) or any(not 1 <= axis < rank - 1 for axis in axes):
            raise ValueError(
                f"{validate.describe(self)}: attention_axes must be axes between the first and the last of the "
                f"query, which has {rank} axes. Received: attention_axes={tuple(self.attention_axes)}."
            )
        return axes

    def _attended(self) -> tuple[int, ...]:
        return cast(tuple[int, ...], self.attention_axes)  # set by `build`

    def _into_heads(self, name: str, depth: int, shape: ShapeLike) -> EinsumDense:
        """Project the last axis into heads: abc,cde->abde for rank 3."""
        *before, features, heads, deep = list(string.ascii_lowercase[: len(shape) + 2])
        kept = "".join(before)
        equation = f"{kept}{features},{features}{heads}{deep}->{kept}{heads}{deep}"
        sizes = (None,) * (len(kept) - 1) + (self.num_heads, depth)
        return self._projection(name, equation, sizes, heads + deep, shape)

    def _out_of_heads(self, query_shape: ShapeLike) -> EinsumDense:
        """Project the heads to the output's axes: abcd,cde->abe for rank 3."""
        sizes = (query_shape[-1],) if self.output_shape is None else tuple(self.output_shape)
        rank = len(query_shape) + 1
        letters = string.ascii_lowercase[: rank + len(sizes)]
        kept, joined, new = letters[: rank - 2], letters[rank - 2 : rank], letters[rank:]
        equation = f"{kept}{joined},{joined}{new}->{kept}{new}"
        shape = (*query_shape[:-1], self.num_heads, self.value_dim)
        return self._projection("attention_output", equation, (None,) * (len(kept) - 1) + sizes, new, shape)

    def call(
        self,
        query: jax.Array,
        value: jax.Array,
        key: jax.Array | None = None,
        query_mask: jax.Array | None = None,
        value_mask: jax.Array | None = None,
        key_mask: jax.Array | None = None,
        attention_mask: jax.Array | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Nested:
        """Project, attend, combine the heads."""
        sources = [mask for mask in (value_mask, key_mask) if mask is not None]
        mask = self._mask(query, value, query_mask, sources, attention_mask, use_causal_mask)
        heads = self.query_dense(query)
        gate = None if self._gate_dense is None else jax.nn.sigmoid(self._gate_dense(query))
        keys = self.key_dense(value if key is None else key)
        values = self.value_dense(value)
        result, weights = self._compute_attention(heads, keys, values, mask, training, return_attention_scores)
        result = self.output_dense(result if gate is None else result * gate)
        return (result, weights) if return_attention_scores else result

    def _mask(
        self,
        query: Tensor,
        value: Tensor,
        query_mask: Nested,
        source_masks: list[jax.Array],
        attention_mask: Nested,
        causal: bool,
    ) -> Tensor:
        """Where queries may attend: (B, other axes, T, S), with N before T if heads differ; None for everywhere."""
        axes = self._attended()
        count = len(axes)
        masks = [self._side_mask(m, count, "value_mask and key_mask", before=count) for m in source_masks]
        if query_mask is not None:
            masks.append(self._side_mask(query_mask, count, "query_mask", after=count))
        targets, sources = ([x.shape[axis] for axis in axes] for x in (query, value))
        positions = self._position_mask(math.prod(targets), math.prod(sources), causal)
        if positions is not None:  # several attended axes are flattened in order
            masks.append(positions.reshape(*targets, *sources))
        if attention_mask is not None:
            self._check_pairs(attention_mask, targets, sources)
            masks.append(attention_mask.astype(bool))
        mask = _all_of([_spread(m, query.ndim + count, 2 * count) for m in masks])
        heads = -2 * count - 1
        return mask if mask is None or mask.shape[heads] != 1 else jnp.squeeze(mask, heads)

    def _check_pairs(self, mask: jax.Array, targets: list[jax.Array], sources: list[jax.Array]) -> None:
        """Reject a mask that does not cover pairs of positions."""
        wanted = (*targets, *sources)
        sizes = zip(reversed(mask.shape), reversed(wanted), strict=False)
        if any(isinstance(a, int) and isinstance(b, int) and a not in (1, b) for a, b in sizes):
            raise ValueError(
                f"{validate.describe(self)}: attention_mask has one value for each pair of a query and a value, "
                f"so its shape must end with {wanted}. Received: shape={mask.shape}. For one value per "
                "step, of shape (batch, steps), use query_mask or value_mask."
            )

    def _side_mask(self, mask: jax.Array, count: int, name: str, before: int = 0, after: int = 0) -> jax.Array:
        """(B, positions...) with axes of size 1 before or after the positions."""
        if mask.ndim != 1 + count:
            raise ValueError(
                f"{validate.describe(self)}: {name} must have the batch axis and the {count} attended axes. "
                f"Received: shape={mask.shape}."
            )
        new = (*range(1, 1 + before), *range(1 + count, 1 + count + after))
        return jnp.expand_dims(mask.astype(bool), new)


class GroupedQueryAttention(_HeadedAttention):
    """Attention in which several query heads share one head of keys and values (Ainslie et al., 2023).

    Called like `MultiHeadAttention`; `query_mask` `(B, T)` keeps masked queries from attending to anything. With one
    key-value head it is multi-query attention.

    Args:
        head_dim: depth of a head.
        num_query_heads: number of query heads.
        num_key_value_heads: number of key and value heads; must divide `num_query_heads`.
        dropout: fraction of the attention weights dropped during training, 0 to 1. Defaults to 0.0.
        use_bias: whether the projections have biases. Defaults to True.
        sliding_window: attend only to positions less than this many steps away; None sets no limit.
        flash_attention: True requires the fused GPU kernel, None uses it if possible, False does not.
        kernel_initializer, bias_initializer: initializers of the weights of the projections. Default to
            `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the outputs of each projection and of the layer. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        use_gate: whether to multiply the result of each head by a sigmoid of a projection of the query. Defaults to
            False.
        seed: int or `SeedGenerator` of the dropout; None draws a seed at random.

    Input shape:
        query `(B, T, features)`, value `(B, S, features)`, key `(B, S, features)`.

    Output shape:
        `(B, T, features of the query)`, followed by the weights `(B, num_query_heads, T, S)` if requested.

    Example:

        layer = cornu.layers.GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)
        x = np.ones((1, 5, 8))
        print(layer(x, x).shape)  # (1, 5, 8)
    """

    pure_call = rowwise = True
    _in_files = InFiles(name="GroupQueryAttention")

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        use_gate: bool = False,
        seed: SeedLike = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._activity_regularizer = self.activity_regularizer
        self._init_heads(
            dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint, use_gate, seed,
        )  # fmt: skip
        self.head_dim = validate.positive_int(head_dim, "head_dim", self)
        self.num_query_heads = validate.positive_int(num_query_heads, "num_query_heads", self)
        self.num_key_value_heads = validate.positive_int(num_key_value_heads, "num_key_value_heads", self)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{validate.describe(self)}: num_query_heads must be a multiple of num_key_value_heads. Received: "
                f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}."
            )

    def build(  # type: ignore[override]  # a shape for each input
        self, query_shape: NestedShapes, value_shape: NestedShapes, key_shape: NestedShapes = None
    ) -> None:
        """Create the projections for inputs of these shapes."""
        key_shape = value_shape if key_shape is None else key_shape
        shapes = {"query": query_shape, "value": value_shape, "key": key_shape}
        wrong = [f"{name} {tuple(shape)}" for name, shape in shapes.items() if len(shape) != 3]
        if wrong:
            raise ValueError(
                f"{validate.describe(self)}: inputs must have 3 axes (batch, time, features). Received: {wrong[0]}."
            )
        if value_shape[1] != key_shape[1]:
            raise ValueError(
                f"{validate.describe(self)}: value and key must have the same number of time steps. "
                f"Received: value {tuple(value_shape)}, key {tuple(key_shape)}."
            )
        shared = self.num_key_value_heads
        self._query_dense = self._into_heads("query", self.num_query_heads, query_shape)
        self._key_dense = self._into_heads("key", shared, key_shape)
        self._gate_dense = self._into_heads("gate", self.num_query_heads, query_shape) if self.use_gate else None
        self._value_dense = self._into_heads("value", shared, value_shape)
        self._make_seeds()
        self._output_dense = self._projection(
            "attention_output", "bquh,uhm->bqm", (None, query_shape[-1]), "m",
            (*query_shape[:-1], self.num_query_heads, self.head_dim),
        )  # fmt: skip

    def _into_heads(self, name: str, heads: int, shape: ShapeLike) -> EinsumDense:
        sizes = (None, heads, self.head_dim)
        return self._projection(name, "bqm,muh->bquh", sizes, "uh", shape)

    def call(
        self,
        query: jax.Array,
        value: jax.Array,
        key: jax.Array | None = None,
        query_mask: jax.Array | None = None,
        value_mask: jax.Array | None = None,
        key_mask: jax.Array | None = None,
        attention_mask: jax.Array | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Nested:
        """Project, attend, combine the heads."""
        positions = self._position_mask(query.shape[1], value.shape[1], use_causal_mask)
        masks = [
            None if query_mask is None else query_mask[:, :, None],
            None if value_mask is None else value_mask[:, None, :],
            None if key_mask is None else key_mask[:, None, :],
            positions,
            attention_mask,
        ]
        mask = _all_of([_spread(m.astype(bool), 4, 2) for m in masks if m is not None])
        heads = self._query_dense(query)
        gate = None if self._gate_dense is None else jax.nn.sigmoid(self._gate_dense(query))
        keys = self._key_dense(value if key is None else key)
        values = self._value_dense(value)
        result, weights = self._compute_attention(heads, keys, values, mask, training, return_attention_scores)
        result = self._output_dense(result if gate is None else result * gate)
        return (result, weights) if return_attention_scores else result


GroupQueryAttention = GroupedQueryAttention  # the name in Keras before 3.16, and in files


def _copy(initializer: Any) -> Any:
    """An equal initializer with its own state; plain functions have no state to share."""
    if not hasattr(initializer, "get_config"):
        return initializer
    return type(initializer).from_config(initializer.get_config())


def _spread(mask: jax.Array, rank: int, last: int) -> jax.Array:
    """`mask` with axes of size 1 inserted before its last `last` axes, up to `rank` axes."""
    if mask.ndim < last or mask.ndim > rank:
        raise ValueError(
            f"An attention mask must have {last} to {rank} axes, of which the last are those of queries and sources. "
            f"Received: shape={mask.shape}."
        )
    split = mask.ndim - last
    return jnp.reshape(mask, (*mask.shape[:split], *(1,) * (rank - mask.ndim), *mask.shape[split:]))


def _all_of(masks: Sequence[jax.Array]) -> jax.Array | None:
    """True where all masks are True; None if there are no masks."""
    result = None
    for mask in masks:
        result = mask if result is None else result & mask
    return result


def attention_equations(rank: int, attn_axes: Sequence[int]) -> tuple[str, str, int]:
    """The einsum equations for attention scores and results along some axes, and the rank of the scores."""
    query = string.ascii_lowercase[:rank]
    further = iter(string.ascii_lowercase[rank:])
    batch = [axis for axis in range(rank - 1) if axis not in attn_axes]
    kept = {*batch, rank - 1}
    keys = "".join(query[axis] if axis in kept else next(further) for axis in range(rank))
    scores = "".join(query[axis] for axis in (*batch, *attn_axes)) + "".join(keys[axis] for axis in attn_axes)
    return f"{keys},{query}->{scores}", f"{scores},{keys}->{query}", len(scores)
