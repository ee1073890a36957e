"""Images and arrays: reading, converting and writing. Pillow handles the files."""

import os
import pathlib
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from cornu import ops, settings, validate
from cornu.core.typing import Tensor

_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}  # others are converted to the first
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_RESIZINGS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


def load_img(
    path: object,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Load an image as a Pillow image.

    Args:
        path: the file's path, or an `io.BytesIO` with its contents.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`; other images are converted. Grayscale keeps 16 and 32 bits.
            Defaults to `"rgb"`.
        target_size: (height, width) in pixels to resize to; None keeps the size.
        interpolation: resizing method: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: whether to center-crop the image instead of distorting it. Defaults to False.

    Raises:
        FileNotFoundError: if the file does not exist.

    Example:

        cornu.utils.save_img("dot.png", np.zeros((4, 6, 3)))
        print(cornu.utils.load_img("dot.png", target_size=(8, 8)).size)  # (8, 8)
    """
    owner = "load_img"
    validate.one_of(color_mode, tuple(_MODES), "color_mode", owner)
    validate.one_of(interpolation, _INTERPOLATIONS, "interpolation", owner)
    if target_size is not None:
        height, width = validate.int_tuple(target_size, 2, "target_size", owner)
    if not hasattr(path, "read") and not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"load_img: path must be a path or an io.BytesIO. Received: {type(path).__name__}.")
    pillow = _pillow("load_img")
    image = pillow.open(path)
    image.load()
    if image.mode not in _MODES[color_mode]:
        image = image.convert(_MODES[color_mode][0])
    if target_size is None or image.size == (width, height):
        return image
    box = central(image.size, width, height) if keep_aspect_ratio else None
    return image.resize((width, height), pillow.Resampling[interpolation.upper()], box=box)


def central(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The largest center crop of an image of `size` with the aspect ratio of width and height."""
    across, down = size
    part_across, part_down = min(across, down * width // height), min(down, across * height // width)
    left, top = (across - part_across) // 2, (down - part_down) // 2
    return left, top, left + part_across, top + part_down


def img_to_array(img: object, data_format: str | None = None, dtype: str | None = None) -> np.ndarray:
    """Convert a Pillow image, or an array, to an array with three axes.

    Args:
        img: the image.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.
        dtype: dtype of the array; None is `config.floatx()`.

    Returns:
        Array of shape (height, width, channels) or (channels, height, width).

    Example:

        print(cornu.utils.img_to_array(np.zeros((4, 6))).shape)  # (4, 6, 1)
    """
    data_format = validate.data_format(data_format, "img_to_array")
    array = np.asarray(img, dtype=dtype or settings.floatx())
    if array.ndim not in (2, 3):
        raise ValueError(f"img_to_array: an image has 2 or 3 axes. Received an array of shape {array.shape}.")
    array = array.reshape(*array.shape, *(1,) * (3 - array.ndim))  # (height, width, channels)
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


def array_to_img(x: object, data_format: str | None = None, scale: bool = True, dtype: str | None = None) -> Any:
    """Convert an array to a Pillow image.

    Args:
        x: array of shape (height, width, channels), or channels first; 1, 3 or 4 channels.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.
        scale: whether to scale the values so that the minimum is 0 and the maximum 255. Defaults to True.
        dtype: dtype in which the scaling is done; None is `config.floatx()`.

    Example:

        print(cornu.utils.array_to_img(np.ones((4, 6, 3))).size)  # (6, 4)
    """
    data_format = validate.data_format(data_format, "array_to_img")
    pillow = _pillow("array_to_img")
    array = np.asarray(x, dtype=dtype or settings.floatx())
    if array.ndim != 3:
        raise ValueError(f"array_to_img: x must be one image, with 3 axes. Received an array of shape {array.shape}.")
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
    channels = array.shape[2]
    if channels not in (1, 3, 4):
        raise ValueError(f"array_to_img: an image has 1, 3 or 4 channels. Received: {channels}.")
    if scale:
        array = array - array.min()
        array = array / (array.max() or 1) * 255
    if channels == 1:
        deep = array.max() > 255
        return pillow.fromarray(array[..., 0].astype("int32" if deep else "uint8"))
    return pillow.fromarray(array.astype("uint8"))


def save_img(
    path: object,
    x: object,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: object,
) -> None:
    """Write an array to an image file.

    Args:
        path: the file's path, whose extension determines the format, or an open file.
        x: array of shape (height, width, channels), or channels first.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.
        file_format: the format, if the extension does not determine it: `"png"`, `"jpeg"`, ... None by default.
        scale: whether to scale the values to 0 to 255. Defaults to True.
        kwargs: passed to Pillow's `Image.save`, such as `quality=90`.

    Example:

        cornu.utils.save_img("noise.png", np.random.random((8, 8, 3)))
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    ending = (file_format or pathlib.PurePath(str(path)).suffix.lstrip(".")).lower()
    if image.mode == "RGBA" and ending in ("jpg", "jpeg"):
        warnings.warn("save_img: JPEG has no transparency; the fourth channel is dropped.", stacklevel=2)
        image = image.convert("RGB")
    image.save(path, format="jpeg" if file_format == "jpg" else file_format, **kwargs)


def smart_resize(
    x: Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    **kwargs: object,
) -> Tensor:
    """Resize images without distortion: the largest center crop with the aspect ratio of `size`, scaled to that size.

    Args:
        x: image or batch of images.
        size: (height, width) in pixels.
        interpolation: `"bilinear"`, `"nearest"`, `"lanczos3"`, `"lanczos5"` or `"bicubic"`.
        data_format: `"channels_last"` or `"channels_first"`.
        kwargs: not supported.

    Returns:
        A NumPy array if `x` is one, else a tensor.

    Example:

        print(cornu.preprocessing.image.smart_resize(np.zeros((5, 9, 3)), (4, 4)).shape)  # (4, 4, 3)
    """
    owner = "smart_resize"
    if kwargs:
        raise TypeError(f"smart_resize: unknown argument(s) {', '.join(map(repr, kwargs))}.")
    height, width = validate.int_tuple(size, 2, "size", owner)
    validate.one_of(interpolation, _RESIZINGS, "interpolation", owner)
    data_format = validate.data_format(data_format, owner)
    if len(x.shape) not in (3, 4):
        raise ValueError(f"smart_resize: x must be an image or a batch of them. Received an array of shape {x.shape}.")
    first = len(x.shape) - (3 if data_format == "channels_last" else 2)  # the axis of the height
    down, across = x.shape[first], x.shape[first + 1]
    left, top, right, bottom = central((across, down), width, height)
    part = x[(slice(None),) * first + (slice(top, bottom), slice(left, right))]
    resized = ops.image.resize(part, (height, width), interpolation=interpolation, data_format=data_format)
    return np.asarray(resized) if isinstance(x, np.ndarray) else resized


def _pillow(purpose: str) -> ModuleType:
    return validate.optional_import("PIL.Image", extra="image", purpose=purpose)
