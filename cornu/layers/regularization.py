"""Layers against overfitting: dropout, noise, and activity regularization."""

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.policy import PolicyLike
from cornu.core.typing import ConfigDict
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions, NamedOptions
from cornu.random.seed_generator import SeedLike, generator_of, given_seed
from cornu.regularizers import L1L2


def _between_0_and_1(value: object, name: str, owner: object) -> float:
    """`value`, which must be a number from 0 to 1."""
    if not validate.is_real(value) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(
            f"{validate.describe(owner)}: {name} must be a number from 0 to 1. "
            f"Received: {name}={validate.shown(value)}."
        )
    return value


class _TrainingNoise(Layer):
    """A layer that changes its inputs at random during training, and otherwise returns them unchanged.

    Subclasses implement `_noisy(inputs)`, and set `_strength`, which is 0 if there is nothing to do.
    """

    pure_call = rowwise = True
    hooks = frozenset({"_mask_shape", "_noisy"})

    def __init__(self, seed: SeedLike = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.seed = given_seed(seed, self)
        self.supports_masking = True
        self._without_weights()

    def _prepare(self, strength: float) -> None:
        """Create a seed generator if the layer will need one."""
        self._strength = strength
        if strength > 0:
            self.seed_generator = generator_of(self.seed)

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """The inputs, changed during training."""
        return self._noisy(inputs) if training and self._strength > 0 else inputs

    def _noisy(self, inputs: jax.Array) -> jax.Array:
        raise NotImplementedError


# ---------------------------------------------------------------- dropout


class Dropout(_TrainingNoise):
    """Randomly sets a fraction of its inputs to 0 during training and scales the rest by `1 / (1 - rate)`.

    Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    Args:
        rate: fraction of the inputs to drop, from 0 to 1.
        noise_shape: shape of the random mask, which broadcasts to the inputs: `(None, 1, None)` drops the same features
            at all steps. None in the tuple means the input's size; None alone, by default, the whole shape.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Example:

        y = cornu.layers.Dropout(0.5, seed=1)(np.ones((2, 4)), training=True)
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **kwargs)
        self.rate = _between_0_and_1(rate, "rate", self)
        self.noise_shape = _checked_noise_shape(noise_shape, self)
        self._prepare(self.rate)

    def _noisy(self, inputs: jax.Array) -> jax.Array:
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        return random.dropout(inputs, self.rate, self._mask_shape(inputs), self.seed_generator)

    def _mask_shape(self, inputs: jax.Array) -> tuple[int, ...] | None:
        return _filled_noise_shape(self.noise_shape, inputs, self)


def _checked_noise_shape(noise_shape: object, owner: object) -> tuple[int | None, ...] | None:
    if noise_shape is None:
        return None
    sizes = tuple(noise_shape) if isinstance(noise_shape, Iterable) else (0,)
    if not all(size is None or (isinstance(size, numbers.Integral) and int(size) > 0) for size in sizes):
        raise ValueError(
            f"{validate.describe(owner)}: noise_shape must be a tuple of positive integers or None. "
            f"Received: noise_shape={validate.shown(noise_shape)}."
        )
    return sizes


def _filled_noise_shape(
    noise_shape: Sequence[int | None] | None, inputs: jax.Array, owner: object
) -> tuple[int, ...] | None:
    """`noise_shape` with None replaced by the input's sizes."""
    if noise_shape is None:
        return None
    own = inputs.shape[max(0, inputs.ndim - len(noise_shape)) :]
    fits = [n in (None, 1, size) for n, size in zip(noise_shape, own, strict=False)]
    if len(noise_shape) > inputs.ndim or not all(fits):
        raise ValueError(
            f"{validate.describe(owner)}: noise_shape must broadcast to the inputs. "
            f"Received: noise_shape={noise_shape}, inputs.shape={inputs.shape}."
        )
    return tuple(size if n is None else n for n, size in zip(noise_shape, own, strict=True))


class _SpatialDropout(Dropout):
    """Drops whole feature maps; subclasses set the rank."""

    data_format = "channels_last"

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, with the dtype as a name."""
        return super().get_config() | {"dtype": self._dtype_policy.name}

    def _mask_shape(self, inputs: jax.Array) -> tuple[int, ...]:
        channels = inputs.ndim - 1 if self.data_format == "channels_last" else 1
        return tuple(size if axis in (0, channels) else 1 for axis, size in enumerate(inputs.shape))


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole features of a sequence: a feature is dropped at all steps or none (Tompson et al., 2014).

    Args:
        rate: fraction of the inputs to drop, from 0 to 1.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        name: name.
        dtype: dtype or dtype policy.

    Input shape: `(batch, steps, features)`.

    Example:

        y = cornu.layers.SpatialDropout1D(0.5, seed=1)(np.ones((2, 3, 4)), training=True)
    """

    def __init__(self, rate: float, seed: SeedLike = None, name: str | None = None, dtype: PolicyLike | None = None):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=3)


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of an image (Tompson et al., 2014).

    Args:
        rate: fraction of the inputs to drop, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        name: name.
        dtype: dtype or dtype policy.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Example:

        y = cornu.layers.SpatialDropout2D(0.5, seed=1)(np.ones((2, 3, 3, 4)), training=True)
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: SeedLike = None,
        name: str | None = None,
        dtype: PolicyLike | None = None,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = validate.data_format(data_format, self)
        self.input_spec = InputSpec(ndim=4)


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of a volume (Tompson et al., 2014).

    Args:
        rate: fraction of the inputs to drop, from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        name: name.
        dtype: dtype or dtype policy.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or `(batch, channels, dim1, dim2, dim3)`.

    Example:

        y = cornu.layers.SpatialDropout3D(0.5, seed=1)(np.ones((2, 3, 3, 3, 4)), training=True)
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: SeedLike = None,
        name: str | None = None,
        dtype: PolicyLike | None = None,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = validate.data_format(data_format, self)
        self.input_spec = InputSpec(ndim=5)


