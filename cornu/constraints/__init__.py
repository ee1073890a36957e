"""Constraints: conditions that a weight must satisfy after every update.

Example:

    layer = cornu.layers.Dense(4, kernel_constraint=cornu.constraints.MaxNorm(2.0))
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.constraints.constraints import (
    Constraint,
    MaxNorm,
    MinMaxNorm,
    NonNeg,
    UnitNorm,
    max_norm,
    min_max_norm,
    non_neg,
    unit_norm,
)
from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, ConfigDict, CustomObjects

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

catalogue = Catalogue(
    "constraint",
    {
        "MaxNorm": MaxNorm,
        "MinMaxNorm": MinMaxNorm,
        "NonNeg": NonNeg,
        "UnitNorm": UnitNorm,
        "max_norm": max_norm,
        "min_max_norm": min_max_norm,
        "non_neg": non_neg,
        "unit_norm": unit_norm,
    },
)


def get(identifier: object) -> Any:
    """The constraint for a name, a config, a class or a callable; None for None.

    Args:
        identifier: name, config, class, callable or None.

    Example:

        constraint = cornu.constraints.get("max_norm")
    """
    return catalogue.get(identifier)


def serialize(constraint: Constraint) -> ConfigDict:
    """`constraint` as plain data.

    Args:
        constraint: a constraint.

    Example:

        print(cornu.constraints.serialize(cornu.constraints.NonNeg())["class_name"])  # NonNeg
    """
    return catalogue.serialize(constraint)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The constraint described by `config`, the result of `serialize`.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        config = cornu.constraints.serialize(cornu.constraints.MaxNorm(2.0))
        print(cornu.constraints.deserialize(config).max_value)  # 2.0
    """
    return catalogue.deserialize(config, custom_objects)


if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
