"""`tensorflow.image`: images of shape (height, width, channels), or with a leading batch axis."""

import functools
import io as bytes_io
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import lazy, ops
from cornu.core import dtypes
from cornu.core.typing import AnyFunction, Tensor
from cornu.tensorflow import boxes, math as tf_math, random
from cornu.tensorflow.served import functions, sizes, within
from cornu.tensorflow.texts import Text, text
from cornu.utils.pixels import of_eight_bits

_pillow = lazy.module("PIL.Image")

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class ResizeMethod:
    """The ways to resize."""

    BILINEAR, NEAREST_NEIGHBOR, BICUBIC, AREA = "bilinear", "nearest", "bicubic", "area"
    LANCZOS3, LANCZOS5, GAUSSIAN, MITCHELLCUBIC = "lanczos3", "lanczos5", "gaussian", "mitchellcubic"


# ---------------------------------------------------------------- files


def _decode(contents: Tensor, channels: int = 0, dtype: object = "uint8") -> jax.Array:
    with _pillow.open(bytes_io.BytesIO(text(contents).item())) as picture:
        is_deep = dtype == "uint16" and picture.mode.startswith("I")  # one channel with 16 bits
        deep = np.asarray(picture).astype("uint16") if is_deep else None
        picture = of_eight_bits(_pillow, picture)
        mode = _MODES[channels] if channels else picture.mode if picture.mode in _MODES.values() else "RGB"
        values = np.asarray(picture.convert(mode))
    values = values if values.ndim == 3 else values[..., None]
    if deep is not None:
        return jnp.asarray(np.broadcast_to(deep[..., None], values.shape))
    return convert_image_dtype(jnp.asarray(values), dtype) if dtype != "uint8" else jnp.asarray(values)


def decode_gif(contents: Tensor, name: str | None = None) -> jax.Array:
    """The images of a GIF, shape (frames, height, width, 3)."""
    with _pillow.open(bytes_io.BytesIO(text(contents).item())) as picture:
        frames = []
        for at in range(picture.n_frames):
            picture.seek(at)
            frames.append(np.asarray(picture.convert("RGB")))
    return jnp.asarray(np.stack(frames))


def _encoded(image: Tensor, **how: object) -> Text:
    values = np.asarray(image)
    if values.dtype != "uint16":
        values = values.astype("uint8")
    elif values.shape[-1] != 1:
        raise ValueError(f"Images of 16 bits per channel can only have one channel. Received: shape {values.shape}.")
    target = bytes_io.BytesIO()
    _pillow.fromarray(values[..., 0] if values.shape[-1] == 1 else values).save(target, **how)
    return text(target.getvalue())


def is_jpeg(contents: Tensor, name: str | None = None) -> jax.Array:
    """Whether bytes are those of a JPEG file."""
    return jnp.asarray(text(contents).item().startswith(b"\xff\xd8\xff"))


def extract_jpeg_shape(contents: Tensor, output_type: Tensor = "int32", name: str | None = None) -> jax.Array:
    """The height, width and number of channels of a JPEG file."""
    with _pillow.open(bytes_io.BytesIO(text(contents).item())) as picture:
        return jnp.asarray([picture.height, picture.width, len(picture.getbands())])


def _decode_part(contents: Tensor, crop_window: Tensor, channels: int = 0) -> jax.Array:
    top, left, height, width = sizes(crop_window)
    return _decode(contents, channels)[top : top + height, left : left + width]


def encode_png(image: Tensor, compression: int = -1, name: str | None = None) -> Text:
    """An image of integers from 0 to 255 as the bytes of a PNG file."""
    return _encoded(image, format="PNG")


def encode_jpeg(image: Tensor, format: str = "", quality: int = 95, **how: object) -> Text:
    """An image of integers from 0 to 255 as the bytes of a JPEG file."""
    return _encoded(image, format="JPEG", quality=quality)


# ---------------------------------------------------------------- types and sizes


