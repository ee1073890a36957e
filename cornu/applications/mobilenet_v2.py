"""MobileNet V2: blocks that widen, convolve and narrow (Sandler et al., 2018, arXiv 1801.04381, table 2)."""

import os
from collections.abc import Sequence
from functools import partial

from cornu import layers
from cornu.applications.addresses import MOBILENET_V2_SIZES
from cornu.applications.building import (
    Plan,
    application,
    channels_of,
    classifier,
    image_shape,
    last_axis,
    pooled_unnamed,
    same_padding,
    spatial,
    whole,
)
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.applications.mobilenet import published_size, with_name
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike
from cornu.models import Model

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# (expansion, filters, repeats, first stride) of each row
_ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(last_axis(), momentum=0.999, name=name)(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.ReLU(6.0, name=name)(x)


def _block(x: KerasTensor, expansion: int, filters: int, stride: int, name: str) -> KerasTensor:
    around, channels = x, channels_of(x)
    if expansion > 1:
        x = layers.Conv2D(channels * expansion, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = _relu(_normalized(x, f"{name}expand_BN"), f"{name}expand_relu")
    if stride > 1:
        x = layers.ZeroPadding2D(same_padding(x, 3), name=f"{name}pad")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False, name=f"{name}depthwise"
    )(x)
    x = _relu(_normalized(x, f"{name}depthwise_BN"), f"{name}depthwise_relu")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = _normalized(x, f"{name}project_BN")
    return layers.Add(name=f"{name}add")([around, x]) if channels == filters and stride == 1 else x


def _body(x: KerasTensor, alpha: float) -> KerasTensor:
    x = layers.Conv2D(whole(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = _relu(_normalized(x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for expansion, filters, repeats, stride in _ROWS:
        for repeat in range(repeats):
            name = f"block_{number}_" if number else "expanded_conv_"
            x = _block(x, expansion, whole(filters * alpha), 1 if repeat else stride, name)
            number += 1
    x = layers.Conv2D(whole(1280 * max(alpha, 1.0)), 1, use_bias=False, name="Conv_1")(x)
    return _relu(_normalized(x, "Conv_1_bn"), "out_relu")


def MobileNetV2(  # noqa: N802 - Keras's public name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: ActivationLike = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNet V2 (Sandler et al., 2018).

    Args:
        input_shape: shape of one image; None uses (224, 224, 3) with a classifier, and any size without.
        alpha: width multiplier; the published weights have 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4.
        include_top: whether to include the classifier. Defaults to True.
        weights: "imagenet" for the published weights, the path of a weights file, or None for random initialization.
        input_tensor: symbolic tensor to start from, instead of a new input.
        pooling: pooling of the last features without a classifier: "avg", "max", or None for the feature map.
        classes: number of classes of the classifier; 1000 for the published weights.
        classifier_activation: activation of the classifier; None returns logits.
        name: name of the model; None derives one from `alpha` and the image size.

    Returns:
        A functional model from images, preprocessed by `preprocess_input`, to scores or features.

    Example:

        base = cornu.applications.MobileNetV2(weights=None, include_top=False, pooling="avg")
        print(base.output_shape)  # (None, 1280)
    """
    size = published_size(input_shape, MOBILENET_V2_SIZES)
    plan = Plan(
        "MobileNetV2",
        include_top,
        weights,
        input_tensor,
        input_shape,
        pooling,
        classes,
        classifier_activation,
        name or "",
        size,
        variant={"alpha": alpha, "size": size},
    )
    plan = with_name(plan, f"mobilenetv2_{alpha:.2f}_{spatial(image_shape(plan))[0]}")
    return application(plan, partial(_body, alpha=alpha), partial(classifier, pool=None), pooled_unnamed)


preprocess_input = preprocessing("tf")
