"""NASNet: two searched cells, a normal and a reducing one, stacked (Zoph et al., 2017, arXiv 1707.07012, figure 4)."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cornu import layers
from cornu.applications.building import (
    Plan,
    application,
    classifier,
    named,
    pooled_unnamed,
    require_channels_last,
    same_padding,
    spatial,
)
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.context import name_scope
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike
from cornu.models import Model

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(-1, momentum=0.9997, epsilon=1e-3, name=name)(x)


def _relu(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.Activation("relu", name=name)(x)


def _conv(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return layers.Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def _joined(branches: list[KerasTensor], name: str | None = None) -> KerasTensor:
    return layers.Concatenate(axis=-1, name=name)(branches)


def _separable(x: KerasTensor, filters: int, kernel: int, stride: int, block: int, name: str) -> KerasTensor:
    """ReLU, separable convolution, normalization, twice; the first may have stride 2."""
    with name_scope(f"block_{block}"), name_scope(f"separable_conv_block_{name}"):
        return _separable_twice(x, filters, kernel, stride, name)


def _separable_twice(x: KerasTensor, filters: int, kernel: int, stride: int, name: str) -> KerasTensor:
    x = _relu(x)
    padding = "same"
    if stride > 1:
        x = layers.ZeroPadding2D(same_padding(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
        padding = "valid"
    conv = partial(layers.SeparableConv2D, filters, kernel, use_bias=False)
    x = conv(strides=stride, padding=padding, name=f"separable_conv_1_{name}")(x)
    x = _relu(_normalized(x, f"separable_conv_1_bn_{name}"))
    x = conv(padding="same", name=f"separable_conv_2_{name}")(x)
    return _normalized(x, f"separable_conv_2_bn_{name}")


def _adjusted(p: KerasTensor | None, x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """The input of the last cell, adjusted to the size and channels of its output."""
    if p is None:
        return x
    if spatial(p.shape[1:]) != spatial(x.shape[1:]):
        with name_scope("adjust_block"), name_scope(f"adjust_reduction_block_{name}"):
            return _halved(p, filters, name)
    if p.shape[-1] != filters:
        with name_scope("adjust_block"), name_scope(f"adjust_projection_block_{name}"):
            return _normalized(_conv(_relu(p), filters, f"adjust_conv_projection_{name}"), f"adjust_bn_{name}")
    return p


def _halved(p: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Every second pixel, starting at the first and at the second pixel."""
    p = _relu(p, f"adjust_relu_1_{name}")
    even = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(p)
    even = _conv(even, filters // 2, f"adjust_conv_1_{name}")
    odd = layers.ZeroPadding2D(((0, 1), (0, 1)))(p)  # the same, shifted by one row and column
    odd = layers.Cropping2D(((1, 0), (1, 0)))(odd)
    odd = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(odd)
    odd = _conv(odd, filters // 2, f"adjust_conv_2_{name}")
    return _normalized(_joined([even, odd]), f"adjust_bn_{name}")


def _normal(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    """The normal cell."""
    with name_scope(f"normal_A_block_{name}"):
        return _normal_cell(x, p, filters, name)


def _normal_cell(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    p = _adjusted(p, x, filters, name)
    h = _normalized(_conv(_relu(x), filters, f"normal_conv_1_{name}"), f"normal_bn_1_{name}")

    def separable(source: KerasTensor, kernel: int, side: str) -> KerasTensor:
        return _separable(source, filters, kernel, 1, int(side[-1]), f"normal_{side}_{name}")

    def mean(source: KerasTensor, side: str) -> KerasTensor:
        return layers.AveragePooling2D(3, strides=1, padding="same", name=f"normal_{side}_{name}")(source)

    pairs = [
        [separable(h, 5, "left1"), separable(p, 3, "right1")],
        [separable(p, 5, "left2"), separable(p, 3, "right2")],
        [mean(h, "left3"), p],
        [mean(p, "left4"), mean(p, "right4")],
        [separable(h, 3, "left5"), h],
    ]
    sums = [layers.Add(name=f"normal_add_{number}_{name}")(pair) for number, pair in enumerate(pairs, 1)]
    return _joined([p, *sums], f"normal_concat_{name}")


def _reduction(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    """The cell that halves height and width."""
    with name_scope(f"reduction_A_block_{name}"):
        return _reduction_cell(x, p, filters, name)


def _reduction_cell(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    p = _adjusted(p, x, filters, name)
    h = _normalized(_conv(_relu(x), filters, f"reduction_conv_1_{name}"), f"reduction_bn_1_{name}")
    around = layers.ZeroPadding2D(same_padding(h, 3), name=f"reduction_pad_1_{name}")(h)

    def separable(source: KerasTensor, kernel: int, side: str, block: int, stride: int = 2) -> KerasTensor:
        return _separable(source, filters, kernel, stride, block, f"reduction_{side}_{name}")

    def pool(kind: type, side: str) -> KerasTensor:
        return kind(3, strides=2, padding="valid", name=f"reduction_{side}_{name}")(around)

    def added(pair: list[KerasTensor], label: str) -> KerasTensor:
        return layers.Add(name=f"reduction_{label}_{name}")(pair)

    first = added([separable(h, 5, "left1", 1), separable(p, 7, "right1", 1)], "add_1")
    second = added([pool(layers.MaxPooling2D, "left2"), separable(p, 7, "right2", 2)], "add_2")
    third = added([pool(layers.AveragePooling2D, "left3"), separable(p, 5, "right3", 3)], "add3")
    mean = layers.AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(first)
    fourth = layers.Add()([second, mean])
    fifth = added([separable(first, 3, "left4", 5, stride=1), pool(layers.MaxPooling2D, "right5")], "add4")
    return _joined([second, third, fourth, fifth], f"reduction_concat_{name}")


def _body(x: KerasTensor, repeats: int, last: int, stem: int, skip: bool) -> KerasTensor:
    """Stem, then three runs of normal cells with reductions between them.

    Args:
        x: images.
        repeats: normal cells in a run.
        last: channels of the last features.
        stem: filters of the first convolution.
        skip: whether the cell after a reduction skips back two cells instead of one.
    """
    filters = last // 24
    x = layers.Conv2D(stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1")(x)
    x, p = _normalized(x, "stem_bn1"), None
    x, p = _reduction(x, p, filters // 4, "stem_1"), x
    x, p = _reduction(x, p, filters // 2, "stem_2"), x
    for run in range(3):
        width, number = filters * 2**run, run * repeats
        if run:
            x, p = _reduction(x, p, width, f"reduce_{number}"), p if skip else x
            number += 1
        for cell in range(number, number + repeats):
            x, p = _normal(x, p, width, str(cell)), x
    return _relu(x)


def _nasnet(kind: str, size: int, name: str, **settings: Any) -> Callable[..., Model]:
    """The constructor of one member."""

    def build(
        input_shape: Sequence[int | None] | None = None,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = name,
    ) -> Model:
        require_channels_last(kind)
        if input_shape is None and input_tensor is None:
            input_shape = (size, size, 3)
        plan = Plan(
            kind, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name, size
        )
        return application(plan, partial(_body, **settings), partial(classifier, pool=None), pooled_unnamed)

    return named(build, kind, "Zoph et al., 2017", _body)


NASNetLarge = _nasnet("NASNetLarge", 331, "nasnet_large", repeats=6, last=4032, stem=96, skip=True)
NASNetMobile = _nasnet("NASNetMobile", 224, "nasnet_mobile", repeats=4, last=1056, stem=32, skip=False)
preprocess_input = preprocessing("tf")
