"""Image augmentation with operations drawn from a list: RandAugment and AugMix.

All random numbers are drawn at once, for each operation and each time that it may be used. So the choice of an
operation can be a number in the compiled program that selects a branch, and one program serves every draw.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import random, validate
from cornu.core.typing import Nested, Tensor
from cornu.layers.bounding_boxes import Boxes
from cornu.layers.image_layer import Drawn, ImageLayer, RandomValueLayer, factor_range
from cornu.layers.intensity import AutoContrast, Equalization, RandomPosterization, Solarization
from cornu.layers.options import BoxOptions
from cornu.layers.random_affine import RandomRotation, RandomShear, RandomTranslation
from cornu.layers.random_color import RandomBrightness, RandomColorDegeneration, RandomContrast
from cornu.layers.random_filter import RandomSharpness
from cornu.random.seed_generator import SeedLike

_INTERPOLATIONS = ("nearest", "bilinear")


class _Choosing(RandomValueLayer):
    """Draws operations from a list; subclasses define how they are combined."""

    def __init__(self, factor: object, interpolation: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor_range(factor, "factor", self, lowest=0, strict=True)
        self.interpolation = validate.one_of(interpolation, _INTERPOLATIONS, "interpolation", self)

    def _operations(self, colours: bool = True) -> list[ImageLayer]:
        """The operations, without their own seeds; color operations only if requested."""
        common = {"seed": self.generator, "dtype": self.dtype_policy, "bounding_box_format": self.bounding_box_format}
        moving = {"interpolation": self.interpolation, **common}
        valued = {"value_range": self.value_range, **common}
        fixed = {name: value for name, value in valued.items() if name != "seed"}
        low, high = self.factor
        operations = [
            RandomShear(self.factor, self.factor, **moving),
            RandomTranslation(self.factor, self.factor, **moving),
            RandomRotation(self.factor, **moving),
            RandomPosterization((8 - round(7 * high), 8 - round(7 * low)), **valued),
            Solarization(0.0, (1 - high, 1 - low), **valued),
            AutoContrast(**fixed),
            Equalization(**fixed),
        ]
        if not colours:
            return operations
        kinds = (RandomBrightness, RandomColorDegeneration, RandomContrast)
        colourful = [kind(self.factor, **valued) for kind in kinds]
        return [*operations, *colourful, RandomSharpness((0.5 - high / 2, 0.5 + high / 2), **valued)]

    _layers: list[ImageLayer]

    def _draw_steps(self, steps: int, shape: tuple[int, ...], seed: SeedLike) -> list[dict[str, jax.Array]]:
        """The random numbers of each operation for each step, `(steps, batch, ...)`."""
        count = shape[0]
        many = [op._draw((steps * count, *shape[1:]), seed, True) for op in self._layers]
        return [{k: x.reshape(steps, count, *x.shape[1:]) for k, x in numbers_.items()} for numbers_ in many]


class RandAugment(_Choosing):
    """Applies a few operations, drawn from eleven, to the images of each batch during training (Cubuk et al., 2019).

    They are shear, translation, rotation, posterization, solarization, auto contrast, equalization, brightness, color,
    contrast and sharpness. The same operations are applied to the whole batch, with different parameters for each
    image. Boxes and masks are transformed accordingly.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        num_ops: number of operations, at least 0; an operation may be drawn more than once. Defaults to 2.
        factor: bounds, from 0 to 1, of the strength `f`; a single number means 0 to that number. Shear, translation,
            rotation, brightness, color and contrast use it as their factor, posterization keeps `8 - 7 f` bits,
            solarization inverts the upper fraction `f` of the range, sharpness ranges from `0.5 - f / 2` to `0.5 + f /
            2`, and auto contrast and equalization have no strength.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, height, width, 3)`, `(height, width, 3)`, or either with the channels first; or a dictionary of
        "images" and optionally "labels", "segmentation_masks" and "bounding_boxes".

    Output shape:
        The same.

    Example:

        y = cornu.layers.RandAugment(seed=1)(np.ones((1, 8, 8, 3)), training=True)
    """

    _moves_pixels = True

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: float | Sequence[float] = 0.5,
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(factor, interpolation, value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.num_ops = validate.non_negative_int(num_ops, "num_ops", self)
        self._layers = self._operations()

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        source = self.generator if seed is None else seed
        chosen = random.randint((self.num_ops,), 0, len(self._layers), seed=source)
        return {"layer_idxes": chosen, "transforms": self._draw_steps(self.num_ops, shape, seed)}

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        return self._done(images, drawn, lambda op, x, d: op._changed(x, d))

    def _changed_masks(self, masks: jax.Array, drawn: Drawn) -> jax.Array:
        return self._done(masks, drawn, lambda op, x, d: op._changed_masks(x, d) if op._moves_pixels else x)

    def _changed_boxes(self, boxes: Boxes, drawn: Drawn) -> Boxes:
        typed = {**boxes, "boxes": jnp.asarray(boxes["boxes"], "float32"), "labels": jnp.asarray(boxes["labels"])}
        return self._done(typed, drawn, lambda op, x, d: op._changed_boxes(x, d) if op._moves_pixels else x)

    def _done(self, x: Tensor, drawn: Drawn, change: Any) -> Nested:
        """`x` after the drawn operations, in sequence."""
        shape = drawn["input_shape"]

        def step(x: Tensor, given: tuple[jax.Array, ...]) -> tuple[Nested, None]:
            index, values = given
            branches = [
                lambda x, op=op, d=d: change(op, x, {"input_shape": shape, **d})
                for op, d in zip(self._layers, values, strict=True)
            ]
            return jax.lax.switch(index, branches, x), None

        return jax.lax.scan(step, x, (drawn["layer_idxes"], drawn["transforms"]))[0]


class AugMix(_Choosing):
    """Averages each image with copies transformed by chains of operations, during training (Hendrycks et al., 2020).

    `(1 - m) x + m (w_1 x_1 + w_2 x_2 + ...)`, where `x_k` is the image after the k-th chain. The weights `w` are drawn
    from a Dirichlet distribution, `m` from Beta(alpha, alpha), and the length and the operations of each chain are
    drawn for each batch, from those of `RandAugment`. Labels, masks and boxes are left unchanged.

    Args:
        value_range: the minimum and the maximum pixel value. Defaults to `(0, 255)`.
        num_chains: number of chains. Defaults to 3.
        chain_depth: maximum length of a chain, at least 1. Defaults to 3.
        factor: bounds, from 0 to 1, of the strength of the operations; a single number means 0 to that number. Defaults
            to 0.3.
        alpha: positive parameter of both distributions. Defaults to 1.0.
        all_ops: whether to include operations on brightness, color, contrast and sharpness. Defaults to True.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: int, `SeedGenerator`, or None to derive one from the global seed.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape and output shape:
        As `RandAugment`.

    Example:

        y = cornu.layers.AugMix(num_chains=2, chain_depth=1, seed=1)(np.ones((1, 8, 8, 3)), training=True)
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: float | Sequence[float] = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: SeedLike = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ):
        super().__init__(factor, interpolation, value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.num_chains = validate.positive_int(num_chains, "num_chains", self)
        self.chain_depth = validate.positive_int(chain_depth, "chain_depth", self)
        if not validate.is_real(alpha) or isinstance(alpha, bool) or not alpha > 0:
            raise ValueError(
                f"{validate.describe(self)}: alpha must be a positive number. Received: alpha={validate.shown(alpha)}."
            )
        self.alpha = alpha
        self.all_ops = bool(all_ops)
        self._layers = self._operations(colours=self.all_ops)

    def _draw(self, shape: tuple[int, ...], seed: SeedLike, training: bool) -> Drawn:
        source = self.generator if seed is None else seed
        chains, depth = self.num_chains, self.chain_depth
        shares = random.gamma((chains,), self.alpha, dtype="float32", seed=source)
        drawn = self._draw_steps(chains * depth, shape, seed)
        # Positions beyond the length of a chain contain the index after the last operation, which means none.
        lengths = random.randint((chains, 1), 1, depth + 1, seed=source)
        chosen = random.randint((chains, depth), 0, len(self._layers), seed=source)
        return {
            "chain_mixing_weights": shares / jnp.maximum(jnp.sum(shares), 1e-12),
            "weight_sample": random.beta((), self.alpha, self.alpha, dtype="float32", seed=source),
            "layer_idxes": jnp.where(jnp.arange(depth) < lengths, chosen, len(self._layers)),
            "transforms": [{k: x.reshape(chains, depth, *x.shape[1:]) for k, x in values.items()} for values in drawn],
        }

    def _changed(self, images: jax.Array, drawn: Drawn) -> jax.Array:
        shape = drawn["input_shape"]

        def step(x: jax.Array, given: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
            index, values = given
            branches = [
                partial(op._changed, drawn={"input_shape": shape, **d})
                for op, d in zip(self._layers, values, strict=True)
            ]
            return jax.lax.switch(index, [*branches, lambda x: x], x), None

        def chain(total: jax.Array, given: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
            weight, *steps = given
            made, _ = jax.lax.scan(step, images, tuple(steps))
            return total + weight * made.astype("float32"), None

        parts = (drawn["chain_mixing_weights"], drawn["layer_idxes"], drawn["transforms"])
        mixed, _ = jax.lax.scan(chain, jnp.zeros(images.shape, "float32"), parts)
        share = drawn["weight_sample"]
        return ((1 - share) * images.astype("float32") + share * mixed).astype(images.dtype)


__all__ = ["AugMix", "RandAugment"]
