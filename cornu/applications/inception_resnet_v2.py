"""Inception-ResNet V2: Inception's branches as residuals (Szegedy et al., 2016, arXiv 1602.07261, figures 15 to 19)."""

from typing import Unpack

import jax

from cornu import layers
from cornu.applications.building import channel_axis, channels_of, constructor, pooled_unnamed
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.inception_v3 import averaged, chain, conv, halved, joined, stem
from cornu.core.symbolic import KerasTensor
from cornu.layers.options import LayerOptions
from cornu.registry import InFiles

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]


class CustomScaleLayer(layers.Layer):
    """`x + scale * residual` for a pair (x, residual).

    Args:
        scale: factor of the residual.
    """

    pure_call = rowwise = True
    _in_files = InFiles("keras.src.applications.inception_resnet_v2", registered_name="CustomScaleLayer")

    def __init__(self, scale: float, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: list[jax.Array]) -> jax.Array:
        """The sum."""
        return inputs[0] + inputs[1] * self.scale


def _residual(x: KerasTensor, branches: list[KerasTensor], name: str, scale: float, relu: bool = True) -> KerasTensor:
    """`x` plus a scaled projection of the branches to as many channels as `x` has."""
    change = layers.Conv2D(channels_of(x), 1, padding="same", name=f"{name}_conv")(joined(branches, f"{name}_mixed"))
    x = CustomScaleLayer(scale)([x, change])
    return layers.Activation("relu", name=f"{name}_ac")(x) if relu else x


def _body(x: KerasTensor) -> KerasTensor:
    x = stem(x)
    x = joined(
        [conv(x, 96, 1), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)), averaged(x, 64)], "mixed_5b"
    )
    for number in range(1, 11):
        branches = [conv(x, 32, 1), chain(x, (32, 1), (32, 3)), chain(x, (32, 1), (48, 3), (64, 3))]
        x = _residual(x, branches, f"block35_{number}", scale=0.17)
    x = joined([conv(x, 384, 3, 2, "valid"), chain(x, (256, 1), (256, 3), (384, 3, 2, "valid")), halved(x)], "mixed_6a")
    for number in range(1, 21):
        branches = [conv(x, 192, 1), chain(x, (128, 1), (160, (1, 7)), (192, (7, 1)))]
        x = _residual(x, branches, f"block17_{number}", scale=0.1)
    x = joined(
        [
            chain(x, (256, 1), (384, 3, 2, "valid")),
            chain(x, (256, 1), (288, 3, 2, "valid")),
            chain(x, (256, 1), (288, 3), (320, 3, 2, "valid")),
            halved(x),
        ],
        "mixed_7a",
    )
    for number in range(1, 11):
        branches = [conv(x, 192, 1), chain(x, (192, 1), (224, (1, 3)), (256, (3, 1)))]
        last = number == 10
        x = _residual(x, branches, f"block8_{number}", scale=1.0 if last else 0.2, relu=not last)
    x = layers.Conv2D(1536, 1, padding="same", use_bias=False, name="conv_7b")(x)
    x = layers.BatchNormalization(channel_axis(), scale=False, name="conv_7b_bn")(x)
    return layers.Activation("relu", name="conv_7b_ac")(x)


InceptionResNetV2 = constructor(
    "InceptionResNetV2", _body, "Szegedy et al., 2016", name="inception_resnet_v2", size=299, smallest=75,
    bottom=pooled_unnamed,
)  # fmt: skip
preprocess_input = preprocessing("tf")
