"""Normalization layers.

The arithmetic is in `cornu.kernels.norm`. Statistics are computed in 32 bits regardless of the compute dtype.
"""

from collections.abc import Mapping, Sequence
from typing import Unpack, cast

import jax
import jax.numpy as jnp
from jax import lax

from cornu import constraints, initializers, regularizers, validate
from cornu.core.typing import ConstraintLike, DTypeLike, InitializerLike, NestedShapes, RegularizerLike, Tensor
from cornu.core.variable import Variable
from cornu.kernels import norm
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.wrapper import Wrapper

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
    "UnitNormalization",
]

_RENORM_KEYS = ("rmax", "rmin", "dmax")


def _axis(value: object, owner: object) -> int:
    if not validate.is_integer(value):
        raise TypeError(f"{validate.describe(owner)}: axis must be an int. Received: axis={validate.shown(value)}.")
    return int(value)


def _checked_axes(axis: int | Sequence[int], rank: int, owner: object) -> list[int]:
    """`axis` as an ascending list, every item an axis of a tensor of this rank."""
    axes = [axis] if isinstance(axis, int) else sorted(axis)
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) < len(axes):
        raise ValueError(
            f"{validate.describe(owner)}: axis must be distinct axes of an input with {rank} dimensions. "
            f"Received: axis={axis}."
        )
    return axes


