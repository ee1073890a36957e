"""Models as files that run without cornu: StableHLO, which needs only JAX, and ONNX."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.export.archive import ExportArchive
from cornu.export.artifact import Artifact, Endpoint, load

__all__ = ["Artifact", "Endpoint", "ExportArchive", "load"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
