"""Older names of `cornu.utils` functions for images, sequences and datasets."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.preprocessing import image, sequence
from cornu.utils.image_folder import image_dataset_from_directory
from cornu.utils.text_folder import text_dataset_from_directory
from cornu.utils.windows import timeseries_dataset_from_array

__all__ = [
    "image", "image_dataset_from_directory", "sequence", "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
