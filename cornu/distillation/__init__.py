"""Distillation: a small model, the student, learns from the outputs or the features of a trained one, the teacher."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.distillation.distiller import Distiller
from cornu.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
