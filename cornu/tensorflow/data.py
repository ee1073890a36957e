"""`tensorflow.data`: cornu's data sets, whose elements come as tensors."""

from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from cornu import data
from cornu.core import border
from cornu.core.typing import Tensor
from cornu.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from cornu.data.elements import present_as
from cornu.tensorflow.served import Namespace, within
from cornu.tensorflow.strings import text

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "Options", "TextLineDataset", "experimental",
]  # fmt: skip


def as_tensor(array: np.ndarray) -> Tensor:
    """An array of a data set as scripts for TensorFlow expect it."""
    return text(array) if array.dtype.kind in "OSU" else jnp.asarray(border.narrowed(array))


class Options:
    """Settings of a data set's execution, of which none changes a result."""

    def __getattr__(self, name: str) -> "Options":
        made = Options()
        self.__dict__[name] = made
        return made


def TextLineDataset(filenames: object, *how: object, **more: object) -> Dataset:  # noqa: N802 - TensorFlow's name
    """The lines of files, without their ends."""
    paths = [each.decode() for each in np.asarray(text(filenames)).ravel()]

    def lines() -> Iterator[str]:
        for path in paths:
            yield from Path(path).read_text().splitlines()

    return Dataset.from_generator(lines, output_signature=data.TensorSpec((), "string"))


experimental = Namespace(
    "data.experimental",
    AUTOTUNE=AUTOTUNE,
    INFINITE_CARDINALITY=INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY=UNKNOWN_CARDINALITY,
    cardinality=lambda dataset: dataset.cardinality(),
)
__getattr__ = within(__name__)

present_as(as_tensor)
