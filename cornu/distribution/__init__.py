"""Models on several devices: the layout of batches and variables over a mesh of devices. JAX and XLA do the rest.

Example:

    distribution = cornu.distribution.DataParallel()  # over all devices of this machine
    with distribution.scope():
        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(1)])  # its weights are on each of them
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.distribution.layouts import (
    DeviceMesh,
    LayoutMap,
    TensorLayout,
    distribute_tensor,
    get_device_count,
    list_devices,
)
from cornu.distribution.parallel import DataParallel, ModelParallel, distribution, set_distribution
from cornu.distribution.plans import plan
from cornu.distribution.processes import initialize

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "plan",
    "set_distribution",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
