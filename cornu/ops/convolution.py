"""Convolution and pooling: of sequences, images and volumes.

Each operation checks its arguments, and converts the data to channels last, the only layout of the kernels, and back.
"""

from typing import Any

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.operation import Tensor, op
from cornu.core.typing import AnyFunction, Sizes
from cornu.kernels import conv as conv_kernels, pool as pool_kernels
from cornu.kernels.window import extent

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "max_pool",
    "separable_conv",
]


@op
def conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution with a kernel: each output pixel is a weighted sum of the pixels under the kernel.

    Args:
        inputs: (batch, *space, channels), with one to three spatial axes.
        kernel: (*size, inputs, filters). If `inputs` is a proper divisor of the number of channels, the convolution is
            grouped.
        strides: stride of the kernel, an int or one per axis. Defaults to 1.
        padding: `"valid"` keeps the kernel inside the image; `"same"` pads so that stride 1 keeps the size; `"causal"`,
            for sequences, pads only before the start. Defaults to `"valid"`.
        data_format: `"channels_last"`, `"channels_first"` for (batch, channels, *space), or None for the default.
        dilation_rate: spacing of the kernel elements, an int or one per axis. Defaults to 1.

    Example:

        y = cornu.ops.conv(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding="same")
        print(y.shape)  # (1, 5, 5, 2)
    """
    rank = _rank("conv", inputs, kernel)
    padding = validate.padding(padding, "conv", ("valid", "same", "causal") if rank == 1 else ("valid", "same"))
    strides, dilation = _steps("conv", rank, strides, dilation_rate)
    inputs, kernel = _same_dtype(inputs, kernel)

    def run(x: jax.Array) -> jax.Array:
        groups = _groups(x.shape[-1], kernel)
        check_window_fits(x.shape[1:-1], kernel.shape[:-2], dilation, padding, "conv")
        return conv_kernels.conv(x, kernel, strides, padding, dilation, groups)

    return _channels_last(run, inputs, data_format, "conv")


@op
def depthwise_conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Separate convolution of each channel, with `multiplier` kernels per channel.

    Args:
        inputs: (batch, *space, channels).
        kernel: (*size, channels, multiplier).
        strides, padding, data_format, dilation_rate: as for `conv`; no `"causal"`.

    Example:

        y = cornu.ops.depthwise_conv(np.ones((1, 5, 5, 3)), np.ones((3, 3, 3, 2)))
        print(y.shape)  # (1, 3, 3, 6)
    """
    rank = _rank("depthwise_conv", inputs, kernel)
    padding = validate.padding(padding, "depthwise_conv")
    strides, dilation = _steps("depthwise_conv", rank, strides, dilation_rate)
    inputs, kernel = _same_dtype(inputs, kernel)

    def run(x: jax.Array) -> jax.Array:
        _require_channels("depthwise_conv", x, kernel.shape[-2])
        check_window_fits(x.shape[1:-1], kernel.shape[:-2], dilation, padding, "depthwise_conv")
        return conv_kernels.depthwise_conv(x, kernel, strides, padding, dilation)

    return _channels_last(run, inputs, data_format, "depthwise_conv")


