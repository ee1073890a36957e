"""Preprocessing and class names of the ImageNet models."""

import functools
import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from cornu import ops, settings, validate
from cornu.applications import pretrained
from cornu.core import dtypes
from cornu.core.symbolic import is_keras_tensor
from cornu.core.typing import Tensor

__all__ = ["decode_predictions", "preprocess_input"]

_BGR_MEAN = (103.939, 116.779, 123.68)  # of the images of ImageNet, from 0 to 255
_RGB_MEAN = (0.485, 0.456, 0.406)  # the same, from 0 to 1
_RGB_DEVIATION = (0.229, 0.224, 0.225)
_MODES = ("caffe", "tf", "torch")


def preprocess_input(x: Tensor, data_format: str | None = None, mode: str = "caffe") -> Tensor:
    """Preprocess images to the range that a model was trained on; the array is not modified.

    Args:
        x: one image or a batch of them, RGB from 0 to 255: an array or a symbolic tensor.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.
        mode: `"caffe"`: BGR minus the ImageNet mean. `"tf"`: from -1 to 1. `"torch"`: from 0 to 1, minus the mean
            of ImageNet, divided by its standard deviation.

    Returns:
        Array of the shape of `x`: a NumPy array if `x` is one, otherwise a tensor.

    Example:

        x = cornu.applications.imagenet_utils.preprocess_input(np.full((1, 2, 2, 3), 255), mode="tf")
        print(x.max())  # 1.0
    """
    validate.one_of(mode, _MODES, "mode", "preprocess_input")
    data_format = validate.data_format(data_format, "preprocess_input")
    rank = len(getattr(x, "shape", np.shape(x)))
    if rank not in (3, 4):
        raise ValueError(
            f"preprocess_input: x must be an image or a batch of images, with 3 or 4 axes. Received: {rank}."
        )
    x = _as_float(x)
    if mode == "tf":
        return x / 127.5 - 1.0
    channels_first = data_format == "channels_first"
    if mode == "torch":
        return (x / 255.0 - _spread(_RGB_MEAN, x, channels_first)) / _spread(_RGB_DEVIATION, x, channels_first)
    x = x[..., ::-1, :, :] if channels_first else x[..., ::-1]
    return x - _spread(_BGR_MEAN, x, channels_first)


def _as_float(x: Tensor) -> Tensor:
    """`x` as floating-point numbers: floats keep their dtype."""
    if is_keras_tensor(x) or isinstance(x, jax.Array):
        return x if dtypes.is_float(x.dtype) else ops.cast(x, settings.floatx())
    x = np.asarray(x)
    return x if dtypes.is_float(x.dtype) else x.astype(settings.floatx())


def _spread(values: tuple[float, ...], x: Any, channels_first: bool) -> np.ndarray:
    array = np.asarray(values, dtypes.standardize_dtype(x.dtype))
    return array.reshape(-1, 1, 1) if channels_first else array


def preprocessing(mode: str | None) -> Callable[[object, str | None], object]:
    """The `preprocess_input` of a family; None leaves images unchanged, for models that rescale them internally."""

    def family_input(x: object, data_format: str | None = None) -> Tensor:
        return x if mode is None else preprocess_input(x, data_format, mode)

    family_input.__name__ = family_input.__qualname__ = "preprocess_input"
    family_input.__doc__ = _FAMILY_DOCSTRING.format(what=_RANGES[mode], family=_FIRST[mode])
    return family_input


_RANGES = {
    None: "unchanged: the model contains layers that rescale them",
    "caffe": "BGR, minus the ImageNet mean",
    "tf": "scaled to -1 to 1",
    "torch": "scaled to 0 to 1, minus the ImageNet mean, divided by its standard deviation",
}
_FIRST = {None: "convnext", "caffe": "resnet", "tf": "mobilenet", "torch": "densenet"}
_FAMILY_DOCSTRING = """Preprocess images for this family's models: {what}.

    Args:
        x: one image or a batch of them, RGB from 0 to 255.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Example:

        images = np.full((1, 2, 2, 3), 255.0)
        print(cornu.applications.{family}.preprocess_input(images).shape)  # (1, 2, 2, 3)
    """


def decode_predictions(preds: object, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return the most likely ImageNet classes for each row of scores.

    Args:
        preds: scores, shape (batch, 1000).
        top: number of classes per row. Defaults to 5.

    Returns:
        For each row, (WordNet id, name, score), the highest score first.

    Example:

        model = cornu.applications.MobileNetV3Small()
        print(cornu.applications.imagenet_utils.decode_predictions(model.predict(np.zeros((1, 224, 224, 3))), top=3))
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "decode_predictions: preds must be the scores of the 1000 classes of ImageNet, of shape (batch, 1000). "
            f"Received: shape {preds.shape}."
        )
    top = validate.positive_int(top, "top", "decode_predictions")
    classes = _classes(pretrained.class_index())
    best = np.argsort(-preds, axis=-1, kind="stable")[:, :top]
    return [[(*classes[index], row[index]) for index in indices] for row, indices in zip(preds, best, strict=True)]


@functools.lru_cache(maxsize=1)
def _classes(path: str) -> list[tuple[str, str]]:
    """(WordNet id, name) of each class, from the published JSON file."""
    with open(path, encoding="utf-8") as file:
        table = json.load(file)
    return [tuple(table[str(index)]) for index in range(1000)]
