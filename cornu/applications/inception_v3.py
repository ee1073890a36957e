"""Inception V3: convolutions of several shapes side by side (Szegedy et al., 2015, arXiv 1512.00567, table 1)."""

from cornu import layers
from cornu.applications.building import channel_axis, constructor, pooled_unnamed
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyTuple

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]


def conv(
    x: KerasTensor, filters: int, kernel: int | tuple[int, int], strides: int = 1, padding: str = "same"
) -> KerasTensor:
    """Convolution without bias, normalization without a scale, ReLU."""
    x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(channel_axis(), scale=False)(x)
    return layers.Activation("relu")(x)


def chain(x: KerasTensor, *steps: AnyTuple) -> KerasTensor:
    """`conv` after `conv`, each given by its arguments."""
    for step in steps:
        x = conv(x, *step)
    return x


def joined(branches: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """The branches concatenated along the channels."""
    return layers.Concatenate(axis=channel_axis(), name=name)(branches)


def averaged(x: KerasTensor, filters: int) -> KerasTensor:
    """A mean over 3 × 3, then a 1 × 1 convolution."""
    return conv(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def halved(x: KerasTensor) -> KerasTensor:
    """3 × 3 max pooling with stride 2."""
    return layers.MaxPooling2D(3, strides=2)(x)


def stem(x: KerasTensor) -> KerasTensor:
    """The plain layers at the beginning, which Inception-ResNet has too."""
    x = chain(x, (32, 3, 2, "valid"), (32, 3, 1, "valid"), (64, 3))
    x = chain(halved(x), (80, 1, 1, "valid"), (192, 3, 1, "valid"))
    return halved(x)


def _sevens(x: KerasTensor, width: int, name: str) -> KerasTensor:
    """The 17 × 17 module, with 7 × 7 convolutions factorized into rows and columns."""
    row, column = (1, 7), (7, 1)
    return joined(
        [
            conv(x, 192, 1),
            chain(x, (width, 1), (width, row), (192, column)),
            chain(x, (width, 1), (width, column), (width, row), (width, column), (192, row)),
            averaged(x, 192),
        ],
        name,
    )


def _wide(x: KerasTensor, number: int) -> KerasTensor:
    """The 8 × 8 module, whose branches fork."""
    plain = conv(x, 320, 1)
    short = conv(x, 384, 1)
    short = joined([conv(short, 384, (1, 3)), conv(short, 384, (3, 1))], f"mixed9_{number}")
    long = chain(x, (448, 1), (384, 3))
    long = joined([conv(long, 384, (1, 3)), conv(long, 384, (3, 1))])
    return joined([plain, short, long, averaged(x, 192)], f"mixed{9 + number}")


def _body(x: KerasTensor) -> KerasTensor:
    x = stem(x)
    for number, pool_width in enumerate((32, 64, 64)):
        x = joined(
            [conv(x, 64, 1), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)), averaged(x, pool_width)],
            f"mixed{number}",
        )
    x = joined(
        [conv(x, 384, 3, 2, "valid"), chain(x, (64, 1), (96, 3), (96, 3, 2, "valid")), halved(x)], "mixed3"
    )  # fmt: skip
    for number, width in enumerate((128, 160, 160, 192), 4):
        x = _sevens(x, width, f"mixed{number}")
    x = joined(
        [
            chain(x, (192, 1), (320, 3, 2, "valid")),
            chain(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, "valid")),
            halved(x),
        ],
        "mixed8",
    )
    return _wide(_wide(x, 0), 1)


InceptionV3 = constructor(
    "InceptionV3", _body, "Szegedy et al., 2015", name="inception_v3", size=299, smallest=75, bottom=pooled_unnamed
)
preprocess_input = preprocessing("tf")
