"""Keras's older names for dtype policies."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.core.policy import DTypePolicy, dtype_policy, set_dtype_policy
from cornu.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
