"""Galleries: batches of images as one figure, with labels, boxes or masks.

Each gallery is a figure of matplotlib. With `path` it is written to a file; without, it is shown by matplotlib.pyplot,
unless `show=False`.
"""

import inspect
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from cornu import validate
from cornu.core import border
from cornu.core.tracebacks import filtered
from cornu.core.typing import Tensor
from cornu.layers.bounding_boxes import Boxes
from cornu.saving.pictures import Axes, Figure, new_figure, write
from cornu.visualization import images as pictures
from cornu.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from cornu.visualization.predictions import Names

_SMALL = 8  # points
_LETTER = 0.062  # inches of width


@filtered
def plot_image_gallery(
    images: Tensor,
    y_true: Tensor | None = None,
    y_pred: Tensor | None = None,
    label_map: Names = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: str | os.PathLike[str] | None = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Iterable[object] | None = None,
    data_format: str | None = None,
) -> Figure | None:
    """Draw a batch of images in a grid, with true and predicted labels.

    Args:
        images: of shape `(images, height, width, channels)`, or with the channels first.
        y_true: the true classes, of shape `(images,)`; or None.
        y_pred: the predicted classes, or None.
        label_map: names of the classes, required with labels; otherwise None.
        rows, cols: number of rows and columns; excess images are omitted. None, the default, fits all images, in a
            square if possible.
        value_range: the minimum and maximum of the images. Defaults to `(0, 255)`.
        scale: height and width of a cell in inches. Defaults to 2.
        path: file to write, in the format of its extension (`.png`, `.svg`, `.pdf`). None, the default, writes none.
        show: whether to call `matplotlib.pyplot.show()`; None, the default, shows the gallery if there is no path.
        transparent: whether the background of the file is transparent. Defaults to True.
        dpi: resolution of the file in dots per inch. Defaults to 60.
        legend_handles: matplotlib's patches for a legend; None, the default, for no legend.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        None if the gallery was shown, otherwise a `matplotlib.figure.Figure`.

    Raises:
        ValueError: if images is not a batch, and for labels without `label_map`, and both `path` and `show=True`.
        ImportError: if matplotlib is not installed (the extra `plot`).

    Example:

        images = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 3))
        cornu.visualization.plot_image_gallery(images, rows=2, cols=3, path="six.png")
    """
    owner = "plot_image_gallery"
    array = pictures.coloured(pictures.scaled(pictures.batch(images, data_format, owner), value_range, owner))
    if not len(array):
        raise ValueError(f"{owner}: images must contain at least one. Received: shape {np.shape(images)}.")
    if path is not None and show:
        raise ValueError(f"{owner}: pass either path or show=True, not both. Received: {path=}, {show=}.")
    titles = _titles(array, y_true, y_pred, label_map, owner)
    rows, cols = _grid(len(array), rows, cols, owner)
    shown = path is None and show in (None, True)
    figure = _figure(cols * scale, rows * scale, path is None, owner)
    for axes in figure.subplots(rows, cols, squeeze=False).flat:
        axes.axis("off")
    for axes, image, title in zip(figure.axes, array, titles, strict=False):
        axes.imshow(image)
        _head(axes, title, scale)
    handles = list(legend_handles or ())
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=_SMALL)
    if path is not None:
        write(figure, path, dpi, transparent)
    elif shown:
        pyplot = _pyplot(owner)
        pyplot.show()
        pyplot.close(figure)
    return None if shown else figure


def _head(axes: Axes, parts: list[str], width: float) -> None:
    """Write labels above an image, on separate lines and smaller if they would not fit."""
    title = "  ".join(parts)
    lines = title if len(title) * _LETTER <= width else "\n".join(parts)
    longest = max(map(len, lines.split("\n")))
    size = min(1, width / max(1, longest * _LETTER)) * _SMALL
    axes.set_title(lines, fontsize=size, parse_math=False)


def _figure(width: float, height: float, current: bool, owner: str) -> Figure:
    """A figure: pyplot's current one, which can be shown, or a standalone one."""
    if not current:
        return new_figure(width, height, owner)
    return _pyplot(owner).figure(figsize=(width, height), layout="constrained")


def _pyplot(owner: str) -> ModuleType:
    return validate.optional_import("matplotlib.pyplot", purpose=owner, extra="plot")


def _grid(count: int, rows: int | None, cols: int | None, owner: str) -> tuple[int, int]:
    """The number of rows and columns, with room for all images where one is not given."""
    if rows is not None:
        validate.positive_int(rows, "rows", owner)
    if cols is not None:
        validate.positive_int(cols, "cols", owner)
    if rows is None:
        rows = math.ceil(math.sqrt(count) if cols is None else count / cols)
    return max(1, rows), cols or max(1, math.ceil(count / rows))


def _titles(
    images: np.ndarray, y_true: Tensor | None, y_pred: Tensor | None, label_map: Names, owner: str
) -> list[list[str]]:
    """The titles above the images."""
    parts = {"Label": y_true, "Pred": y_pred}
    given = {name: border.to_numpy(y, owner, name) for name, y in parts.items() if y is not None}
    if given and label_map is None:
        raise ValueError(f"{owner}: y_true and y_pred need label_map, the names of the classes.")
    for labels in given.values():
        if labels.shape != (len(images),):
            raise ValueError(
                f"{owner}: y_true and y_pred must be the class of each image, of shape ({len(images)},). "
                f"Received: shape {labels.shape}."
            )
    names: Mapping[int, str] = label_map if isinstance(label_map, Mapping) else dict(enumerate(label_map or ()))
    return [
        [f"{name}: {names.get(int(labels[i]), 'Unknown')}" for name, labels in given.items()]
        for i in range(len(images))
    ]


