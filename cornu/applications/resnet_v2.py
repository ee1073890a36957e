"""ResNet V2: normalization and ReLU come before each convolution (He et al., 2016, arXiv 1603.05027)."""

from collections.abc import Sequence

from cornu import layers
from cornu.applications.building import Application, constructor
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.resnet import WIDTHS, normalized, padded, rectified
from cornu.core.symbolic import KerasTensor

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def _block(x: KerasTensor, width: int, stride: int, shortcut: bool, name: str) -> KerasTensor:
    """1 × 1, 3 × 3, 1 × 1 around a shortcut that is a convolution, subsampling or the identity."""
    ready = rectified(normalized(x, f"{name}_preact_bn"), f"{name}_preact_relu")
    if shortcut:
        around = layers.Conv2D(4 * width, 1, strides=stride, name=f"{name}_0_conv")(ready)
    else:
        around = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = rectified(normalized(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = padded(x, 1, f"{name}_2_pad")
    x = layers.Conv2D(width, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = rectified(normalized(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([around, x])


def _resnet(kind: str, depths: Sequence[int]) -> Application:
    """The constructor of the ResNet V2 with the given numbers of blocks in its four stacks."""

    def body(x: KerasTensor) -> KerasTensor:
        x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(padded(x, 3, "conv1_pad"))
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(padded(x, 1, "pool1_pad"))
        for stack, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 2):
            for block in range(1, depth + 1):
                stride = 2 if block == depth and stack < 5 else 1
                x = _block(x, width, stride, block == 1, f"conv{stack}_block{block}")
        return rectified(normalized(x, "post_bn"), "post_relu")

    return constructor(kind, body, "He et al., 2016")


ResNet50V2 = _resnet("ResNet50V2", (3, 4, 6, 3))
ResNet101V2 = _resnet("ResNet101V2", (3, 4, 23, 3))
ResNet152V2 = _resnet("ResNet152V2", (3, 8, 36, 3))
preprocess_input = preprocessing("tf")
