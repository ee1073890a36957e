"""What scripts for older Keras call by its older name."""

from cornu.legacy import saving

__all__ = ["saving"]
