"""Image layers that change tones: stretching, equalizing, inverting, and reducing their number."""

import numbers
from collections.abc import Callable, Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import AnyFunction, Tensor
from cornu.layers.image_layer import Drawn, ImageLayer, RandomValueLayer, each, factor_range, pixel_range, rescaled
from cornu.layers.options import BoxOptions, ImageOptions
from cornu.ops.shaping import pad_with_itself
from cornu.random.seed_generator import SeedLike

_BYTE = (0, 255)


class AutoContrast(ImageLayer):
    """Stretches each channel of each image over the whole range: `(x - min) / (max - min)`, scaled to `value_range`.

    The layer is also active outside training. A constant channel is left unchanged.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        print(cornu.layers.AutoContrast()(np.array([[[10.0], [20.0]]])))  # [[[0.] [255.]]]
    """

    _always = True

    def __init__(self, value_range: Sequence[float] = (0, 255), **kwargs: Unpack[ImageOptions]):
        super().__init__(**kwargs)
        self.value_range = pixel_range(value_range, self)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        bytes_ = rescaled(images.astype("float32"), self.value_range, _BYTE)
        low = jnp.min(bytes_, axis=(1, 2), keepdims=True)
        high = jnp.max(bytes_, axis=(1, 2), keepdims=True)
        spread = jnp.where(high > low, high - low, 1.0)
        stretched = jnp.clip((bytes_ - low) * (255.0 / spread), 0.0, 255.0)
        return rescaled(jnp.where(high > low, stretched, bytes_), _BYTE, self.value_range).astype(images.dtype)


