"""Code shared by all families: the input, the classifier, and the model around a family's body.

A family is a function from an image tensor to a feature tensor, and a table of its members. `constructor` makes the
public function of a member from the two; members with additional arguments call `application` themselves.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from cornu import activations, layers, settings, validate
from cornu.applications import pretrained
from cornu.core.symbolic import KerasTensor, is_keras_tensor, node_of
from cornu.core.typing import ActivationLike, AnyFunction, Function
from cornu.models import Model

Body = Callable[[KerasTensor], KerasTensor]


@dataclass(frozen=True)
class Plan:
    """The arguments of a constructor call, and the properties of the member.

    Attributes:
        kind: the constructor's name, under which its published weights are listed.
        size: height and width of the images that the published weights were trained on; None allows images of any size,
            even with a classifier.
        smallest: the minimum height and width.
        variant: the arguments other than `kind` that select published weights, such as a width factor.
    """

    kind: str
    include_top: bool
    weights: str | os.PathLike[str] | None
    input_tensor: KerasTensor | None
    input_shape: Sequence[int | None] | None
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str
    size: int | None = 224
    smallest: int = 32
    variant: dict[str, object] = field(default_factory=dict)

    @property
    def published(self) -> bool:
        """Whether the weights are the published ones."""
        return isinstance(self.weights, str) and self.weights == pretrained.PUBLISHED


def application(plan: Plan, body: Body, top: AnyFunction, bottom: AnyFunction) -> Model:
    """The model described by `plan`.

    Args:
        plan: the arguments.
        body: the family's layers, from image to features.
        top: function of (features, plan) that classifies.
        bottom: function of (features, pooling) that pools, for models without a classifier.
    """
    check(plan)
    image = image_input(plan)
    x = body(image)
    x = top(x, plan) if plan.include_top else bottom(x, plan.pooling)
    model = Model(_sources(plan, image), x, name=plan.name)
    pretrained.load(model, plan.kind, plan.weights, plan.include_top, plan.variant)
    return model


class Application(Protocol):
    """A public function that creates models of one kind, with the common arguments."""

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = ...,
    ) -> Model: ...


def constructor(
    kind: str,
    body: Body,
    paper: str,
    *,
    name: str | None = None,
    size: int = 224,
    smallest: int = 32,
    before: AnyFunction | None = None,
    top: AnyFunction | None = None,
    bottom: AnyFunction | None = None,
) -> Application:
    """The public function that creates models of one kind.

    Args:
        kind: its name.
        body: its layers, from image to features.
        paper: the source of the architecture.
        name: name of its models; None uses `kind` in lower case.
        size, smallest: as in `Plan`.
        before: function of (image, plan) that preprocesses images for the body.
        top, bottom: as in `application`; None uses `classifier` and `pooled`.
    """

    def build(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = name or kind.lower(),
    ) -> Model:
        plan = Plan(
            kind, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name,
            size, smallest,
        )  # fmt: skip
        whole_body = (lambda image: body(before(image, plan))) if before else body
        return application(plan, whole_body, top or classifier, bottom or pooled)

    return named(build, kind, paper, body)


_DOCSTRING = """{kind} ({paper}).

Args:
    include_top: whether to include the classifier. Defaults to True.
    weights: "imagenet" for the published weights, the path of a weights file, or None for random initialization.
    input_tensor: symbolic tensor to start from, instead of a new input.
    input_shape: shape of one image; None uses that of the published weights with a classifier, any size without.
    pooling: pooling of the last features without a classifier: "avg", "max", or None for the feature map.
    classes: number of classes of the classifier; 1000 for the published weights.
    classifier_activation: activation of the classifier; None returns logits.
    name: name of the model.
{more}
Returns:
    A functional model from images, preprocessed by the module's `preprocess_input`, to scores or features.

Example:

    base = cornu.applications.{kind}(weights=None, include_top=False, pooling="avg")
    inputs = cornu.Input((224, 224, 3))
    outputs = cornu.layers.Dense(3, activation="softmax")(base(inputs, training=False))
    print(cornu.Model(inputs, outputs).output_shape)  # (None, 3)
