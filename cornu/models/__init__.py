"""Models: functional, sequential and subclassed, and their copies.

Example:

    inputs = cornu.Input((4,))
    model = cornu.Model(inputs, cornu.layers.Dense(1)(inputs))
    copy = cornu.models.clone_model(model)  # with weights of its own
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.models.cloning import clone_model
from cornu.models.model import Functional, Model, model_from_json  # noqa: F401 - files name Functional
from cornu.models.sequential import Sequential
from cornu.saving import load_model, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
