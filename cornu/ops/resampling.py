"""Image resampling: resizing, cropping, padding, and geometric transformations."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from cornu import lazy, validate
from cornu.core.operation import Tensor, op
from cornu.core.typing import Sizes
from cornu.kernels.xla import not_inlined
from cornu.ops.elementwise import floating
from cornu.random.draws import normal
from cornu.random.seed_generator import SeedLike, draw_seed

if TYPE_CHECKING:
    import jax.scipy.ndimage as ndimage
else:
    ndimage = lazy.module("jax.scipy.ndimage")

_RESIZE_METHODS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}
_ORDERS = {"nearest": 0, "bilinear": 1}
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _as_batch(images: Tensor, data_format: str | None, name: str) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """Images as `(batch, height, width, channels)`, and the function that restores their original form."""
    images = jnp.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(f"{name}: images must have 3 or 4 axes. Received: images.shape={images.shape}.")
    last = validate.data_format(data_format, name) == "channels_last"
    batched = images.ndim == 4
    batch = images if batched else images[None]

    def restore(result: Tensor) -> jax.Array:
        result = result if last else jnp.moveaxis(result, -1, 1)
        return result if batched else result[0]

    return (batch if last else jnp.moveaxis(batch, 1, -1)), restore


def _like(result: Tensor, images: Tensor) -> jax.Array:
    """`result` in the dtype of `images`, rounded and clipped for an integer dtype."""
    if jnp.issubdtype(images.dtype, jnp.integer):
        limits = jnp.iinfo(images.dtype)
        low, high = (jnp.asarray(float(end), result.dtype) for end in (limits.min, limits.max))
        result = jnp.clip(jnp.round(result), low, high)
    return result.astype(images.dtype)


# ---- size ----


@op
def resize(
    images: Tensor,
    size: Sizes,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> jax.Array:
    """Images scaled to another height and width.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        size: new height and width.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether to average over all pixels when downscaling. Defaults to False.
        crop_to_aspect_ratio: whether to center-crop the images to the aspect ratio of `size` first. Defaults to False.
        pad_to_aspect_ratio: whether to pad them to that aspect ratio first, equally on both sides: an odd number of
            rows or columns is rounded down. Defaults to False.
        fill_mode: padding mode, must be `"constant"`.
        fill_value: padding value. Defaults to 0.0.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.resize(np.ones((1, 4, 4, 3)), (8, 2)).shape)  # (1, 8, 2, 3)
    """
    size = validate.int_tuple(size, 2, "size", "resize")
    method = _RESIZE_METHODS[validate.one_of(interpolation, tuple(_RESIZE_METHODS), "interpolation", "resize")]
    validate.one_of(fill_mode, ("constant",), "fill_mode", "resize")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.")
    batch, restore = _as_batch(images, data_format, "resize")
    wide = floating(batch)
    wide = _cropped_to(wide, size) if crop_to_aspect_ratio else wide
    wide = _padded_to(wide, size, fill_value) if pad_to_aspect_ratio else wide
    shape = (wide.shape[0], *size, wide.shape[-1])
    return restore(_like(jax.image.resize(wide, shape, method, antialias=antialias), batch))


def _proportional(height: int, width: int, size: Sequence[int]) -> tuple[int, int]:
    """The height matching this width, and the width matching this height."""
    return max(1, width * size[0] // size[1]), max(1, height * size[1] // size[0])


def _cropped_to(images: Tensor, size: Sequence[int]) -> jax.Array:
    height, width = images.shape[1:3]
    wanted = _proportional(height, width, size)
    h, w = min(height, wanted[0]), min(width, wanted[1])
    top, left = (height - h) // 2, (width - w) // 2
    return images[:, top : top + h, left : left + w]


def _padded_to(images: Tensor, size: Sequence[int], fill_value: float) -> jax.Array:
    height, width = images.shape[1:3]
    wanted = _proportional(height, width, size)
    rows, columns = max(wanted[0] - height, 0) // 2, max(wanted[1] - width, 0) // 2  # on either side
    return jnp.pad(images, ((0, 0), (rows, rows), (columns, columns), (0, 0)), constant_values=fill_value)


@op
def scale_and_translate(
    images: Tensor,
    output_shape: Sequence[int],
    scale: Tensor,
    translation: Tensor,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> jax.Array:
    """Axes of a tensor scaled and translated.

    Args:
        images: any tensor.
        output_shape: shape of the result.
        scale: one factor for each of `spatial_dims`.
        translation: one distance for each of `spatial_dims`, in pixels of the result.
        spatial_dims: the axes to transform.
        method: `"linear"`, `"cubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether to average over all elements when downscaling. Defaults to True.

    Example:

        image = np.arange(4.0).reshape(2, 2, 1)
        scale, shift = np.array([2.0, 2.0]), np.zeros(2)
        scaled = cornu.ops.image.scale_and_translate(image, (4, 4, 1), scale, shift, (0, 1), "linear")
        print(scaled.shape)  # (4, 4, 1)
    """
    return jax.image.scale_and_translate(
        images,
        tuple(output_shape),
        tuple(spatial_dims),
        jnp.asarray(scale),
        jnp.asarray(translation),
        method,
        antialias,
    )


def _margins(name: str, size: int, before: Tensor, after: Tensor, target: int | None, grow: bool) -> tuple[int, int]:
    """The amounts to add (or remove) before and after an axis of `size`, given exactly two of three arguments."""
    if sum(value is None for value in (before, after, target)) != 1:
        raise ValueError(
            f"{name}: exactly two of the margin before, the margin after and the target size must be given for each "
            f"axis. Received: {before}, {after}, {target}."
        )
    if target is not None:
        change = target - size if grow else size - target
        before = change - after if before is None else before
        after = change - before
    if before < 0 or after < 0 or (not grow and before + after >= size):
        raise ValueError(f"{name}: margins of {before} and {after} exceed an axis of size {size}.")
    return before, after


@op
def crop_images(
    images: Tensor,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images cropped at their borders.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        top_cropping, bottom_cropping, target_height: two of the three, the other None: rows to remove, or to keep.
        left_cropping, right_cropping, target_width: two of the three, the other None: columns to remove, or to keep.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        x = np.ones((1, 6, 6, 3))
        y = cornu.ops.image.crop_images(x, 1, 1, target_height=4, target_width=2)
        print(y.shape)  # (1, 4, 2, 3)
    """
    batch, restore = _as_batch(images, data_format, "crop_images")
    height, width = batch.shape[1:3]
    top, bottom = _margins("crop_images", height, top_cropping, bottom_cropping, target_height, grow=False)
    left, right = _margins("crop_images", width, left_cropping, right_cropping, target_width, grow=False)
    return restore(batch[:, top : height - bottom, left : width - right])


@op
def pad_images(
    images: Tensor,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images padded with zeros.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        top_padding, bottom_padding, target_height: two of the three, the other None: rows to add, or in total.
        left_padding, right_padding, target_width: two of the three, the other None: columns to add, or in total.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        padded = cornu.ops.image.pad_images(np.ones((2, 3, 1)), 1, 0, target_height=4, target_width=5)
        print(padded.shape)  # (4, 5, 1)
    """
    batch, restore = _as_batch(images, data_format, "pad_images")
    rows = _margins("pad_images", batch.shape[1], top_padding, bottom_padding, target_height, grow=True)
    columns = _margins("pad_images", batch.shape[2], left_padding, right_padding, target_width, grow=True)
    return restore(jnp.pad(batch, ((0, 0), rows, columns, (0, 0))))


# ---- coordinates ----


@op
def map_coordinates(
    inputs: Tensor, coordinates: Tensor, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> jax.Array:
    """Values of a tensor at fractional coordinates.

    Args:
        inputs: any tensor.
        coordinates: shape `(axes of inputs, ...)`: the coordinates along each axis.
        order: 0 takes the nearest element, 1 interpolates between neighbors.
        fill_mode: how points outside the boundaries are filled: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or
            `"reflect"`.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.

    Example:

        print(cornu.ops.image.map_coordinates(np.array([0.0, 10.0]), np.array([[0.5]]), 1))  # [5.]
    """
    validate.one_of(order, (0, 1), "order", "map_coordinates")
    validate.one_of(fill_mode, _FILL_MODES, "fill_mode", "map_coordinates")
    inputs, coordinates = jnp.asarray(inputs), floating(coordinates)
    if coordinates.shape[0] != inputs.ndim:
        raise ValueError(
            f"map_coordinates: coordinates must have {inputs.ndim} rows, one for each axis of inputs. "
            f"Received: coordinates.shape={coordinates.shape}."
        )
    return ndimage.map_coordinates(inputs, list(coordinates), order, fill_mode, fill_value)


def _sampled(
    images: Tensor, rows: Tensor, columns: Tensor, interpolation: str, fill_mode: str, fill_value: float
) -> jax.Array:
    """Each image of `(batch, height, width, channels)` sampled at its own `rows` and `columns`, one per pixel."""
    how = {"order": _ORDERS[interpolation], "fill_mode": fill_mode, "fill_value": fill_value}
    return _like(_looked_up(floating(images), rows, columns, **how), images)


@not_inlined  # each pixel is read four times: its computation would be repeated, sixteen times for two such steps
def _looked_up(
    images: jax.Array, rows: jax.Array, columns: jax.Array, *, order: int, fill_mode: str, fill_value: float
) -> jax.Array:
    def channel(image: Tensor, y: Tensor, x: Tensor) -> jax.Array:
        return ndimage.map_coordinates(image, [y, x], order, fill_mode, fill_value)

    per_image = jax.vmap(channel, in_axes=(-1, None, None), out_axes=-1)
    return jax.vmap(per_image)(images, rows, columns)


def _pixel_grid(images: Tensor) -> list[jax.Array]:
    height, width = images.shape[1:3]
    return jnp.meshgrid(
        jnp.arange(height, dtype="float32"), jnp.arange(width, dtype="float32"), indexing="ij"
    )  # rows, columns


@op
def affine_transform(
    images: Tensor,
    transform: Tensor,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images with an affine or projective transformation.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        transform: 8 numbers `a0, a1, a2, b0, b1, b2, c0, c1` for all images or a row of them for each: the pixel `(x,
            y)` of the result is sampled at `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)` of the image, where `k =
            c0 x + c1 y + 1`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: how points outside the boundaries are filled: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or
            `"reflect"`.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        image, left = np.arange(3.0).reshape(1, 3, 1), np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
        moved = cornu.ops.image.affine_transform(image, left)
        print(moved[0, :, 0])  # [1. 2. 0.]
    """
    validate.one_of(interpolation, tuple(_ORDERS), "interpolation", "affine_transform")
    validate.one_of(fill_mode, _FILL_MODES, "fill_mode", "affine_transform")
    batch, restore = _as_batch(images, data_format, "affine_transform")
    transform = _per_image(transform, batch, 8, "affine_transform")
    return restore(_projected(batch, transform, interpolation, fill_mode, fill_value))


@op
def perspective_transform(
    images: Tensor,
    start_points: Tensor,
    end_points: Tensor,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images with a perspective transformation: it maps four points to four others, and preserves straight lines.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        start_points: four points (x, y) of the image, shape `(4, 2)`, or `(batch, 4, 2)`.
        end_points: the points they are mapped to, in the same shape.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: value of pixels outside the image. Defaults to 0.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [3.0, 3.0]])
        image = np.eye(4)[..., None]
        same = cornu.ops.image.perspective_transform(image, corners, corners)
        print(np.allclose(same, image, atol=1e-5))  # True
    """
    validate.one_of(interpolation, tuple(_ORDERS), "interpolation", "perspective_transform")
    batch, restore = _as_batch(images, data_format, "perspective_transform")
    start = _per_image(start_points, batch, (4, 2), "perspective_transform")
    end = _per_image(end_points, batch, (4, 2), "perspective_transform")
    return restore(_projected(batch, homography(end, start), interpolation, "constant", fill_value))


def _projected(images: Tensor, transform: Tensor, interpolation: str, fill_mode: str, fill_value: float) -> jax.Array:
    """Each image sampled where its row of `transform`, the 8 numbers of a projective map, maps each pixel."""
    rows, columns = _pixel_grid(images)
    a0, a1, a2, b0, b1, b2, c0, c1 = jnp.moveaxis(transform, 1, 0)[..., None, None]
    scale = c0 * columns + c1 * rows + 1
    x, y = (a0 * columns + a1 * rows + a2) / scale, (b0 * columns + b1 * rows + b2) / scale
    return _sampled(images, y, x, interpolation, fill_mode, fill_value)


def _per_image(values: Tensor, batch: Tensor, shape: int | tuple[int, ...], name: str) -> jax.Array:
    """Parameters given for all images at once or one for each, as one for each."""
    shape = shape if isinstance(shape, tuple) else (shape,)
    values = floating(values)
    if values.shape[-len(shape) :] != shape or values.ndim > len(shape) + 1:
        raise ValueError(f"{name}: expected shape {shape} or (batch, {shape}). Received: shape={values.shape}.")
    return jnp.broadcast_to(values, (batch.shape[0], *shape))


def homography(source: Tensor, target: Tensor) -> jax.Array:
    """The 8 numbers of the projective map from four points to their targets; shapes `(batch, 4, 2)`."""
    x, y = source[..., 0], source[..., 1]
    u, v = target[..., 0], target[..., 1]
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    upper = jnp.stack([x, y, one, zero, zero, zero, -x * u, -y * u], axis=-1)
    lower = jnp.stack([zero, zero, zero, x, y, one, -x * v, -y * v], axis=-1)
    equations = jnp.concatenate([upper, lower], axis=1)  # (batch, 8, 8)
    return jnp.linalg.solve(equations, jnp.concatenate([u, v], axis=1)[..., None])[..., 0]


@op
def elastic_transform(
    images: Tensor,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: SeedLike = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images with a random elastic distortion (Simard et al., 2003).

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        alpha: amplitude of the displacement. Defaults to 20.0.
        sigma: smoothness of the displacement, in pixels. Defaults to 5.0.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: how points outside the boundaries are filled: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or
            `"reflect"`.
        fill_value: value for `fill_mode="constant"`. Defaults to 0.0.
        seed: int, `SeedGenerator` or None.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.elastic_transform(np.ones((8, 8, 1)), seed=1).shape)  # (8, 8, 1)
    """
    validate.one_of(interpolation, tuple(_ORDERS), "interpolation", "elastic_transform")
    validate.one_of(fill_mode, _FILL_MODES, "fill_mode", "elastic_transform")
    batch, restore = _as_batch(images, data_format, "elastic_transform")
    n, height, width, _ = batch.shape
    noise = normal((2, n, height, width), dtype="float32", seed=draw_seed(seed))
    return restore(displaced(batch, alpha * smoothed(noise, sigma), interpolation, fill_mode, fill_value))


def displaced(images: Tensor, shift: Tensor, interpolation: str, fill_mode: str, fill_value: float) -> jax.Array:
    """Each pixel of `(batch, height, width, channels)` sampled at offset `shift`, `(2, batch, height, width)`."""
    rows, columns = _pixel_grid(images)
    return _sampled(images, rows + shift[0], columns + shift[1], interpolation, fill_mode, fill_value)


def smoothed(noise: Tensor, sigma: Tensor) -> jax.Array:
    """Gaussian smoothing over the last two axes, as a product with a matrix of weights along each."""

    def weights(size: int) -> jax.Array:
        place = jnp.arange(size, dtype=noise.dtype)
        bell = jnp.exp(-0.5 * jnp.square((place[:, None] - place[None, :]) / sigma))
        return bell / bell.sum(axis=1, keepdims=True)

    return jnp.einsum("...hw,ah,bw->...ab", noise, weights(noise.shape[-2]), weights(noise.shape[-1]))
