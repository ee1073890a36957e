"""Distillation: a small model, the student, learns from the outputs or the features of a trained one, the teacher.

Example:

    def network(units):
        return cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(units), cornu.layers.Dense(3)])

    distiller = cornu.distillation.Distiller(
        network(32), network(4), distillation_losses=cornu.distillation.LogitsDistillation()
    )  # compile and fit it as any model
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.distillation.distiller import Distiller
from cornu.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
