"""Convolution layers: weights, bias and activation around the operations of `cornu.ops`.

Four families share one base class with a sliding window. They differ in their weights and in the
operation they call; the classes of a family differ only in the number of spatial axes (`rank`).
"""

from collections.abc import Callable, Sequence
from typing import Unpack

import jax

from cornu import activations, constraints, initializers, ops, regularizers, validate
from cornu.core.typing import (
    ActivationLike,
    AnyFunction,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Sizes,
    Tensor,
)
from cornu.core.variable import Variable
from cornu.kernels import dense, half_precision
from cornu.layers.lora import LowRankAdaptation
from cornu.layers.options import NamedOptions
from cornu.layers.windowed import Windowed


class _Convolving(Windowed):
    """Shared by all convolution layers: a sliding window, weights in named roles, bias and activation."""

    config_optional: tuple[str, ...] = ()
    use_bias: bool
    activation: Callable[[jax.Array], jax.Array]

    def _set_role(
        self,
        role: str,
        initializer: InitializerLike | None,
        regularizer: RegularizerLike | None,
        constraint: ConstraintLike | None,
    ) -> None:
        """Store the initializer, regularizer and constraint of the weights in `role` ("kernel", "bias", ..)."""
        setattr(self, f"{role}_initializer", initializers.get(initializer))
        setattr(self, f"{role}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{role}_constraint", constraints.get(constraint))

    def _add(self, role: str, shape: Sequence[int], name: str | None = None) -> Variable:
        """A weight with the options of its role."""
        return self.add_weight(
            tuple(shape),
            getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
            name=name or role,
        )

    def _add_bias(self, channels: int) -> None:
        self.bias = self._add("bias", (channels,)) if self.use_bias else None

    def _finish(self, convolve: AnyFunction, *arrays: jax.Array) -> jax.Array:
        """`activation(convolve(*arrays) + bias)`; for 16-bit floats, the sum is rounded once (see `half_precision`)."""
        activation = activations.get(self.activation)
        if self.bias is None:
            return activation(convolve(*arrays))
        bias = self.bias.value
        if self.data_format == "channels_first":
            bias = bias.reshape(1, -1, *(1,) * self.rank)
        alike = len({x.dtype for x in (bias, *arrays)}) == 1
        return activation((_rounded_once if alike else _biased)(convolve, bias, *arrays))


def _biased(convolve: AnyFunction, bias: jax.Array, *arrays: jax.Array) -> jax.Array:
    return dense.biased(convolve(*arrays), bias)


_rounded_once = half_precision.of_convolutions(_biased)


# ---------------------------------------------------------------- convolutions


