"""The files of CIFAR: Python 2 pickles with rows of pixels, channel by channel, and lists of labels."""

from pathlib import Path
from typing import TypeGuard

import numpy as np

from cornu import settings
from cornu.core import budget
from cornu.errors import DamagedFileError
from cornu.saving import plain_pickle

_SHAPE = (-1, 3, 32, 32)
_VALUES = 3 * 32 * 32  # of one image


def batch(path: Path, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of a file, `(n, 3, 32, 32)`, and its labels, stored under the name `labels`, `(n, 1)`.

    Raises:
        ValueError: if the file lacks one of them, or contains anything other than plain data.
    """
    content = path.read_bytes()
    with budget.load(len(content)):
        value = plain_pickle.load(content, str(path), encoding="bytes")
    x, y = (value.get(key.encode()) for key in ("data", labels)) if isinstance(value, dict) else (None, None)
    if not _are_images(x) or not isinstance(y, list) or set(map(type, y)) - {int} or len(x) != len(y):
        raise DamagedFileError(f"{path} does not contain images named 'data' and as many labels named {labels!r}.")
    return x.reshape(_SHAPE), np.reshape(y, (-1, 1))


def _are_images(x: object) -> TypeGuard[np.ndarray]:
    return isinstance(x, np.ndarray) and x.dtype == np.uint8 and x.ndim == 2 and x.shape[1] == _VALUES


def in_order(images: np.ndarray) -> np.ndarray:
    """Images in the global default data format."""
    return images if settings.image_data_format() == "channels_first" else images.transpose(0, 2, 3, 1)
