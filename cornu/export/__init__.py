"""Models as files that run without cornu: StableHLO, which JAX alone can load, and ONNX."""

from cornu.absent import explainer as _explainer
from cornu.export.archive import ExportArchive
from cornu.export.artifact import Artifact, Endpoint, load

__all__ = ["Artifact", "Endpoint", "ExportArchive", "load"]

__getattr__ = _explainer(__name__)