@op
def separable_conv(
    inputs: Tensor,
    depthwise_kernel: Tensor,
    pointwise_kernel: Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """A depthwise convolution, then a 1x1 convolution that mixes its channels.

    Args:
        inputs: (batch, *space, channels).
        depthwise_kernel: (*size, channels, multiplier).
        pointwise_kernel: (*ones, channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: as for `depthwise_conv`.

    Example:

        y = cornu.ops.separable_conv(np.ones((1, 5, 5, 3)), np.ones((3, 3, 3, 2)), np.ones((1, 1, 6, 4)))
        print(y.shape)  # (1, 3, 3, 4)
    """
    rank = _rank("separable_conv", inputs, depthwise_kernel)
    padding = validate.padding(padding, "separable_conv")
    strides, dilation = _steps("separable_conv", rank, strides, dilation_rate)
    inputs, depthwise_kernel = _same_dtype(inputs, depthwise_kernel)
    inputs, pointwise_kernel = _same_dtype(inputs, pointwise_kernel)

    def run(x: jax.Array) -> jax.Array:
        _require_channels("separable_conv", x, depthwise_kernel.shape[-2])
        check_window_fits(x.shape[1:-1], depthwise_kernel.shape[:-2], dilation, padding, "separable_conv")
        x = conv_kernels.depthwise_conv(x, depthwise_kernel.astype(x.dtype), strides, padding, dilation)
        _require_channels("separable_conv", x, pointwise_kernel.shape[-2])
        return conv_kernels.conv(x, pointwise_kernel, (1,) * rank)

    return _channels_last(run, inputs, data_format, "separable_conv")


@op
def conv_transpose(
    inputs: Tensor,
    kernel: Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Transposed convolution: each input pixel adds a scaled copy of the kernel to the output, `strides` pixels apart.

    Args:
        inputs: (batch, *space, channels).
        kernel: (*size, filters, channels).
        strides, data_format, dilation_rate: as for `conv`.
        padding: `"valid"` keeps the full result; `"same"` crops it to `strides` times the size of the input.
        output_padding: pixels added at the end of each axis, which then determines the size of the output: `(n - 1) *
            stride + extent + output_padding`, minus `2 * (extent // 2)` for `"same"`, where `extent = (size - 1) *
            dilation + 1`. None by default.

    Example:

        y = cornu.ops.conv_transpose(np.ones((1, 4, 4, 3)), np.ones((3, 3, 2, 3)), strides=2, padding="same")
        print(y.shape)  # (1, 8, 8, 2)
    """
    rank = _rank("conv_transpose", inputs, kernel)
    padding = validate.padding(padding, "conv_transpose")
    strides, dilation = _steps("conv_transpose", rank, strides, dilation_rate)
    if output_padding is not None:
        output_padding = validate.int_tuple(output_padding, rank, "output_padding", "conv_transpose", minimum=0)
    inputs, kernel = _same_dtype(inputs, kernel)

    def run(x: jax.Array) -> jax.Array:
        _require_channels("conv_transpose", x, kernel.shape[-1])
        return conv_kernels.conv_transpose(x, kernel, strides, padding, output_padding, dilation)

    return _channels_last(run, inputs, data_format, "conv_transpose")


@op
def max_pool(
    inputs: Tensor,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The maximum in each window. Among equal values, the gradient goes to the first.

    Args:
        inputs: (batch, *space, channels).
        pool_size: size of the window, an int or one per axis.
        strides: stride of the window; None uses `pool_size`.
        padding: `"valid"` or `"same"`.
        data_format: as for `conv`.

    Example:

        print(cornu.ops.max_pool(np.arange(6.0).reshape(1, 6, 1), 2)[0, :, 0])  # [1. 3. 5.]
    """
    return _pool("max_pool", pool_kernels.max_pool, inputs, pool_size, strides, padding, data_format)


@op
def average_pool(
    inputs: Tensor,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The mean in each window; padding is not counted.

    Args:
        inputs: (batch, *space, channels).
        pool_size, strides, padding, data_format: as for `max_pool`.

    Example:

        print(cornu.ops.average_pool(np.arange(6.0).reshape(1, 6, 1), 2)[0, :, 0])  # [0.5 2.5 4.5]
    """
    return _pool("average_pool", pool_kernels.average_pool, _floating(inputs), pool_size, strides, padding, data_format)


@op
def adaptive_average_pool(inputs: Tensor, output_size: Sizes, data_format: str | None = None) -> jax.Array:
    """The means of `output_size` bins that cover the image, whatever its size.

    Bin i of n pixels goes from `floor(i * n / size)` up to, but not including, `ceil((i + 1) * n / size)`.

    Args:
        inputs: (batch, *space, channels).
        output_size: number of bins, an int or one per axis.
        data_format: as for `conv`.

    Example:

        print(cornu.ops.adaptive_average_pool(np.arange(6.0).reshape(1, 6, 1), 2)[0, :, 0])  # [1. 4.]
    """
    inputs = _floating(inputs)
    size = validate.int_tuple(output_size, inputs.ndim - 2, "output_size", "adaptive_average_pool")
    return _channels_last(
        lambda x: pool_kernels.adaptive_average_pool(x, size), inputs, data_format, "adaptive_average_pool"
    )


@op
def adaptive_max_pool(inputs: Tensor, output_size: Sizes, data_format: str | None = None) -> jax.Array:
    """The maxima of `output_size` bins that cover the image, whatever its size.

    Args:
        inputs: (batch, *space, channels).
        output_size, data_format: as for `adaptive_average_pool`, which uses the same bins.

    Example:

        print(cornu.ops.adaptive_max_pool(np.arange(6.0).reshape(1, 6, 1), 2)[0, :, 0])  # [2. 5.]
    """
    inputs = jnp.asarray(inputs)
    size = validate.int_tuple(output_size, inputs.ndim - 2, "output_size", "adaptive_max_pool")
    return _channels_last(lambda x: pool_kernels.adaptive_max_pool(x, size), inputs, data_format, "adaptive_max_pool")


def check_window_fits(sizes: Any, window: Any, dilation: Any, padding: str, owner: object) -> None:
    """Raise unless a window without padding fits in an image, as far as the image's size is known."""
    extents = tuple(extent(k, d) for k, d in zip(window, dilation, strict=True))
    fits = all(not isinstance(n, int) or n >= e for n, e in zip(sizes, extents, strict=True))
    if padding == "valid" and not fits:
        raise ValueError(
            f"{validate.describe(owner)}: the window covers {extents} pixels and does not fit in an input of size "
            f'{tuple(sizes)}. Use padding="same", a smaller window or a larger input.'
        )


def _pool(
    owner: str,
    kernel: AnyFunction,
    inputs: object,
    size: object,
    strides: object,
    padding: object,
    data_format: str | None,
) -> jax.Array:
    inputs = jnp.asarray(inputs)
    rank = _space_rank(owner, inputs)
    size = validate.int_tuple(size, rank, "pool_size", owner)
    strides = size if strides is None else validate.int_tuple(strides, rank, "strides", owner)
    padding = validate.padding(padding, owner)

    def run(x: jax.Array) -> jax.Array:
        check_window_fits(x.shape[1:-1], size, (1,) * rank, padding, owner)
        return kernel(x, size, strides, padding)

    return _channels_last(run, inputs, data_format, owner)


def _channels_last(run: AnyFunction, x: jax.Array, data_format: str | None, owner: object) -> jax.Array:
    """`run` applied to `x` with its channels last, and the result converted back."""
    if validate.data_format(data_format, owner) == "channels_last":
        return run(x)
    return jnp.moveaxis(run(jnp.moveaxis(x, 1, -1)), -1, 1)


def _space_rank(owner: str, x: Tensor) -> int:
    if not 3 <= jnp.ndim(x) <= 5:
        raise ValueError(
            f"{owner}: inputs must have a batch axis, one to three spatial axes and a channel axis. "
            f"Received: inputs.shape={jnp.shape(x)}."
        )
    return jnp.ndim(x) - 2


def _rank(owner: str, inputs: Tensor, kernel: Tensor) -> int:
    rank = _space_rank(owner, inputs)
    if jnp.ndim(kernel) != rank + 2:
        raise ValueError(
            f"{owner}: the kernel must have as many axes as the inputs, {rank + 2}. "
            f"Received: kernel.shape={jnp.shape(kernel)}, inputs.shape={jnp.shape(inputs)}."
        )
    return rank


def _steps(owner: str, rank: int, strides: object, dilation_rate: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (
        validate.int_tuple(strides, rank, "strides", owner),
        validate.int_tuple(dilation_rate, rank, "dilation_rate", owner),
    )


def _groups(channels: int, kernel: jax.Array) -> int:
    taken, filters = kernel.shape[-2:]
    if channels % taken or filters % (channels // taken):
        raise ValueError(
            f"conv: a kernel of shape {kernel.shape} has {taken} channels per group and {filters} filters, which "
            f"is incompatible with inputs of {channels} channels. Check data_format and the kernel's last two axes."
        )
    return channels // taken


def _require_channels(owner: str, x: jax.Array, channels: int) -> None:
    if x.shape[-1] != channels:
        raise ValueError(
            f"{owner}: the kernel is for {channels} channels. Received inputs with {x.shape[-1]} channels."
        )


def _same_dtype(*arrays: Tensor) -> tuple[jax.Array, ...]:
    arrays = tuple(map(jnp.asarray, arrays))
    dtype = jnp.result_type(*(a.dtype for a in arrays))
    return tuple(a.astype(dtype) for a in arrays)


def _floating(x: object) -> jax.Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)
