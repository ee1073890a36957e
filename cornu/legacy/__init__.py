"""Older names for scripts written for older Keras."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.legacy import saving

__all__ = ["saving"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
