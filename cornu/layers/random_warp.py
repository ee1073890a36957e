"""Random perspective and elastic transformations of images."""

from collections.abc import Sequence
from typing import Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import Tensor
from cornu.layers.image_layer import Drawn, RandomValueLayer, each, factor_range
from cornu.layers.options import BoxOptions
from cornu.layers.random_affine import FILL_MODES, RandomAffine
from cornu.ops.resampling import displaced, homography, smoothed
from cornu.random.seed_generator import SeedLike


class RandomPerspective(RandomAffine):
    """Applies a random perspective to some images during training: three corners move along or away from the borders.

    Each coordinate of a corner is multiplied by a number from `1 - scale / 2` to `1 + scale / 2`, so the upper left
    corner, at 0, stays in place.

    Args:
        factor: bounds, from 0 to 1, of the probability; a single number means 0 to that number. Defaults to 1.0.
        scale: maximum displacement of the corners, from 0 to 1. Defaults to 1.0.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: value of pixels outside the image. Defaults to 0.0.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, channels)`, `(height, width, channels)`, or either with the channels first; or a
        dictionary of "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomPerspective((1, 1), seed=1)(np.ones((1, 8, 8, 3)), training=True)
    """

    config_skip: tuple[str, ...] = (*RandomAffine.config_skip, "fill_mode")

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__("constant", interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)
        if not validate.is_real(scale) or not 0 <= scale <= 1:
            raise ValueError(
                f"{validate.describe(self)}: scale must be from 0 to 1. Received: scale={validate.shown(scale)}."
            )
        self.scale = scale

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        count, height, width, _ = shape
        right, bottom = width - 1.0, height - 1.0
        corners = jnp.asarray([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]], "float32")  # (x, y)
        start = jnp.broadcast_to(corners, (count, 4, 2))
        chosen = self._chosen(count, self.factor, seed)
        change = 1 + self._uniform((count, 4, 2), -0.5, 0.5, seed) * self.scale
        return {"apply_perspective": chosen, "start_points": start, "end_points": start * change}

    def _transform(self, drawn: Drawn) -> jax.Array:
        moved = homography(drawn["end_points"], drawn["start_points"])
        still = jnp.asarray([1, 0, 0, 0, 1, 0, 0, 0], moved.dtype)
        return jnp.where(drawn["apply_perspective"][:, None], moved, still)


class RandomElasticTransform(RandomValueLayer):
    """Applies an elastic distortion to some images during training (Simard et al., 2003).

    Pixels are displaced by smooth noise. Masks are transformed likewise; bounding boxes are not supported.

    Args:
        factor: bounds, from 0 to 1, of the probability; a single number means 0 to that number. Defaults to 1.0.
        scale: bounds, from 0 to 1, of the strength; a single number means 0 to that number. One value is drawn per
            batch: at 1, normal noise is smoothed by a Gaussian with a standard deviation of a twentieth of the shorter
            side, and multiplied by a tenth of the longer one. Defaults to 1.0.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: how points outside the boundaries are filled: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        As `RandomPerspective`, without "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandomElasticTransform((1, 1), seed=1)(np.ones((1, 8, 8, 3)), training=True)
    """

    _moves_pixels = True

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float | Sequence[float] = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0)
        self.scale = factor_range(scale, "scale", self, lowest=0, strict=True)
        self.interpolation = validate.one_of(interpolation, ("nearest", "bilinear"), "interpolation", self)
        self.fill_mode = validate.one_of(fill_mode, FILL_MODES, "fill_mode", self)
        self.fill_value = fill_value

    def get_elastic_transform_params(self, height: int, width: int, factor: Tensor) -> tuple[jax.Array, jax.Array]:
        """The amplitude and the smoothness of the displacement, in pixels, at a strength of `factor`."""
        return 0.1 * max(height, width) * factor, 0.05 * min(height, width) * factor

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        count, height, width, _ = shape
        source = self.generator if seed is None else seed
        return {
            "apply_transform": self._chosen(count, self.factor, seed),
            "distortion_factor": self._uniform((), *self.scale, seed),
            "noise": random.normal((2, count, height, width), dtype="float32", seed=source),
        }

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        bent = self._bent(images, drawn, self.interpolation, self.fill_value)
        return jnp.where(each(drawn["apply_transform"], images), jnp.clip(bent, *self.value_range), images)

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        bent = self._bent(masks, drawn, "nearest", 0)
        return jnp.where(each(drawn["apply_transform"], masks), bent, masks)

    def _bent(self, images: jax.Array, drawn: Drawn, interpolation: str, fill_value: float) -> jax.Array:
        height, width = drawn["input_shape"][1:3]
        far, smooth = self.get_elastic_transform_params(height, width, drawn["distortion_factor"])
        shift = far * smoothed(drawn["noise"], jnp.maximum(smooth, 1e-3))
        return displaced(images, shift, interpolation, self.fill_mode, fill_value).astype(images.dtype)


__all__ = ["RandomElasticTransform", "RandomPerspective"]
