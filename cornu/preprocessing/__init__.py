"""The older names of tools that `cornu.utils` has: pictures and arrays."""

from cornu.preprocessing import image

__all__ = ["image"]
