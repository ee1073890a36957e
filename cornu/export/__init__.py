"""Models as files that run without cornu: StableHLO, which needs only JAX, and ONNX.

Example:

    model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(1)])
    model.export("model.stablehlo", verbose=False)
    print(cornu.export.load("model.stablehlo").serve(np.ones((2, 4), "float32")).shape)  # (2, 1)
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.export.archive import ExportArchive
from cornu.export.artifact import Artifact, Endpoint, load

__all__ = ["Artifact", "Endpoint", "ExportArchive", "load"]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
