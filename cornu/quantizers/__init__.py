"""Quantization: low-bit weights and activations.

Example:

    quantized, scale = cornu.quantizers.abs_max_quantize(np.array([[1.0, -2.0]], "float32"), axis=-1, to_numpy=True)
    print(quantized)  # [[64 -127]]
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.core.typing import ConfigDict, CustomObjects
from cornu.quantizers.configs import (
    AWQConfig,
    Float8QuantizationConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from cornu.quantizers.float8 import compute_float8_amax_history, compute_float8_scale, quantize_and_dequantize
from cornu.quantizers.integers import (
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    fake_quant_with_min_max_vars,
    pack_int4,
    unpack_int4,
)
from cornu.quantizers.quantizer import AbsMaxQuantizer, Quantizer, catalogue


def get(identifier: object, **kwargs: object) -> Any:
    """Return the quantizer for a name, a config, a class or an instance; None returns None.

    Args:
        identifier: a name, config, class, instance or None.
        **kwargs: arguments of the constructor, if a class is given.

    Example:

        print(cornu.quantizers.get("AbsMaxQuantizer").output_dtype)  # int8
    """
    return identifier(**kwargs) if isinstance(identifier, type) else catalogue.get(identifier)


def serialize(initializer: Quantizer) -> ConfigDict:
    """The config of a quantizer.

    Args:
        initializer: a quantizer; the name is Keras's.

    Example:

        print(cornu.quantizers.serialize(cornu.quantizers.AbsMaxQuantizer())["class_name"])  # AbsMaxQuantizer
    """
    return catalogue.serialize(initializer)


def deserialize(config: object, custom_objects: CustomObjects | None = None) -> Any:
    """Create a quantizer from a config.

    Args:
        config: what `serialize` returned.
        custom_objects: dictionary from names to custom classes. None by default.

    Example:

        config = cornu.quantizers.serialize(cornu.quantizers.AbsMaxQuantizer(axis=0))
        print(cornu.quantizers.deserialize(config).axis)  # (0,)
    """
    return catalogue.deserialize(config, custom_objects)


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
