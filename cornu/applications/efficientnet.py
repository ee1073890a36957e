"""EfficientNet: one network, scaled in width, depth and image size (Tan & Le, 2019, arXiv 1905.11946, table 1)."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from cornu import layers
from cornu.applications.building import (
    Application,
    Plan,
    channel_axis,
    channels_of,
    classifier,
    constructor,
    same_padding,
    whole,
)
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyFunction

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip

CONV_START = {"class_name": "VarianceScaling", "config": {
    "scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal",
}}  # fmt: skip
DENSE_START = {"class_name": "VarianceScaling", "config": {
    "scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform",
}}  # fmt: skip
_DEVIATION = (0.229, 0.224, 0.225)  # of ImageNet's channels, from 0 to 1
_DROP_CONNECT = 0.2  # drop rate of the last residual; it increases linearly with depth


class Stage(NamedTuple):
    """A row of the paper's table: MBConv blocks of one kind."""

    kernel: int
    repeats: int
    filters: int
    expansion: int
    stride: int


_STAGES = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 2, 24, 6, 2),
    Stage(5, 2, 40, 6, 2),
    Stage(3, 3, 80, 6, 2),
    Stage(5, 3, 112, 6, 1),
    Stage(5, 4, 192, 6, 2),
    Stage(3, 1, 320, 6, 1),
)


def conv(x: KerasTensor, filters: int, kernel: int, name: str, **options: Any) -> KerasTensor:
    """A convolution without bias, with EfficientNet's initializer."""
    options = {"padding": "same", "use_bias": False, "kernel_initializer": CONV_START, **options}
    return layers.Conv2D(filters, kernel, name=name, **options)(x)


def swish(x: KerasTensor, name: str) -> KerasTensor:
    """The activation `x * sigmoid(x)`."""
    return layers.Activation("swish", name=f"{name}activation")(x)


def excited(x: KerasTensor, reduced: int, name: str) -> KerasTensor:
    """Squeeze and excitation: channels weighted by global context (Hu et al., 2017, arXiv 1709.01507)."""
    channels = channels_of(x)
    shape = (channels, 1, 1) if channel_axis() == 1 else (1, 1, channels)
    weights = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    weights = layers.Reshape(shape, name=f"{name}se_reshape")(weights)
    weights = conv(weights, reduced, 1, f"{name}se_reduce", activation="swish", use_bias=True)
    weights = conv(weights, channels, 1, f"{name}se_expand", activation="sigmoid", use_bias=True)
    return layers.Multiply(name=f"{name}se_excite")([x, weights])


def residual(x: KerasTensor, around: KerasTensor, drop: float, name: str) -> KerasTensor:
    """The sum of `x` and its shortcut; all of `x` is dropped for some samples."""
    if drop:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, around])


def _block_name(stage: int, repeat: int) -> str:
    """`block1a_`, `block1b_`, ..."""
    return f"block{stage}{chr(ord('a') + repeat)}_"


def stacked(x: KerasTensor, stages: Sequence[Any], blocks: int, block: AnyFunction) -> KerasTensor:
    """The blocks of all stages, by `block(x, stage, stride, drop, name)`; residuals are dropped as if of `blocks`."""
    count = 0
    for number, stage in enumerate(stages, 1):
        for repeat in range(stage.repeats):
            stride = 1 if repeat else stage.stride
            x = block(x, stage, stride, _DROP_CONNECT * count / blocks, _block_name(number, repeat))
            count += 1
    return x


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(channel_axis(), name=f"{name}bn")(x)


def _strided(x: KerasTensor, kernel: int, stride: int, name: str) -> tuple[KerasTensor, str]:
    """`x` and the padding mode for a layer with the given stride; for stride 2, `x` is padded explicitly."""
    if stride == 1:
        return x, "same"
    return layers.ZeroPadding2D(same_padding(x, kernel), name=name)(x), "valid"


def _block(x: KerasTensor, stage: Stage, stride: int, drop: float, name: str) -> KerasTensor:
    """MBConv: widen, convolve each channel, excite, narrow."""
    around, channels = x, channels_of(x)
    if stage.expansion != 1:
        x = conv(x, channels * stage.expansion, 1, f"{name}expand_conv")
        x = swish(_normalized(x, f"{name}expand_"), f"{name}expand_")
    x, padding = _strided(x, stage.kernel, stride, f"{name}dwconv_pad")
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding=padding, use_bias=False, depthwise_initializer=CONV_START,
        name=f"{name}dwconv",
    )(x)  # fmt: skip
    x = swish(_normalized(x, name), name)
    x = excited(x, max(1, channels // 4), name)
    x = _normalized(conv(x, stage.filters, 1, f"{name}project_conv"), f"{name}project_")
    if stride > 1 or channels != stage.filters:
        return x
    return residual(x, around, drop, name)


def _scaled(image: KerasTensor, plan: Plan) -> KerasTensor:
    """Images from 0 to 255, normalized for the body.

    The published weights contain the mean and the variance of ImageNet for the normalization, but were trained on
    images divided by the variance, so that one more factor is needed.
    """
    x = layers.Rescaling(1.0 / 255.0)(image)
    x = layers.Normalization(axis=channel_axis())(x)
    return layers.Rescaling([1.0 / math.sqrt(d) for d in _DEVIATION])(x) if plan.published else x


def _efficientnet(kind: str, width: float, depth: float, size: int, dropout: float) -> Application:
    """The constructor of one scale."""
    stages = [s._replace(filters=whole(s.filters * width), repeats=math.ceil(s.repeats * depth)) for s in _STAGES]
    blocks = sum(stage.repeats for stage in stages)

    def body(x: KerasTensor) -> KerasTensor:
        x, padding = _strided(x, 3, 2, "stem_conv_pad")
        x = conv(x, whole(32 * width), 3, "stem_conv", strides=2, padding=padding)
        x = swish(_normalized(x, "stem_"), "stem_")
        x = stacked(x, stages, blocks, _block)
        x = conv(x, whole(1280 * width), 1, "top_conv")
        return swish(_normalized(x, "top_"), "top_")

    top = partial(classifier, dropout=dropout, kernel_initializer=DENSE_START)
    return constructor(kind, body, "Tan & Le, 2019", size=size, before=_scaled, top=top)


EfficientNetB0 = _efficientnet("EfficientNetB0", 1.0, 1.0, 224, 0.2)
EfficientNetB1 = _efficientnet("EfficientNetB1", 1.0, 1.1, 240, 0.2)
EfficientNetB2 = _efficientnet("EfficientNetB2", 1.1, 1.2, 260, 0.3)
EfficientNetB3 = _efficientnet("EfficientNetB3", 1.2, 1.4, 300, 0.3)
EfficientNetB4 = _efficientnet("EfficientNetB4", 1.4, 1.8, 380, 0.4)
EfficientNetB5 = _efficientnet("EfficientNetB5", 1.6, 2.2, 456, 0.4)
EfficientNetB6 = _efficientnet("EfficientNetB6", 1.8, 2.6, 528, 0.5)
EfficientNetB7 = _efficientnet("EfficientNetB7", 2.0, 3.1, 600, 0.5)
preprocess_input = preprocessing(None)
