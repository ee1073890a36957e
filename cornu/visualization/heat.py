"""Grad-CAM: the regions of an image that support a class.

The gradient of the class score with respect to a feature map is computed. Each channel of the map is weighted by the
mean of its gradient; the positive part of the weighted sum is the heatmap. To do so, a layer's output is intercepted
while the model runs, wherever the layer is: in a graph, in a nested model, in a subclass's `call`.

Selvaraju et al., 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
https://arxiv.org/abs/1610.02391.
"""

import contextlib
import copy
import functools
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import activations, layers, settings, tree, validate
from cornu.core.tracebacks import filtered
from cornu.core.typing import AnyFunction, Nested, Tensor
from cornu.core.variable import functional
from cornu.layers.layer import Layer
from cornu.models.model import Model
from cornu.saving.pictures import Figure, new_figure, write
from cornu.training import anatomy
from cornu.visualization import images as pictures
from cornu.visualization.predictions import Names, name_of

_SMALL = 9  # points


@filtered
def grad_cam(
    model: Model,
    images: Tensor,
    class_index: int | Sequence[int] | None = None,
    layer: str | Layer | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Heatmaps of the image regions in which a convolutional classifier sees a class (Grad-CAM).

    Args:
        model: a model of any kind, with one output of shape `(images, classes)`, or `(images, 1)` for two classes. A
            final softmax or sigmoid is skipped, since the score is its input.
        images: inputs of the model: preprocessed, of shape `(images, height, width, channels)`, or with the
            channels first.
        class_index: the class, or one per image; None, the default, uses the predicted class.
        layer: name of the layer whose output is the feature map, or the layer itself, possibly in a nested model; None,
            the default, uses the last one with an output of shape `(images, rows, columns, channels)` with more than
            one position.
        batch_size: number of images per batch. Defaults to 32.

    Returns:
        Heatmaps from 0 to 1, of shape `(images, height, width)`. The maximum of each is 1, unless nothing in the image
        supports the class: then it is 0 everywhere.

    Raises:
        ValueError: if the layer does not exist or does not have a feature map, or the class does not exist.

    Example:

        model = cornu.Sequential([
            cornu.Input((8, 8, 1)), cornu.layers.Conv2D(4, 3), cornu.layers.Flatten(), cornu.layers.Dense(3, "softmax"),
        ])
        print(cornu.visualization.grad_cam(model, np.ones((2, 8, 8, 1))).shape)  # (2, 8, 8)

    Paper: Selvaraju et al., 2017, "Grad-CAM", https://arxiv.org/abs/1610.02391.
    """
    return _heat_and_classes(model, images, class_index, layer, batch_size, "grad_cam")[0]


@filtered
def plot_grad_cam(
    model: Model,
    images: Tensor,
    class_index: int | Sequence[int] | None = None,
    layer: str | Layer | None = None,
    pictures_shown: Tensor | None = None,
    class_names: Names = None,
    value_range: Sequence[float] | None = None,
    alpha: float = 0.5,
    cols: int | None = None,
    path: str | os.PathLike[str] | None = None,
    data_format: str | None = None,
) -> Figure:
    """Draw images, and below each the same image overlaid with its Grad-CAM heatmap.

    Args:
        model, images, class_index, layer: as for `grad_cam`.
        pictures_shown: the images to draw instead of preprocessed ones, of the same height and width; None, the
            default, draws the images.
        class_names: names of the classes, as a list or a dictionary by class index; None, the default, shows the
            indices.
        value_range: the values of black and white. None, the default, uses each image's minimum and maximum.
        alpha: opacity of the heatmap, from 0 to 1. Defaults to 0.5.
        cols: number of images per row; None, the default, uses up to six.
        path: file to write, in the format of its extension (`.png`, `.svg`, `.pdf`); None, the default, writes none.
        data_format: `"channels_last"` or `"channels_first"`; None is `config.image_data_format()`.

    Returns:
        A `matplotlib.figure.Figure`, which notebooks display. No window is opened.

    Raises:
        ValueError: as in `grad_cam`.
        ImportError: if matplotlib is not installed (the extra `plot`).

    Example:

        model = cornu.Sequential([
            cornu.Input((8, 8, 1)), cornu.layers.Conv2D(4, 3), cornu.layers.Flatten(), cornu.layers.Dense(3, "softmax"),
        ])
        cornu.visualization.plot_grad_cam(model, np.random.default_rng(0).random((3, 8, 8, 1)), path="heat.png")
    """
    owner = "plot_grad_cam"
    if not validate.is_real(alpha) or not 0 <= alpha <= 1:
        raise ValueError(f"{owner}: alpha must be a number from 0 to 1. Received: alpha={validate.shown(alpha)}.")
    array = pictures.batch(images if pictures_shown is None else pictures_shown, data_format, owner)
    heat, classes = _heat_and_classes(model, images, class_index, layer, 32, owner)
    if array.shape[:3] != heat.shape:
        raise ValueError(
            f"{owner}: pictures_shown must have the same number, height and width as the images, {heat.shape}. "
            f"Received: {array.shape[:3]}."
        )
    shown = np.stack([_stretched(image, value_range, owner) for image in array])
    figure = _drawn(shown, heat, [name_of(int(c), class_names) for c in classes], alpha, cols, owner)
    write(figure, path)
    return figure


# ---------------------------------------------------------------- the computation


def _heat_and_classes(
    model: Model,
    images: Tensor,
    class_index: int | Sequence[int] | None,
    layer: str | Layer | None,
    batch_size: int,
    owner: str,
) -> tuple[np.ndarray, np.ndarray]:
    images = np.asarray(images)
    validate.positive_int(batch_size, "batch_size", owner)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"{owner}: images must be a batch, of shape (images, height, width, channels). "
            f"Received: shape {images.shape}. For a single image, pass images[None]."
        )
    if not model.built:
        model(images[:1])
    seen = _calls(model, images[:1])
    target = _target(seen, layer, model, owner)
    classes = _wanted(class_index, len(images), _count(model, images[:1], owner), owner)
    last = next((call.layer for call in seen if call.is_last), None)
    heat = _Heat(model, target, last, _channels_first(seen, target))
    parts = [
        heat(images[i : i + batch_size], None if classes is None else classes[i : i + batch_size])
        for i in range(0, len(images), batch_size)
    ]
    maps, found = (np.concatenate(part) for part in zip(*parts, strict=True))
    tall, wide = images.shape[2:] if _channels_first(seen, seen[0].layer) else images.shape[1:3]
    large = np.asarray(jax.image.resize(jnp.asarray(maps), (len(maps), tall, wide), "bilinear"))
    most = large.max(axis=(1, 2), keepdims=True)
    return np.clip(large / np.where(most > 0, most, 1), 0, 1), found


class _Heat:
    """Heatmaps at the size of the feature map, `(images, rows, columns)`, and their classes.

    Args:
        model: the classifier.
        target: the layer of the feature map.
        last: the layer whose output is the model's output, if any.
        channels_first: whether the map is channels first.
    """

    def __init__(self, model: Model, target: Layer, last: Layer | None, channels_first: bool):
        self.model, self.target, self.last = model, target, last
        self._places = (2, 3) if channels_first else (1, 2)
        self._channels = 1 if channels_first else 3
        self._state = list(model.variables)
        self._pure = jax.jit(functional(self._computed, self._state))

    def __call__(self, images: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        (heat, found), _ = self._pure([variable.value for variable in self._state], images, classes)
        return np.asarray(heat), np.asarray(found)

    def _computed(self, images: Tensor, classes: Tensor | None) -> Nested:
        calls = _calls(self.model, images, [self.target])
        score = functools.partial(self._score, images=images, classes=classes, calls=len(calls))
        gradient, (features, found) = jax.grad(score, has_aux=True)(jnp.zeros(calls[-1].shape, calls[-1].dtype))
        gradient, features = gradient.astype("float32"), features.astype("float32")
        weights = jnp.mean(gradient, axis=self._places, keepdims=True)
        return jax.nn.relu(jnp.sum(weights * features, axis=self._channels)), found

    def _score(self, moved: jax.Array, images: Tensor, classes: Tensor | None, calls: int) -> Nested:
        """The sum of the scores, since images are independent; also the last feature map and the classes."""
        features = []

        def move(layer: Layer, outputs: Nested) -> Nested:
            features.append(outputs)
            return outputs + moved if len(features) == calls else outputs

        with _without_probabilities(self.last), _tapped([self.target], move):
            (scores,) = tree.flatten(self.model(images, training=False))
        scores = scores.astype("float32")
        if scores.shape[-1] == 1:  # one logit for two classes, 0 at the boundary
            scores = jnp.concatenate([-scores, scores], axis=-1)
        classes = jnp.argmax(scores, axis=-1) if classes is None else classes
        chosen = jnp.take_along_axis(scores, classes[:, None], axis=-1)
        return jnp.sum(chosen), (features[-1], classes)


@contextlib.contextmanager
def _calling(instead: Sequence[tuple[Layer, AnyFunction]]) -> Iterator[None]:
    """Replace layers' own `call`, in this thread only."""
    own = threading.get_ident()

    def chosen(usual: AnyFunction, other: AnyFunction) -> AnyFunction:
        def call(*args: object, **kwargs: object) -> Any:
            return (other if threading.get_ident() == own else usual)(*args, **kwargs)

        return call

    before = [(layer, vars(layer).get("call")) for layer, _ in instead]
    for layer, other in instead:
        vars(layer)["call"] = chosen(layer.call, other)
    try:
        yield
    finally:
        for layer, call in before:
            del vars(layer)["call"]
            if call is not None:
                vars(layer)["call"] = call


def _tapped(
    tapped: Sequence[Layer], tap: Callable[[Layer, Nested], Nested]
) -> contextlib.AbstractContextManager[object]:
    """Pass the outputs of layers to `tap`, which returns their replacements."""

    def around(layer: Layer, call: AnyFunction) -> AnyFunction:
        return lambda *args, **kwargs: tap(layer, call(*args, **kwargs))

    return _calling([(layer, around(layer, layer.call)) for layer in tapped])


class _Call(NamedTuple):
    """The output of a layer call, and whether it is the model's output."""

    layer: Layer
    shape: tuple[int, ...]
    dtype: np.dtype
    is_last: bool


def _calls(model: Model, images: Tensor, among: Sequence[Layer] | None = None) -> list[_Call]:
    """The calls of all sublayers, or of those given, in order; nothing is computed."""
    given: list[tuple[Layer, Tensor]] = []
    found: list[_Call] = []

    def note(layer: Layer, outputs: Nested) -> Nested:
        given.extend((layer, x) for x in tree.flatten(outputs)[:1] if hasattr(x, "shape"))
        return outputs

    def run(x: Tensor) -> Nested:
        outputs = model(x, training=False)
        ends = set(map(id, tree.flatten(outputs)))
        found.extend(_Call(layer, tuple(x.shape), x.dtype, id(x) in ends) for layer, x in given)
        return outputs

    with _tapped(model._flatten_layers(include_self=False) if among is None else among, note):
        _shapes(run, model, images)
    return found


def _shapes(run: AnyFunction, model: Model, images: Tensor) -> list[jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the result of `run`, which calls the model, for images; nothing is computed."""
    state = [variable.value for variable in model.variables]
    return tree.flatten(jax.eval_shape(functional(run, model.variables), state, images)[0])


def _target(seen: Sequence[_Call], layer: str | Layer | None, model: Model, owner: str) -> Layer:
    maps = [call.layer for call in seen if _is_map(call, seen)]
    if layer is None:
        if not maps:
            raise ValueError(f"{owner}: {validate.describe(model)} does not have a layer with a feature map.")
        return maps[-1]
    for one in maps:
        if one is layer or one.name == layer:
            return one
    known = ", ".join(dict.fromkeys(one.name for one in maps))
    raise ValueError(
        f"{owner}: layer must have a feature map with more than one position. "
        f"Received: {validate.shown(layer)}. Layers with one: "
        f"{known or 'none'}."
    )


def _is_map(call: _Call, seen: Sequence[_Call]) -> bool:
    places = call.shape[2:] if _channels_first(seen, call.layer) else call.shape[1:3]
    return len(call.shape) == 4 and math.prod(places) > 1


def _channels_first(seen: Sequence[_Call], layer: Layer) -> bool:
    """Whether a layer's map has its channels first: by its data format, or that of an adjacent layer."""
    told = settings.image_data_format()
    for call in reversed(seen):
        told = getattr(call.layer, "data_format", None) or told
    for call in seen:
        told = getattr(call.layer, "data_format", None) or told
        if call.layer is layer:
            break
    return told == "channels_first"


def _count(model: Model, images: Tensor, owner: str) -> int:
    """The number of classes of a model."""
    flat = _shapes(lambda x: model(x, training=False), model, images)
    if len(flat) != 1 or len(flat[0].shape) != 2:
        raise ValueError(
            f"{owner}: {validate.describe(model)} must have one output, of shape (images, classes). "
            f"Received: {', '.join(str(x.shape) for x in flat)}."
        )
    return max(2, flat[0].shape[1])


def _wanted(class_index: int | Sequence[int] | None, count: int, classes: int, owner: str) -> np.ndarray | None:
    if class_index is None:
        return None
    numbers = np.asarray(class_index)
    good = numbers.dtype.kind in "iu" and numbers.shape in ((), (count,))
    if not good or np.any((numbers < 0) | (numbers >= classes)):
        raise ValueError(
            f"{owner}: class_index must be a class from 0 to {classes - 1}, or one for each of the {count} images. "
            f"Received: class_index={validate.shown(class_index)}."
        )
    return np.broadcast_to(numbers, (count,)).astype("int32")


# ---------------------------------------------------------------- scores instead of probabilities


def _without_probabilities(last: Layer | None) -> contextlib.AbstractContextManager[object]:
    """Make the last layer return its scores instead of applying a softmax or sigmoid."""
    if last is None:
        return contextlib.nullcontext()
    softmax = isinstance(last, layers.Softmax)
    if not softmax and getattr(last, "activation", None) not in (activations.softmax, activations.sigmoid):
        return contextlib.nullcontext()
    if softmax or isinstance(last, layers.Activation):
        return _calling([(last, lambda inputs, *args, **kwargs: inputs)])
    if not isinstance(last, anatomy.LINEAR_MAPS):
        return contextlib.nullcontext()
    twin = copy.copy(last)  # with the same variables
    vars(twin)["activation"] = activations.linear
    return _calling([(last, twin.call)])


# ---------------------------------------------------------------- drawing


def _stretched(image: np.ndarray, value_range: Sequence[float] | None, owner: str) -> np.ndarray:
    low, high = value_range or (float(image.min()), float(image.max()))
    high = high if high > low or value_range else low + 1
    return pictures.coloured(pictures.scaled(image[None], (low, high), owner))[0][..., : pictures.COLOURS]


def _drawn(shown: np.ndarray, heat: np.ndarray, names: list[str], alpha: float, cols: int | None, owner: str) -> Figure:
    cols = min(6, len(shown)) if cols is None else validate.positive_int(cols, "cols", owner)
    rows = math.ceil(len(shown) / cols)
    width = min(3.2, max(1.6, 0.085 * max(map(len, names)) + 0.1))
    height = width * shown.shape[1] / shown.shape[2]
    figure = new_figure(cols * width, rows * (2 * height + 0.35), owner)
    grid = figure.subplots(2 * rows, cols, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for i, (image, warmth, name) in enumerate(zip(shown, heat, names, strict=True)):
        row, column = divmod(i, cols)
        grid[2 * row, column].imshow(image)
        grid[2 * row, column].set_title(name, fontsize=_SMALL, parse_math=False)
        grid[2 * row + 1, column].imshow(image)
        grid[2 * row + 1, column].imshow(warmth, cmap="jet", alpha=alpha, vmin=0, vmax=1, interpolation="bilinear")
    return figure
