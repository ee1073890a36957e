"""Xception: depthwise separable convolutions in residual blocks (Chollet, 2016, arXiv 1610.02357, figure 5)."""

from cornu import layers
from cornu.applications.building import constructor, last_axis, pooled_unnamed
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def _normalized(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.BatchNormalization(last_axis(), name=name)(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.Activation("relu", name=f"{name}_act")(x)


def _separable(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _narrowing(x: KerasTensor, filters: tuple[int, int], name: str, relu: bool = True) -> KerasTensor:
    """Two convolutions and max pooling that halve height and width, with a strided convolution as shortcut."""
    around = layers.Conv2D(filters[1], 1, strides=2, padding="same", use_bias=False)(x)
    around = _normalized(around)
    x = _relu(x, f"{name}_sepconv1") if relu else x
    x = _separable(x, filters[0], f"{name}_sepconv1")
    x = _separable(_relu(x, f"{name}_sepconv2"), filters[1], f"{name}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Add()([x, around])


def _middle(x: KerasTensor, name: str) -> KerasTensor:
    """Three convolutions with an identity shortcut."""
    around = x
    for conv in (f"{name}_sepconv{number}" for number in (1, 2, 3)):
        x = _separable(_relu(x, conv), 728, conv)
    return layers.Add()([x, around])


def _body(x: KerasTensor) -> KerasTensor:
    x = layers.Conv2D(32, 3, strides=2, use_bias=False, name="block1_conv1")(x)
    x = _relu(_normalized(x, "block1_conv1_bn"), "block1_conv1")
    x = layers.Conv2D(64, 3, use_bias=False, name="block1_conv2")(x)
    x = _relu(_normalized(x, "block1_conv2_bn"), "block1_conv2")
    x = _narrowing(x, (128, 128), "block2", relu=False)
    x = _narrowing(x, (256, 256), "block3")
    x = _narrowing(x, (728, 728), "block4")
    for block in range(5, 13):
        x = _middle(x, f"block{block}")
    x = _narrowing(x, (728, 1024), "block13")
    x = _relu(_separable(x, 1536, "block14_sepconv1"), "block14_sepconv1")
    return _relu(_separable(x, 2048, "block14_sepconv2"), "block14_sepconv2")


Xception = constructor("Xception", _body, "Chollet, 2016", size=299, smallest=71, bottom=pooled_unnamed)
preprocess_input = preprocessing("tf")
