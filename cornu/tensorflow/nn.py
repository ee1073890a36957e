"""`tensorflow.nn`: activations, convolutions, losses from logits."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from cornu import ops, random
from cornu.core.typing import Axes, ShapeLike, Tensor
from cornu.tensorflow import math as tf_math
from cornu.tensorflow.random import seeded
from cornu.tensorflow.served import functions, refuse, sizes, within


def _space(values: Tensor, rank: int, data_format: str | None) -> Any:
    """A number for each axis of space, from one, from as many, or from those of all axes."""
    if values is None or isinstance(values, int):
        return values or 1
    values = tuple(values)
    if len(values) == rank + 2:
        return values[2:] if _first(data_format) == "channels_first" else values[1:-1]
    return values if len(values) == rank else values[0]


def _first(data_format: str | None) -> str:
    return "channels_first" if data_format is not None and data_format.startswith("NC") else "channels_last"


def _padded(x: Tensor, padding: Any, data_format: str | None) -> tuple[Any, str]:
    """The input, padded where the amounts are given, and the padding that remains."""
    if isinstance(padding, str):
        return x, padding.lower()
    return ops.pad(x, padding), "valid"


def _conv(
    input: Tensor, filters: Tensor, strides: object = 1, padding: object = "VALID", data_format: str | None = None,
    dilations: object = None,
) -> jax.Array:  # fmt: skip
    rank = len(ops.shape(filters)) - 2
    input, padding = _padded(input, padding, data_format)
    steps, gaps = _space(strides, rank, data_format), _space(dilations, rank, data_format)
    return ops.conv(input, filters, steps, padding, _first(data_format), gaps)


def _depthwise(
    input: Tensor, filter: Tensor, strides: object = 1, padding: object = "VALID", data_format: str | None = None,
    dilations: object = None,
) -> jax.Array:  # fmt: skip
    input, padding = _padded(input, padding, data_format)
    steps, gaps = _space(strides, 2, data_format), _space(dilations, 2, data_format)
    return ops.depthwise_conv(input, filter, steps, padding, _first(data_format), gaps)


def _conv_transpose(
    input: Tensor, filters: Tensor, output_shape: Sequence[int], strides: object = 1, padding: str = "SAME",
    data_format: str | None = None, dilations: object = None,
) -> jax.Array:  # fmt: skip
    rank = len(ops.shape(filters)) - 2
    steps, gaps = _space(strides, rank, data_format), _space(dilations, rank, data_format)
    first = _first(data_format)
    found = ops.conv_transpose(input, filters, steps, padding.lower(), None, first, gaps)
    expected, shape = tuple(int(n) for n in output_shape)[-rank - 2 :], ops.shape(found)
    return found if shape[1:] == expected[1:] else _gradient_of_conv(input, filters, output_shape, steps, padding)


def _gradient_of_conv(input: Tensor, filters: Tensor, shape: Sequence[int], strides: object, padding: str) -> jax.Array:
    """What comes of `input` on the way back through a convolution of a tensor of this shape, channels last."""
    input = jnp.asarray(input)
    start = jnp.zeros(sizes(shape), input.dtype)
    made, back = jax.vjp(lambda x: _conv(x, filters, strides, padding), start)
    if made.shape != input.shape:
        raise ValueError(
            f"tf.nn.conv2d_transpose: a convolution must take output_shape to the input's shape {input.shape}. "
            f"Received: output_shape={tuple(sizes(shape))}, which goes to {made.shape}."
        )
    return back(input)[0]


def _separable(
    input: Tensor, depthwise_filter: Tensor, pointwise_filter: Tensor, strides: object, padding: str,
    data_format: str | None = None, dilations: object = None,
) -> jax.Array:  # fmt: skip
    along = _depthwise(input, depthwise_filter, strides, padding, data_format, dilations)
    return _conv(along, pointwise_filter, 1, "VALID", data_format)


def _any_pool(
    input: Tensor, window_shape: Sequence[int], pooling_type: str, strides: object = None, padding: str = "VALID",
    data_format: str | None = None,
) -> Tensor:  # fmt: skip
    pool = _max_pool if pooling_type == "MAX" else _avg_pool
    return pool(input, window_shape, 1 if strides is None else strides, padding, data_format)


def _silu(features: Tensor, beta: float = 1.0) -> jax.Array:
    return ops.multiply(features, ops.sigmoid(ops.multiply(features, beta)))


def _weighted_moments(x: Tensor, axes: Axes, frequency_weights: Tensor, keepdims: bool = False) -> tuple:
    x = jnp.asarray(x)
    weights = jnp.broadcast_to(jnp.asarray(frequency_weights, x.dtype), x.shape)
    axes = tuple(sizes(axes))
    mean = jnp.average(x, axes, weights, keepdims=True)
    variance = jnp.average((x - mean) ** 2, axes, weights, keepdims=True)
    return (mean, variance) if keepdims else (jnp.squeeze(mean, axes), jnp.squeeze(variance, axes))


def _poisson_loss(targets: Tensor, log_input: Tensor, compute_full_loss: bool = False) -> jax.Array:
    targets, log_input = jnp.asarray(targets), jnp.asarray(log_input)
    loss = jnp.exp(log_input) - log_input * targets
    if not compute_full_loss:
        return loss
    stirling = targets * jnp.log(targets) - targets + 0.5 * jnp.log(2 * jnp.pi * targets)
    return loss + jnp.where(targets <= 1, 0, stirling)


def _over_channels(ksize: Any, rank: int, data_format: str | None) -> bool:
    """Whether a window goes over several channels, as one of TensorFlow may."""
    if isinstance(ksize, int) or len(ksize) != rank + 2:
        return False
    return ksize[1 if _first(data_format) == "channels_first" else -1] != 1


def _pool(kind: str) -> Callable:
    def pool(
        input: Tensor, ksize: object, strides: object, padding: str = "VALID", data_format: str | None = None
    ) -> Tensor:
        rank = len(ops.shape(input)) - 2
        if kind == "max_pool" and _over_channels(ksize, rank, data_format):
            window, steps = tuple(sizes(ksize)), tuple(sizes(strides))
            return jax.lax.reduce_window(jnp.asarray(input), -jnp.inf, jax.lax.max, window, steps, padding.upper())
        size, steps = _space(ksize, rank, data_format), _space(strides, rank, data_format)
        return getattr(ops, kind)(input, size, steps, padding.lower(), _first(data_format))

    return pool


_max_pool, _avg_pool = _pool("max_pool"), _pool("average_pool")


def _bias_add(value: Tensor, bias: Tensor, data_format: str | None = None) -> jax.Array:
    if _first(data_format) == "channels_last":
        return ops.add(value, bias)
    return ops.add(value, ops.reshape(bias, (1, -1, *[1] * (len(ops.shape(value)) - 2))))


def _batch_normalization(
    x: Tensor, mean: Tensor, variance: Tensor, offset: object, scale: object, variance_epsilon: float
) -> jax.Array:
    factor = ops.rsqrt(ops.add(variance, variance_epsilon))
    factor = factor if scale is None else ops.multiply(factor, scale)
    found = ops.multiply(ops.subtract(x, mean), factor)
    return found if offset is None else ops.add(found, offset)


def _dropout(x: Tensor, rate: float, noise_shape: ShapeLike | None = None, seed: object = None) -> jax.Array:
    return random.dropout(x, rate, noise_shape, seeded(seed))


def _softmax_loss(labels: Tensor, logits: Tensor, axis: int = -1) -> jax.Array:
    return ops.negative(ops.sum(ops.multiply(labels, ops.log_softmax(logits, axis)), axis))


def _sparse_softmax_loss(labels: Tensor, logits: Tensor) -> jax.Array:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _sigmoid_loss(labels: Tensor, logits: Tensor) -> jax.Array:
    logits = ops.convert_to_tensor(logits)
    return ops.subtract(ops.softplus(logits), ops.multiply(ops.cast(labels, logits.dtype), logits))


def _weighted_sigmoid_loss(labels: Tensor, logits: Tensor, pos_weight: Tensor) -> jax.Array:
    labels, logits = jnp.asarray(labels), jnp.asarray(logits)
    return (1 - labels) * logits + (1 + (pos_weight - 1) * labels) * ops.softplus(-logits)


def _embedding_lookup(params: Tensor, ids: object, max_norm: object = None) -> jax.Array:
    if max_norm is not None:
        refuse("nn.embedding_lookup(max_norm=...)")
    return ops.take(params, ids, axis=0)


def _average_loss(
    per_example_loss: object, sample_weight: object = None, global_batch_size: Tensor = None
) -> jax.Array:
    losses = jnp.asarray(per_example_loss)
    losses = losses if sample_weight is None else losses * jnp.asarray(sample_weight, losses.dtype)
    return jnp.sum(losses) / (losses.size if global_batch_size is None else global_batch_size)


def _l2_loss(t: object) -> jax.Array:
    return ops.sum(ops.square(t)) / 2


def _crelu(features: object, axis: int = -1) -> jax.Array:
    return ops.relu(ops.concatenate([features, ops.negative(features)], axis))


def _scaled_loss(regularization_loss: Tensor) -> jax.Array:
    return ops.convert_to_tensor(regularization_loss)


globals().update(
    functions(
        """
        avg_pool              _avg_pool     input ksize strides padding data_format
        avg_pool1d            _avg_pool     input ksize strides padding data_format
        avg_pool2d            _avg_pool     input ksize strides padding data_format
        avg_pool3d            _avg_pool     input ksize strides padding data_format
        batch_normalization   _batch_normalization x mean variance offset scale variance_epsilon
        bias_add              _bias_add     value bias data_format
        compute_average_loss  _average_loss per_example_loss sample_weight global_batch_size
        conv1d                _conv         input filters stride=strides padding data_format dilations
        conv2d                _conv         input filters strides padding data_format dilations
        conv2d_transpose      _conv_transpose input filters output_shape strides padding data_format dilations
        conv3d                _conv         input filters strides padding data_format dilations
        convolution           _conv         input filters strides padding data_format dilations
        crelu                 _crelu        features axis
        depth_to_space        depth_to_space input=x block_size -data_format
        depthwise_conv2d      _depthwise    input filter strides padding data_format dilations
        dropout               _dropout      x rate noise_shape seed
        elu                   elu           features=x
        embedding_lookup      _embedding_lookup params ids max_norm
        gelu                  gelu          features=x approximate:False
        l2_loss               _l2_loss      t
        leaky_relu            leaky_relu    features=x alpha=negative_slope
        log_poisson_loss      _poisson_loss targets log_input compute_full_loss
        max_pool              _max_pool     input ksize strides padding data_format
        max_pool1d            _max_pool     input ksize strides padding data_format
        max_pool2d            _max_pool     input ksize strides padding data_format
        max_pool3d            _max_pool     input ksize strides padding data_format
        moments               moments       x axes -shift keepdims
        pool                  _any_pool     input window_shape pooling_type strides padding data_format
        relu                  relu          features=x
        relu6                 relu6         features=x
        scale_regularization_loss _scaled_loss regularization_loss
        selu                  selu          features=x
        separable_conv2d      _separable input depthwise_filter pointwise_filter strides padding data_format dilations
        sigmoid_cross_entropy_with_logits _sigmoid_loss labels logits
        silu                  _silu         features beta
        softmax_cross_entropy_with_logits _softmax_loss labels logits axis
        space_to_depth        space_to_depth input=x block_size -data_format
        sparse_softmax_cross_entropy_with_logits _sparse_softmax_loss labels logits
        swish                 _silu         features beta
        weighted_moments      _weighted_moments x axes frequency_weights keepdims
        weighted_cross_entropy_with_logits _weighted_sigmoid_loss labels logits pos_weight
        """,
        {**vars(ops), **globals()},
        "nn.",
    )
)
_SHARED = ("in_top_k", "l2_normalize", "log_softmax", "sigmoid", "softmax", "softplus", "softsign", "tanh", "top_k",
           "zero_fraction")  # fmt: skip
globals().update({name: getattr(tf_math, name) for name in _SHARED})
__getattr__ = within(__name__)
