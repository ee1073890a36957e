"""EfficientNet V2: early blocks fuse two convolutions into one (Tan & Le, 2021, arXiv 2104.00298, table 4)."""

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from cornu import layers
from cornu.applications.building import Plan, application, channel_axis, channels_of, classifier, named, pooled
from cornu.applications.efficientnet import (
    CONV_START,
    DENSE_START,
    conv,
    excited,
    residual,
    stacked,
    swish,
)
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike, AnyFunction
from cornu.initializers import Constant
from cornu.models import Model

__all__ = [
    "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3", "EfficientNetV2L",
    "EfficientNetV2M", "EfficientNetV2S", "decode_predictions", "preprocess_input",
]  # fmt: skip


class Stage(NamedTuple):
    """A row of the paper's table: blocks of one kind, with 3 × 3 kernels; the fused ones have no excitation."""

    fused: bool
    expansion: int
    stride: int
    filters: int
    repeats: int


_BASE = (
    Stage(True, 1, 1, 16, 1),
    Stage(True, 4, 2, 32, 2),
    Stage(True, 4, 2, 48, 2),
    Stage(False, 4, 2, 96, 3),
    Stage(False, 6, 1, 112, 5),
    Stage(False, 6, 2, 192, 8),
)
_S = (
    Stage(True, 1, 1, 24, 2),
    Stage(True, 4, 2, 48, 4),
    Stage(True, 4, 2, 64, 4),
    Stage(False, 4, 2, 128, 6),
    Stage(False, 6, 1, 160, 9),
    Stage(False, 6, 2, 256, 15),
)
_M = (
    Stage(True, 1, 1, 24, 3),
    Stage(True, 4, 2, 48, 5),
    Stage(True, 4, 2, 80, 5),
    Stage(False, 4, 2, 160, 7),
    Stage(False, 6, 1, 176, 14),
    Stage(False, 6, 2, 304, 18),
    Stage(False, 6, 1, 512, 5),
)
_L = (
    Stage(True, 1, 1, 32, 4),
    Stage(True, 4, 2, 64, 7),
    Stage(True, 4, 2, 96, 7),
    Stage(False, 4, 2, 192, 10),
    Stage(False, 6, 1, 224, 19),
    Stage(False, 6, 2, 384, 25),
    Stage(False, 6, 1, 640, 7),
)
_MEAN, _VARIANCE = [0.485, 0.456, 0.406], [0.229**2, 0.224**2, 0.225**2]  # of ImageNet, from 0 to 1


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(channel_axis(), momentum=0.9, name=f"{name}bn")(x)


def _scaled_by_own_range(x: KerasTensor) -> KerasTensor:
    return layers.Rescaling(1.0 / 128.0, offset=-1.0)(x)


def _scaled_by_imagenet(x: KerasTensor) -> KerasTensor:
    x = layers.Rescaling(1.0 / 255.0)(x)
    return layers.Normalization(mean=_MEAN, variance=_VARIANCE, axis=channel_axis())(x)


def _fused(x: KerasTensor, stage: Stage, stride: int, name: str) -> KerasTensor:
    """Fused-MBConv: a 3 × 3 convolution that widens, then one that narrows; a single one without expansion."""
    if stage.expansion == 1:
        x = _normalized(conv(x, stage.filters, 3, f"{name}project_conv", strides=stride), f"{name}project_")
        return swish(x, f"{name}project_")
    x = conv(x, channels_of(x) * stage.expansion, 3, f"{name}expand_conv", strides=stride)
    x = swish(_normalized(x, f"{name}expand_"), f"{name}expand_")
    return _normalized(conv(x, stage.filters, 1, f"{name}project_conv"), f"{name}project_")


def _separate(x: KerasTensor, stage: Stage, stride: int, name: str) -> KerasTensor:
    """MBConv: widen, convolve each channel, excite, narrow."""
    channels = channels_of(x)
    x = conv(x, channels * stage.expansion, 1, f"{name}expand_conv")
    x = swish(_normalized(x, f"{name}expand_"), f"{name}expand_")
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, depthwise_initializer=CONV_START, name=f"{name}dwconv2"
    )(x)
    x = excited(swish(_normalized(x, name), name), max(1, channels // 4), name)
    return _normalized(conv(x, stage.filters, 1, f"{name}project_conv"), f"{name}project_")


def _block(x: KerasTensor, stage: Stage, stride: int, drop: float, name: str) -> KerasTensor:
    around, channels = x, channels_of(x)
    x = (_fused if stage.fused else _separate)(x, stage, stride, name)
    return x if stride > 1 or channels != stage.filters else residual(x, around, drop, name)


def _efficientnet(
    kind: str,
    stages: Sequence[Stage],
    stem: int,
    size: int,
    width: float = 1.0,
    depth: float = 1.0,
    scaled: AnyFunction = _scaled_by_own_range,
) -> Callable[..., Model]:
    """The constructor of one member; `scaled` preprocesses the images inside the model."""
    blocks = sum(stage.repeats for stage in stages)  # before scaling, like the published rates
    stages = [s._replace(filters=_whole(s.filters * width), repeats=math.ceil(s.repeats * depth)) for s in stages]

    def body(x: KerasTensor, include_preprocessing: bool) -> KerasTensor:
        x = scaled(x) if include_preprocessing else x
        x = conv(x, _whole(stem * width), 3, "stem_conv", strides=2)
        x = swish(_normalized(x, "stem_"), "stem_")
        x = stacked(x, stages, blocks, _block)
        x = conv(x, _whole(1280 * width), 1, "top_conv")
        return swish(_normalized(x, "top_"), "top_")

    def build(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str = kind.lower().replace("v2", "v2-"),
    ) -> Model:
        plan = Plan(
            kind, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name, size
        )
        top = partial(classifier, dropout=0.2, kernel_initializer=DENSE_START, bias_initializer=Constant(0.0))
        return application(plan, partial(body, include_preprocessing=include_preprocessing), top, pooled)

    more = "    include_preprocessing: whether the model rescales images from 0 to 255 itself. Defaults to True.\n"
    return named(build, kind, "Tan & Le, 2021", body, more)


def _whole(value: float) -> int:
    """The multiple of 8 nearest to `value`."""
    return max(8, int(value + 4) // 8 * 8)


_base = partial(_efficientnet, stages=_BASE, stem=32, scaled=_scaled_by_imagenet)

EfficientNetV2B0 = _base("EfficientNetV2B0", size=224)
EfficientNetV2B1 = _base("EfficientNetV2B1", size=240, depth=1.1)
EfficientNetV2B2 = _base("EfficientNetV2B2", size=260, width=1.1, depth=1.2)
EfficientNetV2B3 = _base("EfficientNetV2B3", size=300, width=1.2, depth=1.4)
EfficientNetV2S = _efficientnet("EfficientNetV2S", _S, stem=24, size=384)
EfficientNetV2M = _efficientnet("EfficientNetV2M", _M, stem=24, size=480)
EfficientNetV2L = _efficientnet("EfficientNetV2L", _L, stem=32, size=480)
preprocess_input = preprocessing(None)
