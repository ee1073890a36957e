"""Saving and loading of models, weights and configs.

Example:

    model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(1)])
    model.save("model.keras")
    again = cornu.saving.load_model("model.keras")
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from cornu.saving.editor import KerasFileEditor
from cornu.saving.files import load_model, load_weights, save_model, save_weights

__all__ = [
    "CustomObjectScope", "KerasFileEditor", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
    "get_registered_name", "get_registered_object", "load_model", "load_weights", "register_keras_serializable",
    "save_model", "save_weights", "serialize_keras_object",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
