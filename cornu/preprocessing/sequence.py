"""Sequences of different lengths as one array."""

from cornu.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]
