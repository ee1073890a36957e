"""Initializers: the initial values of weights, available by name: `cornu.initializers.get("he_normal")`.

Example:

    layer = cornu.layers.Dense(4, kernel_initializer="he_normal", bias_initializer=cornu.initializers.Constant(0.1))
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.core.configurable import Catalogue
from cornu.core.operation import snake_case
from cornu.core.typing import AnyFunction, CustomObjects, InitializerLike
from cornu.initializers.constant_values import STFT, Constant, Identity, Ones, Zeros
from cornu.initializers.initializer import Initializer
from cornu.initializers.random_values import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_CLASSES = (
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones, Orthogonal,
    RandomNormal, RandomUniform, STFT, TruncatedNormal, VarianceScaling, Zeros,
)  # fmt: skip
_ALIASES = {
    "IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal, "STFTInitializer": STFT,
    "normal": RandomNormal, "one": Ones, "uniform": RandomUniform, "zero": Zeros,
}  # fmt: skip

catalogue = Catalogue(
    "initializer",
    {cls.__name__: cls for cls in _CLASSES} | {snake_case(cls.__name__): cls for cls in _CLASSES} | _ALIASES,
)


def get(identifier: object) -> Any:
    """The initializer for a name, a config, a class, a function or an array of values.

    Args:
        identifier: name, config, class, function or array.

    Example:

        print(cornu.initializers.get("zeros")((2,)))  # [0. 0.]
    """
    if hasattr(identifier, "shape") and hasattr(identifier, "dtype") and not callable(identifier):
        return Constant(identifier)
    return catalogue.get(identifier)


def serialize(initializer: InitializerLike | None) -> Any:
    """The config of an initializer.

    Args:
        initializer: an initializer.

    Example:

        print(cornu.initializers.serialize(cornu.initializers.Zeros())["class_name"])  # Zeros
    """
    return catalogue.serialize(initializer)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The initializer for a name or config.

    Args:
        config: what `serialize` returned.
        custom_objects: dictionary from names to classes, for names that are not built in. None by default.

    Example:

        print(cornu.initializers.deserialize("ones")((2,)))  # [1. 1.]
    """
    return catalogue.deserialize(config, custom_objects)


__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
