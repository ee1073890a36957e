"""Utilities for models and data.

Example:

    cornu.utils.set_random_seed(0)
    print(cornu.utils.to_categorical([0, 2], num_classes=3))  # [[1. 0. 0.] [0. 0. 1.]]
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.backend import clear_session
from cornu.callbacks.progbar import Progbar
from cornu.config import disable_interactive_logging, enable_interactive_logging, is_interactive_logging_enabled
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.dtypes import standardize_dtype
from cornu.core.symbolic import is_keras_tensor
from cornu.random import set_random_seed
from cornu.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from cornu.training.data.batches import PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight
from cornu.training.nan_search import find_nan
from cornu.utils import bounding_boxes, legacy
from cornu.utils.audio_folder import audio_dataset_from_directory
from cornu.utils.batch_sizes import find_batch_size
from cornu.utils.check_model import check_model
from cornu.utils.config import Config
from cornu.utils.download import get_file
from cornu.utils.feature_space import FeatureSpace
from cornu.utils.image import array_to_img, img_to_array, load_img, save_img
from cornu.utils.image_folder import image_dataset_from_directory
from cornu.utils.learning_rates import find_learning_rate
from cornu.utils.length_buckets import LengthBuckets
from cornu.utils.model_graph import model_to_dot
from cornu.utils.numerical import normalize, to_categorical
from cornu.utils.plot_model import plot_model
from cornu.utils.sequences import pad_sequences
from cornu.utils.source_inputs import get_source_inputs
from cornu.utils.splitting import split_dataset
from cornu.utils.text_folder import text_dataset_from_directory
from cornu.utils.windows import timeseries_dataset_from_array

Sequence = PyDataset

__all__ = [
    "Config", "CustomObjectScope", "FeatureSpace", "LengthBuckets", "Progbar", "PyDataset", "Sequence", "array_to_img",
    "audio_dataset_from_directory", "bounding_boxes", "check_model", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "disable_interactive_logging", "enable_interactive_logging", "find_batch_size",
    "find_learning_rate", "find_nan", "get_custom_objects", "get_file", "get_registered_name", "get_registered_object",
    "get_source_inputs", "image_dataset_from_directory", "img_to_array", "is_interactive_logging_enabled",
    "is_keras_tensor", "legacy", "load_img", "model_to_dot", "normalize", "pack_x_y_sample_weight", "pad_sequences",
    "plot_model", "register_keras_serializable", "save_img", "serialize_keras_object", "set_random_seed",
    "split_dataset", "standardize_dtype", "text_dataset_from_directory", "timeseries_dataset_from_array",
    "to_categorical", "unpack_x_y_sample_weight",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
