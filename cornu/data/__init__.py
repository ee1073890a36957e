"""Datasets: the API of `tf.data`, on NumPy and plain Python.

Example:

    x, y = np.arange(6.0).reshape(6, 1), np.arange(6)
    dataset = cornu.data.Dataset.from_tensor_slices((x, y)).shuffle(6).batch(4)
    print([len(labels) for _, labels in dataset])  # [4, 2]
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.data import experimental as experimental
from cornu.data.dataset import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, DatasetIterator
from cornu.data.elements import TensorSpec
from cornu.data.options import Options
from cornu.data.threads import AUTOTUNE

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetIterator", "Options", "TensorSpec",
    "experimental",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
