"""ConvNeXt: a ResNet with the habits of a transformer (Liu et al., 2022, arXiv 2201.03545, figure 4 and table 9)."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Unpack

import jax

from cornu import initializers, layers, validate
from cornu.applications.building import Plan, application, named, pooled_unnamed, predictions, require_channels_last
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import ActivationLike
from cornu.layers.options import LayerOptions
from cornu.models import Model, Sequential
from cornu.registry import InFiles

__all__ = [
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "decode_predictions",
    "preprocess_input",
]  # fmt: skip

_MEAN, _VARIANCE = [0.485 * 255, 0.456 * 255, 0.406 * 255], [(0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2]


class LayerScale(layers.Layer):
    """A trainable scale for each channel (Touvron et al., 2021, arXiv 2103.17239).

    Args:
        init_values: initial value of the scale.
        projection_dim: number of channels.
    """

    pure_call = rowwise = True
    _in_files = InFiles("keras.src.applications.convnext", registered_name="LayerScale")

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = validate.positive_int(projection_dim, "projection_dim", self)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the scale."""
        self.gamma = self.add_weight((self.projection_dim,), initializers.Constant(self.init_values))

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs, each channel multiplied by its scale."""
        return inputs * self.gamma.value


def _normalized(name: str | None) -> layers.Layer:
    return layers.LayerNormalization(epsilon=1e-6, name=name)


def _block(x: KerasTensor, width: int, name: str) -> KerasTensor:
    """A wide depthwise convolution, then a perceptron for each pixel."""
    around = x
    x = layers.Conv2D(width, 7, padding="same", groups=width, name=f"{name}_depthwise_conv")(x)
    x = _normalized(f"{name}_layernorm")(x)
    x = layers.Dense(4 * width, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(width, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, width, name=f"{name}_layer_scale")(x)
    x = layers.Activation("linear", name=f"{name}_identity")(x)
    return around + x


def _body(
    x: KerasTensor, depths: Sequence[int], widths: Sequence[int], name: str, include_preprocessing: bool
) -> KerasTensor:
    if include_preprocessing and x.shape[-1] == 3:
        x = layers.Normalization(mean=_MEAN, variance=_VARIANCE, name=f"{name}_prestem_normalization")(x)
    stem = [layers.Conv2D(widths[0], 4, strides=4, name=f"{name}_stem_conv"), _normalized(f"{name}_stem_layernorm")]
    narrowing = [Sequential(stem, name=f"{name}_stem")]
    for number, width in enumerate(widths[1:]):
        halving = [
            _normalized(f"{name}_downsampling_layernorm_{number}"),
            layers.Conv2D(width, 2, strides=2, name=f"{name}_downsampling_conv_{number}"),
        ]
        narrowing.append(Sequential(halving, name=f"{name}_downsampling_block_{number}"))
    for stage, (narrow, depth, width) in enumerate(zip(narrowing, depths, widths, strict=True)):
        x = narrow(x)
        for block in range(depth):
            x = _block(x, width, f"{name}_stage_{stage}_block_{block}")
    return x


def _top(x: KerasTensor, plan: Plan) -> KerasTensor:
    x = layers.GlobalAveragePooling2D(name=f"{plan.name}_head_gap")(x)
    x = _normalized(f"{plan.name}_head_layernorm")(x)
    return predictions(x, plan, name=f"{plan.name}_head_dense")


def _bottom(x: KerasTensor, pooling: str | None) -> KerasTensor:
    return _normalized(None)(pooled_unnamed(x, pooling))


def _convnext(kind: str, name: str, depths: Sequence[int], widths: Sequence[int]) -> Callable[..., Model]:
    """The constructor of one member, with the given numbers of blocks and channels in its four stages."""

    def build(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = name,
    ) -> Model:
        require_channels_last(kind)
        plan = Plan(
            kind, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        body = partial(
            _body, depths=depths, widths=widths, name=name, include_preprocessing=include_preprocessing
        )  # fmt: skip
        return application(plan, body, _top, _bottom)

    more = "    include_preprocessing: whether the model rescales images from 0 to 255 itself. Defaults to True.\n"
    return named(build, kind, "Liu et al., 2022", _body, more)


ConvNeXtTiny = _convnext("ConvNeXtTiny", "convnext_tiny", (3, 3, 9, 3), (96, 192, 384, 768))
ConvNeXtSmall = _convnext("ConvNeXtSmall", "convnext_small", (3, 3, 27, 3), (96, 192, 384, 768))
ConvNeXtBase = _convnext("ConvNeXtBase", "convnext_base", (3, 3, 27, 3), (128, 256, 512, 1024))
ConvNeXtLarge = _convnext("ConvNeXtLarge", "convnext_large", (3, 3, 27, 3), (192, 384, 768, 1536))
ConvNeXtXLarge = _convnext("ConvNeXtXLarge", "convnext_xlarge", (3, 3, 27, 3), (256, 512, 1024, 2048))
preprocess_input = preprocessing(None)
