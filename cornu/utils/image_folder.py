"""A directory of images as a dataset of arrays of the same size."""

import os
import threading
from collections.abc import Sequence

import numpy as np

from cornu import validate
from cornu.data import Dataset
from cornu.utils import labelled_files
from cornu.utils.image import central
from cornu.utils.pixels import pixels
from cornu.utils.resampling import INTERPOLATIONS, resized

__all__ = ["image_dataset_from_directory"]

_OWNER = "image_dataset_from_directory"
_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}  # one letter per channel


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: object = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Dataset | list[Dataset]:
    """A dataset of the images in a directory, whose subdirectories are the classes.

    The images (BMP, GIF, JPEG, PNG; of an animation the first frame) are read lazily with Pillow. They are resized as
    in TensorFlow, whose JPEG decoder computes with less precision: pixels differ by a few of 255 levels, and by up to
    50 for noise at quality 100. If simplejpeg is installed, it decodes JPEG faster, to the same pixels.

    Args:
        directory: path of the directory.
        labels: `"inferred"` from the subdirectories, a list of labels in the order of the sorted paths, or None for
            none.
        label_mode: `"int"` for int32 of shape `(batch,)`, `"categorical"` for float32 of shape `(batch, classes)`,
            `"binary"` for float32 of shape `(batch, 1)`, 0 or 1, or None for none.
        class_names: the subdirectories to use, in the order of their labels; None uses all, in alphabetical order.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`: 3, 4 or 1 channels.
        batch_size: number of images in a batch; None yields single ones. Defaults to 32.
        image_size: (height, width) to which images are resized, in pixels. Defaults to `(256, 256)`.
        shuffle: whether to shuffle the images in each epoch; otherwise they are sorted by path. Defaults to True.
        seed: seed of the shuffling; None draws one from NumPy's global generator.
        validation_split: fraction of the images, the last ones after shuffling, reserved for validation. None by
        default.
        subset: `"training"`, `"validation"`, or `"both"` for a list of both datasets. Needs
            `validation_split`; None by default.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`, `"lanczos5"`, `"gaussian"` or
            `"mitchellcubic"`.
        follow_links: whether to follow symbolic links to subdirectories. Defaults to False.
        crop_to_aspect_ratio: whether to center-crop images to the aspect ratio of `image_size`. Defaults to False.
        pad_to_aspect_ratio: whether to keep the aspect ratio, padding with zeros to `image_size`. Defaults to False.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        format: must be `"tf"`, Keras's default: the result is a `cornu.data.Dataset`.
        verbose: whether to print the number of files. Defaults to True.

    Returns:
        A dataset of float32 images from 0 to 255 of shape `(batch, height, width, channels)`, or of pairs with labels.
        Its `class_names` and `file_paths` attributes list what was found.

    Raises:
        FileNotFoundError: if the directory does not exist.
        ValueError: if it contains no images, or the arguments are inconsistent.

    Example:

        import os

        for name in ("cats/1.png", "dogs/1.png"):
            os.makedirs(os.path.dirname(name))
            cornu.utils.save_img(name, np.random.random((20, 30, 3)))
        data = cornu.utils.image_dataset_from_directory(".", image_size=(8, 8), verbose=False)
        for images, labels in data:
            print(images.shape, labels.shape, data.class_names)  # (2, 8, 8, 3) (2,) ['cats', 'dogs']
    """
    validate.one_of(format, ("tf",), "format", _OWNER)
    validate.one_of(color_mode, tuple(_MODES), "color_mode", _OWNER)
    validate.one_of(interpolation, INTERPOLATIONS, "interpolation", _OWNER)
    height, width = validate.int_tuple(image_size, 2, "image_size", _OWNER)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(f"{_OWNER}: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.")
    first = validate.data_format(data_format, _OWNER) == "channels_first"
    pillow = validate.optional_import("PIL.Image", extra="image", purpose=_OWNER)

    channels = len(_MODES[color_mode])
    turn = threading.Lock()  # NumPy lets others go on at each operation: two that resize at once take 2.5 times as long

    def read(path: str, out: np.ndarray | None = None) -> np.ndarray:
        with open(path, "rb", buffering=0) as file:
            image = pixels(pillow, file.read(), _MODES[color_mode])
        if crop_to_aspect_ratio:
            image = _cropped(image, height, width)
        with turn:
            if pad_to_aspect_ratio:
                image = _padded(image, height, width, interpolation)
            else:
                image = resized(image, height, width, interpolation, None if first else out)
        return image.transpose(2, 0, 1) if first else image

    asked = labelled_files.Request(
        _OWNER, "images", _ENDINGS, directory, labels, label_mode, class_names, batch_size, shuffle, seed,
        validation_split, subset, follow_links, verbose,
    )  # fmt: skip
    shape = (channels, height, width) if first else (height, width, channels)
    return labelled_files.datasets(asked, read, shape=shape)


def _cropped(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The center of an image, with the aspect ratio of `height` and `width`."""
    left, top, right, bottom = central((image.shape[1], image.shape[0]), width, height)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def _padded(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """An image scaled to fit in `height` and `width` with its own aspect ratio, padded with zeros."""
    rows, columns = np.float32(image.shape[0]), np.float32(image.shape[1])
    ratio = max(columns / np.float32(width), rows / np.float32(height))
    down, across = float(rows / ratio), float(columns / ratio)
    top, left = int(max(0, (height - down) / 2)), int(max(0, (width - across) / 2))
    inner = resized(image, max(1, int(down)), max(1, int(across)), interpolation)
    result = np.zeros((height, width, image.shape[2]), "float32")
    result[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return result
