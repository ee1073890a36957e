"""Pretrained weights: the published files, downloaded once, or a local file."""

import os
from typing import TYPE_CHECKING

from cornu.applications import addresses
from cornu.applications.addresses import File
from cornu.utils.download import get_file

if TYPE_CHECKING:
    from cornu.models.model import Model

PUBLISHED = "imagenet"  # selects the published weights
_FOLDER = "models"  # the subdirectory of Keras's download directory


def load(
    model: "Model", kind: str, weights: str | os.PathLike[str] | None, include_top: bool, variant: dict[str, object]
) -> None:
    """Load the requested weights into `model`.

    Args:
        model: the model.
        kind: name of its constructor.
        weights: "imagenet", a path, or None to leave the model unchanged.
        include_top: whether the model includes the classifier.
        variant: the arguments that select among published weights of one kind.
    """
    if weights is None:
        return
    path = published(kind, include_top, **variant) if weights == PUBLISHED else os.fspath(weights)
    model.load_weights(path)


def published(kind: str, include_top: bool, **variant: object) -> str:
    """The path of the published weights, downloaded if missing."""
    otherwise = 'weights=None for random weights, or weights="path/to/a/weights/file"'
    return _fetch(_file(kind, include_top, **variant), otherwise)


def class_index() -> str:
    """The path of the table of ImageNet's classes."""
    return _fetch(addresses.CLASS_INDEX, "the class numbers, preds.argmax(-1)")


def _file(kind: str, include_top: bool, **variant: object) -> File:
    files = addresses.FILES[kind]
    found = files.get((include_top, *sorted(variant.items())))
    if found is None:
        offered = sorted({key[1:] for key in files})
        listed = "; ".join(", ".join(f"{k}={v}" for k, v in choice) for choice in offered)
        asked = ", ".join(f"{k}={v}" for k, v in variant.items())
        raise ValueError(f"{kind}: there are published weights for {listed}. Received: {asked}. Use weights=None.")
    return found


def _fetch(file: File, otherwise: str) -> str:
    origin = addresses.BASE + file.address
    try:
        return get_file(file.name, origin, file_hash=file.digest, cache_subdir=_FOLDER)
    except OSError as error:
        error.add_note(f"Alternatively, use {otherwise}.")
        raise
