"""What scripts for older Keras call by its older name."""

from cornu.absent import explainer as _explainer
from cornu.legacy import saving

__all__ = ["saving"]

__getattr__ = _explainer(__name__)
