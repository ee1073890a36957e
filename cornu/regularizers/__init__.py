"""Regularizers: penalties on the weights, biases and activities that layers add to the loss.

Example:

    layer = cornu.layers.Dense(4, kernel_regularizer=cornu.regularizers.L2(0.01))
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, ConfigDict, CustomObjects
from cornu.regularizers.regularizers import (
    L1,
    L1L2,
    L2,
    OrthogonalRegularizer,
    Regularizer,
    l1,
    l1_l2,
    l2,
    orthogonal_regularizer,
)

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

catalogue = Catalogue(
    "regularizer",
    {
        "L1": L1,
        "L1L2": L1L2,
        "L2": L2,
        "OrthogonalRegularizer": OrthogonalRegularizer,
        "l1": l1,
        "l1_l2": l1_l2,
        "l1l2": l1_l2,
        "l2": l2,
        "orthogonal_regularizer": orthogonal_regularizer,
    },
)


def get(identifier: object) -> Any:
    """The regularizer for a name, a config, a class or a callable; None for None.

    Args:
        identifier: name, config, class, callable or None.

    Example:

        penalty = cornu.regularizers.get("l2")
    """
    return catalogue.get(identifier)


def serialize(regularizer: Regularizer) -> ConfigDict:
    """`regularizer` as plain data.

    Args:
        regularizer: a regularizer.

    Example:

        print(cornu.regularizers.serialize(cornu.regularizers.L2(0.5))["config"])  # {'l2': 0.5}
    """
    return catalogue.serialize(regularizer)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The regularizer described by `config`, the result of `serialize`.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        config = cornu.regularizers.serialize(cornu.regularizers.L2(0.5))
        print(cornu.regularizers.deserialize(config).l2)  # 0.5
    """
    return catalogue.deserialize(config, custom_objects)


if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