class _Conv(LowRankAdaptation, _Convolving):
    """The base class of the convolution layers."""

    pure_call = rowwise = True
    config_optional: tuple[str, ...] = ("lora_rank", "lora_alpha")

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        groups: int = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = validate.positive_int(filters, "filters", self)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._check_steps()
        self.groups = validate.positive_int(groups, "groups", self)
        self._require_divisible("filters", self.filters)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._set_role("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_role("bias", bias_initializer, bias_regularizer, bias_constraint)
        self._init_lora(lora_rank, lora_alpha)

    def _require_divisible(self, what: str, number: int) -> None:
        if number % self.groups:
            raise ValueError(
                f"{validate.describe(self)}: the number of {what} must be divisible by groups. "
                f"Received: {what}={number}, groups={self.groups}."
            )

    @property
    def kernel(self) -> Tensor:
        """Weights, (*kernel_size, channels / groups, filters), including any low-rank update; None before `build`."""
        return self._adapted_weight()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel and bias for inputs of this shape."""
        channels = self._channels(input_shape)
        self._require_divisible("input channels", channels)
        self._check_fits(input_shape)
        self._kernel = self._add("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._add_bias(self.filters)
        self._start_lora()

    def convolution_op(self, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        """The convolution alone; a subclass may override it to transform the kernel."""
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def call(self, inputs: jax.Array) -> jax.Array:
        """`activation(conv(inputs, kernel) + bias)`."""
        return self._finish(self.convolution_op, inputs, self._effective())


class Conv1D(_Conv):
    """Convolution of sequences: each output step is a weighted sum of the steps under the kernel.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or one per spatial axis.
        strides: stride of the kernel, likewise. Defaults to 1.
        padding: `"valid"` (none), `"same"` (stride 1 keeps the size) or `"causal"` (no output depends on a later
            input).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1.
        groups: number of groups of channels that are convolved separately; must divide channels and filters. Defaults
            to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen kernel; None trains the kernel itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Example:

        layer = cornu.layers.Conv1D(8, 3, padding="causal", activation="relu")
        print(layer(np.ones((2, 10, 4))).shape)  # (2, 10, 8)

    Source: Dumoulin & Visin, 2016, A guide to convolution arithmetic, <https://arxiv.org/abs/1603.07285>.
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """Convolution of images: each output pixel is a weighted sum of the pixels under the kernel.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or (height, width).
        strides: stride of the kernel, likewise. Defaults to `(1, 1)`.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1. Defaults to `(1, 1)`.
        groups: number of groups of channels that are convolved separately; must divide channels and filters. Defaults
            to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen kernel; None trains the kernel itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or `(batch, filters, new_height, new_width)`.

    Example:

        layer = cornu.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")
        print(layer(np.ones((2, 28, 28, 1))).shape)  # (2, 14, 14, 32)

    Source: Dumoulin & Visin, 2016, A guide to convolution arithmetic, <https://arxiv.org/abs/1603.07285>.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = (1, 1),
        groups: int = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            lora_rank,
            lora_alpha,
            **kwargs,
        )


class Conv3D(_Conv):
    """Convolution of volumes or videos: each output voxel is a weighted sum of the voxels under the kernel.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or three, one per spatial axis.
        strides: stride of the kernel, likewise. Defaults to `(1, 1, 1)`.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1. Defaults to `(1, 1, 1)`.
        groups: number of groups of channels that are convolved separately; must divide channels and filters. Defaults
            to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen kernel; None trains the kernel itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.

    Input shape:
        `(batch, depth, height, width, channels)`, or `(batch, channels, depth, height, width)`.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`, or with the filters after the batch axis.

    Example:

        layer = cornu.layers.Conv3D(4, 3)
        print(layer(np.ones((1, 6, 6, 6, 2))).shape)  # (1, 4, 4, 4, 4)

    Source: Dumoulin & Visin, 2016, A guide to convolution arithmetic, <https://arxiv.org/abs/1603.07285>.
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = (1, 1, 1),
        groups: int = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            lora_rank,
            lora_alpha,
            **kwargs,
        )


# ---------------------------------------------------------------- transposed convolutions


class _ConvTranspose(_Convolving):
    """The base class of the transposed convolution layers."""

    pure_call = rowwise = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        output_padding: Sizes | None = None,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = validate.positive_int(filters, "filters", self)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._check_steps()
        self.output_padding = self._valid_output_padding(output_padding)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._set_role("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_role("bias", bias_initializer, bias_regularizer, bias_constraint)

    def _valid_output_padding(self, output_padding: Sizes | None) -> tuple[int, ...] | None:
        if output_padding is None:
            return None
        sizes = validate.int_tuple(output_padding, self.rank, "output_padding", self, minimum=0)
        if any(size >= stride for size, stride in zip(sizes, self.strides, strict=True)):
            raise ValueError(
                f"{validate.describe(self)}: output_padding must be less than strides on every axis. "
                f"Received: output_padding={sizes}, strides={self.strides}."
            )
        return sizes

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel and bias for inputs of this shape."""
        channels = self._channels(input_shape)
        self.kernel = self._add("kernel", (*self.kernel_size, self.filters, channels))
        self._add_bias(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """`activation(conv_transpose(inputs, kernel) + bias)`."""
        window = (self.strides, self.padding, self.output_padding, self.data_format, self.dilation_rate)
        return self._finish(lambda x, kernel: ops.conv_transpose(x, kernel, *window), inputs, self.kernel.value)


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution of sequences: each input step adds a scaled copy of the kernel to the output, `strides`
    steps apart.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or one per spatial axis.
        strides: stride on the output, likewise. Defaults to 1.
        padding: `"valid"` keeps the full result; `"same"` gives `strides` times the size of the input.
        output_padding: steps added at the end, less than `strides`; None lets `padding` determine the size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Example:

        layer = cornu.layers.Conv1DTranspose(8, 3, strides=2, padding="same")
        print(layer(np.ones((2, 10, 4))).shape)  # (2, 20, 8)

    Source: Zeiler et al., 2010, Deconvolutional networks; for the shapes, Dumoulin & Visin, 2016, chapter 4,
    <https://arxiv.org/abs/1603.07285>.
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution of images: each input pixel adds a scaled copy of the kernel to the output, `strides`
    pixels apart.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or (height, width).
        strides: stride on the output, likewise. Defaults to `(1, 1)`.
        padding: `"valid"` keeps the full result; `"same"` gives `strides` times the size of the input.
        output_padding: pixels added at the end, less than `strides`; None lets `padding` determine the size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1. Defaults to `(1, 1)`.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or `(batch, filters, new_height, new_width)`.

    Example:

        layer = cornu.layers.Conv2DTranspose(8, 3, strides=2, padding="same")
        print(layer(np.ones((2, 7, 7, 4))).shape)  # (2, 14, 14, 8)

    Source: Zeiler et al., 2010, Deconvolutional networks; for the shapes, Dumoulin & Visin, 2016, chapter 4,
    <https://arxiv.org/abs/1603.07285>.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        output_padding: Sizes | None = None,
        data_format: str | None = None,
        dilation_rate: Sizes = (1, 1),
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution of volumes: each input voxel adds a scaled copy of the kernel to the output, `strides`
    voxels apart.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel, an int or three, one per spatial axis.
        strides: stride on the output, likewise. Defaults to `(1, 1, 1)`.
        padding: `"valid"` keeps the full result; `"same"` gives `strides` times the size of the input.
        output_padding: pixels added at the end, less than `strides`; None lets `padding` determine the size.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements; cannot be combined with strides above 1. Defaults to `(1, 1, 1)`.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        `(batch, depth, height, width, channels)`, or `(batch, channels, depth, height, width)`.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`, or with the filters after the batch axis.

    Example:

        layer = cornu.layers.Conv3DTranspose(4, 2, strides=2)
        print(layer(np.ones((1, 3, 3, 3, 2))).shape)  # (1, 6, 6, 6, 4)

    Source: Zeiler et al., 2010, Deconvolutional networks; for the shapes, Dumoulin & Visin, 2016, chapter 4,
    <https://arxiv.org/abs/1603.07285>.
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Sizes | None = None,
        dilation_rate: Sizes = (1, 1, 1),
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


# ---------------------------------------------------------------- depthwise convolutions


class _DepthwiseConv(_Convolving):
    """The base class of the depthwise convolution layers."""

    pure_call = rowwise = True

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        depthwise_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.depth_multiplier = validate.positive_int(depth_multiplier, "depth_multiplier", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._set_role("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._set_role("bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel and bias for inputs of this shape."""
        channels = self._channels(input_shape)
        self._check_fits(input_shape)
        self.kernel = self._add("depthwise", (*self.kernel_size, channels, self.depth_multiplier), "kernel")
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: jax.Array) -> jax.Array:
        """`activation(depthwise_conv(inputs, kernel) + bias)`."""
        window = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return self._finish(lambda x, kernel: ops.depthwise_conv(x, kernel, *window), inputs, self.kernel.value)


class DepthwiseConv1D(_DepthwiseConv):
    """Separate convolution of each channel of a sequence, with `depth_multiplier` kernels per channel.

    Args:
        kernel_size: size of the kernel, an int or one per spatial axis.
        strides: stride of the kernel, likewise. Defaults to 1.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        depth_multiplier: number of output channels per input channel. Defaults to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements. Defaults to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        depthwise_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and
            `"zeros"`.
        depthwise_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        depthwise_constraint, bias_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, new_steps, channels * depth_multiplier)`, or with the channels after the batch axis.

    Example:

        layer = cornu.layers.DepthwiseConv1D(3, depth_multiplier=2)
        print(layer(np.ones((2, 10, 4))).shape)  # (2, 8, 8)

    Source: Howard et al., 2017, MobileNets, <https://arxiv.org/abs/1704.04861>.
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """Separate convolution of each channel of an image, with `depth_multiplier` kernels per channel.

    Args:
        kernel_size: size of the kernel, an int or (height, width).
        strides: stride of the kernel, likewise. Defaults to `(1, 1)`.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        depth_multiplier: number of output channels per input channel. Defaults to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements. Defaults to `(1, 1)`.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        depthwise_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and
            `"zeros"`.
        depthwise_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        depthwise_constraint, bias_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`.

    Output shape:
        `(batch, new_height, new_width, channels * depth_multiplier)`, or with the channels after the batch axis.

    Example:

        layer = cornu.layers.DepthwiseConv2D(3, padding="same")
        print(layer(np.ones((2, 8, 8, 4))).shape)  # (2, 8, 8, 4)

    Source: Howard et al., 2017, MobileNets, <https://arxiv.org/abs/1704.04861>.
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Sizes = (1, 1),
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        depthwise_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            **kwargs,
        )


# ---------------------------------------------------------------- separable convolutions


class _SeparableConv(_Convolving):
    """The base class of the separable convolution layers."""

    pure_call = rowwise = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike | None = None,
        pointwise_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        depthwise_constraint: ConstraintLike | None = None,
        pointwise_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = validate.positive_int(filters, "filters", self)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.depth_multiplier = validate.positive_int(depth_multiplier, "depth_multiplier", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._set_role("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._set_role("pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        self._set_role("bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create both kernels and the bias for inputs of this shape."""
        channels = self._channels(input_shape)
        self._check_fits(input_shape)
        deep = channels * self.depth_multiplier
        self.depthwise_kernel = self._add(
            "depthwise", (*self.kernel_size, channels, self.depth_multiplier), "depthwise_kernel"
        )
        self.pointwise_kernel = self._add("pointwise", (*(1,) * self.rank, deep, self.filters), "pointwise_kernel")
        self._add_bias(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """`activation(separable_conv(inputs, depthwise_kernel, pointwise_kernel) + bias)`."""
        window = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return self._finish(
            lambda x, depthwise, pointwise: ops.separable_conv(x, depthwise, pointwise, *window),
            inputs,
            self.depthwise_kernel.value,
            self.pointwise_kernel.value,
        )


class SeparableConv1D(_SeparableConv):
    """A depthwise convolution of sequences, then a convolution of size 1 that mixes the channels (Chollet, 2016).

    Args:
        filters: number of output channels.
        kernel_size: size of the depthwise kernel, an int or one per spatial axis.
        strides: stride of the kernel, likewise. Defaults to 1.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements. Defaults to 1.
        depth_multiplier: number of intermediate channels per input channel. Defaults to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        depthwise_initializer, pointwise_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"glorot_uniform"` and `"zeros"`.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties on the weights, added to the loss.
            None by default.
        activity_regularizer: penalty on the output. None by default.
        depthwise_constraint, pointwise_constraint, bias_constraint: constraints applied to the weights after each
            update. None by default.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` for `"channels_first"`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Example:

        layer = cornu.layers.SeparableConv1D(8, 3)
        print(layer(np.ones((2, 10, 4))).shape)  # (2, 8, 8)

    Source: Chollet, 2016, Xception, <https://arxiv.org/abs/1610.02357>.
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """A depthwise convolution of images, then a 1x1 convolution that mixes the channels (Chollet, 2016).

    Args:
        filters: number of output channels.
        kernel_size: size of the depthwise kernel, an int or (height, width).
        strides: stride of the kernel, likewise. Defaults to `(1, 1)`.
        padding: `"valid"` (none) or `"same"` (stride 1 keeps the size).
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        dilation_rate: spacing of the kernel elements. Defaults to `(1, 1)`.
        depth_multiplier: number of intermediate channels per input channel. Defaults to 1.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        depthwise_initializer, pointwise_initializer, bias_initializer: initializers of the weights. Default to
            `"glorot_uniform"`, `"glorot_uniform"` and `"zeros"`.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties on the weights, added to the loss.
            None by default.
        activity_regularizer: penalty on the output. None by default.
        depthwise_constraint, pointwise_constraint, bias_constraint: constraints applied to the weights after each
            update. None by default.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` for `"channels_first"`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or `(batch, filters, new_height, new_width)`.

    Example:

        layer = cornu.layers.SeparableConv2D(8, 3, padding="same")
        print(layer(np.ones((2, 8, 8, 4))).shape)  # (2, 8, 8, 8)

    Source: Chollet, 2016, Xception, <https://arxiv.org/abs/1610.02357>.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = (1, 1),
        depth_multiplier: int = 1,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike | None = None,
        pointwise_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        depthwise_constraint: ConstraintLike | None = None,
        pointwise_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            depth_multiplier,
            activation,
            use_bias,
            depthwise_initializer,
            pointwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            pointwise_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]
