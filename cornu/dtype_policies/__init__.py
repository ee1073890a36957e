"""Dtype policies: the dtypes in which layers compute and store weights.

Example:

    layer = cornu.layers.Dense(4, dtype="mixed_bfloat16")
    print(layer.compute_dtype, layer.variable_dtype)  # bfloat16 float32
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.policy import (
    AWQDTypePolicy,
    DTypePolicy,
    DTypePolicyMap,
    FloatDTypePolicy,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
    get,
)
from cornu.core.typing import ConfigDict, CustomObjects


def serialize(dtype_policy: DTypePolicy) -> ConfigDict:
    """The policy as plain data.

    Args:
        dtype_policy: a policy.

    Example:

        policy = cornu.dtype_policies.DTypePolicy("float32")
        print(cornu.dtype_policies.serialize(policy)["class_name"])  # DTypePolicy
    """
    return serialize_keras_object(dtype_policy)


def deserialize(config: ConfigDict, custom_objects: CustomObjects | None = None) -> DTypePolicy:
    """The policy for a config returned by `serialize`.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes. None by default.

    Example:

        config = cornu.dtype_policies.serialize(cornu.dtype_policies.DTypePolicy("mixed_bfloat16"))
        print(cornu.dtype_policies.deserialize(config).name)  # mixed_bfloat16
    """
    return deserialize_keras_object(config, custom_objects)


__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "deserialize",
    "get",
    "serialize",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
