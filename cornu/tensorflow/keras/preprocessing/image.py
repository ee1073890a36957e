"""`tensorflow.keras.preprocessing.image`: randomly transformed images in batches, as in Keras 2.

All random numbers come from NumPy's global generator in the same order as in Keras: a seed gives the same images.
"""

import os
import warnings
from collections.abc import Iterator as Batches, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cornu import lazy, settings, validate
from cornu.core.typing import AnyFunction, AnyList, DTypeLike, Kwargs, Nested, Tensor
from cornu.training.data.batches import PyDataset
from cornu.utils.image import array_to_img, img_to_array, load_img, save_img, smart_resize

if TYPE_CHECKING:
    import PIL.ImageEnhance as enhance  # noqa: N813
    import scipy.ndimage as ndimage
else:
    ndimage = lazy.module("scipy.ndimage")
    enhance = lazy.module("PIL.ImageEnhance")

__all__ = [
    "DataFrameIterator", "DirectoryIterator", "ImageDataGenerator", "Iterator", "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift", "apply_channel_shift", "array_to_img", "img_to_array", "load_img", "random_brightness",
    "random_channel_shift", "random_rotation", "random_shear", "random_shift", "random_zoom", "save_img",
    "smart_resize",
]  # fmt: skip

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")

# ---------------------------------------------------------------- one picture


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """An image turned, moved, sheared and zoomed about its middle.

    Args:
        x: image with three axes.
        theta: angle in degrees.
        tx: shift in columns, where `row_axis` is before `col_axis`.
        ty: shift in rows, likewise.
        shear: angle in degrees.
        zx: factor for columns, likewise; below 1 the image grows.
        zy: factor for rows.
        row_axis, col_axis, channel_axis: where the axes are.
        fill_mode: what is outside: "constant", "nearest", "reflect" or "wrap".
        cval: the constant.
        order: degree of the splines between pixels.
    """
    turn, slant = np.deg2rad(theta), np.deg2rad(shear)
    matrix = np.eye(3)
    if theta:
        matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    if tx or ty:
        matrix = matrix @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear:
        matrix = matrix @ np.array([[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        matrix = matrix @ np.diag([zx, zy, 1])
    if np.array_equal(matrix, np.eye(3)):
        return x
    middle = np.array([x.shape[row_axis] / 2 - 0.5, x.shape[col_axis] / 2 - 0.5])
    offset = matrix[:2, :2] @ -middle + matrix[:2, 2] + middle
    matrix = matrix[:2, :2]
    if row_axis < col_axis:  # Keras's matrix is for columns before rows
        matrix, offset = matrix[::-1, ::-1], offset[::-1]
    planes = np.moveaxis(x, (channel_axis, row_axis, col_axis), (0, 1, 2))
    moved = [
        ndimage.affine_transform(plane, matrix, offset, order=order, mode=fill_mode, cval=cval) for plane in planes
    ]
    return np.moveaxis(np.stack(moved), (0, 1, 2), (channel_axis, row_axis, col_axis))


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """`intensity` added to every value, within the range that the image has."""
    return np.clip(x + intensity, np.min(x), np.max(x))


def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """An image made brighter (above 1) or darker.

    Args:
        x: image with three axes.
        brightness: the factor.
        scale: whether values are stretched to 0 to 255 first.
    """
    low, high = np.min(x), np.max(x)
    beyond = low < 0 or high > 255
    bright = img_to_array(enhance.Brightness(array_to_img(x, scale=beyond or scale)).enhance(brightness))
    return bright / 255 * (high - low) + low if beyond and not scale else bright


def random_rotation(
    x: np.ndarray, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> np.ndarray:
    """An image turned by up to `rg` degrees; options as for `apply_affine_transform`."""
    return _affine(x, row_axis, col_axis, channel_axis, options, theta=np.random.uniform(-rg, rg))


def random_shift(
    x: np.ndarray, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> np.ndarray:
    """An image moved by up to the shares `wrg` of its width and `hrg` of its height."""
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return _affine(x, row_axis, col_axis, channel_axis, options, tx=tx, ty=ty)


def random_shear(
    x: np.ndarray, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, **options: Any
) -> np.ndarray:
    """An image sheared by up to `intensity` degrees."""
    return _affine(x, row_axis, col_axis, channel_axis, options, shear=np.random.uniform(-intensity, intensity))


def random_zoom(
    x: np.ndarray, zoom_range: Sequence[float], row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    **options: Any,
) -> np.ndarray:  # fmt: skip
    """An image zoomed by factors between the two of `zoom_range`."""
    if len(zoom_range) != 2:
        raise ValueError(
            f"random_zoom: zoom_range must be two numbers. Received: zoom_range={validate.shown(zoom_range)}."
        )
    zx, zy = _zooms(zoom_range)
    return _affine(x, row_axis, col_axis, channel_axis, options, zx=zx, zy=zy)


def _zooms(between: Sequence[float]) -> tuple[float, float]:
    """The factors of rows and columns; no number is drawn for an image that keeps its size."""
    least, most = between
    return (1.0, 1.0) if least == most == 1 else tuple(np.random.uniform(least, most, 2))


def _affine(x: np.ndarray, row: int, column: int, channel: int, options: Kwargs, **how: Any) -> np.ndarray:
    order = options.pop("interpolation_order", 1)
    return apply_affine_transform(x, **how, row_axis=row, col_axis=column, channel_axis=channel, order=order, **options)


def random_channel_shift(x: np.ndarray, intensity_range: float, channel_axis: int = 0) -> np.ndarray:
    """An image with up to `intensity_range` added to or taken from every value."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def random_brightness(x: np.ndarray, brightness_range: Sequence[float], scale: bool = True) -> np.ndarray:
    """An image made brighter or darker by a factor between the two of `brightness_range`."""
    if len(brightness_range) != 2:
        raise ValueError(
            f"random_brightness: brightness_range must be two numbers. Received: {validate.shown(brightness_range)}."
        )
    least, most = brightness_range
    return apply_brightness_shift(x, np.random.uniform(least, most), scale)


# ---------------------------------------------------------------- batches


class Iterator(PyDataset):
    """Batches of `n` images; a subclass writes `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: number of images.
        batch_size: images in a batch.
        shuffle: whether their order is drawn anew in each epoch.
        seed: seed of the order and of what is done to the images.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.index_array: np.ndarray | None = None

    def _set_index_array(self) -> np.ndarray:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)
        return self.index_array

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return (self.n + self.batch_size - 1) // self.batch_size

    def __getitem__(self, index: int) -> Any:
        """A batch of this epoch."""
        if index >= len(self):
            raise IndexError(f"{type(self).__name__}: there are {len(self)} batches. Received: index={index}.")
        self._seed()
        return self._batch(index)

    def __iter__(self) -> "Batches[Any]":
        """Batches forever, epoch after epoch, as in Keras 2."""
        return self

    def __next__(self) -> Any:
        self._seed()
        if self.batch_index == 0:
            self._set_index_array()
        index, self.batch_index = self.batch_index, (self.batch_index + 1) % len(self)
        return self._batch(index)

    next = __next__

    def reset(self) -> None:
        """Begin an epoch."""
        self.batch_index = 0

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        self._set_index_array()

    def _seed(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def _batch(self, index: int) -> Tensor:
        order = self._set_index_array() if self.index_array is None else self.index_array
        return self._get_batches_of_transformed_samples(order[index * self.batch_size : (index + 1) * self.batch_size])

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        raise TypeError(f"{type(self).__name__} must define _get_batches_of_transformed_samples(index_array).")


class Keeping(NamedTuple):
    """Where images that were served are kept, to be considered.

    A folder, the start of their names, their format, and below which number one is drawn for each name.
    """

    folder: str | os.PathLike[str] | None = None
    prefix: str = ""
    format: str = "png"
    below: int = 10_000_000

    def keep(self, pictures: np.ndarray, numbers: np.ndarray, data_format: str) -> None:
        """Write the images, whose numbers in the data become part of their names."""
        if self.folder is None:
            return
        for number, picture in zip(numbers, pictures, strict=True):
            file = f"{self.prefix}_{number}_{np.random.randint(self.below)}.{self.format}"
            array_to_img(picture, data_format, scale=True).save(os.path.join(self.folder, file))


def _with_others(x: np.ndarray, *others: Any) -> tuple[np.ndarray, ...] | np.ndarray:
    """`x`, or a tuple of it and the other inputs."""
    there = [each for each in others if each is not None]
    return (x, *there) if there else x


class NumpyArrayIterator(Iterator):
    """Batches from arrays: what `ImageDataGenerator.flow` returns, which see for the arguments."""

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        image_data_generator: "ImageDataGenerator",
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: object = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        dtype: DTypeLike | None = None,
    ):
        self.keeping = Keeping(save_to_dir, save_prefix, save_format, below=10_000)
        pictures = np.asarray(x)
        others = [None if each is None else np.asarray(each) for each in (y, sample_weight)]
        for name, each in zip(("y", "sample_weight"), others, strict=True):
            if each is not None and len(each) != len(pictures):
                raise ValueError(f"flow: x and {name} must have one length. Received: {len(pictures)}, {len(each)}.")
        if pictures.ndim != 4:
            raise ValueError(
                f"flow: x must have four axes, (pictures, rows, columns, channels). Received: {pictures.shape}."
            )
        part = image_data_generator.part(len(pictures), subset)
        self.x = pictures[part].astype(dtype or settings.floatx())
        self.y, self.sample_weight = (None if each is None else each[part] for each in others)
        self.image_data_generator = image_data_generator
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> tuple[np.ndarray, ...] | np.ndarray:
        pictures = np.array([self.image_data_generator.drawn(self.x[number]) for number in index_array], self.x.dtype)
        self.keeping.keep(pictures, index_array, self.image_data_generator.data_format)
        others = (None if each is None else each[index_array] for each in (self.y, self.sample_weight))
        return _with_others(pictures, *others)


class _FileIterator(Iterator):
    """Batches of images that are read from files as they are needed; a subclass finds the files and their targets."""

    class_mode: str | None
    labels: Any  # the targets of all files, in the format of `class_mode`
    num_classes: int

    def __init__(
        self,
        image_data_generator: "ImageDataGenerator",
        target_size: tuple[int, int],
        color_mode: str,
        interpolation: str,
        keep_aspect_ratio: bool,
        dtype: Any,
        keeping: Keeping,
    ):
        self.image_data_generator, self.keeping = image_data_generator, keeping
        height, width = target_size
        self.target_size, self.color_mode = (height, width), color_mode
        self.interpolation, self.keep_aspect_ratio = interpolation, keep_aspect_ratio
        self.dtype = dtype or settings.floatx()

    def _begin(self, filepaths: Sequence[str], batch_size: int, shuffle: bool, seed: int | None) -> None:
        self.filepaths = list(filepaths)
        self.samples = len(self.filepaths)
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        pictures = np.array([self._picture(self.filepaths[number]) for number in index_array], self.dtype)
        self.keeping.keep(pictures, index_array, self.image_data_generator.data_format)
        return self._with_targets(index_array, pictures)

    def _with_targets(self, index_array: np.ndarray, pictures: np.ndarray) -> tuple[np.ndarray, ...] | np.ndarray:
        return _with_others(pictures, self._of_classes(index_array, pictures))

    def _picture(self, path: str) -> np.ndarray:
        picture = load_img(path, self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio)
        order = self.image_data_generator.data_format
        return self.image_data_generator.drawn(img_to_array(picture, order, self.dtype))

    def _of_classes(self, index_array: np.ndarray, pictures: np.ndarray) -> np.ndarray | None:
        """The targets for class indices, or for images without classes."""
        if self.class_mode == "input":
            return pictures.copy()
        if self.class_mode is None:
            return None
        labels = self.labels[index_array]
        if self.class_mode == "categorical":
            return np.eye(self.num_classes, dtype=self.dtype)[labels]
        return labels.astype(self.dtype)


class DirectoryIterator(_FileIterator):
    """Batches from a folder: what `ImageDataGenerator.flow_from_directory` returns, which see for the arguments."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: "ImageDataGenerator",
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: DTypeLike | None = None,
    ):
        validate.one_of(
            class_mode, ("categorical", "binary", "sparse", "input", None), "class_mode", "flow_from_directory"
        )
        keeping = Keeping(save_to_dir, save_prefix, save_format)
        super().__init__(
            image_data_generator, target_size, color_mode, interpolation, keep_aspect_ratio, dtype, keeping
        )
        self.directory, self.class_mode = directory, class_mode
        root = Path(directory)
        names = classes or sorted(each.name for each in root.iterdir() if each.is_dir())
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        found: list[tuple[str, int]] = []
        for name, number in self.class_indices.items():
            files = sorted(_pictures_below(root / name, follow_links))
            found += [
                (str(file.relative_to(root)), number) for file in files[image_data_generator.part(len(files), subset)]
            ]
        self.filenames = [name for name, _ in found]
        self.classes = self.labels = np.array([number for _, number in found], "int32")
        print(f"Found {len(found)} images belonging to {self.num_classes} classes.")
        self._begin([os.path.join(directory, name) for name in self.filenames], batch_size, shuffle, seed)


def _pictures_below(folder: Path, follow_links: bool) -> list[Path]:
    found = (Path(root) / name for root, _, names in os.walk(folder, followlinks=follow_links) for name in names)
    return [file for file in found if file.suffix.lower() in _ENDINGS]


_OF_CLASSES = ("binary", "categorical", "sparse")
_FRAME_MODES = ("binary", "categorical", "input", "multi_output", "raw", "sparse", None)


class DataFrameIterator(_FileIterator):
    """Batches from files that a frame names: what `ImageDataGenerator.flow_from_dataframe` returns, which see."""

    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: "ImageDataGenerator | None" = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ):
        validate.one_of(class_mode, _FRAME_MODES, "class_mode", "flow_from_dataframe")
        keeping = Keeping(save_to_dir, save_prefix, save_format)
        image_data_generator = image_data_generator or ImageDataGenerator()
        super().__init__(
            image_data_generator, target_size, color_mode, interpolation, keep_aspect_ratio, dtype, keeping
        )
        self.directory, self.class_mode = directory or "", class_mode
        if weight_col in dataframe.columns and dataframe[weight_col].dtype.kind not in "biuf":
            raise TypeError(
                f"flow_from_dataframe: the column {weight_col!r} of weights must contain numbers. Received: "
                f"{dataframe[weight_col].iloc[0]!r}."
            )
        columns = [y_col] if isinstance(y_col, str) else list(y_col)
        self._check_columns(dataframe, [x_col, *self._needed(columns), *([weight_col] if weight_col else [])])
        rows = self._rows_with_files(dataframe, x_col) if validate_filenames else dataframe
        if class_mode in _OF_CLASSES:
            rows = self._with_classes(rows, columns[0], classes)
        rows = rows.iloc[image_data_generator.part(len(rows), subset)]
        self.filenames = [str(name) for name in rows[x_col]]
        self.sample_weight = None if weight_col is None else rows[weight_col].to_numpy()
        self._read_targets(rows, columns)
        found = f"Found {len(rows)} validated image filenames" if validate_filenames else f"Found {len(rows)} filenames"
        print(found + (f" belonging to {self.num_classes} classes." if class_mode in _OF_CLASSES else "."))
        self._begin([os.path.join(self.directory, name) for name in self.filenames], batch_size, shuffle, seed)

    def _needed(self, columns: list[str]) -> list[str]:
        return [] if self.class_mode in ("input", None) else columns

    def _check_columns(self, dataframe: Any, needed: list[str]) -> None:
        missing = [name for name in needed if name not in dataframe.columns]
        if missing:
            raise ValueError(
                f"flow_from_dataframe: the frame has no column {', '.join(map(repr, missing))}. Its columns are "
                f"{', '.join(map(repr, dataframe.columns))}: say which hold the names of files (x_col), the targets "
                "(y_col) and the weights (weight_col)."
            )

    def _rows_with_files(self, dataframe: Any, x_col: str) -> Any:
        """The rows whose file exists and has the extension of an image; warns of the others."""
        files = [Path(self.directory, str(name)) for name in dataframe[x_col]]
        good = np.array([file.suffix.lower() in _ENDINGS and file.is_file() for file in files], bool)
        if not good.all():
            warnings.warn(
                f"flow_from_dataframe: {np.count_nonzero(~good)} of {len(good)} names in the column {x_col!r} are left "
                f"out, for there is no picture of that name; the first is {str(files[int(np.argmin(good))])!r}.",
                stacklevel=5,
            )
        return dataframe[good]

    def _with_classes(self, rows: Any, column: str, classes: Sequence[str] | None) -> Any:
        """The rows of the selected classes; a cell of the column is a class or a list of classes."""
        cells = [_as_list(cell) for cell in rows[column]]
        if not all(isinstance(one, str) for cell in cells for one in cell):
            raise TypeError(
                f"flow_from_dataframe: with class_mode={self.class_mode!r} column {column!r} must contain text. Make "
                f"it text: frame[{column!r}] = frame[{column!r}].astype(str), or take the numbers as they are with "
                'class_mode="raw".'
            )
        names = list(classes) if classes else sorted({one for cell in cells for one in cell})
        if self.class_mode == "binary" and len(names) != 2:
            raise ValueError(
                f'flow_from_dataframe: class_mode="binary" needs two classes. Received: {len(names)}, {names!r:.200}. '
                'For more take class_mode="categorical" or "sparse".'
            )
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        return rows[np.array([any(one in self.class_indices for one in cell) for cell in cells], bool)]

    def _read_targets(self, rows: Nested, columns: list[str]) -> None:
        if self.class_mode in _OF_CLASSES:
            numbers = [
                [self.class_indices[one] for one in _as_list(cell) if one in self.class_indices]
                for cell in rows[columns[0]]
            ]
            several = any(isinstance(cell, (list, tuple)) for cell in rows[columns[0]])
            self.classes: AnyList = numbers if several else [number for (number,) in numbers]
            self.labels = self.classes if several else np.array(self.classes, "int32")
        elif self.class_mode == "raw":
            self.labels = rows[columns[0] if len(columns) == 1 else columns].to_numpy()
        elif self.class_mode == "multi_output":
            self.labels = [np.array(rows[column].tolist()) for column in columns]

    def _with_targets(self, index_array: np.ndarray, pictures: np.ndarray) -> tuple[np.ndarray, ...] | np.ndarray:
        weight = None if self.sample_weight is None else self.sample_weight[index_array]
        return _with_others(pictures, self._targets(index_array, pictures), weight)

    def _targets(self, index_array: np.ndarray, pictures: np.ndarray) -> Any:
        if self.class_mode == "multi_output":
            return [labels[index_array] for labels in self.labels]
        if self.class_mode == "raw":
            return self.labels[index_array]
        if self.class_mode == "categorical" and isinstance(self.labels, list):  # several classes for an image
            hot = np.zeros((len(index_array), self.num_classes), self.dtype)
            for row, number in enumerate(index_array):
                hot[row, self.labels[number]] = 1
            return hot
        return self._of_classes(index_array, pictures)


def _as_list(cell: object) -> AnyList:
    return list(cell) if isinstance(cell, (list, tuple)) else [cell]


class ImageDataGenerator:
    """Serves images in batches, each moved about at random and then brought to a scale.

    Args:
        featurewise_center: whether the mean over the data is taken away (after `fit`).
        samplewise_center: whether each image's own mean is.
        featurewise_std_normalization: whether images are divided by the data's standard deviation (after `fit`).
        samplewise_std_normalization: whether each is divided by its own.
        zca_whitening: whether pixels are made independent of each other (after `fit`).
        zca_epsilon: what keeps the whitening from dividing by zero.
        rotation_range: turned by up to so many degrees.
        width_shift_range: moved by up to this share of the width, or by so many columns from 1 on, or by one of a list.
        height_shift_range: likewise in rows.
        brightness_range: two factors between which the brightness is changed.
        shear_range: sheared by up to so many degrees.
        zoom_range: a number z for factors from 1 - z to 1 + z, or the two factors.
        channel_shift_range: up to so much is added to or taken from every value.
        fill_mode: what is outside: "constant", "nearest", "reflect" or "wrap".
        cval: the constant.
        horizontal_flip: whether every second image, at random, is turned left to right.
        vertical_flip: likewise upside down.
        rescale: factor for every value.
        preprocessing_function: function of an image, called before it is scaled.
        data_format: order of the axes; None for the default.
        validation_split: share of the images that `subset="validation"` serves.
        interpolation_order: degree of the splines between pixels.
        dtype: dtype of the batches; None is floatx.

    Example:

        generator = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True)
        model.fit(generator.flow(x, y, batch_size=32))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: AnyFunction | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ):
        if not 0 <= validation_split < 1:
            raise ValueError(
                f"ImageDataGenerator: validation_split must be from 0 to below 1. Received: {validation_split}."
            )
        self.featurewise_center = featurewise_center or zca_whitening
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.featurewise_center = self.featurewise_center or featurewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.zoom_range = [1 - zoom_range, 1 + zoom_range] if isinstance(zoom_range, (int, float)) else list(zoom_range)
        if len(self.zoom_range) != 2:
            raise ValueError(
                f"ImageDataGenerator: zoom_range must be one or two numbers. Received: {validate.shown(zoom_range)}."
            )
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format = validate.data_format(data_format or settings.image_data_format(), self)
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self._validation_split = validation_split
        self.dtype = dtype or settings.floatx()
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.zca_whitening_matrix: np.ndarray | None = None

    def part(self, count: int, subset: str | None) -> slice:
        """Which of `count` images belong to "validation" (the first ones) or "training"; all without `subset`."""
        validate.one_of(subset, ("training", "validation", None), "subset", self)
        border = int(count * self._validation_split)
        return {None: slice(None), "validation": slice(border), "training": slice(border, None)}[subset]

    def flow(
        self,
        x: Tensor,
        y: Tensor = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: object = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches from arrays.

        Args:
            x: images, four axes.
            y: targets; None for images alone.
            batch_size: images in a batch.
            shuffle: whether their order is drawn.
            sample_weight: a weight for each image.
            seed: seed of the order and of what is done to the images.
            save_to_dir: folder in which the images are kept as they were served; None keeps none.
            save_prefix: how their names begin.
            save_format: format in which they are kept, such as "png" or "jpeg".
            ignore_class_split: as in Keras 2, where it left out a check of classes that is not made here.
            subset: "training" or "validation", where `validation_split` was given.
        """
        kept = (save_to_dir, save_prefix, save_format)
        return NumpyArrayIterator(x, y, self, batch_size, shuffle, sample_weight, seed, *kept, subset, self.dtype)

    def flow_from_directory(self, directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> DirectoryIterator:
        """Batches from a folder with one folder for each class.

        Args:
            directory: the folder.
            *args, **kwargs: `target_size=(256, 256)`, `color_mode="rgb"`, `classes=None` (the folders' names, sorted),
                `class_mode="categorical"` (or "binary", "sparse", "input", None), `batch_size=32`, `shuffle=True`,
                `seed=None`, `save_to_dir=None`, `save_prefix=""`, `save_format="png"`, `follow_links=False`,
                `subset=None`, `interpolation="nearest"`, `keep_aspect_ratio=False`.
        """
        return DirectoryIterator(directory, self, *args, **{"dtype": self.dtype, **kwargs})

    def flow_from_dataframe(self, dataframe: object, *args: Any, **kwargs: Any) -> DataFrameIterator:
        """Batches from files that a frame of pandas names, with targets from its columns.

        Args:
            dataframe: the frame.
            *args, **kwargs: `directory=None` (the folder of the files, where the frame has no whole paths),
                `x_col="filename"`, `y_col="class"` (a name, or a list of some), `weight_col=None`,
                `target_size=(256, 256)`, `color_mode="rgb"`, `classes=None`, `class_mode="categorical"` (or "binary",
                "sparse", "raw" for numbers as they are, "multi_output" for a list of columns, "input", None),
                `batch_size=32`, `shuffle=True`, `seed=None`, `save_to_dir=None`, `save_prefix=""`,
                `save_format="png"`, `subset=None`, `interpolation="nearest"`, `validate_filenames=True` (leave out rows
                without an image), `keep_aspect_ratio=False`.
        """
        directory = args[0] if args else kwargs.pop("directory", None)
        return DataFrameIterator(dataframe, directory, self, *args[1:], **{"dtype": self.dtype, **kwargs})

    def drawn(self, picture: np.ndarray) -> np.ndarray:
        """An image moved about at random and brought to a scale."""
        return self.standardize(self.random_transform(picture))

    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """An image moved about at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, object]:
        """What is done to an image of this shape, drawn anew."""
        if seed is not None:
            np.random.seed(seed)
        row, column, _ = self._axes()
        turn = np.random.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        tx = self._shift(self.height_shift_range, img_shape[row])
        ty = self._shift(self.width_shift_range, img_shape[column])
        shear = np.random.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        zx, zy = _zooms(self.zoom_range)
        horizontal, vertical = (
            (np.random.random() < 0.5) * flip for flip in (self.horizontal_flip, self.vertical_flip)
        )
        shift = self.channel_shift_range
        channels = np.random.uniform(-shift, shift) if shift else None
        between = self.brightness_range
        brightness = None if between is None else np.random.uniform(between[0], between[1])
        return {
            "theta": turn, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy, "flip_horizontal": horizontal,
            "flip_vertical": vertical, "channel_shift_intensity": channels, "brightness": brightness,
        }  # fmt: skip

    @staticmethod
    def _shift(most: Any, size: int) -> float:
        if not np.any(most):
            return 0
        if np.ndim(most) or isinstance(most, int):
            drawn = np.random.choice(most) * np.random.choice([-1, 1])
        else:
            drawn = np.random.uniform(-most, most)
        return drawn * size if np.max(most) < 1 else drawn

    def _axes(self) -> tuple[int, int, int]:
        return self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1

    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """Do to an image what `get_random_transform` says."""
        row, column, channel = self._axes()
        said = transform_parameters
        how: dict[str, Any] = {n: said[n] for n in ("theta", "tx", "ty", "shear", "zx", "zy") if n in said}
        how |= {"row_axis": row, "col_axis": column, "channel_axis": channel, "order": self.interpolation_order}
        x = apply_affine_transform(x, **how, fill_mode=self.fill_mode, cval=self.cval)
        if said.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, said["channel_shift_intensity"], channel)
        x = np.flip(x, column) if said.get("flip_horizontal") else x
        x = np.flip(x, row) if said.get("flip_vertical") else x
        return x if said.get("brightness") is None else apply_brightness_shift(x, said["brightness"], scale=False)

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Bring an image, or a batch, to the scale that was asked for."""
        x = x if self.preprocessing_function is None else self.preprocessing_function(x)
        x = x if self.rescale is None else x * self.rescale
        x = x - np.mean(x, keepdims=True) if self.samplewise_center else x
        x = x / (np.std(x, keepdims=True) + 1e-6) if self.samplewise_std_normalization else x
        x = x - self._learned("mean", "featurewise_center") if self.featurewise_center else x
        if self.featurewise_std_normalization:
            x = x / (self._learned("std", "featurewise_std_normalization") + 1e-6)
        if not self.zca_whitening:
            return x
        return (x.reshape(-1, x.size) @ self._learned("zca_whitening_matrix", "zca_whitening")).reshape(x.shape)

    def _learned(self, name: str, wanted_by: str) -> np.ndarray:
        """A statistic of the data, computed by `fit`."""
        found = getattr(self, name)
        if found is None:
            raise ValueError(f"ImageDataGenerator: call fit(x) first: {wanted_by} needs the statistics of the data.")
        return found

    def fit(self, x: Tensor, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Compute the statistics that `featurewise_*` and `zca_whitening` need.

        Args:
            x: images, four axes.
            augment: whether they are moved about at random first.
            rounds: how often each is, then.
            seed: seed of that.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(f"ImageDataGenerator.fit: x must have four axes. Received: shape={x.shape}.")
        if seed is not None:
            np.random.seed(seed)
        if augment:
            x = np.array([self.random_transform(each) for _ in range(rounds) for each in x], self.dtype)
        over = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=over, keepdims=True)[0]
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=over, keepdims=True)[0]
            x /= self.std + 1e-6
        if self.zca_whitening:
            rows = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(rows.T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(rows)) / (s + self.zca_epsilon))) @ u.T