def convert_image_dtype(image: Tensor, dtype: Tensor, saturate: bool = False, name: str | None = None) -> jax.Array:
    """An image in another dtype, rescaled to its range: 0 to 1, or 0 to the largest integer."""
    image = jnp.asarray(image)
    if image.dtype == dtype:
        return image
    whole, to_whole = dtypes.is_int(image.dtype), dtypes.is_int(dtype)
    if whole and not to_whole:
        return image.astype(dtype) / jnp.iinfo(image.dtype).max
    if to_whole and not whole:
        most = jnp.iinfo(str(dtype)).max
        scaled = image * (most + 0.5)
        return (jnp.clip(scaled, 0, most) if saturate else scaled).astype(dtype)
    if whole:
        bits = [int(jnp.iinfo(str(kind)).max).bit_length() for kind in (dtype, image.dtype)]
        shift = bits[0] - bits[1]
        return image.astype(dtype) << shift if shift > 0 else (image >> -shift).astype(dtype)
    return image.astype(dtype)


def _resize(
    images: Tensor, size: object, method: str = "bilinear", preserve_aspect_ratio: bool = False, antialias: bool = False
) -> jax.Array:
    images, (height, width) = jnp.asarray(images), sizes(size)
    if preserve_aspect_ratio:
        high, wide = images.shape[-3:-1]
        scale = min(height / high, width / wide)
        height, width = round(high * scale), round(wide * scale)
    method = str(method).lower()
    if method == "area":
        return _area(_area(images.astype("float32"), height, -3), width, -2)
    if method == "nearest":
        return ops.image.resize(images, (height, width), "nearest")
    return ops.image.resize(images.astype("float32"), (height, width), method, antialias)


def _area(images: jax.Array, size: int, axis: int) -> jax.Array:
    """Each new row is the mean of the old rows that it covers."""
    count = images.shape[axis]
    edges = np.arange(size + 1) * (count / size)
    old = np.arange(count)
    covered = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    weights = jnp.asarray(np.maximum(covered, 0) * (size / count), images.dtype)
    return jnp.moveaxis(jnp.tensordot(images, weights, (axis, 1)), -1, axis)


def _resize_with_pad(
    image: Tensor, target_height: int, target_width: int, method: str = "bilinear", antialias: bool = False
) -> jax.Array:
    image, size = jnp.asarray(image), np.array((int(target_height), int(target_width)))
    sides = np.array(image.shape[-3:-1])
    exact = sides / (sides / size).max()  # for an odd remainder, the padding before is rounded down
    small = _resize(image, np.floor(exact).astype(int), method, False, antialias)
    return _pad_to_box(small, *np.floor((size - exact) / 2).astype(int).tolist(), *size.tolist())


