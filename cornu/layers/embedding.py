"""Layers that turn integers into trainable vectors."""

from typing import Any

import jax
import jax.numpy as jnp

from cornu import constraints, initializers, ops, regularizers, validate
from cornu.core import dtypes
from cornu.core.typing import ConstraintLike, InitializerLike, Nested, NestedShapes, RegularizerLike, Tensor
from cornu.kernels import dense
from cornu.layers.layer import Layer
from cornu.layers.quantization import Quantizable
from cornu.quantizers.schemes import Form

__all__ = ["Embedding", "ReversibleEmbedding"]


class Embedding(Quantizable, Layer):
    """A table with one vector for each integer: `outputs[..., :] = embeddings[inputs]`.

    Out-of-range integers give NaN.

    Args:
        input_dim: number of distinct integers, the largest one plus 1.
        output_dim: size of the vectors.
        embeddings_initializer: initializer of the table. Defaults to `"uniform"`.
        embeddings_regularizer: penalty on the table, added to the loss. None by default.
        embeddings_constraint: constraint applied to the table after each update. None by default.
        mask_zero: whether 0 is padding that later layers should skip. Defaults to False.
        weights: initial values of the table, an array or a list with one. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen table; None trains the table itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.
        quantization_config: how the table is quantized, if the dtype policy says so; None uses the mode's default.

    Input shape:
        Integers of any shape.

    Output shape:
        `(*input_shape, output_dim)`.

    Example:

        layer = cornu.layers.Embedding(1000, 8)
        print(layer(np.array([[3, 14, 0]])).shape)  # (1, 3, 8)
    """

    pure_call = rowwise = True
    adapted = "embeddings"
    quantization_modes = ("int8", "int4")
    config_optional: tuple[str, ...] = ("lora_rank", "lora_alpha")
    config_skip: tuple[str, ...] = ("autocast", "weights")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike | None = None,
        embeddings_constraint: ConstraintLike | None = None,
        mask_zero: bool = False,
        weights: object = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: object = None,
        **kwargs: Any,
    ):
        # Indices must not be rounded to 16 bits: inputs are not cast, but the vectors that are looked up are.
        kwargs["autocast"] = False
        super().__init__(**kwargs)
        self.input_dim = validate.positive_int(input_dim, "input_dim", self)
        self.output_dim = validate.positive_int(output_dim, "output_dim", self)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self._init_quantization(quantization_config)
        self._init_lora(lora_rank, lora_alpha)
        self.supports_masking = mask_zero
        if weights is not None:
            self.build()
            self._large_variables()[0].assign(weights[0] if isinstance(weights, (list, tuple)) else weights)

    @property
    def embeddings(self) -> Tensor:
        """The table of shape (input_dim, output_dim), including any low-rank update; None before `build`."""
        return self._adapted_weight()

    def build(self, input_shape: NestedShapes = None) -> None:
        """Create the table."""
        shape = (self.input_dim, self.output_dim)
        form = Form("embeddings", shape, kept=(0,), scale_shape=shape[:1], rows=self.output_dim, turned=True)
        self._add_multiplied(form, self.embeddings_initializer)
        self._start_lora()

    def call(self, inputs: jax.Array) -> jax.Array:
        """The vectors for the integers."""
        return self._look_up(inputs)

    def _rows(self, places: jax.Array) -> jax.Array:
        """Rows of the table, without its low-rank update; of a quantized table, only those are dequantized."""
        form, scheme = self._forms[0], self._scheme
        if scheme is None:
            return jnp.take(self._stored(form)["{}"], places, axis=0)
        flat = places.reshape(-1)
        rows = {
            template: values if template == "g_idx" else jnp.take(values, flat, axis=0)
            for template, values in self._stored(form).items()
        }
        chosen = form._replace(shape=(flat.size, self.output_dim))
        return scheme.decoded(rows, chosen).reshape(*places.shape, self.output_dim)

    def _look_up(self, inputs: jax.Array) -> jax.Array:
        places = inputs if dtypes.is_int(inputs.dtype) else inputs.astype("int32")
        vectors = self._rows(places)
        if self.lora_enabled:
            a, b = self._factors()
            vectors = vectors + self._lora_scale() * (jnp.take(a.value, places, axis=0) @ b.value)
        return vectors.astype(self.compute_dtype)

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """True where the integer is not the padding value 0; None without `mask_zero`."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class ReversibleEmbedding(Embedding):
    """An embedding that also works in reverse, from vectors to a score for each integer.

    `layer(ids)` looks vectors up; `layer(vectors, reverse=True)` is `vectors @ transpose(embeddings)`.

    Args:
        input_dim: number of distinct integers.
        output_dim: size of the vectors.
        tie_weights: whether both directions share the same table. Defaults to True.
        embeddings_initializer: initializer of the tables. Defaults to `"uniform"`.
        embeddings_regularizer: penalty on the table, added to the loss. None by default.
        embeddings_constraint: constraint applied to the table after each update. None by default.
        mask_zero: whether 0 is padding that later layers should skip. Defaults to False.
        reverse_dtype: dtype of the reverse direction; None uses the vectors' or the layer's, whichever is wider.
        logit_soft_cap: bound `c` that maps a score `s` to `c * tanh(s / c)`; None sets no bound.

    Input shape:
        Integers of any shape; in reverse, vectors `(..., output_dim)`.

    Output shape:
        `(*input_shape, output_dim)`; in reverse, `(..., input_dim)`.

    Example:

        layer = cornu.layers.ReversibleEmbedding(100, 8)
        vectors = layer(np.array([[3, 14]]))
        print(layer(vectors, reverse=True).shape)  # (1, 2, 100)
    """

    pure_call = rowwise = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike | None = None,
        embeddings_constraint: ConstraintLike | None = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        self.tie_weights = tie_weights  # needed by build, which runs immediately if weights are given
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: NestedShapes = None) -> None:
        """Create the table, and a second one for the reverse direction unless they are tied."""
        super().build(input_shape)
        if not self.tie_weights:
            shape, scales = (self.output_dim, self.input_dim), (self.input_dim,)
            form = Form("reverse_embeddings", shape, kept=(1,), scale_shape=scales, rows=self.output_dim, packed=0)
            self._add_multiplied(form, self.embeddings_initializer)

    def call(self, inputs: jax.Array, reverse: bool = False) -> jax.Array:
        """The vectors for integers, or the scores for vectors."""
        if not reverse:
            return self._look_up(inputs)
        dtype = self.reverse_dtype or dtypes.result_type(inputs.dtype, self.compute_dtype)
        scores = self._product(inputs.astype(dtype), 0 if self.tie_weights else 1)
        cap = self.logit_soft_cap
        return scores if cap is None else cap * jnp.tanh(scores / cap)

    def _multiply(self, x: jax.Array, weight: jax.Array) -> jax.Array:
        """The reverse direction: with a shared table, the product with its transpose."""
        weight = weight.T if self.tie_weights else weight
        return dense.product(x, weight.astype(x.dtype) if dtypes.is_float(x.dtype) else weight)

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """True where the integer is not the padding value 0; in reverse, the mask of the vectors."""
        return mask if dtypes.is_float(inputs.dtype) else super().compute_mask(inputs, mask)
