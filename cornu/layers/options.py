"""What every layer's constructor takes besides its own arguments, for checkers and editors.

A constructor ends in `**kwargs: Unpack[LayerOptions]`, or in one of the others where it names some of these itself.
"""

from typing import TypedDict

from cornu.core.policy import PolicyLike
from cornu.core.typing import RegularizerLike, ShapeLike


class InputOptions(TypedDict, total=False):
    """The shape and dtype of the input, as the first layer of a `Sequential` may be told them."""

    input_shape: ShapeLike | int
    batch_input_shape: ShapeLike
    batch_shape: ShapeLike
    input_dim: int
    input_length: int
    input_dtype: PolicyLike
    batch_size: int | None


class BareOptions(InputOptions, total=False):
    """What each layer passes on."""

    trainable: bool
    dtype: PolicyLike | None
    autocast: bool


class NamedOptions(BareOptions, total=False):
    """The options of a layer that names its `activity_regularizer` itself."""

    name: str | None


class UnnamedOptions(BareOptions, total=False):
    """The options of a layer that names its `name` itself."""

    activity_regularizer: RegularizerLike | None


class LayerOptions(NamedOptions, UnnamedOptions, total=False):
    """All of them."""


class CellOptions(LayerOptions, total=False):
    """The options of a recurrent cell; `implementation` is taken for the sake of older scripts and changes nothing."""

    implementation: int


class RecurrentOptions(NamedOptions, total=False):
    """The options of a recurrent layer with a cell of its own."""

    zero_output_for_mask: bool
    implementation: int


class BoxOptions(LayerOptions, total=False):
    """The options of a layer that changes images, and may be given bounding boxes too."""

    bounding_box_format: str | None


class ImageOptions(BoxOptions, total=False):
    """The options of a layer that changes images and leaves the order of their axes to its base class."""

    data_format: str | None
