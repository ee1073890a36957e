"""`tensorflow.nn`: activations, convolutions, losses from logits."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from cornu import ops, random
from cornu.core.typing import ShapeLike, Tensor
from cornu.tensorflow import math as tf_math
from cornu.tensorflow.random import seeded
from cornu.tensorflow.served import functions, refuse, within


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


def _padded(x: Any, padding: Any, data_format: str | None) -> tuple[Any, str]:
    """The input, padded where the amounts are given, and the padding that remains."""
    if isinstance(padding, str):
        return x, padding.lower()
    return ops.pad(x, padding), "valid"


def _conv(
    input: Tensor, filters: Tensor, strides: object = 1, padding: object = "VALID", data_format: str | None = None,
    dilations: object = None,
) -> Any:  # fmt: skip
    rank = len(ops.shape(filters)) - 2
    input, padding = _padded(input, padding, data_format)
    steps, gaps = _space(strides, rank, data_format), _space(dilations, rank, data_format)
    return ops.conv(input, filters, steps, padding, _first(data_format), gaps)


def _depthwise(
    input: Tensor, filter: Tensor, strides: object = 1, padding: object = "VALID", data_format: str | None = None,
    dilations: object = None,
) -> Any:  # fmt: skip
    input, padding = _padded(input, padding, data_format)
    steps, gaps = _space(strides, 2, data_format), _space(dilations, 2, data_format)
    return ops.depthwise_conv(input, filter, steps, padding, _first(data_format), gaps)


def _conv_transpose(
    input: Tensor, filters: Tensor, output_shape: Sequence[int], strides: object = 1, padding: str = "SAME",
    data_format: str | None = None, dilations: object = None,
) -> Any:  # fmt: skip
    rank = len(ops.shape(filters)) - 2
    steps, gaps = _space(strides, rank, data_format), _space(dilations, rank, data_format)
    first = _first(data_format)
    found = ops.conv_transpose(input, filters, steps, padding.lower(), None, first, gaps)
    expected, shape = tuple(int(n) for n in output_shape)[-rank - 2 :], ops.shape(found)
    if shape[1:] != expected[1:]:
        raise ValueError(f"tf.nn.conv2d_transpose: output_shape must be {shape}. Received: {expected}.")
    return found


def _pool(kind: str) -> Any:
    def pool(
        input: Tensor, ksize: object, strides: object, padding: str = "VALID", data_format: str | None = None
    ) -> Any:
        rank = len(ops.shape(input)) - 2
        size, steps = _space(ksize, rank, data_format), _space(strides, rank, data_format)
        return getattr(ops, kind)(input, size, steps, padding.lower(), _first(data_format))

    return pool


_max_pool, _avg_pool = _pool("max_pool"), _pool("average_pool")


def _bias_add(value: Tensor, bias: Tensor, data_format: str | None = None) -> Any:
    if _first(data_format) == "channels_last":
        return ops.add(value, bias)
    return ops.add(value, ops.reshape(bias, (1, -1, *[1] * (len(ops.shape(value)) - 2))))


def _batch_normalization(
    x: Tensor, mean: Tensor, variance: Tensor, offset: object, scale: object, variance_epsilon: float
) -> Any:
    factor = ops.rsqrt(ops.add(variance, variance_epsilon))
    factor = factor if scale is None else ops.multiply(factor, scale)
    found = ops.multiply(ops.subtract(x, mean), factor)
    return found if offset is None else ops.add(found, offset)


def _dropout(x: Tensor, rate: float, noise_shape: ShapeLike | None = None, seed: object = None) -> Any:
    return random.dropout(x, rate, noise_shape, seeded(seed))


def _softmax_loss(labels: Tensor, logits: Tensor, axis: int = -1) -> Any:
    return ops.negative(ops.sum(ops.multiply(labels, ops.log_softmax(logits, axis)), axis))


def _sparse_softmax_loss(labels: Tensor, logits: Tensor) -> Any:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _sigmoid_loss(labels: Tensor, logits: Tensor) -> Any:
    logits = ops.convert_to_tensor(logits)
    return ops.subtract(ops.softplus(logits), ops.multiply(ops.cast(labels, logits.dtype), logits))


def _weighted_sigmoid_loss(labels: Any, logits: Any, pos_weight: Any) -> Any:
    return (1 - labels) * logits + (1 + (pos_weight - 1) * labels) * ops.softplus(-logits)


def _embedding_lookup(params: Tensor, ids: object, max_norm: object = None) -> Any:
    if max_norm is not None:
        refuse("nn.embedding_lookup(max_norm=...)")
    return ops.take(params, ids, axis=0)


def _average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Any:
    losses = jnp.asarray(per_example_loss)
    losses = losses if sample_weight is None else losses * jnp.asarray(sample_weight, losses.dtype)
    return jnp.sum(losses) / (losses.size if global_batch_size is None else global_batch_size)


def _l2_loss(t: object) -> Any:
    return ops.sum(ops.square(t)) / 2


def _crelu(features: object, axis: int = -1) -> Any:
    return ops.relu(ops.concatenate([features, ops.negative(features)], axis))


def _identity(x: Tensor) -> Any:
    return x


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
        max_pool              _max_pool     input ksize strides padding data_format
        max_pool1d            _max_pool     input ksize strides padding data_format
        max_pool2d            _max_pool     input ksize strides padding data_format
        max_pool3d            _max_pool     input ksize strides padding data_format
        moments               moments       x axes -shift keepdims
        relu                  relu          features=x
        relu6                 relu6         features=x
        scale_regularization_loss _identity regularization_loss=x
        selu                  selu          features=x
        sigmoid_cross_entropy_with_logits _sigmoid_loss labels logits
        silu                  silu          features=x
        softmax_cross_entropy_with_logits _softmax_loss labels logits axis
        space_to_depth        space_to_depth input=x block_size -data_format
        sparse_softmax_cross_entropy_with_logits _sparse_softmax_loss labels logits
        swish                 silu          features=x
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
