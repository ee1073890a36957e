"""The worst mistakes of a classifier: the images with the lowest probability of their true class."""

import math
import os
from typing import NamedTuple

import numpy as np

from cornu import validate
from cornu.core.tracebacks import filtered
from cornu.core.typing import Data, Tensor
from cornu.models.model import Model
from cornu.saving.pictures import Figure, new_figure, write
from cornu.visualization import images as pictures, predictions
from cornu.visualization.predictions import Names

_LEAST = 1e-12  # avoids the logarithm of zero


class _Mistake(NamedTuple):
    """An image, its true class, its predicted class, and the probabilities of both."""

    rank: float
    image: np.ndarray
    true: int
    taken: int
    of_true: float
    of_taken: float


@filtered
def plot_worst_mistakes(
    model: Model,
    x: Data,
    y: Tensor | None = None,
    count: int = 12,
    by: str = "loss",
    class_names: Names = None,
    value_range: tuple[float, float] | None = None,
    cols: int | None = None,
    path: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
) -> Figure:
    """Draw the images that a classifier is most wrong about, the worst first.

    Above each image is the predicted class, below it the true one, each with its probability.

    Args:
        model: a classifier with probabilities or logits of shape `(images, classes)`, or `(images, 1)` for two classes.
        x: inputs of the model, `(images, height, width, channels)`; or, without y, a pair `(x, y)` or a dataset of
            batches of such pairs.
        y: their classes, as integers or one-hot rows; None, the default, for a dataset.
        count: maximum number of mistakes to show. Defaults to 12.
        by: how to rank mistakes: `"loss"`, by a low probability of the true class, or `"confidence"`, by a high one of
            the wrong class. Defaults to `"loss"`.
        class_names: names of the classes, as a list or a dictionary by class index; None, the default, shows the
            indices.
        value_range: the values of black and white. None, the default, uses the minimum and maximum of the images shown.
        cols: number of images per row; None, the default, uses up to six.
        path: file to write, in the format of its extension (`.png`, `.svg`, `.pdf`); None, the default, writes none.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        A `matplotlib.figure.Figure`, which notebooks display. No window is opened.

    Raises:
        ValueError: if there are no labels, or the model's outputs are not class scores.
        ImportError: if matplotlib is not installed (the extra `plot`).

    Example:

        model = cornu.Sequential([cornu.Input((8, 8, 1)), cornu.layers.Flatten(), cornu.layers.Dense(3, "softmax")])
        images, labels = np.random.default_rng(0).random((20, 8, 8, 1)), np.arange(20) % 3
        cornu.visualization.plot_worst_mistakes(model, images, labels, count=6, path="mistakes.png")
    """
    owner = "plot_worst_mistakes"
    validate.positive_int(count, "count", owner)
    validate.one_of(by, ("loss", "confidence"), "by", owner)
    worst: list[_Mistake] = []
    wrong = seen = 0
    for images, labels, outputs in predictions.of_model(model, x, y, owner):
        array = pictures.batch(images, data_format, owner)
        found = _mistakes(array, labels, predictions.probabilities_of(outputs, owner), by, count, owner)
        wrong, seen = wrong + found[0], seen + len(labels)
        worst = sorted([*worst, *found[1]], key=lambda mistake: -mistake.rank)[:count]
    told = f"{wrong:,} of {seen:,} are mistaken"
    figure = _drawn(
        worst, f"{told}; the worst:" if 0 < len(worst) < wrong else f"{told}.", class_names, value_range, cols
    )
    write(figure, path)
    return figure


def _mistakes(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, by: str, count: int, owner: str
) -> tuple[int, list[_Mistake]]:
    """The number of mistakes in a batch, and the worst of them."""
    rows, classes = probabilities.shape
    if len(labels) != rows or len(images) != rows:
        raise ValueError(f"{owner}: there must be one label per image. Received: {len(labels)} for {len(images)}.")
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"{owner}: labels must be from 0 to {classes - 1}, since the model has {classes} classes. "
            f"Received: {labels.min()} to {labels.max()}."
        )
    taken = probabilities.argmax(axis=-1)
    of_true, of_taken = probabilities[np.arange(rows), labels], probabilities[np.arange(rows), taken]
    rank = -np.log(np.maximum(of_true, _LEAST)) if by == "loss" else of_taken
    wrong = np.flatnonzero(taken != labels)
    order = wrong[np.argsort(-rank[wrong], kind="stable")][:count]
    return len(wrong), [
        _Mistake(float(rank[i]), images[i].copy(), int(labels[i]), int(taken[i]), float(of_true[i]), float(of_taken[i]))
        for i in order
    ]


def _drawn(
    worst: list[_Mistake], title: str, names: Names, value_range: tuple[float, float] | None, cols: int | None
) -> Figure:
    owner = "plot_worst_mistakes"
    cols = validate.positive_int(cols, "cols", owner) if cols is not None else min(6, max(3, len(worst)))
    rows = math.ceil(len(worst) / cols)
    texts = [
        (
            f"pred: {predictions.name_of(m.taken, names)} ({m.of_taken:.0%})",
            f"true: {predictions.name_of(m.true, names)} ({m.of_true:.0%})",
        )
        for m in worst
    ]
    longest = max((len(text) for pair in texts for text in pair), default=0)
    width = min(3.2, max(1.5, 0.085 * longest + 0.1))
    figure = new_figure(cols * width, max(0.6, rows * (width + 0.5) + 0.4), owner)
    figure.suptitle(title, fontsize=11, parse_math=False)
    if not worst:
        return figure
    shown = np.stack([mistake.image for mistake in worst]).astype("float32")
    low, high = value_range or (float(shown.min()), float(shown.max()))
    shown = pictures.coloured(pictures.scaled(shown, (low, high if high > low else low + 1), owner))
    for axes in figure.subplots(rows, cols, squeeze=False).flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
    for axes, image, (taken, true) in zip(figure.axes, shown, texts, strict=False):
        axes.imshow(image)
        axes.set_title(taken, fontsize=9, color="#b00020", parse_math=False)
        axes.set_xlabel(true, fontsize=9, parse_math=False)
    return figure
