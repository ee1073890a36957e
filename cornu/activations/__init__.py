"""Activation functions, available by name: `cornu.activations.get("relu")`.

Example:

    layer = cornu.layers.Dense(4, activation="relu")  # by name
    print(cornu.activations.relu(np.array([-1.0, 2.0])))  # [0. 2.]
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.activations.functions import exponential, gelu, linear, mish, relu
from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, CustomObjects
from cornu.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)

swish = silu
hard_swish = hard_silu

_FUNCTIONS = (
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear,
    log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign,
    sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold,
)  # fmt: skip

catalogue = Catalogue("activation", {f.__name__: f for f in _FUNCTIONS} | {"swish": swish, "hard_swish": hard_swish})


def get(identifier: object) -> AnyFunction:
    """The activation for a name, a config or a callable; None is `linear`.

    Args:
        identifier: name, config, callable or None.

    Example:

        print(cornu.activations.get("relu")(np.array([-1.0, 1.0])))  # [0. 1.]
    """
    if identifier is None:
        return linear
    return deserialize(identifier) if isinstance(identifier, dict) else catalogue.get(identifier)


def serialize(activation: AnyFunction) -> Any:
    """The name of a built-in activation, or the config of any other.

    Args:
        activation: an activation function.

    Example:

        print(cornu.activations.serialize(cornu.activations.swish))  # silu
    """
    return catalogue.serialize(activation)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The activation for a name or config.

    Args:
        config: what `serialize` returned.
        custom_objects: dictionary from names to functions, for names that are not built in. None by default.

    Example:

        print(cornu.activations.deserialize("tanh")(np.array([0.0])))  # [0.]
    """
    if isinstance(config, dict) and config.get("class_name") == "function":
        config = config["config"]
    return catalogue.deserialize(config, custom_objects)


__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
