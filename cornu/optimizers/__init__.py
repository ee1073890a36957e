"""Optimizers: how gradients update weights.

Example:

    rate = cornu.optimizers.schedules.CosineDecay(1e-3, decay_steps=1000)
    optimizer = cornu.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0)  # for compile(optimizer=...)
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, ConfigDict, CustomObjects
from cornu.optimizers import legacy, schedules
from cornu.optimizers.adafactor import Adafactor
from cornu.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from cornu.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from cornu.optimizers.lion import Lion
from cornu.optimizers.loss_scale_optimizer import LossScaleOptimizer
from cornu.optimizers.multi_optimizer import MultiOptimizer
from cornu.optimizers.muon import Muon
from cornu.optimizers.optax_optimizer import OptaxOptimizer, is_transformation
from cornu.optimizers.optimizer import Optimizer
from cornu.optimizers.optimizer_map import OptimizerMap
from cornu.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "OptaxOptimizer",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]

_BY_NAME = (
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Adamax,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    SGD,
    ScheduleFreeAdamW,
)
catalogue = Catalogue(
    "optimizer",
    {name: cls for cls in _BY_NAME for name in (cls.__name__, cls.__name__.lower())},
)


def get(identifier: object) -> Optimizer | None:
    """The optimizer for a name, a config, a class, an optax transformation or an optimizer; None for None.

    Names are case-insensitive.

    Args:
        identifier: name, config, class, optax transformation, optimizer or None.

    Example:

        optimizer = cornu.optimizers.get("adam")
    """
    if isinstance(identifier, str) and identifier.lower() in catalogue.objects:
        return catalogue.get(identifier.lower())
    if is_transformation(identifier):
        return OptaxOptimizer(identifier)
    found = catalogue.get(identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(
            "An optimizer must be a name, an Optimizer, its config, or an optax transformation. "
            f"Received: {identifier!r}."
        )
    return found


def serialize(optimizer: Optimizer) -> ConfigDict:
    """`optimizer` as plain data.

    Args:
        optimizer: an optimizer.

    Example:

        print(cornu.optimizers.serialize(cornu.optimizers.Adam())["class_name"])
    """
    return catalogue.serialize(optimizer)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The optimizer described by `config`, the result of `serialize`; class names are case-insensitive.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        config = cornu.optimizers.serialize(cornu.optimizers.SGD(momentum=0.9))
        print(cornu.optimizers.deserialize(config).momentum)  # 0.9
    """
    if isinstance(config, dict) and str(config.get("class_name")).lower() in catalogue.objects:
        config = {**config, "class_name": catalogue.objects[config["class_name"].lower()].__name__}
    return catalogue.deserialize(config, custom_objects)


if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