class Equalization(ImageLayer):
    """Histogram equalization of each image during training, so that all tones are about equally frequent.

    A pixel in bin `b` becomes `(c[b] - c_min) / (n - c_min)`, scaled to `value_range`, where `c[b]` of the `n` pixels
    are in that bin or a lower one, and `c_min` in the lowest one. Each channel of each image is equalized separately; a
    constant one is left unchanged.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        bins: number of bins, at least 2. Defaults to 256.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `AutoContrast`.

    Example:

        y = cornu.layers.Equalization()(np.arange(16.0).reshape(1, 4, 4, 1), training=True)
        print(y.max())  # 255.0
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.bins = validate.positive_int(bins, "bins", self)
        if self.bins < 2:
            raise ValueError(f"{validate.describe(self)}: bins must be at least 2. Received: bins={bins}.")
        self.value_range = pixel_range(value_range, self)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        bytes_ = rescaled(images.astype("float32"), self.value_range, _BYTE)
        places = _bins(bytes_, self.bins)
        result = _per_channel(lambda x, place: _equalized(x, place, self.bins), bytes_, places)
        return rescaled(result, _BYTE, self.value_range).astype(images.dtype)


class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Contrast-limited adaptive histogram equalization (CLAHE): equalizes the tones locally, within limits.

    The image is divided into a grid of tiles. The tone `v` of a pixel becomes the fraction of tones from 1 to `v` in
    its tile, scaled to `value_range`; each tone counts at most `clip_limit` times the mean count of all 256, and the
    excess is distributed over all of them. Between the centers of tiles, the results of four tiles are interpolated.
    The layer is also active outside training, and treats each channel of each image separately.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        clip_limit: maximum increase of contrast; no limit if it is 0 or less. Defaults to 4.0.
        tile_grid_size: number of tiles along height and width. Defaults to `(8, 8)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `AutoContrast`.

    Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV, 1994.

    Example:

        layer = cornu.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
        print(layer(np.arange(64.0).reshape(1, 8, 8, 1)).max())  # 111.14
    """

    _always = True
    _keeps_integers = True

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = pixel_range(value_range, self)
        if not isinstance(clip_limit, numbers.Real) or isinstance(clip_limit, bool):
            raise TypeError(
                f"{validate.describe(self)}: clip_limit must be a number. Received: {validate.shown(clip_limit)}."
            )
        self.clip_limit: float = clip_limit
        self.tile_grid_size: tuple[int, ...] = validate.int_tuple(tile_grid_size, 2, "tile_grid_size", self)

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        bytes_ = rescaled(images.astype("float32"), self.value_range, _BYTE)
        rows, columns = (-(-size // tiles) for size, tiles in zip(images.shape[1:3], self.tile_grid_size, strict=True))
        result = _per_channel(lambda x: self._of_plane(x, rows, columns), bytes_)
        return rescaled(result, _BYTE, self.value_range).astype(images.dtype)

    def _of_plane(self, plane: jax.Array, rows: int, columns: int) -> jax.Array:
        """One channel of one image, with tiles of the given size."""
        (height, width), (down, across) = plane.shape, self.tile_grid_size
        tones = jnp.clip(plane, 0, 255).astype("int32")
        whole = pad_with_itself(tones, ((0, down * rows - height), (0, across * columns - width)), "symmetric")
        y, x = (jnp.arange(size) for size in whole.shape)
        tile = (y[:, None] // rows) * across + x // columns
        counts = jnp.zeros((down * across, 256), "float32").at[tile, whole].add(1.0)
        tables = self._tables(counts, rows * columns)
        first, below = _neighbours(jnp.arange(height), rows, down)
        left, right = _neighbours(jnp.arange(width), columns, across)
        look: Callable[[Tensor, Tensor], Tensor] = lambda v, h: (  # noqa: E731
            tables[v[0][:, None] * across + h[0], tones] * v[1][:, None] * h[1]
        )
        return sum(look(v, h) for v in (first, below) for h in (left, right))

    def _tables(self, counts: jax.Array, pixels: int) -> jax.Array:
        """The new value of each tone, from the counts of each tile, `(tiles, 256)`."""
        if self.clip_limit > 0:
            limit = self.clip_limit * pixels / 256
            excess = jnp.sum(jnp.maximum(counts - limit, 0.0), -1, keepdims=True)
            counts = jnp.minimum(counts, limit) + excess / 256
        below = jnp.cumsum(counts, -1)
        above_first = below - below[:, :1]
        return above_first * (255.0 / jnp.maximum(above_first[:, -1:], 1e-7))


def _neighbours(places: jax.Array, size: int, count: int) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """The tiles whose centers are next to each pixel along an axis, and the weight of each of the two."""
    position = places / size - 0.5
    before = jnp.floor(position)
    share = position - before
    inside: Callable[[jax.Array], jax.Array] = lambda tile: jnp.clip(tile, 0, count - 1).astype("int32")  # noqa: E731
    return (inside(before), 1 - share), (inside(before + 1), share)


def _bins(bytes_: jax.Array, count: int) -> jax.Array:
    """The bin of each value from 0 to 255; rounding does not affect bytes that were converted to other units."""
    places = jnp.floor(bytes_ * ((count - 1) / 255) + 1e-4)
    return jnp.clip(places, 0, count - 1).astype("int32")


def _per_channel(function: AnyFunction, *arrays: jax.Array) -> jax.Array:
    """`function` applied to each channel of each image."""
    return jax.vmap(jax.vmap(function, in_axes=-1, out_axes=-1))(*arrays)


def _equalized(values: jax.Array, places: jax.Array, bins: int) -> jax.Array:
    counts = jnp.zeros((bins,), "float32").at[places].add(1.0)
    below = jnp.cumsum(counts)
    lowest = below[jnp.argmax(counts > 0)]
    rest = values.size - lowest
    tones = jnp.round((below - lowest) * (255.0 / jnp.maximum(rest, 1.0)))
    return jnp.where(rest > 0, tones[places], values)


class RandomPosterization(RandomValueLayer):
    """Reduces the bits of each value during training: the lowest bits of the value as a byte are set to 0.

    Args:
        factor: bounds, from 1 to 8, of the number of bits to keep, excluding the upper bound unless both are equal; a
            single number means 1 to that number.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `AutoContrast`.

    Example:

        y = cornu.layers.RandomPosterization((1, 1))(np.array([[[100.0], [200.0]]]), training=True)
        print(y)  # [[[0.] [128.]]]
    """

    def __init__(
        self,
        factor: int | Sequence[int],
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: SeedLike = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=1, highest=8, strict=True)
        if not all(float(x).is_integer() for x in self.factor):
            raise ValueError(
                f"{validate.describe(self)}: factor must be integers. Received: factor={validate.shown(factor)}."
            )
        fewest, most = self.factor
        self.factor = int(fewest), int(most)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        bits = random.randint((shape[0],), *self.factor, seed=self.generator if seed is None else seed)
        return {"shift_factor": (8 - bits).astype("uint8")}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        bytes_ = jnp.clip(rescaled(images.astype("float32"), self.value_range, _BYTE) + 1e-4, 0, 255)
        shift = each(drawn["shift_factor"], images)
        kept = ((bytes_.astype("uint8") >> shift) << shift).astype("float32")
        return rescaled(kept, _BYTE, self.value_range).astype(images.dtype)


class RandomInvert(RandomValueLayer):
    """Inverts some images during training: `lowest + highest - x`.

    Args:
        factor: bounds, from 0 to 1, of the probability; a single number means 0 to that number. Defaults to 1.0.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `AutoContrast`.

    Example:

        y = cornu.layers.RandomInvert(1.0, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        return {"apply_inversion": self._chosen(shape[0], self.factor, seed)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return jnp.where(each(drawn["apply_inversion"], images), sum(self.value_range) - images, images)


class Solarization(RandomValueLayer):
    """Brightens each image during training, then inverts the values above a threshold.

    Args:
        addition_factor: bounds, from 0 to 1, of the number to add, as a fraction of the width of `value_range`; a
            single number means 0 to that number. Defaults to 0.0.
        threshold_factor: bounds of the threshold, likewise. Defaults to 0.0.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.

    Input shape and output shape:
        As `AutoContrast`.

    Example:

        y = cornu.layers.Solarization(0.1, 0.5, seed=1)(np.ones((1, 4, 4, 3)), training=True)
    """

    def __init__(
        self,
        addition_factor: float | Sequence[float] = 0.0,
        threshold_factor: float | Sequence[float] = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        **kwargs: Unpack[ImageOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.addition_factor = factor_range(addition_factor, "addition_factor", self, lowest=0, strict=True)
        self.threshold_factor = factor_range(threshold_factor, "threshold_factor", self, lowest=0, strict=True)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        one_each = (shape[0], 1, 1, 1)
        return {
            "additions": self._uniform(one_each, *self.addition_factor, seed) * self._span,
            "thresholds": self._uniform(one_each, *self.threshold_factor, seed) * self._span,
        }

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        low, high = self.value_range
        brighter = jnp.clip(images + drawn["additions"].astype(images.dtype), low, high)
        return jnp.where(brighter < drawn["thresholds"], brighter, low + high - brighter)


__all__ = ["AutoContrast", "Equalization", "RandomInvert", "RandomPosterization", "Solarization"]
