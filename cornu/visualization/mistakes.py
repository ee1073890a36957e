"""The worst mistakes of a classifier: the pictures for whose true class it has least to say."""

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

_LEAST = 1e-12  # a probability of zero has no logarithm


class _Mistake(NamedTuple):
    """A picture, its true class, the class that it was taken for, the probabilities of both."""

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
    path: str | os.PathLike | None = None,
    data_format: str | None = None,
) -> Figure:
    """Draw the pictures that a classifier is most wrong about, the worst first.

    Above each picture stands the class that it was taken for, below it the true one, each with its probability.

    Args:
        model: gives probabilities or logits of shape `(pictures, classes)`, or `(pictures, 1)` for two classes.
        x: images as the model takes them, `(pictures, height, width, channels)`; or, without y, a
            pair `(x, y)` or a data set of batches of such pairs.
        y: their classes, as whole numbers or one-hot rows; None, the default, for a data set.
        count: how many mistakes are shown at most. Defaults to 12.
        by: what makes a mistake bad: `"loss"`, a low probability of the true class, or `"confidence"`, a high one of
            the wrong class. Defaults to `"loss"`.
        class_names: names of the classes, as a list or by their numbers; None, the default, writes the numbers.
        value_range: the values of black and white. None, the default, for the lowest and highest of what is shown.
        cols: how many pictures there are in a row; None, the default, for up to six.
        path: file to write, of the kind that its ending says (`.png`, `.svg`, `.pdf`); None, the default, writes none.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        A `matplotlib.figure.Figure`, which notebooks show. Nothing pops up.

    Raises:
        ValueError: where there are no labels, or the model's outputs are not scores of classes.
        ImportError: where matplotlib is not installed (the extra `plot`).

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
    """How many mistakes there are in a batch, and the worst of them."""
    rows, classes = probabilities.shape
    if len(labels) != rows or len(images) != rows:
        raise ValueError(f"{owner}: there must be one label for each image. Received: {len(labels)} for {len(images)}.")
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"{owner}: labels must lie from 0 to {classes - 1}, for the model tells {classes} classes. "
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