@filtered
def plot_bounding_box_gallery(
    images: Tensor,
    bounding_box_format: str,
    y_true: Boxes | None = None,
    y_pred: Boxes | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Iterable[object] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> Figure | None:
    """Draw a batch of images with true and predicted boxes.

    Args:
        images: of shape `(images, height, width, channels)`, or with the channels first.
        bounding_box_format: format of the boxes, such as `"xyxy"` (see `cornu.utils.bounding_boxes`).
        y_true: the true boxes, as for `draw_bounding_boxes`, or None.
        y_pred: the predicted boxes, or None.
        value_range: the minimum and maximum of the images. Defaults to `(0, 255)`.
        true_color: red, green and blue of true boxes. Defaults to `(0, 188, 212)`.
        pred_color: the same for predicted boxes. Defaults to `(255, 235, 59)`.
        line_thickness: line width of the boxes, in image pixels. Defaults to 2.
        font_scale: text size: 1 is about 27 pixels. Defaults to 1.0.
        text_thickness: stroke width of the text; None, the default, uses `line_thickness`.
        class_mapping: names of the classes; None, the default, draws none.
        ground_truth_mapping, prediction_mapping: names for only one kind of boxes; None uses `class_mapping`.
        legend: whether to add a legend of the two colors. Defaults to False.
        legend_handles: matplotlib's patches for a custom legend, or None.
        rows, cols: as in `plot_image_gallery`.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.
        kwargs: other arguments of `plot_image_gallery`, such as `path` and `scale`.

    Returns:
        The same as `plot_image_gallery`.

    Example:

        boxes = {"boxes": np.array([[[2, 3, 9, 8]]]), "labels": np.array([[0]])}
        cornu.visualization.plot_bounding_box_gallery(np.zeros((1, 12, 12, 3)), "xyxy", boxes, path="boxes.png")
    """
    owner = "plot_bounding_box_gallery"
    _refuse_unknown(kwargs, owner)
    if legend and legend_handles is not None:
        raise ValueError(f"{owner}: pass either legend=True, for the legend of the two colors, or legend_handles.")
    drawn = pictures.coloured(pictures.scaled(pictures.batch(images, data_format, owner), value_range, owner))
    kinds = (
        ("Ground Truth", y_true, true_color, ground_truth_mapping),
        ("Prediction", y_pred, pred_color, prediction_mapping),
    )
    strokes = line_thickness if text_thickness is None else text_thickness
    for _, boxes, colour, mapping in kinds:
        if boxes is not None:
            drawn = draw_bounding_boxes(
                drawn, boxes, bounding_box_format, class_mapping if mapping is None else mapping, colour,
                line_thickness, strokes, font_scale, "channels_last",
            )  # fmt: skip
    if legend:
        patch = validate.optional_import("matplotlib.patches", purpose=owner, extra="plot").Patch
        legend_handles = [patch(color=np.array(colour) / 255, label=name) for name, _, colour, _ in kinds]
    return plot_image_gallery(
        drawn, rows=rows, cols=cols, legend_handles=legend_handles, data_format="channels_last", **kwargs
    )


@filtered
def plot_segmentation_mask_gallery(
    images: Tensor,
    num_classes: int | None,
    value_range: Sequence[float] = (0, 255),
    y_true: Tensor | None = None,
    y_pred: Tensor | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> Figure | None:
    """Draw images in rows, each followed by copies overlaid with the true and the predicted masks.

    Args:
        images: of shape `(images, height, width, channels)`, or with the channels first.
        num_classes: the highest class to draw; None draws all.
        value_range: the minimum and maximum of the images. Defaults to `(0, 255)`.
        y_true: the true class of each pixel, as for `draw_segmentation_masks`, or None.
        y_pred: the predicted masks, or None.
        color_mapping: red, green and blue for each class; None, the default, uses a palette.
        blend: whether the image shows through. Defaults to True.
        alpha: opacity of the color, from 0 to 1. Defaults to 0.8.
        ignore_index: a class that is skipped. Defaults to -1.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.
        kwargs: other arguments of `plot_image_gallery`, such as `path` and `scale`; `cols` counts all columns.

    Returns:
        The same as `plot_image_gallery`.

    Example:

        masks = np.random.default_rng(0).integers(0, 3, (2, 8, 8))
        cornu.visualization.plot_segmentation_mask_gallery(np.zeros((2, 8, 8, 3)), 3, y_true=masks, path="masks.png")
    """
    owner = "plot_segmentation_mask_gallery"
    _refuse_unknown(kwargs, owner)
    originals = pictures.coloured(pictures.scaled(pictures.batch(images, data_format, owner), value_range, owner))
    columns = [originals]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = border.to_numpy(masks, owner, "masks")
            first = validate.data_format(data_format, owner) == "channels_first" and masks.ndim == 4
            masks = np.moveaxis(masks, 1, -1) if first else masks
            columns.append(
                draw_segmentation_masks(
                    originals, masks, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
                )
            )
    together = np.stack(columns, axis=1).reshape(-1, *originals.shape[1:])  # image by image
    kwargs = {"cols": len(columns), **kwargs}
    return plot_image_gallery(together, data_format="channels_last", **kwargs)


def _refuse_unknown(options: dict[str, object], owner: str) -> None:
    """Reject arguments that `plot_image_gallery` does not accept."""
    unknown = options.keys() - inspect.signature(plot_image_gallery).parameters.keys()
    if unknown:
        raise TypeError(f"{owner}: unknown argument(s) {', '.join(map(repr, sorted(unknown)))}.")