"""


def named(build: Function, kind: str, paper: str, home: AnyFunction, more: str = "") -> Function:
    """`build` under its public name, with a docstring, as a function of the module that `home` is from."""
    build.__name__ = build.__qualname__ = kind
    build.__module__ = getattr(home, "func", home).__module__
    build.__doc__ = _DOCSTRING.format(kind=kind, paper=paper, more=more)
    return build


# ---------------------------------------------------------------- inputs


def check(plan: Plan) -> None:
    """Reject inconsistent arguments."""
    validate.one_of(plan.pooling, (None, "avg", "max"), "pooling", plan.kind)
    validate.positive_int(plan.classes, "classes", plan.kind)
    if plan.weights not in (None, pretrained.PUBLISHED) and not os.path.exists(os.fspath(plan.weights)):
        raise ValueError(
            f'{plan.kind}: weights must be "imagenet", the path of a weights file, or None. There is no file with this '
            f"name. Received: weights={os.fspath(plan.weights)!r}."
        )
    if plan.published and plan.include_top and plan.classes != 1000:
        raise ValueError(
            f"{plan.kind}: the published weights classify 1000 classes. For others, use include_top=False and add a "
            f"classifier on top, or use weights=None. Received: classes={plan.classes}."
        )
    if plan.weights is not None and plan.include_top:
        _check_activation(plan)


def _check_activation(plan: Plan) -> None:
    activation = activations.get(plan.classifier_activation)
    if activation not in (activations.linear, activations.softmax):
        raise ValueError(
            f'{plan.kind}: with stored weights, classifier_activation must be "softmax" or None. '
            f"Received: classifier_activation={validate.shown(plan.classifier_activation)}."
        )


def image_input(plan: Plan) -> KerasTensor:
    """The symbolic image."""
    shape = image_shape(plan)
    if plan.input_tensor is None:
        return layers.Input(shape)
    if not is_keras_tensor(plan.input_tensor):
        raise ValueError(
            f"{plan.kind}: input_tensor must be a symbolic tensor, such as cornu.Input(...). "
            f"Received: {type(plan.input_tensor).__name__}."
        )
    return plan.input_tensor


def image_shape(plan: Plan) -> tuple[int | None, ...]:
    """The checked shape of one image."""
    default = _default_shape(plan)
    if plan.input_shape is None:
        return default
    shape = tuple(plan.input_shape)
    if len(shape) != 3:
        raise ValueError(f"{plan.kind}: input_shape must be (height, width, channels). Received: input_shape={shape}.")
    if plan.published and plan.include_top and plan.size is not None and shape != default:
        raise ValueError(
            f"{plan.kind}: the published classifier requires images of shape {default}. For other sizes, use "
            f"include_top=False. Received: input_shape={shape}."
        )
    channels, sides = shape[channel_axis() - 1], spatial(shape)
    if plan.published and channels != 3:
        raise ValueError(f"{plan.kind}: the published weights require 3 channels. Received: input_shape={shape}.")
    if any(side is not None and side < plan.smallest for side in sides):
        raise ValueError(
            f"{plan.kind}: height and width must be at least {plan.smallest}. Received: input_shape={shape}."
        )
    if plan.include_top and plan.size is not None and None in shape:
        raise ValueError(f"{plan.kind}: a classifier requires a fixed image size. Received: input_shape={shape}.")
    return shape


def _default_shape(plan: Plan) -> tuple[int | None, ...]:
    side = plan.size if plan.include_top else None
    return (3, side, side) if settings.image_data_format() == "channels_first" else (side, side, 3)


def spatial(shape: Sequence[int | None]) -> tuple[int | None, int | None]:
    """(height, width) of the shape of one image."""
    height, width = shape[1:] if settings.image_data_format() == "channels_first" else shape[:2]
    return height, width


def channels_of(x: KerasTensor) -> int:
    """The number of channels of a batch of images, which is always known."""
    return cast(int, x.shape[channel_axis()])


def channel_axis() -> int:
    """The axis of the channels in a batch of images: 3, or 1 for channels first."""
    return 1 if settings.image_data_format() == "channels_first" else 3


def require_channels_last(kind: str) -> None:
    """Raise an error for channels first, for families that are defined only for channels last."""
    if settings.image_data_format() == "channels_first":
        raise ValueError(
            f"{kind}: the model supports only channels_last. Call "
            'cornu.config.set_image_data_format("channels_last") first. Received: channels_first as the default.'
        )


def last_axis() -> int:
    """The same, with -1 for the last axis: families differ in their configs."""
    return 1 if settings.image_data_format() == "channels_first" else -1


def _sources(plan: Plan, image: KerasTensor) -> KerasTensor | list[KerasTensor]:
    """The inputs of the model: the sources of the given tensor, or the image."""
    if plan.input_tensor is None:
        return image
    found: dict[int, KerasTensor] = {}
    waiting = [image]
    while waiting:
        node = node_of(waiting.pop())
        if node.is_input:
            found |= {id(tensor): tensor for tensor in node.output_tensors}
        waiting += node.input_tensors
    sources = list(found.values())
    return sources[0] if len(sources) == 1 else sources


# ---------------------------------------------------------------- outputs

_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def pooled(x: KerasTensor, pooling: str | None) -> KerasTensor:
    """The features, pooled over the image if requested, by a layer named `avg_pool` or `max_pool`."""
    return _POOLING[pooling](name=f"{pooling}_pool")(x) if pooling else x


def pooled_unnamed(x: KerasTensor, pooling: str | None) -> KerasTensor:
    """The same, by a layer with a default name."""
    return _POOLING[pooling]()(x) if pooling else x


def classifier(
    x: KerasTensor, plan: Plan, pool: str | None = "avg_pool", dropout: float = 0.0, **dense: Any
) -> KerasTensor:
    """Average over the image, drop out, classify.

    Args:
        x: features.
        plan: the arguments.
        pool: name of the pooling layer.
        dropout: fraction of the averaged features to drop.
        dense: further arguments of the last layer.
    """
    x = layers.GlobalAveragePooling2D(name=pool)(x)
    if dropout > 0:
        x = layers.Dropout(dropout, name="top_dropout")(x)
    return predictions(x, plan, **dense)


def predictions(x: KerasTensor, plan: Plan, name: str = "predictions", **dense: Any) -> KerasTensor:
    """The last layer."""
    return layers.Dense(plan.classes, activation=plan.classifier_activation, name=name, **dense)(x)


# ---------------------------------------------------------------- shared by bodies


def whole(value: float, divisor: int = 8, least: int | None = None) -> int:
    """The multiple of `divisor` nearest to `value`, at least `least` and at least nine tenths of `value`."""
    rounded = max(least or divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def same_padding(x: KerasTensor, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zero padding of `x` for stride 2, with more after than before if the size is even, as in TensorFlow."""
    height, width = ((kernel // 2 - (side is None or side % 2 == 0), kernel // 2) for side in spatial(x.shape[1:]))
    return height, width
