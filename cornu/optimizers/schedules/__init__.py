"""Learning-rate schedules: the learning rate as a function of the step."""

from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, ConfigDict, CustomObjects
from cornu.optimizers.schedules.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

_CLASSES = (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
catalogue = Catalogue("learning-rate schedule", {cls.__name__: cls for cls in _CLASSES})


def serialize(learning_rate_schedule: LearningRateSchedule) -> ConfigDict:
    """`learning_rate_schedule` as plain data.

    Args:
        learning_rate_schedule: a schedule.

    Example:

        schedule = cornu.optimizers.schedules.CosineDecay(0.1, 1000)
        print(cornu.optimizers.schedules.serialize(schedule)["class_name"])
    """
    return catalogue.serialize(learning_rate_schedule)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The schedule described by `config`, the result of `serialize`.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        schedule = cornu.optimizers.schedules.CosineDecay(0.1, 1000)
        config = cornu.optimizers.schedules.serialize(schedule)
        print(cornu.optimizers.schedules.deserialize(config).decay_steps)  # 1000
    """
    return catalogue.deserialize(config, custom_objects)
