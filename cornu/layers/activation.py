"""Activation layers: elementwise functions as layers."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import activations, constraints, initializers, regularizers, validate
from cornu.core.typing import ActivationLike, ConstraintLike, InitializerLike, RegularizerLike
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.ops.elementwise import floating


class _ActivationLayer(Layer):
    """A layer that treats each step separately and has no weights."""

    def __init__(self, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._without_weights()

    def _non_negative(self, value: float, name: str) -> float:
        if value is None or value < 0:
            raise ValueError(
                f"{validate.describe(self)}: {name} must be a non-negative number. "
                f"Received: {name}={validate.shown(value)}."
            )
        return value


class Activation(_ActivationLayer):
    """Applies an activation function.

    Args:
        activation: name, callable or layer; None is `linear`.

    Example:

        print(cornu.layers.Activation("relu")(np.array([-1.0, 2.0])))  # [0. 2.]
    """

    pure_call = rowwise = True

    def __init__(self, activation: ActivationLike | None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The activations."""
        return activations.get(self.activation)(inputs)


class ReLU(_ActivationLayer):
    """Rectified linear unit, with an optional threshold, slope below it and maximum.

    `f(x) = max_value` where `x >= max_value`, `x` where `threshold < x < max_value`, and
    `negative_slope * (x - threshold)` elsewhere.

    Args:
        max_value: maximum output, 0 or more; None sets no limit.
        negative_slope: slope below the threshold, 0 or more. Defaults to 0.0.
        threshold: inputs up to this value are scaled by `negative_slope`; 0 or more. Defaults to 0.0.

    Example:

        print(cornu.layers.ReLU(max_value=6.0)(np.array([-1.0, 2.0, 9.0])))  # [0. 2. 6.]
    """

    pure_call = rowwise = True

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.max_value = max_value if max_value is None else self._non_negative(max_value, "max_value")
        self.negative_slope = self._non_negative(negative_slope, "negative_slope")
        self.threshold = self._non_negative(threshold, "threshold")

    def call(self, inputs: jax.Array) -> jax.Array:
        """The activations."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(_ActivationLayer):
    """`x` where positive, `negative_slope * x` elsewhere (Maas et al., 2013).

    Args:
        negative_slope: slope for negative inputs, 0 or more. Older scripts call it `alpha`. Defaults to 0.3.

    Example:

        print(cornu.layers.LeakyReLU(0.1)(np.array([-10.0, 2.0])))  # [-1.  2.]
    """

    pure_call = rowwise = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("LeakyReLU: alpha has been renamed to negative_slope.", DeprecationWarning, stacklevel=2)
        super().__init__(**kwargs)
        self.negative_slope = self._non_negative(negative_slope, "negative_slope")

    def call(self, inputs: jax.Array) -> jax.Array:
        """The activations."""
        return activations.leaky_relu(inputs, self.negative_slope)


class PReLU(_ActivationLayer):
    """`x` where positive, `alpha * x` elsewhere, with a learned slope for each feature (He et al., 2015).

    Args:
        alpha_initializer: initializer of the slopes. Defaults to `"Zeros"`.
        alpha_regularizer: penalty on the slopes. None by default.
        alpha_constraint: constraint on the slopes. None by default.
        shared_axes: axes, counted from 1, along which the slope is shared: `[1, 2]` gives one slope per channel of an
            image. None by default.

    Example:

        layer = cornu.layers.PReLU(alpha_initializer="ones", shared_axes=[1])
        print(layer(np.array([[[-1.0, 2.0]]])))  # [[[-1.  2.]]]
    """

    pure_call = rowwise = True

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike | None = None,
        alpha_constraint: ConstraintLike | None = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.built = False
        self.shared_axes: list[int] | None = None
        if shared_axes is not None:
            axes = shared_axes if isinstance(shared_axes, Iterable) else [shared_axes]
            self.shared_axes = [validate.positive_int(axis, "shared_axes", self) for axis in axes]

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the slopes."""
        shared = self.shared_axes or ()
        if any(axis >= len(input_shape) for axis in shared):
            raise ValueError(
                f"{validate.describe(self)}: shared_axes must be axes of the input, counted from 1. "
                f"Received: shared_axes={self.shared_axes}, input_shape={tuple(input_shape)}."
            )
        sizes: dict[int, Any] = {axis: size for axis, size in enumerate(input_shape) if axis > 0}
        self.alpha = self.add_weight(
            shape=[1 if axis in shared else size for axis, size in sizes.items()],
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        own = {axis: size for axis, size in sizes.items() if axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=own)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The activations."""
        return jax.nn.relu(inputs) - self.alpha.value * jax.nn.relu(-inputs)


class ELU(_ActivationLayer):
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al., 2015).

    Args:
        alpha: negative of the limit for very negative inputs. Defaults to 1.0.

    Example:

        print(cornu.layers.ELU()(np.array([-1.0, 2.0])))  # [-0.63212055 2.]
    """

    pure_call = rowwise = True

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: jax.Array) -> jax.Array:
        """The activations."""
        return activations.elu(inputs, self.alpha)


class Softmax(_ActivationLayer):
    """Positive numbers that sum to 1 along an axis, `exp(x) / sum(exp(x))`.

    Args:
        axis: axis, or several axes that are normalized jointly. Defaults to -1.

    Call arguments:
        inputs: tensor.
        mask: True for the entries that take part; all others get 0. It broadcasts to the inputs' shape. A mask of only
            the leading axes, such as a mask of time steps, applies to whole steps.

    Example:

        print(cornu.layers.Softmax()(np.zeros((1, 3)), mask=np.array([[True, True, False]])))  # [[0.5 0.5 0. ]]
    """

    pure_call = rowwise = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.axis = None if axis is None else validate.axes(axis, self)

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """The probabilities."""
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        if mask is None:
            return activations.softmax(inputs, axis)
        inputs = floating(inputs)
        mask = self._entry_mask(inputs, jnp.asarray(mask, bool))
        lowest = jnp.asarray(jnp.finfo(inputs.dtype).min, inputs.dtype)
        probabilities = activations.softmax(jnp.where(mask, inputs, lowest), axis)
        return jnp.where(mask, probabilities, jnp.zeros((), probabilities.dtype))

    def _entry_mask(self, inputs: jax.Array, mask: jax.Array) -> jax.Array:
        if mask.ndim < inputs.ndim and mask.shape == inputs.shape[: mask.ndim]:
            mask = jnp.expand_dims(mask, tuple(range(mask.ndim, inputs.ndim)))
        trailing = inputs.shape[inputs.ndim - mask.ndim :] if mask.ndim <= inputs.ndim else ()
        if len(trailing) != mask.ndim or any(m not in (1, size) for m, size in zip(mask.shape, trailing, strict=True)):
            raise ValueError(
                f"{validate.describe(self)}: mask must broadcast to the inputs. "
                f"Received: mask.shape={mask.shape}, inputs.shape={inputs.shape}."
            )
        return mask


__all__ = ["ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"]
