"""cornu: the Keras API on one engine, JAX.

    import cornu as keras

Namespaces are imported when they are first used, so `import cornu` itself takes less than a millisecond.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from cornu._version import __version__ as __version__

# Public names of the top level and the module that defines each.
_NAMES = {
    "DTypePolicy": "core.policy",
    "FloatDTypePolicy": "core.policy",
    "Function": "models.function",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "core.symbolic",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "core.operation",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "RematScope": "core.remat",
    "Sequential": "models",
    "StatelessScope": "core.variable",
    "SymbolicScope": "core.symbolic",
    "Variable": "core.variable",
    "device": "core.device",
    "name_scope": "core.context",
    "remat": "core.remat",
    "version": "config",
}

_NAMESPACES = (
    "activations", "applications", "backend", "callbacks", "config", "constraints", "data", "datasets",
    "distillation", "distribution", "dtype_policies", "export", "initializers", "layers", "legacy", "losses",
    "metrics", "mixed_precision", "models", "ops", "optimizers", "preprocessing", "quantizers", "random",
    "regularizers", "saving", "tree", "utils", "visualization", "wrappers",
)  # fmt: skip

__all__ = [*_NAMES, *_NAMESPACES]  # noqa: PLE0604 - the keys and the names above

if os.environ.get("CORNU_TUNE_MEMORY", "0").lower() not in ("", "0", "off", "no", "false"):
    importlib.import_module("cornu.memory").tune_memory()  # before JAX is imported, when it helps most

if TYPE_CHECKING:  # the names served by `__getattr__`, for editors and type checkers
    from cornu import (
        activations as activations,
        applications as applications,
        backend as backend,
        callbacks as callbacks,
        config as config,
        constraints as constraints,
        data as data,
        datasets as datasets,
        distillation as distillation,
        distribution as distribution,
        dtype_policies as dtype_policies,
        errors as errors,
        export as export,
        initializers as initializers,
        layers as layers,
        legacy as legacy,
        losses as losses,
        metrics as metrics,
        mixed_precision as mixed_precision,
        models as models,
        ops as ops,
        optimizers as optimizers,
        preprocessing as preprocessing,
        quantizers as quantizers,
        random as random,
        regularizers as regularizers,
        saving as saving,
        tree as tree,
        utils as utils,
        visualization as visualization,
        wrappers as wrappers,
    )
    from cornu.config import version as version
    from cornu.core.context import name_scope as name_scope
    from cornu.core.device import device as device
    from cornu.core.operation import Operation as Operation
    from cornu.core.policy import DTypePolicy as DTypePolicy, FloatDTypePolicy as FloatDTypePolicy
    from cornu.core.remat import RematScope as RematScope, remat as remat
    from cornu.core.symbolic import KerasTensor as KerasTensor, SymbolicScope as SymbolicScope
    from cornu.core.variable import StatelessScope as StatelessScope, Variable as Variable
    from cornu.initializers import Initializer as Initializer
    from cornu.layers import Input as Input, InputSpec as InputSpec, Layer as Layer
    from cornu.losses import Loss as Loss
    from cornu.metrics import Metric as Metric
    from cornu.models import Model as Model, Sequential as Sequential
    from cornu.models.function import Function as Function
    from cornu.optimizers import Optimizer as Optimizer
    from cornu.quantizers import Quantizer as Quantizer
    from cornu.regularizers import Regularizer as Regularizer
else:

    def __getattr__(name: str) -> Any:
        if name in _NAMESPACES or name == "errors":
            return importlib.import_module(f"cornu.{name}")
        if name in _NAMES:
            value = getattr(importlib.import_module(f"cornu.{_NAMES[name]}"), name)
            globals()[name] = value
            return value
        return importlib.import_module("cornu.absent").missing(__name__, name)


def __dir__() -> list[str]:
    return __all__
