"""The well-known networks as tables of numbers, taken from the papers, for whoever builds them.

VGG16: Simonyan, Zisserman 2014, arXiv:1409.1556. ResNet50: He and others 2015, arXiv:1512.03385. InceptionV3: Szegedy
and others 2015, arXiv:1512.00567. MobileNetV2: Sandler and others 2018, arXiv:1801.04381.
"""

from typing import NamedTuple

# Parameters at full size with 1,000 classes, as everyone counts them.
PARAMETERS = {"resnet50": 25_636_712, "vgg16": 138_357_544, "inception_v3": 23_851_784}

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # (filters, convolutions) before each pooling
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # (filters, blocks, stride) of each stage
RESNET_EPSILON = 1.001e-5
# (expansion, filters, stride) of each block
MOBILE = ((1, 16, 1), (6, 24, 2), (6, 24, 1), (6, 32, 2), (6, 32, 1), (6, 64, 2), (6, 64, 1))


class Convolution(NamedTuple):
    """A convolution without bias, BatchNormalization without scale, relu."""

    filters: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: str = "same"


class Fork(NamedTuple):
    """Ways taken side by side and joined along the channels; a way is a tuple of steps."""

    ways: tuple


AVERAGE = "average pooling 3, stride 1, same"
MAXIMUM = "max pooling 3, stride 2, valid"


def _conv(filters: int, height: int, width: int | None = None) -> Convolution:
    return Convolution(filters, (height, width or height))


def _valid(filters: int, size: int, stride: int = 1) -> Convolution:
    return Convolution(filters, (size, size), stride, "valid")


def _fine(pooled: int) -> Fork:
    """The block for 35×35."""
    five = (_conv(48, 1), _conv(64, 5))
    threes = (_conv(64, 1), _conv(96, 3), _conv(96, 3))
    return Fork(((_conv(64, 1),), five, threes, (AVERAGE, _conv(pooled, 1))))


def _factored(inner: int) -> Fork:
    """The block for 17×17: seven by seven as one by seven and seven by one."""
    once = (_conv(inner, 1), _conv(inner, 1, 7), _conv(192, 7, 1))
    twice = (_conv(inner, 1), _conv(inner, 7, 1), _conv(inner, 1, 7), _conv(inner, 7, 1), _conv(192, 1, 7))
    return Fork(((_conv(192, 1),), once, twice, (AVERAGE, _conv(192, 1))))


def _wide() -> Fork:
    """The block for 8×8, whose ways fork again."""
    split = Fork(((_conv(384, 1, 3),), (_conv(384, 3, 1),)))
    once, twice = (_conv(384, 1), split), (_conv(448, 1), _conv(384, 3), split)
    return Fork(((_conv(320, 1),), once, twice, (AVERAGE, _conv(192, 1))))


INCEPTION_V3 = (
    *(_valid(32, 3, 2), _valid(32, 3), _conv(64, 3), MAXIMUM, _valid(80, 1), _valid(192, 3), MAXIMUM),
    *(_fine(32), _fine(64), _fine(64)),
    Fork(((_valid(384, 3, 2),), (_conv(64, 1), _conv(96, 3), _valid(96, 3, 2)), (MAXIMUM,))),
    *(_factored(128), _factored(160), _factored(160), _factored(192)),
    Fork((
        (_conv(192, 1), _valid(320, 3, 2)),
        (_conv(192, 1), _conv(192, 1, 7), _conv(192, 7, 1), _valid(192, 3, 2)),
        (MAXIMUM,),
    )),
    *(_wide(), _wide()),
)  # fmt: skip
