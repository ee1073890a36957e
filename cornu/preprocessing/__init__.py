"""The older names of tools that `cornu.utils` has: for pictures, sequences and data sets."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.preprocessing import image, sequence
from cornu.utils.windows import timeseries_dataset_from_array

__all__ = ["image", "sequence", "timeseries_dataset_from_array"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