def _resize_with_crop_or_pad(image: Tensor, target_height: int, target_width: int) -> jax.Array:
    image, height, width = jnp.asarray(image), int(target_height), int(target_width)
    high, wide = image.shape[-3:-1]
    cut = _crop_to_box(
        image, max(high - height, 0) // 2, max(wide - width, 0) // 2, min(high, height), min(wide, width)
    )
    return _pad_to_box(cut, max(height - high, 0) // 2, max(width - wide, 0) // 2, height, width)


def _crop_to_box(
    image: Tensor, offset_height: Tensor, offset_width: Tensor, target_height: int, target_width: int
) -> jax.Array:
    image = jnp.asarray(image)
    rows = jax.lax.dynamic_slice_in_dim(image, offset_height, int(target_height), image.ndim - 3)
    return jax.lax.dynamic_slice_in_dim(rows, offset_width, int(target_width), image.ndim - 2)


def _pad_to_box(
    image: Tensor, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> jax.Array:
    image = jnp.asarray(image)
    below = int(target_height) - int(offset_height) - image.shape[-3]
    right = int(target_width) - int(offset_width) - image.shape[-2]
    amounts = [(0, 0)] * (image.ndim - 3) + [(int(offset_height), below), (int(offset_width), right), (0, 0)]
    return jnp.pad(image, amounts)


def _central_crop(image: Tensor, central_fraction: float) -> jax.Array:
    image = jnp.asarray(image)
    high, wide = image.shape[-3:-1]
    top, left = int((high - high * central_fraction) / 2), int((wide - wide * central_fraction) / 2)
    return _crop_to_box(image, top, left, high - 2 * top, wide - 2 * left)


def _random_crop(value: Tensor, size: Tensor, seed: Tensor = None, draw: Tensor = None) -> jax.Array:
    value = jnp.asarray(value)
    size = tuple(whole if n == -1 else n for n, whole in zip(sizes(size), value.shape, strict=True))
    room = [whole - n for n, whole in zip(size, value.shape, strict=True)]
    if min(room) < 0:
        raise ValueError(f"tf.image.random_crop: size must not exceed {value.shape}. Received: size={size}.")
    draw = draw or random.uniform
    part = draw((len(size),), seed=seed)
    starts = jnp.minimum((part * (jnp.asarray(room) + 1)).astype("int32"), jnp.asarray(room))
    return jax.lax.dynamic_slice(value, tuple(starts), size)


def _crop_and_resize(
    image: Tensor,
    boxes: Tensor,
    box_indices: Tensor,
    crop_size: object,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
) -> jax.Array:
    given = jnp.asarray(image, "float32"), jnp.asarray(boxes), jnp.asarray(box_indices)
    return _cropped(*given, extrapolation_value, size=sizes(crop_size), order=0 if method == "nearest" else 1)


@functools.partial(jax.jit, static_argnames=("size", "order"))  # some fifty operations, compiled as one
def _cropped(
    image: jax.Array, boxes: jax.Array, indices: jax.Array, outside: Tensor, size: tuple[int, int], order: int
) -> jax.Array:
    (height, width), (high, wide) = size, image.shape[1:3]

    def between(low: jax.Array, high: jax.Array, size: int, count: int) -> jax.Array:
        """Positions from one edge to the other; the middle for a single position."""
        low, high = (low, high) if count > 1 else ((low + high) / 2, high)
        return jnp.linspace(low * (size - 1), high * (size - 1), count)

    def one(box: jax.Array, index: jax.Array) -> jax.Array:
        y, x = between(box[0], box[2], high, height), between(box[1], box[3], wide, width)
        grid = jnp.stack(jnp.meshgrid(y, x, indexing="ij"))
        channels = jnp.moveaxis(image[index], -1, 0)
        found = jnp.moveaxis(jax.vmap(lambda c: ops.image.map_coordinates(c, grid, order))(channels), 0, -1)
        inside = (grid[0] >= 0) & (grid[0] <= high - 1) & (grid[1] >= 0) & (grid[1] <= wide - 1)
        return jnp.where(inside[..., None], found, outside)

    return jax.vmap(one)(boxes, indices)


# ---------------------------------------------------------------- turning


def _flip_left_right(image: Tensor) -> jax.Array:
    return jnp.flip(jnp.asarray(image), -2)


def _flip_up_down(image: Tensor) -> jax.Array:
    return jnp.flip(jnp.asarray(image), -3)


def _rot90(image: Tensor, k: int = 1) -> jax.Array:
    image = jnp.asarray(image)
    return jnp.rot90(image, k, (image.ndim - 3, image.ndim - 2))


def _transpose(image: Tensor) -> jax.Array:
    return jnp.swapaxes(jnp.asarray(image), -3, -2)


def _at_random(image: Tensor, seed: Tensor, change: Tensor, draw: Tensor) -> jax.Array:
    """Applies a change to each image of a batch with probability 0.5."""
    image = jnp.asarray(image)
    chance = draw((*image.shape[:-3], 1, 1, 1), seed=seed)
    return jnp.where(chance < 0.5, change(image), image)


# ---------------------------------------------------------------- colours


def _in_floats(image: Tensor, change: AnyFunction) -> jax.Array:
    """A color transformation on the scale from 0 to 1, returned in the dtype of the image."""
    image = jnp.asarray(image)
    if not dtypes.is_int(image.dtype):
        return change(image)
    return convert_image_dtype(change(convert_image_dtype(image, "float32")), image.dtype, saturate=True)


def _adjust_brightness(image: Tensor, delta: object) -> jax.Array:
    return _in_floats(image, lambda x: x + delta)


def _adjust_contrast(images: Tensor, contrast_factor: Tensor) -> jax.Array:
    def change(x: jax.Array) -> jax.Array:
        mean = x.mean((-3, -2), keepdims=True)
        return (x - mean) * contrast_factor + mean

    return _in_floats(images, change)


def _adjust_saturation(image: Tensor, saturation_factor: object) -> jax.Array:
    def change(x: jax.Array) -> jax.Array:
        hue, saturation, value = jnp.moveaxis(ops.image.rgb_to_hsv(x, "channels_last"), -1, 0)
        changed = jnp.stack([hue, jnp.clip(saturation * saturation_factor, 0, 1), value], -1)
        return ops.image.hsv_to_rgb(changed, "channels_last")

    return _in_floats(image, change)


def _adjust_hue(image: Tensor, delta: object) -> jax.Array:
    def change(x: jax.Array) -> jax.Array:
        hue, saturation, value = jnp.moveaxis(ops.image.rgb_to_hsv(x, "channels_last"), -1, 0)
        return ops.image.hsv_to_rgb(jnp.stack([(hue + delta) % 1, saturation, value], -1), "channels_last")

    return _in_floats(image, change)


def _adjust_gamma(image: Tensor, gamma: object = 1, gain: object = 1) -> jax.Array:
    return _in_floats(image, lambda x: gain * x**gamma)


def _between(draw: AnyFunction, low: Tensor, high: Tensor, seed: Tensor) -> jax.Array:
    return draw((), seed=seed, minval=low, maxval=high)


def _random(change: Any, around: bool, draw: Any) -> AnyFunction:
    """A change by a random amount from `lower` to `upper`, or from `-most` to `most`."""
    if around:
        return lambda image, most, seed=None: change(image, _between(draw, -most, most, seed))
    return lambda image, lower, upper, seed=None: change(image, _between(draw, lower, upper, seed))


def _flip(change: object, draw: object) -> Tensor:
    return lambda image, seed=None: _at_random(image, seed, change, draw)


def _standardized(image: Tensor) -> jax.Array:
    image = jnp.asarray(image).astype("float32")
    axes = (-3, -2, -1)
    deviation = jnp.maximum(image.std(axes, keepdims=True), 1 / np.sqrt(np.prod(image.shape[-3:])))
    return (image - image.mean(axes, keepdims=True)) / deviation


def _grayscale_to_rgb(images: Tensor) -> jax.Array:
    return jnp.repeat(jnp.asarray(images), 3, -1)


def _rgb_to_grayscale(images: Tensor) -> jax.Array:
    return _in_floats(images, lambda x: (x @ jnp.asarray([0.2989, 0.587, 0.114], x.dtype))[..., None])


def _last(function: Any) -> AnyFunction:
    return lambda images: function(images, data_format="channels_last")


_rgb_to_hsv, _hsv_to_rgb = _last(ops.image.rgb_to_hsv), _last(ops.image.hsv_to_rgb)


_YUV = np.array([[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]])
_YIQ = np.array([[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]])


def _by_matrix(matrix: np.ndarray) -> AnyFunction:
    """A linear color transformation, as in PAL and NTSC."""
    return lambda images: jnp.asarray(images) @ jnp.asarray(matrix, jnp.asarray(images).dtype)


_rgb_to_yuv, _yuv_to_rgb, _rgb_to_yiq, _yiq_to_rgb = map(
    _by_matrix, (_YUV, np.linalg.inv(_YUV), _YIQ, np.linalg.inv(_YIQ))
)


def _jpeg_quality(image: Tensor, jpeg_quality: Tensor) -> jax.Array:
    image = jnp.asarray(image)
    seen = _decode(encode_jpeg(convert_image_dtype(image, "uint8", saturate=True), quality=int(jpeg_quality)))
    return convert_image_dtype(seen, image.dtype)


def _random_quality(image: Tensor, low: Tensor, high: Tensor, seed: Tensor = None) -> jax.Array:
    return _jpeg_quality(image, _draws["random"]((), minval=low, maxval=high, dtype="int32", seed=seed))


def _stateless_random_quality(image: Tensor, low: Tensor, high: Tensor, seed: Tensor) -> jax.Array:
    return _jpeg_quality(image, _draws["stateless_random"]((), seed=seed, minval=low, maxval=high, dtype="int32"))


def _psnr(a: Tensor, b: Tensor, max_val: Tensor) -> jax.Array:
    top = max_val / 255 if dtypes.is_int(dtypes.dtype_of(a)) else max_val
    error = convert_image_dtype(a, "float32") - convert_image_dtype(b, "float32")
    return 20 * jnp.log10(top) - 10 * jnp.log10(jnp.mean(error**2, (-3, -2, -1)))


def _total_variation(images: Tensor) -> jax.Array:
    images = jnp.asarray(images)
    down, right = tf_math.absolute(jnp.diff(images, axis=-3)), tf_math.absolute(jnp.diff(images, axis=-2))
    return down.sum((-3, -2, -1)) + right.sum((-3, -2, -1))


def _gradients(image: Tensor) -> tuple[jax.Array, jax.Array]:
    image = jnp.asarray(image)
    down = jnp.concatenate([jnp.diff(image, axis=-3), jnp.zeros_like(image[..., :1, :, :])], -3)
    right = jnp.concatenate([jnp.diff(image, axis=-2), jnp.zeros_like(image[..., :, :1, :])], -2)
    return down, right


_ssim = ops.image.ssim


def _similarity(
    first: jax.Array, second: jax.Array, most: float, size: int, sigma: float, k1: float, k2: float
) -> tuple[jax.Array, jax.Array]:
    """The mean similarity of each channel, and its contrast-structure term; shape (..., channels)."""
    places = jnp.arange(size) - (size - 1) / 2
    bell = jax.nn.softmax(-(places[:, None] ** 2 + places**2).ravel() / (2 * sigma**2)).reshape(size, size)

    def blurred(x: jax.Array) -> jax.Array:
        flat = jnp.moveaxis(x, -1, -3).reshape(-1, 1, *x.shape[-3:-1])
        found = jax.lax.conv(flat, bell[None, None], (1, 1), "VALID")
        return jnp.moveaxis(found.reshape(*x.shape[:-3], x.shape[-1], *found.shape[2:]), -3, -1)

    means = blurred(first), blurred(second)
    product, squares = means[0] * means[1] * 2, means[0] ** 2 + means[1] ** 2
    low, high = (k1 * most) ** 2, (k2 * most) ** 2
    brightness = (product + low) / (squares + low)
    around = (blurred(first * second) * 2 - product + high) / (blurred(first**2 + second**2) - squares + high)
    return (brightness * around).mean((-3, -2)), around.mean((-3, -2))


def _halved(images: jax.Array) -> jax.Array:
    sides = [(0, size % 2) for size in images.shape[-3:-1]]
    padded = jnp.pad(images, [(0, 0)] * (images.ndim - 3) + [*sides, (0, 0)], mode="symmetric")
    rows, columns = (size // 2 for size in padded.shape[-3:-1])
    return padded.reshape(*padded.shape[:-3], rows, 2, columns, 2, padded.shape[-1]).mean((-4, -2))


def _ssim_multiscale(
    img1: Tensor, img2: Tensor, max_val: float,
    power_factors: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
    filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
) -> jax.Array:  # fmt: skip
    """The multi-scale structural similarity (Wang, Simoncelli and Bovik, 2003)."""
    most = float(convert_image_dtype(jnp.asarray(max_val, jnp.asarray(img1).dtype), "float32"))
    first, second = (convert_image_dtype(jnp.asarray(each), "float32") for each in (img1, img2))
    found = []
    for at in range(len(power_factors)):
        if at:
            first, second = _halved(first), _halved(second)
        whole, around = _similarity(first, second, most, filter_size, filter_sigma, k1, k2)
        found.append(jax.nn.relu(whole if at == len(power_factors) - 1 else around))
    return jnp.prod(jnp.stack(found, -1) ** jnp.asarray(power_factors), -1).mean(-1)


def _glimpses(
    input: Tensor, size: Tensor, offsets: Tensor, centered: bool = True, normalized: bool = True,
    noise: str = "uniform",
) -> jax.Array:  # fmt: skip
    """Windows of images around given positions; outside is noise or zero."""
    images, offsets = np.asarray(input, "float32"), np.asarray(offsets, "float32")
    height, width = (int(each) for each in np.asarray(size))
    sides = np.array(images.shape[1:3], "float32")
    places = offsets * sides if normalized else offsets
    starts = (places + sides) / 2 if centered and normalized else places + sides / 2 if centered else places
    starts = np.floor(starts - np.array([height, width]) / 2).astype(int) if centered else starts.astype(int)
    draws: dict[str, Tensor] = {"uniform": random.uniform, "gaussian": random.normal, "zero": jnp.zeros}
    made = np.array(draws[noise]((len(images), height, width, images.shape[3])))
    for image, window, (top, left) in zip(images, made, starts, strict=True):
        rows, columns = np.arange(height) + top, np.arange(width) + left
        held = [(each >= 0) & (each < side) for each, side in zip((rows, columns), image.shape, strict=False)]
        window[np.ix_(*held)] = image[np.ix_(rows[held[0]], columns[held[1]])]
    return jnp.asarray(made)


def _sobel(image: Tensor) -> jax.Array:
    around = ((0, 0), (1, 1), (1, 1), (0, 0))  # reflected at the border, unlike the zeros in Keras
    return ops.image.sobel_edges(jnp.pad(image, around, mode="reflect"))[:, 1:-1, 1:-1]


def _patches(images: Tensor, sizes: Tensor, strides: Tensor, rates: Tensor, padding: str) -> jax.Array:
    return ops.image.extract_patches(images, sizes[1:3], strides[1:3], rates[1:3], padding.lower(), "channels_last")


_draws: dict[str, Tensor] = {"random": random.uniform, "stateless_random": random.stateless_uniform}
for _kind, _draw in _draws.items():
    for _name, _change, _around in (
        ("brightness", _adjust_brightness, True), ("contrast", _adjust_contrast, False),
        ("hue", _adjust_hue, True), ("saturation", _adjust_saturation, False),
    ):  # fmt: skip
        globals()[f"_{_kind}_{_name}"] = _random(_change, _around, _draw)
    globals()[f"_{_kind}_flip_left_right"] = _flip(_flip_left_right, _draw)
    globals()[f"_{_kind}_flip_up_down"] = _flip(_flip_up_down, _draw)


def _stateless_random_crop(value: Tensor, size: object, seed: object) -> jax.Array:
    return _random_crop(value, size, seed, random.stateless_uniform)


_BOXES = ("by_overlaps", "combined", "draw_boxes", "filled_up", "non_max_suppression", "sample_distorted",
          "stateless_sample_distorted", "with_scores")  # fmt: skip

globals().update(
    functions(
        """
        adjust_brightness         _adjust_brightness image delta
        adjust_contrast           _adjust_contrast images contrast_factor
        adjust_gamma              _adjust_gamma   image gamma gain
        adjust_hue                _adjust_hue     image delta
        adjust_jpeg_quality       _jpeg_quality   image jpeg_quality
        adjust_saturation         _adjust_saturation image saturation_factor
combined_non_max_suppression _combined boxes scores max_output_size_per_class max_total_size iou_threshold \
            score_threshold pad_per_class clip_boxes
        central_crop              _central_crop   image central_fraction
        crop_and_resize           _crop_and_resize image boxes box_indices crop_size method extrapolation_value
        crop_to_bounding_box      _crop_to_box    image offset_height offset_width target_height target_width
        decode_and_crop_jpeg      _decode_part    contents crop_window channels -ratio -fancy_upscaling -dct_method
        decode_bmp                _decode         contents channels
        decode_image              _decode         contents channels dtype -expand_animations
        decode_jpeg               _decode         contents channels -ratio -fancy_upscaling -dct_method
        decode_png                _decode         contents channels dtype
        decode_webp               _decode         contents channels dtype
        draw_bounding_boxes       _draw_boxes     images boxes colors
        extract_patches           _patches        images sizes strides rates padding
        flip_left_right           _flip_left_right image
        flip_up_down              _flip_up_down   image
        grayscale_to_rgb          _grayscale_to_rgb images
        hsv_to_rgb                _hsv_to_rgb     images
        image_gradients           _gradients      image
        non_max_suppression       _non_max_suppression boxes scores max_output_size iou_threshold score_threshold
        non_max_suppression_overlaps _by_overlaps overlaps scores max_output_size overlap_threshold score_threshold
non_max_suppression_padded _filled_up boxes scores max_output_size iou_threshold score_threshold \
            pad_to_max_output_size
non_max_suppression_with_scores _with_scores boxes scores max_output_size iou_threshold score_threshold \
            soft_nms_sigma
        pad_to_bounding_box       _pad_to_box     image offset_height offset_width target_height target_width
        per_image_standardization _standardized   image
        psnr                      _psnr           a b max_val
        random_brightness         _random_brightness image max_delta=most seed
        random_contrast           _random_contrast image lower upper seed
        random_crop               _random_crop    value size seed
        random_flip_left_right    _random_flip_left_right image seed
        random_flip_up_down       _random_flip_up_down image seed
        random_hue                _random_hue     image max_delta=most seed
        random_jpeg_quality       _random_quality image min_jpeg_quality=low max_jpeg_quality=high seed
        random_saturation         _random_saturation image lower upper seed
        resize                    _resize         images size method preserve_aspect_ratio antialias
        resize_with_crop_or_pad   _resize_with_crop_or_pad image target_height target_width
        resize_with_pad           _resize_with_pad image target_height target_width method antialias
        rgb_to_grayscale          _rgb_to_grayscale images
        rgb_to_hsv                _rgb_to_hsv     images
        rgb_to_yiq                _rgb_to_yiq     images
        rgb_to_yuv                _rgb_to_yuv     images
        rot90                     _rot90          image k
sample_distorted_bounding_box _sample_distorted image_size bounding_boxes seed min_object_covered \
            aspect_ratio_range area_range max_attempts use_image_if_no_bounding_boxes
        sobel_edges               _sobel          image
        extract_glimpse           _glimpses       input size offsets centered normalized noise
        ssim_multiscale           _ssim_multiscale img1 img2 max_val power_factors filter_size filter_sigma k1 k2
        ssim                      _ssim           img1=image1 img2=image2 max_val filter_size filter_sigma k1 k2
        stateless_random_brightness _stateless_random_brightness image max_delta=most seed
        stateless_random_contrast _stateless_random_contrast image lower upper seed
        stateless_random_crop     _stateless_random_crop value size seed
        stateless_random_flip_left_right _stateless_random_flip_left_right image seed
        stateless_random_flip_up_down _stateless_random_flip_up_down image seed
        stateless_random_hue      _stateless_random_hue image max_delta=most seed
        stateless_random_jpeg_quality _stateless_random_quality image min_jpeg_quality=low max_jpeg_quality=high seed
stateless_sample_distorted_bounding_box _stateless_sample_distorted image_size bounding_boxes seed \
            min_object_covered aspect_ratio_range area_range max_attempts use_image_if_no_bounding_boxes
        stateless_random_saturation _stateless_random_saturation image lower upper seed
        total_variation           _total_variation images
        yiq_to_rgb                _yiq_to_rgb     images
        yuv_to_rgb                _yuv_to_rgb     images
        transpose                 _transpose      image
        """,
        {**globals(), **{f"_{name}": getattr(boxes, name) for name in _BOXES}},
        "image.",
    )
)
__getattr__ = within(__name__)
