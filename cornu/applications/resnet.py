"""ResNet: blocks of three convolutions around a shortcut (He et al., 2015, arXiv 1512.03385, table 1)."""

from collections.abc import Sequence

from cornu import layers
from cornu.applications.building import Application, channel_axis, constructor
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

WIDTHS = (64, 128, 256, 512)  # of the stacks conv2 to conv5


def normalized(x: KerasTensor, name: str) -> KerasTensor:
    """Batch normalization with ResNet's settings."""
    return layers.BatchNormalization(channel_axis(), epsilon=1.001e-5, name=name)(x)


def rectified(x: KerasTensor, name: str) -> KerasTensor:
    """A ReLU."""
    return layers.Activation("relu", name=name)(x)


def padded(x: KerasTensor, amount: int, name: str) -> KerasTensor:
    """Zeros on all four sides."""
    return layers.ZeroPadding2D(amount, name=name)(x)


def _block(x: KerasTensor, width: int, stride: int, shortcut: bool, name: str) -> KerasTensor:
    """1 × 1, 3 × 3, 1 × 1 around a shortcut that is a convolution or the identity."""
    around = x
    if shortcut:
        around = layers.Conv2D(4 * width, 1, strides=stride, name=f"{name}_0_conv")(x)
        around = normalized(around, f"{name}_0_bn")
    x = layers.Conv2D(width, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = rectified(normalized(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.Conv2D(width, 3, padding="same", name=f"{name}_2_conv")(x)
    x = rectified(normalized(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(x)
    x = normalized(x, f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([around, x])
    return rectified(x, f"{name}_out")


def _resnet(kind: str, depths: Sequence[int]) -> Application:
    """The constructor of the ResNet with the given numbers of blocks in its four stacks."""

    def body(x: KerasTensor) -> KerasTensor:
        x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(padded(x, 3, "conv1_pad"))
        x = rectified(normalized(x, "conv1_bn"), "conv1_relu")
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(padded(x, 1, "pool1_pad"))
        for stack, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 2):
            for block in range(1, depth + 1):
                stride = 2 if block == 1 and stack > 2 else 1
                x = _block(x, width, stride, block == 1, f"conv{stack}_block{block}")
        return x

    return constructor(kind, body, "He et al., 2015")


ResNet50 = _resnet("ResNet50", (3, 4, 6, 3))
ResNet101 = _resnet("ResNet101", (3, 4, 23, 3))
ResNet152 = _resnet("ResNet152", (3, 8, 36, 3))
preprocess_input = preprocessing("caffe")
