"""`tensorflow.nn`: activations, convolutions, losses from logits."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, random
from cornu.core.typing import AnyFunction, Axes, ShapeLike, Tensor
from cornu.tensorflow import candidates, ctc, math as tf_math, random as tf_random
from cornu.tensorflow.seeds import seeded, stateless
from cornu.tensorflow.served import Namespace, functions, refuse, sizes, within
from cornu.tensorflow.sparse import SparseTensor


def _space(values: Tensor, rank: int, data_format: str | None) -> Tensor:
    """One number per spatial axis, from a single number, a list of them, or a list for all axes."""
    if values is None or isinstance(values, int):
        return values or 1
    values = tuple(values)
    if len(values) == rank + 2:
        return values[2:] if _first(data_format) == "channels_first" else values[1:-1]
    return values if len(values) == rank else values[0]


def _first(data_format: str | None) -> str:
    return "channels_first" if data_format is not None and data_format.startswith("NC") else "channels_last"


def _padded(x: Tensor, padding: Any, data_format: str | None) -> tuple[Any, str]:
    """The input, padded if the amounts are explicit, and the padding left to apply."""
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
) -> Tensor:  # fmt: skip
    rank = len(ops.shape(filters)) - 2
    steps, gaps = _space(strides, rank, data_format), _space(dilations, rank, data_format)
    first = _first(data_format)
    found = ops.conv_transpose(input, filters, steps, padding.lower(), None, first, gaps)
    expected, shape = tuple(int(n) for n in output_shape)[-rank - 2 :], ops.shape(found)
    return found if shape[1:] == expected[1:] else _gradient_of_conv(input, filters, output_shape, steps, padding)


def _gradient_of_conv(input: Tensor, filters: Tensor, shape: Sequence[int], strides: object, padding: str) -> jax.Array:
    """The gradient of a convolution with respect to its image, of this shape, given the output gradient `input`."""
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


def _leaky_relu(features: Tensor, alpha: float = 0.2) -> jax.Array:
    return ops.where(ops.greater(features, 0), features, ops.multiply(features, alpha))


def _silu(features: Tensor, beta: float = 1.0) -> jax.Array:
    return ops.multiply(features, ops.sigmoid(ops.multiply(features, beta)))


def _weighted_moments(
    x: Tensor, axes: Axes, frequency_weights: Tensor, keepdims: bool = False
) -> tuple[jax.Array, jax.Array]:
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


def _over_channels(ksize: Tensor, rank: int, data_format: str | None) -> bool:
    """Whether a window spans several channels, which TensorFlow allows."""
    if isinstance(ksize, int) or len(ksize) != rank + 2:
        return False
    return ksize[1 if _first(data_format) == "channels_first" else -1] != 1


def _pool(kind: str) -> AnyFunction:
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


def _lrn(input: Tensor, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5) -> Tensor:
    input = jnp.asarray(input)
    around = (1,) * (input.ndim - 1) + (2 * int(depth_radius) + 1,)
    ends = [(0, 0)] * (input.ndim - 1) + [(int(depth_radius), int(depth_radius))]
    squares = jax.lax.reduce_window(input**2, 0.0, jax.lax.add, around, (1,) * input.ndim, ends)
    return input / (bias + alpha * squares) ** beta


class MaxPoolWithArgmax(NamedTuple):
    """The largest elements of windows, and where they stand in the flattened image."""

    output: Tensor
    argmax: Tensor


def _max_pool_with_argmax(
    input: Tensor, ksize: Tensor, strides: Tensor, padding: str, data_format: str = "NHWC",
    include_batch_in_index: bool = False,
) -> MaxPoolWithArgmax:  # fmt: skip
    if data_format != "NHWC":
        raise ValueError(f"tf.nn.max_pool_with_argmax: data_format must be 'NHWC'. Received: {data_format!r}.")
    input = jnp.asarray(input)
    size, steps = _space(ksize, 2, None), _space(strides, 2, None)
    window, step = ((1, *((each,) * 2 if isinstance(each, int) else tuple(each)), 1) for each in (size, steps))
    shape = input.shape if include_batch_in_index else (1, *input.shape[1:])
    places = jnp.broadcast_to(jnp.arange(math.prod(shape), dtype="int32").reshape(shape), input.shape)

    def larger(one: tuple[jax.Array, jax.Array], other: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        first = (one[0] > other[0]) | ((one[0] == other[0]) & (one[1] <= other[1]))
        return jnp.where(first, one[0], other[0]), jnp.where(first, one[1], other[1])

    start = jnp.asarray(-jnp.inf, input.dtype), jnp.int32(2**31 - 1)
    values = jax.lax.stop_gradient(input)
    _, found = jax.lax.reduce_window((values, places), start, larger, window, step, padding.upper())
    return MaxPoolWithArgmax(_max_pool(input, ksize, strides, padding), found)


def _normalize_moments(counts: Tensor, mean_ss: Tensor, variance_ss: Tensor, shift: Tensor) -> tuple[Any, Any]:
    mean = jnp.asarray(mean_ss) / counts
    variance = jnp.asarray(variance_ss) / counts - mean**2
    return (mean if shift is None else mean + shift), variance


def _sufficient_statistics(x: Tensor, axes: Axes, shift: Tensor = None, keepdims: bool = False) -> tuple[Tensor, ...]:
    x, axes = jnp.asarray(x), tuple(sizes(axes))
    moved = x if shift is None else x - shift
    count = jnp.asarray(math.prod(x.shape[axis] for axis in axes), x.dtype)
    return count, moved.sum(axes, keepdims=keepdims), (moved**2).sum(axes, keepdims=keepdims), shift


def _sparse_lookup(
    params: Tensor, sp_ids: SparseTensor, sp_weights: Tensor, combiner: str | None = None, max_norm: object = None
) -> Tensor:
    rows, count = np.asarray(sp_ids.indices)[:, 0], int(sp_ids.shape[0])
    found = _embedding_lookup(params, sp_ids.values, max_norm)
    weights = jnp.ones(len(rows), found.dtype) if sp_weights is None else jnp.asarray(sp_weights.values)
    total = jax.ops.segment_sum(found * weights[:, None], rows, count)
    if combiner == "sum":
        return total
    squares = weights**2 if combiner == "sqrtn" else weights
    scale = jax.ops.segment_sum(squares, rows, count)
    return ops.divide_no_nan(total, (jnp.sqrt(scale) if combiner == "sqrtn" else scale)[:, None])


def _atrous(value: Tensor, filters: Tensor, rate: int, padding: str) -> Tensor:
    return _conv(value, filters, 1, padding, None, int(rate))


def _l2_loss(t: object) -> Tensor:
    return ops.sum(ops.square(t)) / 2


def _crelu(features: object, axis: int = -1) -> jax.Array:
    return ops.relu(ops.concatenate([features, ops.negative(features)], axis))


def _scaled_loss(regularization_loss: Tensor) -> jax.Array:
    return ops.convert_to_tensor(regularization_loss)


def _dilation(
    input: Tensor, filters: Tensor, strides: Tensor, padding: str, data_format: str, dilations: Tensor
) -> jax.Array:
    """Grayscale dilation: the maximum of pixels plus filter elements under each place of the filter."""
    input, filters = jnp.asarray(input), jnp.asarray(filters)
    rows, columns, _ = filters.shape
    gaps = [1, *dilations[1:3], 1]
    sides = jax.lax.padtype_to_pads(
        input.shape[1:3], [(rows - 1) * gaps[1] + 1, (columns - 1) * gaps[2] + 1], strides[1:3], padding
    )
    padded = jnp.pad(input, [(0, 0), *sides, (0, 0)], constant_values=-jnp.inf)
    height, width = ((padded.shape[i] - (filters.shape[i - 1] - 1) * gaps[i] - 1) // strides[i] + 1 for i in (1, 2))
    around = [
        padded[:, (top := i * gaps[1]) : top + (height - 1) * strides[1] + 1 : strides[1],
               (left := j * gaps[2]) : left + (width - 1) * strides[2] + 1 : strides[2]] + filters[i, j]
        for i in range(rows) for j in range(columns)
    ]  # fmt: skip
    return jnp.max(jnp.stack(around), 0)


def _erosion(
    value: Tensor, filters: Tensor, strides: Tensor, padding: str, data_format: str, dilations: Tensor
) -> jax.Array:
    """Grayscale erosion: the minimum of pixels minus filter elements under each place of the filter."""
    turned = jnp.asarray(filters)[::-1, ::-1]
    return -_dilation(-jnp.asarray(value), turned, strides, padding, data_format, dilations)


globals().update(
    functions(
        """
        atrous_conv2d         _atrous       value filters rate padding
        avg_pool              _avg_pool     input ksize strides padding data_format
        avg_pool1d            _avg_pool     input ksize strides padding data_format
        avg_pool2d            _avg_pool     input ksize strides padding data_format
        avg_pool3d            _avg_pool     input ksize strides padding data_format
        batch_normalization   _batch_normalization x mean variance offset scale variance_epsilon
        bias_add              _bias_add     value bias data_format
        collapse_repeated     collapse_repeated labels seq_length
        compute_average_loss  _average_loss per_example_loss sample_weight global_batch_size
        conv1d                _conv         input filters stride=strides padding data_format dilations
        conv2d                _conv         input filters strides padding data_format dilations
        conv1d_transpose      _conv_transpose input filters output_shape strides padding data_format dilations
        conv3d_transpose      _conv_transpose input filters output_shape strides padding data_format dilations
        conv_transpose        _conv_transpose input filters output_shape strides padding data_format dilations
        conv2d_transpose      _conv_transpose input filters output_shape strides padding data_format dilations
        conv3d                _conv         input filters strides padding data_format dilations
        convolution           _conv         input filters strides padding data_format dilations
        ctc_beam_search_decoder ctc_beam_search_decoder inputs sequence_length beam_width top_paths
        ctc_greedy_decoder    ctc_greedy_decoder inputs sequence_length merge_repeated blank_index
        ctc_loss              ctc_loss      labels logits label_length logit_length logits_time_major unique blank_index
        crelu                 _crelu        features axis
        depth_to_space        depth_to_space input=x block_size -data_format
        dilation2d            _dilation     input filters strides padding data_format dilations
        erosion2d             _erosion      value filters strides padding data_format dilations
        depthwise_conv2d      _depthwise    input filter strides padding data_format dilations
        dropout               _dropout      x rate noise_shape seed
        elu                   elu           features=x
        embedding_lookup      _embedding_lookup params ids max_norm
        embedding_lookup_sparse _sparse_lookup params sp_ids sp_weights combiner max_norm
        gelu                  gelu          features=x approximate:False
        l2_loss               _l2_loss      t
        leaky_relu            _leaky_relu   features alpha
        local_response_normalization _lrn   input depth_radius bias alpha beta
        lrn                   _lrn          input depth_radius bias alpha beta
        log_poisson_loss      _poisson_loss targets log_input compute_full_loss
        max_pool              _max_pool     input ksize strides padding data_format
        max_pool1d            _max_pool     input ksize strides padding data_format
        max_pool2d            _max_pool     input ksize strides padding data_format
        max_pool3d            _max_pool     input ksize strides padding data_format
        max_pool_with_argmax  _max_pool_with_argmax input ksize strides padding data_format -output_dtype \
            include_batch_in_index
        nce_loss              nce_loss      weights biases labels inputs num_sampled num_classes num_true \
            sampled_values remove_accidental_hits
        normalize_moments     _normalize_moments counts mean_ss variance_ss shift
        sampled_softmax_loss  sampled_softmax_loss weights biases labels inputs num_sampled num_classes num_true \
            sampled_values remove_accidental_hits seed
        sufficient_statistics _sufficient_statistics x axes shift keepdims
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
        {**vars(ops), **vars(ctc), **vars(candidates), **globals()},
        "nn.",
    )
)
_SHARED = ("in_top_k", "l2_normalize", "log_softmax", "sigmoid", "softmax", "softplus", "softsign", "tanh", "top_k",
           "zero_fraction")  # fmt: skip
globals().update({name: getattr(tf_math, name) for name in _SHARED})
globals().update({name: getattr(tf_random, name) for name in vars(tf_random) if name.endswith("_candidate_sampler")})
experimental = Namespace(
    "nn.experimental",
    stateless_dropout=lambda x, rate, seed, rng_alg=None, noise_shape=None, name=None: random.dropout(
        x, rate, noise_shape, stateless(seed)
    ),
)
__getattr__ = within(__name__)
