"""MobileNet V3: searched blocks, some excited, some with hard swish (Howard et al., 2019, arXiv 1905.02244).

Tables 1 and 2 of the paper are `_LARGE` and `_SMALL`.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from cornu import layers
from cornu.applications.building import Plan, application, channels_of, last_axis, named, pooled, same_padding, whole
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike
from cornu.models import Model

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]


class Row(NamedTuple):
    """A row of the paper's table: one block."""

    kernel: int
    expanded: int
    filters: int
    excited: bool
    activation: str  # "RE" for ReLU, "HS" for hard swish
    stride: int


_LARGE = (
    Row(3, 16, 16, False, "RE", 1),
    Row(3, 64, 24, False, "RE", 2),
    Row(3, 72, 24, False, "RE", 1),
    Row(5, 72, 40, True, "RE", 2),
    Row(5, 120, 40, True, "RE", 1),
    Row(5, 120, 40, True, "RE", 1),
    Row(3, 240, 80, False, "HS", 2),
    Row(3, 200, 80, False, "HS", 1),
    Row(3, 184, 80, False, "HS", 1),
    Row(3, 184, 80, False, "HS", 1),
    Row(3, 480, 112, True, "HS", 1),
    Row(3, 672, 112, True, "HS", 1),
    Row(5, 672, 160, True, "HS", 2),
    Row(5, 960, 160, True, "HS", 1),
    Row(5, 960, 160, True, "HS", 1),
)
_SMALL = (
    Row(3, 16, 16, True, "RE", 2),
    Row(3, 72, 24, False, "RE", 2),
    Row(3, 88, 24, False, "RE", 1),
    Row(5, 96, 40, True, "HS", 2),
    Row(5, 240, 40, True, "HS", 1),
    Row(5, 240, 40, True, "HS", 1),
    Row(5, 120, 48, True, "HS", 1),
    Row(5, 144, 48, True, "HS", 1),
    Row(5, 288, 96, True, "HS", 2),
    Row(5, 576, 96, True, "HS", 1),
    Row(5, 576, 96, True, "HS", 1),
)


def _active(x: KerasTensor, activation: str) -> KerasTensor:
    return (layers.ReLU() if activation == "RE" else layers.Activation("hard_swish"))(x)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(last_axis(), momentum=0.999, name=name)(x)


def _conv(x: KerasTensor, filters: int, kernel: int, name: str, strides: int = 1) -> KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _excited(x: KerasTensor, reduced: int, name: str) -> KerasTensor:
    """Squeeze and excitation, with the hard sigmoid `relu6(x + 3) / 6` written out."""
    channels = channels_of(x)
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    weights = layers.Conv2D(reduced, 1, padding="same", name=f"{name}_conv")(weights)
    weights = layers.ReLU(name=f"{name}_relu")(weights)
    weights = layers.Conv2D(channels, 1, padding="same", name=f"{name}_conv_1")(weights)
    weights = layers.ReLU(6.0)(weights + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}_mul")([x, weights])


def _block(x: KerasTensor, row: Row, expansion: float, number: int) -> KerasTensor:
    around, channels = x, channels_of(x)
    name = f"expanded_conv_{number}" if number else "expanded_conv"
    expanded = whole(channels * expansion) if number else channels
    if number:  # the first row has no expansion
        x = _active(_conv(x, expanded, 1, f"{name}_expand"), row.activation)
    if row.stride > 1:
        x = layers.ZeroPadding2D(same_padding(x, row.kernel), name=f"{name}_depthwise_pad")(x)
    x = layers.DepthwiseConv2D(
        row.kernel, strides=row.stride, padding="same" if row.stride == 1 else "valid", use_bias=False,
        name=f"{name}_depthwise",
    )(x)  # fmt: skip
    x = _active(_normalized(x, f"{name}_depthwise_bn"), row.activation)
    if row.excited:
        x = _excited(x, whole(channels * expansion * 0.25), f"{name}_squeeze_excite")
    x = _conv(x, row.filters, 1, f"{name}_project")
    return layers.Add(name=f"{name}_add")([around, x]) if row.stride == 1 and channels == row.filters else x


def _body(
    x: KerasTensor, rows: Sequence[Row], alpha: float, minimalistic: bool, include_preprocessing: bool
) -> KerasTensor:
    x = layers.Rescaling(scale=1.0 / 127.5, offset=-1.0)(x) if include_preprocessing else x
    activation = "RE" if minimalistic else "HS"
    x = _active(_conv(x, 16, 3, "conv", strides=2), activation)
    before = 16  # filters of the previous row in the paper's table
    for number, row in enumerate(rows):
        scaled = row._replace(filters=whole(row.filters * alpha))
        if minimalistic:
            scaled = scaled._replace(kernel=3, excited=False, activation="RE")
        x = _block(x, scaled, row.expanded / before, number)
        before = row.filters
    return _active(_conv(x, whole(channels_of(x) * 6), 1, "conv_1"), activation)


def _top(x: KerasTensor, plan: Plan, width: int, activation: str, dropout: float) -> KerasTensor:
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(width, 1, padding="same", name="conv_2")(x)
    x = _active(x, activation)
    x = layers.Dropout(dropout)(x) if dropout > 0 else x
    x = layers.Conv2D(plan.classes, 1, padding="same", name="logits")(x)
    x = layers.Flatten()(x)
    return layers.Activation(plan.classifier_activation, name="predictions")(x)


_MORE = """    alpha: width multiplier; the published weights have 0.75 and 1.0.
    minimalistic: whether to omit 5 × 5 kernels, excitation and hard swish. Defaults to False.
    dropout_rate: fraction of the features dropped before the classifier during training. Defaults to 0.2.
    include_preprocessing: whether the model rescales images from 0 to 255 itself. Defaults to True.
"""


def _mobilenet(kind: str, rows: Sequence[Row], last: int) -> Callable[..., Model]:
    """The constructor of one member; `last` is the width of its last hidden layer."""

    def build(
        input_shape: Sequence[int | None] | None = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str = kind,
    ) -> Model:
        plan = Plan(
            kind, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
            size=None, variant={"alpha": alpha, "minimalistic": minimalistic},
        )  # fmt: skip
        body = partial(
            _body, rows=rows, alpha=alpha, minimalistic=minimalistic, include_preprocessing=include_preprocessing
        )
        width = whole(last * alpha) if alpha > 1 else last
        top = partial(_top, width=width, activation="RE" if minimalistic else "HS", dropout=dropout_rate)
        return application(plan, body, top, pooled)

    return named(build, kind, "Howard et al., 2019", _body, _MORE)


MobileNetV3Large = _mobilenet("MobileNetV3Large", _LARGE, 1280)
MobileNetV3Small = _mobilenet("MobileNetV3Small", _SMALL, 1024)
preprocess_input = preprocessing(None)