class _Scaled(Layer):
    """Base of the layers with a trainable scale `gamma` and offset `beta`."""

    def _init_weights(
        self,
        center: bool,
        scale: bool,
        beta_initializer: InitializerLike | None,
        gamma_initializer: InitializerLike | None,
        beta_regularizer: RegularizerLike | None,
        gamma_regularizer: RegularizerLike | None,
        beta_constraint: ConstraintLike | None,
        gamma_constraint: ConstraintLike | None,
    ) -> None:
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.supports_masking = True

    def _add_weights(self, shape: Sequence[int], scale: bool, center: bool) -> None:
        """Create gamma and beta if requested; both are read in their own dtype."""
        if scale:
            self.gamma = self.add_weight(
                shape, self.gamma_initializer, name="gamma", autocast=False,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, name="beta", autocast=False,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip

    def _gamma_beta(self) -> tuple[jax.Array | None, jax.Array | None]:
        return _value(self.gamma), _value(self.beta)


def _as_floats(x: jax.Array, layer: Layer) -> jax.Array:
    """Integers, such as pixels, in the layer's compute dtype, since the normalized values are fractional."""
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(layer.compute_dtype)


def _value(variable: Variable | None) -> jax.Array | None:
    return None if variable is None else variable.value


class BatchNormalization(_Scaled):
    """Normalizes each channel over the batch to mean 0 and variance 1, then `gamma * x + beta` (Ioffe & Szegedy, 2015).

    During training, the statistics of the batch are used, and moving averages of them are updated: `moving = momentum *
    moving + (1 - momentum) * batch`. Otherwise, and always while `trainable` is False, the moving averages are used.
    Masked time steps are excluded in both cases.

    Args:
        axis: the axis of the channels. Defaults to -1.
        momentum: weight of the old moving average, 0 to 1. Defaults to 0.99.
        epsilon: added to the variance. Defaults to 0.001.
        center: whether to add an offset `beta`. Defaults to True.
        scale: whether to multiply by a scale `gamma`. Defaults to True.
        beta_initializer, gamma_initializer: initializers of the weights. Default to `"zeros"` and `"ones"`.
        moving_mean_initializer, moving_variance_initializer: initializers of the moving averages. Default to `"zeros"`
            and `"ones"`.
        beta_regularizer, gamma_regularizer: penalties on the weights, added to the loss. None by default.
        beta_constraint, gamma_constraint: constraints applied to the weights after each update. None by default.
        renorm: whether to correct batch statistics towards running ones during training (Ioffe, 2017). Defaults to
        False.
        renorm_clipping: bounds of the correction: any of `"rmax"`, `"rmin"` (of the factor), `"dmax"` (of the shift).
            None by default.
        renorm_momentum: weight of the old running moments of `renorm`. Defaults to 0.99.
        synchronized: whether statistics are computed over the whole batch if it is split over devices. Here they always
            are, so both values are equivalent. Defaults to False.

    Input shape:
        Any of rank 2 or more.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.BatchNormalization()
        y = layer(np.arange(8.0).reshape(4, 2), training=True)
        print(np.mean(y, axis=0))  # [0. 0.]
    """

    pure_call = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike | None = None,
        gamma_regularizer: RegularizerLike | None = None,
        beta_constraint: ConstraintLike | None = None,
        gamma_constraint: ConstraintLike | None = None,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self._init_weights(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.axis = _axis(axis, self)
        self.momentum = momentum
        self.epsilon = epsilon
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = _checked_clipping(renorm_clipping, self) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized

    @property
    def rowwise(self) -> str | bool:  # type: ignore[override]  # what `trainable` says, and nothing to be set
        """During training the statistics are those of the batch, unless the layer is frozen."""
        return "inference" if self.trainable else True

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights and the moving averages for inputs of this shape."""
        rank = len(input_shape)
        _checked_axes(self.axis, rank, self)
        shape = (input_shape[self.axis],)
        self._add_weights(shape, self.scale, self.center)
        self.moving_mean = self._add_average("moving_mean", shape, self.moving_mean_initializer)
        self.moving_variance = self._add_average("moving_variance", shape, self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._add_average("moving_stddev", shape, self._initial_deviation)
            self.renorm_mean = self._add_average("renorm_mean", shape, self.moving_mean_initializer)
            self.renorm_stddev = self._add_average("renorm_stddev", shape, self._initial_deviation)
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: shape[0]})

    def _add_average(self, name: str, shape: tuple[int, ...], initializer: InitializerLike | None) -> Variable:
        return self.add_weight(shape, initializer, name=name, trainable=False, autocast=False)

    def _initial_deviation(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def call(self, inputs: jax.Array, training: bool | None = None, mask: jax.Array | None = None) -> jax.Array:
        """Normalize with the batch's statistics during training, else with the moving averages."""
        inputs = _as_floats(inputs, self)
        mask = None if mask is None else _beside(mask, inputs, self)
        if not (training and self.trainable):
            return self._by(inputs, self.moving_mean.value, self.moving_variance.value)
        if mask is None and not self.renorm:
            outputs, mean, variance = norm.batch_normalize(inputs, *self._gamma_beta(), self.axis, self.epsilon)
            self._update(mean, variance)
            return outputs
        if mask is None:
            mean, variance = norm.batch_moments(inputs, self.axis)
        else:
            mean, variance = norm.masked_moments(inputs, mask, self.axis)
        if not self.renorm:
            self._update(mean, variance)
            return self._by(inputs, mean, variance)
        deviation = jnp.sqrt(variance + self.epsilon)
        factor, shift = self._correction(mean, deviation)
        self._update_renorm(mean, deviation)
        return self._by(inputs, mean, variance, factor, shift)

    def _by(
        self, inputs: jax.Array, mean: jax.Array, variance: jax.Array, factor: Tensor = None, shift: Tensor = None
    ) -> jax.Array:
        """`gamma * (normalized * factor + shift) + beta`."""
        gamma, beta = self._gamma_beta()
        if factor is not None:
            offset = shift if gamma is None else shift * gamma
            beta = offset if beta is None else beta + offset
            gamma = factor if gamma is None else factor * gamma
        return norm.normalize(inputs, mean, variance, gamma, beta, (self.axis,), self.epsilon)

    def _update(self, mean: jax.Array, variance: jax.Array) -> None:
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_variance, variance, self.momentum)

    def _correction(self, mean: jax.Array, deviation: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Batch renormalization's factor and shift, through which no gradient flows."""
        limits = self.renorm_clipping or {}
        mean, deviation = lax.stop_gradient(mean), lax.stop_gradient(deviation)
        running = self.renorm_stddev.value.astype(deviation.dtype)
        factor = deviation / running
        shift = (mean - self.renorm_mean.value.astype(mean.dtype)) / running
        factor = jnp.clip(factor, limits.get("rmin"), limits.get("rmax"))
        bound = limits.get("dmax")
        return factor, shift if bound is None else jnp.clip(shift, -bound, bound)

    def _update_renorm(self, mean: jax.Array, deviation: jax.Array) -> None:
        """Update all averages; the moving variance is derived from the moving standard deviation."""
        _move(self.moving_mean, mean, self.momentum)
        moved = _move(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(jnp.maximum(jnp.square(moved) - self.epsilon, 0))
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)


def _move(average: Variable, value: jax.Array, momentum: float) -> jax.Array:
    """Update an average with the batch's value, without a gradient; returns the new average."""
    value, old = lax.stop_gradient(value), average.value.astype(value.dtype)
    moved = old * momentum + value * (1.0 - momentum)
    average.assign(moved)
    return moved


def _beside(mask: jax.Array, inputs: jax.Array, owner: Layer) -> jax.Array:
    """The mask of the leading axes, in a shape that broadcasts to the inputs."""
    if mask.ndim >= inputs.ndim:
        raise ValueError(
            f"{validate.describe(owner)}: the mask must have the leading axes of the inputs, and fewer of them. "
            f"Received: mask.shape={mask.shape}, inputs.shape={inputs.shape}."
        )
    return jnp.reshape(mask, (*mask.shape, *(1,) * (inputs.ndim - mask.ndim)))


def _checked_clipping(clipping: Mapping[str, float] | None, owner: Layer) -> dict[str, float]:
    clipping = dict(clipping or {})
    unknown = [key for key in clipping if key not in _RENORM_KEYS]
    if unknown:
        raise ValueError(
            f"{validate.describe(owner)}: renorm_clipping may contain {', '.join(map(repr, _RENORM_KEYS))}. "
            f"Received: {validate.shown(unknown[0])}."
        )
    return clipping


class LayerNormalization(_Scaled):
    """Normalizes each example to mean 0 and variance 1, then `gamma * x + beta` (Ba et al., 2016).

    Args:
        axis: the axis or axes to normalize over, which the weights have too. Defaults to -1.
        epsilon: added to the variance. Defaults to 0.001.
        center: whether to add an offset `beta`. Defaults to True.
        scale: whether to multiply by a scale `gamma`. Defaults to True.
        beta_initializer, gamma_initializer: initializers of the weights. Default to `"zeros"` and `"ones"`.
        beta_regularizer, gamma_regularizer: penalties on the weights, added to the loss. None by default.
        beta_constraint, gamma_constraint: constraints applied to the weights after each update. None by default.
        rms_scaling: whether to divide by the standard deviation without subtracting the mean, and without `beta`. Only
            for old files: use `RMSNormalization`. Defaults to False.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.LayerNormalization()
        print(layer(np.array([[1.0, 3.0]])))  # [[-0.9995 0.9995]]
    """

    pure_call = rowwise = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike | None = None,
        gamma_regularizer: RegularizerLike | None = None,
        beta_constraint: ConstraintLike | None = None,
        gamma_constraint: ConstraintLike | None = None,
        rms_scaling: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.autocast = False  # moments are computed from the uncast inputs: 16 bits may overflow
        self._init_weights(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.axis = validate.axes(axis, self)
        self.epsilon = epsilon
        self.rms_scaling = rms_scaling

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights for inputs of this shape."""
        self.axis = _checked_axes(self.axis, len(input_shape), self)
        shape = tuple(input_shape[axis] for axis in self.axis)
        self._add_weights(shape, self.scale or self.rms_scaling, self.center and not self.rms_scaling)

    def _built_axes(self) -> Sequence[int]:
        return cast(Sequence[int], self.axis)  # a list since `build`

    def call(self, inputs: jax.Array) -> jax.Array:
        """Normalize each example."""
        gamma, beta = self._gamma_beta()
        if self.rms_scaling:
            return norm.deviation_normalize(inputs, gamma, self._built_axes(), self.epsilon).astype(self.compute_dtype)
        return norm.layer_normalize(inputs, gamma, beta, self._built_axes(), self.epsilon).astype(self.compute_dtype)


class GroupNormalization(_Scaled):
    """Normalizes each group of channels of each example, then `gamma * x + beta` (Wu & He, 2018).

    Args:
        groups: number of groups; must divide the number of channels. 1 is layer normalization over all positions, -1
            (as many as channels) is instance normalization. Defaults to 32.
        axis: the axis of the channels. Defaults to -1.
        epsilon: added to the variance. Defaults to 0.001.
        center: whether to add an offset `beta`. Defaults to True.
        scale: whether to multiply by a scale `gamma`. Defaults to True.
        beta_initializer, gamma_initializer: initializers of the weights. Default to `"zeros"` and `"ones"`.
        beta_regularizer, gamma_regularizer: penalties on the weights, added to the loss. None by default.
        beta_constraint, gamma_constraint: constraints applied to the weights after each update. None by default.

    Input shape:
        Any of rank 2 or more.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.GroupNormalization(groups=2)
        print(layer(np.ones((1, 5, 4))).shape)  # (1, 5, 4)
    """

    pure_call = rowwise = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike | None = None,
        gamma_regularizer: RegularizerLike | None = None,
        beta_constraint: ConstraintLike | None = None,
        gamma_constraint: ConstraintLike | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.autocast = False  # moments are computed from the uncast inputs: 16 bits may overflow
        self._init_weights(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.axis = _axis(axis, self)
        self.groups = groups if groups == -1 else validate.positive_int(groups, "groups", self)
        self.epsilon = epsilon

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights for inputs of this shape."""
        _checked_axes(self.axis, len(input_shape), self)
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"{validate.describe(self)}: the number of channels, axis {self.axis} of the input, must be known. "
                f"Received: shape={tuple(input_shape)}."
            )
        self.groups = channels if self.groups == -1 else self.groups
        if channels % self.groups:
            raise ValueError(
                f"{validate.describe(self)}: groups must divide the number of channels, {channels} on axis "
                f"{self.axis}. Received: groups={self.groups}."
            )
        self._add_weights((channels,), self.scale, self.center)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: jax.Array) -> jax.Array:
        """Normalize the groups of each example."""
        outputs = norm.group_normalize(inputs, *self._gamma_beta(), self.axis, self.groups, self.epsilon)
        return outputs.astype(self.compute_dtype)


class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x²) + epsilon)` within each example (Zhang & Sennrich, 2019).

    Args:
        axis: the axis or axes to average over, which the scale has too. Defaults to -1.
        epsilon: added to the mean square. Defaults to 1e-6.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.RMSNormalization()
        print(layer(np.array([[3.0, 4.0]])))  # [[0.85 1.13]]
    """

    pure_call = rowwise = True

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.autocast = False  # moments are computed from the uncast inputs: 16 bits may overflow
        self.axis = validate.axes(axis, self)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, input_shape: NestedShapes) -> None:
        """Create the scale for inputs of this shape."""
        self.axis = _checked_axes(self.axis, len(input_shape), self)
        shape = tuple(input_shape[axis] for axis in self.axis)
        self.scale = self.add_weight(shape, "ones", name="scale", autocast=False)

    def call(self, x: jax.Array) -> jax.Array:
        """Normalize each example."""
        axes = cast(Sequence[int], self.axis)  # a list since `build`
        return norm.rms_normalize(_as_floats(x, self), self.scale.value, axes, self.epsilon).astype(self.compute_dtype)


class UnitNormalization(Layer):
    """Scales each example to Euclidean norm 1.

    Args:
        axis: the axis or axes to compute the norm over. Defaults to -1.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.UnitNormalization()
        print(layer(np.array([[3.0, 4.0]])))  # [[0.6 0.8]]
    """

    pure_call = rowwise = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.autocast = False  # moments are computed from the uncast inputs: 16 bits may overflow
        self._without_weights()
        self.axis = validate.axes(axis, self)
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """Normalize each example."""
        axes = _checked_axes(self.axis, inputs.ndim, self)
        return norm.unit_normalize(_as_floats(inputs, self), axes).astype(self.compute_dtype)


class SpectralNormalization(Wrapper):
    """Keeps the largest singular value of the wrapped layer's kernel at 1 (Miyato et al., 2018).

    During training, each call divides the kernel by an estimate of that value, which is refined by power iteration.

    Args:
        layer: a layer with a `kernel` or an `embeddings` weight.
        power_iterations: number of power iteration steps per call, at least 1. Defaults to 1.

    Input shape:
        As for the wrapped layer.

    Output shape:
        As for the wrapped layer.

    Example:

        layer = cornu.layers.SpectralNormalization(cornu.layers.Dense(3))
        for _ in range(20):
            layer(np.ones((2, 4)), training=True)
        print(np.linalg.norm(layer.kernel.numpy(), 2))  # 1.0
    """

    pure_call = rowwise = True

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Unpack[LayerOptions]):
        super().__init__(layer, **kwargs)
        self.power_iterations = validate.positive_int(power_iterations, "power_iterations", self)

    def build(self, input_shape: NestedShapes = None) -> None:
        """Build the wrapped layer and the initial estimate of the singular vector."""
        super().build(input_shape)
        kernel = next((w for w in map(self._weight, ("kernel", "embeddings")) if isinstance(w, Variable)), None)
        if kernel is None:
            raise ValueError(
                f"{validate.describe(self)}: the wrapped layer must have a weight called kernel or embeddings. "
                f"Received: layer={validate.shown(self.layer)}."
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), initializers.TruncatedNormal(stddev=0.02), name="vector_u", trainable=False,
            dtype=self.kernel.dtype, autocast=False,
        )  # fmt: skip

    def _weight(self, name: str) -> Tensor:
        return getattr(self.layer, name, None)

    def call(  # type: ignore[override]  # what the layer inside is called with
        self, inputs: jax.Array, training: bool = False
    ) -> jax.Array:
        """Normalize the kernel during training, then call the wrapped layer."""
        if training:
            kernel, vector = self.normalized_weights()
            self.kernel.assign(kernel)
            self.vector_u.assign(vector)
        with self._lending(self.layer):
            return self.layer(inputs)

    def normalized_weights(self) -> tuple[jax.Array, jax.Array]:
        """The kernel divided by its largest singular value, and the updated singular vector."""
        return norm.spectral_normalize(self.kernel._own(), self.vector_u.value, self.power_iterations)
