"""MobileNet: depthwise separable convolutions, thirteen times (Howard et al., 2017, arXiv 1704.04861, table 1)."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cornu import layers
from cornu.applications.addresses import MOBILENET_SIZES
from cornu.applications.building import Plan, application, image_shape, last_axis, pooled_unnamed, spatial
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike
from cornu.models import Model

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# (filters, stride) of each block
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip


def _active(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(last_axis(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _block(x: KerasTensor, filters: int, stride: int, multiplier: int, number: int) -> KerasTensor:
    """A convolution of each channel, then one across channels."""
    if stride > 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same" if stride == 1 else "valid", depth_multiplier=multiplier, use_bias=False,
        name=f"conv_dw_{number}",
    )(x)  # fmt: skip
    x = _active(x, f"conv_dw_{number}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _active(x, f"conv_pw_{number}")


def _body(x: KerasTensor, alpha: float, multiplier: int) -> KerasTensor:
    x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = _active(x, "conv1")
    for number, (filters, stride) in enumerate(_BLOCKS, 1):
        x = _block(x, int(filters * alpha), stride, multiplier, number)
    return x


def _top(x: KerasTensor, plan: Plan, dropout: float) -> KerasTensor:
    """The classifier, as a 1 × 1 convolution."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(plan.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((plan.classes,), name="reshape_2")(x)
    return layers.Activation(plan.classifier_activation, name="predictions")(x)


def MobileNet(  # noqa: N802 - Keras's public name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: ActivationLike = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNet (Howard et al., 2017).

    Args:
        input_shape: shape of one image; None uses (224, 224, 3) with a classifier, and any size without.
        alpha: width multiplier; the published weights have 0.25, 0.5, 0.75 and 1.0.
        depth_multiplier: filters per channel in the depthwise convolutions; 1 for the published weights.
        dropout: fraction of the features dropped before the classifier during training. Defaults to 0.001.
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

        model = cornu.applications.MobileNet((32, 32, 3), alpha=0.25, weights=None, classes=10)
        print(model.count_params())  # 220090
    """
    if weights == "imagenet" and depth_multiplier != 1:
        raise ValueError(
            f"MobileNet: the published weights have depth_multiplier=1. Received: depth_multiplier={depth_multiplier}."
        )
    size = published_size(input_shape, MOBILENET_SIZES)
    plan = Plan(
        "MobileNet", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation,
        name or "", size, variant={"alpha": alpha, "size": size},
    )  # fmt: skip
    plan = with_name(plan, f"mobilenet_{alpha:.2f}_{spatial(image_shape(plan))[0]}")
    return application(
        plan, partial(_body, alpha=alpha, multiplier=depth_multiplier), partial(_top, dropout=dropout), pooled_unnamed
    )


def published_size(input_shape: Sequence[int | None] | None, sizes: Sequence[int]) -> int:
    """The image size of the best-matching published weights: that of the images if available, otherwise 224."""
    if input_shape is None or len(input_shape) != 3:
        return 224
    height, width = spatial(tuple(input_shape))
    return height if height is not None and height == width and height in sizes else 224


def with_name(plan: Plan, name: str) -> Plan:
    """`plan` with the given model name, unless the caller passed one."""
    return plan if plan.name else replace(plan, name=name)


preprocess_input = preprocessing("tf")