class AlphaDropout(_TrainingNoise):
    """Dropout for networks with selu activations: it preserves mean and variance (Klambauer et al., 2017).

    Dropped entries are set to selu's lowest value, then all are scaled and shifted back to mean 0 and variance 1.

    Args:
        rate: part that is dropped, from 0 up to, but not including, 1.
        noise_shape: shape of the random mask, as in `Dropout`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Example:

        y = cornu.layers.AlphaDropout(0.5, seed=1)(np.ones((2, 4)), training=True)
    """

    _LOWEST = -1.6732632423543772 * 1.0507009873554805  # -alpha * scale of selu

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **kwargs)
        validate.fraction(rate, "rate", self)
        self.rate = rate
        self.noise_shape = _checked_noise_shape(noise_shape, self)
        self._prepare(self.rate)

    def _noisy(self, inputs: jax.Array) -> jax.Array:
        ones = jnp.ones(_filled_noise_shape(self.noise_shape, inputs, self) or inputs.shape, inputs.dtype)
        kept = random.dropout(ones, self.rate, seed=self.seed_generator) > 0
        scale = ((1 - self.rate) * (1 + self.rate * self._LOWEST**2)) ** -0.5
        shift = -scale * self._LOWEST * self.rate
        return scale * jnp.where(kept, inputs, jnp.asarray(self._LOWEST, inputs.dtype)) + shift


# ---------------------------------------------------------------- noise


class GaussianNoise(_TrainingNoise):
    """Adds normally distributed noise with mean 0 during training.

    Args:
        stddev: standard deviation of the noise, from 0 to 1.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Example:

        y = cornu.layers.GaussianNoise(0.1, seed=1)(np.zeros((2, 4)), training=True)
    """

    def __init__(self, stddev: float, seed: SeedLike = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(seed=seed, **kwargs)
        self.stddev = _between_0_and_1(stddev, "stddev", self)
        self._prepare(self.stddev)

    def _noisy(self, inputs: jax.Array) -> jax.Array:
        return inputs + random.normal(inputs.shape, 0.0, self.stddev, inputs.dtype, self.seed_generator)


class GaussianDropout(_TrainingNoise):
    """Multiplies by normally distributed noise with mean 1 during training, with dropout's variance `rate / (1 -
    rate)`.

    Args:
        rate: as in `Dropout`, from 0 up to, but not including, 1.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Example:

        y = cornu.layers.GaussianDropout(0.5, seed=1)(np.ones((2, 4)), training=True)
    """

    def __init__(self, rate: float, seed: SeedLike = None, **kwargs: Unpack[LayerOptions]):
        super().__init__(seed=seed, **kwargs)
        validate.fraction(rate, "rate", self)
        self.rate = rate
        self._prepare(self.rate)

    def _noisy(self, inputs: jax.Array) -> jax.Array:
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return inputs * random.normal(inputs.shape, 1.0, stddev, inputs.dtype, self.seed_generator)


# ---------------------------------------------------------------- activity regularization


class ActivityRegularization(Layer):
    """Returns its inputs, and adds a penalty on their magnitude to the loss.

    Args:
        l1: factor of the sum of absolute values, 0 or more. Defaults to 0.0.
        l2: factor of the sum of squares, 0 or more. Defaults to 0.0.

    Example:

        layer = cornu.layers.ActivityRegularization(l1=0.5)
        layer(np.ones((2, 3)))
        print(layer.losses[0])  # 1.5
        # 0.5 * 3, the mean over the two samples
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*Layer.config_skip, "activity_regularizer")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[NamedOptions]):
        super().__init__(activity_regularizer=L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True
        self._without_weights()

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs."""
        return inputs


__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
