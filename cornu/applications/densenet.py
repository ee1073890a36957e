"""DenseNet: each block adds 32 channels to all that came before (Huang et al., 2016, arXiv 1608.06993, table 1)."""

from collections.abc import Sequence

from cornu import layers
from cornu.applications.building import Application, channel_axis, channels_of, constructor
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.resnet import normalized, rectified
from cornu.core.symbolic import KerasTensor

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_GROWTH = 32  # channels that each block adds


def _block(x: KerasTensor, name: str) -> KerasTensor:
    """The input and, beside it, 32 new channels."""
    new = rectified(normalized(x, f"{name}_0_bn"), f"{name}_0_relu")
    new = layers.Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = rectified(normalized(new, f"{name}_1_bn"), f"{name}_1_relu")
    new = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=channel_axis(), name=f"{name}_concat")([x, new])


def _transition(x: KerasTensor, name: str) -> KerasTensor:
    """Half the channels, half the height and width."""
    x = rectified(normalized(x, f"{name}_bn"), f"{name}_relu")
    x = layers.Conv2D(channels_of(x) // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _densenet(kind: str, depths: Sequence[int]) -> Application:
    """The constructor of the DenseNet with these numbers of blocks in its four stacks."""

    def body(x: KerasTensor) -> KerasTensor:
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = rectified(normalized(x, "conv1_bn"), "conv1_relu")
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(layers.ZeroPadding2D(1)(x))
        for stack, depth in enumerate(depths, 2):
            for block in range(1, depth + 1):
                x = _block(x, f"conv{stack}_block{block}")
            if stack < 5:
                x = _transition(x, f"pool{stack}")
        return rectified(normalized(x, "bn"), "relu")

    return constructor(kind, body, "Huang et al., 2016")


DenseNet121 = _densenet("DenseNet121", (6, 12, 24, 16))
DenseNet169 = _densenet("DenseNet169", (6, 12, 32, 32))
DenseNet201 = _densenet("DenseNet201", (6, 12, 48, 32))
preprocess_input = preprocessing("torch")
