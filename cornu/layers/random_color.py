"""Random color augmentation: brightness, contrast, saturation, grayscale and hue."""

from collections.abc import Sequence
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import ops, random, validate
from cornu.core.typing import DTypeLike, Tensor
from cornu.layers.image_layer import (
    Drawn,
    FactorLayer,
    RandomImageLayer,
    RandomValueLayer,
    factor_range,
    pair_of_numbers,
)
from cornu.layers.options import BoxOptions, ImageOptions
from cornu.random.seed_generator import SeedLike


class RandomContrast(RandomValueLayer):
    """Scales the values of each image around their mean during training: `(x - mean) * c + mean`, within `value_range`.

    The mean is computed per channel.

    Args:
        factor: bounds of `c`: two numbers `(a, b)` from 0 to 1 draw `c` from `1 - a` to `1 + b`; a single number `b`
            means `(0, b)`.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomContrast(0.3, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        **kwargs: Unpack[ImageOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        low, high = self.factor
        return {"contrast_factor": 1 + self._uniform((shape[0], 1, 1, 1), -low, high, seed)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        mean = jnp.mean(images, axis=(1, 2), keepdims=True)
        factor = drawn["contrast_factor"].astype(images.dtype)
        return jnp.clip((images - mean) * factor + mean, *self.value_range)


class RandomBrightness(RandomValueLayer):
    """Adds a number to each image during training, within `value_range`; integers remain integers.

    Args:
        factor: bounds, from -1 to 1, of the number to add, as a fraction of the width of `value_range`: a number `f`
            draws from `-f` to `f`, two numbers are the minimum and the maximum.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomContrast`.

    Example:

        y = cornu.layers.RandomBrightness(0.2, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    _keeps_integers = True

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        **kwargs: Unpack[ImageOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.factor = factor_range(factor, "factor", self)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"rgb_delta": self._uniform((shape[0], 1, 1, 1), *self.factor, seed) * self._span}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        wide = images.astype("float32") + drawn["rgb_delta"]
        return jnp.clip(wide, *self.value_range).astype(images.dtype)


class RandomGrayscale(RandomImageLayer):
    """Converts some images to grayscale during training: all three channels become the luminance.

    Args:
        factor: probability from 0 to 1. Defaults to 0.5.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomContrast`, with three channels.

    Example:

        y = cornu.layers.RandomGrayscale(1.0)(np.eye(3).reshape(1, 1, 3, 3), training=True)
    """

    _keeps_integers = True

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: SeedLike = None, **kwargs: Unpack[BoxOptions]
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if pair_of_numbers(factor) is not None:
            raise ValueError(
                f"{validate.describe(self)}: factor must be a single number. Received: factor={validate.shown(factor)}."
            )
        factor_range(factor, "factor", self, lowest=0)
        self.factor = factor

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"grayscale": self._uniform((shape[0], 1, 1, 1), 0.0, 1.0, seed) < self.factor}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        gray = ops.image.rgb_to_grayscale(images, data_format="channels_last")
        return jnp.where(drawn["grayscale"], gray, images)


class RandomColorDegeneration(FactorLayer):
    """Blends each image with its grayscale version during training: `(1 - d) x + d gray`, within `value_range`.

    Args:
        factor: bounds of `d`, from -1 (stronger colors) through 0 (unchanged) to 1 (gray); a number `f` means `-f` to
            `f`.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomContrast`, with three channels.

    Example:

        y = cornu.layers.RandomColorDegeneration((0, 1), seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"factor": self._uniform((shape[0], 1, 1, 1), *self.factor, seed)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        wide = images.astype("float32")
        gray = ops.image.rgb_to_grayscale(wide, data_format="channels_last")
        mixed = wide + drawn["factor"] * (gray - wide)
        return jnp.clip(mixed, *self.value_range).astype(images.dtype)


class RandomHue(FactorLayer):
    """Rotates the hue of each image during training.

    Args:
        factor: bounds, from 0 to 1, of the rotation in half turns of the color wheel, in either direction; a single
            number means 0 to that number.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomContrast`, with three channels.

    Example:

        y = cornu.layers.RandomHue(0.3, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    _lowest = 0.0

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        sign = self._signs((shape[0],), seed)
        return {"factor": sign * self._uniform((shape[0],), *self.factor, seed) * 0.5}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        hue, saturation, value = _as_hsv(images, self.value_range)
        hue = hue + drawn["factor"][:, None, None]  # wraps around after a full turn
        return _from_hsv(hue, saturation, value, self.value_range, images.dtype)


class RandomSaturation(FactorLayer):
    """Changes the saturation of each image during training.

    Args:
        factor: bounds of a draw `d`; the saturation is multiplied by `d / (1 - d)`: 0 (or less) is gray, 0.5 changes
            nothing, 1 is full saturation. One number `f` means `-f` to `f`, as in Keras, so half of the images become
            gray: usually two numbers, such as `(0.4, 0.6)`, are better.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `RandomContrast`, with three channels.

    Example:

        y = cornu.layers.RandomSaturation((0.4, 0.6), seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        draw = self._uniform((shape[0],), *self.factor, seed)
        return {"factor": draw / (1 - draw + 1e-7)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        hue, saturation, value = _as_hsv(images, self.value_range)
        saturation = jnp.clip(saturation * drawn["factor"][:, None, None], 0.0, 1.0)
        return _from_hsv(hue, saturation, value, self.value_range, images.dtype)


class RandomColorJitter(RandomValueLayer):
    """Changes brightness, contrast, saturation and hue of each image during training, in a random order for each batch.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        brightness_factor: factor of `RandomBrightness`; None skips it.
        contrast_factor: factor of `RandomContrast`; None skips it.
        saturation_factor: factor of `RandomSaturation`; None skips it.
        hue_factor: factor of `RandomHue`; None skips it.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `RandomContrast`, with three channels.

    Example:

        jitter = cornu.layers.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, seed=1)
        y = jitter(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: float | Sequence[float] | None = None,
        contrast_factor: float | Sequence[float] | None = None,
        saturation_factor: float | Sequence[float] | None = None,
        hue_factor: float | Sequence[float] | None = None,
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        kinds = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        # They use this layer's seed generator.
        common = {"value_range": self.value_range, "seed": self.generator, "dtype": self.dtype_policy}
        self._steps = [kind(factor, **common) for kind, factor in kinds.items() if factor is not None]

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        drawn = {step.name: step._draw(shape, seed, training) for step in self._steps}
        source = self.generator if seed is None else seed
        return {"transforms": drawn, "order": random.shuffle(jnp.arange(len(self._steps)), seed=source)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        changes = [partial(step._changed, drawn=drawn["transforms"][step.name]) for step in self._steps]
        for position in range(len(changes)):
            images = jax.lax.switch(drawn["order"][position], changes, images)
        return images


def _as_hsv(images: jax.Array, bounds: tuple[float, float]) -> tuple[jax.Array, jax.Array, jax.Array]:
    unit = (images.astype("float32") - bounds[0]) / (bounds[1] - bounds[0])
    return tuple(jnp.moveaxis(ops.image.rgb_to_hsv(unit, data_format="channels_last"), -1, 0))


def _from_hsv(
    hue: Tensor, saturation: Tensor, value: Tensor, bounds: tuple[float, float], dtype: DTypeLike
) -> jax.Array:
    unit = ops.image.hsv_to_rgb(jnp.stack([hue, saturation, value], axis=-1), data_format="channels_last")
    return jnp.clip(unit * (bounds[1] - bounds[0]) + bounds[0], *bounds).astype(dtype)


__all__ = [
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomGrayscale",
    "RandomHue",
    "RandomSaturation",
]
